//! Java types as protobuf types, classes as messages.

use super::classes::Made;
use super::definition::Shape;
use super::names::holder_name;
use super::{Drafter, Field, Message, Role};
use crate::protobuf::java::JavaType;

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
