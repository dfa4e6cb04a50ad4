//! What stands in the file as text: durations, sizes, addresses, secrets. Each refuses what it is not, at its place.

use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A length of time, written `250ms`, `30s`, `5m` or `1h`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Time {
    /// Of so many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// Of so many seconds.
    pub const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("{text:?} is not a time (expected a whole number and ms, s, m or h, as in 250ms)");
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| refused())?;
        let millis = match unit {
            "ms" => Some(number),
            "s" => number.checked_mul(1_000),
            "m" => number.checked_mul(60_000),
            "h" => number.checked_mul(3_600_000),
            _ => None,
        };
        // A day bounds every time in the file: what is longer is a slip of the unit.
        match millis {
            Some(millis) if millis <= 86_400_000 => Ok(Self::millis(millis)),
            Some(_) => Err(format!("{text:?} is longer than a day")),
            None => Err(refused()),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match millis {
            0 => f.write_str("0s"),
            _ if millis.is_multiple_of(3_600_000) => write!(f, "{}h", millis / 3_600_000),
            _ if millis.is_multiple_of(60_000) => write!(f, "{}m", millis / 60_000),
            _ if millis.is_multiple_of(1_000) => write!(f, "{}s", millis / 1_000),
            _ => write!(f, "{millis}ms"),
        }
    }
}

/// A number of bytes, written `512`, `64KiB`, `16MiB` or `1GiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("{text:?} is not a size (expected a whole number, or one and KiB, MiB or GiB)");
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let number: u64 = number.parse().map_err(|_| refused())?;
        let factor = match unit.trim_start() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(refused()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(refused)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0"),
            n if n.is_multiple_of(1 << 30) => write!(f, "{}GiB", n >> 30),
            n if n.is_multiple_of(1 << 20) => write!(f, "{}MiB", n >> 20),
            n if n.is_multiple_of(1 << 10) => write!(f, "{}KiB", n >> 10),
            n => write!(f, "{n}"),
        }
    }
}

/// An address to listen on: an IP address and a port, `0.0.0.0:20880` or `[::]:20880`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bind(pub SocketAddr);

impl FromStr for Bind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = text
            .strip_prefix("localhost:")
            .map(|port| format!("127.0.0.1:{port}"));
        address.as_deref().unwrap_or(text).parse().map(Self).map_err(|_| {
            format!("{text:?} is not an address to listen on (expected IP:PORT, as in 0.0.0.0:20880)")
        })
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A peer's address: a host name or an IP address, and a port.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// The name or address, without brackets.
    pub host: String,
    /// The port, not 0.
    pub port: u16,
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is not an address (expected HOST:PORT)");
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        let port: u16 = port.parse().map_err(|_| refused())?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let fits = match bare {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(named),
        };
        if port == 0 || !fits {
            return Err(refused());
        }
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port,
        })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A password or token: neither `Debug`, `Display` nor serialization shows it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one who must send it or compare it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"(hidden)\"")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(hidden)")
    }
}

/// Reads a scalar, text or number, by its `FromStr`.
fn from_text<'de, D, T>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = String>,
{
    struct Text<T>(&'static str, std::marker::PhantomData<T>);
    impl<T: FromStr<Err = String>> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(|problem: String| refuse(text, problem))
        }
    }
    deserializer.deserialize_str(Text(expected, std::marker::PhantomData))
}

thread_local! {
    /// What was refused last, and why, word for word: see [`refuse`].
    static REFUSED: Cell<Option<(String, String)>> = const { Cell::new(None) };
}

/// The error that a text is not what it should be.
///
/// The YAML reader keeps filled-in values out of messages, and cannot tell which ones: it replaces every text that looks like
/// one of any value above, or gives up on the whole message. What was said is kept beside, for [`refused`].
pub(crate) fn refuse<E: serde::de::Error>(text: &str, problem: impl Into<String>) -> E {
    let problem = problem.into();
    REFUSED.set(Some((text.to_owned(), problem.clone())));
    E::custom(problem)
}

/// The last [`refuse`] of this thread: the text, and what was said of it.
pub(crate) fn refused() -> Option<(String, String)> {
    REFUSED.take()
}

