//! The sections `legacy` and `mesh`: where the two registries are and who we are there.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use registries::istiod::{self, names};
use registries::zookeeper;
use serde::{Deserialize, Deserializer, Serialize};
use serde_saphyr::{Location, Spanned};

use super::place::{Problem, Source};
use super::text::{HostPort, Secret, Time, addresses, whole};

/// A legacy island: Dubbo2 consumers and providers around one ZooKeeper.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Legacy {
    /// Its name in logs and on the console.
    #[serde(default = "Legacy::default_name")]
    pub name: String,
    /// Its registry.
    pub zookeeper: Spanned<ZooKeeper>,
    /// Whether the gateway announces mesh services there.
    #[serde(default = "yes")]
    pub publish: bool,
}

impl Legacy {
    fn default_name() -> String {
        "legacy".to_owned()
    }

    /// As the registry's source and publisher take it.
    ///
    /// # Errors
    /// When it refuses what the file says.
    pub(crate) fn checked(&self) -> Result<zookeeper::Config, zookeeper::config::ConfigError> {
        let section = &self.zookeeper.value;
        let servers: Vec<String> = section.servers.iter().map(ToString::to_string).collect();
        let mut config = zookeeper::Config::new(&servers.join(","))?;
        config.root.clone_from(&section.root.value);
        config.session_timeout = section.session_timeout.0;
        config.publish_session_timeout = section.publish_session_timeout.0;
        config.interfaces =
            zookeeper::Interfaces::new(&section.interfaces.include, &section.interfaces.exclude)?;
        config.watch = section.watch;
        if let (Some(user), Some(password)) = (&section.user, &section.password) {
            config.auth = Some(zookeeper::Credentials {
                user: user.clone(),
                password: zookeeper::Secret::new(password.reveal()),
            });
        }
        Ok(config)
    }

    pub(super) fn check(&self, source: &Source, problems: &mut Vec<Problem>) {
        let zookeeper = &self.zookeeper;
        if zookeeper.value.servers.is_empty() {
            problems.push(source.problem(zookeeper.referenced, "`servers` names no server"));
        }
        let root = &zookeeper.value.root;
        if !root.value.starts_with('/') || root.value.len() < 2 || root.value.ends_with('/') {
            let message = format!("{} is no root node (expected a path as in /dubbo)", root.value);
            problems.push(source.problem(root.referenced, message));
        }
        if zookeeper.value.user.is_some() != zookeeper.value.password.is_some() {
            problems.push(source.problem(zookeeper.referenced, "`user` and `password` go together"));
        }
        let sessions = [
            &zookeeper.value.session_timeout,
            &zookeeper.value.publish_session_timeout,
        ];
        if sessions.iter().any(|session| session.0 < Duration::from_secs(1)) {
            problems.push(source.problem(
                zookeeper.referenced,
                "a session shorter than 1s is lost at every pause",
            ));
        }
        if problems.is_empty()
            && let Err(error) = self.checked()
        {
            problems.push(source.problem(zookeeper.referenced, error.to_string()));
        }
    }
}

/// A ZooKeeper ensemble.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ZooKeeper {
    /// Its servers, separated by commas or as a list.
    #[serde(deserialize_with = "addresses")]
    pub servers: Vec<HostPort>,
    /// Dubbo's root node.
    #[serde(default = "ZooKeeper::default_root")]
    pub root: Spanned<String>,
    /// How long the ensemble keeps our nodes when it does not hear from us. Dubbo's consumers remove a lost provider only
    /// then; shorter makes a short pause of ours lose every registration.
    #[serde(default = "ZooKeeper::default_session")]
    pub session_timeout: Time,
    /// The same for the session that holds our announcements. It is shorter: after a crash they must go soon.
    #[serde(default = "ZooKeeper::default_publish_session")]
    pub publish_session_timeout: Time,
    /// Which interfaces are read.
    #[serde(default)]
    pub interfaces: Interfaces,
    /// How changes are noticed: `auto`, `recursive` (servers of 3.6 and later) or `one-shot`.
    #[serde(default)]
    pub watch: zookeeper::WatchMode,
    /// A user of the `digest` scheme.
    #[serde(default)]
    pub user: Option<String>,
    /// Its password.
    #[serde(default)]
    pub password: Option<Secret>,
}

impl ZooKeeper {
    fn default_root() -> Spanned<String> {
        unplaced("/dubbo".to_owned())
    }

    fn default_session() -> Time {
        Time::secs(30)
    }

