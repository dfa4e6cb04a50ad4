//! The Triple path end to end, and what crosses between the wires.

use bytes::Bytes;
use registries::directory::Mode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::limits::Limits;
use crate::rig::triple::{
    Answered, TripleConsumer, TripleProvider, bound, bound_as, framed, mesh, message, text, wrapped_request,
    wrapped_response,
};
use crate::rig::{Bridge, Consumer, LIMIT, ORDERS, Provider, RawFrame, captured, legacy, patient};
use crate::worker::{Event, Settings};

const HELLO: &str = "/org.landbridge.peers.api.OrderService/hello";

fn hello() -> RawFrame {
    captured("dubbo-2.7.23-hello.req").unwrap()
}

/// Asserts the shape that every client understands.
fn safe(answer: &Answered) {
    assert_eq!(answer.head.status, 200);
    let content_type = answer.head.headers["content-type"].to_str().unwrap();
    assert!(content_type.starts_with("application/grpc"), "{content_type}");
    let code: u32 = answer.status().parse().unwrap();
    assert!(code <= 16);
    assert!(!answer.text().contains(['+', '\n']));
}

async fn to_mesh(provider: &TripleProvider) -> Bridge {
    Bridge::start(vec![mesh(ORDERS, &[provider.address])], patient()).await
}

#[tokio::test]
async fn a_dubbo2_call_reaches_a_wrapped_method() {
    let mut provider = TripleProvider::start().await;
    let bridge = to_mesh(&provider).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    consumer.send(&hello().bytes_as(1)).await;
    let mut call = provider.next().await;
    assert_eq!(call.head.uri.path(), HELLO);
    let headers = call.head.headers.clone();
    for (name, value) in [
        ("te", "trailers"),
        ("content-type", "application/grpc+proto"),
        ("grpc-accept-encoding", "identity,gzip"),
        ("tri-consumer-appname", "lb-2723"),
        (
            "landbridge-hop",
            "test|org.landbridge.peers.api.OrderService|hello|1",
        ),
    ] {
        assert_eq!(headers[name], value);
    }
    assert!(headers["grpc-timeout"].to_str().unwrap().ends_with('m'));
    for absent in ["path", "interface", "version", "tri-service-version", "dubbo"] {
        assert!(!headers.contains_key(absent), "{absent}");
    }
    assert_eq!(call.message().await.unwrap(), wrapped_request(b"\x05world"));
    assert_eq!(call.message().await, None);
    call.answer(
        &wrapped_response(b"\x0bhello world", "java.lang.String"),
        &[("seen", "1")],
    );
    let answer = consumer.answer(1).await;
    assert_eq!(answer.status(), 20);
    assert!(answer.body.starts_with(b"\x94\x0bhello world"), "{answer:?}");
    let rest = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(
        rest.contains("seen") && rest.contains("2.0.2") && !rest.contains("grpc-status"),
        "{rest}"
    );
}

#[tokio::test]
async fn a_wrapped_call_reaches_a_dubbo2_provider() {
    let mut provider = Provider::hello().await;
    let bridge = Bridge::start(vec![legacy(ORDERS, &[provider.address])], patient()).await;
    let mut consumer = TripleConsumer::connect(bridge.triple).await;
    let headers = [
        ("grpc-timeout", "30000000u"),
        ("tri-consumer-appname", "shop"),
        ("trace-bin", "AP8"),
    ];
    let answer = consumer
        .call(HELLO, &headers, &wrapped_request(b"\x05world"))
        .await;
    safe(&answer);
    assert_eq!(answer.status(), "0");
    assert_eq!(
        answer.messages,
        [wrapped_response(b"\x0bhello world", "java.lang.Object")]
    );
    let body = provider.requests.recv().await.unwrap().body;
    let expected = b"\x052.0.2\x30\x25org.landbridge.peers.api.OrderService\x050.0.0\x05hello\x12Ljava/lang/String;\x05worldH";
    assert!(body.starts_with(expected), "{}", String::from_utf8_lossy(&body));
    let rest = String::from_utf8_lossy(&body[expected.len()..]).into_owned();
    for part in [
        "path",
        "interface",
        "timeout",
        "remote.application\u{4}shop",
        "landbridge-hop",
    ] {
        assert!(rest.contains(part), "{part} in {rest:?}");
    }
    for absent in ["grpc-timeout", "content-type", "tri-"] {
        assert!(!rest.contains(absent), "{absent} in {rest:?}");
    }
    assert!(
        body.windows(9).any(|bytes| bytes == b"\x05trace\x22\x00\xff"),
        "bytes stay bytes: {rest:?}"
    );
}

