//! What the legacy registry says of an interface, to the natives of each of its keys (Dubbo's `RegistryDirectory`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use codecs::ServiceKey;
use codecs::provider_url::ProviderUrl;

use super::Options;
use super::pool::Pool;
use crate::directory::{
    Balance, Cluster, Endpoint, LegacySide, Mode, Outlier, Peer, Protocol, Secret, Warmup,
};
use crate::legacy_view::LegacyInterface;

/// The weight of a URL that names none, and the length of its warm-up (Dubbo's `AbstractLoadBalance`).
const WEIGHT: u32 = 100;
const WARMUP: Duration = Duration::from_secs(600);
const HESSIAN2: u8 = 2;

/// The key of a provider URL below the directory of `interface`.
pub(super) fn key(interface: &str, url: &ProviderUrl) -> ServiceKey {
    ServiceKey::new(interface, url.group(), url.version())
}

/// The providers of an interface that are natives and in the category `providers`, by key.
pub(super) fn natives<'v>(
    interface: &str,
    view: &'v LegacyInterface,
    options: &Options,
) -> BTreeMap<ServiceKey, Vec<&'v Arc<ProviderUrl>>> {
    let mut by_key: BTreeMap<ServiceKey, Vec<_>> = BTreeMap::new();
    for url in &view.providers {
        if is_native(url, options) {
            by_key.entry(key(interface, url)).or_default().push(url);
        }
    }
    by_key
}

/// Not a bridge's: neither by its marks nor by its address; and no copy that another tool made.
fn is_native(url: &ProviderUrl, options: &Options) -> bool {
    let copied = ["syncSource", "sourceClusterId", "destClusterId"];
    url.marks().is_none()
        && url.category() == "providers"
        && !copied.iter().any(|key| url.has_parameter(key))
        && url
            .address()
            .is_none_or(|address| !options.bridges.contains(&address))
}

/// The legacy side of a key; `None` without natives. Adds to `notes` what an operator should know.
pub(super) fn side(
    key: &ServiceKey,
    natives: &[&Arc<ProviderUrl>],
    configurators: &[Arc<ProviderUrl>],
    options: &Options,
    pool: &mut Pool,
    notes: &mut Vec<String>,
) -> Option<LegacySide> {
    if natives.is_empty() {
        return None;
    }
    let mut providers: Vec<Arc<ProviderUrl>> = natives.iter().map(|url| Arc::clone(url)).collect();
    providers.sort();
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    // The newest entry of an address wins: a crashed predecessor's node may outlive it by its session timeout.
    let mut newest: BTreeMap<(SocketAddr, &str), &Arc<ProviderUrl>> = BTreeMap::new();
    for url in &providers {
        let Some(address) = url.address() else {
            *refused
                .entry("a host name instead of an address".to_owned())
                .or_default() += 1;
            continue;
        };
        let slot = newest.entry((address, url.scheme())).or_insert(url);
        if url.timestamp() > slot.timestamp() {
            *slot = url;
        }
    }
    let overrides = overrides(configurators, key);
    let mut candidates: Vec<(Candidate, &Arc<ProviderUrl>)> = Vec::new();
    for ((address, _), url) in newest {
        match Candidate::of(address, url, &overrides) {
            Ok(Some(candidate)) => candidates.push((candidate, url)),
            Ok(None) => {}
            Err(why) => *refused.entry(why).or_default() += 1,
        }
    }
    for (why, count) in refused {
        notes.push(format!("{count} legacy provider(s) not called: {why}"));
    }
    one_scheme(&mut candidates);
    // A weight of 0 removes only beside positive ones: dubbo-go writes 0 by default.
    let any_weight = candidates.iter().any(|(candidate, _)| candidate.weight > 0);
    candidates.retain(|(candidate, _)| !any_weight || candidate.weight > 0);
    let endpoints = candidates
        .iter()
        .map(|(candidate, url)| Arc::new(candidate.endpoint(key, url, pool)))
        .collect();
    let name: Arc<str> = format!("legacy|{key}").into();
    let cluster = Cluster::new(name.clone(), endpoints)
        .with_balance(balance(&candidates))
        .with_limits(options.connect_timeout, options.max_requests)
        .with_outlier(Some(OUTLIER))
        .with_state(pool.cluster(&name));
    let timeouts = timeouts(&providers, &overrides);
    Some(LegacySide {
        cluster: Arc::new(cluster),
        providers,
        timeouts,
    })
}

