//! Both registries: what appears there is called, what we announce appears there, and goes with us.

use harness::dubbo_consumer::DubboConsumer;
use harness::dubbo2::Response;
use harness::hessian::Value;
use harness::istiod::Istiod;
use harness::zookeeper;
use serde_json::json;

use crate::gateway::{Running, greeting_provider, greeting_server, hello, hello_wrapped, until};

fn node(interface: &str, address: std::net::SocketAddr) -> String {
    let url = format!(
        "dubbo%3A%2F%2F{}%3A{}%2F{interface}%3Fapplication%3Dtest%26dubbo%3D2.0.2%26interface%3D{interface}\
         %26release%3D2.7.23%26side%3Dprovider%26timestamp%3D1",
        address.ip(),
        address.port()
    );
    format!("/dubbo/{interface}/providers/{url}")
}

fn entry(host: &str, address: std::net::SocketAddr) -> serde_json::Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": host.replace('.', "-"), "namespace": "shop"},
        "spec": {
            "hosts": [host], "location": "MESH_INTERNAL", "resolution": "STATIC",
            "ports": [{"number": 50051, "name": "grpc", "protocol": "GRPC"}],
            "endpoints": [{"address": address.ip().to_string(), "ports": {"grpc": address.port()}}],
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn both_islands_find_each_other_and_lose_each_other() {
    let server = zookeeper::Server::start().await.unwrap();
    let istiod = Istiod::start().await.unwrap();
    let (legacy, mesh) = (greeting_provider().await, greeting_server().await);
    let owner = server.foreign();
    server.create_foreign(owner, &node("test.Legacy", legacy.address()));
    // The directories that a consumer of `test.Mesh` makes.
    server.create("/dubbo/test.Mesh/providers", b"");
    istiod.apply(&entry("test.mesh.dubbo", mesh.address())).unwrap();
    let sections = format!(
        "legacy:\n- zookeeper: {{servers: '{}', session_timeout: 4s, publish_session_timeout: 4s}}\n\
         mesh:\n- istiod: {{address: '{}'}}\n  publish: {{via: mcp, mcp_bind: '127.0.0.1:0'}}\n\
         migration: {{stages: [{{services: 'test.*', stage: bridge}}]}}\n",
        server.address(),
        istiod.address()
    );
    let running = Running::start(&sections).await;
    istiod.follow(running.gateway.ports().mcp.unwrap());
    // Announced in each island: what only the other has.
    until("istiod knows the legacy service", || {
        istiod.hosts().contains("test.legacy.dubbo")
    })
    .await;
    let ours = || {
        let nodes = server.dump("/dubbo/test.Mesh/providers");
        nodes
            .into_keys()
            .filter(|path| path.contains("landbridge"))
            .collect::<Vec<_>>()
    };
    until("ZooKeeper has our node", || ours().len() == 1).await;
    assert!(running.gateway.readiness().ready);
    let announced = server.dump("/dubbo/test.Legacy/providers").len();
    // The directory itself and the native: nothing of ours beside a native.
    assert_eq!(announced, 2);
    // And called, both ways.
    let answer = running
        .dubbo2()
        .await
        .call(&hello("test.Mesh", "x"))
        .await
        .unwrap();
    assert_eq!(answer, Response::Value(Value::text("hello x")));
    let answer = running
        .triple()
        .await
        .call(&hello_wrapped("test.Legacy", "x"))
        .await
        .unwrap();
    assert_eq!(answer.code(), Some(0), "{}", answer.message());
    // A second provider comes, the first one goes: calls follow.
    let second = greeting_provider().await;
    server.create_foreign(owner, &node("test.Legacy", second.address()));
    server.delete(&node("test.Legacy", legacy.address()));
    let consumer = running.triple().await;
    crate::gateway::within("calls move to the second provider", async {
        while second.count() == 0 {
            assert_eq!(
                consumer
                    .call(&hello_wrapped("test.Legacy", "x"))
                    .await
                    .unwrap()
                    .code(),
                Some(0)
            );
        }
    })
    .await;
    // The operator's port says so.
    let (status, services) = running.page("/v1/services").await;
    assert!(
        status == 200 && services.contains("test.Mesh") && services.contains("test.Legacy"),
        "{services}"
    );
    let (status, explained) = running.page("/v1/explain/test.Legacy").await;
    assert!(
        status == 200 && explained.contains(&second.address().to_string()),
        "{explained}"
    );
    assert_eq!(running.page("/v1/explain/test.Nobody").await.0, 404);
    // The end: our node goes first, the natives stay.
    assert_eq!(running.stop().await.cut, 0);
    assert_eq!(ours(), Vec::<String>::new());
    assert_eq!(server.dump("/dubbo/test.Legacy/providers").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_while_the_registries_are_down() {
    let server = zookeeper::Server::start().await.unwrap();
    // It leaves its port and comes back to it.
    let istiod = Istiod::start_at(([127, 0, 0, 1], harness::ports::free()).into())
        .await
        .unwrap();
    let (legacy, mesh) = (greeting_provider().await, greeting_server().await);
    let owner = server.foreign();
    server.create_foreign(owner, &node("test.Legacy", legacy.address()));
    server.create("/dubbo/test.Mesh/providers", b"");
    istiod.apply(&entry("test.mesh.dubbo", mesh.address())).unwrap();
    let sections = format!(
        "legacy:\n- zookeeper: {{servers: '{}', session_timeout: 4s}}\n  publish: false\n\
         mesh:\n- istiod: {{address: '{}'}}\n",
        server.address(),
        istiod.address()
    );
    let running = Running::start(&sections).await;
    let consumer: DubboConsumer = running.dubbo2().await;
    let works = async |what: &str| {
        for interface in ["test.Legacy", "test.Mesh"] {
            let answer = consumer.call(&hello(interface, "x")).await.unwrap();
            assert_eq!(answer, Response::Value(Value::text("hello x")), "{what}");
        }
    };
    works("registries up").await;
    server.refuse(true);
    server.cut();
    istiod.stop();
    until("both are seen to be gone", || {
        running.gateway.readiness().stale.len() == 2
    })
    .await;
    works("registries down").await;
    assert!(running.gateway.readiness().ready, "stale is not unready");
    server.refuse(false);
    istiod.start_again().await.unwrap();
    until("both are back", || running.gateway.readiness().stale.is_empty()).await;
    works("registries back").await;
    running.abort().await;
}
