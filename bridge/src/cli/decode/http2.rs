//! HTTP/2 connections that carry Triple or gRPC: one line and a tree for each frame.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};
use codecs::triple::message::{Compression, Message, PREFIX};
use codecs::triple::status::{Code, decode_message};

use super::hpack::{self, UNKNOWN};
use super::report::{Moment, Report};
use super::{Stopped, Tree, hex, quoted, triple};

/// What a client sends first.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEAD: usize = 9;
/// The largest message that is shown.
const MOST_MESSAGE: usize = 16 << 20;
/// Bytes of messages that wait for their rest, of all streams of a connection.
const MOST_HELD: usize = 64 << 20;
/// Streams that are open at once, at most.
const MOST_STREAMS: usize = 1 << 14;
/// The longest header block that is put together.
const MOST_BLOCK: usize = 1 << 20;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const NAMES: [&str; 10] = [
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
];

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

#[derive(Debug, Clone, Copy)]
struct Head {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, s @ ..] = *bytes.first_chunk::<HEAD>()?;
        Some(Self {
            length: usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c),
            kind,
            flags,
            stream: u32::from_be_bytes(s) & 0x7fff_ffff,
        })
    }

    fn name(&self) -> &'static str {
        NAMES
            .get(usize::from(self.kind))
            .copied()
            .unwrap_or("unknown frame")
    }

    /// Whether a peer would write it: for finding a frame in the middle of a connection.
    fn is_plausible(&self) -> bool {
        let Self {
            length,
            kind,
            flags,
            stream,
        } = *self;
        match kind {
            DATA => stream != 0 && flags & !(END_STREAM | PADDED) == 0,
            HEADERS => {
                stream != 0 && flags & !(END_STREAM | END_HEADERS | PADDED | PRIORITY) == 0 && length > 0
            }
            2 => stream != 0 && length == 5 && flags == 0,
            RST_STREAM => stream != 0 && length == 4 && flags == 0,
            SETTINGS => {
                stream == 0 && (flags == 0 && length % 6 == 0 && length < 600 || flags == ACK && length == 0)
            }
            PING => stream == 0 && length == 8 && flags & !ACK == 0,
            GOAWAY => stream == 0 && (8..4096).contains(&length) && flags == 0,
            WINDOW_UPDATE => length == 4 && flags == 0,
            CONTINUATION => stream != 0 && flags & !END_HEADERS == 0,
            _ => false,
        }
    }
}

/// Where frames seem to begin, after bytes that are lost: a head that peers write, and another one behind its payload or
/// nothing more.
fn find(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len()).find(|at| {
        let rest = bytes.get(*at..).unwrap_or_default();
        let Some(head) = Head::read(rest).filter(Head::is_plausible) else {
            return false;
        };
        match rest.get(HEAD + head.length..) {
            Some([]) => true,
            Some(next) if next.len() < HEAD => false,
            Some(next) => Head::read(next).is_some_and(|head| head.is_plausible()),
            // A segment often begins with a frame that is longer than it.
            None => *at == 0 && matches!(head.kind, DATA | HEADERS),
        }
    })
}

/// Whether a connection whose beginning is lost is HTTP/2.
pub(super) fn is_midway(bytes: &[u8]) -> bool {
    find(bytes).is_some()
}

/// Whether bytes begin like a server's side: with SETTINGS.
pub(super) fn is_server(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0, length, SETTINGS, 0, 0, 0, 0, 0, ..] if length % 6 == 0)
}

/// One direction from its beginning.
pub(super) fn frames(bytes: &[u8], tree: &mut Tree) -> Result<(), Stopped> {
    let mut conversation = Conversation::new(false);
    let mut report = Report::tree(tree);
    // Chunks, so that the bytes are not held twice.
    for chunk in bytes.chunks(1 << 20) {
        conversation.data(0, chunk, None, &mut report);
    }
    match &conversation.sides {
        [side, _] if side.buffer.is_empty() => Ok(()),
        [side, _] => {
            let why = format!("an HTTP/2 frame of which {} bytes are there", side.buffer.len());
            Err(Stopped::new(side.at, why))
        }
    }
}

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Conversation {
    sides: [Side; 2],
    calls: BTreeMap<u32, Call>,
    /// Bytes of messages that wait for their rest.
    waiting: usize,
}

