//! What the readers allocate, counted: the figures that the limits promise.
#![allow(unsafe_code, reason = "a counting allocator is unsafe by its trait")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "counting/allocator.rs"]
mod counting;

use bytes::{Bytes, BytesMut};
use codecs::dubbo2::{Header, Message, split};
use codecs::hessian2::{Limits, Reader, Scratch, Skimmer};
use codecs::value::Value;
use counting::counted;

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// A list of objects with a nested list each, then plain text.
fn message() -> Vec<u8> {
    let mut bytes = unhex("58c864");
    for n in 0..100u8 {
        if n == 0 {
            bytes.extend(unhex("430141930161016201 63".replace(' ', "").as_str()));
        }
        bytes.extend(unhex("609105776f726c647a0178e1"));
    }
    bytes
}

#[test]
fn skimming_and_reading_tokens_allocate_nothing_but_scratch() {
    let bytes = message();
    let mut scratch = Scratch::new();
    Skimmer::new(&bytes, &mut scratch, &Limits::DEFAULT)
        .skim()
        .unwrap();
    Reader::new(&bytes, &mut scratch, &Limits::DEFAULT)
        .skip()
        .unwrap();
    let (end, count, _) = counted(|| {
        Skimmer::new(&bytes, &mut scratch, &Limits::DEFAULT)
            .skim()
            .unwrap()
            .end
    });
    assert_eq!((end, count), (bytes.len(), 0));
    let (_, count, _) = counted(|| {
        Reader::new(&bytes, &mut scratch, &Limits::DEFAULT)
            .skip()
            .unwrap()
    });
    assert_eq!(count, 0);
}

#[test]
fn a_request_is_taken_apart_without_allocating() {
    let body = unhex(concat!(
        "05322e302e32",
        "07636f6d2e782e53",
        "05302e302e30",
        "0873617948656c6c6f",
        "124c6a6176612f6c616e672f537472696e673b",
        "026869",
        "48",
        "0470617468",
        "07636f6d2e782e53",
        "0567726f7570",
        "0167",
        "5a"
    ));
    let mut stream = BytesMut::new();
    let header = Header {
        length: u32::try_from(body.len()).unwrap(),
        ..Header::request(1, true)
    };
    stream.extend_from_slice(&header.encode());
    stream.extend_from_slice(&body);
    // The one allocation of a turn's buffer, shared by all its frames, is not the decoder's.
    let mut stream = BytesMut::from(Bytes::from(stream.to_vec()));
    stream.extend_from_slice(&stream.clone());
    split(&mut stream, 1 << 20).unwrap().unwrap();
    let frame = split(&mut stream, 1 << 20).unwrap().unwrap();
    let mut scratch = Scratch::new();
    Message::decode(&frame, &mut scratch, &Limits::DEFAULT).unwrap();
    let ((), count, _) = counted(|| {
        let Message::Request(request) = Message::decode(&frame, &mut scratch, &Limits::DEFAULT).unwrap()
        else {
            panic!("no request");
        };
        let target = request.target();
        assert_eq!((&*target.path, &*target.group), ("com.x.S", "g"));
    });
    assert_eq!(count, 0);
}