#[tokio::test]
async fn protobuf_crosses_both_ways_by_the_binding() {
    let mut grpc = TripleProvider::start().await;
    let bridge = Bridge::start(vec![bound(mesh(ORDERS, &[grpc.address]))], patient()).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    consumer.send(&hello().bytes_as(1)).await;
    let mut call = grpc.next().await;
    assert_eq!(call.head.uri.path(), "/shop.v1.Orders/Hello");
    assert_eq!(call.message().await.unwrap(), text("world"));
    call.answer(&text("hello world"), &[]);
    assert!(consumer.answer(1).await.body.starts_with(b"\x94\x0bhello world"));

    let mut provider = Provider::hello().await;
    let bridge = Bridge::start(vec![bound(legacy(ORDERS, &[provider.address]))], patient()).await;
    let mut consumer = TripleConsumer::connect(bridge.triple).await;
    for path in [
        "/shop.v1.Orders/Hello",
        "/org.landbridge.peers.api.OrderService/hello",
    ] {
        let answer = consumer.call(path, &[], &text("world")).await;
        assert_eq!(
            (answer.status(), &answer.messages[..]),
            ("0", &[text("hello world")][..]),
            "{answer:?}"
        );
        let body = provider.requests.recv().await.unwrap().body;
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(
            body.contains("\u{5}hello\u{12}Ljava/lang/String;\u{5}world"),
            "{body:?}"
        );
    }
}

