//! Objects that Java shows as one text: enums, BigDecimal, UUID, java.time (spec 8.11).
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

/// What an object is shown as.
#[derive(Debug, PartialEq)]
pub(super) struct Leaf {
    /// The Java class it stands for.
    pub(super) class: String,
    pub(super) text: Text,
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
    let leaf = form(class, object)?;
    let same = parse(&leaf.class, &leaf.text)?;
    matches!(same, Value::Object(same) if same == *object).then_some(leaf)
}

fn form(class: &str, object: &Object) -> Option<Leaf> {
    let quoted = |class: &str, text: String| {
        Some(Leaf {
            class: class.to_owned(),
            text: Text::Quoted(text),
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
            }),
            _ => None,
        },
        "java.math.BigInteger" => quoted(class, big_integer(object)?),
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
        "java.math.BigDecimal" | "java.util.UUID" => value(Value::from(text)),
        "java.lang.Class" => Some(Value::object(class, [("name", Value::from(text))])),
        "java.util.concurrent.atomic.AtomicInteger" => value(Value::Int(text.parse().ok()?)),
        "java.util.concurrent.atomic.AtomicLong" => value(Value::Long(text.parse().ok()?)),
        "java.util.Locale" => {
            let handle = format!("{HANDLES}{}", LOCALE.1);
            Some(Value::object(&handle, [("value", Value::from(text))]))
        }
        "java.math.BigInteger" => big_integer_of(text),
        _ if is_constant(text) => Some(Value::object(class, [("name", Value::from(text))])),
        _ => None,
    }
}

/// Whether a text looks like an enum constant; a bean whose only field is `name` rarely holds one.
fn is_constant(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
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
    Some(Value::object(
        "java.math.BigInteger",
        [
            ("mag", Value::typed_list("[int", mag)),
            ("firstNonzeroIntNumPlusTwo", Value::Int(0)),
            ("lowestSetBitPlusTwo", Value::Int(0)),
            ("bitLengthPlusOne", Value::Int(0)),
            ("bitCountPlusOne", Value::Int(0)),
            ("signum", Value::Int(signum)),
        ],
    ))
}
