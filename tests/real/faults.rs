//! Registries, providers and the gateway itself go away and come back, under a steady 200 calls a second.

use crate::calls::{Calls, failures, tally};
use crate::gateway::{Gateway, Setup};
use crate::mesh::Mesh;
use crate::peers::{Peers, free_port, own_address, peers};
use crate::process::{Process, START, eventually};
use crate::shop;
use crate::tap::Tap;
use crate::zookeeper::ZooKeeper;

const HOST: &str = "org.landbridge.peers.api.orderservice.dubbo";

/// 200 calls a second until the test ends, without retries: each failure is seen.
fn steady(peers: &Peers, registry: String) -> Calls {
    let calls = Calls::start(
        peers,
        27,
        "whoami",
        100_000,
        5,
        &[registry, "timeout=10000".to_owned()],
    );
    calls.wait(50);
    calls
}

fn server(peers: &Peers, name: &str) -> (Process, u16) {
    let port = free_port();
    let settings = [
        ("LB_LISTEN", format!("0.0.0.0:{port}")),
        ("LB_NAME", name.to_owned()),
    ];
    (peers.go_server("grpcserver", &settings), port)
}

fn providers(zk: &ZooKeeper) -> usize {
    zk.urls(shop::ORDERS, "providers").len()
}

#[test]
fn calls_go_on_while_a_provider_dies() {
    let Some(peers) = peers() else { return };
    let zk = ZooKeeper::start(&peers);
    let ((mut one, first), (_two, second)) = (server(&peers, "one"), server(&peers, "two"));
    let setup = Setup::edge()
        .zookeeper(&zk)
        .binding()
        .services(shop::ORDERS, &[first, second]);
    let gateway = Gateway::start(&peers, &setup);
    gateway.wait_published(&zk, shop::ORDERS);
    let calls = steady(&peers, zk.setting());
    let before = tally(&calls.more(200));
    assert_eq!(before.len(), 2, "both are called: {before:?}");
    one.kill();
    let after = calls.more(600);
    let failed = failures(&after);
    // what was in flight, and the tries that find out
    assert!(failed.len() <= 10, "{} of 600 failed: {failed:?}", failed.len());
    let last = tally(&after[400..]);
    assert_eq!(
        last.get("two"),
        Some(&200),
        "the rest go to the living one: {last:?}"
    );
}

#[test]
fn calls_go_on_while_zookeeper_is_away_and_registrations_are_as_before_afterwards() {
    let Some(peers) = peers() else { return };
    let zk = ZooKeeper::start(&peers);
    let (_server, port) = server(&peers, "one");
    // the gateway's sessions go through a relay that can be cut; the consumer has its own way
    let relay = Tap::start(zk.port);
    let setup = Setup::edge()
        .zookeeper_at(relay.port)
        .binding()
        .services(shop::ORDERS, &[port]);
    let gateway = Gateway::start(&peers, &setup);
    gateway.wait_published(&zk, shop::ORDERS);
    let calls = steady(&peers, gateway.dubbo_url());

    // the sessions expire: the server forgets our nodes, and nobody tells us
    relay.cut();
    zk.wait_urls(shop::ORDERS, "providers", <[String]>::is_empty);
    let during = calls.more(200);
    assert!(failures(&during).is_empty(), "{:?}", failures(&during));
    relay.heal();
    zk.wait_urls(shop::ORDERS, "providers", |urls| urls.len() == 1);
    let after = calls.more(200);
    assert!(failures(&after).is_empty(), "{:?}", failures(&after));
    assert_eq!(providers(&zk), 1, "one registration, no ghost");
}

#[test]
fn calls_go_on_while_zookeeper_restarts() {
    let Some(peers) = peers() else { return };
    let mut zk = ZooKeeper::start(&peers);
    let (_server, port) = server(&peers, "one");
    let setup = Setup::edge()
        .zookeeper(&zk)
        .binding()
        .services(shop::ORDERS, &[port]);
    let gateway = Gateway::start(&peers, &setup);
    gateway.wait_published(&zk, shop::ORDERS);
    let calls = steady(&peers, gateway.dubbo_url());
    zk.down();
    let during = calls.more(400);
    assert!(failures(&during).is_empty(), "{:?}", failures(&during));
    zk.up();
    zk.wait_urls(shop::ORDERS, "providers", |urls| urls.len() == 1);
    let after = calls.more(200);
    assert!(failures(&after).is_empty(), "{:?}", failures(&after));
}

#[test]
fn calls_go_on_while_istiod_restarts_and_no_service_is_lost() {
    let Some(peers) = peers() else { return };
    let (zk, mesh) = (ZooKeeper::start(&peers), Mesh::start(&peers));
    let (_server, port) = server(&peers, "one");
    mesh.apply(&shop::entry(HOST, &[(own_address(), port, "v1")]));
    let gateway = Gateway::start(&peers, &Setup::edge().zookeeper(&zk).istiod(&mesh).binding());
    gateway.wait_published(&zk, shop::ORDERS);
    let calls = steady(&peers, zk.setting());
    mesh.istiod("kill");
    let during = calls.more(300);
    assert!(failures(&during).is_empty(), "{:?}", failures(&during));
    mesh.istiod("start");
    let after = calls.more(600);
    assert!(failures(&after).is_empty(), "{:?}", failures(&after));
    assert_eq!(providers(&zk), 1);
    // the stream is alive again: what changes now arrives
    let (_second, other) = server(&peers, "two");
    mesh.apply(&shop::entry(HOST, &[(own_address(), other, "v1")]));
    eventually("calls reach the new provider", START, || {
        tally(&calls.more(20)).contains_key("two").then_some(())
    });
}

#[test]
fn a_killed_gateway_leaves_no_ghost_and_comes_back() {
    let Some(peers) = peers() else { return };
    let zk = ZooKeeper::start(&peers);
    let (_server, port) = server(&peers, "one");
    let setup = Setup::edge()
        .zookeeper(&zk)
        .binding()
        .services(shop::ORDERS, &[port]);
    let mut gateway = Gateway::start(&peers, &setup);
    gateway.wait_published(&zk, shop::ORDERS);
    let calls = steady(&peers, zk.setting());
    gateway.process.kill();
    eventually("calls fail", START, || {
        calls
            .more(10)
            .iter()
            .any(|outcome| outcome.result.is_err())
            .then_some(())
    });
    gateway.again();
    eventually("calls succeed again", START, || {
        calls
            .more(20)
            .iter()
            .all(|outcome| outcome.result.is_ok())
            .then_some(())
    });
    let failed = calls.outcomes();
    assert!(
        failures(&failed).iter().all(|thrown| !thrown.message.is_empty()),
        "every failed call has a reason"
    );
    // the node of the killed one expires; the one of its successor stays
    zk.wait_urls(shop::ORDERS, "providers", |urls| urls.len() == 1);
    let after = calls.more(400);
    assert!(failures(&after).is_empty(), "{:?}", failures(&after));
    // a successor that takes a node over has two of them for a moment
    zk.wait_urls(shop::ORDERS, "providers", |urls| urls.len() == 1);
}
