#![allow(deprecated, reason = "istiod writes max_grpc_timeout on every route")]

use std::time::Duration;

use prost013::Message as _;
use xds_api::pb::envoy::config::core::v3::HeaderValue;
use xds_api::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use xds_api::pb::envoy::config::route::v3::route::Action;
use xds_api::pb::envoy::config::route::v3::route_action::ClusterSpecifier;
use xds_api::pb::envoy::config::route::v3::route_match::PathSpecifier;
use xds_api::pb::envoy::r#type::matcher::v3::{RegexMatcher, StringMatcher, string_matcher::MatchPattern};
use xds_api::pb::envoy::r#type::v3::FractionalPercent;
use xds_api::pb::google::protobuf::{Any, Duration as ProtoDuration};

use super::*;
use crate::istiod::wire;
use crate::route::{Forward, PathMatch, RetryOn, ValueMatch};

const DEFAULT_RETRIES: &str = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";

fn seconds(seconds: i64) -> Option<ProtoDuration> {
    Some(ProtoDuration { seconds, nanos: 0 })
}

fn prefix(prefix: &str) -> proto::RouteMatch {
    proto::RouteMatch {
        path_specifier: Some(PathSpecifier::Prefix(prefix.into())),
        ..proto::RouteMatch::default()
    }
}

fn header(name: &str, specifier: Option<HeaderMatchSpecifier>) -> proto::HeaderMatcher {
    proto::HeaderMatcher {
        name: name.into(),
        header_match_specifier: specifier,
        ..proto::HeaderMatcher::default()
    }
}

fn to(cluster: &str) -> proto::RouteAction {
    proto::RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(cluster.into())),
        ..proto::RouteAction::default()
    }
}

fn route(matches: proto::RouteMatch, action: proto::RouteAction) -> proto::Route {
    proto::Route {
        r#match: Some(matches),
        action: Some(Action::Route(action)),
        ..proto::Route::default()
    }
}

fn config(routes: Vec<proto::Route>) -> proto::RouteConfiguration {
    proto::RouteConfiguration {
        name: "a.dubbo:50051".into(),
        virtual_hosts: vec![proto::VirtualHost {
            domains: vec!["*".into()],
            routes,
            ..proto::VirtualHost::default()
        }],
        ..proto::RouteConfiguration::default()
    }
}

fn read(config: &proto::RouteConfiguration) -> Result<VirtualHost, ResourceError> {
    parse(&config.encode_to_vec(), &HostPort::new("a.dubbo", 50051)).map(|(_, host)| host)
}

fn forward(action: proto::RouteAction) -> Forward {
    let host = read(&config(vec![route(prefix("/"), action)])).unwrap();
    match &host.routes[0].action {
        RouteAction::Forward(forward) => forward.clone(),
        other => panic!("{other:?}"),
    }
}

/// What istiod writes for a header canary and an 80/20 split.
#[test]
fn reads_what_istiod_writes() {
    let canary = proto::Route {
        name: "canary".into(),
        ..route(
            proto::RouteMatch {
                headers: vec![header(
                    "x-env",
                    Some(HeaderMatchSpecifier::StringMatch(StringMatcher {
                        match_pattern: Some(MatchPattern::Exact("gray".into())),
                        ..StringMatcher::default()
                    })),
                )],
                case_sensitive: Some(true.into()),
                ..prefix("/com.acme.A/")
            },
            proto::RouteAction {
                timeout: seconds(0),
                max_grpc_timeout: seconds(0),
                retry_policy: Some(proto::RetryPolicy {
                    retry_on: DEFAULT_RETRIES.into(),
                    num_retries: Some(2.into()),
                    host_selection_retry_max_attempts: 5,
                    retry_host_predicate: vec![proto::retry_policy::RetryHostPredicate {
                        name: "envoy.retry_host_predicates.previous_hosts".into(),
                        ..Default::default()
                    }],
                    ..proto::RetryPolicy::default()
                }),
                ..to("outbound|50051|v2|a.dubbo")
            },
        )
    };
    let weighted = |name: &str, weight: u32| proto::weighted_cluster::ClusterWeight {
        name: name.into(),
        weight: Some(weight.into()),
        ..Default::default()
    };
    let main = route(
        prefix("/"),
        proto::RouteAction {
            cluster_specifier: Some(ClusterSpecifier::WeightedClusters(proto::WeightedCluster {
                clusters: vec![weighted("v1", 80), weighted("v2", 20), weighted("v3", 0)],
                ..Default::default()
            })),
            timeout: seconds(3),
            max_grpc_timeout: seconds(3),
            retry_policy: Some(proto::RetryPolicy {
                retry_on: "unavailable,reset-before-request".into(),
                num_retries: Some(2.into()),
                per_try_timeout: seconds(1),
                ..proto::RetryPolicy::default()
            }),
            ..proto::RouteAction::default()
        },
    );
    let host = read(&config(vec![canary, main])).unwrap();
    let [canary, main] = host.routes.as_slice() else {
        panic!("{host:?}");
    };
    assert_eq!(&*canary.name, "canary");
    assert!(matches!(&canary.matches.path, PathMatch::Prefix(path) if &**path == "/com.acme.A/"));
    assert!(
        matches!(&canary.matches.headers[0].value, ValueMatch::Exact(value, false) if &**value == "gray")
    );
    let RouteAction::Forward(canary) = &canary.action else {
        panic!("{canary:?}");
    };
    assert_eq!(canary.timeout, None);
    let retry = canary.retry.as_ref().unwrap();
    assert_eq!((retry.attempts, retry.avoid_tried), (2, 5));
    let on = RetryOn {
        connect_failure: true,
        refused_stream: true,
        codes: 1 << 14 | 1 << 1,
        ..RetryOn::default()
    };
    assert_eq!(retry.on, on);
    let RouteAction::Forward(main) = &main.action else {
        panic!("{main:?}");
    };
    assert_eq!(main.timeout, Some(Duration::from_secs(3)));
    let shares: Vec<_> = main.clusters.iter().map(|c| (&*c.cluster, c.weight)).collect();
    assert_eq!(shares, [("v1", 80), ("v2", 20)]);
    let retry = main.retry.as_ref().unwrap();
    assert_eq!(retry.per_try_timeout, Some(Duration::from_secs(1)));
    assert!(!retry.on.reset, "a request that may have run is not repeated");
}

