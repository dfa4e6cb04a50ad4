//! A borrowed, depth-limited pull reader: one token at a time, without recursion.
//!
//! A container is a `…Start` token, its contents and an [`Token::End`]: elements of a list, key after value of a map, and
//! the field values of an object in the order of its class ([`Reader::class`]). A reference to a list, map or object is a
//! [`Token::Ref`]; [`Reader::enter`] reads the referenced value again in its place, with the tables as they were there.

mod containers;
mod run;

pub(crate) use run::Run;

use super::form::{Form, form_of};
use super::packed::{Kind, Packed};
use super::scratch::{Open, OpenKind, Return, Tables};
use super::wire::{Cursor, Text, TextForm, index, is_short_ascii, narrow};
use super::{
    Class, Counts, DecodeError, DecodeErrorKind, Limit, Limits, Scratch, Str, Token, TypeIndex, Wanted,
};

/// What a node costs of [`Limits::decoded_bytes`].
pub(crate) const NODE_BYTES: usize = 16;

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
        if let Some(text) = self.usual_text() {
            return Ok(Token::Str(text));
        }
        self.next_packed().token(self.cursor.input).ok_or(self.failure)
    }

    /// A short text of ASCII in a list or an object, when that comes next: the most frequent value, read where it is asked
    /// for. All else stays where it is.
    #[inline(always)]
    fn usual_text(&mut self) -> Option<Str<'a>> {
        let tag = *self.cursor.rest().first()?;
        if tag >= 0x20 || self.top.kind != OpenKind::Counted || self.nodes >= self.limits.nodes {
            return None;
        }
        let left = self.top.left.checked_sub(1)?;
        let (start, nodes) = (self.cursor.at.wrapping_add(1), self.nodes.wrapping_add(1));
        let (raw, content) = self.short_ascii(start, tag, nodes)?;
        self.cursor.at = start.wrapping_add(raw.len());
        self.top.left = left;
        self.nodes = nodes;
        self.content = content;
        Some(Str(Text::new(raw, u32::from(tag), TextForm::Ascii, false)))
    }

    /// The text of `tag` units at `start`, a byte each, and the content with it. `None` where it is more than that, or breaks
    /// a limit: [`other`](Self::other) tells.
    #[inline(always)]
    fn short_ascii(&self, start: usize, tag: u8, nodes: u32) -> Option<(&'a [u8], usize)> {
        let units = usize::from(tag);
        let raw = self.cursor.input.get(start..start.wrapping_add(units))?;
        let content = self.content.wrapping_add(units);
        let within = u32::from(tag) <= self.limits.string_len && !self.would_be_over(content, nodes);
        (within && is_short_ascii(raw)).then_some((raw, content))
    }

    /// The next token in two words.
    ///
    /// It calls nothing but in its last step, so that it needs no stack: a sixth of what a small value costs.
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
        let Some(&tag) = self.cursor.rest().first() else {
            return self.truncated(self.cursor.at);
        };
        self.cursor.at = self.cursor.at.wrapping_add(1);
        match form_of(tag) {
            Form::Text => self.short_text(tag),
            Form::Int1 => Packed::int(i32::from(tag).wrapping_sub(0x90)),
            Form::Int2 => {
                self.fixed(|[low]| Packed::int((i32::from(tag).wrapping_sub(0xc8) << 8) | i32::from(low)))
            }
            Form::Int3 => self.fixed(|low| {
                Packed::int((i32::from(tag).wrapping_sub(0xd4) << 16) | i32::from(u16::from_be_bytes(low)))
            }),
            Form::Int4 => self.fixed(|bytes| Packed::int(i32::from_be_bytes(bytes))),
            Form::Long1 => Packed::long(i64::from(tag).wrapping_sub(0xe0)),
            Form::Long2 => {
                self.fixed(|[low]| Packed::long((i64::from(tag).wrapping_sub(0xf8) << 8) | i64::from(low)))
            }
            Form::Long3 => self.fixed(|low| {
                Packed::long((i64::from(tag).wrapping_sub(0x3c) << 16) | i64::from(u16::from_be_bytes(low)))
            }),
            Form::Long4 => self.fixed(|bytes| Packed::long(i64::from(i32::from_be_bytes(bytes)))),
            Form::Long8 => self.fixed(|bytes| Packed::long(i64::from_be_bytes(bytes))),
            Form::Null => Packed::of(Kind::Null, 0),
            Form::True => Packed::of(Kind::Bool, 1),
            Form::False => Packed::of(Kind::Bool, 0),
            Form::Double0 => Packed::double(0.0),
            Form::Double1 => Packed::double(1.0),
            Form::DoubleByte => self.fixed(|byte| Packed::double(f64::from(i8::from_be_bytes(byte)))),
            Form::DoubleShort => self.fixed(|bytes| Packed::double(f64::from(i16::from_be_bytes(bytes)))),
            // Multiply, as hessian-lite does: 9 gives 0.009000000000000001.
            Form::DoubleMills => {
                self.fixed(|bytes| Packed::double(f64::from(i32::from_be_bytes(bytes)) * 0.001))
            }
            Form::Double8 => self.fixed(|bytes| Packed::double(f64::from_be_bytes(bytes))),
            Form::Date8 => self.fixed(|bytes| Packed::date(i64::from_be_bytes(bytes))),
            Form::DateMinutes => {
                self.fixed(|bytes| Packed::date(i64::from(i32::from_be_bytes(bytes)).wrapping_mul(60_000)))
            }
            Form::Object => self.object(self.tag_offset(), u32::from(tag & 0x0f)),
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

    /// A token of the next `N` bytes.
    #[inline(always)]
    fn fixed<const N: usize>(&mut self, token: impl FnOnce([u8; N]) -> Packed) -> Packed {
        match self.cursor.rest().first_chunk::<N>() {
            Some(bytes) => {
                self.cursor.at = self.cursor.at.wrapping_add(N);
                token(*bytes)
            }
            None => self.truncated(self.cursor.input.len()),
        }
    }

    /// A string of so many units; nearly always a byte each.
    #[inline(always)]
    fn short_text(&mut self, tag: u8) -> Packed {
        let start = self.cursor.at;
        match self.short_ascii(start, tag, self.nodes) {
            Some((raw, content)) => {
                self.cursor.at = start.wrapping_add(raw.len());
                self.content = content;
                Packed::ascii(start, raw.len())
            }
            None => self.other(tag),
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
                return Ok(self.object(self.tag_offset(), u32::from(tag & 0x0f)));
            }
        }
        match tag {
            0x00..=0x1f | 0x30..=0x33 | 0x52 | 0x53 => {
                let text = self.text(tag, Wanted::String)?;
                self.charge(text.raw.len())?;
                Ok(Packed::text(&text, self.cursor.at))
            }
            0x4f => {
                let offset = self.tag_offset();
                let class = self.cursor.count(Wanted::ClassIndex)?;
                Ok(self.object(offset, class))
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
        // Were the second word always 0, it would be set by the caller, which could not just jump here.
        Packed::of(Kind::End, u64::from(depth))
    }

    fn binary(&mut self, tag: u8) -> Result<Packed, DecodeError> {
        match self.cursor.binary_after(tag, &self.limits)? {
            Some((raw, chunked, len)) => {
                self.charge(raw.len())?;
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
        self.would_be_over(self.content, self.nodes)
    }

    #[inline(always)]
    fn would_be_over(&self, content: usize, nodes: u32) -> bool {
        // Neither can wrap: both are below 2^32 values of 2^32 bytes.
        let nodes = index(nodes).wrapping_mul(NODE_BYTES);
        content.wrapping_add(nodes) > self.limits.decoded_bytes
    }
}
