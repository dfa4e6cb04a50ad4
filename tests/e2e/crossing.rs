//! Calls through the gateway in every direction: what arrives, what comes back, what is written down.

use codecs::ServiceKey;
use harness::dubbo2::{Call, Response};
use harness::hessian::Value;
use harness::mesh_consumer::MeshCall;
use harness::triple;
use landbridge::worker::Wire;
use registries::directory::Mode;

use crate::gateway::{Running, Translator, greeting_provider, greeting_server, hello, hello_wrapped};

#[tokio::test(flavor = "multi_thread")]
async fn dubbo2_passes_through_with_its_argument_bytes() {
    let translator = Translator::start("dubbo2", "dubbo2", "").await;
    let consumer = translator.running.dubbo2().await;
    let order = Value::object(
        "com.acme.Order",
        &[("id", Value::Long(7)), ("note", Value::text("Zoë 😀"))],
    );
    let call = Call::new(
        "test.Orders",
        "hello",
        "Ljava/lang/String;Lcom/acme/Order;Lcom/acme/Order;",
        vec![Value::text("x"), order.clone(), order],
    )
    .of("blue", "1.2.3")
    .attach("trace", "abc");
    let sent = call.to_body();
    assert_eq!(
        consumer.call(&call).await.unwrap(),
        Response::Value(Value::text("hello x"))
    );
    let received = translator.provider.calls().remove(0);
    assert_eq!(
        (received.path.as_str(), received.version.as_str()),
        ("test.Orders", "1.2.3")
    );
    let whole = Call::read(&sent).unwrap();
    assert_eq!(received.argument_bytes, whole.argument_bytes);
    assert_eq!(received.attachments.field("trace"), Some(&Value::text("abc")));
    assert_eq!(received.attachments.field("group"), Some(&Value::text("blue")));
}

#[tokio::test(flavor = "multi_thread")]
async fn dubbo2_reaches_a_triple_provider_by_wrapper() {
    let provider = greeting_server().await;
    let sections = format!(
        "services:\n- {{service: test.Greeter, triple: {}}}\n",
        provider.address()
    );
    let mut running = Running::start(&sections).await;
    let consumer = running.dubbo2().await;
    let call = hello("test.Greeter", "mesh").attach("trace", "abc");
    assert_eq!(
        consumer.call(&call).await.unwrap(),
        Response::Value(Value::text("hello mesh"))
    );
    let received = provider.calls().remove(0);
    assert_eq!(received.path, "/test.Greeter/hello");
    assert_eq!(
        triple::unwrap_arguments(&received.message),
        Some(vec![("java.lang.String".to_owned(), Value::text("mesh"))])
    );
    assert_eq!(received.header("trace"), "abc");
    assert!(
        !received.header("grpc-timeout").is_empty(),
        "the deadline travels"
    );
    let record = running.record("hello").await;
    assert_eq!(
        (record.from, record.to, record.mode),
        (Wire::Dubbo2, Some(Wire::Triple), Some(Mode::Wrapper))
    );
    assert_eq!(record.endpoint, Some(provider.address()));
    assert_eq!((record.outcome.name(), record.attempts), ("ok", 1));
    // A void method, and a business error.
    let nothing = Call::new("test.Greeter", "nothing", "", Vec::new());
    assert_eq!(
        consumer.call(&nothing).await.unwrap(),
        Response::Value(Value::Null)
    );
    let fail = Call::new("test.Greeter", "fail", "", Vec::new());
    let answer = consumer.call(&fail).await.unwrap();
    assert!(
        !matches!(answer, Response::Value(_)) && format!("{answer:?}").contains("none left"),
        "{answer:?}"
    );
    running.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn triple_reaches_a_dubbo2_provider_by_wrapper() {
    let provider = greeting_provider().await;
    let sections = format!(
        "services:\n- {{service: 'blue/test.Greeter:1.0', dubbo2: {}}}\n",
        provider.address()
    );
    let mut running = Running::start(&sections).await;
    let consumer = running.triple().await;
    let call = hello_wrapped("test.Greeter", "legacy")
        .header("tri-service-group", "blue")
        .header("tri-service-version", "1.0")
        .header("trace", "abc");
    let answer = consumer.call(&call).await.unwrap();
    assert_eq!(answer.code(), Some(0), "{}", answer.message());
    assert_eq!(
        answer.payload().and_then(triple::unwrap_result),
        Some(Value::text("hello legacy"))
    );
    let received = provider.calls().remove(0);
    assert_eq!(
        (received.method.as_str(), received.descriptor.as_str()),
        ("hello", "Ljava/lang/String;")
    );
    assert_eq!(received.version, "1.0");
    assert_eq!(received.attachments.field("group"), Some(&Value::text("blue")));
    assert_eq!(received.attachments.field("trace"), Some(&Value::text("abc")));
    let record = running.record("hello").await;
    assert_eq!(record.service, ServiceKey::new("test.Greeter", "blue", "1.0"));
    assert_eq!(
        (record.from, record.to, record.mode),
        (Wire::Triple, Some(Wire::Dubbo2), Some(Mode::Wrapper))
    );
    // What the provider throws is an answer: a status with the exception in it.
    let fail = MeshCall::unary("test.Greeter", "fail", &triple::wrap_arguments(&[]))
        .header("tri-service-group", "blue")
        .header("tri-service-version", "1.0");
    let answer = consumer.call(&fail).await.unwrap();
    assert!(
        answer.code() != Some(0) || answer.trailers.contains_key("tri-exception-code"),
        "{answer:?}"
    );
    let metrics = running.page("/metrics").await.1;
    let series = "landbridge_calls_total{interface=\"test.Greeter\",group=\"blue\",version=\"1.0\",method=\"hello\",\
                  from=\"triple\",to=\"dubbo2\",mode=\"wrapper\",outcome=\"ok\"} 1";
    assert!(metrics.lines().any(|line| line == series), "{metrics}");
    running.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_in_flight_on_one_connection_each_get_their_own_answer() {
    let translator = Translator::start("wrapper", "dubbo2", "").await;
    let (dubbo2, mesh) = (
        translator.running.dubbo2().await,
        translator.running.triple().await,
    );
    let mut calls = Vec::new();
    for n in 0..200 {
        // Later calls are answered earlier.
        let name = if n % 2 == 0 {
            format!("slow-{}", 100 - n / 2)
        } else {
            n.to_string()
        };
        let (dubbo2, mesh) = (&dubbo2, &mesh);
        calls.push(async move {
            let expected = Value::text(format!("hello {name}"));
            assert_eq!(
                dubbo2.call(&hello("a.B", &name)).await.unwrap(),
                Response::Value(expected.clone())
            );
            let answer = mesh.call(&hello_wrapped("a.B", &name)).await.unwrap();
            assert_eq!(answer.payload().and_then(triple::unwrap_result), Some(expected));
        });
    }
    futures_util::future::join_all(calls).await;
    assert_eq!(
        (translator.provider.count(), translator.server.count()),
        (200, 200)
    );
}