#[tokio::test]
async fn unary_and_streamed_calls_pass_between_grpc_peers() {
    let mut provider = TripleProvider::start().await;
    let bridge = Bridge::start(vec![mesh("shop.v1.Orders", &[provider.address])], patient()).await;
    let mut consumer = TripleConsumer::connect(bridge.triple).await;
    // Unary.
    let path = "/shop.v1.Orders/Hello";
    let message_a = text("a");
    let calling = consumer.call(path, &[("x-user", "eve"), ("blob-bin", "AP8")], &message_a);
    let serving = async {
        let mut call = provider.next().await;
        assert_eq!(call.head.uri.path(), path);
        assert_eq!(call.head.headers["x-user"], "eve");
        assert_eq!(call.head.headers["blob-bin"], "AP8");
        assert!(
            !call.head.headers.contains_key("grpc-timeout"),
            "no time was given"
        );
        assert_eq!(call.message().await.unwrap(), text("a"));
        call.answer(&text("b"), &[("x-seen", "1")]);
    };
    let (answer, ()) = tokio::join!(calling, serving);
    assert_eq!((answer.status(), &answer.messages[0]), ("0", &text("b")));
    assert_eq!(answer.trailers["x-seen"], "1");
    // Server streaming: each message arrives before the next is sent.
    let (response, mut body) = consumer.open("/shop.v1.Orders/List", &[]).await;
    body.send_data(framed(&text("all")), true).unwrap();
    let mut call = provider.next().await;
    assert_eq!(call.message().await.unwrap(), text("all"));
    let mut stream = call.begin();
    stream.send_data(framed(&text("1")), false).unwrap();
    let mut got = response.await.unwrap().into_body();
    assert_eq!(message(&mut got).await.unwrap(), text("1"));
    for n in ["2", "3"] {
        stream.send_data(framed(&text(n)), false).unwrap();
        assert_eq!(message(&mut got).await.unwrap(), text(n));
    }
    stream
        .send_trailers(crate::rig::triple::headers(&[
            ("grpc-status", "5"),
            ("grpc-message", "gone"),
        ]))
        .unwrap();
    assert_eq!(message(&mut got).await, None);
    assert_eq!(got.trailers().await.unwrap().unwrap()["grpc-status"], "5");
    // Both ways, in turns.
    let (response, mut body) = consumer.open("/shop.v1.Orders/Chat", &[]).await;
    body.send_data(framed(&text("1")), false).unwrap();
    let mut call = provider.next().await;
    assert_eq!(call.message().await.unwrap(), text("1"));
    let mut stream = call.begin();
    stream.send_data(framed(&text("one")), false).unwrap();
    let mut got = response.await.unwrap().into_body();
    assert_eq!(message(&mut got).await.unwrap(), text("one"));
    body.send_data(framed(&text("2")), false).unwrap();
    assert_eq!(call.message().await.unwrap(), text("2"));
    stream.send_data(framed(&text("two")), false).unwrap();
    assert_eq!(message(&mut got).await.unwrap(), text("two"));
    body.send_data(Bytes::new(), true).unwrap();
    assert_eq!(call.message().await, None);
    stream
        .send_trailers(crate::rig::triple::headers(&[("grpc-status", "0")]))
        .unwrap();
    assert_eq!(message(&mut got).await, None);
    assert_eq!(got.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    crate::rig::wait(|| bridge.pool.in_flight() == 0).await;
}

#[tokio::test]
async fn a_stream_towards_dubbo2_is_refused() {
    let provider = Provider::hello().await;
    let bridge = Bridge::start(vec![legacy(ORDERS, &[provider.address])], patient()).await;
    let mut consumer = TripleConsumer::connect(bridge.triple).await;
    let (response, mut body) = consumer.open(HELLO, &[]).await;
    for _ in 0..2 {
        body.send_data(framed(&wrapped_request(b"\x05world")), false)
            .unwrap();
    }
    let answer = TripleConsumer::answer(response).await;
    safe(&answer);
    assert_eq!(answer.status(), "12");
    assert!(answer.text().contains("streams only cross"), "{}", answer.text());
}

#[tokio::test]
async fn the_providers_status_reaches_each_caller_with_its_meaning() {
    let mut provider = TripleProvider::start().await;
    let bridge = to_mesh(&provider).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    for (id, (code, status)) in [
        ("9", 20),
        ("2", 20),
        ("17", 20),
        ("4", 31),
        ("14", 80),
        ("8", 100),
    ]
    .iter()
    .enumerate()
    {
        consumer.send(&hello().bytes_as(id as u64)).await;
        provider.next().await.refuse(code, "none left");
        let answer = consumer.answer(id as u64).await;
        assert_eq!(answer.status(), *status, "{code}");
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(body.contains("none left"), "{body:?}");
        assert_eq!(
            *status == 20,
            body.contains("java.lang.RuntimeException"),
            "{body:?}"
        );
    }
    let mut grpc = TripleConsumer::connect(bridge.triple).await;
    for (code, seen) in [("9", "9"), ("17", "2"), ("14", "14")] {
        let message = wrapped_request(b"\x01a");
        let calling = grpc.call(HELLO, &[], &message);
        let serving = async { provider.next().await.refuse(code, "none%20left") };
        let (answer, ()) = tokio::join!(calling, serving);
        safe(&answer);
        assert_eq!((answer.status(), answer.text()), (seen, "none left"));
    }
    assert!(provider.calls.try_recv().is_err(), "no call was repeated");
}

#[tokio::test]
async fn a_thrown_exception_reaches_each_caller() {
    let response = captured("dubbo-2.7.23-fail-checked.resp").unwrap();
    let provider = Provider::start(move |request| Some(response.bytes_as(request.id()))).await;
    let bridge = Bridge::start(vec![legacy(ORDERS, &[provider.address])], patient()).await;
    let mut consumer = TripleConsumer::connect(bridge.triple).await;
    // Java 3.3 reads the object itself.
    let answer = consumer
        .call(
            HELLO,
            &[("grpc-timeout", "30000000u")],
            &wrapped_request(b"\x01a"),
        )
        .await;
    assert_eq!(
        (answer.status(), &answer.head.headers["tri-exception-code"]),
        ("0", &http::HeaderValue::from_static("3"))
    );
    assert!(String::from_utf8_lossy(&answer.messages[0]).contains("OutOfStockException"));
    // Everybody else a status that names it.
    let answer = consumer
        .call(
            HELLO,
            &[("user-agent", "grpc-go/1.80")],
            &wrapped_request(b"\x01a"),
        )
        .await;
    safe(&answer);
    assert_eq!(answer.status(), "2");
    assert!(answer.trailers.contains_key("grpc-status-details-bin"));
    // The other way round it is the object again.
    let mut provider = TripleProvider::start().await;
    let bridge = to_mesh(&provider).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    consumer.send(&hello().bytes_as(1)).await;
    let mut call = provider.next().await;
    let head = http::Response::builder()
        .header("content-type", "application/grpc")
        .header("tri-exception-code", "3");
    let mut stream = call.respond.send_response(head.body(()).unwrap(), false).unwrap();
    let thrown = codecs::hessian2::throwable::encode("com.acme.OutOfStock", "none left");
    let wrapped = wrapped_response(&thrown, "java.lang.String");
    stream.send_data(framed(&wrapped), false).unwrap();
    stream
        .send_trailers(crate::rig::triple::headers(&[("grpc-status", "0")]))
        .unwrap();
    let answer = consumer.answer(1).await;
    assert_eq!((answer.status(), answer.body[0]), (20, 0x93));
    assert!(String::from_utf8_lossy(&answer.body).contains("com.acme.OutOfStock"));
}

/// A status of a provider that tells an exception which the interface declares, of a code that consumers would repeat.
fn out_of_stock(call: &mut crate::rig::triple::Received) {
    use codecs::triple::status::{Code, Status, details::Builder};
    let mut status = Status::new(Code::ResourceExhausted, "none left");
    let class = ("java.class", "com.acme.OutOfStock");
    status.details = Builder::new(8, "none left")
        .error_info("OUT_OF_STOCK", "java/com.acme", [class])
        .build();
    let mut response = http::Response::new(());
    let headers = response.headers_mut();
    headers.insert("content-type", http::HeaderValue::from_static("application/grpc"));
    status.write(headers);
    call.respond.send_response(response, true).unwrap();
}

#[tokio::test]
async fn a_declared_exception_is_built_from_its_status() {
    let declares = "methods: [ { java: hello(java.lang.String), rpc: Hello, args: [ text ], result: text, throws: [ com.acme.OutOfStock ] } ]";
    let mut provider = TripleProvider::start().await;
    for mode in ["status", "tri-exception-code"] {
        let rest = format!("    exceptions_mode: {mode}\n    {declares}\n");
        let service = bound_as(mesh(ORDERS, &[provider.address]), &rest);
        let bridge = Bridge::start(vec![service], Settings::default()).await;
        // A Dubbo2 consumer always: it has the interface.
        let mut consumer = Consumer::connect(bridge.dubbo2).await;
        consumer.send(&hello().bytes_as(1)).await;
        out_of_stock(&mut provider.next().await);
        let answer = consumer.answer(1).await;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!((answer.status(), answer.body[0]), (20, 0x93), "{body}");
        assert!(
            body.contains("com.acme.OutOfStock") && body.contains("none left"),
            "{body}"
        );
        // A Java caller over Triple whose head does not say what it reads: as the binding says. dubbo-go never.
        let mut consumer = TripleConsumer::connect(bridge.triple).await;
        for (agent, object) in [(None, mode != "status"), (Some("grpc-go/1.80"), false)] {
            let headers: Vec<_> = agent.map(|agent| ("user-agent", agent)).into_iter().collect();
            let request = wrapped_request(b"\x01a");
            let calling = consumer.call(HELLO, &headers, &request);
            let serving = async { out_of_stock(&mut provider.next().await) };
            let (answer, ()) = tokio::join!(calling, serving);
            let thrown = answer
                .messages
                .first()
                .map(|message| String::from_utf8_lossy(message));
            let is_object = thrown.is_some_and(|text| text.contains("com.acme.OutOfStock"));
            let status = if object { "0" } else { "8" };
            assert_eq!((is_object, answer.status()), (object, status), "{mode} {agent:?}");
            assert_eq!(answer.head.headers.contains_key("tri-exception-code"), object);
        }
    }
}

#[tokio::test]
async fn a_call_of_no_bound_overload_is_refused_as_that() {
    let provider = TripleProvider::start().await;
    let overloads = "    methods: [ { java: hello(java.util.Locale), rpc: Hello, args: [ text ], result: text }, \
                     { java: hello(long), rpc: HelloNumber, args: [ number ], result: text } ]\n";
    let mut service = bound_as(mesh(ORDERS, &[provider.address]), overloads);
    service.pinned = Some(Mode::Protobuf);
    let bridge = Bridge::start(vec![service], Settings::default()).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    consumer.send(&hello().bytes_as(1)).await;
    let answer = consumer.answer(1).await;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(
        body.contains(
            "the call cannot cross: method is overloaded and none of its bindings has these parameter types"
        ),
        "{body}"
    );
}

#[tokio::test]
async fn what_is_not_grpc_gets_a_clear_answer() {
    let provider = Provider::hello().await;
    let bridge = Bridge::start(vec![legacy(ORDERS, &[provider.address])], patient()).await;
    let mut http1 = TcpStream::connect(bridge.triple).await.unwrap();
    http1
        .write_all(b"GET /orders HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    http1.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.contains("over HTTP/2"),
        "{answer}"
    );
    for other in [&b"\x16\x03\x01"[..], b"\xda\xbb\xc2\x00"] {
        let mut stream = TcpStream::connect(bridge.triple).await.unwrap();
        stream.write_all(other).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty());
    }
    let mut consumer = TripleConsumer::connect(bridge.triple).await;
    let (response, mut body) = consumer
        .open("/orders", &[("content-type", "application/json")])
        .await;
    body.send_data(Bytes::from_static(b"{}"), true).unwrap();
    assert_eq!(response.await.unwrap().status(), 415);
    let json = [("content-type", "application/grpc+json")];
    let answer = consumer.call(HELLO, &json, b"{}").await;
    safe(&answer);
    assert_eq!(answer.status(), "12");
    for (path, code) in [("/nothing", "3"), ("/com.acme.Unknown/hello", "12")] {
        let answer = consumer.call(path, &[], &wrapped_request(b"\x01a")).await;
        safe(&answer);
        assert_eq!(answer.status(), code, "{path}: {}", answer.text());
    }
    let answer = consumer.call(HELLO, &[], &wrapped_request(b"\x05world")).await;
    assert_eq!(answer.status(), "0", "the connection lives: {}", answer.text());
    assert_eq!(bridge.count(Event::NotGrpc), 4);
}

