//! The response: messages, trailers, and what they mean.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use codecs::triple::headers::{ContentType, EXCEPTION_CODE};
use codecs::triple::message::{Compression, MessageError, Splitter};
use codecs::triple::status::{Status, codes};
use codecs::{Attachments, Encoding, Exception, Outcome, Payload, Reply, plan};
use http::HeaderMap;
use http::response::Parts;

use super::in_call::InCall;
use crate::balance::InFlight;
use crate::error::{CallError, Kind};
use crate::upstream::{Answer, Outgoing};
use crate::worker::Worker;

/// The rest of a streamed response, after its first message.
pub(crate) struct Rest {
    in_call: InCall,
    splitter: Splitter,
    compression: Compression,
    most: usize,
    next: Option<Bytes>,
    data_ended: bool,
    /// Counts the call on its endpoint until the stream ends.
    pub(crate) counted: Option<InFlight>,
}

impl Rest {
    /// The next message, inflated; `None` when only the trailers are left.
    pub(crate) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, CallError>> {
        if let Some(next) = self.next.take() {
            return Poll::Ready(Ok(Some(next)));
        }
        loop {
            if let Some(message) = self.splitter.next_message().map_err(broken)? {
                let inflated = message.inflate(self.compression, self.most).map_err(broken)?;
                return Poll::Ready(Ok(Some(inflated)));
            }
            if self.data_ended {
                return Poll::Ready(Ok(None));
            }
            match ready!(self.in_call.poll_data(cx))? {
                Some(chunk) => self.splitter.push(chunk),
                None => {
                    self.data_ended = true;
                    self.splitter.finish().map_err(broken)?;
                }
            }
        }
    }

    /// The status and attachments of the trailers, after the last message.
    pub(crate) async fn end(&mut self) -> Result<(Status, Attachments), CallError> {
        let trailers = self.in_call.trailers().await?;
        let trailers = trailers.ok_or_else(|| bad("the reply has no trailers"))?;
        let status =
            Status::from_headers(&trailers).ok_or_else(|| bad("the trailers have no grpc-status"))?;
        Ok((status, Attachments::from_headers(trailers)))
    }
}

/// Reads the reply of a call whose head has come.
pub(super) async fn read(
    worker: &Worker,
    call: &Outgoing<'_>,
    in_call: InCall,
    head: Parts,
) -> Result<Answer, CallError> {
    // Trailers-only, or an error head of Java 3.3: grpc-status wins whatever `:status` says (8.3).
    if let Some(status) = Status::from_headers(&head.headers) {
        if status.code == 0 {
            return Err(bad("status 0 without a message"));
        }
        return Ok(Answer::whole(thrown(
            status,
            Attachments::from_headers(head.headers),
        )));
    }
    if head.status != http::StatusCode::OK {
        let code = codes::from_http(head.status.as_u16());
        let text = format!("the provider answered with HTTP status {}", head.status.as_u16());
        return Ok(Answer::whole(thrown(Status::new(code, text), Attachments::new())));
    }
    let content_type = head.headers.get(http::header::CONTENT_TYPE);
    if !content_type.is_some_and(|value| ContentType::is_grpc(value.as_bytes())) {
        return Err(bad("the reply's content type is not gRPC"));
    }
    let compression = match head.headers.get("grpc-encoding") {
        Some(name) => Compression::parse(&String::from_utf8_lossy(name.as_bytes())).map_err(broken)?,
        None => Compression::Identity,
    };
    let most = worker.shared.settings.load().limits.message;
    let mut rest = Rest {
        in_call,
        splitter: Splitter::new(most),
        compression,
        most,
        next: None,
        data_ended: false,
        counted: None,
    };
    let Some(first) = poll_fn(|cx| rest.poll_message(cx)).await? else {
        let (status, attachments) = rest.end().await?;
        return match status.code {
            0 => Err(bad("status 0 without a message")),
            _ => Ok(Answer::whole(thrown(status, attachments))),
        };
    };
    if !call.may_stream {
        if poll_fn(|cx| rest.poll_message(cx)).await?.is_some() {
            return Err(bad("the reply has more than one message"));
        }
        return finish(call, rest, first, &head.headers).await;
    }
    // A unary reply is usually here in full; of a stream the first message is handed on before the next one comes.
    match poll_fn(|cx| Poll::Ready(rest.poll_message(cx))).await {
        Poll::Ready(Ok(None)) => return finish(call, rest, first, &head.headers).await,
        Poll::Ready(Ok(next)) => rest.next = next,
        Poll::Ready(Err(error)) => return Err(error),
        Poll::Pending => {}
    }
    let reply = Reply {
        outcome: Outcome::Result(Payload::new(call.arguments.encoding, first)),
        attachments: Attachments::new(),
    };
    Ok(Answer {
        reply,
        rest: Some(Box::new(rest)),
    })
}

/// The reply of a call whose one message and end have come.
async fn finish(
    call: &Outgoing<'_>,
    mut rest: Rest,
    message: Bytes,
    head: &HeaderMap,
) -> Result<Answer, CallError> {
    let (status, attachments) = rest.end().await?;
    if status.code != 0 {
        return Ok(Answer::whole(thrown(status, attachments)));
    }
    let encoding = call.arguments.encoding;
    let threw = head
        .get(EXCEPTION_CODE)
        .is_some_and(|code| code.as_bytes() != b"0");
    let outcome = if threw && encoding == Encoding::Wrapper {
        let throwable = plan::throwable_of_wrapper(&message)
            .map_err(|error| CallError::sent(Kind::BadReply).because(error))?;
        Outcome::Exception(Exception::Throwable(throwable))
    } else {
        Outcome::Result(Payload::new(encoding, message))
    };
    Ok(Answer::whole(Reply { outcome, attachments }))
}

fn thrown(status: Status, attachments: Attachments) -> Reply {
    Reply {
        outcome: Outcome::Exception(Exception::Status(status)),
        attachments,
    }
}

fn bad(why: &'static str) -> CallError {
    CallError::sent(Kind::BadReply).because(why)
}

fn broken(error: MessageError) -> CallError {
    CallError::sent(Kind::BadReply).because(error)
}
