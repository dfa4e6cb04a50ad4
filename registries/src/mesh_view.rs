//! What the mesh says, before it is merged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::directory::{Balance, Outlier, SourceState};
use crate::route::VirtualHost;
use crate::sharded::Sharded;

/// The hosts of one mesh.
#[derive(Debug, Clone, Default)]
pub struct MeshView {
    /// By `host:port`.
    pub hosts: Sharded<Arc<str>, MeshHost>,
    /// How the control plane is doing.
    pub state: SourceState,
}

/// One `host:port` of the mesh.
#[derive(Debug, Clone)]
pub struct MeshHost {
    /// The host name.
    pub host: Arc<str>,
    /// The port.
    pub port: u16,
    /// The rules; `None` until RDS answered for it.
    pub routes: Option<Arc<VirtualHost>>,
    /// Its clusters, the plain one and the subsets, and those of other hosts that its rules name.
    pub clusters: Vec<Arc<MeshCluster>>,
}

/// One cluster with its endpoints.
#[derive(Debug, Clone, PartialEq)]
pub struct MeshCluster {
    /// `outbound|50051|v1|host`.
    pub name: Arc<str>,
    /// The subset; empty for the plain cluster.
    pub subset: Arc<str>,
    /// How one is picked.
    pub balance: Balance,
    /// The most time to connect.
    pub connect_timeout: Duration,
    /// The most calls in flight.
    pub max_requests: u32,
    /// When an endpoint is taken out.
    pub outlier: Option<Outlier>,
    /// The endpoints, as EDS gave them.
    pub endpoints: Vec<MeshEndpoint>,
}

/// One endpoint of EDS.
#[derive(Debug, Clone, PartialEq)]
pub struct MeshEndpoint {
    /// Its address.
    pub address: SocketAddr,
    /// Its weight, at least 1.
    pub weight: u32,
    /// Its priority; 0 first.
    pub priority: u32,
    /// The canonical service name of its workload string; `landbridge` marks a bridge.
    pub canonical: Arc<str>,
    /// The mesh expects mutual TLS.
    pub tls: bool,
    /// `region/zone/subzone` with the empty parts at the end left out; empty when unknown.
    pub locality: Arc<str>,
}

/// A host of the mesh and one of its ports: what RDS is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// The host name, lower case.
    pub host: Arc<str>,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// The pair; the host is folded to lower case, as istiod does.
    pub fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.to_ascii_lowercase().into(),
            port,
        }
    }
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}
