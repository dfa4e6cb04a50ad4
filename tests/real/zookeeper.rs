//! A real ZooKeeper server.

use std::path::PathBuf;
use std::process::Command;

use crate::peers::{Peers, free_port};
use crate::process::{START, eventually_or, run};

/// One ZooKeeper server; its data outlives `stop` and goes with the test.
pub(crate) struct ZooKeeper {
    bin: PathBuf,
    dir: PathBuf,
    /// Its port on loopback.
    pub(crate) port: u16,
    running: bool,
}

impl ZooKeeper {
    /// Starts a server and waits until it answers.
    pub(crate) fn start(peers: &Peers) -> Self {
        let port = free_port();
        let mut zk = Self {
            bin: peers.path("java/bin"),
            dir: peers.scratch().join(format!("zk-{port}")),
            port,
            running: false,
        };
        zk.up();
        zk
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `registry=zookeeper://...` for a Java peer.
    pub(crate) fn setting(&self) -> String {
        format!("registry=zookeeper://{}", self.address())
    }

    /// Starts it again with the data it had.
    pub(crate) fn up(&mut self) {
        // its output goes to a file: a pipe would stay open in the server
        let status = Command::new(self.bin.join("zk-up"))
            .arg(self.port.to_string())
            .arg(&self.dir)
            .status()
            .unwrap();
        assert!(status.success(), "zk-up {}: {status}", self.port);
        self.running = true;
    }

    /// Stops it; clients keep trying.
    pub(crate) fn down(&mut self) {
        if std::mem::take(&mut self.running) {
            let _ = Command::new(self.bin.join("zk-down"))
                .arg(self.port.to_string())
                .arg(&self.dir)
                .status();
        }
    }

    /// The tree below `root`: one line per node.
    pub(crate) fn dump(&self, root: &str) -> Vec<serde_json::Value> {
        let mut tool = Command::new(self.bin.join("zk-tool"));
        tool.arg(self.address()).arg("dump").arg(root);
        run("zk-tool", &mut tool, START)
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Makes a node that only this digest user may read.
    pub(crate) fn put_closed(&self, path: &str, user: &str) {
        let mut tool = Command::new(self.bin.join("zk-tool"));
        tool.env("ZK_AUTH", user).args([&self.address(), "put", path, ""]);
        run("zk-tool", &mut tool, START);
    }

    /// The decoded URLs under `/dubbo/INTERFACE/CATEGORY`.
    pub(crate) fn urls(&self, interface: &str, category: &str) -> Vec<String> {
        let root = format!("/dubbo/{interface}/{category}");
        let nodes = self.dump("/dubbo");
        nodes
            .iter()
            .filter(|node| {
                node["path"]
                    .as_str()
                    .is_some_and(|path| path.strip_prefix(&root).is_some_and(|rest| rest.starts_with('/')))
            })
            .filter_map(|node| node["url"].as_str().map(str::to_owned))
            .collect()
    }

    /// Waits until the URLs of a category are as `wanted` says.
    pub(crate) fn wait_urls(&self, interface: &str, category: &str, wanted: impl Fn(&[String]) -> bool) {
        let last = std::cell::RefCell::new(Vec::new());
        let arrived = || {
            *last.borrow_mut() = self.urls(interface, category);
            wanted(&last.borrow()).then_some(())
        };
        let what = || format!("{category} of {interface} in ZooKeeper: {:?}", last.borrow());
        eventually_or(what, START, arrived);
    }
}

impl Drop for ZooKeeper {
    fn drop(&mut self) {
        self.down();
    }
}
