//! A gRPC status: code, message, details; and the tables between the status codes of both worlds
//! (gRPC's `statuscodes.md`, Dubbo's `TriRpcStatus`).

pub mod codes;
pub mod details;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

pub use codes::Code;

/// The trailer of the code.
pub const GRPC_STATUS: &str = "grpc-status";
/// The trailer of the message, percent-encoded.
pub const GRPC_MESSAGE: &str = "grpc-message";
/// The trailer of the details: `google.rpc.Status` in base64.
pub const GRPC_DETAILS: &str = "grpc-status-details-bin";

/// The most of a message that is sent, before it is encoded.
const MOST_MESSAGE: usize = 1024;
/// The most of details that are sent or read.
const MOST_DETAILS: usize = 8 * 1024;

/// A gRPC status as an application returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The code, 0 to 16 (dubbo-go's 17 is folded into 2 on relay).
    pub code: u32,
    /// The message, percent-decoded.
    pub message: String,
    /// `google.rpc.Status` as a protobuf message, from `grpc-status-details-bin`; empty when absent.
    pub details: Bytes,
}

impl Status {
    /// A status without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code: code.number(),
            message: message.into(),
            details: Bytes::new(),
        }
    }

    /// The status in a header block; `None` when it has no `grpc-status`.
    ///
    /// A code that is no number is `UNKNOWN`; 17, dubbo-go's business error, is kept as it came, so that the caller can
    /// tell it (see [`Status::folded`]).
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let code = headers.get(GRPC_STATUS)?;
        let code = std::str::from_utf8(code.as_bytes())
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(Code::Unknown.number());
        let message = headers
            .get(GRPC_MESSAGE)
            .map(|value| decode_message(value.as_bytes()))
            .unwrap_or_default();
        let details = headers
            .get(GRPC_DETAILS)
            .and_then(|value| decode_base64(value.as_bytes()))
            .unwrap_or_default();
        Some(Self {
            code,
            message,
            details: details.into(),
        })
    }

    /// The status with a code that every gRPC peer knows: what is outside of 0 to 16 becomes `UNKNOWN`.
    pub fn folded(mut self) -> Self {
        if self.code > 16 {
            self.code = Code::Unknown.number();
        }
        self
    }

    /// Writes the status into a block of trailers, in the shape that is safe for every peer:
    /// a code within 0 to 16, an encoded message, and details only with the same code.
    pub fn write(&self, headers: &mut HeaderMap) {
        let code = if self.code > 16 {
            Code::Unknown.number()
        } else {
            self.code
        };
        headers.insert(HeaderName::from_static(GRPC_STATUS), HeaderValue::from(code));
        if !self.message.is_empty() {
            headers.insert(
                HeaderName::from_static(GRPC_MESSAGE),
                encode_message(&self.message),
            );
        }
        if self.details.is_empty() || code == 0 {
            return;
        }
        // Java takes code and message from the details: they must say the same.
        let agreed = details::with_code(&self.details, code, &self.message);
        if let Some(agreed) = agreed.filter(|agreed| agreed.len() <= MOST_DETAILS) {
            let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(agreed);
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(HeaderName::from_static(GRPC_DETAILS), value);
            }
        }
    }
}