#[derive(Debug, Default)]
struct Side {
    buffer: BytesMut,
    /// Where the buffer begins in its direction.
    at: usize,
    /// Bytes of a frame's payload that are passed over.
    passing: usize,
    /// Where frames begin is not known.
    is_lost: bool,
    /// The preface may come.
    is_new: bool,
    headers: hpack::Decoder,
    /// A header block that goes on in the next frame.
    block: Option<Block>,
}

#[derive(Debug)]
struct Block {
    stream: u32,
    ends: bool,
    promised: bool,
    at: usize,
    bytes: Vec<u8>,
}

/// One stream.
#[derive(Debug, Default)]
struct Call {
    path: String,
    nanos: u64,
    /// The side that asked, when the request's headers were seen; then its time counts.
    client: Option<usize>,
    sides: [Half; 2],
}

impl Call {
    fn waiting(&self) -> usize {
        self.sides.iter().map(|half| half.bytes.len()).sum()
    }
}

/// One direction of a stream.
#[derive(Debug, Default)]
struct Half {
    ended: bool,
    encoding: Option<String>,
    /// Bytes of messages that are not whole, and where each part of them stands in its direction.
    bytes: Vec<u8>,
    pieces: Vec<(usize, usize)>,
    /// Bytes of a message that is passed over.
    passing: usize,
    /// Where messages begin is not known.
    is_lost: bool,
}

impl Conversation {
    /// One that begins in the middle of the connection, or at its start.
    pub(super) fn new(is_midway: bool) -> Self {
        let side = || {
            let mut side = Side {
                is_lost: is_midway,
                is_new: !is_midway,
                ..Side::default()
            };
            if is_midway {
                side.headers.lost();
            }
            side
        };
        Self {
            sides: [side(), side()],
            calls: BTreeMap::new(),
            waiting: 0,
        }
    }

    /// Bytes that wait for the rest of their frames and messages.
    pub(super) fn held(&self) -> usize {
        let buffers: usize = self.sides.iter().map(|side| side.buffer.len()).sum();
        buffers + self.waiting + self.calls.len() * 200
    }

    /// The next bytes of a side.
    pub(super) fn data(
        &mut self,
        side: usize,
        data: &[u8],
        moment: Option<&Moment>,
        report: &mut Report<'_>,
    ) {
        let Some(state) = self.sides.get_mut(side) else {
            return;
        };
        let passed = state.passing.min(data.len());
        state.passing -= passed;
        state.at += passed;
        state
            .buffer
            .extend_from_slice(data.get(passed..).unwrap_or_default());
        if state.is_new {
            let start = state.buffer.len().min(PREFACE.len());
            if state.buffer.get(..start) == PREFACE.get(..start) && start > 0 {
                if start < PREFACE.len() {
                    return;
                }
                report.frame(moment, state.at, "HTTP/2 preface", |_| {});
                state.buffer.advance(PREFACE.len());
                state.at += PREFACE.len();
            }
            state.is_new = state.buffer.is_empty() && state.at == 0;
        }
        while let Some((head, payload, at)) = self.next(side) {
            self.frame(side, head, &payload, at, moment, report);
        }
    }

    /// The next whole frame of a side.
    fn next(&mut self, side: usize) -> Option<(Head, Bytes, usize)> {
        let state = self.sides.get_mut(side)?;
        if state.is_lost {
            // A head may be cut at the end; what is long before it is no frame.
            let found = find(&state.buffer);
            let passed = found.unwrap_or(state.buffer.len().saturating_sub(64 << 10));
            state.buffer.advance(passed);
            state.at += passed;
            found?;
            state.is_lost = false;
        }
        let head = Head::read(&state.buffer)?;
        if state.buffer.len() < HEAD + head.length {
            return None;
        }
        let at = state.at;
        let mut frame = state.buffer.split_to(HEAD + head.length);
        state.at += frame.len();
        frame.advance(HEAD);
        Some((head, frame.freeze(), at))
    }

