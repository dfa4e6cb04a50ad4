//! Which stage a service is in: a default, and rules by glob of which the most specific wins.

use codecs::ServiceKey;

use crate::directory::Stage;

/// A stage and what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Setting {
    /// The stage.
    pub stage: Stage,
    /// In stage `bridge`: announce ourselves beside natives, too.
    pub standby: bool,
}

/// The stages of all services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stages {
    default: Setting,
    /// Most specific first.
    rules: Vec<(Pattern, Setting)>,
}

/// Why rules for stages cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StagesError {
    /// A pattern names no interface.
    #[error("pattern {0:?} names no interface (expected [group/]interface[:version], with * for any text)")]
    NoInterface(String),
    /// Two patterns are equally specific and there is a service that both match.
    #[error("patterns {0:?} and {1:?} are equally specific and match the same services")]
    Tie(String, String),
}

/// `[group/]interface[:version]`, each part with `*` for any text; an absent part matches all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: String,
    interface: String,
    group: Option<String>,
    version: Option<String>,
}

impl Stages {
    /// The default, and rules of a pattern each.
    ///
    /// # Errors
    ///
    /// A pattern without an interface, and two patterns of which neither is the more specific though a service may
    /// match both.
    pub fn new(
        default: Setting,
        rules: impl IntoIterator<Item = (String, Setting)>,
    ) -> Result<Self, StagesError> {
        let mut parsed: Vec<(Pattern, Setting)> = Vec::new();
        for (text, setting) in rules {
            let pattern = Pattern::parse(text)?;
            if let Some((tied, _)) = parsed
                .iter()
                .find(|(other, _)| other.rank() == pattern.rank() && other.meets(&pattern))
            {
                return Err(StagesError::Tie(tied.text.clone(), pattern.text));
            }
            parsed.push((pattern, setting));
        }
        parsed.sort_by(|(a, _), (b, _)| b.rank().cmp(&a.rank()).then_with(|| a.text.cmp(&b.text)));
        Ok(Self {
            default,
            rules: parsed,
        })
    }

    /// The same stage for all services.
    pub fn all(setting: Setting) -> Self {
        Self {
            default: setting,
            rules: Vec::new(),
        }
    }

    /// What a service is set to.
    pub fn of(&self, key: &ServiceKey) -> Setting {
        self.rules
            .iter()
            .find(|(pattern, _)| pattern.matches(key))
            .map_or(self.default, |(_, setting)| *setting)
    }

    /// The services that rules name without a wildcard: they exist for the gateway even where no registry knows them.
    pub fn named(&self) -> impl Iterator<Item = ServiceKey> {
        self.rules
            .iter()
            .filter(|(pattern, _)| !pattern.text.contains('*'))
            .map(|(pattern, _)| {
                ServiceKey::new(
                    pattern.interface.as_str(),
                    pattern.group.as_deref().unwrap_or_default(),
                    pattern.version.as_deref().unwrap_or_default(),
                )
            })
    }
}

impl Pattern {
    fn parse(text: String) -> Result<Self, StagesError> {
        let (group, rest) = match text.split_once('/') {
            Some((group, rest)) => (Some(group.to_owned()), rest),
            None => (None, text.as_str()),
        };
        let (interface, version) = match rest.split_once(':') {
            Some((interface, version)) => (interface.to_owned(), Some(version.to_owned())),
            None => (rest.to_owned(), None),
        };
        if interface.is_empty() {
            return Err(StagesError::NoInterface(text));
        }
        Ok(Self {
            text,
            interface,
            group,
            version,
        })
    }

    /// How specific it is: an interface in full, then its literal characters, then the parts that are given.
    fn rank(&self) -> (bool, usize, usize, usize) {
        let literal = |text: &str| text.bytes().filter(|byte| *byte != b'*').count();
        let parts = || [&self.group, &self.version].into_iter().flatten();
        (
            !self.interface.contains('*'),
            literal(&self.interface),
            parts().count(),
            parts().map(|part| literal(part)).sum(),
        )
    }

    fn matches(&self, key: &ServiceKey) -> bool {
        let part =
            |pattern: &Option<String>, text: &str| pattern.as_ref().is_none_or(|pattern| glob(pattern, text));
        glob(&self.interface, key.interface())
            && part(&self.group, key.group())
            && part(&self.version, key.version())
    }

