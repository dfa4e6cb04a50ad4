//! From what the registries and the file say to the Directory, and on to what we announce.
//!
//! ```text
//! zookeeper ─► LegacyView ┐
//! istiod    ─► MeshView   ├─ Merger ─► ArcSwap<Directory> ─► watch ─► announcements
//! file      ─► Rules      ┘
//! ```

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use registries::directory::{CatchAll, Directory};
use registries::file;
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
    pub(super) file: watch::Receiver<Option<Arc<file::Facts>>>,
}

/// Keeps `directory` equal to what its sources say, until dropped; `changed` tells each new one.
pub(super) async fn merge(
    mut inputs: Inputs,
    options: Options,
    directory: Arc<ArcSwap<Directory>>,
    changed: watch::Sender<Arc<Directory>>,
) {
    let mut merger = Merger::new(options);
    let mut of_file: Option<Arc<file::Facts>> = None;
    loop {
        // Marked as seen before they are read: what comes while merging is merged next.
        let (legacy, mesh) = (
            inputs.legacy.borrow_and_update().clone(),
            inputs.mesh.borrow_and_update().clone(),
        );
        let rules = inputs.rules.borrow_and_update().clone();
        // Told apart by identity: `moved` has marked a change as seen when it woke us.
        let file = inputs.file.borrow_and_update().clone();
        if let Some(facts) = &file
            && !of_file.as_ref().is_some_and(|last| Arc::ptr_eq(last, facts))
        {
            if facts.any.is_none() {
                // A reload may have taken `*` out of the file.
                merger.set_catch_all(CatchAll::default());
            }
            merger.set_file(facts);
            of_file = file;
        }
        let merged = merger.update(&legacy, &mesh, &rules.bindings, &rules.stages);
        // The old Directory is dropped here, on the control runtime, unless a call's look-up still holds it.
        directory.store(merged.clone());
        changed.send_replace(merged);
        tokio::select! {
            () = moved(&mut inputs.legacy) => {}
            () = moved(&mut inputs.mesh) => {}
            () = moved(&mut inputs.rules) => {}
            () = moved(&mut inputs.file) => {}
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

/// How often the names of the file's upstreams are resolved again: addresses behind a name move.
const RESOLVE: Duration = Duration::from_secs(10);

/// How soon they are when one could not be.
const RESOLVE_AGAIN: Duration = Duration::from_secs(1);

/// Keeps `facts` equal to what the file's names stand for. A name that stands for nothing for a while (a resolver that is
/// down) keeps all last addresses.
pub(super) async fn follow_file(
    mut services: watch::Receiver<Arc<Vec<file::Service>>>,
    facts: watch::Sender<Option<Arc<file::Facts>>>,
) {
    let mut known = None;
    loop {
        let named = services.borrow_and_update().clone();
        let again = match file::resolve(&named).await {
            Ok(found) => {
                let now = Some((Arc::as_ptr(&named) as usize, addresses(&found)));
                if known != now {
                    known = now;
                    facts.send_replace(Some(Arc::new(found)));
                }
                RESOLVE
            }
            Err(error) => {
                let error = crate::telemetry::chain(&error);
                tracing::warn!(error, "cannot resolve an upstream of the file");
                RESOLVE_AGAIN
            }
        };
        tokio::select! {
            // A reload names other services.
            () = moved(&mut services) => {}
            () = tokio::time::sleep(again) => {}
        }
    }
}

/// Whether a Directory knows what the file says.
pub(super) fn covers(directory: &Directory, facts: &file::Facts) -> bool {
    let catch_all = &directory.catch_all;
    facts.services.iter().all(|(key, _)| {
        // A binding alone makes a service known, with no address yet.
        let known = directory.services.get(key);
        known.is_some_and(|service| service.legacy.is_some() || service.mesh.is_some())
    }) && (facts.any.is_none() || catch_all.legacy.is_some() || catch_all.mesh.is_some())
}

/// Every address of the file, to tell whether a name moved.
fn addresses(facts: &file::Facts) -> BTreeSet<(String, SocketAddr)> {
    let named = facts
        .services
        .iter()
        .map(|(key, sides)| (key.to_string(), &**sides));
    let all = named.chain(facts.any.iter().map(|sides| ("*".to_owned(), &**sides)));
    all.flat_map(|(name, sides)| {
        let legacy = sides.legacy.iter().map(|side| &side.cluster);
        let clusters = legacy.chain(sides.mesh.iter().flat_map(|side| &side.clusters));
        let endpoints = clusters.flat_map(|cluster| &cluster.endpoints);
        endpoints
            .map(|endpoint| (name.clone(), endpoint.address))
            .collect::<Vec<_>>()
    })
    .collect()
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

#[cfg(test)]
mod tests {
    use registries::directory::Island;

    use super::*;

    /// The addresses of the file come after the first Directory: a name had to be resolved.
    #[tokio::test]
    async fn a_file_that_comes_late_is_merged() {
        let (_legacy, legacy) = watch::channel(unheard_legacy(false));
        let (_mesh, mesh) = watch::channel(unheard_mesh(false));
        let (_rules, rules) = watch::channel(Arc::default());
        let (tell, file) = watch::channel(None);
        let inputs = Inputs {
            legacy,
            mesh,
            rules,
            file,
        };
        let (told, mut changed) = watch::channel(Arc::default());
        let merging = merge(inputs, Options::default(), Arc::default(), told);
        let late = async {
            changed.changed().await.unwrap();
            let services = file::parse("services: [{service: '*', triple: '127.0.0.1:1'}]").unwrap();
            tell.send_replace(Some(Arc::new(file::resolve(&services).await.unwrap())));
            changed.changed().await.unwrap();
            let any = codecs::ServiceKey::new("a.B", "", "");
            assert!(changed.borrow().find(Island::Legacy, &any).is_some());
        };
        tokio::select! {
            () = merging => {}
            () = late => {}
        }
    }

    /// A binding makes a service known before its addresses are.
    #[tokio::test]
    async fn a_service_without_its_addresses_is_not_covered() {
        let services = file::parse("services: [{service: a.B, triple: '127.0.0.1:1'}]").unwrap();
        let facts = file::resolve(&services).await.unwrap();
        let key = codecs::ServiceKey::new("a.B", "", "");
        let mut directory = Directory::default();
        let bound = registries::directory::Service::new(key.clone());
        directory.services.insert(key, Arc::new(bound));
        assert!(!covers(&directory, &facts));
        let mut merger = Merger::new(Options::default());
        merger.set_file(&facts);
        let legacy = unheard_legacy(false);
        let merged = merger.update(
            &legacy,
            &unheard_mesh(false),
            &Bindings::default(),
            &Stages::default(),
        );
        assert!(covers(&merged, &facts));
    }
}