/// Encodes a message for `grpc-message`: at most 1 KiB of it, everything outside of printable ASCII percent-encoded,
/// and `%` and `+` as well, because Java decodes it as a form.
pub fn encode_message(message: &str) -> HeaderValue {
    let mut end = message.len().min(MOST_MESSAGE);
    while !message.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let mut text = String::with_capacity(end.saturating_add(16));
    for &byte in message.as_bytes().iter().take(end) {
        match byte {
            b'%' | b'+' => push_percent(byte, &mut text),
            0x20..=0x7e => text.push(char::from(byte)),
            _ => push_percent(byte, &mut text),
        }
    }
    // Printable ASCII only: always a valid header value.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

fn push_percent(byte: u8, text: &mut String) {
    text.push('%');
    for nibble in [byte >> 4, byte & 15] {
        let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
        text.push(digit.to_ascii_uppercase());
    }
}

/// Decodes `grpc-message`. Java 3.0.6 to 3.2, dubbo-go and gRPC percent-encode it; Java 3.3 sends it raw, Latin-1
/// bytes included. A `%` without two hex digits stands for itself.
pub fn decode_message(value: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%'
            && let Some(&[high, low]) = tail.first_chunk::<2>()
            && let (Some(high), Some(low)) = (char::from(high).to_digit(16), char::from(low).to_digit(16))
        {
            bytes.push(u8::try_from((high << 4) | low).unwrap_or(b'?'));
            rest = tail.get(2..).unwrap_or_default();
            continue;
        }
        bytes.push(byte);
    }
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => error.into_bytes().into_iter().map(char::from).collect(),
    }
}

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Decodes base64 of either alphabet, padded or not; of a comma list the first. `None` when it is neither.
pub fn decode_base64(value: &[u8]) -> Option<Vec<u8>> {
    let value = value.split(|&byte| byte == b',').next()?.trim_ascii();
    STANDARD.decode(value).or_else(|_| URL_SAFE.decode(value)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_every_form() {
        for text in ["", "plain", "100% ünïcode\nsecond line", "a+b", "中文 😀"] {
            let encoded = encode_message(text);
            assert!(
                encoded
                    .to_str()
                    .unwrap()
                    .bytes()
                    .all(|byte| (0x20..=0x7e).contains(&byte))
            );
            assert!(!encoded.to_str().unwrap().contains('+'));
            assert_eq!(decode_message(encoded.as_bytes()), text);
        }
        assert_eq!(encode_message("a%\n+").to_str().unwrap(), "a%25%0A%2B");
        // Java 3.3: raw text, here Latin-1 and a stray percent sign.
        assert_eq!(
            decode_message(b"INTERNAL : caf\xe9 100% \n x"),
            "INTERNAL : café 100% \n x"
        );
        assert_eq!(decode_message("é 5%2".as_bytes()), "é 5%2");
    }

    #[test]
    fn long_messages_are_cut_on_a_character() {
        let text = format!("{}{}", "x".repeat(1023), "é");
        assert_eq!(decode_message(encode_message(&text).as_bytes()), "x".repeat(1023));
    }

    #[test]
    fn base64_of_every_form_is_read() {
        for text in ["+/8=", "+/8", "-_8", "-_8=", "+/8=,AAAA"] {
            assert_eq!(decode_base64(text.as_bytes()).unwrap(), [0xfb, 0xff], "{text}");
        }
        assert_eq!(decode_base64(b"!"), None);
        assert_eq!(decode_base64(b"").unwrap(), b"");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let status = Status {
            code: 9,
            message: "none left".into(),
            details: details::Builder::new(9, "none left")
                .error_info("OUT_OF_STOCK", "shop", [("sku", "SKU-9")])
                .build(),
        };
        let mut headers = HeaderMap::new();
        status.write(&mut headers);
        assert_eq!(Status::from_headers(&headers).unwrap(), status);
        assert_eq!(Status::from_headers(&HeaderMap::new()), None);
    }

    #[test]
    fn seventeen_and_disagreeing_details_never_leave_us() {
        let status = Status {
            code: 17,
            message: "biz".into(),
            details: details::Builder::new(0, "ok?").build(),
        };
        let mut headers = HeaderMap::new();
        status.write(&mut headers);
        assert_eq!(headers[GRPC_STATUS], "2");
        let read = Status::from_headers(&headers).unwrap();
        let parsed = details::parse(&read.details).unwrap();
        assert_eq!((parsed.code, parsed.message.as_str()), (2, "biz"));

        headers.insert(GRPC_STATUS, HeaderValue::from_static("17"));
        headers.insert(GRPC_DETAILS, HeaderValue::from_static("!!not base64"));
        let read = Status::from_headers(&headers).unwrap();
        assert_eq!((read.code, read.details.len()), (17, 0));
        assert_eq!(read.folded().code, 2);
        headers.insert(GRPC_STATUS, HeaderValue::from_static("x"));
        assert_eq!(Status::from_headers(&headers).unwrap().code, 2);
    }
}
