//! Registration at the Kubernetes API by server-side apply: the production default.
//!
//! Objects that carry our marks are listed once and kept in step. Nothing else is touched: an object of ours by name that
//! somebody else made is left alone and reported. New and changed objects are written first, deletions last.

mod api;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::sync::watch;

use crate::istiod::publish::intake::{Admitted, Intake};
use crate::istiod::publish::object::{self, Kind};
use crate::istiod::publish::{HoldPolicy, Registrar, Report, StartError};
use crate::istiod::{Owner, names};
use crate::publish::{MeshRecords, ServiceEntry};
use api::{Failure, Objects};

/// How long objects are taken to be as we left them: then they are listed again.
const RELIST: Duration = Duration::from_secs(300);
/// So many failures that say nothing of one object, and the rest is not tried.
const GIVE_UP: usize = 8;
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// How the API is reached.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Config {
    /// A kubeconfig file; `None` for the credentials of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// A context of that file; `None` for its current one.
    pub context: Option<String>,
    /// Parallel writes.
    pub writers: usize,
}

impl Config {
    /// Whether the credentials are there: the kubeconfig with its context, or the pod's account. The API is not asked.
    ///
    /// # Errors
    /// What a start would end with.
    pub fn check(&self) -> Result<(), StartError> {
        api::Credentials::of(self).map(|_| ())
    }
}

/// The registrar.
pub struct Kubernetes {
    objects: Objects,
    namespace: String,
    hold: HoldPolicy,
    owner: Owner,
    writers: usize,
}

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes")
            .field("namespace", &self.namespace)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// An object as it is at the API.
#[derive(Debug, Clone)]
struct Live {
    value: Value,
    uid: Option<String>,
}

type Known = BTreeMap<(Kind, String), Live>;

/// One write.
#[derive(Debug)]
enum Operation {
    /// Write it; whether it is known to be ours already.
    Apply {
        value: Value,
        ours: bool,
    },
    Delete {
        uid: Option<String>,
    },
}

impl Kubernetes {
    /// Reads the credentials; nothing is written yet, and the API need not be there.
    pub async fn start(
        config: &Config,
        namespace: &str,
        hold: HoldPolicy,
        owner: &Owner,
    ) -> Result<Self, StartError> {
        Ok(Self {
            objects: Objects::connect(config, namespace).await?,
            namespace: namespace.to_owned(),
            hold,
            owner: Owner {
                installation: names::as_label(&owner.installation),
                replica: names::as_label(&owner.replica),
            },
            writers: config.writers,
        })
    }

    /// What to do so that `known` becomes what is admitted: writes, then deletions.
    fn operations(&self, known: &Known, records: &MeshRecords) -> [Vec<((Kind, String), Operation)>; 2] {
        let desired = object::objects(records, &self.namespace);
        let mut writes = Vec::new();
        for (key, value) in &desired {
            let live = known.get(key);
            if is_held_blindly(records, key) || live.is_some_and(|live| contains(&live.value, value)) {
                continue;
            }
            let value = value.clone();
            let ours = live.is_some();
            writes.push((key.clone(), Operation::Apply { value, ours }));
        }
        let gone = known.iter().filter(|(key, _)| !desired.contains_key(*key));
        let ours_to_delete = gone.filter(|((kind, _), live)| self.may_delete(*kind, &live.value));
        let deletions = ours_to_delete.map(|(key, live)| {
            let uid = live.uid.clone();
            (key.clone(), Operation::Delete { uid })
        });
        [writes, deletions.collect()]
    }

    /// Services are the installation's, a WorkloadEntry its replica's.
    fn may_delete(&self, kind: Kind, live: &Value) -> bool {
        let label = |key: &str| {
            live.pointer("/metadata/labels")
                .and_then(|labels| labels.get(key)?.as_str())
        };
        let installation = label(crate::istiod::records::INSTALLATION) == Some(&self.owner.installation);
        let replica = label(crate::istiod::records::REPLICA) == Some(&self.owner.replica);
        installation && (kind == Kind::ServiceEntry || replica)
    }

    /// Does the operations, some at a time; gives back what failed.
    async fn run_all(
        &self,
        operations: Vec<((Kind, String), Operation)>,
        known: &mut Known,
        state: &mut Report,
    ) -> Vec<Failure> {
        let results = futures_util::stream::iter(operations)
            .map(|(key, operation)| async move {
                let (kind, name) = (key.0, key.1.clone());
                let result = match operation {
                    Operation::Apply { value, ours } => {
                        let written = self.objects.apply(kind, &name, &value, ours, &self.owner).await;
                        written.map(|uid| Some(Live { value, uid }))
                    }
                    Operation::Delete { uid } => self.objects.delete(kind, &name, uid).await.map(|()| None),
                };
                (key, result)
            })
            .buffer_unordered(self.writers);
        let mut results = std::pin::pin!(results);
        let mut failures = Vec::new();
        while let Some((key, result)) = results.next().await {
            let title = object::title(key.0, &key.1);
            match result {
                Ok(live) => {
                    state.writes += 1;
                    state.failed.remove(&title);
                    match live {
                        Some(live) => known.insert(key, live),
                        None => known.remove(&key),
                    };
                }
                Err(failure) => {
                    tracing::warn!(
                        object = title,
                        error = failure.text,
                        "write to the Kubernetes API"
                    );
                    state.failed.insert(title, failure.text.clone());
                    failures.push(failure);
                    if failures.iter().filter(|failure| failure.is_general).count() >= GIVE_UP {
                        break;
                    }
                }
            }
        }
        failures
    }

