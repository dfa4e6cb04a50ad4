//! Objects, methods, exceptions and generic calls: what `tables` and `shop` leave out.

use super::tables::{m, one};
use super::*;
use crate::plan::{Plan, ResultTarget, exception};
use crate::protobuf::Rule;
use crate::triple::status::{Code, details};
use crate::{Encoding, Payload};

const PLAIN: &str = "services: [{java: t.S, proto: t.S}]\n";

fn object<const N: usize>(class: &str, fields: [(&str, Value); N]) -> Value {
    Value::object(class, fields)
}

fn class(value: &Value) -> String {
    match value {
        Value::Object(object) => object.class.name.to_str_lossy().into_owned(),
        _ => panic!("no object: {value:?}"),
    }
}

#[test]
fn inherited_parts_are_one_row_in_java_and_nested_in_protobuf() {
    let proto = "message M { string name = 1; Middle middle = 2; int32 legs = 3; }\n\
                 message Middle { int64 id = 1; Base base = 5; repeated string tags = 9; }\n\
                 message Base { optional string note = 1; bool flag = 2; }";
    let yaml = format!(
        "{PLAIN}messages:\n- {{proto: t.M, java: t.Dog, options: {{middle: {{inherit: true}}}}}}\n\
         - {{proto: t.Middle, java: t.Animal, options: {{base: {{inherit: true}}}}, defaults: {{size: 10}}}}\n\
         - {{proto: t.Base, java: t.Thing}}"
    );
    let echo = Echo::new(proto, &yaml);
    let dog = |note: Value, flag| {
        object(
            "t.Dog",
            [
                ("name", text("rex")),
                ("id", Value::Long(7)),
                ("note", note),
                ("flag", Value::Bool(flag)),
                ("tags", list([text("a")])),
                ("legs", Value::Int(4)),
                ("size", Value::Int(10)),
            ],
        )
    };
    let json = json!({"name": "rex", "middle": {"id": "7", "base": {"note": "n", "flag": true}, "tags": ["a"]}, "legs": 4});
    echo.both(&dog(text("n"), true), &json);
    // Java writes the fields of the subclass first, or last, or in between.
    let java = object(
        "t.Dog",
        [
            ("tags", list([text("a")])),
            ("flag", Value::Bool(true)),
            ("legs", Value::Int(4)),
            ("id", Value::Long(7)),
            ("name", text("rex")),
            ("note", text("n")),
        ],
    );
    let mut scratch = Scratch::default();
    let method = echo.method();
    let bytes = method
        .arguments_to_protobuf(&encode(&java), &mut scratch, &Limits::DEFAULT)
        .unwrap();
    assert_eq!(json_of(&echo.message(), &bytes), json);
    // As prost writes it: every part once, by ascending numbers.
    let prost = DynamicMessage::decode(echo.message(), &*bytes)
        .unwrap()
        .encode_to_vec();
    assert_eq!(bytes, prost);
    // A part that holds nothing is not written, and one that is not there holds defaults.
    let bare = object("t.Dog", [("name", text("rex"))]);
    assert_eq!(echo.to_json(&bare).unwrap(), json!({"name": "rex"}));
    let Value::Object(back) = echo.from_json(&json!({"name": "rex"})).unwrap() else {
        panic!("no object");
    };
    assert_eq!(back.field("note"), Some(&Value::Null));
    assert_eq!(back.field("id"), Some(&Value::Long(0)));
    // A part in pieces, and a fault in one, with its path.
    let pieces = [0x12, 2, 0x08, 7, 0x12, 4, 0x2a, 2, 0x10, 1];
    let got = method
        .arguments_to_hessian(&pieces, &mut scratch, &Limits::DEFAULT)
        .unwrap();
    let Value::Object(got) = decode(&got) else {
        panic!("no object");
    };
    assert_eq!(
        (got.field("id"), got.field("flag")),
        (Some(&Value::Long(7)), Some(&Value::Bool(true)))
    );
    let broken = [0x12, 4, 0x2a, 2, 0x0a, 5];
    let error = method
        .arguments_to_hessian(&broken, &mut scratch, &Limits::DEFAULT)
        .unwrap_err();
    assert_eq!(
        (error.rule, error.path.as_str()),
        (Rule::Malformed, "middle.base")
    );
    // The generic style has one row, too.
    let generic = method
        .result_to_generic(&bytes, false, &mut scratch, &Limits::DEFAULT)
        .unwrap();
    let Value::Map(entries) = decode(&generic) else {
        panic!("no map");
    };
    let keys: Vec<_> = entries.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(
        keys,
        ["class", "name", "id", "note", "flag", "tags", "legs", "size"].map(text)
    );
    let back = encode(&Value::Map(entries));
    let again = method
        .arguments_to_protobuf(&back, &mut scratch, &Limits::DEFAULT)
        .unwrap();
    assert_eq!(again, bytes);
}

#[test]
fn the_option_of_the_go_generators_marks_inherited_parts() {
    let extend = "syntax = \"proto3\"; package x; import \"google/protobuf/descriptor.proto\";
        message Ext { string java_class_name = 1; string reference_path = 2; bool is_inheritance = 3; }
        extend google.protobuf.MessageOptions { Ext ext = 12345; }";
    let proto = "syntax = \"proto3\"; package t; import \"x.proto\";
        service S { rpc Echo(M) returns (M); }
        message Base { option (x.ext) = { is_inheritance: true }; int32 id = 1; }
        message M { Base base = 1; string name = 2; }";
    let yaml =
        |more: &str| format!("descriptors: [t.proto]\n{PLAIN}messages: [{{proto: t.M, java: t.M{more}}}]");
    let files = [("t.proto", proto), ("x.proto", extend)];
    let flat = Echo {
        bindings: load(&yaml(""), &files).unwrap(),
    };
    let value = object("t.M", [("id", Value::Int(1)), ("name", text("a"))]);
    flat.both(&value, &json!({"base": {"id": 1}, "name": "a"}));
    // The file may say otherwise.
    let nested = Echo {
        bindings: load(&yaml(", options: {base: {inherit: false}}"), &files).unwrap(),
    };
    let base = object("t.Base", [("id", Value::Int(1))]);
    nested.both(
        &object("t.M", [("base", base), ("name", text("a"))]),
        &json!({"base": {"id": 1}, "name": "a"}),
    );
}

