//! The head of a request: path, headers, deadline, attachments (gRPC's `PROTOCOL-HTTP2.md`).

use codecs::Encoding;
use codecs::triple::headers::{CONTENT_TYPE, SERVICE_GROUP, SERVICE_VERSION, format_timeout};
use codecs::triple::message::ACCEPT_ENCODING;
use http::header::{CONTENT_TYPE as CONTENT_TYPE_NAME, HeaderMap, HeaderName, HeaderValue, TE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Uri, Version};
use tokio::time::Instant;

use super::Connection;
use crate::crossing;
use crate::error::{CallError, Kind, Limit};
use crate::upstream::Outgoing;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// dubbo-go's wrapped services tell the codec by the content type; this one works with all of its releases.
const HESSIAN2_TYPE: &str = "application/grpc+hessian2";

pub(super) fn head(link: &Connection, call: &Outgoing<'_>) -> Result<Request<()>, CallError> {
    let bad = |error: http::Error| CallError::downstream(Kind::BadRequest).because(error);
    let path = PathAndQuery::try_from(call.path).map_err(|error| bad(error.into()))?;
    let authority = match call.authority {
        Some(authority) => Authority::try_from(authority).map_err(|error| bad(error.into()))?,
        None => link.authority.clone(),
    };
    let uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(authority)
        .path_and_query(path)
        .build()
        .map_err(bad)?;
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers(link, call)?;
    Ok(request)
}

fn headers(link: &Connection, call: &Outgoing<'_>) -> Result<HeaderMap, CallError> {
    let mut headers = HeaderMap::with_capacity(16);
    let go_wrapper =
        call.arguments.encoding == Encoding::Wrapper && call.release.starts_with("dubbo-golang-");
    let content_type = if go_wrapper { HESSIAN2_TYPE } else { CONTENT_TYPE };
    headers.insert(CONTENT_TYPE_NAME, HeaderValue::from_static(content_type));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(ACCEPT_ENCODING));
    if let Some(deadline) = call.deadline {
        let left = format_timeout(deadline.saturating_duration_since(Instant::now()));
        headers.extend(HeaderValue::try_from(left).ok().map(|left| (GRPC_TIMEOUT, left)));
    }
    // The first message was inflated; those that follow pass as they are.
    if call.streams
        && let Some(encoding) = call
            .attachments
            .headers()
            .and_then(|headers| headers.get(GRPC_ENCODING))
    {
        headers.insert(GRPC_ENCODING, encoding.clone());
    }
    let named = [
        (SERVICE_VERSION, call.service.version()),
        (SERVICE_GROUP, call.service.group()),
    ];
    for (name, value) in named {
        // What is no header value names no service that the peer could have.
        if !matches!(value, "" | "0.0.0" | "*")
            && let Ok(value) = HeaderValue::from_str(value)
        {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    crossing::to_headers(call.attachments, &mut headers).map_err(|error| {
        link.worker.shard.count_limit(Limit::Headers);
        CallError::downstream(Kind::BadRequest).because(error)
    })?;
    Ok(headers)
}
