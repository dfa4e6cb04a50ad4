//! The fuzz targets' corpus, walked on stable.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs,
    reason = "a test fails by panicking; the checks are shared with the fuzz targets"
)]

#[path = "../../tests/fuzz/src/lib.rs"]
mod checks;

fn replay(target: &str, check: fn(&[u8])) {
    let dir = format!("{}/../tests/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for entry in std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{dir}: {error}")) {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        check(&bytes);
        // And what a fuzzer would do first: cut it, and damage each byte.
        for at in 0..bytes.len().min(300) {
            check(&bytes[..at]);
            let mut damaged = bytes.clone();
            damaged[at] = damaged[at].wrapping_add(0x47);
            check(&damaged);
        }
        count += 1;
    }
    assert!(count > 3, "{target}: {count} inputs");
}

#[test]
fn dubbo2_frame() {
    replay("dubbo2_frame", checks::dubbo2_frame);
}

#[test]
fn dubbo2_text() {
    replay("dubbo2_text", checks::dubbo2_text);
}

#[test]
fn hessian2_value() {
    replay("hessian2_value", checks::hessian2_value);
}

#[test]
fn hessian2_arguments() {
    replay("hessian2_arguments", checks::hessian2_arguments);
}

#[test]
fn typed_json() {
    replay("typed_json", checks::typed_json);
}

#[test]
fn triple_message() {
    replay("triple_message", checks::triple_message);
}

#[test]
fn triple_wrapper() {
    replay("triple_wrapper", checks::triple_wrapper);
}

#[test]
fn triple_headers() {
    replay("triple_headers", checks::triple_headers);
}

#[test]
fn provider_url() {
    replay("provider_url", checks::provider_url);
}

#[test]
fn plan_to_protobuf() {
    replay("plan_to_protobuf", checks::plan_to_protobuf);
}

#[test]
fn plan_to_hessian() {
    replay("plan_to_hessian", checks::plan_to_hessian);
}

#[test]
fn draft_json() {
    replay("draft_json", checks::draft_json);
}

#[test]
fn binding_yaml() {
    replay("binding_yaml", checks::binding_yaml);
}
