//! What a [`Reader`](super::Reader) gives: tokens, and the classes and types they name.

use std::num::NonZeroU32;

use super::scratch::Span;
use super::wire::index;
use super::{Binary, Str};

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
        /// Its type, `[int` or a Java class, for [`Reader::type_name`](super::Reader::type_name); `None` for a plain list.
        type_index: Option<TypeIndex>,
        /// How many elements follow; `None` when it ends with a mark.
        len: Option<u32>,
    },
    /// A map begins.
    MapStart {
        /// Its number in the reference table.
        reference: u32,
        /// Its Java class, for [`Reader::type_name`](super::Reader::type_name); `None` for a plain map.
        type_index: Option<TypeIndex>,
    },
    /// An object begins.
    ObjectStart {
        /// Its number in the reference table.
        reference: u32,
        /// Its class, for [`Reader::class`](super::Reader::class).
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
    pub(super) fn new(index: u32) -> Self {
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
    pub(super) input: &'a [u8],
    pub(super) name: Span,
    pub(super) fields: &'t [Span],
    pub(super) end: u32,
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
