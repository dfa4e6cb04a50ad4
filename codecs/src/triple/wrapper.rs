//! The wrapper messages: Hessian 2 inside protobuf (Dubbo's `triple_wrapper.proto`).
//!
//! The reader is a full, tolerant protobuf reader that slices what it was given. The writer is strict: Java 3.1.5 and
//! later read these messages with a hand-written scanner that refuses every other field and applies no defaults, so
//! the fields are written in order and all of them are written.

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use crate::invocation::Text;

/// What Java calls Hessian 2 on requests; equal to `hessian2`.
pub const HESSIAN4: &str = "hessian4";
/// What dubbo-go and some Java servers call Hessian 2.
pub const HESSIAN2: &str = "hessian2";
/// The one byte of a Hessian 2 null.
pub const NULL: &[u8] = b"N";

/// Why bytes are not a wrapper message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrapperError {
    /// The bytes are no protobuf message.
    #[error("wrapper message is broken at byte {offset}")]
    Broken {
        /// Where reading stopped.
        offset: usize,
    },
    /// A text field is not UTF-8.
    #[error("wrapper field {field} is not UTF-8")]
    Utf8 {
        /// The field's number.
        field: u32,
    },
    /// A known field has another wire type: most likely a plain protobuf message was sent to a wrapped method.
    #[error("wrapper field {field} has wire type {wire_type}: this is no wrapper message")]
    NotAWrapper {
        /// The field's number.
        field: u32,
        /// The wire type found.
        wire_type: u8,
    },
    /// More arguments than any method has.
    #[error("wrapper has more than {0} arguments")]
    TooMany(usize),
}

/// The most arguments that a wrapper may carry; a Java method has at most 255 parameters.
const MOST_ARGUMENTS: usize = 255;

/// Whether a `serializeType` means Hessian 2.
pub fn is_hessian2(serialize_type: &str) -> bool {
    matches!(serialize_type, HESSIAN2 | HESSIAN4)
}

/// Whether this is a serialization name that Dubbo peers put into a wrapper: for probing an unknown method.
pub fn is_serialization_name(name: &str) -> bool {
    matches!(
        name,
        HESSIAN2
            | HESSIAN4
            | "fastjson2"
            | "fastjson"
            | "msgpack"
            | "kryo"
            | "kryo2"
            | "fst"
            | "gson"
            | "java"
            | "compactedjava"
            | "nativejava"
            | "protobuf"
            | "protobuf-json"
            | "avro"
    )
}

/// `TripleRequestWrapper`: the arguments of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The serialization of `args`.
    pub serialize_type: Text,
    /// The arguments, each a stream of its own.
    pub args: SmallVec<[Bytes; 4]>,
    /// The declared parameter types as `Class.getName()`; the count may differ from that of `args`.
    pub arg_types: SmallVec<[Text; 4]>,
}

/// `TripleResponseWrapper`: the result of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The serialization of `data`.
    pub serialize_type: Text,
    /// The result; `None` when the field is absent, which dubbo-go means as null.
    pub data: Option<Bytes>,
    /// The declared return type as `Class.getName()`.
    pub type_name: Text,
}

/// `TripleExceptionWrapper`, as Java 3.0.3 to 3.0.x put it into status details. Read only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exception {
    /// `java`.
    pub language: Text,
    /// The serialization of `data`.
    pub serialization: Text,
    /// The exception's class.
    pub class_name: Text,
    /// The exception.
    pub data: Bytes,
}

