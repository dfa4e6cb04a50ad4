//! The configuration: one YAML file, read and checked as a whole before any port opens.
//!
//! ```text
//! text ─ ${NAME} filled in, positions kept ─► raw sections ─ cross checks ─► Config ─ prepare ─► bindings, plans
//! ```
//!
//! Each value refuses what it is not while it is read ([`text`]); what concerns several values is checked in
//! [`Config::parse`]; every refusal points at its place ([`place::Problem`]). Unknown keys are errors. A section that is
//! absent switches its part of the gateway off.

pub mod bindings;
pub mod islands;
pub mod listeners;
pub mod place;
pub mod services;
pub mod text;
pub mod tuning;

use std::collections::HashMap;
use std::path::Path;

use registries::file;
use serde::{Deserialize, Serialize, Serializer};
use serde_saphyr::{PropertySyntax, Spanned};

pub use bindings::{Binding, Prepared};
pub use islands::{Legacy, Mesh};
pub use listeners::{Becomes, Listener, Listeners};
pub use place::{Problem, Problems, Source};
pub use services::Migration;
pub use tuning::{Drain, Limits, Timeouts};

use crate::{admin, app, telemetry};

/// The schema this program reads.
pub const VERSION: u32 = 1;

/// The most that the file may hold; a ConfigMap holds a sixteenth of it.
const MOST: u64 = 16 << 20;

/// A file that the operator names, of at most so many bytes: it may be a device without end.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > most {
        return Err(format!("it is larger than {} MiB", most >> 20));
    }
    Ok(bytes)
}

/// The whole configuration, checked.
#[derive(Debug, Clone, Serialize)]
pub struct Config {
    /// The file it came from.
    #[serde(skip)]
    pub source: Source,
    /// Who this gateway is.
    pub bridge: app::Config,
    /// The legacy island; `None` for a gateway without ZooKeeper.
    pub legacy: Option<Legacy>,
    /// The mesh; `None` for a gateway without istiod.
    pub mesh: Option<Mesh>,
    /// The ports that take calls; none for an agent that only copies registrations.
    pub listeners: Listeners,
    /// Services known from the file.
    #[serde(serialize_with = "services_shown")]
    pub services: Vec<file::Service>,
    /// Binding files, and where services are in the mesh.
    pub bindings: Vec<Spanned<Binding>>,
    /// The stages of the services' migration.
    pub migration: Migration,
    /// What bounds memory and work.
    pub limits: Limits,
    /// What bounds waiting.
    pub timeouts: Timeouts,
    /// How the gateway stops.
    pub drain: Drain,
    /// The operator's port.
    pub admin: admin::Config,
    /// Logs and metrics.
    pub telemetry: telemetry::Config,
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: Spanned<u32>,
    #[serde(default)]
    bridge: app::Config,
    #[serde(default)]
    legacy: Vec<Spanned<Legacy>>,
    #[serde(default)]
    mesh: Vec<Spanned<Mesh>>,
    #[serde(default)]
    listeners: Listeners,
    #[serde(default)]
    services: Vec<Spanned<file::Service>>,
    #[serde(default)]
    bindings: Vec<Spanned<Binding>>,
    #[serde(default)]
    migration: Migration,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    timeouts: Timeouts,
    #[serde(default)]
    drain: Drain,
    #[serde(default)]
    admin: admin::Config,
    #[serde(default)]
    telemetry: telemetry::Config,
}

