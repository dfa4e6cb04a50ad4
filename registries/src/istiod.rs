//! istiod: ADS, and the ways of registering in the mesh.
//!
//! | module | what |
//! | --- | --- |
//! | [`ads`] | the delta ADS client: what istiod says, as [`crate::mesh_view::MeshView`] |
//! | [`resource`] | one xDS resource to our types, parsed once at the border |
//! | [`names`] | the host name of a Dubbo service in the mesh |
//! | [`records`] | one service or replica to the object that announces it |
//! | [`publish`] | our records into the mesh: Kubernetes API, MCP over xDS, files |
//! | [`config`] | the `mesh` section of the configuration |
//!
//! The protobuf types of xDS stay in here.

pub mod ads;
pub mod config;
pub mod names;
pub mod publish;
pub mod records;
pub mod resource;
mod wire;

pub use ads::AdsClient;
pub use config::{Config, ConfigError, Node, Raw as RawConfig};
pub use records::Owner;

/// Why talking to istiod failed. Logged where it happens and retried; never part of a call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be dialled at all.
    #[error("connect to istiod at {address}")]
    Connect {
        /// Host and port.
        address: String,
        /// Why.
        source: tonic::transport::Error,
    },
    /// The connection took longer than allowed.
    #[error("connect to istiod at {address}: no answer in {seconds} s")]
    ConnectTimeout {
        /// Host and port.
        address: String,
        /// The limit.
        seconds: u64,
    },
    /// The stream ended with a status.
    #[error("ADS stream: {code:?}: {message}")]
    Stream {
        /// The gRPC code.
        code: tonic::Code,
        /// istiod's text.
        message: String,
    },
    /// The stream ended without one (istiod restarts, or its connections grew old).
    #[error("ADS stream: closed by istiod")]
    Closed,
    /// What came is no xDS message.
    #[error("decode an ADS response")]
    Decode(#[source] prost013::DecodeError),
}
