//! Responses (Dubbo's `DecodeableRpcResult`).

use bytes::Bytes;

use super::EncodeError;
use super::frame::Frame;
use super::header::{HEADER_LEN, HESSIAN2, Header, Status};
use super::request::{attachment_map, attachments, finish, tables_after, text_field, write_attachments};
use crate::attachments::Attachments;
use crate::hessian2::wire::Cursor;
use crate::hessian2::{Counts, DecodeError, DecodeErrorKind, Limits, Scratch, Skimmer, Wanted, Writer};
use crate::invocation::Text;

/// An answer as received.
#[derive(Clone, Debug)]
pub struct Response {
    /// The header.
    pub header: Header,
    /// What it says.
    pub body: ResponseBody,
    /// The attachments; empty when there are none.
    pub attachments: Attachments,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// Tags 1 and 4: the result, one value in a stream of its own.
    Result(Bytes),
    /// Tags 2 and 5: null or void.
    Null,
    /// Tags 0 and 3: what the provider threw, one value in a stream of its own.
    Exception(Bytes),
    /// A status other than 20, with its text. Empty when the text is in a serialization that we do not read.
    Error(Text),
    /// A result in a serialization that we do not read: the whole body.
    Opaque(Bytes),
}

impl Response {
    /// The answer in a frame. Bytes behind it are ignored: dubbo-go leaves some.
    pub fn decode(frame: &Frame, scratch: &mut Scratch, limits: &Limits) -> Result<Self, DecodeError> {
        let header = frame.header;
        let readable = header.serialization == HESSIAN2;
        let alone = |body| Self {
            header,
            body,
            attachments: Attachments::new(),
        };
        if header.status != Status::OK {
            let text = if readable {
                error_text(&frame.body, limits)
            } else {
                Text::default()
            };
            return Ok(alone(ResponseBody::Error(text)));
        }
        if !readable {
            return Ok(alone(ResponseBody::Opaque(frame.body.clone())));
        }
        let mut cursor = Cursor::new(&frame.body);
        let tag = cursor.count(Wanted::ResultTag)?;
        let base = cursor.at;
        let stream = frame.body.slice(base.min(frame.body.len())..);
        let shifted = |error: DecodeError| error.shifted(base);
        let (values, with_attachments) = match tag {
            0 | 1 => (1, false),
            2 => (0, false),
            3 | 4 => (1, true),
            5 => (0, true),
            _ => {
                return Err(DecodeError {
                    kind: DecodeErrorKind::Expected {
                        expected: Wanted::KnownResultTag,
                        tag: frame.body.first().copied().unwrap_or_default(),
                    },
                    offset: 0,
                });
            }
        };
        let mut skimmer = Skimmer::over(&stream, &mut scratch.skim, limits);
        let value = match values {
            0 => Bytes::new(),
            _ => stream.slice(..skimmer.skim().map_err(shifted)?.end),
        };
        let map = match with_attachments {
            true => attachment_map(&mut skimmer).map_err(shifted)?,
            false => None,
        };
        let attachments = attachments(&stream, map, values, scratch, limits).map_err(shifted)?;
        let body = match tag {
            0 | 3 => ResponseBody::Exception(value),
            // Some peers write null after tag 1 or 4.
            1 | 4 if *value != [0x4e] => ResponseBody::Result(value),
            _ => ResponseBody::Null,
        };
        Ok(Self {
            header,
            body,
            attachments,
        })
    }
}

/// The text of a status other than 20; never an error: a peer that cannot even say what is wrong is not worth one.
fn error_text(body: &Bytes, limits: &Limits) -> Text {
    let mut cursor = Cursor::new(body);
    text_field(&mut cursor, body, limits).unwrap_or_default()
}

/// Whether the answer to a request whose first field is `dubbo_version` may carry attachments: as Java 2.7.8 and later
/// decide it, 2.0.2 up to 2.0.99 (Dubbo's `Version`).
pub fn may_carry_attachments(dubbo_version: &str) -> bool {
    matches!(version_number(dubbo_version), Some(2_000_200..=2_009_900))
}

/// Dubbo's number of a version: the digits that begin each part (none is 0), weighted by 100 from the right; three parts
/// times 100 once more. Dots at the end count no part.
fn version_number(version: &str) -> Option<u64> {
    let (mut number, mut parts) = (0u64, 0u32);
    for part in version.trim_end_matches('.').split('.') {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let value: u64 = match part.get(..digits)? {
            "" => 0,
            digits => digits.parse().ok()?,
        };
        number = number.checked_mul(100)?.checked_add(value)?;
        parts = parts.saturating_add(1);
    }
    if parts == 3 {
        number = number.checked_mul(100)?;
    }
    Some(number)
}

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// A result: one value in a stream of its own.
    Result(&'a [u8]),
    /// Null or void.
    Null,
    /// A Throwable: one value in a stream of its own.
    Exception(&'a [u8]),
}

/// An answer of status 20 to be written.
#[derive(Clone, Copy, Debug)]
pub struct EncodeResponse<'a> {
    /// The request's id.
    pub id: u64,
    /// What to answer.
    pub answer: Answer<'a>,
    /// The attachments, when the caller may get any: see [`may_carry_attachments`]. `dubbo` should be
    /// `request::DUBBO_VERSION` and never the request's.
    pub attachments: Option<&'a Attachments>,
}

impl EncodeResponse<'_> {
    /// Appends the whole frame; a body above `max` bytes is refused, and `out` is left as it was. Answer then with
    /// [`Status::BAD_RESPONSE`] and a short text.
    pub fn encode(
        &self,
        max: usize,
        scratch: &mut Scratch,
        limits: &Limits,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        let written = self.write(scratch, limits, out);
        finish(written, Header::response(self.id, Status::OK), start, max, out)
    }

    fn write(&self, scratch: &mut Scratch, limits: &Limits, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        out.extend_from_slice(&[0; HEADER_LEN]);
        let (tag, value): (i32, &[u8]) = match self.answer {
            Answer::Exception(value) => (0, value),
            Answer::Null | Answer::Result([0x4e]) => (2, &[]),
            Answer::Result(value) => (1, value),
        };
        let tag = if self.attachments.is_some() {
            tag.saturating_add(3)
        } else {
            tag
        };
        Writer::new(out).int(tag);
        out.extend_from_slice(value);
        let Some(attachments) = self.attachments else {
            return Ok(());
        };
        let counts = if attachments.uses_tables() {
            tables_after(value, usize::from(!value.is_empty()), scratch, limits)?
        } else {
            Counts::default()
        };
        write_attachments(attachments, counts, scratch, limits, out)
    }
}

/// Appends an answer of a status other than 20. The text is never null, and cut at 4 KiB: it is printed in every
/// consumer's log with its retries.
pub fn encode_error(id: u64, status: Status, text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_LEN]);
    let mut end = text.len().min(4096);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    Writer::new(out).string(text.get(..end).unwrap_or_default());
    // Cannot fail: the text is short.
    let _ = finish(Ok(()), Header::response(id, status), start, usize::MAX, out);
}
