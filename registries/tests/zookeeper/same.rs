//! The same checks on the simulated and on a real server: what either answers is written down line by line and compared.

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::zookeeper::Server;
use zookeeper_client::{
    Acls, AddWatchMode, Client, CreateMode, Error as ZkError, EventType, MultiWriteError, PersistentWatcher,
    SessionState,
};

use super::*;

/// What a server did, without what differs between two runs.
#[derive(Default)]
struct Record(Vec<String>);

impl Record {
    fn add(&mut self, what: &str, answer: impl std::fmt::Debug) {
        self.0.push(format!("{what}: {answer:?}"));
    }
}

async fn client(address: &str) -> Client {
    let connector = Client::connector().with_session_timeout(Duration::from_secs(20));
    within("connect", connector.connect(address)).await.unwrap()
}

const OPEN: Acls<'static> = Acls::anyone_all();

/// The next event that is not about the session.
async fn event(watcher: &mut PersistentWatcher) -> (EventType, String) {
    loop {
        let event = within("event", watcher.changed()).await;
        if event.event_type != EventType::Session {
            return (event.event_type, event.path);
        }
    }
}

async fn nodes(address: &str, record: &mut Record) {
    let zk = client(address).await;
    let persistent = CreateMode::Persistent.with_acls(OPEN);
    let ephemeral = CreateMode::Ephemeral.with_acls(OPEN);
    let session = zk.session_id().0;
    record.add("mkdir", zk.mkdir("/n/a/b", &persistent).await);
    record.add(
        "create again",
        zk.create("/n/a", b"", &persistent).await.map(drop),
    );
    record.add(
        "create without parent",
        zk.create("/n/x/y", b"", &persistent).await.map(drop),
    );
    let (stat, _) = zk.create("/n/e", b"data", &ephemeral).await.unwrap();
    record.add(
        "stat",
        (
            stat.version,
            stat.cversion,
            stat.data_length,
            stat.num_children,
            stat.ephemeral_owner == session,
        ),
    );
    record.add(
        "child of ephemeral",
        zk.create("/n/e/x", b"", &persistent).await.map(drop),
    );
    record.add(
        "data",
        zk.get_data("/n/e").await.map(|(data, stat)| (data, stat.version)),
    );
    record.add(
        "set",
        zk.set_data("/n/e", b"more", Some(0))
            .await
            .map(|stat| (stat.version, stat.data_length)),
    );
    record.add(
        "set old version",
        zk.set_data("/n/e", b"more", Some(0)).await.map(drop),
    );
    record.add("set absent", zk.set_data("/n/none", b"", None).await.map(drop));
    record.add("data absent", zk.get_data("/n/none").await.map(drop));
    record.add("children absent", zk.list_children("/n/none").await);
    record.add("check absent", zk.check_stat("/n/none").await);
    let (mut children, stat) = zk.get_children("/n").await.unwrap();
    children.sort();
    record.add("children", (children, stat.cversion, stat.num_children));
    record.add("delete with children", zk.delete("/n/a", None).await);
    record.add("delete old version", zk.delete("/n/e", Some(0)).await);
    record.add("delete absent", zk.delete("/n/none", None).await);
    for _ in 0..2 {
        let options = CreateMode::EphemeralSequential.with_acls(OPEN);
        record.add(
            "sequential",
            zk.create("/n/s-", b"", &options)
                .await
                .map(|(_, sequence)| sequence.to_string()),
        );
    }
    let container = CreateMode::Container.with_acls(OPEN);
    record.add(
        "container",
        zk.create("/n/c", b"", &container)
            .await
            .map(|(stat, _)| stat.ephemeral_owner),
    );
    let mut own = zk.list_ephemerals("/n").await.unwrap();
    own.sort();
    record.add("own nodes", own);
    record.add("descendants", zk.count_descendants_number("/n").await);
    record.add("sync", zk.sync("/n").await);
    record.add("sync absent", zk.sync("/none").await);
    record.add("users", zk.list_auth_users().await.map(|users| users.len()));

    let mut writer = zk.new_multi_writer();
    writer.add_create("/n/m1", b"1", &persistent).unwrap();
    writer.add_set_data("/n/a", b"2", None).unwrap();
    writer.add_delete("/n/a/b", None).unwrap();
    record.add("multi", writer.commit().await.map(|results| results.len()));
    let mut writer = zk.new_multi_writer();
    writer.add_create("/n/m2", b"1", &persistent).unwrap();
    writer.add_check_version("/n/m1", 7).unwrap();
    writer.add_delete("/n/m1", None).unwrap();
    let failed = match writer.commit().await {
        Err(MultiWriteError::OperationFailed { index, source }) => format!("{index} {source}"),
        other => format!("{other:?}"),
    };
    record.add("multi that fails", failed);
    record.add(
        "nothing of it",
        (
            zk.check_stat("/n/m2").await.unwrap().is_some(),
            zk.check_stat("/n/m1").await.unwrap().is_some(),
        ),
    );
    let mut reader = zk.new_multi_reader();
    reader.add_get_data("/n/m1").unwrap();
    reader.add_get_data("/n/none").unwrap();
    reader.add_get_children("/n/m1").unwrap();
    let read = reader.commit().await.unwrap();
    let read: Vec<String> = read
        .into_iter()
        .map(|result| match result {
            zookeeper_client::MultiReadResult::Data { data, stat } => {
                format!("data {data:?} {}", stat.version)
            }
            other => format!("{other:?}"),
        })
        .collect();
    record.add("multi read", read);

    // The session's end takes its nodes away, at once when it is closed.
    let other = client(address).await;
    let (_, gone) = other.check_and_watch_stat("/n/e").await.unwrap();
    drop(zk);
    record.add("closed", within("gone", gone.changed()).await.event_type);
    record.add("left", {
        let mut children = other.list_children("/n").await.unwrap();
        children.sort();
        children
    });
}

