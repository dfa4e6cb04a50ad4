//! From a binding file and its descriptors to compiled plans, with every check of
//! `spec/hessian-protobuf-mapping.md` 11.1.

mod field;
mod message;
mod service;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use prost_reflect::{DescriptorPool, EnumDescriptor, MessageDescriptor};

use super::file::{self, BindingFile};
use super::{Bindings, ExceptionBinding, ExceptionBindings};
use crate::protobuf::error::{LoadError, Rule};
use crate::protobuf::plan::{EnumPlan, Policies, Types};
use crate::protobuf::schema::{Extend, ReadFile, Schema};
use crate::triple::status::Code;

type Loaded<T> = Result<T, LoadError>;

/// The most faults that one run tells.
const MOST_FAULTS: usize = 1000;

pub(super) fn load(file: &str, yaml: &str, read: &mut ReadFile<'_>) -> Result<Bindings, Vec<LoadError>> {
    let raw: BindingFile =
        serde_saphyr::from_str(yaml).map_err(|error| vec![LoadError::new("", "", error.to_string())])?;
    let schema = Schema::load(&raw.descriptors, &raw.includes, read)?;
    let mut compiler = Compiler::new(&raw, schema.pool());
    let mut services = Vec::new();
    for service in &raw.services {
        match compiler.service(service, file) {
            Ok(service) => services.push(service),
            Err(error) => compiler.fault(error),
        }
    }
    // What the calls do not reach may still be named: by Any, or by an exception.
    for message in raw.messages.iter().filter(|raw| raw.polymorphic.is_empty()) {
        let named = compiler.message_named(&message.proto);
        let compiled = named.and_then(|descriptor| compiler.message(&descriptor));
        if let Err(error) = compiled {
            compiler.fault(error);
        }
    }
    let exceptions = Arc::new(compiler.exceptions());
    compiler.index_classes();
    if !compiler.faults.is_empty() {
        return Err(compiler.faults);
    }
    let types = Arc::new(compiler.types);
    Ok(Bindings {
        services: services
            .into_iter()
            .map(|service| Arc::new(service.finish(&types, &exceptions)))
            .collect(),
        schemas: vec![schema],
    })
}

struct Compiler<'r> {
    raw: &'r BindingFile,
    pool: &'r DescriptorPool,
    messages: BTreeMap<&'r str, &'r file::Message>,
    /// Classes that the file or an option binds to an enum.
    enum_classes: HashSet<String>,
    types: Types,
    message_ids: HashMap<String, u32>,
    enum_ids: HashMap<String, u32>,
    polymorphic_ids: HashMap<String, u32>,
    /// Everything wrong so far.
    faults: Vec<LoadError>,
    /// The interface and rpc at hand.
    within: Option<(String, String)>,
}

impl<'r> Compiler<'r> {
    fn new(raw: &'r BindingFile, pool: &'r DescriptorPool) -> Self {
        let mut compiler = Self {
            raw,
            pool,
            messages: BTreeMap::new(),
            enum_classes: raw.enums.iter().map(|raw| raw.java.clone()).collect(),
            types: Types::default(),
            message_ids: HashMap::new(),
            enum_ids: HashMap::new(),
            polymorphic_ids: HashMap::new(),
            faults: Vec::new(),
            within: None,
        };
        for descriptor in pool.all_enums() {
            if let Some(class) = Extend::of(&descriptor.options()).text(1) {
                compiler.enum_classes.insert(class.to_owned());
            }
        }
        for message in &raw.messages {
            if compiler.messages.insert(&message.proto, message).is_some() {
                compiler.fault(LoadError::new(&message.proto, "", "is bound twice"));
            }
        }
        let mut enums = HashSet::new();
        for raw in &raw.enums {
            if !enums.insert(&raw.proto) {
                compiler.fault(LoadError::new(&raw.proto, "", "is bound twice"));
            }
            if compiler.pool.get_enum_by_name(&raw.proto).is_none() {
                compiler.fault(LoadError::new(&raw.proto, "", "no such enum in the descriptors"));
            }
        }
        let zone = raw.timezone.as_deref();
        if let Some(zone) = zone.filter(|zone| !matches!(*zone, "UTC" | "Z")) {
            let problem = format!("{zone} is not supported: only UTC is");
            compiler.fault(LoadError::new("timezone", "", problem));
        }
        compiler.types.policies = compiler.policies();
        compiler
    }

