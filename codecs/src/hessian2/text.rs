//! Java text and binary as they lie in a stream: borrowed, in one or more pieces.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU8;

use super::wire::{self, Cursor, Text, index, narrow};
use super::writer::append;

/// A Java string in a received stream: UTF-16 units, each in its own 1 to 3 bytes, in one or more pieces.
///
/// It may hold characters beyond U+FFFF as two surrogates of three bytes each, and lone surrogates.
#[derive(Clone, Copy)]
pub struct Str<'a>(pub(crate) Text<'a>);

impl<'a> Str<'a> {
    /// How many UTF-16 units it has: Java's `length()`.
    pub fn utf16_len(&self) -> usize {
        index(self.0.units())
    }

    /// Whether it has no units.
    pub fn is_empty(&self) -> bool {
        self.0.units() == 0
    }

    /// The text without a copy: when it lies in one piece and has no surrogate.
    #[inline]
    pub fn as_str(&self) -> Option<&'a str> {
        if !self.0.plain() {
            return None;
        }
        std::str::from_utf8(self.0.raw).ok()
    }

    /// The content when it lies in one piece, as received.
    #[inline]
    pub fn as_piece(&self) -> Option<&'a [u8]> {
        (!self.0.chunked()).then_some(self.0.raw)
    }

    /// The content without heads, piece after piece, as received.
    pub fn pieces(&self) -> Pieces<'a> {
        Pieces {
            cursor: Cursor::new(self.0.raw),
            chunked: self.0.chunked(),
            ascii: self.0.about.ascii(),
        }
    }

    /// The UTF-16 units.
    pub fn units(&self) -> Units<'a> {
        Units {
            pieces: self.pieces(),
            piece: [].iter(),
        }
    }

    /// Whether a surrogate stands without its partner, so that no Rust `str` can hold this text.
    pub fn has_lone_surrogate(&self) -> bool {
        self.0.surrogates() && char::decode_utf16(self.units()).any(|unit| unit.is_err())
    }

    /// The text, borrowed where possible. A lone surrogate becomes U+FFFD.
    pub fn to_cow(&self) -> Cow<'a, str> {
        match self.as_str() {
            Some(text) => Cow::Borrowed(text),
            None => {
                let mut utf8 = Vec::with_capacity(self.0.raw.len());
                self.write_utf8(&mut utf8);
                Cow::Owned(String::from_utf8(utf8).unwrap_or_default())
            }
        }
    }

    /// Appends the text as UTF-8 and says whether that was lossless: a lone surrogate becomes U+FFFD.
    pub fn write_utf8(&self, out: &mut Vec<u8>) -> bool {
        if !self.0.surrogates() {
            self.pieces().for_each(|piece| append(piece, out));
            return true;
        }
        let mut lossless = true;
        for unit in char::decode_utf16(self.units()) {
            lossless &= unit.is_ok();
            let char = unit.unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
        lossless
    }

    /// How many bytes [`write_utf8`](Self::write_utf8) appends.
    pub fn utf8_len(&self) -> usize {
        if self.0.plain() {
            return self.0.raw.len();
        }
        if self.0.about.ascii() {
            return self.utf16_len();
        }
        if self.0.surrogates() {
            return char::decode_utf16(self.units())
                .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER).len_utf8())
                .sum();
        }
        self.pieces().map(<[u8]>::len).sum()
    }

    /// The text with every unit kept.
    pub fn to_java_text(&self) -> JavaText {
        if self.0.plain() {
            return JavaText::from_plain(self.0.raw);
        }
        let mut wtf8 = Vec::with_capacity(self.0.raw.len());
        if !self.0.surrogates() {
            self.write_utf8(&mut wtf8);
        } else {
            for unit in char::decode_utf16(self.units()) {
                match unit {
                    Ok(char) => wtf8.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
                    Err(lone) => wtf8.extend_from_slice(&surrogate(lone.unpaired_surrogate())),
                }
            }
        }
        JavaText::from_wtf8(wtf8)
    }

    /// Whether the text is this one.
    #[inline]
    pub fn is(&self, text: &str) -> bool {
        if !self.0.plain() {
            return self.units().eq(text.encode_utf16());
        }
        self.0.raw == text.as_bytes()
    }
}

impl std::fmt::Debug for Str<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.to_cow(), f)
    }
}

impl PartialEq for Str<'_> {
    fn eq(&self, other: &Self) -> bool {
        if !self.0.chunked() && !other.0.chunked() {
            return self.0.raw == other.0.raw;
        }
        self.0.units() == other.0.units() && self.units().eq(other.units())
    }
}

/// A surrogate in three bytes.
fn surrogate(unit: u16) -> [u8; 3] {
    let [high, low] = unit.to_be_bytes();
    [
        0xe0 | (high >> 4),
        0x80 | ((high & 0x0f) << 2) | (low >> 6),
        0x80 | (low & 0x3f),
    ]
}

