//! Where the bytes come from: hex, a file, standard input.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::{BufReader, Read};

use anyhow::Context;

use super::packets::is_capture;
use super::{Failure, from_hex};

/// The most that is read of anything but a capture.
const MOST: u64 = 512 << 20;

/// What an argument names.
pub(super) enum Source {
    /// All of it.
    Bytes(Vec<u8>),
    /// A capture, to be read packet by packet.
    Capture(BufReader<Box<dyn Read>>),
}

/// What an argument names. Hex is told by holding nothing else; everything that is not hex is a file's name.
pub(super) fn open(input: &OsStr) -> Result<Source, Failure> {
    if input == "-" {
        return from_reader(Box::new(std::io::stdin()), &name(input));
    }
    let text = input.to_string_lossy();
    if let Some(bytes) = from_hex(&text) {
        return Ok(from_bytes(bytes));
    }
    let file = std::fs::File::open(input)
        .with_context(|| format!("read {text:?}, which is {} either", not_hex(&text)))?;
    from_reader(Box::new(file), &text)
}

/// What messages call an argument.
pub(super) fn name(input: &OsStr) -> Cow<'_, str> {
    match input.to_string_lossy() {
        input if input == "-" => "standard input".into(),
        input if from_hex(&input).is_some() => "the argument".into(),
        file => file,
    }
}

/// Why an argument is not taken for hex.
fn not_hex(input: &str) -> &'static str {
    let is_digits = input.chars().any(|c| c.is_ascii_hexdigit()) && from_hex(&format!("{input}0")).is_some();
    if is_digits {
        "no whole hex (a digit is missing)"
    } else {
        "no hex"
    }
}

fn from_reader(mut reader: Box<dyn Read>, name: &str) -> Result<Source, Failure> {
    let mut start = Vec::new();
    let reading = || format!("read {name}");
    reader
        .by_ref()
        .take(4)
        .read_to_end(&mut start)
        .with_context(reading)?;
    if is_capture(&start) {
        let whole: Box<dyn Read> = Box::new(std::io::Cursor::new(start).chain(reader));
        return Ok(Source::Capture(BufReader::with_capacity(1 << 18, whole)));
    }
    reader.take(MOST).read_to_end(&mut start).with_context(reading)?;
    if start.len() as u64 >= MOST {
        let text = format!("{name} is larger than {} MiB and is no capture", MOST >> 20);
        return Err(Failure::Failed(anyhow::anyhow!(text)));
    }
    // Hex as it is or as bytes, which may be a capture's.
    let hex = std::str::from_utf8(&start).ok().and_then(from_hex);
    Ok(from_bytes(hex.unwrap_or(start)))
}

fn from_bytes(bytes: Vec<u8>) -> Source {
    if is_capture(&bytes) {
        return Source::Capture(BufReader::new(Box::new(std::io::Cursor::new(bytes))));
    }
    Source::Bytes(bytes)
}
