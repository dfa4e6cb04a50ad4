//! What holds for any value and any bytes.

use bytes::{Bytes, BytesMut};
use codecs::dubbo2::{HEADER_LEN, Header, split};
use codecs::hessian2::{
    DecodeErrorKind, Limits, Reader, Scratch, Skimmer, Token, TypeNames, Writer, join_arguments,
    split_arguments,
};
use codecs::value::{Value, json};
use proptest::prelude::*;

use super::generate::{java_text, value};
use super::wire::{damage, stream};
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

/// All readers on a stream of several values: after each of them the same answer, and the same tables.
fn agree_on_all(input: &[u8], limits: &Limits) -> usize {
    let (mut skims, mut reads) = (Scratch::new(), Scratch::new());
    let mut skimmer = Skimmer::new(input, &mut skims, limits);
    let mut reader = Reader::new(input, &mut reads, limits);
    let mut values = 0;
    loop {
        let skimmed = skimmer.skim().map(|skimmed| (skimmed.end, skimmed.after));
        let read = reader.skip().map(|()| (reader.offset(), reader.counts()));
        assert_eq!(skimmed.ok(), read.ok(), "value {values} of {input:02x?}");
        if skimmed.is_err() {
            return values;
        }
        assert_eq!(skimmer.nodes(), reader.nodes(), "{input:02x?}");
        values += 1;
    }
}

/// Reads the first value of a stream token by token, and each list, map or object once more where it is referred to: the
/// same tokens as at first, and then on as if nothing had been. Gives the end, and how many were read again.
fn read_again(input: &[u8]) -> Option<(usize, usize)> {
    let mut scratch = Scratch::new();
    let mut reader = Reader::new(input, &mut scratch, &LIMITS);
    // The tokens of each container, from its start to its end; those that are open.
    let mut known: Vec<Vec<String>> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut again = 0;
    loop {
        let token = reader.read().ok()?;
        let shown = format!("{token:?}");
        open.iter().for_each(|number| known[*number].push(shown.clone()));
        match token {
            Token::ListStart { reference, .. }
            | Token::MapStart { reference, .. }
            | Token::ObjectStart { reference, .. } => {
                assert_eq!(reference as usize, known.len());
                open.push(known.len());
                known.push(vec![shown]);
            }
            Token::End => {
                open.pop();
            }
            Token::Ref(number) if reader.is_open(number) => {
                assert_eq!(
                    reader.enter(number).unwrap_err().kind,
                    DecodeErrorKind::Cycle(number)
                );
            }
            Token::Ref(number) => {
                let before = (reader.offset(), reader.counts(), reader.depth());
                reader.enter(number).unwrap();
                let mut tokens = Vec::new();
                loop {
                    tokens.push(format!("{:?}", reader.read().unwrap()));
                    if reader.depth() == before.2 {
                        break;
                    }
                }
                assert_eq!(tokens, known[number as usize], "{input:02x?}");
                assert_eq!((reader.offset(), reader.counts(), reader.depth()), before);
                again += 1;
            }
            _ => {}
        }
        if reader.depth() == 0 {
            return Some((reader.offset(), again));
        }
    }
}

/// One limit of nine, changed.
type Limited = fn(&mut Limits, u32);

const LIMITED: [Limited; 9] = [
    |limits, to| limits.depth = to,
    |limits, to| limits.nodes = to,
    |limits, to| limits.decoded_bytes = to as usize,
    |limits, to| limits.classes = to,
    |limits, to| limits.class_fields = to,
    |limits, to| limits.fields = to,
    |limits, to| limits.string_len = to,
    |limits, to| limits.types = to,
    |limits, to| limits.references = to,
];