#[tokio::test]
async fn bad_messages_are_answered_and_the_connection_lives() {
    let provider = Provider::hello().await;
    let settings = Settings {
        limits: Limits {
            message: 4096,
            ..Limits::default()
        },
        ..patient()
    };
    let bridge = Bridge::start(vec![legacy(ORDERS, &[provider.address])], settings).await;
    let mut consumer = TripleConsumer::connect(bridge.triple).await;
    for (bytes, code) in [
        (&b"\x00\x7f\xff\xff\xff"[..], "8"),
        (b"\x07\x00\x00\x00\x01a", "3"),
        (b"\x00\x00\x00\x00\x09short", "3"),
        (b"", "3"),
        (b"\x01\x00\x00\x00\x03abc", "3"),
        (b"\x00\x00\x00\x00\x0d\x0a\x08hessian4\x12\xff\x01", "3"),
    ] {
        let (response, mut body) = consumer.open(HELLO, &[]).await;
        body.send_data(Bytes::from_static(bytes), true).unwrap();
        let answer = TripleConsumer::answer(response).await;
        safe(&answer);
        assert_eq!(answer.status(), code, "{bytes:?}: {}", answer.text());
    }
    let answer = consumer.call(HELLO, &[], &wrapped_request(b"\x05world")).await;
    assert_eq!(answer.status(), "0", "{}", answer.text());
}

