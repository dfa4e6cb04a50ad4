//! A simulated ZooKeeper: a real server on a port of its own that speaks ZooKeeper's wire protocol, as far as the clients of
//! this project and of Dubbo use it, with faults on command.
//!
//! Sessions with ids and passwords that expire by a timer, ephemeral, sequential and container nodes, ACLs with the `digest`
//! scheme, one-shot, persistent and recursive watches with their catch-up after a reconnect, multi with the failing part,
//! `srvr` and `ruok`. Written from the protocol; a test runs the same checks on it and on a real server.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

mod acl;
mod connection;
mod jute;
mod state;
mod tree;
mod watches;

pub use acl::Right;
use state::State;
use tree::Mode;

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The version it plays: before 3.6 there are no recursive watches, before 3.5 no `create2`.
    pub version: (u32, u32),
    /// The least session timeout it grants.
    pub least_timeout: Duration,
    /// The most it grants.
    pub most_timeout: Duration,
    /// The longest frame it takes, in bytes (`jute.maxbuffer`).
    pub most_frame: usize,
    /// It answers four-letter words.
    pub words: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: (3, 9),
            least_timeout: Duration::from_millis(200),
            most_timeout: Duration::from_secs(60),
            most_frame: 1_048_575,
            words: true,
        }
    }
}

/// A request that a client made, ping and multi apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The session.
    pub session: i64,
    /// ZooKeeper's number of the operation: 1 create, 2 delete, 8 list, 106 add watch, …
    pub op: i32,
    /// The path, where the request begins with one.
    pub path: String,
}

impl Request {
    /// Whether it lists children.
    pub fn is_list(&self) -> bool {
        matches!(self.op, state::op::GET_CHILDREN | state::op::GET_CHILDREN2)
    }
}

/// A node as a test sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its data.
    pub data: Vec<u8>,
    /// The session that owns it; 0 for a persistent one.
    pub owner: i64,
    /// Who may do what.
    pub acl: Vec<Right>,
    /// The transaction that created it.
    pub created: i64,
}

/// A running server; it ends when dropped.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

/// A process of somebody else: a session that lives until [`Server::expire`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// Its session.
    pub session: i64,
}

pub(crate) struct Shared {
    options: Options,
    state: Mutex<State>,
    /// Grows with every change of the state, for those who wait for one.
    changed: watch::Sender<u64>,
    pause: watch::Sender<bool>,
    refuse: watch::Sender<bool>,
    cuts: Cuts,
}

/// Cuts all connections at once.
struct Cuts(watch::Sender<u64>);

impl Cuts {
    async fn cut(&self) {
        let mut cuts = self.0.subscribe();
        // The sender lives as long as the server.
        let _ = cuts.changed().await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_modify(|count| *count += 1);
        result
    }

    /// The answer to a four-letter word; none where it is a frame's length.
    fn four_letters(&self, word: [u8; 4]) -> Option<String> {
        match &word {
            b"ruok" | b"srvr" if !self.options.words => {
                let word = String::from_utf8_lossy(&word).into_owned();
                Some(format!(
                    "{word} is not executed because it is not in the whitelist.\n"
                ))
            }
            b"ruok" => Some("imok".to_owned()),
            b"srvr" => {
                let (major, minor) = self.options.version;
                let state = self.lock();
                Some(format!(
                    "Zookeeper version: {major}.{minor}.0-simulated, built on 2025-01-01 00:00 UTC\n\
                     Connections: {}\nZxid: {:#x}\nMode: standalone\nNode count: {}\n",
                    state.connections.len(),
                    state.zxid,
                    state.tree.len()
                ))
            }
            _ => None,
        }
    }
}

