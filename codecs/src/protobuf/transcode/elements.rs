//! Values as they lie in a message: the entries of a map, the elements of a list in their two forms, and what a field is that
//! is not there.

use super::super::error::{Fallible, Rule, fault};
use super::super::plan::{Conv, F, FieldPlan, MapPlan, Shape};
use super::super::wire::{self, Fields, Wire};

/// An entry of a map.
pub(super) struct Entry<'b> {
    pub(super) key: Wire<'b>,
    pub(super) value: Option<Wire<'b>>,
    signed: bool,
    zigzag: bool,
    /// Bits that count: protobuf cuts what is above.
    bits: u32,
}

impl<'b> Entry<'b> {
    pub(super) fn read(bytes: &'b [u8], plan: &MapPlan) -> Fallible<Self> {
        let default = |conv: &Conv| default_of(&conv.proto);
        let mut key = default(&plan.key);
        let mut value = (!plan.value_presence).then(|| default(&plan.value));
        let expected = default(&plan.value);
        let mut fields = Fields::new(bytes);
        while let Some((number, wire)) = fields.next_field()? {
            match number {
                1 if std::mem::discriminant(&wire) == std::mem::discriminant(&key) => key = wire,
                2 if std::mem::discriminant(&wire) == std::mem::discriminant(&expected) => value = Some(wire),
                _ => {}
            }
        }
        let signed = !matches!(
            plan.key.proto,
            F::Uint32 | F::Uint64 | F::Fixed32 | F::Fixed64 | F::Bool | F::String
        );
        let zigzag = matches!(plan.key.proto, F::Sint32 | F::Sint64);
        let bits = match plan.key.proto {
            F::Bool => 1,
            F::Int32 | F::Sint32 | F::Uint32 | F::Enum(_) => 32,
            _ => 64,
        };
        Ok(Self {
            key,
            value,
            signed,
            zigzag,
            bits,
        })
    }

    /// A varint as the key it is.
    #[allow(
        clippy::as_conversions,
        reason = "protobuf cuts 64-bit varints to the field's width"
    )]
    fn number(&self, value: u64) -> i128 {
        match (self.bits, self.zigzag, self.signed) {
            (1, ..) => i128::from(value != 0),
            (32, true, _) => i128::from(wire::unzigzag(value & 0xffff_ffff)),
            (_, true, _) => i128::from(wire::unzigzag(value)),
            (32, _, true) => i128::from(value as u32 as i32),
            (32, ..) => i128::from(value as u32),
            (_, _, true) => i128::from(value.cast_signed()),
            _ => i128::from(value),
        }
    }

    pub(super) fn key_order(&self) -> (i128, &'b [u8]) {
        match self.key {
            Wire::Bytes(bytes) => (0, bytes),
            Wire::Varint(value) => (self.number(value), &[]),
            Wire::Fixed64(value) if self.signed => (i128::from(value.cast_signed()), &[]),
            Wire::Fixed64(value) => (i128::from(value), &[]),
            Wire::Fixed32(value) if self.signed => (i128::from(value.cast_signed()), &[]),
            Wire::Fixed32(value) => (i128::from(value), &[]),
        }
    }
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
