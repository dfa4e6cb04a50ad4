//! One xDS resource to our types, parsed once at the border.
//!
//! Refused (and so NACKed) is only what cannot be used safely; what Envoy knows and we do not is left out.

pub mod cluster;
pub mod endpoint;
pub mod route;

use std::time::Duration;

use xds_api::pb::google::protobuf;

/// Why a resource is refused.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// Its bytes are no such message.
    #[error("undecodable: {0}")]
    Decode(#[from] prost013::DecodeError),
    /// It is another type than the response says.
    #[error("type {0:?} in a response of another type")]
    Type(String),
    /// It carries another name than its envelope.
    #[error("named {0:?} inside")]
    Name(String),
    /// A field that must be there is not.
    #[error("no {0}")]
    Missing(&'static str),
    /// A field has a value that cannot be used.
    #[error("{field}: {problem}")]
    Value {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

pub(crate) fn invalid(field: &'static str, problem: impl ToString) -> ResourceError {
    ResourceError::Value {
        field,
        problem: problem.to_string(),
    }
}

/// A duration that protobuf allows and we do too: not negative; nanoseconds out of range are refused.
pub(crate) fn duration(field: &'static str, value: &protobuf::Duration) -> Result<Duration, ResourceError> {
    let seconds = u64::try_from(value.seconds).map_err(|_| invalid(field, "negative"))?;
    let nanos = u32::try_from(value.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000);
    let nanos = nanos.ok_or_else(|| invalid(field, "nanoseconds out of range"))?;
    Ok(Duration::new(seconds, nanos))
}

/// As [`duration`], with zero and none as `None`: Envoy's "no limit".
pub(crate) fn limit(
    field: &'static str,
    value: Option<&protobuf::Duration>,
) -> Result<Option<Duration>, ResourceError> {
    let value = value.map(|value| duration(field, value)).transpose()?;
    Ok(value.filter(|value| !value.is_zero()))
}

/// The text of a field of an Envoy metadata struct.
pub(crate) fn metadata_text<'a>(
    metadata: Option<&'a xds_api::pb::envoy::config::core::v3::Metadata>,
    filter: &str,
    field: &str,
) -> Option<&'a str> {
    let value = metadata?.filter_metadata.get(filter)?.fields.get(field)?;
    match value.kind.as_ref()? {
        protobuf::value::Kind::StringValue(text) => Some(text),
        _ => None,
    }
}
