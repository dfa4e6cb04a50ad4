//! Triple and gRPC peers of the rig: plain h2 clients and servers, with bytes written by hand.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use codecs::ServiceKey;
use codecs::protobuf::binding::Bindings;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use registries::directory::{Cluster, Endpoint, MeshSide, PairedBy, Protocol, Service, Stage};
use registries::route::{Forward, PathMatch, Route, RouteAction, RouteMatch, VirtualHost, WeightedCluster};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::tasks::Tasks;

/// A service with these Triple providers.
pub(crate) fn mesh(key: &str, providers: &[SocketAddr]) -> Service {
    let endpoints = providers
        .iter()
        .map(|address| Arc::new(Endpoint::new(*address, Protocol::Triple { mode: None })))
        .collect();
    let name: Arc<str> = "outbound|50051||orders.shop".into();
    let forward = Forward {
        clusters: vec![WeightedCluster {
            cluster: name.clone(),
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
    };
    let route = Route {
        name: "all".into(),
        matches: RouteMatch {
            path: PathMatch::Prefix("/".into()),
            case_sensitive: true,
            headers: Vec::new(),
            per_million: None,
            never: false,
        },
        action: RouteAction::Forward(forward),
        headers_to_add: Vec::new(),
        headers_to_remove: Vec::new(),
    };
    let key: ServiceKey = key.parse().unwrap();
    let mut service = Service::new(key);
    service.stage = Stage::Bridge;
    service.mesh = Some(MeshSide {
        host: "orders.shop".into(),
        port: 50051,
        routes: Arc::new(VirtualHost {
            routes: vec![Arc::new(route)],
        }),
        clusters: vec![Arc::new(Cluster::new(name, endpoints))],
        paired_by: PairedBy::Binding,
    });
    service
}

/// The same with a binding: `hello(String)` is `shop.v1.Orders/Hello`, text to text.
pub(crate) fn bound(service: Service) -> Service {
    bound_as(
        service,
        "    methods: [ { java: hello(java.lang.String), rpc: Hello, args: [ text ], result: text } ]\n",
    )
}

/// The same with the rest of the binding said: what is left of the service, and what follows it.
pub(crate) fn bound_as(mut service: Service, rest: &str) -> Service {
    let proto = "syntax = \"proto3\"; package shop.v1; message Text { string text = 1; } message Number { int64 number = 1; }
        service Orders { rpc Hello(Text) returns (Text); rpc HelloNumber(Number) returns (Text); }";
    let yaml = format!(
        "descriptors: [orders.proto]\nservices:\n  - java: {}\n    proto: shop.v1.Orders\n{rest}",
        service.key.interface()
    );
    let bindings = Bindings::load("binding.yaml", &yaml, &mut |_| Ok(proto.as_bytes().to_vec())).unwrap();
    service.binding = Some(bindings.services()[0].clone());
    service
}

/// A message with the gRPC prefix.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&(message.len() as u32).to_be_bytes());
    bytes.extend_from_slice(message);
    bytes.into()
}

/// A protobuf `Text { text }`.
pub(crate) fn text(text: &str) -> Vec<u8> {
    field(1, text.as_bytes())
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len();
    let varint = match len {
        0..=0x7f => vec![len as u8],
        _ => vec![len as u8 | 0x80, (len >> 7) as u8],
    };
    [&[number << 3 | 2][..], &varint, bytes].concat()
}

/// A request wrapper of one string.
pub(crate) fn wrapped_request(argument: &[u8]) -> Vec<u8> {
    [
        field(1, b"hessian4"),
        field(2, argument),
        field(3, b"java.lang.String"),
    ]
    .concat()
}

/// A response wrapper.
pub(crate) fn wrapped_response(data: &[u8], type_name: &str) -> Vec<u8> {
    [
        field(1, b"hessian4"),
        field(2, data),
        field(3, type_name.as_bytes()),
    ]
    .concat()
}

/// A call as a provider received it.
pub(crate) struct Received {
    pub(crate) head: http::request::Parts,
    pub(crate) body: RecvStream,
    pub(crate) respond: SendResponse<Bytes>,
}

impl Received {
    /// The next message of the body; `None` at its end.
    pub(crate) async fn message(&mut self) -> Option<Vec<u8>> {
        message(&mut self.body).await
    }

    pub(crate) fn begin(&mut self) -> SendStream<Bytes> {
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        self.respond.send_response(response, false).unwrap()
    }

    /// Answers with one message.
    pub(crate) fn answer(&mut self, message: &[u8], trailers: &[(&'static str, &str)]) {
        let mut stream = self.begin();
        stream.send_data(framed(message), false).unwrap();
        stream
            .send_trailers(headers(&[&[("grpc-status", "0")], trailers].concat()))
            .unwrap();
    }

    /// Answers with a status alone.
    pub(crate) fn refuse(&mut self, code: &str, text: &str) {
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", code)
            .header("grpc-message", text);
        self.respond
            .send_response(response.body(()).unwrap(), true)
            .unwrap();
    }
}

pub(crate) async fn message(body: &mut RecvStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if bytes.len() >= 5 {
            let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
            if bytes.len() == 5 + length {
                return Some(bytes.split_off(5));
            }
            assert!(bytes.len() < 5 + length, "more than one message in a frame");
        }
        let chunk = body.data().await?.ok()?;
        body.flow_control().release_capacity(chunk.len()).unwrap();
        bytes.extend_from_slice(&chunk);
    }
}

pub(crate) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

/// A provider that hands each call to the test.
pub(crate) struct TripleProvider {
    pub(crate) address: SocketAddr,
    pub(crate) calls: mpsc::UnboundedReceiver<Received>,
}

impl TripleProvider {
    pub(crate) async fn start() -> Self {
        Self::with(h2::server::Builder::new()).await
    }

    pub(crate) async fn with(builder: h2::server::Builder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, calls) = mpsc::unbounded_channel();
        let tasks = Tasks::new();
        tasks.clone().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (builder, sender) = (builder.clone(), sender.clone());
                tasks.spawn(async move {
                    let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        let (head, body) = request.into_parts();
                        let _ = sender.send(Received { head, body, respond });
                    }
                });
            }
        });
        Self { address, calls }
    }

    pub(crate) async fn next(&mut self) -> Received {
        let next = tokio::time::timeout(super::LIMIT, self.calls.recv()).await;
        next.expect("a call within the limit").unwrap()
    }

    /// Answers every call, by its message.
    pub(crate) async fn answering(
        answer: impl Fn(&Received, Vec<u8>) -> Vec<u8> + Send + 'static,
    ) -> SocketAddr {
        let mut provider = Self::start().await;
        let address = provider.address;
        Tasks::new().spawn(async move {
            while let Some(mut call) = provider.calls.recv().await {
                let Some(message) = call.message().await else {
                    continue;
                };
                let message = answer(&call, message);
                call.answer(&message, &[]);
            }
        });
        address
    }
}

