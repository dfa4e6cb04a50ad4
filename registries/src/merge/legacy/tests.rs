use super::*;

fn side_of(urls: &[&str], rules: &[&str]) -> (Option<LegacySide>, Vec<String>) {
    let parse = |urls: &[&str]| -> Vec<Arc<ProviderUrl>> {
        urls.iter().map(|url| Arc::new(url.parse().unwrap())).collect()
    };
    let view = LegacyInterface {
        providers: parse(urls),
        configurators: parse(rules),
        refused: Vec::new(),
    };
    let key = ServiceKey::new("a.B", "", "");
    let options = Options::default();
    let natives = natives("a.B", &view, &options).remove(&key).unwrap_or_default();
    let mut notes = Vec::new();
    let side = side(
        &key,
        &natives,
        &view.configurators,
        &options,
        &mut Pool::default(),
        &mut notes,
    );
    (side, notes)
}

/// `port:weight` of every endpoint.
fn endpoints(urls: &[&str], rules: &[&str]) -> Vec<String> {
    let side = side_of(urls, rules).0.unwrap();
    side.cluster
        .endpoints
        .iter()
        .map(|e| format!("{}:{}", e.address.port(), e.weight))
        .collect()
}

#[test]
fn takes_providers_that_may_be_called() {
    for (urls, expected) in [
        (&["dubbo://10.0.0.1:1/a.B"][..], &["1:100"][..]),
        (
            &["dubbo://10.0.0.1:1/a.B?weight=7", "dubbo://10.0.0.1:2/a.B"],
            &["1:7", "2:100"],
        ),
        // A weight of 0 removes beside positive ones, and means "equal" when all have it.
        (
            &["dubbo://10.0.0.1:1/a.B?weight=0", "dubbo://10.0.0.1:2/a.B"],
            &["2:100"],
        ),
        (
            &[
                "dubbo://10.0.0.1:1/a.B?weight=0",
                "dubbo://10.0.0.1:2/a.B?weight=0",
            ],
            &["1:1", "2:1"],
        ),
        (
            &[
                "dubbo://10.0.0.1:1/a.B?disabled=true",
                "dubbo://10.0.0.1:2/a.B?enabled=false",
            ],
            &[],
        ),
        // Other groups and versions, other categories, other protocols.
        (
            &[
                "dubbo://10.0.0.1:1/a.B",
                "dubbo://10.0.0.1:2/a.B?group=g",
                "dubbo://10.0.0.1:3/a.B?category=consumers",
            ],
            &["1:100"],
        ),
        (
            &[
                "rest://10.0.0.1:1/a.B",
                "dubbo://10.0.0.1:2/a.B?codec=thrift",
                "dubbo://10.0.0.1:3/a.B?serialization=x",
            ],
            &[],
        ),
        // One entry an address: the newest.
        (
            &[
                "dubbo://10.0.0.1:1/a.B?timestamp=2&weight=2",
                "dubbo://10.0.0.1:1/a.B?timestamp=1&weight=1",
            ],
            &["1:2"],
        ),
        // One process, two protocols: Dubbo2.
        (
            &[
                "dubbo://10.0.0.1:1/a.B?application=x",
                "tri://10.0.0.1:2/a.B?application=x",
                "tri://10.0.0.2:3/a.B?application=x",
            ],
            &["1:100", "3:100"],
        ),
    ] {
        assert_eq!(endpoints(urls, &[]), expected, "{urls:?}");
    }
    assert!(side_of(&[], &[]).0.is_none());
    let (side, notes) = side_of(
        &[
            "rest://10.0.0.1:1/a.B",
            "rest://10.0.0.1:2/a.B",
            "dubbo://a-host:1/a.B",
        ],
        &[],
    );
    assert_eq!(side.unwrap().providers.len(), 3);
    assert_eq!(
        notes,
        [
            "1 legacy provider(s) not called: a host name instead of an address",
            "2 legacy provider(s) not called: protocol \"rest\"",
        ]
    );
}

