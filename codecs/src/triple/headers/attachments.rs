//! Attachments as headers, both ways (Dubbo's `StreamUtils`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::HEADER_CONVERT;
use crate::Attachments;
use crate::triple::status::decode_base64;

/// The most that a header list may weigh when we send it: Netty ends the connection a little above 32 KiB.
pub const MOST_HEADER_BYTES: usize = 30 * 1024;

/// The most of a convert map that is read.
const MOST_CONVERT_BYTES: usize = 8 * 1024;

/// What HTTP/2 or gRPC counts for each header beside its name and value.
const HEADER_OVERHEAD: usize = 32;

/// The value of an attachment on its way into or out of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachmentValue<'a> {
    /// Text; numbers and booleans come as their text.
    Text(Cow<'a, str>),
    /// Bytes; the header's name has `-bin` and its value is base64.
    Bytes(Cow<'a, [u8]>),
}

/// What to do with text outside of 0x20 to 0x7E, which no header carries safely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NonAscii {
    /// Percent-encode it as UTF-8; Java sees it encoded.
    #[default]
    Percent,
    /// Send its UTF-8 as `-bin`; Java sees bytes.
    Bin,
    /// Leave the attachment out.
    Drop,
}

/// The headers would weigh more than a Java peer accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("headers weigh {weight} bytes: the limit is {limit}")]
pub struct TooLarge {
    /// The sum of names, values and 32 for each.
    pub weight: usize,
    /// The limit.
    pub limit: usize,
}

/// Whether a header or attachment name (in lower case) never crosses as an attachment, either way.
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(':')
        || name.starts_with("grpc-")
        || name.starts_with("tri-")
        || matches!(
            name,
            "group"
                | "interface"
                | "path"
                | "remote.application"
                | "application"
                | "serialization"
                | "rest-service-version"
                | "rest-service-group"
                | "content-length"
                | "content-type"
                | "te"
                | "connection"
                | "keep-alive"
                | "proxy-connection"
                | "transfer-encoding"
                | "upgrade"
                | "host"
                | "user-agent"
                | "dubbo"
                | "version"
                | "http-status"
                | "accept-encoding"
                | "alt-svc"
                // dubbo-rust sends these as ordinary headers.
                | "method"
                | "scheme"
                | "authority"
        )
}

/// Writes attachments into a header map.
#[derive(Debug)]
pub struct Writer<'h> {
    headers: &'h mut HeaderMap,
    non_ascii: NonAscii,
    converted: BTreeMap<String, String>,
    dropped: usize,
}

impl<'h> Writer<'h> {
    /// A writer into these headers.
    pub fn new(headers: &'h mut HeaderMap, non_ascii: NonAscii) -> Self {
        Self {
            headers,
            non_ascii,
            converted: BTreeMap::new(),
            dropped: 0,
        }
    }

    /// Writes one attachment under its lower-case name; a name that is there already is replaced. Reserved names are
    /// skipped; what no header can carry is dropped and counted.
    pub fn put(&mut self, name: &str, value: &AttachmentValue<'_>) {
        let lower: Cow<'_, str> = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        };
        if is_reserved(&lower) {
            return;
        }
        if self.insert(&lower, value).is_none() {
            self.dropped = self.dropped.saturating_add(1);
        } else if let Cow::Owned(lower) = lower {
            self.converted.insert(lower, name.to_owned());
        }
    }

    fn insert(&mut self, lower: &str, value: &AttachmentValue<'_>) -> Option<()> {
        let (value, binary) = match value {
            AttachmentValue::Bytes(bytes) => (bin_value(bytes)?, true),
            AttachmentValue::Text(text) if text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) => {
                (HeaderValue::from_str(text).ok()?, false)
            }
            AttachmentValue::Text(text) => match self.non_ascii {
                NonAscii::Percent => (percent_value(text)?, false),
                NonAscii::Bin => (bin_value(text.as_bytes())?, true),
                NonAscii::Drop => return None,
            },
        };
        // A text attachment whose name ends in `-bin` would be decoded by every receiver: it has to be encoded.
        let (name, value) = match (binary, lower.ends_with("-bin")) {
            (true, false) => (
                HeaderName::from_bytes(format!("{lower}-bin").as_bytes()).ok()?,
                value,
            ),
            (false, true) => (
                HeaderName::from_bytes(lower.as_bytes()).ok()?,
                bin_value(value.as_bytes())?,
            ),
            _ => (HeaderName::from_bytes(lower.as_bytes()).ok()?, value),
        };
        self.headers.insert(name, value);
        Some(())
    }

    /// Writes the convert map if any name had upper case, and checks the weight of the whole block.
    ///
    /// Gives the number of attachments that were dropped.
    ///
    /// # Errors
    /// When the block is heavier than a Java peer accepts; the call is then refused, because Netty would close the
    /// connection under it.
    pub fn finish(self) -> Result<usize, TooLarge> {
        if !self.converted.is_empty() {
            let json = serde_json::to_string(&self.converted).unwrap_or_default();
            let text = utf8_percent_encode(&json, NON_ALPHANUMERIC).to_string();
            if let Ok(value) = HeaderValue::from_str(&text) {
                self.headers
                    .insert(HeaderName::from_static(HEADER_CONVERT), value);
            }
        }
        let weight = weight(self.headers);
        if weight > MOST_HEADER_BYTES {
            return Err(TooLarge {
                weight,
                limit: MOST_HEADER_BYTES,
            });
        }
        Ok(self.dropped)
    }
}

