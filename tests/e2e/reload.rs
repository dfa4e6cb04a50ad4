//! A changed file: what may change changes, calls in flight go on, and what needs a restart is named.

use harness::dubbo2::Response;
use harness::hessian::Value;

use crate::gateway::{Running, file, greeting_provider, hello, prepare, until};

#[tokio::test(flavor = "multi_thread")]
async fn services_and_limits_change_without_a_restart() {
    let (first, second) = (greeting_provider().await, greeting_provider().await);
    let one = format!(
        "services:\n- {{service: '*', dubbo2: {}}}\ntimeouts: {{call: 20s, first_view: 20s}}\n",
        first.address()
    );
    let mut running = Running::start(&one).await;
    let consumer = running.dubbo2().await;
    let port = running.gateway.ports().dubbo2.unwrap();
    let slow = hello("a.B", "slow-500");
    let changed = format!(
        "services:\n- {{service: a.B, dubbo2: {}}}\nlimits: {{message: 1MiB}}\n\
         timeouts: {{call: 19s, connect: 1s, first_view: 20s}}\nlisteners: {{dubbo2: {{bind: '{port}'}}}}\n",
        second.address()
    );
    let reload = async {
        assert!(first.received(1).await);
        let restart = running.gateway.reload(prepare(&file(&changed), &[]).unwrap());
        assert_eq!(restart, ["listeners", "timeouts.connect"]);
        until("the new service is known", || {
            running.gateway.directory().services.len() == 1
        })
        .await;
    };
    let (answer, ()) = tokio::join!(consumer.call(&slow), reload);
    assert_eq!(answer.unwrap(), Response::Value(Value::text("hello slow-500")));
    assert_eq!(
        consumer.call(&hello("a.B", "x")).await.unwrap(),
        Response::Value(Value::text("hello x"))
    );
    assert_eq!((first.count(), second.count()), (1, 1));
    // The entry for all services is gone, and so is what it took.
    let answer = consumer.call(&hello("c.D", "x")).await.unwrap();
    assert!(matches!(answer, Response::Exception(_)), "{answer:?}");
    let effective = running.page("/v1/config").await.1;
    assert!(
        effective.contains("\"message\":\"1MiB\"") && effective.contains("\"triple\":{"),
        "{effective}"
    );
    running.abort().await;
}
