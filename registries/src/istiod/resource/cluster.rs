//! CDS: the policy of a cluster (Envoy's `config.cluster.v3.Cluster`).

use std::sync::Arc;
use std::time::Duration;

use prost013::Message as _;
use xds_api::pb::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, DiscoveryType, LbConfig, LbPolicy,
};
use xds_api::pb::envoy::config::cluster::v3::{CircuitBreakers, Cluster as Proto};
use xds_api::pb::google::protobuf::{self, UInt32Value};

use crate::directory::{Balance, Outlier};
use crate::istiod::resource::{ResourceError, duration, endpoint, invalid};
use crate::istiod::wire;
use crate::mesh_view::{HostPort, MeshEndpoint};

const MAX_RING: u64 = 8 << 20;
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// A cluster without its endpoints.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// `outbound|50051|v1|host`.
    pub name: Arc<str>,
    /// Host and port of its name.
    pub host: HostPort,
    /// The subset of its name; empty for the plain cluster.
    pub subset: Arc<str>,
    /// Whether it takes HTTP/2: a GRPC, HTTP2 or auto-detected port.
    pub http2: bool,
    /// Where its endpoints come from.
    pub endpoints: Source,
    /// How one is picked.
    pub balance: Balance,
    /// The most time to connect.
    pub connect_timeout: Duration,
    /// The most calls in flight.
    pub max_requests: u32,
    /// When an endpoint is taken out.
    pub outlier: Option<Outlier>,
}

/// Where a cluster's endpoints come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// EDS, under this name.
    Eds(Arc<str>),
    /// The cluster itself; names are left out, because nobody resolves them yet.
    Inline(Vec<MeshEndpoint>),
    /// The call's original destination, or a kind we do not know: it has none for us.
    None,
}

/// Reads a cluster. `Ok(None)` for those that are not `outbound|port|subset|host`, which nobody asks for.
pub fn parse(bytes: &[u8]) -> Result<Option<Cluster>, ResourceError> {
    let proto = Proto::decode(bytes)?;
    if proto.name.is_empty() {
        return Err(ResourceError::Missing("cluster name"));
    }
    let Some((host, subset)) = split_name(&proto.name) else {
        return Ok(None);
    };
    Ok(Some(Cluster {
        host,
        subset: subset.into(),
        http2: speaks_http2(&proto),
        endpoints: source(&proto)?,
        balance: balance(&proto)?,
        // Envoy's default; istiod always writes one.
        connect_timeout: match &proto.connect_timeout {
            Some(value) => duration("connect_timeout", value)?,
            None => Duration::from_secs(5),
        },
        max_requests: max_requests(proto.circuit_breakers.as_ref()),
        outlier: outlier(&proto)?,
        name: proto.name.into(),
    }))
}

/// Host and subset of `outbound|port|subset|host`.
pub fn split_name(name: &str) -> Option<(HostPort, &str)> {
    let mut parts = name.split('|');
    let (direction, port, subset, host) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if direction != "outbound" || host.is_empty() || parts.next().is_some() {
        return None;
    }
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    Some((HostPort::new(host, port), subset))
}

fn speaks_http2(proto: &Proto) -> bool {
    #[allow(deprecated, reason = "older control planes still write it")]
    if proto.http2_protocol_options.is_some() {
        return true;
    }
    let options = proto.typed_extension_protocol_options.get(HTTP_OPTIONS);
    let options = options.and_then(|any| wire::HttpProtocolOptions::decode(any.value.as_slice()).ok());
    options.is_some_and(|options| {
        options.as_downstream.is_some() || options.explicit.is_some_and(|explicit| explicit.http2.is_some())
    })
}

fn source(proto: &Proto) -> Result<Source, ResourceError> {
    let kind = match proto.cluster_discovery_type {
        Some(ClusterDiscoveryType::Type(kind)) => DiscoveryType::try_from(kind).ok(),
        Some(ClusterDiscoveryType::ClusterType(_)) => None,
        None => Some(DiscoveryType::Static),
    };
    Ok(match kind {
        Some(DiscoveryType::Eds) => {
            let name = proto
                .eds_cluster_config
                .as_ref()
                .map(|eds| eds.service_name.as_str());
            let name = name.filter(|name| !name.is_empty()).unwrap_or(&proto.name);
            Source::Eds(name.into())
        }
        Some(DiscoveryType::Static | DiscoveryType::StrictDns | DiscoveryType::LogicalDns) => {
            match &proto.load_assignment {
                Some(assignment) => Source::Inline(endpoint::endpoints(assignment)?),
                None => Source::Inline(Vec::new()),
            }
        }
        Some(DiscoveryType::OriginalDst) | None => Source::None,
    })
}

