use proptest::prelude::*;

use super::*;

fn leaves() -> Vec<(String, String)> {
    let dump = include_str!("../../../tests/fixtures/zookeeper-trees/all.jsonl");
    let mut leaves = Vec::new();
    for line in dump.lines() {
        let node: serde_json::Value = serde_json::from_str(line).unwrap();
        let path = node["path"].as_str().unwrap().to_owned();
        let parts: Vec<&str> = path.split('/').collect();
        if let [
            "",
            "dubbo",
            interface,
            "providers" | "consumers" | "configurators" | "routers",
            leaf,
        ] = parts[..]
        {
            leaves.push((interface.to_owned(), leaf.to_owned()));
        }
    }
    leaves
}

#[test]
fn every_captured_url_prints_as_it_was_read() {
    let leaves = leaves();
    assert!(leaves.len() >= 14, "{} leaves in the dump", leaves.len());
    for (interface, leaf) in leaves {
        let url = ProviderUrl::from_znode(&leaf).unwrap();
        assert_eq!(url.znode(), leaf);
        assert_eq!(url.name, None, "Java's own escapes");
        assert_eq!(url.to_string(), decode_name(&leaf).unwrap());
        assert_eq!(url.interface(), interface);
        assert_eq!(url.path(), interface);
        assert_eq!(url.host(), "192.0.2.2");
        assert!(!url.methods().is_empty() && url.timestamp().unwrap() > 1_700_000_000_000);
        assert_eq!(url.marks(), None);
        let again =
            ProviderUrl::new(url.scheme(), url.host(), url.port(), url.path(), url.parameters()).unwrap();
        assert_eq!(again, url);
    }
}

#[test]
fn reads_what_the_parameters_mean() {
    let url: ProviderUrl = "dubbo://10.0.0.5:20880/com.acme.Orders?anyhost=true&application=shop&disabled=false&dubbo=2.0.2\
        &group=g1&interface=com.acme.Orders&methods=get,create,get&get.timeout=500&timeout=3000&heartbeat.timeout=9\
        &prefer.serialization=fastjson2,hessian2&release=3.2.16&serialization=hessian2&version=1.0.0&warmup=600000\
        &weight=-5&timestamp=1700000000&landbridge.owner=mig-a&landbridge.replica=r1&landbridge.epoch=7&landbridge.hop=1"
        .parse()
        .unwrap();
    assert_eq!(
        url.service_key(),
        ServiceKey::new("com.acme.Orders", "g1", "1.0.0")
    );
    assert_eq!(url.address(), Some("10.0.0.5:20880".parse().unwrap()));
    assert_eq!(url.methods(), ["get", "create"]);
    assert_eq!(url.timeout("get"), Some(Duration::from_millis(500)));
    assert_eq!(url.timeout("create"), Some(Duration::from_secs(3)));
    assert_eq!(
        url.timeouts(),
        [("", Duration::from_secs(3)), ("get", Duration::from_millis(500))]
    );
    assert_eq!(url.prefer_serialization(), ["fastjson2", "hessian2"]);
    assert_eq!(
        (url.weight(), url.timestamp()),
        (Some(0), Some(1_700_000_000_000))
    );
    assert_eq!(url.warmup(), Some(Duration::from_secs(600)));
    assert!(!url.is_disabled() && url.is_dynamic() && !url.is_tls());
    let marks = url.marks().unwrap();
    assert_eq!(
        (
            marks.owner.as_str(),
            marks.replica.as_str(),
            marks.epoch,
            marks.hop
        ),
        ("mig-a", "r1", 7, 1)
    );
}

#[test]
fn escapes_as_java_does() {
    // T1 to T3 of the specification.
    assert_eq!(encode_name("a b~*-_.$/é"), "a+b%7E*-_.%24%2F%C3%A9");
    let rule = "override://0.0.0.0/com.acme.OrderService?category=configurators&dynamic=false&enabled=true&group=g1\
        &version=1.0.0&weight=0";
    assert_eq!(
        encode_name(rule),
        "override%3A%2F%2F0.0.0.0%2Fcom.acme.OrderService%3Fcategory%3Dconfigurators%26dynamic%3Dfalse\
         %26enabled%3Dtrue%26group%3Dg1%26version%3D1.0.0%26weight%3D0"
    );
    let condition = "method%3Dget+%3D%3E+host%3D10.0.0.*";
    assert_eq!(
        encode_name(condition),
        "method%253Dget%2B%253D%253E%2Bhost%253D10.0.0.*"
    );
    // Decoded once: the doubly written value stays escaped.
    assert_eq!(decode_name(&encode_name(condition)).unwrap(), condition);
}

#[test]
fn keeps_the_name_that_another_encoder_wrote() {
    // dubbo-go leaves `~` and escapes `*`; lower-case hex is read too.
    for name in [
        "dubbo%3A%2F%2Fh%3A1%2Fa.B%3Fx%3D%2A~",
        "dubbo%3a%2f%2fh%3a1%2fa.B%3fx%3d*%7e",
    ] {
        let url = ProviderUrl::from_znode(name).unwrap();
        assert_eq!(url.to_string(), "dubbo://h:1/a.B?x=*~");
        assert_eq!(url.znode(), name);
    }
    let plain: ProviderUrl = "dubbo://h:1/a.B?x=*~".parse().unwrap();
    assert_eq!(plain.znode(), "dubbo%3A%2F%2Fh%3A1%2Fa.B%3Fx%3D*%7E");
}

