//! The mesh side against the simulated istiod.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use harness::istiod::Istiod;
use harness::task::Task;
use registries::istiod::publish::{Registrar, Report};
use registries::publish::MeshRecords;
use serde_json::Value;
use tokio::sync::watch;

use crate::behaviour::{World, behaves, mcp_server};

struct Simulated {
    istiod: Istiod,
    source: Mutex<Option<SocketAddr>>,
}

impl World for Simulated {
    fn apply(&self, objects: &[Value]) {
        for object in objects {
            self.istiod.apply(object).unwrap();
        }
    }

    async fn stop(&self) {
        self.istiod.stop();
    }

    async fn start(&self) {
        self.istiod.start_again().await.unwrap();
    }

    fn ads(&self) -> String {
        self.istiod.address().to_string()
    }

    async fn register(
        &self,
        desired: watch::Receiver<Option<Arc<MeshRecords>>>,
        report: watch::Sender<Arc<Report>>,
    ) -> Task {
        let known = *self.source.lock().unwrap();
        let server = mcp_server(known.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)))).await;
        if known.is_none() {
            self.istiod.follow(server.address());
            *self.source.lock().unwrap() = Some(server.address());
        }
        Task::spawn(server.run(desired, report))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registers_and_follows_by_mcp() {
    let world = Simulated {
        // It leaves its port and comes back to it.
        istiod: Istiod::start_at(([127, 0, 0, 1], harness::ports::free()).into())
            .await
            .unwrap(),
        source: Mutex::default(),
    };
    behaves(&world).await;
}
