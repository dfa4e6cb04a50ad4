//! Requests.

use std::borrow::Cow;

use bytes::Bytes;

use super::descriptor;
use super::frame::Frame;
use super::header::{HEADER_LEN, Header};
use super::{EncodeError, Status};
use crate::attachments::Attachments;
use crate::hessian2::arguments::copy_value;
use crate::hessian2::wire::{Cursor, narrow};
use crate::hessian2::{
    Counts, DecodeError, DecodeErrorKind, Limits, Reader, Scratch, Skimmed, Skimmer, Str, TypeNames, Wanted,
    Writer,
};
use crate::invocation::Text;
use crate::value::json::java_double;

/// What we, and every current peer, send as the first field.
pub const DUBBO_VERSION: &str = "2.0.2";

/// A call as received: the fields, and slices for the rest.
#[derive(Clone, Debug)]
pub struct Request {
    /// The header.
    pub header: Header,
    /// Field 1, which decides the shape of the response: see [`may_carry_attachments`](super::may_carry_attachments).
    pub dubbo_version: Text,
    /// Field 2: the interface or path. Attachments override it: see [`Request::target`].
    pub path: Text,
    /// Field 3: the service version; empty when null.
    pub version: Text,
    /// Field 4: the method.
    pub method: Text,
    /// Field 5: the parameter descriptor. `None` where a dubbox peer sends only a count.
    pub descriptor: Option<Text>,
    /// How many arguments there are.
    pub argument_count: usize,
    /// The arguments: `argument_count` values in one stream that begins with empty tables.
    pub arguments: Bytes,
    /// The tables after the arguments.
    pub argument_tables: Counts,
    /// The attachments.
    pub attachments: Attachments,
    /// The whole body.
    pub body: Bytes,
}

/// Which service a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The interface, or the path that the provider exports it under.
    pub path: Cow<'a, str>,
    /// The group; empty when there is none.
    pub group: Cow<'a, str>,
    /// The version; empty, `0.0.0` and `*` mean none.
    pub version: Cow<'a, str>,
}

impl Request {
    /// The request in a frame whose serialization is Hessian 2.
    pub fn decode(frame: &Frame, scratch: &mut Scratch, limits: &Limits) -> Result<Self, DecodeError> {
        let body = &frame.body;
        let mut cursor = Cursor::new(body);
        let dubbo_version = text_field(&mut cursor, body, limits)?;
        let path = text_field(&mut cursor, body, limits)?;
        let version = text_field(&mut cursor, body, limits)?;
        let method = text_field(&mut cursor, body, limits)?;
        let (descriptor, argument_count) = parameters(&mut cursor, body, limits, &dubbo_version)?;

        // From here on values may use tables; the fields before have added nothing to them.
        let base = cursor.at;
        let rest = body.slice(base.min(body.len())..);
        let shifted = |error: DecodeError| error.shifted(base);
        let mut skimmer = Skimmer::over(&rest, &mut scratch.skim, limits);
        for _ in 0..argument_count {
            skimmer.skim().map_err(shifted)?;
        }
        let (end, argument_tables) = (skimmer.offset(), skimmer.counts());
        let map = attachment_map(&mut skimmer).map_err(shifted)?;
        let attachments = attachments(&rest, map, argument_count, scratch, limits).map_err(shifted)?;
        Ok(Self {
            header: frame.header,
            dubbo_version,
            path,
            version,
            method,
            descriptor,
            argument_count,
            arguments: rest.slice(..end),
            argument_tables,
            attachments,
            body: body.clone(),
        })
    }

