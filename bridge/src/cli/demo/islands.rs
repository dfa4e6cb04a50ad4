//! The two islands: a registry each, simulated or real, and small peers.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use codecs::ServiceKey;
use codecs::provider_url::ProviderUrl;
use harness::dubbo_provider::{Answer, DubboProvider};
use harness::hessian::Value;
use harness::istiod::Istiod;
use harness::mesh_provider::{MeshProvider, Received, Reply};
use harness::proto::{self, Message};
use harness::{triple, zookeeper};
use registries::istiod::names;
use serde_json::{Value as Json, json};

use super::real::{RealMesh, RealZooKeeper};

/// The Dubbo2 provider's interface.
pub(super) const STOCK: &str = "demo.stock.StockService";
/// The Triple provider's interface.
pub(super) const CATALOG: &str = "demo.catalog.CatalogService";
/// The Java name of the gRPC provider's service.
pub(super) const PRICE: &str = "demo.price.PriceService";
/// The gRPC provider's host; the others' are derived from their names.
const PRICING_HOST: &str = "pricing.shop.svc.cluster.local";
/// The port of every service in the mesh.
const PORT: u16 = 50051;

/// The host of a Java interface in the mesh, as the gateway derives it.
pub(super) fn host_of(interface: &str) -> String {
    names::host_of(&ServiceKey::new(interface, "", ""), "dubbo")
}

enum Registry {
    Simulated(zookeeper::Server),
    Real(RealZooKeeper),
}

/// ZooKeeper, and a Dubbo2 provider.
pub(super) struct LegacyIsland {
    registry: Registry,
    address: String,
    stock: DubboProvider,
}

impl LegacyIsland {
    /// Starts the provider and registers it, and the consumer of the two mesh services, as Dubbo 2.7 would.
    pub(super) async fn start(real: Option<&str>) -> anyhow::Result<Self> {
        let stock = DubboProvider::start(reserve).await?;
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let provider = format!(
            "dubbo://{}/{STOCK}?anyhost=true&application=stock&deprecated=false&dubbo=2.0.2&dynamic=true&generic=false\
             &interface={STOCK}&methods=reserve&pid=1&release=2.7.23&side=provider&timestamp={now}",
            stock.address()
        );
        let mut folders = Vec::new();
        let mut nodes = vec![format!("/dubbo/{STOCK}/providers/{}", escaped(&provider))];
        for (interface, methods) in [(CATALOG, "describe"), (PRICE, "price")] {
            let consumer = format!(
                "consumer://127.0.0.1/{interface}?application=checkout&category=consumers&check=false&dubbo=2.0.2\
                 &interface={interface}&methods={methods}&pid=1&release=2.7.23&side=consumer&timestamp={now}"
            );
            nodes.push(format!("/dubbo/{interface}/consumers/{}", escaped(&consumer)));
            // What a consumer watches it makes, where it is missing.
            folders
                .extend(["providers", "configurators", "routers"].map(|c| format!("/dubbo/{interface}/{c}")));
        }
        let (registry, address) = match real {
            None => {
                let server = zookeeper::Server::start().await.context("simulate ZooKeeper")?;
                let address = server.connect_string();
                let owner = server.foreign();
                folders.iter().for_each(|folder| server.create(folder, b""));
                for node in &nodes {
                    let parent = node.rsplit_once('/').map_or("/", |(parent, _)| parent);
                    server.create(parent, b"");
                    server.create_foreign(owner, node);
                }
                (Registry::Simulated(server), address)
            }
            Some(address) => {
                let registry = RealZooKeeper::join(address, &folders, &nodes).await?;
                (Registry::Real(registry), address.to_owned())
            }
        };
        Ok(Self {
            registry,
            address,
            stock,
        })
    }

    /// Where ZooKeeper is.
    pub(super) fn zookeeper(&self) -> &str {
        &self.address
    }

