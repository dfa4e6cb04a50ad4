//! Protobuf to Hessian: each message is scanned once to find its fields, which are then written in the order of their
//! numbers. Nothing is built but a table of offsets in reused memory.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use smallvec::SmallVec;

use super::super::error::{Fallible, Rule, fault};
use super::super::plan::{
    Conv, F, FieldPlan, J, ListPlan, MapPlan, MessagePlan, Shape, Types, Usual, WireStep, get,
};
use super::super::wire::{self, Fields, Wire};
use super::elements::{Elements, Entry, Key, default_of, is_default, occurrences};
use super::{Lossy, Scratch};
use crate::hessian2::wire::{index, is_ascii};
use crate::hessian2::{Limits, Writer};

/// For how many entries of maps the worker keeps the room.
const MOST_ENTRIES: usize = 1 << 14;

/// How deep messages may nest.
const MOST_DEPTH: u32 = 64;

/// Where a field lies in its message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot {
    /// The last value: a number, or where its bytes begin.
    value: u64,
    /// How long its bytes are.
    len: usize,
    /// Where the first occurrence begins, tag included.
    first: usize,
    /// Where the last one ends.
    end: usize,
    /// Values: elements for a repeated field, occurrences for another.
    count: usize,
}

impl Slot {
    /// A field whose first occurrence begins here.
    pub(super) fn at(first: usize) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }

    /// Notes a value that ends at `end`, or so many of them.
    pub(super) fn note(&mut self, wire: Wire<'_>, end: usize, count: usize) {
        self.end = end;
        self.count = self.count.saturating_add(count);
        match wire {
            Wire::Varint(value) | Wire::Fixed64(value) => self.value = value,
            Wire::Fixed32(value) => self.value = u64::from(value),
            Wire::Bytes(content) => {
                self.len = content.len();
                self.value = wire::length(end.saturating_sub(content.len()));
            }
        }
    }
}

/// What the fields of a message are that are not asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Others<'p> {
    /// Asked for by another walk, or counted by one.
    Elsewhere,
    /// Bound to nothing.
    Unknown,
    /// Bound to nothing, but for those that the message collects.
    Of(&'p MessagePlan),
}

/// One walk.
pub(super) struct ToHessian<'s, 'o> {
    pub(super) writer: Writer<'o>,
    pub(super) types: &'s Types,
    pub(super) lossy: &'s mut Lossy,
    slots: &'s mut Vec<Slot>,
    /// The entries of the maps being written.
    entries: &'s mut Vec<Entry>,
    /// Messages being written as objects, with their reference numbers.
    open: &'s mut Vec<(u32, u32)>,
    depth: u32,
    /// Steps left.
    nodes: u32,
    /// How long the output may become.
    most: usize,
    /// Bytes that messages in several pieces may still take when they are put together.
    merging: usize,
    /// Classes that are written for values without a plan, by name and fields; hashed, because the caller chooses them.
    pub(super) classes: HashMap<Vec<u8>, u32>,
    /// How many of them there may be.
    pub(super) most_classes: usize,
    /// Write objects as maps, as a generic caller wants them.
    pub(super) generic: bool,
}

impl<'s, 'o> ToHessian<'s, 'o> {
    pub(super) fn new(
        writer: Writer<'o>,
        types: &'s Types,
        scratch: &'s mut Scratch,
        limits: &Limits,
    ) -> Self {
        scratch.slots.clear();
        scratch.entries.clear();
        if scratch.entries.capacity() > MOST_ENTRIES {
            scratch.entries = Vec::new();
        }
        scratch.open.clear();
        Self {
            most: writer.len().saturating_add(limits.decoded_bytes),
            merging: limits.decoded_bytes,
            most_classes: index(limits.classes),
            writer,
            types,
            lossy: &mut scratch.lossy,
            slots: &mut scratch.slots,
            entries: &mut scratch.entries,
            open: &mut scratch.open,
            depth: 0,
            nodes: limits.nodes,
            classes: HashMap::new(),
            generic: false,
        }
    }

    #[cold]
    pub(super) fn lose(&mut self, rule: Rule, detail: &str) -> Fallible<()> {
        self.lossy.apply(rule, self.types.policies.get(rule), detail)?;
        Ok(())
    }

