//! Where the bytes come from: hex, a file, standard input.

use anyhow::Context;

use super::Failure;

/// The bytes of an argument. Hex is told by holding nothing else; everything that is not hex is a file's name.
pub(super) fn read(input: &str) -> Result<Vec<u8>, Failure> {
    if input == "-" {
        return Ok(from_bytes(super::read_stdin()?));
    }
    if let Some(bytes) = from_hex(input) {
        return Ok(bytes);
    }
    let bytes = std::fs::read(input).with_context(|| format!("read {input}, which is no hex either"))?;
    Ok(from_bytes(bytes))
}

/// A file of hex as its bytes; any other as it is.
fn from_bytes(bytes: Vec<u8>) -> Vec<u8> {
    let hex = std::str::from_utf8(&bytes).ok().and_then(from_hex);
    hex.unwrap_or(bytes)
}

/// Bytes written in hex; spaces, line ends, colons and a leading `0x` are ignored.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().trim_start_matches("0x");
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b':')
        .map(|byte| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect::<Option<_>>()?;
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    Some(
        digits
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_people_write_it() {
        for text in ["4e90", "4E 90", "0x4e90", "4e:90\n"] {
            assert_eq!(from_hex(text), Some(vec![0x4e, 0x90]), "{text}");
        }
        for text in ["", "4", "4g", "capture.pcap"] {
            assert_eq!(from_hex(text), None, "{text}");
        }
    }
}
