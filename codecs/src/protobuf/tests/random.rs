//! Random schemas, bindings and values: protobuf to Hessian and back is the identity, and so is Hessian to protobuf and
//! back, under the strict profile and whichever way the bytes travel; the same input gives the same bytes.
//!
//! What the generator reaches: every scalar kind of protobuf and every pair of table 3.2 that loses nothing; wrappers,
//! Timestamp, Duration, `google.type`, Struct, Value, ListValue, Any and JavaValue; enums; bound messages, recursive ones
//! and oneof messages of several classes; inherited parts; implicit, optional and oneof fields; lists, arrays, sets, enum
//! sets, nullable elements, nested lists, holders that tell null from empty; maps of every key kind, entries with keys of
//! objects. On the Hessian side: fields in any order, unbound and hidden fields, numbers in other widths, and values shared
//! by reference. [`the_generator_reaches_every_kind`] counts them.

use std::collections::BTreeSet;
use std::fmt::Write;

use proptest::prelude::*;

use super::*;

/// A small generator of numbers: the property is seeded, so that a failure names its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Small, large and extreme numbers alike.
    fn signed(&mut self, bits: u32) -> i64 {
        let value = self.next().cast_signed();
        match self.below(4) {
            0 => value % 3,
            1 => value % if bits == 8 { 128 } else { 3000 },
            2 if bits == 64 => value,
            2 => (value << (64 - bits)) >> (64 - bits),
            _ => {
                let max = i64::MAX >> (64 - bits);
                if value & 1 == 0 { max } else { -max - 1 }
            }
        }
    }

    fn text(&mut self) -> String {
        let alphabet = [
            'a', 'Z', '0', ' ', '"', '\\', '\u{0}', 'é', '中', '😀', '\u{fffd}', '\u{7f}',
        ];
        let len = if self.one_in(200) { 40_000 } else { self.below(40) };
        (0..len).map(|_| alphabet[self.below(12) as usize]).collect()
    }
}