/// A provider that refuses connections is left alone for a while and never removed: ZooKeeper says who is there.
/// When half of them look ill, it is not the providers.
const OUTLIER: Outlier = Outlier {
    consecutive: 0,
    consecutive_gateway: 5,
    interval: Duration::from_secs(10),
    base: Duration::from_secs(5),
    max: Duration::from_secs(60),
    max_percent: 100,
    panic_percent: 50,
};

/// A provider that could be called.
struct Candidate {
    address: SocketAddr,
    protocol: Protocol,
    weight: u32,
}

impl Candidate {
    /// `None` for a disabled one, an error for one that we cannot call.
    fn of(
        address: SocketAddr,
        url: &ProviderUrl,
        overrides: &[Override<'_>],
    ) -> Result<Option<Self>, String> {
        let set = |name: &str| overrides.iter().rev().find_map(|rule| rule.value(url, name));
        let disabled = set("disabled").map_or_else(|| url.is_disabled(), |value| value == "true");
        if disabled {
            return Ok(None);
        }
        let protocol = match url.scheme() {
            "dubbo" => match url.parameter("codec").filter(|codec| *codec != "dubbo") {
                Some(codec) => return Err(format!("codec {codec:?}")),
                None => Protocol::Dubbo2 {
                    serialization: serialization(url)?,
                },
            },
            "tri" => Protocol::Triple {
                mode: triple_mode(url),
            },
            scheme => return Err(format!("protocol {scheme:?}")),
        };
        let weight = set("weight")
            .and_then(|weight| weight.parse().ok())
            .or_else(|| url.weight())
            .unwrap_or(WEIGHT);
        Ok(Some(Self {
            address,
            protocol,
            weight,
        }))
    }

    fn endpoint(&self, key: &ServiceKey, url: &ProviderUrl, pool: &mut Pool) -> Endpoint {
        let path = url.path().trim_matches('/');
        Endpoint {
            weight: self.weight.max(1),
            tls: url.is_tls(),
            warmup: warmup(url),
            peer: Peer {
                release: url.release().unwrap_or_default().into(),
                application: url.application().unwrap_or_default().into(),
                path: if path == key.interface() { "" } else { path }.into(),
                token: url.parameter("token").map(|token| Secret(token.into())),
            },
            state: pool.endpoint(self.address),
            ..Endpoint::new(self.address, self.protocol)
        }
    }
}

/// One process that exports both protocols is called by one of them: Dubbo2, because every legacy caller's bytes pass it
/// untouched and a Triple caller's wrapper costs the same either way.
fn one_scheme(candidates: &mut Vec<(Candidate, &Arc<ProviderUrl>)>) {
    let instance =
        |address: SocketAddr, url: &ProviderUrl| (address.ip(), url.application().map(str::to_owned));
    let by_dubbo: BTreeSet<(IpAddr, Option<String>)> = candidates
        .iter()
        .filter(|(candidate, _)| matches!(candidate.protocol, Protocol::Dubbo2 { .. }))
        .map(|(candidate, url)| instance(candidate.address, url))
        .filter(|(_, application)| application.is_some())
        .collect();
    candidates.retain(|(candidate, url)| {
        matches!(candidate.protocol, Protocol::Dubbo2 { .. })
            || !by_dubbo.contains(&instance(candidate.address, url))
    });
}

/// The id of the serialization that requests are to use: Hessian 2 where the provider takes it.
fn serialization(url: &ProviderUrl) -> Result<u8, String> {
    let preferred = url.prefer_serialization();
    if preferred.contains(&"hessian2") {
        return Ok(HESSIAN2);
    }
    match url.serialization().or_else(|| preferred.first().copied()) {
        None => Ok(HESSIAN2),
        Some(name) => serialization_id(name).ok_or_else(|| format!("serialization {name:?}")),
    }
}

/// The id of a serialization's name (Dubbo's `org.apache.dubbo.common.serialize.Constants`).
pub(crate) fn serialization_id(name: &str) -> Option<u8> {
    Some(match name {
        "dubbo" => 1,
        "hessian2" => HESSIAN2,
        "java" => 3,
        "compactedjava" => 4,
        "json" => 5,
        "fastjson" => 6,
        "nativejava" => 7,
        "kryo" => 8,
        "fst" => 9,
        "native-hessian" | "nativehessian" => 10,
        "avro" => 11,
        "protostuff" => 12,
        "gson" => 16,
        "jackson" => 18,
        "protobuf-json" => 21,
        "protobuf" => 22,
        "fastjson2" => 23,
        "kryo2" => 25,
        "msgpack" => 27,
        "fury" => 28,
        _ => return None,
    })
}

/// What a `tri://` URL says of its payloads: dubbo-go tells them apart by `IDL-mode` and `serialization`, Java does not.
fn triple_mode(url: &ProviderUrl) -> Option<Mode> {
    match (url.parameter("IDL-mode"), url.serialization()) {
        (Some("true"), _) | (_, Some("protobuf")) => Some(Mode::Protobuf),
        (Some(_), _) | (_, Some("hessian2")) => Some(Mode::Wrapper),
        (None, _) => None,
    }
}

fn warmup(url: &ProviderUrl) -> Option<Warmup> {
    let length = url.warmup().unwrap_or(WARMUP);
    // dubbo-go writes seconds.
    let started = match url.timestamp()? {
        seconds if seconds < 100_000_000_000 => seconds.saturating_mul(1000),
        millis => millis,
    };
    (!length.is_zero() && url.parameter("warmup") != Some("0")).then_some(Warmup { started, length })
}

/// How the natives want to be balanced: what most of them say, Dubbo's default `random` otherwise.
fn balance(candidates: &[(Candidate, &Arc<ProviderUrl>)]) -> Balance {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, url) in candidates {
        *votes
            .entry(url.parameter("loadbalance").unwrap_or("random"))
            .or_default() += 1;
    }
    match votes
        .into_iter()
        .max_by_key(|(_, votes)| *votes)
        .map(|(name, _)| name)
    {
        Some("leastactive" | "shortestresponse" | "adaptive" | "p2c") => Balance::LeastRequest,
        Some("roundrobin") => Balance::RoundRobin,
        _ => Balance::Random,
    }
}

