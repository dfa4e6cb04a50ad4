//! Pure: a Directory and our identity to the records we must own, and the difference to what we own.

use std::collections::BTreeMap;

use codecs::provider_url::ProviderUrl;

/// The provider nodes we must own in one legacy registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LegacyRecords {
    /// By the znode's full path below the chroot (`zookeeper::paths::provider` makes it), each with its marks.
    pub providers: BTreeMap<String, ProviderUrl>,
}
