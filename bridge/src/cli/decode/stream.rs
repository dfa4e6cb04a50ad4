//! One direction of a TCP connection, put back into order.

use std::collections::BTreeMap;

/// Bytes that wait for a segment before them, at most; then that segment counts as lost.
const MOST_EARLY: usize = 4 << 20;
/// Segments that wait, at most.
const MOST_SEGMENTS: usize = 4096;

/// The next thing in a direction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Bytes, in order.
    Data(Vec<u8>),
    /// That many bytes were sent and are not in the capture.
    Lost(u64),
}

#[derive(Debug)]
struct Early {
    data: Vec<u8>,
    missing: usize,
}

impl Early {
    fn length(&self) -> u64 {
        self.data.len() as u64 + self.missing as u64
    }
}

/// The bytes of one direction.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The sequence number of the next byte; `None` before the first segment.
    next: Option<u32>,
    /// How many bytes were before it.
    position: u64,
    early: BTreeMap<u64, Early>,
    held: usize,
    /// No SYN was seen: the capture began later than the connection.
    pub(super) is_midway: bool,
    /// The position behind the last byte, when the sender said so.
    end: Option<u64>,
}

impl Stream {
    /// Bytes that wait.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Whether everything up to the sender's end has come.
    pub(super) fn is_ended(&self) -> bool {
        self.end.is_some_and(|end| self.position >= end)
    }

    /// Whether a SYN with this sequence number begins another connection.
    pub(super) fn is_restart(&self, sequence: u32) -> bool {
        let begun = self
            .next
            .map(|next| next.wrapping_sub(low(self.position)).wrapping_sub(1));
        begun.is_some_and(|begun| self.is_midway || begun != sequence)
    }

    /// Takes the SYN.
    pub(super) fn begin(&mut self, sequence: u32) {
        self.next.get_or_insert(sequence.wrapping_add(1));
    }

