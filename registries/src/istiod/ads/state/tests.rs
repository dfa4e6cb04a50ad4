use prost013::Message as _;
use xds_api::pb::envoy::config::cluster::v3::Cluster as ClusterProto;
use xds_api::pb::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType, LbPolicy};
use xds_api::pb::envoy::config::core::v3::address::Address as AddressKind;
use xds_api::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use xds_api::pb::envoy::config::core::v3::{Address, SocketAddress};
use xds_api::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use xds_api::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints,
};
use xds_api::pb::envoy::config::route::v3 as rds;
use xds_api::pb::google::protobuf::Any;

use super::*;
use crate::istiod::wire;
use crate::mesh_view::MeshHost;

const HOST: &str = "a.b.dubbo";

fn http2() -> Any {
    Any {
        type_url: "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions".into(),
        value: wire::HttpProtocolOptions {
            explicit: Some(wire::ExplicitHttp {
                http2: Some(wire::Nothing {}),
            }),
            as_downstream: None,
        }
        .encode_to_vec(),
    }
}

fn envelope(kind: Kind, name: &str, value: Vec<u8>) -> Resource {
    Resource {
        name: name.into(),
        resource: Some(Any {
            type_url: kind.url().into(),
            value,
        }),
        ..Resource::default()
    }
}

fn cds(name: &str) -> Resource {
    cds_with(name, LbPolicy::LeastRequest)
}

fn cds_with(name: &str, policy: LbPolicy) -> Resource {
    let proto = ClusterProto {
        name: name.into(),
        lb_policy: policy.into(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
        typed_extension_protocol_options: [(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(),
            http2(),
        )]
        .into(),
        ..ClusterProto::default()
    };
    envelope(Kind::Cluster, name, proto.encode_to_vec())
}

fn eds(name: &str, addresses: &[&str]) -> Resource {
    let endpoint = |address: &&str| LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(Endpoint {
            address: Some(Address {
                address: Some(AddressKind::SocketAddress(SocketAddress {
                    address: (*address).into(),
                    port_specifier: Some(PortSpecifier::PortValue(1)),
                    ..SocketAddress::default()
                })),
            }),
            ..Endpoint::default()
        })),
        ..LbEndpoint::default()
    };
    let proto = ClusterLoadAssignment {
        cluster_name: name.into(),
        endpoints: vec![LocalityLbEndpoints {
            lb_endpoints: addresses.iter().map(endpoint).collect(),
            ..LocalityLbEndpoints::default()
        }],
        ..ClusterLoadAssignment::default()
    };
    envelope(Kind::Endpoints, name, proto.encode_to_vec())
}

fn rds_to(name: &str, clusters: &[&str]) -> Resource {
    let route = |cluster: &&str| rds::Route {
        r#match: Some(rds::RouteMatch {
            path_specifier: Some(rds::route_match::PathSpecifier::Prefix("/".into())),
            ..Default::default()
        }),
        action: Some(rds::route::Action::Route(rds::RouteAction {
            cluster_specifier: Some(rds::route_action::ClusterSpecifier::Cluster((*cluster).into())),
            ..Default::default()
        })),
        ..Default::default()
    };
    let hosts = vec![rds::VirtualHost {
        domains: vec!["*".into()],
        routes: clusters.iter().map(route).collect(),
        ..Default::default()
    }];
    let proto = rds::RouteConfiguration {
        name: name.into(),
        virtual_hosts: if clusters.is_empty() { Vec::new() } else { hosts },
        ..Default::default()
    };
    envelope(Kind::Routes, name, proto.encode_to_vec())
}

/// A state with its clock and the last view.
struct Bench {
    state: State,
    now: Instant,
    view: MeshView,
}

impl Bench {
    fn new() -> Self {
        let mut state = State::new(vec!["dubbo".into()]);
        state.opened(HashSet::new());
        Self {
            state,
            now: Instant::now(),
            view: MeshView::default(),
        }
    }

    fn receive(&mut self, kind: Kind, resources: Vec<Resource>, removed: &[&str]) -> Verdict {
        let response = DeltaDiscoveryResponse {
            type_url: kind.url().into(),
            resources,
            removed_resources: removed.iter().map(|name| (*name).to_owned()).collect(),
            ..DeltaDiscoveryResponse::default()
        };
        let verdict = self.state.receive(response, self.now, SystemTime::now());
        self.publish();
        verdict
    }

    fn publish(&mut self) {
        if let Some(view) = self.state.publish(self.now) {
            self.view = view;
        }
    }

