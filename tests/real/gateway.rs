//! The gateway under test: the built program with a configuration of its own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::mesh::Mesh;
use crate::peers::{Peers, free_port, own_address};
use crate::process::{Process, START, eventually};
use crate::zookeeper::ZooKeeper;

/// A running gateway. It listens on every address: a Java peer replaces 127.0.0.1 by the machine's own.
pub(crate) struct Gateway {
    /// The process; its log is what it printed.
    pub(crate) process: Process,
    config: PathBuf,
    /// The port for Dubbo2 callers.
    pub(crate) dubbo2: u16,
    /// The port for Triple and gRPC callers.
    pub(crate) triple: u16,
    admin: u16,
}

/// What a gateway is told; the rest is the same for all.
#[derive(Default)]
pub(crate) struct Setup {
    zookeeper: String,
    mesh: String,
    services: String,
    dubbo2_becomes: String,
    triple_becomes: String,
    more: String,
    binding: Option<PathBuf>,
}

impl Setup {
    /// The translator: no registry, every service to these addresses.
    pub(crate) fn translator(from_dubbo2: &str, from_triple: &str, dubbo2: u16, triple: u16) -> Self {
        Self {
            services: format!(
                "services:\n- service: '*'\n  dubbo2: 127.0.0.1:{dubbo2}\n  triple: 127.0.0.1:{triple}\n"
            ),
            dubbo2_becomes: format!("    becomes: {from_dubbo2}\n"),
            triple_becomes: format!("    becomes: {from_triple}\n"),
            ..Self::default()
        }
    }

    /// The edge: services are found in registries, and announced there.
    pub(crate) fn edge() -> Self {
        Self {
            more: "migration:\n  stages:\n  - services: '*'\n    stage: bridge\n".to_owned(),
            ..Self::default()
        }
    }

    /// Names services in full: a host of the mesh does not say which interface it is, in upper and lower case. Directly
    /// after `edge`.
    pub(crate) fn naming(mut self, keys: &[&str]) -> Self {
        for key in keys {
            self.more
                .push_str(&format!("  - services: '{key}'\n    stage: bridge\n"));
        }
        self
    }

    /// With ZooKeeper.
    pub(crate) fn zookeeper(self, zk: &ZooKeeper) -> Self {
        self.zookeeper_at(zk.port)
    }

    /// With a service of the file: its ports on loopback.
    pub(crate) fn service(mut self, key: &str, dubbo2: Option<u16>, triple: Option<u16>) -> Self {
        let line = |name: &str, port: Option<u16>| {
            port.map(|port| format!("  {name}: 127.0.0.1:{port}\n"))
                .unwrap_or_default()
        };
        self.services.push_str(&format!(
            "services:\n- service: {key}\n{}{}",
            line("dubbo2", dubbo2),
            line("triple", triple)
        ));
        self
    }

    /// With a service of the file that has several Triple providers.
    pub(crate) fn services(mut self, key: &str, triple: &[u16]) -> Self {
        let all: Vec<String> = triple.iter().map(|port| format!("'127.0.0.1:{port}'")).collect();
        self.services = format!("services:\n- service: {key}\n  triple: [{}]\n", all.join(", "));
        self
    }

    /// With ZooKeeper at a port of this machine.
    pub(crate) fn zookeeper_at(mut self, port: u16) -> Self {
        self.zookeeper = format!(
            "legacy:\n- name: legacy\n  zookeeper:\n    servers: 127.0.0.1:{port}\n    session_timeout: 6s\n  publish: true\n"
        );
        self
    }

    /// With istiod, writing to its Kubernetes API.
    pub(crate) fn istiod(mut self, mesh: &Mesh) -> Self {
        self.mesh = format!(
            "mesh:\n- name: mesh\n  istiod:\n    address: {}\n    namespace: dubbo-bridge\n  publish:\n    via: kubernetes\n    namespace: dubbo\n    kubeconfig: {}\n",
            mesh.ads(),
            mesh.kubeconfig().display()
        );
        self
    }

    /// With the shop's binding file.
    pub(crate) fn binding(self) -> Self {
        self.binding_at(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("real/shop/binding.yaml"))
    }

    /// With a binding file.
    pub(crate) fn binding_at(mut self, path: PathBuf) -> Self {
        self.binding = Some(path);
        self
    }

