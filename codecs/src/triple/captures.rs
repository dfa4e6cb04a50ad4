//! What Java 3.3.6 put on the wire, read as the bridge reads it. `index.jsonl` has HEADERS and DATA decoded.

#![allow(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value as Json;

use super::headers::{self, AttachmentValue, Caller};
use super::message::Splitter;
use super::status::{self, Status};
use super::wrapper::{Request, Response, is_hessian2};

struct Capture {
    case: String,
    request: Stream,
    response: Stream,
}

#[derive(Default)]
struct Stream {
    /// Each block of headers with its pseudo headers apart.
    blocks: Vec<(Vec<(String, String)>, HeaderMap)>,
    /// The messages that are whole in the index, which cuts long ones.
    messages: Vec<Bytes>,
}

fn captures(peer: &str) -> Vec<Capture> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/java-captures/index.jsonl"
    );
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap())
        .filter(|entry| entry["peer"] == peer)
        .map(|entry| Capture {
            case: entry["case"].as_str().unwrap().to_owned(),
            request: stream(&entry["reqFrames"]),
            response: stream(&entry["respFrames"]),
        })
        .collect()
}

fn stream(frames: &Json) -> Stream {
    let mut stream = Stream::default();
    let mut splitter = Splitter::new(1 << 20);
    let mut cut = false;
    for frame in frames
        .as_array()
        .unwrap()
        .iter()
        .filter(|frame| frame["stream"] == 3)
    {
        if let Some(headers) = frame["headers"].as_array() {
            let (mut pseudo, mut map) = (Vec::new(), HeaderMap::new());
            for pair in headers {
                let (name, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
                match HeaderName::from_bytes(name.as_bytes()) {
                    Ok(name) => {
                        // A line feed is what the wire had; `http` refuses it, as does h2.
                        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                            map.append(name, value);
                        }
                    }
                    Err(_) => pseudo.push((name.to_owned(), value.to_owned())),
                }
            }
            stream.blocks.push((pseudo, map));
        }
        if let Some(hex) = frame["hex"].as_str() {
            cut |= hex.ends_with('…');
            if !cut {
                let bytes: Vec<u8> = (0..hex.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                    .collect();
                splitter.push(bytes.into());
                while let Some(message) = splitter.next_message().unwrap() {
                    assert!(!message.compressed);
                    stream.messages.push(message.bytes);
                }
            }
        }
    }
    if !cut {
        splitter.finish().unwrap();
    }
    stream
}

#[test]
fn every_wrapped_call_is_read_and_written_back_as_it_was() {
    let all = captures("tri-3.3.6-wrapper");
    assert!(all.len() > 40, "{}", all.len());
    let (mut requests, mut responses) = (0, 0);
    for capture in all {
        let case = &capture.case;
        let (pseudo, map) = &capture.request.blocks[0];
        let path = &pseudo.iter().find(|(name, _)| name == ":path").unwrap().1;
        let (service, method) = headers::split_path(path).unwrap();
        assert!(service.starts_with("org.landbridge.peers.api."), "{case}");
        assert!(!method.is_empty());
        assert_eq!(Caller::of(map), Caller::Java, "{case}");
        let timeout = headers::parse_timeout(map["grpc-timeout"].as_bytes());
        assert!(timeout.is_some_and(|timeout| timeout.as_millis() > 0), "{case}");
        for message in &capture.request.messages {
            let request = Request::decode(message).unwrap();
            assert!(is_hessian2(&request.serialize_type), "{case}");
            assert_eq!(request.args.len(), request.arg_types.len(), "{case}");
            let mut out = bytes::BytesMut::new();
            request.encode(&mut out);
            assert_eq!(out.freeze(), message, "{case}");
            requests += 1;
        }
        let (pseudo, map) = &capture.response.blocks[0];
        assert_eq!(pseudo[0], (":status".to_owned(), "200".to_owned()), "{case}");
        assert!(headers::ContentType::is_grpc(map["content-type"].as_bytes()));
        let threw = map.contains_key(headers::EXCEPTION_CODE);
        assert_eq!(
            threw,
            case.starts_with("fail-")
                || ["timeout", "generic-no-method", "generic-checked", "group-checked"].contains(&&**case),
            "{case}"
        );
        for message in &capture.response.messages {
            let response = Response::decode(message).unwrap();
            assert!(response.data.is_some());
            let mut out = bytes::BytesMut::new();
            response.encode(&mut out);
            assert_eq!(out.freeze(), message, "{case}");
            responses += 1;
        }
        let trailers = &capture.response.blocks.last().unwrap().1;
        assert_eq!(Status::from_headers(trailers).unwrap().code, 0, "{case}");
    }
    assert!(requests > 30 && responses >= 20, "{requests} {responses}");
}

#[test]
fn attachments_come_with_their_own_names() {
    let all = captures("tri-3.3.6-wrapper");
    let capture = all.iter().find(|capture| capture.case == "attachments").unwrap();
    let mut found = Vec::new();
    headers::read(&capture.request.blocks[0].1, |name, value| {
        found.push((name.to_owned(), format!("{value:?}")));
    });
    for (name, value) in [
        ("userId", "42"),
        ("lb-trace", "t-1"),
        ("X-Mixed-Case", "M"),
        ("timeout", "10000"),
    ] {
        let want = (
            name.to_owned(),
            format!("{:?}", AttachmentValue::Text(value.into())),
        );
        assert!(found.contains(&want), "{name} in {found:?}");
    }
    assert_eq!(found.len(), 4, "{found:?}");
    let trailers = &capture.response.blocks.last().unwrap().1;
    let mut names = Vec::new();
    headers::read(trailers, |name, _| names.push(name.to_owned()));
    assert!(names.contains(&"echo-userId".to_owned()), "{names:?}");
}

#[test]
fn statuses_of_java_3_3_are_read_raw() {
    for capture in captures("tri-3.3.6-idl") {
        let (pseudo, last) = capture.response.blocks.last().unwrap();
        let status = Status::from_headers(last).unwrap();
        let (code, text) = match capture.case.as_str() {
            "unary-status" => (5, "NOT_FOUND : no item SKU-1 é"),
            // The text had a line feed and could not be kept: the status counts all the same.
            "unary-crash" => (2, ""),
            "server-stream-error" => (8, "RESOURCE_EXHAUSTED : enough"),
            _ => (0, ""),
        };
        assert_eq!(
            (status.code, status.message.as_str()),
            (code, text),
            "{}",
            capture.case
        );
        if capture.case == "unary-status" {
            // `grpc-status` wins over `:status 500`.
            assert_eq!(pseudo[0].1, "500");
            assert_eq!(status::codes::from_http(500), status::Code::Unknown);
        }
        for message in &capture.response.messages {
            assert!(!message.is_empty());
        }
    }
}
