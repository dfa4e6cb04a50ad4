//! The Dubbo2 path end to end: raw bytes in, raw bytes out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::error::Limit;
use crate::limits::Limits;
use crate::rig::{
    Bridge, Consumer, LIMIT, ORDERS, Provider, RawFrame, captured, cases, legacy, patient, read_frame, wait,
};
use crate::worker::{Event, Settings};

fn hello() -> RawFrame {
    captured("dubbo-2.7.23-hello.req").unwrap()
}

async fn bridge(providers: &[&Provider]) -> Bridge {
    let addresses: Vec<_> = providers.iter().map(|provider| provider.address).collect();
    Bridge::start(vec![legacy(ORDERS, &addresses)], patient()).await
}

fn with_limits(limits: Limits) -> Settings {
    Settings {
        limits,
        timeouts: patient().timeouts,
    }
}

/// The text of an answer whose status is not 20, or the whole body as text.
fn text(frame: &RawFrame) -> String {
    String::from_utf8_lossy(&frame.body).into_owned()
}

#[tokio::test]
async fn every_captured_call_passes_with_its_bytes() {
    let cases = cases();
    assert!(cases.len() > 100, "captures are missing: {}", cases.len());
    for name in cases {
        let request = captured(&format!("{name}.req")).unwrap();
        let response = captured(&format!("{name}.resp")).unwrap();
        if request.is_event() || request.header[2] & 0x40 == 0 || request.header[2] & 0x1f != 2 {
            continue;
        }
        let target = codecs::dubbo2::Request::decode(
            &codecs::dubbo2::Frame {
                header: codecs::dubbo2::Header::decode(&request.header).unwrap(),
                body: request.body.clone().into(),
            },
            &mut codecs::hessian2::Scratch::new(),
            &codecs::hessian2::Limits::DEFAULT,
        )
        .unwrap();
        let target = target.target();
        let version = if target.version == "0.0.0" {
            ""
        } else {
            &*target.version
        };
        let key = codecs::ServiceKey::new(&*target.path, &*target.group, version).to_string();
        let answer = response.clone();
        let mut provider = Provider::start(move |request| Some(answer.bytes_as(request.id()))).await;
        let bridge = Bridge::start(vec![legacy(&key, &[provider.address])], patient()).await;
        let got = Consumer::connect(bridge.dubbo2).await.call(&request, 77).await;
        assert_eq!(got.header[2..4], response.header[2..4], "{name}");
        if response.status() != 20 {
            // The provider's own text, cut: a stack trace is long.
            let part = text(&got)
                .get(100..200)
                .map(str::to_owned)
                .unwrap_or_else(|| text(&got));
            assert!(text(&response).contains(&part), "{name}: {part}");
            continue;
        }
        // The attachments are rewritten only where the provider's are not what the consumer may see.
        let kept = response.body.len() - usize::from(response.body.last() == Some(&b'Z'));
        assert!(
            got.body.starts_with(&response.body[..kept]),
            "{name}: {got:?} for {response:?}"
        );
        let seen = provider.requests.recv().await.unwrap();
        // Everything up to the end of the attachments is as the consumer sent it; ours follow.
        let kept = request.body.len() - 1;
        assert_eq!(seen.body[..kept], request.body[..kept], "{name}");
        assert!(text(&seen).contains("landbridge-hop"), "{name}");
    }
}

#[tokio::test]
async fn a_pass_through_call_differs_by_the_hop_alone() {
    let mut provider = Provider::hello().await;
    let bridge = bridge(&[&provider]).await;
    let request = hello();
    let response = Consumer::connect(bridge.dubbo2)
        .await
        .call(&request, u64::MAX - 1)
        .await;
    assert_eq!(response.body, captured("dubbo-2.7.23-hello.resp").unwrap().body);
    let seen = provider.requests.recv().await.unwrap();
    let mut expected = request.body.clone();
    expected.pop();
    let hop = format!("test|{ORDERS}|hello|1");
    expected.extend_from_slice(b"\x0elandbridge-hop");
    expected.extend_from_slice(&[0x30, hop.len() as u8]);
    expected.extend_from_slice(hop.as_bytes());
    expected.push(b'Z');
    assert_eq!(seen.body, expected);
}

