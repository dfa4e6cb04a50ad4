//! A simulated Triple or gRPC client: one HTTP/2 connection, any headers and any bytes.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::dubbo_consumer::{NoAnswer, PATIENCE};
use crate::task::Task;
use crate::triple;

/// One connection of a Triple or gRPC client.
#[derive(Debug)]
pub struct MeshConsumer {
    requests: SendRequest<Bytes>,
    authority: String,
    closed: watch::Receiver<bool>,
    _connection: Arc<Task>,
}

/// A call.
#[derive(Debug, Clone)]
pub struct MeshCall {
    /// `/Interface/method`.
    pub path: String,
    /// The content type; `application/grpc+proto` unless told otherwise.
    pub content_type: String,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// What is sent as the body, prefix included.
    pub body: Vec<u8>,
    /// The HTTP method.
    pub method: http::Method,
}

impl MeshCall {
    /// A unary call of a message without its prefix.
    pub fn unary(service: &str, method: &str, message: &[u8]) -> Self {
        Self {
            path: format!("/{service}/{method}"),
            content_type: "application/grpc+proto".to_owned(),
            headers: Vec::new(),
            body: triple::framed(message),
            method: http::Method::POST,
        }
    }

    /// The same call with one header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The response headers.
    pub headers: HeaderMap,
    /// The body, prefixes included.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: HeaderMap,
}

impl Answer {
    /// The gRPC code, from the trailers or from the headers of a trailers-only answer.
    pub fn code(&self) -> Option<u32> {
        self.text("grpc-status")?.parse().ok()
    }

    /// `grpc-message`, as sent.
    pub fn message(&self) -> String {
        self.text("grpc-message").unwrap_or_default()
    }

    /// The first message, without its prefix.
    pub fn payload(&self) -> Option<&[u8]> {
        triple::unframed(&self.body)
    }

    fn text(&self, name: &str) -> Option<String> {
        let value = self.trailers.get(name).or_else(|| self.headers.get(name))?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }
}

impl MeshConsumer {
    /// Connects, with prior knowledge of HTTP/2.
    ///
    /// # Errors
    /// When nobody who speaks HTTP/2 listens there.
    pub async fn connect(address: SocketAddr) -> Result<Self, NoAnswer> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let (requests, connection) = h2::client::handshake(socket).await.map_err(unreadable)?;
        let (close, closed) = watch::channel(false);
        let task = Task::spawn(async move {
            let _ = connection.await;
            close.send_replace(true);
        });
        Ok(Self {
            requests,
            authority: address.to_string(),
            closed,
            _connection: Arc::new(task),
        })
    }

    /// Places a call and waits for its whole answer.
    ///
    /// # Errors
    /// When the stream or the connection ends before it, or nothing comes.
    pub async fn call(&self, request: &MeshCall) -> Result<Answer, NoAnswer> {
        tokio::time::timeout(PATIENCE, self.place(request))
            .await
            .map_err(|_| NoAnswer::Silence)?
    }

    async fn place(&self, request: &MeshCall) -> Result<Answer, NoAnswer> {
        let mut head = Request::builder()
            .method(request.method.clone())
            .uri(format!("http://{}{}", self.authority, request.path))
            .header("te", "trailers");
        if !request.content_type.is_empty() {
            head = head.header("content-type", &request.content_type);
        }
        for (name, value) in &request.headers {
            head = head.header(name, value);
        }
        let head = head.body(()).map_err(unreadable)?;
        let mut ready = self.requests.clone().ready().await.map_err(unreadable)?;
        let (answer, mut body) = ready
            .send_request(head, request.body.is_empty())
            .map_err(unreadable)?;
        if !request.body.is_empty() {
            body.send_data(Bytes::from(request.body.clone()), true)
                .map_err(unreadable)?;
        }
        let answer = answer.await.map_err(unreadable)?;
        let (head, mut stream) = answer.into_parts();
        let mut body = Vec::new();
        while let Some(data) = stream.data().await {
            let data = data.map_err(unreadable)?;
            let _ = stream.flow_control().release_capacity(data.len());
            body.extend_from_slice(&data);
        }
        let trailers = stream.trailers().await.map_err(unreadable)?.unwrap_or_default();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            trailers,
        })
    }

    /// Waits until the connection has ended.
    ///
    /// # Errors
    /// When it does not.
    pub async fn closed(&self) -> Result<(), NoAnswer> {
        let mut closed = self.closed.clone();
        match tokio::time::timeout(PATIENCE, closed.wait_for(|closed| *closed)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(NoAnswer::Silence),
        }
    }
}

fn unreadable(error: impl std::fmt::Display) -> NoAnswer {
    NoAnswer::Unreadable(error.to_string())
}
