//! Services, endpoints and routes written in YAML: a source for gateways without a registry.