    /// Bytes of a side that are not in the capture.
    pub(super) fn lost(&mut self, side: usize, lost: u64, moment: &Moment, report: &mut Report<'_>) {
        let Some(state) = self.sides.get_mut(side) else {
            return;
        };
        let lost = usize::try_from(lost).unwrap_or(usize::MAX);
        let (at, here) = (state.at, state.buffer.len());
        let head = Head::read(&state.buffer).filter(|_| !state.is_lost);
        let missing = head.map_or(state.passing, |head| (HEAD + head.length).saturating_sub(here));
        let known = head.is_some() || state.passing > 0;
        state.at = at.saturating_add(here).saturating_add(lost);
        state.buffer.clear();
        // A hole inside of a payload leaves its end where it was announced.
        state.passing = missing.saturating_sub(lost);
        state.is_new = false;
        let astray = lost > missing || !known;
        state.is_lost |= astray;
        let is_block = head.is_some_and(|head| matches!(head.kind, HEADERS | CONTINUATION | PUSH_PROMISE));
        if astray || is_block {
            state.headers.lost();
            state.block = None;
        }
        let summary = match head {
            Some(head) => format!(
                "{} stream {}, {} bytes  cut: not all of it is in the capture",
                head.name(),
                head.stream,
                head.length
            ),
            None => format!("{lost} bytes are not in the capture"),
        };
        if head.is_some() {
            report.frame(Some(moment), at, &summary, |_| {});
        } else {
            report.remark(moment, &summary, |_| {});
        }
        let damaged = head.filter(|head| head.kind == DATA && !astray);
        for (stream, call) in &mut self.calls {
            if (astray || damaged.is_some_and(|head| head.stream == *stream))
                && let Some(half) = call.sides.get_mut(side)
            {
                half.lose();
            }
        }
        self.waiting = self.calls.values().map(Call::waiting).sum();
    }

    fn call(&mut self, stream: u32) -> &mut Call {
        if self.calls.len() >= MOST_STREAMS
            && !self.calls.contains_key(&stream)
            && let Some((oldest, _)) = self.calls.first_key_value()
        {
            self.remove(*oldest);
        }
        self.calls.entry(stream).or_default()
    }

    fn remove(&mut self, stream: u32) {
        if let Some(call) = self.calls.remove(&stream) {
            self.waiting -= call.waiting();
        }
    }

    /// `stream 3 /service/method`.
    fn name(&self, stream: u32) -> String {
        match self.calls.get(&stream) {
            Some(call) if !call.path.is_empty() => format!("stream {stream} {}", call.path),
            _ => format!("stream {stream}"),
        }
    }

