//! Clusters and endpoints: who can be called, and the counters that outlive snapshots.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use super::Mode;
use super::hash::xxh64;

/// A set of equal endpoints with its policy: a cluster or subset of the mesh, or the legacy providers of a service.
#[derive(Debug)]
pub struct Cluster {
    /// `outbound|50051|v1|host`, or `legacy|group/interface:version`.
    pub name: Arc<str>,
    /// The endpoints, those of ours and of other bridges taken out, sorted by priority.
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
    levels: Vec<Level>,
}

/// The endpoints of one priority, prepared for picking by weight.
#[derive(Debug)]
pub struct Level {
    /// Their range in [`Cluster::endpoints`].
    pub range: std::ops::Range<usize>,
    /// Sums of the weights up to and with each endpoint.
    pub sums: Vec<u64>,
    /// All weights are equal.
    pub equal: bool,
    /// An endpoint of it is still warming up.
    pub warming: bool,
    /// The hash ring; only where the cluster balances by hash.
    pub ring: Option<Ring>,
}

/// A hash ring: points of the circle and the endpoint at each (index in its level).
#[derive(Debug)]
pub struct Ring {
    points: Vec<(u64, u32)>,
}

impl Cluster {
    /// A cluster with the defaults of the mesh: least request, ten seconds to connect, no cap, no ejection.
    pub fn new(name: impl Into<Arc<str>>, mut endpoints: Vec<Arc<Endpoint>>) -> Self {
        endpoints.sort_by_key(|endpoint| endpoint.priority);
        let mut cluster = Self {
            name: name.into(),
            endpoints,
            balance: Balance::default(),
            connect_timeout: Duration::from_secs(10),
            max_requests: u32::MAX,
            outlier: None,
            state: Arc::default(),
            levels: Vec::new(),
        };
        cluster.levels = cluster.prepare();
        cluster
    }

    /// Sets how an endpoint is picked.
    pub fn with_balance(mut self, balance: Balance) -> Self {
        self.balance = balance;
        self.levels = self.prepare();
        self
    }

    /// Sets limits: the time to connect and the most calls in flight.
    pub fn with_limits(mut self, connect_timeout: Duration, max_requests: u32) -> Self {
        self.connect_timeout = connect_timeout;
        self.max_requests = max_requests;
        self
    }

    /// Sets when endpoints are ejected.
    pub fn with_outlier(mut self, outlier: Option<Outlier>) -> Self {
        self.outlier = outlier;
        self
    }

    /// Takes over the counters of an earlier snapshot.
    pub fn with_state(mut self, state: Arc<ClusterState>) -> Self {
        self.state = state;
        self
    }

    /// The priorities in order, 0 first.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn prepare(&self) -> Vec<Level> {
        let mut levels = Vec::new();
        let mut start = 0;
        for group in self.endpoints.chunk_by(|a, b| a.priority == b.priority) {
            let range = start..start + group.len();
            start = range.end;
            let sums = group
                .iter()
                .scan(0u64, |sum, endpoint| {
                    *sum += u64::from(endpoint.weight);
                    Some(*sum)
                })
                .collect();
            levels.push(Level {
                range,
                sums,
                equal: group.windows(2).all(|pair| pair[0].weight == pair[1].weight),
                warming: group.iter().any(|endpoint| endpoint.warmup.is_some()),
                ring: (self.balance == Balance::RingHash).then(|| Ring::new(group)),
            });
        }
        levels
    }
}

impl Ring {
    /// Envoy's default minimum size of a ring, and the cap (its `RingHashLbConfig`).
    const SIZE: std::ops::RangeInclusive<u64> = 1024..=4096;

    fn new(endpoints: &[Arc<Endpoint>]) -> Self {
        let total: u64 = endpoints.iter().map(|endpoint| u64::from(endpoint.weight)).sum();
        let lightest = endpoints
            .iter()
            .map(|endpoint| u64::from(endpoint.weight))
            .min()
            .unwrap_or(1);
        // At least one point for the lightest endpoint, within the limits.
        let size = (total / lightest.max(1)).clamp(*Self::SIZE.start(), *Self::SIZE.end());
        let mut points = Vec::new();
        let mut name = String::new();
        for (index, endpoint) in endpoints.iter().enumerate() {
            let share = (u64::from(endpoint.weight) * size).div_ceil(total.max(1));
            for point in 0..share {
                use std::fmt::Write;
                name.clear();
                // Writing to a String cannot fail.
                let _ = write!(name, "{}_{point}", endpoint.address);
                points.push((xxh64(name.as_bytes()), index as u32));
            }
        }
        points.sort_unstable();
        Self { points }
    }