    #[inline]
    pub(super) fn step(&mut self, steps: usize) -> Fallible<()> {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        match self.nodes.checked_sub(steps) {
            Some(left) => {
                self.nodes = left;
                Ok(())
            }
            None => Err(fault(Rule::Limit, "message has too many values")),
        }
    }

    /// Refuses to go on when the output has passed its limit: an empty message becomes an object of all its fields.
    #[inline]
    pub(super) fn within_limit(&self) -> Fallible<()> {
        if self.writer.len() > self.most {
            return Err(fault(Rule::Limit, "converted value is too large"));
        }
        Ok(())
    }

    /// Counts bytes of a message in several pieces before they are put together.
    fn merge(&mut self, bytes: usize) -> Fallible<()> {
        match self.merging.checked_sub(bytes) {
            Some(left) => {
                self.merging = left;
                Ok(())
            }
            None => Err(fault(Rule::Limit, "message has too many values in pieces")),
        }
    }

    /// The occurrences of a message field as one message.
    fn merged(&mut self, bytes: &[u8], field: u32, slot: &Slot) -> Fallible<Vec<u8>> {
        let mut merged = Vec::new();
        let mut fields = Fields::from(bytes.get(..slot.end).unwrap_or(bytes), slot.first);
        while let Some((number, wire)) = fields.next_field()? {
            if let (true, Wire::Bytes(piece)) = (number == field, wire) {
                self.merge(piece.len())?;
                merged.extend_from_slice(piece);
            }
        }
        Ok(merged)
    }