#[test]
fn type_arguments_stand_for_the_variables_of_a_class() {
    let echo = Echo::new(
        "message M { UserResult user = 1; PairOfLongAndDates pair = 2; }\n\
         message UserResult { int32 code = 1; User data = 2; repeated User more = 3; }\n\
         message User { string name = 1; }\n\
         message PairOfLongAndDates { string left = 1; repeated google.protobuf.Timestamp right = 2; }",
        &format!(
            "{PLAIN}messages:\n- {{proto: t.M, java: t.M, types: {{user: 't.Result<t.User>', pair: t.Pair}}}}\n\
             - {{proto: t.UserResult, java: t.Result, type_args: [t.User], types: {{data: T, more: 'T[]'}}}}\n\
             - {{proto: t.User, java: t.User}}\n\
             - proto: t.PairOfLongAndDates\n  java: t.Pair\n  type_params: [L, R]\n  \
             type_args: [java.lang.Long, 'java.util.List<java.util.Date>']\n  types: {{left: L, right: R}}"
        ),
    );
    let user = || object("t.User", [("name", text("a"))]);
    echo.both(
        &object(
            "t.M",
            [
                (
                    "user",
                    object(
                        "t.Result",
                        [
                            ("code", Value::Int(1)),
                            ("data", user()),
                            ("more", typed("[t.User", [user()])),
                        ],
                    ),
                ),
                (
                    "pair",
                    object(
                        "t.Pair",
                        [("left", Value::Long(5)), ("right", list([Value::Date(0)]))],
                    ),
                ),
            ],
        ),
        &json!({
            "user": {"code": 1, "data": {"name": "a"}, "more": [{"name": "a"}]},
            "pair": {"left": "5", "right": ["1970-01-01T00:00:00Z"]},
        }),
    );
}

#[test]
fn several_messages_of_one_class_are_told_apart_by_their_place() {
    // Monomorphised generics: without an Any there is no doubt.
    let body = "message M { A a = 1; B b = 2; ANY } message A { string v = 1; } message B { int32 v = 1; }";
    let yaml = |primary: &str| {
        format!(
            "{PLAIN}messages:\n- {{proto: t.M, java: t.M}}\n- {{proto: t.A, java: t.R{primary}}}\n- {{proto: t.B, java: t.R}}"
        )
    };
    let echo = Echo::new(&body.replace("ANY", ""), &yaml(""));
    let value = object(
        "t.M",
        [
            ("a", object("t.R", [("v", text("x"))])),
            ("b", object("t.R", [("v", Value::Int(1))])),
        ],
    );
    echo.both(&value, &json!({"a": {"v": "x"}, "b": {"v": 1}}));
    // With one, a message must be primary.
    let any = format!(
        "service S {{ rpc Echo(M) returns (M); }} {}",
        body.replace("ANY", "google.protobuf.Any any = 3;")
    );
    let error = load_source(&yaml(""), &any).map(|_| ()).unwrap_err().to_string();
    for word in ["test.yaml", "t.M", "any", "t.A", "t.B", "t.R", "primary"] {
        assert!(error.contains(word), "{error} lacks {word}");
    }
    let echo = Echo {
        bindings: load_source(&yaml(", primary: true"), &any).unwrap(),
    };
    let value = object(
        "t.M",
        [
            ("a", Value::Null),
            ("b", Value::Null),
            ("any", object("t.R", [("v", text("x"))])),
        ],
    );
    echo.both(
        &value,
        &json!({"any": {"@type": "type.googleapis.com/t.A", "v": "x"}}),
    );
}

