//! Java consumers, a grpc-go provider.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::cases::{overdrawn, said_tight, tight, whole};
use super::{Ledger, Seen, answers, assert_calls, assert_counted, assert_logged, binding, calls, count};
use crate::gateway::Gateway;
use crate::peers::{free_port, peers};
use crate::process::Process;
use crate::suite::Suite;

/// What the provider says beside the fields of the request.
fn script() -> Json {
    let detail = |message: &str, fields: Json| {
        let mut detail = json!({"@type": format!("type.googleapis.com/{message}")});
        for (name, value) in fields.as_object().unwrap() {
            detail[name] = value.clone();
        }
        detail
    };
    let fails = |account: &str, code: u32, message: &str, details: Json| {
        let status = json!({"code": code, "message": message, "details": details});
        json!({"rpc": "Charge", "when": {"account": account}, "status": status})
    };
    let info = json!({"reason": "FROZEN", "domain": "bank", "metadata": {"java.class": "org.landbridge.ledger.Ledger$FrozenException"}});
    let tight = |note: &str, field: &str, value: Json| {
        let mut reply = json!({"amount": "1"});
        reply[field] = value;
        answers("Narrow", json!({"note": note}), reply)
    };
    json!([
        answers("FindById", json!({}), json!({"code": "by id"})),
        {"rpc": "FindByCode", "when": {"code": "nobody"}, "reply": {}, "trailers": {"dubbo-null-result": "1"}},
        answers("FindByCode", json!({}), json!({"code": "by code", "count": 0, "price": "1.50"})),
        answers("FindByCodeAndLimit", json!({}), json!({"code": "by both"})),
        answers("Book", json!({"account": "acc"}), json!({"text": "booked"})),
        answers("Book", json!({}), json!({})),
        answers("Touch", json!({}), json!({})),
        answers("Count", json!({"account": "a"}), json!({"count": 0})),
        answers("Count", json!({}), json!({})),
        fails("poor", 8, "no money: 中文", json!([detail("landbridge.ledger.v1.Overdrawn", overdrawn().0)])),
        fails("bare", 9, "", json!([detail("landbridge.ledger.v1.Overdrawn", json!({}))])),
        fails("frozen", 7, "frozen since May", json!([detail("google.rpc.ErrorInfo", info)])),
        fails("stray", 10, "gone astray", json!([])),
        fails("foreign", 9, "in other words", json!([detail("landbridge.ledger.v1.Entry", json!({"code": "x"}))])),
        fails("busy", 8, "later", json!([])),
        tight("tiny-wide", "tiny", json!(300)),
        tight("whole-wide", "whole", json!("2147483648")),
        tight("large-wide", "large", json!("9223372036854775808")),
        tight("no-decimal", "amount", json!("12x")),
        tight("unknown-number", "kind", json!(99)),
    ])
}

/// A case: its name, what Java is to say, and what the provider is to see of it, if anything.
type Case = (String, String, Option<Seen>);

fn case(name: &str, want: &str, seen: Option<(&str, Json)>) -> Case {
    let seen = seen.map(|(rpc, request)| Seen::new(rpc, request));
    (name.to_owned(), want.to_owned(), seen)
}

/// A call that works on the same connection.
fn ping() -> Case {
    case("ping", "null", Some(("Ping", json!({}))))
}

fn entry(code: &str, rest: &str) -> String {
    format!("Entry(code=\"{code}\", {rest})")
}

/// Refused before it reaches the provider.
fn refused(name: &str, method: &str, at: &str, rule: &str) -> Vec<Case> {
    let want = format!(
        "threw RuntimeException(\"cannot decode or map the call: convert by binding: map arguments of org.landbridge.ledger.Ledger.{method} at {at}: *{rule}\")"
    );
    vec![case(name, &want, None), ping()]
}

