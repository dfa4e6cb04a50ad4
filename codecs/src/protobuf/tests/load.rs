//! Bindings that must not load, and what they say.

use super::*;

const PROTO: &str = "syntax = \"proto3\"; package t; option java_package = \"t\";
service S { rpc One(Two) returns (M); rpc Stream(M) returns (stream M); }
message Two { string a = 1; int32 b = 2; }
message M { string v = 1; repeated int32 r = 2; }
message Other { M m = 1; }
enum E { A = 0; }";

fn refused(yaml: &str) -> String {
    let yaml = format!("descriptors: [t.proto]\n{yaml}");
    let error = load(&yaml, &[("t.proto", PROTO)]).map(|_| ()).unwrap_err();
    assert_eq!(error.file, "test.yaml");
    error.to_string()
}

fn service(methods: &str) -> String {
    format!("services:\n- java: t.S\n  proto: t.S\n  methods: [{methods}]\n")
}

#[test]
fn a_good_one_loads_and_streams_are_marked() {
    let yaml = format!(
        "descriptors: [t.proto]\n{}",
        service("{java: 'one(java.lang.String,int)', rpc: One, returns: t.M}")
    );
    let bindings = load(&yaml, &[("t.proto", PROTO)]).unwrap();
    let service = &bindings.services()[0];
    assert_eq!(service.methods.len(), 2);
    assert!(!service.methods[0].streaming && service.methods[1].streaming);
    let refused = service.methods[1].arguments_to_protobuf(b"N", &mut Scratch::default(), &Limits::DEFAULT);
    assert!(refused.unwrap_err().to_string().contains("streams"));
}

#[test]
fn errors_name_file_object_and_member() {
    for (yaml, words) in [
        ("bogus: 1", &["bogus"][..]),
        (
            "services: [{java: t.S, proto: t.None}]",
            &["t.None", "no such service"],
        ),
        ("services: [{java: 't S', proto: t.S}]", &["no class name"]),
        (
            &service("{java: one(int), rpc: Missing}"),
            &["t.S", "Missing", "no such rpc"],
        ),
        (
            &service("{java: one(int), rpc: One}"),
            &["t.S: One", "t.Two", "2 fields for 1 parameters"],
        ),
        (
            &service("{java: 'one(int,int)', rpc: One}"),
            &["One", "t.Two", "a", "int in Java does not go with string"],
        ),
        (
            &service("{java: 'one(java.lang.String,int)', rpc: One, args: [a, x]}"),
            &["args", "no field x"],
        ),
        (
            &service("{java: 'one(java.lang.String,int)', rpc: One, args: [a, a]}"),
            &["a field is named twice"],
        ),
        (
            &service("{java: 'one(java.lang.String,int)', rpc: One, result: nope}"),
            &["result", "no field nope"],
        ),
        (&service("{java: 'one(', rpc: One}"), &["no Java method"]),
        (
            &service("{java: 'one(java.lang.String,int)', rpc: One}, {java: two(), rpc: One}"),
            &["two()", "bound to two methods"],
        ),
        (
            &service("{java: 'one(java.lang.String,java.util.Optional)', rpc: One}"),
            &["Optional", "cannot cross"],
        ),
        (
            &service("{java: 'one(java.lang.String,int)', rpc: One, nonsense: 1}"),
            &["nonsense"],
        ),
        ("messages: [{proto: t.None}]", &["t.None", "no such message"]),
        ("messages: [{proto: t.M}, {proto: t.M}]", &["t.M", "bound twice"]),
        (
            "messages: [{proto: t.M, fields: {x: y}}]",
            &["t.M", "x", "no such field"],
        ),
        (
            "messages: [{proto: t.M, types: {v: 'int'}}]",
            &["t.M", "v", "does not go with"],
        ),
        (
            "messages: [{proto: t.M, types: {v: '1'}}]",
            &["t.M", "v", "no Java type"],
        ),
        (
            "messages: [{proto: t.M, types: {v: 'java.util.List<int>'}}]",
            &["t.M", "v", "does not go with"],
        ),
        (
            "messages: [{proto: t.M, types: {r: 'int'}}]",
            &["t.M", "r", "repeated"],
        ),
        (
            "messages: [{proto: t.M, types: {r: 'java.util.Queue<java.lang.Integer>'}}]",
            &["java_type"],
        ),
        (
            "messages: [{proto: t.M, fields: {v: x, r: x}}]",
            &["t.M", "x", "bound twice"],
        ),
        (
            "messages: [{proto: t.Other, types: {m: t.Wrong}}]",
            &["t.Other", "m", "bound to t.M"],
        ),
        (
            "messages: [{proto: t.Other, types: {m: java.lang.Object}}]",
            &["java.lang.Object", "JavaValue"],
        ),
        (
            "messages: [{proto: t.M, defaults: {v: 1}}]",
            &["t.M", "v", "default"],
        ),
        (
            "messages: [{proto: t.M, options: {v: {inherit: true}}}]",
            &["inherit"],
        ),
        (
            "services: [{java: t.S, proto: t.S}]\nenums: [{proto: t.E, java: t.E, values: {B: X}}]\nmessages: [{proto: t.M, java: 'a b'}]",
            &["no class name"],
        ),
        ("rules: {bogus: allow}", &["rules", "bogus", "no such rule"]),
        ("rules: {range: allow}", &["range", "always an error"]),
        ("timezone: Mars/Base", &["timezone", "Mars/Base", "no time zone"]),
        ("timezone: asia/shanghai", &["timezone", "asia/shanghai"]),
        ("exceptions: [{java: t.X, code: OOPS}]", &["t.X", "OOPS"]),
        ("exceptions: [{java: t.X, proto: t.None}]", &["t.None"]),
    ] {
        let text = refused(yaml);
        for word in words {
            assert!(text.contains(word), "{yaml}\n{text}\nlacks {word}");
        }
    }
}

