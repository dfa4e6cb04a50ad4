//! The registry's interfaces as a [`LegacyView`], kept current.
//!
//! ```text
//! session ─ state ─► connected again? ──► set the watch anew, read all ──┐
//! watch   ─ path  ─► touched interface ─► gather ─► read that one ───────┼─► one view, sent whole
//! ```
//!
//! A view is complete or not sent: a full read replaces all interfaces in one step, and a failed one leaves the last view,
//! marked as not connected. Watches are set before what they guard is read, so a change shows in one of the two.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, FuturesUnordered, SelectAll};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};
use zookeeper_client::{EventType, OneshotWatcher, PersistentWatcher, SessionState, WatchedEvent};

use super::Error;
mod keeper;

use self::keeper::{Full, Keeper, Read};
use super::config::{Config, WatchMode};
use super::paths::{self, Place};
use super::session::{self, Backoff, Session};
use crate::legacy_view::LegacyView;

/// The source of one registry's facts.
pub struct Source {
    config: Config,
}

impl Source {
    /// A source that reads one registry.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Follows the registry into `view` until it is dropped; never returns.
    ///
    /// Connects with back-off, survives cuts and expired sessions, and keeps the last view while it cannot read:
    /// [`SourceState`](crate::directory::SourceState) says so, since when and why.
    pub async fn run(self, view: watch::Sender<Arc<LegacyView>>) {
        let mut keeper = Keeper::new(self.config, view);
        let mut backoff = Backoff::for_session(keeper.config.session_timeout);
        loop {
            let error = match keeper.connect().await {
                Ok(follower) => follower.follow(&mut keeper, &mut backoff).await,
                Err(error) => error,
            };
            warn!(
                error = error.chain(),
                connect = keeper.config.connect,
                "legacy registry lost"
            );
            keeper.lost(error.chain());
            tokio::time::sleep(backoff.step()).await;
        }
    }
}

impl Keeper {
    async fn connect(&self) -> Result<Follower, Error> {
        let version = match self.config.watch {
            WatchMode::Auto if self.old_server => Some((3, 4)),
            WatchMode::Auto => session::server_version(&self.config).await,
            WatchMode::Recursive => None,
            WatchMode::OneShot => Some((3, 4)),
        };
        let recursive = version.is_none_or(|version| version >= (3, 6));
        let session = Session::connect(&self.config, self.config.session_timeout, version).await?;
        info!(
            connect = self.config.connect,
            session = session.id(),
            recursive,
            "legacy registry connected"
        );
        let mut follower = Follower {
            root: self.config.root.as_str().into(),
            version,
            shards: Vec::new(),
            states: SelectAll::new(),
            tree: None,
            recursive,
            one_shots: OneShots::default(),
            dirty: HashSet::new(),
            root_dirty: false,
            reading: HashSet::new(),
            reads: FuturesUnordered::new(),
            due: None,
            full: None,
        };
        follower.add_shard(session);
        Ok(follower)
    }
}

/// One session with its watch, or several with their one-shot watches, and the reads they cause.
struct Follower {
    root: Arc<str>,
    version: Option<session::Version>,
    shards: Vec<Session>,
    states: SelectAll<BoxStream<'static, SessionState>>,
    tree: Option<BoxStream<'static, WatchedEvent>>,
    recursive: bool,
    one_shots: OneShots,
    /// Touched, and not being read for it.
    dirty: HashSet<Arc<str>>,
    /// The root's children changed.
    root_dirty: bool,
    /// Being read one by one.
    reading: HashSet<Arc<str>>,
    reads: FuturesUnordered<BoxFuture<'static, OneRead>>,
    /// When what is dirty is read.
    due: Option<Instant>,
    full: Option<BoxFuture<'static, Result<Full, Error>>>,
}

type OneRead = (Arc<str>, Result<(Read, Vec<(String, OneshotWatcher)>), Error>);

/// The one-shot watches of a registry, for servers without recursive ones.
#[derive(Default)]
struct OneShots {
    armed: HashSet<String>,
    /// Which session watches an interface, so that its events and reads keep their order.
    shard_of: HashMap<Arc<str>, usize>,
    /// Paths and their bytes, by session.
    load: Vec<(usize, usize)>,
    fired: FuturesUnordered<BoxFuture<'static, (String, WatchedEvent)>>,
}

impl Follower {
    fn add_shard(&mut self, session: Session) {
        let states = stream::unfold(session.states(), |mut states| async move {
            // Pending for ever after a terminal state, which is seen before.
            let state = states.changed().await;
            Some((state, states))
        });
        self.states.push(states.boxed());
        self.shards.push(session);
        self.one_shots.load.push((0, 0));
    }

