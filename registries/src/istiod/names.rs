//! The host name of a Dubbo service in the mesh: readable, lower case, and one to one.
//!
//! `lower(interface)[.g-<group>][.v-<version>].<suffix>`. Where that says less than the key (a character was replaced,
//! a label was cut, two keys fold together) the label carries eight hex digits of the key's SHA-256.

use std::collections::{BTreeMap, BTreeSet};

use codecs::ServiceKey;
use sha2::{Digest, Sha256};

const LABEL: usize = 63;
const HOST: usize = 253;
/// `-` and eight digits.
const MARK: usize = 9;

/// The host name of a key when no other key folds to the same name.
pub fn host_of(key: &ServiceKey, suffix: &str) -> String {
    render(key, suffix, false)
}

/// The host names of all keys: each distinct, each a function of the set and not of its order.
///
/// Keys whose names fold together all get the mark; the other names stay as [`host_of`] gives them.
pub fn hosts<'a>(
    keys: impl IntoIterator<Item = &'a ServiceKey>,
    suffix: &str,
) -> BTreeMap<ServiceKey, String> {
    let keys: BTreeSet<&ServiceKey> = keys.into_iter().collect();
    let mut by_host: BTreeMap<String, Vec<&ServiceKey>> = BTreeMap::new();
    for key in keys {
        by_host.entry(host_of(key, suffix)).or_default().push(key);
    }
    let mut hosts = BTreeMap::new();
    for (host, keys) in by_host {
        match keys.as_slice() {
            [key] => {
                hosts.insert((*key).clone(), host);
            }
            many => hosts.extend(many.iter().map(|key| ((*key).clone(), render(key, suffix, true)))),
        }
    }
    hosts
}

/// The name of the object that announces a key at `host`: the host with dashes, then eight digits of the key's hash.
pub fn object_name(key: &ServiceKey, host: &str) -> String {
    let mut name: String = host
        .chars()
        .map(|c| if c == '.' { '-' } else { c })
        .take(HOST - MARK)
        .collect();
    name.truncate(name.trim_end_matches('-').len());
    format!("{name}-{}", mark(key))
}

/// The suffix under which a host is one of the derived names, if it is: `suffixes` are looked at in order.
pub fn suffix_of<'s>(host: &str, suffixes: &'s [String]) -> Option<&'s str> {
    suffixes.iter().map(String::as_str).find(|suffix| {
        host.strip_suffix(suffix)
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    })
}

/// A text as a DNS label: itself where it is one, else what can be kept of it and eight digits of its hash.
pub fn as_label(text: &str) -> String {
    if is_label(text) {
        return text.to_owned();
    }
    let kept = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let body: String = text
        .chars()
        .map(kept)
        .skip_while(|c| *c == '-')
        .take(LABEL - MARK)
        .collect();
    let body = body.trim_end_matches('-');
    let digest = Sha256::digest(text.as_bytes());
    let mark: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    if body.is_empty() {
        format!("x-{mark}")
    } else {
        format!("{body}-{mark}")
    }
}

/// Whether a text is a DNS label of RFC 1123, lower case.
pub fn is_label(text: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= LABEL
        && edge(text.bytes().next())
        && edge(text.bytes().last())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whether a text is a host name that Istio takes: DNS labels, the last one not all digits.
pub fn is_host(text: &str) -> bool {
    text.len() <= HOST
        && text.split('.').all(is_label)
        && text
            .rsplit('.')
            .next()
            .is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()))
}

fn render(key: &ServiceKey, suffix: &str, collides: bool) -> String {
    let mut labels: Vec<String> = Vec::new();
    for part in key.interface().split('.') {
        // Folding case is the rule, not a loss: keys that differ in nothing else are told apart by `hosts`.
        labels.push(label("", part, &part.to_ascii_lowercase(), key));
    }
    if !key.group().is_empty() {
        labels.push(label("g-", key.group(), key.group(), key));
    }
    if !key.version().is_empty() {
        labels.push(label("v-", key.version(), &key.version().replace('.', "-"), key));
    }
    if collides && let Some(last) = labels.last_mut() {
        *last = marked(last, key);
    }
    let host = format!("{}.{suffix}", labels.join("."));
    if host.len() <= HOST {
        return host;
    }
    // Too long in all: the interface's own name is what people look for.
    let simple = key.interface().rsplit('.').next().unwrap_or_default();
    let simple = label("", simple, &simple.to_ascii_lowercase(), key);
    format!("{}.{suffix}", marked(&simple, key))
}

/// One label: `prefix` and `text` with every character that a label cannot hold replaced; marked when that lost something.
fn label(prefix: &str, original: &str, text: &str, key: &ServiceKey) -> String {
    let mut lossy = text.is_empty();
    let mut out = String::with_capacity(prefix.len() + text.len());
    out.push_str(prefix);
    for c in text.chars() {
        let folded = c.to_ascii_lowercase();
        let kept = folded.is_ascii_lowercase() || folded.is_ascii_digit() || folded == '-';
        lossy |= !kept || folded != c;
        out.push(if kept { folded } else { '-' });
    }
    // "1-0" and "1.0" both fold to "1-0": the version that was written with a dash says so.
    lossy |= prefix == "v-" && original.contains('-');
    lossy |= !out.starts_with(|c: char| c != '-') || out.ends_with('-') || out.len() > LABEL;
    if lossy { marked(&out, key) } else { out }
}

