//! What speaks on a Triple port: HTTP/2 with prior knowledge, HTTP/1, or something else.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// What a connection's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// HTTP/2.
    Http2,
    /// HTTP/1: a method in capitals.
    Http1,
    /// TLS, Dubbo2, or nothing that belongs here.
    Other,
}

impl Opening {
    /// Looks at the first bytes without taking them.
    pub(super) async fn of(stream: &TcpStream) -> io::Result<Self> {
        let mut bytes = [0; PREFACE.len()];
        loop {
            let n = stream.peek(&mut bytes).await?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(opening) = Self::told(bytes.get(..n).unwrap_or_default()) {
                return Ok(opening);
            }
            // What was peeked at stays readable: waiting for readiness would not wait.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What bytes say; `None` when more are needed.
    fn told(bytes: &[u8]) -> Option<Self> {
        if bytes.len() <= PREFACE.len() && PREFACE.starts_with(bytes) {
            return (bytes.len() == PREFACE.len()).then_some(Self::Http2);
        }
        let is_method = bytes.iter().take(3).all(u8::is_ascii_uppercase);
        Some(if is_method { Self::Http1 } else { Self::Other })
    }
}

/// Tells an HTTP/1 client what it met.
pub(super) async fn refuse_http1(stream: &mut TcpStream) {
    const TEXT: &str = "this port speaks gRPC and Triple over HTTP/2 with prior knowledge\n";
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{TEXT}",
        TEXT.len()
    );
    let _ = tokio::time::timeout(Duration::from_secs(1), async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // Unread bytes would make the kernel reset the connection under the answer.
        let mut rest = [0; 4096];
        for _ in 0..16 {
            if stream.read(&mut rest).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_by_as_few_bytes_as_possible() {
        for (bytes, told) in [
            (&b"P"[..], None),
            (b"PRI * HTTP/2.0\r", None),
            (b"PRI * HTTP/2.0\r\n", Some(Opening::Http2)),
            (b"POST /", Some(Opening::Http1)),
            (b"GET", Some(Opening::Http1)),
            (b"\x16\x03", Some(Opening::Other)),
            (b"\xda\xbb\xc2", Some(Opening::Other)),
        ] {
            assert_eq!(Opening::told(bytes), told, "{bytes:?}");
        }
    }
}
