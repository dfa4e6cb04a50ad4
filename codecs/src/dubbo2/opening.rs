//! What speaks on a Dubbo port: Dubbo2, TLS, HTTP/2, or people with telnet (Dubbo's `TelnetCodec`).

use bytes::{Bytes, BytesMut};

/// What a connection's first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A Dubbo2 frame.
    Dubbo2,
    /// A TLS record.
    Tls,
    /// An HTTP/2 connection preface.
    Http2,
    /// Text lines: telnet, health checks, port scanners; HTTP/1 too.
    Text,
    /// Nothing that belongs here.
    Unknown,
}

const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n";

impl Opening {
    /// What the first bytes say; `None` when more are needed to tell.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        match first {
            0xda => match bytes.get(1)? {
                0xbb => Some(Self::Dubbo2),
                _ => Some(Self::Unknown),
            },
            0x16 => Some(Self::Tls),
            b'P' if HTTP2.starts_with(bytes) => (bytes.len() == HTTP2.len()).then_some(Self::Http2),
            _ if bytes.starts_with(HTTP2) => Some(Self::Http2),
            // Ctrl-C and telnet's interrupt are what text clients send, too.
            b'\t' | b'\r' | b'\n' | b' '..=b'~' | 0x03 | 0xff => Some(Self::Text),
            _ => Some(Self::Unknown),
        }
    }
}

/// One line of telnet text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextLine {
    /// A command, without its line end; bytes that are not UTF-8 are replaced.
    Command(String),
    /// The client asked to leave (Ctrl-C and the like).
    Exit,
    /// The line is longer than allowed: close the connection.
    TooLong,
}

const EXITS: [&[u8]; 3] = [
    &[0x03],
    &[0xff, 0xf4, 0xff, 0xfd, 0x06],
    &[0xff, 0xed, 0xff, 0xfd, 0x06],
];

/// Cuts the first line of at most `max` bytes off `buffer`; `None` when it has not ended yet.
pub fn text_line(buffer: &mut BytesMut, max: usize) -> Option<TextLine> {
    if EXITS.iter().any(|exit| buffer.starts_with(exit)) {
        return Some(TextLine::Exit);
    }
    let Some(end) = buffer
        .iter()
        .take(max.saturating_add(1))
        .position(|byte| *byte == b'\n')
    else {
        return (buffer.len() > max).then_some(TextLine::TooLong);
    };
    let line: Bytes = buffer.split_to(end.saturating_add(1)).freeze();
    Some(TextLine::Command(
        String::from_utf8_lossy(&line).trim().to_owned(),
    ))
}