    /// Whether it is a real one.
    pub(super) fn is_real(&self) -> bool {
        matches!(self.registry, Registry::Real(_))
    }

    /// Where the Dubbo2 provider is.
    pub(super) fn stock(&self) -> SocketAddr {
        self.stock.address()
    }

    /// The address at which a consumer finds a provider of an interface; `None` while there is none.
    pub(super) async fn lookup(&self, interface: &str) -> anyhow::Result<Option<SocketAddr>> {
        let folder = format!("/dubbo/{interface}/providers");
        let leaves: Vec<String> = match &self.registry {
            Registry::Simulated(server) => {
                let below = format!("{folder}/");
                server
                    .dump(&folder)
                    .into_keys()
                    .filter_map(|path| Some(path.strip_prefix(&below)?.to_owned()))
                    .collect()
            }
            Registry::Real(registry) => registry.children(&folder).await?,
        };
        let urls = leaves
            .iter()
            .filter_map(|leaf| ProviderUrl::from_znode(leaf).ok());
        Ok(urls.filter_map(|url| url.address()).next())
    }

    /// What a consumer of this island does not find yet.
    pub(super) async fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for interface in [CATALOG, PRICE] {
            if !matches!(self.lookup(interface).await, Ok(Some(_))) {
                missing.push(format!("ZooKeeper has no provider of {interface} yet"));
            }
        }
        missing
    }

    /// Takes the registrations back.
    pub(super) async fn leave(self) {
        if let Registry::Real(registry) = self.registry {
            registry.leave().await;
        }
    }
}