/// A protobuf type with a Java type that takes it.
#[derive(Clone, Copy)]
enum Kind {
    /// protobuf, primitive or class, boxed.
    Scalar(&'static str, &'static str, &'static str),
    Enum,
    /// A bound message.
    Message(u64),
    /// The oneof message of all classes.
    Oneof,
    /// Values without a plan: protobuf, Java.
    Dynamic(&'static str, &'static str),
}

macro_rules! same {
    ($($proto:literal $java:literal;)*) => { [$(Kind::Scalar($proto, $java, $java)),*] };
}

const PRIMITIVES: [Kind; 19] = [
    Kind::Scalar("bool", "boolean", "java.lang.Boolean"),
    Kind::Scalar("int32", "int", "java.lang.Integer"),
    Kind::Scalar("sint32", "int", "java.lang.Integer"),
    Kind::Scalar("sfixed32", "int", "java.lang.Integer"),
    Kind::Scalar("int32", "byte", "java.lang.Byte"),
    Kind::Scalar("sint32", "short", "java.lang.Short"),
    Kind::Scalar("int32", "char", "java.lang.Character"),
    Kind::Scalar("uint32", "long", "java.lang.Long"),
    Kind::Scalar("fixed32", "long", "java.lang.Long"),
    Kind::Scalar("int64", "long", "java.lang.Long"),
    Kind::Scalar("sint64", "long", "java.lang.Long"),
    Kind::Scalar("sfixed64", "long", "java.lang.Long"),
    Kind::Scalar("uint64", "long", "java.lang.Long"),
    Kind::Scalar("fixed64", "long", "java.lang.Long"),
    Kind::Scalar("int64", "int", "java.lang.Integer"),
    Kind::Scalar("float", "float", "java.lang.Float"),
    Kind::Scalar("double", "double", "java.lang.Double"),
    Kind::Scalar("uint32", "int", "java.lang.Integer"),
    Kind::Scalar("uint32", "char", "java.lang.Character"),
];

const CLASSES: [Kind; 47] = same! {
    "uint64" "java.math.BigInteger";
    "fixed64" "java.math.BigInteger";
    "int64" "java.math.BigInteger";
    "string" "java.lang.String";
    "bytes" "java.lang.String";
    "bytes" "byte[]";
    "bytes" "java.lang.Byte[]";
    "string" "char[]";
    "string" "java.math.BigDecimal";
    "string" "java.math.BigInteger";
    "string" "java.time.LocalDate";
    "string" "java.time.LocalTime";
    "string" "java.time.LocalDateTime";
    "string" "java.time.OffsetDateTime";
    "string" "java.time.Period";
    "string" "java.time.YearMonth";
    "string" "java.util.UUID";
    "bytes" "java.util.UUID";
    "string" "java.util.Locale";
    "string" "java.net.URI";
    "string" "java.time.DayOfWeek";
    "int64" "java.util.Date";
    "int32" "java.time.Year";
    "int32" "java.util.concurrent.atomic.AtomicInteger";
    "sint64" "java.util.concurrent.atomic.AtomicLong";
    "bool" "java.util.concurrent.atomic.AtomicBoolean";
    "google.protobuf.Timestamp" "java.util.Date";
    "google.protobuf.Timestamp" "java.sql.Timestamp";
    "google.protobuf.Timestamp" "java.util.Calendar";
    "google.protobuf.Timestamp" "java.time.Instant";
    "google.protobuf.Duration" "java.time.Duration";
    "google.type.Decimal" "java.math.BigDecimal";
    "google.type.Date" "java.time.LocalDate";
    "google.type.Date" "java.sql.Date";
    "google.type.TimeOfDay" "java.time.LocalTime";
    "google.type.TimeOfDay" "java.sql.Time";
    "google.type.DateTime" "java.time.LocalDateTime";
    "google.type.DateTime" "java.time.OffsetDateTime";
    "google.protobuf.BoolValue" "java.lang.Boolean";
    "google.protobuf.Int32Value" "java.lang.Integer";
    "google.protobuf.UInt32Value" "java.lang.Long";
    "google.protobuf.Int64Value" "java.lang.Long";
    "google.protobuf.UInt64Value" "java.lang.Long";
    "google.protobuf.FloatValue" "java.lang.Float";
    "google.protobuf.DoubleValue" "java.lang.Double";
    "google.protobuf.StringValue" "java.lang.String";
    "google.protobuf.BytesValue" "byte[]";
};

const DYNAMIC: [Kind; 5] = [
    Kind::Dynamic(
        "google.protobuf.Struct",
        "java.util.Map<java.lang.String,java.lang.Object>",
    ),
    Kind::Dynamic("google.protobuf.Value", "java.lang.Object"),
    Kind::Dynamic("google.protobuf.ListValue", "java.util.List<java.lang.Object>"),
    Kind::Dynamic("google.protobuf.Any", "java.lang.Object"),
    Kind::Dynamic("gw.v1.JavaValue", "java.lang.Object"),
];

const KEYS: [(&str, &str); 14] = [
    ("string", "java.lang.String"),
    ("string", "java.lang.Character"),
    ("string", "t.Color"),
    ("int32", "java.lang.Integer"),
    ("int32", "java.lang.Short"),
    ("sint32", "java.lang.Byte"),
    ("sfixed32", "java.lang.Integer"),
    ("sint64", "java.lang.Long"),
    ("int64", "java.lang.Long"),
    ("sfixed64", "java.lang.Long"),
    ("uint64", "java.lang.Long"),
    ("bool", "java.lang.Boolean"),
    ("uint32", "java.lang.Long"),
    ("fixed32", "java.lang.Long"),
];

/// Keys that protobuf maps cannot have.
const ENTRY_KEYS: [(&str, &str); 3] = [
    ("string", "java.math.BigDecimal"),
    ("google.protobuf.Timestamp", "java.util.Date"),
    ("K", "t.K"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Implicit,
    Optional,
    /// A member of a oneof.
    Member,
    List,
    Array,
    Set,
    /// A list in a message of its own, null or empty.
    Held,
    /// A list of lists.
    Nested,
    /// A list whose elements may be null.
    Nullable,
    Map(usize),
    /// A list of entries with keys of this kind.
    Entries(usize),
}

struct Field {
    kind: Kind,
    form: Form,
}

impl Field {
    /// The protobuf type of one value.
    fn proto(&self) -> String {
        match self.kind {
            Kind::Scalar(proto, ..) | Kind::Dynamic(proto, _) => proto.to_owned(),
            Kind::Enum => "E".to_owned(),
            Kind::Message(id) => message(id),
            Kind::Oneof => "P".to_owned(),
        }
    }

    /// The Java type of one value, never a primitive.
    fn boxed(&self) -> String {
        match self.kind {
            Kind::Scalar(.., boxed) => boxed.to_owned(),
            Kind::Dynamic(_, java) => java.to_owned(),
            Kind::Enum => "t.Color".to_owned(),
            Kind::Message(id) => format!("t.{}", message(id)),
            Kind::Oneof => "t.Any".to_owned(),
        }
    }

    fn is_message(&self) -> bool {
        matches!(self.kind, Kind::Message(_) | Kind::Oneof | Kind::Dynamic(..)) || self.proto().contains('.')
    }
}

struct Schema {
    messages: Vec<Vec<Field>>,
    whole: bool,
    /// The message whose first field is an inherited part, and the part's message: always a later one.
    inherits: Option<(u64, u64)>,
}

impl Schema {
    fn random(random: &mut Random) -> Self {
        let count = 1 + random.below(4);
        let messages: Vec<Vec<Field>> = (0..count)
            .map(|_| {
                (0..=random.below(9))
                    .map(|_| Self::field(random, count))
                    .collect()
            })
            .collect();
        Self {
            messages,
            whole: random.one_in(2),
            inherits: (count > 1 && random.one_in(2)).then(|| (count - 2, count - 1)),
        }
    }

    fn field(random: &mut Random, count: u64) -> Field {
        let pick = |random: &mut Random, kinds: &[Kind]| kinds[random.below(kinds.len() as u64) as usize];
        let kind = match random.below(12) {
            0 => Kind::Enum,
            1 | 2 => Kind::Message(random.below(count)),
            3 => Kind::Oneof,
            4 => pick(random, &DYNAMIC),
            5 | 6 => pick(random, &PRIMITIVES),
            _ => pick(random, &CLASSES),
        };
        let form = match random.below(14) {
            0 => Form::Optional,
            1 => Form::List,
            2 => Form::Array,
            3 => Form::Map(random.below(KEYS.len() as u64) as usize),
            4 => Form::Set,
            5 => Form::Held,
            6 => Form::Nested,
            7 => Form::Nullable,
            8 => Form::Entries(random.below(ENTRY_KEYS.len() as u64) as usize),
            9 => Form::Member,
            _ => Form::Implicit,
        };
        let form = match (form, kind) {
            // A message with a oneof around it stands for a class, not for an element.
            (Form::Nullable, Kind::Message(_) | Kind::Oneof | Kind::Dynamic(..)) => Form::List,
            (Form::Nullable, Kind::Scalar(proto, ..)) if proto.contains('.') => Form::List,
            // Lists of lists of bytes are written as lists of arrays: not the pair at hand.
            (Form::Array | Form::Nested, Kind::Dynamic(..)) => Form::List,
            (form, _) => form,
        };
        Field { kind, form }
    }

    /// Fields of a class by their Java names, those of an inherited part among them.
    fn is_part(&self, id: u64) -> bool {
        self.inherits.is_some_and(|(_, part)| part == id)
    }

    fn proto(&self) -> String {
        let mut out = "enum E { E_UNSPECIFIED = 0; E_ON = 1; E_OFF = 2; }\n\
                       message K { string a = 1; optional int32 b = 2; }\n"
            .to_owned();
        let branches: String = (0..self.messages.len() as u64)
            .map(|id| format!("{} b{id} = {}; ", message(id), id + 1))
            .collect();
        let _ = writeln!(out, "message P {{ oneof kind {{ {branches} }} }}");
        let mut helpers = String::new();
        for (index, fields) in self.messages.iter().enumerate() {
            let _ = writeln!(out, "message {} {{", message(index as u64));
            if let Some((_, part)) = self.inherits.filter(|(heir, _)| *heir == index as u64) {
                let _ = writeln!(out, "  {} part = 5000;", message(part));
            }
            let _ = writeln!(out, "  int32 mark{index} = 6000;");
            for (number, field) in fields.iter().enumerate() {
                // Numbers out of order, some of them large.
                let tag = (fields.len() - number) * if number % 2 == 0 { 1 } else { 100 };
                let (name, own) = (field.proto(), format!("H{index}x{number}"));
                let typed = match field.form {
                    Form::Implicit | Form::Member => name,
                    Form::Optional => format!("optional {name}"),
                    Form::List | Form::Array | Form::Set => format!("repeated {name}"),
                    Form::Held => {
                        let _ = writeln!(helpers, "message {own} {{ repeated {name} items = 1; }}");
                        own
                    }
                    Form::Nested => {
                        let _ = writeln!(helpers, "message {own} {{ repeated {name} items = 1; }}");
                        format!("repeated {own}")
                    }
                    Form::Nullable => {
                        let _ = writeln!(helpers, "message {own} {{ optional {name} value = 1; }}");
                        format!("repeated {own}")
                    }
                    Form::Map(key) => format!("map<{}, {name}>", KEYS[key].0),
                    Form::Entries(key) => {
                        let key = ENTRY_KEYS[key].0;
                        let _ = writeln!(helpers, "message {own} {{ {key} key = 1; {name} value = 2; }}");
                        format!("repeated {own}")
                    }
                };
                let _ = match field.form {
                    Form::Member => {
                        writeln!(out, "  oneof o{number} {{ {typed} f{index}x{number} = {tag}; }}")
                    }
                    _ => writeln!(out, "  {typed} f{index}x{number} = {tag};"),
                };
            }
            out.push_str("}\n");
        }
        out + &helpers
    }

    fn binding(&self, strict: bool) -> String {
        let mut out = format!(
            "strict: {strict}\nservices: [{{java: t.S, proto: t.S}}]\nenums: [{{proto: t.E, java: t.Color}}]\nmessages:\n\
             - {{proto: t.K, java: t.K}}\n"
        );
        let branches: Vec<String> = (0..self.messages.len() as u64)
            .map(|id| format!("b{id}: t.{}", message(id)))
            .collect();
        let _ = writeln!(out, "- {{proto: t.P, polymorphic: {{{}}}}}", branches.join(", "));
        for (index, fields) in self.messages.iter().enumerate() {
            let name = message(index as u64);
            let _ = writeln!(out, "- proto: t.{name}");
            // The argument is spread where its message is not bound.
            if index > 0 || self.whole {
                let _ = writeln!(out, "  java: t.{name}");
            }
            let (mut types, mut options) = (String::new(), String::new());
            if self.inherits.is_some_and(|(heir, _)| heir == index as u64) && (index > 0 || self.whole) {
                options.push_str("    part: {inherit: true}\n");
            }
            for (number, field) in fields.iter().enumerate() {
                let boxed = field.boxed();
                let java = match (field.form, field.kind) {
                    (Form::Implicit, Kind::Scalar(_, primitive, _)) => primitive.to_owned(),
                    (Form::Implicit | Form::Optional | Form::Member, _) => boxed,
                    (Form::List | Form::Held | Form::Nullable, _) => format!("java.util.List<{boxed}>"),
                    (Form::Nested, _) => format!("java.util.List<java.util.List<{boxed}>>"),
                    (Form::Set, Kind::Enum) => format!("java.util.EnumSet<{boxed}>"),
                    (Form::Set, _) => format!("java.util.Set<{boxed}>"),
                    (Form::Array, Kind::Scalar(_, "char" | "byte", boxed)) => format!("{boxed}[]"),
                    (Form::Array, Kind::Scalar(_, primitive, _)) => format!("{primitive}[]"),
                    (Form::Array, _) => format!("{boxed}[]"),
                    (Form::Map(key), _) => format!("java.util.Map<{},{boxed}>", KEYS[key].1),
                    (Form::Entries(key), _) => format!("java.util.Map<{},{boxed}>", ENTRY_KEYS[key].1),
                };
                let _ = writeln!(types, "    f{index}x{number}: '{java}'");
                if field.form == Form::Nullable {
                    let _ = writeln!(options, "    f{index}x{number}: {{nullable: true}}");
                }
            }
            if !types.is_empty() {
                let _ = write!(out, "  types:\n{types}");
            }
            if !options.is_empty() {
                let _ = write!(out, "  options:\n{options}");
            }
        }
        out
    }

    fn value(&self, random: &mut Random, id: u64, depth: u32) -> Json {
        let mut object = serde_json::Map::new();
        if let Some((_, part)) = self.inherits.filter(|(heir, _)| *heir == id)
            && depth < 4
        {
            object.insert("part".to_owned(), self.value(random, part, depth + 1));
        }
        if self.is_part(id) || random.one_in(2) {
            // A part that holds nothing is none.
            object.insert(format!("mark{id}"), json!(1 + random.below(9)));
        }
        for (number, field) in self.messages[id as usize].iter().enumerate() {
            let deep = depth > 3 && matches!(field.kind, Kind::Message(_) | Kind::Oneof | Kind::Dynamic(..));
            if deep || random.one_in(4) {
                continue;
            }
            let value = self.field_value(random, field, depth);
            object.insert(format!("f{id}x{number}"), value);
        }
        Json::Object(object)
    }

    fn field_value(&self, random: &mut Random, field: &Field, depth: u32) -> Json {
        let most = if field.is_message() { 3 } else { 5 };
        let many = |random: &mut Random| {
            let len = if random.one_in(20) && !field.is_message() {
                200
            } else {
                random.below(most)
            };
            (0..len)
                .map(|_| self.element(random, field.kind, depth))
                .collect::<Vec<Json>>()
        };
        match field.form {
            // A set 0 is Java's null, and so unset on the way back.
            Form::Optional | Form::Member if matches!(field.kind, Kind::Enum) => json!(1 + random.below(2)),
            Form::Implicit | Form::Optional | Form::Member => match field.kind {
                // What says null is unset on the way back.
                Kind::Dynamic("google.protobuf.Value", _) => json!([self.element(random, field.kind, depth)]),
                Kind::Dynamic("gw.v1.JavaValue", _) => {
                    json!({"list": {"items": [self.element(random, field.kind, depth)]}})
                }
                kind => self.element(random, kind, depth),
            },
            Form::List | Form::Array => Json::Array(many(random)),
            Form::Set => {
                let mut seen = BTreeSet::new();
                let mut items = many(random);
                items.retain(|item| seen.insert(item.to_string()));
                if field.is_message() {
                    items.truncate(1);
                }
                Json::Array(items)
            }
            Form::Held => json!({"items": many(random)}),
            Form::Nested => (0..random.below(4))
                .map(|_| json!({"items": many(random)}))
                .collect(),
            Form::Nullable => {
                let set = |item: Json| match field.kind {
                    // Its 0 is null as well.
                    Kind::Enum if item == json!(0) => json!({}),
                    _ => json!({"value": item}),
                };
                let items = many(random).into_iter();
                items
                    .map(|item| if random.one_in(3) { json!({}) } else { set(item) })
                    .collect()
            }
            Form::Map(key) => {
                let entries = (0..random.below(6)).map(|_| {
                    let key = match KEYS[key] {
                        (_, "java.lang.Character") => char::from(b'a' + random.below(26) as u8).to_string(),
                        (_, "t.Color") => ["ON", "OFF"][random.below(2) as usize].to_owned(),
                        ("string", _) => random.text(),
                        ("bool", _) => random.one_in(2).to_string(),
                        ("uint32" | "fixed32", _) => random.below(1 << 32).to_string(),
                        ("uint64", _) => random.below(1 << 63).to_string(),
                        (_, "java.lang.Byte") => random.signed(8).to_string(),
                        (_, "java.lang.Short") => random.signed(16).to_string(),
                        (_, "java.lang.Integer") => random.signed(32).to_string(),
                        _ => random.signed(64).to_string(),
                    };
                    (key, self.element(random, field.kind, depth))
                });
                Json::Object(entries.collect())
            }
            Form::Entries(key) => (0..random.below(3))
                .map(|place| {
                    // No two alike.
                    let key = match ENTRY_KEYS[key].0 {
                        "string" => json!(format!("{place}.50")),
                        "K" => json!({"a": random.text(), "b": place}),
                        _ => json!(format!("2024-01-0{}T00:00:00Z", place + 1)),
                    };
                    json!({"key": key, "value": self.element(random, field.kind, depth)})
                })
                .collect(),
        }
    }

    fn element(&self, random: &mut Random, kind: Kind, depth: u32) -> Json {
        match kind {
            Kind::Message(id) if depth > 3 => match self.is_part(id) {
                true => json!({format!("mark{id}"): 1}),
                false => json!({}),
            },
            Kind::Message(id) => self.value(random, id, depth + 1),
            Kind::Oneof => {
                let id = random.below(self.messages.len() as u64);
                json!({format!("b{id}"): self.element(random, Kind::Message(id), depth)})
            }
            Kind::Enum => json!(random.below(3)),
            Kind::Dynamic("google.protobuf.Any", _) => {
                let id = random.below(self.messages.len() as u64);
                let mut value = self.element(random, Kind::Message(id), depth);
                value["@type"] = json!(format!("type.googleapis.com/t.{}", message(id)));
                value
            }
            Kind::Dynamic("google.protobuf.Struct", _) => free(random, 0),
            Kind::Dynamic("google.protobuf.ListValue", _) => json!([free(random, 1), free(random, 2)]),
            Kind::Dynamic("google.protobuf.Value", _) => free(random, depth),
            Kind::Dynamic(..) => java_value(random, depth),
            Kind::Scalar(proto, java, boxed) => scalar(random, proto, java, boxed),
        }
    }
}

/// Any JSON; an object at depth 0.
fn free(random: &mut Random, depth: u32) -> Json {
    match if depth == 0 { 0 } else { random.below(6) } {
        0 if depth < 5 => {
            let entries = (0..random.below(4)).map(|_| (random.text(), free(random, depth + 2)));
            Json::Object(entries.collect())
        }
        1 if depth < 5 => json!([free(random, depth + 2)]),
        2 => Json::Null,
        3 => json!(random.one_in(2)),
        4 => json!(f64::from_bits(random.next() & 0x7fef_ffff_ffff_ffff)),
        _ => json!(random.text()),
    }
}

/// Any `gw.v1.JavaValue`.
fn java_value(random: &mut Random, depth: u32) -> Json {
    let inner = |random: &mut Random| java_value(random, depth + 2);
    match random.below(if depth < 5 { 14 } else { 10 }) {
        0 => json!({"null": null}),
        1 => json!({"bool": random.one_in(2)}),
        2 => json!({"int": random.signed(32)}),
        3 => json!({"long": random.signed(64).to_string()}),
        4 => json!({"double": 0.5}),
        5 => json!({"bytes": "AAE="}),
        6 => json!({"date": "1969-12-31T23:59:59.999Z"}),
        7 => json!({"decimal": "1.50E+3"}),
        8 => json!({"bigInteger": "-4294967296"}),
        9 => json!({"enum": {"class": "t.Color", "name": "ON"}}),
        10 => json!({"list": {"type": "[x.Y", "items": [inner(random), inner(random)]}}),
        11 => {
            json!({"map": {"type": "java.util.TreeMap", "entries": [{"key": inner(random), "value": inner(random)}]}})
        }
        12 => json!({"object": {"class": "x.Y", "fields": [{"name": "a", "value": inner(random)}]}}),
        _ => json!({"string": random.text()}),
    }
}

fn message(id: u64) -> String {
    if id == 0 { "M".to_owned() } else { format!("N{id}") }
}

fn scalar(random: &mut Random, proto: &str, java: &str, boxed: &str) -> Json {
    use base64::Engine;
    let date = |random: &mut Random| {
        format!(
            "{:04}-{:02}-{:02}",
            1 + random.below(9999),
            1 + random.below(12),
            1 + random.below(28)
        )
    };
    let clock = |random: &mut Random| {
        let (hour, minute) = (random.below(24), random.below(60));
        json!({"hours": hour, "minutes": minute, "seconds": 7, "nanos": 5_000_000})
    };
    match (proto, java) {
        (_, "java.util.concurrent.atomic.AtomicInteger") => json!(random.signed(32)),
        (_, "java.util.concurrent.atomic.AtomicLong") => json!(random.signed(64).to_string()),
        (_, "java.time.Year") => json!(random.signed(16)),
        ("int64", "int") => json!(random.signed(32).to_string()),
        ("uint32", "int") => json!(random.signed(32).unsigned_abs().min(i32::MAX as u64)),
        ("uint32", "char") => json!(random.below(65_536)),
        ("int64", "java.util.Date") => json!(random.signed(64).to_string()),
        (_, "java.util.Locale") => json!(["de", "zh_CN"][random.below(2) as usize]),
        (_, "java.net.URI") => json!(format!("urn:{}", random.below(1000))),
        (_, "java.time.DayOfWeek") => json!(["MONDAY", "FRIDAY"][random.below(2) as usize]),
        ("string", "char[]") => json!(random.text()),
        ("string", "java.time.LocalTime") => json!(format!("{:02}:30:07.000000009", random.below(24))),
        ("string", "java.time.YearMonth") => {
            json!(format!("{:04}-{:02}", random.below(10_000), 1 + random.below(12)))
        }
        ("bytes", "java.util.UUID") => {
            let bytes = [random.next().to_be_bytes(), random.next().to_be_bytes()].concat();
            json!(base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        ("google.type.Decimal", _) => json!({"value": format!("{}.5", random.signed(64))}),
        ("google.type.Date", _) => {
            json!({"year": 1 + random.below(9999), "month": 1 + random.below(12), "day": 1 + random.below(28)})
        }
        ("google.type.TimeOfDay", _) => clock(random),
        ("google.type.DateTime", java) => {
            let mut json = clock(random);
            (json["year"], json["month"], json["day"]) = (
                json!(2024),
                json!(1 + random.below(12)),
                json!(29 - random.below(5)),
            );
            if java == "java.time.OffsetDateTime" {
                json["utcOffset"] = json!(format!("{}s", random.signed(16)));
            }
            json
        }
        ("google.protobuf.FloatValue", _) => json!(f32::from_bits((random.next() as u32) & 0x7f7f_ffff)),
        ("google.protobuf.DoubleValue", _) => json!(f64::from_bits(random.next() & 0x7fef_ffff_ffff_ffff)),
        ("google.protobuf.UInt32Value", _) => json!(random.below(1 << 32)),
        ("google.protobuf.UInt64Value", _) => json!(random.below(1 << 63).to_string()),
        ("bool" | "google.protobuf.BoolValue", _) => json!(random.one_in(2)),
        (_, "byte") => json!(random.signed(8)),
        (_, "short") => json!(random.signed(16)),
        (_, "char") => json!(random.below(65_536)),
        ("uint32" | "fixed32", _) => json!(random.below(1 << 32)),
        ("uint64" | "fixed64", "long") => {
            json!(random.signed(64).unsigned_abs().min(i64::MAX as u64).to_string())
        }
        ("uint64" | "fixed64", _) => json!(random.next().to_string()),
        ("float", _) => json!(f32::from_bits((random.next() as u32) & 0x7f7f_ffff)),
        ("double", _) => json!(f64::from_bits(random.next() & 0x7fef_ffff_ffff_ffff)),
        ("bytes" | "google.protobuf.BytesValue", _) => {
            let bytes: Vec<u8> = random.text().into_bytes();
            json!(base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        ("google.protobuf.Timestamp", "java.util.Date" | "java.sql.Timestamp" | "java.util.Calendar") => {
            json!(format!(
                "{}T{:02}:00:00.{:03}Z",
                date(random),
                random.below(24),
                random.below(1000)
            ))
        }
        ("google.protobuf.Timestamp", _) => {
            json!(format!(
                "{}T{:02}:00:00.{:09}Z",
                date(random),
                random.below(24),
                random.below(1_000_000_000)
            ))
        }
        ("google.protobuf.Duration", _) => {
            let sign = if random.one_in(2) { "-" } else { "" };
            json!(format!(
                "{sign}{}.{:09}s",
                random.below(300_000_000_000),
                random.below(1_000_000_000)
            ))
        }
        (_, "java.math.BigDecimal") => json!(format!(
            "{}.{}E{}",
            random.signed(64),
            random.below(1000),
            random.signed(8)
        )),
        ("string", "java.math.BigInteger") => json!(format!("{}{}", random.signed(64) | 1, random.next())),
        (_, "java.time.LocalDate") => json!(date(random)),
        (_, "java.time.LocalDateTime") => json!(format!("{}T{:02}:30", date(random), random.below(24))),
        (_, "java.time.OffsetDateTime") => json!(format!(
            "{}T01:02:03.004+{:02}:30",
            date(random),
            random.below(18)
        )),
        (_, "java.time.Period") => json!(format!("P{}Y{}D", 1 + random.below(99), 1 + random.below(99))),
        (_, "java.util.UUID") => {
            let hex = format!("{:016x}{:016x}", random.next(), random.next());
            json!(format!(
                "{}-{}-{}-{}-{}",
                &hex[..8],
                &hex[8..12],
                &hex[12..16],
                &hex[16..20],
                &hex[20..]
            ))
        }
        (_, "java.lang.String") => json!(random.text()),
        ("int64" | "sint64" | "sfixed64" | "google.protobuf.Int64Value", _) => {
            json!(random.signed(64).to_string())
        }
        _ => {
            assert!(boxed == "java.lang.Integer", "{proto} {java}");
            json!(random.signed(32))
        }
    }
}

/// One schema, loaded.
struct Loaded {
    echo: Echo,
    context: String,
}

impl Loaded {
    fn new(schema: &Schema, strict: bool, seed: u64) -> Self {
        let (proto, binding) = (schema.proto(), schema.binding(strict));
        Self {
            echo: Echo::new(&proto, &binding),
            context: format!("seed {seed}\n{proto}\n{binding}"),
        }
    }

    /// The bytes inside an Any may have their maps in another order.
    fn assert_same(&self, got: &DynamicMessage, wanted: &DynamicMessage) {
        let json = |message| serde_json::to_value(message).unwrap();
        if got != wanted {
            let (got, wanted) = (json(got), json(wanted));
            assert!(
                got == wanted,
                "{}\n{}",
                self.context,
                difference(&got, &wanted, "$")
            );
        }
    }

    fn ok<T>(&self, got: Result<T, MappingError>, json: &Json) -> T {
        got.unwrap_or_else(|error| panic!("{error}\n{}\n{json}", self.context))
    }
}

fn check(seed: u64) {
    let mut random = Random(seed);
    let schema = Schema::random(&mut random);
    let (lax, strict) = (
        Loaded::new(&schema, false, seed),
        Loaded::new(&schema, true, seed),
    );
    let again = Loaded::new(&schema, true, seed);
    for _ in 0..3 {
        let json = schema.value(&mut random, 0, 0);
        let message = DynamicMessage::deserialize(strict.echo.message(), &json)
            .unwrap_or_else(|error| panic!("{error}: {json}\n{}", strict.context));
        let bytes = message.encode_to_vec();
        let converted = round_trip(&strict, &bytes, &json);
        // The profile changes what is refused, never what is written; nor does loading it once more, or used memory.
        let mut used = Scratch::default();
        for other in [&lax, &again] {
            for _ in 0..2 {
                let method = other.echo.method();
                let hessian = other.ok(
                    method.arguments_to_hessian(&bytes, &mut used, &Limits::DEFAULT),
                    &json,
                );
                assert_eq!(hessian, converted.hessian, "{}\n{json}", other.context);
                let back = other.ok(
                    method.arguments_to_protobuf(&hessian, &mut used, &Limits::DEFAULT),
                    &json,
                );
                assert_eq!(back, converted.protobuf, "{}\n{json}", other.context);
            }
        }
        assert_eq!(
            used.lossy.iter().count(),
            0,
            "{:?} of {}\n{json}",
            used.lossy,
            strict.context
        );
        as_java_writes(&strict, &lax, &converted, &mut random, &json);
        break_bytes(&lax, &converted, &mut random);
    }
}

/// A message in both forms, as we write them.
struct Converted {
    protobuf: bytes::Bytes,
    hessian: bytes::Bytes,
    streams: Vec<bytes::Bytes>,
}

/// F to H to F, and H to F to H, by one stream and by a stream for each argument.
fn round_trip(loaded: &Loaded, bytes: &[u8], json: &Json) -> Converted {
    let (echo, mut scratch) = (&loaded.echo, Scratch::default());
    let method = echo.method();
    let read = |bytes: &[u8]| DynamicMessage::decode(echo.message(), bytes).unwrap();
    // A default that was set is not on the wire.
    let message = read(bytes);
    let hessian = loaded.ok(
        method.arguments_to_hessian(bytes, &mut scratch, &Limits::DEFAULT),
        json,
    );
    let back = loaded.ok(
        method.arguments_to_protobuf(&hessian, &mut scratch, &Limits::DEFAULT),
        json,
    );
    let same = read(&back);
    loaded.assert_same(&same, &message);
    let hessian_again = loaded.ok(
        method.arguments_to_hessian(&back, &mut scratch, &Limits::DEFAULT),
        json,
    );
    assert_eq!(hessian_again, hessian, "{}\n{json}", loaded.context);
    let streams = loaded.ok(
        method.arguments_to_streams(bytes, &mut scratch, &Limits::DEFAULT),
        json,
    );
    let joined = loaded.ok(
        method.streams_to_protobuf(&streams, &mut scratch, &Limits::DEFAULT),
        json,
    );
    loaded.assert_same(&read(&joined), &message);
    assert_eq!(
        scratch.lossy.iter().count(),
        0,
        "{:?} of {}\n{json}",
        scratch.lossy,
        loaded.context
    );
    Converted {
        protobuf: back,
        hessian,
        streams: streams.to_vec(),
    }
}

/// Where two JSON values differ first.
fn difference(got: &Json, wanted: &Json, at: &str) -> String {
    match (got, wanted) {
        (Json::Object(a), Json::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let (one, other) = (
                    a.get(key).unwrap_or(&Json::Null),
                    b.get(key).unwrap_or(&Json::Null),
                );
                if one != other {
                    return difference(one, other, &format!("{at}.{key}"));
                }
            }
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            for (place, (one, other)) in a.iter().zip(b).enumerate() {
                if one != other {
                    return difference(one, other, &format!("{at}[{place}]"));
                }
            }
        }
        _ => {}
    }
    format!("at {at}: {got} for {wanted}")
}

/// What Java may write otherwise than we do, and that means the same.
fn as_java_writes(strict: &Loaded, lax: &Loaded, converted: &Converted, random: &mut Random, json: &Json) {
    let method = strict.echo.method();
    let mut scratch = Scratch::default();
    let wanted = strict.ok(
        method.streams_to_protobuf(&converted.streams, &mut scratch, &Limits::DEFAULT),
        json,
    );
    let values: Vec<Value> = converted.streams.iter().map(|stream| decode(stream)).collect();
    let mut go = |loaded: &Loaded, change: &mut dyn FnMut(Value) -> Value, what: &str| {
        let streams: Vec<bytes::Bytes> = values
            .iter()
            .map(|value| encode(&change(value.clone())).into())
            .collect();
        let got = loaded
            .echo
            .method()
            .streams_to_protobuf(&streams, &mut scratch, &Limits::DEFAULT);
        assert_eq!(
            loaded.ok(got, json),
            wanted,
            "{what} of {}\n{json}",
            loaded.context
        );
    };
    // Values that are equal are one value, referred to.
    go(strict, &mut |value| Sharing::default().value(value), "shared");
    // The fields of a class in another order.
    let order = random.next();
    go(strict, &mut |value| shuffled(value, order), "shuffled");
    // A field that nothing is bound to, and one of a superclass that is hidden.
    go(lax, &mut |value| with_more_fields(value), "more fields");
}

/// Replaces what was there before by references.
#[derive(Default)]
struct Sharing {
    /// What began, by its number; those that are still open are no value yet.
    seen: Vec<Option<Value>>,
}

impl Sharing {
    fn value(&mut self, value: Value) -> Value {
        if !value.is_container() || matches!(value, Value::Ref(_)) {
            return value;
        }
        if let Some(known) = self.seen.iter().position(|seen| seen.as_ref() == Some(&value)) {
            return Value::Ref(known as u32);
        }
        let number = self.seen.len();
        self.seen.push(None);
        let shared = each_child(value.clone(), &mut |child| self.value(child));
        self.seen[number] = Some(value);
        shared
    }
}

/// A value with its children changed, in the order in which they are written.
fn each_child(value: Value, change: &mut dyn FnMut(Value) -> Value) -> Value {
    let mut all = |values: Box<[Value]>| values.into_iter().map(&mut *change).collect::<Box<[Value]>>();
    match value {
        Value::List(items) => Value::List(all(items)),
        Value::TypedList(mut list) => {
            list.items = all(list.items);
            Value::TypedList(list)
        }
        Value::Object(mut object) => {
            object.fields = all(object.fields);
            Value::Object(object)
        }
        Value::Map(entries) => {
            let entries = entries.into_iter();
            Value::Map(entries.map(|(key, value)| (change(key), change(value))).collect())
        }
        Value::TypedMap(mut map) => {
            let entries = std::mem::take(&mut map.entries).into_iter();
            map.entries = entries.map(|(key, value)| (change(key), change(value))).collect();
            Value::TypedMap(map)
        }
        other => other,
    }
}

/// Rebuilds an object from its names and values.
fn rebuilt(object: &crate::value::Object, names_and_values: Vec<(String, Value)>) -> Value {
    let class = object.class.name.to_str_lossy().into_owned();
    Value::object(
        &class,
        names_and_values
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone())),
    )
}

fn pairs(object: &crate::value::Object) -> Vec<(String, Value)> {
    let names = object
        .class
        .fields
        .iter()
        .map(|name| name.to_str_lossy().into_owned());
    names.zip(object.fields.iter().cloned()).collect()
}

/// Every object with its fields in another order, which only its class decides.
fn shuffled(value: Value, order: u64) -> Value {
    match each_child(value, &mut |child| shuffled(child, order)) {
        Value::Object(object) => {
            let mut fields = pairs(&object);
            let mut random = Random(order ^ fields.len() as u64);
            for place in (1..fields.len()).rev() {
                fields.swap(place, random.below(place as u64 + 1) as usize);
            }
            rebuilt(&object, fields)
        }
        other => other,
    }
}

/// Every object of the schema's classes with a field more, and with its first field written twice.
fn with_more_fields(value: Value) -> Value {
    match each_child(value, &mut with_more_fields) {
        Value::Object(object) => {
            let mut fields = pairs(&object);
            let class = object.class.name.to_str_lossy().into_owned();
            let bound = class == "t.M" || class == "t.K" || class.starts_with("t.N");
            if let (true, Some((first, _))) = (bound, fields.first().cloned()) {
                fields.insert(0, (first, text("hidden")));
                fields.insert(1, ("$unbound".to_owned(), list([Value::Int(1)])));
            }
            rebuilt(&object, fields)
        }
        other => other,
    }
}

/// Broken bytes are refused or read, never worse.
fn break_bytes(loaded: &Loaded, converted: &Converted, random: &mut Random) {
    let (method, mut scratch) = (loaded.echo.method(), Scratch::default());
    let mut broken = converted.hessian.to_vec();
    for _ in 0..8 {
        let at = random.below(broken.len().max(1) as u64) as usize;
        if let Some(byte) = broken.get_mut(at) {
            *byte ^= 1 << random.below(8);
        }
        let _ = method.arguments_to_protobuf(&broken, &mut scratch, &Limits::DEFAULT);
        let _ = method.arguments_to_protobuf(&broken[..at], &mut scratch, &Limits::DEFAULT);
        let _ = method.generic_to_protobuf(&broken, &mut scratch, &Limits::DEFAULT);
    }
    let mut broken = converted.protobuf.to_vec();
    for _ in 0..8 {
        let at = random.below(broken.len().max(1) as u64) as usize;
        if let Some(byte) = broken.get_mut(at) {
            *byte ^= 1 << random.below(8);
        }
        let _ = method.arguments_to_hessian(&broken, &mut scratch, &Limits::DEFAULT);
        let _ = method.result_to_generic(&broken, false, &mut scratch, &Limits::DEFAULT);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_round_trips_are_the_identity(seed: u64) {
        check(seed);
    }
}

#[test]
fn the_generator_reaches_every_kind() {
    let mut random = Random(1);
    let (mut protos, mut forms, mut keys) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for _ in 0..400 {
        let schema = Schema::random(&mut random);
        for field in schema.messages.iter().flatten() {
            let recursive = matches!(field.kind, Kind::Message(_) | Kind::Oneof);
            protos.insert(if recursive {
                format!("recursive {}", matches!(field.kind, Kind::Oneof))
            } else {
                field.proto()
            });
            let form = match field.form {
                Form::Implicit => "implicit",
                Form::Optional => "optional",
                Form::Member => "member",
                Form::List => "list",
                Form::Array => "array",
                Form::Set => "set",
                Form::Held => "held",
                Form::Nested => "nested",
                Form::Nullable => "nullable",
                Form::Map(key) => {
                    keys.insert(KEYS[key]);
                    "map"
                }
                Form::Entries(key) => {
                    keys.insert(ENTRY_KEYS[key]);
                    "entries"
                }
            };
            forms.insert(form);
        }
        forms.insert(if schema.inherits.is_some() {
            "inherits"
        } else {
            "plain"
        });
        forms.insert(if schema.whole { "whole" } else { "spread" });
    }
    for proto in [
        "bool",
        "int32",
        "sint32",
        "sfixed32",
        "uint32",
        "fixed32",
        "int64",
        "sint64",
        "sfixed64",
        "uint64",
        "fixed64",
        "float",
        "double",
        "string",
        "bytes",
        "E",
        "recursive false",
        "recursive true",
    ] {
        assert!(protos.contains(proto), "{proto}");
    }
    for name in [
        "Timestamp",
        "Duration",
        "Struct",
        "Value",
        "ListValue",
        "Any",
        "BoolValue",
        "Int32Value",
        "UInt32Value",
        "Int64Value",
        "UInt64Value",
        "FloatValue",
        "DoubleValue",
        "StringValue",
        "BytesValue",
    ] {
        assert!(protos.contains(&format!("google.protobuf.{name}")), "{name}");
    }
    for name in [
        "google.type.Decimal",
        "google.type.Date",
        "google.type.TimeOfDay",
        "google.type.DateTime",
        "gw.v1.JavaValue",
    ] {
        assert!(protos.contains(name), "{name}");
    }
    assert_eq!(forms.len(), 15, "{forms:?}");
    assert_eq!(keys.len(), KEYS.len() + ENTRY_KEYS.len(), "{keys:?}");
}
