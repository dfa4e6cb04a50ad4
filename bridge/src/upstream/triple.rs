//! Calls on Triple and gRPC providers: one HTTP/2 connection carries many calls, each a stream.
//!
//! h2 queues streams beyond the peer's limit without a bound, so calls in flight are counted here and a connection is
//! full at the peer's SETTINGS. A stream that nobody waits for any longer is reset within a budget; beyond it it is
//! drained, because a peer answers too many resets with GOAWAY for everybody (`design.md` section 4 rule 2).

mod answer;
mod head;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use codecs::Reply;
use codecs::triple::message;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use registries::directory::Endpoint;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Outgoing;
use super::pool::Link;
use crate::corked::cork;
use crate::error::{CallError, Kind, Limit};
use crate::worker::{Event, Settings, Shard, Worker};

/// A stream's receive window: a whole message of the largest size that Java's server sends (`spec/triple.md` 2.4).
const STREAM_WINDOW: u32 = 8 << 20;

/// A connection's receive window, shared by its streams.
const CONNECTION_WINDOW: u32 = 16 << 20;

/// A connection to a provider, shared by its calls and its driver.
pub(crate) struct Connection {
    worker: Rc<Worker>,
    address: SocketAddr,
    send: RefCell<SendRequest<Bytes>>,
    in_flight: Cell<usize>,
    open: Cell<bool>,
    closing: Notify,
    /// The second in which streams were reset, and how many.
    resets: Cell<(Instant, u32)>,
    most_resets: u32,
    most_message: usize,
    most_headers: usize,
}

impl Link for Connection {
    async fn open(worker: Rc<Worker>, stream: TcpStream, address: SocketAddr) -> io::Result<Rc<Self>> {
        let settings = worker.shared.settings.load_full();
        let (io, mut flusher) = cork(stream);
        let limits = &settings.limits;
        let handshake = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(u32::try_from(limits.headers_in).unwrap_or(u32::MAX))
            .max_send_buffer_size(limits.write_buffer)
            // What we reset is counted by our own budget.
            .max_concurrent_reset_streams(1024)
            .handshake(io);
        let (send, connection) = flusher.drive(handshake).await.map_err(io::Error::other)?;
        let this = Rc::new(Self {
            worker: worker.clone(),
            address,
            send: RefCell::new(send),
            in_flight: Cell::new(0),
            open: Cell::new(true),
            closing: Notify::new(),
            resets: Cell::new((Instant::now(), 0)),
            most_resets: limits.resets,
            most_message: limits.message,
            most_headers: limits.headers_out,
        });
        Shard::up(&worker.shard.upstream);
        let driven = this.clone();
        worker.tasks.attach_local(async move {
            let alive = driven.clone().keep(connection, &settings);
            flusher.drive(alive).await;
            driven.open.set(false);
            Shard::down(&driven.worker.shard.upstream);
            driven.worker.count(Event::UpstreamClosed);
            driven.worker.upstreams.triple.ended(driven.address, &driven);
        });
        Ok(this)
    }

    fn is_open(&self) -> bool {
        if self.open.get() && self.is_refusing() {
            // GOAWAY: what is in flight is still answered, nothing new is taken.
            self.worker.count(Event::Readonly);
            self.open.set(false);
        }
        self.open.get()
    }

    fn is_readonly(&self) -> bool {
        false
    }

    fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    fn room(&self) -> usize {
        let most = self.send.borrow().current_max_send_streams();
        most.saturating_sub(self.in_flight.get())
    }

    fn close(&self) {
        self.open.set(false);
        self.closing.notify_one();
    }
}

