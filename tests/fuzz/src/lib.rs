//! What must hold for any bytes: no panic, no hang, bounded steps, and readers that agree.
//!
//! Shared by the fuzz targets here and by `codecs/tests/replay.rs`, which walks the corpus on stable.

use bytes::{Buf, Bytes, BytesMut};
use codecs::dubbo2::{Answer, EncodeRequest, EncodeResponse, Message, ResponseBody, split};
use codecs::hessian2::{
    Limits, Reader, Scratch, Skimmer, TypeNames, join_arguments, split_arguments, throwable,
};
use codecs::provider_url::ProviderUrl;
use codecs::triple::message::{Compression, Splitter};
use codecs::triple::wrapper;
use codecs::value::{Value, json};

/// Ceiling of a frame here.
const MAX: usize = 1 << 16;

/// Small enough for a fuzzer to reach.
const LIMITS: Limits = Limits {
    depth: 32,
    nodes: 4096,
    decoded_bytes: 1 << 18,
    classes: 16,
    class_fields: 16,
    fields: 64,
    string_len: 1 << 16,
    types: 32,
    references: 1024,
};

/// Frames in any chunking; what they hold is read, and written again byte by byte where nothing was changed.
pub fn dubbo2_frame(data: &[u8]) {
    let whole = frames(data, usize::MAX);
    let pieces = frames(data, 7);
    assert_eq!(whole, pieces);
    let mut scratch = Scratch::new();
    for frame in whole.0 {
        let Ok(message) = Message::decode(&frame, &mut scratch, &LIMITS) else {
            continue;
        };
        let mut out = Vec::new();
        match message {
            Message::Request(request) => {
                let _ = request.target();
                request.attachments.iter().for_each(|(name, value)| {
                    let _ = (name.len(), value.to_text());
                });
                let parts =
                    split_arguments(&request.arguments, request.argument_count, &mut scratch, &LIMITS);
                if let Ok(parts) = parts {
                    assert_eq!(parts.len(), request.argument_count);
                }
                let encode = EncodeRequest {
                    id: frame.header.id,
                    two_way: frame.header.two_way,
                    dubbo_version: &request.dubbo_version,
                    path: &request.path,
                    version: &request.version,
                    method: &request.method,
                    descriptor: request.descriptor.as_deref().unwrap_or_default(),
                    arguments: &request.arguments,
                    argument_count: request.argument_count,
                    attachments: &request.attachments,
                };
                let written = encode.encode(MAX * 4, &mut scratch, &LIMITS, &mut out);
                if written.is_ok() && request.descriptor.is_some() {
                    let (again, _) = frames(&out, usize::MAX);
                    let Ok(Message::Request(again)) =
                        Message::decode(&again[0], &mut scratch, &Limits::DEFAULT)
                    else {
                        panic!("what was written is no request");
                    };
                    assert_eq!(again.arguments, request.arguments);
                    assert_eq!(again.method.as_str(), request.method.as_str());
                }
            }
            Message::Response(response) => {
                let answer = match &response.body {
                    ResponseBody::Result(value) => Answer::Result(value),
                    ResponseBody::Exception(value) => {
                        let _ = throwable::read(value, &mut Scratch::new(), &LIMITS);
                        Answer::Exception(value)
                    }
                    _ => Answer::Null,
                };
                let encode = EncodeResponse {
                    id: frame.header.id,
                    answer,
                    attachments: Some(&response.attachments),
                };
                let _ = encode.encode(MAX * 4, &mut scratch, &LIMITS, &mut out);
            }
            Message::Event(_) | Message::Opaque(..) => {}
        }
    }
}

type Frames = (Vec<codecs::dubbo2::Frame>, bool);

fn frames(data: &[u8], piece: usize) -> Frames {
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    for chunk in data.chunks(piece.min(data.len().max(1))) {
        buffer.extend_from_slice(chunk);
        loop {
            match split(&mut buffer, MAX) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, false),
            }
        }
    }
    (frames, true)
}

