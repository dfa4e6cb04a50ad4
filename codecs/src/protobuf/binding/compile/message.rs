//! Messages and oneof messages.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::super::file::{self, UnknownJavaFields};
use super::{Compiler, Loaded, count};
use crate::protobuf::error::LoadError;
use crate::protobuf::java::JavaType;
use crate::protobuf::plan::{FieldPlan, MessagePlan, PolymorphicPlan};
use crate::protobuf::schema::{Extend, JAVA_TYPE};

impl Compiler<'_> {
    /// The place of a message's plan, which is compiled in [`Self::compile_pending`]: messages may refer to one another in
    /// chains of any length, and in circles.
    pub(super) fn message(&mut self, descriptor: &MessageDescriptor) -> Loaded<u32> {
        let name = descriptor.full_name();
        if let Some(id) = self.message_ids.get(name) {
            return Ok(*id);
        }
        let raw = self.messages.get(name).copied();
        let (bound, explicit) = self.class_of(descriptor);
        let class = raw.and_then(|raw| raw.implementation.clone()).unwrap_or(bound);
        if JavaType::parse(&class).is_none() {
            return Err(LoadError::new(name, "java", format!("{class} is no class name")));
        }
        if !explicit && is_marker(descriptor) {
            return Err(LoadError::new(
                name,
                "",
                "is an empty marker message: it carries nothing over protobuf; declare a field type that does",
            ));
        }
        let id = count(&self.types.messages);
        self.types.messages.push(MessagePlan {
            class,
            ..MessagePlan::default()
        });
        self.message_ids.insert(name.to_owned(), id);
        self.pending.push_back((descriptor.clone(), id));
        Ok(id)
    }

    /// Compiles what was named since the last time, and what that names.
    pub(super) fn compile_pending(&mut self) {
        while let Some((descriptor, id)) = self.pending.pop_front() {
            let plan = match self.message_plan(&descriptor) {
                Ok(plan) => plan,
                Err(error) => {
                    self.fault(error);
                    continue;
                }
            };
            let place = usize::try_from(id).unwrap_or(usize::MAX);
            if let Some(slot) = self.types.messages.get_mut(place) {
                // The class was known at once; a branch of a oneof may have another.
                let class = std::mem::take(&mut slot.class);
                *slot = MessagePlan { class, ..plan };
            }
        }
    }

    fn message_plan(&mut self, descriptor: &MessageDescriptor) -> Loaded<MessagePlan> {
        let name = descriptor.full_name();
        let empty = file::Message::default();
        let options = self.messages.get(name).copied().unwrap_or(&empty);
        self.check_names(descriptor, options);
        let variables = match variables(name, options) {
            Ok(variables) => variables,
            Err(error) => {
                self.fault(error);
                Vec::new()
            }
        };
        let mut descriptors: Vec<_> = descriptor.fields().collect();
        descriptors.sort_by_key(FieldDescriptor::number);
        let mut fields = Vec::new();
        let mut by_java = BTreeMap::new();
        let mut collect = None;
        let mut parents = Vec::new();
        for field in &descriptors {
            if let UnknownJavaFields::Collect(into) = &options.unknown_java_fields
                && into == field.name()
            {
                match self.collect_field(name, field) {
                    Ok(number) => collect = Some(number),
                    Err(error) => self.fault(error),
                }
                continue;
            }
            let plan = match self.message_field(name, field, options, &variables) {
                Ok((plan, None)) => plan,
                Ok((plan, Some(parent))) => {
                    parents.push((fields.len(), parent));
                    fields.push(plan);
                    continue;
                }
                Err(error) => {
                    self.fault(error);
                    continue;
                }
            };
            let place = u16::try_from(fields.len())
                .ok()
                .filter(|place| *place < u16::MAX)
                .ok_or_else(|| LoadError::new(name, "", "has more than 65,534 fields"))?;
            if by_java.insert(plan.java.clone(), place).is_some() {
                self.fault(LoadError::new(
                    name,
                    field.name(),
                    format!("Java field {} is bound twice", plan.java),
                ));
                continue;
            }
            fields.push(plan);
        }
        let mut defaults = Vec::new();
        for (java, value) in &options.defaults {
            if by_java.contains_key(java) {
                self.fault(LoadError::new(
                    name,
                    java,
                    "has a default, but is bound to a field",
                ));
            }
            if value.is_array() || value.is_object() {
                self.fault(LoadError::new(name, java, "default is not a scalar"));
            }
            defaults.push((java.clone(), value.clone()));
        }
        let class_fields = fields
            .iter()
            .map(|field| field.java.clone())
            .chain(defaults.iter().map(|(java, _)| java.clone()))
            .collect();
        let own = if parents.is_empty() {
            Vec::new()
        } else {
            fields.clone()
        };
        Ok(MessagePlan {
            name: name.to_owned(),
            class: String::new(),
            fields,
            own,
            parents,
            inherited: Vec::new(),
            by_java,
            defaults,
            class_fields,
            unknown_error: options.unknown_java_fields == UnknownJavaFields::Error,
            collect,
            slice: options.slice,
            steps: OnceLock::new(),
        })
    }

    /// The plan of one field of a class; with the message of the superclass when the field holds its fields.
    fn message_field(
        &mut self,
        message: &str,
        field: &FieldDescriptor,
        options: &file::Message,
        variables: &[(String, JavaType)],
    ) -> Loaded<(FieldPlan, Option<u32>)> {
        let java = match options.fields.get(field.name()) {
            Some(java) => java.as_str(),
            None => field.json_name(),
        };
        let declared = self.declared(message, field)?;
        let declared = declared.map(|java| java.substitute(variables));
        let mut field_options = options.options.get(field.name()).cloned().unwrap_or_default();
        if let Some(assumed) = field_options.assume.as_mut() {
            if declared.is_some() {
                return Err(LoadError::new(
                    message,
                    field.name(),
                    "has both a type and assume",
                ));
            }
            if let Some(java) = JavaType::parse(assumed) {
                *assumed = java.substitute(variables).to_string();
            }
        }
        match self.inherited_part(message, field, declared.as_ref(), &field_options)? {
            Some((parent, class)) => {
                field_options.inherit = None;
                let class = JavaType::class(class);
                let plan = self.field(message, field, "", Some(class), &field_options)?;
                Ok((plan, Some(parent)))
            }
            None => Ok((self.field(message, field, java, declared, &field_options)?, None)),
        }
    }

    /// The message of a field that holds the fields of the superclass, with its class, when it is one.
    fn inherited_part(
        &mut self,
        owner: &str,
        field: &FieldDescriptor,
        declared: Option<&JavaType>,
        options: &file::FieldOptions,
    ) -> Loaded<Option<(u32, String)>> {
        let err = |problem: &str| Err(LoadError::new(owner, field.name(), problem));
        let kind = field.kind();
        let Kind::Message(message) = &kind else {
            return match options.inherit {
                Some(true) => err("option inherit is for a message of a superclass's fields"),
                _ => Ok(None),
            };
        };
        let single = !field.is_list() && !field.is_map() && field.containing_oneof().is_none();
        let by_option = single && Extend::of(&message.options()).flag(3);
        if !options.inherit.unwrap_or(by_option) {
            return Ok(None);
        }
        if !single {
            return err("option inherit is for a single message outside of any oneof");
        }
        if declared.is_some() {
            return err("is an inherited part: it has no Java type of its own");
        }
        let well_known = message.full_name().starts_with("google.");
        let oneof = self
            .messages
            .get(message.full_name())
            .is_some_and(|raw| !raw.polymorphic.is_empty());
        if well_known || oneof || message.full_name() == super::field::JAVA_VALUE {
            return err("option inherit is for a message that is bound to a class");
        }
        let (class, _) = self.class_of(message);
        Ok(Some((self.message(message)?, class)))
    }

    /// The Java type that the file, or the field's own option, says.
    pub(super) fn declared(&self, message: &str, field: &FieldDescriptor) -> Loaded<Option<JavaType>> {
        let raw = self
            .messages
            .get(message)
            .and_then(|raw| raw.types.get(field.name()));
        let option = Extend::of(&field.options());
        let text = raw.map(String::as_str).or_else(|| option.text(JAVA_TYPE));
        let Some(text) = text else {
            return Ok(None);
        };
        JavaType::parse(text)
            .map(Some)
            .ok_or_else(|| LoadError::new(message, field.name(), format!("{text} is no Java type")))
    }

    /// Every field that a binding speaks of must exist.
    pub(super) fn check_names(&mut self, descriptor: &MessageDescriptor, raw: &file::Message) {
        let named = raw
            .fields
            .keys()
            .chain(raw.types.keys())
            .chain(raw.options.keys())
            .chain(match &raw.unknown_java_fields {
                UnknownJavaFields::Collect(name) => Some(name),
                _ => None,
            });
        for field in named {
            if descriptor.get_field_by_name(field).is_none() {
                self.fault(LoadError::new(descriptor.full_name(), field, "no such field"));
            }
        }
        if raw.polymorphic.is_empty() && (!raw.accept_subclasses.is_empty() || raw.default_branch.is_some()) {
            let problem = "accept_subclasses and default_branch are for a message with branches";
            self.fault(LoadError::new(descriptor.full_name(), "polymorphic", problem));
        }
    }

    fn collect_field(&self, message: &str, field: &FieldDescriptor) -> Loaded<u32> {
        let fits = matches!(field.kind(), Kind::Message(entry)
            if field.is_map()
                && entry.map_entry_key_field().kind() == Kind::String
                && matches!(entry.map_entry_value_field().kind(), Kind::Message(value) if value.full_name() == super::field::JAVA_VALUE));
        if fits {
            Ok(field.number())
        } else {
            Err(LoadError::new(
                message,
                field.name(),
                "collects Java fields, but is no map<string, gw.v1.JavaValue>",
            ))
        }
    }

    /// The plan of a oneof message whose branches are classes.
    pub(super) fn polymorphic(&mut self, descriptor: &MessageDescriptor, raw: &file::Message) -> Loaded<u32> {
        let name = descriptor.full_name();
        if let Some(id) = self.polymorphic_ids.get(name) {
            return Ok(*id);
        }
        let id = count(&self.types.polymorphic);
        self.polymorphic_ids.insert(name.to_owned(), id);
        self.types.polymorphic.push(PolymorphicPlan {
            name: name.to_owned(),
            branches: Vec::new(),
            by_class: HashMap::new(),
            default: None,
        });
        let mut plan = PolymorphicPlan {
            name: name.to_owned(),
            branches: Vec::new(),
            by_class: HashMap::new(),
            default: None,
        };
        let of_one_class = raw.java.is_some()
            || raw.primary
            || raw.implementation.is_some()
            || raw.slice
            || !raw.fields.is_empty()
            || !raw.types.is_empty()
            || !raw.defaults.is_empty()
            || !raw.options.is_empty()
            || !raw.type_args.is_empty()
            || raw.unknown_java_fields != UnknownJavaFields::Ignore;
        if of_one_class {
            let problem =
                "stands for one of several classes: what belongs to one class goes to the branch's message";
            self.fault(LoadError::new(name, "polymorphic", problem));
        }
        for (field, class) in &raw.polymorphic {
            if let Err(error) = self.branch(descriptor, field, class, &mut plan) {
                self.fault(error);
            }
        }
        for class in &raw.accept_subclasses {
            let mut ancestor = class.as_str();
            let place = (0..64).find_map(|_| {
                ancestor = self.raw.java_hierarchy.get(ancestor)?;
                plan.by_class.get(ancestor).copied()
            });
            match place {
                Some(place) => drop(plan.by_class.entry(class.clone()).or_insert(place)),
                None => self.fault(LoadError::new(
                    name,
                    class,
                    "has no ancestor among the branches in java_hierarchy",
                )),
            }
        }
        if let Some(default) = &raw.default_branch {
            plan.default = plan.branches.iter().position(|(_, field, _)| field == default);
            if plan.default.is_none() {
                self.fault(LoadError::new(name, default, "no such branch"));
            }
        }
        if let Some(slot) = usize::try_from(id)
            .ok()
            .and_then(|id| self.types.polymorphic.get_mut(id))
        {
            *slot = plan;
        }
        Ok(id)
    }

    /// Adds one branch of a oneof message.
    fn branch(
        &mut self,
        descriptor: &MessageDescriptor,
        field: &str,
        class: &str,
        plan: &mut PolymorphicPlan,
    ) -> Loaded<()> {
        let name = descriptor.full_name();
        if JavaType::parse(class).is_none() {
            return Err(LoadError::new(name, field, format!("{class} is no class name")));
        }
        let branch = descriptor
            .get_field_by_name(field)
            .ok_or_else(|| LoadError::new(name, field, "no such field"))?;
        let (Kind::Message(message), Some(_)) = (branch.kind(), branch.containing_oneof()) else {
            return Err(LoadError::new(name, field, "is no message in a oneof"));
        };
        let (bound, explicit) = self.class_of(&message);
        if explicit && bound != *class {
            let problem = format!("is {class} here, but {} is bound to {bound}", message.full_name());
            return Err(LoadError::new(name, field, problem));
        }
        let message = self.message(&message)?;
        self.bind(message, class);
        let place = plan.branches.len();
        if plan.by_class.insert(class.to_owned(), place).is_some() {
            return Err(LoadError::new(name, field, format!("{class} has another branch")));
        }
        plan.branches.push((branch.number(), field.to_owned(), message));
        Ok(())
    }
}