/// The timeouts of the URLs by method: the longest that any provider gives, so that the caller is never cut short of it.
fn timeouts(providers: &[Arc<ProviderUrl>], overrides: &[Override<'_>]) -> Vec<(Arc<str>, Duration)> {
    let mut longest: BTreeMap<String, Duration> = BTreeMap::new();
    for url in providers {
        for (method, timeout) in url.timeouts() {
            let slot = longest.entry(method.to_owned()).or_default();
            *slot = timeout.max(*slot);
        }
    }
    for rule in overrides.iter().filter(|rule| rule.address.is_none()) {
        for (method, timeout) in rule.url.timeouts() {
            longest.insert(method.to_owned(), timeout);
        }
    }
    longest
        .into_iter()
        .map(|(method, timeout)| (method.into(), timeout))
        .collect()
}

/// An `override://` of dubbo-admin that applies to providers of a key (Dubbo's `AbstractConfigurator`).
struct Override<'u> {
    url: &'u ProviderUrl,
    /// `None` for all providers.
    address: Option<SocketAddr>,
}

impl<'u> Override<'u> {
    fn read(url: &'u Arc<ProviderUrl>, key: &ServiceKey) -> Option<Self> {
        let wanted = |name: &str, value: &str| match url.parameter(name) {
            None => value.is_empty(),
            Some("*") => true,
            Some(other) => other == value,
        };
        let applies = url.scheme() == "override"
            && url.parameter("enabled") != Some("false")
            && url.parameter("side") != Some("consumer")
            && url
                .parameter("application")
                .is_none_or(|application| application == "*")
            && wanted("group", key.group())
            && wanted("version", key.version());
        let host: IpAddr = url.host().parse().ok()?;
        // A host without a port is a consumer's: not ours.
        if !applies || (!host.is_unspecified() && url.port() == 0) {
            return None;
        }
        Some(Self {
            url,
            address: (!host.is_unspecified()).then_some(SocketAddr::new(host, url.port())),
        })
    }

    /// The value it sets for a provider.
    fn value(&self, provider: &ProviderUrl, name: &str) -> Option<&'u str> {
        let here = self
            .address
            .is_none_or(|address| provider.address() == Some(address));
        let conditions = self
            .url
            .parameters()
            .filter_map(|(key, value)| Some((key.strip_prefix('~')?, value)));
        let mut met = conditions.map(|(key, value)| value == "*" || provider.parameter(key) == Some(value));
        if here && met.all(|met| met) {
            self.url.parameter(name)
        } else {
            None
        }
    }
}

/// The rules that apply to a key in the order in which they are applied: all providers first, then by host and priority.
fn overrides<'u>(configurators: &'u [Arc<ProviderUrl>], key: &ServiceKey) -> Vec<Override<'u>> {
    let mut rules: Vec<Override<'u>> = configurators
        .iter()
        .filter_map(|url| Override::read(url, key))
        .collect();
    rules.sort_by_key(|rule| {
        let priority = rule
            .url
            .parameter("priority")
            .and_then(|priority| priority.parse::<i64>().ok());
        (rule.address, priority.unwrap_or(0))
    });
    rules
}

#[cfg(test)]
mod tests;
