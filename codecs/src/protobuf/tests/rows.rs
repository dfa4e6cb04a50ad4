//! Each Java type with each protobuf field that takes it: its least, greatest, one beyond, null and default, both ways and
//! in both profiles.
//!
//! Each row stands in the table of [`rows`] under the heading of its Java type. What each row is run through:
//!
//! | what | where |
//! | --- | --- |
//! | least, greatest and default value, to protobuf and back | `good`, in a field that can be unset and in one that cannot, lax and strict |
//! | another kind or shape that is read, too | `reads` |
//! | one beyond the range, another kind, a broken form | `bad` to protobuf, `bad_back` to Hessian |
//! | what loses something | `loses`, `loses_back`: counted once when lax, refused by the rule's name when strict |
//! | null | to an unset field and back; where it cannot be unset counted as `null_primitive` or `null_to_default`, or refused |
//! | an absent field | `absent`, or null where the field can be unset |
//!
//! The other topics, each with its tests; all of them are in this folder, but for those of the real peers.
//!
//! | topic | test |
//! | --- | --- |
//! | shapes as Java writes and reads them | `tests/real/plans` on hessian-lite 3 and 4; `shop::orders_that_java_wrote_…` |
//! | every row | here; `tables::every_scalar_row_crosses_both_ways`; rows without a pair: `checks` |
//! | values of another kind | `reads` and `bad` here; `tables::values_out_of_range_…`; maps for objects: `objects::an_object_as_a_map_…` |
//! | timezone | `days_begin_where_the_binding_says` |
//! | primitive, boxed, message, list, map; implicit, optional, wrapper, oneof | `null_and_absent_have_their_forms`, `objects::null_in_every_place`, `tables::presence_and_null` |
//! | null and empty told apart; nullable elements | `tables::nested_collections_and_nullable_elements` |
//! | defaults, fields that are not there | `tables::constants_fill_what_protobuf_does_not_carry`, `null_and_absent_have_their_forms` |
//! | List, array, Set, Queue, nested | `tables::collections_of_every_kind`, `tables::nested_collections_…`; duplicates of a Set there, too |
//! | EnumSet | `objects::enum_sets_are_what_java_writes_for_them` |
//! | Map by key, TreeMap, other keys, order | `tables::maps_have_sorted_keys`, `random` (every key kind) |
//! | duplicates after conversion | `objects::keys_that_become_one_are_refused` |
//! | Struct, JavaValue | `tables::objects_of_any_kind_cross_losslessly_or_as_json`, `objects::what_json_cannot_say_is_counted` |
//! | enums: values, names, prefixes, unknown, zero as null | the rows of `t.Color` here, `checks` (two meanings), `objects::enums_without_unspecified_…` |
//! | field match, unknown fields, collect, synthetic, hidden, proxies | `tables::unbound_java_fields_…`, `objects::{collected_fields_come_back, of_two_fields_with_one_name_…, proxies_and_…}` |
//! | inherit, is_inheritance | `objects::inherited_parts_…`, `objects::the_option_of_the_go_generators_…` |
//! | oneof, Any, other class, unknown subclass, slice, implementation | `tables::polymorphism_chooses_by_class`, `objects::{slices_…, any_holds_…, proxies_and_…}` |
//! | Object, wildcards, assume | `tables::objects_of_any_kind_…`, `objects::an_assumed_type_stands_for_object` |
//! | shared, cycle, budget, back reference | `tables::{cycles_are_refused_…, back_references_…}`, `random` (shared) |
//! | generics | `objects::type_arguments_…`, `objects::several_messages_of_one_class_…` |
//! | methods, arguments, results, null, overloads, varargs, streams | `load`, `checks`, `shop::{the_binding_names_…, requests_of_every_java_peer_…, results_cross_…}` |
//! | exceptions, both ways | `objects::exceptions`, `shop::exceptions_become_statuses_and_come_back` |
//! | pieces, packed, unknown, broken | `tables::{fields_in_pieces_…, deep_messages_…}` |
//! | load checks; options | `checks`, `load` |
//! | generic calls | `objects::generic_calls_convert_by_the_same_plan`, `shop::generic_calls_use_the_same_plan`; classes of branches: `objects::slices_…` |
//! | Set tag, long keys, small ints | `tables::{collections_…, maps_…}`, the rows here, `tests/real/plans` |
//! | constructor defaults, null and empty | null and absent, above |
//! | float text, sub-millisecond, Duration's sign, UUID's shapes | the rows here |
//! | astral characters | the rows of String here, `random`, `tests/real/plans` (in chunks) |
//! | classes, stack traces, tags | `objects::{slices_…, exceptions}`, `tables::collections_of_every_kind` |
//! | field names, not bean names | `tables::the_fixed_vectors` (`userID`) |
//! | marker messages; primary; Struct's doubles | `checks::marker_messages_…`, `objects::several_messages_…`, `objects::what_json_…` |
//! | bombs | `tables::cycles_are_refused_…`, `codecs/tests/hostile` |
//! | fixed vectors | `tables::the_fixed_vectors` |

use std::fmt::Write;
use std::sync::OnceLock;

use super::tables::{IO8, big, ints, local_date_time, m, one};
use super::*;
use crate::protobuf::Rule;

/// One pair of types with its vectors.
struct Row {
    java: &'static str,
    proto: &'static str,
    options: &'static str,
    absent: Value,
    good: Vec<(Value, Json)>,
    reads: Vec<(Value, Json)>,
    loses: Vec<(Rule, Value, Json)>,
    loses_back: Vec<(Rule, Json, Value)>,
    bad: Vec<(Rule, Value)>,
    bad_back: Vec<(Rule, Json)>,
}

impl Row {
    fn new(java: &'static str, proto: &'static str, absent: Value) -> Self {
        Self {
            java,
            proto,
            options: "",
            absent,
            good: Vec::new(),
            reads: Vec::new(),
            loses: Vec::new(),
            loses_back: Vec::new(),
            bad: Vec::new(),
            bad_back: Vec::new(),
        }
    }

    fn options(mut self, options: &'static str) -> Self {
        self.options = options;
        self
    }

    fn good(mut self, value: Value, json: Json) -> Self {
        self.good.push((value, json));
        self
    }

    fn reads(mut self, value: Value, json: Json) -> Self {
        self.reads.push((value, json));
        self
    }

    fn loses(mut self, rule: Rule, value: Value, json: Json) -> Self {
        self.loses.push((rule, value, json));
        self
    }

    fn loses_back(mut self, rule: Rule, json: Json, value: Value) -> Self {
        self.loses_back.push((rule, json, value));
        self
    }

    fn bad<const N: usize>(mut self, rule: Rule, values: [Value; N]) -> Self {
        self.bad.extend(values.map(|value| (rule, value)));
        self
    }

    fn bad_back<const N: usize>(mut self, rule: Rule, values: [Json; N]) -> Self {
        self.bad_back.extend(values.map(|json| (rule, json)));
        self
    }

    fn is_message(&self) -> bool {
        self.proto.contains('.')
    }

    fn is_primitive(&self) -> bool {
        !self.java.contains('.') && !self.java.ends_with(']')
    }
}

fn int(value: i32) -> Value {
    Value::Int(value)
}

fn long(value: i64) -> Value {
    Value::Long(value)
}

fn handle(class: &str, fields: &[(&str, Value)]) -> Value {
    Value::object(&format!("{IO8}.{class}"), fields.iter().cloned())
}

fn lone(unit: u16) -> Value {
    Value::String(JavaText::from_utf16([unit]))
}

