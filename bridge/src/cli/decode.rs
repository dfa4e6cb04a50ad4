//! `landbridge decode`: bytes of a wire as a tree with offsets, for whoever looks at them at night; `landbridge encode`: the
//! reverse, for scripts.
//!
//! What shows bytes (all but `input`) needs nothing but `codecs`: `tests/fuzz` fuzzes those files as they are. A capture goes
//! down this list: `packets` (the file) → `segment` (TCP in a packet) → `connection` (`stream`: its bytes in order) → `dubbo2` or
//! `http2` (frames) → `report` (lines).

mod capture;
mod connection;
mod dubbo2;
mod hessian;
mod hpack;
mod http2;
mod input;
mod packets;
mod report;
mod segment;
mod stream;
mod tree;
mod triple;
#[cfg(test)]
mod write;

use std::ffi::OsString;
use std::io::{BufRead, Read, Write};
use std::net::IpAddr;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::{Failure, Unwritten};
use tree::{Stopped, Tree, auto, from_hex, hex, quoted, read_hex};

/// Print bytes of a wire as a tree with offsets.
///
/// INPUT is hex (spaces and colons are ignored), a file of raw bytes, of hex, or a capture (pcap, pcapng), or `-` for standard
/// input. What it is, is told by its first bytes unless WHAT says so; bytes that nothing reads to their end fail. Offsets are those
/// of the input, or of one direction of a connection in a capture.
///
/// A capture is shown while it is read, each frame when its last byte came: `tcpdump -U -w - port 20880 | landbridge decode
/// auto --summary`. TCP is put back into order; what the capture lost is named, and the next frame is found. Of HTTP/2,
/// headers are decoded and messages put together; TLS is not decrypted.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What the bytes are.
    #[arg(value_enum)]
    what: What,
    /// Hex, a file, or `-`.
    #[arg(default_value = "-")]
    input: OsString,
    /// Of standard input: one value in hex a line in, one line of typed JSON (or `error: …`) out; only with `hessian`. Each line
    /// is answered by one line before the next is waited for, and a refused one does not change the exit status.
    #[arg(long, conflicts_with_all = ["summary", "grep", "port", "host"])]
    lines: bool,
    /// Of a capture: one line a frame, no tree.
    #[arg(long)]
    summary: bool,
    /// Of a capture: only frames whose line holds this, in any case; given twice, both.
    #[arg(long, value_name = "TEXT")]
    grep: Vec<String>,
    /// Of a capture: only connections of this port, on either end.
    #[arg(long)]
    port: Vec<u16>,
    /// Of a capture: only connections of this address, on either end.
    #[arg(long, value_name = "ADDRESS")]
    host: Vec<IpAddr>,
}

/// What bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Told by the first bytes.
    Auto,
    /// Hessian 2 values, one after another in one stream.
    Hessian,
    /// Dubbo2 frames.
    Dubbo2,
    /// Triple or gRPC messages with their 5-byte prefix, or one without it.
    Triple,
}

/// Write Hessian 2 values from typed JSON.
///
/// Typed JSON is `null`, or an object with the Java class `t` and the value `v`, as in
/// `{"t": "java.lang.Integer", "v": 7}`; `decode hessian --lines` prints it. Of a list or an array, `v` is a list; of a map, a list
/// of `[key, value]`; of an object, `{field: value}`; of an enum, a decimal, a time and the like, its text; of a date, its
/// milliseconds; of `[B`, base64. A list, map or object that is met again is `{"ref": n}`, and the first one has `"id": n`.
/// `"w"` has what `t` and `v` do not tell of the bytes: the type name, or the cached numbers of a BigInteger; `"k"` says whether an
/// empty `v` is a `list` or a `map`. All but `ref` stand before `v`.
#[derive(Debug, Args)]
pub(super) struct EncodeArguments {
    /// What to write.
    #[arg(value_enum)]
    what: EncodeWhat,
    /// The typed JSON of one value; without it they are read from standard input.
    input: Option<String>,
    /// Of standard input: one line of typed JSON in, one value in hex (or `error: …`) out. Each line is answered by one line before
    /// the next is waited for, and a refused one does not change the exit status.
    #[arg(long)]
    lines: bool,
}

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EncodeWhat {
    /// One Hessian 2 value.
    Hessian,
}

const LINES_OF_INPUT: &str = "--lines reads standard input, not an argument";

