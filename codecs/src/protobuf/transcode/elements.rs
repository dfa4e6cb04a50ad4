//! Values as they lie in a message: the entries of a map, the elements of a list in their two forms, and what a field is that
//! is not there.

use std::cmp::Ordering;

use super::super::error::{Fallible, Rule, fault};
use super::super::plan::{Conv, F, FieldPlan, MapPlan, Shape};
use super::super::wire::{self, Fields, Wire};
use crate::hessian2::wire::narrow;

/// Where an entry of a map lies in its message, and what its key is compared by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// The key's first eight bytes, or the number that it is: where they differ, they stand as the keys do.
    order: u64,
    /// The key's bytes.
    key: (usize, usize),
    /// All of it.
    entry: (usize, usize),
}

impl Entry {
    /// The entry whose bytes end at `end` in the message.
    #[inline]
    pub(super) fn of(bytes: &[u8], end: usize, plan: &MapPlan) -> Fallible<Self> {
        let read = read_entry(bytes, plan)?;
        let start = end.saturating_sub(bytes.len());
        let key_end = start.saturating_add(read.key_end);
        let signed = !matches!(
            plan.key.proto,
            F::Uint32 | F::Uint64 | F::Fixed32 | F::Fixed64 | F::Bool
        );
        let number = |value: i64| match signed {
            true => value.cast_unsigned() ^ (1 << 63),
            false => value.cast_unsigned(),
        };
        let (order, len) = match read.key {
            Wire::Bytes(key) => {
                let start = read.key_end.saturating_sub(key.len());
                (
                    first_eight(key, bytes.get(start..).unwrap_or_default()),
                    key.len(),
                )
            }
            Wire::Varint(value) => (number(cut(value, &plan.key.proto)), 0),
            Wire::Fixed64(value) => (number(value.cast_signed()), 0),
            Wire::Fixed32(value) if signed => (number(value.cast_signed().into()), 0),
            Wire::Fixed32(value) => (value.into(), 0),
        };
        Ok(Self {
            order,
            key: (key_end.saturating_sub(len), key_end),
            entry: (start, end),
        })
    }

    /// Its key and its value, which `None` stands for where it can be unset and is.
    #[inline]
    pub(super) fn read<'b>(
        &self,
        message: &'b [u8],
        plan: &MapPlan,
    ) -> Fallible<(Wire<'b>, Option<Wire<'b>>)> {
        let read = read_entry(part(message, self.entry), plan)?;
        Ok((read.key, read.value))
    }

    /// What entries are compared by first.
    #[inline]
    pub(super) fn first(&self) -> u64 {
        self.order
    }

    /// By key; of equal ones the earlier stands first.
    #[inline]
    pub(super) fn order(&self, other: &Self, message: &[u8]) -> Ordering {
        self.order
            .cmp(&other.order)
            .then_with(|| part(message, self.key).cmp(part(message, other.key)))
            .then_with(|| self.entry.0.cmp(&other.entry.0))
    }

    /// Whether two entries have one key.
    #[inline]
    pub(super) fn same_key(&self, other: &Self, message: &[u8]) -> bool {
        self.order == other.order && part(message, self.key) == part(message, other.key)
    }
}

#[inline]
fn part(message: &[u8], (start, end): (usize, usize)) -> &[u8] {
    message.get(start..end).unwrap_or_default()
}

/// The first eight bytes, those that are not there 0: as a number they stand as the texts do, where they differ. They are
/// taken at once where more lies behind.
#[inline]
fn first_eight(bytes: &[u8], with_more: &[u8]) -> u64 {
    let kept = u64::MAX
        .checked_shl(64u32.saturating_sub(narrow(bytes.len()).saturating_mul(8)))
        .unwrap_or_default();
    match with_more.first_chunk::<8>() {
        Some(first) => u64::from_be_bytes(*first) & kept,
        None => {
            let mut first = [0; 8];
            first
                .iter_mut()
                .zip(bytes)
                .for_each(|(place, byte)| *place = *byte);
            u64::from_be_bytes(first)
        }
    }
}

