//! Java objects on one side, protobuf messages on the other, by the shop's binding file.

use crate::gateway::{Gateway, Setup};
use crate::mesh::Mesh;
use crate::peers::{Peers, free_port, own_address, peers};
use crate::process::Process;
use crate::shop;
use crate::suite::Suite;
use crate::zookeeper::ZooKeeper;

/// The cases of the Java suite whose methods the contract has; README.md lists what is left out.
const BOUND: &str = "only=hello|create|cancel-void|total|bytes-big|text-big|enum|whoami|timeout|attachments|async-context|generic-string|generic-array|generic-list|generic-pojo-result";

fn grpc_server(peers: &Peers) -> (Process, u16) {
    let port = free_port();
    let server = peers.go_server("grpcserver", &[("LB_LISTEN", format!("0.0.0.0:{port}"))]);
    (server, port)
}

/// grpc-go's cases against a Dubbo2 provider: its failures are gRPC codes of the Go server's own, and Dubbo2 has no streams.
fn grpc_client(peers: &Peers, port: u16) -> Suite {
    let off = "false".to_owned();
    peers.go_suite(
        "grpcclient",
        &[
            ("LB_TARGET", format!("127.0.0.1:{port}")),
            ("LB_DIRECT", off.clone()),
            ("LB_STREAMS", off.clone()),
            ("LB_DETAILS", off),
        ],
    )
}

#[test]
fn grpc_go_reaches_java_27_through_the_translator() {
    let Some(peers) = peers() else { return };
    let port = free_port();
    let _provider = peers.java_provider(27, &[format!("port={port}")]);
    let gateway = Gateway::start(
        &peers,
        &Setup::translator("dubbo2", "dubbo2", port, free_port()).binding(),
    );
    grpc_client(&peers, gateway.triple).assert_all(19);
}

#[test]
fn java_27_reaches_grpc_go_through_the_translator() {
    let Some(peers) = peers() else { return };
    let (_server, port) = grpc_server(&peers);
    let gateway = Gateway::start(
        &peers,
        &Setup::translator("protobuf", "protobuf", free_port(), port).binding(),
    );
    peers
        .java_suite(27, &[gateway.dubbo_url(), BOUND.to_owned()])
        .assert_all(15);
}

#[test]
fn grpc_go_reaches_grpc_go_through_the_translator() {
    let Some(peers) = peers() else { return };
    let (_server, port) = grpc_server(&peers);
    let gateway = Gateway::start(
        &peers,
        &Setup::translator("protobuf", "protobuf", free_port(), port).binding(),
    );
    let settings = [("LB_TARGET", format!("127.0.0.1:{}", gateway.triple))];
    peers.go_suite("grpcclient", &settings).assert_all(36);
}

#[test]
fn java_27_finds_us_in_zookeeper_and_reaches_grpc_go_found_at_istiod() {
    let Some(peers) = peers() else { return };
    let (zk, mesh) = (ZooKeeper::start(&peers), Mesh::start(&peers));
    let (_server, port) = grpc_server(&peers);
    mesh.apply(&shop::entry(
        "org.landbridge.peers.api.orderservice.dubbo",
        &[(own_address(), port, "v1")],
    ));
    let gateway = Gateway::start(&peers, &Setup::edge().zookeeper(&zk).istiod(&mesh).binding());
    gateway.wait_published(&zk, shop::ORDERS);
    peers
        .java_suite(27, &[zk.setting(), BOUND.to_owned()])
        .assert_all(15);
}

#[test]
fn java_27_finds_us_in_zookeeper_and_reaches_dubbo_go_found_at_istiod() {
    let Some(peers) = peers() else { return };
    let (zk, mesh) = (ZooKeeper::start(&peers), Mesh::start(&peers));
    let port = free_port();
    let settings = [
        ("LB_SERVE", "tri-idl".to_owned()),
        ("LB_TRI_PORT", port.to_string()),
        ("LB_META_PORT", free_port().to_string()),
        ("LB_IP", "0.0.0.0".to_owned()),
    ];
    let _provider = peers.go_server("provider", &settings);
    mesh.apply(&shop::entry(
        "org.landbridge.peers.api.orderservice.dubbo",
        &[(own_address(), port, "v1")],
    ));
    let gateway = Gateway::start(&peers, &Setup::edge().zookeeper(&zk).istiod(&mesh).binding());
    gateway.wait_published(&zk, shop::ORDERS);
    peers
        .java_suite(27, &[zk.setting(), BOUND.to_owned()])
        .assert_all(15);
}

#[test]
fn grpc_go_reaches_java_27_found_in_zookeeper() {
    let Some(peers) = peers() else { return };
    let zk = ZooKeeper::start(&peers);
    let _provider = peers.java_provider(27, &[format!("port={}", free_port()), zk.setting()]);
    let gateway = Gateway::start(&peers, &Setup::edge().zookeeper(&zk).binding());
    grpc_client(&peers, gateway.triple).assert_all(19);
}
