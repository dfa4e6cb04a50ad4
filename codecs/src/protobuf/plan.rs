//! Compiled conversions: what a binding becomes when it is loaded. Data only; `transcode` runs it.

mod step;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use step::{Absent, Usual, WireStep};

use super::error::{Policy, Rule};
use super::zone::Zone;

/// Everything that one binding file compiled to. Messages and enums are referred to by their index.
#[derive(Debug)]
pub(crate) struct Types {
    /// No other has it: what workers keep of a class is kept for these types.
    pub(crate) id: u64,
    pub(crate) messages: Vec<MessagePlan>,
    pub(crate) enums: Vec<EnumPlan>,
    pub(crate) polymorphic: Vec<PolymorphicPlan>,
    /// Java class to the message that stands for it where nothing else says (Any, Object, exceptions).
    pub(crate) by_class: HashMap<String, u32>,
    /// Protobuf message name to its plan.
    pub(crate) by_proto: HashMap<String, u32>,
    pub(crate) policies: Policies,
    /// Where the days of `java.sql.Date` and `java.sql.Time` begin; `None` for UTC.
    pub(crate) zone: Option<Zone>,
    /// The classes whose names a `java.lang.Class` may hold on its way to Java.
    pub(crate) classes: HashSet<String>,
}

impl Default for Types {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            messages: Vec::new(),
            enums: Vec::new(),
            polymorphic: Vec::new(),
            by_class: HashMap::new(),
            by_proto: HashMap::new(),
            policies: Policies::default(),
            zone: None,
            classes: HashSet::new(),
        }
    }
}

impl Types {
    #[inline]
    pub(crate) fn message(&self, id: u32) -> &MessagePlan {
        static NONE: MessagePlan = MessagePlan::empty();
        get(&self.messages, id).unwrap_or(&NONE)
    }
}

/// A table entry by its number; numbers come from the compiler and always hit.
#[inline]
#[allow(
    clippy::as_conversions,
    reason = "u32 fits usize on every target we build for"
)]
pub(crate) fn get<T>(table: &[T], id: u32) -> Option<&T> {
    table.get(id as usize)
}

/// What to do for each rule.
#[derive(Debug, Clone)]
pub(crate) struct Policies {
    of: Vec<Policy>,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            of: Rule::ALL.iter().map(|rule| rule.lax()).collect(),
        }
    }
}

impl Policies {
    pub(crate) fn strict() -> Self {
        Self {
            of: Rule::ALL
                .iter()
                .map(|rule| match rule {
                    // What Java does by itself, and what loses nothing that was bound.
                    Rule::UnknownJavaField | Rule::UnknownProtoField => Policy::Allow,
                    _ => Policy::Error,
                })
                .collect(),
        }
    }

    pub(crate) fn set(&mut self, rule: Rule, policy: Policy) {
        if let Some(slot) = Rule::ALL
            .iter()
            .position(|known| *known == rule)
            .and_then(|index| self.of.get_mut(index))
        {
            *slot = policy;
        }
    }

    #[inline]
    pub(crate) fn get(&self, rule: Rule) -> Policy {
        self.of.get(rule.index()).copied().unwrap_or(Policy::Error)
    }
}

impl Rule {
    /// Its place in [`Rule::ALL`].
    #[inline]
    #[allow(
        clippy::as_conversions,
        reason = "the discriminants count from 0 in the order of ALL"
    )]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// A Java type as the converters tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum J {
    Bool,
    Byte,
    Short,
    Char,
    Int,
    Long,
    Float,
    Double,
    String,
    Bytes,
    /// `Byte[]`: Java writes and reads a list of ints.
    ByteObjects,
    CharArray,
    BigDecimal,
    BigInteger,
    Date,
    SqlTimestamp,
    SqlDate,
    SqlTime,
    Calendar,
    Instant,
    Duration,
    LocalDate,
    LocalTime,
    LocalDateTime,
    OffsetDateTime,
    OffsetTime,
    ZonedDateTime,
    Year,
    YearMonth,
    MonthDay,
    Period,
    ZoneId,
    ZoneOffset,
    Uuid,
    Locale,
    Currency,
    Uri,
    Url,
    File,
    ObjectName,
    TimeZone,
    Class,
    AtomicInteger,
    AtomicLong,
    AtomicBoolean,
    /// An enum.
    Enum,
    /// A class bound to a message.
    Object,
    /// `java.lang.Object`.
    Any,
    /// A collection or array in a message of its own.
    Collection,
    /// A map in a message of its own.
    Map,
}

