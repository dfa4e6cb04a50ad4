//! One stream, from connecting to its end.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use prost013::Message as _;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use xds_api::pb::envoy::config::core::v3 as core;
use xds_api::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use xds_api::pb::google::protobuf::{Struct, Value, value};
use xds_api::pb::google::rpc;

use super::state::{Kind, State, Verdict};
use crate::istiod::config::Node;
use crate::istiod::{Config, Error, wire};
use crate::mesh_view::{HostPort, MeshView};

/// istiod takes requests of 4 MiB; names and claims are cut well below.
const REQUEST: usize = 2 << 20;
/// Requests that wait for the stream before responses are left unread.
const QUEUE: usize = 256;

/// Opens a stream and serves it until it ends; says why it did.
pub(super) async fn run(
    config: &Config,
    state: &mut State,
    wanted: &mut watch::Receiver<Arc<BTreeSet<HostPort>>>,
    view: &watch::Sender<Arc<MeshView>>,
) -> Error {
    match serve(config, state, wanted, view).await {
        Ok(()) => Error::Closed,
        Err(error) => error,
    }
}

async fn serve(
    config: &Config,
    state: &mut State,
    wanted: &mut watch::Receiver<Arc<BTreeSet<HostPort>>>,
    view: &watch::Sender<Arc<MeshView>>,
) -> Result<(), Error> {
    let channel = connect(config).await?;
    let (requests, outbound) = mpsc::channel::<Bytes>(16);
    let mut grpc = tonic::client::Grpc::new(channel).max_decoding_message_size(config.max_message);
    grpc.ready().await.map_err(|source| Error::Connect {
        address: config.address.clone(),
        source,
    })?;
    let path = http::uri::PathAndQuery::from_static(wire::DELTA);
    let open = grpc.streaming(
        tonic::Request::new(ReceiverStream::new(outbound)),
        path,
        wire::Raw,
    );
    let mut open = std::pin::pin!(open);

    state.want(wanted.borrow_and_update().clone());
    let mut queue = Queue::default();
    queue.greet(config, state);
    // istiod sends its headers with the first response: the greeting must be on its way before.
    let mut inbound = loop {
        tokio::select! {
            opened = &mut open => break opened.map_err(stream_error)?.into_inner(),
            permit = requests.reserve(), if !queue.is_empty() => queue.send(permit)?,
        }
    };
    let mut wanted_ends = false;
    loop {
        queue.follow(state);
        if let Some(changed) = state.publish(Instant::now()) {
            view.send_replace(Arc::new(changed));
        }
        // Rules that came into force may have given up endpoint sets.
        queue.follow(state);
        let deadline = state.deadline();
        tokio::select! {
            message = inbound.message(), if queue.len() < QUEUE => {
                let Some(bytes) = message.map_err(stream_error)? else { return Ok(()) };
                let response = DeltaDiscoveryResponse::decode(bytes).map_err(Error::Decode)?;
                let (url, nonce) = (response.type_url.clone(), response.nonce.clone());
                let verdict = state.receive(response, Instant::now(), SystemTime::now());
                queue.answer(url, nonce, verdict);
            }
            permit = requests.reserve(), if !queue.is_empty() => queue.send(permit)?,
            changed = wanted.changed(), if !wanted_ends => match changed {
                Ok(()) => state.want(wanted.borrow_and_update().clone()),
                Err(_) => wanted_ends = true,
            },
            () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {}
        }
    }
}

/// A new connection, resolved anew. Here is the place for TLS on port 15012: `connect_with_connector`.
async fn connect(config: &Config) -> Result<Channel, Error> {
    let address = || config.address.clone();
    let endpoint =
        Endpoint::from_shared(format!("http://{}", config.address)).map_err(|source| Error::Connect {
            address: address(),
            source,
        })?;
    // istiod ends connections that ping more often than every 15 s.
    let endpoint = endpoint
        .connect_timeout(config.connect_timeout)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(8 << 20);
    match tokio::time::timeout(config.connect_timeout, endpoint.connect()).await {
        Ok(connected) => connected.map_err(|source| Error::Connect {
            address: address(),
            source,
        }),
        Err(_) => Err(Error::ConnectTimeout {
            address: address(),
            seconds: config.connect_timeout.as_secs(),
        }),
    }
}

