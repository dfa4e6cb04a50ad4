//! One round of calls: both directions, both modes, and an exception.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use harness::dubbo_consumer::DubboConsumer;
use harness::dubbo2::{Call, Response};
use harness::hessian::Value;
use harness::mesh_consumer::{MeshCall, MeshConsumer};
use harness::proto::{self, Message};
use harness::triple;
use tokio::sync::mpsc;

use super::islands::{CATALOG, LegacyIsland, MeshIsland, PRICE, STOCK, pause};
use crate::app::Gateway;
use crate::worker::AccessRecord;

/// How long the gateway's own record of a call may take to come.
const RECORD: Duration = Duration::from_secs(5);

/// Where the consumers of each island reach the gateway.
pub(super) struct Found {
    catalog: SocketAddr,
    price: SocketAddr,
    stock: SocketAddr,
}

/// The connected consumers.
pub(super) struct Tour {
    catalog: DubboConsumer,
    price: DubboConsumer,
    stock: MeshConsumer,
    seen: mpsc::Receiver<AccessRecord>,
}

/// One call that was placed.
pub(super) struct Crossing {
    /// Who calls whom.
    pub(super) direction: &'static str,
    /// The call, as a person would write it.
    pub(super) call: &'static str,
    /// What the caller got.
    pub(super) answer: String,
    /// It is what it should be.
    pub(super) as_it_should: bool,
    /// As the caller measured it.
    pub(super) took: Duration,
    /// What the gateway says of it.
    pub(super) record: Option<AccessRecord>,
}

impl Tour {
    /// Waits until the consumers of both islands find a provider of what they want to call.
    pub(super) async fn find(
        legacy: &LegacyIsland,
        mesh: &MeshIsland,
        gateway: &Gateway,
    ) -> anyhow::Result<Found> {
        let stock = gateway.ports().triple.context("the gateway has no Triple port")?;
        loop {
            let (catalog, price) = (legacy.lookup(CATALOG).await?, legacy.lookup(PRICE).await?);
            if let (Some(catalog), Some(price), true, true) = (
                catalog,
                price,
                mesh.knows_stock().await?,
                gateway.readiness().ready,
            ) {
                return Ok(Found {
                    catalog,
                    price,
                    stock,
                });
            }
            pause().await;
        }
    }

    /// Connects the consumers.
    pub(super) async fn begin(found: Found, seen: mpsc::Receiver<AccessRecord>) -> anyhow::Result<Self> {
        Ok(Self {
            catalog: DubboConsumer::connect(found.catalog)
                .await
                .context("connect the Dubbo2 consumer")?,
            price: DubboConsumer::connect(found.price)
                .await
                .context("connect the Dubbo2 consumer")?,
            stock: MeshConsumer::connect(found.stock)
                .await
                .context("connect the gRPC client")?,
            seen,
        })
    }

    /// Places each call once.
    pub(super) async fn round(&mut self) -> Vec<Crossing> {
        let mut crossings = Vec::new();
        for stop in [
            Stop::Describe,
            Stop::Price,
            Stop::Reserve,
            Stop::ReserveWrapped,
            Stop::ReserveTooMany,
        ] {
            let begun = Instant::now();
            let answer = self.place(stop).await;
            let took = begun.elapsed();
            let record = self.record(stop).await;
            let (answer, as_it_should) = match answer {
                Ok(answer) => (answer, record.is_some()),
                Err(error) => (format!("{error:#}"), false),
            };
            crossings.push(Crossing {
                direction: stop.direction(),
                call: stop.call(),
                answer,
                as_it_should,
                took,
                record,
            });
        }
        crossings
    }

