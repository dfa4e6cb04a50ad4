//! Bytes: a gRPC codec that leaves messages alone, and the few messages that xds-api does not have.
//!
//! xds-api is built on prost 0.13 and tonic 0.12; what crosses to tonic 0.14 is bytes only.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

pub(crate) const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
pub(crate) const ENDPOINTS: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
pub(crate) const ROUTES: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
pub(crate) const DELTA: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
pub(crate) const STATE_OF_THE_WORLD: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

/// A codec of messages that are bytes already.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}

/// `envoy.extensions.upstreams.http.v3.HttpProtocolOptions`, as far as it tells HTTP/2 from HTTP/1.
#[derive(Clone, PartialEq, prost013::Message)]
pub(crate) struct HttpProtocolOptions {
    #[prost(message, optional, tag = "3")]
    pub(crate) explicit: Option<ExplicitHttp>,
    #[prost(message, optional, tag = "4")]
    pub(crate) as_downstream: Option<Nothing>,
}

/// `HttpProtocolOptions.ExplicitHttpConfig`.
#[derive(Clone, PartialEq, prost013::Message)]
pub(crate) struct ExplicitHttp {
    #[prost(message, optional, tag = "2")]
    pub(crate) http2: Option<Nothing>,
}

/// A message of which only the presence counts.
#[derive(Clone, PartialEq, prost013::Message)]
pub(crate) struct Nothing {}

type Percent = xds_api::pb::envoy::r#type::v3::FractionalPercent;

/// `envoy.extensions.filters.http.fault.v3.HTTPFault`.
#[derive(Clone, PartialEq, prost013::Message)]
pub(crate) struct HttpFault {
    #[prost(message, optional, tag = "1")]
    pub(crate) delay: Option<FaultDelay>,
    #[prost(message, optional, tag = "2")]
    pub(crate) abort: Option<FaultAbort>,
}

/// `envoy.extensions.filters.common.fault.v3.FaultDelay`.
#[derive(Clone, PartialEq, prost013::Message)]
pub(crate) struct FaultDelay {
    #[prost(message, optional, tag = "3")]
    pub(crate) fixed: Option<xds_api::pb::google::protobuf::Duration>,
    #[prost(message, optional, tag = "4")]
    pub(crate) percentage: Option<Percent>,
}

/// `envoy.extensions.filters.http.fault.v3.FaultAbort`; its error type is a oneof, so at most one status is there.
#[derive(Clone, PartialEq, prost013::Message)]
pub(crate) struct FaultAbort {
    #[prost(uint32, optional, tag = "2")]
    pub(crate) http_status: Option<u32>,
    #[prost(message, optional, tag = "3")]
    pub(crate) percentage: Option<Percent>,
    #[prost(uint32, optional, tag = "5")]
    pub(crate) grpc_status: Option<u32>,
}

/// `istio.mcp.v1alpha1.Resource`.
#[derive(Clone, PartialEq, prost013::Message)]
pub(crate) struct McpResource {
    #[prost(message, optional, tag = "1")]
    pub(crate) metadata: Option<McpMetadata>,
    #[prost(message, optional, tag = "2")]
    pub(crate) body: Option<xds_api::pb::google::protobuf::Any>,
}

/// `istio.mcp.v1alpha1.Metadata`.
#[derive(Clone, PartialEq, prost013::Message)]
pub(crate) struct McpMetadata {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) create_time: Option<xds_api::pb::google::protobuf::Timestamp>,
    #[prost(string, tag = "3")]
    pub(crate) version: String,
    #[prost(btree_map = "string, string", tag = "4")]
    pub(crate) labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "5")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// `istio.networking.v1alpha3.ServiceEntry`.
#[derive(Clone, PartialEq, prost013::Message)]
pub(crate) struct ServiceEntry {
    #[prost(string, repeated, tag = "1")]
    pub(crate) hosts: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(crate) addresses: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) ports: Vec<ServicePort>,
    /// 1: MESH_INTERNAL.
    #[prost(int32, tag = "4")]
    pub(crate) location: i32,
    /// 1: STATIC.
    #[prost(int32, tag = "5")]
    pub(crate) resolution: i32,
    #[prost(message, repeated, tag = "6")]
    pub(crate) endpoints: Vec<WorkloadEntry>,
    #[prost(string, repeated, tag = "7")]
    pub(crate) export_to: Vec<String>,
    #[prost(string, repeated, tag = "8")]
    pub(crate) subject_alt_names: Vec<String>,
    #[prost(message, optional, tag = "9")]
    pub(crate) workload_selector: Option<WorkloadSelector>,
}

/// `istio.networking.v1alpha3.ServicePort`.
#[derive(Clone, PartialEq, prost013::Message)]
pub(crate) struct ServicePort {
    #[prost(uint32, tag = "1")]
    pub(crate) number: u32,
    #[prost(string, tag = "2")]
    pub(crate) protocol: String,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
}

/// `istio.networking.v1alpha3.WorkloadSelector`.
#[derive(Clone, PartialEq, prost013::Message)]
pub(crate) struct WorkloadSelector {
    #[prost(btree_map = "string, string", tag = "1")]
    pub(crate) labels: BTreeMap<String, String>,
}

/// `istio.networking.v1alpha3.WorkloadEntry`.
#[derive(Clone, PartialEq, prost013::Message)]
pub(crate) struct WorkloadEntry {
    #[prost(string, tag = "1")]
    pub(crate) address: String,
    #[prost(btree_map = "string, uint32", tag = "2")]
    pub(crate) ports: BTreeMap<String, u32>,
    #[prost(btree_map = "string, string", tag = "3")]
    pub(crate) labels: BTreeMap<String, String>,
    #[prost(string, tag = "5")]
    pub(crate) locality: String,
    #[prost(uint32, tag = "6")]
    pub(crate) weight: u32,
}
