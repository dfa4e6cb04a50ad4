//! Each check of a binding file, and each two meanings that a binding file may have: a load error that names the file,
//! the method or message, and the field.

use super::*;

/// One file that must not load: what is in the `.proto` beside the service, the binding's services and the rest of it, and
/// how the error names object and member and what it says.
struct Case {
    body: &'static str,
    methods: &'static str,
    rest: &'static str,
    object: &'static str,
    member: &'static str,
    says: &'static str,
}

const fn case(
    body: &'static str,
    methods: &'static str,
    rest: &'static str,
    object: &'static str,
    member: &'static str,
    says: &'static str,
) -> Case {
    Case {
        body,
        methods,
        rest,
        object,
        member,
        says,
    }
}

fn source_of(body: &str) -> String {
    format!(
        "service S {{ rpc Get(Ask) returns (M); rpc Put(Ask) returns (M); rpc Go(Ask) returns (stream M); }}\n\
         message Ask {{ string a = 1; int32 b = 2; }}\n{body}"
    )
}

const M: &str = "message M { string v = 1; repeated int32 r = 2; }";

#[rustfmt::skip]
const CASES: &[Case] = &[
    // Every rpc is bound once, or left out on purpose.
    case(M, "{java: get(int), rpc: None}", "", "t.S", "None", "has no such rpc"),
    case(M, "{java: 'get(java.lang.String,int)', rpc: Get}, {java: 'other(java.lang.String,int)', rpc: Get}", "", "t.S", "other(java.lang.String,int)", "bound to two methods"),
    case(M, "{java: 'get(java.lang.String,int)', rpc: Get}, {java: 'get(java.lang.String,int)', rpc: Put}", "", "t.S", "get", "two rpcs with the same parameters"),
    case(M, "{java: 'get(', rpc: Get}", "", "t.S: Get", "", "is no Java method"),
    // Arguments and results.
    case(M, "{java: get(java.lang.String), rpc: Get}", "", "t.S: Get", "t.Ask", "2 fields for 1 parameters"),
    case(M, "{java: 'get(java.lang.String,int)', rpc: Get, args: [a]}", "", "t.S: Get", "t.Ask", "1 fields for 2 parameters"),
    case(M, "{java: 'get(java.lang.String,int)', rpc: Get, args: [a, c]}", "", "t.S: Get", "t.Ask", "no field c"),
    case(M, "{java: 'get(java.lang.String,int)', rpc: Get, args: [a, a]}", "", "t.S: Get", "t.Ask", "named twice"),
    case(M, "{java: 'get(int,int)', rpc: Get}", "", "t.S: Get", "t.Ask a", "int in Java does not go with string"),
    case(M, "{java: get(x.Ask), rpc: Get}", "messages: [{proto: t.Ask, java: x.Other}]", "t.S: Get", "t.Ask", "bound to x.Other, which is not the parameter's type"),
    case(M, "{java: 'get(java.lang.String,int)', rpc: Get, result: x}", "", "t.S: Get", "t.M", "no field x"),
    case(M, "{java: 'get(java.lang.String,int)', rpc: Get, returns: 'a b'}", "", "t.S: Get", "", "is no Java type"),
    case(M, "{java: 'get(java.lang.String,int)', rpc: Get, returns: x.Y}", "messages: [{proto: t.M, java: x.M}]", "t.S: Get", "", "x.M"),
    case(M, "{java: 'get(java.lang.String,int)', rpc: Get, throws: ['a b']}", "", "t.S: Get", "", "throws: a b is no class name"),
    case(M, "{java: 'get(java.lang.String,org.apache.dubbo.common.stream.StreamObserver)', rpc: Get}", "", "t.S: Get", "t.Ask b", "streams are not bridged"),
    // One class for one message, one message for one name.
    case(M, "", "messages: [{proto: t.None}]", "t.None", "", "no such message"),
    case(M, "", "messages: [{proto: t.M}, {proto: t.M}]", "t.M", "", "bound twice"),
    case(M, "", "messages: [{proto: t.M, java: 'x y'}]", "t.S: Get", "t.M java", "no class name"),
    case("message M { A a = 1; B b = 2; google.protobuf.Any any = 3; } message A {} message B {}", "", "messages: [{proto: t.M, java: t.M}, {proto: t.A, java: x.A}, {proto: t.B, java: x.A}]", "t.M", "any", "primary"),
    case("message M { A a = 1; B b = 2; } message A {} message B {}", "", "messages: [{proto: t.M, java: t.M}, {proto: t.A, java: x.A, primary: true}, {proto: t.B, java: x.A, primary: true}]", "t.B", "primary", "another primary message"),
    // Names of fields.
    case(M, "", "messages: [{proto: t.M, java: t.M, fields: {x: y}}]", "t.S: Get", "t.M x", "no such field"),
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {x: int}}]", "t.S: Get", "t.M x", "no such field"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {x: {zero_as_null: true}}}]", "t.S: Get", "t.M x", "no such field"),
    case(M, "", "messages: [{proto: t.Ask, options: {x: {zero_as_null: true}}}]", "t.S: Get", "t.Ask x", "no such field"),
    case(M, "", "messages: [{proto: t.M, java: t.M, fields: {v: x, r: x}}]", "t.S: Get", "t.M r", "Java field x is bound twice"),
    case(M, "", "messages: [{proto: t.M, java: t.M, defaults: {v: 1}}]", "t.S: Get", "t.M v", "has a default"),
    case(M, "", "messages: [{proto: t.M, java: t.M, defaults: {w: [1]}}]", "t.S: Get", "t.M w", "not a scalar"),
    // The pair of types.
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {v: int}}]", "t.S: Get", "t.M v", "int in Java does not go with string"),
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {v: '1'}}]", "t.S: Get", "t.M v", "no Java type"),
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {r: int}}]", "t.S: Get", "t.M r", "repeated"),
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {r: 'java.util.Map<java.lang.String,java.lang.Integer>'}}]", "t.S: Get", "t.M r", "repeated"),
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {v: java.lang.Object}}]", "t.S: Get", "t.M v", "java.lang.Object"),
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {r: 'java.util.EnumSet<x.Unknown>'}}]", "t.S: Get", "t.M r", "no enum of this binding"),
    case("message M { N n = 1; } message N { string x = 1; string y = 2; }", "", "messages: [{proto: t.M, java: t.M, types: {n: 'java.util.List<java.lang.String>'}}]", "t.S: Get", "t.M n", "not exactly one repeated field or map"),
    case("message M { N n = 1; } message N { }", "", "messages: [{proto: t.M, java: t.M, types: {n: x.N}}]", "t.S: Get", "t.M n", "t.N is bound to t.N"),
    case("message M { repeated N n = 1; } message N { string k = 3; string v = 4; }", "", "messages: [{proto: t.M, java: t.M, types: {n: 'java.util.Map<java.math.BigDecimal,java.lang.String>'}}]", "t.S: Get", "t.M n", "no key = 1 and value = 2"),
    case("message M { repeated N n = 1; } message N { string key = 1; string value = 2; string more = 3; }", "", "messages: [{proto: t.M, java: t.M, types: {n: 'java.util.Map<java.math.BigDecimal,java.lang.String>'}}]", "t.S: Get", "t.M n", "and nothing else"),
    case("message M { map<string, int32> n = 1; }", "", "messages: [{proto: t.M, java: t.M, types: {n: 'java.util.List<java.lang.String>'}}]", "t.S: Get", "t.M n", "map in protobuf"),
    case("message M { E e = 1; } enum E { A = 0; }", "", "enums: [{proto: t.E, java: x.E}]\nmessages: [{proto: t.M, java: t.M, types: {e: x.F}}]", "t.S: Get", "t.M e", "t.E is bound to x.E"),
    // Classes that cannot cross.
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {v: java.util.Optional}}]", "t.S: Get", "t.M v", "not Serializable"),
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {v: java.util.stream.Stream}}]", "t.S: Get", "t.M v", "not Serializable"),
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {v: java.io.InputStream}}]", "t.S: Get", "t.M v", "not Serializable"),
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {v: java.lang.Thread}}]", "t.S: Get", "t.M v", "not Serializable"),
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {r: 'java.util.Queue<java.lang.Integer>'}}]", "t.S: Get", "t.M r", "give java_type"),
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {r: 'java.util.SortedSet<java.lang.Integer>'}}]", "t.S: Get", "t.M r", "give java_type"),
    case("message M { map<string, int32> n = 1; }", "", "messages: [{proto: t.M, java: t.M, types: {n: 'java.util.SortedMap<java.lang.String,java.lang.Integer>'}}]", "t.S: Get", "t.M n", "give java_type"),
    // Options that mean nothing where they stand.
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {v: char}, options: {v: {zero_as_null: true}}}]", "t.S: Get", "t.M v", "zero_as_null does not fit"),
    case("message M { optional string v = 1; }", "", "messages: [{proto: t.M, java: t.M, options: {v: {zero_as_null: true}}}]", "t.S: Get", "t.M v", "zero_as_null does not fit"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {r: {zero_as_null: true}}}]", "t.S: Get", "t.M r", "zero_as_null does not fit"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {v: {empty_as_null: true}}}]", "t.S: Get", "t.M v", "empty_as_null does not fit"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {v: {back_reference: true}}}]", "t.S: Get", "t.M v", "back_reference does not fit"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {r: {nullable: true}}}]", "t.S: Get", "t.M r", "nullable does not fit"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {v: {reinterpret: true}}}]", "t.S: Get", "t.M v", "reinterpret does not fit"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {v: {allow_narrow: true}}}]", "t.S: Get", "t.M v", "allow_narrow does not fit"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {v: {allow_lossy: true}}}]", "t.S: Get", "t.M v", "allow_lossy does not fit"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {v: {keep_class: true}}}]", "t.S: Get", "t.M v", "keep_class does not fit"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {v: {null_element: drop}}}]", "t.S: Get", "t.M v", "null_element does not fit"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {r: {null_value: drop}}}]", "t.S: Get", "t.M r", "null_value does not fit"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {v: {any_types: [t.M]}}}]", "t.S: Get", "t.M v", "any_types does not fit"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {v: {java_type: java.util.TreeSet}}}]", "t.S: Get", "t.M v", "java_type does not fit"),
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {r: {java_type: 'a b'}}}]", "t.S: Get", "t.M r", "no class name"),
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {v: char}, options: {v: {assume: java.lang.String}}}]", "t.S: Get", "t.M v", "both a type and assume"),
    case("message M { repeated N v = 1; } message N { int32 value = 1; }", "", "messages: [{proto: t.M, java: t.M, types: {v: 'java.util.List<java.lang.Integer>'}, options: {v: {nullable: true}}}]", "t.S: Get", "t.M v", "must be optional"),
    case("message M { google.protobuf.Any v = 1; }", "", "messages: [{proto: t.M, java: t.M, options: {v: {any_types: [t.None]}}}]", "t.S: Get", "t.M v", "no such message"),
    case(M, "", "messages: [{proto: t.M, java: t.M, unknown_java_fields: {collect: v}}]", "t.S: Get", "t.M v", "no map<string, gw.v1.JavaValue>"),
    // Superclasses.
    case(M, "", "messages: [{proto: t.M, java: t.M, options: {v: {inherit: true}}}]", "t.S: Get", "t.M v", "option inherit"),
    case("message M { repeated N n = 1; } message N { }", "", "messages: [{proto: t.M, java: t.M, options: {n: {inherit: true}}}]", "t.S: Get", "t.M n", "single message"),
    case("message M { N n = 1; } message N { }", "", "messages: [{proto: t.M, java: t.M, types: {n: t.N}, options: {n: {inherit: true}}}]", "t.S: Get", "t.M n", "no Java type of its own"),
    case("message M { google.protobuf.Timestamp n = 1; }", "", "messages: [{proto: t.M, java: t.M, options: {n: {inherit: true}}}]", "t.S: Get", "t.M n", "bound to a class"),
    case("message M { M n = 1; }", "", "messages: [{proto: t.M, java: t.M, options: {n: {inherit: true}}}]", "t.M", "n", "inherits itself"),
    case("message M { N n = 1; string v = 2; } message N { string v = 1; }", "", "messages: [{proto: t.M, java: t.M, options: {n: {inherit: true}}}]", "t.M", "v", "in an inherited part"),
    // Generics.
    case(M, "", "messages: [{proto: t.M, java: t.M, types: {v: T}}]", "t.S: Get", "t.M v", "type variable T stands for nothing"),
    case(M, "", "messages: [{proto: t.M, java: t.M, type_args: ['1']}]", "t.S: Get", "t.M type_args", "no Java type"),
    case(M, "", "messages: [{proto: t.M, java: t.M, type_args: [int]}]", "t.S: Get", "t.M type_args", "cannot stand for"),
    case(M, "", "messages: [{proto: t.M, java: t.M, type_args: [x.Y], type_params: [K, V]}]", "t.S: Get", "t.M type_args", "2 names in type_params for 1"),
    case(M, "", "messages: [{proto: t.M, java: t.M, type_args: [x.Y, x.Z], type_params: [K, K]}]", "t.S: Get", "t.M type_args", "named twice"),
    case(M, "", "messages: [{proto: t.M, java: t.M, type_args: [x.Y], type_params: [a.b]}]", "t.S: Get", "t.M type_args", "no name of a type variable"),
    case("message M { N n = 1; } message N { string v = 1; }", "", "messages: [{proto: t.M, java: t.M, types: {n: 'x.R<x.Z>'}}, {proto: t.N, java: x.R, type_args: [x.Y]}]", "t.S: Get", "t.M n", "has the type_args x.Y"),
    // Several classes.
    case("message M { N n = 1; } message N { oneof k { A a = 1; string b = 2; } } message A { }", "", "messages: [{proto: t.M, java: t.M}, {proto: t.N, polymorphic: {b: x.A}}]", "t.S: Get", "t.N b", "no message in a oneof"),
    case("message M { N n = 1; } message N { oneof k { A a = 1; } } message A { }", "", "messages: [{proto: t.M, java: t.M}, {proto: t.N, polymorphic: {a: x.A, z: x.Z}}]", "t.S: Get", "t.N z", "no such field"),
    case("message M { N n = 1; } message N { oneof k { A a = 1; } } message A { }", "", "messages: [{proto: t.M, java: t.M}, {proto: t.A, java: x.B}, {proto: t.N, polymorphic: {a: x.A}}]", "t.S: Get", "t.N a", "bound to x.B"),
    case("message M { N n = 1; } message N { oneof k { A a = 1; B b = 2; } } message A { } message B { }", "", "messages: [{proto: t.M, java: t.M}, {proto: t.N, polymorphic: {a: x.A, b: x.A}}]", "t.S: Get", "t.N b", "another branch"),
    case("message M { N n = 1; } message N { oneof k { A a = 1; } } message A { }", "", "messages: [{proto: t.M, java: t.M}, {proto: t.N, polymorphic: {a: x.A}, accept_subclasses: [x.Sub]}]", "t.S: Get", "t.N x.Sub", "no ancestor"),
    case("message M { N n = 1; } message N { oneof k { A a = 1; } } message A { }", "", "messages: [{proto: t.M, java: t.M}, {proto: t.N, polymorphic: {a: x.A}, default_branch: b}]", "t.S: Get", "t.N b", "no such branch"),
    case("message M { N n = 1; } message N { oneof k { A a = 1; } } message A { }", "", "messages: [{proto: t.M, java: t.M}, {proto: t.N, java: x.N, polymorphic: {a: x.A}}]", "t.S: Get", "t.N polymorphic", "one of several classes"),
    case(M, "", "messages: [{proto: t.M, java: t.M, default_branch: b}]", "t.S: Get", "t.M polymorphic", "message with branches"),
    // Enums.
    case("message M { E e = 1; } enum E { A = 0; }", "", "enums: [{proto: t.None, java: x.E}]", "t.None", "", "no such enum"),
    case("message M { E e = 1; } enum E { A = 0; }", "", "enums: [{proto: t.E, java: x.E}, {proto: t.E, java: x.F}]", "t.E", "", "bound twice"),
    case("message M { E e = 1; } enum E { A = 0; }", "", "enums: [{proto: t.E, java: x.E, values: {B: X}}]", "t.S: Get", "t.E B", "no such value"),
    case("message M { E e = 1; } enum E { E_A = 0; A = 1; }", "", "", "t.S: Get", "t.E A", "constant A is that of another value"),
    case("message M { E e = 1; } enum E { A = 0; B = 1; }", "", "enums: [{proto: t.E, java: x.E, values: {B: A}}]", "t.S: Get", "t.E B", "constant A is that of another value"),
    case(M, "", "enums: [{java: 'x y'}]", "enums", "java", "no class name"),
    case(M, "", "enums: [{java: x.E, values: {A: B}}]", "x.E", "values", "give proto"),
    // Exceptions.
    case(M, "", "exceptions: [{java: 'x y'}]", "exceptions", "java", "no class name"),
    case(M, "", "exceptions: [{java: x.E, code: OOPS}]", "x.E", "code", "no gRPC error code"),
    case(M, "", "exceptions: [{java: x.E, code: OK}]", "x.E", "code", "no gRPC error code"),
    case(M, "", "exceptions: [{java: x.E}, {java: x.E}]", "x.E", "", "bound twice"),
    case("message M { } message G { }", "", "exceptions: [{java: x.E, proto: t.G}, {java: x.F, proto: t.G}]", "x.F", "proto", "carries x.E, too"),
    case("message M { } message G { }", "", "messages: [{proto: t.G, java: x.G}]\nexceptions: [{java: x.E, proto: t.G}]", "x.E", "proto", "bound to x.G"),
    case("message M { } message G { N n = 1; } message N { }", "", "messages: [{proto: t.G, java: x.E, options: {n: {inherit: true}}}]\nexceptions: [{java: x.E, proto: t.G}]", "x.E", "proto", "inherited parts"),
    // The file as a whole.
    case(M, "", "rules: {bogus: allow}", "rules", "bogus", "no such rule"),
    case(M, "", "rules: {cycle: allow}", "rules", "cycle", "always an error"),
    case(M, "", "rules: {surrogate: drop}", "rules", "surrogate", "drop is for elements"),
    case(M, "", "timezone: Mars/Base", "timezone", "", "no time zone"),
    case(M, "", "classes: ['x y']", "classes", "x y", "no class name"),
];

