//! How one method's payload in one encoding becomes another.
//!
//! A [`Plan`] is made when a route is: from the method's binding, if it has one. It is then used for every call, with
//! the worker's [`Scratch`].
//!
//! | from \ to | Hessian 2 | wrapper | protobuf |
//! | --- | --- | --- | --- |
//! | Hessian 2 | as it is | sliced | converted by the binding |
//! | wrapper | joined | as it is | converted by the binding |
//! | protobuf | converted by the binding | converted by the binding | as it is |

pub mod descriptor;
pub mod exception;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::hessian2::{self, DecodeError, Limits};
use crate::protobuf::{MappingError, MethodBinding};
use crate::triple::headers::Caller;
use crate::triple::wrapper::{self, Request, Response, WrapperError};
use crate::{Encoding, Payload};

pub use crate::protobuf::{Lossy, Scratch};

/// The trailer that says that a whole-message result is null.
pub const NULL_RESULT: &str = "dubbo-null-result";

/// Why a payload could not be converted.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The method has no binding, and protobuf is on one side.
    #[error("method has no binding: its payload cannot become {to:?} from {from:?}")]
    NoBinding {
        /// What it is.
        from: Encoding,
        /// What it should become.
        to: Encoding,
    },
    /// A serialization that we do not read would have to be translated.
    #[error("payload in serialization {0} cannot be translated")]
    Opaque(u8),
    /// A wrapper whose content is not Hessian 2.
    #[error("wrapper holds {0:?}: only Hessian 2 is translated")]
    Serialization(String),
    /// The parameter types are unknown, and the target needs them.
    #[error("parameter types are unknown")]
    NoDescriptor,
    /// The parameter types are no JVM descriptor, or no class names.
    #[error("parameter types {0:?} are malformed")]
    BadDescriptor(String),
    /// A null that the caller's generation of dubbo-go cannot be told.
    #[error("result is null, which dubbo-go before 3.3.2 cannot read")]
    NullForOldGo,
    /// The Hessian stream is broken.
    #[error("cut arguments apart")]
    Hessian(#[from] DecodeError),
    /// The wrapper is broken.
    #[error("read wrapper message")]
    Wrapper(#[from] WrapperError),
    /// The binding's rules refuse the value.
    #[error("convert by binding")]
    Mapping(#[from] MappingError),
}

impl PlanError {
    /// The binding asks for gRPC 5 where a null result cannot be expressed.
    pub fn is_null_not_found(&self, method: &MethodBinding) -> bool {
        matches!(self, Self::Mapping(error) if error.rule == crate::protobuf::Rule::NullResult)
            && method.null_result == crate::protobuf::NullResult::NotFound
    }
}

/// A converted result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultPayload {
    /// The result.
    pub payload: Payload,
    /// Set the trailer [`NULL_RESULT`].
    pub null: bool,
}

/// How a result is to be written.
#[derive(Debug, Clone, Copy)]
pub struct ResultTarget<'t> {
    /// The encoding wanted.
    pub encoding: Encoding,
    /// Who reads it: decides the form of null in a wrapper.
    pub caller: Caller,
    /// The `serializeType` of the request, which Java servers echo; [`wrapper::HESSIAN4`] when unknown.
    pub serialize_type: &'t str,
    /// The upstream's trailers said that the result is null ([`NULL_RESULT`]).
    pub null: bool,
}

impl<'t> ResultTarget<'t> {
    /// For a caller of this encoding, with the defaults for the rest.
    pub fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            caller: Caller::Java,
            serialize_type: wrapper::HESSIAN4,
            null: false,
        }
    }
}

/// The conversion of one method's payloads. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    method: Option<Arc<MethodBinding>>,
    generic: bool,
}

impl Plan {
    /// The plan of a method with a binding, or without.
    pub fn new(method: Option<Arc<MethodBinding>>) -> Self {
        Self {
            method,
            generic: false,
        }
    }

    /// The plan of a generic call (`$invoke`) to a bound method: its Hessian side is the method's name, types and
    /// generalised values.
    pub fn generic(method: Arc<MethodBinding>) -> Self {
        Self {
            method: Some(method),
            generic: true,
        }
    }