fn stream_error(status: Status) -> Error {
    Error::Stream {
        code: status.code(),
        message: status.message().to_owned(),
    }
}

/// Requests that wait for the stream, in order.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Bytes>,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn len(&self) -> usize {
        self.waiting.len()
    }

    fn push(&mut self, request: &DeltaDiscoveryRequest) {
        self.waiting.push_back(request.encode_to_vec().into());
    }

    fn send(
        &mut self,
        permit: Result<mpsc::Permit<'_, Bytes>, mpsc::error::SendError<()>>,
    ) -> Result<(), Error> {
        let permit = permit.map_err(|_| Error::Closed)?;
        if let Some(request) = self.waiting.pop_front() {
            permit.send(request);
        }
        Ok(())
    }

    /// The first request of each type: our node once, what we hold, what we want.
    fn greet(&mut self, config: &Config, state: &mut State) {
        let mut node = Some(node(&config.node));
        for kind in [Kind::Cluster, Kind::Routes, Kind::Endpoints] {
            let interest = state.interest(kind);
            // An empty first list would mean "everything".
            if interest.is_empty() {
                continue;
            }
            let (claimed, unclaimed) = claim(state.held(kind));
            if kind == Kind::Cluster {
                state.opened(unclaimed);
            }
            let mut claimed = Some(claimed);
            for names in batches(interest) {
                self.push(&DeltaDiscoveryRequest {
                    node: node.take(),
                    type_url: kind.url().into(),
                    resource_names_subscribe: names,
                    initial_resource_versions: claimed.take().unwrap_or_default(),
                    ..DeltaDiscoveryRequest::default()
                });
            }
        }
    }

    /// What the last messages made us want more, or less. Never in one request with an ACK.
    fn follow(&mut self, state: &mut State) {
        for (kind, interest) in state.take_interest() {
            for names in batches(interest.unsubscribe) {
                self.push(&DeltaDiscoveryRequest {
                    type_url: kind.url().into(),
                    resource_names_unsubscribe: names,
                    ..DeltaDiscoveryRequest::default()
                });
            }
            for names in batches(interest.subscribe) {
                self.push(&DeltaDiscoveryRequest {
                    type_url: kind.url().into(),
                    resource_names_subscribe: names,
                    ..DeltaDiscoveryRequest::default()
                });
            }
        }
    }

    fn answer(&mut self, type_url: String, nonce: String, verdict: Verdict) {
        let error_detail = match verdict {
            Verdict::Ack => None,
            Verdict::Nack(message) => {
                tracing::warn!(
                    type_url,
                    error = message,
                    "xDS resources refused; their last good version stays"
                );
                Some(rpc::Status {
                    code: Code::InvalidArgument.into(),
                    message,
                    ..rpc::Status::default()
                })
            }
            Verdict::Unknown => {
                tracing::debug!(type_url, "a response of a type nobody asked for");
                return;
            }
        };
        self.push(&DeltaDiscoveryRequest {
            type_url,
            response_nonce: nonce,
            error_detail,
            ..DeltaDiscoveryRequest::default()
        });
    }
}

/// What we say we hold, as far as it fits into a request, and the rest. istiod leaves versions empty, and so do we.
fn claim(held: Vec<Arc<str>>) -> (HashMap<String, String>, HashSet<Arc<str>>) {
    let mut claimed = HashMap::new();
    let mut unclaimed = HashSet::new();
    let mut size = 0usize;
    for name in held {
        size = size.saturating_add(name.len() + 8);
        if size < REQUEST {
            claimed.insert(name.to_string(), String::new());
        } else {
            unclaimed.insert(name);
        }
    }
    (claimed, unclaimed)
}

