//! What definitions do not say, said by a person.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::protobuf::binding::Bindings;
use crate::protobuf::{JavaType, LoadError, Policy, yaml};

/// What definitions do not say. Unknown keys are errors.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hints {
    /// The protobuf package of everything; each interface's Java package otherwise.
    pub package: Option<String>,
    /// By signature, `getUser(long)`, or `com.x.UserService.getUser(long)` where several interfaces have it.
    #[serde(default)]
    pub methods: BTreeMap<String, MethodHint>,
    /// Java type by `class.field`, with its type arguments.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Binary class name by canonical name, for nested classes.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    /// Constant by the text that the definition has for it, by enum class.
    #[serde(default)]
    pub enums: BTreeMap<String, BTreeMap<String, String>>,
    /// The type parameters of a generic class, `com.x.Page: [T]`.
    #[serde(default)]
    pub type_parameters: BTreeMap<String, Vec<String>>,
    /// The binding's `strict`.
    #[serde(default)]
    pub strict: bool,
    /// The binding's `rules`: `allow`, `error` or `drop` by rule.
    #[serde(default)]
    pub rules: BTreeMap<String, Policy>,
    /// The gRPC code of an exception, by its class.
    #[serde(default)]
    pub exceptions: BTreeMap<String, String>,
}

/// What a definition does not say about a method. Unknown keys are errors.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodHint {
    /// The rpc's name.
    pub rpc: Option<String>,
    /// The parameters' names.
    pub args: Option<Vec<String>>,
    /// The parameters' types with their type arguments.
    pub types: Option<Vec<String>>,
    /// The return type with its type arguments.
    pub returns: Option<String>,
    /// The declared exceptions.
    #[serde(default)]
    pub throws: Vec<String>,
    /// The reply is the returned class's message itself, not a message around it. A null result is then an empty message.
    #[serde(default)]
    pub whole: bool,
    /// Leave it out.
    #[serde(default)]
    pub skip: bool,
}

impl Hints {
    /// Reads hints; nothing is no hint.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, String> {
        match text {
            // An empty file, or one of comments only, is no YAML mapping.
            Some(text)
                if text
                    .lines()
                    .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) =>
            {
                Ok(Self::default())
            }
            Some(text) => {
                let hints: Self = yaml::parse(text)?;
                hints.check()?;
                Ok(hints)
            }
            None => Ok(Self::default()),
        }
    }

    /// What would make every draft fail, told before one is made.
    fn check(&self) -> Result<(), String> {
        for (canonical, binary) in &self.names {
            if JavaType::parse(binary).is_none_or(|java| java.name() != Some(binary)) {
                return Err(format!("names: {canonical}: {binary:?} is no class name"));
            }
        }
        // The binding will hold these as they are: its own checks say what is wrong with them. JSON is YAML.
        let rules = self.rules.iter().map(|(rule, policy)| (rule, policy.name()));
        let exceptions = self
            .exceptions
            .iter()
            .map(|(class, code)| serde_json::json!({"java": class, "code": code}));
        let binding = serde_json::json!({
            "rules": rules.collect::<BTreeMap<_, _>>(),
            "exceptions": exceptions.collect::<Vec<_>>(),
        });
        let none = &mut |_: &str| Err("hints name no file".to_owned());
        Bindings::load_all("", &binding.to_string(), none).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(fault).collect();
            faults.join("; ")
        })?;
        Ok(())
    }

    /// Every hint by the name that a report gives it.
    pub(super) fn all(&self) -> BTreeSet<String> {
        let named = |section: &str, key: &String| format!("{section}: {key}");
        self.methods
            .keys()
            .map(|key| named("methods", key))
            .chain(self.fields.keys().map(|key| named("fields", key)))
            .chain(self.names.keys().map(|key| named("names", key)))
            .chain(self.enums.keys().map(|key| named("enums", key)))
            .chain(
                self.type_parameters
                    .keys()
                    .map(|key| named("type_parameters", key)),
            )
            .collect()
    }
}

/// A fault of the binding as one of the hints.
fn fault(fault: &LoadError) -> String {
    let parts = [&fault.object, &fault.member, &fault.problem];
    let parts: Vec<&str> = parts
        .map(String::as_str)
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(": ")
}
