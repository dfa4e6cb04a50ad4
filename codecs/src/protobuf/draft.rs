//! A `.proto`, a binding and a lock file drafted from the service definitions of a metadata center
//! (`spec/hessian-protobuf-mapping.md` 11.3, 11.4).
//!
//! What a draft cannot know (parameter names, user generics, subclasses, declared exceptions) comes from hints or is
//! left to a person; methods that cannot be drafted are reported and left out. Numbers are kept in the lock file, so
//! that the same input and lock give the same bytes, and a later draft is compatible with an earlier one.

mod definition;
mod lock;
mod names;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::java::{JavaType, parse_method};
pub use definition::Definition;
use definition::Shape;
use lock::Lock;
use names::{by_parameters, field_name, holder_name, rpc_name, simple_name};

/// What a draft is made from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Input<'i> {
    /// Service definitions as JSON, of one or more interfaces, applications and versions.
    pub definitions: &'i [&'i str],
    /// Hints as YAML; see [`Hints`].
    pub hints: Option<&'i str>,
    /// The lock file of the draft before.
    pub lock: Option<&'i str>,
    /// The name under which the binding refers to the `.proto`.
    pub proto_file: &'i str,
}

/// What a draft is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The `.proto`.
    pub proto: String,
    /// The binding file.
    pub binding: String,
    /// The lock file, to be kept beside them.
    pub lock: String,
    /// What a person should look at: methods left out with the reason, guesses, breaking changes.
    pub report: Vec<String>,
}

/// Why there is no draft.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// A definition is no JSON of the form that Dubbo writes.
    #[error("service definition {index}: {problem}")]
    Definition {
        /// Its place in the input.
        index: usize,
        /// What is wrong.
        problem: String,
    },
    /// The hints are malformed.
    #[error("hints: {0}")]
    Hints(String),
    /// The lock file is malformed.
    #[error("lock file: {0}")]
    Lock(String),
    /// Nothing in the definitions can be drafted.
    #[error("no method can be drafted: {0}")]
    Nothing(String),
    /// The draft does not pass the load checks.
    #[error("draft does not load: {0}")]
    Check(String),
}

/// What definitions do not say. Unknown keys are errors.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hints {
    /// The protobuf package; the interface's Java package otherwise.
    pub package: Option<String>,
    /// By signature, `getUser(long)`.
    #[serde(default)]
    pub methods: BTreeMap<String, MethodHint>,
    /// Java type by `class.field`, with its type arguments.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Binary class name by canonical name, for nested classes.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
}

/// What a definition does not say about a method. Unknown keys are errors.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodHint {
    /// The rpc's name.
    pub rpc: Option<String>,
    /// The parameters' names.
    pub args: Option<Vec<String>>,
    /// The return type with its type arguments.
    pub returns: Option<String>,
    /// The declared exceptions.
    #[serde(default)]
    pub throws: Vec<String>,
    /// Leave it out.
    #[serde(default)]
    pub skip: bool,
}

/// A message, before it is written.
#[derive(Debug, Clone)]
struct Message {
    name: String,
    /// The Java class; `None` for requests, responses, and holders.
    class: Option<String>,
    fields: Vec<Field>,
}

#[derive(Debug, Clone)]
struct Field {
    name: String,
    java_name: String,
    /// With `optional`, `repeated` or `map<…>`.
    proto: String,
    /// The Java type where the binding has to say it.
    declared: Option<String>,
}

/// An rpc, before it is written.
#[derive(Debug, Clone)]
struct Rpc {
    name: String,
    signature: String,
    returns: String,
    void: bool,
    throws: Vec<String>,
}

#[derive(Debug)]
struct Service {
    java: String,
    group: String,
    version: String,
    rpcs: Vec<Rpc>,
}

/// Drafts.
///
/// # Errors
/// Malformed input, or nothing to draft.
pub fn draft(input: &Input<'_>) -> Result<Draft, DraftError> {
    let hints: Hints = match input.hints {
        Some(text) => serde_saphyr::from_str(text).map_err(|error| DraftError::Hints(error.to_string()))?,
        None => Hints::default(),
    };
    let mut definitions = Vec::new();
    for (index, text) in input.definitions.iter().enumerate() {
        let parsed = Definition::parse(text, &hints.names);
        definitions.push(parsed.map_err(|problem| DraftError::Definition { index, problem })?);
    }
    let lock = Lock::parse(input.lock).map_err(DraftError::Lock)?;
    let mut drafter = Drafter::new(hints, lock, definitions);
    drafter.services();
    if drafter.services.iter().all(|service| service.rpcs.is_empty()) {
        return Err(DraftError::Nothing(drafter.report.join("; ")));
    }
    let draft = drafter.finish(input.proto_file);
    check(&draft, input.proto_file)?;
    Ok(draft)
}

