//! One client session: connecting with back-off, requests with a limit and a timeout.
//!
//! The client library (pinned at 0.11.2) has traps that are closed here and in `watch`:
//! - persistent and recursive watches fall silent at the first reconnect, so `watch` sets them anew on each;
//! - more than 128 KiB of watched paths kill a session on reconnect, so `Session::fits` counts them;
//! - its request queue is unbounded while disconnected, so a semaphore stands before it, and a timeout around it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zookeeper_client::{
    Acls, AddWatchMode, Client, CreateMode, OneshotWatcher, PersistentWatcher, Stat, StateWatcher,
};

use super::config::Config;
use super::{Error, paths};

/// The most one-shot watches a session carries: by number, and by bytes of their paths.
const MOST_PATHS: usize = 1000;
const MOST_PATH_BYTES: usize = 100 * 1024;

/// A server's version, `(3, 9)`.
pub(crate) type Version = (u32, u32);

/// One session with the servers of a [`Config`]. Clones share it; when the last is dropped, the session is closed.
#[derive(Clone)]
pub(crate) struct Session {
    client: Client,
    limit: Arc<Semaphore>,
    timeout: Duration,
    version: Option<Version>,
}

impl Session {
    /// Connects once. `version` keeps the library from operations that an old server does not know.
    pub(crate) async fn connect(
        config: &Config,
        session_timeout: Duration,
        version: Option<Version>,
    ) -> Result<Self, Error> {
        // Eagerly: our own back-off paces the next round, and says meanwhile why it is needed.
        let mut connector = Client::connector()
            .with_session_timeout(session_timeout)
            .with_fail_eagerly();
        if let Some(auth) = &config.auth {
            let identity = format!("{}:{}", auth.user, auth.password.reveal());
            connector = connector.with_auth("digest", identity.as_bytes());
        }
        if let Some((major, minor)) = version {
            connector = connector.with_server_version(major, minor, 0);
        }
        let refused = |source| Error::Connect {
            connect: config.connect.clone(),
            source,
        };
        let client = timeout(session_timeout, connector.connect(&config.connect))
            .await
            .map_err(|_| refused(zookeeper_client::Error::Timeout))?
            .map_err(refused)?;
        Ok(Self {
            client,
            limit: Arc::new(Semaphore::new(config.in_flight)),
            timeout: config.request_timeout,
            version,
        })
    }

    /// The session's id, as `ephemeralOwner` shows it.
    pub(crate) fn id(&self) -> i64 {
        self.client.session_id().0
    }

    /// Its state, now and later.
    pub(crate) fn states(&self) -> StateWatcher {
        self.client.state_watcher()
    }

    /// Whether one-shot watches of so many paths with so many bytes survive a reconnect.
    pub(crate) fn fits(paths: usize, bytes: usize) -> bool {
        paths <= MOST_PATHS && bytes <= MOST_PATH_BYTES
    }

    /// One request: waits for a permit, then at most the timeout for the answer.
    async fn request<'a, T, F>(
        &'a self,
        what: &'static str,
        path: &str,
        send: impl FnOnce(&'a Client) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, zookeeper_client::Error>>,
    {
        let answer = async {
            // The semaphore is never closed.
            let _permit = self.limit.acquire().await;
            // The library sends when its method is called, not when the future is polled: only under the permit.
            send(&self.client).await
        };
        match timeout(self.timeout, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(source)) => Err(Error::Request {
                what,
                path: path.to_owned(),
                source,
            }),
            Err(_) => Err(Error::Timeout {
                what,
                path: path.to_owned(),
                timeout: self.timeout,
            }),
        }
    }

    /// Catches up with the leader, so that a read does not show an older state than another session saw.
    pub(crate) async fn sync(&self, path: &str) -> Result<(), Error> {
        self.request("sync", path, |client| client.sync(path)).await
    }

