//! `landbridge schema` as an operator runs it: files, folders, a metadata center, and everything that can be wrong with them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a broken assumption ends the test"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const HINTS: &str = "methods:
  getAsync(long): {returns: org.landbridge.peers.api.Order}
  get(long): {args: [id], throws: [org.landbridge.peers.api.OrderNotFoundException]}
  'find(org.landbridge.peers.api.OrderQuery)': {returns: org.landbridge.peers.api.Page<org.landbridge.peers.api.Order>}
type_parameters: {org.landbridge.peers.api.Page: [T]}
fields: {org.landbridge.peers.api.Page.first: T}
";

/// The files of a draft of the peers' shop.
const FILES: [&str; 5] = [
    "org.landbridge.peers.api.lock.json",
    "org.landbridge.peers.api.pb",
    "org.landbridge.peers.api.proto",
    "org.landbridge.peers.api.yaml",
    "unified_idl_extend/unified_idl_extend.proto",
];

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    #[track_caller]
    fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        for word in words {
            let there = self.out.contains(word) || self.err.contains(word);
            assert!(there, "{word:?} not in\n{}\n{}", self.out, self.err);
        }
    }
}

/// A folder to work in.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new(env!("CARGO_BIN_EXE_landbridge"))
            .arg("schema")
            .args(arguments)
            .env_remove("LANDBRIDGE_ZOOKEEPER_AUTH")
            .current_dir(self.0.path())
            .output()
            .unwrap();
        Ran {
            code: status.code(),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }

    /// The peers' shop as files of `definitions`.
    fn with_shop(self) -> Self {
        for (path, text) in shop().iter().filter(|(path, _)| path.contains("/provider/")) {
            self.write(&format!("definitions/{}.json", path.replace('/', "_")), text);
        }
        self.write("hints.yaml", HINTS);
        self
    }
}

/// The definitions in a dump of a real ZooKeeper: path and JSON.
fn shop() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/zookeeper-trees/all.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|node| {
            let text = |key: &str| node[key].as_str().unwrap_or_default().to_owned();
            (text("path"), text("data"))
        })
        .filter(|(path, data)| path.starts_with("/dubbo/metadata/") && data.starts_with('{'))
        .collect()
}

/// A definition of an interface with one method `get(long)`.
fn small(interface: &str, returns: &str) -> String {
    serde_json::json!({
        "canonicalName": interface,
        "methods": [{"name": "get", "parameterTypes": ["long"], "returnType": returns}],
        "types": [{"type": "a.User", "properties": {"id": "long", "name": "java.lang.String"}}],
        "parameters": {"application": "app"},
    })
    .to_string()
}

#[test]
fn a_draft_whose_lock_file_is_gone_is_not_made_anew() {
    let place = Place::new();
    place.write("a.json", &small("a.Users", "a.User"));
    place.run(&["draft", "a.json"]).says(0, &["wrote ./a.proto"]);
    let before = place.read("a.proto");
    std::fs::remove_file(place.path("a.lock.json")).unwrap();
    place.run(&["draft", "a.json"]).says(
        2,
        &[
            "a.proto was drafted before",
            "a.lock.json is not there",
            "--force",
        ],
    );
    place
        .run(&["draft", "a.json", "--lock", "typo.json"])
        .says(2, &["typo.json is not there"]);
    assert_eq!(place.read("a.proto"), before);
    assert!(!place.path("typo.json").exists());
    place
        .run(&["draft", "a.json", "--force"])
        .says(0, &["wrote ./a.lock.json"]);
}

