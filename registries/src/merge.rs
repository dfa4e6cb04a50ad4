//! Pure: both views, bindings and stages to a Directory, one service at a time.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use codecs::ServiceKey;
use codecs::protobuf::binding::ServiceBinding;

use crate::directory::Mode;
use crate::sharded::Sharded;

pub mod stages;

pub use stages::{Setting, Stages, StagesError};

/// What the binding file says, by service.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    /// By service key.
    pub services: Sharded<ServiceKey, Bound>,
    /// Hosts that the mesh side declares for a service key (annotation, interface map).
    pub declared: Sharded<ServiceKey, Arc<str>>,
}

/// What the binding file says of one service.
#[derive(Debug, Clone, Default)]
pub struct Bound {
    /// Its methods' protobuf bindings; `None` when the file only pairs it with a host, or pins a mode.
    pub binding: Option<Arc<ServiceBinding>>,
    /// Other names by which a Triple or gRPC caller may ask: the protobuf service name.
    pub names: Vec<Arc<str>>,
    /// Its host in the mesh, if the file says.
    pub host: Option<Arc<str>>,
    /// Its port in the mesh, if the file says.
    pub port: Option<u16>,
    /// The mode of all its methods, if the file says.
    pub pinned: Option<Mode>,
}

/// How a directory is merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The suffix of derived host names (`spec/istio-xds.md` 2.7).
    pub host_suffix: Arc<str>,
    /// The port looked for first when a host has several.
    pub mesh_port: u16,
    /// The most time to connect to a legacy provider.
    pub connect_timeout: Duration,
    /// The most calls in flight to a service's legacy providers.
    pub max_requests: u32,
    /// Addresses of bridges known otherwise (our own, replicas' presence): what is found there is no native.
    pub bridges: BTreeSet<SocketAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host_suffix: "dubbo".into(),
            mesh_port: 50051,
            connect_timeout: Duration::from_secs(3),
            max_requests: u32::MAX,
            bridges: BTreeSet::new(),
        }
    }
}
