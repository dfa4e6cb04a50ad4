//! A reply or an error as HEADERS, DATA and trailers (`spec/triple.md` 5.2, 8).

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use codecs::hessian2::Limits;
use codecs::plan::exception;
use codecs::triple::headers::{self, Caller as Peer, NonAscii};
use codecs::triple::message;
use codecs::triple::status::{Code, Status};
use codecs::triple::wrapper;
use codecs::{Attachments, Encoding, Exception, Outcome, Reply};
use h2::server::SendResponse;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::request::Asked;
use crate::error::{CallError, Kind};
use crate::status;
use crate::worker::Worker;

const EXCEPTION_CODE: HeaderName = HeaderName::from_static(headers::EXCEPTION_CODE);

/// Java's code for an exception of the application (`RpcException.BIZ_EXCEPTION`).
const BIZ_EXCEPTION: HeaderValue = HeaderValue::from_static("3");

/// Writes a reply. Whoever has left meanwhile gets nothing: errors of the stream are of no interest here.
pub(super) fn reply(reply: Reply, asked: &Asked, worker: &Worker, respond: &mut SendResponse<Bytes>) {
    let Reply { outcome, attachments } = reply;
    match outcome {
        Outcome::Result(payload) => match payload.encoding {
            Encoding::Wrapper | Encoding::Protobuf => {
                let bytes = for_go(&payload.bytes, payload.encoding, asked.peer);
                send(
                    asked,
                    HeaderMap::new(),
                    Some(&bytes),
                    &ok(),
                    &attachments,
                    respond,
                );
            }
            _ => error(&CallError::bridge(Kind::Internal), asked, respond),
        },
        Outcome::Exception(Exception::Status(status)) => {
            send(
                asked,
                HeaderMap::new(),
                None,
                &status.folded(),
                &attachments,
                respond,
            );
        }
        Outcome::Exception(Exception::Throwable(thrown)) if asked.takes_exceptions => {
            let mut bytes = BytesMut::with_capacity(thrown.len().saturating_add(64));
            wrapper::encode_response(wrapper::HESSIAN4, &thrown, "java.lang.Throwable", &mut bytes);
            let mut head = HeaderMap::new();
            head.insert(EXCEPTION_CODE, BIZ_EXCEPTION);
            send(asked, head, Some(&bytes), &ok(), &attachments, respond);
        }
        Outcome::Exception(Exception::Throwable(thrown)) => {
            let scratch = &mut worker.scratch.borrow_mut();
            let status = exception::to_status(&thrown, None, scratch, &Limits::DEFAULT);
            send(asked, HeaderMap::new(), None, &status, &attachments, respond);
        }
    }
}

/// Writes an error of the gateway.
pub(super) fn error(error: &CallError, asked: &Asked, respond: &mut SendResponse<Bytes>) {
    send(
        asked,
        HeaderMap::new(),
        None,
        &status::to_triple(error),
        &Attachments::new(),
        respond,
    );
}

/// Writes an HTTP error with a text, for callers that speak no gRPC.
pub(super) fn text(status: StatusCode, text: &'static str, respond: &mut SendResponse<Bytes>) {
    let mut response = Response::new(());
    *response.status_mut() = status;
    let value = HeaderValue::from_static("text/plain");
    response.headers_mut().insert(http::header::CONTENT_TYPE, value);
    if let Ok(mut stream) = respond.send_response(response, false) {
        let _ = stream.send_data(Bytes::from_static(text.as_bytes()), true);
    }
}

/// The status of a call that went well.
pub(super) fn ok() -> Status {
    Status::new(Code::Ok, "")
}

/// dubbo-go 3.3.2 takes a null result only as an absent field (`spec/triple.md` 6.4).
fn for_go(bytes: &Bytes, encoding: Encoding, peer: Peer) -> Cow<'_, Bytes> {
    if encoding == Encoding::Wrapper
        && peer == Peer::Go
        && let Ok(response) = wrapper::Response::decode(bytes)
        && response.value() == wrapper::NULL
    {
        let mut absent = BytesMut::new();
        wrapper::encode_absent_response(&response.serialize_type, &mut absent);
        return Cow::Owned(absent.freeze());
    }
    Cow::Borrowed(bytes)
}

fn send(
    asked: &Asked,
    extra: HeaderMap,
    message: Option<&[u8]>,
    status: &Status,
    attachments: &Attachments,
    respond: &mut SendResponse<Bytes>,
) {
    let mut response = Response::new(());
    let head = response.headers_mut();
    *head = extra;
    head.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static(asked.content_type.answer()),
    );
    let mut trailers = HeaderMap::with_capacity(4);
    status.write(&mut trailers);
    let mut writer = headers::Writer::new(&mut trailers, NonAscii::Percent);
    for (name, value) in attachments.iter() {
        if let Some(text) = value.to_text() {
            writer.put(&name, &headers::AttachmentValue::Text(text));
        }
    }
    if writer.finish().is_err() {
        // Too many for any peer's limit: the answer counts more than they do.
        trailers.clear();
        status.write(&mut trailers);
    }
    let framed = match message {
        Some(message) => {
            let mut framed = BytesMut::with_capacity(message::PREFIX.saturating_add(message.len()));
            if message::join(message, &mut framed).is_err() {
                return error(&CallError::bridge(Kind::BadReply), asked, respond);
            }
            Some(framed.freeze())
        }
        None => None,
    };
    let Ok(mut stream) = respond.send_response(response, false) else {
        return;
    };
    if let Some(framed) = framed
        && stream.send_data(framed, false).is_err()
    {
        return;
    }
    let _ = stream.send_trailers(trailers);
}
