//! The one file that knows all the others: wires, starts and drains the gateway.
//!
//! ```text
//! check ─► bind every port ─► first views ─► serve ─► publish ─► ready
//! not ready ─► withdraw ─► drain.propagation, still serving ─► close ports ─► drain.deadline ─► abort ─► sessions
//! ```
//!
//! The control runtime (the caller's) runs the sources, the merge, the writers and the operator's port; the workers run
//! the calls.

mod announce;
mod facts;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use arc_swap::ArcSwap;
use codecs::Encoding;
use registries::directory::{Directory, Island};
use registries::file;
use registries::istiod::AdsClient;
use registries::istiod::publish::AnyRegistrar;
use registries::merge::{Bindings, Options};
use registries::mesh_view::HostPort;
use registries::zookeeper;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::announce::Announcements;
use crate::admin::{self, Facts, Phase, Readiness};
use crate::config::text::{named, whole};
use crate::config::{Becomes, Config as Checked, Drain, Listener, Prepared};
use crate::listener;
use crate::tasks::Tasks;
use crate::telemetry;
use crate::worker::{AccessRecord, Drained, Identity, Pool, Settings, Shard, Shared, Wire};

/// Access records that may wait for the log; a full queue loses records, counted.
const ACCESS_QUEUE: usize = 8_192;

/// The section `bridge`: who this gateway is.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The name that all replicas of this gateway share. It marks what they announce.
    #[serde(deserialize_with = "named")]
    pub installation: String,
    /// This replica's name, unlike that of every other replica.
    #[serde(deserialize_with = "named")]
    pub replica: String,
    /// Data-plane threads; absent for one a core.
    #[serde(deserialize_with = "threads")]
    pub workers: Option<NonZeroUsize>,
}

/// More threads than any machine has cores are a slip of the keyboard.
fn threads<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NonZeroUsize>, D::Error> {
    whole(deserializer, "bridge.workers", 1..=1024).map(NonZeroUsize::new)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            installation: "landbridge".to_owned(),
            replica: "0".to_owned(),
            workers: None,
        }
    }
}

