//! The binding's rules as calls through the gateway: a Java interface of its own (`ledger/java`) and the `.proto` that it
//! became, between Java peers and grpc-go, both ways.
//!
//! `ledger/cases.rs` says of each value what the Java side holds and what the gRPC side sees. Java says its values with their
//! classes, so that one that is merely alike does not pass; grpc-go knows descriptors only, and generated code of nobody.

mod cases;
mod from_grpc;
mod from_java;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use codecs::protobuf::Schema;
use serde_json::{Value as Json, json};

use crate::gateway::{Gateway, Setup};
use crate::peers::{Peers, free_port};
use crate::process::{Process, START, eventually_or, run};
use crate::suite::Suite;

const SERVICE: &str = "landbridge.ledger.v1.Ledger";

/// How long anything that a call causes may take to be seen.
const SEEN: Duration = Duration::from_secs(30);

/// The ledger's programs, compiled and ready to be started.
struct Ledger<'p> {
    peers: &'p Peers,
    /// The descriptors as one file.
    set: PathBuf,
}

/// A call as a side says that it saw it.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    what: String,
    with: Json,
}

impl Seen {
    fn new(what: &str, with: impl Into<Json>) -> Self {
        Self {
            what: what.to_owned(),
            with: with.into(),
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("real/ledger")
}

impl<'p> Ledger<'p> {
    /// Compiles the Java side against the peers of one release, and the schema.
    fn new(peers: &'p Peers, release: u8) -> Self {
        let java = folder().join("java");
        let mut javac = Command::new("javac");
        javac.args(["-nowarn", "-encoding", "UTF-8", "-cp"]);
        javac
            .arg(class_path(peers, release))
            .arg("-d")
            .arg(peers.scratch());
        for name in ["Ledger", "Say", "Samples", "Provider", "Consumer"] {
            javac.arg(java.join(format!("{name}.java")));
        }
        run("javac", &mut javac, START);
        let names = ["ledger.proto".to_owned()];
        let schema = Schema::load(&names, &[], &mut |name| {
            std::fs::read(folder().join(name)).map_err(|error| error.to_string())
        });
        let set = peers.scratch().join("ledger.pb");
        std::fs::write(&set, schema.unwrap().pool().encode_to_vec()).unwrap();
        Self { peers, set }
    }

    /// A program of the Java side with `KEY=VALUE` settings.
    fn java(&self, release: u8, main: &str, settings: &[String]) -> Process {
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        if release < 33 {
            for package in [
                "lang",
                "lang.reflect",
                "math",
                "util",
                "util.concurrent",
                "util.concurrent.atomic",
                "time",
                "net",
                "text",
            ] {
                java.arg(format!("--add-opens=java.base/java.{package}=ALL-UNNAMED"));
            }
        }
        java.arg(format!("-Duser.home={}", self.peers.scratch().display()));
        java.args([
            "-Djava.net.preferIPv4Stack=true",
            "-Ddubbo.application.qos.enable=false",
            "-Duser.timezone=UTC",
            "-Dfile.encoding=UTF-8",
            "-Dsun.stdout.encoding=UTF-8",
            // the classes of the interface have to pass the check of Dubbo 3.2 and later by themselves
            "-Dlb.trust=false",
        ]);
        java.args(settings.iter().map(|setting| format!("-Dlb.{setting}")));
        java.arg("-cp").arg(class_path(self.peers, release));
        java.arg(format!("org.landbridge.ledger.{main}"));
        Process::start(format!("java-{release}-{main}"), &mut java)
    }

    /// A grpc-go server that answers by `script`, and its port.
    fn grpc_server(&self, script: &Json) -> (Process, u16) {
        let port = free_port();
        let settings = [
            ("LB_SET", self.set.display().to_string()),
            ("LB_SCRIPT", self.script(script)),
            ("LB_LISTEN", format!("0.0.0.0:{port}")),
        ];
        (self.peers.go_server("grpcany", &settings), port)
    }

    /// What a grpc-go client got for each call of `script`.
    fn grpc_client(&self, gateway: &Gateway, script: &Json) -> Vec<Json> {
        let settings = [
            ("LB_SET", self.set.display().to_string()),
            ("LB_SCRIPT", self.script(script)),
            ("LB_SERVICE", SERVICE.to_owned()),
            ("LB_TARGET", format!("127.0.0.1:{}", gateway.triple)),
        ];
        let mut client = self.peers.go("grpcany", &settings);
        client.finish(Duration::from_secs(300));
        Suite::of_go(&client).assert_all(script.as_array().unwrap().len());
        let lines = client.json_lines();
        lines
            .into_iter()
            .filter(|line| line["case"].is_string())
            .map(|line| line["got"].clone())
            .collect()
    }

    fn script(&self, script: &Json) -> String {
        let path = self
            .peers
            .write(&format!("script-{}.json", free_port()), &script.to_string());
        path.display().to_string()
    }

    /// The gateway between a Dubbo2 side and a gRPC side, by a binding.
    fn gateway(&self, becomes: (&str, &str), dubbo2: u16, triple: u16, binding: String) -> Gateway {
        std::fs::copy(
            folder().join("ledger.proto"),
            self.peers.scratch().join("ledger.proto"),
        )
        .unwrap();
        let binding = self
            .peers
            .write(&format!("binding-{}.yaml", free_port()), &binding);
        let setup = Setup::translator(becomes.0, becomes.1, dubbo2, triple).binding_at(binding);
        Gateway::start(self.peers, &setup)
    }
}

/// The binding as it stands in the folder: what may be lost is lost, and counted.
fn binding() -> String {
    std::fs::read_to_string(folder().join("binding.yaml")).unwrap()
}

fn class_path(peers: &Peers, release: u8) -> std::ffi::OsString {
    let target = peers.path(&format!("java/dubbo{release}/target"));
    let parts = [
        target.join("classes"),
        target.join("lib/*"),
        peers.scratch().to_owned(),
    ];
    std::env::join_paths(parts).unwrap()
}

/// How many calls a side has printed.
fn count(process: &Process) -> usize {
    process.lines().iter().filter(|line| is_call(line)).count()
}

fn is_call(line: &str) -> bool {
    line.starts_with(r#"{"event":"call""#)
}

/// The calls that a side printed after the first `before`: by `what` its name of the method, by `with` what it was given.
/// Waits for so many, which are on their way to us when their caller has its answer.
#[track_caller]
fn calls(process: &Process, before: usize, count: usize, what: &str, with: &str) -> Vec<Seen> {
    let mut left = before + count;
    if left > 0 {
        process.wait_line("last call", SEEN, |line| {
            left -= usize::from(is_call(line));
            left == 0
        });
    }
    let lines = process.json_lines();
    let calls = lines.iter().filter(|line| line["event"] == "call");
    calls
        .skip(before)
        .inspect(|line| assert!(matches!(line["unknown"].as_u64(), None | Some(0)), "{line}"))
        .map(|line| Seen::new(line[what].as_str().unwrap(), line[with].clone()))
        .collect()
}

/// Compares calls one by one, so that a difference names itself.
#[track_caller]
fn assert_calls(got: &[Seen], wanted: &[Seen]) {
    for (got, wanted) in got.iter().zip(wanted) {
        assert_eq!(got, wanted);
    }
    assert_eq!(
        got.len(),
        wanted.len(),
        "{:?}",
        got.get(wanted.len()..).or(wanted.get(got.len()..))
    );
}

/// Waits until the operator can read it in the log: a line with all of `parts`.
#[track_caller]
fn assert_logged(gateway: &Gateway, parts: &[&str]) {
    let line = || {
        let lines = gateway.process.error_lines();
        lines
            .into_iter()
            .find(|line| parts.iter().all(|part| line.contains(part)))
    };
    eventually_or(
        || format!("a log line with {parts:?}\n{}", gateway.process.printed()),
        SEEN,
        line,
    );
}

/// Waits for a line of the metrics.
#[track_caller]
fn assert_counted(gateway: &Gateway, sample: &str) {
    let page = || gateway.get("/metrics").map(|(_, page)| page).unwrap_or_default();
    eventually_or(
        || format!("no {sample}\n{}", page()),
        SEEN,
        || page().lines().any(|line| line == sample).then_some(()),
    );
}

/// A step of a server's script.
fn answers(rpc: &str, when: Json, reply: Json) -> Json {
    json!({"rpc": rpc, "when": when, "reply": reply})
}
