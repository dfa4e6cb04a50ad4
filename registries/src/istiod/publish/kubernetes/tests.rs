//! The registrar against an API server of a few lines: for refusals and outages. The behaviour test runs on a real one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use harness::task::Task;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::istiod::records;
use crate::publish::{ServiceEntry, ServicePort};

/// Far more than anything here takes; a test that hangs ends by it.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Fake {
    /// By `serviceentries/name`.
    objects: BTreeMap<String, Value>,
    /// Answers by path end instead of doing it.
    refuse: BTreeMap<String, u16>,
    /// Every write, `PATCH name` or `DELETE name`.
    writes: Vec<String>,
}

struct Api {
    fake: Arc<Mutex<Fake>>,
    address: SocketAddr,
    server: Option<Task>,
    directory: tempfile::TempDir,
}

impl Api {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fake = Arc::new(Mutex::new(Fake::default()));
        let directory = tempfile::tempdir().unwrap();
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "k", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        });
        std::fs::write(directory.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
        let server = Some(Task::spawn(serve(listener, fake.clone())));
        Self {
            fake,
            address,
            server,
            directory,
        }
    }

    fn fake<T>(&self, with: impl FnOnce(&mut Fake) -> T) -> T {
        with(&mut self.fake.lock().unwrap())
    }

    async fn start_again(&mut self) {
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        self.server = Some(Task::spawn(serve(listener, self.fake.clone())));
    }
}

async fn serve(listener: TcpListener, fake: Arc<Mutex<Fake>>) {
    let mut connections = Vec::new();
    while let Ok((socket, _)) = listener.accept().await {
        let fake = fake.clone();
        connections.push(Task::spawn(async move {
            let _ = connection(socket, &fake).await;
        }));
    }
}

async fn connection(socket: TcpStream, fake: &Mutex<Fake>) -> std::io::Result<()> {
    let mut socket = BufReader::new(socket);
    loop {
        let mut first = String::new();
        if socket.read_line(&mut first).await? == 0 {
            return Ok(());
        }
        let mut length = 0;
        loop {
            let mut line = String::new();
            socket.read_line(&mut line).await?;
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        socket.read_exact(&mut body).await?;
        let mut parts = first.split(' ');
        let (method, target) = (parts.next().unwrap(), parts.next().unwrap());
        let (status, answer) = fake.lock().unwrap().answer(method, target, &body);
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        socket.write_all(head.as_bytes()).await?;
        socket.write_all(answer.as_bytes()).await?;
    }
}

impl Fake {
    fn answer(&mut self, method: &str, target: &str, body: &[u8]) -> (u16, Value) {
        let (path, _query) = target.split_once('?').unwrap_or((target, ""));
        let key = path.split("/namespaces/dubbo/").nth(1).unwrap().to_owned();
        let status = |code: u16, reason: &str| {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                                "reason": reason, "message": format!("{reason} {key}")});
            (code, status)
        };
        let refused = self.refuse.iter().find(|(end, _)| key.ends_with(end.as_str()));
        if let Some((_, code)) = refused {
            return status(*code, if *code == 403 { "Forbidden" } else { "Invalid" });
        }
        match (method, key.contains('/')) {
            ("GET", false) => {
                let items = self
                    .objects
                    .iter()
                    .filter(|(name, _)| name.starts_with(&format!("{key}/")));
                let ours = items.filter(|(_, object)| {
                    object["metadata"]["labels"][records::MANAGED_BY] == records::CANONICAL
                });
                let items: Vec<&Value> = ours.map(|(_, object)| object).collect();
                (
                    200,
                    json!({"apiVersion": "networking.istio.io/v1", "kind": "List", "metadata": {}, "items": items}),
                )
            }
            ("GET", true) => match self.objects.get(&key) {
                Some(object) => (200, object.clone()),
                None => status(404, "NotFound"),
            },
            ("PATCH", _) => {
                let mut object: Value = serde_json::from_slice(body).unwrap();
                object["metadata"]["uid"] = json!("uid");
                self.writes.push(format!("PATCH {key}"));
                self.objects.insert(key, object.clone());
                (200, object)
            }
            ("DELETE", _) => {
                self.writes.push(format!("DELETE {key}"));
                match self.objects.remove(&key) {
                    Some(object) => (200, object),
                    None => status(404, "NotFound"),
                }
            }
            _ => status(405, "MethodNotAllowed"),
        }
    }
}

struct Bench {
    api: Api,
    desired: watch::Sender<Option<Arc<MeshRecords>>>,
    report: watch::Receiver<Arc<Report>>,
    _task: Task,
}

const NO_HOLD: HoldPolicy = HoldPolicy {
    percent: 100,
    time: Duration::ZERO,
};

impl Bench {
    async fn on(api: Api, hold: HoldPolicy) -> Self {
        let config = Config {
            kubeconfig: Some(api.directory.path().join("kubeconfig")),
            context: None,
            writers: 2,
        };
        let owner = Owner {
            installation: "shop".into(),
            replica: "a".into(),
        };
        let registrar = Kubernetes::start(&config, "dubbo", hold, &owner).await.unwrap();
        let (desired, desires) = watch::channel(None);
        let (reports, report) = watch::channel(Arc::default());
        Self {
            api,
            desired,
            report,
            _task: Task::spawn(registrar.run(desires, reports)),
        }
    }

