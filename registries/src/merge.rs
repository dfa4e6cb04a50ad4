//! Pure: both views, bindings and stages to a Directory, one service at a time.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use codecs::ServiceKey;
use codecs::protobuf::binding::ServiceBinding;

use crate::directory::{CatchAll, Directory, MeshSide, Mode, PairedBy, Service};
use crate::file;
use crate::istiod::names;
use crate::legacy_view::LegacyView;
use crate::mesh_view::MeshView;
use crate::sharded::Sharded;

mod from_file;
mod legacy;
mod mesh;
mod pool;
pub mod stages;

pub(crate) use legacy::serialization_id;
pub use stages::{Setting, Stages, StagesError};

/// What the binding file says, by service.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    /// By service key.
    pub services: Sharded<ServiceKey, Bound>,
    /// Hosts that the mesh side declares for a service key (annotation, interface map).
    pub declared: Sharded<ServiceKey, Arc<str>>,
}

/// What the binding file says of one service.
#[derive(Debug, Clone, Default)]
pub struct Bound {
    /// Its methods' protobuf bindings; `None` when the file only pairs it with a host, or pins a mode.
    pub binding: Option<Arc<ServiceBinding>>,
    /// Other names by which a Triple or gRPC caller may ask: the protobuf service name.
    pub names: Vec<Arc<str>>,
    /// The Java methods that the file names.
    pub methods: Vec<Arc<str>>,
    /// Its host in the mesh, if the file says.
    pub host: Option<Arc<str>>,
    /// Its port in the mesh, if the file says.
    pub port: Option<u16>,
    /// The mode of all its methods, if the file says.
    pub pinned: Option<Mode>,
}

/// How a directory is merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The suffix of derived host names (`istiod::names`).
    pub host_suffix: Arc<str>,
    /// The port looked for first when a host has several.
    pub mesh_port: u16,
    /// The most time to connect to a legacy provider.
    pub connect_timeout: Duration,
    /// The most calls in flight to a service's legacy providers.
    pub max_requests: u32,
    /// Addresses of bridges known otherwise (our own, replicas' presence): what is found there is no native.
    pub bridges: BTreeSet<SocketAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host_suffix: "dubbo".into(),
            mesh_port: 50051,
            connect_timeout: Duration::from_secs(3),
            max_requests: u32::MAX,
            bridges: BTreeSet::new(),
        }
    }
}

/// Keeps the last views and the Directory made of them, and makes the next one of what changed.
#[derive(Debug, Default)]
pub struct Merger {
    options: Options,
    legacy: LegacyView,
    mesh: MeshView,
    bindings: Bindings,
    stages: Stages,
    /// The keys that the stages name in full.
    named: BTreeSet<ServiceKey>,
    file: file::Facts,
    next_file: Option<file::Facts>,
    directory: Directory,
    pool: pool::Pool,
    /// The ports of each host of the mesh.
    ports: HashMap<Arc<str>, BTreeSet<u16>>,
    /// The keys that each interface of the legacy registry has, and the bare one.
    keys: HashMap<Arc<str>, BTreeSet<ServiceKey>>,
    /// The keys that fold to each derived host name, and so the known ones.
    derived: HashMap<String, BTreeSet<ServiceKey>>,
    /// The keys whose service asked for a host: they are made again when it changes.
    askers: HashMap<Arc<str>, BTreeSet<ServiceKey>>,
    /// The hosts that each key asked for.
    asked: HashMap<ServiceKey, Vec<Arc<str>>>,
    /// The names under which each key is listed in [`Directory::names`].
    names: HashMap<ServiceKey, Vec<Arc<str>>>,
}

impl Merger {
    /// A merger that has seen nothing.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Sets what takes the calls of services that nobody knows; a file's `*` goes before it.
    pub fn set_catch_all(&mut self, catch_all: CatchAll) {
        self.directory.catch_all = catch_all;
    }

    /// Sets what a file says of services; counts from the next update on.
    pub fn set_file(&mut self, file: &file::Facts) {
        self.next_file = Some(file.clone());
    }

