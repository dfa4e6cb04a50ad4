//! The operator's port: health, readiness, metrics, and what the gateway knows.

mod dump;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use codecs::ServiceKey;
use registries::directory::{Directory, Island};
use serde::{Deserialize, Serialize};
use serde_saphyr::{Location, Spanned};
use tokio::sync::watch;

use crate::app::Announced;
use crate::config::place::{Problem, Source};
use crate::config::text::{Bind, Secret};
use crate::explain::Becomes;
use crate::worker::Shard;

pub use dump::{EndpointLine, ServiceLine};

/// The section `admin`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address to listen on. Loopback unless told otherwise: what it shows names every service of the company.
    pub bind: Spanned<Bind>,
    /// What a caller must send as `Authorization: Bearer …`; needed where `bind` is not loopback. Health and readiness
    /// are answered without it.
    pub token: Option<Secret>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: Spanned {
                value: Bind(SocketAddr::from(([127, 0, 0, 1], 9880))),
                referenced: Location::UNKNOWN,
                defined: Location::UNKNOWN,
            },
            token: None,
        }
    }
}

impl Config {
    /// Adds what is wrong with the section to `problems`.
    pub(crate) fn check(&self, source: &Source, problems: &mut Vec<Problem>) {
        let empty = self.token.as_ref().is_some_and(|token| token.reveal().is_empty());
        let guarded = self.token.is_some() && !empty;
        if !self.bind.value.0.ip().is_loopback() && !guarded {
            let message = format!("admin listens on {} without a token", self.bind.value);
            let hint = "set `admin.token`, or bind to 127.0.0.1";
            problems.push(source.problem(self.bind.referenced, message).hint(hint));
        }
    }
}

/// What the port shows: snapshots and counters that others keep up to date.
#[derive(Clone)]
pub(crate) struct Facts {
    /// The current Directory.
    pub(crate) directory: Arc<ArcSwap<Directory>>,
    /// The effective configuration, secrets hidden.
    pub(crate) config: Arc<ArcSwap<serde_json::Value>>,
    /// What the workers count.
    pub(crate) shards: Arc<[Arc<Shard>]>,
    /// How the announcements are doing; `None` before they begin.
    pub(crate) announced: Arc<ArcSwap<Option<Report>>>,
    /// Whether the gateway has begun to serve, and whether it is stopping.
    pub(crate) phase: watch::Receiver<Phase>,
    /// What the listeners make of their calls.
    pub(crate) becomes: Becomes,
    /// What a caller must send; `None` on loopback without one.
    pub(crate) token: Option<Secret>,
}

/// Asks the announcements how they are doing.
pub(crate) type Report = Box<dyn Fn() -> Announced + Send + Sync>;

/// Where the gateway is between its start and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Ports are open; the registries have not all been heard.
    Starting,
    /// Calls are served.
    Serving,
    /// Records are withdrawn, calls in flight end.
    Draining,
}

/// Whether consumers may be sent here, and what speaks against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Consumers may be sent here.
    pub ready: bool,
    /// What it waits for; empty when ready.
    pub waiting: Vec<String>,
    /// What is served from an old view.
    pub stale: Vec<String>,
}

impl Readiness {
    /// Of a phase and the sources' states.
    pub fn of(phase: Phase, directory: &Directory) -> Self {
        let mut readiness = Self {
            ready: false,
            waiting: Vec::new(),
            stale: Vec::new(),
        };
        match phase {
            Phase::Starting => readiness.waiting.push("the gateway is starting".to_owned()),
            Phase::Draining => readiness.waiting.push("the gateway is stopping".to_owned()),
            Phase::Serving => {}
        }
        for island in [Island::Legacy, Island::Mesh] {
            let source = directory.source(island);
            let because = source
                .error
                .as_deref()
                .map(|error| format!(": {error}"))
                .unwrap_or_default();
            if source.configured && !source.synced {
                let text = format!("the {} registry was never complete{because}", island.as_str());
                readiness.waiting.push(text);
            } else if source.configured && !source.connected {
                readiness.stale.push(format!(
                    "the {} registry is not connected{because}",
                    island.as_str()
                ));
            }
        }
        readiness.ready = readiness.waiting.is_empty();
        readiness
    }
}

/// The port's pages.
pub(crate) fn router(facts: Facts) -> Router {
    let open = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz));
    let guarded = Router::new()
        .route("/metrics", get(metrics))
        .route("/v1/config", get(config))
        .route("/v1/directory", get(directory))
        .route("/v1/services", get(services))
        .route("/v1/announced", get(announced))
        .route("/v1/explain/{*service}", get(explain))
        .layer(axum::middleware::from_fn_with_state(facts.clone(), guard));
    open.merge(guarded).with_state(facts)
}

async fn guard(State(facts): State<Facts>, request: Request, next: Next) -> Response {
    let Some(token) = &facts.token else {
        return next.run(request).await;
    };
    let sent = request.headers().get(header::AUTHORIZATION);
    let sent = sent.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if sent.is_some_and(|sent| equal(sent, token.reveal().as_bytes())) {
        return next.run(request).await;
    }
    let text = "send the token as `Authorization: Bearer TOKEN`\n";
    (
        StatusCode::UNAUTHORIZED,
        [(header::WWW_AUTHENTICATE, "Bearer")],
        text,
    )
        .into_response()
}

/// Compares without telling by its time how much was right.
fn equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

async fn readyz(State(facts): State<Facts>) -> Response {
    let readiness = Readiness::of(*facts.phase.borrow(), &facts.directory.load());
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

async fn metrics(State(facts): State<Facts>) -> Response {
    let text = crate::telemetry::metrics::render(&facts.shards, &facts.directory.load(), SystemTime::now());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn config(State(facts): State<Facts>) -> Response {
    Json(&**facts.config.load()).into_response()
}

async fn directory(State(facts): State<Facts>) -> Response {
    Json(dump::directory(&facts.directory.load())).into_response()
}

async fn services(State(facts): State<Facts>) -> Response {
    Json(dump::services(&facts.directory.load())).into_response()
}

async fn announced(State(facts): State<Facts>) -> Response {
    let announced = facts.announced.load();
    Json((**announced).as_ref().map(|report| report()).unwrap_or_default()).into_response()
}

async fn explain(State(facts): State<Facts>, Path(service): Path<String>) -> Response {
    let key: ServiceKey = match service.parse() {
        Ok(key) => key,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let now = crate::worker::now(tokio::time::Instant::now());
    match crate::explain::explain(&facts.directory.load(), &key, facts.becomes, now) {
        Some(explanation) => Json(explanation).into_response(),
        None => (
            StatusCode::NOT_FOUND,
            format!("no registry, file or binding names {key}\n"),
        )
            .into_response(),
    }
}