    /// Which service it is for: the attachments `path`, `group` and `version` win over the fields, as in a Java provider.
    pub fn target(&self) -> Target<'_> {
        let attachment = |name| self.attachments.get_text(name).filter(|text| !text.is_empty());
        Target {
            path: attachment("path").unwrap_or(Cow::Borrowed(self.path.as_str())),
            group: attachment("group").unwrap_or_default(),
            version: attachment("version").unwrap_or(Cow::Borrowed(self.version.as_str())),
        }
    }

    /// Whether it is a generic call, which names the real method in its first argument.
    pub fn is_generic(&self) -> bool {
        matches!(self.method.as_str(), "$invoke" | "$invokeAsync") && self.argument_count == 3
    }

    /// Whether it is an echo.
    pub fn is_echo(&self) -> bool {
        self.method.as_str() == "$echo" && self.argument_count == 1
    }
}

/// Field 5, or dubbox's int before or instead of it.
fn parameters(
    cursor: &mut Cursor<'_>,
    body: &Bytes,
    limits: &Limits,
    dubbo_version: &str,
) -> Result<(Option<Text>, usize), DecodeError> {
    let mut ahead = *cursor;
    let tag = ahead.u8()?;
    if dubbo_version.starts_with("2.8.")
        && let Some(count) = ahead.int_after(tag)?
    {
        *cursor = ahead;
        if let Ok(count) = usize::try_from(count) {
            return Ok((None, count));
        }
    }
    let text = text_field(cursor, body, limits)?;
    let count = descriptor::parameters(&text).count();
    Ok((Some(text), count))
}

/// The map that a body ends with. The end of the body and null are "none".
pub(super) fn attachment_map(skimmer: &mut Skimmer<'_, '_>) -> Result<Option<Skimmed>, DecodeError> {
    match skimmer.peek() {
        None | Some(0x4e) => Ok(None),
        Some(0x48 | 0x4d) => skimmer.skim().map(Some),
        Some(tag) => Err(DecodeError {
            kind: DecodeErrorKind::Expected {
                expected: Wanted::Attachments,
                tag,
            },
            offset: skimmer.offset(),
        }),
    }
}

/// The attachments in `map`, which stands behind `values_before` values, as a stream of their own.
pub(super) fn attachments(
    stream: &Bytes,
    map: Option<Skimmed>,
    values_before: usize,
    scratch: &mut Scratch,
    limits: &Limits,
) -> Result<Attachments, DecodeError> {
    let Some(map) = map else {
        return Ok(Attachments::new());
    };
    if map.stands_alone() {
        return Ok(Attachments::from_skimmed(stream.slice(map.start..map.end), map));
    }
    // Values that share classes, types or objects with the arguments: decoded, never sliced.
    let input = stream.get(..map.end).unwrap_or(stream);
    let mut reader = Reader::over(input, &mut scratch.tables, limits);
    for _ in 0..values_before {
        reader.skip()?;
    }
    let mut out = Vec::new();
    scratch.rewrite.clear();
    copy_value(
        &mut reader,
        &mut Writer::new(&mut out),
        &mut scratch.rewrite,
        limits.decoded_bytes,
    )?;
    Attachments::from_hessian(out.into(), scratch, limits)
}

/// A field read as Java's `readString` does: null is empty, scalars become text.
pub(super) fn text_field(
    cursor: &mut Cursor<'_>,
    body: &Bytes,
    limits: &Limits,
) -> Result<Text, DecodeError> {
    let start = cursor.at;
    let tag = cursor.u8()?;
    if let Some(text) = cursor.string_after(tag, limits)? {
        if text.chunked() || text.raw.is_empty() {
            return Ok(Text::from(Str(text).to_cow().into_owned()));
        }
        let from = cursor.at.saturating_sub(text.raw.len());
        return Ok(Text::from_utf8(body.slice(from..cursor.at))
            .unwrap_or_else(|| Text::from(Str(text).to_cow().into_owned())));
    }
    if let Some(value) = cursor.int_after(tag)? {
        return Ok(Text::from(value.to_string()));
    }
    if let Some(value) = cursor.long_after(tag)? {
        return Ok(Text::from(value.to_string()));
    }
    if let Some(value) = cursor.double_after(tag)? {
        return Ok(Text::from(java_double(value)));
    }
    match tag {
        0x4e => Ok(Text::default()),
        0x54 => Ok(Text::from_static("true")),
        0x46 => Ok(Text::from_static("false")),
        _ => Err(DecodeError {
            kind: DecodeErrorKind::Expected {
                expected: Wanted::String,
                tag,
            },
            offset: start,
        }),
    }
}

