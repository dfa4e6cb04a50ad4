//! Messages whose fields come once and by ascending number, as nearly every encoder writes them: they are written as they
//! are met, without noting first where each field lies.
//!
//! Whether a message is one of these is found out before anything is written, by a look at its tags alone.

use super::super::error::Fallible;
use super::super::plan::{Absent, Conv, FieldPlan, MapPlan, Shape, Usual, WireStep};
use super::super::wire::{self, Fields, Wire, read_varint};
use super::elements::occurrences;
use super::scalar::TIMESTAMP_SECONDS;
use super::to_hessian::{Slot, ToHessian};
use crate::hessian2::wire::is_ascii;

/// A place among the fields of a message.
#[derive(Clone, Copy)]
struct Place<'b> {
    bytes: &'b [u8],
    /// Behind the tag that was read last.
    at: usize,
    /// That tag; 0 at the end.
    tag: u32,
    /// Where it begins.
    start: usize,
}

impl<'b> Place<'b> {
    #[inline(always)]
    fn first(bytes: &'b [u8]) -> Self {
        let mut place = Self {
            bytes,
            at: 0,
            tag: 0,
            start: 0,
        };
        place.next();
        place
    }

    /// Reads the next tag.
    #[inline(always)]
    fn next(&mut self) {
        self.start = self.at;
        let tag = read_varint(self.bytes, &mut self.at).unwrap_or_default();
        self.tag = u32::try_from(tag).unwrap_or_default();
    }

    #[inline(always)]
    fn varint(&mut self) -> Option<u64> {
        read_varint(self.bytes, &mut self.at)
    }

    #[inline(always)]
    fn eight(&mut self) -> Option<[u8; 8]> {
        let found = *self.bytes.get(self.at..)?.first_chunk::<8>()?;
        self.at = self.at.wrapping_add(8);
        Some(found)
    }

    #[inline(always)]
    fn content(&mut self) -> Option<&'b [u8]> {
        let len = usize::try_from(self.varint()?).ok()?;
        let found = self.bytes.get(self.at..)?.get(..len)?;
        self.at = self.at.wrapping_add(len);
        Some(found)
    }

    /// Passes over the value behind the tag.
    #[inline(always)]
    fn pass(&mut self) -> Option<()> {
        match self.tag & 7 {
            wire::VARINT => drop(self.varint()?),
            wire::BYTES => drop(self.content()?),
            wire::FIXED64 => drop(self.eight()?),
            wire::FIXED32 => {
                self.bytes.get(self.at..)?.first_chunk::<4>()?;
                self.at = self.at.wrapping_add(4);
            }
            _ => return None,
        }
        Some(())
    }

    /// The value of a usual field.
    #[inline(always)]
    fn usual(&mut self, usual: Usual) -> Option<Wire<'b>> {
        Some(match usual {
            _ if usual.is_bytes() => Wire::Bytes(self.content()?),
            Usual::Double => Wire::Fixed64(u64::from_le_bytes(self.eight()?)),
            _ => Wire::Varint(self.varint()?),
        })
    }
}

/// How many steps a message counts for when its fields are these, each once and in this order; `None` when they are not, or
/// the message is none.
fn count(bytes: &[u8], steps: &[WireStep], plans: &[FieldPlan]) -> Option<usize> {
    let mut left = steps.iter().zip(plans);
    let mut next = left.next();
    let mut count = 0usize;
    let mut place = Place::first(bytes);
    while place.start < bytes.len() {
        let (step, plan) = loop {
            let (step, plan) = next?;
            if step.tag == place.tag {
                break (step, plan);
            }
            next = left.next();
        };
        let values = if step.packed {
            let content = place.content()?;
            occurrences(plan, Wire::Bytes(content)).ok()??
        } else {
            place.pass()?;
            1
        };
        count = count.saturating_add(values).saturating_add(1);
        if !step.many {
            next = left.next();
        }
        place.next();
    }
    Some(count)
}

