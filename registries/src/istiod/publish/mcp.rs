//! Registration by MCP over xDS: the gateway is a config source of istiod.
//!
//! istiod takes an answer as the whole truth of its kind: what is missing in it is deleted. So nothing is answered before
//! the first complete desired state, and a server that stops just closes.

mod snapshot;
mod stream;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::codegen::{BoxFuture, Service};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::istiod::publish::intake::Intake;
use crate::istiod::publish::{HoldPolicy, Registrar, Report, StartError};
use crate::istiod::wire;
use crate::publish::MeshRecords;
use snapshot::Snapshot;
use stream::{Streams, answers};

/// Where istiod finds us.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Config {
    /// The address to listen at.
    pub listen: SocketAddr,
}

/// The server.
#[derive(Debug)]
pub struct McpServer {
    listener: TcpListener,
    address: SocketAddr,
    namespace: String,
    hold: HoldPolicy,
}

impl McpServer {
    /// Opens the port. Connections wait in it until [`Registrar::run`], answers until there is a desired state.
    pub async fn bind(config: &Config, namespace: &str, hold: HoldPolicy) -> Result<Self, StartError> {
        let failed = |source| StartError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            namespace: namespace.to_owned(),
            hold,
        })
    }

    /// The address it listens at (the port is real where the config said 0).
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Registrar for McpServer {
    async fn run(
        self,
        desired: watch::Receiver<Option<Arc<MeshRecords>>>,
        report: watch::Sender<Arc<Report>>,
    ) {
        let (snapshots, current) = watch::channel(None);
        let streams = Arc::new(Streams::default());
        let service = Ads {
            current,
            streams: streams.clone(),
        };
        let incoming = TcpIncoming::from(self.listener).with_nodelay(Some(true));
        // Graceful, so that dropping this future closes the connections; the streams end with the snapshots' sender.
        let serve = Server::builder()
            .http2_keepalive_interval(Some(std::time::Duration::from_secs(30)))
            .add_service(service)
            .serve_with_incoming_shutdown(incoming, std::future::pending());
        let publish = keep(
            Intake::new(desired, self.hold),
            &self.namespace,
            snapshots,
            &streams,
            &report,
        );
        tokio::select! {
            served = serve => if let Err(error) = served {
                tracing::error!(%error, "the MCP server ended");
            },
            () = publish => {}
        }
    }
}

/// Turns desired states into snapshots, and what the streams say into reports.
async fn keep(
    mut intake: Intake,
    namespace: &str,
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    streams: &Streams,
    report: &watch::Sender<Arc<Report>>,
) {
    let mut state = Report::default();
    let mut changes = streams.changes();
    loop {
        if let Some(admitted) = intake.admit() {
            state.published = admitted.records.len();
            state.quarantined = admitted.quarantined;
            state.held = admitted.held;
            let next = Snapshot::new(&admitted.records, namespace);
            snapshots.send_if_modified(|current| {
                let same = current.as_ref().is_some_and(|current| current.is_same(&next));
                if !same {
                    *current = Some(Arc::new(next));
                }
                !same
            });
        }
        // Until the desired state changes, only the streams' progress is of interest.
        let changed = intake.changed();
        let mut changed = std::pin::pin!(changed);
        loop {
            changes.mark_unchanged();
            let current = snapshots.borrow().clone();
            let seen = streams.seen(current.as_deref());
            state.streams = seen.open;
            state.in_force = current.is_some() && seen.open > 0 && seen.current == seen.open;
            state.writes = seen.sent;
            state.error = seen.refused.or_else(|| {
                (current.is_some() && seen.open == 0).then(|| "no istiod has opened a stream".to_owned())
            });
            report.send_if_modified(|last| {
                let same = **last == state;
                if !same {
                    *last = Arc::new(state.clone());
                }
                !same
            });
            tokio::select! {
                changed = &mut changed => match changed {
                    Some(()) => break,
                    None => return,
                },
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }
}

/// The aggregated discovery service, state of the world only: istiod never asks for deltas here.
#[derive(Debug, Clone)]
struct Ads {
    current: watch::Receiver<Option<Arc<Snapshot>>>,
    streams: Arc<Streams>,
}

impl tonic::server::NamedService for Ads {
    const NAME: &'static str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
}

impl Service<http::Request<tonic::body::Body>> for Ads {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let ads = self.clone();
        Box::pin(async move {
            if request.uri().path() != wire::STATE_OF_THE_WORLD {
                return Ok(Status::unimplemented("only StreamAggregatedResources is served").into_http());
            }
            Ok(tonic::server::Grpc::new(wire::Raw).streaming(ads, request).await)
        })
    }
}

impl tonic::server::StreamingService<Bytes> for Ads {
    type Response = Bytes;
    type ResponseStream = futures_util::stream::BoxStream<'static, Result<Bytes, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let peer = request.remote_addr();
        let opened = self.streams.open(peer);
        let current = self.current.clone();
        Box::pin(async move {
            let stream = opened?;
            Ok(Response::new(answers(stream, request.into_inner(), current)))
        })
    }
}

#[cfg(test)]
mod tests;
