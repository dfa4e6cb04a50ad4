//! Our records into the mesh, by one of three ways behind one trait.
//!
//! All three keep the same promises: nothing is written or answered before the first complete desired state; the same
//! content is written once; a removal in bulk is held for a time and shown; an object that Istio would refuse or break
//! on is left out with its reason, and the rest goes out.

pub mod file;
mod intake;
pub mod kubernetes;
pub mod mcp;
mod object;
pub mod validate;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::istiod::Owner;
use crate::publish::MeshRecords;

/// How we register in one mesh.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Config {
    /// The one namespace of our objects.
    pub namespace: String,
    /// The way.
    pub way: Way,
    /// When a removal is held.
    pub hold: HoldPolicy,
}

/// The way of registering.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Server-side apply at the Kubernetes API: the production default.
    Kubernetes(kubernetes::Config),
    /// The gateway is a config source of istiod.
    Mcp(mcp::Config),
    /// YAML files in a directory that istiod reads.
    File(file::Config),
}

/// A removal of more than `percent` of the services at once is held for `time`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct HoldPolicy {
    /// The share that may go at once; 100 switches holding off.
    pub percent: u8,
    /// How long the removal must stay wanted before it is done.
    pub time: Duration,
}

/// Where a registration stands. Errors are here and in the log; the registrar retries by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// The last desired state is in force: written, or answered and acknowledged by every istiod that is connected.
    pub in_force: bool,
    /// Objects that are as desired.
    pub published: usize,
    /// Objects left out, with the reason.
    pub quarantined: BTreeMap<String, String>,
    /// Objects that the last attempt could not write or delete, with the error.
    pub failed: BTreeMap<String, String>,
    /// Objects whose removal is held.
    pub held: usize,
    /// Why the whole registration stands still.
    pub error: Option<String>,
    /// Writes done (objects applied or deleted, responses sent) since the start.
    pub writes: u64,
    /// istiod streams that are open (MCP only).
    pub streams: usize,
}

/// A way of keeping our records in the mesh.
///
/// `desired` holds `None` until every source has synced once: until then nothing is written, deleted or answered. The
/// future ends only when the sender of `desired` is gone; dropping it stops at once, and withdraws nothing.
pub trait Registrar: Sized {
    /// Keeps what is desired in force and says in `report` how that goes.
    fn run(
        self,
        desired: watch::Receiver<Option<Arc<MeshRecords>>>,
        report: watch::Sender<Arc<Report>>,
    ) -> impl Future<Output = ()> + Send;
}

/// Why a registrar cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The kubeconfig, or the pod's own credentials, cannot be used.
    #[error("use the Kubernetes credentials of {from}")]
    Kubernetes {
        /// The file, or `the pod`.
        from: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The MCP port cannot be opened.
    #[error("listen for istiod's MCP streams at {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The directory cannot be made.
    #[error("make the directory {directory}")]
    Directory {
        /// The directory.
        directory: String,
        /// Why.
        source: std::io::Error,
    },
}

/// A registrar of any kind, ready to run; its port is open.
#[derive(Debug)]
pub enum AnyRegistrar {
    /// See [`kubernetes`].
    Kubernetes(kubernetes::Kubernetes),
    /// See [`mcp`].
    Mcp(mcp::McpServer),
    /// See [`mod@file`].
    File(file::Files),
}

impl AnyRegistrar {
    /// Makes what `config` says: reads credentials or opens the port, and writes nothing.
    pub async fn start(config: &Config, owner: &Owner) -> Result<Self, StartError> {
        Ok(match &config.way {
            Way::Kubernetes(way) => Self::Kubernetes(
                kubernetes::Kubernetes::start(way, &config.namespace, config.hold, owner).await?,
            ),
            Way::Mcp(way) => Self::Mcp(mcp::McpServer::bind(way, &config.namespace, config.hold).await?),
            Way::File(way) => Self::File(file::Files::start(way, &config.namespace, config.hold)?),
        })
    }
}

impl Registrar for AnyRegistrar {
    async fn run(
        self,
        desired: watch::Receiver<Option<Arc<MeshRecords>>>,
        report: watch::Sender<Arc<Report>>,
    ) {
        match self {
            Self::Kubernetes(way) => way.run(desired, report).await,
            Self::Mcp(way) => way.run(desired, report).await,
            Self::File(way) => way.run(desired, report).await,
        }
    }
}
