//! Registration by a YAML file in a directory that istiod reads (a `fs://` config source).
//!
//! One file for all objects: istiod reads all or nothing. JSON documents, which YAML takes as they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::istiod::publish::intake::Intake;
use crate::istiod::publish::{HoldPolicy, Registrar, Report, StartError, object};
use crate::publish::MeshRecords;

const FILE: &str = "landbridge.yaml";
const RETRY: Duration = Duration::from_secs(1);

/// Where the file goes.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Config {
    /// The directory; `landbridge.yaml` in it is ours.
    pub directory: PathBuf,
}

/// The writer.
#[derive(Debug)]
pub struct Files {
    directory: PathBuf,
    namespace: String,
    hold: HoldPolicy,
}

impl Files {
    /// Makes the directory; nothing is written yet.
    pub fn start(config: &Config, namespace: &str, hold: HoldPolicy) -> Result<Self, StartError> {
        std::fs::create_dir_all(&config.directory).map_err(|source| StartError::Directory {
            directory: config.directory.display().to_string(),
            source,
        })?;
        Ok(Self {
            directory: config.directory.clone(),
            namespace: namespace.to_owned(),
            hold,
        })
    }
}

impl Registrar for Files {
    async fn run(
        self,
        desired: watch::Receiver<Option<Arc<MeshRecords>>>,
        report: watch::Sender<Arc<Report>>,
    ) {
        let mut intake = Intake::new(desired, self.hold);
        let mut state = Report::default();
        let mut written: Option<String> = None;
        if intake.first().await.is_none() {
            return;
        }
        loop {
            if let Some(admitted) = intake.admit() {
                let text = render(&admitted.records, &self.namespace);
                if written.as_ref() != Some(&text) {
                    match replace(&self.directory.join(FILE), &text).await {
                        Ok(()) => {
                            written = Some(text);
                            state.writes += 1;
                            state.error = None;
                        }
                        Err(error) => {
                            tracing::warn!(directory = %self.directory.display(), %error, "write our records");
                            state.error = Some(format!("write {FILE}: {error}"));
                        }
                    }
                }
                state.in_force = state.error.is_none();
                if state.in_force {
                    state.published = admitted.records.len();
                }
                state.quarantined = admitted.quarantined;
                state.held = admitted.held;
                report.send_replace(Arc::new(state.clone()));
            }
            let retry = state.error.is_some();
            tokio::select! {
                changed = intake.changed() => if changed.is_none() { return },
                () = tokio::time::sleep(RETRY), if retry => {}
            }
        }
    }
}

fn render(records: &MeshRecords, namespace: &str) -> String {
    let mut text = String::from("# Written by Landbridge; changes are lost.\n");
    for value in object::objects(records, namespace).values() {
        text.push_str("---\n");
        text.push_str(&format!("{value:#}\n"));
    }
    text
}

/// Writes beside the file and renames: nobody reads half of it.
async fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // Not .yaml: istiod must not read it.
    let beside = path.with_extension("yaml.tmp");
    tokio::fs::write(&beside, text).await?;
    tokio::fs::rename(&beside, path).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use harness::task::Task;

    use super::*;
    use crate::publish::{ServiceEntry, ServicePort};

    #[tokio::test]
    async fn writes_one_file_when_something_changed() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config {
            directory: directory.path().join("new"),
        };
        let hold = HoldPolicy {
            percent: 100,
            time: Duration::ZERO,
        };
        let files = Files::start(&config, "dubbo", hold).unwrap();
        let (desired, desires) = watch::channel(None);
        let (reports, mut report) = watch::channel(Arc::default());
        let _task = Task::spawn(files.run(desires, reports));
        let service = ServiceEntry {
            labels: BTreeMap::from([(
                "networking.istio.io/enable-autoallocate-ip".into(),
                "false".into(),
            )]),
            host: "a.dubbo".into(),
            ports: vec![ServicePort {
                name: "grpc-tri".into(),
                number: 50051,
                protocol: "GRPC".into(),
            }],
            ..ServiceEntry::default()
        };
        let records = MeshRecords {
            services: BTreeMap::from([("a".to_owned(), service)]),
            workloads: BTreeMap::new(),
        };
        desired.send_replace(Some(Arc::new(records)));
        report.wait_for(|report| report.in_force).await.unwrap();
        let text = std::fs::read_to_string(config.directory.join(FILE)).unwrap();
        let document = text.split("---\n").nth(1).unwrap();
        let value: serde_json::Value = serde_saphyr::from_str(document).unwrap();
        assert_eq!(value["spec"]["hosts"][0], "a.dubbo");
        assert_eq!(
            value["metadata"]["labels"]["networking.istio.io/enable-autoallocate-ip"],
            "false"
        );
        assert_eq!(std::fs::read_dir(&config.directory).unwrap().count(), 1);
        assert_eq!(report.borrow().writes, 1);
        // An empty state is a state: the file says so.
        desired.send_replace(Some(Arc::default()));
        report.wait_for(|report| report.writes == 2).await.unwrap();
        assert!(
            !std::fs::read_to_string(config.directory.join(FILE))
                .unwrap()
                .contains("---")
        );
    }
}
