//! Whether a rule applies to a call (Envoy's `RouteMatch`).

use std::borrow::Cow;

use registries::directory::MeshSide;
use registries::route::{HeaderMatch, PathMatch, RouteMatch, ValueMatch};

use super::Request;

/// Whether a rule applies: the path, the share of calls, and all headers.
pub(super) fn matches(
    rule: &RouteMatch,
    side: &MeshSide,
    request: &impl Request,
    rng: &mut fastrand::Rng,
) -> bool {
    !rule.never
        && path_matches(&rule.path, rule.case_sensitive, request.path())
        && rule.per_million.is_none_or(|share| rng.u32(..1_000_000) < share)
        && rule
            .headers
            .iter()
            .all(|header| header_matches(header, side, request))
}

fn path_matches(rule: &PathMatch, case_sensitive: bool, (service, method): (&str, &str)) -> bool {
    let length = service.len() + method.len() + 2;
    // The path's bytes, as if it had been put together.
    let path = || {
        "/".bytes()
            .chain(service.bytes())
            .chain("/".bytes())
            .chain(method.bytes())
    };
    let begins = |prefix: &str| {
        prefix.len() <= length
            && prefix
                .bytes()
                .zip(path())
                .all(|(a, b)| a == b || (!case_sensitive && a.eq_ignore_ascii_case(&b)))
    };
    match rule {
        PathMatch::Prefix(prefix) => &**prefix == "/" || begins(prefix),
        PathMatch::Exact(exact) => exact.len() == length && begins(exact),
        PathMatch::SegmentPrefix(prefix) => {
            let prefix = prefix.trim_end_matches('/');
            begins(prefix) && path().nth(prefix.len()).is_none_or(|next| next == b'/')
        }
        PathMatch::Regex(regex) => regex.is_match(&format!("/{service}/{method}")),
    }
}

fn header_matches(rule: &HeaderMatch, side: &MeshSide, request: &impl Request) -> bool {
    // gRPC's rule (A28): binary headers are not for matching.
    if rule.name.ends_with("-bin") {
        return false;
    }
    let value = value_of(&rule.name, side, request);
    let matched = match (&rule.value, value) {
        (ValueMatch::Present(wanted), value) => value.is_some() == *wanted,
        (rule, Some(value)) => value_matches(rule, &value),
        (value, None) if rule.missing_is_empty => value_matches(value, ""),
        // Missing under a condition on its value: no match, not even turned round.
        (_, None) => return false,
    };
    matched != rule.invert
}

/// A header, or what stands for it on a call that has none: the pseudo headers, and the content type of any gRPC call.
fn value_of<'r>(name: &str, side: &'r MeshSide, request: &'r impl Request) -> Option<Cow<'r, str>> {
    match name {
        ":method" => Some("POST".into()),
        ":scheme" => Some(if request.is_tls() { "https" } else { "http" }.into()),
        ":path" => {
            let (service, method) = request.path();
            Some(format!("/{service}/{method}").into())
        }
        ":authority" | "host" => Some(request.authority().unwrap_or(&side.host).into()),
        "content-type" => Some("application/grpc".into()),
        name => request.header(name),
    }
}

fn value_matches(rule: &ValueMatch, value: &str) -> bool {
    let same = |a: &str, b: &str, ignore_case: bool| {
        if ignore_case {
            a.eq_ignore_ascii_case(b)
        } else {
            a == b
        }
    };
    match rule {
        ValueMatch::Present(wanted) => *wanted,
        ValueMatch::Exact(text, ignore_case) => same(value, text, *ignore_case),
        ValueMatch::Prefix(text, ignore_case) => value
            .get(..text.len())
            .is_some_and(|head| same(head, text, *ignore_case)),
        ValueMatch::Suffix(text, ignore_case) => value
            .len()
            .checked_sub(text.len())
            .and_then(|at| value.get(at..))
            .is_some_and(|tail| same(tail, text, *ignore_case)),
        ValueMatch::Contains(text, false) => value.contains(&**text),
        ValueMatch::Contains(text, true) => {
            text.is_empty()
                || value
                    .as_bytes()
                    .windows(text.len())
                    .any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
        }
        ValueMatch::Regex(regex) => regex.is_match(value),
        ValueMatch::Range(start, end) => value
            .parse::<i64>()
            .is_ok_and(|value| (*start..*end).contains(&value)),
    }
}
