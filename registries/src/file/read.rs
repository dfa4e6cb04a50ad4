//! The YAML form of services, and its checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use codecs::ServiceKey;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor, value::MapAccessDeserializer};

use super::{Provider, Service};
use crate::directory::Mode;
use crate::merge::serialization_id;
use crate::route::{
    Forward, HeaderMatch, PathMatch, RetryOn, RetryPolicy, Route, RouteAction, RouteMatch, ValueMatch,
    VirtualHost, WeightedCluster, full_match,
};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawService {
    service: String,
    #[serde(default)]
    dubbo2: OneOrMore<Dubbo2>,
    #[serde(default)]
    triple: OneOrMore<Triple>,
    host: Option<String>,
    timeout: Option<Text<Time>>,
    #[serde(default)]
    routes: Vec<RawRoute>,
}

/// A provider, by its address or with more about it.
trait Written: Sized {
    type Raw: for<'de> Deserialize<'de>;
    fn read(raw: Self::Raw) -> Result<Provider, String>;
}

struct Dubbo2;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDubbo2 {
    address: Text<Address>,
    weight: Option<u32>,
    serialization: Option<String>,
}

impl Written for Dubbo2 {
    type Raw = RawDubbo2;

    fn read(raw: RawDubbo2) -> Result<Provider, String> {
        let mut provider = raw.address.0.provider(raw.weight)?;
        if let Some(name) = raw.serialization {
            provider.serialization =
                serialization_id(&name).ok_or_else(|| format!("{name:?} is no serialization of Dubbo"))?;
        }
        Ok(provider)
    }
}

struct Triple;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTriple {
    address: Text<Address>,
    weight: Option<u32>,
    subset: Option<String>,
    mode: Option<Mode>,
}

impl Written for Triple {
    type Raw = RawTriple;

    fn read(raw: RawTriple) -> Result<Provider, String> {
        if raw.mode == Some(Mode::PassThrough) {
            return Err("a provider's mode is wrapper or protobuf".to_owned());
        }
        Ok(Provider {
            subset: raw.subset.unwrap_or_default(),
            mode: raw.mode,
            ..raw.address.0.provider(raw.weight)?
        })
    }
}

/// A list of providers, or a single one; empty text, as an unset variable leaves it, is none.
struct OneOrMore<W> {
    providers: Vec<Provider>,
    kind: std::marker::PhantomData<W>,
}

impl<W> OneOrMore<W> {
    fn of(providers: Vec<Provider>) -> Self {
        Self {
            providers,
            kind: std::marker::PhantomData,
        }
    }
}

impl<W> Default for OneOrMore<W> {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl<'de, W: Written> Deserialize<'de> for OneOrMore<W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMoreVisitor(std::marker::PhantomData))
    }
}

struct OneOrMoreVisitor<W>(std::marker::PhantomData<W>);

impl<'de, W: Written> Visitor<'de> for OneOrMoreVisitor<W> {
    type Value = OneOrMore<W>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HOST:PORT, a provider, or a list of them")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(OneOrMore::default())
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(OneOrMore::default())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.is_empty() {
            return Ok(OneOrMore::default());
        }
        let address: Address = text.parse().map_err(E::custom)?;
        Ok(OneOrMore::of(vec![address.provider(None).map_err(E::custom)?]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let raw = W::Raw::deserialize(MapAccessDeserializer::new(map))?;
        Ok(OneOrMore::of(vec![W::read(raw).map_err(A::Error::custom)?]))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut providers = Vec::new();
        // Each element is again one of these.
        while let Some(more) = list.next_element::<OneOrMore<W>>()? {
            providers.extend(more.providers);
        }
        Ok(OneOrMore::of(providers))
    }
}

/// A value that is written as text.
struct Text<T>(T);

impl<'de, T: FromStr<Err = String>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

struct Address {
    host: String,
    port: u16,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is not an address (expected HOST:PORT)");
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        let port: u16 = port.parse().ok().filter(|port| *port != 0).ok_or_else(refused)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let fits = match bare {
            Some(host) => host.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(named),
        };
        if !fits {
            return Err(refused());
        }
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port,
        })
    }
}

impl Address {
    fn provider(self, weight: Option<u32>) -> Result<Provider, String> {
        let weight = weight.unwrap_or(1);
        if weight == 0 {
            return Err("a weight is at least 1; leave a provider out instead".to_owned());
        }
        Ok(Provider {
            host: self.host,
            port: self.port,
            weight,
            subset: String::new(),
            mode: None,
            // Hessian 2.
            serialization: 2,
        })
    }
}

