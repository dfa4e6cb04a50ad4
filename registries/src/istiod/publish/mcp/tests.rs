//! The server against the MCP side of a simulated istiod, over real sockets.

use std::collections::BTreeMap;
use std::time::Duration;

use harness::istiod::{Event, Istiod};
use harness::task::Task;
use tokio::sync::broadcast;

use super::*;
use crate::istiod::records;
use crate::publish::{ServiceEntry, ServicePort, Workload, WorkloadEntry};

/// Far more than anything here takes; a test that hangs ends by it.
const LIMIT: Duration = Duration::from_secs(60);

const NO_HOLD: HoldPolicy = HoldPolicy {
    percent: 100,
    time: Duration::ZERO,
};

fn service(host: &str) -> ServiceEntry {
    ServiceEntry {
        labels: BTreeMap::from([(records::MANAGED_BY.into(), records::CANONICAL.into())]),
        host: host.into(),
        ports: vec![ServicePort {
            name: "grpc-tri".into(),
            number: 50051,
            protocol: "GRPC".into(),
        }],
        selector: BTreeMap::from([(records::INSTALLATION.into(), "shop".into())]),
        ..ServiceEntry::default()
    }
}

fn fleet(services: usize, address: [u8; 4]) -> MeshRecords {
    let workload = WorkloadEntry {
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        workload: Workload {
            address: address.into(),
            ports: BTreeMap::from([("grpc-tri".into(), 20000)]),
            labels: BTreeMap::from([(records::INSTALLATION.into(), "shop".into())]),
            locality: String::new(),
            weight: 0,
        },
    };
    MeshRecords {
        services: (0..services)
            .map(|i| (format!("s{i}"), service(&format!("s{i}.dubbo"))))
            .collect(),
        workloads: BTreeMap::from([("shop-0".into(), workload)]),
    }
}

struct Bench {
    address: SocketAddr,
    desired: watch::Sender<Option<Arc<MeshRecords>>>,
    report: watch::Receiver<Arc<Report>>,
    task: Task,
}

impl Bench {
    async fn start(listen: &str, hold: HoldPolicy) -> Self {
        let config = Config {
            listen: listen.parse().unwrap(),
        };
        let server = McpServer::bind(&config, "dubbo", hold).await.unwrap();
        let address = server.address();
        let (desired, desires) = watch::channel(None);
        let (reports, report) = watch::channel(Arc::default());
        Self {
            address,
            desired,
            report,
            task: Task::spawn(server.run(desires, reports)),
        }
    }

    fn want(&self, records: MeshRecords) {
        self.desired.send_replace(Some(Arc::new(records)));
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&Report) -> bool) -> Arc<Report> {
        let waited = self.report.wait_for(|report| holds(report));
        let waited = tokio::time::timeout(LIMIT, waited).await;
        match waited.map(|report| report.unwrap().clone()) {
            Ok(report) => report,
            Err(_) => panic!("not within {LIMIT:?}: {what}; {:#?}", self.report.borrow()),
        }
    }
}