/// A protobuf type as the converters tell them apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum F {
    Bool,
    Int32,
    Sint32,
    Sfixed32,
    Uint32,
    Fixed32,
    Int64,
    Sint64,
    Sfixed64,
    Uint64,
    Fixed64,
    Float,
    Double,
    String,
    Bytes,
    Enum(u32),
    Message(u32),
    Polymorphic(u32),
    Timestamp,
    Duration,
    /// `google.type.Decimal`.
    Decimal,
    /// `google.type.Date`.
    TypeDate,
    /// `google.type.TimeOfDay`.
    TimeOfDay,
    /// `google.type.DateTime`.
    DateTime,
    /// `google.protobuf.Int32Value` and its kin: a message of one scalar, field 1.
    Wrapped(Box<F>),
    /// A message of one repeated field or map, standing for a collection that may be null.
    Holder(Box<FieldPlan>),
    /// A message of one optional field `value`, standing for an element that may be null.
    Nullable(Box<FieldPlan>),
    Struct,
    Value,
    ListValue,
    JavaValue,
    AnyMessage,
}

impl F {
    /// The wire type of one value.
    #[inline]
    pub(crate) fn wire_type(&self) -> u32 {
        use super::wire::{BYTES, FIXED32, FIXED64, VARINT};
        match self {
            Self::Bool
            | Self::Int32
            | Self::Sint32
            | Self::Uint32
            | Self::Int64
            | Self::Sint64
            | Self::Uint64
            | Self::Enum(_) => VARINT,
            Self::Sfixed32 | Self::Fixed32 | Self::Float => FIXED32,
            Self::Sfixed64 | Self::Fixed64 | Self::Double => FIXED64,
            _ => BYTES,
        }
    }

    /// Whether it is a message on the wire.
    #[inline]
    pub(crate) fn is_message(&self) -> bool {
        self.wire_type() == super::wire::BYTES && !matches!(self, Self::String | Self::Bytes)
    }
}

/// How one value is converted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conv {
    pub(crate) java: J,
    pub(crate) proto: F,
    /// u64 and i64 share their bits.
    pub(crate) reinterpret: bool,
    /// A double may lose precision in a float; a decimal in a double.
    pub(crate) narrow: bool,
    /// Objects inside a `Value` keep their class as `@class`.
    pub(crate) keep_class: bool,
    /// The enum's class where protobuf has only its constant's name.
    pub(crate) java_enum: Option<u32>,
    /// The messages that an Any may hold; all bound ones when empty.
    pub(crate) any_types: Vec<String>,
}

impl Conv {
    pub(crate) fn new(java: J, proto: F) -> Self {
        Self {
            java,
            proto,
            reinterpret: false,
            narrow: false,
            keep_class: false,
            java_enum: None,
            any_types: Vec::new(),
        }
    }
}

impl Conv {
    /// Whether an empty text or no bytes are no value of the Java type, and so stand for null.
    pub(crate) fn empty_is_null(&self) -> bool {
        match self.proto {
            F::String => !matches!(self.java, J::String | J::CharArray),
            F::Bytes => self.java == J::Uuid,
            _ => false,
        }
    }
}

/// How one field is converted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldPlan {
    /// The protobuf name, for error paths.
    pub(crate) name: String,
    /// The Java field; in an argument holder the parameter's position.
    pub(crate) java: String,
    pub(crate) number: u32,
    pub(crate) shape: Shape,
    /// Set and unset differ on the wire.
    pub(crate) presence: bool,
    /// The Java side is a primitive.
    pub(crate) primitive: bool,
    pub(crate) zero_as_null: bool,
    pub(crate) empty_as_null: bool,
    pub(crate) back_reference: bool,
    pub(crate) null_element: Option<Policy>,
    pub(crate) null_value: Option<Policy>,
}

