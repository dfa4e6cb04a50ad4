//! A connection from a Triple or gRPC consumer: HTTP/2 with prior knowledge, one call a stream.
//!
//! Every answer to a gRPC caller has the shape that is safe for all of them (`spec/triple.md` 8.6): status 200, a gRPC
//! content type, and a code of 0 to 16 in the trailers. What is not gRPC gets an HTTP error in text; what is not HTTP/2
//! gets one in HTTP/1.1, and is closed.

mod health;
mod reply;
mod request;

use std::io;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{Request, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use self::request::{Asked, Refused};
use crate::call::{self, Caller};
use crate::corked::cork;
use crate::error::{CallError, Kind};
use crate::worker::{Event, Settings, Worker};

/// A stream's receive window (`spec/triple.md` 2.4: large windows keep Java's flow control out of trouble).
const STREAM_WINDOW: u32 = 8 << 20;

/// A connection's receive window, shared by its streams.
const CONNECTION_WINDOW: u32 = 16 << 20;

/// The beginning of every HTTP/2 connection.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// What an HTTP/1 caller is told.
const NOT_HTTP2: &str = "HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain\r\n\
    content-length: 53\r\nconnection: close\r\n\r\nthis port speaks Triple and gRPC over HTTP/2 (h2c) on";

/// Serves the connection until it ends.
pub(super) async fn serve(worker: Rc<Worker>, mut stream: TcpStream, caller: Caller) {
    let settings = worker.shared.settings.load_full();
    let opening = tokio::time::timeout(settings.timeouts.stalled, opening(&stream)).await;
    match opening {
        Ok(Ok(Opening::Http2)) => {}
        Ok(Ok(Opening::Http1)) => {
            worker.count(Event::Text);
            let _ = tokio::time::timeout(settings.timeouts.stalled, async {
                stream.write_all(NOT_HTTP2.as_bytes()).await?;
                stream.shutdown().await
            })
            .await;
            return;
        }
        Ok(Ok(Opening::Other)) => {
            worker.count(Event::Text);
            tracing::debug!(peer = %caller.address, "closed a connection that is not HTTP/2");
            return;
        }
        Ok(Err(_)) => return,
        Err(_) => return worker.count(Event::Stalled),
    }
    let peer = caller.address;
    if let Err(error) = Session::new(worker.clone(), caller, settings).run(stream).await {
        // The peer's framing was broken, or it went away in the middle of it.
        if !error.is_io() {
            worker.count(Event::BadFraming);
        }
        tracing::debug!(%peer, %error, "Triple connection ended");
    }
}

enum Opening {
    Http2,
    Http1,
    Other,
}

/// Looks at the first bytes without taking them.
async fn opening(stream: &TcpStream) -> io::Result<Opening> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let n = stream.peek(&mut seen).await?;
        let seen = seen.get(..n).unwrap_or_default();
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if seen == PREFACE {
            return Ok(Opening::Http2);
        }
        if !PREFACE.starts_with(seen) {
            let method = seen.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
            let is_http1 = method >= 3 && seen.get(method) == Some(&b' ');
            return Ok(if is_http1 { Opening::Http1 } else { Opening::Other });
        }
        // Part of the preface: the rest is under way. `peek` would return at once, so wait for more to be readable.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[derive(Clone)]
struct Session {
    worker: Rc<Worker>,
    caller: Rc<Caller>,
    settings: Arc<Settings>,
}

impl Session {
    fn new(worker: Rc<Worker>, caller: Caller, settings: Arc<Settings>) -> Self {
        Self {
            worker,
            caller: Rc::new(caller),
            settings,
        }
    }

    async fn run(self, stream: TcpStream) -> Result<(), h2::Error> {
        let (io, mut flusher) = cork(stream);
        let limits = &self.settings.limits;
        let most = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let handshake = h2::server::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(most(limits.headers_in))
            .max_concurrent_streams(most(limits.in_flight))
            .max_send_buffer_size(limits.write_buffer)
            .handshake::<_, Bytes>(io);
        let handshake = flusher.drive(handshake);
        let Ok(connection) = tokio::time::timeout(self.settings.timeouts.stalled, handshake).await else {
            self.worker.count(Event::Stalled);
            return Ok(());
        };
        let mut connection = connection?;
        let ping = connection.ping_pong();
        let worker = self.worker.clone();
        let alive = self.settings.timeouts.clone();
        let serving = async {
            let draining = worker.tasks.draining().cancelled();
            let mut draining = std::pin::pin!(draining);
            let mut is_draining = false;
            loop {
                tokio::select! {
                    accepted = connection.accept() => match accepted {
                        Some(Ok((request, respond))) => self.accept(request, respond),
                        Some(Err(error)) => return Err(error),
                        None => return Ok(()),
                    },
                    () = &mut draining, if !is_draining => {
                        is_draining = true;
                        connection.graceful_shutdown();
                    }
                }
            }
        };
        let keeping = keep_alive(&worker, ping, &alive);
        flusher
            .drive(async {
                tokio::select! {
                    result = serving => result,
                    () = keeping => Ok(()),
                }
            })
            .await
    }

    fn accept(&self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let session = self.clone();
        self.worker.tasks.spawn_local(async move {
            session.answer(request, respond).await;
        });
    }

    /// One stream, from its head to its end.
    async fn answer(self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let (head, mut body) = request.into_parts();
        let asked = match Asked::of(&head) {
            Ok(asked) => asked,
            Err(refused) => return self.refuse(refused, &mut respond),
        };
        let reader = request::message(&head.headers, &mut body, &self.settings, &self.worker);
        let message = match tokio::time::timeout(self.settings.timeouts.stalled, reader).await {
            Ok(Ok(message)) => message,
            Ok(Err(Some(error))) => return reply::error(&error, &asked, &mut respond),
            // The caller has left.
            Ok(Err(None)) => return,
            Err(_) => {
                self.worker.count(Event::Stalled);
                let error = CallError::downstream(Kind::Timeout).because("the request was not whole in time");
                return reply::error(&error, &asked, &mut respond);
            }
        };
        if asked.service == health::SERVICE {
            return health::answer(&self.worker, &asked, &message, respond).await;
        }
        let received = Instant::now();
        let call = asked.call(&self.worker, self.caller.island(), head, message, received);
        let placing = AssertUnwindSafe(call::place(&self.worker, &self.caller, call)).catch_unwind();
        let result = tokio::select! {
            result = placing => result,
            // Dropping the call cancels it.
            _ = std::future::poll_fn(|cx| respond.poll_reset(cx)) => return,
        };
        match result {
            Ok(Ok(reply)) => reply::reply(reply, &asked, &self.worker, &mut respond),
            Ok(Err(error)) => reply::error(&error, &asked, &mut respond),
            Err(_) => {
                self.worker.count(Event::Panic);
                let error = CallError::bridge(Kind::Internal);
                reply::error(&error, &asked, &mut respond);
            }
        }
    }

    fn refuse(&self, refused: Refused, respond: &mut SendResponse<Bytes>) {
        match refused {
            Refused::NotGrpc(status, text) => {
                self.worker.count(Event::NotGrpc);
                reply::text(status, text, respond);
            }
            Refused::Call(asked, error) => reply::error(&error, &asked, respond),
        }
    }
}

/// Ends when the peer has answered nothing for too long.
async fn keep_alive(worker: &Worker, ping: Option<h2::PingPong>, timeouts: &crate::limits::Timeouts) {
    let Some(mut ping) = ping else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(timeouts.heartbeat).await;
        worker.count(Event::HeartbeatOut);
        let answered = tokio::time::timeout(timeouts.stalled, ping.ping(h2::Ping::opaque())).await;
        match answered {
            Ok(Ok(_)) => {}
            // The connection itself reports what happened.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_) => return worker.count(Event::Stalled),
        }
    }
}

/// What a caller that speaks no gRPC is told.
fn not_grpc(status: StatusCode, text: &'static str) -> Refused {
    Refused::NotGrpc(status, text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_answer_to_http1_has_the_length_it_says() {
        let (head, body) = super::NOT_HTTP2.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{}",
            body.len()
        );
    }
}