async fn answer(events: &mut broadcast::Receiver<Event>, wanted: &str) -> usize {
    let find = async {
        loop {
            match events.recv().await.unwrap() {
                Event::McpAnswer { kind, count } if kind == wanted => return count,
                Event::McpDropped(problem) => panic!("{problem}"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(LIMIT, find)
        .await
        .expect("an MCP answer within the limit")
}

async fn opened(events: &mut broadcast::Receiver<Event>) {
    let find = async { while events.recv().await.unwrap() != Event::McpOpened {} };
    tokio::time::timeout(LIMIT, find)
        .await
        .expect("an MCP stream within the limit");
}

#[tokio::test]
async fn holds_its_answers_until_it_knows_and_then_answers_every_kind() {
    let mut bench = Bench::start("127.0.0.1:0", NO_HOLD).await;
    let istiod = Istiod::start().await.unwrap();
    let mut events = istiod.events();
    istiod.follow(bench.address);
    opened(&mut events).await;
    bench
        .until("a stream", |report| report.streams == 1 && !report.in_force)
        .await;
    assert!(istiod.hosts().is_empty());
    bench.want(fleet(3, [10, 0, 0, 1]));
    let report = bench.until("in force", |report| report.in_force).await;
    // All 16 kinds: istiod would wait for ever for one that is left out.
    assert_eq!(
        (report.writes, report.published, report.error.as_deref()),
        (16, 4, None)
    );
    assert_eq!(istiod.hosts().len(), 3);
}

#[tokio::test]
async fn sends_what_changed_and_nothing_else() {
    let mut bench = Bench::start("127.0.0.1:0", NO_HOLD).await;
    let istiod = Istiod::start().await.unwrap();
    let mut events = istiod.events();
    istiod.follow(bench.address);
    bench.want(fleet(2, [10, 0, 0, 1]));
    bench.until("in force", |report| report.in_force).await;
    let before = istiod.mcp_versions("ServiceEntry");
    bench.want(fleet(2, [10, 0, 0, 2]));
    let report = bench
        .until("one more answer", |report| report.in_force && report.writes == 17)
        .await;
    assert_eq!(report.published, 3);
    assert_eq!(istiod.mcp_versions("ServiceEntry"), before);
    bench.want(fleet(2, [10, 0, 0, 2]));
    bench.want(fleet(3, [10, 0, 0, 2]));
    let report = bench
        .until("in force", |report| report.in_force && report.published == 4)
        .await;
    assert_eq!(report.writes, 18);
    while events.try_recv().is_ok() {}
    assert_eq!(istiod.hosts().len(), 3);
}

#[tokio::test]
async fn loses_nothing_over_its_own_restart() {
    let mut bench = Bench::start("127.0.0.1:0", NO_HOLD).await;
    let istiod = Istiod::start().await.unwrap();
    let mut events = istiod.events();
    istiod.follow(bench.address);
    bench.want(fleet(20, [10, 0, 0, 1]));
    bench.until("in force", |report| report.in_force).await;
    let versions = istiod.mcp_versions("ServiceEntry");
    let address = bench.address.to_string();
    drop(bench);
    let closed = async { while events.recv().await.unwrap() != Event::McpClosed {} };
    tokio::time::timeout(LIMIT, closed)
        .await
        .expect("the stream ends with the server");
    assert_eq!(istiod.hosts().len(), 20);

    let mut bench = Bench::start(&address, NO_HOLD).await;
    bench.until("a stream", |report| report.streams == 1).await;
    assert_eq!(istiod.hosts().len(), 20, "an unsynced server holds its answers");
    bench.want(fleet(20, [10, 0, 0, 1]));
    bench.until("in force", |report| report.in_force).await;
    assert_eq!(istiod.mcp_versions("ServiceEntry"), versions, "identical bytes");
}

#[tokio::test]
async fn holds_a_removal_in_bulk_and_shows_it() {
    let hold = HoldPolicy {
        percent: 50,
        time: Duration::from_secs(4),
    };
    let mut bench = Bench::start("127.0.0.1:0", hold).await;
    let istiod = Istiod::start().await.unwrap();
    let mut events = istiod.events();
    istiod.follow(bench.address);
    bench.want(fleet(20, [10, 0, 0, 1]));
    bench.until("in force", |report| report.in_force).await;
    bench.want(fleet(0, [10, 0, 0, 1]));
    let report = bench.until("held", |report| report.held == 20).await;
    assert_eq!(report.published, 21);
    assert_eq!(istiod.hosts().len(), 20);
    // It stays wanted: then it is done.
    bench
        .until("let go", |report| report.held == 0 && report.in_force)
        .await;
    while answer(&mut events, "ServiceEntry").await != 0 {}
    assert!(istiod.hosts().is_empty());
}

#[tokio::test]
async fn sets_an_offender_aside() {
    let mut bench = Bench::start("127.0.0.1:0", NO_HOLD).await;
    let istiod = Istiod::start().await.unwrap();
    istiod.follow(bench.address);
    let mut records = fleet(2, [10, 0, 0, 1]);
    records.services.insert("bad".into(), service("Bad_Host!"));
    bench.want(records);
    let report = bench.until("in force", |report| report.in_force).await;
    assert_eq!(report.quarantined.len(), 1);
    assert!(report.quarantined["ServiceEntry bad"].contains("Bad_Host!"));
    assert_eq!(istiod.hosts().len(), 2);
    assert!(!bench.task.is_finished());
}

/// The circle that `Policy::mesh_waits` breaks: no ADS before our answers, so our answers cannot wait for ADS.
#[tokio::test]
async fn is_answered_by_an_istiod_that_opens_ads_afterwards() {
    let mut bench = Bench::start("127.0.0.1:0", NO_HOLD).await;
    let istiod = Istiod::start_with_mcp(bench.address).await.unwrap();
    let raw: crate::istiod::RawConfig =
        serde_saphyr::from_str(&format!("address: '{}'", istiod.address())).unwrap();
    let client = crate::istiod::AdsClient::new(raw.try_into().unwrap());
    let (_wanted, wants) = watch::channel(Arc::default());
    let (views, mut view) = watch::channel(Arc::<crate::mesh_view::MeshView>::default());
    let _client = Task::spawn(client.run(wants, views));
    bench.until("a held stream", |report| report.streams == 1).await;
    let refused = view.wait_for(|view| view.state.error.is_some());
    let refused = tokio::time::timeout(LIMIT, refused)
        .await
        .expect("ADS is closed")
        .unwrap();
    assert!(!refused.state.connected && !refused.state.synced);
    drop(refused);
    bench.want(fleet(2, [10, 0, 0, 1]));
    let synced = view.wait_for(|view| view.state.synced && view.hosts.len() == 2);
    tokio::time::timeout(LIMIT, synced)
        .await
        .expect("synced within the limit")
        .unwrap();
}
