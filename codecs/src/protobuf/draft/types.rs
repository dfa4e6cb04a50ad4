//! Java types as protobuf types, classes as messages (mapping sections 3.2, 4, 5, 9).

use std::collections::{BTreeMap, BTreeSet};

use super::definition::Shape;
use super::names::{alike, enum_constant, field_name, holder_name, json_name, rpc_name, simple_name};
use super::note::Kind;
use super::{Drafter, Enum, Field, Message, Role};
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

/// One value's protobuf type.
struct Single {
    proto: String,
    /// The binding has to name the Java type.
    declared: bool,
    message: bool,
}

/// The protobuf type of an element of a collection or map.
struct Element {
    proto: String,
    /// It stands for the Java type by itself.
    usual: bool,
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

    /// A field of a Java type.
    pub(super) fn field(&mut self, name: &str, java_name: &str, java: &JavaType) -> Result<Field, String> {
        let declared;
        let proto = if let Some(item) = collection_item(java) {
            let element = self.element(&item)?;
            declared = !(element.usual && java.name() == Some("java.util.List"));
            format!("repeated {}", element.proto)
        } else if let Some((key, value)) = map_types(java) {
            let map = self.map(&key, &value)?;
            declared = !(map.usual && java.name() == Some("java.util.Map"));
            map.proto
        } else {
            let single = self.single(java)?;
            declared = single.declared;
            if single.message || java.is_primitive() {
                single.proto
            } else {
                format!("optional {}", single.proto)
            }
        };
        Ok(Field {
            name: name.to_owned(),
            java_name: java_name.to_owned(),
            proto,
            java: java.to_string(),
            declared,
        })
    }

    fn map(&mut self, key: &JavaType, value: &JavaType) -> Result<Element, String> {
        let value_type = self.element(value)?;
        if let Some((key, usual)) = self.map_key(key)? {
            return Ok(Element {
                proto: format!("map<{key}, {}>", value_type.proto),
                usual: usual && value_type.usual,
            });
        }
        let (key_type, value_type) = (self.element(key)?.proto, value_type.proto);
        let stem = format!(
            "{}To{}",
            holder_name(key, &self.named),
            holder_name(value, &self.named)
        );
        let plain = |name: &str, proto: &str| Field {
            name: name.to_owned(),
            java_name: name.to_owned(),
            proto: proto.to_owned(),
            java: String::new(),
            declared: false,
        };
        let fields = vec![plain("key", &key_type), plain("value", &value_type)];
        let shape = format!("entry {key_type} {value_type}");
        let entry = self.holder(&shape, &stem, "Entry", fields);
        Ok(Element {
            proto: format!("repeated {entry}"),
            usual: false,
        })
    }

    /// The key type of a protobuf map, where there is one for it; and whether it stands for this Java type by itself.
    fn map_key(&mut self, java: &JavaType) -> Result<Option<(&'static str, bool)>, String> {
        let name = java.name().unwrap_or_default();
        Ok(match name {
            "java.lang.String" => Some(("string", true)),
            "java.lang.Integer" => Some(("int32", true)),
            "java.lang.Long" => Some(("int64", true)),
            "java.lang.Boolean" => Some(("bool", true)),
            "java.lang.Character" => Some(("string", false)),
            "java.lang.Short" | "java.lang.Byte" => Some(("int32", false)),
            // An enum's constants by name; its protobuf enum is drafted to say which they are.
            _ if matches!(self.types.get(name), Some(Shape::Enum(_))) => {
                self.class(java)?;
                Some(("string", false))
            }
            _ => None,
        })
    }

    /// The type of an element; a collection gets a message of its own.
    fn element(&mut self, java: &JavaType) -> Result<Element, String> {
        let (suffix, proto, stem) = if let Some(item) = collection_item(java) {
            let element = self.element(&item)?;
            let stem = holder_name(&item, &self.named);
            ("List", format!("repeated {}", element.proto), stem)
        } else if let Some((key, value)) = map_types(java) {
            let map = self.map(&key, &value)?;
            let stem = [&key, &value].map(|java| holder_name(java, &self.named)).concat();
            ("Map", map.proto, stem)
        } else {
            let single = self.single(java)?;
            return Ok(Element {
                proto: single.proto,
                usual: !single.declared && !java.is_primitive(),
            });
        };
        let items = Field {
            name: "items".to_owned(),
            java_name: "items".to_owned(),
            proto: proto.clone(),
            java: String::new(),
            declared: false,
        };
        Ok(Element {
            proto: self.holder(&proto, &stem, suffix, vec![items]),
            usual: false,
        })
    }

