//! What one worker remembers of services and methods, so that a call builds no key and looks no label up.
//!
//! The cache is dropped when the Directory's generation moves; the series of metrics stay.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::rc::Rc;
use std::sync::Arc;

use codecs::ServiceKey;
use codecs::invocation::Text;
use registries::directory::{Directory, Island, Mode, Service};
use smallvec::SmallVec;

use super::bound::Bound;
use super::hop;
use crate::worker::shard::{Labels, Series};
use crate::worker::{Wire, Worker};

/// A service as one caller's island asks for it.
pub(crate) struct Known {
    /// As the caller named it.
    pub(crate) key: ServiceKey,
    /// What an upstream is asked for: the service's own key, or the caller's where the service is a catch-all.
    pub(crate) upstream_key: ServiceKey,
    /// What the Directory knows; `None` for nothing.
    pub(crate) service: Option<Arc<Service>>,
    methods: RefCell<HashMap<Box<str>, Rc<Method>>>,
}

/// Whether it was called by its rpc's name, its parameter types, and what the binding makes of it.
type Overload = (bool, Option<Text>, Rc<Bound>);

/// What the provider speaks, how the payload crossed, and the series of such calls.
type Crossing = (Option<Wire>, Option<Mode>, Arc<Series>);

/// Services of one hash.
type Bucket = SmallVec<[(Island, Rc<Known>); 1]>;

/// A method of a known service.
pub(crate) struct Method {
    /// Its name, for labels; empty where there are too many.
    pub(crate) name: Arc<str>,
    /// `installation|service key|method`.
    pub(crate) hop_head: String,
    /// The hop attachment of a call that comes from no bridge.
    pub(crate) first_hop: Text,
    /// What the binding makes of it, by the kind of name and the parameter types.
    pub(super) overloads: RefCell<SmallVec<[Overload; 1]>>,
    series: RefCell<SmallVec<[Crossing; 2]>>,
}

impl Method {
    pub(super) fn new(installation: &str, key: &str, name: &str) -> Self {
        let hop_head = format!("{installation}|{key}|{name}");
        Self {
            name: name.into(),
            first_hop: hop::hop(&hop_head, 1).into(),
            hop_head,
            overloads: RefCell::default(),
            series: RefCell::default(),
        }
    }
}

impl Known {
    fn new(key: ServiceKey, service: Option<Arc<Service>>) -> Self {
        let own = service.as_ref().map(|service| &service.key);
        Self {
            upstream_key: own.filter(|own| own.interface() != "*").unwrap_or(&key).clone(),
            key,
            service,
            methods: RefCell::default(),
        }
    }

    /// Whether the caller used the protobuf name of a service that has a Java name, too.
    pub(crate) fn is_proto_name(&self) -> bool {
        let binding = self.service.as_ref().and_then(|service| service.binding.as_ref());
        binding.is_some_and(|binding| {
            binding.proto == self.key.interface() && binding.key.interface() != self.key.interface()
        })
    }

    /// The method of this name.
    pub(crate) fn method(&self, worker: &Worker, name: &str) -> Rc<Method> {
        if let Some(method) = self.methods.borrow().get(name) {
            return method.clone();
        }
        let installation = &worker.shared.identity.installation;
        let method = Rc::new(Method::new(installation, &self.upstream_key.to_string(), name));
        let mut methods = self.methods.borrow_mut();
        // A caller that makes up names fills no memory.
        if methods.len() < METHODS {
            methods.insert(name.into(), method.clone());
        }
        method
    }

    /// The series of a method's calls.
    pub(super) fn series(
        &self,
        worker: &Worker,
        method: &Method,
        from: Wire,
        to: Option<Wire>,
        mode: Option<Mode>,
    ) -> Arc<Series> {
        let found = method
            .series
            .borrow()
            .iter()
            .find(|(known_to, known_mode, _)| (*known_to, *known_mode) == (to, mode))
            .map(|(_, _, series)| series.clone());
        found.unwrap_or_else(|| {
            let mut labels = Labels {
                service: self.upstream_key.clone(),
                method: method.name.clone(),
                from,
                to,
                mode,
            };
            if self.service.is_none() {
                labels.service = ServiceKey::new("", "", "");
                labels.method = "".into();
            }
            let series = worker.cache.series(worker, labels);
            method.series.borrow_mut().push((to, mode, series.clone()));
            series
        })
    }
}

/// Methods remembered of one service; Java interfaces have a few dozen.
const METHODS: usize = 1024;

/// What one worker remembers.
#[derive(Default)]
pub(crate) struct Cache {
    services: RefCell<Services>,
    series: RefCell<HashMap<Labels, Arc<Series>>>,
}

#[derive(Default)]
struct Services {
    generation: u64,
    hasher: RandomState,
    by_hash: HashMap<u64, Bucket>,
    count: usize,
}

impl Cache {
    /// The service of these names in the current Directory.
    pub(crate) fn service(
        &self,
        worker: &Worker,
        island: Island,
        interface: &str,
        group: &str,
        version: &str,
    ) -> Rc<Known> {
        let directory = worker.shared.directory.load();
        let mut services = self.services.borrow_mut();
        let services = &mut *services;
        if services.generation != directory.generation {
            services.generation = directory.generation;
            services.by_hash.clear();
            services.count = 0;
        }
        let hash = services.hasher.hash_one((island, interface, group, version));
        let bucket = services.by_hash.get(&hash);
        let found = bucket.and_then(|bucket| {
            bucket.iter().find(|(of, known)| {
                let key = &known.key;
                *of == island && (key.interface(), key.group(), key.version()) == (interface, group, version)
            })
        });
        if let Some((_, known)) = found {
            return known.clone();
        }
        let key = ServiceKey::new(interface, group, version);
        let service = find(&directory, island, &key);
        let known = Rc::new(Known::new(key, service));
        if services.count < worker.shared.settings.load().limits.interned {
            services.count += 1;
            services
                .by_hash
                .entry(hash)
                .or_default()
                .push((island, known.clone()));
        }
        known
    }

    fn series(&self, worker: &Worker, labels: Labels) -> Arc<Series> {
        let mut all = self.series.borrow_mut();
        if let Some(series) = all.get(&labels) {
            return series.clone();
        }
        let labels = if all.len() < worker.shared.settings.load().limits.interned {
            labels
        } else {
            Labels {
                service: ServiceKey::new("", "", ""),
                method: "".into(),
                ..labels
            }
        };
        all.entry(labels.clone())
            .or_insert_with(|| worker.shard.add_series(labels))
            .clone()
    }
}

fn find(directory: &Directory, island: Island, key: &ServiceKey) -> Option<Arc<Service>> {
    directory.find(island, key).cloned()
}
