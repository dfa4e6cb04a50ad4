//! The lock file: which names and numbers earlier drafts gave away.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Numbers that protobuf keeps for itself.
const KEPT_BY_PROTOBUF: std::ops::RangeInclusive<u32> = 19_000..=19_999;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lock {
    /// Messages of requests carry the service's name, because there are several.
    #[serde(default)]
    pub(super) several: bool,
    /// Java class to message or enum.
    #[serde(default)]
    classes: BTreeMap<String, String>,
    /// Interface to signature to rpc.
    #[serde(default)]
    rpcs: BTreeMap<String, BTreeMap<String, String>>,
    /// Message or enum to its numbers.
    #[serde(default)]
    numbers: BTreeMap<String, Numbers>,
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
    #[serde(rename = "type")]
    type_name: String,
}

impl Lock {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, String> {
        match text {
            Some(text) => serde_json::from_str(text).map_err(|error| error.to_string()),
            None => Ok(Self::default()),
        }
    }

    pub(super) fn write(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    pub(super) fn class(&self, class: &str) -> Option<String> {
        self.classes.get(class).cloned()
    }

    pub(super) fn has_class_name(&self, name: &str) -> bool {
        self.classes.values().any(|known| known == name)
    }

    pub(super) fn set_class(&mut self, class: &str, name: &str) {
        self.classes.insert(class.to_owned(), name.to_owned());
    }

    pub(super) fn rpc(&self, interface: &str, signature: &str) -> Option<String> {
        self.rpcs.get(interface)?.get(signature).cloned()
    }

    pub(super) fn has_rpc(&self, interface: &str, rpc: &str) -> bool {
        let known = self.rpcs.get(interface);
        known.is_some_and(|known| known.values().any(|name| name == rpc))
    }

    pub(super) fn set_rpc(&mut self, interface: &str, signature: &str, rpc: &str) {
        self.rpcs
            .entry(interface.to_owned())
            .or_default()
            .insert(signature.to_owned(), rpc.to_owned());
    }

    /// The numbers of a message's fields, and those that are reserved. Known fields keep theirs, new ones get the next
    /// free in the order given; gone ones are reserved; a field with another type is another field.
    pub(super) fn number(
        &mut self,
        message: &str,
        fields: &[(String, String)],
        first: u32,
        report: &mut Vec<String>,
    ) -> (Vec<u32>, BTreeMap<u32, String>) {
        let numbers = self.numbers.entry(message.to_owned()).or_default();
        let gone: Vec<String> = numbers
            .used
            .iter()
            .filter(|(name, used)| {
                !fields
                    .iter()
                    .any(|(field, java)| field == *name && *java == used.type_name)
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            if let Some(used) = numbers.used.remove(&name) {
                match fields.iter().find(|(field, _)| *field == name) {
                    Some((_, java)) => report.push(format!(
                        "{message}.{name} was {} and is {java}: it has a new number, which breaks callers",
                        used.type_name
                    )),
                    None => report.push(format!("{message}.{name} is gone: its number is reserved")),
                }
                numbers.reserved.insert(used.number, name);
            }
        }
        let mut next = first;
        let mut given = Vec::new();
        for (name, java) in fields {
            let number = match numbers.used.get(name) {
                Some(used) => used.number,
                None => {
                    while numbers.reserved.contains_key(&next)
                        || KEPT_BY_PROTOBUF.contains(&next)
                        || numbers.used.values().any(|used| used.number == next)
                    {
                        next = next.saturating_add(1);
                    }
                    numbers.used.insert(
                        name.clone(),
                        Used {
                            number: next,
                            type_name: java.clone(),
                        },
                    );
                    next
                }
            };
            given.push(number);
        }
        (given, numbers.reserved.clone())
    }
}