    /// Follows until the session is over; gives the reason.
    async fn follow(mut self, keeper: &mut Keeper, backoff: &mut Backoff) -> Error {
        let mut retry = Backoff::for_session(keeper.config.session_timeout);
        let mut retry_at = Some(Instant::now());
        loop {
            if retry_at.is_some_and(|at| at <= Instant::now()) && self.full.is_none() {
                retry_at = None;
                match self.start_full(keeper).await {
                    Ok(full) => self.full = Some(full),
                    Err(error) => return error,
                }
            }
            if let Some(over) = self.shards.iter().find(|shard| shard.is_over()) {
                return Error::Over(over.states().state());
            }
            tokio::select! {
                biased;
                Some(state) = self.states.next() => match state {
                    SessionState::SyncConnected => {
                        debug!("legacy registry connected again");
                        // What was being read may have failed with the cut, and the watch is gone.
                        self.full = None;
                        self.reads.clear();
                        self.reading.clear();
                        retry_at = Some(Instant::now());
                    }
                    SessionState::Disconnected | SessionState::ConnectedReadOnly => {
                        keeper.lost("disconnected".to_owned());
                    }
                    over => return Error::Over(over),
                },
                Some(event) = next_event(&mut self.tree) => self.touched(&event, keeper),
                Some((path, event)) = self.one_shots.fired.next(), if !self.one_shots.fired.is_empty() => {
                    if event.event_type != EventType::Session {
                        self.one_shots.armed.remove(&path);
                        self.touched_path(&path, keeper);
                    }
                }
                result = poll_full(&mut self.full) => {
                    self.full = None;
                    match result {
                        Ok(full) => {
                            keeper.replace(&full);
                            self.adopt(full, keeper);
                            retry.reset();
                            backoff.reset();
                        }
                        Err(error) if error.is(&zookeeper_client::Error::Unimplemented) && self.version.is_none() => {
                            keeper.old_server = true;
                            return error;
                        }
                        Err(error) => {
                            warn!(error = error.chain(), "reading the legacy registry failed");
                            keeper.lost(error.chain());
                            retry_at = Some(Instant::now() + retry.step());
                        }
                    }
                }
                Some(read) = self.reads.next(), if !self.reads.is_empty() => self.take(read, keeper),
                () = sleep_until(self.due.unwrap_or_else(Instant::now)), if self.due.is_some() && self.full.is_none() => {
                    self.due = None;
                    if std::mem::take(&mut self.root_dirty) && !self.find_new(keeper).await {
                        retry_at = Some(Instant::now());
                    } else if let Err(error) = self.start_reads(keeper).await {
                        return error;
                    }
                }
                () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() && self.full.is_none() => {}
            }
        }
    }

    fn touched(&mut self, event: &WatchedEvent, keeper: &Keeper) {
        // The session's states come by `states`; data of directories and leaves is noise.
        if matches!(event.event_type, EventType::NodeCreated | EventType::NodeDeleted) {
            self.touched_path(&event.path, keeper);
        }
    }

    fn touched_path(&mut self, path: &str, keeper: &Keeper) {
        match paths::place(&self.root, path) {
            Place::Root => self.root_dirty = true,
            Place::Interface(name) if keeper.config.interfaces.contains(name) => {
                if !self.dirty.contains(name) {
                    self.dirty.insert(name.into());
                }
            }
            Place::Interface(_) | Place::Other => return,
        }
        self.due
            .get_or_insert_with(|| Instant::now() + keeper.config.coalesce);
    }

    /// Takes over the watches of a full read.
    fn adopt(&mut self, full: Full, keeper: &Keeper) {
        if let Some(watcher) = full.tree {
            // The new watcher replaces the old one only now: the library takes the server's watch away with the last.
            self.tree = Some(events(watcher));
        }
        self.adopt_one_shots(full.one_shots);
        if full.interfaces.is_none() {
            self.dirty.clear();
        }
        if !self.dirty.is_empty() {
            self.due
                .get_or_insert_with(|| Instant::now() + keeper.config.coalesce);
        }
    }

    fn adopt_one_shots(&mut self, watchers: Vec<(String, OneshotWatcher)>) {
        for (path, watcher) in watchers {
            if self.one_shots.armed.insert(path.clone()) {
                self.one_shots
                    .fired
                    .push(watcher.changed().map(|event| (path, event)).boxed());
            }
        }
    }

