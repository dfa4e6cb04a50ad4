//! Ports of loopback for tests: free ones for programs that start later, and closed ones on which nobody listens.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::net::TcpSocket;

/// Above the ports that peers have of their own, and below those that Linux gives to outgoing connections (32768 and up):
/// a program that binds its port seconds later does not find it in use by somebody's connection.
const FREE: Range<u16> = 24_200..32_700;

/// A free port for a program that cannot choose one itself and say which. No port is given twice in one process, so that
/// two programs that start at the same time never get the same one.
///
/// # Panics
/// None of some thousand ports is free.
#[allow(
    clippy::expect_used,
    reason = "a machine without a free port runs no test, and the demo does not ask"
)]
pub fn free() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let size = u32::from(FREE.end - FREE.start);
    // Two test processes at once begin at different places.
    let first = std::process::id().wrapping_mul(251);
    let candidate = || {
        let given = u32::from(GIVEN.fetch_add(1, Ordering::Relaxed));
        FREE.start + u16::try_from(first.wrapping_add(given) % size).unwrap_or(0)
    };
    std::iter::repeat_with(candidate)
        .take(size as usize)
        .find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok())
        .expect("one of some thousand ports is free")
}

/// An address of loopback that refuses connections as long as this lives: it is bound, so that nobody else gets it, and
/// nobody listens.
#[derive(Debug)]
pub struct Closed {
    address: SocketAddr,
    _socket: TcpSocket,
}

impl Closed {
    /// At a port that was free.
    ///
    /// # Errors
    /// When there is none.
    pub fn new() -> io::Result<Self> {
        Self::bind(([127, 0, 0, 1], 0).into())
    }

    /// At an address on which somebody listened: waits until that one is gone. The caller bounds the time.
    pub async fn after(address: SocketAddr) -> Self {
        loop {
            match Self::bind(address) {
                Ok(closed) => return closed,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // Connections of its predecessor may linger; one that listens is not passed over by this.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self {
            address: socket.local_addr()?,
            _socket: socket,
        })
    }

    /// Where nobody listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn no_free_port_is_given_twice() {
        let ports: std::collections::BTreeSet<u16> = (0..100).map(|_| free()).collect();
        assert_eq!(ports.len(), 100);
        assert!(ports.iter().all(|port| FREE.contains(port)), "{ports:?}");
    }

    #[tokio::test]
    async fn a_closed_port_refuses_and_is_given_to_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let held = Closed::after(address);
        tokio::pin!(held);
        assert!(futures_util::poll!(&mut held).is_pending(), "somebody listens");
        drop(listener);
        let closed = held.await;
        assert_eq!(closed.address(), address);
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        // Another socket takes the address only when this one lets go.
        drop(closed);
        drop(TcpListener::bind(address).unwrap());
    }
}
