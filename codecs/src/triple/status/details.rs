//! `google.rpc.Status` and the details that we build and read (`google/rpc/error_details.proto`).

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

/// The type URL prefix of every detail.
pub const TYPE_URL_PREFIX: &str = "type.googleapis.com/";
const ERROR_INFO: &str = "google.rpc.ErrorInfo";
const DEBUG_INFO: &str = "google.rpc.DebugInfo";

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    /// The code, equal to `grpc-status`.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// The message, equal to `grpc-message`.
    #[prost(string, tag = "2")]
    pub message: String,
    /// The details.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub struct Any {
    /// `type.googleapis.com/` and the message's full name.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

impl Any {
    /// The full name of the message inside.
    pub fn message_name(&self) -> &str {
        self.type_url
            .rsplit_once('/')
            .map_or(&*self.type_url, |(_, name)| name)
    }
}

/// `google.rpc.ErrorInfo`.
#[derive(Clone, PartialEq, Message)]
pub struct ErrorInfo {
    /// A constant, in upper case with underscores.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// Whose constant it is.
    #[prost(string, tag = "2")]
    pub domain: String,
    /// More.
    #[prost(btree_map = "string, string", tag = "3")]
    pub metadata: BTreeMap<String, String>,
}

/// `google.rpc.DebugInfo`.
#[derive(Clone, PartialEq, Message)]
pub struct DebugInfo {
    /// The stack, one frame a line.
    #[prost(string, repeated, tag = "1")]
    pub stack_entries: Vec<String>,
    /// More.
    #[prost(string, tag = "2")]
    pub detail: String,
}

/// Reads `google.rpc.Status`; `None` when it is broken.
pub fn parse(bytes: &Bytes) -> Option<RpcStatus> {
    RpcStatus::decode(bytes.clone()).ok()
}

/// The first `ErrorInfo` among the details.
pub fn error_info(status: &RpcStatus) -> Option<ErrorInfo> {
    let any = status
        .details
        .iter()
        .find(|any| any.message_name() == ERROR_INFO)?;
    ErrorInfo::decode(any.value.clone()).ok()
}

/// The same details under this code and message; `None` when they are broken.
pub(super) fn with_code(bytes: &Bytes, code: u32, message: &str) -> Option<Vec<u8>> {
    let mut status = parse(bytes)?;
    status.code = i32::try_from(code).ok()?;
    status.message.clear();
    status.message.push_str(message);
    Some(status.encode_to_vec())
}

/// Builds `google.rpc.Status`.
#[derive(Debug, Clone)]
pub struct Builder {
    status: RpcStatus,
}

impl Builder {
    /// A status without details.
    pub fn new(code: u32, message: &str) -> Self {
        Self {
            status: RpcStatus {
                code: i32::try_from(code).unwrap_or(2),
                message: message.to_owned(),
                details: Vec::new(),
            },
        }
    }

    /// Adds an `ErrorInfo`.
    pub fn error_info<K: Into<String>, V: Into<String>>(
        self,
        reason: &str,
        domain: &str,
        metadata: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let info = ErrorInfo {
            reason: reason.to_owned(),
            domain: domain.to_owned(),
            metadata: metadata.into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
        };
        self.any(ERROR_INFO, info.encode_to_vec().into())
    }

    /// Adds a `DebugInfo` of these stack frames.
    pub fn debug_info(self, stack_entries: Vec<String>) -> Self {
        let info = DebugInfo {
            stack_entries,
            detail: String::new(),
        };
        self.any(DEBUG_INFO, info.encode_to_vec().into())
    }

    /// Adds a message of this full name.
    pub fn any(mut self, message_name: &str, value: Bytes) -> Self {
        self.status.details.push(Any {
            type_url: format!("{TYPE_URL_PREFIX}{message_name}"),
            value,
        });
        self
    }

    /// The bytes the details weigh.
    pub fn weight(&self) -> usize {
        self.status.encoded_len()
    }

    /// Takes the last detail off again.
    pub fn pop(&mut self) -> Option<Any> {
        self.status.details.pop()
    }

    /// The message.
    pub fn build(&self) -> Bytes {
        self.status.encode_to_vec().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_info_is_found_among_others() {
        let bytes = Builder::new(9, "no")
            .debug_info(vec!["a.B.c(D.java:1)".into()])
            .error_info("OUT_OF_STOCK", "java/a", [("java.class", "a.OutOfStock")])
            .build();
        let status = parse(&bytes).unwrap();
        let info = error_info(&status).unwrap();
        assert_eq!(info.reason, "OUT_OF_STOCK");
        assert_eq!(info.metadata["java.class"], "a.OutOfStock");
        assert_eq!(parse(&Bytes::from_static(b"\xff")), None);
    }
}
