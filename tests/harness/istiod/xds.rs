//! Objects to xDS resources, in the shapes of the real istiod.

mod rules;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use serde_json::Value;
use xds_api::pb::envoy::config::cluster::v3 as cds;
use xds_api::pb::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, CommonLbConfig, DiscoveryType, EdsClusterConfig, LbPolicy,
};
use xds_api::pb::envoy::config::core::v3 as core;
use xds_api::pb::envoy::config::endpoint::v3 as eds;
use xds_api::pb::envoy::config::route::v3 as rds;
use xds_api::pb::google::protobuf::{self, Any, UInt32Value};

use super::Kind;
use super::store::{Name, Port, Resolution, ServiceEntry, Store, Workload, texts};
use super::wire;

/// Clusters that every node gets.
pub(super) const STATIC: [&str; 3] = [
    "BlackHoleCluster",
    "InboundPassthroughCluster",
    "PassthroughCluster",
];

/// A resource; compared as a message, because its maps have no order on the wire.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resource {
    Cluster(Box<cds::Cluster>),
    Endpoints(eds::ClusterLoadAssignment),
    Routes(Box<rds::RouteConfiguration>),
    /// Bytes that are no message.
    Broken,
}

impl Resource {
    pub(super) fn bytes(&self) -> Vec<u8> {
        use prost013::Message as _;
        match self {
            Self::Cluster(message) => message.encode_to_vec(),
            Self::Endpoints(message) => message.encode_to_vec(),
            Self::Routes(message) => message.encode_to_vec(),
            Self::Broken => vec![0xff, 0xff, 0xff],
        }
    }
}

pub(super) fn type_url(kind: Kind) -> &'static str {
    match kind {
        Kind::Cds => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        Kind::Eds => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        Kind::Rds => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    }
}

pub(super) fn kind_of(url: &str) -> Option<Kind> {
    [Kind::Cds, Kind::Eds, Kind::Rds]
        .into_iter()
        .find(|kind| type_url(*kind) == url)
}

/// The store by host name, for one pass over all names.
struct Index<'a> {
    store: &'a Store,
    /// The first by namespace and name: istiod takes exactly one.
    services: HashMap<String, (&'a Name, &'a ServiceEntry)>,
    destination_rules: HashMap<&'a str, &'a Value>,
    virtual_services: HashMap<String, &'a Value>,
}

impl<'a> Index<'a> {
    fn new(store: &'a Store) -> Self {
        let mut services = HashMap::new();
        for (name, entry) in store.services() {
            for host in &entry.hosts {
                services.entry(host.to_ascii_lowercase()).or_insert((name, entry));
            }
        }
        let mut destination_rules = HashMap::new();
        for spec in store.destination_rules.values() {
            destination_rules
                .entry(spec["host"].as_str().unwrap_or_default())
                .or_insert(spec);
        }
        let mut virtual_services = HashMap::new();
        for spec in store.virtual_services.values() {
            for host in spec["hosts"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                virtual_services.entry(host.to_ascii_lowercase()).or_insert(spec);
            }
        }
        Self {
            store,
            services,
            destination_rules,
            virtual_services,
        }
    }

    fn service(&self, host: &str) -> Option<(&'a Name, &'a ServiceEntry)> {
        self.services.get(&host.to_ascii_lowercase()).copied()
    }

    fn destination_rule(&self, host: &str) -> Option<&'a Value> {
        self.destination_rules.get(host).copied()
    }

    fn virtual_service(&self, host: &str) -> Option<&'a Value> {
        self.virtual_services.get(&host.to_ascii_lowercase()).copied()
    }
}

/// The resources of a type that a client with these names gets.
pub(super) fn resources(store: &Store, kind: Kind, names: &BTreeSet<String>) -> BTreeMap<String, Resource> {
    let index = Index::new(store);
    match kind {
        Kind::Cds => clusters(&index),
        Kind::Eds => {
            let sets = names
                .iter()
                .map(|name| (name.clone(), Resource::Endpoints(endpoints(&index, name))));
            sets.collect()
        }
        Kind::Rds => {
            let rules = names.iter().map(|name| {
                (
                    name.clone(),
                    Resource::Routes(Box::new(rules::routes(&index, name))),
                )
            });
            rules.collect()
        }
    }
}

