//! How one method's payload in one encoding becomes another.
//!
//! Placeholder for the type; see `protobuf::plan` for the compiled conversion.

/// The conversion of one method's payloads.
#[derive(Clone, Debug)]
pub enum Plan {}