    /// The endpoints from a hash on, clockwise, once round; an endpoint comes as often as it has points.
    pub fn from(&self, hash: u64) -> impl Iterator<Item = usize> {
        let start = self.points.partition_point(|(point, _)| *point < hash);
        let (before, after) = self.points.split_at(start);
        after.iter().chain(before).map(|(_, index)| *index as usize)
    }
}

/// Counters of a cluster that outlive snapshots and are shared by the workers.
#[derive(Debug, Default)]
pub struct ClusterState {
    /// Calls in flight.
    pub in_flight: AtomicU32,
    /// Whose turn it is, for round robin.
    pub turn: AtomicU32,
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

/// When an endpoint is taken out for a time (Envoy's `OutlierDetection`).
#[derive(Debug, Clone, PartialEq)]
pub struct Outlier {
    /// Failures in a row (gRPC codes that map to HTTP 5xx, and our own: connect, reset, time); 0 for never.
    pub consecutive: u32,
    /// Gateway failures in a row (codes that map to 502, 503, 504, and our own); 0 for never.
    pub consecutive_gateway: u32,
    /// How often the times an endpoint was out are looked at: each quiet interval forgives one.
    pub interval: Duration,
    /// The first ejection's length; the n-th is n times as long.
    pub base: Duration,
    /// The longest ejection.
    pub max: Duration,
    /// The most of the endpoints that may be out, in percent.
    pub max_percent: u32,
    /// Below this share of usable endpoints, in percent, all of a priority are used, ejected or not; 0 for never
    /// (what istiod writes).
    pub panic_percent: u32,
}

impl Default for Outlier {
    /// Envoy's defaults for fields that istiod leaves out.
    fn default() -> Self {
        Self {
            consecutive: 5,
            consecutive_gateway: 0,
            interval: Duration::from_secs(10),
            base: Duration::from_secs(30),
            max: Duration::from_secs(300),
            max_percent: 10,
            panic_percent: 0,
        }
    }
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
    /// It expects TLS (mutual, in a mesh).
    pub tls: bool,
    /// It was started not long ago and its weight still grows; `None` when it is warm.
    pub warmup: Option<Warmup>,
    /// What is known of the peer behind it.
    pub peer: Peer,
    /// Counters and ejection; outlives snapshots, shared by all clusters that hold the address.
    pub state: Arc<EndpointState>,
}

impl Endpoint {
    /// An endpoint of weight 1 and priority 0, in plain text, of which nothing more is known.
    pub fn new(address: SocketAddr, protocol: Protocol) -> Self {
        Self {
            address,
            protocol,
            weight: 1,
            priority: 0,
            tls: false,
            warmup: None,
            peer: Peer::default(),
            state: Arc::default(),
        }
    }
}

/// The warm-up of a legacy provider: its weight grows in a line (Dubbo's `AbstractLoadBalance`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warmup {
    /// When it was started, in milliseconds since 1970, by its own clock.
    pub started: u64,
    /// How long the ramp is.
    pub length: Duration,
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

/// What the registry tells of the peer behind an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// The `release` of its URL: `2.7.23`, `3.3.6`, `dubbo-golang-3.3.2`; empty when unknown.
    pub release: Arc<str>,
    /// The application; empty when unknown.
    pub application: Arc<str>,
    /// The path of its URL, sent as the attachment `path`; empty when it is the interface.
    pub path: Arc<str>,
    /// What it wants to see in the attachment `token`.
    pub token: Option<Secret>,
}

/// Text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Arc<str>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Counters of an endpoint that outlive snapshots and are shared by the workers.
#[derive(Debug, Default)]
pub struct EndpointState {
    /// Calls in flight.
    pub in_flight: AtomicU32,
    /// Failures in a row.
    pub failures: AtomicU32,
    /// Gateway failures in a row.
    pub gateway_failures: AtomicU32,
    /// Out until this many milliseconds after the process started; 0 for in.
    pub ejected_until: AtomicU64,
    /// How often it was taken out, less what quiet intervals forgave.
    pub ejections: AtomicU32,
}