/// All readers at the edge of each limit: the least with which one of them takes the value, and one less.
fn agree_at_the_edge(input: &[u8]) {
    if agree(input, &LIMITS).is_none() {
        return;
    }
    for set in LIMITED {
        let with = |to: u32| {
            let mut limits = LIMITS;
            set(&mut limits, to);
            limits
        };
        // A stream of this length needs no more of anything.
        let (mut less, mut enough) = (0, u32::try_from(input.len() * 17 + 1).unwrap());
        while less < enough {
            let middle = less.midpoint(enough);
            match read(input, &with(middle)) {
                Some(_) => enough = middle,
                None => less = middle + 1,
            }
        }
        assert!(agree(input, &with(enough)).is_some());
        if let Some(less) = enough.checked_sub(1) {
            assert_eq!(agree(input, &with(less)), None);
        }
    }
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
    fn readers_agree_on_every_form(bytes in stream(), limits in small()) {
        agree(&bytes, &LIMITS);
        agree(&bytes, &limits);
        agree_on_all(&bytes, &LIMITS);
        agree_on_all(&bytes, &limits);
        let end = skimmed(&bytes, &LIMITS);
        prop_assert_eq!(read_again(&bytes).map(|(end, _)| end), end);
    }

    #[test]
    fn readers_agree_at_the_edge_of_each_limit(bytes in stream()) {
        agree_at_the_edge(&bytes);
    }

    #[test]
    fn readers_agree_on_damage_to_every_form(bytes in stream(), damage in damage(), limits in small()) {
        let mut bytes = bytes;
        damage.iter().for_each(|damage| damage.apply(&mut bytes));
        agree(&bytes, &LIMITS);
        agree(&bytes, &limits);
        agree_on_all(&bytes, &LIMITS);
        let end = skimmed(&bytes, &LIMITS);
        prop_assert_eq!(read_again(&bytes).map(|(end, _)| end), end);
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

/// That the streams above reach what they are for: values that are read and refused, what only a damaged or a foreign
/// stream has, and references that are read again.
#[test]
fn the_streams_reach_every_form() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let streams: Vec<Vec<u8>> = (0..1000)
        .map(|_| stream().new_tree(&mut runner).unwrap().current())
        .collect();
    let shallow = Limits { depth: 2, ..LIMITS };
    let read: Vec<&Vec<u8>> = streams
        .iter()
        .filter(|bytes| skimmed(bytes, &LIMITS).is_some())
        .collect();
    assert!((500..990).contains(&read.len()), "{} are read", read.len());
    assert!(
        streams
            .iter()
            .filter(|bytes| agree_on_all(bytes, &LIMITS) > 1)
            .count()
            > 100
    );
    let deep = read
        .iter()
        .filter(|bytes| skimmed(bytes, &shallow).is_none())
        .count();
    assert!(deep > 30, "{deep} are deeper than two");
    let again: usize = read
        .iter()
        .filter_map(|bytes| read_again(bytes))
        .map(|(_, again)| again)
        .sum();
    assert!(again > 100, "{again} references read again");
    // The tags of the forms, at the starts of values that are read.
    let mut seen = [0usize; 256];
    for bytes in &read {
        let mut scratch = Scratch::new();
        let mut reader = Reader::new(bytes, &mut scratch, &LIMITS);
        while reader.offset() < bytes.len() {
            let at = reader.offset();
            if reader.read().is_err() {
                break;
            }
            seen[usize::from(bytes[at])] += 1;
        }
    }
    for tag in [
        0x41, 0x42, 0x43, 0x48, 0x4d, 0x4f, 0x51, 0x52, 0x53, 0x55, 0x56, 0x57, 0x58, 0x60, 0x61, 0x70, 0x72,
        0x78, 0x7a,
    ] {
        assert!(seen[tag] >= 5, "{tag:#x}: {}", seen[tag]);
    }
    assert!(seen.iter().filter(|count| **count > 0).count() > 200);
    // And damage leaves some of both.
    let damaged = streams.iter().filter(|bytes| {
        let mut bytes = (*bytes).clone();
        for damage in damage().new_tree(&mut runner).unwrap().current() {
            damage.apply(&mut bytes);
        }
        skimmed(&bytes, &LIMITS).is_some()
    });
    let damaged = damaged.count();
    assert!((100..900).contains(&damaged), "{damaged} are read after damage");
}
