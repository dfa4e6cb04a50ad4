//! What we announce in both islands, and its withdrawal.
//!
//! `publish::desired` says what we must own; the publishers make it so. Nothing is handed to them before every source was
//! complete once, so nothing is ever created or deleted by half a view.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use registries::directory::Directory;
use registries::istiod::publish::{AnyRegistrar, Registrar, Report, Way};
use registries::istiod::{self, Owner};
use registries::publish::{Held, Identity, LegacyHold, LegacyRecords, MeshRecords, Policy, Shape, desired};
use registries::zookeeper;
use serde::Serialize;
use tokio::sync::watch;

use super::{Ports, StartError};
use crate::config::{Config, Listener};
use crate::tasks::Tasks;

/// The registrar of the mesh, made before anything runs: its port is one of those that are bound early.
pub(super) async fn registrar(config: &Config) -> Result<Option<AnyRegistrar>, StartError> {
    let Some(section) = &config.mesh else {
        return Ok(None);
    };
    let owner = Owner {
        installation: config.bridge.installation.clone(),
        replica: config.bridge.replica.clone(),
    };
    match section.checked(&config.bridge.replica).publish {
        Some(publish) => {
            let started = AnyRegistrar::start(&publish, &owner).await;
            started
                .map(Some)
                .map_err(|error| StartError::Announce(Box::new(error)))
        }
        None => Ok(None),
    }
}

/// Where a listener's callers reach us: what the file says, else its own address where that is a real one.
fn advertised(listener: Option<&Listener>, bound: Option<SocketAddr>) -> Option<SocketAddr> {
    listener?
        .advertise
        .or_else(|| bound.filter(|address| !address.ip().is_unspecified()))
}

/// Who we are in both registries.
pub(super) fn identity(config: &Config, ports: &Ports) -> Identity {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Identity {
        installation: config.bridge.installation.clone(),
        replica: config.bridge.replica.clone(),
        epoch: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        hop: 1,
        legacy: advertised(config.listeners.dubbo2.as_ref(), ports.dubbo2),
        mesh: advertised(config.listeners.triple.as_ref(), ports.triple),
    }
}

/// How we register in the mesh, as the configuration says.
fn section_publish(config: &Config) -> Option<istiod::publish::Config> {
    config.mesh.as_ref()?.checked(&config.bridge.replica).publish
}

/// What is announced and how.
fn policy(config: &Config) -> Policy {
    let agent = config.listeners.dubbo2.is_none() && config.listeners.triple.is_none();
    let mut policy = Policy {
        shape: if agent { Shape::Direct } else { Shape::ViaBridge },
        timeout: config.timeouts.call.0,
        ..Policy::default()
    };
    if let Some(legacy) = &config.legacy {
        policy.legacy_root.clone_from(&legacy.zookeeper.value.root.value);
    }
    if let Some(mesh) = &config.mesh {
        let istiod = &mesh.istiod.value;
        policy.mesh_port = istiod.service_port;
        // istiod waits for our answers before it lets us look: waiting for it would never end.
        let way = section_publish(config).map(|publish| publish.way);
        policy.mesh_waits = matches!(way, Some(Way::Mcp(_)));
    }
    policy
}

/// How the announcements are doing, for the operator's port.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Announced {
    /// In the legacy registry; `None` when nothing is announced there.
    pub(crate) legacy: Option<zookeeper::PublishState>,
    /// In the mesh; `None` when nothing is announced there.
    pub(crate) mesh: Option<Arc<Report>>,
}

/// The publishers, running.
pub(super) struct Announcements {
    desired: Desired,
    legacy: Option<(zookeeper::Withdraw, watch::Receiver<zookeeper::PublishState>)>,
    mesh: Option<watch::Receiver<Arc<Report>>>,
    /// Ends the derivation, so that a withdrawal is not undone by the next change.
    derive: Tasks,
}

/// What the publishers are told.
#[derive(Clone)]
struct Desired {
    legacy: watch::Sender<Option<Arc<LegacyRecords>>>,
    mesh: watch::Sender<Option<Arc<MeshRecords>>>,
}

impl Announcements {
    /// Runs the publishers, which wait for the first complete facts.
    pub(super) fn start(
        config: &Config,
        identity: Identity,
        registrar: Option<AnyRegistrar>,
        control: &Tasks,
        changed: watch::Receiver<Arc<Directory>>,
    ) -> Result<Self, StartError> {
        let desired = Desired {
            legacy: watch::channel(None).0,
            mesh: watch::channel(None).0,
        };
        let mut legacy = None;
        if let Some(section) = config.legacy.as_ref().filter(|section| section.publish) {
            let registry = section
                .checked()
                .map_err(|error| StartError::Config(error.into()))?;
            let owner = zookeeper::Identity {
                installation: identity.installation.clone(),
                replica: identity.replica.clone(),
            };
            let (publisher, withdraw, state) = zookeeper::Publisher::new(registry, owner);
            control.spawn(publish_legacy(publisher, desired.legacy.subscribe()));
            legacy = Some((withdraw, state));
        }
        let mesh = registrar.map(|registrar| {
            let (report, reports) = watch::channel(Arc::default());
            control.spawn(registrar.run(desired.mesh.subscribe(), report));
            reports
        });
        let derive = Tasks::new();
        derive.spawn(derive_records(changed, policy(config), identity, desired.clone()));
        Ok(Self {
            desired,
            legacy,
            mesh,
            derive,
        })
    }

