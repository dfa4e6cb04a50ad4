use super::*;
use crate::directory::{Balance, Island, Protocol, Stage};
use crate::legacy_view::LegacyInterface;
use crate::mesh_view::{MeshCluster, MeshEndpoint, MeshHost};
use crate::route::VirtualHost;

fn key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

pub(crate) fn interface(urls: &[&str]) -> Arc<LegacyInterface> {
    Arc::new(LegacyInterface {
        providers: urls.iter().map(|url| Arc::new(url.parse().unwrap())).collect(),
        ..LegacyInterface::default()
    })
}

/// A host of the mesh with endpoints `ip:port` or `ip:port canonical`.
pub(crate) fn host(name: &str, port: u16, endpoints: &[&str]) -> (Arc<str>, Arc<MeshHost>) {
    let cluster: Arc<str> = format!("outbound|{port}||{name}").into();
    let endpoints = endpoints.iter().map(|text| {
        let (address, canonical) = text.split_once(' ').unwrap_or((text, "shop"));
        MeshEndpoint {
            address: address.parse().unwrap(),
            weight: 1,
            priority: 0,
            canonical: canonical.into(),
            tls: false,
            locality: "".into(),
        }
    });
    let host = MeshHost {
        host: name.into(),
        port,
        routes: Some(Arc::new(VirtualHost::forward_all(cluster.clone()))),
        clusters: vec![Arc::new(MeshCluster {
            name: cluster,
            subset: "".into(),
            balance: Balance::LeastRequest,
            connect_timeout: Duration::from_secs(10),
            max_requests: u32::MAX,
            outlier: None,
            endpoints: endpoints.collect(),
        })],
    };
    (format!("{name}:{port}").into(), Arc::new(host))
}

#[derive(Default)]
struct World {
    legacy: LegacyView,
    mesh: MeshView,
    bindings: Bindings,
    stages: Stages,
    merger: Merger,
}

impl World {
    fn set(&mut self, name: &str, urls: &[&str]) {
        self.legacy.interfaces.insert(name.into(), interface(urls));
    }

    fn host(&mut self, name: &str, port: u16, endpoints: &[&str]) {
        let (at, host) = host(name, port, endpoints);
        self.mesh.hosts.insert(at, host);
    }

    fn update(&mut self) -> Arc<Directory> {
        self.merger
            .update(&self.legacy, &self.mesh, &self.bindings, &self.stages)
    }
}

fn ports(service: &Service, island: Island) -> Vec<u16> {
    let mut ports: Vec<u16> = match island {
        Island::Legacy => service
            .legacy
            .iter()
            .flat_map(|side| &side.cluster.endpoints)
            .map(|e| e.address.port())
            .collect(),
        Island::Mesh => service
            .mesh
            .iter()
            .flat_map(|side| &side.clusters)
            .flat_map(|cluster| &cluster.endpoints)
            .map(|e| e.address.port())
            .collect(),
    };
    ports.sort();
    ports
}

#[test]
fn pairs_by_the_derived_name() {
    let mut world = World::default();
    world.set(
        "com.acme.Orders",
        &["dubbo://10.0.0.1:1/com.acme.Orders?version=1.0&side=provider"],
    );
    world.host("com.acme.orders.v-1-0.dubbo", 50051, &["10.1.0.1:9"]);
    world.host("elsewhere.svc", 80, &["10.1.0.2:9"]);
    let directory = world.update();
    assert_eq!(directory.services.len(), 1);
    let service = directory.service(&key("com.acme.Orders:1.0")).unwrap();
    assert_eq!(
        (ports(service, Island::Legacy), ports(service, Island::Mesh)),
        (vec![1], vec![9])
    );
    assert_eq!(service.mesh.as_ref().unwrap().paired_by, PairedBy::DerivedName);
    assert_eq!(service.stage, Stage::Observe);
    assert_eq!(
        directory.names.get("com.acme.Orders").unwrap().as_slice(),
        [key("com.acme.Orders:1.0")]
    );
    // A caller that names no version finds the only one.
    assert!(directory.find(Island::Mesh, &key("com.acme.Orders")).is_some());
    assert!(
        directory
            .find(Island::Mesh, &key("com.acme.Orders:2.0"))
            .is_none()
    );
}

