use codecs::provider_url::mark;
use harness::ports::Closed;
use harness::zookeeper::{Right, Server};
use registries::publish::LegacyRecords;
use registries::zookeeper::{Credentials, Identity, PublishState, Publisher, Secret, Withdraw};

use super::*;

fn identity(replica: &str) -> Identity {
    Identity {
        installation: "mig-a".to_owned(),
        replica: replica.to_owned(),
    }
}

/// A provider URL of a bridge replica.
fn ours(interface: &str, replica: &str, timestamp: u32) -> ProviderUrl {
    let timestamp = timestamp.to_string();
    let parameters = [
        ("interface", interface),
        (mark::OWNER, "mig-a"),
        (mark::REPLICA, replica),
        ("side", "provider"),
        ("timestamp", &timestamp),
    ];
    ProviderUrl::new("dubbo", "192.0.2.1", 20880, interface, parameters).unwrap()
}

fn records(urls: &[&ProviderUrl]) -> Arc<LegacyRecords> {
    let providers = urls
        .iter()
        .map(|url| (path_of(url.interface(), url), (*url).clone()))
        .collect();
    Arc::new(LegacyRecords { providers })
}

struct Published {
    desired: watch::Sender<Arc<LegacyRecords>>,
    state: watch::Receiver<PublishState>,
    withdraw: Withdraw,
    task: JoinSet<()>,
}

impl Published {
    fn start(config: Config, desired: Arc<LegacyRecords>) -> Self {
        let (publisher, withdraw, state) = Publisher::new(config, identity("r1"));
        let desired = watch::Sender::new(desired);
        let mut task = JoinSet::new();
        task.spawn(publisher.run(desired.subscribe()));
        Self {
            desired,
            state,
            withdraw,
            task,
        }
    }

    async fn until(&mut self, what: &str, holds: impl FnMut(&PublishState) -> bool) -> PublishState {
        let waited = timeout(LIMIT, self.state.wait_for(holds))
            .await
            .map(|state| state.unwrap().clone());
        match waited {
            Ok(state) => state,
            Err(_) => panic!("{what}: not within {LIMIT:?}; {:?}", self.state.borrow()),
        }
    }

