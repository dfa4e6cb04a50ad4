//! Values read by what is expected of them.
//!
//! A plan knows what a field nearly always is. Asked for that, the stream answers by one look at the next tag, where a token
//! of any kind costs a jump that depends on the data, twice: where it is read, and where it is used. What is not as expected
//! is left where it lies, and [`Reader::next_packed`] reads it, or refuses it.

use super::super::scratch::OpenKind;
use super::super::wire::{index, is_ascii};
use super::{NODE_BYTES, Reader};

/// Units of the longest text that is read here.
const MOST_UNITS: u32 = 1023;

/// Values of the innermost open container from a place on. The reader stands still until [`Reader::behind`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    input: &'a [u8],
    at: usize,
    /// Values read.
    values: u32,
    /// How many may be.
    most: u32,
    /// Bytes of text in them.
    content: usize,
}

impl<'a> Reader<'a, '_> {
    /// What comes next in the innermost open container. It holds no value where a limit could be passed on the way.
    #[inline(always)]
    pub(crate) fn run(&self) -> Run<'a> {
        let values = match self.top.kind {
            OpenKind::Counted => self.top.left,
            OpenKind::MapKey | OpenKind::Variable => u32::MAX,
            OpenKind::MapValue | OpenKind::Root => 0,
        };
        // Every value takes a byte at least, and no text is longer than what is left. None of it can wrap: all are below
        // 2^32.
        let left = self.cursor.remaining();
        let nodes = index(self.nodes).wrapping_add(left).wrapping_mul(NODE_BYTES);
        let cost = self.content.wrapping_add(left).wrapping_add(nodes);
        let far = cost <= self.limits.decoded_bytes && self.limits.string_len >= MOST_UNITS;
        let nodes = self.limits.nodes.saturating_sub(self.nodes);
        Run {
            input: self.cursor.input,
            at: self.cursor.at,
            values: 0,
            most: if far { values.min(nodes) } else { 0 },
            content: 0,
        }
    }

    /// Goes on behind a run that began where this reader stands. In a map it has read whole entries.
    #[inline(always)]
    pub(crate) fn behind(&mut self, run: &Run<'a>) {
        self.cursor.at = run.at;
        self.nodes = self.nodes.wrapping_add(run.values);
        self.content = self.content.wrapping_add(run.content);
        if self.top.kind == OpenKind::Counted {
            self.top.left = self.top.left.wrapping_sub(run.values);
        }
    }
}

impl<'a> Run<'a> {
    /// How many values were read.
    #[inline(always)]
    pub(crate) fn values(&self) -> usize {
        index(self.values)
    }

