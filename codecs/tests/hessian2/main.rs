//! The Hessian 2 codec as its users see it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod arguments;
mod generate;
mod hostile;
mod properties;
mod vectors;
mod wire;

use codecs::hessian2::{Limits, Reader, Scratch, Skimmer};

const LIMITS: Limits = Limits::DEFAULT;

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where the first value ends for the skimmer; `None` when it refuses.
fn skimmed(input: &[u8], limits: &Limits) -> Option<usize> {
    let mut scratch = Scratch::new();
    let end = Skimmer::new(input, &mut scratch, limits).skim().ok()?.end;
    assert!(scratch.skim_capacity_bytes() <= 64 << 10);
    Some(end)
}

/// Where the first value ends for the reader; `None` when it refuses.
fn read(input: &[u8], limits: &Limits) -> Option<usize> {
    let mut scratch = Scratch::new();
    let mut reader = Reader::new(input, &mut scratch, limits);
    reader.skip().ok()?;
    Some(reader.offset())
}
