//! `dubbo://…` as stored in a znode (Dubbo's `URL`).
//!
//! Read and written with our own parser: generic ones lower-case hosts, refuse `_` in them and normalise escapes, and any of
//! that makes another node of it. A URL keeps its text, so it prints exactly as it was read.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use crate::ServiceKey;

mod escape;

pub use escape::{decode_name, encode_name};

/// The longest URL that is read, in bytes of its decoded text. Real ones have 500 to 950.
pub const MAX_LENGTH: usize = 64 * 1024;

/// Keys of the marks that every record of ours carries.
pub mod mark {
    /// The installation that wrote the record.
    pub const OWNER: &str = "landbridge.owner";
    /// The replica of that installation.
    pub const REPLICA: &str = "landbridge.replica";
    /// A number that grows when the record is rewritten.
    pub const EPOCH: &str = "landbridge.epoch";
    /// How many bridges stand between the record and a native.
    pub const HOP: &str = "landbridge.hop";
}

/// One URL of a registry: a provider, a consumer or a rule.
///
/// Equal when both the text and the name of the znode are.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderUrl {
    /// The URL, decoded once.
    text: Box<str>,
    /// The znode's name, where it is not what we would write for `text` (dubbo-go escapes other characters than Java).
    name: Option<Box<str>>,
    parts: Parts,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Parts {
    scheme: Span,
    user: Span,
    host: Span,
    port: u16,
    path: Span,
    query: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Span {
    start: usize,
    end: usize,
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self {
            start: range.start,
            end: range.end,
        }
    }
}

/// Why a text is not a URL of a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Longer than [`MAX_LENGTH`].
    #[error("provider url is too long: {0} bytes, at most {MAX_LENGTH}")]
    TooLong(usize),
    /// A `%` without two hex digits, or escaped bytes that are not UTF-8.
    #[error("provider url has a bad escape at byte {0}")]
    Escape(usize),
    /// No `://` after a scheme.
    #[error("provider url has no scheme")]
    Scheme,
    /// Nothing between the scheme and the path.
    #[error("provider url has no host")]
    Host,
    /// The text after the last colon of the host is no port.
    #[error("provider url has a bad port {0:?}")]
    Port(String),
    /// A key or value that cannot be written so that every Dubbo version reads it back.
    #[error("provider url cannot carry parameter {0:?}: empty, or one of & ; = in its value")]
    Parameter(String),
}

/// The marks of a record that a bridge wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// The installation.
    pub owner: String,
    /// The replica; empty when the record does not say.
    pub replica: String,
    /// The epoch; 0 when the record does not say.
    pub epoch: u64,
    /// Bridges passed; 0 when the record does not say.
    pub hop: u32,
}

impl ProviderUrl {
    /// Reads the name of a znode: form-decoded once, then parsed.
    ///
    /// # Errors
    /// The name has a bad escape, or its text is no URL.
    pub fn from_znode(name: &str) -> Result<Self, ParseError> {
        let text = decode_name(name)?;
        let mut url: Self = text.parse()?;
        if encode_name(&url.text) != name {
            url.name = Some(name.into());
        }
        Ok(url)
    }

