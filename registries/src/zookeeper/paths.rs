//! Every znode path we read or write, and what a path means (Dubbo's `ZookeeperRegistry`).

use codecs::provider_url::ProviderUrl;

/// The category of provider URLs.
pub const PROVIDERS: &str = "providers";
/// The category of `override://` URLs.
pub const CONFIGURATORS: &str = "configurators";

/// Children of the root that are no interfaces: config center, metadata center, mapping.
const RESERVED: [&str; 3] = ["config", "metadata", "mapping"];

/// Whether a child of the root can be an interface.
pub fn is_interface(name: &str) -> bool {
    !name.is_empty() && !RESERVED.contains(&name)
}

/// The directory of one category of an interface.
pub fn category(root: &str, interface: &str, category: &str) -> String {
    format!("{root}/{interface}/{category}")
}

/// The node of a provider URL: `/dubbo/com.acme.Orders/providers/dubbo%3A%2F%2F…`.
pub fn provider(root: &str, interface: &str, url: &ProviderUrl) -> String {
    format!("{root}/{interface}/{PROVIDERS}/{}", url.znode())
}

/// The directory of the metadata center.
pub fn metadata(root: &str) -> String {
    format!("{root}/metadata")
}

/// A name of a node as it was before it was encoded for its path.
pub fn decoded(name: &str) -> String {
    percent_encoding::percent_decode_str(name)
        .decode_utf8_lossy()
        .into_owned()
}

/// What stands before the last `/`, and what after it; the parent of a node and its name.
pub fn split(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once('/')
        .filter(|(parent, name)| !parent.is_empty() && !name.is_empty())
}

/// What a change of a path touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// The root itself.
    Root,
    /// An interface that we read: its directory, or its providers or configurators.
    Interface(&'a str),
    /// Consumers, routers, metadata: nothing that we read.
    Other,
}

/// What a change of `path` touches, below `root`.
pub fn place<'a>(root: &str, path: &'a str) -> Place<'a> {
    let Some(below) = path.strip_prefix(root) else {
        return Place::Other;
    };
    if below.is_empty() {
        return Place::Root;
    }
    let Some(below) = below.strip_prefix('/') else {
        return Place::Other;
    };
    let mut parts = below.splitn(3, '/');
    let interface = parts.next().unwrap_or_default();
    if !is_interface(interface) {
        return Place::Other;
    }
    match parts.next() {
        None | Some(PROVIDERS | CONFIGURATORS) => Place::Interface(interface),
        Some(_) => Place::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_a_change_touches() {
        let rows = [
            ("/dubbo", Place::Root),
            ("/dubbo/a.B", Place::Interface("a.B")),
            ("/dubbo/a.B/providers", Place::Interface("a.B")),
            ("/dubbo/a.B/providers/dubbo%3A", Place::Interface("a.B")),
            ("/dubbo/a.B/configurators/x", Place::Interface("a.B")),
            ("/dubbo/a.B/consumers/x", Place::Other),
            ("/dubbo/a.B/routers", Place::Other),
            ("/dubbo/metadata/a.B/providers", Place::Other),
            ("/dubbo/config", Place::Other),
            ("/dubbo/mapping/a.B", Place::Other),
            ("/dubbo2/a.B", Place::Other),
            ("/other", Place::Other),
        ];
        for (path, expected) in rows {
            assert_eq!(place("/dubbo", path), expected, "{path}");
        }
    }

    #[test]
    fn names_a_provider_node() {
        let url: ProviderUrl = "dubbo://h:1/a.B?x=1".parse().unwrap();
        let path = provider("/dubbo", "a.B", &url);
        assert_eq!(path, "/dubbo/a.B/providers/dubbo%3A%2F%2Fh%3A1%2Fa.B%3Fx%3D1");
        assert_eq!(split(&path), Some(("/dubbo/a.B/providers", url.znode().as_str())));
        assert_eq!(split("/dubbo"), None);
    }
}
