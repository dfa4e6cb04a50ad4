//! The service `*` of the file: what takes the calls that no known service takes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use codecs::ServiceKey;
use registries::directory::{
    CatchAll, CatchAllSide, Cluster, Endpoint, EndpointState, LegacySide, MeshSide, Mode, PairedBy, Protocol,
    Service,
};
use registries::merge::Bindings;
use registries::route::{Forward, PathMatch, Route, RouteAction, RouteMatch, VirtualHost, WeightedCluster};
use tokio::sync::watch;

use super::facts::Rules;
use crate::config::listeners::Listener;
use crate::config::text::HostPort;
use crate::config::{Becomes, Config, StaticService};

/// The serialization id of Hessian 2.
const HESSIAN2: u8 = 2;

/// How often names are resolved again.
const RESOLVE: Duration = Duration::from_secs(10);

/// Counters by address, kept over every time the names are resolved anew.
#[derive(Debug, Default)]
pub(super) struct Counters(HashMap<SocketAddr, Arc<EndpointState>>);

/// The addresses that names stand for; a name that cannot be resolved stands for none.
pub(super) async fn resolve(names: &[HostPort]) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for name in names {
        match tokio::net::lookup_host((name.host.as_str(), name.port)).await {
            Ok(found) => addresses.extend(found),
            Err(error) => tracing::warn!(%name, %error, "cannot resolve an upstream's name"),
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// The entry `*`, if the file has one.
pub(super) fn entry(config: &Config) -> Option<&StaticService> {
    config.services.iter().find(|service| service.key().is_none())
}

/// Keeps `catch_all` equal to what the names stand for: resolved again from time to time, as names move.
pub(super) async fn follow(config: Config, rules: Arc<Rules>, catch_all: watch::Sender<Arc<CatchAll>>) {
    let Some(entry) = entry(&config) else { return };
    let mut counters = Counters::default();
    let mut known = None;
    loop {
        let found = (resolve(&entry.dubbo2).await, resolve(&entry.triple).await);
        // A name that stands for nothing for a while (a resolver that is down) keeps its last addresses.
        let lost = |now: &Vec<_>, names: &Vec<_>| now.is_empty() && !names.is_empty();
        let keeps = known.is_some() && (lost(&found.0, &entry.dubbo2) || lost(&found.1, &entry.triple));
        if !keeps && known.as_ref() != Some(&found) {
            let built = build(&config, &found.0, &found.1, &rules.bindings, &mut counters);
            catch_all.send_replace(Arc::new(built));
            known = Some(found);
        }
        tokio::time::sleep(RESOLVE).await;
    }
}

/// What takes unknown services' calls of either island, by what their listener's calls become.
pub(super) fn build(
    config: &Config,
    dubbo2: &[SocketAddr],
    triple: &[SocketAddr],
    bindings: &Bindings,
    counters: &mut Counters,
) -> CatchAll {
    let becomes =
        |listener: &Option<Listener>| listener.as_ref()?.becomes.as_ref().map(|becomes| becomes.value);
    let timeout = entry(config).and_then(|entry| entry.timeout).map(|time| time.0);
    let legacy = (!dubbo2.is_empty()).then(|| LegacySide {
        cluster: cluster(
            "legacy|*",
            dubbo2,
            Protocol::Dubbo2 {
                serialization: HESSIAN2,
            },
            config,
            counters,
        ),
        providers: Vec::new(),
        timeouts: timeout.map(|timeout| ("".into(), timeout)).into_iter().collect(),
    });
    let mut mesh = |mode| {
        (!triple.is_empty()).then(|| {
            let cluster = cluster("mesh|*", triple, Protocol::Triple { mode }, config, counters);
            mesh_side(triple, cluster)
        })
    };
    let mut side = |becomes: Option<Becomes>| {
        let mut template = Service::new(ServiceKey::new("*", "", ""));
        match becomes {
            Some(Becomes::Dubbo2) => template.legacy.clone_from(&legacy),
            Some(Becomes::Wrapper) => {
                template.mesh = mesh(Some(Mode::Wrapper));
                template.pinned = Some(Mode::Wrapper);
            }
            Some(Becomes::Protobuf) => {
                template.mesh = mesh(Some(Mode::Protobuf));
                template.pinned = Some(Mode::Protobuf);
            }
            None => {
                template.legacy.clone_from(&legacy);
                template.mesh = mesh(None);
            }
        }
        let bound = bound(&template, bindings);
        Arc::new(CatchAllSide {
            template: Arc::new(template),
            bound,
        })
    };
    CatchAll {
        legacy: Some(side(becomes(&config.listeners.dubbo2))),
        mesh: Some(side(becomes(&config.listeners.triple))),
    }
}

/// The template with each service's binding, by every name under which a caller may ask.
fn bound(template: &Service, bindings: &Bindings) -> Vec<(Arc<str>, Arc<Service>)> {
    let mut services = Vec::new();
    for (key, bound) in bindings.services.iter() {
        let service = Arc::new(Service {
            key: key.clone(),
            binding: bound.binding.clone(),
            pinned: template.pinned.or(bound.pinned),
            ..template.clone()
        });
        services.push((Arc::from(key.interface()), service.clone()));
        let names = bound.names.iter().filter(|name| &***name != key.interface());
        services.extend(names.map(|name| (name.clone(), service.clone())));
    }
    services.sort_by(|(a, _), (b, _)| a.cmp(b));
    services
}

fn cluster(
    name: &str,
    addresses: &[SocketAddr],
    protocol: Protocol,
    config: &Config,
    counters: &mut Counters,
) -> Arc<Cluster> {
    let endpoints = addresses.iter().map(|address| {
        let mut endpoint = Endpoint::new(*address, protocol);
        endpoint.state = counters.0.entry(*address).or_default().clone();
        Arc::new(endpoint)
    });
    let cluster = Cluster::new(name, endpoints.collect());
    Arc::new(cluster.with_limits(config.timeouts.connect.0, u32::MAX))
}

/// A host without rules: everything goes to its one cluster.
fn mesh_side(addresses: &[SocketAddr], cluster: Arc<Cluster>) -> MeshSide {
    let forward = Forward {
        clusters: vec![WeightedCluster {
            cluster: cluster.name.clone(),
            weight: 1,
            headers_to_add: Vec::new(),
            headers_to_remove: Vec::new(),
        }],
        timeout: None,
        retry: None,
        prefix_rewrite: None,
        host_rewrite: None,
        hash_on: Vec::new(),
        fault: None,
    };
    let route = Route {
        name: "".into(),
        matches: RouteMatch {
            path: PathMatch::Prefix("/".into()),
            case_sensitive: true,
            headers: Vec::new(),
            per_million: None,
            never: false,
        },
        action: RouteAction::Forward(forward),
        headers_to_add: Vec::new(),
        headers_to_remove: Vec::new(),
    };
    let first = addresses.first();
    MeshSide {
        host: first
            .map(|address| address.ip().to_string())
            .unwrap_or_default()
            .into(),
        port: first.map_or(0, SocketAddr::port),
        routes: Arc::new(VirtualHost {
            routes: vec![Arc::new(route)],
        }),
        clusters: vec![cluster],
        paired_by: PairedBy::Binding,
    }
}

#[cfg(test)]
mod tests {
    use registries::directory::{Directory, Island};

    use super::*;
    use crate::config::Source;

    #[test]
    fn calls_become_what_their_listener_says() {
        let text = include_str!("../../../examples/translator/landbridge.yaml");
        let config = Config::parse(Source::new("landbridge.yaml", text), HashMap::new()).unwrap();
        let address: SocketAddr = ([127, 0, 0, 1], 1).into();
        let mut counters = Counters::default();
        let catch_all = build(
            &config,
            &[address],
            &[address],
            &Bindings::default(),
            &mut counters,
        );
        let directory = Directory {
            catch_all,
            ..Directory::default()
        };
        let key = ServiceKey::new("com.acme.Orders", "", "");
        let from_dubbo2 = directory.find(Island::Legacy, &key).unwrap();
        assert!(from_dubbo2.legacy.is_none() && from_dubbo2.has_native(Island::Mesh));
        assert_eq!(from_dubbo2.pinned, Some(Mode::Wrapper));
        let from_triple = directory.find(Island::Mesh, &key).unwrap();
        assert!(from_triple.mesh.is_none() && from_triple.has_native(Island::Legacy));
        assert_eq!(from_triple.pinned, None);
    }
}
