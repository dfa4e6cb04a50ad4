//! What holds for any value and any bytes.

use bytes::{Bytes, BytesMut};
use codecs::dubbo2::{HEADER_LEN, Header, split};
use codecs::hessian2::{Limits, Reader, Scratch, Token, TypeNames, Writer, join_arguments, split_arguments};
use codecs::value::{Value, json};
use proptest::prelude::*;

use super::generate::{java_text, value};
use super::{LIMITS, read, skimmed};

fn encoded(value: &Value, names: TypeNames) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode_as(&mut out, names);
    out
}

fn decoded(input: &[u8], limits: &Limits) -> Option<(Value, usize)> {
    Value::decode(input, &mut Scratch::new(), limits).ok()
}

/// One UTF-16 unit as Java writes it.
fn put_unit(unit: u16, out: &mut Vec<u8>) {
    let [high, low] = unit.to_be_bytes();
    match unit {
        0..0x80 => out.push(low),
        0x80..0x800 => out.extend_from_slice(&[0xc0 | high << 2 | low >> 6, 0x80 | low & 0x3f]),
        _ => out.extend_from_slice(&[
            0xe0 | high >> 4,
            0x80 | (high & 0x0f) << 2 | low >> 6,
            0x80 | low & 0x3f,
        ]),
    }
}

/// All readers on the same bytes: the same answer.
fn agree(input: &[u8], limits: &Limits) -> Option<usize> {
    let ends = [
        skimmed(input, limits),
        read(input, limits),
        decoded(input, limits).map(|(_, end)| end),
    ];
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?} on {input:02x?}");
    ends[0]
}

/// Limits that small inputs pass.
fn small() -> impl Strategy<Value = Limits> {
    (
        1u32..8,
        1u32..60,
        16usize..2000,
        0u32..4,
        0u32..5,
        0u32..8,
        0u32..30,
        0u32..5,
        0u32..20,
    )
        .prop_map(
            |(depth, nodes, decoded_bytes, classes, class_fields, fields, string_len, types, references)| {
                Limits {
                    depth,
                    nodes,
                    decoded_bytes,
                    classes,
                    class_fields,
                    fields,
                    string_len,
                    types,
                    references,
                }
            },
        )
}

