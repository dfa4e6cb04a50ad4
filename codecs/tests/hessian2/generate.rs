//! Random values.

use std::sync::Arc;

use codecs::hessian2::JavaText;
use codecs::value::{Class, Object, Value};
use proptest::prelude::*;

/// A Java string of up to `max` units, lone surrogates included.
pub(crate) fn java_text(max: usize) -> impl Strategy<Value = JavaText> {
    let unit = prop_oneof![
        8 => 0x20u16..0x7f,
        1 => Just(0u16),
        2 => 0x80u16..0x800,
        2 => 0x4e00u16..0x9fff,
        1 => 0xd800u16..0xdc00,
        1 => 0xdc00u16..0xe000,
    ];
    prop::collection::vec(unit, 0..max).prop_map(JavaText::from_utf16)
}

fn name() -> impl Strategy<Value = JavaText> {
    prop_oneof![
        8 => "[a-z]{1,12}".prop_map(JavaText::from),
        1 => Just(JavaText::from("com.acme.Ordér")),
        1 => Just(JavaText::default()),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::Int),
        (-3000i32..3000).prop_map(Value::Int),
        any::<i64>().prop_map(Value::Long),
        (-3000i64..3000).prop_map(Value::Long),
        any::<f64>().prop_map(Value::Double),
        any::<u64>().prop_map(|bits| Value::Double(f64::from_bits(bits))),
        any::<i32>().prop_map(|mills| Value::Double(f64::from(mills) * 0.001)),
        (-40000i32..40000).prop_map(|whole| Value::Double(f64::from(whole))),
        any::<i64>().prop_map(Value::Date),
        any::<i32>().prop_map(|minutes| Value::Date(i64::from(minutes) * 60_000)),
        java_text(40).prop_map(Value::String),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Value::Binary(bytes.into())),
    ]
}

/// A tree with references only to what has begun before them.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    (tree(), prop::collection::vec(any::<prop::sample::Index>(), 0..6)).prop_map(|(mut value, picks)| {
        let total = value.containers();
        for pick in picks {
            let at = u32::try_from(pick.index(64)).unwrap();
            let mut seen = 0;
            let mut slots = 0;
            put_reference(&mut value, at.min(total.saturating_mul(2)), &mut slots, &mut seen);
        }
        value
    })
}

/// Replaces the `at`-th null by a reference to one of the containers that have begun.
fn put_reference(value: &mut Value, at: u32, slots: &mut u32, seen: &mut u32) {
    if matches!(value, Value::Null) {
        if *slots == at && *seen > 0 {
            *value = Value::Ref(at % *seen);
        }
        *slots += 1;
        return;
    }
    if value.is_container() {
        *seen += 1;
    }
    match value {
        Value::List(items) => items
            .iter_mut()
            .for_each(|item| put_reference(item, at, slots, seen)),
        Value::TypedList(list) => list
            .items
            .iter_mut()
            .for_each(|item| put_reference(item, at, slots, seen)),
        Value::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
            put_reference(key, at, slots, seen);
            put_reference(value, at, slots, seen);
        }),
        Value::TypedMap(map) => map.entries.iter_mut().for_each(|(key, value)| {
            put_reference(key, at, slots, seen);
            put_reference(value, at, slots, seen);
        }),
        Value::Object(object) => {
            object
                .fields
                .iter_mut()
                .for_each(|field| put_reference(field, at, slots, seen));
        }
        _ => {}
    }
}

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 80, 9, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..9);
        let entries = prop::collection::vec((inner.clone(), inner.clone()), 0..5);
        let types = prop_oneof![
            Just("[int"),
            Just("[[string"),
            Just("[java.lang.Integer"),
            Just("java.util.LinkedList"),
            Just("java.util.ArrayList"),
            Just("java.util.HashSet"),
            Just("odd.Map"),
        ];
        let maps = prop_oneof![
            Just("java.util.TreeMap"),
            Just("java.util.HashMap"),
            Just("[int"),
            Just("x"),
        ];
        let fields = prop::collection::vec((name(), inner), 0..6);
        prop_oneof![
            items.clone().prop_map(|items| Value::List(items.into())),
            (types, items).prop_map(|(name, items)| Value::typed_list(name, items)),
            entries.clone().prop_map(|entries| Value::Map(entries.into())),
            (maps, entries).prop_map(|(name, entries)| Value::typed_map(name, entries)),
            (name(), fields).prop_map(|(name, fields)| {
                let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
                Value::Object(Object {
                    class: Arc::new(Class {
                        name,
                        fields: names.into(),
                    }),
                    fields: values.into(),
                })
            }),
        ]
    })
}