impl ToHessian<'_, '_> {
    /// Writes the fields of a message if they come in the order of their steps. `false`: they do not, nothing was written,
    /// and the general way must.
    pub(super) fn in_order(
        &mut self,
        bytes: &[u8],
        plans: &[FieldPlan],
        steps: &[WireStep],
    ) -> Fallible<bool> {
        #[cfg(test)]
        if tests::GENERAL.get() {
            return Ok(false);
        }
        let Some(count) = count(bytes, steps, plans) else {
            return Ok(false);
        };
        self.step(count)?;
        let mut place = Place::first(bytes);
        for (step, plan) in steps.iter().zip(plans) {
            let there = place.start < bytes.len() && step.tag == place.tag;
            let done = match (there, &plan.shape) {
                (false, _) => self.absent_in_order(step, plan),
                (true, Shape::One(conv)) if step.usual != Usual::General => {
                    let value = place.usual(step.usual);
                    place.next();
                    value.map_or(Ok(()), |value| self.usual(step.usual, conv, value))
                }
                (true, Shape::List(list)) if step.usual != Usual::General => {
                    self.usual_list(step, &list.item, list.write_as.as_deref(), &mut place)
                }
                (true, Shape::Map(map)) => self.usual_map(step, map, &mut place),
                (true, _) => {
                    let slot = slot(step, plan, &mut place);
                    self.field_of(bytes, plan, &slot)
                }
            };
            if let Err(fault) = done {
                return Err(fault.within(&plan.name));
            }
        }
        Ok(true)
    }

    #[inline(always)]
    fn absent_in_order(&mut self, step: &WireStep, plan: &FieldPlan) -> Fallible<()> {
        match (step.absent, step.usual) {
            (Absent::Null, _) => self.writer.null(),
            (Absent::Zero, Usual::Bool) => self.writer.bool(false),
            (Absent::Zero, Usual::Long) => self.writer.long(0),
            (Absent::Zero, Usual::Double) => self.writer.double(0.0),
            (Absent::Zero, Usual::Text) => self.writer.ascii(&[]),
            (Absent::Zero, _) => self.writer.int(0),
            (Absent::General, _) => return self.field_of(&[], plan, &Slot::default()),
        }
        Ok(())
    }

    /// The elements of a list, which come one behind the other.
    fn usual_list(
        &mut self,
        step: &WireStep,
        item: &Conv,
        write_as: Option<&str>,
        place: &mut Place<'_>,
    ) -> Fallible<()> {
        let mut ahead = *place;
        let mut len = 0usize;
        while ahead.tag == step.tag && ahead.start < ahead.bytes.len() && ahead.pass().is_some() {
            len = len.saturating_add(1);
            ahead.next();
        }
        self.writer.begin_list(write_as, len);
        for index in 0..len {
            let value = place.usual(step.usual);
            place.next();
            let done = value.map_or(Ok(()), |value| self.usual(step.usual, item, value));
            if let Err(fault) = done {
                return Err(fault.within(&format!("[{index}]")));
            }
        }
        Ok(())
    }

    /// The entries of a map, which come one behind the other.
    fn usual_map(&mut self, step: &WireStep, map: &MapPlan, place: &mut Place<'_>) -> Fallible<()> {
        let base = self.first_entry();
        while place.tag == step.tag
            && place.start < place.bytes.len()
            && let Some(content) = place.content()
        {
            self.step(1)?;
            self.entry(content, place.at, map)?;
            place.next();
        }
        self.map_of(map, place.bytes, base)
    }

    /// A value that nearly always needs no further look.
    #[inline(always)]
    #[allow(
        clippy::as_conversions,
        reason = "protobuf cuts 64-bit varints to the field's width"
    )]
    pub(super) fn usual(&mut self, usual: Usual, conv: &Conv, value: Wire<'_>) -> Fallible<()> {
        match (usual, value) {
            (Usual::Text, Wire::Bytes(text)) if is_ascii(text) => self.writer.ascii(text),
            (Usual::Int, Wire::Varint(value)) => self.writer.int(value as u32 as i32),
            (Usual::Long, Wire::Varint(value)) => self.writer.long(value as i64),
            (Usual::Bool, Wire::Varint(value @ 0..=1)) => self.writer.bool(value == 1),
            (Usual::Double, Wire::Fixed64(bits)) => self.writer.double(f64::from_bits(bits)),
            (Usual::Object(id), Wire::Bytes(content)) => {
                self.within_limit()?;
                return self.object(id, content);
            }
            (Usual::Date, Wire::Bytes(content)) => match millis(content) {
                Some(millis) => {
                    self.within_limit()?;
                    self.writer.date(millis);
                }
                None => return self.value(conv, value),
            },
            _ => return self.value(conv, value),
        }
        Ok(())
    }
}

/// What a field that is left to the general way holds, as the general way notes it.
fn slot(step: &WireStep, plan: &FieldPlan, place: &mut Place<'_>) -> Slot {
    let mut slot = Slot::at(place.start);
    while place.tag == step.tag && place.start < place.bytes.len() {
        let mut fields = Fields::from(place.bytes, place.start);
        let Ok(Some((_, value))) = fields.next_field() else {
            break;
        };
        let count = occurrences(plan, value).ok().flatten().unwrap_or_default();
        slot.note(value, fields.at, count);
        place.at = fields.at;
        place.next();
        if !step.many {
            break;
        }
    }
    slot
}

