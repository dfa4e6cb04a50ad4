//! The key-values that travel with a call.

/// Attachments of a call or a reply.
#[derive(Clone, Debug, Default)]
pub struct Attachments {}
