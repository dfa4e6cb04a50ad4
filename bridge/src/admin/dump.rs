//! The Directory as JSON: what `/v1/services`, `/v1/directory` and `/v1/explain` answer.

use std::sync::atomic::Ordering;

use registries::directory::{Cluster, Directory, Endpoint, Island, Service, SourceState, Stage};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One service in a line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServiceLine {
    /// Its key.
    pub service: String,
    /// Its stage.
    pub stage: Stage,
    /// Native endpoints in the legacy island.
    pub legacy: usize,
    /// Native endpoints in the mesh.
    pub mesh: usize,
    /// Its host and port in the mesh; empty when it is not there.
    pub host: String,
    /// What an operator should know.
    pub notes: Vec<String>,
}

/// One endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndpointLine {
    /// `legacy`, or the name of the mesh cluster.
    pub cluster: String,
    /// Its address.
    pub address: String,
    /// Its weight.
    pub weight: u32,
    /// Its priority.
    pub priority: u32,
    /// The peer's release, where the registry tells it.
    pub release: String,
    /// Calls in flight to it.
    pub in_flight: u32,
    /// Failures in a row.
    pub failures: u32,
}

pub(super) fn services(directory: &Directory) -> Vec<ServiceLine> {
    let mut lines: Vec<ServiceLine> = directory
        .services
        .iter()
        .map(|(_, service)| line(service))
        .collect();
    lines.sort_by(|a, b| a.service.cmp(&b.service));
    lines
}

fn line(service: &Service) -> ServiceLine {
    let mesh = service.mesh.as_ref();
    ServiceLine {
        service: service.key.to_string(),
        stage: service.stage,
        legacy: service
            .legacy
            .as_ref()
            .map_or(0, |side| side.cluster.endpoints.len()),
        mesh: mesh.map_or(0, |side| distinct(&side.clusters)),
        host: mesh
            .map(|side| crate::explain::authority(&side.host, side.port))
            .unwrap_or_default(),
        notes: service.notes.clone(),
    }
}

/// Endpoints of several clusters, each address once: subsets share those of the plain cluster.
fn distinct(clusters: &[std::sync::Arc<Cluster>]) -> usize {
    let addresses = clusters
        .iter()
        .flat_map(|cluster| &cluster.endpoints)
        .map(|e| e.address);
    addresses.collect::<std::collections::HashSet<_>>().len()
}

pub(super) fn directory(directory: &Directory) -> Value {
    let mut services: Vec<_> = directory
        .services
        .iter()
        .map(|(_, service)| detail(service))
        .collect();
    services.sort_by(|a, b| a["service"].as_str().cmp(&b["service"].as_str()));
    json!({
        "generation": directory.generation,
        "legacy": source(directory.source(Island::Legacy)),
        "mesh": source(directory.source(Island::Mesh)),
        "any_service": {
            "from_legacy": directory.catch_all.legacy.as_ref().map(|side| detail(&side.template)),
            "from_mesh": directory.catch_all.mesh.as_ref().map(|side| detail(&side.template)),
        },
        "services": services,
    })
}

fn source(state: &SourceState) -> Value {
    serde_json::to_value(state).unwrap_or_default()
}

/// A service with its endpoints.
pub(super) fn detail(service: &Service) -> Value {
    let mut endpoints = Vec::new();
    if let Some(legacy) = &service.legacy {
        endpoints.extend(legacy.cluster.endpoints.iter().map(|e| endpoint("legacy", e)));
    }
    for cluster in service.mesh.iter().flat_map(|mesh| &mesh.clusters) {
        endpoints.extend(cluster.endpoints.iter().map(|e| endpoint(&cluster.name, e)));
    }
    let line = line(service);
    json!({
        "service": line.service,
        "stage": line.stage,
        "host": line.host,
        "paired_by": service.mesh.as_ref().map(|mesh| mesh.paired_by),
        "bound": service.binding.is_some(),
        "pinned": service.pinned,
        "endpoints": endpoints,
        "notes": line.notes,
    })
}

fn endpoint(cluster: &str, endpoint: &Endpoint) -> EndpointLine {
    EndpointLine {
        cluster: cluster.to_owned(),
        address: endpoint.address.to_string(),
        weight: endpoint.weight,
        priority: endpoint.priority,
        release: endpoint.peer.release.to_string(),
        in_flight: endpoint.state.in_flight.load(Ordering::Relaxed),
        failures: endpoint.state.failures.load(Ordering::Relaxed),
    }
}
