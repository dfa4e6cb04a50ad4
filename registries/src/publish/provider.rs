//! A provider URL of ours, such that every consumer takes it (Dubbo's `UrlUtils.isMatch`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use codecs::provider_url::{ProviderUrl, mark};
use sha2::{Digest, Sha256};

use super::{Identity, Policy, unwritable};
use crate::directory::Service;

/// What consumers read from the providers they stand beside: copied from natives, with the forms of each method.
const COPIED: [&str; 13] = [
    "actives",
    "async",
    "cluster",
    "deprecated",
    "environment",
    "loadbalance",
    "mock",
    "module",
    "owner",
    "retries",
    "revision",
    "sticky",
    "timeout",
];

/// The URL that leads consumers of a service to `address`; `None`, with a log line, when a value cannot be written.
pub(super) fn url(
    service: &Service,
    scheme: &'static str,
    address: SocketAddr,
    policy: &Policy,
    identity: &Identity,
) -> Option<ProviderUrl> {
    let mut parameters = parameters(service, policy, identity);
    let stamp = timestamp(identity.epoch, scheme, address, &parameters);
    parameters.insert("timestamp".into(), stamp.to_string());
    let host = address.ip().to_string();
    let written = ProviderUrl::new(
        scheme,
        &host,
        address.port(),
        service.key.interface(),
        &parameters,
    );
    written.inspect_err(|error| unwritable(&service.key, error)).ok()
}

fn parameters(service: &Service, policy: &Policy, identity: &Identity) -> BTreeMap<String, String> {
    let key = &service.key;
    let natives = service.legacy.as_ref().map_or(&[][..], |side| &side.providers);
    let methods = methods(service, natives);
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    parameters.insert("timeout".into(), policy.timeout.as_millis().to_string());
    copy(natives, &mut parameters);
    if let Some(side) = service.legacy.as_ref() {
        for (method, timeout) in &side.timeouts {
            let name = if method.is_empty() {
                "timeout".to_owned()
            } else {
                format!("{method}.timeout")
            };
            parameters.insert(name, timeout.as_millis().to_string());
        }
    }
    let application = majority(natives.iter().filter_map(|url| url.application()));
    let own = [
        ("anyhost", "true"),
        ("application", application.unwrap_or(&policy.application)),
        ("dubbo", "2.0.2"),
        ("dynamic", "true"),
        ("generic", "false"),
        ("group", key.group()),
        ("heartbeat", "60000"),
        ("interface", key.interface()),
        ("methods", &methods),
        ("prefer.serialization", "hessian2"),
        // What our codec is like; a release that response attachments are sent to.
        ("release", "2.7.23"),
        ("serialization", "hessian2"),
        ("side", "provider"),
        ("version", key.version()),
        // We are as warm as our provider.
        ("warmup", "0"),
        ("weight", &policy.weight.max(1).to_string()),
        (mark::OWNER, &identity.installation),
        (mark::REPLICA, &identity.replica),
        (mark::EPOCH, &identity.epoch.to_string()),
        (mark::HOP, &identity.hop.to_string()),
    ];
    // An empty value is not the same as none to a consumer that matches.
    let own = own.into_iter().filter(|(_, value)| !value.is_empty());
    parameters.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
    parameters
}

/// The methods: those of the natives, else those of the binding, else all.
fn methods(service: &Service, natives: &[Arc<ProviderUrl>]) -> String {
    let mut methods: BTreeSet<&str> = natives.iter().flat_map(|url| url.methods()).collect();
    if methods.is_empty() {
        methods = service.methods.iter().map(|method| &**method).collect();
    }
    if methods.is_empty() || methods.contains("*") {
        return "*".to_owned();
    }
    methods.into_iter().collect::<Vec<_>>().join(",")
}

/// Copies what most natives say.
fn copy(natives: &[Arc<ProviderUrl>], parameters: &mut BTreeMap<String, String>) {
    let is_copied = |name: &str| {
        let name = name.strip_prefix("default.").unwrap_or(name);
        let last = name.rsplit('.').next().unwrap_or(name);
        COPIED.contains(&name) || (COPIED.contains(&last) && !name.starts_with("landbridge."))
    };
    let names: BTreeSet<&str> = natives
        .iter()
        .flat_map(|url| url.parameters())
        .map(|(name, _)| name)
        .filter(|name| is_copied(name))
        .collect();
    for name in names {
        let values = natives
            .iter()
            .filter_map(|url| url.parameter(name))
            .filter(|value| !value.is_empty());
        if let Some(value) = majority(values) {
            parameters.insert(name.to_owned(), value.to_owned());
        }
    }
    // A tag only when all have it: else untagged calls would lose us, or tagged ones gain us.
    let tags: BTreeSet<Option<&str>> = natives.iter().map(|url| url.parameter("dubbo.tag")).collect();
    if let (Some(Some(tag)), 1) = (tags.first(), tags.len()) {
        parameters.insert("dubbo.tag".to_owned(), (*tag).to_owned());
    }
}

/// The value that most give; of equally many, the first in order.
fn majority<'v>(values: impl Iterator<Item = &'v str>) -> Option<&'v str> {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for value in values {
        *votes.entry(value).or_default() += 1;
    }
    let most = votes.values().copied().max()?;
    votes
        .into_iter()
        .find(|(_, count)| *count == most)
        .map(|(value, _)| value)
}

/// The epoch, moved back by up to an hour by what the URL says: the same for equal URLs, and another one as soon as
/// anything changes, without which dubbo-go drops the new node along with the old (its `RegistryDirectory`).
fn timestamp(epoch: u64, scheme: &str, address: SocketAddr, parameters: &BTreeMap<String, String>) -> u64 {
    let mut hash = Sha256::new();
    hash.update(format!("{scheme}://{address}"));
    for (name, value) in parameters {
        hash.update(format!("&{name}={value}"));
    }
    let digest = hash.finalize();
    let number = digest
        .iter()
        .take(8)
        .fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
    epoch.saturating_sub(number % 3_600_000)
}