/// Skimmer, reader and tree agree; a tree survives writing and typed JSON.
pub fn hessian2_value(data: &[u8]) {
    for limits in [LIMITS, Limits::DEFAULT] {
        let mut scratch = Scratch::new();
        let skimmed = Skimmer::new(data, &mut scratch, &limits)
            .skim()
            .ok()
            .map(|skimmed| skimmed.end);
        assert!(scratch.skim_capacity_bytes() <= 64 << 10);
        let mut reader = Reader::new(data, &mut scratch, &limits);
        let read = reader.skip().ok().map(|()| reader.offset());
        assert!(reader.nodes() as usize <= data.len() + 1);
        let tree = Value::decode(data, &mut scratch, &limits).ok();
        assert_eq!((skimmed, skimmed), (read, tree.as_ref().map(|(_, end)| *end)));
        let Some((value, _)) = tree else { continue };
        let mut out = Vec::new();
        value.encode_as(&mut out, TypeNames::Indexed);
        let (same, _) =
            Value::decode(&out, &mut scratch, &Limits::DEFAULT).expect("what was written is read");
        assert_eq!(same, value);
        let text = json::to_json(&value);
        assert_eq!(json::from_json(&text).as_ref(), Ok(&value), "{text}");
    }
}

/// A count, then a stream: each argument stands alone after splitting, and joining them loses nothing.
pub fn hessian2_arguments(data: &[u8]) {
    let Some((count, stream)) = data.split_first() else {
        return;
    };
    let count = usize::from(*count % 8);
    let stream = Bytes::copy_from_slice(stream);
    let mut scratch = Scratch::new();
    let Ok(parts) = split_arguments(&stream, count, &mut scratch, &LIMITS) else {
        return;
    };
    // What was copied in may pass the small limits.
    let show = |part: &Bytes| {
        let mut scratch = Scratch::new();
        let (value, end) = Value::decode(part, &mut scratch, &Limits::DEFAULT).expect("stands alone");
        assert_eq!(end, part.len());
        value
    };
    let values: Vec<Value> = parts.iter().map(show).collect();
    let joined = join_arguments(&parts, &mut scratch, &Limits::DEFAULT).expect("joins");
    let again = split_arguments(&joined, count, &mut scratch, &Limits::DEFAULT).expect("splits again");
    assert_eq!(again.iter().map(show).collect::<Vec<_>>(), values);
}

/// Text that is typed JSON survives being written.
pub fn typed_json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(value) = json::from_json(text) {
        let text = json::to_json(&value);
        assert_eq!(json::from_json(&text), Ok(value), "{text}");
    }
}

/// gRPC messages in any chunking; wrappers.
pub fn triple_message(data: &[u8]) {
    let mut whole = Splitter::new(MAX);
    whole.push(Bytes::copy_from_slice(data));
    let mut pieces = Splitter::new(MAX);
    let mut rest = Bytes::copy_from_slice(data);
    while rest.has_remaining() {
        pieces.push(rest.split_to(rest.len().min(5)));
    }
    loop {
        let (message, same) = (whole.next_message(), pieces.next_message());
        match (&message, &same) {
            (Ok(message), Ok(same)) => assert_eq!(message, same),
            (Err(_), Err(_)) => return,
            _ => panic!("{message:?} {same:?}"),
        }
        let Ok(Some(message)) = message else { return };
        let Ok(bytes) = message.inflate(Compression::Gzip, MAX) else {
            continue;
        };
        let _ = (
            wrapper::Request::decode(&bytes),
            wrapper::Response::decode(&bytes),
        );
    }
}

/// A znode's name is read, and what was read is written and read as the same.
pub fn provider_url(data: &[u8]) {
    let Ok(name) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(url) = ProviderUrl::from_znode(name) {
        let again = ProviderUrl::from_znode(&url.znode()).expect("what was written is read");
        assert_eq!(again.as_str(), url.as_str());
        let _ = (url.service_key(), url.address(), url.methods(), url.timeouts());
    }
}
