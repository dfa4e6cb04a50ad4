//! The peers' shop: its binding on bytes that Java wrote.

use std::path::{Component, Path, PathBuf};

use bytes::{Bytes, BytesMut};

use super::*;
use crate::dubbo2::{self, Request, Response, ResponseBody};
use crate::plan::{Plan, ResultTarget, exception};
use crate::triple::status::Code;
use crate::triple::wrapper;
use crate::{Encoding, Payload, ServiceKey};

fn tests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests")
}

fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts
}

pub(super) fn shop() -> Bindings {
    let folder = tests_folder().join("peers/bindings");
    let yaml = std::fs::read_to_string(folder.join("shop.yaml")).unwrap();
    Bindings::load("shop.yaml", &yaml, &mut |name| {
        std::fs::read(normal(&folder.join(name))).map_err(|error| error.to_string())
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

fn capture(name: &str) -> Bytes {
    let path = tests_folder().join("fixtures/java-captures").join(name);
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .into()
}

fn request(peer: &str, case: &str) -> Request {
    let mut bytes = BytesMut::from(&capture(&format!("{peer}-{case}.req.bin"))[..]);
    let frame = dubbo2::split(&mut bytes, 1 << 20).unwrap().unwrap();
    Request::decode(&frame, &mut crate::hessian2::Scratch::new(), &Limits::DEFAULT).unwrap()
}

fn response(peer: &str, case: &str) -> ResponseBody {
    let mut bytes = BytesMut::from(&capture(&format!("{peer}-{case}.resp.bin"))[..]);
    let frame = dubbo2::split(&mut bytes, 1 << 20).unwrap().unwrap();
    Response::decode(&frame, &mut crate::hessian2::Scratch::new(), &Limits::DEFAULT)
        .unwrap()
        .body
}

/// The first message of stream 3 in a captured HTTP/2 connection.
fn tri_message(name: &str) -> Bytes {
    let bytes = capture(name);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut at = if bytes.starts_with(preface) {
        preface.len()
    } else {
        0
    };
    let mut splitter = crate::triple::message::Splitter::new(1 << 24);
    while at + 9 <= bytes.len() {
        let len = usize::from(bytes[at]) << 16 | usize::from(bytes[at + 1]) << 8 | usize::from(bytes[at + 2]);
        let (kind, stream) = (bytes[at + 3], bytes[at + 8]);
        if kind == 0 && stream == 3 {
            splitter.push(bytes.slice(at + 9..at + 9 + len));
            if let Some(message) = splitter.next_message().unwrap() {
                return message.bytes;
            }
        }
        at += 9 + len;
    }
    panic!("no message in {name}");
}

const PEERS: [&str; 3] = ["dubbo-2.6.12", "dubbo-2.7.23", "dubbo-3.3.6"];

fn order_json(id: i64, age: i64) -> Json {
    json!({
        "id": id.to_string(), "code": format!("ORD-{id}"), "status": "PAID",
        "buyer": {
            "id": id.to_string(), "login": format!("user{id}"), "name": "Zoë 中文 😀", "age": age,
            "home": {"street": "1 Quay Street", "city": "Delft", "zip": "00042", "country": "NL"},
            "roles": ["buyer", "reviewer"],
        },
        "shipTo": {"street": "1 Quay Street", "city": "Utrecht", "zip": "00042", "country": "NL"},
        "lines": [
            {"sku": "SKU-1", "quantity": 2, "price": {"amount": "19.99", "currency": "EUR"}, "discount": 0.1},
            {"sku": "SKU-2", "quantity": 1, "price": {"amount": "1E+3", "currency": "EUR"}},
        ],
        "labels": {"channel": "web"}, "tags": ["gift", "fragile"],
        "total": {"amount": "1039.98", "currency": "EUR"},
        "createdAt": "2023-11-14T22:13:20.123Z", "dueAt": "2024-02-29T23:59:58.123456789",
        "signature": "AAEC/w==",
        "history": ["1", "-1", "1700000000123", "-9223372036854775808"],
        "gift": true, "priority": true, "weight": 1.5,
    })
}

fn orders(bindings: &Bindings) -> &Arc<crate::protobuf::ServiceBinding> {
    let key = ServiceKey::new("org.landbridge.peers.api.OrderService", "", "0.0.0");
    bindings.by_key(&key).unwrap()
}

#[test]
fn the_binding_names_every_rpc_of_the_contract() {
    let bindings = shop();
    assert_eq!(bindings.services().len(), 3);
    let orders = orders(&bindings);
    assert_eq!(orders.methods.len(), 13);
    let get = orders.method("get", Some("J")).unwrap();
    assert_eq!(
        (get.rpc.as_str(), get.path.as_str()),
        ("Get", "/landbridge.peers.v1.OrderService/Get")
    );
    assert_eq!(get.return_type, "org.landbridge.peers.api.Order");
    assert!(
        orders.method("get", Some("JZ")).is_err(),
        "an overload that is not bound"
    );
    assert_eq!(orders.rpc("hello").unwrap().java, "hello");
    let total = orders.method("total", None).unwrap();
    assert_eq!(
        (total.descriptor.as_str(), total.arg_types[0].as_str()),
        ("[J", "[J")
    );
    assert_eq!(
        bindings.by_proto("landbridge.peers.v1.InventoryService").count(),
        2
    );
    assert_eq!(
        bindings
            .by_name("org.landbridge.peers.api.InventoryService")
            .count(),
        2
    );
    let stocks = bindings.services()[1].method("stocks", None).unwrap();
    assert_eq!(stocks.descriptor, "[Ljava/lang/String;");
}

#[test]
fn orders_that_java_wrote_become_the_message_and_come_back() {
    let bindings = shop();
    let get = orders(&bindings).method("get", Some("J")).unwrap();
    let descriptor = bindings.schemas()[0]
        .pool()
        .get_message_by_name("landbridge.peers.v1.Order")
        .unwrap();
    let mut scratch = Scratch::default();
    for peer in PEERS {
        let ResponseBody::Result(value) = response(peer, "get-long") else {
            panic!("{peer}");
        };
        let message = get
            .result_to_protobuf(&value, &mut scratch, &Limits::DEFAULT)
            .unwrap_or_else(|error| panic!("{peer}: {error}"));
        assert!(!message.null);
        assert_eq!(json_of(&descriptor, &message.bytes), order_json(7, 37), "{peer}");
        // And back: what the message holds is what Java gets.
        let back = get
            .result_to_hessian(&message.bytes, false, &mut scratch, &Limits::DEFAULT)
            .unwrap();
        let (java, ours) = (decode(&value), decode(&back));
        let (Value::Object(java), Value::Object(ours)) = (&java, &ours) else {
            panic!("no objects");
        };
        assert_eq!(ours.class.name.as_str(), Some("org.landbridge.peers.api.Order"));
        for field in [
            "id",
            "code",
            "shipTo",
            "total",
            "createdAt",
            "signature",
            "history",
            "gift",
            "weight",
            "note",
        ] {
            assert_same(java.field(field).unwrap(), ours.field(field).unwrap(), field);
        }
        let again = get
            .result_to_protobuf(&back, &mut scratch, &Limits::DEFAULT)
            .unwrap();
        assert_eq!(
            json_of(&descriptor, &again.bytes),
            order_json(7, 37),
            "{peer} again"
        );
    }
    // The dropped label, the unbound lineByNo and level.
    assert!(scratch.lossy.count(crate::protobuf::Rule::NullMapValue) >= 3);
    assert!(scratch.lossy.count(crate::protobuf::Rule::UnknownJavaField) >= 6);
}

/// Equal but for the order of fields and the identity of classes.
fn assert_same(java: &Value, ours: &Value, at: &str) {
    match (java, ours) {
        (Value::Object(java), Value::Object(ours)) => {
            assert_eq!(java.class.name, ours.class.name, "{at}");
            for field in &ours.class.fields {
                let name = field.as_str().unwrap();
                assert_same(java.field(name).unwrap(), ours.field(name).unwrap(), name);
            }
        }
        _ => assert_eq!(java, ours, "{at}"),
    }
}

#[test]
fn a_vip_user_is_read_as_the_user_that_is_bound() {
    let bindings = shop();
    let get = orders(&bindings).method("get", Some("J")).unwrap();
    let descriptor = bindings.schemas()[0]
        .pool()
        .get_message_by_name("landbridge.peers.v1.Order")
        .unwrap();
    let mut scratch = Scratch::default();
    let ResponseBody::Result(value) = response("dubbo-2.7.23", "get-string") else {
        panic!("no result");
    };
    let message = get
        .result_to_protobuf(&value, &mut scratch, &Limits::DEFAULT)
        .unwrap();
    assert_eq!(json_of(&descriptor, &message.bytes), order_json(8, 38));
    assert_eq!(scratch.lossy.count(crate::protobuf::Rule::SubclassSlice), 1);
}

#[test]
fn requests_of_every_java_peer_become_messages() {
    let bindings = shop();
    let pool = bindings.schemas()[0].pool().clone();
    let mut scratch = Scratch::default();
    for peer in PEERS {
        for (case, rpc, input, want) in [
            ("hello", "Hello", "HelloRequest", json!({"name": "world"})),
            ("get-long", "Get", "GetRequest", json!({"id": "7"})),
            (
                "cancel-void",
                "Cancel",
                "CancelRequest",
                json!({"id": "7", "reason": "why"}),
            ),
            ("list", "List", "ListRequest", json!({"ids": ["7", "8"]})),
            ("total", "Total", "TotalRequest", json!({"ids": ["1", "2"]})),
            ("fail-checked", "Fail", "FailRequest", json!({"kind": "checked"})),
            ("timeout", "Slow", "SlowRequest", json!({"millis": 1500})),
            ("whoami", "Whoami", "Nothing", json!({})),
        ] {
            let request = request(peer, case);
            let method = orders(&bindings)
                .method(&request.method, request.descriptor.as_deref())
                .unwrap_or_else(|error| panic!("{peer} {case}: {error}"));
            assert_eq!(method.rpc, rpc);
            let bytes = method
                .arguments_to_protobuf(&request.arguments, &mut scratch, &Limits::DEFAULT)
                .unwrap_or_else(|error| panic!("{peer} {case}: {error}"));
            let descriptor = pool
                .get_message_by_name(&format!("landbridge.peers.v1.{input}"))
                .unwrap();
            assert_eq!(json_of(&descriptor, &bytes), want, "{peer} {case}");
            // The way back gives arguments that mean the same, and so the same message.
            let back = method
                .arguments_to_hessian(&bytes, &mut scratch, &Limits::DEFAULT)
                .unwrap();
            let again = method
                .arguments_to_protobuf(&back, &mut scratch, &Limits::DEFAULT)
                .unwrap();
            assert_eq!(again, bytes, "{peer} {case}");
        }
        let create = request(peer, "create");
        let method = orders(&bindings)
            .method("create", create.descriptor.as_deref())
            .unwrap();
        let bytes = method
            .arguments_to_protobuf(&create.arguments, &mut scratch, &Limits::DEFAULT)
            .unwrap();
        let descriptor = pool
            .get_message_by_name("landbridge.peers.v1.CreateRequest")
            .unwrap();
        let order = json_of(&descriptor, &bytes);
        assert!(order["order"]["code"].is_string(), "{peer}: {order}");
    }
}

#[test]
fn plans_cross_every_pair_of_encodings() {
    let bindings = shop();
    let mut scratch = Scratch::default();
    for (case, method, descriptor) in [
        ("cancel-void", "cancel", "JLjava/lang/String;"),
        ("total", "total", "[J"),
        ("create", "create", "Lorg/landbridge/peers/api/Order;"),
    ] {
        let wrapped = Payload::new(
            Encoding::Wrapper,
            tri_message(&format!("tri-3.3.6-wrapper-{case}.req.bin")),
        );
        assert_eq!(
            crate::plan::descriptor_of_wrapper(&wrapped.bytes)
                .unwrap()
                .as_deref(),
            Some(descriptor)
        );
        let binding = orders(&bindings).method(method, Some(descriptor)).unwrap();
        let bound = Plan::new(Some(Arc::clone(binding)));
        let plain = Plan::default();
        let mut go = |plan: &Plan, from: &Payload, to| {
            plan.arguments(from, Some(descriptor), to, &mut scratch, &Limits::DEFAULT)
                .unwrap_or_else(|error| panic!("{case}: {error}"))
        };
        // Without a binding: the wrapper's content in one stream and back, byte for byte.
        let hessian = go(&plain, &wrapped, Encoding::Hessian2);
        assert_eq!(go(&plain, &hessian, Encoding::Wrapper), wrapped, "{case}");
        // With one: both ways give one message.
        let message = go(&bound, &wrapped, Encoding::Protobuf);
        assert_eq!(go(&bound, &hessian, Encoding::Protobuf), message, "{case}");
        let back = go(&bound, &message, Encoding::Wrapper);
        assert_eq!(go(&bound, &back, Encoding::Protobuf), message, "{case}");
        let back = go(&bound, &message, Encoding::Hessian2);
        assert_eq!(go(&bound, &back, Encoding::Protobuf), message, "{case}");
        let refused = plain.arguments(&wrapped, None, Encoding::Protobuf, &mut scratch, &Limits::DEFAULT);
        assert!(matches!(refused, Err(crate::plan::PlanError::NoBinding { .. })));
    }
}

#[test]
fn results_cross_and_null_has_its_forms() {
    use crate::triple::headers::Caller;
    let bindings = shop();
    let mut scratch = Scratch::default();
    let get = Plan::new(Some(Arc::clone(
        orders(&bindings).method("get", Some("J")).unwrap(),
    )));
    let wrapped = Payload::new(
        Encoding::Wrapper,
        tri_message("tri-3.3.6-wrapper-get-long.resp.bin"),
    );
    let mut go = |from: &Payload, to: &ResultTarget<'_>| get.result(from, to, &mut scratch, &Limits::DEFAULT);
    let hessian = go(&wrapped, &ResultTarget::new(Encoding::Hessian2))
        .unwrap()
        .payload;
    let again = go(&hessian, &ResultTarget::new(Encoding::Wrapper)).unwrap();
    assert_eq!(again.payload, wrapped, "as Java 3.3.6 wrote it");
    let message = go(&wrapped, &ResultTarget::new(Encoding::Protobuf))
        .unwrap()
        .payload;
    assert_eq!(
        go(&hessian, &ResultTarget::new(Encoding::Protobuf))
            .unwrap()
            .payload,
        message
    );
    let null = Payload::new(Encoding::Hessian2, &b"N"[..]);
    let to = |caller| ResultTarget {
        caller,
        ..ResultTarget::new(Encoding::Wrapper)
    };
    let java = go(&null, &to(Caller::Java)).unwrap().payload;
    assert_eq!(
        wrapper::Response::decode(&java.bytes).unwrap().data.as_deref(),
        Some(&b"N"[..])
    );
    let go_lang = go(&null, &to(Caller::Go)).unwrap().payload;
    assert_eq!(wrapper::Response::decode(&go_lang.bytes).unwrap().data, None);
    assert!(go(&null, &to(Caller::GoOld)).is_err());
    assert_eq!(go(&java, &to(Caller::Go)).unwrap().payload, go_lang);
    // `null_result: not_found` in the binding.
    let refused = go(&null, &ResultTarget::new(Encoding::Protobuf)).unwrap_err();
    assert!(refused.is_null_not_found(orders(&bindings).method("get", Some("J")).unwrap()));

    let cancel = Plan::new(Some(Arc::clone(
        orders(&bindings).method("cancel", None).unwrap(),
    )));
    let void = cancel
        .result(
            &Payload::new(Encoding::Protobuf, Bytes::new()),
            &ResultTarget::new(Encoding::Wrapper),
            &mut scratch,
            &Limits::DEFAULT,
        )
        .unwrap();
    let response = wrapper::Response::decode(&void.payload.bytes).unwrap();
    assert_eq!(
        (response.value().as_ref(), &*response.type_name),
        (&b"N"[..], "void")
    );
}

#[test]
fn exceptions_become_statuses_and_come_back() {
    let bindings = shop();
    let method = orders(&bindings).method("fail", None).unwrap();
    let mut scratch = Scratch::default();
    for peer in PEERS {
        let ResponseBody::Exception(thrown) = response(peer, "fail-checked") else {
            panic!("{peer}");
        };
        let status = exception::to_status(&thrown, Some(method), &mut scratch, &Limits::DEFAULT);
        assert_eq!(status.code, Code::FailedPrecondition.number(), "{peer}");
        let details = crate::triple::status::details::parse(&status.details).unwrap();
        let info = crate::triple::status::details::error_info(&details).unwrap();
        assert_eq!(info.reason, "OUT_OF_STOCK_EXCEPTION");
        let class = "org.landbridge.peers.api.OutOfStockException";
        assert_eq!(info.metadata["java.class"], class);
        assert!(info.metadata.contains_key("sku"), "{peer}: {:?}", info.metadata);

        let class_of = |caller, method: Option<&Arc<MethodBinding>>, scratch: &mut Scratch| {
            let method = method.map(|method| &**method);
            let bytes = exception::to_throwable(&status, method, caller, scratch, &Limits::DEFAULT);
            let chain =
                crate::hessian2::throwable::read(&bytes, &mut scratch.hessian, &Limits::DEFAULT).unwrap();
            assert_eq!(chain[0].message.as_deref(), Some(&*status.message));
            chain[0].class.to_string()
        };
        // The method declares it: whoever calls its interface has the class.
        for release in ["", "2.7.23"] {
            let builds = exception::Builds::from_release(release);
            assert_eq!(class_of(builds, Some(method), &mut scratch), class, "{release}");
        }
        let other = orders(&bindings).method("status", None).unwrap();
        for method in [None, Some(other)] {
            let unproven = exception::Builds::from_release("");
            let class = class_of(unproven, method, &mut scratch);
            assert_eq!(class, "java.lang.RuntimeException", "it declares nothing");
        }
    }
    let denied = crate::triple::status::Status::new(Code::PermissionDenied, "no");
    for (release, class) in [
        ("2.6.12", "com.alibaba.dubbo.rpc.RpcException"),
        ("3.3.6", "org.apache.dubbo.rpc.RpcException"),
        ("dubbo-golang-3.3.2", "java.lang.RuntimeException"),
    ] {
        let builds = exception::Builds::from_release(release);
        let bytes = exception::to_throwable(&denied, None, builds, &mut scratch, &Limits::DEFAULT);
        let chain = crate::hessian2::throwable::read(&bytes, &mut scratch.hessian, &Limits::DEFAULT).unwrap();
        assert_eq!(chain[0].class, class, "{release}");
    }
    let status = exception::to_status(&Bytes::from_static(b"\x91"), None, &mut scratch, &Limits::DEFAULT);
    assert_eq!(status.code, Code::Unknown.number());
}

#[test]
fn generic_calls_use_the_same_plan() {
    let bindings = shop();
    let mut scratch = Scratch::default();
    let create = Plan::generic(Arc::clone(orders(&bindings).method("create", None).unwrap()));
    let order = Value::Map(
        [
            (text("class"), text("org.landbridge.peers.api.Order")),
            (text("id"), Value::Long(5)),
            (text("status"), text("PAID")),
            (text("dueAt"), text("2024-02-29T23:59")),
            (
                text("total"),
                Value::object(
                    "java.util.HashMap",
                    [(
                        "amount",
                        Value::object("java.math.BigDecimal", [("value", text("1.50"))]),
                    )],
                ),
            ),
        ]
        .into(),
    );
    let mut stream = encode(&text("create"));
    stream.extend(encode(&Value::typed_list(
        "[string",
        [text("org.landbridge.peers.api.Order")],
    )));
    let mut writer_value = Vec::new();
    Value::typed_list("[object", [order]).encode(&mut writer_value);
    stream.extend(writer_value);
    let message = create
        .arguments(
            &Payload::new(Encoding::Hessian2, stream),
            None,
            Encoding::Protobuf,
            &mut scratch,
            &Limits::DEFAULT,
        )
        .unwrap();
    let descriptor = bindings.schemas()[0]
        .pool()
        .get_message_by_name("landbridge.peers.v1.CreateRequest")
        .unwrap();
    let got = json_of(&descriptor, &message.bytes);
    assert_eq!(got["order"]["status"], "PAID");
    assert_eq!(got["order"]["dueAt"], "2024-02-29T23:59");
    assert_eq!(got["order"]["total"]["amount"], "1.50");

    let get = Plan::generic(Arc::clone(orders(&bindings).method("get", Some("J")).unwrap()));
    let order = Payload::new(
        Encoding::Protobuf,
        DynamicMessage::deserialize(
            bindings.schemas()[0]
                .pool()
                .get_message_by_name("landbridge.peers.v1.Order")
                .unwrap(),
            order_json(7, 37),
        )
        .unwrap()
        .encode_to_vec(),
    );
    let result = get
        .result(
            &order,
            &ResultTarget::new(Encoding::Hessian2),
            &mut scratch,
            &Limits::DEFAULT,
        )
        .unwrap();
    let Value::Map(entries) = decode(&result.payload.bytes) else {
        panic!("no map");
    };
    let find = |name: &str| &entries.iter().find(|(key, _)| *key == text(name)).unwrap().1;
    assert_eq!(find("class"), &text("org.landbridge.peers.api.Order"));
    assert_eq!(find("status"), &text("PAID"));
    assert_eq!(find("dueAt"), &text("2024-02-29T23:59:58.123456789"));
    assert!(matches!(find("buyer"), Value::Map(_)));
}
