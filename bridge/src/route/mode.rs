//! How a method's payload crosses to an endpoint.

use codecs::Encoding;
use registries::directory::{Endpoint, Mode, Protocol, Service};

/// The encoding that an endpoint gets, what that makes of the call, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// How the payload crosses.
    pub mode: Mode,
    /// The encoding upstream.
    pub encoding: Encoding,
    /// Why this encoding.
    pub reason: Reason,
}

/// Why a payload crosses in a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The listener says what all its calls become.
    Listener,
    /// The binding file pins it.
    Pinned,
    /// The registry tells what the endpoint takes.
    Registry,
    /// The binding file maps the method to an rpc.
    Bound,
    /// The caller speaks Triple, too, and nothing says that the endpoint takes anything else.
    SameProtocol,
    /// Nothing else is known.
    Default,
}

/// How the payload of a call in the encoding `from` crosses to an endpoint. `bound` says that the method has a protobuf
/// binding, `becomes` what the call's listener makes of all its calls (a translator).
pub fn choose(
    service: &Service,
    endpoint: &Endpoint,
    from: Encoding,
    bound: bool,
    becomes: Option<Encoding>,
) -> Choice {
    let (encoding, reason) = match endpoint.protocol {
        Protocol::Triple { .. } if matches!(becomes, Some(Encoding::Wrapper | Encoding::Protobuf)) => {
            (becomes.unwrap_or(from), Reason::Listener)
        }
        Protocol::Dubbo2 { serialization: 2 } => (Encoding::Hessian2, Reason::Registry),
        Protocol::Dubbo2 { serialization } => match from {
            // Every provider reads Hessian 2 beside what it prefers.
            Encoding::Opaque(id) if id == serialization => (from, Reason::Registry),
            _ => (Encoding::Hessian2, Reason::Default),
        },
        Protocol::Triple { mode } => triple(service, mode, from, bound),
    };
    let mode = if encoding == from {
        Mode::PassThrough
    } else if encoding == Encoding::Protobuf || from == Encoding::Protobuf {
        Mode::Protobuf
    } else {
        Mode::Wrapper
    };
    Choice {
        mode,
        encoding,
        reason,
    }
}

fn triple(service: &Service, registered: Option<Mode>, from: Encoding, bound: bool) -> (Encoding, Reason) {
    let encoding = |mode| match mode {
        Mode::Protobuf => Encoding::Protobuf,
        Mode::Wrapper => Encoding::Wrapper,
        // Hessian 2 has no place of its own in Triple: as it is means in the wrapper.
        Mode::PassThrough if from == Encoding::Protobuf => Encoding::Protobuf,
        Mode::PassThrough => Encoding::Wrapper,
    };
    match (service.pinned, registered) {
        (Some(mode), _) => (encoding(mode), Reason::Pinned),
        (None, Some(mode)) => (encoding(mode), Reason::Registry),
        (None, None) if bound => (Encoding::Protobuf, Reason::Bound),
        (None, None) if matches!(from, Encoding::Wrapper | Encoding::Protobuf) => {
            (from, Reason::SameProtocol)
        }
        (None, None) => (Encoding::Wrapper, Reason::Default),
    }
}
