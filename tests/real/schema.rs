//! From what Java providers wrote into the metadata center of a real ZooKeeper to a served protobuf service.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;

use codecs::protobuf::Schema;
use harness::mesh_consumer::{MeshCall, MeshConsumer};
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use serde_json::{Value, json};

use crate::gateway::{Gateway, Setup, binary};
use crate::peers::{free_port, peers};
use crate::process::{START, eventually_or, run};
use crate::shop;
use crate::zookeeper::ZooKeeper;

const PACKAGE: &str = "org.landbridge.peers.api";

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/schemas")
}

/// Drafts the shop from a ZooKeeper into a folder and gives the report.
fn draft(zk: &ZooKeeper, out: &Path) -> String {
    let report = out.with_extension("report");
    let mut command = Command::new(binary());
    command
        .args(["schema", "draft", "--zookeeper", &zk.address()])
        .args([
            "--interface",
            &format!("{PACKAGE}.OrderService"),
            "--interface",
            "*.InventoryService",
        ])
        .args(["--interface", "*.Catalog"])
        .arg("--hints")
        .arg(fixtures().join("hints.yaml"))
        .arg("--out")
        .arg(out)
        .arg("--report")
        .arg(&report);
    run("landbridge schema draft", &mut command, START);
    std::fs::read_to_string(report).unwrap()
}

/// Waits until the metadata center has a definition of each of these, by an application whose name begins so: Dubbo writes
/// them after it has said that it is ready.
fn wait_published(zk: &ZooKeeper, application: &str, services: &[&str]) {
    let last = RefCell::new(Vec::new());
    let arrived = || {
        let paths = zk.dump("/dubbo/metadata").into_iter();
        *last.borrow_mut() = paths
            .filter_map(|node| node["path"].as_str().map(str::to_owned))
            .collect();
        let has = |service: &&str| {
            let start = format!("/dubbo/metadata/{service}/provider/{application}");
            last.borrow().iter().any(|path| path.starts_with(&start))
        };
        services.iter().all(has).then_some(())
    };
    let what = || {
        format!(
            "definitions of {services:?} by {application}, found {:?}",
            last.borrow()
        )
    };
    eventually_or(what, START, arrived);
}

/// The services of [`PACKAGE`] that are drafted.
const DRAFTED: [&str; 3] = [
    "org.landbridge.peers.api.OrderService",
    "org.landbridge.peers.api.InventoryService/1.0.0/warehouse-a",
    "org.landbridge.peers.api.InventoryService/2.0.0/warehouse-b",
];

/// The drafted files are those of the fixtures.
fn assert_golden(out: &Path) {
    for extension in ["proto", "yaml", "lock.json"] {
        let name = format!("{PACKAGE}.{extension}");
        let read = |folder: &Path| {
            let path = folder.join(&name);
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let (drafted, golden) = (read(out), read(&fixtures()));
        assert!(
            drafted == golden,
            "{} is not as in tests/fixtures/schemas: {:?}",
            out.join(&name).display(),
            drafted
                .lines()
                .find(|line| !golden.lines().any(|known| known == *line))
        );
    }
}

/// A gRPC client that knows the drafted schema and nothing else.
struct Client {
    runtime: tokio::runtime::Runtime,
    consumer: MeshConsumer,
    schema: Schema,
}

impl Client {
    fn new(gateway: &Gateway, set: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], gateway.triple));
        let consumer = runtime.block_on(MeshConsumer::connect(address)).unwrap();
        let name = set.file_name().unwrap().to_str().unwrap().to_owned();
        let schema = Schema::load(&[name], &[], &mut |_| {
            std::fs::read(set).map_err(|error| error.to_string())
        });
        Self {
            runtime,
            consumer,
            schema: schema.unwrap(),
        }
    }

    fn method(&self, service: &str, rpc: &str) -> MethodDescriptor {
        let service = self.schema.pool().get_service_by_name(service).unwrap();
        let found = service.methods().find(|method| method.name() == rpc);
        found.unwrap_or_else(|| panic!("no rpc {rpc}"))
    }

    /// The reply, or the gRPC code and message.
    fn call(&self, service: &str, rpc: &str, request: Value) -> Result<Value, (u32, String)> {
        let method = self.method(service, rpc);
        let request = DynamicMessage::deserialize(method.input(), request).unwrap();
        let mut call = MeshCall::unary(service, rpc, &request.encode_to_vec());
        if service.ends_with("InventoryService") {
            call = call
                .header("tri-service-group", "warehouse-a")
                .header("tri-service-version", "1.0.0");
        }
        let answer = self.runtime.block_on(self.consumer.call(&call)).unwrap();
        match answer.code() {
            Some(0) => {
                let payload = answer.payload().unwrap_or_default();
                let reply = DynamicMessage::decode(method.output(), payload).unwrap();
                assert!(reply.unknown_fields().next().is_none(), "{reply:?}");
                Ok(serde_json::to_value(&reply).unwrap())
            }
            code => Err((code.unwrap_or(u32::MAX), answer.message())),
        }
    }
}