    /// The root's children changed: marks the new ones as touched. `false` where everything has to be read instead. (Those
    /// that vanished are noticed by the watches on their categories.)
    async fn find_new(&mut self, keeper: &Keeper) -> bool {
        if self.recursive || keeper.current.state.error.is_some() {
            return false;
        }
        match self.shards[0].watch_children(&self.root).await {
            Ok((Some(names), watcher)) => {
                self.adopt_one_shots(vec![(self.root.to_string(), watcher)]);
                let wanted =
                    |name: &str| paths::is_interface(name) && keeper.config.interfaces.contains(name);
                let is_new = |name: &str| !self.one_shots.shard_of.contains_key(name);
                let new: Vec<Arc<str>> = names
                    .iter()
                    .filter(|name| wanted(name) && is_new(name))
                    .map(|name| name.as_str().into())
                    .collect();
                self.dirty.extend(new);
                true
            }
            _ => false,
        }
    }

    /// Reads the touched interfaces that are not being read already.
    async fn start_reads(&mut self, keeper: &Keeper) -> Result<(), Error> {
        let start: Vec<Arc<str>> = self
            .dirty
            .extract_if(|name| !self.reading.contains(name))
            .collect();
        for name in start {
            let reader = self.reader(&name, keeper).await?;
            self.reading.insert(name.clone());
            self.reads
                .push(async move { (name.clone(), reader.read(&name).await) }.boxed());
        }
        Ok(())
    }

    /// Takes a read of one interface, and those that are ready with it.
    fn take(&mut self, read: OneRead, keeper: &mut Keeper) {
        let mut next = Some(read);
        while let Some((name, result)) = next {
            self.reading.remove(&name);
            match result {
                Ok((read, watchers)) => {
                    keeper.set(&name, &read);
                    self.adopt_one_shots(watchers);
                }
                Err(error) => {
                    // After a cut the full read covers it; without one it is read again, later.
                    debug!(
                        error = error.chain(),
                        interface = &*name,
                        "reading an interface failed"
                    );
                    self.dirty.insert(name);
                }
            }
            next = self.reads.next().now_or_never().flatten();
        }
        if !self.dirty.is_empty() {
            let wait = keeper.config.coalesce.max(Duration::from_millis(100));
            self.due.get_or_insert_with(|| Instant::now() + wait);
        }
        if keeper.current.state.connected {
            keeper.current.state.as_of = Some(SystemTime::now());
        }
        keeper.send();
    }

    /// What reads one interface: its session, and which of its watches to set.
    async fn reader(&mut self, name: &Arc<str>, keeper: &Keeper) -> Result<Reader, Error> {
        let path = |category| paths::category(&self.root, name, category);
        let (providers, configurators) = (path(paths::PROVIDERS), path(paths::CONFIGURATORS));
        if self.recursive {
            return Ok(Reader {
                session: self.shards[0].clone(),
                providers: (providers, false),
                configurators: (configurators, false),
            });
        }
        let shard = match self.one_shots.shard_of.get(name) {
            Some(shard) => *shard,
            None => {
                let bytes = providers.len() + configurators.len();
                let has_room = |(paths, used): &(usize, usize)| Session::fits(paths + 2, used + bytes);
                let shard = match self.one_shots.load.iter().position(has_room) {
                    Some(shard) => shard,
                    None => {
                        let config = &keeper.config;
                        let session = Session::connect(config, config.session_timeout, self.version).await?;
                        self.add_shard(session);
                        self.shards.len() - 1
                    }
                };
                let load = &mut self.one_shots.load[shard];
                *load = (load.0 + 2, load.1 + bytes);
                self.one_shots.shard_of.insert(name.clone(), shard);
                shard
            }
        };
        let unarmed = |path: String| {
            let watch = !self.one_shots.armed.contains(&path);
            (path, watch)
        };
        Ok(Reader {
            session: self.shards[shard].clone(),
            providers: unarmed(providers),
            configurators: unarmed(configurators),
        })
    }

