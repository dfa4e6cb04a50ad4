//! Picks an endpoint of a cluster: priority, ejection, weight, load. Pure: time and randomness are arguments.
//!
//! Nothing here allocates. What is read while picking is shared by all workers (relaxed atomics), so a pick is a good
//! guess and not a promise: [`acquire`] is where a limit is kept.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use registries::directory::{Balance, Cluster, Endpoint, Level};

mod outlier;

pub use outlier::{Verdict, report};

/// How often a random pick is repeated before the endpoints are looked through one by one.
const DRAWS: u32 = 6;

/// The time, on the two clocks that picking needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the process started.
    pub uptime: u64,
    /// Milliseconds since 1970.
    pub unix: u64,
}

/// What a pick is for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Call<'a> {
    /// What the route hashed of the call; `None` for a random hash.
    pub hash: Option<u64>,
    /// The endpoints that earlier attempts of the call tried: they are avoided while there is another.
    pub tried: &'a [SocketAddr],
    /// The time.
    pub now: Now,
}

/// The endpoint for a call; `None` when none is usable (the cluster is empty, or all are ejected and it does not panic).
///
/// The lowest priority with a usable endpoint is taken.
pub fn pick<'c>(cluster: &'c Cluster, call: &Call<'_>, rng: &mut fastrand::Rng) -> Option<&'c Arc<Endpoint>> {
    let mut tried = None;
    for level in cluster.levels() {
        match pick_in(cluster, level, call, rng) {
            Some(endpoint) if !call.tried.contains(&endpoint.address) => return Some(endpoint),
            // All usable ones of this priority were tried: a lower one may have another.
            Some(endpoint) => tried = tried.or(Some(endpoint)),
            None => {}
        }
    }
    tried
}

/// Whether [`pick`] would find an endpoint.
pub fn is_usable(cluster: &Cluster, now: Now) -> bool {
    if cluster.outlier.is_none() {
        return !cluster.endpoints.is_empty();
    }
    cluster.levels().iter().any(|level| {
        let endpoints = members(cluster, level);
        endpoints.iter().any(|endpoint| is_in(endpoint, now)) || panics(cluster, endpoints, now)
    })
}

fn members<'c>(cluster: &'c Cluster, level: &Level) -> &'c [Arc<Endpoint>] {
    cluster.endpoints.get(level.range.clone()).unwrap_or_default()
}

/// Not ejected now.
fn is_in(endpoint: &Endpoint, now: Now) -> bool {
    endpoint.state.ejected_until.load(Relaxed) <= now.uptime
}

/// So few are usable that ejection is ignored: probably it is not the endpoints that are ill.
fn panics(cluster: &Cluster, endpoints: &[Arc<Endpoint>], now: Now) -> bool {
    let Some(outlier) = cluster
        .outlier
        .as_ref()
        .filter(|outlier| outlier.panic_percent > 0)
    else {
        return false;
    };
    let usable = endpoints.iter().filter(|endpoint| is_in(endpoint, now)).count();
    usable * 100 < outlier.panic_percent as usize * endpoints.len()
}

fn pick_in<'c>(
    cluster: &'c Cluster,
    level: &Level,
    call: &Call<'_>,
    rng: &mut fastrand::Rng,
) -> Option<&'c Arc<Endpoint>> {
    // Ejection is a property of the address; a cluster without outlier detection ignores it.
    if cluster.outlier.is_none() {
        return pick_among(cluster, level, call, &|_| true, rng);
    }
    let met = Cell::new(false);
    let usable = |endpoint: &Endpoint| {
        let usable = is_in(endpoint, call.now);
        met.set(met.get() | !usable);
        usable
    };
    let picked = pick_among(cluster, level, call, &usable, rng);
    // Only who met an ejected endpoint has reason to count them.
    if met.get() && panics(cluster, members(cluster, level), call.now) {
        return pick_among(cluster, level, call, &|_| true, rng);
    }
    picked
}

fn pick_among<'c>(
    cluster: &'c Cluster,
    level: &Level,
    call: &Call<'_>,
    usable: &impl Fn(&Endpoint) -> bool,
    rng: &mut fastrand::Rng,
) -> Option<&'c Arc<Endpoint>> {
    let endpoints = members(cluster, level);
    let fresh = |endpoint: &Endpoint| usable(endpoint) && !call.tried.contains(&endpoint.address);
    let first = match cluster.balance {
        Balance::LeastRequest => least_request(endpoints, level, call.now, &fresh, rng),
        Balance::Random => draw_usable(endpoints, level, call.now, &fresh, rng),
        Balance::RoundRobin => in_turn(cluster, endpoints, level, &fresh),
        Balance::RingHash => {
            let hash = call.hash.unwrap_or_else(|| rng.u64(..));
            level.ring.as_ref().and_then(|ring| {
                ring.from(hash)
                    .filter_map(|index| endpoints.get(index))
                    .find(|endpoint| fresh(endpoint))
            })
        }
    };
    first
        .or_else(|| scan(endpoints, &fresh, rng))
        .or_else(|| scan(endpoints, usable, rng))
}

/// One at random by weight, warm-up included; the weights are those of all, so the caller checks whether it may be used.
fn draw<'c>(
    endpoints: &'c [Arc<Endpoint>],
    level: &Level,
    now: Now,
    rng: &mut fastrand::Rng,
) -> Option<&'c Arc<Endpoint>> {
    let total = *level.sums.last()?;
    let once = |rng: &mut fastrand::Rng| {
        let index = if level.equal {
            rng.usize(..endpoints.len())
        } else {
            let at = rng.u64(..total.max(1));
            level.sums.partition_point(|sum| *sum <= at)
        };
        endpoints.get(index)
    };
    let mut endpoint = once(rng)?;
    if level.warming {
        // A warming endpoint is accepted as often as its weight of now is a part of its full weight.
        for _ in 0..DRAWS {
            if accepts(endpoint, now, rng) {
                break;
            }
            endpoint = once(rng)?;
        }
    }
    Some(endpoint)
}

