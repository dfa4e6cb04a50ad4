//! Types, nulls, collections and objects as protobuf has them, both ways.

use super::*;
use crate::protobuf::Rule;

pub(super) const IO8: &str = "com.alibaba.com.caucho.hessian.io.java8";

/// A row: message M has one field, class t.M has one field `v` of `java`.
pub(super) fn row(proto_field: &str, java: &str, options: &str) -> Echo {
    let enums = "enum E { E_UNSPECIFIED = 0; E_ON = 1; E_OFF = 2; }";
    Echo::new(
        &format!("{enums}\nmessage M {{ {proto_field} v = 1; }}"),
        &format!(
            "services: [{{java: t.S, proto: t.S}}]\nmessages:\n- proto: t.M\n  java: t.M\n  types: {{v: \"{java}\"}}\n  \
             options: {{v: {{{options}}}}}\nenums: [{{proto: t.E, java: t.Color}}]\n"
        ),
    )
}

pub(super) fn m(value: Value) -> Value {
    Value::object("t.M", [("v", value)])
}

pub(super) fn one(class: &str, value: Value) -> Value {
    Value::object(class, [("value", value)])
}

pub(super) fn ints(class: &str, fields: &[(&str, i32)]) -> Value {
    Value::object(
        &format!("{IO8}.{class}"),
        fields.iter().map(|(name, value)| (*name, Value::Int(*value))),
    )
}

pub(super) fn local_date_time(time: [i32; 4]) -> Value {
    let [hour, minute, second, nano] = time;
    Value::object(
        &format!("{IO8}.LocalDateTimeHandle"),
        [
            (
                "date",
                ints("LocalDateHandle", &[("year", 2024), ("month", 2), ("day", 29)]),
            ),
            (
                "time",
                ints(
                    "LocalTimeHandle",
                    &[
                        ("hour", hour),
                        ("minute", minute),
                        ("second", second),
                        ("nano", nano),
                    ],
                ),
            ),
        ],
    )
}

pub(super) fn big(signum: i32, words: &[i32]) -> Value {
    Value::object(
        "java.math.BigInteger",
        [
            ("signum", Value::Int(signum)),
            (
                "mag",
                Value::typed_list("[int", words.iter().map(|w| Value::Int(*w)).collect::<Vec<_>>()),
            ),
        ],
    )
}

