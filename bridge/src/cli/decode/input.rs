//! Where the bytes come from: hex, a file, standard input.

use anyhow::Context;

use super::{Failure, from_hex};

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
