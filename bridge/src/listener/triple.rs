//! An HTTP/2 connection from a Triple or gRPC caller.
//!
//! One task drives h2 and polls the calls of the connection; what both write goes out with one system call a turn. When
//! the caller resets a stream its call is dropped, and when it leaves all of them are.

mod health;
mod opening;
mod reply;
mod request;
#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use codecs::triple::headers::Caller as Generation;
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use h2::server::{self, SendResponse};
use h2::{Ping, PingPong, RecvStream};
use http::Request;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use self::opening::Opening;
use crate::call::{self, Caller};
use crate::coalesce::Coalesced;
use crate::error::{CallError, Kind};
use crate::worker::{Event, Settings, Worker};

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("closed")]
    Eof,
    #[error("nothing was read for too long")]
    Silent,
    #[error("bytes to be written did not move")]
    Stalled,
    #[error("HTTP/2 failed")]
    H2(#[from] h2::Error),
    #[error("socket failed")]
    Io(#[from] std::io::Error),
}

/// Serves the connection until it ends.
pub(super) async fn serve(worker: Rc<Worker>, mut stream: TcpStream, caller: Caller) {
    let settings = worker.shared.settings.load_full();
    let peer = caller.address;
    let opened = tokio::time::timeout(settings.timeouts.stalled, Opening::of(&stream)).await;
    match opened {
        Ok(Ok(Opening::Http2)) => {}
        Ok(Ok(Opening::Http1)) => {
            worker.count(Event::NotGrpc);
            opening::refuse_http1(&mut stream).await;
            return;
        }
        Ok(Ok(Opening::Other)) => {
            worker.count(Event::NotGrpc);
            tracing::debug!(%peer, "neither HTTP/2 nor HTTP/1 on the Triple port");
            return;
        }
        Ok(Err(_)) => return,
        Err(_) => return worker.count(Event::Stalled),
    }
    let io = Coalesced::new(stream);
    let connection = match io
        .drive(builder(&settings).handshake::<_, Bytes>(io.clone()))
        .await
    {
        Ok(connection) => connection,
        Err(error) => {
            worker.count(Event::BadFraming);
            tracing::debug!(%peer, %error, "HTTP/2 handshake failed");
            return;
        }
    };
    let mut session = Session::new(worker.clone(), io, connection, caller, settings);
    let end = poll_fn(|cx| session.poll(cx)).await;
    match &end {
        End::Silent | End::Stalled => worker.count(Event::Stalled),
        End::H2(error) if error.is_library() => worker.count(Event::BadFraming),
        _ => {}
    }
    tracing::debug!(%peer, why = %end, "Triple connection ended");
}

fn builder(settings: &Settings) -> server::Builder {
    let limits = &settings.limits;
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut builder = server::Builder::new();
    builder
        .initial_window_size(narrow(limits.message).clamp(1 << 16, 8 << 20))
        .initial_connection_window_size(16 << 20)
        .max_header_list_size(narrow(limits.headers_in))
        .max_concurrent_streams(narrow(limits.in_flight));
    builder
}

type Running = Pin<Box<dyn Future<Output = ()>>>;

struct Session {
    worker: Rc<Worker>,
    caller: Rc<Caller>,
    settings: Arc<Settings>,
    io: Coalesced,
    connection: server::Connection<Coalesced, Bytes>,
    calls: FuturesUnordered<Running>,
    ping: Option<PingPong>,
    ping_sent: Instant,
    draining: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    tick: Pin<Box<Sleep>>,
    every: Duration,
}

impl Session {
    fn new(
        worker: Rc<Worker>,
        io: Coalesced,
        mut connection: server::Connection<Coalesced, Bytes>,
        caller: Caller,
        settings: Arc<Settings>,
    ) -> Self {
        let shortest = settings.timeouts.stalled.min(settings.timeouts.heartbeat);
        let every = (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(10));
        Self {
            ping: connection.ping_pong(),
            ping_sent: Instant::now(),
            draining: Some(Box::pin(worker.tasks.draining().clone().cancelled_owned())),
            tick: Box::pin(tokio::time::sleep(every)),
            every,
            caller: Rc::new(caller),
            calls: FuturesUnordered::new(),
            worker,
            settings,
            io,
            connection,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            loop {
                match self.connection.poll_accept(cx) {
                    Poll::Ready(Some(Ok((request, respond)))) => self.start(request, respond),
                    Poll::Ready(Some(Err(error))) => return self.ended(cx, End::H2(error)),
                    Poll::Ready(None) => return self.ended(cx, End::Eof),
                    Poll::Pending => break,
                }
            }
            let mut ended = false;
            while !self.calls.is_empty() && self.calls.poll_next_unpin(cx).is_ready() {
                ended = true;
            }
            // What a call has written is still with h2.
            if !ended {
                break;
            }
        }
        if let Err(end) = self.watch(cx) {
            return Poll::Ready(end);
        }
        match self.io.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(End::Io(error)),
            _ => Poll::Pending,
        }
    }

    /// What h2 wrote last (GOAWAY) still goes out, if the socket takes it at once.
    fn ended(&self, cx: &mut Context<'_>, end: End) -> Poll<End> {
        let _ = self.io.poll_send(cx);
        Poll::Ready(end)
    }

    fn start(&mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let (worker, caller) = (self.worker.clone(), self.caller.clone());
        self.calls
            .push(Box::pin(serve_call(worker, caller, request, respond)));
    }

    /// The drain and the clock.
    fn watch(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        if let Some(draining) = &mut self.draining
            && draining.as_mut().poll(cx).is_ready()
        {
            self.draining = None;
            // GOAWAY; the connection ends by itself when its streams have.
            self.connection.graceful_shutdown();
            let _ = self.connection.poll_closed(cx)?;
        }
        while self.tick.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let timeouts = &self.settings.timeouts;
            if now.duration_since(self.io.stuck_since()) >= timeouts.stalled {
                return Err(End::Stalled);
            }
            let silent = now.duration_since(self.io.last_read());
            if silent >= timeouts.heartbeat * 3 {
                return Err(End::Silent);
            }
            if let Some(ping) = &mut self.ping {
                // Takes the answer to the last one, so that another may be sent.
                let _ = ping.poll_pong(cx);
                let due =
                    silent >= timeouts.heartbeat && now.duration_since(self.ping_sent) >= timeouts.heartbeat;
                if due && ping.send_ping(Ping::opaque()).is_ok() {
                    self.ping_sent = now;
                    self.worker.count(Event::HeartbeatOut);
                }
            }
            self.tick.as_mut().reset(now + self.every);
        }
        Ok(())
    }
}

