//! What one worker counts: plain atomics that only this worker writes, and that telemetry reads.
//!
//! No label is looked up on a call's path: a [`Series`] is found once, when a worker first meets a method, and then kept
//! beside the interned service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use codecs::ServiceKey;
use codecs::plan::Lossy;
use parking_lot::Mutex;
use registries::directory::Mode;

use crate::error::{Kind, Limit};

/// What a peer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Dubbo2.
    Dubbo2,
    /// Triple or gRPC.
    Triple,
}

impl Wire {
    /// The word for labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dubbo2 => "dubbo2",
            Self::Triple => "triple",
        }
    }
}

/// The labels of a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Labels {
    /// The service; its interface is empty in the series of all that did not fit.
    pub service: ServiceKey,
    /// The method; empty where it is unknown to everybody, so that callers cannot make up series.
    pub method: Arc<str>,
    /// What the caller speaks.
    pub from: Wire,
    /// What the provider speaks; `None` when no provider was chosen.
    pub to: Option<Wire>,
    /// How the payload crossed; `None` when it did not.
    pub mode: Option<Mode>,
}

/// Results of calls, in the order of [`Series::outcomes`].
pub const OUTCOMES: [&str; 17] = [
    "ok",
    "exception",
    "bad_request",
    "unknown_service",
    "unsupported",
    "loop",
    "no_endpoint",
    "overloaded",
    "timeout",
    "connect",
    "closed",
    "refused",
    "bad_reply",
    "aborted",
    "draining",
    "cancelled",
    "internal",
];

/// How a call ended, as an index into [`OUTCOMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome(u8);

impl Outcome {
    /// A result.
    pub const OK: Self = Self(0);
    /// An exception that the provider threw, or a status that it returned.
    pub const EXCEPTION: Self = Self(1);

    /// An error.
    pub fn of(kind: &Kind) -> Self {
        Self(match kind {
            Kind::BadRequest => 2,
            Kind::UnknownService => 3,
            Kind::Unsupported => 4,
            Kind::Loop => 5,
            Kind::NoEndpoint => 6,
            Kind::Overloaded(_) => 7,
            Kind::Timeout => 8,
            Kind::Connect => 9,
            Kind::Closed => 10,
            Kind::Refused(_) => 11,
            Kind::BadReply => 12,
            Kind::Aborted(_) => 13,
            Kind::Draining => 14,
            Kind::Cancelled => 15,
            Kind::Internal => 16,
        })
    }

    /// The word for labels.
    pub fn name(self) -> &'static str {
        OUTCOMES.get(usize::from(self.0)).copied().unwrap_or("internal")
    }
}

/// What is counted for one method, by one worker.
#[derive(Debug)]
pub struct Series {
    /// What it is of.
    pub labels: Labels,
    /// Calls by result, in the order of [`OUTCOMES`].
    pub outcomes: [AtomicU64; OUTCOMES.len()],
    /// Time from the whole request to the reply being handed to the writer.
    pub latency: Histogram,
    /// Bytes of arguments taken in.
    pub bytes_in: AtomicU64,
    /// Bytes of results given out.
    pub bytes_out: AtomicU64,
    /// Attempts beyond the first.
    pub retries: AtomicU64,
}

impl Series {
    /// A series without a call.
    pub fn new(labels: Labels) -> Self {
        Self {
            labels,
            outcomes: Default::default(),
            latency: Histogram::default(),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        }
    }

    /// Counts a call.
    pub fn record(&self, outcome: Outcome, took: Duration, bytes_in: usize, bytes_out: usize) {
        if let Some(counter) = self.outcomes.get(usize::from(outcome.0)) {
            add(counter, 1);
        }
        add(&self.bytes_in, wide(bytes_in));
        add(&self.bytes_out, wide(bytes_out));
        self.latency.observe(took);
    }
}

/// Upper bounds of the buckets, in microseconds; the last bucket has none.
pub const BOUNDS: [u64; 17] = [
    50, 100, 200, 400, 800, 1_500, 3_000, 6_000, 12_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 3_000_000, 10_000_000,
];

/// Times by bucket.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Calls by bucket, not summed up.
    pub buckets: [AtomicU64; BOUNDS.len() + 1],
    /// The sum in microseconds.
    pub sum: AtomicU64,
}

impl Histogram {
    fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|&bound| bound < micros);
        if let Some(bucket) = self.buckets.get(bucket) {
            add(bucket, 1);
        }
        add(&self.sum, micros);
    }
}

/// Adds to a counter that only this thread writes: a load and a store, no locked instruction.
fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

macro_rules! events {
    ($($variant:ident $name:literal $doc:literal),* $(,)?) => {
        /// Things that happen on connections, counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum Event {$(#[doc = $doc] $variant),*}

        impl Event {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word for labels.
            pub fn name(self) -> &'static str {
                match self {$(Self::$variant => $name),*}
            }

            /// What it is, for the metric's help.
            pub fn help(self) -> &'static str {
                match self {$(Self::$variant => $doc),*}
            }
        }
    };
}

