//! Dubbo2 frames: one line and a tree for each, from files and from captures.

use std::collections::HashMap;

use bytes::{Buf, Bytes, BytesMut};
use codecs::attachments::AttachmentValue;
use codecs::dubbo2::{
    Event, Frame, FrameError, HEADER_LEN, HESSIAN2, Header, MAGIC, Request, Response, ResponseBody, split,
};
use codecs::hessian2::throwable;
use codecs::hessian2::{DecodeError, Limits, Reader, Scratch, Token};

use super::report::{Moment, Report};
use super::{Stopped, Tree, hessian, hex, quoted};

/// The largest frame that is shown.
const MOST: usize = 64 << 20;
/// The largest frame of a capture that is shown; of larger ones the header.
const MOST_CAPTURED: usize = 16 << 20;
/// Calls of a connection that wait for their answer, at most.
const MOST_CALLS: usize = 1 << 14;

/// All frames of one direction of a connection.
pub(super) fn frames(bytes: &[u8], tree: &mut Tree) -> Result<(), Stopped> {
    let mut rest = BytesMut::from(bytes);
    let mut report = Report::tree(tree);
    loop {
        let at = bytes.len() - rest.len();
        match split(&mut rest, MOST) {
            Ok(Some(frame)) => show(&frame, at, None, "", &mut report),
            Ok(None) if rest.is_empty() => return Ok(()),
            Ok(None) => {
                if let Some(header) = rest.first_chunk().and_then(Header::decode) {
                    let summary = format!("Dubbo2 {}  not whole", name(&header));
                    report.frame(None, at, &summary, |tree| part(&header, &rest, at, tree));
                }
                let why = format!("a Dubbo2 frame of which {} bytes are there", rest.len());
                return Err(Stopped::new(at, why));
            }
            Err(error) => return Err(Stopped::new(at, format!("no Dubbo2 frame: {error}"))),
        }
    }
}

/// Where in `bytes` a frame seems to begin.
fn find(bytes: &[u8]) -> Option<usize> {
    bytes.windows(HEADER_LEN).position(is_plausible)
}

/// Whether bytes look like a frame's header as peers write them: for finding one in the middle of a connection.
pub(super) fn is_plausible(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk().and_then(Header::decode) else {
        return false;
    };
    let fits = if header.request {
        header.status.0 == 0
    } else {
        !header.two_way && header.status.name().is_some()
    };
    fits && header.serialization != 0 && usize::try_from(header.length).is_ok_and(|length| length <= MOST)
}

/// Whether a direction whose first bytes are lost holds a frame.
pub(super) fn is_midway(bytes: &[u8]) -> bool {
    find(bytes).is_some()
}

/// Both directions of a connection.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    sides: [Side; 2],
    /// What was asked and is not answered yet, by the side that asked and the id.
    calls: HashMap<(usize, u64), Call>,
}

#[derive(Debug)]
struct Call {
    what: String,
    nanos: u64,
}

#[derive(Debug, Default)]
struct Side {
    buffer: BytesMut,
    /// Where the buffer begins in its direction.
    at: usize,
    /// Bytes of a frame's body that are passed over.
    passing: usize,
    /// Where frames begin is not known.
    is_lost: bool,
}

impl Conversation {
    /// One that begins in the middle of the connection, or at its start.
    pub(super) fn new(is_midway: bool) -> Self {
        let mut new = Self::default();
        new.sides.iter_mut().for_each(|side| side.is_lost = is_midway);
        new
    }

    /// Bytes that wait for the rest of their frames.
    pub(super) fn held(&self) -> usize {
        self.sides.iter().map(|side| side.buffer.len()).sum::<usize>() + self.calls.len() * 100
    }

    /// The next bytes of a side.
    pub(super) fn data(&mut self, side: usize, data: &[u8], moment: &Moment, report: &mut Report<'_>) {
        let Some(state) = self.sides.get_mut(side) else {
            return;
        };
        let passed = state.passing.min(data.len());
        state.passing -= passed;
        state.at += passed;
        state
            .buffer
            .extend_from_slice(data.get(passed..).unwrap_or_default());
        while let Some(found) = self.next(side, moment, report) {
            self.frame(side, &found.0, found.1, moment, report);
        }
    }

