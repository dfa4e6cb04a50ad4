//! Hessian 2: the readers agree, arguments come apart and together, typed JSON loses nothing.

use bytes::Bytes;
use codecs::hessian2::{
    Limits, Reader, Scratch, Skimmer, TypeNames, join_arguments, split_arguments, throwable,
};
use codecs::value::{Value, json};

use super::LIMITS;

/// Skimmer, reader and tree agree; a tree survives writing and typed JSON.
pub fn hessian2_value(data: &[u8]) {
    for limits in [LIMITS, Limits::DEFAULT] {
        let mut scratch = Scratch::new();
        let skimmed = Skimmer::new(data, &mut scratch, &limits)
            .skim()
            .ok()
            .map(|skimmed| skimmed.end);
        assert!(scratch.skim_capacity_bytes() <= 64 << 10);
        let mut reader = Reader::new(data, &mut scratch, &limits);
        let read = reader.skip().ok().map(|()| reader.offset());
        assert!(reader.nodes() as usize <= data.len() + 1);
        let tree = Value::decode(data, &mut scratch, &limits).ok();
        assert_eq!((skimmed, skimmed), (read, tree.as_ref().map(|(_, end)| *end)));
        let _ = throwable::read(data, &mut scratch, &limits);
        let Some((value, _)) = tree else { continue };
        let mut out = Vec::new();
        value.encode_as(&mut out, TypeNames::Indexed);
        let (same, _) =
            Value::decode(&out, &mut scratch, &Limits::DEFAULT).expect("what was written is read");
        assert_eq!(same, value);
        let text = json::to_json(&value);
        assert_eq!(json::from_json(&text).as_ref(), Ok(&value), "{text}");
    }
}

/// A count, then a stream: each argument stands alone after splitting, and joining them loses nothing.
pub fn hessian2_arguments(data: &[u8]) {
    let Some((count, stream)) = data.split_first() else {
        return;
    };
    let count = usize::from(*count % 8);
    let stream = Bytes::copy_from_slice(stream);
    let mut scratch = Scratch::new();
    let Ok(parts) = split_arguments(&stream, count, &mut scratch, &LIMITS) else {
        return;
    };
    // What was copied in may pass the small limits.
    let show = |part: &Bytes| {
        let mut scratch = Scratch::new();
        let (value, end) = Value::decode(part, &mut scratch, &Limits::DEFAULT).expect("stands alone");
        assert_eq!(end, part.len());
        value
    };
    let values: Vec<Value> = parts.iter().map(show).collect();
    let joined = join_arguments(&parts, &mut scratch, &Limits::DEFAULT).expect("joins");
    let again = split_arguments(&joined, count, &mut scratch, &Limits::DEFAULT).expect("splits again");
    assert_eq!(again.iter().map(show).collect::<Vec<_>>(), values);
}

/// Text that is typed JSON survives being written.
pub fn typed_json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(value) = json::from_json(text) {
        let text = json::to_json(&value);
        assert_eq!(json::from_json(&text), Ok(value), "{text}");
    }
}
