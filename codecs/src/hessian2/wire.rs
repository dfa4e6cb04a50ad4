//! The bytes of scalars: what every reader shares.

use super::{DecodeError, DecodeErrorKind, Limit, Limits, Wanted};

/// `u32` as an index. Lossless on the 64-bit (and 32-bit) machines we build for.
#[allow(
    clippy::as_conversions,
    reason = "u32 fits usize on every target we build for"
)]
#[inline(always)]
pub(crate) const fn index(n: u32) -> usize {
    n as usize
}

/// A stream offset or count as `u32`; saturates, and streams longer than that are refused at the door.
#[inline(always)]
pub(crate) fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// An offset into a stream, or a length of a part of one: streams are no longer than `u32::MAX`.
#[allow(clippy::as_conversions, reason = "fits, as the reader cut its input")]
#[inline(always)]
pub(crate) const fn low(n: usize) -> u32 {
    n as u32
}

/// What a piece of text is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TextForm {
    /// ASCII: as many bytes as units.
    Ascii,
    /// No surrogates: plain UTF-8.
    Utf8,
    /// At least one surrogate in three bytes.
    Surrogates,
}

/// One string as scanned: its bytes and what they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    /// Content of the only piece; or, when `chunked`, all pieces with their heads.
    pub(crate) raw: &'a [u8],
    pub(crate) about: TextAbout,
}

/// What a text is besides its bytes, in one word: as fields of their own sizes they would be written one by one and read
/// back together whenever a token is handed on, which no processor does quickly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextAbout(u64);

impl TextAbout {
    const UTF8: u64 = 1 << 32;
    const SURROGATES: u64 = 1 << 33;
    const CHUNKED: u64 = 1 << 34;

    #[inline(always)]
    pub(crate) fn new(units: u32, form: TextForm, chunked: bool) -> Self {
        let form = match form {
            TextForm::Ascii => 0,
            TextForm::Utf8 => Self::UTF8,
            TextForm::Surrogates => Self::SURROGATES,
        };
        Self(u64::from(units) | form | if chunked { Self::CHUNKED } else { 0 })
    }

    /// All of it in the low 56 bits.
    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    #[inline(always)]
    pub(crate) fn of_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline(always)]
    #[allow(clippy::as_conversions, reason = "the low half")]
    pub(crate) fn units(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub(crate) fn chunked(self) -> bool {
        self.0 & Self::CHUNKED != 0
    }

    #[inline(always)]
    pub(crate) fn surrogates(self) -> bool {
        self.0 & Self::SURROGATES != 0
    }

    /// As many bytes as units, heads of pieces aside.
    #[inline(always)]
    pub(crate) fn ascii(self) -> bool {
        self.0 & (Self::UTF8 | Self::SURROGATES) == 0
    }

    /// One piece that is UTF-8 already: what nearly all text is.
    #[inline(always)]
    pub(crate) fn plain(self) -> bool {
        self.0 & (Self::CHUNKED | Self::SURROGATES) == 0
    }
}

impl<'a> Text<'a> {
    #[inline(always)]
    pub(crate) fn new(raw: &'a [u8], units: u32, form: TextForm, chunked: bool) -> Self {
        let about = TextAbout::new(units, form, chunked);
        Self { raw, about }
    }

    #[inline(always)]
    pub(crate) fn units(&self) -> u32 {
        self.about.units()
    }

    #[inline(always)]
    pub(crate) fn chunked(&self) -> bool {
        self.about.chunked()
    }

    #[inline(always)]
    pub(crate) fn surrogates(&self) -> bool {
        self.about.surrogates()
    }

    #[inline(always)]
    pub(crate) fn plain(&self) -> bool {
        self.about.plain()
    }
}

/// One binary as scanned: its bytes, or all pieces with their heads; whether it is the latter; bytes of content.
pub(crate) type Content<'a> = (&'a [u8], bool, u32);

