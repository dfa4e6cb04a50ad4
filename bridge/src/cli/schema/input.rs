//! Where service definitions come from: files and folders, or the metadata center in a ZooKeeper.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use registries::zookeeper::{Config, Credentials, Interfaces, Secret, metadata};

use super::Failure;

/// The most that one file may hold.
const MOST_BYTES: u64 = 64 << 20;

/// The most files below the given folders.
const MOST_FILES: usize = 20_000;

/// How deep folders may lie in folders.
const MOST_DEPTH: usize = 16;

/// How long a ZooKeeper may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Definitions with where each is from.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Origin and JSON.
    pub(super) definitions: Vec<(String, String)>,
    /// What could not be read, for the report.
    pub(super) refused: Vec<String>,
}

/// The text of a file that an operator named.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    let bytes = bytes(path)?;
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{} is not UTF-8", path.display()))
}

/// The bytes of a file that an operator named.
pub(super) fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    let about = || format!("read {}", path.display());
    let file = std::fs::metadata(path).with_context(about)?;
    if file.is_dir() {
        bail!("{} is a folder", path.display());
    }
    // A device says that it has no length.
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes));
    read.with_context(about)?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!("{} is longer than {} MiB", path.display(), MOST_BYTES >> 20);
    }
    Ok(bytes)
}

/// The definitions in files, and in the `.json` files below folders. A file holds one, or a list of them.
pub(super) fn files(paths: &[PathBuf]) -> anyhow::Result<Found> {
    let mut files = Vec::new();
    for path in paths {
        let kind = std::fs::metadata(path).with_context(|| format!("read {}", path.display()))?;
        if kind.is_dir() {
            let before = files.len();
            below(path, 0, &mut files)?;
            if files.len() == before {
                bail!("{} holds no .json file", path.display());
            }
        } else {
            files.push(path.clone());
        }
    }
    let mut found = Found::default();
    let mut broken = Vec::new();
    for path in files {
        let origin = path.display().to_string();
        match serde_json::from_str::<serde_json::Value>(&text(&path)?) {
            Ok(serde_json::Value::Array(items)) => {
                let numbered = items.into_iter().enumerate();
                let named = numbered.map(|(at, item)| (format!("{origin}[{at}]"), item.to_string()));
                found.definitions.extend(named);
            }
            Ok(one) => found.definitions.push((origin, one.to_string())),
            Err(error) => broken.push(format!("{origin} is no JSON: {error}")),
        }
    }
    if !broken.is_empty() {
        bail!("{}", broken.join("\nerror: "));
    }
    if found.definitions.is_empty() {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        bail!("no service definition in {}", names.join(", "));
    }
    Ok(found)
}

fn below(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let about = || format!("read folder {}", folder.display());
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(about)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .with_context(about)?;
    entries.sort_unstable();
    for path in entries {
        if path.is_dir() {
            if depth >= MOST_DEPTH {
                bail!("{} lies more than {MOST_DEPTH} folders deep", path.display());
            }
            below(&path, depth + 1, files)?;
        } else if path.extension().is_some_and(|extension| extension == "json")
            && !super::output::is_lock(&path)
        {
            files.push(path);
        }
        if files.len() > MOST_FILES {
            bail!("{} holds more than {MOST_FILES} files", folder.display());
        }
    }
    Ok(())
}

/// A metadata center, as the command line names it.
#[derive(Debug, clap::Args)]
pub(super) struct Center {
    /// Read from the metadata center in this ZooKeeper: host:port,host:port[/chroot]
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "definitions")]
    zookeeper: Option<String>,
    /// The ZooKeeper's user and password (its digest scheme)
    #[arg(
        long,
        value_name = "USER:PASSWORD",
        env = "LANDBRIDGE_ZOOKEEPER_AUTH",
        hide_env_values = true
    )]
    zookeeper_auth: Option<String>,
    /// The group of the metadata report: the znode above `metadata`
    #[arg(long, value_name = "NODE", default_value = "dubbo")]
    root: String,
    /// Only these interfaces of the ZooKeeper; `*` stands for anything
    #[arg(long = "interface", value_name = "NAME")]
    interfaces: Vec<String>,
}

impl Center {
    /// Its definitions, when one is named.
    pub(super) fn read(&self) -> Option<Result<Found, Failure>> {
        let Some(connect) = self.zookeeper.as_deref() else {
            let wrong = || Err(Failure::Wrong("--interface needs --zookeeper".to_owned()));
            return (!self.interfaces.is_empty()).then(wrong);
        };
        Some(self.config(connect).and_then(|config| {
            let reading = async {
                // Names that never resolve and servers that never answer end here, too.
                let all = PATIENCE + Duration::from_secs(300);
                tokio::time::timeout(all, metadata::read(&config)).await
            };
            let read = crate::cli::control_runtime()?.block_on(reading);
            let read = read.map_err(|_| anyhow::anyhow!("zookeeper {connect} takes too long"))?;
            let read = read.map_err(|error| anyhow::anyhow!(error.chain()))?;
            Ok(self.found(connect, &config, read)?)
        }))
    }

    fn config(&self, connect: &str) -> Result<Config, Failure> {
        let wrong = |error: registries::zookeeper::config::ConfigError| Failure::Wrong(error.to_string());
        let mut config = Config::new(connect)
            .and_then(|config| config.with_root(&self.root))
            .map_err(wrong)?;
        config.session_timeout = PATIENCE;
        config.interfaces = Interfaces::new(&self.interfaces, &[]).map_err(wrong)?;
        if let Some(auth) = &self.zookeeper_auth {
            let (user, password) = auth
                .split_once(':')
                .filter(|(user, _)| !user.is_empty())
                .ok_or_else(|| Failure::Wrong("--zookeeper-auth is not USER:PASSWORD".to_owned()))?;
            config.auth = Some(Credentials {
                user: user.to_owned(),
                password: Secret::new(password),
            });
        }
        Ok(config)
    }

    fn found(&self, connect: &str, config: &Config, read: metadata::Metadata) -> anyhow::Result<Found> {
        let place = format!("{}/metadata of zookeeper {connect}", config.root);
        let plain = |name: &&String| !name.contains(['*', '?']);
        let absent: Vec<&str> = self
            .interfaces
            .iter()
            .filter(plain)
            .filter(|name| !read.interfaces.contains(name))
            .map(String::as_str)
            .collect();
        if !absent.is_empty() {
            bail!(
                "{place} does not have {} (does the provider have a metadata report?)",
                absent.join(", ")
            );
        }
        if read.definitions.is_empty() {
            let refused = if read.refused.is_empty() {
                String::new()
            } else {
                format!(": {}", read.refused.join("; "))
            };
            bail!("{place} holds no service definition{refused}");
        }
        Ok(Found {
            definitions: read
                .definitions
                .into_iter()
                .map(|definition| (definition.path, definition.text))
                .collect(),
            refused: read.refused,
        })
    }
}