    fn asked(&mut self) -> Vec<(Kind, String)> {
        let interest = self.state.take_interest();
        let added = interest.into_iter().flat_map(|(kind, interest)| {
            assert!(interest.unsubscribe.is_empty(), "{interest:?}");
            interest
                .subscribe
                .into_iter()
                .map(move |name| (kind, name.to_string()))
        });
        added.collect()
    }

    fn dropped(&mut self) -> Vec<String> {
        let interest = self.state.take_interest();
        let dropped = interest
            .into_iter()
            .flat_map(|(_, interest)| interest.unsubscribe);
        dropped.map(|name| name.to_string()).collect()
    }

    fn host(&self) -> &Arc<MeshHost> {
        self.view.hosts.get("a.b.dubbo:1").unwrap()
    }

    fn addresses(&self, cluster: &str) -> Option<Vec<String>> {
        let cluster = self
            .host()
            .clusters
            .iter()
            .find(|known| &*known.name == cluster)?;
        Some(
            cluster
                .endpoints
                .iter()
                .map(|endpoint| endpoint.address.ip().to_string())
                .collect(),
        )
    }

    /// One service, all answered.
    fn settled() -> Self {
        let mut bench = Self::new();
        bench.receive(Kind::Cluster, vec![cds("outbound|1||a.b.dubbo")], &[]);
        bench.receive(
            Kind::Routes,
            vec![rds_to("a.b.dubbo:1", &["outbound|1||a.b.dubbo"])],
            &[],
        );
        bench.receive(
            Kind::Endpoints,
            vec![eds("outbound|1||a.b.dubbo", &["10.0.0.1"])],
            &[],
        );
        bench.state.take_interest();
        assert!(bench.view.state.synced);
        bench
    }
}

#[test]
fn finds_services_below_its_suffix_and_is_synced_when_all_is_there() {
    let mut bench = Bench::new();
    let others = ["outbound|80||x.svc.cluster.local", "BlackHoleCluster"];
    let mut resources: Vec<Resource> = others.into_iter().map(cds).collect();
    resources.push(cds("outbound|1||a.b.dubbo"));
    assert_eq!(bench.receive(Kind::Cluster, resources, &[]), Verdict::Ack);
    let asked = [
        (Kind::Routes, "a.b.dubbo:1".to_owned()),
        (Kind::Endpoints, "outbound|1||a.b.dubbo".to_owned()),
    ];
    assert_eq!(bench.asked(), asked);
    assert!(!bench.view.state.synced && bench.host().routes.is_none());
    bench.receive(
        Kind::Routes,
        vec![rds_to("a.b.dubbo:1", &["outbound|1||a.b.dubbo"])],
        &[],
    );
    assert!(
        !bench.view.state.synced && bench.host().routes.is_none(),
        "its endpoints are not there yet"
    );
    bench.receive(
        Kind::Endpoints,
        vec![eds("outbound|1||a.b.dubbo", &["10.0.0.1"])],
        &[],
    );
    assert!(bench.view.state.synced && bench.view.state.connected);
    assert_eq!(bench.host().routes.as_ref().unwrap().routes.len(), 1);
    assert_eq!(bench.addresses("outbound|1||a.b.dubbo").unwrap(), ["10.0.0.1"]);
    assert_eq!(bench.view.hosts.len(), 1);
}

#[test]
fn looks_at_a_wanted_host_that_nobody_knows() {
    let mut bench = Bench::new();
    bench
        .state
        .want(Arc::new([HostPort::new("Orders.Shop", 7)].into()));
    assert_eq!(bench.asked(), [(Kind::Routes, "orders.shop:7".to_owned())]);
    bench.receive(Kind::Cluster, vec![], &[]);
    assert!(!bench.view.state.synced);
    bench.receive(Kind::Routes, vec![rds_to("orders.shop:7", &[])], &[]);
    assert!(bench.view.state.synced);
    let host = bench.view.hosts.get("orders.shop:7").unwrap();
    assert!(host.routes.as_ref().unwrap().routes.is_empty());
    bench.state.want(Arc::default());
    bench.publish();
    assert!(bench.view.hosts.is_empty());
    assert_eq!(bench.dropped(), ["orders.shop:7"]);
}

