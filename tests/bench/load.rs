//! Load: so many connections with so many calls in flight on each, or calls at a steady pace.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::{dubbo2, grpc};

/// One of the three loads of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// One call at a time on one connection.
    Serial,
    /// 64 connections with 8 calls in flight each, each answer followed by the next call.
    Full,
    /// 2,000 calls a second over 8 connections, whether answers come or not.
    Paced,
}

impl Load {
    /// All of them, in the order of the table.
    pub(crate) const ALL: [Self; 3] = [Self::Serial, Self::Full, Self::Paced];

    /// Its heading.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Serial => "1 in flight",
            Self::Full => "512 in flight",
            Self::Paced => "2,000 calls/s",
        }
    }

    fn connections(self) -> usize {
        match self {
            Self::Serial => 1,
            Self::Full => 64,
            Self::Paced => 8,
        }
    }

    /// Calls in flight on one connection; for a paced load the ceiling of what may pile up.
    pub(crate) fn in_flight(self) -> usize {
        match self {
            Self::Serial => 1,
            Self::Full => 8,
            Self::Paced => 256,
        }
    }

    /// The time between two calls of one connection.
    pub(crate) fn pace(self) -> Option<Duration> {
        (self == Self::Paced).then(|| Duration::from_micros(4000))
    }
}

/// What one call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Dubbo2 with a Hessian string.
    Dubbo2,
    /// gRPC with a protobuf message.
    Protobuf,
    /// Triple with a wrapped Hessian string.
    Wrapper,
}

/// Shared by the connections of one running load.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    stop: AtomicBool,
    recording: AtomicBool,
    done: AtomicU64,
}

impl Shared {
    /// Whether connections should end.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Counts an answer and notes how long it took.
    pub(crate) fn answered(&self, since: Instant, latencies: &mut Vec<u32>) {
        self.done.fetch_add(1, Relaxed);
        if self.recording.load(Relaxed) {
            latencies.push(u32::try_from(since.elapsed().as_nanos() / 100).unwrap_or(u32::MAX));
        }
    }
}

/// A load that is running.
pub(crate) struct Running {
    shared: Arc<Shared>,
    connections: JoinSet<Result<Vec<u32>, String>>,
}

impl Running {
    /// Switches the recording of latencies on or off, and gives the number of answers so far.
    pub(crate) fn record(&self, on: bool) -> u64 {
        self.shared.recording.store(on, Relaxed);
        self.shared.done.load(Relaxed)
    }

    /// Ends the load and gives all latencies recorded, in tenths of a microsecond.
    pub(crate) async fn finish(mut self) -> Result<Vec<u32>, String> {
        self.shared.stop.store(true, Relaxed);
        let mut all = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), async {
            while let Some(connection) = self.connections.join_next().await {
                all.extend(connection.map_err(|error| error.to_string())??);
            }
            Ok::<_, String>(())
        });
        ended
            .await
            .map_err(|_| "calls were still unanswered 5 s after the end".to_owned())??;
        Ok(all)
    }
}

/// Opens the connections and begins to call.
pub(crate) async fn start(
    call: Call,
    address: SocketAddr,
    load: Load,
    text: &str,
) -> Result<Running, String> {
    let shared = Arc::new(Shared::default());
    let mut connections = JoinSet::new();
    for _ in 0..load.connections() {
        let socket = tokio::net::TcpStream::connect(address)
            .await
            .map_err(|error| format!("{address}: {error}"))?;
        socket.set_nodelay(true).unwrap();
        let (shared, text) = (Arc::clone(&shared), text.to_owned());
        match call {
            Call::Dubbo2 => connections.spawn(dubbo2::call(socket, load, text, shared)),
            Call::Protobuf | Call::Wrapper => connections.spawn(grpc::call(socket, call, load, text, shared)),
        };
    }
    Ok(Running { shared, connections })
}