/// Writes all attachments of a call or reply into a header block: numbers and booleans as Java's text, a date as HTTP writes
/// it, `byte[]` as `-bin`; other objects are dropped and counted, null is skipped. Gives the number dropped.
///
/// Attachments that came as headers are copied as they are, repeated ones and bytes outside of ASCII too, less the reserved
/// ones.
///
/// # Errors
/// As [`Writer::finish`].
pub fn write_all(
    attachments: &Attachments,
    headers: &mut HeaderMap,
    non_ascii: NonAscii,
) -> Result<usize, TooLarge> {
    use crate::attachments::AttachmentValue as Received;
    if let Some(received) = attachments.headers() {
        for name in received.keys() {
            let lower = name.as_str();
            if is_reserved(lower) && lower != HEADER_CONVERT || attachments.is_changed_name(lower) {
                continue;
            }
            headers.remove(name);
            for value in received.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let mut writer = Writer::new(headers, non_ascii);
        for (name, value) in attachments.changed() {
            writer.put(name, &AttachmentValue::Text(Cow::Borrowed(value)));
        }
        return writer.finish();
    }
    let mut writer = Writer::new(headers, non_ascii);
    let mut dropped = 0usize;
    for (name, value) in attachments.iter() {
        match &value {
            Received::Null => {}
            Received::Other(bytes) => match bytes.and_then(header_value) {
                Some(value) => writer.put(&name, &value),
                None => dropped = dropped.saturating_add(1),
            },
            _ => {
                if let Some(text) = value.to_text() {
                    writer.put(&name, &AttachmentValue::Text(text));
                }
            }
        }
    }
    writer.finish().map(|more| more.saturating_add(dropped))
}

/// What a Hessian value is in a header: `byte[]`, or a date as Java 3.3 writes it.
fn header_value(value: &[u8]) -> Option<AttachmentValue<'_>> {
    let mut scratch = crate::hessian2::Scratch::new();
    let limits = crate::hessian2::Limits::DEFAULT;
    match crate::hessian2::Reader::new(value, &mut scratch, &limits).read() {
        Ok(crate::hessian2::Token::Binary(bytes)) => Some(AttachmentValue::Bytes(bytes.to_cow())),
        Ok(crate::hessian2::Token::Date(millis)) => {
            let time = jiff::Timestamp::from_millisecond(millis).ok()?;
            let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time);
            text.ok().map(|text| AttachmentValue::Text(Cow::Owned(text)))
        }
        _ => None,
    }
}

/// What a header block weighs as HTTP/2 counts it.
pub fn weight(headers: &HeaderMap) -> usize {
    headers.iter().fold(0, |sum, (name, value)| {
        sum.saturating_add(name.as_str().len())
            .saturating_add(value.len())
            .saturating_add(HEADER_OVERHEAD)
    })
}

/// All but printable ASCII, and `%` itself.
const OUTSIDE: &AsciiSet = &percent_encoding::CONTROLS.add(b'%');

fn percent_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&utf8_percent_encode(text, OUTSIDE).to_string()).ok()
}

fn bin_value(bytes: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_str(&STANDARD_NO_PAD.encode(bytes)).ok()
}

/// Reads the attachments out of a header block: calls `take` with each name and value, in the block's order.
///
/// Reserved names are left out, `-bin` is decoded, the convert map renames; of a repeated header the last counts, as in
/// Java. A value that is neither UTF-8 nor base64 where it should be is read as Latin-1, or left out.
pub fn read(headers: &HeaderMap, mut take: impl FnMut(&str, AttachmentValue<'_>)) {
    let converted = convert_map(headers);
    for name in headers.keys() {
        let lower = name.as_str();
        if is_reserved(lower) {
            continue;
        }
        let Some(value) = headers.get_all(name).iter().next_back() else {
            continue;
        };
        let original = |key: &str| -> Option<String> {
            let original = converted.get(key)?;
            (original.to_lowercase() == key).then(|| original.clone())
        };
        match lower.strip_suffix("-bin") {
            Some(stem) if !stem.is_empty() => {
                if let Some(bytes) = decode_base64(value.as_bytes()) {
                    let name = original(lower).or_else(|| original(stem));
                    let name = name.as_deref().unwrap_or(stem);
                    take(name, AttachmentValue::Bytes(Cow::Owned(bytes)));
                }
            }
            _ => {
                let name = original(lower);
                take(
                    name.as_deref().unwrap_or(lower),
                    AttachmentValue::Text(header_text(value)),
                );
            }
        }
    }
}

/// A header's value as text: UTF-8, else Latin-1.
pub fn header_text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().map(|&byte| char::from(byte)).collect()),
    }
}

