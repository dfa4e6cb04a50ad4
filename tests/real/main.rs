//! Tests on real peers: Java Dubbo, dubbo-go, grpc-go, ZooKeeper, istiod, each a process of its own.
//!
//! `tests/run real` installs them and names their folder in `LANDBRIDGE_PEERS`; without it every test says that it is
//! skipped, which in CI is a failure. README.md lists the cases that are left out, each with its reason.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    dead_code,
    reason = "test code: a broken assumption ends the test"
)]

mod bad_input;
mod baseline;
#[path = "../behaviour/istiod.rs"]
mod behaviour;
mod calls;
mod check_true;
mod dubbo_go;
mod faults;
mod gateway;
mod istiod;
mod ledger;
mod mesh;
mod pass_through;
mod peers;
mod plans;
mod process;
mod protobuf;
mod routing;
mod schema;
mod shop;
mod suite;
mod tap;
mod wrapper;
mod zookeeper;
