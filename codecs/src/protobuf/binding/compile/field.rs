//! Fields: which Java type meets which protobuf type, and how.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::super::file::FieldOptions;
use super::{Compiler, Loaded, options};
use crate::protobuf::error::LoadError;
use crate::protobuf::java::JavaType;
use crate::protobuf::plan::{Conv, F, FieldPlan, J, ListPlan, MapPlan, Shape};

/// The lossless union of everything Java can send.
pub(super) const JAVA_VALUE: &str = "gw.v1.JavaValue";

/// A Java type as a field or element sees it.
enum Seen {
    /// One value; `true` for a primitive.
    Scalar(J, bool),
    Collection {
        item: JavaType,
        write_as: Option<String>,
        set: bool,
        enum_set: bool,
    },
    Map {
        key: JavaType,
        value: JavaType,
        write_as: Option<String>,
    },
    /// A class of its own.
    Class(String),
    /// `java.lang.Object`.
    Any,
    /// One that cannot cross.
    Refused(&'static str),
}

impl Compiler<'_> {
    /// The plan of one field of `owner`, and whether its options mean something.
    pub(super) fn field(
        &mut self,
        owner: &str,
        field: &FieldDescriptor,
        java: &str,
        declared: Option<JavaType>,
        options: &FieldOptions,
    ) -> Loaded<FieldPlan> {
        let plan = self.field_plan(owner, field, java, declared, options)?;
        if self.any.is_none() && options::holds_any(&plan) {
            self.any = Some((owner.to_owned(), field.name().to_owned()));
        }
        match options::bad_java_type(options).or_else(|| options::problem(&plan, options)) {
            Some(problem) => Err(LoadError::new(owner, field.name(), problem)),
            None => Ok(plan),
        }
    }

    fn field_plan(
        &mut self,
        owner: &str,
        field: &FieldDescriptor,
        java: &str,
        declared: Option<JavaType>,
        options: &FieldOptions,
    ) -> Loaded<FieldPlan> {
        let err = |problem: String| LoadError::new(owner, field.name(), problem);
        if options.inherit == Some(true) {
            return Err(err(
                "option inherit is for a message of a superclass's fields".into()
            ));
        }
        let declared = match &options.assume {
            Some(text) => Some(JavaType::parse(text).ok_or_else(|| err(format!("{text} is no Java type")))?),
            None => declared,
        };
        if let Some(variable) = declared.as_ref().and_then(JavaType::variable) {
            return Err(err(format!(
                "type variable {variable} stands for nothing: give the message type_args"
            )));
        }
        let java_type = match declared {
            Some(declared) => declared,
            None => self.default_java(field),
        };
        let (shape, primitive) =
            self.shape(field, &java_type, options)
                .map_err(|error| match error.object.is_empty() {
                    true => err(error.problem),
                    // What is wrong lies further in, and says where.
                    false => error,
                })?;
        Ok(FieldPlan {
            name: field.name().to_owned(),
            java: java.to_owned(),
            number: field.number(),
            shape,
            presence: field.supports_presence(),
            primitive,
            zero_as_null: options.zero_as_null,
            empty_as_null: options.empty_as_null,
            back_reference: options.back_reference,
            null_element: options.null_element,
            null_value: options.null_value,
        })
    }