/// A place in a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    pub(crate) input: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    #[inline(always)]
    pub(crate) fn remaining(&self) -> usize {
        self.input.len().saturating_sub(self.at)
    }

    #[cold]
    pub(crate) fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError {
            kind,
            offset: self.at,
        }
    }

    #[cold]
    pub(crate) fn tag_error(&self, tag: u8) -> DecodeError {
        DecodeError {
            kind: DecodeErrorKind::UnexpectedTag(tag),
            offset: self.at.saturating_sub(1),
        }
    }

    #[inline(always)]
    pub(crate) fn peek(&self) -> Result<u8, DecodeError> {
        match self.input.get(self.at) {
            Some(byte) => Ok(*byte),
            None => Err(DecodeError::truncated(self.at)),
        }
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        let byte = self.peek()?;
        self.at = self.at.wrapping_add(1);
        Ok(byte)
    }

    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.rest().first_chunk::<N>() {
            Some(bytes) => {
                self.at = self.at.wrapping_add(N);
                Ok(*bytes)
            }
            None => Err(DecodeError::truncated(self.input.len())),
        }
    }

    #[inline(always)]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest().get(..len) {
            Some(bytes) => {
                self.at = self.at.wrapping_add(len);
                Ok(bytes)
            }
            None => Err(DecodeError::truncated(self.input.len())),
        }
    }

    /// The int that starts with `tag`, when `tag` starts one.
    #[inline(always)]
    pub(crate) fn int_after(&mut self, tag: u8) -> Result<Option<i32>, DecodeError> {
        Ok(Some(match tag {
            0x80..=0xbf => i32::from(tag).wrapping_sub(0x90),
            0xc0..=0xcf => (i32::from(tag).wrapping_sub(0xc8) << 8) | i32::from(self.u8()?),
            0xd0..=0xd7 => {
                (i32::from(tag).wrapping_sub(0xd4) << 16) | i32::from(u16::from_be_bytes(self.array()?))
            }
            0x49 => i32::from_be_bytes(self.array()?),
            _ => return Ok(None),
        }))
    }

    /// The long that starts with `tag`, when `tag` starts one.
    #[inline(always)]
    pub(crate) fn long_after(&mut self, tag: u8) -> Result<Option<i64>, DecodeError> {
        Ok(Some(match tag {
            0xd8..=0xef => i64::from(tag).wrapping_sub(0xe0),
            0xf0..=0xff => (i64::from(tag).wrapping_sub(0xf8) << 8) | i64::from(self.u8()?),
            0x38..=0x3f => {
                (i64::from(tag).wrapping_sub(0x3c) << 16) | i64::from(u16::from_be_bytes(self.array()?))
            }
            0x59 => i64::from(i32::from_be_bytes(self.array()?)),
            0x4c => i64::from_be_bytes(self.array()?),
            _ => return Ok(None),
        }))
    }

    /// The double that starts with `tag`, when `tag` starts one.
    #[inline(always)]
    pub(crate) fn double_after(&mut self, tag: u8) -> Result<Option<f64>, DecodeError> {
        Ok(Some(match tag {
            0x5b => 0.0,
            0x5c => 1.0,
            0x5d => f64::from(i8::from_be_bytes(self.array()?)),
            0x5e => f64::from(i16::from_be_bytes(self.array()?)),
            // Multiply, as hessian-lite does: 9 gives 0.009000000000000001.
            0x5f => f64::from(i32::from_be_bytes(self.array()?)) * 0.001,
            0x44 => f64::from_be_bytes(self.array()?),
            _ => return Ok(None),
        }))
    }

    /// The date that starts with `tag` in milliseconds since the epoch, when `tag` starts one.
    #[inline(always)]
    pub(crate) fn date_after(&mut self, tag: u8) -> Result<Option<i64>, DecodeError> {
        Ok(Some(match tag {
            0x4a => i64::from_be_bytes(self.array()?),
            0x4b => i64::from(i32::from_be_bytes(self.array()?)).wrapping_mul(60_000),
            _ => return Ok(None),
        }))
    }

    /// An int where only an int may stand: a length, a count or an index. Never negative.
    #[inline]
    pub(crate) fn count(&mut self, expected: Wanted) -> Result<u32, DecodeError> {
        let start = self.at;
        let tag = self.u8()?;
        let Some(n) = self.int_after(tag)? else {
            return Err(DecodeError {
                kind: DecodeErrorKind::Expected { expected, tag },
                offset: start,
            });
        };
        u32::try_from(n).map_err(|_| DecodeError {
            kind: DecodeErrorKind::Negative(n),
            offset: start,
        })
    }

    /// The head of a string piece: its units, and whether it is the last. `None` when `tag` starts no string.
    #[inline(always)]
    fn string_head(&mut self, tag: u8) -> Result<Option<(u32, bool)>, DecodeError> {
        Ok(Some(match tag {
            0x00..=0x1f => (u32::from(tag), true),
            0x30..=0x33 => ((u32::from(tag & 3) << 8) | u32::from(self.u8()?), true),
            0x53 => (u32::from(u16::from_be_bytes(self.array()?)), true),
            0x52 => (u32::from(u16::from_be_bytes(self.array()?)), false),
            _ => return Ok(None),
        }))
    }

    /// The string that starts with `tag`, when `tag` starts one. The cursor stands behind the tag.
    #[inline]
    pub(crate) fn string_after(&mut self, tag: u8, limits: &Limits) -> Result<Option<Text<'a>>, DecodeError> {
        let head = self.at.wrapping_sub(1);
        let Some((units, last)) = self.string_head(tag)? else {
            return Ok(None);
        };
        if !last {
            return self.chunked_string(head, units, limits).map(Some);
        }
        if units > limits.string_len {
            return Err(DecodeError::limit(Limit::StringLen, head));
        }
        let (raw, form) = self.units(units)?;
        Ok(Some(Text::new(raw, units, form, false)))
    }

    #[cold]
    fn chunked_string(&mut self, head: usize, units: u32, limits: &Limits) -> Result<Text<'a>, DecodeError> {
        let (mut total, mut form, mut piece) = (0u32, TextForm::Ascii, (units, false));
        loop {
            total = total.saturating_add(piece.0);
            if total > limits.string_len {
                return Err(DecodeError::limit(Limit::StringLen, head));
            }
            form = form.max(self.units(piece.0)?.1);
            if piece.1 {
                break;
            }
            let start = self.at;
            let tag = self.u8()?;
            piece = self.string_head(tag)?.ok_or(DecodeError {
                kind: DecodeErrorKind::Expected {
                    expected: Wanted::StringPiece,
                    tag,
                },
                offset: start,
            })?;
        }
        let raw = self.input.get(head..self.at).unwrap_or_default();
        Ok(Text::new(raw, total, form, true))
    }

    /// The next `units` UTF-16 units, each in its own 1 to 3 bytes.
    #[inline(always)]
    fn units(&mut self, units: u32) -> Result<(&'a [u8], TextForm), DecodeError> {
        let rest = self.rest();
        let units = index(units);
        // Every unit takes a byte at least.
        let Some(head) = rest.get(..units) else {
            return Err(DecodeError::truncated(self.input.len()));
        };
        if is_ascii(head) {
            self.at = self.at.wrapping_add(units);
            return Ok((head, TextForm::Ascii));
        }
        self.wide_units(rest, units)
    }

    fn wide_units(&mut self, rest: &'a [u8], units: usize) -> Result<(&'a [u8], TextForm), DecodeError> {
        if let Some(raw) = plain_utf8(rest, units) {
            self.at = self.at.wrapping_add(raw.len());
            return Ok((raw, TextForm::Utf8));
        }
        let (len, form) = scan_wide(rest, units).map_err(|(offset, byte)| match byte {
            Some(byte) => DecodeError {
                kind: DecodeErrorKind::BadText(byte),
                offset: self.at.saturating_add(offset),
            },
            None => DecodeError::truncated(self.input.len()),
        })?;
        let raw = rest.get(..len).unwrap_or_default();
        self.at = self.at.wrapping_add(len);
        Ok((raw, form))
    }

    /// The binary that starts with `tag`, when `tag` starts one: its bytes, or with `true` all pieces with heads; then
    /// the length of the content.
    #[inline]
    pub(crate) fn binary_after(
        &mut self,
        tag: u8,
        limits: &Limits,
    ) -> Result<Option<Content<'a>>, DecodeError> {
        let head = self.at.wrapping_sub(1);
        let len = match tag {
            0x20..=0x2f => u32::from(tag & 0x0f),
            0x34..=0x37 => (u32::from(tag & 3) << 8) | u32::from(self.u8()?),
            0x42 => u32::from(u16::from_be_bytes(self.array()?)),
            0x41 => return self.chunked_binary(head, limits).map(Some),
            _ => return Ok(None),
        };
        if len > limits.string_len {
            return Err(DecodeError::limit(Limit::StringLen, head));
        }
        Ok(Some((self.take(index(len))?, false, len)))
    }

    #[cold]
    fn chunked_binary(&mut self, head: usize, limits: &Limits) -> Result<Content<'a>, DecodeError> {
        self.at = head;
        let mut total = 0u32;
        loop {
            let start = self.at;
            let tag = self.u8()?;
            let (len, last) = binary_head(self, tag)?.ok_or(DecodeError {
                kind: DecodeErrorKind::Expected {
                    expected: Wanted::BinaryPiece,
                    tag,
                },
                offset: start,
            })?;
            total = total.saturating_add(len);
            if total > limits.string_len {
                return Err(DecodeError::limit(Limit::StringLen, head));
            }
            self.take(index(len))?;
            if last {
                let raw = self.input.get(head..self.at).unwrap_or_default();
                return Ok((raw, true, total));
            }
        }
    }
}

