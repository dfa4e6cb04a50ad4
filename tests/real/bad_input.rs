//! What nobody should send, to the built program: each gets a clear answer, and a neighbour's calls go on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::gateway::{Gateway, Setup, binary};
use crate::mesh::Mesh;
use crate::peers::{Peers, free_port, peers};
use crate::process::{Process, START, eventually};
use crate::shop;
use crate::zookeeper::ZooKeeper;

const LIMIT: Duration = Duration::from_secs(60);

/// A connection that calls `whoami` by frames of its own.
struct Neighbour {
    socket: TcpStream,
    id: u64,
}

impl Neighbour {
    fn connect(gateway: &Gateway) -> Self {
        Self {
            socket: connect(gateway.dubbo2),
            id: 0,
        }
    }

    /// One call that must succeed.
    #[track_caller]
    fn call(&mut self) {
        self.id += 1;
        self.socket
            .write_all(&frame(self.id, 0xc2, &invocation(shop::ORDERS, "whoami")))
            .unwrap();
        let (header, body) = read(&mut self.socket).expect("the neighbour's connection lives");
        assert_eq!(header[3], 20, "{}", String::from_utf8_lossy(&body));
        assert!(
            String::from_utf8_lossy(&body).contains("neighbour"),
            "{}",
            String::from_utf8_lossy(&body)
        );
    }
}

fn connect(port: u16) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

fn string(text: &str, body: &mut Vec<u8>) {
    match u8::try_from(text.len()) {
        Ok(short @ 0..=31) => body.push(short),
        _ => body.extend_from_slice(&[0x30 + (text.len() >> 8) as u8, (text.len() & 0xff) as u8]),
    }
    body.extend_from_slice(text.as_bytes());
}

/// A call without arguments, as a Dubbo 2.7 consumer writes it.
fn invocation(service: &str, method: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for field in ["2.0.2", service, "0.0.0", method, ""] {
        string(field, &mut body);
    }
    body.push(b'H');
    for field in ["path", service, "interface", service, "timeout", "50000"] {
        string(field, &mut body);
    }
    body.push(b'Z');
    body
}

fn frame(id: u64, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xda, 0xbb, flags, 0];
    frame.extend_from_slice(&id.to_be_bytes());
    frame.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

/// One whole frame; `None` when the connection was closed.
fn read(socket: &mut TcpStream) -> Option<([u8; 16], Vec<u8>)> {
    let mut header = [0; 16];
    socket.read_exact(&mut header).ok()?;
    let mut body = vec![0; u32::from_be_bytes(header[12..16].try_into().unwrap()) as usize];
    socket.read_exact(&mut body).ok()?;
    Some((header, body))
}

/// Everything until the other side closes.
fn read_all(socket: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = socket.read(&mut buffer) {
        all.extend_from_slice(&buffer[..read]);
    }
    all
}

fn served(peers: &Peers) -> (Process, Gateway) {
    let port = free_port();
    let settings = [
        ("LB_LISTEN", format!("127.0.0.1:{port}")),
        ("LB_NAME", "neighbour".to_owned()),
    ];
    let server = peers.go_server("grpcserver", &settings);
    let setup = Setup::edge().binding().service(shop::ORDERS, None, Some(port));
    (server, Gateway::start(peers, &setup))
}

#[test]
fn a_broken_dubbo2_connection_is_closed_and_no_other() {
    let Some(peers) = peers() else { return };
    let (_server, gateway) = served(&peers);
    let mut neighbour = Neighbour::connect(&gateway);
    neighbour.call();
    let mut oversize = frame(1, 0xc2, b"");
    oversize[12..16].copy_from_slice(&0x7fff_ffff_u32.to_be_bytes());
    for (what, bytes) in [
        ("wrong magic", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("oversize length", oversize),
    ] {
        let mut socket = connect(gateway.dubbo2);
        socket.write_all(&bytes).unwrap();
        let answer = read_all(&mut socket);
        assert!(
            answer.is_empty() || answer.starts_with(&[0xda, 0xbb]),
            "{what}: {answer:?}"
        );
        neighbour.call();
    }
    // half a frame, then the end
    let mut socket = connect(gateway.dubbo2);
    let whole = frame(1, 0xc2, &invocation(shop::ORDERS, "whoami"));
    socket.write_all(&whole[..whole.len() / 2]).unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut socket), b"");
    neighbour.call();
}

