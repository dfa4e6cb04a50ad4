//! Registration by YAML files in a directory that istiod reads (`spec/istio-xds.md` 1.5).

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::istiod::publish::{HoldPolicy, Registrar, Report, StartError};
use crate::publish::MeshRecords;

/// Where the files go.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Config {
    /// The directory.
    pub directory: PathBuf,
}

/// The writer.
#[derive(Debug)]
pub struct Files;

impl Files {
    /// Makes the directory; nothing is written yet.
    pub fn start(_config: &Config, _namespace: &str, _hold: HoldPolicy) -> Result<Self, StartError> {
        Ok(Self)
    }
}

impl Registrar for Files {
    async fn run(
        self,
        _desired: watch::Receiver<Option<Arc<MeshRecords>>>,
        report: watch::Sender<Arc<Report>>,
    ) {
        report.closed().await;
    }
}
