//! The workers' threads, the accept loop, and the two stages of the drain.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Event, Shard, Shared, Worker};
use crate::error::Limit;
use crate::listener::{self, Config};
use crate::tasks::Tasks;

/// Sockets that may wait for a worker. A worker that does not take them is stuck; new ones are then closed, counted.
const HANDOFFS: usize = 1024;

/// How long the accept loop rests after an error such as "too many open files".
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// The workers.
pub struct Pool {
    workers: Vec<Handle>,
    shared: Shared,
    tasks: Tasks,
    admission: Arc<Admission>,
    readonly: Arc<AtomicBool>,
    died: CancellationToken,
}

struct Handle {
    handoffs: mpsc::Sender<Handoff>,
    connections: Arc<AtomicUsize>,
    shard: Arc<Shard>,
    thread: JoinHandle<()>,
}

/// A socket on its way to a worker.
pub(super) struct Handoff {
    pub(super) socket: std::net::TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) config: Config,
    pub(super) admitted: Admitted,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Calls that were cut at the deadline.
    pub cut: u64,
}

impl Pool {
    /// Starts `count` workers, at least one.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be made.
    pub fn start(count: usize, shared: Shared) -> io::Result<Self> {
        let tasks = Tasks::new();
        let died = CancellationToken::new();
        let readonly = Arc::new(AtomicBool::new(false));
        let mut workers = Vec::with_capacity(count.max(1));
        for number in 0..count.max(1) {
            let (handoffs, receiver) = mpsc::channel(HANDOFFS);
            let shard = Arc::new(Shard::default());
            let seed = Seed {
                number,
                shared: shared.clone(),
                tasks: tasks.clone(),
                shard: shard.clone(),
                readonly: readonly.clone(),
            };
            let (ready, is_ready) = std::sync::mpsc::channel();
            let death = died.clone();
            let thread = std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || {
                    // Dropped by a panic, too.
                    let death = death.drop_guard();
                    if run(seed, receiver, &ready).is_ok() {
                        death.disarm();
                    }
                })?;
            is_ready
                .recv()
                .map_err(|_| io::Error::other("worker thread ended at its start"))??;
            workers.push(Handle {
                handoffs,
                connections: Arc::default(),
                shard,
                thread,
            });
        }
        Ok(Self {
            workers,
            shared,
            tasks,
            admission: Arc::default(),
            readonly,
            died,
        })
    }

    /// Accepts connections until the drain begins, then closes the port. Run it on the control runtime.
    pub fn accept(&self, listener: TcpListener, config: Config) -> impl Future<Output = ()> + Send + 'static {
        let acceptor = Acceptor {
            workers: self
                .workers
                .iter()
                .map(|worker| {
                    (
                        worker.handoffs.clone(),
                        worker.connections.clone(),
                        worker.shard.clone(),
                    )
                })
                .collect(),
            shared: self.shared.clone(),
            admission: self.admission.clone(),
        };
        let draining = self.tasks.draining().clone();
        async move {
            draining.run_until_cancelled(acceptor.run(listener, config)).await;
        }
    }

    /// What the workers count.
    pub fn shards(&self) -> Vec<Arc<Shard>> {
        self.workers.iter().map(|worker| worker.shard.clone()).collect()
    }

    /// Calls in flight now.
    pub fn in_flight(&self) -> u64 {
        self.workers
            .iter()
            .map(|worker| worker.shard.in_flight.load(Ordering::Relaxed))
            .sum()
    }

    /// Ends when a worker has died. The process must then end with an error: its share of connections is gone.
    pub fn died(&self) -> impl Future<Output = ()> + Send + 'static {
        self.died.clone().cancelled_owned()
    }

    /// Begins the drain: no new connection, no new call on the ones there are after their GOAWAY; Dubbo2 consumers are
    /// sent the readonly event if `readonly` (only where another provider serves each service).
    pub fn drain(&self, readonly: bool) {
        self.readonly.store(readonly, Ordering::Relaxed);
        self.tasks.drain();
    }

    /// Ends the drain: waits for the calls in flight at most `within`, cuts the rest, and joins the threads.
    pub async fn finish(self, within: Duration) -> Drained {
        self.tasks.drain();
        let _ = tokio::time::timeout(within, self.tasks.finished()).await;
        let cut = self.in_flight();
        self.tasks.abort();
        let threads: Vec<JoinHandle<()>> = self.workers.into_iter().map(|worker| worker.thread).collect();
        // A thread ends as soon as its last sender is gone; joining blocks, so not on the runtime.
        let _ = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        })
        .await;
        Drained { cut }
    }
}

struct Seed {
    number: usize,
    shared: Shared,
    tasks: Tasks,
    shard: Arc<Shard>,
    readonly: Arc<AtomicBool>,
}

