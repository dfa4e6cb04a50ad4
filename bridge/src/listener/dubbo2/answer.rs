//! Answers: a reply or an error as a response frame.

use std::borrow::Cow;

use codecs::attachments::Attachments;
use codecs::dubbo2::{Answer, DUBBO_VERSION, EncodeError, EncodeResponse, Header, Status, encode_error};
use codecs::hessian2::{Limits, Scratch, throwable};
use codecs::invocation::Text;
use codecs::{Encoding, Exception, Outcome, Reply};

use super::calls::Done;
use crate::crossing;
use crate::error::{CallError, Limit};
use crate::status::{self, Dubbo2Answer};
use crate::worker::Worker;

/// Attachments of an answer that never travel on: a dubbo-go provider returns all that it was sent.
const PRIVATE: [&str; 9] = [
    "path",
    "interface",
    "group",
    "version",
    "timeout",
    "retries",
    "local-addr",
    "remote-addr",
    "landbridge-hop",
];

/// Appends the answer of a call.
pub(super) fn write(done: &Done, worker: &Worker, most: usize, out: &mut Vec<u8>) {
    match &done.result {
        Ok(answer) => self::reply(done, &answer.reply, worker, most, out),
        Err(error) => self::error(done.id, error, worker, out),
    }
}

/// Appends the answer to a call that has no reply.
pub(super) fn error(id: u64, error: &CallError, worker: &Worker, out: &mut Vec<u8>) {
    plain(id, &status::to_dubbo2(error), worker, out);
}

fn plain(id: u64, answer: &Dubbo2Answer, worker: &Worker, out: &mut Vec<u8>) {
    match answer {
        Dubbo2Answer::Status { status, text } => encode_error(id, Status(*status), text, out),
        Dubbo2Answer::Exception { text } => {
            let exception = throwable::encode(status::EXCEPTION_CLASS, text);
            let response = EncodeResponse {
                id,
                answer: Answer::Exception(&exception),
                attachments: None,
            };
            let scratch = &mut worker.scratch.borrow_mut().hessian;
            // Its text is short and its attachments none: it always fits.
            let _ = response.encode(usize::MAX, scratch, &Limits::DEFAULT, out);
        }
    }
}

fn reply(done: &Done, reply: &Reply, worker: &Worker, most: usize, out: &mut Vec<u8>) {
    let answer = match &reply.outcome {
        Outcome::Result(payload) => match payload.encoding {
            Encoding::Opaque(serialization) => return opaque(done.id, serialization, &payload.bytes, out),
            _ => Answer::Result(&payload.bytes),
        },
        Outcome::Exception(Exception::Throwable(bytes)) => Answer::Exception(bytes),
        Outcome::Exception(Exception::Status(status)) => {
            return plain(done.id, &status::status_to_dubbo2(status, false), worker, out);
        }
    };
    let scratch = &mut worker.scratch.borrow_mut().hessian;
    let attachments = done
        .with_attachments
        .then(|| cleaned(&reply.attachments, scratch));
    let response = EncodeResponse {
        id: done.id,
        answer,
        attachments: attachments.as_deref(),
    };
    if let Err(error) = response.encode(most, scratch, &Limits::DEFAULT, out) {
        if matches!(error, EncodeError::TooLarge { .. }) {
            worker.shard.count_limit(Limit::Message);
        }
        encode_error(
            done.id,
            Status::BAD_RESPONSE,
            &format!("cannot write the response: {error}"),
            out,
        );
    }
}

/// What the consumer may see of a reply's attachments: never the provider's own `dubbo`. What is as it should be, which
/// is what Java providers send, is not copied.
fn cleaned<'a>(attachments: &'a Attachments, scratch: &mut Scratch) -> Cow<'a, Attachments> {
    // A map that was just written can be read; if not, the consumer gets none.
    let mut cleaned = crossing::to_dubbo2(attachments, scratch).unwrap_or_default();
    let mut private = [None; PRIVATE.len()];
    let mut says_dubbo = false;
    for (name, value) in cleaned.iter() {
        if let Some(at) = PRIVATE.iter().position(|private| *private == name) {
            private[at] = PRIVATE.get(at);
        } else if name == "dubbo" {
            says_dubbo = value.to_text().as_deref() == Some(DUBBO_VERSION);
        }
    }
    for name in private.into_iter().flatten() {
        cleaned.to_mut().remove(name);
    }
    if !says_dubbo {
        let dubbo = (Text::from_static("dubbo"), Text::from_static(DUBBO_VERSION));
        cleaned.to_mut().set(dubbo.0, dubbo.1);
    }
    cleaned
}

/// A body in a serialization that we do not read, as it came.
fn opaque(id: u64, serialization: u8, body: &[u8], out: &mut Vec<u8>) {
    let header = Header {
        serialization,
        length: u32::try_from(body.len()).unwrap_or(u32::MAX),
        ..Header::response(id, Status::OK)
    };
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(body);
}

/// Why a request in another serialization than Hessian 2 is refused.
pub(super) fn unread(serialization: u8) -> String {
    // The ids of Dubbo's `org.apache.dubbo.common.serialize.Constants`.
    let name = match serialization {
        1 => "dubbo",
        3 => "java",
        4 => "compactedjava",
        5 => "json",
        6 => "fastjson",
        7 => "nativejava",
        8 => "kryo",
        9 => "fst",
        10 => "native-hessian",
        11 => "avro",
        12 => "protostuff",
        16 => "gson",
        18 => "jackson",
        21 => "protobuf-json",
        22 => "protobuf",
        23 => "fastjson2",
        25 => "kryo2",
        27 => "msgpack",
        28 => "fury",
        _ => "unknown",
    };
    format!(
        "serialization {serialization} ({name}) is not read by the gateway: configure serialization=hessian2"
    )
}
