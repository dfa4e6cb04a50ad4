//! One call and its answer, free of any connection.

use std::time::Duration;

use bytes::Bytes;

use crate::{Attachments, Payload, ServiceKey};

/// A piece of UTF-8 text sliced out of a received buffer, or static.
///
/// Cheap to clone; it is checked to be UTF-8 once, when made.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(Bytes);

impl Text {
    /// Text of bytes that must be UTF-8; `None` when they are not.
    pub fn from_utf8(bytes: Bytes) -> Option<Self> {
        std::str::from_utf8(&bytes).ok()?;
        Some(Self(bytes))
    }

    /// Static text.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Checked in every constructor; the check here is what `unsafe_code = "deny"` costs, a few ns for a method name.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes behind it.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.as_str(), f)
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One call, free of any connection.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The service as the caller named it. A gRPC caller names the protobuf service: then the interface is that name
    /// until the route has found the binding.
    pub service: ServiceKey,
    /// The method as the caller named it: a Java method name, or an rpc name.
    pub method: Text,
    /// The parameter types as one JVM descriptor, `JLjava/lang/String;` (Dubbo's `ReflectUtils.getDesc`).
    /// `None` where the caller's encoding does not carry them (protobuf): the binding gives them.
    pub descriptor: Option<Text>,
    /// The arguments.
    pub arguments: Payload,
    /// The attachments as received, less what the wire itself consumes.
    pub attachments: Attachments,
    /// The time the caller still gives, as announced on its wire; `None` when it said nothing.
    pub timeout: Option<Duration>,
    /// The caller wants no answer.
    pub one_way: bool,
}

/// What the provider answered. An exception that it threw is an answer, too.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The result, or the exception.
    pub outcome: Outcome,
    /// The attachments of the reply (trailers, on Triple).
    pub attachments: Attachments,
}

/// A result or an exception.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The method's result, `null` and `void` included, in the upstream's encoding.
    Result(Payload),
    /// What the provider threw.
    Exception(Exception),
}

/// What a provider threw, as its wire carries it.
#[derive(Clone, Debug)]
pub enum Exception {
    /// A Throwable as one Hessian 2 value: from a Dubbo2 body (tags 0 and 3), or from a Triple reply with
    /// `tri-exception-code` (then taken out of its wrapper).
    Throwable(Bytes),
    /// A gRPC status that the application, not the framework, returned.
    Status(crate::triple::status::Status),
}
