//! `dubbo://…` as stored in a znode.

/// A provider URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderUrl {}