fn escaped(url: &str) -> String {
    percent_encoding::utf8_percent_encode(url, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// `Reservation reserve(String sku, int quantity)` of the Dubbo2 provider.
fn reserve(call: &harness::dubbo2::Call) -> Answer {
    match call.arguments.as_slice() {
        [Value::Text(sku), Value::Int(quantity)] if *quantity > 100 => Answer::Throw(
            "java.lang.IllegalStateException".to_owned(),
            format!("only 100 of {sku} in stock"),
        ),
        [Value::Text(sku), Value::Int(quantity)] => Answer::Value(Value::object(
            "demo.stock.Reservation",
            &[
                ("id", Value::text(format!("R-{sku}"))),
                ("left", Value::Int(100 - quantity)),
            ],
        )),
        _ => Answer::Status(40, "reserve takes a String and an int".to_owned()),
    }
}

enum ControlPlane {
    Simulated(Istiod),
    Real(RealMesh),
}

/// istiod, a Triple provider and a gRPC provider.
pub(super) struct MeshIsland {
    control: ControlPlane,
    address: String,
    catalog: MeshProvider,
    pricing: MeshProvider,
}

impl MeshIsland {
    /// Starts the providers and makes them known to istiod.
    pub(super) async fn start(real: Option<(&str, &Path)>) -> anyhow::Result<Self> {
        let catalog = MeshProvider::start(describe).await?;
        let pricing = MeshProvider::start(price).await?;
        let objects = [
            service_entry("demo-catalog", &host_of(CATALOG), catalog.address()),
            service_entry("demo-pricing", PRICING_HOST, pricing.address()),
        ];
        let (control, address) = match real {
            None => {
                let istiod = Istiod::start().await.context("simulate istiod")?;
                for object in &objects {
                    istiod
                        .apply(object)
                        .map_err(|error| anyhow::anyhow!("istiod refuses: {error:?}"))?;
                }
                let address = istiod.address().to_string();
                (ControlPlane::Simulated(istiod), address)
            }
            Some((address, kubeconfig)) => {
                let mesh = RealMesh::join(kubeconfig, &objects).await?;
                (ControlPlane::Real(mesh), address.to_owned())
            }
        };
        Ok(Self {
            control,
            address,
            catalog,
            pricing,
        })
    }

    /// Where istiod serves ADS.
    pub(super) fn istiod(&self) -> &str {
        &self.address
    }

    /// Whether it is a real one.
    pub(super) fn is_real(&self) -> bool {
        matches!(self.control, ControlPlane::Real(_))
    }

    /// Where the Triple provider is.
    pub(super) fn catalog(&self) -> SocketAddr {
        self.catalog.address()
    }

    /// Where the gRPC provider is.
    pub(super) fn pricing(&self) -> SocketAddr {
        self.pricing.address()
    }

    /// How the gateway announces itself here.
    pub(super) fn publish(&self) -> String {
        match &self.control {
            ControlPlane::Simulated(_) => "{ via: mcp, mcp_bind: '127.0.0.1:0' }".to_owned(),
            ControlPlane::Real(mesh) => {
                format!(
                    "{{ via: kubernetes, namespace: demo, kubeconfig: '{}' }}",
                    mesh.kubeconfig().display()
                )
            }
        }
    }

    /// Where the gRPC provider is, as an entry of `bindings`: its host says nothing of its Java name.
    pub(super) fn bindings(&self) -> String {
        format!("- {{ service: {PRICE}, host: {PRICING_HOST}, port: {PORT} }}\n")
    }

    /// Lets a simulated istiod pull the gateway's announcements.
    pub(super) fn follow(&mut self, source: SocketAddr) {
        if let ControlPlane::Simulated(istiod) = &self.control {
            istiod.follow(source);
        }
    }

    /// Whether istiod knows the Dubbo2 provider's host.
    pub(super) async fn knows_stock(&self) -> anyhow::Result<bool> {
        match &self.control {
            ControlPlane::Simulated(istiod) => Ok(istiod.hosts().contains(&host_of(STOCK))),
            ControlPlane::Real(mesh) => mesh.knows(&host_of(STOCK)).await,
        }
    }

    /// What a client of this island does not find yet.
    pub(super) fn missing(&self) -> Vec<String> {
        match &self.control {
            ControlPlane::Simulated(istiod) if !istiod.hosts().contains(&host_of(STOCK)) => {
                vec![format!("istiod does not know {} yet", host_of(STOCK))]
            }
            _ => Vec::new(),
        }
    }

    /// Takes the objects back.
    pub(super) async fn leave(self) {
        if let ControlPlane::Real(mesh) = self.control {
            mesh.leave().await;
        }
    }
}

fn service_entry(name: &str, host: &str, address: SocketAddr) -> Json {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "labels": {"networking.istio.io/enable-autoallocate-ip": "false"},
        },
        "spec": {
            "hosts": [host],
            "location": "MESH_INTERNAL",
            "resolution": "STATIC",
            "ports": [{"number": PORT, "name": "grpc", "protocol": "GRPC"}],
            "endpoints": [{"address": address.ip().to_string(), "ports": {"grpc": address.port()}}],
        },
    })
}

/// `Item describe(String sku)` of the Triple provider, a POJO interface.
fn describe(call: &Received) -> Reply {
    match triple::unwrap_arguments(&call.message).as_deref() {
        Some([(_, Value::Text(sku))]) => {
            let name = Value::text(format!("the finest {sku}"));
            let item = Value::object("demo.catalog.Item", &[("sku", Value::text(sku)), ("name", name)]);
            Reply::Message(triple::wrap_result("demo.catalog.Item", &item))
        }
        _ => Reply::Status(3, "describe takes a String".to_owned()),
    }
}

/// `Pricing/Price` of the gRPC provider.
fn price(call: &Received) -> Reply {
    let sku = proto::read(&call.message).and_then(|fields| proto::bytes_of(&fields, 1).map(<[u8]>::len));
    match sku {
        Some(letters) => Reply::Message(Message::new().int(1, 125 * letters as i64).into_bytes()),
        None => Reply::Status(3, "Price needs a sku".to_owned()),
    }
}

/// Waits a little between two looks at a registry.
pub(super) async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