    /// Whether some service matches both.
    fn meets(&self, other: &Self) -> bool {
        let part = |a: &Option<String>, b: &Option<String>| match (a, b) {
            (Some(a), Some(b)) => meet(a.as_bytes(), b.as_bytes()),
            _ => true,
        };
        meet(self.interface.as_bytes(), other.interface.as_bytes())
            && part(&self.group, &other.group)
            && part(&self.version, &other.version)
    }
}

/// Whether a text matches a pattern in which `*` stands for any text, in time linear in the text for each star.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    while let Some((middle, tail)) = rest.split_once('*') {
        let Some(at) = text.find(middle) else {
            return false;
        };
        text = text.get(at + middle.len()..).unwrap_or_default();
        rest = tail;
    }
    text.ends_with(rest)
}

/// Whether two patterns have a text in common: a walk over the product of both, a row at a time.
fn meet(a: &[u8], b: &[u8]) -> bool {
    // row[j]: the first i bytes of `a` and the first j bytes of `b` can produce the same text.
    let mut row = vec![false; b.len() + 1];
    for i in 0..=a.len() {
        let before = row.clone();
        for j in 0..=b.len() {
            let above = i > 0 && before[j];
            let left = j > 0 && row[j - 1];
            let corner = i > 0 && j > 0 && before[j - 1];
            row[j] = (i == 0 && j == 0)
                || (i > 0 && a[i - 1] == b'*' && (above || left))
                || (j > 0 && b[j - 1] == b'*' && (above || left))
                || (i > 0
                    && j > 0
                    && corner
                    && (a[i - 1] == b[j - 1] || a[i - 1] == b'*' || b[j - 1] == b'*'));
        }
    }
    row.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRIDGE: Setting = Setting {
        stage: Stage::Bridge,
        standby: false,
    };
    const STANDBY: Setting = Setting {
        stage: Stage::Bridge,
        standby: true,
    };

    fn stages(rules: &[(&str, Setting)]) -> Result<Stages, StagesError> {
        Stages::new(
            Setting::default(),
            rules.iter().map(|(text, setting)| ((*text).to_owned(), *setting)),
        )
    }

    #[test]
    fn picks_the_most_specific() {
        let stages = stages(&[
            ("com.*", BRIDGE),
            ("com.acme.*", Setting::default()),
            ("com.acme.Orders", BRIDGE),
            ("gray/com.acme.Orders", STANDBY),
            ("com.acme.Stock:2.*", STANDBY),
        ])
        .unwrap();
        for (key, setting) in [
            ("org.other.X", Setting::default()),
            ("com.other.X", BRIDGE),
            ("com.acme.X", Setting::default()),
            ("com.acme.Orders", BRIDGE),
            ("com.acme.Orders:1.0", BRIDGE),
            ("gray/com.acme.Orders", STANDBY),
            ("com.acme.Stock:2.1", STANDBY),
            ("com.acme.Stock:1.1", Setting::default()),
        ] {
            assert_eq!(stages.of(&key.parse().unwrap()), setting, "{key}");
        }
        let mut named: Vec<_> = stages.named().map(|key| key.to_string()).collect();
        named.sort();
        assert_eq!(named, ["com.acme.Orders", "gray/com.acme.Orders"]);
    }

    #[test]
    fn refuses_ties() {
        for rules in [
            ["com.a*", "com.*a"],
            ["com.acme.X", "com.acme.X"],
            ["g/a.B", "a.B:1"],
        ] {
            let error = stages(&[(rules[0], BRIDGE), (rules[1], STANDBY)]).unwrap_err();
            assert_eq!(error, StagesError::Tie(rules[0].into(), rules[1].into()));
        }
        for rules in [["com.a*", "com.b*"], ["g/a.B", "h/a.B"], ["*.Ab", "*.Xb"]] {
            assert!(
                stages(&[(rules[0], BRIDGE), (rules[1], STANDBY)]).is_ok(),
                "{rules:?}"
            );
        }
        assert_eq!(
            stages(&[("g/:1", BRIDGE)]).unwrap_err(),
            StagesError::NoInterface("g/:1".into())
        );
    }

    #[test]
    fn globs_match_in_full() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a*b*c", "a-b-b-c", true),
            ("ab*ba", "aba", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
        }
    }
}
