//! Our own marked provider nodes, made equal to a desired set.
//!
//! Fenced: a node is created only where none is, and deleted only after its owner was read: this session, or an earlier one of
//! this very replica (its marks say so). Whatever anybody else wrote is left alone and reported. A replacement is created
//! before what it replaces is deleted. Nodes are ephemeral: a crash takes them away with the session.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use codecs::provider_url::ProviderUrl;
use futures_util::{StreamExt, stream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, info, warn};
use zookeeper_client::{Acls, SessionState};

mod hand;

use self::hand::{Created, Hand, Rate, delete_if_own};
use super::config::{Config, WatchMode};
use super::session::{self, Backoff, Session};
use super::{Error, paths};
use crate::publish::LegacyRecords;

/// Creates and deletes between two looks at what is desired.
const CHUNK: usize = 64;
/// Earlier sessions that are remembered, for the log.
const MOST_EARLIER: usize = 8;
/// Conflicts that are shown.
const MOST_CONFLICTS: usize = 100;

/// Who we are: the marks by which a node of an earlier session is known as ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The installation, `landbridge.owner`.
    pub installation: String,
    /// The replica, `landbridge.replica`; unique in the installation.
    pub replica: String,
}

impl Identity {
    fn wrote(&self, url: &ProviderUrl) -> bool {
        url.marks()
            .is_some_and(|marks| marks.owner == self.installation && marks.replica == self.replica)
    }
}

/// How publishing is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct PublishState {
    /// There is a session now.
    pub connected: bool,
    /// Nodes desired.
    pub desired: usize,
    /// Nodes that are there, by this session.
    pub owned: usize,
    /// What is there is what is desired, conflicts apart.
    pub settled: bool,
    /// Paths that somebody else owns, and who; at most 100.
    pub conflicts: BTreeMap<String, String>,
    /// Why it is not connected or not settled.
    pub error: Option<String>,
}

/// What a withdrawal did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Withdrawn {
    /// Nodes deleted.
    pub removed: usize,
    /// Nodes that could not be deleted; they go when the session times out.
    pub left: usize,
}

/// The owner of our nodes in one registry.
pub struct Publisher {
    config: Config,
    identity: Identity,
    withdrawals: mpsc::Receiver<oneshot::Sender<Withdrawn>>,
    state: watch::Sender<PublishState>,
    life: Arc<AtomicU8>,
}

/// Asks a [`Publisher`] to delete its nodes and end; for the drain.
#[derive(Debug, Clone)]
pub struct Withdraw {
    ask: mpsc::Sender<oneshot::Sender<Withdrawn>>,
    life: Arc<AtomicU8>,
}

/// The life of a publisher: a withdrawal before it runs keeps it from running, and has nothing to wait for.
const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const WITHDRAWN: u8 = 2;

fn moves(life: &AtomicU8, to: u8) -> bool {
    life.compare_exchange(IDLE, to, Ordering::AcqRel, Ordering::Acquire)
        .is_ok()
}

impl Withdraw {
    /// Deletes all our nodes, before their listeners close. Done when the servers have answered, or cannot be reached; the
    /// publisher's `run` then returns.
    pub async fn withdraw(&self) -> Withdrawn {
        if moves(&self.life, WITHDRAWN) {
            return Withdrawn::default();
        }
        let (done, answer) = oneshot::channel();
        if self.ask.send(done).await.is_err() {
            return Withdrawn::default();
        }
        answer.await.unwrap_or_default()
    }
}

impl Publisher {
    /// A publisher, what withdraws it, and how it is doing.
    pub fn new(config: Config, identity: Identity) -> (Self, Withdraw, watch::Receiver<PublishState>) {
        let (ask, withdrawals) = mpsc::channel(1);
        let (state, states) = watch::channel(PublishState::default());
        let life = Arc::new(AtomicU8::new(IDLE));
        let withdraw = Withdraw {
            ask,
            life: life.clone(),
        };
        let publisher = Self {
            config,
            identity,
            withdrawals,
            state,
            life,
        };
        (publisher, withdraw, states)
    }