#[test]
fn each_check_names_file_method_and_field() {
    for case in CASES {
        let methods = match case.methods {
            "" => String::new(),
            methods => format!("\n  methods: [{methods}]"),
        };
        let yaml = format!("services:\n- java: t.S\n  proto: t.S{methods}\n{}", case.rest);
        let body = source_of(case.body);
        let error = match load_source(&yaml, &body) {
            Ok(_) => panic!("loads: {body}\n{yaml}"),
            Err(error) => error,
        };
        let context = format!("{error}\n{body}\n{yaml}");
        assert_eq!(error.file, "test.yaml", "{context}");
        assert_eq!(error.object, case.object, "{context}");
        assert_eq!(error.member, case.member, "{context}");
        assert!(
            error.problem.contains(case.says),
            "{context}\nlacks {}",
            case.says
        );
    }
}

#[test]
fn what_looks_alike_and_is_none_loads() {
    for (body, rest) in [
        // Recursion of messages, aliases of an enum, options where they mean something.
        (
            "message M { M m = 1; repeated M l = 2; map<string, M> k = 3; }",
            "",
        ),
        (
            "message M { E e = 1; } enum E { option allow_alias = true; A = 0; B = 1; C = 1; }",
            "",
        ),
        (
            "message M { uint64 v = 1; repeated string r = 2; M parent = 3; google.protobuf.Value o = 4; float f = 5; double d = 6; }",
            "messages: [{proto: t.M, java: t.M, types: {v: long, f: double, d: java.math.BigDecimal}, options: {v: {reinterpret: true}, \
             r: {empty_as_null: true, null_element: drop, java_type: java.util.LinkedList}, parent: {back_reference: true}, \
             o: {keep_class: true}, f: {allow_narrow: true}, d: {allow_lossy: true}}}]",
        ),
        // An option on the way into a message of one list.
        (
            "message M { N n = 1; } message N { repeated string items = 1; }",
            "messages: [{proto: t.M, java: t.M, types: {n: 'java.util.List<java.lang.String>'}, options: {n: {null_element: drop}}}]",
        ),
        // Two classes of one name in two packages, two exceptions without a message.
        (
            "message M { A a = 1; } message A { }",
            "exceptions: [{java: x.E}, {java: y.E}]\nmessages: [{proto: t.A, java: x.A}]",
        ),
    ] {
        let yaml = format!("services: [{{java: t.S, proto: t.S}}]\n{rest}");
        load_source(&yaml, &source_of(body)).unwrap_or_else(|error| panic!("{error}\n{body}\n{rest}"));
    }
}

