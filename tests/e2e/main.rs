//! The real gateway, or a part of it, in-process between simulated peers on loopback sockets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code: a broken assumption ends the test"
)]

mod bad_input;
#[path = "../behaviour/istiod.rs"]
mod behaviour;
mod crossing;
mod discovery;
mod drain;
mod faults;
mod gateway;
mod istiod;
mod reload;
mod routing;
mod tidy;