/// Runs `decode`.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.lines {
        if arguments.what != What::Hessian {
            return Err(Failure::Wrong("--lines works on hessian only".to_owned()));
        }
        if arguments.input != "-" {
            return Err(Failure::Wrong(LINES_OF_INPUT.to_owned()));
        }
        return by_line(hessian::line);
    }
    let bytes = match input::open(&arguments.input)? {
        input::Source::Capture(capture) => return show_capture(capture, arguments),
        input::Source::Bytes(bytes) => bytes,
    };
    if arguments.summary
        || !(arguments.grep.is_empty() && arguments.port.is_empty() && arguments.host.is_empty())
    {
        let text = "--summary, --grep, --port and --host choose from a capture, and the input is none";
        return Err(Failure::Wrong(text.to_owned()));
    }
    if bytes.is_empty() {
        return Err(Failure::Failed(anyhow::anyhow!(
            "{} is empty",
            input::name(&arguments.input)
        )));
    }
    let mut tree = Tree::default();
    let whole = |decoded: Result<(), Stopped>| decoded.map_err(|stopped| stopped.to_string());
    let decoded = match arguments.what {
        What::Auto => auto(&bytes, &mut tree),
        What::Hessian => whole(hessian::stream(&bytes, &mut tree)),
        What::Dubbo2 => whole(dubbo2::frames(&bytes, &mut tree)),
        What::Triple => whole(triple::messages(&bytes, &mut tree)),
    };
    // What could be read is shown even where the rest is broken.
    if !tree.text.is_empty() {
        super::say(tree.text.trim_end())?;
    }
    decoded.map_err(|text| Failure::Failed(anyhow::anyhow!("{}: {text}", input::name(&arguments.input))))
}

fn show_capture(capture: std::io::BufReader<Box<dyn Read>>, arguments: &Arguments) -> Result<(), Failure> {
    if arguments.what != What::Auto {
        let text = "the input is a capture, whose connections tell what they are: say `decode auto`";
        return Err(Failure::Wrong(text.to_owned()));
    }
    let options = report::Options {
        summary: arguments.summary,
        grep: arguments.grep.iter().map(|text| text.to_lowercase()).collect(),
        ports: arguments.port.clone(),
        hosts: arguments.host.clone(),
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    capture::show(capture, &options, &mut out).map_err(|text| Failure::Failed(anyhow::anyhow!(text)))
}

/// Runs `encode`.
pub(super) fn encode(arguments: &EncodeArguments) -> Result<(), Failure> {
    let EncodeWhat::Hessian = arguments.what;
    match (&arguments.input, arguments.lines) {
        (None, true) => by_line(hessian::encode_line),
        (Some(_), true) => Err(Failure::Wrong(LINES_OF_INPUT.to_owned())),
        (input, false) => {
            let text = match input {
                Some(text) => text.clone(),
                None => whole_input()?,
            };
            let hex =
                hessian::encode_line(text.trim()).map_err(|text| Failure::Failed(anyhow::anyhow!(text)))?;
            super::say(&hex)?;
            Ok(())
        }
    }
}

/// All of standard input, which holds one value.
fn whole_input() -> anyhow::Result<String> {
    let most = u64::try_from(MOST_OF_A_LINE).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let read = std::io::stdin()
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes);
    read.context("read standard input")?;
    if bytes.len() > MOST_OF_A_LINE {
        anyhow::bail!("standard input is longer than {} MiB", MOST_OF_A_LINE >> 20);
    }
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("standard input is not UTF-8"))
}

/// The longest line that is read: an 8 MiB message in hex, or in typed JSON at its widest, and room to spare.
const MOST_OF_A_LINE: usize = 128 << 20;

/// Each line of standard input by a function; what it refuses becomes a line of its own, and the rest goes on.
fn by_line(convert: impl Fn(&str) -> Result<String, String>) -> Result<(), Failure> {
    let input = std::io::BufReader::with_capacity(1 << 16, std::io::stdin().lock());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match convert_lines(input, &mut out, MOST_OF_A_LINE, convert) {
        Err(Interrupted::Read(error)) => Err(anyhow::Error::new(error).context("read standard input").into()),
        // Whoever reads the answers may have seen enough.
        Err(Interrupted::Write(error)) => Ok(Unwritten::unless_gone(error)?),
        Ok(()) => Ok(()),
    }
}

/// Which side of a conversion ended it early.
#[derive(Debug)]
enum Interrupted {
    Read(std::io::Error),
    Write(std::io::Error),
}