    /// Brings the API to what is admitted; whether it must be tried again soon.
    async fn bring(&self, admitted: Admitted, known: &mut Known, state: &mut Report) -> bool {
        state.failed.clear();
        let [writes, deletions] = self.operations(known, &admitted.records);
        let mut failures = self.run_all(writes, known, state).await;
        // With a new object missing, nothing old may go.
        let deletions_wait = !failures.is_empty() && !deletions.is_empty();
        if !deletions_wait {
            failures.extend(self.run_all(deletions, known, state).await);
        }
        let desired = object::objects(&admitted.records, &self.namespace);
        state.published = desired.keys().filter(|key| known.contains_key(*key)).count();
        state.quarantined = admitted.quarantined;
        state.held = admitted.held;
        state.in_force = failures.is_empty();
        state.error = failures
            .iter()
            .find(|failure| failure.is_general)
            .map(|failure| failure.text.clone());
        !failures.is_empty()
    }
}

/// A service whose removal is held, found at the API by a process that never wrote it: kept as it is.
fn is_held_blindly(records: &MeshRecords, (kind, name): &(Kind, String)) -> bool {
    *kind == Kind::ServiceEntry
        && records
            .services
            .get(name)
            .is_some_and(|entry| entry.host.is_empty())
}

impl Registrar for Kubernetes {
    async fn run(
        self,
        desired: watch::Receiver<Option<Arc<MeshRecords>>>,
        report: watch::Sender<Arc<Report>>,
    ) {
        let mut intake = Intake::new(desired, self.hold);
        let mut state = Report::default();
        let mut known: Option<Known> = None;
        let mut retry = FIRST_RETRY;
        if intake.first().await.is_none() {
            return;
        }
        loop {
            if known.is_none() {
                match self.objects.list(&self.owner).await {
                    Ok(found) => {
                        let services = found.keys().filter(|(kind, _)| *kind == Kind::ServiceEntry);
                        let services = services.map(|(_, name)| (name.clone(), ServiceEntry::default()));
                        intake.found(&services.collect());
                        known = Some(found);
                    }
                    Err(failure) => {
                        tracing::warn!(error = failure.text, "list our objects at the Kubernetes API");
                        state.error = Some(failure.text);
                        state.in_force = false;
                    }
                }
            }
            let mut again = known.is_none();
            if let Some(known) = &mut known
                && let Some(admitted) = intake.admit()
            {
                again = self.bring(admitted, known, &mut state).await;
            }
            report.send_replace(Arc::new(state.clone()));
            if again {
                // Whatever failed: what we think we know of the API may be wrong.
                known = None;
                let jittered = retry.mul_f64(0.5 + fastrand::f64());
                retry = (retry * 2).min(LAST_RETRY);
                tokio::select! {
                    changed = intake.changed() => if changed.is_none() { return },
                    () = tokio::time::sleep(jittered) => {}
                }
            } else {
                retry = FIRST_RETRY;
                tokio::select! {
                    changed = intake.changed() => if changed.is_none() { return },
                    () = tokio::time::sleep(RELIST) => known = None,
                }
            }
        }
    }
}

/// Whether `live` says all that `desired` says, and its spec nothing else.
fn contains(live: &Value, desired: &Value) -> bool {
    let within = |pointer: &str| {
        let (live, desired) = (live.pointer(pointer), desired.pointer(pointer));
        let live: BTreeSet<_> = live
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .collect_pairs();
        let desired: BTreeSet<_> = desired
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .collect_pairs();
        desired.is_subset(&live)
    };
    live.get("spec") == desired.get("spec") && within("/metadata/labels") && within("/metadata/annotations")
}

/// Key-value pairs as comparable texts.
trait CollectPairs {
    fn collect_pairs(self) -> BTreeSet<(String, String)>;
}

impl<'a, I: Iterator<Item = (&'a String, &'a Value)>> CollectPairs for I {
    fn collect_pairs(self) -> BTreeSet<(String, String)> {
        self.map(|(key, value)| (key.clone(), value.to_string()))
            .collect()
    }
}

#[cfg(test)]
mod tests;
