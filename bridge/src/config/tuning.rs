//! The sections `limits`, `timeouts` and `drain`: what bounds memory, work and waiting.

use serde::{Deserialize, Serialize};

use super::text::{Size, Time};
use crate::limits;

/// What each key may be. Only what the gateway could not work with is refused: it would answer no call, or never wait.
mod ranges {
    use serde::Deserializer;

    use super::{Size, Time};
    use crate::config::text::{bounded, whole};

    macro_rules! ranges {
        ($($name:ident: $type:ty = $read:ident($key:literal, $least:expr, $most:expr);)*) => {$(
            pub(super) fn $name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                $read(deserializer, $key, $least..=$most)
            }
        )*};
    }

    /// What holds the smallest useful message or header list.
    const KIB: Size = Size(1 << 10);
    const MIB16: Size = Size(16 << 20);
    const GIB: Size = Size(1 << 30);
    const LEAST: Time = Time::millis(1);
    const DAY: Time = Time::secs(86_400);

    ranges! {
        message: Size = bounded("limits.message", KIB, GIB);
        headers_in: Size = bounded("limits.headers_in", KIB, MIB16);
        headers_out: Size = bounded("limits.headers_out", KIB, MIB16);
        connections: u32 = whole("limits.connections", 1, u32::MAX);
        connections_per_peer: u32 = whole("limits.connections_per_peer", 1, u32::MAX);
        in_flight_per_connection: u32 = whole("limits.in_flight_per_connection", 1, u32::MAX);
        in_flight_per_endpoint: u32 = whole("limits.in_flight_per_endpoint", 1, u32::MAX);
        upstream_connections: u32 = whole("limits.upstream_connections", 1, u32::MAX);
        upstream_busy: u32 = whole("limits.upstream_busy", 1, u32::MAX);
        write_buffer: Size = bounded("limits.write_buffer", KIB, GIB);
        hops: u8 = whole("limits.hops", 1, u8::MAX);
        interned: u32 = whole("limits.interned", 1, u32::MAX);
        call: Time = bounded("timeouts.call", LEAST, DAY);
        connect: Time = bounded("timeouts.connect", LEAST, DAY);
        upstream_idle: Time = bounded("timeouts.upstream_idle", LEAST, DAY);
        downstream_idle: Time = bounded("timeouts.downstream_idle", LEAST, DAY);
        heartbeat: Time = bounded("timeouts.heartbeat", LEAST, DAY);
        stalled: Time = bounded("timeouts.stalled", LEAST, DAY);
    }
}

/// What bounds memory and work. Each has a metric that counts when it is hit.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest Dubbo2 body or Triple message. 8 MiB is Dubbo's own `payload`: what a legacy peer would refuse anyway.
    #[serde(deserialize_with = "ranges::message")]
    pub message: Size,
    /// The largest HTTP/2 header list taken in. Stack traces in trailers are larger than what Java itself accepts.
    #[serde(deserialize_with = "ranges::headers_in")]
    pub headers_in: Size,
    /// The largest header list sent: Netty gives up above 32 KiB.
    #[serde(deserialize_with = "ranges::headers_out")]
    pub headers_out: Size,
    /// Open downstream connections, all listeners together. Dubbo holds one for each consumer process.
    #[serde(deserialize_with = "ranges::connections")]
    pub connections: u32,
    /// Open downstream connections from one address.
    #[serde(deserialize_with = "ranges::connections_per_peer")]
    pub connections_per_peer: u32,
    /// Calls in flight on one downstream connection. Above it a call is answered "overloaded" and the connection lives.
    #[serde(deserialize_with = "ranges::in_flight_per_connection")]
    pub in_flight_per_connection: u32,
    /// Calls in flight to one endpoint, all workers together.
    #[serde(deserialize_with = "ranges::in_flight_per_endpoint")]
    pub in_flight_per_endpoint: u32,
    /// Upstream connections of one worker to one endpoint.
    #[serde(deserialize_with = "ranges::upstream_connections")]
    pub upstream_connections: u32,
    /// Calls in flight on an upstream connection before another is opened.
    #[serde(deserialize_with = "ranges::upstream_busy")]
    pub upstream_busy: u32,
    /// Bytes waiting to be written on one connection; above it nothing more is read from its peer.
    #[serde(deserialize_with = "ranges::write_buffer")]
    pub write_buffer: Size,
    /// Upstream streams reset per second and connection. Peers answer some hundred with GOAWAY for everybody.
    pub resets: u32,
    /// How many bridges one call may cross before it is a loop.
    #[serde(deserialize_with = "ranges::hops")]
    pub hops: u8,
    /// Services and methods that one worker keeps counters for.
    #[serde(deserialize_with = "ranges::interned")]
    pub interned: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: Size(8 << 20),
            headers_in: Size(64 << 10),
            headers_out: Size(30 << 10),
            connections: 10_000,
            connections_per_peer: 1_000,
            in_flight_per_connection: 1_024,
            in_flight_per_endpoint: 4_096,
            upstream_connections: 4,
            upstream_busy: 64,
            write_buffer: Size(1 << 20),
            resets: 100,
            hops: 4,
            interned: 65_536,
        }
    }
}

