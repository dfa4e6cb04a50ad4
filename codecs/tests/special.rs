//! One value of every class that Java's hessian-lite 3 and 4 write in a form of their own (spec 8.11), and what Java shows
//! of it (`tests/oracle/differential` writes the file: `oracle.Main special`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use codecs::hessian2::{Limits, Reader, Scratch, Token, TypeNames, skim};
use codecs::value::{Value, json};

struct Row {
    name: String,
    bytes: Vec<u8>,
    shown: String,
}

fn rows(release: &str) -> Vec<Row> {
    let path = format!(
        "{}/../tests/fixtures/hessian-special/{release}.tsv",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let rows = text.lines().filter(|line| !line.contains("\terror"));
    rows.map(|line| {
        let mut columns = line.split('\t').map(str::to_owned);
        let (name, hex) = (columns.next().unwrap(), columns.next().unwrap());
        let shown = columns.next().unwrap();
        let bytes = unhex(&hex);
        Row { name, bytes, shown }
    })
    .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn decode(bytes: &[u8]) -> Value {
    let (value, end) = Value::decode(bytes, &mut Scratch::new(), &Limits::DEFAULT).unwrap();
    assert_eq!(end, bytes.len());
    value
}

#[test]
fn every_special_class_is_read_and_written_again() {
    for release in ["hessian-lite-3.2.13", "hessian-lite-4.0.4"] {
        let rows = rows(release);
        assert!(rows.len() > 130, "{release}: {}", rows.len());
        for Row { name, bytes, .. } in rows {
            let value = decode(&bytes);
            for names in [TypeNames::Literal, TypeNames::Indexed] {
                let mut again = Vec::new();
                value.encode_as(&mut again, names);
                assert_eq!(decode(&again), value, "{release} {name}");
            }
            let skimmed = skim::skim(&bytes, &mut Scratch::new(), &Limits::DEFAULT).unwrap();
            assert_eq!(skimmed.end, bytes.len(), "{release} {name}");
            assert_eq!(skimmed.after.references, value.containers(), "{release} {name}");
            let mut scratch = Scratch::new();
            let mut reader = Reader::new(&bytes, &mut scratch, &Limits::DEFAULT);
            let mut open = 0usize;
            loop {
                match reader.read().unwrap() {
                    Token::ListStart { .. } | Token::MapStart { .. } | Token::ObjectStart { .. } => open += 1,
                    Token::End => open -= 1,
                    _ => {}
                }
                if open == 0 {
                    break;
                }
            }
            assert_eq!(reader.offset(), bytes.len(), "{release} {name}");
            let text = json::to_json(&value);
            assert_eq!(
                json::from_json(&text).as_ref(),
                Ok(&value),
                "{release} {name}: {text}"
            );
        }
    }
}

/// Where typed JSON has a text for a class, it is the text of Java itself.
#[test]
fn texts_of_typed_json_are_those_of_java() {
    let mut compared = Vec::new();
    for release in ["hessian-lite-3.2.13", "hessian-lite-4.0.4"] {
        for Row { name, bytes, shown } in rows(release) {
            let text = json::to_json(&decode(&bytes));
            let shown = shown.strip_suffix(')').and_then(|shown| shown.split_once('('));
            let leaf = text
                .strip_prefix("{\"t\":\"")
                .and_then(|text| text.strip_suffix("\"}"))
                .and_then(|text| text.split_once("\",\"v\":\""));
            let (Some((class, java)), Some((our_class, ours))) = (shown, leaf) else {
                continue;
            };
            let java = java.strip_prefix("class ").unwrap_or(java);
            assert_eq!((our_class, ours), (class, java), "{release} {name}");
            compared.push(name);
        }
    }
    for class in [
        "BigDecimal",
        "BigDecimal-exponent",
        "BigInteger",
        "BigInteger-negative",
        "UUID",
        "Locale",
        "Class",
        "AtomicLong",
        "LocalDate",
        "LocalDate-minus",
        "LocalDate-far",
        "LocalTime-minute",
        "LocalDateTime",
        "Instant",
        "Instant-before",
        "Duration",
        "Duration-negative",
        "Duration-small",
        "Duration-zero",
        "Period",
        "Period-zero",
        "Year",
        "YearMonth",
        "MonthDay",
        "ZoneId",
        "ZoneOffset",
        "OffsetTime",
        "OffsetDateTime",
        "OffsetDateTime-utc",
        "ZonedDateTime",
        "ZonedDateTime-offset",
    ] {
        assert!(
            compared.iter().any(|name| name == class),
            "{class} in {compared:?}"
        );
    }
}

/// A number and its negative share their words: a text would leave the reference to them without its target.
#[test]
fn what_is_shared_inside_of_a_text_is_kept() {
    let row = rows("hessian-lite-4.0.4")
        .into_iter()
        .find(|row| row.name == "BigInteger-shared-words")
        .unwrap();
    let value = decode(&row.bytes);
    let text = json::to_json(&value);
    assert_eq!(json::from_json(&text), Ok(value), "{text}");
    assert!(!text.contains("4294967295"), "{text}");
}

#[test]
fn typed_json_that_says_nothing_clear_is_refused() {
    for text in [
        r#"{"t":"java.lang.Boolean","v":yes}"#,
        r#"{"t":"java.lang.Boolean","v":1}"#,
        r#"{"t":"java.lang.String","v":"\u+041"}"#,
        r#"{"t":"java.lang.Integer","v":2147483648}"#,
        r#"{"t":"java.math.BigInteger","v":"007"}"#,
        r#"{"ref":0}"#,
    ] {
        assert!(json::from_json(text).is_err(), "{text}");
    }
}
