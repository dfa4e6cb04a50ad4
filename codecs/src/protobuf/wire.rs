//! Protobuf on the wire: what plans write and read, without message types.

use super::error::{Fallible, Rule, fault};

/// Varint.
pub(crate) const VARINT: u32 = 0;
/// Eight bytes.
pub(crate) const FIXED64: u32 = 1;
/// Length and bytes.
pub(crate) const BYTES: u32 = 2;
/// Four bytes.
pub(crate) const FIXED32: u32 = 5;

pub(crate) use crate::hessian2::wire::index;
pub(crate) use crate::hessian2::writer::append;

/// Appends a varint.
#[inline]
#[allow(clippy::as_conversions, reason = "the low seven bits are taken on purpose")]
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a field's tag.
#[inline]
pub(crate) fn put_tag(number: u32, wire_type: u32, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | u64::from(wire_type), out);
}

/// Appends a length-delimited field.
#[inline]
pub(crate) fn put_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_tag(number, BYTES, out);
    put_varint(length(bytes.len()), out);
    append(bytes, out);
}

/// A length as it is written.
#[inline]
#[allow(clippy::as_conversions, reason = "usize is at most 64 bits")]
pub(crate) fn length(len: usize) -> u64 {
    len as u64
}

/// Zigzag of a signed number.
#[inline]
#[allow(clippy::as_conversions, reason = "the bits are reinterpreted on purpose")]
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
#[allow(clippy::as_conversions, reason = "the bits are reinterpreted on purpose")]
pub(crate) fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ ((value & 1) as i64).wrapping_neg()
}

/// Begins a length-delimited region whose length is not known yet; give the result to [`end`].
#[inline]
pub(crate) fn begin(number: u32, out: &mut Vec<u8>) -> usize {
    put_tag(number, BYTES, out);
    out.push(0);
    out.len()
}

/// Ends a region: fills in its length, and moves the region when the length takes more than one byte.
#[inline]
#[allow(clippy::as_conversions, reason = "the length is below 128 where it is cut")]
pub(crate) fn end(start: usize, out: &mut Vec<u8>) {
    let len = out.len().saturating_sub(start);
    if len < 0x80 {
        if let Some(slot) = out.get_mut(start.wrapping_sub(1)) {
            *slot = len as u8;
        }
        return;
    }
    let mut head = [0u8; 10];
    let mut used = 0usize;
    let mut rest = length(len);
    for slot in &mut head {
        used = used.saturating_add(1);
        if rest < 0x80 {
            *slot = rest as u8;
            break;
        }
        *slot = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
    }
    // One byte is there already.
    let (before, old_end) = (start.wrapping_sub(1), out.len());
    let to = before.wrapping_add(used);
    out.resize(to.wrapping_add(len), 0);
    out.copy_within(start..old_end, to);
    if let (Some(room), Some(head)) = (out.get_mut(before..to), head.get(..used)) {
        room.copy_from_slice(head);
    }
}

/// One value as it lies on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire<'a> {
    /// Varint.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Four bytes.
    Fixed32(u32),
    /// Length and bytes.
    Bytes(&'a [u8]),
}

/// Reads the fields of one message.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The fields from an offset on.
    pub(crate) fn from(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The next field; groups are passed over.
    #[inline]
    pub(crate) fn next_field(&mut self) -> Fallible<Option<(u32, Wire<'a>)>> {
        loop {
            if self.at >= self.bytes.len() {
                return Ok(None);
            }
            let (number, wire_type) = self.tag()?;
            let value = match wire_type {
                VARINT => Wire::Varint(self.varint()?),
                FIXED64 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
                FIXED32 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
                BYTES => {
                    let len = self.varint()?;
                    Wire::Bytes(self.take(len)?)
                }
                3 => {
                    self.skip_group(number)?;
                    continue;
                }
                _ => return Err(self.broken()),
            };
            return Ok(Some((number, value)));
        }
    }

    fn tag(&mut self) -> Fallible<(u32, u32)> {
        let tag = u32::try_from(self.varint()?).map_err(|_| self.broken())?;
        let number = tag >> 3;
        if number == 0 {
            return Err(self.broken());
        }
        Ok((number, tag & 7))
    }

    fn skip_group(&mut self, number: u32) -> Fallible<()> {
        let mut open = vec![number];
        while let Some(innermost) = open.last().copied() {
            let (number, wire_type) = self.tag()?;
            match wire_type {
                VARINT => {
                    self.varint()?;
                }
                FIXED64 => {
                    self.array::<8>()?;
                }
                FIXED32 => {
                    self.array::<4>()?;
                }
                BYTES => {
                    let len = self.varint()?;
                    self.take(len)?;
                }
                3 if open.len() < 64 => open.push(number),
                4 if number == innermost => {
                    open.pop();
                }
                _ => return Err(self.broken()),
            }
        }
        Ok(())
    }

    #[inline]
    fn varint(&mut self) -> Fallible<u64> {
        read_varint(self.bytes, &mut self.at).ok_or_else(|| self.broken())
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Fallible<[u8; N]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(found) = rest.first_chunk::<N>() else {
            return Err(self.broken());
        };
        self.at = self.at.wrapping_add(N);
        Ok(*found)
    }

    #[inline]
    fn take(&mut self, len: u64) -> Fallible<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(found) = usize::try_from(len).ok().and_then(|len| rest.get(..len)) else {
            return Err(self.broken());
        };
        self.at = self.at.wrapping_add(found.len());
        Ok(found)
    }

    #[cold]
    fn broken(&self) -> Box<super::error::Fault> {
        fault(
            Rule::Malformed,
            format!("protobuf message is broken at byte {}", self.at),
        )
    }
}

