//! Hessian streams.

use bytes::Bytes;
use codecs::hessian2::{Limits, Scratch, Skimmer, join_arguments, split_arguments};
use codecs::value::Value;

use super::counting::counted;
use super::doors::{self, Door, HESSIAN};
use super::{FEW, MEBIBYTE, is_of_steps};

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// What every door refuses within few steps, and within a mebibyte beyond what the door itself copies the bytes to.
fn refused_at(doors: &[Door], name: &str, bytes: Vec<u8>, copies: usize) {
    let bytes = Bytes::from(bytes);
    // What is made once, such as the schema, is not counted.
    doors::method("Tree");
    for (door, run) in doors {
        let (result, _, peak) = counted(|| run(&bytes, &FEW));
        let error = result.expect_err(&format!("{name} at {door}"));
        assert!(!is_of_steps(&error), "{name} at {door}: {error}");
        let most = MEBIBYTE + copies * bytes.len();
        assert!(peak <= most, "{name} at {door}: {peak} bytes, {error}");
    }
}

/// Most doors stand inside of a message: the door builds it, up to two of the value in one, in a buffer that grows.
const COPIES: usize = 8;

fn refused(name: &str, bytes: Vec<u8>) {
    refused_at(HESSIAN, name, bytes.clone(), COPIES);
    // Those that read the bytes as they are hold a mebibyte in all.
    let bare: Vec<Door> = HESSIAN
        .iter()
        .filter(|(door, _)| {
            matches!(
                *door,
                "skim" | "read" | "tree" | "throwable" | "split" | "plan, an object"
            )
        })
        .copied()
        .collect();
    assert_eq!(bare.len(), 6);
    refused_at(&bare, name, bytes, 0);
}

fn repeated(head: &str, body: &str, count: usize) -> Vec<u8> {
    let mut bytes = unhex(head);
    bytes.extend(unhex(body).repeat(count));
    bytes
}

#[test]
fn a_million_deep() {
    let million = 1_000_000;
    for (name, head, body) in [
        ("lists of one", "", "79"),
        ("lists with an end mark", "", "57"),
        ("lists of a length", "", "58 91"),
        ("typed lists", "", "71 00"),
        ("typed lists with an end mark", "", "55 00"),
        ("typed lists by number", "71 00", "71 90"),
        ("maps in keys", "", "48"),
        ("maps in values", "", "48 90"),
        ("typed maps", "", "4d 00"),
        ("objects", "43 0141 91 0161", "60"),
        ("objects in the long form", "43 0141 91 0161", "4f 90"),
        (
            "objects that are bound",
            "43 06742e54726565 91 06706172656e74",
            "60",
        ),
        ("causes", "43 0141 91 056361757365", "60"),
        ("class definitions in fields", "", "43 00 91 00 60"),
    ] {
        refused(name, repeated(head, body, million));
    }
}

#[test]
fn lengths_of_two_gigabytes() {
    for (name, bytes) in [
        ("list", "58 497fffffff 90"),
        ("typed list", "56 045b696e74 497fffffff 90"),
        ("negative list", "58 49ffffffff 90"),
        ("fields", "43 0141 497fffffff 0178"),
        ("negative fields", "43 0141 4980000000 0178"),
        ("class number", "43 0141 90 4f 497fffffff"),
        ("negative class number", "4f 4980000000"),
        ("reference", "79 51 497fffffff"),
        ("negative reference", "79 51 4980000000"),
        ("type number", "71 497fffffff 90"),
        ("negative type number", "71 4980000000 90"),
        ("text", "53 ffff 61"),
        ("text in pieces", "52 ffff 61"),
        ("binary", "42 ffff 61"),
        ("binary in pieces", "41 ffff 61"),
        ("class name", "43 53 ffff 61"),
        ("map class", "4d 53 ffff 61"),
    ] {
        refused(name, unhex(bytes));
    }
    // Lists that together announce a thousand times what follows.
    let mut bytes = unhex("58 49000fffff").repeat(1000);
    bytes.resize(MEBIBYTE, 0x90);
    refused("lists of a megabyte each", bytes);
    // Text of 16 MiB in pieces: more than a string may have.
    let piece = [&[0x52, 0xff, 0xff][..], &[b'a'; 0xffff]].concat();
    refused("a long text in pieces", piece.repeat(256));
    let piece = [&[0x41, 0xff, 0xff][..], &[b'a'; 0xffff]].concat();
    refused("a long binary in pieces", piece.repeat(256));
}

