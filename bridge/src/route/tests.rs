use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

use codecs::{Encoding, ServiceKey};
use registries::directory::{Endpoint, LegacySide, Mode, Outlier, PairedBy, Protocol};
use registries::route::{
    Fault, HashOn, HeaderMatch, PathMatch, RouteMatch, ValueMatch, VirtualHost, WeightedCluster, full_match,
};

use super::*;

#[derive(Default)]
struct Call {
    headers: HashMap<&'static str, &'static str>,
    source: Option<IpAddr>,
    authority: Option<&'static str>,
    tls: bool,
}

impl Request for Call {
    fn path(&self) -> (&str, &str) {
        ("com.acme.Orders", "place")
    }

    fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers.get(name).map(|value| (*value).into())
    }

    fn authority(&self) -> Option<&str> {
        self.authority
    }

    fn source(&self) -> Option<IpAddr> {
        self.source
    }

    fn is_tls(&self) -> bool {
        self.tls
    }
}

fn call(headers: &[(&'static str, &'static str)]) -> Call {
    Call {
        headers: headers.iter().copied().collect(),
        ..Call::default()
    }
}

fn endpoint(port: u16, protocol: Protocol) -> Arc<Endpoint> {
    Arc::new(Endpoint::new(([10, 0, 0, 1], port).into(), protocol))
}

fn legacy(ports: &[u16]) -> LegacySide {
    let dubbo2 = Protocol::Dubbo2 { serialization: 2 };
    let endpoints = ports.iter().map(|port| endpoint(*port, dubbo2)).collect();
    LegacySide {
        cluster: Arc::new(
            Cluster::new("legacy|com.acme.Orders", endpoints).with_outlier(Some(Outlier::default())),
        ),
        providers: Vec::new(),
        timeouts: Vec::new(),
    }
}

/// A host with subsets v1 and v2 of an endpoint each.
fn mesh(routes: Vec<Route>) -> MeshSide {
    let cluster = |subset: &str, ports: &[u16]| {
        let triple = Protocol::Triple { mode: None };
        let endpoints = ports.iter().map(|port| endpoint(*port, triple)).collect();
        Arc::new(Cluster::new(
            format!("outbound|50051|{subset}|orders.svc"),
            endpoints,
        ))
    };
    MeshSide {
        host: "orders.svc".into(),
        port: 50051,
        routes: Arc::new(VirtualHost {
            routes: routes.into_iter().map(Arc::new).collect(),
        }),
        clusters: vec![
            cluster("", &[1, 2]),
            cluster("v1", &[1]),
            cluster("v2", &[2]),
            cluster("v3", &[]),
        ],
        paired_by: PairedBy::DerivedName,
    }
}

fn to(shares: &[(&str, u32)]) -> Forward {
    let clusters = shares.iter().map(|(subset, weight)| WeightedCluster {
        cluster: format!("outbound|50051|{subset}|orders.svc").into(),
        weight: *weight,
        headers_to_add: vec![("x-subset".into(), (*subset).into(), false)],
        headers_to_remove: vec!["x-of-cluster".into(), ":path".into()],
    });
    Forward {
        clusters: clusters.collect(),
        ..Forward::to("")
    }
}

fn route(matches: RouteMatch, action: RouteAction) -> Route {
    Route {
        name: "".into(),
        matches,
        action,
        headers_to_add: vec![("x-of".into(), "route".into(), true)],
        headers_to_remove: vec!["te".into(), "x-of-route".into()],
    }
}

fn forward(shares: &[(&str, u32)]) -> Route {
    route(RouteMatch::any(), RouteAction::Forward(to(shares)))
}

fn service(legacy: Option<LegacySide>, mesh: Option<MeshSide>) -> Service {
    Service {
        legacy,
        mesh,
        ..Service::new(ServiceKey::new("com.acme.Orders", "", ""))
    }
}

fn rng() -> fastrand::Rng {
    fastrand::Rng::with_seed(1)
}

/// The subset that a call goes to, or the reason why it goes nowhere.
fn subset(routes: Vec<Route>, call: &Call) -> String {
    let service = service(None, Some(mesh(routes)));
    match decide(&service, Island::Mesh, call, Now::default(), &mut rng()) {
        Ok(decision) => decision
            .cluster
            .name
            .split('|')
            .nth(2)
            .unwrap_or_default()
            .to_owned(),
        Err(error) => error.reason.to_string(),
    }
}