    pub(super) fn deeper(&mut self) -> Fallible<()> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MOST_DEPTH {
            return Err(fault(Rule::Limit, "message nests too deep"));
        }
        Ok(())
    }

    pub(super) fn shallower(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// The message is the value.
    pub(super) fn whole(&mut self, conv: &Conv, message: &[u8]) -> Fallible<()> {
        self.content(conv, message)
    }

    /// The values of some fields of a message, in the order given; they need not be sorted.
    pub(super) fn fields(
        &mut self,
        message: &[u8],
        fields: &[FieldPlan],
        others: Others<'_>,
    ) -> Fallible<()> {
        if let Some(steps) = WireStep::of_all::<SmallVec<[_; 8]>>(fields)
            && self.in_order(message, fields, &steps)?
        {
            return Ok(());
        }
        let base = self.scan(message, fields, others)?;
        for (index, field) in fields.iter().enumerate() {
            self.field(message, field, base.wrapping_add(index))
                .map_err(|fault| fault.within(&field.name))?;
        }
        self.slots.truncate(base);
        Ok(())
    }

    /// How often the message has fields that are none of these.
    pub(super) fn count_unknown(&mut self, message: &[u8], fields: &[FieldPlan]) -> Fallible<()> {
        let mut found = Fields::new(message);
        while let Some((number, _)) = found.next_field()? {
            if fields.iter().all(|field| field.number != number) {
                self.lose(Rule::UnknownProtoField, "message has a field that is not bound")?;
            }
        }
        Ok(())
    }

    /// An object of a bound message.
    pub(super) fn object(&mut self, id: u32, bytes: &[u8]) -> Fallible<()> {
        let message = self.types.message(id);
        self.deeper()?;
        if message.collect.is_some() || self.generic {
            return self.special_object(id, message, bytes);
        }
        let names = message.class_fields.iter().map(String::as_str);
        let reference = self
            .writer
            .begin_object_of(wire::index(id), &message.class, names);
        self.open.push((id, reference));
        self.members(message, bytes)?;
        for (_, value) in &message.defaults {
            self.constant(value);
        }
        self.open.pop();
        self.shallower();
        Ok(())
    }

    /// An object with fields that no protobuf field is bound to, or one in the generic style.
    #[inline(never)]
    fn special_object(&mut self, id: u32, message: &'s MessagePlan, bytes: &[u8]) -> Fallible<()> {
        let collected = match message.collect {
            Some(number) => self.collected(message, number, bytes)?,
            None => BTreeMap::new(),
        };
        if self.generic {
            return self.object_as_map(message, bytes, &collected);
        }
        let names = message.class_fields.iter().map(String::as_str);
        let reference = if collected.is_empty() {
            self.writer
                .begin_object_of(wire::index(id), &message.class, names)
        } else {
            let names: Vec<String> = names
                .chain(collected.keys().copied())
                .map(str::to_owned)
                .collect();
            self.begin_dynamic(&message.class, &names)?
        };
        self.open.push((id, reference));
        self.members(message, bytes)?;
        for (_, value) in &message.defaults {
            self.constant(value);
        }
        for (name, value) in collected {
            self.java_value(value).map_err(|fault| fault.within(name))?;
        }
        self.open.pop();
        self.shallower();
        Ok(())
    }

    /// The values of an object's fields, those of its superclasses in their place.
    fn members(&mut self, message: &'s MessagePlan, bytes: &[u8]) -> Fallible<()> {
        let plans = message.own_fields();
        if let Some(steps) = message.steps()
            && self.in_order(bytes, plans, steps)?
        {
            return Ok(());
        }
        let base = self.scan(bytes, plans, Others::Of(message))?;
        for (index, field) in plans.iter().enumerate() {
            let slot = base.wrapping_add(index);
            let parent = message.parents.iter().find(|(place, _)| *place == index);
            match parent {
                None => self.field(bytes, field, slot),
                Some((_, parent)) => {
                    let parent = self.types.message(*parent);
                    let content = self.whole_content(bytes, field, slot)?;
                    self.deeper()?;
                    let done = self.members(parent, &content);
                    self.shallower();
                    done
                }
            }
            .map_err(|fault| fault.within(&field.name))?;
        }
        self.slots.truncate(base);
        Ok(())
    }

    /// The bytes of a message field, its pieces put together; none when it is absent.
    fn whole_content<'b>(
        &mut self,
        bytes: &'b [u8],
        field: &FieldPlan,
        slot: usize,
    ) -> Fallible<Cow<'b, [u8]>> {
        let slot = self.slots.get(slot).copied().unwrap_or_default();
        if slot.count > 1 {
            return Ok(Cow::Owned(self.merged(bytes, field.number, &slot)?));
        }
        let start = usize::try_from(slot.value).unwrap_or(usize::MAX);
        let content = bytes.get(start..start.saturating_add(slot.len));
        Ok(Cow::Borrowed(
            content.filter(|_| slot.count > 0).unwrap_or_default(),
        ))
    }

    /// The Java fields that were collected because no protobuf field is bound to them.
    fn collected<'b>(
        &mut self,
        message: &MessagePlan,
        number: u32,
        bytes: &'b [u8],
    ) -> Fallible<BTreeMap<&'b str, &'b [u8]>> {
        let mut collected = BTreeMap::new();
        let mut fields = Fields::new(bytes);
        while let Some((found, wire)) = fields.next_field()? {
            if let (true, Wire::Bytes(entry)) = (found == number, wire) {
                let (name, value) = self.named(entry)?;
                if message.class_fields.iter().any(|known| known == name) {
                    return Err(fault(
                        Rule::DuplicateKey,
                        "a collected field is bound to another field",
                    ));
                }
                collected.insert(name, value.last().copied().unwrap_or_default());
            }
        }
        Ok(collected)
    }

    /// An object in the generic style.
    fn object_as_map(
        &mut self,
        message: &'s MessagePlan,
        bytes: &[u8],
        collected: &BTreeMap<&str, &[u8]>,
    ) -> Fallible<()> {
        self.writer.begin_map(None);
        self.writer.string("class");
        self.writer.string(&message.class);
        self.entries(message, bytes)?;
        for (name, value) in &message.defaults {
            self.writer.string(name);
            self.constant(value);
        }
        for (name, value) in collected {
            self.writer.string(name);
            self.java_value(value).map_err(|fault| fault.within(name))?;
        }
        self.writer.end();
        self.shallower();
        Ok(())
    }

    fn entries(&mut self, message: &'s MessagePlan, bytes: &[u8]) -> Fallible<()> {
        let plans = message.own_fields();
        let base = self.scan(bytes, plans, Others::Of(message))?;
        for (index, field) in plans.iter().enumerate() {
            let slot = base.wrapping_add(index);
            let parent = message.parents.iter().find(|(place, _)| *place == index);
            if let Some((_, parent)) = parent {
                let parent = self.types.message(*parent);
                let content = self.whole_content(bytes, field, slot)?;
                self.deeper()?;
                self.entries(parent, &content)
                    .map_err(|fault| fault.within(&field.name))?;
                self.shallower();
                continue;
            }
            if field.back_reference {
                continue;
            }
            self.writer.string(&field.java);
            self.field(bytes, field, slot)
                .map_err(|fault| fault.within(&field.name))?;
        }
        self.slots.truncate(base);
        Ok(())
    }

    fn constant(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::Bool(value) => self.writer.bool(*value),
            serde_json::Value::String(text) => self.writer.string(text),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(value) => match i32::try_from(value) {
                    Ok(short) => self.writer.int(short),
                    Err(_) => self.writer.long(value),
                },
                None => self.writer.double(number.as_f64().unwrap_or_default()),
            },
            _ => self.writer.null(),
        }
    }

    /// Finds the fields of a message; gives where their slots begin.
    fn scan(&mut self, bytes: &[u8], plans: &[FieldPlan], others: Others<'_>) -> Fallible<usize> {
        let base = self.slots.len();
        self.slots
            .resize(base.saturating_add(plans.len()), Slot::default());
        let mut fields = Fields::new(bytes);
        let mut hint = 0usize;
        loop {
            let start = fields.at;
            let Some((number, wire)) = fields.next_field()? else {
                return Ok(base);
            };
            self.step(1)?;
            // Most writers go by ascending numbers: look where the last one was, then beside it, then everywhere.
            let place = match (plans.get(hint), plans.get(hint.wrapping_add(1))) {
                (Some(plan), _) if plan.number == number => Some(hint),
                (_, Some(plan)) if plan.number == number => Some(hint.wrapping_add(1)),
                _ => plans.iter().position(|plan| plan.number == number),
            };
            let found = place.and_then(|place| Some((place, plans.get(place)?)));
            let Some((place, plan)) = found else {
                let unknown = match others {
                    Others::Elsewhere => false,
                    Others::Unknown => true,
                    Others::Of(message) => message.collect != Some(number),
                };
                if unknown {
                    self.lose(Rule::UnknownProtoField, "message has a field that is not bound")?;
                }
                continue;
            };
            hint = place;
            let Some(count) = occurrences(plan, wire)? else {
                continue;
            };
            self.step(count)?;
            let Some(slot) = self.slots.get_mut(base.wrapping_add(place)) else {
                continue;
            };
            if slot.count == 0 {
                slot.first = start;
            }
            slot.note(wire, fields.at, count);
        }
    }

    fn field(&mut self, bytes: &[u8], field: &FieldPlan, slot: usize) -> Fallible<()> {
        let slot = self.slots.get(slot).copied().unwrap_or_default();
        self.field_of(bytes, field, &slot)
    }

    /// A field that lies in its message as the slot says.
    pub(super) fn field_of(&mut self, bytes: &[u8], field: &FieldPlan, slot: &Slot) -> Fallible<()> {
        match &field.shape {
            Shape::One(conv) if slot.count == 0 => self.absent(field, conv),
            Shape::One(conv) => {
                let wire = stored(conv, slot, bytes);
                if !field.presence && is_default(wire) {
                    // An encoder may write a default or leave it out.
                    return self.absent(field, conv);
                }
                if slot.count > 1 && conv.proto.is_message() {
                    // Several occurrences of one message are one message in pieces.
                    let merged = self.merged(bytes, field.number, slot)?;
                    return self.value(conv, Wire::Bytes(&merged));
                }
                self.value(conv, wire)
            }
            Shape::List(_) | Shape::Map(_) if slot.count == 0 && field.empty_as_null => {
                self.writer.null();
                Ok(())
            }
            Shape::List(plan) => self.list(bytes, field, plan, slot),
            Shape::Map(plan) => self.map(bytes, field, plan, slot),
        }
    }

    fn absent(&mut self, field: &FieldPlan, conv: &Conv) -> Fallible<()> {
        if field.back_reference
            && let F::Message(id) = conv.proto
        {
            // The nearest enclosing object of that class, not this one's own.
            let parent = self
                .open
                .iter()
                .rev()
                .skip(1)
                .find(|(open, _)| *open == id)
                .map(|(_, reference)| *reference);
            match parent {
                Some(reference) => self.writer.reference(reference),
                None => self.writer.null(),
            }
            return Ok(());
        }
        if field.primitive {
            self.primitive_default(conv.java);
            return Ok(());
        }
        if field.presence || field.zero_as_null || conv.empty_is_null() {
            self.writer.null();
            return Ok(());
        }
        self.value(conv, default_of(&conv.proto))
    }

    fn primitive_default(&mut self, java: J) {
        match java {
            J::Bool => self.writer.bool(false),
            J::Char => self.writer.string("\0"),
            J::Long => self.writer.long(0),
            J::Float | J::Double => self.writer.double(0.0),
            _ => self.writer.int(0),
        }
    }

    /// One value as it lies on the wire.
    #[inline]
    pub(super) fn value(&mut self, conv: &Conv, wire: Wire<'_>) -> Fallible<()> {
        match (wire, &conv.proto) {
            (Wire::Bytes(bytes), F::String) if conv.java == J::String && is_ascii(bytes) => {
                self.writer.ascii(bytes);
                Ok(())
            }
            (Wire::Bytes(bytes), F::String) => {
                let text = simdutf8::basic::from_utf8(bytes)
                    .map_err(|_| fault(Rule::Malformed, "string field is not UTF-8"))?;
                self.text(conv, text)
            }
            (Wire::Bytes(bytes), F::Bytes) => self.bytes(conv.java, bytes),
            (Wire::Bytes(bytes), _) => self.content(conv, bytes),
            (number, _) => self.number(conv, number),
        }
    }

    /// What is inside of a message type.
    pub(super) fn content(&mut self, conv: &Conv, bytes: &[u8]) -> Fallible<()> {
        self.within_limit()?;
        match &conv.proto {
            F::Message(id) => self.object(*id, bytes),
            F::Polymorphic(id) => self.branch(*id, bytes),
            F::Wrapped(inner) => self.wrapped(conv, inner, bytes),
            F::Holder(field) | F::Nullable(field) => {
                self.deeper()?;
                self.fields(bytes, std::slice::from_ref(&**field), Others::Unknown)?;
                self.shallower();
                Ok(())
            }
            F::Struct | F::Value | F::ListValue | F::JavaValue | F::AnyMessage => {
                self.deeper()?;
                self.dynamic(conv, bytes)?;
                self.shallower();
                Ok(())
            }
            _ => self.well_known(conv, bytes),
        }
    }

    fn wrapped(&mut self, conv: &Conv, inner: &F, bytes: &[u8]) -> Fallible<()> {
        let mut value = default_of(inner);
        let mut fields = Fields::new(bytes);
        while let Some((number, wire)) = fields.next_field()? {
            if number == 1 && std::mem::discriminant(&wire) == std::mem::discriminant(&value) {
                value = wire;
            }
        }
        let inner = Conv {
            proto: inner.clone(),
            ..conv.clone()
        };
        self.value(&inner, value)
    }

    fn branch(&mut self, id: u32, bytes: &[u8]) -> Fallible<()> {
        let Some(plan) = get(&self.types.polymorphic, id) else {
            return Err(fault(Rule::Kind, "no such oneof"));
        };
        let mut chosen: Option<(u32, &str, Vec<&[u8]>)> = None;
        let mut fields = Fields::new(bytes);
        while let Some((number, wire)) = fields.next_field()? {
            self.step(1)?;
            let branch = plan.branches.iter().find(|(known, ..)| *known == number);
            if let (Some((_, name, message)), Wire::Bytes(content)) = (branch, wire) {
                match &mut chosen {
                    Some((same, _, pieces)) if same == message => pieces.push(content),
                    _ => chosen = Some((*message, name, vec![content])),
                }
            }
        }
        match chosen {
            None => {
                self.writer.null();
                Ok(())
            }
            Some((message, name, pieces)) => match pieces.as_slice() {
                [only] => self.object(message, only),
                several => {
                    self.merge(
                        several
                            .iter()
                            .map(|piece| piece.len())
                            .fold(0, usize::saturating_add),
                    )?;
                    self.object(message, &several.concat())
                }
            }
            .map_err(|fault| fault.within(name)),
        }
    }

    fn list(&mut self, bytes: &[u8], field: &FieldPlan, plan: &ListPlan, slot: &Slot) -> Fallible<()> {
        let scope = bytes.get(..slot.end).unwrap_or(bytes);
        if let Some(class) = &plan.enum_set {
            return self.enum_set(scope, field, plan, class, slot);
        }
        if plan.set && slot.count > 1 {
            return self.set(scope, field, plan, plan.write_as.as_deref(), slot);
        }
        self.writer.begin_list(plan.write_as.as_deref(), slot.count);
        if slot.count == 0 {
            return Ok(());
        }
        let mut index = 0usize;
        let mut elements = Elements::new(scope, field.number, &plan.item.proto, slot.first);
        while let Some(wire) = elements.next_element()? {
            self.value(&plan.item, wire)
                .map_err(|fault| fault.within(&format!("[{index}]")))?;
            index = index.wrapping_add(1);
        }
        // What was passed over between the elements counts as steps.
        self.step(elements.passed)
    }

    /// An `EnumSet`: the object that Java writes in its place. In the generic style it is a set like any other.
    fn enum_set(
        &mut self,
        scope: &[u8],
        field: &FieldPlan,
        plan: &ListPlan,
        class: &str,
        slot: &Slot,
    ) -> Fallible<()> {
        if self.generic {
            return self.set(scope, field, plan, Some("java.util.HashSet"), slot);
        }
        self.begin_enum_set();
        self.set(scope, field, plan, Some("[object"), slot)?;
        self.class_object(class);
        Ok(())
    }

    fn set(
        &mut self,
        scope: &[u8],
        field: &FieldPlan,
        plan: &ListPlan,
        write_as: Option<&str>,
        slot: &Slot,
    ) -> Fallible<()> {
        let mut distinct: Vec<Wire<'_>> = Vec::with_capacity(slot.count.min(1024));
        let mut seen: HashSet<Key<'_>> = HashSet::new();
        let mut elements = Elements::new(scope, field.number, &plan.item.proto, slot.first);
        while let Some(wire) = elements.next_element()? {
            if seen.insert(Key::of(wire)) {
                distinct.push(wire);
            } else {
                self.lose(Rule::DupSetElement, "the same element twice for a Set")?;
            }
        }
        self.step(elements.passed)?;
        self.writer.begin_list(write_as, distinct.len());
        for (index, wire) in distinct.into_iter().enumerate() {
            self.value(&plan.item, wire)
                .map_err(|fault| fault.within(&format!("[{index}]")))?;
        }
        Ok(())
    }

    fn map(&mut self, bytes: &[u8], field: &FieldPlan, plan: &MapPlan, slot: &Slot) -> Fallible<()> {
        let scope = bytes.get(..slot.end).unwrap_or(bytes);
        let base = self.entries.len();
        if slot.count > 0 {
            let mut fields = Fields::from(scope, slot.first);
            while let Some((number, wire)) = fields.next_field()? {
                self.step(1)?;
                if let (true, Wire::Bytes(content)) = (number == field.number, wire) {
                    self.entry(content, fields.at, plan)?;
                }
            }
        }
        self.map_of(plan, scope, base)
    }

    /// Notes an entry of a map that ends at `end`.
    #[inline]
    pub(super) fn entry(&mut self, content: &[u8], end: usize, plan: &MapPlan) -> Fallible<()> {
        let entry = Entry::of(content, end, plan)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Where the entries of one more map will be noted.
    pub(super) fn first_entry(&self) -> usize {
        self.entries.len()
    }

    /// The map of the entries that were noted from `base` on.
    pub(super) fn map_of(&mut self, plan: &MapPlan, scope: &[u8], base: usize) -> Fallible<()> {
        self.writer.begin_map(plan.write_as.as_deref());
        if !plan.entries {
            // By ascending key; of equal ones the last counts.
            sort(self.entries.get_mut(base..).unwrap_or_default(), scope);
            if plan.check_back {
                keep_last(self.entries, base, scope);
            }
        }
        if plan.check_back {
            self.check_keys(plan, scope, base)?;
        }
        let usual = (Usual::of(&plan.key), Usual::of(&plan.value));
        let (mut at, mut index) = (base, 0usize);
        while let Some(entry) = self.entries.get(at).copied() {
            at = at.saturating_add(1);
            let after = self.entries.get(at).filter(|_| !plan.entries);
            if after.is_some_and(|after| after.same_key(&entry, scope)) {
                continue;
            }
            let (key, value) = entry.read(scope, plan)?;
            let within = |fault: Box<super::super::error::Fault>, part: &str| {
                fault.within(part).within(&format!("[{index}]"))
            };
            if let Err(fault) = self.usual(usual.0, &plan.key, key) {
                return Err(within(fault, "key"));
            }
            let done = match value {
                Some(value) => self.usual(usual.1, &plan.value, value),
                None => {
                    self.writer.null();
                    Ok(())
                }
            };
            if let Err(fault) = done {
                return Err(within(fault, "value"));
            }
            index = index.saturating_add(1);
        }
        self.entries.truncate(base);
        self.writer.end();
        Ok(())
    }
}

