//! The answer, always in a shape that no client hangs on: `:status 200`, a gRPC content type,
//! and trailers with a code of 0 to 16.

use std::future::poll_fn;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use codecs::triple::headers::EXCEPTION_CODE;
use codecs::triple::message::{self, ACCEPT_ENCODING};
use codecs::triple::status::{GRPC_STATUS, Status};
use codecs::triple::wrapper;
use codecs::{Attachments, Exception, Outcome};
use h2::SendStream;
use h2::server::SendResponse;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use tokio::time::Instant;

use super::request::Asked;
use crate::crossing;
use crate::error::CallError;
use crate::status;
use crate::upstream::{Answer, Rest};

/// The code that goes with a Throwable: what 3.3.6 writes for business exceptions.
const BUSINESS: &str = "3";

/// Answers a request that is not gRPC.
pub(super) fn not_grpc(respond: &mut SendResponse<Bytes>) {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
        .headers_mut()
        .insert("accept-post", HeaderValue::from_static("application/grpc"));
    // A caller that has left needs no answer, here and below.
    if let Ok(mut stream) = respond.send_response(response, false) {
        let _ = stream.send_data(Bytes::from_static(b"this port speaks gRPC and Triple\n"), true);
    }
}

/// Answers a call that has no reply.
pub(super) fn error(respond: &mut SendResponse<Bytes>, asked: &Asked, error: &CallError) {
    plain(
        respond,
        asked.content_type,
        &status::to_triple(error),
        &Attachments::new(),
    );
}

/// Answers with a status alone.
pub(super) fn plain(
    respond: &mut SendResponse<Bytes>,
    content_type: &'static str,
    status: &Status,
    attachments: &Attachments,
) {
    let mut response = head(content_type);
    let headers = response.headers_mut();
    headers.extend(trailers(status, attachments));
    let _ = respond.send_response(response, true);
}

fn head(content_type: &'static str) -> Response<()> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static(ACCEPT_ENCODING));
    response
}

fn trailers(status: &Status, attachments: &Attachments) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(8);
    // More than a peer takes: the answer is worth more than its attachments.
    if crossing::to_headers(attachments, &mut trailers).is_err() {
        trailers.clear();
    }
    status.write(&mut trailers);
    trailers
}

fn success(attachments: &Attachments) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(4);
    if crossing::to_headers(attachments, &mut trailers).is_err() {
        trailers.clear();
    }
    trailers.insert(
        HeaderName::from_static(GRPC_STATUS),
        HeaderValue::from_static("0"),
    );
    trailers
}

/// Answers a call with its reply.
pub(super) async fn write(mut respond: SendResponse<Bytes>, asked: &Asked, answer: Answer) {
    let attachments = &answer.reply.attachments;
    let (message, code) = match answer.reply.outcome {
        Outcome::Result(payload) => (payload.bytes, None),
        Outcome::Exception(Exception::Status(status)) => {
            return plain(&mut respond, asked.content_type, &status.folded(), attachments);
        }
        Outcome::Exception(Exception::Throwable(throwable)) => {
            let mut wrapped = BytesMut::with_capacity(throwable.len() + 64);
            wrapper::encode_response(wrapper::HESSIAN4, &throwable, "java.lang.Throwable", &mut wrapped);
            (wrapped.freeze(), Some(BUSINESS))
        }
    };
    let mut response = head(asked.content_type);
    if let Some(code) = code {
        response
            .headers_mut()
            .insert(EXCEPTION_CODE, HeaderValue::from_static(code));
    }
    let Ok(mut stream) = respond.send_response(response, false) else {
        return;
    };
    let Some(framed) = framed(&message) else { return };
    if stream.send_data(framed, false).is_err() {
        return;
    }
    match answer.rest {
        None => {
            let _ = stream.send_trailers(success(attachments));
        }
        Some(rest) => relay(stream, *rest, asked.deadline).await,
    }
}

fn framed(message: &[u8]) -> Option<Bytes> {
    let mut framed = BytesMut::with_capacity(message.len() + message::PREFIX);
    message::join(message, &mut framed).ok()?;
    Some(framed.freeze())
}

/// Passes on the rest of a stream, message by message, as far as the caller's window allows.
async fn relay(mut stream: SendStream<Bytes>, mut rest: Rest, deadline: Option<Instant>) {
    loop {
        let next = poll_fn(|cx| {
            if stream.poll_reset(cx).is_ready() {
                return Poll::Ready(None);
            }
            rest.poll_message(cx).map(Some)
        })
        .await;
        let ended = match next {
            // The caller has left: dropping the rest resets the stream upstream.
            None => return,
            Some(Ok(Some(message))) => {
                let Some(framed) = framed(&message) else { return };
                if !send(&mut stream, framed).await {
                    return;
                }
                continue;
            }
            Some(Ok(None)) => rest.end().await,
            Some(Err(error)) => Err(error),
        };
        let trailers = match ended {
            Ok((status, attachments)) if status.code == 0 => success(&attachments),
            Ok((status, attachments)) => trailers(&status.folded(), &attachments),
            Err(error) => {
                let error = match deadline {
                    Some(deadline) => error.or_late(deadline),
                    None => error,
                };
                trailers(&status::to_triple(&error), &Attachments::new())
            }
        };
        let _ = stream.send_trailers(trailers);
        return;
    }
}

/// Sends bytes as the window opens; `false` when the caller has left.
async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes) -> bool {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let room = poll_fn(|cx| {
            if stream.poll_reset(cx).is_ready() {
                return Poll::Ready(None);
            }
            stream.poll_capacity(cx)
        })
        .await;
        let Some(Ok(room)) = room else { return false };
        let part = bytes.split_to(room.min(bytes.len()));
        if stream.send_data(part, false).is_err() {
            return false;
        }
    }
    true
}
