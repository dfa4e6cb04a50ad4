//! What becomes of the fields of a stream's classes: worked out once for each class and message, kept between streams.
//!
//! A class definition comes with every stream and is nearly always the one that came before. So the steps it leads to are
//! kept by its bytes; a stream that brings another definition (an older release of the class) gets steps of its own.

use super::super::plan::{FieldPlan, MessagePlan, Shape, Types, get};
use super::super::wire;
use crate::hessian2::packed::{Kind, Packed};
use crate::hessian2::reader::Run;
use crate::hessian2::wire::TextAbout;
use crate::hessian2::{Class, Str};
use crate::protobuf::plan::{Conv, F, J};

/// No field of the message.
pub(super) const NONE: u16 = u16::MAX;

/// What is done with a value where the usual one is met; anything else is left to the general way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usual {
    /// The field is bound to nothing.
    Unbound,
    /// The field is bound to nothing and nobody misses it.
    Silent,
    /// None is usual: the general way.
    None,
    /// A string as `string`.
    Text,
    /// An int as `int32` or `int64`.
    Int,
    /// A long as `int64`.
    Long,
    Bool,
    Double,
    /// A Date as `Timestamp`.
    Date,
    /// An object of a bound class.
    Object,
}

/// What is done with one field of a class, or with the elements of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    usual: Usual,
    /// The default is not written.
    elide: bool,
    /// Null is written as nothing.
    nullable: bool,
    tag_len: u8,
    /// The protobuf tag, its first byte lowest.
    tag: u32,
    /// The field's place in the message, or `NONE`.
    pub(super) place: u16,
}

impl Step {
    const UNBOUND: Self = Self {
        usual: Usual::Unbound,
        elide: false,
        nullable: false,
        tag_len: 0,
        tag: 0,
        place: NONE,
    };

    const SILENT: Self = Self {
        usual: Usual::Silent,
        ..Self::UNBOUND
    };

    fn of_field(field: &FieldPlan, place: u16) -> Self {
        let step = match &field.shape {
            Shape::One(conv) => Self::of(conv, field.number, !field.presence),
            Shape::List(_) | Shape::Map(_) => Self {
                usual: Usual::None,
                ..Self::UNBOUND
            },
        };
        Self {
            nullable: field.presence,
            place,
            ..step
        }
    }

    /// The step of values that are converted so. `elide`: the default is not written.
    pub(super) fn of(conv: &Conv, number: u32, elide: bool) -> Self {
        let (usual, wire_type) = match (conv.java, &conv.proto) {
            (J::String, F::String) => (Usual::Text, wire::BYTES),
            (J::Int, F::Int32 | F::Int64) => (Usual::Int, wire::VARINT),
            (J::Long, F::Int64) => (Usual::Long, wire::VARINT),
            (J::Bool, F::Bool) => (Usual::Bool, wire::VARINT),
            (J::Double, F::Double) => (Usual::Double, wire::FIXED64),
            (J::Date, F::Timestamp) => (Usual::Date, wire::BYTES),
            (J::Object, F::Message(_)) => (Usual::Object, wire::BYTES),
            _ => (Usual::None, wire::BYTES),
        };
        let mut bytes = [0u8; 4];
        let mut rest = number << 3 | wire_type;
        let mut tag_len = 0u8;
        for byte in &mut bytes {
            tag_len = tag_len.wrapping_add(1);
            let [low, ..] = rest.to_le_bytes();
            if rest < 0x80 {
                *byte = low;
                rest = 0;
                break;
            }
            *byte = low | 0x80;
            rest >>= 7;
        }
        Self {
            // A number so high that its tag takes five bytes is left to the general way.
            usual: if rest == 0 { usual } else { Usual::None },
            elide,
            nullable: false,
            tag_len,
            tag: u32::from_le_bytes(bytes),
            place: NONE,
        }
    }

    /// The same for the elements of a packed list.
    pub(super) fn without_tag(self) -> Self {
        Self {
            tag_len: 0,
            tag: 0,
            ..self
        }
    }

    /// Whether a value of its kind is an object that is written with [`tag`](Self::put_tag) and length.
    #[inline(always)]
    pub(super) fn is_object(self) -> bool {
        self.usual == Usual::Object
    }

    #[inline(always)]
    pub(super) fn is_unbound(self) -> bool {
        self.place == NONE
    }

    /// Whether the field is passed over without a word: one with its name follows, or the compiler made it.
    pub(super) fn is_silent(self) -> bool {
        self.usual == Usual::Silent
    }

    /// Writes the field's tag.
    #[inline(always)]
    pub(super) fn put_tag(self, out: &mut Vec<u8>) {
        self.put(0, 0, out);
    }

