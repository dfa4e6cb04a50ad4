//! Protobuf: plans both ways, and what plans are made from.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use codecs::hessian2::Limits;
use codecs::protobuf::draft::{Input, Source, draft};
use codecs::protobuf::{Bindings, MappingError, MethodBinding, Rule, Scratch};

use super::LIMITS;

/// Every kind of field that a plan knows.
const PROTO: &str = include_str!("protobuf/all.proto");
const VALUE: &str = include_str!("protobuf/value.proto");
const BINDING: &str = include_str!("protobuf/all.yaml");

fn read(name: &str) -> Result<Vec<u8>, String> {
    match name {
        "all.proto" => Ok(PROTO.as_bytes().to_vec()),
        "value.proto" => Ok(VALUE.as_bytes().to_vec()),
        _ => Err("no such file".to_owned()),
    }
}

/// The method that the first byte names, and the rest.
fn method(data: &[u8]) -> Option<(&'static Arc<MethodBinding>, &[u8])> {
    static BINDINGS: OnceLock<Bindings> = OnceLock::new();
    let bindings = BINDINGS.get_or_init(|| {
        Bindings::load("all.yaml", BINDING, &mut read).unwrap_or_else(|error| panic!("{error}"))
    });
    let methods = &bindings.services()[0].methods;
    let (first, rest) = data.split_first()?;
    Some((methods.get(usize::from(*first) % methods.len())?, rest))
}

/// From a message to Hessian and on until nothing changes any more: what one way of a plan wrote is no broken message to the
/// other, though a rule may refuse what it says (text that is no UUID, nesting).
fn settles(method: &MethodBinding, message: &[u8], scratch: &mut Scratch) {
    let limits = Limits::DEFAULT;
    let step = |converted: Result<Bytes, MappingError>| match converted {
        Err(error) if matches!(error.rule, Rule::Malformed | Rule::Kind | Rule::Arity) => {
            panic!("what was written is not read: {error}")
        }
        converted => converted.ok(),
    };
    let Some(first) = step(method.arguments_to_hessian(message, scratch, &limits)) else {
        return;
    };
    let Some(again) = step(method.arguments_to_protobuf(&first, scratch, &limits)) else {
        return;
    };
    assert_eq!(
        step(method.arguments_to_hessian(&again, scratch, &limits)),
        Some(first)
    );
}

/// A method's number and a Hessian stream: arguments, one by one and generic, and the result; back and forth.
pub fn plan_to_protobuf(data: &[u8]) {
    let Some((method, stream)) = method(data) else {
        return;
    };
    let mut scratch = Scratch::default();
    let ceiling = LIMITS.decoded_bytes + data.len() + 1024;
    if let Ok(message) = method.arguments_to_protobuf(stream, &mut scratch, &LIMITS) {
        assert!(message.len() <= ceiling);
        settles(method, &message, &mut scratch);
    }
    if let Ok(message) = method.generic_to_protobuf(stream, &mut scratch, &LIMITS) {
        assert!(message.len() <= ceiling);
        settles(method, &message, &mut scratch);
    }
    if let Ok(result) = method.result_to_protobuf(stream, &mut scratch, &LIMITS) {
        let _ = method.result_to_hessian(&result.bytes, result.null, &mut scratch, &LIMITS);
    }
}

/// A method's number and a message: arguments as one stream, as one each, the result, and the generic form.
pub fn plan_to_hessian(data: &[u8]) {
    let Some((method, message)) = method(data) else {
        return;
    };
    let mut scratch = Scratch::default();
    let ceiling = LIMITS.decoded_bytes + data.len() + 4096;
    if let Ok(stream) = method.arguments_to_hessian(message, &mut scratch, &LIMITS) {
        assert!(stream.len() <= ceiling);
        let streams = method.arguments_to_streams(message, &mut scratch, &LIMITS);
        assert!(streams.is_ok_and(|streams| streams.len() == method.arg_types.len()));
        if let Ok(again) = method.arguments_to_protobuf(&stream, &mut scratch, &Limits::DEFAULT) {
            settles(method, &again, &mut scratch);
        }
    }
    for null in [false, true] {
        let _ = method.result_to_hessian(message, null, &mut scratch, &LIMITS);
        if let Ok(generic) = method.result_to_generic(message, null, &mut scratch, &LIMITS) {
            assert!(generic.len() <= ceiling);
        }
    }
}

/// Up to three texts with a zero byte between them: a service definition, hints and a lock file. The same input and lock
/// give the same draft.
pub fn draft_json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut parts = text.split('\0');
    let definition = Source {
        origin: "fuzzed.json",
        text: parts.next().unwrap_or_default(),
    };
    let mut input = Input {
        definitions: &[definition],
        hints: parts.next(),
        lock: parts.next(),
        proto_file: "draft.proto",
    };
    let Ok(first) = draft(&input) else { return };
    assert_eq!(draft(&input).as_ref(), Ok(&first));
    input.lock = Some(&first.lock);
    let second = draft(&input).expect("a draft with its own lock");
    assert_eq!((second.proto, second.lock), (first.proto, first.lock));
}

/// A binding file over a fixed schema: it is loaded, or refused with the file's name.
pub fn binding_yaml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Bindings::load("fuzzed.yaml", text, &mut read) {
        Ok(bindings) => assert!(
            bindings
                .services()
                .iter()
                .all(|service| service.file == "fuzzed.yaml")
        ),
        Err(error) => assert!(error.to_string().contains("fuzzed.yaml"), "{error}"),
    }
}
