//! Logs, the access log and metrics.

pub mod metrics;

use std::sync::OnceLock;

use registries::directory::Mode;
use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::{Registry, reload};

use crate::config::text::refuse;
use crate::worker::{AccessRecord, Wire};

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
    /// A filter that is known to be one.
    #[cfg(feature = "demo")]
    pub(crate) fn of(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    fn targets(&self) -> Targets {
        // Checked when it was read.
        self.0.parse().unwrap_or_default()
    }

    /// The filter's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Err(error) = text.parse::<Targets>() {
            return Err(refuse(&text, format!("{text:?} is no log filter: {error}")));
        }
        // A word that is no level would be a module's name, and nothing of any other module would be logged.
        let mut words = text.split(',').map(str::trim).filter(|part| !part.contains('='));
        match words.find(|word| !word.is_empty() && word.parse::<LevelFilter>().is_err()) {
            None => Ok(Self(text)),
            Some(word) => Err(refuse(
                word,
                format!(
                    "{word:?} is no log level (expected off, error, warn, info, debug or trace; of a module: MODULE=LEVEL)"
                ),
            )),
        }
    }
}

/// Changes the filter of a logger that runs.
static FILTER: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts logging to standard error. Only the first call of a process has an effect.
pub fn start(config: &Config) {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let (filter, handle) = reload::Layer::new(config.level.targets());
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(colours)
        .with_writer(std::io::stderr);
    // A second start (tests run several gateways in one process) keeps the first.
    let started = match config.format {
        Format::Text => tracing_subscriber::registry().with(filter).with(lines).try_init(),
        Format::Json => tracing_subscriber::registry()
            .with(filter)
            .with(lines.json())
            .try_init(),
    };
    if started.is_ok() {
        let _ = FILTER.set(handle);
    }
}

/// Changes what is logged, from now on.
pub(crate) fn set_level(level: &Level) {
    if let Some(filter) = FILTER.get() {
        // It fails only when the subscriber is gone, and then nothing is logged at all.
        let _ = filter.reload(level.targets());
    }
}

/// Writes access records as log lines until their senders are gone; each is also offered to `observer`.
///
/// Argument values are never in a record: names, addresses, sizes and times only.
pub(crate) async fn write_access_log(
    mut records: tokio::sync::mpsc::Receiver<AccessRecord>,
    lines: bool,
    observer: Option<tokio::sync::mpsc::Sender<AccessRecord>>,
) {
    while let Some(record) = records.recv().await {
        if lines {
            access_line(&record);
        }
        if let Some(observer) = &observer {
            // An observer that does not keep up loses records, never the gateway its pace.
            let _ = observer.try_send(record);
        }
    }
}

fn access_line(record: &AccessRecord) {
    let micros = u64::try_from(record.took.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(
        target: "landbridge::access",
        service = %record.service,
        method = record.method,
        from = record.from.name(),
        to = record.to.map(Wire::name),
        mode = record.mode.map(mode_name),
        route = &*record.route,
        cluster = record.cluster.as_deref(),
        endpoint = record.endpoint.map(tracing::field::display),
        caller = %record.caller,
        attempts = record.attempts,
        kind = record.outcome.name(),
        error = record.error,
        micros,
        bytes_in = record.bytes_in,
        bytes_out = record.bytes_out,
        "call"
    );
}

/// The word for a mode in labels, lines and tables.
pub fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::PassThrough => "pass-through",
        Mode::Wrapper => "wrapper",
        Mode::Protobuf => "protobuf",
    }
}

/// An error and its causes in one line; a cause that the line ends with already is not said again.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| {
        let cause = cause.to_string();
        if line.ends_with(&cause) {
            line
        } else {
            format!("{line}: {cause}")
        }
    })
}