/// Bytes that look like Hessian: many tags of containers.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        2 => any::<u8>(),
        2 => prop::sample::select(vec![0x43u8, 0x48, 0x4d, 0x4f, 0x51, 0x52, 0x55, 0x56, 0x57, 0x58, 0x5a, 0x60, 0x70, 0x71, 0x78, 0x79, 0x90, 0x91, 0x92, 0x01, 0x61, 0x00]),
        1 => 0u8..0x24,
        1 => 0x90u8..0x98,
    ];
    prop::collection::vec(byte, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(value in value(), indexed in any::<bool>()) {
        let names = if indexed { TypeNames::Indexed } else { TypeNames::Literal };
        let bytes = encoded(&value, names);
        let (same, end) = decoded(&bytes, &LIMITS).unwrap();
        prop_assert_eq!(&same, &value);
        prop_assert_eq!(end, bytes.len());
        prop_assert_eq!(encoded(&same, names), bytes.clone());
        prop_assert_eq!(agree(&bytes, &LIMITS), Some(end));
    }

    #[test]
    fn typed_json_loses_nothing(value in value()) {
        let text = json::to_json(&value);
        prop_assert!(text.is_ascii());
        prop_assert_eq!(json::from_json(&text).unwrap(), value, "{}", text);
    }

    #[test]
    fn readers_agree_on_values_under_any_limits(value in value(), limits in small()) {
        agree(&encoded(&value, TypeNames::Indexed), &limits);
    }

    #[test]
    fn readers_agree_on_noise(bytes in noise(), limits in small()) {
        agree(&bytes, &LIMITS);
        agree(&bytes, &limits);
    }

    #[test]
    fn readers_agree_on_damage(value in value(), at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = encoded(&value, TypeNames::Indexed);
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = with;
        }
        agree(&bytes, &LIMITS);
    }

    #[test]
    fn text_survives_any_chunking(text in java_text(60), cuts in prop::collection::vec(0usize..20, 0..6)) {
        let units: Vec<u16> = text.units().collect();
        let mut bytes = Vec::new();
        let mut from = 0;
        for cut in cuts {
            let to = (from + cut).min(units.len());
            bytes.push(0x52);
            bytes.extend_from_slice(&u16::try_from(to - from).unwrap().to_be_bytes());
            units[from..to].iter().for_each(|unit| put_unit(*unit, &mut bytes));
            from = to;
        }
        bytes.push(0x53);
        bytes.extend_from_slice(&u16::try_from(units.len() - from).unwrap().to_be_bytes());
        units[from..].iter().for_each(|unit| put_unit(*unit, &mut bytes));
        prop_assert_eq!(agree(&bytes, &LIMITS), Some(bytes.len()));
        let mut scratch = Scratch::new();
        let mut reader = Reader::new(&bytes, &mut scratch, &LIMITS);
        let Token::Str(read) = reader.read().unwrap() else { panic!("no text") };
        prop_assert_eq!(read.utf16_len(), units.len());
        prop_assert_eq!(read.units().collect::<Vec<_>>(), units.clone());
        prop_assert_eq!(read.to_java_text(), text.clone());
        prop_assert_eq!(&*read.to_cow(), &*text.to_str_lossy());
        let mut utf8 = Vec::new();
        let lossless = read.write_utf8(&mut utf8);
        prop_assert_eq!(lossless, text.as_str().is_some());
        prop_assert_eq!(utf8.len(), read.utf8_len());
        prop_assert_eq!(&*String::from_utf8(utf8).unwrap(), &*text.to_str_lossy());
        prop_assert_eq!(read.has_lone_surrogate(), !lossless);
        let mut again = Vec::new();
        Writer::new(&mut again).str(read);
        prop_assert_eq!(decoded(&again, &LIMITS).unwrap().0, Value::String(text));
    }

    #[test]
    fn arguments_survive_splitting_and_joining(values in prop::collection::vec(value(), 1..4)) {
        let alone: Vec<Bytes> =
            values.iter().map(|value| encoded(value, TypeNames::Indexed).into()).collect();
        let mut scratch = Scratch::new();
        let joined = join_arguments(&alone, &mut scratch, &LIMITS).unwrap();
        let parts = split_arguments(&joined, values.len(), &mut scratch, &LIMITS).unwrap();
        prop_assert_eq!(parts.len(), values.len());
        for (part, value) in parts.iter().zip(&values) {
            let (same, end) = decoded(part, &LIMITS).unwrap();
            prop_assert_eq!(end, part.len());
            prop_assert_eq!(&same, value);
        }
    }

    #[test]
    fn rewinding_reads_the_same_again(value in value(), at in any::<prop::sample::Index>()) {
        let bytes = encoded(&value, TypeNames::Indexed);
        let mut scratch = Scratch::new();
        let mut reader = Reader::new(&bytes, &mut scratch, &LIMITS);
        let mut tokens = 0usize;
        loop {
            reader.read().unwrap();
            tokens += 1;
            if reader.depth() == 0 {
                break;
            }
        }
        let mut scratch = Scratch::new();
        let mut reader = Reader::new(&bytes, &mut scratch, &LIMITS);
        for _ in 0..at.index(tokens) {
            reader.read().unwrap();
        }
        // From here to the end of the innermost container, twice.
        let mark = reader.mark();
        let depth = reader.depth();
        let pass = |reader: &mut Reader<'_, '_>| {
            let mut shown = Vec::new();
            loop {
                // The end of the container itself is left to the second pass.
                let before = reader.mark();
                let token = reader.read().unwrap();
                if reader.depth() < depth {
                    assert!(shown.len() < 1000);
                    let _ = before;
                    return (shown, reader.offset());
                }
                shown.push(format!("{token:?}"));
                if depth == 0 && reader.depth() == 0 {
                    return (shown, reader.offset());
                }
            }
        };
        if depth == 0 {
            let first = pass(&mut reader);
            prop_assert!(reader.rewind(&mark));
            prop_assert_eq!(pass(&mut reader), first);
        } else {
            // Read all children but not the end, go back, and read them again.
            let children = {
                let mut scratch = Scratch::new();
                let mut probe = Reader::new(&bytes, &mut scratch, &LIMITS);
                for _ in 0..at.index(tokens) {
                    probe.read().unwrap();
                }
                let mut count = 0usize;
                loop {
                    probe.read().unwrap();
                    if probe.depth() < depth {
                        break count;
                    }
                    count += 1;
                }
            };
            let some = |reader: &mut Reader<'_, '_>| -> Vec<String> {
                (0..children).map(|_| format!("{:?} {}", reader.read().unwrap(), reader.offset())).collect()
            };
            let first = some(&mut reader);
            prop_assert!(reader.rewind(&mark));
            prop_assert_eq!(some(&mut reader), first);
            prop_assert_eq!(reader.read().unwrap(), Token::End);
            prop_assert!(!reader.rewind(&mark) || depth == 0 || reader.depth() >= depth);
        }
    }

    #[test]
    fn any_chunking_gives_the_same_frames(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..6),
        cuts in prop::collection::vec(1usize..40, 1..40),
    ) {
        let mut stream = Vec::new();
        for (id, body) in (0u64..).zip(&bodies) {
            let header = Header { length: u32::try_from(body.len()).unwrap(), ..Header::request(id, true) };
            stream.extend_from_slice(&header.encode());
            stream.extend_from_slice(body);
        }
        let mut buffer = BytesMut::new();
        let mut frames = Vec::new();
        let mut rest = stream.as_slice();
        let mut cuts = cuts.iter().cycle();
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            buffer.extend_from_slice(piece);
            rest = more;
            while let Some(frame) = split(&mut buffer, 64).unwrap() {
                frames.push(frame);
            }
            prop_assert!(buffer.len() < 64 + HEADER_LEN);
        }
        let read: Vec<_> = frames.iter().map(|frame| frame.body.to_vec()).collect();
        prop_assert_eq!(read, bodies);
        prop_assert!(frames.iter().zip(0u64..).all(|(frame, id)| frame.header.id == id));
    }
}
