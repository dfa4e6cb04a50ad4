//! A simulated Triple or gRPC server on a port of its own: answers as it is told, with faults on command.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};

use crate::task::Task;
use crate::triple;

/// A call as the server reads it.
#[derive(Debug, Clone)]
pub struct Received {
    /// `/Interface/method`.
    pub path: String,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The first message, without its prefix.
    pub message: Vec<u8>,
}

impl Received {
    /// A header's text; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// What the server does with a call.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answers with a message, without its prefix.
    Message(Vec<u8>),
    /// Answers with a message and these trailers besides status 0.
    MessageWith(Vec<u8>, Vec<(String, String)>),
    /// Answers with a gRPC status and its text, as trailers only.
    Status(u32, String),
    /// Answers with these bytes as body, then status 0.
    Garbage(Vec<u8>),
    /// Answers with an HTTP status and no gRPC at all.
    Http(u16),
    /// Never answers.
    Nothing,
    /// Resets the stream.
    Reset,
    /// Does it after a time.
    After(Duration, Box<Reply>),
}

type Behaviour = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    GoAway,
    Close,
}

/// A server that listens until it is dropped.
#[derive(Debug)]
pub struct MeshProvider {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Received>>>,
    count: Arc<watch::Sender<usize>>,
    commands: broadcast::Sender<Command>,
    _accept: Task,
}

#[derive(Clone)]
struct Desk {
    behaviour: Behaviour,
    calls: Arc<Mutex<Vec<Received>>>,
    count: Arc<watch::Sender<usize>>,
}

impl MeshProvider {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(
        behaviour: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let desk = Desk {
            behaviour: Arc::new(behaviour),
            calls: Arc::default(),
            count: Arc::new(watch::channel(0).0),
        };
        let commands = broadcast::channel(16).0;
        let (own, told) = (desk.clone(), commands.clone());
        let accept = Task::spawn(async move {
            let mut connections = Vec::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.retain(|task: &Task| !task.is_finished());
                connections.push(Task::spawn(serve(socket, own.clone(), told.subscribe())));
            }
        });
        Ok(Self {
            address,
            calls: desk.calls,
            count: desk.count,
            commands,
            _accept: accept,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The calls it received, in order (the last some thousand).
    pub fn calls(&self) -> Vec<Received> {
        self.calls.lock().map(|list| list.clone()).unwrap_or_default()
    }

    /// How many calls it received.
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits until it has received that many calls; `false` when they do not come.
    pub async fn received(&self, count: usize) -> bool {
        let mut seen = self.count.subscribe();
        let come = seen.wait_for(|now| *now >= count);
        tokio::time::timeout(crate::dubbo_consumer::PATIENCE, come)
            .await
            .is_ok()
    }

    /// Sends GOAWAY on all connections and ends each when its streams have.
    pub fn go_away(&self) {
        let _ = self.commands.send(Command::GoAway);
    }

    /// Closes all connections; new ones are taken.
    pub fn close_connections(&self) {
        let _ = self.commands.send(Command::Close);
    }
}

async fn serve(socket: TcpStream, desk: Desk, mut commands: broadcast::Receiver<Command>) {
    let _ = socket.set_nodelay(true);
    let Ok(mut connection) = h2::server::handshake(socket).await else {
        return;
    };
    let mut streams = Vec::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                streams.retain(|task: &Task| !task.is_finished());
                streams.push(Task::spawn(stream(request, respond, desk.clone())));
            }
            command = commands.recv() => match command {
                Ok(Command::GoAway) => connection.graceful_shutdown(),
                Ok(Command::Close) | Err(_) => return,
            },
        }
    }
}

async fn stream(request: http::Request<h2::RecvStream>, mut respond: SendResponse<Bytes>, desk: Desk) {
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(Ok(data)) = stream.data().await {
        let _ = stream.flow_control().release_capacity(data.len());
        body.extend_from_slice(&data);
    }
    let received = Received {
        path: head.uri.path().to_owned(),
        headers: head.headers,
        message: triple::unframed(&body).unwrap_or_default().to_vec(),
    };
    let mut reply = (desk.behaviour)(&received);
    if let Ok(mut calls) = desk.calls.lock() {
        // A demo runs for days: the last calls are enough.
        if calls.len() >= 10_000 {
            calls.drain(..5_000);
        }
        calls.push(received);
    }
    desk.count.send_modify(|count| *count += 1);
    while let Reply::After(time, then) = reply {
        tokio::time::sleep(time).await;
        reply = *then;
    }
    // The caller may have left: then there is nobody to tell.
    let _ = answer(&mut respond, reply).await;
}

async fn answer(respond: &mut SendResponse<Bytes>, reply: Reply) -> Result<(), h2::Error> {
    let grpc = || {
        let mut response = Response::new(());
        let content_type = HeaderValue::from_static("application/grpc+proto");
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, content_type);
        response
    };
    let (body, more) = match reply {
        Reply::Message(message) => (triple::framed(&message), Vec::new()),
        Reply::MessageWith(message, trailers) => (triple::framed(&message), trailers),
        Reply::Garbage(body) => (body, Vec::new()),
        Reply::Status(code, text) => {
            let mut response = grpc();
            response.headers_mut().insert("grpc-status", code.into());
            if let Ok(text) = HeaderValue::from_str(&text) {
                response.headers_mut().insert("grpc-message", text);
            }
            respond.send_response(response, true)?;
            return Ok(());
        }
        Reply::Http(status) => {
            let mut response = Response::new(());
            *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
            respond.send_response(response, true)?;
            return Ok(());
        }
        Reply::Reset => {
            respond.send_reset(h2::Reason::INTERNAL_ERROR);
            return Ok(());
        }
        // Until the caller leaves.
        Reply::Nothing | Reply::After(..) => {
            let _ = std::future::poll_fn(|context| respond.poll_reset(context)).await;
            return Ok(());
        }
    };
    let mut stream = respond.send_response(grpc(), false)?;
    stream.send_data(body.into(), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", 0.into());
    for (name, value) in more {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            trailers.append(name, value);
        }
    }
    stream.send_trailers(trailers)
}