    fn policies(&mut self) -> Policies {
        let mut policies = if self.raw.strict {
            Policies::strict()
        } else {
            Policies::default()
        };
        for (name, policy) in &self.raw.rules {
            match Rule::ALL.iter().find(|rule| rule.name() == name) {
                Some(rule) if rule.is_choice() => policies.set(*rule, *policy),
                Some(_) => self.fault(LoadError::new("rules", name, "is always an error")),
                None => self.fault(LoadError::new("rules", name, "no such rule")),
            }
        }
        policies
    }

    /// Notes a fault, once, as one of the rpc at hand.
    fn fault(&mut self, error: LoadError) {
        let error = match &self.within {
            Some((service, rpc)) => error.in_rpc(service, rpc),
            None => error,
        };
        if self.faults.len() < MOST_FAULTS && !self.faults.contains(&error) {
            self.faults.push(error);
        }
    }

    fn message_named(&self, name: &str) -> Loaded<MessageDescriptor> {
        self.pool
            .get_message_by_name(name)
            .ok_or_else(|| LoadError::new(name, "", "no such message in the descriptors"))
    }

    /// The class that a message is bound to, and whether somebody said so.
    fn class_of(&self, message: &MessageDescriptor) -> (String, bool) {
        if let Some(java) = self
            .messages
            .get(message.full_name())
            .and_then(|raw| raw.java.as_deref())
        {
            return (java.to_owned(), true);
        }
        if let Some(name) = Extend::of(&message.options()).text(1) {
            return (name.to_owned(), true);
        }
        let file = message.parent_file();
        let package = file
            .file_descriptor_proto()
            .options
            .as_ref()
            .and_then(|options| options.java_package.clone())
            .unwrap_or_else(|| file.package_name().to_owned());
        let nested = message
            .full_name()
            .strip_prefix(file.package_name())
            .unwrap_or(message.full_name())
            .trim_start_matches('.')
            .replace('.', "$");
        let dot = if package.is_empty() { "" } else { "." };
        (format!("{package}{dot}{nested}"), false)
    }

    fn enumeration(&mut self, descriptor: &EnumDescriptor) -> Loaded<u32> {
        if let Some(id) = self.enum_ids.get(descriptor.full_name()) {
            return Ok(*id);
        }
        let raw = self
            .raw
            .enums
            .iter()
            .find(|raw| raw.proto == descriptor.full_name());
        let class = match raw {
            Some(raw) => raw.java.clone(),
            None => match Extend::of(&descriptor.options()).text(1) {
                Some(name) => name.to_owned(),
                None => {
                    let file = descriptor.parent_file();
                    let package = file
                        .file_descriptor_proto()
                        .options
                        .as_ref()
                        .and_then(|options| options.java_package.clone())
                        .unwrap_or_else(|| file.package_name().to_owned());
                    format!("{package}.{}", descriptor.name())
                }
            },
        };
        let prefix = format!("{}_", upper_snake(descriptor.name()));
        let mut plan = EnumPlan {
            name: descriptor.full_name().to_owned(),
            class,
            by_java: HashMap::new(),
            by_number: BTreeMap::new(),
            zero_is_null: false,
        };
        let given = raw.map(|raw| raw.values.clone()).unwrap_or_default();
        for name in given.keys() {
            if descriptor.get_value_by_name(name).is_none() {
                self.fault(LoadError::new(descriptor.full_name(), name, "no such value"));
            }
        }
        for value in descriptor.values() {
            let stem = value.name().strip_prefix(&prefix).unwrap_or(value.name());
            let unspecified = value.number() == 0
                && (stem == "UNSPECIFIED"
                    || stem == "UNKNOWN"
                    || value.name().ends_with("_UNSPECIFIED")
                    || value.name().starts_with("UNKNOWN_"));
            match given.get(value.name()) {
                Some(java) => plan.insert(java, value.number()),
                None if unspecified => plan.zero_is_null = true,
                None => {
                    plan.insert(stem, value.number());
                    // The full name reads as well, unless it is another constant's.
                    plan.by_java
                        .entry(value.name().to_owned())
                        .or_insert(value.number());
                }
            }
        }
        let id = count(&self.types.enums);
        self.types.enums.push(plan);
        self.enum_ids.insert(descriptor.full_name().to_owned(), id);
        Ok(id)
    }