    fn default_publish_session() -> Time {
        Time::secs(15)
    }
}

/// Which interfaces are read, by globs with `*` and `?`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Interfaces {
    /// Those that match one of these; none is all.
    pub include: Vec<String>,
    /// And none of these.
    pub exclude: Vec<String>,
}

/// A mesh: Triple and gRPC services under one istiod.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mesh {
    /// Its name in logs and on the console.
    #[serde(default = "Mesh::default_name")]
    pub name: String,
    /// Its control plane.
    pub istiod: Spanned<Istiod>,
    /// How the gateway announces legacy services there; absent for not at all.
    #[serde(default)]
    pub publish: Option<Spanned<MeshPublish>>,
}

impl Mesh {
    fn default_name() -> String {
        "mesh".to_owned()
    }

    /// As the mesh's source and registrar take it. `replica` names this gateway to istiod.
    pub(crate) fn checked(&self, replica: &str) -> istiod::Config {
        let section = &self.istiod.value;
        istiod::Config {
            address: section.address.to_string(),
            node: istiod::Node {
                name: replica.to_owned(),
                namespace: section.namespace.clone(),
                address: section.node_address,
                cluster: section.cluster_id.clone(),
                domain: section.domain.clone(),
                labels: [("app".to_owned(), "landbridge".to_owned())].into(),
                locality: section.locality.clone(),
                metadata: Default::default(),
            },
            suffixes: section.suffixes.value.clone(),
            // istiod in the same cluster answers in milliseconds; five seconds cover a lost SYN or two.
            connect_timeout: Duration::from_secs(5),
            // A CDS answer of 10,000 hosts was seen at 12.2 MB.
            max_message: 200 << 20,
            publish: self.publish.as_ref().and_then(|publish| publish.value.checked()),
        }
    }

    /// What this machine lacks for the configured way of announcing: a fault where the file names it, and a warning where the
    /// place of running will have it, as a pod has its account.
    pub(super) fn credentials(&self, source: &Source) -> Option<Lacking> {
        use istiod::publish::{Config, Way};
        let publish = self.publish.as_ref()?;
        let Config {
            way: Way::Kubernetes(config),
            ..
        } = publish.value.checked()?
        else {
            return None;
        };
        let error = config.check().err()?;
        let message = crate::telemetry::chain(&error);
        Some(match &publish.value.kubeconfig {
            Some(path) => Lacking::Fault(source.problem(path.referenced, message)),
            None => {
                let hint = "`run` needs a pod's account here; elsewhere name a file in `kubeconfig`";
                Lacking::Warning(source.problem(publish.referenced, message).hint(hint))
            }
        })
    }

    pub(super) fn check(&self, source: &Source, problems: &mut Vec<Problem>) {
        let istiod = &self.istiod;
        let labels = [&istiod.value.namespace];
        if let Some(label) = labels.into_iter().find(|label| !names::is_label(label)) {
            problems.push(source.problem(istiod.referenced, format!("{label:?} is no DNS label")));
        }
        let suffixes = &istiod.value.suffixes;
        if suffixes.value.is_empty() {
            let message = "`mesh.istiod.suffixes` is empty (expected at least one, as in [dubbo])";
            let hint = "derived host names end with the first of them; hosts below all of them are looked at";
            problems.push(source.problem(suffixes.referenced, message).hint(hint));
        }
        let hosts = suffixes.value.iter().chain([&istiod.value.domain]);
        if let Some(host) = hosts.into_iter().find(|host| !names::is_host(host)) {
            problems.push(source.problem(istiod.referenced, format!("{host:?} is no lower-case DNS name")));
        }
        let Some(publish) = &self.publish else { return };
        if publish.value.namespace == istiod.value.namespace {
            let message = format!("publishing into our own namespace {:?}", publish.value.namespace);
            let hint = "istiod would take the gateway for an instance of what it publishes: name another one";
            problems.push(source.problem(publish.referenced, message).hint(hint));
        }
        let missing = match publish.value.via {
            PublishVia::Mcp if publish.value.mcp_bind.is_none() => "mcp_bind",
            PublishVia::File if publish.value.folder.is_none() => "folder",
            _ => return,
        };
        let message = format!(
            "publishing via {} needs the key `{missing}`",
            publish.value.via.name()
        );
        problems.push(source.problem(publish.referenced, message));
    }
}

/// What a configuration needs and this machine has not.
#[derive(Debug)]
pub(super) enum Lacking {
    /// The file names something that is not there.
    Fault(Problem),
    /// Another place of running has it.
    Warning(Problem),
}

