//! The Directory: an immutable snapshot of services, clusters, endpoints and routes, merged from both registries.
//!
//! Data and look-ups only. `merge` builds it, `bridge::route` and `bridge::balance` read it. A call takes what it needs
//! as `Arc`s and never holds the whole Directory across an await.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use codecs::ServiceKey;
use codecs::provider_url::ProviderUrl;

mod cluster;
mod hash;

pub use cluster::{
    Balance, Cluster, ClusterState, Endpoint, EndpointState, Level, Outlier, Peer, Protocol, Ring, Secret,
    Warmup,
};
pub use hash::xxh64;

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
    /// What takes the calls that no service of `services` takes: a translator's upstreams.
    pub catch_all: CatchAll,
    /// How the legacy registry is doing.
    pub legacy: SourceState,
    /// How the mesh is doing.
    pub mesh: SourceState,
}

/// What takes the calls for services that the Directory does not know, by the island of the caller.
///
/// Filled by a file source alone: a translator in front of one upstream needs no list of services.
#[derive(Debug, Clone, Default)]
pub struct CatchAll {
    /// For calls that arrive by Dubbo2.
    pub legacy: Option<Arc<CatchAllSide>>,
    /// For calls that arrive by Triple or gRPC.
    pub mesh: Option<Arc<CatchAllSide>>,
}

/// Where the calls of one island go when no service is known for them.
#[derive(Debug, Clone)]
pub struct CatchAllSide {
    /// For services without a binding. Its key is a placeholder (`*`): the call's own key counts.
    pub template: Arc<Service>,
    /// The same with the binding of a service, by every name a caller may use: `(name, service)`, sorted by name.
    pub bound: Vec<(Arc<str>, Arc<Service>)>,
}

impl CatchAllSide {
    /// The service that takes a call for `name` (a Java interface or protobuf service), of this group and version.
    pub fn service(&self, name: &str, group: &str, version: &str) -> &Arc<Service> {
        let first = self.bound.partition_point(|(bound, _)| &**bound < name);
        self.bound
            .iter()
            .skip(first)
            .take_while(|(bound, _)| &**bound == name)
            .map(|(_, service)| service)
            .find(|service| {
                (group.is_empty() || service.key.group() == group)
                    && folded(service.key.version()) == folded(version)
            })
            .or_else(|| {
                self.bound
                    .get(first)
                    .filter(|(bound, _)| &**bound == name)
                    .map(|(_, s)| s)
            })
            .unwrap_or(&self.template)
    }
}

/// One of the two islands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Island {
    /// Dubbo2 and ZooKeeper.
    Legacy,
    /// Triple or gRPC and Istio.
    Mesh,
}

impl Island {
    /// The opposite one.
    pub fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Mesh,
            Self::Mesh => Self::Legacy,
        }
    }

    /// `legacy` or `mesh`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Mesh => "mesh",
        }
    }
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
    /// In stage `bridge`: the bridge announces itself beside natives, too.
    pub standby: bool,
    /// Its natives in the legacy island.
    pub legacy: Option<LegacySide>,
    /// Its natives in the mesh.
    pub mesh: Option<MeshSide>,
    /// The host name under which it is announced in the mesh (`istiod::names`): distinct among all known services.
    pub derived_host: Arc<str>,
    /// Its methods' protobuf bindings, if it has any.
    pub binding: Option<Arc<codecs::protobuf::binding::ServiceBinding>>,
    /// The Java methods that the binding file names.
    pub methods: Vec<Arc<str>>,
    /// A mode pinned by the binding file for all methods.
    pub pinned: Option<Mode>,
    /// What an operator should know: conflicts and refusals met while merging, in words.
    pub notes: Vec<String>,
}

/// How far a service's migration is. The stages from `shadow` on come later.
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
    /// The providers that may be called: enabled, of a weight above 0, spoken by us.
    pub cluster: Arc<Cluster>,
    /// The URLs of all natives, the disabled ones included, sorted; bridges' own are not among them.
    pub providers: Vec<Arc<ProviderUrl>>,
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
    /// The clusters that the rules name, and those that exist for the host, sorted by name. A cluster that the rules
    /// name and the mesh does not know is not among them.
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
    /// The host name derived from the key (`istiod::names`).
    DerivedName,
}

