//! A real istiod with a real Kubernetes API, without a cluster.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::peers::Peers;
use crate::process::{START, run};

/// etcd, kube-apiserver and istiod on ports of their own.
pub(crate) struct Mesh {
    scripts: PathBuf,
    bin: PathBuf,
    /// The stage's folder: keys, kubeconfig, logs.
    pub(crate) dir: PathBuf,
    base: u16,
}

impl Mesh {
    /// Starts the stage; debounce is short, as tests want it.
    pub(crate) fn start(peers: &Peers) -> Self {
        Self::start_with(peers, &[])
    }

    /// As [`Mesh::start`], with more settings of `up.sh`.
    pub(crate) fn start_with(peers: &Peers, settings: &[(&str, String)]) -> Self {
        let scripts = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers/istiod");
        let base = free_base();
        let mesh = Self {
            scripts,
            bin: peers.path("bin"),
            dir: peers.scratch().join(format!("mesh-{base}")),
            base,
        };
        let status = mesh
            .script("up.sh")
            .arg(&mesh.dir)
            .envs(settings.iter().map(|(name, value)| (*name, value)))
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(
            status.success(),
            "up.sh: {status}; logs in {}",
            mesh.dir.display()
        );
        mesh
    }

    /// istiod's plain-text ADS address.
    pub(crate) fn ads(&self) -> String {
        format!("127.0.0.1:{}", 15010 + self.base)
    }

    /// The kubeconfig of an administrator.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kube/kubeconfig")
    }

    /// The API server's address.
    pub(crate) fn api(&self) -> String {
        format!("https://127.0.0.1:{}", 16443 + self.base)
    }

    /// A kubeconfig with the rights of the gateway's own service account, and no more.
    pub(crate) fn own_kubeconfig(&self) -> PathBuf {
        let url = format!(
            "{}/api/v1/namespaces/dubbo-bridge/serviceaccounts/dubbo-bridge/token",
            self.api()
        );
        let admin = std::fs::read_to_string(self.dir.join("kube/admin.token")).unwrap();
        let request = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}"#;
        let mut curl = Command::new("curl");
        curl.arg("-sS").arg("--cacert").arg(self.dir.join("kube/ca.pem"));
        curl.arg("-H")
            .arg(format!("Authorization: Bearer {}", admin.trim()));
        curl.args([
            "-X",
            "POST",
            "-H",
            "Content-Type: application/json",
            "-d",
            request,
        ]);
        let text = run("curl", curl.arg(url), START);
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        let token = answer["status"]["token"].as_str().unwrap();
        let admin_file = std::fs::read_to_string(self.kubeconfig()).unwrap();
        let path = self.dir.join("kube/own-kubeconfig");
        std::fs::write(&path, admin_file.replace(admin.trim(), token)).unwrap();
        path
    }

    /// Applies (or deletes) YAML objects as an administrator.
    pub(crate) fn apply(&self, yaml: &str) {
        self.meshlab(&["apply"], yaml);
    }

    /// Deletes YAML objects as an administrator.
    pub(crate) fn delete(&self, yaml: &str) {
        self.meshlab(&["apply", "-delete"], yaml);
    }

    /// `istiod.sh start|stop|kill|restart`.
    pub(crate) fn istiod(&self, verb: &str) {
        let status = self
            .script("istiod.sh")
            .arg(verb)
            .arg(&self.dir)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "istiod.sh {verb}: {status}");
    }

    /// The stage's own assertions.
    pub(crate) fn check(&self) -> String {
        run(
            "check.sh",
            self.script("check.sh").arg(&self.dir),
            Duration::from_secs(600),
        )
    }

    /// The names of objects of one kind in a namespace (`serviceentries`, `workloadentries`), as the API server lists them.
    pub(crate) fn objects(&self, kind: &str, namespace: &str) -> Vec<serde_json::Value> {
        let url = format!(
            "https://127.0.0.1:{}/apis/networking.istio.io/v1/namespaces/{namespace}/{kind}",
            16443 + self.base
        );
        let token = std::fs::read_to_string(self.dir.join("kube/admin.token")).unwrap();
        let mut curl = Command::new("curl");
        curl.arg("-sS").arg("--cacert").arg(self.dir.join("kube/ca.pem"));
        curl.arg("-H")
            .arg(format!("Authorization: Bearer {}", token.trim()))
            .arg(url);
        let text = run("curl", &mut curl, START);
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    fn meshlab(&self, arguments: &[&str], input: &str) {
        let file = self.dir.join("apply.yaml");
        std::fs::write(&file, input).unwrap();
        let status = Command::new(self.bin.join("meshlab"))
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig())
            .env("LAB_KUBE_URL", format!("https://127.0.0.1:{}", 16443 + self.base))
            .env("LAB_KUBE_CA", self.dir.join("kube/ca.pem"))
            .env("LAB_KUBE_TOKEN", self.dir.join("kube/admin.token"))
            .stdin(std::fs::File::open(file).unwrap())
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "meshlab {arguments:?}: {status}\n{input}");
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(self.scripts.join(name));
        command
            .env("PEERS_BIN", &self.bin)
            .env("LAB_PORT_BASE", self.base.to_string())
            .env(
                "LAB_ISTIOD_ENV",
                "PILOT_DEBOUNCE_AFTER=10ms PILOT_DEBOUNCE_MAX=100ms",
            );
        command
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        let keep: &[&str] = if std::thread::panicking() {
            &["--keep"]
        } else {
            &[]
        };
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.dir.join("log/istiod.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "--- istiod\n{}",
                lines[lines.len().saturating_sub(30)..].join("\n")
            );
        }
        let _ = self.script("down.sh").arg(&self.dir).args(keep).status();
    }
}

/// An offset for all ports of the mesh stage, so that two stages fit on one machine. All of them stay below the ports that
/// Linux gives to outgoing connections, and below those of `harness::ports`.
fn free_base() -> u16 {
    let ports = [12379, 12380, 16443, 15010, 15012, 15014, 15017, 18080, 9876];
    let first = u16::try_from(std::process::id() % 29).unwrap();
    (0..29)
        .map(|step| (first + step) % 29 * 200 + 200)
        .find(|base| {
            ports
                .iter()
                .all(|port| TcpListener::bind(("127.0.0.1", port + base)).is_ok())
        })
        .expect("a free range of ports for the mesh stage")
}
