//! A gRPC status: code, message, details.

use bytes::Bytes;

/// A gRPC status as an application returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The code, 0 to 16 (dubbo-go's 17 is folded into 2 on relay).
    pub code: u32,
    /// The message, percent-decoded.
    pub message: String,
    /// `google.rpc.Status` as a protobuf message, from `grpc-status-details-bin`; empty when absent.
    pub details: Bytes,
}