    /// Sets the addresses of bridges known otherwise; the next update makes every service again when they changed.
    pub fn set_bridges(&mut self, bridges: BTreeSet<SocketAddr>) {
        if self.options.bridges != bridges {
            self.options.bridges = bridges;
            // Forgetting the views makes the next update see all of them as changed.
            self.legacy.interfaces = Sharded::default();
            self.mesh.hosts = Sharded::default();
        }
    }

    /// The Directory of the newest facts. Only services whose interface, host, binding or stage changed are made again.
    pub fn update(
        &mut self,
        legacy: &LegacyView,
        mesh: &MeshView,
        bindings: &Bindings,
        stages: &Stages,
    ) -> Arc<Directory> {
        let mut touched = BTreeSet::new();
        self.note_interfaces(legacy, &mut touched);
        self.note_hosts(mesh, &mut touched);
        for key in bindings.services.changes(&self.bindings.services) {
            touched.extend(key.folded());
            touched.insert(key);
        }
        touched.extend(bindings.declared.changes(&self.bindings.declared));
        let mut catch_all = touched.iter().any(|key| bindings.services.get(key).is_some())
            || bindings.services.len() != self.bindings.services.len();
        if let Some(file) = self.next_file.take() {
            touched.extend(file.services.changes(&self.file.services));
            self.file = file;
            catch_all = true;
        }
        if self.stages != *stages {
            let named: BTreeSet<ServiceKey> = stages.named().collect();
            touched.extend(named.iter().chain(&self.named).cloned());
            touched.extend(self.directory.services.iter().map(|(key, _)| key.clone()));
            self.named = named;
            self.stages = stages.clone();
        }
        self.legacy = legacy.clone();
        self.mesh = mesh.clone();
        self.bindings = bindings.clone();
        // A key that comes or goes may change what the others that fold to the same host are called.
        for key in touched.clone() {
            touched.extend(self.note_key(&key));
        }
        for key in touched {
            self.remake(&key);
        }
        if catch_all && self.file.any.is_some() {
            self.directory.catch_all = self.catch_all();
        }
        self.directory.legacy = legacy.state.clone();
        self.directory.mesh = mesh.state.clone();
        self.directory.generation += 1;
        Arc::new(self.directory.clone())
    }

    /// Lists the keys of changed interfaces, old and new.
    fn note_interfaces(&mut self, legacy: &LegacyView, touched: &mut BTreeSet<ServiceKey>) {
        for interface in legacy.interfaces.changes(&self.legacy.interfaces) {
            let keys: BTreeSet<ServiceKey> = match legacy.interfaces.get(&interface) {
                Some(view) => legacy::natives(&interface, view, &self.options)
                    .into_keys()
                    // Consumers alone make an interface known, too.
                    .chain([ServiceKey::new(interface.clone(), "", "")])
                    .collect(),
                None => BTreeSet::new(),
            };
            touched.extend(keys.iter().cloned());
            let old = if keys.is_empty() {
                self.keys.remove(&interface)
            } else {
                self.keys.insert(interface, keys)
            };
            touched.extend(old.into_iter().flatten());
        }
    }

    /// Lists the keys of services that asked for a changed host.
    fn note_hosts(&mut self, mesh: &MeshView, touched: &mut BTreeSet<ServiceKey>) {
        for at in mesh.hosts.changes(&self.mesh.hosts) {
            let Some((host, port)) = at.rsplit_once(':') else {
                continue;
            };
            let Ok(port) = port.parse::<u16>() else { continue };
            let host: Arc<str> = host.into();
            if mesh.hosts.get(&at).is_some() {
                self.ports.entry(host.clone()).or_default().insert(port);
            } else if let Some(ports) = self.ports.get_mut(&host) {
                ports.remove(&port);
                if ports.is_empty() {
                    self.ports.remove(&host);
                }
            }
            touched.extend(self.askers.get(&host).into_iter().flatten().cloned());
        }
    }

    /// Whether any source still speaks of a key.
    fn is_known(&self, key: &ServiceKey) -> bool {
        self.keys
            .get(key.interface())
            .is_some_and(|keys| keys.contains(key))
            || self.bindings.services.get(key).is_some()
            || self.bindings.declared.get(key).is_some()
            || self.named.contains(key)
            || self.file.services.get(key).is_some()
    }

