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
        expected: Wanted,
        /// The tag that does.
        tag: u8,
    },
    /// Text that is not UTF-16 units in 1 to 3 bytes each, shortest form. Four-byte sequences included.
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

/// What should stand at a place of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// A string.
    String,
    /// The next piece of a string.
    StringPiece,
    /// The next piece of a binary.
    BinaryPiece,
    /// The type of a list or map.
    TypeName,
    /// The name in a class definition.
    ClassName,
    /// The number of fields in a class definition.
    FieldCount,
    /// The name of a field.
    FieldName,
    /// The number of a class.
    ClassIndex,
    /// The number of a list, map or object.
    ReferenceIndex,
    /// The number of elements.
    ListLength,
    /// A Java `Throwable`.
    Throwable,
    /// What a Dubbo2 response body begins with: an int.
    ResultTag,
    /// A tag of a Dubbo2 response body that is known.
    KnownResultTag,
    /// The attachments of a Dubbo2 body.
    Attachments,
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::String => "a string",
            Self::StringPiece => "the next piece of a string",
            Self::BinaryPiece => "the next piece of a binary",
            Self::TypeName => "a type name",
            Self::ClassName => "a class name",
            Self::FieldCount => "a field count",
            Self::FieldName => "a field name",
            Self::ClassIndex => "a class index",
            Self::ReferenceIndex => "a reference index",
            Self::ListLength => "a list length",
            Self::Throwable => "a Throwable",
            Self::ResultTag => "a result tag",
            Self::KnownResultTag => "a result tag from 0 to 5",
            Self::Attachments => "the map of attachments",
        })
    }
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
