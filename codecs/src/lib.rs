//! Bytes and text to types, and back: Dubbo2 frames, Hessian2, Triple, protobuf and provider URLs.
//!
//! No I/O, no async, no clock and no logging: every function takes bytes and gives a type or a typed error that says
//! whether the *message* is bad (answer it, keep the connection) or the *framing* (close the connection).
//!
//! | module | what |
//! | --- | --- |
//! | [`service_key`] | interface, group and version: the name of a service on either side |
//! | [`invocation`] | [`Invocation`] and [`Reply`]: one call and its answer, free of any connection |
//! | [`attachments`] | the key-values that travel with a call, read lazily from either wire |
//! | [`payload`] | arguments or a result as bytes with their encoding |
//! | [`plan`] | how one method's payload in one encoding becomes another |
//! | [`dubbo2`] | frames, requests, responses, events |
//! | [`hessian2`] | the Hessian 2 reader, writer and skimmer |
//! | [`triple`] | gRPC framing, headers, status, the wrapper messages |
//! | [`protobuf`] | descriptors, bindings, compiled conversions |
//! | [`provider_url`] | `dubbo://…` as stored in a znode |
//! | [`value`] | a self-describing tree for tools, never on the call path |
#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

pub mod attachments;
pub mod dubbo2;
pub mod hessian2;
pub mod invocation;
pub mod payload;
pub mod plan;
pub mod protobuf;
pub mod provider_url;
pub mod service_key;
pub mod triple;
pub mod value;

pub use attachments::Attachments;
pub use invocation::{Exception, Invocation, Outcome, Reply};
pub use payload::{Encoding, Payload};
pub use plan::Plan;
pub use service_key::ServiceKey;