fn decimal(digits: &str) -> Value {
    one("java.math.BigDecimal", text(digits))
}

fn date(year: i32, month: i32, day: i32) -> Value {
    ints(
        "LocalDateHandle",
        &[("year", year), ("month", month), ("day", day)],
    )
}

fn time(hour: i32, minute: i32, second: i32, nano: i32) -> Value {
    ints(
        "LocalTimeHandle",
        &[
            ("hour", hour),
            ("minute", minute),
            ("second", second),
            ("nano", nano),
        ],
    )
}

fn offset(seconds: i32) -> Value {
    ints("ZoneOffsetHandle", &[("seconds", seconds)])
}

fn seconds(class: &str, seconds: i64, nanos: i32) -> Value {
    handle(class, &[("seconds", long(seconds)), ("nanos", int(nanos))])
}

fn at_offset(hour: i32, seconds: i32) -> Value {
    handle(
        "OffsetDateTimeHandle",
        &[
            ("dateTime", local_date_time([hour, 0, 0, 0])),
            ("offset", offset(seconds)),
        ],
    )
}

fn zoned(local: Value, seconds: i32, zone: Value) -> Value {
    handle(
        "ZonedDateTimeHandle",
        &[("dateTime", local), ("offset", offset(seconds)), ("zoneId", zone)],
    )
}

fn local(date_: Value, time_: Value) -> Value {
    handle("LocalDateTimeHandle", &[("date", date_), ("time", time_)])
}

fn zone_info(id: &str, millis: i32) -> Value {
    Value::object(
        "sun.util.calendar.ZoneInfo",
        [
            ("ID", text(id)),
            ("rawOffset", int(millis)),
            ("dstSavings", int(0)),
            ("rawOffsetDiff", int(0)),
            ("checksum", int(0)),
            ("willGMTOffsetChange", Value::Bool(false)),
            ("transitions", Value::Null),
            ("offsets", Value::Null),
            ("simpleTimeZoneParams", Value::Null),
        ],
    )
}

fn url(port: i32, protocol: &str, host: &str, rest: [Option<&str>; 3]) -> Value {
    let [authority, file, fragment] = rest.map(|part| part.map_or(Value::Null, text));
    Value::object(
        "java.net.URL",
        [
            ("hashCode", int(-1)),
            ("port", int(port)),
            ("protocol", text(protocol)),
            ("host", text(host)),
            ("authority", authority),
            ("file", file),
            ("ref", fragment),
        ],
    )
}

const UUID: &str = "123e4567-e89b-12d3-a456-426614174000";

