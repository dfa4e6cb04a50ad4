//! A `.proto`, a binding and a lock file drafted from the service definitions of a metadata center
//! (Dubbo's `FullServiceDefinition`).
//!
//! What a draft cannot know (parameter names, user generics, subclasses, declared exceptions) comes from hints or is
//! left to a person; methods that cannot be drafted are reported and left out. Numbers are kept in the lock file, so
//! that the same input and lock give the same bytes, and a later draft is compatible with an earlier one.
//!
//! ```text
//! JSON ─► definition ─► merge ─► methods ─► types, classes ─► write ─► .proto, binding, lock ─► load checks ─► descriptor set
//! ```

mod classes;
mod definition;
mod hints;
mod lock;
mod merge;
mod methods;
mod names;
mod note;
mod types;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use definition::{Definition, Shape};
pub use hints::{Hints, MethodHint};
use lock::Lock;
use merge::merge;
use note::Notes;
pub use note::{Kind, Note};

/// The file that declares the options of a draft, as a draft imports it.
pub const OPTIONS_FILE: &str = "unified_idl_extend/unified_idl_extend.proto";

/// Its text. Compatible with the file of that name that the Dubbo generators for Go use.
pub const OPTIONS_PROTO: &str = include_str!("draft/unified_idl_extend.proto");

/// One service definition.
#[derive(Debug, Clone, Copy)]
pub struct Source<'i> {
    /// Where it is from, for errors: a file, a znode.
    pub origin: &'i str,
    /// Its JSON.
    pub text: &'i str,
}

/// What a draft is made from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Input<'i> {
    /// Service definitions, of one or more interfaces, applications and versions; all go into one protobuf package.
    pub definitions: &'i [Source<'i>],
    /// Hints as YAML; see [`Hints`].
    pub hints: Option<&'i str>,
    /// The lock file of the draft before.
    pub lock: Option<&'i str>,
    /// The name under which the binding refers to the `.proto`.
    pub proto_file: &'i str,
}

/// What a draft is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The `.proto`. It imports [`OPTIONS_FILE`].
    pub proto: String,
    /// The binding file.
    pub binding: String,
    /// The lock file, to be kept beside them.
    pub lock: String,
    /// The compiled `.proto` with its imports.
    pub descriptor_set: Vec<u8>,
    /// The rpcs that were drafted.
    pub rpcs: usize,
    /// What a person should look at.
    pub notes: Vec<Note>,
    /// Hints that nothing needed, by section and key. Another package may have needed them.
    pub unused_hints: BTreeSet<String>,
}

/// Why there is no draft.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// A definition is no JSON of the form that Dubbo writes.
    #[error("service definition {origin}: {problem}")]
    Definition {
        /// Where it is from.
        origin: String,
        /// What is wrong.
        problem: String,
    },
    /// The hints are malformed.
    #[error("hints: {0}")]
    Hints(String),
    /// The lock file is malformed.
    #[error("lock file: {0}")]
    Lock(String),
    /// The package is none for protobuf.
    #[error("package {0:?} is no protobuf package: hint `package`")]
    Package(String),
    /// Nothing in the definitions can be drafted.
    #[error("no method can be drafted")]
    Nothing(Vec<Note>),
    /// The draft does not pass the load checks.
    #[error("draft does not load: {0}")]
    Check(String),
}

/// A message, before it is written.
#[derive(Debug, Clone)]
struct Message {
    name: String,
    role: Role,
    fields: Vec<Field>,
}

/// What a message stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    /// A Java class with its type arguments.
    Class {
        java: String,
        type_args: Vec<String>,
    },
    Request,
    Response,
    /// A collection or map entry that protobuf cannot nest.
    Holder,
}

#[derive(Debug, Clone)]
struct Field {
    name: String,
    java_name: String,
    /// With `optional`, `repeated` or `map<…>`.
    proto: String,
    /// The Java type.
    java: String,
    /// Whether the binding has to say it.
    declared: bool,
}

/// An enum, before it is written.
#[derive(Debug, Clone)]
struct Enum {
    name: String,
    /// The constants' names in protobuf and in Java.
    constants: Vec<(String, String)>,
}

/// An rpc, before it is written.
#[derive(Debug, Clone)]
struct Rpc {
    name: String,
    method: String,
    signature: String,
    returns: String,
    request: String,
    response: String,
    throws: Vec<String>,
    /// The groups and versions that have it.
    keys: BTreeSet<merge::Key>,
}

#[derive(Debug)]
struct Service {
    java: String,
    name: String,
    keys: BTreeSet<merge::Key>,
    rpcs: Vec<Rpc>,
}

