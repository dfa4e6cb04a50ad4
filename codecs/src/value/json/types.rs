//! Java classes and the type names of lists on the wire.

use super::number::{float, java_float};
use super::{LIST, quote};
use crate::hessian2::JavaText;
use crate::value::Value;

const ELEMENTS: [(&str, &str); 11] = [
    ("int", "I"),
    ("long", "J"),
    ("short", "S"),
    ("boolean", "Z"),
    ("float", "F"),
    ("double", "D"),
    ("char", "C"),
    ("object", "Ljava.lang.Object;"),
    ("string", "Ljava.lang.String;"),
    ("date", "Ljava.util.Date;"),
    ("byte", "B"),
];

/// The Java class of a list type name, and whether the name must be given beside it.
pub(super) fn list_class(wire: &JavaText) -> (String, bool) {
    let name = wire.to_str_lossy();
    let dimensions = name.bytes().take_while(|byte| *byte == b'[').count();
    let (brackets, element) = name.split_at_checked(dimensions).unwrap_or(("", &name));
    let class = match ELEMENTS.iter().find(|(known, _)| *known == element) {
        _ if dimensions == 0 => name.clone().into_owned(),
        Some((_, code)) => format!("{brackets}{code}"),
        None => format!("{brackets}L{element};"),
    };
    let implied = list_type(&class).as_deref() == wire.as_str() && !is_enum_set(&class);
    (class, !implied)
}

/// The list type name of a Java class; `None` for a plain list.
pub(super) fn list_type(class: &str) -> Option<String> {
    if class == LIST {
        return None;
    }
    let dimensions = class.bytes().take_while(|byte| *byte == b'[').count();
    if dimensions == 0 {
        return Some(class.to_owned());
    }
    let (brackets, code) = class.split_at_checked(dimensions)?;
    Some(match ELEMENTS.iter().find(|(_, known)| *known == code) {
        Some((element, _)) => format!("{brackets}{element}"),
        None => {
            let element = code.strip_prefix('L').unwrap_or(code);
            format!("{brackets}{}", element.strip_suffix(';').unwrap_or(element))
        }
    })
}

/// Whether an empty `v` of this class is a map: lists and maps look alike then.
pub(super) fn is_map(class: &str) -> bool {
    let is_named = class.ends_with("Map") || class.ends_with("Properties") || class.ends_with("Hashtable");
    is_named && !class.ends_with("SetFromMap")
}

/// Whether Java shows the object of an EnumSet under this name, as a list.
pub(super) fn is_enum_set(class: &str) -> bool {
    matches!(class, "java.util.RegularEnumSet" | "java.util.JumboEnumSet")
}

/// Elements whose class only the type of their array tells: shorts and bytes travel as ints, floats as doubles, chars as text.
#[derive(Clone, Copy)]
pub(super) enum Element {
    Byte,
    Short,
    Float,
    BoxedFloat,
    Character,
    Characters,
}

impl Element {
    pub(super) fn of(list_type: &JavaText) -> Option<Self> {
        Some(match list_type.as_str()?.strip_prefix('[')? {
            "byte" | "java.lang.Byte" => Self::Byte,
            "short" | "java.lang.Short" => Self::Short,
            "float" => Self::Float,
            "java.lang.Float" => Self::BoxedFloat,
            "char" | "java.lang.Character" => Self::Character,
            "[char" => Self::Characters,
            _ => return None,
        })
    }

    /// Class and `v` of an element; `None` where the class cannot hold what is on the wire.
    pub(super) fn shown(self, value: &Value) -> Option<(&'static str, String)> {
        Some(match (self, value) {
            (Self::Byte, Value::Int(value)) => ("java.lang.Byte", i8::try_from(*value).ok()?.to_string()),
            (Self::Short, Value::Int(value)) => ("java.lang.Short", i16::try_from(*value).ok()?.to_string()),
            (Self::Float | Self::BoxedFloat, Value::Double(value)) => {
                #[allow(
                    clippy::as_conversions,
                    reason = "the nearest float, compared with what it was"
                )]
                let text = java_float(*value as f32);
                let read = float(&text, matches!(self, Self::Float))?;
                (read.to_bits() == value.to_bits()).then(|| ("java.lang.Float", format!("\"{text}\"")))?
            }
            (Self::Character, Value::String(text)) if text.units().count() == 1 => {
                ("java.lang.Character", quoted(text))
            }
            (Self::Characters, Value::String(text)) => ("[C", quoted(text)),
            _ => return None,
        })
    }
}

fn quoted(text: &JavaText) -> String {
    let mut out = String::new();
    quote(text.units(), &mut out);
    out
}