    /// An enum that exists in Java only.
    fn java_enum(&mut self, class: &str) -> u32 {
        let key = format!("java:{class}");
        if let Some(id) = self.enum_ids.get(&key) {
            return *id;
        }
        let id = count(&self.types.enums);
        self.types.enums.push(EnumPlan {
            name: String::new(),
            class: class.to_owned(),
            by_java: HashMap::new(),
            by_number: BTreeMap::new(),
            zero_is_null: false,
        });
        self.enum_ids.insert(key, id);
        id
    }

    fn exceptions(&mut self) -> ExceptionBindings {
        let mut classes = BTreeMap::new();
        for raw in &self.raw.exceptions {
            match self.exception(raw) {
                Ok(bound) => {
                    if classes.insert(raw.java.clone(), bound).is_some() {
                        self.fault(LoadError::new(&raw.java, "", "is bound twice"));
                    }
                }
                Err(error) => self.fault(error),
            }
        }
        ExceptionBindings {
            classes,
            expose_stack: self.raw.expose_stack,
            heuristic_codes: self.raw.heuristic_codes,
        }
    }

    fn exception(&mut self, raw: &file::Exception) -> Loaded<ExceptionBinding> {
        let code = match &raw.code {
            Some(name) => Some(
                Code::from_name(name)
                    .filter(|code| *code != Code::Ok)
                    .ok_or_else(|| {
                        LoadError::new(&raw.java, "code", format!("{name} is no gRPC error code"))
                    })?,
            ),
            None => None,
        };
        let message = match &raw.proto {
            Some(name) => {
                let descriptor = self.message_named(name)?;
                let (class, explicit) = self.class_of(&descriptor);
                if explicit && class != raw.java {
                    let problem = format!("{name} is bound to {class}");
                    return Err(LoadError::new(&raw.java, "proto", problem));
                }
                Some((name.clone(), self.message(&descriptor)?))
            }
            None => None,
        };
        Ok(ExceptionBinding { code, message })
    }

    /// Fills the look-up by class: the primary message of each, or the only one.
    fn index_classes(&mut self) {
        let mut primary: HashMap<String, u32> = HashMap::new();
        let mut twice = Vec::new();
        for (index, message) in self.types.messages.iter().enumerate() {
            let id = u32::try_from(index).unwrap_or(u32::MAX);
            self.types.by_proto.insert(message.name.clone(), id);
            let raw = self.messages.get(message.name.as_str());
            if raw.is_some_and(|raw| raw.primary) {
                if primary.insert(message.class.clone(), id).is_some() {
                    let problem = format!("{} has another primary message", message.class);
                    twice.push(LoadError::new(&message.name, "primary", problem));
                }
            } else {
                self.types.by_class.entry(message.class.clone()).or_insert(id);
            }
        }
        self.types.by_class.extend(primary);
        for error in twice {
            self.fault(error);
        }
    }
}

impl EnumPlan {
    fn insert(&mut self, java: &str, number: i32) {
        self.by_java.insert(java.to_owned(), number);
        // Of aliases the first one stands.
        self.by_number.entry(number).or_insert_with(|| java.to_owned());
    }
}

impl Rule {
    /// Whether a binding may choose what happens.
    fn is_choice(self) -> bool {
        !matches!(
            self,
            Self::Range
                | Self::Kind
                | Self::Format
                | Self::Cycle
                | Self::Limit
                | Self::Arity
                | Self::Malformed
                | Self::NullResult
                | Self::NullMapKey
                | Self::UnknownClass
        )
    }
}

fn count<T>(table: &[T]) -> u32 {
    u32::try_from(table.len()).unwrap_or(u32::MAX)
}

/// `OrderStatus` to `ORDER_STATUS`.
pub(crate) fn upper_snake(name: &str) -> String {
    let mut snake = String::new();
    let mut lower = false;
    for c in name.chars() {
        if c.is_uppercase() && lower {
            snake.push('_');
        }
        lower = c.is_lowercase() || c.is_ascii_digit();
        snake.extend(c.to_uppercase());
    }
    snake
}
