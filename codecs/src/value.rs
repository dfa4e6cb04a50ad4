//! A self-describing tree of Hessian values, for tools; never on the call path.
//!
//! It keeps everything that the wire tells: types, field order, map order, lone surrogates, shared and cyclic references.
//! [`json`] writes it as typed JSON and reads that back without loss.

pub mod json;
mod leaf;

use std::collections::HashMap;
use std::sync::Arc;

use crate::hessian2::reader::NODE_BYTES;
use crate::hessian2::scratch::SkimTables;
use crate::hessian2::wire::{Cursor, index, is_short_ascii, narrow};
use crate::hessian2::{
    Binary, Counts, DecodeError, JavaText, Limits, Scratch, Skimmer, Str, TypeNames, Wanted, Writer,
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// Every list and map is allocated once, at its size, and only where bytes for all its elements are left: the tree takes
    /// less than 64 bytes for each byte of input.
    pub fn decode(
        input: &[u8],
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<(Self, usize), DecodeError> {
        let limits = Limits {
            depth: limits.depth.min(MAX_DEPTH),
            ..*limits
        };
        let mut value = Value::Null;
        let mut builder = Builder::new(input, &mut scratch.skim, limits);
        if builder.root(&mut value).is_some() {
            return Ok((value, builder.cursor.at));
        }
        let at = builder.cursor.at;
        // The builder only knows that it cannot go on.
        let why = Skimmer::over(input, &mut scratch.skim, &limits).skim();
        Err(why.err().unwrap_or_else(|| DecodeError::truncated(at)))
    }

    /// Appends the value as a stream of its own.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.encode_as(out, TypeNames::Literal);
    }

    /// Appends the value as a stream of its own, with type names as Go or as Java peers want them.
    pub fn encode_as(&self, out: &mut Vec<u8>, names: TypeNames) {
        let mut encoder = Encoder {
            writer: Writer::continued(out, Counts::default(), names),
            few: Vec::new(),
            more: HashMap::new(),
            numbers: HashMap::new(),
        };
        encoder.value(self);
    }
}

/// Builds a tree by recursive descent. `None` is a stream that cannot be read on, or breaks a limit: which of them and where
/// is for the skimmer to say, whose limits these are.
struct Builder<'a, 't> {
    cursor: Cursor<'a>,
    limits: Limits,
    tables: &'t mut SkimTables,
    /// Lengths of the maps and of the lists with an end mark, in the order in which they begin; of no stream without them.
    lengths: Option<std::vec::IntoIter<u32>>,
    types: Vec<Arc<JavaText>>,
    classes: Vec<Arc<Class>>,
    /// Field names of all classes.
    fields: u32,
    references: u32,
    depth: u32,
    /// Values so far, with all that open containers still hold.
    nodes: u32,
    /// Bytes of text and binary so far.
    content: usize,
}

impl<'a, 't> Builder<'a, 't> {
    fn new(input: &'a [u8], tables: &'t mut SkimTables, limits: Limits) -> Self {
        Self {
            cursor: Cursor::new(input.get(..index(u32::MAX)).unwrap_or(input)),
            limits,
            tables,
            lengths: None,
            types: Vec::new(),
            classes: Vec::new(),
            fields: 0,
            references: 0,
            depth: 0,
            nodes: 1,
            content: 0,
        }
    }

    fn root(&mut self, place: &mut Value) -> Option<()> {
        self.within()?;
        self.fill(place, 0)?;
        self.within()
    }

    /// Reads the next value into its place, each arm anew: a value handed from arm to arm and from level to level would be
    /// written in pieces and copied whole, which stalls. `owed` is how many more values the open containers must hold.
    fn fill(&mut self, place: &mut Value, owed: usize) -> Option<()> {
        let mut tag = self.cursor.u8().ok()?;
        while tag == 0x43 {
            self.class()?;
            tag = self.cursor.u8().ok()?;
        }
        match tag {
            0x00..=0x1f => match self.cursor.rest().get(..usize::from(tag)) {
                Some(raw) if is_short_ascii(raw) && u32::from(tag) <= self.limits.string_len => {
                    self.cursor.at = self.cursor.at.wrapping_add(raw.len());
                    self.content = self.content.wrapping_add(raw.len());
                    set(place, Value::String(JavaText::from_plain(raw)));
                }
                _ => set(place, Value::String(self.text(tag)?)),
            },
            0x30..=0x33 | 0x52 | 0x53 => set(place, Value::String(self.text(tag)?)),
            0x4e => set(place, Value::Null),
            0x54 => set(place, Value::Bool(true)),
            0x46 => set(place, Value::Bool(false)),
            0x80..=0xd7 | 0x49 => set(place, Value::Int(self.cursor.int_after(tag).ok()??)),
            0xd8..=0xff | 0x38..=0x3f | 0x4c | 0x59 => {
                set(place, Value::Long(self.cursor.long_after(tag).ok()??));
            }
            0x44 | 0x5b..=0x5f => set(place, Value::Double(self.cursor.double_after(tag).ok()??)),
            0x60..=0x6f => set(place, Value::Object(self.object(u32::from(tag & 0x0f), owed)?)),
            0x78..=0x7f => set(place, Value::List(self.items(u32::from(tag & 7), owed)?)),
            _ => set(place, self.other(tag, owed)?),
        }
        Some(())
    }

