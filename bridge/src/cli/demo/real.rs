//! Real registries in place of the simulated ones: the small peers join them as their own kind would.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::discovery::ApiResource;
use serde_json::Value as Json;
use zookeeper_client::{Acls, Client, CreateMode};

use crate::config;

/// How long a real registry may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// The namespaces that the demo writes to.
const NAMESPACES: [&str; 2] = ["shop", "demo"];

/// A session at a real ZooKeeper.
pub(super) struct RealZooKeeper {
    client: Client,
}

impl RealZooKeeper {
    /// Connects and creates the nodes as ephemerals.
    pub(super) async fn join(address: &str, folders: &[String], nodes: &[String]) -> anyhow::Result<Self> {
        let joining = async {
            let client = Client::connector()
                .with_session_timeout(Duration::from_secs(15))
                .with_fail_eagerly()
                .connect(address)
                .await
                .with_context(|| format!("no ZooKeeper answers at {address}"))?;
            let acls = Acls::anyone_all();
            let persistent = CreateMode::Persistent.with_acls(acls);
            for folder in folders {
                client
                    .mkdir(folder, &persistent)
                    .await
                    .with_context(|| format!("create {folder}"))?;
            }
            for node in nodes {
                let parent = node.rsplit_once('/').map_or("/", |(parent, _)| parent);
                client
                    .mkdir(parent, &persistent)
                    .await
                    .with_context(|| format!("create {parent}"))?;
                client
                    .create(node, b"", &CreateMode::Ephemeral.with_acls(acls))
                    .await
                    .with_context(|| format!("create a node below {parent}"))?;
            }
            anyhow::Ok(Self { client })
        };
        tokio::time::timeout(PATIENCE, joining).await.with_context(|| {
            format!(
                "ZooKeeper at {address} did not answer within {} s",
                PATIENCE.as_secs()
            )
        })?
    }

    /// The children of a node; none where there is no such node.
    pub(super) async fn children(&self, path: &str) -> anyhow::Result<Vec<String>> {
        match tokio::time::timeout(PATIENCE, self.client.list_children(path)).await {
            Ok(Ok(children)) => Ok(children),
            Ok(Err(zookeeper_client::Error::NoNode)) => Ok(Vec::new()),
            Ok(Err(error)) => Err(error).context("read ZooKeeper"),
            Err(_) => anyhow::bail!("ZooKeeper did not answer within {} s", PATIENCE.as_secs()),
        }
    }

    /// Ends the session, and so the nodes.
    pub(super) async fn leave(self) {
        drop(self.client);
    }
}

/// The Kubernetes API of a real istiod.
pub(super) struct RealMesh {
    client: kube::Client,
    kubeconfig: PathBuf,
    objects: Vec<(String, String)>,
}

impl RealMesh {
    /// Applies the objects.
    pub(super) async fn join(kubeconfig: &Path, objects: &[Json]) -> anyhow::Result<Self> {
        let joining = async {
            // As the gateway bounds it: the file may be a device without end.
            config::read(kubeconfig, 16 << 20)
                .map_err(|error| anyhow::anyhow!("read {}: {error}", kubeconfig.display()))?;
            let file = kube::config::Kubeconfig::read_from(kubeconfig)?;
            let config = kube::Config::from_custom_kubeconfig(file, &Default::default()).await?;
            let client = kube::Client::try_from(config)?;
            let mut mesh = Self {
                client,
                kubeconfig: kubeconfig.to_owned(),
                objects: Vec::new(),
            };
            for namespace in NAMESPACES {
                mesh.namespace(namespace).await?;
            }
            for object in objects {
                let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
                let (namespace, name) = (text("namespace"), text("name"));
                let object: DynamicObject = serde_json::from_value(object.clone())?;
                mesh.entries(&namespace)
                    .patch(&name, &parameters(), &Patch::Apply(&object))
                    .await
                    .with_context(|| format!("apply the ServiceEntry {namespace}/{name}"))?;
                mesh.objects.push((namespace, name));
            }
            anyhow::Ok(mesh)
        };
        tokio::time::timeout(PATIENCE, joining).await.with_context(|| {
            format!(
                "the Kubernetes API did not answer within {} s",
                PATIENCE.as_secs()
            )
        })?
    }

    /// The file that says where the API is.
    pub(super) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Whether a ServiceEntry of the gateway has this host, and some workload answers for it.
    pub(super) async fn knows(&self, host: &str) -> anyhow::Result<bool> {
        let listed = tokio::time::timeout(PATIENCE, self.entries("demo").list(&Default::default())).await;
        let listed = listed.context("the Kubernetes API does not answer")??;
        Ok(listed
            .items
            .iter()
            .any(|entry| entry.data["spec"]["hosts"][0].as_str() == Some(host)))
    }

    /// Deletes what was applied, and what the gateway announced: a lone gateway leaves its services for its successor,
    /// and the demo has none.
    pub(super) async fn leave(mut self) {
        let announced = ListParams::default().labels("landbridge.dev/installation=demo");
        if let Ok(Ok(listed)) = tokio::time::timeout(PATIENCE, self.entries("demo").list(&announced)).await {
            let names = listed.items.into_iter().filter_map(|entry| entry.metadata.name);
            self.objects.extend(names.map(|name| ("demo".to_owned(), name)));
        }
        for (namespace, name) in &self.objects {
            let entries = self.entries(namespace);
            let parameters = DeleteParams::default();
            let deleted = entries.delete(name, &parameters);
            // What cannot be deleted is named, so that a person can.
            match tokio::time::timeout(PATIENCE, deleted).await {
                Ok(Ok(_)) => {}
                _ => tracing::error!(namespace, name, "the demo's ServiceEntry is still there"),
            }
        }
    }

    async fn namespace(&self, name: &str) -> anyhow::Result<()> {
        let resource = ApiResource::from_gvk_with_plural(
            &kube::core::GroupVersionKind::gvk("", "v1", "Namespace"),
            "namespaces",
        );
        let object: DynamicObject = serde_json::from_value(
            serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        )?;
        Api::<DynamicObject>::all_with(self.client.clone(), &resource)
            .patch(name, &parameters(), &Patch::Apply(&object))
            .await
            .with_context(|| format!("make the namespace {name}"))?;
        Ok(())
    }

    fn entries(&self, namespace: &str) -> Api<DynamicObject> {
        let kind = kube::core::GroupVersionKind::gvk("networking.istio.io", "v1", "ServiceEntry");
        let resource = ApiResource::from_gvk_with_plural(&kind, "serviceentries");
        Api::namespaced_with(self.client.clone(), namespace, &resource)
    }
}

fn parameters() -> PatchParams {
    PatchParams::apply("landbridge-demo").force()
}
