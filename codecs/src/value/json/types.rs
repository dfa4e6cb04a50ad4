//! Java classes and the type names of lists on the wire.

use super::LIST;
use crate::hessian2::JavaText;

const ELEMENTS: [(&str, &str); 10] = [
    ("int", "I"),
    ("long", "J"),
    ("short", "S"),
    ("boolean", "Z"),
    ("float", "F"),
    ("double", "D"),
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
    let implied = list_type(&class).as_deref() == wire.as_str();
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
    class.ends_with("Map") || class.ends_with("Properties") || class.ends_with("Hashtable")
}
