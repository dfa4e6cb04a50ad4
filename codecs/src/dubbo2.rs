//! Dubbo2: frames, requests, responses, events (Dubbo's `ExchangeCodec` and `DubboCodec`).
//!
//! [`split`] cuts frames out of received bytes; [`Message::decode`] says what one is. A body in a serialization that we do
//! not read stays [`Message::Opaque`].

pub mod descriptor;
mod event;
mod frame;
mod header;
mod opening;
mod request;
mod response;

use bytes::Bytes;

use crate::hessian2::{DecodeError, Limits, Scratch};

pub use event::Event;
pub use frame::{Frame, FrameError, split};
pub use header::{HEADER_LEN, HESSIAN2, Header, MAGIC, Status};
pub use opening::{Opening, TextLine, text_line};
pub use request::{DUBBO_VERSION, EncodeRequest, Request, Target};
pub use response::{Answer, EncodeResponse, Response, ResponseBody, encode_error, may_carry_attachments};

/// Why a message cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The body is longer than the receiver takes.
    #[error("body of {len} bytes, at most {max} allowed")]
    TooLarge {
        /// Bytes of the body.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Arguments or attachments cannot be brought into the body's stream.
    #[error("arguments or attachments cannot be written")]
    Value(#[from] DecodeError),
}

/// What a frame carries.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "lives on the stack of the turn that reads it; a box would be an allocation a call"
)]
pub enum Message {
    /// A call.
    Request(Request),
    /// An answer.
    Response(Response),
    /// A heartbeat, readonly or writable event, or the answer to one.
    Event(Event),
    /// A request or response in a serialization that we do not read: known by its header only.
    Opaque(Header, Bytes),
}

impl Message {
    /// What `frame` carries. An error concerns this message only: answer it, keep the connection.
    pub fn decode(frame: &Frame, scratch: &mut Scratch, limits: &Limits) -> Result<Self, DecodeError> {
        let header = frame.header;
        if header.event {
            return Ok(Self::Event(Event::decode(frame)));
        }
        if header.request && header.serialization != HESSIAN2 {
            return Ok(Self::Opaque(header, frame.body.clone()));
        }
        if header.request {
            return Request::decode(frame, scratch, limits).map(Self::Request);
        }
        Response::decode(frame, scratch, limits).map(Self::Response)
    }
}
