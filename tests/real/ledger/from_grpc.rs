//! A grpc-go client, Java providers.

use serde_json::{Value as Json, json};

use super::cases::{overdrawn, said_tight, tight, whole};
use super::{Ledger, Seen, assert_calls, assert_counted, assert_logged, binding, calls, count};
use crate::gateway::Gateway;
use crate::peers::{free_port, peers};
use crate::process::{Process, START};

/// What the client is to get.
enum Want {
    Reply(Json),
    /// A null for an object: an empty message, and a trailer that says so.
    Null,
    /// A status by its number, with this in its text.
    Refused(u32, String),
    /// A thrown exception: the number, the text, and the details.
    Thrown(u32, &'static str, Json),
}

/// A call, what the Java provider is to say of it, and what the client is to get.
struct Case {
    rpc: &'static str,
    request: Json,
    seen: Option<Seen>,
    want: Want,
}

fn case(rpc: &'static str, request: Json, seen: (&str, &str), want: Want) -> Case {
    let seen = Some(Seen::new(seen.0, seen.1));
    Case {
        rpc,
        request,
        seen,
        want,
    }
}

fn ping() -> Case {
    case("Ping", json!({}), ("ping", ""), Want::Reply(json!({})))
}

/// Values that arrive as they left, and those that lose what the binding lets them lose.
fn values() -> Vec<Case> {
    let put = |json: Json, said: &str, back: Json| case("Put", json, ("put", said), Want::Reply(back));
    let mut cases: Vec<Case> = whole()
        .into_iter()
        .map(|(_, json, said)| put(json.clone(), said, json))
        .collect();
    cases.push(put(json!({"any": {}}), "", json!({})));
    cases.push(put(
        json!({"tags": ["x", "x"]}),
        "tags=HashSet[\"x\"]",
        json!({"tags": ["x"]}),
    ));
    let mut finer = tight("fits");
    finer["at"] = json!("1970-01-01T00:00:00.005999Z");
    for request in [tight("fits"), finer] {
        let said = said_tight("fits");
        cases.push(case(
            "Narrow",
            request,
            ("narrow", &said),
            Want::Reply(tight("fits")),
        ));
    }
    cases
}

/// Which method an rpc is, and what becomes of its arguments and result.
fn methods() -> Vec<Case> {
    let book = json!({"force": false, "lines": [3, -3], "entry": {"code": "e", "price": "1"}, "amount": "2.50", "account": "acc"});
    let booked = "\"acc\", BigDecimal:2.50, Entry(code=\"e\", count=null, price=BigDecimal:1), int[][Integer:3, Integer:-3], Boolean:false";
    let node = json!({"name": "root", "children": [{"name": "child", "children": [{"name": "leaf"}]}]});
    let leaf = r#"Node(name="leaf", parent=null, children=ArrayList[])"#;
    let tree = format!(
        r#"Node(name="root", parent=null, children=ArrayList[Node(name="child", parent=null, children=ArrayList[{leaf}])])"#
    );
    vec![
        case(
            "FindById",
            json!({"id": "7"}),
            ("find(long)", "Long:7"),
            Want::Reply(json!({"code": "id-7"})),
        ),
        case(
            "FindByCode",
            json!({"code": "7"}),
            ("find(String)", "\"7\""),
            Want::Reply(json!({"code": "code-7", "count": 1, "price": "1.50"})),
        ),
        case(
            "FindByCodeAndLimit",
            json!({"code": "7", "limit": -1}),
            ("find(String,int)", "\"7\", -1"),
            Want::Reply(json!({"code": "code-7", "count": -1})),
        ),
        case(
            "FindById",
            json!({"id": "404"}),
            ("find(long)", "Long:404"),
            Want::Null,
        ),
        case(
            "Book",
            book,
            ("book", booked),
            Want::Reply(json!({"text": booked})),
        ),
        case(
            "Book",
            json!({}),
            ("book", "null, null, null, int[][], null"),
            Want::Reply(json!({})),
        ),
        case(
            "Touch",
            json!({"account": "a"}),
            ("touch", "\"a\""),
            Want::Reply(json!({})),
        ),
        case("Touch", json!({}), ("touch", "null"), Want::Reply(json!({}))),
        ping(),
        case(
            "Count",
            json!({"account": "a"}),
            ("count", "\"a\""),
            Want::Reply(json!({"count": 0})),
        ),
        case("Count", json!({}), ("count", "\"\""), Want::Reply(json!({}))),
        case("Walk", node.clone(), ("walk", &tree), Want::Reply(node)),
    ]
}

/// What the provider's exceptions become.
fn failures() -> Vec<Case> {
    let charge = |account: &str, want: Want| {
        let request = json!({"account": account, "cents": "100"});
        case(
            "Charge",
            request,
            ("charge", &format!("\"{account}\", 100")),
            want,
        )
    };
    let info = |reason: &str, class: &str, own: Json| {
        let package = class.rsplit_once('.').unwrap().0;
        let mut metadata =
            json!({"java.class": class, "dubbo.method": "org.landbridge.ledger.Ledger.charge"});
        for (name, value) in own.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": format!("java/{package}"), "metadata": metadata})
    };
    let detail = |mut fields: Json| {
        fields["@type"] = json!("type.googleapis.com/landbridge.ledger.v1.Overdrawn");
        fields
    };
    let (class, reason) = (
        "org.landbridge.ledger.Ledger$OverdrawnException",
        "OVERDRAWN_EXCEPTION",
    );
    let stray = info(
        "STRAY_EXCEPTION",
        "org.landbridge.ledger.Ledger$StrayException",
        json!({"depth": "3"}),
    );
    let frozen = info(
        "FROZEN_EXCEPTION",
        "org.landbridge.ledger.Ledger$FrozenException",
        json!({}),
    );
    let jdk = info(
        "ILLEGAL_ARGUMENT_EXCEPTION",
        "java.lang.IllegalArgumentException",
        json!({}),
    );
    vec![
        charge(
            "poor",
            Want::Thrown(
                8,
                "no money: 中文",
                json!([
                    info(reason, class, json!({"account": "poor"})),
                    detail(overdrawn().0)
                ]),
            ),
        ),
        charge(
            "bare",
            Want::Thrown(
                8,
                class,
                json!([info(reason, class, json!({})), detail(json!({}))]),
            ),
        ),
        charge("frozen", Want::Thrown(7, "frozen since May", json!([frozen]))),
        charge("stray", Want::Thrown(2, "gone astray", json!([stray]))),
        charge("jdk", Want::Thrown(3, "cents", json!([jdk]))),
        charge("rich", Want::Reply(json!({"code": "rich", "count": 100}))),
    ]
}

/// An object that cannot be brought to Java: the provider is not called, and the next call works.
fn refused(rpc: &'static str, request: Json, at: &str) -> [Case; 2] {
    let text = format!(
        "map arguments of org.landbridge.ledger.Ledger.{}{rest} at {at}",
        rpc[..1].to_lowercase(),
        rest = &rpc[1..]
    );
    let want = Want::Refused(3, text);
    [
        Case {
            rpc,
            request,
            seen: None,
            want,
        },
        ping(),
    ]
}

/// A result that cannot be brought to gRPC: the provider ran.
fn unreadable(note: &str, at: &str) -> [Case; 2] {
    let text = format!("map result of org.landbridge.ledger.Ledger.narrow at {at}");
    let request = tight(note);
    [
        case(
            "Narrow",
            request,
            ("narrow", &said_tight(note)),
            Want::Refused(13, text),
        ),
        ping(),
    ]
}

/// Values that fit one side only.
fn limits() -> Vec<Case> {
    let with = |field: &str, value: Json| {
        let mut request = tight("x");
        request[field] = value;
        request
    };
    let twice = json!({"by_amount": [{"key": "1.0", "value": "a"}, {"key": "1.0", "value": "b"}]});
    let cycle = Want::Refused(13, "map result of org.landbridge.ledger.Ledger.walk at children[0].parent: value contains itself (rule cycle)".to_owned());
    let said = r#"Node(name="cycle", parent=null, children=ArrayList[])"#;
    [
        refused(
            "Narrow",
            with("tiny", json!(300)),
            "tiny: number does not fit byte (rule range)",
        ),
        refused(
            "Narrow",
            with("positive", json!(2147483648u32)),
            "positive: number does not fit int (rule range)",
        ),
        refused(
            "Narrow",
            with("whole", json!("2147483648")),
            "whole: number does not fit int (rule range)",
        ),
        refused(
            "Narrow",
            with("large", json!("9223372036854775808")),
            "large: number does not fit long (rule range)",
        ),
        refused(
            "Narrow",
            with("amount", json!("12x")),
            "amount: text is no BigDecimal (rule format)",
        ),
        refused(
            "Narrow",
            with("kind", json!(99)),
            "kind: number is no value of landbridge.ledger.v1.Kind (rule unknown_enum)",
        ),
        refused(
            "Put",
            json!({"day": "2024-02-30"}),
            "day: text is no LocalDate (rule format)",
        ),
        refused("Put", twice, "by_amount"),
        unreadable("negative", "positive: number does not fit uint32 (rule range)"),
        unreadable("negative-long", "large: number does not fit uint64 (rule range)"),
        unreadable("null-element", "names[1]: null in a list (rule null_element)"),
        [
            case("Walk", json!({"name": "cycle"}), ("walk", said), cycle),
            ping(),
        ],
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What of a result is lost where the binding lets it be lost.
fn losses() -> Vec<Case> {
    [
        ("unknown-constant", "kind"),
        ("null-text", "note"),
        ("null-list", "names"),
    ]
    .map(|(note, field)| {
        let mut back = tight(note);
        back.as_object_mut().unwrap().remove(field);
        case(
            "Narrow",
            tight(note),
            ("narrow", &said_tight(note)),
            Want::Reply(back),
        )
    })
    .into()
}

/// Calls, and compares what the client got and what the provider said.
fn suite(ledger: &Ledger<'_>, gateway: &Gateway, provider: &Process, cases: &[Case]) {
    let script: Vec<Json> = cases
        .iter()
        .enumerate()
        .map(|(place, case)| json!({"case": format!("{place}-{}", case.rpc), "rpc": case.rpc, "request": case.request}))
        .collect();
    let before = count(provider);
    let got = ledger.grpc_client(gateway, &Json::Array(script));
    for (got, case) in got.iter().zip(cases) {
        let of = format!("{} {}: {got}", case.rpc, case.request);
        match &case.want {
            Want::Reply(reply) => {
                assert_eq!(*got, json!({"reply": reply, "unknown": 0, "null": null}), "{of}")
            }
            Want::Null => assert_eq!(*got, json!({"reply": {}, "unknown": 0, "null": ["1"]}), "{of}"),
            Want::Refused(code, text) => {
                assert_eq!(got["status"]["code"], json!(code), "{of}");
                let message = got["status"]["message"].as_str().unwrap_or_default();
                assert!(message.contains(text), "{of}\nhas no {text}");
            }
            Want::Thrown(code, message, details) => {
                assert_eq!(
                    got["status"],
                    json!({"code": code, "message": message, "details": details}),
                    "{of}"
                );
            }
        }
    }
    let wanted: Vec<Seen> = cases.iter().filter_map(|case| case.seen.clone()).collect();
    let seen = calls(provider, before, wanted.len(), "method", "said");
    assert_calls(&seen, &wanted);
}

fn lax() -> Vec<Case> {
    let all = [methods(), values(), losses(), failures(), limits()];
    all.into_iter().flatten().collect()
}

/// Under `strict` what a lax binding loses is refused.
fn strict() -> Vec<Case> {
    let mut cases = vec![case(
        "Narrow",
        tight("fits"),
        ("narrow", &said_tight("fits")),
        Want::Reply(tight("fits")),
    )];
    let mut finer = tight("fits");
    finer["at"] = json!("1970-01-01T00:00:00.005999Z");
    cases.extend(refused("Narrow", finer, "at: "));
    cases.extend(refused("Put", json!({"tags": ["x", "x"]}), "tags"));
    cases.extend(unreadable("unknown-constant", "kind: "));
    cases.extend(unreadable("null-text", "note: "));
    cases.extend(unreadable("null-list", "names: "));
    cases
}

#[test]
fn grpc_go_calls_java_27_by_the_bindings_rules() {
    let Some(peers) = peers() else { return };
    let ledger = Ledger::new(&peers, 27);
    let port = free_port();
    let provider = ledger.java(27, "Provider", &[format!("port={port}")]);
    provider.wait_event("ready", START);
    let gateway = ledger.gateway(("dubbo2", "dubbo2"), port, free_port(), binding());
    suite(&ledger, &gateway, &provider, &lax());
    operator_sees(&gateway);
    let gateway = ledger.gateway(
        ("dubbo2", "dubbo2"),
        port,
        free_port(),
        format!("strict: true\n{}", binding()),
    );
    suite(&ledger, &gateway, &provider, &strict());
    stack_is_told(&ledger, port);
}

/// The stack of a thrown exception is told where the binding exposes it.
fn stack_is_told(ledger: &Ledger<'_>, port: u16) {
    let binding = format!("expose_stack: true\n{}", binding());
    let gateway = ledger.gateway(("dubbo2", "dubbo2"), port, free_port(), binding);
    let script = json!([{"case": "poor", "rpc": "Charge", "request": {"account": "poor", "cents": "100"}}]);
    let got = ledger.grpc_client(&gateway, &script);
    let details = got[0]["status"]["details"].as_array().unwrap();
    let types: Vec<&str> = details
        .iter()
        .filter_map(|detail| detail["@type"].as_str())
        .collect();
    let types: Vec<&str> = types.iter().filter_map(|name| name.rsplit('.').next()).collect();
    assert_eq!(types, ["ErrorInfo", "Overdrawn", "DebugInfo"], "{got:?}");
    let frames = details[2]["stack_entries"].as_array().unwrap();
    let first = frames[0].as_str().unwrap();
    assert!(
        first.starts_with("org.landbridge.ledger.Provider.charge(Provider.java:"),
        "{first}"
    );
    assert!(frames.len() > 1, "{frames:?}");
}

#[test]
fn grpc_go_calls_java_33_triple_by_the_bindings_rules() {
    let Some(peers) = peers() else { return };
    let ledger = Ledger::new(&peers, 33);
    let port = free_port();
    let settings = ["protocol=tri".to_owned(), format!("port={port}")];
    let provider = ledger.java(33, "Provider", &settings);
    provider.wait_event("ready", START);
    let gateway = ledger.gateway(("wrapper", "wrapper"), free_port(), port, binding());
    suite(&ledger, &gateway, &provider, &lax());
}

/// What the operator can read of it afterwards: each thing that was refused or lost, on which way.
fn operator_sees(gateway: &Gateway) {
    for rule in ["unknown_enum", "dup_set_element", "sub_ms"] {
        assert_counted(gateway, &format!("landbridge_lossy_total{{rule=\"{rule}\"}} 1"));
    }
    let narrow = "interface=\"org.landbridge.ledger.Ledger\",group=\"\",version=\"\",method=\"Narrow\",from=\"triple\",to=\"dubbo2\",mode=\"protobuf\"";
    for (outcome, count) in [("ok", 5), ("bad_request", 6), ("bad_reply", 3)] {
        assert_counted(
            gateway,
            &format!("landbridge_calls_total{{{narrow},outcome=\"{outcome}\"}} {count}"),
        );
    }
    // What every Throwable has is not lost: it has no place in a message of its fields.
    let page = gateway.get("/metrics").unwrap().1;
    assert!(!page.contains("unknown_java_fields"), "{page}");
    // No refusal cost a connection.
    assert_counted(gateway, "landbridge_events_total{event=\"accepted\"} 1");
    assert_counted(gateway, "landbridge_events_total{event=\"upstream_opened\"} 1");
    let method = "method=\"Narrow\"";
    assert_logged(
        gateway,
        &[method, "kind=\"bad_request\"", "at tiny", "(rule range)"],
    );
    assert_logged(
        gateway,
        &[method, "kind=\"bad_reply\"", "at positive", "(rule range)"],
    );
    assert_logged(
        gateway,
        &[
            "method=\"Walk\"",
            "kind=\"bad_reply\"",
            "children[0].parent",
            "(rule cycle)",
        ],
    );
}
