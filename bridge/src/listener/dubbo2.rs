//! A Dubbo2 connection from a consumer.
//!
//! Each turn reads as much as there is, starts a call for every whole frame, collects the answers that are ready and
//! writes them all at once. Calls run concurrently and are answered in any order; heartbeats are answered at once. When
//! the consumer leaves, its calls are dropped, and so cancelled.

mod answer;
mod calls;
#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use codecs::dubbo2::{
    Event as WireEvent, Frame, FrameError, HESSIAN2, Opening, Request, Status, encode_error, split,
};
use codecs::hessian2::Limits;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use self::calls::{Calls, Done};
use crate::call::Caller;
use crate::error::{CallError, Kind, Limit};
use crate::socket::{Out, Socket, keep};
use crate::worker::{Event, Settings, Worker};

/// After the drain began, a connection is closed once it had nothing to do for this long: a consumer that has not heard
/// of it yet may still send.
const QUIET: Duration = Duration::from_millis(500);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("closed by the consumer")]
    Eof,
    #[error("drained")]
    Drained,
    #[error("nothing was read for too long")]
    Idle,
    #[error("bytes did not move")]
    Stalled,
    #[error("not Dubbo2 but {0:?}")]
    Opening(Opening),
    #[error("broken framing")]
    Framing(#[from] FrameError),
    #[error("socket failed")]
    Io(#[from] io::Error),
}

/// Serves the connection until it ends.
pub(super) async fn serve(worker: Rc<Worker>, stream: TcpStream, caller: Caller) {
    let mut session = Session::new(worker, stream, caller);
    let end = poll_fn(|cx| session.poll(cx)).await;
    session.close(&end).await;
}

struct Session {
    worker: Rc<Worker>,
    caller: Rc<Caller>,
    settings: Arc<Settings>,
    socket: Socket,
    out: Out,
    calls: Calls,
    opened: bool,
    draining: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    tick: Pin<Box<Sleep>>,
    every: Duration,
    last_read: Instant,
    /// When the first bytes of an unfinished frame came.
    unfinished: Option<Instant>,
    /// The position written up to when it last moved, and when that was.
    moved: (u64, Instant),
}

impl Session {
    fn new(worker: Rc<Worker>, stream: TcpStream, caller: Caller) -> Self {
        let settings = worker.shared.settings.load_full();
        let shortest = settings.timeouts.stalled.min(settings.timeouts.downstream_idle);
        let every = (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(10));
        let now = Instant::now();
        Self {
            caller: Rc::new(caller),
            socket: Socket::new(stream),
            out: Out::default(),
            calls: Calls::default(),
            opened: false,
            draining: Some(Box::pin(worker.tasks.draining().clone().cancelled_owned())),
            tick: Box::pin(tokio::time::sleep(every)),
            every,
            last_read: now,
            unfinished: None,
            moved: (0, now),
            settings,
            worker,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        match self.advance(cx) {
            Ok(()) => Poll::Pending,
            Err(end) => Poll::Ready(end),
        }
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        loop {
            let drained = self.read(cx)?;
            while let Poll::Ready(Some(done)) = self.calls.poll(cx) {
                self.answer(&done);
            }
            if let Poll::Ready(result) = self.socket.poll_write(cx, &mut self.out) {
                result?;
            }
            // Reading stopped for lack of room to answer, and writing has made some.
            if drained || self.is_full() {
                break;
            }
        }
        self.watch(cx)
    }

    fn is_full(&self) -> bool {
        self.out.len() > self.settings.limits.write_buffer
    }

    /// Reads what is there; `false` when it stopped because answers wait to be written.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        while !self.is_full() {
            let Poll::Ready(read) = self.socket.poll_read(cx) else {
                return Ok(true);
            };
            if read? == 0 {
                return Err(End::Eof);
            }
            self.last_read = Instant::now();
            if !self.opened {
                match Opening::of(&self.socket.input) {
                    Some(Opening::Dubbo2) => self.opened = true,
                    Some(other) => return Err(End::Opening(other)),
                    None => continue,
                }
            }
            while let Some(frame) = split(&mut self.socket.input, self.settings.limits.message)? {
                self.take(frame);
            }
            self.unfinished = match self.socket.input.is_empty() {
                true => None,
                false => self.unfinished.or(Some(self.last_read)),
            };
        }
        Ok(false)
    }

    fn take(&mut self, mut frame: Frame) {
        let header = frame.header;
        if header.event {
            if WireEvent::answer(&frame, self.out.buffer()) {
                self.worker.count(Event::HeartbeatIn);
            }
            return;
        }
        if !header.request {
            // We sent no request: there is nothing that a consumer could answer.
            self.worker.count(Event::LateReply);
            return;
        }
        if self.calls.in_flight() >= self.settings.limits.in_flight {
            self.worker.shard.count_limit(Limit::Connection);
            if header.two_way {
                let error = CallError::bridge(Kind::Overloaded(Limit::Connection));
                answer::error(header.id, &error, &self.worker, self.out.buffer());
            }
            return;
        }
        frame.body = keep(frame.body);
        if header.serialization != HESSIAN2 {
            let started = self
                .calls
                .opaque(&self.worker, &self.caller, header, frame.body, self.last_read);
            if !started && header.two_way {
                let text = answer::unread(header.serialization);
                encode_error(header.id, Status::BAD_REQUEST, &text, self.out.buffer());
            }
            return;
        }
        let decoded = Request::decode(
            &frame,
            &mut self.worker.scratch.borrow_mut().hessian,
            &Limits::DEFAULT,
        );
        match decoded {
            Ok(request) => self
                .calls
                .start(&self.worker, &self.caller, request, self.last_read),
            Err(error) if header.two_way => {
                let text = format!("cannot decode the request: {error}");
                encode_error(header.id, Status::BAD_REQUEST, &text, self.out.buffer());
            }
            Err(_) => {}
        }
    }

    fn answer(&mut self, done: &Done) {
        if done.two_way {
            answer::write(
                done,
                &self.worker,
                self.settings.limits.message,
                self.out.buffer(),
            );
        }
    }

    /// The drain and the clock.
    fn watch(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        if let Some(draining) = &mut self.draining
            && draining.as_mut().poll(cx).is_ready()
        {
            self.draining = None;
            self.every = self.every.min(QUIET / 2);
            self.tick.as_mut().reset(Instant::now() + self.every);
            if self.worker.sends_readonly() {
                self.out.buffer().extend_from_slice(&WireEvent::readonly(0));
            }
        }
        while self.tick.as_mut().poll(cx).is_ready() {
            self.look_at_the_clock()?;
            self.tick.as_mut().reset(Instant::now() + self.every);
        }
        if let Poll::Ready(result) = self.socket.poll_write(cx, &mut self.out) {
            result?;
        }
        Ok(())
    }

    fn look_at_the_clock(&mut self) -> Result<(), End> {
        let timeouts = &self.settings.timeouts;
        let now = Instant::now();
        if self.out.len() == 0 || self.out.written() != self.moved.0 {
            self.moved = (self.out.written(), now);
        } else if now.duration_since(self.moved.1) >= timeouts.stalled {
            return Err(End::Stalled);
        }
        let late = |since: Instant| now.duration_since(since) >= timeouts.stalled;
        if self.unfinished.is_some_and(late) {
            return Err(End::Stalled);
        }
        if self.calls.in_flight() > 0 {
            return Ok(());
        }
        let silent = now.duration_since(self.last_read);
        if silent >= timeouts.downstream_idle {
            return Err(End::Idle);
        }
        if self.draining.is_none() && silent >= QUIET && self.out.len() == 0 {
            return Err(End::Drained);
        }
        Ok(())
    }

    /// Counts why the connection ended, and says it to the consumer where it can be said.
    async fn close(mut self, end: &End) {
        let peer = self.caller.address;
        match end {
            End::Idle => self.worker.count(Event::Idle),
            End::Stalled => self.worker.count(Event::Stalled),
            End::Opening(_) => self.worker.count(Event::Text),
            End::Framing(error) => {
                self.worker.count(Event::BadFraming);
                tracing::warn!(%peer, %error, "closed a Dubbo2 connection for its framing");
                if let FrameError::TooLarge { header, .. } = error {
                    self.worker.count(Event::Oversize);
                    self.worker.shard.count_limit(Limit::Message);
                    if header.request && header.two_way {
                        encode_error(
                            header.id,
                            Status::BAD_REQUEST,
                            &error.to_string(),
                            self.out.buffer(),
                        );
                    }
                }
                let write = poll_fn(|cx| self.socket.poll_write(cx, &mut self.out));
                let _ = tokio::time::timeout(QUIET, write).await;
            }
            End::Eof | End::Drained | End::Io(_) => {}
        }
        tracing::debug!(%peer, why = %end, "Dubbo2 connection ended");
    }
}