    /// A read of everything, with the watch set anew before it.
    async fn start_full(
        &mut self,
        keeper: &Keeper,
    ) -> Result<BoxFuture<'static, Result<Full, Error>>, Error> {
        let session = self.shards[0].clone();
        let in_flight = keeper.config.in_flight;
        let interfaces = keeper.config.interfaces.clone();
        let root = self.root.clone();
        let wanted = move |names: Vec<String>| -> Vec<Arc<str>> {
            names
                .into_iter()
                .filter(|name| paths::is_interface(name) && interfaces.contains(name))
                .map(Arc::from)
                .collect()
        };
        if self.recursive {
            return Ok(async move {
                session.sync(&root).await?;
                let tree = Some(session.watch_tree(&root).await?);
                let Some(names) = session.children(&root).await? else {
                    return Ok(Full {
                        interfaces: None,
                        tree,
                        one_shots: Vec::new(),
                    });
                };
                let reads = stream::iter(wanted(names)).map(|name| {
                    let reader = Reader::unwatched(&session, &root, &name);
                    async move { Ok::<_, Error>((name.clone(), reader.read(&name).await?.0)) }
                });
                let interfaces = Some(reads.buffer_unordered(in_flight).try_collect().await?);
                Ok(Full {
                    interfaces,
                    tree,
                    one_shots: Vec::new(),
                })
            }
            .boxed());
        }
        // One-shot watches: the names come first, as they decide how many sessions there are.
        let watch_root = !self.one_shots.armed.contains(&*self.root);
        for shard in &self.shards {
            match shard.sync(&self.root).await {
                Err(error) if shard.is_over() => return Err(error),
                Err(error) => return Ok(async move { Err(error) }.boxed()),
                Ok(()) => {}
            }
        }
        let mut one_shots = Vec::new();
        let names = if watch_root {
            match session.watch_children(&self.root).await {
                Ok((names, watcher)) => {
                    one_shots.push((self.root.to_string(), watcher));
                    Ok(names)
                }
                Err(error) => Err(error),
            }
        } else {
            session.children(&self.root).await
        };
        let names = match names {
            Ok(Some(names)) => wanted(names),
            Ok(None) => {
                let full = Full {
                    interfaces: None,
                    tree: None,
                    one_shots,
                };
                return Ok(async move { Ok(full) }.boxed());
            }
            Err(error) => return Ok(async move { Err(error) }.boxed()),
        };
        let mut readers = Vec::with_capacity(names.len());
        for name in names {
            let reader = self.reader(&name, keeper).await?;
            readers.push((name, reader));
        }
        Ok(async move {
            let reads = stream::iter(readers).map(|(name, reader)| async move {
                Ok::<_, Error>((name.clone(), reader.read(&name).await?))
            });
            let mut reads = reads.buffer_unordered(in_flight);
            let mut interfaces = Vec::new();
            while let Some((name, (read, watchers))) = reads.try_next().await? {
                interfaces.push((name, read));
                one_shots.extend(watchers);
            }
            Ok(Full {
                interfaces: Some(interfaces),
                tree: None,
                one_shots,
            })
        }
        .boxed())
    }
}

/// Reads one interface.
struct Reader {
    session: Session,
    providers: (String, bool),
    configurators: (String, bool),
}

impl Reader {
    fn unwatched(session: &Session, root: &str, name: &str) -> Self {
        Self {
            session: session.clone(),
            providers: (paths::category(root, name, paths::PROVIDERS), false),
            configurators: (paths::category(root, name, paths::CONFIGURATORS), false),
        }
    }

    async fn read(self, name: &str) -> Result<(Read, Vec<(String, OneshotWatcher)>), Error> {
        debug!(interface = name, "reading an interface");
        let (providers, configurators) = tokio::try_join!(
            session::read_category(&self.session, &self.providers.0, self.providers.1),
            session::read_category(&self.session, &self.configurators.0, self.configurators.1),
        )?;
        let read = Read {
            providers: providers.0,
            configurators: configurators.0,
        };
        let watchers = [
            (self.providers.0, providers.1),
            (self.configurators.0, configurators.1),
        ];
        let watchers = watchers
            .into_iter()
            .filter_map(|(path, watcher)| Some((path, watcher?)));
        Ok((read, watchers.collect()))
    }
}

/// The events of a watcher, up to and with the terminal one, after which the library must not be asked again.
fn events(watcher: PersistentWatcher) -> BoxStream<'static, WatchedEvent> {
    stream::unfold(Some(watcher), |watcher| async move {
        let mut watcher = watcher?;
        let event = watcher.changed().await;
        let over = event.event_type == EventType::Session && event.session_state.is_terminated();
        Some((event, (!over).then_some(watcher)))
    })
    .boxed()
}

async fn next_event(tree: &mut Option<BoxStream<'static, WatchedEvent>>) -> Option<WatchedEvent> {
    match tree {
        Some(events) => events.next().await,
        None => None,
    }
}

async fn poll_full(full: &mut Option<BoxFuture<'static, Result<Full, Error>>>) -> Result<Full, Error> {
    match full {
        Some(full) => full.await,
        None => std::future::pending().await,
    }
}
