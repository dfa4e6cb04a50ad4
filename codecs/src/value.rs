//! A self-describing tree of Hessian values, for tools; never on the call path.
//!
//! It keeps everything that the wire tells: types, field order, map order, lone surrogates, shared and cyclic references.
//! [`json`] writes it as typed JSON and reads that back without loss.

pub mod json;
mod leaf;

use std::sync::Arc;

use crate::hessian2::wire::{Cursor, index, is_ascii};
use crate::hessian2::{
    Binary, Counts, DecodeError, DecodeErrorKind, JavaText, Limits, Scratch, Skimmer, Str, TypeNames, Wanted,
    Writer,
};

/// The deepest nesting a tree is built for, whatever [`Limits::depth`] says: reading, writing, dropping and comparing one is
/// recursive, and must fit a thread's usual 2 MiB of stack in a debug build too.
pub const MAX_DEPTH: u32 = 256;

/// One Hessian value.
// A word for the tag: with a byte for it, what follows is moved as 31 bytes at odd addresses.
#[derive(Clone, Debug)]
#[repr(u64)]
pub enum Value {
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
    String(JavaText),
    /// `byte[]`.
    Binary(Box<[u8]>),
    /// A plain list.
    List(Box<[Value]>),
    /// An array, or a list of a certain class.
    TypedList(TypedList),
    /// A plain map, in the order received.
    Map(Box<[(Value, Value)]>),
    /// A map of a certain class.
    TypedMap(TypedMap),
    /// An object.
    Object(Object),
    /// A list, map or object met before: the n-th of the tree, counted from 0 in the order in which they begin.
    Ref(u32),
}

/// See [`Value::TypedList`].
#[derive(Clone, Debug, PartialEq)]
pub struct TypedList {
    /// The type name as on the wire: `[int`, `[java.lang.Integer`, `java.util.HashSet`.
    pub type_name: Arc<JavaText>,
    /// The elements.
    pub items: Box<[Value]>,
}

/// See [`Value::TypedMap`].
#[derive(Clone, Debug, PartialEq)]
pub struct TypedMap {
    /// The Java class.
    pub type_name: Arc<JavaText>,
    /// Keys and values, in the order received.
    pub entries: Box<[(Value, Value)]>,
}

/// See [`Value::Object`].
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its class; objects of one definition share it.
    pub class: Arc<Class>,
    /// The field values in the order of [`Class::fields`].
    pub fields: Box<[Value]>,
}

/// A class definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// The Java class name.
    pub name: JavaText,
    /// The field names. One may stand twice, when a class hides a field of its parent: the last one counts.
    pub fields: Box<[JavaText]>,
}