/// Values that arrive as they left, and those that lose what the binding lets them lose.
fn values() -> Vec<Case> {
    let mut cases: Vec<Case> = whole()
        .into_iter()
        .map(|(name, json, said)| case(&format!("put {name}"), said, Some(("Put", json))))
        .collect();
    let put = |name: &str, want: &str, json: Json| case(&format!("put {name}"), want, Some(("Put", json)));
    cases.extend([
        put(
            "null-dropped",
            r#"dropped=ArrayList["a", "b"]"#,
            json!({"dropped": ["a", "b"]}),
        ),
        put(
            "null-zeroed",
            r#"zeroed=ArrayList["a", ""]"#,
            json!({"zeroed": ["a", ""]}),
        ),
        put(
            "null-value-dropped",
            r#"labels=HashMap["b"="c"]"#,
            json!({"labels": {"b": "c"}}),
        ),
        case(
            "shared-parts",
            "Boolean:true",
            Some(("Put", whole().pop().unwrap().1)),
        ),
        case(
            "narrow fits",
            &said_tight("fits"),
            Some(("Narrow", tight("fits"))),
        ),
    ]);
    cases
}

/// Which rpc a method is, and what becomes of its arguments and result.
fn methods() -> Vec<Case> {
    let generic = |code: &str, rest: &str| {
        format!("TreeMap[\"class\"=\"org.landbridge.ledger.Ledger$Entry\", \"code\"=\"{code}\"{rest}]")
    };
    let by_code = r#"count=Integer:0, price=BigDecimal:1.50"#;
    let nothing = "count=null, price=null";
    let overloaded = r#"threw RuntimeException("the call cannot cross: method is overloaded and none of its bindings has these parameter types")"#;
    vec![
        case(
            "find-long",
            &entry("by id", nothing),
            Some(("FindById", json!({"id": "7"}))),
        ),
        case(
            "find-string",
            &entry("by code", by_code),
            Some(("FindByCode", json!({"code": "7"}))),
        ),
        case(
            "find-string-int",
            &entry("by both", nothing),
            Some(("FindByCodeAndLimit", json!({"code": "7", "limit": -1}))),
        ),
        case(
            "find-null",
            "null",
            Some(("FindByCode", json!({"code": "nobody"}))),
        ),
        case(
            "generic-long",
            &generic("by id", "*"),
            Some(("FindById", json!({"id": "7"}))),
        ),
        case(
            "generic-string",
            &generic("by code", r#", "count"=Integer:0, "price"=BigDecimal:1.50"#),
            Some(("FindByCode", json!({"code": "7"}))),
        ),
        case(
            "generic-string-int",
            &generic("by both", "*"),
            Some(("FindByCodeAndLimit", json!({"code": "7", "limit": 3}))),
        ),
        case("generic-other-types", overloaded, None),
        case("generic-no-types", overloaded, None),
        case(
            "generic-object",
            "TreeMap[*\"name\"=\"from a map\"*",
            Some(("Walk", json!({"name": "from a map"}))),
        ),
        case(
            "book",
            "\"booked\"",
            Some((
                "Book",
                json!({"force": false, "lines": [3, -3], "entry": {"code": "e", "price": "1"}, "amount": "2.50", "account": "acc"}),
            )),
        ),
        case("book-nulls", "null", Some(("Book", json!({})))),
        case("touch", "null", Some(("Touch", json!({"account": "a"})))),
        case("touch-null", "null", Some(("Touch", json!({})))),
        ping(),
        case("count", "Integer:0", Some(("Count", json!({"account": "a"})))),
        case("count-null", "null", Some(("Count", json!({})))),
        case(
            "walk",
            r#"Node(name="root", parent=null, children=ArrayList[Node(name="child", parent=null, children=ArrayList[])])"#,
            Some(("Walk", json!({"name": "root", "children": [{"name": "child"}]}))),
        ),
    ]
}

/// What the provider's statuses become.
fn failures() -> Vec<Case> {
    let charge = |account: &str, want: &str| {
        case(
            &format!("charge {account}"),
            want,
            Some(("Charge", json!({"account": account, "cents": "100"}))),
        )
    };
    let poor = format!(r#"threw OverdrawnException("no money: 中文", {})"#, overdrawn().1);
    vec![
        charge("poor", &poor),
        ping(),
        charge(
            "bare",
            "threw OverdrawnException(\"\", account=\"\", missing=null, hints=ArrayList[], kind=null, until=null, last=null)",
        ),
        charge(
            "frozen",
            r#"threw FrozenException("frozen since May", account=null)"#,
        ),
        case(
            "generic-charge",
            r#"threw RuntimeException("no money: 中文")"#,
            Some(("Charge", json!({"account": "poor", "cents": "100"}))),
        ),
        charge("stray", r#"threw RuntimeException("gone astray")"#),
        charge("foreign", r#"threw RuntimeException("in other words")"#),
        charge("busy", "threw RpcException(*later*"),
        charge("rich", &entry("rich", "count=Integer:100, price=null")),
    ]
}

/// Values that fit one side only.
fn limits() -> Vec<Case> {
    let narrow = |name: &str| format!("narrow {name}");
    let put = |name: &str| format!("put {name}");
    let mut cases = Vec::new();
    cases.extend(refused(
        &put("null-element"),
        "put",
        "names[1]",
        "(rule null_element)",
    ));
    cases.extend(refused(
        &put("null-value"),
        "put",
        "sealed[0]",
        "(rule null_map_value)",
    ));
    cases.extend(refused(
        &put("null-key"),
        "put",
        "by_name[0]",
        "(rule null_map_key)",
    ));
    cases.extend(refused(
        "walk-cycle",
        "walk",
        "children[0].parent",
        "(rule cycle)",
    ));
    cases.extend(refused(&narrow("negative"), "narrow", "positive", "(rule range)"));
    cases.extend(refused(
        &narrow("negative-long"),
        "narrow",
        "large",
        "(rule range)",
    ));
    cases.extend(refused(
        &narrow("null-element"),
        "narrow",
        "names[1]",
        "(rule null_element)",
    ));
    for (name, at, rule) in [
        ("tiny-wide", "tiny", "range"),
        ("whole-wide", "whole", "range"),
        ("large-wide", "large", "range"),
        ("no-decimal", "amount", "format"),
        ("unknown-number", "kind", "unknown_enum"),
    ] {
        let want = format!(
            "threw RuntimeException(\"cannot decode or map the provider's reply: convert by binding: map result of org.landbridge.ledger.Ledger.narrow at {at}: *(rule {rule})\")"
        );
        cases.push(case(&narrow(name), &want, Some(("Narrow", tight(name)))));
        cases.push(ping());
    }
    cases
}

/// What is lost where the binding lets it be lost.
fn losses() -> Vec<Case> {
    let lost = |name: &str, field: &str, said: (&str, &str)| {
        let mut request = tight(name);
        request.as_object_mut().unwrap().remove(field);
        let want = said_tight(name).replace(said.0, said.1);
        case(&format!("narrow {name}"), &want, Some(("Narrow", request)))
    };
    vec![
        lost("unknown-constant", "kind", ("Kind.CREDIT", "null")),
        lost("null-text", "note", ("\"null-text\"", "\"\"")),
        lost("null-list", "names", ("ArrayList[\"a\"]", "ArrayList[]")),
    ]
}

/// Runs the cases, and compares what the provider saw. A one-way call is one of them: nobody waits for it but this.
fn suite(ledger: &Ledger<'_>, release: u8, url: &str, server: &Process, cases: &[Case]) {
    let lines: Vec<String> = cases
        .iter()
        .map(|(name, want, _)| format!("{name}\t{want}\n"))
        .collect();
    let wants = ledger.peers.write("wants", &lines.concat());
    let before = count(server);
    let settings = [url.to_owned(), format!("wants={}", wants.display())];
    let mut consumer = ledger.java(release, "Consumer", &settings);
    consumer.finish(Duration::from_secs(300));
    Suite::of_java(&consumer).assert_all(cases.len());
    let mut wanted: Vec<Seen> = cases.iter().filter_map(|(_, _, seen)| seen.clone()).collect();
    let mut seen = calls(server, before, wanted.len(), "rpc", "request");
    // It may be overtaken by the next call.
    let one_way = |seen: &Seen| *seen == Seen::new("Touch", json!({"account": "one way"}));
    assert_eq!(
        seen.iter().filter(|seen| one_way(seen)).count(),
        wanted.iter().filter(|seen| one_way(seen)).count()
    );
    seen.retain(|seen| !one_way(seen));
    wanted.retain(|seen| !one_way(seen));
    assert_calls(&seen, &wanted);
}

/// The same values by `$invoke`, as Dubbo's own conversion to maps writes them and reads them back.
fn generic() -> Vec<Case> {
    // It knows the days and times that have a text, and makes maps of getters of the others.
    let kept = |name: &&str| *name != "times";
    let times = json!({"date": "1969-12-31T23:59:59.999Z", "day": "2024-02-29", "moment": "2024-02-29T23:59:58.123456789"});
    let said = "date=Date:-1, day=LocalDate:2024-02-29, moment=LocalDateTime:2024-02-29T23:59:58.123456789";
    let all = whole().into_iter().filter(|(name, ..)| kept(name));
    all.chain([("days", times, said)])
        .map(|(name, json, said)| case(&format!("generic-put {name}"), said, Some(("Put", json))))
        .collect()
}

/// Objects of classes that their field does not name: with their bound fields alone, or not at all.
fn subclasses() -> Vec<Case> {
    let sliced = r#"first=Entry(code="gift", count=null, price=null)"#;
    let mut cases = vec![case(
        "put sliced",
        sliced,
        Some(("Put", json!({"first": {"code": "gift"}}))),
    )];
    cases.extend(refused(
        "put gift-in-either",
        "put",
        "any",
        "(rule polymorphic_value)",
    ));
    cases.extend(refused(
        "put refund-as-entry",
        "put",
        "first",
        "(rule polymorphic_value)",
    ));
    cases
}

fn lax() -> Vec<Case> {
    let one_way = case(
        "touch-one-way",
        "null",
        Some(("Touch", json!({"account": "one way"}))),
    );
    [
        methods(),
        values(),
        generic(),
        losses(),
        failures(),
        limits(),
        vec![one_way, ping()],
    ]
    .concat()
}

/// Under `strict` what was lost above is refused.
fn strict() -> Vec<Case> {
    let mut cases = vec![case(
        "narrow fits",
        &said_tight("fits"),
        Some(("Narrow", tight("fits"))),
    )];
    cases.extend(refused(
        "narrow unknown-constant",
        "narrow",
        "kind",
        "(rule unknown_enum)",
    ));
    cases.extend(refused(
        "narrow null-text",
        "narrow",
        "note",
        "(rule null_to_default)",
    ));
    cases.extend(refused(
        "narrow null-list",
        "narrow",
        "names",
        "(rule null_collection)",
    ));
    cases.extend(refused("book-nulls", "book", "lines", "(rule null_collection)"));
    cases
}

#[test]
fn java_27_calls_grpc_go_by_the_bindings_rules() {
    let Some(peers) = peers() else { return };
    let ledger = Ledger::new(&peers, 27);
    let (server, port) = ledger.grpc_server(&script());
    let becomes = ("protobuf", "protobuf");
    let gateway = ledger.gateway(becomes, free_port(), port, binding());
    let mut cases = lax();
    cases.extend(subclasses());
    // What cannot be mapped of a one-way call only the operator sees.
    cases.extend([case("narrow-one-way", "null", None), ping()]);
    suite(&ledger, 27, &gateway.dubbo_url(), &server, &cases);
    operator_sees(&gateway);
    let gateway = ledger.gateway(becomes, free_port(), port, format!("strict: true\n{}", binding()));
    suite(&ledger, 27, &gateway.dubbo_url(), &server, &strict());
}

#[test]
fn java_26_calls_grpc_go_by_the_bindings_rules() {
    let Some(peers) = peers() else { return };
    let ledger = Ledger::new(&peers, 26);
    let (server, port) = ledger.grpc_server(&script());
    let gateway = ledger.gateway(("protobuf", "protobuf"), free_port(), port, binding());
    let mut cases = lax();
    // Its own conversion fails on a null in a list, and knows no LocalDate.
    cases.retain(|(name, ..)| !["generic-put holes", "generic-put days"].contains(&name.as_str()));
    suite(&ledger, 26, &gateway.dubbo_url(), &server, &cases);
}

/// Dubbo 3.2 reads Throwables over Triple, and no header of its calls says so: the binding does.
#[test]
fn java_32_triple_catches_exceptions_where_the_binding_says_that_it_can() {
    let Some(peers) = peers() else { return };
    let ledger = Ledger::new(&peers, 32);
    let (server, port) = ledger.grpc_server(&script());
    let service = "    proto: landbridge.ledger.v1.Ledger\n";
    let mode = format!("{service}    exceptions_mode: tri-exception-code\n");
    let becomes = ("protobuf", "protobuf");
    let gateway = ledger.gateway(becomes, free_port(), port, binding().replacen(service, &mode, 1));
    suite(&ledger, 32, &gateway.tri_url(), &server, &over_triple(failures()));
    let gateway = ledger.gateway(becomes, free_port(), port, binding());
    let poor = "threw RpcException(\"*no money: 中文*";
    let request = json!({"account": "poor", "cents": "100"});
    let cases = [case("charge poor", poor, Some(("Charge", request))), ping()];
    suite(&ledger, 32, &gateway.tri_url(), &server, &cases);
}

#[test]
fn java_33_calls_grpc_go_by_the_bindings_rules() {
    let Some(peers) = peers() else { return };
    let ledger = Ledger::new(&peers, 33);
    let (server, port) = ledger.grpc_server(&script());
    let gateway = ledger.gateway(("protobuf", "protobuf"), free_port(), port, binding());
    suite(&ledger, 33, &gateway.dubbo_url(), &server, &lax());
    suite(&ledger, 33, &gateway.tri_url(), &server, &over_triple(lax()));
}

/// Over Triple what is no exception of the interface's own is a status, which Dubbo 3.3 wraps.
fn over_triple(mut cases: Vec<Case>) -> Vec<Case> {
    for (_, want, _) in &mut cases {
        if let Some(text) = want.strip_prefix("threw RuntimeException(\"") {
            let text = text.trim_end_matches("\")");
            *want = format!("threw RpcException(\"*StatusRpcException: * : {text}\")*");
        }
    }
    cases
}

/// What the operator can read of it afterwards: each thing that was refused or lost, on which way, and no value.
fn operator_sees(gateway: &Gateway) {
    for (rule, count) in [
        ("unknown_enum", 1),
        ("null_map_value", 1),
        ("null_element", 2),
        ("null_to_default", 1),
        ("subclass_slice", 1),
    ] {
        assert_counted(
            gateway,
            &format!("landbridge_lossy_total{{rule=\"{rule}\"}} {count}"),
        );
    }
    let narrow = "interface=\"org.landbridge.ledger.Ledger\",group=\"\",version=\"\",method=\"narrow\",from=\"dubbo2\",to=\"triple\",mode=\"protobuf\"";
    for (outcome, count) in [("ok", 4), ("bad_request", 4), ("bad_reply", 5)] {
        assert_counted(
            gateway,
            &format!("landbridge_calls_total{{{narrow},outcome=\"{outcome}\"}} {count}"),
        );
    }
    // No refusal cost a connection.
    assert_counted(gateway, "landbridge_events_total{event=\"accepted\"} 1");
    assert_counted(gateway, "landbridge_events_total{event=\"upstream_opened\"} 1");
    let method = "method=\"narrow\"";
    assert_logged(
        gateway,
        &[method, "kind=\"bad_request\"", "at positive", "(rule range)"],
    );
    assert_logged(
        gateway,
        &[method, "kind=\"bad_reply\"", "at amount", "(rule format)"],
    );
    assert_logged(
        gateway,
        &[
            "method=\"walk\"",
            "kind=\"bad_request\"",
            "children[0].parent",
            "(rule cycle)",
        ],
    );
    let log = gateway.process.error_lines().concat();
    for value in ["12x", "2147483648", "frozen since", "poor"] {
        assert!(!log.contains(value), "{value} is in the log");
    }
}
