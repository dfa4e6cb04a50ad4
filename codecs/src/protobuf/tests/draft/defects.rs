//! The known defects of service definitions, each handled or refused; and names that collide.

use super::*;

/// A definition of interface `a.S`: methods as `name`, parameter types and return type, types as their JSON.
fn definition(methods: &[(&str, &[&str], &str)], types: Json) -> String {
    definition_of("a.S", "app", methods, types)
}

fn definition_of(interface: &str, app: &str, methods: &[(&str, &[&str], &str)], types: Json) -> String {
    let methods: Vec<Json> = methods
        .iter()
        .map(|(name, types, returns)| {
            json!({"name": name, "parameterTypes": types, "returnType": returns, "parameters": []})
        })
        .collect();
    json!({
        "canonicalName": interface, "codeSource": "app.jar", "methods": methods, "types": types,
        "parameters": {"application": app, "interface": interface, "side": "provider"},
    })
    .to_string()
}

/// An enum's constant as Java writes it.
fn constant(class: &str, name: &str) -> Value {
    Value::object(class, [("name", text(name))])
}

fn user() -> Json {
    json!({"type": "a.User", "properties": {"id": "long", "name": "java.lang.String"}})
}

#[track_caller]
fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "{line:?} not in\n{text}");
    }
}

#[track_caller]
fn lacks(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(!text.contains(line), "{line:?} in\n{text}");
    }
}

#[test]
fn d1_canonical_names_become_binary_ones() {
    let methods: &[(&str, &[&str], &str)] = &[("get", &["a.Outer.Middle.Inner[]"], "a.Outer")];
    let types = json!([
        {"type": "a.Outer.Middle.Inner", "properties": {"x": "int"}},
        {"type": "a.Outer", "properties": {"one": "a.Outer.Middle.Inner", "all": "java.util.List<a.Outer.Middle.Inner>"}},
    ]);
    let guessed = run(&[definition(methods, types.clone())], None, None);
    has(
        &guessed.binding,
        &["java: \"a.Outer$Middle$Inner\"", "get(a.Outer$Middle$Inner[])"],
    );
    has(
        &guessed.proto,
        &[
            "message OuterMiddleInner {",
            "java_class_name: \"a.Outer$Middle$Inner\"",
        ],
    );
    has(
        &report(&guessed),
        &["guessed: a.Outer.Middle.Inner is taken for a.Outer$Middle$Inner"],
    );
    let method = &loaded(&guessed).services()[0].methods[0].descriptor.clone();
    assert_eq!(method, "[La/Outer$Middle$Inner;");
    // Where the guess is wrong, a hint is right; and it is no guess then.
    let hints = "names: {a.Outer.Middle.Inner: a.Outer.Middle.Inner, a.Nobody: a.N}";
    let hinted = run(&[definition(methods, types)], Some(hints), None);
    has(&hinted.binding, &["java: \"a.Outer.Middle.Inner\""]);
    lacks(&report(&hinted), &["guessed"]);
    assert_eq!(
        hinted.unused_hints.iter().collect::<Vec<_>>(),
        ["names: a.Nobody"]
    );
    // A nested interface is named in full by the URL's parameter.
    let nested = r#"{"canonicalName":"a.Outer.S","parameters":{"interface":"a.Outer$S"},
        "methods":[{"name":"f","parameterTypes":["int"],"returnType":"int"}]}"#;
    let nested = run(&[nested.to_owned()], None, None);
    has(&nested.binding, &["- java: \"a.Outer$S\"", "proto: \"a.OuterS\""]);
}