    /// With more of the file.
    pub(crate) fn and(mut self, yaml: &str) -> Self {
        self.more.push_str(yaml);
        self
    }

    /// Java 2.7 sends no timeout with a call: what a busy machine takes for one is then ours to grant.
    fn yaml(&self, dubbo2: u16, triple: u16, admin: u16) -> String {
        let bindings = match &self.binding {
            Some(path) => format!("bindings: [ '{}' ]\n", path.display()),
            None => String::new(),
        };
        let own = own_address();
        format!(
            "version: 1\n\
             bridge: {{installation: real, replica: real-0}}\n\
             {}{}\
             listeners:\n  \
               dubbo2:\n    bind: 0.0.0.0:{dubbo2}\n    advertise: {own}:{dubbo2}\n{}  \
               triple:\n    bind: 0.0.0.0:{triple}\n    advertise: {own}:{triple}\n{}\
             {}{bindings}\
             admin:\n  bind: 127.0.0.1:{admin}\n\
             timeouts: {{call: 60s}}\n\
             drain: {{propagation: 1s, deadline: 3s}}\n{}",
            self.zookeeper, self.mesh, self.dubbo2_becomes, self.triple_becomes, self.services, self.more
        )
    }
}

impl Gateway {
    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(peers: &Peers, setup: &Setup) -> Self {
        let gateway = Self::launch(peers, setup);
        gateway.wait_ready();
        gateway
    }

    /// Starts it without waiting.
    pub(crate) fn launch(peers: &Peers, setup: &Setup) -> Self {
        let (dubbo2, triple, admin) = (free_port(), free_port(), free_port());
        let config = peers.write(
            &format!("landbridge-{dubbo2}.yaml"),
            &setup.yaml(dubbo2, triple, admin),
        );
        let process = spawn(&config);
        Self {
            process,
            config,
            dubbo2,
            triple,
            admin,
        }
    }

    /// Starts it again with the same ports and configuration, after `stop` or `kill`.
    pub(crate) fn again(&mut self) {
        self.process = spawn(&self.config);
        self.wait_ready();
    }

    /// Waits for readiness; panics when the process ends before.
    pub(crate) fn wait_ready(&self) {
        let ready = || {
            assert!(
                !self.process.has_printed_end(),
                "the gateway ended\n{}",
                self.process.printed()
            );
            self.get("/readyz").filter(|(status, _)| *status == 200)
        };
        eventually("the gateway is ready", START, ready);
    }

    /// Waits until ZooKeeper has our registration of a service.
    pub(crate) fn wait_published(&self, zk: &ZooKeeper, interface: &str) {
        self.wait_published_times(zk, interface, 1);
    }

    /// Waits until ZooKeeper has that many registrations of ours of an interface: one for each group and version.
    pub(crate) fn wait_published_times(&self, zk: &ZooKeeper, interface: &str, count: usize) {
        let port = format!(":{}/", self.dubbo2);
        zk.wait_urls(interface, "providers", |urls| {
            urls.iter().filter(|url| url.contains(&port)).count() >= count
        });
    }

    /// A GET at the admin port: status and body; `None` when nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.admin)).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        write!(
            socket,
            "GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n"
        )
        .ok()?;
        let mut text = String::new();
        socket.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// JSON of the admin port.
    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path).expect("the admin port answers");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    /// `url=dubbo://...` for a Java consumer.
    pub(crate) fn dubbo_url(&self) -> String {
        format!("url=dubbo://127.0.0.1:{}", self.dubbo2)
    }

    /// `url=tri://...` for a Java consumer.
    pub(crate) fn tri_url(&self) -> String {
        format!("url=tri://127.0.0.1:{}", self.triple)
    }

    /// Asks it to drain and waits for its end.
    pub(crate) fn stop(&mut self) {
        let status = self.process.stop(START);
        assert!(
            status.success(),
            "the gateway ended with {status}\n{}",
            self.process.printed()
        );
    }
}

fn spawn(config: &std::path::Path) -> Process {
    let mut command = Command::new(binary());
    command.arg("run").arg("--config").arg(config);
    Process::start("landbridge", &mut command)
}

/// The built program: `tests/run` builds it first.
pub(crate) fn binary() -> PathBuf {
    if let Some(binary) = std::env::var_os("LANDBRIDGE_BIN") {
        return binary.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    target.join("debug/landbridge")
}