struct Time(Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("{text:?} is not a time (expected a whole number and ms, s, m or h, as in 250ms)");
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?);
        let number: u64 = number.parse().map_err(|_| refused())?;
        let unit = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(refused()),
        };
        number
            .checked_mul(unit)
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(refused)
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoute {
    #[serde(default)]
    name: String,
    #[serde(default, rename = "match")]
    matches: RawMatch,
    to: Vec<RawShare>,
    timeout: Option<Text<Time>>,
    retries: Option<RawRetries>,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMatch {
    path: Option<RawPath>,
    #[serde(default)]
    headers: BTreeMap<String, RawValue>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum RawPath {
    Prefix(String),
    Exact(String),
    Regex(Text<Pattern>),
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum RawValue {
    Exact(String),
    Prefix(String),
    Regex(Text<Pattern>),
    Present(bool),
}

struct Pattern(regex::Regex);

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        full_match(text).map(Self).map_err(|error| error.to_string())
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawShare {
    #[serde(default)]
    subset: String,
    weight: Option<u32>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRetries {
    attempts: u32,
    on: Vec<Text<Condition>>,
    per_try_timeout: Option<Text<Time>>,
}

struct Condition(fn(&mut RetryOn));

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(match text {
            "connect-failure" => |on| on.connect_failure = true,
            "refused-stream" => |on| on.refused_stream = true,
            "reset" => |on| on.reset = true,
            "5xx" => |on| on.server_error = true,
            "gateway-error" => |on| on.gateway_error = true,
            "cancelled" => |on| on.codes |= 1 << 1,
            "deadline-exceeded" => |on| on.codes |= 1 << 4,
            "resource-exhausted" => |on| on.codes |= 1 << 8,
            "internal" => |on| on.codes |= 1 << 13,
            "unavailable" => |on| on.codes |= 1 << 14,
            _ => return Err(format!("{text:?} is no condition of a retry")),
        }))
    }
}

impl TryFrom<RawService> for Service {
    type Error = String;

    fn try_from(raw: RawService) -> Result<Self, String> {
        let key = match raw.service.as_str() {
            "*" => None,
            text => Some(text.parse::<ServiceKey>().map_err(|error| error.to_string())?),
        };
        if key.as_ref().is_some_and(|key| key.to_string().contains('*')) {
            return Err(format!(
                "{} is not a service (only \"*\" alone stands for all)",
                raw.service
            ));
        }
        let (dubbo2, triple) = (raw.dubbo2.providers, raw.triple.providers);
        if key.is_some() && dubbo2.is_empty() && triple.is_empty() {
            return Err(format!(
                "service {} has no provider (give it dubbo2, triple or both)",
                raw.service
            ));
        }
        let subsets: BTreeSet<&str> = triple.iter().map(|provider| provider.subset.as_str()).collect();
        let routes = raw
            .routes
            .into_iter()
            .map(|route| route.read(&subsets).map(Arc::new));
        Ok(Self {
            routes: VirtualHost {
                routes: routes.collect::<Result<_, _>>()?,
            },
            key,
            dubbo2,
            triple,
            host: raw.host,
            timeout: raw.timeout.map(|timeout| timeout.0.0),
        })
    }
}

impl RawRoute {
    fn read(self, subsets: &BTreeSet<&str>) -> Result<Route, String> {
        if self.to.is_empty() {
            return Err("a route leads somewhere: `to` is empty".to_owned());
        }
        let clusters: Vec<WeightedCluster> = self
            .to
            .into_iter()
            .map(|share| {
                if !share.subset.is_empty() && !subsets.contains(share.subset.as_str()) {
                    return Err(format!("no provider is of subset {:?}", share.subset));
                }
                Ok(WeightedCluster {
                    cluster: share.subset.into(),
                    weight: share.weight.unwrap_or(1),
                    headers_to_add: Vec::new(),
                    headers_to_remove: Vec::new(),
                })
            })
            .collect::<Result<_, _>>()?;
        if clusters.iter().all(|cluster| cluster.weight == 0) {
            return Err("a route leads somewhere: all weights are 0".to_owned());
        }
        let action = RouteAction::Forward(Forward {
            clusters,
            timeout: self.timeout.map(|timeout| timeout.0.0),
            retry: self.retries.map(RawRetries::read),
            ..Forward::to("")
        });
        Ok(Route {
            name: self.name.into(),
            matches: self.matches.read(),
            action,
            headers_to_add: Vec::new(),
            headers_to_remove: Vec::new(),
        })
    }
}

impl RawMatch {
    fn read(self) -> RouteMatch {
        let path = match self.path {
            None => PathMatch::Prefix("/".into()),
            Some(RawPath::Prefix(text)) => PathMatch::Prefix(text.into()),
            Some(RawPath::Exact(text)) => PathMatch::Exact(text.into()),
            Some(RawPath::Regex(pattern)) => PathMatch::Regex(pattern.0.0),
        };
        let headers = self.headers.into_iter().map(|(name, value)| HeaderMatch {
            name: name.to_ascii_lowercase().into(),
            value: match value {
                RawValue::Exact(text) => ValueMatch::Exact(text.into(), false),
                RawValue::Prefix(text) => ValueMatch::Prefix(text.into(), false),
                RawValue::Regex(pattern) => ValueMatch::Regex(pattern.0.0),
                RawValue::Present(wanted) => ValueMatch::Present(wanted),
            },
            invert: false,
            missing_is_empty: false,
        });
        RouteMatch {
            path,
            headers: headers.collect(),
            ..RouteMatch::any()
        }
    }
}

impl RawRetries {
    fn read(self) -> RetryPolicy {
        let mut on = RetryOn::default();
        for condition in &self.on {
            (condition.0.0)(&mut on);
        }
        RetryPolicy {
            on,
            attempts: self.attempts,
            per_try_timeout: self.per_try_timeout.map(|timeout| timeout.0.0),
            base_interval: Duration::from_millis(25),
            avoid_tried: 5,
        }
    }
}