#[allow(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<Row> {
    use Rule::{Format, Kind, Narrow, Range, SqlPart, SubMs, Surrogate, UnknownClass, UnknownEnum, Zone};
    let null = || Value::Null;
    let mut rows = Vec::new();
    // boolean, Boolean
    for (java, absent) in [
        ("boolean", Value::Bool(false)),
        ("java.lang.Boolean", Value::Bool(false)),
    ] {
        rows.push(
            Row::new(java, "bool", absent)
                .good(Value::Bool(false), json!(false))
                .good(Value::Bool(true), json!(true))
                .bad(Kind, [int(1), text("true"), list([])]),
        );
    }
    // byte, Byte, short, Short
    for (java, least, greatest) in [
        ("byte", -128, 127),
        ("java.lang.Byte", -128, 127),
        ("short", -32_768, 32_767),
        ("java.lang.Short", -32_768, 32_767),
    ] {
        for proto in ["int32", "sint32"] {
            rows.push(
                Row::new(java, proto, int(0))
                    .good(int(least), json!(least))
                    .good(int(greatest), json!(greatest))
                    .good(int(0), json!(0))
                    .reads(long(5), json!(5))
                    .bad(Range, [int(least - 1), int(greatest + 1), long(1 << 40)])
                    .bad(Kind, [text("1"), Value::Double(1.0), Value::Bool(true)])
                    .bad_back(Range, [json!(least - 1), json!(greatest + 1)]),
            );
        }
    }
    // char, Character
    for (java, absent) in [("char", text("\0")), ("java.lang.Character", null())] {
        rows.push(
            Row::new(java, "string", absent)
                .good(text("A"), json!("A"))
                .good(text("\u{ffff}"), json!("\u{ffff}"))
                .loses(Surrogate, lone(0xd800), json!("\u{fffd}"))
                .bad(Format, [text("ab"), text("😀")])
                .bad(Kind, [int(65)])
                .bad_back(Format, [json!("ab"), json!("😀")]),
        );
    }
    for java in ["char", "java.lang.Character"] {
        for proto in ["int32", "uint32"] {
            rows.push(
                Row::new(java, proto, text("\0"))
                    .good(text("\0"), json!(0))
                    .good(text("\u{ffff}"), json!(65_535))
                    .good(lone(0xd800), json!(0xd800))
                    .reads(int(65), json!(65))
                    .bad(Range, [int(65_536), int(-1)])
                    .bad(Format, [text("ab")])
                    .bad_back(Range, [json!(65_536)]),
            );
        }
    }
    // int, Integer
    for java in ["int", "java.lang.Integer"] {
        for proto in ["int32", "sint32", "sfixed32"] {
            rows.push(
                Row::new(java, proto, int(0))
                    .good(int(i32::MIN), json!(i32::MIN))
                    .good(int(i32::MAX), json!(i32::MAX))
                    .good(int(0), json!(0))
                    .reads(long(7), json!(7))
                    .bad(Range, [long(1 << 31), long(i64::from(i32::MIN) - 1)])
                    .bad(Kind, [text("1"), Value::Double(1.0)]),
            );
        }
        rows.push(
            Row::new(java, "int64", int(0))
                .good(int(i32::MIN), json!(i32::MIN.to_string()))
                .good(int(i32::MAX), json!(i32::MAX.to_string()))
                .bad(Range, [long(1 << 31)])
                .bad_back(Range, [json!("2147483648"), json!("-2147483649")]),
        );
        for proto in ["uint32", "fixed32"] {
            rows.push(
                Row::new(java, proto, int(0))
                    .good(int(0), json!(0))
                    .good(int(i32::MAX), json!(i32::MAX))
                    .bad(Range, [int(-1)])
                    .bad_back(Range, [json!(1u32 << 31)]),
            );
        }
        rows.push(
            Row::new(java, "uint64", int(0))
                .good(int(i32::MAX), json!(i32::MAX.to_string()))
                .bad(Range, [int(-1)])
                .bad_back(Range, [json!("2147483648"), json!(u64::MAX.to_string())]),
        );
    }
    // long, Long
    for java in ["long", "java.lang.Long"] {
        for proto in ["int64", "sint64", "sfixed64"] {
            rows.push(
                Row::new(java, proto, long(0))
                    .good(long(i64::MIN), json!(i64::MIN.to_string()))
                    .good(long(i64::MAX), json!(i64::MAX.to_string()))
                    .good(long(0), json!("0"))
                    .reads(int(-1), json!("-1"))
                    .bad(Kind, [text("1"), Value::Double(1.0), Value::Date(1)]),
            );
        }
        for proto in ["uint64", "fixed64"] {
            rows.push(
                Row::new(java, proto, long(0))
                    .good(long(0), json!("0"))
                    .good(long(i64::MAX), json!(i64::MAX.to_string()))
                    .bad(Range, [long(-1)])
                    .bad_back(Range, [json!("9223372036854775808")]),
            );
            rows.push(
                Row::new(java, proto, long(0))
                    .options("reinterpret: true")
                    .good(long(-1), json!(u64::MAX.to_string()))
                    .good(long(i64::MIN), json!("9223372036854775808")),
            );
        }
        rows.push(
            Row::new(java, "uint32", long(0))
                .good(long(i64::from(u32::MAX)), json!(u32::MAX))
                .bad(Range, [long(1 << 32), long(-1)]),
        );
    }
    for (java, absent) in [("long", long(0)), ("java.lang.Long", null())] {
        rows.push(
            Row::new(java, "string", absent)
                .good(long(i64::MIN), json!(i64::MIN.to_string()))
                .good(long(i64::MAX), json!(i64::MAX.to_string()))
                .good(long(0), json!("0"))
                .bad_back(
                    Format,
                    [
                        json!("x"),
                        json!("9223372036854775808"),
                        json!(" 1"),
                        json!("1.0"),
                    ],
                ),
        );
    }
    // float, Float
    for java in ["float", "java.lang.Float"] {
        let least = f32::from_bits(1);
        rows.push(
            Row::new(java, "float", Value::Double(0.0))
                .good(Value::Double(0.1), json!(0.1f32))
                .good(Value::Double(3.402_823_5e38), json!(f32::MAX))
                .good(Value::Double(least.to_string().parse().unwrap()), json!(least))
                .good(Value::Double(f64::INFINITY), json!("Infinity"))
                .reads(int(3), json!(3.0))
                .bad(Range, [Value::Double(1e300), Value::Double(-1e39)])
                .bad(Kind, [text("1"), Value::Bool(true)]),
        );
        rows.push(
            Row::new(java, "double", Value::Double(0.0))
                .good(Value::Double(0.5), json!(0.5))
                .good(Value::Double(0.1), json!(0.1))
                .loses_back(Narrow, json!(1.000_000_000_1), Value::Double(1.000_000_000_1))
                .bad_back(Range, [json!(1e300)]),
        );
    }
    // double, Double
    for java in ["double", "java.lang.Double"] {
        rows.push(
            Row::new(java, "double", Value::Double(0.0))
                .good(Value::Double(f64::MAX), json!(f64::MAX))
                .good(Value::Double(f64::MIN_POSITIVE), json!(f64::MIN_POSITIVE))
                .good(Value::Double(f64::NEG_INFINITY), json!("-Infinity"))
                .reads(int(-7), json!(-7.0))
                .reads(long(1 << 53), json!(9_007_199_254_740_992.0))
                .bad(Range, [long((1 << 53) + 1), long(i64::MAX)])
                .bad(Kind, [text("1.0")]),
        );
        rows.push(
            Row::new(java, "float", Value::Double(0.0))
                .options("allow_narrow: true")
                .good(Value::Double(0.5), json!(0.5))
                .loses(Narrow, Value::Double(0.1), json!(0.1f32))
                .bad(Range, [Value::Double(1e300)]),
        );
    }
    // String
    rows.push(
        Row::new("java.lang.String", "string", text(""))
            .good(text(""), json!(""))
            .good(text("Zoë 😀 \u{0}"), json!("Zoë 😀 \u{0}"))
            .reads(Value::object("t.Color", [("name", text("ON"))]), json!("ON"))
            .loses(Surrogate, lone(0xdc00), json!("\u{fffd}"))
            .bad(Kind, [int(1), decimal("1"), Value::Bool(true), list([])]),
    );
    rows.push(
        Row::new("java.lang.String", "bytes", text(""))
            .good(text("é"), json!("w6k="))
            .loses(Surrogate, lone(0xdc00), json!("77+9"))
            .bad(Kind, [Value::Binary([1].into())])
            .bad_back(Format, [json!("/w==")]),
    );
    rows.push(
        Row::new("java.lang.String", "E", null())
            .good(text("ON"), json!("E_ON"))
            .reads(text("E_ON"), json!("E_ON"))
            .loses(UnknownEnum, text("WHAT"), json!(0))
            .bad(Kind, [int(1)])
            .bad_back(UnknownEnum, [json!(9), json!(-1)]),
    );
    // byte[], Byte[]
    rows.push(
        Row::new("byte[]", "bytes", Value::Binary([].into()))
            .good(Value::Binary([].into()), json!(""))
            .good(Value::Binary([0, 255].into()), json!("AP8="))
            .reads(list([int(-1), int(127)]), json!("/38="))
            .bad(Range, [list([int(128)])])
            .bad(Kind, [text("x"), int(1)]),
    );
    rows.push(
        Row::new("java.lang.Byte[]", "bytes", typed("[java.lang.Byte", []))
            .good(typed("[java.lang.Byte", [int(-1), int(127)]), json!("/38="))
            .reads(Value::Binary([0, 255].into()), json!("AP8="))
            .bad(Range, [list([int(-129)])])
            .bad(Rule::NullElement, [list([null()])]),
    );
    // char[]
    rows.push(
        Row::new("char[]", "string", text(""))
            .good(text("ab"), json!("ab"))
            .good(text(""), json!(""))
            .loses(Surrogate, lone(0xd83d), json!("\u{fffd}"))
            .bad(Kind, [int(1)]),
    );
    // BigDecimal
    let long_digits = "9".repeat(1025);
    for proto in ["string", "google.type.Decimal"] {
        rows.push(
            Row::new("java.math.BigDecimal", proto, null())
                .good(decimal("1.50E+3"), json_decimal(proto, "1.50E+3"))
                .good(decimal("-0.00"), json_decimal(proto, "-0.00"))
                .good(decimal("1E-10000"), json_decimal(proto, "1E-10000"))
                .reads(text("7"), json_decimal(proto, "7"))
                .bad(
                    Format,
                    [
                        decimal("1,5"),
                        decimal("1E10001"),
                        decimal(&long_digits),
                        text("x"),
                    ],
                )
                .bad(Kind, [int(1), Value::Double(1.0)])
                .bad_back(
                    Format,
                    [
                        json_decimal(proto, "abc"),
                        json_decimal(proto, "1E10001"),
                        json_decimal(proto, &long_digits),
                    ],
                ),
        );
    }
    rows.push(
        Row::new("java.math.BigDecimal", "double", decimal("0"))
            .options("allow_lossy: true")
            .loses(Narrow, decimal("0.1"), json!(0.1))
            .bad(Format, [decimal("x")])
            .bad_back(Range, [json!("NaN"), json!("Infinity")]),
    );
    // BigInteger
    let huge = "9".repeat(40);
    rows.push(
        Row::new("java.math.BigInteger", "string", null())
            .good(big(0, &[]), json!("0"))
            .good(big(-1, &[1, 0]), json!("-4294967296"))
            .good(big(1, &[-1, -1, -1]), json!("79228162514264337593543950335"))
            .reads(text(&huge), json!(huge))
            .bad(Kind, [int(1)])
            .bad(Rule::Limit, [big(1, &[1; 4097])])
            .bad_back(Format, [json!("1.5"), json!("x"), json!("9".repeat(40_001))]),
    );
    for (proto, least, greatest) in [
        (
            "int64",
            (big(-1, &[i32::MIN, 0]), i64::MIN.to_string()),
            (big(1, &[i32::MAX, -1]), i64::MAX.to_string()),
        ),
        (
            "uint64",
            (big(0, &[]), "0".to_owned()),
            (big(1, &[-1, -1]), u64::MAX.to_string()),
        ),
    ] {
        rows.push(
            Row::new("java.math.BigInteger", proto, big(0, &[]))
                .good(least.0, json!(least.1))
                .good(greatest.0, json!(greatest.1))
                .reads(long(5), json!("5"))
                .bad(Range, [big(1, &[1, 0, 0]), big(-1, &[1, 0, 0])])
                .bad(Kind, [text("5")]),
        );
    }
    rows.push(
        Row::new("java.math.BigInteger", "bytes", big(0, &[]))
            .good(big(0, &[]), json!("AA=="))
            .good(big(-1, &[128]), json!("gA=="))
            .good(big(1, &[128]), json!("AIA="))
            .bad(Kind, [int(1)]),
    );
    // Date, java.sql.Timestamp
    let stamp = |millis| one("java.sql.Timestamp", Value::Date(millis));
    for (java, of) in [
        ("java.util.Date", &Value::Date as &dyn Fn(i64) -> Value),
        ("java.sql.Timestamp", &stamp),
    ] {
        rows.push(
            Row::new(java, "google.protobuf.Timestamp", null())
                .good(of(0), json!("1970-01-01T00:00:00Z"))
                .good(of(-1), json!("1969-12-31T23:59:59.999Z"))
                .good(of(-62_135_596_800_000), json!("0001-01-01T00:00:00Z"))
                .good(of(253_402_300_799_999), json!("9999-12-31T23:59:59.999Z"))
                .loses_back(SubMs, json!("1970-01-01T00:00:00.000001Z"), of(0))
                .bad(Range, [of(253_402_300_800_000), of(i64::MIN)])
                .bad(Kind, [long(1)]),
        );
        rows.push(
            Row::new(java, "int64", of(0))
                .good(of(i64::MIN), json!(i64::MIN.to_string()))
                .good(of(i64::MAX), json!(i64::MAX.to_string())),
        );
        rows.push(
            Row::new(java, "string", null())
                .good(of(1), json!("1970-01-01T00:00:00.001Z"))
                .loses_back(SubMs, json!("1970-01-01T00:00:00.0001Z"), of(0))
                .bad(Kind, [int(5)])
                .bad_back(
                    Format,
                    [json!("1970-01-01"), json!("1970-01-01T00:00:00"), json!("x")],
                ),
        );
    }
    // java.sql.Date
    let sql_date = |millis| one("java.sql.Date", Value::Date(millis));
    rows.push(
        Row::new("java.sql.Date", "string", null())
            .good(sql_date(86_400_000), json!("1970-01-02"))
            .good(sql_date(-86_400_000), json!("1969-12-31"))
            .loses(SqlPart, sql_date(86_400_001), json!("1970-01-02"))
            .bad_back(Format, [json!("1970-02-30"), json!("1970-1-1")]),
    );
    rows.push(
        Row::new("java.sql.Date", "google.type.Date", null())
            .good(sql_date(0), json!({"year": 1970, "month": 1, "day": 1}))
            .loses(
                SqlPart,
                sql_date(3_600_000),
                json!({"year": 1970, "month": 1, "day": 1}),
            )
            .bad(Range, [sql_date(253_402_300_800_000)])
            .bad_back(
                Range,
                [
                    json!({"year": 1970, "month": 0, "day": 1}),
                    json!({"year": 1970, "month": 1}),
                ],
            ),
    );
    // java.sql.Time
    let sql_time = |millis| one("java.sql.Time", Value::Date(millis));
    rows.push(
        Row::new("java.sql.Time", "string", null())
            .good(sql_time(0), json!("00:00"))
            .good(sql_time(86_399_999), json!("23:59:59.999"))
            .loses(SqlPart, sql_time(86_400_000), json!("00:00"))
            .loses_back(SubMs, json!("00:00:00.0001"), sql_time(0))
            .bad_back(Format, [json!("24:00")]),
    );
    rows.push(
        Row::new("java.sql.Time", "google.type.TimeOfDay", null())
            .good(
                sql_time(3_661_001),
                json!({"hours": 1, "minutes": 1, "seconds": 1, "nanos": 1_000_000}),
            )
            .loses(
                SqlPart,
                sql_time(-1),
                json!({"hours": 23, "minutes": 59, "seconds": 59, "nanos": 999_000_000}),
            )
            .bad_back(Range, [json!({"hours": 24})]),
    );
    // Calendar
    let calendar = |class: Value| {
        Value::object(
            "com.alibaba.com.caucho.hessian.io.CalendarHandle",
            [("type", class), ("date", Value::Date(5))],
        )
    };
    let other = Value::object("java.lang.Class", [("name", text("x.Lunar"))]);
    rows.push(
        Row::new("java.util.Calendar", "google.protobuf.Timestamp", null())
            .good(calendar(null()), json!("1970-01-01T00:00:00.005Z"))
            .loses(Zone, calendar(other), json!("1970-01-01T00:00:00.005Z"))
            .loses_back(SubMs, json!("1970-01-01T00:00:00.005001Z"), calendar(null()))
            .bad(Kind, [int(1)]),
    );
    // Instant, Duration
    let instant = |s, n| seconds("InstantHandle", s, n);
    rows.push(
        Row::new("java.time.Instant", "google.protobuf.Timestamp", null())
            .good(instant(-1, 5), json!("1969-12-31T23:59:59.000000005Z"))
            .good(instant(-62_135_596_800, 0), json!("0001-01-01T00:00:00Z"))
            .good(
                instant(253_402_300_799, 999_999_999),
                json!("9999-12-31T23:59:59.999999999Z"),
            )
            .bad(
                Range,
                [
                    instant(253_402_300_800, 0),
                    instant(0, -1),
                    instant(0, 1_000_000_000),
                ],
            )
            .bad(Kind, [Value::Date(1)]),
    );
    rows.push(
        Row::new("java.time.Instant", "string", null())
            .good(instant(0, 1), json!("1970-01-01T00:00:00.000000001Z"))
            .bad_back(Format, [json!("1970-01-01"), json!("x")]),
    );
    let span = |s, n| seconds("DurationHandle", s, n);
    rows.push(
        Row::new("java.time.Duration", "google.protobuf.Duration", null())
            .good(span(0, 0), json!("0s"))
            .good(span(-2, 500_000_000), json!("-1.500s"))
            .good(span(-1, 999_999_999), json!("-0.000000001s"))
            .good(span(315_576_000_000, 0), json!("315576000000s"))
            .bad(Range, [span(315_576_000_001, 0), span(0, 1_000_000_000)]),
    );
    rows.push(
        Row::new("java.time.Duration", "string", null())
            .good(span(-2, 500_000_000), json!("PT-1.5S"))
            .good(span(29_172, 0), json!("PT8H6M12S"))
            .bad_back(Format, [json!("PT"), json!("8h")]),
    );
    // LocalDate, LocalTime, LocalDateTime
    rows.push(
        Row::new("java.time.LocalDate", "string", null())
            .good(date(2024, 2, 29), json!("2024-02-29"))
            .good(date(-999_999_999, 1, 1), json!("-999999999-01-01"))
            .good(date(999_999_999, 12, 31), json!("+999999999-12-31"))
            .reads(text("2024-02-29"), json!("2024-02-29"))
            .bad(Format, [date(2024, 0, 1), date(2024, 13, 1), date(2023, 2, 29)])
            .bad_back(
                Format,
                [json!("2024-02-30"), json!("2024-00-01"), json!("20240101")],
            ),
    );
    rows.push(
        Row::new("java.time.LocalDate", "google.type.Date", null())
            .good(date(1, 1, 1), json!({"year": 1, "month": 1, "day": 1}))
            .good(date(9999, 12, 31), json!({"year": 9999, "month": 12, "day": 31}))
            .bad(Range, [date(0, 1, 1), date(10_000, 1, 1), date(2024, 0, 1)])
            .bad_back(
                Range,
                [
                    json!({"year": 2024}),
                    json!({"year": 2024, "month": 2, "day": 30}),
                ],
            ),
    );
    rows.push(
        Row::new("java.time.LocalTime", "string", null())
            .good(time(0, 0, 0, 0), json!("00:00"))
            .good(time(23, 59, 59, 999_999_999), json!("23:59:59.999999999"))
            .bad(Format, [time(24, 0, 0, 0), time(0, 60, 0, 0)])
            .bad_back(Format, [json!("24:00"), json!("1:00")]),
    );
    rows.push(
        Row::new("java.time.LocalTime", "google.type.TimeOfDay", null())
            .good(time(0, 0, 0, 0), json!({}))
            .good(
                time(23, 59, 59, 5),
                json!({"hours": 23, "minutes": 59, "seconds": 59, "nanos": 5}),
            )
            .bad(Range, [time(24, 0, 0, 0)])
            .bad_back(Range, [json!({"hours": 24}), json!({"seconds": 60})]),
    );
    rows.push(
        Row::new("java.time.LocalDateTime", "string", null())
            .good(
                local_date_time([23, 59, 58, 123_456_789]),
                json!("2024-02-29T23:59:58.123456789"),
            )
            .bad(Format, [local_date_time([24, 0, 0, 0])])
            .bad_back(Format, [json!("2024-02-29T23:59Z"), json!("2024-02-29")]),
    );
    let leap = json!({"year": 2024, "month": 2, "day": 29, "hours": 8});
    let with = |key: &str, value: Json| {
        let mut json = leap.clone();
        json[key] = value;
        json
    };
    rows.push(
        Row::new("java.time.LocalDateTime", "google.type.DateTime", null())
            .good(local_date_time([8, 0, 0, 0]), leap.clone())
            .bad(Range, [local(date(10_000, 1, 1), time(0, 0, 0, 0))])
            .bad_back(
                Kind,
                [
                    with("utcOffset", json!("0s")),
                    with("timeZone", json!({"id": "UTC"})),
                ],
            )
            .bad_back(Range, [with("hours", json!(24)), with("month", json!(13))]),
    );
    // OffsetDateTime, ZonedDateTime
    rows.push(
        Row::new("java.time.OffsetDateTime", "string", null())
            .good(at_offset(8, -3600), json!("2024-02-29T08:00-01:00"))
            .good(at_offset(8, 0), json!("2024-02-29T08:00Z"))
            .bad_back(
                Format,
                [json!("2024-02-29T08:00"), json!("2024-02-29T08:00+19:00")],
            ),
    );
    rows.push(
        Row::new("java.time.OffsetDateTime", "google.type.DateTime", null())
            .good(at_offset(8, 64_800), with("utcOffset", json!("64800s")))
            .good(at_offset(8, 0), with("utcOffset", json!("0s")))
            .loses_back(
                Zone,
                with("timeZone", json!({"id": "Asia/Shanghai"})),
                at_offset(8, 28_800),
            )
            .bad(Range, [at_offset(8, 64_801)])
            .bad_back(Range, [with("utcOffset", json!("-64801s"))])
            .bad_back(Kind, [leap.clone()]),
    );
    rows.push(
        Row::new("java.time.OffsetDateTime", "google.protobuf.Timestamp", null())
            .good(at_offset(8, 0), json!("2024-02-29T08:00:00Z"))
            .loses(Zone, at_offset(8, 28_800), json!("2024-02-29T00:00:00Z")),
    );
    let shanghai = || zoned(local_date_time([8, 0, 0, 0]), 28_800, text("Asia/Shanghai"));
    rows.push(
        Row::new("java.time.ZonedDateTime", "string", null())
            .good(shanghai(), json!("2024-02-29T08:00+08:00[Asia/Shanghai]"))
            .bad_back(
                Format,
                [json!("2024-02-29T08:00"), json!("2024-02-29T08:00+08:00[Asia")],
            ),
    );
    // The hour that is there twice: the earlier offset is the zone's, the later one is lost.
    let york = |offset| {
        zoned(
            local(date(2024, 11, 3), time(1, 30, 0, 0)),
            offset,
            text("America/New_York"),
        )
    };
    let twice = json!({"year": 2024, "month": 11, "day": 3, "hours": 1, "minutes": 30,
                       "timeZone": {"id": "America/New_York"}});
    let never = json!({"year": 2024, "month": 3, "day": 10, "hours": 2, "minutes": 30,
                       "timeZone": {"id": "America/New_York"}});
    rows.push(
        Row::new("java.time.ZonedDateTime", "google.type.DateTime", null())
            .good(shanghai(), with("timeZone", json!({"id": "Asia/Shanghai"})))
            .good(york(-14_400), twice.clone())
            .good(
                zoned(local_date_time([8, 0, 0, 0]), 0, text("UTC")),
                with("timeZone", json!({"id": "UTC"})),
            )
            .loses(Zone, york(-18_000), twice)
            .bad_back(Range, [never])
            .bad_back(Format, [with("timeZone", json!({"id": "Mars/Base"}))])
            .bad_back(Kind, [leap.clone()]),
    );
    rows.push(
        Row::new("java.time.ZonedDateTime", "google.protobuf.Timestamp", null()).loses(
            Zone,
            shanghai(),
            json!("2024-02-29T00:00:00Z"),
        ),
    );
    // Year and the texts of java.time
    let year = |year| ints("YearHandle", &[("year", year)]);
    rows.push(
        Row::new("java.time.Year", "int32", year(0))
            .good(year(2024), json!(2024))
            .good(year(-999_999_999), json!(-999_999_999))
            .bad(Kind, [Value::Bool(true)])
            .bad(Range, [year(1_000_000_000)])
            .bad_back(Range, [json!(1_000_000_000)]),
    );
    let month = |year, month| ints("YearMonthHandle", &[("year", year), ("month", month)]);
    rows.push(
        Row::new("java.time.YearMonth", "string", null())
            .good(month(2024, 12), json!("2024-12"))
            .bad(Format, [month(2024, 13)])
            .bad_back(Format, [json!("2024-13"), json!("2024-00")]),
    );
    let day = |month, day| ints("MonthDayHandle", &[("month", month), ("day", day)]);
    rows.push(
        Row::new("java.time.MonthDay", "string", null())
            .good(day(2, 29), json!("--02-29"))
            .bad(Format, [day(2, 30), day(0, 1)])
            .bad_back(Format, [json!("--02-30"), json!("02-29")]),
    );
    let period = |y, m, d| ints("PeriodHandle", &[("years", y), ("months", m), ("days", d)]);
    rows.push(
        Row::new("java.time.Period", "string", null())
            .good(period(0, 0, 0), json!("P0D"))
            .good(period(1, -2, i32::MAX), json!("P1Y-2M2147483647D"))
            .bad_back(Format, [json!("P"), json!("PT1S")]),
    );
    let zone = |id: &str| handle("ZoneIdHandle", &[("zoneId", text(id))]);
    rows.push(
        Row::new("java.time.ZoneId", "string", null())
            .good(zone("Asia/Shanghai"), json!("Asia/Shanghai"))
            .good(zone("UTC+08:00"), json!("UTC+08:00"))
            .reads(offset(3600), json!("+01:00")),
    );
    rows.push(
        Row::new("java.time.ZoneOffset", "string", null())
            .good(offset(0), json!("Z"))
            .good(offset(-64_800), json!("-18:00"))
            .good(offset(64_800), json!("+18:00"))
            .bad(Format, [offset(64_801)])
            .bad_back(Format, [json!("+18:01"), json!("8")]),
    );
    let offset_time = |hour| {
        handle(
            "OffsetTimeHandle",
            &[("localTime", time(hour, 0, 1, 0)), ("zoneOffset", offset(3600))],
        )
    };
    rows.push(
        Row::new("java.time.OffsetTime", "string", null())
            .good(offset_time(23), json!("23:00:01+01:00"))
            .bad(Format, [offset_time(24)])
            .bad_back(Format, [json!("23:00:01"), json!("24:00Z")]),
    );
    // UUID
    let uuid = |id: &str| one("java.util.UUID", text(id));
    let longs = Value::object(
        "java.util.UUID",
        [("mostSigBits", long(1)), ("leastSigBits", long(-1))],
    );
    rows.push(
        Row::new("java.util.UUID", "string", null())
            .good(uuid(UUID), json!(UUID))
            .reads(longs.clone(), json!("00000000-0000-0001-ffff-ffffffffffff"))
            .reads(uuid(&UUID.to_uppercase()), json!(UUID))
            .bad(Format, [uuid("123"), Value::object("java.util.UUID", [])])
            .bad_back(Format, [json!("123"), json!(UUID.replace('-', "x"))]),
    );
    rows.push(
        Row::new("java.util.UUID", "bytes", null())
            .good(uuid(UUID), json!("Ej5FZ+ibEtOkVkJmFBdAAA=="))
            .reads(longs, json!("AAAAAAAAAAH//////////w=="))
            .bad(Format, [uuid("123")])
            .bad_back(Format, [json!("AAAA"), json!("AAAAAAAAAAAAAAAAAAAAAAA=")]),
    );
    // Locale, Currency, URI, URL, Class, TimeZone and their kin
    let io = "com.alibaba.com.caucho.hessian.io";
    rows.push(
        Row::new("java.util.Locale", "string", null())
            .good(one(&format!("{io}.LocaleHandle"), text("zh_CN")), json!("zh_CN"))
            .reads(one("com.caucho.hessian.io.LocaleHandle", text("de")), json!("de"))
            .bad(Kind, [int(1)]),
    );
    for (java, field, value) in [
        ("java.util.Currency", "currencyCode", "EUR"),
        ("java.net.URI", "string", "http://a/b?c#d"),
        ("java.io.File", "value", "/a/b"),
        ("javax.management.ObjectName", "value", "a:b=c"),
    ] {
        rows.push(
            Row::new(java, "string", null())
                .good(Value::object(java, [(field, text(value))]), json!(value))
                .bad(Format, [Value::object(java, [])])
                .bad(Kind, [int(1)]),
        );
    }
    rows.push(
        Row::new("java.net.URL", "string", null())
            .good(
                url(80, "http", "h", [Some("u@h:80"), Some("/p?q"), Some("r")]),
                json!("http://u@h:80/p?q#r"),
            )
            .good(
                url(-1, "https", "[::1]", [Some("[::1]"), Some(""), None]),
                json!("https://[::1]"),
            )
            .good(
                url(-1, "jar", "", [None, Some("file:/a!/b"), None]),
                json!("jar:file:/a!/b"),
            )
            .bad(Format, [Value::object("java.net.URL", [])])
            .bad_back(Format, [json!("no url"), json!("://x")]),
    );
    let class = |name: &str| Value::object("java.lang.Class", [("name", text(name))]);
    rows.push(
        Row::new("java.lang.Class", "string", null())
            .good(class("t.C"), json!("t.C"))
            .good(class("x.Allowed"), json!("x.Allowed"))
            .good(class("int"), json!("int"))
            .reads(class("x.Other"), json!("x.Other"))
            .bad_back(
                UnknownClass,
                [json!("x.Other"), json!("javax.script.ScriptEngineManager")],
            ),
    );
    let simple = Value::object(
        "java.util.SimpleTimeZone",
        [("ID", text("Europe/Paris")), ("rawOffset", int(0))],
    );
    rows.push(
        Row::new("java.util.TimeZone", "string", null())
            .good(zone_info("GMT+08:00", 28_800_000), json!("GMT+08:00"))
            .good(zone_info("UTC", 0), json!("UTC"))
            .reads(zone_info("Asia/Shanghai", 28_800_000), json!("Asia/Shanghai"))
            .loses(Zone, simple, json!("Europe/Paris"))
            .bad(Kind, [int(1)])
            .bad_back(Format, [json!("Mars/Base"), json!("asia/shanghai")]),
    );
    // AtomicInteger, AtomicLong, AtomicBoolean
    let atomic = |kind: &str, value| one(&format!("java.util.concurrent.atomic.Atomic{kind}"), value);
    rows.push(
        Row::new(
            "java.util.concurrent.atomic.AtomicInteger",
            "int32",
            atomic("Integer", int(0)),
        )
        .good(atomic("Integer", int(i32::MIN)), json!(i32::MIN))
        .good(atomic("Integer", int(i32::MAX)), json!(i32::MAX)),
    );
    rows.push(
        Row::new(
            "java.util.concurrent.atomic.AtomicLong",
            "int64",
            atomic("Long", long(0)),
        )
        .good(atomic("Long", long(i64::MIN)), json!(i64::MIN.to_string()))
        .good(atomic("Long", long(i64::MAX)), json!(i64::MAX.to_string())),
    );
    rows.push(
        Row::new(
            "java.util.concurrent.atomic.AtomicBoolean",
            "bool",
            atomic("Boolean", int(0)),
        )
        .good(atomic("Boolean", int(1)), json!(true))
        .good(atomic("Boolean", int(0)), json!(false))
        .reads(atomic("Boolean", Value::Bool(true)), json!(true)),
    );
    // Enums: as such, by their constants' names, and those of the JDK.
    let color = |name: &str| Value::object("t.Color", [("name", text(name))]);
    rows.push(
        Row::new("t.Color", "E", null())
            .good(color("ON"), json!("E_ON"))
            .good(color("OFF"), json!("E_OFF"))
            .reads(text("ON"), json!("E_ON"))
            .loses(UnknownEnum, color("WHAT"), json!(0))
            .bad(Kind, [int(1)])
            .bad_back(UnknownEnum, [json!(9)]),
    );
    rows.push(Row::new("t.Color", "string", null()).good(color("OFF"), json!("OFF")));
    rows.push(Row::new("java.time.DayOfWeek", "string", null()).good(
        Value::object("java.time.DayOfWeek", [("name", text("MONDAY"))]),
        json!("MONDAY"),
    ));
    // Wrappers stand wherever their scalar does.
    let wrappers = [
        ("java.lang.Boolean", "BoolValue", Value::Bool(false), json!(false)),
        ("java.lang.Byte", "Int32Value", int(-128), json!(-128)),
        ("java.lang.Integer", "Int32Value", int(0), json!(0)),
        ("java.lang.Integer", "UInt32Value", int(7), json!(7)),
        (
            "java.lang.Long",
            "Int64Value",
            long(i64::MIN),
            json!(i64::MIN.to_string()),
        ),
        ("java.lang.Long", "UInt64Value", long(0), json!("0")),
        ("java.lang.Float", "FloatValue", Value::Double(0.1), json!(0.1f32)),
        ("java.lang.Double", "DoubleValue", Value::Double(0.0), json!(0.0)),
        ("java.lang.String", "StringValue", text(""), json!("")),
        ("java.lang.Character", "StringValue", text("\0"), json!("")),
        (
            "java.math.BigDecimal",
            "StringValue",
            decimal("1.0"),
            json!("1.0"),
        ),
        ("byte[]", "BytesValue", Value::Binary([].into()), json!("")),
    ];
    for (java, wrapper, value, json) in wrappers {
        let proto = Box::leak(format!("google.protobuf.{wrapper}").into_boxed_str());
        rows.push(Row::new(java, proto, null()).good(value, json));
    }
    rows
}