    /// Writes the tag and `len` bytes of `value`, its first byte lowest.
    #[inline(always)]
    fn put(self, value: u64, len: usize, out: &mut Vec<u8>) {
        // Sixteen bytes at once, of which the first ones count: one check of the room, and no loop over bytes.
        let tag_len = usize::from(self.tag_len);
        // A shift by a constant is two instructions, one by a variable eight; field numbers are mostly below 16.
        let all = match self.tag_len {
            1 => u128::from(self.tag) | u128::from(value) << 8,
            len => u128::from(self.tag) | u128::from(value) << (len.wrapping_mul(8) & 127),
        };
        let end = out.len().wrapping_add(tag_len).wrapping_add(len);
        out.extend_from_slice(&all.to_le_bytes());
        out.truncate(end);
    }

    /// Writes the tag and a varint.
    #[inline(always)]
    fn put_varint(self, value: u64, out: &mut Vec<u8>) {
        if value < 0x80 {
            return self.put(value, 1, out);
        }
        if value >> 49 != 0 {
            self.put_tag(out);
            return wire::put_varint(value, out);
        }
        let (bytes, used) = varint(value);
        self.put(bytes, wire::index(used), out);
    }

    /// Writes the tag and a short text.
    #[inline(always)]
    fn put_text(self, text: &[u8; 32], len: usize, out: &mut Vec<u8>) {
        self.put(wire::length(len), 1, out);
        let end = out.len().wrapping_add(len);
        out.extend_from_slice(text);
        out.truncate(end);
    }

    /// Reads a value and writes it if it is the usual one. `false`: nothing was read or written, and the general way must.
    #[inline(always)]
    pub(super) fn read(self, run: &mut Run<'_>, out: &mut Vec<u8>) -> bool {
        let value = match self.usual {
            Usual::Text => match run.short_text() {
                Some((_, 0)) if self.elide => return true,
                Some((text, len)) => {
                    self.put_text(text, len, out);
                    return true;
                }
                None => match run.text() {
                    Some(raw) => {
                        if !(raw.is_empty() && self.elide) {
                            self.put_varint(wire::length(raw.len()), out);
                            out.extend_from_slice(raw);
                        }
                        return true;
                    }
                    None => None,
                },
            },
            Usual::Int => run.int().map(|value| self.integer(value, out)),
            Usual::Long => run.long().map(|value| self.integer(value, out)),
            Usual::Bool => run.bool().map(|value| self.bits(value, 1, out)),
            Usual::Double => run.double().map(|value| self.bits(value, 8, out)),
            Usual::Date => {
                let before = *run;
                match run.date() {
                    Some(millis) if self.timestamp(millis, out) => return true,
                    _ => *run = before,
                }
                None
            }
            Usual::Unbound | Usual::Silent | Usual::None | Usual::Object => None,
        };
        value.is_some() || self.nullable && run.null()
    }

    #[inline(always)]
    fn bits(self, bits: u64, len: usize, out: &mut Vec<u8>) -> bool {
        if !(self.elide && bits == 0) {
            self.put(bits, len, out);
        }
        true
    }

    /// What kind a map's key is that [`read`](Self::read) takes, as a bit; 0 for a key that may be of several.
    pub(super) fn kind_of_key(self) -> u8 {
        match self.usual {
            Usual::Text => TEXT,
            Usual::Int => INT,
            _ => 0,
        }
    }

    /// Writes a value if it is the usual one. `false`: nothing was written, and the general way must.
    #[inline(always)]
    pub(super) fn write(self, token: Packed, input: &[u8], out: &mut Vec<u8>) -> bool {
        match self.usual {
            Usual::Text if token.is(Kind::Str) => {
                let text = token.str(input);
                if !text.0.plain() {
                    return false;
                }
                let raw = text.0.raw;
                if !(raw.is_empty() && self.elide) {
                    self.put_varint(wire::length(raw.len()), out);
                    wire::append(raw, out);
                }
                true
            }
            Usual::Int if token.is(Kind::Int) => self.integer(token.number(), out),
            Usual::Long if token.is(Kind::Int) || token.is(Kind::Long) => self.integer(token.number(), out),
            Usual::Bool if token.is(Kind::Bool) => self.bits(token.bits(), 1, out),
            Usual::Double if token.is(Kind::Double) => self.bits(token.bits(), 8, out),
            Usual::Date if token.is(Kind::Date) => self.timestamp(token.number(), out),
            Usual::Unbound | Usual::Silent => false,
            _ => self.nullable && token.is(Kind::Null),
        }
    }

