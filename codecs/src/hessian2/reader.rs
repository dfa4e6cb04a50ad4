//! A borrowed, depth-limited pull reader: one token at a time, without recursion.
//!
//! A container is a `…Start` token, its contents and an [`Token::End`]: elements of a list, key after value of a map, and
//! the field values of an object in the order of its class ([`Reader::class`]). A reference to a list, map or object is a
//! [`Token::Ref`]; [`Reader::enter`] reads the referenced value again in its place, with the tables as they were there.

use super::scratch::{ClassEntry, Open, OpenKind, ReferenceEntry, Return, Span, Tables};
use super::wire::{Cursor, Text, index, narrow};
use super::{Binary, Counts, DecodeError, DecodeErrorKind, Limit, Limits, Scratch, Str};

/// What a node costs of [`Limits::decoded_bytes`].
pub(crate) const NODE_BYTES: usize = 16;

/// One step through a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
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
        /// Its type name, `[int` or a Java class; `None` for a plain list.
        type_name: Option<Str<'a>>,
        /// How many elements follow; `None` when it ends with a mark.
        len: Option<u32>,
    },
    /// A map begins.
    MapStart {
        /// Its number in the reference table.
        reference: u32,
        /// Its Java class; `None` for a plain map.
        type_name: Option<Str<'a>>,
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

/// A class definition of the stream.
#[derive(Clone, Copy, Debug)]
pub struct Class<'t, 'a> {
    input: &'a [u8],
    name: Span,
    fields: &'t [Span],
}

impl<'t, 'a> Class<'t, 'a> {
    /// The Java class name.
    pub fn name(&self) -> Str<'a> {
        Str(self.name.text(self.input))
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
            fields: self
                .tables
                .fields
                .get(first..first.saturating_add(index(entry.fields)))
                .unwrap_or_default(),
        })
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
        match self.top.kind {
            OpenKind::Root => {}
            OpenKind::Counted => match self.top.left.checked_sub(1) {
                Some(left) => self.top.left = left,
                None => return self.close(),
            },
            OpenKind::MapValue => self.top.kind = OpenKind::MapKey,
            OpenKind::MapKey => {
                if self.cursor.peek()? == 0x5a {
                    self.cursor.at = self.cursor.at.wrapping_add(1);
                    return self.close();
                }
                self.top.kind = OpenKind::MapValue;
            }
            OpenKind::Variable => {
                if self.cursor.peek()? == 0x5a {
                    self.cursor.at = self.cursor.at.wrapping_add(1);
                    return self.close();
                }
            }
        }
        self.value()
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

    fn close(&mut self) -> Result<Token<'a>, DecodeError> {
        self.top = self.tables.open.pop().unwrap_or(Open::ROOT);
        let depth = narrow(self.tables.open.len());
        if depth == self.return_depth
            && let Some(back) = self.tables.entered.pop()
        {
            self.cursor.at = index(back.at);
            self.next = back.next;
            self.return_depth = self.tables.entered.last().map_or(u32::MAX, |back| back.depth);
        }
        if depth == 0 {
            self.charge(0)?;
        }
        Ok(Token::End)
    }

    #[inline]
    fn value(&mut self) -> Result<Token<'a>, DecodeError> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > self.limits.nodes {
            return Err(DecodeError::limit(Limit::Nodes, self.cursor.at));
        }
        let mut tag = self.cursor.u8()?;
        while tag == 0x43 {
            self.class_definition()?;
            tag = self.cursor.u8()?;
        }
        // What a scalar needs after its tag is a constant in each arm.
        let token = match tag {
            0x00..=0x1f | 0x30..=0x33 | 0x52 | 0x53 => {
                let text = self.text(tag, "a string")?;
                self.charge(text.raw.len())?;
                return Ok(Token::Str(Str(text)));
            }
            0x80..=0xd7 | 0x49 => self.cursor.int_after(tag)?.map(Token::Int),
            0xd8..=0xff | 0x38..=0x3f | 0x4c | 0x59 => self.cursor.long_after(tag)?.map(Token::Long),
            0x4e => Some(Token::Null),
            0x54 => Some(Token::Bool(true)),
            0x46 => Some(Token::Bool(false)),
            0x44 | 0x5b..=0x5f => self.cursor.double_after(tag)?.map(Token::Double),
            0x4a | 0x4b => self.cursor.date_after(tag)?.map(Token::Date),
            0x60..=0x6f => return self.object(self.here(), u32::from(tag & 0x0f)),
            0x4f => {
                let here = self.here();
                let class = self.cursor.count("a class index")?;
                return self.object(here, class);
            }
            0x55..=0x58 | 0x70..=0x7f => return self.list(tag),
            0x48 => return self.map(false),
            0x4d => return self.map(true),
            0x51 => {
                let reference = self.cursor.count("a reference index")?;
                if reference >= self.next.references {
                    return Err(self.cursor.error(DecodeErrorKind::BadReference(reference)));
                }
                Some(Token::Ref(reference))
            }
            0x20..=0x2f | 0x34..=0x37 | 0x41 | 0x42 => return self.binary(tag),
            _ => None,
        };
        let Some(token) = token else {
            return Err(self.cursor.tag_error(tag));
        };
        if self.top.kind == OpenKind::Root {
            self.charge(0)?;
        }
        Ok(token)
    }

    fn binary(&mut self, tag: u8) -> Result<Token<'a>, DecodeError> {
        match self.cursor.binary_after(tag, &self.limits)? {
            Some((raw, chunked, len)) => {
                self.charge(index(len))?;
                Ok(Token::Binary(Binary { raw, chunked, len }))
            }
            None => Err(self.cursor.tag_error(tag)),
        }
    }

    #[inline]
    fn text(&mut self, tag: u8, expected: &'static str) -> Result<Text<'a>, DecodeError> {
        match self.cursor.string_after(tag, &self.limits)? {
            Some(text) => Ok(text),
            None => Err(DecodeError {
                kind: DecodeErrorKind::Expected { expected, tag },
                offset: self.cursor.at.saturating_sub(1),
            }),
        }
    }

    /// Counts content against the limit; at the end of a value, its nodes too.
    #[inline]
    fn charge(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.content = self.content.saturating_add(bytes);
        let nodes = index(self.nodes).saturating_mul(NODE_BYTES);
        if self.content.saturating_add(nodes) > self.limits.decoded_bytes {
            return Err(DecodeError::limit(Limit::DecodedBytes, self.cursor.at));
        }
        Ok(())
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
        self.next.references = reference.saturating_add(1);
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

    fn list(&mut self, tag: u8) -> Result<Token<'a>, DecodeError> {
        let here = self.here();
        let (typed, len) = match tag {
            0x70..=0x77 => (true, Some(u32::from(tag & 7))),
            0x78..=0x7f => (false, Some(u32::from(tag & 7))),
            0x55 | 0x56 => (true, None),
            _ => (false, None),
        };
        let type_name = if typed { Some(Str(self.type_name()?)) } else { None };
        let len = match tag {
            0x56 | 0x58 => Some(self.cursor.count("a list length")?),
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
        Ok(Token::ListStart {
            reference,
            type_name,
            len,
        })
    }

    fn map(&mut self, typed: bool) -> Result<Token<'a>, DecodeError> {
        let here = self.here();
        let type_name = if typed { Some(Str(self.type_name()?)) } else { None };
        let reference = self.open(here, OpenKind::MapKey, 0)?;
        Ok(Token::MapStart { reference, type_name })
    }

    fn object(&mut self, here: ReferenceEntry, class: u32) -> Result<Token<'a>, DecodeError> {
        let known = self
            .tables
            .classes
            .get(index(class))
            .filter(|_| class < self.next.classes);
        let Some(&ClassEntry { fields, .. }) = known else {
            return Err(self.cursor.error(DecodeErrorKind::BadClass(class)));
        };
        let reference = self.open(here, OpenKind::Counted, fields)?;
        Ok(Token::ObjectStart { reference, class })
    }

    /// The type of a list or map: a literal, which enters the type table, or an index into it.
    fn type_name(&mut self) -> Result<Text<'a>, DecodeError> {
        let at = self.next.types;
        if let Some(known) = self.tables.types.get(index(at))
            && self
                .cursor
                .peek()
                .is_ok_and(|tag| matches!(tag, 0x00..=0x1f | 0x30..=0x33 | 0x52 | 0x53))
        {
            // Read again: the literal is in the table.
            let known = *known;
            self.cursor.at = known.end();
            self.next.types = at.saturating_add(1);
            return Ok(known.text(self.cursor.input));
        }
        let tag = self.cursor.u8()?;
        if let Some(n) = self.cursor.int_after(tag)? {
            let known = u32::try_from(n)
                .ok()
                .filter(|n| *n < at)
                .and_then(|n| self.tables.types.get(index(n)));
            return match known {
                Some(known) => Ok(known.text(self.cursor.input)),
                None if n < 0 => Err(self.cursor.error(DecodeErrorKind::Negative(n))),
                None => Err(self.cursor.error(DecodeErrorKind::BadType(n.unsigned_abs()))),
            };
        }
        if at >= self.limits.types {
            return Err(DecodeError::limit(Limit::Types, self.cursor.at));
        }
        let text = self.text(tag, "a type name")?;
        self.charge(text.raw.len())?;
        self.tables.types.push(Span::of(&text, self.cursor.at));
        self.next.types = at.saturating_add(1);
        Ok(text)
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
        let name = self.span("a class name")?;
        let fields = self.cursor.count("a field count")?;
        let first_field = narrow(self.tables.fields.len());
        if fields > self.limits.class_fields || first_field.saturating_add(fields) > self.limits.fields {
            return Err(DecodeError::limit(Limit::Fields, self.cursor.at));
        }
        for _ in 0..fields {
            let field = self.span("a field name")?;
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

    fn span(&mut self, expected: &'static str) -> Result<Span, DecodeError> {
        let tag = self.cursor.u8()?;
        let text = self.text(tag, expected)?;
        self.charge(text.raw.len())?;
        Ok(Span::of(&text, self.cursor.at))
    }
}