    /// Keeps the keys of each derived host name; gives the others that share the name when their number changed.
    fn note_key(&mut self, key: &ServiceKey) -> Vec<ServiceKey> {
        let host = names::host_of(key, &self.options.host_suffix);
        let known = self.is_known(key);
        let keys = self.derived.entry(host.clone()).or_default();
        let changed = if known {
            keys.insert(key.clone())
        } else {
            keys.remove(key)
        };
        let others = keys
            .iter()
            .filter(|other| changed && *other != key)
            .cloned()
            .collect();
        if keys.is_empty() {
            self.derived.remove(&host);
        }
        others
    }

    /// Makes one service again, or forgets it.
    fn remake(&mut self, key: &ServiceKey) {
        for host in self.asked.remove(key).unwrap_or_default() {
            if let Some(keys) = self.askers.get_mut(&host) {
                keys.remove(key);
                if keys.is_empty() {
                    self.askers.remove(&host);
                }
            }
        }
        let service = if self.is_known(key) { self.make(key) } else { None };
        let names = match &service {
            Some(_) => self.names_of(key),
            None => Vec::new(),
        };
        self.list_names(key, names);
        match service {
            Some(service) => self.directory.services.insert(key.clone(), Arc::new(service)),
            None => self.directory.services.remove(key),
        };
    }

    fn make(&mut self, key: &ServiceKey) -> Option<Service> {
        let bound = self.bound(key).cloned();
        let setting = self.stages.of(key);
        let mut notes = Vec::new();
        let legacy = self.legacy.interfaces.get(key.interface()).and_then(|view| {
            let natives = legacy::natives(key.interface(), view, &self.options).remove(key)?;
            legacy::side(
                key,
                &natives,
                &view.configurators,
                &self.options,
                &mut self.pool,
                &mut notes,
            )
        });
        let mesh = self.mesh_side(key, bound.as_deref(), &mut notes);
        let (legacy, mesh) = match self.file.services.get(key).cloned() {
            Some(file) => self.beside_file(&file, legacy, mesh, &mut notes),
            None => (legacy, mesh),
        };
        let bare = key.group().is_empty() && key.version().is_empty();
        let named = bound.is_some() || self.bindings.declared.get(key).is_some() || self.named.contains(key);
        // The bare key of an interface that has others is only a guess at what its consumers want.
        if legacy.is_none() && mesh.is_none() && bare && !named {
            return None;
        }
        Some(Service {
            key: key.clone(),
            stage: setting.stage,
            standby: setting.standby,
            legacy,
            mesh,
            derived_host: self.derived_host(key),
            binding: bound.as_ref().and_then(|bound| bound.binding.clone()),
            methods: bound
                .as_ref()
                .map(|bound| bound.methods.clone())
                .unwrap_or_default(),
            pinned: bound.as_ref().and_then(|bound| bound.pinned),
            notes,
        })
    }

    fn mesh_side(
        &mut self,
        key: &ServiceKey,
        bound: Option<&Bound>,
        notes: &mut Vec<String>,
    ) -> Option<MeshSide> {
        let (host, paired_by) = self.pair(key, bound, notes)?;
        let port = self.port(&host, bound, notes)?;
        let view = self.mesh.hosts.get(format!("{host}:{port}").as_str())?.clone();
        match mesh::side(&view, paired_by, &self.options, &mut self.pool) {
            mesh::Side::Natives(side) => Some(side),
            mesh::Side::Bridges => None,
            mesh::Side::NoRoutesYet => {
                notes.push(format!("the mesh has not sent the routes of {host}:{port} yet"));
                None
            }
        }
    }

