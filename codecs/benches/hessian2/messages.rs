//! The messages that the codecs of all languages are measured on.

use codecs::hessian2::TypeNames;
use codecs::value::Value;

/// One message: a name and its bytes, as hessian-lite 4 writes it.
pub(crate) struct Message {
    /// What it is called in tables.
    pub(crate) name: &'static str,
    /// One Hessian value.
    pub(crate) bytes: Vec<u8>,
}

/// All messages, always the same.
pub(crate) fn all() -> Vec<Message> {
    let item_class = item(0);
    vec![
        message("user", &user(0)),
        message("100 users", &Value::List((0..100).map(user).collect())),
        message("pojo of 10 fields", &item_class),
        message("1000 pojos", &Value::List((0..1000).map(item).collect())),
        message(
            "map of 1000",
            &Value::Map(
                (0..1000)
                    .map(|n| (Value::from(&*format!("key-{n}")), Value::Int(n)))
                    .collect(),
            ),
        ),
        message("1 KiB text", &Value::from(&*"The quick brown fox. ".repeat(49))),
        message("64 KiB text", &Value::from(&*"abcdefghijklmnop".repeat(4096))),
        message(
            "64 KiB of Chinese",
            &Value::from(&*"\u{4e2d}\u{6587}\u{5b57}\u{7b26}".repeat(5461)),
        ),
    ]
}

fn message(name: &'static str, value: &Value) -> Message {
    let mut bytes = Vec::new();
    value.encode_as(&mut bytes, TypeNames::Indexed);
    Message { name, bytes }
}

fn user(n: i32) -> Value {
    Value::object(
        "bench.User",
        [
            ("id", Value::Long(i64::from(n) + 1_000_000)),
            ("name", Value::from(&*format!("user-{n}"))),
            ("email", Value::from(&*format!("user-{n}@example.com"))),
            ("age", Value::Int(20 + n % 60)),
            ("score", Value::Double(f64::from(n) * 0.25)),
            ("active", Value::Bool(n % 2 == 0)),
            (
                "tags",
                Value::List([Value::from("a"), Value::from("beta")].into()),
            ),
        ],
    )
}

fn item(n: i32) -> Value {
    Value::object(
        "bench.Item",
        [
            ("created", Value::Date(1_700_000_000_000 + i64::from(n) * 1001)),
            (
                "tags",
                Value::List([Value::from("red"), Value::from("large")].into()),
            ),
            ("id", Value::Long(i64::from(n) + 5_000_000_000)),
            ("sku", Value::from(&*format!("SKU-{n:06}"))),
            ("name", Value::from("Stainless steel water bottle, 750 ml")),
            ("price", Value::Double(19.99)),
            ("quantity", Value::Int(n)),
            ("active", Value::Bool(true)),
            ("parent", Value::Long(i64::from(n))),
            ("note", Value::Null),
        ],
    )
}
