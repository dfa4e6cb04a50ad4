//! The answer on a stream, and what it means (`spec/triple.md` 5.2, 8).

use bytes::Bytes;
use codecs::hessian2::{Limits, Scratch, throwable};
use codecs::triple::headers;
use codecs::triple::message::{Compression, MessageError, Splitter};
use codecs::triple::status::{Code, Status, codes};
use codecs::triple::wrapper;
use codecs::{Attachments, Encoding, Exception, Outcome, Payload, Reply};
use h2::RecvStream;
use http::response::Parts;
use http::{HeaderMap, StatusCode};

use crate::error::{CallError, Kind, Limit};
use crate::worker::{Event, Worker};

/// What Java 3.3's server throws when a call's time was up on its side; no consumer should need to know the class.
const TIMEOUT_CLASS: &str = "org.apache.dubbo.remoting.http12.exception.HttpRequestTimeout";

/// A whole answer.
pub(super) struct Answer {
    head: Parts,
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

/// Reads an answer to its end: at most one message.
pub(super) async fn read(
    head: Parts,
    body: &mut RecvStream,
    most: usize,
    worker: &Worker,
) -> Result<Answer, CallError> {
    let mut splitter = Splitter::new(most);
    let mut message = None;
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(|error| lost(&error, worker))?;
        // The window is given back at once: a message above the limit is refused by its announced length.
        body.flow_control()
            .release_capacity(chunk.len())
            .map_err(|error| lost(&error, worker))?;
        // A body that is no gRPC message (a proxy's own error page) is read to its end and thrown away.
        if !is_grpc(&head) {
            continue;
        }
        splitter.push(chunk);
        while let Some(next) = splitter.next_message().map_err(|error| broken(error, worker))? {
            if message.replace(next).is_some() {
                return Err(CallError::sent(Kind::Unsupported).because("a stream of answers to a unary call"));
            }
        }
    }
    let trailers = body.trailers().await.map_err(|error| lost(&error, worker))?;
    let message = match message {
        Some(message) => {
            let compression = compression(&head.headers).map_err(|error| broken(error, worker))?;
            Some(
                message
                    .inflate(compression, most)
                    .map_err(|error| broken(error, worker))?,
            )
        }
        None => None,
    };
    Ok(Answer {
        head,
        message,
        trailers,
    })
}

fn is_grpc(head: &Parts) -> bool {
    head.headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|value| headers::ContentType::is_grpc(value.as_bytes()))
}

fn compression(headers: &HeaderMap) -> Result<Compression, MessageError> {
    match headers.get("grpc-encoding") {
        Some(value) => Compression::parse(&String::from_utf8_lossy(value.as_bytes())),
        None => Ok(Compression::Identity),
    }
}

fn broken(error: MessageError, worker: &Worker) -> CallError {
    if let MessageError::TooLarge { .. } = error {
        worker.count(Event::Oversize);
        worker.shard.count_limit(Limit::Message);
    }
    CallError::sent(Kind::BadReply).because(error)
}

impl Answer {
    /// What the answer means, with its payload in `encoding`.
    pub(super) fn into_reply(self, encoding: Encoding, scratch: &mut Scratch) -> Result<Reply, CallError> {
        let status = self
            .trailers
            .as_ref()
            .and_then(Status::from_headers)
            .or_else(|| Status::from_headers(&self.head.headers));
        let Some(status) = status else {
            return Err(without_status(&self.head, self.message.is_some()));
        };
        let attachments = attachments(self.trailers.as_ref().unwrap_or(&self.head.headers));
        if status.code != 0 {
            return Ok(Reply {
                outcome: Outcome::Exception(Exception::Status(status)),
                attachments,
            });
        }
        let Some(message) = self.message else {
            return Err(CallError::sent(Kind::BadReply).because("status OK without a message"));
        };
        let exception = self.head.headers.get(headers::EXCEPTION_CODE);
        if encoding == Encoding::Wrapper && exception.is_some_and(|code| code != "0") {
            let thrown = wrapper::Response::decode(&message)
                .map_err(|error| CallError::sent(Kind::BadReply).because(error))?
                .value();
            if is_timeout(&thrown, scratch) {
                return Err(CallError::sent(Kind::Timeout));
            }
            return Ok(Reply {
                outcome: Outcome::Exception(Exception::Throwable(thrown)),
                attachments,
            });
        }
        Ok(Reply {
            outcome: Outcome::Result(Payload::new(encoding, message)),
            attachments,
        })
    }
}

fn is_timeout(thrown: &[u8], scratch: &mut Scratch) -> bool {
    throwable::read(thrown, scratch, &Limits::default())
        .ok()
        .and_then(|chain| chain.first().map(|first| first.class == TIMEOUT_CLASS))
        .unwrap_or(false)
}

/// An answer without `grpc-status`: by its HTTP status (`spec/triple.md` 8.3).
fn without_status(head: &Parts, has_message: bool) -> CallError {
    if head.status == StatusCode::OK {
        let text = if has_message {
            "a message without trailers"
        } else {
            "an empty answer"
        };
        return CallError::sent(Kind::BadReply).because(text);
    }
    let code = codes::from_http(head.status.as_u16());
    let text = format!("HTTP status {} without grpc-status", head.status.as_u16());
    match code {
        // A proxy or a server that stops says so before anything ran, but nobody promises it: sent.
        Code::Unavailable => CallError::sent(Kind::Closed).because(text),
        Code::Unimplemented => CallError::sent(Kind::Aborted(Code::Unimplemented.number())).because(text),
        _ => CallError::sent(Kind::BadReply).because(text),
    }
}

/// Trailers as attachments under the names that the provider gave them.
fn attachments(trailers: &HeaderMap) -> Attachments {
    let mut attachments = Attachments::new();
    headers::read(trailers, |name, value| {
        if let headers::AttachmentValue::Text(text) = value {
            attachments.set(name, &*text);
        }
    });
    attachments
}

/// A stream that failed: whether the provider may have got the call.
///
/// Only REFUSED_STREAM, and a GOAWAY whose last stream is below ours (h2 fails just those streams with it), prove that
/// it did not.
pub(super) fn lost(error: &h2::Error, worker: &Worker) -> CallError {
    let refused = error.is_reset() && error.is_remote() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    let above_last = error.is_go_away() && error.is_remote();
    let text = error.to_string();
    if refused || above_last {
        return CallError::unsent(Kind::Closed).because(text);
    }
    if error.is_go_away() && error.is_library() {
        // h2 gave the connection up: most likely for a line feed in another call's grpc-message (`spec/triple.md` 8.5).
        worker.count(Event::Collateral);
    }
    CallError::sent(Kind::Closed).because(text)
}
