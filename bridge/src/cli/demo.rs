//! `landbridge demo`: the real gateway between two embedded islands, over loopback sockets.
//!
//! ```text
//! Dubbo2 consumer ─┐                             ┌─► Triple provider (POJO, wrapper)
//! Dubbo2 provider ◄┼─ ZooKeeper ─ BRIDGE ─ istiod ┼─► gRPC provider (protobuf)
//!                  └─                           ◄┴─ gRPC client, Triple consumer
//! ```
//!
//! The peers speak from hand-written bytes (`tests/harness`); registries and calls cross real sockets; either registry can
//! be a real one. Whatever cannot be shown fails with its reason.

mod islands;
mod real;
mod show;
mod tour;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::islands::{LegacyIsland, MeshIsland};
use self::show::Screen;
use self::tour::Tour;
use super::{Failure, say};
use crate::admin::Readiness;
use crate::app::Gateway;
use crate::config::text::HostPort;
use crate::config::{Config, Prepared, Source};
use crate::telemetry;

/// Where the operator's port usually is, and where the system may put it.
const USUAL: &str = "127.0.0.1:9880";
const ANY: &str = "127.0.0.1:0";

/// How long the islands may take to know each other. Simulated ones need a second, a real istiod some more.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two rounds of calls.
const PAUSE: Duration = Duration::from_secs(1);

/// Show the gateway at work: a Dubbo2 island and a mesh on this machine, and calls crossing both ways
///
/// Needs nothing installed. Ends with 0 when every call of the first round was answered as it should be.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// End after the first round of calls
    #[arg(long)]
    once: bool,
    /// Use this real ZooKeeper in place of the simulated one
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    zookeeper: Option<String>,
    /// Use this real istiod in place of the simulated one; needs --kubeconfig
    #[arg(long, value_name = "HOST:PORT", value_parser = address, requires = "kubeconfig")]
    istiod: Option<String>,
    /// Where the real istiod's Kubernetes API is
    #[arg(long, value_name = "FILE", requires = "istiod")]
    kubeconfig: Option<PathBuf>,
    /// Log what the gateway does, to standard error
    #[arg(long)]
    verbose: bool,
}

/// Refuses what is no address of a real registry.
fn address(text: &str) -> Result<String, String> {
    text.parse::<HostPort>().map(|_| text.to_owned())
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    telemetry::start(&telemetry::Config {
        level: telemetry::Level::of(if arguments.verbose {
            "info,landbridge=debug"
        } else {
            "error"
        }),
        ..telemetry::Config::default()
    });
    super::control_runtime()?.block_on(async {
        let stop = CancellationToken::new();
        // Ctrl-C never drops the demo where it stands: what it registered in a real registry is taken back first.
        let interrupt = async {
            let _ = tokio::signal::ctrl_c().await;
            stop.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            shown = demo(arguments, &stop) => shown,
            () = interrupt => Ok(()),
        }
    })?;
    Ok(())
}

async fn demo(arguments: &Arguments, stop: &CancellationToken) -> anyhow::Result<()> {
    let mut legacy = LegacyIsland::start(arguments.zookeeper.as_deref())
        .await
        .context("start the legacy island")?;
    let real = arguments.istiod.as_deref().zip(arguments.kubeconfig.as_deref());
    let mut mesh = MeshIsland::start(real).await.context("start the mesh")?;
    let (records, seen) = mpsc::channel(1024);
    // The usual port for the operator, so that `landbridge services` finds the demo without being told; any other where
    // somebody has it already.
    let usual = prepare(&legacy, &mesh, USUAL)?;
    let mut gateway = match Gateway::start(usual, Some(records.clone())).await {
        Ok(gateway) => gateway,
        Err(_) => Gateway::start(prepare(&legacy, &mesh, ANY)?, Some(records))
            .await
            .context("start the gateway")?,
    };
    let shown = stop.run_until_cancelled(at_work(arguments, &mut legacy, &mut mesh, &gateway, seen));
    let result = match shown.await {
        Some(result) => result,
        None if arguments.once => Err(anyhow::anyhow!("interrupted before the first round was over")),
        None => say("").map_err(Into::into),
    };
    // Ctrl-C ends the demo at once; a round that is over has nothing in flight.
    let hurry = CancellationToken::new();
    hurry.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(10), async {
        gateway.withdraw().await;
        gateway.stop(hurry).await
    });
    let stopped = stopped.await;
    legacy.leave().await;
    mesh.leave().await;
    result?;
    stopped.context("the gateway did not stop within 10 s")?;
    Ok(())
}

