//! What callers that were built from an older schema notice of a newer one, on the wire.
//!
//! Names of fields, arguments and constants may change, and fields may come to be optional: the bytes stay. A name that goes
//! to another number while its own number means something else is no new name: what callers send arrives as something else.
//! Deleted fields and constants are fine where their numbers are reserved.

use std::fmt::Display;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, ServiceDescriptor};

use super::schema::Schema;

/// Something that breaks callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The service, message or enum.
    pub object: String,
    /// The rpc, field or constant; empty for the object as a whole.
    pub member: String,
    /// What it is.
    pub problem: String,
}

impl std::fmt::Display for Break {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.object)?;
        if !self.member.is_empty() {
            write!(f, ": {}", self.member)?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// Everything in `new` that breaks callers of `old`, in the order of `old`.
pub fn breaks(old: &Schema, new: &Schema) -> Vec<Break> {
    let mut found = Vec::new();
    for service in old.pool().services() {
        match new.pool().get_service_by_name(service.full_name()) {
            Some(now) => compare_services(&service, &now, &mut found),
            None => found.push(gone(service.full_name())),
        }
    }
    for message in old
        .pool()
        .all_messages()
        .filter(|message| !message.is_map_entry() && is_own(message.parent_file().package_name()))
    {
        match new.pool().get_message_by_name(message.full_name()) {
            Some(now) => compare_messages(&message, &now, &mut found),
            None => found.push(gone(message.full_name())),
        }
    }
    for constants in old
        .pool()
        .all_enums()
        .filter(|constants| is_own(constants.parent_file().package_name()))
    {
        match new.pool().get_enum_by_name(constants.full_name()) {
            Some(now) => compare_enums(&constants, &now, &mut found),
            None => found.push(gone(constants.full_name())),
        }
    }
    found
}

/// Whether a package is no part of protobuf itself, nor of the options.
fn is_own(package: &str) -> bool {
    !matches!(package, "google.protobuf" | "unified_idl_extend")
}

fn gone(object: &str) -> Break {
    Break {
        object: object.to_owned(),
        member: String::new(),
        problem: "is gone".to_owned(),
    }
}

fn compare_services(old: &ServiceDescriptor, new: &ServiceDescriptor, found: &mut Vec<Break>) {
    for method in old.methods() {
        let mut say = |problem: String| {
            found.push(Break {
                object: old.full_name().to_owned(),
                member: method.name().to_owned(),
                problem,
            });
        };
        let Some(now) = new.methods().find(|now| now.name() == method.name()) else {
            say("is gone".to_owned());
            continue;
        };
        for (what, was, is) in [
            ("takes", method.input(), now.input()),
            ("returns", method.output(), now.output()),
        ] {
            // Another name for the same fields is the same on the wire.
            if was.full_name() != is.full_name() && !same_fields(&was, &is) {
                say(format!(
                    "{what} {} in place of {}",
                    is.full_name(),
                    was.full_name()
                ));
            }
        }
        let streams = |method: &prost_reflect::MethodDescriptor| {
            (method.is_client_streaming(), method.is_server_streaming())
        };
        if streams(&method) != streams(&now) {
            say("streams otherwise".to_owned());
        }
    }
}

fn same_fields(old: &MessageDescriptor, new: &MessageDescriptor) -> bool {
    let mut found = Vec::new();
    compare_messages(old, new, &mut found);
    found.is_empty()
}

fn compare_messages(old: &MessageDescriptor, new: &MessageDescriptor, found: &mut Vec<Break>) {
    for field in old.fields() {
        let mut say = |problem: String| {
            found.push(Break {
                object: old.full_name().to_owned(),
                member: field.name().to_owned(),
                problem,
            });
        };
        let number = field.number();
        let Some(now) = new.get_field(number) else {
            if !new.reserved_ranges().any(|range| range.contains(&number)) {
                say(format!("is gone, and its number {number} is not reserved"));
            }
            continue;
        };
        let (was, is) = (type_of(&field), type_of(&now));
        if was != is {
            say(format!("was {was} and is {is} under the same number {number}"));
        } else if now.name() != field.name()
            && let Some(moved) = new.get_field_by_name(field.name())
        {
            say(moved_to(number, moved.number(), now.name()));
        }
    }
}

fn compare_enums(old: &EnumDescriptor, new: &EnumDescriptor, found: &mut Vec<Break>) {
    for value in old.values() {
        let number = value.number();
        let problem = match (new.get_value(number), new.get_value_by_name(value.name())) {
            (None, _) if !new.reserved_ranges().any(|range| range.contains(&number)) => {
                format!("is gone, and its number {number} is not reserved")
            }
            (Some(now), Some(moved)) if moved.number() != number => {
                moved_to(number, moved.number(), now.name())
            }
            _ => continue,
        };
        found.push(Break {
            object: old.full_name().to_owned(),
            member: value.name().to_owned(),
            problem,
        });
    }
}

fn moved_to(was: impl Display, is: impl Display, now: &str) -> String {
    format!("had number {was} and has {is}, and {was} is {now} now")
}

/// A field's type as its bytes show it.
fn type_of(field: &FieldDescriptor) -> String {
    let one = |kind: Kind| match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(constants) => constants.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    match field.kind() {
        Kind::Message(entry) if field.is_map() => format!(
            "map<{}, {}>",
            one(entry.map_entry_key_field().kind()),
            one(entry.map_entry_value_field().kind())
        ),
        kind if field.is_list() => format!("repeated {}", one(kind)),
        kind => one(kind),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn schema(text: &str) -> Schema {
        let text = format!("syntax = \"proto3\"; package t;\n{text}");
        Schema::from_sources(&BTreeMap::from([("t.proto".to_owned(), text)])).unwrap()
    }

    #[test]
    fn names_what_callers_notice() {
        let old = schema(
            "service S { rpc A(M) returns (M); rpc B(M) returns (M); rpc C(M) returns (stream M); rpc D(M) returns (E); }
            service Gone { rpc A(M) returns (M); }
            message M { int32 a = 1; string b = 2; repeated M c = 3; map<string, int32> d = 4; int32 e = 5; int32 f = 6; K k = 7; }
            message E { string b = 2; } message Lost {} enum K { X = 0; Y = 1; Z = 2; }",
        );
        assert_eq!(breaks(&old, &old), []);
        let new = schema(
            "service S { rpc A(M) returns (Other); rpc C(M) returns (M); rpc D(M) returns (E2); }
            message Other { int32 a = 1; }
            message M { reserved 6; reserved \"f\"; optional int64 a = 1; string bb = 2; M c = 3; map<string, int64> d = 4; K k = 7; }
            message E { string b = 2; } message E2 { string bb = 2; int32 more = 3; } enum K { reserved 1; X = 0; }",
        );
        let lines: Vec<String> = breaks(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "t.S: A: returns t.Other in place of t.M",
                "t.S: B: is gone",
                "t.S: C: streams otherwise",
                "t.Gone: is gone",
                "t.M: a: was int32 and is int64 under the same number 1",
                "t.M: c: was repeated t.M and is t.M under the same number 3",
                "t.M: d: was map<string, int32> and is map<string, int64> under the same number 4",
                "t.M: e: is gone, and its number 5 is not reserved",
                "t.Lost: is gone",
                "t.K: Z: is gone, and its number 2 is not reserved",
            ]
        );
    }

    /// Same types under the same numbers, and yet each value arrives in another field.
    #[test]
    fn a_name_that_moves_to_another_number_is_no_new_name() {
        let old = schema(
            "message M { string sku = 1; string name = 2; int32 at = 3; } enum K { X = 0; Y = 1; Z = 2; }",
        );
        let new = schema(
            "message M { string name = 1; string sku = 2; int32 when = 3; } enum K { X = 0; Z = 1; Y = 2; }",
        );
        let lines: Vec<String> = breaks(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "t.M: sku: had number 1 and has 2, and 1 is name now",
                "t.M: name: had number 2 and has 1, and 2 is sku now",
                "t.K: Y: had number 1 and has 2, and 1 is Z now",
                "t.K: Z: had number 2 and has 1, and 2 is Y now",
            ]
        );
        // A field put before the others: only what moved is told.
        let more = schema("message M { int32 a = 1; int32 b = 2; }");
        let first = schema("message M { int32 z = 1; int32 a = 2; int32 b = 3; }");
        let lines: Vec<String> = breaks(&more, &first).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "t.M: a: had number 1 and has 2, and 1 is z now",
                "t.M: b: had number 2 and has 3, and 2 is a now",
            ]
        );
    }
}
