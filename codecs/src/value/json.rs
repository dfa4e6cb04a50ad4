//! Values as typed JSON, one line each, without loss.
//!
//! `{"t": Java class, "v": value}`, null as `null`. Lists and arrays: `v` is a list; maps: a list of `[key, value]`;
//! objects: `{field: value}` in wire order; enums, BigDecimal, BigInteger, UUID, Class, Locale, java.sql and java.time
//! classes: a text (dates: milliseconds), where that text gives back all that was on the wire; a BigInteger with filled caches, an
//! EnumSet and a Calendar show their wire form. A list, map or object met again is `{"ref": n}`, and the first one
//! carries `"id": n`. `"w"` gives the type name on the wire where `t` does not imply it, and `"k"` says `list` or `map` where
//! `v` is empty and the class does not tell. Text is escaped to ASCII; a lone surrogate is `\udxxx`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::leaf::{self, Leaf, Text};
use super::{Class, MAX_DEPTH, Object, TypedList, TypedMap, Value};
use crate::hessian2::JavaText;

const LIST: &str = "java.util.ArrayList";
const MAP: &str = "java.util.HashMap";

/// Why a text is not a value in typed JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("typed JSON, byte {offset}: {problem}")]
pub struct ParseError {
    /// Where.
    pub offset: usize,
    /// What is wrong.
    pub problem: &'static str,
}

/// The value as one line of typed JSON.
pub fn to_json(value: &Value) -> String {
    let mut printer = Printer {
        out: String::new(),
        ids: HashMap::new(),
        next: 0,
        next_id: 0,
    };
    printer.find_shared(value);
    printer.value(value);
    printer.out
}

struct Printer {
    out: String,
    /// Numbers of containers that are referred to, and their ids once they were printed.
    ids: HashMap<u32, Option<u32>>,
    next: u32,
    next_id: u32,
}