    fn shape(
        &mut self,
        field: &FieldDescriptor,
        java: &JavaType,
        options: &FieldOptions,
    ) -> Loaded<(Shape, bool)> {
        let seen = self.see(java, options);
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else {
                return Err(problem("is a map without entries"));
            };
            let (key, value, write_as) = match seen {
                Seen::Map { key, value, write_as } => (key, value, write_as),
                Seen::Refused(why) => return Err(problem(format!("{java} cannot cross: {why}"))),
                _ => return Err(problem(format!("is a map in protobuf, but {java} in Java"))),
            };
            let (key_field, value_field) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let key = self.conv(&key_field.kind(), &key, &FieldOptions::default())?.0;
            let plan = MapPlan {
                check_keys: self.raw.strict || merges_keys(&key),
                check_back: splits_keys(&key),
                key,
                value: self.conv(&value_field.kind(), &value, options)?.0,
                write_as,
                entries: false,
                value_presence: false,
            };
            return Ok((Shape::Map(plan), false));
        }
        if !field.is_list() {
            let (conv, primitive) = self.conv(&field.kind(), java, options)?;
            return Ok((Shape::One(conv), primitive));
        }
        match seen {
            Seen::Collection {
                item,
                write_as,
                set,
                enum_set,
            } => {
                let enum_set = match (enum_set, item.name()) {
                    (false, _) => None,
                    (true, Some(class)) if self.is_enum(class) => Some(class.to_owned()),
                    (true, _) => return Err(problem(format!("{java}: {item} is no enum of this binding"))),
                };
                let (item, _) = self.conv(&field.kind(), &item, options)?;
                Ok((
                    Shape::List(ListPlan {
                        item,
                        packed: field.is_packed(),
                        write_as,
                        set,
                        enum_set,
                    }),
                    false,
                ))
            }
            Seen::Map { key, value, write_as } => {
                let Kind::Message(entry) = field.kind() else {
                    return Err(problem(format!("is repeated in protobuf, but {java} in Java")));
                };
                let (Some(key_field), Some(value_field)) = (entry.get_field(1), entry.get_field(2)) else {
                    return Err(problem(format!(
                        "holds a map: {} has no key = 1 and value = 2",
                        entry.full_name()
                    )));
                };
                if entry.fields().len() != 2 || key_field.is_list() || value_field.is_list() {
                    return Err(problem(format!(
                        "holds a map: {} must have a single key = 1 and value = 2 and nothing else",
                        entry.full_name()
                    )));
                }
                let key = self.conv(&key_field.kind(), &key, &FieldOptions::default())?.0;
                let plan = MapPlan {
                    check_keys: self.raw.strict || merges_keys(&key),
                    // Nothing in protobuf keeps two entries of a list from having one key.
                    check_back: true,
                    key,
                    value: self.conv(&value_field.kind(), &value, options)?.0,
                    write_as,
                    entries: true,
                    value_presence: value_field.supports_presence(),
                };
                Ok((Shape::Map(plan), false))
            }
            Seen::Refused(why) => Err(problem(format!("{java} cannot cross: {why}"))),
            _ => Err(problem(format!("is repeated in protobuf, but {java} in Java"))),
        }
    }

    /// How one value of a protobuf kind meets a Java type; and whether that is a primitive.
    pub(super) fn conv(
        &mut self,
        kind: &Kind,
        java: &JavaType,
        options: &FieldOptions,
    ) -> Loaded<(Conv, bool)> {
        let seen = match kind {
            Kind::Bytes if is_byte_objects(java) => Seen::Scalar(J::ByteObjects, false),
            Kind::Message(message)
                if is_byte_objects(java) && message.full_name() == "google.protobuf.BytesValue" =>
            {
                Seen::Scalar(J::ByteObjects, false)
            }
            _ => self.see(java, options),
        };
        let (j, primitive) = match &seen {
            Seen::Scalar(j, primitive) => (*j, *primitive),
            Seen::Collection { .. } => (J::Collection, false),
            Seen::Map { .. } => (J::Map, false),
            Seen::Class(name) if self.is_enum(name) => (J::Enum, false),
            Seen::Class(_) => (J::Object, false),
            Seen::Any => (J::Any, false),
            Seen::Refused(why) => return Err(problem(format!("{java} cannot cross: {why}"))),
        };
        let f = match kind {
            Kind::Message(message) => self.message_type(message, j, java, options)?,
            Kind::Enum(descriptor) => {
                let id = self.enumeration(descriptor)?;
                let class = self.types.enums.get(usize::try_from(id).unwrap_or(usize::MAX));
                let bound = class.map(|plan| plan.class.clone()).unwrap_or_default();
                if let Seen::Class(name) = &seen {
                    if *name != bound {
                        return Err(problem(format!(
                            "is {name} in Java, but {} is bound to {bound}",
                            descriptor.full_name()
                        )));
                    }
                    return Ok((Conv::new(J::Enum, F::Enum(id)), false));
                }
                F::Enum(id)
            }
            scalar => scalar_type(scalar),
        };
        if !compatible(j, &f, options) {
            return Err(problem(format!(
                "{java} in Java does not go with {} in protobuf",
                kind_name(kind)
            )));
        }
        let mut conv = Conv::new(j, f);
        conv.reinterpret = options.reinterpret;
        conv.narrow = options.allow_narrow || options.allow_lossy;
        conv.keep_class = options.keep_class;
        for name in &options.any_types {
            let named = self.message_named(name);
            named.map_err(|error| problem(format!("any_types: {name}: {}", error.problem)))?;
        }
        conv.any_types.clone_from(&options.any_types);
        if let (J::Enum, F::String, Seen::Class(name)) = (j, &conv.proto, &seen) {
            conv.java_enum = Some(self.java_enum(name));
        }
        Ok((conv, primitive))
    }

    fn message_type(
        &mut self,
        message: &MessageDescriptor,
        j: J,
        java: &JavaType,
        options: &FieldOptions,
    ) -> Loaded<F> {
        let wrapped = |f: F| Ok(F::Wrapped(Box::new(f)));
        match message.full_name() {
            "google.protobuf.Timestamp" => return Ok(F::Timestamp),
            "google.protobuf.Duration" => return Ok(F::Duration),
            "google.protobuf.Struct" => return Ok(F::Struct),
            "google.protobuf.Value" => return Ok(F::Value),
            "google.protobuf.ListValue" => return Ok(F::ListValue),
            "google.protobuf.Any" => return Ok(F::AnyMessage),
            "google.protobuf.BoolValue" => return wrapped(F::Bool),
            "google.protobuf.Int32Value" => return wrapped(F::Int32),
            "google.protobuf.UInt32Value" => return wrapped(F::Uint32),
            "google.protobuf.Int64Value" => return wrapped(F::Int64),
            "google.protobuf.UInt64Value" => return wrapped(F::Uint64),
            "google.protobuf.FloatValue" => return wrapped(F::Float),
            "google.protobuf.DoubleValue" => return wrapped(F::Double),
            "google.protobuf.StringValue" => return wrapped(F::String),
            "google.protobuf.BytesValue" => return wrapped(F::Bytes),
            "google.type.Decimal" => return Ok(F::Decimal),
            "google.type.Date" => return Ok(F::TypeDate),
            "google.type.TimeOfDay" => return Ok(F::TimeOfDay),
            "google.type.DateTime" => return Ok(F::DateTime),
            JAVA_VALUE => return Ok(F::JavaValue),
            _ => {}
        }
        if let Some(raw) = self
            .messages
            .get(message.full_name())
            .copied()
            .filter(|raw| !raw.polymorphic.is_empty())
        {
            return Ok(F::Polymorphic(self.polymorphic(message, raw)?));
        }
        let mut fields = message.fields();
        let only = match (fields.next(), fields.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        };
        match (j, only) {
            (J::Collection | J::Map, Some(only)) if only.is_list() || only.is_map() => {
                let plan = self.field_plan(message.full_name(), &only, "", Some(java.clone()), options)?;
                Ok(F::Holder(Box::new(plan)))
            }
            // `Byte[]` is a collection that fits a single field.
            (J::Collection, Some(only)) if options.nullable => self.nullable(message, &only, java, options),
            (J::Collection | J::Map, _) => Err(problem(format!(
                "{java} in Java, but {} has not exactly one repeated field or map",
                message.full_name()
            ))),
            (J::Object, only) => {
                let (bound, explicit) = self.class_of(message);
                if java.name() == Some(bound.as_str()) {
                    self.check_type_args(message, java)?;
                    return Ok(F::Message(self.message(message)?));
                }
                match only {
                    Some(only) if options.nullable && !explicit => {
                        self.nullable(message, &only, java, options)
                    }
                    _ => Err(problem(format!(
                        "is {java} in Java, but {} is bound to {bound}",
                        message.full_name()
                    ))),
                }
            }
            (J::Any, _) => Err(problem(format!(
                "is java.lang.Object: it needs {JAVA_VALUE}, google.protobuf.Value, Any, or `assume` with a type"
            ))),
            (_, Some(only)) if options.nullable => self.nullable(message, &only, java, options),
            _ => Err(problem(format!(
                "is {java} in Java, but message {} in protobuf",
                message.full_name()
            ))),
        }
    }

    /// `com.x.Result<com.x.User>` is not the message of `com.x.Result<com.x.Order>`.
    fn check_type_args(&self, message: &MessageDescriptor, java: &JavaType) -> Loaded<()> {
        let JavaType::Class { args, .. } = java else {
            return Ok(());
        };
        let given = self.messages.get(message.full_name()).map(|raw| &raw.type_args);
        let Some(given) = given.filter(|given| !given.is_empty() && !args.is_empty()) else {
            return Ok(());
        };
        let same = given.len() == args.len()
            && given
                .iter()
                .zip(args)
                .all(|(given, arg)| JavaType::parse(given).as_ref() == Some(arg));
        if same {
            Ok(())
        } else {
            Err(problem(format!(
                "is {java} in Java, but {} has the type_args {}",
                message.full_name(),
                given.join(", ")
            )))
        }
    }

    fn nullable(
        &mut self,
        message: &MessageDescriptor,
        only: &FieldDescriptor,
        java: &JavaType,
        options: &FieldOptions,
    ) -> Loaded<F> {
        if !only.supports_presence() {
            return Err(problem(format!(
                "nullable: field {} of {} must be optional",
                only.name(),
                message.full_name()
            )));
        }
        let inner = FieldOptions {
            nullable: false,
            ..options.clone()
        };
        let plan = self.field_plan(message.full_name(), only, "", Some(java.clone()), &inner)?;
        Ok(F::Nullable(Box::new(plan)))
    }

    fn is_enum(&self, class: &str) -> bool {
        self.enum_classes.contains(class)
    }

    /// The Java type of a field that nobody declared.
    pub(super) fn default_java(&mut self, field: &FieldDescriptor) -> JavaType {
        if field.is_map()
            && let Kind::Message(entry) = field.kind()
        {
            let key = self.default_of(&entry.map_entry_key_field().kind(), true);
            let value = self.default_of(&entry.map_entry_value_field().kind(), true);
            return JavaType::generic("java.util.Map", vec![key, value]);
        }
        if field.is_list() {
            let item = self.default_of(&field.kind(), true);
            return JavaType::generic("java.util.List", vec![item]);
        }
        let scalar = !matches!(field.kind(), Kind::Message(_));
        self.default_of(&field.kind(), scalar && field.supports_presence())
    }

    pub(super) fn default_of(&mut self, kind: &Kind, boxed: bool) -> JavaType {
        let pick = |primitive: &'static str, class: &str| {
            if boxed {
                JavaType::class(class)
            } else {
                JavaType::Primitive(primitive)
            }
        };
        match kind {
            Kind::Bool => pick("boolean", "java.lang.Boolean"),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => pick("int", "java.lang.Integer"),
            Kind::Uint64 | Kind::Fixed64 if self.raw.strict => JavaType::class("java.math.BigInteger"),
            Kind::Uint32
            | Kind::Fixed32
            | Kind::Int64
            | Kind::Sint64
            | Kind::Sfixed64
            | Kind::Uint64
            | Kind::Fixed64 => pick("long", "java.lang.Long"),
            Kind::Float => pick("float", "java.lang.Float"),
            Kind::Double => pick("double", "java.lang.Double"),
            Kind::String => JavaType::class("java.lang.String"),
            Kind::Bytes => JavaType::Array(Box::new(JavaType::Primitive("byte"))),
            Kind::Enum(descriptor) => match self.enumeration(descriptor) {
                Ok(id) => JavaType::class(
                    usize::try_from(id)
                        .ok()
                        .and_then(|id| self.types.enums.get(id))
                        .map(|plan| plan.class.clone())
                        .unwrap_or_default(),
                ),
                Err(_) => JavaType::class("java.lang.String"),
            },
            Kind::Message(message) => match message.full_name() {
                "google.protobuf.Timestamp" => JavaType::class("java.util.Date"),
                "google.protobuf.Duration" => JavaType::class("java.time.Duration"),
                "google.protobuf.Struct" => JavaType::generic(
                    "java.util.Map",
                    vec![JavaType::class("java.lang.String"), JavaType::object()],
                ),
                "google.protobuf.ListValue" => JavaType::generic("java.util.List", vec![JavaType::object()]),
                "google.protobuf.Value" | "google.protobuf.Any" | JAVA_VALUE => JavaType::object(),
                "google.protobuf.BoolValue" => JavaType::class("java.lang.Boolean"),
                "google.protobuf.Int32Value" => JavaType::class("java.lang.Integer"),
                "google.protobuf.UInt32Value"
                | "google.protobuf.Int64Value"
                | "google.protobuf.UInt64Value" => JavaType::class("java.lang.Long"),
                "google.protobuf.FloatValue" => JavaType::class("java.lang.Float"),
                "google.protobuf.DoubleValue" => JavaType::class("java.lang.Double"),
                "google.protobuf.StringValue" => JavaType::class("java.lang.String"),
                "google.protobuf.BytesValue" => JavaType::Array(Box::new(JavaType::Primitive("byte"))),
                "google.type.Decimal" => JavaType::class("java.math.BigDecimal"),
                "google.type.Date" => JavaType::class("java.time.LocalDate"),
                "google.type.TimeOfDay" => JavaType::class("java.time.LocalTime"),
                "google.type.DateTime" => JavaType::class("java.time.LocalDateTime"),
                _ => JavaType::class(self.class_of(message).0),
            },
        }
    }

    fn see(&self, java: &JavaType, options: &FieldOptions) -> Seen {
        let scalar = |j| Seen::Scalar(j, false);
        let tag = |name: &str| Some(options.java_type.clone().unwrap_or_else(|| name.to_owned()));
        match java {
            JavaType::Primitive(keyword) => match *keyword {
                "boolean" => Seen::Scalar(J::Bool, true),
                "byte" => Seen::Scalar(J::Byte, true),
                "char" => Seen::Scalar(J::Char, true),
                "short" => Seen::Scalar(J::Short, true),
                "int" => Seen::Scalar(J::Int, true),
                "long" => Seen::Scalar(J::Long, true),
                "float" => Seen::Scalar(J::Float, true),
                "double" => Seen::Scalar(J::Double, true),
                _ => Seen::Refused("void is no value"),
            },
            JavaType::Array(of) => match &**of {
                JavaType::Primitive("byte") => scalar(J::Bytes),
                JavaType::Primitive("char") => scalar(J::CharArray),
                item => Seen::Collection {
                    item: item.clone(),
                    write_as: Some(item.hessian_array()),
                    set: false,
                    enum_set: false,
                },
            },
            JavaType::Class { name, .. } => match name.as_str() {
                "java.lang.Boolean" => scalar(J::Bool),
                "java.lang.Byte" => scalar(J::Byte),
                "java.lang.Short" => scalar(J::Short),
                "java.lang.Character" => scalar(J::Char),
                "java.lang.Integer" => scalar(J::Int),
                "java.lang.Long" => scalar(J::Long),
                "java.lang.Float" => scalar(J::Float),
                "java.lang.Double" => scalar(J::Double),
                "java.lang.String" | "java.lang.CharSequence" => scalar(J::String),
                "java.math.BigDecimal" => scalar(J::BigDecimal),
                "java.math.BigInteger" => scalar(J::BigInteger),
                "java.util.Date" => scalar(J::Date),
                "java.sql.Timestamp" => scalar(J::SqlTimestamp),
                "java.sql.Date" => scalar(J::SqlDate),
                "java.sql.Time" => scalar(J::SqlTime),
                "java.util.Calendar" | "java.util.GregorianCalendar" => scalar(J::Calendar),
                "java.time.Instant" => scalar(J::Instant),
                "java.time.Duration" => scalar(J::Duration),
                "java.time.LocalDate" => scalar(J::LocalDate),
                "java.time.LocalTime" => scalar(J::LocalTime),
                "java.time.LocalDateTime" => scalar(J::LocalDateTime),
                "java.time.OffsetDateTime" => scalar(J::OffsetDateTime),
                "java.time.OffsetTime" => scalar(J::OffsetTime),
                "java.time.ZonedDateTime" => scalar(J::ZonedDateTime),
                "java.time.Year" => scalar(J::Year),
                "java.time.YearMonth" => scalar(J::YearMonth),
                "java.time.MonthDay" => scalar(J::MonthDay),
                "java.time.Period" => scalar(J::Period),
                "java.time.ZoneId" => scalar(J::ZoneId),
                "java.time.ZoneOffset" => scalar(J::ZoneOffset),
                "java.util.UUID" => scalar(J::Uuid),
                "java.util.Locale" => scalar(J::Locale),
                "java.util.Currency" => scalar(J::Currency),
                "java.net.URI" => scalar(J::Uri),
                "java.net.URL" => scalar(J::Url),
                "java.io.File" => scalar(J::File),
                "javax.management.ObjectName" => scalar(J::ObjectName),
                "java.util.TimeZone" => scalar(J::TimeZone),
                "java.lang.Class" => scalar(J::Class),
                "java.util.concurrent.atomic.AtomicInteger" => scalar(J::AtomicInteger),
                "java.util.concurrent.atomic.AtomicLong" => scalar(J::AtomicLong),
                "java.util.concurrent.atomic.AtomicBoolean" => scalar(J::AtomicBoolean),
                "java.lang.Object" | "java.io.Serializable" | "java.lang.Comparable" | "java.lang.Number" => {
                    Seen::Any
                }
                "java.util.List" | "java.util.Collection" | "java.lang.Iterable" | "java.util.ArrayList" => {
                    Seen::Collection {
                        item: java.arg(0),
                        write_as: options.java_type.clone(),
                        set: false,
                        enum_set: false,
                    }
                }
                "java.util.Set" | "java.util.HashSet" => Seen::Collection {
                    item: java.arg(0),
                    write_as: tag("java.util.HashSet"),
                    set: true,
                    enum_set: false,
                },
                "java.util.EnumSet" => Seen::Collection {
                    item: java.arg(0),
                    write_as: None,
                    set: true,
                    enum_set: true,
                },
                "java.util.LinkedHashSet" | "java.util.TreeSet" => Seen::Collection {
                    item: java.arg(0),
                    write_as: tag(name),
                    set: true,
                    enum_set: false,
                },
                "java.util.LinkedList"
                | "java.util.ArrayDeque"
                | "java.util.PriorityQueue"
                | "java.util.Vector" => Seen::Collection {
                    item: java.arg(0),
                    write_as: tag(name),
                    set: false,
                    enum_set: false,
                },
                "java.util.Queue" | "java.util.Deque" => match &options.java_type {
                    Some(name) => Seen::Collection {
                        item: java.arg(0),
                        write_as: Some(name.clone()),
                        set: false,
                        enum_set: false,
                    },
                    None => Seen::Refused("it is an interface: give java_type"),
                },
                "java.util.SortedSet" | "java.util.NavigableSet" => match &options.java_type {
                    Some(name) => Seen::Collection {
                        item: java.arg(0),
                        write_as: Some(name.clone()),
                        set: true,
                        enum_set: false,
                    },
                    None => Seen::Refused("it is an interface: give java_type"),
                },
                "java.util.Map" | "java.util.HashMap" => Seen::Map {
                    key: java.arg(0),
                    value: java.arg(1),
                    write_as: options.java_type.clone(),
                },
                "java.util.Properties" => Seen::Map {
                    key: JavaType::class("java.lang.String"),
                    value: JavaType::class("java.lang.String"),
                    write_as: tag(name),
                },
                "java.util.LinkedHashMap"
                | "java.util.TreeMap"
                | "java.util.concurrent.ConcurrentHashMap"
                | "java.util.Hashtable" => Seen::Map {
                    key: java.arg(0),
                    value: java.arg(1),
                    write_as: tag(name),
                },
                "java.util.SortedMap" | "java.util.NavigableMap" | "java.util.concurrent.ConcurrentMap" => {
                    match &options.java_type {
                        Some(name) => Seen::Map {
                            key: java.arg(0),
                            value: java.arg(1),
                            write_as: Some(name.clone()),
                        },
                        None => Seen::Refused("it is an interface: give java_type"),
                    }
                }
                "java.util.Optional"
                | "java.util.OptionalInt"
                | "java.util.OptionalLong"
                | "java.util.OptionalDouble"
                | "java.util.stream.Stream"
                | "java.io.InputStream"
                | "java.io.OutputStream"
                | "java.lang.Thread" => Seen::Refused("it is not Serializable"),
                "org.apache.dubbo.common.stream.StreamObserver" | "reactor.core.publisher.Flux" => {
                    Seen::Refused("streams are not bridged")
                }
                _ => Seen::Class(name.clone()),
            },
        }
    }
}