    async fn owns(&mut self, count: usize) -> PublishState {
        self.until("owned", |state| {
            state.settled && state.owned == count && state.desired == count
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn makes_our_nodes_equal_to_what_is_desired() {
    let server = Server::start().await.unwrap();
    let shop = server.foreign();
    let beside = path_of("a.A", &native("a.A", 1));
    server.create_foreign(shop, &beside);
    let other_replica = path_of("a.A", &ours("a.A", "r2", 1));
    server.create_foreign(shop, &other_replica);
    let (a, b) = (ours("a.A", "r1", 1), ours("b.B", "r1", 1));
    let mut publisher = Published::start(config(&server.connect_string()), records(&[&a, &b]));
    publisher.owns(2).await;
    let session = server.connected()[0];
    for url in [&a, &b] {
        let node = server.get(&path_of(url.interface(), url)).unwrap();
        assert_eq!(
            (node.owner, node.data.len(), node.acl),
            (session, 0, Right::open())
        );
    }
    for directory in ["/dubbo", "/dubbo/b.B", "/dubbo/b.B/providers"] {
        assert_eq!(
            server.get(directory).unwrap().owner,
            0,
            "{directory} is persistent"
        );
    }
    // A replacement is there before what it replaces is gone.
    let again = ours("a.A", "r1", 2);
    server.take_requests();
    publisher.desired.send_replace(records(&[&again, &b]));
    within("replaced", server.wait_gone(&path_of("a.A", &a))).await;
    publisher.owns(2).await;
    let writes: Vec<String> = server
        .take_requests()
        .into_iter()
        .filter(|it| matches!(it.op, 1 | 2 | 15))
        .map(|it| it.path)
        .collect();
    assert_eq!(writes, [path_of("a.A", &again), path_of("a.A", &a)]);
    publisher.desired.send_replace(records(&[]));
    publisher.owns(0).await;
    // Directories stay, and so does what others wrote.
    assert!(server.get(&beside).is_some() && server.get(&other_replica).is_some());
    assert!(server.get("/dubbo/b.B/providers").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_again_after_its_session_ended() {
    let server = Server::start().await.unwrap();
    let urls = [ours("a.A", "r1", 1), ours("b.B", "r1", 1)];
    let desired = records(&[&urls[0], &urls[1]]);
    let mut publisher = Published::start(config(&server.connect_string()), desired);
    publisher.owns(2).await;
    for _ in 0..2 {
        let session = server.connected()[0];
        server.expire(session);
        within(
            "re-created",
            server.wait_until(|server| {
                urls.iter().all(|url| {
                    server
                        .get(&path_of(url.interface(), url))
                        .is_some_and(|node| node.owner != session)
                })
            }),
        )
        .await;
        publisher.owns(2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repairs_what_was_deleted_while_it_was_cut_off() {
    let server = Server::start().await.unwrap();
    let url = ours("a.A", "r1", 1);
    let path = path_of("a.A", &url);
    let mut publisher = Published::start(config(&server.connect_string()), records(&[&url]));
    publisher.owns(1).await;
    let session = server.connected()[0];
    let created = server.get(&path).unwrap().created;
    server.cut();
    within(
        "back",
        server.wait_until(|server| server.connected() == [session]),
    )
    .await;
    server.refuse(true);
    server.cut();
    publisher.until("cut off", |state| !state.connected).await;
    server.delete(&path);
    server.refuse(false);
    let node = within("repaired", server.wait_for(&path)).await;
    assert_eq!(node.owner, session, "the session outlived the cuts");
    assert!(node.created > created);
}

#[tokio::test(flavor = "multi_thread")]
async fn repairs_what_an_operator_deleted() {
    let server = Server::start().await.unwrap();
    let url = ours("a.A", "r1", 1);
    let path = path_of("a.A", &url);
    let mut config = config(&server.connect_string());
    config.verify = Duration::from_millis(100);
    let mut publisher = Published::start(config, records(&[&url]));
    publisher.owns(1).await;
    let created = server.get(&path).unwrap().created;
    server.delete(&path);
    let node = within("repaired", server.wait_for(&path)).await;
    assert!(node.created > created);
}

#[tokio::test(flavor = "multi_thread")]
async fn does_not_start_after_it_was_withdrawn() {
    let server = Server::start().await.unwrap();
    let (publisher, withdraw, _state) = Publisher::new(config(&server.connect_string()), identity("r1"));
    assert_eq!(within("withdrawn", withdraw.withdraw()).await, Default::default());
    let desired = watch::Sender::new(records(&[&ours("a.A", "r1", 1)]));
    within("ended", publisher.run(desired.subscribe())).await;
    assert_eq!(server.sessions().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_alone_what_is_not_ours() {
    let server = Server::start().await.unwrap();
    let shop = server.foreign();
    let (a, b) = (ours("a.A", "r1", 1), ours("b.B", "r1", 1));
    // A persistent node with our very name, and a record that does not carry our marks where a native stands.
    server.create(&path_of("a.A", &a), b"x");
    let native = native("c.C", 1);
    server.create_foreign(shop, &path_of("c.C", &native));
    let mut publisher = Published::start(config(&server.connect_string()), records(&[&a, &b, &native]));
    let state = publisher
        .until("settled", |state| state.settled && state.owned == 1)
        .await;
    assert_eq!(
        state.conflicts.get(&path_of("a.A", &a)).map(String::as_str),
        Some("a persistent node")
    );
    let why = state.conflicts.get(&path_of("c.C", &native)).map(String::as_str);
    assert_eq!(why, Some("does not carry the marks of this replica"));
    publisher.desired.send_replace(records(&[]));
    publisher.owns(0).await;
    assert_eq!(server.get(&path_of("a.A", &a)).unwrap().data, b"x");
    assert_eq!(server.get(&path_of("c.C", &native)).unwrap().owner, shop.session);
}

#[tokio::test(flavor = "multi_thread")]
async fn does_not_fight_with_a_process_of_the_same_marks() {
    let server = Server::start().await.unwrap();
    let other = server.foreign();
    let url = ours("a.A", "r1", 1);
    let path = path_of("a.A", &url);
    server.create_foreign(other, &path);
    let mut config = config(&server.connect_string());
    config.verify = Duration::from_millis(100);
    let mut publisher = Published::start(config, records(&[&url]));
    publisher.owns(1).await;
    // It takes it back: from now on it is left to it, and we say so.
    server.replace_foreign(other, &path);
    let state = publisher
        .until("conflict", |state| !state.conflicts.is_empty())
        .await;
    let why = format!("another process with our marks, session {:#x}", other.session);
    assert_eq!(state.conflicts.get(&path), Some(&why));
    assert_eq!(server.get(&path).unwrap().owner, other.session);
    server.expire(other.session);
    within(
        "ours again",
        server.wait_until(|server| server.get(&path).is_some_and(|node| node.owner != other.session)),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_past_what_is_refused() {
    let server = Server::start().await.unwrap();
    // More directories that may not be written than one step takes, and all of them sort first.
    let mut urls: Vec<ProviderUrl> = (0..150).map(|at| ours(&format!("a.A{at}"), "r1", 1)).collect();
    for url in &urls {
        let directory = format!("/dubbo/{}/providers", url.interface());
        server.create_with(&directory, Right::only("other", "secret"));
    }
    urls.push(ours("z.Z", "r1", 1));
    let mut config = config(&server.connect_string());
    config.publish_rate = 2000;
    let mut publisher = Published::start(config, records(&urls.iter().collect::<Vec<_>>()));
    let state = publisher
        .until("settled", |state| state.settled && state.owned == 1)
        .await;
    assert_eq!((state.desired, state.conflicts.len()), (151, 100));
    let why = state.conflicts.values().next().unwrap();
    assert!(why.ends_with("not authorized"), "{why}");
    assert!(server.get(&path_of("z.Z", urls.last().unwrap())).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_on_old_servers_and_below_a_chroot() {
    for version in [(3, 4), (3, 9)] {
        let options = harness::zookeeper::Options {
            version,
            ..Default::default()
        };
        let server = Server::start_with("127.0.0.1:0".parse().unwrap(), options)
            .await
            .unwrap();
        server.create("/estate", b"");
        let url = ours("a.A", "r1", 1);
        let path = format!("/estate{}", path_of("a.A", &url));
        let mut config = config(&format!("{}/estate", server.connect_string()));
        config.verify = Duration::from_millis(50);
        let mut publisher = Published::start(config, records(&[&url]));
        publisher.owns(1).await;
        let (session, created) = (server.connected(), server.get(&path).unwrap().created);
        server.take_requests();
        // Several comparisons later it is the same node by the same session.
        let mut seen = 0;
        within(
            "compared",
            server.wait_until(|server| {
                seen += server.take_requests().len();
                seen > 5
            }),
        )
        .await;
        assert_eq!(
            (server.connected(), server.get(&path).unwrap().created),
            (session, created),
            "{version:?}"
        );
        server.delete(&path);
        within("repaired", server.wait_for(&path)).await;
        assert_eq!(
            within("withdrawn", publisher.withdraw.withdraw()).await.removed,
            1,
            "{version:?}"
        );
        assert!(server.get(&path).is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_over_from_a_crashed_predecessor() {
    let server = Server::start().await.unwrap();
    let crashed = server.foreign();
    let (same, stale) = (ours("a.A", "r1", 1), ours("a.A", "r1", 0));
    let other = ours("a.A", "r2", 0);
    for url in [&same, &stale, &other] {
        server.create_foreign(crashed, &path_of("a.A", url));
    }
    let mut publisher = Published::start(config(&server.connect_string()), records(&[&same]));
    publisher.owns(1).await;
    let session = server.connected()[0];
    assert_eq!(server.get(&path_of("a.A", &same)).unwrap().owner, session);
    assert!(server.get(&path_of("a.A", &stale)).is_none());
    assert!(server.get(&path_of("a.A", &other)).is_some(), "another replica's");
    server.expire(crashed.session);
    assert!(
        server.get(&path_of("a.A", &same)).is_some(),
        "the crashed session's end does not take it away"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn withdraws_all_and_ends() {
    let server = Server::start().await.unwrap();
    let shop = server.foreign();
    let beside = path_of("a.A", &native("a.A", 1));
    server.create_foreign(shop, &beside);
    let urls: Vec<ProviderUrl> = (0..300).map(|at| ours(&format!("a.A{at}"), "r1", 1)).collect();
    let mut config = config(&server.connect_string());
    config.publish_rate = 2000;
    let mut publisher = Published::start(config, records(&urls.iter().collect::<Vec<_>>()));
    publisher.owns(300).await;
    let withdrawn = within("withdrawn", publisher.withdraw.withdraw()).await;
    assert_eq!((withdrawn.removed, withdrawn.left), (300, 0));
    assert!(
        server
            .dump("/dubbo")
            .values()
            .all(|node| node.owner == 0 || node.owner == shop.session)
    );
    assert!(server.get(&beside).is_some());
    within("ended", publisher.task.join_next())
        .await
        .unwrap()
        .unwrap();
    within(
        "session closed",
        server.wait_until(|server| server.connected().is_empty()),
    )
    .await;
    assert_eq!(within("again", publisher.withdraw.withdraw()).await.removed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn withdraws_at_once_when_the_server_is_not_there() {
    let closed = Closed::new().unwrap();
    let address = closed.address();
    let url = ours("a.A", "r1", 1);
    let mut publisher = Published::start(config(&address.to_string()), records(&[&url]));
    publisher.until("refused", |state| state.error.is_some()).await;
    assert_eq!(
        within("withdrawn", publisher.withdraw.withdraw()).await.removed,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn gives_up_withdrawing_when_cut_off() {
    let server = Server::start().await.unwrap();
    let urls: Vec<ProviderUrl> = (0..200).map(|at| ours(&format!("a.A{at}"), "r1", 1)).collect();
    let mut config = config(&server.connect_string());
    config.publish_rate = 2000;
    config.publish_session_timeout = Duration::from_secs(60);
    config.request_timeout = Duration::from_millis(500);
    let mut publisher = Published::start(config, records(&urls.iter().collect::<Vec<_>>()));
    publisher.owns(200).await;
    server.refuse(true);
    server.cut();
    publisher.until("cut off", |state| !state.connected).await;
    let began = std::time::Instant::now();
    let withdrawn = within("given up", publisher.withdraw.withdraw()).await;
    assert_eq!((withdrawn.removed, withdrawn.left), (0, 200));
    // Long before its session would end.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_with_the_registrys_kind_of_acl() {
    let server = Server::start().await.unwrap();
    let mut config = config(&server.connect_string());
    config.auth = Some(Credentials {
        user: "app".to_owned(),
        password: Secret::new("secret"),
    });
    // An open registry stays open although we have credentials; a closed one gets nodes of its own identity.
    let url = ours("a.A", "r1", 1);
    for (root, acl) in [
        ("/open", Right::open()),
        ("/closed", Right::only("app", "secret")),
    ] {
        server.create_with(root, acl.clone());
        config.root = root.to_owned();
        let path = format!("{root}/a.A/providers/{}", url.znode());
        let desired = LegacyRecords {
            providers: [(path.clone(), url.clone())].into(),
        };
        let mut publisher = Published::start(config.clone(), Arc::new(desired));
        publisher.owns(1).await;
        for node in [path, format!("{root}/a.A")] {
            assert_eq!(server.get(&node).unwrap().acl, acl, "{node}");
        }
    }
}

/// A short life on any server, for the comparison of the simulated one with a real one.
pub(crate) async fn publishes(address: &str, mut line: impl FnMut(String)) {
    let (a, b) = (ours("a.A", "r1", 1), ours("p.P", "r1", 1));
    let mut publisher = Published::start(config(address), records(&[&a, &b]));
    let state = publisher.owns(2).await;
    line(format!("conflicts: {:?}", state.conflicts));
    let mut source = Followed::start(config(address));
    let again = ours("a.A", "r1", 2);
    publisher.desired.send_replace(records(&[&again, &b]));
    // The state says of the old records, too, that two are owned: what is in the registry tells.
    source
        .until("replaced", |view| {
            let known = view.interfaces.get("a.A");
            let ours = known.into_iter().flat_map(|it| &it.providers);
            let ours: Vec<_> = ours.filter(|url| url.marks().is_some()).collect();
            ours.len() == 1 && ours[0].parameter("timestamp") == Some("2")
        })
        .await;
    let view = source.until("seen", |view| ports(view, "p.P").len() == 1).await;
    let seen = &view.interfaces.get("p.P").unwrap().providers[0];
    line(format!("marks: {:?}", seen.marks()));
    let withdrawn = within("withdrawn", publisher.withdraw.withdraw()).await;
    line(format!("withdrawn: {}", withdrawn.removed));
    source.until("gone", |view| ports(view, "p.P").is_empty()).await;
}