    fn frame(
        &mut self,
        side: usize,
        head: Head,
        payload: &Bytes,
        at: usize,
        moment: Option<&Moment>,
        report: &mut Report<'_>,
    ) {
        let Head {
            length,
            kind,
            flags,
            stream,
        } = head;
        let inner = at + HEAD;
        let ends = if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            ", END_STREAM"
        } else {
            ""
        };
        match kind {
            DATA => {
                let title = format!("DATA {}, {length} bytes{ends}", self.name(stream));
                let (start, data) = unpadded(payload, flags);
                let mut tree = Tree::default();
                let what = self.content(side, stream, &data, inner + start, &mut tree);
                report.frame(moment, at, &format!("{title}{what}"), |below| below.append(tree));
            }
            HEADERS | PUSH_PROMISE => {
                let (mut start, mut block) = unpadded(payload, flags);
                let before = match kind {
                    PUSH_PROMISE => 4,
                    _ if flags & PRIORITY != 0 => 5,
                    _ => 0,
                };
                start += before;
                block.advance(before.min(block.len()));
                let block = Block {
                    stream,
                    ends: kind == HEADERS && flags & END_STREAM != 0,
                    promised: kind == PUSH_PROMISE,
                    at: inner + start,
                    bytes: block.to_vec(),
                };
                self.block(side, block, flags, at, moment, report);
            }
            CONTINUATION => {
                let begun = self.sides.get_mut(side).and_then(|side| side.block.take());
                match begun.filter(|block| block.stream == stream && block.bytes.len() < MOST_BLOCK) {
                    Some(mut block) => {
                        block.bytes.extend_from_slice(payload);
                        self.block(side, block, flags, at, moment, report);
                    }
                    None => {
                        if let Some(side) = self.sides.get_mut(side) {
                            side.headers.lost();
                        }
                        let summary = format!(
                            "CONTINUATION {}, {length} bytes of headers whose beginning is lost",
                            self.name(stream)
                        );
                        report.frame(moment, at, &summary, |_| {});
                    }
                }
            }
            RST_STREAM => {
                let code = number(payload, 0);
                let summary = format!("RST_STREAM {}  {}", self.name(stream), error_name(code));
                report.frame(moment, at, &summary, |_| {});
                self.remove(stream);
            }
            SETTINGS if flags & ACK != 0 => report.frame(moment, at, "SETTINGS ack", |_| {}),
            SETTINGS => {
                let pairs: Vec<_> = payload.chunks_exact(6).map(setting).collect();
                let summary = format!("SETTINGS  {}", pairs.join(", "));
                report.frame(moment, at, summary.trim_end(), |_| {});
            }
            PING => {
                let answer = if flags & ACK != 0 { " ack" } else { "" };
                report.frame(moment, at, &format!("PING{answer}  {}", hex(payload, 8)), |_| {});
            }
            GOAWAY => {
                let text = payload.get(8..).unwrap_or_default();
                let text = match text {
                    [] => String::new(),
                    text => format!("  {}", quoted(&String::from_utf8_lossy(text))),
                };
                let last = number(payload, 0) & 0x7fff_ffff;
                let summary = format!(
                    "GOAWAY  last stream {last}, {}{text}",
                    error_name(number(payload, 4))
                );
                report.frame(moment, at, &summary, |_| {});
            }
            WINDOW_UPDATE => {
                let what = if stream == 0 {
                    "connection".to_owned()
                } else {
                    self.name(stream)
                };
                let summary = format!("WINDOW_UPDATE {what}  +{}", number(payload, 0) & 0x7fff_ffff);
                report.frame(moment, at, &summary, |_| {});
            }
            _ => {
                let summary = format!(
                    "{} {}, flags {flags:#04x}, {length} bytes",
                    head.name(),
                    self.name(stream)
                );
                report.frame(moment, at, &summary, |tree| {
                    if !payload.is_empty() {
                        tree.line(inner, 1, &hex(payload, 64));
                    }
                });
            }
        }
        if matches!(kind, DATA) && flags & END_STREAM != 0 {
            self.end(side, stream);
        }
    }

    /// A stream's side has ended; when both have, the stream is over.
    fn end(&mut self, side: usize, stream: u32) {
        if let Some(call) = self.calls.get_mut(&stream) {
            if let Some(half) = call.sides.get_mut(side) {
                half.ended = true;
            }
            if call.sides.iter().all(|half| half.ended) {
                self.remove(stream);
            }
        }
    }

    /// A header block that is whole, or waits for its continuation.
    fn block(
        &mut self,
        side: usize,
        block: Block,
        flags: u8,
        at: usize,
        moment: Option<&Moment>,
        report: &mut Report<'_>,
    ) {
        let (stream, ends) = (block.stream, block.ends);
        let Some(state) = self.sides.get_mut(side) else {
            return;
        };
        if flags & END_HEADERS == 0 {
            let summary = format!(
                "headers of stream {stream}, {} bytes so far, go on",
                block.bytes.len()
            );
            state.block = Some(block);
            return report.frame(moment, at, &summary, |_| {});
        }
        let (headers, problem) = state.headers.block(&block.bytes);
        let get = |name: &str| {
            let found = headers.iter().find(|(known, _)| known == name.as_bytes());
            found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        let nanos = moment.map_or(0, |moment| moment.nanos);
        let call = self.call(stream);
        if let Some(half) = call.sides.get_mut(side)
            && let Some(encoding) = get("grpc-encoding")
        {
            half.encoding = Some(encoding);
        }
        if let Some(path) = get(":path") {
            call.path = quoted(&path).trim_matches('"').to_owned();
            call.nanos = nanos;
            call.client = Some(side);
        }
        let begun = call.client.map(|_| call.nanos);
        let mut summary = format!(
            "{} {}",
            if block.promised { "PUSH_PROMISE" } else { "HEADERS" },
            self.name(stream)
        );
        if let Some(method) = get(":method") {
            summary = format!("{summary}  {} ", quoted(&method).trim_matches('"'));
            if let Some(timeout) = get("grpc-timeout") {
                summary = format!("{summary} timeout {}", quoted(&timeout).trim_matches('"'));
            }
        }
        if let Some(status) = get(":status") {
            summary = format!("{summary}  status {}", quoted(&status).trim_matches('"'));
        }
        if let Some(code) = get("tri-exception-code") {
            summary = format!(
                "{summary}  tri-exception-code {}",
                quoted(&code).trim_matches('"')
            );
        }
        if let Some(code) = get("grpc-status") {
            summary = format!("{summary}  grpc-status {}", quoted(&code).trim_matches('"'));
            if let Ok(number) = code.parse() {
                let name = if number > 16 {
                    "outside of gRPC"
                } else {
                    Code::from_number(number).name()
                };
                summary = format!("{summary} {name}");
            }
            let message = headers.iter().find(|(name, _)| name == b"grpc-message");
            if let Some((_, message)) = message.filter(|(_, message)| !message.is_empty()) {
                summary = format!("{summary} {}", quoted(&decode_message(message)));
            }
        }
        if let (Some(moment), Some(begun), true) = (moment, begun, ends && get(":path").is_none()) {
            summary = format!("{summary}  {}", moment.after(begun));
        }
        if ends {
            summary.push_str(", END_STREAM");
        }
        if headers.iter().any(|(name, _)| name == UNKNOWN) {
            summary.push_str("  (some headers were sent before the capture began)");
        }
        if let Some(problem) = problem {
            summary = format!("{summary}  headers not readable: {problem}");
        }
        report.frame(moment, at, &summary, |tree| {
            for (name, value) in &headers {
                let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
                tree.line(
                    block.at,
                    1,
                    &format!("{}: {}", quoted(&name).trim_matches('"'), quoted(&value)),
                );
            }
        });
        if ends {
            self.end(side, stream);
        }
    }

    /// The messages that bytes of a stream complete: shown in the tree, and named for the line.
    fn content(&mut self, side: usize, stream: u32, data: &Bytes, at: usize, tree: &mut Tree) -> String {
        let full = self.waiting > MOST_HELD;
        let Some(half) = self.call(stream).sides.get_mut(side) else {
            return String::new();
        };
        let before = half.bytes.len();
        if full {
            half.lose();
        }
        let what = half.take(data, at, tree);
        let after = half.bytes.len();
        self.waiting = self.waiting.saturating_sub(before).saturating_add(after);
        what
    }

    /// Says what was not answered.
    pub(super) fn finish(&mut self, ends: [Moment; 2], report: &mut Report<'_>) {
        for (stream, call) in std::mem::take(&mut self.calls) {
            let Some(client) = call.client else { continue };
            let is_answered = call.sides.get(1 - client.min(1)).is_some_and(|half| half.ended);
            if let Some(moment) = ends.get(client).filter(|_| !is_answered) {
                let moment = Moment {
                    nanos: call.nanos,
                    ..*moment
                };
                let summary = format!("stream {stream} {}  has no end in the capture", call.path);
                report.remark(&moment, &summary, |_| {});
            }
        }
    }
}

