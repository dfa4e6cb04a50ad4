//! Streams made to cost more than they are charged for.

use super::*;
use crate::protobuf::Rule;

const PLAIN: &str = "services: [{java: t.S, proto: t.S}]\n";

fn items() -> Echo {
    Echo::new(
        "message M { repeated Item items = 1; } message Item { string name = 1; }",
        &format!("{PLAIN}messages: [{{proto: t.M, java: t.M}}, {{proto: t.Item, java: t.Item}}]"),
    )
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let pieces = text.as_bytes().chunks(0xffff);
    let last = pieces.len().saturating_sub(1);
    for (index, piece) in pieces.enumerate() {
        out.push(if index == last { 0x53 } else { 0x52 });
        out.extend_from_slice(&u16::try_from(piece.len()).unwrap().to_be_bytes());
        out.extend_from_slice(piece);
    }
}

fn put_class(out: &mut Vec<u8>, name: &str, fields: &[&str]) {
    out.push(0x43);
    put_text(out, name);
    out.push(0x90 + u8::try_from(fields.len()).unwrap());
    fields.iter().for_each(|field| put_text(out, field));
}

fn put_list(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&[0x58, 0x49]);
    out.extend_from_slice(&u32::try_from(len).unwrap().to_be_bytes());
}

#[test]
fn a_definition_is_known_by_what_its_bytes_mean() {
    // The same bytes are the name "R\0\u{4}X" and 200 fields, or the name "XI\0\0" in pieces and one field.
    let mut bytes = b"R\0\x04X\x49\0\0\0\xc8\x01S\x01\0".to_vec();
    bytes.extend(b"\x01a".repeat(58));
    bytes.extend([0; 140]);
    let whole = [b"C\x04".as_slice(), &bytes, b"\x60", &b"\x01x".repeat(200)].concat();
    let pieces = [b"C".as_slice(), &bytes, b"\x60\x01x"].concat();
    let echo = Echo::new(
        "message M { string a = 1; }",
        &format!("{PLAIN}messages: [{{proto: t.M, java: t.M}}]"),
    );
    let method = echo.method();
    let mut scratch = Scratch::default();
    let mut convert = |stream: &[u8]| {
        let bytes = method.arguments_to_protobuf(stream, &mut scratch, &Limits::DEFAULT);
        json_of(&echo.message(), &bytes.unwrap())
    };
    assert_eq!(convert(&pieces), json!({}));
    assert_eq!(convert(&whole), json!({"a": "x"}));
}

#[test]
fn names_that_objects_share_are_short() {
    let echo = items();
    let convert = |stream: &[u8]| {
        echo.method()
            .arguments_to_protobuf(stream, &mut Scratch::default(), &Limits::DEFAULT)
    };
    let stream = |class: &str, field: &str| {
        let mut out = Vec::new();
        put_class(&mut out, "t.M", &["items"]);
        out.push(0x60);
        put_list(&mut out, 2);
        put_class(&mut out, class, &[field, "name"]);
        out.extend_from_slice(b"\x61N\x01a\x61N\x01b");
        out
    };
    let long = "x".repeat(100_000);
    // A field that nothing is bound to may be called anything.
    let bytes = convert(&stream("t.Item", &long)).unwrap();
    assert_eq!(
        json_of(&echo.message(), &bytes),
        json!({"items": [{"name": "a"}, {"name": "b"}]})
    );
    assert_eq!(convert(&stream(&long, "f")).unwrap_err().rule, Rule::Limit);
    assert!(convert(&stream("t.Other", "f")).is_ok());
}