/// Where istiod is and as what we speak to it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Istiod {
    /// Its plaintext xDS port, usually 15010.
    pub address: HostPort,
    /// Our namespace; publish to another one.
    #[serde(default = "Istiod::default_namespace")]
    pub namespace: String,
    /// istiod's cluster id.
    #[serde(default = "Istiod::default_cluster")]
    pub cluster_id: String,
    /// The end of every host name of the cluster.
    #[serde(default = "Istiod::default_domain")]
    pub domain: String,
    /// The last labels of derived host names; hosts below them are looked at without being asked for.
    #[serde(default = "Istiod::default_suffixes")]
    pub suffixes: Spanned<Vec<String>>,
    /// The port that mesh callers use for Dubbo services.
    #[serde(default = "Istiod::default_port", deserialize_with = "service_port")]
    pub service_port: u16,
    /// Our address as istiod is told it. It must be no endpoint of our own namespace, so it is none at all.
    #[serde(default = "Istiod::default_address")]
    pub node_address: IpAddr,
    /// `region/zone/subzone`; empty for none.
    #[serde(default)]
    pub locality: String,
}

impl Istiod {
    fn default_namespace() -> String {
        "landbridge".to_owned()
    }

    fn default_cluster() -> String {
        "Kubernetes".to_owned()
    }

    fn default_domain() -> String {
        "cluster.local".to_owned()
    }

    fn default_suffixes() -> Spanned<Vec<String>> {
        unplaced(vec!["dubbo".to_owned()])
    }

    fn default_port() -> u16 {
        50051
    }

    fn default_address() -> IpAddr {
        IpAddr::from([127, 0, 0, 99])
    }
}

fn service_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    whole(deserializer, "mesh.istiod.service_port", 1..=u16::MAX)
}

fn hold_percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    whole(deserializer, "mesh.publish.hold_percent", 0..=100)
}

/// How legacy services are announced in the mesh.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MeshPublish {
    /// By which way.
    pub via: PublishVia,
    /// The namespace of what we write.
    #[serde(default = "MeshPublish::default_namespace")]
    pub namespace: String,
    /// `kubernetes`: the kubeconfig; absent for the pod's own account.
    #[serde(default)]
    pub kubeconfig: Option<Spanned<PathBuf>>,
    /// `mcp`: where istiod pulls from.
    #[serde(default)]
    pub mcp_bind: Option<super::text::Bind>,
    /// `file`: the folder that is written to.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// The share of the services, in percent, that may be withdrawn at once; more is held for `hold` and alarmed.
    #[serde(default = "MeshPublish::default_percent", deserialize_with = "hold_percent")]
    pub hold_percent: u8,
    /// How long a removal in bulk must stay wanted before it is done.
    #[serde(default = "MeshPublish::default_hold")]
    pub hold: Time,
}

impl MeshPublish {
    fn checked(&self) -> Option<istiod::publish::Config> {
        use istiod::publish::{HoldPolicy, Way, file, kubernetes, mcp};
        let way = match self.via {
            PublishVia::Kubernetes => Way::Kubernetes(kubernetes::Config {
                kubeconfig: self.kubeconfig.as_ref().map(|path| path.value.clone()),
                context: None,
                writers: 8,
            }),
            PublishVia::Mcp => Way::Mcp(mcp::Config {
                listen: self.mcp_bind?.0,
            }),
            PublishVia::File => Way::File(file::Config {
                directory: self.folder.clone()?,
            }),
        };
        Some(istiod::publish::Config {
            namespace: self.namespace.clone(),
            way,
            hold: HoldPolicy {
                percent: self.hold_percent,
                time: self.hold.0,
            },
        })
    }

    fn default_percent() -> u8 {
        50
    }

    fn default_hold() -> Time {
        Time::secs(60)
    }

    fn default_namespace() -> String {
        "dubbo".to_owned()
    }
}

/// The three ways into the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PublishVia {
    /// Server-side apply at the Kubernetes API.
    Kubernetes,
    /// The gateway is a config source of istiod.
    Mcp,
    /// Files in a folder that istiod reads.
    File,
}

impl PublishVia {
    fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Mcp => "mcp",
            Self::File => "file",
        }
    }
}

/// A default: it stands nowhere in the file.
fn unplaced<T>(value: T) -> Spanned<T> {
    Spanned {
        value,
        referenced: Location::UNKNOWN,
        defined: Location::UNKNOWN,
    }
}

fn yes() -> bool {
    true
}
