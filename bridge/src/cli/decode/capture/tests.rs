//! Conversations as a capture has them: whole, cut, out of order, begun earlier.

use std::io::BufReader;
use std::net::SocketAddr;

use proptest::prelude::*;

use super::super::report::Options;
use super::super::write::{self, pcap, pcapng, segment};
use super::*;

const SYN: u8 = 2;
const FIN: u8 = 1;
const ACK: u8 = 0x10;

/// A conversation between two ends; every packet a microsecond after the one before.
struct Talk {
    ends: [SocketAddr; 2],
    sequences: [u32; 2],
    packets: Vec<(u64, Vec<u8>)>,
}

impl Talk {
    fn new(port: u16) -> Self {
        Self {
            ends: [
                SocketAddr::from(([10, 0, 0, 1], 40_000)),
                SocketAddr::from(([10, 0, 0, 2], port)),
            ],
            sequences: [u32::MAX - 5, 1000],
            packets: Vec::new(),
        }
    }

    fn packet(&mut self, side: usize, flags: u8, data: &[u8]) {
        let bytes = segment(
            self.ends[side],
            self.ends[1 - side],
            self.sequences[side],
            self.sequences[1 - side],
            flags,
            data,
        );
        let length = u32::try_from(data.len()).unwrap() + u32::from(flags & (SYN | FIN) != 0);
        self.sequences[side] = self.sequences[side].wrapping_add(length);
        let time = 1_700_000_000_000_000_000 + self.packets.len() as u64 * 1000;
        self.packets.push((time, bytes));
    }

    fn open(mut self) -> Self {
        self.packet(0, SYN, b"");
        self.packet(1, SYN | ACK, b"");
        self
    }

    fn say(mut self, side: usize, data: &[u8]) -> Self {
        for chunk in data.chunks(1000) {
            self.packet(side, ACK, chunk);
        }
        self
    }

    fn close(mut self) -> Self {
        self.packet(0, FIN | ACK, b"");
        self.packet(1, FIN | ACK, b"");
        self
    }

    /// Bytes that are sent and not captured.
    fn lose(mut self, side: usize, length: u32) -> Self {
        self.sequences[side] = self.sequences[side].wrapping_add(length);
        self
    }

    fn file(&self) -> Vec<u8> {
        pcap(101, true, false, &self.packets)
    }

    fn shown(&self) -> String {
        shown(&self.file(), &Options::default()).0
    }

    fn lines(&self) -> Vec<String> {
        lines(&self.file(), &[])
    }
}

fn shown(file: &[u8], options: &Options) -> (String, Result<(), String>) {
    let mut out = Vec::new();
    let ended = show(BufReader::with_capacity(64, file), options, &mut out);
    (String::from_utf8(out).unwrap(), ended)
}

/// The summary lines, without time and ends.
fn lines(file: &[u8], grep: &[&str]) -> Vec<String> {
    let options = Options {
        summary: true,
        grep: grep.iter().map(|text| (*text).to_owned()).collect(),
        ..Options::default()
    };
    let (text, ended) = shown(file, &options);
    assert_eq!(ended, Ok(()));
    let lines = text.lines().filter_map(|line| line.split_once(" → "));
    lines
        .map(|(_, line)| line.split_once("  ").unwrap().1.to_owned())
        .collect()
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/../tests/fixtures/java-captures/{name}.bin",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn dubbo2(case: &str) -> (Vec<u8>, Vec<u8>) {
    let name = format!("dubbo-3.3.6-{case}");
    (fixture(&format!("{name}.req")), fixture(&format!("{name}.resp")))
}

fn triple(case: &str) -> (Vec<u8>, Vec<u8>) {
    let name = format!("tri-3.3.6-{case}");
    (fixture(&format!("{name}.req")), fixture(&format!("{name}.resp")))
}

