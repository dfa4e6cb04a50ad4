//! One value of every class that Java's hessian-lite 3 and 4 write in a form of their own, and what Java shows
//! of it (`tests/oracle/differential` writes the file: `oracle.Main special`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use codecs::hessian2::{Limits, Reader, Scratch, Token, TypeNames, skim};
use codecs::value::{Value, json};

struct Row {
    name: String,
    bytes: Vec<u8>,
    shown: String,
}

fn rows(release: &str) -> Vec<Row> {
    let path = format!(
        "{}/../tests/fixtures/hessian-special/{release}.tsv",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let rows = text.lines().filter(|line| !line.contains("\terror"));
    rows.map(|line| {
        let mut columns = line.split('\t').map(str::to_owned);
        let (name, hex) = (columns.next().unwrap(), columns.next().unwrap());
        let shown = columns.next().unwrap();
        let bytes = unhex(&hex);
        Row { name, bytes, shown }
    })
    .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn decode(bytes: &[u8]) -> Value {
    let (value, end) = Value::decode(bytes, &mut Scratch::new(), &Limits::DEFAULT).unwrap();
    assert_eq!(end, bytes.len());
    value
}

#[test]
fn every_special_class_is_read_and_written_again() {
    for release in ["hessian-lite-3.2.13", "hessian-lite-4.0.4"] {
        let rows = rows(release);
        assert!(rows.len() > 130, "{release}: {}", rows.len());
        for Row { name, bytes, .. } in rows {
            let value = decode(&bytes);
            for names in [TypeNames::Literal, TypeNames::Indexed] {
                let mut again = Vec::new();
                value.encode_as(&mut again, names);
                assert_eq!(decode(&again), value, "{release} {name}");
            }
            let skimmed = skim::skim(&bytes, &mut Scratch::new(), &Limits::DEFAULT).unwrap();
            assert_eq!(skimmed.end, bytes.len(), "{release} {name}");
            assert_eq!(skimmed.after.references, value.containers(), "{release} {name}");
            let mut scratch = Scratch::new();
            let mut reader = Reader::new(&bytes, &mut scratch, &Limits::DEFAULT);
            let mut open = 0usize;
            loop {
                match reader.read().unwrap() {
                    Token::ListStart { .. } | Token::MapStart { .. } | Token::ObjectStart { .. } => open += 1,
                    Token::End => open -= 1,
                    _ => {}
                }
                if open == 0 {
                    break;
                }
            }
            assert_eq!(reader.offset(), bytes.len(), "{release} {name}");
            let text = json::to_json(&value);
            assert_eq!(
                json::from_json(&text).as_ref(),
                Ok(&value),
                "{release} {name}: {text}"
            );
        }
    }
}

/// Where typed JSON has a text for a class, it is the text of Java itself.
#[test]
fn texts_of_typed_json_are_those_of_java() {
    let mut compared = Vec::new();
    for release in ["hessian-lite-3.2.13", "hessian-lite-4.0.4"] {
        for Row { name, bytes, shown } in rows(release) {
            let text = json::to_json(&decode(&bytes));
            let shown = shown.strip_suffix(')').and_then(|shown| shown.split_once('('));
            let leaf = text
                .strip_prefix("{\"t\":\"")
                .and_then(|text| text.strip_suffix("\"}"))
                .and_then(|text| text.split_once("\",\"v\":\""));
            let (Some((class, java)), Some((our_class, ours))) = (shown, leaf) else {
                continue;
            };
            let java = java.strip_prefix("class ").unwrap_or(java);
            assert_eq!((our_class, ours), (class, java), "{release} {name}");
            compared.push(name);
        }
    }
    for class in [
        "BigDecimal",
        "BigDecimal-exponent",
        "BigInteger",
        "BigInteger-negative",
        "LongAdder",
        "Instant-min",
        "Instant-max",
        "UUID",
        "Locale",
        "Class",
        "AtomicLong",
        "LocalDate",
        "LocalDate-minus",
        "LocalDate-far",
        "LocalTime-minute",
        "LocalDateTime",
        "Instant",
        "Instant-before",
        "Duration",
        "Duration-negative",
        "Duration-small",
        "Duration-zero",
        "Period",
        "Period-zero",
        "Year",
        "YearMonth",
        "MonthDay",
        "ZoneId",
        "ZoneOffset",
        "OffsetTime",
        "OffsetDateTime",
        "OffsetDateTime-utc",
        "ZonedDateTime",
        "ZonedDateTime-offset",
    ] {
        assert!(
            compared.iter().any(|name| name == class),
            "{class} in {compared:?}"
        );
    }
}

/// A number and its negative share their words: a text would leave the reference to them without its target.
#[test]
fn what_is_shared_inside_of_a_text_is_kept() {
    let row = rows("hessian-lite-4.0.4")
        .into_iter()
        .find(|row| row.name == "BigInteger-shared-words")
        .unwrap();
    let value = decode(&row.bytes);
    let text = json::to_json(&value);
    assert_eq!(json::from_json(&text), Ok(value), "{text}");
    assert!(!text.contains("4294967295"), "{text}");
}

/// One value as typed JSON and as bytes, both ways.
fn both_ways(text: &str, value: &Value) {
    assert_eq!(json::to_json(value), text);
    assert_eq!(json::from_json(text).as_ref(), Ok(value), "{text}");
}

/// What the array's type tells of its elements, and what does not fit into it.
#[test]
fn elements_have_the_class_of_their_array() {
    let ints = [Value::Int(-128), Value::Int(300), Value::Int(70_000), Value::Null];
    both_ways(
        r#"{"t":"[S","v":[{"t":"java.lang.Short","v":-128},{"t":"java.lang.Short","v":300},{"t":"java.lang.Integer","v":70000},null]}"#,
        &Value::typed_list("[short", ints.clone()),
    );
    both_ways(
        r#"{"t":"[Ljava.lang.Byte;","v":[{"t":"java.lang.Byte","v":-128},{"t":"java.lang.Integer","v":300},{"t":"java.lang.Integer","v":70000},null]}"#,
        &Value::typed_list("[java.lang.Byte", ints),
    );
    // A float[] widens by its bits, a Float by its digits.
    let doubles = [
        f64::from(0.1f32),
        0.1,
        f64::NAN,
        f64::from_bits(0x7ff8_0000_0000_0001),
    ];
    let doubles = doubles.map(Value::Double);
    let odd = r#"{"t":"java.lang.Float","v":"NaN"},{"t":"java.lang.Double","v":"NaN(7ff8000000000001)"}"#;
    both_ways(
        &format!(
            r#"{{"t":"[F","v":[{{"t":"java.lang.Float","v":"0.1"}},{{"t":"java.lang.Double","v":"0.1"}},{odd}]}}"#
        ),
        &Value::typed_list("[float", doubles.clone()),
    );
    both_ways(
        &format!(
            r#"{{"t":"[Ljava.lang.Float;","v":[{{"t":"java.lang.Double","v":"0.10000000149011612"}},{{"t":"java.lang.Float","v":"0.1"}},{odd}]}}"#
        ),
        &Value::typed_list("[java.lang.Float", doubles),
    );
    both_ways(
        r#"{"t":"[Ljava.lang.Character;","v":[{"t":"java.lang.Character","v":"\ud83d"},{"t":"java.lang.String","v":"ab"}]}"#,
        &Value::typed_list(
            "[java.lang.Character",
            [
                Value::String(codecs::hessian2::JavaText::from_utf16([0xd83d])),
                Value::from("ab"),
            ],
        ),
    );
    both_ways(
        r#"{"t":"[[C","v":[{"t":"[C","v":"ab"},null]}"#,
        &Value::typed_list("[[char", [Value::from("ab"), Value::Null]),
    );
    both_ways(
        r#"{"t":"[C","v":[{"t":"java.lang.Character","v":"a"}]}"#,
        &Value::typed_list("[char", [Value::from("a")]),
    );
    both_ways(
        r#"{"t":"java.util.Collections$SetFromMap","v":[]}"#,
        &Value::typed_list("java.util.Collections$SetFromMap", []),
    );
}

fn color(name: &str) -> Value {
    Value::object("a.Color", [("name", Value::from(name))])
}

fn enum_set(constants: Vec<Value>) -> Value {
    let class = Value::object("java.lang.Class", [("name", Value::from("a.Color"))]);
    Value::object(
        "com.alibaba.com.caucho.hessian.io.EnumSetHandler",
        [
            ("objects", Value::typed_list("[object", constants)),
            ("type", class),
        ],
    )
}

#[test]
fn an_enum_set_is_the_list_that_java_shows() {
    let shared = Value::List(
        [
            color("RED"),
            enum_set(vec![color("RED"), color("BLUE")]),
            Value::Ref(6),
            color("RED"),
        ]
        .into(),
    );
    // List 0, RED 1, set 2 (list 3, constants 4 and 5, class 6): a set whose class is met again shows its wire form.
    let text = json::to_json(&shared);
    assert!(text.contains("EnumSetHandler"), "{text}");
    assert_eq!(json::from_json(&text), Ok(shared));
    let met_again = Value::List(
        [
            enum_set(vec![color("RED")]),
            Value::List([].into()),
            Value::Ref(1),
            Value::Ref(5),
        ]
        .into(),
    );
    both_ways(
        r#"{"t":"java.util.ArrayList","v":[{"t":"java.util.RegularEnumSet","id":0,"v":[{"t":"a.Color","v":"RED"}]},{"t":"java.util.ArrayList","id":1,"v":[]},{"ref":0},{"ref":1}]}"#,
        &met_again,
    );
    // Of an empty one, and of one of two classes, the list tells too little.
    for wire in [
        enum_set(Vec::new()),
        enum_set(vec![
            color("RED"),
            Value::object("a.Form", [("name", Value::from("ROUND"))]),
        ]),
        enum_set(vec![Value::Null]),
    ] {
        let text = json::to_json(&wire);
        assert!(text.contains("EnumSetHandler"), "{text}");
        assert_eq!(json::from_json(&text), Ok(wire));
    }
    both_ways(
        r#"{"t":"java.util.RegularEnumSet","w":"java.util.RegularEnumSet","v":[]}"#,
        &Value::typed_list("java.util.RegularEnumSet", []),
    );
}

/// Its caches are no part of the number, but of the bytes.
#[test]
fn a_big_integer_that_was_asked_is_still_a_text() {
    for release in ["hessian-lite-3.2.13", "hessian-lite-4.0.4"] {
        let row = rows(release)
            .into_iter()
            .find(|row| row.name == "BigInteger-asked")
            .unwrap();
        both_ways(
            r#"{"t":"java.math.BigInteger","w":[0,130,130,2],"v":"340282366920938463463374607431768211456"}"#,
            &decode(&row.bytes),
        );
    }
}

/// What Java's own printer (`tests/peers/java`) shows where the wire has more, or something else.
#[test]
fn typed_json_of_javas_printer_is_read() {
    let is = |text: &str, value: Value| assert_eq!(json::from_json(text), Ok(value), "{text}");
    is(r#"{"t":"java.lang.Float","v":"0.1"}"#, Value::Double(0.1));
    is(r#"{"t":"java.lang.Byte","v":-1}"#, Value::Int(-1));
    is(r#"{"t":"java.lang.Double","v":-1.5e3}"#, Value::Double(-1500.0));
    is(r#"{"t":"java.lang.Character","v":"\u0000"}"#, Value::from("\0"));
    is(r#"{"t":"a.Color","v":"BlueGrey"}"#, color("BlueGrey"));
    is(
        r#"{"t":"java.util.JumboEnumSet","v":[{"t":"a.Color","v":"RED"}]}"#,
        enum_set(vec![color("RED")]),
    );
    is(
        r#"{"t":"java.lang.StackTraceElement","v":"a.B.m(B.java:7)"}"#,
        Value::object(
            "java.lang.StackTraceElement",
            [
                ("lineNumber", Value::Int(7)),
                ("fileName", Value::from("B.java")),
                ("methodName", Value::from("m")),
                ("declaringClass", Value::from("a.B")),
            ],
        ),
    );
    // What begins behind a Throwable is numbered behind its two lists: the map is 6, not 4.
    let empty = |name: &str| Value::typed_list(name, []);
    let thrown = |message: &str, cause: Value, code: Option<i32>| {
        let code = code.map(|code| ("code", Value::Int(code)));
        let fields = [
            ("detailMessage", Value::from(message)),
            ("cause", cause),
            ("suppressedExceptions", empty("java.util.Collections$EmptyList")),
            ("stackTrace", empty("[java.lang.StackTraceElement")),
        ];
        Value::object("a.Bad", fields.into_iter().chain(code))
    };
    is(
        r#"{"t":"java.util.ArrayList","v":[{"t":"a.Bad","v":{"message":{"t":"java.lang.String","v":"out"},"cause":{"t":"a.Bad","v":{"message":{"t":"java.lang.String","v":"in"},"cause":null,"suppressed":{"t":"java.lang.Integer","v":0},"frames":{"t":"java.lang.Integer","v":0}}},"suppressed":{"t":"java.lang.Integer","v":0},"frames":{"t":"java.lang.Integer","v":0},"code":{"t":"java.lang.Integer","v":7}}},{"t":"java.util.HashMap","id":0,"v":[]},{"ref":0}]}"#,
        Value::List(
            [
                thrown("out", thrown("in", Value::Ref(2), None), Some(7)),
                Value::Map([].into()),
                Value::Ref(7),
            ]
            .into(),
        ),
    );
    both_ways(r#"{"t":"java.lang.Object","v":{}}"#, &Value::object("object", []));
    both_ways(
        r#"{"t":"java.lang.Object","w":"java.lang.Object","v":{}}"#,
        &Value::object("java.lang.Object", []),
    );
    // A bean with such fields is not taken for one.
    both_ways(
        r#"{"t":"a.Bean","w":"a.Bean","v":{"message":null,"cause":null,"suppressed":{"t":"java.lang.Integer","v":3},"frames":{"t":"java.lang.Integer","v":0}}}"#,
        &Value::object(
            "a.Bean",
            [
                ("message", Value::Null),
                ("cause", Value::Null),
                ("suppressed", Value::Int(3)),
                ("frames", Value::Int(0)),
            ],
        ),
    );
}

#[test]
fn typed_json_that_says_nothing_clear_is_refused() {
    for text in [
        r#"{"t":"java.lang.Boolean","v":yes}"#,
        r#"{"t":"java.lang.Boolean","v":1}"#,
        r#"{"t":"java.lang.String","v":"\u+041"}"#,
        r#"{"t":"java.lang.Integer","v":2147483648}"#,
        r#"{"t":"java.math.BigInteger","v":"007"}"#,
        r#"{"ref":0}"#,
        r#"{"t":"java.lang.Byte","v":128}"#,
        r#"{"t":"java.lang.Short","v":-32769}"#,
        r#"{"t":"java.lang.Integer","v":007}"#,
        r#"{"t":"java.lang.Integer","v":+7}"#,
        r#"{"t":"java.lang.Integer","v":"SEVEN"}"#,
        r#"{"t":"java.lang.Integer","v":"7"}"#,
        r#"{"t":"java.lang.Long","v":9223372036854775808}"#,
        r#"{"t":"java.lang.Double","v":"1e999"}"#,
        r#"{"t":"java.lang.Float","v":"1e39"}"#,
        r#"{"t":"java.lang.Character","v":"ab"}"#,
        r#"{"t":"java.math.BigDecimal","v":"ABC"}"#,
        r#"{"t":"java.util.UUID","v":"ABC"}"#,
        r#"{"t":"java.time.LocalDate","v":"ABC"}"#,
        r#"{"t":"java.time.Instant","v":"2024-02-30T00:00:00Z"}"#,
        r#"{"t":"java.time.Instant","v":"2024-02-29T24:00:00Z"}"#,
        r#"{"t":"java.util.ArrayList","v":"ABC"}"#,
        r#"{"t":"a.B","v":"two words"}"#,
        r#"{"t":"a.B","t":"a.B","v":"A"}"#,
        r#"{"t":"java.util.ArrayList","id":0,"v":[{"t":"java.util.ArrayList","id":0,"v":[]}]}"#,
        r#"{"t":"java.util.ArrayList","v":[{"ref":0},{"t":"java.util.ArrayList","id":0,"v":[]}]}"#,
        r#"{"t":"java.util.HashMap","v":[[null]]}"#,
        r#"{"t":"java.util.ArrayList","v":[null,]}"#,
        r#"{"t":"java.util.RegularEnumSet","v":[]}"#,
        r#"{"t":"java.lang.String","v":{"len":5000,"head":"ab"}}"#,
        r#"{"t":"a.Bad","v":{"message":null,"cause":null,"suppressed":{"t":"java.lang.Integer","v":0},"frames":{"t":"java.lang.Integer","v":9}}}"#,
    ] {
        assert!(json::from_json(text).is_err(), "{text}");
    }
    let error = json::from_json(r#"{"t":"java.lang.Byte","v": 128}"#).unwrap_err();
    let want = "typed JSON, byte 27: v is no number or boolean of class t";
    assert_eq!(error.to_string(), want);
}