/// What bounds waiting.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// A call that names no time itself, and whose service has none. 1 s is Dubbo's own default.
    #[serde(deserialize_with = "ranges::call")]
    pub call: Time,
    /// Making an upstream connection, where the cluster does not say. 3 s is Dubbo's own default.
    #[serde(deserialize_with = "ranges::connect")]
    pub connect: Time,
    /// An upstream connection without a call is closed after it.
    #[serde(deserialize_with = "ranges::upstream_idle")]
    pub upstream_idle: Time,
    /// A downstream connection on which nothing was read is closed after it: three of Dubbo's heartbeats.
    #[serde(deserialize_with = "ranges::downstream_idle")]
    pub downstream_idle: Time,
    /// A heartbeat or PING is sent when nothing was read for it. 60 s is Dubbo's own.
    #[serde(deserialize_with = "ranges::heartbeat")]
    pub heartbeat: Time,
    /// A frame that began must be whole, and bytes to be written must move, within it.
    #[serde(deserialize_with = "ranges::stalled")]
    pub stalled: Time,
    /// How long the start waits for the registries' first view before it serves what it has.
    pub first_view: Time,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            call: Time::secs(1),
            connect: Time::secs(3),
            upstream_idle: Time::secs(300),
            downstream_idle: Time::secs(180),
            heartbeat: Time::secs(60),
            stalled: Time::secs(30),
            first_view: Time::secs(10),
        }
    }
}

impl Limits {
    /// As the workers take them.
    pub(crate) fn checked(&self) -> limits::Limits {
        let bytes = |size: Size| usize::try_from(size.0).unwrap_or(usize::MAX);
        let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        limits::Limits {
            message: bytes(self.message),
            headers_in: bytes(self.headers_in),
            headers_out: bytes(self.headers_out),
            connections: count(self.connections),
            connections_per_peer: count(self.connections_per_peer),
            in_flight: count(self.in_flight_per_connection),
            in_flight_per_endpoint: self.in_flight_per_endpoint,
            upstream_connections: count(self.upstream_connections),
            upstream_busy: count(self.upstream_busy),
            write_buffer: bytes(self.write_buffer),
            resets: self.resets,
            hops: self.hops,
            interned: count(self.interned),
        }
    }
}

impl Timeouts {
    /// As the workers take them.
    pub(crate) fn checked(&self) -> limits::Timeouts {
        limits::Timeouts {
            call: self.call.0,
            connect: self.connect.0,
            upstream_idle: self.upstream_idle.0,
            downstream_idle: self.downstream_idle.0,
            heartbeat: self.heartbeat.0,
            stalled: self.stalled.0,
        }
    }
}

/// How the gateway stops. Both stages together stay below Kubernetes' 30 s before it kills a pod.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Drain {
    /// How long consumers have to hear that our records are gone; calls are still taken.
    pub propagation: Time,
    /// How long calls in flight have after that.
    pub deadline: Time,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            propagation: Time::secs(10),
            deadline: Time::secs(15),
        }
    }
}
