//! Lists, maps and objects begin, and what the tables of the stream keep of them.

use super::super::packed::Packed;
use super::super::scratch::{ClassEntry, Open, OpenKind, ReferenceEntry, Span};
use super::super::token::TypeIndex;
use super::super::wire::{index, low, narrow};
use super::super::{DecodeError, DecodeErrorKind, Limit, Wanted};
use super::Reader;

impl Reader<'_, '_> {
    #[inline]
    pub(super) fn open(
        &mut self,
        entry: ReferenceEntry,
        kind: OpenKind,
        left: u32,
    ) -> Result<u32, DecodeError> {
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

    /// Where the byte that was just read stands.
    #[inline(always)]
    pub(super) fn tag_offset(&self) -> u32 {
        low(self.cursor.at.wrapping_sub(1))
    }

    /// A place as the reference table keeps it.
    #[inline(always)]
    fn place(&self, offset: u32) -> ReferenceEntry {
        ReferenceEntry {
            offset,
            classes: self.next.classes,
            types: self.next.types,
        }
    }

    /// The place whose first byte was just read.
    #[inline(always)]
    fn here(&self) -> ReferenceEntry {
        self.place(self.tag_offset())
    }

    /// A plain list of up to seven elements.
    #[inline(never)]
    pub(super) fn small_list(&mut self, len: u32) -> Packed {
        let here = self.here();
        if index(len) > self.cursor.remaining() {
            return self.truncated(index(here.offset));
        }
        match self.open(here, OpenKind::Counted, len) {
            Ok(reference) => Packed::list(reference, None, Some(len)),
            Err(error) => self.fail(error),
        }
    }

    pub(super) fn list(&mut self, tag: u8) -> Result<Packed, DecodeError> {
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

    pub(super) fn map(&mut self, typed: bool) -> Result<Packed, DecodeError> {
        let here = self.here();
        let type_index = if typed { Some(self.type_index()?) } else { None };
        let reference = self.open(here, OpenKind::MapKey, 0)?;
        Ok(Packed::map(reference, type_index))
    }

    /// An object whose first byte is at `offset`.
    #[inline(never)]
    pub(super) fn object(&mut self, offset: u32, class: u32) -> Packed {
        let known = self
            .tables
            .classes
            .get(index(class))
            .filter(|_| class < self.next.classes);
        let Some(&ClassEntry { fields, .. }) = known else {
            return self.fail(self.cursor.error(DecodeErrorKind::BadClass(class)));
        };
        match self.open(self.place(offset), OpenKind::Counted, fields) {
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
    pub(super) fn class_definition(&mut self) -> Result<(), DecodeError> {
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