/// See [`by_line`]. A line above `most` bytes is passed over, never kept. What was answered is written before more input is
/// waited for, so that a program may ask line by line.
fn convert_lines<R: Read>(
    mut input: std::io::BufReader<R>,
    out: &mut impl Write,
    most: usize,
    convert: impl Fn(&str) -> Result<String, String>,
) -> Result<(), Interrupted> {
    let mut line = Vec::new();
    loop {
        if input.buffer().is_empty() {
            out.flush().map_err(Interrupted::Write)?;
        }
        line.clear();
        let wanted = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        let read = input.by_ref().take(wanted).read_until(b'\n', &mut line);
        let read = read.map_err(Interrupted::Read)?;
        if read == 0 {
            return out.flush().map_err(Interrupted::Write);
        }
        let answer = if read > most && !line.ends_with(b"\n") {
            line.clear();
            input.skip_until(b'\n').map_err(Interrupted::Read)?;
            Err(format!("the line is longer than {most} bytes"))
        } else {
            match std::str::from_utf8(&line) {
                Ok(text) => convert(text.trim()),
                Err(error) => Err(format!(
                    "the line is not UTF-8 at byte {:#x}",
                    error.valid_up_to()
                )),
            }
        };
        let written = match answer {
            Ok(answer) => writeln!(out, "{answer}"),
            Err(error) => writeln!(out, "error: {error}"),
        };
        written.map_err(Interrupted::Write)?;
        // One long line must not keep its memory for ever.
        line.shrink_to(1 << 20);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(input: &[u8], most: usize) -> String {
        let mut out = Vec::new();
        let input = std::io::BufReader::with_capacity(8, input);
        convert_lines(input, &mut out, most, hessian::line).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_bad_line_is_one_line_of_answer() {
        let answers = converted(b"54\n\xff\n\nzz\r\n54 54\n  54  \n54", 100);
        let yes = "{\"t\":\"java.lang.Boolean\",\"v\":true}";
        let want = [
            yes,
            "error: the line is not UTF-8 at byte 0x0",
            "error: no hex: the line is empty",
            "error: not hex: 'z' at character 1",
            "error: 1 byte behind the value, which ends at byte 0x1",
            yes,
            yes,
        ];
        assert_eq!(answers.lines().collect::<Vec<_>>(), want);
    }

    #[test]
    fn a_line_above_the_limit_is_passed_over() {
        let mut input = vec![b'5'; 1000];
        input.extend_from_slice(b"\n4e\n");
        let answers = converted(&input, 16);
        assert_eq!(answers, "error: the line is longer than 16 bytes\nnull\n");
        assert_eq!(converted(&input[..500], 16).lines().count(), 1);
    }

    /// A program that waits for each answer before it asks again must not wait for ever.
    #[test]
    fn answers_are_written_before_more_is_waited_for() {
        struct Conversation<'c>(&'c std::cell::RefCell<Vec<u8>>, Vec<&'static [u8]>);
        impl Read for Conversation<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let asked = 2 - self.1.len();
                let answers = self.0.borrow().iter().filter(|byte| **byte == b'\n').count();
                assert_eq!(answers, asked.min(2), "before question {asked}");
                let Some(question) = self.1.pop() else {
                    return Ok(0);
                };
                buffer[..question.len()].copy_from_slice(question);
                Ok(question.len())
            }
        }
        struct Shared<'c>(&'c std::cell::RefCell<Vec<u8>>);
        impl Write for Shared<'_> {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.borrow_mut().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let answers = std::cell::RefCell::default();
        let input = std::io::BufReader::new(Conversation(&answers, vec![b"46\n", b"54\n"]));
        let mut out = std::io::BufWriter::new(Shared(&answers));
        convert_lines(input, &mut out, 100, hessian::line).unwrap();
    }

    /// The corpus of the fuzz target, cut and damaged as `codecs/tests/replay.rs` does with the others.
    #[test]
    fn the_corpus_of_the_fuzz_target_is_shown() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz/corpus/decode_capture");
        let mut count = 0;
        for entry in std::fs::read_dir(corpus).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let show = |bytes: &[u8]| {
                if packets::is_capture(bytes) {
                    let capture = std::io::BufReader::new(bytes);
                    let _ = capture::show(capture, &report::Options::default(), &mut std::io::sink());
                } else {
                    let _ = auto(bytes, &mut Tree::default());
                }
            };
            show(&bytes);
            for at in 0..bytes.len().min(300) {
                show(&bytes[..at]);
                let mut damaged = bytes.clone();
                damaged[at] = damaged[at].wrapping_add(0x47);
                show(&damaged);
            }
            count += 1;
        }
        assert!(count > 3, "{count} inputs");
    }
}
