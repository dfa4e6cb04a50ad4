//! A borrowed, depth-limited pull reader: one token at a time, without recursion.
//!
//! A container is a `…Start` token, its contents and an [`Token::End`]: elements of a list, key after value of a map, and
//! the field values of an object in the order of its class ([`Reader::class`]). A reference to a list, map or object is a
//! [`Token::Ref`]; [`Reader::enter`] reads the referenced value again in its place, with the tables as they were there.

use std::num::NonZeroU32;

use super::packed::{Kind, Packed};
use super::scratch::{ClassEntry, Open, OpenKind, ReferenceEntry, Return, Span, Tables};
use super::wire::{Cursor, Text, index, is_ascii, narrow};
use super::{Binary, Counts, DecodeError, DecodeErrorKind, Limit, Limits, Scratch, Str, Wanted};

/// What a node costs of [`Limits::decoded_bytes`].
pub(crate) const NODE_BYTES: usize = 16;

/// One step through a stream.
///
/// Four words: it is handed on once for every value, so nothing larger stands in it by value.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u64)]
pub enum Token<'a> {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// byte, short or int.
    Int(i32),
    /// long.
    Long(i64),
    /// float or double.
    Double(f64),
    /// `java.util.Date`: milliseconds since the epoch.
    Date(i64),
    /// String, char or `char[]`.
    Str(Str<'a>),
    /// `byte[]`.
    Binary(Binary<'a>),
    /// A list or an array begins.
    ListStart {
        /// Its number in the reference table.
        reference: u32,
        /// Its type, `[int` or a Java class, for [`Reader::type_name`]; `None` for a plain list.
        type_index: Option<TypeIndex>,
        /// How many elements follow; `None` when it ends with a mark.
        len: Option<u32>,
    },
    /// A map begins.
    MapStart {
        /// Its number in the reference table.
        reference: u32,
        /// Its Java class, for [`Reader::type_name`]; `None` for a plain map.
        type_index: Option<TypeIndex>,
    },
    /// An object begins.
    ObjectStart {
        /// Its number in the reference table.
        reference: u32,
        /// Its class, for [`Reader::class`].
        class: u32,
    },
    /// A list, map or object met before.
    Ref(u32),
    /// The innermost open list, map or object ends.
    End,
}

/// A place in the stream's table of type names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeIndex(NonZeroU32);

impl TypeIndex {
    fn new(index: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(index))
    }

    /// 0 for none.
    pub(crate) fn pack(of: Option<Self>) -> u32 {
        of.map_or(0, |of| of.0.get())
    }

    pub(crate) fn unpack(packed: u32) -> Option<Self> {
        NonZeroU32::new(packed).map(Self)
    }

    /// Counted from 0.
    pub fn get(self) -> u32 {
        self.0.get().wrapping_sub(1)
    }
}

/// A class definition of the stream.
#[derive(Clone, Copy, Debug)]
pub struct Class<'t, 'a> {
    input: &'a [u8],
    name: Span,
    fields: &'t [Span],
    end: u32,
}

impl<'t, 'a> Class<'t, 'a> {
    /// The Java class name.
    pub fn name(&self) -> Str<'a> {
        Str(self.name.text(self.input))
    }

    /// The definition as it came, from the first byte of the name to the last of the field names.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.input
            .get(index(self.name.start)..index(self.end))
            .unwrap_or_default()
    }

    /// How many fields it has.
    pub fn field_count(&self) -> usize {
        self.fields.len()
    }

    /// The name of the field at this position.
    pub fn field(&self, position: usize) -> Option<Str<'a>> {
        Some(Str(self.fields.get(position)?.text(self.input)))
    }

    /// The names of the fields in order.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Str<'a>> + use<'t, 'a> {
        let input = self.input;
        self.fields.iter().map(move |field| Str(field.text(input)))
    }
}

/// How a value is written, as its first byte tells: the forms that [`Reader::next_packed`] reads itself, and all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Int1,
    Int2,
    Int3,
    Int4,
    Long1,
    Long2,
    Long3,
    Long4,
    Long8,
    Null,
    True,
    False,
    Double0,
    Double1,
    DoubleByte,
    DoubleShort,
    DoubleMills,
    Double8,
    Date8,
    DateMinutes,
    Object,
    SmallList,
    Other,
}

