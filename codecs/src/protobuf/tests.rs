//! Bindings and conversions as a whole: the peers' shop on captured bytes, the tables of the mapping page, refusals.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::wrong_self_convention,
    clippy::as_conversions,
    reason = "tests fail by panicking, and name things after what they turn into"
)]

mod draft;
mod load;
mod random;
mod shop;
mod tables;

use std::collections::BTreeMap;
use std::sync::Arc;

use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::{Value as Json, json};

use super::{Bindings, LoadError, MappingError, MethodBinding, Scratch};
use crate::hessian2::{JavaText, Limits};
use crate::value::Value;

fn load(yaml: &str, protos: &[(&str, &str)]) -> Result<Bindings, LoadError> {
    let files: BTreeMap<&str, &str> = protos.iter().copied().collect();
    Bindings::load("test.yaml", yaml, &mut |name| {
        files
            .get(name)
            .map(|text| text.as_bytes().to_vec())
            .ok_or_else(|| "no such file".to_owned())
    })
}

/// A service of one method `echo`, whose argument and result are the one field `value` of message `M`, or `M` itself.
struct Echo {
    bindings: Bindings,
}

impl Echo {
    fn new(proto: &str, yaml: &str) -> Self {
        let source = format!(
            "syntax = \"proto3\";\npackage t;\noption java_package = \"t\";\n\
             import \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/duration.proto\";\n\
             import \"google/protobuf/wrappers.proto\";\nimport \"google/protobuf/struct.proto\";\n\
             import \"google/protobuf/any.proto\";\n\
             service S {{ rpc Echo(M) returns (M); }}\n{proto}"
        );
        let yaml = format!("descriptors: [t.proto]\n{yaml}");
        let bindings =
            load(&yaml, &[("t.proto", &source)]).unwrap_or_else(|error| panic!("{error}\n{source}\n{yaml}"));
        Self { bindings }
    }

    fn method(&self) -> Arc<MethodBinding> {
        Arc::clone(&self.bindings.services()[0].methods[0])
    }

    fn message(&self) -> MessageDescriptor {
        self.bindings.schemas()[0]
            .pool()
            .get_message_by_name("t.M")
            .unwrap()
    }

    fn to_json(&self, value: &Value) -> Result<Json, MappingError> {
        let mut scratch = Scratch::default();
        let bytes = self
            .method()
            .arguments_to_protobuf(&encode(value), &mut scratch, &Limits::DEFAULT)?;
        Ok(json_of(&self.message(), &bytes))
    }

    fn from_json(&self, json: &Json) -> Result<Value, MappingError> {
        let message = DynamicMessage::deserialize(self.message(), json).unwrap();
        let mut scratch = Scratch::default();
        let bytes =
            self.method()
                .arguments_to_hessian(&message.encode_to_vec(), &mut scratch, &Limits::DEFAULT)?;
        Ok(decode(&bytes))
    }

    /// Both ways, and that the result is converted like the argument.
    fn both(&self, value: &Value, json: &Json) {
        assert_eq!(&self.to_json(value).unwrap(), json, "to protobuf");
        assert_eq!(&self.from_json(json).unwrap(), value, "to Hessian");
        let mut scratch = Scratch::default();
        let method = self.method();
        let bytes = method
            .result_to_protobuf(&encode(value), &mut scratch, &Limits::DEFAULT)
            .unwrap();
        assert_eq!(&json_of(&self.message(), &bytes.bytes), json, "result");
        let back = method
            .result_to_hessian(&bytes.bytes, bytes.null, &mut scratch, &Limits::DEFAULT)
            .unwrap();
        assert_eq!(&decode(&back), value, "result back");
    }
}

fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out);
    out
}

fn decode(bytes: &[u8]) -> Value {
    let mut scratch = crate::hessian2::Scratch::new();
    let (value, end) = Value::decode(bytes, &mut scratch, &Limits::DEFAULT).unwrap();
    assert_eq!(end, bytes.len(), "one value");
    value
}

fn json_of(descriptor: &MessageDescriptor, bytes: &[u8]) -> Json {
    let message = DynamicMessage::decode(descriptor.clone(), bytes).unwrap();
    assert!(
        message.unknown_fields().next().is_none(),
        "unknown fields in {message:?}"
    );
    serde_json::to_value(&message).unwrap()
}

fn text(text: &str) -> Value {
    Value::String(JavaText::from(text))
}

fn list(items: impl Into<Box<[Value]>>) -> Value {
    Value::List(items.into())
}