/// The pieces of a [`Str`].
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    cursor: Cursor<'a>,
    chunked: bool,
    ascii: bool,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.cursor.remaining() == 0 {
            return None;
        }
        if self.chunked {
            return wire::checked_piece(&mut self.cursor, self.ascii);
        }
        self.cursor.take(self.cursor.remaining()).ok()
    }
}

/// The UTF-16 units of a [`Str`].
#[derive(Clone, Debug)]
pub struct Units<'a> {
    pieces: Pieces<'a>,
    piece: std::slice::Iter<'a, u8>,
}

impl Iterator for Units<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let lead = loop {
            if let Some(lead) = self.piece.next() {
                break u16::from(*lead);
            }
            self.piece = self.pieces.next()?.iter();
        };
        let mut tail = || u16::from(self.piece.next().copied().unwrap_or_default()) & 0x3f;
        Some(match lead {
            0x00..=0x7f => lead,
            0xc0..=0xdf => (lead & 0x1f) << 6 | tail(),
            _ => (lead & 0x0f) << 12 | tail() << 6 | tail(),
        })
    }
}

/// Binary content in a received stream, in one or more pieces.
#[derive(Clone, Copy)]
pub struct Binary<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) chunked: bool,
    pub(crate) len: u32,
}

impl<'a> Binary<'a> {
    /// Bytes of content.
    pub fn len(&self) -> usize {
        index(self.len)
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The content without a copy: when it lies in one piece.
    pub fn as_slice(&self) -> Option<&'a [u8]> {
        (!self.chunked).then_some(self.raw)
    }

    /// The content without heads, piece after piece.
    pub fn pieces(&self) -> BinaryPieces<'a> {
        BinaryPieces {
            cursor: Cursor::new(self.raw),
            chunked: self.chunked,
        }
    }

    /// The content, borrowed where possible.
    pub fn to_cow(&self) -> Cow<'a, [u8]> {
        match self.as_slice() {
            Some(bytes) => Cow::Borrowed(bytes),
            None => {
                let mut bytes = Vec::with_capacity(self.raw.len());
                self.pieces().for_each(|piece| bytes.extend_from_slice(piece));
                Cow::Owned(bytes)
            }
        }
    }
}

impl std::fmt::Debug for Binary<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Binary({} bytes)", self.len)
    }
}

impl PartialEq for Binary<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.to_cow() == other.to_cow()
    }
}

/// The pieces of a [`Binary`].
#[derive(Clone, Debug)]
pub struct BinaryPieces<'a> {
    cursor: Cursor<'a>,
    chunked: bool,
}

impl<'a> Iterator for BinaryPieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.cursor.remaining() == 0 {
            return None;
        }
        if !self.chunked {
            return self.cursor.take(self.cursor.remaining()).ok();
        }
        let tag = self.cursor.u8().ok()?;
        let (len, _) = wire::binary_head(&mut self.cursor, tag).ok()??;
        self.cursor.take(index(len)).ok()
    }
}

/// How much text needs no allocation.
const SHORT: usize = 23;

/// An owned Java string with every UTF-16 unit kept: UTF-8, but a lone surrogate stands in three bytes (WTF-8).
#[derive(Clone)]
pub struct JavaText(Stored);

/// Three words: the byte that says how long short text is says by its 0 that the text is long.
#[derive(Clone)]
enum Stored {
    Short {
        /// Its length and one.
        len: NonZeroU8,
        /// Zeros behind it.
        bytes: [u8; SHORT],
    },
    Long(Box<[u8]>),
}

const _: () = assert!(size_of::<JavaText>() == 24);

impl JavaText {
    /// Text without surrogates. What is short is put together in registers: copied byte by byte and then handed on, it
    /// would stall.
    #[inline(always)]
    pub(crate) fn from_plain(raw: &[u8]) -> Self {
        let len = raw.len();
        // Two loads, of which the second one overlaps the first.
        let mut high = 0u64;
        let low = match (raw.first_chunk::<8>(), raw.last_chunk::<8>()) {
            (Some(first), Some(last)) if len <= 16 => {
                let shift = narrow(len.wrapping_sub(8)).wrapping_mul(8);
                u128::from(u64::from_le_bytes(*first))
                    | u128::from(u64::from_le_bytes(*last)) << (shift & 127)
            }
            (Some(_), Some(last)) => match raw.first_chunk::<16>() {
                Some(first) if len <= SHORT => {
                    let shift = narrow(24usize.wrapping_sub(len)).wrapping_mul(8);
                    high = u64::from_le_bytes(*last) >> (shift & 63);
                    u128::from_le_bytes(*first)
                }
                _ => return Self(Stored::Long(raw.into())),
            },
            _ => match (raw.first_chunk::<4>(), raw.last_chunk::<4>()) {
                (Some(first), Some(last)) => {
                    let shift = narrow(len.wrapping_sub(4)).wrapping_mul(8);
                    u128::from(u32::from_le_bytes(*first))
                        | u128::from(u32::from_le_bytes(*last)) << (shift & 127)
                }
                _ => raw
                    .iter()
                    .rev()
                    .fold(0, |word, byte| word << 8 | u128::from(*byte)),
            },
        };
        let mut bytes = [0; SHORT];
        if let Some(start) = bytes.first_chunk_mut::<16>() {
            *start = low.to_le_bytes();
        }
        let [high @ .., _] = high.to_le_bytes();
        if let Some(end) = bytes.last_chunk_mut::<7>() {
            *end = high;
        }
        let len = NonZeroU8::MIN.saturating_add(narrow(len).to_le_bytes()[0]);
        Self(Stored::Short { len, bytes })
    }