#[test]
fn a_bad_dubbo2_call_is_answered_and_its_connection_lives() {
    let Some(peers) = peers() else { return };
    let (_server, gateway) = served(&peers);
    let mut neighbour = Neighbour::connect(&gateway);
    let mut socket = connect(gateway.dubbo2);
    let garbage = vec![0xff; 64];
    for (what, bytes) in [
        ("garbage body", frame(1, 0xc2, &garbage)),
        ("no body", frame(2, 0xc2, b"")),
        ("unknown serialization", frame(3, 0xc0 | 21, &garbage)),
        (
            "unknown service",
            frame(4, 0xc2, &invocation("no.such.Service", "f")),
        ),
        (
            "unknown method",
            frame(5, 0xc2, &invocation(shop::ORDERS, "noSuchMethod")),
        ),
    ] {
        socket.write_all(&bytes).unwrap();
        let (header, body) = read(&mut socket).unwrap_or_else(|| panic!("{what}: closed"));
        assert_eq!(
            header[4..12],
            bytes[4..12],
            "{what}: the answer has the call's id"
        );
        // a status of its own, or an exception as the result
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(
            header[3] != 20 || matches!(body.first(), Some(0x90 | 0x93)),
            "{what}: {} {text}",
            header[3]
        );
        assert!(text.len() > 10, "{what}: the answer says why: {text}");
        neighbour.call();
    }
}

#[test]
fn what_is_no_grpc_is_refused_on_the_triple_port() {
    let Some(peers) = peers() else { return };
    let (_server, gateway) = served(&peers);
    let mut neighbour = Neighbour::connect(&gateway);
    // HTTP/1
    let mut socket = connect(gateway.triple);
    socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let answer = read_all(&mut socket);
    neighbour.call();
    // HTTP/2 without gRPC, and an unknown service, by curl
    let curl = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        command.args([
            "-sS",
            "--http2-prior-knowledge",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %header{grpc-status}",
            "--max-time",
            "50",
        ]);
        command.args(arguments);
        crate::process::run("curl", &mut command, LIMIT)
    };
    let base = format!("http://127.0.0.1:{}", gateway.triple);
    assert_eq!(
        curl(&[
            "-X",
            "POST",
            "-H",
            "content-type: text/html",
            // a body that curl is still to send when the answer ends the stream makes curl drop the answer
            "--data-binary",
            "",
            &format!("{base}/a.B/c")
        ])
        .trim(),
        "415"
    );
    let unknown = curl(&[
        "-X",
        "POST",
        "-H",
        "content-type: application/grpc",
        "-H",
        "te: trailers",
        "--data-binary",
        "",
        &format!("{base}/no.such.Service/f"),
    ]);
    assert!(
        unknown.starts_with("200") && !unknown.ends_with(" 0"),
        "{unknown}"
    );
    neighbour.call();
    assert!(
        !answer.is_empty() || gateway.get("/readyz").is_some(),
        "the gateway lives"
    );
}

/// `landbridge check` or `run` of a file: exit status and standard error.
fn refused(peers: &Peers, yaml: &str, more: &[(&str, &str)]) -> String {
    for (name, text) in more {
        peers.write(name, text);
    }
    let config = peers.write("bad.yaml", yaml);
    let mut command = Command::new(binary());
    command.arg("run").arg("--config").arg(config);
    let mut process = Process::start("landbridge", &mut command);
    let status = process.finish(LIMIT);
    assert_eq!(status.code(), Some(2), "{}", process.printed());
    process.printed()
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    let Some(peers) = peers() else { return };
    let service = "version: 1\nservices: [{service: '*', triple: '127.0.0.1:1'}]\n";
    let unknown = refused(&peers, &format!("{service}lisen: 1\n"), &[]);
    assert!(
        unknown.contains("bad.yaml:3:1") && unknown.contains("lisen"),
        "{unknown}"
    );

    let binding = "descriptors: [ shop.proto ]\nservices:\n- {java: a.B, proto: p.S, methods: [{java: f(), rpc: Nope}]}\n";
    let proto = "syntax = \"proto3\";\npackage p;\nservice S { rpc F(M) returns (M); }\nmessage M {}\n";
    let with = format!("{service}bindings: [ binding.yaml ]\n");
    let missing = refused(&peers, &with, &[("binding.yaml", binding), ("shop.proto", proto)]);
    assert!(
        missing.contains("binding.yaml") && missing.contains("Nope"),
        "{missing}"
    );

    let unreadable = refused(
        &peers,
        &with,
        &[("binding.yaml", binding), ("shop.proto", "this is no proto")],
    );
    assert!(unreadable.contains("shop.proto"), "{unreadable}");
    let absent = refused(
        &peers,
        &with,
        &[("binding.yaml", "descriptors: [ gone.pb ]\nservices: []\n")],
    );
    assert!(absent.contains("gone.pb"), "{absent}");
}

