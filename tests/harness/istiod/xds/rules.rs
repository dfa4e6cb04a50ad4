//! VirtualServices to the rules of one `host:port`.

use std::collections::HashMap;

use serde_json::Value;
use xds_api::pb::envoy::config::core::v3 as core;
use xds_api::pb::envoy::config::route::v3 as rds;
use xds_api::pb::envoy::r#type::matcher::v3 as matcher;
use xds_api::pb::google::protobuf::{self, Any};

use super::{Index, duration, number, seconds};
use crate::istiod::wire;

const DEFAULT_RETRIES: &str = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";

/// One virtual host for all domains, or none for a host that nobody knows (fact 10).
pub(super) fn routes(index: &Index<'_>, name: &str) -> rds::RouteConfiguration {
    let mut config = rds::RouteConfiguration {
        name: name.to_owned(),
        validate_clusters: Some(false.into()),
        max_direct_response_body_size_bytes: Some((1 << 20).into()),
        ignore_port_in_host_matching: true,
        ..rds::RouteConfiguration::default()
    };
    let Some((host, port)) = name.rsplit_once(':') else {
        return config;
    };
    let Some((_, entry)) = index.service(host) else {
        return config;
    };
    let port = entry.ports.iter().find(|known| known.number.to_string() == port);
    let Some(port) = port.filter(|port| !matches!(port.protocol.as_str(), "TCP" | "TLS" | "HTTPS")) else {
        return config;
    };
    let routes = match index.virtual_service(host) {
        Some(spec) => rules(spec, host, port.number),
        None => vec![default_route(host, port.number)],
    };
    if routes.is_empty() {
        return config;
    }
    config.virtual_hosts.push(rds::VirtualHost {
        name: name.to_owned(),
        domains: vec!["*".into()],
        include_request_attempt_count: true,
        routes,
        ..rds::VirtualHost::default()
    });
    config
}

fn default_route(host: &str, port: u16) -> rds::Route {
    rds::Route {
        name: "default".into(),
        r#match: Some(prefix("/")),
        action: Some(rds::route::Action::Route(rds::RouteAction {
            retry_policy: Some(default_retries()),
            ..action(cluster(host, port, ""), seconds(0))
        })),
        ..rds::Route::default()
    }
}

/// A rule set ends after the first rule that matches everything.
fn rules(spec: &Value, host: &str, port: u16) -> Vec<rds::Route> {
    let mut routes = Vec::new();
    for rule in spec["http"].as_array().into_iter().flatten() {
        let blocks = rule["match"].as_array().cloned().unwrap_or_default();
        if blocks.is_empty() {
            routes.push(route(rule, None, host, port));
            break;
        }
        for block in &blocks {
            routes.push(route(rule, Some(block), host, port));
        }
    }
    routes
}

fn route(rule: &Value, block: Option<&Value>, host: &str, port: u16) -> rds::Route {
    let mut filters = HashMap::new();
    if let Some(fault) = fault(&rule["fault"]) {
        filters.insert("envoy.filters.http.fault".to_owned(), fault);
    }
    let direct = &rule["directResponse"];
    let action = if direct.is_null() {
        rds::route::Action::Route(forward(rule, host, port))
    } else {
        rds::route::Action::DirectResponse(rds::DirectResponseAction {
            status: number(&direct["status"]).unwrap_or(503),
            body: direct["body"]["string"].as_str().map(|text| core::DataSource {
                specifier: Some(core::data_source::Specifier::InlineString(text.to_owned())),
                ..core::DataSource::default()
            }),
        })
    };
    rds::Route {
        name: rule["name"].as_str().unwrap_or_default().to_owned(),
        r#match: Some(block.map_or_else(|| prefix("/"), matches)),
        action: Some(action),
        decorator: Some(rds::Decorator {
            operation: format!("{host}:{port}/*"),
            ..rds::Decorator::default()
        }),
        request_headers_to_add: headers_to_set(&rule["headers"]["request"]["set"]),
        typed_per_filter_config: filters,
        ..rds::Route::default()
    }
}

fn forward(rule: &Value, host: &str, port: u16) -> rds::RouteAction {
    let destinations = rule["route"].as_array().cloned().unwrap_or_default();
    let name = |destination: &Value| {
        let destination = &destination["destination"];
        let target = destination["host"].as_str().unwrap_or(host);
        let number = number(&destination["port"]["number"]).and_then(|port| u16::try_from(port).ok());
        cluster(
            target,
            number.unwrap_or(port),
            destination["subset"].as_str().unwrap_or_default(),
        )
    };
    let timeout = rule["timeout"].as_str().and_then(duration).or(seconds(0));
    let mut forward = match destinations.as_slice() {
        [one] => action(name(one), timeout),
        many => {
            let weighted = many.iter().filter_map(|destination| {
                let weight = number(&destination["weight"]).filter(|weight| *weight > 0)?;
                Some(rds::weighted_cluster::ClusterWeight {
                    name: name(destination),
                    weight: Some(weight.into()),
                    ..rds::weighted_cluster::ClusterWeight::default()
                })
            });
            let clusters = rds::WeightedCluster {
                clusters: weighted.collect(),
                ..rds::WeightedCluster::default()
            };
            rds::RouteAction {
                cluster_specifier: Some(rds::route_action::ClusterSpecifier::WeightedClusters(clusters)),
                ..action(String::new(), timeout)
            }
        }
    };
    forward.retry_policy = retries(&rule["retries"]);
    forward
}

fn cluster(host: &str, port: u16, subset: &str) -> String {
    format!("outbound|{port}|{subset}|{}", host.to_ascii_lowercase())
}

