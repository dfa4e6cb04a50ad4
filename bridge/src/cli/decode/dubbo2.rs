//! Dubbo2 frames as a tree.

use bytes::BytesMut;
use codecs::dubbo2::{Event, Frame, HEADER_LEN, HESSIAN2, Request, Response, ResponseBody, split};
use codecs::hessian2::{Limits, Scratch};

use super::{Tree, hessian, hex, quoted};

/// The largest frame that is shown.
const MOST: usize = 64 << 20;

/// All frames of one direction of a connection.
pub(super) fn frames(bytes: &[u8], tree: &mut Tree) -> Result<(), String> {
    let mut rest = BytesMut::from(bytes);
    loop {
        let at = bytes.len() - rest.len();
        match split(&mut rest, MOST) {
            Ok(Some(frame)) => self::frame(&frame, at, tree)?,
            Ok(None) if rest.is_empty() => return Ok(()),
            Ok(None) => {
                return Err(format!(
                    "a frame at {at:#x} that is not whole: {} bytes are there",
                    rest.len()
                ));
            }
            Err(error) => return Err(format!("no Dubbo2 frame at {at:#x}: {error}")),
        }
    }
}

fn frame(frame: &Frame, at: usize, tree: &mut Tree) -> Result<(), String> {
    let header = &frame.header;
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
        format!(
            ", status {} {}",
            header.status.0,
            header.status.name().unwrap_or("unknown")
        )
    };
    tree.line(
        at,
        0,
        &format!(
            "Dubbo2 {kind}  id {}, serialization {}{status}, {} bytes",
            header.id, header.serialization, header.length
        ),
    );
    let base = at + HEADER_LEN;
    if header.event {
        tree.line(base, 1, &format!("{:?}", Event::decode(frame)));
        return Ok(());
    }
    if header.serialization != HESSIAN2 {
        tree.line(base, 1, &format!("body: {}", hex(&frame.body, 64)));
        return Ok(());
    }
    if header.request {
        request(frame, base, tree)
    } else {
        response(frame, base, tree)
    }
}

/// Where a slice of the body stands in it.
fn offset(body: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(body.as_ptr() as usize)
}

fn request(frame: &Frame, base: usize, tree: &mut Tree) -> Result<(), String> {
    let request = Request::decode(frame, &mut Scratch::default(), &Limits::DEFAULT)
        .map_err(|error| format!("body at {base:#x}: {error}"))?;
    for (name, text) in [
        ("dubbo", &request.dubbo_version),
        ("path", &request.path),
        ("version", &request.version),
        ("method", &request.method),
    ] {
        let at = base + offset(&frame.body, text.as_bytes()).min(frame.body.len());
        tree.line(at, 1, &format!("{name}: {}", quoted(text)));
    }
    if let Some(descriptor) = &request.descriptor {
        let at = base + offset(&frame.body, descriptor.as_bytes()).min(frame.body.len());
        tree.line(at, 1, &format!("descriptor: {}", quoted(descriptor)));
    }
    let start = base + offset(&frame.body, &request.arguments);
    tree.line(start, 1, &format!("arguments ({})", request.argument_count));
    let end = hessian::values(&request.arguments, start, 2, request.argument_count, tree)?;
    attachments(&request.attachments, start + end, tree);
    Ok(())
}

fn response(frame: &Frame, base: usize, tree: &mut Tree) -> Result<(), String> {
    let response = Response::decode(frame, &mut Scratch::default(), &Limits::DEFAULT)
        .map_err(|error| format!("body at {base:#x}: {error}"))?;
    let value = |name: &str, bytes: &[u8], tree: &mut Tree| {
        let at = base + offset(&frame.body, bytes);
        tree.line(at, 1, name);
        hessian::values(bytes, at, 2, 1, tree).map(|_| ())
    };
    match &response.body {
        ResponseBody::Result(bytes) => value("result", bytes, tree)?,
        ResponseBody::Exception(bytes) => value("exception", bytes, tree)?,
        ResponseBody::Null => tree.line(base, 1, "result: null"),
        ResponseBody::Error(text) => tree.line(base, 1, &format!("error: {}", quoted(text))),
        ResponseBody::Opaque(bytes) => tree.line(base, 1, &format!("body: {}", hex(bytes, 64))),
    }
    attachments(&response.attachments, base + frame.body.len(), tree);
    Ok(())
}

fn attachments(attachments: &codecs::Attachments, at: usize, tree: &mut Tree) {
    if attachments.is_empty() {
        return;
    }
    tree.line(at, 1, "attachments");
    for (name, value) in attachments.iter() {
        let value = value
            .to_text()
            .map_or_else(|| format!("{value:?}"), |text| quoted(&text));
        tree.line(at, 2, &format!("{name}: {value}"));
    }
}
