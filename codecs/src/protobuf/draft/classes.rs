//! Classes as messages and enums, with names that nobody else has or had.

use std::collections::{BTreeMap, BTreeSet};

use super::definition::Shape;
use super::names::{alike, enum_constant, field_name, holder_name, json_name, rpc_name, simple_name};
use super::note::Kind;
use super::{Drafter, Enum, Message, Role};
use crate::protobuf::java::JavaType;

/// What the method at hand has added; taken back when it cannot be drafted.
#[derive(Debug)]
pub(super) enum Made {
    /// A message by its name.
    Message(String),
    /// An enum by its class.
    Enum(String),
    /// A name by what it stands for; whether the lock had it not.
    Name(String, bool),
}

impl Drafter {
    /// Keeps what the method at hand has added, or takes it back.
    pub(super) fn settle(&mut self, keep: bool) {
        let journal = std::mem::take(&mut self.journal);
        self.pending.clear();
        if keep {
            return;
        }
        for made in journal {
            match made {
                Made::Message(name) => drop(self.messages.remove(&name)),
                Made::Enum(class) => drop(self.enums.remove(&class)),
                Made::Name(key, new) => {
                    self.named.remove(&key);
                    if new {
                        self.lock.forget_name(&key);
                    }
                }
            }
        }
    }

    /// The message or enum of a class, and whether it is a message. Its fields follow in [`Self::describe_pending`].
    pub(super) fn class(&mut self, java: &JavaType) -> Result<(String, bool), String> {
        let JavaType::Class { name: class, args } = java else {
            return Err(format!("{java} is no class"));
        };
        let shape = match self.types.get(class) {
            None => {
                return Err(format!(
                    "{class} is not described: a type parameter? hint its type"
                ));
            }
            Some(shape) => shape.clone(),
        };
        let key = java.to_string();
        if let Some(name) = self.named.get(&key) {
            return Ok((name.clone(), !matches!(shape, Shape::Enum(_))));
        }
        let parameters = self.hints.type_parameters.get(class);
        if parameters.map_or(0, Vec::len) != args.len() {
            return Err(match parameters {
                None => format!("{java} is a generic class: hint its type_parameters"),
                Some(_) if args.is_empty() => {
                    format!("{class} is generic, and nothing says of what: hint the type")
                }
                Some(_) => format!("{java} has another number of type arguments than type_parameters"),
            });
        }
        if parameters.is_some() {
            self.used_hints.insert(format!("type_parameters: {class}"));
        }
        if shape.is_plain() {
            return Err(format!(
                "{class} has no fields: an interface, or a class that hides them"
            ));
        }
        let package = class.rsplit('.').nth(1).map(rpc_name).unwrap_or_default();
        let of: String = args.iter().map(|arg| holder_name(arg, &self.named)).collect();
        let simple = format!("{}{of}", simple_name(class));
        let wanted = [simple.clone(), format!("{package}{simple}")];
        let name = self.name_for(&key, &wanted);
        match shape {
            Shape::Enum(constants) => {
                let made = self.enumeration(class, &name, &constants);
                self.journal.push(Made::Enum(class.clone()));
                self.enums.insert(class.clone(), made);
                Ok((name, false))
            }
            Shape::Object(_) => {
                self.pending.push((name.clone(), java.clone()));
                Ok((name, true))
            }
        }
    }

    /// Drafts the fields of the classes that were named, and of those that they name.
    pub(super) fn describe_pending(&mut self) -> Result<(), String> {
        while let Some((name, java)) = self.pending.pop() {
            let JavaType::Class { name: class, args } = &java else {
                continue;
            };
            let Some(Shape::Object(properties)) = self.types.get(class).cloned() else {
                continue;
            };
            let parameters = self.hints.type_parameters.get(class).cloned().unwrap_or_default();
            let given: BTreeMap<&str, &JavaType> = parameters.iter().map(String::as_str).zip(args).collect();
            let mut fields = Vec::new();
            let mut taken = BTreeSet::new();
            // Those that are named as Java names fields come first and keep their names.
            let usual = |name: &str| json_name(&field_name(name)) == name;
            let (first, then): (Vec<_>, Vec<_>) = properties.iter().partition(|(name, _)| usual(name));
            for (property, text) in first.into_iter().chain(then) {
                let hinted = format!("{class}.{property}");
                let text = match self.hints.fields.get(&hinted) {
                    Some(hint) => {
                        self.used_hints.insert(format!("fields: {hinted}"));
                        hint
                    }
                    None => text,
                };
                let of = |reason: String| format!("field {property} of {class}: {reason}");
                if !is_field(property) {
                    return Err(format!(
                        "{class} has a field {property:?}, which Java cannot have"
                    ));
                }
                let java = JavaType::parse(text).ok_or_else(|| of(format!("{text:?} is no Java type")))?;
                let field = self.member_name(&name, property, &mut taken);
                fields.push(
                    self.field(&field, property, &substituted(&java, &given))
                        .map_err(of)?,
                );
            }
            let type_args = args.iter().map(ToString::to_string).collect();
            self.journal.push(Made::Message(name.clone()));
            self.messages.insert(
                name.clone(),
                Message {
                    name,
                    role: Role::Class {
                        java: class.clone(),
                        type_args,
                    },
                    fields,
                },
            );
        }
        Ok(())
    }