events! {
    Accepted "accepted" "A downstream connection was opened.",
    DownstreamClosed "downstream_closed" "A downstream connection ended.",
    RefusedConnection "refused_connection" "A downstream connection was refused for a limit.",
    Text "text" "Telnet text or another protocol came to the Dubbo2 port.",
    BadFraming "bad_framing" "A downstream connection was closed for broken framing.",
    Oversize "oversize" "A frame or message above the limit was refused.",
    Stalled "stalled" "A connection was closed because bytes did not move.",
    Idle "idle" "A connection was closed because it was idle.",
    HeartbeatIn "heartbeat_in" "A heartbeat of a downstream peer was answered.",
    HeartbeatOut "heartbeat_out" "A heartbeat was sent.",
    NotGrpc "not_grpc" "A request on the Triple port was not gRPC.",
    UpstreamOpened "upstream_opened" "An upstream connection was made.",
    UpstreamFailed "upstream_failed" "An upstream connection could not be made.",
    UpstreamClosed "upstream_closed" "An upstream connection ended.",
    Readonly "readonly" "An upstream asked for no new calls (readonly event or GOAWAY).",
    LateReply "late_reply" "A reply came for a call that was given up.",
    Collateral "collateral" "A call failed because its connection was killed for another one's fault.",
    ResetSpared "reset_spared" "A stream was drained instead of reset, for the reset budget.",
    Retry "retry" "Another attempt was made.",
    Panic "panic" "A call panicked.",
    Cut "cut" "A call was cut at the drain's deadline.",
    AccessLogFull "access_log_full" "An access record was dropped because the sink was full.",
}

/// What one worker counts.
#[derive(Debug)]
pub struct Shard {
    events: [AtomicU64; Event::ALL.len()],
    limits: [AtomicU64; 6],
    /// What conversions lost by rules that allow it.
    pub lossy: Lossy,
    /// Calls in flight now.
    pub in_flight: AtomicU64,
    /// Downstream connections now.
    pub downstream: AtomicU64,
    /// Upstream connections now.
    pub upstream: AtomicU64,
    series: Mutex<Vec<Arc<Series>>>,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            events: std::array::from_fn(|_| AtomicU64::new(0)),
            limits: Default::default(),
            lossy: Lossy::default(),
            in_flight: AtomicU64::new(0),
            downstream: AtomicU64::new(0),
            upstream: AtomicU64::new(0),
            series: Mutex::default(),
        }
    }
}

impl Shard {
    /// Counts an event.
    pub fn count(&self, event: Event) {
        if let Some(counter) = self.events.get(event as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a limit that was hit.
    pub fn count_limit(&self, limit: Limit) {
        if let Some(counter) = self.limits.get(limit as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often an event happened.
    pub fn event(&self, event: Event) -> u64 {
        self.events
            .get(event as usize)
            .map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// How often a limit was hit.
    pub fn limit(&self, limit: Limit) -> u64 {
        self.limits
            .get(limit as usize)
            .map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Adds a series. Only when a worker first meets a method.
    pub fn add_series(&self, labels: Labels) -> Arc<Series> {
        let series = Arc::new(Series::new(labels));
        self.series.lock().push(series.clone());
        series
    }

    /// All series of this worker; equal labels of several workers are to be summed up.
    pub fn series(&self) -> Vec<Arc<Series>> {
        self.series.lock().clone()
    }

    /// Adds to a gauge.
    pub(crate) fn up(gauge: &AtomicU64) {
        gauge.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes from a gauge.
    pub(crate) fn down(gauge: &AtomicU64) {
        gauge.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One line of the access log: what happened to one call.
#[derive(Debug, Clone)]
pub struct AccessRecord {
    /// When the call was whole.
    pub at: SystemTime,
    /// Until its reply was handed to the writer.
    pub took: Duration,
    /// The caller's address.
    pub caller: SocketAddr,
    /// What the caller speaks.
    pub from: Wire,
    /// The service, as the Directory knows it or else as the caller named it.
    pub service: ServiceKey,
    /// The method.
    pub method: String,
    /// What the provider speaks.
    pub to: Option<Wire>,
    /// The mode in force.
    pub mode: Option<Mode>,
    /// The name of the route that matched; empty for none.
    pub route: Arc<str>,
    /// The cluster.
    pub cluster: Option<Arc<str>>,
    /// The endpoint of the last attempt.
    pub endpoint: Option<SocketAddr>,
    /// Attempts, at least 1 where an endpoint was chosen.
    pub attempts: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// The error's text.
    pub error: Option<String>,
    /// Bytes of the arguments.
    pub bytes_in: usize,
    /// Bytes of the result.
    pub bytes_out: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_outcomes_are_those_of_kinds() {
        let kinds = [
            Kind::BadRequest,
            Kind::UnknownService,
            Kind::Unsupported,
            Kind::Loop,
            Kind::NoEndpoint,
            Kind::Overloaded(Limit::Message),
            Kind::Timeout,
            Kind::Connect,
            Kind::Closed,
            Kind::BadReply,
            Kind::Aborted(14),
            Kind::Draining,
            Kind::Cancelled,
            Kind::Internal,
        ];
        for kind in kinds {
            assert_eq!(Outcome::of(&kind).name(), kind.name());
        }
    }

    #[test]
    fn times_fall_into_their_buckets() {
        let histogram = Histogram::default();
        for micros in [50, 51, 20_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let counts: Vec<u64> = histogram
            .buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed))
            .collect();
        assert_eq!((counts[0], counts[1], counts[BOUNDS.len()]), (1, 1, 1));
        assert_eq!(histogram.sum.load(Ordering::Relaxed), 20_000_101);
    }
}
