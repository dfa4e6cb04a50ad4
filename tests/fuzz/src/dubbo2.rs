//! Dubbo2: frames with what they hold, telnet, and the URLs in znodes.

use bytes::BytesMut;
use codecs::Attachments;
use codecs::dubbo2::{
    Answer, EncodeRequest, EncodeResponse, Event, Message, Opening, ResponseBody, TextLine, split, text_line,
};
use codecs::hessian2::{Limits, Scratch, split_arguments, throwable};
use codecs::plan::exception::to_status;
use codecs::provider_url::ProviderUrl;
use codecs::triple::headers::{NonAscii, write_all};

use super::{LIMITS, MAX};

/// Frames in any chunking; what they hold is read, and written again byte by byte where nothing was changed.
pub fn dubbo2_frame(data: &[u8]) {
    let whole = frames(data, usize::MAX);
    let pieces = frames(data, 7);
    assert_eq!(whole, pieces);
    let mut scratch = Scratch::new();
    for frame in whole.0 {
        let mut same = Vec::new();
        frame.write_as(frame.header.id, &mut same);
        assert_eq!(frames(&same, usize::MAX).0, std::slice::from_ref(&frame));
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
                headers_of(&request.attachments);
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
                        let _ = to_status(value, None, &mut codecs::plan::Scratch::default(), &LIMITS);
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
                headers_of(&response.attachments);
            }
            Message::Event(_) => {
                let mut out = Vec::new();
                if Event::answer(&frame, &mut out) {
                    let (answers, whole) = frames(&out, usize::MAX);
                    assert!(whole && answers[0].header.id == frame.header.id);
                    assert_eq!(Event::decode(&answers[0]), Event::HeartbeatResponse);
                }
            }
            Message::Opaque(..) => {}
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

/// Attachments as headers: what does not fit is refused.
fn headers_of(attachments: &Attachments) {
    for non_ascii in [NonAscii::Percent, NonAscii::Bin, NonAscii::Drop] {
        let _ = write_all(attachments, &mut http::HeaderMap::new(), non_ascii);
    }
}

/// What a connection opens with is told by its first bytes and does not change with more; telnet lines in any chunking.
pub fn dubbo2_text(data: &[u8]) {
    let mut told = None;
    for end in 1..=data.len().min(24) {
        let now = Opening::of(&data[..end]);
        assert!(told.is_none() || told == now, "{told:?} {now:?}");
        told = now;
    }
    assert_eq!(lines(data, usize::MAX), lines(data, 3));
}

fn lines(data: &[u8], piece: usize) -> Vec<TextLine> {
    const MOST: usize = 64;
    let mut buffer = BytesMut::new();
    let mut found = Vec::new();
    for chunk in data.chunks(piece.min(data.len().max(1))) {
        buffer.extend_from_slice(chunk);
        while let Some(line) = text_line(&mut buffer, MOST) {
            let command = matches!(line, TextLine::Command(_));
            found.push(line);
            if !command {
                return found;
            }
        }
    }
    assert!(buffer.len() <= MOST);
    found
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