    /// Keeps our nodes equal to `desired` until withdrawn or dropped. Has a session of its own, with a shorter timeout than
    /// the source's.
    ///
    /// What is not desired is deleted at once: hand in nothing before every source has synced.
    pub async fn run(mut self, mut desired: watch::Receiver<Arc<LegacyRecords>>) {
        if !moves(&self.life, RUNNING) {
            return;
        }
        let config = self.config.clone();
        let mut backoff = Backoff::for_session(config.publish_session_timeout);
        let rate = Arc::new(Rate::new(config.publish_rate));
        let identity = Arc::new(self.identity.clone());
        let mut earlier = Vec::new();
        loop {
            let connected = tokio::select! {
                connected = connect(&config) => connected,
                Some(done) = self.withdrawals.recv() => return answer(done, Withdrawn::default()),
            };
            let error = match connected {
                Ok((session, acls)) => {
                    backoff.reset();
                    let mut owner = Owner {
                        hand: Hand {
                            session,
                            acls,
                            identity: identity.clone(),
                            earlier: earlier.as_slice().into(),
                            rate: rate.clone(),
                        },
                        root: config.root.clone(),
                        in_flight: config.in_flight,
                        verify: config.verify,
                        owned: BTreeSet::new(),
                        swept: BTreeSet::new(),
                        taken: BTreeSet::new(),
                        conflicts: BTreeMap::new(),
                    };
                    let ended = owner.own(&mut desired, &mut self.withdrawals, &self.state).await;
                    let id = owner.hand.session.id();
                    match ended {
                        End::Withdrawn(done) => {
                            let withdrawn = owner.withdraw(config.request_timeout).await;
                            info!(
                                removed = withdrawn.removed,
                                left = withdrawn.left,
                                "withdrew from the legacy registry"
                            );
                            self.state.send_replace(PublishState::default());
                            drop(owner);
                            return answer(done, withdrawn);
                        }
                        End::Dropped => return,
                        End::Lost(error) => {
                            earlier.push(id);
                            if earlier.len() > MOST_EARLIER {
                                earlier.remove(0);
                            }
                            error
                        }
                    }
                }
                Err(error) => error,
            };
            warn!(
                error = error.chain(),
                "publishing to the legacy registry interrupted"
            );
            self.state.send_modify(|state| {
                state.connected = false;
                state.settled = false;
                state.owned = 0;
                state.error = Some(error.chain());
            });
            tokio::select! {
                () = sleep(backoff.step()) => {}
                Some(done) = self.withdrawals.recv() => return answer(done, Withdrawn::default()),
            }
        }
    }
}

async fn connect(config: &Config) -> Result<(Session, Acls<'static>), Error> {
    let version = match config.watch {
        WatchMode::Auto => session::server_version(config).await,
        WatchMode::Recursive => None,
        WatchMode::OneShot => Some((3, 4)),
    };
    let session = Session::connect(config, config.publish_session_timeout, version).await?;
    let acls = session::acls(&session, config).await?;
    Ok((session, acls))
}

fn answer(done: oneshot::Sender<Withdrawn>, withdrawn: Withdrawn) {
    // Who asked may have gone.
    let _ = done.send(withdrawn);
}

/// Why an owner ends.
enum End {
    Withdrawn(oneshot::Sender<Withdrawn>),
    /// Nobody hands in what is desired any more.
    Dropped,
    Lost(Error),
}

/// What one session owns.
struct Owner {
    hand: Hand,
    root: String,
    in_flight: usize,
    verify: Duration,
    owned: BTreeSet<String>,
    /// Directories that were searched for nodes of our predecessors.
    swept: BTreeSet<String>,
    /// Nodes that were taken over from another session; not a second time, as that would be a fight.
    taken: BTreeSet<String>,
    conflicts: BTreeMap<String, String>,
}

