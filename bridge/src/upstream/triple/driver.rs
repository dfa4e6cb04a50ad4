//! The task of one upstream HTTP/2 connection: drives h2, sends what was gathered, watches the clock.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client;
use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep};

use super::Connection;
use crate::coalesce::Coalesced;
use crate::upstream::pool::Link;
use crate::worker::{Event, Shard};

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
    #[error("HTTP/2 failed")]
    H2(#[from] h2::Error),
    #[error("socket failed")]
    Io(#[from] std::io::Error),
}

pub(super) struct Driver {
    link: Rc<Connection>,
    connection: client::Connection<Coalesced, Bytes>,
    ping: Option<PingPong>,
    ping_sent: Instant,
    last_used: Instant,
    placed: u64,
    tick: Pin<Box<Sleep>>,
    every: Duration,
}

impl Driver {
    pub(super) fn new(link: Rc<Connection>, mut connection: client::Connection<Coalesced, Bytes>) -> Self {
        let timeouts = &link.settings.timeouts;
        let shortest = timeouts
            .heartbeat
            .min(timeouts.stalled)
            .min(timeouts.upstream_idle);
        let every = (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(10));
        let now = Instant::now();
        Self {
            ping: connection.ping_pong(),
            connection,
            ping_sent: now,
            last_used: now,
            placed: 0,
            tick: Box::pin(tokio::time::sleep(every)),
            every,
            link,
        }
    }

    pub(super) async fn run(mut self) {
        /// Also on an abort.
        struct Ended(Rc<Connection>);
        impl Drop for Ended {
            fn drop(&mut self) {
                let link = &self.0;
                link.open.set(false);
                link.worker.count(Event::UpstreamClosed);
                Shard::down(&link.worker.shard.upstream);
                link.worker.upstreams.triple.ended(link.address, link);
            }
        }
        let ended = Ended(self.link.clone());
        let end = poll_fn(|cx| self.poll(cx)).await;
        tracing::debug!(endpoint = %ended.0.address, why = %end, "upstream connection ended");
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let polled = Pin::new(&mut self.connection).poll(cx);
        let sent = self.link.io.poll_send(cx);
        match (polled, sent) {
            (Poll::Ready(Ok(())), _) => return Poll::Ready(End::Eof),
            (Poll::Ready(Err(error)), _) => return Poll::Ready(End::H2(error)),
            (_, Poll::Ready(Err(error))) => return Poll::Ready(End::Io(error)),
            _ => {}
        }
        if !self.link.open.get() && self.link.in_flight() == 0 {
            return Poll::Ready(End::Closed);
        }
        while self.tick.as_mut().poll(cx).is_ready() {
            if let Err(end) = self.look_at_the_clock(cx) {
                return Poll::Ready(end);
            }
            self.tick.as_mut().reset(Instant::now() + self.every);
        }
        let mut closing = self.link.closing.borrow_mut();
        if !closing.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *closing = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    fn look_at_the_clock(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let timeouts = &self.link.settings.timeouts;
        let now = Instant::now();
        if now.duration_since(self.link.io.stuck_since()) >= timeouts.stalled {
            self.link.worker.count(Event::Stalled);
            return Err(End::Stalled);
        }
        let placed = self.link.placed.get();
        if self.link.in_flight() > 0 || placed != self.placed {
            (self.placed, self.last_used) = (placed, now);
        } else if now.duration_since(self.last_used) >= timeouts.upstream_idle {
            self.link.open.set(false);
            return Err(End::Idle);
        }
        let silent = now.duration_since(self.link.io.last_read());
        if silent >= timeouts.heartbeat * 3 {
            self.link.worker.count(Event::Stalled);
            return Err(End::Silent);
        }
        if let Some(ping) = &mut self.ping {
            // Takes the answer to the last one, so that another may be sent.
            let _ = ping.poll_pong(cx);
            if silent >= timeouts.heartbeat
                && now.duration_since(self.ping_sent) >= timeouts.heartbeat
                && ping.send_ping(Ping::opaque()).is_ok()
            {
                self.ping_sent = now;
                self.link.worker.count(Event::HeartbeatOut);
            }
        }
        Ok(())
    }
}