/// The load checks on a draft: it must be a binding like any other.
fn check(draft: &Draft, proto_file: &str) -> Result<(), DraftError> {
    let loaded = super::Bindings::load("draft", &draft.binding, &mut |name| {
        if name == proto_file {
            Ok(draft.proto.clone().into_bytes())
        } else {
            Err("not part of the draft".to_owned())
        }
    });
    loaded
        .map(drop)
        .map_err(|error| DraftError::Check(error.to_string()))
}

struct Drafter {
    hints: Hints,
    lock: Lock,
    /// One for each service key: definitions of several applications are merged.
    definitions: Vec<Definition>,
    types: BTreeMap<String, Shape>,
    messages: BTreeMap<String, Message>,
    enums: BTreeMap<String, (String, Vec<String>)>,
    /// Java class to message or enum name.
    named: BTreeMap<String, String>,
    services: Vec<Service>,
    report: Vec<String>,
    package: String,
}

impl Drafter {
    fn new(hints: Hints, lock: Lock, definitions: Vec<Definition>) -> Self {
        let mut report = Vec::new();
        let mut merged: BTreeMap<(String, String, String), Definition> = BTreeMap::new();
        let mut types: BTreeMap<String, Shape> = BTreeMap::new();
        for definition in definitions {
            for (name, shape) in &definition.types {
                match types.get(name) {
                    Some(known) if known != shape && !known.is_plain() && !shape.is_plain() => {
                        report.push(format!(
                            "{name} differs between definitions: the first one is used"
                        ));
                    }
                    Some(known) if !known.is_plain() => {}
                    _ => {
                        types.insert(name.clone(), shape.clone());
                    }
                }
            }
            report.extend(definition.guesses.iter().cloned());
            let key = (
                definition.interface.clone(),
                definition.group.clone(),
                definition.version.clone(),
            );
            match merged.get_mut(&key) {
                Some(known) => known.methods.extend(definition.methods),
                None => {
                    merged.insert(key, definition);
                }
            }
        }
        let definitions: Vec<Definition> = merged.into_values().collect();
        let package = hints.package.clone().unwrap_or_else(|| {
            let interface = definitions
                .first()
                .map_or("", |definition| definition.interface.as_str());
            interface
                .rsplit_once('.')
                .map_or(String::new(), |(package, _)| package.to_lowercase())
        });
        Self {
            hints,
            lock,
            definitions,
            types,
            messages: BTreeMap::new(),
            enums: BTreeMap::new(),
            named: BTreeMap::new(),
            services: Vec::new(),
            report,
            package,
        }
    }

    fn services(&mut self) {
        let definitions = std::mem::take(&mut self.definitions);
        let distinct: BTreeSet<_> = definitions.iter().map(|d| &d.interface).collect();
        self.lock.several |= distinct.len() > 1;
        let mut interfaces: BTreeMap<String, Vec<Rpc>> = BTreeMap::new();
        for definition in &definitions {
            if !interfaces.contains_key(&definition.interface) {
                let rpcs = self.rpcs(definition);
                interfaces.insert(definition.interface.clone(), rpcs);
            }
            self.services.push(Service {
                java: definition.interface.clone(),
                group: definition.group.clone(),
                version: definition.version.clone(),
                rpcs: interfaces.get(&definition.interface).cloned().unwrap_or_default(),
            });
        }
    }

