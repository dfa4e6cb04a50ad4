//! Names of protobuf for names of Java.

use std::collections::BTreeMap;

use crate::protobuf::binding::upper_snake;
use crate::protobuf::java::JavaType;

/// `getUser` to `GetUser`; what no identifier may hold is left out.
pub(super) fn rpc_name(java: &str) -> String {
    let mut out = String::new();
    let mut upper = true;
    for c in java.chars() {
        if !c.is_ascii_alphanumeric() {
            upper = true;
        } else if upper {
            out.push(c.to_ascii_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    if out.starts_with(|c: char| c.is_ascii_digit()) || out.is_empty() {
        out.insert(0, 'M');
    }
    out
}

/// `com.x.Outer$Inner` to `OuterInner`.
pub(super) fn simple_name(class: &str) -> String {
    let simple = class.rsplit_once('.').map_or(class, |(_, name)| name);
    rpc_name(simple)
}

/// `userName` to `user_name`; reserved and odd names get an underscore behind.
pub(super) fn field_name(java: &str) -> String {
    let mut out = String::new();
    let mut lower = false;
    for c in java.chars() {
        if !c.is_ascii_alphanumeric() {
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            lower = false;
            continue;
        }
        if c.is_ascii_uppercase() && lower {
            out.push('_');
        }
        lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(c.to_ascii_lowercase());
    }
    let out = out.trim_end_matches('_').to_owned();
    if out.is_empty() || out.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("f_{out}").trim_end_matches('_').to_owned();
    }
    if java.starts_with('_') || RESERVED.contains(&out.as_str()) {
        return format!("{out}_");
    }
    out
}

/// Words that a field should not be called.
const RESERVED: [&str; 16] = [
    "message", "enum", "service", "rpc", "returns", "option", "optional", "repeated", "map", "oneof",
    "reserved", "import", "package", "syntax", "stream", "extend",
];

/// What two names of one message or enum must not have in common: compilers refuse names that differ in case and
/// underscores only.
pub(super) fn alike(name: &str) -> String {
    name.chars()
        .filter(|c| *c != '_')
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// The JSON name that protobuf derives from a field's name.
pub(super) fn json_name(field: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for c in field.chars() {
        if c == '_' {
            upper = true;
        } else if upper {
            out.push(c.to_ascii_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    out
}

/// A type as a part of a name: `List<Order>` is `OrderList`. `named`: the names of classes that have one.
pub(super) fn holder_name(java: &JavaType, named: &BTreeMap<String, String>) -> String {
    match java {
        JavaType::Primitive(keyword) => rpc_name(keyword),
        JavaType::Array(of) => format!("{}Array", holder_name(of, named)),
        JavaType::Class { name, args } => match named.get(&java.to_string()) {
            Some(name) => name.clone(),
            None => {
                let args: String = args.iter().map(|arg| holder_name(arg, named)).collect();
                format!("{args}{}", simple_name(name))
            }
        },
    }
}

/// The name of an enum's constant: `STATUS_OK` for `OK` of `Status`.
pub(super) fn enum_constant(name: &str, java: &str) -> String {
    let stem: String = java
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let stem = match stem.trim_matches('_') {
        "" => "EMPTY",
        stem => stem,
    };
    format!("{}_{stem}", upper_snake(name))
}

/// Whether a text can be a name in protobuf.
pub(super) fn is_identifier(text: &str) -> bool {
    text.len() <= 512
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The name of a later overload: `GetByLongBoolean`.
pub(super) fn by_parameters(plain: &str, types: &[JavaType]) -> String {
    if types.is_empty() {
        return format!("{plain}ByNothing");
    }
    let names: String = types
        .iter()
        .map(|java| match java {
            JavaType::Class { name, .. } => simple_name(name),
            other => holder_name(other, &BTreeMap::new()),
        })
        .collect();
    format!("{plain}By{names}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_protobuf_identifiers() {
        for (java, field) in [
            ("userName", "user_name"),
            ("userID", "user_id"),
            ("isVip", "is_vip"),
            ("_id", "id_"),
            ("message", "message_"),
            ("a$b", "a_b"),
            ("x1Y", "x1_y"),
            ("$", "f"),
        ] {
            assert_eq!(field_name(java), field, "{java}");
        }
        assert_eq!(json_name("user_name"), "userName");
        assert_eq!(simple_name("com.x.Outer$Inner"), "OuterInner");
        assert_eq!(rpc_name("getUser"), "GetUser");
        let types = JavaType::parse_descriptor("JZ[Ljava/lang/String;").unwrap();
        assert_eq!(by_parameters("Get", &types), "GetByLongBooleanStringArray");
        let list = JavaType::parse("java.util.List<java.lang.Long>").unwrap();
        assert_eq!(holder_name(&list, &BTreeMap::new()), "LongList");
        assert_eq!(
            enum_constant("OrderStatus", "paid-by card"),
            "ORDER_STATUS_paid_by_card"
        );
        assert!(is_identifier("a_1") && !is_identifier("1a") && !is_identifier("") && !is_identifier("a-b"));
    }
}
