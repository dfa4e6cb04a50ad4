//! A service of a file to the sides that the Directory has.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::{Provider, Service, Sides};
use crate::directory::{Cluster, Endpoint, LegacySide, MeshSide, PairedBy, Protocol};
use crate::route::{Forward, RouteAction, VirtualHost};

/// The sides of a service whose providers are at these addresses.
pub(super) fn sides(
    service: &Service,
    dubbo2: &[(&Provider, SocketAddr)],
    triple: &[(&Provider, SocketAddr)],
) -> Sides {
    let name = service
        .key
        .as_ref()
        .map_or_else(|| "*".to_owned(), ToString::to_string);
    let legacy = (!dubbo2.is_empty()).then(|| LegacySide {
        cluster: Arc::new(Cluster::new(
            format!("legacy|{name}"),
            dubbo2
                .iter()
                .map(|(provider, address)| dubbo2_endpoint(provider, *address))
                .collect(),
        )),
        providers: Vec::new(),
        timeouts: service
            .timeout
            .iter()
            .map(|timeout| ("".into(), *timeout))
            .collect(),
    });
    let mesh = triple
        .first()
        .map(|(first, _)| mesh_side(service, &name, first, triple));
    Sides { legacy, mesh }
}

fn dubbo2_endpoint(provider: &Provider, address: SocketAddr) -> Arc<Endpoint> {
    let protocol = Protocol::Dubbo2 {
        serialization: provider.serialization,
    };
    Arc::new(Endpoint {
        weight: provider.weight,
        ..Endpoint::new(address, protocol)
    })
}

fn mesh_side(
    service: &Service,
    name: &str,
    first: &Provider,
    triple: &[(&Provider, SocketAddr)],
) -> MeshSide {
    let host = service
        .host
        .clone()
        .unwrap_or_else(|| format!("{}:{}", first.host, first.port));
    let mut subsets: BTreeMap<&str, Vec<Arc<Endpoint>>> = BTreeMap::new();
    for (provider, address) in triple {
        let endpoint = Arc::new(Endpoint {
            weight: provider.weight,
            ..Endpoint::new(*address, Protocol::Triple { mode: provider.mode })
        });
        // The plain cluster holds all of them, as in the mesh.
        subsets.entry("").or_default().push(endpoint.clone());
        if !provider.subset.is_empty() {
            subsets.entry(&provider.subset).or_default().push(endpoint);
        }
    }
    let mut clusters: Vec<Arc<Cluster>> = subsets
        .into_iter()
        .map(|(subset, endpoints)| Arc::new(Cluster::new(cluster_name(name, subset), endpoints)))
        .collect();
    clusters.sort_by(|a, b| a.name.cmp(&b.name));
    MeshSide {
        host: host.into(),
        port: first.port,
        routes: Arc::new(routes(service, name)),
        clusters,
        paired_by: PairedBy::Binding,
    }
}

fn cluster_name(service: &str, subset: &str) -> String {
    format!("file|{service}|{subset}")
}

/// The rules with their clusters' names in full; all to the plain cluster where there are none.
fn routes(service: &Service, name: &str) -> VirtualHost {
    if service.routes.routes.is_empty() {
        let mut all = VirtualHost::forward_all(cluster_name(name, ""));
        edit(&mut all, |forward| forward.timeout = service.timeout);
        return all;
    }
    let mut routes = service.routes.clone();
    edit(&mut routes, |forward| {
        forward.timeout = forward.timeout.or(service.timeout);
        for cluster in &mut forward.clusters {
            cluster.cluster = cluster_name(name, &cluster.cluster).into();
        }
    });
    routes
}

fn edit(host: &mut VirtualHost, change: impl Fn(&mut Forward)) {
    for route in &mut host.routes {
        if let RouteAction::Forward(forward) = &mut Arc::make_mut(route).action {
            change(forward);
        }
    }
}
