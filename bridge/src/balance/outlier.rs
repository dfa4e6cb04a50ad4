//! Takes endpoints out for a time (Envoy's `OutlierDetection`).

use std::sync::atomic::Ordering::Relaxed;

use registries::directory::{Cluster, Endpoint, Outlier};

use super::Now;

/// What an attempt said about its endpoint. A business exception is a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It answered.
    Success,
    /// It answered with what maps to an HTTP 5xx that no gateway writes.
    Failure,
    /// It could not be reached, broke off, was late, or answered with what maps to HTTP 502, 503 or 504.
    Gateway,
}

impl Verdict {
    /// The verdict of a gRPC code that the framework, not the application, answered with.
    pub fn of_code(code: u32) -> Self {
        match code {
            // DEADLINE_EXCEEDED 504, UNAVAILABLE 503.
            4 | 14 => Self::Gateway,
            // UNKNOWN, INTERNAL, DATA_LOSS 500, UNIMPLEMENTED 501.
            2 | 12 | 13 | 15 => Self::Failure,
            _ => Self::Success,
        }
    }
}

/// Counts a verdict, and takes the endpoint out when it was one too many; whether it was taken out.
pub fn report(cluster: &Cluster, endpoint: &Endpoint, verdict: Verdict, now: Now) -> bool {
    let Some(outlier) = &cluster.outlier else {
        return false;
    };
    let state = &endpoint.state;
    let reached = |limit: u32, count: u32| limit > 0 && count >= limit;
    let out = match verdict {
        Verdict::Success => {
            // Read first: a write would take the line from the other workers on every call.
            for count in [&state.failures, &state.gateway_failures] {
                if count.load(Relaxed) != 0 {
                    count.store(0, Relaxed);
                }
            }
            return false;
        }
        Verdict::Failure => {
            state.gateway_failures.store(0, Relaxed);
            reached(
                outlier.consecutive,
                state.failures.fetch_add(1, Relaxed).saturating_add(1),
            )
        }
        Verdict::Gateway => {
            let failures = state.failures.fetch_add(1, Relaxed).saturating_add(1);
            let gateway = state.gateway_failures.fetch_add(1, Relaxed).saturating_add(1);
            reached(outlier.consecutive, failures) || reached(outlier.consecutive_gateway, gateway)
        }
    };
    out && eject(cluster, outlier, endpoint, now)
}

fn eject(cluster: &Cluster, outlier: &Outlier, endpoint: &Endpoint, now: Now) -> bool {
    let state = &endpoint.state;
    let until = state.ejected_until.load(Relaxed);
    if until > now.uptime || !may_eject(cluster, outlier, now) {
        return false;
    }
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    // Every quiet interval since it came back forgives one earlier ejection.
    let quiet = (now.uptime - until) / millis(outlier.interval).max(1);
    let earlier = u64::from(state.ejections.load(Relaxed)).saturating_sub(quiet);
    let times = u32::try_from(earlier.saturating_add(1)).unwrap_or(u32::MAX);
    let length = millis(outlier.base)
        .saturating_mul(u64::from(times))
        .min(millis(outlier.max).max(millis(outlier.base)));
    let next = now.uptime.saturating_add(length);
    // One of several workers that count the last failure at once ejects.
    if state
        .ejected_until
        .compare_exchange(until, next, Relaxed, Relaxed)
        .is_err()
    {
        return false;
    }
    state.ejections.store(times, Relaxed);
    state.failures.store(0, Relaxed);
    state.gateway_failures.store(0, Relaxed);
    true
}

/// Whether one more may be out.
fn may_eject(cluster: &Cluster, outlier: &Outlier, now: Now) -> bool {
    let out = cluster
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.state.ejected_until.load(Relaxed) > now.uptime)
        .count();
    (out + 1) * 100 <= outlier.max_percent as usize * cluster.endpoints.len()
}
