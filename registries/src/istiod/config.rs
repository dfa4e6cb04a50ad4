//! The configuration of one mesh: where istiod is, who we are, how we register.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::istiod::{names, publish};

/// The checked configuration of one mesh.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Config {
    /// istiod's plain-text ADS, `host:port`; resolved again at every connect.
    pub address: String,
    /// Who we say we are.
    pub node: Node,
    /// The last labels of derived host names; hosts below them are looked at without being asked for.
    pub suffixes: Vec<String>,
    /// The most time to connect.
    pub connect_timeout: Duration,
    /// The largest ADS response taken, in bytes.
    pub max_message: usize,
    /// How we register; `None` for not at all.
    pub publish: Option<publish::Config>,
}

/// Our node at istiod (the `node` of a discovery request).
#[derive(Debug, Clone, serde::Serialize)]
pub struct Node {
    /// The name of this replica, a DNS label.
    pub name: String,
    /// Our namespace. It must not be the one that our ServiceEntries are in.
    pub namespace: String,
    /// Our address. It must not be an endpoint in our own namespace.
    pub address: IpAddr,
    /// istiod's cluster id.
    pub cluster: String,
    /// The cluster's domain.
    pub domain: String,
    /// Labels, as of a pod.
    pub labels: BTreeMap<String, String>,
    /// `region/zone/subzone`; empty for none.
    pub locality: String,
    /// More metadata (strings).
    pub metadata: BTreeMap<String, String>,
}

impl Node {
    /// The node id, `sidecar~ip~name.namespace~namespace.svc.domain`.
    pub fn id(&self) -> String {
        let Self {
            name,
            namespace,
            address,
            domain,
            ..
        } = self;
        let name = names::as_label(name);
        format!("sidecar~{address}~{name}.{namespace}~{namespace}.svc.{domain}")
    }
}

/// The configuration as written.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Raw {
    address: String,
    #[serde(default)]
    node: RawNode,
    #[serde(default = "default_suffixes")]
    suffixes: Vec<String>,
    #[serde(default = "default_connect_timeout_ms")]
    connect_timeout_ms: u64,
    #[serde(default = "default_max_message_bytes")]
    max_message_bytes: usize,
    publish: Option<RawPublish>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct RawNode {
    name: String,
    namespace: String,
    address: String,
    cluster: String,
    domain: String,
    labels: BTreeMap<String, String>,
    locality: String,
    metadata: BTreeMap<String, String>,
}