/// The milliseconds of a `Timestamp` as it is nearly always written; `None` for the general way.
fn millis(content: &[u8]) -> Option<i64> {
    let mut place = Place::first(content);
    let (mut seconds, mut nanos) = (0, 0);
    if place.tag == 1 << 3 | wire::VARINT {
        seconds = place.varint()?.cast_signed();
        place.next();
    }
    if place.tag == 2 << 3 | wire::VARINT {
        nanos = place.varint()?;
        place.next();
    }
    let whole = nanos < 1_000_000_000 && nanos % 1_000_000 == 0 && TIMESTAMP_SECONDS.contains(&seconds);
    let millis = i64::try_from(nanos / 1_000_000).ok()?;
    (whole && place.start >= content.len()).then(|| seconds.wrapping_mul(1000).wrapping_add(millis))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]
mod tests {
    use std::cell::Cell;

    use super::super::super::wire::{put_bytes, put_tag, put_varint};
    use super::super::super::{Bindings, Scratch};
    use crate::hessian2::Limits;

    thread_local! {
        /// All messages go the general way.
        pub(super) static GENERAL: Cell<bool> = const { Cell::new(false) };
    }

    const PROTO: &str = "syntax = \"proto3\"; package t; import \"google/protobuf/timestamp.proto\";
service S { rpc Echo(All) returns (All); rpc Two(Args) returns (All); }
message Args { All one = 1; string two = 2; }
message All { int64 id = 1; string name = 2; optional string nick = 3; int32 age = 4; double score = 5; bool on = 6;
  google.protobuf.Timestamp at = 7; repeated string tags = 8; repeated int32 codes = 9; map<string, int32> counts = 10;
  map<sint64, string> names = 11; All child = 12; repeated All children = 13; optional int32 level = 14; bytes raw = 15;
  map<uint32, All> parts = 16; repeated google.protobuf.Timestamp times = 17; string zero = 18; repeated string set = 19;
  map<fixed32, bool> flags = 20; }";

    const BINDING: &str = "descriptors: [t.proto]
services: [{java: t.S, proto: t.S, methods: [{java: 'two(t.All, java.lang.String)', rpc: Two, args: [one, two]}]}]
messages: [{proto: t.All, java: t.All, types: {set: 'java.util.Set<java.lang.String>'},
  options: {zero: {zero_as_null: true}, tags: {empty_as_null: true}}}]";

    struct Random(u64);

    impl Random {
        fn below(&mut self, below: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % below
        }

        fn number(&mut self) -> u64 {
            match self.below(6) {
                0 => 0,
                1 => 1,
                2 => u64::MAX,
                3 => self.below(1 << 40),
                _ => self.below(200),
            }
        }

        fn text(&mut self) -> Vec<u8> {
            let texts: [&[u8]; 7] = [
                b"",
                b"a",
                b"ab",
                b"a text that is longer than one word of eight bytes",
                "\u{4e2d}\u{1f600}".as_bytes(),
                b"eight by",
                &[0xff],
            ];
            // What is no UTF-8 only now and then.
            let kinds = if self.below(20) == 0 { 7 } else { 6 };
            texts[usize::try_from(self.below(kinds)).unwrap()].to_vec()
        }

        /// A message; mostly of fields that ascend.
        fn message(&mut self, depth: u32) -> Vec<u8> {
            let mut numbers: Vec<u32> = (1..=20).filter(|_| self.below(3) > 0).collect();
            if self.below(4) == 0 {
                let (one, other) = (self.below(20), self.below(20));
                let last = numbers.len().max(1) - 1;
                let at = |place: u64| usize::try_from(place).unwrap().min(last);
                if !numbers.is_empty() {
                    numbers.swap(at(one), at(other));
                    numbers.push(u32::try_from(1 + self.below(22)).unwrap());
                }
            }
            let mut out = Vec::new();
            for number in numbers {
                let times = match number {
                    8 | 10 | 11 | 13 | 16 | 17 | 19 | 20 => self.below(4),
                    9 => self.below(2),
                    _ => 1,
                };
                for _ in 0..times {
                    self.field(number, depth, &mut out);
                }
            }
            out
        }

