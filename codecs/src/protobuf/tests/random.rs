//! Random schemas, bindings and values: protobuf to Hessian and back is the identity, whichever way the bytes travel.

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

/// A protobuf type with a Java type that takes it; how its values look in JSON.
#[derive(Clone, Copy)]
enum Kind {
    Scalar(&'static str, &'static str, &'static str),
    Enum,
    Message(u64),
}

/// protobuf, primitive or class, boxed.
const SCALARS: [Kind; 34] = [
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
    Kind::Scalar("uint64", "java.math.BigInteger", "java.math.BigInteger"),
    Kind::Scalar("int64", "java.math.BigInteger", "java.math.BigInteger"),
    Kind::Scalar("float", "float", "java.lang.Float"),
    Kind::Scalar("double", "double", "java.lang.Double"),
    Kind::Scalar("string", "java.lang.String", "java.lang.String"),
    Kind::Scalar("bytes", "byte[]", "byte[]"),
    Kind::Scalar("string", "java.math.BigDecimal", "java.math.BigDecimal"),
    Kind::Scalar("string", "java.math.BigInteger", "java.math.BigInteger"),
    Kind::Scalar("string", "java.time.LocalDate", "java.time.LocalDate"),
    Kind::Scalar("string", "java.time.LocalDateTime", "java.time.LocalDateTime"),
    Kind::Scalar("string", "java.time.OffsetDateTime", "java.time.OffsetDateTime"),
    Kind::Scalar("string", "java.time.Period", "java.time.Period"),
    Kind::Scalar("string", "java.util.UUID", "java.util.UUID"),
    Kind::Scalar("google.protobuf.Timestamp", "java.util.Date", "java.util.Date"),
    Kind::Scalar(
        "google.protobuf.Timestamp",
        "java.time.Instant",
        "java.time.Instant",
    ),
    Kind::Scalar(
        "google.protobuf.Duration",
        "java.time.Duration",
        "java.time.Duration",
    ),
    Kind::Scalar(
        "google.protobuf.Int32Value",
        "java.lang.Integer",
        "java.lang.Integer",
    ),
    Kind::Scalar("google.protobuf.Int64Value", "java.lang.Long", "java.lang.Long"),
    Kind::Scalar(
        "google.protobuf.StringValue",
        "java.lang.String",
        "java.lang.String",
    ),
    Kind::Scalar("google.protobuf.BytesValue", "byte[]", "byte[]"),
    Kind::Scalar(
        "google.protobuf.BoolValue",
        "java.lang.Boolean",
        "java.lang.Boolean",
    ),
];

const KEYS: [(&str, &str); 6] = [
    ("string", "java.lang.String"),
    ("int32", "java.lang.Integer"),
    ("sint64", "java.lang.Long"),
    ("int64", "java.lang.Long"),
    ("bool", "java.lang.Boolean"),
    ("uint32", "java.lang.Long"),
];

#[derive(Clone, Copy)]
enum Form {
    Implicit,
    Optional,
    List,
    Array,
    Map(usize),
}

struct Field {
    kind: Kind,
    form: Form,
}

struct Schema {
    messages: Vec<Vec<Field>>,
    whole: bool,
}

impl Schema {
    fn random(random: &mut Random) -> Self {
        let count = 1 + random.below(4);
        let messages = (0..count)
            .map(|_| {
                (0..=random.below(9))
                    .map(|_| {
                        let kind = match random.below(6) {
                            0 => Kind::Enum,
                            1 => Kind::Message(random.below(count)),
                            _ => SCALARS[random.below(34) as usize],
                        };
                        let form = match random.below(6) {
                            0 => Form::Optional,
                            1 => Form::List,
                            2 => Form::Array,
                            3 => Form::Map(random.below(6) as usize),
                            _ => Form::Implicit,
                        };
                        Field { kind, form }
                    })
                    .collect()
            })
            .collect();
        Self {
            messages,
            whole: random.one_in(2),
        }
    }