    /// Whether anything is announced anywhere.
    pub(super) fn any(&self) -> bool {
        self.legacy.is_some() || self.mesh.is_some()
    }

    /// How they are doing, now and whenever it is asked.
    pub(super) fn report(&self) -> impl Fn() -> Announced + Send + Sync + 'static {
        let legacy = self.legacy.as_ref().map(|(_, state)| state.clone());
        let mesh = self.mesh.clone();
        move || Announced {
            legacy: legacy.as_ref().map(|state| state.borrow().clone()),
            mesh: mesh.as_ref().map(|report| report.borrow().clone()),
        }
    }

    /// Takes this replica's records out of both registries, within a time.
    ///
    /// In the mesh the services stay, without this replica's address: other replicas answer for them.
    pub(super) async fn withdraw(&mut self, within: Duration) {
        self.derive.abort();
        self.derive.finished().await;
        let legacy = async {
            if let Some((withdraw, _)) = &self.legacy {
                let withdrawn = withdraw.withdraw().await;
                tracing::info!(
                    removed = withdrawn.removed,
                    left = withdrawn.left,
                    "withdrew from the legacy registry"
                );
            }
        };
        let mesh = async {
            let Some(reports) = &mut self.mesh else { return };
            let Some(current) = self.desired.mesh.borrow().clone() else {
                return;
            };
            reports.mark_unchanged();
            self.desired.mesh.send_replace(Some(Arc::new(MeshRecords {
                services: current.services.clone(),
                ..MeshRecords::default()
            })));
            let done =
                reports.changed().await.is_ok() && reports.wait_for(|report| report.in_force).await.is_ok();
            tracing::info!(done, "withdrew from the mesh");
        };
        if tokio::time::timeout(within, async { tokio::join!(legacy, mesh) })
            .await
            .is_err()
        {
            tracing::warn!("a registry did not answer; what is left there goes when our session ends");
        }
    }
}

/// More than this share of our services vanishing from what is desired at once is held back for [`HOLD`].
const BULK_PERCENT: u8 = 50;
const HOLD: Duration = Duration::from_secs(60);

async fn derive_records(
    mut changed: watch::Receiver<Arc<Directory>>,
    policy: Policy,
    identity: Identity,
    told: Desired,
) {
    let mut waiting = None;
    let mut hold = LegacyHold::new(BULK_PERCENT, HOLD);
    let started = tokio::time::Instant::now();
    loop {
        let directory = changed.borrow_and_update().clone();
        // Generation 0 is the empty Directory that was there before the first merge.
        if directory.generation > 0 {
            match desired(&directory, &policy, &identity) {
                Ok(records) => {
                    let before = hold.held();
                    let now = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                    tell(&told.legacy, hold.admit(records.legacy, now));
                    if hold.held() > before {
                        tracing::warn!(
                            services = hold.held(),
                            "many announcements in the legacy registry became void at once: held for a while"
                        );
                    }
                    // The registrar of the mesh holds by itself.
                    tell(&told.mesh, records.mesh);
                    waiting = None;
                }
                Err(reason @ Held::Unsynced(_)) => {
                    if waiting.replace(reason.to_string()).is_none() {
                        tracing::info!(%reason, "nothing is announced yet");
                    }
                }
            }
        }
        // What is held is looked at again when its time is up, changes or not.
        let held = hold.held() > 0;
        let again = tokio::time::sleep(if held { HOLD } else { Duration::MAX });
        tokio::select! {
            told = changed.changed() => if told.is_err() { return },
            () = again, if held => {}
        }
    }
}

/// Tells only what differs: equal records are no work for a registry.
fn tell<T: PartialEq>(told: &watch::Sender<Option<Arc<T>>>, records: T) {
    told.send_if_modified(|current| {
        let differs = current.as_deref() != Some(&records);
        if differs {
            *current = Some(Arc::new(records));
        }
        differs
    });
}

/// The publisher deletes what is not desired, so it starts only when there is something complete to desire.
async fn publish_legacy(
    publisher: zookeeper::Publisher,
    mut told: watch::Receiver<Option<Arc<LegacyRecords>>>,
) {
    let Ok(first) = told.wait_for(Option::is_some).await.map(|first| first.clone()) else {
        return;
    };
    let (desired, records) = watch::channel(first.unwrap_or_default());
    let follow = async {
        while told.changed().await.is_ok() {
            if let Some(records) = told.borrow_and_update().clone() {
                desired.send_replace(records);
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = publisher.run(records) => {}
        () = follow => {}
    }
}
