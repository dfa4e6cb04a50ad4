//! What we know of the mesh, and what we ask istiod for next. Pure: time and messages come as arguments.
//!
//! ```text
//! CDS "*" ─► clusters ─► hosts that matter ─► RDS host:port ─► rules ─► EDS of their clusters ─► view
//! ```
//!
//! A rule set is taken into force when the endpoints of its clusters are there (warming); until then the old one stays.

mod interest;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use xds_api::pb::envoy::service::discovery::v3::{DeltaDiscoveryResponse, Resource};

use crate::directory::SourceState;
use crate::istiod::names;
use crate::istiod::resource::cluster::{Cluster, Source};
use crate::istiod::resource::{ResourceError, cluster, endpoint, route};
use crate::mesh_view::{HostPort, MeshEndpoint, MeshView};
use crate::route::VirtualHost;
pub(super) use interest::{Interest, Kind};

/// How long rules wait for a cluster that istiod has not sent (gRFC A57).
const WARMING: Duration = Duration::from_secs(15);

/// What a response came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All of it is taken.
    Ack,
    /// Some resources were refused; the text names them. The others are taken.
    Nack(String),
    /// Not a type that we asked for.
    Unknown,
}

/// One host that matters.
#[derive(Debug, Default)]
struct Host {
    /// In force.
    routes: Option<Arc<VirtualHost>>,
    /// Received, waiting for endpoints since then.
    warming: Option<(Arc<VirtualHost>, Instant)>,
    /// The endpoint sets it needs, by EDS name.
    needs: BTreeSet<Arc<str>>,
    /// The clusters of either rule set.
    named: BTreeSet<Arc<str>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    suffixes: Vec<String>,
    wanted: Arc<BTreeSet<HostPort>>,
    clusters: HashMap<Arc<str>, Arc<Cluster>>,
    by_host: HashMap<HostPort, BTreeSet<Arc<str>>>,
    hosts: BTreeMap<HostPort, Host>,
    /// Endpoints by EDS name; there only for names asked for and answered.
    endpoints: HashMap<Arc<str>, Vec<MeshEndpoint>>,
    /// The hosts that need an endpoint set.
    needed_by: HashMap<Arc<str>, BTreeSet<HostPort>>,
    /// The hosts whose rules name a cluster.
    named_by: HashMap<Arc<str>, BTreeSet<HostPort>>,
    /// Held clusters that this stream's first CDS answer must confirm, because they were not claimed.
    unconfirmed: HashSet<Arc<str>>,
    clusters_received: bool,
    routes: Interest,
    sets: Interest,
    dirty: BTreeSet<HostPort>,
    view: MeshView,
    changed: bool,
}

impl State {
    pub(super) fn new(suffixes: Vec<String>) -> Self {
        let mut state = Self {
            suffixes,
            ..Self::default()
        };
        state.view.state.configured = true;
        state
    }

    /// Takes over which hosts are wanted by name.
    pub(super) fn want(&mut self, wanted: Arc<BTreeSet<HostPort>>) {
        let old = std::mem::replace(&mut self.wanted, wanted);
        let touched: Vec<HostPort> = old.symmetric_difference(&self.wanted).cloned().collect();
        for host in touched {
            self.weigh(&host);
        }
    }

    /// The names held of a type: what is claimed, and asked for again, when a stream opens.
    pub(super) fn held(&self, kind: Kind) -> Vec<Arc<str>> {
        match kind {
            Kind::Cluster => self.clusters.keys().cloned().collect(),
            Kind::Routes => {
                let known = self.hosts.iter().filter(|(_, host)| host.routes.is_some());
                known.map(|(name, _)| name.to_string().into()).collect()
            }
            Kind::Endpoints => self.endpoints.keys().cloned().collect(),
        }
    }

    /// All names to ask for when a stream opens; what was to be asked for before is among them.
    pub(super) fn interest(&mut self, kind: Kind) -> Vec<Arc<str>> {
        match kind {
            Kind::Cluster => vec!["*".into()],
            Kind::Routes => {
                self.routes = Interest::default();
                self.hosts.keys().map(|host| host.to_string().into()).collect()
            }
            Kind::Endpoints => {
                self.sets = Interest::default();
                self.needed_by.keys().cloned().collect()
            }
        }
    }

    /// A stream opens; `unclaimed` are held clusters for which there was no room in the claim.
    pub(super) fn opened(&mut self, unclaimed: HashSet<Arc<str>>) {
        self.unconfirmed = unclaimed;
    }

    /// What to ask for since the last call.
    pub(super) fn take_interest(&mut self) -> [(Kind, Interest); 2] {
        [
            (Kind::Routes, std::mem::take(&mut self.routes)),
            (Kind::Endpoints, std::mem::take(&mut self.sets)),
        ]
    }

