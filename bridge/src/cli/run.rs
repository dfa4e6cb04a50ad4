//! `landbridge run`: the gateway.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::app::Gateway;
use crate::config::{Binding, Prepared};
use crate::telemetry;

/// Run the gateway until SIGTERM or SIGINT, then drain; a second signal stops at once
///
/// A changed file, or SIGHUP, reloads services, bindings, stages, limits, timeouts (not `connect` and `first_view`), drain
/// and the log level, all or nothing; what else changed needs a restart, and the log says so.
/// Ends with 0 when no call was cut.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let prepared = Prepared::load(&arguments.config)?;
    let config = &prepared.config;
    telemetry::start(&config.telemetry);
    tracing::info!(version = super::VERSION, config = %config.effective(), "starting");
    let cut = super::control_runtime()?.block_on(serve(&arguments.config, prepared))?;
    match cut {
        0 => Ok(()),
        cut => Err(anyhow::anyhow!("{cut} calls were cut").into()),
    }
}

async fn serve(path: &Path, prepared: Prepared) -> anyhow::Result<u64> {
    let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for SIGINT")?;
    let mut hang_up = signal(SignalKind::hangup()).context("wait for SIGHUP")?;
    let mut files = Files::of(path, &prepared).await;
    let mut gateway = Gateway::start(prepared, None).await?;
    let mut died = std::pin::pin!(gateway.died());
    loop {
        let asked = tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = &mut died => anyhow::bail!("a worker died; its connections are gone"),
            _ = hang_up.recv() => true,
            () = tokio::time::sleep(LOOK) => false,
        };
        if asked || files.changed().await {
            reload(path, &mut gateway, &mut files).await;
        }
    }
    let hurry = CancellationToken::new();
    let stopping = gateway.stop(hurry.clone());
    tokio::pin!(stopping);
    loop {
        tokio::select! {
            drained = &mut stopping => return Ok(drained.cut),
            _ = terminate.recv() => hurry.cancel(),
            _ = interrupt.recv() => hurry.cancel(),
        }
    }
}

/// All or nothing: a file with anything wrong in it changes nothing.
async fn reload(path: &Path, gateway: &mut Gateway, files: &mut Files) {
    let file = path.to_owned();
    // Reading and compiling descriptors takes its time, and the runtime has heartbeats to send.
    let loaded = tokio::task::spawn_blocking(move || Prepared::load(&file)).await;
    match loaded {
        Ok(Ok(prepared)) => {
            *files = Files::of(path, &prepared).await;
            let restart = gateway.reload(prepared);
            tracing::info!(needs_restart = ?restart, "reloaded the configuration");
        }
        Ok(Err(problems)) => {
            tracing::error!(%problems, "the changed configuration is refused; the old one stays")
        }
        Err(error) => tracing::error!(%error, "the changed configuration cannot be read; the old one stays"),
    }
}

/// How often the files are looked at. A ConfigMap reaches its pod a minute after it changed: seconds do not matter.
const LOOK: Duration = Duration::from_secs(2);

/// The file and the binding files that it names, as they were when they were read.
struct Files(Vec<(PathBuf, Stamp)>);

/// When a file changed and how long it is; `None` where it cannot be asked.
type Stamp = Option<(SystemTime, u64)>;

impl Files {
    async fn of(path: &Path, prepared: &Prepared) -> Self {
        let config = &prepared.config;
        let bound = config.bindings.iter().filter_map(|entry| match &entry.value {
            Binding::File(file) => Some(config.source.resolve(file)),
            Binding::Place(_) => None,
        });
        let mut files = Vec::new();
        for path in std::iter::once(path.to_owned()).chain(bound) {
            let stamp = stamp(&path).await;
            files.push((path, stamp));
        }
        Self(files)
    }

    /// Whether a file is not as it was; asked once, it is as it is now.
    async fn changed(&mut self) -> bool {
        let mut changed = false;
        for (path, known) in &mut self.0 {
            let now = stamp(path).await;
            changed |= *known != now;
            *known = now;
        }
        changed
    }
}

async fn stamp(path: &Path) -> Stamp {
    let file = tokio::fs::metadata(path).await.ok()?;
    Some((file.modified().ok()?, file.len()))
}
