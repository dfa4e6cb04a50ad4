//! Reads typed JSON.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::number::{double, float, whole};
use super::types::{is_enum_set, is_map, list_type};
use super::{LIST, MAP, OBJECT, OBJECT_ON_WIRE, ParseError, throwable};
use crate::hessian2::JavaText;
use crate::value::leaf::{self, Text};
use crate::value::{Class, MAX_DEPTH, Object, TypedList, TypedMap, Value};

/// The value in one line of typed JSON.
pub fn from_json(text: &str) -> Result<Value, ParseError> {
    let mut parser = Parser {
        text: text.as_bytes(),
        at: 0,
        depth: 0,
        next: 0,
        ids: HashMap::new(),
        classes: HashMap::new(),
        is_float_array: false,
    };
    let value = parser.value()?;
    parser.space();
    match parser.text.get(parser.at) {
        None => Ok(value),
        Some(_) => Err(parser.error("text behind the value")),
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
    next: u32,
    ids: HashMap<u32, u32>,
    classes: HashMap<(JavaText, Box<[JavaText]>), Arc<Class>>,
    /// Whether what is read stands directly in a `float[]`.
    is_float_array: bool,
}

/// The members of `{…}` before its value is known.
#[derive(Default)]
struct Members {
    class: Option<JavaText>,
    wire: Option<Wire>,
    id: Option<u32>,
    is_map: Option<bool>,
}

/// `w`.
enum Wire {
    Type(JavaText),
    Caches([i32; 4]),
}

/// The list, map or object that begins.
struct Begun {
    number: u32,
    /// Whether `v` is to be taken as it stands, not as Java's printer would mean it.
    is_literal: bool,
    is_enum_set: bool,
}

/// `v` as it was written.
enum Raw {
    Literal(String),
    Quoted(JavaText),
    List(Vec<Value>),
    Entries(Vec<(Value, Value)>),
    Fields(Fields),
}

type Fields = Vec<(JavaText, Value)>;

impl Parser<'_> {
    fn error(&self, problem: &'static str) -> ParseError {
        ParseError {
            offset: self.at,
            problem,
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.text.get(self.at) {
            self.at = self.at.saturating_add(1);
        }
    }

    fn peek(&mut self) -> Result<u8, ParseError> {
        self.space();
        self.text
            .get(self.at)
            .copied()
            .ok_or_else(|| self.error("ends too early"))
    }

    fn expect(&mut self, byte: u8) -> Result<(), ParseError> {
        if self.peek()? != byte {
            return Err(self.error(match byte {
                b'{' => "expected {",
                b'[' => "expected [ before a key and its value",
                b']' => "expected ]",
                b':' => "expected : behind a name",
                b',' => "expected , or the end",
                _ => "expected a text in quotes",
            }));
        }
        self.at = self.at.saturating_add(1);
        Ok(())
    }

    /// Whether another item follows; passes `close` when not.
    fn more(&mut self, first: bool, close: u8) -> Result<bool, ParseError> {
        if self.peek()? == close {
            self.at = self.at.saturating_add(1);
            return Ok(false);
        }
        if !first {
            self.expect(b',')?;
        }
        Ok(true)
    }

    fn value(&mut self) -> Result<Value, ParseError> {
        if self.peek()? != b'{' {
            let start = self.error("expected null or an object with t and v");
            return match self.literal() {
                Ok(literal) if literal == "null" => Ok(Value::Null),
                _ => Err(start),
            };
        }
        self.members()
    }

    fn members(&mut self) -> Result<Value, ParseError> {
        self.expect(b'{')?;
        let (mut members, mut value, mut first) = (Members::default(), None, true);
        while self.more(first, b'}')? {
            first = false;
            let name = self.string()?;
            self.expect(b':')?;
            match name.as_str() {
                Some("t") if members.class.is_none() => members.class = Some(self.string()?),
                Some("w") if members.wire.is_none() => members.wire = Some(self.wire()?),
                Some("k") if members.is_map.is_none() => members.is_map = Some(self.kind()?),
                Some("id") if members.id.is_none() => members.id = Some(self.id()?),
                Some("v" | "ref") if value.is_some() => return Err(self.error("more than one v or ref")),
                Some("ref") => {
                    let id = self.number()?;
                    let known = self.ids.get(&id).copied();
                    value =
                        Some(Value::Ref(known.ok_or_else(|| {
                            self.error("ref to an id that no value before it has")
                        })?));
                }
                Some("v") => {
                    let Some(class) = members.class.clone() else {
                        return Err(self.error("t must stand before v"));
                    };
                    value = Some(self.typed(&class, &members)?);
                }
                Some("t" | "w" | "k" | "id") => return Err(self.error("a member that stands twice")),
                _ => return Err(self.error("unknown member, expected t, id, w, k, v or ref")),
            }
        }
        let value = value.ok_or_else(|| self.error("v is missing"))?;
        Ok(self.with_wire(value, &members))
    }

    fn wire(&mut self) -> Result<Wire, ParseError> {
        if self.peek()? != b'[' {
            return self.string().map(Wire::Type);
        }
        let (mut caches, mut first) = ([0; 4], true);
        self.expect(b'[')?;
        for cache in &mut caches {
            if self.more(first, b']')? {
                let literal = self.literal()?;
                let number = whole(&literal).and_then(|number| i32::try_from(number).ok());
                *cache = number.ok_or_else(|| self.error("expected four ints"))?;
            }
            first = false;
        }
        self.expect(b']')?;
        Ok(Wire::Caches(caches))
    }

    fn kind(&mut self) -> Result<bool, ParseError> {
        match self.string()?.as_str() {
            Some("map") => Ok(true),
            Some("list") => Ok(false),
            _ => Err(self.error("k is list or map")),
        }
    }

    /// What `w` and `k` say of a value, wherever in its object they stand.
    fn with_wire(&self, value: Value, members: &Members) -> Value {
        let value = match (value, members.is_map) {
            (Value::TypedList(list), Some(true)) => Value::TypedMap(TypedMap {
                type_name: Arc::clone(&list.type_name),
                entries: Box::default(),
            }),
            (Value::TypedMap(map), Some(false)) => Value::TypedList(TypedList {
                type_name: Arc::clone(&map.type_name),
                items: Box::default(),
            }),
            (value, _) => value,
        };
        let wire = match &members.wire {
            None => return value,
            Some(Wire::Type(wire)) => wire,
            Some(Wire::Caches(caches)) => {
                let mut value = value;
                leaf::with_caches(&mut value, *caches);
                return value;
            }
        };
        let type_name = Arc::new(wire.clone());
        match value {
            Value::List(items) => Value::TypedList(TypedList { type_name, items }),
            Value::TypedList(list) => Value::TypedList(TypedList {
                type_name,
                items: list.items,
            }),
            Value::Map(entries) => Value::TypedMap(TypedMap { type_name, entries }),
            Value::TypedMap(map) => Value::TypedMap(TypedMap {
                type_name,
                entries: map.entries,
            }),
            Value::Object(object) => Value::Object(Object {
                class: Arc::new(Class {
                    name: wire.clone(),
                    fields: object.class.fields.clone(),
                }),
                fields: object.fields,
            }),
            other => other,
        }
    }

    fn typed(&mut self, class: &JavaText, members: &Members) -> Result<Value, ParseError> {
        let name = class.to_str_lossy();
        let first = self.peek()?;
        let at = self.at;
        let is_container = matches!(first, b'[' | b'{');
        let is_literal = members.wire.is_some() || members.is_map.is_some();
        let begun = Begun {
            number: self.next,
            is_literal,
            is_enum_set: first == b'[' && !is_literal && is_enum_set(&name),
        };
        // The list in an EnumSet's object is one level more.
        let levels = u32::from(is_container).saturating_add(u32::from(begun.is_enum_set));
        // As deep as a tree that is decoded, so that what was printed is read again.
        if self.depth.saturating_add(levels) > MAX_DEPTH {
            return Err(self.error(TOO_DEEP));
        }
        if is_container {
            self.next = self.next.saturating_add(1);
            if let Some(id) = members.id {
                self.ids.insert(id, begun.number);
            }
        }
        self.depth = self.depth.saturating_add(levels);
        // Not in this function: its frame would stand on the stack once for each level of nesting.
        let outside = self.is_float_array;
        if is_container {
            self.is_float_array = name == "[F";
        }
        let raw = self.raw(first, &begun)?;
        self.is_float_array = outside;
        self.depth = self.depth.saturating_sub(levels);
        if let (true, Raw::List(items)) = (begun.is_enum_set, &raw) {
            // The class, behind the constants.
            self.next = self.next.saturating_add(1);
            let problem = "the list is none of one enum's constants, of which there must be one";
            let handle = leaf::enum_set(items).map(Value::Object);
            return handle.ok_or(ParseError { offset: at, problem });
        }
        self.build(class, &name, raw, members, at)
    }

    /// The value of a class from its `v`.
    fn build(
        &mut self,
        class: &JavaText,
        name: &str,
        raw: Raw,
        members: &Members,
        offset: usize,
    ) -> Result<Value, ParseError> {
        let problem = ParseError {
            offset,
            problem: match raw {
                Raw::Literal(_) => "v is no number or boolean of class t",
                _ => "v does not fit t",
            },
        };
        Ok(match (name, raw) {
            ("java.lang.Boolean", Raw::Literal(literal)) => {
                Value::Bool(literal.parse().map_err(|_| problem)?)
            }
            ("java.lang.Integer" | "java.lang.Short" | "java.lang.Byte", Raw::Literal(literal)) => {
                let number = whole(&literal).and_then(|number| i32::try_from(number).ok());
                let fits = number.filter(|number| match name {
                    "java.lang.Short" => i16::try_from(*number).is_ok(),
                    "java.lang.Byte" => i8::try_from(*number).is_ok(),
                    _ => true,
                });
                Value::Int(fits.ok_or(problem)?)
            }
            ("java.lang.Long", Raw::Literal(literal)) => Value::Long(whole(&literal).ok_or(problem)?),
            ("java.util.Date", Raw::Literal(literal)) => Value::Date(whole(&literal).ok_or(problem)?),
            ("java.lang.Double", Raw::Quoted(text)) => {
                Value::Double(text.as_str().and_then(double).ok_or(problem)?)
            }
            ("java.lang.Double", Raw::Literal(number)) => Value::Double(double(&number).ok_or(problem)?),
            ("java.lang.Float", Raw::Literal(number)) => {
                Value::Double(float(&number, self.is_float_array).ok_or(problem)?)
            }
            ("java.lang.Float", Raw::Quoted(text)) => {
                let number = text.as_str().and_then(|text| float(text, self.is_float_array));
                Value::Double(number.ok_or(problem)?)
            }
            ("java.lang.Character", Raw::Quoted(text)) if text.units().count() != 1 => return Err(problem),
            ("java.lang.String" | "java.lang.Character" | "[C", Raw::Quoted(text)) => Value::String(text),
            ("[B", Raw::Quoted(text)) => {
                let bytes = text.as_str().and_then(|text| STANDARD.decode(text).ok());
                Value::Binary(bytes.ok_or(problem)?.into())
            }
            (_, Raw::Literal(literal)) => {
                let millis = Text::Millis(whole(&literal).ok_or(problem.clone())?);
                self.leaf(name, &millis, members.id).ok_or(problem)?
            }
            (_, Raw::Quoted(text)) => {
                let text = Text::Quoted(text.as_str().ok_or(problem.clone())?.to_owned());
                self.leaf(name, &text, members.id).ok_or(problem)?
            }
            (LIST, Raw::List(items)) => Value::List(items.into()),
            (MAP, Raw::List(items)) if items.is_empty() => Value::Map(Box::default()),
            (MAP, Raw::Entries(entries)) => Value::Map(entries.into()),
            (_, Raw::List(items)) if items.is_empty() && is_map(name) => Value::typed_map(name, Vec::new()),
            (_, Raw::List(items)) => Value::TypedList(TypedList {
                type_name: Arc::new(list_type(name).unwrap_or_default().into()),
                items: items.into(),
            }),
            (_, Raw::Entries(entries)) => Value::TypedMap(TypedMap {
                type_name: Arc::new(class.clone()),
                entries: entries.into(),
            }),
            (OBJECT, Raw::Fields(fields)) if fields.is_empty() => self.object(&OBJECT_ON_WIRE.into(), fields),
            (_, Raw::Fields(fields)) => self.object(class, fields),
        })
    }

    fn leaf(&mut self, class: &str, text: &Text, id: Option<u32>) -> Option<Value> {
        let value = leaf::parse(class, text)?;
        if self.depth.saturating_add(levels(&value)) > MAX_DEPTH {
            return None;
        }
        if let Some(id) = id {
            self.ids.insert(id, self.next);
        }
        self.next = self.next.saturating_add(value.containers());
        Some(value)
    }

    fn object(&mut self, class: &JavaText, fields: Vec<(JavaText, Value)>) -> Value {
        let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
        let key = (class.clone(), names.into_boxed_slice());
        let class = match self.classes.get(&key) {
            Some(class) => Arc::clone(class),
            None => {
                let class = Arc::new(Class {
                    name: key.0.clone(),
                    fields: key.1.clone(),
                });
                self.classes.insert(key, Arc::clone(&class));
                class
            }
        };
        Value::Object(Object {
            class,
            fields: values.into(),
        })
    }

    fn raw(&mut self, first: u8, begun: &Begun) -> Result<Raw, ParseError> {
        match first {
            b'"' => self.string().map(Raw::Quoted),
            b'{' => {
                self.expect(b'{')?;
                let mut fields = Vec::new();
                while self.more(fields.is_empty(), b'}')? {
                    let name = self.string()?;
                    self.expect(b':')?;
                    if name.as_str() == Some("len") && self.peek()?.is_ascii_digit() {
                        return Err(self.error("the text is cut, only its length and head are here"));
                    }
                    fields.push((name, self.value()?));
                    if fields.len() == 4 && !begun.is_literal {
                        fields = self.throwable(fields, begun.number)?;
                    }
                }
                Ok(Raw::Fields(fields))
            }
            b'[' => {
                self.expect(b'[')?;
                if self.peek()? == b'[' {
                    return self.entries();
                }
                // The list of an EnumSet, which has a number of its own.
                self.next = self.next.saturating_add(u32::from(begun.is_enum_set));
                let mut items = Vec::new();
                while self.more(items.is_empty(), b']')? {
                    items.push(self.value()?);
                }
                Ok(Raw::List(items))
            }
            _ => self.literal().map(Raw::Literal),
        }
    }

    /// The first four fields of an object, those of a Throwable as they are on the wire.
    fn throwable(&mut self, fields: Fields, number: u32) -> Result<Fields, ParseError> {
        let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
        if !throwable::looks_like(&names, &values) {
            return Ok(names.into_iter().zip(values).collect());
        }
        if self.depth >= MAX_DEPTH {
            return Err(self.error(TOO_DEEP));
        }
        let fields = throwable::on_wire(values, number, self.at)?;
        // Two empty lists.
        self.next = self.next.saturating_add(2);
        Ok(fields.into())
    }

    fn entries(&mut self) -> Result<Raw, ParseError> {
        let mut entries = Vec::new();
        while self.more(entries.is_empty(), b']')? {
            self.expect(b'[')?;
            let key = self.value()?;
            self.expect(b',')?;
            entries.push((key, self.value()?));
            self.expect(b']')?;
        }
        Ok(Raw::Entries(entries))
    }

    fn literal(&mut self) -> Result<String, ParseError> {
        self.space();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'))
            .count();
        let literal = rest.get(..len).unwrap_or_default();
        self.at = self.at.saturating_add(len);
        match len {
            0 => Err(self.error("expected a value")),
            _ => Ok(String::from_utf8_lossy(literal).into_owned()),
        }
    }

    fn id(&mut self) -> Result<u32, ParseError> {
        let id = self.number()?;
        if self.ids.contains_key(&id) {
            return Err(self.error("an id that another value has"));
        }
        Ok(id)
    }

    fn number(&mut self) -> Result<u32, ParseError> {
        let literal = self.literal()?;
        let number = whole(&literal).and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| self.error("expected a number from 0"))
    }

    fn string(&mut self) -> Result<JavaText, ParseError> {
        self.expect(b'"')?;
        let mut units: Vec<u16> = Vec::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = rest
                .iter()
                .take_while(|byte| !matches!(byte, b'"' | b'\\'))
                .count();
            let text = rest.get(..plain).and_then(|text| std::str::from_utf8(text).ok());
            units.extend(
                text.ok_or_else(|| self.error("text is not UTF-8"))?
                    .encode_utf16(),
            );
            self.at = self.at.saturating_add(plain);
            match rest.get(plain) {
                None => return Err(self.error("string does not end")),
                Some(b'"') => {
                    self.at = self.at.saturating_add(1);
                    return Ok(JavaText::from_utf16(units));
                }
                Some(_) => units.push(self.escape()?),
            }
        }
    }

    fn escape(&mut self) -> Result<u16, ParseError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let (unit, len) = match rest.get(1) {
            Some(b'n') => (0x0a, 2),
            Some(b'r') => (0x0d, 2),
            Some(b't') => (0x09, 2),
            Some(b'b') => (0x08, 2),
            Some(b'f') => (0x0c, 2),
            Some(byte @ (b'"' | b'\\' | b'/')) => (u16::from(*byte), 2),
            Some(b'u') => {
                let digits = rest.get(2..6).and_then(|digits| std::str::from_utf8(digits).ok());
                let digits = digits.filter(|digits| !digits.starts_with('+'));
                let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
                (unit.ok_or_else(|| self.error("bad escape"))?, 6)
            }
            _ => return Err(self.error("bad escape")),
        };
        self.at = self.at.saturating_add(len);
        Ok(unit)
    }
}

const TOO_DEEP: &str = "nested too deep";

/// How deep the few objects nest that a text stands for.
fn levels(value: &Value) -> u32 {
    let inside = value.children().map(levels).max().unwrap_or_default();
    inside.saturating_add(u32::from(value.is_container()))
}