#[test]
fn knows_no_route_for_an_unknown_host() {
    let nothing = proto::RouteConfiguration {
        name: "a.dubbo:50051".into(),
        ..proto::RouteConfiguration::default()
    };
    assert!(read(&nothing).unwrap().routes.is_empty());
}

#[test]
fn chooses_a_virtual_host_in_envoys_order() {
    let host = |domains: &[&str]| proto::VirtualHost {
        domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        name: domains[0].into(),
        ..proto::VirtualHost::default()
    };
    let hosts = [
        host(&["*"]),
        host(&["*.dubbo"]),
        host(&["x", "a.dubbo:50051"]),
        host(&["a.*"]),
    ];
    let chosen = |host: &str, port| choose(&hosts, &HostPort::new(host, port)).map(|host| host.name.as_str());
    assert_eq!(chosen("a.dubbo", 50051), Some("x"));
    assert_eq!(chosen("a.dubbo", 80), Some("*.dubbo"));
    assert_eq!(chosen("a.else", 80), Some("a.*"));
    assert_eq!(chosen("else", 80), Some("*"));
    assert!(choose(&hosts[2..3], &HostPort::new("b", 1)).is_none());
}

#[test]
fn anchors_regular_expressions_and_limits_them() {
    let path = |regex: &str| {
        let matches = proto::RouteMatch {
            path_specifier: Some(PathSpecifier::SafeRegex(RegexMatcher {
                regex: regex.into(),
                ..RegexMatcher::default()
            })),
            ..proto::RouteMatch::default()
        };
        read(&config(vec![route(matches, to("c"))]))
    };
    let host = path("/a/.*|/b").unwrap();
    let PathMatch::Regex(regex) = &host.routes[0].matches.path else {
        panic!("{host:?}");
    };
    assert!(
        regex.is_match("/a/x") && regex.is_match("/b") && !regex.is_match("/b/x") && !regex.is_match("x/b")
    );
    for bad in ["(", "a)|(b", r"\w{1000}{1000}", &"a".repeat(5000)] {
        let error = path(bad).unwrap_err().to_string();
        assert!(
            error.starts_with("path regex: ") && !error.contains('\n'),
            "{error}"
        );
    }
}

#[test]
fn never_matches_what_a_call_does_not_have() {
    let query = proto::RouteMatch {
        query_parameters: vec![proto::QueryParameterMatcher::default()],
        ..prefix("/")
    };
    assert!(
        read(&config(vec![route(query, to("c"))])).unwrap().routes[0]
            .matches
            .never
    );
}

#[test]
fn reads_every_kind_of_header_match() {
    let string = |pattern| {
        Some(HeaderMatchSpecifier::StringMatch(StringMatcher {
            match_pattern: Some(pattern),
            ignore_case: true,
        }))
    };
    let matches = proto::RouteMatch {
        headers: vec![
            header("A", None),
            header("b", Some(HeaderMatchSpecifier::PresentMatch(false))),
            header("c", string(MatchPattern::Suffix("x".into()))),
            header("d", string(MatchPattern::Contains("x".into()))),
            proto::HeaderMatcher {
                invert_match: true,
                treat_missing_header_as_empty: true,
                ..header("e", string(MatchPattern::Prefix("x".into())))
            },
        ],
        ..prefix("/")
    };
    let host = read(&config(vec![route(matches, to("c"))])).unwrap();
    let headers = &host.routes[0].matches.headers;
    assert!(matches!(
        (&*headers[0].name, &headers[0].value),
        ("a", ValueMatch::Present(true))
    ));
    assert!(matches!(headers[1].value, ValueMatch::Present(false)));
    assert!(matches!(headers[2].value, ValueMatch::Suffix(_, true)));
    assert!(matches!(headers[3].value, ValueMatch::Contains(_, true)));
    assert!(headers[4].invert && headers[4].missing_is_empty);
}