/// Whether all bytes are ASCII.
#[inline(always)]
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    match bytes.len() {
        0..=32 => is_short_ascii(bytes),
        _ => bytes.is_ascii(),
    }
}

/// Whether all of at most 32 bytes are ASCII: nearly all names and values, for which the standard library's loop is not made.
#[inline(always)]
pub(crate) fn is_short_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const HIGH_WIDE: u128 = 0x8080_8080_8080_8080_8080_8080_8080_8080;
    if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
        return (u128::from_ne_bytes(*first) | u128::from_ne_bytes(*last)) & HIGH_WIDE == 0;
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return (u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last)) & HIGH == 0;
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return (u32::from_ne_bytes(*first) | u32::from_ne_bytes(*last)) & 0x8080_8080 == 0;
    }
    bytes.iter().fold(0, |all, byte| all | byte) < 0x80
}

/// The head of a binary piece: its length, and whether it is the last.
pub(crate) fn binary_head(cursor: &mut Cursor<'_>, tag: u8) -> Result<Option<(u32, bool)>, DecodeError> {
    Ok(Some(match tag {
        0x20..=0x2f => (u32::from(tag & 0x0f), true),
        0x34..=0x37 => ((u32::from(tag & 3) << 8) | u32::from(cursor.u8()?), true),
        0x42 => (u32::from(u16::from_be_bytes(cursor.array()?)), true),
        0x41 => (u32::from(u16::from_be_bytes(cursor.array()?)), false),
        _ => return Ok(None),
    }))
}

