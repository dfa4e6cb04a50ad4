//! `grpc.health.v1.Health`, answered by the gateway itself (gRPC's `health-checking.md`).
//!
//! A service is serving when the Directory knows it and the gateway is not draining; the empty name asks for the gateway.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use codecs::Attachments;
use codecs::ServiceKey;
use codecs::triple::headers::CONTENT_TYPE;
use codecs::triple::message::{Splitter, join};
use codecs::triple::status::{Code, GRPC_STATUS, Status};
use h2::RecvStream;
use h2::server::SendResponse;
use http::Response;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use registries::directory::Island;

use super::reply;
use crate::worker::Worker;

/// The path of its methods.
pub(super) const PREFIX: &str = "/grpc.health.v1.Health/";

/// How often a watched service is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The most that a health request may hold.
const MOST: usize = 1024;

/// `HealthCheckResponse.ServingStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Serving {
    Yes = 1,
    No = 2,
    Unknown = 3,
}

pub(super) async fn serve(
    worker: &Rc<Worker>,
    head: &Parts,
    body: RecvStream,
    mut respond: SendResponse<Bytes>,
) {
    let refuse = |respond: &mut SendResponse<Bytes>, code, text: &str| {
        reply::plain(
            respond,
            CONTENT_TYPE,
            &Status::new(code, text),
            &Attachments::new(),
        );
    };
    let Some(service) = asked_for(body).await else {
        return refuse(&mut respond, Code::InvalidArgument, "not a HealthCheckRequest");
    };
    match head.uri.path().strip_prefix(PREFIX) {
        Some("Check") => match look(worker, &service) {
            Serving::Unknown => refuse(&mut respond, Code::NotFound, "unknown service"),
            status => {
                if let Ok(mut stream) = respond.send_response(response(), false)
                    && stream.send_data(message(status), false).is_ok()
                {
                    let mut trailers = HeaderMap::with_capacity(1);
                    trailers.insert(
                        HeaderName::from_static(GRPC_STATUS),
                        HeaderValue::from_static("0"),
                    );
                    let _ = stream.send_trailers(trailers);
                }
            }
        },
        Some("Watch") => watch(worker, &service, respond).await,
        _ => refuse(&mut respond, Code::Unimplemented, "no such method"),
    }
}

/// Tells the status at once, and again whenever it changes, until the watcher leaves.
async fn watch(worker: &Rc<Worker>, service: &str, mut respond: SendResponse<Bytes>) {
    let Ok(mut stream) = respond.send_response(response(), false) else {
        return;
    };
    let mut told = None;
    let draining = worker.tasks.draining().clone();
    loop {
        let status = look(worker, service);
        if told != Some(status) {
            told = Some(status);
            if stream.send_data(message(status), false).is_err() {
                return;
            }
        }
        if draining.is_cancelled() {
            // The stream would keep the connection from ending.
            let mut trailers = HeaderMap::new();
            Status::new(Code::Unavailable, "the gateway is stopping").write(&mut trailers);
            let _ = stream.send_trailers(trailers);
            return;
        }
        let wait = async {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = draining.cancelled() => {}
            }
        };
        let mut wait = std::pin::pin!(wait);
        let left = poll_fn(|cx| {
            if stream.poll_reset(cx).is_ready() {
                return Poll::Ready(true);
            }
            wait.as_mut().poll(cx).map(|()| false)
        })
        .await;
        if left {
            return;
        }
    }
}

fn response() -> Response<()> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}

/// `HealthCheckResponse { status }` with the message prefix.
fn message(status: Serving) -> Bytes {
    let mut framed = BytesMut::with_capacity(8);
    // A message of two bytes always fits.
    let _ = join(&[0x08, status as u8], &mut framed);
    framed.freeze()
}

/// The `service` of a `HealthCheckRequest`; `None` when the message is none.
async fn asked_for(mut body: RecvStream) -> Option<String> {
    let mut splitter = Splitter::new(MOST);
    let message = loop {
        if let Some(message) = splitter.next_message().ok()? {
            break message;
        }
        let chunk = body.data().await?.ok()?;
        body.flow_control().release_capacity(chunk.len()).ok()?;
        splitter.push(chunk);
    };
    match &message.bytes[..] {
        [] => Some(String::new()),
        [0x0a, len, name @ ..] if usize::from(*len) == name.len() && *len < 0x80 => {
            String::from_utf8(name.to_vec()).ok()
        }
        // A name of 128 to 1023 bytes has a length of two.
        [0x0a, low, high, name @ ..] if *low >= 0x80 => {
            let len = usize::from(low & 0x7f) | usize::from(*high) << 7;
            (len == name.len()).then(|| String::from_utf8(name.to_vec()).ok())?
        }
        _ => None,
    }
}

fn look(worker: &Worker, service: &str) -> Serving {
    if worker.tasks.is_draining() {
        return Serving::No;
    }
    if service.is_empty() {
        return Serving::Yes;
    }
    // dubbo-go asks for `group/interface:version`, gRPC clients for a name.
    let Ok(key) = service.parse::<ServiceKey>() else {
        return Serving::Unknown;
    };
    let known = worker
        .cache
        .service(worker, Island::Mesh, key.interface(), key.group(), key.version());
    match &known.service {
        None => Serving::Unknown,
        Some(service) if service.has_native(Island::Legacy) || service.has_native(Island::Mesh) => {
            Serving::Yes
        }
        Some(_) => Serving::No,
    }
}
