//! One service or one replica to the object that announces it (facts 33-41 in `tests/peers/istiod/README.md`).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use codecs::ServiceKey;

use crate::istiod::names;
use crate::publish::{Identity, Policy, ServiceEntry, ServicePort, Workload, WorkloadEntry};

/// The canonical name of every gateway's endpoints: the third field of the workload string that EDS carries.
pub const CANONICAL: &str = "landbridge";
/// The name of the port that Triple and gRPC callers use.
pub const TRIPLE_PORT: &str = "grpc-tri";

/// Label: who wrote the object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label: the installation that owns the object; also what our ServiceEntries select WorkloadEntries by.
pub const INSTALLATION: &str = "landbridge.dev/installation";
/// Label of a WorkloadEntry: the replica that owns it.
pub const REPLICA: &str = "landbridge.dev/replica";
/// Label of a WorkloadEntry: when its replica's announcements began, in milliseconds since 1970.
pub const EPOCH: &str = "landbridge.dev/epoch";
/// Label: how many bridges stand between a caller and the natives.
pub const HOP: &str = "landbridge.dev/hop";
/// Annotation: the service key, as Dubbo prints it.
pub const SERVICE_KEY: &str = "landbridge.dev/service-key";

const CANONICAL_NAME: &str = "service.istio.io/canonical-name";
const TLS_MODE: &str = "security.istio.io/tlsMode";
/// istiod would patch an address into every object, and push each time.
const NO_AUTO_ADDRESS: &str = "networking.istio.io/enable-autoallocate-ip";

/// Whose records they are: the installation (all replicas together) and this replica. Labels and object names carry them
/// as DNS labels ([`names::as_label`]).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Owner {
    /// The installation.
    pub installation: String,
    /// The replica.
    pub replica: String,
}

impl From<&Identity> for Owner {
    fn from(identity: &Identity) -> Self {
        Self {
            installation: identity.installation.clone(),
            replica: identity.replica.clone(),
        }
    }
}

/// The ServiceEntry that leads callers of `host` to the gateway's replicas, with its object name.
pub fn service_entry(
    key: &ServiceKey,
    host: &str,
    identity: &Identity,
    policy: &Policy,
) -> (String, ServiceEntry) {
    let entry = ServiceEntry {
        labels: marks(identity),
        annotations: BTreeMap::from([(SERVICE_KEY.into(), key.to_string())]),
        host: host.to_owned(),
        addresses: Vec::new(),
        ports: vec![ServicePort {
            name: TRIPLE_PORT.into(),
            number: policy.mesh_port,
            protocol: "GRPC".into(),
        }],
        selector: BTreeMap::from([(INSTALLATION.into(), names::as_label(&identity.installation))]),
        endpoints: Vec::new(),
        export_to: policy.export_to.clone(),
        subject_alt_names: policy.subject_alt_names.clone(),
    };
    (names::object_name(key, host), entry)
}

/// The WorkloadEntry of one replica, reached at `address`, with its object name.
///
/// `locality` is `region/zone/subzone`, empty for none.
pub fn workload_entry(
    identity: &Identity,
    address: SocketAddr,
    locality: &str,
    policy: &Policy,
) -> (String, WorkloadEntry) {
    let mut labels = BTreeMap::from([
        (CANONICAL_NAME.into(), CANONICAL.into()),
        (INSTALLATION.into(), names::as_label(&identity.installation)),
    ]);
    if !policy.subject_alt_names.is_empty() {
        // Not `serviceAccount`: istiod would form the identity with the record's namespace instead of ours.
        labels.insert(TLS_MODE.into(), "istio".into());
    }
    let mut own = marks(identity);
    own.insert(REPLICA.into(), names::as_label(&identity.replica));
    own.insert(EPOCH.into(), identity.epoch.to_string());
    let entry = WorkloadEntry {
        labels: own,
        annotations: BTreeMap::new(),
        workload: Workload {
            address: address.ip(),
            ports: BTreeMap::from([(TRIPLE_PORT.into(), address.port())]),
            labels,
            locality: locality.to_owned(),
            weight: 0,
        },
    };
    let name = format!(
        "{}-{}",
        names::as_label(&identity.installation),
        names::as_label(&identity.replica)
    );
    (name, entry)
}

fn marks(identity: &Identity) -> BTreeMap<String, String> {
    BTreeMap::from([
        (MANAGED_BY.into(), CANONICAL.into()),
        (INSTALLATION.into(), names::as_label(&identity.installation)),
        (HOP.into(), identity.hop.to_string()),
        (NO_AUTO_ADDRESS.into(), "false".into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_same_of_a_service_on_every_replica() {
        let policy = Policy::default();
        let replica = |name: &str, epoch| Identity {
            installation: "shop".into(),
            replica: name.into(),
            epoch,
            hop: 1,
            legacy: None,
            mesh: None,
        };
        let key: ServiceKey = "gray/com.acme.Orders:1.0.0".parse().unwrap();
        let host = names::host_of(&key, "dubbo");
        let (name, one) = service_entry(&key, &host, &replica("a", 1), &policy);
        let other = service_entry(&key, &host, &replica("b", 2), &policy);
        assert_eq!((&name, &one), (&other.0, &other.1));
        assert_eq!(one.annotations[SERVICE_KEY], "gray/com.acme.Orders:1.0.0");
        let (name, workload) =
            workload_entry(&replica("a", 1), "10.0.0.1:20000".parse().unwrap(), "", &policy);
        assert_eq!(name, "shop-a");
        let (odd, entry) = workload_entry(
            &replica("Host_1.example", 1),
            "10.0.0.1:1".parse().unwrap(),
            "",
            &policy,
        );
        assert!(odd.starts_with("shop-host-1-example-"), "{odd}");
        assert_eq!(
            crate::istiod::publish::validate::workload_entry(&odd, &entry),
            Ok(())
        );
        assert!(
            one.selector
                .iter()
                .all(|(k, v)| workload.workload.labels.get(k) == Some(v))
        );
        assert_eq!(workload.workload.ports["grpc-tri"], 20000);
        assert_eq!(workload.workload.labels[CANONICAL_NAME], CANONICAL);
        assert!(!workload.workload.labels.contains_key(TLS_MODE));
    }
}
