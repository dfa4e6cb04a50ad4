//! Writing values as every Dubbo peer reads them.

use smallvec::SmallVec;

use super::wire::{TextForm, is_ascii};
use super::{Counts, JavaText, Str};

/// UTF-16 units of one piece of a string; bytes of one piece of a binary.
const PIECE: usize = 0x8000;
/// How many type names are remembered for use by index.
const KNOWN_TYPES: usize = 64;

/// How a type name that was written before is written again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TypeNames {
    /// In full: always right. dubbo-go resolves indexes wrongly.
    #[default]
    Literal,
    /// By index, as Java does.
    Indexed,
}

/// How many bytes are copied at once.
const COPIED: usize = 1 << 10;

/// Appends bytes.
///
/// Above two KiB or so the C library copies by one instruction for strings, which takes ten times as long where source and
/// destination lie badly within their pages. So what is long goes in parts, which are copied by loads and stores.
#[inline]
pub(crate) fn append(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.len() <= COPIED {
        return out.extend_from_slice(bytes);
    }
    append_long(bytes, out);
}

#[inline(never)]
fn append_long(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len());
    for part in bytes.chunks(COPIED) {
        out.extend_from_slice(part);
    }
}

/// Appends the values of one stream to a buffer.
///
/// It keeps count of the three tables; it does not check that containers are closed or filled as announced: the caller
/// writes as many elements, and as many field values, as it said.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    next: Counts,
    names: TypeNames,
    types: Vec<(Box<[u8]>, u32)>,
    classes: SmallVec<[(usize, u32); 8]>,
}