    fn proto(&self) -> String {
        let mut out = "enum E { E_UNSPECIFIED = 0; E_ON = 1; E_OFF = 2; }\n".to_owned();
        for (index, fields) in self.messages.iter().enumerate() {
            let _ = writeln!(out, "message {} {{", message(index as u64));
            for (number, field) in fields.iter().enumerate() {
                let name = match field.kind {
                    Kind::Scalar(proto, ..) => proto.to_owned(),
                    Kind::Enum => "E".to_owned(),
                    Kind::Message(id) => message(id),
                };
                // Numbers out of order, some of them large.
                let tag = (fields.len() - number) * if number % 2 == 0 { 1 } else { 100 };
                let typed = match field.form {
                    Form::Implicit => name,
                    Form::Optional => format!("optional {name}"),
                    Form::List | Form::Array => format!("repeated {name}"),
                    Form::Map(key) => format!("map<{}, {name}>", KEYS[key].0),
                };
                let _ = writeln!(out, "  {typed} f{number} = {tag};");
            }
            out.push_str("}\n");
        }
        out
    }

    fn binding(&self) -> String {
        let mut out =
            "services: [{java: t.S, proto: t.S}]\nenums: [{proto: t.E, java: t.Color}]\nmessages:\n"
                .to_owned();
        for (index, fields) in self.messages.iter().enumerate() {
            let name = message(index as u64);
            let _ = writeln!(out, "- proto: t.{name}");
            // The argument is spread where its message is not bound.
            if index > 0 || self.whole {
                let _ = writeln!(out, "  java: t.{name}");
            }
            let _ = writeln!(out, "  types:");
            for (number, field) in fields.iter().enumerate() {
                let boxed = match field.kind {
                    Kind::Scalar(_, _, boxed) => boxed.to_owned(),
                    Kind::Enum => "t.Color".to_owned(),
                    Kind::Message(id) => format!("t.{}", message(id)),
                };
                let java = match (field.form, field.kind) {
                    (Form::Implicit, Kind::Scalar(_, primitive, _)) => primitive.to_owned(),
                    (Form::Implicit | Form::Optional, _) => boxed,
                    (Form::List, _) => format!("java.util.List<{boxed}>"),
                    (Form::Array, Kind::Scalar("bytes" | "google.protobuf.BytesValue", ..)) => {
                        format!("{boxed}[]")
                    }
                    (Form::Array, Kind::Scalar(_, "char", _)) => "java.lang.Character[]".to_owned(),
                    (Form::Array, Kind::Scalar(_, "byte", _)) => "java.lang.Byte[]".to_owned(),
                    (Form::Array, Kind::Scalar(_, primitive, _)) => format!("{primitive}[]"),
                    (Form::Array, _) => format!("{boxed}[]"),
                    (Form::Map(key), _) => format!("java.util.Map<{},{boxed}>", KEYS[key].1),
                };
                let _ = writeln!(out, "    f{number}: '{java}'");
            }
        }
        out
    }

    fn value(&self, random: &mut Random, id: u64, depth: u32) -> Json {
        let mut object = serde_json::Map::new();
        for (number, field) in self.messages[id as usize].iter().enumerate() {
            let deep = depth > 3 && matches!(field.kind, Kind::Message(_));
            if deep || random.one_in(4) {
                continue;
            }
            let name = format!("f{number}");
            let value = match field.form {
                // A set 0 is Java's null, and so unset on the way back.
                Form::Optional if matches!(field.kind, Kind::Enum) => json!(1 + random.below(2)),
                Form::Implicit | Form::Optional => self.element(random, field.kind, depth),
                Form::List | Form::Array => {
                    let len = if random.one_in(10) { 200 } else { random.below(5) };
                    let len = if matches!(field.kind, Kind::Message(_)) {
                        len.min(3)
                    } else {
                        len
                    };
                    (0..len)
                        .map(|_| self.element(random, field.kind, depth))
                        .collect()
                }
                Form::Map(key) => {
                    let entries = (0..random.below(6)).map(|_| {
                        let key = match KEYS[key].0 {
                            "string" => random.text(),
                            "bool" => random.one_in(2).to_string(),
                            "uint32" => random.below(1 << 32).to_string(),
                            "int32" => random.signed(32).to_string(),
                            _ => random.signed(64).to_string(),
                        };
                        (key, self.element(random, field.kind, depth))
                    });
                    Json::Object(entries.collect())
                }
            };
            object.insert(name, value);
        }
        Json::Object(object)
    }