#[test]
fn descriptors_that_cannot_be_read_are_named() {
    let error = load("descriptors: [none.proto]", &[]).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("none.proto"), "{error}");
    let error = load("descriptors: [bad.proto]", &[("bad.proto", "service {")])
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("bad.proto"), "{error}");
    let error = load("descriptors: [bad.pb]", &[("bad.pb", "\u{1}garbage")])
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("bad.pb"), "{error}");
    let text = "syntax = \"proto3\"; import \"gone.proto\";";
    let error = load("descriptors: [a.proto]", &[("a.proto", text)])
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("gone.proto"), "{error}");
}

#[test]
fn options_of_the_go_generators_bind_as_well() {
    let extend = "syntax = \"proto3\"; package unified_idl_extend; import \"google/protobuf/descriptor.proto\";
        message MessageExt { string java_class_name = 1; string reference_path = 2; bool is_inheritance = 3; bool extend_args = 4; }
        message MethodExt { string method_name = 1; }
        extend google.protobuf.MessageOptions { MessageExt message_extend = 12345; }
        extend google.protobuf.MethodOptions { MethodExt method_extend = 12345; }";
    let text = "syntax = \"proto3\"; package t; import \"extend.proto\";
        service S { rpc Ask(Args) returns (Reply) { option (unified_idl_extend.method_extend) = { method_name: \"askIt\" }; } }
        message Args { option (unified_idl_extend.message_extend) = { extend_args: true }; string name = 1; int64 id = 2; }
        message Reply { option (unified_idl_extend.message_extend) = { java_class_name: \"com.x.User\" }; string name = 1; }";
    let bindings = load(
        "descriptors: [t.proto]\nservices: [{java: com.x.S, proto: t.S}]",
        &[("t.proto", text), ("extend.proto", extend)],
    )
    .unwrap();
    let method = bindings.services()[0].method("askIt", None).unwrap();
    assert_eq!(method.descriptor, "Ljava/lang/String;J");
    assert_eq!(method.return_type, "com.x.User");
    // The same from a descriptor set, as protoc writes it.
    let set = bindings.schemas()[0].encode();
    let again = Bindings::load(
        "set.yaml",
        "descriptors: [t.pb]\nservices: [{java: com.x.S, proto: t.S}]",
        &mut |_| Ok(set.clone()),
    )
    .unwrap();
    assert!(
        again.services()[0]
            .method("askIt", Some("Ljava/lang/String;J"))
            .is_ok()
    );
}

#[test]
fn files_merge_and_keys_are_unique() {
    let text = "syntax = \"proto3\"; package t; service S { rpc One(M) returns (M); } message M {}";
    let yaml = |group: &str| {
        format!("descriptors: [t.proto]\nservices: [{{java: t.S, proto: t.S, group: '{group}'}}]")
    };
    let mut all = load(&yaml("a"), &[("t.proto", text)]).unwrap();
    all.merge(load(&yaml("b"), &[("t.proto", text)]).unwrap())
        .unwrap();
    assert_eq!(all.services().len(), 2);
    let error = all
        .merge(load(&yaml("a"), &[("t.proto", text)]).unwrap())
        .unwrap_err();
    assert!(error.to_string().contains("bound twice"));
}
