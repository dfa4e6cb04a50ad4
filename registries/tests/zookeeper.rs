//! The ZooKeeper source and publisher against a server: the simulated one, and a real one where `LANDBRIDGE_PEERS` names
//! the folder of `tests/peers/install`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a broken assumption ends the test"
)]

use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use codecs::provider_url::ProviderUrl;
use registries::legacy_view::LegacyView;
use registries::zookeeper::{Config, Source};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[path = "zookeeper/java.rs"]
mod java;
#[path = "zookeeper/publisher.rs"]
mod publisher;
#[path = "zookeeper/same.rs"]
mod same;
#[path = "zookeeper/source.rs"]
mod source;

/// Far more than anything here takes; a test that hangs ends by it.
const LIMIT: Duration = Duration::from_secs(60);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {LIMIT:?}"),
    }
}

/// The installed real peers. Where they are not, a line says that the test did not run: `tests/run` reads such lines and
/// counts the test as skipped. It is written past the test harness, which keeps the output of tests that pass to itself.
fn peers() -> Option<PathBuf> {
    let peers = std::env::var_os("LANDBRIDGE_PEERS").map(PathBuf::from);
    if peers.is_none() {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test of zookeeper");
        let why = "LANDBRIDGE_PEERS does not name the folder of tests/peers/install";
        let line = format!("\nskipped: {test}: {why}\n");
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    }
    peers
}

/// A configuration with short times, but for the sessions: where a machine stands still for seconds, none may end.
fn config(connect: &str) -> Config {
    let mut config = Config::new(connect).unwrap();
    config.session_timeout = Duration::from_secs(10);
    config.publish_session_timeout = Duration::from_secs(10);
    config.request_timeout = Duration::from_secs(20);
    config.coalesce = Duration::from_millis(20);
    config
}

/// A source at work.
struct Followed {
    view: watch::Receiver<Arc<LegacyView>>,
    _task: JoinSet<()>,
}

impl Followed {
    fn start(config: Config) -> Self {
        let sender = watch::Sender::new(Arc::new(LegacyView::default()));
        let view = sender.subscribe();
        let mut task = JoinSet::new();
        task.spawn(Source::new(config).run(sender));
        Self { view, _task: task }
    }

    /// Waits for a view of which something holds.
    async fn until(&mut self, what: &str, holds: impl FnMut(&LegacyView) -> bool) -> Arc<LegacyView> {
        let mut holds = holds;
        let waited = timeout(LIMIT, self.view.wait_for(|view| holds(view)))
            .await
            .map(|view| view.unwrap().clone());
        match waited {
            Ok(view) => view,
            Err(_) => panic!("{what}: not within {LIMIT:?}; {:?}", self.view.borrow().state),
        }
    }

    async fn synced(&mut self) -> Arc<LegacyView> {
        self.until("synced", |view| view.state.synced && view.state.connected)
            .await
    }
}

/// The URL of a provider of an interface.
fn native(interface: &str, port: u16) -> ProviderUrl {
    let parameters = [
        ("application", "shop"),
        ("interface", interface),
        ("methods", "get,create"),
        ("side", "provider"),
    ];
    ProviderUrl::new("dubbo", "192.0.2.7", port, interface, parameters).unwrap()
}

fn path_of(interface: &str, url: &ProviderUrl) -> String {
    format!("/dubbo/{interface}/providers/{}", url.znode())
}

fn ports(view: &LegacyView, interface: &str) -> Vec<u16> {
    let mut ports: Vec<u16> = view
        .interfaces
        .get(interface)
        .into_iter()
        .flat_map(|it| it.providers.iter().map(|url| url.port()))
        .collect();
    ports.sort_unstable();
    ports
}