async fn watches(address: &str, record: &mut Record) {
    let (zk, other) = (client(address).await, client(address).await);
    let persistent = CreateMode::Persistent.with_acls(OPEN);
    zk.mkdir("/w/a", &persistent).await.unwrap();
    // One-shot watches.
    let (_, children) = zk.list_and_watch_children("/w/a").await.unwrap();
    let (_, _, data) = zk.get_and_watch_data("/w/a").await.unwrap();
    let (absent, exists) = zk.check_and_watch_stat("/w/a/x").await.unwrap();
    record.add("absent", absent);
    other.create("/w/a/x", b"", &persistent).await.unwrap();
    let told = within("children", children.changed()).await;
    record.add("children watch", (told.event_type, told.path));
    let told = within("exists", exists.changed()).await;
    record.add("exists watch", (told.event_type, told.path));
    other.set_data("/w/a", b"1", None).await.unwrap();
    let told = within("data", data.changed()).await;
    record.add("data watch", (told.event_type, told.path));
    let (_, children) = zk.list_and_watch_children("/w/a/x").await.unwrap();
    other.delete("/w/a/x", None).await.unwrap();
    record.add(
        "children watch of the deleted",
        within("deleted", children.changed()).await.event_type,
    );
    record.add(
        "no watch on an absent node",
        zk.list_and_watch_children("/w/none").await.map(drop),
    );
    // A recursive watch may stand where nothing is yet, and is told of all below, but not of children as such.
    let mut tree = zk
        .watch("/w/tree", AddWatchMode::PersistentRecursive)
        .await
        .unwrap();
    let mut node = zk.watch("/w/tree/a", AddWatchMode::Persistent).await.unwrap();
    other.mkdir("/w/tree/a/b", &persistent).await.unwrap();
    other.set_data("/w/tree/a", b"1", None).await.unwrap();
    other.create("/w/treetop", b"", &persistent).await.unwrap();
    other.delete("/w/tree/a/b", None).await.unwrap();
    other.delete("/w/tree/a", None).await.unwrap();
    other.delete("/w/tree", None).await.unwrap();
    for _ in 0..7 {
        record.add("tree", event(&mut tree).await);
    }
    for _ in 0..5 {
        record.add("node", event(&mut node).await);
    }
}

