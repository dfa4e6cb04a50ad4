//! A tree as text in which what a peer may change without loss is gone: the order of fields and of hash containers.

use std::collections::HashMap;
use std::fmt::Write;

use codecs::value::Value;

/// What a peer is known to lose.
#[derive(Clone, Copy, Debug)]
pub struct Losses {
    /// A surrogate without its partner.
    pub lone_surrogates: bool,
    /// Which containers are the same: shared ones are compared as copies, and there are no cycles.
    pub sharing: bool,
    /// The class of a list that is no array.
    pub list_types: bool,
    /// The class of a map.
    pub map_types: bool,
    /// Maps with null in them.
    pub null_in_maps: bool,
    /// The last bit of a double that travels as thousandths: dubbo-go divides where Java multiplies.
    pub thousandths: bool,
    /// References behind a UUID: hessian-lite 3's reader gives a UUID no number, and cannot read its own writer then.
    pub behind_uuids: bool,
}

/// Objects that are values to Java: enums are one for each constant, and numbers may be copied.
const VALUES: [&str; 4] = [
    "oracle.Color",
    "java.math.BigDecimal",
    "java.math.BigInteger",
    "java.util.UUID",
];

/// The tree as text.
pub fn canonical(value: &Value, losses: &Losses) -> String {
    let mut all = Vec::new();
    number(value, &mut all);
    let mut walk = Walk {
        all,
        losses,
        seen: HashMap::new(),
    };
    walk.show(value)
}

fn number<'v>(value: &'v Value, all: &mut Vec<&'v Value>) {
    if value.is_container() {
        all.push(value);
    }
    value.children().for_each(|child| number(child, all));
}

struct Walk<'v, 'l> {
    all: Vec<&'v Value>,
    losses: &'l Losses,
    seen: HashMap<*const Value, usize>,
}

impl<'v> Walk<'v, '_> {
    fn show(&mut self, value: &'v Value) -> String {
        let value = match value {
            Value::Ref(number) => self.all[*number as usize],
            value => value,
        };
        let is_value = match value {
            Value::Object(object) => VALUES.contains(&&*object.class.name.to_string()),
            _ => false,
        };
        if value.is_container() && !is_value && !self.losses.sharing {
            let place: *const Value = value;
            let next = self.seen.len();
            match self.seen.get(&place) {
                Some(number) => return format!("#{number}"),
                None => self.seen.insert(place, next),
            };
        }
        match value {
            Value::Null => "null".into(),
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => format!("{value}i"),
            Value::Long(value) => format!("{value}L"),
            // −0.0 is 0.0 for Java's writer.
            Value::Double(value) => format!("{:x}d", (value + 0.0).to_bits()),
            Value::Date(millis) => format!("{millis}ms"),
            Value::String(text) => {
                let mut out = String::from("\"");
                for unit in text.units() {
                    let _ = write!(out, "{unit:x} ");
                }
                out
            }
            Value::Binary(bytes) => format!("{bytes:02x?}"),
            Value::List(items) => self.list("java.util.ArrayList", items),
            Value::TypedList(list) => {
                let name = list.type_name.to_string();
                self.list(&name, &list.items)
            }
            Value::Map(entries) => self.map("java.util.HashMap", entries),
            Value::TypedMap(map) => {
                let name = map.type_name.to_string();
                self.map(&name, &map.entries)
            }
            Value::Object(object) => {
                let class = object.class.name.to_string();
                let mut order: Vec<usize> = (0..object.fields.len()).collect();
                order.sort_by_key(|at| object.class.fields[*at].to_string());
                let mut out = class.clone();
                for at in order {
                    let name = object.class.fields[at].to_string();
                    // Caches of a JDK's BigInteger.
                    if class == "java.math.BigInteger" && name != "mag" && name != "signum" {
                        continue;
                    }
                    let field = self.show(&object.fields[at]);
                    let _ = write!(out, ";{name}:{field}");
                }
                out
            }
            Value::Ref(_) => "a reference to a reference".into(),
        }
    }

    fn list(&mut self, name: &str, items: &'v [Value]) -> String {
        let array = name.starts_with('[');
        let name = if self.losses.list_types && !array {
            "list"
        } else {
            name
        };
        let mut shown: Vec<String> = items.iter().map(|item| self.show(item)).collect();
        if name == "java.util.HashSet" {
            shown.sort();
        }
        format!("{name}[{}]", shown.join(","))
    }

    fn map(&mut self, name: &str, entries: &'v [(Value, Value)]) -> String {
        let name = if self.losses.map_types { "map" } else { name };
        let mut keyed: Vec<(String, &'v Value)> = entries
            .iter()
            .map(|(key, value)| (self.show(key), value))
            .collect();
        keyed.sort_by(|a, b| a.0.cmp(&b.0));
        let shown: Vec<String> = keyed
            .into_iter()
            .map(|(key, value)| format!("{key}={}", self.show(value)))
            .collect();
        format!("{name}{{{}}}", shown.join(","))
    }
}