macro_rules! text_in_the_file {
    ($($type:ty: $expected:literal),* $(,)?) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                from_text(deserializer, $expected)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

text_in_the_file! {
    Time: "a time, as in 250ms",
    Size: "a size, as in 16MiB",
    Bind: "an address to listen on, as in 0.0.0.0:20880",
    HostPort: "an address, as in host:2181",
}

/// What stands in the file, as it is.
struct Words(String);

impl FromStr for Words {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

/// A whole number of a key, within its range.
pub(crate) fn whole<'de, D, T>(
    deserializer: D,
    key: &'static str,
    range: RangeInclusive<T>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr + PartialOrd + fmt::Display,
{
    let parse = |text: &str| text.parse().map_err(|_| None);
    within(deserializer, "a whole number", key, range, parse)
}

/// A time or size of a key, within its range.
pub(crate) fn bounded<'de, D, T>(
    deserializer: D,
    key: &'static str,
    range: RangeInclusive<T>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = String> + PartialOrd + fmt::Display,
{
    let parse = |text: &str| text.parse().map_err(Some);
    within(deserializer, "a number with its unit", key, range, parse)
}

/// A value within its range. What does not parse and has no problem of its own to tell is out of range as well.
fn within<'de, D, T>(
    deserializer: D,
    expected: &'static str,
    key: &str,
    range: RangeInclusive<T>,
    parse: impl FnOnce(&str) -> Result<T, Option<String>>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: PartialOrd + fmt::Display,
{
    let Words(text) = from_text(deserializer, expected)?;
    let problem = match parse(&text) {
        Ok(value) if range.contains(&value) => return Ok(value),
        Ok(_) | Err(None) => {
            let (least, most) = (range.start(), range.end());
            format!("{text:?} is out of range for `{key}` (expected {least} to {most})")
        }
        Err(Some(problem)) => problem,
    };
    Err(refuse(&text, problem))
}

/// A name that must not be empty.
pub(crate) fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let Words(text) = from_text(deserializer, "a name")?;
    if text.is_empty() {
        return Err(refuse(&text, "\"\" is no name"));
    }
    Ok(text)
}

/// A text that may be left empty for "none": what a `${NAME:-}` without a value gives.
pub fn empty_is_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = String>,
{
    match Option::<String>::deserialize(deserializer)?.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|problem: String| refuse(text, problem)),
    }
}

/// Peers' addresses: one, several with commas between, or a list. Empty texts are left out, so that a `${NAME:-}` without
/// a value is no address.
pub fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HostPort>, D::Error> {
    struct Addresses;
    impl<'de> Visitor<'de> for Addresses {
        type Value = Vec<HostPort>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("HOST:PORT, several with commas between, or a list")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            text.split(',')
                .map(str::trim)
                .filter(|address| !address.is_empty())
                .map(|address| {
                    address
                        .parse()
                        .map_err(|problem: String| refuse(address, problem))
                })
                .collect()
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut addresses = Vec::new();
            while let Some(address) = list.next_element()? {
                addresses.push(address);
            }
            Ok(addresses)
        }
    }
    deserializer.deserialize_any(Addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
        ] {
            let time: Time = text.parse().unwrap();
            assert_eq!((time, time.to_string()), (Time::millis(millis), text.to_owned()));
        }
        for text in [
            "",
            "5",
            "5 s",
            "1.5s",
            "-1s",
            "25h",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("512", 512),
            ("64KiB", 65_536),
            ("16MiB", 1 << 24),
            ("1GiB", 1 << 30),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size, size.to_string()), (Size(bytes), text.to_owned()));
        }
        for text in ["", "1MB", "KiB", "-1", "18446744073709551615KiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses() {
        assert_eq!("localhost:0".parse(), Ok(Bind(([127, 0, 0, 1], 0).into())));
        assert!("20880".parse::<Bind>().is_err());
        for text in ["zk-1.acme:2181", "10.0.0.1:1", "[::1]:2181"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        for text in ["host", "host:0", ":1", "ho st:1", "::1:2181", "http://host:1"] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_stay_hidden() {
        let secret: Secret = serde_saphyr::from_str("hunter2").unwrap();
        assert_eq!(secret.reveal(), "hunter2");
        assert!(!format!("{secret:?}{}", serde_json::to_string(&secret).unwrap()).contains("hunter2"));
    }
}