impl Owner {
    async fn own(
        &mut self,
        desired: &mut watch::Receiver<Arc<LegacyRecords>>,
        withdrawals: &mut mpsc::Receiver<oneshot::Sender<Withdrawn>>,
        state: &watch::Sender<PublishState>,
    ) -> End {
        let mut states = self.hand.session.states();
        let mut verify_at = Instant::now() + self.verify;
        let mut retry = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
        loop {
            if let Ok(done) = withdrawals.try_recv() {
                return End::Withdrawn(done);
            }
            if self.hand.session.is_over() {
                return End::Lost(Error::Over(states.state()));
            }
            let wanted = desired.borrow_and_update().clone();
            let result = self.step(&wanted).await;
            let more = matches!(result, Ok(true));
            let error = result.err();
            state.send_replace(PublishState {
                connected: self.hand.session.is_connected(),
                desired: wanted.providers.len(),
                owned: self.owned.len(),
                settled: error.is_none() && !more,
                conflicts: self.shown_conflicts(),
                error: error.as_ref().map(Error::chain),
            });
            if more {
                continue;
            }
            let mut wake_at = verify_at;
            if let Some(error) = error {
                debug!(error = error.chain(), "a step of publishing failed");
                wake_at = wake_at.min(Instant::now() + retry.step());
            } else {
                retry.reset();
            }
            let verify = tokio::select! {
                changed = desired.changed() => match changed {
                    Ok(()) => false,
                    Err(_) => return End::Dropped,
                },
                now = states.changed() => match now {
                    SessionState::SyncConnected => true,
                    SessionState::Disconnected | SessionState::ConnectedReadOnly => {
                        state.send_modify(|state| {
                            state.connected = false;
                            state.error = Some("disconnected".to_owned());
                        });
                        false
                    }
                    over => return End::Lost(Error::Over(over)),
                },
                Some(done) = withdrawals.recv() => return End::Withdrawn(done),
                () = sleep_until(wake_at) => wake_at == verify_at,
            };
            if verify {
                verify_at = Instant::now() + self.verify;
                if let Err(error) = self.verify().await {
                    debug!(error = error.chain(), "comparing our nodes failed");
                    verify_at = Instant::now() + retry.step();
                }
            }
        }
    }

