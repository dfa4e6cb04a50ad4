//! Bindings and conversions as a whole: the peers' shop on captured bytes, the tables of types, refusals.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::wrong_self_convention,
    clippy::as_conversions,
    reason = "tests fail by panicking, and name things after what they turn into"
)]

mod checks;
mod draft;
mod hostile;
mod load;
mod objects;
mod random;
mod rows;
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

/// The messages of `google.type` that the mapping knows; they are not among the compiler's own.
const GOOGLE_TYPE: &str =
    "syntax = \"proto3\"; package google.type; import \"google/protobuf/duration.proto\";
    message Decimal { string value = 1; }
    message Date { int32 year = 1; int32 month = 2; int32 day = 3; }
    message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }
    message TimeZone { string id = 1; string version = 2; }
    message DateTime { int32 year = 1; int32 month = 2; int32 day = 3; int32 hours = 4; int32 minutes = 5;
        int32 seconds = 6; int32 nanos = 7;
        oneof time_offset { google.protobuf.Duration utc_offset = 8; TimeZone time_zone = 9; } }";

/// The lossless union.
const JAVA_VALUE: &str = "syntax = \"proto3\"; package gw.v1;
    import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/struct.proto\";
    message JavaValue { oneof kind { google.protobuf.NullValue null = 1; bool bool = 2; sint32 int = 3; sint64 long = 4;
        double double = 5; string string = 6; bytes bytes = 7; google.protobuf.Timestamp date = 8; JavaList list = 9;
        JavaMap map = 10; JavaObject object = 11; JavaEnum enum = 12; string decimal = 13; string big_integer = 14; } }
    message JavaList { string type = 1; repeated JavaValue items = 2; }
    message JavaMap { string type = 1; repeated JavaEntry entries = 2; }
    message JavaEntry { JavaValue key = 1; JavaValue value = 2; }
    message JavaObject { string class = 1; repeated JavaField fields = 2; }
    message JavaField { string name = 1; JavaValue value = 2; }
    message JavaEnum { string class = 1; string name = 2; }";

/// A file of package `t` that may use all of them.
fn source(body: &str) -> String {
    format!(
        "syntax = \"proto3\";\npackage t;\noption java_package = \"t\";\n\
         import \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/duration.proto\";\n\
         import \"google/protobuf/wrappers.proto\";\nimport \"google/protobuf/struct.proto\";\n\
         import \"google/protobuf/any.proto\";\nimport \"google/type/all.proto\";\nimport \"gw/value.proto\";\n{body}"
    )
}

fn load_source(yaml: &str, body: &str) -> Result<Bindings, LoadError> {
    let yaml = format!("descriptors: [t.proto]\n{yaml}");
    load(
        &yaml,
        &[
            ("t.proto", &source(body)),
            ("google/type/all.proto", GOOGLE_TYPE),
            ("gw/value.proto", JAVA_VALUE),
        ],
    )
}

/// A service of one method `echo`, whose argument and result are the one field `value` of message `M`, or `M` itself.
struct Echo {
    bindings: Bindings,
}

impl Echo {
    fn new(proto: &str, yaml: &str) -> Self {
        let body = format!("service S {{ rpc Echo(M) returns (M); }}\n{proto}");
        let bindings = load_source(yaml, &body).unwrap_or_else(|error| panic!("{error}\n{body}\n{yaml}"));
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

/// A list of some type.
fn typed(name: &str, items: impl Into<Box<[Value]>>) -> Value {
    Value::typed_list(name, items)
}

fn list(items: impl Into<Box<[Value]>>) -> Value {
    Value::List(items.into())
}