/// One stream from its head to its trailers.
async fn serve_call(
    worker: Rc<Worker>,
    caller: Rc<Caller>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let received = Instant::now();
    let (head, body) = request.into_parts();
    if !request::is_grpc(&head) {
        worker.count(Event::NotGrpc);
        return reply::not_grpc(&mut respond);
    }
    if head.uri.path().starts_with(health::PREFIX) {
        return health::serve(&worker, &head, body, respond).await;
    }
    let asked = request::Asked::of(&head);
    let placed = async {
        let call = request::read(&worker, &caller, head, body, &asked, received).await?;
        let answer = call::place(&worker, &caller, call).await?;
        Ok::<_, CallError>(answer)
    };
    let mut placed = std::pin::pin!(AssertUnwindSafe(placed).catch_unwind());
    let result = poll_fn(|cx| {
        if respond.poll_reset(cx).is_ready() {
            return Poll::Ready(None);
        }
        placed.as_mut().poll(cx).map(Some)
    })
    .await;
    match result {
        // The caller has left: nothing is written, and the call is dropped.
        None => {}
        Some(Ok(Ok(answer))) => reply::write(respond, &asked, answer).await,
        Some(Ok(Err(error))) => {
            if error.kind == Kind::Timeout && !callers_clock_decides(&asked, &mut respond).await {
                return;
            }
            reply::error(&mut respond, &asked, &error);
        }
        Some(Err(_)) => {
            worker.count(Event::Panic);
            reply::error(&mut respond, &asked, &CallError::bridge(Kind::Internal));
        }
    }
}

/// How long after its deadline a Java caller is answered: its timer ticks every 30 ms, and starts late in a cold process.
const GRACE: Duration = Duration::from_millis(100);

/// Waits until a Java caller's own timer has had its chance; `false` when it has left.
///
/// Dubbo 3.3.6 makes a timeout (code 2) of its own timer alone; DEADLINE_EXCEEDED on the wire becomes code 0. A native
/// provider never comes before it, and so must not we.
async fn callers_clock_decides(asked: &request::Asked, respond: &mut SendResponse<Bytes>) -> bool {
    let Some(deadline) = asked.deadline.filter(|_| asked.generation == Generation::Java) else {
        return true;
    };
    tokio::select! {
        () = tokio::time::sleep_until(deadline + GRACE) => true,
        _ = poll_fn(|cx| respond.poll_reset(cx)) => false,
    }
}