/// One jump for each value: a `match` on ranges of tags would be a chain of comparisons.
static FORMS: [Form; 256] = forms();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "evaluated at compile time, where a wrong index does not build"
)]
const fn forms() -> [Form; 256] {
    let mut table = [Form::Other; 256];
    let mut tag = 0usize;
    while tag < 256 {
        table[tag] = match tag as u8 {
            0x00..=0x1f => Form::Text,
            0x80..=0xbf => Form::Int1,
            0xc0..=0xcf => Form::Int2,
            0xd0..=0xd7 => Form::Int3,
            0x49 => Form::Int4,
            0xd8..=0xef => Form::Long1,
            0xf0..=0xff => Form::Long2,
            0x38..=0x3f => Form::Long3,
            0x59 => Form::Long4,
            0x4c => Form::Long8,
            0x4e => Form::Null,
            0x54 => Form::True,
            0x46 => Form::False,
            0x5b => Form::Double0,
            0x5c => Form::Double1,
            0x5d => Form::DoubleByte,
            0x5e => Form::DoubleShort,
            0x5f => Form::DoubleMills,
            0x44 => Form::Double8,
            0x4a => Form::Date8,
            0x4b => Form::DateMinutes,
            0x60..=0x6f => Form::Object,
            0x78..=0x7f => Form::SmallList,
            _ => Form::Other,
        };
        tag += 1;
    }
    table
}

#[inline(always)]
fn form_of(tag: u8) -> Form {
    FORMS.get(usize::from(tag)).copied().unwrap_or(Form::Other)
}

/// A place in a stream to come back to with [`Reader::rewind`].
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    at: u32,
    next: Counts,
    depth: u32,
    entered: u32,
    top: Open,
}

/// The reader.
#[derive(Debug)]
pub struct Reader<'a, 's> {
    cursor: Cursor<'a>,
    tables: &'s mut Tables,
    limits: Limits,
    /// Entries of the tables that exist at this place; fewer than the tables hold while a value is read again.
    next: Counts,
    nodes: u32,
    /// Bytes of text and binary so far.
    content: usize,
    /// The innermost open container; those around it are in the tables.
    top: Open,
    /// At which depth reading goes on behind a reference; `u32::MAX` when no value is being read again.
    return_depth: u32,
    /// Why the last token could not be read.
    failure: DecodeError,
}

impl<'a, 's> Reader<'a, 's> {
    /// A reader of the stream `input`, which may hold several values one after another.
    pub fn new(input: &'a [u8], scratch: &'s mut Scratch, limits: &Limits) -> Self {
        Self::over(input, &mut scratch.tables, limits)
    }

    pub(crate) fn over(input: &'a [u8], tables: &'s mut Tables, limits: &Limits) -> Self {
        tables.clear();
        Self {
            // Offsets are kept in 32 bits.
            cursor: Cursor::new(input.get(..index(u32::MAX)).unwrap_or(input)),
            tables,
            limits: *limits,
            next: Counts::default(),
            nodes: 0,
            content: 0,
            top: Open::ROOT,
            return_depth: u32::MAX,
            failure: DecodeError::truncated(0),
        }
    }

    /// Where the next byte is read from.
    pub fn offset(&self) -> usize {
        self.cursor.at
    }

    /// How many lists, maps and objects are open. 0 means that a whole value has been read.
    pub fn depth(&self) -> usize {
        self.tables.open.len()
    }

    /// How many values have been read, re-reading included: the steps this reader has taken.
    pub fn nodes(&self) -> u32 {
        self.nodes
    }

    /// How many entries each table has at this place.
    pub fn counts(&self) -> Counts {
        self.next
    }

    /// A class by the number in [`Token::ObjectStart`]; `None` for a number that no token gave.
    pub fn class(&self, class: u32) -> Option<Class<'_, 'a>> {
        let entry = self.tables.classes.get(index(class))?;
        let first = index(entry.first_field);
        Some(Class {
            input: self.cursor.input,
            name: entry.name,
            end: entry.end,
            fields: self
                .tables
                .fields
                .get(first..first.saturating_add(index(entry.fields)))
                .unwrap_or_default(),
        })
    }

