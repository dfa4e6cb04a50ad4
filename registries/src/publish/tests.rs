use std::collections::BTreeSet;

use super::*;
use crate::directory::SourceState;
use crate::legacy_view::LegacyView;
use crate::merge::{Bindings, Bound, Merger, Setting, Stages, tests as world};
use crate::mesh_view::MeshView;
use std::sync::Arc;

fn identity() -> Identity {
    Identity {
        installation: "edge".into(),
        replica: "r1".into(),
        epoch: 1_700_000_000_000,
        hop: 1,
        legacy: Some("10.9.0.1:20880".parse().unwrap()),
        mesh: Some("10.9.0.1:50051".parse().unwrap()),
    }
}

fn synced() -> SourceState {
    SourceState {
        configured: true,
        synced: true,
        connected: true,
        ..SourceState::default()
    }
}

const BRIDGE: Setting = Setting {
    stage: Stage::Bridge,
    standby: false,
};

fn directory(legacy: &[(&str, &[&str])], mesh: &[(&str, &[&str])], setting: Setting) -> Arc<Directory> {
    let mut bindings = Bindings::default();
    for key in ["only.Mesh", "x.Bound"] {
        let bound = Bound {
            methods: vec!["b".into(), "a".into()],
            ..Bound::default()
        };
        bindings.services.insert(key.parse().unwrap(), Arc::new(bound));
    }
    let mut legacy_view = LegacyView {
        state: synced(),
        ..LegacyView::default()
    };
    for (name, urls) in legacy {
        legacy_view
            .interfaces
            .insert((*name).into(), world::interface(urls));
    }
    let mut mesh_view = MeshView {
        state: synced(),
        ..MeshView::default()
    };
    for (name, endpoints) in mesh {
        let (at, host) = world::host(name, 50051, endpoints);
        mesh_view.hosts.insert(at, host);
    }
    Merger::default().update(&legacy_view, &mesh_view, &bindings, &Stages::all(setting))
}

const LEGACY: (&str, &[&str]) = (
    "only.Legacy",
    &["dubbo://10.0.0.1:1/only.Legacy?application=orders&timeout=3000&methods=x,y&token=secret&threads=9"],
);
const MESH: (&str, &[&str]) = ("only.mesh.dubbo", &["10.1.0.1:1"]);

#[test]
fn announces_where_no_native_is() {
    let both = [
        LEGACY,
        (
            "in.Both",
            &["dubbo://10.0.0.1:1/in.Both?retries=0&x.timeout=5&methods=x&dubbo.tag=t"],
        ),
    ];
    let hosts = [MESH, ("in.both.dubbo", &["10.1.0.2:1"][..])];
    let records = |setting| {
        desired(
            &directory(&both, &hosts, setting),
            &Policy::default(),
            &identity(),
        )
        .unwrap()
    };
    assert_eq!(records(Setting::default()), Records::default());

    let found = records(BRIDGE);
    let urls: Vec<&ProviderUrl> = found.legacy.providers.values().collect();
    let [url] = urls.as_slice() else {
        panic!("one provider: {urls:?}")
    };
    assert_eq!(url.service_key().to_string(), "only.Mesh");
    assert!(
        found
            .legacy
            .providers
            .keys()
            .all(|path| path.starts_with("/dubbo/only.Mesh/providers/dubbo%3A%2F%2F10.9.0.1%3A20880%2F"))
    );
    let hosts: Vec<&str> = found
        .mesh
        .services
        .values()
        .map(|entry| entry.host.as_str())
        .collect();
    assert_eq!(hosts, ["only.legacy.dubbo"]);
    assert_eq!(found.mesh.workloads.len(), 1);

    // Beside natives only as standby, and never a second entry for a host that natives have.
    let standby = records(Setting {
        standby: true,
        ..BRIDGE
    });
    let services: BTreeSet<String> = standby
        .legacy
        .providers
        .values()
        .map(|url| url.service_key().to_string())
        .collect();
    assert_eq!(
        services,
        BTreeSet::from(["in.Both".to_owned(), "only.Mesh".to_owned()])
    );
    assert_eq!(standby.mesh.services.len(), 1);
    let beside = standby
        .legacy
        .providers
        .values()
        .find(|url| url.interface() == "in.Both")
        .unwrap();
    for (name, value) in [
        ("retries", "0"),
        ("x.timeout", "5"),
        ("dubbo.tag", "t"),
        ("methods", "x"),
    ] {
        assert_eq!(beside.parameter(name), Some(value), "{name}");
    }
}

