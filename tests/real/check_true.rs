//! What a consumer sees, at its start and of its calls, and how often the provider was called.

use crate::calls::{Calls, Outcome, Thrown};
use crate::gateway::{Gateway, Setup};
use crate::peers::{PATIENT, Peers, free_port, peers};
use crate::process::{Process, START, eventually_or};
use crate::shop;
use crate::zookeeper::ZooKeeper;

/// A consumer that wants a provider at its start: how its first call ends, or that it did not start.
fn starts(peers: &Peers, zk: &ZooKeeper) -> Result<Vec<Outcome>, String> {
    let settings = [
        PATIENT,
        "mode=loop",
        "call=whoami",
        "count=3",
        "interval=10",
        "check=true",
    ]
    .map(str::to_owned);
    let mut consumer = peers.java(27, "consumer", &[settings.as_slice(), &[zk.setting()]].concat());
    let status = consumer.finish(START);
    if status.success() {
        Ok(Calls::of(consumer).outcomes())
    } else {
        Err(consumer.printed())
    }
}

#[test]
fn a_consumer_with_check_starts_while_the_gateway_serves_and_only_then() {
    let Some(peers) = peers() else { return };
    let zk = ZooKeeper::start(&peers);
    let port = free_port();
    let _provider = peers.java_provider(33, &["protocol=tri".to_owned(), format!("port={port}")]);
    let setup = Setup::edge()
        .zookeeper(&zk)
        .service(shop::ORDERS, None, Some(port));

    let absent = starts(&peers, &zk).expect_err("no provider is known");
    assert!(absent.contains("No provider available"), "{absent}");

    let mut gateway = Gateway::start(&peers, &setup);
    gateway.wait_published(&zk, shop::ORDERS);
    let up = starts(&peers, &zk).expect("the gateway is a provider");
    assert!(up.iter().all(|outcome| outcome.result.is_ok()), "{up:?}");

    // a drain withdraws the records before the ports close
    gateway.stop();
    assert_eq!(zk.urls(shop::ORDERS, "providers"), Vec::<String>::new());
    let drained = starts(&peers, &zk).expect_err("the gateway has withdrawn its records");
    assert!(drained.contains("No provider available"), "{drained}");

    gateway.again();
    gateway.wait_published(&zk, shop::ORDERS);
    let again = starts(&peers, &zk).expect("the gateway is back");
    assert!(again.iter().all(|outcome| outcome.result.is_ok()), "{again:?}");
}

/// The calls that a provider with `trace=true` has printed.
fn called(provider: &Process, method: &str) -> usize {
    provider
        .json_lines()
        .iter()
        .filter(|line| line["event"] == "call" && line["method"] == method)
        .count()
}

/// What both providers are asked. The slow call comes first: a repetition that comes late is counted with the next call. Its
/// timeout has room for what a new JVM loads before it sends anything.
const CALLS: [(&str, &str, &[&str]); 7] = [
    ("slow", "slow", &["slow=8000", "timeout=1500"]),
    ("hello-world", "hello", &[]),
    ("null", "nothing", &[]),
    ("void", "cancel", &[]),
    ("fail-checked", "fail", &[]),
    ("fail-unchecked", "fail", &[]),
    ("fail-runtime", "fail", &[]),
];

/// A provider of both sides, with `trace=true`, and one call of a new consumer to it.
type Side<'a> = (&'a Process, &'a dyn Fn(&str, &[&str]) -> Outcome);

/// Each call ends through the gateway as natively, and reaches the provider as often.
fn looks_as_natively(native: Side<'_>, ours: Side<'_>) {
    for (call, _, more) in CALLS {
        let code = |thrown: &Thrown| if thrown.is_timeout() { 2 } else { thrown.code };
        match (native.1(call, more).result, ours.1(call, more).result) {
            (Ok(wanted), Ok(got)) => assert_eq!(wanted, got, "{call}"),
            (Err(wanted), Err(got)) => assert_eq!(
                (&wanted.class, code(&wanted)),
                (&got.class, code(&got)),
                "{call}: {wanted:?} {got:?}"
            ),
            (wanted, got) => panic!("{call}: natively {wanted:?}, through the gateway {got:?}"),
        }
        // What a provider prints may come after its caller has gone.
        let counts =
            || CALLS.map(|(_, method, _)| (method, called(native.0, method), called(ours.0, method)));
        let what = || {
            format!(
                "{call}: the provider is called as often as natively: (method, natively, ours) {:?}",
                counts()
            )
        };
        eventually_or(what, START, || {
            counts()
                .iter()
                .all(|(_, native, ours)| native == ours)
                .then_some(())
        });
    }
    assert!(CALLS.iter().all(|(_, method, _)| called(native.0, method) > 0));
}

fn thrown(outcomes: &[Outcome]) -> &Thrown {
    assert_eq!(outcomes.len(), 1);
    outcomes[0].result.as_ref().expect_err("an exception")
}