impl Config {
    /// Reads and checks a file; `${NAME}` is filled in from the environment.
    ///
    /// # Errors
    /// Everything found wrong, each at its place.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let text = read(path, MOST)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()))
            .map_err(|error| Problem::of_file(path, format!("cannot be read: {error}")))?;
        // Not `env::vars`: one variable that is no UTF-8 would make it panic.
        let environment =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Self::parse(Source::new(path, text), environment.collect())
    }

    /// Checks a text; `${NAME}` is filled in from `environment`.
    ///
    /// # Errors
    /// Everything found wrong, each at its place. What cannot be read at all hides what comes after it.
    pub fn parse(source: Source, environment: HashMap<String, String>) -> Result<Self, Problems> {
        let options = serde_saphyr::options! {
            with_snippet: false,
            property_syntax: PropertySyntax::Braced,
        }
        .with_properties(environment);
        // What an earlier file was refused for is not what this one is.
        let _ = text::refused();
        let raw: Raw = serde_saphyr::from_str_with_options(source.text(), options)
            .map_err(|error| source.unreadable(&error))?;
        let problems = raw.problems(&source);
        let config = Self {
            bridge: raw.bridge,
            legacy: raw.legacy.into_iter().next().map(|island| island.value),
            mesh: raw.mesh.into_iter().next().map(|island| island.value),
            listeners: raw.listeners,
            services: raw.services.into_iter().map(|service| service.value).collect(),
            bindings: raw.bindings,
            migration: raw.migration,
            limits: raw.limits,
            timeouts: raw.timeouts,
            drain: raw.drain,
            admin: raw.admin,
            telemetry: raw.telemetry,
            source,
        };
        Problems::none_or(problems, config)
    }

    /// The effective configuration, defaults filled in and secrets hidden.
    pub fn effective(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

fn services_shown<S: Serializer>(services: &[file::Service], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(services.iter().map(services::shown))
}

impl Raw {
    fn problems(&self, source: &Source) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.version.value != VERSION {
            let message = format!("schema version {} is not known", self.version.value);
            let hint = format!("this program reads version {VERSION}");
            problems.push(source.problem(self.version.referenced, message).hint(hint));
        }
        // One of each until the Directory is keyed by island: a second one must not be half honoured.
        for (islands, what) in [(self.legacy.len(), "legacy island"), (self.mesh.len(), "mesh")] {
            if islands > 1 {
                let place = if what == "mesh" {
                    self.mesh[1].referenced
                } else {
                    self.legacy[1].referenced
                };
                problems.push(source.problem(place, format!("a second {what} is not supported yet")));
            }
        }
        self.admin.check(source, &mut problems);
        self.listeners.check(source, &mut problems);
        for legacy in &self.legacy {
            legacy.value.check(source, &mut problems);
        }
        for mesh in &self.mesh {
            mesh.value.check(source, &mut problems);
        }
        services::check(&self.services, source, &mut problems);
        self.migration.check(source, &mut problems);
        self.becomes_somewhere(source, &mut problems);
        if self.legacy.is_empty() && self.mesh.is_empty() && self.services.is_empty() {
            let message = "nothing to bridge: legacy, mesh and services are all absent";
            problems.push(Problem::of_file(source.path(), message));
        }
        problems
    }

    /// A listener whose calls become Dubbo2 needs a Dubbo2 upstream, and so on.
    fn becomes_somewhere(&self, source: &Source, problems: &mut Vec<Problem>) {
        let any_dubbo2 = !self.legacy.is_empty() || self.services.iter().any(|s| !s.value.dubbo2.is_empty());
        let any_triple = !self.mesh.is_empty() || self.services.iter().any(|s| !s.value.triple.is_empty());
        for listener in [&self.listeners.dubbo2, &self.listeners.triple]
            .into_iter()
            .flatten()
        {
            let Some(becomes) = &listener.becomes else {
                continue;
            };
            let (there, key) = match becomes.value {
                Becomes::Dubbo2 => (any_dubbo2, "dubbo2"),
                Becomes::Wrapper | Becomes::Protobuf => (any_triple, "triple"),
            };
            if !there {
                let message = format!(
                    "calls become {}, but no service has a {key} address",
                    becomes.value
                );
                problems.push(source.problem(becomes.referenced, message));
            }
            let bound = self
                .bindings
                .iter()
                .any(|entry| matches!(entry.value, Binding::File(_)));
            if becomes.value == Becomes::Protobuf && !bound {
                let message = "calls become protobuf, but there is no binding file";
                problems.push(
                    source
                        .problem(becomes.referenced, message)
                        .hint("name one under `bindings`"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "version: 1\nservices:\n- {service: '*', dubbo2: 127.0.0.1:20881}\n";

    fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, Problems> {
        let environment = environment
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::parse(Source::new("landbridge.yaml", text), environment.collect())
    }

    /// The problem of a small file with `more` added: its position (lines of `more` begin at 4) and text.
    fn refusal(more: &str) -> ((usize, usize), String) {
        let problems = parse(&format!("{SMALL}{more}"), &[]).expect_err(more);
        let problem = problems.iter().next().expect("a refusal has a problem");
        (
            problem.position().unwrap_or_default(),
            problem.message().to_owned(),
        )
    }

    #[test]
    fn takes_the_examples() {
        for text in [
            include_str!("../../examples/edge/landbridge.yaml"),
            include_str!("../../examples/agent/landbridge.yaml"),
            include_str!("../../examples/translator/landbridge.yaml"),
        ] {
            if let Err(problems) = parse(text, &[]) {
                panic!("{problems}");
            }
        }
    }

    #[test]
    fn the_edge_example_shows_the_defaults() {
        let edge = parse(include_str!("../../examples/edge/landbridge.yaml"), &[])
            .unwrap()
            .effective();
        let bare = parse(SMALL, &[]).unwrap().effective();
        for section in ["limits", "timeouts", "drain", "admin", "telemetry"] {
            assert_eq!(edge[section], bare[section], "{section}");
        }
    }

    #[test]
    fn fills_in_the_environment() {
        let text = include_str!("../../examples/translator/landbridge.yaml");
        let config = parse(
            text,
            &[("DUBBO2_LISTEN", "0.0.0.0:1234"), ("FROM_TRIPLE", "wrapper")],
        )
        .unwrap();
        let dubbo2 = config.listeners.dubbo2.unwrap();
        assert_eq!(dubbo2.bind.value.to_string(), "0.0.0.0:1234");
        assert_eq!(dubbo2.becomes.map(|b| b.value), Some(Becomes::Wrapper));
        assert_eq!(
            config.listeners.triple.unwrap().becomes.map(|b| b.value),
            Some(Becomes::Wrapper)
        );
        let wrong = parse(text, &[("FROM_DUBBO2", "soap")]).unwrap_err().to_string();
        assert!(wrong.starts_with("landbridge.yaml:13:14: "), "{wrong}");
        let unset = parse(&format!("{SMALL}admin: {{token: '', bind: x}}\n"), &[]);
        assert!(unset.is_err());
    }

    #[test]
    fn an_unset_name_is_refused_where_it_stands() {
        let text = format!("{SMALL}bridge:\n  replica: ${{NO_SUCH_NAME}}\n");
        let problems = parse(&text, &[]).unwrap_err().to_string();
        assert!(
            problems.starts_with("landbridge.yaml:5:12: ") && problems.contains("NO_SUCH_NAME"),
            "{problems}"
        );
    }

    /// What is filled in elsewhere leaves messages alone; what is filled in here is named as it was written.
    #[test]
    fn filled_in_values_do_not_spoil_messages() {
        let text = |more: &str| {
            format!(
                "version: 1\nbridge:\n  replica: ${{REPLICA}}\nservices:\n- {{service: '*', dubbo2: 'a:1'}}\n{more}"
            )
        };
        for (more, what) in [
            (
                "limits:\n  message: 1MB\n",
                "\"1MB\" is not a size (expected a whole number, or one and",
            ),
            ("timeouts:\n  call: 1\n", "\"1\" is not a time (expected"),
            (
                "legacy:\n- zookeeper:\n    servers: ${ZOOKEEPER}\n    watch: auto\n",
                "what ${ZOOKEEPER} gives is not an address (expected HOST:PORT)",
            ),
            (
                "legacy:\n- zookeeper:\n    servers: ${SERVERS}\n    watch: sometimes\n",
                "unknown variant `sometimes`",
            ),
            (
                "legacy:\n- zookeeper:\n    servers: ${SERVERS}\n    wach: auto\n",
                "unknown field `wach`",
            ),
            (
                "listeners:\n  dubbo2:\n    bind: ${BIND}\n    advertise: '0.0.0.0:1'\n",
                "\"0.0.0.0:1\" is no address that a peer can call",
            ),
            (
                "bindings:\n- ${NO_SUCH_NAME}\n",
                "the environment variable NO_SUCH_NAME is not set",
            ),
        ] {
            let filled = [
                ("REPLICA", "e"),
                ("ZOOKEEPER", "s3cret"),
                ("SERVERS", "zk:2181"),
                ("BIND", "0.0.0.0:1"),
            ];
            let problems = parse(&text(more), &filled).unwrap_err().to_string();
            assert!(
                problems.contains(what) && !problems.contains("s3cret"),
                "{more:?}: {problems}"
            );
        }
    }

    #[test]
    fn refuses_at_the_place() {
        for (more, at, what) in [
            ("lisen: 1\n", (4, 1), "lisen"),
            ("limits:\n  mesage: 1\n", (5, 3), "mesage"),
            ("limits:\n  message: 1MB\n", (5, 12), "is not a size"),
            ("timeouts:\n  call: 1\n", (5, 9), "is not a time"),
            ("drain: {deadline: 2d}\n", (4, 19), "is not a time"),
            (
                "listeners:\n  dubbo2: {bind: '20880'}\n",
                (5, 18),
                "is not an address to listen on",
            ),
            (
                "listeners:\n  dubbo2: {bind: '[::]:1', advertise: '0.0.0.0:1'}\n",
                (5, 39),
                "no address that a peer",
            ),
            (
                "listeners:\n  triple: {bind: '[::]:1', becomes: soap}\n",
                (5, 37),
                "not what a call can become",
            ),
            (
                "listeners:\n  triple: {bind: '[::]:1', becomes: wrapper}\n",
                (5, 37),
                "no service has a triple",
            ),
            (
                "listeners:\n  dubbo2: {bind: '[::]:1'}\n  triple: {bind: '[::]:1'}\n",
                (6, 18),
                "Dubbo2 listener's",
            ),
            ("admin: {bind: '0.0.0.0:9880'}\n", (4, 15), "without a token"),
            (
                "admin: {bind: '0.0.0.0:9880', token: ''}\n",
                (4, 15),
                "without a token",
            ),
            ("telemetry: {level: 'a=b=c'}\n", (4, 20), "no log filter"),
            ("telemetry: {level: loud}\n", (4, 20), "\"loud\" is no log level"),
            (
                "telemetry: {level: 'info,landbridge'}\n",
                (4, 20),
                "\"landbridge\" is no log level",
            ),
            ("telemetry: {format: xml}\n", (4, 21), "xml"),
            (
                "legacy:\n- zookeeper: {servers: 'zk'}\n",
                (5, 24),
                "is not an address",
            ),
            (
                "legacy:\n- zookeeper: {servers: ''}\n",
                (5, 14),
                "names no server",
            ),
            (
                "legacy:\n- zookeeper: {servers: 'zk:1', root: dubbo}\n",
                (5, 38),
                "no root node",
            ),
            (
                "legacy:\n- zookeeper: {servers: 'zk:1', user: a}\n",
                (5, 14),
                "go together",
            ),
            (
                "mesh:\n- istiod: {address: 'i:1'}\n  publish: {via: mcp}\n",
                (6, 12),
                "needs the key `mcp_bind`",
            ),
            (
                "mesh:\n- istiod: {address: 'i:1'}\n- istiod: {address: 'j:1'}\n",
                (6, 3),
                "a second mesh",
            ),
            (
                "migration: {stages: [{services: 'a', stage: brigde}]}\n",
                (4, 45),
                "brigde",
            ),
        ] {
            let (place, message) = refusal(more);
            assert!(
                place == at && message.contains(what),
                "{more:?}: {place:?} {message}"
            );
        }
        for (text, what) in [
            ("services: []\n", "version"),
            (
                "version: 2\nservices: [{service: '*', dubbo2: 'a:1'}]\n",
                "schema version 2",
            ),
            ("version: 1\n", "nothing to bridge"),
            ("version: 1\nservices: [{service: 'a.B'}]\n", "has no provider"),
            (
                "version: 1\nservices: [{service: 'a.*', dubbo2: 'a:1'}]\n",
                "is not a service",
            ),
            (
                "version: 1\nservices: [{service: 'a', dubbo2: 'a:1'}, {service: 'a', triple: 'a:1'}]\n",
                "twice",
            ),
            ("version: [\n", ""),
        ] {
            let problems = parse(text, &[]).expect_err(text).to_string();
            assert!(problems.contains(what), "{problems}");
        }
    }

    #[test]
    fn the_effective_configuration_hides_secrets() {
        let config = parse(
            &format!("{SMALL}admin: {{token: ${{TOKEN}}}}\n"),
            &[("TOKEN", "hunter2")],
        );
        // In a flow mapping braces end the scalar: a block is needed, and the refusal must not leak the value either.
        if let Err(problems) = config {
            assert!(!problems.to_string().contains("hunter2"));
        }
        let config = parse(
            &format!("{SMALL}admin:\n  token: ${{TOKEN}}\n"),
            &[("TOKEN", "hunter2")],
        )
        .unwrap();
        assert_eq!(config.admin.token.as_ref().map(|t| t.reveal()), Some("hunter2"));
        assert!(!config.effective().to_string().contains("hunter2"));
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
