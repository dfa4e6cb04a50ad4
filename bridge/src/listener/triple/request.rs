//! A request: its head, its first message, and the invocation made of them.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use codecs::invocation::Text;
use codecs::triple::headers::{
    self, Caller as Generation, ContentType, SERVICE_GROUP, SERVICE_TIMEOUT, SERVICE_VERSION, parse_timeout,
};
use codecs::triple::message::{Compression, Message, MessageError, Splitter};
use codecs::triple::wrapper;
use codecs::{Attachments, Encoding, Invocation, Payload, plan};
use h2::RecvStream;
use http::HeaderMap;
use http::request::Parts;
use tokio::time::Instant;

use crate::call::{Call, Caller, Target};
use crate::error::{CallError, Kind, Limit};
use crate::status::code;
use crate::upstream::More;
use crate::worker::Worker;

/// What the head of a request asks of its answer.
pub(super) struct Asked {
    /// The content type of the answer.
    pub(super) content_type: &'static str,
    /// Who reads the answer.
    pub(super) generation: Generation,
    /// The caller reads a Throwable with `tri-exception-code`.
    pub(super) reads_throwables: bool,
    /// When the caller gives up, if it said so.
    pub(super) deadline: Option<Instant>,
}

/// Whether a request is gRPC at all, as far as its head says.
pub(super) fn is_grpc(head: &Parts) -> bool {
    let content_type = head.headers.get(http::header::CONTENT_TYPE);
    head.method == http::Method::POST
        && content_type.is_some_and(|value| ContentType::is_grpc(value.as_bytes()))
}

fn content_type(headers: &HeaderMap) -> Option<ContentType> {
    ContentType::parse(headers.get(http::header::CONTENT_TYPE)?.as_bytes())
}

impl Asked {
    pub(super) fn of(head: &Parts) -> Self {
        let generation = Generation::of(&head.headers);
        let content_type = content_type(&head.headers).unwrap_or(ContentType::Proto);
        Self {
            content_type: match generation {
                Generation::Go | Generation::GoOld => content_type.answer(),
                Generation::Java | Generation::Grpc => headers::CONTENT_TYPE,
            },
            generation,
            reads_throwables: generation == Generation::Java && counts_microseconds(&head.headers),
            deadline: timeout(&head.headers).and_then(|timeout| Instant::now().checked_add(timeout)),
        }
    }
}

/// Java before 3.3 writes `grpc-timeout` in milliseconds, 3.3.6 in microseconds: the only mark of a release that is known
/// to read `tri-exception-code` (seen in captures of 3.3.6; no version travels on this wire).
fn counts_microseconds(headers: &HeaderMap) -> bool {
    headers
        .get("grpc-timeout")
        .is_some_and(|value| value.as_bytes().ends_with(b"u"))
}

/// Reads the first message and makes the call.
pub(super) async fn read(
    worker: &Rc<Worker>,
    caller: &Caller,
    head: Parts,
    body: RecvStream,
    asked: &Asked,
    received: Instant,
) -> Result<Call, CallError> {
    let bad = |why: &'static str| CallError::downstream(Kind::BadRequest).because(why);
    if content_type(&head.headers).is_none() {
        let why = "only protobuf and Hessian 2 messages are read";
        return Err(CallError::downstream(Kind::Unsupported).because(why));
    }
    let (service, method) =
        headers::split_path(head.uri.path()).ok_or_else(|| bad("the path is not /service/method"))?;
    let timeout = timeout(&head.headers);
    let compression = match head.headers.get("grpc-encoding") {
        Some(name) => {
            Compression::parse(&String::from_utf8_lossy(name.as_bytes())).map_err(|e| refused(worker, e))?
        }
        None => Compression::Identity,
    };
    let settings = worker.shared.settings.load_full();
    let most = settings.limits.message;
    let patience = timeout.unwrap_or(settings.timeouts.stalled);
    let (message, more) = tokio::time::timeout_at(received + patience, first_message(worker, body, most))
        .await
        .map_err(|_| CallError::downstream(Kind::Timeout))??;
    let message = message
        .inflate(compression, most)
        .map_err(|error| refused(worker, error))?;
    let named = |name: &str| {
        let value = head
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if matches!(value, "0.0.0" | "*") { "" } else { value }
    };
    let (group, version) = (named(SERVICE_GROUP), named(SERVICE_VERSION));
    let cache = &worker.cache;
    let mut known = cache.service(worker, caller.island(), service, group, version);
    let bare = headers::without_context_path(service);
    if known.service.is_none() && bare != service {
        known = cache.service(worker, caller.island(), bare, group, version);
    }
    let wrapped = serialization(&message).filter(|_| !known.is_proto_name());
    let encoding = match wrapped {
        Some(_) => Encoding::Wrapper,
        None => Encoding::Protobuf,
    };
    let descriptor = match encoding {
        Encoding::Wrapper => plan::descriptor_of_wrapper(&message)
            .map_err(|error| CallError::downstream(Kind::BadRequest).because(error))?
            .map(Text::from),
        _ => None,
    };
    let target = Target {
        encoding,
        generation: asked.generation,
        serialize_type: wrapped.unwrap_or(Text::from_static(wrapper::HESSIAN4)),
        throwables: asked.reads_throwables,
    };
    Ok(Call {
        invocation: Invocation {
            service: known.key.clone(),
            method: Text::from(method),
            descriptor,
            arguments: Payload::new(encoding, message),
            attachments: Attachments::from_headers(head.headers),
            timeout,
            one_way: false,
        },
        known,
        received,
        target,
        more: Cell::new(more),
    })
}