impl Printer {
    fn find_shared(&mut self, value: &Value) {
        if let Value::Ref(number) = value {
            self.ids.insert(*number, None);
        }
        value.children().for_each(|child| self.find_shared(child));
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(value) => self.scalar("java.lang.Boolean", value),
            Value::Int(value) => self.scalar("java.lang.Integer", value),
            Value::Long(value) => self.scalar("java.lang.Long", value),
            Value::Date(millis) => self.scalar("java.util.Date", millis),
            Value::Double(value) => {
                self.scalar("java.lang.Double", &format_args!("\"{}\"", java_double(*value)));
            }
            Value::String(text) => {
                self.head("java.lang.String", None);
                quote(text.units(), &mut self.out);
                self.out.push('}');
            }
            Value::Binary(bytes) => {
                self.scalar("[B", &format_args!("\"{}\"", STANDARD.encode(bytes)));
            }
            // A number that was never printed is a reference forwards: kept as it is.
            Value::Ref(number) => {
                let id = self.ids.get(number).copied().flatten().unwrap_or(u32::MAX);
                let _ = write!(self.out, "{{\"ref\":{id}}}");
            }
            Value::List(items) => self.list(LIST, None, items),
            Value::TypedList(list) => {
                let (class, wire) = list_class(&list.type_name);
                self.list(&class, wire.then_some(&list.type_name), &list.items);
                self.kind(list.items.is_empty() && is_map(&class), "list");
            }
            Value::Map(entries) => self.map(MAP, None, entries),
            Value::TypedMap(map) => {
                let name = map.type_name.to_str_lossy();
                let wire = name == MAP || map.type_name.as_str().is_none();
                self.map(&name, wire.then_some(&map.type_name), &map.entries);
                self.kind(map.entries.is_empty() && !is_map(&name), "map");
            }
            Value::Object(object) => self.object(object),
        }
    }

    fn scalar(&mut self, class: &str, value: &dyn std::fmt::Display) {
        let _ = write!(self.out, "{{\"t\":\"{class}\",\"v\":{value}}}");
    }

    fn head(&mut self, class: &str, id: Option<u32>) {
        self.out.push_str("{\"t\":");
        quote(class.encode_utf16(), &mut self.out);
        if let Some(id) = id {
            let _ = write!(self.out, ",\"id\":{id}");
        }
        self.out.push_str(",\"v\":");
    }

    /// The id of the container that begins here, when it is referred to.
    fn begin(&mut self) -> Option<u32> {
        let id = self.ids.get_mut(&self.next).map(|id| *id.insert(self.next_id));
        self.next = self.next.saturating_add(1);
        if id.is_some() {
            self.next_id = self.next_id.saturating_add(1);
        }
        id
    }

    fn wire(&mut self, wire: Option<&Arc<JavaText>>) {
        if let Some(name) = wire {
            self.out.push_str(",\"w\":");
            quote(name.units(), &mut self.out);
        }
        self.out.push('}');
    }

    fn kind(&mut self, ambiguous: bool, kind: &str) {
        if ambiguous && self.out.pop().is_some() {
            let _ = write!(self.out, ",\"k\":\"{kind}\"}}");
        }
    }

    fn list(&mut self, class: &str, wire: Option<&Arc<JavaText>>, items: &[Value]) {
        let id = self.begin();
        self.head(class, id);
        self.joined('[', items, ']', Self::value);
        self.wire(wire);
    }

    fn map(&mut self, class: &str, wire: Option<&Arc<JavaText>>, entries: &[(Value, Value)]) {
        let id = self.begin();
        self.head(class, id);
        self.joined('[', entries, ']', |printer, (key, value)| {
            printer.out.push('[');
            printer.value(key);
            printer.out.push(',');
            printer.value(value);
            printer.out.push(']');
        });
        self.wire(wire);
    }

    fn object(&mut self, object: &Object) {
        let class = object.class.name.to_str_lossy();
        if let Some(Leaf { class, text }) = leaf::of(object).filter(|_| !self.is_shared_inside(object)) {
            let id = self.begin();
            self.next = object
                .fields
                .iter()
                .map(Value::containers)
                .fold(self.next, u32::saturating_add);
            self.head(&class, id);
            match text {
                Text::Quoted(text) => quote(text.encode_utf16(), &mut self.out),
                Text::Millis(millis) => {
                    let _ = write!(self.out, "{millis}");
                }
            }
            self.out.push('}');
            return;
        }
        let id = self.begin();
        self.head(&class, id);
        let fields: Vec<_> = object.class.fields.iter().zip(&object.fields).collect();
        self.joined('{', &fields, '}', |printer, (name, value)| {
            quote(name.units(), &mut printer.out);
            printer.out.push(':');
            printer.value(value);
        });
        let lone = object.class.name.as_str().is_none();
        self.wire(lone.then(|| Arc::new(object.class.name.clone())).as_ref());
    }

    /// Whether something inside of the object that begins next is referred to: a text would hide it. The negative of a
    /// BigInteger shares its words with it.
    fn is_shared_inside(&self, object: &Object) -> bool {
        let first = self.next.saturating_add(1);
        let inside = object.fields.iter().map(Value::containers);
        let end = inside.fold(first, u32::saturating_add);
        (first..end).any(|number| self.ids.contains_key(&number))
    }

    fn joined<T>(&mut self, open: char, items: &[T], close: char, mut print: impl FnMut(&mut Self, &T)) {
        self.out.push(open);
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.out.push(',');
            }
            print(self, item);
        }
        self.out.push(close);
    }
}