#[test]
fn refuses_the_bad_takes_the_good_and_keeps_the_last_good() {
    let mut bench = Bench::settled();
    let bad = envelope(Kind::Cluster, "outbound|1||a.b.dubbo", vec![0xff, 0xff]);
    let verdict = bench.receive(Kind::Cluster, vec![bad, cds("outbound|1|v1|a.b.dubbo")], &[]);
    let Verdict::Nack(text) = verdict else {
        panic!("{verdict:?}")
    };
    assert!(text.starts_with("outbound|1||a.b.dubbo: undecodable"), "{text}");
    assert_eq!(bench.addresses("outbound|1||a.b.dubbo").unwrap(), ["10.0.0.1"]);
    assert_eq!(
        bench.asked(),
        [(Kind::Endpoints, "outbound|1|v1|a.b.dubbo".to_owned())]
    );

    let bad = envelope(Kind::Endpoints, "outbound|1||a.b.dubbo", vec![0xff]);
    assert!(matches!(
        bench.receive(Kind::Endpoints, vec![bad], &[]),
        Verdict::Nack(_)
    ));
    assert_eq!(bench.addresses("outbound|1||a.b.dubbo").unwrap(), ["10.0.0.1"]);

    let wrong_name = Resource {
        name: "a.b.dubbo:1".into(),
        ..rds_to("other:1", &["x"])
    };
    let verdict = bench.receive(Kind::Routes, vec![wrong_name], &[]);
    assert_eq!(
        verdict,
        Verdict::Nack("a.b.dubbo:1: named \"other:1\" inside".into())
    );
    assert_eq!(bench.host().routes.as_ref().unwrap().routes.len(), 1);
}

