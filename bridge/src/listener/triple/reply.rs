//! A reply or an error as HEADERS, DATA and trailers (`spec/triple.md` 5.2, 8).

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use codecs::hessian2::{Limits, throwable};
use codecs::triple::headers::{self, Caller as Peer, NonAscii};
use codecs::triple::message;
use codecs::triple::status::{Code, Status, codes, details};
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
            let status = of_throwable(&thrown, worker);
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

/// What a caller that takes no thrown objects gets for one (`spec/hessian-protobuf-mapping.md` 8).
fn of_throwable(thrown: &[u8], worker: &Worker) -> Status {
    let scratch = &mut worker.scratch.borrow_mut();
    let chain = throwable::read(thrown, scratch, &Limits::DEFAULT);
    let Some(first) = chain.ok().and_then(|chain| chain.into_iter().next()) else {
        return Status::new(
            Code::Unknown,
            "the provider threw an exception that cannot be read",
        );
    };
    let class: &str = match first.exception_class.as_deref().filter(|_| first.is_generic()) {
        Some(class) => class,
        None => &first.class,
    };
    let message = match first.exception_message.as_deref().filter(|_| first.is_generic()) {
        Some(message) => message,
        None => first.message.as_deref().unwrap_or(class),
    };
    let code = code_of(class, first.code);
    let (package, simple) = class.rsplit_once('.').unwrap_or(("", class));
    let built = details::Builder::new(code.number(), message).error_info(
        &upper_snake(simple),
        &format!("java/{package}"),
        [("java.class", class)],
    );
    Status {
        code: code.number(),
        message: message.to_owned(),
        details: built.build(),
    }
}

/// The gRPC code of a Java class (`spec/hessian-protobuf-mapping.md` 8, rule 2).
fn code_of(class: &str, rpc_code: Option<i32>) -> Code {
    let simple = class.rsplit('.').next().unwrap_or(class);
    match simple {
        "RpcException" => rpc_code.map_or(Code::Unknown, |code| codes::from_rpc_exception(code, false)),
        "NumberFormatException" => Code::InvalidArgument,
        "SecurityException" | "AccessDeniedException" => Code::PermissionDenied,
        "UnsupportedOperationException" => Code::Unimplemented,
        "TimeoutException" => Code::DeadlineExceeded,
        _ if simple.starts_with("IllegalArgument") || simple.starts_with("ConstraintViolation") => {
            Code::InvalidArgument
        }
        _ => Code::Unknown,
    }
}

/// `OrderNotFoundException` as `ORDER_NOT_FOUND_EXCEPTION`, at most 63 characters.
fn upper_snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len().saturating_add(8));
    for c in name.chars().filter(|c| c.is_ascii_alphanumeric()) {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_uppercase());
        if snake.len() >= 62 {
            break;
        }
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_codes() {
        assert_eq!(
            code_of("java.lang.IllegalArgumentException", None),
            Code::InvalidArgument
        );
        assert_eq!(
            code_of("java.util.concurrent.TimeoutException", None),
            Code::DeadlineExceeded
        );
        assert_eq!(code_of("com.acme.OutOfStock", None), Code::Unknown);
        assert_eq!(
            code_of("org.apache.dubbo.rpc.RpcException", Some(4)),
            Code::PermissionDenied
        );
    }

    #[test]
    fn reasons_are_upper_snake() {
        assert_eq!(upper_snake("OutOfStock"), "OUT_OF_STOCK");
        assert!(upper_snake(&"Ab".repeat(60)).len() <= 63);
    }
}
