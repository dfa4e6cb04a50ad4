//! Where bytes of a peer come in.

use std::error::Error;
use std::sync::{Arc, OnceLock};

use bytes::{BufMut, Bytes, BytesMut};
use codecs::dubbo2::{Answer, EncodeRequest, EncodeResponse, Frame, Header, Message, Status};
use codecs::hessian2::{
    Limits, Reader, Scratch, Skimmer, Writer, join_arguments, split_arguments, throwable,
};
use codecs::plan::{self, Plan, ResultTarget};
use codecs::protobuf::{Bindings, MethodBinding};
use codecs::triple::wrapper;
use codecs::value::Value;
use codecs::{Attachments, Encoding, Payload};

/// A door: a name, and what reads the bytes there.
pub(crate) type Door = (&'static str, fn(&Bytes, &Limits) -> Result<(), String>);

/// An error with all that caused it.
pub(crate) fn told(error: impl Error + 'static) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

const PROTO: &str = include_str!("../../../tests/fuzz/src/protobuf/all.proto");
const VALUE: &str = include_str!("../../../tests/fuzz/src/protobuf/value.proto");
const BINDING: &str = include_str!("../../../tests/fuzz/src/protobuf/all.yaml");

/// A method of the schema that has a field of every kind.
pub(crate) fn method(rpc: &str) -> &'static Arc<MethodBinding> {
    static BINDINGS: OnceLock<Bindings> = OnceLock::new();
    let bindings = BINDINGS.get_or_init(|| {
        let mut read = |name: &str| match name {
            "all.proto" => Ok(PROTO.as_bytes().to_vec()),
            _ => Ok(VALUE.as_bytes().to_vec()),
        };
        Bindings::load("all.yaml", BINDING, &mut read).unwrap()
    });
    bindings.services()[0].rpc(rpc).unwrap()
}

fn skim(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let mut scratch = Scratch::new();
    let skimmed = Skimmer::new(bytes, &mut scratch, limits)
        .skim()
        .map(drop)
        .map_err(told);
    assert!(scratch.skim_capacity_bytes() <= 64 << 10);
    skimmed
}

fn read(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let mut scratch = Scratch::new();
    let mut reader = Reader::new(bytes, &mut scratch, limits);
    let read = reader.skip().map_err(told);
    assert!(reader.nodes() <= limits.nodes && reader.nodes() as usize <= bytes.len());
    read
}

fn tree(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    Value::decode(bytes, &mut Scratch::new(), limits)
        .map(drop)
        .map_err(told)
}

fn thrown(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    throwable::read(bytes, &mut Scratch::new(), limits)
        .map(drop)
        .map_err(told)
}

fn split(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    split_arguments(bytes, 1, &mut Scratch::new(), limits)
        .map(drop)
        .map_err(told)
}

/// An object of one field, which is null: what stands behind it cannot be sliced when it reads tables.
const OBJECT: &[u8] = &[0x43, 0x01, b'Z', 0x91, 0x01, b'z', 0x60, 0x4e];

/// Behind an argument with which it shares tables: it is rewritten.
fn split_behind(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let mut stream = BytesMut::from(OBJECT);
    stream.put_slice(bytes);
    split_arguments(&stream.freeze(), 2, &mut Scratch::new(), limits)
        .map(drop)
        .map_err(told)
}

fn join(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let first = Bytes::from_static(OBJECT);
    join_arguments(&[first, bytes.clone()], &mut Scratch::new(), limits)
        .map(drop)
        .map_err(told)
}

fn frame(header: Header, body: BytesMut) -> Frame {
    let header = Header {
        length: u32::try_from(body.len()).unwrap(),
        ..header
    };
    Frame {
        header,
        body: body.freeze(),
    }
}

fn request(arguments: &[&[u8]], attachments: &[u8], limits: &Limits) -> Result<(), String> {
    let mut body = BytesMut::from(&b"\x052.0.2\x01S\x00\x01f"[..]);
    let descriptor = "Ljava/lang/Object;".repeat(arguments.len());
    let mut field = Vec::new();
    Writer::new(&mut field).string(&descriptor);
    body.put_slice(&field);
    arguments.iter().for_each(|argument| body.put_slice(argument));
    body.put_slice(attachments);
    let frame = frame(Header::request(1, true), body);
    let mut scratch = Scratch::new();
    let Message::Request(request) = Message::decode(&frame, &mut scratch, limits).map_err(told)? else {
        panic!("no request");
    };
    // And written again, attachments changed.
    let mut attachments = request.attachments.clone();
    attachments.set("z", "1");
    let encode = EncodeRequest {
        id: 1,
        two_way: true,
        dubbo_version: "2.0.2",
        path: "S",
        version: "",
        method: "f",
        descriptor: &descriptor,
        arguments: &request.arguments,
        argument_count: request.argument_count,
        attachments: &attachments,
    };
    encode
        .encode(64 << 20, &mut scratch, limits, &mut Vec::new())
        .map_err(told)
}

fn request_argument(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    request(&[bytes], b"\x48\x5a", limits)
}

fn request_attachment(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    request(&[], &[b"\x48\x01a", &bytes[..], b"\x5a"].concat(), limits)
}

/// The attachment reads the tables of an argument before it.
fn request_attachment_behind(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let attachments = [b"\x48\x01a\x60\x4e\x01b", &bytes[..], b"\x5a"].concat();
    request(&[OBJECT], &attachments, limits)
}

fn response(parts: &[&[u8]], limits: &Limits) -> Result<(), String> {
    let body = parts.concat();
    let frame = frame(Header::response(1, Status::OK), BytesMut::from(&body[..]));
    let mut scratch = Scratch::new();
    let Message::Response(response) = Message::decode(&frame, &mut scratch, limits).map_err(told)? else {
        panic!("no response");
    };
    let encode = EncodeResponse {
        id: 1,
        answer: Answer::Null,
        attachments: Some(&response.attachments),
    };
    encode
        .encode(64 << 20, &mut scratch, limits, &mut Vec::new())
        .map_err(told)
}

fn response_result(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    response(&[b"\x91", bytes], limits)
}

fn response_exception(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    response(&[b"\x90", bytes], limits)
}

fn response_attachment(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    response(&[b"\x95\x48\x01a", bytes, b"\x5a"], limits)
}

fn attachments(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let map = Bytes::from([b"\x48\x01a", &bytes[..], b"\x5a"].concat());
    Attachments::from_hessian(map, &mut Scratch::new(), limits)
        .map(drop)
        .map_err(told)
}

/// A request wrapper whose two arguments are the bytes.
fn wrapped(bytes: &Bytes) -> Payload {
    let mut out = BytesMut::new();
    wrapper::encode_request(
        wrapper::HESSIAN4,
        [bytes, bytes].into_iter(),
        ["java.lang.Object"; 2].into_iter(),
        &mut out,
    );
    Payload::new(Encoding::Wrapper, out.freeze())
}

fn wrapper_to_hessian(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let mut scratch = plan::Scratch::default();
    let plan = Plan::default();
    plan.arguments(&wrapped(bytes), None, Encoding::Hessian2, &mut scratch, limits)
        .map(drop)
        .map_err(told)
}

fn hessian_to_wrapper(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let mut scratch = plan::Scratch::default();
    let types = Some("Ljava/lang/Object;");
    let from = Payload::new(Encoding::Hessian2, bytes.clone());
    Plan::default()
        .arguments(&from, types, Encoding::Wrapper, &mut scratch, limits)
        .map(drop)
        .map_err(told)
}

fn plan_of(rpc: &str, bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let mut scratch = plan::Scratch::default();
    method(rpc)
        .arguments_to_protobuf(bytes, &mut scratch, limits)
        .map(drop)
        .map_err(told)
}

fn plan_tree(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    plan_of("Tree", bytes, limits)
}

/// The value of a field that takes any object.
fn plan_any(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let object = [b"\x43\x0at.Anything\x91\x04java\x60", &bytes[..]].concat();
    plan_of("Any", &object.into(), limits)
}

fn plan_json(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let object = [b"\x43\x0at.Anything\x91\x04json\x60", &bytes[..]].concat();
    plan_of("Any", &object.into(), limits)
}

/// The value of a field that nothing is bound to.
fn plan_collected(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let object = [b"\x43\x0at.Anything\x91\x05extra\x60", &bytes[..]].concat();
    plan_of("Any", &object.into(), limits)
}

fn plan_generic(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let arguments = [b"\x01f\x70\x07[string\x79", &bytes[..]].concat();
    let mut scratch = plan::Scratch::default();
    method("Tree")
        .generic_to_protobuf(&arguments, &mut scratch, limits)
        .map(drop)
        .map_err(told)
}

fn plan_result(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let from = Payload::new(Encoding::Hessian2, bytes.clone());
    let plan = Plan::new(Some(Arc::clone(method("Tree"))));
    let target = ResultTarget::new(Encoding::Protobuf);
    plan.result(&from, &target, &mut plan::Scratch::default(), limits)
        .map(drop)
        .map_err(told)
}

fn plan_streams(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let plan = Plan::new(Some(Arc::clone(method("Tree"))));
    let mut out = BytesMut::new();
    wrapper::encode_request(
        wrapper::HESSIAN4,
        [bytes].into_iter(),
        ["t.Tree"].into_iter(),
        &mut out,
    );
    let from = Payload::new(Encoding::Wrapper, out.freeze());
    let mut scratch = plan::Scratch::default();
    plan.arguments(&from, None, Encoding::Protobuf, &mut scratch, limits)
        .map(drop)
        .map_err(told)
}

/// A Throwable that cannot be read is a status all the same.
fn status(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let status = plan::exception::to_status(bytes, None, &mut plan::Scratch::default(), limits);
    assert_eq!(status.code, 2);
    Err(status.message)
}

/// Every door at which one Hessian value stands.
pub(crate) const HESSIAN: &[Door] = &[
    ("skim", skim),
    ("read", read),
    ("tree", tree),
    ("throwable", thrown),
    ("split", split),
    ("split behind another", split_behind),
    ("join", join),
    ("request argument", request_argument),
    ("request attachment", request_attachment),
    ("request attachment behind arguments", request_attachment_behind),
    ("response result", response_result),
    ("response exception", response_exception),
    ("response attachment", response_attachment),
    ("attachments", attachments),
    ("wrapper to Hessian", wrapper_to_hessian),
    ("Hessian to wrapper", hessian_to_wrapper),
    ("plan, an object", plan_tree),
    ("plan, any value", plan_any),
    ("plan, JSON", plan_json),
    ("plan, collected", plan_collected),
    ("plan, generic", plan_generic),
    ("plan, result", plan_result),
    ("plan, streams", plan_streams),
    ("status of a Throwable", status),
];

fn to_hessian(rpc: &str, bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let mut scratch = plan::Scratch::default();
    method(rpc)
        .arguments_to_hessian(bytes, &mut scratch, limits)
        .map(drop)
        .map_err(told)
}

fn message_tree(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    to_hessian("Tree", bytes, limits)
}

fn message_any(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    to_hessian("Any", bytes, limits)
}

fn message_streams(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let mut scratch = plan::Scratch::default();
    method("Spread")
        .arguments_to_streams(bytes, &mut scratch, limits)
        .map(drop)
        .map_err(told)
}

fn message_result(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let mut scratch = plan::Scratch::default();
    method("Tree")
        .result_to_hessian(bytes, false, &mut scratch, limits)
        .map(drop)
        .map_err(told)
}

fn message_generic(bytes: &Bytes, limits: &Limits) -> Result<(), String> {
    let mut scratch = plan::Scratch::default();
    method("Tree")
        .result_to_generic(bytes, false, &mut scratch, limits)
        .map(drop)
        .map_err(told)
}

fn request_wrapper(bytes: &Bytes, _: &Limits) -> Result<(), String> {
    wrapper::Request::decode(bytes).map(drop).map_err(told)
}

fn response_wrapper(bytes: &Bytes, _: &Limits) -> Result<(), String> {
    wrapper::Response::decode(bytes).map(drop).map_err(told)
}

fn exception_wrapper(bytes: &Bytes, _: &Limits) -> Result<(), String> {
    wrapper::Exception::decode(bytes).map(drop).map_err(told)
}

fn details(bytes: &Bytes, _: &Limits) -> Result<(), String> {
    match codecs::triple::status::details::parse(bytes) {
        Some(_) => Ok(()),
        None => Err("no details".to_owned()),
    }
}

/// Every door at which a protobuf message stands.
pub(crate) const PROTOBUF: &[Door] = &[
    ("message of a tree", message_tree),
    ("message of anything", message_any),
    ("streams", message_streams),
    ("result", message_result),
    ("generic result", message_generic),
    ("request wrapper", request_wrapper),
    ("response wrapper", response_wrapper),
    ("exception wrapper", exception_wrapper),
    ("status details", details),
];
