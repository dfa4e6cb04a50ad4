//! [`CallError`]: why the gateway could not obtain a reply.
//!
//! An exception that a provider threw is no `CallError`: it is an answer. `status` turns an error into what the caller's
//! protocol shows; `call` decides by [`CallError::sent`] and the route's policy whether another attempt is allowed.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// Why the gateway could not obtain a reply for a call.
#[derive(Debug)]
pub struct CallError {
    /// What went wrong.
    pub kind: Kind,
    /// Whose fault it is.
    pub side: Side,
    /// The provider may have run the call: a byte of it may have reached an upstream that did not say it refused it.
    pub sent: bool,
    /// Another attempt was made for a mesh route's retry policy: the caller must not repeat it once more.
    pub retried: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What went wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The call cannot be decoded, or not be mapped to the upstream's encoding.
    BadRequest,
    /// There is no such service, or no schema for it.
    UnknownService,
    /// What was asked for cannot cross: a stream towards Dubbo2, a serialization we do not read.
    Unsupported,
    /// The call has crossed too many bridges, or this one before.
    Loop,
    /// The cluster is empty, or all its endpoints are ejected.
    NoEndpoint,
    /// A limit of ours.
    Overloaded(Limit),
    /// The deadline passed.
    Timeout,
    /// No connection to the endpoint.
    Connect,
    /// The connection or stream ended before a reply.
    Closed,
    /// The upstream's framework said no.
    Refused(Refusal),
    /// The answer cannot be decoded or mapped.
    BadReply,
    /// The route answers by itself: a fault it injects, a direct response, an action we cannot run.
    Aborted(u32),
    /// The gateway is stopping.
    Draining,
    /// The caller has left.
    Cancelled,
    /// A bug of ours.
    Internal,
}

/// A limit that a call ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Calls in flight on one downstream connection.
    Connection,
    /// Calls in flight in a cluster.
    Cluster,
    /// Calls in flight to an endpoint.
    Endpoint,
    /// Bytes of a request or reply.
    Message,
    /// Bytes of a header list.
    Headers,
    /// Connections of one peer, or in all.
    Connections,
}

/// What an upstream's framework said when it refused a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The Dubbo2 status (Dubbo's `Response`), never 20.
    pub status: u8,
    /// Its text, cut at 1 KiB.
    pub text: String,
}

impl Refusal {
    /// Whether the provider surely did not run the call: its pool was full, or it does not export the service.
    pub fn did_not_run(&self) -> bool {
        match self.status {
            100 => true,
            60 => true,
            70 => self.not_exported(),
            40 => self.text.contains("Service not found"),
            _ => false,
        }
    }

    /// Whether the provider does not export the service.
    pub fn not_exported(&self) -> bool {
        match self.status {
            60 => true,
            70 => self.text.contains("Not found exported service"),
            40 => self.text.contains("Service not found"),
            _ => false,
        }
    }
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The caller's.
    Downstream,
    /// The provider's, or of the way there.
    Upstream,
    /// Ours: a limit, a missing fact, a bug.
    Bridge,
}

impl CallError {
    /// An error of the caller: it is never sent.
    pub fn downstream(kind: Kind) -> Self {
        Self::new(kind, Side::Downstream, false)
    }

    /// An error of ours: it is never sent.
    pub fn bridge(kind: Kind) -> Self {
        Self::new(kind, Side::Bridge, false)
    }

    /// An error of the upstream before anything was sent.
    pub fn unsent(kind: Kind) -> Self {
        Self::new(kind, Side::Upstream, false)
    }

    /// An error of the upstream after the call was sent, or may have been.
    pub fn sent(kind: Kind) -> Self {
        Self::new(kind, Side::Upstream, true)
    }