#[tokio::test]
async fn health_is_answered_and_watched() {
    let provider = Provider::hello().await;
    let bridge = Bridge::start(vec![legacy(ORDERS, &[provider.address])], patient()).await;
    let mut consumer = TripleConsumer::connect(bridge.triple).await;
    let asks = |name: &str| if name.is_empty() { Vec::new() } else { text(name) };
    for (name, status) in [("", "0"), (ORDERS, "0"), ("com.acme.Unknown", "5")] {
        let answer = consumer
            .call("/grpc.health.v1.Health/Check", &[], &asks(name))
            .await;
        assert_eq!(answer.status(), status, "{name}");
        assert_eq!(
            answer.messages.first().map(Vec::as_slice),
            (status == "0").then_some(&[8, 1][..])
        );
    }
    let (response, mut body) = consumer.open("/grpc.health.v1.Health/Watch", &[]).await;
    body.send_data(framed(&asks(ORDERS)), true).unwrap();
    let mut watched = response.await.unwrap().into_body();
    assert_eq!(message(&mut watched).await.unwrap(), [8, 1]);
    bridge.pool.drain(false);
    assert_eq!(message(&mut watched).await.unwrap(), [8, 2]);
    assert_eq!(message(&mut watched).await, None);
    assert_eq!(bridge.pool.finish(LIMIT).await.cut, 0);
}

