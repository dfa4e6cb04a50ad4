//! Test rig: the real workers on port 0, and peers that speak raw bytes.

pub(crate) mod triple;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use codecs::ServiceKey;
use registries::directory::{Cluster, Directory, Endpoint, LegacySide, Protocol, Service, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::listener::Config;
use crate::worker::{Event, Identity, Pool, Settings, Shared, Wire};

/// The service of the captures.
pub(crate) const ORDERS: &str = "org.landbridge.peers.api.OrderService";

/// The default settings, but for the time of a call: longer than a busy machine stands still, shorter than what waits here.
pub(crate) fn patient() -> Settings {
    let mut settings = Settings::default();
    settings.timeouts.call = Duration::from_secs(30);
    settings
}

/// How long anything here is waited for; only a hang reaches it.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Bridge {
    pub(crate) pool: Pool,
    pub(crate) dubbo2: SocketAddr,
    pub(crate) triple: SocketAddr,
}

impl Bridge {
    pub(crate) async fn start(services: Vec<Service>, settings: Settings) -> Self {
        let shared = Shared {
            directory: Arc::new(ArcSwap::from_pointee(directory(services))),
            settings: Arc::new(ArcSwap::from_pointee(settings)),
            identity: Arc::new(Identity {
                installation: "test".into(),
            }),
            access: None,
        };
        let pool = Pool::start(1, shared).unwrap();
        let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); 2];
        for (address, wire) in addresses.iter_mut().zip([Wire::Dubbo2, Wire::Triple]) {
            let listener = TcpListener::bind(*address).await.unwrap();
            *address = listener.local_addr().unwrap();
            crate::tasks::Tasks::new().spawn(pool.accept(listener, Config { wire, becomes: None }));
        }
        let [dubbo2, triple] = addresses;
        Self { pool, dubbo2, triple }
    }

    pub(crate) fn count(&self, event: Event) -> u64 {
        self.pool.shards().iter().map(|shard| shard.event(event)).sum()
    }

    /// Waits until an event was counted so often.
    pub(crate) async fn counted(&self, event: Event, times: u64) {
        wait(|| self.count(event) >= times).await;
    }
}

