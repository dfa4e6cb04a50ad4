//! Where a call goes: the service's stage picks the island, the mesh's rules pick the cluster. Pure: the random number
//! generator is an argument.
//!
//! [`decide`] runs once a call; retries stay in the cluster it chose. Nothing here allocates
//! unless a rule matches a path by pattern, or rewrites one.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use codecs::Encoding;
use registries::directory::{Cluster, Island, MeshSide, Service};
use registries::route::{Forward, RetryPolicy, Route, RouteAction, WeightedCluster};

use crate::balance::{self, Now};

mod action;
mod matching;
mod mode;

pub use mode::{Choice, Reason as ModeReason, choose as choose_mode};

/// What routing sees of a call; headers are read when a rule asks for them.
pub trait Request {
    /// The service and the method as the path names them in the mesh: `/service/method`. For a Dubbo2 call of a method
    /// with a protobuf binding these are the protobuf names, else the Java names.
    fn path(&self) -> (&str, &str);

    /// The value of a header (or attachment) by its lower-case name; several values joined by commas.
    fn header(&self, name: &str) -> Option<Cow<'_, str>>;

    /// What the caller wrote as authority; `None` for Dubbo2.
    fn authority(&self) -> Option<&str> {
        None
    }

    /// The caller's address.
    fn source(&self) -> Option<IpAddr> {
        None
    }

    /// It arrived by TLS.
    fn is_tls(&self) -> bool {
        false
    }
}

/// Where a call goes, and what is done to it on the way.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The island whose natives take it.
    pub island: Island,
    /// The cluster.
    pub cluster: Arc<Cluster>,
    /// The host in the mesh, for `:authority`; `None` for legacy natives.
    pub host: Option<Arc<str>>,
    /// The mesh rule that matched; `None` for legacy natives.
    pub route: Option<Arc<Route>>,
    /// What consistent hashing made of the call; for [`balance::Call::hash`].
    pub hash: Option<u64>,
    /// An injected delay, to be waited out before anything else.
    pub delay: Option<Duration>,
    /// Why this island.
    pub why: Why,
    weighted: usize,
}

/// Why a call goes to an island.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The caller's own island has a usable native.
    Own,
    /// The caller's own island has no usable native.
    OtherForLackOfOwn,
    /// The listener says what all its calls become.
    Listener,
}

/// Why a call goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRouted {
    /// The gRPC code that says so.
    pub code: u32,
    /// The reason.
    pub reason: Reason,
    /// In words, for the caller.
    pub text: Cow<'static, str>,
    /// An injected delay, to be waited out before the answer.
    pub delay: Option<Duration>,
}

/// Tokens of why a call is not routed, Envoy's response flags where it has one: stable, logged, and labels of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub enum Reason {
    /// No route.
    NR,
    /// No such cluster.
    NC,
    /// No healthy endpoint.
    UH,
    /// A cap on calls in flight.
    UO,
    /// No connection to the endpoint.
    UF,
    /// The time was up.
    UT,
    /// An injected abort.
    FI,
    /// An injected delay.
    DI,
    /// All retries failed.
    URX,
    /// The rule answers by itself.
    DR,
}

impl Reason {
    /// The token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NR => "NR",
            Self::NC => "NC",
            Self::UH => "UH",
            Self::UO => "UO",
            Self::UF => "UF",
            Self::UT => "UT",
            Self::FI => "FI",
            Self::DI => "DI",
            Self::URX => "URX",
            Self::DR => "DR",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for NotRouted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.text, self.reason)
    }
}

impl std::error::Error for NotRouted {}

const UNAVAILABLE: u32 = 14;

impl NotRouted {
    fn unavailable(reason: Reason, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: UNAVAILABLE,
            reason,
            text: text.into(),
            delay: None,
        }
    }
}