#[test]
fn keys_that_become_one_are_refused() {
    let longs = |yaml: &str| {
        Echo::new(
            "message M { map<int64, string> v = 1; map<string, int32> w = 2; repeated Entry x = 3; }\n\
             message Entry { string key = 1; int32 value = 2; }",
            &format!(
                "{yaml}{PLAIN}messages:\n- proto: t.M\n  java: t.M\n  types: {{v: 'java.util.Map<java.lang.Long,java.lang.String>', \
                 x: 'java.util.Map<java.util.UUID,java.lang.Integer>'}}"
            ),
        )
    };
    let map = |field: &'static str, entries: Vec<(Value, Value)>| {
        object("t.M", [(field, Value::Map(entries.into()))])
    };
    // An Integer and a Long in an erased map.
    let mixed = map("v", vec![(Value::Long(1), text("a")), (Value::Int(1), text("b"))]);
    let error = longs("").to_json(&mixed).unwrap_err();
    assert_eq!((error.rule, error.path.as_str()), (Rule::DuplicateKey, "v"));
    let apart = map("v", vec![(Value::Long(1), text("a")), (Value::Int(2), text("b"))]);
    assert_eq!(
        longs("").to_json(&apart).unwrap(),
        json!({"v": {"1": "a", "2": "b"}})
    );
    // Two halves of surrogate pairs.
    let half = |unit| Value::String(JavaText::from_utf16([unit]));
    let halves = map(
        "w",
        vec![(half(0xd800), Value::Int(1)), (half(0xd801), Value::Int(2))],
    );
    assert_eq!(longs("").to_json(&halves).unwrap_err().rule, Rule::DuplicateKey);
    // The same key twice: the last one counts for Java and protobuf alike; strict refuses it.
    let twice = map("w", vec![(text("a"), Value::Int(1)), (text("a"), Value::Int(2))]);
    assert_eq!(longs("").to_json(&twice).unwrap(), json!({"w": {"a": 2}}));
    assert_eq!(
        longs("strict: true\n").to_json(&twice).unwrap_err().rule,
        Rule::DuplicateKey
    );
    // One UUID in both of its shapes.
    let id = "00000000-0000-0001-0000-000000000001";
    let shapes = map(
        "x",
        vec![
            (one("java.util.UUID", text(id)), Value::Int(1)),
            (
                object(
                    "java.util.UUID",
                    [("mostSigBits", Value::Long(1)), ("leastSigBits", Value::Long(1))],
                ),
                Value::Int(2),
            ),
        ],
    );
    assert_eq!(longs("").to_json(&shapes).unwrap_err().rule, Rule::DuplicateKey);
    let allowed = longs("rules: {duplicate_key: allow}\n");
    let mut scratch = Scratch::default();
    allowed
        .method()
        .arguments_to_protobuf(&encode(&shapes), &mut scratch, &Limits::DEFAULT)
        .unwrap();
    assert_eq!(scratch.lossy.count(Rule::DuplicateKey), 1);
    // A key that loses something is counted once.
    let dates = Echo::new(
        "message M { repeated Entry v = 1; } message Entry { google.protobuf.Timestamp key = 1; int32 value = 2; }",
        &format!(
            "{PLAIN}messages: [{{proto: t.M, java: t.M, types: {{v: 'java.util.Map<java.util.Date,java.lang.Integer>'}}}}]"
        ),
    );
    let fine = json!({"v": [{"key": "2024-01-01T00:00:00.000001Z", "value": 1}]});
    let message = DynamicMessage::deserialize(dates.message(), fine).unwrap();
    let mut counted = Scratch::default();
    dates
        .method()
        .arguments_to_hessian(&message.encode_to_vec(), &mut counted, &Limits::DEFAULT)
        .unwrap();
    assert_eq!(counted.lossy.iter().collect::<Vec<_>>(), [(Rule::SubMs, 1)]);
    // Two constants that protobuf does not know.
    let colors = Echo::new(
        "message M { repeated Entry v = 1; } message Entry { Color key = 1; int32 value = 2; }\n\
         enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; }",
        &format!(
            "{PLAIN}rules: {{unknown_enum: allow}}\nenums: [{{proto: t.Color, java: t.Color}}]\n\
             messages: [{{proto: t.M, java: t.M, types: {{v: 'java.util.Map<t.Color,java.lang.Integer>'}}}}]"
        ),
    );
    let color = |name| (object("t.Color", [("name", text(name))]), Value::Int(1));
    let unknown = map("v", vec![color("PINK"), color("TEAL")]);
    assert_eq!(colors.to_json(&unknown).unwrap_err().rule, Rule::DuplicateKey);
    assert!(
        colors
            .to_json(&map("v", vec![color("RED"), color("TEAL")]))
            .is_ok()
    );
    // Back: a list of entries may hold a key twice, also in two spellings.
    let upper = "ABCDEF00-0000-0001-0000-000000000001";
    for key in [upper.to_owned(), upper.to_lowercase()] {
        let json = json!({"x": [{"key": upper, "value": 1}, {"key": key, "value": 2}]});
        let error = longs("").from_json(&json).unwrap_err();
        assert_eq!(
            (error.rule, error.path.as_str()),
            (Rule::DuplicateKey, "x"),
            "{key}"
        );
    }
    // Of a protobuf map the last of two equal keys counts, however it is spelt on the wire.
    let flags = Echo::new(
        "message M { map<bool, int32> v = 1; }",
        &format!("{PLAIN}messages: [{{proto: t.M, java: t.M}}]"),
    );
    let bytes = [0x0a, 4, 8, 1, 0x10, 1, 0x0a, 4, 8, 2, 0x10, 2];
    let got = flags
        .method()
        .arguments_to_hessian(&bytes, &mut scratch, &Limits::DEFAULT)
        .unwrap();
    assert_eq!(
        decode(&got),
        m(Value::Map([(Value::Bool(true), Value::Int(2))].into()))
    );
}

#[test]
fn an_object_as_a_map_has_each_field_once() {
    let echo = Echo::new(
        "message M { N v = 1; } message N { repeated int32 a = 1; }",
        &format!("{PLAIN}messages: [{{proto: t.M, java: t.M}}]"),
    );
    let ints = || list([Value::Int(1)]);
    let once = m(Value::Map([(text("a"), ints())].into()));
    assert_eq!(echo.to_json(&once).unwrap(), json!({"v": {"a": [1]}}));
    let twice = m(Value::Map([(text("a"), ints()), (text("a"), ints())].into()));
    assert_eq!(echo.to_json(&twice).unwrap_err().rule, Rule::DuplicateKey);
    // A map of the JDK stands for an object and is no subclass.
    let strict = Echo::new(
        "message M { N v = 1; } message N { repeated int32 a = 1; }",
        &format!("strict: true\n{PLAIN}messages: [{{proto: t.M, java: t.M}}]"),
    );
    let hash = m(Value::typed_map("java.util.LinkedHashMap", [(text("a"), ints())]));
    assert_eq!(strict.to_json(&hash).unwrap(), json!({"v": {"a": [1]}}));
    let other = m(Value::typed_map("x.Sub", [(text("a"), ints())]));
    assert_eq!(strict.to_json(&other).unwrap_err().rule, Rule::SubclassSlice);
}

