//! Standard output. What could not be written there fails the command: a cut answer must not look like a whole one.

use std::io::{self, Write};

/// Standard output took less than it was given.
#[derive(Debug, thiserror::Error)]
#[error("write standard output")]
pub(super) struct Unwritten(#[source] io::Error);

impl Unwritten {
    /// A write that failed; `Ok` where only the reader has gone (`| head`): it has seen what it wanted.
    pub(super) fn unless_gone(error: io::Error) -> Result<(), Self> {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Ok(())
        } else {
            Err(Self(error))
        }
    }
}

/// Prints a line. A reader that has gone is no failure: the command still ends with its own status.
pub(super) fn say(text: &str) -> Result<(), Unwritten> {
    show(&format!("{text}\n")).map(|_| ())
}

/// Prints text as it is. Gives whether somebody still reads.
pub(super) fn show(text: &str) -> Result<bool, Unwritten> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) => Unwritten::unless_gone(error).map(|()| false),
    }
}