impl Default for RawNode {
    fn default() -> Self {
        Self {
            name: "landbridge-0".into(),
            namespace: "landbridge".into(),
            // No endpoint has this address, so istiod takes us for nobody's instance.
            address: "127.0.0.99".into(),
            cluster: "Kubernetes".into(),
            domain: "cluster.local".into(),
            labels: BTreeMap::from([("app".into(), "landbridge".into())]),
            locality: String::new(),
            metadata: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPublish {
    #[serde(default = "default_namespace")]
    namespace: String,
    kubernetes: Option<RawKubernetes>,
    mcp: Option<RawMcp>,
    file: Option<RawFile>,
    #[serde(default = "default_hold_percent")]
    hold_removal_percent: u8,
    #[serde(default = "default_hold_seconds")]
    hold_removal_seconds: u64,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawKubernetes {
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    #[serde(default = "default_writers")]
    writers: usize,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawMcp {
    listen: std::net::SocketAddr,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawFile {
    directory: PathBuf,
}

// "dubbo" is what other bridges of this kind use, and no public domain.
fn default_suffixes() -> Vec<String> {
    vec!["dubbo".into()]
}

// istiod in the same cluster answers in milliseconds; five seconds cover a lost SYN or two.
fn default_connect_timeout_ms() -> u64 {
    5000
}

// A CDS answer of 10,000 hosts was seen at 12.2 MB; ztunnel allows the same 200 MiB.
fn default_max_message_bytes() -> usize {
    200 << 20
}

fn default_namespace() -> String {
    "dubbo".into()
}

// Half of the services gone at once is a broken source more often than a decision.
fn default_hold_percent() -> u8 {
    50
}

fn default_hold_seconds() -> u64 {
    60
}

// More than eight parallel writers did not make an API server faster.
fn default_writers() -> usize {
    8
}

/// Why a mesh configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value is not usable.
    #[error("mesh {key}: {value:?} is not {expected}")]
    Value {
        /// The key, dotted.
        key: &'static str,
        /// The value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Not exactly one way of publishing.
    #[error("mesh publish: expected exactly one of kubernetes, mcp and file, found {0}")]
    Ways(usize),
}

fn refuse(key: &'static str, value: impl ToString, expected: &'static str) -> ConfigError {
    ConfigError::Value {
        key,
        value: value.to_string(),
        expected,
    }
}

impl TryFrom<Raw> for Config {
    type Error = ConfigError;

    fn try_from(raw: Raw) -> Result<Self, ConfigError> {
        let port = raw.address.rsplit_once(':').and_then(|(host, port)| {
            let port: u16 = port.parse().ok()?;
            (!host.is_empty() && port != 0).then_some(port)
        });
        if port.is_none() || raw.address.contains("://") {
            return Err(refuse("address", raw.address, "host:port"));
        }
        if raw.connect_timeout_ms == 0 {
            return Err(refuse("connect-timeout-ms", 0, "above 0"));
        }
        if !(1 << 20..=1 << 30).contains(&raw.max_message_bytes) {
            return Err(refuse(
                "max-message-bytes",
                raw.max_message_bytes,
                "between 1 MiB and 1 GiB",
            ));
        }
        for suffix in &raw.suffixes {
            if !names::is_host(suffix) {
                return Err(refuse("suffixes", suffix, "a lower-case DNS name"));
            }
        }
        let node = checked_node(raw.node)?;
        let publish = raw
            .publish
            .map(|publish| checked_publish(publish, &node))
            .transpose()?;
        Ok(Self {
            address: raw.address,
            node,
            suffixes: raw.suffixes,
            connect_timeout: Duration::from_millis(raw.connect_timeout_ms),
            max_message: raw.max_message_bytes,
            publish,
        })
    }
}

fn checked_node(raw: RawNode) -> Result<Node, ConfigError> {
    for (key, value) in [("node.name", &raw.name), ("node.namespace", &raw.namespace)] {
        if !names::is_label(value) {
            return Err(refuse(key, value, "a DNS label"));
        }
    }
    if !names::is_host(&raw.domain) {
        return Err(refuse("node.domain", raw.domain, "a lower-case DNS name"));
    }
    if raw.cluster.is_empty() {
        return Err(refuse("node.cluster", "", "a cluster id"));
    }
    Ok(Node {
        address: raw
            .address
            .parse()
            .map_err(|_| refuse("node.address", &raw.address, "an IP address"))?,
        name: raw.name,
        namespace: raw.namespace,
        cluster: raw.cluster,
        domain: raw.domain,
        labels: raw.labels,
        locality: raw.locality,
        metadata: raw.metadata,
    })
}

fn checked_publish(raw: RawPublish, node: &Node) -> Result<publish::Config, ConfigError> {
    if !names::is_label(&raw.namespace) {
        return Err(refuse("publish.namespace", raw.namespace, "a DNS label"));
    }
    if raw.namespace == node.namespace {
        return Err(refuse(
            "publish.namespace",
            raw.namespace,
            "different from node.namespace (istiod would take the gateway for an instance of what it publishes)",
        ));
    }
    if raw.hold_removal_percent > 100 {
        return Err(refuse(
            "publish.hold-removal-percent",
            raw.hold_removal_percent,
            "0 to 100",
        ));
    }
    let ways = [raw.kubernetes.is_some(), raw.mcp.is_some(), raw.file.is_some()];
    let way = match (raw.kubernetes, raw.mcp, raw.file) {
        (Some(kubernetes), None, None) => {
            if !(1..=64).contains(&kubernetes.writers) {
                return Err(refuse(
                    "publish.kubernetes.writers",
                    kubernetes.writers,
                    "1 to 64",
                ));
            }
            publish::Way::Kubernetes(publish::kubernetes::Config {
                kubeconfig: kubernetes.kubeconfig,
                context: kubernetes.context,
                writers: kubernetes.writers,
            })
        }
        (None, Some(mcp), None) => publish::Way::Mcp(publish::mcp::Config { listen: mcp.listen }),
        (None, None, Some(file)) => publish::Way::File(publish::file::Config {
            directory: file.directory,
        }),
        _ => return Err(ConfigError::Ways(ways.iter().filter(|way| **way).count())),
    };
    Ok(publish::Config {
        namespace: raw.namespace,
        way,
        hold: publish::HoldPolicy {
            percent: raw.hold_removal_percent,
            time: Duration::from_secs(raw.hold_removal_seconds),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(yaml: &str) -> Result<Config, String> {
        let raw: Raw = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
        Config::try_from(raw).map_err(|error| error.to_string())
    }

    #[test]
    fn fills_in_what_is_left_out() {
        let config = parse("address: istiod.istio-system.svc:15010\npublish: {kubernetes: {}}").unwrap();
        assert_eq!(
            config.node.id(),
            "sidecar~127.0.0.99~landbridge-0.landbridge~landbridge.svc.cluster.local"
        );
        assert_eq!(config.suffixes, ["dubbo"]);
        assert_eq!(config.publish.unwrap().namespace, "dubbo");
    }

    #[test]
    fn refuses_what_cannot_work() {
        for (yaml, words) in [
            ("address: istiod", "host:port"),
            ("address: 'http://istiod:15010'", "host:port"),
            ("address: 'a:1'\nsuffixes: [Dubbo]", "lower-case DNS name"),
            ("address: 'a:1'\nnode: {namespace: a.b}", "node.namespace"),
            ("address: 'a:1'\nnode: {address: here}", "an IP address"),
            ("address: 'a:1'\npublish: {}", "exactly one"),
            (
                "address: 'a:1'\npublish: {mcp: {listen: '127.0.0.1:1'}, file: {directory: /x}}",
                "found 2",
            ),
            (
                "address: 'a:1'\npublish: {namespace: landbridge, kubernetes: {}}",
                "different from node.namespace",
            ),
            ("address: 'a:1'\nadress: x", "adress"),
            ("address: 'a:1'\nnode: {nmae: x}", "nmae"),
        ] {
            let error = parse(yaml).unwrap_err();
            assert!(error.contains(words), "{yaml}: {error}");
        }
    }
}