/// `Byte[]`, which is a list of ints in Java and may be bytes in protobuf.
fn is_byte_objects(java: &JavaType) -> bool {
    matches!(java, JavaType::Array(of) if of.name() == Some("java.lang.Byte"))
}

/// Classes of the JDK whose names a `java.lang.Class` may hold: the values that cross, and interfaces of
/// collections.
pub(crate) fn is_value_class(name: &str) -> bool {
    const KEYWORDS: [&str; 9] = [
        "void", "boolean", "byte", "char", "short", "int", "long", "float", "double",
    ];
    if KEYWORDS.contains(&name) {
        return true;
    }
    let packages = ["java.lang.", "java.math.", "java.time.", "java.util."];
    let package = packages.iter().find_map(|package| name.strip_prefix(package));
    package.is_some_and(|rest| {
        matches!(
            rest,
            "Boolean"
                | "Byte"
                | "Character"
                | "Short"
                | "Integer"
                | "Long"
                | "Float"
                | "Double"
                | "String"
                | "Object"
                | "BigDecimal"
                | "BigInteger"
                | "Date"
                | "UUID"
                | "Locale"
                | "Currency"
                | "List"
                | "Set"
                | "Map"
                | "Collection"
                | "Instant"
                | "Duration"
                | "LocalDate"
                | "LocalTime"
                | "LocalDateTime"
                | "OffsetDateTime"
                | "ZonedDateTime"
                | "Year"
                | "YearMonth"
                | "MonthDay"
                | "Period"
        )
    })
}

