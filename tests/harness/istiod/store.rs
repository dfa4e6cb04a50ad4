//! The objects a simulated istiod knows.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use serde_json::Value;

use super::wire;

/// Why an object is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("object {name}: {problem}")]
pub struct BadObject {
    name: String,
    problem: String,
}

#[derive(Debug, Clone, Default)]
pub(super) struct ServiceEntry {
    pub(super) hosts: Vec<String>,
    pub(super) ports: Vec<Port>,
    pub(super) resolution: Resolution,
    pub(super) endpoints: Vec<Workload>,
    pub(super) selector: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Resolution {
    #[default]
    None,
    Static,
    Dns,
}

#[derive(Debug, Clone)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) number: u16,
    pub(super) protocol: String,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Workload {
    pub(super) address: String,
    pub(super) ports: BTreeMap<String, u16>,
    /// Those of the object and of its spec.
    pub(super) labels: BTreeMap<String, String>,
    pub(super) locality: String,
    pub(super) weight: u32,
}

/// Namespace and name.
pub(super) type Name = (String, String);

/// What one source says.
#[derive(Debug, Clone, Default)]
pub(super) struct Objects {
    pub(super) services: BTreeMap<Name, ServiceEntry>,
    pub(super) workloads: BTreeMap<Name, Workload>,
}

#[derive(Debug, Default)]
pub(super) struct Store {
    applied: Objects,
    /// Specs as written.
    pub(super) virtual_services: BTreeMap<Name, Value>,
    pub(super) destination_rules: BTreeMap<Name, Value>,
    mcp: Objects,
    versions: BTreeMap<(String, Name), String>,
    waiting: bool,
}

impl Store {
    /// An MCP source is to be waited for.
    pub(super) fn wait_for_source(&mut self) {
        self.waiting = true;
    }

    pub(super) fn source_synced(&mut self) {
        self.waiting = false;
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.waiting
    }

