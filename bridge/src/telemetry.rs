//! Logs, the access log and metrics.

use serde::{Deserialize, Serialize};

/// The section `telemetry`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How log lines look.
    pub format: Format,
    /// What is logged: `info`, or by module as in `info,landbridge=debug`.
    pub level: Level,
    /// One line for each call. On: it is how a wrong call is found; it holds no argument values.
    pub access_log: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            format: Format::default(),
            level: Level("info".to_owned()),
            access_log: true,
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A filter of log lines, checked when read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Level(String);

impl Level {
    /// The filter's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        match text.parse::<tracing_subscriber::filter::Targets>() {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(D::Error::custom(format!("{text:?} is no log filter: {error}"))),
        }
    }
}

/// Starts logging to standard error. Only the first call of a process has an effect.
pub fn start(config: &Config) {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let filter: tracing_subscriber::filter::Targets = config.level.as_str().parse().unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A second start (tests run several gateways in one process) keeps the first.
    let _ = match config.format {
        Format::Text => tracing_subscriber::registry().with(filter).with(lines).try_init(),
        Format::Json => tracing_subscriber::registry()
            .with(filter)
            .with(lines.json())
            .try_init(),
    };
}
