//! The client against a simulated istiod, over real sockets.

use std::collections::BTreeSet;
use std::time::Duration;

use harness::istiod::{Event, Istiod, Kind};
use harness::task::Task;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::*;
use crate::mesh_view::MeshHost;
use crate::route::{RouteAction, ValueMatch};

/// Far more than anything here takes; a test that hangs ends by it.
const LIMIT: Duration = Duration::from_secs(60);

const HOST: &str = "com.acme.orders.dubbo";
const NAME: &str = "com.acme.orders.dubbo:50051";
const PLAIN: &str = "outbound|50051||com.acme.orders.dubbo";

fn service(addresses: &[&str]) -> Value {
    let endpoints: Vec<Value> = addresses
        .iter()
        .enumerate()
        .map(|(index, address)| {
            json!({"address": address, "ports": {"grpc-tri": 20000}, "weight": 100, "locality": "r/z",
                   "labels": {"app": "orders", "version": format!("v{}", index + 1)}})
        })
        .collect();
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": "orders", "namespace": "dubbo"},
        "spec": {"hosts": [HOST], "location": "MESH_INTERNAL", "resolution": "STATIC", "endpoints": endpoints,
                 "ports": [{"name": "grpc-tri", "number": 50051, "protocol": "GRPC"}]},
    })
}