    /// Whether more may be read.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.values < self.most
    }

    #[inline(always)]
    fn rest(&self) -> &'a [u8] {
        match self.is_open() {
            true => self.input.get(self.at..).unwrap_or_default(),
            false => &[],
        }
    }

    /// Passes over a value of so many bytes.
    #[inline(always)]
    fn pass(&mut self, len: usize) {
        self.at = self.at.wrapping_add(len);
        self.values = self.values.wrapping_add(1);
    }

    /// Null.
    #[inline(always)]
    pub(crate) fn null(&mut self) -> bool {
        let null = self.rest().first() == Some(&0x4e);
        if null {
            self.pass(1);
        }
        null
    }

    /// A boolean, as 0 or 1.
    #[inline(always)]
    pub(crate) fn bool(&mut self) -> Option<u64> {
        let value = match self.rest().first()? {
            0x54 => 1,
            0x46 => 0,
            _ => return None,
        };
        self.pass(1);
        Some(value)
    }

    /// An int.
    #[inline(always)]
    pub(crate) fn int(&mut self) -> Option<i64> {
        self.number(INT).map(|(value, _)| value)
    }

    /// A long or an int.
    #[inline(always)]
    pub(crate) fn long(&mut self) -> Option<i64> {
        match self.number(INT | LONG) {
            Some((value, _)) => Some(value),
            None => self.eight(0x4c).map(i64::from_be_bytes),
        }
    }

    /// The bits of a double.
    #[inline(always)]
    #[allow(clippy::as_conversions, reason = "of no more than 32 bits: exact")]
    pub(crate) fn double(&mut self) -> Option<u64> {
        let Some((value, tag)) = self.number(DOUBLE) else {
            return self.eight(0x44).map(u64::from_be_bytes);
        };
        let value = value as f64;
        // Multiply, as hessian-lite does.
        let value = if tag == 0x5f { value * 0.001 } else { value };
        Some(value.to_bits())
    }

    /// A Date: milliseconds since the epoch.
    #[inline(always)]
    pub(crate) fn date(&mut self) -> Option<i64> {
        match self.eight(0x4a) {
            Some(bytes) => Some(i64::from_be_bytes(bytes)),
            None => self
                .number(MINUTES)
                .map(|(minutes, _)| minutes.wrapping_mul(60_000)),
        }
    }

    /// The eight bytes behind this tag.
    #[inline(always)]
    fn eight(&mut self, tag: u8) -> Option<[u8; 8]> {
        let [first, bytes @ ..] = *self.rest().first_chunk::<9>()?;
        if first != tag {
            return None;
        }
        self.pass(9);
        Some(bytes)
    }

    /// A number of these kinds that lies in five bytes at most, and its tag. All forms are read alike: what the data is
    /// decides no jump.
    #[inline(always)]
    fn number(&mut self, kinds: u8) -> Option<(i64, u8)> {
        let bytes = *self.rest().first_chunk::<8>()?;
        let [tag, ..] = bytes;
        let form = NUMBERS.get(usize::from(tag))?;
        if form.kinds & kinds == 0 {
            return None;
        }
        self.pass(usize::from(form.len));
        let value = u64::from_be_bytes(bytes)
            .wrapping_shl(u32::from(form.up))
            .cast_signed()
            .wrapping_shr(u32::from(form.down))
            .wrapping_sub(i64::from(form.bias));
        Some((value, tag))
    }

    /// A text of up to 31 ASCII characters, with what lies behind it: what is copied in one size needs no loop.
    #[inline(always)]
    pub(crate) fn short_text(&mut self) -> Option<(&'a [u8; 32], usize)> {
        let (tag, rest) = self.rest().split_first()?;
        let (len, bytes) = (usize::from(*tag), rest.first_chunk::<32>()?);
        let mask = MASKS.get(len)?;
        let (words, _) = bytes.as_chunks::<8>();
        let high = words
            .iter()
            .zip(mask)
            .fold(0, |all, (word, mask)| all | u64::from_le_bytes(*word) & mask);
        if high != 0 {
            return None;
        }
        self.pass(len.wrapping_add(1));
        self.content = self.content.wrapping_add(len);
        Some((bytes, len))
    }

    /// An ASCII text in one piece of up to 1,023 characters.
    #[inline(always)]
    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let (tag, rest) = self.rest().split_first()?;
        let (len, head, rest) = match tag {
            0x00..=0x1f => (usize::from(*tag), 1, rest),
            0x30..=0x33 => {
                let (low, rest) = rest.split_first()?;
                let len = u16::from_be_bytes([tag & 3, *low]);
                (usize::from(len), 2usize, rest)
            }
            _ => return None,
        };
        let raw = rest.get(..len).filter(|raw| is_ascii(raw))?;
        self.pass(len.wrapping_add(head));
        self.content = self.content.wrapping_add(len);
        Some(raw)
    }
}

/// How a number of up to five bytes lies in the eight that begin with its tag: shifted up and then down, with its sign, it
/// stands `bias` above its value.
#[derive(Clone, Copy)]
struct Number {
    kinds: u8,
    /// Bytes, the tag included.
    len: u8,
    up: u8,
    down: u8,
    bias: i32,
}

const INT: u8 = 1;
const LONG: u8 = 2;
const DOUBLE: u8 = 4;
const MINUTES: u8 = 8;

static NUMBERS: [Number; 256] = numbers();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "evaluated at compile time, where a wrong index does not build"
)]
const fn numbers() -> [Number; 256] {
    /// A number whose tag holds its high bits: `zero` is the tag of those that begin with 0.
    const fn open(kinds: u8, len: u8, zero: u8) -> Number {
        Number {
            kinds,
            len,
            up: 0,
            down: 64 - 8 * len,
            bias: (zero as i8 as i32) << (8 * (len - 1)),
        }
    }
    /// A number of `len - 1` bytes behind its tag.
    const fn behind(kinds: u8, len: u8) -> Number {
        Number {
            kinds,
            len,
            up: 8,
            down: 72 - 8 * len,
            bias: 0,
        }
    }
    let mut table = [open(0, 1, 0); 256];
    let mut tag = 0usize;
    while tag < 256 {
        table[tag] = match tag as u8 {
            0x80..=0xbf => open(INT, 1, 0x90),
            0xc0..=0xcf => open(INT, 2, 0xc8),
            0xd0..=0xd7 => open(INT, 3, 0xd4),
            0x49 => behind(INT, 5),
            0xd8..=0xef => open(LONG, 1, 0xe0),
            0xf0..=0xff => open(LONG, 2, 0xf8),
            0x38..=0x3f => open(LONG, 3, 0x3c),
            0x59 => behind(LONG, 5),
            0x5b | 0x5c => open(DOUBLE, 1, 0x5b),
            0x5d => behind(DOUBLE, 2),
            0x5e => behind(DOUBLE, 3),
            0x5f => behind(DOUBLE, 5),
            0x4b => behind(MINUTES, 5),
            _ => open(0, 1, 0),
        };
        tag += 1;
    }
    table
}

