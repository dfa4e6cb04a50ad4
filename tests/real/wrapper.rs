//! Dubbo2 and Triple in wrapper mode: arguments stay Hessian, nothing needs a binding.

use crate::gateway::{Gateway, Setup};
use crate::mesh::Mesh;
use crate::peers::{free_port, own_address, peers};
use crate::shop;
use crate::zookeeper::ZooKeeper;

/// What a Dubbo2 caller cannot get from a Triple provider; README.md says why for each.
const NOT_BY_TRIPLE: &str = "skip=wrong-version";
/// What a Triple caller cannot get from a Dubbo2 provider.
const NOT_BY_DUBBO2: &str = "skip=wrong-version";

#[test]
fn java_27_reaches_java_33_triple_through_the_translator() {
    let Some(peers) = peers() else { return };
    let port = free_port();
    let _provider = peers.java_provider(33, &["protocol=tri".to_owned(), format!("port={port}")]);
    let gateway = Gateway::start(
        &peers,
        &Setup::translator("wrapper", "wrapper", free_port(), port),
    );
    peers
        .java_suite(27, &[gateway.dubbo_url(), NOT_BY_TRIPLE.to_owned()])
        .assert_all(350);
}

#[test]
fn java_33_triple_reaches_java_27_through_the_translator() {
    let Some(peers) = peers() else { return };
    let port = free_port();
    let _provider = peers.java_provider(27, &[format!("port={port}")]);
    let gateway = Gateway::start(&peers, &Setup::translator("dubbo2", "dubbo2", port, free_port()));
    let settings = [gateway.tri_url(), NOT_BY_DUBBO2.to_owned()];
    peers.java_33_over_triple(&settings).assert_all(350);
}

#[test]
fn java_27_finds_us_in_zookeeper_and_reaches_java_33_triple_found_at_istiod() {
    let Some(peers) = peers() else { return };
    let (zk, mesh) = (ZooKeeper::start(&peers), Mesh::start(&peers));
    let port = free_port();
    let _provider = peers.java_provider(33, &["protocol=tri".to_owned(), format!("port={port}")]);
    mesh.apply(&shop::wrapper_entries(own_address(), port));
    let gateway = Gateway::start(
        &peers,
        &Setup::edge().naming(&shop::SERVICES).zookeeper(&zk).istiod(&mesh),
    );
    // the suite calls all of them
    for (interface, count) in shop::INTERFACES {
        gateway.wait_published_times(&zk, interface, count);
    }
    peers
        .java_suite(27, &[zk.setting(), NOT_BY_TRIPLE.to_owned()])
        .assert_all(350);
}

#[test]
fn java_33_triple_reaches_java_27_found_in_zookeeper() {
    let Some(peers) = peers() else { return };
    let zk = ZooKeeper::start(&peers);
    let _provider = peers.java_provider(27, &[format!("port={}", free_port()), zk.setting()]);
    let gateway = Gateway::start(&peers, &Setup::edge().zookeeper(&zk));
    let settings = [gateway.tri_url(), NOT_BY_DUBBO2.to_owned()];
    peers.java_33_over_triple(&settings).assert_all(350);
}
