//! Who may do what with a node.

use base64::Engine as _;

use super::jute::{Input, Malformed, Output};

pub(crate) const READ: i32 = 1;
pub(crate) const WRITE: i32 = 2;
pub(crate) const CREATE: i32 = 4;
pub(crate) const DELETE: i32 = 8;
pub(crate) const ADMIN: i32 = 16;
pub(crate) const ALL: i32 = 31;

/// One right: permission bits for an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// `READ` 1, `WRITE` 2, `CREATE` 4, `DELETE` 8, `ADMIN` 16.
    pub permissions: i32,
    /// `world`, `digest`, `ip`, or when creating `auth`.
    pub scheme: String,
    /// The identity in the scheme.
    pub id: String,
}

impl Right {
    /// Everybody may do everything.
    pub fn open() -> Vec<Self> {
        vec![Self {
            permissions: ALL,
            scheme: "world".to_owned(),
            id: "anyone".to_owned(),
        }]
    }

    /// Only this user of the `digest` scheme may do everything.
    pub fn only(user: &str, password: &str) -> Vec<Self> {
        vec![Self {
            permissions: ALL,
            scheme: "digest".to_owned(),
            id: digest(&format!("{user}:{password}")),
        }]
    }

    pub(crate) fn read(input: &mut Input<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            permissions: input.int()?,
            scheme: input.text()?,
            id: input.text()?,
        })
    }

    pub(crate) fn write(&self, output: Output) -> Output {
        output.int(self.permissions).text(&self.scheme).text(&self.id)
    }
}

/// An identity of a connection: scheme and id.
pub(crate) type Identity = (String, String);

/// The ACL to store for one that a request gives: `auth` becomes the connection's identities. `None` where it is invalid.
pub(crate) fn resolve(given: Vec<Right>, identities: &[Identity]) -> Option<Vec<Right>> {
    let mut rights = Vec::new();
    for right in given {
        match right.scheme.as_str() {
            "auth" => {
                let before = rights.len();
                rights.extend(identities.iter().filter(|(scheme, _)| scheme == "digest").map(
                    |(scheme, id)| Right {
                        permissions: right.permissions,
                        scheme: scheme.clone(),
                        id: id.clone(),
                    },
                ));
                if rights.len() == before {
                    return None;
                }
            }
            "world" if right.id == "anyone" => rights.push(right),
            "digest" if right.id.contains(':') => rights.push(right),
            "ip" => rights.push(right),
            _ => return None,
        }
    }
    (!rights.is_empty()).then_some(rights)
}

/// Whether one of the identities has one of the permissions.
pub(crate) fn allows(rights: &[Right], permissions: i32, identities: &[Identity]) -> bool {
    rights
        .iter()
        .filter(|right| right.permissions & permissions != 0)
        .any(|right| {
            right.scheme == "world"
                || identities
                    .iter()
                    .any(|(scheme, id)| *scheme == right.scheme && *id == right.id)
        })
}

/// The id of the `digest` scheme for `user:password`: the user, and the SHA-1 of both.
pub(crate) fn digest(identity: &str) -> String {
    let user = identity.split(':').next().unwrap_or_default();
    let hash = base64::engine::general_purpose::STANDARD.encode(sha1(identity.as_bytes()));
    format!("{user}:{hash}")
}

/// SHA-1 (RFC 3174); ZooKeeper's `digest` scheme prescribes it.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    let mut hash: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded.chunks_exact(64) {
        let mut words = [0_u32; 80];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes.iter().fold(0, |word, byte| (word << 8) | u32::from(*byte));
        }
        for at in 16..80 {
            words[at] = (words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = hash;
        for (at, word) in words.into_iter().enumerate() {
            let (mixed, constant) = match at {
                0..20 => ((b & c) | (!b & d), 0x5a82_7999),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = [a.rotate_left(5), mixed, e, constant, word]
                .into_iter()
                .fold(0, u32::wrapping_add);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, value) in hash.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(value);
        }
    }
    let mut bytes = [0; 20];
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(hash) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_zookeeper_does() {
        // RFC 3174's first vector, and the id that ZooKeeper's DigestAuthenticationProvider prints for super:test.
        assert_eq!(sha1(b"abc")[..4], [0xa9, 0x99, 0x3e, 0x36]);
        assert_eq!(digest("super:test"), "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
    }

    #[test]
    fn auth_becomes_the_connections_identities() {
        let auth = vec![Right {
            permissions: ALL,
            scheme: "auth".to_owned(),
            id: String::new(),
        }];
        assert_eq!(resolve(auth.clone(), &[]), None);
        let me = vec![("digest".to_owned(), digest("u:p"))];
        let rights = resolve(auth, &me).unwrap();
        assert!(allows(&rights, READ, &me));
        assert!(!allows(
            &rights,
            READ,
            &[("digest".to_owned(), digest("u:wrong"))]
        ));
    }
}
