//! The metadata center: what providers say of their interfaces (Dubbo's `FullServiceDefinition`).
//!
//! ```text
//! /dubbo/metadata/{interface}[/{version}][/{group}]/provider/{application}    the JSON of a service definition
//! /dubbo/metadata/{interface}[/{version}][/{group}]/consumer/{application}    URL parameters, not read
//! /dubbo/metadata/{application}/{revision}                                    another thing, not read
//! ```
//!
//! Read once, for tools; nothing here is on the way of a call.

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::config::Config;
use super::session::{Session, server_version};
use super::{Error, paths};

/// The most definitions of one reading.
const MOST: usize = 20_000;

/// The most bytes of one reading.
const MOST_BYTES: usize = 256 << 20;

/// Version, group and `provider`: nothing that is read lies deeper below an interface.
const DEPTH: usize = 3;

/// A service definition as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceDefinition {
    /// The znode.
    pub path: String,
    /// Its text, which should be JSON.
    pub text: String,
}

/// What a metadata center holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The interfaces that were read, sorted: those of the configuration's globs.
    pub interfaces: Vec<String>,
    /// Their definitions, by path.
    pub definitions: Vec<ServiceDefinition>,
    /// Znodes that could not be read, with the reason.
    pub refused: Vec<String>,
}

/// Reads the definitions of the configured interfaces. Ends within the session timeout where no server answers.
///
/// # Errors
/// No session could be made, the connection broke, or there is more than 20,000 definitions or 256 MiB.
pub async fn read(config: &Config) -> Result<Metadata, Error> {
    let version = server_version(config).await;
    let session = Session::connect(config, config.session_timeout, version).await?;
    let top = paths::metadata(&config.root);
    let mut found = Metadata::default();
    let mut interfaces = match session.children(&top).await {
        Err(error) if error.is_answer() => {
            found.refused.push(error.chain());
            Vec::new()
        }
        children => children?.unwrap_or_default(),
    };
    interfaces.retain(|name| config.interfaces.contains(&paths::decoded(name)));
    interfaces.sort_unstable();
    let mut level: Vec<String> = interfaces.iter().map(|name| format!("{top}/{name}")).collect();
    let mut leaves = Vec::new();
    for _ in 0..DEPTH {
        let listed: Vec<(String, Result<Vec<String>, String>)> = stream::iter(level)
            .map(|path| list(&session, path))
            .buffered(config.in_flight)
            .try_collect()
            .await?;
        level = Vec::new();
        for (path, children) in listed {
            let children = children.unwrap_or_else(|refused| {
                found.refused.push(refused);
                Vec::new()
            });
            for child in children {
                match child.as_str() {
                    "consumer" => {}
                    "provider" => leaves.push(format!("{path}/provider")),
                    _ => level.push(format!("{path}/{child}")),
                }
            }
        }
        if level.len().saturating_add(leaves.len()) > MOST {
            return Err(Error::TooMuch { path: top });
        }
    }
    let listed: Vec<(String, Result<Vec<String>, String>)> = stream::iter(leaves)
        .map(|path| list(&session, path))
        .buffered(config.in_flight)
        .try_collect()
        .await?;
    let mut applications = Vec::new();
    for (path, children) in listed {
        match children {
            Ok(children) => applications.extend(children.iter().map(|child| format!("{path}/{child}"))),
            Err(refused) => found.refused.push(refused),
        }
    }
    if applications.len() > MOST {
        return Err(Error::TooMuch { path: top });
    }
    let mut bytes = 0usize;
    let mut texts = stream::iter(applications)
        .map(|path| data(&session, path))
        .buffered(config.in_flight);
    while let Some(read) = texts.try_next().await? {
        match read {
            (_, Ok(None)) => {}
            (path, Ok(Some(text))) => {
                bytes = bytes.saturating_add(text.len());
                if bytes > MOST_BYTES {
                    return Err(Error::TooMuch { path: top });
                }
                found.definitions.push(ServiceDefinition { path, text });
            }
            (_, Err(refused)) => found.refused.push(refused),
        }
    }
    found.definitions.sort_by(|one, other| one.path.cmp(&other.path));
    found.interfaces = interfaces.iter().map(|name| paths::decoded(name)).collect();
    Ok(found)
}

/// A node's children; why not, where the server refuses this one request.
async fn list(session: &Session, path: String) -> Result<(String, Result<Vec<String>, String>), Error> {
    match session.children(&path).await {
        Ok(children) => {
            let mut children = children.unwrap_or_default();
            children.sort_unstable();
            Ok((path, Ok(children)))
        }
        Err(error) if error.is_answer() => Ok((path, Err(error.chain()))),
        Err(error) => Err(error),
    }
}

/// A node's text; why not, where the server refuses this one request.
async fn data(session: &Session, path: String) -> Result<(String, Result<Option<String>, String>), Error> {
    match session.data(&path).await {
        Ok(None) => Ok((path, Ok(None))),
        Ok(Some(bytes)) => {
            let text = String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8"));
            Ok((path, text.map(Some)))
        }
        Err(error) if error.is_answer() => Ok((path, Err(error.chain()))),
        Err(error) => Err(error),
    }
}
