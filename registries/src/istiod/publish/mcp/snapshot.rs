//! One desired state as istiod gets it: the same bytes from every replica, and after every reconnect.

use std::collections::BTreeMap;

use prost013::Message as _;
use sha2::{Digest, Sha256};
use xds_api::pb::envoy::service::discovery::v3::DiscoveryResponse;
use xds_api::pb::google::protobuf::{Any, Timestamp};

use crate::istiod::publish::object::{self, Kind};
use crate::istiod::wire::{McpMetadata, McpResource};
use crate::publish::MeshRecords;

const RESOURCE: &str = "type.googleapis.com/istio.mcp.v1alpha1.Resource";
/// 2100-01-01. The oldest object wins a host that several namespaces claim, and one without a time counts as 1970: ours
/// must never win a host from anybody.
const CREATED: i64 = 4_102_444_800;

/// What every kind is answered with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    services: Answer,
    workloads: Answer,
    nothing: Answer,
}

/// The whole truth of one kind: its version, and resources and version encoded as fields of a response.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) version: String,
    fields: Vec<u8>,
}

impl Snapshot {
    pub(super) fn new(records: &MeshRecords, namespace: &str) -> Self {
        let services = records.services.iter().map(|(name, entry)| {
            let body = object::service_message(entry).encode_to_vec();
            resource(
                Kind::ServiceEntry,
                namespace,
                name,
                &entry.labels,
                &entry.annotations,
                body,
            )
        });
        let workloads = records.workloads.iter().map(|(name, entry)| {
            let body = object::workload_message(entry).encode_to_vec();
            resource(
                Kind::WorkloadEntry,
                namespace,
                name,
                &entry.labels,
                &entry.annotations,
                body,
            )
        });
        Self {
            services: Answer::new(services.collect()),
            workloads: Answer::new(workloads.collect()),
            nothing: Answer::new(Vec::new()),
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.services.version == other.services.version && self.workloads.version == other.workloads.version
    }

    /// The answer of a kind; of one that is not ours, nothing.
    pub(super) fn answer(&self, kind: &str) -> &Answer {
        match kind {
            "ServiceEntry" => &self.services,
            "WorkloadEntry" => &self.workloads,
            _ => &self.nothing,
        }
    }

    /// The kinds that carry something.
    pub(super) fn kinds() -> [&'static str; 2] {
        Kind::ALL.map(Kind::name)
    }
}

impl Answer {
    fn new(resources: Vec<Any>) -> Self {
        let mut digest = Sha256::new();
        for resource in &resources {
            // Each is preceded by its length: two lists never have the same text.
            digest.update(resource.value.len().to_be_bytes());
            digest.update(&resource.value);
        }
        let version = hex(&digest.finalize());
        let fields = DiscoveryResponse {
            version_info: version.clone(),
            resources,
            ..DiscoveryResponse::default()
        };
        Self {
            fields: fields.encode_to_vec(),
            version,
        }
    }

    /// The response, under the type as it was asked for. Fields of a message may come in any order.
    pub(super) fn response(&self, type_url: &str, nonce: &str) -> Vec<u8> {
        let rest = DiscoveryResponse {
            type_url: type_url.to_owned(),
            nonce: nonce.to_owned(),
            ..DiscoveryResponse::default()
        };
        let mut bytes = self.fields.clone();
        bytes.extend_from_slice(&rest.encode_to_vec());
        bytes
    }
}

fn resource(
    kind: Kind,
    namespace: &str,
    name: &str,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
    body: Vec<u8>,
) -> Any {
    let body = Any {
        // The proto package of all releases, whatever version was asked for.
        type_url: format!("type.googleapis.com/istio.networking.v1alpha3.{}", kind.name()),
        value: body,
    };
    let mut resource = McpResource {
        metadata: Some(McpMetadata {
            name: format!("{namespace}/{name}"),
            create_time: Some(Timestamp {
                seconds: CREATED,
                nanos: 0,
            }),
            version: String::new(),
            labels: labels.clone(),
            annotations: annotations.clone(),
        }),
        body: Some(body),
    };
    // istiod takes an update only when this differs, so it covers everything else.
    let version = hex(&Sha256::digest(resource.encode_to_vec()));
    if let Some(metadata) = &mut resource.metadata {
        metadata.version = version;
    }
    Any {
        type_url: RESOURCE.to_owned(),
        value: resource.encode_to_vec(),
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