impl Service {
    /// A service that nothing is known of yet.
    pub fn new(key: ServiceKey) -> Self {
        Self {
            key,
            stage: Stage::Observe,
            standby: false,
            legacy: None,
            mesh: None,
            derived_host: "".into(),
            binding: None,
            methods: Vec::new(),
            pinned: None,
            notes: Vec::new(),
        }
    }

    /// Whether any island has something of it.
    pub fn is_somewhere(&self) -> bool {
        self.legacy.is_some() || self.mesh.is_some()
    }

    /// Whether an island has a native endpoint that may be called, ejected ones included.
    pub fn has_native(&self, island: Island) -> bool {
        match island {
            Island::Legacy => self
                .legacy
                .as_ref()
                .is_some_and(|side| !side.cluster.endpoints.is_empty()),
            Island::Mesh => self.mesh.as_ref().is_some_and(MeshSide::has_endpoint),
        }
    }
}

impl LegacySide {
    /// The timeout that the providers' URLs give a method; `None` when they give none.
    pub fn timeout(&self, method: &str) -> Option<Duration> {
        let of = |name: &str| {
            self.timeouts
                .iter()
                .find(|(of, _)| &**of == name)
                .map(|(_, timeout)| *timeout)
        };
        of(method).or_else(|| of(""))
    }
}

impl MeshSide {
    /// The cluster of a name; `None` when the mesh does not know it.
    pub fn cluster(&self, name: &str) -> Option<&Arc<Cluster>> {
        // A host has a handful of them.
        self.clusters.iter().find(|cluster| &*cluster.name == name)
    }

    /// Whether any of its clusters has an endpoint.
    pub fn has_endpoint(&self) -> bool {
        self.clusters.iter().any(|cluster| !cluster.endpoints.is_empty())
    }
}

impl Directory {
    /// The service of a key; a default version folds into none (`ServiceKey::matches`). One that is somewhere goes before
    /// one that only a file names.
    pub fn service(&self, key: &ServiceKey) -> Option<&Arc<Service>> {
        let exact = self.services.get(key);
        if exact.is_some_and(|service| service.is_somewhere()) {
            return exact;
        }
        let folded = key.folded().and_then(|folded| self.services.get(&folded));
        folded
            .filter(|service| exact.is_none() || service.is_somewhere())
            .or(exact)
    }

    /// The service that a call asks for: by its key, else by name (a protobuf service name, or a Java interface with a
    /// single group and version when the caller gave none), else what takes all calls of the caller's island.
    pub fn find(&self, caller: Island, key: &ServiceKey) -> Option<&Arc<Service>> {
        let known = self.service(key).or_else(|| self.find_named(key));
        let catch_all = match caller {
            Island::Legacy => self.catch_all.legacy.as_ref(),
            Island::Mesh => self.catch_all.mesh.as_ref(),
        };
        // A service that only the binding file knows is nowhere: its binding is in the catch-all's list, too.
        match (known, catch_all) {
            (Some(service), Some(side)) if !service.is_somewhere() => {
                Some(side.service(key.interface(), key.group(), key.version()))
            }
            (None, Some(side)) => Some(side.service(key.interface(), key.group(), key.version())),
            (known, _) => known,
        }
    }

    /// By name: the key of equal group and version; else, when the caller named neither, the only one there is.
    fn find_named(&self, key: &ServiceKey) -> Option<&Arc<Service>> {
        let keys = self.names.get(key.interface())?;
        let exact = keys
            .iter()
            .find(|of| of.group() == key.group() && folded(of.version()) == folded(key.version()));
        let only = || match keys.as_slice() {
            [only] if key.group().is_empty() && folded(key.version()).is_empty() => Some(only),
            _ => None,
        };
        self.service(exact.or_else(only)?)
    }

    /// The state of an island's source.
    pub fn source(&self, island: Island) -> &SourceState {
        match island {
            Island::Legacy => &self.legacy,
            Island::Mesh => &self.mesh,
        }
    }
}

fn folded(version: &str) -> &str {
    if version == "0.0.0" { "" } else { version }
}
