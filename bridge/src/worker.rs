//! Data-plane threads: one call stays on one core.
//!
//! ```text
//! accept (control runtime) ── std socket ──► worker with the fewest connections
//! worker 0..N-1, each a thread with a LocalRuntime: its downstream connections, its upstream pool, its shard
//! ```
//!
//! Nothing of a worker is `Send`: connections, calls and upstreams talk through `Rc`, and never lock. What all workers
//! share is read-only ([`Shared`]) or a relaxed atomic in the Directory's states.

mod pool;
pub mod shard;

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use codecs::plan::Scratch;
use registries::directory::Directory;
use tokio::sync::mpsc;
use tokio::time::Instant;

pub use pool::{Drained, Pool};
pub use shard::{AccessRecord, Event, Shard, Wire};

use crate::balance::Now;
use crate::call::Cache;
use crate::limits::{Limits, Timeouts};
use crate::tasks::Tasks;
use crate::upstream::Upstreams;

/// What every worker is given.
#[derive(Clone)]
pub struct Shared {
    /// The current Directory.
    pub directory: Arc<ArcSwap<Directory>>,
    /// Limits and timeouts; a connection keeps those of its beginning.
    pub settings: Arc<ArcSwap<Settings>>,
    /// Who we are.
    pub identity: Arc<Identity>,
    /// Where access records go; `None` for nowhere. A full sink loses records, counted, and never delays a call.
    pub access: Option<mpsc::Sender<AccessRecord>>,
}

/// Limits and timeouts.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What bounds memory and work.
    pub limits: Limits,
    /// What bounds waiting.
    pub timeouts: Timeouts,
}

/// Who this gateway is to other gateways and to providers.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The installation that this replica belongs to, in `landbridge-hop` and in marks.
    pub installation: Arc<str>,
}

/// One data-plane thread's state.
pub struct Worker {
    /// Its number, from 0.
    pub number: usize,
    /// What it was given.
    pub shared: Shared,
    /// The tasks of all workers: their drain and abort tokens.
    pub tasks: Tasks,
    /// What it counts.
    pub shard: Arc<Shard>,
    /// Its random numbers.
    pub rng: RefCell<fastrand::Rng>,
    /// Tables for reading and converting payloads.
    pub(crate) scratch: RefCell<Scratch>,
    /// Its connections to providers.
    pub(crate) upstreams: Upstreams,
    /// What it remembers of services.
    pub(crate) cache: Cache,
    readonly: Arc<AtomicBool>,
}

/// When the data plane began, on both clocks: ejections are shared by the workers as times since then.
static STARTED: LazyLock<(Instant, u64)> = LazyLock::new(|| {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (
        Instant::now(),
        u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
    )
});

/// A moment on the clocks that balancing needs: the same for all workers.
pub(crate) fn now(at: Instant) -> Now {
    let (started, unix) = *STARTED;
    let uptime = u64::try_from(at.saturating_duration_since(started).as_millis()).unwrap_or(u64::MAX);
    Now {
        uptime,
        unix: unix.saturating_add(uptime),
    }
}

impl Worker {
    pub(crate) fn new(
        number: usize,
        shared: Shared,
        tasks: Tasks,
        shard: Arc<Shard>,
        readonly: Arc<AtomicBool>,
    ) -> Self {
        let scratch = Scratch::counting(shard.lossy.clone());
        Self {
            number,
            shared,
            tasks,
            shard,
            rng: RefCell::new(fastrand::Rng::new()),
            scratch: RefCell::new(scratch),
            upstreams: Upstreams::default(),
            cache: Cache::default(),
            readonly,
        }
    }

    /// Whether Dubbo2 consumers are to be sent the readonly event when the drain begins.
    pub fn sends_readonly(&self) -> bool {
        self.readonly.load(Ordering::Relaxed)
    }

    /// Counts an event.
    pub fn count(&self, event: Event) {
        self.shard.count(event);
    }

    /// A moment on the clocks that balancing needs.
    pub(crate) fn now(&self, at: Instant) -> Now {
        now(at)
    }

    /// Ends what the worker itself holds open.
    pub(crate) fn close(&self) {
        self.upstreams.close();
    }
}
