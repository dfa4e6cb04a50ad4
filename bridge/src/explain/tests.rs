use std::sync::Arc;

use registries::directory::{LegacySide, MeshSide};
use registries::route::VirtualHost;

use super::*;

fn endpoint(port: u16, protocol: Protocol) -> Arc<Endpoint> {
    Arc::new(Endpoint::new(([10, 0, 0, 1], port).into(), protocol))
}

fn directory() -> Directory {
    let key: ServiceKey = "com.acme.Orders:1.0".parse().unwrap();
    let service = Service {
        mesh: Some(MeshSide {
            host: "orders.svc".into(),
            port: 50051,
            routes: Arc::new(VirtualHost::forward_all("outbound|50051||orders.svc")),
            clusters: vec![Arc::new(Cluster::new(
                "outbound|50051||orders.svc",
                vec![
                    endpoint(1, Protocol::Triple { mode: None }),
                    endpoint(2, Protocol::Triple { mode: None }),
                ],
            ))],
            paired_by: PairedBy::Declared,
        }),
        notes: vec!["a note".to_owned()],
        ..Service::new(key.clone())
    };
    let mut directory = Directory::default();
    directory
        .names
        .insert("shop.v1.Orders".into(), Arc::new(vec![key.clone()]));
    directory
        .names
        .insert("com.acme.Orders".into(), Arc::new(vec![key.clone()]));
    directory.services.insert(key, Arc::new(service));
    directory
}

#[test]
fn says_where_calls_go_and_how() {
    let explanation = explain(
        &directory(),
        &"shop.v1.Orders".parse().unwrap(),
        Becomes::default(),
        Now::default(),
    )
    .unwrap();
    assert_eq!(
        (explanation.service.as_str(), explanation.names.as_slice()),
        ("com.acme.Orders:1.0", &["shop.v1.Orders".to_owned()][..])
    );
    let mesh = explanation.mesh.as_ref().unwrap();
    assert_eq!(mesh.host.as_deref(), Some("orders.svc:50051"));
    assert_eq!(mesh.routes, ["all calls -> outbound|50051||orders.svc"]);
    let rows: Vec<_> = explanation
        .calls
        .iter()
        .map(|call| {
            (
                call.from,
                call.encoding,
                call.to,
                call.modes[0].mode,
                call.modes[0].reason,
                call.modes[0].endpoints,
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (
                Island::Legacy,
                "hessian2",
                Some(Island::Mesh),
                Mode::Wrapper,
                ModeReason::Default,
                2
            ),
            (
                Island::Mesh,
                "wrapper",
                Some(Island::Mesh),
                Mode::PassThrough,
                ModeReason::SameProtocol,
                2
            ),
            (
                Island::Mesh,
                "protobuf",
                Some(Island::Mesh),
                Mode::PassThrough,
                ModeReason::SameProtocol,
                2
            ),
        ]
    );
    assert_eq!(
        explanation.calls[0].why,
        "the legacy island has no usable native, the mesh island has"
    );
    assert!(serde_json::to_value(&explanation).is_ok());
    assert!(
        explain(
            &directory(),
            &"com.acme.None".parse().unwrap(),
            Becomes::default(),
            Now::default()
        )
        .is_none()
    );
}

#[test]
fn says_why_calls_go_nowhere() {
    let mut directory = directory();
    let key: ServiceKey = "com.acme.Orders:1.0".parse().unwrap();
    let empty = Service {
        mesh: None,
        legacy: Some(LegacySide {
            cluster: Arc::new(Cluster::new("legacy|x", Vec::new())),
            providers: Vec::new(),
            timeouts: vec![("".into(), std::time::Duration::from_secs(3))],
        }),
        ..Service::new(key.clone())
    };
    directory.services.insert(key.clone(), Arc::new(empty));
    let explanation = explain(&directory, &key, Becomes::default(), Now::default()).unwrap();
    assert!(
        explanation
            .calls
            .iter()
            .all(|call| call.to.is_none() && call.modes.is_empty())
    );
    assert_eq!(explanation.calls[0].why, "no island has a usable native");
    assert_eq!(explanation.legacy.unwrap().timeouts, [(String::new(), 3000)]);
}

/// A translator's listeners decide where calls go, also against a native of the caller's own.
#[test]
fn what_calls_become_decides_where_they_go() {
    let directory = directory();
    let key: ServiceKey = "com.acme.Orders:1.0".parse().unwrap();
    let becomes = Becomes {
        dubbo2: Some(Encoding::Protobuf),
        triple: Some(Encoding::Hessian2),
    };
    let explanation = explain(&directory, &key, becomes, Now::default()).unwrap();
    let [legacy, wrapper, protobuf] = &explanation.calls[..] else {
        panic!("{:?}", explanation.calls);
    };
    assert_eq!(legacy.to, Some(Island::Mesh));
    assert_eq!(
        legacy.why,
        "the listener's `becomes` sends them to the mesh island"
    );
    assert_eq!(
        (
            legacy.modes[0].mode,
            legacy.modes[0].encoding,
            legacy.modes[0].reason
        ),
        (Mode::Protobuf, "protobuf", ModeReason::Listener)
    );
    for call in [wrapper, protobuf] {
        assert!(call.to.is_none() && call.modes.is_empty());
        assert_eq!(
            call.why,
            "the listener sends them to the legacy island, which has no usable native"
        );
    }
}

#[test]
fn a_host_of_the_file_has_its_port_once() {
    for (host, port, shown) in [
        ("127.0.0.1:50052", 50052, "127.0.0.1:50052"),
        ("orders.svc", 80, "orders.svc:80"),
        ("[::1]:50052", 50052, "[::1]:50052"),
    ] {
        assert_eq!(words::authority(host, port), shown);
    }
}
