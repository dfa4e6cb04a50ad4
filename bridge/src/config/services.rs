//! The sections `services` (known from the file, no registry needed) and `migration` (how far each service is).

use std::collections::HashSet;

use registries::directory::Stage;
use registries::file;
use registries::merge::{Setting, Stages, StagesError};
use serde::{Deserialize, Serialize};
use serde_saphyr::{Location, Spanned};

use super::place::{Problem, Source};
use super::text::Time;

/// Adds what is wrong with the services of the file to `problems`; each service alone was checked when it was read.
pub(super) fn check(services: &[Spanned<file::Service>], source: &Source, problems: &mut Vec<Problem>) {
    let mut seen = HashSet::new();
    for service in services {
        if !seen.insert(service.value.key.as_ref()) {
            let name = service
                .value
                .key
                .as_ref()
                .map_or("*".to_owned(), ToString::to_string);
            problems.push(source.problem(service.referenced, format!("service {name} stands here twice")));
        }
    }
}

/// A service of the file for the effective configuration.
pub(super) fn shown(service: &file::Service) -> serde_json::Value {
    let addresses = |providers: &[file::Provider]| -> Vec<String> {
        providers
            .iter()
            .map(|provider| format!("{}:{}", provider.host, provider.port))
            .collect()
    };
    serde_json::json!({
        "service": service.key.as_ref().map_or("*".to_owned(), ToString::to_string),
        "dubbo2": addresses(&service.dubbo2),
        "triple": addresses(&service.triple),
        "host": service.host,
        "timeout": service.timeout.map(|timeout| Time(timeout).to_string()),
        "routes": service.routes.routes.len(),
    })
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
    use codecs::ServiceKey;

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