impl Half {
    fn lose(&mut self) {
        self.bytes = Vec::new();
        self.pieces.clear();
        self.passing = 0;
        self.is_lost = true;
    }

    fn take(&mut self, data: &[u8], at: usize, tree: &mut Tree) -> String {
        if self.is_lost {
            return "  of a message whose beginning is lost".to_owned();
        }
        let mut what = String::new();
        let passed = self.passing.min(data.len());
        self.passing -= passed;
        let data = data.get(passed..).unwrap_or_default();
        if !data.is_empty() {
            self.pieces.push((self.bytes.len(), at + passed));
            self.bytes.extend_from_slice(data);
        }
        while let Some(&[flag, a, b, c, d]) = self.bytes.first_chunk::<PREFIX>() {
            let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            if flag > 1 {
                self.lose();
                return format!("{what}  no gRPC message: flag {flag:#04x}");
            }
            if length > MOST_MESSAGE {
                what = format!("{what}  message of {length} bytes, too large to be shown");
                let here = self.bytes.len().min(PREFIX.saturating_add(length));
                self.passing = PREFIX.saturating_add(length) - here;
                self.drop_front(here);
                continue;
            }
            let Some(message) = self.bytes.get(PREFIX..PREFIX + length) else {
                what = format!(
                    "{what}  {} of {length} bytes of a message",
                    self.bytes.len() - PREFIX
                );
                return what;
            };
            let message = Message {
                compressed: flag == 1,
                bytes: Bytes::copy_from_slice(message),
            };
            let name = show(message, self.encoding.as_deref(), &self.pieces, tree);
            what = format!("{what}  {name}");
            self.drop_front(PREFIX + length);
        }
        what
    }