fn marked(label: &str, key: &ServiceKey) -> String {
    let end = format!("-{}", mark(key));
    if label.ends_with(&end) {
        return label.to_owned();
    }
    let body: String = label.trim_start_matches('-').chars().take(LABEL - MARK).collect();
    let body = body.trim_end_matches('-');
    let body = if body.is_empty() { "x" } else { body };
    format!("{body}{end}")
}

fn mark(key: &ServiceKey) -> String {
    let digest = Sha256::digest(key.to_string().as_bytes());
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> ServiceKey {
        text.parse().unwrap()
    }

    #[test]
    fn follows_the_table_of_the_spec() {
        for (text, host) in [
            (
                "org.apache.dubbo.demo.DemoService",
                "org.apache.dubbo.demo.demoservice.dubbo",
            ),
            (
                "org.apache.dubbo.demo.DemoService:1.0.0",
                "org.apache.dubbo.demo.demoservice.v-1-0-0.dubbo",
            ),
            (
                "gray/org.apache.dubbo.demo.DemoService:1.0.0",
                "org.apache.dubbo.demo.demoservice.g-gray.v-1-0-0.dubbo",
            ),
        ] {
            assert_eq!(host_of(&key(text), "dubbo"), host);
        }
    }

    #[test]
    fn marks_what_it_cannot_say() {
        let plain = host_of(&key("a.B:1.0"), "dubbo");
        for text in [
            "a.B:1-0",
            "a.B:1_0",
            "Gray/a.B",
            "gr%ay/a.B",
            "a.B$Inner",
            "a._B",
            "a.B-",
        ] {
            let host = host_of(&key(text), "dubbo");
            assert!(is_host(&host), "{text}: {host}");
            assert_ne!(host, plain, "{text}");
        }
        assert_eq!(plain, "a.b.v-1-0.dubbo");
        let long = format!("com.acme.{}", "VeryLongName".repeat(9));
        let host = host_of(&key(&long), "dubbo");
        assert!(is_host(&host) && host.starts_with("com.acme.verylong"), "{host}");
        let host = host_of(
            &key("some.package.name.".repeat(20).trim_end_matches('.')),
            "dubbo",
        );
        assert!(is_host(&host) && host.starts_with("name-"), "{host}");
    }

    #[test]
    fn tells_keys_apart_that_differ_by_case_only() {
        let keys = [key("a.Orders"), key("a.ORDERS"), key("a.Users")];
        let hosts = hosts(&keys, "dubbo");
        assert_eq!(hosts[&keys[2]], "a.users.dubbo");
        assert_ne!(hosts[&keys[0]], hosts[&keys[1]]);
        assert!(hosts[&keys[0]].starts_with("a.orders-"), "{hosts:?}");
    }

    #[test]
    fn makes_labels_of_any_text() {
        assert_eq!(as_label("landbridge-0"), "landbridge-0");
        for text in ["", "Host_1.example", "--", "é", &"a".repeat(300)] {
            let label = as_label(text);
            assert!(is_label(&label), "{text}: {label}");
        }
        assert!(as_label("Host_1.example").starts_with("host-1-example-"));
        assert_ne!(as_label("A"), as_label("a_"));
    }

    #[test]
    fn names_objects() {
        let key = key("org.apache.dubbo.demo.DemoService");
        let name = object_name(&key, &host_of(&key, "dubbo"));
        assert!(
            name.starts_with("org-apache-dubbo-demo-demoservice-dubbo-"),
            "{name}"
        );
        assert_eq!(name.len(), "org-apache-dubbo-demo-demoservice-dubbo-".len() + 8);
    }

    #[test]
    fn finds_the_suffix() {
        let suffixes = ["dubbo".to_owned(), "legacy.local".to_owned()];
        assert_eq!(suffix_of("a.b.dubbo", &suffixes), Some("dubbo"));
        assert_eq!(suffix_of("a.legacy.local", &suffixes), Some("legacy.local"));
        assert_eq!(suffix_of("a.bdubbo", &suffixes), None);
        assert_eq!(suffix_of("dubbo", &suffixes), None);
        assert_eq!(suffix_of(".dubbo", &suffixes), None);
    }

    proptest! {
        #[test]
        fn is_always_a_host_and_never_shared(
            parts in proptest::collection::vec("[a-zA-Z_$][a-zA-Z0-9_$-]{0,80}", 1..6),
            groups in proptest::collection::vec("[!-~]{0,12}", 1..4),
            versions in proptest::collection::vec("[0-9.a-zA-Z_-]{0,8}", 1..4),
        ) {
            let keys: BTreeSet<ServiceKey> = groups
                .iter()
                .flat_map(|g| versions.iter().map(|v| ServiceKey::new(parts.join("."), g.as_str(), v.as_str())))
                .collect();
            let hosts = hosts(&keys, "dubbo");
            prop_assert_eq!(hosts.len(), keys.len());
            let distinct: BTreeSet<&String> = hosts.values().collect();
            prop_assert_eq!(distinct.len(), keys.len(), "{:?}", hosts);
            for (key, host) in &hosts {
                prop_assert!(is_host(host), "{host}");
                let object = object_name(key, host);
                prop_assert!(object.len() <= HOST && object.split('.').all(|l| !l.is_empty()), "{object}");
            }
        }
    }
}