    /// The children of a node; `None` where there is no such node.
    pub(crate) async fn children(&self, path: &str) -> Result<Option<Vec<String>>, Error> {
        absent(
            self.request("list", path, |client| client.list_children(path))
                .await,
        )
    }

    /// The data of a node; `None` where there is no such node.
    pub(crate) async fn data(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let read = self.request("read", path, |client| client.get_data(path)).await;
        Ok(absent(read)?.map(|(data, _)| data))
    }

    /// The children of a node with a watch for their next change; where there is no such node, a watch for its creation.
    pub(crate) async fn watch_children(
        &self,
        path: &str,
    ) -> Result<(Option<Vec<String>>, OneshotWatcher), Error> {
        loop {
            let listed = self.request("list and watch", path, |client| {
                client.list_and_watch_children(path)
            });
            if let Some((children, watcher)) = absent(listed.await)? {
                return Ok((Some(children), watcher));
            }
            let checked = self.request("check and watch", path, |client| {
                client.check_and_watch_stat(path)
            });
            if let (None, watcher) = checked.await? {
                return Ok((None, watcher));
            }
            // Created in between: list again.
        }
    }

    /// A watch for every creation and deletion at or below a path, which need not exist.
    pub(crate) async fn watch_tree(&self, path: &str) -> Result<PersistentWatcher, Error> {
        let mode = AddWatchMode::PersistentRecursive;
        self.request("watch", path, |client| client.watch(path, mode))
            .await
    }

    /// A node's state; `None` where there is no such node.
    pub(crate) async fn stat(&self, path: &str) -> Result<Option<Stat>, Error> {
        self.request("check", path, |client| client.check_stat(path))
            .await
    }

    /// The ephemeral nodes of this session below a path; `None` where the server does not know the question (before 3.6;
    /// it would end the connection).
    pub(crate) async fn own_nodes(&self, path: &str) -> Result<Option<Vec<String>>, Error> {
        if self.version.is_some_and(|version| version < (3, 6)) {
            return Ok(None);
        }
        let nodes = self.request("list own nodes below", path, |client| {
            client.list_ephemerals(path)
        });
        Ok(Some(nodes.await?))
    }

    /// Who may do what with a node: `true` where everybody may do everything; `None` where there is no such node.
    pub(crate) async fn is_open(&self, path: &str) -> Result<Option<bool>, Error> {
        let acl = absent(
            self.request("read acl of", path, |client| client.get_acl(path))
                .await,
        )?;
        Ok(acl.map(|(acl, _)| Acls::anyone_all().iter().all(|open| acl.contains(open))))
    }

    /// Creates an ephemeral node without data.
    pub(crate) async fn create_ephemeral(&self, path: &str, acls: Acls<'_>) -> Result<(), Error> {
        let options = CreateMode::Ephemeral.with_acls(acls);
        self.request("create", path, |client| client.create(path, b"", &options))
            .await?;
        Ok(())
    }

    /// Creates a directory and its parents, persistent and without data, as far as they are missing.
    pub(crate) async fn make_directory(&self, path: &str, acls: Acls<'_>) -> Result<(), Error> {
        let options = CreateMode::Persistent.with_acls(acls);
        self.request("create directory", path, |client| client.mkdir(path, &options))
            .await
    }

    /// Deletes a node of this version of its data; `false` where there is none any more.
    pub(crate) async fn delete(&self, path: &str, version: i32) -> Result<bool, Error> {
        Ok(absent(
            self.request("delete", path, |client| client.delete(path, Some(version)))
                .await,
        )?
        .is_some())
    }

    /// Whether the session can still become connected again.
    pub(crate) fn is_over(&self) -> bool {
        self.client.state().is_terminated()
    }

    /// Whether it is connected now.
    pub(crate) fn is_connected(&self) -> bool {
        self.client.state() == zookeeper_client::SessionState::SyncConnected
    }
}