/// The next piece of a string that was checked before: its content. `ascii`: all of it is.
pub(crate) fn checked_piece<'a>(cursor: &mut Cursor<'a>, ascii: bool) -> Option<&'a [u8]> {
    let tag = cursor.u8().ok()?;
    let (units, _) = cursor.string_head(tag).ok()??;
    if ascii {
        return cursor.take(index(units)).ok();
    }
    Some(cursor.units(units).ok()?.0)
}

/// The next `units` UTF-16 units, when there are many and they are plain UTF-8 without characters of two units: then a
/// unit is a byte that begins a character, and whole blocks of those can be counted, and checked, at once.
fn plain_utf8(rest: &[u8], units: usize) -> Option<&[u8]> {
    const BLOCK: usize = 64;
    if units < BLOCK {
        return None;
    }
    let begins = |byte: &u8| byte & 0xc0 != 0x80;
    let (mut left, mut at) = (units, 0usize);
    // A byte begins one unit at most, so the last unit begins behind the blocks that are counted.
    for block in rest.chunks_exact(BLOCK) {
        if left <= BLOCK {
            break;
        }
        let (mut count, mut two_units) = (0u8, 0u8);
        for byte in block {
            count = count.wrapping_add(u8::from(begins(byte)));
            two_units |= u8::from(*byte >= 0xf0);
        }
        if two_units != 0 {
            return None;
        }
        left = left.wrapping_sub(usize::from(count));
        at = at.wrapping_add(BLOCK);
    }
    // The rest of the character that the last block cut, and the units left. What the last one's first byte asks for is
    // taken and nothing looked at behind it: small ints look like the middle of a character, and there may be millions.
    let mut len = 0usize;
    for (index, byte) in rest.get(at..)?.iter().take(3 * BLOCK + 2).enumerate() {
        if begins(byte) {
            left = left.wrapping_sub(1);
            len = index.wrapping_add(match byte {
                0x00..=0x7f => 1,
                0x80..=0xdf => 2,
                0xe0..=0xef => 3,
                _ => return None,
            });
            if left == 0 {
                break;
            }
        }
    }
    let raw = rest.get(..at.wrapping_add(len))?;
    (left == 0 && simdutf8::basic::from_utf8(raw).is_ok()).then_some(raw)
}