#[allow(deprecated, reason = "istiod writes max_grpc_timeout on every route")]
fn action(cluster: String, timeout: Option<protobuf::Duration>) -> rds::RouteAction {
    rds::RouteAction {
        cluster_specifier: Some(rds::route_action::ClusterSpecifier::Cluster(cluster)),
        timeout,
        max_grpc_timeout: timeout,
        ..rds::RouteAction::default()
    }
}

fn default_retries() -> rds::RetryPolicy {
    retry_policy(DEFAULT_RETRIES, 2)
}

fn retry_policy(on: &str, times: u32) -> rds::RetryPolicy {
    rds::RetryPolicy {
        retry_on: on.to_owned(),
        num_retries: Some(times.into()),
        host_selection_retry_max_attempts: 5,
        retry_host_predicate: vec![rds::retry_policy::RetryHostPredicate {
            name: "envoy.retry_host_predicates.previous_hosts".into(),
            ..Default::default()
        }],
        ..rds::RetryPolicy::default()
    }
}

fn retries(spec: &Value) -> Option<rds::RetryPolicy> {
    if spec.is_null() {
        return Some(default_retries());
    }
    let attempts = number(&spec["attempts"]).unwrap_or(0);
    (attempts > 0).then(|| rds::RetryPolicy {
        per_try_timeout: spec["perTryTimeout"].as_str().and_then(duration),
        ..retry_policy(spec["retryOn"].as_str().unwrap_or(DEFAULT_RETRIES), attempts)
    })
}

fn prefix(prefix: &str) -> rds::RouteMatch {
    rds::RouteMatch {
        path_specifier: Some(rds::route_match::PathSpecifier::Prefix(prefix.to_owned())),
        ..rds::RouteMatch::default()
    }
}

fn matches(block: &Value) -> rds::RouteMatch {
    let uri = &block["uri"];
    let path = if let Some(path) = uri["exact"].as_str() {
        rds::route_match::PathSpecifier::Path(path.to_owned())
    } else if let Some(text) = uri["regex"].as_str() {
        rds::route_match::PathSpecifier::SafeRegex(regex(text))
    } else {
        rds::route_match::PathSpecifier::Prefix(uri["prefix"].as_str().unwrap_or("/").to_owned())
    };
    let headers = block["headers"].as_object().into_iter().flatten();
    let without = block["withoutHeaders"].as_object().into_iter().flatten();
    let headers = headers.map(|(name, value)| header(name, value, false));
    let without = without.map(|(name, value)| header(name, value, true));
    rds::RouteMatch {
        path_specifier: Some(path),
        case_sensitive: Some(true.into()),
        headers: headers.chain(without).collect(),
        ..rds::RouteMatch::default()
    }
}

fn header(name: &str, value: &Value, invert: bool) -> rds::HeaderMatcher {
    use rds::header_matcher::HeaderMatchSpecifier as Specifier;
    let pattern = if let Some(text) = value["exact"].as_str() {
        Some(matcher::string_matcher::MatchPattern::Exact(text.to_owned()))
    } else if let Some(text) = value["prefix"].as_str() {
        Some(matcher::string_matcher::MatchPattern::Prefix(text.to_owned()))
    } else {
        value["regex"]
            .as_str()
            .map(|text| matcher::string_matcher::MatchPattern::SafeRegex(regex(text)))
    };
    let has_value = pattern.is_some();
    let specifier = match pattern {
        Some(_) => Specifier::StringMatch(matcher::StringMatcher {
            match_pattern: pattern,
            ..matcher::StringMatcher::default()
        }),
        None => Specifier::PresentMatch(true),
    };
    rds::HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(specifier),
        invert_match: invert,
        treat_missing_header_as_empty: invert && has_value,
    }
}

fn regex(text: &str) -> matcher::RegexMatcher {
    matcher::RegexMatcher {
        regex: text.to_owned(),
        ..matcher::RegexMatcher::default()
    }
}

fn headers_to_set(set: &Value) -> Vec<core::HeaderValueOption> {
    let pairs = set.as_object().into_iter().flatten();
    let option = |(key, value): (&String, &Value)| core::HeaderValueOption {
        header: Some(core::HeaderValue {
            key: key.clone(),
            value: value.as_str().unwrap_or_default().to_owned(),
            ..core::HeaderValue::default()
        }),
        append_action: core::header_value_option::HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..core::HeaderValueOption::default()
    };
    pairs.map(option).collect()
}

fn fault(spec: &Value) -> Option<Any> {
    if spec.is_null() {
        return None;
    }
    let share = |part: &Value| {
        let percent = part["percentage"]["value"]
            .as_f64()
            .unwrap_or(0.0)
            .clamp(0.0, 100.0);
        Some(wire::Percent {
            numerator: (percent * 10_000.0) as u32,
            denominator: 2,
        })
    };
    let (delay, abort) = (&spec["delay"], &spec["abort"]);
    let message = wire::HttpFault {
        delay: delay["fixedDelay"]
            .as_str()
            .and_then(duration)
            .map(|fixed| wire::FaultDelay {
                fixed: Some(prost_types::Duration {
                    seconds: fixed.seconds,
                    nanos: fixed.nanos,
                }),
                percentage: share(delay),
            }),
        abort: (!abort.is_null()).then(|| wire::FaultAbort {
            http_status: number(&abort["httpStatus"]),
            grpc_status: abort["grpcStatus"].as_str().and_then(grpc_code),
            percentage: share(abort),
        }),
    };
    Some(Any {
        type_url: "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault".into(),
        value: prost::Message::encode_to_vec(&message),
    })
}

fn grpc_code(name: &str) -> Option<u32> {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let code = NAMES.iter().position(|known| *known == name)?;
    u32::try_from(code).ok()
}