#[test]
fn collected_fields_come_back() {
    let echo = Echo::new(
        "message M { string v = 1; map<string, gw.v1.JavaValue> rest = 2; }",
        &format!("{PLAIN}messages: [{{proto: t.M, java: t.M, unknown_java_fields: {{collect: rest}}}}]"),
    );
    let value = object(
        "t.M",
        [
            ("v", text("a")),
            ("b", Value::Int(1)),
            ("c", list([Value::Long(2), Value::Null])),
        ],
    );
    let json = echo.to_json(&value).unwrap();
    assert_eq!(json["rest"]["b"], json!({"int": 1}));
    assert_eq!(echo.from_json(&json).unwrap(), value);
    let clash = json!({"v": "a", "rest": {"v": {"int": 1}}});
    assert_eq!(echo.from_json(&clash).unwrap_err().rule, Rule::DuplicateKey);
}

#[test]
fn enum_sets_are_what_java_writes_for_them() {
    let echo = Echo::new(
        "enum E { E_UNSPECIFIED = 0; E_ON = 1; E_OFF = 2; } message M { repeated E v = 1; repeated string w = 2; }",
        &format!(
            "{PLAIN}enums: [{{proto: t.E, java: t.Color}}]\nmessages:\n- proto: t.M\n  java: t.M\n  \
             types: {{v: 'java.util.EnumSet<t.Color>', w: 'java.util.EnumSet<java.time.DayOfWeek>'}}"
        ),
    );
    let named = |class: &str, name: &str| object(class, [("name", text(name))]);
    let set = |class: &str, names: &[&str]| {
        let items: Vec<Value> = names.iter().map(|name| named(class, name)).collect();
        object(
            "com.alibaba.com.caucho.hessian.io.EnumSetHandler",
            [
                ("objects", typed("[object", items)),
                ("type", named("java.lang.Class", class)),
            ],
        )
    };
    let value = object(
        "t.M",
        [
            ("v", set("t.Color", &["ON", "OFF"])),
            ("w", set("java.time.DayOfWeek", &[])),
        ],
    );
    echo.both(&value, &json!({"v": ["E_ON", "E_OFF"]}));
    let value = object(
        "t.M",
        [
            ("v", set("t.Color", &[])),
            ("w", set("java.time.DayOfWeek", &["MONDAY"])),
        ],
    );
    echo.both(&value, &json!({"w": ["MONDAY"]}));
}

#[test]
fn of_two_fields_with_one_name_the_last_counts() {
    // hessian-lite 3 and 4 write the fields of the superclass first, and read the last value into the subclass.
    let echo = Echo::new(
        "message M { string v = 1; }",
        &format!("strict: true\n{PLAIN}messages: [{{proto: t.M, java: t.M}}]"),
    );
    let stream = b"C\x03t.M\x92\x01v\x01v\x60\x05super\x03sub";
    let bytes = echo
        .method()
        .arguments_to_protobuf(stream, &mut Scratch::default(), &Limits::DEFAULT)
        .unwrap();
    assert_eq!(json_of(&echo.message(), &bytes), json!({"v": "sub"}));
}

#[test]
fn null_in_every_place() {
    let echo = |strict: bool| {
        Echo::new(
            "message M { int32 p = 1; optional int32 o = 2; google.protobuf.Int32Value w = 3; oneof x { string y = 4; }\n\
             N n = 5; repeated int32 l = 6; map<string, int32> k = 7; Rows r = 8; google.protobuf.Timestamp d = 9; }\n\
             message N { } message Rows { repeated string items = 1; }",
            &format!(
                "strict: {strict}\n{PLAIN}messages:\n- proto: t.M\n  java: t.M\n  types: {{p: int, r: 'java.util.List<java.lang.String>'}}"
            ),
        )
    };
    let fields = ["p", "o", "w", "y", "n", "l", "k", "r", "d"];
    for field in fields {
        let mut scratch = Scratch::default();
        let value = Value::object("t.M", [(field, Value::Null)]);
        let lax = echo(false);
        let bytes = lax
            .method()
            .arguments_to_protobuf(&encode(&value), &mut scratch, &Limits::DEFAULT)
            .unwrap();
        assert!(bytes.is_empty(), "{field}");
        let rule = match field {
            "p" => Some(Rule::NullPrimitive),
            "l" | "k" => Some(Rule::NullCollection),
            _ => None,
        };
        let counted: Vec<_> = scratch.lossy.iter().map(|(rule, _)| rule).collect();
        assert_eq!(counted, rule.into_iter().collect::<Vec<_>>(), "{field}");
        match (echo(true).to_json(&value), rule) {
            (Ok(json), None) => assert_eq!(json, json!({}), "{field}"),
            (Err(error), Some(rule)) => assert_eq!((error.rule, error.path.as_str()), (rule, field)),
            (got, _) => panic!("{field}: {got:?}"),
        }
    }
    let back = echo(true).from_json(&json!({})).unwrap();
    let Value::Object(back) = back else {
        panic!("no object");
    };
    for (field, value) in [
        ("p", Value::Int(0)),
        ("o", Value::Null),
        ("w", Value::Null),
        ("y", Value::Null),
        ("n", Value::Null),
        ("l", list([])),
        ("k", Value::Map([].into())),
        ("r", Value::Null),
        ("d", Value::Null),
    ] {
        assert_eq!(back.field(field), Some(&value), "{field}");
    }
    // A map's null value can be left out, defaulted or refused; never a null key.
    let map = |key: Value| object("t.M", [("k", Value::Map([(key, Value::Null)].into()))]);
    assert_eq!(
        echo(false).to_json(&map(text("a"))).unwrap_err().rule,
        Rule::NullMapValue
    );
    assert_eq!(
        echo(false).to_json(&map(Value::Null)).unwrap_err().rule,
        Rule::NullMapKey
    );
    for (policy, json) in [("drop", json!({})), ("allow", json!({"v": {"a": 0}}))] {
        let echo = super::tables::row(
            "map<string, int32>",
            "java.util.Map<java.lang.String,java.lang.Integer>",
            &format!("null_value: {policy}"),
        );
        let value = m(Value::Map([(text("a"), Value::Null)].into()));
        assert_eq!(echo.to_json(&value).unwrap(), json, "{policy}");
    }
}