#[test]
fn keeps_our_own_headers_from_operators() {
    let option = |key: &str, value: &str, action: HeaderAppendAction| HeaderValueOption {
        header: Some(HeaderValue {
            key: key.into(),
            value: value.into(),
            ..HeaderValue::default()
        }),
        append_action: action.into(),
        ..HeaderValueOption::default()
    };
    let mut rule = route(prefix("/"), to("c"));
    rule.request_headers_to_add = vec![
        option(
            "X-A",
            "100%% of %REQ(x)%",
            HeaderAppendAction::OverwriteIfExistsOrAdd,
        ),
        option("x-b", "b", HeaderAppendAction::AppendIfExistsOrAdd),
        option("te", "no", HeaderAppendAction::OverwriteIfExistsOrAdd),
        option("grpc-timeout", "1S", HeaderAppendAction::OverwriteIfExistsOrAdd),
        option(":authority", "other", HeaderAppendAction::OverwriteIfExistsOrAdd),
    ];
    rule.request_headers_to_remove = vec!["X-C".into(), "content-type".into()];
    let host = read(&config(vec![rule])).unwrap();
    let rule = &host.routes[0];
    let expected = [
        ("x-a".into(), "100% of -".into(), false),
        ("x-b".into(), "b".into(), true),
    ];
    assert_eq!(rule.headers_to_add, expected);
    assert_eq!(rule.headers_to_remove, ["x-c".into()]);
    assert!(
        matches!(&rule.action, RouteAction::Forward(forward) if forward.host_rewrite.as_deref() == Some("other"))
    );
}

#[test]
fn reads_faults_plain_and_wrapped() {
    let fault = wire::HttpFault {
        delay: Some(wire::FaultDelay {
            fixed: seconds(2),
            percentage: Some(FractionalPercent {
                numerator: 500_000,
                denominator: 2,
            }),
        }),
        abort: Some(wire::FaultAbort {
            http_status: Some(503),
            grpc_status: None,
            percentage: Some(FractionalPercent {
                numerator: 50,
                denominator: 0,
            }),
        }),
    };
    let plain = Any {
        type_url: "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault".into(),
        value: fault.encode_to_vec(),
    };
    let wrapped = Any {
        type_url: "type.googleapis.com/envoy.config.route.v3.FilterConfig".into(),
        value: proto::FilterConfig {
            config: Some(plain.clone()),
            ..Default::default()
        }
        .encode_to_vec(),
    };
    for any in [plain, wrapped] {
        let mut rule = route(prefix("/"), to("c"));
        rule.typed_per_filter_config
            .insert("envoy.filters.http.fault".into(), any);
        let host = read(&config(vec![rule])).unwrap();
        let RouteAction::Forward(forward) = &host.routes[0].action else {
            panic!("{host:?}");
        };
        let fault = forward.fault.as_ref().unwrap();
        assert_eq!(fault.delay, Some((Duration::from_secs(2), 500_000)));
        assert_eq!(fault.abort, Some((14, 500_000)));
    }
}

#[test]
fn takes_the_grpc_timeout_first() {
    let timeout = |timeout, grpc| {
        forward(proto::RouteAction {
            timeout,
            max_grpc_timeout: grpc,
            ..to("c")
        })
        .timeout
    };
    assert_eq!(timeout(seconds(3), seconds(0)), None);
    assert_eq!(timeout(seconds(3), seconds(2)), Some(Duration::from_secs(2)));
    assert_eq!(timeout(seconds(3), None), Some(Duration::from_secs(3)));
    assert_eq!(timeout(None, None), None);
}

#[test]
fn refuses_what_cannot_be_used() {
    let no_path = proto::RouteMatch::default();
    let no_cluster = proto::RouteAction::default();
    let negative = proto::RouteAction {
        timeout: seconds(-1),
        ..to("c")
    };
    for (rule, words) in [
        (route(no_path, to("c")), "path of a route match"),
        (route(prefix("/"), no_cluster), "cluster of a route"),
        (route(prefix("/"), negative), "timeout: negative"),
        (proto::Route::default(), "route match"),
    ] {
        let error = read(&config(vec![rule])).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