#[test]
fn is_not_held_up_by_what_was_never_good() {
    let mut bench = Bench::new();
    bench.receive(Kind::Cluster, vec![cds("outbound|1||a.b.dubbo")], &[]);
    bench.receive(
        Kind::Routes,
        vec![envelope(Kind::Routes, "a.b.dubbo:1", vec![0xff])],
        &[],
    );
    assert!(bench.view.state.synced);
    assert!(bench.host().routes.as_ref().unwrap().routes.is_empty());
    bench.receive(
        Kind::Endpoints,
        vec![envelope(Kind::Endpoints, "outbound|1||a.b.dubbo", vec![0xff])],
        &[],
    );
    assert_eq!(
        bench.addresses("outbound|1||a.b.dubbo").unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn tells_an_empty_cluster_from_one_that_is_gone() {
    let mut bench = Bench::settled();
    bench.receive(Kind::Endpoints, vec![eds("outbound|1||a.b.dubbo", &[])], &[]);
    assert_eq!(
        bench.addresses("outbound|1||a.b.dubbo").unwrap(),
        Vec::<String>::new()
    );
    bench.receive(Kind::Endpoints, vec![], &["outbound|1||a.b.dubbo"]);
    assert_eq!(
        bench.addresses("outbound|1||a.b.dubbo").unwrap(),
        Vec::<String>::new()
    );
    bench.receive(Kind::Cluster, vec![], &["outbound|1||a.b.dubbo"]);
    assert!(bench.view.hosts.is_empty(), "nobody wants it by name");
    assert_eq!(bench.dropped(), ["a.b.dubbo:1", "outbound|1||a.b.dubbo"]);
    // It comes back: istiod answers only names that it does not track.
    bench.receive(Kind::Cluster, vec![cds("outbound|1||a.b.dubbo")], &[]);
    assert_eq!(bench.asked().len(), 2);
    assert!(bench.host().routes.is_none() && bench.host().clusters.is_empty());
}

#[test]
fn keeps_the_old_rules_until_the_new_clusters_are_warm() {
    let mut bench = Bench::settled();
    bench.receive(Kind::Cluster, vec![cds("outbound|1|v2|a.b.dubbo")], &[]);
    bench.receive(
        Kind::Routes,
        vec![rds_to(
            "a.b.dubbo:1",
            &["outbound|1|v2|a.b.dubbo", "outbound|1||a.b.dubbo"],
        )],
        &[],
    );
    assert_eq!(bench.host().routes.as_ref().unwrap().routes.len(), 1);
    assert!(bench.state.deadline().is_some());
    bench.receive(Kind::Endpoints, vec![eds("outbound|1|v2|a.b.dubbo", &[])], &[]);
    assert_eq!(bench.host().routes.as_ref().unwrap().routes.len(), 2);
    assert!(bench.state.deadline().is_none());
}

#[test]
fn gives_up_on_a_cluster_that_never_comes() {
    let mut bench = Bench::settled();
    bench.receive(
        Kind::Routes,
        vec![rds_to("a.b.dubbo:1", &["no-such", "outbound|1||a.b.dubbo"])],
        &[],
    );
    assert_eq!(bench.host().routes.as_ref().unwrap().routes.len(), 1);
    bench.now = bench.state.deadline().unwrap();
    bench.publish();
    assert_eq!(bench.host().routes.as_ref().unwrap().routes.len(), 2);
}

#[test]
fn takes_clusters_of_other_hosts_that_rules_name() {
    let mut bench = Bench::settled();
    bench.receive(Kind::Cluster, vec![cds("outbound|9||elsewhere")], &[]);
    assert_eq!(bench.asked(), []);
    bench.receive(
        Kind::Routes,
        vec![rds_to("a.b.dubbo:1", &["outbound|9||elsewhere"])],
        &[],
    );
    assert_eq!(
        bench.asked(),
        [(Kind::Endpoints, "outbound|9||elsewhere".to_owned())]
    );
    bench.receive(
        Kind::Endpoints,
        vec![eds("outbound|9||elsewhere", &["10.0.0.9"])],
        &[],
    );
    assert_eq!(bench.addresses("outbound|9||elsewhere").unwrap(), ["10.0.0.9"]);
    bench.receive(
        Kind::Endpoints,
        vec![eds("outbound|9||elsewhere", &["10.0.0.8"])],
        &[],
    );
    assert_eq!(bench.addresses("outbound|9||elsewhere").unwrap(), ["10.0.0.8"]);
    bench.receive(
        Kind::Routes,
        vec![rds_to("a.b.dubbo:1", &["outbound|1||a.b.dubbo"])],
        &[],
    );
    assert_eq!(bench.dropped(), ["outbound|9||elsewhere"]);
    assert_eq!(bench.addresses("outbound|9||elsewhere"), None);
}

#[test]
fn shares_what_did_not_change() {
    let mut bench = Bench::settled();
    bench.receive(
        Kind::Cluster,
        vec![cds("outbound|1||c.dubbo"), cds("outbound|1|v1|a.b.dubbo")],
        &[],
    );
    bench.receive(
        Kind::Endpoints,
        vec![eds("outbound|1|v1|a.b.dubbo", &["10.0.0.2"])],
        &[],
    );
    let before = bench.view.clone();
    let plain = |bench: &Bench| {
        bench
            .host()
            .clusters
            .iter()
            .find(|c| c.subset.is_empty())
            .unwrap()
            .clone()
    };
    let old = plain(&bench);
    bench.receive(
        Kind::Endpoints,
        vec![eds("outbound|1|v1|a.b.dubbo", &["10.0.0.3"])],
        &[],
    );
    assert_eq!(
        bench.view.hosts.changes(&before.hosts),
        [Arc::from("a.b.dubbo:1")]
    );
    assert!(Arc::ptr_eq(&old, &plain(&bench)));
    let before = bench.view.clone();
    bench.receive(
        Kind::Endpoints,
        vec![eds("outbound|1|v1|a.b.dubbo", &["10.0.0.3"])],
        &[],
    );
    assert!(bench.view.hosts.changes(&before.hosts).is_empty());
}

#[test]
fn keeps_everything_while_disconnected_and_claims_it_afterwards() {
    let mut bench = Bench::settled();
    bench.receive(Kind::Cluster, vec![cds("outbound|1|old|a.b.dubbo")], &[]);
    bench.state.closed("gone".into(), SystemTime::now());
    bench.publish();
    let state = &bench.view.state;
    assert!(!state.connected && state.synced && state.as_of.is_some());
    assert_eq!(state.error.as_deref(), Some("gone"));
    assert_eq!(bench.addresses("outbound|1||a.b.dubbo").unwrap(), ["10.0.0.1"]);

    assert_eq!(bench.state.held(Kind::Cluster).len(), 2);
    assert_eq!(bench.state.held(Kind::Routes), [Arc::from("a.b.dubbo:1")]);
    assert_eq!(bench.state.interest(Kind::Cluster), [Arc::from("*")]);
    assert_eq!(bench.state.interest(Kind::Routes), [Arc::from("a.b.dubbo:1")]);
    assert_eq!(bench.state.interest(Kind::Endpoints).len(), 2);
    // One of two held clusters had no room in the claim, and istiod no longer has it.
    bench.state.opened([Arc::from("outbound|1|old|a.b.dubbo")].into());
    bench.receive(
        Kind::Cluster,
        vec![cds_with("outbound|1||a.b.dubbo", LbPolicy::Random)],
        &[],
    );
    assert!(bench.view.state.connected && bench.view.state.error.is_none());
    assert_eq!(
        bench.state.held(Kind::Cluster),
        [Arc::from("outbound|1||a.b.dubbo")]
    );
    assert_eq!(
        bench.host().clusters[0].balance,
        crate::directory::Balance::Random
    );
    assert_eq!(
        bench.addresses("outbound|1||a.b.dubbo").unwrap(),
        ["10.0.0.1"],
        "endpoints stay until new ones come"
    );
    assert_eq!(HOST, &*bench.host().host);
}
