//! Istio's own rules, checked before an object is sent (its `pkg/config/validation`).
//!
//! istiod drops a bad object that comes by MCP with no more than a line in its log, and publishes one that comes through
//! the Kubernetes API as a broken cluster to the whole mesh (seen, fact 24): nobody else checks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::istiod::names;
use crate::publish::{MeshRecords, ServiceEntry, Workload, WorkloadEntry};

/// The protocols that Istio knows.
const PROTOCOLS: [&str; 12] = [
    "HTTP",
    "HTTP2",
    "GRPC",
    "GRPC-Web",
    "HTTPS",
    "TCP",
    "TLS",
    "UDP",
    "Mongo",
    "Redis",
    "MySQL",
    "HTTP_PROXY",
];
const MAX_ENDPOINTS: usize = 4096;
const MAX_PORTS: usize = 256;
/// etcd takes 1.5 MB an object; annotations of the API server's own come on top.
const MAX_BYTES: usize = 1 << 20;

/// Splits records into those that Istio takes and the reasons against the others, by object.
pub fn split(records: &MeshRecords) -> (MeshRecords, BTreeMap<String, String>) {
    let mut good = MeshRecords::default();
    let mut bad = BTreeMap::new();
    let mut hosts: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, entry) in &records.services {
        let checked = service(name, entry).and_then(|()| match hosts.get(entry.host.as_str()) {
            Some(other) => Err(format!("host {:?} is already that of {other}", entry.host)),
            None => Ok(()),
        });
        match checked {
            Ok(()) => {
                hosts.insert(&entry.host, name);
                good.services.insert(name.clone(), entry.clone());
            }
            Err(reason) => {
                bad.insert(format!("ServiceEntry {name}"), reason);
            }
        }
    }
    for (name, entry) in &records.workloads {
        match workload_entry(name, entry) {
            Ok(()) => {
                good.workloads.insert(name.clone(), entry.clone());
            }
            Err(reason) => {
                bad.insert(format!("WorkloadEntry {name}"), reason);
            }
        }
    }
    (good, bad)
}

/// Whether Istio takes a ServiceEntry; the reason if not.
pub fn service(name: &str, entry: &ServiceEntry) -> Result<(), String> {
    object(name, &entry.labels, &entry.annotations)?;
    if !names::is_host(&entry.host) {
        return Err(format!("host {:?} is no DNS name in lower case", entry.host));
    }
    ports(entry)?;
    if !entry.selector.is_empty() && !entry.endpoints.is_empty() {
        return Err("both endpoints and a workload selector".into());
    }
    for (key, value) in &entry.selector {
        label(key, value)?;
        if value.is_empty() {
            return Err(format!("selector {key:?} has no value"));
        }
    }
    if entry.endpoints.len() > MAX_ENDPOINTS {
        return Err(format!(
            "{} endpoints, more than {MAX_ENDPOINTS}",
            entry.endpoints.len()
        ));
    }
    for endpoint in &entry.endpoints {
        workload(endpoint)?;
        let known = |name: &String| entry.ports.iter().any(|port| port.name == *name);
        if let Some(unknown) = endpoint.ports.keys().find(|name| !known(name)) {
            return Err(format!(
                "endpoint {}: no service port {unknown:?}",
                endpoint.address
            ));
        }
    }
    for namespace in &entry.export_to {
        if !matches!(namespace.as_str(), "*" | "." | "~") && !names::is_label(namespace) {
            return Err(format!("exportTo {namespace:?} is no namespace"));
        }
    }
    if entry.subject_alt_names.iter().any(String::is_empty) {
        return Err("an empty subject alternative name".into());
    }
    let size = entry
        .endpoints
        .len()
        .saturating_mul(64)
        .saturating_add(bytes(entry));
    if size > MAX_BYTES {
        return Err(format!("{size} bytes, more than an object may have"));
    }
    Ok(())
}

/// Whether Istio takes a WorkloadEntry; the reason if not.
pub fn workload_entry(name: &str, entry: &WorkloadEntry) -> Result<(), String> {
    object(name, &entry.labels, &entry.annotations)?;
    if entry.workload.labels.is_empty() && entry.labels.is_empty() {
        return Err("no label that a service could select it by".into());
    }
    workload(&entry.workload)
}

