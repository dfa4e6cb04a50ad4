//! A simulated istiod: pulls objects by MCP, or takes them from a test, and serves delta ADS as the real one does.
//!
//! What it serves, and in which shape, follows runs of istiod 1.32-dev (`tests/peers/istiod/README.md`); the behaviour
//! test of `registries` runs against both. Unlike the real one it does not exit when its MCP source is away at the start.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let istiod = harness::istiod::Istiod::start().await?;
//! istiod.apply(&serde_json::json!({
//!     "kind": "ServiceEntry", "metadata": {"name": "orders", "namespace": "dubbo"},
//!     "spec": {"hosts": ["orders.dubbo"], "resolution": "STATIC",
//!              "ports": [{"name": "grpc-tri", "number": 50051, "protocol": "GRPC"}],
//!              "endpoints": [{"address": "10.0.0.1"}]},
//! })).unwrap();
//! # Ok(()) }
//! ```

mod ads;
mod mcp;
mod store;
mod wire;
mod xds;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};

use crate::task::Task;
pub use store::BadObject;
use store::Store;

/// A type of xDS resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Clusters.
    Cds,
    /// Endpoints of a cluster.
    Eds,
    /// Rules of a `host:port`.
    Rds,
}

/// What happened at the simulated istiod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An ADS client opened a stream.
    Opened {
        /// Its node id.
        node: String,
    },
    /// An ADS stream ended.
    Closed,
    /// A client asked for names.
    Subscribed {
        /// The type.
        kind: Kind,
        /// The names.
        names: BTreeSet<String>,
        /// The names that it said it held (first request of a type).
        claimed: BTreeSet<String>,
    },
    /// A client gave names up.
    Unsubscribed {
        /// The type.
        kind: Kind,
        /// The names.
        names: BTreeSet<String>,
    },
    /// A response was sent.
    Pushed {
        /// The type.
        kind: Kind,
        /// The resources in it.
        names: BTreeSet<String>,
        /// The names in `removed_resources`.
        removed: BTreeSet<String>,
    },
    /// A response was accepted.
    Ack {
        /// The type.
        kind: Kind,
    },
    /// A response was refused.
    Nack {
        /// The type.
        kind: Kind,
        /// The client's text.
        error: String,
    },
    /// The client broke a rule of the protocol that the real istiod punishes by silence or worse.
    Misuse(String),
    /// The MCP stream was opened.
    McpOpened,
    /// The MCP source answered a kind.
    McpAnswer {
        /// The kind, `ServiceEntry`.
        kind: String,
        /// The number of resources.
        count: usize,
    },
    /// An object from the MCP source could not be read or is invalid; the real istiod only logs it.
    McpDropped(String),
    /// The MCP stream ended.
    McpClosed,
}

/// What tests switch.
#[derive(Debug, Clone, Default)]
struct Switches {
    hold: bool,
    reject: bool,
    corrupt: BTreeSet<String>,
    /// Streams opened before this count are to end.
    dropped: u64,
    /// Full pushes asked for.
    pushes: u64,
}

#[derive(Debug)]
struct Shared {
    store: Mutex<Store>,
    switches: Mutex<Switches>,
    /// Moves when the store or a switch changed.
    changed: watch::Sender<u64>,
    events: broadcast::Sender<Event>,
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn switches(&self) -> MutexGuard<'_, Switches> {
        self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kick(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    fn say(&self, event: Event) {
        // Nobody listening is fine.
        let _ = self.events.send(event);
    }
}

/// The simulated istiod; it ends when this is dropped.
#[derive(Debug)]
pub struct Istiod {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: Mutex<Option<Task>>,
    source: Mutex<Option<Task>>,
}

impl Istiod {
    /// Serves ADS on a free loopback port.
    pub async fn start() -> std::io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Serves ADS at an address.
    pub async fn start_at(address: SocketAddr) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            store: Mutex::default(),
            switches: Mutex::default(),
            changed: watch::channel(0).0,
            events: broadcast::channel(4096).0,
        });
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let server = Mutex::new(Some(Task::spawn(ads::serve(shared.clone(), listener))));
        Ok(Self {
            shared,
            address,
            server,
            source: Mutex::default(),
        })
    }

    /// Serves ADS on a free loopback port once an MCP source has answered every kind: until then no connection is taken.
    pub async fn start_with_mcp(source: SocketAddr) -> std::io::Result<Self> {
        let istiod = Self::start().await?;
        istiod.follow(source);
        Ok(istiod)
    }

    /// Pulls its objects from an MCP source from now on, beside those that the test applies.
    pub fn follow(&self, source: SocketAddr) {
        self.shared.store().wait_for_source();
        let task = Task::spawn(mcp::follow(self.shared.clone(), source));
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Where it serves ADS.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }

    /// Creates or replaces an object, in its Kubernetes shape: ServiceEntry, WorkloadEntry, VirtualService (weights,
    /// URI and header matches, timeout, retries, fault, direct response) or DestinationRule (policy, subsets).
    pub fn apply(&self, object: &serde_json::Value) -> Result<(), BadObject> {
        self.shared.store().apply(object)?;
        self.shared.kick();
        Ok(())
    }

    /// Deletes an object; whether it was there.
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let was_there = self.shared.store().delete(kind, namespace, name);
        self.shared.kick();
        was_there
    }

    /// The host names it knows of ServiceEntries.
    pub fn hosts(&self) -> BTreeSet<String> {
        self.shared.store().hosts()
    }

    /// The object `namespace/name` of the MCP source with its version, as last taken over.
    pub fn mcp_versions(&self, kind: &str) -> Vec<(String, String)> {
        self.shared.store().mcp_versions(kind)
    }

    /// Sends everything again to every stream, changed or not.
    pub fn push(&self) {
        self.shared.switches().pushes += 1;
        self.shared.kick();
    }

    /// Sends nothing while `on`.
    pub fn hold(&self, on: bool) {
        self.shared.switches().hold = on;
        self.shared.kick();
    }

    /// Refuses new streams while `on`, with UNAVAILABLE.
    pub fn reject(&self, on: bool) {
        self.shared.switches().reject = on;
    }

    /// Sends a resource with bytes that are no message, until it is healed.
    pub fn corrupt(&self, resource: &str) {
        self.shared.switches().corrupt.insert(resource.to_owned());
        self.shared.kick();
    }

    /// Sends a corrupted resource as it should be again.
    pub fn heal(&self, resource: &str) {
        self.shared.switches().corrupt.remove(resource);
        self.shared.kick();
    }

    /// Ends all ADS streams with UNAVAILABLE.
    pub fn drop_streams(&self) {
        self.shared.switches().dropped += 1;
        self.shared.kick();
    }

    /// Closes the port and all streams; the objects stay.
    pub fn stop(&self) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.drop_streams();
    }

    /// Serves again at the same address, once its predecessor has let go of it. The caller bounds the time.
    pub async fn start_again(&self) -> std::io::Result<()> {
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                bound => break bound?,
            }
        };
        let task = Task::spawn(ads::serve(self.shared.clone(), listener));
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