#[tokio::test]
async fn many_calls_on_one_connection_are_answered_out_of_order() {
    let response = captured("dubbo-2.7.23-hello.resp").unwrap();
    let held: Arc<std::sync::Mutex<Vec<u64>>> = Arc::default();
    // The provider answers each pair of requests in reverse.
    let provider = Provider::start(move |request| {
        let mut held = held.lock().unwrap();
        held.push(request.id());
        if held.len() < 2 {
            return None;
        }
        Some(
            held.drain(..)
                .rev()
                .flat_map(|id| response.bytes_as(id))
                .collect(),
        )
    })
    .await;
    let bridge = bridge(&[&provider]).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    let all: Vec<u8> = (0..100).flat_map(|id| hello().bytes_as(id)).collect();
    // One write, cut at odd places.
    for chunk in all.chunks(333) {
        consumer.send(chunk).await;
    }
    for id in 0..100 {
        assert_eq!(consumer.answer(id).await.status(), 20);
    }
}

#[tokio::test]
async fn ten_thousand_calls_leave_nothing_behind() {
    let provider = Provider::hello().await;
    let bridge = bridge(&[&provider]).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    let request = hello();
    for batch in 0..100u64 {
        let all: Vec<u8> = (0..100)
            .flat_map(|id| request.bytes_as(batch * 100 + id))
            .collect();
        consumer.send(&all).await;
        for id in 0..100 {
            assert_eq!(consumer.answer(batch * 100 + id).await.status(), 20);
        }
    }
    assert_eq!(bridge.pool.in_flight(), 0);
    let shard = &bridge.pool.shards()[0];
    let series = shard.series();
    assert_eq!(series.len(), 1, "one method, one series");
    assert_eq!(series[0].outcomes[0].load(Ordering::Relaxed), 10_000);
    assert!(provider.connections.load(Ordering::SeqCst) <= 4);
    drop(consumer);
    bridge.counted(Event::DownstreamClosed, 1).await;
    assert_eq!(shard.downstream.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn heartbeats_are_answered_and_one_way_calls_are_not() {
    let mut provider = Provider::hello().await;
    let bridge = bridge(&[&provider]).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    let mut one_way = hello();
    one_way.header[2] = 0x82;
    consumer.send(&one_way.bytes_as(1)).await;
    consumer
        .send(&captured("dubbo-2.7.23-heartbeat.req").unwrap().bytes_as(2))
        .await;
    let beat = consumer.answer(2).await;
    assert_eq!(
        (beat.header[2], beat.status(), &beat.body[..]),
        (0x22, 20, &b"N"[..])
    );
    assert_eq!(consumer.call(&hello(), 3).await.status(), 20);
    assert_eq!(provider.requests.recv().await.unwrap().header[2], 0x82);
}

#[tokio::test]
async fn a_silent_provider_is_a_timeout_and_its_late_reply_is_dropped() {
    let (late, response) = (
        Arc::new(AtomicUsize::new(0)),
        captured("dubbo-2.7.23-hello.resp").unwrap(),
    );
    let first = late.clone();
    let provider = Provider::start(move |request| {
        // The first request is answered together with the second one.
        match first.swap(request.id() as usize, Ordering::SeqCst) {
            0 => None,
            before => Some([response.bytes_as(before as u64), response.bytes_as(request.id())].concat()),
        }
    })
    .await;
    let mut settings = patient();
    // Long enough for the second call to be answered.
    settings.timeouts.call = Duration::from_secs(1);
    let bridge = Bridge::start(vec![legacy(ORDERS, &[provider.address])], settings).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    let answer = consumer.call(&hello(), 1).await;
    assert_eq!(answer.status(), 31, "{}", text(&answer));
    assert_eq!(consumer.call(&hello(), 2).await.status(), 20);
    assert_eq!(bridge.count(Event::LateReply), 1);
    assert!(late.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn a_dead_provider_is_avoided_and_alone_it_is_100() {
    // Bound, so that nobody else gets the port, and nobody listens.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let dead = closed.local_addr().unwrap();
    let provider = Provider::hello().await;
    let service = legacy(ORDERS, &[dead, provider.address]);
    let bridge = Bridge::start(vec![service], patient()).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    for id in 0..20 {
        assert_eq!(consumer.call(&hello(), id).await.status(), 20);
    }
    let alone = Bridge::start(vec![legacy(ORDERS, &[dead])], patient()).await;
    let answer = Consumer::connect(alone.dubbo2).await.call(&hello(), 1).await;
    assert_eq!(answer.status(), 100, "{}", text(&answer));
}

#[tokio::test]
async fn a_provider_that_hangs_up_on_a_call_is_80_and_called_once() {
    let mut provider = Provider::start(|_| Some(Vec::new())).await;
    let bridge = bridge(&[&provider]).await;
    let answer = Consumer::connect(bridge.dubbo2).await.call(&hello(), 1).await;
    assert_eq!(answer.status(), 80, "{}", text(&answer));
    assert!(provider.requests.recv().await.is_some());
    assert!(provider.requests.try_recv().is_err(), "the call was repeated");
}

#[tokio::test]
async fn an_unknown_service_is_an_exception_and_the_connection_lives() {
    let provider = Provider::hello().await;
    let bridge = Bridge::start(vec![legacy("com.acme.Other", &[provider.address])], patient()).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    for id in 0..2 {
        let answer = consumer.call(&hello(), id).await;
        assert_eq!((answer.status(), answer.body[0]), (20, 0x90));
        assert!(text(&answer).contains("java.lang.RuntimeException"));
        assert!(text(&answer).contains("no such service"));
    }
}

#[tokio::test]
async fn garbage_bodies_are_answered_and_the_connection_lives() {
    let provider = Provider::hello().await;
    let bridge = bridge(&[&provider]).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    for (id, body) in [&b""[..], b"\xff\xff\xff", b"\x052.0.2"].into_iter().enumerate() {
        let mut frame = hello();
        frame.body = body.to_vec();
        frame.header[12..].copy_from_slice(&(body.len() as u32).to_be_bytes());
        let answer = consumer.call(&frame, id as u64).await;
        assert_eq!(answer.status(), 40, "{}", text(&answer));
    }
    assert_eq!(consumer.call(&hello(), 9).await.status(), 20);
}

#[tokio::test]
async fn an_unknown_serialization_is_refused_by_name() {
    let provider = Provider::hello().await;
    let bridge = bridge(&[&provider]).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    let mut frame = hello();
    frame.header[2] = 0xc0 | 23;
    let answer = consumer.call(&frame, 1).await;
    assert_eq!(answer.status(), 40, "{}", text(&answer));
    assert!(
        text(&answer).contains("serialization 23 (fastjson2)"),
        "{}",
        text(&answer)
    );
    assert_eq!(consumer.call(&hello(), 2).await.status(), 20);
}

#[tokio::test]
async fn other_protocols_and_broken_framing_close_only_their_connection() {
    let provider = Provider::hello().await;
    let bridge = bridge(&[&provider]).await;
    let mut good = Consumer::connect(bridge.dubbo2).await;
    assert_eq!(good.call(&hello(), 1).await.status(), 20);
    for opening in [
        &b"status\r\n"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x00",
    ] {
        let mut other = Consumer::connect(bridge.dubbo2).await;
        other.send(opening).await;
        assert!(other.is_closed().await, "{opening:?}");
    }
    assert_eq!(bridge.count(Event::Text), 4);
    let mut bad = Consumer::connect(bridge.dubbo2).await;
    bad.send(&hello().bytes_as(1)).await;
    assert_eq!(bad.answer(1).await.status(), 20);
    bad.send(b"\xda\xbcnonsense").await;
    assert!(bad.is_closed().await);
    assert_eq!(bridge.count(Event::BadFraming), 1);
    assert_eq!(good.call(&hello(), 2).await.status(), 20);
}

#[tokio::test]
async fn an_oversize_frame_is_refused_by_its_header_alone() {
    let provider = Provider::hello().await;
    let limits = Limits {
        message: 1024,
        ..Limits::default()
    };
    let bridge = Bridge::start(vec![legacy(ORDERS, &[provider.address])], with_limits(limits)).await;
    for length in [1025u32, 0x7fff_ffff] {
        let mut consumer = Consumer::connect(bridge.dubbo2).await;
        let mut header = hello().header;
        header[12..].copy_from_slice(&length.to_be_bytes());
        header[4..12].copy_from_slice(&5u64.to_be_bytes());
        consumer.send(&header).await;
        let answer = consumer.answer(5).await;
        assert_eq!(answer.status(), 40, "{}", text(&answer));
        assert!(consumer.is_closed().await);
    }
    assert_eq!(bridge.count(Event::Oversize), 2);
    assert_eq!(bridge.pool.shards()[0].limit(Limit::Message), 2);
}

#[tokio::test]
async fn a_truncated_frame_is_given_up_on() {
    let provider = Provider::hello().await;
    let mut settings = patient();
    settings.timeouts.stalled = Duration::from_millis(100);
    let bridge = Bridge::start(vec![legacy(ORDERS, &[provider.address])], settings).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    consumer.send(&hello().bytes_as(1)[..40]).await;
    assert!(consumer.is_closed().await);
    assert_eq!(bridge.count(Event::Stalled), 1);
}

#[tokio::test]
async fn above_the_limit_in_flight_a_call_is_100_at_once() {
    let provider = Provider::start(|_| None).await;
    let limits = Limits {
        in_flight: 2,
        ..Limits::default()
    };
    let mut settings = with_limits(limits);
    settings.timeouts.call = Duration::from_secs(1);
    let bridge = Bridge::start(vec![legacy(ORDERS, &[provider.address])], settings).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    let all: Vec<u8> = (1..=3).flat_map(|id| hello().bytes_as(id)).collect();
    consumer.send(&all).await;
    assert_eq!(consumer.answer(3).await.status(), 100);
    assert_eq!(consumer.answer(1).await.status(), 31);
}

#[tokio::test]
async fn when_the_consumer_leaves_its_calls_are_cancelled() {
    let mut provider = Provider::start(|_| None).await;
    let bridge = bridge(&[&provider]).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    consumer.send(&hello().bytes_as(1)).await;
    provider.requests.recv().await.unwrap();
    assert_eq!(bridge.pool.in_flight(), 1);
    drop(consumer);
    wait(|| bridge.pool.in_flight() == 0).await;
    let series = bridge.pool.shards()[0].series();
    let cancelled = crate::worker::shard::OUTCOMES
        .iter()
        .position(|name| *name == "cancelled")
        .unwrap();
    assert_eq!(series[0].outcomes[cancelled].load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_loop_of_bridges_is_refused() {
    // The bridge finds itself as the provider.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let itself = listener.local_addr().unwrap();
    let bridge = Bridge::start(vec![legacy(ORDERS, &[itself])], patient()).await;
    let config = crate::listener::Config {
        wire: crate::worker::Wire::Dubbo2,
        becomes: None,
    };
    crate::tasks::Tasks::new().spawn(bridge.pool.accept(listener, config));
    let answer = Consumer::connect(bridge.dubbo2).await.call(&hello(), 1).await;
    assert_eq!((answer.status(), answer.body[0]), (20, 0x93));
    assert!(text(&answer).contains("loop of bridges"), "{}", text(&answer));
}

#[tokio::test]
async fn a_readonly_provider_is_still_used_when_it_is_alone() {
    let response = captured("dubbo-2.7.23-hello.resp").unwrap();
    let readonly = b"\xda\xbb\xa2\x00\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x02\x01R";
    let provider =
        Provider::start(move |request| Some([&readonly[..], &response.bytes_as(request.id())].concat()))
            .await;
    let bridge = bridge(&[&provider]).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    for id in 0..3 {
        assert_eq!(consumer.call(&hello(), id).await.status(), 20);
    }
    assert!(bridge.count(Event::Readonly) >= 1);
}

#[tokio::test]
async fn drain_says_readonly_finishes_what_runs_and_cuts_nothing() {
    let response = captured("dubbo-2.7.23-hello.resp").unwrap();
    let provider = Provider::start(move |request| {
        std::thread::yield_now();
        Some(response.bytes_as(request.id()))
    })
    .await;
    let bridge = bridge(&[&provider]).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    assert_eq!(consumer.call(&hello(), 1).await.status(), 20);
    bridge.pool.drain(true);
    let event = read_frame(&mut consumer.stream).await.unwrap();
    assert_eq!((event.header[2], &event.body[..]), (0xa2, &b"\x01R"[..]));
    // Calls that come all the same are still answered.
    assert_eq!(consumer.call(&hello(), 2).await.status(), 20);
    let drained = bridge.pool.finish(LIMIT).await;
    assert_eq!(drained.cut, 0);
    assert!(consumer.is_closed().await);
}

#[tokio::test]
async fn the_drain_cuts_and_counts_what_outlives_its_deadline() {
    let mut provider = Provider::start(|_| None).await;
    let mut settings = patient();
    settings.timeouts.call = Duration::from_secs(60);
    let bridge = Bridge::start(vec![legacy(ORDERS, &[provider.address])], settings).await;
    let mut consumer = Consumer::connect(bridge.dubbo2).await;
    consumer.send(&hello().bytes_as(1)).await;
    provider.requests.recv().await.unwrap();
    let drained = bridge.pool.finish(Duration::from_millis(50)).await;
    assert_eq!(drained.cut, 1);
}
