//! Triple's headers: path, deadline, content types, and attachments as headers (gRPC's `PROTOCOL-HTTP2.md`, Dubbo's `TripleHeaderEnum`).

pub mod attachments;
pub mod timeout;

pub use attachments::{AttachmentValue, NonAscii, TooLarge, Writer, is_reserved, read, write_all};
pub use timeout::{format_timeout, parse_timeout};

use http::HeaderMap;

/// What we write as `content-type`, in both directions.
pub const CONTENT_TYPE: &str = "application/grpc+proto";
/// The version of the service asked for.
pub const SERVICE_VERSION: &str = "tri-service-version";
/// The group of the service asked for.
pub const SERVICE_GROUP: &str = "tri-service-group";
/// The caller's application.
pub const CONSUMER_APPNAME: &str = "tri-consumer-appname";
/// Lower-cased attachment names to their originals, as percent-encoded JSON.
pub const HEADER_CONVERT: &str = "tri-header-convert";
/// Says that the message is a Throwable, with its code (Dubbo's `TripleHeaderEnum`).
pub const EXCEPTION_CODE: &str = "tri-exception-code";
/// The timeout of Java 3.3's REST bodies, in milliseconds.
pub const SERVICE_TIMEOUT: &str = "tri-service-timeout";

/// Splits `/service/method`.
///
/// The method is what follows the last slash and the service all between the first and the last, as Java 3.3 reads it
/// (a context path is part of the service). `None` when either is empty.
pub fn split_path(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    let path = path.split(['?', '#']).next()?;
    let (service, method) = path.rsplit_once('/')?;
    if service.is_empty() || method.is_empty() {
        return None;
    }
    Some((service, method))
}

/// The last segment of a service with a context path: the name to look up when the whole is unknown.
pub fn without_context_path(service: &str) -> &str {
    service.rsplit_once('/').map_or(service, |(_, name)| name)
}

/// The method name with its first letter in lower case: what a Java service calls the rpc `SayHello`.
pub fn lower_first(method: &str) -> std::borrow::Cow<'_, str> {
    match method.chars().next() {
        Some(first) if first.is_uppercase() => {
            let rest = method.get(first.len_utf8()..).unwrap_or_default();
            std::borrow::Cow::Owned(first.to_lowercase().chain(rest.chars()).collect())
        }
        _ => std::borrow::Cow::Borrowed(method),
    }
}

/// Whether two method names are the same to a Java or dubbo-go server: equal but for the case of the first letter.
pub fn same_method(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.chars(), other.chars());
    match (one.next(), other.next()) {
        (Some(a), Some(b)) => a.to_lowercase().eq(b.to_lowercase()) && one.as_str() == other.as_str(),
        (None, None) => true,
        _ => false,
    }
}

/// The serialization named by a request's content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    /// `application/grpc` or `application/grpc+proto`: protobuf, or a wrapper; the method decides.
    Proto,
    /// `application/grpc+hessian2`: a wrapper from dubbo-go before 3.3.2, which expects its own type back.
    Hessian2,
}

impl ContentType {
    /// Reads a request's content type; `None` for one that is not gRPC, or in a serialization that we do not read
    /// (JSON, msgpack).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let text = text.split(';').next()?.trim();
        match text {
            "application/grpc" | "application/grpc+proto" => Some(Self::Proto),
            "application/grpc+hessian2" => Some(Self::Hessian2),
            _ => None,
        }
    }

    /// Whether a response's content type is gRPC at all; the serialization is then that of the request.
    pub fn is_grpc(value: &[u8]) -> bool {
        value.starts_with(b"application/grpc") && !value.starts_with(b"application/grpc-web")
    }

    /// What to answer.
    pub fn answer(self) -> &'static str {
        match self {
            Self::Proto => CONTENT_TYPE,
            Self::Hessian2 => "application/grpc+hessian2",
        }
    }
}

/// Which generation of peer sent a request: it decides the forms of null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Java: no user agent.
    Java,
    /// dubbo-go up to 3.3.1: it cannot express null.
    GoOld,
    /// dubbo-go 3.3.2 and later: null is an absent field.
    Go,
    /// A plain gRPC client, or an unknown one.
    Grpc,
}

impl Caller {
    /// The caller of a request with these headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let Some(agent) = headers.get(http::header::USER_AGENT) else {
            return Self::Java;
        };
        let agent = agent.as_bytes();
        if agent.starts_with(b"grpc-go-triple/") || agent.starts_with(b"triple-go/") {
            let content_type = headers.get(http::header::CONTENT_TYPE);
            return match content_type.and_then(|value| ContentType::parse(value.as_bytes())) {
                Some(ContentType::Hessian2) => Self::GoOld,
                _ => Self::Go,
            };
        }
        Self::Grpc
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_at_the_last_slash() {
        assert_eq!(split_path("/a.B/hello"), Some(("a.B", "hello")));
        assert_eq!(split_path("/ctx/a.B/hello"), Some(("ctx/a.B", "hello")));
        assert_eq!(without_context_path("ctx/a.B"), "a.B");
        assert_eq!(split_path("/a.B/$invoke?x=1"), Some(("a.B", "$invoke")));
        for bad in ["", "/", "a.B/hello", "/a.B", "/a.B/", "//hello"] {
            assert_eq!(split_path(bad), None, "{bad}");
        }
    }

    #[test]
    fn methods_differ_by_the_first_letter_only() {
        assert_eq!(lower_first("SayHello"), "sayHello");
        assert_eq!(lower_first("sayHello"), "sayHello");
        assert_eq!(lower_first(""), "");
        assert!(same_method("SayHello", "sayHello") && same_method("a", "A"));
        assert!(!same_method("SayHello", "sayhello") && !same_method("a", ""));
    }

    #[test]
    fn content_types() {
        assert_eq!(ContentType::parse(b"application/grpc"), Some(ContentType::Proto));
        assert_eq!(
            ContentType::parse(b"application/grpc+proto; charset=utf-8"),
            Some(ContentType::Proto)
        );
        assert_eq!(
            ContentType::parse(b"application/grpc+hessian2"),
            Some(ContentType::Hessian2)
        );
        for refused in [
            &b"application/grpc+json"[..],
            b"application/json",
            b"application/grpc-web",
            b"text/html",
            b"\xff",
        ] {
            assert_eq!(ContentType::parse(refused), None);
        }
        assert!(ContentType::is_grpc(b"application/grpc+proto"));
        assert!(!ContentType::is_grpc(b"application/grpc-web+proto"));
    }

    #[test]
    fn callers_are_told_by_agent_and_content_type() {
        let caller = |agent: Option<&str>, content: &str| {
            let mut headers = HeaderMap::new();
            if let Some(agent) = agent {
                headers.insert("user-agent", agent.parse().unwrap());
            }
            headers.insert("content-type", content.parse().unwrap());
            Caller::of(&headers)
        };
        assert_eq!(caller(None, "application/grpc+proto"), Caller::Java);
        let go = Some("grpc-go-triple/0.1.0 (go1.24)");
        assert_eq!(caller(go, "application/grpc+hessian2"), Caller::GoOld);
        assert_eq!(caller(go, "application/grpc+proto"), Caller::Go);
        assert_eq!(caller(Some("grpc-go/1.85"), "application/grpc"), Caller::Grpc);
    }
}
