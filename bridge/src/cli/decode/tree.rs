//! Lines with offsets, what bytes are, and how a line shows them.

use std::fmt;

use super::{dubbo2, hessian, http2, triple};

/// Where bytes could not be read on, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stopped {
    /// The offset, as the tree's lines are given theirs.
    at: usize,
    why: String,
}

impl Stopped {
    pub(super) fn new(at: usize, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { at, why }
    }
}

/// For what came in one piece; see [`Tree::stopped`] for the rest.
impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:06x}", self.why, self.at)
    }
}

/// Shows bytes as one kind of thing.
type Decoder = fn(&[u8], &mut Tree) -> Result<(), Stopped>;

const READERS: [(&str, Decoder); 3] = [
    ("Hessian 2", hessian::stream),
    ("Dubbo2", dubbo2::frames),
    ("Triple", triple::messages),
];

/// What bytes of one connection or message are: by their beginning, else by what reads them to their end. The error says why
/// none does; of what begins like one of them the tree then has what could be read.
pub(super) fn auto(bytes: &[u8], tree: &mut Tree) -> Result<(), String> {
    let magic = if bytes.starts_with(&[0xda, 0xbb]) {
        Some("Dubbo2")
    } else if bytes.starts_with(http2::PREFACE) || http2::is_server(bytes) {
        Some("Triple")
    } else {
        None
    };
    let looks_like = magic.or(triple::is_prefixed(bytes).then_some("Triple"));
    let mut readers = READERS.to_vec();
    readers.sort_by_key(|(name, _)| looks_like != Some(*name));
    if magic.is_some() {
        // A frame that is cut off reads as Hessian by chance: da bb are the numbers -6 and 43.
        readers.truncate(1);
    }
    let mut refused = Vec::new();
    for (name, reader) in readers {
        let mut attempt = Tree::default();
        match reader(bytes, &mut attempt) {
            Ok(()) => {
                tree.append(attempt);
                return Ok(());
            }
            Err(stopped) => refused.push((name, attempt, stopped)),
        }
    }
    if looks_like.is_some()
        && let Some((name, attempt, stopped)) = refused.drain(..).next()
    {
        tree.append(attempt);
        return Err(format!("as {name}: {stopped}"));
    }
    let refused = refused
        .iter()
        .map(|(name, _, stopped)| format!("as {name}: {stopped}"));
    let refused = refused.collect::<Vec<_>>().join("; ");
    Err(format!("nothing is recognised ({refused})"))
}

/// The most lines of a tree; what a person reads at night is less.
const MOST_LINES: usize = 1 << 20;

/// Lines of `offset  indented text`.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) text: String,
    lines: usize,
    /// Where parts of what is shown stand, when it did not come in one piece: offset in it, and offset to be written.
    pieces: Vec<(usize, usize)>,
    /// What is shown was inflated: its offsets are in no input, and begin with `+`.
    is_inflated: bool,
}

impl Tree {
    /// A tree of bytes that were inflated.
    pub(super) fn inflated() -> Self {
        Self {
            is_inflated: true,
            ..Self::default()
        }
    }

    /// A tree of bytes that came in pieces.
    pub(super) fn at(pieces: Vec<(usize, usize)>) -> Self {
        Self {
            pieces,
            ..Self::default()
        }
    }

    pub(super) fn line(&mut self, offset: usize, depth: usize, text: &str) {
        use std::fmt::Write;
        self.lines += 1;
        if self.lines > MOST_LINES {
            if self.lines == MOST_LINES + 1 {
                self.text.push_str("…  the rest is left out\n");
            }
            return;
        }
        let offset = self.shown(offset);
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{offset}  {:width$}{text}", "", width = depth * 2);
    }

    /// An offset as its line has it: of the input, whatever it is a part of.
    pub(super) fn shown(&self, offset: usize) -> String {
        if self.is_inflated {
            return format!("+{offset:05x}");
        }
        let piece = self.pieces.iter().rev().find(|(start, _)| *start <= offset);
        let offset = piece.map_or(offset, |(start, at)| at + (offset - start));
        format!("{offset:06x}")
    }

    /// A line that says where and why the others end.
    pub(super) fn stopped(&mut self, depth: usize, stopped: &Stopped) {
        self.line(stopped.at, depth, &format!("stopped: {}", stopped.why));
    }

    /// An empty tree of the same bytes.
    pub(super) fn like(&self) -> Self {
        Self {
            is_inflated: self.is_inflated,
            ..Self::at(self.pieces.clone())
        }
    }

    /// The lines of another tree behind these.
    pub(super) fn append(&mut self, other: Self) {
        self.lines += other.lines;
        self.text.push_str(&other.text);
    }
}

