//! Why bytes are not a Hessian value that we take.

/// A Hessian stream that cannot be read. The *message* is bad; the frame around it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// Where, from the start of the stream.
    pub offset: usize,
}

/// What is wrong with a Hessian stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The stream ends inside a value, or announces more than follows.
    #[error("stream ends inside a value")]
    Truncated,
    /// A byte that starts no value (or not one that may stand here).
    #[error("unexpected tag {0:#04x}")]
    UnexpectedTag(u8),
    /// Another kind of value than the caller needs.
    #[error("expected {expected}, found tag {tag:#04x}")]
    Expected {
        /// What should stand here.
        expected: &'static str,
        /// The tag that does.
        tag: u8,
    },
    /// Text that is not UTF-16 units in 1 to 3 bytes each, shortest form (spec 8.3). Four-byte sequences included.
    #[error("malformed text, byte {0:#04x}")]
    BadText(u8),
    /// A negative length, count or index.
    #[error("negative length or index {0}")]
    Negative(i32),
    /// A reference to a list, map or object that has not begun.
    #[error("reference {0} is out of range")]
    BadReference(u32),
    /// An instance of a class that has not been defined.
    #[error("class {0} is not defined")]
    BadClass(u32),
    /// A type index that has not been defined.
    #[error("type {0} is not defined")]
    BadType(u32),
    /// A value that contains itself where only a tree can be made.
    #[error("reference {0} is a cycle")]
    Cycle(u32),
    /// A limit of ours.
    #[error("more than {0} allowed")]
    Limit(Limit),
}

/// Which limit a stream passed; see [`Limits`](super::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::depth`](super::Limits::depth)
    Depth,
    /// [`Limits::nodes`](super::Limits::nodes)
    Nodes,
    /// [`Limits::decoded_bytes`](super::Limits::decoded_bytes)
    DecodedBytes,
    /// [`Limits::classes`](super::Limits::classes)
    Classes,
    /// [`Limits::class_fields`](super::Limits::class_fields) or [`Limits::fields`](super::Limits::fields)
    Fields,
    /// [`Limits::string_len`](super::Limits::string_len)
    StringLen,
    /// [`Limits::types`](super::Limits::types)
    Types,
    /// [`Limits::references`](super::Limits::references)
    References,
    /// The stream is longer than 4 GiB.
    Stream,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Depth => "the nesting",
            Self::Nodes => "the values",
            Self::DecodedBytes => "the decoded bytes",
            Self::Classes => "the class definitions",
            Self::Fields => "the class fields",
            Self::StringLen => "the string length",
            Self::Types => "the type names",
            Self::References => "the lists, maps and objects",
            Self::Stream => "the stream length",
        })
    }
}

impl DecodeError {
    /// A limit was passed at `offset`.
    pub(crate) fn limit(limit: Limit, offset: usize) -> Self {
        Self {
            kind: DecodeErrorKind::Limit(limit),
            offset,
        }
    }

    /// The stream ends too early, noticed at `offset`.
    pub(crate) fn truncated(offset: usize) -> Self {
        Self {
            kind: DecodeErrorKind::Truncated,
            offset,
        }
    }

    /// The same error, counted from `base` bytes earlier: for a stream that is part of a body.
    pub(crate) fn shifted(self, base: usize) -> Self {
        Self {
            offset: self.offset.saturating_add(base),
            ..self
        }
    }

    /// Whether one of our limits refused the stream, rather than its bytes being wrong.
    pub fn is_limit(&self) -> bool {
        matches!(self.kind, DecodeErrorKind::Limit(_))
    }
}