#[test]
fn writes_what_consumers_need() {
    let found = desired(&directory(&[], &[MESH], BRIDGE), &Policy::default(), &identity()).unwrap();
    let url = found.legacy.providers.values().next().unwrap();
    for (name, value) in [
        ("interface", "only.Mesh"),
        ("methods", "a,b"),
        ("side", "provider"),
        ("serialization", "hessian2"),
        ("prefer.serialization", "hessian2"),
        ("dubbo", "2.0.2"),
        ("release", "2.7.23"),
        ("timeout", "1000"),
        ("weight", "100"),
        ("warmup", "0"),
        ("generic", "false"),
        ("dynamic", "true"),
        ("landbridge.owner", "edge"),
        ("landbridge.replica", "r1"),
        ("landbridge.epoch", "1700000000000"),
        ("landbridge.hop", "1"),
    ] {
        assert_eq!(url.parameter(name), Some(value), "{name}");
    }
    for name in ["group", "version"] {
        assert_eq!(url.parameter(name), None, "{name}");
    }
    assert!(
        url.parameters()
            .all(|(name, value)| !value.is_empty() && !value.contains(';') && !name.is_empty())
    );
    assert!(url.marks().is_some());
    // No key of ours may end as one that Dubbo 3 cuts out does.
    let cut = url
        .parameters()
        .filter(|(name, _)| name.ends_with("timestamp") || name.ends_with("pid"))
        .count();
    assert_eq!(cut, 1);
    let standby = Setting {
        standby: true,
        ..BRIDGE
    };
    let hosts = [
        ("only.legacy.svc", &["10.1.0.1:1"][..]),
        ("only.legacy.dubbo", &["10.1.0.1:1"][..]),
    ];
    let beside = desired(
        &directory(&[LEGACY], &hosts, standby),
        &Policy::default(),
        &identity(),
    )
    .unwrap();
    let url = beside.legacy.providers.values().next().unwrap();
    assert_eq!(
        (url.application(), url.parameter("timeout")),
        (Some("orders"), Some("3000"))
    );
    assert!(url.parameter("token").is_none() && url.parameter("threads").is_none());
}

#[test]
fn equal_facts_give_equal_records_and_changes_a_new_timestamp() {
    let make = || {
        desired(
            &directory(&[LEGACY], &[MESH], BRIDGE),
            &Policy::default(),
            &identity(),
        )
        .unwrap()
    };
    assert_eq!(make(), make());
    let policy = Policy {
        weight: 5,
        ..Policy::default()
    };
    let changed = desired(&directory(&[LEGACY], &[MESH], BRIDGE), &policy, &identity()).unwrap();
    let stamp = |records: &Records| records.legacy.providers.values().next().unwrap().timestamp();
    assert_ne!(stamp(&make()), stamp(&changed));
    assert!(stamp(&make()) <= Some(identity().epoch));
}

#[test]
fn does_not_wait_for_a_mesh_that_waits_for_us() {
    let mut half = (*directory(&[LEGACY], &[], BRIDGE)).clone();
    half.mesh.configured = true;
    half.mesh.synced = false;
    let policy = Policy {
        mesh_waits: true,
        ..Policy::default()
    };
    assert!(
        desired(&half, &policy, &identity()).is_err(),
        "nobody has tried to connect yet"
    );
    half.mesh.connected = true;
    half.mesh.error = Some("an earlier one".into());
    assert!(
        desired(&half, &policy, &identity()).is_err(),
        "it is open: what it says comes first"
    );
    half.mesh.connected = false;
    assert!(desired(&half, &policy, &identity()).is_ok());
    assert!(desired(&half, &Policy::default(), &identity()).is_err());
}

#[test]
fn is_held_until_every_source_has_synced() {
    let whole = directory(&[LEGACY], &[MESH], BRIDGE);
    let mut half = (*whole).clone();
    half.mesh.synced = false;
    let error = desired(&half, &Policy::default(), &identity()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "announcements are held: the mesh registry has not synced yet"
    );
    half.mesh.configured = false;
    half.legacy.synced = false;
    assert_eq!(
        desired(&half, &Policy::default(), &identity()),
        Err(Held::Unsynced("legacy"))
    );
    // A source that was lost after it had synced holds nothing: its last view counts.
    half.legacy.synced = true;
    half.legacy.connected = false;
    assert!(desired(&half, &Policy::default(), &identity()).is_ok());
}

#[test]
fn without_an_address_there_is_nothing_to_announce() {
    let nowhere = Identity {
        legacy: None,
        mesh: None,
        ..identity()
    };
    let records = desired(
        &directory(&[LEGACY], &[MESH], BRIDGE),
        &Policy::default(),
        &nowhere,
    )
    .unwrap();
    assert_eq!(records, Records::default());
}

#[test]
fn an_agent_announces_the_natives_themselves() {
    let nowhere = Identity {
        legacy: None,
        mesh: None,
        ..identity()
    };
    let policy = Policy {
        shape: Shape::Direct,
        ..Policy::default()
    };
    let tri: (&str, &[&str]) = (
        "a.Tri",
        &["tri://10.0.0.2:7/a.Tri", "tri://10.0.0.1:7/a.Tri?weight=3"],
    );
    let found = desired(&directory(&[LEGACY, tri], &[MESH], BRIDGE), &policy, &nowhere).unwrap();
    let url = found.legacy.providers.values().next().unwrap();
    assert_eq!(
        (url.scheme(), url.address()),
        ("tri", Some("10.1.0.1:1".parse().unwrap()))
    );
    assert!(url.marks().is_some());
    let entries: BTreeMap<&str, &ServiceEntry> = found
        .mesh
        .services
        .values()
        .map(|entry| (entry.host.as_str(), entry))
        .collect();
    let tri = entries["a.tri.dubbo"];
    let addresses: Vec<String> = tri
        .endpoints
        .iter()
        .map(|e| format!("{} {:?} {}", e.address, e.ports, e.weight))
        .collect();
    assert_eq!(
        addresses,
        ["10.0.0.1 {\"grpc-tri\": 7} 3", "10.0.0.2 {\"grpc-tri\": 7} 100"]
    );
    assert!(tri.selector.is_empty());
    assert_eq!(
        (
            entries["only.legacy.dubbo"].ports[0].protocol.as_str(),
            found.mesh.workloads.len()
        ),
        ("TCP", 0)
    );
}
