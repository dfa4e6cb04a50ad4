//! The program as a process: exit codes, messages, signals.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a broken assumption ends the test"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};

const CONFIG: &str = "version: 1\nadmin: {bind: '127.0.0.1:0'}\nlisteners: {dubbo2: {bind: '127.0.0.1:0'}}\n\
                      services: [{service: '*', dubbo2: '127.0.0.1:1'}]\n";

fn landbridge(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = landbridge(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn written(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("landbridge.yaml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// tcpdump of a real call, as the program is asked at night.
#[test]
fn decode_shows_a_capture_and_says_what_is_wrong() {
    let capture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fuzz/corpus/decode_capture/java-2.7-dubbo2"
    );
    let (code, said, _) = run(&["decode", "auto", capture]);
    assert_eq!(code, Some(0));
    assert!(
        said.contains("descriptor: \"Ljava/lang/String;\"") && said.contains("\"hello world\""),
        "{said}"
    );
    let (code, said, _) = run(&[
        "decode",
        "auto",
        capture,
        "--summary",
        "--grep",
        "RESPONSE",
        "--port",
        "21827",
    ]);
    assert_eq!(code, Some(0));
    assert_eq!(said.lines().count(), 3, "{said}");
    assert!(
        said.contains("to org.landbridge.peers.api.OrderService.hello after "),
        "{said}"
    );
    assert!(said.ends_with("1 of 2 frames\n"), "{said}");

    let (code, _, complaint) = run(&["decode", "auto", "4e", "--summary"]);
    assert!(
        code == Some(2) && complaint.contains("the input is none"),
        "{complaint}"
    );
    let (code, _, complaint) = run(&["decode", "dubbo2", capture]);
    assert!(
        code == Some(2) && complaint.contains("decode auto"),
        "{complaint}"
    );
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.pcap");
    let bytes = std::fs::read(capture).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() - 100]).unwrap();
    let (code, said, complaint) = run(&["decode", "auto", cut.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("Dubbo2 request") && complaint.contains("the capture ends inside a packet"),
        "{complaint}"
    );
}

#[test]
fn decode_says_what_it_does_not_read() {
    for (arguments, code, what) in [
        (
            &["decode", "hessian", "--lines", "4e"][..],
            2,
            "standard input, not an argument",
        ),
        (
            &["decode", "hessian", "--lines", "no-such-file"],
            2,
            "standard input, not an argument",
        ),
        (&["decode", "auto", "/dev/null"], 1, "/dev/null is empty"),
        (&["decode", "auto", ""], 1, "\"\", which is no hex"),
        (&["decode", "hessian", "4"], 1, "a digit is missing"),
        (
            &["decode", "auto", "c8105eff"],
            1,
            "the argument: nothing is recognised",
        ),
        (&["decode", "dubbo2", "54"], 1, "the argument: no Dubbo2 frame"),
        (&["decode", "auto", "/"], 1, "read /: Is a directory"),
        (
            &["decode", "hessian", "--lines", "--summary"],
            2,
            "cannot be used with",
        ),
        (
            &["decode", "hessian", "no-such-file"],
            1,
            "\"no-such-file\", which is no hex",
        ),
    ] {
        let (ended, said, complaint) = run(arguments);
        assert!(
            ended == Some(code) && said.is_empty() && complaint.contains(what),
            "{arguments:?}: {ended:?} {said} {complaint}"
        );
    }
}

/// A cut answer must not look like a whole one. A reader that has seen enough (`| head`) is no failure.
#[test]
fn what_cannot_be_written_fails() {
    let capture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fuzz/corpus/decode_capture/java-2.7-dubbo2"
    );
    let (_folder, config) = written(CONFIG);
    let (_other, wrong) = written("version: 2\n");
    let folder = tempfile::tempdir().unwrap();
    let binding = folder.path().join("binding.yaml");
    for name in ["binding.yaml", "catalog.proto"] {
        let from = format!("{}/../examples/translator/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(from, folder.path().join(name)).unwrap();
    }
    let binding = binding.to_str().unwrap();
    let value = "{\"t\":\"java.lang.Boolean\",\"v\":true}";
    for (arguments, input, code) in [
        (&["--help"][..], "", 0),
        (&["--version"], "", 0),
        (&["decode", "--help"], "", 0),
        (&["decode", "hessian", "54"], "", 0),
        (&["decode", "hessian", "--lines"], "54\n", 0),
        (&["decode", "auto", capture], "", 0),
        (&["decode", "auto", capture, "--summary"], "", 0),
        (&["encode", "hessian", value], "", 0),
        (&["encode", "hessian", "--lines"], value, 0),
        (&["check", &config], "", 0),
        (&["check", &config, "--effective"], "", 0),
        (&["check", &config, "--output", "json"], "", 0),
        (&["check", &wrong, "--output", "json"], "", 2),
        (&["schema", "check", binding], "", 0),
        (&["schema", "check", binding, "--output", "json"], "", 0),
    ] {
        let ended = |out: Stdio| {
            let mut child = landbridge(arguments)
                .stdin(Stdio::piped())
                .stdout(out)
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            // A program that reads no input may be gone already.
            let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
            let ended = child.wait_with_output().unwrap();
            (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
        };
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (full, complaint) = ended(full.into());
        assert!(
            full == Some(1) && complaint.contains("write standard output: No space left"),
            "{arguments:?}: {full:?} {complaint}"
        );
        let (reader, pipe) = std::io::pipe().unwrap();
        drop(reader);
        let (gone, complaint) = ended(pipe.into());
        assert!(
            gone == Some(code) && (code == 0) == complaint.is_empty(),
            "{arguments:?}: {gone:?} {complaint}"
        );
    }
}

/// A program asks line by line and waits for each answer; what is wrong has one line of answer, too.
#[test]
fn lines_are_a_conversation() {
    let converse = |command: &str, exchange: &[(&str, &str)]| {
        let mut child = landbridge(&[command, "hessian", "--lines"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut asked = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        for (question, answer) in exchange {
            writeln!(asked, "{question}").unwrap();
            let mut line = String::new();
            answers.read_line(&mut line).unwrap();
            assert_eq!(line.trim_end(), *answer, "{question}");
        }
        // The last line may come without an end.
        let (question, answer) = exchange[0];
        write!(asked, "{question}").unwrap();
        drop(asked);
        let mut rest = String::new();
        answers.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, format!("{answer}\n"));
        assert_eq!(child.wait().unwrap().code(), Some(0));
    };
    let map = r#"{"t":"java.util.HashMap","id":0,"v":[[{"t":"java.lang.String","v":"\ud83d"},{"ref":0}]]}"#;
    converse(
        "decode",
        &[
            ("48 01eda0bd 5190 5A\r", map),
            ("", "error: no hex: the line is empty"),
            ("0x4", "error: not hex: an odd number of digits, 1"),
            (
                "7991",
                r#"{"t":"java.util.ArrayList","v":[{"t":"java.lang.Integer","v":1}]}"#,
            ),
            ("799191", "error: 1 byte behind the value, which ends at byte 0x2"),
            ("5190", "error: reference 0 is out of range at byte 2"),
        ],
    );
    converse(
        "encode",
        &[
            (map, "4801eda0bd51905a"),
            ("", "error: typed JSON, byte 0: ends too early"),
            (
                "[]",
                "error: typed JSON, byte 0: expected null or an object with t and v",
            ),
            (
                r#"{"t":"java.lang.Short","v":40000}"#,
                "error: typed JSON, byte 27: v is no number or boolean of class t",
            ),
            (" null \r", "4e"),
        ],
    );
}

/// `decode hessian --lines | head`: whoever reads the answers has seen enough.
#[test]
fn lines_end_when_nobody_reads_the_answers() {
    let mut child = landbridge(&["decode", "hessian", "--lines"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut asked = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    writeln!(asked, "4e").unwrap();
    answers.read_line(&mut String::new()).unwrap();
    drop(answers);
    while asked.write_all(b"4e\n4e\n4e\n4e\n").is_ok() {}
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.is_empty(), "{:?}", ended.stderr);
}

/// A gateway that says it serves.
fn serving(path: &str) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = landbridge(&["run", "--config", path])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    wait_for(&mut lines, "serving");
    (child, lines)
}

fn wait_for(lines: &mut impl BufRead, words: &str) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert!(
            lines.read_line(&mut line).unwrap() > 0,
            "{words:?} was never said:\n{seen}"
        );
        if line.contains(words) {
            return line;
        }
        seen.push_str(&line);
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[test]
fn help_and_version() {
    let (code, said, _) = run(&["--help"]);
    assert_eq!(code, Some(0));
    for command in ["run", "check", "services", "explain", "decode"] {
        assert!(said.contains(command), "{said}");
    }
    let (code, said, _) = run(&["--version"]);
    assert!(
        code == Some(0) && said.contains(env!("CARGO_PKG_VERSION")),
        "{said}"
    );
    assert_eq!(run(&["frobnicate"]).0, Some(2));
}

#[test]
fn check_points_at_the_place() {
    let (_folder, path) = written(CONFIG);
    let (code, said, _) = run(&["check", &path]);
    assert!(code == Some(0) && said.contains("ok"), "{said}");
    let (_folder, path) = written(&format!("{CONFIG}timeouts:\n  call: soon\n"));
    let (code, _, said) = run(&["check", &path]);
    assert_eq!(code, Some(2));
    let place = format!("{path}:6:9: ");
    assert!(
        said.contains(&place) && said.contains(" 6 |   call: soon\n   |         ^^^^"),
        "{said}"
    );
    // What is refused by check is refused by run, before any port opens.
    assert_eq!(run(&["run", "--config", &path]).0, Some(2));
    assert_eq!(run(&["check", "/no/such/file"]).0, Some(2));
    let (code, said, _) = run(&["check", "--output", "json", "/no/such/file"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(
        code == Some(2) && said["faults"][0]["file"] == "/no/such/file",
        "{said}"
    );
}

#[test]
fn check_names_file_key_and_range() {
    let mesh = |istiod: &str, publish: &str| {
        format!(
            "mesh:\n- istiod:\n    address: istiod:15010\n    {istiod}\n  publish:\n    namespace: other\n    {publish}\n"
        )
    };
    for (more, at, words) in [
        (
            "limits:\n  hops: 0\n".to_owned(),
            "6:9",
            "\"0\" is out of range for `limits.hops` (expected 1 to 255)",
        ),
        (
            "limits:\n  hops: many\n".to_owned(),
            "6:9",
            "`limits.hops` (expected 1 to 255)",
        ),
        (
            "limits:\n  hops: 300\n".to_owned(),
            "6:9",
            "`limits.hops` (expected 1 to 255)",
        ),
        (
            "limits: {connections: 0}\n".to_owned(),
            "5:23",
            "`limits.connections` (expected 1 to 4294967295)",
        ),
        (
            "limits: {message: 0}\n".to_owned(),
            "5:19",
            "`limits.message` (expected 1KiB to 1GiB)",
        ),
        (
            "timeouts: {heartbeat: 0s}\n".to_owned(),
            "5:23",
            "`timeouts.heartbeat` (expected 1ms to 24h)",
        ),
        (
            "bridge: {workers: 0}\n".to_owned(),
            "5:19",
            "`bridge.workers` (expected 1 to 1024)",
        ),
        ("bridge: {replica: ''}\n".to_owned(), "5:19", "is no name"),
        (
            mesh("suffixes: []", "via: mcp\n    mcp_bind: '127.0.0.1:0'"),
            "8:15",
            "`mesh.istiod.suffixes` is empty (expected at least one",
        ),
        (
            mesh("service_port: 0", "via: mcp\n    mcp_bind: '127.0.0.1:0'"),
            "8:19",
            "`mesh.istiod.service_port` (expected 1 to 65535)",
        ),
        (
            mesh("", "via: mcp\n    mcp_bind: '127.0.0.1:0'\n    hold_percent: 150"),
            "13:19",
            "\"150\" is out of range for `mesh.publish.hold_percent` (expected 0 to 100)",
        ),
        (
            mesh("", "via: kubernetes\n    kubeconfig: /no/such/file"),
            "12:17",
            "use the Kubernetes credentials of /no/such/file",
        ),
        (
            mesh("", "via: kubernetes\n    kubeconfig: /dev/null"),
            "12:17",
            "use the Kubernetes credentials of /dev/null",
        ),
        (
            mesh("", "via: kubernetes\n    kubeconfig: /dev/zero"),
            "12:17",
            "use the Kubernetes credentials of /dev/zero: it is larger than 16 MiB",
        ),
    ] {
        let (_folder, path) = written(&format!("{CONFIG}{more}"));
        let (code, _, said) = run(&["check", &path]);
        assert!(
            code == Some(2) && said.contains(&format!("{path}:{at}: ")) && said.contains(words),
            "{more}: {code:?} {said}"
        );
        assert_eq!(run(&["run", "--config", &path]).0, Some(2), "{more}");
    }
}

/// What only a pod has is no fault of the file: its author checks it elsewhere.
#[test]
fn check_warns_of_what_another_machine_has() {
    let edge = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/edge/landbridge.yaml");
    let checked = |more: &[&str]| {
        let arguments = [&["check", edge], more].concat();
        let ended = landbridge(&arguments)
            .env_remove("KUBERNETES_SERVICE_HOST")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (ended.status.code(), text(ended.stdout), text(ended.stderr))
    };
    let (code, said, warned) = checked(&[]);
    assert!(
        code == Some(0) && said.ends_with("landbridge.yaml: ok\n"),
        "{said}"
    );
    assert!(
        warned.starts_with("warning: ")
            && warned.contains("credentials of the pod")
            && warned.contains("`kubeconfig`")
            && warned.matches("environment variable not found").count() == 1,
        "{warned}"
    );
    let (code, said, _) = checked(&["--output", "json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &said["ok"]), (Some(0), &true.into()));
    assert!(said["warnings"][0]["line"].is_u64(), "{said}");
}

/// What a reload changes, in one list, wherever a reader looks.
#[test]
fn what_a_reload_changes_is_said_alike_everywhere() {
    let list = "services, bindings, stages, limits, timeouts (not `connect` and `first_view`), drain and the log level";
    let (_, help, _) = run(&["run", "--help"]);
    let read =
        |name: &str| std::fs::read_to_string(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for (place, text) in [
        ("help", help),
        ("README.md", read("README.md")),
        ("CHANGELOG.md", read("CHANGELOG.md")),
    ] {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(list), "{place}: {text}");
    }
}

/// Names are bytes; devices have no end.
#[cfg(unix)]
#[test]
fn odd_files_and_names_are_read_or_named() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"call-\xff.hex"));
    std::fs::write(&path, "54").unwrap();
    let shown = landbridge(&["decode", "hessian"]).arg(&path).output().unwrap();
    assert_eq!(
        (shown.status.code(), &shown.stdout[..]),
        (Some(0), &b"000000  true\n"[..])
    );
    let (code, _, said) = run(&["check", "/dev/zero"]);
    assert!(
        code == Some(2) && said.contains("/dev/zero: cannot be read: it is larger than 16 MiB"),
        "{said}"
    );
    let (code, _, said) = run(&["check", "/"]);
    assert!(code == Some(2) && said.contains("/: cannot be read"), "{said}");
}

/// What cannot be asked for is said before anybody is asked.
#[test]
fn wrong_questions_are_wrong_command_lines() {
    for arguments in [
        &["services", "--admin", "nohost"][..],
        &["services", "--admin", "http://127.0.0.1:9880"],
        &["services", "--admin", ""],
        &["explain", ""],
    ] {
        let (code, _, said) = run(arguments);
        assert!(
            code == Some(2) && !said.contains("is it running"),
            "{arguments:?}: {said}"
        );
    }
    // Something else listens there.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || drop(other.accept()));
    let (code, _, said) = run(&["services", "--admin", &address]);
    answering.join().unwrap();
    assert!(code == Some(1) && said.contains(&address), "{said}");
}

#[test]
fn a_taken_port_ends_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (_folder, path) = written(&CONFIG.replace(
        "dubbo2: {bind: '127.0.0.1:0'}",
        &format!("dubbo2: {{bind: '{address}'}}"),
    ));
    let (code, _, said) = run(&["run", "--config", &path]);
    assert!(code == Some(1) && said.contains(&address), "{code:?} {said}");
}

#[test]
fn a_signal_drains_and_a_changed_file_reloads() {
    let (_folder, path) = written(CONFIG);
    let (mut child, mut lines) = serving(&path);
    std::fs::write(&path, format!("{CONFIG}limits: {{hops: 3}}\n")).unwrap();
    signal(&child, "-HUP");
    wait_for(&mut lines, "reloaded the configuration");
    // Nothing changes by a file that is wrong.
    std::fs::write(&path, format!("{CONFIG}limits: {{hops: many}}\n")).unwrap();
    signal(&child, "-HUP");
    wait_for(&mut lines, "the old one stays");
    signal(&child, "-TERM");
    wait_for(&mut lines, "stopped");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_absent_gateway_is_said() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let (code, _, said) = run(&["services", "--admin", &free]);
    assert!(
        code == Some(1) && said.contains(&free) && said.contains("is it running?"),
        "{said}"
    );
}

#[cfg(feature = "demo")]
#[test]
fn the_demo_shows_every_crossing() {
    let (code, said, errors) = run(&["demo", "--once"]);
    assert_eq!(code, Some(0), "{said}{errors}");
    for words in [
        "Dubbo2 -> Triple",
        "Dubbo2 -> gRPC",
        "gRPC -> Dubbo2",
        "Triple -> Dubbo2",
        "wrapper",
        "protobuf",
    ] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let unheard = landbridge(&["demo", "--once"]).stdout(full).output().unwrap();
    assert_eq!(unheard.status.code(), Some(1));
    // A registry that is not there is said, not replaced.
    let (code, _, said) = run(&["demo", "--once", "--zookeeper", "127.0.0.1:1"]);
    assert!(code == Some(1) && said.contains("127.0.0.1:1"), "{code:?} {said}");
    assert_eq!(
        run(&["demo", "--once", "--istiod", "127.0.0.1:1"]).0,
        Some(2),
        "--kubeconfig is needed"
    );
    for wrong in [
        &["--zookeeper", "zoo"][..],
        &["--istiod", "zoo:0", "--kubeconfig", "/no/such/file"],
    ] {
        let (code, _, said) = run(&[&["demo", "--once"], wrong].concat());
        assert!(
            code == Some(2) && said.contains("is not an address (expected HOST:PORT)"),
            "{code:?} {said}"
        );
    }
    let (code, _, said) = run(&[
        "demo",
        "--once",
        "--istiod",
        "127.0.0.1:1",
        "--kubeconfig",
        "/dev/zero",
    ]);
    assert!(
        code == Some(1) && said.contains("/dev/zero: it is larger than 16 MiB"),
        "{code:?} {said}"
    );
}

#[cfg(feature = "demo")]
#[test]
fn the_demo_goes_on_until_it_is_interrupted() {
    let mut child = landbridge(&["demo"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut lines, "Ctrl-C ends the demo");
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
