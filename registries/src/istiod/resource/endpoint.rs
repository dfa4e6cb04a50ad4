//! EDS: the endpoints of a cluster (Envoy's `ClusterLoadAssignment`).

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use prost013::Message as _;
use xds_api::pb::envoy::config::core::v3::address::Address as Kind;
use xds_api::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use xds_api::pb::envoy::config::core::v3::{HealthStatus, Locality};
use xds_api::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use xds_api::pb::envoy::config::endpoint::v3::{ClusterLoadAssignment, LbEndpoint};

use crate::istiod::resource::{ResourceError, invalid, metadata_text};
use crate::mesh_view::MeshEndpoint;

/// The name of an assignment and its endpoints.
pub fn parse(bytes: &[u8]) -> Result<(Arc<str>, Vec<MeshEndpoint>), ResourceError> {
    let proto = ClusterLoadAssignment::decode(bytes)?;
    if proto.cluster_name.is_empty() {
        return Err(ResourceError::Missing("cluster name"));
    }
    let endpoints = endpoints(&proto)?;
    Ok((proto.cluster_name.into(), endpoints))
}

/// The usable endpoints of an assignment: healthy or unknown, with an IP address.
///
/// Left out: unhealthy and draining ones, internal listeners, pipes and host names.
pub fn endpoints(proto: &ClusterLoadAssignment) -> Result<Vec<MeshEndpoint>, ResourceError> {
    let priorities: BTreeSet<u32> = proto.endpoints.iter().map(|group| group.priority).collect();
    let without_gap = (0u32..)
        .zip(&priorities)
        .all(|(expected, found)| expected == *found);
    if !without_gap {
        return Err(invalid("priority", format!("{priorities:?} has a gap")));
    }
    let mut endpoints = Vec::new();
    for group in &proto.endpoints {
        let locality: Arc<str> = group.locality.as_ref().map(locality).unwrap_or_default().into();
        for endpoint in &group.lb_endpoints {
            endpoints.extend(one(endpoint, group.priority, &locality)?);
        }
    }
    Ok(endpoints)
}

fn one(
    proto: &LbEndpoint,
    priority: u32,
    locality: &Arc<str>,
) -> Result<Option<MeshEndpoint>, ResourceError> {
    let Some(HostIdentifier::Endpoint(endpoint)) = &proto.host_identifier else {
        return Err(ResourceError::Missing("endpoint"));
    };
    let address = endpoint
        .address
        .as_ref()
        .and_then(|address| address.address.as_ref());
    let Some(address) = address else {
        return Err(ResourceError::Missing("endpoint address"));
    };
    let Kind::SocketAddress(address) = address else {
        return Ok(None);
    };
    let Some(PortSpecifier::PortValue(port)) = address.port_specifier else {
        return Ok(None);
    };
    let port = u16::try_from(port).map_err(|_| invalid("endpoint port", port))?;
    let Ok(ip) = address.address.parse::<IpAddr>() else {
        return Ok(None);
    };
    let usable = matches!(
        HealthStatus::try_from(proto.health_status),
        Ok(HealthStatus::Unknown | HealthStatus::Healthy | HealthStatus::Degraded) | Err(_)
    );
    if !usable || port == 0 {
        return Ok(None);
    }
    let metadata = proto.metadata.as_ref();
    // name;namespace;canonical name;revision;cluster
    let workload = metadata_text(metadata, "istio", "workload").unwrap_or_default();
    Ok(Some(MeshEndpoint {
        address: SocketAddr::new(ip, port),
        weight: proto
            .load_balancing_weight
            .as_ref()
            .map_or(1, |weight| weight.value)
            .max(1),
        priority,
        canonical: workload.split(';').nth(2).unwrap_or_default().into(),
        tls: metadata_text(metadata, "envoy.transport_socket_match", "tlsMode") == Some("istio"),
        locality: locality.clone(),
    }))
}

