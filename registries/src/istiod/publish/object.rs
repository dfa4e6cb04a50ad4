//! Our records as Istio objects: JSON for Kubernetes and files, protobuf for MCP.