    /// Places a call; an answer that is not what it should be is an error.
    async fn place(&self, stop: Stop) -> anyhow::Result<String> {
        match stop {
            Stop::Describe => {
                let call = Call::new(
                    CATALOG,
                    "describe",
                    "Ljava/lang/String;",
                    vec![Value::text("tea")],
                );
                let answer = self.catalog.call(&call).await?;
                match &answer {
                    Response::Value(item) if item.field("name") == Some(&Value::text("the finest tea")) => {
                        Ok(item.to_string())
                    }
                    other => bail!("{other:?}"),
                }
            }
            Stop::Price => {
                let call = Call::new(PRICE, "price", "Ljava/lang/String;", vec![Value::text("tea")]);
                match self.price.call(&call).await? {
                    Response::Value(Value::Long(375)) => Ok("375".to_owned()),
                    other => bail!("{other:?}"),
                }
            }
            Stop::Reserve => {
                let answer = self.reserve(3).await?;
                let fields = answer
                    .payload()
                    .and_then(proto::read)
                    .context("no protobuf answer")?;
                let id = proto::bytes_of(&fields, 1).map(String::from_utf8_lossy);
                match (id.as_deref(), proto::int_of(&fields, 2)) {
                    (Some("R-tea"), Some(97)) => Ok("Reservation{id: \"R-tea\", left: 97}".to_owned()),
                    _ => bail!("code {:?} {}", answer.code(), answer.message()),
                }
            }
            Stop::ReserveWrapped => {
                let message = triple::wrap_arguments(&[
                    ("java.lang.String", Value::text("tea")),
                    ("int", Value::Int(3)),
                ]);
                let answer = self
                    .stock
                    .call(&MeshCall::unary(STOCK, "reserve", &message))
                    .await?;
                let value = answer.payload().and_then(triple::unwrap_result);
                match value {
                    Some(value) if value.field("left") == Some(&Value::Int(97)) => Ok(value.to_string()),
                    _ => bail!("code {:?} {}", answer.code(), answer.message()),
                }
            }
            Stop::ReserveTooMany => {
                let answer = self.reserve(101).await?;
                let said = answer.message();
                match answer.code() {
                    Some(code) if code != 0 && said.contains("100") => {
                        Ok(format!("status {code}: the Java exception"))
                    }
                    _ => bail!("code {:?} {said}", answer.code()),
                }
            }
        }
    }

    async fn reserve(&self, quantity: i64) -> anyhow::Result<harness::mesh_consumer::Answer> {
        let message = Message::new().bytes(1, "tea").int(2, quantity).into_bytes();
        Ok(self
            .stock
            .call(&MeshCall::unary("demo.shop.v1.Stock", "Reserve", &message))
            .await?)
    }

    /// The gateway's record of the call just placed: there is one call at a time.
    async fn record(&mut self, stop: Stop) -> Option<AccessRecord> {
        let wanted = stop.interface();
        let coming = async {
            loop {
                let record = self.seen.recv().await?;
                if record.service.interface() == wanted {
                    return Some(record);
                }
            }
        };
        tokio::time::timeout(RECORD, coming).await.ok().flatten()
    }
}

/// A call of the round.
#[derive(Debug, Clone, Copy)]
enum Stop {
    Describe,
    Price,
    Reserve,
    ReserveWrapped,
    ReserveTooMany,
}

impl Stop {
    fn direction(self) -> &'static str {
        match self {
            Self::Describe => "Dubbo2 -> Triple",
            Self::Price => "Dubbo2 -> gRPC",
            Self::Reserve | Self::ReserveTooMany => "gRPC -> Dubbo2",
            Self::ReserveWrapped => "Triple -> Dubbo2",
        }
    }

    fn call(self) -> &'static str {
        match self {
            Self::Describe => "CatalogService.describe(\"tea\")",
            Self::Price => "PriceService.price(\"tea\")",
            Self::Reserve => "Stock/Reserve{\"tea\", 3}",
            Self::ReserveWrapped => "StockService.reserve(\"tea\", 3)",
            Self::ReserveTooMany => "Stock/Reserve{\"tea\", 101}",
        }
    }

    /// The interface under which the gateway knows the service.
    fn interface(self) -> &'static str {
        match self {
            Self::Describe => CATALOG,
            Self::Price => PRICE,
            Self::Reserve | Self::ReserveWrapped | Self::ReserveTooMany => STOCK,
        }
    }
}
