//! Java names for protobuf services, methods, messages and enums.

/// The binding of one service: its methods and their compiled plans.
#[derive(Debug)]
pub struct ServiceBinding {}
