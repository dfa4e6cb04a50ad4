//! Announcements with the natives' own addresses: the gateway stands in no call's way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::{Identity, Policy, ServiceEntry, ServicePort, Workload};
use crate::directory::{Endpoint, Protocol, Service};
use crate::istiod::records;

/// The port of providers that speak Dubbo2.
const DUBBO_PORT: (&str, u16, &str) = ("tcp-dubbo", 20880, "TCP");

/// The addresses of a service's mesh natives, each once.
pub(super) fn mesh_addresses(service: &Service) -> BTreeSet<SocketAddr> {
    let side = service.mesh.iter();
    side.flat_map(|side| &side.clusters)
        .flat_map(|cluster| &cluster.endpoints)
        // Who expects the mesh's mutual TLS cannot be called from outside of it.
        .filter(|endpoint| !endpoint.tls)
        .map(|endpoint| endpoint.address)
        .collect()
}

/// The ServiceEntry with the legacy natives of a service: those that speak Triple, else those that speak Dubbo2.
pub(super) fn service_entry(
    service: &Service,
    host: &str,
    policy: &Policy,
    identity: &Identity,
) -> Option<(String, ServiceEntry)> {
    let endpoints = &service.legacy.as_ref()?.cluster.endpoints;
    let is_triple = |endpoint: &Endpoint| matches!(endpoint.protocol, Protocol::Triple { .. });
    let (name, mut entry) = records::service_entry(&service.key, host, identity, policy);
    let triple = endpoints.iter().any(|endpoint| is_triple(endpoint));
    if !triple {
        let (name, number, protocol) = DUBBO_PORT;
        entry.ports = vec![ServicePort {
            name: name.into(),
            number,
            protocol: protocol.into(),
        }];
    }
    let port = entry.ports.first()?.name.clone();
    let mut workloads: Vec<Workload> = endpoints
        .iter()
        .filter(|endpoint| is_triple(endpoint) == triple)
        .map(|endpoint| Workload {
            address: endpoint.address.ip(),
            ports: BTreeMap::from([(port.clone(), endpoint.address.port())]),
            labels: BTreeMap::new(),
            locality: String::new(),
            weight: endpoint.weight,
        })
        .collect();
    workloads.sort_by_key(|workload| {
        (
            workload.address,
            workload.ports.values().copied().collect::<Vec<_>>(),
        )
    });
    entry.selector = BTreeMap::new();
    entry.subject_alt_names = Vec::new();
    entry.endpoints = workloads;
    Some((name, entry))
}
