//! What a route does.

use std::sync::Arc;
use std::time::Duration;

use prost013::Message as _;
use xds_api::pb::envoy::config::core::v3::data_source::Specifier;
use xds_api::pb::envoy::config::route::v3 as proto;
use xds_api::pb::envoy::config::route::v3::route::Action;
use xds_api::pb::envoy::config::route::v3::route_action::hash_policy::PolicySpecifier;
use xds_api::pb::envoy::config::route::v3::route_action::{ClusterSpecifier, HostRewriteSpecifier};
use xds_api::pb::google::protobuf::Any;

use super::{matches, names_to_remove, read_headers};
use crate::istiod::resource::{ResourceError, duration, invalid, limit};
use crate::istiod::wire;
use crate::route::{Fault, Forward, HashOn, RetryOn, RetryPolicy, RouteAction, WeightedCluster};

const FAULT: &str = "envoy.filters.http.fault";
/// The longest text of a direct response; istiod's own limit is 1 MiB, a gRPC message header's far below.
const DIRECT_BODY: usize = 4096;

pub(super) fn read(route: &proto::Route, host: &proto::VirtualHost) -> Result<RouteAction, ResourceError> {
    match &route.action {
        Some(Action::Route(action)) => forward(action, route, host),
        Some(Action::DirectResponse(answer)) => direct(answer),
        Some(Action::Redirect(_)) => Ok(RouteAction::Unsupported("redirect")),
        Some(Action::FilterAction(_)) => Ok(RouteAction::Unsupported("filter action")),
        Some(Action::NonForwardingAction(_)) => Ok(RouteAction::Unsupported("non-forwarding action")),
        None => Err(ResourceError::Missing("route action")),
    }
}

