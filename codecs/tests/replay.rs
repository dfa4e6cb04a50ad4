//! The fuzz targets' corpus, walked on stable: each input as it is, cut at every byte, and with every byte damaged, with its
//! memory counted.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs,
    reason = "a test fails by panicking; the checks are shared with the fuzz targets; an allocator is unsafe by its trait"
)]

#[path = "../../tests/fuzz/src/lib.rs"]
mod checks;
#[path = "counting/allocator.rs"]
mod counting;

use codecs::hessian2::{Limits, Reader, Scratch, Skimmer};
use codecs::value::Value;
use counting::counted;

/// Calls `check` with every input of a target's corpus, cut and damaged too.
fn each_input(target: &str, mut check: impl FnMut(&[u8])) {
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

/// A check does several things with an input, some of them with the limits of real peers: none takes more memory than
/// this. The schemas that plans come from are made once, and are not counted.
fn replay(target: &str, check: fn(&[u8])) {
    check(&[0]);
    each_input(target, |bytes| {
        let ((), _, peak) = counted(|| check(bytes));
        let most = match target {
            // A schema is compiled for each.
            "draft_json" | "binding_yaml" => 16 << 20,
            _ => (1 << 20) + 256 * bytes.len(),
        };
        assert!(
            peak <= most,
            "{target}: {peak} bytes for {} of input",
            bytes.len()
        );
    });
}

/// The figures of the three readers, on what was found to matter to them and to those that stand on them: steps at most
/// one for each byte, no memory for skimming and for tokens beside the scratch, which skimming keeps below 64 KiB, and for
/// a tree at most 64 bytes for each byte of input.
#[test]
fn readers_take_what_they_promise() {
    let mut scratch = Scratch::new();
    for target in [
        "hessian2_value",
        "hessian2_arguments",
        "plan_to_protobuf",
        "dubbo2_frame",
    ] {
        each_input(target, |bytes| {
            // Values begin anywhere in what is not one value.
            for start in [0, 1, 17] {
                let Some(stream) = bytes.get(start..) else {
                    continue;
                };
                for limits in [checks::LIMITS, Limits::DEFAULT] {
                    let mut skimmer = Skimmer::new(stream, &mut scratch, &limits);
                    let _ = skimmer.skim();
                    let skimmed = skimmer.nodes();
                    assert!(scratch.skim_capacity_bytes() <= 64 << 10);
                    let mut reader = Reader::new(stream, &mut scratch, &limits);
                    let _ = reader.skip();
                    let read = reader.nodes();
                    assert!(
                        skimmed.max(read) as usize <= stream.len() + 1,
                        "{skimmed} {read} {stream:02x?}"
                    );
                    // The scratch has its size now.
                    let (_, count, _) = counted(|| {
                        let skimmed = Skimmer::new(stream, &mut scratch, &limits).skim().is_ok();
                        (skimmed, Reader::new(stream, &mut scratch, &limits).skip().is_ok())
                    });
                    assert_eq!(count, 0, "{stream:02x?}");
                    let (_, _, peak) = counted(|| Value::decode(stream, &mut scratch, &limits));
                    assert!(peak <= 64 * stream.len() + (64 << 10), "{peak} {stream:02x?}");
                    assert!(peak <= 8 * limits.decoded_bytes, "{peak}");
                }
            }
        });
    }
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
