//! The lock file: which names and numbers earlier drafts gave away.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::note::{Kind, Notes};

/// Numbers that protobuf keeps for itself.
const KEPT_BY_PROTOBUF: std::ops::RangeInclusive<u32> = 19_000..=19_999;

/// The largest number of a field.
const MOST_NUMBER: u32 = (1 << 29) - 1;

/// The layout of the file.
const VERSION: u32 = 1;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lock {
    version: u32,
    /// The interface whose requests carry no service name: it was alone in the first draft.
    #[serde(default)]
    unprefixed: Option<String>,
    /// Java class, or shape of a holder, to message or enum.
    #[serde(default)]
    names: BTreeMap<String, String>,
    /// Interface to signature to rpc.
    #[serde(default)]
    rpcs: BTreeMap<String, BTreeMap<String, LockedRpc>>,
    /// Message or enum to its numbers.
    #[serde(default)]
    numbers: BTreeMap<String, Numbers>,
}

/// The names of one rpc.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockedRpc {
    pub(super) rpc: String,
    pub(super) request: String,
    pub(super) response: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    #[serde(default)]
    used: BTreeMap<String, Used>,
    /// Numbers that were used once, with the names they had.
    #[serde(default)]
    reserved: BTreeMap<u32, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Used {
    number: u32,
    /// The name in Java: of the field or the constant.
    java: String,
    /// The protobuf type; empty for constants.
    #[serde(rename = "type", default)]
    proto_type: String,
    /// The Java type; empty for constants.
    #[serde(default)]
    java_type: String,
}

/// A field or constant that wants a number.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The protobuf name.
    pub(super) name: String,
    pub(super) java: String,
    pub(super) proto_type: String,
    pub(super) java_type: String,
}

/// What a message or enum got.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// In the order of what was wanted.
    pub(super) numbers: Vec<u32>,
    pub(super) reserved_numbers: Vec<u32>,
    /// Names of reserved numbers that nobody has now.
    pub(super) reserved_names: Vec<String>,
}

