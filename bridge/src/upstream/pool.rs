//! Connections of one worker, by address: lazy, capped, shared by all services behind an address.
//!
//! A call takes the connection with the fewest calls in flight. When all are busy another one is dialled beside them, up
//! to the cap; where there is none the call waits for the dial. All calls that wait for an address share one dial.

use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::error::{CallError, Kind, Limit};
use crate::worker::{Event, Worker};

/// After a failed dial calls fail at once for this long, instead of dialling a dead address once a call.
const REST: Duration = Duration::from_millis(100);

/// A connection that calls share: the Dubbo2 one and the Triple one.
pub(crate) trait Link: Sized + 'static {
    /// Begins to speak on a fresh socket; its own task serves it from then on.
    fn open(
        worker: Rc<Worker>,
        stream: TcpStream,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Rc<Self>>>;

    /// Takes new calls.
    fn is_open(&self) -> bool;

    /// The peer asked for no new calls, but still answers them.
    fn is_readonly(&self) -> bool;

    /// Calls in flight.
    fn in_flight(&self) -> usize;

    /// Calls that it can take beside those in flight.
    fn room(&self) -> usize;

    /// Ends it.
    fn close(&self);
}

/// The connections of one protocol.
pub(crate) struct Pool<L> {
    peers: RefCell<HashMap<SocketAddr, Rc<Peer<L>>>>,
    /// Whose open links all asked for no new calls; empty nearly always.
    leaving: RefCell<Vec<SocketAddr>>,
}

struct Peer<L> {
    links: RefCell<Vec<Rc<L>>>,
    dialling: Cell<bool>,
    /// The last dial's failure, and when.
    failed: RefCell<Option<(Instant, Arc<io::Error>)>>,
    /// Rung when a dial ends, or a full link has room again.
    changed: Notify,
    waiting: Cell<usize>,
}

impl<L> Default for Pool<L> {
    fn default() -> Self {
        Self {
            peers: RefCell::default(),
            leaving: RefCell::default(),
        }
    }
}

impl<L: Link> Pool<L> {
    /// A connection with room for a call. The deadline of the call bounds the wait from outside.
    pub(crate) async fn link(
        &self,
        worker: &Rc<Worker>,
        address: SocketAddr,
        connect_timeout: Duration,
    ) -> Result<Rc<L>, CallError> {
        let peer = self.peer(address);
        let settings = worker.shared.settings.load();
        let (most, busy) = (
            settings.limits.upstream_connections.max(1),
            settings.limits.upstream_busy,
        );
        drop(settings);
        loop {
            if !self.leaving.borrow().is_empty() {
                self.reconsider(address);
            }
            let best = peer.best();
            let count = peer.links.borrow().len();
            if let Some(link) = &best
                && (link.in_flight() < busy || count >= most)
            {
                return Ok(link.clone());
            }
            if let Some(error) = peer.rests() {
                return best.ok_or_else(|| CallError::unsent(Kind::Connect).because(error));
            }
            if !peer.dialling.get() && count < most {
                peer.dialling.set(true);
                let (worker_, peer_) = (worker.clone(), peer.clone());
                worker
                    .tasks
                    .attach_local(async move { peer_.dial(worker_, address, connect_timeout).await });
            }
            if let Some(link) = best {
                return Ok(link);
            }
            if peer.waiting.get() > WAITING {
                return Err(CallError::unsent(Kind::Overloaded(Limit::Endpoint)));
            }
            peer.wait().await;
        }
    }

    /// To be called when a call on a link of this address has ended: who waits for room looks again.
    pub(crate) fn freed(&self, address: SocketAddr) {
        if let Some(peer) = self.peers.borrow().get(&address)
            && peer.waiting.get() > 0
        {
            peer.changed.notify_one();
        }
    }

    /// Forgets a connection that has ended.
    pub(crate) fn ended(&self, address: SocketAddr, link: &Rc<L>) {
        self.forget(address, link);
        self.reconsider(address);
    }

