//! What is known of a service in both islands, and where its calls would go now: for `landbridge explain`, the operator's
//! port and the console.

use std::sync::atomic::Ordering::Relaxed;

use codecs::{Encoding, ServiceKey};
use registries::directory::{
    Balance, Cluster, Directory, Endpoint, Island, Mode, PairedBy, Protocol, Service, SourceState, Stage,
};
use serde::Serialize;

use crate::balance::Now;
use crate::route::{self, ModeReason, Why};

mod words;

pub(crate) use words::authority;

/// Everything known of a service.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Its key; `*` when only the catch-all takes its calls.
    pub service: String,
    /// The other names under which a Triple or gRPC caller finds it.
    pub names: Vec<String>,
    /// How far its migration is.
    pub stage: Stage,
    /// The gateway announces itself beside natives, too.
    pub standby: bool,
    /// The Java methods that the binding file names.
    pub bound_methods: Vec<String>,
    /// A mode that the binding file pins for all methods.
    pub pinned: Option<Mode>,
    /// Its legacy natives; `None` where there are none.
    pub legacy: Option<Side>,
    /// Its mesh natives; `None` where there are none.
    pub mesh: Option<Side>,
    /// Where its calls go, by what the caller speaks.
    pub calls: Vec<Crossing>,
    /// Conflicts and refusals met while merging.
    pub notes: Vec<String>,
    /// How the sources behind all this are doing: the legacy registry, then the mesh.
    pub sources: [SourceState; 2],
}

/// The natives of one island.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// The host and port; mesh only.
    pub host: Option<String>,
    /// Where the pairing with the host comes from; mesh only.
    pub paired_by: Option<PairedBy>,
    /// The rules in order, in words; mesh only.
    pub routes: Vec<String>,
    /// The timeouts that the natives give, in milliseconds by method; the empty name is for the others. Legacy only.
    pub timeouts: Vec<(String, u64)>,
    /// Its clusters.
    pub clusters: Vec<ClusterLine>,
}

/// A cluster and its endpoints.
#[derive(Debug, Clone, Serialize)]
pub struct ClusterLine {
    /// Its name.
    pub name: String,
    /// How one is picked.
    pub balance: Balance,
    /// Calls in flight.
    pub in_flight: u32,
    /// Its endpoints.
    pub endpoints: Vec<EndpointLine>,
}

/// An endpoint.
#[derive(Debug, Clone, Serialize)]
pub struct EndpointLine {
    /// Its address.
    pub address: String,
    /// `dubbo2` with the serialization's id, or `triple` with what its payloads are, where that is known.
    pub speaks: String,
    /// Its weight.
    pub weight: u32,
    /// Its priority; 0 first.
    pub priority: u32,
    /// It expects TLS.
    pub tls: bool,
    /// The release that it is of; empty when unknown.
    pub release: String,
    /// The application that it is of; empty when unknown.
    pub application: String,
    /// Calls in flight.
    pub in_flight: u32,
    /// It is taken out now, after failures.
    pub ejected: bool,
}

/// Where the calls of one kind of caller go.
#[derive(Debug, Clone, Serialize)]
pub struct Crossing {
    /// The caller's island.
    pub from: Island,
    /// What its payloads are.
    pub encoding: &'static str,
    /// Where they go; `None` when they go nowhere.
    pub to: Option<Island>,
    /// Why there, or why nowhere.
    pub why: String,
    /// How the payloads cross.
    pub modes: Vec<ModeLine>,
}

/// How payloads cross to some endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModeLine {
    /// The methods: `bound` for those of the binding file, `others` for those that it does not name, `all`.
    pub methods: &'static str,
    /// The mode.
    pub mode: Mode,
    /// The encoding that the endpoints get.
    pub encoding: &'static str,
    /// Why.
    pub reason: ModeReason,
    /// The number of endpoints that it holds for.
    pub endpoints: usize,
}

/// What the listeners make of all their calls, whatever the service (a translator); `None` where the service decides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Becomes {
    /// Of the calls of Dubbo2 consumers.
    pub dubbo2: Option<Encoding>,
    /// Of the calls of Triple and gRPC consumers.
    pub triple: Option<Encoding>,
}

impl Becomes {
    fn of(self, from: Island) -> Option<Encoding> {
        match from {
            Island::Legacy => self.dubbo2,
            Island::Mesh => self.triple,
        }
    }
}

/// Explains a service; `None` when no call for it would go anywhere, and nothing is known of it.
pub fn explain(directory: &Directory, key: &ServiceKey, becomes: Becomes, now: Now) -> Option<Explanation> {
    let service = directory
        .find(Island::Legacy, key)
        .or_else(|| directory.find(Island::Mesh, key))?;
    let mut names: Vec<String> = directory
        .names
        .iter()
        .filter(|(_, keys)| keys.contains(&service.key))
        .map(|(name, _)| name.to_string())
        .filter(|name| name != service.key.interface())
        .collect();
    names.sort();
    Some(Explanation {
        service: service.key.to_string(),
        names,
        stage: service.stage,
        standby: service.standby,
        bound_methods: service.methods.iter().map(ToString::to_string).collect(),
        pinned: service.pinned,
        legacy: legacy_side(service, now),
        mesh: mesh_side(service, now),
        calls: CALLERS
            .into_iter()
            .map(|(from, encoding)| crossing(service, from, encoding, becomes.of(from), now))
            .collect(),
        notes: service.notes.clone(),
        sources: [directory.legacy.clone(), directory.mesh.clone()],
    })
}