    /// Takes the data of a segment of which `missing` more bytes were sent; what is in order now goes to `out`.
    pub(super) fn take(
        &mut self,
        sequence: u32,
        data: &[u8],
        missing: usize,
        fin: bool,
        out: &mut Vec<Piece>,
    ) {
        self.is_midway |= self.next.is_none();
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next);
        let length = data.len() as u64 + missing as u64;
        if ahead < 1 << 31 {
            let start = self.position + u64::from(ahead);
            if fin {
                self.end = Some(start + length);
            }
            if ahead == 0 {
                self.append(data, missing, out);
            } else if self.early.get(&start).map_or(0, Early::length) < length {
                // The longer one of two that begin alike.
                self.held += data.len();
                let data = data.to_vec();
                if let Some(shorter) = self.early.insert(start, Early { data, missing }) {
                    self.held -= shorter.data.len();
                }
            }
        } else {
            // Sent again: what is new of it.
            let known = u64::from(next.wrapping_sub(sequence));
            if fin && known <= length {
                self.end = Some(self.position + (length - known));
            }
            let known = usize::try_from(known).unwrap_or(usize::MAX);
            match data.get(known..) {
                Some(new) => self.append(new, missing, out),
                None => self.append(&[], (data.len() + missing).saturating_sub(known), out),
            }
        }
        self.drain(out);
        while self.held > MOST_EARLY || self.early.len() > MOST_SEGMENTS {
            self.give_up(out);
        }
    }

    /// The other side has received everything before `ack`: what is missing before it will not come any more.
    pub(super) fn acknowledged(&mut self, ack: u32, out: &mut Vec<Piece>) {
        let Some(next) = self.next else { return };
        let ahead = ack.wrapping_sub(next);
        if ahead >= 1 << 31 {
            return;
        }
        let acknowledged = self.position + u64::from(ahead);
        while self
            .early
            .first_key_value()
            .is_some_and(|(start, _)| *start <= acknowledged)
        {
            self.give_up(out);
        }
    }

    /// Nothing more will come.
    pub(super) fn finish(&mut self, out: &mut Vec<Piece>) {
        while !self.early.is_empty() {
            self.give_up(out);
        }
    }

    fn append(&mut self, data: &[u8], missing: usize, out: &mut Vec<Piece>) {
        if !data.is_empty() {
            out.push(Piece::Data(data.to_vec()));
        }
        if missing > 0 {
            out.push(Piece::Lost(missing as u64));
        }
        self.advance(data.len() as u64 + missing as u64);
    }

    fn advance(&mut self, by: u64) {
        self.position += by;
        self.next = self.next.map(|next| next.wrapping_add(low(by)));
    }

    /// Takes what waited and is next.
    fn drain(&mut self, out: &mut Vec<Piece>) {
        while let Some(entry) = self.early.first_entry() {
            if *entry.key() > self.position {
                return;
            }
            let (start, early) = entry.remove_entry();
            self.held -= early.data.len();
            let known = usize::try_from(self.position - start).unwrap_or(usize::MAX);
            match early.data.get(known..) {
                Some(new) => self.append(new, early.missing, out),
                None => {
                    let missing = (early.data.len() + early.missing).saturating_sub(known);
                    self.append(&[], missing, out);
                }
            }
        }
    }

    /// Counts what is before the first waiting segment as lost.
    fn give_up(&mut self, out: &mut Vec<Piece>) {
        if let Some((start, _)) = self.early.first_key_value() {
            let lost = start.saturating_sub(self.position);
            if lost > 0 {
                out.push(Piece::Lost(lost));
                self.advance(lost);
            }
        }
        self.drain(out);
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "sequence numbers count modulo 2^32"
)]
fn low(value: u64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(pieces: &[Piece]) -> String {
        pieces
            .iter()
            .map(|piece| match piece {
                Piece::Data(data) => String::from_utf8_lossy(data).into_owned(),
                Piece::Lost(lost) => format!("<{lost}>"),
            })
            .collect()
    }

    fn stream(segments: &[(u32, &str)]) -> (Stream, Vec<Piece>) {
        let (mut stream, mut out) = (Stream::default(), Vec::new());
        stream.begin(99);
        for (sequence, data) in segments {
            stream.take(*sequence, data.as_bytes(), 0, false, &mut out);
        }
        (stream, out)
    }

    #[test]
    fn segments_are_put_in_order_and_repeats_dropped() {
        let (stream, out) = stream(&[(103, "de"), (100, "abc"), (101, "bcdef"), (100, "a")]);
        assert_eq!((text(&out).as_str(), stream.held()), ("abcdef", 0));
    }

    #[test]
    fn a_hole_is_lost_when_the_other_side_has_received_it_or_nothing_follows() {
        let (mut stream, mut out) = stream(&[(100, "ab"), (105, "fg")]);
        stream.acknowledged(102, &mut out);
        assert_eq!((text(&out).as_str(), stream.held()), ("ab", 2));
        stream.acknowledged(107, &mut out);
        assert_eq!(text(&out), "ab<3>fg");
        stream.take(109, b"j", 0, false, &mut out);
        stream.finish(&mut out);
        assert_eq!(text(&out), "ab<3>fg<2>j");
    }

    #[test]
    fn what_was_cut_off_is_lost_unless_it_is_sent_again() {
        let (mut stream, mut out) = stream(&[]);
        stream.take(100, b"ab", 3, false, &mut out);
        stream.take(105, b"f", 0, true, &mut out);
        assert_eq!(text(&out), "ab<3>f");
        assert!(stream.is_ended());
    }

    #[test]
    fn waiting_segments_are_bounded() {
        let (mut stream, mut out) = stream(&[]);
        for n in 0..20_000u32 {
            stream.take(200 + n * 2000, &[b'x'; 1000], 0, false, &mut out);
            assert!(stream.held() <= MOST_EARLY + 1000);
        }
        assert!(text(&out).starts_with("<100>xxx"));
    }

    #[test]
    fn a_new_connection_on_the_same_ports_is_told() {
        let (mut stream, mut out) = stream(&[(100, "ab")]);
        assert!(!stream.is_restart(99) && stream.is_restart(5000));
        stream.take(102, b"", 0, true, &mut out);
        assert!(stream.is_ended());
    }

    proptest! {
        /// Any cutting, order and repetition gives the same bytes, over the end of the sequence numbers too.
        #[test]
        fn any_order_gives_the_same_bytes(
            text in prop::collection::vec(any::<u8>(), 1..200),
            first in prop_oneof![any::<u32>(), (u32::MAX - 150)..=u32::MAX],
            picks in prop::collection::vec((any::<prop::sample::Index>(), 1usize..30), 0..60),
        ) {
            let mut stream = Stream::default();
            stream.begin(first);
            let mut out = Vec::new();
            let mut take = |at: usize, length: usize| {
                let end = text.len().min(at + length);
                let sequence = first.wrapping_add(1).wrapping_add(u32::try_from(at).unwrap());
                stream.take(sequence, &text[at..end], 0, end == text.len(), &mut out);
            };
            for (at, length) in &picks {
                take(at.index(text.len()), *length);
            }
            for at in (0..text.len()).step_by(7).rev() {
                take(at, 7);
            }
            let bytes: Vec<u8> = out.iter().flat_map(|piece| match piece {
                Piece::Data(data) => data.clone(),
                Piece::Lost(_) => b"lost".to_vec(),
            }).collect();
            prop_assert_eq!(bytes, text);
            prop_assert!(stream.is_ended());
            prop_assert_eq!(stream.held(), 0);
        }
    }
}
