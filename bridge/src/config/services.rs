//! The sections `services` (known from the file, no registry needed) and `migration` (how far each service is).

use codecs::ServiceKey;
use registries::directory::Stage;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::place::{Problem, Source};
use super::text::{HostPort, Time, addresses};

/// A service known from the file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StaticService {
    /// Its key, `[group/]interface[:version]`, or `*` for every service that nothing else names.
    pub service: Spanned<String>,
    /// Its Dubbo2 providers.
    #[serde(default, deserialize_with = "addresses")]
    pub dubbo2: Vec<HostPort>,
    /// Its Triple or gRPC providers.
    #[serde(default, deserialize_with = "addresses")]
    pub triple: Vec<HostPort>,
    /// How long a call may take that names no time itself; absent for `timeouts.call`.
    #[serde(default)]
    pub timeout: Option<Time>,
}

impl StaticService {
    /// The key; `None` for every service.
    pub fn key(&self) -> Option<ServiceKey> {
        self.service
            .value
            .parse()
            .ok()
            .filter(|_| self.service.value != "*")
    }

    pub(super) fn check(&self, source: &Source, problems: &mut Vec<Problem>) {
        let name = &self.service;
        if name.value == "*" {
            return;
        }
        match name.value.parse::<ServiceKey>() {
            Err(error) => problems.push(source.problem(name.referenced, error.to_string())),
            Ok(key) if key.interface().contains('*') => {
                let message = format!("{} is not a service (only `*` alone stands for all)", name.value);
                problems.push(source.problem(name.referenced, message));
            }
            Ok(_) if self.dubbo2.is_empty() && self.triple.is_empty() => {
                let message = format!("service {} has no address", name.value);
                let hint = "give it `dubbo2`, `triple` or both";
                problems.push(source.problem(name.referenced, message).hint(hint));
            }
            Ok(_) => {}
        }
    }
}

/// How far the services' migration is.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Migration {
    /// Stages by service or glob; the most specific wins; `observe` where none fits.
    #[serde(default)]
    pub stages: Vec<StageRule>,
}

/// A stage for the services that a glob names.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StageRule {
    /// A service key in which `*` stands for any text.
    pub services: Spanned<String>,
    /// Their stage.
    pub stage: Stage,
}

impl Migration {
    /// The stage of a service: that of the glob with the most letters that fits.
    pub fn stage(&self, key: &ServiceKey) -> Stage {
        let name = key.to_string();
        self.stages
            .iter()
            .filter(|rule| fits(&rule.services.value, &name))
            .max_by_key(|rule| letters(&rule.services.value))
            .map_or(Stage::default(), |rule| rule.stage)
    }

    pub(super) fn check(&self, source: &Source, problems: &mut Vec<Problem>) {
        for (n, rule) in self.stages.iter().enumerate() {
            let glob = &rule.services;
            if glob.value.is_empty() {
                problems.push(source.problem(glob.referenced, "a stage needs a service or a glob"));
            }
            let twin = self.stages[..n]
                .iter()
                .find(|other| other.services.value == glob.value);
            if twin.is_some() {
                problems.push(source.problem(glob.referenced, format!("{} stands here twice", glob.value)));
            }
        }
    }
}

fn letters(glob: &str) -> usize {
    glob.chars().filter(|c| *c != '*').count()
}

/// Whether a text fits a glob, in which `*` stands for any text.
fn fits(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (glob, text, fit) in [
            ("*", "anything", true),
            ("a.B", "a.B", true),
            ("a.B", "a.BC", false),
            ("a.*", "a.B", true),
            ("*/a.*:1", "g/a.B:1", true),
            ("*/a.*:1", "a.B:1", false),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
        ] {
            assert_eq!(fits(glob, text), fit, "{glob} {text}");
        }
    }

    #[test]
    fn the_most_specific_stage_wins() {
        let yaml = "stages:\n- {services: '*', stage: bridge}\n- {services: 'a.*', stage: observe}\n";
        let migration: Migration = serde_saphyr::from_str(yaml).unwrap();
        assert_eq!(migration.stage(&ServiceKey::new("b.C", "", "")), Stage::Bridge);
        assert_eq!(migration.stage(&ServiceKey::new("a.C", "", "")), Stage::Observe);
        assert_eq!(
            Migration::default().stage(&ServiceKey::new("b.C", "", "")),
            Stage::Observe
        );
    }
}
