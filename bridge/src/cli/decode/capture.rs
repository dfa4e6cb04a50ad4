//! Captures: packets are read one by one, TCP connections put together, and each frame shown when its last byte comes.
//!
//! Memory is bounded whatever the size of the capture: so many connections, so many bytes that wait for a frame's rest or for a
//! segment that is missing. A hole does not end a connection: a frame that is cut is named, and the next one is found.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::io::{BufReader, Read, Write};
use std::net::SocketAddr;

use super::connection::Connection;
use super::packets::Packets;
use super::report::{Options, Report, date};
use super::segment::{self, Other, Segment};

/// Connections that are followed at once; of more, the one not heard of for longest is let go.
const MOST_CONNECTIONS: usize = 4096;
/// Bytes that all connections together may hold; above, the one that holds most is let go.
const MOST_HELD: usize = 256 << 20;
/// Connections that are named at the end because they speak something else.
const MOST_NAMED: usize = 20;

/// Both ends, the smaller one first.
type Pair = (SocketAddr, SocketAddr);

/// Shows the frames of a capture. The error says why the capture could not be read to its end.
pub(super) fn show(
    input: BufReader<impl Read>,
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), String> {
    let mut capture = Capture {
        report: Report::lines(out, options),
        options,
        connections: HashMap::new(),
        packets: 0,
        held: 0,
        seen: 0,
        others: BTreeMap::new(),
        unread: Vec::new(),
        unread_more: 0,
        dropped: 0,
    };
    let mut packets = Packets::open(input)?;
    let mut ended = Ok(());
    loop {
        match packets.next() {
            Ok(Some(packet)) => {
                if capture.packets == 0 && packet.nanos > 0 {
                    capture
                        .report
                        .note(&format!("capture begins {} UTC", date(packet.nanos)));
                }
                capture.packets += 1;
                match segment::read(packet.link, &packet.data, packet.length) {
                    Ok(segment) => capture.segment(&segment, packet.nanos),
                    Err(other) => *capture.others.entry(other).or_default() += 1,
                }
            }
            Ok(None) => break,
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
        // A capture that is still being written is shown as far as it goes; none is read on for nobody.
        let waits = packets.input().buffer().is_empty();
        if let Err(error) = capture.report.written(waits) {
            return unwritten(&error);
        }
    }
    capture.finish();
    match capture.report.written(true) {
        Err(error) => unwritten(&error),
        Ok(()) => ended,
    }
}

/// Whoever reads it may have seen enough; everything else is a failure.
fn unwritten(error: &std::io::Error) -> Result<(), String> {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(format!("write standard output: {error}"))
}

struct Capture<'o> {
    report: Report<'o>,
    options: &'o Options,
    connections: HashMap<Pair, Connection>,
    packets: u64,
    /// Bytes that all connections hold.
    held: usize,
    /// Connections seen.
    seen: u64,
    others: BTreeMap<Other, u64>,
    unread: Vec<String>,
    unread_more: u64,
    dropped: u64,
}

impl Capture<'_> {
    fn segment(&mut self, segment: &Segment<'_>, nanos: u64) {
        if !self.options.takes(segment.from, segment.to) {
            return;
        }
        let pair = (segment.from.min(segment.to), segment.from.max(segment.to));
        if self
            .connections
            .get(&pair)
            .is_some_and(|known| known.is_replaced_by(segment))
        {
            self.end(pair);
        }
        if !self.connections.contains_key(&pair) {
            // The last words of a connection that is over, or was let go, begin no other.
            if segment.data.is_empty() && segment.missing == 0 && !segment.syn {
                return;
            }
            if self.connections.len() >= MOST_CONNECTIONS {
                self.let_go(|connection| std::cmp::Reverse(connection.used));
            }
            self.seen += 1;
            self.connections
                .insert(pair, Connection::new(segment.from, segment.to));
        }
        let Some(connection) = self.connections.get_mut(&pair) else {
            return;
        };
        let before = connection.held();
        connection.used = self.packets;
        connection.take(segment, nanos, &mut self.report);
        self.held = self.held.saturating_sub(before).saturating_add(connection.held());
        if connection.is_over() {
            self.end(pair);
        }
        while self.held > MOST_HELD && !self.connections.is_empty() {
            self.let_go(Connection::held);
        }
    }

    /// Lets go of the connection for which this is greatest.
    fn let_go<K: Ord>(&mut self, key: impl Fn(&Connection) -> K) {
        let most = self
            .connections
            .iter()
            .max_by_key(|(_, connection)| key(connection));
        if let Some(pair) = most.map(|(pair, _)| *pair) {
            self.dropped += 1;
            self.end(pair);
        }
    }

    fn end(&mut self, pair: Pair) {
        let Some(mut connection) = self.connections.remove(&pair) else {
            return;
        };
        self.held = self.held.saturating_sub(connection.held());
        if let Some(unread) = connection.finish(&mut self.report) {
            if self.unread.len() < MOST_NAMED {
                self.unread.push(unread);
            } else {
                self.unread_more += 1;
            }
        }
    }

    /// Ends what is open, and says what was not shown.
    fn finish(&mut self) {
        let mut open: Vec<_> = self
            .connections
            .iter()
            .map(|(pair, known)| (known.used, *pair))
            .collect();
        open.sort_unstable();
        for (_, pair) in open {
            self.end(pair);
        }
        let mut total = format!(
            "{} packets, {} connections, {} frames",
            self.packets, self.seen, self.report.frames
        );
        if self.report.remarks.all > 0 {
            total = format!("{total}, {} other lines", self.report.remarks);
        }
        self.report.note(&total);
        for line in std::mem::take(&mut self.unread) {
            self.report.note(&format!("not shown: {line}"));
        }
        let counted = [
            (self.unread_more, "more connections of something else"),
            (
                self.dropped,
                "connections let go of, because too much was open at once",
            ),
        ];
        for (count, what) in counted.into_iter().filter(|(count, _)| *count > 0) {
            self.report.note(&format!("not shown: {count} {what}"));
        }
        for (other, count) in std::mem::take(&mut self.others) {
            let what = match other {
                Other::NotTcp => "packets that are not TCP".to_owned(),
                Other::Fragment => "fragments of IP packets".to_owned(),
                Other::Cut => "packets of which the capture kept too little".to_owned(),
                Other::Link(link) => format!("packets of link type {link}, which is not read"),
            };
            self.report.note(&format!("not shown: {count} {what}"));
        }
    }
}