        fn field(&mut self, number: u32, depth: u32, out: &mut Vec<u8>) {
            match number {
                1 | 4 | 6 | 14 | 21 => {
                    put_tag(number, 0, out);
                    let value = if number == 6 { self.below(3) } else { self.number() };
                    put_varint(value, out);
                }
                5 => {
                    put_tag(number, 1, out);
                    out.extend_from_slice(&[0.0, 0.25, -0.0, f64::NAN][self.choice(4)].to_le_bytes());
                }
                7 | 17 => {
                    let mut time = Vec::new();
                    for part in 1..=2 {
                        if self.below(3) > 0 {
                            put_tag(part, 0, &mut time);
                            let value = [0, 7_000_000, 1_700_000_000, 1, u64::MAX][self.choice(5)];
                            put_varint(value, &mut time);
                        }
                    }
                    put_bytes(number, &time, out);
                }
                9 => {
                    let mut packed = Vec::new();
                    (0..self.below(4)).for_each(|_| put_varint(self.number(), &mut packed));
                    put_bytes(number, &packed, out);
                }
                10 | 11 | 16 | 20 => {
                    let mut entry = Vec::new();
                    if self.below(9) > 0 {
                        match number {
                            10 => put_bytes(1, &self.text(), &mut entry),
                            20 => entry.extend_from_slice(&[
                                0x0d,
                                0,
                                0,
                                0,
                                u8::try_from(self.below(200)).unwrap(),
                            ]),
                            _ => entry.extend_from_slice(&[0x08, u8::try_from(self.below(100)).unwrap()]),
                        }
                    }
                    if self.below(9) > 0 {
                        match number {
                            10 | 20 => entry.extend_from_slice(&[0x10, u8::try_from(self.below(2)).unwrap()]),
                            11 => put_bytes(2, &self.text(), &mut entry),
                            _ => put_bytes(2, &self.nested(depth), &mut entry),
                        }
                    }
                    put_bytes(number, &entry, out);
                }
                12 | 13 => put_bytes(number, &self.nested(depth), out),
                _ => put_bytes(number, &self.text(), out),
            }
        }

        fn nested(&mut self, depth: u32) -> Vec<u8> {
            if depth == 0 || self.below(3) > 0 {
                return Vec::new();
            }
            self.message(depth - 1)
        }

        fn choice(&mut self, of: u64) -> usize {
            usize::try_from(self.below(of)).unwrap()
        }
    }

    /// What goes by the steps is what goes the general way: the same bytes, the same losses, the same errors, whatever the
    /// message and however near its limits.
    #[test]
    fn messages_in_order_are_written_as_all_others() {
        let bindings = Bindings::load("t.yaml", BINDING, &mut |_| Ok(PROTO.as_bytes().to_vec())).unwrap();
        let (echo, two) = (
            bindings.services()[0].rpc("Echo").unwrap(),
            bindings.services()[0].rpc("Two").unwrap(),
        );
        let mut random = Random(5);
        let mut written = 0;
        for round in 0..4000 {
            let mut message = random.message(3);
            if round % 4 == 3 {
                let all = u64::try_from(message.len()).unwrap();
                match random.below(3) {
                    0 => message.truncate(random.choice(all + 1)),
                    _ if all > 0 => message[random.choice(all)] = u8::try_from(random.below(256)).unwrap(),
                    _ => {}
                }
            }
            let method = if round % 5 == 4 {
                let mut args = Vec::new();
                put_bytes(1, &message, &mut args);
                put_bytes(2, b"text", &mut args);
                message = args;
                two
            } else {
                echo
            };
            let limits = Limits {
                nodes: if round % 7 == 0 {
                    u32::try_from(random.below(60)).unwrap()
                } else {
                    1 << 20
                },
                decoded_bytes: if round % 11 == 0 {
                    random.choice(300)
                } else {
                    1 << 20
                },
                ..Limits::DEFAULT
            };
            let run = |general: bool| {
                GENERAL.set(general);
                let mut scratch = Scratch::default();
                let hessian = method.arguments_to_hessian(&message, &mut scratch, &limits);
                let result = method.result_to_generic(&message, false, &mut scratch, &limits);
                GENERAL.set(false);
                let losses: Vec<_> = scratch.lossy.iter().collect();
                (
                    hessian.map_err(|error| error.to_string()),
                    result.map_err(|error| error.to_string()),
                    losses,
                )
            };
            let (steps, general) = (run(false), run(true));
            assert_eq!(steps, general, "{message:02x?}");
            written += usize::from(steps.0.is_ok());
        }
        assert!(written > 1000, "{written}");
    }
}
