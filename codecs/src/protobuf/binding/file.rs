//! A binding file as written. Unknown keys are errors.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::protobuf::error::Policy;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BindingFile {
    #[serde(default)]
    pub(crate) descriptors: Vec<String>,
    #[serde(default)]
    pub(crate) includes: Vec<String>,
    #[serde(default)]
    pub(crate) strict: bool,
    pub(crate) timezone: Option<String>,
    #[serde(default)]
    pub(crate) rules: BTreeMap<String, Policy>,
    #[serde(default)]
    pub(crate) expose_stack: bool,
    #[serde(default)]
    pub(crate) heuristic_codes: bool,
    #[serde(default)]
    pub(crate) services: Vec<Service>,
    #[serde(default)]
    pub(crate) messages: Vec<Message>,
    #[serde(default)]
    pub(crate) enums: Vec<Enum>,
    #[serde(default)]
    pub(crate) exceptions: Vec<Exception>,
    /// More classes whose names a `java.lang.Class` may hold; those of the bindings and of the JDK's values may anyway.
    #[serde(default)]
    pub(crate) classes: Vec<String>,
    #[serde(default)]
    pub(crate) java_hierarchy: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    /// The interface; else that of the service's option, else the service's own name.
    pub(crate) java: Option<String>,
    #[serde(default)]
    pub(crate) group: String,
    #[serde(default)]
    pub(crate) version: String,
    pub(crate) proto: String,
    #[serde(default)]
    pub(crate) exceptions_mode: ExceptionsMode,
    #[serde(default)]
    pub(crate) methods: Vec<Method>,
    /// rpcs that are left unbound on purpose.
    #[serde(default)]
    pub(crate) unbound: Vec<String>,
}

/// How a Java exception reaches a Triple caller of a bound service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExceptionsMode {
    /// As a gRPC status with details: safe for every caller.
    #[default]
    Status,
    /// As the Throwable with `tri-exception-code`: for Java 3.2 and later, unary, wrapped.
    TriExceptionCode,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Method {
    pub(crate) java: String,
    pub(crate) rpc: String,
    pub(crate) args: Option<Vec<String>>,
    pub(crate) result: Option<String>,
    pub(crate) returns: Option<String>,
    #[serde(default)]
    pub(crate) null_result: NullResult,
    #[serde(default)]
    pub(crate) throws: Vec<String>,
}

/// What a null result becomes where the message cannot be unset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullResult {
    /// An empty message and the trailer `dubbo-null-result: 1`.
    #[default]
    Empty,
    /// gRPC status 5.
    NotFound,
    /// gRPC status 13.
    Error,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    pub(crate) proto: String,
    pub(crate) java: Option<String>,
    #[serde(default)]
    pub(crate) primary: bool,
    /// What the class's type variables stand for here.
    #[serde(default)]
    pub(crate) type_args: Vec<String>,
    /// The names of those variables, as `types` uses them; `T` alone, or `T1`, `T2` and so on, when left out.
    #[serde(default)]
    pub(crate) type_params: Vec<String>,
    #[serde(default)]
    pub(crate) fields: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) types: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) defaults: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub(crate) options: BTreeMap<String, FieldOptions>,
    #[serde(default)]
    pub(crate) unknown_java_fields: UnknownJavaFields,
    #[serde(default)]
    pub(crate) polymorphic: BTreeMap<String, String>,
    pub(crate) default_branch: Option<String>,
    #[serde(default)]
    pub(crate) accept_subclasses: Vec<String>,
    pub(crate) implementation: Option<String>,
    #[serde(default)]
    pub(crate) slice: bool,
}

/// What happens to Java fields that no protobuf field is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UnknownJavaFields {
    #[default]
    Ignore,
    Error,
    Collect(String),
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldOptions {
    #[serde(default)]
    pub(crate) zero_as_null: bool,
    #[serde(default)]
    pub(crate) empty_as_null: bool,
    #[serde(default)]
    pub(crate) back_reference: bool,
    #[serde(default)]
    pub(crate) nullable: bool,
    #[serde(default)]
    pub(crate) reinterpret: bool,
    #[serde(default)]
    pub(crate) allow_narrow: bool,
    #[serde(default)]
    pub(crate) allow_lossy: bool,
    /// Said or left to the `is_inheritance` option of the field's message.
    pub(crate) inherit: Option<bool>,
    #[serde(default)]
    pub(crate) keep_class: bool,
    pub(crate) null_element: Option<Policy>,
    pub(crate) null_value: Option<Policy>,
    pub(crate) java_type: Option<String>,
    pub(crate) assume: Option<String>,
    #[serde(default)]
    pub(crate) any_types: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enum {
    /// Absent for an enum that protobuf has only the constants' names of.
    pub(crate) proto: Option<String>,
    pub(crate) java: String,
    #[serde(default)]
    pub(crate) values: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    pub(crate) java: String,
    pub(crate) code: Option<String>,
    pub(crate) proto: Option<String>,
}
