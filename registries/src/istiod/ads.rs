//! The delta ADS client: one stream to istiod, its answers as a view that never goes backwards.
//!
//! Envoy's xDS protocol page ("Incremental xDS") gives the rules of the stream, `state` those of the content.

mod session;
mod state;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::istiod::Config;
use crate::mesh_view::{HostPort, MeshView};
use state::State;

/// A client of one istiod (or of one address in front of several).
#[derive(Debug)]
pub struct AdsClient {
    config: Config,
}

impl AdsClient {
    /// A client; it connects in [`AdsClient::run`].
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Keeps `view` current until its last receiver is gone; dropping the future stops at once.
    ///
    /// `wanted` names hosts to look at besides those below the configured suffixes. The view keeps its last content while
    /// there is no connection, marked so, and its `synced` stays false until CDS, every wanted route and the endpoints of
    /// each cluster they name were received.
    pub async fn run(
        self,
        mut wanted: watch::Receiver<Arc<BTreeSet<HostPort>>>,
        view: watch::Sender<Arc<MeshView>>,
    ) {
        tokio::select! {
            () = view.closed() => {}
            () = self.keep(&mut wanted, &view) => {}
        }
    }

    async fn keep(
        &self,
        wanted: &mut watch::Receiver<Arc<BTreeSet<HostPort>>>,
        view: &watch::Sender<Arc<MeshView>>,
    ) {
        let address = self.config.address.as_str();
        let mut state = State::new(self.config.suffixes.clone());
        let mut back_off = BackOff::default();
        loop {
            let began = Instant::now();
            let error = session::run(&self.config, &mut state, wanted, view).await;
            if began.elapsed() >= BackOff::STABLE {
                back_off = BackOff::default();
            }
            let text = chain(&error);
            if back_off.tries == 0 {
                tracing::info!(address, error = text, "the ADS stream ended");
            } else {
                tracing::warn!(address, error = text, tries = back_off.tries, "no ADS stream");
            }
            state.closed(text, SystemTime::now());
            if let Some(changed) = state.publish(Instant::now()) {
                view.send_replace(Arc::new(changed));
            }
            tokio::time::sleep(back_off.next(fastrand::f64())).await;
        }
    }
}

/// Times between tries to connect: doubling from 10 ms to 15 s, half to one and a half of that.
#[derive(Debug, Default)]
struct BackOff {
    tries: u32,
}

impl BackOff {
    /// A stream that lasted this long was a good one: the next is tried at once.
    const STABLE: Duration = Duration::from_secs(1);
    const FIRST: Duration = Duration::from_millis(10);
    const LAST: Duration = Duration::from_secs(15);

    /// The next time; `random` is in 0..1.
    fn next(&mut self, random: f64) -> Duration {
        let base = Self::FIRST
            .saturating_mul(1 << self.tries.min(16))
            .min(Self::LAST);
        self.tries = self.tries.saturating_add(1);
        base.mul_f64(0.5 + random)
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
