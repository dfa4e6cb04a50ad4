//! The sections `limits`, `timeouts` and `drain`: what bounds memory, work and waiting.

use serde::{Deserialize, Serialize};

use super::text::{Size, Time};

/// What bounds memory and work. Each has a metric that counts when it is hit.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest Dubbo2 frame or Triple message. 8 MiB is Dubbo's own `payload`: what a legacy peer would refuse anyway.
    pub message: Size,
    /// The most bytes of HTTP/2 headers in one list. 16 KiB is twice what Java's Triple server takes.
    pub headers: Size,
    /// Open downstream connections, all listeners together. Dubbo holds one for each consumer process.
    pub connections: u32,
    /// Open downstream connections from one address.
    pub connections_per_peer: u32,
    /// Calls in flight on one downstream connection. Above it a call is answered "overloaded" and the connection lives.
    pub in_flight_per_connection: u32,
    /// Calls in flight to one endpoint, all workers together.
    pub in_flight_per_endpoint: u32,
    /// How deep a decoded value may nest. hessian-lite's own recursion ends near 1,000.
    pub depth: u32,
    /// How many bridges one call may cross before it is a loop.
    pub hops: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: Size(8 << 20),
            headers: Size(16 << 10),
            connections: 10_000,
            connections_per_peer: 1_000,
            in_flight_per_connection: 1_024,
            in_flight_per_endpoint: 4_096,
            depth: 128,
            hops: 4,
        }
    }
}

/// What bounds waiting.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// A call that names no time itself. 1 s is Dubbo's own default.
    pub call: Time,
    /// Making an upstream connection. 3 s is Dubbo's own default.
    pub connect: Time,
    /// How long an upstream connection stays open without a call.
    pub idle: Time,
    /// How long a downstream connection may leave a frame unfinished.
    pub stalled: Time,
    /// How long the start waits for the registries' first view before it serves what it has.
    pub first_view: Time,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            call: Time::secs(1),
            connect: Time::secs(3),
            idle: Time::secs(300),
            stalled: Time::secs(30),
            first_view: Time::secs(10),
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