    #[inline(always)]
    fn integer(self, value: i64, out: &mut Vec<u8>) -> bool {
        if !(self.elide && value == 0) {
            self.put_varint(value.cast_unsigned(), out);
        }
        true
    }

    #[inline]
    fn timestamp(self, millis: i64, out: &mut Vec<u8>) -> bool {
        let (seconds, nanos) = super::scalar::split_millis(millis);
        if !super::scalar::TIMESTAMP_SECONDS.contains(&seconds) {
            return false;
        }
        if seconds > 0 && self.tag_len == 1 {
            // Tag, length, and both fields: 15 bytes at most.
            let (bytes, used) = varint(seconds.cast_unsigned());
            let mut body = 1 << 3 | u128::from(bytes) << 8;
            let mut len = used.wrapping_add(1);
            if nanos != 0 {
                let (bytes, used) = varint(u64::from(nanos));
                let part = 2 << 3 | u128::from(bytes) << 8;
                body |= part << (len.wrapping_mul(8) & 127);
                len = len.wrapping_add(used).wrapping_add(1);
            }
            let all = u128::from(self.tag) | u128::from(len) << 8 | body << 16;
            let end = out.len().wrapping_add(wire::index(len)).wrapping_add(2);
            out.extend_from_slice(&all.to_le_bytes());
            out.truncate(end);
            return true;
        }
        self.put(0, 1, out);
        let start = out.len();
        let part = |tag: u32| Self {
            tag,
            tag_len: 1,
            ..Self::UNBOUND
        };
        if seconds != 0 {
            part(1 << 3).put_varint(seconds.cast_unsigned(), out);
        }
        if nanos != 0 {
            part(2 << 3).put_varint(u64::from(nanos), out);
        }
        wire::end(start, out);
        true
    }
}

/// The bytes of a varint below 2^49, its first byte lowest, and how many they are.
#[inline(always)]
fn varint(value: u64) -> (u64, u32) {
    // Seven groups of seven bits, each into a byte of its own.
    let low = value & 0x0fff_ffff;
    let high = value >> 28;
    let low = (low & 0x3fff) | (low & 0x0fff_c000) << 2;
    let high = (high & 0x3fff) | (high & 0x0fff_c000) << 2;
    let spread = |half: u64| (half & 0x007f_007f) | (half & 0x3f80_3f80) << 1;
    let groups = spread(low) | spread(high) << 32;
    // The last byte that is not 0 ends the number; those before it say that more follows.
    let used = 8u32.wrapping_sub(groups.leading_zeros() >> 3);
    let more = (1u64 << (used.wrapping_sub(1).wrapping_mul(8) & 63)).wrapping_sub(1) & 0x8080_8080_8080_8080;
    (groups | more, used)
}

/// The kinds of a map's keys, as bits: an Integer 1 and a Long 1 are two keys for Java and may be one for protobuf.
pub(super) const INT: u8 = 1;
pub(super) const LONG: u8 = 2;
pub(super) const TEXT: u8 = 4;
pub(super) const OTHER: u8 = 8;

/// What becomes of the fields of one class that is read as one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClassMap {
    message: u32,
    /// The map of the same class for the message before.
    older: u32,
    /// The number of its first field's step.
    pub(super) start: u32,
    pub(super) count: u32,
    /// The class is not bound itself: its superclass is.
    pub(super) sliced: bool,
    /// The fields come in the order of their numbers.
    pub(super) in_order: bool,
}

const NO_MAP: u32 = u32::MAX;

/// The class maps of a stream, and those of streams before.
#[derive(Debug, Default)]
pub(super) struct ClassMaps {
    /// The newest map of each class of the stream.
    newest: Vec<u32>,
    maps: Vec<ClassMap>,
    steps: Vec<Step>,
    /// The fields by ascending number, for each map.
    order: Vec<u16>,
    /// Where the fields of the open objects end in the output.
    ends: Vec<usize>,
    /// For bringing them into order.
    spare: Vec<u8>,
    known: Vec<Option<Box<KnownClass>>>,
}

/// A class definition as it came, and what became of its fields.
#[derive(Debug)]
struct KnownClass {
    types: u64,
    message: u32,
    /// How its name lies in the definition, which tells what its bytes mean.
    name: TextAbout,
    definition: Box<[u8]>,
    steps: Box<[Step]>,
    order: Box<[u16]>,
    sliced: bool,
    in_order: bool,
}

/// Fields that compilers and tools add to a class.
const MADE: [&str; 3] = ["this$0", "$jacocoData", "serialVersionUID"];

/// The fields of every Throwable. What of them an exception's message does not bind travels beside it, or not at all.
pub(super) const THROWABLE: [&str; 4] = ["detailMessage", "cause", "stackTrace", "suppressedExceptions"];

