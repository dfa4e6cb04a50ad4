//! What one Hessian stream may cost.

/// Upper limits on one Hessian stream. A stream that passes one is refused as a bad *message*: the connection lives.
///
/// The defaults let through every message that real Dubbo peers send within Dubbo's own 8 MiB payload limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lists, maps and objects that may be open at once.
    pub depth: u32,
    /// Values, references included. Values that are read again through a reference count again.
    pub nodes: u32,
    /// Bytes of text and binary content, with the heads of its pieces where it has several, plus 16 for each node, counted as
    /// they are read, re-reading included; for what rewrites a stream, or converts it by a binding, also the bytes that it
    /// may write.
    pub decoded_bytes: usize,
    /// Class definitions.
    pub classes: u32,
    /// Fields of one class definition.
    pub class_fields: u32,
    /// Fields of all class definitions together.
    pub fields: u32,
    /// UTF-16 units of one string, bytes of one binary.
    pub string_len: u32,
    /// Literal type names.
    pub types: u32,
    /// Lists, maps and objects: the reference table.
    pub references: u32,
}

impl Limits {
    /// The default limits, as a constant.
    pub const DEFAULT: Self = Self {
        depth: 128,
        nodes: 4 << 20,
        decoded_bytes: 64 << 20,
        classes: 1024,
        class_fields: 1024,
        fields: 16 << 10,
        string_len: 8 << 20,
        types: 256 << 10,
        references: 1 << 20,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