/// One value, many, or a map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    One(Conv),
    List(ListPlan),
    Map(MapPlan),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListPlan {
    pub(crate) item: Conv,
    pub(crate) packed: bool,
    /// The Hessian type name of the list; `None` for a plain one.
    pub(crate) write_as: Option<String>,
    pub(crate) set: bool,
    /// The enum whose `EnumSet` it is: Java writes one as an object of its own.
    pub(crate) enum_set: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MapPlan {
    pub(crate) key: Conv,
    pub(crate) value: Conv,
    pub(crate) write_as: Option<String>,
    /// A repeated message `{key = 1; value = 2}` instead of a protobuf map: the wire order is kept.
    pub(crate) entries: bool,
    /// The value field of such an entry can be unset.
    pub(crate) value_presence: bool,
    /// Two keys that differ in Java may be one in protobuf, or every map is to be checked.
    pub(crate) check_keys: bool,
    /// Two keys that differ in protobuf may be one in Java.
    pub(crate) check_back: bool,
}

/// A message and the Java class it is bound to.
#[derive(Debug, Default)]
pub(crate) struct MessagePlan {
    pub(crate) name: String,
    pub(crate) class: String,
    /// By ascending number; the fields of an inherited part stand in its place.
    pub(crate) fields: Vec<FieldPlan>,
    /// The fields as the message has them, where it has inherited parts; empty otherwise.
    pub(crate) own: Vec<FieldPlan>,
    /// The inherited parts among `own`, by their place there.
    pub(crate) parents: Vec<(usize, u32)>,
    /// Where the fields of inherited parts lie in `fields`; an outer part stands before those within it.
    pub(crate) inherited: Vec<Inherited>,
    /// Java field name to its place in `fields`.
    pub(crate) by_java: BTreeMap<String, u16>,
    /// Java fields that are written with a constant.
    pub(crate) defaults: Vec<(String, serde_json::Value)>,
    /// The names of the class definition: `fields`, then `defaults`.
    pub(crate) class_fields: Vec<String>,
    pub(crate) unknown_error: bool,
    /// The map field that takes unbound Java fields.
    pub(crate) collect: Option<u32>,
    /// Other bound classes are read as this one.
    pub(crate) slice: bool,
    /// [`steps`](Self::steps), once they were asked for.
    pub(crate) steps: OnceLock<Option<Box<[WireStep]>>>,
}

impl MessagePlan {
    /// The fields as the message has them: an inherited part is one of them.
    pub(crate) fn own_fields(&self) -> &[FieldPlan] {
        if self.own.is_empty() {
            &self.fields
        } else {
            &self.own
        }
    }

    /// How its own fields lie on the wire; `None` where some of them are a superclass's.
    #[inline]
    pub(crate) fn steps(&self) -> Option<&[WireStep]> {
        let steps = self.steps.get_or_init(|| match self.parents.is_empty() {
            true => WireStep::of_all(self.own_fields()),
            false => None,
        });
        steps.as_deref()
    }

    const fn empty() -> Self {
        Self {
            name: String::new(),
            class: String::new(),
            fields: Vec::new(),
            own: Vec::new(),
            parents: Vec::new(),
            inherited: Vec::new(),
            by_java: BTreeMap::new(),
            defaults: Vec::new(),
            class_fields: Vec::new(),
            unknown_error: false,
            collect: None,
            slice: false,
            steps: OnceLock::new(),
        }
    }
}

/// The fields of a superclass that are a message of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inherited {
    /// The field that holds the message.
    pub(crate) number: u32,
    /// Its first field's place in `fields`.
    pub(crate) first: u16,
    /// The place behind its last field.
    pub(crate) end: u16,
}

/// An enum and its constants, both ways.
#[derive(Debug)]
pub(crate) struct EnumPlan {
    pub(crate) name: String,
    pub(crate) class: String,
    pub(crate) by_java: HashMap<String, i32>,
    pub(crate) by_number: BTreeMap<i32, String>,
    /// Number 0 says "unspecified" and stands for null.
    pub(crate) zero_is_null: bool,
}

/// A oneof message whose branches are classes.
#[derive(Debug)]
pub(crate) struct PolymorphicPlan {
    pub(crate) name: String,
    /// Branch field number, field name, message.
    pub(crate) branches: Vec<(u32, String, u32)>,
    /// Class to its place in `branches`.
    pub(crate) by_class: HashMap<String, usize>,
    pub(crate) default: Option<usize>,
}

/// How arguments become the request message.
#[derive(Debug)]
pub(crate) enum ArgumentsPlan {
    /// The one argument is the message.
    Whole(Conv),
    /// Each argument is a field, in the order of the parameters.
    Spread(Vec<FieldPlan>),
    /// Streams are not converted.
    None,
}

/// How the result becomes the reply message.
#[derive(Debug)]
pub(crate) enum ResultPlan {
    /// The result is the message.
    Whole(Conv),
    /// The result is its one field.
    Single(Box<FieldPlan>),
    /// There is no result.
    Void,
    /// Streams are not converted.
    None,
}