#[test]
fn the_binding_goes_before_the_declaration_and_both_before_the_name() {
    let mut world = World::default();
    world.set("a.B", &["dubbo://10.0.0.1:1/a.B"]);
    world.host("a.b.dubbo", 50051, &["10.1.0.1:1"]);
    world.host("declared.svc", 50051, &["10.1.0.1:2"]);
    world.host("bound.svc", 7000, &["10.1.0.1:3"]);
    let at = |directory: &Directory| {
        let service = directory.service(&key("a.B")).unwrap();
        let paired_by = service.mesh.as_ref().map(|side| side.paired_by);
        (paired_by, ports(service, Island::Mesh), service.notes.len())
    };
    assert_eq!(at(&world.update()), (Some(PairedBy::DerivedName), vec![1], 0));
    world
        .bindings
        .declared
        .insert(key("a.B"), Arc::new("declared.svc".into()));
    // The weaker one exists as well: that is said, and not guessed about.
    assert_eq!(at(&world.update()), (Some(PairedBy::Declared), vec![2], 1));
    let bound = Bound {
        host: Some("Bound.svc".into()),
        names: vec!["shop.v1.B".into()],
        pinned: Some(Mode::Wrapper),
        ..Bound::default()
    };
    world
        .bindings
        .services
        .insert(key("a.B"), Arc::new(bound.clone()));
    let directory = world.update();
    assert_eq!(at(&directory), (Some(PairedBy::Binding), vec![3], 2));
    assert_eq!(
        directory.find(Island::Mesh, &key("shop.v1.B")).unwrap().pinned,
        Some(Mode::Wrapper)
    );
    // A host that the mesh does not know is no reason to take another.
    let elsewhere = Bound {
        host: Some("gone.svc".into()),
        ..bound.clone()
    };
    world.bindings.services.insert(key("a.B"), Arc::new(elsewhere));
    assert_eq!(at(&world.update()), (None, vec![], 3));
    assert!(world.update().names.get("shop.v1.B").is_some());
    let wrong_port = Bound {
        port: Some(1),
        ..bound
    };
    world.bindings.services.insert(key("a.B"), Arc::new(wrong_port));
    assert_eq!(at(&world.update()).0, None);
    world.bindings.services.remove(&key("a.B"));
    let directory = world.update();
    assert_eq!(at(&directory).0, Some(PairedBy::Declared));
    assert!(directory.names.get("shop.v1.B").is_none());
}

#[test]
fn drops_what_any_bridge_published() {
    let mut world = World::default();
    world.set(
        "a.B",
        &[
            "dubbo://10.0.0.1:1/a.B",
            "dubbo://10.0.0.2:2/a.B?landbridge.owner=other&landbridge.replica=0",
            "dubbo://10.0.0.3:3/a.B",
            "dubbo://10.0.0.4:4/a.B?syncSource=nacos",
        ],
    );
    world.host(
        "a.b.dubbo",
        50051,
        &["10.1.0.1:1", "10.1.0.2:2 landbridge", "10.0.0.3:3"],
    );
    world
        .merger
        .set_bridges(BTreeSet::from(["10.0.0.3:3".parse().unwrap()]));
    let directory = world.update();
    let service = directory.service(&key("a.B")).unwrap();
    assert_eq!(
        (ports(service, Island::Legacy), ports(service, Island::Mesh)),
        (vec![1], vec![1])
    );
    assert_eq!(service.legacy.as_ref().unwrap().providers.len(), 1);
    // Where bridges alone serve, there is no native, and no service either.
    world.set("a.B", &["dubbo://10.0.0.2:2/a.B?landbridge.owner=other"]);
    world.host("a.b.dubbo", 50051, &["10.1.0.2:2 landbridge"]);
    assert!(world.update().service(&key("a.B")).is_none());
    world.merger.set_bridges(BTreeSet::new());
    world.set("a.B", &["dubbo://10.0.0.3:3/a.B"]);
    assert_eq!(
        ports(world.update().service(&key("a.B")).unwrap(), Island::Legacy),
        [3]
    );
}

