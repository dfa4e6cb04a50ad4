//! The operator's port: health, readiness, metrics, and what the gateway knows.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_saphyr::{Location, Spanned};

use crate::config::place::{Problem, Source};
use crate::config::text::{Bind, Secret};

/// The section `admin`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address to listen on. Loopback unless told otherwise: what it shows names every service of the company.
    pub bind: Spanned<Bind>,
    /// What a caller must send as `Authorization: Bearer …`; needed where `bind` is not loopback. Health and readiness
    /// are answered without it.
    pub token: Option<Secret>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: Spanned {
                value: Bind(SocketAddr::from(([127, 0, 0, 1], 9880))),
                referenced: Location::UNKNOWN,
                defined: Location::UNKNOWN,
            },
            token: None,
        }
    }
}

impl Config {
    /// Adds what is wrong with the section to `problems`.
    pub(crate) fn check(&self, source: &Source, problems: &mut Vec<Problem>) {
        let empty = self.token.as_ref().is_some_and(|token| token.reveal().is_empty());
        let guarded = self.token.is_some() && !empty;
        if !self.bind.value.0.ip().is_loopback() && !guarded {
            let message = format!("admin listens on {} without a token", self.bind.value);
            let hint = "set `admin.token`, or bind to 127.0.0.1";
            problems.push(source.problem(self.bind.referenced, message).hint(hint));
        }
    }
}
