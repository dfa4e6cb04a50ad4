//! A self-describing tree of Hessian values, for tools; never on the call path.
//!
//! It keeps everything that the wire tells: types, field order, map order, lone surrogates, shared and cyclic references.
//! [`json`] writes it as typed JSON and reads that back without loss.

pub mod json;
mod leaf;

use std::collections::HashMap;
use std::sync::Arc;

use crate::hessian2::wire::index;
use crate::hessian2::{
    Counts, DecodeError, JavaText, Limits, Reader, Scratch, Skimmer, Str, Token, TypeNames, Writer,
};

/// The deepest nesting a tree is built for, whatever [`Limits::depth`] says: dropping and comparing it is recursive.
pub const MAX_DEPTH: u32 = 1024;

/// One Hessian value.
#[derive(Clone, Debug)]
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
    TypedList(Box<TypedList>),
    /// A plain map, in the order received.
    Map(Box<[(Value, Value)]>),
    /// A map of a certain class.
    TypedMap(Box<TypedMap>),
    /// An object.
    Object(Box<Object>),
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
        Self::Object(Box::new(Object {
            class: Arc::new(Class {
                name: class.into(),
                fields: names.into_iter().map(JavaText::from).collect(),
            }),
            fields: values.into(),
        }))
    }

    /// A list of a certain type.
    pub fn typed_list(type_name: &str, items: impl Into<Box<[Self]>>) -> Self {
        Self::TypedList(Box::new(TypedList {
            type_name: Arc::new(type_name.into()),
            items: items.into(),
        }))
    }

    /// A map of a certain class.
    pub fn typed_map(type_name: &str, entries: impl Into<Box<[(Self, Self)]>>) -> Self {
        Self::TypedMap(Box::new(TypedMap {
            type_name: Arc::new(type_name.into()),
            entries: entries.into(),
        }))
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
        let reader = Reader::over(input, &mut scratch.tables, &limits);
        let value = Decoder {
            reader,
            lengths: lengths.into_iter(),
            open: Vec::new(),
            types: HashMap::new(),
            classes: Vec::new(),
        }
        .decode()?;
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

/// A container that is being built.
enum Open {
    List(Option<Arc<JavaText>>, Vec<Value>),
    Map(Option<Arc<JavaText>>, Vec<(Value, Value)>, Option<Value>),
    Object(Arc<Class>, Vec<Value>),
}

struct Decoder<'a, 's> {
    reader: Reader<'a, 's>,
    /// Lengths of the maps and of the lists with an end mark, in the order in which they begin.
    lengths: std::vec::IntoIter<u32>,
    open: Vec<Open>,
    /// Type names by where their literal stands: a name used a thousand times is kept once.
    types: HashMap<usize, Arc<JavaText>>,
    classes: Vec<Arc<Class>>,
}

impl<'a> Decoder<'a, '_> {
    fn decode(mut self) -> Result<Value, DecodeError> {
        loop {
            let mut done = match self.reader.read()? {
                Token::Null => Value::Null,
                Token::Bool(value) => Value::Bool(value),
                Token::Int(value) => Value::Int(value),
                Token::Long(value) => Value::Long(value),
                Token::Double(value) => Value::Double(value),
                Token::Date(millis) => Value::Date(millis),
                Token::Str(text) => Value::String(text.to_java_text()),
                Token::Binary(binary) => Value::Binary(binary.to_cow().into()),
                Token::Ref(reference) => Value::Ref(reference),
                Token::ListStart { type_name, len, .. } => {
                    let len = len.or_else(|| self.lengths.next()).unwrap_or_default();
                    let type_name = type_name.map(|name| self.type_name(name));
                    self.open
                        .push(Open::List(type_name, Vec::with_capacity(index(len))));
                    continue;
                }
                Token::MapStart { type_name, .. } => {
                    let len = index(self.lengths.next().unwrap_or_default());
                    let type_name = type_name.map(|name| self.type_name(name));
                    self.open
                        .push(Open::Map(type_name, Vec::with_capacity(len), None));
                    continue;
                }
                Token::ObjectStart { class, .. } => {
                    let class = self.class(class);
                    let fields = Vec::with_capacity(class.fields.len());
                    self.open.push(Open::Object(class, fields));
                    continue;
                }
                Token::End => match self.open.pop() {
                    Some(open) => open.close(),
                    None => Value::Null,
                },
            };
            match self.open.last_mut() {
                None => return Ok(done),
                Some(Open::List(_, items) | Open::Object(_, items)) => items.push(done),
                Some(Open::Map(_, entries, key)) => match key.take() {
                    Some(key) => entries.push((key, std::mem::replace(&mut done, Value::Null))),
                    None => *key = Some(done),
                },
            }
        }
    }

    fn type_name(&mut self, name: Str<'a>) -> Arc<JavaText> {
        let place = name.0.raw.as_ptr().addr();
        // An empty name has no place of its own, and costs nothing.
        let known = self
            .types
            .entry(place)
            .or_insert_with(|| Arc::new(name.to_java_text()));
        Arc::clone(known)
    }

    fn class(&mut self, class: u32) -> Arc<Class> {
        while self.classes.len() <= index(class) {
            let next = crate::hessian2::wire::narrow(self.classes.len());
            let Some(definition) = self.reader.class(next) else {
                break;
            };
            self.classes.push(Arc::new(Class {
                name: definition.name().to_java_text(),
                fields: definition.fields().map(|field| field.to_java_text()).collect(),
            }));
        }
        match self.classes.get(index(class)) {
            Some(class) => Arc::clone(class),
            // The reader gives no number that it has not defined.
            None => Arc::new(Class {
                name: JavaText::default(),
                fields: Box::default(),
            }),
        }
    }
}

impl Open {
    fn close(self) -> Value {
        match self {
            Self::List(None, items) => Value::List(items.into()),
            Self::List(Some(type_name), items) => Value::TypedList(Box::new(TypedList {
                type_name,
                items: items.into(),
            })),
            Self::Map(None, entries, _) => Value::Map(entries.into()),
            Self::Map(Some(type_name), entries, _) => Value::TypedMap(Box::new(TypedMap {
                type_name,
                entries: entries.into(),
            })),
            Self::Object(class, fields) => Value::Object(Box::new(Object {
                class,
                fields: fields.into(),
            })),
        }
    }
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
