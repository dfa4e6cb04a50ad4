//! The Directory: an immutable snapshot of services, clusters, endpoints and routes, merged from both registries.
//!
//! Data and look-ups only. `merge` builds it, `bridge::route` and `bridge::balance` read it. A call takes what it needs
//! as `Arc`s and never holds the whole Directory across an await.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::{Duration, SystemTime};

use codecs::ServiceKey;

use crate::route::VirtualHost;
use crate::sharded::Sharded;

/// What is out there, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// Grows with every snapshot; per-worker caches are dropped when it moves.
    pub generation: u64,
    /// Every service known on either side, by its Dubbo key.
    pub services: Sharded<ServiceKey, Service>,
    /// Names under which a Triple or gRPC caller may ask (`/NAME/method`): Java interface and protobuf service names, to
    /// the keys that bear them (several groups and versions of one interface share a name).
    pub names: Sharded<Arc<str>, Vec<ServiceKey>>,
    /// How the legacy registry is doing.
    pub legacy: SourceState,
    /// How the mesh is doing.
    pub mesh: SourceState,
}

/// How a source of facts is doing.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct SourceState {
    /// It is configured at all.
    pub configured: bool,
    /// It was complete at least once.
    pub synced: bool,
    /// It is connected now; when not, the view is the last one, aged.
    pub connected: bool,
    /// When its view was last known to be current.
    pub as_of: Option<SystemTime>,
    /// Why it is not connected, in words.
    pub error: Option<String>,
}

/// One service, as both sides know it.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its Dubbo key.
    pub key: ServiceKey,
    /// How far its migration is.
    pub stage: Stage,
    /// Its natives in the legacy island.
    pub legacy: Option<LegacySide>,
    /// Its natives in the mesh.
    pub mesh: Option<MeshSide>,
    /// Its methods' protobuf bindings, if it has any.
    pub binding: Option<Arc<codecs::protobuf::binding::ServiceBinding>>,
    /// A mode pinned by the binding file for all methods.
    pub pinned: Option<Mode>,
    /// What an operator should know: conflicts and refusals met while merging, in words.
    pub notes: Vec<String>,
}

/// How far a service's migration is (design section 7). The stages from `shadow` on come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Nothing is announced; a call that arrives all the same is treated as in `bridge`.
    #[default]
    Observe,
    /// Calls go to the caller's own island, or to the other when that has no usable endpoint. The bridge announces
    /// itself where no native exists.
    Bridge,
}

/// How a method's payload crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The payload's bytes are the same on both sides.
    PassThrough,
    /// Triple's wrapper messages around Hessian 2.
    Wrapper,
    /// Protobuf, by the binding's plan.
    Protobuf,
}

/// The legacy natives of a service.
#[derive(Debug, Clone)]
pub struct LegacySide {
    /// The providers.
    pub cluster: Arc<Cluster>,
    /// The timeout of the providers' URLs, by method; the empty name is the default of the others.
    pub timeouts: Vec<(Arc<str>, Duration)>,
}

/// The mesh natives of a service.
#[derive(Debug, Clone)]
pub struct MeshSide {
    /// The host name in the mesh.
    pub host: Arc<str>,
    /// The service port.
    pub port: u16,
    /// The routing rules of `host:port`.
    pub routes: Arc<VirtualHost>,
    /// The clusters that the rules name, and those that exist for the host.
    pub clusters: Vec<Arc<Cluster>>,
    /// Where the pairing of key and host comes from.
    pub paired_by: PairedBy,
}

/// Where the pairing of a service key and a mesh host comes from, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairedBy {
    /// The binding file.
    Binding,
    /// What the mesh side declares.
    Declared,
    /// The host name derived from the key (`spec/istio-xds.md` 2.7).
    DerivedName,
}

/// A set of equal endpoints with its policy: a cluster or subset of the mesh, or the legacy providers of a service.
#[derive(Debug)]
pub struct Cluster {
    /// `outbound|50051|v1|host`, or `legacy|group/interface:version`.
    pub name: Arc<str>,
    /// The endpoints, those of ours and of other bridges taken out.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// How one is picked.
    pub balance: Balance,
    /// The most time to connect.
    pub connect_timeout: Duration,
    /// The most calls in flight in the cluster, all workers together.
    pub max_requests: u32,
    /// When an endpoint is taken out for a time; `None` for never.
    pub outlier: Option<Outlier>,
    /// Calls in flight and the like; outlives snapshots.
    pub state: Arc<ClusterState>,
}

/// Counters of a cluster that outlive snapshots and are shared by the workers.
#[derive(Debug, Default)]
pub struct ClusterState {
    /// Calls in flight.
    pub in_flight: AtomicU32,
}

/// How an endpoint is picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// The fewer calls in flight of two random ones; weights bend it.
    #[default]
    LeastRequest,
    /// In turn, by weight.
    RoundRobin,
    /// At random, by weight.
    Random,
    /// By the hash of what the route says.
    RingHash,
}

/// When an endpoint is taken out for a time (`spec/istio-xds.md` 4.7).
#[derive(Debug, Clone, PartialEq)]
pub struct Outlier {
    /// Failures in a row.
    pub consecutive: u32,
    /// The first ejection's length; the n-th is n times as long.
    pub base: Duration,
    /// The most of the endpoints that may be out, in percent.
    pub max_percent: u32,
}

/// One address that serves a service.
#[derive(Debug)]
pub struct Endpoint {
    /// Its address.
    pub address: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
    /// Its weight, at least 1.
    pub weight: u32,
    /// Its priority; 0 is tried first.
    pub priority: u32,
    /// What is known of the peer behind it.
    pub peer: Peer,
    /// Counters and ejection; outlives snapshots, shared by all clusters that hold the address.
    pub state: Arc<EndpointState>,
}

/// What an endpoint speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Dubbo2 with the serialization of this id (2: Hessian 2).
    Dubbo2 {
        /// The serialization id of requests.
        serialization: u8,
    },
    /// Triple or gRPC over HTTP/2.
    Triple {
        /// Whether its payloads are wrapped Hessian 2 or protobuf; `None` when the registry does not say.
        mode: Option<Mode>,
    },
}

/// What the registry tells of the peer behind an endpoint (`spec/triple.md` 12).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// The `release` of its URL: `2.7.23`, `3.3.6`, `dubbo-golang-3.3.2`; empty when unknown.
    pub release: Arc<str>,
    /// The application; empty when unknown.
    pub application: Arc<str>,
}

/// Counters of an endpoint that outlive snapshots and are shared by the workers.
#[derive(Debug, Default)]
pub struct EndpointState {
    /// Calls in flight.
    pub in_flight: AtomicU32,
    /// Failures in a row.
    pub failures: AtomicU32,
    /// Out until this many milliseconds after the process started; 0 for in.
    pub ejected_until: AtomicU64,
    /// How often it was taken out.
    pub ejections: AtomicU32,
}

impl Directory {
    /// The service of a key; a default version folds into none (`ServiceKey::matches`).
    pub fn service(&self, key: &ServiceKey) -> Option<&Arc<Service>> {
        self.services.get(key).or_else(|| {
            let folded = match key.version() {
                "0.0.0" => ServiceKey::new(key.interface(), key.group(), ""),
                "" => ServiceKey::new(key.interface(), key.group(), "0.0.0"),
                _ => return None,
            };
            self.services.get(&folded)
        })
    }
}
