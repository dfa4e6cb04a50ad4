//! Inputs made to hurt: each is refused, or handled linearly, within counted steps.

use bytes::BytesMut;
use codecs::dubbo2::{FrameError, split};
use codecs::hessian2::{DecodeErrorKind, Limit, Limits, Reader, Scratch, Skimmer, Token};
use codecs::value::{self, Value, json};

use super::{LIMITS, unhex};

/// Steps that each reader takes on `input`, and why it stops.
fn refused(input: &[u8], limits: &Limits) -> (DecodeErrorKind, u32, u32) {
    let mut scratch = Scratch::new();
    let mut skimmer = Skimmer::new(input, &mut scratch, limits);
    let error = skimmer.skim().unwrap_err();
    let skim_steps = skimmer.nodes();
    assert!(scratch.skim_capacity_bytes() <= 64 << 10);
    let mut reader = Reader::new(input, &mut scratch, limits);
    reader.skip().unwrap_err();
    let read_steps = reader.nodes();
    assert!(
        scratch.capacity_bytes() <= 1 << 20,
        "{}",
        scratch.capacity_bytes()
    );
    Value::decode(input, &mut scratch, limits).unwrap_err();
    (error.kind, skim_steps, read_steps)
}

#[test]
fn a_million_lists_deep() {
    for tag in [0x79u8, 0x57, 0x48] {
        let (kind, skimmed, read) = refused(&vec![tag; 1_000_000], &LIMITS);
        assert_eq!(kind, DecodeErrorKind::Limit(Limit::Depth));
        assert!(skimmed <= 130 && read <= 130, "{skimmed} {read}");
    }
    // With no limit on depth it is still only memory, and still refused.
    let limits = Limits {
        depth: u32::MAX,
        ..LIMITS
    };
    let input = vec![0x79; 1_000_000];
    let mut scratch = Scratch::new();
    Skimmer::new(&input, &mut scratch, &limits).skim().unwrap_err();
    Value::decode(&input, &mut scratch, &limits).unwrap_err();
}

#[test]
fn lengths_of_two_gigabytes() {
    for input in [
        "58 497fffffff 90",
        "56 045b696e74 497fffffff 90",
        "43 0141 497fffffff 0178",
        "53 ffff 61",
        "42 ffff 61",
        "52 ffff 61",
    ] {
        let (_, skimmed, read) = refused(&unhex(input), &LIMITS);
        assert!(skimmed <= 2 && read <= 2);
    }
    // Lists that together announce more than there is.
    let mut input = Vec::new();
    for _ in 0..100 {
        input.extend_from_slice(&unhex("58 49000fffff"));
    }
    input.resize(1 << 20, 0x90);
    refused(&input, &LIMITS);
}

#[test]
fn a_million_class_definitions() {
    let mut input = Vec::new();
    for _ in 0..1 << 20 {
        input.extend_from_slice(&[0x43, 0x00, 0x90]);
    }
    let (kind, skimmed, read) = refused(&input, &LIMITS);
    assert_eq!(kind, DecodeErrorKind::Limit(Limit::Classes));
    assert!(skimmed <= 1 && read <= 1);
    // One class with more fields than allowed.
    let mut input = unhex("43 0141 49000fffff");
    input.resize(2 << 20, 0x00);
    assert_eq!(refused(&input, &LIMITS).0, DecodeErrorKind::Limit(Limit::Fields));
}

