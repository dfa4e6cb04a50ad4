//! Interface, group and version: the name of a service on either side.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a service: interface, group and version.
///
/// Written `group/interface:version`, with the empty parts left out, as Dubbo prints it. Dubbo treats an absent version
/// and `0.0.0` as equal when it matches; we keep what was written and fold in [`ServiceKey::matches`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceKey {
    interface: Arc<str>,
    group: Arc<str>,
    version: Arc<str>,
}

/// Why a text is not a service key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("service key {text:?} has no interface (expected [group/]interface[:version])")]
pub struct ParseError {
    text: String,
}

impl ServiceKey {
    /// A key from its parts; an empty group or version is "none".
    pub fn new(
        interface: impl Into<Arc<str>>,
        group: impl Into<Arc<str>>,
        version: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            interface: interface.into(),
            group: group.into(),
            version: version.into(),
        }
    }

    /// The interface's full name, `com.acme.Orders`.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The group; empty when there is none.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The version; empty when there is none.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The other key of the same service, where the version is none or the default `0.0.0`: with that folded the other way.
    pub fn folded(&self) -> Option<Self> {
        let version = match self.version() {
            "" => "0.0.0",
            "0.0.0" => "",
            _ => return None,
        };
        Some(Self {
            version: version.into(),
            ..self.clone()
        })
    }

    /// Whether a caller that asks for `self` is served by a provider of `other`: the same interface and group, and
    /// versions equal after `0.0.0` was folded into none.
    pub fn matches(&self, other: &Self) -> bool {
        fn folded(version: &str) -> &str {
            if version == "0.0.0" { "" } else { version }
        }
        self.interface == other.interface
            && self.group == other.group
            && folded(&self.version) == folded(&other.version)
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{}/", self.group)?;
        }
        f.write_str(&self.interface)?;
        if !self.version.is_empty() {
            write!(f, ":{}", self.version)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceKey({self})")
    }
}

impl FromStr for ServiceKey {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (group, rest) = text.split_once('/').unwrap_or(("", text));
        let (interface, version) = rest.split_once(':').unwrap_or((rest, ""));
        if interface.is_empty() {
            return Err(ParseError {
                text: text.to_owned(),
            });
        }
        Ok(Self::new(interface, group, version))
    }
}

impl serde::Serialize for ServiceKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ServiceKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_parses() {
        for text in [
            "com.acme.Orders",
            "g/com.acme.Orders",
            "com.acme.Orders:1.0",
            "g/com.acme.Orders:1.0",
        ] {
            assert_eq!(text.parse::<ServiceKey>().unwrap().to_string(), text);
        }
        assert!("g/:1".parse::<ServiceKey>().is_err());
    }

    #[test]
    fn folds_the_default_version_only_when_matching() {
        let plain = ServiceKey::new("a.B", "", "");
        let zero = ServiceKey::new("a.B", "", "0.0.0");
        assert_ne!(plain, zero);
        assert!(plain.matches(&zero) && zero.matches(&plain));
        assert!(!plain.matches(&ServiceKey::new("a.B", "g", "")));
        assert_eq!((plain.folded(), zero.folded()), (Some(zero), Some(plain)));
        assert_eq!(ServiceKey::new("a.B", "", "1").folded(), None);
    }
}
