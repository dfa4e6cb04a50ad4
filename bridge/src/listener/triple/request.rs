//! A stream's head and message as a call (`spec/triple.md` 3 to 5).

use std::time::Duration;

use bytes::Bytes;
use codecs::invocation::Text;
use codecs::triple::headers::{self, Caller as Peer, ContentType};
use codecs::triple::message::{Compression, MessageError, Splitter};
use codecs::triple::wrapper;
use codecs::{Attachments, Encoding, Invocation, Payload};
use h2::RecvStream;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use registries::directory::Island;
use tokio::time::Instant;

use super::not_grpc;
use crate::call::Call;
use crate::error::{CallError, Kind, Limit};
use crate::worker::{Event, Settings, Worker};

/// Who asks for what, as the head says.
pub(super) struct Asked {
    /// The service's name in the path, without a context path.
    pub(super) service: String,
    /// The method's name in the path.
    pub(super) method: Text,
    /// What the caller takes as content type.
    pub(super) content_type: ContentType,
    /// Who calls.
    pub(super) peer: Peer,
    /// The caller takes a thrown exception in the wrapper (`tri-exception-code`).
    pub(super) takes_exceptions: bool,
}

/// Why a stream is no call.
pub(super) enum Refused {
    /// It is not gRPC: an HTTP status and a text.
    NotGrpc(StatusCode, &'static str),
    /// It is gRPC, and cannot be served.
    Call(Box<Asked>, CallError),
}

impl Asked {
    pub(super) fn of(head: &Parts) -> Result<Self, Refused> {
        let content = head.headers.get(http::header::CONTENT_TYPE);
        let content = content.map(http::HeaderValue::as_bytes).unwrap_or_default();
        if !ContentType::is_grpc(content) {
            return Err(not_grpc(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "this port takes application/grpc only\n",
            ));
        }
        if head.method != Method::POST {
            return Err(not_grpc(
                StatusCode::METHOD_NOT_ALLOWED,
                "gRPC calls are POST requests\n",
            ));
        }
        let peer = Peer::of(&head.headers);
        let mut asked = Self {
            service: String::new(),
            method: Text::from_static(""),
            content_type: ContentType::parse(content).unwrap_or(ContentType::Proto),
            peer,
            takes_exceptions: takes_exceptions(peer, &head.headers),
        };
        let Some((service, method)) = headers::split_path(head.uri.path()) else {
            let error =
                CallError::downstream(Kind::UnknownService).because("the path is not /service/method");
            return Err(Refused::Call(Box::new(asked), error));
        };
        asked.service = headers::without_context_path(service).to_owned();
        asked.method = Text::from(method);
        if ContentType::parse(content).is_none() {
            let text = format!("content type {}", String::from_utf8_lossy(content));
            let error = CallError::downstream(Kind::Unsupported).because(text);
            return Err(Refused::Call(Box::new(asked), error));
        }
        Ok(asked)
    }

    /// The call as the rest of the gateway sees it. The caller's headers stay whole: routes match on them.
    pub(super) fn call(
        &self,
        worker: &Worker,
        island: Island,
        head: Parts,
        message: Bytes,
        received: Instant,
    ) -> Call {
        let text = |name: &str| {
            let value = head.headers.get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        let (group, version) = (text(headers::SERVICE_GROUP), text(headers::SERVICE_VERSION));
        let known = worker
            .cache
            .service(worker, island, &self.service, group, version);
        let encoding = encoding(self.content_type, &message);
        let invocation = Invocation {
            service: known.key.clone(),
            method: self.method.clone(),
            descriptor: None,
            arguments: Payload::new(encoding, message),
            timeout: timeout(&head.headers),
            attachments: Attachments::from_headers(head.headers),
            one_way: false,
        };
        Call {
            known,
            invocation,
            received,
        }
    }
}

/// Java 3.2 and later takes a thrown object; earlier ones and everybody else make garbage of it (`spec/triple.md` 8.4).
/// No header names the release. Only 3.3 states its timeout in microseconds (seen with 3.3.6).
fn takes_exceptions(peer: Peer, headers: &HeaderMap) -> bool {
    let unit = headers
        .get("grpc-timeout")
        .and_then(|value| value.as_bytes().last());
    peer == Peer::Java && unit == Some(&b'u')
}

/// The time that the caller gives (`spec/triple.md` 9).
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let millis = |name: &str| {
        let text = headers.get(name)?.to_str().ok()?;
        text.trim().parse().ok().map(Duration::from_millis)
    };
    headers
        .get("grpc-timeout")
        .and_then(|value| headers::parse_timeout(value.as_bytes()))
        .or_else(|| millis("timeout"))
        .or_else(|| millis(headers::SERVICE_TIMEOUT))
}

/// Whether a message is a wrapper or protobuf: a wrapper begins with the name of a serialization.
fn encoding(content_type: ContentType, message: &[u8]) -> Encoding {
    if content_type == ContentType::Hessian2 {
        return Encoding::Wrapper;
    }
    let name = match message {
        [0x0a, length, rest @ ..] => rest.get(..usize::from(*length)),
        _ => None,
    };
    match name.and_then(|name| std::str::from_utf8(name).ok()) {
        Some(name) if wrapper::is_serialization_name(name) => Encoding::Wrapper,
        _ => Encoding::Protobuf,
    }
}

/// Reads the one message of a unary call. `Err(None)`: the caller has left.
pub(super) async fn message(
    headers: &HeaderMap,
    body: &mut RecvStream,
    settings: &Settings,
    worker: &Worker,
) -> Result<Bytes, Option<CallError>> {
    let most = settings.limits.message;
    let mut splitter = Splitter::new(most);
    let mut message = None;
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(|_| None)?;
        body.flow_control()
            .release_capacity(chunk.len())
            .map_err(|_| None)?;
        splitter.push(chunk);
        while let Some(next) = splitter.next_message().map_err(|error| refuse(error, worker))? {
            if message.replace(next).is_some() {
                return Err(Some(
                    CallError::downstream(Kind::Unsupported)
                        .because("a stream of messages: only unary calls cross"),
                ));
            }
        }
    }
    splitter.finish().map_err(|error| refuse(error, worker))?;
    let message = message
        .ok_or_else(|| Some(CallError::downstream(Kind::BadRequest).because("a call without a message")))?;
    let compression = match headers.get("grpc-encoding") {
        Some(name) => Compression::parse(&String::from_utf8_lossy(name.as_bytes())),
        None => Ok(Compression::Identity),
    };
    compression
        .and_then(|compression| message.inflate(compression, most))
        .map_err(|error| refuse(error, worker))
}

