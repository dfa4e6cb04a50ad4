use std::collections::HashSet;
use std::net::SocketAddr;

use harness::ports::Closed;
use harness::zookeeper::{Foreign, Options, Right, Server};
use registries::zookeeper::{Credentials, Secret, WatchMode};

use super::*;

/// A server with two interfaces, `a.A` with one provider and `b.B` with two, and what is no interface beside them.
async fn shop() -> (Server, Foreign) {
    shop_of(Server::start().await.unwrap())
}

fn shop_of(server: Server) -> (Server, Foreign) {
    let shop = server.foreign();
    for (interface, port) in [("a.A", 1), ("b.B", 2), ("b.B", 3)] {
        server.create_foreign(shop, &path_of(interface, &native(interface, port)));
    }
    server.create("/dubbo/config/dubbo", b"");
    server.create("/dubbo/metadata/a.A/provider/shop", b"{}");
    server.create("/dubbo/mapping/a.A", b"shop");
    (server, shop)
}

fn old(version: (u32, u32)) -> Options {
    Options {
        version,
        ..Options::default()
    }
}

async fn start_old() -> Server {
    Server::start_with(SocketAddr::from(([127, 0, 0, 1], 0)), old((3, 4)))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_nothing_before_it_is_complete() {
    let (server, _shop) = shop().await;
    server.create("/dubbo/b.B/providers/no-url", b"");
    server.create(
        "/dubbo/b.B/configurators/override%3A%2F%2F0.0.0.0%2Fb.B%3Fweight%3D5",
        b"",
    );
    let mut source = Followed::start(config(&server.connect_string()));
    // Every view before the first complete one is empty.
    let view = source
        .until("interfaces", |view| {
            view.state.synced || !view.interfaces.is_empty()
        })
        .await;
    assert!(view.state.configured && view.state.synced && view.state.connected && view.state.error.is_none());
    assert_eq!(view.interfaces.len(), 2);
    assert_eq!((ports(&view, "a.A"), ports(&view, "b.B")), (vec![1], vec![2, 3]));
    let b = view.interfaces.get("b.B").unwrap();
    assert_eq!(b.configurators[0].parameter("weight"), Some("5"));
    assert_eq!(
        b.refused,
        [("no-url".to_owned(), "provider url has no scheme".to_owned())]
    );
    assert_eq!(server.watches("/dubbo"), (0, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_only_what_a_change_touches() {
    let (server, shop) = shop().await;
    let mut source = Followed::start(config(&server.connect_string()));
    let first = source.synced().await;
    server.take_requests();
    let added = path_of("a.A", &native("a.A", 9));
    server.create_foreign(shop, &added);
    server.create_foreign(shop, "/dubbo/b.B/consumers/consumer%3A%2F%2F192.0.2.9%2Fb.B");
    let second = source.until("added", |view| ports(view, "a.A") == [1, 9]).await;
    server.delete(&added);
    source.until("removed", |view| ports(view, "a.A") == [1]).await;
    server.create_foreign(shop, &path_of("new.N", &native("new.N", 5)));
    source
        .until("new interface", |view| ports(view, "new.N") == [5])
        .await;
    server.delete("/dubbo/new.N");
    source
        .until("interface gone", |view| view.interfaces.get("new.N").is_none())
        .await;
    let listed: HashSet<String> = server
        .take_requests()
        .into_iter()
        .filter(|it| it.is_list())
        .map(|request| request.path)
        .collect();
    let expected =
        ["/dubbo/a.A", "/dubbo/new.N"].map(|at| [format!("{at}/providers"), format!("{at}/configurators")]);
    assert_eq!(listed, expected.into_iter().flatten().collect());
    // What did not change is the same object.
    assert!(Arc::ptr_eq(
        first.interfaces.get("b.B").unwrap(),
        second.interfaces.get("b.B").unwrap()
    ));
    let same = |view: &LegacyView| view.interfaces.get("a.A").unwrap().providers[0].clone();
    assert!(Arc::ptr_eq(&same(&first), &same(&second)));
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_what_changed_during_a_cut_and_goes_on_watching() {
    let (server, shop) = shop().await;
    let mut source = Followed::start(config(&server.connect_string()));
    source.synced().await;
    let session = server.connected()[0];
    // Twice: the client library's own recursive watch does not survive the first.
    for round in 0..3_u16 {
        server.refuse(true);
        server.cut();
        let during = source.until("disconnected", |view| !view.state.connected).await;
        assert!(during.state.synced && during.state.error.is_some());
        assert_eq!(ports(&during, "a.A").len(), 1 + 2 * usize::from(round));
        server.create_foreign(shop, &path_of("a.A", &native("a.A", 100 + round)));
        server.refuse(false);
        source
            .until("the change of the cut", |view| {
                view.state.connected && ports(view, "a.A").contains(&(100 + round))
            })
            .await;
        server.create_foreign(shop, &path_of("a.A", &native("a.A", 200 + round)));
        source
            .until("a change after it", |view| {
                ports(view, "a.A").contains(&(200 + round))
            })
            .await;
    }
    assert_eq!(server.connected(), [session], "the session outlived the cuts");
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_the_end_of_its_session() {
    let (server, shop) = shop().await;
    let mut source = Followed::start(config(&server.connect_string()));
    source.synced().await;
    for round in 0..2_u16 {
        let session = server.connected()[0];
        server.refuse(true);
        server.expire(session);
        let during = source.until("lost", |view| !view.state.connected).await;
        assert_eq!(ports(&during, "b.B"), [2, 3], "the last view is kept");
        server.create_foreign(shop, &path_of("a.A", &native("a.A", 10 + round)));
        server.refuse(false);
        source
            .until("read again", |view| {
                view.state.connected && ports(view, "a.A").contains(&(10 + round))
            })
            .await;
        assert_ne!(server.connected(), [session]);
    }
    server.create_foreign(shop, &path_of("a.A", &native("a.A", 99)));
    source
        .until("watched again", |view| ports(view, "a.A").contains(&99))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn says_so_when_the_server_does_not_answer() {
    let (server, shop) = shop().await;
    let mut config = config(&server.connect_string());
    config.session_timeout = Duration::from_secs(4);
    let mut source = Followed::start(config);
    source.synced().await;
    server.pause(true);
    source
        .until("silence noticed", |view| !view.state.connected)
        .await;
    server.pause(false);
    server.create_foreign(shop, &path_of("a.A", &native("a.A", 9)));
    source
        .until("answers again", |view| {
            view.state.connected && ports(view, "a.A") == [1, 9]
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_a_server_that_is_not_there() {
    let closed = Closed::new().unwrap();
    let address = closed.address();
    let mut source = Followed::start(config(&address.to_string()));
    let view = source.until("refused", |view| view.state.error.is_some()).await;
    assert!(!view.state.synced && !view.state.connected);
    let error = view.state.error.clone().unwrap();
    assert!(
        error.contains(&format!("cannot connect to zookeeper {address}")),
        "{error}"
    );
    drop(closed);
    let (_server, _shop) = shop_of(Server::start_with(address, Options::default()).await.unwrap());
    let view = source.synced().await;
    assert_eq!((view.interfaces.len(), &view.state.error), (2, &None));
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_a_missing_root_for_an_empty_registry() {
    for mode in [WatchMode::Recursive, WatchMode::OneShot] {
        let server = Server::start().await.unwrap();
        let mut config = config(&server.connect_string());
        config.watch = mode;
        let mut source = Followed::start(config);
        let view = source.synced().await;
        assert_eq!(
            view.state.error.as_deref(),
            Some("registry root /dubbo does not exist")
        );
        let (server, _shop) = shop_of(server);
        let view = source.until("root", |view| view.interfaces.len() == 2).await;
        assert_eq!(view.state.error, None);
        // A root that vanished, with all it held, while nobody looked is not believed.
        server.refuse(true);
        server.cut();
        source.until("disconnected", |view| !view.state.connected).await;
        server.delete("/dubbo");
        server.refuse(false);
        let view = source.until("no root", |view| view.state.connected).await;
        assert_eq!(
            view.state.error.as_deref(),
            Some("registry root /dubbo does not exist")
        );
        assert_eq!(view.interfaces.len(), 2, "{mode:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn says_which_credentials_are_missing() {
    let (server, shop) = shop().await;
    for node in ["/dubbo", "/dubbo/a.A/providers"] {
        server.set_acl(node, Right::only("app", "secret"));
    }
    let with = |password: Option<&str>| {
        let mut config = config(&server.connect_string());
        config.auth = password.map(|password| Credentials {
            user: "app".to_owned(),
            password: Secret::new(password),
        });
        config
    };
    for password in [None, Some("wrong")] {
        let mut source = Followed::start(with(password));
        let view = source.until("refused", |view| view.state.error.is_some()).await;
        assert!(!view.state.synced);
        assert_eq!(view.state.error.as_deref(), Some("list /dubbo: not authorized"));
    }
    let mut source = Followed::start(with(Some("secret")));
    let view = source.synced().await;
    assert_eq!((view.interfaces.len(), &view.state.error), (2, &None));
    // One directory that may not be read does not hide the others, and keeps what was known of it.
    server.set_acl("/dubbo/a.A/providers", Right::only("other", "secret"));
    server.create_foreign(
        shop,
        "/dubbo/a.A/configurators/override%3A%2F%2F0.0.0.0%2Fa.A%3Fweight%3D5",
    );
    let view = source
        .until("one refused", |view| {
            !view.interfaces.get("a.A").unwrap().refused.is_empty()
        })
        .await;
    assert_eq!((ports(&view, "a.A"), ports(&view, "b.B")), (vec![1], vec![2, 3]));
    let why = &view.interfaces.get("a.A").unwrap().refused[0].1;
    assert_eq!(why, "providers: list /dubbo/a.A/providers: not authorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_only_the_wanted_interfaces_below_a_chroot() {
    let server = Server::start().await.unwrap();
    let shop = server.foreign();
    for interface in ["com.acme.A", "com.acme.OldA", "org.B"] {
        let url = native(interface, 1);
        server.create_foreign(shop, &format!("/estate{}", path_of(interface, &url)));
    }
    let mut config = config(&format!("{}/estate", server.connect_string()));
    config.interfaces =
        registries::zookeeper::Interfaces::new(&["com.acme.*".to_owned()], &["*.Old*".to_owned()]).unwrap();
    let mut source = Followed::start(config);
    let view = source.synced().await;
    let names: Vec<&str> = view.interfaces.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["com.acme.A"]);
    server.create_foreign(
        shop,
        &format!("/estate{}", path_of("com.acme.A", &native("com.acme.A", 2))),
    );
    source
        .until("an event below the chroot", |view| {
            ports(view, "com.acme.A") == [1, 2]
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn follows_three_thousand_interfaces() {
    let server = Server::start().await.unwrap();
    let shop = estate(&server, 3000);
    let mut source = Followed::start(config(&server.connect_string()));
    let first = source.synced().await;
    assert_eq!(first.interfaces.len(), 3000);
    server.take_requests();
    server.create_foreign(
        shop,
        &path_of("com.acme.Service7", &native("com.acme.Service7", 9)),
    );
    let second = source
        .until("one more", |view| ports(view, "com.acme.Service7").len() == 2)
        .await;
    assert_eq!(
        second.interfaces.changes(&first.interfaces),
        [Arc::from("com.acme.Service7")]
    );
    assert!(
        server.take_requests().len() <= 6,
        "one interface is read, not all"
    );
}

fn estate(server: &Server, interfaces: usize) -> Foreign {
    let shop = server.foreign();
    for at in 0..interfaces {
        let name = format!("com.acme.Service{at}");
        server.create_foreign(shop, &path_of(&name, &native(&name, 1)));
    }
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn falls_back_where_the_server_hides_its_version() {
    let options = Options {
        words: false,
        ..old((3, 5))
    };
    let server = Server::start_with(SocketAddr::from(([127, 0, 0, 1], 0)), options)
        .await
        .unwrap();
    let (server, shop) = shop_of(server);
    let mut source = Followed::start(config(&server.connect_string()));
    source.synced().await;
    server.create_foreign(shop, &path_of("a.A", &native("a.A", 9)));
    source
        .until("a change", |view| ports(view, "a.A") == [1, 9])
        .await;
    assert_eq!(server.watches("/dubbo/a.A/providers"), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn spreads_one_shot_watches_over_sessions_on_old_servers() {
    let server = start_old().await;
    let shop = estate(&server, 1200);
    let mut source = Followed::start(config(&server.connect_string()));
    assert_eq!(source.synced().await.interfaces.len(), 1200);
    let watches = server.one_shots();
    assert_eq!(
        watches.len(),
        3,
        "2,400 categories at 1,000 a session: {watches:?}"
    );
    assert!(watches.values().all(|count| *count <= 1001), "{watches:?}");
    let add = |at: usize, port| {
        let name = format!("com.acme.Service{at}");
        server.create_foreign(shop, &path_of(&name, &native(&name, port)));
        name
    };
    for round in 0..2 {
        let name = add(1100 + round, 9);
        source
            .until("a change", |view| ports(view, &name) == [1, 9])
            .await;
        server.refuse(true);
        server.cut();
        source.until("disconnected", |view| !view.state.connected).await;
        let (a, b) = (add(round, 9), add(700 + round, 9));
        server.refuse(false);
        source
            .until("changes of the cut", |view| {
                view.state.connected && ports(view, &a) == [1, 9] && ports(view, &b) == [1, 9]
            })
            .await;
    }
    let url = native("com.acme.New", 4);
    server.create_foreign(shop, &path_of("com.acme.New", &url));
    source
        .until("a new interface", |view| ports(view, "com.acme.New") == [4])
        .await;
    server.take_requests();
    server.delete(&path_of("com.acme.New", &url));
    source
        .until("its provider gone", |view| ports(view, "com.acme.New").is_empty())
        .await;
    assert!(server.take_requests().len() <= 6);
}
