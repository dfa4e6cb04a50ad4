//! Buffered reading and writing on one socket, polled by the one task that owns the connection.
//!
//! Reading takes as much as there is; writing hands out everything that waits in one call.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

/// Room made for reading: a few hundred small frames.
const ROOM: usize = 16 * 1024;

/// A frame's body up to this size is copied out of the read buffer, so that it does not pin the buffer.
const SMALL: usize = 4 * 1024;

/// A large write buffer is given back when it is empty.
const KEEP: usize = 64 * 1024;

/// Bytes waiting to be written, and how many were written before them.
#[derive(Debug, Default)]
pub(crate) struct Out {
    bytes: Vec<u8>,
    at: usize,
    written: u64,
}

impl Out {
    /// The buffer to append to.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The position in the whole stream of the next byte to be appended.
    pub(crate) fn end(&self) -> u64 {
        self.written.saturating_add(wide(self.len()))
    }

    /// The position in the whole stream up to which bytes were handed to the kernel.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Counts bytes as written.
    pub(crate) fn advance(&mut self, n: usize) {
        self.at += n;
        self.written = self.written.saturating_add(wide(n));
        if self.at == self.bytes.len() {
            self.at = 0;
            if self.bytes.capacity() > KEEP {
                self.bytes = Vec::new();
            } else {
                self.bytes.clear();
            }
        }
    }

    /// The bytes that wait.
    pub(crate) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// A socket with its read buffer.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// Bytes read and not yet taken.
    pub(crate) input: BytesMut,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
        }
    }

    /// Reads what is there into `input`; `Ok(0)` at the end of the stream. At most doubles the buffer, whatever a peer
    /// announces.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.capacity() - self.input.len() < ROOM / 4 {
            self.input.reserve(ROOM);
        }
        pin!(self.stream.read_buf(&mut self.input)).poll(cx)
    }

    /// Writes until nothing waits; pending while something does.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, out: &mut Out) -> Poll<io::Result<()>> {
        while out.len() > 0 {
            match Pin::new(&mut self.stream).poll_write(cx, out.waiting()) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => out.advance(n),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A received slice that may outlive the turn: a small one is copied, so that it never pins the read buffer.
pub(crate) fn keep(bytes: Bytes) -> Bytes {
    if bytes.len() <= SMALL {
        Bytes::copy_from_slice(&bytes)
    } else {
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_counts_positions_in_the_whole_stream() {
        let mut out = Out::default();
        out.buffer().extend_from_slice(b"abcdef");
        assert_eq!((out.len(), out.end(), out.written()), (6, 6, 0));
        out.advance(4);
        assert_eq!((out.waiting(), out.end(), out.written()), (&b"ef"[..], 6, 4));
        out.advance(2);
        out.buffer().push(b'g');
        assert_eq!((out.len(), out.end(), out.written()), (1, 7, 6));
    }
}