#[test]
fn own_island_first() {
    let ejected = legacy(&[1]);
    ejected.cluster.endpoints[0]
        .state
        .ejected_until
        .store(100, Relaxed);
    let m = || Some(mesh(vec![forward(&[("", 1)])]));
    let nowhere = || Some(mesh(vec![forward(&[("v3", 1)])]));
    let l = || Some(legacy(&[1]));
    use Island::{Legacy, Mesh};
    for (name, legacy, mesh, caller, expected) in [
        ("both, from legacy", l(), m(), Legacy, Ok((Legacy, Why::Own))),
        ("both, from mesh", l(), m(), Mesh, Ok((Mesh, Why::Own))),
        ("only mesh", None, m(), Legacy, Ok((Mesh, Why::OtherForLackOfOwn))),
        (
            "only legacy",
            l(),
            None,
            Mesh,
            Ok((Legacy, Why::OtherForLackOfOwn)),
        ),
        (
            "own is empty",
            Some(legacy(&[])),
            m(),
            Legacy,
            Ok((Mesh, Why::OtherForLackOfOwn)),
        ),
        (
            "own is ejected",
            Some(ejected),
            m(),
            Legacy,
            Ok((Mesh, Why::OtherForLackOfOwn)),
        ),
        (
            "own has no route",
            l(),
            Some(self::mesh(vec![])),
            Mesh,
            Ok((Legacy, Why::OtherForLackOfOwn)),
        ),
        (
            "other has no route",
            None,
            Some(self::mesh(vec![])),
            Legacy,
            Err(Reason::NR),
        ),
        (
            "both empty",
            Some(self::legacy(&[])),
            None,
            Legacy,
            Err(Reason::UH),
        ),
        ("neither", None, None, Legacy, Err(Reason::NR)),
        // The mesh has endpoints, and its rules say that this call may not have them: no way round by the other island.
        (
            "own rules lead nowhere",
            l(),
            nowhere(),
            Mesh,
            Ok((Mesh, Why::Own)),
        ),
    ] {
        let decided = decide(
            &service(legacy, mesh),
            caller,
            &Call::default(),
            Now { uptime: 1, unix: 0 },
            &mut rng(),
        );
        let got = decided
            .as_ref()
            .map(|d| (d.island, d.why))
            .map_err(|error| error.reason);
        assert_eq!(got, expected, "{name}");
        if let Err(error) = decided {
            assert_eq!(error.code, 14, "{name}");
            assert!(error.to_string().ends_with(&format!("({})", error.reason)));
        }
    }
}

#[test]
fn paths_match() {
    let prefix = |text: &str| PathMatch::Prefix(text.into());
    let exact = |text: &str| PathMatch::Exact(text.into());
    let segment = |text: &str| PathMatch::SegmentPrefix(text.into());
    let regex = |text: &str| PathMatch::Regex(full_match(text).unwrap());
    for (path, case_sensitive, expected) in [
        (prefix("/"), true, true),
        (prefix(""), true, true),
        (prefix("/com.acme.Ord"), true, true),
        (prefix("/com.acme.Orders/place"), true, true),
        (prefix("/com.acme.Orders/placed"), true, false),
        (prefix("/com.acme.orders/"), true, false),
        (prefix("/com.acme.orders/"), false, true),
        (exact("/com.acme.Orders/place"), true, true),
        (exact("/com.acme.Orders/plac"), true, false),
        (exact("/com.acme.Orders/PLACE"), true, false),
        (exact("/com.acme.Orders/PLACE"), false, true),
        (segment("/com.acme.Orders"), true, true),
        (segment("/com.acme.Orders/"), true, true),
        (segment("/com.acme.Ord"), true, false),
        (segment("/com.acme.Orders/place"), true, true),
        (segment("/"), true, true),
        (regex("/com[.]acme[.].*/pl.*"), true, true),
        (regex("/com"), true, false),
        (regex("com.*"), true, false),
        (regex("/x|/com.acme.Orders/place"), true, true),
    ] {
        let name = format!("{path:?} {case_sensitive}");
        let matches = RouteMatch {
            path,
            case_sensitive,
            ..RouteMatch::any()
        };
        let got = subset(
            vec![route(matches, RouteAction::Forward(to(&[("v1", 1)])))],
            &Call::default(),
        );
        assert_eq!(got, if expected { "v1" } else { "NR" }, "{name}");
    }
}