#[test]
fn a_million_class_definitions() {
    refused("definitions without end", repeated("", "43 00 90", MEBIBYTE));
    refused(
        "definitions, each with an object",
        repeated("57", "43 00 90 60", MEBIBYTE),
    );
    let mut bytes = unhex("43 0141 49000fffff");
    bytes.resize(2 * MEBIBYTE, 0x00);
    refused("a definition with a million fields", bytes);
    // A thousand fields each: the sum is limited too.
    let definition = [unhex("43 00 cbe8"), vec![0; 1000]].concat();
    refused("a million fields in all", definition.repeat(1000));
}

/// Whether the door puts the value into an object of its own: numbers of objects and classes begin at 1.
fn is_inside(door: &str) -> bool {
    matches!(door, "plan, any value" | "plan, JSON" | "plan, collected")
}

/// Thirty lists, each holding the one before twice: two to the thirtieth values if expanded. Behind `base` other lists.
fn bomb(base: u8) -> Vec<u8> {
    let mut bytes = vec![0x58, 0x90 + 31, 0x78];
    for reference in 1..=30u8 {
        let before = 0x90 + base + reference;
        if before < 0xc0 {
            bytes.extend_from_slice(&[0x7a, 0x51, before, 0x51, before]);
        }
    }
    bytes
}

#[test]
fn a_reference_bomb() {
    doors::method("Tree");
    for (door, run) in HESSIAN {
        let bytes = Bytes::from(bomb(u8::from(is_inside(door))));
        // Who keeps references keeps them; who must expand them is stopped by the steps that it counts.
        let (result, _, peak) = counted(|| run(&bytes, &FEW));
        let expands = door.starts_with("plan, ") || *door == "status of a Throwable" || *door == "throwable";
        assert_eq!(result.is_err(), expands, "{door}: {result:?}");
        assert!(peak <= MEBIBYTE, "{door}: {peak}");
    }
    for door in ["plan, any value", "plan, JSON", "plan, collected"] {
        let run = HESSIAN.iter().find(|(name, _)| *name == door).unwrap().1;
        let bytes = Bytes::from(bomb(1));
        let error = run(&bytes, &FEW).unwrap_err();
        assert!(is_of_steps(&error), "{door}: {error}");
        // And by what it may write.
        let (result, _, peak) = counted(|| {
            let limits = Limits {
                decoded_bytes: 256 << 10,
                ..Limits::DEFAULT
            };
            run(&bytes, &limits)
        });
        let error = result.unwrap_err();
        assert!(
            error.contains("too large") || error.contains("decoded bytes"),
            "{door}: {error}"
        );
        assert!(peak <= MEBIBYTE, "{door}: {peak}");
    }
    // Split from what it refers to, each list is copied once.
    let mut stream = bomb(0);
    stream.extend_from_slice(&[0x51, 0x90 + 31]);
    let parts = split_arguments(&stream.into(), 2, &mut Scratch::new(), &FEW).unwrap();
    assert!(parts[1].len() < 200, "{}", parts[1].len());
    let again = join_arguments(&parts, &mut Scratch::new(), &FEW).unwrap();
    assert!(again.len() < 400, "{}", again.len());
}

/// Keys whose Java hash codes collide ("Aa" and "BB").
fn flooding(count: u32) -> Vec<u8> {
    let mut bytes = vec![0x48];
    for n in 0..count {
        bytes.push(28);
        for bit in 0..14 {
            bytes.extend_from_slice(if n >> bit & 1 == 0 { b"Aa" } else { b"BB" });
        }
        bytes.push(0x90);
    }
    bytes.push(0x5a);
    bytes
}