/// What a table keeps of its room from one stream to the next, in entries.
const MOST_KEPT: usize = 1 << 16;

/// How many definitions are kept, and how large the largest may be: 1 MiB in all at most.
const KNOWN: usize = 256;
const LARGEST_KNOWN: usize = 2048;
const MOST_FIELDS_KNOWN: usize = 128;

impl ClassMaps {
    /// Forgets the stream, but not the classes.
    pub(super) fn clear(&mut self) {
        empty(&mut self.newest);
        empty(&mut self.maps);
        empty(&mut self.steps);
        empty(&mut self.order);
        empty(&mut self.ends);
        if self.spare.capacity() > super::MOST_KEPT {
            self.spare = Vec::new();
        }
    }

    /// The map of a class that was read as this message before in this stream.
    #[inline]
    pub(super) fn find(&self, message: u32, class: u32) -> Option<u32> {
        let mut number = *get(&self.newest, class)?;
        loop {
            let map = get(&self.maps, number)?;
            if map.message == message {
                return Some(number);
            }
            number = map.older;
        }
    }

    /// A map by its number.
    #[inline(always)]
    pub(super) fn map(&self, number: u32) -> &ClassMap {
        static NONE: ClassMap = ClassMap {
            message: 0,
            older: NO_MAP,
            start: 0,
            count: 0,
            sliced: false,
            in_order: true,
        };
        get(&self.maps, number).unwrap_or(&NONE)
    }

    /// The step of a field.
    #[inline(always)]
    pub(super) fn step(&self, number: u32) -> Step {
        get(&self.steps, number).map_or(Step::UNBOUND, |step| *step)
    }

    /// Reads and writes the fields of an object from `position` on whose values are the usual ones; gives the first position
    /// whose value is not.
    #[inline(always)]
    pub(super) fn usual(
        &mut self,
        map: ClassMap,
        position: u32,
        run: &mut Run<'_>,
        out: &mut Vec<u8>,
    ) -> u32 {
        let first = wire::index(map.start.wrapping_add(position));
        let end = wire::index(map.start.wrapping_add(map.count));
        let mut position = position;
        for step in self.steps.get(first..end).unwrap_or_default() {
            if !step.read(run, out) {
                break;
            }
            if !map.in_order {
                self.ends.push(out.len());
            }
            position = position.wrapping_add(1);
        }
        position
    }

