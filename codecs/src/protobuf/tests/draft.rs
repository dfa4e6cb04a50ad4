//! Drafts from the definitions that Java 2.7.23 and 3.3.6 wrote into a metadata center.

mod defects;
mod random;

use super::*;
use crate::protobuf::draft::{Draft, Input, OPTIONS_FILE, OPTIONS_PROTO, Source, draft};

fn definitions(service: &str, application: &str) -> Vec<String> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/zookeeper-trees/all.jsonl"
    );
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap())
        .filter(|node| {
            let path = node["path"].as_str().unwrap_or_default();
            path.starts_with(&format!("/dubbo/metadata/{service}/"))
                && path.ends_with(&format!("/provider/{application}"))
        })
        .map(|node| node["data"].as_str().unwrap().to_owned())
        .collect()
}

const ORDERS: &str = "org.landbridge.peers.api.OrderService";
const HINTS: &str = "methods:
  getAsync(long): {returns: org.landbridge.peers.api.Order}
  get(long): {args: [id], throws: [org.landbridge.peers.api.OrderNotFoundException]}
  whoami(): {skip: true}
";

fn attempt(
    texts: &[String],
    hints: Option<&str>,
    lock: Option<&str>,
) -> Result<Draft, crate::protobuf::draft::DraftError> {
    let sources: Vec<Source<'_>> = texts
        .iter()
        .map(|text| Source {
            origin: "test.json",
            text,
        })
        .collect();
    draft(&Input {
        definitions: &sources,
        hints,
        lock,
        proto_file: "orders.proto",
    })
}