    /// The name of a list's or map's type.
    pub fn type_name(&self, type_index: TypeIndex) -> Option<Str<'a>> {
        let name = self.tables.types.get(index(type_index.get()))?;
        Some(Str(name.text(self.cursor.input)))
    }

    /// Where the list, map or object of this number begins in the stream.
    pub fn offset_of(&self, reference: u32) -> Option<usize> {
        Some(index(self.tables.references.get(index(reference))?.offset))
    }

    /// Whether the list, map or object of this number is open: a reference to it is a cycle.
    pub fn is_open(&self, reference: u32) -> bool {
        self.top.reference == reference || self.tables.open.iter().any(|open| open.reference == reference)
    }

    /// Reads the list, map or object of this number in the place of the [`Token::Ref`] just read: the next token is its
    /// start, and after its end reading goes on behind the reference. What is read again counts against the limits again.
    ///
    /// Refuses a number that has not begun, and one that is open (a cycle).
    pub fn enter(&mut self, reference: u32) -> Result<(), DecodeError> {
        if reference >= self.next.references {
            return Err(self.cursor.error(DecodeErrorKind::BadReference(reference)));
        }
        if self.is_open(reference) {
            return Err(self.cursor.error(DecodeErrorKind::Cycle(reference)));
        }
        let Some(&entry) = self.tables.references.get(index(reference)) else {
            return Err(self.cursor.error(DecodeErrorKind::BadReference(reference)));
        };
        self.return_depth = narrow(self.tables.open.len());
        self.tables.entered.push(Return {
            depth: self.return_depth,
            at: narrow(self.cursor.at),
            next: self.next,
        });
        self.cursor.at = index(entry.offset);
        self.next = Counts {
            classes: entry.classes,
            types: entry.types,
            references: reference,
        };
        // What comes next stands in the place of the reference: it is no further element.
        match &mut self.top {
            Open {
                kind: OpenKind::Counted,
                left,
                ..
            } => *left = left.saturating_add(1),
            Open {
                kind: kind @ OpenKind::MapKey,
                ..
            } => *kind = OpenKind::MapValue,
            Open {
                kind: kind @ OpenKind::MapValue,
                ..
            } => *kind = OpenKind::MapKey,
            _ => {}
        }
        Ok(())
    }

    /// This place, to read from it again.
    pub fn mark(&self) -> Mark {
        Mark {
            at: narrow(self.cursor.at),
            next: self.next,
            depth: narrow(self.tables.open.len()),
            entered: narrow(self.tables.entered.len()),
            top: self.top,
        }
    }

    /// Goes back to a place in a container that is still open. `false`, and nothing happens, when it has ended.
    #[must_use]
    pub fn rewind(&mut self, mark: &Mark) -> bool {
        let depth = index(mark.depth);
        let there = match self.tables.open.len() == depth {
            true => Some(self.top),
            false => self.tables.open.get(depth).copied(),
        };
        let same = there.is_some_and(|there| there.reference == mark.top.reference);
        if !same || self.tables.entered.len() < index(mark.entered) {
            return false;
        }
        self.tables.open.truncate(depth);
        self.tables.entered.truncate(index(mark.entered));
        self.return_depth = self.tables.entered.last().map_or(u32::MAX, |back| back.depth);
        self.top = mark.top;
        self.cursor.at = index(mark.at);
        self.next = mark.next;
        true
    }

    /// The next token. At depth 0 it begins the stream's next value.
    #[inline]
    pub fn read(&mut self) -> Result<Token<'a>, DecodeError> {
        self.next_packed().token(self.cursor.input).ok_or(self.failure)
    }

    /// The next token in two words.
    #[inline(never)]
    pub(crate) fn next_packed(&mut self) -> Packed {
        if self.top.kind == OpenKind::Counted {
            match self.top.left.checked_sub(1) {
                Some(left) => self.top.left = left,
                None => return self.close(),
            }
        } else if let Some(token) = self.end_or_fault() {
            return token;
        }
        if self.nodes >= self.limits.nodes {
            return self.refuse(Limit::Nodes);
        }
        self.nodes = self.nodes.wrapping_add(1);
        let Some((tag, rest)) = self.cursor.rest().split_first() else {
            return self.truncated(self.cursor.at);
        };
        self.cursor.at = self.cursor.at.wrapping_add(1);
        let tag = *tag;
        match form_of(tag) {
            Form::Text => self.short_text(usize::from(tag), rest),
            Form::Int1 => Packed::int(i32::from(tag).wrapping_sub(0x90)),
            Form::Int2 => self.fixed(rest, |[low]| {
                Packed::int((i32::from(tag).wrapping_sub(0xc8) << 8) | i32::from(low))
            }),
            Form::Int3 => self.fixed(rest, |low| {
                Packed::int((i32::from(tag).wrapping_sub(0xd4) << 16) | i32::from(u16::from_be_bytes(low)))
            }),
            Form::Int4 => self.fixed(rest, |bytes| Packed::int(i32::from_be_bytes(bytes))),
            Form::Long1 => Packed::long(i64::from(tag).wrapping_sub(0xe0)),
            Form::Long2 => self.fixed(rest, |[low]| {
                Packed::long((i64::from(tag).wrapping_sub(0xf8) << 8) | i64::from(low))
            }),
            Form::Long3 => self.fixed(rest, |low| {
                Packed::long((i64::from(tag).wrapping_sub(0x3c) << 16) | i64::from(u16::from_be_bytes(low)))
            }),
            Form::Long4 => self.fixed(rest, |bytes| Packed::long(i64::from(i32::from_be_bytes(bytes)))),
            Form::Long8 => self.fixed(rest, |bytes| Packed::long(i64::from_be_bytes(bytes))),
            Form::Null => Packed::of(Kind::Null, 0),
            Form::True => Packed::of(Kind::Bool, 1),
            Form::False => Packed::of(Kind::Bool, 0),
            Form::Double0 => Packed::double(0.0),
            Form::Double1 => Packed::double(1.0),
            Form::DoubleByte => self.fixed(rest, |byte| Packed::double(f64::from(i8::from_be_bytes(byte)))),
            Form::DoubleShort => {
                self.fixed(rest, |bytes| Packed::double(f64::from(i16::from_be_bytes(bytes))))
            }
            // Multiply, as hessian-lite does: 9 gives 0.009000000000000001 (spec 8.2).
            Form::DoubleMills => self.fixed(rest, |bytes| {
                Packed::double(f64::from(i32::from_be_bytes(bytes)) * 0.001)
            }),
            Form::Double8 => self.fixed(rest, |bytes| Packed::double(f64::from_be_bytes(bytes))),
            Form::Date8 => self.fixed(rest, |bytes| Packed::date(i64::from_be_bytes(bytes))),
            Form::DateMinutes => self.fixed(rest, |bytes| {
                Packed::date(i64::from(i32::from_be_bytes(bytes)).wrapping_mul(60_000))
            }),
            Form::Object => self.object(self.here(), u32::from(tag & 0x0f)),
            Form::SmallList => self.small_list(u32::from(tag & 7)),
            Form::Other => self.other(tag),
        }
    }

    /// What comes next where no count is kept: the end of the open list or map, or a fault; `None` for a value.
    #[inline(always)]
    fn end_or_fault(&mut self) -> Option<Packed> {
        match self.top.kind {
            OpenKind::MapValue => {
                self.top.kind = OpenKind::MapKey;
                return None;
            }
            OpenKind::MapKey | OpenKind::Variable => {}
            OpenKind::Root | OpenKind::Counted => return self.before_root(),
        }
        match self.cursor.rest().first() {
            Some(0x5a) => {
                self.cursor.at = self.cursor.at.wrapping_add(1);
                Some(self.close())
            }
            Some(_) => {
                if self.top.kind == OpenKind::MapKey {
                    self.top.kind = OpenKind::MapValue;
                }
                None
            }
            None => Some(self.truncated(self.cursor.at)),
        }
    }

    /// The budget before a value of the stream's own level; what is inside it adds is checked as it is met, and at its end.
    #[cold]
    fn before_root(&mut self) -> Option<Packed> {
        let nodes = index(self.nodes.saturating_add(1)).saturating_mul(NODE_BYTES);
        let over = self.content.saturating_add(nodes) > self.limits.decoded_bytes;
        over.then(|| self.refuse(Limit::DecodedBytes))
    }

    /// A token of the next `N` bytes, which `rest` begins with.
    #[inline(always)]
    fn fixed<const N: usize>(&mut self, rest: &[u8], token: impl FnOnce([u8; N]) -> Packed) -> Packed {
        match rest.first_chunk::<N>() {
            Some(bytes) => {
                self.cursor.at = self.cursor.at.wrapping_add(N);
                token(*bytes)
            }
            None => self.truncated(self.cursor.input.len()),
        }
    }

    /// A string of so many units, which `rest` begins with; nearly always a byte each.
    #[inline(always)]
    fn short_text(&mut self, units: usize, rest: &[u8]) -> Packed {
        let start = self.cursor.at;
        match rest.get(..units) {
            Some(raw) if is_ascii(raw) && narrow(units) <= self.limits.string_len => {
                self.cursor.at = start.wrapping_add(units);
                self.content = self.content.wrapping_add(units);
                if self.over_budget() {
                    return self.refuse(Limit::DecodedBytes);
                }
                Packed::ascii(start, units)
            }
            _ => self.other(narrow(units).to_le_bytes()[0]),
        }
    }

    /// The value that starts with `tag`, which lies before the cursor, when it is of the rarer or longer forms.
    #[inline(never)]
    fn other(&mut self, tag: u8) -> Packed {
        match self.try_other(tag) {
            Ok(token) => token,
            Err(error) => self.fail(error),
        }
    }

    fn try_other(&mut self, mut tag: u8) -> Result<Packed, DecodeError> {
        if tag == 0x43 {
            while tag == 0x43 {
                self.class_definition()?;
                tag = self.cursor.u8()?;
            }
            if let 0x60..=0x6f = tag {
                return Ok(self.object(self.here(), u32::from(tag & 0x0f)));
            }
        }
        match tag {
            0x00..=0x1f | 0x30..=0x33 | 0x52 | 0x53 => {
                let text = self.text(tag, Wanted::String)?;
                self.charge(text.raw.len())?;
                Ok(Packed::text(&text, self.cursor.at))
            }
            0x4f => {
                let here = self.here();
                let class = self.cursor.count(Wanted::ClassIndex)?;
                Ok(self.object(here, class))
            }
            0x55..=0x58 | 0x70..=0x7f => self.list(tag),
            0x48 => self.map(false),
            0x4d => self.map(true),
            0x51 => {
                let reference = self.cursor.count(Wanted::ReferenceIndex)?;
                if reference >= self.next.references {
                    return Err(self.cursor.error(DecodeErrorKind::BadReference(reference)));
                }
                Ok(Packed::of(Kind::Ref, u64::from(reference)))
            }
            0x20..=0x2f | 0x34..=0x37 | 0x41 | 0x42 => self.binary(tag),
            // After a class definition any value may stand.
            _ => match form_of(tag) {
                Form::Other => Err(self.cursor.tag_error(tag)),
                _ => self.scalar(tag),
            },
        }
    }

    /// A scalar behind a class definition that nothing uses.
    #[cold]
    fn scalar(&mut self, tag: u8) -> Result<Packed, DecodeError> {
        let cursor = &mut self.cursor;
        if let Some(value) = cursor.int_after(tag)? {
            return Ok(Packed::int(value));
        }
        if let Some(value) = cursor.long_after(tag)? {
            return Ok(Packed::long(value));
        }
        if let Some(value) = cursor.double_after(tag)? {
            return Ok(Packed::double(value));
        }
        if let Some(millis) = cursor.date_after(tag)? {
            return Ok(Packed::date(millis));
        }
        match tag {
            0x4e => Ok(Packed::of(Kind::Null, 0)),
            0x54 => Ok(Packed::of(Kind::Bool, 1)),
            0x46 => Ok(Packed::of(Kind::Bool, 0)),
            _ => Err(self.cursor.tag_error(tag)),
        }
    }

    #[cold]
    fn fail(&mut self, error: DecodeError) -> Packed {
        self.failure = error;
        Packed::of(Kind::Failed, 0)
    }

    #[cold]
    fn truncated(&mut self, at: usize) -> Packed {
        self.fail(DecodeError::truncated(at))
    }

    #[cold]
    fn refuse(&mut self, limit: Limit) -> Packed {
        self.fail(DecodeError::limit(limit, self.cursor.at))
    }

    /// Why [`next_packed`](Self::next_packed) failed.
    #[cold]
    pub(crate) fn failure(&self) -> DecodeError {
        self.failure
    }

    /// Passes over the next value. Its definitions and references enter the tables.
    pub fn skip(&mut self) -> Result<(), DecodeError> {
        let depth = self.depth();
        self.read()?;
        self.skip_to(depth)
    }

    /// Passes over the rest of the innermost open list, map or object, its end included.
    pub fn skip_rest(&mut self) -> Result<(), DecodeError> {
        self.skip_to(self.depth().saturating_sub(1))
    }

    fn skip_to(&mut self, depth: usize) -> Result<(), DecodeError> {
        while self.depth() > depth {
            self.read()?;
        }
        Ok(())
    }

    #[inline(never)]
    fn close(&mut self) -> Packed {
        self.top = self.tables.open.pop().unwrap_or(Open::ROOT);
        let depth = narrow(self.tables.open.len());
        if depth == self.return_depth
            && let Some(back) = self.tables.entered.pop()
        {
            self.cursor.at = index(back.at);
            self.next = back.next;
            self.return_depth = self.tables.entered.last().map_or(u32::MAX, |back| back.depth);
        }
        if depth == 0 && self.over_budget() {
            return self.refuse(Limit::DecodedBytes);
        }
        Packed::of(Kind::End, 0)
    }

    fn binary(&mut self, tag: u8) -> Result<Packed, DecodeError> {
        match self.cursor.binary_after(tag, &self.limits)? {
            Some((raw, chunked, len)) => {
                self.charge(index(len))?;
                Ok(Packed::binary(raw, chunked, len, self.cursor.at))
            }
            None => Err(self.cursor.tag_error(tag)),
        }
    }

    #[inline]
    fn text(&mut self, tag: u8, expected: Wanted) -> Result<Text<'a>, DecodeError> {
        match self.cursor.string_after(tag, &self.limits)? {
            Some(text) => Ok(text),
            None => Err(DecodeError {
                kind: DecodeErrorKind::Expected { expected, tag },
                offset: self.cursor.at.saturating_sub(1),
            }),
        }
    }

    /// Counts content against the limit.
    #[inline]
    fn charge(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.content = self.content.saturating_add(bytes);
        match self.over_budget() {
            true => Err(DecodeError::limit(Limit::DecodedBytes, self.cursor.at)),
            false => Ok(()),
        }
    }

    #[inline(always)]
    fn over_budget(&self) -> bool {
        // Neither can wrap: both are below 2^32 values of 2^32 bytes.
        let nodes = index(self.nodes).wrapping_mul(NODE_BYTES);
        self.content.wrapping_add(nodes) > self.limits.decoded_bytes
    }

    #[inline]
    fn open(&mut self, entry: ReferenceEntry, kind: OpenKind, left: u32) -> Result<u32, DecodeError> {
        let offset = index(entry.offset);
        if narrow(self.tables.open.len()) >= self.limits.depth {
            return Err(DecodeError::limit(Limit::Depth, offset));
        }
        let reference = self.next.references;
        if reference >= self.limits.references {
            return Err(DecodeError::limit(Limit::References, offset));
        }
        if index(reference) >= self.tables.references.len() {
            self.tables.references.push(entry);
        }
        self.next.references = reference.wrapping_add(1);
        self.tables.open.push(self.top);
        self.top = Open {
            kind,
            left,
            reference,
        };
        Ok(reference)
    }

    /// The place whose first byte was just read, as the reference table keeps it.
    #[inline]
    fn here(&self) -> ReferenceEntry {
        ReferenceEntry {
            offset: narrow(self.cursor.at.wrapping_sub(1)),
            classes: self.next.classes,
            types: self.next.types,
        }
    }

    /// A plain list of up to seven elements.
    #[inline(never)]
    fn small_list(&mut self, len: u32) -> Packed {
        let here = self.here();
        if index(len) > self.cursor.remaining() {
            return self.truncated(index(here.offset));
        }
        match self.open(here, OpenKind::Counted, len) {
            Ok(reference) => Packed::list(reference, None, Some(len)),
            Err(error) => self.fail(error),
        }
    }

    fn list(&mut self, tag: u8) -> Result<Packed, DecodeError> {
        let here = self.here();
        let (typed, len) = match tag {
            0x70..=0x77 => (true, Some(u32::from(tag & 7))),
            0x78..=0x7f => (false, Some(u32::from(tag & 7))),
            0x55 | 0x56 => (true, None),
            _ => (false, None),
        };
        let type_index = if typed { Some(self.type_index()?) } else { None };
        let len = match tag {
            0x56 | 0x58 => Some(self.cursor.count(Wanted::ListLength)?),
            _ => len,
        };
        let kind = match len {
            // Every element takes a byte at least.
            Some(len) if index(len) > self.cursor.remaining() => {
                return Err(DecodeError::truncated(index(here.offset)));
            }
            Some(_) => OpenKind::Counted,
            None => OpenKind::Variable,
        };
        let reference = self.open(here, kind, len.unwrap_or_default())?;
        Ok(Packed::list(reference, type_index, len))
    }

    fn map(&mut self, typed: bool) -> Result<Packed, DecodeError> {
        let here = self.here();
        let type_index = if typed { Some(self.type_index()?) } else { None };
        let reference = self.open(here, OpenKind::MapKey, 0)?;
        Ok(Packed::map(reference, type_index))
    }

    #[inline(never)]
    fn object(&mut self, here: ReferenceEntry, class: u32) -> Packed {
        let known = self
            .tables
            .classes
            .get(index(class))
            .filter(|_| class < self.next.classes);
        let Some(&ClassEntry { fields, .. }) = known else {
            return self.fail(self.cursor.error(DecodeErrorKind::BadClass(class)));
        };
        match self.open(here, OpenKind::Counted, fields) {
            Ok(reference) => Packed::object(reference, class),
            Err(error) => self.fail(error),
        }
    }

    /// The type of a list or map: a literal, which enters the type table, or an index into it.
    fn type_index(&mut self) -> Result<TypeIndex, DecodeError> {
        let at = self.next.types;
        if let Some(known) = self.tables.types.get(index(at))
            && self
                .cursor
                .peek()
                .is_ok_and(|tag| matches!(tag, 0x00..=0x1f | 0x30..=0x33 | 0x52 | 0x53))
        {
            // Read again: the literal is in the table.
            self.cursor.at = known.end();
            self.next.types = at.saturating_add(1);
            return Ok(TypeIndex::new(at));
        }
        let tag = self.cursor.u8()?;
        if let Some(n) = self.cursor.int_after(tag)? {
            return match u32::try_from(n) {
                Ok(n) if n < at => Ok(TypeIndex::new(n)),
                Ok(n) => Err(self.cursor.error(DecodeErrorKind::BadType(n))),
                Err(_) => Err(self.cursor.error(DecodeErrorKind::Negative(n))),
            };
        }
        if at >= self.limits.types {
            return Err(DecodeError::limit(Limit::Types, self.cursor.at));
        }
        let text = self.text(tag, Wanted::TypeName)?;
        self.charge(text.raw.len())?;
        self.tables.types.push(Span::of(&text, self.cursor.at));
        self.next.types = at.saturating_add(1);
        Ok(TypeIndex::new(at))
    }

    #[cold]
    fn class_definition(&mut self) -> Result<(), DecodeError> {
        let class = self.next.classes;
        if let Some(known) = self.tables.classes.get(index(class)) {
            // Read again.
            self.cursor.at = index(known.end);
            self.next.classes = class.saturating_add(1);
            return Ok(());
        }
        if class >= self.limits.classes {
            return Err(DecodeError::limit(Limit::Classes, self.cursor.at));
        }
        let name = self.span(Wanted::ClassName)?;
        let fields = self.cursor.count(Wanted::FieldCount)?;
        let first_field = narrow(self.tables.fields.len());
        if fields > self.limits.class_fields || first_field.saturating_add(fields) > self.limits.fields {
            return Err(DecodeError::limit(Limit::Fields, self.cursor.at));
        }
        for _ in 0..fields {
            let field = self.span(Wanted::FieldName)?;
            self.tables.fields.push(field);
        }
        self.tables.classes.push(ClassEntry {
            name,
            first_field,
            fields,
            end: narrow(self.cursor.at),
        });
        self.next.classes = class.saturating_add(1);
        Ok(())
    }

    fn span(&mut self, expected: Wanted) -> Result<Span, DecodeError> {
        let tag = self.cursor.u8()?;
        let text = self.text(tag, expected)?;
        self.charge(text.raw.len())?;
        Ok(Span::of(&text, self.cursor.at))
    }
}