#[test]
fn a_dubbo2_call_is_shown_with_its_answer() {
    let (request, response) = dubbo2("hello");
    let talk = Talk::new(20880).open().say(0, &request).say(1, &response).close();
    let text = talk.shown();
    assert!(
        text.starts_with("capture begins 2023-11-14 22:13:20.000000 UTC\n"),
        "{text}"
    );
    assert!(
        text.contains("22:13:20.000002  10.0.0.1:40000 → 10.0.0.2:20880  Dubbo2 request"),
        "{text}"
    );
    for part in [
        "  org.landbridge.peers.api.OrderService.hello\n",
        "    descriptor: \"Ljava/lang/String;\"\n",
        "      \"world\"\n",
        "  result of 12 bytes  to org.landbridge.peers.api.OrderService.hello after 0.001 ms\n",
        "      \"hello world\"\n",
        "      dubbo: \"2.0.2\"\n",
        "6 packets, 1 connections, 2 frames\n",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn a_triple_call_is_shown_with_headers_messages_and_trailers() {
    let (request, response) = triple("wrapper-hello");
    let talk = Talk::new(50051).open().say(0, &request).say(1, &response).close();
    let lines = talk.lines();
    let stream = "stream 3 /org.landbridge.peers.api.OrderService/hello";
    for line in [
        "HTTP/2 preface".to_owned(),
        format!("HEADERS {stream}  POST  timeout 10000000u"),
        format!("DATA {stream}, 41 bytes  wrapper hessian4 (java.lang.String)"),
        format!("HEADERS {stream}  status 200"),
        format!("HEADERS {stream}  grpc-status 0 OK  after 0.001 ms, END_STREAM"),
    ] {
        assert!(lines.contains(&line), "{line:?} in {lines:#?}");
    }
    let text = talk.shown();
    for part in [
        "    tri-consumer-appname: \"lb-336\"\n",
        "    wrapper, serializeType hessian4\n",
        "        \"hello world\"\n",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

/// A raw line feed in `grpc-message`, which every decoder of a connection refuses.
#[test]
fn what_java_3_3_should_not_have_sent_is_shown() {
    let (request, response) = triple("idl-unary-crash");
    let talk = Talk::new(50051).open().say(0, &request).say(1, &response).close();
    let line = talk
        .lines()
        .into_iter()
        .find(|line| line.contains("grpc-status 2"))
        .unwrap();
    assert!(line.contains("status 500") && line.contains("\\n"), "{line}");
}

/// Every capture of a real call, each with all its frames, in packets of a thousand bytes.
#[test]
fn every_captured_call_is_read_to_its_end() {
    let folder = format!("{}/../tests/fixtures/java-captures", env!("CARGO_MANIFEST_DIR"));
    let mut calls = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(case) = name.strip_suffix(".req.bin") else {
            continue;
        };
        let Ok(response) = std::panic::catch_unwind(|| fixture(&format!("{case}.resp"))) else {
            continue;
        };
        let talk = Talk::new(20880)
            .open()
            .say(0, &fixture(&format!("{case}.req")))
            .say(1, &response)
            .close();
        let (text, ended) = shown(&talk.file(), &Options::default());
        assert_eq!(ended, Ok(()));
        for trouble in [
            "not readable",
            "no frame",
            "never came",
            "stopped",
            "cut:",
            "not shown",
            "lost",
        ] {
            assert!(!text.contains(trouble), "{case}: {trouble} in {text}");
        }
        calls += 1;
    }
    assert!(calls > 100, "{calls}");
}

#[test]
fn what_the_capture_lost_is_named_and_the_next_frame_is_shown() {
    let (request, response) = dubbo2("hello");
    let second = [&request[..], &request[..]].concat();
    // A hole inside of a body, at a border, and over the beginning of a frame.
    for (from, to) in [
        (30, 60),
        (0, 60),
        (200, request.len()),
        (100, request.len()),
        (30, request.len() + 20),
    ] {
        let lost = u32::try_from(to - from).unwrap();
        let talk = Talk::new(20880)
            .open()
            .say(0, &second[..from])
            .lose(0, lost)
            .say(0, &second[to..])
            .say(0, &request)
            .say(1, &response)
            .close();
        let lines = talk.lines();
        assert!(
            lines.iter().any(|line| line.contains("the capture")),
            "{from}..{to}: {lines:#?}"
        );
        let whole = lines
            .iter()
            .filter(|line| line.contains("request") && line.ends_with(".hello"))
            .count();
        let want = if to <= request.len() { 2 } else { 1 };
        assert_eq!(whole, want, "{from}..{to}: {lines:#?}");
        assert!(
            lines.iter().any(|line| line.contains("result of 12 bytes")),
            "{lines:#?}"
        );
    }
}

#[test]
fn holes_in_http2_damage_one_message_or_what_stood_there() {
    let (request, response) = triple("wrapper-hello");
    for (from, to) in [
        (request.len() - 30, request.len() - 20),
        (request.len() - 70, request.len() - 9),
    ] {
        let lost = u32::try_from(to - from).unwrap();
        let talk = Talk::new(50051)
            .open()
            .say(0, &request[..from])
            .lose(0, lost)
            .say(0, &request[to..])
            .say(1, &response)
            .close();
        let lines = talk.lines();
        assert!(
            lines
                .iter()
                .any(|line| line.contains("not all of it is in the capture")),
            "{lines:#?}"
        );
        assert!(
            lines.iter().any(|line| line.contains("0 bytes, END_STREAM")),
            "{lines:#?}"
        );
        assert!(
            lines.iter().any(|line| line.contains("grpc-status 0 OK")),
            "{lines:#?}"
        );
    }
}

#[test]
fn a_capture_may_begin_in_the_middle() {
    let (request, response) = dubbo2("hello");
    let both = [&request[40..], &request[..]].concat();
    let lines = Talk::new(20880).say(0, &both).say(1, &response).lines();
    assert!(
        lines
            .iter()
            .any(|line| line.contains("request") && line.ends_with(".hello")),
        "{lines:#?}"
    );
    assert!(
        lines.iter().any(|line| line.contains("result of 12 bytes")),
        "{lines:#?}"
    );

    // In a body that is text, in a segment of its own.
    let lines = Talk::new(20880)
        .say(0, &[b'x'; 200])
        .say(0, &request)
        .say(1, &response)
        .lines();
    assert!(
        lines[0].contains("request") && lines[0].ends_with(".hello"),
        "{lines:#?}"
    );
    assert_eq!(
        Talk::new(80).say(0, b"GET / HTTP/1.1\r\nhost: a").lines().len(),
        1
    );

    // Behind the preface, the settings and the first headers.
    let (request, response) = triple("wrapper-hello");
    let data = request
        .windows(4)
        .position(|bytes| bytes == [0, 0, 41, 0])
        .unwrap();
    let lines = Talk::new(50051)
        .say(0, &request[data..])
        .say(1, &response)
        .lines();
    assert!(
        lines.iter().any(|line| line.contains("wrapper hessian4")),
        "{lines:#?}"
    );
    assert!(
        lines.iter().any(|line| line.contains("grpc-status 0 OK")),
        "{lines:#?}"
    );
}

/// A capture of the first 100 bytes of each packet tells what was called all the same.
#[test]
fn packets_cut_short_show_what_is_there() {
    let (request, response) = dubbo2("create");
    let talk = Talk::new(20880).open().say(0, &request).say(1, &response).close();
    let mut file = talk.file()[..24].to_vec();
    for (_, packet) in &talk.packets {
        let captured = u32::try_from(packet.len().min(200)).unwrap();
        file.extend_from_slice(&[0; 8]);
        file.extend_from_slice(&captured.to_le_bytes());
        file.extend_from_slice(&u32::try_from(packet.len()).unwrap().to_le_bytes());
        file.extend_from_slice(&packet[..200.min(packet.len())]);
    }
    let (text, ended) = shown(&file, &Options::default());
    assert_eq!(ended, Ok(()));
    assert!(text.contains("cut: not all of it is in the capture"), "{text}");
    assert!(
        text.contains("\"org.landbridge.peers.api.OrderService\""),
        "{text}"
    );
}

#[test]
fn a_gzip_message_is_inflated_and_others_are_named() {
    let mut wrapper = bytes::BytesMut::new();
    let (arguments, types) = ([b"\x05hello"], ["java.lang.String"]);
    codecs::triple::wrapper::encode_request("hessian4", arguments.iter(), types.iter(), &mut wrapper);
    let packed = codecs::triple::message::gzip(&wrapper).unwrap();
    for (encoding, want) in [
        ("gzip", "wrapper hessian4 (java.lang.String), gzip"),
        ("snappy", "\"snappy\""),
    ] {
        let mut block = vec![0x83, 0x04, 4];
        block.extend_from_slice(b"/a/b");
        block.extend_from_slice(&[0, 13]);
        block.extend_from_slice(b"grpc-encoding");
        block.push(u8::try_from(encoding.len()).unwrap());
        block.extend_from_slice(encoding.as_bytes());
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend_from_slice(&[0, 0, u8::try_from(block.len()).unwrap(), 1, 4, 0, 0, 0, 1]);
        bytes.extend_from_slice(&block);
        let length = u8::try_from(packed.len()).unwrap();
        bytes.extend_from_slice(&[0, 0, length + 5, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, length]);
        bytes.extend_from_slice(&packed);
        let lines = Talk::new(50051).open().say(0, &bytes).lines();
        let line = lines
            .iter()
            .find(|line| line.starts_with("DATA stream 1 /a/b"))
            .unwrap();
        assert!(line.contains(want), "{line}");
        assert!(
            lines
                .iter()
                .any(|line| line.contains("has no end in the capture")),
            "{lines:#?}"
        );
    }
}

#[test]
fn filters_choose_frames_and_connections() {
    let (request, response) = dubbo2("hello");
    let mut talk = Talk::new(20880).open().say(0, &request).say(1, &response).close();
    talk.packets.extend(
        Talk::new(2181)
            .open()
            .say(0, b"ruok\n")
            .say(1, b"imok")
            .close()
            .packets,
    );
    let file = pcapng(101, false, &talk.packets);
    assert_eq!(lines(&file, &[]).len(), 4);
    assert_eq!(lines(&file, &["hello"]).len(), 2);
    assert_eq!(lines(&file, &["hello", "response"]).len(), 1);
    assert_eq!(lines(&file, &["imok"]), ["text \"imok\""]);
    let ports = |ports: Vec<u16>| Options {
        ports,
        ..Options::default()
    };
    assert!(
        shown(&file, &ports(vec![2181]))
            .0
            .ends_with("1 connections, 0 frames, 2 other lines\n")
    );
    let hosts = Options {
        hosts: vec!["10.9.9.9".parse().unwrap()],
        ..Options::default()
    };
    assert!(shown(&file, &hosts).0.ends_with("0 connections, 0 frames\n"));
}

#[test]
fn what_was_not_answered_is_said() {
    let (request, _) = dubbo2("hello");
    let lines = Talk::new(20880).open().say(0, &request).close().lines();
    assert!(
        lines
            .last()
            .unwrap()
            .ends_with(".hello  has no answer in the capture"),
        "{lines:#?}"
    );
    let text = Talk::new(20880).open().say(0, &request).close().shown();
    assert!(text.ends_with(" 1 frames, 1 other lines\n"), "{text}");
}

#[test]
fn other_traffic_is_counted_and_named() {
    let mut talk = Talk::new(443)
        .open()
        .say(0, &[0x16, 3, 1, 0, 200, 1, 0, 0])
        .close();
    talk.packets
        .push((0, write::ip([1; 4].into(), [2; 4].into(), 17, &[0; 8])));
    talk.packets
        .extend(Talk::new(2181).open().say(0, &[0; 45]).close().packets);
    let text = talk.shown();
    for part in [
        "10.0.0.1:40000 ↔ 10.0.0.2:443: TLS, which is not decrypted",
        "10.0.0.2:2181: begins with 00000000",
        "1 packets that are not TCP",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let (text, ended) = shown(&talk.file()[..100], &Options::default());
    assert!(ended.unwrap_err().contains("ends inside a packet"), "{text}");
    assert!(text.ends_with("1 packets, 1 connections, 0 frames\n"), "{text}");
}

/// Connections without end, each with a frame that never becomes whole.
#[test]
fn memory_is_bounded_by_connections_and_bytes() {
    let mut out = std::io::sink();
    let options = Options::default();
    let mut capture = Capture {
        report: Report::lines(&mut out, &options),
        options: &options,
        connections: HashMap::new(),
        packets: 0,
        held: 0,
        seen: 0,
        others: BTreeMap::new(),
        unread: Vec::new(),
        unread_more: 0,
        dropped: 0,
    };
    let mut head = vec![0xda, 0xbb, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x80, 0, 0];
    // A tag that nothing has: only the header is shown.
    head.resize(60_000, 0x40);
    for n in 0..10_000u32 {
        let from = SocketAddr::from((n.to_be_bytes(), 1));
        let bytes = segment(from, SocketAddr::from(([0, 0, 0, 1], 20880)), 0, 0, ACK, &head);
        capture.packets += 1;
        let segment = segment::read(101, &bytes, bytes.len()).unwrap();
        capture.segment(&segment, 0);
        assert!(capture.connections.len() <= MOST_CONNECTIONS && capture.held <= MOST_HELD);
    }
    let held: usize = capture.connections.values().map(Connection::held).sum();
    assert_eq!(held, capture.held);
    assert!(capture.dropped > 5000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Packets that are dropped, repeated, swapped and damaged: never a panic, always an end.
    #[test]
    fn any_damage_is_survived(
        wire in 0usize..2,
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0u8..5, any::<u8>(), any::<prop::sample::Index>()), 0..12),
    ) {
        let (request, response) = if wire == 0 { dubbo2("create") } else { triple("wrapper-create") };
        let mut talk = Talk::new(20880).open();
        for _ in 0..3 {
            for chunk in request.chunks(150) {
                talk = talk.say(0, chunk);
            }
            for chunk in response.chunks(150) {
                talk = talk.say(1, chunk);
            }
        }
        let mut packets = talk.close().packets;
        for (at, kind, byte, place) in damage {
            let at = at.index(packets.len());
            match kind {
                0 => { packets.remove(at); }
                1 => { let packet = packets[at].clone(); packets.push(packet); }
                2 => { let last = packets.len() - 1; packets.swap(at, last); }
                3 => { let packet = &mut packets[at].1; let place = place.index(packet.len()); packet[place] = byte; }
                _ => { let packet = &mut packets[at].1; let place = place.index(packet.len()); packet.truncate(place); }
            }
        }
        let file = pcap(101, false, true, &packets);
        let (text, ended) = shown(&file, &Options::default());
        prop_assert_eq!(ended, Ok(()));
        prop_assert!(text.contains(" packets, "));
    }
}
