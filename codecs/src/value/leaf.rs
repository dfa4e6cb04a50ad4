//! Objects that Java shows as one text: enums, BigDecimal, UUID, java.time.
//!
//! A text form is used only where [`parse`] gives the very object back, so nothing is lost by it.

mod time;

use super::{Object, Value};

/// The package of hessian-lite's handle classes, in every Dubbo release.
const HANDLES: &str = "com.alibaba.com.caucho.hessian.io.";

/// Classes whose text form is a scalar, not an object.
const SCALARS: [&str; 12] = [
    "java.lang.Boolean",
    "java.lang.Byte",
    "java.lang.Short",
    "java.lang.Integer",
    "java.lang.Long",
    "java.lang.Float",
    "java.lang.Double",
    "java.lang.Character",
    "java.lang.String",
    "java.util.Date",
    "[B",
    "[C",
];

const BIG_INTEGER: &str = "java.math.BigInteger";
/// Java replaces the one by the other as it writes.
const ADDER: &str = "java.util.concurrent.atomic.LongAdder";
const ADDER_ON_WIRE: &str = "java.util.concurrent.atomic.LongAdder$SerializationProxy";

/// What an object is shown as.
#[derive(Debug, PartialEq)]
pub(super) struct Leaf {
    /// The Java class it stands for.
    pub(super) class: String,
    pub(super) text: Text,
    /// What a BigInteger was asked before it was written, and kept: see [`with_caches`].
    pub(super) caches: Option<[i32; 4]>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Text {
    Quoted(String),
    Millis(i64),
}

/// Java classes that travel as a handle with one text in the field `value`.
const LOCALE: (&str, &str) = ("java.util.Locale", "LocaleHandle");

/// The text form of an object; `None` where it has none, or where that would lose something.
pub(super) fn of(object: &Object) -> Option<Leaf> {
    let class = object.class.name.as_str()?;
    let mut leaf = form(class, object)?;
    let mut same = parse(&leaf.class, &leaf.text)?;
    if class == BIG_INTEGER {
        leaf.caches = caches(object).filter(|caches| *caches != [0; 4]);
        with_caches(&mut same, leaf.caches.unwrap_or_default());
    }
    matches!(same, Value::Object(same) if same == *object).then_some(leaf)
}

fn form(class: &str, object: &Object) -> Option<Leaf> {
    let quoted = |class: &str, text: String| {
        Some(Leaf {
            class: class.to_owned(),
            text: Text::Quoted(text),
            caches: None,
        })
    };
    let text = |name: &str| match object.field(name)? {
        Value::String(text) => text.as_str().map(str::to_owned),
        _ => None,
    };
    let int = |name: &str| match object.field(name)? {
        Value::Int(value) => Some(*value),
        _ => None,
    };
    if let Some(handle) = class.strip_prefix(HANDLES) {
        if handle == LOCALE.1 {
            return quoted(LOCALE.0, text("value")?);
        }
        let (class, text) = time::form(handle.strip_prefix("java8.")?, object)?;
        return quoted(class, text);
    }
    match class {
        "java.math.BigDecimal" | "java.util.UUID" => quoted(class, text("value")?),
        "java.lang.Class" => quoted(class, text("name")?),
        "java.util.concurrent.atomic.AtomicInteger" => quoted(class, int("value")?.to_string()),
        "java.util.concurrent.atomic.AtomicLong" => match object.field("value")? {
            Value::Long(value) => quoted(class, value.to_string()),
            _ => None,
        },
        "java.sql.Timestamp" | "java.sql.Date" | "java.sql.Time" => match object.field("value")? {
            Value::Date(millis) => Some(Leaf {
                class: class.to_owned(),
                text: Text::Millis(*millis),
                caches: None,
            }),
            _ => None,
        },
        BIG_INTEGER => quoted(class, big_integer(object)?),
        ADDER_ON_WIRE => match object.field("value")? {
            Value::Long(value) => quoted(ADDER, value.to_string()),
            _ => None,
        },
        _ => {
            if SCALARS.contains(&class) {
                return None;
            }
            let name = text("name").filter(|_| object.fields.len() == 1)?;
            is_constant(&name).then_some(())?;
            quoted(class, name)
        }
    }
}

/// The object of a text form; `None` where this class has none of it.
pub(super) fn parse(class: &str, text: &Text) -> Option<Value> {
    let text = match text {
        Text::Millis(millis) => {
            let sql = matches!(class, "java.sql.Timestamp" | "java.sql.Date" | "java.sql.Time");
            return sql.then(|| Value::object(class, [("value", Value::Date(*millis))]));
        }
        Text::Quoted(text) => text.as_str(),
    };
    if let Some(name) = class.strip_prefix("java.time.")
        && let Some(value) = time::parse(name, text)
    {
        return Some(value);
    }
    let value = |value| Some(Value::object(class, [("value", value)]));
    match class {
        "java.math.BigDecimal" => is_decimal(text).then(|| value(Value::from(text)))?,
        "java.util.UUID" => is_uuid(text).then(|| value(Value::from(text)))?,
        ADDER => Some(Value::object(
            ADDER_ON_WIRE,
            [("value", Value::Long(text.parse().ok()?))],
        )),
        "java.lang.StackTraceElement" => stack_trace_element(text),
        "java.lang.Class" => Some(Value::object(class, [("name", Value::from(text))])),
        "java.util.concurrent.atomic.AtomicInteger" => value(Value::Int(text.parse().ok()?)),
        "java.util.concurrent.atomic.AtomicLong" => value(Value::Long(text.parse().ok()?)),
        "java.util.Locale" => {
            let handle = format!("{HANDLES}{}", LOCALE.1);
            Some(Value::object(&handle, [("value", Value::from(text))]))
        }
        BIG_INTEGER => big_integer_of(text),
        _ if SCALARS.contains(&class) || class.starts_with(['[']) || time::is_text(class) => None,
        "java.util.ArrayList" | "java.util.HashMap" | "java.lang.Object" => None,
        _ if is_identifier(text) => Some(Value::object(class, [("name", Value::from(text))])),
        _ => None,
    }
}

/// Whether a text can be the name of an enum constant at all.
fn is_identifier(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    text.chars().all(is_part) && text.starts_with(|c: char| !c.is_ascii_digit())
}

/// The constants of an EnumSet's handle, when they tell all of it: there is one, and all are whole and of its class.
pub(super) fn constants(object: &Object) -> Option<&[Value]> {
    let [Value::TypedList(list), Value::Object(class)] = &*object.fields else {
        return None;
    };
    let constants = &*list.items;
    let same = enum_set(constants)?;
    (same.class == object.class && list.type_name.as_str() == Some("[object"))
        .then_some(())
        // Nothing of what the object holds is copied: it may be all of the tree, at every level anew.
        .filter(|()| matches!(same.fields.get(1), Some(Value::Object(same)) if same == class))
        .map(|()| constants)
}

/// The handle of an EnumSet; `None` where nothing tells its class, or where something else is in it.
pub(super) fn enum_set(constants: &[Value]) -> Option<Object> {
    let mut class = None;
    for constant in constants {
        let Value::Object(constant) = constant else {
            return None;
        };
        let is_constant = matches!(
            (&*constant.class.fields, &*constant.fields),
            ([name], [Value::String(_)]) if name.as_str() == Some("name")
        );
        let of = is_constant.then(|| &constant.class.name)?;
        if of != *class.get_or_insert(of) {
            return None;
        }
    }
    let name = Value::String(class?.clone());
    let fields = [
        ("objects", Value::typed_list("[object", constants)),
        ("type", Value::object("java.lang.Class", [("name", name)])),
    ];
    match Value::object(&format!("{HANDLES}EnumSetHandler"), fields) {
        Value::Object(handle) => Some(handle),
        _ => None,
    }
}

/// A decimal as BigDecimal prints it.
fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = |text: &str| digits(text.strip_prefix(['-', '+']).unwrap_or(text));
    let (number, exponent) = text.split_once(['E', 'e']).unwrap_or((text, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    unsigned(whole) && digits(fraction) && unsigned(exponent)
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// `a.B.m(B.java:7)` as the fields that every JDK knows; with a class loader or a module before it, which is which is not told.
fn stack_trace_element(text: &str) -> Option<Value> {
    let (method, place) = text.strip_suffix(')')?.split_once('(')?;
    let (class, method) = method.rsplit_once('.')?;
    let is_plain = !method.is_empty() && !class.is_empty() && !class.contains('/');
    let (file, line) = match place {
        "Native Method" => (None, -2),
        "Unknown Source" => (None, -1),
        _ => match place.rsplit_once(':') {
            Some((file, line)) => (Some(file), line.parse().ok().filter(|line| *line >= 0)?),
            None => (Some(place), -1),
        },
    };
    let fields = [
        ("lineNumber", Value::Int(line)),
        ("fileName", file.map_or(Value::Null, Value::from)),
        ("methodName", Value::from(method)),
        ("declaringClass", Value::from(class)),
    ];
    is_plain.then(|| Value::object("java.lang.StackTraceElement", fields))
}

/// Whether a text looks like an enum constant; a bean whose only field is `name` rarely holds one.
fn is_constant(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
}

/// The cached numbers of a BigInteger, in the order of its fields.
const CACHES: [&str; 4] = [
    "firstNonzeroIntNumPlusTwo",
    "lowestSetBitPlusTwo",
    "bitLengthPlusOne",
    "bitCountPlusOne",
];

fn caches(object: &Object) -> Option<[i32; 4]> {
    let mut caches = [0; 4];
    for (cache, name) in caches.iter_mut().zip(CACHES) {
        match object.field(name)? {
            Value::Int(value) => *cache = *value,
            _ => return None,
        }
    }
    Some(caches)
}

/// Puts what a BigInteger was asked for before it was written (bits, lowest bit, first word that is not 0) back into its
/// fields; nothing where it is another object.
pub(super) fn with_caches(value: &mut Value, caches: [i32; 4]) {
    let Value::Object(object) = value else { return };
    if object.class.name.as_str() == Some(BIG_INTEGER) {
        for (field, cache) in object.fields.iter_mut().skip(1).zip(caches) {
            *field = Value::Int(cache);
        }
    }
}

/// The decimal digits of a BigInteger's `signum` and `mag`.
fn big_integer(object: &Object) -> Option<String> {
    let Value::TypedList(mag) = object.field("mag")? else {
        return None;
    };
    // More words than this would be slow to print, and are no numbers that people read.
    (mag.items.len() <= 128).then_some(())?;
    let mut words: Vec<u32> = Vec::with_capacity(mag.items.len());
    for word in &mag.items {
        let Value::Int(word) = word else { return None };
        words.push(u32::from_ne_bytes(word.to_ne_bytes()));
    }
    let mut groups: Vec<String> = Vec::new();
    while words.iter().any(|word| *word != 0) {
        let mut rest = 0u64;
        for word in &mut words {
            let value = rest << 32 | u64::from(*word);
            *word = u32::try_from(value.checked_div(1_000_000_000)?).ok()?;
            rest = value.checked_rem(1_000_000_000)?;
        }
        groups.push(format!("{rest:09}"));
    }
    groups.reverse();
    let digits = groups.concat();
    let digits = digits.trim_start_matches('0');
    match object.field("signum")? {
        Value::Int(0) if digits.is_empty() => Some("0".to_owned()),
        Value::Int(1) if !digits.is_empty() => Some(digits.to_owned()),
        Value::Int(-1) if !digits.is_empty() => Some(format!("-{digits}")),
        _ => None,
    }
}

/// The object that a JDK 11 or later writes for a BigInteger nobody has asked anything yet.
fn big_integer_of(text: &str) -> Option<Value> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let canonical = digits == "0" && !negative || !digits.starts_with('0') && !digits.is_empty();
    if !canonical || digits.len() > 1300 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut words: Vec<u32> = Vec::new();
    for digit in digits.bytes() {
        let mut carry = u64::from(digit.wrapping_sub(b'0'));
        for word in words.iter_mut().rev() {
            let value = u64::from(*word).checked_mul(10)?.checked_add(carry)?;
            *word = u32::try_from(value & 0xffff_ffff).ok()?;
            carry = value >> 32;
        }
        if carry > 0 {
            words.insert(0, u32::try_from(carry).ok()?);
        }
    }
    let signum = if words.is_empty() {
        0
    } else if negative {
        -1
    } else {
        1
    };
    let mag: Vec<Value> = words
        .into_iter()
        .map(|word| Value::Int(i32::from_ne_bytes(word.to_ne_bytes())))
        .collect();
    let [first, lowest, length, count] = CACHES;
    Some(Value::object(
        BIG_INTEGER,
        [
            ("mag", Value::typed_list("[int", mag)),
            (first, Value::Int(0)),
            (lowest, Value::Int(0)),
            (length, Value::Int(0)),
            (count, Value::Int(0)),
            ("signum", Value::Int(signum)),
        ],
    ))
}