/// The kinds of callers that there are.
const CALLERS: [(Island, Encoding); 3] = [
    (Island::Legacy, Encoding::Hessian2),
    (Island::Mesh, Encoding::Wrapper),
    (Island::Mesh, Encoding::Protobuf),
];

fn legacy_side(service: &Service, now: Now) -> Option<Side> {
    let side = service.legacy.as_ref()?;
    let millis = |timeout: std::time::Duration| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    Some(Side {
        host: None,
        paired_by: None,
        routes: Vec::new(),
        timeouts: side
            .timeouts
            .iter()
            .map(|(method, timeout)| (method.to_string(), millis(*timeout)))
            .collect(),
        clusters: vec![cluster_line(&side.cluster, now)],
    })
}

fn mesh_side(service: &Service, now: Now) -> Option<Side> {
    let side = service.mesh.as_ref()?;
    Some(Side {
        host: Some(words::authority(&side.host, side.port)),
        paired_by: Some(side.paired_by),
        routes: side
            .routes
            .routes
            .iter()
            .map(|route| words::route(route))
            .collect(),
        timeouts: Vec::new(),
        clusters: side
            .clusters
            .iter()
            .map(|cluster| cluster_line(cluster, now))
            .collect(),
    })
}

fn cluster_line(cluster: &Cluster, now: Now) -> ClusterLine {
    ClusterLine {
        name: cluster.name.to_string(),
        balance: cluster.balance,
        in_flight: cluster.state.in_flight.load(Relaxed),
        endpoints: cluster
            .endpoints
            .iter()
            .map(|endpoint| endpoint_line(endpoint, now))
            .collect(),
    }
}

fn endpoint_line(endpoint: &Endpoint, now: Now) -> EndpointLine {
    EndpointLine {
        address: endpoint.address.to_string(),
        speaks: match endpoint.protocol {
            Protocol::Dubbo2 { serialization } => format!("dubbo2, serialization {serialization}"),
            Protocol::Triple { mode: None } => "triple".to_owned(),
            Protocol::Triple {
                mode: Some(Mode::Protobuf),
            } => "triple, protobuf".to_owned(),
            Protocol::Triple { mode: Some(_) } => "triple, wrapper".to_owned(),
        },
        weight: endpoint.weight,
        priority: endpoint.priority,
        tls: endpoint.tls,
        release: endpoint.peer.release.to_string(),
        application: endpoint.peer.application.to_string(),
        in_flight: endpoint.state.in_flight.load(Relaxed),
        ejected: endpoint.state.ejected_until.load(Relaxed) > now.uptime,
    }
}

fn crossing(
    service: &Service,
    from: Island,
    encoding: Encoding,
    becomes: Option<Encoding>,
    now: Now,
) -> Crossing {
    let (to, why) = match becomes.map(route::island_of) {
        Some(island) if route::is_usable(service, island, now) => {
            (Some(island), words::why(Why::Listener, from, island))
        }
        Some(island) => (None, words::not_there(island)),
        None => match route::prefer(service, from, now) {
            Some((island, why)) => (Some(island), words::why(why, from, island)),
            None => (None, words::nowhere(service)),
        },
    };
    Crossing {
        from,
        encoding: words::encoding(encoding),
        to,
        why,
        modes: to
            .map(|island| modes(service, island, encoding, becomes))
            .unwrap_or_default(),
    }
}

/// The modes of all endpoints of an island, equal ones counted together.
fn modes(service: &Service, island: Island, from: Encoding, becomes: Option<Encoding>) -> Vec<ModeLine> {
    let clusters: Vec<&Cluster> = match island {
        Island::Legacy => service.legacy.iter().map(|side| &*side.cluster).collect(),
        Island::Mesh => service
            .mesh
            .iter()
            .flat_map(|side| &side.clusters)
            .map(|cluster| &**cluster)
            .collect(),
    };
    let mut endpoints: Vec<&Endpoint> = clusters
        .iter()
        .flat_map(|cluster| &cluster.endpoints)
        .map(|endpoint| &**endpoint)
        .collect();
    // Subsets hold endpoints of the plain cluster again.
    endpoints.sort_by_key(|endpoint| endpoint.address);
    endpoints.dedup_by_key(|endpoint| endpoint.address);
    let mut lines: Vec<ModeLine> = Vec::new();
    let groups: &[(&'static str, bool)] = match (&service.binding, from) {
        (Some(_), _) => &[("bound", true), ("others", false)],
        (None, _) => &[("all", false)],
    };
    for (methods, bound) in groups {
        for endpoint in &endpoints {
            let choice = route::choose_mode(service, endpoint, from, *bound, becomes);
            let line = ModeLine {
                methods,
                mode: choice.mode,
                encoding: words::encoding(choice.encoding),
                reason: choice.reason,
                endpoints: 1,
            };
            let same = |other: &&mut ModeLine| {
                ModeLine {
                    endpoints: 1,
                    ..(**other).clone()
                } == line
            };
            match lines.iter_mut().find(same) {
                Some(known) => known.endpoints += 1,
                None => lines.push(line),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests;
