use super::*;
use crate::directory::Protocol;
use crate::route::{RouteAction, ValueMatch};

const ALL: &str = r#"
services:
  - service: "*"
    dubbo2: 127.0.0.1:20880
    triple: [127.0.0.1:50051]
  - service: shop/com.acme.Orders:1.0
    dubbo2:
      - {address: "127.0.0.1:20881", weight: 3, serialization: fastjson2}
      - "[::1]:20882"
    triple:
      - 127.0.0.1:1
      - {address: "127.0.0.1:2", subset: v2, weight: 5, mode: wrapper}
    host: orders.shop
    timeout: 3s
    routes:
      - name: canary
        match: {path: {prefix: /com.acme.Orders/}, headers: {X-Canary: {exact: "1"}}}
        to: [{subset: v2}]
        timeout: 250ms
        retries: {attempts: 2, on: [unavailable, connect-failure], per_try_timeout: 100ms}
      - to: [{subset: v2, weight: 20}, {weight: 80}]
"#;

#[tokio::test]
async fn reads_everything_it_documents() {
    let services = parse(ALL).unwrap();
    let facts = resolve(&services).await.unwrap();
    let any = facts.any.unwrap();
    assert_eq!(
        any.legacy.as_ref().unwrap().cluster.endpoints[0].address.port(),
        20880
    );
    assert_eq!(&*any.mesh.as_ref().unwrap().host, "127.0.0.1:50051");
    assert_eq!(any.mesh.as_ref().unwrap().routes.routes.len(), 1);

    let key: ServiceKey = "shop/com.acme.Orders:1.0".parse().unwrap();
    let sides = facts.services.get(&key).unwrap();
    let legacy = sides.legacy.as_ref().unwrap();
    let protocols: Vec<_> = legacy
        .cluster
        .endpoints
        .iter()
        .map(|e| (e.protocol, e.weight))
        .collect();
    assert_eq!(
        protocols,
        [
            (Protocol::Dubbo2 { serialization: 23 }, 3),
            (Protocol::Dubbo2 { serialization: 2 }, 1)
        ]
    );
    assert_eq!(legacy.timeout("any"), Some(Duration::from_secs(3)));
    let mesh = sides.mesh.as_ref().unwrap();
    assert_eq!((&*mesh.host, mesh.port), ("orders.shop", 1));
    let plain = mesh.cluster("file|shop/com.acme.Orders:1.0|").unwrap();
    let v2 = mesh.cluster("file|shop/com.acme.Orders:1.0|v2").unwrap();
    assert_eq!((plain.endpoints.len(), v2.endpoints.len()), (2, 1));
    assert_eq!(
        v2.endpoints[0].protocol,
        Protocol::Triple {
            mode: Some(Mode::Wrapper)
        }
    );

    let [canary, rest] = mesh.routes.routes.as_slice() else {
        panic!("two routes")
    };
    let header = &canary.matches.headers[0];
    assert_eq!(&*header.name, "x-canary");
    assert!(matches!(&header.value, ValueMatch::Exact(text, false) if &**text == "1"));
    let RouteAction::Forward(forward) = &canary.action else {
        panic!("forwards")
    };
    assert_eq!(forward.timeout, Some(Duration::from_millis(250)));
    let retry = forward.retry.as_ref().unwrap();
    assert_eq!(
        (retry.attempts, retry.on.codes, retry.on.connect_failure),
        (2, 1 << 14, true)
    );
    let RouteAction::Forward(forward) = &rest.action else {
        panic!("forwards")
    };
    assert_eq!(forward.timeout, Some(Duration::from_secs(3)));
    let shares: Vec<_> = forward.clusters.iter().map(|c| (&*c.cluster, c.weight)).collect();
    assert_eq!(shares, [(&*v2.name, 20), (&*plain.name, 80)]);
}

#[test]
fn points_at_what_is_wrong() {
    for (text, line, message) in [
        ("services:\n  - service: a.B\n    dubbo: h:1\n", 3, "dubbo"),
        (
            "services:\n  - service: a.B\n    dubbo2: nowhere\n",
            3,
            "HOST:PORT",
        ),
        (
            "services:\n  - service: a.B\n    triple: {address: 'h:1', wieght: 1}\n",
            3,
            "wieght",
        ),
        (
            "services:\n  - service: a.B\n    triple: {address: 'h:1', weight: 0}\n",
            3,
            "at least 1",
        ),
        (
            "services:\n  - service: a.B\n    triple: {address: 'h:1', mode: soap}\n",
            3,
            "soap",
        ),
        (
            "services:\n  - service: a.B\n    dubbo2: {address: 'h:1', serialization: x}\n",
            3,
            "serialization",
        ),
        (
            "services:\n  - service: a.B\n    triple: h:1\n    timeout: soon\n",
            4,
            "not a time",
        ),
        ("services:\n  - service: a.B\n", 2, "no provider"),
        (
            "services:\n  - service: a.*\n    triple: h:1\n",
            2,
            "stands for all",
        ),
        (
            "services:\n  - service: a.B\n    triple: h:1\n    routes:\n      - to: [{subset: v9}]\n",
            2,
            "subset \"v9\"",
        ),
        (
            "services:\n  - service: a.B\n    triple: h:1\n    routes:\n      - match: {path: {regex: '('}}\n        to: [{}]\n",
            5,
            "regex",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.message.contains(message), "{text}: {error}");
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.column > 0, "{error}");
    }
}

#[tokio::test]
async fn says_which_name_does_not_resolve() {
    let services = parse("services:\n  - service: a.B\n    triple: no-such-host.invalid:1\n").unwrap();
    let error = resolve(&services).await.unwrap_err();
    assert_eq!(error.to_string(), "resolve no-such-host.invalid");
}