fn refuse(error: MessageError, worker: &Worker) -> Option<CallError> {
    let kind = match error {
        MessageError::TooLarge { .. } => {
            worker.count(Event::Oversize);
            worker.shard.count_limit(Limit::Message);
            // Not "overloaded": the same message will be too large the next time.
            Kind::Aborted(crate::status::code::RESOURCE_EXHAUSTED)
        }
        MessageError::UnknownEncoding(_) => Kind::Unsupported,
        _ => Kind::BadRequest,
    };
    Some(CallError::downstream(kind).because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str, pairs: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder()
            .method("POST")
            .uri(format!("http://h{path}"));
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn what_is_not_grpc_is_told_so_in_http() {
        for content in ["application/json", "application/grpc-web", "text/html"] {
            let head = parts("/a.B/f", &[("content-type", content)]);
            let refused = Asked::of(&head).err();
            assert!(matches!(
                refused,
                Some(Refused::NotGrpc(StatusCode::UNSUPPORTED_MEDIA_TYPE, _))
            ));
        }
        let head = parts("/a.B/f", &[("content-type", "application/grpc+json")]);
        let Some(Refused::Call(_, error)) = Asked::of(&head).err() else {
            panic!()
        };
        assert_eq!(error.kind, Kind::Unsupported);
        let head = parts("/nothing", &[("content-type", "application/grpc")]);
        let Some(Refused::Call(_, error)) = Asked::of(&head).err() else {
            panic!()
        };
        assert_eq!(error.kind, Kind::UnknownService);
    }

    #[test]
    fn the_deadline_is_the_first_that_can_be_read() {
        let time = |pairs: &[(&str, &str)]| timeout(&parts("/a/b", pairs).headers);
        assert_eq!(
            time(&[("grpc-timeout", "2S"), ("timeout", "5")]),
            Some(Duration::from_secs(2))
        );
        assert_eq!(
            time(&[("grpc-timeout", "null"), ("timeout", "5")]),
            Some(Duration::from_millis(5))
        );
        assert_eq!(
            time(&[("tri-service-timeout", "7")]),
            Some(Duration::from_millis(7))
        );
        assert_eq!(time(&[]), None);
    }

    #[test]
    fn a_wrapper_is_told_by_its_first_field() {
        assert_eq!(
            encoding(ContentType::Proto, b"\x0a\x08hessian4rest"),
            Encoding::Wrapper
        );
        assert_eq!(encoding(ContentType::Proto, b"\x0a\x05hello"), Encoding::Protobuf);
        assert_eq!(encoding(ContentType::Proto, b""), Encoding::Protobuf);
        assert_eq!(encoding(ContentType::Hessian2, b""), Encoding::Wrapper);
    }

    #[test]
    fn thrown_objects_go_only_to_those_that_take_them() {
        let takes = |pairs: &[(&str, &str)]| {
            let headers = parts("/a/b", pairs).headers;
            takes_exceptions(Peer::of(&headers), &headers)
        };
        assert!(takes(&[("grpc-timeout", "10000000u")]));
        assert!(!takes(&[("grpc-timeout", "3000m")]));
        assert!(!takes(&[
            ("grpc-timeout", "10000000u"),
            ("user-agent", "grpc-go/1.85")
        ]));
    }
}
