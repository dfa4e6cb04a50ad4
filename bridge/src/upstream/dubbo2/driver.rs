//! The task of one upstream connection: reads responses and events, writes what calls have appended, watches the clock.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use codecs::dubbo2::{Event as WireEvent, Frame, FrameError, Status, encode_error, split};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::super::pool::Link;
use super::Connection;
use crate::socket::{Socket, keep};
use crate::worker::{Event, Settings, Shard};

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("closed by the peer")]
    Eof,
    #[error("closed by us")]
    Closed,
    #[error("idle")]
    Idle,
    #[error("nothing was read for too long")]
    Silent,
    #[error("bytes to be written did not move")]
    Stalled,
    #[error("broken framing")]
    Framing(#[from] FrameError),
    #[error("socket failed")]
    Io(#[from] io::Error),
}

pub(super) struct Driver {
    connection: Rc<Connection>,
    socket: Socket,
    settings: Arc<Settings>,
    tick: Pin<Box<Sleep>>,
    every: Duration,
    last_read: Instant,
    last_used: Instant,
    placed: u64,
    heartbeat_sent: Instant,
    /// The position written up to at the last tick at which it had moved, and when that was.
    moved: (u64, Instant),
}

impl Driver {
    pub(super) fn new(connection: Rc<Connection>, stream: TcpStream, settings: Arc<Settings>) -> Self {
        let timeouts = &settings.timeouts;
        let shortest = timeouts
            .heartbeat
            .min(timeouts.stalled)
            .min(timeouts.upstream_idle);
        let every = (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(10));
        let now = Instant::now();
        Self {
            connection,
            socket: Socket::new(stream),
            tick: Box::pin(tokio::time::sleep(every)),
            every,
            settings,
            last_read: now,
            last_used: now,
            placed: 0,
            heartbeat_sent: now,
            moved: (0, now),
        }
    }

    pub(super) async fn run(mut self) {
        /// Also on an abort: no call waits for a connection that is gone.
        struct Ended(Rc<Connection>);
        impl Drop for Ended {
            fn drop(&mut self) {
                let connection = &self.0;
                connection.open.set(false);
                let written = connection.out.borrow().written();
                connection.calls.borrow_mut().lose(written);
                let worker = &connection.worker;
                worker.count(Event::UpstreamClosed);
                Shard::down(&worker.shard.upstream);
                worker.upstreams.dubbo2.ended(connection.address, connection);
            }
        }
        let ended = Ended(self.connection.clone());
        let end = poll_fn(|cx| self.poll(cx)).await;
        let connection = &ended.0;
        tracing::debug!(endpoint = %connection.address, why = %end, "upstream connection ended");
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        match self.advance(cx) {
            Ok(()) => Poll::Pending,
            Err(end) => Poll::Ready(end),
        }
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let connection = self.connection.clone();
        while let Poll::Ready(read) = self.socket.poll_read(cx) {
            if read? == 0 {
                return Err(End::Eof);
            }
            self.last_read = Instant::now();
            while let Some(frame) = split(&mut self.socket.input, self.settings.limits.message)? {
                self.take(&connection, frame);
            }
        }
        if let Poll::Ready(result) = self.socket.poll_write(cx, &mut connection.out.borrow_mut()) {
            result?;
        }
        while self.tick.as_mut().poll(cx).is_ready() {
            self.look_at_the_clock(&connection)?;
            let next = Instant::now() + self.every;
            self.tick.as_mut().reset(next);
            if let Poll::Ready(result) = self.socket.poll_write(cx, &mut connection.out.borrow_mut()) {
                result?;
            }
        }
        if !connection.open.get() && connection.out.borrow().len() == 0 && connection.in_flight() == 0 {
            return Err(End::Closed);
        }
        let mut driver = connection.driver.borrow_mut();
        if !driver.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *driver = Some(cx.waker().clone());
        }
        Ok(())
    }

    fn take(&self, connection: &Connection, mut frame: Frame) {
        let header = frame.header;
        if header.event {
            match WireEvent::decode(&frame) {
                WireEvent::Readonly => {
                    connection.worker.count(Event::Readonly);
                    connection.set_readonly(true);
                }
                WireEvent::Writable => connection.set_readonly(false),
                _ => {}
            }
            let mut out = connection.out.borrow_mut();
            // A peer that only sends events must not make us hoard answers.
            if out.len() <= self.settings.limits.write_buffer {
                WireEvent::answer(&frame, out.buffer());
            }
        } else if header.request {
            // A callback: none of ours was ever registered (Dubbo's `CallbackServiceCodec`).
            let mut out = connection.out.borrow_mut();
            if header.two_way && out.len() <= self.settings.limits.write_buffer {
                let text = "callbacks are not supported by the gateway";
                encode_error(header.id, Status::SERVICE_ERROR, text, out.buffer());
            }
        } else {
            frame.body = keep(frame.body);
            if !connection.calls.borrow_mut().answer(frame) {
                connection.worker.count(Event::LateReply);
            }
        }
    }

    fn look_at_the_clock(&mut self, connection: &Connection) -> Result<(), End> {
        let timeouts = &self.settings.timeouts;
        let now = Instant::now();
        let mut out = connection.out.borrow_mut();
        if out.len() == 0 || out.written() != self.moved.0 {
            self.moved = (out.written(), now);
        } else if now.duration_since(self.moved.1) >= timeouts.stalled {
            connection.worker.count(Event::Stalled);
            return Err(End::Stalled);
        }
        let placed = connection.placed.get();
        if connection.calls.borrow().in_flight() > 0 || placed != self.placed {
            (self.placed, self.last_used) = (placed, now);
        } else if now.duration_since(self.last_used) >= timeouts.upstream_idle {
            return Err(End::Idle);
        }
        let silent = now.duration_since(self.last_read);
        if silent >= timeouts.heartbeat * 3 {
            connection.worker.count(Event::Stalled);
            return Err(End::Silent);
        }
        if silent >= timeouts.heartbeat && now.duration_since(self.heartbeat_sent) >= timeouts.heartbeat {
            let id = connection.calls.borrow_mut().one_way();
            out.buffer().extend_from_slice(&WireEvent::heartbeat(id));
            self.heartbeat_sent = now;
            connection.worker.count(Event::HeartbeatOut);
        }
        Ok(())
    }
}