#[test]
fn proxies_and_unknown_subclasses_are_read_as_what_is_bound() {
    let echo = |strict: bool| {
        Echo::new(
            "message M { string v = 1; google.protobuf.Any any = 2; }",
            &format!("strict: {strict}\n{PLAIN}messages: [{{proto: t.M, java: t.M}}]"),
        )
    };
    for proxy in [
        "t.M$$EnhancerBySpringCGLIB$$1a2b",
        "t.M_$$_jvst5a_0",
        "t.M$HibernateProxy$aBc1",
    ] {
        let value = object(proxy, [("v", text("a"))]);
        assert_eq!(echo(true).to_json(&value).unwrap(), json!({"v": "a"}), "{proxy}");
        let inside = object("t.M", [("any", value)]);
        assert_eq!(echo(true).to_json(&inside).unwrap()["any"]["v"], "a", "{proxy}");
    }
    let sub = object("t.Sub", [("v", text("a")), ("more", Value::Int(1))]);
    assert_eq!(echo(false).to_json(&sub).unwrap(), json!({"v": "a"}));
    assert_eq!(echo(true).to_json(&sub).unwrap_err().rule, Rule::SubclassSlice);
}

#[test]
fn slices_implementations_and_branches_are_as_the_file_says() {
    let body = "message M { Dog v = 1; Cat c = 2; } message Dog { string name = 1; } message Cat { string name = 1; }";
    let cat = m(object("t.Cat", [("name", text("tom"))]));
    let slice = Echo::new(
        body,
        &format!("{PLAIN}messages: [{{proto: t.M, java: t.M}}, {{proto: t.Dog, java: t.Dog, slice: true}}]"),
    );
    assert_eq!(slice.to_json(&cat).unwrap(), json!({"v": {"name": "tom"}}));
    // An abstract class is written as the one that implements it.
    let implemented = Echo::new(
        "message M { Pet v = 1; } message Pet { string name = 1; }",
        &format!(
            "{PLAIN}messages: [{{proto: t.M, java: t.M}}, {{proto: t.Pet, java: t.Pet, implementation: t.Dog}}]"
        ),
    );
    let back = implemented.from_json(&json!({"v": {"name": "rex"}})).unwrap();
    assert_eq!(back, m(object("t.Dog", [("name", text("rex"))])));
    implemented.both(&back, &json!({"v": {"name": "rex"}}));
    // A branch for what is none of the others.
    let branches = Echo::new(
        "message M { Pet v = 1; } message Pet { oneof kind { Dog dog = 1; Cat cat = 2; } }\n\
         message Dog { string name = 1; } message Cat { int32 lives = 1; }",
        &format!(
            "{PLAIN}messages:\n- {{proto: t.M, java: t.M, types: {{v: t.Pet}}}}\n\
             - {{proto: t.Pet, polymorphic: {{dog: t.Dog, cat: t.Cat}}, default_branch: dog}}"
        ),
    );
    let cow = m(object("t.Cow", [("name", text("moo"))]));
    assert_eq!(
        branches.to_json(&cow).unwrap(),
        json!({"v": {"dog": {"name": "moo"}}})
    );
    assert_eq!(branches.from_json(&json!({"v": {}})).unwrap(), m(Value::Null));
    branches.both(&m(Value::Null), &json!({}));
    // As a map, the class is an entry, wherever it stands.
    for entries in [
        vec![(text("class"), text("t.Cat")), (text("lives"), Value::Int(9))],
        vec![(text("lives"), Value::Int(9)), (text("class"), text("t.Cat"))],
    ] {
        let value = m(Value::Map(entries.into()));
        assert_eq!(
            branches.to_json(&value).unwrap(),
            json!({"v": {"cat": {"lives": 9}}})
        );
    }
    let nameless = m(Value::Map([(text("name"), text("x"))].into()));
    assert_eq!(
        branches.to_json(&nameless).unwrap(),
        json!({"v": {"dog": {"name": "x"}}})
    );
}

#[test]
fn any_holds_what_its_field_allows() {
    let echo = Echo::new(
        "message M { google.protobuf.Any v = 1; } message Dog { string name = 1; } message Cat { int32 lives = 1; }",
        &format!(
            "{PLAIN}messages:\n- {{proto: t.M, java: t.M, options: {{v: {{any_types: [t.Dog]}}}}}}\n\
             - {{proto: t.Dog, java: t.Dog}}\n- {{proto: t.Cat, java: t.Cat}}"
        ),
    );
    let dog = m(object("t.Dog", [("name", text("rex"))]));
    echo.both(
        &dog,
        &json!({"v": {"@type": "type.googleapis.com/t.Dog", "name": "rex"}}),
    );
    let cat = m(object("t.Cat", [("lives", Value::Int(9))]));
    assert_eq!(echo.to_json(&cat).unwrap_err().rule, Rule::UnknownClass);
    let json = json!({"v": {"@type": "type.googleapis.com/t.Cat", "lives": 9}});
    assert_eq!(echo.from_json(&json).unwrap_err().rule, Rule::UnknownClass);
    let map = m(Value::Map(
        [(text("name"), text("rex")), (text("class"), text("t.Dog"))].into(),
    ));
    assert_eq!(echo.to_json(&map).unwrap()["v"]["name"], "rex");
    let unknown = json!({"v": {"@type": "type.googleapis.com/t.M"}});
    assert_eq!(echo.from_json(&unknown).unwrap_err().rule, Rule::UnknownClass);
}

