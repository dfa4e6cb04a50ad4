//! The validated routing rules of a mesh host: what istiod's RDS or a file said, as plain data.
//!
//! The engine that runs them is `bridge::route`; Envoy's `config.route.v3` says what each field means.

use std::sync::Arc;
use std::time::Duration;

/// The most memory that a compiled pattern may take, in bytes.
const REGEX_SIZE: usize = 1 << 20;

/// A pattern that matches a text in full, as Envoy runs its `safe_regex`.
///
/// # Errors
///
/// The pattern is no regular expression, or a very large one.
pub fn full_match(pattern: &str) -> Result<regex::Regex, regex::Error> {
    let build = |pattern: &str| regex::RegexBuilder::new(pattern).size_limit(REGEX_SIZE).build();
    // By itself first: `a)|(b` would close the group below.
    build(pattern)?;
    build(&format!(r"\A(?:{pattern})\z"))
}

impl VirtualHost {
    /// A host whose calls all go to one cluster.
    pub fn forward_all(cluster: impl Into<Arc<str>>) -> Self {
        Self {
            routes: vec![Arc::new(Route {
                name: "".into(),
                matches: RouteMatch::any(),
                action: RouteAction::Forward(Forward::to(cluster)),
                headers_to_add: Vec::new(),
                headers_to_remove: Vec::new(),
            })],
        }
    }
}

impl RouteMatch {
    /// What applies to every call.
    pub fn any() -> Self {
        Self {
            path: PathMatch::Prefix("/".into()),
            case_sensitive: true,
            headers: Vec::new(),
            per_million: None,
            never: false,
        }
    }
}

impl Forward {
    /// All calls to one cluster, without limits of their own.
    pub fn to(cluster: impl Into<Arc<str>>) -> Self {
        Self {
            clusters: vec![WeightedCluster {
                cluster: cluster.into(),
                weight: 1,
                headers_to_add: Vec::new(),
                headers_to_remove: Vec::new(),
            }],
            timeout: None,
            retry: None,
            prefix_rewrite: None,
            host_rewrite: None,
            hash_on: Vec::new(),
            fault: None,
        }
    }
}

/// The rules of one `host:port`: routes in order, the first that matches wins.
#[derive(Debug, Clone, Default)]
pub struct VirtualHost {
    /// The rules, in order. Empty means "not routable" (istiod knows no such host).
    pub routes: Vec<Arc<Route>>,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name, from the VirtualService; empty when unnamed.
    pub name: Arc<str>,
    /// When it applies.
    pub matches: RouteMatch,
    /// What is done then.
    pub action: RouteAction,
    /// Headers set on the upstream call: name, value, and whether it is appended to what is there.
    pub headers_to_add: Vec<(Arc<str>, Arc<str>, bool)>,
    /// Headers taken off the upstream call.
    pub headers_to_remove: Vec<Arc<str>>,
}

/// When a route applies: the path and all headers.
#[derive(Debug, Clone)]
pub struct RouteMatch {
    /// How the path (`/Interface/method`) must look.
    pub path: PathMatch,
    /// Whether `path` is compared by case.
    pub case_sensitive: bool,
    /// All must hold.
    pub headers: Vec<HeaderMatch>,
    /// The share of calls it applies to, per million; `None` for all.
    pub per_million: Option<u32>,
    /// It asks for what a Triple call never has (query parameters, JWT claims): never matches.
    pub never: bool,
}

/// How a path must look.
#[derive(Debug, Clone)]
pub enum PathMatch {
    /// Begins with this.
    Prefix(Arc<str>),
    /// Is this.
    Exact(Arc<str>),
    /// Is this, or begins with this and a slash.
    SegmentPrefix(Arc<str>),
    /// Matches in full ([`full_match`] makes it).
    Regex(regex::Regex),
}

