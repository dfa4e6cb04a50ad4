//! What must hold for any bytes: no panic, no hang, bounded steps, and readers that agree.
//!
//! Shared by the fuzz targets here and by `codecs/tests/replay.rs`, which walks the corpus on stable. The tree of
//! `landbridge decode` is checked by `targets/decode_capture.rs`, and replayed by the program's own tests.

mod dubbo2;
mod hessian2;
mod protobuf;
mod triple;

pub use dubbo2::{dubbo2_frame, dubbo2_text, provider_url};
pub use hessian2::{hessian2_arguments, hessian2_value, typed_json};
pub use protobuf::{binding_yaml, draft_json, plan_to_hessian, plan_to_protobuf};
pub use triple::{triple_headers, triple_message, triple_wrapper};

use codecs::hessian2::Limits;

/// Ceiling of a frame here.
const MAX: usize = 1 << 16;

/// Small enough for a fuzzer to reach.
pub const LIMITS: Limits = Limits {
    depth: 32,
    nodes: 4096,
    decoded_bytes: 1 << 18,
    classes: 16,
    class_fields: 16,
    fields: 64,
    string_len: 1 << 16,
    types: 32,
    references: 1024,
};
