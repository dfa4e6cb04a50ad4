//! Our records as Istio objects: JSON for Kubernetes and files, protobuf for MCP. Equal records give equal bytes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::istiod::wire;
use crate::publish::{MeshRecords, ServiceEntry, Workload, WorkloadEntry};

/// The API group and version of both kinds.
pub(super) const API_VERSION: &str = "networking.istio.io/v1";

/// A kind of object that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    ServiceEntry,
    WorkloadEntry,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::ServiceEntry, Self::WorkloadEntry];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ServiceEntry => "ServiceEntry",
            Self::WorkloadEntry => "WorkloadEntry",
        }
    }

    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::ServiceEntry => "serviceentries",
            Self::WorkloadEntry => "workloadentries",
        }
    }
}

/// The name of an object in reports, `ServiceEntry orders-1a2b3c4d`.
pub(super) fn title(kind: Kind, name: &str) -> String {
    format!("{} {name}", kind.name())
}

/// All objects in their Kubernetes shape, services first.
pub(super) fn objects(records: &MeshRecords, namespace: &str) -> BTreeMap<(Kind, String), Value> {
    let services = records.services.iter().map(|(name, entry)| {
        let value = object(
            Kind::ServiceEntry,
            namespace,
            name,
            &entry.labels,
            &entry.annotations,
            service_spec(entry),
        );
        ((Kind::ServiceEntry, name.clone()), value)
    });
    let workloads = records.workloads.iter().map(|(name, entry)| {
        let value = object(
            Kind::WorkloadEntry,
            namespace,
            name,
            &entry.labels,
            &entry.annotations,
            workload_spec(&entry.workload),
        );
        ((Kind::WorkloadEntry, name.clone()), value)
    });
    services.chain(workloads).collect()
}

fn object(
    kind: Kind,
    namespace: &str,
    name: &str,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
    spec: Value,
) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": kind.name(),
        "metadata": {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations},
        "spec": spec,
    })
}

fn service_spec(entry: &ServiceEntry) -> Value {
    let mut spec = Map::new();
    spec.insert("hosts".into(), json!([entry.host]));
    put(
        &mut spec,
        "addresses",
        &entry.addresses,
        entry.addresses.is_empty(),
    );
    spec.insert("location".into(), "MESH_INTERNAL".into());
    spec.insert("resolution".into(), "STATIC".into());
    spec.insert("ports".into(), json!(entry.ports));
    if !entry.selector.is_empty() {
        spec.insert("workloadSelector".into(), json!({"labels": entry.selector}));
    }
    if !entry.endpoints.is_empty() {
        let endpoints = entry.endpoints.iter().map(workload_spec).collect();
        spec.insert("endpoints".into(), Value::Array(endpoints));
    }
    put(
        &mut spec,
        "exportTo",
        &entry.export_to,
        entry.export_to.is_empty(),
    );
    let names = &entry.subject_alt_names;
    put(&mut spec, "subjectAltNames", names, names.is_empty());
    Value::Object(spec)
}

fn workload_spec(workload: &Workload) -> Value {
    let mut spec = Map::new();
    spec.insert("address".into(), json!(workload.address));
    put(&mut spec, "ports", &workload.ports, workload.ports.is_empty());
    put(&mut spec, "labels", &workload.labels, workload.labels.is_empty());
    put(
        &mut spec,
        "locality",
        &workload.locality,
        workload.locality.is_empty(),
    );
    put(&mut spec, "weight", &workload.weight, workload.weight == 0);
    Value::Object(spec)
}

fn put(spec: &mut Map<String, Value>, key: &str, value: &impl serde::Serialize, absent: bool) {
    if !absent {
        spec.insert(key.into(), json!(value));
    }
}

/// The body of a ServiceEntry for MCP.
pub(super) fn service_message(entry: &ServiceEntry) -> wire::ServiceEntry {
    wire::ServiceEntry {
        hosts: vec![entry.host.clone()],
        addresses: entry.addresses.iter().map(IpAddr::to_string).collect(),
        ports: entry
            .ports
            .iter()
            .map(|port| wire::ServicePort {
                number: port.number.into(),
                protocol: port.protocol.clone(),
                name: port.name.clone(),
            })
            .collect(),
        location: 1,
        resolution: 1,
        endpoints: entry.endpoints.iter().map(workload_body).collect(),
        export_to: entry.export_to.clone(),
        subject_alt_names: entry.subject_alt_names.clone(),
        workload_selector: (!entry.selector.is_empty()).then(|| wire::WorkloadSelector {
            labels: entry.selector.clone(),
        }),
    }
}

/// The body of a WorkloadEntry for MCP.
pub(super) fn workload_message(entry: &WorkloadEntry) -> wire::WorkloadEntry {
    workload_body(&entry.workload)
}

fn workload_body(workload: &Workload) -> wire::WorkloadEntry {
    wire::WorkloadEntry {
        address: workload.address.to_string(),
        ports: workload
            .ports
            .iter()
            .map(|(name, port)| (name.clone(), u32::from(*port)))
            .collect(),
        labels: workload.labels.clone(),
        locality: workload.locality.clone(),
        weight: workload.weight,
    }
}
