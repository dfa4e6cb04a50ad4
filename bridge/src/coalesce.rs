//! A socket under HTTP/2 whose writes are put together.
//!
//! h2 asks the socket to flush after every DATA frame of 256 bytes or more: one system call a frame. Here a flush does
//! nothing; the task that owns the connection sends what was gathered once it has polled the connection, and writing
//! itself sends when the bounded buffer is full.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::socket::Out;

/// Bytes gathered before writing sends by itself.
const MOST: usize = 64 * 1024;

/// A socket that gathers writes. Clones are the same socket: h2 holds one, the task that sends another.
#[derive(Debug, Clone)]
pub(crate) struct Coalesced(Rc<RefCell<Inner>>);

#[derive(Debug)]
struct Inner {
    stream: TcpStream,
    out: Out,
    last_read: Instant,
    moved: (u64, Instant),
}

impl Coalesced {
    pub(crate) fn new(stream: TcpStream) -> Self {
        let now = Instant::now();
        Self(Rc::new(RefCell::new(Inner {
            stream,
            out: Out::default(),
            last_read: now,
            moved: (0, now),
        })))
    }

    /// Sends what was gathered; pending while the socket takes no more.
    pub(crate) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_send(cx)
    }

    /// Runs a future that uses the socket, and sends what it gathers.
    pub(crate) async fn drive<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let polled = future.as_mut().poll(cx);
            // A broken socket is seen by the future itself, when it reads.
            let _ = self.poll_send(cx);
            polled
        })
        .await
    }

    /// The position in the whole stream behind what was gathered so far.
    pub(crate) fn gathered(&self) -> u64 {
        self.0.borrow().out.end()
    }

    /// The position in the whole stream up to which bytes were handed to the kernel.
    pub(crate) fn written(&self) -> u64 {
        self.0.borrow().out.written()
    }

    /// When something was last read.
    pub(crate) fn last_read(&self) -> Instant {
        self.0.borrow().last_read
    }

    /// Since when bytes wait without moving; now when none do. To be asked from time to time.
    pub(crate) fn stuck_since(&self) -> Instant {
        let inner = &mut *self.0.borrow_mut();
        let now = Instant::now();
        if inner.out.len() == 0 || inner.out.written() != inner.moved.0 {
            inner.moved = (inner.out.written(), now);
        }
        inner.moved.1
    }
}

impl Inner {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.out.len() > 0 {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, self.out.waiting())) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => self.out.advance(n),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.out.len() >= MOST
            && let Poll::Ready(result) = self.poll_send(cx)
        {
            result?;
        }
        match MOST.saturating_sub(self.out.len()) {
            0 => Poll::Pending,
            room => Poll::Ready(Ok(room)),
        }
    }
}

impl AsyncRead for Coalesced {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.borrow_mut();
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut inner.stream).poll_read(cx, buffer));
        if buffer.filled().len() > before {
            inner.last_read = Instant::now();
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Coalesced {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let inner = &mut *self.0.borrow_mut();
        let room = ready!(inner.room(cx))?;
        let taken = bytes.get(..room).unwrap_or(bytes);
        inner.out.buffer().extend_from_slice(taken);
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let inner = &mut *self.0.borrow_mut();
        let mut room = ready!(inner.room(cx))?;
        let mut total = 0;
        for slice in slices {
            let taken = slice.get(..room).unwrap_or(slice);
            inner.out.buffer().extend_from_slice(taken);
            room -= taken.len();
            total += taken.len();
        }
        Poll::Ready(Ok(total))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.borrow_mut();
        ready!(inner.poll_send(cx))?;
        Pin::new(&mut inner.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn gathers_until_it_is_told_to_send_or_is_full() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let mut io = Coalesced::new(near);
        io.write_all(b"one").await.unwrap();
        io.flush().await.unwrap();
        io.write_all(b"two").await.unwrap();
        assert_eq!((io.gathered(), io.written()), (6, 0));
        let sender = io.clone();
        poll_fn(|cx| sender.poll_send(cx)).await.unwrap();
        let mut got = [0; 6];
        far.read_exact(&mut got).await.unwrap();
        assert_eq!((&got, io.written()), (b"onetwo", 6));
        // More than the buffer holds goes out by itself.
        let big = vec![7; 3 * MOST];
        let read = async {
            let mut back = vec![0; big.len()];
            far.read_exact(&mut back).await.unwrap();
            back.len()
        };
        let write = async {
            io.write_all(&big).await.unwrap();
            poll_fn(|cx| sender.poll_send(cx)).await.unwrap();
        };
        let (read, ()) = tokio::join!(read, write);
        assert_eq!(read, big.len());
    }
}