    /// The binding behind it.
    pub fn method(&self) -> Option<&Arc<MethodBinding>> {
        self.method.as_ref()
    }

    /// Whether it is that of generic calls, whose callers have none of the method's classes.
    pub fn is_generic(&self) -> bool {
        self.generic
    }

    /// Converts arguments. `descriptor`: the parameter types as one JVM descriptor, where the call carried them; a
    /// binding's own are used otherwise.
    ///
    /// # Errors
    /// What is wrong with the payload; nothing was sent yet.
    pub fn arguments(
        &self,
        from: &Payload,
        descriptor: Option<&str>,
        to: Encoding,
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<Payload, PlanError> {
        if from.encoding == to {
            return Ok(from.clone());
        }
        let bytes = match (from.encoding, to) {
            (Encoding::Opaque(id), _) | (_, Encoding::Opaque(id)) => return Err(PlanError::Opaque(id)),
            (Encoding::Hessian2, Encoding::Wrapper) => {
                let known = self.method.as_ref().map(|method| method.descriptor.as_str());
                let descriptor = descriptor.or(known).ok_or(PlanError::NoDescriptor)?;
                let names = descriptor::class_names(descriptor)
                    .ok_or_else(|| PlanError::BadDescriptor(short(descriptor)))?;
                let args = hessian2::split_arguments(&from.bytes, names.len(), &mut scratch.hessian, limits)?;
                let mut out = BytesMut::with_capacity(from.bytes.len().saturating_add(64));
                wrapper::encode_request(wrapper::HESSIAN4, args.iter(), names.iter(), &mut out);
                out.freeze()
            }
            (Encoding::Wrapper, Encoding::Hessian2) => {
                let request = read_request(&from.bytes)?;
                hessian2::join_arguments(&request.args, &mut scratch.hessian, limits)?
            }
            (Encoding::Hessian2, Encoding::Protobuf) => {
                let method = self.bound(from.encoding, to)?;
                if self.generic {
                    method.generic_to_protobuf(&from.bytes, scratch, limits)?
                } else {
                    method.arguments_to_protobuf(&from.bytes, scratch, limits)?
                }
            }
            (Encoding::Wrapper, Encoding::Protobuf) => {
                let method = self.bound(from.encoding, to)?;
                let request = read_request(&from.bytes)?;
                if self.generic {
                    let joined = hessian2::join_arguments(&request.args, &mut scratch.hessian, limits)?;
                    method.generic_to_protobuf(&joined, scratch, limits)?
                } else {
                    method.streams_to_protobuf(&request.args, scratch, limits)?
                }
            }
            (Encoding::Protobuf, Encoding::Wrapper) => {
                let method = self.bound(from.encoding, to)?;
                let args = method.arguments_to_streams(&from.bytes, scratch, limits)?;
                let size = args.iter().map(Bytes::len).fold(64usize, usize::saturating_add);
                let mut out = BytesMut::with_capacity(size);
                wrapper::encode_request(wrapper::HESSIAN4, args.iter(), method.arg_types.iter(), &mut out);
                out.freeze()
            }
            (Encoding::Protobuf, _) => {
                self.bound(from.encoding, to)?
                    .arguments_to_hessian(&from.bytes, scratch, limits)?
            }
            _ => from.bytes.clone(),
        };
        Ok(Payload::new(to, bytes))
    }

    /// Converts a result.
    ///
    /// # Errors
    /// What is wrong with the payload; the method has run.
    pub fn result(
        &self,
        from: &Payload,
        to: &ResultTarget<'_>,
        scratch: &mut Scratch,
        limits: &Limits,
    ) -> Result<ResultPayload, PlanError> {
        let wanted = to.encoding;
        let bytes = match (from.encoding, wanted) {
            (Encoding::Wrapper, Encoding::Wrapper) if to.caller == Caller::Java => from.bytes.clone(),
            (Encoding::Wrapper, Encoding::Wrapper) => {
                // Java's null and dubbo-go's are not the same.
                let response = read_response(&from.bytes)?;
                if response.value().as_ref() == wrapper::NULL {
                    self.wrap(wrapper::NULL, to)?
                } else {
                    from.bytes.clone()
                }
            }
            (Encoding::Opaque(from), Encoding::Opaque(to)) if from != to => {
                return Err(PlanError::Opaque(from));
            }
            (same, wanted) if same == wanted => from.bytes.clone(),
            (Encoding::Opaque(id), _) | (_, Encoding::Opaque(id)) => return Err(PlanError::Opaque(id)),
            (Encoding::Hessian2, Encoding::Wrapper) => self.wrap(&from.bytes, to)?,
            (Encoding::Wrapper, Encoding::Hessian2) => read_response(&from.bytes)?.value(),
            (Encoding::Hessian2 | Encoding::Wrapper, _) => {
                let method = self.bound(from.encoding, wanted)?;
                let value = match from.encoding {
                    Encoding::Wrapper => read_response(&from.bytes)?.value(),
                    _ => from.bytes.clone(),
                };
                let converted = method.result_to_protobuf(&value, scratch, limits)?;
                return Ok(ResultPayload {
                    payload: Payload::new(wanted, converted.bytes),
                    null: converted.null,
                });
            }
            (Encoding::Protobuf, _) => {
                let method = self.bound(from.encoding, wanted)?;
                let value = if self.generic {
                    method.result_to_generic(&from.bytes, to.null, scratch, limits)?
                } else {
                    method.result_to_hessian(&from.bytes, to.null, scratch, limits)?
                };
                match wanted {
                    Encoding::Wrapper => self.wrap(&value, to)?,
                    _ => value,
                }
            }
        };
        Ok(ResultPayload {
            payload: Payload::new(wanted, bytes),
            null: to.null && from.encoding == wanted,
        })
    }

    /// A Hessian value as a response wrapper for this caller.
    fn wrap(&self, value: &[u8], to: &ResultTarget<'_>) -> Result<Bytes, PlanError> {
        let mut out = BytesMut::with_capacity(value.len().saturating_add(64));
        if value == wrapper::NULL {
            match to.caller {
                Caller::GoOld => return Err(PlanError::NullForOldGo),
                Caller::Go => {
                    wrapper::encode_absent_response(to.serialize_type, &mut out);
                    return Ok(out.freeze());
                }
                Caller::Java | Caller::Grpc => {}
            }
        }
        let type_name = match &self.method {
            Some(method) if !self.generic => method.return_type.as_str(),
            _ => "java.lang.Object",
        };
        wrapper::encode_response(to.serialize_type, value, type_name, &mut out);
        Ok(out.freeze())
    }

    fn bound(&self, from: Encoding, to: Encoding) -> Result<&Arc<MethodBinding>, PlanError> {
        self.method.as_ref().ok_or(PlanError::NoBinding { from, to })
    }
}

/// The parameter types of a wrapped call as one JVM descriptor; `None` when a name is malformed.
///
/// # Errors
/// When the bytes are no wrapper.
pub fn descriptor_of_wrapper(bytes: &Bytes) -> Result<Option<String>, WrapperError> {
    let request = Request::decode(bytes)?;
    Ok(descriptor::from_class_names(
        request.arg_types.iter().map(crate::invocation::Text::as_str),
    ))
}

/// A wrapped Throwable (`tri-exception-code`) as one Hessian 2 value.
///
/// # Errors
/// When the bytes are no wrapper, or hold another serialization.
pub fn throwable_of_wrapper(bytes: &Bytes) -> Result<Bytes, PlanError> {
    Ok(read_response(bytes)?.value())
}

fn read_request(bytes: &Bytes) -> Result<Request, PlanError> {
    let request = Request::decode(bytes)?;
    if wrapper::is_hessian2(&request.serialize_type) {
        Ok(request)
    } else {
        Err(PlanError::Serialization(short(&request.serialize_type)))
    }
}

fn read_response(bytes: &Bytes) -> Result<Response, PlanError> {
    let response = Response::decode(bytes)?;
    if wrapper::is_hessian2(&response.serialize_type) {
        Ok(response)
    } else {
        Err(PlanError::Serialization(short(&response.serialize_type)))
    }
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}