fn object(
    name: &str,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Result<(), String> {
    // Names may end in digits where hosts may not.
    let subdomain = name.len() <= 253
        && name
            .split('.')
            .all(|part| part.len() <= 253 && is_name_part(part));
    if !subdomain {
        return Err(format!("{name:?} is no object name"));
    }
    for (key, value) in labels {
        label(key, value)?;
    }
    for key in annotations.keys() {
        label_key(key)?;
    }
    Ok(())
}

/// A part of an object's name: like a DNS label, but as long as the whole name may be.
fn is_name_part(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    edge(text.chars().next()) && edge(text.chars().last()) && text.chars().all(inner)
}

fn ports(entry: &ServiceEntry) -> Result<(), String> {
    if entry.ports.is_empty() || entry.ports.len() > MAX_PORTS {
        return Err(format!("{} ports, not 1 to {MAX_PORTS}", entry.ports.len()));
    }
    let (mut numbers, mut ports) = (BTreeSet::new(), BTreeSet::new());
    for port in &entry.ports {
        if !names::is_label(&port.name) {
            return Err(format!("port name {:?} is no DNS label", port.name));
        }
        if port.number == 0 {
            return Err(format!("port {:?} is 0", port.name));
        }
        if !PROTOCOLS.contains(&port.protocol.as_str()) {
            return Err(format!(
                "port {:?}: Istio knows no protocol {:?}",
                port.name, port.protocol
            ));
        }
        if !numbers.insert(port.number) || !ports.insert(&port.name) {
            return Err(format!("port {:?} or its number is there twice", port.name));
        }
    }
    Ok(())
}

fn workload(workload: &Workload) -> Result<(), String> {
    let address = workload.address;
    let usable = match address {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    if !usable {
        return Err(format!("address {address} cannot be called"));
    }
    for (name, port) in &workload.ports {
        if !names::is_label(name) || *port == 0 {
            return Err(format!("workload port {name:?} {port} is not usable"));
        }
    }
    for (key, value) in &workload.labels {
        label(key, value)?;
    }
    let parts = workload.locality.split('/');
    if !workload.locality.is_empty()
        && (parts.clone().count() > 3 || parts.clone().any(|part| part.is_empty() || part == "*"))
    {
        return Err(format!(
            "locality {:?} is not region/zone/subzone",
            workload.locality
        ));
    }
    Ok(())
}

/// Kubernetes' rules of label syntax.
fn label(key: &str, value: &str) -> Result<(), String> {
    label_key(key)?;
    if value.len() > 63 || !(value.is_empty() || is_label_text(value)) {
        return Err(format!("label {key:?} cannot have the value {value:?}"));
    }
    Ok(())
}

fn label_key(key: &str) -> Result<(), String> {
    let (prefix, name) = key
        .split_once('/')
        .map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let prefix_is_fine =
        prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(names::is_label));
    if !prefix_is_fine || name.len() > 63 || !is_label_text(name) {
        return Err(format!("{key:?} is no label or annotation key"));
    }
    Ok(())
}

fn is_label_text(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    edge(text.chars().next()) && edge(text.chars().last()) && text.chars().all(inner)
}

/// The texts of an object, in bytes.
fn bytes(entry: &ServiceEntry) -> usize {
    let map = |map: &BTreeMap<String, String>| map.iter().map(|(k, v)| k.len() + v.len() + 8).sum::<usize>();
    let endpoints = entry.endpoints.iter();
    let endpoints = endpoints.map(|one| map(&one.labels) + one.locality.len() + one.ports.len() * 32);
    map(&entry.labels)
        + map(&entry.annotations)
        + endpoints.sum::<usize>()
        + entry
            .export_to
            .iter()
            .chain(&entry.subject_alt_names)
            .map(|text| text.len() + 4)
            .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::ServicePort;

    fn good() -> ServiceEntry {
        ServiceEntry {
            labels: BTreeMap::from([("app.kubernetes.io/managed-by".into(), "landbridge".into())]),
            annotations: BTreeMap::from([("landbridge.dev/service-key".into(), "g/a.B:1.0 any text".into())]),
            host: "a.b.dubbo".into(),
            ports: vec![ServicePort {
                name: "grpc-tri".into(),
                number: 50051,
                protocol: "GRPC".into(),
            }],
            selector: BTreeMap::from([("landbridge.dev/installation".into(), "shop".into())]),
            ..ServiceEntry::default()
        }
    }

    fn endpoint() -> Workload {
        Workload {
            address: [10, 0, 0, 1].into(),
            ports: BTreeMap::from([("grpc-tri".into(), 20000)]),
            labels: BTreeMap::new(),
            locality: "r/z".into(),
            weight: 1,
        }
    }

    #[test]
    fn takes_what_istio_takes() {
        assert_eq!(service("a-b-dubbo-0123abcd", &good()), Ok(()));
        let direct = ServiceEntry {
            selector: BTreeMap::new(),
            endpoints: vec![endpoint()],
            ..good()
        };
        assert_eq!(service("x", &direct), Ok(()));
    }

    #[test]
    fn refuses_what_istio_drops_or_breaks_on() {
        type Break = fn(&mut ServiceEntry);
        type BreakWorkload = fn(&mut Workload);
        let direct = |entry: &mut ServiceEntry, change: fn(&mut Workload)| {
            let mut one = endpoint();
            change(&mut one);
            entry.selector.clear();
            entry.endpoints.push(one);
        };
        let rows: [(Break, &str); 12] = [
            (|e| e.host = "Bad_Host!".into(), "host"),
            (|e| e.host = "a.123".into(), "host"),
            (|e| e.ports[0].protocol = "dubbo".into(), "protocol \"dubbo\""),
            (|e| e.ports[0].name = "Tri".into(), "DNS label"),
            (|e| e.ports[0].number = 0, "is 0"),
            (|e| e.ports.push(e.ports[0].clone()), "twice"),
            (|e| e.ports.clear(), "0 ports"),
            (
                |e| {
                    e.labels.insert("a b".into(), "c".into());
                },
                "label or annotation key",
            ),
            (
                |e| {
                    e.labels.insert("a".into(), "b,c".into());
                },
                "cannot have the value",
            ),
            (|e| e.export_to.push("Not A Namespace".into()), "exportTo"),
            (|e| e.subject_alt_names.push(String::new()), "empty subject"),
            (
                |e| {
                    e.annotations.insert("big".into(), "x".repeat(2 << 20));
                },
                "bytes",
            ),
        ];
        for (change, words) in rows {
            let mut entry = good();
            change(&mut entry);
            let reason = service("x", &entry).unwrap_err();
            assert!(reason.contains(words), "{reason}");
        }
        let rows: [(BreakWorkload, &str); 5] = [
            (|w| w.address = [0, 0, 0, 0].into(), "cannot be called"),
            (
                |w| {
                    w.ports.insert("other".into(), 1);
                },
                "no service port \"other\"",
            ),
            (
                |w| {
                    w.ports.insert("grpc-tri".into(), 0);
                },
                "not usable",
            ),
            (|w| w.locality = "a//b".into(), "locality"),
            (
                |w| {
                    w.labels.insert("dubbo-tag".into(), "a;b".into());
                },
                "cannot have the value",
            ),
        ];
        for (change, words) in rows {
            let mut entry = good();
            direct(&mut entry, change);
            let reason = service("x", &entry).unwrap_err();
            assert!(reason.contains(words), "{reason}");
        }
        let both = ServiceEntry {
            endpoints: vec![endpoint()],
            ..good()
        };
        assert!(service("x", &both).unwrap_err().contains("both"));
        assert!(service("Bad Name", &good()).unwrap_err().contains("object name"));
    }

    #[test]
    fn sets_offenders_aside_and_lets_the_rest_go_out() {
        let mut records = MeshRecords::default();
        records.services.insert("a".into(), good());
        records.services.insert("b".into(), good());
        let bad = ServiceEntry {
            host: "_".into(),
            ..good()
        };
        records.services.insert("c".into(), bad);
        let (good, reasons) = split(&records);
        assert_eq!(good.services.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(reasons.len(), 2);
        assert!(
            reasons["ServiceEntry b"].contains("already that of a"),
            "{reasons:?}"
        );
    }
}