    /// The stream is gone: everything stays, marked.
    pub(super) fn closed(&mut self, error: String, now: SystemTime) {
        let state = &mut self.view.state;
        if state.connected {
            state.as_of = Some(now);
        }
        self.changed |= state.connected || state.error.as_ref() != Some(&error);
        state.connected = false;
        state.error = Some(error);
    }

    /// Takes a response in: the good resources now, the bad ones not at all.
    pub(super) fn receive(
        &mut self,
        response: DeltaDiscoveryResponse,
        now: Instant,
        time: SystemTime,
    ) -> Verdict {
        let Some(kind) = Kind::of(&response.type_url) else {
            return Verdict::Unknown;
        };
        let mut refused = Vec::new();
        for resource in &response.resources {
            if let Err(error) = self.take(kind, resource, now) {
                refused.push(format!("{}: {error}", resource.name));
                self.refuse(kind, &resource.name, now);
            }
        }
        for name in &response.removed_resources {
            self.remove(kind, name, now);
        }
        if kind == Kind::Cluster {
            self.clusters_received = true;
            let gone: Vec<Arc<str>> = self.unconfirmed.drain().collect();
            for name in gone {
                self.remove(kind, &name, now);
            }
        }
        self.changed |= !self.view.state.connected;
        self.view.state = SourceState {
            configured: true,
            synced: self.view.state.synced,
            connected: true,
            as_of: Some(time),
            error: None,
        };
        if refused.is_empty() {
            Verdict::Ack
        } else {
            Verdict::Nack(nack_text(&refused))
        }
    }

    fn take(&mut self, kind: Kind, resource: &Resource, now: Instant) -> Result<(), ResourceError> {
        let Some(any) = &resource.resource else {
            return Err(ResourceError::Missing("resource in its envelope"));
        };
        if any.type_url != kind.url() {
            return Err(ResourceError::Type(any.type_url.clone()));
        }
        let bytes = any.value.as_slice();
        let same_name = |name: &Arc<str>| {
            let same = resource.name.is_empty() || resource.name == **name;
            same.then_some(())
                .ok_or_else(|| ResourceError::Name(name.to_string()))
        };
        match kind {
            Kind::Cluster => {
                if let Some(cluster) = cluster::parse(bytes)? {
                    same_name(&cluster.name)?;
                    self.set_cluster(cluster);
                }
            }
            Kind::Routes => {
                let target = split_route_name(&resource.name)
                    .ok_or(ResourceError::Missing("host:port in its name"))?;
                let (name, routes) = route::parse(bytes, &target)?;
                same_name(&name)?;
                self.set_routes(&target, routes, now);
            }
            Kind::Endpoints => {
                let (name, endpoints) = endpoint::parse(bytes)?;
                same_name(&name)?;
                self.set_endpoints(&name, endpoints);
            }
        }
        Ok(())
    }

    /// A refused resource that never had a good version counts as answered, empty: it must not hold up the others.
    fn refuse(&mut self, kind: Kind, name: &str, now: Instant) {
        match kind {
            // It is there, only unreadable: the last good one is kept, not swept as unconfirmed.
            Kind::Cluster => {
                self.unconfirmed.remove(name);
            }
            Kind::Routes => {
                let target = split_route_name(name);
                let Some(target) =
                    target.filter(|target| self.hosts.get(target).is_some_and(Host::is_unanswered))
                else {
                    return;
                };
                self.set_routes(&target, VirtualHost::default(), now);
            }
            Kind::Endpoints => {
                if self.needed_by.contains_key(name) && !self.endpoints.contains_key(name) {
                    self.set_endpoints(&name.into(), Vec::new());
                }
            }
        }
    }

    fn remove(&mut self, kind: Kind, name: &str, now: Instant) {
        match kind {
            Kind::Cluster => {
                let Some(cluster) = self.clusters.remove(name) else {
                    return;
                };
                if let Some(names) = self.by_host.get_mut(&cluster.host) {
                    names.remove(name);
                    if names.is_empty() {
                        self.by_host.remove(&cluster.host);
                    }
                }
                self.touch_cluster(&cluster);
            }
            Kind::Routes => {
                if let Some(target) = split_route_name(name) {
                    self.set_routes(&target, VirtualHost::default(), now);
                }
            }
            // istiod sends an empty set instead; a name that is gone has no endpoints either.
            Kind::Endpoints => self.set_endpoints(&name.into(), Vec::new()),
        }
    }

    fn set_cluster(&mut self, cluster: Cluster) {
        self.unconfirmed.remove(&cluster.name);
        if self
            .clusters
            .get(&cluster.name)
            .is_some_and(|old| **old == cluster)
        {
            return;
        }
        let cluster = Arc::new(cluster);
        self.by_host
            .entry(cluster.host.clone())
            .or_default()
            .insert(cluster.name.clone());
        self.clusters.insert(cluster.name.clone(), cluster.clone());
        self.touch_cluster(&cluster);
    }