fn quote(units: impl Iterator<Item = u16>, out: &mut String) {
    out.push('"');
    for unit in units {
        match u8::try_from(unit) {
            Ok(byte @ (b'"' | b'\\')) => {
                out.push('\\');
                out.push(char::from(byte));
            }
            Ok(byte @ b' '..=b'~') => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out.push('"');
}

/// The NaN that Java writes; any other shows its bits.
const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;

/// A double as `Double.toString` prints it: the shortest digits that give it back, at least one behind the point, with an
/// exponent below 0.001 and from ten million on.
pub fn java_double(value: f64) -> String {
    if value.is_nan() {
        return match value.to_bits() {
            CANONICAL_NAN => "NaN".to_owned(),
            bits => format!("NaN({bits:016x})"),
        };
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    let (digits, exponent) = text.split_once('E').unwrap_or((&text, "0"));
    // The smallest double has one significant digit; Java shows the nearer of two.
    let digits = if value.abs().to_bits() == 1 {
        digits.replace('5', "4.9")
    } else {
        digits.to_owned()
    };
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

const ELEMENTS: [(&str, &str); 10] = [
    ("int", "I"),
    ("long", "J"),
    ("short", "S"),
    ("boolean", "Z"),
    ("float", "F"),
    ("double", "D"),
    ("object", "Ljava.lang.Object;"),
    ("string", "Ljava.lang.String;"),
    ("date", "Ljava.util.Date;"),
    ("byte", "B"),
];

/// The Java class of a list type name, and whether the name must be given beside it.
fn list_class(wire: &JavaText) -> (String, bool) {
    let name = wire.to_str_lossy();
    let dimensions = name.bytes().take_while(|byte| *byte == b'[').count();
    let (brackets, element) = name.split_at_checked(dimensions).unwrap_or(("", &name));
    let class = match ELEMENTS.iter().find(|(known, _)| *known == element) {
        _ if dimensions == 0 => name.clone().into_owned(),
        Some((_, code)) => format!("{brackets}{code}"),
        None => format!("{brackets}L{element};"),
    };
    let implied = list_type(&class).as_deref() == wire.as_str();
    (class, !implied)
}

/// The list type name of a Java class; `None` for a plain list.
fn list_type(class: &str) -> Option<String> {
    if class == LIST {
        return None;
    }
    let dimensions = class.bytes().take_while(|byte| *byte == b'[').count();
    if dimensions == 0 {
        return Some(class.to_owned());
    }
    let (brackets, code) = class.split_at_checked(dimensions)?;
    Some(match ELEMENTS.iter().find(|(_, known)| *known == code) {
        Some((element, _)) => format!("{brackets}{element}"),
        None => {
            let element = code.strip_prefix('L').unwrap_or(code);
            format!("{brackets}{}", element.strip_suffix(';').unwrap_or(element))
        }
    })
}

/// The value in one line of typed JSON.
pub fn from_json(text: &str) -> Result<Value, ParseError> {
    let mut parser = Parser {
        text: text.as_bytes(),
        at: 0,
        depth: 0,
        next: 0,
        ids: HashMap::new(),
        classes: HashMap::new(),
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
}

/// The members of `{…}` before its value is known.
#[derive(Default)]
struct Members {
    class: Option<JavaText>,
    wire: Option<JavaText>,
    id: Option<u32>,
    is_map: Option<bool>,
}

/// `v` as it was written.
enum Raw {
    Literal(String),
    Quoted(JavaText),
    List(Vec<Value>),
    Entries(Vec<(Value, Value)>),
    Fields(Vec<(JavaText, Value)>),
}

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
            return Err(self.error("punctuation missing"));
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
            return match self.literal()?.as_str() {
                "null" => Ok(Value::Null),
                _ => Err(self.error("expected null or an object with t and v")),
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
                Some("t") => members.class = Some(self.string()?),
                Some("w") => members.wire = Some(self.string()?),
                Some("k") => members.is_map = Some(self.string()?.as_str() == Some("map")),
                Some("id") => members.id = Some(self.number()?),
                Some("v" | "ref") if value.is_some() => return Err(self.error("more than one v or ref")),
                Some("ref") => {
                    let id = self.number()?;
                    let known = self.ids.get(&id).copied();
                    value = Some(Value::Ref(
                        known.ok_or_else(|| self.error("ref to an unknown id"))?,
                    ));
                }
                Some("v") => {
                    let Some(class) = members.class.clone() else {
                        return Err(self.error("t must stand before v"));
                    };
                    value = Some(self.typed(&class, &members)?);
                }
                _ => return Err(self.error("unknown member, expected t, id, v, w, k or ref")),
            }
        }
        let value = value.ok_or_else(|| self.error("v is missing"))?;
        Ok(self.with_wire(value, &members))
    }

    /// `w` and `k` stand behind `v`, because they are rare.
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
        let Some(wire) = &members.wire else {
            return value;
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
        let is_container = matches!(first, b'[' | b'{');
        if is_container {
            // As deep as a tree that is decoded, so that what was printed is read again.
            if self.depth >= MAX_DEPTH {
                return Err(self.error(TOO_DEEP));
            }
            self.depth = self.depth.saturating_add(1);
            let number = self.next;
            self.next = number.saturating_add(1);
            if let Some(id) = members.id {
                self.ids.insert(id, number);
            }
        }
        // Not in this function: its frame would stand on the stack once for each level of nesting.
        let raw = self.raw(first)?;
        self.depth = self.depth.saturating_sub(u32::from(is_container));
        self.build(class, &name, raw, members)
    }

    /// The value of a class from its `v`.
    fn build(
        &mut self,
        class: &JavaText,
        name: &str,
        raw: Raw,
        members: &Members,
    ) -> Result<Value, ParseError> {
        let problem = ParseError {
            offset: self.at,
            problem: "v does not fit t",
        };
        let parsed = |literal: &str| literal.parse::<i64>().ok();
        Ok(match (name, raw) {
            ("java.lang.Boolean", Raw::Literal(literal)) => {
                Value::Bool(literal.parse().map_err(|_| problem)?)
            }
            ("java.lang.Integer" | "java.lang.Short" | "java.lang.Byte", Raw::Literal(literal)) => {
                Value::Int(literal.parse().map_err(|_| problem)?)
            }
            ("java.lang.Long", Raw::Literal(literal)) => Value::Long(parsed(&literal).ok_or(problem)?),
            ("java.util.Date", Raw::Literal(literal)) => Value::Date(parsed(&literal).ok_or(problem)?),
            ("java.lang.Double" | "java.lang.Float", Raw::Quoted(text)) => {
                Value::Double(text.as_str().and_then(double).ok_or(problem)?)
            }
            ("java.lang.String" | "java.lang.Character" | "[C", Raw::Quoted(text)) => Value::String(text),
            ("[B", Raw::Quoted(text)) => {
                let bytes = text.as_str().and_then(|text| STANDARD.decode(text).ok());
                Value::Binary(bytes.ok_or(problem)?.into())
            }
            (_, Raw::Literal(literal)) => {
                let millis = Text::Millis(parsed(&literal).ok_or(problem.clone())?);
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

    fn raw(&mut self, first: u8) -> Result<Raw, ParseError> {
        match first {
            b'"' => self.string().map(Raw::Quoted),
            b'{' => {
                self.expect(b'{')?;
                let mut fields = Vec::new();
                while self.more(fields.is_empty(), b'}')? {
                    let name = self.string()?;
                    self.expect(b':')?;
                    fields.push((name, self.value()?));
                }
                Ok(Raw::Fields(fields))
            }
            b'[' => {
                self.expect(b'[')?;
                if self.peek()? == b'[' {
                    return self.entries();
                }
                let mut items = Vec::new();
                while self.more(items.is_empty(), b']')? {
                    items.push(self.value()?);
                }
                Ok(Raw::List(items))
            }
            _ => self.literal().map(Raw::Literal),
        }
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

    fn number(&mut self) -> Result<u32, ParseError> {
        let literal = self.literal()?;
        literal
            .parse()
            .map_err(|_| self.error("expected a number from 0"))
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

fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::from_bits(CANONICAL_NAN)),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => match text.strip_prefix("NaN(").and_then(|bits| bits.strip_suffix(')')) {
            Some(bits) => u64::from_str_radix(bits, 16).ok().map(f64::from_bits),
            None => text.parse().ok(),
        },
    }
}

/// Whether an empty `v` of this class is a map: lists and maps look alike then.
fn is_map(class: &str) -> bool {
    class.ends_with("Map") || class.ends_with("Properties") || class.ends_with("Hashtable")
}
