//! The view, and what outlives a session.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use codecs::provider_url::ProviderUrl;
use tokio::sync::watch;
use tracing::warn;
use zookeeper_client::{OneshotWatcher, PersistentWatcher};

use super::super::config::Config;
use super::super::session::Category;
use crate::directory::SourceState;
use crate::legacy_view::{LegacyInterface, LegacyView};

/// How much of a refused leaf is kept, in characters.
const REFUSED_LENGTH: usize = 200;

/// The view, and what outlives a session.
pub(super) struct Keeper {
    pub(super) config: Config,
    pub(super) current: LegacyView,
    sender: watch::Sender<Arc<LegacyView>>,
    /// The server did not say its version, and does not know recursive watches.
    pub(super) old_server: bool,
}

impl Keeper {
    pub(super) fn new(config: Config, sender: watch::Sender<Arc<LegacyView>>) -> Self {
        let state = SourceState {
            configured: true,
            ..SourceState::default()
        };
        let current = LegacyView {
            state,
            ..LegacyView::default()
        };
        let keeper = Self {
            config,
            current,
            sender,
            old_server: false,
        };
        keeper.send();
        keeper
    }

    pub(super) fn send(&self) {
        self.sender.send_replace(Arc::new(self.current.clone()));
    }

    /// The view is not current any more; `error` says why.
    pub(super) fn lost(&mut self, error: String) {
        let state = &mut self.current.state;
        if state.connected {
            state.as_of = Some(SystemTime::now());
        }
        state.connected = false;
        state.error = Some(error);
        self.send();
    }

    /// Takes a complete read of the registry.
    pub(super) fn replace(&mut self, full: &Full) {
        let error = match &full.interfaces {
            Some(interfaces) => {
                let mut kept = HashSet::with_capacity(interfaces.len());
                for (name, read) in interfaces {
                    if self.set(name, read) {
                        kept.insert(name);
                    }
                }
                let gone: Vec<Arc<str>> = self
                    .current
                    .interfaces
                    .iter()
                    .map(|(name, _)| name)
                    .filter(|name| !kept.contains(name))
                    .cloned()
                    .collect();
                for name in gone {
                    self.current.interfaces.remove(&name);
                }
                None
            }
            // A root that vanished is not believed: what it held is kept. A root that was never there is an empty registry.
            None => Some(format!("registry root {} does not exist", self.config.root)),
        };
        self.current.state = SourceState {
            configured: true,
            synced: true,
            connected: true,
            as_of: Some(SystemTime::now()),
            error,
        };
        self.send();
    }

    /// Takes one interface as read; `false` where there is none any more.
    pub(super) fn set(&mut self, name: &Arc<str>, read: &Read) -> bool {
        let old = self.current.interfaces.get(name);
        match build(old.map(Arc::as_ref), read) {
            Some(new) => {
                if old.is_none_or(|old| **old != new) {
                    for (leaf, why) in new
                        .refused
                        .iter()
                        .filter(|leaf| !old.is_some_and(|old| old.refused.contains(leaf)))
                    {
                        warn!(
                            interface = &**name,
                            leaf, why, "refused a leaf of the legacy registry"
                        );
                    }
                    self.current.interfaces.insert(name.clone(), Arc::new(new));
                }
                true
            }
            None => {
                self.current.interfaces.remove(name);
                false
            }
        }
    }
}

/// What was read of one interface.
pub(super) struct Read {
    pub(super) providers: Category,
    pub(super) configurators: Category,
}

/// What was read of all.
pub(super) struct Full {
    /// By name; `None` where there is no root.
    pub(super) interfaces: Option<Vec<(Arc<str>, Read)>>,
    pub(super) tree: Option<PersistentWatcher>,
    pub(super) one_shots: Vec<(String, OneshotWatcher)>,
}

/// An interface as read; `None` where it has neither directory. What may not be read stays as it was.
fn build(old: Option<&LegacyInterface>, read: &Read) -> Option<LegacyInterface> {
    if matches!(
        (&read.providers, &read.configurators),
        (Category::Absent, Category::Absent)
    ) {
        return None;
    }
    let mut refused = Vec::new();
    let mut urls = |category: &Category, old: &[Arc<ProviderUrl>]| match category {
        Category::Absent => Vec::new(),
        Category::Forbidden(why) => {
            refused.push((String::new(), why.clone()));
            old.to_vec()
        }
        Category::Leaves(names) => {
            let known: HashMap<String, &Arc<ProviderUrl>> =
                old.iter().map(|url| (url.znode(), url)).collect();
            let mut urls = Vec::with_capacity(names.len());
            for name in names {
                match known.get(name.as_str()) {
                    Some(url) => urls.push((*url).clone()),
                    None => match ProviderUrl::from_znode(name) {
                        Ok(url) => urls.push(Arc::new(url)),
                        Err(error) => {
                            refused.push((name.chars().take(REFUSED_LENGTH).collect(), error.to_string()))
                        }
                    },
                }
            }
            urls
        }
    };
    let empty = LegacyInterface::default();
    let old = old.unwrap_or(&empty);
    let providers = urls(&read.providers, &old.providers);
    let configurators = urls(&read.configurators, &old.configurators);
    Some(LegacyInterface {
        providers,
        configurators,
        refused,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(names: &[&str]) -> Category {
        Category::Leaves(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn keeps_what_did_not_change_and_names_what_it_refused() {
        let read = Read {
            providers: leaves(&["dubbo%3A%2F%2Fh%3A1%2Fa.B", "no-url"]),
            configurators: Category::Absent,
        };
        let first = build(None, &read).unwrap();
        assert_eq!(first.providers.len(), 1);
        assert_eq!(
            first.refused,
            [("no-url".to_owned(), "provider url has no scheme".to_owned())]
        );
        let second = build(Some(&first), &read).unwrap();
        assert!(Arc::ptr_eq(&first.providers[0], &second.providers[0]));
        assert_eq!(first, second);
        let forbidden = Read {
            providers: Category::Forbidden("providers: list /x: not authorized".to_owned()),
            configurators: Category::Absent,
        };
        let third = build(Some(&first), &forbidden).unwrap();
        assert_eq!(third.providers, first.providers);
        assert_eq!(third.refused[0].1, "providers: list /x: not authorized");
        let gone = Read {
            providers: Category::Absent,
            configurators: Category::Absent,
        };
        assert_eq!(build(Some(&third), &gone), None);
    }
}