#[test]
fn registries_that_are_absent_at_start_do_not_stop_the_services_of_the_file() {
    let Some(peers) = peers() else { return };
    let port = free_port();
    let settings = [
        ("LB_LISTEN", format!("127.0.0.1:{port}")),
        ("LB_NAME", "neighbour".to_owned()),
    ];
    let _server = peers.go_server("grpcserver", &settings);
    // nobody listens at any of them
    let mesh = format!(
        "mesh:\n- name: mesh\n  istiod: {{address: '127.0.0.1:{}'}}\n",
        free_port()
    );
    let setup = Setup::edge()
        .binding()
        .zookeeper_at(free_port())
        .service(shop::ORDERS, None, Some(port))
        .and(&mesh);
    let gateway = Gateway::launch(&peers, &setup);
    let socket = eventually("the gateway listens", LIMIT, || {
        TcpStream::connect(("127.0.0.1", gateway.dubbo2)).ok()
    });
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let mut neighbour = Neighbour { socket, id: 0 };
    neighbour.call();
    let (status, body) = gateway.get("/readyz").expect("the admin port answers");
    assert!(
        status == 200 || body.contains("zookeeper") || body.contains("legacy"),
        "{status} {body}"
    );
}

#[test]
fn a_service_found_later_is_served_when_istiod_comes_up_after_the_gateway() {
    let Some(peers) = peers() else { return };
    let mesh = Mesh::start(&peers);
    mesh.istiod("kill");
    let port = free_port();
    let settings = [
        ("LB_LISTEN", format!("0.0.0.0:{port}")),
        ("LB_NAME", "neighbour".to_owned()),
    ];
    let _server = peers.go_server("grpcserver", &settings);
    let gateway = Gateway::launch(&peers, &Setup::edge().istiod(&mesh).binding());
    mesh.apply(&shop::entry(
        "org.landbridge.peers.api.orderservice.dubbo",
        &[(crate::peers::own_address(), port, "v1")],
    ));
    mesh.istiod("start");
    gateway.wait_ready();
    eventually("the service is found", START, || {
        let mut socket = connect(gateway.dubbo2);
        socket
            .write_all(&frame(1, 0xc2, &invocation(shop::ORDERS, "whoami")))
            .unwrap();
        let (header, body) = read(&mut socket)?;
        (header[3] == 20 && String::from_utf8_lossy(&body).contains("neighbour")).then_some(())
    });
}

#[test]
fn wrong_zookeeper_credentials_are_said_and_harm_nobody() {
    let Some(peers) = peers() else { return };
    let zk = ZooKeeper::start(&peers);
    // a root that only another user may read
    zk.put_closed("/dubbo", "other:secret");
    let port = free_port();
    let settings = [
        ("LB_LISTEN", format!("127.0.0.1:{port}")),
        ("LB_NAME", "neighbour".to_owned()),
    ];
    let _server = peers.go_server("grpcserver", &settings);
    let gateway = Gateway::launch(
        &peers,
        &Setup::edge()
            .binding()
            .zookeeper(&zk)
            .service(shop::ORDERS, None, Some(port)),
    );
    let socket = eventually("the gateway listens", LIMIT, || {
        TcpStream::connect(("127.0.0.1", gateway.dubbo2)).ok()
    });
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    Neighbour { socket, id: 0 }.call();
    eventually("the refusal is in the log", LIMIT, || {
        let log = gateway.process.printed().to_lowercase();
        log.contains("/dubbo: not authorized").then_some(())
    });
}