fn balance(proto: &Proto) -> Result<Balance, ResourceError> {
    if let Some(LbConfig::RingHashLbConfig(ring)) = &proto.lb_config {
        let sizes = [&ring.minimum_ring_size, &ring.maximum_ring_size];
        if sizes.into_iter().flatten().any(|size| size.value > MAX_RING) {
            return Err(invalid("ring size", "above 8 Mi"));
        }
    }
    Ok(match LbPolicy::try_from(proto.lb_policy) {
        Ok(LbPolicy::RoundRobin) => Balance::RoundRobin,
        Ok(LbPolicy::Random) => Balance::Random,
        // Maglev hashes as well: the same key meets the same endpoint.
        Ok(LbPolicy::RingHash | LbPolicy::Maglev) => Balance::RingHash,
        Ok(LbPolicy::LeastRequest | LbPolicy::ClusterProvided | LbPolicy::LoadBalancingPolicyConfig)
        | Err(_) => Balance::LeastRequest,
    })
}

fn max_requests(breakers: Option<&CircuitBreakers>) -> u32 {
    const ENVOY_DEFAULT: u32 = 1024;
    let Some(breakers) = breakers else {
        return ENVOY_DEFAULT;
    };
    // Priority 0 is DEFAULT; HIGH is never used here.
    let threshold = breakers
        .thresholds
        .iter()
        .find(|threshold| threshold.priority == 0);
    let value = threshold.and_then(|threshold| threshold.max_requests.as_ref());
    value.map_or(ENVOY_DEFAULT, |value| value.value)
}

/// The consecutive counters; the statistical ones are always off in Istio.
fn outlier(cluster: &Proto) -> Result<Option<Outlier>, ResourceError> {
    let Some(proto) = &cluster.outlier_detection else {
        return Ok(None);
    };
    let number =
        |value: &Option<UInt32Value>, default: u32| value.as_ref().map_or(default, |value| value.value);
    // A counter that is watched but never acted upon is one that we do not keep.
    let enforced = |failures: u32, enforcing: u32| if enforcing > 0 { failures } else { 0 };
    let time = |field, value: &Option<protobuf::Duration>, default| match value {
        Some(value) => duration(field, value),
        None => Ok(default),
    };
    let defaults = Outlier::default();
    let consecutive = enforced(
        number(&proto.consecutive_5xx, defaults.consecutive),
        number(&proto.enforcing_consecutive_5xx, 100),
    );
    let consecutive_gateway = enforced(
        number(&proto.consecutive_gateway_failure, 5),
        number(&proto.enforcing_consecutive_gateway_failure, 0),
    );
    if consecutive == 0 && consecutive_gateway == 0 {
        return Ok(None);
    }
    let base = time("base_ejection_time", &proto.base_ejection_time, defaults.base)?;
    Ok(Some(Outlier {
        consecutive,
        consecutive_gateway,
        interval: time("interval", &proto.interval, defaults.interval)?,
        base,
        max: time(
            "max_ejection_time",
            &proto.max_ejection_time,
            defaults.max.max(base),
        )?,
        max_percent: number(&proto.max_ejection_percent, defaults.max_percent).min(100),
        panic_percent: panic_percent(cluster),
    }))
}