    fn drop_front(&mut self, length: usize) {
        self.bytes.drain(..length);
        let last = self
            .pieces
            .iter()
            .rposition(|(start, _)| *start <= length)
            .unwrap_or(0);
        self.pieces.drain(..last);
        for (start, at) in &mut self.pieces {
            *at += length.saturating_sub(*start);
            *start = start.saturating_sub(length);
        }
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
            self.pieces.clear();
        }
    }
}

/// A message as a tree; gives its name for the line. `pieces` say where its bytes, prefix included, stand.
fn show(message: Message, encoding: Option<&str>, pieces: &[(usize, usize)], tree: &mut Tree) -> String {
    let length = message.bytes.len();
    let at = pieces.first().map_or(0, |(_, at)| *at);
    if !message.compressed {
        let mut below = Tree::at(pieces.to_vec());
        let name = triple::name(&message.bytes);
        below.line(0, 1, &format!("message, {length} bytes"));
        if let Err(stopped) = triple::message(&message.bytes, PREFIX, 2, &mut below) {
            below.stopped(2, &stopped);
        }
        tree.append(below);
        return name;
    }
    // What began before the capture has no headers; gzip is told by its first bytes.
    let encoding = encoding.unwrap_or(if message.bytes.starts_with(&[0x1f, 0x8b]) {
        "gzip"
    } else {
        ""
    });
    let plain =
        Compression::parse(encoding).and_then(|compression| message.inflate(compression, MOST_MESSAGE));
    match plain {
        Ok(plain) => {
            // What is wrong with it is in the tree.
            let _ = triple::inflated(&plain, length, at, 1, tree);
            format!("{}, gzip", triple::name(&plain))
        }
        Err(error) => {
            tree.line(at, 1, &format!("message, {length} bytes compressed: {error}"));
            format!("message not readable: {error}")
        }
    }
}

/// Where the content of a payload begins, and it.
fn unpadded(payload: &Bytes, flags: u8) -> (usize, Bytes) {
    match payload.first() {
        Some(padding) if flags & PADDED != 0 => {
            let end = payload.len().saturating_sub(usize::from(*padding)).max(1);
            (1, payload.slice(1..end))
        }
        _ => (0, payload.clone()),
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let raw = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    raw.map_or(0, |raw| u32::from_be_bytes(*raw))
}

fn setting(pair: &[u8]) -> String {
    const SETTINGS: [&str; 6] = [
        "HEADER_TABLE_SIZE",
        "ENABLE_PUSH",
        "MAX_CONCURRENT_STREAMS",
        "INITIAL_WINDOW_SIZE",
        "MAX_FRAME_SIZE",
        "MAX_HEADER_LIST_SIZE",
    ];
    let id = usize::try_from(number(pair, 0) >> 16).unwrap_or_default();
    let name = id.checked_sub(1).and_then(|id| SETTINGS.get(id));
    let name = name.map_or_else(|| format!("setting {id}"), |name| (*name).to_owned());
    format!("{name} {}", number(pair, 2))
}

fn error_name(code: u32) -> String {
    const ERRORS: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let name = usize::try_from(code).ok().and_then(|code| ERRORS.get(code));
    name.map_or_else(|| format!("error {code}"), |name| format!("{name} ({code})"))
}
