//! The sections `services` (known from the file, no registry needed) and `migration` (how far each service is).

use codecs::ServiceKey;
use registries::directory::Stage;
use registries::merge::{Setting, Stages, StagesError};
use serde::{Deserialize, Serialize};
use serde_saphyr::{Location, Spanned};

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
    /// `[group/]interface[:version]` in which `*` stands for any text.
    pub services: Spanned<String>,
    /// Their stage.
    pub stage: Stage,
    /// In stage `bridge`: announce ourselves beside natives, too.
    #[serde(default)]
    pub standby: bool,
}

impl Migration {
    /// As the merge takes them.
    ///
    /// # Errors
    /// When a pattern names no interface, or two are equally specific.
    pub(crate) fn checked(&self) -> Result<Stages, StagesError> {
        let rules = self.stages.iter().map(|rule| {
            let setting = Setting {
                stage: rule.stage,
                standby: rule.standby,
            };
            (rule.services.value.clone(), setting)
        });
        Stages::new(Setting::default(), rules)
    }

    pub(super) fn check(&self, source: &Source, problems: &mut Vec<Problem>) {
        let Err(error) = self.checked() else { return };
        let named = match &error {
            StagesError::NoInterface(pattern) | StagesError::Tie(_, pattern) => pattern,
        };
        let rule = self
            .stages
            .iter()
            .rev()
            .find(|rule| rule.services.value == *named);
        let place = rule.map_or(Location::UNKNOWN, |rule| rule.services.referenced);
        problems.push(source.problem(place, error.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_stage_wins() {
        let yaml = "stages:\n- {services: '*', stage: bridge}\n- {services: 'a.*', stage: observe}\n";
        let migration: Migration = serde_saphyr::from_str(yaml).unwrap();
        let stages = migration.checked().unwrap();
        assert_eq!(stages.of(&ServiceKey::new("b.C", "", "")).stage, Stage::Bridge);
        assert_eq!(stages.of(&ServiceKey::new("a.C", "", "")).stage, Stage::Observe);
    }
}