/// Whether a draw of a warming endpoint counts (Dubbo's `AbstractLoadBalance`, the linear form).
fn accepts(endpoint: &Endpoint, now: Now, rng: &mut fastrand::Rng) -> bool {
    let Some(warmup) = endpoint.warmup else {
        return true;
    };
    let length = u64::try_from(warmup.length.as_millis()).unwrap_or(u64::MAX);
    let up = now.unix.saturating_sub(warmup.started);
    if warmup.started == 0 || up >= length {
        return true;
    }
    let weight = u64::from(endpoint.weight);
    // The ramp is clamped to at least 1.
    let ramp = (weight.saturating_mul(up) / length.max(1)).clamp(1, weight.max(1));
    rng.u64(..weight.max(1)) < ramp
}

fn draw_usable<'c>(
    endpoints: &'c [Arc<Endpoint>],
    level: &Level,
    now: Now,
    usable: &impl Fn(&Endpoint) -> bool,
    rng: &mut fastrand::Rng,
) -> Option<&'c Arc<Endpoint>> {
    (0..DRAWS).find_map(|_| draw(endpoints, level, now, rng).filter(|endpoint| usable(endpoint)))
}

/// Two at random, and the one with fewer calls in flight for its weight; the first when both are equal, so that idle
/// endpoints share by weight.
fn least_request<'c>(
    endpoints: &'c [Arc<Endpoint>],
    level: &Level,
    now: Now,
    usable: &impl Fn(&Endpoint) -> bool,
    rng: &mut fastrand::Rng,
) -> Option<&'c Arc<Endpoint>> {
    let one = draw_usable(endpoints, level, now, usable, rng)?;
    let other = draw_usable(endpoints, level, now, usable, rng)?;
    let load = |of: &Endpoint, beside: &Endpoint| {
        u64::from(of.state.in_flight.load(Relaxed)) * u64::from(beside.weight)
    };
    Some(if load(other, one) < load(one, other) {
        other
    } else {
        one
    })
}

/// In turn. With unequal weights the turns are spread over the sum of weights by the golden ratio: every run of n turns
/// holds each endpoint within a few turns of its share, without state of its own.
fn in_turn<'c>(
    cluster: &Cluster,
    endpoints: &'c [Arc<Endpoint>],
    level: &Level,
    usable: &impl Fn(&Endpoint) -> bool,
) -> Option<&'c Arc<Endpoint>> {
    const GOLDEN: u32 = 0x9E37_79B9;
    let turn = cluster.state.turn.fetch_add(1, Relaxed);
    let start = if level.equal {
        turn as usize % endpoints.len().max(1)
    } else {
        let total = u128::from(*level.sums.last()?);
        let at = (u128::from(turn.wrapping_mul(GOLDEN)) * total) >> 32;
        level.sums.partition_point(|sum| u128::from(*sum) <= at)
    };
    let (before, after) = endpoints.split_at_checked(start)?;
    after.iter().chain(before).find(|endpoint| usable(endpoint))
}

/// One of those that may be used, by weight, in two passes.
fn scan<'c>(
    endpoints: &'c [Arc<Endpoint>],
    usable: &impl Fn(&Endpoint) -> bool,
    rng: &mut fastrand::Rng,
) -> Option<&'c Arc<Endpoint>> {
    let total: u64 = endpoints
        .iter()
        .filter(|endpoint| usable(endpoint))
        .map(|endpoint| u64::from(endpoint.weight))
        .sum();
    if total == 0 {
        return endpoints.iter().find(|endpoint| usable(endpoint));
    }
    let mut left = rng.u64(..total);
    let mut last = None;
    // What is usable may change between the passes: then the last one seen serves.
    for endpoint in endpoints.iter().filter(|endpoint| usable(endpoint)) {
        last = Some(endpoint);
        match left.checked_sub(u64::from(endpoint.weight)) {
            Some(rest) => left = rest,
            None => break,
        }
    }
    last
}

/// The cluster has as many calls in flight as it may have (reason `UO`); never retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many calls in flight in the cluster")]
pub struct Overflow;

/// A call in flight: counted in its cluster and endpoint until dropped.
#[derive(Debug)]
pub struct InFlight {
    cluster: Arc<Cluster>,
    endpoint: Arc<Endpoint>,
}

impl InFlight {
    /// The endpoint that the call goes to.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// The cluster that the call goes to.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }
}

/// Counts a call in, unless its cluster is full.
///
/// # Errors
///
/// The cluster has [`Cluster::max_requests`] calls in flight.
pub fn acquire(cluster: &Arc<Cluster>, endpoint: &Arc<Endpoint>) -> Result<InFlight, Overflow> {
    let before = cluster.state.in_flight.fetch_add(1, Relaxed);
    if before >= cluster.max_requests {
        cluster.state.in_flight.fetch_sub(1, Relaxed);
        return Err(Overflow);
    }
    endpoint.state.in_flight.fetch_add(1, Relaxed);
    Ok(InFlight {
        cluster: cluster.clone(),
        endpoint: endpoint.clone(),
    })
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.cluster.state.in_flight.fetch_sub(1, Relaxed);
        self.endpoint.state.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests;