/// Waits for something that another thread brings about; fails after a time that only a hang reaches.
pub(crate) async fn wait(mut done: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(LIMIT, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited for {LIMIT:?}");
}

pub(crate) fn directory(services: Vec<Service>) -> Directory {
    let mut directory = Directory {
        generation: 1,
        ..Directory::default()
    };
    for service in services {
        let binding = service.binding.as_ref();
        let names = binding.map(|binding| Arc::from(binding.proto.as_str()));
        for name in names.into_iter().chain([Arc::from(service.key.interface())]) {
            directory.names.insert(name, Arc::new(vec![service.key.clone()]));
        }
        directory.services.insert(service.key.clone(), Arc::new(service));
    }
    directory
}

/// A service with these Dubbo2 providers.
pub(crate) fn legacy(key: &str, providers: &[SocketAddr]) -> Service {
    let endpoints = providers
        .iter()
        .map(|address| Arc::new(Endpoint::new(*address, Protocol::Dubbo2 { serialization: 2 })))
        .collect();
    let key: ServiceKey = key.parse().unwrap();
    let mut service = Service::new(key.clone());
    service.stage = Stage::Bridge;
    service.legacy = Some(LegacySide {
        cluster: Arc::new(Cluster::new(format!("legacy|{key}"), endpoints)),
        providers: Vec::new(),
        timeouts: Vec::new(),
    });
    service
}

/// One frame as read from a socket: the 16 header bytes and the body.
#[derive(Debug, Clone)]
pub(crate) struct RawFrame {
    pub(crate) header: [u8; 16],
    pub(crate) body: Vec<u8>,
}

impl RawFrame {
    pub(crate) fn id(&self) -> u64 {
        u64::from_be_bytes(self.header[4..12].try_into().unwrap())
    }

    pub(crate) fn status(&self) -> u8 {
        self.header[3]
    }

    pub(crate) fn is_event(&self) -> bool {
        self.header[2] & 0x20 != 0
    }

    /// The same frame under another id.
    pub(crate) fn bytes_as(&self, id: u64) -> Vec<u8> {
        let mut bytes = self.header.to_vec();
        bytes[4..12].copy_from_slice(&id.to_be_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

pub(crate) async fn read_frame(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<RawFrame> {
    let mut header = [0; 16];
    stream.read_exact(&mut header).await.ok()?;
    let mut body = vec![0; u32::from_be_bytes(header[12..].try_into().unwrap()) as usize];
    stream.read_exact(&mut body).await.ok()?;
    Some(RawFrame { header, body })
}

/// A captured frame; of several in one file the first.
pub(crate) fn captured(name: &str) -> Option<RawFrame> {
    let path = format!(
        "{}/../tests/fixtures/java-captures/{name}.bin",
        env!("CARGO_MANIFEST_DIR")
    );
    let bytes = std::fs::read(path).ok()?;
    let length = u32::from_be_bytes(bytes[12..16].try_into().unwrap()) as usize;
    Some(RawFrame {
        header: bytes[..16].try_into().unwrap(),
        body: bytes[16..16 + length].to_vec(),
    })
}

/// All cases of which request and response were captured.
pub(crate) fn cases() -> Vec<String> {
    let path = format!("{}/../tests/fixtures/java-captures", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = std::fs::read_dir(path)
        .unwrap()
        .filter_map(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_str()?
                .strip_suffix(".req.bin")
                .map(str::to_owned)
        })
        .filter(|name| name.starts_with("dubbo-") && captured(&format!("{name}.resp")).is_some())
        .collect();
    names.sort();
    names
}

/// A provider that keeps what it is sent and answers each request by a function of it; `None` for no answer.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    pub(crate) requests: mpsc::UnboundedReceiver<RawFrame>,
    pub(crate) connections: Arc<AtomicUsize>,
}

impl Provider {
    pub(crate) async fn start(answer: impl Fn(&RawFrame) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let (answer, counter) = (Arc::new(answer), connections.clone());
        let tasks = crate::tasks::Tasks::new();
        tasks.clone().spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let (answer, sender) = (answer.clone(), sender.clone());
                tasks.spawn(async move {
                    while let Some(frame) = read_frame(&mut stream).await {
                        let bytes = answer(&frame);
                        let _ = sender.send(frame);
                        match bytes {
                            // An empty answer ends the connection.
                            Some(bytes) if bytes.is_empty() => return,
                            Some(bytes) => stream.write_all(&bytes).await.unwrap(),
                            None => {}
                        }
                    }
                });
            }
        });
        Self {
            address,
            requests,
            connections,
        }
    }

    /// Answers every request with "hello world" and attachments, as a 2.7.23 provider does.
    pub(crate) async fn hello() -> Self {
        let response = captured("dubbo-2.7.23-hello.resp").unwrap();
        Self::start(move |request| Some(response.bytes_as(request.id()))).await
    }
}

/// A consumer that tells its answers by id.
pub(crate) struct Consumer {
    pub(crate) stream: TcpStream,
    answers: HashMap<u64, RawFrame>,
}

impl Consumer {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            answers: HashMap::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The answer of an id.
    pub(crate) async fn answer(&mut self, id: u64) -> RawFrame {
        loop {
            if let Some(frame) = self.answers.remove(&id) {
                return frame;
            }
            let frame = tokio::time::timeout(LIMIT, read_frame(&mut self.stream)).await;
            let frame = frame
                .expect("an answer within the limit")
                .expect("an open connection");
            self.answers.insert(frame.id(), frame);
        }
    }

    pub(crate) async fn call(&mut self, request: &RawFrame, id: u64) -> RawFrame {
        self.send(&request.bytes_as(id)).await;
        self.answer(id).await
    }

    /// Whether the bridge closes the connection.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(LIMIT, self.stream.read_to_end(&mut rest)).await;
        // A reset is a close, too.
        read.is_ok()
    }
}