    fn rpcs(&mut self, definition: &Definition) -> Vec<Rpc> {
        let mut rpcs = Vec::new();
        let mut taken = BTreeSet::new();
        let overloaded: BTreeSet<&String> = definition
            .methods
            .iter()
            .filter(|(name, types, _)| {
                definition
                    .methods
                    .iter()
                    .any(|(other, others, _)| other == name && others != types)
            })
            .map(|(name, _, _)| name)
            .collect();
        let mut plain_taken: BTreeSet<String> = BTreeSet::new();
        for (name, types, returns) in &definition.methods {
            let signature = signature(name, types);
            let whole = format!("{}.{signature}", definition.interface);
            let hint = self.hints.methods.get(&signature).cloned().unwrap_or_default();
            if hint.skip {
                self.report.push(format!("{whole}: left out by a hint"));
                continue;
            }
            // The first of an overload keeps the plain name, for good.
            let plain = rpc_name(name);
            let locked = self.lock.rpc(&definition.interface, &signature);
            let keeps = !overloaded.contains(name)
                || (locked.is_none()
                    && !self.lock.has_rpc(&definition.interface, &plain)
                    && !plain_taken.contains(&plain));
            let mut rpc = match (&hint.rpc, locked) {
                (Some(rpc), _) => rpc.clone(),
                (None, Some(locked)) => locked,
                (None, None) if keeps => plain.clone(),
                (None, None) => by_parameters(&plain, types),
            };
            if taken.contains(&rpc) {
                let descriptor: String = types.iter().map(JavaType::descriptor).collect();
                let mut crc = flate2::Crc::new();
                crc.update(descriptor.as_bytes());
                rpc = format!("{rpc}_{:08x}", crc.sum());
            }
            let returns = match hint.returns.as_deref().map(JavaType::parse) {
                Some(Some(java)) => java,
                Some(None) => {
                    self.report.push(format!(
                        "{whole}: left out, the hint's return type is no Java type"
                    ));
                    continue;
                }
                None => returns.clone(),
            };
            let raw_future =
                returns.arg(0) == JavaType::object() && returns.clone().unwrap_future() != returns;
            if raw_future {
                self.report.push(format!(
                    "{whole}: left out, the definition hides what {returns} holds: hint `returns`"
                ));
                continue;
            }
            let returns = returns.unwrap_future();
            match self.method(definition, &rpc, types, &returns, &hint) {
                Ok(()) => {
                    plain_taken.insert(rpc.clone());
                    taken.insert(rpc.clone());
                    self.lock.set_rpc(&definition.interface, &signature, &rpc);
                    rpcs.push(Rpc {
                        name: rpc,
                        signature,
                        returns: returns.to_string(),
                        void: returns.is_void(),
                        throws: hint.throws,
                    });
                }
                Err(reason) => self.report.push(format!("{whole}: left out, {reason}")),
            }
        }
        rpcs.sort_by(|one, other| one.name.cmp(&other.name));
        rpcs
    }

    /// The request and response of a method; nothing is kept of one that cannot be drafted.
    fn method(
        &mut self,
        definition: &Definition,
        rpc: &str,
        types: &[JavaType],
        returns: &JavaType,
        hint: &MethodHint,
    ) -> Result<(), String> {
        let kept = (self.messages.clone(), self.enums.clone(), self.named.clone());
        let drafted = self.try_method(definition, rpc, types, returns, hint);
        if drafted.is_err() {
            (self.messages, self.enums, self.named) = kept;
        }
        drafted
    }

    fn try_method(
        &mut self,
        definition: &Definition,
        rpc: &str,
        types: &[JavaType],
        returns: &JavaType,
        hint: &MethodHint,
    ) -> Result<(), String> {
        let prefix = if self.lock.several {
            simple_name(&definition.interface)
        } else {
            String::new()
        };
        let names = match &hint.args {
            Some(names) if names.len() != types.len() => {
                return Err(format!(
                    "the hint names {} of {} parameters",
                    names.len(),
                    types.len()
                ));
            }
            Some(names) => names.iter().map(|name| field_name(name)).collect(),
            None => (0..types.len()).map(|at| format!("arg{at}")).collect::<Vec<_>>(),
        };
        let mut request = Message {
            name: format!("{prefix}{rpc}Request"),
            class: None,
            fields: Vec::new(),
        };
        for (name, java) in names.iter().zip(types) {
            request.fields.push(self.field(name, name, java)?);
        }
        let mut response = Message {
            name: format!("{prefix}{rpc}Response"),
            class: None,
            fields: Vec::new(),
        };
        if !returns.is_void() {
            response.fields.push(self.field("result", "result", returns)?);
        }
        for message in [request, response] {
            if self.messages.contains_key(&message.name) {
                return Err(format!("message {} exists already: hint `rpc`", message.name));
            }
            self.messages.insert(message.name.clone(), message);
        }
        Ok(())
    }

    fn field(&mut self, name: &str, java_name: &str, java: &JavaType) -> Result<Field, String> {
        let mut field = Field {
            name: name.to_owned(),
            java_name: java_name.to_owned(),
            proto: String::new(),
            declared: None,
        };
        if let Some(item) = collection_item(java) {
            field.proto = format!("repeated {}", self.element(&item)?);
            field.declared = Some(java.to_string());
        } else if let Some((key, value)) = map_types(java) {
            field.declared = Some(java.to_string());
            let value_type = self.element(&value)?;
            field.proto = match map_key(&key) {
                Some(key) => format!("map<{key}, {value_type}>"),
                None => {
                    let key_type = self.element(&key)?;
                    format!("repeated {}", self.entry(&key, &key_type, &value, &value_type))
                }
            };
        } else {
            let (proto, declared) = self.single(java)?;
            let message = proto.contains('.') || self.is_message(&proto);
            let optional = !message && !java.is_primitive();
            field.proto = if optional {
                format!("optional {proto}")
            } else {
                proto
            };
            field.declared = declared.then(|| java.to_string());
        }
        Ok(field)
    }

