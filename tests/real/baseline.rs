//! The peers alone, without the gateway: what a failure elsewhere is measured against.

use crate::mesh::Mesh;
use crate::peers::{free_port, peers};
use crate::zookeeper::ZooKeeper;

#[test]
fn java_27_calls_java_27_directly() {
    let Some(peers) = peers() else { return };
    let port = free_port();
    let _provider = peers.java_provider(27, &[format!("port={port}")]);
    peers
        .java_suite(27, &[format!("url=dubbo://127.0.0.1:{port}")])
        .assert_all(350);
}

#[test]
fn java_27_calls_java_27_found_in_zookeeper() {
    let Some(peers) = peers() else { return };
    let zk = ZooKeeper::start(&peers);
    let _provider = peers.java_provider(27, &[format!("port={}", free_port()), zk.setting()]);
    peers.java_suite(27, &[zk.setting()]).assert_all(350);
    assert_eq!(
        zk.urls("org.landbridge.peers.api.OrderService", "providers")
            .len(),
        1
    );
}

#[test]
fn java_33_calls_java_33_in_triple_wrapper_mode() {
    let Some(peers) = peers() else { return };
    let port = free_port();
    let _provider = peers.java_provider(33, &["protocol=tri".to_owned(), format!("port={port}")]);
    peers
        .java_33_over_triple(&[format!("url=tri://127.0.0.1:{port}")])
        .assert_all(350);
}

#[test]
fn grpc_go_calls_grpc_go() {
    let Some(peers) = peers() else { return };
    let listen = format!("127.0.0.1:{}", free_port());
    let _server = peers.go_server("grpcserver", &[("LB_LISTEN", listen.clone())]);
    peers
        .go_suite("grpcclient", &[("LB_TARGET", listen)])
        .assert_all(36);
}

#[test]
fn istiod_pushes_what_the_api_server_holds() {
    let Some(peers) = peers() else { return };
    let mesh = Mesh::start(&peers);
    let report = mesh.check();
    assert_eq!(
        report.lines().filter(|line| line.starts_with("ok ")).count(),
        6,
        "{report}"
    );
}