impl<'o> Writer<'o> {
    /// A writer of a new stream, behind what `out` holds.
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        Self::continued(out, Counts::default(), TypeNames::Literal)
    }

    /// A writer that goes on in a stream whose tables hold `next` entries.
    pub fn continued(out: &'o mut Vec<u8>, next: Counts, names: TypeNames) -> Self {
        Self {
            out,
            next,
            names,
            types: Vec::new(),
            classes: SmallVec::new(),
        }
    }

    /// How many entries the tables hold.
    pub fn counts(&self) -> Counts {
        self.next
    }

    /// Bytes in the buffer, what stood there before included.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether the buffer is empty.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Appends bytes of the same stream that were written elsewhere and grow the tables by `adds`.
    ///
    /// They must mean the same here: see [`TableUse::may_move`](super::TableUse::may_move).
    pub fn slice(&mut self, bytes: &[u8], adds: Counts) {
        self.out.extend_from_slice(bytes);
        self.next = self.next.plus(adds);
    }

    /// `null`.
    pub fn null(&mut self) {
        self.out.push(0x4e);
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) {
        self.out.push(if value { 0x54 } else { 0x46 });
    }

    /// byte, short or int, in the shortest form.
    #[inline]
    #[allow(clippy::as_conversions, reason = "the range is matched before it is cut")]
    pub fn int(&mut self, value: i32) {
        let [_, b2, b1, b0] = value.to_be_bytes();
        match value {
            -16..=47 => self.out.push(value.wrapping_add(0x90) as u8),
            -2048..=2047 => self.out.extend_from_slice(&[0xc8u8.wrapping_add(b1), b0]),
            -262_144..=262_143 => self.out.extend_from_slice(&[0xd4u8.wrapping_add(b2), b1, b0]),
            _ => self.tagged(0x49, &value.to_be_bytes()),
        }
    }

    /// long, always in a long form.
    #[inline]
    #[allow(clippy::as_conversions, reason = "the range is matched before it is cut")]
    pub fn long(&mut self, value: i64) {
        let [.., b2, b1, b0] = value.to_be_bytes();
        match value {
            -8..=15 => self.out.push(value.wrapping_add(0xe0) as u8),
            -2048..=2047 => self.out.extend_from_slice(&[0xf8u8.wrapping_add(b1), b0]),
            -262_144..=262_143 => self.out.extend_from_slice(&[0x3cu8.wrapping_add(b2), b1, b0]),
            _ => match i32::try_from(value) {
                Ok(short) => self.tagged(0x59, &short.to_be_bytes()),
                Err(_) => self.tagged(0x4c, &value.to_be_bytes()),
            },
        }
    }

    /// float or double, in the shortest form that gives the same bits back. (Java writes −0.0 as 0.0; this keeps it.)
    #[inline]
    #[allow(
        clippy::as_conversions,
        reason = "casts saturate, and each result is compared with the value"
    )]
    pub fn double(&mut self, value: f64) {
        let same = |short: f64| short.to_bits() == value.to_bits();
        let whole = value as i16;
        if same(f64::from(whole)) {
            match (whole, i8::try_from(whole)) {
                (0, _) => self.out.push(0x5b),
                (1, _) => self.out.push(0x5c),
                (_, Ok(byte)) => self.tagged(0x5d, &byte.to_be_bytes()),
                _ => self.tagged(0x5e, &whole.to_be_bytes()),
            }
            return;
        }
        let mills = (value * 1000.0) as i32;
        if same(f64::from(mills) * 0.001) {
            self.tagged(0x5f, &mills.to_be_bytes());
        } else {
            self.tagged(0x44, &value.to_be_bytes());
        }
    }

    /// `java.util.Date`: milliseconds since the epoch.
    pub fn date(&mut self, millis: i64) {
        let minutes = millis.checked_rem(60_000) == Some(0);
        match i32::try_from(millis.wrapping_div(60_000)) {
            Ok(count) if minutes => self.tagged(0x4b, &count.to_be_bytes()),
            _ => self.tagged(0x4a, &millis.to_be_bytes()),
        }
    }

    /// Text.
    #[inline]
    pub fn string(&mut self, text: &str) {
        self.wtf8(text.as_bytes());
    }

    /// Text with its lone surrogates.
    pub fn java_text(&mut self, text: &JavaText) {
        self.wtf8(text.as_wtf8());
    }

    /// Text as it lies in another stream.
    pub fn str(&mut self, text: Str<'_>) {
        let text = text.0;
        match u16::try_from(text.units()) {
            Ok(units) if !text.chunked() => {
                self.string_head(units);
                self.out.extend_from_slice(text.raw);
            }
            _ if text.chunked() => self.out.extend_from_slice(text.raw),
            // No single piece is longer than 65,535 units.
            _ => self.wtf8(text.raw),
        }
    }

    fn wtf8(&mut self, text: &[u8]) {
        if is_ascii(text) {
            self.ascii(text);
        } else {
            self.long_text(text);
        }
    }

    /// Text that is ASCII: a unit is a byte.
    #[inline]
    pub(crate) fn ascii(&mut self, mut text: &[u8]) {
        while let Some((piece, rest)) = text.split_at_checked(PIECE)
            && !rest.is_empty()
        {
            self.tagged(0x52, &u16::try_from(PIECE).unwrap_or_default().to_be_bytes());
            append(piece, self.out);
            text = rest;
        }
        self.string_head(u16::try_from(text.len()).unwrap_or_default());
        append(text, self.out);
    }

    fn long_text(&mut self, mut text: &[u8]) {
        loop {
            let (bytes, units, form) = measure(text, PIECE);
            let (piece, rest) = text.split_at_checked(bytes).unwrap_or((text, &[]));
            let last = rest.is_empty();
            let units = u16::try_from(units).unwrap_or_default();
            if last {
                self.string_head(units);
            } else {
                self.tagged(0x52, &units.to_be_bytes());
            }
            if form == TextForm::Surrogates {
                self.cesu8(piece);
            } else {
                append(piece, self.out);
            }
            if last {
                return;
            }
            text = rest;
        }
    }

    /// Text with characters beyond U+FFFF, each as two surrogates.
    fn cesu8(&mut self, text: &[u8]) {
        let mut bytes = text;
        while let Some((&lead, rest)) = bytes.split_first() {
            let len = match lead {
                0x00..=0x7f => 1,
                0x80..=0xdf => 2,
                0xe0..=0xef => 3,
                _ => {
                    let mut code = u32::from(lead & 7);
                    for byte in rest.iter().take(3) {
                        code = code << 6 | u32::from(byte & 0x3f);
                    }
                    let astral = code.saturating_sub(0x1_0000);
                    for unit in [0xd800 | (astral >> 10) & 0x3ff, 0xdc00 | astral & 0x3ff] {
                        let [.., high, low] = unit.to_be_bytes();
                        self.out.extend_from_slice(&[
                            0xe0 | (high >> 4),
                            0x80 | ((high & 0x0f) << 2) | (low >> 6),
                            0x80 | (low & 0x3f),
                        ]);
                    }
                    bytes = bytes.get(4..).unwrap_or_default();
                    continue;
                }
            };
            let (char, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
            self.out.extend_from_slice(char);
            bytes = rest;
        }
    }

    #[inline]
    fn string_head(&mut self, units: u16) {
        let [high, low] = units.to_be_bytes();
        match units {
            0..=31 => self.out.push(low),
            32..=1023 => self.out.extend_from_slice(&[0x30 | high, low]),
            _ => self.out.extend_from_slice(&[0x53, high, low]),
        }
    }

    /// `byte[]`.
    pub fn binary(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((piece, more)) = rest.split_at_checked(PIECE)
            && !more.is_empty()
        {
            self.tagged(0x41, &u16::try_from(PIECE).unwrap_or_default().to_be_bytes());
            append(piece, self.out);
            rest = more;
        }
        let len = u16::try_from(rest.len()).unwrap_or_default();
        let [high, low] = len.to_be_bytes();
        match len {
            0..=15 => self.out.push(0x20 | low),
            16..=1023 => self.out.extend_from_slice(&[0x34 | high, low]),
            _ => self.out.extend_from_slice(&[0x42, high, low]),
        }
        append(rest, self.out);
    }

    /// Begins a list of `len` elements and gives its reference number. No end mark follows.
    pub fn begin_list(&mut self, type_name: Option<&str>, len: usize) -> u32 {
        self.list_head(len, type_name.map(TypeName::Utf8))
    }

    /// Begins a list of `len` elements whose type name lies in another stream.
    pub fn begin_list_as(&mut self, type_name: Option<Str<'_>>, len: usize) -> u32 {
        self.list_head(len, type_name.map(TypeName::Wire))
    }

    /// Begins a list of `len` elements of this type name.
    pub(crate) fn begin_java_list(&mut self, type_name: &JavaText, len: usize) -> u32 {
        self.list_head(len, Some(TypeName::Java(type_name)))
    }

    /// Begins a map of this class.
    pub(crate) fn begin_java_map(&mut self, type_name: &JavaText) -> u32 {
        self.map_head(Some(TypeName::Java(type_name)))
    }

    fn list_head(&mut self, len: usize, type_name: Option<TypeName<'_>>) -> u32 {
        let len = i32::try_from(len).unwrap_or(i32::MAX);
        let short = u8::try_from(len).ok().filter(|len| *len <= 7);
        match (type_name, short) {
            (Some(name), Some(len)) => {
                self.out.push(0x70 | len);
                self.type_name(name);
            }
            (None, Some(len)) => self.out.push(0x78 | len),
            (Some(name), None) => {
                self.out.push(0x56);
                self.type_name(name);
                self.int(len);
            }
            (None, None) => {
                self.out.push(0x58);
                self.int(len);
            }
        }
        self.counted()
    }

    /// Begins a list that [`end`](Self::end) ends. Several Java releases cannot read it: only to hand on
    /// what was received so.
    pub(crate) fn begin_variable_list(&mut self, type_name: Option<Str<'_>>) -> u32 {
        match type_name {
            Some(name) => {
                self.out.push(0x55);
                self.type_name(TypeName::Wire(name));
            }
            None => self.out.push(0x57),
        }
        self.counted()
    }

    /// Begins a map and gives its reference number: key, value, …, [`end`](Self::end) follow.
    pub fn begin_map(&mut self, type_name: Option<&str>) -> u32 {
        self.map_head(type_name.map(TypeName::Utf8))
    }

    /// Begins a map whose type name lies in another stream.
    pub fn begin_map_as(&mut self, type_name: Option<Str<'_>>) -> u32 {
        self.map_head(type_name.map(TypeName::Wire))
    }

    fn map_head(&mut self, type_name: Option<TypeName<'_>>) -> u32 {
        match type_name {
            Some(name) => {
                self.out.push(0x4d);
                self.type_name(name);
            }
            None => self.out.push(0x48),
        }
        self.counted()
    }

    /// Ends a map.
    pub fn end(&mut self) {
        self.out.push(0x5a);
    }

    /// Defines a class and gives its number. An instance of it must follow at once.
    pub fn define_class<'n>(
        &mut self,
        name: &str,
        fields: impl IntoIterator<Item = &'n str, IntoIter: ExactSizeIterator>,
    ) -> u32 {
        let fields = fields.into_iter();
        self.begin_class(fields.len(), |writer| writer.string(name));
        fields.for_each(|field| self.string(field));
        self.next.classes.saturating_sub(1)
    }

    /// Begins the definition of a class: its name by `name`, then the caller writes `fields` strings.
    pub(crate) fn begin_class(&mut self, fields: usize, name: impl FnOnce(&mut Self)) -> u32 {
        self.out.push(0x43);
        name(self);
        self.int(i32::try_from(fields).unwrap_or(i32::MAX));
        let class = self.next.classes;
        self.next.classes = class.saturating_add(1);
        class
    }

    /// Begins an instance of a defined class and gives its reference number: the field values follow in order, no end
    /// mark.
    pub fn begin_object(&mut self, class: u32) -> u32 {
        match u8::try_from(class) {
            Ok(class @ 0..=15) => self.out.push(0x60 | class),
            _ => {
                self.out.push(0x4f);
                self.int(i32::try_from(class).unwrap_or(i32::MAX));
            }
        }
        self.counted()
    }

    /// Begins an instance of the class that the caller knows by `key`, defining it at its first use in this stream.
    pub fn begin_object_of<'n>(
        &mut self,
        key: usize,
        name: &str,
        fields: impl IntoIterator<Item = &'n str, IntoIter: ExactSizeIterator>,
    ) -> u32 {
        let known = self.classes.iter().find(|(known, _)| *known == key);
        let class = match known {
            Some((_, class)) => *class,
            None => {
                let class = self.define_class(name, fields);
                self.classes.push((key, class));
                class
            }
        };
        self.begin_object(class)
    }

    /// A list, map or object of this stream once more.
    pub fn reference(&mut self, reference: u32) {
        self.out.push(0x51);
        self.int(i32::try_from(reference).unwrap_or(i32::MAX));
    }

    #[inline]
    fn counted(&mut self) -> u32 {
        let reference = self.next.references;
        self.next.references = reference.saturating_add(1);
        reference
    }

    fn type_name(&mut self, name: TypeName<'_>) {
        if self.names == TypeNames::Indexed {
            let text = match name {
                TypeName::Utf8(text) => std::borrow::Cow::Borrowed(text),
                TypeName::Wire(text) => text.to_cow(),
                TypeName::Java(text) => text.to_str_lossy(),
            };
            if let Some((_, known)) = self.types.iter().find(|(known, _)| **known == *text.as_bytes()) {
                let known = i32::try_from(*known).unwrap_or(i32::MAX);
                return self.int(known);
            }
            if self.types.len() < KNOWN_TYPES {
                self.types.push((text.as_bytes().into(), self.next.types));
            }
        }
        match name {
            TypeName::Utf8(text) => self.string(text),
            TypeName::Wire(text) => self.str(text),
            TypeName::Java(text) => self.java_text(text),
        }
        self.next.types = self.next.types.saturating_add(1);
    }

    #[inline]
    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.out.push(tag);
        self.out.extend_from_slice(bytes);
    }
}