    fn want(&self, services: std::ops::Range<u32>) {
        let services = services.map(|i| (format!("s{i}"), service(&format!("s{i}.dubbo"))));
        self.desired.send_replace(Some(Arc::new(MeshRecords {
            services: services.collect(),
            workloads: BTreeMap::new(),
        })));
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&Report) -> bool) -> Arc<Report> {
        let waited = tokio::time::timeout(LIMIT, self.report.wait_for(|report| holds(report))).await;
        match waited.map(|report| report.unwrap().clone()) {
            Ok(report) => report,
            Err(_) => panic!("not within {LIMIT:?}: {what}; {:#?}", self.report.borrow()),
        }
    }
}

fn service(host: &str) -> ServiceEntry {
    ServiceEntry {
        labels: BTreeMap::from([
            (records::MANAGED_BY.into(), records::CANONICAL.into()),
            (records::INSTALLATION.into(), "shop".into()),
        ]),
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

#[tokio::test]
async fn writes_once_what_is_desired() {
    let mut bench = Bench::on(Api::start().await, NO_HOLD).await;
    bench.want(0..3);
    let report = bench.until("in force", |report| report.in_force).await;
    assert_eq!((report.published, report.writes), (3, 3));
    // A successor finds them as they should be.
    let mut bench = Bench::on(bench.api, NO_HOLD).await;
    bench.want(0..3);
    let report = bench.until("in force", |report| report.in_force).await;
    assert_eq!((report.published, report.writes), (3, 0));
    // Somebody else's drift is undone when a successor lists again.
    bench
        .api
        .fake(|fake| fake.objects.get_mut("serviceentries/s1").unwrap()["spec"]["hosts"] = json!(["drift"]));
    let mut bench = Bench::on(bench.api, NO_HOLD).await;
    bench.want(0..2);
    let report = bench.until("in force", |report| report.in_force).await;
    assert_eq!(report.writes, 2);
    let writes = bench.api.fake(|fake| fake.writes.split_off(3));
    assert_eq!(writes, ["PATCH serviceentries/s1", "DELETE serviceentries/s2"]);
}

#[tokio::test]
async fn reports_a_refused_object_and_deletes_nothing_meanwhile() {
    let mut bench = Bench::on(Api::start().await, NO_HOLD).await;
    bench.want(0..2);
    bench.until("in force", |report| report.in_force).await;
    bench.api.fake(|fake| fake.refuse.insert("s2".into(), 422));
    bench.want(1..4);
    let report = bench
        .until("the refusal", |report| !report.failed.is_empty())
        .await;
    assert!(
        report.failed["ServiceEntry s2"].starts_with("422 Invalid"),
        "{report:?}"
    );
    assert!(!report.in_force && report.error.is_none());
    assert!(
        bench
            .api
            .fake(|fake| fake.objects.contains_key("serviceentries/s0"))
    );
    bench.api.fake(|fake| fake.refuse.clear());
    bench
        .until("in force", |report| report.in_force && report.published == 3)
        .await;
    let left: Vec<String> = bench.api.fake(|fake| fake.objects.keys().cloned().collect());
    assert_eq!(
        left,
        ["serviceentries/s1", "serviceentries/s2", "serviceentries/s3"]
    );
}

#[tokio::test]
async fn waits_for_an_api_that_is_away_or_says_no() {
    let mut api = Api::start().await;
    api.server = None;
    api.fake(|fake| fake.refuse.insert("entries".into(), 403));
    let mut bench = Bench::on(api, NO_HOLD).await;
    bench.want(0..2);
    bench
        .until("that it is away", |report| report.error.is_some())
        .await;
    bench.api.start_again().await;
    bench
        .until("that it says no", |report| {
            report
                .error
                .as_deref()
                .is_some_and(|text| text.starts_with("403"))
        })
        .await;
    bench.api.fake(|fake| fake.refuse.clear());
    let report = bench.until("in force", |report| report.in_force).await;
    assert_eq!((report.published, report.error.as_deref()), (2, None));
}

#[tokio::test]
async fn holds_a_removal_in_bulk_of_what_a_predecessor_wrote() {
    let mut bench = Bench::on(Api::start().await, NO_HOLD).await;
    bench.want(0..20);
    bench.until("in force", |report| report.in_force).await;
    let hold = HoldPolicy {
        percent: 50,
        time: Duration::from_secs(4),
    };
    let mut bench = Bench::on(bench.api, hold).await;
    bench.want(0..2);
    let report = bench.until("held", |report| report.held == 18).await;
    assert_eq!((report.writes, report.published), (0, 20));
    assert_eq!(bench.api.fake(|fake| fake.objects.len()), 20);
    bench
        .until("let go", |report| report.in_force && report.published == 2)
        .await;
    assert_eq!(bench.api.fake(|fake| fake.objects.len()), 2);
}

#[tokio::test]
async fn writes_nothing_before_it_is_told() {
    let api = Api::start().await;
    api.fake(|fake| {
        fake.objects
            .insert("serviceentries/old".into(), json!({"metadata": {"name": "old"}}))
    });
    let bench = Bench::on(api, NO_HOLD).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(bench.api.fake(|fake| fake.writes.is_empty()));
    assert!(!bench.report.borrow().in_force);
}

#[tokio::test]
async fn says_which_credentials_it_cannot_use() {
    let config = Config {
        kubeconfig: Some("/no/such/kubeconfig".into()),
        context: None,
        writers: 1,
    };
    let owner = Owner {
        installation: "shop".into(),
        replica: "a".into(),
    };
    let error = Kubernetes::start(&config, "dubbo", NO_HOLD, &owner)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "use the Kubernetes credentials of /no/such/kubeconfig"
    );
}