/// One consumer against one provider: natively, then through the gateway, over ZooKeeper both times; a consumer retries twice.
fn retrying(peers: &Peers, zk: &ZooKeeper, call: &str, more: &[&str]) -> Vec<Outcome> {
    let mut settings = vec![zk.setting(), "retries=2".to_owned()];
    settings.extend(more.iter().map(|s| (*s).to_owned()));
    Calls::run(peers, 27, call, 1, 1, &settings)
}

#[test]
fn every_outcome_of_a_call_looks_as_from_a_native_provider() {
    let Some(peers) = peers() else { return };
    // natively: consumer and provider share a ZooKeeper
    let native_zk = ZooKeeper::start(&peers);
    let native = peers.java_provider(
        27,
        &[
            format!("port={}", free_port()),
            native_zk.setting(),
            "trace=true".to_owned(),
        ],
    );
    // through the gateway: the provider is a Triple one that only the gateway knows
    let zk = ZooKeeper::start(&peers);
    let port = free_port();
    let triple = peers.java_provider(
        33,
        &[
            "protocol=tri".to_owned(),
            format!("port={port}"),
            "trace=true".to_owned(),
        ],
    );
    let gateway = Gateway::start(
        &peers,
        &Setup::edge()
            .zookeeper(&zk)
            .service(shop::ORDERS, None, Some(port)),
    );
    gateway.wait_published(&zk, shop::ORDERS);

    let once = |zk: &ZooKeeper, call: &str, more: &[&str]| retrying(&peers, zk, call, more).remove(0);
    looks_as_natively(
        (&native, &|call, more| once(&native_zk, call, more)),
        (&triple, &|call, more| once(&zk, call, more)),
    );
}

/// A Triple consumer of Dubbo 3.3 by a fixed address; it retries twice, too.
fn retrying_triple(peers: &Peers, port: u16, call: &str, more: &[&str]) -> Vec<Outcome> {
    let mut settings = vec![
        "protocol=tri".to_owned(),
        format!("url=tri://127.0.0.1:{port}"),
        "retries=2".to_owned(),
    ];
    settings.extend(more.iter().map(|s| (*s).to_owned()));
    Calls::run(peers, 33, call, 1, 1, &settings)
}

#[test]
fn every_outcome_of_a_triple_consumers_call_looks_as_from_a_native_provider() {
    let Some(peers) = peers() else { return };
    let (native_port, port) = (free_port(), free_port());
    let native = peers.java_provider(
        33,
        &[
            "protocol=tri".to_owned(),
            format!("port={native_port}"),
            "trace=true".to_owned(),
        ],
    );
    let dubbo2 = peers.java_provider(27, &[format!("port={port}"), "trace=true".to_owned()]);
    let gateway = Gateway::start(&peers, &Setup::translator("dubbo2", "dubbo2", port, free_port()));

    let once = |port: u16, call: &str, more: &[&str]| retrying_triple(&peers, port, call, more).remove(0);
    looks_as_natively(
        (&native, &|call, more| once(native_port, call, more)),
        (&dubbo2, &|call, more| once(gateway.triple, call, more)),
    );
}

#[test]
fn a_dead_provider_is_said_to_be_dead_to_a_triple_consumer() {
    let Some(peers) = peers() else { return };
    // nobody listens there
    let setup = Setup::translator("dubbo2", "dubbo2", free_port(), free_port());
    let gateway = Gateway::start(&peers, &setup);
    let outcome = retrying_triple(&peers, gateway.triple, "whoami", &[]);
    let thrown = thrown(&outcome);
    assert!(thrown.class.ends_with("RpcException"), "{thrown:?}");
    assert!(
        thrown.message.contains("no connection to the provider"),
        "{thrown:?}"
    );
}

#[test]
fn a_dead_provider_is_said_to_be_dead() {
    let Some(peers) = peers() else { return };
    let zk = ZooKeeper::start(&peers);
    // nobody listens there
    let gateway = Gateway::start(
        &peers,
        &Setup::edge()
            .zookeeper(&zk)
            .service(shop::ORDERS, None, Some(free_port())),
    );
    gateway.wait_published(&zk, shop::ORDERS);
    let outcome = retrying(&peers, &zk, "whoami", &[]);
    let thrown = thrown(&outcome);
    assert!(thrown.class.ends_with("RpcException"), "{thrown:?}");
    assert!(
        thrown.message.contains(&format!(":{}", gateway.dubbo2)),
        "the message names the gateway: {thrown:?}"
    );
}

#[test]
fn an_unknown_method_is_an_error_of_the_call_alone() {
    let Some(peers) = peers() else { return };
    let port = free_port();
    let provider = peers.java_provider(33, &["protocol=tri".to_owned(), format!("port={port}")]);
    let gateway = Gateway::start(
        &peers,
        &Setup::translator("wrapper", "wrapper", free_port(), port),
    );
    // the suite's case wants an exception, and its neighbours must go on working
    let settings = [
        gateway.dubbo_url(),
        "only=generic-no-method|hello|whoami".to_owned(),
    ];
    peers.java_suite(27, &settings).assert_all(3);
    drop(provider);
}
