//! From a binding file and its descriptors to compiled plans, with every check of
//! what a binding file may say.

mod enumeration;
mod field;
mod inherit;
mod message;
mod options;
mod service;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use prost_reflect::{DescriptorPool, MessageDescriptor};

use super::file::{self, BindingFile};
use super::{Bindings, ExceptionBinding, ExceptionBindings};
use crate::protobuf::error::{LoadError, Policy, Rule};
use crate::protobuf::java::JavaType;
use crate::protobuf::plan::{Policies, Types};
use crate::protobuf::schema::{Extend, ReadFile, Schema};
use crate::protobuf::zone::{Zone, fixed};
use crate::triple::status::Code;

pub(crate) use field::is_value_class;

type Loaded<T> = Result<T, LoadError>;

/// The most faults that one run tells.
const MOST_FAULTS: usize = 1000;

pub(super) fn load(file: &str, yaml: &str, read: &mut ReadFile<'_>) -> Result<Bindings, Vec<LoadError>> {
    let raw: BindingFile =
        crate::protobuf::yaml::parse(yaml).map_err(|problem| vec![LoadError::new("", "", problem)])?;
    let schema = Schema::load(&raw.descriptors, &raw.includes, read)?;
    let mut compiler = Compiler::new(&raw, schema.pool());
    let mut services = Vec::new();
    for service in &raw.services {
        match compiler.service(service, file) {
            Ok(service) => services.push(service),
            Err(error) => compiler.fault(error),
        }
    }
    compiler.check_enums();
    // What the calls do not reach may still be named: by Any, or by an exception.
    for message in &raw.messages {
        if let Err(error) = compiler.named(message) {
            compiler.fault(error);
        }
        compiler.compile_pending();
    }
    let exceptions = Arc::new(compiler.exceptions());
    compiler.compile_pending();
    compiler.inherit();
    compiler.index_classes();
    if !compiler.faults.is_empty() {
        return Err(compiler.faults);
    }
    let types = Arc::new(compiler.types);
    let mut bindings = Bindings {
        services: Vec::new(),
        schemas: vec![schema],
    };
    let mut faults = Vec::new();
    for service in services {
        let service = Arc::new(service.finish(&types, &exceptions));
        faults.extend(bindings.add(service).err());
    }
    if faults.is_empty() {
        Ok(bindings)
    } else {
        Err(faults)
    }
}

