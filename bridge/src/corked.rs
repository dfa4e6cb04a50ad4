//! A socket whose writes wait until the connection has been polled to its end: one write to the kernel for all the frames
//! of a turn.
//!
//! h2 asks for a flush with every DATA frame of 256 bytes or more, which is one system call a message. Here `poll_flush`
//! only says yes; [`Driven`], which owns the connection's future, flushes once after each poll of it. What waits is
//! bounded: a full buffer is written at once, and a full socket is backpressure as before.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that may wait before they are written in the middle of a turn.
const CAP: usize = 64 * 1024;

/// The socket as the connection sees it.
pub(crate) struct Corked<T>(Rc<RefCell<Inner<T>>>);

struct Inner<T> {
    io: T,
    out: Vec<u8>,
    /// Bytes of `out` that were written.
    at: usize,
}

impl<T: AsyncWrite + Unpin> Inner<T> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(waiting) = self.out.get(self.at..).filter(|waiting| !waiting.is_empty()) {
            match Pin::new(&mut self.io).poll_write(cx, waiting) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => self.at += n,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.at = 0;
        if self.out.capacity() > CAP {
            self.out = Vec::new();
        } else {
            self.out.clear();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Corked<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Corked<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.0.borrow_mut();
        if inner.out.len() >= CAP {
            match inner.poll_drain(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        let mut taken = 0;
        for buf in bufs {
            let room = CAP.saturating_sub(inner.out.len());
            let part = buf.get(..room.min(buf.len())).unwrap_or_default();
            inner.out.extend_from_slice(part);
            taken += part.len();
            if part.len() < buf.len() {
                break;
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.borrow_mut();
        match inner.poll_drain(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut inner.io).poll_shutdown(cx),
            other => other,
        }
    }
}

/// Flushes what a connection wrote; see [`cork`].
pub(crate) struct Flusher<T>(Rc<RefCell<Inner<T>>>);

/// Splits a socket into what the connection is given, and what flushes it after each of the connection's polls.
pub(crate) fn cork<T>(io: T) -> (Corked<T>, Flusher<T>) {
    let inner = Rc::new(RefCell::new(Inner {
        io,
        out: Vec::new(),
        at: 0,
    }));
    (Corked(inner.clone()), Flusher(inner))
}

impl<T: AsyncWrite + Unpin> Flusher<T> {
    /// Writes what waits; pending registers the task for when the socket has room.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_drain(cx)
    }

    /// Polls a connection's future to its end, flushing after each poll.
    ///
    /// A flush that fails is not reported here: the connection meets the same error at its next read.
    pub(crate) async fn drive<F: Future>(&mut self, connection: F) -> F::Output {
        let mut connection = std::pin::pin!(connection);
        std::future::poll_fn(|cx| {
            let output = connection.as_mut().poll(cx);
            let _ = self.poll_flush(cx);
            output
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn frames_of_one_turn_are_written_together_and_all_arrive() {
        let (near, mut far) = tokio::io::duplex(16 * 1024);
        let (mut corked, mut flusher) = cork(near);
        let writing = async move {
            for _ in 0..1000 {
                corked.write_all(&[7; 200]).await.unwrap();
                corked.flush().await.unwrap();
            }
            corked.shutdown().await.unwrap();
        };
        let reading = async move {
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            all
        };
        let ((), all) = tokio::join!(flusher.drive(writing), reading);
        assert_eq!(all.len(), 200_000);
    }

    #[test]
    fn nothing_is_written_before_the_turn_ends() {
        let (near, _far) = tokio::io::duplex(1024);
        let (mut corked, mut flusher) = cork(near);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut corked).poll_write(&mut cx, b"abc").is_ready());
        assert!(Pin::new(&mut corked).poll_flush(&mut cx).is_ready());
        assert_eq!(flusher.0.borrow().out.len(), 3);
        assert!(flusher.poll_flush(&mut cx).is_ready());
        assert_eq!(flusher.0.borrow().out.len(), 0);
    }
}