impl Server {
    /// A server on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// The port cannot be opened.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(SocketAddr::from(([127, 0, 0, 1], 0)), Options::default()).await
    }

    /// A server on an address, with its own behaviour.
    ///
    /// # Errors
    /// The address cannot be opened.
    pub async fn start_with(address: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(options.clone())),
            options,
            changed: watch::Sender::new(0),
            pause: watch::Sender::new(false),
            refuse: watch::Sender::new(false),
            cuts: Cuts(watch::Sender::new(0)),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(shared.clone(), listener));
        tasks.spawn(expire(shared.clone()));
        Ok(Self {
            shared,
            address,
            _tasks: tasks,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a connect string.
    pub fn connect_string(&self) -> String {
        self.address.to_string()
    }

    /// Cuts all connections; their sessions go on.
    pub fn cut(&self) {
        self.shared.cuts.0.send_modify(|count| *count += 1);
    }

    /// Refuses new connections, or takes them again.
    pub fn refuse(&self, refuse: bool) {
        self.shared.refuse.send_replace(refuse);
    }

    /// Stops answering, as a server under SIGSTOP, or goes on. Sessions do not expire meanwhile.
    pub fn pause(&self, pause: bool) {
        self.shared.pause.send_replace(pause);
    }

    /// Ends a session as its timeout would.
    pub fn expire(&self, session: i64) {
        self.shared.with(|state| state.end_session(session));
    }

    /// All sessions, and whether each is connected; foreign ones are not.
    pub fn sessions(&self) -> BTreeMap<i64, bool> {
        let state = self.shared.lock();
        let connected = state.connected();
        state
            .sessions
            .keys()
            .map(|id| (*id, connected.contains(id)))
            .collect()
    }

    /// The connected sessions, oldest first.
    pub fn connected(&self) -> Vec<i64> {
        self.sessions()
            .into_iter()
            .filter(|(_, connected)| *connected)
            .map(|(id, _)| id)
            .collect()
    }

    /// Somebody else's session.
    pub fn foreign(&self) -> Foreign {
        let (session, _) = self.shared.with(|state| state.open_session(None));
        Foreign { session }
    }

    /// Creates a persistent node, and its parents where they are missing.
    ///
    /// # Panics
    /// It cannot be created.
    pub fn create(&self, path: &str, data: &[u8]) {
        self.create_for(0, path, data, Right::open());
    }

    /// Creates a persistent node with an ACL.
    ///
    /// # Panics
    /// It cannot be created.
    pub fn create_with(&self, path: &str, acl: Vec<Right>) {
        self.create_for(0, path, b"", acl);
    }

    /// Creates an ephemeral node of somebody else.
    ///
    /// # Panics
    /// It cannot be created.
    pub fn create_foreign(&self, owner: Foreign, path: &str) {
        self.create_for(owner.session, path, b"127.0.0.1", Right::open());
    }

    /// Deletes a node and creates it again as an ephemeral one of somebody else, with nothing between.
    ///
    /// # Panics
    /// It is not there, or cannot be replaced.
    pub fn replace_foreign(&self, owner: Foreign, path: &str) {
        let mode = Mode {
            ephemeral: true,
            sequential: false,
            container: false,
        };
        let replaced = self.shared.with(|state| {
            state.change(0, |tree, caller, events| tree.delete(path, -1, caller, events))?;
            state.change(owner.session, |tree, caller, events| {
                tree.create(path, b"127.0.0.1", Right::open(), mode, caller, events)
            })
        });
        assert!(replaced.is_ok(), "replace {path}: {replaced:?}");
    }

    fn create_for(&self, session: i64, path: &str, data: &[u8], acl: Vec<Right>) {
        let mode = |ephemeral| Mode {
            ephemeral,
            sequential: false,
            container: false,
        };
        let created = self.shared.with(|state| {
            let mut at = 0;
            while let Some(next) = path[at + 1..].find('/') {
                at += 1 + next;
                if state.tree.get(&path[..at]).is_none() {
                    let parent = &path[..at];
                    state.change(0, |tree, caller, events| {
                        tree.create(parent, b"", Right::open(), mode(false), caller, events)
                    })?;
                }
            }
            state.change(session, |tree, caller, events| {
                tree.create(path, data, acl, mode(session != 0), caller, events)
            })
        });
        assert!(created.is_ok(), "create {path}: {created:?}");
    }

    /// Deletes a node and all below it.
    pub fn delete(&self, path: &str) {
        let below = format!("{path}/");
        self.shared.with(|state| {
            let mut paths: Vec<String> = state.tree.below(path).map(|(path, _)| path.clone()).collect();
            paths.retain(|at| at == path || at.starts_with(&below));
            for path in paths.iter().rev() {
                // Children first: each can be deleted.
                let _ = state.change(0, |tree, caller, events| tree.delete(path, -1, caller, events));
            }
        });
    }

    /// Sets who may do what with a node.
    pub fn set_acl(&self, path: &str, acl: Vec<Right>) {
        let set = self
            .shared
            .with(|state| state.change(0, |tree, caller, _| tree.set_acl(path, acl, -1, caller)));
        assert!(set.is_ok(), "set the acl of {path}: {set:?}");
    }

    /// A node.
    pub fn get(&self, path: &str) -> Option<Node> {
        self.shared.lock().tree.get(path).map(node)
    }

    /// All nodes at or below a path.
    pub fn dump(&self, path: &str) -> BTreeMap<String, Node> {
        self.shared
            .lock()
            .tree
            .below(path)
            .map(|(path, at)| (path.clone(), node(at)))
            .collect()
    }

    /// How often a path is watched: one-shot, persistent, recursive.
    pub fn watches(&self, path: &str) -> (usize, usize, usize) {
        self.shared.lock().watches.count(path)
    }

    /// How many one-shot watches each connected session has.
    pub fn one_shots(&self) -> BTreeMap<i64, usize> {
        let state = self.shared.lock();
        state
            .connections
            .iter()
            .map(|(id, at)| (at.session, state.watches.one_shots(*id)))
            .collect()
    }

    /// The requests since this was last asked.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.lock().requests)
    }

    /// Waits until something holds; looks again after every change. The caller bounds the time.
    pub async fn wait_until(&self, mut holds: impl FnMut(&Self) -> bool) {
        let mut changed = self.shared.changed.subscribe();
        while !holds(self) {
            // The sender lives as long as the server.
            let _ = changed.changed().await;
        }
    }

    /// Waits until a node is there.
    pub async fn wait_for(&self, path: &str) -> Node {
        self.wait_until(|server| server.get(path).is_some()).await;
        self.get(path).unwrap_or(Node {
            data: Vec::new(),
            owner: 0,
            acl: Vec::new(),
            created: 0,
        })
    }

    /// Waits until a node is gone.
    pub async fn wait_gone(&self, path: &str) {
        self.wait_until(|server| server.get(path).is_none()).await;
    }
}

fn node(node: &tree::Node) -> Node {
    Node {
        data: node.data.clone(),
        owner: node.owner,
        acl: node.acl.to_vec(),
        created: node.created,
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let (Ok((stream, _)), false) = (accepted, *shared.refuse.borrow()) {
                    connections.spawn(connection::serve(shared.clone(), stream));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Ends silent sessions, at their time.
async fn expire(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        if !*shared.pause.borrow() {
            let expired = shared.lock().expire(Instant::now());
            if expired {
                shared.changed.send_modify(|count| *count += 1);
            }
        }
    }
}

#[cfg(test)]
mod tests;