/// A varint as the key it is: protobuf cuts what the type has no bits for.
#[allow(
    clippy::as_conversions,
    reason = "protobuf cuts 64-bit varints to the field's width"
)]
fn cut(value: u64, proto: &F) -> i64 {
    match proto {
        F::Bool => i64::from(value != 0),
        F::Int32 | F::Enum(_) => i64::from(value as u32 as i32),
        F::Sint32 => wire::unzigzag(value & 0xffff_ffff),
        F::Uint32 => i64::from(value as u32),
        F::Sint64 => wire::unzigzag(value),
        _ => value.cast_signed(),
    }
}

/// What an entry holds.
struct Read<'b> {
    key: Wire<'b>,
    /// Where the key ends in the entry.
    key_end: usize,
    value: Option<Wire<'b>>,
}

#[inline]
fn read_entry<'b>(bytes: &'b [u8], plan: &MapPlan) -> Fallible<Read<'b>> {
    let types = (plan.key.proto.wire_type(), plan.value.proto.wire_type());
    match usual_entry(bytes, types) {
        Some(read) => Ok(read),
        None => any_entry(bytes, plan),
    }
}

/// A key and a value, as nearly every entry is.
#[inline]
fn usual_entry(bytes: &[u8], (key_type, value_type): (u32, u32)) -> Option<Read<'_>> {
    let (key, rest) = usual_part(bytes, 1, key_type)?;
    let (value, end) = usual_part(rest, 2, value_type)?;
    end.is_empty().then_some(Read {
        key,
        key_end: bytes.len().saturating_sub(rest.len()),
        value: Some(value),
    })
}

/// A varint or up to 127 bytes in the field of this number, and what lies behind.
#[inline(always)]
fn usual_part(bytes: &[u8], number: u8, wire_type: u32) -> Option<(Wire<'_>, &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    if u32::from(*tag) != u32::from(number) << 3 | wire_type {
        return None;
    }
    match wire_type {
        wire::VARINT => {
            let mut at = 0;
            let value = wire::read_varint(rest, &mut at)?;
            Some((Wire::Varint(value), rest.get(at..)?))
        }
        wire::BYTES => {
            let (len, rest) = rest.split_first().filter(|(len, _)| **len < 0x80)?;
            let (found, rest) = rest.split_at_checked(usize::from(*len))?;
            Some((Wire::Bytes(found), rest))
        }
        _ => None,
    }
}

/// An entry whose parts may be missing, repeated or of other types than theirs.
fn any_entry<'b>(bytes: &'b [u8], plan: &MapPlan) -> Fallible<Read<'b>> {
    let default = |conv: &Conv| default_of(&conv.proto);
    let mut key = default(&plan.key);
    let mut key_end = 0usize;
    let mut value = (!plan.value_presence).then(|| default(&plan.value));
    let expected = default(&plan.value);
    let mut fields = Fields::new(bytes);
    while let Some((number, wire)) = fields.next_field()? {
        match number {
            1 if std::mem::discriminant(&wire) == std::mem::discriminant(&key) => {
                key = wire;
                key_end = fields.at;
            }
            2 if std::mem::discriminant(&wire) == std::mem::discriminant(&expected) => value = Some(wire),
            _ => {}
        }
    }
    Ok(Read { key, key_end, value })
}

/// A value as a member of a set.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Key<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

