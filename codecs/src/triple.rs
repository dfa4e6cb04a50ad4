//! Triple: gRPC framing, headers, status and the wrapper messages.

pub mod status;
