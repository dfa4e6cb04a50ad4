//! The difference between what we own and what we must own, and the brake on removals in bulk.

use std::collections::BTreeMap;
use std::time::Duration;

use codecs::provider_url::ProviderUrl;

use super::LegacyRecords;

/// One step towards what is desired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation<T> {
    /// Write a record that is not there, or that differs.
    Put(String, T),
    /// Delete a record.
    Delete(String),
}

/// The steps from what is owned to what is desired: everything that is new first, deletions last, so that nobody is ever
/// left without a record that both states have in some form.
pub fn difference<T: Clone + PartialEq>(
    owned: &BTreeMap<String, T>,
    desired: &BTreeMap<String, T>,
) -> Vec<Operation<T>> {
    let puts = desired
        .iter()
        .filter(|(name, record)| owned.get(*name) != Some(*record))
        .map(|(name, record)| Operation::Put(name.clone(), record.clone()));
    let deletes = owned
        .keys()
        .filter(|name| !desired.contains_key(*name))
        .map(|name| Operation::Delete(name.clone()));
    puts.chain(deletes).collect()
}

/// Holds removals in bulk: what vanishes all at once is more often a broken source than a decision.
///
/// Time is an argument, in milliseconds of any clock that only goes forward.
#[derive(Debug, Clone)]
pub struct Hold<T> {
    /// The share of the records that may go at once, in percent; 100 for all.
    percent: u8,
    /// How long more must stay wanted before it is done.
    time: Duration,
    admitted: BTreeMap<String, T>,
    /// Records whose removal is held, and since when.
    held: BTreeMap<String, u64>,
}

/// So few records may always go: a share of little says nothing.
const FEW: usize = 5;

impl<T: Clone + PartialEq> Hold<T> {
    /// A brake that has admitted nothing yet.
    pub fn new(percent: u8, time: Duration) -> Self {
        Self {
            percent,
            time,
            admitted: BTreeMap::new(),
            held: BTreeMap::new(),
        }
    }

    /// What of `desired` is in force at `now`: all that is new or changed, and what vanished in bulk as it was.
    pub fn admit(&mut self, desired: &BTreeMap<String, T>, now: u64) -> &BTreeMap<String, T> {
        self.held.retain(|name, _| !desired.contains_key(name));
        let vanished: Vec<String> = self
            .admitted
            .keys()
            .filter(|name| !desired.contains_key(*name))
            .cloned()
            .collect();
        let allowed = (self.admitted.len() * usize::from(self.percent) / 100).max(FEW);
        // What is held already counts: a removal in several parts is one removal.
        if vanished.len() > allowed || !self.held.is_empty() {
            for name in &vanished {
                self.held.entry(name.clone()).or_insert(now);
            }
        }
        let time = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        self.held.retain(|_, since| now.saturating_sub(*since) < time);
        let mut next = desired.clone();
        for name in self.held.keys() {
            if let Some(record) = self.admitted.get(name) {
                next.insert(name.clone(), record.clone());
            }
        }
        self.admitted = next;
        &self.admitted
    }

    /// The number of records whose removal is held.
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

/// [`Hold`] for the legacy registry: by service, because a rewritten URL is another node and no removal.
#[derive(Debug, Clone)]
pub struct LegacyHold(Hold<BTreeMap<String, ProviderUrl>>);

impl LegacyHold {
    /// A brake that has admitted nothing yet; see [`Hold::new`].
    pub fn new(percent: u8, time: Duration) -> Self {
        Self(Hold::new(percent, time))
    }

    /// What of `desired` is in force at `now`; see [`Hold::admit`].
    pub fn admit(&mut self, desired: LegacyRecords, now: u64) -> LegacyRecords {
        let mut services: BTreeMap<String, BTreeMap<String, ProviderUrl>> = BTreeMap::new();
        for (path, url) in desired.providers {
            services
                .entry(url.service_key().to_string())
                .or_default()
                .insert(path, url);
        }
        let admitted = self.0.admit(&services, now);
        LegacyRecords {
            providers: admitted
                .values()
                .flatten()
                .map(|(path, url)| (path.clone(), url.clone()))
                .collect(),
        }
    }

    /// The number of services whose removal is held.
    pub fn held(&self) -> usize {
        self.0.held()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(names: std::ops::Range<u32>) -> BTreeMap<String, u32> {
        names.map(|name| (format!("{name:03}"), name)).collect()
    }

    #[test]
    fn puts_before_it_deletes() {
        let mut desired = records(1..4);
        desired.insert("002".into(), 20);
        assert_eq!(
            difference(&records(0..3), &desired),
            [
                Operation::Put("002".into(), 20),
                Operation::Put("003".into(), 3),
                Operation::Delete("000".into()),
            ]
        );
        assert!(difference(&desired, &desired).is_empty());
    }

    #[test]
    fn holds_what_vanishes_in_bulk() {
        let mut hold = Hold::new(20, Duration::from_millis(100));
        assert_eq!(hold.admit(&records(0..50), 0).len(), 50);
        // One by one is believed at once; so is a fifth.
        assert_eq!(hold.admit(&records(0..49), 10).len(), 49);
        assert_eq!(hold.admit(&records(0..40), 20).len(), 40);
        // More is held, and what is new goes through all the same.
        assert_eq!(hold.admit(&records(35..41), 30).len(), 41);
        assert_eq!(hold.held(), 35);
        // What comes back is no longer held; the rest goes when its time is up.
        assert_eq!(hold.admit(&records(30..41), 40).len(), 41);
        assert_eq!(hold.held(), 30);
        assert_eq!(hold.admit(&records(30..41), 130).len(), 11);
        assert_eq!(hold.held(), 0);
    }

    #[test]
    fn a_rewritten_url_is_no_removal() {
        let records = |range: std::ops::Range<u32>, weight: u32| LegacyRecords {
            providers: range
                .map(|n| {
                    let url = format!("dubbo://10.0.0.1:1/a.S{n}?interface=a.S{n}&weight={weight}");
                    (url.clone(), url.parse().unwrap())
                })
                .collect(),
        };
        let mut hold = LegacyHold::new(20, Duration::from_millis(100));
        hold.admit(records(0..20, 1), 0);
        assert_eq!(hold.admit(records(0..20, 2), 1), records(0..20, 2));
        assert_eq!(
            (hold.admit(records(0..2, 2), 2), hold.held()),
            (records(0..20, 2), 18)
        );
        assert_eq!(hold.admit(records(0..2, 2), 102), records(0..2, 2));
    }

    #[test]
    fn nothing_left_is_held_too() {
        let mut hold = Hold::new(50, Duration::from_millis(100));
        hold.admit(&records(0..6), 0);
        assert_eq!(hold.admit(&BTreeMap::new(), 1).len(), 6);
        assert_eq!(hold.admit(&BTreeMap::new(), 101).len(), 0);
        // A handful is not a bulk.
        hold.admit(&records(0..3), 200);
        assert_eq!(hold.admit(&BTreeMap::new(), 201).len(), 0);
    }
}
