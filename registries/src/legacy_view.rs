//! What the legacy registry says, before it is merged.

use std::sync::Arc;

use codecs::provider_url::ProviderUrl;

use crate::directory::SourceState;
use crate::sharded::Sharded;

/// All interfaces of one legacy registry.
#[derive(Debug, Clone, Default)]
pub struct LegacyView {
    /// By interface name.
    pub interfaces: Sharded<Arc<str>, LegacyInterface>,
    /// How the registry is doing.
    pub state: SourceState,
}

/// What the registry holds of one interface, all groups and versions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LegacyInterface {
    /// The children of `providers`, bridges' own included (`merge` drops them by their marks).
    pub providers: Vec<Arc<ProviderUrl>>,
    /// The children of `configurators`.
    pub configurators: Vec<Arc<ProviderUrl>>,
    /// Leaves that could not be read: text as stored (cut) and why.
    pub refused: Vec<(String, String)>,
}