/// Where a call from an island goes.
///
/// Stage `bridge` (and `observe`, for calls that arrive all the same): to the caller's own island, or to the other when
/// its own has no usable endpoint.
///
/// # Errors
///
/// No island can take it, or the rules of the mesh say so.
pub fn decide(
    service: &Service,
    caller: Island,
    request: &impl Request,
    now: Now,
    rng: &mut fastrand::Rng,
) -> Result<Decision, NotRouted> {
    if let Some((island, why)) = prefer(service, caller, now) {
        return decide_in(service, island, why, request, rng);
    }
    // Nobody is there: the rules of the mesh may still answer by themselves, or say what is wrong.
    let side = [caller, caller.other()]
        .into_iter()
        .find(|island| exists(service, *island));
    let Some(island) = side else {
        let text = format!("no provider of {} in either island", service.key);
        return Err(NotRouted::unavailable(Reason::NR, text));
    };
    let delay = decide_in(service, island, Why::Own, request, rng)?.delay;
    let text = format!(
        "no usable endpoint of {} in the {} island",
        service.key,
        island.as_str()
    );
    Err(NotRouted {
        delay,
        ..NotRouted::unavailable(Reason::UH, text)
    })
}

/// The island whose natives take a call from an island now, and why; `None` when neither has a usable one.
pub fn prefer(service: &Service, caller: Island, now: Now) -> Option<(Island, Why)> {
    let order = [(caller, Why::Own), (caller.other(), Why::OtherForLackOfOwn)];
    order
        .into_iter()
        .find(|(island, _)| is_usable(service, *island, now))
}

fn exists(service: &Service, island: Island) -> bool {
    match island {
        Island::Legacy => service.legacy.is_some(),
        Island::Mesh => service.mesh.is_some(),
    }
}

/// The island that speaks an encoding, for calls that a listener turns into it.
pub fn island_of(becomes: Encoding) -> Island {
    match becomes {
        Encoding::Hessian2 | Encoding::Opaque(_) => Island::Legacy,
        Encoding::Wrapper | Encoding::Protobuf => Island::Mesh,
    }
}

/// An island is usable when a call could reach an endpoint there now: in the mesh by whatever rule.
pub fn is_usable(service: &Service, island: Island, now: Now) -> bool {
    match island {
        Island::Legacy => service
            .legacy
            .as_ref()
            .is_some_and(|side| balance::is_usable(&side.cluster, now)),
        Island::Mesh => service.mesh.as_ref().is_some_and(|side| {
            !side.routes.routes.is_empty()
                && side
                    .clusters
                    .iter()
                    .any(|cluster| balance::is_usable(cluster, now))
        }),
    }
}

/// Where a call goes in an island that was chosen otherwise (a translator's listener says what its calls become).
///
/// # Errors
///
/// The service has nothing there, or the rules of the mesh say so.
pub fn decide_in(
    service: &Service,
    island: Island,
    why: Why,
    request: &impl Request,
    rng: &mut fastrand::Rng,
) -> Result<Decision, NotRouted> {
    let missing = || {
        let text = format!("no provider of {} in the {} island", service.key, island.as_str());
        NotRouted::unavailable(Reason::NR, text)
    };
    match island {
        Island::Legacy => {
            let side = service.legacy.as_ref().ok_or_else(missing)?;
            Ok(Decision {
                island,
                cluster: side.cluster.clone(),
                host: None,
                route: None,
                hash: None,
                delay: None,
                why,
                weighted: 0,
            })
        }
        Island::Mesh => follow(service.mesh.as_ref().ok_or_else(missing)?, why, request, rng),
    }
}