struct Compiler<'r> {
    raw: &'r BindingFile,
    pool: &'r DescriptorPool,
    messages: BTreeMap<&'r str, &'r file::Message>,
    /// Every enum of Java that the descriptors or the file name.
    enum_classes: HashSet<String>,
    /// Messages whose fields are arguments or a result: they stand for no class.
    holders: HashSet<String>,
    /// The first field that asks for the message of a class alone.
    any: Option<(String, String)>,
    types: Types,
    message_ids: HashMap<String, u32>,
    enum_ids: HashMap<String, u32>,
    polymorphic_ids: HashMap<String, u32>,
    /// Messages that have a place and no plan yet.
    pending: VecDeque<(MessageDescriptor, u32)>,
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
            enum_classes: enumeration::classes(raw, pool),
            holders: HashSet::new(),
            any: None,
            types: Types::default(),
            message_ids: HashMap::new(),
            enum_ids: HashMap::new(),
            polymorphic_ids: HashMap::new(),
            pending: VecDeque::new(),
            faults: Vec::new(),
            within: None,
        };
        for message in &raw.messages {
            if compiler.messages.insert(&message.proto, message).is_some() {
                compiler.fault(LoadError::new(&message.proto, "", "is bound twice"));
            }
        }
        // UTC costs nothing: it has no zone.
        if let Some(name) = raw.timezone.as_deref().filter(|name| fixed(name) != Some(0)) {
            compiler.types.zone = Zone::named(name);
            if compiler.types.zone.is_none() {
                let problem = format!("{name} is no time zone of the IANA database");
                compiler.fault(LoadError::new("timezone", "", problem));
            }
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
                Some(rule) if *policy == Policy::Drop && !rule.is_of_elements() => {
                    self.fault(LoadError::new(
                        "rules",
                        name,
                        "drop is for elements of lists and maps",
                    ));
                }
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
        (default_class(&message.parent_file(), message.full_name()), false)
    }

    /// Compiles what the file says of a message, whether a call reaches it or not.
    fn named(&mut self, raw: &file::Message) -> Loaded<()> {
        let descriptor = self.message_named(&raw.proto)?;
        if !raw.polymorphic.is_empty() {
            self.polymorphic(&descriptor, raw)?;
        } else if !self.holders.contains(&raw.proto) {
            self.message(&descriptor)?;
        }
        Ok(())
    }

    fn exceptions(&mut self) -> ExceptionBindings {
        let mut classes = BTreeMap::new();
        let mut carriers = BTreeMap::new();
        for raw in &self.raw.exceptions {
            let carried = raw.proto.as_deref();
            if let Some(other) = carried.and_then(|name| carriers.insert(name, raw.java.as_str()))
                && other != raw.java
            {
                let problem = format!("{} carries {other}, too", carried.unwrap_or_default());
                self.fault(LoadError::new(&raw.java, "proto", problem));
            }
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
        if JavaType::parse(&raw.java).is_none() {
            let problem = format!("{} is no class name", raw.java);
            return Err(LoadError::new("exceptions", "java", problem));
        }
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
                let id = self.message(&descriptor)?;
                if !self.types.message(id).parents.is_empty() {
                    let problem =
                        format!("{name} has inherited parts: list an exception's fields in its message");
                    return Err(LoadError::new(&raw.java, "proto", problem));
                }
                self.bind(id, &raw.java);
                Some((name.clone(), id))
            }
            None => None,
        };
        Ok(ExceptionBinding { code, message })
    }

    /// Says which class a message is of, where the message alone does not.
    fn bind(&mut self, message: u32, class: &str) {
        let bound = usize::try_from(message)
            .ok()
            .and_then(|id| self.types.messages.get_mut(id));
        if let Some(bound) = bound {
            class.clone_into(&mut bound.class);
        }
    }

    /// Fills the look-up by class: the primary message of each, or the only one.
    fn index_classes(&mut self) {
        let mut primary: HashMap<String, u32> = HashMap::new();
        let mut twice = Vec::new();
        let mut several: BTreeMap<String, (String, String)> = BTreeMap::new();
        for (index, message) in self.types.messages.iter().enumerate() {
            let id = u32::try_from(index).unwrap_or(u32::MAX);
            self.types.by_proto.insert(message.name.clone(), id);
            let raw = self.messages.get(message.name.as_str());
            if raw.is_some_and(|raw| raw.primary) {
                if primary.insert(message.class.clone(), id).is_some() {
                    let problem = format!("{} has another primary message", message.class);
                    twice.push(LoadError::new(&message.name, "primary", problem));
                }
            } else if let Some(first) = self.types.by_class.get(&message.class) {
                let first = self.types.message(*first).name.clone();
                several.insert(message.class.clone(), (first, message.name.clone()));
            } else {
                self.types.by_class.insert(message.class.clone(), id);
            }
        }
        several.retain(|class, _| !primary.contains_key(class));
        if let (Some((object, field)), Some((class, (one, other)))) = (&self.any, several.first_key_value()) {
            let problem = format!(
                "holds objects by their class, but {one} and {other} are bound to {class}: mark one of them primary"
            );
            twice.push(LoadError::new(object, field, problem));
        }
        self.types.by_class.extend(primary);
        for class in &self.raw.classes {
            if JavaType::parse(class).is_none() {
                twice.push(LoadError::new("classes", class, "is no class name"));
            }
        }
        self.types.classes = self
            .raw
            .classes
            .iter()
            .chain(self.types.by_class.keys())
            .chain(&self.enum_classes)
            .chain(self.raw.exceptions.iter().map(|raw| &raw.java))
            .cloned()
            .collect();
        for error in twice {
            self.fault(error);
        }
    }
}

impl Rule {
    /// Whether an element can be left out by it.
    fn is_of_elements(self) -> bool {
        matches!(self, Self::NullElement | Self::NullMapValue)
    }

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

/// The class of a message or enum that nobody named one for: the package of the Java option, nested names by `$`.
fn default_class(file: &prost_reflect::FileDescriptor, full_name: &str) -> String {
    let package = file
        .file_descriptor_proto()
        .options
        .as_ref()
        .and_then(|options| options.java_package.clone())
        .unwrap_or_else(|| file.package_name().to_owned());
    let nested = full_name
        .strip_prefix(file.package_name())
        .unwrap_or(full_name)
        .trim_start_matches('.')
        .replace('.', "$");
    let dot = if package.is_empty() { "" } else { "." };
    format!("{package}{dot}{nested}")
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