/// A condition on one header.
#[derive(Debug, Clone)]
pub struct HeaderMatch {
    /// The header's name, lower case; `:method`, `:path`, `:authority`, `:scheme` are there too.
    pub name: Arc<str>,
    /// The condition.
    pub value: ValueMatch,
    /// The result is turned round.
    pub invert: bool,
    /// A missing header counts as an empty one.
    pub missing_is_empty: bool,
}

/// A condition on a header's value; several values are joined by commas first.
#[derive(Debug, Clone)]
pub enum ValueMatch {
    /// Present (`true`), or absent.
    Present(bool),
    /// Equal; the flag ignores case (here and below).
    Exact(Arc<str>, bool),
    /// Begins with.
    Prefix(Arc<str>, bool),
    /// Ends with.
    Suffix(Arc<str>, bool),
    /// Contains.
    Contains(Arc<str>, bool),
    /// Matches in full.
    Regex(regex::Regex),
    /// An integer in `start..end`.
    Range(i64, i64),
}

/// What a route does.
#[derive(Debug, Clone)]
pub enum RouteAction {
    /// To one of these clusters, by weight.
    Forward(Forward),
    /// Answered at once, with this HTTP status and text.
    Direct {
        /// The HTTP status, mapped to a gRPC code as gRPC's `http-grpc-status-mapping.md` does.
        status: u16,
        /// The text.
        body: Arc<str>,
    },
    /// A kind of action that the gateway cannot run (redirect, cluster header): UNAVAILABLE, with this name.
    Unsupported(&'static str),
}

/// To a cluster.
#[derive(Debug, Clone)]
pub struct Forward {
    /// Clusters by weight; may be empty (then nothing can be called).
    pub clusters: Vec<WeightedCluster>,
    /// The whole call's time, retries included; `None` for no limit of the route's own.
    pub timeout: Option<Duration>,
    /// The retry policy; `None` for no retries.
    pub retry: Option<RetryPolicy>,
    /// What replaces the matched part of the path.
    pub prefix_rewrite: Option<Arc<str>>,
    /// The `:authority` upstream.
    pub host_rewrite: Option<Arc<str>>,
    /// What consistent hashing hashes, in order.
    pub hash_on: Vec<HashOn>,
    /// Injected faults.
    pub fault: Option<Fault>,
}

/// A cluster and its share.
#[derive(Debug, Clone)]
pub struct WeightedCluster {
    /// `outbound|50051|v1|host`.
    pub cluster: Arc<str>,
    /// Its weight; shares are weight over the sum of weights.
    pub weight: u32,
    /// Headers set, as in [`Route::headers_to_add`].
    pub headers_to_add: Vec<(Arc<str>, Arc<str>, bool)>,
    /// Headers taken off.
    pub headers_to_remove: Vec<Arc<str>>,
}

/// What consistent hashing hashes.
#[derive(Debug, Clone)]
pub enum HashOn {
    /// A header's value.
    Header(Arc<str>),
    /// The caller's address.
    SourceIp,
}

/// When and how often a call is tried again (Envoy's `RetryPolicy`).
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// The conditions.
    pub on: RetryOn,
    /// Extra attempts.
    pub attempts: u32,
    /// The time of one attempt.
    pub per_try_timeout: Option<Duration>,
    /// The first back-off; the n-th is random in `0..base * 2^n`, at most ten times the base.
    pub base_interval: Duration,
    /// How often another endpoint is picked when the one picked was tried already; 0 for no such rule.
    pub avoid_tried: u32,
}

/// The conditions of a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetryOn {
    /// The connection could not be made.
    pub connect_failure: bool,
    /// REFUSED_STREAM, or GOAWAY below our stream.
    pub refused_stream: bool,
    /// The stream or connection ended before the response headers.
    pub reset: bool,
    /// gRPC codes, as bits `1 << code`.
    pub codes: u32,
    /// HTTP 5xx.
    pub server_error: bool,
    /// HTTP 502, 503, 504.
    pub gateway_error: bool,
}

/// Injected faults.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// A delay and its share per million.
    pub delay: Option<(Duration, u32)>,
    /// A gRPC code and its share per million.
    pub abort: Option<(u32, u32)>,
}
