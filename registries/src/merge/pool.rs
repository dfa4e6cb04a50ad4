//! The counters of addresses and clusters: they outlive snapshots, and are forgotten when nobody holds them.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use crate::directory::{ClusterState, EndpointState};

/// Counters by address and by cluster name.
#[derive(Debug, Default)]
pub(super) struct Pool {
    endpoints: Table<SocketAddr, EndpointState>,
    clusters: Table<Arc<str>, ClusterState>,
}

impl Pool {
    /// The counters of an address.
    pub(super) fn endpoint(&mut self, address: SocketAddr) -> Arc<EndpointState> {
        self.endpoints.take(address)
    }

    /// The counters of a cluster.
    pub(super) fn cluster(&mut self, name: &Arc<str>) -> Arc<ClusterState> {
        self.clusters.take(name.clone())
    }
}

#[derive(Debug)]
struct Table<K, V> {
    entries: HashMap<K, Weak<V>>,
    /// Looked through for the forgotten when it has grown to this size.
    limit: usize,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            limit: 64,
        }
    }
}

impl<K: Hash + Eq, V: Default> Table<K, V> {
    fn take(&mut self, key: K) -> Arc<V> {
        if self.entries.len() >= self.limit {
            self.entries.retain(|_, value| value.strong_count() > 0);
            self.limit = (self.entries.len() * 2).max(64);
        }
        let entry = self.entries.entry(key).or_default();
        entry.upgrade().unwrap_or_else(|| {
            let value = Arc::new(V::default());
            *entry = Arc::downgrade(&value);
            value
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_held_and_forgets_the_rest() {
        let mut pool = Pool::default();
        let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
        let held = pool.endpoint(address(1));
        for port in 2..5000 {
            pool.endpoint(address(port));
        }
        assert!(Arc::ptr_eq(&held, &pool.endpoint(address(1))));
        assert!(
            pool.endpoints.entries.len() <= 64,
            "{}",
            pool.endpoints.entries.len()
        );
    }
}
