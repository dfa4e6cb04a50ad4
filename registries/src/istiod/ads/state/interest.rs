//! What is asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::istiod::wire;

/// A type of xDS resource that we ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::istiod::ads) enum Kind {
    Cluster,
    Routes,
    Endpoints,
}

impl Kind {
    pub(in crate::istiod::ads) fn url(self) -> &'static str {
        match self {
            Self::Cluster => wire::CLUSTER,
            Self::Routes => wire::ROUTES,
            Self::Endpoints => wire::ENDPOINTS,
        }
    }

    pub(super) fn of(url: &str) -> Option<Self> {
        [Self::Cluster, Self::Routes, Self::Endpoints]
            .into_iter()
            .find(|kind| kind.url() == url)
    }
}

/// Names to ask for, or no longer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::istiod::ads) struct Interest {
    pub(in crate::istiod::ads) subscribe: BTreeSet<Arc<str>>,
    pub(in crate::istiod::ads) unsubscribe: BTreeSet<Arc<str>>,
}

impl Interest {
    pub(super) fn add(&mut self, name: Arc<str>) {
        self.subscribe.insert(name);
    }

    /// A name given up before it was asked for was never asked for.
    pub(super) fn drop(&mut self, name: Arc<str>) {
        if !self.subscribe.remove(&name) {
            self.unsubscribe.insert(name);
        }
    }
}