pub(crate) use announce::Announced;

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be opened.
    #[error("listen for {what} on {address}")]
    Bind {
        /// Whose port it is.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The file says what a registry refuses.
    #[error("use the configuration")]
    Config(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Announcing in the mesh cannot begin.
    #[error("announce in the mesh")]
    Announce(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A worker's thread cannot be made.
    #[error("start the workers")]
    Workers(#[source] std::io::Error),
}

/// The addresses of the open ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// For Dubbo2 consumers.
    pub dubbo2: Option<SocketAddr>,
    /// For Triple and gRPC consumers.
    pub triple: Option<SocketAddr>,
    /// Where istiod pulls our announcements, if it does.
    pub mcp: Option<SocketAddr>,
    /// The operator's port.
    pub admin: SocketAddr,
}

/// A gateway that runs. Dropping it without [`Gateway::stop`] cuts every call.
pub struct Gateway {
    ports: Ports,
    pool: Pool,
    /// The accept loops and the operator's port.
    control: Tasks,
    directory: Arc<ArcSwap<Directory>>,
    phase: watch::Sender<Phase>,
    announcements: Announcements,
    drain: Drain,
    reload: Reload,
}

/// What a reload changes.
struct Reload {
    told: Told,
    settings: Arc<ArcSwap<Settings>>,
    effective: Arc<ArcSwap<serde_json::Value>>,
}

/// The sections of the file that a reload changes; the others need a restart.
const RELOADED: [&str; 6] = ["services", "bindings", "migration", "limits", "timeouts", "drain"];

/// The keys of those sections that a reload leaves as they are: clusters keep the connect timeout they were made with, and the
/// first view is over.
const KEPT: [[&str; 2]; 2] = [["timeouts", "connect"], ["timeouts", "first_view"]];

impl Gateway {
    /// Binds every port, then starts. `observer` is offered every access record.
    ///
    /// # Errors
    /// When a port or a thread cannot be had; then nothing is left behind. A registry that is absent is no error.
    pub async fn start(
        prepared: Prepared,
        observer: Option<mpsc::Sender<AccessRecord>>,
    ) -> Result<Self, StartError> {
        let Prepared { config, bindings, .. } = prepared;
        let bound = Bound::open(&config).await?;
        let registrar = announce::registrar(&config).await?;
        let mut ports = bound.ports;
        ports.mcp = match &registrar {
            Some(AnyRegistrar::Mcp(server)) => Some(server.address()),
            _ => None,
        };
        let identity = announce::identity(&config, &ports);
        let directory = Arc::new(ArcSwap::from_pointee(Directory::default()));
        let control = Tasks::new();
        let mut sources = Sources::start(&config, bindings, &identity, &control, directory.clone())?;
        let (access, records) = mpsc::channel(ACCESS_QUEUE);
        let effective = Arc::new(ArcSwap::from_pointee(config.effective()));
        let limits = Arc::new(ArcSwap::from_pointee(settings(&config)));
        let wants_access = config.telemetry.access_log || observer.is_some();
        let shared = Shared {
            directory: directory.clone(),
            settings: limits.clone(),
            identity: Arc::new(Identity {
                installation: config.bridge.installation.as_str().into(),
            }),
            access: wants_access.then_some(access),
        };
        let pool = Pool::start(workers(&config.bridge), shared).map_err(StartError::Workers)?;
        control.spawn(telemetry::write_access_log(
            records,
            config.telemetry.access_log,
            observer,
        ));
        let (phase, seen) = watch::channel(Phase::Starting);
        let announced = Arc::new(ArcSwap::from_pointee(None));
        let facts = Facts {
            directory: directory.clone(),
            config: effective.clone(),
            shards: pool.shards().into(),
            announced: announced.clone(),
            phase: seen,
            becomes: crate::explain::Becomes {
                dubbo2: becomes(&config.listeners.dubbo2),
                triple: becomes(&config.listeners.triple),
            },
            token: config.admin.token.clone(),
        };
        let stop = control.draining().clone();
        control.spawn(async move {
            let served =
                axum::serve(bound.admin, admin::router(facts)).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = served.await {
                tracing::error!(%error, "the operator's port failed");
            }
        });
        // Until then consumers wait in the ports' queues: better than being told that there is no such service.
        sources.first(config.timeouts.first_view.0).await;
        for (listener, wire, becomes) in bound.listeners {
            control.spawn(pool.accept(listener, listener::Config { wire, becomes }));
        }
        let announcements =
            Announcements::start(&config, identity, registrar, &control, sources.changed.clone())?;
        announced.store(Arc::new(Some(Box::new(announcements.report()))));
        phase.send_replace(Phase::Serving);
        tracing::info!(
            dubbo2 = ports.dubbo2.map(tracing::field::display),
            triple = ports.triple.map(tracing::field::display),
            mcp = ports.mcp.map(tracing::field::display),
            admin = %ports.admin,
            "serving"
        );
        Ok(Self {
            ports,
            pool,
            control,
            directory,
            phase,
            announcements,
            drain: config.drain,
            reload: Reload {
                told: sources.told,
                settings: limits,
                effective,
            },
        })
    }

    /// Takes over what a changed file says of services, bindings, stages, limits, timeouts (not `connect` and `first_view`), drain
    /// and the log level. Gives what else changed, which needs a restart: sections, and keys of those that are taken over.
    pub fn reload(&mut self, prepared: Prepared) -> Vec<String> {
        let Prepared { config, bindings, .. } = prepared;
        let stages = match config.migration.checked() {
            Ok(stages) => stages,
            // A prepared configuration was checked.
            Err(_) => return Vec::new(),
        };
        let (old, mut new) = (self.reload.effective.load_full(), config.effective());
        telemetry::set_level(&config.telemetry.level);
        let mut restart = Vec::new();
        if let (Some(old), Some(new)) = (old.as_object(), new.as_object_mut()) {
            for (section, value) in new
                .iter_mut()
                .filter(|(section, _)| !RELOADED.contains(&section.as_str()))
            {
                let was = old.get(section).cloned().unwrap_or_default();
                let mut is = value.clone();
                if section == "telemetry" {
                    is["level"] = was["level"].clone();
                }
                if was != is {
                    restart.push(section.clone());
                    // What is in force is shown, not what the file would like.
                    *value = was;
                }
            }
        }
        for [section, key] in KEPT {
            let (was, is) = (&old[section][key], &mut new[section][key]);
            if was != is {
                restart.push(format!("{section}.{key}"));
                *is = was.clone();
            }
        }
        self.reload.settings.store(Arc::new(settings(&config)));
        self.drain = config.drain;
        if let Some((wanted, port)) = &self.reload.told.wanted {
            wanted.send_replace(Arc::new(facts::wanted(&bindings, *port)));
        }
        self.reload
            .told
            .rules
            .send_replace(Arc::new(facts::Rules { bindings, stages }));
        self.reload.told.services.send_replace(Arc::new(config.services));
        self.reload.effective.store(Arc::new(new));
        restart
    }

    /// The addresses of the open ports.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// What is known now.
    pub fn directory(&self) -> Arc<Directory> {
        self.directory.load_full()
    }

    /// Whether consumers may be sent here.
    pub fn readiness(&self) -> Readiness {
        Readiness::of(*self.phase.borrow(), &self.directory.load())
    }

    /// What the workers count.
    pub fn shards(&self) -> Vec<Arc<Shard>> {
        self.pool.shards()
    }

    /// Ends when a worker has died: its share of the connections is gone, and the process must end with an error.
    pub fn died(&self) -> impl Future<Output = ()> + Send + 'static {
        self.pool.died()
    }

    /// Takes this replica's records out of both registries, in at most the time of the drain's first stage.
    pub async fn withdraw(&mut self) {
        self.announcements.withdraw(self.drain.propagation.0).await;
    }

    /// Drains in two stages and ends. `hurry` skips to the abort.
    pub async fn stop(mut self, hurry: CancellationToken) -> Drained {
        self.phase.send_replace(Phase::Draining);
        // Nobody has heard of a gateway that announces nothing: nobody needs time to hear that it goes.
        if self.announcements.any() {
            let wait = self.drain.propagation.0;
            tracing::info!(wait = ?wait, "draining: not ready, still serving");
            let heard = async { tokio::join!(self.announcements.withdraw(wait), tokio::time::sleep(wait)) };
            let _ = hurry.run_until_cancelled(heard).await;
        }
        tracing::info!(in_flight = self.pool.in_flight(), "draining: ports closed");
        self.pool.drain(false);
        let within = self.drain.deadline.0;
        let idle = async {
            // The pool itself waits for its tasks; here only the operator's impatience is looked for.
            let mut look = tokio::time::interval(std::time::Duration::from_millis(50));
            let end = tokio::time::Instant::now() + within;
            while tokio::time::Instant::now() < end && self.pool.in_flight() > 0 {
                look.tick().await;
            }
        };
        let hurried = hurry.run_until_cancelled(idle).await.is_none();
        let left = if hurried {
            std::time::Duration::ZERO
        } else {
            LAST_WRITES
        };
        let drained = self.pool.finish(left).await;
        self.control.abort();
        self.control.finished().await;
        tracing::info!(cut = drained.cut, "stopped");
        drained
    }
}

/// What keeps the Directory current.
struct Sources {
    changed: watch::Receiver<Arc<Directory>>,
    /// The services of the file, their names resolved: they belong to the first view.
    file: watch::Receiver<Option<Arc<file::Facts>>>,
    told: Told,
}

/// Through which a reload speaks to the sources and the merge.
struct Told {
    rules: watch::Sender<Arc<facts::Rules>>,
    services: watch::Sender<Arc<Vec<file::Service>>>,
    /// Hosts that the bindings name, and the mesh's usual port; `None` without a mesh.
    wanted: Option<(watch::Sender<Arc<BTreeSet<HostPort>>>, u16)>,
}

impl Sources {
    /// Runs the sources and the merge.
    fn start(
        config: &Checked,
        bindings: Bindings,
        identity: &registries::publish::Identity,
        control: &Tasks,
        directory: Arc<ArcSwap<Directory>>,
    ) -> Result<Self, StartError> {
        let rules = Arc::new(facts::Rules {
            bindings,
            stages: config
                .migration
                .checked()
                .map_err(|error| StartError::Config(error.into()))?,
        });
        let (legacy_view, legacy) = watch::channel(facts::unheard_legacy(config.legacy.is_some()));
        if let Some(section) = &config.legacy {
            let registry = section
                .checked()
                .map_err(|error| StartError::Config(error.into()))?;
            control.spawn(zookeeper::Source::new(registry).run(legacy_view));
        }
        let mut options = Options {
            connect_timeout: config.timeouts.connect.0,
            // What is found at our own addresses is no native.
            bridges: identity.legacy.into_iter().chain(identity.mesh).collect(),
            ..Options::default()
        };
        let mut wanted = None;
        let (mesh_view, mesh) = watch::channel(facts::unheard_mesh(config.mesh.is_some()));
        if let Some(section) = &config.mesh {
            let istiod = section.checked(&config.bridge.replica);
            options.mesh_port = section.istiod.value.service_port;
            if let Some(suffix) = istiod.suffixes.first() {
                options.host_suffix = suffix.as_str().into();
            }
            let named = Arc::new(facts::wanted(&rules.bindings, options.mesh_port));
            let (asked, asks) = watch::channel(named);
            wanted = Some((asked, options.mesh_port));
            control.spawn(AdsClient::new(istiod).run(asks, mesh_view));
        }
        let (services, named) = watch::channel(Arc::new(config.services.clone()));
        let (resolved, file) = watch::channel(None);
        control.spawn(facts::follow_file(named, resolved));
        let (changes, mut changed) = watch::channel(directory.load_full());
        changed.mark_unchanged();
        let (told, rules) = watch::channel(rules);
        let inputs = facts::Inputs {
            legacy,
            mesh,
            rules,
            file: file.clone(),
        };
        control.spawn(facts::merge(inputs, options, directory, changes));
        Ok(Self {
            changed,
            file,
            told: Told {
                rules: told,
                services,
                wanted,
            },
        })
    }

    /// Waits until every source was complete once, at most `within`; says in the log what is missing then.
    async fn first(&mut self, within: std::time::Duration) {
        let complete = |directory: &Arc<Directory>| {
            let heard = |island| {
                let source = directory.source(island);
                !source.configured || source.synced
            };
            directory.generation > 0 && heard(Island::Legacy) && heard(Island::Mesh)
        };
        let merged = async {
            let file = self.file.wait_for(Option::is_some).await;
            let facts = file.ok().and_then(|facts| facts.clone());
            let covers = |directory: &Arc<Directory>| {
                facts.as_ref().is_none_or(|facts| facts::covers(directory, facts)) && complete(directory)
            };
            let _ = self.changed.wait_for(covers).await;
        };
        if tokio::time::timeout(within, merged).await.is_err() {
            let directory = self.changed.borrow();
            if self.file.borrow().is_none() {
                tracing::warn!("serving without the services of the file: their names are not resolved yet");
            }
            for island in [Island::Legacy, Island::Mesh] {
                let source = directory.source(island);
                if source.configured && !source.synced {
                    let error = source.error.as_deref().unwrap_or("no answer yet");
                    tracing::warn!(
                        island = island.as_str(),
                        error,
                        "serving without a registry; still trying"
                    );
                }
            }
        }
    }
}

/// How long connections without a call in flight have to write their last answers and their goodbye.
const LAST_WRITES: std::time::Duration = std::time::Duration::from_secs(1);

/// Every port, open.
struct Bound {
    ports: Ports,
    admin: TcpListener,
    listeners: Vec<(TcpListener, Wire, Option<Encoding>)>,
}

impl Bound {
    async fn open(config: &Checked) -> Result<Self, StartError> {
        let mut listeners = Vec::new();
        let mut addresses = [None, None];
        let wires = [
            (&config.listeners.dubbo2, Wire::Dubbo2, "Dubbo2 consumers"),
            (&config.listeners.triple, Wire::Triple, "Triple consumers"),
        ];
        for ((configured, wire, what), port) in wires.into_iter().zip(&mut addresses) {
            let Some(listener) = configured else { continue };
            let (socket, address) = bind(listener.bind.value.0, what).await?;
            *port = Some(address);
            listeners.push((socket, wire, becomes(configured)));
        }
        let (admin, address) = bind(config.admin.bind.value.0, "the operator").await?;
        let [dubbo2, triple] = addresses;
        Ok(Self {
            ports: Ports {
                dubbo2,
                triple,
                mcp: None,
                admin: address,
            },
            admin,
            listeners,
        })
    }
}

async fn bind(address: SocketAddr, what: &'static str) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Bind {
        what,
        address,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// What a listener makes of its calls; `None` to decide by service and method.
fn becomes(listener: &Option<Listener>) -> Option<Encoding> {
    let becomes = listener.as_ref()?.becomes.as_ref()?;
    Some(match becomes.value {
        Becomes::Dubbo2 => Encoding::Hessian2,
        Becomes::Wrapper => Encoding::Wrapper,
        Becomes::Protobuf => Encoding::Protobuf,
    })
}

fn workers(config: &Config) -> usize {
    config
        .workers
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get)
}

/// The file's limits and timeouts as the workers take them.
fn settings(config: &Checked) -> Settings {
    Settings {
        limits: config.limits.checked(),
        timeouts: config.timeouts.checked(),
    }
}