    pub(super) fn apply(&mut self, object: &Value) -> Result<(), BadObject> {
        let metadata = &object["metadata"];
        let name = (text(&metadata["namespace"]), text(&metadata["name"]));
        let bad = |problem: String| BadObject {
            name: format!("{}/{}", name.0, name.1),
            problem,
        };
        if name.0.is_empty() || name.1.is_empty() {
            return Err(bad("no namespace or name".into()));
        }
        let spec = &object["spec"];
        match object["kind"].as_str() {
            Some("ServiceEntry") => {
                let entry = service_from_json(spec).map_err(bad)?;
                self.applied.services.insert(name, entry);
            }
            Some("WorkloadEntry") => {
                let mut workload = workload_from_json(spec).map_err(bad)?;
                workload.labels.extend(texts(&metadata["labels"]));
                self.applied.workloads.insert(name, workload);
            }
            Some("VirtualService") => {
                self.virtual_services.insert(name, spec.clone());
            }
            Some("DestinationRule") => {
                self.destination_rules.insert(name, spec.clone());
            }
            other => return Err(bad(format!("kind {other:?} is not simulated"))),
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, kind: &str, namespace: &str, name: &str) -> bool {
        let name = (namespace.to_owned(), name.to_owned());
        match kind {
            "ServiceEntry" => self.applied.services.remove(&name).is_some(),
            "WorkloadEntry" => self.applied.workloads.remove(&name).is_some(),
            "VirtualService" => self.virtual_services.remove(&name).is_some(),
            "DestinationRule" => self.destination_rules.remove(&name).is_some(),
            _ => false,
        }
    }

    /// All services, those of the test before those of the source.
    pub(super) fn services(&self) -> impl Iterator<Item = (&Name, &ServiceEntry)> {
        self.applied.services.iter().chain(&self.mcp.services)
    }

    pub(super) fn workloads(&self) -> impl Iterator<Item = (&Name, &Workload)> {
        self.applied.workloads.iter().chain(&self.mcp.workloads)
    }

    pub(super) fn hosts(&self) -> BTreeSet<String> {
        self.services()
            .flat_map(|(_, entry)| entry.hosts.iter().cloned())
            .collect()
    }

    pub(super) fn mcp_versions(&self, kind: &str) -> Vec<(String, String)> {
        let of_kind = self.versions.iter().filter(|((known, _), _)| known == kind);
        of_kind
            .map(|((_, (ns, name)), version)| (format!("{ns}/{name}"), version.clone()))
            .collect()
    }

    /// Takes an answer of the source as the whole truth of its kind, as istiod does; gives the objects dropped.
    pub(super) fn replace(&mut self, kind: &str, resources: &[Vec<u8>]) -> Vec<String> {
        let mut dropped = Vec::new();
        let mut kept = BTreeSet::new();
        for bytes in resources {
            match self.take(kind, bytes) {
                Ok(name) => {
                    kept.insert(name);
                }
                Err((name, problem)) => {
                    // An update that is invalid leaves the old object; one that cannot be read counts as missing.
                    kept.extend(name.clone());
                    let name = name.map_or_else(String::new, |(ns, name)| format!("{ns}/{name} "));
                    dropped.push(format!("{kind} {name}{problem}"));
                }
            }
        }
        self.versions
            .retain(|(known, name), _| known != kind || kept.contains(name));
        match kind {
            "ServiceEntry" => self.mcp.services.retain(|name, _| kept.contains(name)),
            "WorkloadEntry" => self.mcp.workloads.retain(|name, _| kept.contains(name)),
            _ => {}
        }
        dropped
    }

    fn take(&mut self, kind: &str, bytes: &[u8]) -> Result<Name, (Option<Name>, String)> {
        let unreadable = |problem: String| (None, problem);
        let resource = wire::McpResource::decode(bytes).map_err(|error| unreadable(error.to_string()))?;
        let metadata = resource.metadata.unwrap_or_default();
        let Some((namespace, name)) = metadata
            .name
            .split_once('/')
            .filter(|(_, name)| !name.contains('/'))
        else {
            return Err(unreadable(format!("metadata.name {:?}", metadata.name)));
        };
        let name = (namespace.to_owned(), name.to_owned());
        let key = (kind.to_owned(), name.clone());
        let same = !metadata.version.is_empty() && self.versions.get(&key) == Some(&metadata.version);
        if same {
            return Ok(name);
        }
        let body = resource.body.unwrap_or_default();
        let expected = format!("type.googleapis.com/istio.networking.v1alpha3.{kind}");
        if body.type_url != expected {
            return Err(unreadable(format!("body of type {:?}", body.type_url)));
        }
        match kind {
            "ServiceEntry" => {
                let message = wire::ServiceEntry::decode(body.value.as_slice())
                    .map_err(|error| unreadable(error.to_string()))?;
                let entry = service_from_wire(message).map_err(|problem| (Some(name.clone()), problem))?;
                self.mcp.services.insert(name.clone(), entry);
            }
            "WorkloadEntry" => {
                let message = wire::WorkloadEntry::decode(body.value.as_slice())
                    .map_err(|error| unreadable(error.to_string()))?;
                let mut workload = workload_from_wire(message);
                workload.labels.extend(metadata.labels);
                self.mcp.workloads.insert(name.clone(), workload);
            }
            _ => return Err(unreadable("a kind that is not simulated".into())),
        }
        self.versions.insert(key, metadata.version);
        Ok(name)
    }
}

fn service_from_json(spec: &Value) -> Result<ServiceEntry, String> {
    let ports = spec["ports"].as_array().into_iter().flatten().map(|port| {
        let number = port["number"]
            .as_u64()
            .and_then(|number| u16::try_from(number).ok());
        Ok(Port {
            name: text(&port["name"]),
            number: number.ok_or("a port without a number")?,
            protocol: text(&port["protocol"]),
        })
    });
    let entry = ServiceEntry {
        hosts: spec["hosts"].as_array().into_iter().flatten().map(text).collect(),
        ports: ports.collect::<Result<_, String>>()?,
        resolution: match spec["resolution"].as_str() {
            Some("STATIC") => Resolution::Static,
            Some("DNS") => Resolution::Dns,
            _ => Resolution::None,
        },
        endpoints: spec["endpoints"]
            .as_array()
            .into_iter()
            .flatten()
            .map(workload_from_json)
            .collect::<Result<_, String>>()?,
        selector: spec["workloadSelector"]["labels"]
            .as_object()
            .map(|_| texts(&spec["workloadSelector"]["labels"])),
    };
    checked(entry)
}

/// A little of Istio's validation: enough to tell a test that it sent nonsense.
fn checked(entry: ServiceEntry) -> Result<ServiceEntry, String> {
    const PROTOCOLS: [&str; 7] = ["HTTP", "HTTP2", "GRPC", "GRPC-Web", "HTTPS", "TCP", "TLS"];
    if entry.hosts.is_empty() {
        return Err("no host".into());
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if let Some(host) = entry.hosts.iter().find(|host| !host.split('.').all(label)) {
        return Err(format!("invalid host {host:?}"));
    }
    if let Some(port) = entry
        .ports
        .iter()
        .find(|port| !PROTOCOLS.contains(&port.protocol.as_str()))
    {
        return Err(format!("unsupported protocol {:?}", port.protocol));
    }
    if entry.selector.is_some() && !entry.endpoints.is_empty() {
        return Err("only one of workloadSelector and endpoints may be set".into());
    }
    Ok(entry)
}

fn workload_from_json(spec: &Value) -> Result<Workload, String> {
    let ports = spec["ports"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, port)| {
            let port = port.as_u64().and_then(|port| u16::try_from(port).ok());
            Ok((name.clone(), port.ok_or("a workload port that is no port")?))
        });
    Ok(Workload {
        address: text(&spec["address"]),
        ports: ports.collect::<Result<_, String>>()?,
        labels: texts(&spec["labels"]),
        locality: text(&spec["locality"]),
        weight: spec["weight"]
            .as_u64()
            .and_then(|weight| u32::try_from(weight).ok())
            .unwrap_or(0),
    })
}

fn service_from_wire(message: wire::ServiceEntry) -> Result<ServiceEntry, String> {
    let ports = message.ports.into_iter().map(|port| {
        Ok(Port {
            name: port.name,
            number: u16::try_from(port.number).map_err(|_| "port out of range")?,
            protocol: port.protocol,
        })
    });
    checked(ServiceEntry {
        hosts: message.hosts,
        ports: ports.collect::<Result<_, String>>()?,
        resolution: match message.resolution {
            1 => Resolution::Static,
            2 | 3 => Resolution::Dns,
            _ => Resolution::None,
        },
        endpoints: message.endpoints.into_iter().map(workload_from_wire).collect(),
        selector: message
            .workload_selector
            .map(|selector| selector.labels.into_iter().collect()),
    })
}

fn workload_from_wire(message: wire::WorkloadEntry) -> Workload {
    let ports = message.ports.into_iter();
    Workload {
        address: message.address,
        ports: ports
            .filter_map(|(name, port)| Some((name, u16::try_from(port).ok()?)))
            .collect(),
        labels: message.labels.into_iter().collect(),
        locality: message.locality,
        weight: message.weight,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(super) fn texts(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), text(value))).collect()
}
