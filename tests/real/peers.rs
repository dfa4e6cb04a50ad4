//! Where the installed peers are, and how each is started.

use std::io::Write;
use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(crate) use harness::ports::free as free_port;

use crate::calls::Calls;
use crate::process::{Process, START, command, eventually};
use crate::suite::Suite;

/// The folder that `tests/peers/install` fills.
pub(crate) struct Peers {
    root: PathBuf,
    /// Everything a test writes; removed with it.
    scratch: tempfile::TempDir,
}

/// The installed peers, or `None` where `LANDBRIDGE_PEERS` does not name them: a line then says that the test did not run,
/// past the test harness, which keeps the output of tests that pass to itself. In CI that is a failure.
pub(crate) fn peers() -> Option<Peers> {
    let Some(root) = std::env::var_os("LANDBRIDGE_PEERS") else {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "LANDBRIDGE_PEERS is not set"
        );
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test of real peers");
        let why = "LANDBRIDGE_PEERS does not name the folder of tests/peers/install";
        let line = format!("\nskipped: {test}: {why}\n");
        std::io::stdout().write_all(line.as_bytes()).unwrap();
        return None;
    };
    let root = PathBuf::from(root);
    assert!(
        root.join("java/bin/peer").exists(),
        "no peers in {}: run tests/peers/install",
        root.display()
    );
    Some(Peers {
        root,
        scratch: tempfile::tempdir().unwrap(),
    })
}

/// The timeout of a Java consumer's calls that are given no other: two new JVMs on a busy machine were seen to need more than
/// the 10 s of the suite for their first call.
pub(crate) const PATIENT: &str = "timeout=60000";

impl Peers {
    /// A file or folder below the installed peers.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// This test's own folder.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Writes a file of this test and gives its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.scratch.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A Java peer with `KEY=VALUE` settings, not waited for: `role` is `provider`, `consumer`, `triple-provider`...
    pub(crate) fn java<S: AsRef<str>>(&self, release: u8, role: &str, settings: &[S]) -> Process {
        // a home of its own: Dubbo keeps address caches there, which outlive a test
        let home = self.scratch.path().join("home");
        std::fs::create_dir_all(&home).unwrap();
        let mut start = command(
            self.path("java/bin/peer"),
            [("LB_HOME", home.display().to_string())],
        );
        start
            .arg(release.to_string())
            .arg(role)
            .args(settings.iter().map(S::as_ref));
        Process::start(format!("java-{release}-{role}"), &mut start)
    }

    /// A Java provider, ready to be called.
    pub(crate) fn java_provider<S: AsRef<str>>(&self, release: u8, settings: &[S]) -> Process {
        let process = self.java(release, "provider", settings);
        process.wait_event("ready", START);
        process
    }

    /// Runs a Java consumer's suite to its end.
    pub(crate) fn java_suite<S: AsRef<str>>(&self, release: u8, settings: &[S]) -> Suite {
        let mut all = vec![PATIENT];
        all.extend(settings.iter().map(S::as_ref));
        let mut process = self.java(release, "consumer", &all);
        process.finish(Duration::from_secs(600));
        Suite::of_java(&process)
    }

    /// The suite of a Java 3.3 consumer over Triple. Two clocks of Dubbo 3.3 run against each other in its case `timeout`
    /// ([`Thrown::is_timeout`](crate::calls::Thrown::is_timeout)), with us and without.
    pub(crate) fn java_33_over_triple(&self, settings: &[String]) -> Suite {
        let settings = [&["protocol=tri".to_owned()], settings].concat();
        let more = ["slow=1500", "timeout=300"].map(str::to_owned);
        self.java_suite(33, &settings).with_races_run_again(|| {
            Calls::run(self, 33, "slow", 20, 50, &[settings.as_slice(), &more].concat())
        })
    }

    /// A Go program (`provider`, `consumer`, `grpcserver`, `grpcclient`) with `LB_` settings, not waited for.
    pub(crate) fn go(&self, program: &str, settings: &[(&str, String)]) -> Process {
        let mut start = command(self.path("go/bin").join(program), settings.iter().cloned());
        start.current_dir(self.scratch.path());
        Process::start(format!("go-{program}"), &mut start)
    }

    /// A Go server, ready to be called.
    pub(crate) fn go_server(&self, program: &str, settings: &[(&str, String)]) -> Process {
        let process = self.go(program, settings);
        process.wait_event("ready", START);
        process
    }

    /// Runs a Go client's cases to their end.
    pub(crate) fn go_suite(&self, program: &str, settings: &[(&str, String)]) -> Suite {
        let mut process = self.go(program, settings);
        process.finish(Duration::from_secs(300));
        Suite::of_go(&process)
    }

    /// The misbehaving provider; `settings` as its own help says.
    pub(crate) fn fake_provider(&self, port: u16, arguments: &[&str]) -> Process {
        let mut start = Command::new(self.path("java/bin/fake-provider"));
        start.arg(port.to_string()).args(arguments);
        let process = Process::start("fake-provider", &mut start);
        eventually("fake-provider listens", START, || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        process
    }
}

/// The machine's first address: what a Java peer uses in place of 127.0.0.1.
pub(crate) fn own_address() -> IpAddr {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
    // no packet is sent: connecting only picks the route's source address
    match socket.connect(("192.0.2.1", 9)) {
        Ok(()) => socket.local_addr().unwrap().ip(),
        Err(_) => IpAddr::from([127, 0, 0, 1]),
    }
}
