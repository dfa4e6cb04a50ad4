//! Prints the Dubbo2 frames of a file: who is asked for what, or what was answered, without the values.
//!
//! ```text
//! cargo run -p examples --bin decode-frame -- tests/fixtures/java-captures/dubbo-2.7.23-hello.req.bin
//! ```
//!
//! `landbridge decode` prints the values, too; this shows how little the codecs ask for.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use anyhow::{Context, bail};
use bytes::BytesMut;
use codecs::dubbo2::{self, Message, ResponseBody};
use codecs::hessian2::{Limits, Scratch};

/// What is shown when no file is named: a call captured from a Java consumer.
const CAPTURED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/java-captures/dubbo-2.7.23-hello.req.bin"
);

/// Dubbo's own ceiling of a body.
const MOST: usize = 8 << 20;

fn main() -> anyhow::Result<()> {
    let path = std::env::args_os().nth(1).unwrap_or_else(|| CAPTURED.into());
    let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let mut buffer = BytesMut::from(bytes.as_slice());
    let mut scratch = Scratch::default();
    let mut frames = 0;
    // Errors of the framing end the file, as they would end a connection; errors of a message do not.
    while let Some(frame) = dubbo2::split(&mut buffer, MOST)? {
        frames += 1;
        match Message::decode(&frame, &mut scratch, &Limits::default()) {
            Ok(message) => println!("frame {}: {}", frame.header.id, describe(&message)),
            Err(error) => println!("frame {}: a bad message: {error}", frame.header.id),
        }
    }
    match (frames, buffer.len()) {
        (0, _) => bail!("there is no whole frame"),
        (_, 0) => Ok(()),
        (_, left) => bail!("{left} bytes of an unfinished frame are left"),
    }
}

fn describe(message: &Message) -> String {
    match message {
        Message::Request(request) => {
            let target = request.target();
            format!(
                "calls {}.{} with {} arguments in {} bytes",
                target.path,
                &*request.method,
                request.argument_count,
                request.arguments.len()
            )
        }
        Message::Response(response) => match &response.body {
            ResponseBody::Result(bytes) => format!("a result of {} bytes", bytes.len()),
            ResponseBody::Null => "null, or nothing".to_owned(),
            ResponseBody::Exception(bytes) => format!("an exception of {} bytes", bytes.len()),
            ResponseBody::Error(text) => format!("an error: {}", &**text),
            ResponseBody::Opaque(bytes) => format!("{} bytes in a serialization we do not read", bytes.len()),
        },
        Message::Event(event) => format!("{event:?}"),
        Message::Opaque(header, bytes) => {
            format!("{} bytes in serialization {}", bytes.len(), header.serialization)
        }
    }
}