/// How many bytes `units` UTF-16 units take at the start of `rest`, and what they are. The error names the offset of the
/// offending byte, and the byte (`None`: the text is cut short).
fn scan_wide(rest: &[u8], units: usize) -> Result<(usize, TextForm), (usize, Option<u8>)> {
    let mut bytes = rest.iter();
    let mut form = TextForm::Utf8;
    let offset = |bytes: &std::slice::Iter<'_, u8>| rest.len().saturating_sub(bytes.len());
    let mut left = units;
    while left > 0 {
        let Some(&lead) = bytes.next() else {
            return Err((rest.len(), None));
        };
        match lead {
            0x00..=0x7f => {}
            0xc2..=0xdf => match bytes.next() {
                Some(0x80..=0xbf) => {}
                Some(byte) => return Err((offset(&bytes).saturating_sub(1), Some(*byte))),
                None => return Err((rest.len(), None)),
            },
            0xe0..=0xef => {
                let (Some(&second), third) = (bytes.next(), bytes.next()) else {
                    return Err((rest.len(), None));
                };
                // e0 80..9f would be a longer form than needed.
                if second & 0xc0 != 0x80 || (lead == 0xe0 && second < 0xa0) {
                    return Err((offset(&bytes).saturating_sub(2), Some(second)));
                }
                match third {
                    Some(0x80..=0xbf) => {}
                    Some(byte) => return Err((offset(&bytes).saturating_sub(1), Some(*byte))),
                    None => return Err((rest.len(), None)),
                }
                if lead == 0xed && second >= 0xa0 {
                    form = TextForm::Surrogates;
                }
            }
            byte => return Err((offset(&bytes).saturating_sub(1), Some(byte))),
        }
        left = left.wrapping_sub(1);
    }
    Ok((offset(&bytes), form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_before_small_ints() {
        for last in ["\u{e9}", "\u{4e2d}", "a"] {
            for units in [64usize, 65, 100, 128, 129, 200] {
                let mut text = "\u{e9}".repeat(units - 1).into_bytes();
                text.extend_from_slice(last.as_bytes());
                let len = text.len();
                text.resize(len + 1000, 0x90);
                let taken = plain_utf8(&text, units).map(<[u8]>::len);
                assert_eq!(taken, Some(len), "{units} with {last}");
            }
        }
    }

    /// What counts whole blocks says the same as what looks at each byte, or leaves it to that.
    #[test]
    fn blocks_are_counted_as_bytes_are() {
        let pieces: [&[u8]; 9] = [
            b"a",
            b"plain ascii of some length, longer than a block when it is repeated ",
            "\u{e9}".as_bytes(),
            "\u{4e2d}\u{6587}".as_bytes(),
            "\u{ffff}".as_bytes(),
            &[0xed, 0xa0, 0xbd],
            "\u{1f600}".as_bytes(),
            &[0xe0, 0x80, 0x80],
            &[0xc3],
        ];
        let mut seed = 7u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(seed >> 33).unwrap() % below
        };
        let mut taken = 0;
        for _ in 0..2000 {
            // Mostly the sound pieces.
            let kinds = if next(4) == 0 { pieces.len() } else { 5 };
            let text: Vec<u8> = (0..next(60)).flat_map(|_| pieces[next(kinds)].to_vec()).collect();
            for units in [0, 1, 63, 64, 65, 100, next(300), text.len()] {
                let bytes = scan_wide(&text, units);
                if let Some(raw) = plain_utf8(&text, units) {
                    assert_eq!(
                        bytes.unwrap(),
                        (raw.len(), TextForm::Utf8),
                        "{units} of {text:02x?}"
                    );
                    taken += 1;
                } else if units >= 64 && bytes == Ok((text.len(), TextForm::Utf8)) {
                    panic!("{units} of {text:02x?} left out");
                }
            }
        }
        assert!(taken > 500, "{taken}");
    }
}