#[test]
fn honours_overrides() {
    let two = &["dubbo://10.0.0.1:1/a.B?env=x", "dubbo://10.0.0.1:2/a.B"][..];
    for (rules, expected) in [
        (
            &["override://10.0.0.1:1/a.B?category=configurators&disabled=true"][..],
            &["2:100"][..],
        ),
        (&["override://10.0.0.1:1/a.B?weight=5"], &["1:5", "2:100"]),
        // All first, then the address, whatever the order in the registry.
        (
            &[
                "override://10.0.0.1:2/a.B?weight=9",
                "override://0.0.0.0/a.B?weight=5",
            ],
            &["1:5", "2:9"],
        ),
        (
            &["override://0.0.0.0/a.B?weight=5&enabled=false"],
            &["1:100", "2:100"],
        ),
        (
            &["override://0.0.0.0/a.B?weight=5&side=consumer"],
            &["1:100", "2:100"],
        ),
        (
            &["override://0.0.0.0/a.B?weight=5&application=other"],
            &["1:100", "2:100"],
        ),
        (&["override://0.0.0.0/a.B?weight=5&group=g"], &["1:100", "2:100"]),
        // A host without a port is a consumer.
        (&["override://10.0.0.1/a.B?weight=5"], &["1:100", "2:100"]),
        (&["override://0.0.0.0/a.B?weight=5&~env=x"], &["1:5", "2:100"]),
        (
            &[
                "override://0.0.0.0/a.B?weight=1&priority=2",
                "override://0.0.0.0/a.B?weight=2&priority=1",
            ],
            &["1:1", "2:1"],
        ),
    ] {
        assert_eq!(endpoints(two, rules), expected, "{rules:?}");
    }
}

#[test]
fn picks_the_serialization_that_both_read() {
    for (query, id) in [
        ("", 2),
        ("serialization=hessian2", 2),
        ("serialization=fastjson2", 23),
        ("prefer.serialization=fastjson2,hessian2", 2),
        ("prefer.serialization=fastjson2", 23),
        ("prefer.serialization=fastjson2&serialization=kryo", 8),
    ] {
        let url = format!("dubbo://10.0.0.1:1/a.B?x=y&{query}");
        let side = side_of(&[url.trim_end_matches('&')], &[]).0.unwrap();
        assert_eq!(
            side.cluster.endpoints[0].protocol,
            Protocol::Dubbo2 { serialization: id },
            "{query}"
        );
    }
}

#[test]
fn knows_what_the_peer_tells() {
    let (side, _) = side_of(
        &[
            "dubbo://10.0.0.1:1/ctx/a.B?application=orders&release=2.7.23&token=t0p&timestamp=1700000000000&timeout=3000&methods=x,y&x.timeout=50&loadbalance=roundrobin&ssl-enabled=true",
        ],
        &["override://0.0.0.0/a.B?y.timeout=70"],
    );
    let side = side.unwrap();
    let endpoint = &side.cluster.endpoints[0];
    assert_eq!(
        (&*endpoint.peer.release, &*endpoint.peer.application),
        ("2.7.23", "orders")
    );
    assert_eq!((&*endpoint.peer.path, endpoint.tls), ("ctx/a.B", true));
    assert!(!format!("{endpoint:?}").contains("t0p"));
    assert_eq!(
        endpoint.warmup,
        Some(Warmup {
            started: 1_700_000_000_000,
            length: Duration::from_secs(600)
        })
    );
    assert_eq!(side.cluster.balance, Balance::RoundRobin);
    let millis = |method| side.timeout(method).map(|timeout| timeout.as_millis());
    assert_eq!(
        (millis("x"), millis("y"), millis("z")),
        (Some(50), Some(70), Some(3000))
    );
    // dubbo-go writes seconds; a warm-up of 0 is none.
    let warmup = |query: &str| {
        side_of(&[&format!("dubbo://10.0.0.1:1/a.B?{query}")], &[])
            .0
            .unwrap()
            .cluster
            .endpoints[0]
            .warmup
    };
    assert_eq!(
        warmup("timestamp=1700000000").map(|w| w.started),
        Some(1_700_000_000_000)
    );
    assert_eq!(warmup("timestamp=1700000000000&warmup=0"), None);
    assert_eq!(warmup("a=b"), None);
}