/// What the type variables of a message's class stand for.
fn variables(message: &str, raw: &file::Message) -> Loaded<Vec<(String, JavaType)>> {
    let err = |problem: String| LoadError::new(message, "type_args", problem);
    let count = raw.type_args.len();
    if !raw.type_params.is_empty() && raw.type_params.len() != count {
        return Err(err(format!(
            "{} names in type_params for {count} type_args",
            raw.type_params.len()
        )));
    }
    let mut variables: Vec<(String, JavaType)> = Vec::new();
    for (place, text) in raw.type_args.iter().enumerate() {
        let java = JavaType::parse(text).ok_or_else(|| err(format!("{text} is no Java type")))?;
        if java.is_primitive() || java.is_void() {
            return Err(err(format!("{text} cannot stand for a type variable")));
        }
        let name = match raw.type_params.get(place) {
            Some(name) => name.clone(),
            None if count == 1 => "T".to_owned(),
            None => format!("T{}", place.saturating_add(1)),
        };
        let plain = JavaType::parse(&name).and_then(|java| java.name().map(str::to_owned));
        if plain.as_deref() != Some(&name) || name.contains('.') {
            return Err(err(format!("{name} is no name of a type variable")));
        }
        if variables.iter().any(|(known, _)| *known == name) {
            return Err(err(format!("type variable {name} is named twice")));
        }
        variables.push((name, java));
    }
    Ok(variables)
}

/// The marker messages of protoc-gen-go-hessian2.
fn is_marker(descriptor: &MessageDescriptor) -> bool {
    descriptor.fields().len() == 0
        && matches!(
            descriptor.package_name(),
            "java_math" | "java_util" | "java8_time" | "java_sql_time" | "java_exception"
        )
}