fn json_decimal(proto: &str, digits: &str) -> Json {
    if proto == "string" {
        json!(digits)
    } else {
        json!({"value": digits})
    }
}

/// All rows as one schema: method 2i has the field of row i, method 2i+1 has it `optional`.
struct Table {
    rows: Vec<Row>,
    lax: Bindings,
    strict: Bindings,
}

impl Table {
    fn new() -> Self {
        let rows = rows();
        let mut body = "enum E { E_UNSPECIFIED = 0; E_ON = 1; E_OFF = 2; }\n".to_owned();
        let (mut rpcs, mut messages) = (String::new(), String::new());
        for (i, row) in rows.iter().enumerate() {
            for (kind, label) in [("M", ""), ("O", "optional ")] {
                let _ = writeln!(body, "message {kind}{i} {{ {label}{} v = 1; }}", row.proto);
                let _ = write!(rpcs, "rpc {kind}{i}Echo({kind}{i}) returns ({kind}{i}); ");
                let _ = writeln!(
                    messages,
                    "- {{proto: t.{kind}{i}, java: t.C, types: {{v: '{}'}}, options: {{v: {{{}}}}}}}",
                    row.java, row.options
                );
            }
        }
        let _ = write!(body, "service S {{ {rpcs} }}");
        let yaml = |strict: bool| {
            format!(
                "strict: {strict}\nclasses: [x.Allowed]\nservices: [{{java: t.S, proto: t.S}}]\n\
                 enums: [{{proto: t.E, java: t.Color}}]\nmessages:\n{messages}"
            )
        };
        let load = |strict| load_source(&yaml(strict), &body).unwrap_or_else(|error| panic!("{error}"));
        Self {
            lax: load(false),
            strict: load(true),
            rows,
        }
    }
}