/// Names in lists that fit into a request each.
fn batches(names: impl IntoIterator<Item = Arc<str>>) -> Vec<Vec<String>> {
    let mut batches: Vec<Vec<String>> = Vec::new();
    let mut size = usize::MAX;
    for name in names {
        size = size.saturating_add(name.len() + 8);
        if size >= REQUEST {
            batches.push(Vec::new());
            size = name.len() + 8;
        }
        if let Some(batch) = batches.last_mut() {
            batch.push(name.to_string());
        }
    }
    batches
}

fn node(node: &Node) -> core::Node {
    let text = |text: &str| Value {
        kind: Some(value::Kind::StringValue(text.to_owned())),
    };
    let pairs = |map: &std::collections::BTreeMap<String, String>| {
        map.iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect::<HashMap<_, _>>()
    };
    let mut fields = pairs(&node.metadata);
    let labels = Value {
        kind: Some(value::Kind::StructValue(Struct {
            fields: pairs(&node.labels),
        })),
    };
    fields.extend([
        ("CLUSTER_ID".to_owned(), text(&node.cluster)),
        ("NAMESPACE".to_owned(), text(&node.namespace)),
        ("INSTANCE_IPS".to_owned(), text(&node.address.to_string())),
        // Otherwise an ambient mesh gives addresses of internal listeners that only Envoy has.
        ("DISABLE_HBONE_SEND".to_owned(), text("true")),
        ("LABELS".to_owned(), labels),
    ]);
    // Without a version istiod warns, and assumes the newest.
    fields
        .entry("ISTIO_VERSION".to_owned())
        .or_insert_with(|| text("1.29.0"));
    let mut locality = node.locality.splitn(3, '/').map(str::to_owned);
    let mut part = || locality.next().unwrap_or_default();
    core::Node {
        id: node.id(),
        metadata: Some(Struct { fields }),
        locality: (!node.locality.is_empty()).then(|| core::Locality {
            region: part(),
            zone: part(),
            sub_zone: part(),
        }),
        user_agent_name: "landbridge".into(),
        ..core::Node::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_long_lists() {
        let names = |count: usize| {
            (0..count)
                .map(|i| Arc::from(format!("{i:0>1000}")))
                .collect::<Vec<Arc<str>>>()
        };
        assert!(batches(names(0)).is_empty());
        assert_eq!(batches(names(1)).len(), 1);
        let lists = batches(names(5000));
        assert_eq!(lists.len(), 3);
        assert_eq!(lists.iter().map(Vec::len).sum::<usize>(), 5000);
        let (claimed, unclaimed) = claim(names(5000));
        assert_eq!(claimed.len() + unclaimed.len(), 5000);
        assert!(claimed.len() > 2000 && !unclaimed.is_empty());
    }

    #[test]
    fn says_who_we_are() {
        let raw: crate::istiod::RawConfig =
            serde_saphyr::from_str("address: 'a:1'\nnode: {locality: r/z, metadata: {MESH_ID: m}}").unwrap();
        let config = Config::try_from(raw).unwrap();
        let node = node(&config.node);
        let fields = node.metadata.unwrap().fields;
        for key in [
            "CLUSTER_ID",
            "NAMESPACE",
            "INSTANCE_IPS",
            "DISABLE_HBONE_SEND",
            "LABELS",
            "ISTIO_VERSION",
            "MESH_ID",
        ] {
            assert!(fields.contains_key(key), "{key}");
        }
        assert!(!fields.contains_key("GENERATOR"));
        let locality = node.locality.unwrap();
        assert_eq!(
            (locality.region, locality.zone, locality.sub_zone),
            ("r".into(), "z".into(), String::new())
        );
    }
}