/// A worker's thread. An error or a panic is a death.
fn run(
    seed: Seed,
    mut handoffs: mpsc::Receiver<Handoff>,
    ready: &std::sync::mpsc::Sender<io::Result<()>>,
) -> Result<(), ()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error));
            return Err(());
        }
    };
    let _ = ready.send(Ok(()));
    runtime.block_on(async move {
        let tasks = seed.tasks.clone();
        let aborting = tasks.aborting().clone();
        let worker = Rc::new(Worker::new(
            seed.number,
            seed.shared,
            seed.tasks,
            seed.shard,
            seed.readonly,
        ));
        while let Some(Some(handoff)) = aborting.run_until_cancelled(handoffs.recv()).await {
            let Handoff {
                socket,
                peer,
                config,
                admitted,
            } = handoff;
            let worker = worker.clone();
            tasks.spawn_local(async move {
                let _admitted = admitted;
                listener::serve(worker, socket, peer, config).await;
            });
        }
        worker.close();
    });
    Ok(())
}

struct Acceptor {
    workers: Vec<(mpsc::Sender<Handoff>, Arc<AtomicUsize>, Arc<Shard>)>,
    shared: Shared,
    admission: Arc<Admission>,
}

impl Acceptor {
    async fn run(&self, listener: TcpListener, config: Config) {
        loop {
            match listener.accept().await {
                Ok((socket, peer)) => self.hand_off(socket, peer, &config),
                Err(error) => {
                    tracing::warn!(%error, wire = config.wire.name(), "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    /// Gives the socket to the worker with the fewest connections, or closes it for a limit.
    fn hand_off(&self, socket: tokio::net::TcpStream, peer: SocketAddr, config: &Config) {
        let Some((handoffs, connections, shard)) = self
            .workers
            .iter()
            .min_by_key(|(_, connections, _)| connections.load(Ordering::Relaxed))
        else {
            return;
        };
        let settings = self.shared.settings.load();
        let limits = &settings.limits;
        let Some(admitted) = self.admission.admit(
            peer.ip(),
            limits.connections,
            limits.connections_per_peer,
            connections.clone(),
        ) else {
            shard.count(Event::RefusedConnection);
            shard.count_limit(Limit::Connections);
            return;
        };
        // Without this each small answer waits for the peer's delayed ACK.
        let _ = socket.set_nodelay(true);
        let Ok(socket) = socket.into_std() else { return };
        let handoff = Handoff {
            socket,
            peer,
            config: config.clone(),
            admitted,
        };
        if handoffs.try_send(handoff).is_err() {
            shard.count(Event::RefusedConnection);
        }
    }
}

/// Downstream connections, counted in all and by peer.
#[derive(Debug, Default)]
struct Admission {
    peers: Mutex<(usize, HashMap<IpAddr, usize>)>,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    admission: Arc<Admission>,
    worker: Arc<AtomicUsize>,
    peer: IpAddr,
}

impl Admission {
    fn admit(
        self: &Arc<Self>,
        peer: IpAddr,
        most: usize,
        most_of_peer: usize,
        worker: Arc<AtomicUsize>,
    ) -> Option<Admitted> {
        let mut peers = self.peers.lock();
        let (all, of_peer) = &mut *peers;
        let count = of_peer.get(&peer).copied().unwrap_or(0);
        if *all >= most || count >= most_of_peer {
            return None;
        }
        *all += 1;
        of_peer.insert(peer, count + 1);
        worker.fetch_add(1, Ordering::Relaxed);
        Some(Admitted {
            admission: self.clone(),
            worker,
            peer,
        })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.worker.fetch_sub(1, Ordering::Relaxed);
        let mut peers = self.admission.peers.lock();
        let (all, of_peer) = &mut *peers;
        *all = all.saturating_sub(1);
        if let Some(count) = of_peer.get_mut(&self.peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                of_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_up_to_both_limits_and_forgets_peers() {
        let admission: Arc<Admission> = Arc::default();
        let worker: Arc<AtomicUsize> = Arc::default();
        let one: IpAddr = [10, 0, 0, 1].into();
        let other: IpAddr = [10, 0, 0, 2].into();
        let first = admission.admit(one, 2, 1, worker.clone()).unwrap();
        assert!(admission.admit(one, 2, 1, worker.clone()).is_none(), "per peer");
        let second = admission.admit(other, 2, 1, worker.clone()).unwrap();
        assert!(
            admission
                .admit([10, 0, 0, 3].into(), 2, 1, worker.clone())
                .is_none(),
            "in all"
        );
        assert_eq!(worker.load(Ordering::Relaxed), 2);
        drop((first, second));
        assert!(admission.peers.lock().1.is_empty());
        assert_eq!(worker.load(Ordering::Relaxed), 0);
    }
}
