//! Rules and reasons in words.

use std::fmt::Write;

use codecs::Encoding;
use registries::directory::{Island, Service};
use registries::route::{Forward, PathMatch, Route, RouteAction, ValueMatch};

use super::Why;

/// An encoding's name.
pub(super) fn encoding(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Hessian2 => "hessian2",
        Encoding::Wrapper => "wrapper",
        Encoding::Protobuf => "protobuf",
        Encoding::Opaque(_) => "opaque",
    }
}

/// A host with its port; the name of a host in the file may have one.
pub(crate) fn authority(host: &str, port: u16) -> String {
    match host.rsplit_once(':') {
        Some((_, of_host)) if of_host.parse::<u16>().is_ok() => host.to_owned(),
        _ => format!("{host}:{port}"),
    }
}

/// Why a call goes to an island.
pub(super) fn why(why: Why, from: Island, to: Island) -> String {
    match why {
        Why::Own => format!("the {} island has a usable native", from.as_str()),
        Why::OtherForLackOfOwn => format!(
            "the {} island has no usable native, the {} island has",
            from.as_str(),
            to.as_str()
        ),
        Why::Listener => format!(
            "the listener's `becomes` sends them to the {} island",
            to.as_str()
        ),
    }
}

/// Why calls that a listener sends to an island go nowhere.
pub(super) fn not_there(island: Island) -> String {
    format!(
        "the listener sends them to the {} island, which has no usable native",
        island.as_str()
    )
}

/// Why calls go nowhere.
pub(super) fn nowhere(service: &Service) -> String {
    match (&service.legacy, &service.mesh) {
        (None, None) => "no island has a native".to_owned(),
        (_, Some(side)) if side.routes.routes.is_empty() => {
            "the mesh has no route, and no island a usable native".to_owned()
        }
        _ => "no island has a usable native".to_owned(),
    }
}

/// A rule in a line: `path /a.B/ and x-canary is "1": 80 % cluster, 20 % other; timeout 3s`.
pub(super) fn route(route: &Route) -> String {
    let mut text = String::new();
    if !route.name.is_empty() {
        text.push_str(&route.name);
        text.push_str(": ");
    }
    let conditions = conditions(route);
    text.push_str(if conditions.is_empty() { "all calls" } else { "" });
    text.push_str(&conditions.join(" and "));
    text.push_str(" -> ");
    match &route.action {
        RouteAction::Forward(forward) => shares(&mut text, forward),
        // Writing to a String cannot fail, here and below.
        RouteAction::Direct { status, .. } => drop(write!(text, "answered with HTTP {status}")),
        RouteAction::Unsupported(kind) => drop(write!(text, "{kind}, which the gateway cannot do")),
    }
    text
}

fn conditions(route: &Route) -> Vec<String> {
    let rule = &route.matches;
    let mut all = Vec::new();
    if rule.never {
        all.push("never".to_owned());
    }
    match &rule.path {
        PathMatch::Prefix(prefix) if &**prefix == "/" => {}
        PathMatch::Prefix(prefix) => all.push(format!("path begins with {prefix}")),
        PathMatch::Exact(path) => all.push(format!("path is {path}")),
        PathMatch::SegmentPrefix(prefix) => all.push(format!("path is below {prefix}")),
        PathMatch::Regex(regex) => all.push(format!("path matches {regex}")),
    }
    if let Some(share) = rule.per_million {
        all.push(format!("{} % of the calls", f64::from(share) / 10_000.0));
    }
    all.extend(rule.headers.iter().map(|header| {
        let not = if header.invert { "not " } else { "" };
        let condition = match &header.value {
            ValueMatch::Present(true) => "is there".to_owned(),
            ValueMatch::Present(false) => "is missing".to_owned(),
            ValueMatch::Exact(text, _) => format!("is {text:?}"),
            ValueMatch::Prefix(text, _) => format!("begins with {text:?}"),
            ValueMatch::Suffix(text, _) => format!("ends with {text:?}"),
            ValueMatch::Contains(text, _) => format!("contains {text:?}"),
            ValueMatch::Regex(regex) => format!("matches {regex}"),
            ValueMatch::Range(start, end) => format!("is in {start}..{end}"),
        };
        format!("{not}header {} {condition}", header.name)
    }));
    all
}

fn shares(text: &mut String, forward: &Forward) {
    let total: u64 = forward
        .clusters
        .iter()
        .map(|cluster| u64::from(cluster.weight))
        .sum();
    if total == 0 {
        text.push_str("nowhere: no cluster has a weight");
        return;
    }
    for (n, cluster) in forward.clusters.iter().enumerate() {
        if n > 0 {
            text.push_str(", ");
        }
        if forward.clusters.len() > 1 {
            let _ = write!(text, "{} % ", u64::from(cluster.weight) * 100 / total);
        }
        text.push_str(&cluster.cluster);
    }
    if let Some(timeout) = forward.timeout {
        let _ = write!(text, "; timeout {timeout:?}");
    }
    if let Some(retry) = &forward.retry {
        let _ = write!(text, "; up to {} retries", retry.attempts);
    }
    if let Some(host) = &forward.host_rewrite {
        let _ = write!(text, "; as {host}");
    }
    if forward.fault.is_some() {
        text.push_str("; with injected faults");
    }
}