    /// The holder of a shape: one for all Java types that look alike in protobuf.
    fn holder(&mut self, shape: &str, stem: &str, suffix: &str, fields: Vec<Field>) -> String {
        if let Some(name) = self.named.get(shape) {
            return name.clone();
        }
        let wanted = [format!("{stem}{suffix}"), format!("{stem}{suffix}Holder")];
        let name = self.name_for(shape, &wanted);
        self.journal.push(Made::Message(name.clone()));
        self.messages.insert(
            name.clone(),
            Message {
                name: name.clone(),
                role: Role::Holder,
                fields,
            },
        );
        name
    }

    /// The protobuf type of one value.
    fn single(&mut self, java: &JavaType) -> Result<Single, String> {
        let name = match java {
            JavaType::Primitive(keyword) => *keyword,
            JavaType::Array(of) if **of == JavaType::Primitive("byte") => "byte[]",
            JavaType::Array(of) if **of == JavaType::Primitive("char") => "char[]",
            JavaType::Array(_) => return Err(format!("{java} cannot stand here")),
            JavaType::Class { name, .. } => name.as_str(),
        };
        let (proto, declared) = match name {
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
            | "java.lang.CharSequence"
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
            | "java.util.TimeZone"
            | "java.net.URI"
            | "java.net.URL"
            | "java.lang.Class"
            | "java.sql.Date"
            | "java.sql.Time" => ("string", true),
            "java.util.Date" => ("google.protobuf.Timestamp", false),
            "java.sql.Timestamp"
            | "java.util.Calendar"
            | "java.util.GregorianCalendar"
            | "java.time.Instant" => ("google.protobuf.Timestamp", true),
            "java.time.Duration" => ("google.protobuf.Duration", false),
            "java.lang.Object" | "java.io.Serializable" | "java.lang.Number" | "java.lang.Comparable" => {
                return Err(format!("{name} says nothing: hint its type"));
            }
            "void" | "java.lang.Void" => return Err("void is no value".to_owned()),
            "java.util.Queue"
            | "java.util.Deque"
            | "java.util.SortedSet"
            | "java.util.NavigableSet"
            | "java.util.SortedMap"
            | "java.util.NavigableMap"
            | "java.util.concurrent.ConcurrentMap" => {
                return Err(format!("{name} is an interface: hint the class that Java uses"));
            }
            "org.apache.dubbo.common.stream.StreamObserver" => {
                return Err("streams are not translated".to_owned());
            }
            _ if name.starts_with("java.") || name.starts_with("javax.") => {
                return Err(format!("{name} has no protobuf form"));
            }
            _ => {
                let (proto, message) = self.class(java)?;
                return Ok(Single {
                    proto,
                    declared: false,
                    message,
                });
            }
        };
        let message = proto.starts_with("google.");
        Ok(Single {
            proto: if message && self.hides_google() {
                format!(".{proto}")
            } else {
                proto.to_owned()
            },
            declared,
            message,
        })
    }

    /// Whether `google.protobuf` means another package where this one is looked up first.
    pub(super) fn hides_google(&self) -> bool {
        self.package
            .split('.')
            .any(|part| part == "google" || part == "unified_idl_extend")
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
                | "java.util.EnumSet"
                | "java.util.LinkedList"
                | "java.util.ArrayDeque"
                | "java.util.PriorityQueue"
                | "java.util.Vector"
        )
        .then(|| java.arg(0)),
        _ => None,
    }
}

fn map_types(java: &JavaType) -> Option<(JavaType, JavaType)> {
    match java.name()? {
        "java.util.Map"
        | "java.util.HashMap"
        | "java.util.LinkedHashMap"
        | "java.util.TreeMap"
        | "java.util.Hashtable"
        | "java.util.concurrent.ConcurrentHashMap" => Some((java.arg(0), java.arg(1))),
        "java.util.Properties" => {
            let text = JavaType::class("java.lang.String");
            Some((text.clone(), text))
        }
        _ => None,
    }
}