#[test]
fn a_service_that_only_the_mesh_has_needs_a_name() {
    let mut world = World::default();
    world.host("a.b.dubbo", 50051, &["10.1.0.1:1"]);
    // Host names do not tell the case of an interface.
    assert!(world.update().services.is_empty());
    world.stages = Stages::new(
        Setting::default(),
        [(
            "a.B".to_owned(),
            Setting {
                stage: Stage::Bridge,
                standby: true,
            },
        )],
    )
    .unwrap();
    let directory = world.update();
    let service = directory.service(&key("a.B")).unwrap();
    assert_eq!(
        (service.stage, service.standby, ports(service, Island::Mesh)),
        (Stage::Bridge, true, vec![1])
    );
    // So does an interface that has consumers only.
    world.stages = Stages::default();
    assert!(world.update().services.is_empty());
    world.set("a.B", &[]);
    assert_eq!(world.update().services.len(), 1);
    world.mesh.hosts.remove("a.b.dubbo:50051");
    assert!(world.update().services.is_empty());
}

#[test]
fn makes_again_only_what_changed() {
    let mut world = World::default();
    for n in 0..200 {
        world.set(
            &format!("a.S{n}"),
            &[&format!("dubbo://10.0.0.1:{}/a.S{n}", n + 1)],
        );
    }
    world.host("a.s7.dubbo", 50051, &["10.1.0.1:1"]);
    let before = world.update();
    let state = |directory: &Directory, name: &str| {
        let service = directory.service(&key(name)).unwrap();
        let cluster = &service.legacy.as_ref().unwrap().cluster;
        (cluster.state.clone(), cluster.endpoints[0].state.clone())
    };
    assert!(before.services.changes(&world.update().services).is_empty());
    world.set(
        "a.S3",
        &["dubbo://10.0.0.1:4/a.S3?weight=7", "dubbo://10.0.0.9:4/a.S3"],
    );
    world.host("a.s7.dubbo", 50051, &["10.1.0.1:2"]);
    world.host("a.s9.dubbo", 50051, &["10.1.0.1:3"]);
    world.legacy.interfaces.remove("a.S5");
    let after = world.update();
    let mut changed: Vec<String> = after
        .services
        .changes(&before.services)
        .iter()
        .map(ToString::to_string)
        .collect();
    changed.sort();
    assert_eq!(changed, ["a.S3", "a.S5", "a.S7", "a.S9"]);
    assert!(after.generation > before.generation && after.names.get("a.S5").is_none());
    // Counters outlive the snapshot.
    let (old, new) = (state(&before, "a.S3"), state(&after, "a.S3"));
    assert!(Arc::ptr_eq(&old.0, &new.0) && Arc::ptr_eq(&old.1, &new.1));
}

#[test]
fn the_port_of_the_mesh_goes_before_others() {
    let mut world = World::default();
    world.set("a.B", &["dubbo://10.0.0.1:1/a.B"]);
    world.host("a.b.dubbo", 9000, &["10.1.0.1:2"]);
    world.host("a.b.dubbo", 8000, &["10.1.0.1:1"]);
    let directory = world.update();
    let service = directory.service(&key("a.B")).unwrap();
    assert_eq!((ports(service, Island::Mesh), service.notes.len()), (vec![1], 1));
    world.host("a.b.dubbo", 50051, &["10.1.0.1:3"]);
    assert_eq!(
        ports(world.update().service(&key("a.B")).unwrap(), Island::Mesh),
        [3]
    );
}

#[test]
fn routes_that_have_not_come_are_waited_for() {
    let mut world = World::default();
    world.set("a.B", &["dubbo://10.0.0.1:1/a.B"]);
    let (at, with_routes) = host("a.b.dubbo", 50051, &["10.1.0.1:1"]);
    let waiting = MeshHost {
        routes: None,
        ..(*with_routes).clone()
    };
    world.mesh.hosts.insert(at, Arc::new(waiting));
    let directory = world.update();
    let service = directory.service(&key("a.B")).unwrap();
    assert!(service.mesh.is_none() && service.notes.len() == 1);
}

#[test]
fn keys_that_fold_to_one_name_are_told_apart() {
    let mut world = World::default();
    world.set("a.ORDERS", &["dubbo://10.0.0.1:1/a.ORDERS"]);
    world.host("a.orders.dubbo", 50051, &["10.1.0.1:1"]);
    assert!(world.update().service(&key("a.ORDERS")).unwrap().mesh.is_some());
    world.set("a.Orders", &["dubbo://10.0.0.1:2/a.Orders"]);
    let directory = world.update();
    // Neither may have the plain name any more: it could be the other's.
    for name in ["a.ORDERS", "a.Orders"] {
        assert!(directory.service(&key(name)).unwrap().mesh.is_none(), "{name}");
    }
}

