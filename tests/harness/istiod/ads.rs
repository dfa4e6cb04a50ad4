//! Delta ADS as istiod speaks it (facts 10 to 21 in `tests/peers/istiod/README.md`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use prost013::Message as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tonic::codegen::{BoxFuture, Service};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use xds_api::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource as Envelope,
};
use xds_api::pb::google::protobuf::Any;

use super::wire::Raw;
use super::xds::{self, Resource};
use super::{Event, Kind, Shared};

const PATH: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let service = Ads {
        shared: shared.clone(),
    };
    let incoming = stream::unfold(listener, move |listener| {
        let shared = shared.clone();
        async move {
            loop {
                match listener.accept().await {
                    // The real one has not opened its port yet.
                    Ok((_, _)) if !shared.store().is_ready() => {}
                    Ok((socket, _)) => {
                        let _ = socket.set_nodelay(true);
                        return Some((Ok::<TcpStream, std::io::Error>(socket), listener));
                    }
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        }
    });
    let served = Server::builder()
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, std::future::pending::<()>());
    if let Err(error) = served.await {
        tracing::warn!(%error, "the simulated istiod ended");
    }
}

#[derive(Debug, Clone)]
struct Ads {
    shared: Arc<Shared>,
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
            if request.uri().path() != PATH {
                return Ok(Status::unimplemented("only DeltaAggregatedResources is simulated").into_http());
            }
            Ok(tonic::server::Grpc::new(Raw).streaming(ads, request).await)
        })
    }
}

impl tonic::server::StreamingService<Bytes> for Ads {
    type Response = Bytes;
    type ResponseStream = BoxStream<'static, Result<Bytes, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let shared = self.shared.clone();
        Box::pin(async move {
            let switches = shared.switches().clone();
            if switches.reject {
                return Err(Status::unavailable("rejected by the test"));
            }
            let session = Session {
                changed: shared.changed.subscribe(),
                shared,
                requests: request.into_inner(),
                tracked: BTreeMap::new(),
                opened_after: switches.dropped,
                pushes: switches.pushes,
                nonces: 0,
                ready: VecDeque::new(),
                greeted: false,
            };
            let responses = stream::unfold(Some(session), |session| async move {
                let mut session = session?;
                match session.next().await {
                    Ok(Some(bytes)) => Some((Ok(bytes), Some(session))),
                    Ok(None) => None,
                    Err(status) => Some((Err(status), None)),
                }
            });
            Ok(Response::new(responses.boxed()))
        })
    }
}

/// What one stream asked for of a type, and was sent.
#[derive(Debug, Default)]
struct Tracked {
    names: BTreeSet<String>,
    sent: BTreeMap<String, Resource>,
    /// Names claimed in the first request, until it is answered.
    claimed: Option<BTreeSet<String>>,
}

struct Session {
    shared: Arc<Shared>,
    requests: Streaming<Bytes>,
    changed: watch::Receiver<u64>,
    tracked: BTreeMap<Kind, Tracked>,
    opened_after: u64,
    pushes: u64,
    nonces: u64,
    ready: VecDeque<Bytes>,
    greeted: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.say(Event::Closed);
    }
}

