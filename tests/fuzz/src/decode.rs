//! What `landbridge decode` prints: the program's own files.
#![allow(dead_code, reason = "the program uses what stands beside the tree")]

#[path = "../../../bridge/src/cli/decode/capture.rs"]
mod capture;
#[path = "../../../bridge/src/cli/decode/connection.rs"]
mod connection;
#[path = "../../../bridge/src/cli/decode/dubbo2.rs"]
mod dubbo2;
#[path = "../../../bridge/src/cli/decode/hessian.rs"]
mod hessian;
#[path = "../../../bridge/src/cli/decode/hpack.rs"]
mod hpack;
#[path = "../../../bridge/src/cli/decode/http2.rs"]
mod http2;
#[path = "../../../bridge/src/cli/decode/packets.rs"]
mod packets;
#[path = "../../../bridge/src/cli/decode/report.rs"]
mod report;
#[path = "../../../bridge/src/cli/decode/segment.rs"]
mod segment;
#[path = "../../../bridge/src/cli/decode/stream.rs"]
mod stream;
#[path = "../../../bridge/src/cli/decode/tree.rs"]
mod tree;
#[path = "../../../bridge/src/cli/decode/triple.rs"]
mod triple;

use tree::{Stopped, Tree, auto, hex, quoted, read_hex};

/// A capture, or bytes of one connection: shown as far as they can be read. A tree is text of a line for each value, so it
/// is no larger than what that allows; a byte of HTTP/2 may stand for a header of two long lines.
pub fn decode_capture(data: &[u8]) {
    let shown = if packets::is_capture(data) {
        let mut out = Vec::new();
        let _ = capture::show(std::io::BufReader::new(data), &report::Options::default(), &mut out);
        out.len()
    } else {
        let mut tree = Tree::default();
        let _ = auto(data, &mut tree);
        tree.text.len()
    };
    let most = 8192 * data.len() + (64 << 10);
    assert!(shown <= most, "{shown} bytes of text for {}", data.len());
}
