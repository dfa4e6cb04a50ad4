//! The ZooKeeper registry: sessions, watches and our own provider nodes.
//!
//! | module | what |
//! | --- | --- |
//! | [`config`] | what a file says about one registry, checked |
//! | [`paths`] | every znode path we read or write, and what a path means |
//! | `session` | one client session: connecting with back-off, requests with a limit and a timeout |
//! | [`watch`] | [`Source`]: the registry's interfaces as a [`LegacyView`](crate::legacy_view::LegacyView), kept current |
//! | [`metadata`] | what providers say of their interfaces, read once for tools |
//! | [`publish`] | [`Publisher`]: our own marked nodes, made equal to a desired set |
//!
//! All traps of the client library are handled in `session` and `watch`; nothing else names it.

pub mod config;
pub mod metadata;
pub mod paths;
pub mod publish;
mod session;
pub mod watch;

pub use config::{Config, Credentials, Interfaces, Secret, WatchMode};
pub use publish::{Identity, PublishState, Publisher, Withdraw};
pub use watch::Source;

use std::time::Duration;

/// Why the registry did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No session could be made.
    #[error("cannot connect to zookeeper {connect}")]
    Connect {
        /// The connect string, without credentials.
        connect: String,
        /// What the client library says.
        source: zookeeper_client::Error,
    },
    /// No answer in time; the request may still be carried out.
    #[error("zookeeper did not answer within {timeout:?}: {what} {path}")]
    Timeout {
        /// The request.
        what: &'static str,
        /// The znode.
        path: String,
        /// The limit.
        timeout: Duration,
    },
    /// The server answered with an error, or the connection broke.
    #[error("{what} {path}")]
    Request {
        /// The request.
        what: &'static str,
        /// The znode.
        path: String,
        /// What the server or the client library says.
        source: zookeeper_client::Error,
    },
    /// There is more below a path than one reading takes.
    #[error("more below {path} than one reading takes: name interfaces")]
    TooMuch {
        /// The znode.
        path: String,
    },
    /// The session is over; a new one is needed.
    #[error("zookeeper session is over: {0}")]
    Over(zookeeper_client::SessionState),
}

impl Error {
    /// The error and its causes in one line, for logs and for [`SourceState::error`](crate::directory::SourceState).
    pub fn chain(&self) -> String {
        match self {
            Self::Connect { source, .. } | Self::Request { source, .. } => format!("{self}: {source}"),
            Self::Timeout { .. } | Self::TooMuch { .. } | Self::Over(_) => self.to_string(),
        }
    }

    /// Whether it is the server's answer to this one request, and not the state of the connection.
    fn is_answer(&self) -> bool {
        use zookeeper_client::Error as Zk;
        let Self::Request { source, .. } = self else {
            return false;
        };
        matches!(
            source,
            Zk::NoAuth
                | Zk::InvalidAcl
                | Zk::NoChildrenForEphemerals
                | Zk::QuotaExceeded
                | Zk::BadArguments(_)
                | Zk::MarshallingError
                | Zk::Unimplemented
        )
    }

    fn is(&self, kind: &zookeeper_client::Error) -> bool {
        matches!(self, Self::Request { source, .. } if source == kind)
    }
}
