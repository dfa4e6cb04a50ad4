//! Text: typed JSON, telnet, URLs, headers, definitions, bindings; and frames of 4 GiB.

use bytes::BytesMut;
use codecs::dubbo2::{FrameError, TextLine, descriptor, split, text_line};
use codecs::hessian2::{Limits, Scratch};
use codecs::protobuf::Bindings;
use codecs::protobuf::draft::{Input, Source, draft};
use codecs::provider_url::{ParseError, ProviderUrl};
use codecs::triple::headers;
use codecs::value::{MAX_DEPTH, Value, json};
use http::{HeaderMap, HeaderValue};

use super::MEBIBYTE;
use super::counting::counted;

#[test]
fn typed_json() {
    let deep = r#"{"t":"java.util.ArrayList","v":["#.repeat(1_000_000);
    let maps = r#"{"t":"java.util.HashMap","v":[["#.repeat(1_000_000);
    let objects = r#"{"t":"x","v":{"a":"#.repeat(1_000_000);
    let brackets = format!(r#"{{"t":"x","v":{}"#, "[".repeat(1_000_000));
    let ids = r#"{"ref":2147483648}"#.to_owned();
    let huge = r#"{"ref":99999999999999999999}"#.to_owned();
    let unended = format!(r#"{{"t":"{}"#, "x".repeat(16));
    for text in [deep, maps, objects, brackets, ids, huge, unended] {
        let (result, _, peak) = counted(|| json::from_json(&text));
        let start: String = text.chars().take(40).collect();
        assert!(result.is_err(), "{start}");
        assert!(peak <= MEBIBYTE, "{start}: {peak}");
    }
    // Classes, ids and keys in great number: in proportion.
    let mut many = String::from(r#"{"t":"java.util.ArrayList","v":["#);
    for n in 0..20_000 {
        many.push_str(&format!(
            r#"{{"t":"x.C{n}","id":{n},"v":{{"AaBB{n}":null}}}},{{"ref":{n}}},"#
        ));
    }
    many.push_str("null]}");
    let (value, _, peak) = counted(|| json::from_json(&many));
    assert_eq!(value.unwrap().containers(), 20_001);
    assert!(peak <= 64 * many.len(), "{peak} for {}", many.len());
    // Numbers of many digits are no numbers that people write.
    let digits = format!(r#"{{"t":"java.math.BigInteger","v":"{}"}}"#, "9".repeat(MEBIBYTE));
    assert!(json::from_json(&digits).is_err());
}

/// As deep as trees may be, on the stack that a test's thread has: 2 MiB.
#[test]
fn the_deepest_trees_fit_the_stack() {
    let depth = MAX_DEPTH as usize;
    for (open, close) in [
        (r#"{"t":"java.util.ArrayList","v":["#, "]}"),
        (r#"{"t":"[[I","v":["#, "]}"),
        (r#"{"t":"java.util.HashMap","v":[[null,"#, "]]}"),
        (r#"{"t":"java.util.TreeMap","v":[[null,"#, "]]}"),
        (r#"{"t":"x","v":{"a":"#, "}}"),
    ] {
        let nested = |depth: usize| format!("{}null{}", open.repeat(depth), close.repeat(depth));
        let text = nested(depth);
        let value = json::from_json(&text).unwrap();
        assert_eq!(json::to_json(&value), text);
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        let limits = Limits {
            depth: u32::MAX,
            ..Limits::DEFAULT
        };
        let (same, _) = Value::decode(&bytes, &mut Scratch::new(), &limits).unwrap();
        assert_eq!(same.clone(), value);
        assert!(format!("{same:?}").len() > depth);
        assert_eq!(same.containers(), MAX_DEPTH);
        // One more is refused, in text and in bytes.
        let error = json::from_json(&nested(depth + 1)).unwrap_err();
        assert_eq!(error.problem, "nested too deep");
        let mut outer = vec![0x79];
        outer.extend(&bytes);
        if bytes[0] != b'C' {
            let error = Value::decode(&outer, &mut Scratch::new(), &limits).unwrap_err();
            assert!(error.is_limit(), "{error}");
        }
    }
}

#[test]
fn telnet() {
    let mut buffer = BytesMut::from(&vec![b'a'; MEBIBYTE][..]);
    let (line, _, peak) = counted(|| text_line(&mut buffer, 1024));
    assert_eq!(line, Some(TextLine::TooLong));
    assert!(peak < 1024, "{peak}");
    let mut buffer = BytesMut::from(&[b"a".repeat(1024), b"\n".to_vec()].concat()[..]);
    assert!(matches!(text_line(&mut buffer, 1024), Some(TextLine::Command(line)) if line.len() == 1024));
}

#[test]
fn four_gigabytes_announced() {
    for length in [u32::MAX, 1 << 31, (1 << 31) - 1, 9 << 20] {
        let mut bytes = vec![0xda, 0xbb, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        bytes.extend_from_slice(&length.to_be_bytes());
        let mut buffer = BytesMut::from(&bytes[..]);
        let (result, allocations, _) = counted(|| split(&mut buffer, 8 << 20));
        assert!(matches!(
            result,
            Err(FrameError::NegativeLength { .. } | FrameError::TooLarge { .. })
        ));
        assert_eq!((allocations, buffer.len()), (0, 16));
    }
}

/// Descriptors of eight million parameters, or of a class name that never ends.
#[test]
fn descriptors() {
    for (text, count) in [
        ("I".repeat(8 << 20), 8 << 20),
        ("La;".repeat(2 << 20), 2 << 20),
        ("La[".repeat(2 << 20), (2 << 20) + 1),
        ("[".repeat(8 << 20), 1),
        ("L".repeat(8 << 20), 1),
    ] {
        let (found, allocations, _) = counted(|| descriptor::parameters(&text).count());
        assert_eq!((found, allocations), (count, 0));
        assert_eq!(codecs::plan::descriptor::class_names(&text), None);
    }
}

#[test]
fn provider_urls() {
    let long = format!("dubbo%3A%2F%2F1.2.3.4%3A20880%2Fx%3Fa%3D{}", "b".repeat(MEBIBYTE));
    let (result, _, peak) = counted(|| ProviderUrl::from_znode(&long));
    assert!(matches!(result, Err(ParseError::TooLong(_))), "{result:?}");
    assert!(peak <= 3 * MEBIBYTE, "{peak}");
    // As many methods and timeouts as fit: each looked up at once.
    let methods: Vec<String> = (0..4000).map(|n| format!("m{n:x}")).collect();
    let timeouts: String = methods
        .iter()
        .map(|method| format!("&{method}.timeout=5"))
        .collect();
    let text = format!("dubbo://1.2.3.4:20880/x?methods={}{timeouts}", methods.join(","));
    let text = text.get(..text.len().min(60_000)).unwrap();
    let url: ProviderUrl = text.parse().unwrap();
    let (timeouts, _, peak) = counted(|| url.timeouts().len());
    assert!(timeouts > 1000, "{timeouts}");
    assert!(peak <= MEBIBYTE, "{peak}");
}

#[test]
fn header_blocks() {
    for text in [
        "%5B".repeat(10_000),
        format!("%7B{}", "%22a%22%3A%7B".repeat(2_000)),
    ] {
        let mut block = HeaderMap::new();
        block.insert(headers::HEADER_CONVERT, HeaderValue::from_str(&text).unwrap());
        block.insert("a", HeaderValue::from_static("1"));
        let mut seen = 0;
        let ((), _, peak) = counted(|| headers::read(&block, |_, _| seen += 1));
        assert_eq!(seen, 1);
        assert!(peak <= MEBIBYTE, "{peak}");
    }
}

/// What an operator or a metadata center gives: refused all the same.
#[test]
fn definitions_and_bindings() {
    for text in [
        "[".repeat(1_000_000),
        format!(r#"{{"canonicalName":"x.S","types":{}"#, "[".repeat(1_000_000)),
        format!(
            r#"{{"canonicalName":"x.S","methods":[{{"name":"f","parameterTypes":["{}"]}}]}}"#,
            "java.util.List<".repeat(100_000)
        ),
    ] {
        let source = Source {
            origin: "x.json",
            text: &text,
        };
        let input = Input {
            definitions: &[source],
            proto_file: "x.proto",
            ..Input::default()
        };
        let (result, _, peak) = counted(|| draft(&input));
        result.unwrap_err();
        assert!(peak <= MEBIBYTE + 8 * text.len(), "{peak} for {}", text.len());
    }
    let mut bomb = String::from("a0: &a0 [x]\n");
    for n in 1..40 {
        let before = n - 1;
        bomb.push_str(&format!("a{n}: &a{n} [*a{before}, *a{before}]\n"));
    }
    for text in [
        bomb,
        "[".repeat(100_000),
        "a: ".repeat(100_000),
        "? ".repeat(100_000),
    ] {
        let (result, _, peak) = counted(|| Bindings::load("x.yaml", &text, &mut |_| Err("none".to_owned())));
        assert!(result.unwrap_err().to_string().contains("x.yaml"));
        assert!(peak <= 64 * MEBIBYTE, "{peak}");
    }
}

/// What looks like an EnumSet to its last field, at every level: what is inside is not copied to be compared.
#[test]
fn nested_enum_sets_are_not_copied() {
    let constant = Value::object("t.Color", [("name", Value::from("RED"))]);
    let items: Vec<Value> = (0..1000).map(|_| Value::List([Value::Null].into())).collect();
    let mut value = Value::object("t.Large", [("items", Value::List(items.into()))]);
    for _ in 0..200 {
        let objects = Value::typed_list("[object", [constant.clone()]);
        let fields = [("objects", objects), ("type", value)];
        value = Value::object("com.alibaba.com.caucho.hessian.io.EnumSetHandler", fields);
    }
    let (text, allocations, _) = counted(|| json::to_json(&value));
    assert_eq!(json::from_json(&text), Ok(value));
    assert!(allocations < 20_000, "{allocations}");
}