/// The high bits of the first so many of 32 bytes.
static MASKS: [[u64; 4]; 32] = masks();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "evaluated at compile time, where a wrong index does not build"
)]
const fn masks() -> [[u64; 4]; 32] {
    let mut masks = [[0; 4]; 32];
    let mut len = 0;
    while len < 32 {
        let mut at = 0;
        while at < len {
            masks[len][at / 8] |= 0x80 << (8 * (at % 8));
            at += 1;
        }
        len += 1;
    }
    masks
}

#[cfg(test)]
mod tests {
    use super::super::super::packed::Kind;
    use super::super::super::{Limits, Scratch};
    use super::*;

    /// A list of one value of these bytes, followed by `more` bytes.
    fn stream(value: &[u8], more: usize) -> Vec<u8> {
        let mut stream = vec![0x79];
        stream.extend_from_slice(value);
        stream.resize(stream.len().saturating_add(more), 0x90);
        stream
    }

    /// What is read by its kind is what the reader says it is, whatever the first two bytes are and however much follows.
    #[test]
    fn expected_values_are_those_of_the_reader() {
        let mut seen = [0usize; 5];
        for first in 0..=255u8 {
            for second in [0x00, 0x01, 0x5a, 0x7f, 0x80, 0x81, 0xc3, 0xff] {
                for more in [0, 1, 2, 7, 8, 40] {
                    let value = [first, second, 0x41, 0x80, 0x42, 0x43, 0x44, 0x45, 0x46];
                    let bytes = stream(&value, more);
                    for (kind, seen) in seen.iter_mut().enumerate() {
                        *seen = seen.saturating_add(usize::from(same(&bytes, kind)));
                    }
                }
            }
        }
        assert!(seen.iter().all(|seen| *seen > 40), "{seen:?}");
    }

    /// Whether the value is of the kind; then both have read the same.
    fn same(bytes: &[u8], kind: usize) -> bool {
        let (mut one, mut other) = (Scratch::new(), Scratch::new());
        let mut tokens = Reader::new(bytes, &mut one, &Limits::DEFAULT);
        let mut values = Reader::new(bytes, &mut other, &Limits::DEFAULT);
        tokens.next_packed();
        values.next_packed();
        let mut run = values.run();
        let token = tokens.next_packed();
        let (found, wanted) = match kind {
            0 => (
                run.long(),
                (token.is(Kind::Int) || token.is(Kind::Long)).then(|| token.number()),
            ),
            1 => (run.int(), token.is(Kind::Int).then(|| token.number())),
            2 => (
                run.double().map(u64::cast_signed),
                token.is(Kind::Double).then(|| token.number()),
            ),
            3 => (run.date(), token.is(Kind::Date).then(|| token.number())),
            _ => {
                let text = token.is(Kind::Str).then(|| token.str(bytes).0.raw);
                let mut again = run;
                let (short, found) = (again.short_text(), run.text());
                if let Some((bytes, len)) = short {
                    assert_eq!(found, Some(&bytes[..len]));
                }
                let found = found.map(|raw| (raw == text.unwrap()).into());
                (found, text.and(found))
            }
        };
        if let Some(found) = found {
            assert_eq!(Some(found), wanted, "{kind} of {bytes:02x?}");
            values.behind(&run);
            assert_eq!(values.offset(), tokens.offset());
            assert_eq!(values.nodes(), tokens.nodes());
            assert!(values.next_packed().is(Kind::End));
        }
        found.is_some()
    }

    #[test]
    fn nothing_is_read_behind_the_last_value_or_near_a_limit() {
        let bytes = [0x7a, 0x01, b'a', 0x91, 0x92];
        let mut scratch = Scratch::new();
        let mut reader = Reader::new(&bytes, &mut scratch, &Limits::DEFAULT);
        reader.next_packed();
        let mut run = reader.run();
        assert_eq!(run.text(), Some(&b"a"[..]));
        // Fewer than eight bytes are left: the reader reads these.
        assert_eq!(run.int(), None);
        reader.behind(&run);
        assert!(reader.next_packed().is(Kind::Int));
        assert!(!reader.run().null());
        assert!(reader.next_packed().is(Kind::End));

        let near = [
            Limits {
                nodes: 1,
                ..Limits::DEFAULT
            },
            Limits {
                decoded_bytes: 40,
                ..Limits::DEFAULT
            },
            Limits {
                string_len: 5,
                ..Limits::DEFAULT
            },
        ];
        for limits in near {
            let mut reader = Reader::new(&bytes, &mut scratch, &limits);
            reader.next_packed();
            assert_eq!(reader.run().text(), None, "{limits:?}");
        }
    }
}
