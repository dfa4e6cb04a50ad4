//! The messages that xds-api does not have, and a gRPC codec for bytes.

use std::collections::HashMap;

use bytes::{Buf, BufMut, Bytes};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Raw;

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

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct McpResource {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<McpMetadata>,
    #[prost(message, optional, tag = "2")]
    pub(super) body: Option<prost_types::Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct McpMetadata {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "3")]
    pub(super) version: String,
    #[prost(map = "string, string", tag = "4")]
    pub(super) labels: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ServiceEntry {
    #[prost(string, repeated, tag = "1")]
    pub(super) hosts: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    pub(super) ports: Vec<ServicePort>,
    #[prost(int32, tag = "5")]
    pub(super) resolution: i32,
    #[prost(message, repeated, tag = "6")]
    pub(super) endpoints: Vec<WorkloadEntry>,
    #[prost(message, optional, tag = "9")]
    pub(super) workload_selector: Option<WorkloadSelector>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ServicePort {
    #[prost(uint32, tag = "1")]
    pub(super) number: u32,
    #[prost(string, tag = "2")]
    pub(super) protocol: String,
    #[prost(string, tag = "3")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WorkloadSelector {
    #[prost(map = "string, string", tag = "1")]
    pub(super) labels: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WorkloadEntry {
    #[prost(string, tag = "1")]
    pub(super) address: String,
    #[prost(map = "string, uint32", tag = "2")]
    pub(super) ports: HashMap<String, u32>,
    #[prost(map = "string, string", tag = "3")]
    pub(super) labels: HashMap<String, String>,
    #[prost(string, tag = "5")]
    pub(super) locality: String,
    #[prost(uint32, tag = "6")]
    pub(super) weight: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HttpProtocolOptions {
    #[prost(message, optional, tag = "3")]
    pub(super) explicit: Option<ExplicitHttp>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ExplicitHttp {
    #[prost(message, optional, tag = "2")]
    pub(super) http2: Option<Nothing>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Nothing {}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HttpFault {
    #[prost(message, optional, tag = "1")]
    pub(super) delay: Option<FaultDelay>,
    #[prost(message, optional, tag = "2")]
    pub(super) abort: Option<FaultAbort>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FaultDelay {
    #[prost(message, optional, tag = "3")]
    pub(super) fixed: Option<prost_types::Duration>,
    #[prost(message, optional, tag = "4")]
    pub(super) percentage: Option<Percent>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FaultAbort {
    #[prost(uint32, optional, tag = "2")]
    pub(super) http_status: Option<u32>,
    #[prost(message, optional, tag = "3")]
    pub(super) percentage: Option<Percent>,
    #[prost(uint32, optional, tag = "5")]
    pub(super) grpc_status: Option<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Percent {
    #[prost(uint32, tag = "1")]
    pub(super) numerator: u32,
    /// 2: per million.
    #[prost(int32, tag = "2")]
    pub(super) denominator: i32,
}