fn clusters(index: &Index<'_>) -> BTreeMap<String, Resource> {
    let mut clusters: BTreeMap<String, Resource> = STATIC
        .into_iter()
        .map(|name| {
            let cluster = cds::Cluster {
                name: name.into(),
                connect_timeout: seconds(10),
                ..cds::Cluster::default()
            };
            (name.to_owned(), Resource::Cluster(Box::new(cluster)))
        })
        .collect();
    for (host, (_, entry)) in &index.services {
        let rule = index.destination_rule(host);
        let policy = rule.map_or(&Value::Null, |rule| &rule["trafficPolicy"]);
        for port in &entry.ports {
            let mut add = |subset: &str, policies: [&Value; 2]| {
                let cluster = cluster(entry, host, port, subset, policies);
                clusters.insert(cluster.name.clone(), Resource::Cluster(Box::new(cluster)));
            };
            add("", [&Value::Null, policy]);
            for subset in rule
                .into_iter()
                .flat_map(|rule| rule["subsets"].as_array())
                .flatten()
            {
                add(
                    subset["name"].as_str().unwrap_or_default(),
                    [&subset["trafficPolicy"], policy],
                );
            }
        }
    }
    clusters
}

/// The policies are a subset's own and the rule's: the first that has a part gives it.
fn cluster(
    entry: &ServiceEntry,
    host: &str,
    port: &Port,
    subset: &str,
    policies: [&Value; 2],
) -> cds::Cluster {
    let name = format!("outbound|{}|{subset}|{}", port.number, host.to_ascii_lowercase());
    let part = |key: &str| {
        policies
            .iter()
            .map(|policy| &policy[key])
            .find(|part| !part.is_null())
    };
    let pool = part("connectionPool").unwrap_or(&Value::Null);
    let limit = |value: &Value| Some(number(value).unwrap_or(u32::MAX).into());
    let thresholds = cds::circuit_breakers::Thresholds {
        max_connections: limit(&pool["tcp"]["maxConnections"]),
        max_pending_requests: limit(&pool["http"]["http1MaxPendingRequests"]),
        max_requests: limit(&pool["http"]["http2MaxRequests"]),
        max_retries: limit(&pool["http"]["maxRetries"]),
        track_remaining: true,
        ..cds::circuit_breakers::Thresholds::default()
    };
    let outlier = part("outlierDetection").map(outlier);
    let discovery = match entry.resolution {
        Resolution::Static => DiscoveryType::Eds,
        Resolution::Dns => DiscoveryType::StrictDns,
        Resolution::None => DiscoveryType::OriginalDst,
    };
    let mut options = HashMap::new();
    if matches!(port.protocol.as_str(), "GRPC" | "HTTP2" | "GRPC-Web") {
        let kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        let message = wire::HttpProtocolOptions {
            explicit: Some(wire::ExplicitHttp {
                http2: Some(wire::Nothing {}),
            }),
        };
        let any = Any {
            type_url: format!("type.googleapis.com/{kind}"),
            value: prost::Message::encode_to_vec(&message),
        };
        options.insert(kind.to_owned(), any);
    }
    cds::Cluster {
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(discovery.into())),
        eds_cluster_config: (discovery == DiscoveryType::Eds).then(|| EdsClusterConfig {
            service_name: name.clone(),
            ..EdsClusterConfig::default()
        }),
        connect_timeout: pool["tcp"]["connectTimeout"]
            .as_str()
            .and_then(duration)
            .or(seconds(10)),
        lb_policy: match entry.resolution {
            Resolution::None => LbPolicy::ClusterProvided,
            Resolution::Static | Resolution::Dns => lb_policy(part("loadBalancer").unwrap_or(&Value::Null)),
        }
        .into(),
        circuit_breakers: Some(cds::CircuitBreakers {
            thresholds: vec![thresholds],
            ..cds::CircuitBreakers::default()
        }),
        common_lb_config: outlier.is_some().then(|| CommonLbConfig {
            healthy_panic_threshold: Some(Default::default()),
            ..CommonLbConfig::default()
        }),
        outlier_detection: outlier,
        typed_extension_protocol_options: options,
        // A client must live with filters it does not know.
        filters: vec![cds::Filter {
            name: "istio.metadata_exchange".into(),
            typed_config: Some(Any {
                type_url: "type.googleapis.com/udpa.type.v1.TypedStruct".into(),
                value: Vec::new(),
            }),
            ..cds::Filter::default()
        }],
        name,
        ..cds::Cluster::default()
    }
}