/// A call to be written.
#[derive(Clone, Copy, Debug)]
pub struct EncodeRequest<'a> {
    /// The id under which the answer will come.
    pub id: u64,
    /// Whether an answer is wanted.
    pub two_way: bool,
    /// Field 1; [`DUBBO_VERSION`] unless there is a reason.
    pub dubbo_version: &'a str,
    /// Field 2.
    pub path: &'a str,
    /// Field 3; `0.0.0` for none, as Java writes it.
    pub version: &'a str,
    /// Field 4.
    pub method: &'a str,
    /// Field 5.
    pub descriptor: &'a str,
    /// The arguments: one stream that begins with empty tables.
    pub arguments: &'a [u8],
    /// How many arguments there are.
    pub argument_count: usize,
    /// The attachments; they must hold `path` and `interface`, and `version` and `group` when set.
    pub attachments: &'a Attachments,
}

impl EncodeRequest<'_> {
    /// Appends the whole frame; a body above `max` bytes is refused, and `out` is left as it was.
    pub fn encode(
        &self,
        max: usize,
        scratch: &mut Scratch,
        limits: &Limits,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        let written = self.write(scratch, limits, out);
        let header = Header {
            status: Status(0),
            ..Header::request(self.id, self.two_way)
        };
        finish(written, header, start, max, out)
    }

    fn write(&self, scratch: &mut Scratch, limits: &Limits, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        out.extend_from_slice(&[0; HEADER_LEN]);
        let mut writer = Writer::new(out);
        let fields = [
            self.dubbo_version,
            self.path,
            self.version,
            self.method,
            self.descriptor,
        ];
        fields.iter().for_each(|field| writer.string(field));
        let tables = if self.attachments.uses_tables() {
            tables_after(self.arguments, self.argument_count, scratch, limits)?
        } else {
            Counts::default()
        };
        writer.slice(self.arguments, tables);
        self.attachments.write_hessian(&mut writer, scratch, limits)
    }
}

/// The tables after `count` values.
pub(super) fn tables_after(
    stream: &[u8],
    count: usize,
    scratch: &mut Scratch,
    limits: &Limits,
) -> Result<Counts, DecodeError> {
    let mut skimmer = Skimmer::over(stream, &mut scratch.skim, limits);
    for _ in 0..count {
        skimmer.skim()?;
    }
    Ok(skimmer.counts())
}

/// Puts the header before a body written at `start`, or takes the body back.
pub(super) fn finish(
    written: Result<(), DecodeError>,
    header: Header,
    start: usize,
    max: usize,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let len = out.len().saturating_sub(start).saturating_sub(HEADER_LEN);
    let max = max.min(i32::MAX.unsigned_abs().try_into().unwrap_or(usize::MAX));
    let error = match written {
        Err(error) => EncodeError::Value(error),
        Ok(()) if len > max => EncodeError::TooLarge { len, max },
        Ok(()) => {
            let header = Header {
                length: narrow(len),
                ..header
            };
            if let Some(place) = out.get_mut(start..).and_then(|out| out.first_chunk_mut()) {
                *place = header.encode();
            }
            return Ok(());
        }
    };
    out.truncate(start);
    Err(error)
}

/// Attachments behind `counts` entries of the tables.
pub(super) fn write_attachments(
    attachments: &Attachments,
    counts: Counts,
    scratch: &mut Scratch,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let mut writer = Writer::continued(out, counts, TypeNames::Literal);
    attachments.write_hessian(&mut writer, scratch, limits)
}
