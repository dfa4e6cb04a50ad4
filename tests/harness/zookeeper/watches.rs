//! What connections want to be told, and whom a change concerns.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::acl::Right;

/// What happened to a node, as ZooKeeper numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Kind {
    Created = 1,
    Deleted = 2,
    DataChanged = 3,
    ChildrenChanged = 4,
}

/// What happened, where, in which transaction, and whose eyes it is for.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    pub(crate) path: String,
    pub(crate) zxid: i64,
    pub(crate) acl: Arc<Vec<Right>>,
}

impl Event {
    pub(crate) fn new(kind: Kind, path: &str, zxid: i64, acl: Arc<Vec<Right>>) -> Self {
        Self {
            kind,
            path: path.to_owned(),
            zxid,
            acl,
        }
    }
}

/// How a path is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Watch {
    /// Once: data, creation, deletion.
    Data,
    /// Once: children, deletion.
    Child,
    /// Data, children, creation, deletion.
    Persistent,
    /// Creation, data and deletion here and below.
    Recursive,
}

/// The watches of all connections. They end with their connection.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    by_path: HashMap<String, HashMap<Watch, HashSet<u64>>>,
}

impl Watches {
    pub(crate) fn add(&mut self, path: &str, watch: Watch, connection: u64) {
        self.by_path
            .entry(path.to_owned())
            .or_default()
            .entry(watch)
            .or_default()
            .insert(connection);
    }

    fn has(&self, path: &str, watch: Watch, connection: u64) -> bool {
        self.by_path
            .get(path)
            .and_then(|kinds| kinds.get(&watch))
            .is_some_and(|who| who.contains(&connection))
    }

    /// How a connection watches a path, of the kinds that a request of type `kinds` means (1 children, 2 data, 3 any).
    pub(crate) fn of(&self, path: &str, kinds: i32, connection: u64) -> Vec<Watch> {
        let meant: &[Watch] = match kinds {
            1 => &[Watch::Child],
            2 => &[Watch::Data],
            3 => &[Watch::Data, Watch::Child, Watch::Persistent, Watch::Recursive],
            4 => &[Watch::Persistent],
            5 => &[Watch::Recursive],
            _ => &[],
        };
        meant
            .iter()
            .copied()
            .filter(|watch| self.has(path, *watch, connection))
            .collect()
    }

    pub(crate) fn remove(&mut self, path: &str, watch: Watch, connection: u64) {
        if let Some(kinds) = self.by_path.get_mut(path) {
            if let Some(who) = kinds.get_mut(&watch) {
                who.remove(&connection);
            }
            kinds.retain(|_, who| !who.is_empty());
            if kinds.is_empty() {
                self.by_path.remove(path);
            }
        }
    }

    pub(crate) fn remove_connection(&mut self, connection: u64) {
        for kinds in self.by_path.values_mut() {
            for who in kinds.values_mut() {
                who.remove(&connection);
            }
            kinds.retain(|_, who| !who.is_empty());
        }
        self.by_path.retain(|_, kinds| !kinds.is_empty());
    }

    /// How often a path is watched, by kind: one-shot, persistent, recursive.
    pub(crate) fn count(&self, path: &str) -> (usize, usize, usize) {
        let Some(kinds) = self.by_path.get(path) else {
            return (0, 0, 0);
        };
        let count = |watch| kinds.get(&watch).map_or(0, HashSet::len);
        (
            count(Watch::Data) + count(Watch::Child),
            count(Watch::Persistent),
            count(Watch::Recursive),
        )
    }

    /// How many one-shot watches a connection has.
    pub(crate) fn one_shots(&self, connection: u64) -> usize {
        let of = |kinds: &HashMap<Watch, HashSet<u64>>, watch| {
            kinds.get(&watch).is_some_and(|who| who.contains(&connection))
        };
        self.by_path
            .values()
            .map(|kinds| usize::from(of(kinds, Watch::Data)) + usize::from(of(kinds, Watch::Child)))
            .sum()
    }

    /// Whom an event concerns; one-shot watches are used up by it.
    pub(crate) fn fire(&mut self, event: &Event) -> HashSet<u64> {
        let (one_shot, recursive): (&[Watch], bool) = match event.kind {
            Kind::Created | Kind::DataChanged => (&[Watch::Data], true),
            Kind::Deleted => (&[Watch::Data, Watch::Child], true),
            Kind::ChildrenChanged => (&[Watch::Child], false),
        };
        let mut concerned = HashSet::new();
        if let Some(kinds) = self.by_path.get_mut(&event.path) {
            for watch in one_shot {
                concerned.extend(kinds.remove(watch).unwrap_or_default());
            }
            concerned.extend(kinds.get(&Watch::Persistent).into_iter().flatten());
            if kinds.is_empty() {
                self.by_path.remove(&event.path);
            }
        }
        if recursive {
            let mut path = event.path.as_str();
            loop {
                let here = self
                    .by_path
                    .get(path)
                    .and_then(|kinds| kinds.get(&Watch::Recursive));
                concerned.extend(here.into_iter().flatten());
                match super::tree::split(path) {
                    Some((parent, _)) => path = parent,
                    None => break,
                }
            }
        }
        concerned
    }
}