    fn from_wtf8(wtf8: Vec<u8>) -> Self {
        match wtf8.len() {
            0..=SHORT => Self::from_plain(&wtf8),
            _ => Self(Stored::Long(wtf8.into())),
        }
    }

    /// The text of UTF-16 units.
    pub fn from_utf16(units: impl IntoIterator<Item = u16>) -> Self {
        let mut wtf8 = Vec::new();
        for unit in char::decode_utf16(units) {
            match unit {
                Ok(char) => wtf8.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(lone) => wtf8.extend_from_slice(&surrogate(lone.unpaired_surrogate())),
            }
        }
        Self::from_wtf8(wtf8)
    }

    /// The text, when it has no lone surrogate.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_wtf8()).ok()
    }

    /// UTF-8, but for lone surrogates.
    pub fn as_wtf8(&self) -> &[u8] {
        match &self.0 {
            Stored::Short { len, bytes } => {
                let len = usize::from(len.get()).wrapping_sub(1);
                bytes.get(..len).unwrap_or_default()
            }
            Stored::Long(bytes) => bytes,
        }
    }

    /// The text; a lone surrogate becomes U+FFFD.
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        match self.as_str() {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(
                char::decode_utf16(self.units())
                    .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect(),
            ),
        }
    }

    /// The UTF-16 units.
    pub fn units(&self) -> impl Iterator<Item = u16> + Clone + '_ {
        let mut bytes = self.as_wtf8().iter();
        let mut low = None;
        std::iter::from_fn(move || {
            if let Some(low) = low.take() {
                return Some(low);
            }
            let lead = u32::from(*bytes.next()?);
            let mut tail = || u32::from(bytes.next().copied().unwrap_or_default()) & 0x3f;
            let code = match lead {
                0x00..=0x7f => lead,
                0xc0..=0xdf => (lead & 0x1f) << 6 | tail(),
                0xe0..=0xef => (lead & 0x0f) << 12 | tail() << 6 | tail(),
                _ => (lead & 0x07) << 18 | tail() << 12 | tail() << 6 | tail(),
            };
            let Some(astral) = code.checked_sub(0x1_0000) else {
                return u16::try_from(code).ok();
            };
            low = u16::try_from(0xdc00 | (astral & 0x3ff)).ok();
            u16::try_from(0xd800 | (astral >> 10)).ok()
        })
    }
}

impl Default for JavaText {
    fn default() -> Self {
        Self::from_plain(&[])
    }
}

impl PartialEq for JavaText {
    fn eq(&self, other: &Self) -> bool {
        self.as_wtf8() == other.as_wtf8()
    }
}

impl Eq for JavaText {}

impl PartialOrd for JavaText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for JavaText {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_wtf8().cmp(other.as_wtf8())
    }
}

impl Hash for JavaText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_wtf8().hash(state);
    }
}

impl From<&str> for JavaText {
    fn from(text: &str) -> Self {
        Self::from_plain(text.as_bytes())
    }
}

impl From<String> for JavaText {
    fn from(text: String) -> Self {
        Self::from_wtf8(text.into_bytes())
    }
}

impl std::fmt::Debug for JavaText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.as_str() {
            Some(text) => std::fmt::Debug::fmt(text, f),
            None => write!(f, "{:?} (with lone surrogates)", self.to_str_lossy()),
        }
    }
}

impl std::fmt::Display for JavaText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_str_lossy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_every_short_length_is_kept() {
        let letters: Vec<u8> = (b'a'..=b'z').cycle().take(64).collect();
        for len in 0..=letters.len() {
            assert_eq!(JavaText::from_plain(&letters[..len]).as_wtf8(), &letters[..len]);
            let ascii = &letters[..len];
            assert!(wire::is_ascii(ascii));
            for place in 0..len {
                let mut other = ascii.to_vec();
                other[place] = 0x80;
                assert!(!wire::is_ascii(&other), "byte {place} of {len}");
            }
        }
    }
}
