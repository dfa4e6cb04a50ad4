//! The calls in flight on one connection, by request id.
//!
//! An id is a counter above the number of the call's slot: a reply finds its slot without hashing, and a late one for a
//! slot that was given to another call is told by the counter.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use codecs::dubbo2::Frame;

use super::super::pool::Link;
use super::Connection;
use crate::error::{CallError, Kind};

/// Bits of an id that number the slot.
const SLOT_BITS: u32 = 20;

/// The most calls in flight; the last slot number is kept for ids that nobody waits for.
const MOST: usize = (1 << SLOT_BITS) - 1;

/// The calls in flight.
#[derive(Debug)]
pub(super) struct Calls {
    slots: Vec<Slot>,
    free: Vec<usize>,
    count: u64,
}

#[derive(Debug)]
struct Slot {
    id: u64,
    /// Where the request begins in the stream of bytes written.
    start: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Free,
    Waiting(Option<Waker>),
    Answered(Frame),
    /// The connection ended; whether the request had been written by then, at least in part.
    Lost {
        sent: bool,
    },
}

impl Calls {
    /// No calls; ids begin at `seed`, so that a new connection does not repeat those of the last.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            count: seed,
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn room(&self) -> usize {
        MOST - self.in_flight()
    }

    /// A slot for a call whose request begins at `start`: its id and slot.
    pub(super) fn begin(&mut self, start: u64) -> (u64, usize) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                id: 0,
                start: 0,
                state: State::Free,
            });
            self.slots.len() - 1
        });
        let id = self.next(slot);
        if let Some(entry) = self.slots.get_mut(slot) {
            *entry = Slot {
                id,
                start,
                state: State::Waiting(None),
            };
        }
        (id, slot)
    }

    /// An id that nobody waits for: one-way calls and events.
    pub(super) fn one_way(&mut self) -> u64 {
        self.next(MOST)
    }

    fn next(&mut self, slot: usize) -> u64 {
        self.count = self.count.wrapping_add(1);
        (self.count << SLOT_BITS) | u64::try_from(slot).unwrap_or(u64::MAX)
    }

    /// Hands a response to the call that waits for it; `false` for one that nobody waits for.
    pub(super) fn answer(&mut self, frame: Frame) -> bool {
        let id = frame.header.id;
        let slot = usize::try_from(id & ((1 << SLOT_BITS) - 1)).unwrap_or(usize::MAX);
        let Some(entry) = self.slots.get_mut(slot).filter(|entry| entry.id == id) else {
            return false;
        };
        let State::Waiting(waker) = &mut entry.state else {
            return false;
        };
        let waker = waker.take();
        entry.state = State::Answered(frame);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// The connection has ended after `written` bytes: every call that waits is told; how many had been sent.
    pub(super) fn lose(&mut self, written: u64) -> usize {
        let mut lost = 0;
        for entry in &mut self.slots {
            if let State::Waiting(waker) = &mut entry.state {
                let waker = waker.take();
                let sent = written > entry.start;
                lost += usize::from(sent);
                entry.state = State::Lost { sent };
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
        lost
    }

    fn poll(&mut self, slot: usize, cx: &mut Context<'_>) -> Poll<Result<Frame, bool>> {
        let Some(entry) = self.slots.get_mut(slot) else {
            return Poll::Ready(Err(true));
        };
        match std::mem::replace(&mut entry.state, State::Free) {
            State::Answered(frame) => Poll::Ready(Ok(frame)),
            State::Lost { sent } => Poll::Ready(Err(sent)),
            State::Waiting(Some(waker)) if waker.will_wake(cx.waker()) => {
                entry.state = State::Waiting(Some(waker));
                Poll::Pending
            }
            State::Waiting(_) => {
                entry.state = State::Waiting(Some(cx.waker().clone()));
                Poll::Pending
            }
            // Polled again after its end: treated as lost.
            State::Free => Poll::Ready(Err(true)),
        }
    }

    fn end(&mut self, slot: usize, id: u64) {
        if let Some(entry) = self.slots.get_mut(slot).filter(|entry| entry.id == id) {
            entry.id = 0;
            entry.state = State::Free;
            self.free.push(slot);
        }
    }
}

/// Waits for the response of one call; dropping it forgets the call, and its late response is discarded.
pub(super) struct Waiting {
    connection: Rc<Connection>,
    id: u64,
    slot: usize,
}

impl Waiting {
    pub(super) fn new(connection: Rc<Connection>, id: u64, slot: usize) -> Self {
        Self { connection, id, slot }
    }
}

impl Future for Waiting {
    type Output = Result<Frame, CallError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.connection.calls.borrow_mut().poll(self.slot, cx);
        polled.map_err(|sent| {
            if sent {
                CallError::sent(Kind::Closed)
            } else {
                CallError::unsent(Kind::Closed)
            }
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.connection.calls.borrow_mut().end(self.slot, self.id);
        if self.connection.is_open() {
            self.connection
                .worker
                .upstreams
                .dubbo2
                .freed(self.connection.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codecs::dubbo2::{Header, Status};

    fn response(id: u64) -> Frame {
        Frame {
            header: Header::response(id, Status::OK),
            body: bytes::Bytes::from_static(b"\x92"),
        }
    }

    fn poll(calls: &mut Calls, slot: usize) -> Poll<Result<Frame, bool>> {
        calls.poll(slot, &mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn replies_find_their_calls_in_any_order() {
        let mut calls = Calls::new(7);
        let (one, first) = calls.begin(0);
        let (two, second) = calls.begin(10);
        assert!(calls.answer(response(two)));
        assert!(poll(&mut calls, first).is_pending());
        assert_eq!(poll(&mut calls, second), Poll::Ready(Ok(response(two))));
        assert!(calls.answer(response(one)));
        assert!(!calls.answer(response(one)), "a second reply to the same call");
        assert_eq!(poll(&mut calls, first), Poll::Ready(Ok(response(one))));
    }

    #[test]
    fn a_late_reply_does_not_reach_the_slots_next_call() {
        let mut calls = Calls::new(0);
        let (one, slot) = calls.begin(0);
        calls.end(slot, one);
        assert_eq!(calls.in_flight(), 0);
        let (two, again) = calls.begin(5);
        assert_eq!(slot, again);
        assert!(!calls.answer(response(one)));
        assert!(calls.answer(response(two)));
        assert!(!calls.answer(response(calls.count << SLOT_BITS | 77)));
    }

    #[test]
    fn the_lost_know_whether_they_were_sent() {
        let mut calls = Calls::new(0);
        let (_, written) = calls.begin(0);
        let (_, unwritten) = calls.begin(100);
        assert_eq!(calls.lose(100), 1);
        assert_eq!(poll(&mut calls, written), Poll::Ready(Err(true)));
        assert_eq!(poll(&mut calls, unwritten), Poll::Ready(Err(false)));
    }
}
