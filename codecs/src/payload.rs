//! Arguments or a result as bytes with their encoding: sliced, not copied.

use bytes::Bytes;

/// How a payload's bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Hessian 2 values. Arguments: all of them one after another in one stream, with shared class, type and reference
    /// tables that begin empty. Result or exception: one value. Taken out of a Dubbo2 body
    /// (Dubbo's `DubboCodec`).
    Hessian2,
    /// A `TripleRequestWrapper`, `TripleResponseWrapper` or `TripleExceptionWrapper` message, without the 5-byte prefix
    /// (Dubbo's `triple_wrapper.proto`).
    Wrapper,
    /// A protobuf message, without the 5-byte prefix.
    Protobuf,
    /// A Dubbo2 body in a serialization we do not read: it can only be passed through to a peer of the same one.
    Opaque(u8),
}

/// Arguments or a result: bytes and how to read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// How `bytes` are to be read.
    pub encoding: Encoding,
    /// The bytes, a slice of what was received whenever possible.
    pub bytes: Bytes,
}

impl Payload {
    /// A payload of these bytes.
    pub fn new(encoding: Encoding, bytes: impl Into<Bytes>) -> Self {
        Self {
            encoding,
            bytes: bytes.into(),
        }
    }
}
