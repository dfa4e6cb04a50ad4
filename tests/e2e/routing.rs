//! Which provider a call goes to, and how often: shares, canaries, retries, limits, providers that ask for no more.

use harness::dubbo2::{Call, Response};
use harness::hessian::Value;
use harness::mesh_consumer::MeshCall;
use harness::mesh_provider::{MeshProvider, Reply};
use harness::proto::{self, Message};
use harness::triple;
use landbridge::worker::Event;

use crate::gateway::{Running, greeting_provider, greeting_server, hello, hello_wrapped, until, within};

const CATALOG: &str = "com.acme.catalog.CatalogService";
const BINDING: &str = include_str!("../../examples/translator/binding.yaml");
const PROTO: &str = include_str!("../../examples/translator/catalog.proto");

#[tokio::test(flavor = "multi_thread")]
async fn legacy_calls_follow_shares_and_canaries() {
    let (one, two) = (greeting_server().await, greeting_server().await);
    let sections = format!(
        "services:\n- service: a.B\n  triple:\n  - {{address: '{}', subset: v1}}\n  - {{address: '{}', subset: v2}}\n  \
         routes:\n  - name: canary\n    match: {{headers: {{x-canary: {{exact: '1'}}}}}}\n    to: [{{subset: v2}}]\n  \
         - name: shares\n    to: [{{subset: v1, weight: 80}}, {{subset: v2, weight: 20}}]\n",
        one.address(),
        two.address()
    );
    let mut running = Running::start(&sections).await;
    let consumer = running.dubbo2().await;
    for _ in 0..50 {
        let call = hello("a.B", "x").attach("x-canary", "1");
        assert_eq!(
            consumer.call(&call).await.unwrap(),
            Response::Value(Value::text("hello x"))
        );
    }
    assert_eq!((one.count(), two.count()), (0, 50));
    assert_eq!(&*running.record("hello").await.route, "canary");
    for _ in 0..2_000 {
        consumer.call(&hello("a.B", "x")).await.unwrap();
    }
    let share = (two.count() - 50) as f64 / 20.0;
    assert!(
        (15.0..=25.0).contains(&share),
        "{share} % of the calls went to v2"
    );
    assert_eq!(one.count() + two.count(), 2_050);
    running.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_layer_repeats_a_call() {
    let busy = MeshProvider::start(|_| Reply::Status(14, "busy".to_owned()))
        .await
        .unwrap();
    let policy = "routes: [{to: [{}], retries: {attempts: 2, on: [unavailable]}}]";
    for (policy, calls) in [("", 1), (policy, 3)] {
        let before = busy.count();
        let rules = if policy.is_empty() {
            String::new()
        } else {
            format!("  {policy}\n")
        };
        let sections = format!("services:\n- service: a.B\n  triple: {}\n{rules}", busy.address());
        let mut running = Running::start(&sections).await;
        let answer = running.dubbo2().await.call(&hello("a.B", "x")).await.unwrap();
        assert_eq!(busy.count() - before, calls, "{policy}");
        // Repeated by us: final for the consumer, whose own two retries would make nine of it.
        match (calls, &answer) {
            (3, Response::Exception(_)) => {}
            (1, Response::Status(..)) => {}
            _ => panic!("{policy}: {answer:?}"),
        }
        assert_eq!(running.record("hello").await.attempts, calls as u32);
        running.abort().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_connection_answers_and_lives() {
    let provider = greeting_provider().await;
    let sections = format!(
        "services:\n- {{service: '*', dubbo2: {}}}\nlimits: {{in_flight_per_connection: 2}}\n",
        provider.address()
    );
    let running = Running::start(&sections).await;
    let (consumer, other) = (running.dubbo2().await, running.dubbo2().await);
    // Both are in flight until the third has its answer, even where that takes its time.
    let slow = hello("a.B", "slow-3000");
    let third = async {
        assert!(provider.received(2).await);
        let answer = consumer.call(&hello("a.B", "x")).await.unwrap();
        // Nothing was sent: another provider may take it.
        assert!(matches!(answer, Response::Status(100, _)), "{answer:?}");
        assert_eq!(
            other.call(&hello("a.B", "x")).await.unwrap(),
            Response::Value(Value::text("hello x"))
        );
    };
    let (one, two, ()) = tokio::join!(consumer.call(&slow), consumer.call(&slow), third);
    assert!(matches!(
        (one.unwrap(), two.unwrap()),
        (Response::Value(_), Response::Value(_))
    ));
    assert_eq!(
        consumer.call(&hello("a.B", "x")).await.unwrap(),
        Response::Value(Value::text("hello x"))
    );
    let metrics = running.page("/metrics").await.1;
    let hits = "landbridge_limit_hits_total{limit=\"in_flight_per_connection\"} 1";
    assert!(metrics.lines().any(|line| line == hits), "{metrics}");
    running.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_readonly_provider_finishes_and_gets_no_more() {
    let (leaving, staying) = (greeting_provider().await, greeting_provider().await);
    let sections = format!(
        "services:\n- {{service: a.B, dubbo2: [{}, {}]}}\n",
        leaving.address(),
        staying.address()
    );
    let running = Running::start(&sections).await;
    let consumer = running.dubbo2().await;
    while leaving.count() == 0 {
        consumer.call(&hello("a.B", "x")).await.unwrap();
    }
    leaving.send_readonly();
    until("the event was heard", || running.event(Event::Readonly) > 0).await;
    let before = leaving.count();
    for _ in 0..30 {
        let answer = consumer.call(&hello("a.B", "x")).await.unwrap();
        assert_eq!(answer, Response::Value(Value::text("hello x")));
    }
    assert_eq!(leaving.count(), before, "it gets no more");
    assert!(staying.count() >= 30);
    // Its successor at the same address is called again.
    leaving.close_connections();
    until("its connection has ended", || running.upstream_connections() == 1).await;
    within("the successor is called", async {
        while leaving.count() == before {
            consumer.call(&hello("a.B", "x")).await.unwrap();
        }
    })
    .await;
    running.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn protobuf_crosses_both_ways_by_the_examples_binding() {
    let grpc = MeshProvider::start(|call| {
        let fields = proto::read(&call.message).unwrap_or_default();
        match call.path.as_str() {
            "/acme.catalog.v1.Catalog/Price" if proto::bytes_of(&fields, 1) == Some(b"tea") => {
                Reply::Message(Message::new().int(1, 375).into_bytes())
            }
            "/acme.catalog.v1.Catalog/Find" => {
                let item = Message::new()
                    .bytes(1, "tea")
                    .bytes(2, "Tea")
                    .int(3, 375)
                    .into_bytes();
                Reply::Message(Message::new().bytes(1, &item).bytes(1, &item).into_bytes())
            }
            path => Reply::Status(12, format!("no method {path}")),
        }
    })
    .await
    .unwrap();
    let java = harness::dubbo_provider::DubboProvider::start(|call| match call.arguments.as_slice() {
        [Value::Text(sku)] if call.method == "price" => {
            harness::dubbo_provider::Answer::Value(Value::Long(100 * sku.len() as i64))
        }
        _ => harness::dubbo_provider::Answer::Status(40, "unknown method".to_owned()),
    })
    .await
    .unwrap();
    let files = [("binding.yaml", BINDING), ("catalog.proto", PROTO)];
    let legacy_to_mesh = format!(
        "services:\n- {{service: {CATALOG}, triple: {}}}\nbindings: [binding.yaml]\n",
        grpc.address()
    );
    let running = Running::start_with(&legacy_to_mesh, &files).await;
    let consumer = running.dubbo2().await;
    let price = Call::new(CATALOG, "price", "Ljava/lang/String;", vec![Value::text("tea")]);
    assert_eq!(
        consumer.call(&price).await.unwrap(),
        Response::Value(Value::Long(375))
    );
    let find = Call::new(
        CATALOG,
        "find",
        "Ljava/lang/String;I",
        vec![Value::text("t"), Value::Int(2)],
    );
    let answer = consumer.call(&find).await.unwrap();
    let Response::Value(Value::List(_, items)) = &answer else {
        panic!("{answer:?}")
    };
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].field("name"), Some(&Value::text("Tea")));
    assert_eq!(items[0].field("cents"), Some(&Value::Long(375)));
    running.abort().await;
    let mesh_to_legacy = format!(
        "services:\n- {{service: {CATALOG}, dubbo2: {}}}\nbindings: [binding.yaml]\n",
        java.address()
    );
    let running = Running::start_with(&mesh_to_legacy, &files).await;
    let client = running.triple().await;
    let request = Message::new().bytes(1, "coffee").into_bytes();
    let answer = client
        .call(&MeshCall::unary("acme.catalog.v1.Catalog", "Price", &request))
        .await
        .unwrap();
    assert_eq!(answer.code(), Some(0), "{}", answer.message());
    let fields = answer.payload().and_then(proto::read).unwrap();
    assert_eq!(proto::int_of(&fields, 1), Some(600));
    // What is no message of the rpc is the caller's fault, and so is what the binding does not name.
    let answer = client
        .call(&MeshCall::unary("acme.catalog.v1.Catalog", "Price", &[0xff; 9]))
        .await
        .unwrap();
    assert_eq!(answer.code(), Some(3), "{}", answer.message());
    let answer = client
        .call(&MeshCall::unary("acme.catalog.v1.Catalog", "Missing", &[]))
        .await
        .unwrap();
    assert_eq!(answer.code(), Some(12), "{}", answer.message());
    assert_eq!(java.count(), 1);
    running.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_port_asks_for_its_token() {
    let server = greeting_server().await;
    let sections = format!("services:\n- {{service: a.B, triple: {}}}\n", server.address());
    let text = crate::gateway::file(&sections).replace(
        "admin: {bind: '127.0.0.1:0'}",
        "admin: {bind: '127.0.0.1:0', token: open-sesame}",
    );
    let prepared = crate::gateway::prepare(&text, &[]).unwrap();
    let gateway = landbridge::app::Gateway::start(prepared, None).await.unwrap();
    let ask = async |path: &str, header: &str| {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = tokio::net::TcpStream::connect(gateway.ports().admin)
            .await
            .unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nhost: test\r\n{header}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse::<u16>().ok())
            .unwrap()
    };
    for (path, header, status) in [
        ("/healthz", "", 200),
        ("/readyz", "", 200),
        ("/metrics", "", 401),
        ("/metrics", "authorization: Bearer open-sesam\r\n", 401),
        ("/metrics", "authorization: Bearer open-sesame\r\n", 200),
        ("/v1/config", "authorization: Bearer \r\n", 401),
        ("/v1/config", "authorization: Bearer open-sesame\r\n", 200),
        ("/nowhere", "authorization: Bearer open-sesame\r\n", 404),
    ] {
        assert_eq!(ask(path, header).await, status, "{path} {header}");
    }
    // A call on another port is nobody's business here.
    let address = gateway.ports().triple.unwrap();
    let client = harness::mesh_consumer::MeshConsumer::connect(address)
        .await
        .unwrap();
    let answer = client.call(&hello_wrapped("a.B", "x")).await.unwrap();
    assert_eq!(
        answer.payload().and_then(triple::unwrap_result),
        Some(Value::text("hello x"))
    );
}
