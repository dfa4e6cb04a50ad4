//! Dubbo2 callers and Dubbo2 providers with the gateway between: nothing is translated.

use std::collections::{BTreeMap, BTreeSet};

use crate::gateway::{Gateway, Setup};
use crate::peers::{Peers, free_port, peers};
use crate::tap::{Frame, Tap};
use crate::zookeeper::ZooKeeper;

#[test]
fn java_27_to_java_27_through_the_translator() {
    let Some(peers) = peers() else { return };
    let port = free_port();
    let _provider = peers.java_provider(27, &[format!("port={port}")]);
    let gateway = Gateway::start(&peers, &Setup::translator("dubbo2", "dubbo2", port, free_port()));
    peers.java_suite(27, &[gateway.dubbo_url()]).assert_all(350);
}

#[test]
fn java_33_to_java_26_through_the_translator() {
    let Some(peers) = peers() else { return };
    let port = free_port();
    let _provider = peers.java_provider(26, &[format!("port={port}")]);
    let gateway = Gateway::start(&peers, &Setup::translator("dubbo2", "dubbo2", port, free_port()));
    peers
        .java_suite(33, &[gateway.dubbo_url(), "peer=2.6".to_owned()])
        .assert_all(349);
}

#[test]
fn java_27_finds_java_27_in_zookeeper_and_reaches_it_through_the_edge() {
    let Some(peers) = peers() else { return };
    let zk = ZooKeeper::start(&peers);
    let _provider = peers.java_provider(27, &[format!("port={}", free_port()), zk.setting()]);
    let gateway = Gateway::start(&peers, &Setup::edge().zookeeper(&zk));
    peers.java_suite(27, &[gateway.dubbo_url()]).assert_all(350);
}

/// The attachments that the gateway adds or changes on the way to a provider.
const OURS: [&str; 1] = ["landbridge-hop"];

#[test]
fn argument_bytes_are_the_same_and_only_our_attachments_differ() {
    let Some(peers) = peers() else { return };
    let port = free_port();
    let _provider = peers.java_provider(27, &[format!("port={port}")]);
    let back = Tap::start(port);
    let gateway = Gateway::start(
        &peers,
        &Setup::translator("dubbo2", "dubbo2", back.port, free_port()),
    );
    let front = Tap::start(gateway.dubbo2);
    let added = differences(&peers, &front, &back);
    assert!(
        added.iter().all(|name| OURS.contains(&name.as_str())),
        "attachments added: {added:?}"
    );
}

/// The comparison's own proof: a relay changes nothing.
#[test]
fn two_relays_in_a_row_show_no_difference() {
    let Some(peers) = peers() else { return };
    let port = free_port();
    let _provider = peers.java_provider(27, &[format!("port={port}")]);
    let back = Tap::start(port);
    let front = Tap::start(back.port);
    assert_eq!(differences(&peers, &front, &back), BTreeSet::new());
}

/// Runs the suite into `front`; all bytes must come out at `back`. Gives the attachments that were added between.
fn differences(peers: &Peers, front: &Tap, back: &Tap) -> BTreeSet<String> {
    // a call whose answer nobody waits for may overtake the next one, or be cut off at the end
    let skip = "skip=timeout|one-way|async-context|future";
    peers
        .java_suite(
            27,
            &[format!("url=dubbo://127.0.0.1:{}", front.port), skip.to_owned()],
        )
        .assert_all(346);
    let calls = |tap: &Tap| {
        by_call(
            tap.requests()
                .into_iter()
                .filter(|frame| !frame.is_event())
                .collect(),
        )
    };
    let (sent, received) = (calls(front), calls(back));
    assert_eq!(sent.len(), received.len(), "as many calls on both sides");
    let mut added = BTreeSet::new();
    for (sent, received) in sent.iter().zip(&received) {
        assert_eq!(sent.header[2], received.header[2], "flags and serialization");
        let border = attachments_begin(&sent.body);
        assert!(
            sent.body.get(..border) == received.body.get(..border),
            "service, method, types and arguments"
        );
        let (before, after) = (
            attachments(&sent.body[border..]),
            attachments(&received.body[border..]),
        );
        for (name, value) in &before {
            assert_eq!(after.get(name), Some(value), "attachment {name}");
        }
        added.extend(after.into_keys().filter(|name| !before.contains_key(name)));
    }
    let answers = |tap: &Tap| {
        let answers = tap.responses().into_iter().filter(|frame| !frame.is_event());
        let mut bodies: Vec<_> = answers.map(|frame| (frame.header[3], frame.body)).collect();
        bodies.sort();
        bodies
    };
    assert!(
        answers(front) == answers(back),
        "the answers' bodies are the same on both sides"
    );
    added
}

/// In the order of service, method and arguments: the gateway may use several connections where the caller has one.
fn by_call(mut frames: Vec<Frame>) -> Vec<Frame> {
    frames.sort_by(|a, b| a.body[..attachments_begin(&a.body)].cmp(&b.body[..attachments_begin(&b.body)]));
    frames
}

/// Where the attachments begin: 2.7.23 always writes `path` first.
fn attachments_begin(body: &[u8]) -> usize {
    let mark = b"H\x04path";
    body.windows(mark.len())
        .rposition(|window| window == mark)
        .expect("attachments begin with the path")
}

/// The attachments, all of them strings, by a reader of this test's own.
fn attachments(mut bytes: &[u8]) -> BTreeMap<String, String> {
    fn string<'a>(bytes: &mut &'a [u8]) -> &'a str {
        let (head, length) = match bytes[0] {
            short @ 0..=0x1f => (1, usize::from(short)),
            medium @ 0x30..=0x33 => (2, usize::from(medium - 0x30) << 8 | usize::from(bytes[1])),
            other => panic!("0x{other:02x} begins no attachment"),
        };
        let text = std::str::from_utf8(&bytes[head..])
            .unwrap_or_else(|error| std::str::from_utf8(&bytes[head..head + error.valid_up_to()]).unwrap());
        let end = text.char_indices().nth(length).map_or(text.len(), |(at, _)| at);
        *bytes = &bytes[head + end..];
        &text[..end]
    }
    let mut map = BTreeMap::new();
    bytes = &bytes[1..];
    while bytes[0] != b'Z' {
        let name = string(&mut bytes).to_owned();
        map.insert(name, string(&mut bytes).to_owned());
    }
    map
}