#[test]
fn flooding_keys_cost_what_others_cost() {
    doors::method("Tree");
    let count = 1 << 14;
    let bytes = Bytes::from(flooding(count));
    // Enough for each key, each value and what stands around them, read twice by some.
    let limits = Limits {
        nodes: 4 * count + 100,
        ..Limits::DEFAULT
    };
    for (door, run) in HESSIAN {
        if matches!(
            *door,
            "plan, an object" | "plan, generic" | "plan, result" | "plan, streams"
        ) {
            // An object has no such fields: see `a_map_of_flooding_keys_is_converted`.
            continue;
        }
        let (result, _, peak) = counted(|| run(&bytes, &limits));
        assert!(
            result.is_ok() || *door == "status of a Throwable",
            "{door}: {result:?}"
        );
        assert!(peak <= 64 * bytes.len() + (64 << 10), "{door}: {peak}");
    }
    let mut scratch = Scratch::new();
    let mut skimmer = Skimmer::new(&bytes, &mut scratch, &limits);
    skimmer.skim().unwrap();
    assert_eq!(skimmer.nodes(), 2 * count + 1);
}

/// What is copied behind others costs its own length, not that of the tables before it: passing over a table of a million
/// for each of a hundred thousand arguments would not end.
#[test]
fn many_arguments_behind_a_large_one() {
    // A list of 2^20 lists, then lists that hold the last of them.
    let (lists, arguments) = ((1u32 << 20) - 200_001, 100_000);
    let mut bytes = vec![0x58, 0x49];
    bytes.extend_from_slice(&lists.to_be_bytes());
    bytes.resize(bytes.len() + lists as usize, 0x78);
    for _ in 0..arguments {
        bytes.extend_from_slice(&[0x79, 0x51, 0x49]);
        bytes.extend_from_slice(&lists.to_be_bytes());
    }
    let stream = Bytes::from(bytes);
    let mut scratch = Scratch::new();
    let (parts, _, peak) =
        counted(|| split_arguments(&stream, arguments + 1, &mut scratch, &Limits::DEFAULT).unwrap());
    assert!(parts[1..].iter().all(|part| part[..] == [0x79, 0x78]));
    assert!(peak <= 64 * stream.len(), "{peak}");
}

/// A type name that stands once and is used by number is spelt out: within one budget for all arguments.
#[test]
fn a_long_type_name_used_by_number_is_spelt_out_within_the_ceiling() {
    let limits = Limits {
        decoded_bytes: MEBIBYTE,
        ..Limits::DEFAULT
    };
    // 10,000 bytes of type name, then 80 lists of it by number: 0.8 MiB an argument where it is rewritten.
    let mut argument = vec![0x58, 0xc8, 81, 0x70, 0x53, 0x27, 0x10];
    argument.resize(argument.len() + 10_000, b'x');
    argument.extend_from_slice(&[0x70, 0x90].repeat(80));
    let argument = Bytes::from(argument);
    let first = Bytes::from_static(&[0x70, 0x01, b'y']);
    let two = [first.clone(), argument.clone()];
    join_arguments(&two, &mut Scratch::new(), &limits).unwrap();
    let many = [&[first][..], &vec![argument; 100]].concat();
    let (result, _, peak) = counted(|| join_arguments(&many, &mut Scratch::new(), &limits));
    assert!(result.unwrap_err().is_limit());
    assert!(peak <= 4 * MEBIBYTE, "{peak}");
}