    /// Works out, or finds, what becomes of a class. Whether it is sliced is the caller's matter: `check` says.
    pub(super) fn add<E>(
        &mut self,
        types: &Types,
        message: u32,
        class: u32,
        definition: Class<'_, '_>,
        check: impl FnOnce(Str<'_>) -> Result<bool, E>,
    ) -> Result<u32, E> {
        let bytes = definition.bytes();
        let name = definition.name().0.about;
        let slot = slot_of(types.id, message, bytes.len());
        let ways = [slot, slot ^ 1];
        let hit = ways.into_iter().find(|way| {
            self.known
                .get(*way)
                .and_then(Option::as_deref)
                .is_some_and(|known| {
                    known.types == types.id
                        && known.message == message
                        && known.name == name
                        && *known.definition == *bytes
                })
        });
        let (start, at) = (self.steps.len(), self.order.len());
        let (sliced, in_order);
        if let Some(known) = hit.and_then(|way| self.known.get(way)).and_then(Option::as_deref) {
            self.steps.extend_from_slice(&known.steps);
            self.order.extend_from_slice(&known.order);
            (sliced, in_order) = (known.sliced, known.in_order);
            if sliced {
                check(definition.name())?;
            }
        } else {
            in_order = self.work_out(types.message(message), definition);
            sliced = check(definition.name())?;
            if bytes.len() <= LARGEST_KNOWN && definition.field_count() <= MOST_FIELDS_KNOWN {
                self.known.resize_with(KNOWN, || None);
                // The newer one of two that share a place is the likelier one to come again.
                self.known.swap(slot, slot ^ 1);
                if let Some(slot) = self.known.get_mut(slot) {
                    *slot = Some(Box::new(KnownClass {
                        types: types.id,
                        message,
                        name,
                        definition: bytes.into(),
                        steps: self.steps.get(start..).unwrap_or_default().into(),
                        order: self.order.get(at..).unwrap_or_default().into(),
                        sliced,
                        in_order,
                    }));
                }
            }
        }
        let index = wire::index(class);
        if self.newest.len() <= index {
            self.newest.resize(index.saturating_add(1), NO_MAP);
        }
        let number = narrow(self.maps.len());
        let older = self
            .newest
            .get_mut(index)
            .map_or(NO_MAP, |newest| std::mem::replace(newest, number));
        let map = ClassMap {
            message,
            older,
            start: narrow(start),
            count: narrow(definition.field_count()),
            sliced,
            in_order,
        };
        self.maps.push(map);
        Ok(number)
    }

    /// Appends the steps and the order of a class; says whether its fields are in order already.
    fn work_out(&mut self, message: &MessagePlan, definition: Class<'_, '_>) -> bool {
        let (start, at) = (self.steps.len(), self.order.len());
        let is_throwable = THROWABLE
            .iter()
            .all(|own| definition.fields().any(|name| name.is(own)));
        // Where the step of each field of the message is.
        let mut last = vec![None; message.fields.len()];
        for (position, name) in definition.fields().enumerate() {
            let place = message.by_java.get(&*name.to_cow()).copied().unwrap_or(NONE);
            // Of two fields with one name the later one is the subclass's, and wins.
            let earlier = last
                .get_mut(usize::from(place))
                .and_then(|last| last.replace(self.steps.len()));
            if let Some(step) = earlier.and_then(|earlier: usize| self.steps.get_mut(earlier)) {
                *step = Step::SILENT;
            }
            self.steps.push(match message.fields.get(usize::from(place)) {
                Some(field) => Step::of_field(field, place),
                None if MADE.iter().any(|made| name.is(made)) => Step::SILENT,
                None if is_throwable && THROWABLE.iter().any(|own| name.is(own)) => Step::SILENT,
                None => Step::UNBOUND,
            });
            self.order.push(u16::try_from(position).unwrap_or(NONE));
        }
        let steps = self.steps.get(start..).unwrap_or_default();
        let place = |position: &u16| steps.get(usize::from(*position)).map_or(NONE, |step| step.place);
        let order = self.order.get_mut(at..).unwrap_or_default();
        // Fields that are bound to nothing mostly write nothing. Those that do, into a map that collects them, come last.
        let in_order = match message.collect {
            None => order.iter().map(place).filter(|place| *place != NONE).is_sorted(),
            Some(_) => order.iter().map(place).is_sorted(),
        };
        if !in_order {
            order.sort_by_key(place);
        }
        in_order
    }

    /// Where the fields of one more object will be noted.
    #[inline(always)]
    pub(super) fn open(&self) -> usize {
        self.ends.len()
    }

    /// Notes that a field ends here.
    #[inline(always)]
    pub(super) fn ended(&mut self, at: usize) {
        self.ends.push(at);
    }

    /// Brings what the fields of an object wrote from `first` on into the order of their numbers: Java writes them in an
    /// order of its own.
    pub(super) fn arrange(&mut self, map: u32, base: usize, first: usize, out: &mut Vec<u8>) {
        let map = *self.map(map);
        let ends = self.ends.get(base..).unwrap_or_default();
        let start = wire::index(map.start);
        let order = self.order.get(start..start.wrapping_add(wire::index(map.count)));
        self.spare.clear();
        for position in order.unwrap_or_default() {
            let position = usize::from(*position);
            let from = match position.checked_sub(1) {
                Some(before) => ends.get(before).copied().unwrap_or(first),
                None => first,
            };
            let end = ends.get(position).copied().unwrap_or(from);
            self.spare
                .extend_from_slice(out.get(from..end).unwrap_or_default());
        }
        out.truncate(first);
        out.extend_from_slice(&self.spare);
        self.ends.truncate(base);
    }
}

/// Empties a table; one that an unusual stream made large is given back.
fn empty<T>(table: &mut Vec<T>) {
    table.clear();
    if table.capacity() > MOST_KEPT {
        *table = Vec::new();
    }
}

fn slot_of(types: u64, message: u32, len: usize) -> usize {
    let mixed = types
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(u64::from(message).wrapping_mul(0xff51_afd7_ed55_8ccd))
        .wrapping_add(wire::length(len).wrapping_mul(0xc4ce_b9fe_1a85_ec53));
    usize::try_from(mixed >> 56).unwrap_or(0)
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_unusual_stream_made_large_is_given_back() {
        let mut maps = ClassMaps {
            spare: Vec::with_capacity(16 << 20),
            steps: Vec::with_capacity(1 << 20),
            ends: Vec::with_capacity(1 << 10),
            ..ClassMaps::default()
        };
        maps.clear();
        assert!(maps.spare.capacity() <= super::super::MOST_KEPT);
        assert!(maps.steps.capacity() <= MOST_KEPT);
        assert!(maps.ends.capacity() >= 1 << 10);
    }
}
