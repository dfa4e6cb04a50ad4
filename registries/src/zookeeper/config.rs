//! What a file says about one ZooKeeper registry, checked.

use std::fmt;
use std::time::Duration;

use regex::RegexSet;

/// One ZooKeeper registry. Read from a file, where unknown keys are errors.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(try_from = "RawConfig")]
pub struct Config {
    /// `host:port,host:port[/chroot]`, as ZooKeeper's own clients take it.
    pub connect: String,
    /// The znode below the chroot that holds the interfaces; starts with `/`, does not end with it. Default `/dubbo`.
    pub root: String,
    /// Whom we are to the servers, if to anybody.
    pub auth: Option<Credentials>,
    /// The session timeout asked for; the server clamps it. Default 30 s: a restart of an ensemble member fits in.
    pub session_timeout: Duration,
    /// The session timeout of the publisher, whose nodes stay that long after a crash. Default 15 s.
    pub publish_session_timeout: Duration,
    /// The most time one request may take. Default 10 s.
    pub request_timeout: Duration,
    /// Requests in flight on one session. Default 32.
    pub in_flight: usize,
    /// How long changes are gathered before they are read. Default 100 ms.
    pub coalesce: Duration,
    /// Which interfaces are read. Default all.
    pub interfaces: Interfaces,
    /// How changes are noticed. Default `auto`.
    pub watch: WatchMode,
    /// Creates and deletes of our nodes a second; bursts are as many. Default 200.
    pub publish_rate: u32,
    /// How often our nodes are compared with what there is, so that an operator's delete is repaired. Default 30 s.
    pub verify: Duration,
}

/// Whom we are to the servers: ZooKeeper's `digest` scheme.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text; for the place that sends it, and nowhere else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl serde::Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// How changes are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchMode {
    /// By the server's version, as it answers `srvr`; `recursive` where it does not say.
    #[default]
    Auto,
    /// One recursive watch on the root: servers of 3.6 and later.
    Recursive,
    /// One-shot watches on every category, spread over several sessions: servers before 3.6.
    OneShot,
}

/// Which interfaces are read, by globs over their names (`*` any run, `?` any character).
#[derive(Debug, Clone)]
pub struct Interfaces {
    include: RegexSet,
    exclude: RegexSet,
}

impl Interfaces {
    /// Those that match one of `include` (none is all) and none of `exclude`.
    ///
    /// # Errors
    /// The globs are too large together.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, ConfigError> {
        let compile = |globs: &[String]| {
            RegexSet::new(globs.iter().map(|glob| {
                let pattern = regex::escape(glob).replace(r"\*", ".*").replace(r"\?", ".");
                format!("^{pattern}$")
            }))
            .map_err(|error| ConfigError::Globs(error.to_string()))
        };
        let all = ["*".to_owned()];
        Ok(Self {
            include: compile(if include.is_empty() { &all } else { include })?,
            exclude: compile(exclude)?,
        })
    }

    /// Whether an interface is read.
    pub fn contains(&self, interface: &str) -> bool {
        self.include.is_match(interface) && !self.exclude.is_match(interface)
    }
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The connect string names no server, or has an empty part.
    #[error("connect {0:?} is not host:port,host:port[/chroot]")]
    Connect(String),
    /// Credentials belong in `auth`, where they are hidden.
    #[error("connect has a user; put it into auth")]
    UserInConnect,
    /// The root is not `/name[/name]`.
    #[error("root {0:?} is not /name or /name/name")]
    Root(String),
    /// A duration is not `500ms`, `30s` or `2m`, or out of bounds.
    #[error("{key} {text:?} is not a duration between {least:?} and {most:?} such as 500ms, 30s or 2m")]
    Duration {
        /// The key.
        key: &'static str,
        /// What it says.
        text: String,
        /// The least allowed.
        least: Duration,
        /// The most allowed.
        most: Duration,
    },
    /// A number is out of bounds.
    #[error("{key} {value} is not between 1 and {most}")]
    Number {
        /// The key.
        key: &'static str,
        /// What it says.
        value: u32,
        /// The most allowed.
        most: u32,
    },
    /// The globs cannot be compiled.
    #[error("interfaces cannot be compiled: {0}")]
    Globs(String),
    /// `auth` without a user, or with a colon in it.
    #[error("auth needs a user without a colon")]
    User,
}