/// One field in one profile.
struct Cell<'t> {
    method: &'t MethodBinding,
    message: MessageDescriptor,
    label: String,
}

impl Cell<'_> {
    fn parse(&self, json: &Json) -> DynamicMessage {
        let message = DynamicMessage::deserialize(self.message.clone(), json!({"v": json}))
            .unwrap_or_else(|error| panic!("{}: {error}: {json}", self.label));
        // What was set to a default is not on the wire.
        DynamicMessage::decode(self.message.clone(), &*message.encode_to_vec()).unwrap()
    }

    fn to_protobuf(&self, value: &Value, scratch: &mut Scratch) -> Result<DynamicMessage, MappingError> {
        let stream = encode(&c(value.clone()));
        let bytes = self
            .method
            .arguments_to_protobuf(&stream, scratch, &Limits::DEFAULT)?;
        Ok(DynamicMessage::decode(self.message.clone(), &*bytes).unwrap())
    }

    fn to_hessian(&self, message: &DynamicMessage, scratch: &mut Scratch) -> Result<Value, MappingError> {
        let bytes = message.encode_to_vec();
        let stream = self
            .method
            .arguments_to_hessian(&bytes, scratch, &Limits::DEFAULT)?;
        Ok(decode(&stream))
    }
}

fn c(value: Value) -> Value {
    Value::object("t.C", [("v", value)])
}