    fn new(kind: Kind, side: Side, sent: bool) -> Self {
        Self {
            kind,
            side,
            sent,
            retried: false,
            source: None,
        }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error, or "the deadline passed" where that is what ended the stream: a server that minds the deadline
    /// resets the stream when it passes (grpc-go does), on its own clock and so just before ours.
    #[must_use]
    pub(crate) fn or_late(self, deadline: Instant) -> Self {
        const CLOSE: Duration = Duration::from_millis(20);
        if self.kind == Kind::Closed && self.sent && Instant::now() + CLOSE >= deadline {
            return Self::sent(Kind::Timeout).because(self);
        }
        self
    }

    /// The error and its causes in one line, for the caller: `cannot decode the call: unknown tag 0x5e at byte 113`.
    pub fn text(&self) -> String {
        use std::fmt::Write;
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            // Writing into a String cannot fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        text
    }
}

impl Kind {
    /// The word for logs and the `kind` label of metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::UnknownService => "unknown_service",
            Self::Unsupported => "unsupported",
            Self::Loop => "loop",
            Self::NoEndpoint => "no_endpoint",
            Self::Overloaded(_) => "overloaded",
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Closed => "closed",
            Self::Refused(_) => "refused",
            Self::BadReply => "bad_reply",
            Self::Aborted(_) => "aborted",
            Self::Draining => "draining",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

impl Limit {
    /// The word for logs and the `limit` label of metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connection => "in_flight_per_connection",
            Self::Cluster => "in_flight_per_cluster",
            Self::Endpoint => "in_flight_per_endpoint",
            Self::Message => "message",
            Self::Headers => "headers",
            Self::Connections => "connections",
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::BadRequest => "cannot decode or map the call",
            Kind::UnknownService => "no such service here",
            Kind::Unsupported => "the call cannot cross",
            Kind::Loop => "the call goes round in a loop of bridges",
            Kind::NoEndpoint => "no usable endpoint",
            Kind::Overloaded(limit) => return write!(f, "overloaded: limit {} reached", limit.name()),
            Kind::Timeout => "the deadline passed",
            Kind::Connect => "no connection to the provider",
            Kind::Closed => "the provider's connection ended before a reply",
            Kind::Refused(refusal) => {
                return write!(
                    f,
                    "the provider refused with status {}: {}",
                    refusal.status, refusal.text
                );
            }
            Kind::BadReply => "cannot decode or map the provider's reply",
            Kind::Aborted(_) => "answered by the route itself",
            Kind::Draining => "the gateway is stopping",
            Kind::Cancelled => "the caller has left",
            Kind::Internal => "internal error of the gateway",
        })
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_itself_and_then_its_causes() {
        let io = std::io::Error::other("refused by host");
        let error = CallError::unsent(Kind::Connect).because(io);
        assert_eq!(error.to_string(), "no connection to the provider");
        assert_eq!(error.text(), "no connection to the provider: refused by host");
    }

    #[test]
    fn a_stream_reset_at_the_deadline_is_late_and_not_lost() {
        let now = Instant::now();
        let kind = |error: CallError, after| error.or_late(now + Duration::from_millis(after)).kind;
        assert_eq!(kind(CallError::sent(Kind::Closed), 10), Kind::Timeout);
        assert_eq!(kind(CallError::sent(Kind::Closed), 60_000), Kind::Closed);
        assert_eq!(kind(CallError::unsent(Kind::Closed), 10), Kind::Closed);
        assert_eq!(kind(CallError::sent(Kind::BadReply), 10), Kind::BadReply);
    }

    #[test]
    fn knows_which_refusals_ran_nothing() {
        let refusal = |status, text: &str| Refusal {
            status,
            text: text.to_owned(),
        };
        assert!(refusal(100, "").did_not_run());
        assert!(refusal(70, "Not found exported service: a.B").did_not_run());
        assert!(refusal(40, "java.lang.IllegalArgumentException: Service not found:a.B, f").did_not_run());
        for (status, text) in [
            (70, "Invalid token"),
            (40, "Fail to decode"),
            (50, ""),
            (80, ""),
            (31, ""),
        ] {
            assert!(!refusal(status, text).did_not_run(), "{status} {text}");
        }
    }
}
