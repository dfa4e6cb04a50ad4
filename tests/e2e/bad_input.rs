//! What must never reach anybody but the one who sent it: every kind of bad input, beside calls of others that go on.

use harness::dubbo2::{Call, Frame, Response};
use harness::hessian::Value;
use harness::mesh_consumer::MeshCall;
use harness::ports::Closed;
use harness::triple;
use harness::zookeeper;
use harness::zookeeper::Right;
use landbridge::worker::Event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gateway::{Running, Translator, file, greeting_provider, hello, prepare, until, within};

/// What the port sends for some bytes until it closes; the caller closes its side first where `end` says so.
async fn said(address: std::net::SocketAddr, bytes: &[u8], end: bool) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).await.unwrap();
    // The port may close before all is written.
    let _ = socket.write_all(bytes).await;
    if end {
        socket.shutdown().await.unwrap();
    }
    let mut answer = Vec::new();
    let _ = within("the port closes", socket.read_to_end(&mut answer)).await;
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_magic_closes_that_connection() {
    let translator = Translator::start("dubbo2", "dubbo2", "").await;
    let port = translator.running.gateway.ports().dubbo2.unwrap();
    let bystanders = translator.bystanders().await;
    bystanders
        .unharmed(async {
            // After a good frame: the framing is lost, so the connection is.
            let mut bytes = Frame::heartbeat(1).to_bytes();
            bytes.extend([0xda, 0xbc]);
            bytes.extend([0; 64]);
            let answer = said(port, &bytes, false).await;
            assert!(answer.len() <= 64, "{answer:?}");
            said(port, &[0xff; 64], false).await;
        })
        .await;
    assert_eq!(
        translator
            .provider
            .calls()
            .iter()
            .filter(|call| call.path != "test.Other")
            .count(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversize_frame_is_refused_before_it_is_read() {
    let translator = Translator::start("dubbo2", "dubbo2", "limits: {message: 64KiB}\n").await;
    let port = translator.running.gateway.ports().dubbo2.unwrap();
    let bystanders = translator.bystanders().await;
    bystanders
        .unharmed(async {
            for length in [100 << 20, u32::MAX] {
                let mut header = vec![0xda, 0xbb, 0xc2, 0];
                header.extend(7u64.to_be_bytes());
                header.extend(length.to_be_bytes());
                // The connection ends without the bytes ever being sent.
                said(port, &header, false).await;
            }
        })
        .await;
    assert!(translator.running.event(Event::Oversize) > 0);
    // Within the limit, but more than it by what it carries: the same for Triple, as an answer.
    let consumer = translator.running.triple().await;
    let call = MeshCall::unary("test.Greeter", "hello", &vec![0; 100 << 10]);
    let answer = consumer.call(&call).await.unwrap();
    assert!(
        matches!(answer.code(), Some(8 | 14)),
        "{:?} {}",
        answer.code(),
        answer.message()
    );
    assert_eq!(
        translator
            .running
            .triple()
            .await
            .call(&crate::gateway::hello_wrapped("a.B", "x"))
            .await
            .unwrap()
            .code(),
        Some(0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_frame_ends_with_its_connection() {
    let more = "timeouts: {call: 20s, stalled: 1s}\n";
    let translator = Translator::start("dubbo2", "dubbo2", more).await;
    let port = translator.running.gateway.ports().dubbo2.unwrap();
    let whole = Frame::request(3, hello("test.Greeter", "half").to_body()).to_bytes();
    let bystanders = translator.bystanders().await;
    bystanders
        .unharmed(async {
            for cut in [1, 15, 16, whole.len() - 1] {
                assert_eq!(said(port, &whole[..cut], true).await, b"", "cut at {cut}");
            }
            // And one that neither goes on nor goes away.
            assert_eq!(said(port, &whole[..20], false).await, b"");
        })
        .await;
    assert!(translator.running.event(Event::Stalled) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_garbage_body_is_answered_and_the_connection_lives() {
    for becomes in ["dubbo2", "wrapper"] {
        let translator = Translator::start(becomes, "dubbo2", "").await;
        let bystanders = translator.bystanders().await;
        let consumer = translator.running.dubbo2().await;
        bystanders
            .unharmed(async {
                for body in [
                    vec![],
                    vec![0x45; 100],
                    vec![0x53, 0xff, 0xff],
                    hello("a.B", "x").to_body()[..30].to_vec(),
                ] {
                    let frame = consumer.exchange(|id| Frame::request(id, body)).await.unwrap();
                    let answer = Response::read(&frame).unwrap();
                    assert!(!matches!(answer, Response::Value(_)), "{answer:?}");
                }
                let answer = consumer.call(&hello("test.Greeter", "after")).await.unwrap();
                assert_eq!(answer, Response::Value(Value::text("hello after")));
            })
            .await;
    }
    // A wrapper message that is none.
    let translator = Translator::start("dubbo2", "dubbo2", "").await;
    let consumer = translator.running.triple().await;
    let answer = consumer
        .call(&MeshCall::unary("test.Greeter", "hello", &[0xff; 40]))
        .await
        .unwrap();
    assert!(answer.code().is_some_and(|code| code != 0), "{answer:?}");
    assert_eq!(
        consumer
            .call(&crate::gateway::hello_wrapped("a.B", "x"))
            .await
            .unwrap()
            .code(),
        Some(0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_serialization_is_refused_by_name_where_it_cannot_pass() {
    let translator = Translator::start("wrapper", "dubbo2", "").await;
    let bystanders = translator.bystanders().await;
    let consumer = translator.running.dubbo2().await;
    bystanders
        .unharmed(async {
            let odd = |id| Frame {
                flags: 0xc0 | 21,
                ..Frame::request(id, hello("test.Greeter", "x").to_body())
            };
            let answer = Response::read(&consumer.exchange(odd).await.unwrap()).unwrap();
            let text = format!("{answer:?}");
            assert!(
                !matches!(answer, Response::Value(_)) && text.contains("21"),
                "{text}"
            );
            let answer = consumer.call(&hello("test.Greeter", "after")).await.unwrap();
            assert_eq!(answer, Response::Value(Value::text("hello after")));
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_service_is_answered_for_good() {
    let provider = greeting_provider().await;
    let sections = format!(
        "services:\n- {{service: test.Known, dubbo2: {}}}\n",
        provider.address()
    );
    let running = Running::start(&sections).await;
    let (dubbo2, triple) = (running.dubbo2().await, running.triple().await);
    let answer = dubbo2.call(&hello("test.Unknown", "x")).await.unwrap();
    // An exception, which a Dubbo2 consumer does not repeat: no repetition would cure it.
    let Response::Exception(exception) = &answer else {
        panic!("{answer:?}")
    };
    let said = exception
        .field("detailMessage")
        .and_then(Value::as_text)
        .unwrap_or_default();
    assert!(said.contains("test.Unknown"), "{said}");
    let answer = triple
        .call(&crate::gateway::hello_wrapped("test.Unknown", "x"))
        .await
        .unwrap();
    assert_eq!(answer.code(), Some(12), "{}", answer.message());
    let answer = dubbo2.call(&hello("test.Known", "x")).await.unwrap();
    assert_eq!(answer, Response::Value(Value::text("hello x")));
    assert_eq!(
        triple
            .call(&crate::gateway::hello_wrapped("test.Known", "x"))
            .await
            .unwrap()
            .code(),
        Some(0)
    );
    assert_eq!(provider.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_without_grpc_gets_an_http_answer() {
    let translator = Translator::start("dubbo2", "dubbo2", "").await;
    let bystanders = translator.bystanders().await;
    let consumer = translator.running.triple().await;
    bystanders
        .unharmed(async {
            let json = MeshCall {
                content_type: "application/json".to_owned(),
                ..MeshCall::unary("test.Greeter", "hello", b"{}")
            };
            let get = MeshCall {
                method: http::Method::GET,
                content_type: String::new(),
                body: Vec::new(),
                path: "/index.html".to_owned(),
                headers: Vec::new(),
            };
            for call in [json, get] {
                let answer = consumer.call(&call).await.unwrap();
                assert!(answer.status.is_client_error(), "{answer:?}");
            }
            let answer = consumer
                .call(&crate::gateway::hello_wrapped("test.Greeter", "after"))
                .await
                .unwrap();
            assert_eq!(answer.code(), Some(0));
        })
        .await;
    assert_eq!(translator.running.event(Event::NotGrpc), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_protocols_are_told_apart_and_closed() {
    let translator = Translator::start("dubbo2", "dubbo2", "").await;
    let ports = translator.running.gateway.ports();
    let bystanders = translator.bystanders().await;
    bystanders
        .unharmed(async {
            let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
            let answer = said(ports.triple.unwrap(), request, false).await;
            assert!(
                answer.starts_with(b"HTTP/1.1 5") || answer.starts_with(b"HTTP/1.1 4"),
                "{answer:?}"
            );
            // TLS, and Dubbo2, on the Triple port; HTTP/2 on the Dubbo2 port.
            said(
                ports.triple.unwrap(),
                &[0x16, 3, 1, 0, 100, 1, 0, 0, 96, 3, 3],
                true,
            )
            .await;
            said(ports.triple.unwrap(), &Frame::heartbeat(1).to_bytes(), true).await;
            said(
                ports.dubbo2.unwrap(),
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
                true,
            )
            .await;
            said(ports.dubbo2.unwrap(), request, true).await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_sends_garbage_harms_its_own_calls_only() {
    let translator = Translator::start("dubbo2", "wrapper", "").await;
    let bystanders = translator.bystanders().await;
    let (dubbo2, mesh) = (
        translator.running.dubbo2().await,
        translator.running.triple().await,
    );
    for method in ["garbled", "full", "fail", "nothing"] {
        let call = Call::new("test.Greeter", method, "", Vec::new());
        bystanders
            .unharmed(async {
                let answer = dubbo2.call(&call).await.unwrap();
                match (method, &answer) {
                    ("full", Response::Status(100, _)) | ("nothing", Response::Value(Value::Null)) => {}
                    // Passed through as it came: what it means is between the two.
                    ("garbled", _) | ("fail", Response::Exception(_)) => {}
                    _ => panic!("{method}: {answer:?}"),
                }
            })
            .await;
    }
    for method in ["reset", "html", "garbage", "fail"] {
        let call = MeshCall::unary("test.Greeter", method, &triple::wrap_arguments(&[]));
        bystanders
            .unharmed(async {
                let answer = mesh.call(&call).await.unwrap();
                match (method, answer.code()) {
                    ("fail", Some(9)) | ("html", Some(1..=16)) | ("reset", Some(13)) => {}
                    ("garbage", Some(0..=16)) => {}
                    (method, code) => panic!("{method}: {code:?} {}", answer.message()),
                }
            })
            .await;
    }
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    let services = "services: [{service: '*', triple: 'a:1'}]\n";
    let binding = "descriptors: [a.proto]\nservices:\n- java: a.B\n  proto: a.B\n  methods:\n  - {java: c(), rpc: Missing}\n";
    let proto = "syntax = \"proto3\"; package a; message M {} service B { rpc C(M) returns (M); }";
    let bindings = format!("{services}bindings: [b.yaml]\n");
    for (sections, files, words) in [
        (format!("{services}lisen: 1\n"), vec![], "lisen"),
        (
            bindings.clone(),
            vec![("b.yaml", binding), ("a.proto", proto)],
            "Missing",
        ),
        (bindings.clone(), vec![("b.yaml", binding)], "a.proto"),
        (
            bindings,
            vec![("b.yaml", binding), ("a.proto", "\u{1}\u{2}")],
            "a.proto",
        ),
    ] {
        let refused = prepare(&file(&sections), &files).expect_err(words);
        assert!(
            refused.starts_with("landbridge.yaml:") && refused.contains(words),
            "{refused}"
        );
        assert!(refused.contains('^'), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zookeeper_with_wrong_credentials_is_said_and_tried_again() {
    let server = zookeeper::Server::start().await.unwrap();
    server.create_with("/dubbo", Right::only("landbridge", "right"));
    let provider = greeting_provider().await;
    let sections = format!(
        "services:\n- {{service: test.Known, dubbo2: {}}}\n\
         legacy:\n- zookeeper: {{servers: '{}', session_timeout: 2s, user: landbridge, password: wrong}}\n\
         timeouts: {{call: 20s, first_view: 1s}}\n",
        provider.address(),
        server.address()
    );
    let running = Running::start(&sections).await;
    // What needs no registry is served.
    let answer = running
        .dubbo2()
        .await
        .call(&hello("test.Known", "x"))
        .await
        .unwrap();
    assert_eq!(answer, Response::Value(Value::text("hello x")));
    let (status, said) = running.page("/readyz").await;
    assert!(
        status == 503 && said.contains("legacy") && !said.contains("wrong"),
        "{status} {said}"
    );
    assert!(!running.page("/v1/config").await.1.contains("wrong"));
    // The operator gives access: no restart is needed.
    server.set_acl("/dubbo", Right::open());
    until("ready", || running.gateway.readiness().ready).await;
    running.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_registries_leave_the_rest_at_work() {
    let provider = greeting_provider().await;
    let closed = [(); 3].map(|()| Closed::new().unwrap());
    let [zookeeper, istiod, kubernetes] = closed.each_ref().map(Closed::address);
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{server: 'http://{}'}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{}}}}]\n",
        kubernetes
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, kubeconfig).unwrap();
    let sections = format!(
        "services:\n- {{service: test.Known, dubbo2: {}}}\n\
         legacy:\n- zookeeper: {{servers: '{zookeeper}', session_timeout: 2s}}\n\
         mesh:\n- istiod: {{address: '{istiod}'}}\n  publish: {{via: kubernetes, kubeconfig: '{}'}}\n\
         timeouts: {{call: 20s, first_view: 1s}}\ndrain: {{propagation: 100ms, deadline: 1s}}\n",
        provider.address(),
        path.display()
    );
    let running = Running::start(&sections).await;
    let answer = running
        .dubbo2()
        .await
        .call(&hello("test.Known", "x"))
        .await
        .unwrap();
    assert_eq!(answer, Response::Value(Value::text("hello x")));
    let readiness = running.gateway.readiness();
    assert!(!readiness.ready && readiness.waiting.len() == 2, "{readiness:?}");
    // The registry comes: it is followed without a restart.
    let [its_port, _others @ ..] = closed;
    drop(its_port);
    let options = zookeeper::Options::default();
    let server = zookeeper::Server::start_with(zookeeper, options).await.unwrap();
    until("the legacy registry is heard", || {
        running.gateway.readiness().waiting.len() == 1
    })
    .await;
    drop(server);
    running.abort().await;
    // A kubeconfig that cannot be read is an error of the start, not of a call.
    let missing = file(&format!(
        "services:\n- {{service: a.B, dubbo2: 'a:1'}}\nmesh:\n- istiod: {{address: '{istiod}'}}\n  \
         publish: {{via: kubernetes, kubeconfig: /no/such/file}}\n"
    ));
    let started = landbridge::app::Gateway::start(prepare(&missing, &[]).unwrap(), None).await;
    let error = started
        .err()
        .map(|error| landbridge::telemetry::chain(&error))
        .unwrap_or_default();
    assert!(error.contains("/no/such/file"), "{error}");
}
