//! The tables of one stream, kept by the worker and used again for the next.

use super::wire::{Text, TextAbout, index};

/// The tables of a Hessian stream. Owned by a worker, borrowed by each reader, never shared.
///
/// Everything in it is an offset into the stream being read; nothing in it outlives that stream.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) tables: Tables,
    pub(crate) skim: SkimTables,
    pub(crate) rewrite: RewriteMaps,
}

impl Scratch {
    /// An empty scratch; allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that it holds on to.
    pub fn capacity_bytes(&self) -> usize {
        let tables = &self.tables;
        [
            self.skim_capacity_bytes(),
            bytes_of(&tables.classes),
            bytes_of(&tables.fields),
            bytes_of(&tables.types),
            bytes_of(&tables.references),
            bytes_of(&tables.open),
            bytes_of(&tables.entered),
            bytes_of(&self.rewrite.references),
            bytes_of(&self.rewrite.copied),
            bytes_of(&self.rewrite.classes),
        ]
        .iter()
        .fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// Bytes that the part used by [`Skimmer`](super::Skimmer) holds on to.
    pub fn skim_capacity_bytes(&self) -> usize {
        bytes_of(&self.skim.class_fields).saturating_add(bytes_of(&self.skim.open))
    }

    /// Gives memory back when an unusual message has made the tables large.
    pub fn shrink(&mut self, max: usize) {
        if self.capacity_bytes() > max {
            *self = Self::default();
        }
    }
}

fn bytes_of<T>(table: &Vec<T>) -> usize {
    table.capacity().saturating_mul(size_of::<T>())
}

/// Tables of a [`Reader`](super::Reader).
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) classes: Vec<ClassEntry>,
    pub(crate) fields: Vec<Span>,
    pub(crate) types: Vec<Span>,
    pub(crate) references: Vec<ReferenceEntry>,
    /// The containers around the innermost one, outermost first.
    pub(crate) open: Vec<Open>,
    pub(crate) entered: Vec<Return>,
}

impl Tables {
    pub(crate) fn clear(&mut self) {
        self.classes.clear();
        self.fields.clear();
        self.types.clear();
        self.references.clear();
        self.open.clear();
        self.entered.clear();
    }
}

/// A string in the stream, by offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
    about: TextAbout,
}

impl Span {
    /// The span of `text`, whose last byte lies before `end`.
    pub(crate) fn of(text: &Text<'_>, end: usize) -> Self {
        let len = text.raw.len();
        Self {
            start: super::wire::narrow(end.saturating_sub(len)),
            len: super::wire::narrow(len),
            about: text.about,
        }
    }

    pub(crate) fn end(&self) -> usize {
        index(self.start).saturating_add(index(self.len))
    }

    pub(crate) fn text<'a>(&self, input: &'a [u8]) -> Text<'a> {
        Text {
            raw: input.get(index(self.start)..self.end()).unwrap_or_default(),
            about: self.about,
        }
    }
}

/// A class definition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassEntry {
    pub(crate) name: Span,
    /// Where its fields begin in `Tables::fields`.
    pub(crate) first_field: u32,
    pub(crate) fields: u32,
    /// Where the definition ends in the stream.
    pub(crate) end: u32,
}

/// Where a list, map or object begins, and how full the other tables were then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReferenceEntry {
    pub(crate) offset: u32,
    pub(crate) classes: u32,
    pub(crate) types: u32,
}

/// A list, map or object that is being read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) kind: OpenKind,
    /// Values to come, when `kind` is `Counted`.
    pub(crate) left: u32,
    pub(crate) reference: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenKind {
    /// None is open: values stand one after another.
    Root,
    /// A list of known length, or an object.
    Counted,
    /// A list that ends with `5a`.
    Variable,
    /// A map before a key or its end.
    MapKey,
    /// A map before a value.
    MapValue,
}

impl Open {
    /// What stands around the values of a stream.
    pub(crate) const ROOT: Self = Self {
        kind: OpenKind::Root,
        left: 0,
        reference: u32::MAX,
    };
}

/// Where to go on after a value was read again through a reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Return {
    pub(crate) depth: u32,
    pub(crate) at: u32,
    pub(crate) next: super::Counts,
}

/// Tables of a [`Skimmer`](super::Skimmer).
#[derive(Debug, Default)]
pub(crate) struct SkimTables {
    /// How many fields each class has.
    pub(crate) class_fields: Vec<u32>,
    pub(crate) open: Vec<(OpenKind, u32)>,
}

/// How indexes of one stream become those of another.
#[derive(Debug, Default)]
pub(crate) struct RewriteMaps {
    pub(crate) references: Vec<u32>,
    /// The entries of `references` that are in use: forgetting a stream costs what was copied of it, however far back in
    /// the tables that stood.
    pub(crate) copied: Vec<u32>,
    pub(crate) classes: Vec<u32>,
}