impl Request {
    /// Reads a request wrapper; fields in any order, unknown ones skipped.
    ///
    /// # Errors
    /// When the bytes are no protobuf message, or one that cannot be a wrapper.
    pub fn decode(bytes: &Bytes) -> Result<Self, WrapperError> {
        let mut request = Self::default();
        for_each_field(bytes, 3, |field, value| {
            match field {
                1 => request.serialize_type = text(field, value)?,
                2 => {
                    if request.args.len() >= MOST_ARGUMENTS {
                        return Err(WrapperError::TooMany(MOST_ARGUMENTS));
                    }
                    request.args.push(value);
                }
                3 => {
                    if request.arg_types.len() > MOST_ARGUMENTS {
                        return Err(WrapperError::TooMany(MOST_ARGUMENTS));
                    }
                    request.arg_types.push(text(field, value)?);
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(request)
    }

    /// Writes a request wrapper as every Java version reads it. An empty type name is written as `java.lang.Object`,
    /// because an empty string is refused.
    pub fn encode(&self, out: &mut BytesMut) {
        let arg_types = self.arg_types.iter().map(Text::as_str);
        encode_request(&self.serialize_type, self.args.iter(), arg_types, out);
    }
}

/// Writes a request wrapper from its parts, see [`Request::encode`].
pub fn encode_request<A, T>(
    serialize_type: &str,
    args: impl Iterator<Item = A> + Clone,
    arg_types: impl Iterator<Item = T> + Clone,
    out: &mut BytesMut,
) where
    A: AsRef<[u8]>,
    T: AsRef<str>,
{
    put_field(1, serialize_type.as_bytes(), out);
    for arg in args {
        put_field(2, arg.as_ref(), out);
    }
    for name in arg_types {
        let name = name.as_ref();
        let name = if name.is_empty() { "java.lang.Object" } else { name };
        put_field(3, name.as_bytes(), out);
    }
}

impl Response {
    /// Reads a response wrapper. dubbo-go's, which is a request wrapper with one argument, is the same on the wire.
    ///
    /// # Errors
    /// When the bytes are no protobuf message, or one that cannot be a wrapper.
    pub fn decode(bytes: &Bytes) -> Result<Self, WrapperError> {
        let mut response = Self::default();
        for_each_field(bytes, 3, |field, value| {
            match field {
                1 => response.serialize_type = text(field, value)?,
                2 => response.data = Some(value),
                3 => response.type_name = text(field, value)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(response)
    }

    /// The result as one Hessian 2 value: an absent or empty `data` is null.
    pub fn value(&self) -> Bytes {
        match &self.data {
            Some(data) if !data.is_empty() => data.clone(),
            _ => Bytes::from_static(NULL),
        }
    }

    /// Writes a response wrapper with every field present.
    pub fn encode(&self, out: &mut BytesMut) {
        encode_response(&self.serialize_type, &self.value(), &self.type_name, out);
    }
}

/// Writes a response wrapper from its parts. `data` must not be empty (null is [`NULL`]); an empty type name is
/// written as `java.lang.Object`.
pub fn encode_response(serialize_type: &str, data: &[u8], type_name: &str, out: &mut BytesMut) {
    let type_name = if type_name.is_empty() {
        "java.lang.Object"
    } else {
        type_name
    };
    put_field(1, serialize_type.as_bytes(), out);
    put_field(2, data, out);
    put_field(3, type_name.as_bytes(), out);
}

/// Writes a null or void response for a dubbo-go 3.3.2 caller, which takes an absent `data` for null and fails on
/// Java's `4E`.
pub fn encode_absent_response(serialize_type: &str, out: &mut BytesMut) {
    put_field(1, serialize_type.as_bytes(), out);
}

impl Exception {
    /// Reads an exception wrapper.
    ///
    /// # Errors
    /// When the bytes are no protobuf message, or one that cannot be a wrapper.
    pub fn decode(bytes: &Bytes) -> Result<Self, WrapperError> {
        let mut exception = Self::default();
        for_each_field(bytes, 4, |field, value| {
            match field {
                1 => exception.language = text(field, value)?,
                2 => exception.serialization = text(field, value)?,
                3 => exception.class_name = text(field, value)?,
                4 => exception.data = value,
                _ => {}
            }
            Ok(())
        })?;
        Ok(exception)
    }
}

fn text(field: u32, value: Bytes) -> Result<Text, WrapperError> {
    Text::from_utf8(value).ok_or(WrapperError::Utf8 { field })
}

fn put_field(number: u8, value: &[u8], out: &mut BytesMut) {
    out.reserve(value.len().saturating_add(12));
    // Numbers 1 to 4: the tag is one byte, wire type 2.
    out.put_u8(number.wrapping_shl(3) | 2);
    put_varint(u64::try_from(value.len()).unwrap_or(u64::MAX), out);
    out.put_slice(value);
}

fn put_varint(mut value: u64, out: &mut BytesMut) {
    while value >= 0x80 {
        out.put_u8(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.put_u8(u8::try_from(value).unwrap_or(0));
}

/// Calls `take` for every length-delimited field numbered 1 to `known`; skips all else.
fn for_each_field(
    bytes: &Bytes,
    known: u32,
    mut take: impl FnMut(u32, Bytes) -> Result<(), WrapperError>,
) -> Result<(), WrapperError> {
    let mut offset = 0usize;
    let mut groups: SmallVec<[u32; 4]> = SmallVec::new();
    while offset < bytes.len() {
        let start = offset;
        let broken = || WrapperError::Broken { offset: start };
        let tag = varint(bytes, &mut offset).ok_or_else(broken)?;
        let field = u32::try_from(tag >> 3).map_err(|_| broken())?;
        let wire_type = u8::try_from(tag & 7).map_err(|_| broken())?;
        if field == 0 {
            return Err(broken());
        }
        if groups.is_empty() && field <= known && wire_type != 2 {
            return Err(WrapperError::NotAWrapper { field, wire_type });
        }
        let length = match wire_type {
            0 => {
                varint(bytes, &mut offset).ok_or_else(broken)?;
                0
            }
            1 => 8,
            5 => 4,
            2 => usize::try_from(varint(bytes, &mut offset).ok_or_else(broken)?).map_err(|_| broken())?,
            3 if groups.len() < 64 => {
                groups.push(field);
                0
            }
            4 if groups.pop() == Some(field) => 0,
            _ => return Err(broken()),
        };
        let end = offset
            .checked_add(length)
            .filter(|&end| end <= bytes.len())
            .ok_or_else(broken)?;
        if wire_type == 2 && field <= known && groups.is_empty() {
            take(field, bytes.slice(offset..end))?;
        }
        offset = end;
    }
    if groups.is_empty() {
        Ok(())
    } else {
        Err(WrapperError::Broken { offset })
    }
}

fn varint(bytes: &[u8], offset: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*offset)?;
        *offset = offset.checked_add(1)?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;

    fn written(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
        let mut out = BytesMut::new();
        write(&mut out);
        let mut framed = BytesMut::new();
        super::super::message::join(&out, &mut framed).unwrap();
        framed.to_vec()
    }

    fn vector(length: u8, parts: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 0, 0, length];
        for part in parts {
            bytes.extend_from_slice(part);
        }
        assert_eq!(bytes.len(), usize::from(length) + 5);
        bytes
    }

    // Byte vectors of wrapper messages.
    #[test]
    fn writes_and_reads_the_known_vectors() {
        let hello = Request {
            serialize_type: HESSIAN4.into(),
            args: smallvec![Bytes::from_static(b"\x05world")],
            arg_types: smallvec!["java.lang.String".into()],
        };
        let bytes = vector(
            0x24,
            &[
                b"\x0a\x08hessian4",
                b"\x12\x06\x05world",
                b"\x1a\x10java.lang.String",
            ],
        );
        assert_eq!(written(|out| hello.encode(out)), bytes);
        assert_eq!(Request::decode(&Bytes::from(bytes).slice(5..)).unwrap(), hello);

        let reply = Response {
            serialize_type: HESSIAN2.into(),
            data: Some(Bytes::from_static(b"\x0bhello world")),
            type_name: "java.lang.String".into(),
        };
        let bytes = vector(
            0x2a,
            &[
                b"\x0a\x08hessian2",
                b"\x12\x0c\x0bhello world",
                b"\x1a\x10java.lang.String",
            ],
        );
        assert_eq!(written(|out| reply.encode(out)), bytes);
        assert_eq!(Response::decode(&Bytes::from(bytes).slice(5..)).unwrap(), reply);

        let void = vector(0x13, &[b"\x0a\x08hessian2", b"\x12\x01N", b"\x1a\x04void"]);
        assert_eq!(written(|out| encode_response(HESSIAN2, NULL, "void", out)), void);
        let none = Request {
            serialize_type: HESSIAN4.into(),
            ..Request::default()
        };
        assert_eq!(
            written(|out| none.encode(out)),
            vector(0x0a, &[b"\x0a\x08hessian4"])
        );
    }

    #[test]
    fn reads_any_order_and_skips_what_it_does_not_know() {
        let bytes = Bytes::from_static(
            b"\x1a\x03int\x50\x01\x12\x01\x91\x0a\x08hessian2\x6a\x01x\x7d....\x12\x01\x92\x63\x08\x01\x64",
        );
        let request = Request::decode(&bytes).unwrap();
        assert!(is_hessian2(&request.serialize_type));
        assert_eq!(request.args.len(), 2);
        assert_eq!(request.arg_types.len(), 1);
        assert_eq!(request.args.first().unwrap().as_ptr(), bytes[9..].as_ptr());
    }

    #[test]
    fn absent_and_empty_results_are_null() {
        let absent = Response::decode(&Bytes::from_static(b"\x0a\x08hessian2")).unwrap();
        assert_eq!((&absent.data, absent.value().as_ref()), (&None, NULL));
        let empty = Response::decode(&Bytes::from_static(b"\x0a\x08hessian2\x12\x00")).unwrap();
        assert_eq!(empty.value(), NULL);
        let mut out = BytesMut::new();
        encode_absent_response(HESSIAN2, &mut out);
        assert_eq!(out.as_ref(), b"\x0a\x08hessian2");
    }

    #[test]
    fn plain_protobuf_is_told_apart() {
        assert_eq!(
            Request::decode(&Bytes::from_static(&[0x08, 0x07])),
            Err(WrapperError::NotAWrapper {
                field: 1,
                wire_type: 0
            })
        );
        for broken in [
            &b"\x0a\x09hessian2"[..],
            b"\x0a",
            b"\x00\x01",
            b"\x0a\xff\xff\xff\xff\x0f",
            b"\x64",
        ] {
            assert!(
                Request::decode(&Bytes::copy_from_slice(broken)).is_err(),
                "{broken:?}"
            );
        }
        assert!(matches!(
            Request::decode(&Bytes::from_static(b"\x0a\x01\xff")),
            Err(WrapperError::Utf8 { field: 1 })
        ));
    }
}
