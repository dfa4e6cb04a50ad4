//! What can be wrong with a binding when it is loaded, and with a value when it is converted.

use std::fmt;

use crate::hessian2::DecodeError;

/// Why a binding, or the schema it names, was refused. Names the file, the service or message, the method and the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// The file as the caller named it.
    pub file: String,
    /// What in it: a service, message or enum; empty for the file as a whole.
    pub object: String,
    /// The method or the field; empty for the object as a whole.
    pub member: String,
    /// What is wrong.
    pub problem: String,
}

impl LoadError {
    pub(crate) fn new(object: &str, member: &str, problem: impl Into<String>) -> Self {
        Self {
            file: String::new(),
            object: object.to_owned(),
            member: member.to_owned(),
            problem: problem.into(),
        }
    }

    pub(crate) fn in_file(mut self, file: &str) -> Self {
        if self.file.is_empty() {
            file.clone_into(&mut self.file);
        }
        self
    }

    /// Of an rpc: `object` names it, and what was the object is the member's.
    pub(crate) fn in_rpc(self, service: &str, rpc: &str) -> Self {
        Self {
            object: format!("{service}: {rpc}"),
            member: if self.object.is_empty() || self.object == rpc {
                self.member
            } else {
                format!("{} {}", self.object, self.member).trim().to_owned()
            },
            ..self
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "binding {}", self.file)?;
        if !self.object.is_empty() {
            write!(f, ": {}", self.object)?;
        }
        if !self.member.is_empty() {
            write!(f, ": {}", self.member)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for LoadError {}

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $lax:ident;)*) => {
        /// The rules by which a value may be refused, or lose something.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Rule { $($(#[$doc])* $variant,)* }

        impl Rule {
            /// All rules.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The rule's name in bindings, errors and metrics.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What the lax profile does.
            pub(crate) const fn lax(self) -> Policy {
                match self { $(Self::$variant => Policy::$lax,)* }
            }
        }
    };
}

rules! {
    /// A null where Java has a primitive.
    NullPrimitive = "null_primitive", Allow;
    /// A null where the protobuf field cannot be unset.
    NullToDefault = "null_to_default", Allow;
    /// A null list or map where the protobuf field can only be empty.
    NullCollection = "null_collection", Allow;
    /// A null in a list.
    NullElement = "null_element", Error;
    /// A null value in a map.
    NullMapValue = "null_map_value", Error;
    /// A null key in a map.
    NullMapKey = "null_map_key", Error;
    /// Two keys of a map that are equal after conversion.
    DuplicateKey = "duplicate_key", Error;
    /// The same element twice where Java has a Set.
    DupSetElement = "dup_set_element", Allow;
    /// A time finer than milliseconds for a Date.
    SubMs = "sub_ms", Allow;
    /// Half of a surrogate pair.
    Surrogate = "surrogate", Allow;
    /// An enum constant that the protobuf enum has not.
    UnknownEnum = "unknown_enum", Allow;
    /// A whole number that becomes a double in a Struct, Value or ListValue.
    StructNumber = "struct_number", Allow;
    /// A time zone, or which of two offsets at the end of summer time, that the protobuf type cannot hold.
    Zone = "zone", Allow;
    /// A subclass that is bound nowhere, read as the class that is.
    SubclassSlice = "subclass_slice", Allow;
    /// A subclass that is bound to another message.
    PolymorphicValue = "polymorphic_value", Error;
    /// A Java field that is bound to nothing.
    UnknownJavaField = "unknown_java_fields", Allow;
    /// A protobuf field that is bound to nothing.
    UnknownProtoField = "unknown_proto_fields", Allow;
    /// A double that a float cannot hold exactly.
    Narrow = "narrow", Allow;
    /// A value whose kind JSON cannot say, in a Struct, Value or ListValue.
    JsonForm = "json_form", Allow;
    /// The time of a `java.sql.Date`, or the date of a `java.sql.Time`, which their forms do not carry.
    SqlPart = "sql_part", Allow;
    /// A number outside of the range of its type on the other side.
    Range = "range", Error;
    /// Another kind of value than the binding says.
    Kind = "kind", Error;
    /// A text that is no value of its type.
    Format = "format", Error;
    /// A value that contains itself.
    Cycle = "cycle", Error;
    /// More, deeper or larger than allowed.
    Limit = "limit", Error;
    /// Another number of arguments than the method has.
    Arity = "arity", Error;
    /// Bytes that are no Hessian 2, protobuf or wrapper.
    Malformed = "malformed", Error;
    /// A null result where the binding asks for an error.
    NullResult = "null_result", Error;
    /// An object of a class that is bound nowhere, where one must be.
    UnknownClass = "unknown_class", Error;
}

/// What to do where a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Convert it as the rule says, and count.
    Allow,
    /// Refuse the message.
    Error,
    /// Leave the element out, and count. For elements of lists and maps.
    Drop,
}

impl Policy {
    /// Its name in binding files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Error => "error",
            Self::Drop => "drop",
        }
    }
}

/// Which way a conversion goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Arguments: what is wrong is the caller's doing (gRPC 3, Dubbo2 40).
    Arguments,
    /// The result: what is wrong is ours or the binding's (gRPC 13, Dubbo2 70).
    Result,
}

/// Why a value could not be converted: method, field path and rule, never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingError {
    /// `interface.method`; empty while unknown.
    pub method: String,
    /// Which way.
    pub side: Side,
    /// The way to the field, `order.lines.price.amount`; empty for the whole.
    pub path: String,
    /// The rule that refused it.
    pub rule: Rule,
    /// What was expected or found, without the value.
    pub detail: String,
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Arguments => "arguments",
            Side::Result => "result",
        };
        write!(f, "map {side} of {}", self.method)?;
        if !self.path.is_empty() {
            write!(f, " at {}", self.path)?;
        }
        write!(f, ": {} (rule {})", self.detail, self.rule.name())
    }
}

impl std::error::Error for MappingError {}

/// A failure on its way up: the path grows at the front.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) rule: Rule,
    pub(crate) detail: String,
    pub(crate) path: Vec<String>,
}

pub(crate) type Fallible<T> = Result<T, Box<Fault>>;

#[cold]
pub(crate) fn fault(rule: Rule, detail: impl Into<String>) -> Box<Fault> {
    Box::new(Fault {
        rule,
        detail: detail.into(),
        path: Vec::new(),
    })
}

impl Fault {
    #[cold]
    pub(crate) fn within(mut self: Box<Self>, step: &str) -> Box<Self> {
        self.path.push(step.to_owned());
        self
    }

    #[cold]
    pub(crate) fn into_error(self, method: &str, side: Side) -> MappingError {
        let mut path = String::new();
        for step in self.path.iter().rev() {
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        MappingError {
            method: method.to_owned(),
            side,
            path,
            rule: self.rule,
            detail: self.detail,
        }
    }
}

impl From<DecodeError> for Box<Fault> {
    #[cold]
    fn from(error: DecodeError) -> Self {
        use crate::hessian2::DecodeErrorKind;
        let rule = match error.kind {
            DecodeErrorKind::Cycle(_) => Rule::Cycle,
            DecodeErrorKind::Limit(_) => Rule::Limit,
            _ => Rule::Malformed,
        };
        fault(rule, error.to_string())
    }
}