async fn rights(address: &str, record: &mut Record) {
    let connect = |auth: &'static str| {
        let connector = Client::connector()
            .with_session_timeout(Duration::from_secs(20))
            .with_auth("digest", auth.as_bytes());
        async move { within("connect", connector.connect(address)).await.unwrap() }
    };
    let (mine, wrong, nobody) = (
        connect("app:secret").await,
        connect("app:wrong").await,
        client(address).await,
    );
    let closed = CreateMode::Persistent.with_acls(Acls::creator_all());
    record.add("create", mine.create("/r", b"x", &closed).await.map(drop));
    let (acl, _) = mine.get_acl("/r").await.unwrap();
    record.add("acl", acl);
    for (who, zk) in [("mine", &mine), ("wrong", &wrong), ("nobody", &nobody)] {
        record.add(who, zk.list_children("/r").await);
        record.add(who, zk.get_data("/r").await.map(|(data, _)| data));
        record.add(who, zk.check_stat("/r").await.map(|stat| stat.is_some()));
        record.add(who, zk.check_stat("/r/none").await);
        record.add(who, zk.get_acl("/r").await.map(|(acl, _)| acl));
        record.add(who, zk.set_data("/r", b"y", None).await.map(drop));
        record.add(
            who,
            zk.create(&format!("/r/{who}"), b"", &CreateMode::Persistent.with_acls(OPEN))
                .await
                .map(drop),
        );
        record.add(
            who,
            zk.watch("/r", AddWatchMode::PersistentRecursive).await.map(drop),
        );
    }
    record.add("delete below", wrong.delete("/r/mine", None).await);
    record.add(
        "creator without identity",
        nobody.create("/r2", b"", &closed).await.map(drop),
    );
    record.add("unknown scheme", wrong.auth("nonsense", b"x").await);
    // What one may not read, one is not told of.
    let mut tree = nobody
        .watch("/r", AddWatchMode::PersistentRecursive)
        .await
        .unwrap();
    mine.set_data("/r", b"z", None).await.unwrap();
    mine.set_data("/r/mine", b"z", None).await.unwrap();
    record.add("told", event(&mut tree).await);
}

async fn sessions(address: &str, record: &mut Record) {
    let watcher = client(address).await;
    let connector = Client::connector()
        .with_session_timeout(Duration::from_secs(6))
        .with_detached();
    let zk = within("connect", connector.connect(address)).await.unwrap();
    record.add("granted", zk.session_timeout());
    zk.create("/session", b"", &CreateMode::Ephemeral.with_acls(OPEN))
        .await
        .unwrap();
    let (_, gone) = watcher.check_and_watch_stat("/session").await.unwrap();
    // Left without closing: taken up again within its timeout, by id and password.
    let id = zk.session_id();
    let again = Client::connector()
        .with_session(zk.into_session())
        .with_detached();
    let zk = within("again", again.connect(address)).await.unwrap();
    record.add("same session", zk.session_id() == id);
    record.add(
        "node kept",
        zk.check_stat("/session")
            .await
            .map(|stat| stat.map(|it| it.ephemeral_owner == id.0)),
    );
    let info = zk.into_session();
    record.add("expired", within("expired", gone.changed()).await.event_type);
    let late = Client::connector().with_session(info).with_fail_eagerly();
    record.add("too late", within("late", late.connect(address)).await.map(drop));
    // A closed session is closed for its own client, too.
    let mut states = watcher.state_watcher();
    record.add(
        "state",
        (
            states.state() == SessionState::SyncConnected,
            watcher.check_stat("/session").await,
        ),
    );
    record.add("no such error", ZkError::NoNode);
}

/// Our own source and publisher.
async fn both(address: &str, record: &mut Record) {
    let zk = client(address).await;
    let mut config = config(address);
    config.session_timeout = Duration::from_secs(20);
    let mut source = Followed::start(config.clone());
    record.add("empty", source.synced().await.state.error.clone());
    let directory = CreateMode::Persistent.with_acls(OPEN);
    let (a, b) = (native("a.A", 1), native("a.A", 2));
    zk.mkdir("/dubbo/a.A/providers", &directory).await.unwrap();
    for url in [&a, &b] {
        zk.create(&path_of("a.A", url), b"", &CreateMode::Ephemeral.with_acls(OPEN))
            .await
            .unwrap();
    }
    let view = source.until("two", |view| ports(view, "a.A").len() == 2).await;
    record.add("ports", ports(&view, "a.A"));
    zk.delete(&path_of("a.A", &a), None).await.unwrap();
    let view = source.until("one", |view| ports(view, "a.A").len() == 1).await;
    record.add("ports", ports(&view, "a.A"));
    super::publisher::publishes(address, record_line(record)).await;
    drop(zk);
    source
        .until("the provider's session is over", |view| {
            ports(view, "a.A").is_empty()
        })
        .await;
}

fn record_line(record: &mut Record) -> impl FnMut(String) + '_ {
    |line| record.0.push(line)
}

async fn all(address: &str) -> Vec<String> {
    let mut record = Record::default();
    nodes(address, &mut record).await;
    watches(address, &mut record).await;
    rights(address, &mut record).await;
    sessions(address, &mut record).await;
    both(address, &mut record).await;
    record.0
}