fn convert_map(headers: &HeaderMap) -> BTreeMap<String, String> {
    let Some(value) = headers.get(HEADER_CONVERT) else {
        return BTreeMap::new();
    };
    if value.len() > MOST_CONVERT_BYTES {
        return BTreeMap::new();
    }
    let Ok(text) = value.to_str() else {
        return BTreeMap::new();
    };
    let json = percent_decode_str(text).decode_utf8_lossy();
    serde_json::from_str(&json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(pairs: &[(&str, AttachmentValue<'_>)], non_ascii: NonAscii) -> (HeaderMap, usize) {
        let mut headers = HeaderMap::new();
        let mut writer = Writer::new(&mut headers, non_ascii);
        for (name, value) in pairs {
            writer.put(name, value);
        }
        let dropped = writer.finish().unwrap();
        (headers, dropped)
    }

    fn text(value: &str) -> AttachmentValue<'_> {
        AttachmentValue::Text(Cow::Borrowed(value))
    }

    fn read_all(headers: &HeaderMap) -> Vec<(String, AttachmentValue<'static>)> {
        let mut all = Vec::new();
        read(headers, |name, value| {
            let value = match value {
                AttachmentValue::Text(text) => AttachmentValue::Text(Cow::Owned(text.into_owned())),
                AttachmentValue::Bytes(bytes) => AttachmentValue::Bytes(Cow::Owned(bytes.into_owned())),
            };
            all.push((name.to_owned(), value));
        });
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    #[test]
    fn what_is_written_is_read_again() {
        let pairs = [
            ("Trace-Id", text("a b%2")),
            ("blob", AttachmentValue::Bytes(Cow::Borrowed(&[0, 255][..]))),
            ("timeout", text("300")),
        ];
        let (headers, dropped) = write(&pairs, NonAscii::Percent);
        assert_eq!(dropped, 0);
        assert_eq!(headers["trace-id"], "a b%2");
        assert_eq!(headers["blob-bin"], "AP8");
        let want: Vec<_> = pairs.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        assert_eq!(read_all(&headers), want);
    }

    #[test]
    fn forbidden_names_never_cross() {
        let names = [
            "Connection",
            "content-length",
            "te",
            "grpc-status",
            "tri-unit-info",
            "dubbo",
            "version",
            "path",
            ":path",
            "host",
            "user-agent",
            "interface",
        ];
        let pairs: Vec<_> = names.iter().map(|name| (*name, text("x"))).collect();
        assert!(write(&pairs, NonAscii::Percent).0.is_empty());
        let mut headers = HeaderMap::new();
        for name in names.iter().filter(|name| !name.starts_with(':')) {
            headers.insert(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_static("x"),
            );
        }
        assert_eq!(read_all(&headers), []);
    }

    #[test]
    fn text_outside_ascii_goes_by_policy() {
        let pair = [("user", text("Zoë\n%"))];
        assert_eq!(write(&pair, NonAscii::Percent).0["user"], "Zo%C3%AB%0A%25");
        let (bin, _) = write(&pair, NonAscii::Bin);
        assert_eq!(bin["user-bin"], STANDARD_NO_PAD.encode("Zoë\n%"));
        let (none, dropped) = write(&pair, NonAscii::Drop);
        assert!(none.is_empty());
        assert_eq!(dropped, 1);
    }

    #[test]
    fn names_that_are_no_tokens_are_dropped_and_counted() {
        let (headers, dropped) = write(
            &[("a b", text("1")), ("ключ", text("2")), ("", text("3"))],
            NonAscii::Percent,
        );
        assert!(headers.is_empty());
        assert_eq!(dropped, 3);
    }

    #[test]
    fn a_convert_map_renames_only_what_fits() {
        let mut headers = HeaderMap::new();
        headers.insert("traceid", HeaderValue::from_static("1"));
        headers.insert("other", HeaderValue::from_static("2"));
        headers.insert(
            HEADER_CONVERT,
            HeaderValue::from_static("%7B%22traceid%22%3A%22traceId%22%2C%22other%22%3A%22evil%22%7D"),
        );
        assert_eq!(
            read_all(&headers),
            [("other".to_owned(), text("2")), ("traceId".to_owned(), text("1"))]
        );
        headers.insert(HEADER_CONVERT, HeaderValue::from_static("not json"));
        assert_eq!(read_all(&headers).len(), 2);
    }

    #[test]
    fn repeated_headers_last_wins_and_bad_base64_is_left_out() {
        let mut headers = HeaderMap::new();
        headers.append("a", HeaderValue::from_static("1"));
        headers.append("a", HeaderValue::from_static("2"));
        headers.insert("b-bin", HeaderValue::from_static("!!"));
        headers.insert("c", HeaderValue::from_bytes(&[0xe9]).unwrap());
        assert_eq!(
            read_all(&headers),
            [("a".to_owned(), text("2")), ("c".to_owned(), text("é"))]
        );
    }

    #[test]
    fn attachments_of_either_wire_are_written() {
        let mut attachments = Attachments::new();
        attachments.set("userId", "42");
        attachments.set("path", "gone");
        let mut headers = HeaderMap::new();
        assert_eq!(write_all(&attachments, &mut headers, NonAscii::Percent), Ok(0));
        assert_eq!(headers["userid"], "42");
        assert!(headers.contains_key(HEADER_CONVERT) && !headers.contains_key("path"));
        let received = Attachments::from_headers(headers.clone());
        let mut again = HeaderMap::new();
        write_all(&received, &mut again, NonAscii::Percent).unwrap();
        assert_eq!(again, headers);
    }

    /// From a Dubbo2 body: `7.1` of the page, each kind as Java sends it.
    #[test]
    fn values_of_every_kind_go_as_java_sends_them() {
        let mut map = Vec::new();
        let mut writer = crate::hessian2::Writer::new(&mut map);
        writer.begin_map(None);
        writer.string("int");
        writer.int(7);
        writer.string("long");
        writer.long(-8);
        writer.string("flag");
        writer.bool(true);
        writer.string("whole");
        writer.double(3.0);
        writer.string("large");
        writer.double(1.5e10);
        writer.string("when");
        writer.date(784_111_777_000);
        writer.string("bytes");
        writer.binary(&[7; 10_000]);
        writer.string("nothing");
        writer.null();
        writer.string("list");
        writer.begin_list(None, 0);
        writer.end();
        let (mut scratch, limits) = Default::default();
        let attachments = Attachments::from_hessian(map.into(), &mut scratch, &limits).unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(write_all(&attachments, &mut headers, NonAscii::Percent), Ok(1));
        for (name, value) in [
            ("int", "7"),
            ("long", "-8"),
            ("flag", "true"),
            ("whole", "3.0"),
            ("large", "1.5E10"),
            ("when", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ] {
            assert_eq!(headers[name], value);
        }
        assert_eq!(headers["bytes-bin"], STANDARD_NO_PAD.encode([7; 10_000]));
        assert_eq!(headers.len(), 7);
    }

    #[test]
    fn headers_pass_as_they_are_and_changes_over_them() {
        let mut received = HeaderMap::new();
        for (name, value) in [
            ("tag", &b"a"[..]),
            ("tag", b"b"),
            ("latin", b"caf\xe9"),
            ("utf", "Zo\u{eb}".as_bytes()),
            ("key-bin", b"AP8="),
            ("key-bin", b"AA=="),
            ("gone", b"x"),
            ("te", b"trailers"),
            ("grpc-timeout", b"1S"),
        ] {
            received.append(
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value).unwrap(),
            );
        }
        let mut attachments = Attachments::from_headers(received.clone());
        attachments.remove("gone");
        attachments.set("landbridge-hop", "1");
        let mut sent = HeaderMap::new();
        sent.insert("tag", HeaderValue::from_static("old"));
        write_all(&attachments, &mut sent, NonAscii::Percent).unwrap();
        for name in ["tag", "latin", "utf", "key-bin"] {
            let (sent, received) = (sent.get_all(name), received.get_all(name));
            assert!(sent.iter().eq(received.iter()), "{name}");
        }
        assert_eq!((sent.len(), sent["landbridge-hop"].as_bytes()), (7, &b"1"[..]));
    }

    #[test]
    fn a_heavy_block_is_refused() {
        let mut headers = HeaderMap::new();
        let mut writer = Writer::new(&mut headers, NonAscii::Percent);
        writer.put("big", &AttachmentValue::Text("x".repeat(31 * 1024).into()));
        assert!(writer.finish().is_err());
        // Whatever it came as.
        let mut received = HeaderMap::new();
        received.insert("big-bin", HeaderValue::from_str(&"A".repeat(31 * 1024)).unwrap());
        let attachments = Attachments::from_headers(received);
        assert!(write_all(&attachments, &mut HeaderMap::new(), NonAscii::Percent).is_err());
    }
}