#[test]
fn headers_match() {
    let rule = |name: &str, value, invert, missing_is_empty| HeaderMatch {
        name: name.into(),
        value,
        invert,
        missing_is_empty,
    };
    use ValueMatch::{Contains, Exact, Prefix, Present, Range, Regex, Suffix};
    let is = |text: &str| Exact(text.into(), false);
    let here = call(&[("x", "Abc"), ("n", "42"), ("bytes-bin", "AA"), ("empty", "")]);
    for (header, expected) in [
        (rule("x", is("Abc"), false, false), true),
        (rule("x", is("abc"), false, false), false),
        (rule("x", Exact("abc".into(), true), false, false), true),
        (rule("x", is("Abc"), true, false), false),
        (rule("x", is("other"), true, false), true),
        (rule("x", Prefix("Ab".into(), false), false, false), true),
        (rule("x", Prefix("aB".into(), true), false, false), true),
        (rule("x", Prefix("Abcd".into(), false), false, false), false),
        (rule("x", Suffix("bc".into(), false), false, false), true),
        (rule("x", Suffix("BC".into(), true), false, false), true),
        (rule("x", Suffix("zAbc".into(), false), false, false), false),
        (rule("x", Contains("b".into(), false), false, false), true),
        (rule("x", Contains("BC".into(), true), false, false), true),
        (rule("x", Contains("".into(), true), false, false), true),
        (rule("x", Contains("z".into(), true), false, false), false),
        (rule("x", Regex(full_match("A.c").unwrap()), false, false), true),
        (rule("x", Regex(full_match("A").unwrap()), false, false), false),
        (rule("n", Range(42, 43), false, false), true),
        (rule("n", Range(0, 42), false, false), false),
        (rule("x", Range(0, 42), false, false), false),
        (rule("x", Present(true), false, false), true),
        (rule("x", Present(false), false, false), false),
        (rule("y", Present(true), false, false), false),
        (rule("y", Present(false), false, false), true),
        (rule("y", Present(true), true, false), true),
        (rule("empty", Present(true), false, false), true),
        // Missing: no match, not even turned round, unless it counts as empty.
        (rule("y", is(""), false, false), false),
        (rule("y", is("v"), true, false), false),
        (rule("y", is(""), false, true), true),
        (rule("y", is("v"), true, true), true),
        (rule("bytes-bin", Present(true), false, false), false),
        (rule("bytes-bin", is("v"), true, true), false),
        // What every call has.
        (rule(":method", is("POST"), false, false), true),
        (rule(":path", is("/com.acme.Orders/place"), false, false), true),
        (rule(":scheme", is("http"), false, false), true),
        (rule(":authority", is("orders.svc"), false, false), true),
        (rule("content-type", is("application/grpc"), false, false), true),
    ] {
        let name = format!("{header:?}");
        let matches = RouteMatch {
            headers: vec![header],
            ..RouteMatch::any()
        };
        let got = subset(
            vec![route(matches, RouteAction::Forward(to(&[("v1", 1)])))],
            &here,
        );
        assert_eq!(got, if expected { "v1" } else { "NR" }, "{name}");
    }
    let of_caller = Call {
        authority: Some("asked.for"),
        tls: true,
        ..Call::default()
    };
    for (name, value) in [(":authority", "asked.for"), (":scheme", "https")] {
        let matches = RouteMatch {
            headers: vec![rule(name, is(value), false, false)],
            ..RouteMatch::any()
        };
        assert_eq!(
            subset(
                vec![route(matches, RouteAction::Forward(to(&[("v1", 1)])))],
                &of_caller
            ),
            "v1"
        );
    }
}

#[test]
fn the_first_rule_that_matches_wins() {
    let canary = RouteMatch {
        headers: vec![HeaderMatch {
            name: "x-canary".into(),
            value: ValueMatch::Exact("1".into(), false),
            invert: false,
            missing_is_empty: false,
        }],
        ..RouteMatch::any()
    };
    let never = RouteMatch {
        never: true,
        ..RouteMatch::any()
    };
    let rules = || {
        vec![
            route(never.clone(), RouteAction::Forward(to(&[("v3", 1)]))),
            route(canary.clone(), RouteAction::Forward(to(&[("v2", 1)]))),
            forward(&[("v1", 1)]),
            forward(&[("v3", 1)]),
        ]
    };
    assert_eq!(subset(rules(), &call(&[("x-canary", "1")])), "v2");
    assert_eq!(subset(rules(), &call(&[("x-canary", "2")])), "v1");
}

