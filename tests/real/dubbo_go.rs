//! dubbo-go's own cases, through the translator.

use crate::gateway::{Gateway, Setup};
use crate::peers::{Peers, free_port, peers};
use crate::process::Process;
use crate::suite::Suite;

/// A provider of one kind (`dubbo`, `tri-pojo`, `tri-idl`) and its port.
fn provider(peers: &Peers, serve: &str) -> (Process, u16) {
    let port = free_port().to_string();
    let setting = match serve {
        "dubbo" => "LB_PORT",
        "tri-pojo" => "LB_TRI_POJO_PORT",
        _ => "LB_TRI_PORT",
    };
    let settings = [
        ("LB_SERVE", serve.to_owned()),
        (setting, port.clone()),
        ("LB_META_PORT", free_port().to_string()),
        ("LB_IP", "0.0.0.0".to_owned()),
    ];
    (peers.go_server("provider", &settings), port.parse().unwrap())
}

/// dubbo-go's wrapper mode ends a void or null result in an error of its client (`@in is nil`), and these cases expect
/// it; through the gateway the answer is one that the client can read.
const NULLS: &str = "cancel-void,nothing-null";

fn consumer(peers: &Peers, kind: &str, scheme: &str, port: u16, skip: &str) -> Suite {
    let settings = [
        ("LB_KIND", kind.to_owned()),
        ("LB_URL", format!("{scheme}://127.0.0.1:{port}")),
        ("LB_SKIP", skip.to_owned()),
    ];
    peers.go_suite("consumer", &settings)
}

#[test]
fn dubbo2_to_dubbo2() {
    let Some(peers) = peers() else { return };
    let (_provider, port) = provider(&peers, "dubbo");
    let gateway = Gateway::start(&peers, &Setup::translator("dubbo2", "dubbo2", port, free_port()));
    consumer(&peers, "dubbo", "dubbo", gateway.dubbo2, "").assert_all(85);
}

#[test]
fn wrapper_to_wrapper() {
    let Some(peers) = peers() else { return };
    let (_provider, port) = provider(&peers, "tri-pojo");
    let gateway = Gateway::start(
        &peers,
        &Setup::translator("wrapper", "wrapper", free_port(), port),
    );
    consumer(&peers, "tri-pojo", "tri", gateway.triple, NULLS).assert_all(83);
}

#[test]
fn dubbo2_to_wrapper() {
    let Some(peers) = peers() else { return };
    let (_provider, port) = provider(&peers, "tri-pojo");
    let gateway = Gateway::start(
        &peers,
        &Setup::translator("wrapper", "wrapper", free_port(), port),
    );
    // its Triple server has no $echo
    consumer(&peers, "dubbo", "dubbo", gateway.dubbo2, "echo").assert_all(84);
}

#[test]
fn wrapper_to_dubbo2() {
    let Some(peers) = peers() else { return };
    let (_provider, port) = provider(&peers, "dubbo");
    let gateway = Gateway::start(&peers, &Setup::translator("dubbo2", "dubbo2", port, free_port()));
    consumer(&peers, "tri-pojo", "tri", gateway.triple, NULLS).assert_all(83);
}

#[test]
fn protobuf_to_protobuf() {
    let Some(peers) = peers() else { return };
    let (_provider, port) = provider(&peers, "tri-idl");
    let gateway = Gateway::start(
        &peers,
        &Setup::translator("protobuf", "protobuf", free_port(), port).binding(),
    );
    // only unary calls cross; the binding has a group and a version that this provider was not given
    let skip = "server-stream,server-stream-broken,client-stream,bidi,inventory";
    consumer(&peers, "tri-idl", "tri", gateway.triple, skip).assert_all(18);
}