/// The worst inputs for a tree: the fewest bytes for each node.
#[test]
fn a_tree_takes_at_most_64_bytes_for_each_byte() {
    let many = |head: &str, body: &str, count: usize, end: &str| {
        let mut bytes = unhex(head);
        (0..count).for_each(|_| bytes.extend(unhex(body)));
        bytes.extend(unhex(end));
        bytes
    };
    // A list of 100,000: 58, then 49 000186a0.
    let list = "5849000186a0";
    let inputs = [
        ("nulls", many(list, "4e", 100_000, "")),
        ("empty texts", many(list, "00", 100_000, "")),
        ("empty lists", many(list, "78", 100_000, "")),
        ("lists of one", many(list, "794e", 100_000, "")),
        ("empty maps", many(list, "485a", 100_000, "")),
        ("maps of one", many(list, "484e4e5a", 100_000, "")),
        (
            "objects without fields",
            many(&format!("{list}43014190"), "60", 100_000, ""),
        ),
        (
            "objects of one field",
            many(&format!("{list}430141910161"), "604e", 100_000, ""),
        ),
        (
            "empty typed lists",
            many(&format!("{list}70016190"), "7090", 99_998, ""),
        ),
        ("new type names", many(list, "7000", 100_000, "")),
        ("one map of nulls", many("48", "4e4e", 100_000, "5a")),
        ("one map of empty lists", many("48", "7878", 100_000, "5a")),
        (
            "one map of objects",
            many("484301419060 4e".replace(' ', "").as_str(), "6060", 100_000, "5a"),
        ),
        ("one variable list", many("57", "4e", 100_000, "5a")),
        ("variable lists", many(list, "575a", 100_000, "")),
        ("classes", many("57", "43009060", 1000, "5a")),
        (
            "text of 17",
            many(list, "116161616161616161616161616161616161", 100_000, ""),
        ),
        (
            "long text",
            many("", &format!("53ffff{}", "61".repeat(0xffff)), 1, ""),
        ),
    ];
    for (name, bytes) in inputs {
        let mut scratch = Scratch::new();
        let (value, _, peak) = counted(|| Value::decode(&bytes, &mut scratch, &Limits::DEFAULT));
        let (_, end) = value.unwrap_or_else(|error| panic!("{name}: {error}"));

        assert_eq!(end, bytes.len(), "{name}");
        let allowed = 64 * bytes.len() + (64 << 10);
        assert!(peak <= allowed, "{name}: {peak} bytes for {}", bytes.len());
    }
}

/// Lists, objects and classes that announce more than can follow: what they announce is never allocated.
#[test]
fn what_is_announced_alone_takes_no_memory() {
    let depth = 200;
    let padded = |head: &str, body: &str, count: usize| {
        let mut bytes = unhex(head);
        (0..count).for_each(|_| bytes.extend(unhex(body)));
        bytes.resize(bytes.len() + 60_000, 0x4e);
        bytes
    };
    let names = "00".repeat(16);
    let inputs = [
        ("lists of all that is left", padded("", "58490000ea60", depth)),
        ("lists of half of it", padded("", "584900007530", depth)),
        ("typed lists", padded("700090", "56904900007530", depth)),
        ("small lists", padded("", "7f", depth)),
        ("objects", padded(&format!("4300a0{names}"), "60", depth)),
        ("a class of 60,000 fields", padded("", "4300490000ea60", 1)),
    ];
    for (name, bytes) in inputs {
        let mut scratch = Scratch::new();
        let (value, _, peak) = counted(|| Value::decode(&bytes, &mut scratch, &Limits::DEFAULT));
        drop(value);
        let allowed = 64 * bytes.len() + (64 << 10);
        assert!(peak <= allowed, "{name}: {peak} bytes for {}", bytes.len());
    }
}

/// What the ceiling promises, whatever the input's size: a tree that passes it is given up before it is much larger.
#[test]
fn the_configured_ceiling_bounds_the_tree() {
    let ceiling = 1 << 20;
    let limits = Limits {
        decoded_bytes: ceiling,
        ..Limits::DEFAULT
    };
    let list = "5849000186a0";
    let bodies = ["4e", "00", "78", "794e", "485a", "484e4e5a", "7000", "575a", "8f"];
    for body in bodies {
        for count in [20_000, 60_000, 100_000] {
            let mut bytes = unhex(list);
            let [_, a, b, c] = u32::to_be_bytes(count);
            bytes.splice(2.., [0, a, b, c]);
            (0..count).for_each(|_| bytes.extend(unhex(body)));
            let mut scratch = Scratch::new();
            let (value, _, peak) = counted(|| Value::decode(&bytes, &mut scratch, &limits));
            if let Err(error) = value {
                assert!(error.is_limit(), "{error}");
            }
            assert!(peak <= 8 * ceiling, "{count} of {body}: {peak}");
        }
    }
}
