//! Pure: a Directory and our identity to the records we must own, and the difference to what we own.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use codecs::provider_url::ProviderUrl;

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
    /// The suffix of the host names in the mesh (`spec/istio-xds.md` 2.7).
    pub host_suffix: String,
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

/// An Istio ServiceEntry with resolution STATIC and location MESH_INTERNAL (`spec/istio-xds.md` 2.7).
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