#[test]
fn exceptions() {
    let body = "service S { rpc Echo(M) returns (M); } message M { string v = 1; }\n\
                message Gone { string id = 1; int32 count = 2; repeated string names = 3; }";
    let yaml = "expose_stack: true\nheuristic_codes: true\nservices:\n- java: t.S\n  proto: t.S\n  methods: [{java: echo(t.M), rpc: Echo, throws: [x.Gone]}]\n\
                messages: [{proto: t.M, java: t.M}, {proto: t.Gone, unknown_java_fields: error}]\nexceptions: [{java: x.Gone, code: NOT_FOUND, proto: t.Gone}]";
    let bindings = load_source(yaml, body).unwrap();
    let method = &bindings.services()[0].methods[0];
    let frame = object(
        "java.lang.StackTraceElement",
        [
            ("declaringClass", text("x.A")),
            ("methodName", text("f")),
            ("fileName", text("A.java")),
            ("lineNumber", Value::Int(7)),
        ],
    );
    let throwable = |class: &str, message: Value, cause: Value, own: Vec<(&'static str, Value)>| {
        let mut fields = vec![
            ("detailMessage", message),
            ("cause", cause),
            (
                "stackTrace",
                typed("[java.lang.StackTraceElement", [frame.clone()]),
            ),
            ("suppressedExceptions", Value::Null),
        ];
        fields.extend(own);
        encode(&Value::object(class, fields)).into()
    };
    let mut scratch = Scratch::default();
    // A bound class carries its fields, and comes back as itself to who declared it.
    let own = vec![
        ("id", text("7")),
        ("count", Value::Int(2)),
        ("names", list([text("a")])),
    ];
    let gone = throwable("x.Gone", text("gone"), Value::Null, own);
    let status = exception::to_status(&gone, Some(method), &mut scratch, &Limits::DEFAULT);
    assert_eq!(
        (status.code, status.message.as_str()),
        (Code::NotFound.number(), "gone")
    );
    // What every Throwable has is no field that a message misses.
    assert_eq!(scratch.lossy.iter().next(), None);
    let parsed = details::parse(&status.details).unwrap();
    let any = parsed
        .details
        .iter()
        .find(|any| any.message_name() == "t.Gone")
        .expect("its own message");
    let gone_message = bindings.schemas()[0]
        .pool()
        .get_message_by_name("t.Gone")
        .unwrap();
    assert_eq!(
        json_of(&gone_message, &any.value),
        json!({"id": "7", "count": 2, "names": ["a"]})
    );
    assert_eq!(details::error_info(&parsed).unwrap().reason, "GONE");
    let java = exception::Builds::from_release("3.3.6");
    let back = exception::to_throwable(&status, Some(method), java, &mut scratch, &Limits::DEFAULT);
    let Value::Object(back) = decode(&back) else {
        panic!("no object");
    };
    assert_eq!(class(&Value::Object(back.clone())), "x.Gone");
    assert_eq!(back.field("detailMessage"), Some(&text("gone")));
    assert_eq!(
        back.field("stackTrace"),
        Some(&typed("[java.lang.StackTraceElement", []))
    );
    assert_eq!(back.field("count"), Some(&Value::Int(2)));
    assert_eq!(back.field("names"), Some(&list([text("a")])));
    // Code by class; a carrier gives way to its cause; a cause that is the object itself is none.
    let codes = [
        ("java.lang.IllegalArgumentException", Code::InvalidArgument),
        (
            "javax.validation.ConstraintViolationException",
            Code::InvalidArgument,
        ),
        ("java.lang.NumberFormatException", Code::InvalidArgument),
        ("java.util.NoSuchElementException", Code::NotFound),
        ("x.UserNotFoundException", Code::NotFound),
        ("java.lang.SecurityException", Code::PermissionDenied),
        ("x.AccessDeniedException", Code::PermissionDenied),
        ("java.lang.UnsupportedOperationException", Code::Unimplemented),
        ("java.util.concurrent.TimeoutException", Code::DeadlineExceeded),
        ("x.Other", Code::Unknown),
    ];
    for (name, code) in codes {
        let thrown = throwable(name, Value::Null, Value::Ref(0), vec![]);
        let status = exception::to_status(&thrown, Some(method), &mut scratch, &Limits::DEFAULT);
        assert_eq!((status.code, status.message.as_str()), (code.number(), name));
    }
    for carrier in [
        "java.lang.reflect.InvocationTargetException",
        "java.util.concurrent.ExecutionException",
        "java.lang.reflect.UndeclaredThrowableException",
    ] {
        let cause = object(
            "x.Gone",
            [("detailMessage", text("inner")), ("cause", Value::Null)],
        );
        let thrown = throwable(carrier, text("outer"), cause, vec![]);
        let status = exception::to_status(&thrown, Some(method), &mut scratch, &Limits::DEFAULT);
        assert_eq!(
            (status.code, status.message.as_str()),
            (Code::NotFound.number(), "inner"),
            "{carrier}"
        );
    }
    let generic = throwable(
        "com.alibaba.dubbo.rpc.service.GenericException",
        Value::Null,
        Value::Null,
        vec![
            ("exceptionClass", text("x.Gone")),
            ("exceptionMessage", text("far")),
        ],
    );
    let status = exception::to_status(&generic, Some(method), &mut scratch, &Limits::DEFAULT);
    assert_eq!(
        (status.code, status.message.as_str()),
        (Code::NotFound.number(), "far")
    );
    // Too much to tell: the stack goes first, then the message, then the metadata.
    let own = vec![
        ("id", text(&"x".repeat(5000))),
        ("count", Value::Int(1)),
        ("names", Value::Null),
    ];
    let heavy = throwable("x.Gone", text("gone"), Value::Null, own);
    let status = exception::to_status(&heavy, Some(method), &mut scratch, &Limits::DEFAULT);
    assert!(status.details.len() <= 4096, "{}", status.details.len());
    let parsed = details::parse(&status.details).unwrap();
    assert!(parsed.details.iter().all(|any| any.message_name() != "t.Gone"));
    assert_eq!(
        details::error_info(&parsed).unwrap().metadata["java.class"],
        "x.Gone"
    );
}