    fn touch_cluster(&mut self, cluster: &Cluster) {
        self.weigh(&cluster.host);
        let naming: Vec<HostPort> = self
            .named_by
            .get(&cluster.name)
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        for host in naming {
            self.refresh(&host);
        }
    }

    fn set_routes(&mut self, target: &HostPort, routes: VirtualHost, now: Instant) {
        let Some(host) = self.hosts.get_mut(target) else {
            return;
        };
        host.warming = Some((Arc::new(routes), now));
        self.refresh(target);
    }

    fn set_endpoints(&mut self, name: &Arc<str>, endpoints: Vec<MeshEndpoint>) {
        let Some(users) = self.needed_by.get(name) else {
            return;
        };
        self.dirty.extend(users.iter().cloned());
        self.endpoints.insert(name.clone(), endpoints);
    }

    /// Looks whether a host matters, now that it is wanted or not, or its clusters came or went.
    fn weigh(&mut self, name: &HostPort) {
        let derived = || {
            let clusters = self.by_host.get(name).into_iter().flatten();
            names::suffix_of(&name.host, &self.suffixes).is_some()
                && clusters
                    .filter_map(|cluster| self.clusters.get(cluster))
                    .any(|cluster| cluster.http2)
        };
        let matters = self.wanted.contains(name) || derived();
        match (matters, self.hosts.contains_key(name)) {
            (true, false) => {
                self.hosts.insert(name.clone(), Host::default());
                self.routes.add(name.to_string().into());
            }
            (false, true) => {
                self.routes.drop(name.to_string().into());
                self.needs(name, BTreeSet::new(), BTreeSet::new());
                self.hosts.remove(name);
                self.dirty.insert(name.clone());
                return;
            }
            (false, false) => return,
            (true, true) => {}
        }
        self.refresh(name);
    }

    /// Recomputes which clusters and endpoint sets a host needs.
    fn refresh(&mut self, name: &HostPort) {
        let Some(host) = self.hosts.get(name) else {
            return;
        };
        let warming = host.warming.as_ref().map(|(routes, _)| routes);
        let rules = host
            .routes
            .iter()
            .chain(warming)
            .flat_map(|routes| &routes.routes);
        let named: BTreeSet<Arc<str>> = rules
            .flat_map(|rule| route::clusters(&rule.action))
            .cloned()
            .collect();
        let own = self.by_host.get(name).into_iter().flatten();
        let clusters = own.chain(&named).filter_map(|cluster| self.clusters.get(cluster));
        let needs = clusters.filter_map(|cluster| match &cluster.endpoints {
            Source::Eds(set) => Some(set.clone()),
            Source::Inline(_) | Source::None => None,
        });
        let needs = needs.collect();
        self.needs(name, named, needs);
        self.dirty.insert(name.clone());
    }

    fn needs(&mut self, name: &HostPort, named: BTreeSet<Arc<str>>, needs: BTreeSet<Arc<str>>) {
        let Some(host) = self.hosts.get_mut(name) else {
            return;
        };
        let old_named = std::mem::replace(&mut host.named, named);
        let old_needs = std::mem::replace(&mut host.needs, needs);
        for cluster in host.named.difference(&old_named) {
            self.named_by
                .entry(cluster.clone())
                .or_default()
                .insert(name.clone());
        }
        for cluster in old_named.difference(&host.named) {
            leave(&mut self.named_by, cluster, name);
        }
        for set in host.needs.difference(&old_needs) {
            let users = self.needed_by.entry(set.clone()).or_default();
            if users.is_empty() {
                self.sets.add(set.clone());
            }
            users.insert(name.clone());
        }
        for set in old_needs.difference(&host.needs) {
            if leave(&mut self.needed_by, set, name) {
                self.endpoints.remove(set);
                self.sets.drop(set.clone());
            }
        }
    }
}

impl Host {
    fn is_unanswered(&self) -> bool {
        self.routes.is_none() && self.warming.is_none()
    }
}

/// Takes `user` off the users of `name`; whether it was the last.
fn leave(users: &mut HashMap<Arc<str>, BTreeSet<HostPort>>, name: &Arc<str>, user: &HostPort) -> bool {
    let Some(left) = users.get_mut(name) else {
        return false;
    };
    left.remove(user);
    let last = left.is_empty();
    if last {
        users.remove(name);
    }
    last
}

fn split_route_name(name: &str) -> Option<HostPort> {
    let (host, port) = name.rsplit_once(':')?;
    Some(HostPort::new(host, port.parse().ok()?))
}

/// The first few refusals in full, the others by number.
fn nack_text(refused: &[String]) -> String {
    const NAMED: usize = 8;
    let mut text = refused
        .iter()
        .take(NAMED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("; ");
    if refused.len() > NAMED {
        text.push_str(&format!("; and {} more", refused.len() - NAMED));
    }
    text
}

#[cfg(test)]
mod tests;