/// The time that the caller gives (gRPC's `PROTOCOL-HTTP2.md`).
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let millis = |name: &str| {
        let millis: u64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
        (millis > 0).then(|| Duration::from_millis(millis.min(86_400_000)))
    };
    let of_grpc = headers
        .get("grpc-timeout")
        .and_then(|value| parse_timeout(value.as_bytes()));
    of_grpc
        .or_else(|| millis("timeout"))
        .or_else(|| millis(SERVICE_TIMEOUT))
}

/// The name of the serialization when a message looks like a request wrapper: its first field is
/// the name of one. All writers put that field first.
fn serialization(message: &Bytes) -> Option<Text> {
    let [0x0a, len, rest @ ..] = &message[..] else {
        return None;
    };
    let name = std::str::from_utf8(rest.get(..usize::from(*len))?).ok()?;
    wrapper::is_serialization_name(name).then(|| Text::from(name))
}

/// The first message, and the rest where the request does not end with it.
async fn first_message(
    worker: &Worker,
    mut body: RecvStream,
    most: usize,
) -> Result<(Message, Option<More>), CallError> {
    let mut splitter = Splitter::new(most);
    let message = loop {
        if let Some(message) = splitter.next_message().map_err(|error| refused(worker, error))? {
            break message;
        }
        match next_chunk(&mut body).await? {
            Some(chunk) => splitter.push(chunk),
            None => {
                splitter.finish().map_err(|error| refused(worker, error))?;
                return Err(CallError::downstream(Kind::BadRequest).because("the request has no message"));
            }
        }
    };
    // Java ends a request with an empty frame of its own, which is usually here already.
    while !body.is_end_stream() {
        match poll_fn(|cx| Poll::Ready(body.poll_data(cx))).await {
            Poll::Ready(None) => break,
            Poll::Ready(Some(Ok(chunk))) if chunk.is_empty() => {}
            Poll::Ready(Some(Ok(chunk))) => {
                let _ = body.flow_control().release_capacity(chunk.len());
                splitter.push(chunk);
                return Ok((message, Some(More::new(body, splitter))));
            }
            Poll::Ready(Some(Err(error))) => {
                return Err(CallError::downstream(Kind::Cancelled).because(error));
            }
            Poll::Pending => return Ok((message, Some(More::new(body, splitter)))),
        }
    }
    match splitter.finish() {
        Ok(()) => Ok((message, None)),
        // Bytes behind the message: another one, or a part of it.
        Err(_) => Ok((message, Some(More::new(body, splitter)))),
    }
}

async fn next_chunk(body: &mut RecvStream) -> Result<Option<Bytes>, CallError> {
    match poll_fn(|cx| body.poll_data(cx)).await {
        None => Ok(None),
        Some(Ok(chunk)) => {
            // An error is one of the stream, and comes with the next chunk.
            let _ = body.flow_control().release_capacity(chunk.len());
            Ok(Some(chunk))
        }
        Some(Err(error)) => Err(CallError::downstream(Kind::Cancelled).because(error)),
    }
}

fn refused(worker: &Worker, error: MessageError) -> CallError {
    let kind = match &error {
        MessageError::TooLarge { .. } => {
            worker.shard.count_limit(Limit::Message);
            Kind::Aborted(code::RESOURCE_EXHAUSTED)
        }
        MessageError::UnknownEncoding(_) => Kind::Unsupported,
        _ => Kind::BadRequest,
    };
    CallError::downstream(kind).because(error)
}
