//! Several definitions of one interface, by application, group and version, as one.

use std::collections::{BTreeMap, BTreeSet};

use super::definition::{Definition, Method, Shape};
use super::note::{Kind, Notes};

/// Group and version.
pub(super) type Key = (String, String);

/// An interface with everything that anybody says of it.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) name: String,
    /// Sorted as in one definition.
    pub(super) methods: Vec<Offered>,
    /// Under which groups and versions it is served.
    pub(super) keys: BTreeSet<Key>,
}

/// A method and who has it.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) method: Method,
    pub(super) keys: BTreeSet<Key>,
    /// Who said so first.
    origin: String,
}

/// What definitions say together.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) interfaces: Vec<Interface>,
    pub(super) types: BTreeMap<String, Shape>,
}

/// Merges. The first by interface, group, version and application decides where they disagree, in whatever order they came.
pub(super) fn merge(definitions: Vec<Definition>, notes: &mut Notes) -> Merged {
    // The same one may come twice: an application is published again under another name of its node.
    let mut keyed: Vec<_> = definitions.into_iter().map(|of| (key(&of), of)).collect();
    keyed.sort_by(|one, other| one.0.cmp(&other.0));
    keyed.dedup_by(|one, other| one.0 == other.0);
    let definitions: Vec<Definition> = keyed.into_iter().map(|(_, definition)| definition).collect();
    let mut interfaces: BTreeMap<String, Interface> = BTreeMap::new();
    let mut types: BTreeMap<String, (Shape, String)> = BTreeMap::new();
    let missing = only_some_have(&definitions);
    for line in missing {
        notes.add(Kind::Conflict, line);
    }
    for definition in definitions {
        for guess in &definition.guesses {
            notes.add(Kind::Guessed, guess);
        }
        if let Some(why) = &definition.protobuf {
            notes.add(
                Kind::LeftOut,
                format!(
                    "{}: the service has a .proto of its own ({why}): use that one",
                    definition.interface
                ),
            );
            continue;
        }
        for line in &definition.unreadable {
            notes.add(Kind::LeftOut, format!("{line} ({})", definition.origin));
        }
        for (class, shape) in definition.types {
            match types.get_mut(&class) {
                Some((known, first)) => merge_shape(&class, known, first, shape, &definition.origin, notes),
                None => {
                    types.insert(class, (shape, definition.origin.clone()));
                }
            }
        }
        let key = (definition.group, definition.version);
        let interface = interfaces
            .entry(definition.interface.clone())
            .or_insert_with(|| Interface {
                name: definition.interface,
                methods: Vec::new(),
                keys: BTreeSet::new(),
            });
        interface.keys.insert(key.clone());
        for method in definition.methods {
            interface.add(method, &key, &definition.origin, notes);
        }
    }
    let mut interfaces: Vec<Interface> = interfaces.into_values().collect();
    for interface in &mut interfaces {
        interface.methods.sort_by_key(|offered| {
            let method = &offered.method;
            (method.name.clone(), method.parameters.len(), method.descriptor())
        });
    }
    Merged {
        interfaces,
        types: types
            .into_iter()
            .map(|(class, (shape, _))| (class, shape))
            .collect(),
    }
}

/// Everything by which two definitions can differ, what decides first.
fn key(of: &Definition) -> [String; 5] {
    [
        of.interface.clone(),
        of.group.clone(),
        of.version.clone(),
        of.origin.clone(),
        format!(
            "{:?} {:?} {:?} {:?}",
            of.methods, of.types, of.unreadable, of.protobuf
        ),
    ]
}

impl Interface {
    fn add(&mut self, method: Method, key: &Key, origin: &str, notes: &mut Notes) {
        let descriptor = method.descriptor();
        let known = self
            .methods
            .iter_mut()
            .find(|known| known.method.name == method.name && known.method.descriptor() == descriptor);
        let Some(known) = known else {
            self.methods.push(Offered {
                method,
                keys: BTreeSet::from([key.clone()]),
                origin: origin.to_owned(),
            });
            return;
        };
        known.keys.insert(key.clone());
        for (one, other, what) in [
            (known.method.signature(), method.signature(), "is"),
            (
                known.method.returns.to_string(),
                method.returns.to_string(),
                "returns",
            ),
        ] {
            if one != other {
                notes.add(
                    Kind::Conflict,
                    format!(
                        "{}.{}: {what} {one} in {}, {other} in {origin}: the first is used",
                        self.name,
                        known.method.signature(),
                        known.origin
                    ),
                );
            }
        }
    }
}

/// Methods that only some applications of one group and version have: a release is on its way, or one was forgotten.
fn only_some_have(definitions: &[Definition]) -> Vec<String> {
    let mut by_key: BTreeMap<(&str, &str, &str), Vec<&Definition>> = BTreeMap::new();
    for definition in definitions
        .iter()
        .filter(|definition| definition.protobuf.is_none())
    {
        let key = (
            definition.interface.as_str(),
            definition.group.as_str(),
            definition.version.as_str(),
        );
        by_key.entry(key).or_default().push(definition);
    }
    let mut lines = Vec::new();
    for ((interface, _, _), definitions) in by_key {
        let mut having: BTreeMap<(&str, String), (String, Vec<&str>)> = BTreeMap::new();
        for definition in &definitions {
            for method in &definition.methods {
                let known = having
                    .entry((&method.name, method.descriptor()))
                    .or_insert_with(|| (method.signature(), Vec::new()));
                known.1.push(&definition.origin);
            }
        }
        for (method, origins) in having.into_values() {
            if origins.len() < definitions.len() {
                lines.push(format!(
                    "{interface}.{method}: only in {} of {} applications ({})",
                    origins.len(),
                    definitions.len(),
                    origins.join(", ")
                ));
            }
        }
    }
    lines
}

/// Fields and constants of both; where they disagree, the first one's.
fn merge_shape(
    class: &str,
    known: &mut Shape,
    first: &mut String,
    new: Shape,
    origin: &str,
    notes: &mut Notes,
) {
    if new.is_plain() {
        return;
    }
    if known.is_plain() {
        *known = new;
        origin.clone_into(first);
        return;
    }
    match (known, new) {
        (Shape::Object(known), Shape::Object(new)) => {
            let mut fields: Vec<&String> = known
                .keys()
                .filter(|name| !new.contains_key(*name))
                .chain(new.keys().filter(|name| !known.contains_key(*name)))
                .collect();
            fields.sort_unstable();
            if !fields.is_empty() {
                let fields: Vec<&str> = fields.into_iter().map(String::as_str).collect();
                notes.add(
                    Kind::Conflict,
                    format!(
                        "{class}: only one of {first} and {origin} has {}: drafted all the same",
                        fields.join(", ")
                    ),
                );
            }
            for (name, java) in new {
                match known.get(&name) {
                    Some(one) if *one != java => notes.add(
                        Kind::Conflict,
                        format!("{class}.{name}: is {one} in {first}, {java} in {origin}: the first is used"),
                    ),
                    Some(_) => {}
                    None => {
                        known.insert(name, java);
                    }
                }
            }
        }
        (Shape::Enum(known), Shape::Enum(new)) => {
            if *known != new {
                notes.add(
                    Kind::Conflict,
                    format!(
                        "{class}: its constants differ between {first} and {origin}: those of both are drafted"
                    ),
                );
            }
            for constant in new {
                if !known.contains(&constant) {
                    known.push(constant);
                }
            }
        }
        _ => notes.add(
            Kind::Conflict,
            format!("{class}: only one of {first} and {origin} says that it is an enum: the first is used"),
        ),
    }
}