/// Names that a stream holds once are written with each object where no message is bound: within the ceiling.
#[test]
fn long_class_names_are_written_within_the_ceiling() {
    let limits = Limits {
        decoded_bytes: MEBIBYTE,
        ..Limits::DEFAULT
    };
    let name = [&[0x53, 0xff, 0xff][..], &[b'x'; 0xffff]].concat();
    let class = [&[0x58, 0x49, 0, 0, 0x27, 0x10, 0x43][..], &name, &[0x90]].concat();
    let field = [&[0x58, 0x49, 0, 0, 0x27, 0x10, 0x43, 0x01, b'A', 0x91][..], &name].concat();
    let cases = [
        ("a class", [class, vec![0x61; 10_000]].concat()),
        ("a field", [field, [0x61, 0x4e].repeat(10_000)].concat()),
        (
            "a type",
            [
                &[0x58, 0x49, 0, 0, 0x27, 0x10, 0x70][..],
                &name,
                &[0x70, 0x90].repeat(9_999),
            ]
            .concat(),
        ),
    ];
    for (name, bytes) in cases {
        let bytes = Bytes::from(bytes);
        for (door, run) in HESSIAN {
            if !is_inside(door) {
                continue;
            }
            let (result, _, peak) = counted(|| run(&bytes, &limits));
            // JSON has no place for the type of a list.
            let writes_it = *door != "plan, JSON" || name != "a type";
            assert_eq!(result.is_err(), writes_it, "{name} at {door}: {result:?}");
            assert!(peak <= 4 * MEBIBYTE, "{name} at {door}: {peak}");
        }
    }
}

/// What is in order is read in steps and memory in proportion: twice the input, twice of both.
#[test]
fn costs_grow_with_the_input() {
    for (name, head, body) in [
        ("lists", "57", "78"),
        ("maps", "57", "485a"),
        ("objects", "57 43 0141 91 0161 60 90", "60 4e"),
        ("text", "57", "05 68656c6c6f"),
        ("references", "57 78", "51 91"),
    ] {
        let costs = [10_000, 20_000].map(|count| {
            let mut bytes = repeated(head, body, count);
            bytes.push(0x5a);
            let bytes = Bytes::from(bytes);
            let mut scratch = Scratch::new();
            let mut skimmer = Skimmer::new(&bytes, &mut scratch, &Limits::DEFAULT);
            skimmer.skim().unwrap();
            assert_eq!(scratch.skim_capacity_bytes() >> 10, 0, "{name}");
            let mut skimmer = Skimmer::new(&bytes, &mut scratch, &Limits::DEFAULT);
            skimmer.skim().unwrap();
            let steps = skimmer.nodes();
            assert!(steps as usize <= bytes.len(), "{name}");
            let (tree, allocations, peak) =
                counted(|| Value::decode(&bytes, &mut Scratch::new(), &Limits::DEFAULT));
            tree.unwrap();
            (steps as usize, allocations, peak)
        });
        let [(steps, allocations, peak), (twice, more, higher)] = costs;
        assert!(twice <= 2 * steps, "{name}: {steps} {twice} steps");
        assert!(
            more <= 2 * allocations + 10,
            "{name}: {allocations} {more} allocations"
        );
        assert!(higher <= 2 * peak + 4096, "{name}: {peak} {higher} bytes");
    }
}

/// Objects of a thousand classes in turn, which differ in their last field alone: compared with each other for each object,
/// their names take thirty times what all the rest does.
#[test]
fn classes_are_not_compared_for_each_object() {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let mut bytes = Vec::new();
    for class in 0..1000 {
        bytes.push(0x43);
        bytes.extend(text("com.acme.Order"));
        bytes.push(0x90 + 16);
        (0..15).for_each(|field| bytes.extend(text(&format!("field{field}"))));
        bytes.extend(text(&format!("last{class}")));
    }
    let objects = 40_000u32;
    bytes.push(0x58);
    bytes.push(0x49);
    bytes.extend(objects.to_be_bytes());
    for object in 0..objects {
        bytes.push(0x4f);
        bytes.push(0x49);
        bytes.extend((object * 7 % 1000).to_be_bytes());
        bytes.extend([0x4e; 16]);
    }
    let mut scratch = Scratch::new();
    let (value, _) = Value::decode(&bytes, &mut scratch, &Limits::DEFAULT).unwrap();
    let mut written = Vec::new();
    value.encode(&mut written);
    let (again, end) = Value::decode(&written, &mut scratch, &Limits::DEFAULT).unwrap();
    assert_eq!((again == value, end), (true, written.len()));
    // Each class is defined once, though its objects come by many.
    let mut reader = Skimmer::new(&written, &mut scratch, &Limits::DEFAULT);
    assert_eq!(reader.skim().unwrap().after.classes, 1000);
}