impl Session {
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Ok(Some(bytes));
            }
            tokio::select! {
                biased;
                changed = self.changed.changed() => {
                    if changed.is_err() {
                        return Ok(None);
                    }
                    let switches = self.shared.switches().clone();
                    if switches.dropped > self.opened_after {
                        return Err(Status::unavailable("dropped by the test"));
                    }
                    if switches.pushes > self.pushes && !switches.hold {
                        self.pushes = switches.pushes;
                        for tracked in self.tracked.values_mut() {
                            tracked.sent.clear();
                        }
                    }
                    self.refresh();
                }
                request = self.requests.message() => {
                    let Some(bytes) = request? else { return Ok(None) };
                    let request = DeltaDiscoveryRequest::decode(bytes)
                        .map_err(|error| Status::invalid_argument(error.to_string()))?;
                    self.request(request);
                }
            }
        }
    }

    fn request(&mut self, request: DeltaDiscoveryRequest) {
        if !self.greeted {
            self.greeted = true;
            let node = request
                .node
                .as_ref()
                .map(|node| node.id.clone())
                .unwrap_or_default();
            if node.split('~').count() != 4 {
                self.misuse(format!("node id {node:?}"));
            }
            self.shared.say(Event::Opened { node });
        }
        let Some(kind) = xds::kind_of(&request.type_url) else {
            return self.misuse(format!("type {:?}", request.type_url));
        };
        let subscribe: BTreeSet<String> = request.resource_names_subscribe.into_iter().collect();
        let unsubscribe: BTreeSet<String> = request.resource_names_unsubscribe.into_iter().collect();
        if !request.response_nonce.is_empty() {
            if !(subscribe.is_empty() && unsubscribe.is_empty()) {
                self.misuse("names in an ACK".into());
            }
            let event = match request.error_detail {
                Some(detail) => Event::Nack {
                    kind,
                    error: detail.message,
                },
                None => Event::Ack { kind },
            };
            return self.shared.say(event);
        }
        if !unsubscribe.is_empty() {
            if let Some(tracked) = self.tracked.get_mut(&kind) {
                for name in &unsubscribe {
                    tracked.names.remove(name);
                    tracked.sent.remove(name);
                }
            }
            self.shared.say(Event::Unsubscribed {
                kind,
                names: unsubscribe,
            });
            if subscribe.is_empty() {
                return;
            }
        }
        let claimed: BTreeSet<String> = request.initial_resource_versions.into_keys().collect();
        let first = !self.tracked.contains_key(&kind);
        if first && subscribe.is_empty() {
            self.misuse("an empty first request means everything".into());
        }
        let again = self
            .tracked
            .get(&kind)
            .is_some_and(|tracked| !tracked.names.is_disjoint(&subscribe));
        if again {
            self.misuse("asked again for a name it has".into());
        }
        self.shared.say(Event::Subscribed {
            kind,
            names: subscribe.clone(),
            claimed: claimed.clone(),
        });
        let tracked = self.tracked.entry(kind).or_default();
        tracked.names.extend(subscribe);
        if first {
            tracked.claimed = Some(claimed);
        }
        // istiod sends endpoints again after clusters were asked for: Envoy would wait for them.
        if kind == Kind::Cds
            && let Some(endpoints) = self.tracked.get_mut(&Kind::Eds)
        {
            endpoints.sent.clear();
        }
        self.refresh();
    }

    /// Readies what each type lacks, in istiod's order.
    fn refresh(&mut self) {
        let switches = self.shared.switches().clone();
        if switches.hold {
            return;
        }
        for kind in [Kind::Cds, Kind::Eds, Kind::Rds] {
            let Some(tracked) = self.tracked.get_mut(&kind) else {
                continue;
            };
            let mut current = xds::resources(&self.shared.store(), kind, &tracked.names);
            for (name, resource) in &mut current {
                if switches.corrupt.contains(name) {
                    *resource = Resource::Broken;
                }
            }
            let mut removed: BTreeSet<String> = tracked.claimed.clone().unwrap_or_default();
            removed.extend(tracked.sent.keys().cloned());
            removed.retain(|name| !current.contains_key(name));
            let changed: BTreeMap<&String, &Resource> = current
                .iter()
                .filter(|(name, resource)| tracked.sent.get(*name) != Some(*resource))
                .collect();
            let owed = tracked.claimed.take().is_some();
            if changed.is_empty() && removed.is_empty() && !owed {
                continue;
            }
            let mut names: BTreeSet<String> = changed.keys().map(|name| (*name).clone()).collect();
            if kind == Kind::Cds {
                names.extend(xds::STATIC.iter().map(|name| (*name).to_owned()));
            }
            let envelopes = names
                .iter()
                .filter_map(|name| Some(envelope(kind, name, current.get(name)?)));
            self.nonces += 1;
            let response = DeltaDiscoveryResponse {
                system_version_info: format!("2026-01-01T00:00:00Z/{}", self.nonces),
                resources: envelopes.collect(),
                type_url: xds::type_url(kind).into(),
                removed_resources: removed.iter().cloned().collect(),
                nonce: format!("sim-{}", self.nonces),
                ..DeltaDiscoveryResponse::default()
            };
            self.ready.push_back(response.encode_to_vec().into());
            tracked.sent = current;
            self.shared.say(Event::Pushed { kind, names, removed });
        }
    }

    fn misuse(&self, text: String) {
        self.shared.say(Event::Misuse(text));
    }
}

/// Versions are left empty, as istiod does.
fn envelope(kind: Kind, name: &str, resource: &Resource) -> Envelope {
    Envelope {
        name: name.to_owned(),
        resource: Some(Any {
            type_url: xds::type_url(kind).into(),
            value: resource.bytes(),
        }),
        ..Envelope::default()
    }
}