/// The first bytes in hex, for a line.
pub(super) fn hex(bytes: &[u8], most: usize) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len().min(most).saturating_mul(2).saturating_add(3));
    for byte in bytes.iter().take(most) {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    if bytes.len() > most {
        text.push('…');
    }
    text
}

/// Text for a line: quoted, and cut.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!(
            "{:?}… ({} bytes)",
            text.get(..end).unwrap_or_default(),
            text.len()
        ),
        None => format!("{text:?}"),
    }
}

/// Bytes written in hex; spaces, line ends, colons and a leading `0x` are ignored.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    read_hex(text).ok()
}

/// See [`from_hex`]; what is wrong, and where.
pub(super) fn read_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.trim();
    let digits = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
        .unwrap_or(digits);
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut high = None;
    for (at, byte) in digits.bytes().enumerate() {
        if byte.is_ascii_whitespace() || byte == b':' {
            continue;
        }
        let digit = char::from(byte).to_digit(16);
        let Some(digit) = digit.and_then(|digit| u8::try_from(digit).ok()) else {
            let found = digits.get(at..).and_then(|rest| rest.chars().next());
            let before = text.find(digits).unwrap_or_default();
            return Err(format!(
                "not hex: {:?} at character {}",
                found.unwrap_or_default(),
                before + at + 1
            ));
        };
        match high.take() {
            None => high = Some(digit << 4),
            Some(high) => bytes.push(high | digit),
        }
    }
    match high {
        Some(_) => Err(format!(
            "not hex: an odd number of digits, {}",
            bytes.len() * 2 + 1
        )),
        None if bytes.is_empty() => Err("no hex: the line is empty".to_owned()),
        None => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nothing_is_not_shown_as_something() {
        // Reads as three Hessian values, and then as nothing.
        let mut tree = Tree::default();
        let error = auto(b"\xc8\x10\x91\x45\xff", &mut tree).unwrap_err();
        assert_eq!(tree.text, "");
        for part in [
            "nothing is recognised",
            "as Hessian 2: unexpected tag 0x45 at 000003",
            "as Dubbo2: ",
            "as Triple: ",
        ] {
            assert!(error.contains(part), "{error}");
        }
        // What begins like a frame is shown as far as it goes, with offsets from its beginning.
        let frame = b"\xda\xbb\xc2\x00\0\0\0\0\0\0\0\x01\0\0\0\x20\x052.0.2\x03a.B\x45";
        let mut tree = Tree::default();
        let error = auto(frame, &mut tree).unwrap_err();
        assert_eq!(
            error,
            "as Dubbo2: a Dubbo2 frame of which 27 bytes are there at 000000"
        );
        let lines: Vec<&str> = tree.text.lines().collect();
        assert!(
            lines[0].starts_with("000000  Dubbo2 request  id 1, "),
            "{lines:?}"
        );
        assert_eq!(
            lines[1..],
            [
                "000010    \"2.0.2\"",
                "000016    \"a.B\"",
                "00001a    stopped: unexpected tag 0x45"
            ]
        );
    }

    #[test]
    fn what_is_cut_off_is_not_taken_for_something_else() {
        let frame = b"\xda\xbb\xe2\x00\0\0\0\0\0\0\0\x01\0\0\0\x01N";
        let settings = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64";
        // Every one of these beginnings was "long -6", or the same length of text.
        for (whole, begins, name) in [(&frame[..], 2, "Dubbo2"), (settings, 9, "Triple")] {
            for end in begins..whole.len() {
                let error = auto(&whole[..end], &mut Tree::default()).unwrap_err();
                assert!(
                    error.starts_with(&format!("as {name}: ")) && error.contains("bytes are there"),
                    "{end}: {error}"
                );
            }
            assert_eq!(auto(whole, &mut Tree::default()), Ok(()));
        }
    }

    #[test]
    fn hex_is_read_as_people_write_it() {
        for text in ["4e90", "4E 90", "0x4e90", "0X4E90", "4e:90\n"] {
            assert_eq!(from_hex(text), Some(vec![0x4e, 0x90]), "{text}");
        }
        for text in ["", "4", "4g", "capture.pcap"] {
            assert_eq!(from_hex(text), None, "{text}");
        }
        for (text, problem) in [
            ("", "no hex: the line is empty"),
            (" 0x ", "no hex: the line is empty"),
            ("4e 9", "not hex: an odd number of digits, 3"),
            (" 4e,90", "not hex: ',' at character 4"),
            ("0x4é", "not hex: 'é' at character 4"),
            ("0x0x4e", "not hex: 'x' at character 4"),
        ] {
            assert_eq!(read_hex(text), Err(problem.to_owned()), "{text}");
        }
    }
}
