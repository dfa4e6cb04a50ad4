//! The Kubernetes API, as far as we use it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use super::{Config, Known, Live};
use crate::istiod::publish::StartError;
use crate::istiod::publish::object::Kind;
use crate::istiod::{Owner, records};

/// The name under which our fields are kept at the API.
const FIELD_MANAGER: &str = "landbridge";
const PAGE: u32 = 500;
/// More pages than a namespace can reasonably have.
const PAGES: usize = 1000;
/// The most bytes of a file of credentials.
const MOST: u64 = 16 << 20;

/// Why a request failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) text: String,
    /// It says nothing of one object: the API is away, or refuses us.
    pub(super) is_general: bool,
}

/// Our two kinds in our namespace.
pub(super) struct Objects {
    apis: BTreeMap<Kind, Api<DynamicObject>>,
}

/// What says who we are at the API.
pub(super) enum Credentials {
    /// A file.
    File(Box<Kubeconfig>),
    /// The pod's account.
    Pod(Box<kube::Config>),
}

impl Credentials {
    pub(super) fn of(config: &Config) -> Result<Self, StartError> {
        let Some(path) = &config.kubeconfig else {
            let pod = kube::Config::incluster().map_err(|error| unusable(config, error))?;
            return Ok(Self::Pod(Box::new(pod)));
        };
        let read = bounded(path).map_err(|error| unusable(config, error));
        let file =
            read.and_then(|()| Kubeconfig::read_from(path).map_err(|error| unusable(config, error)))?;
        let context = config.context.as_ref().or(file.current_context.as_ref());
        let context = context.ok_or_else(|| unusable(config, "it has no current context"))?;
        if !file.contexts.iter().any(|known| known.name == *context) {
            return Err(unusable(config, format!("it has no context {context:?}")));
        }
        Ok(Self::File(Box::new(file)))
    }
}

/// Refuses a file that has no end, or is no file: `Kubeconfig` would read on.
fn bounded(path: &Path) -> io::Result<()> {
    let read = io::copy(&mut File::open(path)?.take(MOST + 1), &mut io::sink())?;
    if read > MOST {
        return Err(io::Error::other(format!("it is larger than {} MiB", MOST >> 20)));
    }
    Ok(())
}

fn unusable(config: &Config, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StartError {
    let from = config.kubeconfig.as_ref();
    StartError::Kubernetes {
        from: from.map_or("the pod".to_owned(), |path| path.display().to_string()),
        source: source.into(),
    }
}

impl Objects {
    pub(super) async fn connect(config: &Config, namespace: &str) -> Result<Self, StartError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| unusable(config, source);
        let mut access = match Credentials::of(config)? {
            Credentials::File(file) => {
                let options = KubeConfigOptions {
                    context: config.context.clone(),
                    ..KubeConfigOptions::default()
                };
                let access = kube::Config::from_custom_kubeconfig(*file, &options).await;
                access.map_err(|error| failed(error.into()))?
            }
            Credentials::Pod(access) => *access,
        };
        access.connect_timeout = Some(std::time::Duration::from_secs(5));
        access.read_timeout = Some(std::time::Duration::from_secs(30));
        access.write_timeout = Some(std::time::Duration::from_secs(30));
        let client = kube::Client::try_from(access).map_err(|error| failed(error.into()))?;
        let api = |kind: Kind| {
            let gvk = GroupVersionKind::gvk("networking.istio.io", "v1", kind.name());
            let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural());
            (kind, Api::namespaced_with(client.clone(), namespace, &resource))
        };
        Ok(Self {
            apis: Kind::ALL.map(api).into(),
        })
    }

    fn api(&self, kind: Kind) -> &Api<DynamicObject> {
        self.apis.get(&kind).expect("both kinds are made in connect")
    }

    /// All objects that carry our installation's marks.
    pub(super) async fn list(&self, owner: &Owner) -> Result<Known, Failure> {
        let ours = format!(
            "{}={},{}={}",
            records::MANAGED_BY,
            records::CANONICAL,
            records::INSTALLATION,
            owner.installation
        );
        let mut known = Known::new();
        for kind in Kind::ALL {
            let mut params = ListParams::default().labels(&ours).limit(PAGE);
            for _ in 0..PAGES {
                let page = self
                    .api(kind)
                    .list(&params)
                    .await
                    .map_err(|error| failure(&error))?;
                for object in page.items {
                    let (name, uid) = (object.metadata.name.clone(), object.metadata.uid.clone());
                    let Some(name) = name else { continue };
                    // Its text form is what we compare with.
                    let value = serde_json::to_value(&object).unwrap_or_default();
                    known.insert((kind, name), Live { value, uid });
                }
                match page.metadata.continue_ {
                    Some(next) if !next.is_empty() => params = params.continue_token(&next),
                    _ => break,
                }
            }
        }
        Ok(known)
    }

    /// Writes an object in full; gives its uid. One that is not known as ours is looked at first.
    pub(super) async fn apply(
        &self,
        kind: Kind,
        name: &str,
        value: &Value,
        ours: bool,
        owner: &Owner,
    ) -> Result<Option<String>, Failure> {
        let api = self.api(kind);
        if !ours {
            let found = api
                .get_metadata_opt(name)
                .await
                .map_err(|error| failure(&error))?;
            let labels = found.map(|object| object.metadata.labels.unwrap_or_default());
            let foreign = labels.is_some_and(|labels| {
                labels.get(records::MANAGED_BY).map(String::as_str) != Some(records::CANONICAL)
                    || labels.get(records::INSTALLATION) != Some(&owner.installation)
            });
            if foreign {
                return Err(Failure {
                    text: "an object of this name exists and does not carry our marks".into(),
                    is_general: false,
                });
            }
        }
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let written = api.patch(name, &params, &Patch::Apply(value)).await;
        written
            .map(|object| object.metadata.uid)
            .map_err(|error| failure(&error))
    }

    /// Deletes the very object that was seen. One that is gone already counts as deleted.
    pub(super) async fn delete(&self, kind: Kind, name: &str, uid: Option<String>) -> Result<(), Failure> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid,
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match self.api(kind).delete(name, &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(failure(&error)),
        }
    }
}

fn failure(error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) => Failure {
            text: format!("{} {}: {}", status.code, status.reason, status.message),
            is_general: matches!(status.code, 401 | 403 | 429 | 500..),
        },
        error => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(error) = cause {
                let next = error.to_string();
                if !text.contains(&next) {
                    text.push_str(": ");
                    text.push_str(&next);
                }
                cause = error.source();
            }
            Failure {
                text,
                is_general: true,
            }
        }
    }
}