impl Connection {
    fn is_refusing(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        matches!(self.send.borrow_mut().poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    /// Runs the connection until it ends: keeps it alive while calls wait, closes it when it is idle.
    async fn keep<T>(self: Rc<Self>, mut connection: h2::client::Connection<T, Bytes>, settings: &Settings)
    where
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let timeouts = &settings.timeouts;
        let mut ping = connection.ping_pong();
        let mut idle_since: Option<Instant> = None;
        let mut connection = std::pin::pin!(connection);
        loop {
            let beat = tokio::time::sleep(timeouts.heartbeat.min(timeouts.upstream_idle));
            tokio::select! {
                _ = &mut connection => return,
                () = self.closing.notified() => return,
                () = beat => {}
            }
            if self.in_flight.get() > 0 {
                idle_since = None;
                // A peer that answers nothing for a whole timeout is gone, whatever TCP says.
                if let Some(ping) = ping.as_mut() {
                    self.worker.count(Event::HeartbeatOut);
                    let pong = ping.ping(h2::Ping::opaque());
                    tokio::select! {
                        _ = &mut connection => return,
                        answered = tokio::time::timeout(timeouts.stalled, pong) => {
                            if !matches!(answered, Ok(Ok(_))) {
                                self.worker.count(Event::Stalled);
                                return;
                            }
                        }
                    }
                }
                continue;
            }
            let since = *idle_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= timeouts.upstream_idle {
                self.open.set(false);
                self.worker.count(Event::Idle);
                return;
            }
        }
    }

    /// Whether another stream may be reset in this second.
    fn may_reset(&self) -> bool {
        let (since, count) = self.resets.get();
        if since.elapsed() >= Duration::from_secs(1) {
            self.resets.set((Instant::now(), 1));
            return true;
        }
        self.resets.set((since, count.saturating_add(1)));
        count < self.most_resets
    }
}

/// Places a call and waits for its reply. Dropping the future resets the stream, or drains it.
pub(super) async fn place(
    worker: &Rc<Worker>,
    endpoint: &Arc<Endpoint>,
    call: &Outgoing<'_>,
) -> Result<Reply, CallError> {
    let connection = worker
        .upstreams
        .triple
        .link(worker, endpoint.address, call.connect_timeout)
        .await?;
    let request = head::request(endpoint, call, connection.most_headers)?;
    let mut exchange = connection.begin(request, &call.arguments.bytes, call)?;
    let answer = exchange.answer().await?;
    let scratch = &mut worker.scratch.borrow_mut().hessian;
    answer.into_reply(call.arguments.encoding, scratch)
}

impl Connection {
    /// Opens a stream and hands over the whole request.
    fn begin(
        self: &Rc<Self>,
        request: http::Request<()>,
        message: &[u8],
        call: &Outgoing<'_>,
    ) -> Result<Exchange, CallError> {
        let mut framed = BytesMut::with_capacity(message::PREFIX + message.len());
        message::join(message, &mut framed)
            .map_err(|error| CallError::bridge(Kind::Overloaded(Limit::Message)).because(error))?;
        let (response, mut stream) =
            self.send
                .borrow_mut()
                .send_request(request, false)
                .map_err(|error| {
                    self.open.set(false);
                    CallError::unsent(Kind::Closed).because(error)
                })?;
        self.in_flight.set(self.in_flight.get() + 1);
        let mut exchange = Exchange {
            connection: self.clone(),
            pending: None,
        };
        // Without this a one-way call's stream would be reset at once.
        let sent = stream.send_data(framed.freeze(), true);
        exchange.pending = Some(Pending {
            response: Some(response),
            body: None,
            stream,
        });
        sent.map_err(|error| answer::lost(&error, &self.worker))?;
        call.sent.set(true);
        Ok(exchange)
    }
}

/// One call on its stream.
struct Exchange {
    connection: Rc<Connection>,
    /// `None` when the answer is whole.
    pending: Option<Pending>,
}

/// The handles that keep a stream from being reset.
struct Pending {
    response: Option<ResponseFuture>,
    body: Option<RecvStream>,
    stream: SendStream<Bytes>,
}

impl Exchange {
    /// Waits for the whole answer.
    async fn answer(&mut self) -> Result<answer::Answer, CallError> {
        let worker = self.connection.worker.clone();
        let most = self.connection.most_message;
        let Some(pending) = &mut self.pending else {
            return Err(CallError::bridge(Kind::Internal));
        };
        let Some(response) = pending.response.as_mut() else {
            return Err(CallError::bridge(Kind::Internal));
        };
        let response = response.await.map_err(|error| answer::lost(&error, &worker))?;
        pending.response = None;
        let (head, body) = response.into_parts();
        let body = pending.body.insert(body);
        let answer = answer::read(head, body, most, &worker).await?;
        self.pending = None;
        Ok(answer)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let connection = self.connection.clone();
        let Some(pending) = self.pending.take() else {
            connection.leave();
            return;
        };
        if !connection.open.get() || connection.may_reset() {
            // The last handle's drop resets the stream.
            drop(pending);
            connection.leave();
            return;
        }
        connection.worker.count(Event::ResetSpared);
        let worker = connection.worker.clone();
        worker.tasks.attach_local(async move {
            pending.drain().await;
            connection.leave();
        });
    }
}

impl Connection {
    /// A call has left its stream.
    fn leave(&self) {
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
        self.worker.upstreams.triple.freed(self.address);
    }
}

impl Pending {
    /// Reads the answer that nobody waits for, and throws it away.
    async fn drain(self) {
        let Self {
            response,
            body,
            stream: _stream,
        } = self;
        let body = match (response, body) {
            (_, Some(body)) => Some(body),
            (Some(response), None) => response.await.ok().map(http::Response::into_body),
            (None, None) => None,
        };
        let Some(mut body) = body else { return };
        while let Some(Ok(chunk)) = body.data().await {
            if body.flow_control().release_capacity(chunk.len()).is_err() {
                return;
            }
        }
    }
}