/// By the rules of the mesh, in order; the first that matches wins.
fn follow(
    side: &MeshSide,
    why: Why,
    request: &impl Request,
    rng: &mut fastrand::Rng,
) -> Result<Decision, NotRouted> {
    let route = side
        .routes
        .routes
        .iter()
        .find(|route| matching::matches(&route.matches, side, request, rng))
        .ok_or_else(|| NotRouted::unavailable(Reason::NR, "no mesh route"))?;
    let forward = match &route.action {
        RouteAction::Forward(forward) => forward,
        RouteAction::Direct { status, body } => {
            return Err(NotRouted {
                code: code_of_http(*status),
                reason: Reason::DR,
                text: Cow::Owned(body.to_string()),
                delay: None,
            });
        }
        RouteAction::Unsupported(kind) => {
            let text = format!("mesh route asks for {kind}, which the gateway cannot do");
            return Err(NotRouted::unavailable(Reason::NR, text));
        }
    };
    let delay = action::inject(forward.fault.as_ref(), rng)?;
    let refused = |text: String| NotRouted {
        delay,
        ..NotRouted::unavailable(Reason::NC, text)
    };
    let weighted = action::draw(&forward.clusters, rng)
        .ok_or_else(|| refused("mesh route names no cluster with a weight".to_owned()))?;
    let name = forward.clusters.get(weighted).map(|cluster| &cluster.cluster);
    let cluster = name.and_then(|name| side.cluster(name)).ok_or_else(|| {
        refused(format!(
            "mesh route names the unknown cluster {}",
            name.map_or("", |name| name)
        ))
    })?;
    Ok(Decision {
        island: Island::Mesh,
        cluster: cluster.clone(),
        host: Some(side.host.clone()),
        route: Some(route.clone()),
        hash: action::hash(&forward.hash_on, request),
        delay,
        why,
        weighted,
    })
}

impl Decision {
    fn forward(&self) -> Option<&Forward> {
        match &self.route.as_ref()?.action {
            RouteAction::Forward(forward) => Some(forward),
            _ => None,
        }
    }

    fn weighted(&self) -> Option<&WeightedCluster> {
        self.forward()?.clusters.get(self.weighted)
    }

    /// The time of the whole call by the mesh route, retries included; `None` for no limit of its own.
    pub fn timeout(&self) -> Option<Duration> {
        self.forward()?.timeout
    }

    /// The mesh route's retry policy; `None` for no retries by it.
    pub fn retry(&self) -> Option<&RetryPolicy> {
        self.forward()?.retry.as_ref()
    }

    /// The `:authority` upstream, without the port where the rule rewrites it.
    pub fn authority(&self) -> Option<&str> {
        self.forward()
            .and_then(|forward| forward.host_rewrite.as_deref())
            .or(self.host.as_deref())
    }

    /// Headers to set upstream, in the order in which they are applied: name, value, and whether it is appended.
    ///
    /// Values are literal; `%…%` commands are expanded by [`expand`].
    pub fn headers_to_add(&self) -> impl Iterator<Item = &(Arc<str>, Arc<str>, bool)> {
        let of_cluster = self.weighted().map(|cluster| cluster.headers_to_add.as_slice());
        let of_route = self.route.as_ref().map(|route| route.headers_to_add.as_slice());
        of_cluster.into_iter().chain(of_route).flatten()
    }

    /// Headers to take off upstream, less those that no rule may touch.
    pub fn headers_to_remove(&self) -> impl Iterator<Item = &str> {
        let of_cluster = self
            .weighted()
            .map(|cluster| cluster.headers_to_remove.as_slice());
        let of_route = self
            .route
            .as_ref()
            .map(|route| route.headers_to_remove.as_slice());
        of_cluster
            .into_iter()
            .chain(of_route)
            .flatten()
            .map(|name| &**name)
            .filter(|name| !is_protected(name))
    }

    /// The path upstream when the rule rewrites it; `None` when it stays as it is.
    pub fn rewritten_path(&self, service: &str, method: &str) -> Option<String> {
        let rewrite = self.forward()?.prefix_rewrite.as_deref()?;
        Some(action::rewrite(
            &self.route.as_ref()?.matches.path,
            rewrite,
            service,
            method,
        ))
    }
}

/// Whether no rule may touch a header: the wire needs it as it is.
pub fn is_protected(name: &str) -> bool {
    name.starts_with(':') || name.starts_with("grpc-") || matches!(name, "te" | "content-type" | "host")
}

/// A header's value with Envoy's commands put in: `%%`, `%REQ(name)%`, the caller's address; others become `-`.
pub fn expand<'v>(value: &'v str, request: &impl Request) -> Cow<'v, str> {
    action::expand(value, request)
}

/// The gRPC code of an HTTP status (gRPC's `http-grpc-status-mapping.md`).
pub fn code_of_http(status: u16) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => UNAVAILABLE,
        _ => 2,
    }
}

#[cfg(test)]
mod tests;