fn locality(proto: &Locality) -> String {
    let parts = [&proto.region, &proto.zone, &proto.sub_zone];
    let text = parts.map(String::as_str).join("/");
    text.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xds_api::pb::envoy::config::core::v3::{Address, EnvoyInternalAddress, Metadata, SocketAddress};
    use xds_api::pb::envoy::config::endpoint::v3::{Endpoint, LocalityLbEndpoints};
    use xds_api::pb::google::protobuf::{Struct, Value, value};

    fn at(address: &str, port: u32) -> LbEndpoint {
        LbEndpoint {
            host_identifier: Some(HostIdentifier::Endpoint(Endpoint {
                address: Some(Address {
                    address: Some(Kind::SocketAddress(SocketAddress {
                        address: address.into(),
                        port_specifier: Some(PortSpecifier::PortValue(port)),
                        ..SocketAddress::default()
                    })),
                }),
                ..Endpoint::default()
            })),
            ..LbEndpoint::default()
        }
    }

    fn text(filter: &str, field: &str, text: &str) -> (String, Struct) {
        let value = Value {
            kind: Some(value::Kind::StringValue(text.into())),
        };
        let fields = [(field.to_owned(), value)].into();
        (filter.to_owned(), Struct { fields })
    }

    fn assignment(groups: Vec<(u32, Vec<LbEndpoint>)>) -> ClusterLoadAssignment {
        let group = |(priority, lb_endpoints)| LocalityLbEndpoints {
            priority,
            lb_endpoints,
            locality: Some(Locality {
                region: "region1".into(),
                zone: "zone-a".into(),
                sub_zone: String::new(),
            }),
            ..LocalityLbEndpoints::default()
        };
        ClusterLoadAssignment {
            cluster_name: "c".into(),
            endpoints: groups.into_iter().map(group).collect(),
            ..ClusterLoadAssignment::default()
        }
    }

    #[test]
    fn reads_what_istiod_writes() {
        let filter_metadata = [
            text("istio", "workload", "a-0;dubbo;landbridge;v1;Kubernetes"),
            text("envoy.transport_socket_match", "tlsMode", "istio"),
        ];
        let marked = LbEndpoint {
            load_balancing_weight: Some(100.into()),
            metadata: Some(Metadata {
                filter_metadata: filter_metadata.into(),
                ..Metadata::default()
            }),
            ..at("10.0.3.4", 50052)
        };
        let (name, endpoints) =
            parse(&assignment(vec![(0, vec![marked]), (1, vec![at("fd00::1", 1)])]).encode_to_vec()).unwrap();
        assert_eq!(&*name, "c");
        let [first, second] = endpoints.as_slice() else {
            panic!("{endpoints:?}");
        };
        assert_eq!(first.address, "10.0.3.4:50052".parse().unwrap());
        assert_eq!(
            (&*first.canonical, first.weight, first.tls),
            ("landbridge", 100, true)
        );
        assert_eq!((&*first.locality, first.priority), ("region1/zone-a", 0));
        assert_eq!((second.weight, second.priority, second.tls), (1, 1, false));
    }

    #[test]
    fn leaves_out_what_it_cannot_call() {
        let internal = LbEndpoint {
            host_identifier: Some(HostIdentifier::Endpoint(Endpoint {
                address: Some(Address {
                    address: Some(Kind::EnvoyInternalAddress(EnvoyInternalAddress::default())),
                }),
                ..Endpoint::default()
            })),
            ..LbEndpoint::default()
        };
        let health = |status: HealthStatus| LbEndpoint {
            health_status: status.into(),
            ..at("10.0.0.9", 1)
        };
        let left_out = vec![
            internal,
            at("name.example", 1),
            at("10.0.0.9", 0),
            health(HealthStatus::Unhealthy),
            health(HealthStatus::Draining),
        ];
        assert_eq!(endpoints(&assignment(vec![(0, left_out)])).unwrap(), []);
    }

    #[test]
    fn refuses_what_cannot_be_used() {
        for (proto, words) in [
            (assignment(vec![(0, vec![]), (2, vec![])]), "gap"),
            (assignment(vec![(0, vec![LbEndpoint::default()])]), "no endpoint"),
            (assignment(vec![(0, vec![at("10.0.0.1", 70000)])]), "port"),
        ] {
            let error = endpoints(&proto).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(parse(&[]).is_err());
    }
}