#[test]
fn every_scalar_row_crosses_both_ways() {
    let uuid = "123e4567-e89b-12d3-a456-426614174000";
    let rows: Vec<(&str, &str, Value, Json)> = vec![
        ("bool", "boolean", Value::Bool(true), json!(true)),
        ("bool", "java.lang.Boolean", Value::Bool(true), json!(true)),
        ("int32", "byte", Value::Int(-128), json!(-128)),
        ("sint32", "java.lang.Byte", Value::Int(127), json!(127)),
        ("int32", "short", Value::Int(-32768), json!(-32768)),
        ("string", "char", text("é"), json!("é")),
        ("int32", "char", text("A"), json!(65)),
        ("uint32", "char", text("\u{ffff}"), json!(65535)),
        ("int32", "int", Value::Int(i32::MIN), json!(i32::MIN)),
        ("sint32", "int", Value::Int(i32::MIN), json!(i32::MIN)),
        ("sfixed32", "int", Value::Int(i32::MAX), json!(i32::MAX)),
        ("int64", "int", Value::Int(-1), json!("-1")),
        ("uint32", "int", Value::Int(7), json!(7)),
        ("uint64", "int", Value::Int(7), json!("7")),
        (
            "int64",
            "long",
            Value::Long(i64::MIN),
            json!(i64::MIN.to_string()),
        ),
        (
            "sint64",
            "long",
            Value::Long(i64::MIN),
            json!(i64::MIN.to_string()),
        ),
        (
            "sfixed64",
            "java.lang.Long",
            Value::Long(i64::MAX),
            json!(i64::MAX.to_string()),
        ),
        ("uint64", "long", Value::Long(5), json!("5")),
        ("fixed64", "long", Value::Long(5), json!("5")),
        ("string", "long", Value::Long(-5), json!("-5")),
        ("float", "float", Value::Double(1.5), json!(1.5)),
        ("float", "float", Value::Double(0.1), json!(0.1f32)),
        ("double", "float", Value::Double(0.1), json!(0.1)),
        ("double", "double", Value::Double(1e300), json!(1e300)),
        ("string", "java.lang.String", text("Zoë 😀"), json!("Zoë 😀")),
        ("bytes", "java.lang.String", text("é"), json!("w6k=")),
        ("E", "java.lang.String", text("ON"), json!("E_ON")),
        ("bytes", "byte[]", Value::Binary([0, 255].into()), json!("AP8=")),
        ("string", "char[]", text("ab"), json!("ab")),
        (
            "string",
            "java.math.BigDecimal",
            one("java.math.BigDecimal", text("1.50E+3")),
            json!("1.50E+3"),
        ),
        (
            "string",
            "java.math.BigInteger",
            big(-1, &[1, 0]),
            json!("-4294967296"),
        ),
        ("string", "java.math.BigInteger", big(0, &[]), json!("0")),
        (
            "int64",
            "java.math.BigInteger",
            big(1, &[-1]),
            json!("4294967295"),
        ),
        (
            "uint64",
            "java.math.BigInteger",
            big(1, &[-1, -1]),
            json!(u64::MAX.to_string()),
        ),
        ("bytes", "java.math.BigInteger", big(-1, &[128]), json!("gA==")),
        (
            "google.protobuf.Timestamp",
            "java.util.Date",
            Value::Date(-1),
            json!("1969-12-31T23:59:59.999Z"),
        ),
        ("int64", "java.util.Date", Value::Date(-1), json!("-1")),
        (
            "string",
            "java.util.Date",
            Value::Date(1),
            json!("1970-01-01T00:00:00.001Z"),
        ),
        (
            "google.protobuf.Timestamp",
            "java.sql.Timestamp",
            one("java.sql.Timestamp", Value::Date(1500)),
            json!("1970-01-01T00:00:01.500Z"),
        ),
        (
            "string",
            "java.sql.Date",
            one("java.sql.Date", Value::Date(86_400_000)),
            json!("1970-01-02"),
        ),
        (
            "string",
            "java.sql.Time",
            one("java.sql.Time", Value::Date(3_661_000)),
            json!("01:01:01"),
        ),
        (
            "string",
            "java.time.LocalDate",
            ints("LocalDateHandle", &[("year", 2024), ("month", 2), ("day", 29)]),
            json!("2024-02-29"),
        ),
        (
            "string",
            "java.time.LocalDateTime",
            local_date_time([23, 59, 58, 123_456_789]),
            json!("2024-02-29T23:59:58.123456789"),
        ),
        (
            "string",
            "java.time.LocalTime",
            ints(
                "LocalTimeHandle",
                &[("hour", 1), ("minute", 2), ("second", 0), ("nano", 0)],
            ),
            json!("01:02"),
        ),
        (
            "int32",
            "java.time.Year",
            ints("YearHandle", &[("year", 2024)]),
            json!(2024),
        ),
        (
            "string",
            "java.time.YearMonth",
            ints("YearMonthHandle", &[("year", 2024), ("month", 2)]),
            json!("2024-02"),
        ),
        (
            "string",
            "java.time.MonthDay",
            ints("MonthDayHandle", &[("month", 2), ("day", 29)]),
            json!("--02-29"),
        ),
        (
            "string",
            "java.time.Period",
            ints("PeriodHandle", &[("years", 1), ("months", 0), ("days", -3)]),
            json!("P1Y-3D"),
        ),
        (
            "string",
            "java.time.ZoneOffset",
            ints("ZoneOffsetHandle", &[("seconds", 28_800)]),
            json!("+08:00"),
        ),
        (
            "string",
            "java.time.ZoneId",
            Value::object(
                &format!("{IO8}.ZoneIdHandle"),
                [("zoneId", text("Asia/Shanghai"))],
            ),
            json!("Asia/Shanghai"),
        ),
        (
            "string",
            "java.util.UUID",
            one("java.util.UUID", text(uuid)),
            json!(uuid),
        ),
        (
            "bytes",
            "java.util.UUID",
            one("java.util.UUID", text(uuid)),
            json!("Ej5FZ+ibEtOkVkJmFBdAAA=="),
        ),
        (
            "string",
            "java.util.Locale",
            one("com.alibaba.com.caucho.hessian.io.LocaleHandle", text("zh_CN")),
            json!("zh_CN"),
        ),
        (
            "string",
            "java.util.Currency",
            Value::object("java.util.Currency", [("currencyCode", text("EUR"))]),
            json!("EUR"),
        ),
        (
            "string",
            "java.net.URI",
            Value::object("java.net.URI", [("string", text("http://a"))]),
            json!("http://a"),
        ),
        (
            "string",
            "java.lang.Class",
            Value::object("java.lang.Class", [("name", text("t.M"))]),
            json!("t.M"),
        ),
        (
            "int32",
            "java.util.concurrent.atomic.AtomicInteger",
            one("java.util.concurrent.atomic.AtomicInteger", Value::Int(3)),
            json!(3),
        ),
        (
            "E",
            "t.Color",
            Value::object("t.Color", [("name", text("OFF"))]),
            json!("E_OFF"),
        ),
        (
            "string",
            "t.Color",
            Value::object("t.Color", [("name", text("OFF"))]),
            json!("OFF"),
        ),
        (
            "google.protobuf.Int32Value",
            "java.lang.Integer",
            Value::Int(0),
            json!(0),
        ),
        (
            "google.protobuf.StringValue",
            "java.lang.String",
            text(""),
            json!(""),
        ),
        ("optional int32", "java.lang.Integer", Value::Int(0), json!(0)),
        ("optional string", "java.lang.String", text(""), json!("")),
    ];
    for (proto, java, value, want) in rows {
        let echo = row(proto, java, "");
        let want = json!({"v": want});
        let got = echo.to_json(&m(value.clone()));
        let got = got.unwrap_or_else(|error| panic!("{java} to {proto}: {error}"));
        // A float prints with fewer digits than the double it is read into.
        match (&got["v"], &want["v"]) {
            (Json::Number(a), Json::Number(b)) if a.is_f64() => {
                assert!(
                    (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-7,
                    "{java} to {proto}"
                );
            }
            _ => assert_eq!(got, want, "{java} to {proto}"),
        }
        let back = echo.from_json(&got);
        let back = back.unwrap_or_else(|error| panic!("{proto} to {java}: {error}"));
        assert_eq!(back, m(value), "{proto} to {java}");
    }
}

#[test]
fn time_rows_with_their_own_forms() {
    let instant = |seconds, nanos| {
        Value::object(
            &format!("{IO8}.InstantHandle"),
            [("seconds", Value::Long(seconds)), ("nanos", Value::Int(nanos))],
        )
    };
    row("google.protobuf.Timestamp", "java.time.Instant", "").both(
        &m(instant(-1, 5)),
        &json!({"v": "1969-12-31T23:59:59.000000005Z"}),
    );
    let duration = Value::object(
        &format!("{IO8}.DurationHandle"),
        [("seconds", Value::Long(-2)), ("nanos", Value::Int(500_000_000))],
    );
    row("google.protobuf.Duration", "java.time.Duration", "").both(&m(duration), &json!({"v": "-1.500s"}));
    let zoned = Value::object(
        &format!("{IO8}.ZonedDateTimeHandle"),
        [
            ("dateTime", local_date_time([8, 0, 0, 0])),
            ("offset", ints("ZoneOffsetHandle", &[("seconds", 28_800)])),
            ("zoneId", text("Asia/Shanghai")),
        ],
    );
    row("string", "java.time.ZonedDateTime", "").both(
        &m(zoned.clone()),
        &json!({"v": "2024-02-29T08:00+08:00[Asia/Shanghai]"}),
    );
    let echo = row("google.protobuf.Timestamp", "java.time.ZonedDateTime", "");
    assert_eq!(
        echo.to_json(&m(zoned)).unwrap(),
        json!({"v": "2024-02-29T00:00:00Z"})
    );
    let offset = Value::object(
        &format!("{IO8}.OffsetDateTimeHandle"),
        [
            ("dateTime", local_date_time([8, 0, 0, 1_000_000])),
            ("offset", ints("ZoneOffsetHandle", &[("seconds", -3600)])),
        ],
    );
    row("string", "java.time.OffsetDateTime", "")
        .both(&m(offset), &json!({"v": "2024-02-29T08:00:00.001-01:00"}));
    let calendar = Value::object(
        "com.alibaba.com.caucho.hessian.io.CalendarHandle",
        [("type", Value::Null), ("date", Value::Date(5))],
    );
    row("google.protobuf.Timestamp", "java.util.Calendar", "")
        .both(&m(calendar), &json!({"v": "1970-01-01T00:00:00.005Z"}));
    // Older peers write a UUID as two longs.
    let two = Value::object(
        "java.util.UUID",
        [("mostSigBits", Value::Long(1)), ("leastSigBits", Value::Long(-1))],
    );
    assert_eq!(
        row("string", "java.util.UUID", "").to_json(&m(two)).unwrap(),
        json!({"v": "00000000-0000-0001-ffff-ffffffffffff"})
    );
}

#[test]
fn values_out_of_range_or_of_another_kind_are_refused() {
    for (proto, java, value, rule) in [
        ("int32", "byte", Value::Int(128), Rule::Range),
        ("int32", "short", Value::Int(40_000), Rule::Range),
        ("uint32", "int", Value::Int(-1), Rule::Range),
        ("uint64", "long", Value::Long(-1), Rule::Range),
        ("int32", "int", Value::Long(1 << 40), Rule::Range),
        ("int32", "int", text("1"), Rule::Kind),
        ("string", "java.lang.String", Value::Int(1), Rule::Kind),
        ("float", "float", Value::Double(1e300), Rule::Range),
        ("double", "double", Value::Long((1 << 53) + 1), Rule::Range),
        ("string", "char", text("ab"), Rule::Format),
        (
            "string",
            "java.math.BigDecimal",
            one("java.math.BigDecimal", text("1,5")),
            Rule::Format,
        ),
        ("bytes", "byte[]", text("x"), Rule::Kind),
        (
            "google.protobuf.Timestamp",
            "java.util.Date",
            Value::Date(i64::MAX),
            Rule::Range,
        ),
        (
            "google.protobuf.Timestamp",
            "java.util.Date",
            Value::Long(1),
            Rule::Kind,
        ),
        (
            "string",
            "java.time.LocalDate",
            ints("LocalDateHandle", &[("year", 2024), ("month", 13), ("day", 1)]),
            Rule::Format,
        ),
        ("bool", "boolean", Value::Int(1), Rule::Kind),
    ] {
        let error = row(proto, java, "").to_json(&m(value)).unwrap_err();
        assert_eq!(error.rule, rule, "{java} to {proto}: {error}");
        assert_eq!(
            (error.path.as_str(), error.method.as_str()),
            ("v", "t.S.echo"),
            "{error}"
        );
    }
    for (proto, java, value, rule) in [
        ("int32", "byte", json!(200), Rule::Range),
        ("uint64", "long", json!(u64::MAX.to_string()), Rule::Range),
        ("string", "java.time.LocalDate", json!("2024-02-30"), Rule::Format),
        ("string", "char", json!("ab"), Rule::Format),
        ("string", "java.math.BigDecimal", json!("abc"), Rule::Format),
        ("E", "t.Color", json!(9), Rule::UnknownEnum),
    ] {
        let error = row(proto, java, "").from_json(&json!({"v": value})).unwrap_err();
        assert_eq!(error.rule, rule, "{proto} to {java}: {error}");
    }
    // What the binding allows.
    let echo = row("uint64", "long", "reinterpret: true");
    echo.both(&m(Value::Long(-1)), &json!({"v": u64::MAX.to_string()}));
    let echo = row("float", "double", "allow_narrow: true");
    assert_eq!(echo.to_json(&m(Value::Double(0.5))).unwrap(), json!({"v": 0.5}));
}

#[test]
fn presence_and_null() {
    // Implicit presence: null becomes the default, the default is the value.
    let echo = row("string", "java.lang.String", "");
    assert_eq!(echo.to_json(&m(Value::Null)).unwrap(), json!({}));
    assert_eq!(echo.from_json(&json!({})).unwrap(), m(text("")));
    row("string", "java.lang.String", "zero_as_null: true").both(&m(Value::Null), &json!({}));
    assert_eq!(
        row("int32", "int", "").from_json(&json!({})).unwrap(),
        m(Value::Int(0))
    );
    // Optional: unset is null.
    row("optional string", "java.lang.String", "").both(&m(Value::Null), &json!({}));
    row("google.protobuf.Int64Value", "java.lang.Long", "").both(&m(Value::Null), &json!({}));
    let optional = row("optional int32", "int", "");
    assert_eq!(optional.from_json(&json!({})).unwrap(), m(Value::Int(0)));
    // An enum whose zero says nothing stands for null.
    row("E", "t.Color", "").both(&m(Value::Null), &json!({}));
    // Collections.
    let echo = row("repeated int32", "java.util.List<java.lang.Integer>", "");
    assert_eq!(echo.to_json(&m(Value::Null)).unwrap(), json!({}));
    assert_eq!(echo.from_json(&json!({})).unwrap(), m(list([])));
    row(
        "repeated int32",
        "java.util.List<java.lang.Integer>",
        "empty_as_null: true",
    )
    .both(&m(Value::Null), &json!({}));
    let nulls = m(list([Value::Int(1), Value::Null]));
    let error = row("repeated int32", "java.util.List<java.lang.Integer>", "")
        .to_json(&nulls)
        .unwrap_err();
    assert_eq!((error.rule, error.path.as_str()), (Rule::NullElement, "v[1]"));
    let drop = row(
        "repeated int32",
        "java.util.List<java.lang.Integer>",
        "null_element: drop",
    );
    assert_eq!(drop.to_json(&nulls).unwrap(), json!({"v": [1]}));
    let default = row(
        "repeated int32",
        "java.util.List<java.lang.Integer>",
        "null_element: allow",
    );
    assert_eq!(default.to_json(&nulls).unwrap(), json!({"v": [1, 0]}));
}

#[test]
fn strict_refuses_what_lax_counts() {
    let echo = Echo::new(
        "message M { string v = 1; }",
        "strict: true\nservices: [{java: t.S, proto: t.S}]\nmessages: [{proto: t.M, java: t.M}]",
    );
    let error = echo.to_json(&m(Value::Null)).unwrap_err();
    assert_eq!(error.rule, Rule::NullToDefault);
    let lone = m(Value::String(JavaText::from_utf16([0xd800])));
    assert_eq!(echo.to_json(&lone).unwrap_err().rule, Rule::Surrogate);

    let lax = row("string", "java.lang.String", "");
    let mut scratch = Scratch::default();
    let bytes = lax
        .method()
        .arguments_to_protobuf(&encode(&lone), &mut scratch, &Limits::DEFAULT)
        .unwrap();
    assert_eq!(json_of(&lax.message(), &bytes), json!({"v": "\u{fffd}"}));
    assert_eq!(scratch.lossy.count(Rule::Surrogate), 1);
    assert_eq!(scratch.lossy.iter().collect::<Vec<_>>(), [(Rule::Surrogate, 1)]);
    scratch.lossy.clear();
    assert_eq!(scratch.lossy.iter().count(), 0);
}

#[test]
fn collections_of_every_kind() {
    let longs = [Value::Long(1), Value::Long(-1)];
    let json = json!({"v": ["1", "-1"]});
    row("repeated int64", "java.util.List<java.lang.Long>", "").both(&m(list(longs.clone())), &json);
    row("repeated int64", "long[]", "").both(&m(Value::typed_list("[long", longs.clone())), &json);
    row("repeated sfixed64", "long[]", "").both(&m(Value::typed_list("[long", longs.clone())), &json);
    row("repeated int64", "java.util.Set<java.lang.Long>", "")
        .both(&m(Value::typed_list("java.util.HashSet", longs.clone())), &json);
    row(
        "repeated int64",
        "java.util.Queue<java.lang.Long>",
        "java_type: java.util.LinkedList",
    )
    .both(&m(Value::typed_list("java.util.LinkedList", longs)), &json);
    row("repeated string", "java.lang.String[]", "").both(
        &m(Value::typed_list("[string", [text("a"), text("")])),
        &json!({"v": ["a", ""]}),
    );
    // The same element twice for a Set.
    let set = row("repeated string", "java.util.Set<java.lang.String>", "");
    assert_eq!(
        set.from_json(&json!({"v": ["a", "b", "a"]})).unwrap(),
        m(Value::typed_list("java.util.HashSet", [text("a"), text("b")]))
    );
    // Java 2.7 types its lists; any list is read.
    let typed = m(Value::typed_list("java.util.ArrayList", [text("x")]));
    assert_eq!(set.to_json(&typed).unwrap(), json!({"v": ["x"]}));
}

#[test]
fn maps_have_sorted_keys() {
    let map = |entries: &[(Value, Value)]| m(Value::Map(entries.to_vec().into()));
    row(
        "map<string, int32>",
        "java.util.Map<java.lang.String,java.lang.Integer>",
        "",
    )
    .both(
        &map(&[(text("a"), Value::Int(1)), (text("b"), Value::Int(0))]),
        &json!({"v": {"a": 1, "b": 0}}),
    );
    // A Long key is a long on the wire, or Java never finds it.
    row(
        "map<int64, string>",
        "java.util.Map<java.lang.Long,java.lang.String>",
        "",
    )
    .both(
        &map(&[(Value::Long(-1), text("x")), (Value::Long(2), text("y"))]),
        &json!({"v": {"-1": "x", "2": "y"}}),
    );
    row(
        "map<sint32, string>",
        "java.util.TreeMap<java.lang.Integer,java.lang.String>",
        "",
    )
    .both(
        &m(Value::typed_map(
            "java.util.TreeMap",
            [(Value::Int(-5), text("x")), (Value::Int(3), text("y"))],
        )),
        &json!({"v": {"-5": "x", "3": "y"}}),
    );
    row(
        "map<bool, string>",
        "java.util.Map<java.lang.Boolean,java.lang.String>",
        "",
    )
    .both(
        &map(&[(Value::Bool(true), text("x"))]),
        &json!({"v": {"true": "x"}}),
    );
    let color = |name: &str| Value::object("t.Color", [("name", text(name))]);
    row(
        "map<string, string>",
        "java.util.Map<t.Color,java.lang.String>",
        "",
    )
    .both(&map(&[(color("ON"), text("x"))]), &json!({"v": {"ON": "x"}}));
    let echo = row(
        "map<string, int32>",
        "java.util.Map<java.lang.String,java.lang.Integer>",
        "",
    );
    let error = echo.to_json(&map(&[(Value::Null, Value::Int(1))])).unwrap_err();
    assert_eq!(error.rule, Rule::NullMapKey);
    let error = echo.to_json(&map(&[(text("a"), Value::Null)])).unwrap_err();
    assert_eq!((error.rule, error.path.as_str()), (Rule::NullMapValue, "v[0]"));
    // Other keys: entries in their order.
    let echo = Echo::new(
        "message M { repeated Entry v = 1; } message Entry { string key = 1; optional int32 value = 2; }",
        "services: [{java: t.S, proto: t.S}]\nmessages:\n- proto: t.M\n  java: t.M\n  \
         types: {v: 'java.util.Map<java.math.BigDecimal,java.lang.Integer>'}",
    );
    let decimal = |text_: &str| one("java.math.BigDecimal", text(text_));
    echo.both(
        &map(&[(decimal("2"), Value::Int(1)), (decimal("1"), Value::Null)]),
        &json!({"v": [{"key": "2", "value": 1}, {"key": "1"}]}),
    );
}

#[test]
fn nested_collections_and_nullable_elements() {
    let echo = Echo::new(
        "message M { repeated Row v = 1; } message Row { repeated int32 items = 1; }",
        "services: [{java: t.S, proto: t.S}]\nmessages:\n- proto: t.M\n  java: t.M\n  types: {v: 'int[][]'}",
    );
    let inner =
        |values: &[i32]| Value::typed_list("[int", values.iter().map(|v| Value::Int(*v)).collect::<Vec<_>>());
    echo.both(
        &m(Value::typed_list("[[int", [inner(&[1, 2]), inner(&[])])),
        &json!({"v": [{"items": [1, 2]}, {}]}),
    );
    // A holder tells null from empty.
    let echo = Echo::new(
        "message M { Names v = 1; } message Names { repeated string items = 1; }",
        "services: [{java: t.S, proto: t.S}]\nmessages:\n- proto: t.M\n  java: t.M\n  \
         types: {v: 'java.util.List<java.lang.String>'}",
    );
    echo.both(&m(Value::Null), &json!({}));
    echo.both(&m(list([])), &json!({"v": {}}));
    echo.both(&m(list([text("a")])), &json!({"v": {"items": ["a"]}}));
    let echo = Echo::new(
        "message M { repeated Cell v = 1; } message Cell { optional int32 value = 1; }",
        "services: [{java: t.S, proto: t.S}]\nmessages:\n- proto: t.M\n  java: t.M\n  \
         types: {v: 'java.util.List<java.lang.Integer>'}\n  options: {v: {nullable: true}}",
    );
    echo.both(
        &m(list([Value::Int(1), Value::Null])),
        &json!({"v": [{"value": 1}, {}]}),
    );
}

fn tree_echo() -> Echo {
    Echo::new(
        "message M { string name = 1; M parent = 2; repeated M children = 3; }",
        "services: [{java: t.S, proto: t.S}]\nmessages:\n- proto: t.M\n  java: t.M\n  \
         options: {parent: {back_reference: true}, name: {zero_as_null: true}}",
    )
}

#[test]
fn back_references_are_cut_and_restored() {
    let node = |name: &str, parent: Value, children: Vec<Value>| {
        Value::object(
            "t.M",
            [
                ("name", text(name)),
                ("parent", parent),
                ("children", list(children)),
            ],
        )
    };
    // 0 is the root, 1 its list, 2 and 4 the children.
    let tree = node(
        "root",
        Value::Null,
        vec![node("a", Value::Ref(0), vec![]), node("b", Value::Ref(0), vec![])],
    );
    let json = json!({"name": "root", "children": [{"name": "a"}, {"name": "b"}]});
    let mut out = Vec::new();
    tree.encode(&mut out);
    let echo = tree_echo();
    assert_eq!(echo.to_json(&tree).unwrap(), json);
    assert_eq!(echo.from_json(&json).unwrap(), tree);
}

#[test]
fn cycles_are_refused_with_their_path_and_shared_objects_are_expanded() {
    let echo = Echo::new(
        "message M { string name = 1; M next = 2; M other = 3; }",
        "services: [{java: t.S, proto: t.S}]\nmessages: [{proto: t.M, java: t.M}]",
    );
    let node = |name: &str, next: Value, other: Value| {
        Value::object("t.M", [("name", text(name)), ("next", next), ("other", other)])
    };
    let cycle = node("a", node("b", Value::Ref(0), Value::Null), Value::Null);
    let error = echo.to_json(&cycle).unwrap_err();
    assert_eq!((error.rule, error.path.as_str()), (Rule::Cycle, "next.next"));
    let shared = node("a", node("b", Value::Null, Value::Null), Value::Ref(1));
    assert_eq!(
        echo.to_json(&shared).unwrap(),
        json!({"name": "a", "next": {"name": "b"}, "other": {"name": "b"}})
    );
    // A bomb: each object holds the next one twice.
    let mut bomb = node("x", Value::Null, Value::Null);
    for level in 0..40u32 {
        bomb = node("x", bomb, Value::Ref(0));
        bump(&mut bomb, level);
    }
    let error = echo.to_json(&bomb).unwrap_err();
    assert_eq!(error.rule, Rule::Limit, "{error}");
}

/// Makes `other` refer to `next`: the reference counts from the root of the whole.
fn bump(value: &mut Value, _level: u32) {
    fn walk(value: &mut Value, next: &mut u32) {
        let own = *next;
        *next += 1;
        if let Value::Object(object) = value {
            let child = own + 1;
            if matches!(object.fields[1], Value::Object(_)) {
                walk(&mut object.fields[1], next);
                object.fields[2] = Value::Ref(child);
            }
        }
    }
    walk(value, &mut 0);
}

#[test]
fn polymorphism_chooses_by_class() {
    let echo = Echo::new(
        "message M { Animal v = 1; } message Animal { oneof kind { Dog dog = 1; Cat cat = 2; } }\n\
         message Dog { string name = 1; } message Cat { int32 lives = 1; }",
        "services: [{java: t.S, proto: t.S}]\njava_hierarchy: {t.Puppy: t.Dog}\nmessages:\n\
         - {proto: t.M, java: t.M, types: {v: t.Animal}}\n\
         - proto: t.Animal\n  polymorphic: {dog: t.Dog, cat: t.Cat}\n  accept_subclasses: [t.Puppy]",
    );
    let dog = |class: &str| m(Value::object(class, [("name", text("rex"))]));
    echo.both(&dog("t.Dog"), &json!({"v": {"dog": {"name": "rex"}}}));
    echo.both(
        &m(Value::object("t.Cat", [("lives", Value::Int(9))])),
        &json!({"v": {"cat": {"lives": 9}}}),
    );
    assert_eq!(
        echo.to_json(&dog("t.Puppy")).unwrap(),
        json!({"v": {"dog": {"name": "rex"}}})
    );
    assert_eq!(
        echo.to_json(&dog("t.Cow")).unwrap_err().rule,
        Rule::PolymorphicValue
    );
    // A proxy is its class.
    assert_eq!(
        echo.to_json(&dog("t.Dog$$EnhancerBySpring$$1")).unwrap(),
        json!({"v": {"dog": {"name": "rex"}}})
    );
    // A plain message never slices a class that is bound to another.
    let plain = Echo::new(
        "message M { Dog v = 1; Cat c = 2; } message Dog { string name = 1; } message Cat { int32 lives = 1; }",
        "services: [{java: t.S, proto: t.S}]\nmessages: [{proto: t.M, java: t.M}]",
    );
    let cat = m(Value::object("t.Cat", [("lives", Value::Int(9))]));
    assert_eq!(plain.to_json(&cat).unwrap_err().rule, Rule::PolymorphicValue);
}

#[test]
fn objects_of_any_kind_cross_losslessly_or_as_json() {
    let echo = Echo::new(
        "message M { gw.v1.JavaValue v = 1; }",
        "services: [{java: t.S, proto: t.S}]\nmessages: [{proto: t.M, java: t.M}]",
    );
    let values = [
        Value::Bool(false),
        Value::Int(-1),
        Value::Long(i64::MIN),
        Value::Double(0.5),
        text("x"),
        Value::Binary([1].into()),
        Value::Date(1),
        list([Value::Null, Value::Int(0)]),
        Value::typed_list("[long", [Value::Long(1)]),
        Value::Map([(Value::Long(1), text("b")), (text("a"), Value::Null)].into()),
        Value::typed_map("java.util.TreeMap", [(text("a"), Value::Int(1))]),
        Value::object(
            "x.Y",
            [
                ("a", Value::Int(1)),
                (
                    "b",
                    Value::object("x.Y", [("a", Value::Null), ("b", Value::Null)]),
                ),
            ],
        ),
        one("java.math.BigDecimal", text("1.0")),
        big(1, &[5]),
    ];
    for value in values {
        let json = echo.to_json(&m(value.clone())).unwrap();
        assert_eq!(echo.from_json(&json).unwrap(), m(value), "{json}");
    }

    let echo = row(
        "google.protobuf.Struct",
        "java.util.Map<java.lang.String,java.lang.Object>",
        "",
    );
    let map = Value::Map(
        [
            (text("a"), Value::Int(1)),
            (text("b"), list([text("x"), Value::Null, Value::Bool(true)])),
            (text("c"), Value::object("x.Y", [("d", Value::Date(0))])),
        ]
        .into(),
    );
    assert_eq!(
        echo.to_json(&m(map)).unwrap(),
        json!({"v": {"a": 1.0, "b": ["x", null, true], "c": {"d": "1970-01-01T00:00:00.000Z"}}})
    );
    let error = echo
        .to_json(&m(Value::Map([(text("a"), Value::Long((1 << 53) + 1))].into())))
        .unwrap_err();
    assert_eq!(error.rule, Rule::StructNumber);
    assert_eq!(
        echo.from_json(&json!({"v": {"b": [1.5], "a": {"x": null}}}))
            .unwrap(),
        m(Value::Map(
            [
                (text("a"), Value::Map([(text("x"), Value::Null)].into())),
                (text("b"), list([Value::Double(1.5)])),
            ]
            .into()
        ))
    );
    let kept = row("google.protobuf.Value", "java.lang.Object", "keep_class: true");
    assert_eq!(
        kept.to_json(&m(Value::object("x.Y", [("d", Value::Int(1))])))
            .unwrap(),
        json!({"v": {"@class": "x.Y", "d": 1.0}})
    );

    let any = Echo::new(
        "message M { google.protobuf.Any v = 1; } message Dog { string name = 1; }",
        "services: [{java: t.S, proto: t.S}]\nmessages: [{proto: t.M, java: t.M}, {proto: t.Dog, java: t.Dog}]",
    );
    for value in [
        Value::object("t.Dog", [("name", text("rex"))]),
        Value::Int(5),
        text("x"),
        Value::Long(0),
    ] {
        let json = any.to_json(&m(value.clone())).unwrap();
        assert_eq!(any.from_json(&json).unwrap(), m(value), "{json}");
    }
    let error = any.to_json(&m(Value::object("x.Y", []))).unwrap_err();
    assert_eq!(error.rule, Rule::UnknownClass);
}

#[test]
fn unbound_java_fields_are_ignored_refused_or_collected() {
    let value = Value::object(
        "t.M",
        [
            ("v", text("a")),
            ("extra", Value::Int(1)),
            ("this$0", Value::Null),
        ],
    );
    let with = |unknown: &str| {
        Echo::new(
            "message M { string v = 1; }",
            &format!(
                "services: [{{java: t.S, proto: t.S}}]\nmessages: [{{proto: t.M, java: t.M, unknown_java_fields: {unknown}}}]"
            ),
        )
    };
    assert_eq!(with("ignore").to_json(&value).unwrap(), json!({"v": "a"}));
    assert_eq!(
        with("error").to_json(&value).unwrap_err().rule,
        Rule::UnknownJavaField
    );
    // A field of the superclass that a subclass hides: the last one counts.
    let hidden = Value::object("t.M", [("v", text("old")), ("v", text("new"))]);
    assert_eq!(with("error").to_json(&hidden).unwrap(), json!({"v": "new"}));
}

#[test]
fn constants_fill_what_protobuf_does_not_carry() {
    let echo = Echo::new(
        "message M { string v = 1; }",
        "services: [{java: t.S, proto: t.S}]\nmessages: [{proto: t.M, java: t.M, defaults: {size: 10, on: true, s: x}}]",
    );
    assert_eq!(
        echo.from_json(&json!({"v": "a"})).unwrap(),
        Value::object(
            "t.M",
            [
                ("v", text("a")),
                ("on", Value::Bool(true)),
                ("s", text("x")),
                ("size", Value::Int(10))
            ]
        )
    );
}

#[test]
fn the_fixed_vectors() {
    let echo = Echo::new(
        "message M { int64 user_id = 1 [json_name=\"userID\"]; optional string name = 2; repeated string tags = 3; }",
        "services: [{java: t.S, proto: t.S}]\nmessages: [{proto: t.M, java: com.x.dto.User}]",
    );
    let hessian = b"\x43\x0ecom.x.dto.User\x93\x06userID\x04name\x04tags\x60\xe7\x4e\x79\x01a";
    let protobuf = b"\x08\x07\x1a\x01a";
    let mut scratch = Scratch::default();
    let method = echo.method();
    let message = method
        .arguments_to_protobuf(hessian, &mut scratch, &Limits::DEFAULT)
        .unwrap();
    assert_eq!(message.as_ref(), protobuf);
    let back = method
        .arguments_to_hessian(protobuf, &mut scratch, &Limits::DEFAULT)
        .unwrap();
    assert_eq!(back.as_ref(), hessian);
    // A Set, a List, an enum, and a map with long keys: the field behind an object of one field.
    let field = |proto: &str, java: &str, digits: &[u8], json: Json| {
        let echo = row(proto, java, "");
        let value = decode(digits);
        echo.both(&m(value.clone()), &json);
        let mut out = Vec::new();
        value.encode(&mut out);
        assert_eq!(out, digits);
    };
    field(
        "repeated string",
        "java.util.Set<java.lang.String>",
        b"\x71\x11java.util.HashSet\x01a",
        json!({"v": ["a"]}),
    );
    field(
        "repeated string",
        "java.util.List<java.lang.String>",
        b"\x79\x01a",
        json!({"v": ["a"]}),
    );
    field(
        "map<int64, string>",
        "java.util.Map<java.lang.Long,java.lang.String>",
        b"\x48\xe1\x01a\x5a",
        json!({"v": {"1": "a"}}),
    );
    let status = Echo::new(
        "enum Status { STATUS_UNSPECIFIED = 0; STATUS_OK = 1; } message M { Status v = 1; }",
        "services: [{java: t.S, proto: t.S}]\nmessages: [{proto: t.M, java: t.M}]\n\
         enums: [{proto: t.Status, java: com.x.dto.Status}]",
    );
    let ok = decode(b"\x43\x10com.x.dto.Status\x91\x04name\x60\x02OK");
    status.both(&m(ok), &json!({"v": "STATUS_OK"}));
}

#[test]
fn fields_in_pieces_out_of_order_and_unpacked_are_read() {
    let echo = Echo::new(
        "message M { repeated int32 v = 1; N n = 2; } message N { int32 a = 1; int32 b = 2; }",
        "services: [{java: t.S, proto: t.S}]\nmessages: [{proto: t.M, java: t.M}]",
    );
    // n{a:1}, v: 1 unpacked, unknown field 9, v: 2,3 packed, n{b:2}
    let bytes = [0x12, 2, 8, 1, 0x08, 1, 0x48, 5, 0x0a, 2, 2, 3, 0x12, 2, 0x10, 2];
    let mut scratch = Scratch::default();
    let got = echo
        .method()
        .arguments_to_hessian(&bytes, &mut scratch, &Limits::DEFAULT)
        .unwrap();
    let want = Value::object(
        "t.M",
        [
            ("v", list([Value::Int(1), Value::Int(2), Value::Int(3)])),
            (
                "n",
                Value::object("t.N", [("a", Value::Int(1)), ("b", Value::Int(2))]),
            ),
        ],
    );
    assert_eq!(decode(&got), want);
    assert_eq!(scratch.lossy.count(Rule::UnknownProtoField), 1);
    for broken in [&[0x0a, 2, 0x80, 0x80][..], &[0x0a], &[0x12, 5, 1], &[0x0b]] {
        let error = echo
            .method()
            .arguments_to_hessian(broken, &mut scratch, &Limits::DEFAULT)
            .unwrap_err();
        assert_eq!(error.rule, Rule::Malformed, "{broken:?}");
    }
}

#[test]
fn deep_messages_and_broken_streams_are_refused() {
    let echo = Echo::new(
        "message M { M v = 1; }",
        "services: [{java: t.S, proto: t.S}]\nmessages: [{proto: t.M, java: t.M}]",
    );
    let mut bytes = Vec::new();
    for _ in 0..70 {
        let mut outer = Vec::new();
        crate::protobuf::wire::put_bytes(1, &bytes, &mut outer);
        bytes = outer;
    }
    let mut scratch = Scratch::default();
    let error = echo
        .method()
        .arguments_to_hessian(&bytes, &mut scratch, &Limits::DEFAULT)
        .unwrap_err();
    assert_eq!(error.rule, Rule::Limit);
    for broken in [&b""[..], b"C", b"\x60", b"\x43\x01M\x91\x01v", b"M"] {
        let error = echo
            .method()
            .arguments_to_protobuf(broken, &mut scratch, &Limits::DEFAULT)
            .unwrap_err();
        assert_eq!(error.rule, Rule::Malformed, "{broken:?}: {error}");
    }
}
