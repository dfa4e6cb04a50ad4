//! What the mesh says of a host, to the mesh side of a service.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Options;
use super::pool::Pool;
use crate::directory::{Cluster, Endpoint, MeshSide, PairedBy, Protocol};
use crate::mesh_view::{MeshCluster, MeshEndpoint, MeshHost};

/// The canonical service name of a bridge's workload.
const BRIDGE: &str = "landbridge";

/// What a host is to a service.
pub(super) enum Side {
    /// It may have natives.
    Natives(MeshSide),
    /// Only bridges serve it: it is an announcement of ours, or of another installation.
    Bridges,
    /// Its rules have not arrived yet.
    NoRoutesYet,
}

/// The mesh side of a service at a host.
pub(super) fn side(host: &MeshHost, paired_by: PairedBy, options: &Options, pool: &mut Pool) -> Side {
    let mut names = BTreeSet::new();
    let mut seen = 0;
    let mut clusters: Vec<Arc<Cluster>> = Vec::new();
    for cluster in &host.clusters {
        seen += cluster.endpoints.len();
        if names.insert(cluster.name.clone()) {
            clusters.push(Arc::new(self::cluster(cluster, options, pool)));
        }
    }
    if seen > 0 && clusters.iter().all(|cluster| cluster.endpoints.is_empty()) {
        return Side::Bridges;
    }
    let Some(routes) = &host.routes else {
        return Side::NoRoutesYet;
    };
    clusters.sort_by(|a, b| a.name.cmp(&b.name));
    Side::Natives(MeshSide {
        host: host.host.clone(),
        port: host.port,
        routes: routes.clone(),
        clusters,
        paired_by,
    })
}

fn cluster(view: &MeshCluster, options: &Options, pool: &mut Pool) -> Cluster {
    let endpoints = view
        .endpoints
        .iter()
        .filter(|endpoint| is_native(endpoint, options))
        .map(|endpoint| {
            Arc::new(Endpoint {
                weight: endpoint.weight.max(1),
                priority: endpoint.priority,
                tls: endpoint.tls,
                state: pool.endpoint(endpoint.address),
                // EDS says no more of an endpoint than this.
                ..Endpoint::new(endpoint.address, Protocol::Triple { mode: None })
            })
        })
        .collect();
    Cluster::new(view.name.clone(), endpoints)
        .with_balance(view.balance)
        .with_limits(view.connect_timeout, view.max_requests)
        .with_outlier(view.outlier.clone())
        .with_state(pool.cluster(&view.name))
}

fn is_native(endpoint: &MeshEndpoint, options: &Options) -> bool {
    &*endpoint.canonical != BRIDGE && !options.bridges.contains(&endpoint.address)
}
