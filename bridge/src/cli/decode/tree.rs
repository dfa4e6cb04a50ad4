//! Lines with offsets, what bytes are, and how a line shows them.

use super::{dubbo2, hessian, http2, triple};

/// Shows bytes as one kind of thing.
type Decoder = fn(&[u8], &mut Tree) -> Result<(), String>;

/// What bytes of one connection or message are, by their beginning; best effort, never an error.
pub(super) fn auto(bytes: &[u8], tree: &mut Tree) {
    let readers: [Decoder; 3] = if bytes.starts_with(&[0xda, 0xbb]) {
        [dubbo2::frames, hessian::stream, triple::messages]
    } else if triple::is_prefixed(bytes) || bytes.starts_with(http2::PREFACE) {
        [triple::messages, hessian::stream, dubbo2::frames]
    } else {
        [hessian::stream, triple::messages, dubbo2::frames]
    };
    let mut first = None;
    for reader in readers {
        let mut attempt = Tree::default();
        match reader(bytes, &mut attempt) {
            Ok(()) => return tree.text.push_str(&attempt.text),
            Err(error) => {
                first.get_or_insert((attempt, error));
            }
        }
    }
    if let Some((attempt, error)) = first {
        tree.text.push_str(&attempt.text);
        tree.line(bytes.len(), 0, &format!("stopped: {error}"));
    }
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
}

impl Tree {
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
        let _ = writeln!(self.text, "{offset:06x}  {:width$}{text}", "", width = depth * 2);
    }

    /// An offset as its line has it.
    pub(super) fn shown(&self, offset: usize) -> usize {
        let piece = self.pieces.iter().rev().find(|(start, _)| *start <= offset);
        piece.map_or(offset, |(start, at)| at + (offset - start))
    }

    /// An empty tree of the same bytes.
    pub(super) fn like(&self) -> Self {
        Self::at(self.pieces.clone())
    }

    /// The lines of another tree behind these.
    pub(super) fn append(&mut self, other: Self) {
        self.lines += other.lines;
        self.text.push_str(&other.text);
    }
}

/// The first bytes in hex, for a line.
pub(super) fn hex(bytes: &[u8], most: usize) -> String {
    let mut text: String = bytes
        .iter()
        .take(most)
        .map(|byte| format!("{byte:02x}"))
        .collect();
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
    let text = text.trim().trim_start_matches("0x");
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b':')
        .map(|byte| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect::<Option<_>>()?;
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    Some(
        digits
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_people_write_it() {
        for text in ["4e90", "4E 90", "0x4e90", "4e:90\n"] {
            assert_eq!(from_hex(text), Some(vec![0x4e, 0x90]), "{text}");
        }
        for text in ["", "4", "4g", "capture.pcap"] {
            assert_eq!(from_hex(text), None, "{text}");
        }
    }
}
