//! The mesh side against a real istiod: registration through the Kubernetes API and by MCP, ADS.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use harness::task::Task;
use registries::istiod::Owner;
use registries::istiod::publish::kubernetes::{Config, Kubernetes};
use registries::istiod::publish::{HoldPolicy, Registrar, Report};
use registries::publish::MeshRecords;
use serde_json::Value;
use tokio::sync::watch;

use crate::behaviour::{self, World, behaves, mcp_server};
use crate::mesh::Mesh;
use crate::peers::{free_port, peers};

const NO_HOLD: HoldPolicy = HoldPolicy {
    percent: 100,
    time: Duration::ZERO,
};

/// Objects in one text, each a document.
fn documents(objects: &[Value]) -> String {
    objects.iter().map(|object| format!("---\n{object}\n")).collect()
}

struct ByKubernetes {
    mesh: Mesh,
}

impl World for ByKubernetes {
    fn apply(&self, objects: &[Value]) {
        self.mesh.apply(&documents(objects));
    }

    async fn stop(&self) {
        tokio::task::block_in_place(|| self.mesh.istiod("kill"));
    }

    async fn start(&self) {
        tokio::task::block_in_place(|| self.mesh.istiod("start"));
    }

    fn ads(&self) -> String {
        self.mesh.ads()
    }

    async fn register(
        &self,
        desired: watch::Receiver<Option<Arc<MeshRecords>>>,
        report: watch::Sender<Arc<Report>>,
    ) -> Task {
        let config = Config {
            kubeconfig: Some(self.mesh.own_kubeconfig()),
            context: None,
            writers: 8,
        };
        let owner = Owner {
            installation: "shop".into(),
            replica: "a".into(),
        };
        let kubernetes = Kubernetes::start(&config, "dubbo", NO_HOLD, &owner)
            .await
            .unwrap();
        Task::spawn(kubernetes.run(desired, report))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn registers_by_kubernetes_and_follows() {
    let Some(peers) = peers() else { return };
    let world = ByKubernetes {
        mesh: Mesh::start(&peers),
    };
    behaves(&world).await;
}

struct ByMcp {
    mesh: Mesh,
    source: SocketAddr,
}

impl World for ByMcp {
    fn apply(&self, objects: &[Value]) {
        self.mesh.apply(&documents(objects));
    }

    async fn stop(&self) {
        tokio::task::block_in_place(|| self.mesh.istiod("kill"));
    }

    async fn start(&self) {
        tokio::task::block_in_place(|| self.mesh.istiod("start"));
    }

    fn ads(&self) -> String {
        self.mesh.ads()
    }

    async fn register(
        &self,
        desired: watch::Receiver<Option<Arc<MeshRecords>>>,
        report: watch::Sender<Arc<Report>>,
    ) -> Task {
        let server = mcp_server(self.source).await;
        Task::spawn(server.run(desired, report))
    }
}

/// istiod does not open its ADS port while we hold our answers; with them it does, and the whole life goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn registers_by_mcp_and_follows() {
    let Some(peers) = peers() else { return };
    let source = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let settings = [
        ("LAB_CONFIG_SOURCES", format!("k8s:// xds://{source}")),
        ("LAB_NO_ISTIOD", "1".to_owned()),
    ];
    let world = ByMcp {
        mesh: Mesh::start_with(&peers, &settings),
        source,
    };
    let (desired, desires) = watch::channel(None);
    let (reports, mut report) = watch::channel(Arc::new(Report::default()));
    let server = world.register(desires, reports).await;
    let held = async {
        report.wait_for(|report| report.streams == 1).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(
            TcpStream::connect(world.mesh.ads()).is_err(),
            "istiod waits for our answers"
        );
        desired.send_replace(Some(Arc::new(MeshRecords::default())));
        report.wait_for(|report| report.in_force).await.unwrap();
    };
    let start = async { tokio::task::block_in_place(|| world.mesh.istiod("start")) };
    // `start` blocks its thread until istiod is ready: `held` has one of its own.
    std::thread::scope(|scope| {
        let runtime = tokio::runtime::Handle::current();
        let held = scope.spawn(move || runtime.block_on(held));
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(start));
        held.join().unwrap();
    });
    drop(server);
    behaves(&world).await;
}

/// What is not ours stays: an object of the name that we would take, and every object without our marks.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn leaves_foreign_objects_alone() {
    let Some(peers) = peers() else { return };
    let world = ByKubernetes {
        mesh: Mesh::start(&peers),
    };
    behaviour::leaves_foreign_objects_alone(&world, || world.mesh.objects("serviceentries", "dubbo")).await;
}
