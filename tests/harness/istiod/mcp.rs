//! Pulls objects from an MCP source the way istiod does (seen, facts 3 to 5, 22 and 23).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use prost013::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use xds_api::pb::envoy::config::core::v3::Node;
use xds_api::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};

use super::wire::Raw;
use super::{Event, Shared};

const PATH: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
/// In istiod's order, with its types.
const KINDS: [&str; 16] = [
    "core/v1alpha1/MeshConfig",
    "security.istio.io/v1/AuthorizationPolicy",
    "networking.istio.io/v1/DestinationRule",
    "networking.istio.io/v1alpha3/EnvoyFilter",
    "networking.istio.io/v1/Gateway",
    "security.istio.io/v1/PeerAuthentication",
    "networking.istio.io/v1beta1/ProxyConfig",
    "security.istio.io/v1/RequestAuthentication",
    "networking.istio.io/v1/ServiceEntry",
    "networking.istio.io/v1/Sidecar",
    "telemetry.istio.io/v1/Telemetry",
    "extensions.istio.io/v1alpha1/TrafficExtension",
    "networking.istio.io/v1/VirtualService",
    "extensions.istio.io/v1alpha1/WasmPlugin",
    "networking.istio.io/v1/WorkloadEntry",
    "networking.istio.io/v1/WorkloadGroup",
];
/// istiod's own times are 0.5 s and 60 s; tests have less.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(1);

pub(super) async fn follow(shared: Arc<Shared>, source: SocketAddr) {
    let mut retry = FIRST_RETRY;
    loop {
        if stream(&shared, source, &mut retry).await.is_some() {
            shared.say(Event::McpClosed);
        }
        tokio::time::sleep(retry).await;
        retry = (retry * 2).min(LAST_RETRY);
    }
}

/// One stream to its end; `None` when there was none.
async fn stream(shared: &Shared, source: SocketAddr, retry: &mut Duration) -> Option<()> {
    let endpoint = Endpoint::from_shared(format!("http://{source}")).ok()?;
    let channel = endpoint
        .connect_timeout(Duration::from_secs(5))
        .connect()
        .await
        .ok()?;
    let (requests, outbound) = mpsc::channel::<Bytes>(64);
    for type_url in KINDS {
        requests.send(subscription(type_url)).await.ok()?;
    }
    let mut grpc = tonic::client::Grpc::new(channel).max_decoding_message_size(usize::MAX >> 1);
    grpc.ready().await.ok()?;
    let path = http::uri::PathAndQuery::from_static(PATH);
    let opened = grpc.streaming(tonic::Request::new(ReceiverStream::new(outbound)), path, Raw);
    let mut answers = opened.await.ok()?.into_inner();
    shared.say(Event::McpOpened);
    *retry = FIRST_RETRY;
    let mut missing: BTreeSet<&str> = KINDS.into_iter().skip(1).collect();
    while let Ok(Some(bytes)) = answers.message().await {
        let Ok(answer) = DiscoveryResponse::decode(bytes) else {
            break;
        };
        let kind = answer.type_url.rsplit('/').next().unwrap_or_default().to_owned();
        missing.remove(answer.type_url.as_str());
        let resources: Vec<Vec<u8>> = answer.resources.into_iter().map(|any| any.value).collect();
        let count = resources.len();
        let dropped = shared.store().replace(&kind, &resources);
        for problem in dropped {
            shared.say(Event::McpDropped(problem));
        }
        if missing.is_empty() {
            shared.store().source_synced();
        }
        shared.kick();
        shared.say(Event::McpAnswer {
            kind: kind.clone(),
            count,
        });
        if kind != "MeshConfig" {
            let ack = DiscoveryRequest {
                version_info: answer.version_info,
                node: Some(node()),
                type_url: answer.type_url,
                response_nonce: answer.nonce,
                ..DiscoveryRequest::default()
            };
            if requests.send(ack.encode_to_vec().into()).await.is_err() {
                break;
            }
        }
    }
    Some(())
}

/// Every first request carries a made-up nonce.
fn subscription(type_url: &str) -> Bytes {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let request = DiscoveryRequest {
        node: Some(node()),
        type_url: type_url.to_owned(),
        response_nonce: format!("{} +0000 UTC", now.as_nanos()),
        ..DiscoveryRequest::default()
    };
    request.encode_to_vec().into()
}

fn node() -> Node {
    Node {
        id: "sidecar~127.0.0.1~istiod-sim.istio-system~istio-system.svc.cluster.local".into(),
        ..Node::default()
    }
}
