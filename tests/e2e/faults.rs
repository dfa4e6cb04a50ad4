//! Providers that fail: the caller gets the truth once, and the provider is called once.

use std::time::{Duration, Instant};

use harness::dubbo_provider::DubboProvider;
use harness::dubbo2::{Call, Response};
use harness::hessian::Value;
use harness::mesh_consumer::MeshCall;
use harness::ports::Closed;
use harness::triple;

use crate::gateway::{Running, Translator, greeting_provider, hello, hello_wrapped, until, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_provider_costs_the_callers_timeout_and_no_more() {
    let more = "timeouts: {call: 60s, first_view: 20s}\n";
    let translator = Translator::start("wrapper", "dubbo2", more).await;
    let (dubbo2, mesh) = (
        translator.running.dubbo2().await,
        translator.running.triple().await,
    );
    let begun = Instant::now();
    // Long enough for the call to be sent.
    let call = Call::new("a.B", "silent", "", Vec::new()).attach("timeout", "1000");
    let answer = dubbo2.call(&call).await.unwrap();
    assert!(matches!(answer, Response::Status(31, _)), "{answer:?}");
    let call = MeshCall::unary("a.B", "silent", &triple::wrap_arguments(&[])).header("grpc-timeout", "1000m");
    let answer = mesh.call(&call).await.unwrap();
    assert_eq!(answer.code(), Some(4), "{}", answer.message());
    // Not the gateway's own minute.
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert!(translator.provider.received(1).await && translator.server.received(1).await);
    assert_eq!((translator.provider.count(), translator.server.count()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_closes_after_the_call_was_sent_is_not_called_again() {
    let translator = Translator::start("dubbo2", "dubbo2", "").await;
    let (dubbo2, mesh) = (
        translator.running.dubbo2().await,
        translator.running.triple().await,
    );
    let close = Call::new("a.B", "close", "", Vec::new());
    let answer = dubbo2.call(&close).await.unwrap();
    // It may have run: 80, and the consumer's own `retries` decide.
    assert!(matches!(answer, Response::Status(80, _)), "{answer:?}");
    let answer = mesh
        .call(&MeshCall::unary("a.B", "close", &triple::wrap_arguments(&[])))
        .await
        .unwrap();
    // Never UNAVAILABLE, which istiod's default policy repeats.
    assert_eq!(answer.code(), Some(13), "{}", answer.message());
    assert_eq!(translator.provider.count(), 2);
    assert_eq!(
        dubbo2.call(&hello("a.B", "x")).await.unwrap(),
        Response::Value(Value::text("hello x"))
    );
}

/// Ends a provider; nobody else gets its port.
async fn left(provider: DubboProvider) -> Closed {
    let address = provider.address();
    drop(provider);
    within("the port is closed", Closed::after(address)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_gone_is_said_to_be_unsent() {
    let provider = greeting_provider().await;
    let sections = format!("services:\n- {{service: '*', dubbo2: {}}}\n", provider.address());
    let _closed = left(provider).await;
    let running = Running::start(&sections).await;
    let answer = running.dubbo2().await.call(&hello("a.B", "x")).await.unwrap();
    assert!(matches!(answer, Response::Status(100, _)), "{answer:?}");
    let answer = running
        .triple()
        .await
        .call(&hello_wrapped("a.B", "x"))
        .await
        .unwrap();
    assert_eq!(answer.code(), Some(14), "{}", answer.message());
    running.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_is_left_for_another() {
    let (gone, there) = (greeting_provider().await, greeting_provider().await);
    let sections = format!(
        "services:\n- {{service: '*', dubbo2: [{}, {}]}}\n",
        gone.address(),
        there.address()
    );
    let _closed = left(gone).await;
    let running = Running::start(&sections).await;
    let consumer = running.dubbo2().await;
    for _ in 0..20 {
        // Nothing was sent to the one that is gone, so the call goes elsewhere.
        assert_eq!(
            consumer.call(&hello("a.B", "x")).await.unwrap(),
            Response::Value(Value::text("hello x"))
        );
    }
    assert_eq!(there.count(), 20);
    running.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_comes_back_is_called_again() {
    let translator = Translator::start("wrapper", "dubbo2", "").await;
    let (dubbo2, mesh) = (
        translator.running.dubbo2().await,
        translator.running.triple().await,
    );
    for _ in 0..3 {
        assert_eq!(
            dubbo2.call(&hello("a.B", "x")).await.unwrap(),
            Response::Value(Value::text("hello x"))
        );
        assert_eq!(
            mesh.call(&hello_wrapped("a.B", "x")).await.unwrap().code(),
            Some(0)
        );
        translator.provider.close_connections();
        translator.server.close_connections();
        // The close has to be heard before the next call, or that one is told that it may have run.
        until("no connection is left", || {
            translator.running.upstream_connections() == 0
        })
        .await;
    }
    // And one that says that it goes.
    for _ in 0..2 {
        assert_eq!(
            dubbo2.call(&hello("a.B", "x")).await.unwrap(),
            Response::Value(Value::text("hello x"))
        );
        translator.server.go_away();
        until("no connection is left", || {
            translator.running.upstream_connections() == 0
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_are_answered_and_one_way_calls_are_not() {
    let translator = Translator::start("dubbo2", "dubbo2", "").await;
    let consumer = translator.running.dubbo2().await;
    let pong = consumer
        .exchange(harness::dubbo2::Frame::heartbeat)
        .await
        .unwrap();
    assert!(
        pong.is_event() && !pong.is_request() && pong.status == 20,
        "{pong:?}"
    );
    let one_way = harness::dubbo2::Frame {
        flags: 0x82,
        ..harness::dubbo2::Frame::request(77, hello("a.B", "quiet").to_body())
    };
    consumer.send(&one_way.to_bytes()).await.unwrap();
    assert!(translator.provider.received(1).await);
    assert_eq!(
        consumer.call(&hello("a.B", "x")).await.unwrap(),
        Response::Value(Value::text("hello x"))
    );
}
