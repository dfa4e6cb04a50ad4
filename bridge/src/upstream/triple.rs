//! Calls on Triple and gRPC providers: one HTTP/2 connection carries many calls.
//!
//! h2 itself queues without limit when the peer's streams are used up, so calls in flight are counted here and a
//! connection is only given to a call that it has room for. What was sent is judged by positions in the byte stream: a
//! call whose frames cannot have left when the connection died may be placed again.

mod driver;
mod in_call;
mod more;
mod request;
mod response;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use codecs::triple::message;
use h2::client::SendRequest;
use registries::directory::Endpoint;
use tokio::net::TcpStream;
use tokio::time::Instant;

pub(crate) use self::more::More;
pub(crate) use self::response::Rest;

use self::in_call::InCall;
use super::pool::Link;
use super::{Answer, Outgoing};
use crate::coalesce::Coalesced;
use crate::error::{CallError, Kind, Limit};
use crate::worker::{Event, Settings, Shard, Worker};

/// A connection to a provider, shared by its calls and its driver.
pub(crate) struct Connection {
    worker: Rc<Worker>,
    address: SocketAddr,
    io: Coalesced,
    send: SendRequest<Bytes>,
    settings: Arc<Settings>,
    in_flight: Cell<usize>,
    placed: Cell<u64>,
    open: Cell<bool>,
    /// Resets in the second that began then.
    resets: Cell<(Instant, u32)>,
    authority: http::uri::Authority,
    closing: RefCell<Option<std::task::Waker>>,
}

impl Link for Connection {
    async fn open(worker: Rc<Worker>, stream: TcpStream, address: SocketAddr) -> io::Result<Rc<Self>> {
        let settings = worker.shared.settings.load_full();
        let io = Coalesced::new(stream);
        let window = u32::try_from(settings.limits.message)
            .unwrap_or(u32::MAX)
            .clamp(1 << 16, 8 << 20);
        let handshake = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(window)
            .initial_connection_window_size(16 << 20)
            .max_header_list_size(u32::try_from(settings.limits.headers_in).unwrap_or(u32::MAX))
            .max_concurrent_streams(0)
            .handshake::<_, Bytes>(io.clone());
        let (send, connection) = io.drive(handshake).await.map_err(io::Error::other)?;
        let authority = address.to_string().parse().map_err(io::Error::other)?;
        let link = Rc::new(Self {
            worker: worker.clone(),
            address,
            io,
            send,
            in_flight: Cell::new(0),
            placed: Cell::new(0),
            open: Cell::new(true),
            resets: Cell::new((Instant::now(), 0)),
            authority,
            closing: RefCell::new(None),
            settings,
        });
        Shard::up(&worker.shard.upstream);
        let driver = driver::Driver::new(link.clone(), connection);
        worker.tasks.attach_local(driver.run());
        Ok(link)
    }

    fn is_open(&self) -> bool {
        self.open.get()
    }

    fn is_readonly(&self) -> bool {
        false
    }

    fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    fn room(&self) -> usize {
        self.send
            .current_max_send_streams()
            .saturating_sub(self.in_flight.get())
    }

    fn close(&self) {
        self.open.set(false);
        if let Some(driver) = self.closing.borrow_mut().take() {
            driver.wake();
        }
    }
}

impl Connection {
    /// Whether another stream may be reset now; beyond the budget streams are drained instead, because a peer answers
    /// too many resets with GOAWAY for everybody.
    fn may_reset(&self) -> bool {
        let (began, count) = self.resets.get();
        let now = Instant::now();
        let (began, count) = match now.duration_since(began).as_secs() {
            0 => (began, count),
            _ => (now, 0),
        };
        self.resets.set((began, count.saturating_add(1)));
        count < self.settings.limits.resets
    }

    /// What an error of h2 means for a call whose frames were queued behind `position`.
    fn failed(&self, error: h2::Error, position: u64) -> CallError {
        use h2::Reason;
        if error.is_go_away() || error.is_io() {
            // The connection takes nothing new, whoever ended it.
            self.open.set(false);
        }
        let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        // h2 reports the peer's GOAWAY only to streams above its last id: they did not run.
        let above = error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR);
        let unwritten = (error.is_io() || error.is_go_away()) && self.io.written() <= position;
        if error.is_library() && error.is_go_away() {
            // Our own h2 gave the connection up, for a fault of one reply.
            self.worker.count(Event::Collateral);
        }
        if refused || above || unwritten {
            CallError::unsent(Kind::Closed).because(error)
        } else {
            CallError::sent(Kind::Closed).because(error)
        }
    }
}

/// Places a call and waits for its reply, or for the first message of it where more may follow.
pub(super) async fn place(
    worker: &Rc<Worker>,
    endpoint: &Arc<Endpoint>,
    call: &Outgoing<'_>,
) -> Result<Answer, CallError> {
    if endpoint.tls {
        let why = "the endpoint expects mutual TLS, which this gateway leaves to a sidecar";
        return Err(CallError::unsent(Kind::Connect).because(why));
    }
    let pool = &worker.upstreams.triple;
    let link = pool.link(worker, endpoint.address, call.connect_timeout).await?;
    let head = request::head(&link, call)?;
    let message = framed(worker, &call.arguments.bytes)?;
    // Nothing awaits between the choice of a link with room and the count of its calls in flight.
    let counted = in_call::Counted::new(&link);
    let position = link.io.gathered();
    let more = call.more.take();
    let mut send = link.send.clone();
    let (response, mut body) = send.send_request(head, false).map_err(|error| {
        link.open.set(false);
        CallError::unsent(Kind::Closed).because(error)
    })?;
    let sent = body.send_data(message, more.is_none());
    call.sent.set(true);
    let mut in_call = InCall::new(counted, response, body, more, position);
    sent.map_err(|error| link.failed(error, position))?;
    let head = in_call.head().await?;
    response::read(worker, call, in_call, head).await
}

/// The message with its prefix, as one piece: one DATA frame for most.
fn framed(worker: &Worker, bytes: &Bytes) -> Result<Bytes, CallError> {
    let mut out = bytes::BytesMut::with_capacity(bytes.len() + message::PREFIX);
    message::join(bytes, &mut out).map_err(|error| {
        worker.shard.count_limit(Limit::Message);
        CallError::downstream(Kind::BadRequest).because(error)
    })?;
    Ok(out.freeze())
}