fn problem(text: impl Into<String>) -> LoadError {
    LoadError::new("", "", text)
}

fn scalar_type(kind: &Kind) -> F {
    match kind {
        Kind::Bool => F::Bool,
        Kind::Int32 => F::Int32,
        Kind::Sint32 => F::Sint32,
        Kind::Sfixed32 => F::Sfixed32,
        Kind::Uint32 => F::Uint32,
        Kind::Fixed32 => F::Fixed32,
        Kind::Int64 => F::Int64,
        Kind::Sint64 => F::Sint64,
        Kind::Sfixed64 => F::Sfixed64,
        Kind::Uint64 => F::Uint64,
        Kind::Fixed64 => F::Fixed64,
        Kind::Float => F::Float,
        Kind::Double => F::Double,
        Kind::Bytes => F::Bytes,
        Kind::String | Kind::Message(_) | Kind::Enum(_) => F::String,
    }
}

/// Whether keys that differ in Java may be one key in protobuf: half surrogates, numbers of other widths and what has
/// several objects for one text.
fn merges_keys(key: &Conv) -> bool {
    match key.java {
        J::Bool | J::Byte | J::Short | J::Int | J::Long | J::String | J::Char | J::Object => false,
        // As text a constant is its name; as a number all unknown ones are 0.
        J::Enum => matches!(key.proto, F::Enum(_)),
        _ => true,
    }
}

