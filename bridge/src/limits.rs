//! What bounds memory, work and waiting on the path of a call: the checked values.
//!
//! The most memory that calls can hold follows from them: connections x (buffer + in flight x message), and is printed
//! by [`Limits::worst_case`]. The file's keys, with the reasons for their defaults, are in `config`.

use std::time::Duration;

/// What bounds memory and work.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest Dubbo2 body or Triple message, in bytes; also what one may inflate to.
    pub message: usize,
    /// The largest header list taken in, in bytes.
    pub headers_in: usize,
    /// The largest header list sent, in bytes.
    pub headers_out: usize,
    /// Downstream connections, all listeners and workers together.
    pub connections: usize,
    /// Downstream connections from one address.
    pub connections_per_peer: usize,
    /// Calls in flight on one downstream connection.
    pub in_flight: usize,
    /// Calls in flight to one endpoint, all workers together.
    pub in_flight_per_endpoint: u32,
    /// Upstream connections of one worker to one endpoint.
    pub upstream_connections: usize,
    /// Calls in flight on an upstream connection before another one is opened, while there may be one.
    pub upstream_busy: usize,
    /// Bytes waiting to be written on one connection; above it nothing more is read for that connection.
    pub write_buffer: usize,
    /// Upstream streams reset per second and connection; beyond it they are drained and discarded.
    pub resets: u32,
    /// Bridges that a call may cross.
    pub hops: u8,
    /// Service keys and methods interned by one worker.
    pub interned: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 8 << 20,
            headers_in: 64 << 10,
            headers_out: 30 << 10,
            connections: 10_000,
            connections_per_peer: 1_000,
            in_flight: 1_024,
            in_flight_per_endpoint: 4_096,
            upstream_connections: 4,
            upstream_busy: 64,
            write_buffer: 1 << 20,
            resets: 100,
            hops: 4,
            interned: 65_536,
        }
    }
}

impl Limits {
    /// The most bytes that calls and connections can hold, were all limits reached at once.
    pub fn worst_case(&self) -> u64 {
        let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let per_call = wide(self.message).saturating_mul(2);
        let per_connection = wide(self.in_flight)
            .saturating_mul(per_call)
            .saturating_add(wide(self.write_buffer))
            .saturating_add(wide(self.headers_in));
        wide(self.connections).saturating_mul(per_connection)
    }
}

/// What bounds waiting.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// A call that names no time itself, and whose service has none either.
    pub call: Duration,
    /// Making an upstream connection, where the cluster does not say.
    pub connect: Duration,
    /// An upstream connection without a call is closed after it.
    pub upstream_idle: Duration,
    /// A downstream connection on which nothing was read is closed after it (Dubbo's `CloseTimerTask`).
    pub downstream_idle: Duration,
    /// A heartbeat or PING is sent when nothing was read for it.
    pub heartbeat: Duration,
    /// A frame that began must be whole, and bytes to be written must move, within it.
    pub stalled: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(1),
            connect: Duration::from_secs(3),
            upstream_idle: Duration::from_secs(300),
            downstream_idle: Duration::from_secs(180),
            heartbeat: Duration::from_secs(60),
            stalled: Duration::from_secs(30),
        }
    }
}