impl PartialEq for Value {
    /// Doubles are compared bit by bit, so that NaN equals itself and −0.0 differs from 0.0.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Long(a), Self::Long(b)) | (Self::Date(a), Self::Date(b)) => a == b,
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits(),
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Binary(a), Self::Binary(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::TypedList(a), Self::TypedList(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::TypedMap(a), Self::TypedMap(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a == b,
            (Self::Ref(a), Self::Ref(b)) => a == b,
            _ => false,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl Object {
    /// The value of a field; the last one of that name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        let position = self
            .class
            .fields
            .iter()
            .rposition(|field| field.as_str() == Some(name))?;
        self.fields.get(position)
    }
}

impl Value {
    /// An object of a class of its own.
    pub fn object<'a>(class: &str, fields: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
        Self::Object(Object {
            class: Arc::new(Class {
                name: class.into(),
                fields: names.into_iter().map(JavaText::from).collect(),
            }),
            fields: values.into(),
        })
    }

    /// A list of a certain type.
    pub fn typed_list(type_name: &str, items: impl Into<Box<[Self]>>) -> Self {
        Self::TypedList(TypedList {
            type_name: Arc::new(type_name.into()),
            items: items.into(),
        })
    }

    /// A map of a certain class.
    pub fn typed_map(type_name: &str, entries: impl Into<Box<[(Self, Self)]>>) -> Self {
        Self::TypedMap(TypedMap {
            type_name: Arc::new(type_name.into()),
            entries: entries.into(),
        })
    }

    /// Whether it takes a number in the reference table.
    pub fn is_container(&self) -> bool {
        matches!(
            self,
            Self::List(_) | Self::TypedList(_) | Self::Map(_) | Self::TypedMap(_) | Self::Object(_)
        )
    }

    /// The values directly inside, in wire order.
    pub fn children(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::List(items) => Box::new(items.iter()),
            Self::TypedList(list) => Box::new(list.items.iter()),
            Self::Map(entries) => Box::new(entries.iter().flat_map(|(key, value)| [key, value])),
            Self::TypedMap(map) => Box::new(map.entries.iter().flat_map(|(key, value)| [key, value])),
            Self::Object(object) => Box::new(object.fields.iter()),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// How many lists, maps and objects it holds, itself included.
    pub fn containers(&self) -> u32 {
        let inside: u32 = self.children().map(Self::containers).fold(0, u32::saturating_add);
        inside.saturating_add(u32::from(self.is_container()))
    }

    /// The one value at the start of `input`, and where it ends.
    ///
    /// The stream is skimmed first, so that every list and map is allocated once, at its size: the tree takes less than 64
    /// bytes for each byte of input.
    pub fn decode(
        input: &[u8],
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<(Self, usize), DecodeError> {
        let limits = Limits {
            depth: limits.depth.min(MAX_DEPTH),
            ..*limits
        };
        let mut lengths = Vec::new();
        let skimmed = Skimmer::over(input, &mut scratch.skim, &limits)
            .counting(&mut lengths)
            .skim()?;
        let mut value = Value::Null;
        let mut builder = Builder {
            cursor: Cursor::new(input),
            limits,
            lengths: lengths.into_iter(),
            types: Vec::new(),
            classes: Vec::new(),
        };
        builder.fill(&mut value)?;
        Ok((value, skimmed.end))
    }

    /// Appends the value as a stream of its own.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.encode_as(out, TypeNames::Literal);
    }

    /// Appends the value as a stream of its own, with type names as Go or as Java peers want them.
    pub fn encode_as(&self, out: &mut Vec<u8>, names: TypeNames) {
        let mut encoder = Encoder {
            writer: Writer::continued(out, Counts::default(), names),
            classes: Vec::new(),
        };
        encoder.value(self);
    }
}

/// Builds the tree of bytes that have been skimmed, under the same limits: lengths, indexes and depth are known to be
/// right, so this is the plain recursive descent.
struct Builder<'a> {
    cursor: Cursor<'a>,
    limits: Limits,
    /// Lengths of the maps and of the lists with an end mark, in the order in which they begin.
    lengths: std::vec::IntoIter<u32>,
    types: Vec<Arc<JavaText>>,
    classes: Vec<Arc<Class>>,
}

impl Builder<'_> {
    /// Reads the next value into its place, each arm anew: a value handed from arm to arm and from level to level would be
    /// written in pieces and copied whole, which stalls.
    fn fill(&mut self, place: &mut Value) -> Result<(), DecodeError> {
        let mut tag = self.cursor.u8()?;
        while tag == 0x43 {
            self.class()?;
            tag = self.cursor.u8()?;
        }
        match tag {
            0x00..=0x1f => match self.cursor.rest().get(..usize::from(tag)) {
                Some(raw) if is_ascii(raw) => {
                    self.cursor.at = self.cursor.at.wrapping_add(raw.len());
                    set(place, Value::String(JavaText::from_plain(raw)));
                }
                _ => set(place, Value::String(self.text(tag)?)),
            },
            0x30..=0x33 | 0x52 | 0x53 => set(place, Value::String(self.text(tag)?)),
            0x4e => set(place, Value::Null),
            0x54 => set(place, Value::Bool(true)),
            0x46 => set(place, Value::Bool(false)),
            0x80..=0xd7 | 0x49 => match self.cursor.int_after(tag)? {
                Some(value) => set(place, Value::Int(value)),
                None => return Err(self.cursor.tag_error(tag)),
            },
            0xd8..=0xff | 0x38..=0x3f | 0x4c | 0x59 => match self.cursor.long_after(tag)? {
                Some(value) => set(place, Value::Long(value)),
                None => return Err(self.cursor.tag_error(tag)),
            },
            0x44 | 0x5b..=0x5f => match self.cursor.double_after(tag)? {
                Some(value) => set(place, Value::Double(value)),
                None => return Err(self.cursor.tag_error(tag)),
            },
            0x60..=0x6f => set(place, Value::Object(self.object(u32::from(tag & 0x0f))?)),
            _ => set(place, self.other(tag)?),
        }
        Ok(())
    }

    /// What is met more rarely.
    fn other(&mut self, tag: u8) -> Result<Value, DecodeError> {
        Ok(match tag {
            0x4f => {
                let class = self.cursor.count(Wanted::ClassIndex)?;
                Value::Object(self.object(class)?)
            }
            0x48 => Value::Map(self.entries()?),
            0x4d => {
                let type_name = self.type_name()?;
                let entries = self.entries()?;
                Value::TypedMap(TypedMap { type_name, entries })
            }
            0x55..=0x58 | 0x70..=0x7f => self.list(tag)?,
            0x51 => Value::Ref(self.cursor.count(Wanted::ReferenceIndex)?),
            _ => {
                if let Some(millis) = self.cursor.date_after(tag)? {
                    return Ok(Value::Date(millis));
                }
                match self.cursor.binary_after(tag, &self.limits)? {
                    Some((raw, chunked, len)) => {
                        let binary = Binary { raw, chunked, len };
                        Value::Binary(binary.to_cow().into())
                    }
                    None => return Err(self.cursor.tag_error(tag)),
                }
            }
        })
    }

    fn text(&mut self, tag: u8) -> Result<JavaText, DecodeError> {
        match self.cursor.string_after(tag, &self.limits)? {
            Some(text) => Ok(Str(text).to_java_text()),
            None => Err(self.cursor.tag_error(tag)),
        }
    }

    fn next_text(&mut self) -> Result<JavaText, DecodeError> {
        let tag = self.cursor.u8()?;
        self.text(tag)
    }

    fn type_name(&mut self) -> Result<Arc<JavaText>, DecodeError> {
        let tag = self.cursor.u8()?;
        if let Some(known) = self.cursor.int_after(tag)? {
            let known = usize::try_from(known)
                .ok()
                .and_then(|known| self.types.get(known));
            return known.cloned().ok_or_else(|| self.cursor.tag_error(tag));
        }
        let name = Arc::new(self.text(tag)?);
        self.types.push(Arc::clone(&name));
        Ok(name)
    }

    fn class(&mut self) -> Result<(), DecodeError> {
        let name = self.next_text()?;
        let len = index(self.cursor.count(Wanted::FieldCount)?);
        let mut fields = Vec::with_capacity(len);
        for _ in 0..len {
            fields.push(self.next_text()?);
        }
        let fields = fields.into();
        self.classes.push(Arc::new(Class { name, fields }));
        Ok(())
    }

    fn object(&mut self, class: u32) -> Result<Object, DecodeError> {
        let Some(class) = self.classes.get(index(class)).map(Arc::clone) else {
            return Err(self.cursor.error(DecodeErrorKind::BadClass(class)));
        };
        let fields = self.items(class.fields.len())?;
        Ok(Object { class, fields })
    }

    fn list(&mut self, tag: u8) -> Result<Value, DecodeError> {
        let typed = matches!(tag, 0x55 | 0x56 | 0x70..=0x77);
        let type_name = if typed { Some(self.type_name()?) } else { None };
        let len = match tag {
            0x56 | 0x58 => self.cursor.count(Wanted::ListLength)?,
            0x55 | 0x57 => self.lengths.next().unwrap_or_default(),
            _ => u32::from(tag & 7),
        };
        let items = self.items(index(len))?;
        if matches!(tag, 0x55 | 0x57) {
            self.cursor.u8()?;
        }
        Ok(match type_name {
            None => Value::List(items),
            Some(type_name) => Value::TypedList(TypedList { type_name, items }),
        })
    }

    fn items(&mut self, len: usize) -> Result<Box<[Value]>, DecodeError> {
        let mut items = Vec::with_capacity(len);
        items.resize_with(len, || Value::Null);
        for place in &mut items {
            self.fill(place)?;
        }
        Ok(items.into())
    }

    fn entries(&mut self) -> Result<Box<[(Value, Value)]>, DecodeError> {
        let len = index(self.lengths.next().unwrap_or_default());
        let mut entries = Vec::with_capacity(len);
        entries.resize_with(len, || (Value::Null, Value::Null));
        for (key, value) in &mut entries {
            self.fill(key)?;
            self.fill(value)?;
        }
        self.cursor.u8()?;
        Ok(entries.into())
    }
}

/// Puts a value where a null stands, which needs no dropping.
#[inline(always)]
fn set(place: &mut Value, value: Value) {
    std::mem::forget(std::mem::replace(place, value));
}

struct Encoder<'o, 'v> {
    writer: Writer<'o>,
    classes: Vec<(&'v Arc<Class>, u32)>,
}

impl<'v> Encoder<'_, 'v> {
    fn value(&mut self, value: &'v Value) {
        let writer = &mut self.writer;
        match value {
            Value::Null => writer.null(),
            Value::Bool(value) => writer.bool(*value),
            Value::Int(value) => writer.int(*value),
            Value::Long(value) => writer.long(*value),
            Value::Double(value) => writer.double(*value),
            Value::Date(millis) => writer.date(*millis),
            Value::String(text) => writer.java_text(text),
            Value::Binary(bytes) => writer.binary(bytes),
            Value::Ref(reference) => writer.reference(*reference),
            Value::List(items) => {
                writer.begin_list(None, items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::TypedList(list) => {
                writer.begin_java_list(&list.type_name, list.items.len());
                list.items.iter().for_each(|item| self.value(item));
            }
            Value::Map(entries) => {
                writer.begin_map(None);
                self.entries(entries);
            }
            Value::TypedMap(map) => {
                writer.begin_java_map(&map.type_name);
                self.entries(&map.entries);
            }
            Value::Object(object) => {
                let class = self.class(&object.class);
                self.writer.begin_object(class);
                object.fields.iter().for_each(|field| self.value(field));
            }
        }
    }

    fn entries(&mut self, entries: &'v [(Value, Value)]) {
        for (key, value) in entries {
            self.value(key);
            self.value(value);
        }
        self.writer.end();
    }

    fn class(&mut self, class: &'v Arc<Class>) -> u32 {
        let same = |known: &Arc<Class>| Arc::ptr_eq(known, class) || known == class;
        if let Some((_, known)) = self.classes.iter().rev().find(|(known, _)| same(known)) {
            return *known;
        }
        let number = self
            .writer
            .begin_class(class.fields.len(), |writer| writer.java_text(&class.name));
        class.fields.iter().for_each(|field| self.writer.java_text(field));
        self.classes.push((class, number));
        number
    }
}