fn lb_policy(balancer: &Value) -> LbPolicy {
    if !balancer["consistentHash"].is_null() {
        return LbPolicy::RingHash;
    }
    match balancer["simple"].as_str() {
        Some("ROUND_ROBIN") => LbPolicy::RoundRobin,
        Some("RANDOM") => LbPolicy::Random,
        Some("PASSTHROUGH") => LbPolicy::ClusterProvided,
        _ => LbPolicy::LeastRequest,
    }
}

fn outlier(spec: &Value) -> cds::OutlierDetection {
    let enforced = |value: Option<u32>| -> Option<UInt32Value> {
        value.map(|value| if value > 0 { 100.into() } else { 0.into() })
    };
    let errors = number(&spec["consecutive5xxErrors"]);
    let gateway = number(&spec["consecutiveGatewayErrors"]);
    cds::OutlierDetection {
        consecutive_5xx: errors.map(Into::into),
        enforcing_consecutive_5xx: enforced(errors),
        consecutive_gateway_failure: gateway.map(Into::into),
        enforcing_consecutive_gateway_failure: enforced(gateway),
        enforcing_success_rate: Some(0.into()),
        interval: spec["interval"].as_str().and_then(duration),
        base_ejection_time: spec["baseEjectionTime"].as_str().and_then(duration),
        max_ejection_percent: number(&spec["maxEjectionPercent"]).map(Into::into),
        ..cds::OutlierDetection::default()
    }
}

/// An endpoint with the names that its workload string carries.
struct Found<'a> {
    workload: &'a Workload,
    name: String,
    namespace: &'a str,
}

/// A name that is no cluster, or no longer one, has no endpoints; it is never "removed" (fact 19).
fn endpoints(index: &Index<'_>, cluster: &str) -> eds::ClusterLoadAssignment {
    let mut assignment = eds::ClusterLoadAssignment {
        cluster_name: cluster.to_owned(),
        ..eds::ClusterLoadAssignment::default()
    };
    let parts: Vec<&str> = cluster.split('|').collect();
    let ["outbound", port, subset, host] = parts.as_slice() else {
        return assignment;
    };
    let Some(((namespace, service), entry)) = index.service(host) else {
        return assignment;
    };
    let Some(port) = entry
        .ports
        .iter()
        .find(|known| known.number.to_string() == **port)
    else {
        return assignment;
    };
    let labels = match subset_labels(index, host, subset) {
        Some(labels) => labels,
        None => return assignment,
    };
    let found: Vec<Found<'_>> = match &entry.selector {
        Some(selector) => {
            let all = index
                .store
                .workloads()
                .filter(|((known, _), _)| known == namespace);
            let selected = all.filter(|(_, workload)| has_all(&workload.labels, selector));
            let found = selected.map(|((namespace, name), workload)| Found {
                workload,
                name: name.clone(),
                namespace,
            });
            found.collect()
        }
        None => {
            let inline = entry.endpoints.iter().enumerate().map(|(index, workload)| Found {
                workload,
                name: format!("{service}-{index}"),
                namespace,
            });
            inline.collect()
        }
    };
    let mut groups: BTreeMap<&str, Vec<eds::LbEndpoint>> = BTreeMap::new();
    for one in found.iter().filter(|one| has_all(&one.workload.labels, &labels)) {
        // A host name under STATIC is dropped without a word.
        if one.workload.address.parse::<IpAddr>().is_ok() {
            groups
                .entry(&one.workload.locality)
                .or_default()
                .push(endpoint(one, port));
        }
    }
    assignment.endpoints = groups
        .into_iter()
        .map(|(locality, members)| group(locality, members))
        .collect();
    assignment
}