#[test]
fn descriptors_with_two_fields_of_one_json_name_are_refused() {
    let body = source_of("message M { string a_b = 1; string aB = 2; }");
    let error = load_source("services: [{java: t.S, proto: t.S}]", &body)
        .map(|_| ())
        .unwrap_err();
    assert!(
        error.object.contains("t.proto") && error.problem.contains("aB"),
        "{error}"
    );
}

#[test]
fn one_protobuf_service_stands_for_one_interface() {
    let body = source_of(M);
    let yaml = "services:\n- {java: t.S, proto: t.S}\n- {java: t.Other, proto: t.S}";
    let error = load_source(yaml, &body).map(|_| ()).unwrap_err();
    assert_eq!(
        (error.object.as_str(), error.member.as_str()),
        ("t.Other", "proto")
    );
    assert!(error.problem.contains("bound to t.S, too"), "{error}");
    let yaml = "services:\n- {java: t.S, proto: t.S}\n- {java: t.S, proto: t.S, version: 0.0.0}";
    let error = load_source(yaml, &body).map(|_| ()).unwrap_err();
    assert!(error.problem.contains("bound twice"), "{error}");
    // Groups of one interface may share it; and so it is across files.
    let group = |group: &str, java: &str| format!("services: [{{java: {java}, proto: t.S, group: {group}}}]");
    let mut all = load_source(&group("a", "t.S"), &body).unwrap();
    all.merge(load_source(&group("b", "t.S"), &body).unwrap())
        .unwrap();
    let error = all
        .merge(load_source(&group("c", "t.Other"), &body).unwrap())
        .unwrap_err();
    assert!(error.problem.contains("bound to t.S, too"), "{error}");
    assert_eq!(error.file, "test.yaml");
}

#[test]
fn marker_messages_carry_nothing() {
    let marker = "syntax = \"proto3\"; package java_math; message Decimal { }";
    let proto = "syntax = \"proto3\"; package t; import \"m.proto\";
        service S { rpc Get(M) returns (M); } message M { java_math.Decimal v = 1; }";
    let yaml = "descriptors: [t.proto]\nservices: [{java: t.S, proto: t.S}]";
    let error = load(yaml, &[("t.proto", proto), ("m.proto", marker)])
        .map(|_| ())
        .unwrap_err();
    assert!(error.problem.contains("empty marker message"), "{error}");
    assert_eq!(error.object, "t.S: Get");
}