fn for_each_cell(mut check: impl FnMut(&Row, &Cell<'_>, bool, bool)) {
    static TABLE: OnceLock<Table> = OnceLock::new();
    let table = TABLE.get_or_init(Table::new);
    for (strict, bindings) in [(false, &table.lax), (true, &table.strict)] {
        for (place, method) in bindings.services()[0].methods.iter().enumerate() {
            let row = &table.rows[place / 2];
            let kind = if place % 2 == 0 { "M" } else { "O" };
            let message = bindings.schemas()[0]
                .pool()
                .get_message_by_name(&format!("t.{kind}{}", place / 2))
                .unwrap();
            let optional = place % 2 == 1 || row.is_message();
            let cell = Cell {
                method,
                label: format!(
                    "{} {} (optional {optional}, strict {strict})",
                    row.java, row.proto
                ),
                message,
            };
            check(row, &cell, optional, strict);
        }
    }
}

#[test]
fn values_cross_both_ways_at_their_ends() {
    for_each_cell(|row, cell, _, _| {
        let label = &cell.label;
        let mut scratch = Scratch::default();
        for (value, json) in &row.good {
            let got = cell.to_protobuf(value, &mut scratch);
            let got = got.unwrap_or_else(|error| panic!("{label}: {value:?}: {error}"));
            assert_eq!(got, cell.parse(json), "{label}: {value:?}");
            let back = cell.to_hessian(&got, &mut scratch);
            let back = back.unwrap_or_else(|error| panic!("{label}: {json}: {error}"));
            assert_eq!(back, c(value.clone()), "{label}: {json}");
        }
        for (value, json) in &row.reads {
            let got = cell.to_protobuf(value, &mut scratch);
            let got = got.unwrap_or_else(|error| panic!("{label}: {value:?}: {error}"));
            assert_eq!(got, cell.parse(json), "{label}: {value:?}");
        }
        assert_eq!(scratch.lossy.iter().count(), 0, "{label}: {:?}", scratch.lossy);
    });
}

#[test]
fn what_does_not_fit_is_refused_with_method_field_and_rule() {
    for_each_cell(|row, cell, _, strict| {
        let label = &cell.label;
        let mut scratch = Scratch::default();
        let check = |error: MappingError, rule: Rule, what: &dyn std::fmt::Debug| {
            // Strict refuses the loss before the form.
            let losses = [Rule::Narrow, Rule::SubMs];
            assert!(
                error.rule == rule || (strict && losses.contains(&error.rule)),
                "{label}: {what:?}: {error}"
            );
            assert!(error.path.starts_with('v'), "{label}: {what:?}: {error}");
            assert_eq!(error.method, cell.method.name, "{label}");
        };
        for (rule, value) in &row.bad {
            match cell.to_protobuf(value, &mut scratch) {
                Ok(message) => panic!("{label}: {value:?} is read as {message:?}"),
                Err(error) => check(error, *rule, value),
            }
        }
        for (rule, json) in &row.bad_back {
            match cell.to_hessian(&cell.parse(json), &mut scratch) {
                Ok(value) => panic!("{label}: {json} is read as {value:?}"),
                Err(error) => check(error, *rule, json),
            }
        }
    });
}

#[test]
fn losses_are_counted_when_lax_and_refused_when_strict() {
    for_each_cell(|row, cell, _, strict| {
        let label = &cell.label;
        for (rule, value, json) in &row.loses {
            let mut scratch = Scratch::default();
            let got = cell.to_protobuf(value, &mut scratch);
            if strict {
                assert_eq!(got.unwrap_err().rule, *rule, "{label}: {value:?}");
                continue;
            }
            let got = got.unwrap_or_else(|error| panic!("{label}: {value:?}: {error}"));
            assert_eq!(got, cell.parse(json), "{label}: {value:?}");
            let counted: Vec<_> = scratch.lossy.iter().collect();
            assert_eq!(counted, [(*rule, 1)], "{label}: {value:?}");
        }
        for (rule, json, value) in &row.loses_back {
            let mut scratch = Scratch::default();
            let got = cell.to_hessian(&cell.parse(json), &mut scratch);
            if strict {
                assert_eq!(got.unwrap_err().rule, *rule, "{label}: {json}");
                continue;
            }
            let got = got.unwrap_or_else(|error| panic!("{label}: {json}: {error}"));
            assert_eq!(got, c(value.clone()), "{label}: {json}");
            let counted: Vec<_> = scratch.lossy.iter().collect();
            assert_eq!(counted, [(*rule, 1)], "{label}: {json}");
        }
    });
}

#[test]
fn null_and_absent_have_their_forms() {
    for_each_cell(|row, cell, optional, strict| {
        let label = &cell.label;
        let empty = DynamicMessage::new(cell.message.clone());
        let mut scratch = Scratch::default();
        // Absent in protobuf.
        let value = cell.to_hessian(&empty, &mut scratch).unwrap();
        let wanted = match (optional, row.is_primitive()) {
            (true, false) => Value::Null,
            (true, true) if row.java == "char" => text("\0"),
            _ => row.absent.clone(),
        };
        assert_eq!(value, c(wanted), "{label}");
        // Null, and a field that the class does not have, in Java.
        let missing = encode(&Value::object("t.C", []));
        let bytes = cell
            .method
            .arguments_to_protobuf(&missing, &mut scratch, &Limits::DEFAULT)
            .unwrap();
        assert!(bytes.is_empty(), "{label}");
        assert_eq!(scratch.lossy.iter().count(), 0, "{label}");
        let got = cell.to_protobuf(&Value::Null, &mut scratch);
        // An enum's unspecified number, and the empty text of what has none, are null's own.
        let null_is_a_value = optional || row.absent == Value::Null;
        let rule = if row.is_primitive() {
            Rule::NullPrimitive
        } else {
            Rule::NullToDefault
        };
        match got {
            Ok(message) => {
                assert!(null_is_a_value || !strict, "{label}");
                assert_eq!(message, empty, "{label}");
                let counted: Vec<_> = scratch.lossy.iter().collect();
                let wanted = if null_is_a_value { vec![] } else { vec![(rule, 1)] };
                assert_eq!(counted, wanted, "{label}");
            }
            Err(error) => {
                assert!(strict && !null_is_a_value, "{label}: {error}");
                assert_eq!(error.rule, rule, "{label}");
            }
        }
    });
}

#[test]
fn an_empty_text_that_was_set_is_no_number_and_no_time() {
    for_each_cell(|row, cell, optional, _| {
        let empty_is_a_value = matches!(
            row.java,
            "java.lang.String"
                | "char[]"
                | "char"
                | "java.lang.Character"
                | "byte[]"
                | "java.lang.Byte[]"
                | "java.math.BigInteger"
        );
        if row.proto != "string" || !optional {
            return;
        }
        let mut message = DynamicMessage::new(cell.message.clone());
        message.set_field_by_name("v", prost_reflect::Value::String(String::new()));
        let got = cell.to_hessian(&message, &mut Scratch::default());
        let texts = [
            "Locale",
            "Currency",
            "URI",
            "File",
            "ObjectName",
            "ZoneId",
            "Class",
        ];
        if texts.iter().any(|name| row.java.ends_with(name)) {
            return;
        }
        if row.java == "java.math.BigInteger" || !empty_is_a_value {
            assert_eq!(got.unwrap_err().rule, Rule::Format, "{}", cell.label);
        } else {
            assert_ne!(got.unwrap(), c(Value::Null), "{}", cell.label);
        }
    });
}

#[test]
fn not_a_number_and_minus_zero_stay_what_they_are() {
    for proto in ["float", "double"] {
        let java = if proto == "float" { "float" } else { "double" };
        let echo = super::tables::row(proto, java, "");
        let got = echo.to_json(&m(Value::Double(f64::NAN))).unwrap();
        assert_eq!(got, json!({"v": "NaN"}));
        let Value::Object(back) = echo.from_json(&got).unwrap() else {
            panic!("no object");
        };
        assert!(matches!(&back.fields[0], Value::Double(value) if value.is_nan()));
        let (method, mut scratch) = (echo.method(), Scratch::default());
        let stream = encode(&m(Value::Double(-0.0)));
        let bytes = method
            .arguments_to_protobuf(&stream, &mut scratch, &Limits::DEFAULT)
            .unwrap();
        assert!(!bytes.is_empty(), "-0.0 is not the default");
        let back = method
            .arguments_to_hessian(&bytes, &mut scratch, &Limits::DEFAULT)
            .unwrap();
        let Value::Object(back) = decode(&back) else {
            panic!("no object");
        };
        assert!(matches!(&back.fields[0], Value::Double(value) if value.to_bits() == (-0.0f64).to_bits()));
    }
}

#[test]
fn days_begin_where_the_binding_says() {
    let with = |zone: &str| {
        Echo::new(
            "message M { string v = 1; string w = 2; }",
            &format!(
                "timezone: {zone}\nservices: [{{java: t.S, proto: t.S}}]\nmessages:\n- proto: t.M\n  java: t.M\n  \
                 types: {{v: java.sql.Date, w: java.sql.Time}}"
            ),
        )
    };
    let both = |date, time| {
        Value::object(
            "t.M",
            [
                ("v", one("java.sql.Date", Value::Date(date))),
                ("w", one("java.sql.Time", Value::Date(time))),
            ],
        )
    };
    let json = json!({"v": "2024-07-01", "w": "12:30"});
    let day = 1_719_792_000_000;
    with("UTC").both(&both(day, 45_000_000), &json);
    with("Z").both(&both(day, 45_000_000), &json);
    with("Asia/Shanghai").both(&both(day - 28_800_000, 45_000_000 - 28_800_000), &json);
    // Summer time counts for the day, winter time for the first of January 1970.
    with("America/New_York").both(&both(day + 14_400_000, 45_000_000 + 18_000_000), &json);
    // A midnight that never was begins when the clocks were put forward.
    let echo = with("America/Sao_Paulo");
    let begins = echo.from_json(&json!({"v": "2018-11-04", "w": "00:00"})).unwrap();
    assert_eq!(begins, both(1_541_300_400_000, 10_800_000));
    assert_eq!(
        echo.to_json(&begins).unwrap(),
        json!({"v": "2018-11-04", "w": "00:00"})
    );
    // In another zone than Java's the day is another, and it is counted.
    let mut scratch = Scratch::default();
    let utc = with("UTC");
    let stream = encode(&both(day - 28_800_000, 0));
    let bytes = utc
        .method()
        .arguments_to_protobuf(&stream, &mut scratch, &Limits::DEFAULT)
        .unwrap();
    assert_eq!(json_of(&utc.message(), &bytes)["v"], "2024-06-30");
    assert_eq!(scratch.lossy.count(Rule::SqlPart), 1);
}

#[test]
fn a_time_zone_is_what_the_jdk_holds_of_it() {
    let echo = super::tables::row("string", "java.util.TimeZone", "");
    let Value::Object(holder) = echo.from_json(&json!({"v": "Europe/Paris"})).unwrap() else {
        panic!("no object");
    };
    let Value::Object(zone) = &holder.fields[0] else {
        panic!("no zone");
    };
    assert_eq!(zone.class.name.as_str(), Some("sun.util.calendar.ZoneInfo"));
    assert_eq!(zone.field("rawOffset"), Some(&int(3_600_000)));
    assert_eq!(zone.field("dstSavings"), Some(&int(3_600_000)));
    let Some(Value::TypedList(transitions)) = zone.field("transitions") else {
        panic!("no transitions");
    };
    assert!(transitions.items.len() > 100, "{}", transitions.items.len());
    assert_eq!(
        echo.to_json(&Value::Object(holder)).unwrap(),
        json!({"v": "Europe/Paris"})
    );
}