#[tokio::test]
async fn a_caller_that_resets_cancels_its_call_upstream() {
    let mut provider = TripleProvider::start().await;
    let bridge = to_mesh(&provider).await;
    let mut consumer = TripleConsumer::connect(bridge.triple).await;
    let (response, mut body) = consumer.open(HELLO, &[]).await;
    body.send_data(framed(&wrapped_request(b"\x01a")), true).unwrap();
    let mut call = provider.next().await;
    body.send_reset(h2::Reason::CANCEL);
    drop(response);
    let reason = std::future::poll_fn(|cx| call.respond.poll_reset(cx))
        .await
        .unwrap();
    assert_eq!(reason, h2::Reason::CANCEL);
    crate::rig::wait(|| bridge.pool.in_flight() == 0).await;
}

#[tokio::test]
async fn a_refused_stream_is_placed_again_and_a_reset_one_is_not() {
    let mut provider = TripleProvider::start().await;
    let bridge = to_mesh(&provider).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    consumer.send(&hello().bytes_as(1)).await;
    provider
        .next()
        .await
        .respond
        .send_reset(h2::Reason::REFUSED_STREAM);
    let mut again = provider.next().await;
    again.answer(&wrapped_response(b"\x01b", "java.lang.String"), &[]);
    assert_eq!(consumer.answer(1).await.status(), 20);
    consumer.send(&hello().bytes_as(2)).await;
    provider
        .next()
        .await
        .respond
        .send_reset(h2::Reason::INTERNAL_ERROR);
    assert_eq!(consumer.answer(2).await.status(), 80);
    assert!(provider.calls.try_recv().is_err(), "it may have run");
    let mut grpc = TripleConsumer::connect(bridge.triple).await;
    let message = wrapped_request(b"\x01a");
    let calling = grpc.call(HELLO, &[], &message);
    let serving = async {
        provider
            .next()
            .await
            .respond
            .send_reset(h2::Reason::INTERNAL_ERROR)
    };
    let (answer, ()) = tokio::join!(calling, serving);
    assert_eq!(answer.status(), "13", "never UNAVAILABLE, which a mesh repeats");
}

#[tokio::test]
async fn the_peers_limit_of_streams_is_kept() {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(2);
    let mut provider = TripleProvider::with(builder).await;
    let settings = Settings {
        limits: Limits {
            upstream_connections: 1,
            ..Limits::default()
        },
        ..patient()
    };
    let bridge = Bridge::start(vec![mesh(ORDERS, &[provider.address])], settings).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    // The peer's settings are known after the first answer.
    consumer.send(&hello().bytes_as(0)).await;
    provider
        .next()
        .await
        .answer(&wrapped_response(b"\x01b", "java.lang.String"), &[]);
    consumer.answer(0).await;
    let all: Vec<u8> = (1..=5).flat_map(|id| hello().bytes_as(id)).collect();
    consumer.send(&all).await;
    let mut held = vec![provider.next().await, provider.next().await];
    for _ in 0..3 {
        assert!(provider.calls.try_recv().is_err(), "a third stream");
        held.remove(0)
            .answer(&wrapped_response(b"\x01b", "java.lang.String"), &[]);
        held.push(provider.next().await);
    }
    for mut call in held {
        call.answer(&wrapped_response(b"\x01b", "java.lang.String"), &[]);
    }
    for id in 1..=5 {
        assert_eq!(consumer.answer(id).await.status(), 20);
    }
}