/// A type name as the caller has it.
#[derive(Clone, Copy)]
enum TypeName<'a> {
    Utf8(&'a str),
    Wire(Str<'a>),
    Java(&'a JavaText),
}

/// How much of `text` (UTF-8, lone surrogates allowed) fills one piece of at most `max` units: bytes, units, and whether
/// it must be transcoded. A character of two units is never cut, nor is a high surrogate left at the end.
fn measure(text: &[u8], max: usize) -> (usize, usize, TextForm) {
    let (mut bytes, mut units, mut form) = (0usize, 0usize, TextForm::Utf8);
    let mut high = false;
    // Whole blocks, up to the first character of two units: a byte that goes on no other begins a unit. At least one unit is
    // left for the loop below, which looks at the last one.
    while let Some(block) = text.get(bytes..bytes.saturating_add(64))
        && units.saturating_add(64) < max
    {
        let (mut begun, mut two_units) = (0u8, 0u8);
        for byte in block {
            begun = begun.wrapping_add(u8::from(byte & 0xc0 != 0x80));
            two_units |= u8::from(*byte >= 0xf0);
        }
        if two_units != 0 {
            break;
        }
        bytes = bytes.saturating_add(64);
        units = units.saturating_add(usize::from(begun));
    }
    // The rest of a character that the last block cut.
    while text.get(bytes).is_some_and(|byte| byte & 0xc0 == 0x80) {
        bytes = bytes.saturating_add(1);
    }
    while let Some(&lead) = text.get(bytes) {
        let (len, more) = match lead {
            0x00..=0x7f => (1, 1),
            0x80..=0xdf => (2, 1),
            0xe0..=0xef => (3, 1),
            _ => (4, 2),
        };
        let after = units.saturating_add(more);
        if after > max {
            if high {
                // Java moves a high surrogate at the end of a piece into the next one.
                return (bytes.saturating_sub(3), units.saturating_sub(1), form);
            }
            break;
        }
        if more == 2 {
            form = TextForm::Surrogates;
        }
        high = lead == 0xed
            && text
                .get(bytes.saturating_add(1))
                .is_some_and(|b| (0xa0..0xb0).contains(b));
        bytes = bytes.saturating_add(len);
        units = after;
    }
    (bytes.min(text.len()), units, form)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What counts whole blocks says the same as what looks at each character.
    #[test]
    fn pieces_are_measured_as_characters_are() {
        let pieces = [
            "a",
            "plain ascii of some length, longer than a block when it is repeated ",
            "\u{e9}",
            "\u{4e2d}\u{6587}",
            "\u{1f600}",
        ];
        let mut seed = 11u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(seed >> 33).unwrap() % below
        };
        for _ in 0..2000 {
            let kinds = 4 + usize::from(next(3) == 0) + usize::from(next(4) == 0);
            let mut text = Vec::new();
            for _ in 0..next(120) {
                let piece = pieces
                    .get(next(kinds))
                    .map_or(&[0xed, 0xa0, 0xbd][..], |text| text.as_bytes());
                text.extend_from_slice(piece);
            }
            for max in [1, 2, 63, 64, 65, 66, 128, 129, 200, text.len().max(1)] {
                assert_eq!(
                    measure(&text, max),
                    by_character(&text, max),
                    "{max} of {text:02x?}"
                );
            }
        }
    }

    #[allow(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
    fn by_character(text: &[u8], max: usize) -> (usize, usize, TextForm) {
        let (mut bytes, mut units, mut form) = (0, 0, TextForm::Utf8);
        let mut high = false;
        while let Some(lead) = text.get(bytes) {
            let (len, more) = match lead {
                0x00..=0x7f => (1, 1),
                0x80..=0xdf => (2, 1),
                0xe0..=0xef => (3, 1),
                _ => (4, 2),
            };
            if units + more > max {
                return match high {
                    true => (bytes - 3, units - 1, form),
                    false => (bytes, units, form),
                };
            }
            if more == 2 {
                form = TextForm::Surrogates;
            }
            high = *lead == 0xed && (0xa0..0xb0).contains(&text[bytes + 1]);
            bytes += len;
            units += more;
        }
        (bytes, units, form)
    }
}