    /// What is met more rarely.
    fn other(&mut self, tag: u8, owed: usize) -> Option<Value> {
        Some(match tag {
            0x4f => {
                let class = self.cursor.count(Wanted::ClassIndex).ok()?;
                Value::Object(self.object(class, owed)?)
            }
            0x48 => Value::Map(self.entries(owed)?),
            0x4d => {
                let type_name = self.type_name()?;
                let entries = self.entries(owed)?;
                Value::TypedMap(TypedMap { type_name, entries })
            }
            0x55..=0x58 | 0x70..=0x77 => self.list(tag, owed)?,
            0x51 => {
                let reference = self.cursor.count(Wanted::ReferenceIndex).ok()?;
                (reference < self.references).then_some(Value::Ref(reference))?
            }
            _ => {
                if let Some(millis) = self.cursor.date_after(tag).ok()? {
                    return Some(Value::Date(millis));
                }
                let (raw, chunked, len) = self.cursor.binary_after(tag, &self.limits).ok()??;
                self.charge(raw.len())?;
                let binary = Binary { raw, chunked, len };
                Value::Binary(binary.to_cow().into())
            }
        })
    }

    fn text(&mut self, tag: u8) -> Option<JavaText> {
        let text = self.cursor.string_after(tag, &self.limits).ok()??;
        self.charge(text.raw.len())?;
        Some(Str(text).to_java_text())
    }

    fn next_text(&mut self) -> Option<JavaText> {
        let tag = self.cursor.u8().ok()?;
        self.text(tag)
    }

    fn type_name(&mut self) -> Option<Arc<JavaText>> {
        let tag = self.cursor.u8().ok()?;
        if let Some(known) = self.cursor.int_after(tag).ok()? {
            return self.types.get(usize::try_from(known).ok()?).cloned();
        }
        if narrow(self.types.len()) >= self.limits.types {
            return None;
        }
        let name = Arc::new(self.text(tag)?);
        self.types.push(Arc::clone(&name));
        Some(name)
    }

    fn class(&mut self) -> Option<()> {
        if narrow(self.classes.len()) >= self.limits.classes {
            return None;
        }
        let name = self.next_text()?;
        let len = self.cursor.count(Wanted::FieldCount).ok()?;
        self.fields = self.fields.saturating_add(len);
        if len > self.limits.class_fields || self.fields > self.limits.fields {
            return None;
        }
        // A name takes a byte at least.
        let len = index(len);
        let mut fields = Vec::with_capacity(Some(len).filter(|len| *len <= self.cursor.remaining())?);
        for _ in 0..len {
            fields.push(self.next_text()?);
        }
        let fields = fields.into();
        self.classes.push(Arc::new(Class { name, fields }));
        Some(())
    }

    fn object(&mut self, class: u32, owed: usize) -> Option<Object> {
        let class = Arc::clone(self.classes.get(index(class))?);
        let fields = self.items(narrow(class.fields.len()), owed)?;
        Some(Object { class, fields })
    }

    fn list(&mut self, tag: u8, owed: usize) -> Option<Value> {
        let typed = matches!(tag, 0x55 | 0x56 | 0x70..=0x77);
        let type_name = if typed { Some(self.type_name()?) } else { None };
        let len = match tag {
            0x56 | 0x58 => self.cursor.count(Wanted::ListLength).ok()?,
            0x55 | 0x57 => self.length()?,
            _ => u32::from(tag & 7),
        };
        let items = self.items(len, owed)?;
        if matches!(tag, 0x55 | 0x57) {
            self.cursor.u8().ok()?;
        }
        Some(match type_name {
            None => Value::List(items),
            Some(type_name) => Value::TypedList(TypedList { type_name, items }),
        })
    }