    fn element(&self, random: &mut Random, kind: Kind, depth: u32) -> Json {
        match kind {
            Kind::Message(id) if depth > 3 => {
                let _ = id;
                json!({})
            }
            Kind::Message(id) => self.value(random, id, depth + 1),
            Kind::Enum => json!(random.below(3)),
            Kind::Scalar(proto, java, boxed) => scalar(random, proto, java, boxed),
        }
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
    match (proto, java) {
        ("bool" | "google.protobuf.BoolValue", _) => json!(random.one_in(2)),
        (_, "byte") => json!(random.signed(8)),
        (_, "short") => json!(random.signed(16)),
        (_, "char") => json!(random.below(65_536)),
        ("uint32" | "fixed32", _) => json!(random.below(1 << 32)),
        ("uint64", "long") => json!(random.signed(64).unsigned_abs().min(i64::MAX as u64).to_string()),
        ("uint64", _) => json!(random.next().to_string()),
        ("float", _) => json!(f32::from_bits((random.next() as u32) & 0x7f7f_ffff)),
        ("double", _) => json!(f64::from_bits(random.next() & 0x7fef_ffff_ffff_ffff)),
        ("bytes" | "google.protobuf.BytesValue", _) => {
            let bytes: Vec<u8> = random.text().into_bytes();
            json!(base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        ("google.protobuf.Timestamp", "java.util.Date") => {
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

fn check(seed: u64) {
    let mut random = Random(seed);
    let schema = Schema::random(&mut random);
    let echo = Echo::new(&schema.proto(), &schema.binding());
    let method = echo.method();
    let mut scratch = Scratch::default();
    for _ in 0..4 {
        let json = schema.value(&mut random, 0, 0);
        let message = DynamicMessage::deserialize(echo.message(), &json)
            .unwrap_or_else(|error| panic!("{error}: {json}\n{}", schema.proto()));
        let bytes = message.encode_to_vec();
        // A default that was set is not on the wire.
        let message = DynamicMessage::decode(echo.message(), &*bytes).unwrap();
        let context = || format!("seed {seed}\n{}\n{}\n{json}", schema.proto(), schema.binding());
        let hessian = method
            .arguments_to_hessian(&bytes, &mut scratch, &Limits::DEFAULT)
            .unwrap_or_else(|error| panic!("{error}\n{}", context()));
        let back = method
            .arguments_to_protobuf(&hessian, &mut scratch, &Limits::DEFAULT)
            .unwrap_or_else(|error| panic!("{error}\n{}", context()));
        let again = DynamicMessage::decode(echo.message(), &*back).unwrap();
        assert!(
            again == message,
            "{}\n{}",
            context(),
            serde_json::to_string(&again).unwrap()
        );
        // What we write is itself a fixed point, byte for byte.
        let hessian_again = method
            .arguments_to_hessian(&back, &mut scratch, &Limits::DEFAULT)
            .unwrap();
        assert_eq!(
            method
                .arguments_to_protobuf(&hessian_again, &mut scratch, &Limits::DEFAULT)
                .unwrap(),
            back,
            "{}",
            context()
        );
        // A stream for each argument says the same.
        let streams = method
            .arguments_to_streams(&bytes, &mut scratch, &Limits::DEFAULT)
            .unwrap();
        let joined = method
            .streams_to_protobuf(&streams, &mut scratch, &Limits::DEFAULT)
            .unwrap();
        let joined = DynamicMessage::decode(echo.message(), &*joined).unwrap();
        assert!(joined == message, "streams of {}", context());
        // Broken bytes are refused or read, never worse.
        let mut broken = hessian.to_vec();
        for _ in 0..8 {
            let at = random.below(broken.len().max(1) as u64) as usize;
            if let Some(byte) = broken.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
            let _ = method.arguments_to_protobuf(&broken, &mut scratch, &Limits::DEFAULT);
            let _ = method.arguments_to_protobuf(&broken[..at], &mut scratch, &Limits::DEFAULT);
        }
        let mut broken = bytes.clone();
        for _ in 0..8 {
            let at = random.below(broken.len().max(1) as u64) as usize;
            if let Some(byte) = broken.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
            let _ = method.arguments_to_hessian(&broken, &mut scratch, &Limits::DEFAULT);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn protobuf_to_hessian_and_back_is_the_identity(seed: u64) {
        check(seed);
    }
}
