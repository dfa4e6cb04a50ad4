//! What we know as a view: only what changed is built anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::Instant;

use super::{State, WARMING};
use crate::istiod::resource::cluster::{Cluster, Source};
use crate::istiod::resource::route;
use crate::mesh_view::{HostPort, MeshCluster, MeshHost, MeshView};

impl State {
    /// When [`State::publish`] has something to do without a message.
    pub(in crate::istiod::ads) fn deadline(&self) -> Option<Instant> {
        let waiting = self.hosts.values().filter_map(|host| host.warming.as_ref());
        waiting.map(|(_, since)| *since + WARMING).min()
    }

    /// The view, if it is another one than last time.
    pub(in crate::istiod::ads) fn publish(&mut self, now: Instant) -> Option<MeshView> {
        for (name, host) in &self.hosts {
            if host
                .warming
                .as_ref()
                .is_some_and(|(_, since)| now.duration_since(*since) >= WARMING)
            {
                self.dirty.insert(name.clone());
            }
        }
        for name in std::mem::take(&mut self.dirty) {
            self.settle(&name, now);
            self.build(&name);
        }
        // Rules that came into force may have freed clusters: those names are in no view.
        self.dirty.clear();
        if !self.view.state.synced && self.is_complete() {
            self.view.state.synced = true;
            self.changed = true;
        }
        std::mem::take(&mut self.changed).then(|| self.view.clone())
    }

    /// Puts warmed rules into force.
    fn settle(&mut self, name: &HostPort, now: Instant) {
        let Some(host) = self.hosts.get(name) else {
            return;
        };
        let Some((routes, since)) = &host.warming else {
            return;
        };
        let late = now.duration_since(*since) >= WARMING;
        let first = host.routes.is_none();
        let ready = |name: &Arc<str>| match self.clusters.get(name) {
            Some(cluster) => self.has_endpoints(cluster),
            // Without old rules there is nothing better than to say that the cluster is unknown.
            None => first && self.clusters_received,
        };
        let rules = &routes.routes;
        let warm = rules
            .iter()
            .flat_map(|rule| route::clusters(&rule.action))
            .all(ready);
        if !(warm || late) {
            return;
        }
        if let Some(host) = self.hosts.get_mut(name) {
            host.routes = host.warming.take().map(|(routes, _)| routes);
        }
        self.refresh(name);
    }

    fn has_endpoints(&self, cluster: &Cluster) -> bool {
        match &cluster.endpoints {
            Source::Eds(set) => self.endpoints.contains_key(set),
            Source::Inline(_) | Source::None => true,
        }
    }

    fn build(&mut self, name: &HostPort) {
        let key: Arc<str> = name.to_string().into();
        let Some(host) = self.hosts.get(name) else {
            self.changed |= self.view.hosts.remove(&*key).is_some();
            return;
        };
        let old = self.view.hosts.get(&*key);
        let rules = host.routes.iter().flat_map(|routes| &routes.routes);
        let named = rules.flat_map(|rule| route::clusters(&rule.action));
        let own = self.by_host.get(name).into_iter().flatten();
        let wanted: BTreeSet<&Arc<str>> = own.chain(named).collect();
        let clusters = wanted
            .into_iter()
            .filter_map(|name| self.clusters.get(name))
            .filter_map(|cluster| {
                let built = self.mesh_cluster(cluster)?;
                let same = old.and_then(|old| old.clusters.iter().find(|old| ***old == built));
                Some(same.cloned().unwrap_or_else(|| Arc::new(built)))
            });
        let built = MeshHost {
            host: name.host.clone(),
            port: name.port,
            routes: host.routes.clone(),
            clusters: clusters.collect(),
        };
        if old.is_none_or(|old| !is_same(old, &built)) {
            self.view.hosts.insert(key, Arc::new(built));
            self.changed = true;
        }
    }

    /// `None` until its endpoints were received.
    fn mesh_cluster(&self, cluster: &Cluster) -> Option<MeshCluster> {
        let endpoints = match &cluster.endpoints {
            Source::Eds(set) => self.endpoints.get(set)?.clone(),
            Source::Inline(endpoints) => endpoints.clone(),
            Source::None => Vec::new(),
        };
        Some(MeshCluster {
            name: cluster.name.clone(),
            subset: cluster.subset.clone(),
            balance: cluster.balance,
            connect_timeout: cluster.connect_timeout,
            max_requests: cluster.max_requests,
            outlier: cluster.outlier.clone(),
            endpoints,
        })
    }

    fn is_complete(&self) -> bool {
        self.clusters_received && self.hosts.values().all(|host| host.routes.is_some())
    }
}

fn is_same(old: &MeshHost, new: &MeshHost) -> bool {
    let same_routes = match (&old.routes, &new.routes) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
        (None, None) => true,
        _ => false,
    };
    let pairs = old.clusters.iter().zip(&new.clusters);
    same_routes
        && old.clusters.len() == new.clusters.len()
        && pairs.into_iter().all(|(a, b)| Arc::ptr_eq(a, b))
}