#[test]
fn d2_the_order_of_properties_means_nothing() {
    let text = |properties: &str| {
        format!(
            r#"{{"canonicalName":"a.S","methods":[{{"name":"get","parameterTypes":[],"returnType":"a.U"}}],
            "types":[{{"type":"a.U","properties":{{{properties}}}}}]}}"#
        )
    };
    let one = run(&[text(r#""c":"int","a":"int","b":"int""#)], None, None);
    has(&one.proto, &["int32 a = 1;", "int32 b = 2;", "int32 c = 3;"]);
    let other = run(&[text(r#""b":"int","c":"int","a":"int""#)], None, None);
    assert_eq!(one, other);
    // A new field in between gets a new number at the end.
    let more = run(
        &[text(r#""c":"int","a":"int","b":"int","aa":"int""#)],
        None,
        Some(&one.lock),
    );
    has(
        &more.proto,
        &["int32 a = 1;", "int32 b = 2;", "int32 c = 3;", "int32 aa = 4;"],
    );
    lacks(&report(&more), &["breaking"]);
    // A deleted one that comes back is another field.
    let less = run(&[text(r#""c":"int","a":"int""#)], None, Some(&more.lock));
    has(&less.proto, &["  reserved 2, 4;\n  reserved \"aa\", \"b\";"]);
    let back = run(
        &[text(r#""c":"int","a":"int","b":"int""#)],
        None,
        Some(&less.lock),
    );
    has(
        &back.proto,
        &["  reserved 2, 4;\n  reserved \"aa\";", "int32 b = 5;"],
    );
}

#[test]
fn d3_parameters_have_positions_and_hints_name_them() {
    let text = definition(&[("pay", &["long", "java.lang.String"], "void")], json!([]));
    let plain = run(std::slice::from_ref(&text), None, None);
    has(
        &plain.proto,
        &[
            "int64 arg0 = 1;",
            "optional string arg1 = 2;",
            "message PayResponse {\n}",
        ],
    );
    let hints = "methods: {'pay(long,java.lang.String)': {args: [userId, class]}}";
    let named = run(std::slice::from_ref(&text), Some(hints), Some(&plain.lock));
    has(
        &named.proto,
        &["int64 user_id = 1;", "optional string class = 2;"],
    );
    has(
        &report(&named),
        &["changed: PayRequest.arg0 is now called user_id: its number stays"],
    );
    lacks(&named.proto, &["reserved"]);
    for (hints, words) in [
        (
            "methods: {'pay(long,java.lang.String)': {args: [a]}}",
            "names 1 of 2 parameters",
        ),
        (
            "methods: {'pay(long,java.lang.String)': {args: [a, a]}}",
            "names two parameters alike",
        ),
        (
            "methods: {'pay(long,java.lang.String)': {rpc: 'no name'}}",
            "is no name of an rpc",
        ),
        (
            "methods: {'pay(long,java.lang.String)': {throws: ['1']}}",
            "is no class name",
        ),
        (
            "methods: {'pay(long,java.lang.String)': {types: [int, int]}}",
            "with type arguments",
        ),
    ] {
        match attempt(std::slice::from_ref(&text), Some(hints), None) {
            Err(crate::protobuf::draft::DraftError::Nothing(notes)) => {
                assert!(notes.iter().any(|note| note.text.contains(words)), "{notes:?}");
            }
            other => panic!("{hints}: {other:?}"),
        }
    }
}

#[test]
fn d4_arrays_and_varargs() {
    let methods: &[(&str, &[&str], &str)] = &[
        ("a", &["long[]", "byte[]", "char[]"], "java.lang.String[]"),
        ("b", &["java.lang.String..."], "long[][]"),
        (
            "c",
            &["a.User[]"],
            "java.util.List<java.util.Set<java.lang.Long>>",
        ),
    ];
    let draft = run(&[definition(methods, json!([user()]))], None, None);
    has(
        &draft.proto,
        &[
            "repeated int64 arg0 = 1 [(unified_idl_extend.field_extend) = { java_type: \"long[]\" }];",
            "optional bytes arg1 = 2;",
            "optional string arg2 = 3 [(unified_idl_extend.field_extend) = { java_type: \"char[]\" }];",
            "repeated LongList result = 1",
            "message LongList {\n  repeated int64 items = 1;",
            "repeated User arg0 = 1",
        ],
    );
    // One holder for what looks alike.
    assert_eq!(draft.proto.matches("message LongList {").count(), 1);
    let bindings = loaded(&draft);
    let service = &bindings.services()[0];
    assert_eq!(
        service.method("b", None).unwrap().descriptor,
        "[Ljava/lang/String;"
    );
    assert_eq!(service.method("b", None).unwrap().returns.to_string(), "long[][]");
}

#[test]
fn d5_user_generics_need_hints_and_get_a_message_each() {
    let types = json!([
        user(),
        {"type": "a.Page", "properties": {"items": "java.util.List<T>", "first": "java.lang.Object", "total": "long"}},
        {"type": "java.util.List<T>"},
        {"type": "a.Wild", "properties": {"any": "java.util.List<?>"}},
        {"type": "java.util.Map<java.lang.String, a.User>"},
    ]);
    let methods: &[(&str, &[&str], &str)] = &[
        ("find", &["int"], "a.Page"),
        ("names", &["a.Page"], "void"),
        ("wild", &["a.Wild"], "void"),
        ("map", &[], "java.util.Map<java.lang.String, a.User>"),
    ];
    let text = definition(methods, types);
    let plain = run(std::slice::from_ref(&text), None, None);
    has(
        &report(&plain),
        &[
            "left out: a.S.find(int): field first of a.Page: java.lang.Object says nothing: hint its type",
            "left out: a.S.wild(a.Wild): field any of a.Wild: java.lang.Object says nothing",
        ],
    );
    has(&plain.proto, &["map<string, User> result = 1;"]);
    assert_eq!(plain.rpcs, 1);
    let hints = "type_parameters: {a.Page: [T]}\nfields: {a.Page.first: T, a.Wild.any: java.util.List<a.User>}\n\
        methods:\n  find(int): {returns: a.Page<a.User>}\n  a.S.names(a.Page): {types: [a.Page<java.lang.String>]}\n";
    let draft = run(std::slice::from_ref(&text), Some(hints), None);
    has(
        &draft.proto,
        &[
            "message PageUser {\n  option (unified_idl_extend.message_extend) = { java_class_name: \"a.Page\" };\n  \
             User first = 1;\n  repeated User items = 2;\n  int64 total = 3;",
            "optional string first = 1;\n  repeated string items = 2;",
        ],
    );
    has(
        &draft.binding,
        &[
            "type_args: [\"a.User\"]",
            "java: \"names(a.Page<java.lang.String>)\"",
        ],
    );
    assert!(draft.unused_hints.is_empty(), "{:?}", draft.unused_hints);
    let bindings = loaded(&draft);
    let names = bindings.services()[0].method("names", None).unwrap();
    assert_eq!(names.descriptor, "La/Page;");
    // Type parameters without arguments, or with another number of them, are refused.
    for (hints, words) in [
        (
            "type_parameters: {a.Page: [T]}",
            "a.Page is generic, and nothing says of what",
        ),
        (
            "methods: {find(int): {returns: a.Page<a.User>}}",
            "a.Page<a.User> is a generic class: hint its type_parameters",
        ),
        (
            "type_parameters: {a.Page: [T, U]}\nmethods: {find(int): {returns: a.Page<a.User>}}",
            "another number of type arguments",
        ),
    ] {
        has(
            &report(&run(std::slice::from_ref(&text), Some(hints), None)),
            &[words],
        );
    }
}

#[test]
fn d6_classes_of_the_jdk_are_known_by_name() {
    let types = json!([
        {"type": "java.time.LocalDate", "properties": {"year": "int", "month": "short", "day": "short"}},
        {"type": "java.time.LocalDateTime", "properties": {"date": "java.time.LocalDate", "time": "java.time.LocalTime"}},
        {"type": "a.All", "properties": {
            "date": "java.time.LocalDate", "at": "java.util.Date", "decimal": "java.math.BigDecimal",
            "took": "java.time.Duration", "small": "short", "boxed": "java.lang.Byte", "letter": "char",
            "properties": "java.util.Properties", "uuid": "java.util.UUID", "text": "java.lang.CharSequence"}},
    ]);
    let draft = run(
        &[definition(
            &[
                ("get", &["java.time.LocalDateTime"], "a.All"),
                ("none", &["java.util.Optional"], "void"),
            ],
            types,
        )],
        None,
        None,
    );
    has(
        &draft.proto,
        &[
            "optional string date = ",
            "google.protobuf.Timestamp at = ",
            "optional string decimal = ",
            "google.protobuf.Duration took = ",
            "int32 small = ",
            "optional int32 boxed = ",
            "string letter = ",
            "map<string, string> properties = ",
        ],
    );
    lacks(&draft.proto, &["message LocalDate", "year"]);
    has(
        &report(&draft),
        &["left out: a.S.none(java.util.Optional): java.util.Optional has no protobuf form"],
    );
    loaded(&draft);
}

#[test]
fn d7_constants_that_are_texts_are_told_and_hinted() {
    let types = json!([{"type": "a.Kind", "enums": ["A_B", "a b", "a-b", "", "UNSPECIFIED", "é"]}]);
    let text = definition(&[("kind", &[], "a.Kind")], types);
    let draft = run(std::slice::from_ref(&text), None, None);
    has(
        &draft.proto,
        &[
            "KIND_UNSPECIFIED = 0;",
            "KIND_A_B = 1;",
            "KIND_a_b_2 = 2;",
            "KIND_a_b_3 = 3;",
            "KIND_EMPTY = 4;",
            "KIND_UNSPECIFIED_2 = 5;",
            "KIND_EMPTY_2 = 6;",
        ],
    );
    has(
        &draft.binding,
        &["KIND_a_b_3: \"a-b\"", "KIND_UNSPECIFIED_2: \"UNSPECIFIED\""],
    );
    has(
        &report(&draft),
        &["guessed: a.Kind: \"a b\", \"a-b\", \"\", \"é\" look like toString()"],
    );
    let kind = Arc::clone(loaded(&draft).services()[0].method("kind", None).unwrap());
    let json = |java: &str| {
        let value = constant("a.Kind", java);
        let mut scratch = Scratch::default();
        let bytes = kind
            .result_to_protobuf(&encode(&value), &mut scratch, &Limits::DEFAULT)
            .unwrap();
        bytes.bytes.to_vec()
    };
    assert_eq!(json("a-b"), [8, 3]);
    assert_eq!(json("UNSPECIFIED"), [8, 5]);
    let hints = "enums: {a.Kind: {'a b': FIRST, 'a-b': SECOND, '': THIRD, 'é': FOURTH}}";
    let hinted = run(std::slice::from_ref(&text), Some(hints), None);
    has(
        &hinted.binding,
        &["KIND_FIRST: \"FIRST\"", "KIND_FOURTH: \"FOURTH\""],
    );
    lacks(&report(&hinted), &["toString"]);
    // Numbers of constants are kept like those of fields, wherever a new one stands.
    let types = json!([{"type": "a.Kind", "enums": ["NEW", "A_B", "UNSPECIFIED"]}]);
    let later = run(
        &[definition(&[("kind", &[], "a.Kind")], types)],
        None,
        Some(&draft.lock),
    );
    has(
        &later.proto,
        &[
            "reserved 2, 3, 4, 6;",
            "KIND_A_B = 1;",
            "KIND_UNSPECIFIED_2 = 5;",
            "KIND_NEW = 7;",
        ],
    );
}

#[test]
fn d8_fields_that_are_alike_in_protobuf_stay_apart() {
    let types = json!([{"type": "a.U", "properties": {
        "userID": "long", "userId": "long", "_id": "int", "id": "int", "$": "int", "this$0": "a.S", "serialVersionUID": "long"}}]);
    let text = definition(&[("get", &[], "a.U")], types);
    let draft = run(std::slice::from_ref(&text), None, None);
    has(
        &draft.proto,
        &[
            "int32 f = 1 [json_name = \"$\"];",
            "int32 id = 2;",
            "int32 id_2 = 3 [json_name = \"_id\"];",
            "int64 user_id = 4;",
            "int64 user_id_2 = 5 [json_name = \"userID\"];",
        ],
    );
    lacks(&draft.proto, &["serial", "this"]);
    loaded(&draft);
    // One that comes before them does not take their names.
    let types = json!([{"type": "a.U", "properties": {"userID": "long", "UserId": "long"}}]);
    let later = run(
        &[definition(&[("get", &[], "a.U")], types)],
        None,
        Some(&draft.lock),
    );
    has(
        &later.proto,
        &[
            "  reserved 1, 2, 3, 4;",
            "int64 user_id_2 = 5 [json_name = \"userID\"];",
            "int64 user_id_3 = 6 [json_name = \"UserId\"];",
        ],
    );
    lacks(&report(&later), &["user_id_2"]);
}

#[test]
fn d9_futures_are_raw_and_hinted() {
    let methods: &[(&str, &[&str], &str)] = &[
        ("raw", &[], "java.util.concurrent.CompletableFuture"),
        ("kept", &[], "java.util.concurrent.CompletableFuture<a.User>"),
        (
            "none",
            &[],
            "java.util.concurrent.CompletableFuture<java.lang.Void>",
        ),
    ];
    let text = definition(methods, json!([user()]));
    let draft = run(std::slice::from_ref(&text), None, None);
    assert_eq!(draft.rpcs, 2);
    has(
        &report(&draft),
        &["a.S.raw(): the definition hides what java.util.concurrent.CompletableFuture holds"],
    );
    has(&draft.proto, &["message NoneResponse {\n}", "User result = 1;"]);
    let hints = "methods: {raw(): {returns: java.util.concurrent.CompletableFuture<java.lang.Long>}}";
    let hinted = run(std::slice::from_ref(&text), Some(hints), None);
    has(&hinted.binding, &["returns: \"java.lang.Long\""]);
}

#[test]
fn d10_methods_have_no_order_and_overloads_keep_their_names() {
    let long: (&str, &[&str], &str) = ("get", &["long"], "a.User");
    let text: (&str, &[&str], &str) = ("get", &["java.lang.String"], "a.User");
    let list: (&str, &[&str], &str) = ("get", &["java.util.List<java.lang.Long>"], "a.User");
    let of = |methods: &[(&str, &[&str], &str)]| definition(methods, json!([user()]));
    let one = run(&[of(&[long, text])], None, None);
    assert_eq!(one, run(&[of(&[text, long])], None, None));
    has(
        &one.proto,
        &["rpc Get(GetRequest)", "rpc GetByString(GetByStringRequest)"],
    );
    // The lock's first stays the first, even where it is not there any more.
    let alone = run(&[of(&[text])], None, None);
    let both = run(&[of(&[long, text])], None, Some(&alone.lock));
    has(
        &both.proto,
        &["// a.User get(java.lang.String)\n  rpc Get(", "rpc GetByLong("],
    );
    let gone = run(&[of(&[long])], None, Some(&alone.lock));
    has(&gone.proto, &["rpc GetByLong("]);
    has(
        &report(&gone),
        &["breaking: rpc Get of a.S is gone, with get(java.lang.String): its name is kept"],
    );
    let three = run(&[of(&[list, long, text])], None, Some(&both.lock));
    has(
        &three.proto,
        &[
            "rpc GetByList(",
            "rpc GetByLong(",
            "java.lang.String)\n  rpc Get(",
        ],
    );
    // Parameters of equal simple names.
    let types = json!([user(), {"type": "b.User", "properties": {"x": "int"}}]);
    let alike = run(
        &[definition(
            &[
                ("f", &["int"], "int"),
                ("f", &["a.User"], "int"),
                ("f", &["b.User"], "int"),
            ],
            types,
        )],
        None,
        None,
    );
    let names: Vec<&str> = alike
        .proto
        .lines()
        .filter(|line| line.contains("  rpc FByUser"))
        .collect();
    assert_eq!(names.len(), 2);
    assert!(
        names[1].contains("rpc FByUser_") && names[1].len() > names[0].len(),
        "{names:?}"
    );
    loaded(&alike);
    // Another name by a hint breaks callers.
    let hints = "methods: {get(long): {rpc: Fetch}}";
    let renamed = run(&[of(&[long, text])], Some(hints), Some(&one.lock));
    has(&renamed.proto, &["rpc Fetch(FetchRequest)"]);
    has(
        &report(&renamed),
        &["breaking: rpc Get of a.S is now called Fetch"],
    );
}

#[test]
fn d11_protobuf_services_have_a_proto_of_their_own() {
    let java = definition_of("a.S", "app", &[("f", &["int"], "int")], json!([]));
    let stub = json!({"canonicalName": "a.Stub", "parameters": {"proxy": "nativestub"},
        "methods": [{"name": "f", "parameterTypes": ["int"], "returnType": "int"}]});
    let serialized = json!({"canonicalName": "a.Serialized", "parameters": {"serialization": "protobuf-json"},
        "methods": [{"name": "f", "parameterTypes": ["int"], "returnType": "int"}]});
    let built = json!({"canonicalName": "a.Built", "methods": [{"name": "f", "parameterTypes": ["a.M"], "returnType": "int"}],
        "types": [{"type": "a.M", "properties": {}, "typeBuilderName": "org.apache.dubbo.metadata.definition.protobuf.ProtobufTypeBuilder"}]});
    let bytes = json!({"canonicalName": "a.Bytes", "methods": [{"name": "f", "parameterTypes": ["a.M"], "returnType": "int"}],
        "types": [{"type": "a.M", "properties": {"b": "com.google.protobuf.ByteString"}}]});
    let all = [
        java,
        stub.to_string(),
        serialized.to_string(),
        built.to_string(),
        bytes.to_string(),
    ];
    let draft = run(&all, None, None);
    let report = report(&draft);
    for name in ["a.Stub", "a.Serialized", "a.Built", "a.Bytes"] {
        has(
            &report,
            &[&format!(
                "left out: {name}: the service has a .proto of its own ("
            )],
        );
    }
    assert_eq!(draft.rpcs, 1);
    // What Java 3.3.6 wrote of a service with a .proto is among the real tests.
    assert!(attempt(&all[1..], None, None).is_err());
}

#[test]
fn d12_exceptions_come_from_hints() {
    let text = definition(&[("get", &["long"], "a.User")], json!([user()]));
    let hints = "methods: {get(long): {throws: [a.Missing, a.Closed]}}";
    let draft = run(std::slice::from_ref(&text), Some(hints), None);
    has(
        &draft.binding,
        &["throws: [\"a.Missing\", \"a.Closed\"]", "# exceptions:"],
    );
    assert_eq!(
        loaded(&draft).services()[0].methods[0].throws,
        ["a.Missing", "a.Closed"]
    );
    // With the other choices that a binding has for all of it.
    let hints = "exceptions: {a.Missing: NOT_FOUND}\nrules: {null_element: drop}\nstrict: true\n";
    let chosen = run(std::slice::from_ref(&text), Some(hints), None);
    has(
        &chosen.binding,
        &[
            "strict: true\nrules:\n  \"null_element\": \"drop\"\n",
            "- {java: \"a.Missing\", code: \"NOT_FOUND\"}",
        ],
    );
    lacks(&chosen.binding, &["#"]);
    loaded(&chosen);
    let error = attempt(&[text], Some("rules: {bogus: drop}"), None).unwrap_err();
    assert!(
        error.to_string().contains("rules: bogus: no such rule"),
        "{error}"
    );
}

#[test]
fn d13_applications_are_merged_and_conflicts_told() {
    let shape =
        |fields: Json| json!([{"type": "a.U", "properties": fields}, {"type": "a.K", "enums": ["ONE"]}]);
    let get: (&str, &[&str], &str) = ("get", &["long"], "a.U");
    let old = definition_of(
        "a.S",
        "old",
        &[get, ("kind", &[], "a.K")],
        shape(json!({"a": "int", "b": "int"})),
    );
    let new = json!([{"type": "a.U", "properties": {"a": "long", "c": "int"}}, {"type": "a.K", "enums": ["TWO", "ONE"]}]);
    let new = definition_of(
        "a.S",
        "new",
        &[get, ("more", &[], "a.U"), ("kind", &[], "java.lang.String")],
        new,
    );
    let draft = run(&[old.clone(), new.clone()], None, None);
    assert_eq!(
        draft,
        run(&[new.clone(), old, new], None, None),
        "order and repetition mean nothing"
    );
    has(
        &draft.proto,
        &["int64 a = 1;", "int32 b = 2;", "int32 c = 3;", "rpc More("],
    );
    has(
        &report(&draft),
        &[
            "conflict: a.U.a: is long in new, int in old: the first is used",
            "conflict: a.U: only one of new and old has b, c: drafted all the same",
            "conflict: a.K: its constants differ between new and old",
            "conflict: a.S.kind(): returns java.lang.String in new, a.K in old: the first is used",
            "conflict: a.S.more(): only in 1 of 2 applications (new)",
        ],
    );
    loaded(&draft);
}

#[test]
fn d13_versions_share_a_service_and_leave_unbound_what_they_lack() {
    let of = |version: &str, group: &str, methods: &[(&str, &[&str], &str)]| {
        let mut json: Json = serde_json::from_str(&definition(methods, json!([user()]))).unwrap();
        json["parameters"]["version"] = version.into();
        json["parameters"]["group"] = group.into();
        json.to_string()
    };
    let get: (&str, &[&str], &str) = ("get", &["long"], "a.User");
    let texts = [
        of("1.0.0", "", &[get]),
        of("2.0.0", "eu", &[get, ("find", &[], "a.User")]),
    ];
    let draft = run(&texts, None, None);
    assert_eq!(draft.proto.matches("service S {").count(), 1);
    has(
        &draft.binding,
        &[
            "  version: \"1.0.0\"\n",
            "  unbound: [Find]",
            "  group: \"eu\"\n  version: \"2.0.0\"\n",
        ],
    );
    let bindings = loaded(&draft);
    let counts: Vec<usize> = bindings
        .services()
        .iter()
        .map(|service| service.methods.len())
        .collect();
    assert_eq!(counts, [1, 2]);
    lacks(&report(&draft), &["conflict"]);
}

#[test]
fn d14_types_of_go_are_left_out_by_method() {
    let methods: &[(&str, &[&str], &str)] = &[
        ("GetUser", &["*model.User"], "model.User"),
        ("Ping", &["int"], "java.lang.String"),
        ("bad name", &[], "int"),
        ("Map", &["map[string]int"], "int"),
    ];
    let types = json!([{"type": "*model.User", "properties": {"ID": "int64"}}, {"type": "a.U", "properties": {"x": "[]string"}}]);
    let draft = run(&[definition_of("a.S", "go-shop", methods, types)], None, None);
    assert_eq!(draft.rpcs, 1);
    has(
        &report(&draft),
        &[
            "left out: a.S.GetUser: \"*model.User\" is no Java type (go-shop)",
            "left out: a.S.Map: \"map[string]int\" is no Java type (go-shop)",
            "left out: a.S.bad name: is no name of a Java method (go-shop)",
        ],
    );
    // The method keeps its name of Go on the wire.
    has(&draft.binding, &["java: \"Ping(int)\""]);
    has(&draft.proto, &["method_name: \"Ping\""]);
}

#[test]
fn classes_named_like_requests_and_holders_keep_apart() {
    // The most usual way to write a Java service.
    let methods: &[(&str, &[&str], &str)] = &[
        ("create", &["a.CreateRequest"], "a.CreateResponse"),
        ("list", &["java.util.List<java.util.List<a.Item>>"], "a.ItemList"),
        ("s", &["a.x.S"], "b.Item"),
    ];
    let types = json!([
        {"type": "a.CreateRequest", "properties": {"x": "int"}},
        {"type": "a.CreateResponse", "properties": {"y": "int"}},
        {"type": "a.Item", "properties": {"z": "int"}},
        {"type": "b.Item", "properties": {"zz": "int"}},
        {"type": "a.ItemList", "properties": {"items": "java.util.List<a.Item>", "more": "boolean"}},
        {"type": "a.x.S", "properties": {"q": "int"}},
    ]);
    let text = definition(methods, types);
    let draft = run(std::slice::from_ref(&text), None, None);
    assert_eq!(draft.rpcs, 3, "{}", report(&draft));
    has(
        &draft.proto,
        &[
            "message CreateRequest {\n  option (unified_idl_extend.message_extend) = { extend_args: true };\n  ACreateRequest arg0 = 1;",
            "java_class_name: \"a.CreateResponse\"",
            "message BItem {",
            "message AItemList {\n  option (unified_idl_extend.message_extend) = { java_class_name: \"a.ItemList\" };",
            "message ItemList {\n  repeated Item items = 1;",
            "message XS {",
        ],
    );
    loaded(&draft);
    let again = run(std::slice::from_ref(&text), None, Some(&draft.lock));
    assert_eq!((&again.proto, &again.lock), (&draft.proto, &draft.lock));
    // A method that comes later does not take a class's name.
    let first = run(
        &[definition(
            &[("f", &["a.CreateRequest"], "int")],
            json!([{"type": "a.CreateRequest", "properties": {"x": "int"}}]),
        )],
        None,
        None,
    );
    has(
        &first.proto,
        &["message CreateRequest {", "CreateRequest arg0 = 1;"],
    );
    let later = run(
        &[definition(
            &[
                ("f", &["a.CreateRequest"], "int"),
                ("create", &["a.CreateRequest"], "int"),
            ],
            json!([{"type": "a.CreateRequest", "properties": {"x": "int"}}]),
        )],
        None,
        Some(&first.lock),
    );
    has(
        &later.proto,
        &["rpc Create(Create2Request)", "message CreateRequest {"],
    );
    lacks(&report(&later), &["breaking"]);
}

#[test]
fn a_second_service_of_a_package_renames_nothing() {
    let first = definition_of("a.S", "app", &[("get", &["long"], "a.User")], json!([user()]));
    let second = definition_of("a.T", "app", &[("get", &["long"], "a.User")], json!([user()]));
    let alone = run(std::slice::from_ref(&first), None, None);
    has(&alone.proto, &["rpc Get(GetRequest)"]);
    let both = run(&[first.clone(), second.clone()], None, Some(&alone.lock));
    has(
        &both.proto,
        &[
            "rpc Get(GetRequest)",
            "rpc Get(TGetRequest)",
            "message TGetResponse {",
        ],
    );
    lacks(&report(&both), &["breaking", "changed"]);
    // A draft of the second alone would take the first away.
    let only = run(std::slice::from_ref(&second), None, Some(&both.lock));
    has(
        &report(&only),
        &["breaking: service of a.S is gone: there is no definition of it"],
    );
    // Two interfaces of one simple name in one package.
    let other = definition_of("b.S", "app", &[("get", &["long"], "a.User")], json!([user()]));
    let hinted = run(&[first, other], Some("package: shop.v1"), None);
    has(
        &hinted.proto,
        &["service S {", "service BS {", "package shop.v1;"],
    );
    has(&hinted.binding, &["proto: \"shop.v1.BS\""]);
    loaded(&hinted);
}

#[test]
fn long_chains_and_circles_of_classes_are_drafted() {
    let types: Vec<Json> = (0..3000)
        .map(|n| json!({"type": format!("a.C{n}"), "properties": {"next": format!("a.C{}", (n + 1) % 3000)}}))
        .collect();
    let draft = run(&[definition(&[("get", &[], "a.C0")], types.into())], None, None);
    assert_eq!(draft.proto.matches("message C").count(), 3000);
}

#[test]
fn a_method_that_fails_late_leaves_nothing_behind() {
    let types = json!([
        {"type": "a.Good", "properties": {"deep": "a.Deep"}},
        {"type": "a.Deep", "properties": {"any": "java.lang.Object", "kind": "a.Kind"}},
        {"type": "a.Kind", "enums": ["X"]},
    ]);
    let draft = run(
        &[definition(
            &[("bad", &["a.Good"], "int"), ("ok", &["int"], "int")],
            types,
        )],
        None,
        None,
    );
    has(
        &report(&draft),
        &["left out: a.S.bad(a.Good): field any of a.Deep"],
    );
    for text in [&draft.proto, &draft.binding, &draft.lock] {
        lacks(text, &["Good", "Deep", "Kind", "Bad"]);
    }
}

#[test]
fn maps_of_every_kind_of_key() {
    let types = json!([user(), {"type": "a.K", "enums": ["X", "Y"]}]);
    let methods: &[(&str, &[&str], &str)] = &[
        (
            "a",
            &["java.util.Map<a.K,a.User>"],
            "java.util.Map<java.lang.Short,java.lang.String>",
        ),
        (
            "b",
            &["java.util.TreeMap<java.util.Date,a.User>"],
            "java.util.Map<a.User,java.util.List<java.lang.Long>>",
        ),
        (
            "c",
            &["java.util.Map<java.lang.Long,java.util.Map<java.lang.String,java.lang.Long>>"],
            "void",
        ),
    ];
    let draft = run(&[definition(methods, types)], None, None);
    has(
        &draft.proto,
        &[
            "map<string, User> arg0 = 1 [(unified_idl_extend.field_extend) = { java_type: \"java.util.Map<a.K,a.User>\" }];",
            "enum K {",
            "map<int32, string> result = 1",
            "repeated DateToUserEntry arg0 = 1",
            "message DateToUserEntry {\n  google.protobuf.Timestamp key = 1;\n  User value = 2;",
            "repeated UserToLongListEntry result = 1",
            "map<int64, StringLongMap> arg0 = 1",
        ],
    );
    let value = Value::Map(vec![(constant("a.K", "Y"), Value::Null)].into());
    let a = Arc::clone(loaded(&draft).services()[0].method("a", None).unwrap());
    let error = a
        .arguments_to_protobuf(&encode(&value), &mut Scratch::default(), &Limits::DEFAULT)
        .unwrap_err();
    assert_eq!(error.rule, crate::protobuf::Rule::NullMapValue);
}

#[test]
fn whole_replies_by_a_hint() {
    let text = definition(
        &[("get", &["long"], "a.User"), ("kind", &[], "a.K")],
        json!([user(), {"type": "a.K", "enums": ["X"]}]),
    );
    let hints = "methods: {get(long): {whole: true}, kind(): {whole: true}}";
    let draft = run(std::slice::from_ref(&text), Some(hints), None);
    has(&draft.proto, &["rpc Get(GetRequest) returns (User) {"]);
    has(
        &report(&draft),
        &["left out: a.S.kind(): a.K is an enum: it cannot be a whole reply"],
    );
    loaded(&draft);
    // And back.
    let wrapped = run(std::slice::from_ref(&text), None, Some(&draft.lock));
    has(
        &wrapped.proto,
        &["rpc Get(GetRequest) returns (GetResponse) {", "message User {"],
    );
    loaded(&wrapped);
}

#[test]
fn a_package_that_hides_google_is_written_in_full() {
    let text = definition_of(
        "com.google.shop.S",
        "app",
        &[("at", &["java.util.Date"], "void")],
        json!([]),
    );
    let draft = run(&[text], None, None);
    has(
        &draft.proto,
        &[
            ".google.protobuf.Timestamp arg0 = 1;",
            "(.unified_idl_extend.message_extend)",
        ],
    );
    loaded(&draft);
    let odd = definition_of("com.1x.S", "app", &[("at", &["int"], "void")], json!([]));
    assert!(
        attempt(&[odd], None, None)
            .unwrap_err()
            .to_string()
            .contains("is no class name")
    );
    let odd = definition_of("com.\u{e9}x.S", "app", &[("at", &["int"], "void")], json!([]));
    assert!(
        attempt(std::slice::from_ref(&odd), None, None)
            .unwrap_err()
            .to_string()
            .contains("is no protobuf package")
    );
    assert!(attempt(&[odd], Some("package: x.v1"), None).is_ok());
}

#[test]
fn a_lock_that_a_merge_broke_is_refused() {
    let text = definition(&[("get", &["long"], "a.User")], json!([user()]));
    let draft = run(std::slice::from_ref(&text), None, None);
    for (from, to, words) in [
        ("\"number\": 2", "\"number\": 1", "User has number 1 twice"),
        (
            "\"number\": 2",
            "\"number\": 0",
            "number 0, which no field can have",
        ),
        ("\"number\": 2", "\"number\": 19500", "number 19500"),
        (
            "\"a.User\": \"User\"",
            "\"a.User\": \"Us er\"",
            "is no name of a message",
        ),
        (
            "\"a.User\": \"User\"",
            "\"a.User\": \"GetRequest\"",
            "two things have the name GetRequest",
        ),
        ("\"version\": 1", "\"version\": 2", "version 2"),
    ] {
        assert!(draft.lock.contains(from), "{from}\n{}", draft.lock);
        let broken = draft.lock.replacen(from, to, 1);
        let error = attempt(std::slice::from_ref(&text), None, Some(&broken)).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// Options alone say what the binding file says.
#[test]
fn options_bind_like_the_binding_file() {
    let types = json!([
        {"type": "a.All", "properties": {
            "userID": "long", "small": "short", "decimal": "java.math.BigDecimal", "at": "java.util.Date",
            "tags": "java.util.Set<java.lang.String>", "kind": "a.Kind", "kinds": "java.util.Map<a.Kind,a.Inner>",
            "inner": "a.Outer.Inner", "ids": "long[]", "nested": "java.util.List<java.util.List<java.lang.Long>>"}},
        {"type": "a.Outer.Inner", "properties": {"x": "int"}},
        {"type": "a.Inner", "properties": {"x": "int"}},
        {"type": "a.Kind", "enums": ["X", "Y"]},
    ]);
    let methods: &[(&str, &[&str], &str)] = &[
        (
            "store",
            &[
                "a.All",
                "java.math.BigDecimal",
                "short",
                "java.util.Set<java.lang.Long>",
            ],
            "java.math.BigInteger",
        ),
        ("load", &[], "a.All"),
        ("store", &["byte"], "void"),
        ("kinds", &["a.Kind[]"], "java.util.Set<a.Kind>"),
    ];
    let draft = run(&[definition(methods, types)], None, None);
    let by_file = loaded(&draft);
    let by_options = bound(&draft, "descriptors: [orders.proto]\nservices: [{proto: a.S}]\n");
    let (one, other) = (&by_file.services()[0], &by_options.services()[0]);
    assert_eq!(one.key, other.key);
    assert_eq!(one.methods.len(), other.methods.len());
    for (one, other) in one.methods.iter().zip(&other.methods) {
        let seen = |method: &MethodBinding| {
            format!(
                "{} {} {:?} {} {:?} {:?}",
                method.java,
                method.descriptor,
                method.parameters,
                method.returns,
                method.arguments,
                method.result
            )
        };
        assert_eq!(seen(one), seen(other));
        let messages = |method: &MethodBinding| {
            let named = method
                .types
                .messages
                .iter()
                .map(|plan| (plan.name.clone(), format!("{plan:?}")));
            named.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(messages(one), messages(other));
        let enums = |method: &MethodBinding| {
            let named = method.types.enums.iter().map(|plan| {
                let constants: BTreeMap<_, _> = plan.by_java.iter().collect();
                (
                    plan.class.clone(),
                    plan.name.clone(),
                    format!("{:?}", plan.by_number),
                    constants.len(),
                )
            });
            named
                .map(|plan| format!("{:?}", (plan.0, plan.1, plan.2)))
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(enums(one), enums(other));
    }
    // The file has the last word, then the option, then the name.
    let yaml = "descriptors: [orders.proto]\nservices: [{java: a.Other, proto: a.S}]\n\
        messages: [{proto: a.All, java: a.Mine, types: {small: java.lang.Byte}}]\n";
    let mixed = bound(&draft, yaml);
    let service = &mixed.services()[0];
    assert_eq!(service.key.interface(), "a.Other");
    let load = service.method("load", None).unwrap();
    assert_eq!(load.return_type, "a.Mine");
    let bare = "syntax = \"proto3\"; package t; service S { rpc Get(Q) returns (R); } message Q { } message R { int32 x = 1; }";
    let named = super::super::load(
        "descriptors: [t.proto]\nservices: [{proto: t.S}]",
        &[("t.proto", bare)],
    )
    .unwrap();
    assert_eq!(named.services()[0].key.interface(), "t.S");
}