fn panic_percent(cluster: &Proto) -> u32 {
    const ENVOY_DEFAULT: u32 = 50;
    let config = cluster.common_lb_config.as_ref();
    let threshold = config.and_then(|config| config.healthy_panic_threshold.as_ref());
    // A float cast saturates, and takes NaN for 0.
    threshold.map_or(ENVOY_DEFAULT, |threshold| {
        threshold.value.clamp(0.0, 100.0) as u32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use xds_api::pb::envoy::config::cluster::v3::OutlierDetection;
    use xds_api::pb::envoy::config::cluster::v3::circuit_breakers::Thresholds;
    use xds_api::pb::envoy::config::cluster::v3::cluster::{EdsClusterConfig, RingHashLbConfig};
    use xds_api::pb::google::protobuf::{Any, Duration as ProtoDuration, UInt64Value};

    fn eds(name: &str) -> Proto {
        Proto {
            name: name.into(),
            cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
            ..Proto::default()
        }
    }

    fn read(proto: &Proto) -> Result<Option<Cluster>, ResourceError> {
        parse(&proto.encode_to_vec())
    }

    #[test]
    fn reads_what_istiod_writes_for_a_subset() {
        // Seen on istiod 1.32-dev.
        let cluster = read(&Proto {
            eds_cluster_config: Some(EdsClusterConfig {
                service_name: "outbound|50051|v1|a.dubbo".into(),
                ..EdsClusterConfig::default()
            }),
            connect_timeout: Some(ProtoDuration { seconds: 2, nanos: 0 }),
            lb_policy: LbPolicy::RoundRobin.into(),
            circuit_breakers: Some(CircuitBreakers {
                thresholds: vec![Thresholds {
                    max_requests: Some(1000.into()),
                    ..Thresholds::default()
                }],
                ..CircuitBreakers::default()
            }),
            outlier_detection: Some(OutlierDetection {
                consecutive_5xx: Some(7.into()),
                enforcing_consecutive_5xx: Some(100.into()),
                enforcing_success_rate: Some(0.into()),
                base_ejection_time: Some(ProtoDuration {
                    seconds: 10,
                    nanos: 0,
                }),
                max_ejection_percent: Some(50.into()),
                ..OutlierDetection::default()
            }),
            typed_extension_protocol_options: [(
                HTTP_OPTIONS.to_owned(),
                Any {
                    type_url: format!("type.googleapis.com/{HTTP_OPTIONS}"),
                    value: wire::HttpProtocolOptions {
                        explicit: Some(wire::ExplicitHttp {
                            http2: Some(wire::Nothing {}),
                        }),
                        as_downstream: None,
                    }
                    .encode_to_vec(),
                },
            )]
            .into(),
            ..eds("outbound|50051|v1|a.dubbo")
        });
        let cluster = cluster.unwrap().unwrap();
        assert_eq!(cluster.host, HostPort::new("a.dubbo", 50051));
        assert_eq!((&*cluster.subset, cluster.http2), ("v1", true));
        assert_eq!(cluster.endpoints, Source::Eds("outbound|50051|v1|a.dubbo".into()));
        assert_eq!(cluster.balance, Balance::RoundRobin);
        assert_eq!(cluster.connect_timeout, Duration::from_secs(2));
        assert_eq!(cluster.max_requests, 1000);
        let outlier = cluster.outlier.unwrap();
        assert_eq!((outlier.consecutive, outlier.max_percent), (7, 50));
        assert_eq!(outlier.base, Duration::from_secs(10));
    }

    #[test]
    fn fills_in_envoys_defaults() {
        let cluster = read(&eds("outbound|80||a.b.svc.cluster.local")).unwrap().unwrap();
        assert_eq!((cluster.max_requests, cluster.http2), (1024, false));
        assert!(cluster.outlier.is_none() && cluster.subset.is_empty());
        let outlier = |outlier| {
            let proto = Proto {
                outlier_detection: Some(outlier),
                ..eds("outbound|80||a")
            };
            read(&proto).unwrap().unwrap().outlier
        };
        assert_eq!(outlier(OutlierDetection::default()).unwrap().consecutive, 5);
        assert_eq!(
            outlier(OutlierDetection {
                consecutive_5xx: Some(0.into()),
                ..OutlierDetection::default()
            }),
            None
        );
        let gateway = outlier(OutlierDetection {
            enforcing_consecutive_5xx: Some(0.into()),
            consecutive_gateway_failure: Some(3.into()),
            enforcing_consecutive_gateway_failure: Some(100.into()),
            ..OutlierDetection::default()
        });
        let gateway = gateway.unwrap();
        assert_eq!((gateway.consecutive, gateway.consecutive_gateway), (0, 3));
    }

    #[test]
    fn passes_over_what_is_not_outbound() {
        for name in [
            "BlackHoleCluster",
            "inbound|50052||",
            "outbound|0||a",
            "outbound|80||",
            "outbound|80||a|b",
        ] {
            assert!(read(&eds(name)).unwrap().is_none(), "{name}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_used() {
        assert!(read(&Proto::default()).is_err());
        assert!(parse(&[0xff, 0xff]).is_err());
        let ring = Proto {
            lb_config: Some(LbConfig::RingHashLbConfig(RingHashLbConfig {
                minimum_ring_size: Some(UInt64Value { value: MAX_RING + 1 }),
                ..RingHashLbConfig::default()
            })),
            ..eds("outbound|80||a")
        };
        assert!(read(&ring).unwrap_err().to_string().contains("ring size"));
        let negative = Proto {
            connect_timeout: Some(ProtoDuration {
                seconds: -1,
                nanos: 0,
            }),
            ..eds("outbound|80||a")
        };
        assert_eq!(
            read(&negative).unwrap_err().to_string(),
            "connect_timeout: negative"
        );
    }
}
