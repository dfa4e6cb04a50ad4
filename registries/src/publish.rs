//! Pure: a Directory and our identity to the records we must own, and the difference to what we own.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use codecs::ServiceKey;
use codecs::provider_url::ProviderUrl;

use crate::directory::{Directory, Island, Service, Stage};
use crate::istiod::records;
use crate::zookeeper::paths;

mod direct;
mod hold;
mod provider;

pub use hold::{Hold, LegacyHold, Operation, difference};

/// Who we are, and where the callers of each island reach us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The installation: the same for all replicas that work together.
    pub installation: String,
    /// This replica, unique in its installation.
    pub replica: String,
    /// When this replica's announcements began, in milliseconds since 1970: the `timestamp` and the epoch of every
    /// record. It stays the same as long as the process lives, so that records do.
    pub epoch: u64,
    /// How many bridges stand between a caller and the natives we announce: 1 unless bridges are chained.
    pub hop: u32,
    /// Where legacy callers reach our Dubbo2 listener; `None` where there is none.
    pub legacy: Option<SocketAddr>,
    /// Where mesh callers reach our Triple listener; `None` where there is none.
    pub mesh: Option<SocketAddr>,
}

/// What the operator wants announced, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The shape of the announcements.
    pub shape: Shape,
    /// The root of the legacy registry, `/dubbo`.
    pub legacy_root: String,
    /// The port that mesh callers use, the same for all services.
    pub mesh_port: u16,
    /// The namespaces that may see our services in the mesh; `*` for all.
    pub export_to: Vec<String>,
    /// The SPIFFE identities of the replicas; empty for plain text.
    pub subject_alt_names: Vec<String>,
    /// The `application` of provider URLs where no native tells one.
    pub application: String,
    /// The weight of our provider URLs, at least 1.
    pub weight: u32,
    /// The timeout of our provider URLs where nothing tells one.
    pub timeout: std::time::Duration,
    /// We are istiod's config source (MCP): it opens its ADS port only after we have answered, so while that port is
    /// closed the mesh need not have synced.
    pub mesh_waits: bool,
}

/// How a service is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// With our own address: calls cross through this gateway.
    #[default]
    ViaBridge,
    /// With the natives' addresses, where the protocol fits: no call crosses through this gateway.
    Direct,
}

/// Everything that we must own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// In the legacy registry.
    pub legacy: LegacyRecords,
    /// In the mesh.
    pub mesh: MeshRecords,
}

/// The provider nodes we must own in one legacy registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LegacyRecords {
    /// By the znode's full path below the chroot (`zookeeper::paths::provider` makes it), each with its marks.
    pub providers: BTreeMap<String, ProviderUrl>,
}

/// What we must own in the mesh: by object name, in the one namespace of the registration.
///
/// Deterministic: equal facts give equal records, so that every replica computes the same bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct MeshRecords {
    /// One ServiceEntry per published service.
    pub services: BTreeMap<String, ServiceEntry>,
    /// One WorkloadEntry per replica of the gateway.
    pub workloads: BTreeMap<String, WorkloadEntry>,
}

impl MeshRecords {
    /// The number of objects.
    pub fn len(&self) -> usize {
        self.services.len() + self.workloads.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An Istio ServiceEntry (`networking.istio.io/v1`) with resolution STATIC and location MESH_INTERNAL.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ServiceEntry {
    /// Labels of the object; our marks are among them.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the object.
    pub annotations: BTreeMap<String, String>,
    /// Its one host name.
    pub host: String,
    /// Virtual addresses; usually none.
    pub addresses: Vec<IpAddr>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Selects WorkloadEntries by label; empty when `endpoints` are written instead.
    pub selector: BTreeMap<String, String>,
    /// Endpoints written into the object; empty when `selector` is used.
    pub endpoints: Vec<Workload>,
    /// Namespaces that may see it; empty for all.
    pub export_to: Vec<String>,
    /// Identities a caller accepts, `spiffe://…`.
    pub subject_alt_names: Vec<String>,
}

/// A port of a ServiceEntry.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ServicePort {
    /// Its name, `grpc-tri`.
    pub name: String,
    /// Its number as callers know it.
    pub number: u16,
    /// Istio's protocol name, `GRPC` or `TCP`.
    pub protocol: String,
}

/// An Istio WorkloadEntry: an address that ServiceEntries select.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WorkloadEntry {
    /// Labels of the object; our marks are among them.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the object.
    pub annotations: BTreeMap<String, String>,
    /// The workload.
    pub workload: Workload,
}