/// Which protobuf package each definition is drafted into: places in `definitions` by package.
///
/// # Errors
/// Malformed definitions or hints.
pub fn packages(
    definitions: &[Source<'_>],
    hints: Option<&str>,
) -> Result<BTreeMap<String, Vec<usize>>, DraftError> {
    let hints = Hints::parse(hints).map_err(DraftError::Hints)?;
    let mut packages: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, definition) in parse(definitions, &hints)?.iter().enumerate() {
        let package = hints.package.as_deref().unwrap_or(definition.package());
        packages.entry(package.to_owned()).or_default().push(place);
    }
    Ok(packages)
}

/// Drafts.
///
/// # Errors
/// Malformed input, or nothing to draft.
pub fn draft(input: &Input<'_>) -> Result<Draft, DraftError> {
    let hints = Hints::parse(input.hints).map_err(DraftError::Hints)?;
    let definitions = parse(input.definitions, &hints)?;
    let lock = Lock::parse(input.lock).map_err(DraftError::Lock)?;
    let first = definitions.iter().map(Definition::package).min();
    let package = hints
        .package
        .clone()
        .unwrap_or_else(|| first.unwrap_or_default().to_owned());
    if !package.is_empty() && !package.split('.').all(names::is_identifier) {
        return Err(DraftError::Package(package));
    }
    let used_names = definitions
        .iter()
        .flat_map(|definition| &definition.used_names)
        .map(|name| format!("names: {name}"))
        .collect();
    let mut notes = Notes::default();
    let merged = merge(definitions, &mut notes);
    let mut drafter = Drafter::new(hints, used_names, lock, merged.types, package, notes);
    drafter.services(&merged.interfaces);
    drafter.services.retain(|service| !service.rpcs.is_empty());
    if drafter.services.is_empty() {
        return Err(DraftError::Nothing(drafter.notes.into_vec()));
    }
    let mut draft = drafter.finish(input.proto_file);
    draft.descriptor_set = check(&draft, input.proto_file)?;
    Ok(draft)
}

fn parse(sources: &[Source<'_>], hints: &Hints) -> Result<Vec<Definition>, DraftError> {
    let parse = |source: &Source<'_>| {
        Definition::parse(source.origin, source.text, &hints.names).map_err(|problem| {
            DraftError::Definition {
                origin: source.origin.to_owned(),
                problem,
            }
        })
    };
    sources.iter().map(parse).collect()
}

/// The load checks on a draft, which must be a binding like any other; gives its descriptors.
fn check(draft: &Draft, proto_file: &str) -> Result<Vec<u8>, DraftError> {
    let loaded = super::Bindings::load_all("draft", &draft.binding, &mut |name| match name {
        OPTIONS_FILE => Ok(OPTIONS_PROTO.as_bytes().to_vec()),
        name if name == proto_file => Ok(draft.proto.clone().into_bytes()),
        _ => Err("not part of the draft".to_owned()),
    });
    let bindings = loaded.map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        DraftError::Check(faults.join("; "))
    })?;
    let schema = bindings.schemas().first();
    Ok(schema.map(super::Schema::encode).unwrap_or_default())
}

/// What is drafted so far.
struct Drafter {
    hints: Hints,
    used_hints: BTreeSet<String>,
    lock: Lock,
    types: BTreeMap<String, Shape>,
    package: String,
    /// By name.
    messages: BTreeMap<String, Message>,
    /// By class.
    enums: BTreeMap<String, Enum>,
    /// The name of a message or enum by what it stands for: a class with its type arguments, or a holder's shape.
    named: BTreeMap<String, String>,
    /// Names that requests, responses and services may want.
    kept: BTreeSet<String>,
    /// Classes that have a name and no fields yet.
    pending: Vec<(String, super::JavaType)>,
    /// What the method at hand has added to `named`.
    journal: Vec<classes::Made>,
    services: Vec<Service>,
    notes: Notes,
}

impl Drafter {
    fn new(
        hints: Hints,
        used_hints: BTreeSet<String>,
        lock: Lock,
        types: BTreeMap<String, Shape>,
        package: String,
        notes: Notes,
    ) -> Self {
        Self {
            hints,
            used_hints,
            lock,
            types,
            package,
            messages: BTreeMap::new(),
            enums: BTreeMap::new(),
            named: BTreeMap::new(),
            kept: BTreeSet::new(),
            pending: Vec::new(),
            journal: Vec::new(),
            services: Vec::new(),
            notes,
        }
    }
}