#[test]
fn reads_the_odd_shapes() {
    let url = |text: &str| text.parse::<ProviderUrl>().unwrap();
    let rows = [
        ("dubbo://my_Host:20880/a.B", "my_Host", 20880, "a.B"),
        ("dubbo://[2001:db8::1]:20880/a.B", "2001:db8::1", 20880, "a.B"),
        ("dubbo://[2001:db8::1]/a.B", "2001:db8::1", 0, "a.B"),
        ("dubbo://fe80::1%eth0/a.B", "fe80::1%eth0", 0, "a.B"),
        ("consumer://10.0.0.1/a.B?x=1", "10.0.0.1", 0, "a.B"),
        ("override://0.0.0.0/g/a.B:1?weight=5", "0.0.0.0", 0, "g/a.B:1"),
        ("dubbo://u:p@h:1/a.B", "h", 1, "a.B"),
        ("dubbo://h:1", "h", 1, ""),
        ("dubbo://h:1?x=http://y/z", "h", 1, ""),
    ];
    for (text, host, port, path) in rows {
        let url = url(text);
        assert_eq!((url.host(), url.port(), url.path()), (host, port, path), "{text}");
        assert_eq!(url.to_string(), text);
    }
    assert_eq!(url("dubbo://u:p@h:1/a.B").user(), "u:p");
    // The last of several keys wins, `default.X` stands in for X, an empty value is none, a bare key is there.
    let odd = url("dubbo://h:1/a.B?x=1&x=2&default.timeout=70&group=&bare;y=3&token");
    assert_eq!(odd.parameter("x"), Some("2"));
    assert_eq!(odd.timeout("m"), Some(Duration::from_millis(70)));
    assert_eq!(odd.parameter("group"), None);
    assert_eq!(odd.group(), "");
    assert_eq!(odd.parameter("y"), Some("3"));
    assert!(odd.has_parameter("bare") && odd.parameter("bare").is_none());
    assert!(url("dubbo://h:1/a.B?enabled=false").is_disabled());
    assert!(!url("dubbo://h:1/a.B?enabled=false&disabled=false").is_disabled());
    assert_eq!(
        url("consumer://h/a.B?timeout=3s").timeout("x"),
        Some(Duration::from_secs(3))
    );
}

#[test]
fn refuses_what_is_no_url() {
    let rows: [(&str, ParseError); 8] = [
        ("", ParseError::Scheme),
        ("10.0.0.1%3A20880", ParseError::Scheme),
        ("%3A%2F%2Fh", ParseError::Scheme),
        ("dubbo%3A%2F%2F%2Fa.B", ParseError::Host),
        ("dubbo%3A%2F%2Fh%3A99999%2Fa.B", ParseError::Port("99999".into())),
        ("dubbo%3A%2F%2Fh%3Aport%2Fa.B", ParseError::Port("port".into())),
        ("dubbo%3", ParseError::Escape(5)),
        ("dubbo%FF", ParseError::Escape(5)),
    ];
    for (name, error) in rows {
        assert_eq!(ProviderUrl::from_znode(name).unwrap_err(), error, "{name}");
    }
    let long = format!("dubbo://h:1/{}", "a".repeat(MAX_LENGTH));
    assert!(matches!(long.parse::<ProviderUrl>(), Err(ParseError::TooLong(_))));
    for (key, value) in [("group", ""), ("", "x"), ("a", "b&c"), ("a", "b;c"), ("a=b", "c")] {
        let refused = ProviderUrl::new("dubbo", "h", 1, "a.B", [(key, value)]);
        assert_eq!(refused.unwrap_err(), ParseError::Parameter(key.into()));
    }
}

#[test]
fn changes_keep_the_order() {
    let url: ProviderUrl = "dubbo://h:1/a.B?a=1&b=2&c=3&d=".parse().unwrap();
    let changed = url
        .with([("b", Some("9")), ("a", None), ("z", Some("0")), ("y", None)])
        .unwrap();
    assert_eq!(changed.to_string(), "dubbo://h:1/a.B?b=9&c=3&z=0");
    assert_eq!(
        ProviderUrl::new("tri", "::1", 5, "a.B", [("a", "1")])
            .unwrap()
            .to_string(),
        "tri://[::1]:5/a.B?a=1"
    );
}

proptest! {
    #[test]
    fn names_decode_to_what_was_encoded(text in "\\PC{0,80}") {
        prop_assert_eq!(decode_name(&encode_name(&text)).unwrap(), text);
    }

    #[test]
    fn reading_never_panics_and_always_prints_back(name in "[ -~]{0,60}|(dubbo|tri)%3A%2F%2F[ -~]{0,60}") {
        if let Ok(url) = ProviderUrl::from_znode(&name) {
            prop_assert_eq!(url.znode(), name);
            let _ = (url.service_key(), url.timeouts(), url.marks(), url.address(), url.weight());
            prop_assert_eq!(url.to_string().parse::<ProviderUrl>().unwrap().to_string(), url.to_string());
        }
    }
}