#[test]
fn drafts_a_folder_and_the_draft_passes_the_checks() {
    let place = Place::new().with_shop();
    let drafted = place.run(&["draft", "definitions", "--hints", "hints.yaml", "--out", "out"]);
    drafted.says(
        0,
        &[
            "org.landbridge.peers.api: 27 rpcs, 0 left out, 0 breaking",
            "lossy: sub_ms",
        ],
    );
    let proto = place.read("out/org.landbridge.peers.api.proto");
    for line in [
        "rpc Find(OrderServiceFindRequest) returns (OrderServiceFindResponse) {",
        "message PageOrder {",
        "  option (unified_idl_extend.message_extend) = { java_class_name: \"org.landbridge.peers.api.Page\" };",
        "  Order first = 1;",
        "  repeated Order items = 2;",
        "[(unified_idl_extend.field_extend) = { java_type: \"java.math.BigDecimal\" }];",
    ] {
        assert!(proto.contains(line), "{line}\n{proto}");
    }
    let binding = place.read("out/org.landbridge.peers.api.yaml");
    assert!(
        binding.contains("throws: [\"org.landbridge.peers.api.OrderNotFoundException\"]"),
        "{binding}"
    );
    place
        .run(&["check", "out/org.landbridge.peers.api.yaml"])
        .says(0, &["ok, 3 services, 31 methods"]);
    // Without the binding, by the options alone; from the source and from the compiled set.
    for file in [
        "out/org.landbridge.peers.api.proto",
        "out/org.landbridge.peers.api.pb",
    ] {
        place
            .run(&["check", file])
            .says(0, &["ok, 2 services, 27 methods"]);
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_in_any_order() {
    let place = Place::new().with_shop();
    place
        .run(&["draft", "definitions", "--hints", "hints.yaml", "--out", "one"])
        .says(0, &[]);
    let mut backwards: Vec<String> = shop()
        .iter()
        .filter(|(path, _)| path.contains("/provider/"))
        .map(|(path, _)| format!("definitions/{}.json", path.replace('/', "_")))
        .collect();
    backwards.reverse();
    let mut arguments = vec!["draft", "--hints", "hints.yaml", "--out", "two"];
    arguments.extend(backwards.iter().map(String::as_str));
    place.run(&arguments).says(0, &[]);
    for file in FILES {
        let read = |folder: &str| std::fs::read(place.path(&format!("{folder}/{file}"))).unwrap();
        assert!(read("one") == read("two"), "{file}");
    }
    // With its own lock nothing changes, and the files are left alone.
    let arguments = ["draft", "definitions", "--hints", "hints.yaml", "--out", "one"];
    let again = place.run(&arguments);
    again.says(0, &["unchanged one/org.landbridge.peers.api.proto"]);
    assert!(!again.out.contains("wrote"), "{}", again.out);
    place.run(&[&arguments[..], &["--check"]].concat()).says(0, &[]);
}

/// The draft of the real tests, without the peers: their ZooKeeper's dump gives the same.
#[test]
fn the_draft_of_the_fixtures_is_kept() {
    let place = Place::new().with_shop();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/schemas");
    let hints = fixtures.join("hints.yaml");
    let arguments = ["draft", "definitions", "--out", "out", "--hints"];
    place
        .run(&[&arguments[..], &[hints.to_str().unwrap()]].concat())
        .says(0, &[]);
    for file in FILES
        .iter()
        .filter(|file| file.starts_with("org.") && !file.ends_with(".pb"))
    {
        let golden = std::fs::read_to_string(fixtures.join(file)).unwrap();
        assert!(place.read(&format!("out/{file}")) == golden, "{file}");
    }
}

#[test]
fn what_a_person_edited_is_not_overwritten() {
    let place = Place::new();
    place.write("a.json", &small("a.S", "a.User"));
    place.run(&["draft", "a.json"]).says(0, &["wrote ./a.proto"]);
    let mut binding = place.read("a.yaml");
    binding.push_str("strict: true\n");
    place.write("a.yaml", &binding);
    // The edited one would stay as it is, if the draft did not change; it does.
    place.write("a.json", &small("a.S", "java.lang.String"));
    let before: Vec<String> = ["a.proto", "a.lock.json"].map(|name| place.read(name)).to_vec();
    let refused = place.run(&["draft", "a.json"]);
    refused.says(
        1,
        &[
            "nothing is written",
            "./a.yaml",
            "--force",
            "breaking: GetResponse.result",
        ],
    );
    assert!(!refused.err.contains("./a.proto"), "{}", refused.err);
    assert_eq!(
        before,
        ["a.proto", "a.lock.json"].map(|name| place.read(name)).to_vec()
    );
    place
        .run(&["draft", "a.json", "--check"])
        .says(1, &["would change", "./a.proto"]);
    place
        .run(&["draft", "a.json", "--force"])
        .says(0, &["wrote ./a.yaml"]);
    assert!(!place.read("a.yaml").contains("strict: true\n"));
    // Files of other people are edited ones.
    place.write(
        "other/unified_idl_extend/unified_idl_extend.proto",
        "syntax = \"proto3\";\n",
    );
    place
        .run(&["draft", "a.json", "--out", "other"])
        .says(1, &["unified_idl_extend.proto", "not drafted"]);
}

#[test]
fn each_package_has_its_own_files_and_services_of_one_share_them() {
    let place = Place::new();
    place
        .write("d/one.json", &small("a.One", "a.User"))
        .write("d/two.json", &small("a.Two", "a.User"))
        .write("d/deep/three.json", &small("b.Three", "a.User"))
        .write("d/nobody.txt", "not read");
    place
        .run(&["draft", "d", "--out", "out", "--report", "report.txt"])
        .says(0, &["wrote out/a.proto", "wrote out/b.proto"]);
    let proto = place.read("out/a.proto");
    for line in [
        "service One {",
        "service Two {",
        "message OneGetRequest {",
        "message TwoGetRequest {",
    ] {
        assert!(proto.contains(line), "{line}\n{proto}");
    }
    assert_eq!(proto.matches("message User {").count(), 1);
    let report = place.read("report.txt");
    assert!(
        report.contains("a: 2 rpcs, 0 left out") && report.contains("b: 1 rpcs"),
        "{report}"
    );
    place
        .run(&["check", "out/a.yaml", "out/b.yaml"])
        .says(0, &["out/a.yaml: ok, 2 services", "out/b.yaml: ok, 1 services"]);
    place
        .run(&["draft", "d", "--lock", "lock.json"])
        .says(2, &["--lock is of one package", "a, b"]);
    place.write("hints.yaml", "package: shop.v1\n");
    place
        .run(&[
            "draft",
            "d",
            "--hints",
            "hints.yaml",
            "--out",
            "v1",
            "--lock",
            "lock.json",
        ])
        .says(0, &["wrote v1/shop.v1.proto", "wrote lock.json"]);
    // A list of definitions in one file.
    place.write(
        "list.json",
        &format!("[{},{}]", small("c.A", "a.User"), small("c.B", "a.User")),
    );
    place
        .run(&["draft", "list.json", "--out", "list"])
        .says(0, &["c: 2 rpcs"]);
}

#[test]
fn a_drafted_proto_says_what_its_binding_says() {
    let place = Place::new().with_shop();
    place
        .run(&["draft", "definitions", "--hints", "hints.yaml", "--out", "out"])
        .says(0, &[]);
    // Only names of services stand in this binding: the rest is in the .proto.
    place.write(
        "out/short.yaml",
        "descriptors: [org.landbridge.peers.api.proto]\n\
         services: [{java: org.landbridge.peers.api.OrderService, proto: org.landbridge.peers.api.OrderService}]\n",
    );
    place
        .run(&["check", "out/short.yaml"])
        .says(0, &["ok, 1 services, 23 methods"]);
}

#[test]
fn wrong_input_is_told_by_name() {
    let place = Place::new();
    place
        .write("good.json", &small("a.S", "a.User"))
        .write("broken.json", "{\"canonicalName\": ")
        .write("other.json", "{\"name\": 1}")
        .write("hints.yaml", "metods: {}\n")
        .write("unused.yaml", "fields: {a.User.nmae: long}\n")
        .write("lock.json", "{\"version\": 7}")
        .write("nothing.json", &small("a.S", "java.lang.Object"));
    std::fs::create_dir(place.path("empty")).unwrap();
    for (arguments, code, words) in [
        (&["draft"][..], 2, &["<FILE|FOLDER>"][..]),
        (&["draft", "gone.json"], 1, &["gone.json", "No such file"]),
        (&["draft", "empty"], 1, &["empty holds no .json file"]),
        (
            &["draft", "broken.json", "good.json"],
            1,
            &["broken.json is no JSON", "line 1"],
        ),
        (&["draft", "other.json"], 1, &["other.json", "no canonicalName"]),
        (&["draft", "good.json", "--hints", "gone.yaml"], 2, &["gone.yaml"]),
        (
            &["draft", "good.json", "--hints", "hints.yaml"],
            2,
            &["hints", "metods"],
        ),
        (
            &["draft", "good.json", "--hints", "unused.yaml", "--out", "x"],
            0,
            &["hint: fields: a.User.nmae is not needed"],
        ),
        (
            &["draft", "good.json", "--lock", "lock.json"],
            2,
            &["lock file lock.json", "version 7"],
        ),
        (
            &["draft", "nothing.json"],
            1,
            &["left out: a.S.get(long): java.lang.Object", "no method"],
        ),
        (
            &["draft", "good.json", "--zookeeper", "127.0.0.1:1"],
            2,
            &["cannot be used with"],
        ),
        (&["draft", "good.json", "--interface", "a.S"], 2, &["--zookeeper"]),
        (&["draft", "--zookeeper", "nonsense"], 2, &["host:port"]),
        (
            &["draft", "--zookeeper", "127.0.0.1:1", "--root", "/"],
            2,
            &["root"],
        ),
        (
            &["draft", "--zookeeper", "127.0.0.1:1"],
            1,
            &["cannot connect to zookeeper 127.0.0.1:1"],
        ),
        (&["check", "gone.yaml"], 1, &["gone.yaml", "No such file"]),
        (&["check", "good.json"], 1, &["good.json", "unknown field"]),
    ] {
        place.run(arguments).says(code, words);
    }
    assert!(!place.path("a.proto").exists(), "nothing was written");
}

#[test]
fn every_fault_is_told_in_one_run() {
    let place = Place::new();
    place.write(
        "t.proto",
        "syntax = \"proto3\"; package t;\n\
         service S { rpc One(Ask) returns (Tell); rpc Two(Ask) returns (Tell); rpc Three(Ask) returns (Tell); }\n\
         message Ask { string a = 1; int32 b = 2; }\n\
         message Tell { Deep deep = 1; }\n\
         message Deep { string x = 1; repeated int32 y = 2; }\n",
    );
    place.write(
        "t.yaml",
        "descriptors: [t.proto]\n\
         services:\n\
         - {java: t.S, proto: t.S, unbound: [Four], methods: [\n  \
             {java: 'one(int,int)', rpc: One},\n  \
             {java: 'two(int)', rpc: Two, returns: 'no type'},\n  \
             {java: 'three(java.lang.String,int)', rpc: Three}]}\n\
         - {java: t.T, proto: t.T}\n\
         messages:\n\
         - {proto: t.Deep, java: t.Deep, types: {x: int, y: java.lang.String}}\n\
         - {proto: t.Gone, java: t.Gone}\n\
         exceptions: [{java: t.X, code: OOPS}]\n\
         rules: {bogus: allow}\n",
    );
    let faults = [
        "binding t.yaml: rules: bogus: no such rule",
        "binding t.yaml: t.S: Four: t.S has no such rpc",
        "binding t.yaml: t.S: One: t.Ask a: int in Java does not go with string",
        "binding t.yaml: t.S: One: t.Deep x: int in Java does not go with string",
        "binding t.yaml: t.S: One: t.Deep y: is repeated in protobuf, but java.lang.String in Java",
        "binding t.yaml: t.S: Two: t.Ask: has 2 fields for 1 parameters",
        "binding t.yaml: t.S: Two: returns: no type is no Java type",
        "binding t.yaml: t.T: no such service",
        "binding t.yaml: t.Gone: no such message",
        "binding t.yaml: t.X: code: OOPS",
    ];
    let ran = place.run(&["check", "t.yaml"]);
    ran.says(1, &faults);
    assert_eq!(ran.err.matches("error: ").count(), faults.len(), "{}", ran.err);
    assert!(!ran.err.contains("Three"), "{}", ran.err);
    let ran = place.run(&["check", "t.yaml", "--output", "json"]);
    ran.says(1, &["\"ok\": false"]);
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(found["faults"].as_array().unwrap().len(), faults.len());
    // Descriptors that do not compile: each of them.
    place.write("bad.proto", "service {").write("bad.pb", "garbage");
    place.write("d.yaml", "descriptors: [bad.proto, bad.pb, gone.proto]\n");
    place
        .run(&["check", "d.yaml", "t.yaml"])
        .says(1, &["bad.proto", "bad.pb", "gone.proto", "rules: bogus"]);
    place
        .run(&["check", "t.proto"])
        .says(0, &["t.proto: ok, 1 services, 3 methods"]);
}

#[test]
fn what_breaks_callers_is_told() {
    let place = Place::new();
    place.write("a.json", &small("a.S", "a.User"));
    place.run(&["draft", "a.json", "--out", "old"]).says(0, &[]);
    place.run(&["draft", "a.json", "--out", "new"]).says(0, &[]);
    // A field that goes leaves a reserved number; a type that changes breaks whoever reads it.
    let fewer = small("a.S", "a.User").replace("\"id\":\"long\",", "");
    place.write("a.json", &fewer);
    place
        .run(&["draft", "a.json", "--out", "new"])
        .says(0, &["0 breaking", "changed: User.id is gone"]);
    for old in ["old/a.yaml", "old/a.proto", "old/a.pb"] {
        place
            .run(&["check", "new/a.yaml", "--against", old])
            .says(0, &["new/a.yaml: ok"]);
    }
    place.write("a.json", &small("a.S", "java.lang.String"));
    place
        .run(&["draft", "a.json", "--out", "new"])
        .says(0, &["1 breaking", "it has a new number"]);
    // The new number spares callers of the old field; the class's message that is gone, they notice.
    place
        .run(&["check", "new/a.pb", "--against", "old/a.pb"])
        .says(1, &["binding new/a.pb: a.User: is gone (breaks callers)"]);
    place
        .run(&["check", "new/a.pb", "old/a.pb", "--against", "old/a.pb"])
        .says(2, &["for one file"]);
    place
        .run(&["check", "new/a.pb", "--against", "gone.pb"])
        .says(1, &["gone.pb"]);
}

/// The metadata center of the simulated ZooKeeper, filled with what real providers wrote.
#[cfg(feature = "demo")]
mod center {
    use std::time::{Duration, Instant};

    use harness::zookeeper::{Right, Server};

    use super::*;

    async fn server() -> Server {
        let server = Server::start().await.unwrap();
        for (path, text) in shop() {
            server.create(&path, text.as_bytes());
        }
        server
    }

    /// Runs the program beside the server's tasks.
    async fn run(place: &std::sync::Arc<Place>, arguments: &[&str]) -> Ran {
        let (place, arguments) = (place.clone(), arguments.iter().map(ToString::to_string));
        let arguments: Vec<String> = arguments.collect();
        let run = move || place.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn is_read_like_files() {
        let server = server().await;
        // Other things below the same node, one broken definition, and one that nobody may read.
        server.create("/dubbo/metadata/shop-33/8fa3", b"{\"app\": \"shop-33\"}");
        server.create(
            "/dubbo/metadata/org.landbridge.peers.api.OrderService/provider/odd",
            b"{",
        );
        server.create_with("/dubbo/metadata/x.Closed", vec![Right::only("u", "p")[0].clone()]);
        let place = std::sync::Arc::new(Place::new().with_shop());
        let connect = server.connect_string();
        let from = [
            "draft",
            "--zookeeper",
            &connect,
            "--hints",
            "hints.yaml",
            "--out",
            "zk",
        ];
        run(&place, &from).await.says(
            0,
            &[
                "27 rpcs, 0 left out",
                "cannot be read: service definition /dubbo/metadata/org.landbridge.peers.api.OrderService/provider/odd",
                "cannot be read: list /dubbo/metadata/x.Closed",
            ],
        );
        run(
            &place,
            &["draft", "definitions", "--hints", "hints.yaml", "--out", "files"],
        )
        .await
        .says(0, &[]);
        for file in FILES {
            let read = |folder: &str| std::fs::read(place.path(&format!("{folder}/{file}"))).unwrap();
            assert!(read("zk") == read("files"), "{file}");
        }
        // One interface of several, by name and by glob.
        for name in ["org.landbridge.peers.api.InventoryService", "*.Inventory*"] {
            let arguments = [
                "draft",
                "--zookeeper",
                &connect,
                "--interface",
                name,
                "--out",
                "i",
            ];
            run(&place, &arguments)
                .await
                .says(0, &["org.landbridge.peers.api: 4 rpcs"]);
        }
        let arguments = ["draft", "--zookeeper", &connect, "--interface", "a.Gone"];
        run(&place, &arguments)
            .await
            .says(1, &["/dubbo/metadata", "does not have a.Gone"]);
        let arguments = ["draft", "--zookeeper", &connect, "--root", "dubbo-eu"];
        run(&place, &arguments)
            .await
            .says(1, &["/dubbo-eu/metadata", "no service definition"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn that_does_not_answer_is_given_up() {
        let server = server().await;
        server.pause(true);
        let place = std::sync::Arc::new(Place::new());
        let began = Instant::now();
        run(&place, &["draft", "--zookeeper", &server.connect_string()])
            .await
            .says(1, &["cannot connect to zookeeper"]);
        assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    }
}

/// What hints are refused for names their file, and ends with the status of a wrong command line.
#[test]
fn wrong_hints_are_named_by_their_file() {
    let place = Place::new();
    place.write("a.json", &small("a.Users", "a.User"));
    for (hints, words) in [
        (
            "metods: {}\n",
            "hints wrong.yaml: line 1, column 1: unknown field `metods`",
        ),
        ("methods: [1]\n", "hints wrong.yaml: line 1, column 10: "),
        ("[: {", "hints wrong.yaml: line 1, column "),
        (
            "rules: {sub_ms: maybe}\n",
            "hints wrong.yaml: line 1, column 17: unknown variant `maybe`",
        ),
        (
            "rules: {foo: drop}\n",
            "hints wrong.yaml: rules: foo: no such rule",
        ),
        (
            "exceptions: {a.X: NOPE}\n",
            "hints wrong.yaml: a.X: code: NOPE is no gRPC error code",
        ),
        (
            "names: {a.User: '1 2'}\n",
            "hints wrong.yaml: names: a.User: \"1 2\" is no class name",
        ),
        ("package: 'a b'\n", "package \"a b\" is no protobuf package"),
    ] {
        place.write("wrong.yaml", hints);
        let refused = place.run(&["draft", "a.json", "--hints", "wrong.yaml", "--out", "out"]);
        refused.says(2, &[words]);
        assert!(!refused.err.contains("<input>"), "{}", refused.err);
    }
    std::fs::write(place.path("wrong.yaml"), [0xff]).unwrap();
    for (hints, words) in [
        ("wrong.yaml", "wrong.yaml is not UTF-8"),
        ("none.yaml", "read none.yaml"),
        (".", ". is a folder"),
    ] {
        place
            .run(&["draft", "a.json", "--hints", hints, "--out", "out"])
            .says(2, &[words]);
    }
    assert!(!place.path("out").exists());
}

/// The report says what was left out: where it cannot be written, nothing else is.
#[test]
fn a_draft_is_written_whole_or_not_at_all() {
    let place = Place::new();
    place.write("a.json", &small("a.Users", "a.User"));
    for report in ["none/report.txt", ".", "/dev/full"] {
        place
            .run(&["draft", "a.json", "--out", "out", "--report", report])
            .says(1, &[&format!("write the report {report}: ")]);
        assert!(!place.path("out").exists(), "{report}");
    }
    let before = place.read("a.json");
    for report in ["./a.json", "out/a.proto"] {
        place
            .run(&["draft", "a.json", "--out", "out", "--report", report])
            .says(2, &[&format!("--report {report} would overwrite")]);
    }
    assert_eq!(place.read("a.json"), before);
    place.write("none.json", "[]");
    place
        .run(&["draft", "none.json"])
        .says(1, &["no service definition in none.json"]);
    // The last one cannot be written: the others are not, either.
    std::fs::create_dir_all(place.path("out/a.yaml")).unwrap();
    place
        .run(&[
            "draft",
            "a.json",
            "--out",
            "out",
            "--report",
            "report.txt",
            "--force",
        ])
        .says(1, &["write out/a.yaml: it is no file"]);
    let left: Vec<_> = std::fs::read_dir(place.path("out")).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
    let options = place.path("out/unified_idl_extend");
    assert_eq!(std::fs::read_dir(options).unwrap().count(), 0);
    assert!(place.read("report.txt").contains("a: 1 rpcs"));
}

#[test]
fn what_binds_nothing_is_not_ok() {
    let place = Place::new();
    place.write("empty.pb", "").write("empty.proto", "");
    for (name, text, words) in [
        ("a.yaml", "", "binding a.yaml: binds no service"),
        ("a.yaml", "# nothing\n", "binding a.yaml: binds no service"),
        ("a.yaml", "services: []\n", "binding a.yaml: binds no service"),
        (
            "a.yaml",
            "descriptors: [empty.pb]\n",
            "binding a.yaml: binds no service",
        ),
        ("empty.pb", "", "binding empty.pb: has no service"),
        ("empty.proto", "", "binding empty.proto: has no service"),
    ] {
        place.write(name, text);
        let checked = place.run(&["check", name]);
        checked.says(1, &[words]);
        assert!(checked.out.is_empty(), "{}", checked.out);
    }
    let checked = place.run(&["check", "a.yaml", "--output", "json"]);
    checked.says(1, &["\"ok\": false"]);
    // Nor is what it is compared with, or looked for in.
    place.write(
        "s.proto",
        "syntax = \"proto3\"; package s; message M {} service S { rpc C(M) returns (M); }",
    );
    place
        .run(&["check", "s.proto"])
        .says(0, &["s.proto: ok, 1 services"]);
    place
        .run(&["check", "s.proto", "--against", "a.yaml"])
        .says(1, &["binding a.yaml: binds no service"]);
    place
        .run(&["check", "s.proto", "--include", "gone"])
        .says(2, &["--include gone is no folder"]);
    place
        .run(&["check", "/dev/zero"])
        .says(1, &["/dev/zero is longer than 64 MiB"]);
}
