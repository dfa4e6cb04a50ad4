//! Values as typed JSON, one line each, without loss.
//!
//! `{"t": Java class, "v": value}`, null as `null`. Lists and arrays: `v` is a list; maps: a list of `[key, value]`;
//! objects: `{field: value}` in wire order; enums, BigDecimal, BigInteger, UUID, Class, Locale, java.sql and java.time
//! classes: a text (dates: milliseconds), where that text gives back all that was on the wire; an EnumSet: a list of its
//! constants. Elements of an array are shown in the class that its type tells: an int in a `short[]` is a short. A list, map or
//! object met again is `{"ref": n}`, and the first one carries `"id": n`. Text is escaped to ASCII; a lone surrogate is
//! `\udxxx`.
//!
//! Before `v` may stand what `t` and `v` do not tell: `"w"`, the type name on the wire, or the four cached numbers of a
//! BigInteger that was asked for them; `"k"`, `list` or `map`, where `v` is empty and the class could be either.
//!
//! What Java's own printer shows otherwise is read too: bytes, shorts, floats and chars by their class wherever they
//! stand, a Throwable without frames by its message and cause, a StackTraceElement as text.

mod number;
mod parse;
mod throwable;
mod types;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::leaf::{self, Leaf, Text};
use super::{Object, Value};
use crate::hessian2::JavaText;
use types::{Element, is_map, list_class};

pub use number::java_double;
pub use parse::from_json;

const LIST: &str = "java.util.ArrayList";
const MAP: &str = "java.util.HashMap";
/// The class of an EnumSet of up to 64 constants; of a larger one, the wire does not tell.
const ENUM_SET: &str = "java.util.RegularEnumSet";

/// A `new Object()`, and the class it has on the wire.
const OBJECT: &str = "java.lang.Object";
const OBJECT_ON_WIRE: &str = "object";

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
                self.head("java.lang.String", &Head::default());
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
            Value::List(items) => self.list(LIST, Head::default(), items, None),
            Value::TypedList(list) => {
                let (class, wire) = list_class(&list.type_name);
                let head = Head {
                    wire: wire.then(|| Arc::clone(&list.type_name)),
                    kind: (list.items.is_empty() && is_map(&class)).then_some("list"),
                    ..Head::default()
                };
                self.list(&class, head, &list.items, Element::of(&list.type_name));
            }
            Value::Map(entries) => self.map(MAP, Head::default(), entries),
            Value::TypedMap(map) => {
                let name = map.type_name.to_str_lossy();
                let wire = name == MAP || map.type_name.as_str().is_none();
                let head = Head {
                    wire: wire.then(|| Arc::clone(&map.type_name)),
                    kind: (map.entries.is_empty() && !is_map(&name)).then_some("map"),
                    ..Head::default()
                };
                self.map(&name, head, &map.entries);
            }
            Value::Object(object) => self.object(object),
        }
    }

    fn scalar(&mut self, class: &str, value: &dyn std::fmt::Display) {
        let _ = write!(self.out, "{{\"t\":\"{class}\",\"v\":{value}}}");
    }

    fn head(&mut self, class: &str, head: &Head) {
        self.out.push_str("{\"t\":");
        quote(class.encode_utf16(), &mut self.out);
        if let Some(id) = head.id {
            let _ = write!(self.out, ",\"id\":{id}");
        }
        if let Some(name) = &head.wire {
            self.out.push_str(",\"w\":");
            quote(name.units(), &mut self.out);
        }
        if let Some([first, lowest, length, count]) = head.caches {
            let _ = write!(self.out, ",\"w\":[{first},{lowest},{length},{count}]");
        }
        if let Some(kind) = head.kind {
            let _ = write!(self.out, ",\"k\":\"{kind}\"");
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

    fn list(&mut self, class: &str, mut head: Head, items: &[Value], element: Option<Element>) {
        head.id = self.begin();
        self.head(class, &head);
        self.joined('[', items, ']', |printer, item| {
            match element.and_then(|element| element.shown(item)) {
                Some((class, value)) => printer.scalar(class, &value),
                None => printer.value(item),
            }
        });
        self.out.push('}');
    }

    fn map(&mut self, class: &str, mut head: Head, entries: &[(Value, Value)]) {
        head.id = self.begin();
        self.head(class, &head);
        self.joined('[', entries, ']', |printer, (key, value)| {
            printer.out.push('[');
            printer.value(key);
            printer.out.push(',');
            printer.value(value);
            printer.out.push(']');
        });
        self.out.push('}');
    }

    fn object(&mut self, object: &Object) {
        if let Some(shown) = leaf::of(object).filter(|_| !self.is_shared_inside(object)) {
            return self.leaf(object, shown);
        }
        if let Some(constants) = leaf::constants(object).filter(|_| !self.is_shared_inside(object)) {
            return self.enum_set(constants);
        }
        let class = &object.class;
        let is_bare = |name: &str| class.fields.is_empty() && class.name.as_str() == Some(name);
        let name = match is_bare(OBJECT_ON_WIRE) {
            true => OBJECT.into(),
            false => class.name.to_str_lossy(),
        };
        let literal = class.name.as_str().is_none()
            || is_bare(OBJECT)
            || throwable::looks_like(&class.fields, &object.fields);
        let head = Head {
            id: self.begin(),
            wire: literal.then(|| Arc::new(class.name.clone())),
            ..Head::default()
        };
        self.head(&name, &head);
        let fields: Vec<_> = class.fields.iter().zip(&object.fields).collect();
        self.joined('{', &fields, '}', |printer, (name, value)| {
            quote(name.units(), &mut printer.out);
            printer.out.push(':');
            printer.value(value);
        });
        self.out.push('}');
    }

    /// An object as the text that Java shows of it.
    fn leaf(&mut self, object: &Object, shown: Leaf) {
        let head = Head {
            id: self.begin(),
            caches: shown.caches,
            ..Head::default()
        };
        let inside = object.fields.iter().map(Value::containers);
        self.next = inside.fold(self.next, u32::saturating_add);
        self.head(&shown.class, &head);
        match shown.text {
            Text::Quoted(text) => quote(text.encode_utf16(), &mut self.out),
            Text::Millis(millis) => {
                let _ = write!(self.out, "{millis}");
            }
        }
        self.out.push('}');
    }

    /// An EnumSet as Java shows it, its constants in place of the object that holds their list and class.
    fn enum_set(&mut self, constants: &[Value]) {
        let head = Head {
            id: self.begin(),
            ..Head::default()
        };
        self.head(ENUM_SET, &head);
        self.next = self.next.saturating_add(1);
        self.joined('[', constants, ']', Self::value);
        self.next = self.next.saturating_add(1);
        self.out.push('}');
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

/// What stands before `v`, but for the class.
#[derive(Default)]
struct Head {
    id: Option<u32>,
    wire: Option<Arc<JavaText>>,
    caches: Option<[i32; 4]>,
    kind: Option<&'static str>,
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
