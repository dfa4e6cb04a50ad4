//! Whether a field's options mean something for it: one that does not is a mistake.

use super::super::file::FieldOptions;
use crate::protobuf::java::JavaType;
use crate::protobuf::plan::{Conv, F, FieldPlan, J, Shape};

/// What the options of a field may speak of.
#[derive(Default)]
struct Found<'p> {
    list: bool,
    map: bool,
    nullable: bool,
    values: Vec<&'p Conv>,
}

impl<'p> Found<'p> {
    fn shape(&mut self, shape: &'p Shape) {
        match shape {
            Shape::One(conv) => self.conv(conv),
            Shape::List(plan) => {
                self.list = true;
                self.conv(&plan.item);
            }
            Shape::Map(plan) => {
                self.map = true;
                self.conv(&plan.key);
                self.conv(&plan.value);
            }
        }
    }

    fn conv(&mut self, conv: &'p Conv) {
        match &conv.proto {
            F::Holder(field) => self.shape(&field.shape),
            F::Nullable(field) => {
                self.nullable = true;
                self.shape(&field.shape);
            }
            _ => self.values.push(conv),
        }
    }

    fn any(&self, fits: impl Fn(J, &F) -> bool) -> bool {
        self.values.iter().any(|conv| match &conv.proto {
            F::Wrapped(inner) => fits(conv.java, inner),
            proto => fits(conv.java, proto),
        })
    }
}

/// What is wrong with the options of a field; `None` when nothing is.
pub(super) fn problem(plan: &FieldPlan, options: &FieldOptions) -> Option<String> {
    let mut found = Found::default();
    found.shape(&plan.shape);
    let one = matches!(plan.shape, Shape::One(_));
    let many = !one;
    let dynamic = |_, proto: &F| matches!(proto, F::Struct | F::Value | F::ListValue);
    let unsigned = |java, proto: &F| java == J::Long && matches!(proto, F::Uint64 | F::Fixed64);
    let refused = [
        (
            options.zero_as_null,
            plan.primitive,
            "zero_as_null",
            "a primitive is never null",
        ),
        (
            options.zero_as_null,
            plan.presence,
            "zero_as_null",
            "null is the unset field here",
        ),
        (
            options.zero_as_null,
            many,
            "zero_as_null",
            "it is no single value: empty_as_null",
        ),
        (
            options.empty_as_null,
            one,
            "empty_as_null",
            "it is no list or map of its own",
        ),
        (
            options.back_reference,
            !matches!(&plan.shape, Shape::One(conv) if matches!(conv.proto, F::Message(_))),
            "back_reference",
            "it is no message that is bound to a class",
        ),
        (
            options.nullable,
            !found.nullable,
            "nullable",
            "it has no message of one optional field",
        ),
        (
            options.reinterpret,
            !found.any(unsigned),
            "reinterpret",
            "it is no long in a uint64 or fixed64",
        ),
        (
            options.allow_narrow,
            !found.any(|java, proto| java == J::Double && *proto == F::Float),
            "allow_narrow",
            "it is no double in a float",
        ),
        (
            options.allow_lossy,
            !found.any(|java, proto| java == J::BigDecimal && *proto == F::Double),
            "allow_lossy",
            "it is no BigDecimal in a double",
        ),
        (
            options.keep_class,
            !found.any(dynamic),
            "keep_class",
            "it is no Struct, Value or ListValue",
        ),
        (
            options.null_element.is_some(),
            !found.list,
            "null_element",
            "it is no list",
        ),
        (
            options.null_value.is_some(),
            !found.map,
            "null_value",
            "it is no map",
        ),
        (
            !options.any_types.is_empty(),
            !found.any(|_, proto| *proto == F::AnyMessage),
            "any_types",
            "it is no google.protobuf.Any",
        ),
        (
            options.java_type.is_some(),
            !found.list && !found.map,
            "java_type",
            "it is no list or map",
        ),
    ];
    let (.., option, why) = refused
        .into_iter()
        .find(|(given, misplaced, ..)| *given && *misplaced)?;
    Some(format!("option {option} does not fit: {why}"))
}

/// Whether objects in the field choose their message by their class alone.
pub(super) fn holds_any(plan: &FieldPlan) -> bool {
    let mut found = Found::default();
    found.shape(&plan.shape);
    found.any(|_, proto| *proto == F::AnyMessage)
}

/// What is wrong with the text of `java_type`.
pub(super) fn bad_java_type(options: &FieldOptions) -> Option<String> {
    let name = options.java_type.as_deref()?;
    match JavaType::parse(name) {
        Some(JavaType::Class { args, .. }) if args.is_empty() => None,
        _ => Some(format!("java_type: {name} is no class name")),
    }
}