/// "No such node" as `None`.
fn absent<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is(&zookeeper_client::Error::NoNode) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The version of the first server that answers `srvr`; `None` where none does or that word is not allowed.
pub(crate) async fn server_version(config: &Config) -> Option<Version> {
    for server in config.servers() {
        let answer = timeout(config.request_timeout.min(Duration::from_secs(2)), async {
            let mut stream = TcpStream::connect(server).await.ok()?;
            stream.write_all(b"srvr").await.ok()?;
            let mut text = Vec::new();
            stream.take(4096).read_to_end(&mut text).await.ok()?;
            parse_version(&String::from_utf8_lossy(&text))
        });
        if let Ok(Some(version)) = answer.await {
            return Some(version);
        }
    }
    None
}

fn parse_version(srvr: &str) -> Option<Version> {
    let (_, rest) = srvr.split_once("Zookeeper version: ")?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The ACL of what we create: open, as most registries are; the creator's only where there are credentials and the registry
/// is not open (Dubbo 3 with digest locks every other identity out).
pub(crate) async fn acls(session: &Session, config: &Config) -> Result<Acls<'static>, Error> {
    if config.auth.is_none() {
        return Ok(Acls::anyone_all());
    }
    Ok(match session.is_open(&config.root).await? {
        Some(false) => Acls::creator_all(),
        _ => Acls::anyone_all(),
    })
}

/// Waits that double up to a limit; each is random between half and all of its length.
pub(crate) struct Backoff {
    first: Duration,
    next: Duration,
    most: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            next: first,
            most,
        }
    }

    /// For a session of this timeout: a fleet that loses its ensemble does not come back in one instant.
    pub(crate) fn for_session(session_timeout: Duration) -> Self {
        let first = (session_timeout / 30).min(Duration::from_secs(1));
        Self::new(first, Duration::from_secs(30).min(session_timeout))
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    pub(crate) fn step(&mut self) -> Duration {
        let wait = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.next = (self.next * 2).min(self.most);
        wait
    }
}

/// What one category of an interface holds.
pub(crate) enum Category {
    /// The names of its leaves, sorted; none where there is no such directory.
    Leaves(Vec<String>),
    /// There is no such directory.
    Absent,
    /// We may not read it.
    Forbidden(String),
}

/// Reads a category, and sets a one-shot watch on it if asked.
pub(crate) async fn read_category(
    session: &Session,
    path: &str,
    watch: bool,
) -> Result<(Category, Option<OneshotWatcher>), Error> {
    let read = if watch {
        session
            .watch_children(path)
            .await
            .map(|(children, watcher)| (children, Some(watcher)))
    } else {
        session.children(path).await.map(|children| (children, None))
    };
    match read {
        Ok((Some(mut leaves), watcher)) => {
            leaves.sort_unstable();
            Ok((Category::Leaves(leaves), watcher))
        }
        Ok((None, watcher)) => Ok((Category::Absent, watcher)),
        Err(error) if error.is(&zookeeper_client::Error::NoAuth) => {
            let (_, name) = paths::split(path).unwrap_or(("", path));
            Ok((Category::Forbidden(format!("{name}: {}", error.chain())), None))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_of_srvr() {
        let rows = [
            (
                "Zookeeper version: 3.9.4-7246445ec281f3dbf53dc54e970c914f39713903, built on 2025\n",
                Some((3, 9)),
            ),
            (
                "Zookeeper version: 3.4.14-4c25d48, built\nMode: standalone\n",
                Some((3, 4)),
            ),
            ("srvr is not executed because it is not in the whitelist.\n", None),
            ("", None),
        ];
        for (text, version) in rows {
            assert_eq!(parse_version(text), version, "{text}");
        }
    }

    #[test]
    fn waits_longer_up_to_a_limit() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for expected in [100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.step();
            let most = Duration::from_millis(expected);
            assert!(wait >= most / 2 && wait <= most, "{wait:?} of {most:?}");
        }
        backoff.reset();
        assert!(backoff.step() <= Duration::from_millis(100));
    }
}
