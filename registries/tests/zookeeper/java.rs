//! Java Dubbo consumers find what the publisher writes. Needs the installed peers.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use codecs::provider_url::mark;
use harness::ports::free as free_port;
use registries::publish::LegacyRecords;
use registries::zookeeper::{Identity, Publisher};

use super::same::Real;
use super::*;

const ORDERS: &str = "org.landbridge.peers.api.OrderService";

/// A Java process, killed when dropped.
struct Java {
    child: Child,
    /// Stays open: a closed pipe would disturb it.
    _output: BufReader<ChildStdout>,
}

impl Java {
    /// Lets it withdraw its node and end.
    fn terminate(&self) {
        let status = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(status.success(), "kill: {status}");
    }
}

impl Drop for Java {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address that Java takes for this machine's own: it refuses to register or call loopback.
fn address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent.
    match socket.connect("192.0.2.1:9") {
        Ok(()) => socket.local_addr().unwrap().ip(),
        Err(_) => IpAddr::from([127, 0, 0, 1]),
    }
}

fn peer(peers: &Path, release: &str, role: &str, settings: &[String], home: &Path) -> Command {
    let mut command = Command::new(peers.join("java/bin/peer"));
    command.arg(release).arg(role).args(settings).env("LB_HOME", home);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// Starts a provider and waits for its ready line.
async fn start(mut command: Command) -> Java {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let ready = tokio::task::spawn_blocking(move || {
        let ready = output
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .any(|line| line.contains("\"ready\""));
        (ready, output)
    });
    let (ready, output) = within("provider", ready).await.unwrap();
    assert!(ready, "the provider ended without a ready line");
    Java {
        child,
        _output: output,
    }
}

/// One case of the suite through the registry, failing at start where there is no provider.
async fn consumes(peers: &Path, release: &str, zookeeper: &str, home: &Path) -> (bool, String) {
    let settings = [
        format!("registry=zookeeper://{zookeeper}"),
        "check=true".to_owned(),
        "only=hello".to_owned(),
        "-Ddubbo.application.service-discovery.migration=FORCE_INTERFACE".to_owned(),
    ];
    let mut command = peer(peers, release, "consumer", &settings, home);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = within("consumer", output).await.unwrap();
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn java_consumers_find_our_nodes_at_once() {
    let Some(peers) = peers() else {
        return;
    };
    let peers = peers.as_path();
    let home = tempfile::tempdir().unwrap();
    let real = Real::start(peers);
    // A provider that registers nowhere, as the one behind our node.
    let port = free_port();
    let settings = [format!("port={port}"), "services=orders".to_owned()];
    let _provider = start(peer(peers, "27", "provider", &settings, home.path())).await;

    let zookeeper = real.address();
    let (early, text) = consumes(peers, "27", &zookeeper, home.path()).await;
    assert!(
        !early && !text.contains("case hello ok"),
        "nothing is registered yet: {text}"
    );

    let timestamp = "1700000000000";
    let parameters = [
        ("anyhost", "true"),
        ("application", "shop"),
        ("dubbo", "2.0.2"),
        ("dynamic", "true"),
        ("interface", ORDERS),
        (mark::OWNER, "mig-a"),
        (mark::REPLICA, "r1"),
        ("methods", "hello"),
        ("release", "2.7.23"),
        ("side", "provider"),
        ("timestamp", timestamp),
        ("warmup", "0"),
    ];
    let url = ProviderUrl::new("dubbo", &address().to_string(), port, ORDERS, parameters).unwrap();
    let identity = Identity {
        installation: "mig-a".to_owned(),
        replica: "r1".to_owned(),
    };
    let (publisher, withdraw, mut state) = Publisher::new(config(&zookeeper), identity);
    let records = LegacyRecords {
        providers: [(path_of(ORDERS, &url), url)].into(),
    };
    let desired = watch::Sender::new(Arc::new(records));
    let mut task = JoinSet::new();
    task.spawn(publisher.run(desired.subscribe()));
    within("owned", state.wait_for(|state| state.settled && state.owned == 1))
        .await
        .unwrap();
    for release in ["27", "26", "33"] {
        if !peers.join(format!("java/dubbo{release}/target/lib")).exists() {
            continue;
        }
        let (ok, text) = consumes(peers, release, &zookeeper, home.path()).await;
        assert!(ok && text.contains("case hello ok"), "{release}: {text}");
    }
    assert_eq!(within("withdrawn", withdraw.withdraw()).await.removed, 1);
    let (late, text) = consumes(peers, "27", &zookeeper, home.path()).await;
    assert!(!late, "nothing is registered any more: {text}");
}

/// The simulated server is good enough for Dubbo's own clients: provider and consumer meet over it.
#[tokio::test(flavor = "multi_thread")]
async fn java_peers_meet_over_the_simulated_server() {
    let Some(peers) = peers() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let server = harness::zookeeper::Server::start().await.unwrap();
    let zookeeper = server.connect_string();
    let mut source = Followed::start(config(&zookeeper));
    for release in ["26", "27", "33"] {
        let port = free_port();
        let settings = [
            format!("port={port}"),
            "services=orders".to_owned(),
            format!("registry=zookeeper://{zookeeper}"),
        ];
        let provider = start(peer(&peers, release, "provider", &settings, home.path())).await;
        let view = source.until(release, |view| ports(view, ORDERS) == [port]).await;
        let url = &view.interfaces.get(ORDERS).unwrap().providers[0];
        assert_eq!((url.scheme(), url.interface()), ("dubbo", ORDERS));
        assert!(url.methods().contains(&"hello"));
        let (ok, text) = consumes(&peers, release, &zookeeper, home.path()).await;
        assert!(ok && text.contains("case hello ok"), "{release}: {text}");
        provider.terminate();
        source
            .until("its node is gone", |view| ports(view, ORDERS).is_empty())
            .await;
    }
}