    /// The host of a key: by the binding file, else as declared, else by the derived name, if the mesh knows it.
    fn pair(
        &mut self,
        key: &ServiceKey,
        bound: Option<&Bound>,
        notes: &mut Vec<String>,
    ) -> Option<(Arc<str>, PairedBy)> {
        let lower = |host: &Arc<str>| -> Arc<str> { host.to_ascii_lowercase().into() };
        let candidates: Vec<(Arc<str>, PairedBy)> = [
            (
                bound.and_then(|bound| bound.host.as_ref()).map(lower),
                PairedBy::Binding,
            ),
            (
                self.bindings.declared.get(key).map(|host| lower(host)),
                PairedBy::Declared,
            ),
            (Some(self.derived_host(key)), PairedBy::DerivedName),
        ]
        .into_iter()
        .filter_map(|(host, by)| Some((host?, by)))
        .collect();
        for (host, _) in &candidates {
            self.askers.entry(host.clone()).or_default().insert(key.clone());
        }
        let hosts = candidates.iter().map(|(host, _)| host.clone());
        self.asked.insert(key.clone(), hosts.collect());
        // The strongest that says anything wins, even if the mesh does not know its host: a weaker one would be a guess.
        let (host, by) = candidates.first()?.clone();
        for (other, other_by) in candidates.iter().skip(1) {
            if *other != host && self.ports.contains_key(other) {
                notes.push(format!(
                    "paired with {host} by {}, though {} says {other}",
                    words(by),
                    words(*other_by)
                ));
            }
        }
        if !self.ports.contains_key(&host) {
            if by != PairedBy::DerivedName {
                notes.push(format!(
                    "paired with {host} by {}, which the mesh does not know",
                    words(by)
                ));
            }
            return None;
        }
        Some((host, by))
    }

    fn derived_host(&self, key: &ServiceKey) -> Arc<str> {
        let plain = names::host_of(key, &self.options.host_suffix);
        let keys = self.derived.get(&plain).filter(|keys| keys.len() > 1);
        let told_apart = keys.and_then(|keys| names::hosts(keys, &self.options.host_suffix).remove(key));
        told_apart.unwrap_or(plain).into()
    }

    /// The port of a host: what the file says, else the usual one, else the only or the lowest one.
    fn port(&self, host: &Arc<str>, bound: Option<&Bound>, notes: &mut Vec<String>) -> Option<u16> {
        let ports = self.ports.get(host)?;
        if let Some(port) = bound.and_then(|bound| bound.port) {
            if !ports.contains(&port) {
                notes.push(format!(
                    "the binding file names port {port} of {host}, which the mesh does not know"
                ));
                return None;
            }
            return Some(port);
        }
        let port = if ports.contains(&self.options.mesh_port) {
            self.options.mesh_port
        } else {
            *ports.first()?
        };
        if ports.len() > 1 && port != self.options.mesh_port {
            notes.push(format!(
                "{host} has {} ports; {port}, the lowest, is used",
                ports.len()
            ));
        }
        Some(port)
    }

    /// What the binding file says of a key; a default version folds into none.
    fn bound(&self, key: &ServiceKey) -> Option<&Arc<Bound>> {
        let services = &self.bindings.services;
        services.get(key).or_else(|| services.get(&key.folded()?))
    }

    fn names_of(&self, key: &ServiceKey) -> Vec<Arc<str>> {
        let bound = self.bound(key);
        let mut names: Vec<Arc<str>> = vec![key.interface().into()];
        for name in bound.iter().flat_map(|bound| &bound.names) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// Lists a key under its names, and takes it off the ones that it no longer bears.
    fn list_names(&mut self, key: &ServiceKey, names: Vec<Arc<str>>) {
        let old = self.names.get(key).cloned().unwrap_or_default();
        if old == names {
            return;
        }
        for name in &old {
            let mut keys = self
                .directory
                .names
                .get(name)
                .map(|keys| keys.to_vec())
                .unwrap_or_default();
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.directory.names.remove(name);
            } else {
                self.directory.names.insert(name.clone(), Arc::new(keys));
            }
        }
        for name in &names {
            let mut keys = self
                .directory
                .names
                .get(name)
                .map(|keys| keys.to_vec())
                .unwrap_or_default();
            keys.push(key.clone());
            keys.sort();
            self.directory.names.insert(name.clone(), Arc::new(keys));
        }
        if names.is_empty() {
            self.names.remove(key);
        } else {
            self.names.insert(key.clone(), names);
        }
    }
}

fn words(by: PairedBy) -> &'static str {
    match by {
        PairedBy::Binding => "the binding file",
        PairedBy::Declared => "what the mesh declares",
        PairedBy::DerivedName => "the derived name",
    }
}

#[cfg(test)]
pub(crate) mod tests;
