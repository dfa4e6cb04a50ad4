//! Attachments between the two wires.
//!
//! Attachments stay as they were received until they leave: those of a Dubbo2 body go out as headers, headers go into a
//! Dubbo2 body as a Hessian map. Between equal wires they pass as they are.

use std::borrow::Cow;

use codecs::Attachments;
use codecs::hessian2::{DecodeError, Limits, Scratch, Writer as HessianWriter};
use codecs::triple::headers::attachments::AttachmentValue as HeaderValueOf;
use codecs::triple::headers::{self, CONSUMER_APPNAME, NonAscii, TooLarge, write_all};
use http::{HeaderMap, HeaderName, HeaderValue};

/// What a Dubbo2 peer calls the caller's application.
const REMOTE_APPLICATION: &str = "remote.application";

/// Writes attachments as headers, or trailers. What no header carries is left out.
///
/// # Errors
/// When the whole block would be heavier than a Java peer takes.
pub(crate) fn to_headers(attachments: &Attachments, headers: &mut HeaderMap) -> Result<(), TooLarge> {
    let application = attachments
        .get_text(REMOTE_APPLICATION)
        .or_else(|| attachments.get_text(CONSUMER_APPNAME))
        .and_then(|name| HeaderValue::from_str(&name).ok());
    if let Some(application) = application {
        headers.insert(HeaderName::from_static(CONSUMER_APPNAME), application);
    }
    write_all(attachments, headers, NonAscii::default()).map(|_| ())
}

/// The attachments as a Dubbo2 peer takes them: those that came as headers as a map, without the names that only HTTP
/// needs.
///
/// # Errors
/// When the map cannot be read again: a bug.
pub(crate) fn to_dubbo2<'a>(
    attachments: &'a Attachments,
    scratch: &mut Scratch,
) -> Result<Cow<'a, Attachments>, DecodeError> {
    let Some(headers) = attachments.headers() else {
        return Ok(Cow::Borrowed(attachments));
    };
    let mut map = Vec::with_capacity(128);
    let mut writer = HessianWriter::new(&mut map);
    writer.begin_map(None);
    headers::read(headers, |name, value| match value {
        HeaderValueOf::Bytes(bytes) => {
            writer.string(name);
            writer.binary(&bytes);
        }
        // Removed or replaced on the way.
        HeaderValueOf::Text(_) if attachments.is_changed_name(name) => {}
        HeaderValueOf::Text(text) => {
            writer.string(name);
            writer.string(&text);
        }
    });
    writer.end();
    let mut converted = Attachments::from_hessian(map.into(), scratch, &Limits::DEFAULT)?;
    for (name, value) in attachments.changed() {
        converted.set(name, value);
    }
    if let Some(application) = headers.get(CONSUMER_APPNAME) {
        converted.set(
            REMOTE_APPLICATION,
            &*String::from_utf8_lossy(application.as_bytes()),
        );
    }
    Ok(Cow::Owned(converted))
}

#[cfg(test)]
mod tests {
    use codecs::attachments::AttachmentValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn headers_become_a_map_and_changes_count() {
        let received = headers(&[
            ("traceparent", "00-1"),
            ("blob-bin", "AP8"),
            ("te", "trailers"),
            ("grpc-timeout", "1S"),
            ("gone", "x"),
            ("replaced", "old"),
            ("tri-consumer-appname", "shop"),
        ]);
        let mut attachments = Attachments::from_headers(received);
        attachments.set("landbridge-hop", "a|b|c|1");
        attachments.set("replaced", "new");
        attachments.remove("gone");
        let map = to_dubbo2(&attachments, &mut Scratch::new()).unwrap();
        let mut names: Vec<String> = map.iter().map(|(name, _)| name.into_owned()).collect();
        names.sort();
        assert_eq!(
            names,
            [
                "blob",
                "landbridge-hop",
                "remote.application",
                "replaced",
                "traceparent"
            ]
        );
        assert_eq!(map.get_text("replaced").unwrap(), "new");
        assert_eq!(map.get_text("remote.application").unwrap(), "shop");
        assert!(matches!(map.get("blob"), Some(AttachmentValue::Other(Some(_)))));
        // And back.
        let mut back = HeaderMap::new();
        to_headers(&map, &mut back).unwrap();
        assert_eq!(back["blob-bin"], "AP8");
        assert_eq!(back["tri-consumer-appname"], "shop");
    }

    #[test]
    fn headers_pass_to_headers_as_they_are() {
        let received = headers(&[
            ("blob-bin", "AP8"),
            ("x", "1"),
            ("grpc-status-details-bin", "AA"),
            ("te", "trailers"),
        ]);
        let mut sent = HeaderMap::new();
        to_headers(&Attachments::from_headers(received), &mut sent).unwrap();
        assert_eq!(sent, headers(&[("x", "1"), ("blob-bin", "AP8")]));
        // Netty ends the connection above its limit, and every call on it.
        let mut large = HeaderMap::new();
        large.insert("blob-bin", HeaderValue::from_str(&"A".repeat(31 << 10)).unwrap());
        assert!(to_headers(&Attachments::from_headers(large), &mut HeaderMap::new()).is_err());
    }
}
