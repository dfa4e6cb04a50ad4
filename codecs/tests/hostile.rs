//! Inputs made to hurt, at every door that bytes of a peer come in by: each is refused within counted steps and a
//! mebibyte, or, where nothing is wrong with it, handled within memory and steps in proportion to its length.
//!
//! Steps are counted by the limits themselves: with [`STEPS`] values allowed, an input is refused for what is wrong with
//! it, not for having taken too many.
#![allow(unsafe_code, reason = "a counting allocator is unsafe by its trait")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "counting/allocator.rs"]
mod counting;
#[path = "hostile/doors.rs"]
mod doors;
#[path = "hostile/hessian.rs"]
mod hessian;
#[path = "hostile/protobuf.rs"]
mod protobuf;
#[path = "hostile/text.rs"]
mod text;

use codecs::hessian2::Limits;

/// Values that a refusal may take.
const STEPS: u32 = 2000;

/// The default limits, with few steps.
const FEW: Limits = Limits {
    nodes: STEPS,
    ..Limits::DEFAULT
};

const MEBIBYTE: usize = 1 << 20;

/// Whether a refusal came from the steps running out.
fn is_of_steps(error: &str) -> bool {
    error.contains("the values") || error.contains("too many values")
}