#[test]
fn a_reference_bomb() {
    // Thirty lists, each holding the one before twice: two to the thirtieth nulls if expanded.
    let mut input = vec![0x58, 0x90 + 31];
    input.push(0x78);
    for reference in 1..=30u8 {
        input.extend_from_slice(&[0x7a, 0x51, 0x90 + reference, 0x51, 0x90 + reference]);
    }
    let mut scratch = Scratch::new();
    let skimmed = Skimmer::new(&input, &mut scratch, &LIMITS).skim().unwrap();
    assert_eq!(skimmed.end, input.len());
    let (_, end) = Value::decode(&input, &mut scratch, &LIMITS).unwrap();
    assert_eq!(end, input.len());
    // Who expands references pays for each node, and is stopped.
    let limits = Limits {
        nodes: 10_000,
        ..LIMITS
    };
    let mut reader = Reader::new(&input, &mut scratch, &limits);
    let error = loop {
        match reader.read() {
            Ok(Token::Ref(reference)) => reader.enter(reference).unwrap(),
            Ok(_) if reader.depth() == 0 => panic!("expanded"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, DecodeErrorKind::Limit(Limit::Nodes));
    assert_eq!(reader.nodes(), limits.nodes);
}

#[test]
fn cycles_are_seen() {
    let input = unhex("7a 78 7951 90");
    let mut scratch = Scratch::new();
    let mut reader = Reader::new(&input, &mut scratch, &LIMITS);
    loop {
        if let Token::Ref(reference) = reader.read().unwrap() {
            let error = reader.enter(reference).unwrap_err();
            assert_eq!(error.kind, DecodeErrorKind::Cycle(0));
            assert_eq!(reader.offset_of(reference), Some(0));
            return;
        }
    }
}

#[test]
fn flooding_keys_cost_what_others_cost() {
    // Keys whose Java hash codes collide ("Aa" and "BB"): we hash nothing.
    let mut input = vec![0x48];
    for n in 0..1u32 << 14 {
        input.push(28);
        for bit in 0..14 {
            input.extend_from_slice(if n >> bit & 1 == 0 { b"Aa" } else { b"BB" });
        }
        input.push(0x90);
    }
    input.push(0x5a);
    let mut scratch = Scratch::new();
    let mut skimmer = Skimmer::new(&input, &mut scratch, &LIMITS);
    skimmer.skim().unwrap();
    assert_eq!(skimmer.nodes(), 2 * (1 << 14) + 1);
    Value::decode(&input, &mut scratch, &LIMITS).unwrap();
}

#[test]
fn a_huge_type_name_is_kept_once() {
    // 64 KiB of type name, then ten thousand maps that use it by number.
    let mut input = vec![0x58, 0xd4, 0x27, 0x10, 0x4d, 0x53, 0xff, 0xff];
    input.extend(std::iter::repeat_n(b'x', 0xffff));
    input.push(0x5a);
    for _ in 1..10_000 {
        input.extend_from_slice(&[0x4d, 0x90, 0x5a]);
    }
    let (value, end) = Value::decode(&input, &mut Scratch::new(), &LIMITS).unwrap();
    assert_eq!(end, input.len());
    assert_eq!(value.containers(), 10_001);
}

#[test]
fn empty_pieces_cost_what_they_take() {
    // Read again through references, they would cost time that nothing was charged for.
    for (piece, last) in [(0x41u8, 0x20u8), (0x52, 0x00)] {
        let mut input = [piece, 0, 0].repeat(1000);
        input.push(last);
        let limits = Limits {
            decoded_bytes: 2000,
            ..LIMITS
        };
        let (kind, ..) = refused(&input, &limits);
        assert_eq!(kind, DecodeErrorKind::Limit(Limit::DecodedBytes));
    }
}

#[test]
fn four_gigabytes_announced() {
    let mut buffer = BytesMut::from(&unhex("dabbc200 0000000000000001 ffffffff")[..]);
    assert!(matches!(
        split(&mut buffer, 8 << 20),
        Err(FrameError::NegativeLength { .. })
    ));
    let mut buffer = BytesMut::from(&unhex("dabbc200 0000000000000001 7fffffff")[..]);
    let capacity = buffer.capacity();
    let Err(FrameError::TooLarge { header, max }) = split(&mut buffer, 8 << 20) else {
        panic!("kept");
    };
    assert_eq!((header.id, max), (1, 8 << 20));
    assert_eq!(buffer.capacity(), capacity);
    // At the first byte already.
    let mut buffer = BytesMut::from(&b"G"[..]);
    assert!(matches!(
        split(&mut buffer, 8 << 20),
        Err(FrameError::Magic { .. })
    ));
    let mut buffer = BytesMut::from(&[0xda][..]);
    assert_eq!(split(&mut buffer, 8 << 20), Ok(None));
}

/// Everything that walks a tree calls itself for each level: at the deepest that a tree may be, each of it fits into the stack
/// of a thread, in a build without optimisation too.
#[test]
fn the_deepest_tree_is_walked_within_a_threads_stack() {
    let deepest = usize::try_from(value::MAX_DEPTH).unwrap();
    let limits = Limits {
        depth: u32::MAX,
        ..Limits::DEFAULT
    };
    // A list, a typed list, a map's value, its key, a typed map, an object: what stands around what is inside.
    let class = "430141910161";
    let kinds = [
        ("79", ""),
        ("71075b6f626a656374", ""),
        ("480161", "5a"),
        ("48", "905a"),
        ("4d034d61700161", "5a"),
        ("60", ""),
    ];
    for (open, close) in kinds {
        let head = if open == "60" { class } else { "" };
        let nested = |depth: usize| {
            let hex = format!("{head}{}90{}", open.repeat(depth), close.repeat(depth));
            unhex(&hex)
        };
        let bytes = nested(deepest);
        let work = move || {
            let (tree, end) = Value::decode(&bytes, &mut Scratch::new(), &limits).unwrap();
            assert_eq!(end, bytes.len());
            let copy = tree.clone();
            assert!(copy == tree);
            assert!(format!("{copy:?}").len() > deepest);
            assert_eq!(usize::try_from(tree.containers()).unwrap(), deepest);
            let text = json::to_json(&tree);
            let read = json::from_json(&text).unwrap();
            assert!(read == tree);
            let mut again = Vec::new();
            read.encode(&mut again);
            assert_eq!(again, bytes);
            drop((tree, copy, read));
        };
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap();
        thread.join().unwrap();
        let deeper = Value::decode(&nested(deepest + 1), &mut Scratch::new(), &limits);
        assert_eq!(deeper.unwrap_err().kind, DecodeErrorKind::Limit(Limit::Depth));
    }
    let deeper = format!(
        "{}null{}",
        "{\"t\":\"java.util.ArrayList\",\"v\":[".repeat(deepest + 1),
        "]}".repeat(deepest + 1)
    );
    assert_eq!(json::from_json(&deeper).unwrap_err().problem, "nested too deep");
}

/// What Rust gives a thread unless it is told otherwise.
const STACK: usize = 2 << 20;
