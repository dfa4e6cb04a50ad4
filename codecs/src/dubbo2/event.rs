//! Heartbeats and the readonly and writable events (Dubbo's `HeartbeatHandler`, `HeaderExchangeServer`).

use bytes::{BufMut, Bytes};

use super::frame::Frame;
use super::header::{HEADER_LEN, HESSIAN2, Header, Status};
use crate::hessian2::wire::{Cursor, narrow};
use crate::hessian2::{Limits, Str};

/// An event, or the answer to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Are you there? To be answered when two-way: see [`Event::answer`].
    Heartbeat,
    /// The answer to a two-way event; its id may be unknown to us.
    HeartbeatResponse,
    /// "R": choose other connections for new calls; this one still answers.
    Readonly,
    /// "W": the connection is to be used again.
    Writable,
    /// Something that nobody is known to send.
    Other(Bytes),
}

impl Event {
    /// What the event frame says. Never fails: what we do not know is [`Event::Other`].
    pub fn decode(frame: &Frame) -> Self {
        if !frame.header.request {
            return Self::HeartbeatResponse;
        }
        let mut cursor = Cursor::new(&frame.body);
        let Ok(tag) = cursor.u8() else {
            // Java never sends an empty one; there is nothing else it could mean.
            return Self::Heartbeat;
        };
        if frame.header.serialization != HESSIAN2 {
            // Null in a serialization that we do not read. A text event would be longer than any null.
            return Self::Heartbeat;
        }
        match cursor.string_after(tag, &Limits::DEFAULT) {
            _ if tag == 0x4e => Self::Heartbeat,
            Ok(Some(text)) if Str(text).is("R") => Self::Readonly,
            Ok(Some(text)) if Str(text).is("W") => Self::Writable,
            _ => Self::Other(frame.body.clone()),
        }
    }

    /// Writes the answer to an event frame, if it asks for one: the same id, serialization and body, which is right
    /// whatever that serialization is. dubbo-go expects an answer body, so an empty one becomes null.
    pub fn answer(frame: &Frame, out: &mut impl BufMut) -> bool {
        if !(frame.header.request && frame.header.event && frame.header.two_way) {
            return false;
        }
        let body: &[u8] = if frame.body.is_empty() {
            &[0x4e]
        } else {
            &frame.body
        };
        let header = Header {
            event: true,
            serialization: frame.header.serialization,
            length: narrow(body.len()),
            ..Header::response(frame.header.id, Status::OK)
        };
        out.put_slice(&header.encode());
        out.put_slice(body);
        true
    }

    /// The bytes of a two-way heartbeat.
    pub fn heartbeat(id: u64) -> [u8; HEADER_LEN + 1] {
        let header = Header {
            event: true,
            length: 1,
            ..Header::request(id, true)
        };
        let mut bytes = [0x4e; HEADER_LEN + 1];
        if let Some(start) = bytes.first_chunk_mut() {
            *start = header.encode();
        }
        bytes
    }

    /// The bytes of a one-way "R".
    pub fn readonly(id: u64) -> [u8; HEADER_LEN + 2] {
        Self::letter(id, b'R')
    }

    /// The bytes of a one-way "W".
    pub fn writable(id: u64) -> [u8; HEADER_LEN + 2] {
        Self::letter(id, b'W')
    }

    fn letter(id: u64, letter: u8) -> [u8; HEADER_LEN + 2] {
        let header = Header {
            event: true,
            length: 2,
            ..Header::request(id, false)
        };
        let mut bytes = [0x01; HEADER_LEN + 2];
        if let Some(start) = bytes.first_chunk_mut() {
            *start = header.encode();
        }
        if let Some(last) = bytes.last_mut() {
            *last = letter;
        }
        bytes
    }
}