#[test]
fn what_cannot_be_forwarded_says_why() {
    let direct = |status| {
        route(
            RouteMatch::any(),
            RouteAction::Direct {
                status,
                body: "closed".into(),
            },
        )
    };
    for (rule, code, reason, text) in [
        (direct(503), 14, Reason::DR, "closed"),
        (direct(403), 7, Reason::DR, "closed"),
        (
            route(RouteMatch::any(), RouteAction::Unsupported("redirect")),
            14,
            Reason::NR,
            "mesh route asks for redirect, which the gateway cannot do",
        ),
        (
            forward(&[]),
            14,
            Reason::NC,
            "mesh route names no cluster with a weight",
        ),
        (
            forward(&[("v1", 0)]),
            14,
            Reason::NC,
            "mesh route names no cluster with a weight",
        ),
        (
            forward(&[("v9", 1)]),
            14,
            Reason::NC,
            "mesh route names the unknown cluster outbound|50051|v9|orders.svc",
        ),
    ] {
        let service = service(None, Some(mesh(vec![rule])));
        let error = decide(
            &service,
            Island::Legacy,
            &Call::default(),
            Now::default(),
            &mut rng(),
        )
        .unwrap_err();
        assert_eq!((error.code, error.reason, &*error.text), (code, reason, text));
    }
}

#[test]
fn weights_and_shares_are_followed() {
    let service = service(
        None,
        Some(mesh(vec![forward(&[("v1", 80), ("v2", 20), ("v3", 0)])])),
    );
    let mut rng = rng();
    let mut counts: HashMap<Arc<str>, u32> = HashMap::new();
    for _ in 0..20_000 {
        let decision = decide(
            &service,
            Island::Legacy,
            &Call::default(),
            Now::default(),
            &mut rng,
        )
        .unwrap();
        *counts.entry(decision.cluster.name.clone()).or_default() += 1;
    }
    assert_eq!(counts.len(), 2);
    assert!(
        (15_700..16_300).contains(&counts["outbound|50051|v1|orders.svc"]),
        "{counts:?}"
    );
    // A rule for a quarter of the calls.
    let part = RouteMatch {
        per_million: Some(250_000),
        ..RouteMatch::any()
    };
    let rules = vec![
        route(part, RouteAction::Forward(to(&[("v2", 1)]))),
        forward(&[("v1", 1)]),
    ];
    let service = self::service(None, Some(mesh(rules)));
    let hits = (0..20_000)
        .filter(|_| {
            let decision = decide(
                &service,
                Island::Legacy,
                &Call::default(),
                Now::default(),
                &mut rng,
            )
            .unwrap();
            &*decision.cluster.name == "outbound|50051|v2|orders.svc"
        })
        .count();
    assert!((4_700..5_300).contains(&hits), "{hits}");
}

proptest::proptest! {
    #[test]
    fn any_cluster_weights_are_followed(weights in proptest::collection::vec(0u32..1000, 1..6), seed: u64) {
        let clusters: Vec<WeightedCluster> = weights.iter().map(|weight| WeightedCluster { weight: *weight, ..to(&[("v1", 1)]).clusters[0].clone() }).collect();
        let mut rng = fastrand::Rng::with_seed(seed);
        let total: u32 = weights.iter().sum();
        let mut counts = vec![0u32; weights.len()];
        for _ in 0..3000 {
            match action::draw(&clusters, &mut rng) {
                Some(index) => counts[index] += 1,
                None => proptest::prop_assert_eq!(total, 0),
            }
        }
        for (count, weight) in counts.iter().zip(&weights) {
            let expected = f64::from(*weight) / f64::from(total.max(1));
            proptest::prop_assert!((f64::from(*count) / 3000.0 - expected).abs() < 0.06);
            proptest::prop_assert!(*weight > 0 || *count == 0);
        }
    }
}

