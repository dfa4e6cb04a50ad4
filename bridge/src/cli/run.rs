//! `landbridge run`: the gateway.

use std::path::PathBuf;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::app::Gateway;
use crate::config::Prepared;
use crate::telemetry;

/// Run the gateway until SIGTERM or SIGINT, then drain; a second signal stops at once
///
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
    let cut = super::control_runtime()?.block_on(serve(prepared))?;
    match cut {
        0 => Ok(()),
        cut => Err(anyhow::anyhow!("{cut} calls were cut").into()),
    }
}

async fn serve(prepared: Prepared) -> anyhow::Result<u64> {
    let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for SIGINT")?;
    let gateway = Gateway::start(prepared, None).await?;
    let died = gateway.died();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = died => anyhow::bail!("a worker died; its connections are gone"),
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