fn subsets() -> Value {
    json!({
        "kind": "DestinationRule", "metadata": {"name": "orders", "namespace": "dubbo"},
        "spec": {"host": HOST,
                 "trafficPolicy": {"loadBalancer": {"simple": "ROUND_ROBIN"},
                                   "connectionPool": {"tcp": {"connectTimeout": "2s"}, "http": {"http2MaxRequests": 1000}},
                                   "outlierDetection": {"consecutive5xxErrors": 7, "baseEjectionTime": "10s", "maxEjectionPercent": 50}},
                 "subsets": [{"name": "v1", "labels": {"version": "v1"}},
                             {"name": "v2", "labels": {"version": "v2"}, "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}}]},
    })
}

fn canary() -> Value {
    let to = |subset: &str| json!({"host": HOST, "subset": subset, "port": {"number": 50051}});
    json!({
        "kind": "VirtualService", "metadata": {"name": "orders", "namespace": "dubbo"},
        "spec": {"hosts": [HOST], "http": [
            {"name": "canary", "match": [{"uri": {"prefix": "/com.acme.Orders/"}, "headers": {"x-env": {"exact": "gray"}}}],
             "route": [{"destination": to("v2")}]},
            {"name": "main", "timeout": "3s", "retries": {"attempts": 2, "perTryTimeout": "1s", "retryOn": "unavailable"},
             "route": [{"destination": to("v1"), "weight": 80}, {"destination": to("v2"), "weight": 20}]}]},
    })
}

/// A client on a simulated istiod.
struct Bench {
    istiod: Istiod,
    events: broadcast::Receiver<Event>,
    wanted: watch::Sender<Arc<BTreeSet<HostPort>>>,
    view: watch::Receiver<Arc<MeshView>>,
    _client: Task,
}

impl Bench {
    async fn start() -> Self {
        let istiod = Istiod::start().await.unwrap();
        Self::on(istiod)
    }

    fn on(istiod: Istiod) -> Self {
        let events = istiod.events();
        let raw: crate::istiod::RawConfig =
            serde_saphyr::from_str(&format!("address: '{}'", istiod.address())).unwrap();
        let client = AdsClient::new(Config::try_from(raw).unwrap());
        let (wanted, wants) = watch::channel(Arc::default());
        let (sender, view) = watch::channel(Arc::default());
        Self {
            istiod,
            events,
            wanted,
            view,
            _client: Task::spawn(client.run(wants, sender)),
        }
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&MeshView) -> bool) -> Arc<MeshView> {
        let waited = self.view.wait_for(|view| holds(view));
        let waited = tokio::time::timeout(LIMIT, waited).await;
        match waited.map(|view| view.unwrap().clone()) {
            Ok(view) => view,
            Err(_) => panic!("not within {LIMIT:?}: {what}; {:#?}", self.view.borrow()),
        }
    }

    async fn event(&mut self, what: &str, holds: impl Fn(&Event) -> bool) -> Event {
        let find = async {
            loop {
                let event = self.events.recv().await.unwrap();
                assert!(!matches!(event, Event::Misuse(_)), "{event:?}");
                if holds(&event) {
                    return event;
                }
            }
        };
        match tokio::time::timeout(LIMIT, find).await {
            Ok(event) => event,
            Err(_) => panic!("not within {LIMIT:?}: {what}"),
        }
    }

    /// Nothing that has happened so far broke a rule.
    fn drain(&mut self) -> Vec<Event> {
        let events: Vec<Event> = std::iter::from_fn(|| self.events.try_recv().ok()).collect();
        assert!(
            !events.iter().any(|event| matches!(event, Event::Misuse(_))),
            "{events:?}"
        );
        events
    }
}

fn host(view: &MeshView) -> Option<&MeshHost> {
    view.hosts.get(NAME).map(|host| &**host)
}

fn addresses(view: &MeshView, cluster: &str) -> Vec<String> {
    let clusters = host(view).into_iter().flat_map(|host| &host.clusters);
    let endpoints = clusters
        .filter(|known| &*known.name == cluster)
        .flat_map(|cluster| &cluster.endpoints);
    endpoints.map(|endpoint| endpoint.address.to_string()).collect()
}

fn routes(view: &MeshView) -> usize {
    host(view)
        .and_then(|host| host.routes.as_ref())
        .map_or(0, |routes| routes.routes.len())
}

#[tokio::test]
async fn follows_a_service_from_its_birth_to_its_end() {
    let mut bench = Bench::start().await;
    let view = bench
        .until("synced without services", |view| view.state.synced)
        .await;
    assert!(view.state.connected && view.hosts.is_empty());

    bench.istiod.apply(&service(&["10.0.0.1", "10.0.0.2"])).unwrap();
    let view = bench
        .until("the service", |view| addresses(view, PLAIN).len() == 2)
        .await;
    let endpoint = &host(&view).unwrap().clusters[0].endpoints[0];
    assert_eq!(
        (&*endpoint.canonical, &*endpoint.locality, endpoint.weight),
        ("orders", "r/z", 100)
    );
    assert_eq!(endpoint.address.port(), 20000);
    let view = bench.until("its default route", |view| routes(view) == 1).await;
    let RouteAction::Forward(forward) = &host(&view).unwrap().routes.as_ref().unwrap().routes[0].action
    else {
        panic!("{view:?}");
    };
    let retry = forward.retry.as_ref().unwrap();
    assert_eq!((retry.attempts, retry.avoid_tried, forward.timeout), (2, 5, None));

    bench.istiod.apply(&subsets()).unwrap();
    bench.istiod.apply(&canary()).unwrap();
    let view = bench.until("the canary", |view| routes(view) == 2).await;
    let rules = &host(&view).unwrap().routes.as_ref().unwrap().routes;
    assert!(
        matches!(&rules[0].matches.headers[0].value, ValueMatch::Exact(value, false) if &**value == "gray")
    );
    let RouteAction::Forward(main) = &rules[1].action else {
        panic!("{rules:?}");
    };
    let shares: Vec<u32> = main.clusters.iter().map(|cluster| cluster.weight).collect();
    assert_eq!(
        (shares, main.timeout),
        (vec![80, 20], Some(Duration::from_secs(3)))
    );
    let subset = |view: &MeshView, name: &str| addresses(view, &format!("outbound|50051|{name}|{HOST}"));
    assert_eq!(subset(&view, "v1"), ["10.0.0.1:20000"]);
    assert_eq!(subset(&view, "v2"), ["10.0.0.2:20000"]);
    let clusters = &host(&view).unwrap().clusters;
    let balance = |subset: &str| clusters.iter().find(|known| &*known.subset == subset).unwrap();
    assert_eq!(balance("v1").balance, crate::directory::Balance::RoundRobin);
    assert_eq!(balance("v2").balance, crate::directory::Balance::Random);
    assert_eq!(balance("v1").connect_timeout, Duration::from_secs(2));
    assert_eq!(balance("v1").max_requests, 1000);
    assert_eq!(balance("v1").outlier.as_ref().unwrap().consecutive, 7);

    bench.istiod.apply(&service(&[])).unwrap();
    bench
        .until("no endpoints", |view| {
            addresses(view, PLAIN).is_empty() && host(view).is_some()
        })
        .await;
    bench.istiod.delete("ServiceEntry", "dubbo", "orders");
    bench.until("its end", |view| view.hosts.is_empty()).await;
    bench.istiod.apply(&service(&["10.0.0.3"])).unwrap();
    bench
        .until("its return", |view| addresses(view, PLAIN) == ["10.0.0.3:20000"])
        .await;
    bench.drain();
}

#[tokio::test]
async fn looks_at_hosts_wanted_by_name_only() {
    let mut bench = Bench::start().await;
    let mut foreign = service(&["10.0.0.1"]);
    foreign["spec"]["hosts"] = json!(["orders.shop.svc.cluster.local"]);
    bench.istiod.apply(&foreign).unwrap();
    bench.until("synced", |view| view.state.synced).await;
    assert!(bench.view.borrow().hosts.is_empty());
    let name = HostPort::new("orders.shop.svc.cluster.local", 50051);
    bench.wanted.send_replace(Arc::new([name].into()));
    let view = bench.until("the wanted host", |view| {
        let host = view.hosts.get("orders.shop.svc.cluster.local:50051");
        host.is_some_and(|host| host.routes.is_some() && host.clusters.len() == 1)
    });
    view.await;
    bench.wanted.send_replace(Arc::default());
    bench.until("nothing wanted", |view| view.hosts.is_empty()).await;
    bench.drain();
}

#[tokio::test]
async fn refuses_a_bad_resource_by_name_and_keeps_the_rest() {
    let mut bench = Bench::start().await;
    bench.istiod.apply(&service(&["10.0.0.1"])).unwrap();
    bench.until("the service", |view| routes(view) == 1).await;
    bench.istiod.corrupt(PLAIN);
    let nack = bench
        .event("a NACK", |event| matches!(event, Event::Nack { .. }))
        .await;
    let Event::Nack { error, .. } = &nack else {
        panic!()
    };
    assert!(error.starts_with(PLAIN), "{error}");
    bench.istiod.apply(&subsets()).unwrap();
    bench
        .until("good ones beside it", |view| {
            host(view).is_some_and(|host| host.clusters.len() == 3)
        })
        .await;
    assert_eq!(addresses(&bench.view.borrow().clone(), PLAIN), ["10.0.0.1:20000"]);
    bench.istiod.heal(PLAIN);
    bench
        .event("an ACK", |event| *event == Event::Ack { kind: Kind::Cds })
        .await;

    bench.istiod.corrupt(NAME);
    let nack = bench
        .event("a NACK", |event| {
            matches!(event, Event::Nack { kind: Kind::Rds, .. })
        })
        .await;
    assert!(
        matches!(&nack, Event::Nack { error, .. } if error.starts_with(NAME)),
        "{nack:?}"
    );
    assert_eq!(routes(&bench.view.borrow().clone()), 1);
}

#[tokio::test]
async fn keeps_its_view_over_broken_streams_and_restarts() {
    let mut bench = Bench::start().await;
    bench.istiod.apply(&service(&["10.0.0.1"])).unwrap();
    bench.until("the service", |view| routes(view) == 1).await;
    bench.istiod.stop();
    let view = bench.until("disconnected", |view| !view.state.connected).await;
    assert!(view.state.synced && view.state.error.is_some() && view.state.as_of.is_some());
    assert_eq!(addresses(&view, PLAIN), ["10.0.0.1:20000"]);
    // What happens meanwhile is seen afterwards.
    bench.istiod.apply(&service(&["10.0.0.9"])).unwrap();
    let mut other = service(&["10.0.0.5"]);
    other["metadata"]["name"] = json!("other");
    other["spec"]["hosts"] = json!(["other.dubbo"]);
    bench.istiod.apply(&other).unwrap();
    bench.istiod.start_again().await.unwrap();
    bench
        .until("connected again", |view| {
            view.state.connected && view.state.error.is_none()
        })
        .await;
    bench
        .until("the change", |view| addresses(view, PLAIN) == ["10.0.0.9:20000"])
        .await;
    let claim = bench
        .event("a claim", |event| matches!(event, Event::Subscribed { kind: Kind::Cds, claimed, .. } if !claimed.is_empty()))
        .await;
    assert!(matches!(claim, Event::Subscribed { claimed, .. } if claimed.contains(PLAIN)));

    bench.until("the other", |view| view.hosts.len() == 2).await;
    bench.istiod.stop();
    bench.until("disconnected", |view| !view.state.connected).await;
    bench.istiod.delete("ServiceEntry", "dubbo", "other");
    bench.istiod.start_again().await.unwrap();
    bench
        .until("what is gone is gone", |view| {
            view.state.connected && view.hosts.len() == 1
        })
        .await;
    bench.drain();
}

#[tokio::test]
async fn survives_streams_that_are_dropped_and_rejected() {
    let mut bench = Bench::start().await;
    bench.istiod.apply(&service(&["10.0.0.1"])).unwrap();
    bench.until("the service", |view| routes(view) == 1).await;
    for _ in 0..5 {
        bench.istiod.drop_streams();
        bench
            .event("a new stream", |event| matches!(event, Event::Opened { .. }))
            .await;
    }
    bench.istiod.reject(true);
    bench.istiod.drop_streams();
    let view = bench.until("rejected", |view| !view.state.connected).await;
    assert_eq!(addresses(&view, PLAIN), ["10.0.0.1:20000"]);
    bench.istiod.reject(false);
    bench.until("connected", |view| view.state.connected).await;
    bench.istiod.push();
    bench
        .event("a full push", |event| {
            matches!(event, Event::Pushed { kind: Kind::Rds, .. })
        })
        .await;
    bench.drain();
}

#[tokio::test]
async fn is_not_synced_before_everything_came() {
    let istiod = Istiod::start().await.unwrap();
    istiod.apply(&service(&["10.0.0.1"])).unwrap();
    istiod.hold(true);
    let mut bench = Bench::on(istiod);
    bench
        .event("a subscription", |event| {
            matches!(event, Event::Subscribed { .. })
        })
        .await;
    assert!(!bench.view.borrow().state.synced);
    bench.istiod.hold(false);
    let view = bench.until("synced", |view| view.state.synced).await;
    assert_eq!((routes(&view), addresses(&view, PLAIN).len()), (1, 1));
}

#[test]
fn backs_off_up_to_a_limit() {
    let mut back_off = BackOff::default();
    assert_eq!(back_off.next(0.5), Duration::from_millis(10));
    assert_eq!(back_off.next(0.0), Duration::from_millis(10));
    assert_eq!(back_off.next(0.5), Duration::from_millis(40));
    for _ in 0..100 {
        assert!(back_off.next(0.999) <= Duration::from_millis(22_500));
    }
    assert!(back_off.next(0.0) >= Duration::from_millis(7_500));
}