    /// The next whole frame of a side, and where it stands.
    fn next(&mut self, side: usize, moment: &Moment, report: &mut Report<'_>) -> Option<(Frame, usize)> {
        let state = self.sides.get_mut(side)?;
        loop {
            if state.is_lost {
                let passed = find(&state.buffer).unwrap_or(state.buffer.len().saturating_sub(HEADER_LEN - 1));
                state.buffer.advance(passed);
                state.at += passed;
                if !is_plausible(&state.buffer) {
                    return None;
                }
                state.is_lost = false;
            }
            let at = state.at;
            match split(&mut state.buffer, MOST_CAPTURED) {
                Ok(Some(frame)) => {
                    state.at += HEADER_LEN + frame.body.len();
                    return Some((frame, at));
                }
                Ok(None) => return None,
                Err(FrameError::TooLarge { header, .. }) => {
                    let summary = format!("Dubbo2 {}  too large to be shown", name(&header));
                    report.frame(Some(moment), at, &summary, |tree| {
                        part(&header, &state.buffer, at, tree)
                    });
                    let whole = HEADER_LEN + usize::try_from(header.length).unwrap_or(usize::MAX);
                    let here = whole.min(state.buffer.len());
                    state.buffer.advance(here);
                    state.at += here;
                    state.passing = whole - here;
                }
                Err(error) => {
                    // Telnet text, or a peer that went astray: what it is, then on to the next frame.
                    let end = state
                        .buffer
                        .windows(2)
                        .skip(1)
                        .position(|two| two == MAGIC)
                        .map(|end| end + 1);
                    let text = state
                        .buffer
                        .get(..end.unwrap_or(state.buffer.len()))
                        .unwrap_or_default();
                    let summary = format!("no frame ({error}): {}", quoted(&String::from_utf8_lossy(text)));
                    report.remark(moment, &summary, |tree| tree.line(at, 1, &hex(text, 64)));
                    state.is_lost = true;
                    let passed = end.unwrap_or(1);
                    state.buffer.advance(passed);
                    state.at += passed;
                }
            }
        }
    }

    /// Bytes of a side that are not in the capture.
    pub(super) fn lost(&mut self, side: usize, lost: u64, moment: &Moment, report: &mut Report<'_>) {
        let Some(state) = self.sides.get_mut(side) else {
            return;
        };
        let lost = usize::try_from(lost).unwrap_or(usize::MAX);
        let at = state.at;
        let header = state
            .buffer
            .first_chunk()
            .and_then(Header::decode)
            .filter(|_| !state.is_lost);
        let missing = match &header {
            Some(header) => (HEADER_LEN + usize::try_from(header.length).unwrap_or(usize::MAX))
                .saturating_sub(state.buffer.len()),
            None => state.passing,
        };
        if let Some(header) = &header {
            let summary = format!("Dubbo2 {}  cut: not all of it is in the capture", name(header));
            report.frame(Some(moment), at, &summary, |tree| {
                part(header, &state.buffer, at, tree)
            });
        } else if state.passing == 0 {
            let summary = format!("{lost} bytes are not in the capture");
            report.remark(moment, &summary, |_| {});
        }
        state.at = state.at.saturating_add(state.buffer.len()).saturating_add(lost);
        state.buffer.clear();
        // A hole inside of a body leaves its end where it was announced.
        state.is_lost |= lost > missing || (header.is_none() && state.passing == 0);
        state.passing = missing.saturating_sub(lost);
    }

    fn frame(&mut self, side: usize, frame: &Frame, at: usize, moment: &Moment, report: &mut Report<'_>) {
        let header = &frame.header;
        let mut about = String::new();
        if header.request {
            if header.two_way {
                if self.calls.len() >= MOST_CALLS {
                    self.calls.clear();
                }
                let what = if header.event {
                    "event".to_owned()
                } else {
                    called(frame)
                };
                let nanos = moment.nanos;
                self.calls.insert((side, header.id), Call { what, nanos });
            }
        } else if let Some(call) = self.calls.remove(&(1 - side.min(1), header.id)) {
            about = format!("  to {} {}", call.what, moment.after(call.nanos));
        }
        show(frame, at, Some(moment), &about, report);
    }

    /// Says what came in part, and what was not answered.
    pub(super) fn finish(&mut self, ends: [Moment; 2], report: &mut Report<'_>) {
        for (state, moment) in self.sides.iter_mut().zip(&ends) {
            let header = state.buffer.first_chunk().and_then(Header::decode);
            if let Some(header) = header.filter(|_| !state.is_lost) {
                let summary = format!("Dubbo2 {}  the rest never came", name(&header));
                report.frame(Some(moment), state.at, &summary, |tree| {
                    part(&header, &state.buffer, state.at, tree);
                });
            }
        }
        let mut calls: Vec<_> = self.calls.drain().collect();
        calls.sort_by_key(|(key, call)| (call.nanos, *key));
        for ((side, id), call) in calls {
            if let Some(moment) = ends.get(side) {
                let moment = Moment {
                    nanos: call.nanos,
                    ..*moment
                };
                let summary = format!(
                    "Dubbo2 request  id {id} {}  has no answer in the capture",
                    call.what
                );
                report.remark(&moment, &summary, |_| {});
            }
        }
    }
}

