//! What a rule does to a call: the draw of a cluster, faults, hashing, header values and the path.

use std::borrow::Cow;
use std::io::Write;
use std::time::Duration;

use registries::directory::xxh64;
use registries::route::{Fault, HashOn, PathMatch, WeightedCluster};

use super::{NotRouted, Reason, Request};

const MILLION: u32 = 1_000_000;

/// The index of a cluster by weight; `None` when there is no weight at all.
pub(super) fn draw(clusters: &[WeightedCluster], rng: &mut fastrand::Rng) -> Option<usize> {
    let total: u64 = clusters.iter().map(|cluster| u64::from(cluster.weight)).sum();
    if total == 0 {
        return None;
    }
    if let [_] = clusters {
        return Some(0);
    }
    let mut left = rng.u64(..total);
    clusters
        .iter()
        .position(|cluster| match left.checked_sub(u64::from(cluster.weight)) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
}

/// Draws the faults: first the delay, then the abort, independent of each other (Envoy's `HTTPFault`).
pub(super) fn inject(fault: Option<&Fault>, rng: &mut fastrand::Rng) -> Result<Option<Duration>, NotRouted> {
    let Some(fault) = fault else { return Ok(None) };
    let delay = match fault.delay {
        Some((delay, share)) if rng.u32(..MILLION) < share => Some(delay),
        _ => None,
    };
    match fault.abort {
        Some((code, share)) if rng.u32(..MILLION) < share => Err(NotRouted {
            code,
            reason: Reason::FI,
            text: Cow::Borrowed("fault filter abort"),
            delay,
        }),
        _ => Ok(delay),
    }
}

/// What consistent hashing makes of a call, as Envoy combines it; `None` when no policy found anything.
pub(super) fn hash(policies: &[HashOn], request: &impl Request) -> Option<u64> {
    policies
        .iter()
        .filter_map(|policy| match policy {
            HashOn::Header(name) => request.header(name).map(|value| xxh64(value.as_bytes())),
            HashOn::SourceIp => request.source().map(|address| {
                // The longest address takes 45 bytes: writing cannot fail.
                let mut text = std::io::Cursor::new([0u8; 48]);
                let _ = write!(text, "{address}");
                let length = usize::try_from(text.position()).unwrap_or_default();
                xxh64(text.get_ref().get(..length).unwrap_or_default())
            }),
        })
        .reduce(|hash, next| hash.rotate_left(1) ^ next)
}

/// The path with the matched part replaced: the prefix, or all of it.
pub(super) fn rewrite(rule: &PathMatch, rewrite: &str, service: &str, method: &str) -> String {
    let path = format!("/{service}/{method}");
    let matched = match rule {
        PathMatch::Prefix(prefix) => prefix.len(),
        PathMatch::SegmentPrefix(prefix) => prefix.trim_end_matches('/').len(),
        PathMatch::Exact(_) | PathMatch::Regex(_) => path.len(),
    };
    format!("{rewrite}{}", path.get(matched..).unwrap_or_default())
}

/// See [`super::expand`].
pub(super) fn expand<'v>(value: &'v str, request: &impl Request) -> Cow<'v, str> {
    if !value.contains('%') {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((text, tail)) = rest.split_once('%') {
        out.push_str(text);
        let Some((command, tail)) = tail.split_once('%') else {
            // A lone sign at the end is itself.
            out.push('%');
            rest = tail;
            break;
        };
        let header = command
            .strip_prefix("REQ(")
            .and_then(|name| name.strip_suffix(')'));
        match (command, header) {
            ("", _) => out.push('%'),
            ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", _) => match request.source() {
                Some(address) => out.push_str(&address.to_string()),
                None => out.push('-'),
            },
            (_, Some(name)) => {
                out.push_str(&request.header(&name.to_ascii_lowercase()).unwrap_or("-".into()))
            }
            _ => out.push('-'),
        }
        rest = tail;
    }
    out.push_str(rest);
    Cow::Owned(out)
}