#[test]
fn what_java_published_is_drafted_and_served_to_grpc() {
    let Some(peers) = peers() else { return };
    let zk = ZooKeeper::start(&peers);
    let _old = peers.java_provider(27, &[format!("port={}", free_port()), zk.setting()]);
    wait_published(&zk, "lb-27", &DRAFTED);
    let (one, two) = (peers.scratch().join("one"), peers.scratch().join("two"));
    let report = draft(&zk, &one);
    assert!(
        report.starts_with(&format!("{PACKAGE}: 27 rpcs, 0 left out, 0 breaking")),
        "{report}"
    );
    assert_golden(&one);
    draft(&zk, &two);
    assert_golden(&two);
    let binding = one.join(format!("{PACKAGE}.yaml"));
    let mut check = Command::new(binary());
    check.args(["schema", "check"]).arg(&binding);
    let said = run("landbridge schema check", &mut check, START);
    assert!(said.contains("ok, 3 services, 31 methods"), "{said}");

    // The gateway finds the provider in the same ZooKeeper, and serves it by what was drafted.
    let gateway = Gateway::start(&peers, &Setup::edge().zookeeper(&zk).binding_at(binding));
    let client = Client::new(&gateway, &one.join(format!("{PACKAGE}.pb")));
    let orders = |rpc: &str, request: Value| client.call(shop::ORDERS, rpc, request);
    assert_eq!(
        orders("Hello", json!({"arg0": "Zoë 😀"})),
        Ok(json!({"result": "hello Zoë 😀"}))
    );
    assert_eq!(
        orders("Total", json!({"arg0": ["1", "2"]})).map(|reply| reply["result"].is_string()),
        Ok(true)
    );
    let order = orders("Get", json!({"id": "7"})).unwrap();
    for (path, value) in [
        ("/result/id", json!("7")),
        ("/result/code", json!("ORD-7")),
        ("/result/status", json!("ORDER_STATUS_PAID")),
        ("/result/buyer/name", json!("Zoë 中文 😀")),
        ("/result/total/amount", json!("1039.98")),
        ("/result/createdAt", json!("2023-11-14T22:13:20.123Z")),
        ("/result/dueAt", json!("2024-02-29T23:59:58.123456789")),
        ("/result/labels", json!({"channel": "web"})),
        ("/result/lineByNo/1/sku", json!("SKU-1")),
    ] {
        assert_eq!(order.pointer(path), Some(&value), "{path}\n{order:#}");
    }
    // What Java gives back for an order is that order.
    let created = orders("Create", json!({"arg0": order["result"].clone()})).unwrap();
    assert_eq!(created["result"]["total"], order["result"]["total"]);
    assert_eq!(created["result"]["lines"], order["result"]["lines"]);
    // A generic class by hints, an overload, a future, a collection in a collection's place.
    let page = orders("Find", json!({"query": {"size": 2, "page": 3}})).unwrap();
    assert_eq!(
        page["result"]["items"].as_array().map(Vec::len),
        Some(2),
        "{page:#}"
    );
    assert_eq!(
        (&page["result"]["total"], &page["result"]["first"]["id"]),
        (&json!("1099511627776"), &json!("1"))
    );
    let bare = orders("GetByLongBoolean", json!({"arg0": "8", "arg1": false})).unwrap();
    assert!(bare["result"].get("lines").is_none(), "{bare:#}");
    assert_eq!(
        orders("GetAsync", json!({"id": "9"})).unwrap()["result"]["id"],
        json!("9")
    );
    assert_eq!(
        orders("Nothing", json!({})),
        Ok(json!({})),
        "null is the unset result"
    );
    // A declared exception with the code of the hints.
    let (code, message) = orders("Get", json!({"id": "404"})).unwrap_err();
    assert_eq!((code, message.contains("no order")), (5, true), "{message}");
    let stocks = client.call(
        "org.landbridge.peers.api.InventoryService",
        "Stocks",
        json!({"arg0": ["a", "b"]}),
    );
    assert_eq!(
        stocks.map(|reply| reply["result"].as_object().map(serde_json::Map::len)),
        Ok(Some(2))
    );

    // A second application of another release publishes the same: nothing changes. A service with a .proto of its own is
    // left to it.
    let _new = peers.java_provider(33, &[format!("port={}", free_port()), zk.setting()]);
    let idl = peers.java(
        33,
        "triple-provider",
        &[format!("port={}", free_port()), zk.setting()],
    );
    idl.wait_event("ready", START);
    wait_published(&zk, "lb-33", &DRAFTED);
    wait_published(&zk, "", &["org.landbridge.peers.idl.Catalog"]);
    let report = draft(&zk, &one);
    assert_golden(&one);
    assert!(
        report.contains("left out: org.landbridge.peers.idl.Catalog: the service has a .proto of its own"),
        "{report}"
    );
    assert!(!report.contains("conflict"), "{report}");
}