/// Kind, id and length of a frame.
fn name(header: &Header) -> String {
    let kind = match (header.event, header.request, header.two_way) {
        (true, true, true) => "event, answer wanted",
        (true, true, false) => "event",
        (true, false, _) => "answer to an event",
        (false, true, true) => "request",
        (false, true, false) => "one-way request",
        (false, false, _) => "response",
    };
    let status = if header.request {
        String::new()
    } else {
        format!(", status {}", header.status)
    };
    format!(
        "{kind}  id {}, serialization {}{status}, {} bytes",
        header.id, header.serialization, header.length
    )
}

/// The service and method that a request calls, as far as it can be read.
fn called(frame: &Frame) -> String {
    if frame.header.serialization != HESSIAN2 {
        return "a call".to_owned();
    }
    match Request::decode(frame, &mut Scratch::default(), &Limits::DEFAULT) {
        Ok(request) => call_name(&request),
        Err(_) => "a call".to_owned(),
    }
}

/// `group/interface:version.method`; of a generic call also the method that it names.
fn call_name(request: &Request) -> String {
    let target = request.target();
    let mut name = String::new();
    if !target.group.is_empty() {
        name = format!("{}/", target.group);
    }
    name.push_str(&target.path);
    if !matches!(&*target.version, "" | "0.0.0" | "*") {
        name = format!("{name}:{}", target.version);
    }
    name = format!("{name}.{}", request.method.as_str());
    if request.is_generic() {
        let (mut scratch, limits) = (Scratch::default(), Limits::DEFAULT);
        if let Ok(Token::Str(method)) = Reader::new(&request.arguments, &mut scratch, &limits).read() {
            name = format!("{name}({})", method.to_cow());
        }
    }
    short(&name)
}

/// Text of a peer for a line: no control characters, not too long.
fn short(text: &str) -> String {
    let text = quoted(text);
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .map_or(text.clone(), str::to_owned)
}

fn show(frame: &Frame, at: usize, moment: Option<&Moment>, about: &str, report: &mut Report<'_>) {
    let header = &frame.header;
    let base = at + HEADER_LEN;
    let (mut scratch, limits) = (Scratch::default(), Limits::DEFAULT);
    let head = format!("Dubbo2 {}", name(header));
    if header.event {
        let event = match Event::decode(frame) {
            Event::Heartbeat | Event::HeartbeatResponse => "heartbeat".to_owned(),
            Event::Readonly => "readonly: choose other connections".to_owned(),
            Event::Writable => "writable: use this connection again".to_owned(),
            Event::Other(body) => format!("unknown {}", hex(&body, 64)),
        };
        return report.frame(moment, at, &format!("{head}  {event}{about}"), |_| {});
    }
    if header.serialization != HESSIAN2 {
        return report.frame(moment, at, &format!("{head}  not Hessian 2{about}"), |tree| {
            tree.line(base, 1, &format!("body: {}", hex(&frame.body, 64)));
        });
    }
    if header.request {
        match Request::decode(frame, &mut scratch, &limits) {
            Ok(request) => {
                let head = format!("{head}  {}", call_name(&request));
                report.frame(moment, at, &head, |tree| self::request(&request, base, tree));
            }
            Err(error) => unreadable(frame, at, moment, &format!("{head}{about}"), error, report),
        }
        return;
    }
    match Response::decode(frame, &mut scratch, &limits) {
        Ok(response) => {
            let head = format!("{head}  {}{about}", answer(&response));
            report.frame(moment, at, &head, |tree| {
                self::response(&response, &frame.body, base, tree)
            });
        }
        Err(error) => unreadable(frame, at, moment, &format!("{head}{about}"), error, report),
    }
}

/// A frame whose body is broken: said so, and shown as far as it goes.
fn unreadable(
    frame: &Frame,
    at: usize,
    moment: Option<&Moment>,
    head: &str,
    error: DecodeError,
    report: &mut Report<'_>,
) {
    let (why, place) = (error.kind, at + HEADER_LEN + error.offset);
    let summary = format!("{head}  body not readable: {why} at {place:06x}");
    report.frame(moment, at, &summary, |tree| {
        fields(&frame.header, &frame.body, at + HEADER_LEN, tree)
    });
}

/// The beginning of a frame, its header included.
fn part(header: &Header, bytes: &[u8], at: usize, tree: &mut Tree) {
    let body = bytes.get(HEADER_LEN..).unwrap_or_default();
    let body = body
        .get(
            ..usize::try_from(header.length)
                .unwrap_or(usize::MAX)
                .min(body.len()),
        )
        .unwrap_or_default();
    fields(header, body, at + HEADER_LEN, tree);
}