impl Lock {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else {
            return Ok(Self {
                version: VERSION,
                ..Self::default()
            });
        };
        let lock: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if lock.version != VERSION {
            return Err(format!("is of version {}, not {VERSION}", lock.version));
        }
        lock.check()?;
        Ok(lock)
    }

    /// What a merge by hand may have broken.
    fn check(&self) -> Result<(), String> {
        let names = self.names.values();
        let requests = self.rpcs.values().flat_map(BTreeMap::values);
        let mut seen = BTreeSet::new();
        for name in names.chain(requests.clone().map(|locked| &locked.request)) {
            if !super::names::is_identifier(name) {
                return Err(format!("{name:?} is no name of a message"));
            }
            if !seen.insert(name) {
                return Err(format!("two things have the name {name}"));
            }
        }
        for (interface, rpcs) in &self.rpcs {
            let mut seen = BTreeSet::new();
            for locked in rpcs.values() {
                if !super::names::is_identifier(&locked.rpc) || !super::names::is_identifier(&locked.response)
                {
                    return Err(format!("{interface} has an rpc without a name"));
                }
                if !seen.insert(&locked.rpc) {
                    return Err(format!("two methods of {interface} have the rpc {}", locked.rpc));
                }
            }
        }
        for (name, numbers) in &self.numbers {
            let used = numbers.used.values().map(|used| used.number);
            let mut seen = BTreeSet::new();
            for number in used.chain(numbers.reserved.keys().copied()) {
                if number == 0 || number > MOST_NUMBER || KEPT_BY_PROTOBUF.contains(&number) {
                    return Err(format!("{name} has number {number}, which no field can have"));
                }
                if !seen.insert(number) {
                    return Err(format!("{name} has number {number} twice"));
                }
            }
        }
        Ok(())
    }

    pub(super) fn write(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Whether an interface's requests carry its name; decided when the first draft is made.
    pub(super) fn prefixed(&mut self, interface: &str, alone: bool) -> bool {
        if self.rpcs.is_empty() && self.unprefixed.is_none() && alone {
            self.unprefixed = Some(interface.to_owned());
        }
        self.unprefixed.as_deref() != Some(interface)
    }

    pub(super) fn name(&self, key: &str) -> Option<String> {
        self.names.get(key).cloned()
    }

    /// Whether an earlier draft gave a name to something other than `key`.
    pub(super) fn has_name(&self, name: &str, key: &str) -> bool {
        let message = |locked: &LockedRpc| locked.request == name || locked.response == name;
        self.names
            .iter()
            .any(|(known, given)| given == name && known != key)
            || self.rpcs.values().flat_map(BTreeMap::values).any(message)
    }

    /// Whether something other than a request or response has a name.
    pub(super) fn is_name(&self, name: &str) -> bool {
        self.names.values().any(|given| given == name)
    }

    pub(super) fn set_name(&mut self, key: &str, name: &str) {
        self.names.insert(key.to_owned(), name.to_owned());
    }

    pub(super) fn forget_name(&mut self, key: &str) {
        self.names.remove(key);
    }

    pub(super) fn rpc(&self, interface: &str, signature: &str) -> Option<&LockedRpc> {
        self.rpcs.get(interface)?.get(signature)
    }

    /// The rpcs of an interface, by signature.
    pub(super) fn rpcs(&self, interface: &str) -> impl Iterator<Item = (&String, &LockedRpc)> {
        self.rpcs.get(interface).into_iter().flatten()
    }

    /// The interfaces of earlier drafts that are not among these.
    pub(super) fn interfaces_but(&self, given: &BTreeSet<&str>) -> Vec<String> {
        let gone = self.rpcs.keys().filter(|name| !given.contains(name.as_str()));
        gone.cloned().collect()
    }

    pub(super) fn set_rpc(&mut self, interface: &str, signature: &str, locked: LockedRpc) {
        self.rpcs
            .entry(interface.to_owned())
            .or_default()
            .insert(signature.to_owned(), locked);
    }

    /// The protobuf name that a Java field or constant of a message or enum has.
    pub(super) fn member(&self, owner: &str, java: &str) -> Option<String> {
        let used = &self.numbers.get(owner)?.used;
        let (name, _) = used.iter().find(|(_, used)| used.java == java)?;
        Some(name.clone())
    }

    /// Whether a protobuf name belongs to another Java field or constant.
    pub(super) fn has_member(&self, owner: &str, name: &str, java: &str) -> bool {
        let used = self.numbers.get(owner).and_then(|numbers| numbers.used.get(name));
        used.is_some_and(|used| used.java != java)
    }

    /// Numbers for a message or enum. Known members keep theirs, new ones get the next free in the order given; gone ones
    /// are reserved; a member of another type is another member. `by_position`: the numbers are 1, 2, …, whatever was.
    pub(super) fn number(
        &mut self,
        owner: &str,
        wanted: &[Wanted],
        by_position: bool,
        notes: &mut Notes,
    ) -> Given {
        let numbers = self.numbers.entry(owner.to_owned()).or_default();
        let gone: Vec<String> = numbers
            .used
            .iter()
            .filter(|(name, used)| !wanted.iter().any(|member| used.is(name, member)))
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            let Some(used) = numbers.used.remove(&name) else {
                continue;
            };
            let same_java = wanted.iter().find(|member| member.java == used.java);
            match same_java {
                Some(now) if by_position && now.same_type(&used) => {
                    notes.add(
                        Kind::Changed,
                        format!("{owner}.{name} is now called {}: its number stays", now.name),
                    );
                }
                Some(now) if by_position => notes.add(
                    Kind::Breaking,
                    format!("{owner}.{name} {}: its number stays", now.change(&used)),
                ),
                Some(now) => notes.add(
                    Kind::Breaking,
                    format!("{owner}.{name} {}: it has a new number", now.change(&used)),
                ),
                None => notes.add(
                    Kind::Changed,
                    format!("{owner}.{name} is gone: its number is reserved"),
                ),
            }
            if !by_position {
                numbers.reserved.insert(used.number, name);
            }
        }
        let mut given = Given::default();
        let mut next = 1u32;
        for member in wanted {
            let known = numbers.used.get(&member.name).map(|used| used.number);
            let number = match known {
                Some(number) => number,
                None => {
                    while numbers.reserved.contains_key(&next)
                        || KEPT_BY_PROTOBUF.contains(&next)
                        || (!by_position && numbers.used.values().any(|used| used.number == next))
                    {
                        next = next.saturating_add(1);
                    }
                    numbers.used.insert(
                        member.name.clone(),
                        Used {
                            number: next,
                            java: member.java.clone(),
                            proto_type: member.proto_type.clone(),
                            java_type: member.java_type.clone(),
                        },
                    );
                    next
                }
            };
            if by_position {
                next = number.saturating_add(1);
            }
            given.numbers.push(number);
        }
        given.reserved_numbers = numbers.reserved.keys().copied().collect();
        let names: BTreeSet<&String> = numbers.reserved.values().collect();
        given.reserved_names = names
            .into_iter()
            .filter(|name| !wanted.iter().any(|member| member.name == **name))
            .cloned()
            .collect();
        given
    }
}

impl Used {
    fn is(&self, name: &str, member: &Wanted) -> bool {
        member.name == name && member.java == self.java && member.same_type(self)
    }
}

impl Wanted {
    fn same_type(&self, used: &Used) -> bool {
        self.proto_type == used.proto_type && self.java_type == used.java_type
    }

    fn change(&self, used: &Used) -> String {
        format!(
            "was {} ({}) and is {} ({})",
            used.java_type, used.proto_type, self.java_type, self.proto_type
        )
    }
}
