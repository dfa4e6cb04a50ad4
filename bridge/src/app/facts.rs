//! From what the registries and the file say to the Directory, and on to what we announce.
//!
//! ```text
//! zookeeper ─► LegacyView ┐
//! istiod    ─► MeshView   ├─ Merger ─► ArcSwap<Directory> ─► watch ─► announcements
//! file      ─► Rules      ┘
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use registries::directory::{CatchAll, Directory};
use registries::legacy_view::LegacyView;
use registries::merge::{Bindings, Merger, Options, Stages};
use registries::mesh_view::{HostPort, MeshView};
use tokio::sync::watch;

/// Changes that come within this time are merged once. Consumers of a change wait at most this much longer.
const COALESCE: Duration = Duration::from_millis(20);

/// What the file says that a reload may change.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    /// What pairs the two sides.
    pub(super) bindings: Bindings,
    /// How far each service is.
    pub(super) stages: Stages,
}

/// What the merge reads.
pub(super) struct Inputs {
    pub(super) legacy: watch::Receiver<Arc<LegacyView>>,
    pub(super) mesh: watch::Receiver<Arc<MeshView>>,
    pub(super) rules: watch::Receiver<Arc<Rules>>,
    pub(super) catch_all: watch::Receiver<Arc<CatchAll>>,
}

/// Keeps `directory` equal to what its sources say, until dropped; `changed` tells each new one.
pub(super) async fn merge(
    mut inputs: Inputs,
    options: Options,
    directory: Arc<ArcSwap<Directory>>,
    changed: watch::Sender<Arc<Directory>>,
) {
    let mut merger = Merger::new(options);
    loop {
        // Marked as seen before they are read: what comes while merging is merged next.
        let (legacy, mesh) = (
            inputs.legacy.borrow_and_update().clone(),
            inputs.mesh.borrow_and_update().clone(),
        );
        let rules = inputs.rules.borrow_and_update().clone();
        merger.set_catch_all((**inputs.catch_all.borrow_and_update()).clone());
        let merged = merger.update(&legacy, &mesh, &rules.bindings, &rules.stages);
        // The old Directory is dropped here, on the control runtime, unless a call's look-up still holds it.
        directory.store(merged.clone());
        changed.send_replace(merged);
        tokio::select! {
            () = moved(&mut inputs.legacy) => {}
            () = moved(&mut inputs.mesh) => {}
            () = moved(&mut inputs.rules) => {}
            () = moved(&mut inputs.catch_all) => {}
        }
        tokio::time::sleep(COALESCE).await;
    }
}

/// Waits for a change; for ever where nobody can send one: a registry that is not configured.
async fn moved<T>(source: &mut watch::Receiver<T>) {
    if source.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The hosts that bindings name: istiod is asked for them besides those of the derived names.
pub(super) fn wanted(bindings: &Bindings, port: u16) -> BTreeSet<HostPort> {
    let named = bindings.services.iter().filter_map(|(_, bound)| {
        let host = bound.host.as_ref()?;
        Some(HostPort::new(host, bound.port.unwrap_or(port)))
    });
    let declared = bindings
        .declared
        .iter()
        .map(|(_, host)| HostPort::new(host, port));
    named.chain(declared).collect()
}

/// A view of a registry that is not configured, or not heard yet.
pub(super) fn unheard_legacy(configured: bool) -> Arc<LegacyView> {
    let mut view = LegacyView::default();
    view.state.configured = configured;
    Arc::new(view)
}

/// The same for a mesh.
pub(super) fn unheard_mesh(configured: bool) -> Arc<MeshView> {
    let mut view = MeshView::default();
    view.state.configured = configured;
    Arc::new(view)
}