#[test]
fn generic_calls_convert_by_the_same_plan() {
    let body = "service S { rpc Put(PutRequest) returns (PutReply); rpc Get(M) returns (M); }\n\
                message PutRequest { M order = 1; repeated int64 ids = 2; string day = 3; }\n\
                message PutReply { map<string, M> result = 1; }\n\
                message M { E e = 1; repeated string tags = 2; string date = 3; string amount = 4; }\n\
                enum E { E_UNSPECIFIED = 0; E_ON = 1; }";
    let yaml = "services:\n- java: t.S\n  proto: t.S\n  methods:\n  \
                - {java: 'put(t.M,java.util.Set<java.lang.Long>,java.time.LocalDate)', rpc: Put, returns: 'java.util.Map<java.lang.String,t.M>'}\n  \
                - {java: get(t.M), rpc: Get, returns: t.M}\n\
                enums: [{proto: t.E, java: t.Color}]\n\
                messages: [{proto: t.M, java: t.M, types: {tags: 'java.util.Set<java.lang.String>', date: java.time.LocalDate, amount: java.math.BigDecimal}}]";
    let bindings = load_source(yaml, body).unwrap();
    let method = |name: &str| Arc::clone(bindings.services()[0].method(name, None).unwrap());
    let message = |name: &str| bindings.schemas()[0].pool().get_message_by_name(name).unwrap();
    let stream = |name: &str, arguments: Vec<Value>| {
        let mut bytes = encode(&text(name));
        bytes.extend(encode(&typed("[string", [])));
        bytes.extend(encode(&typed("[object", arguments)));
        Payload::new(Encoding::Hessian2, bytes)
    };
    let order = |class: &str| {
        Value::Map(
            [
                (text("tags"), typed("java.util.HashSet", [text("a")])),
                (text("date"), text("2024-02-29")),
                (text("amount"), one("java.math.BigDecimal", text("1.50"))),
                (text("e"), text("ON")),
                (text("class"), text(class)),
            ]
            .into(),
        )
    };
    let mut scratch = Scratch::default();
    let mut go = |plan: &Plan, from: &Payload| {
        plan.arguments(from, None, Encoding::Protobuf, &mut scratch, &Limits::DEFAULT)
    };
    let put = Plan::generic(method("put"));
    let ids = list([Value::Int(1), Value::Long(2)]);
    let call = |class: &str| stream("put", vec![order(class), ids.clone(), text("2024-03-01")]);
    let bytes = go(&put, &call("t.M")).unwrap().bytes;
    let wanted = json!({
        "order": {"e": "E_ON", "tags": ["a"], "date": "2024-02-29", "amount": "1.50"},
        "ids": ["1", "2"], "day": "2024-03-01",
    });
    assert_eq!(json_of(&message("t.PutRequest"), &bytes), wanted);
    // The class is checked, the number of arguments is, and typed objects are read as well.
    assert_eq!(
        json_of(&message("t.PutRequest"), &go(&put, &call("t.Sub")).unwrap().bytes),
        wanted
    );
    let typed_order = object(
        "t.M",
        [
            ("e", object("t.Color", [("name", text("ON"))])),
            ("amount", text("1.50")),
        ],
    );
    let bytes = go(&put, &stream("put", vec![typed_order, Value::Null, Value::Null]))
        .unwrap()
        .bytes;
    assert_eq!(
        json_of(&message("t.PutRequest"), &bytes),
        json!({"order": {"e": "E_ON", "amount": "1.50"}})
    );
    for arguments in [vec![], vec![order("t.M")], vec![Value::Null; 4]] {
        let error = go(&put, &stream("put", arguments)).unwrap_err();
        assert!(
            matches!(&error, crate::plan::PlanError::Mapping(error) if error.rule == Rule::Arity),
            "{error}"
        );
    }
    let bytes = go(&Plan::generic(method("get")), &stream("get", vec![order("t.M")]))
        .unwrap()
        .bytes;
    assert_eq!(json_of(&message("t.M"), &bytes)["e"], "E_ON");
    // The result has the same style.
    let reply = DynamicMessage::deserialize(
        message("t.PutReply"),
        json!({"result": {"k": {"e": "E_ON", "tags": ["a"], "date": "2024-02-29", "amount": "1.50"}}}),
    )
    .unwrap();
    let reply = Payload::new(Encoding::Protobuf, reply.encode_to_vec());
    let got = put
        .result(
            &reply,
            &ResultTarget::new(Encoding::Hessian2),
            &mut scratch,
            &Limits::DEFAULT,
        )
        .unwrap();
    let entries = [
        (text("class"), text("t.M")),
        (text("e"), text("ON")),
        (text("tags"), typed("java.util.HashSet", [text("a")])),
        (text("date"), text("2024-02-29")),
        (text("amount"), one("java.math.BigDecimal", text("1.50"))),
    ];
    let wanted = Value::Map([(text("k"), Value::Map(entries.into()))].into());
    assert_eq!(decode(&got.payload.bytes), wanted);
}

