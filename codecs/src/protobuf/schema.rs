//! Descriptors: from `FileDescriptorSet` files and from `.proto` sources.

use std::collections::BTreeMap;

use prost_reflect::prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::error::LoadError;
use super::wire::{Fields, Wire};

/// Reads a file that a binding names; the error is told to the operator.
pub type ReadFile<'r> = dyn FnMut(&str) -> Result<Vec<u8>, String> + 'r;

/// The most `.proto` files that one binding may pull in.
const MOST_FILES: usize = 2000;

/// The messages, enums and services that bindings refer to.
#[derive(Debug, Clone)]
pub struct Schema {
    pool: DescriptorPool,
}

impl Schema {
    /// Loads descriptor sets (with their imports) and `.proto` sources (by their extension). Sources and what they
    /// import are looked for as named, then below each of `includes`.
    ///
    /// # Errors
    /// Names each file that cannot be read or compiled; there is at least one.
    pub fn load(
        files: &[String],
        includes: &[String],
        read: &mut ReadFile<'_>,
    ) -> Result<Self, Vec<LoadError>> {
        let mut pool = DescriptorPool::new();
        let mut faults = Vec::new();
        let (sources, sets): (Vec<&String>, Vec<&String>) =
            files.iter().partition(|file| file.ends_with(".proto"));
        for name in sets {
            let added = read(name)
                .map_err(|error| LoadError::new(name, "", error))
                .and_then(|bytes| {
                    pool.decode_file_descriptor_set(bytes.as_slice())
                        .map_err(|error| {
                            LoadError::new(name, "", format!("no usable descriptor set: {error}"))
                        })
                });
            faults.extend(added.err());
        }
        if !sources.is_empty() {
            match compile(&sources, includes, read) {
                Ok(set) => {
                    let added = pool.decode_file_descriptor_set(set.as_slice());
                    faults.extend(
                        added
                            .err()
                            .map(|error| LoadError::new("descriptors", "", error.to_string())),
                    );
                }
                Err(more) => faults.extend(more),
            }
        }
        if faults.is_empty() {
            Ok(Self { pool })
        } else {
            Err(faults)
        }
    }

    /// A schema from `.proto` sources in memory, by file name.
    ///
    /// # Errors
    /// What the compiler says of each.
    pub fn from_sources(sources: &BTreeMap<String, String>) -> Result<Self, Vec<LoadError>> {
        let names: Vec<String> = sources.keys().cloned().collect();
        Self::load(&names, &[], &mut |name| {
            sources
                .get(name)
                .map(|text| text.clone().into_bytes())
                .ok_or_else(|| "not found".to_owned())
        })
    }

    /// All descriptors.
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    /// The full names of all services, in the order of the files.
    pub fn services(&self) -> impl Iterator<Item = String> + '_ {
        self.pool.services().map(|service| service.full_name().to_owned())
    }

    /// Everything as one `FileDescriptorSet`, for reflection.
    pub fn encode(&self) -> Vec<u8> {
        self.pool.encode_to_vec()
    }
}

fn compile(
    names: &[&String],
    includes: &[String],
    read: &mut ReadFile<'_>,
) -> Result<Vec<u8>, Vec<LoadError>> {
    let mut faults = Vec::new();
    let mut sources: BTreeMap<String, String> = BTreeMap::new();
    let mut roots = Vec::new();
    let mut queue: Vec<(String, String)> = Vec::new();
    for path in names {
        // The name by which other files import it: without the include folder.
        let name = includes
            .iter()
            .filter_map(|include| path.strip_prefix(include.as_str())?.strip_prefix('/'))
            .min_by_key(|name| name.len())
            .unwrap_or(path);
        roots.push(name.to_owned());
        queue.push((name.to_owned(), (*path).clone()));
    }
    while let Some((name, path)) = queue.pop() {
        if sources.contains_key(&name) {
            continue;
        }
        if sources.len() >= MOST_FILES {
            faults.push(LoadError::new(&path, "", format!("more than {MOST_FILES} files")));
            return Err(faults);
        }
        let mut tries = vec![path.clone()];
        tries.extend(includes.iter().map(|include| format!("{include}/{name}")));
        let mut found = Err("not found".to_owned());
        for candidate in &tries {
            found = read(candidate);
            if found.is_ok() {
                break;
            }
        }
        let opened = found
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned()))
            .and_then(|text| match File::from_source(&name, &text) {
                Ok(file) => Ok((text, file)),
                Err(error) => Err(one_line(&format!("{error:?}"))),
            });
        let (text, file) = match opened {
            Ok(opened) => opened,
            Err(problem) => {
                faults.push(LoadError::new(&path, "", problem));
                sources.insert(name, String::new());
                continue;
            }
        };
        for import in &file.file_descriptor_proto().dependency {
            if GoogleFileResolver::new().open_file(import).is_err() {
                queue.push((import.clone(), import.clone()));
            }
        }
        sources.insert(name, text);
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut resolver = ChainFileResolver::new();
    resolver.add(InMemory(sources));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    for root in roots {
        if let Err(error) = compiler.open_file(&root) {
            faults.push(LoadError::new(&root, "", one_line(&format!("{error:?}"))));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(compiler.encode_file_descriptor_set())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

struct InMemory(BTreeMap<String, String>);

impl FileResolver for InMemory {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.get(name) {
            Some(source) => File::from_source(name, source),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// The options of extension number 12345 (`hessian2_extend`) on one descriptor, by field number.
///
/// They are read off the encoded options, so that the extension's own file need not be in the set.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Extend {
    texts: BTreeMap<u32, String>,
    flags: BTreeMap<u32, bool>,
}

const EXTEND: u32 = 12_345;

/// The field of the field options that names the Java type; ours, which other readers of the options skip.
pub(crate) const JAVA_TYPE: u32 = 100;

impl Extend {
    pub(crate) fn of(options: &DynamicMessage) -> Self {
        let mut extend = Self::default();
        let bytes = options.encode_to_vec();
        let mut fields = Fields::new(&bytes);
        while let Ok(Some((number, wire))) = fields.next_field() {
            if let (EXTEND, Wire::Bytes(bytes)) = (number, wire) {
                let mut inner = Fields::new(bytes);
                while let Ok(Some((number, wire))) = inner.next_field() {
                    match wire {
                        Wire::Bytes(text) => {
                            extend
                                .texts
                                .insert(number, String::from_utf8_lossy(text).into_owned());
                        }
                        Wire::Varint(flag) => {
                            extend.flags.insert(number, flag != 0);
                        }
                        _ => {}
                    }
                }
            }
        }
        extend
    }

    pub(crate) fn text(&self, number: u32) -> Option<&str> {
        self.texts
            .get(&number)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    pub(crate) fn flag(&self, number: u32) -> bool {
        self.flags.get(&number).copied().unwrap_or(false)
    }
}
