//! Protobuf: descriptors, bindings and compiled conversions to and from Hessian 2.
//!
//! A binding file and its descriptors are compiled once into a plan for each method and direction. A plan turns Hessian
//! bytes into protobuf bytes, and back, in one walk, without a message object or a tree between them.

pub mod binding;
pub mod compare;
pub mod draft;
pub mod error;
pub mod java;
pub(crate) mod plan;
pub mod schema;
#[cfg(test)]
mod tests;
pub mod transcode;
pub(crate) mod wire;
mod yaml;
pub(crate) mod zone;

pub use binding::{Bindings, ExceptionsMode, MethodBinding, NoMethod, NullResult, ServiceBinding};
pub use error::{LoadError, MappingError, Policy, Rule, Side};
pub use java::JavaType;
pub use schema::Schema;
pub use transcode::{Lossy, Scratch};