async fn at_work(
    arguments: &Arguments,
    legacy: &mut LegacyIsland,
    mesh: &mut MeshIsland,
    gateway: &Gateway,
    seen: mpsc::Receiver<crate::worker::AccessRecord>,
) -> anyhow::Result<()> {
    let ports = gateway.ports();
    if let Some(mcp) = ports.mcp {
        mesh.follow(mcp);
    }
    let mut screen = Screen::new();
    screen.head(legacy, mesh, &ports)?;
    let ready = tokio::time::timeout(PATIENCE, Tour::find(legacy, mesh, gateway)).await;
    let found = match ready {
        Ok(found) => found?,
        Err(_) => bail!(
            "after {} s: {}",
            PATIENCE.as_secs(),
            waiting(&gateway.readiness(), legacy, mesh).await
        ),
    };
    let mut tour = Tour::begin(found, seen).await?;
    screen.columns()?;
    let mut failed = 0;
    for crossing in tour.round().await {
        failed += usize::from(!crossing.as_it_should);
        screen.crossing(&crossing)?;
    }
    if failed > 0 {
        bail!("{failed} calls of the first round were not answered as they should be");
    }
    if arguments.once {
        say("every call was answered as it should be")?;
        return Ok(());
    }
    screen.invite(&ports)?;
    loop {
        for crossing in tour.round().await {
            screen.count(&crossing);
        }
        if !screen.summary(gateway)? {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What the islands do not know of each other yet.
async fn waiting(readiness: &Readiness, legacy: &LegacyIsland, mesh: &MeshIsland) -> String {
    let mut missing = readiness.waiting.clone();
    missing.extend(legacy.missing().await);
    missing.extend(mesh.missing());
    if missing.is_empty() {
        missing.push("the gateway does not know every provider yet".to_owned());
    }
    missing.join("; ")
}

/// The gateway's configuration: what a person would write for these islands.
fn prepare(legacy: &LegacyIsland, mesh: &MeshIsland, admin: &str) -> anyhow::Result<Prepared> {
    let text = format!(
        "version: 1\n\
         bridge: {{ installation: demo, replica: demo-0, workers: 2 }}\n\
         legacy:\n- zookeeper: {{ servers: '{}' }}\n\
         mesh:\n- istiod: {{ address: '{}' }}\n  publish: {}\n\
         listeners:\n  dubbo2: {{ bind: '127.0.0.1:0' }}\n  triple: {{ bind: '127.0.0.1:0' }}\n\
         bindings:\n- binding.yaml\n{}\
         migration:\n  stages:\n  - {{ services: 'demo.*', stage: bridge }}\n\
         timeouts: {{ call: 5s, first_view: 30s }}\n\
         drain: {{ propagation: 1s, deadline: 5s }}\n\
         admin: {{ bind: '{}' }}\n",
        legacy.zookeeper(),
        mesh.istiod(),
        mesh.publish(),
        mesh.bindings(),
        admin,
    );
    let config = Config::parse(Source::new("demo.yaml", text), HashMap::new())?;
    let prepared = Prepared::reading(config, &mut |path: &Path| match path.to_str() {
        Some("binding.yaml") => Ok(include_bytes!("demo/binding.yaml").to_vec()),
        Some("shop.proto") => Ok(include_bytes!("demo/shop.proto").to_vec()),
        _ => Err("not part of the demo".to_owned()),
    })?;
    Ok(prepared)
}