#[test]
fn faults_are_drawn_once_and_apart() {
    let fault = |delay: u32, abort: u32| Forward {
        fault: Some(Fault {
            delay: Some((Duration::from_millis(5), delay)),
            abort: Some((8, abort)),
        }),
        ..to(&[("v1", 1)])
    };
    let decide = |forward| {
        let rule = route(RouteMatch::any(), RouteAction::Forward(forward));
        let service = service(None, Some(mesh(vec![rule])));
        super::decide(
            &service,
            Island::Legacy,
            &Call::default(),
            Now::default(),
            &mut rng(),
        )
    };
    let delay = Some(Duration::from_millis(5));
    assert_eq!(decide(fault(0, 0)).unwrap().delay, None);
    assert_eq!(decide(fault(1_000_000, 0)).unwrap().delay, delay);
    let error = decide(fault(1_000_000, 1_000_000)).unwrap_err();
    assert_eq!((error.code, error.reason, error.delay), (8, Reason::FI, delay));
}

#[test]
fn a_decision_tells_what_is_done_on_the_way() {
    let retry = RetryPolicy {
        on: registries::route::RetryOn::default(),
        attempts: 2,
        per_try_timeout: None,
        base_interval: Duration::from_millis(25),
        avoid_tried: 5,
    };
    let forward = Forward {
        timeout: Some(Duration::from_secs(3)),
        retry: Some(retry.clone()),
        hash_on: vec![HashOn::Header("user".into()), HashOn::SourceIp],
        ..to(&[("v1", 1)])
    };
    let rule = route(RouteMatch::any(), RouteAction::Forward(forward));
    let service = service(Some(legacy(&[1])), Some(mesh(vec![rule])));
    let here = Call {
        source: Some([10, 0, 0, 9].into()),
        ..call(&[("user", "u1")])
    };
    let decide =
        |island, call: &Call| super::decide(&service, island, call, Now::default(), &mut rng()).unwrap();
    let decision = decide(Island::Mesh, &here);
    assert_eq!(
        (decision.timeout(), decision.retry()),
        (Some(Duration::from_secs(3)), Some(&retry))
    );
    assert_eq!(decision.authority(), Some("orders.svc"));
    let added: Vec<_> = decision
        .headers_to_add()
        .map(|(name, value, append)| (&**name, &**value, *append))
        .collect();
    assert_eq!(added, [("x-subset", "v1", false), ("x-of", "route", true)]);
    // What the wire needs is never taken off.
    assert_eq!(
        decision.headers_to_remove().collect::<Vec<_>>(),
        ["x-of-cluster", "x-of-route"]
    );
    let combined = xxh64(b"u1").rotate_left(1) ^ xxh64(b"10.0.0.9");
    assert_eq!(decision.hash, Some(combined));
    assert_eq!(decide(Island::Mesh, &call(&[])).hash, None);
    let plain = decide(Island::Legacy, &here);
    assert!(plain.timeout().is_none() && plain.retry().is_none() && plain.authority().is_none());
    assert!(plain.headers_to_add().next().is_none() && plain.rewritten_path("a", "b").is_none());
}

use registries::directory::xxh64;

#[test]
fn paths_are_rewritten() {
    for (path, rewrite, expected) in [
        (
            PathMatch::Prefix("/com.acme.".into()),
            "/com.new.",
            "/com.new.Orders/place",
        ),
        (PathMatch::Prefix("/".into()), "/v2/", "/v2/com.acme.Orders/place"),
        (
            PathMatch::Exact("/com.acme.Orders/place".into()),
            "/a.B/c",
            "/a.B/c",
        ),
        (
            PathMatch::SegmentPrefix("/com.acme.Orders/".into()),
            "/a.B",
            "/a.B/place",
        ),
        (PathMatch::Regex(full_match(".*").unwrap()), "/a.B/c", "/a.B/c"),
    ] {
        let forward = Forward {
            prefix_rewrite: Some(rewrite.into()),
            host_rewrite: Some("other.svc".into()),
            ..to(&[("v1", 1)])
        };
        let rule = route(
            RouteMatch {
                path,
                ..RouteMatch::any()
            },
            RouteAction::Forward(forward),
        );
        let service = service(None, Some(mesh(vec![rule])));
        let decision = decide(
            &service,
            Island::Mesh,
            &Call::default(),
            Now::default(),
            &mut rng(),
        )
        .unwrap();
        assert_eq!(
            decision.rewritten_path("com.acme.Orders", "place").as_deref(),
            Some(expected)
        );
        assert_eq!(decision.authority(), Some("other.svc"));
    }
}