/// One address that serves.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Workload {
    /// Its address.
    pub address: IpAddr,
    /// Its port by the name of the service's port; a name left out means the service's own number.
    pub ports: BTreeMap<String, u16>,
    /// Its labels; selectors match these.
    pub labels: BTreeMap<String, String>,
    /// `region/zone/subzone`; empty for none.
    pub locality: String,
    /// Its weight; 0 for none (istiod reads none and 0 as 1).
    pub weight: u32,
}

/// Why there is nothing to announce yet: nothing may be derived, created or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Held {
    /// A source has never been complete.
    #[error("announcements are held: the {0} registry has not synced yet")]
    Unsynced(&'static str),
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            shape: Shape::default(),
            legacy_root: "/dubbo".into(),
            mesh_port: 50051,
            export_to: Vec::new(),
            subject_alt_names: Vec::new(),
            application: "landbridge".into(),
            weight: 100,
            // Dubbo's own default (`DEFAULT_TIMEOUT`).
            timeout: std::time::Duration::from_millis(1000),
            mesh_waits: false,
        }
    }
}

/// Everything that we must own by the facts of a Directory.
///
/// A service in stage `bridge` is announced in an island where it has no native and to which the other island's natives
/// are to be brought; with `standby`, beside natives, too. Stage `observe` announces nothing. Equal facts give equal
/// records, whatever the order in which they came.
///
/// # Errors
///
/// [`Held`] as long as a configured source has not been complete once: no record may be derived from half a view. The one
/// exception is a mesh that itself waits for our records ([`Policy::mesh_waits`]): the two would wait for each other.
pub fn desired(directory: &Directory, policy: &Policy, identity: &Identity) -> Result<Records, Held> {
    for island in [Island::Legacy, Island::Mesh] {
        let source = directory.source(island);
        let waits =
            policy.mesh_waits && island == Island::Mesh && !source.connected && source.error.is_some();
        if source.configured && !source.synced && !waits {
            return Err(Held::Unsynced(island.as_str()));
        }
    }
    let mut records = Records::default();
    for (_, service) in directory.services.iter() {
        if wants(service, Island::Legacy) {
            for url in legacy_urls(service, policy, identity) {
                let path = paths::provider(&policy.legacy_root, service.key.interface(), &url);
                records.legacy.providers.insert(path, url);
            }
        }
        // A service of a catch-all has no host of its own.
        if !service.derived_host.is_empty() && wants(service, Island::Mesh) {
            let entry = mesh_entry(service, &service.derived_host, policy, identity);
            records.mesh.services.extend(entry);
        }
    }
    if let (Shape::ViaBridge, Some(address), false) =
        (policy.shape, identity.mesh, records.mesh.services.is_empty())
    {
        let (name, entry) = records::workload_entry(identity, address, "", policy);
        records.mesh.workloads.insert(name, entry);
    }
    Ok(records)
}

/// Whether a service is to be announced in an island: the other one has natives to bring there, and it has none itself.
fn wants(service: &Service, island: Island) -> bool {
    let has_own = match island {
        // A disabled native is one: an operator switched it off, and not so that we take its place.
        Island::Legacy => service.legacy.is_some(),
        Island::Mesh => service.has_native(Island::Mesh),
    };
    service.stage == Stage::Bridge && service.has_native(island.other()) && (!has_own || service.standby)
}

fn legacy_urls(service: &Service, policy: &Policy, identity: &Identity) -> Vec<ProviderUrl> {
    match policy.shape {
        Shape::ViaBridge => identity
            .legacy
            .and_then(|address| provider::url(service, "dubbo", address, policy, identity))
            .into_iter()
            .collect(),
        Shape::Direct => direct::mesh_addresses(service)
            .into_iter()
            .filter_map(|address| provider::url(service, "tri", address, policy, identity))
            .collect(),
    }
}

fn mesh_entry(
    service: &Service,
    host: &str,
    policy: &Policy,
    identity: &Identity,
) -> Option<(String, ServiceEntry)> {
    // Never two entries for one host: istiod would join their endpoints and take the settings of either.
    let natives = service.mesh.as_ref().filter(|side| side.has_endpoint());
    if natives.is_some_and(|side| &*side.host == host) {
        return None;
    }
    match policy.shape {
        Shape::ViaBridge => {
            identity.mesh?;
            Some(records::service_entry(&service.key, host, identity, policy))
        }
        Shape::Direct => direct::service_entry(service, host, policy, identity),
    }
}

/// The key in words for a record that cannot be written.
fn unwritable(key: &ServiceKey, error: &dyn std::error::Error) {
    tracing::warn!(service = %key, error = %error, "a provider url cannot be written");
}

#[cfg(test)]
mod tests;
