//! A persistent map: cloning it is cheap, a change copies one shard, and two versions tell their difference by pointer.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

const SHARDS: usize = 256;

/// The entries of one shard; versions that do not differ in it share it.
type Shard<K, V> = Arc<HashMap<K, Arc<V>>>;

/// A map whose versions share what did not change.
///
/// A clone costs one `Arc` a shard, a change costs a copy of one shard (1/256 of the keys). [`Sharded::changes`] skips
/// every shard and entry that both versions share, so that a change costs what it touches and not what the estate costs.
pub struct Sharded<K, V> {
    hasher: RandomState,
    shards: Arc<[Shard<K, V>]>,
    len: usize,
}

impl<K, V> Clone for Sharded<K, V> {
    fn clone(&self) -> Self {
        Self {
            hasher: self.hasher.clone(),
            shards: self.shards.clone(),
            len: self.len,
        }
    }
}

impl<K: Hash + Eq + Clone, V> Default for Sharded<K, V> {
    fn default() -> Self {
        let empty = Arc::new(HashMap::new());
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| empty.clone()).collect(),
            len: 0,
        }
    }
}

impl<K: std::fmt::Debug, V: std::fmt::Debug> std::fmt::Debug for Sharded<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(self.shards.iter().flat_map(|shard| shard.iter()))
            .finish()
    }
}

impl<K: Hash + Eq + Clone, V> Sharded<K, V> {
    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        (self.hasher.hash_one(key) % SHARDS as u64) as usize
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of a key.
    pub fn get<Q>(&self, key: &Q) -> Option<&Arc<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shards[self.shard(key)].get(key)
    }

    /// All entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Arc<V>)> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }

    /// Sets a key; gives the value it had.
    pub fn insert(&mut self, key: K, value: Arc<V>) -> Option<Arc<V>> {
        let shard = self.shard(&key);
        let old = self.shard_mut(shard).insert(key, value);
        if old.is_none() {
            self.len += 1;
        }
        old
    }

    /// Removes a key; gives the value it had.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let shard = self.shard(key);
        if !self.shards[shard].contains_key(key) {
            return None;
        }
        let old = self.shard_mut(shard).remove(key);
        self.len -= 1;
        old
    }

    fn shard_mut(&mut self, shard: usize) -> &mut HashMap<K, Arc<V>> {
        if Arc::get_mut(&mut self.shards).is_none() {
            self.shards = self.shards.iter().cloned().collect();
        }
        // The line above made the slice ours; `make_mut` would ask for `[_]: Clone`.
        let shards = Arc::get_mut(&mut self.shards).expect("the slice of shards was just made unique");
        Arc::make_mut(&mut shards[shard])
    }

    /// The keys that were added, removed or set to another value since `old`, in no order.
    ///
    /// `old` must be an ancestor of `self` (same hasher); for unrelated maps every key of both is named.
    pub fn changes(&self, old: &Self) -> Vec<K> {
        let mut changed = Vec::new();
        for (new, old) in self.shards.iter().zip(old.shards.iter()) {
            if Arc::ptr_eq(new, old) {
                continue;
            }
            changed.extend(
                new.iter()
                    .filter(|(k, v)| !old.get(*k).is_some_and(|o| Arc::ptr_eq(o, v)))
                    .map(|(k, _)| k.clone()),
            );
            changed.extend(old.keys().filter(|k| !new.contains_key(*k)).cloned());
        }
        changed
    }
}

impl<K: Hash + Eq + Clone, V> FromIterator<(K, Arc<V>)> for Sharded<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, Arc<V>)>>(iter: I) -> Self {
        let mut map = Self::default();
        for (key, value) in iter {
            map.insert(key, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_only_what_changed() {
        let mut map: Sharded<String, u32> = (0..1000).map(|i| (i.to_string(), Arc::new(i))).collect();
        let old = map.clone();
        map.insert("7".into(), Arc::new(70));
        map.insert("new".into(), Arc::new(1));
        map.remove("8");
        let mut changed = map.changes(&old);
        changed.sort();
        assert_eq!(changed, ["7", "8", "new"]);
        assert_eq!((old.len(), map.len()), (1000, 1000));
        assert_eq!(old.get("8").map(|v| **v), Some(8));
        assert!(map.changes(&map.clone()).is_empty());
    }
}