/// Sorts entries by key, those of one key as they came. Numbers and the beginnings of texts are compared first: that needs
/// no look at the message.
fn sort(entries: &mut [Entry], scope: &[u8]) {
    if entries.is_sorted_by(|one, other| one.order(other, scope).is_le()) {
        return;
    }
    entries.sort_unstable_by_key(Entry::first);
    for alike in entries.chunk_by_mut(|one, other| one.first() == other.first()) {
        if alike.len() > 1 {
            alike.sort_unstable_by(|one, other| one.order(other, scope));
        }
    }
}

/// Of entries with the same key only the last.
#[cold]
fn keep_last(entries: &mut Vec<Entry>, base: usize, scope: &[u8]) {
    let sorted = entries.split_off(base.min(entries.len()));
    let mut sorted = sorted.into_iter().peekable();
    while let Some(entry) = sorted.next() {
        if !sorted.peek().is_some_and(|after| after.same_key(&entry, scope)) {
            entries.push(entry);
        }
    }
}

impl ToHessian<'_, '_> {
    /// Whether two keys are one for Java: each is written alone, and what was written is compared.
    #[cold]
    fn check_keys(&mut self, plan: &MapPlan, scope: &[u8], base: usize) -> Fallible<()> {
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        // What a key loses is counted where it is written.
        let mut lossy = Lossy::default();
        let (mut twice, mut kept) = (false, 0usize);
        for entry in self.entries.get(base..).unwrap_or_default() {
            let (key, _) = entry.read(scope, plan)?;
            let mut alone = Vec::new();
            let (mut slots, mut entries, mut open) = (Vec::new(), Vec::new(), Vec::new());
            let mut walk = ToHessian {
                writer: Writer::new(&mut alone),
                types: self.types,
                lossy: &mut lossy,
                slots: &mut slots,
                entries: &mut entries,
                open: &mut open,
                depth: self.depth,
                nodes: self.nodes,
                most: self.most.saturating_sub(kept),
                merging: self.merging,
                most_classes: self.most_classes,
                classes: HashMap::new(),
                generic: self.generic,
            };
            // A key that is refused is refused again where it is written.
            if walk.value(&plan.key, key).is_ok() {
                kept = kept.saturating_add(alone.len());
                twice |= !seen.insert(alone);
            }
        }
        if twice {
            self.lose(Rule::DuplicateKey, "two keys of the map are one after conversion")?;
        }
        Ok(())
    }
}

fn stored<'b>(conv: &Conv, slot: &Slot, bytes: &'b [u8]) -> Wire<'b> {
    match conv.proto.wire_type() {
        wire::VARINT => Wire::Varint(slot.value),
        wire::FIXED64 => Wire::Fixed64(slot.value),
        wire::FIXED32 => Wire::Fixed32(u32::try_from(slot.value).unwrap_or_default()),
        _ => {
            let start = usize::try_from(slot.value).unwrap_or(usize::MAX);
            let end = start.saturating_add(slot.len);
            Wire::Bytes(bytes.get(start..end).unwrap_or_default())
        }
    }
}