    /// Reads what this session owns, and forgets conflicts, so that both are looked at again.
    async fn verify(&mut self) -> Result<(), Error> {
        self.conflicts.clear();
        match self.hand.session.own_nodes(&self.root).await {
            Ok(Some(nodes)) => {
                let below = format!("{}/", self.root);
                self.owned = nodes
                    .into_iter()
                    .filter(|path| path.starts_with(&below))
                    .collect();
            }
            Ok(None) => {
                for path in self.owned.clone() {
                    if !self.is_ours(&path).await? {
                        self.owned.remove(&path);
                    }
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn shown_conflicts(&self) -> BTreeMap<String, String> {
        let shown = self.conflicts.iter().take(MOST_CONFLICTS);
        shown.map(|(path, why)| (path.clone(), why.clone())).collect()
    }

    async fn is_ours(&self, path: &str) -> Result<bool, Error> {
        Ok(self
            .hand
            .session
            .stat(path)
            .await?
            .is_some_and(|stat| stat.ephemeral_owner == self.hand.session.id()))
    }

    /// One bounded step towards what is desired; `true` where there is more to do.
    async fn step(&mut self, desired: &LegacyRecords) -> Result<bool, Error> {
        self.conflicts
            .retain(|path, _| desired.providers.contains_key(path));
        let mut missing = Vec::new();
        let mut incomplete = BTreeSet::new();
        let mut more = false;
        for (path, url) in &desired.providers {
            if self.owned.contains(path) || self.conflicts.contains_key(path) {
                continue;
            }
            incomplete.extend(paths::split(path).map(|(directory, _)| directory.to_owned()));
            if missing.len() == CHUNK {
                more = true;
            } else {
                missing.push((path.clone(), url.clone()));
            }
        }
        // What is replaced is deleted in a later step, when all of its directory is there.
        let mut excess = Vec::new();
        for path in self
            .owned
            .iter()
            .filter(|path| !desired.providers.contains_key(*path))
        {
            let waits = paths::split(path).is_some_and(|(directory, _)| incomplete.contains(directory));
            if waits || excess.len() == CHUNK {
                more = true;
            } else {
                excess.push(path.clone());
            }
        }
        // A failure of one does not hold the other back.
        let created = self.create_and_sweep(desired, missing).await;
        let deleted = self.delete_all(excess).await;
        created.and(deleted).map(|()| more)
    }

    async fn create_and_sweep(
        &mut self,
        desired: &LegacyRecords,
        missing: Vec<(String, ProviderUrl)>,
    ) -> Result<(), Error> {
        let directories: BTreeSet<String> = missing
            .iter()
            .filter_map(|(path, _)| Some(paths::split(path)?.0.to_owned()))
            .collect();
        self.create_all(missing).await?;
        self.sweep(desired, directories).await
    }

    async fn delete_all(&mut self, excess: Vec<String>) -> Result<(), Error> {
        let deletes = stream::iter(excess).map(|path| {
            let hand = self.hand.clone();
            async move {
                let result = hand.delete_own(&path).await;
                (path, result)
            }
        });
        let results: Vec<_> = deletes.buffer_unordered(self.in_flight).collect().await;
        let mut failed = Ok(());
        for (path, result) in results {
            match result {
                Ok(()) => _ = self.owned.remove(&path),
                Err(error) => failed = Err(error),
            }
        }
        failed
    }

    async fn create_all(&mut self, missing: Vec<(String, ProviderUrl)>) -> Result<(), Error> {
        let creates = stream::iter(missing).map(|(path, url)| {
            let hand = self.hand.clone();
            let may_take = !self.taken.contains(&path);
            async move {
                let result = hand.create(&path, &url, may_take).await;
                (path, result)
            }
        });
        let results: Vec<_> = creates.buffer_unordered(self.in_flight).collect().await;
        let mut failed = Ok(());
        for (path, result) in results {
            match result {
                Ok(Created::Ours) => _ = self.owned.insert(path),
                Ok(Created::TakenOver) => {
                    self.taken.insert(path.clone());
                    self.owned.insert(path);
                }
                Ok(Created::Conflict(why)) => {
                    warn!(path, why, "a provider node cannot be ours");
                    self.conflicts.insert(path, why);
                }
                // The server's answer to this node is no reason to hold the others back.
                Err(error) if error.is_answer() => {
                    warn!(path, error = error.chain(), "a provider node is refused");
                    self.conflicts.insert(path, error.chain());
                }
                Err(error) => failed = Err(error),
            }
        }
        failed
    }

    /// Deletes what a predecessor with our marks left beside the nodes just created.
    async fn sweep(&mut self, desired: &LegacyRecords, directories: BTreeSet<String>) -> Result<(), Error> {
        for directory in directories {
            if self.swept.contains(&directory) {
                continue;
            }
            for name in self.hand.session.children(&directory).await?.unwrap_or_default() {
                let path = format!("{directory}/{name}");
                let ours = ProviderUrl::from_znode(&name).is_ok_and(|url| self.hand.identity.wrote(&url));
                if !ours || desired.providers.contains_key(&path) || self.owned.contains(&path) {
                    continue;
                }
                match self.hand.session.stat(&path).await? {
                    Some(stat) if stat.ephemeral_owner == self.hand.session.id() => {
                        _ = self.owned.insert(path)
                    }
                    Some(stat) if stat.ephemeral_owner != 0 => {
                        info!(
                            path,
                            owner = stat.ephemeral_owner,
                            "deleting a node of our predecessor"
                        );
                        self.hand.session.delete(&path, stat.version).await?;
                    }
                    _ => {}
                }
            }
            self.swept.insert(directory);
        }
        Ok(())
    }

    /// Deletes all, as fast as the servers take it; gives up when they cannot be reached.
    async fn withdraw(&mut self, most: Duration) -> Withdrawn {
        let mut states = self.hand.session.states();
        let connected = async {
            while !self.hand.session.is_connected() {
                states.changed().await;
            }
        };
        if timeout(most, connected).await.is_err() {
            return Withdrawn {
                removed: 0,
                left: self.owned.len(),
            };
        }
        if let Ok(Some(nodes)) = self.hand.session.own_nodes(&self.root).await {
            self.owned.extend(nodes);
        }
        let mut removed = 0;
        let deletes = stream::iter(self.owned.clone()).map(|path| {
            let session = self.hand.session.clone();
            async move { delete_if_own(&session, &path).await.is_ok() }
        });
        let mut deletes = std::pin::pin!(deletes.buffer_unordered(self.in_flight));
        let all = async {
            while let Some(done) = deletes.next().await {
                removed += usize::from(done);
            }
        };
        // Each request has its own limit; this one is for servers that answer, but not in time for all.
        let _ = timeout(most * 3, all).await;
        Withdrawn {
            removed,
            left: self.owned.len() - removed,
        }
    }
}
