//! Triple: gRPC framing, headers, status and the wrapper messages (gRPC's `PROTOCOL-HTTP2.md`; Dubbo's `triple_wrapper.proto`).
//!
//! | module | what |
//! | --- | --- |
//! | [`message`] | the 5-byte prefix, compression, size limits |
//! | [`headers`] | path, deadline, content types, attachments as headers |
//! | [`status`] | `grpc-status`, `grpc-message`, details, and the code tables |
//! | [`wrapper`] | `TripleRequestWrapper` and its kin: Hessian 2 inside protobuf |

#[cfg(test)]
mod captures;
pub mod headers;
pub mod message;
pub mod status;
pub mod wrapper;
