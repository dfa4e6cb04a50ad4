//! Protobuf messages, their prefix and their compression.

use bytes::Bytes;
use codecs::hessian2::Limits;
use codecs::plan::Scratch;
use codecs::triple::message::{Compression, Message, MessageError, Splitter, gzip};

use super::counting::counted;
use super::doors::{self, PROTOBUF, method};
use super::hessian::unhex;
use super::{FEW, MEBIBYTE, is_of_steps};

fn refused(name: &str, bytes: Vec<u8>, but: &[&str]) {
    let bytes = Bytes::from(bytes);
    doors::method("Tree");
    for (door, run) in PROTOBUF {
        let (result, _, peak) = counted(|| run(&bytes, &FEW));
        // Details come in a header, which is small: they are copied whole.
        let copied = if *door == "status details" { bytes.len() } else { 0 };
        assert!(
            peak <= MEBIBYTE + copied,
            "{name} at {door}: {peak} bytes, {result:?}"
        );
        if but.contains(door) {
            continue;
        }
        let error = result.expect_err(&format!("{name} at {door}"));
        assert!(!is_of_steps(&error), "{name} at {door}: {error}");
    }
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Fields of these numbers, each holding the next: `depth` times all of them.
fn nested(numbers: &[u8], depth: usize) -> Vec<u8> {
    // From the innermost outwards, last byte first.
    let mut reversed = Vec::new();
    for _ in 0..depth {
        for number in numbers.iter().rev() {
            let mut head = vec![number << 3 | 2];
            put_varint(reversed.len() as u64, &mut head);
            reversed.extend(head.iter().rev());
        }
    }
    reversed.reverse();
    reversed
}

/// The wrappers and the details take no message inside a message: what is nested is bytes to them.
const FLAT: &[&str] = &[
    "request wrapper",
    "response wrapper",
    "exception wrapper",
    "status details",
];

fn flat_and(more: &[&'static str]) -> Vec<&'static str> {
    [FLAT, more].concat()
}

#[test]
fn a_million_deep() {
    let million = 1_000_000;
    let not_any = flat_and(&["message of anything", "streams"]);
    // A generic caller is not shown the parent.
    refused(
        "parents",
        nested(&[2], million),
        &[&not_any[..], &["generic result"]].concat(),
    );
    refused("children", nested(&[3], million), &not_any);
    refused("children in a map", nested(&[4, 2], million), &not_any);
    let not_tree = flat_and(&["message of a tree", "streams", "result", "generic result"]);
    for (name, numbers) in [
        ("lists of any value", &[9u8, 2][..]),
        ("maps of any value", &[10, 2, 1]),
        ("objects of any value", &[11, 2, 2]),
    ] {
        let mut bytes = vec![1 << 3 | 2];
        let inner = nested(numbers, million);
        put_varint(inner.len() as u64, &mut bytes);
        bytes.extend(inner);
        refused(name, bytes, &not_tree);
    }
    for (name, number, numbers) in [
        ("JSON lists", 2u8, &[6u8, 1][..]),
        ("JSON structs", 2, &[5, 1, 2]),
    ] {
        let mut bytes = vec![number << 3 | 2];
        let inner = nested(numbers, million);
        put_varint(inner.len() as u64, &mut bytes);
        bytes.extend(inner);
        refused(name, bytes, &not_tree);
    }
    // Groups, which nobody has used for fifteen years.
    refused("groups", vec![100 << 3 & 0x7f | 3; million], &[]);
    refused("groups of a large number", [0xa3, 0x06].repeat(million), &[]);
}

#[test]
fn lengths_without_bytes() {
    for length in [
        "ffffffff07",
        "ffffffff0f",
        "ffffffffffffffff7f",
        "ffffffffffffffffff01",
        "ffffffffffffffffffff01",
    ] {
        for field in ["0a", "12", "1a", "a206"] {
            refused("a length", unhex(&format!("{field}{length}61")), &[]);
        }
    }
    refused("a number that does not end", vec![0xff; MEBIBYTE], &[]);
    refused("field 0", unhex("0201"), &[]);
}

/// A million Java classes, each an object of its own.
#[test]
fn a_million_java_classes() {
    let mut list = Vec::new();
    for n in 0..1u32 << 20 {
        let name = format!("{n:x}");
        let mut object = vec![1 << 3 | 2, name.len() as u8];
        object.extend_from_slice(name.as_bytes());
        let value = [&[11 << 3 | 2, object.len() as u8][..], &object].concat();
        list.extend_from_slice(&[2 << 3 | 2, value.len() as u8]);
        list.extend(value);
    }
    let mut value = vec![9 << 3 | 2];
    put_varint(list.len() as u64, &mut value);
    value.extend(list);
    let mut bytes = vec![1 << 3 | 2];
    put_varint(value.len() as u64, &mut bytes);
    bytes.extend(value);
    let (result, _, peak) =
        counted(|| method("Any").arguments_to_hessian(&bytes, &mut Scratch::default(), &Limits::DEFAULT));
    let error = result.unwrap_err().to_string();
    assert!(error.contains("too many Java classes"), "{error}");
    // The places of the list's elements, which are noted before the first is written, by doubling.
    assert!(peak <= 16 * bytes.len(), "{peak} for {}", bytes.len());
}

/// Each message in two pieces, the first of them empty: putting them together copies the rest on every level.
#[test]
fn messages_in_pieces_are_put_together_within_the_ceiling() {
    let mut bytes = vec![0x52, 0xff, 0xff, 0x03];
    bytes.splice(.., nested(&[1], 1));
    let mut inner = vec![b'x'; MEBIBYTE];
    let mut name = vec![1 << 3 | 2];
    put_varint(inner.len() as u64, &mut name);
    name.append(&mut inner);
    let mut message = name;
    for _ in 0..60 {
        let mut outer = vec![2 << 3 | 2, 0, 2 << 3 | 2];
        put_varint(message.len() as u64, &mut outer);
        outer.append(&mut message);
        message = outer;
    }
    let ceiling = 4 * MEBIBYTE;
    let limits = Limits {
        decoded_bytes: ceiling,
        ..Limits::DEFAULT
    };
    let (result, _, peak) =
        counted(|| method("Tree").arguments_to_hessian(&message, &mut Scratch::default(), &limits));
    let error = result.unwrap_err().to_string();
    assert!(error.contains("in pieces"), "{error}");
    assert!(peak <= 3 * ceiling, "{peak}");
}

/// An empty message of two bytes becomes an object of all its fields.
#[test]
fn small_messages_become_objects_within_the_ceiling() {
    // 200,000 children without a field.
    let message = [0x1a, 0x00].repeat(200_000);
    let ceiling = MEBIBYTE;
    let limits = Limits {
        decoded_bytes: ceiling,
        ..Limits::DEFAULT
    };
    for generic in [false, true] {
        let (result, _, peak) = counted(|| {
            let mut scratch = Scratch::default();
            if generic {
                method("Tree").result_to_generic(&message, false, &mut scratch, &limits)
            } else {
                method("Tree").result_to_hessian(&message, false, &mut scratch, &limits)
            }
        });
        let error = result.unwrap_err().to_string();
        assert!(error.contains("too large"), "{error}");
        assert!(peak <= 4 * ceiling, "{peak}");
    }
}

/// Keys that collide, and one key many times: steps in proportion, counted by the limit.
#[test]
fn flooding_keys_cost_what_others_cost() {
    let mut flooding = Vec::new();
    let count = 1u32 << 14;
    for n in 0..count {
        let key: Vec<u8> = (0..14)
            .flat_map(|bit| if n >> bit & 1 == 0 { *b"Aa" } else { *b"BB" })
            .collect();
        flooding.extend_from_slice(&[4 << 3 | 2, 32, 0x0a, 28]);
        flooding.extend(key);
        flooding.extend_from_slice(&[0x10, 0x01]);
    }
    let same = [4 << 3 | 2, 2, 0x10, 0x01].repeat(count as usize);
    for bytes in [flooding, same] {
        // Spread(…, map<string, int32> counts = 4): found, then read.
        let limits = Limits {
            nodes: 4 * count,
            ..Limits::DEFAULT
        };
        let (result, _, peak) =
            counted(|| method("Spread").arguments_to_hessian(&bytes, &mut Scratch::default(), &limits));
        result.unwrap();
        assert!(peak <= 128 * bytes.len(), "{peak} for {}", bytes.len());
    }
}

#[test]
fn four_gigabytes_announced() {
    for length in [u32::MAX, 1 << 31, 9 << 20] {
        let mut splitter = Splitter::new(8 << 20);
        let head = [&[0][..], &length.to_be_bytes()].concat();
        let (result, _, peak) = counted(|| {
            splitter.push(Bytes::copy_from_slice(&head));
            splitter.next_message()
        });
        assert!(matches!(
            result,
            Err(MessageError::TooLarge { limit: 0x80_0000, .. })
        ));
        assert!(peak < 1024, "{peak}");
    }
    // What is allowed grows with what comes, not with what is announced.
    let mut splitter = Splitter::new(8 << 20);
    let (result, _, peak) = counted(|| {
        splitter.push(Bytes::from_static(&[0, 0, 0x7f, 0xff, 0xff, b'x']));
        splitter.next_message()
    });
    assert_eq!(result, Ok(None));
    assert!(peak <= 128 << 10, "{peak}");
}

#[test]
fn a_compressed_gigabyte() {
    // A thousand to one, twice: 64 MiB in a few hundred bytes.
    let packed = gzip(&vec![0; 64 << 20]).unwrap();
    let message = Message {
        compressed: true,
        bytes: packed.into(),
    };
    let (result, _, peak) = counted(|| message.inflate(Compression::Gzip, 256 << 10));
    assert!(matches!(result, Err(MessageError::TooLarge { .. })));
    assert!(peak <= MEBIBYTE, "{peak}");
}

#[test]
fn a_wrapper_of_a_million_arguments() {
    for body in [&[0x12, 0][..], &[0x1a, 1, b'x']] {
        let bytes = Bytes::from(body.repeat(MEBIBYTE));
        let (result, _, peak) = counted(|| codecs::triple::wrapper::Request::decode(&bytes));
        assert!(result.unwrap_err().to_string().contains("more than 255"));
        assert!(peak <= 64 << 10, "{peak}");
    }
}
