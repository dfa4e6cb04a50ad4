//! Services, endpoints and routes written in YAML: a source for gateways without a registry.
//!
//! ```yaml
//! services:
//!   - service: shop/com.acme.Orders:1.0        # or "*": every service that nothing else names
//!     dubbo2: [10.0.0.7:20880]                 # its Dubbo2 providers
//!     triple:                                  # its Triple or gRPC providers
//!       - 10.0.1.7:50051
//!       - {address: 10.0.1.8:50051, subset: v2, weight: 5, mode: wrapper}
//!     host: orders.shop                        # :authority; the first Triple address when left out
//!     timeout: 3s
//!     routes:                                  # first match wins; without any: all Triple providers
//!       - match: {headers: {x-canary: {exact: "1"}}}
//!         to: [{subset: v2}]
//! ```
//!
//! [`Service`] is what stands under `services`; [`Facts`] are the same with names resolved, for `merge`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use codecs::ServiceKey;
use serde::Deserialize;

use crate::directory::{LegacySide, MeshSide, Mode};
use crate::route::VirtualHost;
use crate::sharded::Sharded;

mod build;
mod read;

/// A service known from a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "read::RawService")]
pub struct Service {
    /// Its key; `None` for every service that nothing else names.
    pub key: Option<ServiceKey>,
    /// Its Dubbo2 providers.
    pub dubbo2: Vec<Provider>,
    /// Its Triple or gRPC providers.
    pub triple: Vec<Provider>,
    /// The `:authority` of calls to the Triple providers.
    pub host: Option<String>,
    /// The time of a call that names none itself.
    pub timeout: Option<Duration>,
    /// The rules of the Triple providers; empty for "to all of them".
    pub routes: VirtualHost,
}

/// A provider known from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its host name or IP address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its weight, at least 1.
    pub weight: u32,
    /// Its subset; empty for none. Triple only.
    pub subset: String,
    /// What its payloads are, where that is known. Triple only.
    pub mode: Option<Mode>,
    /// The id of its serialization. Dubbo2 only.
    pub serialization: u8,
}

/// Why a file is not a list of services.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ParseError {
    /// The line, from 1; 0 where it is unknown.
    pub line: usize,
    /// The column, from 1; 0 where it is unknown.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Why a provider's name gives no address.
#[derive(Debug, thiserror::Error)]
#[error("resolve {host}")]
pub struct ResolveError {
    /// The name.
    pub host: String,
    /// Why; absent when it resolves to nothing.
    pub source: Option<std::io::Error>,
}

/// What a file says, ready to be merged.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The sides of the services that it names.
    pub services: Sharded<ServiceKey, Sides>,
    /// The sides for every service that nothing names.
    pub any: Option<Arc<Sides>>,
}

/// The two sides of a service of a file; as [`crate::directory::Service`] has them.
#[derive(Debug, Clone)]
pub struct Sides {
    /// Its Dubbo2 providers.
    pub legacy: Option<LegacySide>,
    /// Its Triple or gRPC providers.
    pub mesh: Option<MeshSide>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    services: Vec<Service>,
}

/// Reads a file that holds `services` alone.
///
/// # Errors
///
/// The first thing that is wrong, with its place. Unknown keys are wrong.
pub fn parse(text: &str) -> Result<Vec<Service>, ParseError> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options::<Raw>(text, options)
        .map(|raw| raw.services)
        .map_err(|error| {
            let place = error.location();
            let at = |place: u64| usize::try_from(place).unwrap_or_default();
            ParseError {
                line: place.map_or(0, |place| at(place.line())),
                column: place.map_or(0, |place| at(place.column())),
                message: error.without_snippet().to_string(),
            }
        })
}

/// The facts of a file's services: their names resolved now, by the system.
///
/// # Errors
///
/// A name resolves to no address.
pub async fn resolve(services: &[Service]) -> Result<Facts, ResolveError> {
    let mut facts = Facts::default();
    for service in services {
        let dubbo2 = addresses(&service.dubbo2).await?;
        let triple = addresses(&service.triple).await?;
        let sides = Arc::new(build::sides(service, &dubbo2, &triple));
        match &service.key {
            Some(key) => drop(facts.services.insert(key.clone(), sides)),
            None => facts.any = Some(sides),
        }
    }
    Ok(facts)
}

/// Each provider with all its addresses: a name of several is several endpoints.
async fn addresses(providers: &[Provider]) -> Result<Vec<(&Provider, SocketAddr)>, ResolveError> {
    let mut all = Vec::new();
    for provider in providers {
        let failed = |source| ResolveError {
            host: provider.host.clone(),
            source,
        };
        let found = tokio::net::lookup_host((provider.host.as_str(), provider.port))
            .await
            .map_err(|error| failed(Some(error)))?;
        let mut found: Vec<SocketAddr> = found.collect();
        // `localhost` is two addresses, of which usually one is served.
        if found.iter().any(SocketAddr::is_ipv4) {
            found.retain(SocketAddr::is_ipv4);
        }
        found.sort();
        found.dedup();
        if found.is_empty() {
            return Err(failed(None));
        }
        all.extend(found.into_iter().map(|address| (provider, address)));
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