/// Whether keys that differ in protobuf may be one key in Java: several texts for one value.
fn splits_keys(key: &Conv) -> bool {
    key.proto == F::String && !matches!(key.java, J::String | J::Char | J::Enum)
}

fn kind_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(descriptor) => descriptor.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

/// Which protobuf fields a Java type may have.
fn compatible(java: J, proto: &F, options: &FieldOptions) -> bool {
    let signed32 = matches!(proto, F::Int32 | F::Sint32 | F::Sfixed32);
    let signed64 = matches!(proto, F::Int64 | F::Sint64 | F::Sfixed64);
    let unsigned64 = matches!(proto, F::Uint64 | F::Fixed64);
    let unsigned32 = matches!(proto, F::Uint32 | F::Fixed32);
    if let F::Wrapped(inner) = proto {
        return compatible(java, inner, options);
    }
    if matches!(proto, F::Nullable(_)) {
        return true;
    }
    match java {
        J::Bool => *proto == F::Bool,
        J::Byte | J::Short => signed32,
        J::Char => matches!(proto, F::String | F::Int32 | F::Uint32),
        J::Int => signed32 || signed64 || unsigned32 || unsigned64,
        J::Long => signed64 || unsigned64 || unsigned32 || *proto == F::String,
        J::Float => matches!(proto, F::Float | F::Double),
        J::Double => *proto == F::Double || (*proto == F::Float && options.allow_narrow),
        J::String => matches!(proto, F::String | F::Bytes | F::Enum(_)),
        J::Bytes | J::ByteObjects => *proto == F::Bytes,
        J::BigDecimal => {
            matches!(proto, F::String | F::Decimal) || (*proto == F::Double && options.allow_lossy)
        }
        J::BigInteger => matches!(proto, F::String | F::Bytes) || signed64 || unsigned64,
        J::Date | J::SqlTimestamp => matches!(proto, F::Timestamp | F::String) || signed64,
        J::SqlDate => matches!(proto, F::TypeDate | F::String),
        J::SqlTime => matches!(proto, F::TimeOfDay | F::String),
        J::Calendar => *proto == F::Timestamp,
        J::Instant => matches!(proto, F::Timestamp | F::String),
        J::Duration => matches!(proto, F::Duration | F::String),
        J::LocalDate => matches!(proto, F::TypeDate | F::String),
        J::LocalTime => matches!(proto, F::TimeOfDay | F::String),
        J::LocalDateTime => matches!(proto, F::DateTime | F::String),
        J::OffsetDateTime | J::ZonedDateTime => matches!(proto, F::DateTime | F::String | F::Timestamp),
        J::Year => signed32,
        J::Uuid => matches!(proto, F::String | F::Bytes),
        J::CharArray
        | J::OffsetTime
        | J::YearMonth
        | J::MonthDay
        | J::Period
        | J::ZoneId
        | J::ZoneOffset
        | J::Locale
        | J::Currency
        | J::Uri
        | J::Url
        | J::File
        | J::ObjectName
        | J::TimeZone
        | J::Class => *proto == F::String,
        J::AtomicInteger => signed32,
        J::AtomicLong => signed64,
        J::AtomicBoolean => *proto == F::Bool,
        J::Enum => matches!(proto, F::Enum(_) | F::String),
        J::Object => matches!(
            proto,
            F::Message(_) | F::Polymorphic(_) | F::AnyMessage | F::JavaValue
        ),
        J::Any => matches!(proto, F::JavaValue | F::Value | F::AnyMessage | F::Polymorphic(_)),
        J::Collection => matches!(proto, F::Holder(_) | F::ListValue | F::JavaValue | F::Value),
        J::Map => matches!(proto, F::Holder(_) | F::Struct | F::JavaValue | F::Value),
    }
}