/// Reads a varint; `None` when it is cut short or longer than 64 bits.
#[inline(always)]
pub(crate) fn read_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let first = *bytes.get(*at)?;
    if first < 0x80 {
        *at = at.wrapping_add(1);
        return Some(u64::from(first));
    }
    if let Some(second @ 0..=0x7f) = bytes.get(at.wrapping_add(1)) {
        *at = at.wrapping_add(2);
        return Some(u64::from(first & 0x7f) | u64::from(*second) << 7);
    }
    let (value, used) = long_varint(bytes.get(*at..)?)?;
    *at = at.wrapping_add(used);
    Some(value)
}

/// A varint of more than two bytes, and how many it takes.
#[inline(never)]
fn long_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    const MORE: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(*bytes.first_chunk::<8>().unwrap_or(&[0xff; 8]));
    let ends = !word & MORE;
    if ends == 0 {
        return any_varint(bytes);
    }
    // Its bytes without their highest bits, brought together: seven bits to fourteen, to 28, to 56.
    let seven = word & (ends ^ ends.wrapping_sub(1)) & !MORE;
    let fourteen = (seven & 0x007f_007f_007f_007f) | (seven & 0x7f00_7f00_7f00_7f00) >> 1;
    let half = (fourteen & 0x0000_3fff_0000_3fff) | (fourteen & 0x3fff_0000_3fff_0000) >> 2;
    let value = (half & 0x0fff_ffff) | (half & 0x0fff_ffff_0000_0000) >> 4;
    let used = (ends.trailing_zeros() >> 3).wrapping_add(1);
    Some((value, index(used)))
}

/// A varint of any length.
#[cold]
fn any_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (shift, (at, byte)) in (0u32..64).step_by(7).zip(bytes.iter().enumerate()) {
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some((value, at.wrapping_add(1)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_every_length() {
        for len in [0usize, 1, 127, 128, 129, 16_383, 16_384, 70_000] {
            let mut out = vec![9];
            let outer = begin(1, &mut out);
            let inner = begin(2, &mut out);
            out.extend(std::iter::repeat_n(7u8, len));
            end(inner, &mut out);
            end(outer, &mut out);
            let mut fields = Fields::new(&out[1..]);
            let Some((1, Wire::Bytes(outer))) = fields.next_field().unwrap() else {
                panic!("outer of {len}");
            };
            assert_eq!(fields.next_field().unwrap(), None);
            assert_eq!(
                Fields::new(outer).next_field().unwrap(),
                Some((2, Wire::Bytes(&vec![7; len])))
            );
        }
    }

    #[test]
    fn varints_of_every_length() {
        for bits in 0..=64u32 {
            let value = u64::MAX.checked_shr(64 - bits).unwrap_or_default();
            for more in [0, 1, 9] {
                let mut out = vec![0x80];
                put_varint(value, &mut out);
                let end = out.len();
                out.resize(end + more, 0xff);
                let mut at = 1;
                assert_eq!(read_varint(&out, &mut at), Some(value));
                assert_eq!(at, end);
                // Cut short.
                if value > 0x7f {
                    assert_eq!(read_varint(&out[..end - 1], &mut 1), None, "{value}");
                }
            }
        }
        assert_eq!(read_varint(&[0xff; 20], &mut 0), None);
        // More bytes than needed.
        let long = [0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 9];
        assert_eq!(read_varint(&long, &mut 0), Some(1));
        assert_eq!(read_varint(&[0x81, 0x80, 0x00], &mut 0), Some(1));
    }

    #[test]
    fn numbers_and_groups() {
        for value in [0i64, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
        let bytes = [0x0b, 0x08, 0x01, 0x13, 0x14, 0x0c, 0x10, 0x96, 0x01];
        let mut fields = Fields::new(&bytes);
        assert_eq!(fields.next_field().unwrap(), Some((2, Wire::Varint(150))));
        for broken in [
            &[0x0b][..],
            &[0x0c],
            &[0x08],
            &[0x00, 0],
            &[0x0a, 5, 1],
            &[0x0b, 0x14],
        ] {
            let mut fields = Fields::new(broken);
            assert!(fields.next_field().is_err(), "{broken:?}");
        }
    }
}