impl<'b> Key<'b> {
    pub(super) fn of(wire: Wire<'b>) -> Self {
        match wire {
            Wire::Varint(value) | Wire::Fixed64(value) => Self::Number(value),
            Wire::Fixed32(value) => Self::Number(u64::from(value)),
            Wire::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

/// The elements of a repeated field, packed or not.
pub(super) struct Elements<'b> {
    fields: Fields<'b>,
    number: u32,
    wire_type: u32,
    packed: &'b [u8],
    at: usize,
    pub(super) passed: usize,
}

impl<'b> Elements<'b> {
    pub(super) fn new(scope: &'b [u8], number: u32, proto: &F, first: usize) -> Self {
        Self {
            fields: Fields::from(scope, first),
            number,
            wire_type: proto.wire_type(),
            packed: &[],
            at: 0,
            passed: 0,
        }
    }

    pub(super) fn next_element(&mut self) -> Fallible<Option<Wire<'b>>> {
        loop {
            if self.at < self.packed.len() {
                return self.next_packed().map(Some);
            }
            let Some((number, wire)) = self.fields.next_field()? else {
                return Ok(None);
            };
            if number != self.number {
                self.passed = self.passed.saturating_add(1);
                continue;
            }
            match (wire, self.wire_type) {
                (Wire::Bytes(bytes), wire::BYTES) => return Ok(Some(Wire::Bytes(bytes))),
                (Wire::Bytes(bytes), _) => {
                    self.packed = bytes;
                    self.at = 0;
                }
                (wire @ Wire::Varint(_), wire::VARINT)
                | (wire @ Wire::Fixed32(_), wire::FIXED32)
                | (wire @ Wire::Fixed64(_), wire::FIXED64) => return Ok(Some(wire)),
                _ => {}
            }
        }
    }

    fn next_packed(&mut self) -> Fallible<Wire<'b>> {
        let broken = || fault(Rule::Malformed, "packed field is broken");
        let rest = self.packed.get(self.at..).unwrap_or_default();
        match self.wire_type {
            wire::VARINT => wire::read_varint(self.packed, &mut self.at)
                .map(Wire::Varint)
                .ok_or_else(broken),
            wire::FIXED32 => {
                let bytes = rest.first_chunk::<4>().ok_or_else(broken)?;
                self.at = self.at.wrapping_add(4);
                Ok(Wire::Fixed32(u32::from_le_bytes(*bytes)))
            }
            _ => {
                let bytes = rest.first_chunk::<8>().ok_or_else(broken)?;
                self.at = self.at.wrapping_add(8);
                Ok(Wire::Fixed64(u64::from_le_bytes(*bytes)))
            }
        }
    }
}

/// How many values one occurrence holds; `None` when its wire type is another field's, as protobuf reads it.
pub(super) fn occurrences(plan: &FieldPlan, wire: Wire<'_>) -> Fallible<Option<usize>> {
    let item = match &plan.shape {
        Shape::One(conv) => {
            return Ok((wire_type(wire) == conv.proto.wire_type()).then_some(1));
        }
        Shape::Map(_) => return Ok((wire_type(wire) == wire::BYTES).then_some(1)),
        Shape::List(plan) => plan.item.proto.wire_type(),
    };
    if wire_type(wire) == item {
        return Ok(Some(1));
    }
    let Wire::Bytes(bytes) = wire else {
        return Ok(None);
    };
    let count = match item {
        wire::VARINT => {
            if bytes.last().is_some_and(|last| *last >= 0x80) {
                return Err(fault(Rule::Malformed, "packed field is broken"));
            }
            bytes.iter().filter(|byte| **byte < 0x80).count()
        }
        wire::FIXED32 if bytes.len().is_multiple_of(4) => bytes.len() / 4,
        wire::FIXED64 if bytes.len().is_multiple_of(8) => bytes.len() / 8,
        _ => return Err(fault(Rule::Malformed, "packed field is broken")),
    };
    // An empty packed field is no element, but it is the field.
    Ok((count > 0).then_some(count))
}

/// What a field of this type is when it is not there.
pub(super) fn default_of(proto: &F) -> Wire<'static> {
    match proto.wire_type() {
        wire::FIXED32 => Wire::Fixed32(0),
        wire::FIXED64 => Wire::Fixed64(0),
        wire::BYTES => Wire::Bytes(&[]),
        _ => Wire::Varint(0),
    }
}

pub(super) fn wire_type(wire: Wire<'_>) -> u32 {
    match wire {
        Wire::Varint(_) => wire::VARINT,
        Wire::Fixed64(_) => wire::FIXED64,
        Wire::Fixed32(_) => wire::FIXED32,
        Wire::Bytes(_) => wire::BYTES,
    }
}

pub(super) fn is_default(wire: Wire<'_>) -> bool {
    match wire {
        Wire::Varint(value) | Wire::Fixed64(value) => value == 0,
        Wire::Fixed32(value) => value == 0,
        Wire::Bytes(bytes) => bytes.is_empty(),
    }
}