    fn is_message(&self, name: &str) -> bool {
        self.messages.contains_key(name)
            || self.named.values().any(|known| known == name)
                && !self.enums.values().any(|(known, _)| known == name)
    }

    /// The type of an element; a collection gets a message of its own.
    fn element(&mut self, java: &JavaType) -> Result<String, String> {
        if let Some(item) = collection_item(java) {
            let name = holder_name(&item, "List");
            return self.holder(name, java);
        }
        if map_types(java).is_some() {
            return self.holder(holder_name(java, "Map"), java);
        }
        Ok(self.single(java)?.0)
    }

    fn holder(&mut self, name: String, java: &JavaType) -> Result<String, String> {
        if !self.messages.contains_key(&name) {
            let field = self.field("items", "items", java)?;
            self.messages.insert(
                name.clone(),
                Message {
                    name: name.clone(),
                    class: None,
                    fields: vec![Field {
                        declared: None,
                        ..field
                    }],
                },
            );
        }
        Ok(name)
    }

    fn entry(&mut self, key: &JavaType, key_type: &str, value: &JavaType, value_type: &str) -> String {
        let name = format!("{}To{}Entry", holder_name(key, ""), holder_name(value, ""));
        let plain = |name: &str, proto: &str| Field {
            name: name.to_owned(),
            java_name: name.to_owned(),
            proto: proto.to_owned(),
            declared: None,
        };
        self.messages.entry(name.clone()).or_insert_with(|| Message {
            name: name.clone(),
            class: None,
            fields: vec![plain("key", key_type), plain("value", value_type)],
        });
        name
    }

    /// The protobuf type of one value; `true` when the binding has to name the Java type.
    fn single(&mut self, java: &JavaType) -> Result<(String, bool), String> {
        let name = match java {
            JavaType::Primitive(keyword) => *keyword,
            JavaType::Array(of) if **of == JavaType::Primitive("byte") => "byte[]",
            JavaType::Array(of) if **of == JavaType::Primitive("char") => "char[]",
            JavaType::Array(_) => return Err(format!("{java} cannot stand here")),
            JavaType::Class { name, .. } => name.as_str(),
        };
        let known = match name {
            "boolean" | "java.lang.Boolean" => ("bool", false),
            "int" | "java.lang.Integer" => ("int32", false),
            "long" | "java.lang.Long" => ("int64", false),
            "float" | "java.lang.Float" => ("float", false),
            "double" | "java.lang.Double" => ("double", false),
            "java.lang.String" => ("string", false),
            "byte[]" => ("bytes", false),
            "byte"
            | "java.lang.Byte"
            | "short"
            | "java.lang.Short"
            | "java.util.concurrent.atomic.AtomicInteger"
            | "java.time.Year" => ("int32", true),
            "java.util.concurrent.atomic.AtomicLong" => ("int64", true),
            "java.util.concurrent.atomic.AtomicBoolean" => ("bool", true),
            "char"
            | "java.lang.Character"
            | "char[]"
            | "java.math.BigDecimal"
            | "java.math.BigInteger"
            | "java.time.LocalDate"
            | "java.time.LocalTime"
            | "java.time.LocalDateTime"
            | "java.time.OffsetDateTime"
            | "java.time.OffsetTime"
            | "java.time.ZonedDateTime"
            | "java.time.YearMonth"
            | "java.time.MonthDay"
            | "java.time.Period"
            | "java.time.ZoneId"
            | "java.time.ZoneOffset"
            | "java.util.UUID"
            | "java.util.Locale"
            | "java.util.Currency"
            | "java.net.URI"
            | "java.lang.Class"
            | "java.sql.Date"
            | "java.sql.Time" => ("string", true),
            "java.util.Date" => ("google.protobuf.Timestamp", false),
            "java.sql.Timestamp" | "java.util.Calendar" | "java.time.Instant" => {
                ("google.protobuf.Timestamp", true)
            }
            "java.time.Duration" => ("google.protobuf.Duration", false),
            "java.lang.Object" | "java.io.Serializable" | "java.lang.Number" | "java.lang.Comparable" => {
                return Err(format!("{name} says nothing: hint its type"));
            }
            _ if name.starts_with("java.") || name.starts_with("javax.") => {
                return Err(format!("{name} has no protobuf form"));
            }
            _ if name.starts_with("com.google.protobuf.") => {
                return Err(format!(
                    "{name} is protobuf already: the service has its own .proto"
                ));
            }
            _ => return self.class(java).map(|name| (name, false)),
        };
        Ok((known.0.to_owned(), known.1))
    }

