//! One TCP connection of a capture: put together, told apart by its first bytes, shown.

use std::net::SocketAddr;

use super::report::{Moment, Report};
use super::segment::Segment;
use super::stream::{Piece, Stream};
use super::{dubbo2, hex, http2, quoted};

/// Bytes of each side that are kept until it is known what they are.
const MOST_UNKNOWN: usize = 64 << 10;

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// Who sends on each side.
    ends: [SocketAddr; 2],
    streams: [Stream; 2],
    wire: Wire,
    /// When it was last heard of.
    pub(super) used: u64,
    reset: bool,
    nanos: u64,
}

#[derive(Debug)]
enum Wire {
    /// Not told yet; what came is kept.
    Unknown([Vec<u8>; 2]),
    Dubbo2(Box<dubbo2::Conversation>),
    Http2(Box<http2::Conversation>),
    Text,
    Tls,
    /// Something else, beginning so.
    Other(Vec<u8>),
}

/// What bytes that begin a direction are.
enum Kind {
    Dubbo2,
    Http2,
    Text,
    Tls,
    Other,
}

fn kind(bytes: &[u8], is_midway: bool) -> Option<Kind> {
    let preface = http2::PREFACE
        .get(..bytes.len().min(http2::PREFACE.len()))
        .unwrap_or_default();
    match bytes {
        [] | [0xda] => None,
        [0xda, 0xbb, ..] if bytes.len() < 16 || dubbo2::is_plausible(bytes) => Some(Kind::Dubbo2),
        _ if bytes.starts_with(preface) => (bytes.len() >= 16).then_some(Kind::Http2),
        _ if http2::is_server(bytes) => Some(Kind::Http2),
        [0x16, 0x03, ..] => Some(Kind::Tls),
        _ if is_midway && dubbo2::is_midway(bytes) => Some(Kind::Dubbo2),
        _ if is_midway && http2::is_midway(bytes) => Some(Kind::Http2),
        // Encrypted records of a connection that began earlier.
        [0x14..=0x17, 0x03, 0..=4, ..] if is_midway => Some(Kind::Tls),
        // The middle of a body may be text; a line that ends is more.
        _ if is_text(bytes) && (!is_midway || bytes.ends_with(b"\n") || is_http1(bytes)) => Some(Kind::Text),
        _ if is_midway => (bytes.len() > MOST_UNKNOWN / 2).then_some(Kind::Other),
        _ => (bytes.len() >= 16).then_some(Kind::Other),
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let start = bytes.iter().take(16);
    start
        .into_iter()
        .all(|byte| matches!(byte, b'\t' | b'\r' | b'\n' | b' '..=b'~'))
}

fn is_http1(bytes: &[u8]) -> bool {
    let start = bytes.get(..bytes.len().min(256)).unwrap_or_default();
    start.windows(7).any(|part| part == b"HTTP/1.")
}

impl Connection {
    pub(super) fn new(one: SocketAddr, other: SocketAddr) -> Self {
        Self {
            ends: [one, other],
            streams: [Stream::default(), Stream::default()],
            wire: Wire::Unknown([Vec::new(), Vec::new()]),
            used: 0,
            reset: false,
            nanos: 0,
        }
    }

    /// Bytes that it holds.
    pub(super) fn held(&self) -> usize {
        let waiting: usize = self.streams.iter().map(Stream::held).sum();
        waiting
            + match &self.wire {
                Wire::Unknown(kept) => kept.iter().map(Vec::len).sum(),
                Wire::Dubbo2(conversation) => conversation.held(),
                Wire::Http2(conversation) => conversation.held(),
                _ => 0,
            }
    }

    /// Whether nothing more will come.
    pub(super) fn is_over(&self) -> bool {
        self.reset || self.streams.iter().all(Stream::is_ended)
    }

    /// Whether this segment opens another connection between the same ports.
    pub(super) fn is_replaced_by(&self, segment: &Segment<'_>) -> bool {
        let side = self.side(segment);
        segment.syn
            && self
                .streams
                .get(side)
                .is_some_and(|stream| stream.is_restart(segment.sequence))
    }

    fn side(&self, segment: &Segment<'_>) -> usize {
        usize::from(segment.from != self.ends[0])
    }

    fn moment(&self, side: usize, nanos: u64) -> Moment {
        let [one, other] = self.ends;
        let (from, to) = if side == 0 { (one, other) } else { (other, one) };
        Moment { nanos, from, to }
    }

    /// Takes a segment.
    pub(super) fn take(&mut self, segment: &Segment<'_>, nanos: u64, report: &mut Report<'_>) {
        let side = self.side(segment);
        self.nanos = nanos;
        self.reset |= segment.reset;
        let mut out = Vec::new();
        // The other side has this: what is missing there is missing in the capture, and came before this answer.
        if let (Some(ack), Some(stream)) = (segment.ack, self.streams.get_mut(1 - side)) {
            stream.acknowledged(ack, &mut out);
        }
        self.pieces(1 - side, std::mem::take(&mut out), nanos, report);
        let Some(stream) = self.streams.get_mut(side) else {
            return;
        };
        let mut sequence = segment.sequence;
        if segment.syn {
            stream.begin(sequence);
            sequence = sequence.wrapping_add(1);
        }
        stream.take(sequence, segment.data, segment.missing, segment.fin, &mut out);
        self.pieces(side, out, nanos, report);
    }

    /// The capture is over, or the connection is.
    pub(super) fn finish(&mut self, report: &mut Report<'_>) -> Option<String> {
        for side in 0..2 {
            let mut out = Vec::new();
            if let Some(stream) = self.streams.get_mut(side) {
                stream.finish(&mut out);
            }
            self.pieces(side, out, self.nanos, report);
        }
        let ends = [self.moment(0, self.nanos), self.moment(1, self.nanos)];
        let [one, other] = self.ends;
        match &mut self.wire {
            Wire::Dubbo2(conversation) => conversation.finish(ends, report),
            Wire::Http2(conversation) => conversation.finish(ends, report),
            Wire::Tls => return Some(format!("{one} ↔ {other}: TLS, which is not decrypted")),
            Wire::Other(start) => {
                return Some(format!("{one} ↔ {other}: begins with {}", hex(start, 16)));
            }
            Wire::Unknown(kept) => {
                let start = kept.iter().find(|kept| !kept.is_empty())?;
                return Some(format!("{one} ↔ {other}: begins with {}", hex(start, 16)));
            }
            Wire::Text => {}
        }
        None
    }

    fn pieces(&mut self, side: usize, pieces: Vec<Piece>, nanos: u64, report: &mut Report<'_>) {
        let moment = self.moment(side, nanos);
        for piece in pieces {
            match piece {
                Piece::Data(data) => self.data(side, &data, &moment, report),
                Piece::Lost(lost) => match &mut self.wire {
                    Wire::Dubbo2(conversation) => conversation.lost(side, lost, &moment, report),
                    Wire::Http2(conversation) => conversation.lost(side, lost, &moment, report),
                    // What it is can only be told in the middle now.
                    Wire::Unknown(kept) => {
                        kept.iter_mut().for_each(Vec::clear);
                        let summary = format!("{lost} bytes are not in the capture");
                        report.remark(&moment, &summary, |_| {});
                        self.streams.iter_mut().for_each(|stream| stream.is_midway = true);
                    }
                    Wire::Text | Wire::Tls | Wire::Other(_) => {}
                },
            }
        }
    }

    fn data(&mut self, side: usize, data: &[u8], moment: &Moment, report: &mut Report<'_>) {
        match &mut self.wire {
            Wire::Unknown(kept) => {
                let is_midway = self.streams.iter().any(|stream| stream.is_midway);
                let Some(here) = kept.get_mut(side) else { return };
                here.extend_from_slice(data);
                let Some(kind) = kind(here, is_midway) else { return };
                let start = here.get(..here.len().min(16)).unwrap_or_default().to_vec();
                let kept = std::mem::take(kept);
                self.wire = match kind {
                    Kind::Dubbo2 => Wire::Dubbo2(Box::new(dubbo2::Conversation::new(is_midway))),
                    Kind::Http2 => Wire::Http2(Box::new(http2::Conversation::new(is_midway))),
                    Kind::Text => Wire::Text,
                    Kind::Tls => Wire::Tls,
                    Kind::Other => Wire::Other(start),
                };
                // The other side came first, if it came at all.
                for turn in [1 - side, side] {
                    let moment = self.moment(turn, moment.nanos);
                    if let Some(data) = kept.get(turn).filter(|data| !data.is_empty()) {
                        self.data(turn, data, &moment, report);
                    }
                }
            }
            Wire::Dubbo2(conversation) => conversation.data(side, data, moment, report),
            Wire::Http2(conversation) => conversation.data(side, data, Some(moment), report),
            Wire::Text => {
                let summary = format!("text {}", quoted(&String::from_utf8_lossy(data)));
                report.remark(moment, &summary, |_| {});
            }
            Wire::Tls | Wire::Other(_) => {}
        }
    }
}
