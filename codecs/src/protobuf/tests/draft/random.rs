//! Random definitions, with names that are made to collide: whatever they are, the draft loads; with its own lock it is the same
//! again; and no later draft gives a number to something else.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::protobuf::compare::breaks;
use crate::protobuf::draft::DraftError;

const CLASSES: [&str; 12] = [
    "a.User",
    "b.User",
    "a.UserList",
    "a.LongList",
    "a.GetRequest",
    "a.GetResponse",
    "a.Outer.Inner",
    "a.S",
    "a.x.S",
    "a.StringUserMap",
    "c.DateToUserEntry",
    "a.get",
];

const ENUMS: [&str; 3] = ["a.Kind", "b.Kind", "a.KindA"];

const CONSTANTS: [&str; 10] = ["A", "a", "A_B", "AB", "a b", "", "UNSPECIFIED", "1", "é", "B"];

const FIELDS: [&str; 16] = [
    "id", "_id", "ID", "userId", "userID", "user_id", "message", "a1", "a_1", "x", "google", "$", "package",
    "Id", "result", "__",
];

const SIMPLE: [&str; 11] = [
    "int",
    "long",
    "boolean",
    "char",
    "java.lang.Integer",
    "java.lang.String",
    "java.lang.Byte",
    "java.util.Date",
    "java.math.BigDecimal",
    "java.time.LocalDate",
    "byte[]",
];

fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(&SIMPLE[..]).prop_map(str::to_owned),
        1 => Just("java.lang.Object".to_owned()),
        4 => select(&CLASSES[..]).prop_map(str::to_owned),
        2 => select(&ENUMS[..]).prop_map(str::to_owned),
    ]
}

fn boxed(name: String) -> String {
    match name.as_str() {
        "int" | "long" | "boolean" | "char" => "java.lang.Long".to_owned(),
        _ => name,
    }
}

fn java() -> impl Strategy<Value = String> {
    leaf().prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (
                select(&["java.util.List", "java.util.Set", "java.util.LinkedList"][..]),
                inner.clone()
            )
                .prop_map(|(list, item)| format!("{list}<{}>", boxed(item))),
            (inner.clone(), inner.clone()).prop_map(|(key, value)| format!(
                "java.util.Map<{}, {}>",
                boxed(key),
                boxed(value)
            )),
            inner.prop_map(|item| format!("{item}[]")),
        ]
    })
}

type Fields = BTreeMap<String, String>;

fn fields() -> impl Strategy<Value = Fields> {
    let name = select(&FIELDS[..]).prop_map(str::to_owned);
    proptest::collection::btree_map(name, java(), 0..6)
}

#[derive(Debug, Clone)]
struct Estate {
    classes: Vec<Fields>,
    enums: Vec<Vec<&'static str>>,
    methods: Vec<(&'static str, Vec<String>, String)>,
}

fn estate() -> impl Strategy<Value = Estate> {
    let method = (
        select(&["get", "Get", "getUser", "list", "s"][..]),
        proptest::collection::vec(java(), 0..3),
        prop_oneof![Just("void".to_owned()), java()],
    );
    let constants = proptest::collection::vec(select(&CONSTANTS[..]), 1..6);
    (
        proptest::collection::vec(fields(), CLASSES.len()),
        proptest::collection::vec(constants, ENUMS.len()),
        proptest::collection::vec(method, 1..6),
    )
        .prop_map(|(classes, enums, methods)| Estate {
            classes,
            enums,
            methods,
        })
}

impl Estate {
    fn json(&self, interface: &str) -> String {
        let classes = CLASSES.iter().zip(&self.classes);
        let enums = ENUMS.iter().zip(&self.enums);
        let types: Vec<Json> = classes
            .map(|(name, fields)| json!({"type": name, "properties": fields}))
            .chain(enums.map(|(name, constants)| json!({"type": name, "enums": constants})))
            .collect();
        let methods: Vec<Json> = self
            .methods
            .iter()
            .map(|(name, types, returns)| json!({"name": name, "parameterTypes": types, "returnType": returns}))
            .collect();
        json!({"canonicalName": interface, "methods": methods, "types": types}).to_string()
    }
}

/// The draft; `None` where no method can be drafted, which is no fault.
fn drafted(texts: &[String], lock: Option<&str>) -> Option<Draft> {
    match attempt(texts, None, lock) {
        Ok(draft) => Some(draft),
        Err(DraftError::Nothing(_)) => None,
        Err(error) => panic!("{error}\n{}", texts.join("\n")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn every_draft_loads_and_is_its_own_fixed_point(one in estate(), other in estate(), both in any::<bool>()) {
        let mut texts = vec![one.json("a.S")];
        if both {
            texts.push(other.json("a.T"));
        }
        if let Some(draft) = drafted(&texts, None) {
            let again = drafted(&texts, Some(&draft.lock)).expect("a draft with its own lock");
            prop_assert_eq!((&again.proto, &again.binding, &again.lock), (&draft.proto, &draft.binding, &draft.lock));
            prop_assert!(!report(&again).contains("breaking"), "{}", report(&again));
        }
    }

    #[test]
    fn options_bind_what_the_binding_binds(one in estate()) {
        if let Some(draft) = drafted(&[one.json("a.S")], None) {
            let by_file = loaded(&draft);
            let by_options = bound(&draft, "descriptors: [orders.proto]\nservices: [{proto: a.S}]\n");
            let seen = |bindings: &Bindings| -> Vec<String> {
                let methods = bindings.services()[0].methods.iter();
                methods
                    .map(|method| {
                        format!(
                            "{} {} {} {:?} {:?}",
                            method.java, method.descriptor, method.returns, method.arguments, method.result
                        )
                    })
                    .collect()
            };
            prop_assert_eq!(seen(&by_file), seen(&by_options));
        }
    }

    #[test]
    fn no_later_draft_gives_a_number_to_something_else(one in estate(), other in estate(), third in estate()) {
        let mut lock: Option<String> = None;
        let mut before: Option<Bindings> = None;
        for estate in [&one, &other, &one, &third] {
            let Some(draft) = drafted(&[estate.json("a.S")], lock.as_deref()) else { continue };
            let now = loaded(&draft);
            if let Some(before) = &before {
                let broken = breaks(&before.schemas()[0], &now.schemas()[0]);
                // Arguments keep their positions; only what is gone may be missed.
                let reused: Vec<String> = broken
                    .iter()
                    .map(ToString::to_string)
                    .filter(|line| line.contains("under the same number") || line.contains("is not reserved"))
                    .collect();
                prop_assert!(reused.is_empty(), "{:?}", reused);
            }
            before = Some(now);
            lock = Some(draft.lock);
        }
    }
}
