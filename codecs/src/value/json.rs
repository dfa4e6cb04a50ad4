//! Values as typed JSON, one line each, without loss.
//!
//! `{"t": Java class, "v": value}`, null as `null`. Lists and arrays: `v` is a list; maps: a list of `[key, value]`;
//! objects: `{field: value}` in wire order; enums, BigDecimal, BigInteger, UUID, Class, Locale, java.sql and java.time
//! classes: a text (dates: milliseconds), where that text gives back all that was on the wire; a BigInteger with filled caches, an
//! EnumSet and a Calendar show their wire form. A list, map or object met again is `{"ref": n}`, and the first one
//! carries `"id": n`. `"w"` gives the type name on the wire where `t` does not imply it, and `"k"` says `list` or `map` where
//! `v` is empty and the class does not tell. Text is escaped to ASCII; a lone surrogate is `\udxxx`.

mod number;
mod parse;
mod types;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::leaf::{self, Leaf, Text};
use super::{Object, Value};
use crate::hessian2::JavaText;
use types::{is_map, list_class};

pub use number::java_double;
pub use parse::from_json;

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
