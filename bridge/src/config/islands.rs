//! The sections `legacy` and `mesh`: where the two registries are and who we are there.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_saphyr::{Location, Spanned};

use super::place::{Problem, Source};
use super::text::{HostPort, Secret, Time, addresses};

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
}

/// A mesh: Triple and gRPC services under one istiod.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mesh {
    /// Its name in logs and on the console.
    #[serde(default = "Mesh::default_name")]
    pub name: String,
    /// Its control plane.
    pub istiod: Istiod,
    /// How the gateway announces legacy services there; absent for not at all.
    #[serde(default)]
    pub publish: Option<Spanned<MeshPublish>>,
}

impl Mesh {
    fn default_name() -> String {
        "mesh".to_owned()
    }

    pub(super) fn check(&self, source: &Source, problems: &mut Vec<Problem>) {
        let Some(publish) = &self.publish else { return };
        let missing = match publish.value.via {
            PublishVia::Mcp if publish.value.mcp_bind.is_none() => "mcp_bind",
            PublishVia::File if publish.value.file.is_none() => "file",
            _ => return,
        };
        let message = format!(
            "publishing via {} needs the key `{missing}`",
            publish.value.via.name()
        );
        problems.push(source.problem(publish.referenced, message));
    }
}

/// Where istiod is and as what we speak to it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Istiod {
    /// Its plaintext xDS port, usually 15010.
    pub address: HostPort,
    /// Our namespace; publish to another one (`spec/istio-xds.md` 3.2).
    #[serde(default = "Istiod::default_namespace")]
    pub namespace: String,
    /// istiod's cluster id.
    #[serde(default = "Istiod::default_cluster")]
    pub cluster_id: String,
    /// The end of every host name of the cluster.
    #[serde(default = "Istiod::default_domain")]
    pub domain: String,
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
    pub kubeconfig: Option<PathBuf>,
    /// `mcp`: where istiod pulls from.
    #[serde(default)]
    pub mcp_bind: Option<super::text::Bind>,
    /// `file`: what is written.
    #[serde(default)]
    pub file: Option<PathBuf>,
}

impl MeshPublish {
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
    /// A YAML file that somebody else applies.
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
