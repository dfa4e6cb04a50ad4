//! The head of a request: path, deadline, service group and version, attachments as headers (`spec/triple.md` 5.1, 7).

use std::sync::atomic::{AtomicU64, Ordering};

use codecs::Encoding;
use codecs::attachments::AttachmentValue;
use codecs::triple::headers::{self, NonAscii};
use codecs::triple::message::ACCEPT_ENCODING;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri, Version};
use registries::directory::Endpoint;
use tokio::time::Instant;

use crate::error::{CallError, Kind, Limit};
use crate::upstream::Outgoing;

/// Attachments that could not become headers, all workers together.
pub(crate) static DROPPED: AtomicU64 = AtomicU64::new(0);

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const VERSION: HeaderName = HeaderName::from_static(headers::SERVICE_VERSION);
const GROUP: HeaderName = HeaderName::from_static(headers::SERVICE_GROUP);
const APPNAME: HeaderName = HeaderName::from_static(headers::CONSUMER_APPNAME);
const CONVERT: HeaderName = HeaderName::from_static(headers::HEADER_CONVERT);

/// A version that means "none" in a Dubbo2 body and must never reach Triple (`spec/triple.md` 3).
const FILLER_VERSION: &str = "0.0.0";

/// The request of a call.
pub(super) fn request(
    endpoint: &Endpoint,
    call: &Outgoing<'_>,
    most_headers: usize,
) -> Result<Request<()>, CallError> {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri(endpoint, call)?;
    let map = request.headers_mut();
    map.reserve(12);
    map.insert(
        http::header::CONTENT_TYPE,
        content_type(endpoint, call.arguments.encoding),
    );
    map.insert(http::header::TE, HeaderValue::from_static("trailers"));
    map.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(ACCEPT_ENCODING));
    let left = call.deadline.saturating_duration_since(Instant::now());
    if let Ok(value) = HeaderValue::try_from(headers::format_timeout(left)) {
        map.insert(GRPC_TIMEOUT, value);
    }
    put(
        map,
        VERSION,
        Some(call.service.version()).filter(|version| *version != FILLER_VERSION),
    );
    put(map, GROUP, Some(call.service.group()));
    attachments(map, call)?;
    let weight = headers::attachments::weight(map);
    if weight > most_headers {
        return Err(CallError::downstream(Kind::Overloaded(Limit::Headers)));
    }
    Ok(request)
}

fn uri(endpoint: &Endpoint, call: &Outgoing<'_>) -> Result<Uri, CallError> {
    let (service, method) = call.path;
    let mut path = String::with_capacity(service.len() + method.len() + 2);
    path.push('/');
    path.push_str(service);
    path.push('/');
    path.push_str(method);
    let uri = Uri::builder().scheme("http").path_and_query(path);
    let uri = match call.authority {
        Some(authority) => uri.authority(authority),
        None => uri.authority(endpoint.address.to_string()),
    };
    uri.build()
        .map_err(|error| CallError::downstream(Kind::BadRequest).because(error))
}

/// dubbo-go's providers without IDL before 3.3.2 take the wrapper only under this name (`spec/triple.md` 4).
fn content_type(endpoint: &Endpoint, encoding: Encoding) -> HeaderValue {
    HeaderValue::from_static(
        if encoding == Encoding::Wrapper && endpoint.peer.release.starts_with("dubbo-golang-") {
            "application/grpc+hessian2"
        } else {
            headers::CONTENT_TYPE
        },
    )
}

fn put(map: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty())
        && let Ok(value) = HeaderValue::from_str(value)
    {
        map.insert(name, value);
    }
}

/// Attachments that came as headers are handed on as they are; those of a Dubbo2 body by the rules of section 7.
fn attachments(map: &mut HeaderMap, call: &Outgoing<'_>) -> Result<(), CallError> {
    let attachments = call.attachments;
    if let Some(received) = attachments.headers() {
        for (name, value) in received {
            if !headers::is_reserved(name.as_str()) && !attachments.is_changed_name(name.as_str()) {
                map.append(name.clone(), value.clone());
            }
        }
        for name in [APPNAME, CONVERT] {
            if let Some(value) = received.get(&name) {
                map.insert(name, value.clone());
            }
        }
    } else {
        put(
            map,
            APPNAME,
            attachments
                .get_text("remote.application")
                .or_else(|| attachments.get_text("application"))
                .as_deref(),
        );
    }
    let from_headers = attachments.headers().is_some();
    let mut writer = headers::Writer::new(map, NonAscii::Percent);
    let mut put = |name: &str, value: &AttachmentValue<'_>| match value {
        AttachmentValue::Other(Some(_)) | AttachmentValue::Other(None) => {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        value => {
            if let Some(text) = value.to_text() {
                writer.put(name, &headers::AttachmentValue::Text(text));
            }
        }
    };
    if from_headers {
        for (name, value) in attachments.changed() {
            put(name, &AttachmentValue::Text(value.into()));
        }
    } else {
        for (name, value) in attachments.iter() {
            put(&name, &value);
        }
    }
    let dropped = writer
        .finish()
        .map_err(|error| CallError::downstream(Kind::Overloaded(Limit::Headers)).because(error))?;
    DROPPED.fetch_add(u64::try_from(dropped).unwrap_or(u64::MAX), Ordering::Relaxed);
    Ok(())
}