fn direct(answer: &proto::DirectResponseAction) -> Result<RouteAction, ResourceError> {
    let status = u16::try_from(answer.status)
        .ok()
        .filter(|status| (200..600).contains(status));
    let status = status.ok_or_else(|| invalid("direct response status", answer.status))?;
    let mut body = match answer.body.as_ref().and_then(|body| body.specifier.as_ref()) {
        Some(Specifier::InlineString(text)) => text.clone(),
        Some(Specifier::InlineBytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Some(Specifier::Filename(_) | Specifier::EnvironmentVariable(_)) | None => String::new(),
    };
    let end = (0..=DIRECT_BODY.min(body.len()))
        .rev()
        .find(|end| body.is_char_boundary(*end));
    body.truncate(end.unwrap_or(0));
    Ok(RouteAction::Direct {
        status,
        body: body.into(),
    })
}

fn forward(
    action: &proto::RouteAction,
    route: &proto::Route,
    host: &proto::VirtualHost,
) -> Result<RouteAction, ResourceError> {
    let mut clusters = Vec::new();
    match &action.cluster_specifier {
        Some(ClusterSpecifier::Cluster(name)) => clusters.push(WeightedCluster {
            cluster: name.as_str().into(),
            weight: 1,
            headers_to_add: Vec::new(),
            headers_to_remove: Vec::new(),
        }),
        Some(ClusterSpecifier::WeightedClusters(weighted)) => {
            for cluster in &weighted.clusters {
                clusters.extend(weighted_cluster(cluster));
            }
            let sum: u64 = clusters.iter().map(|cluster| u64::from(cluster.weight)).sum();
            if sum > u64::from(u32::MAX) {
                return Err(invalid("weighted clusters", "sum of weights above 2^32-1"));
            }
        }
        Some(ClusterSpecifier::ClusterHeader(_)) => return Ok(RouteAction::Unsupported("cluster header")),
        Some(
            ClusterSpecifier::ClusterSpecifierPlugin(_) | ClusterSpecifier::InlineClusterSpecifierPlugin(_),
        ) => {
            return Ok(RouteAction::Unsupported("cluster specifier plugin"));
        }
        None => return Err(ResourceError::Missing("cluster of a route")),
    }
    // To call the path as it was would run another method than the rule says.
    if action.regex_rewrite.is_some() || action.path_rewrite_policy.is_some() {
        return Ok(RouteAction::Unsupported("regex rewrite"));
    }
    let host_rewrite = match &action.host_rewrite_specifier {
        Some(HostRewriteSpecifier::HostRewriteLiteral(host)) if !host.is_empty() => {
            Some(host.as_str().into())
        }
        _ => None,
    };
    let retry = action.retry_policy.as_ref().or(host.retry_policy.as_ref());
    Ok(RouteAction::Forward(Forward {
        clusters,
        timeout: timeout(action)?,
        retry: retry.map(retry_policy).transpose()?.flatten(),
        prefix_rewrite: (!action.prefix_rewrite.is_empty()).then(|| action.prefix_rewrite.as_str().into()),
        host_rewrite,
        hash_on: action.hash_policy.iter().filter_map(hash_on).collect(),
        fault: fault(route, host)?,
    }))
}

fn weighted_cluster(proto: &proto::weighted_cluster::ClusterWeight) -> Option<WeightedCluster> {
    let weight = proto.weight.as_ref().map_or(0, |weight| weight.value);
    // The rewritten authority of a single cluster is left out: the route has one for all.
    let headers_to_add = read_headers(&proto.request_headers_to_add, &mut None);
    (weight > 0 && !proto.name.is_empty()).then(|| WeightedCluster {
        cluster: proto.name.as_str().into(),
        weight,
        headers_to_add,
        headers_to_remove: names_to_remove(&proto.request_headers_to_remove).collect(),
    })
}

/// The limit of a gRPC call: `max_grpc_timeout` where there is one (0: none), else the plain timeouts.
fn timeout(action: &proto::RouteAction) -> Result<Option<Duration>, ResourceError> {
    #[allow(deprecated, reason = "istiod writes it on every route")]
    let grpc = action.max_grpc_timeout.as_ref();
    if let Some(grpc) = grpc {
        return limit("max_grpc_timeout", Some(grpc));
    }
    if let Some(stream) = &action.max_stream_duration {
        let value = stream
            .grpc_timeout_header_max
            .as_ref()
            .or(stream.max_stream_duration.as_ref());
        if value.is_some() {
            return limit("max_stream_duration", value);
        }
    }
    limit("timeout", action.timeout.as_ref())
}

fn retry_policy(policy: &proto::RetryPolicy) -> Result<Option<RetryPolicy>, ResourceError> {
    const ENVOY_BASE: Duration = Duration::from_millis(25);
    let on = retry_on(&policy.retry_on);
    let attempts = policy.num_retries.as_ref().map_or(1, |value| value.value);
    if attempts == 0 || on == RetryOn::default() {
        return Ok(None);
    }
    let base_interval = match policy
        .retry_back_off
        .as_ref()
        .and_then(|back_off| back_off.base_interval.as_ref())
    {
        Some(value) => duration("base_interval", value)?,
        None => ENVOY_BASE,
    };
    let avoids = policy
        .retry_host_predicate
        .iter()
        .any(|predicate| predicate.name.ends_with("previous_hosts"));
    let avoid_tried = match u32::try_from(policy.host_selection_retry_max_attempts) {
        Ok(0) => 1,
        Ok(times) => times,
        Err(_) => return Err(invalid("host_selection_retry_max_attempts", "out of range")),
    };
    Ok(Some(RetryPolicy {
        on,
        attempts,
        per_try_timeout: limit("per_try_timeout", policy.per_try_timeout.as_ref())?,
        base_interval,
        avoid_tried: if avoids { avoid_tried } else { 0 },
    }))
}

/// The conditions we know; unknown ones are passed over, as Envoy does.
fn retry_on(text: &str) -> RetryOn {
    let mut on = RetryOn::default();
    for token in text.split(',').map(str::trim) {
        match token {
            "connect-failure" => on.connect_failure = true,
            "refused-stream" => on.refused_stream = true,
            "reset" => on.reset = true,
            // Only while the request was not sent in full: what surely did not run.
            "reset-before-request" => {
                on.connect_failure = true;
                on.refused_stream = true;
            }
            "cancelled" => on.codes |= 1 << 1,
            "deadline-exceeded" => on.codes |= 1 << 4,
            "resource-exhausted" => on.codes |= 1 << 8,
            "internal" => on.codes |= 1 << 13,
            "unavailable" => on.codes |= 1 << 14,
            // Envoy's 5xx covers connections that fail, streams refused and resets too.
            "5xx" => {
                on.server_error = true;
                on.connect_failure = true;
                on.refused_stream = true;
                on.reset = true;
            }
            "gateway-error" => on.gateway_error = true,
            _ => {}
        }
    }
    on
}

fn hash_on(policy: &proto::route_action::HashPolicy) -> Option<HashOn> {
    match policy.policy_specifier.as_ref()? {
        PolicySpecifier::Header(header) => {
            Some(HashOn::Header(header.header_name.to_ascii_lowercase().into()))
        }
        PolicySpecifier::ConnectionProperties(properties) => properties.source_ip.then_some(HashOn::SourceIp),
        // Cookies and query parameters: a Dubbo call has none.
        PolicySpecifier::Cookie(_) | PolicySpecifier::QueryParameter(_) | PolicySpecifier::FilterState(_) => {
            None
        }
    }
}

fn fault(route: &proto::Route, host: &proto::VirtualHost) -> Result<Option<Fault>, ResourceError> {
    let configs = [&route.typed_per_filter_config, &host.typed_per_filter_config];
    let Some(any) = configs.into_iter().find_map(|configs| configs.get(FAULT)) else {
        return Ok(None);
    };
    let Some(fault) = read_fault(any)? else {
        return Ok(None);
    };
    let delay = match &fault.delay {
        Some(delay) => {
            let share = matches::per_million(delay.percentage.as_ref());
            let fixed = limit("fault delay", delay.fixed.as_ref())?;
            fixed.filter(|_| share > 0).map(|fixed| (fixed, share))
        }
        None => None,
    };
    let abort = fault.abort.as_ref().and_then(|abort| {
        let share = matches::per_million(abort.percentage.as_ref());
        let code = abort.grpc_status.or_else(|| abort.http_status.map(grpc_code))?;
        (share > 0).then_some((code, share))
    });
    let fault = Fault { delay, abort };
    Ok((fault.delay.is_some() || fault.abort.is_some()).then_some(fault))
}

fn read_fault(any: &Any) -> Result<Option<wire::HttpFault>, ResourceError> {
    let kind = any.type_url.rsplit('/').next().unwrap_or_default();
    match kind {
        "envoy.extensions.filters.http.fault.v3.HTTPFault" => {
            Ok(Some(wire::HttpFault::decode(any.value.as_slice())?))
        }
        "envoy.config.route.v3.FilterConfig" => {
            let wrapped = proto::FilterConfig::decode(any.value.as_slice())?;
            match wrapped.config {
                // One layer: a wrapper in a wrapper is nobody's.
                Some(inner) if !wrapped.disabled && inner.type_url.ends_with(".HTTPFault") => {
                    Ok(Some(wire::HttpFault::decode(inner.value.as_slice())?))
                }
                _ => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// The gRPC code of an HTTP status (gRPC's `http-grpc-status-mapping.md`).
fn grpc_code(status: u32) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// The clusters that an action names.
pub(crate) fn clusters(action: &RouteAction) -> impl Iterator<Item = &Arc<str>> {
    let forward = match action {
        RouteAction::Forward(forward) => Some(forward),
        RouteAction::Direct { .. } | RouteAction::Unsupported(_) => None,
    };
    forward
        .into_iter()
        .flat_map(|forward| forward.clusters.iter().map(|weighted| &weighted.cluster))
}