#[tokio::test]
async fn a_goaway_moves_calls_to_a_new_connection() {
    let mut provider = TripleProvider::start().await;
    let bridge = to_mesh(&provider).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    consumer.send(&hello().bytes_as(1)).await;
    provider
        .next()
        .await
        .answer(&wrapped_response(b"\x01b", "java.lang.String"), &[]);
    assert_eq!(consumer.answer(1).await.status(), 20);
    // The connection ends under the next call before it is answered; nothing is known of it: it is not repeated.
    consumer.send(&hello().bytes_as(2)).await;
    let call = provider.next().await;
    drop(call);
    assert_eq!(consumer.answer(2).await.status(), 80);
    consumer.send(&hello().bytes_as(3)).await;
    provider
        .next()
        .await
        .answer(&wrapped_response(b"\x01b", "java.lang.String"), &[]);
    assert_eq!(consumer.answer(3).await.status(), 20);
}

/// A server that answers the first call with a line feed in `grpc-message`, as Java 3.3 does.
#[tokio::test]
async fn a_line_feed_in_a_message_fails_only_what_was_under_way() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    crate::tasks::Tasks::new().spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // SETTINGS, and an acknowledgement of theirs.
        stream
            .write_all(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00")
            .await
            .unwrap();
        // The client's preface, settings and two requests.
        let mut seen = Vec::new();
        while seen.windows(5).filter(|bytes| *bytes == b"world").count() < 2 {
            let mut chunk = [0; 4096];
            let n = stream.read(&mut chunk).await.unwrap();
            assert!(n > 0);
            seen.extend_from_slice(&chunk[..n]);
        }
        // :status 500, grpc-status 2, grpc-message with a line feed, END_STREAM on stream 1.
        let mut block = vec![0x8e];
        for (name, value) in [
            ("grpc-status", "2"),
            ("grpc-message", "two\nlines"),
            ("content-type", "application/grpc"),
        ] {
            block.extend_from_slice(&[0x00, name.len() as u8]);
            block.extend_from_slice(name.as_bytes());
            block.push(value.len() as u8);
            block.extend_from_slice(value.as_bytes());
        }
        let mut frame = vec![0, 0, block.len() as u8, 1, 5, 0, 0, 0, 1];
        frame.extend_from_slice(&block);
        stream.write_all(&frame).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    let bridge = Bridge::start(vec![mesh(ORDERS, &[address])], patient()).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    let both: Vec<u8> = (1..=2).flat_map(|id| hello().bytes_as(id)).collect();
    consumer.send(&both).await;
    let first = consumer.answer(1).await;
    let text = String::from_utf8_lossy(&first.body).into_owned();
    assert_eq!(first.status(), 80, "{text}");
    assert_eq!(consumer.answer(2).await.status(), 80);
    assert_eq!(bridge.count(Event::Collateral), 2, "both are accounted for");
}

#[tokio::test]
async fn ten_thousand_wrapped_calls_leave_nothing_behind() {
    let provider = TripleProvider::answering(|_, message| {
        assert_eq!(message, wrapped_request(b"\x05world"));
        wrapped_response(b"\x0bhello world", "java.lang.String")
    })
    .await;
    let bridge = Bridge::start(vec![mesh(ORDERS, &[provider])], patient()).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    for batch in 0..100u64 {
        let all: Vec<u8> = (0..100)
            .flat_map(|id| hello().bytes_as(batch * 100 + id))
            .collect();
        consumer.send(&all).await;
        for id in 0..100 {
            assert_eq!(consumer.answer(batch * 100 + id).await.status(), 20);
        }
    }
    assert_eq!(bridge.pool.in_flight(), 0);
    assert!(bridge.count(Event::UpstreamOpened) <= 4);
}