#[test]
fn what_json_cannot_say_is_counted() {
    let echo = |strict: bool| {
        Echo::new(
            "message M { google.protobuf.Value v = 1; }",
            &format!("strict: {strict}\n{PLAIN}messages: [{{proto: t.M, java: t.M}}]"),
        )
    };
    for (value, json, rule) in [
        (Value::Int(1), json!(1.0), Some(Rule::StructNumber)),
        (
            Value::Long(1 << 53),
            json!(9_007_199_254_740_992.0),
            Some(Rule::StructNumber),
        ),
        (Value::Binary([1].into()), json!("AQ=="), Some(Rule::JsonForm)),
        (
            Value::Date(0),
            json!("1970-01-01T00:00:00.000Z"),
            Some(Rule::JsonForm),
        ),
        (
            one("java.math.BigDecimal", text("1.0")),
            json!("1.0"),
            Some(Rule::JsonForm),
        ),
        (
            object("x.Y", [("a", Value::Bool(true))]),
            json!({"a": true}),
            Some(Rule::JsonForm),
        ),
        (Value::Double(0.5), json!(0.5), None),
        (Value::Bool(true), json!(true), None),
        (list([Value::Null, text("a")]), json!([null, "a"]), None),
        (
            Value::Map([(text("a"), Value::Double(1.0))].into()),
            json!({"a": 1.0}),
            None,
        ),
    ] {
        let mut scratch = Scratch::default();
        let lax = echo(false);
        let bytes = lax
            .method()
            .arguments_to_protobuf(&encode(&m(value.clone())), &mut scratch, &Limits::DEFAULT)
            .unwrap();
        assert_eq!(json_of(&lax.message(), &bytes), json!({"v": json}));
        let counted: Vec<_> = scratch.lossy.iter().collect();
        assert_eq!(
            counted,
            rule.map(|rule| (rule, 1)).into_iter().collect::<Vec<_>>(),
            "{json}"
        );
        match (echo(true).to_json(&m(value.clone())), rule) {
            (Ok(got), None) => {
                assert_eq!(got, json!({"v": json}));
                assert_eq!(echo(true).from_json(&got).unwrap(), m(value));
            }
            (Err(error), Some(rule)) => assert_eq!(error.rule, rule, "{json}"),
            (got, _) => panic!("{json}: {got:?}"),
        }
    }
    let error = echo(false).to_json(&m(Value::Long((1 << 53) + 1))).unwrap_err();
    assert_eq!(error.rule, Rule::StructNumber);
}

#[test]
fn enums_without_unspecified_take_no_unknown_constant_for_zero() {
    let echo = Echo::new(
        "enum Status { OK = 0; STATUS_GONE = 1; } message M { Status v = 1; repeated Status l = 2; }",
        &format!(
            "{PLAIN}enums: [{{proto: t.Status, java: t.Status, values: {{OK: FINE}}}}]\nmessages: [{{proto: t.M, java: t.M}}]"
        ),
    );
    let status = |name: &str| object("t.Status", [("name", text(name))]);
    let with = |name: &str| object("t.M", [("v", status(name)), ("l", list([status("GONE")]))]);
    echo.both(&with("GONE"), &json!({"v": "STATUS_GONE", "l": ["STATUS_GONE"]}));
    // The default is a constant like the others.
    echo.both(&with("FINE"), &json!({"l": ["STATUS_GONE"]}));
    for unknown in ["PAUSED", "OK"] {
        let error = echo.to_json(&with(unknown)).unwrap_err();
        assert_eq!(
            (error.rule, error.path.as_str()),
            (Rule::UnknownEnum, "v"),
            "{unknown}"
        );
    }
}

#[test]
fn an_assumed_type_stands_for_object() {
    let echo = Echo::new(
        "message M { int64 v = 1; repeated Item items = 2; } message Item { string name = 1; }",
        &format!(
            "{PLAIN}messages:\n- {{proto: t.M, java: t.M, options: {{v: {{assume: java.lang.Long}}, items: {{assume: 't.Item[]'}}}}}}\n\
             - {{proto: t.Item, java: t.Item}}"
        ),
    );
    echo.both(
        &object(
            "t.M",
            [
                ("v", Value::Long(5)),
                (
                    "items",
                    typed("[t.Item", [object("t.Item", [("name", text("a"))])]),
                ),
            ],
        ),
        &json!({"v": "5", "items": [{"name": "a"}]}),
    );
}

#[test]
fn fields_of_a_holder_that_no_argument_has_are_counted() {
    let body = "service S { rpc Put(Ask) returns (Reply); } message Ask { string a = 1; int32 b = 2; string c = 3; }\n\
                message Reply { Names result = 1; string more = 2; } message Names { repeated string items = 1; }";
    let yaml = "services:\n- java: t.S\n  proto: t.S\n  methods:\n  - {java: 'put(int,java.lang.String)', rpc: Put, args: [b, a], \
                result: result, returns: 'java.util.List<java.lang.String>'}";
    let bindings = load_source(yaml, body).unwrap();
    let method = &bindings.services()[0].methods[0];
    // a, b and c; field 9 that the descriptors do not know.
    let bytes = [0x0a, 1, b'x', 0x10, 7, 0x1a, 1, b'y', 0x48, 1];
    let mut scratch = Scratch::default();
    let hessian = method
        .arguments_to_hessian(&bytes, &mut scratch, &Limits::DEFAULT)
        .unwrap();
    assert_eq!(hessian.as_ref(), b"\x97\x01x");
    assert_eq!(scratch.lossy.count(Rule::UnknownProtoField), 2);
    scratch.lossy.clear();
    let streams = method
        .arguments_to_streams(&bytes, &mut scratch, &Limits::DEFAULT)
        .unwrap();
    assert_eq!(
        streams.iter().map(|stream| stream.to_vec()).collect::<Vec<_>>(),
        [b"\x97".to_vec(), b"\x01x".to_vec()]
    );
    assert_eq!(scratch.lossy.count(Rule::UnknownProtoField), 2);
    scratch.lossy.clear();
    // The result, one field beside it, and one inside of it.
    let reply = [0x0a, 5, 0x0a, 1, b'x', 0x48, 1, 0x12, 1, b'y'];
    let hessian = method
        .result_to_hessian(&reply, false, &mut scratch, &Limits::DEFAULT)
        .unwrap();
    assert_eq!(decode(&hessian), list([text("x")]));
    assert_eq!(scratch.lossy.count(Rule::UnknownProtoField), 2);
}
