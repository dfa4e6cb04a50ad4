//! Frames of real Java peers, split, read and written again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use bytes::{Bytes, BytesMut};
use codecs::dubbo2::{Answer, EncodeRequest, EncodeResponse, Frame, Message, ResponseBody, split};
use codecs::hessian2::{Limits, Scratch, Skimmer, join_arguments, split_arguments};

const LIMITS: Limits = Limits::DEFAULT;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/../tests/fixtures/java-captures/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[derive(serde::Deserialize)]
struct Row {
    case: String,
    req: Option<String>,
    resp: Option<String>,
}

/// Every captured Dubbo2 frame with its origin.
fn frames() -> Vec<(String, Frame)> {
    let mut streams = Vec::new();
    let dir = format!("{}/../tests/fixtures/java-captures", env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with("dubbo-") && name.ends_with(".bin") {
            let bytes = fixture(&name);
            streams.push((name, bytes));
        }
    }
    for peer in ["2.6.12", "2.7.23", "3.3.6"] {
        let file = format!("torture-dubbo-{peer}.jsonl");
        for line in String::from_utf8(fixture(&file)).unwrap().lines() {
            let row: Row = serde_json::from_str(line).unwrap();
            for (side, hex) in [("req", row.req), ("resp", row.resp)] {
                if let Some(hex) = hex {
                    streams.push((format!("{peer} {} {side}", row.case), unhex(&hex)));
                }
            }
        }
    }
    let mut frames = Vec::new();
    for (name, bytes) in streams {
        let mut buffer = BytesMut::from(bytes.as_slice());
        while let Some(frame) = split(&mut buffer, 8 << 20).unwrap() {
            frames.push((name.clone(), frame));
        }
        assert!(buffer.is_empty(), "{name}");
    }
    frames
}

#[test]
fn every_frame_is_read_and_written_again() {
    let mut scratch = Scratch::new();
    let (mut requests, mut responses) = (0, 0);
    for (name, frame) in frames() {
        let message =
            Message::decode(&frame, &mut scratch, &LIMITS).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut out = Vec::new();
        match message {
            Message::Request(request) => {
                requests += 1;
                assert_eq!(&*request.dubbo_version, "2.0.2", "{name}");
                assert_eq!(request.target().path, &*request.path, "{name}");
                let encode = EncodeRequest {
                    id: request.header.id,
                    two_way: request.header.two_way,
                    dubbo_version: &request.dubbo_version,
                    path: &request.path,
                    version: &request.version,
                    method: &request.method,
                    descriptor: request.descriptor.as_deref().unwrap(),
                    arguments: &request.arguments,
                    argument_count: request.argument_count,
                    attachments: &request.attachments,
                };
                encode.encode(8 << 20, &mut scratch, &LIMITS, &mut out).unwrap();
            }
            Message::Response(response) => {
                responses += 1;
                let answer = match &response.body {
                    ResponseBody::Result(value) => Answer::Result(value),
                    ResponseBody::Null => Answer::Null,
                    ResponseBody::Exception(value) => Answer::Exception(value),
                    ResponseBody::Error(text) => {
                        assert!(!text.is_empty(), "{name}");
                        continue;
                    }
                    ResponseBody::Opaque(_) => panic!("{name}"),
                };
                let encode = EncodeResponse {
                    id: response.header.id,
                    answer,
                    attachments: Some(&response.attachments),
                };
                assert_eq!(response.attachments.get_text("dubbo").unwrap(), "2.0.2", "{name}");
                encode.encode(8 << 20, &mut scratch, &LIMITS, &mut out).unwrap();
            }
            Message::Event(_) => continue,
            Message::Opaque(..) => panic!("{name}"),
        }
        let mut expected = Vec::new();
        frame.write_as(frame.header.id, &mut expected);
        assert_eq!(out, expected, "{name}");
    }
    assert!(
        requests > 900 && responses > 900,
        "{requests} requests, {responses} responses"
    );
}

#[test]
fn arguments_of_every_request_split_and_join() {
    let mut scratch = Scratch::new();
    for (name, frame) in frames() {
        let Ok(Message::Request(request)) = Message::decode(&frame, &mut scratch, &LIMITS) else {
            continue;
        };
        let parts =
            split_arguments(&request.arguments, request.argument_count, &mut scratch, &LIMITS).unwrap();
        for part in &parts {
            let mut skimmer = Skimmer::new(part, &mut scratch, &LIMITS);
            assert_eq!(skimmer.skim().unwrap().end, part.len(), "{name}");
        }
        let joined = join_arguments(&parts, &mut scratch, &LIMITS).unwrap();
        let again = split_arguments(&joined, parts.len(), &mut scratch, &LIMITS).unwrap();
        assert_eq!(again, parts, "{name}");
    }
}

#[test]
fn attachments_change_without_touching_the_rest() {
    let mut scratch = Scratch::new();
    for (name, frame) in frames() {
        let Ok(Message::Request(mut request)) = Message::decode(&frame, &mut scratch, &LIMITS) else {
            continue;
        };
        let before: Vec<String> = request
            .attachments
            .iter()
            .map(|(name, _)| name.into_owned())
            .collect();
        request.attachments.set("tag", "blue");
        request.attachments.remove("path");
        assert!(!request.attachments.contains("path"));
        let mut body = Vec::new();
        let mut writer = codecs::hessian2::Writer::new(&mut body);
        request
            .attachments
            .write_hessian(&mut writer, &mut scratch, &LIMITS)
            .unwrap();
        let read = codecs::Attachments::from_hessian(Bytes::from(body), &mut scratch, &LIMITS).unwrap();
        let after: Vec<String> = read.iter().map(|(name, _)| name.into_owned()).collect();
        let mut expected: Vec<String> = before.into_iter().filter(|name| name != "path").collect();
        expected.push("tag".into());
        assert_eq!(after, expected, "{name}");
        assert_eq!(read.get_text("tag").unwrap(), "blue");
    }
}

/// Every file of the captures is one that a test reads: frames (here), HTTP/2 connections (the tree of `landbridge decode`,
/// and their messages in `codecs::triple`), values and refusals (`values.rs`); the index names each, with its length.
#[test]
fn the_index_names_every_capture() {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        peer: String,
        req: Option<String>,
        req_bytes: Option<u64>,
        resp: Option<String>,
        resp_bytes: Option<u64>,
    }
    let dir = format!("{}/../tests/fixtures/java-captures", env!("CARGO_MANIFEST_DIR"));
    let mut lengths = std::collections::BTreeMap::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        lengths.insert(name, file.metadata().unwrap().len());
    }
    for line in String::from_utf8(fixture("index.jsonl")).unwrap().lines() {
        let entry: Entry = serde_json::from_str(line).unwrap();
        for (name, bytes) in [(entry.req, entry.req_bytes), (entry.resp, entry.resp_bytes)] {
            let Some(name) = name else { continue };
            assert!(name.starts_with(&entry.peer), "{name}");
            assert_eq!(lengths.remove(&name), bytes, "{name}");
        }
    }
    let rest: Vec<&str> = lengths.keys().map(String::as_str).collect();
    assert_eq!(
        rest,
        [
            "hessian-2.6.12.jsonl",
            "hessian-2.7.23.jsonl",
            "hessian-3.2.19.jsonl",
            "hessian-3.3.6.jsonl",
            "index.jsonl",
            "torture-dubbo-2.6.12.jsonl",
            "torture-dubbo-2.7.23.jsonl",
            "torture-dubbo-3.3.6.jsonl",
        ]
    );
}
