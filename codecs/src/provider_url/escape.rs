//! The escapes of a znode's name: written as Java's `URLEncoder` does, read as any form decoder does.

use super::{MAX_LENGTH, ParseError};

/// The name of the znode for a text, byte for byte what Java's `URLEncoder` writes: `A-Z a-z 0-9 . - * _` stay, a space is
/// `+`, the rest is `%XX` in upper case (Dubbo 3 looks for `%3F`, `%26` and `%3D` literally).
pub fn encode_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len().saturating_mul(5) / 4);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                name.push(char::from(byte))
            }
            b' ' => name.push('+'),
            _ => {
                name.push('%');
                name.push(hex(byte >> 4));
                name.push(hex(byte & 0xf));
            }
        }
    }
    name
}

fn hex(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

/// The text of a znode's name: `+` is a space, `%xx` in either case a byte, once.
///
/// # Errors
/// An escape is cut or not hex, the bytes are not UTF-8, or the text is too long.
pub fn decode_name(name: &str) -> Result<String, ParseError> {
    // Every byte of the text takes at most three of the name.
    if name.len() > MAX_LENGTH.saturating_mul(3) {
        return Err(ParseError::TooLong(name.len()));
    }
    let mut text = Vec::with_capacity(name.len());
    let mut bytes = name.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'+' => text.push(b' '),
            b'%' => {
                let mut nibble = || {
                    let (_, digit) = bytes.next()?;
                    char::from(digit)
                        .to_digit(16)
                        .and_then(|digit| u8::try_from(digit).ok())
                };
                let (Some(high), Some(low)) = (nibble(), nibble()) else {
                    return Err(ParseError::Escape(at));
                };
                text.push((high << 4) | low);
            }
            _ => text.push(byte),
        }
    }
    String::from_utf8(text).map_err(|error| ParseError::Escape(error.utf8_error().valid_up_to()))
}