    fn items(&mut self, len: u32, owed: usize) -> Option<Box<[Value]>> {
        let mut owed = self.open(len, owed)?;
        let len = index(len);
        let mut items = Vec::with_capacity(len);
        items.resize_with(len, || Value::Null);
        for place in &mut items {
            owed = owed.wrapping_sub(1);
            self.fill(place, owed)?;
        }
        self.depth = self.depth.wrapping_sub(1);
        Some(items.into())
    }

    fn entries(&mut self, owed: usize) -> Option<Box<[(Value, Value)]>> {
        let len = self.length()?;
        let mut owed = self.open(len.checked_mul(2)?, owed)?;
        let len = index(len);
        let mut entries = Vec::with_capacity(len);
        entries.resize_with(len, || (Value::Null, Value::Null));
        for (key, value) in &mut entries {
            owed = owed.wrapping_sub(2);
            self.fill(key, owed.wrapping_add(1))?;
            self.fill(value, owed)?;
        }
        self.cursor.u8().ok()?;
        self.depth = self.depth.wrapping_sub(1);
        Some(entries.into())
    }

    /// The length of the map, or list with an end mark, that begins here. The first one has the whole stream skimmed.
    fn length(&mut self) -> Option<u32> {
        if self.lengths.is_none() {
            let mut lengths = Vec::new();
            let skimmer = Skimmer::over(self.cursor.input, self.tables, &self.limits);
            skimmer.counting(&mut lengths).skim().ok()?;
            self.lengths = Some(lengths.into_iter());
        }
        self.lengths.as_mut()?.next()
    }

    /// A list, map or object of so many values begins; how many are now owed. Each takes a byte at least: nothing is
    /// allocated for those that cannot all follow.
    #[inline(always)]
    fn open(&mut self, len: u32, owed: usize) -> Option<usize> {
        let owed = owed.wrapping_add(index(len));
        self.nodes = self.nodes.saturating_add(len);
        if owed > self.cursor.remaining()
            || self.depth >= self.limits.depth
            || self.references >= self.limits.references
        {
            return None;
        }
        self.references = self.references.wrapping_add(1);
        self.depth = self.depth.wrapping_add(1);
        self.within()?;
        Some(owed)
    }

    #[inline(always)]
    fn charge(&mut self, bytes: usize) -> Option<()> {
        self.content = self.content.saturating_add(bytes);
        self.within()
    }

    /// Whether neither the nodes nor the bytes are more than they may be.
    #[inline(always)]
    fn within(&self) -> Option<()> {
        let decoded = index(self.nodes)
            .wrapping_mul(NODE_BYTES)
            .wrapping_add(self.content);
        (self.nodes <= self.limits.nodes && decoded <= self.limits.decoded_bytes).then_some(())
    }
}

/// Puts a value where a null stands, which needs no dropping.
#[inline(always)]
fn set(place: &mut Value, value: Value) {
    std::mem::forget(std::mem::replace(place, value));
}

/// How many classes are looked for one by one.
const FEW: usize = 8;

struct Encoder<'o, 'v> {
    writer: Writer<'o>,
    /// The first classes met, with their numbers.
    few: Vec<(&'v Arc<Class>, u32)>,
    /// Those met after them, by where they lie: a thousand names are not read again for each object.
    more: HashMap<*const Class, u32>,
    /// The numbers of what was defined.
    numbers: HashMap<&'v Class, u32>,
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
        let is_this = |(known, _): &&(&'v Arc<Class>, u32)| Arc::ptr_eq(known, class);
        if let Some((_, number)) = self.few.iter().rev().find(is_this) {
            return *number;
        }
        if let Some(number) = self.more.get(&Arc::as_ptr(class)) {
            return *number;
        }
        let number = match self.numbers.get(&**class) {
            Some(number) => *number,
            None => self.define(class),
        };
        if self.few.len() < FEW {
            self.few.push((class, number));
        } else {
            self.more.insert(Arc::as_ptr(class), number);
        }
        number
    }

    #[cold]
    fn define(&mut self, class: &'v Class) -> u32 {
        let number = self
            .writer
            .begin_class(class.fields.len(), |writer| writer.java_text(&class.name));
        class.fields.iter().for_each(|field| self.writer.java_text(field));
        self.numbers.insert(class, number);
        number
    }
}
