//! `grpc.health.v1.Health`: answered by the gateway itself, for the services it can route.
//!
//! dubbo-go 3.3.2 keeps a `Watch` open for each provider and stops using it when it says NOT_SERVING; it must never be
//! left without an answer (`spec/triple.md` 2.5, 11).

use bytes::{Bytes, BytesMut};
use codecs::ServiceKey;
use codecs::triple::message;
use codecs::triple::status::{Code, Status};
use h2::SendStream;
use h2::server::SendResponse;
use http::Response;
use http::header::{HeaderMap, HeaderValue};

use super::reply;
use super::request::Asked;
use crate::error::{CallError, Kind};
use crate::worker::Worker;

/// The service's name.
pub(super) const SERVICE: &str = "grpc.health.v1.Health";

/// `HealthCheckResponse.ServingStatus`.
const SERVING: u8 = 1;
const NOT_SERVING: u8 = 2;
const SERVICE_UNKNOWN: u8 = 3;

/// Answers `Check` at once, and `Watch` until the drain, or until the caller leaves.
pub(super) async fn answer(worker: &Worker, asked: &Asked, message: &[u8], mut respond: SendResponse<Bytes>) {
    let Some(service) = service(message) else {
        let error = CallError::downstream(Kind::BadRequest).because("not a HealthCheckRequest");
        return reply::error(&error, asked, &mut respond);
    };
    let known = service.is_empty() || is_known(worker, service);
    match (&*asked.method, known) {
        ("Check", false) => {
            let Ok(mut stream) = respond.send_response(head(asked), false) else {
                return;
            };
            end(&mut stream, &Status::new(Code::NotFound, "unknown service"));
        }
        ("Check", true) => {
            let state = if worker.tasks.is_draining() {
                NOT_SERVING
            } else {
                SERVING
            };
            let Ok(mut stream) = respond.send_response(head(asked), false) else {
                return;
            };
            if stream.send_data(state_message(state), false).is_ok() {
                end(&mut stream, &reply::ok());
            }
        }
        ("Watch", known) => {
            let Ok(mut stream) = respond.send_response(head(asked), false) else {
                return;
            };
            let state = if known { SERVING } else { SERVICE_UNKNOWN };
            if stream.send_data(state_message(state), false).is_err() {
                return;
            }
            tokio::select! {
                () = worker.tasks.draining().cancelled() => {
                    if stream.send_data(state_message(NOT_SERVING), false).is_ok() {
                        end(&mut stream, &Status::new(Code::Unavailable, "the gateway is stopping"));
                    }
                }
                _ = std::future::poll_fn(|cx| respond.poll_reset(cx)) => {}
            }
        }
        _ => {
            let error = CallError::downstream(Kind::UnknownService).because("Health has Check and Watch");
            reply::error(&error, asked, &mut respond);
        }
    }
}

fn head(asked: &Asked) -> Response<()> {
    let mut response = Response::new(());
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static(asked.content_type.answer()),
    );
    response
}

fn end(stream: &mut SendStream<Bytes>, status: &Status) {
    let mut trailers = HeaderMap::new();
    status.write(&mut trailers);
    let _ = stream.send_trailers(trailers);
}

/// `HealthCheckResponse{status}` with its prefix.
fn state_message(state: u8) -> Bytes {
    let mut framed = BytesMut::new();
    // Two bytes always fit.
    let _ = message::join(&[0x08, state], &mut framed);
    framed.freeze()
}

/// The name in a `HealthCheckRequest`; empty for the whole server.
fn service(message: &[u8]) -> Option<&str> {
    match message {
        [] => Some(""),
        [0x0a, length, rest @ ..] if usize::from(*length) == rest.len() => std::str::from_utf8(rest).ok(),
        _ => None,
    }
}

/// Names are interfaces, protobuf services, or whole service keys.
fn is_known(worker: &Worker, name: &str) -> bool {
    let directory = worker.shared.directory.load();
    let by_key = name
        .parse::<ServiceKey>()
        .is_ok_and(|key| directory.service(&key).is_some());
    by_key || directory.names.get(name).is_some()
}