/// What the file holds.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawConfig {
    connect: String,
    root: Option<String>,
    auth: Option<RawCredentials>,
    session_timeout: Option<String>,
    publish_session_timeout: Option<String>,
    request_timeout: Option<String>,
    in_flight: Option<u32>,
    coalesce: Option<String>,
    interfaces: RawInterfaces,
    watch: WatchMode,
    publish_rate: Option<u32>,
    verify: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCredentials {
    user: String,
    password: Secret,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawInterfaces {
    include: Vec<String>,
    exclude: Vec<String>,
}

impl TryFrom<RawConfig> for Config {
    type Error = ConfigError;

    fn try_from(raw: RawConfig) -> Result<Self, ConfigError> {
        let duration = |key, text: Option<String>, default: Duration, least: Duration, most: Duration| {
            let Some(text) = text else { return Ok(default) };
            match parse_duration(&text).filter(|duration| (least..=most).contains(duration)) {
                Some(duration) => Ok(duration),
                None => Err(ConfigError::Duration {
                    key,
                    text,
                    least,
                    most,
                }),
            }
        };
        let number = |key, value: Option<u32>, default, most| match value.unwrap_or(default) {
            value if (1..=most).contains(&value) => Ok(value),
            value => Err(ConfigError::Number { key, value, most }),
        };
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let mut config = Self::new(&raw.connect)?;
        if let Some(root) = raw.root {
            config.root = checked_root(&root)?;
        }
        if let Some(auth) = raw.auth {
            if auth.user.is_empty() || auth.user.contains(':') {
                return Err(ConfigError::User);
            }
            config.auth = Some(Credentials {
                user: auth.user,
                password: auth.password,
            });
        }
        config.session_timeout = duration(
            "session_timeout",
            raw.session_timeout,
            config.session_timeout,
            second,
            10 * minute,
        )?;
        config.publish_session_timeout = duration(
            "publish_session_timeout",
            raw.publish_session_timeout,
            config.publish_session_timeout,
            second,
            10 * minute,
        )?;
        config.request_timeout = duration(
            "request_timeout",
            raw.request_timeout,
            config.request_timeout,
            second / 10,
            10 * minute,
        )?;
        config.coalesce = duration("coalesce", raw.coalesce, config.coalesce, Duration::ZERO, minute)?;
        config.in_flight = number("in_flight", raw.in_flight, 32, 1024)? as usize;
        config.publish_rate = number("publish_rate", raw.publish_rate, 200, 100_000)?;
        config.verify = duration("verify", raw.verify, config.verify, second, 60 * minute)?;
        config.interfaces = Interfaces::new(&raw.interfaces.include, &raw.interfaces.exclude)?;
        config.watch = raw.watch;
        Ok(config)
    }
}

impl Config {
    /// A registry by its connect string, everything else by default.
    ///
    /// # Errors
    /// The string is not `host:port,host:port[/chroot]`.
    pub fn new(connect: &str) -> Result<Self, ConfigError> {
        let refused = || ConfigError::Connect(connect.to_owned());
        if connect.contains('@') {
            return Err(ConfigError::UserInConnect);
        }
        let (servers, chroot) = match connect.find('/') {
            Some(at) => connect.split_at(at),
            None => (connect, ""),
        };
        let chroot = chroot.trim_end_matches('/');
        if !chroot.is_empty() {
            checked_root(chroot).map_err(|_| refused())?;
        }
        for server in servers.split(',') {
            let port = server
                .rsplit_once(':')
                .map(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>()));
            if !matches!(port, Some(Some(Ok(1..)))) || server.contains(char::is_whitespace) {
                return Err(refused());
            }
        }
        Ok(Self {
            connect: format!("{servers}{chroot}"),
            root: "/dubbo".to_owned(),
            auth: None,
            session_timeout: Duration::from_secs(30),
            publish_session_timeout: Duration::from_secs(15),
            request_timeout: Duration::from_secs(10),
            in_flight: 32,
            coalesce: Duration::from_millis(100),
            interfaces: Interfaces::new(&[], &[])?,
            watch: WatchMode::Auto,
            publish_rate: 200,
            verify: Duration::from_secs(30),
        })
    }

    /// With another root: `dubbo` or `/dubbo`.
    ///
    /// # Errors
    /// It is not `name` or `name/name`, with or without the slash before.
    pub fn with_root(mut self, root: &str) -> Result<Self, ConfigError> {
        let root = format!("/{}", root.trim_start_matches('/').trim_end_matches('/'));
        self.root = checked_root(&root)?;
        Ok(self)
    }

    /// The servers of the connect string, without the chroot.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &str> {
        self.connect.split('/').next().unwrap_or_default().split(',')
    }
}

