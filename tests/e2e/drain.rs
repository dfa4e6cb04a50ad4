//! The end of a gateway: nothing is cut that can be finished.

use std::sync::Arc;
use std::time::Duration;

use harness::dubbo_consumer::DubboConsumer;
use harness::dubbo2::Response;
use harness::hessian::Value;
use tokio_util::sync::CancellationToken;

use crate::gateway::{Running, Translator, greeting_provider, hello, hello_wrapped, within};

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_flight_are_finished() {
    let translator = Translator::start("wrapper", "dubbo2", "").await;
    let (dubbo2, mesh) = (
        translator.running.dubbo2().await,
        translator.running.triple().await,
    );
    let port = translator.running.gateway.ports().dubbo2.unwrap();
    let Translator {
        running,
        provider,
        server,
    } = translator;
    let running = Arc::into_inner(running).unwrap();
    let (call, wrapped) = (hello("a.B", "slow-800"), hello_wrapped("a.B", "slow-800"));
    let stopping = async {
        assert!(provider.received(1).await && server.received(1).await);
        running.stop().await
    };
    let (one, two, drained) = tokio::join!(dubbo2.call(&call), mesh.call(&wrapped), stopping);
    assert_eq!(one.unwrap(), Response::Value(Value::text("hello slow-800")));
    assert_eq!(two.unwrap().code(), Some(0));
    assert_eq!(drained.cut, 0);
    assert!(DubboConsumer::connect(port).await.is_err(), "the port is closed");
    let (one, two) = tokio::join!(dubbo2.closed(), mesh.closed());
    assert!(one.is_ok() && two.is_ok(), "both connections end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_finish_is_cut_and_counted() {
    let provider = greeting_provider().await;
    let sections = format!(
        "services:\n- {{service: '*', dubbo2: {}}}\ndrain: {{propagation: 100ms, deadline: 300ms}}\n",
        provider.address()
    );
    let running = Running::start(&sections).await;
    let consumer = running.dubbo2().await;
    let call = hello("a.B", "slow-9000");
    let stopping = async {
        assert!(provider.received(1).await);
        running.stop().await
    };
    let (_, drained) = tokio::join!(consumer.call(&call), stopping);
    assert_eq!(drained.cut, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_does_not_wait() {
    let provider = greeting_provider().await;
    let sections = format!(
        "services:\n- {{service: '*', dubbo2: {}}}\ndrain: {{deadline: 10m}}\n",
        provider.address()
    );
    let running = Running::start(&sections).await;
    let consumer = running.dubbo2().await;
    let call = hello("a.B", "slow-9000");
    let hurry = CancellationToken::new();
    let again = async {
        assert!(provider.received(1).await);
        let impatient = hurry.clone();
        let stopping = running.gateway.stop(hurry.clone());
        let soon = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            impatient.cancel();
        };
        let (drained, ()) = within("stop", async { tokio::join!(stopping, soon) }).await;
        drained
    };
    let (_, drained) = tokio::join!(consumer.call(&call), again);
    assert_eq!(drained.cut, 1);
}