#[tokio::test]
async fn a_file_needs_no_registry() {
    let services = crate::file::parse(
        "services:\n- {service: '*', dubbo2: '10.0.0.1:1', triple: '10.0.0.1:2'}\n- {service: a.B, triple: '10.0.0.1:3'}\n",
    )
    .unwrap();
    let mut world = World::default();
    world.set("a.B", &["dubbo://10.0.0.9:9/a.B"]);
    world.host("a.b.dubbo", 50051, &["10.1.0.1:8"]);
    let bound = Bound {
        names: vec!["shop.C".into()],
        pinned: Some(Mode::Protobuf),
        ..Bound::default()
    };
    world.bindings.services.insert(key("a.C"), Arc::new(bound));
    world
        .merger
        .set_file(&crate::file::resolve(&services).await.unwrap());
    let directory = world.update();
    let find = |name: &str| directory.find(Island::Legacy, &key(name)).unwrap();
    let named = find("a.B");
    assert_eq!(
        (ports(named, Island::Legacy), ports(named, Island::Mesh)),
        (vec![9], vec![3])
    );
    assert_eq!(named.notes.len(), 1);
    for (name, pinned) in [
        ("any.Thing", None),
        ("a.C", Some(Mode::Protobuf)),
        ("shop.C", Some(Mode::Protobuf)),
    ] {
        let service = find(name);
        assert_eq!(
            (ports(service, Island::Legacy), ports(service, Island::Mesh)),
            (vec![1], vec![2]),
            "{name}"
        );
        assert_eq!(service.pinned, pinned, "{name}");
    }
    // A binding that goes leaves the list of the catch-all, too.
    world.bindings.services.remove(&key("a.C"));
    assert_eq!(
        world.update().find(Island::Mesh, &key("a.C")).unwrap().pinned,
        None
    );
}

#[test]
fn a_triple_provider_in_zookeeper_is_a_legacy_endpoint() {
    let mut world = World::default();
    world.set(
        "a.B",
        &[
            "tri://10.0.0.1:1/a.B?IDL-mode=true&release=dubbo-golang-3.3.2&application=go",
            "tri://10.0.0.2:2/a.B?application=java",
        ],
    );
    let directory = world.update();
    let side = directory.service(&key("a.B")).unwrap().legacy.clone().unwrap();
    let protocols: Vec<_> = side.cluster.endpoints.iter().map(|e| e.protocol).collect();
    assert_eq!(
        protocols,
        [
            Protocol::Triple {
                mode: Some(Mode::Protobuf)
            },
            Protocol::Triple { mode: None }
        ]
    );
    assert_eq!(&*side.cluster.endpoints[0].peer.release, "dubbo-golang-3.3.2");
}

#[test]
fn a_default_version_is_none_to_a_binding() {
    let mut world = World::default();
    world.set("a.B", &["dubbo://10.0.0.1:1/a.B?version=0.0.0"]);
    let directory = world.update();
    assert!(directory.service(&key("a.B")).unwrap().pinned.is_none());
    let bound = Bound {
        names: vec!["shop.B".into()],
        pinned: Some(Mode::Protobuf),
        ..Bound::default()
    };
    world.bindings.services.insert(key("a.B"), Arc::new(bound));
    let directory = world.update();
    for name in ["a.B", "a.B:0.0.0", "shop.B"] {
        let service = directory.find(Island::Mesh, &key(name)).unwrap();
        assert_eq!(
            (ports(service, Island::Legacy), service.pinned),
            (vec![1], Some(Mode::Protobuf)),
            "{name}"
        );
    }
}

#[test]
fn forgets_whom_nobody_asks_for() {
    let mut world = World::default();
    for n in 0..50 {
        world.set(&format!("a.S{n}"), &["dubbo://10.0.0.1:1/x"]);
    }
    world.update();
    for n in 0..50 {
        world.legacy.interfaces.remove(format!("a.S{n}").as_str());
    }
    let directory = world.update();
    assert!(directory.services.is_empty() && directory.names.is_empty());
    let merger = &world.merger;
    assert!(
        merger.askers.is_empty()
            && merger.asked.is_empty()
            && merger.names.is_empty()
            && merger.derived.is_empty()
    );
}