    /// Puts a URL together; parameters are written in the order given.
    ///
    /// # Errors
    /// A part is missing, or a parameter could not be read back by every Dubbo version: an empty value, or one with `&`, `;`
    /// or, in the key, `=` (Dubbo's `URLStrParser`).
    pub fn new<K: AsRef<str>, V: AsRef<str>>(
        scheme: &str,
        host: &str,
        port: u16,
        path: &str,
        parameters: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ParseError> {
        let mut text = format!("{scheme}://");
        match host.parse() {
            Ok(IpAddr::V6(_)) => text.extend(["[", host, "]"]),
            _ => text.push_str(host),
        }
        if port != 0 {
            text.push_str(&format!(":{port}"));
        }
        text.push('/');
        text.push_str(path);
        let mut separator = '?';
        for (key, value) in parameters {
            let (key, value) = (key.as_ref(), value.as_ref());
            let bad_key = key.is_empty() || key.contains(['&', ';', '=', '?', '/']);
            if bad_key || value.is_empty() || value.contains(['&', ';']) {
                return Err(ParseError::Parameter(key.to_owned()));
            }
            text.push(separator);
            text.extend([key, "=", value]);
            separator = '&';
        }
        text.parse()
    }

    /// The same URL with parameters set (`Some`) or taken out (`None`); a new key goes to the end.
    ///
    /// # Errors
    /// As [`ProviderUrl::new`]. Parameters that were read with an empty value are left out.
    pub fn with<'a>(
        &'a self,
        changes: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Self, ParseError> {
        let mut parameters: Vec<(&str, &str)> =
            self.parameters().filter(|(_, value)| !value.is_empty()).collect();
        for (key, value) in changes {
            let at = parameters.iter().position(|(k, _)| *k == key);
            match (at.and_then(|at| parameters.get_mut(at)), value) {
                (Some(slot), Some(value)) => slot.1 = value,
                (Some(_), None) => parameters.retain(|(k, _)| *k != key),
                (None, Some(value)) => parameters.push((key, value)),
                (None, None) => {}
            }
        }
        Self::new(self.scheme(), self.host(), self.port(), self.path(), parameters)
    }

    /// The name of the znode: as it was read, or as Java writes it.
    pub fn znode(&self) -> String {
        match &self.name {
            Some(name) => name.to_string(),
            None => encode_name(&self.text),
        }
    }

    fn part(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// The URL's text, decoded.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `dubbo`, `tri`, `rest`, `consumer`, `override`, …
    pub fn scheme(&self) -> &str {
        self.part(self.parts.scheme)
    }

    /// What stands before `@`, usually nothing.
    pub fn user(&self) -> &str {
        self.part(self.parts.user)
    }

    /// A name or an address, without the brackets of IPv6.
    pub fn host(&self) -> &str {
        self.part(self.parts.host)
    }

    /// The port; 0 when there is none.
    pub fn port(&self) -> u16 {
        self.parts.port
    }

    /// The address, where the host is one.
    pub fn address(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host().parse().ok()?;
        Some(SocketAddr::new(ip, self.port()))
    }

    /// The path without its first `/`; what a Dubbo2 provider looks a service up by.
    pub fn path(&self) -> &str {
        self.part(self.parts.path)
    }

    /// All parameters in their order, as written; a key without `=` has an empty value.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.part(self.parts.query)
            .split(['&', ';'])
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// The value of a key: of several the last, else of `default.KEY`; none when it is empty.
    pub fn parameter(&self, key: &str) -> Option<&str> {
        let mut found = None;
        let mut fallback = None;
        for (k, value) in self.parameters() {
            if k == key {
                found = Some(value);
            } else if k.strip_prefix("default.") == Some(key) {
                fallback = Some(value);
            }
        }
        found.or(fallback).filter(|value| !value.is_empty())
    }

    /// Whether a key is there at all, with or without a value.
    pub fn has_parameter(&self, key: &str) -> bool {
        self.parameters().any(|(k, _)| k == key)
    }

    /// The value of `METHOD.KEY`, else of `KEY`.
    pub fn method_parameter(&self, method: &str, key: &str) -> Option<&str> {
        self.parameter(&format!("{method}.{key}"))
            .or_else(|| self.parameter(key))
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.parameter(key)
            .map(|value| value.eq_ignore_ascii_case("true"))
    }
}

/// What the parameters mean (Dubbo's `CommonConstants`).
impl ProviderUrl {
    /// The interface: the parameter, else the path. A caller who knows the znode's directory prefers that.
    pub fn interface(&self) -> &str {
        self.parameter("interface").unwrap_or_else(|| self.path())
    }

    /// The group; empty when there is none.
    pub fn group(&self) -> &str {
        self.parameter("group").unwrap_or_default()
    }

    /// The version as written; empty when there is none.
    pub fn version(&self) -> &str {
        self.parameter("version").unwrap_or_default()
    }

    /// Interface, group and version.
    pub fn service_key(&self) -> ServiceKey {
        ServiceKey::new(self.interface(), self.group(), self.version())
    }

    /// The application that wrote it.
    pub fn application(&self) -> Option<&str> {
        self.parameter("application")
    }

    /// The names of the methods in the order written, each once; empty when not listed (`simplified`), or `*` alone.
    pub fn methods(&self) -> Vec<&str> {
        let (mut methods, mut seen) = (Vec::new(), HashSet::new());
        for method in self.parameter("methods").unwrap_or_default().split(',') {
            let method = method.trim();
            if !method.is_empty() && seen.insert(method) {
                methods.push(method);
            }
        }
        methods
    }

    /// The timeout of one attempt of a method, where the URL says one.
    pub fn timeout(&self, method: &str) -> Option<Duration> {
        self.method_parameter(method, "timeout").and_then(duration)
    }

    /// All timeouts the URL says, by method; the empty name is the default of the others.
    pub fn timeouts(&self) -> Vec<(&str, Duration)> {
        let methods = self.methods();
        let listed = !methods.is_empty() && methods != ["*"];
        let methods: HashSet<&str> = methods.into_iter().collect();
        let mut timeouts: Vec<(&str, Duration)> = Vec::new();
        timeouts.extend(
            self.parameter("timeout")
                .and_then(duration)
                .map(|timeout| ("", timeout)),
        );
        let mut places: HashMap<&str, usize> = (0..timeouts.len()).map(|at| ("", at)).collect();
        for (key, value) in self.parameters() {
            let key = key.strip_prefix("default.").unwrap_or(key);
            let Some(method) = key.strip_suffix(".timeout") else {
                continue;
            };
            let is_method = if listed {
                methods.contains(method)
            } else {
                !method.contains('.') && !matches!(method, "heartbeat" | "connect" | "session" | "close")
            };
            match duration(value) {
                Some(timeout) if is_method => match places.get(method).and_then(|at| timeouts.get_mut(*at)) {
                    Some(slot) => slot.1 = timeout,
                    None => {
                        places.insert(method, timeouts.len());
                        timeouts.push((method, timeout));
                    }
                },
                _ => {}
            }
        }
        timeouts
    }

    /// The weight, where the URL says one; below 0 is 0. dubbo-go writes 0 for "not configured".
    pub fn weight(&self) -> Option<u32> {
        let weight: i64 = self.parameter("weight")?.trim().parse().ok()?;
        Some(u32::try_from(weight.max(0)).unwrap_or(u32::MAX))
    }

    /// How long a provider takes to come to its full weight, where the URL says it.
    pub fn warmup(&self) -> Option<Duration> {
        self.parameter("warmup").and_then(duration)
    }

    /// When it was registered, in milliseconds since 1970. dubbo-go writes seconds: figures too small for milliseconds of
    /// this century are read as those.
    pub fn timestamp(&self) -> Option<u64> {
        let stamp: u64 = self.parameter("timestamp")?.parse().ok()?;
        Some(if stamp < 100_000_000_000 {
            stamp.saturating_mul(1000)
        } else {
            stamp
        })
    }

    /// The framework's version, `2.7.23`; absent before 2.7.
    pub fn release(&self) -> Option<&str> {
        self.parameter("release")
    }

    /// The version of the Dubbo protocol, `2.0.2`; before 2.6.3 the framework's own.
    pub fn dubbo(&self) -> Option<&str> {
        self.parameter("dubbo")
    }

    /// The serialization the provider asks for; none is `hessian2`.
    pub fn serialization(&self) -> Option<&str> {
        self.parameter("serialization")
    }

    /// The serializations it understands, the preferred one first (3.2 and later); empty when it does not say.
    pub fn prefer_serialization(&self) -> Vec<&str> {
        let list = self.parameter("prefer.serialization").unwrap_or_default();
        list.split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// Nobody is to call it: `disabled=true`, or `enabled=false` where `disabled` is absent.
    pub fn is_disabled(&self) -> bool {
        self.flag("disabled")
            .unwrap_or_else(|| self.flag("enabled") == Some(false))
    }

    /// The category it belongs to; `providers` when it does not say.
    pub fn category(&self) -> &str {
        self.parameter("category").unwrap_or("providers")
    }

    /// The node goes with its session; `dynamic=false` ones stay after a crash.
    pub fn is_dynamic(&self) -> bool {
        self.flag("dynamic").unwrap_or(true)
    }

    /// The port speaks TLS only.
    pub fn is_tls(&self) -> bool {
        self.flag("ssl-enabled").unwrap_or(false)
    }

    /// The marks, if a bridge wrote it.
    pub fn marks(&self) -> Option<Marks> {
        let number = |key| {
            self.parameter(key)
                .and_then(|value| value.parse::<u64>().ok())
                .unwrap_or_default()
        };
        Some(Marks {
            owner: self.parameter(mark::OWNER)?.to_owned(),
            replica: self.parameter(mark::REPLICA).unwrap_or_default().to_owned(),
            epoch: number(mark::EPOCH),
            hop: u32::try_from(number(mark::HOP)).unwrap_or(u32::MAX),
        })
    }
}

/// Milliseconds, or with a unit as dubbo-go writes (`3s`, `500ms`). Negative and zero are none.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(split)?;
    let number: u64 = digits.parse().ok()?;
    let millis = match unit {
        "" | "ms" => number,
        "s" => number.saturating_mul(1000),
        "m" => number.saturating_mul(60_000),
        "h" => number.saturating_mul(3_600_000),
        _ => return None,
    };
    (millis > 0).then(|| Duration::from_millis(millis))
}

impl FromStr for ProviderUrl {
    type Err = ParseError;

    /// Reads a URL's text, already decoded.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.len() > MAX_LENGTH {
            return Err(ParseError::TooLong(text.len()));
        }
        let parts = split(text)?;
        Ok(Self {
            text: text.into(),
            name: None,
            parts,
        })
    }
}

