//! The section `listeners`: the ports that take calls.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::place::{Problem, Source};
use super::text::{Bind, empty_is_none, refuse};

/// The ports that take calls.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Listeners {
    /// For Dubbo2 consumers.
    #[serde(default)]
    pub dubbo2: Option<Listener>,
    /// For Triple and gRPC consumers.
    #[serde(default)]
    pub triple: Option<Listener>,
}

/// One port.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// The address to listen on; port 0 for any free one.
    pub bind: Spanned<Bind>,
    /// The address that consumers are told; absent for that of `bind`, where that is a real one.
    #[serde(default, deserialize_with = "advertise")]
    pub advertise: Option<SocketAddr>,
    /// What calls become, whatever the service; absent to decide by service and method.
    #[serde(default)]
    pub becomes: Option<Spanned<Becomes>>,
}

fn advertise<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let address: Option<Bind> = empty_is_none(deserializer)?;
    match address {
        Some(Bind(address)) if address.ip().is_unspecified() || address.port() == 0 => {
            let text = address.to_string();
            let problem = format!("{text:?} is no address that a peer can call");
            Err(refuse(&text, problem))
        }
        other => Ok(other.map(|bind| bind.0)),
    }
}

/// What calls of a listener become, whatever the service: the translator's switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Becomes {
    /// Dubbo2 with Hessian 2, to the legacy side.
    Dubbo2,
    /// Triple with wrapped Hessian 2, to the mesh side.
    Wrapper,
    /// Triple with protobuf by the binding, to the mesh side.
    Protobuf,
}

impl FromStr for Becomes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "dubbo2" => Ok(Self::Dubbo2),
            "wrapper" => Ok(Self::Wrapper),
            "protobuf" => Ok(Self::Protobuf),
            _ => Err(format!(
                "{text:?} is not what a call can become (expected dubbo2, wrapper or protobuf)"
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Becomes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|problem: String| refuse(&text, problem))
    }
}

impl fmt::Display for Becomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dubbo2 => "dubbo2",
            Self::Wrapper => "wrapper",
            Self::Protobuf => "protobuf",
        })
    }
}

impl Listeners {
    pub(super) fn check(&self, source: &Source, problems: &mut Vec<Problem>) {
        if let (Some(dubbo2), Some(triple)) = (&self.dubbo2, &self.triple) {
            let (one, other) = (dubbo2.bind.value.0, triple.bind.value.0);
            if one == other && one.port() != 0 {
                let message = format!("{other} is the Dubbo2 listener's address, too");
                problems.push(source.problem(triple.bind.referenced, message));
            }
        }
    }
}
