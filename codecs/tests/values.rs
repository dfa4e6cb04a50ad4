//! Values written by real Java peers, as trees and as typed JSON.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use codecs::dubbo2::{Message, ResponseBody, split};
use codecs::hessian2::{Limits, Scratch, Skimmer};
use codecs::value::{Value, json};
use serde_json::Value as Json;

fn lines(name: &str) -> Vec<String> {
    let path = format!(
        "{}/../tests/fixtures/java-captures/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines().map(str::to_owned).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// `serde_json` refuses lone surrogates: for it they become U+FFFD.
fn parse(line: &str) -> Json {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("\\u") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let unit = |text: &str| u16::from_str_radix(text.get(2..6)?, 16).ok();
        let high = unit(from).unwrap();
        let low = from
            .get(6..12)
            .filter(|text| text.starts_with("\\u"))
            .and_then(unit);
        let len = match (high, low) {
            (0xd800..=0xdbff, Some(0xdc00..=0xdfff)) => 12,
            (0xd800..=0xdfff, _) => 0,
            _ => 6,
        };
        out.push_str(if len == 0 { "\\ufffd" } else { &from[..len] });
        rest = &from[len.max(6)..];
    }
    out.push_str(rest);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// A value in a form in which what Java shows and what the wire says can be compared: scalars by value, containers by
/// content, hash containers in any order, exceptions by what the peers' printer shows of them. Java's printer meets
/// fields in another order, so what is shared is shown in full wherever it stands, but for cycles.
fn plain(value: &Json, ids: &mut BTreeMap<u64, Json>) -> Json {
    let Json::Object(members) = value else {
        return value.clone();
    };
    if let Some(id) = members.get("ref") {
        return match ids.get(&id.as_u64().unwrap()) {
            Some(text) => text.clone(),
            None => Json::from("again"),
        };
    }
    let class = members["t"].as_str().unwrap();
    let v = &members["v"];
    let result = match v {
        Json::Array(items) => {
            let mut items: Vec<Json> = items
                .iter()
                .map(|item| match item {
                    Json::Array(entry) => entry.iter().map(|part| plain(part, ids)).collect(),
                    item => plain(item, ids),
                })
                .collect();
            let whole = class.starts_with("java.util.Hash")
                || class.contains("Set")
                || class.contains("ConcurrentHashMap")
                || class.contains("ImmutableCollections");
            if whole {
                items.sort_by_key(Json::to_string);
            }
            Json::Array(items)
        }
        Json::Object(fields) if fields.contains_key("len") => {
            let head = fields["head"].as_str().unwrap();
            Json::from(format!("{head}… {}", fields["len"]))
        }
        Json::Object(fields) => {
            let throwable = fields.contains_key("detailMessage") || fields.contains_key("frames");
            let mut plain_fields = BTreeMap::new();
            for (name, field) in fields {
                let field_value = plain(field, ids);
                let (name, field_value) = match name.as_str() {
                    "detailMessage" => ("message", field_value),
                    "cause" if field_value == "again" => ("cause", Json::Null),
                    "stackTrace" => ("frames", Json::from(items_of(field).to_string())),
                    "suppressedExceptions" => ("suppressed", Json::from(items_of(field).to_string())),
                    name => (name, field_value),
                };
                if !(throwable && name == "serialVersionUID") {
                    plain_fields.insert(name.to_owned(), field_value);
                }
            }
            serde_json::to_value(plain_fields).unwrap()
        }
        Json::String(text) if text.len() > 4000 => {
            let head: String = text.chars().take(32).collect();
            Json::from(format!("{head}… {}", text.len()))
        }
        Json::String(text) if class == "java.lang.Double" || class == "java.lang.Float" => {
            let number: f64 = text.replace("Infinity", "inf").parse().unwrap();
            // A float widened by its bits shows its neighbour's digits; −0.0 loses its sign.
            #[allow(clippy::cast_possible_truncation, reason = "compared as float")]
            Json::from(format!("{:?}", number as f32 + 0.0))
        }
        Json::String(text) => Json::from(text.clone()),
        Json::Number(number) => Json::from(number.to_string()),
        other => other.clone(),
    };
    if let Some(id) = members.get("id") {
        ids.insert(id.as_u64().unwrap(), result.clone());
    }
    result
}

fn items_of(list: &Json) -> usize {
    list.get("v").and_then(Json::as_array).map_or(0, Vec::len)
}

#[test]
fn java_values_decode_to_what_java_shows() {
    let mut scratch = Scratch::new();
    let mut compared = 0;
    for release in ["2.6.12", "2.7.23", "3.2.19", "3.3.6"] {
        for line in lines(&format!("hessian-{release}.jsonl")) {
            let row = parse(&line);
            // Without bytes where they were too many to keep.
            let (Some(name), Some(hex)) = (row["name"].as_str(), row["hex"].as_str()) else {
                assert!(row["note"].is_string(), "{line}");
                continue;
            };
            let bytes = unhex(hex);
            let (value, end) = Value::decode(&bytes, &mut scratch, &Limits::DEFAULT)
                .unwrap_or_else(|error| panic!("{release} {name}: {error}"));
            assert_eq!(end, bytes.len(), "{release} {name}");

            let text = json::to_json(&value);
            assert_eq!(json::from_json(&text).unwrap(), value, "{release} {name}: {text}");

            let mut again = Vec::new();
            value.encode(&mut again);
            let (same, end) = Value::decode(&again, &mut scratch, &Limits::DEFAULT).unwrap();
            assert_eq!((&same, end), (&value, again.len()), "{release} {name}");

            let ours = plain(&parse(&text), &mut BTreeMap::new());
            let written = plain(&row["value"], &mut BTreeMap::new());
            let read = plain(&row["back"], &mut BTreeMap::new());
            if ours != written && ours != read {
                let cut = |json: Json| json.to_string().chars().take(600).collect::<String>();
                let (ours, written, read) = (cut(ours), cut(written), cut(read));
                eprintln!("{release} {name}:\n  ours    {ours}\n  written {written}\n  read    {read}");
                compared -= 1000;
            }
            compared += 1;
        }
    }
    assert!(compared > 550, "{compared} compared");
}

/// What the torture echo gave back to the consumer is what its response says.
#[test]
fn torture_responses_decode_to_what_java_got() {
    let mut scratch = Scratch::new();
    let (mut compared, mut different) = (0, Vec::new());
    for peer in ["2.6.12", "2.7.23", "3.3.6"] {
        for line in lines(&format!("torture-dubbo-{peer}.jsonl")) {
            let row = parse(&line);
            let (Some(case), Some(hex)) = (row["case"].as_str(), row["resp"].as_str()) else {
                continue;
            };
            let mut buffer = BytesMut::from(&unhex(hex)[..]);
            let frame = split(&mut buffer, 1 << 20).unwrap().unwrap();
            let Message::Response(response) =
                Message::decode(&frame, &mut scratch, &Limits::DEFAULT).unwrap()
            else {
                panic!("{case}");
            };
            let value = match &response.body {
                ResponseBody::Result(bytes) | ResponseBody::Exception(bytes) => bytes.clone(),
                _ => Bytes::from_static(b"N"),
            };
            let (value, end) = Value::decode(&value, &mut scratch, &Limits::DEFAULT)
                .map(|(shown, end)| (shown, end == value.len()))
                .unwrap();
            assert!(end, "{peer} {case}");
            let text = json::to_json(&value);
            assert_eq!(json::from_json(&text).unwrap(), value, "{peer} {case}");
            // Its primitive float was corrupted by Java as it came back.
            if case.ends_with("-everything") {
                continue;
            }
            let ours = plain(&parse(&text), &mut BTreeMap::new());
            let theirs = plain(&row["expected"], &mut BTreeMap::new());
            compared += 1;
            if ours != theirs {
                different.push(format!("{peer} {case}"));
            }
        }
    }
    assert!(compared > 800, "{compared}");
    assert_eq!(different, Vec::<String>::new(), "{compared} compared");
}

#[test]
fn skimming_needs_little_scratch() {
    let mut scratch = Scratch::new();
    for line in lines("hessian-3.3.6.jsonl") {
        let bytes = unhex(parse(&line)["hex"].as_str().unwrap_or("4e"));
        Skimmer::new(&bytes, &mut scratch, &Limits::DEFAULT)
            .skim()
            .unwrap();
    }
    assert!(scratch.skim_capacity_bytes() <= 64 << 10);
}