    /// The message or enum of a class, drafted at its first use.
    fn class(&mut self, java: &JavaType) -> Result<String, String> {
        let JavaType::Class { name: class, args } = java else {
            return Err(format!("{java} is no class"));
        };
        if !args.is_empty() {
            return Err(format!(
                "{java} is a generic class: declare a message for it by hand"
            ));
        }
        if let Some(name) = self.named.get(class) {
            return Ok(name.clone());
        }
        let shape = self.types.get(class).cloned();
        let Some(shape) = shape else {
            return Err(format!("{class} is not described"));
        };
        let name = self.name_of(class);
        self.named.insert(class.clone(), name.clone());
        match shape {
            Shape::Enum(constants) => {
                self.enums.insert(class.clone(), (name.clone(), constants));
            }
            Shape::Object(properties) if properties.is_empty() => {
                return Err(format!(
                    "{class} has no fields: an interface, or a class that hides them"
                ));
            }
            Shape::Object(properties) => {
                let mut fields = Vec::new();
                for (property, text) in &properties {
                    let hinted = self.hints.fields.get(&format!("{class}.{property}"));
                    let text = hinted.unwrap_or(text).clone();
                    let java = JavaType::parse(&text)
                        .ok_or_else(|| format!("field {property} of {class} has type {text}"))?;
                    let field = self
                        .field(&field_name(property), property, &java)
                        .map_err(|reason| format!("field {property} of {class}: {reason}"))?;
                    fields.push(field);
                }
                self.messages.insert(
                    name.clone(),
                    Message {
                        name: name.clone(),
                        class: Some(class.clone()),
                        fields,
                    },
                );
            }
        }
        Ok(name)
    }

    /// A name that no other class has: kept in the lock.
    fn name_of(&mut self, class: &str) -> String {
        if let Some(name) = self.lock.class(class) {
            return name;
        }
        let taken = |drafter: &Self, name: &String| {
            drafter.named.values().any(|known| known == name) || drafter.lock.has_class_name(name)
        };
        let simple = simple_name(class);
        let mut name = simple.clone();
        if taken(self, &name) {
            let package = class.rsplit('.').nth(1).unwrap_or_default();
            name = format!("{}{simple}", rpc_name(package));
        }
        for number in 2u32.. {
            if !taken(self, &name) {
                break;
            }
            name = format!("{simple}{number}");
        }
        self.lock.set_class(class, &name);
        name
    }
}

fn signature(name: &str, types: &[JavaType]) -> String {
    let types: Vec<String> = types.iter().map(ToString::to_string).collect();
    let text = format!("{name}({})", types.join(","));
    debug_assert!(parse_method(&text).is_some(), "{text}");
    text
}

fn collection_item(java: &JavaType) -> Option<JavaType> {
    match java {
        JavaType::Array(of) if !matches!(**of, JavaType::Primitive("byte" | "char")) => Some((**of).clone()),
        JavaType::Class { name, .. } => matches!(
            name.as_str(),
            "java.util.List"
                | "java.util.Collection"
                | "java.lang.Iterable"
                | "java.util.ArrayList"
                | "java.util.Set"
                | "java.util.HashSet"
                | "java.util.LinkedHashSet"
                | "java.util.TreeSet"
                | "java.util.LinkedList"
        )
        .then(|| java.arg(0)),
        _ => None,
    }
}

fn map_types(java: &JavaType) -> Option<(JavaType, JavaType)> {
    let name = java.name()?;
    matches!(
        name,
        "java.util.Map"
            | "java.util.HashMap"
            | "java.util.LinkedHashMap"
            | "java.util.TreeMap"
            | "java.util.concurrent.ConcurrentHashMap"
    )
    .then(|| (java.arg(0), java.arg(1)))
}

fn map_key(java: &JavaType) -> Option<&'static str> {
    match java.name()? {
        "java.lang.String" | "java.lang.Character" => Some("string"),
        "java.lang.Integer" | "java.lang.Short" | "java.lang.Byte" => Some("int32"),
        "java.lang.Long" => Some("int64"),
        "java.lang.Boolean" => Some("bool"),
        _ => None,
    }
}