/// A real server, stopped when dropped.
pub(crate) struct Real {
    bin: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
}

impl Real {
    pub(crate) fn start(peers: &Path) -> Self {
        let real = Self {
            bin: peers.join("java/bin"),
            dir: tempfile::tempdir().unwrap(),
            port: harness::ports::free(),
        };
        real.run("zk-up");
        real
    }

    fn run(&self, script: &str) {
        let status = Command::new(self.bin.join(script))
            .arg(self.port.to_string())
            .arg(self.dir.path())
            .status()
            .unwrap();
        assert!(status.success(), "{script} {}: {status}", self.port);
    }

    /// Sends its process a signal.
    fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.dir.path().join("zk.pid")).unwrap();
        let status = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(pid.trim())
            .status()
            .unwrap();
        assert!(status.success(), "kill -{signal}: {status}");
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // Best effort: the folder goes with it.
        let _ = Command::new(self.bin.join("zk-down"))
            .arg(self.port.to_string())
            .arg(self.dir.path())
            .status();
    }
}

/// What the simulated server does, line by line.
async fn simulated() -> Vec<String> {
    let options = harness::zookeeper::Options {
        least_timeout: Duration::from_secs(1),
        ..Default::default()
    };
    let simulated = Server::start_with("127.0.0.1:0".parse().unwrap(), options)
        .await
        .unwrap();
    all(&simulated.connect_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_server_does_what_is_known() {
    let simulated = simulated().await;
    for line in [
        "create without parent: Err(NoNode)",
        "child of ephemeral: Err(NoChildrenForEphemerals)",
        "multi that fails: \"1 mismatch version\"",
        "closed: NodeDeleted",
        "tree: (NodeDeleted, \"/w/tree\")",
        "nobody: Err(NoAuth)",
        "told: (NodeDataChanged, \"/r/mine\")",
        "too late: Err(SessionExpired)",
        "withdrawn: 2",
    ] {
        assert!(
            simulated.iter().any(|it| it == line),
            "{line} is not in {simulated:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_server_does_as_the_real_one() {
    let Some(peers) = peers() else {
        return;
    };
    let simulated = simulated().await;
    let real = Real::start(&peers);
    let real = all(&real.address()).await;
    let differ: Vec<_> = simulated
        .iter()
        .zip(&real)
        .filter(|(simulated, real)| simulated != real)
        .collect();
    assert!(differ.is_empty(), "simulated first, then real: {differ:#?}");
    assert_eq!(simulated.len(), real.len());
}

/// What only a real server can show: it is stopped, and restarted with its data.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_may_stop_and_restart() {
    let Some(peers) = peers() else {
        return;
    };
    let real = Real::start(&peers);
    let address = real.address();
    let mut config = config(&address);
    config.session_timeout = Duration::from_secs(20);
    let native = native("a.A", 1);
    let zk = within(
        "connect",
        Client::connector()
            .with_session_timeout(Duration::from_secs(20))
            .connect(&address),
    )
    .await
    .unwrap();
    zk.mkdir("/dubbo/a.A/providers", &CreateMode::Persistent.with_acls(OPEN))
        .await
        .unwrap();
    zk.create(
        &path_of("a.A", &native),
        b"",
        &CreateMode::Ephemeral.with_acls(OPEN),
    )
    .await
    .unwrap();
    let mut source = Followed::start(config);
    source.until("one", |view| ports(view, "a.A") == [1]).await;
    // Silence: noticed, and over when the server goes on.
    real.signal("STOP");
    source.until("silence", |view| !view.state.connected).await;
    real.signal("CONT");
    source
        .until("goes on", |view| {
            view.state.connected && ports(view, "a.A") == [1]
        })
        .await;
    // A restart: sessions and their nodes are in its data.
    real.run("zk-down");
    source.until("down", |view| !view.state.connected).await;
    let while_down = source.view.borrow().clone();
    assert_eq!(ports(&while_down, "a.A"), [1], "the last view is kept");
    real.run("zk-up");
    source
        .until("up", |view| view.state.connected && ports(view, "a.A") == [1])
        .await;
    let added = super::native("b.B", 2);
    within("the provider is back", async {
        while zk
            .mkdir("/dubbo/b.B/providers", &CreateMode::Persistent.with_acls(OPEN))
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    zk.create(
        &path_of("b.B", &added),
        b"",
        &CreateMode::Ephemeral.with_acls(OPEN),
    )
    .await
    .unwrap();
    source
        .until("watched again", |view| ports(view, "b.B") == [2])
        .await;
}