#[test]
fn header_values_are_expanded() {
    let here = Call {
        source: Some([10, 0, 0, 9].into()),
        ..call(&[("user", "u1")])
    };
    for (value, expected) in [
        ("plain", "plain"),
        ("50%%", "50%"),
        ("%REQ(User)%!", "u1!"),
        ("%REQ(none)%", "-"),
        ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "10.0.0.9"),
        ("a%UNKNOWN%b", "a-b"),
        ("a%", "a%"),
    ] {
        assert_eq!(expand(value, &here), expected, "{value}");
    }
}

#[test]
fn modes_follow_the_order_of_sources() {
    use Encoding::{Hessian2, Opaque, Protobuf, Wrapper};
    let dubbo2 = |serialization| Protocol::Dubbo2 { serialization };
    let triple = |mode| Protocol::Triple { mode };
    let pinned = Some(Mode::Wrapper);
    for (protocol, from, bound, pin, becomes, expected) in [
        (
            dubbo2(2),
            Hessian2,
            false,
            None,
            None,
            (Mode::PassThrough, Hessian2, ModeReason::Registry),
        ),
        (
            dubbo2(2),
            Wrapper,
            false,
            None,
            None,
            (Mode::Wrapper, Hessian2, ModeReason::Registry),
        ),
        (
            dubbo2(2),
            Protobuf,
            true,
            None,
            None,
            (Mode::Protobuf, Hessian2, ModeReason::Registry),
        ),
        (
            dubbo2(23),
            Opaque(23),
            false,
            None,
            None,
            (Mode::PassThrough, Opaque(23), ModeReason::Registry),
        ),
        (
            dubbo2(23),
            Hessian2,
            false,
            None,
            None,
            (Mode::PassThrough, Hessian2, ModeReason::Default),
        ),
        (
            triple(None),
            Hessian2,
            false,
            None,
            None,
            (Mode::Wrapper, Wrapper, ModeReason::Default),
        ),
        (
            triple(None),
            Hessian2,
            true,
            None,
            None,
            (Mode::Protobuf, Protobuf, ModeReason::Bound),
        ),
        (
            triple(None),
            Hessian2,
            true,
            pinned,
            None,
            (Mode::Wrapper, Wrapper, ModeReason::Pinned),
        ),
        (
            triple(pinned),
            Hessian2,
            true,
            None,
            None,
            (Mode::Wrapper, Wrapper, ModeReason::Registry),
        ),
        (
            triple(None),
            Wrapper,
            false,
            None,
            None,
            (Mode::PassThrough, Wrapper, ModeReason::SameProtocol),
        ),
        (
            triple(None),
            Protobuf,
            true,
            None,
            None,
            (Mode::PassThrough, Protobuf, ModeReason::Bound),
        ),
        (
            triple(pinned),
            Protobuf,
            true,
            None,
            None,
            (Mode::Protobuf, Wrapper, ModeReason::Registry),
        ),
        (
            triple(None),
            Hessian2,
            true,
            None,
            Some(Wrapper),
            (Mode::Wrapper, Wrapper, ModeReason::Listener),
        ),
        (
            triple(None),
            Hessian2,
            false,
            None,
            Some(Protobuf),
            (Mode::Protobuf, Protobuf, ModeReason::Listener),
        ),
        (
            dubbo2(2),
            Wrapper,
            false,
            None,
            Some(Hessian2),
            (Mode::Wrapper, Hessian2, ModeReason::Registry),
        ),
    ] {
        let service = Service {
            pinned: pin,
            ..service(None, None)
        };
        let choice = choose_mode(&service, &endpoint(1, protocol), from, bound, becomes);
        assert_eq!(
            (choice.mode, choice.encoding, choice.reason),
            expected,
            "{protocol:?} {from:?}"
        );
    }
}

#[test]
fn http_statuses_have_codes() {
    for (status, code) in [
        (400, 13),
        (401, 16),
        (403, 7),
        (404, 12),
        (429, 14),
        (502, 14),
        (503, 14),
        (504, 14),
        (200, 2),
        (500, 2),
    ] {
        assert_eq!(code_of_http(status), code, "{status}");
    }
}