#[allow(
    clippy::arithmetic_side_effects,
    reason = "all offsets come from finds in a text of at most MAX_LENGTH bytes"
)]
fn split(text: &str) -> Result<Parts, ParseError> {
    let query_at = text.find('?').unwrap_or(text.len());
    let before = text.get(..query_at).unwrap_or_default();
    let query = (query_at + 1).min(text.len())..text.len();
    let scheme = before
        .find("://")
        .filter(|end| *end > 0)
        .ok_or(ParseError::Scheme)?;
    let authority_at = scheme + 3;
    let rest = before.get(authority_at..).unwrap_or_default();
    let authority_end = authority_at + rest.find('/').unwrap_or(rest.len());
    let path = (authority_end + 1).min(query_at)..query_at;
    let authority = text.get(authority_at..authority_end).unwrap_or_default();
    let user_len = authority.rfind('@').unwrap_or(0);
    let host_at = if authority.contains('@') {
        authority_at + user_len + 1
    } else {
        authority_at
    };
    let host_port = text.get(host_at..authority_end).unwrap_or_default();
    let (host_len, port) = split_port(host_port)?;
    let mut host = host_at..host_at + host_len;
    let host_text = text.get(host.clone()).unwrap_or_default();
    if host_text.len() > 2 && host_text.starts_with('[') && host_text.ends_with(']') {
        host = host.start + 1..host.end - 1;
    }
    if host.is_empty() {
        return Err(ParseError::Host);
    }
    Ok(Parts {
        scheme: (0..scheme).into(),
        user: (authority_at..authority_at + user_len).into(),
        host: host.into(),
        port,
        path: path.into(),
        query: query.into(),
    })
}

/// The length of the host and the port: the digits after the last colon, unless a bracket or a scope id (`%`) follows it.
#[allow(
    clippy::arithmetic_side_effects,
    reason = "one past a found colon is at most the text's length"
)]
fn split_port(authority: &str) -> Result<(usize, u16), ParseError> {
    match authority.rfind(':') {
        Some(colon) if !authority.get(colon..).unwrap_or_default().contains([']', '%']) => {
            let digits = authority.get(colon + 1..).unwrap_or_default();
            if digits.is_empty() {
                return Ok((colon, 0));
            }
            let port = digits
                .parse()
                .map_err(|_| ParseError::Port(digits.chars().take(16).collect()))?;
            Ok((colon, port))
        }
        _ => Ok((authority.len(), 0)),
    }
}

impl fmt::Display for ProviderUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ProviderUrl {
    /// Without the query: it can hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ProviderUrl({}://{}:{}/{} {})",
            self.scheme(),
            self.host(),
            self.port(),
            self.path(),
            self.service_key()
        )
    }
}

#[cfg(test)]
mod tests;
