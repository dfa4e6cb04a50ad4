//! The tree that `landbridge decode` prints: the program's own files.
#![allow(dead_code, reason = "the program uses what stands beside the tree")]

#[path = "../../../bridge/src/cli/decode/dubbo2.rs"]
mod dubbo2;
#[path = "../../../bridge/src/cli/decode/hessian.rs"]
mod hessian;
#[path = "../../../bridge/src/cli/decode/pcap.rs"]
mod pcap;
#[path = "../../../bridge/src/cli/decode/tree.rs"]
mod tree;
#[path = "../../../bridge/src/cli/decode/triple.rs"]
mod triple;

use tree::{Tree, auto, from_hex, hex, quoted};

/// A capture, or bytes of one connection: shown as far as they can be read. A tree is text of a line for each value, so it
/// is no larger than what that allows.
pub fn decode_capture(data: &[u8]) {
    let mut tree = Tree::default();
    if pcap::is_capture(data) {
        let _ = pcap::decode(data, &mut tree);
    } else {
        auto(data, &mut tree);
    }
    let most = 2048 * data.len() + (64 << 10);
    assert!(
        tree.text.len() <= most,
        "{} bytes of text for {}",
        tree.text.len(),
        data.len()
    );
}
