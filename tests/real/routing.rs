//! Routes of the mesh apply to legacy calls.

use std::net::IpAddr;

use crate::calls::{Calls, tally};
use crate::gateway::{Gateway, Setup};
use crate::mesh::Mesh;
use crate::peers::{Peers, free_port, own_address, peers};
use crate::process::Process;
use crate::shop;
use crate::zookeeper::ZooKeeper;

const HOST: &str = "org.landbridge.peers.api.orderservice.dubbo";

fn named_server(peers: &Peers, name: &str) -> (Process, u16) {
    let port = free_port();
    let settings = [
        ("LB_LISTEN", format!("0.0.0.0:{port}")),
        ("LB_NAME", name.to_owned()),
    ];
    (peers.go_server("grpcserver", &settings), port)
}

/// Two subsets, a canary by header, and 80/20 for the rest.
fn routes(own: IpAddr, one: u16, two: u16) -> String {
    format!(
        "{}---\n\
         apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: shop, namespace: dubbo}}\nspec:\n  \
           host: {HOST}\n  subsets:\n  - {{name: v1, labels: {{version: v1}}}}\n  - {{name: v2, labels: {{version: v2}}}}\n\
         ---\n\
         apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: shop, namespace: dubbo}}\nspec:\n  \
           hosts: [{HOST}]\n  http:\n  \
           - match: [{{headers: {{x-env: {{exact: gray}}}}}}]\n    route: [{{destination: {{host: {HOST}, subset: v2, port: {{number: 50051}}}}}}]\n  \
           - route:\n    \
             - {{destination: {{host: {HOST}, subset: v1, port: {{number: 50051}}}}, weight: 80}}\n    \
             - {{destination: {{host: {HOST}, subset: v2, port: {{number: 50051}}}}, weight: 20}}\n",
        shop::entry(HOST, &[(own, one, "v1"), (own, two, "v2")])
    )
}

#[test]
fn legacy_calls_follow_weights_and_headers_of_a_virtual_service() {
    let Some(peers) = peers() else { return };
    let (zk, mesh) = (ZooKeeper::start(&peers), Mesh::start(&peers));
    let (_one, first) = named_server(&peers, "v1");
    let (_two, second) = named_server(&peers, "v2");
    mesh.apply(&routes(own_address(), first, second));
    let gateway = Gateway::start(&peers, &Setup::edge().zookeeper(&zk).istiod(&mesh).binding());
    gateway.wait_published(&zk, shop::ORDERS);

    let found = tally(&Calls::run(&peers, 27, "whoami", 2000, 1, &[zk.setting()]));
    let of = |name: &str| found.get(name).copied().unwrap_or_default();
    assert_eq!(of("v1") + of("v2"), 2000, "{found:?}");
    assert!(
        (1500..=1700).contains(&of("v1")),
        "80 % within 5 points of 2,000 calls: {found:?}"
    );

    let canary = tally(&Calls::run(
        &peers,
        27,
        "whoami",
        100,
        1,
        &[zk.setting(), "attach=x-env=gray".to_owned()],
    ));
    assert_eq!(canary.get("v2"), Some(&100), "{canary:?}");
}