    fn forget(&self, address: SocketAddr, link: &Rc<L>) {
        let mut peers = self.peers.borrow_mut();
        let Some(peer) = peers.get(&address) else { return };
        peer.links.borrow_mut().retain(|known| !Rc::ptr_eq(known, link));
        peer.changed.notify_waiters();
        let is_idle = peer.links.borrow().is_empty() && !peer.dialling.get() && peer.waiting.get() == 0;
        if is_idle {
            peers.remove(&address);
        }
    }

    /// The addresses that asked for no new calls: they are avoided while there is another.
    pub(crate) fn leaving(&self) -> Ref<'_, Vec<SocketAddr>> {
        self.leaving.borrow()
    }

    /// To be called when a link of this address has asked for no new calls, or takes them again.
    pub(crate) fn reconsider(&self, address: SocketAddr) {
        let leaves = self
            .peers
            .borrow()
            .get(&address)
            .is_some_and(|peer| peer.leaves());
        let mut leaving = self.leaving.borrow_mut();
        match leaving.iter().position(|known| *known == address) {
            None if leaves => leaving.push(address),
            Some(at) if !leaves => {
                leaving.swap_remove(at);
            }
            _ => {}
        }
    }

    /// Ends all connections.
    pub(crate) fn close(&self) {
        for peer in self.peers.borrow().values() {
            for link in peer.links.borrow().iter() {
                link.close();
            }
        }
    }

    fn peer(&self, address: SocketAddr) -> Rc<Peer<L>> {
        if let Some(peer) = self.peers.borrow().get(&address) {
            return peer.clone();
        }
        let peer = Rc::new(Peer {
            links: RefCell::default(),
            dialling: Cell::new(false),
            failed: RefCell::new(None),
            changed: Notify::new(),
            waiting: Cell::new(0),
        });
        self.peers.borrow_mut().insert(address, peer.clone());
        peer
    }
}

/// Calls of one worker that may wait for one address.
const WAITING: usize = 16 * 1024;

impl<L: Link> Peer<L> {
    /// The open link with the fewest calls in flight; one that asked for no new calls only where there is no other.
    fn best(&self) -> Option<Rc<L>> {
        let mut links = self.links.borrow_mut();
        // One that ended before it was listed was never taken off.
        links.retain(|link| link.is_open());
        links
            .iter()
            .filter(|link| link.room() > 0)
            .min_by_key(|link| (link.is_readonly(), link.in_flight()))
            .cloned()
    }

    /// Whether it has open links, and all of them asked for no new calls.
    fn leaves(&self) -> bool {
        let links = self.links.borrow();
        let mut open = links.iter().filter(|link| link.is_open()).peekable();
        open.peek().is_some() && open.all(|link| link.is_readonly())
    }

    /// The error of a dial that failed a moment ago.
    fn rests(&self) -> Option<Arc<io::Error>> {
        let failed = self.failed.borrow();
        let (at, error) = failed.as_ref()?;
        (at.elapsed() < REST).then(|| error.clone())
    }

    async fn wait(&self) {
        struct Waiting<'a>(&'a Cell<usize>);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get().saturating_sub(1));
            }
        }
        self.waiting.set(self.waiting.get() + 1);
        let _waiting = Waiting(&self.waiting);
        self.changed.notified().await;
    }

    async fn dial(&self, worker: Rc<Worker>, address: SocketAddr, timeout: Duration) {
        struct Dialling<'a>(&'a Cell<bool>, &'a Notify);
        impl Drop for Dialling<'_> {
            fn drop(&mut self) {
                self.0.set(false);
                self.1.notify_waiters();
            }
        }
        let _dialling = Dialling(&self.dialling, &self.changed);
        let opened = tokio::time::timeout(timeout, async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            L::open(worker.clone(), stream, address).await
        })
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match opened {
            Ok(link) => {
                worker.count(Event::UpstreamOpened);
                *self.failed.borrow_mut() = None;
                self.links.borrow_mut().push(link);
            }
            Err(error) => {
                worker.count(Event::UpstreamFailed);
                *self.failed.borrow_mut() = Some((Instant::now(), Arc::new(error)));
            }
        }
    }
}