/// A caller.
pub(crate) struct TripleConsumer {
    pub(crate) send: SendRequest<Bytes>,
}

/// An answer in full.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) head: http::response::Parts,
    pub(crate) messages: Vec<Vec<u8>>,
    /// The trailers, or the head of an answer without a message.
    pub(crate) trailers: HeaderMap,
}

impl Answered {
    pub(crate) fn status(&self) -> &str {
        self.trailers["grpc-status"].to_str().unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        self.trailers
            .get("grpc-message")
            .map_or("", |text| text.to_str().unwrap())
    }
}

impl TripleConsumer {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        Tasks::new().spawn(async move {
            let _ = connection.await;
        });
        Self { send }
    }

    /// Opens a stream.
    pub(crate) async fn open(
        &mut self,
        path: &str,
        more: &[(&'static str, &str)],
    ) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
        let mut request = Request::builder()
            .method("POST")
            .uri(format!("http://bridge{path}"))
            .version(http::Version::HTTP_2)
            .body(())
            .unwrap();
        *request.headers_mut() = headers(&[("te", "trailers")]);
        if !more.iter().any(|(name, _)| *name == "content-type") {
            request
                .headers_mut()
                .extend(headers(&[("content-type", "application/grpc+proto")]));
        }
        request.headers_mut().extend(headers(more));
        self.send
            .clone()
            .ready()
            .await
            .unwrap()
            .send_request(request, false)
            .unwrap()
    }

    /// One unary call.
    pub(crate) async fn call(
        &mut self,
        path: &str,
        headers: &[(&'static str, &str)],
        message: &[u8],
    ) -> Answered {
        let (response, mut body) = self.open(path, headers).await;
        body.send_data(framed(message), false).unwrap();
        body.send_data(Bytes::new(), true).unwrap();
        Self::answer(response).await
    }

    pub(crate) async fn answer(response: h2::client::ResponseFuture) -> Answered {
        let all = async {
            let (head, mut body) = response.await.unwrap().into_parts();
            let mut messages = Vec::new();
            while let Some(message) = message(&mut body).await {
                messages.push(message);
            }
            let trailers = body
                .trailers()
                .await
                .unwrap()
                .unwrap_or_else(|| head.headers.clone());
            Answered {
                head,
                messages,
                trailers,
            }
        };
        tokio::time::timeout(super::LIMIT, all)
            .await
            .expect("an answer within ten seconds")
    }
}