    /// The protobuf name of a Java field: the one it had, or one that no other has or had.
    fn member_name(&self, message: &str, java: &str, taken: &mut BTreeSet<String>) -> String {
        if let Some(name) = self.lock.member(message, java)
            && taken.insert(alike(&name))
        {
            return name;
        }
        let plain = field_name(java);
        let mut name = plain.clone();
        for number in 2u32.. {
            if !self.lock.has_member(message, &name, java) && taken.insert(alike(&name)) {
                break;
            }
            name = format!("{}_{number}", plain.trim_end_matches('_'));
        }
        name
    }

    /// The constants of an enum under names that are its own.
    fn enumeration(&mut self, class: &str, name: &str, constants: &[String]) -> Enum {
        let hints = self.hints.enums.get(class).cloned();
        if hints.is_some() {
            self.used_hints.insert(format!("enums: {class}"));
        }
        let hints = hints.unwrap_or_default();
        // Constants of all enums of a package are in one scope.
        let mut taken = BTreeSet::from([alike(&enum_constant(name, "UNSPECIFIED"))]);
        for known in self.enums.values() {
            taken.extend(known.constants.iter().map(|(proto, _)| alike(proto)));
            taken.insert(alike(&enum_constant(&known.name, "UNSPECIFIED")));
        }
        let mut named = Vec::new();
        let mut odd = Vec::new();
        for text in constants {
            let java = hints.get(text).unwrap_or(text);
            if named.iter().any(|(_, known)| known == java) {
                continue;
            }
            if !is_constant(java) {
                odd.push(format!("{java:?}"));
            }
            let locked = self.lock.member(name, java);
            let plain = enum_constant(name, java);
            let mut proto = locked.unwrap_or_else(|| plain.clone());
            for number in 2u32.. {
                if !self.lock.has_member(name, &proto, java) && taken.insert(alike(&proto)) {
                    break;
                }
                proto = format!("{plain}_{number}");
            }
            named.push((proto, java.clone()));
        }
        if !odd.is_empty() {
            self.notes.add(
                Kind::Guessed,
                format!(
                    "{class}: {} look like toString() and not like names of constants: hint `enums`, or correct the binding",
                    odd.join(", ")
                ),
            );
        }
        Enum {
            name: name.to_owned(),
            constants: named,
        }
    }

    /// A name for what `key` stands for: the lock's, the first of `wanted` that is free, or the first with a number.
    pub(super) fn name_for(&mut self, key: &str, wanted: &[String]) -> String {
        let name = match self.lock.name(key) {
            Some(name) => name,
            None => {
                let first = wanted.first().cloned().unwrap_or_default();
                let numbered = (2u32..=u32::MAX).map(|number| format!("{first}{number}"));
                wanted
                    .iter()
                    .cloned()
                    .chain(numbered)
                    .find(|name| self.is_free(name, key))
                    .unwrap_or(first)
            }
        };
        let new = self.lock.name(key).is_none();
        self.lock.set_name(key, &name);
        self.named.insert(key.to_owned(), name.clone());
        self.journal.push(Made::Name(key.to_owned(), new));
        name
    }

    fn is_free(&self, name: &str, key: &str) -> bool {
        !self.kept.contains(name)
            && !self.messages.contains_key(name)
            && !self.named.values().any(|known| known == name)
            && !self.lock.has_name(name, key)
    }
}

/// A type with type arguments for its type parameters.
fn substituted(java: &JavaType, given: &BTreeMap<&str, &JavaType>) -> JavaType {
    match java {
        JavaType::Primitive(_) => java.clone(),
        JavaType::Array(of) => JavaType::Array(Box::new(substituted(of, given))),
        JavaType::Class { name, args } => match given.get(name.as_str()) {
            Some(argument) if args.is_empty() => (*argument).clone(),
            _ => JavaType::Class {
                name: name.clone(),
                args: args.iter().map(|arg| substituted(arg, given)).collect(),
            },
        },
    }
}

/// Whether a text can be a constant as people name them.
fn is_constant(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn is_field(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
}
