//! One stream of one istiod.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use prost013::Message as _;
use tokio::sync::watch;
use tonic::{Status, Streaming};
use xds_api::pb::envoy::service::discovery::v3::DiscoveryRequest;

use super::snapshot::Snapshot;

/// More streams than a mesh has istiods.
const STREAMS: usize = 64;
/// More kinds than Istio has.
const KINDS: usize = 64;
/// Longer than any `group/version/Kind`.
const TYPE_URL: usize = 256;

/// All open streams.
#[derive(Debug)]
pub(super) struct Streams {
    table: Mutex<Table>,
    changes: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    sent: u64,
    open: BTreeMap<u64, Acknowledged>,
    refused: Option<String>,
}

/// Versions by kind, as acknowledged.
type Acknowledged = BTreeMap<String, String>;

/// What the streams have come to.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) open: usize,
    /// How many have acknowledged the current snapshot.
    pub(super) current: usize,
    pub(super) sent: u64,
    pub(super) refused: Option<String>,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            table: Mutex::default(),
            changes: watch::channel(()).0,
        }
    }
}

impl Streams {
    /// Counts a new stream in, unless there are too many.
    #[allow(
        clippy::result_large_err,
        reason = "tonic's own error type, as the caller needs it"
    )]
    pub(super) fn open(self: &Arc<Self>, peer: Option<SocketAddr>) -> Result<Open, Status> {
        let id = self.change(|table| {
            if table.open.len() >= STREAMS {
                return None;
            }
            table.next += 1;
            table.open.insert(table.next, Acknowledged::new());
            Some(table.next)
        });
        let id = id.ok_or_else(|| Status::resource_exhausted("too many MCP streams"))?;
        tracing::info!(peer = ?peer, "istiod opened an MCP stream");
        Ok(Open {
            streams: self.clone(),
            id,
            peer,
        })
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub(super) fn seen(&self, snapshot: Option<&Snapshot>) -> Seen {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = |acknowledged: &&Acknowledged| {
            snapshot.is_some_and(|snapshot| {
                let kinds = Snapshot::kinds();
                kinds
                    .iter()
                    .all(|kind| acknowledged.get(*kind) == Some(&snapshot.answer(kind).version))
            })
        };
        Seen {
            open: table.open.len(),
            current: table.open.values().filter(is_current).count(),
            sent: table.sent,
            refused: table.refused.clone(),
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let changed = change(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_replace(());
        changed
    }
}

/// A stream's place in the table; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Open {
    streams: Arc<Streams>,
    id: u64,
    peer: Option<SocketAddr>,
}

impl Drop for Open {
    fn drop(&mut self) {
        tracing::info!(peer = ?self.peer, "an MCP stream ended");
        self.streams.change(|table| table.open.remove(&self.id));
    }
}

/// A kind as this stream asked for it.
#[derive(Debug)]
struct Subscription {
    type_url: String,
    /// The nonce and version of the last answer; `None` while the first is held.
    sent: Option<(String, String)>,
}

struct Answers {
    open: Open,
    requests: Streaming<Bytes>,
    current: watch::Receiver<Option<Arc<Snapshot>>>,
    kinds: BTreeMap<String, Subscription>,
    nonces: u64,
    ready: VecDeque<Bytes>,
}

/// The answers to one stream's requests, as a stream that ends when the peer, or the server, is gone.
pub(super) fn answers(
    open: Open,
    requests: Streaming<Bytes>,
    current: watch::Receiver<Option<Arc<Snapshot>>>,
) -> BoxStream<'static, Result<Bytes, Status>> {
    let answers = Answers {
        open,
        requests,
        current,
        kinds: BTreeMap::new(),
        nonces: 0,
        ready: VecDeque::new(),
    };
    stream::unfold(Some(answers), |answers| async move {
        let mut answers = answers?;
        match answers.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(answers))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    })
    .boxed()
}

impl Answers {
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Ok(Some(bytes));
            }
            tokio::select! {
                request = self.requests.message() => match request? {
                    Some(bytes) => self.request(&bytes)?,
                    None => return Ok(None),
                },
                changed = self.current.changed() => {
                    changed.map_err(|_| Status::unavailable("shutting down"))?;
                    let kinds: Vec<String> = self.kinds.keys().cloned().collect();
                    for kind in kinds {
                        self.answer(&kind);
                    }
                }
            }
        }
    }

    #[allow(
        clippy::result_large_err,
        reason = "tonic's own error type, as the stream needs it"
    )]
    fn request(&mut self, bytes: &[u8]) -> Result<(), Status> {
        let request = DiscoveryRequest::decode(bytes)
            .map_err(|error| Status::invalid_argument(format!("undecodable request: {error}")))?;
        let kind = request.type_url.rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(subscription) = self.kinds.get(&kind) {
            // istiod gives every first request a made-up nonce: only one that we gave out is an answer to us.
            if let Some((nonce, version)) = &subscription.sent
                && *nonce == request.response_nonce
            {
                self.acknowledge(
                    kind,
                    version.clone(),
                    request.error_detail.map(|detail| detail.message),
                );
            }
            return Ok(());
        }
        if request.type_url.len() > TYPE_URL || self.kinds.len() >= KINDS || kind.is_empty() {
            return Err(Status::invalid_argument("too many kinds, or no kind"));
        }
        let subscription = Subscription {
            type_url: request.type_url,
            sent: None,
        };
        self.kinds.insert(kind.clone(), subscription);
        self.answer(&kind);
        Ok(())
    }

    fn acknowledge(&self, kind: String, version: String, refused: Option<String>) {
        if let Some(error) = &refused {
            tracing::warn!(kind, error, "istiod refused our records");
        }
        self.open.streams.change(|table| match refused {
            Some(error) => table.refused = Some(format!("istiod refused {kind}: {error}")),
            None => {
                table.refused = None;
                if let Some(acknowledged) = table.open.get_mut(&self.open.id) {
                    acknowledged.insert(kind, version);
                }
            }
        });
    }

    /// Readies the answer of a kind, unless there is none yet or the peer has exactly that.
    fn answer(&mut self, kind: &str) {
        let current = self.current.borrow_and_update().clone();
        let (Some(snapshot), Some(subscription)) = (current, self.kinds.get_mut(kind)) else {
            return;
        };
        let answer = snapshot.answer(kind);
        if subscription
            .sent
            .as_ref()
            .is_some_and(|(_, version)| *version == answer.version)
        {
            return;
        }
        self.nonces += 1;
        let nonce = format!("landbridge-{}", self.nonces);
        self.ready
            .push_back(answer.response(&subscription.type_url, &nonce).into());
        subscription.sent = Some((nonce, answer.version.clone()));
        self.open.streams.change(|table| table.sent += 1);
    }
}