/// `None` for a subset that no rule has.
fn subset_labels(index: &Index<'_>, host: &str, subset: &str) -> Option<BTreeMap<String, String>> {
    if subset.is_empty() {
        return Some(BTreeMap::new());
    }
    let subsets = index.destination_rule(host)?["subsets"].as_array()?;
    let subset = subsets
        .iter()
        .find(|known| known["name"].as_str() == Some(subset))?;
    Some(texts(&subset["labels"]))
}

fn has_all(labels: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

fn group(locality: &str, members: Vec<eds::LbEndpoint>) -> eds::LocalityLbEndpoints {
    let mut parts = locality.splitn(3, '/').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    let weight: u32 = members
        .iter()
        .filter_map(|one| Some(one.load_balancing_weight.as_ref()?.value))
        .sum();
    eds::LocalityLbEndpoints {
        locality: Some(core::Locality {
            region: part(),
            zone: part(),
            sub_zone: part(),
        }),
        lb_endpoints: members,
        load_balancing_weight: Some(weight.into()),
        ..eds::LocalityLbEndpoints::default()
    }
}

fn endpoint(found: &Found<'_>, port: &Port) -> eds::LbEndpoint {
    let Found {
        workload,
        name,
        namespace,
    } = found;
    let label = |keys: &[&str]| {
        keys.iter()
            .find_map(|key| workload.labels.get(*key))
            .map_or("", String::as_str)
    };
    let canonical = label(&["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]);
    let revision = label(&[
        "service.istio.io/canonical-revision",
        "app.kubernetes.io/version",
        "version",
    ]);
    let text = format!("{name};{namespace};{canonical};{revision};Kubernetes");
    let mut metadata = HashMap::from([("istio".to_owned(), structure("workload", &text))]);
    if label(&["security.istio.io/tlsMode"]) == "istio" {
        metadata.insert(
            "envoy.transport_socket_match".to_owned(),
            structure("tlsMode", "istio"),
        );
    }
    let number = workload.ports.get(&port.name).copied().unwrap_or(port.number);
    let address = core::SocketAddress {
        address: workload.address.clone(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(number.into())),
        ..core::SocketAddress::default()
    };
    eds::LbEndpoint {
        host_identifier: Some(eds::lb_endpoint::HostIdentifier::Endpoint(eds::Endpoint {
            address: Some(core::Address {
                address: Some(core::address::Address::SocketAddress(address)),
            }),
            ..eds::Endpoint::default()
        })),
        load_balancing_weight: Some(workload.weight.max(1).into()),
        metadata: Some(core::Metadata {
            filter_metadata: metadata,
            ..core::Metadata::default()
        }),
        ..eds::LbEndpoint::default()
    }
}

fn structure(field: &str, text: &str) -> protobuf::Struct {
    let value = protobuf::Value {
        kind: Some(protobuf::value::Kind::StringValue(text.to_owned())),
    };
    protobuf::Struct {
        fields: HashMap::from([(field.to_owned(), value)]),
    }
}

fn seconds(seconds: i64) -> Option<protobuf::Duration> {
    Some(protobuf::Duration { seconds, nanos: 0 })
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|value| u32::try_from(value).ok())
}

/// A duration as Istio writes it: `1.5s`, `200ms`, `1m`.
fn duration(text: &str) -> Option<protobuf::Duration> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (value, unit) = text.split_at(unit);
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let time = std::time::Duration::try_from_secs_f64(value.parse::<f64>().ok()? * factor).ok()?;
    time.try_into().ok()
}