fn run(texts: &[String], hints: Option<&str>, lock: Option<&str>) -> Draft {
    attempt(texts, hints, lock).unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

fn report(draft: &Draft) -> String {
    let lines: Vec<String> = draft.notes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// A draft with another binding file than its own.
fn bound(draft: &Draft, yaml: &str) -> Bindings {
    Bindings::load("orders.yaml", yaml, &mut |name| {
        let text = if name == OPTIONS_FILE {
            OPTIONS_PROTO
        } else {
            &draft.proto
        };
        Ok(text.as_bytes().to_vec())
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", draft.proto))
}

fn loaded(draft: &Draft) -> Bindings {
    bound(draft, &draft.binding)
}

#[test]
fn both_generations_of_dubbo_give_one_draft() {
    let old = run(&definitions(ORDERS, "shop-27"), Some(HINTS), None);
    let new = run(&definitions(ORDERS, "shop-33-all"), Some(HINTS), None);
    assert_eq!(old.proto, new.proto);
    assert_eq!(old.binding, new.binding);
    assert_eq!(old.lock, new.lock);
    // Byte-identical for identical input, and with its own lock.
    assert_eq!(run(&definitions(ORDERS, "shop-27"), Some(HINTS), None), old);
    let again = run(&definitions(ORDERS, "shop-33-all"), Some(HINTS), Some(&new.lock));
    assert_eq!(
        (again.proto, again.binding, again.lock),
        (new.proto, new.binding, new.lock)
    );
}

#[test]
fn a_draft_binds_every_method_it_has() {
    let draft = run(&definitions(ORDERS, "shop-33-all"), Some(HINTS), None);
    for line in [
        "service OrderService {",
        "  rpc Get(GetRequest) returns (GetResponse) {",
        "  rpc GetByLongBoolean(GetByLongBooleanRequest) returns (GetByLongBooleanResponse) {",
        "  optional google.protobuf.Timestamp created_at",
        "  map<string, string> labels",
        "  map<int64, OrderLine> line_by_no",
        "  ORDER_STATUS_UNSPECIFIED = 0;",
        "  ORDER_STATUS_NEW = 1;",
    ] {
        let line = line.replace("optional google", "google");
        assert!(draft.proto.contains(&line), "{line}\n{}", draft.proto);
    }
    let bindings = loaded(&draft);
    let service = &bindings.services()[0];
    assert_eq!(service.key.interface(), ORDERS);
    let get = service
        .methods
        .iter()
        .find(|method| method.descriptor == "J" && method.java == "get");
    let get = get.unwrap();
    assert_eq!(get.throws, ["org.landbridge.peers.api.OrderNotFoundException"]);
    assert_eq!(get.returns.to_string(), "org.landbridge.peers.api.Order");
    assert!(service.method("total", Some("[J")).is_ok());
    assert!(service.method("byCode", None).is_ok());
    assert!(service.method("whoami", None).is_err());
    // What cannot be known is told.
    let report = report(&draft);
    for words in [
        "left out: org.landbridge.peers.api.OrderService.find(org.landbridge.peers.api.OrderQuery)",
        "java.lang.Object",
        "whoami(): by a hint",
    ] {
        assert!(report.contains(words), "{words}\n{report}");
    }
    assert!(!report.contains("getAsync"), "{report}");
}

#[test]
fn drafted_bindings_convert_what_java_wrote() {
    let draft = run(&definitions(ORDERS, "shop-27"), Some(HINTS), None);
    let bindings = loaded(&draft);
    let get = bindings.services()[0].method("get", Some("J")).unwrap();
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/java-captures/dubbo-2.7.23-get-flag.resp.bin"
    );
    let frame = std::fs::read(path).unwrap();
    let mut bytes = bytes::BytesMut::from(&frame[..]);
    let frame = crate::dubbo2::split(&mut bytes, 1 << 20).unwrap().unwrap();
    let mut scratch = Scratch::default();
    let response = crate::dubbo2::Response::decode(&frame, &mut scratch.hessian, &Limits::DEFAULT).unwrap();
    let crate::dubbo2::ResponseBody::Result(value) = response.body else {
        panic!("no result");
    };
    // The shop's label without a value does not fit a map of protobuf.
    let error = get
        .result_to_protobuf(&value, &mut scratch, &Limits::DEFAULT)
        .unwrap_err();
    assert_eq!(error.rule, crate::protobuf::Rule::NullMapValue);
    assert_eq!(error.path, "result.labels[1]");
}

#[test]
fn the_lock_keeps_names_and_numbers() {
    let text = |fields: &str| {
        format!(
            r#"{{"canonicalName":"a.S","methods":[{{"name":"get","parameterTypes":["long"],"returnType":"a.B.C"}},
            {{"name":"get","parameterTypes":["java.lang.String"],"returnType":"a.B.C"}}],
            "types":[{{"type":"a.B.C","properties":{{{fields}}}}}],"parameters":{{"version":"1.0.0"}}}}"#
        )
    };
    let first = run(&[text(r#""b":"long","d":"int""#)], None, None);
    assert!(
        first.proto.contains("int64 b = 1;") && first.proto.contains("int32 d = 2;"),
        "{}",
        first.proto
    );
    assert!(first.binding.contains("a.B$C") && report(&first).contains("guessed: a.B.C is taken for a.B$C"));
    assert!(first.proto.contains("rpc Get(GetRequest)") && first.proto.contains("rpc GetBy"));
    // One comes, one goes, one changes its type.
    let second = run(
        &[text(r#""a":"boolean","b":"java.lang.String""#)],
        None,
        Some(&first.lock),
    );
    assert!(second.proto.contains("reserved 1, 2;"), "{}", second.proto);
    assert!(second.proto.contains("bool a = 3;"), "{}", second.proto);
    assert!(
        second.proto.contains("optional string b = 4;"),
        "{}",
        second.proto
    );
    let report = report(&second);
    for words in [
        "breaking: BC.b was long (int64) and is java.lang.String (optional string): it has a new number",
        "changed: BC.d is gone: its number is reserved",
    ] {
        assert!(report.contains(words), "{words}\n{report}");
    }
    assert!(second.proto.contains("  reserved \"d\";"), "{}", second.proto);
    loaded(&second);
    // The order of the JSON means nothing.
    let turned = run(&[text(r#""d":"int","b":"long""#)], None, None);
    assert_eq!((turned.proto, turned.lock), (first.proto, first.lock));
}

#[test]
fn malformed_input_is_told() {
    let fails = |text: &str, hints: Option<&str>, lock: Option<&str>| {
        attempt(&[text.to_owned()], hints, lock).unwrap_err().to_string()
    };
    assert!(fails("{", None, None).contains("service definition test.json"));
    assert!(fails("{}", None, None).contains("canonicalName"));
    assert!(fails(r#"{"canonicalName":"a.S"}"#, None, None).contains("no method"));
    assert!(fails("{}", Some("bogus: 1"), None).contains("hints"));
    assert!(fails(r#"{"canonicalName":"a.S"}"#, None, Some("{\"x\":1}")).contains("lock file"));
}