fn checked_root(root: &str) -> Result<String, ConfigError> {
    let refused = || ConfigError::Root(root.to_owned());
    let names = root.strip_prefix('/').ok_or_else(refused)?;
    let well_formed = |name: &str| {
        !name.is_empty()
            && name != "."
            && name != ".."
            && !name.contains(|c: char| c.is_control() || c.is_whitespace())
    };
    if names.split('/').all(well_formed) {
        Ok(root.to_owned())
    } else {
        Err(refused())
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(split);
    let number: u64 = digits.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<Config, String> {
        serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_a_full_section() {
        let config = read(
            "connect: zk-1:2181,zk-2:2181/estate/a/\nroot: /dubbo-eu\nauth: {user: bridge, password: hunter2}\n\
             session_timeout: 20s\nrequest_timeout: 500ms\ninterfaces: {include: ['com.acme.*'], exclude: ['*.Old?']}\n\
             watch: one-shot\npublish_rate: 50\n",
        )
        .unwrap();
        assert_eq!(config.connect, "zk-1:2181,zk-2:2181/estate/a");
        assert_eq!(config.servers().collect::<Vec<_>>(), ["zk-1:2181", "zk-2:2181"]);
        assert_eq!(
            (config.root.as_str(), config.watch),
            ("/dubbo-eu", WatchMode::OneShot)
        );
        assert_eq!(config.session_timeout, Duration::from_secs(20));
        assert_eq!(config.request_timeout, Duration::from_millis(500));
        assert_eq!((config.in_flight, config.publish_rate), (32, 50));
        assert_eq!(config.auth.as_ref().unwrap().password.reveal(), "hunter2");
        assert!(!format!("{config:?}").contains("hunter2"));
        let is_read = |name| config.interfaces.contains(name);
        assert!(is_read("com.acme.Orders") && !is_read("com.acme.Old1") && !is_read("com_acme.Orders"));
        assert!(!is_read("org.com.acme.Orders"));
        let config = Config::new("zk:1").unwrap();
        assert_eq!(config.clone().with_root("eu/").unwrap().root, "/eu");
        assert!(config.with_root("/").is_err());
    }

    #[test]
    fn refuses_what_it_cannot_mean() {
        let rows = [
            ("{}", "connect \"\" is not host:port"),
            ("connect: zk", "is not host:port"),
            ("connect: 'zk:0'", "is not host:port"),
            ("connect: 'zk:2181,'", "is not host:port"),
            ("connect: 'u:p@zk:2181'", "put it into auth"),
            ("connect: 'zk:1/a//b'", "is not host:port"),
            ("connect: 'zk:1'\nroot: dubbo", "is not /name"),
            ("connect: 'zk:1'\nroot: /", "is not /name"),
            (
                "connect: 'zk:1'\nsession_timeout: 1h",
                "is not a duration between 1s and 600s",
            ),
            (
                "connect: 'zk:1'\nin_flight: 0",
                "in_flight 0 is not between 1 and 1024",
            ),
            (
                "connect: 'zk:1'\nauth: {user: 'a:b', password: x}",
                "auth needs a user",
            ),
            ("connect: 'zk:1'\nsesion_timeout: 1s", "sesion_timeout"),
        ];
        for (yaml, expected) in rows {
            let error = read(yaml).unwrap_err();
            assert!(error.contains(expected), "{yaml}: {error}");
        }
    }
}