/// The values of a body one after another, up to the first that cannot be read.
fn fields(header: &Header, body: &[u8], base: usize, tree: &mut Tree) {
    if header.serialization != HESSIAN2 {
        return tree.line(base, 1, &format!("body: {}", hex(body, 64)));
    }
    if let Err(stopped) = hessian::values(body, base, 1, usize::MAX, tree) {
        tree.stopped(1, &stopped);
    }
}

/// What a response says, in few words.
fn answer(response: &Response) -> String {
    match &response.body {
        ResponseBody::Result(bytes) => format!("result of {} bytes", bytes.len()),
        ResponseBody::Exception(bytes) => thrown(bytes).unwrap_or_else(|| "exception".to_owned()),
        ResponseBody::Null => "null".to_owned(),
        ResponseBody::Error(text) => format!("error {}", quoted(text.lines().next().unwrap_or_default())),
        ResponseBody::Opaque(bytes) => format!("{} bytes", bytes.len()),
    }
}

/// Class and first line of the message of an exception.
pub(super) fn thrown(bytes: &[u8]) -> Option<String> {
    let chain = throwable::read(bytes, &mut Scratch::default(), &Limits::DEFAULT).ok()?;
    let first = chain.first()?;
    let message = first.message.as_deref().and_then(|text| text.lines().next());
    let message = message.map_or(String::new(), |text| format!(": {}", quoted(text)));
    Some(format!("exception {}{message}", short(&first.class)))
}

/// Where a slice of the body stands in it; `None` for what was decoded into bytes of its own.
fn place(body: &[u8], part: &[u8]) -> Option<usize> {
    let offset = (part.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    (offset.checked_add(part.len())? <= body.len()).then_some(offset)
}

fn request(request: &Request, base: usize, tree: &mut Tree) {
    let body = &request.body;
    for (name, text) in [
        ("dubbo", Some(&request.dubbo_version)),
        ("path", Some(&request.path)),
        ("version", Some(&request.version)),
        ("method", Some(&request.method)),
        ("descriptor", request.descriptor.as_ref()),
    ] {
        if let Some(text) = text {
            let at = base + place(body, text.as_bytes()).unwrap_or_default();
            tree.line(at, 1, &format!("{name}: {}", quoted(text)));
        }
    }
    let start = base + place(body, &request.arguments).unwrap_or_default();
    tree.line(start, 1, &format!("arguments ({})", request.argument_count));
    match hessian::values(&request.arguments, start, 2, request.argument_count, tree) {
        Ok(end) => attachments(&request.attachments, body, base, start + end, tree),
        Err(stopped) => tree.stopped(2, &stopped),
    }
}

fn response(response: &Response, body: &Bytes, base: usize, tree: &mut Tree) {
    let mut end = base + 1;
    let mut value = |name: &str, bytes: &[u8], tree: &mut Tree| {
        let at = base + place(body, bytes).unwrap_or_default();
        end = at + bytes.len();
        tree.line(at, 1, name);
        if let Err(stopped) = hessian::values(bytes, at, 2, 1, tree) {
            tree.stopped(2, &stopped);
        }
    };
    match &response.body {
        ResponseBody::Result(bytes) => value("result", bytes, tree),
        ResponseBody::Exception(bytes) => value("exception", bytes, tree),
        ResponseBody::Null => tree.line(base, 1, "result: null"),
        ResponseBody::Error(text) => tree.line(base, 1, &format!("error: {}", quoted(text))),
        ResponseBody::Opaque(bytes) => tree.line(base, 1, &format!("body: {}", hex(bytes, 64))),
    }
    attachments(&response.attachments, body, base, end, tree);
}

fn attachments(attachments: &codecs::Attachments, body: &Bytes, base: usize, at: usize, tree: &mut Tree) {
    if attachments.is_empty() {
        return;
    }
    tree.line(at, 1, "attachments");
    for (name, value) in attachments.iter() {
        let text = match &value {
            AttachmentValue::Text(text) => quoted(text),
            AttachmentValue::Null => "null".to_owned(),
            AttachmentValue::Bool(value) => value.to_string(),
            AttachmentValue::Int(value) => format!("int {value}"),
            AttachmentValue::Long(value) => format!("long {value}"),
            AttachmentValue::Double(value) => format!("double {value:?}"),
            AttachmentValue::Other(Some(bytes)) => {
                let from = place(body, bytes).map_or(at, |place| base + place);
                tree.line(from, 2, &format!("{}:", quoted(&name)));
                if hessian::values(bytes, from, 3, 1, tree).is_err() {
                    tree.line(from, 3, &hex(bytes, 64));
                }
                continue;
            }
            AttachmentValue::Other(None) => "an object that shares others of the body".to_owned(),
        };
        tree.line(at, 2, &format!("{}: {text}", short(&name)));
    }
}
