//! Hessian to protobuf: the walk follows the Hessian stream and writes each value where it meets it.

mod containers;
mod seldom;

use std::borrow::Cow;

use super::super::error::{Fallible, Policy, Rule, fault};
use super::super::plan::{ArgumentsPlan, Conv, F, FieldPlan, Inherited, J, Shape, Types, get};
use super::super::wire::{self, Wire, put_tag, put_varint};
use super::classes::{ClassMap, ClassMaps, NONE, Step};
use super::scalar::{name_of, unexpected};
use super::time::Parts;
use super::{In, Lossy, Scratch};
use crate::hessian2::packed::{Kind, Packed};
use crate::hessian2::{Limits, Reader, Str, Token};

/// What one entry of a map that stands for an object wrote.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    place: u16,
    start: usize,
    end: usize,
}

/// One walk.
pub(super) struct ToProtobuf<'a, 's> {
    pub(super) reader: In<'a, 's>,
    pub(super) types: &'s Types,
    pub(super) lossy: &'s mut Lossy,
    pub(super) out: Vec<u8>,
    /// How long the output may become.
    most: usize,
    maps: &'s mut ClassMaps,
    segments: &'s mut Vec<Segment>,
    input: &'a [u8],
}

impl<'a, 's> ToProtobuf<'a, 's> {
    pub(super) fn new(
        stream: &'a [u8],
        types: &'s Types,
        scratch: &'s mut Scratch,
        limits: &Limits,
        out: Vec<u8>,
    ) -> Self {
        scratch.maps.clear();
        scratch.segments.clear();
        Self {
            reader: Reader::new(stream, &mut scratch.hessian, limits),
            types,
            lossy: &mut scratch.lossy,
            most: out.len().saturating_add(limits.decoded_bytes),
            out,
            maps: &mut scratch.maps,
            segments: &mut scratch.segments,
            input: stream,
        }
    }

    /// Applies a rule by its policy.
    #[cold]
    pub(super) fn lose(&mut self, rule: Rule, detail: &str) -> Fallible<Policy> {
        self.lossy.apply(rule, self.types.policies.get(rule), detail)
    }

    /// Refuses to go on when the output has passed its limit: names of classes and fields, which a stream holds once, are
    /// written with each object that no message is bound to.
    #[inline]
    pub(super) fn within_limit(&self) -> Fallible<()> {
        if self.out.len() > self.most {
            return Err(fault(Rule::Limit, "converted value is too large"));
        }
        Ok(())
    }

    /// The next value, references followed.
    pub(super) fn read_value(&mut self) -> Fallible<Token<'a>> {
        self.within_limit()?;
        let token = self.reader.read()?;
        self.follow(token)
    }

    /// Follows a reference by reading what it refers to again, in its place.
    #[inline]
    pub(super) fn follow(&mut self, token: Token<'a>) -> Fallible<Token<'a>> {
        let Token::Ref(reference) = token else {
            return Ok(token);
        };
        if self.reader.is_open(reference) {
            return Err(fault(Rule::Cycle, "value contains itself"));
        }
        self.reader.enter(reference)?;
        Ok(self.reader.read()?)
    }

    /// Passes over what is left of a value whose first token was read.
    pub(super) fn skip_after(&mut self, token: Token<'a>) -> Fallible<()> {
        if matches!(
            token,
            Token::ListStart { .. } | Token::MapStart { .. } | Token::ObjectStart { .. }
        ) {
            self.reader.skip_rest()?;
        }
        Ok(())
    }

    /// A value that is the whole message; `true` when it was null.
    pub(super) fn whole(&mut self, conv: &Conv) -> Fallible<bool> {
        let token = self.read_value()?;
        if matches!(token, Token::Null) {
            return Ok(true);
        }
        self.content(conv, &token)?;
        Ok(false)
    }

    /// An argument or result that is one field.
    pub(super) fn argument(&mut self, field: &FieldPlan) -> Fallible<()> {
        let token = self.reader.read()?;
        self.field(field, &token)
            .map_err(|fault| fault.within(&field.name))
    }

    /// One field of a message.
    fn field(&mut self, field: &FieldPlan, token: &Token<'a>) -> Fallible<()> {
        // Tokens are handed on by reference: they are large, and copying one that was just written stalls.
        match token {
            Token::Null => self.null(field),
            Token::Ref(reference) if field.back_reference && self.reader.is_open(*reference) => Ok(()),
            Token::Ref(_) => {
                let token = self.follow(*token)?;
                self.field(field, &token)
            }
            _ => match &field.shape {
                Shape::One(conv) => self.value(field.number, conv, !field.presence, token),
                Shape::List(plan) => self.list(field, plan, token),
                Shape::Map(plan) => self.map(field, plan, token),
            },
        }
    }

    #[inline]
    fn null(&mut self, field: &FieldPlan) -> Fallible<()> {
        if field.presence {
            return Ok(());
        }
        let rule = match &field.shape {
            Shape::List(_) | Shape::Map(_) if field.empty_as_null => return Ok(()),
            Shape::List(_) | Shape::Map(_) => Rule::NullCollection,
            Shape::One(_) if field.primitive => Rule::NullPrimitive,
            Shape::One(conv) if field.zero_as_null || conv.empty_is_null() => return Ok(()),
            Shape::One(conv) if self.null_is_zero(conv) => return Ok(()),
            Shape::One(_) => Rule::NullToDefault,
        };
        self.lose(rule, "null where the protobuf field has no unset state")?;
        Ok(())
    }

    /// One value with its tag. `elide`: the default is not written.
    #[inline]
    fn value(&mut self, number: u32, conv: &Conv, elide: bool, token: &Token<'a>) -> Fallible<()> {
        match &conv.proto {
            F::String => {
                if let (J::String, Token::Str(text)) = (conv.java, token) {
                    return self.string(number, elide, text);
                }
                let text = self.text(conv.java, *token)?;
                if !(elide && text.is_empty()) {
                    wire::put_bytes(number, text.as_bytes(), &mut self.out);
                }
            }
            F::Bytes => {
                if let (J::Bytes, Token::Binary(binary)) = (conv.java, token) {
                    if !(elide && binary.is_empty()) {
                        put_tag(number, wire::BYTES, &mut self.out);
                        put_varint(length(binary.len()), &mut self.out);
                        for piece in binary.pieces() {
                            wire::append(piece, &mut self.out);
                        }
                    }
                    return Ok(());
                }
                let bytes = self.raw_bytes(conv.java, *token)?;
                if !(elide && bytes.is_empty()) {
                    wire::put_bytes(number, &bytes, &mut self.out);
                }
            }
            proto if proto.is_message() => {
                let start = wire::begin(number, &mut self.out);
                self.content(conv, token)?;
                wire::end(start, &mut self.out);
            }
            _ => {
                let value = self.numeric(conv, token)?;
                if !(elide && is_zero(value)) {
                    put_tag(number, conv.proto.wire_type(), &mut self.out);
                    self.put(value);
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn string(&mut self, number: u32, elide: bool, text: &Str<'a>) -> Fallible<()> {
        if elide && text.is_empty() {
            return Ok(());
        }
        put_tag(number, wire::BYTES, &mut self.out);
        if text.0.plain() {
            // One piece that is UTF-8 already: what nearly all text is.
            put_varint(length(text.0.raw.len()), &mut self.out);
            wire::append(text.0.raw, &mut self.out);
            return Ok(());
        }
        put_varint(length(text.utf8_len()), &mut self.out);
        if !text.write_utf8(&mut self.out) {
            self.lose(Rule::Surrogate, "text holds half of a surrogate pair")?;
        }
        Ok(())
    }

    #[inline]
    fn put(&mut self, value: Wire<'_>) {
        match value {
            Wire::Varint(value) => put_varint(value, &mut self.out),
            Wire::Fixed64(value) => self.out.extend_from_slice(&value.to_le_bytes()),
            Wire::Fixed32(value) => self.out.extend_from_slice(&value.to_le_bytes()),
            Wire::Bytes(bytes) => self.out.extend_from_slice(bytes),
        }
    }

    fn put_int(&mut self, number: u32, value: i64) {
        if value != 0 {
            put_tag(number, wire::VARINT, &mut self.out);
            put_varint(value.cast_unsigned(), &mut self.out);
        }
    }

    /// What is inside of a message type.
    fn content(&mut self, conv: &Conv, token: &Token<'a>) -> Fallible<()> {
        match &conv.proto {
            F::Message(id) => self.object(*id, token),
            F::Polymorphic(id) => self.branch(*id, token),
            F::Wrapped(inner) => {
                let inner = Conv {
                    proto: (**inner).clone(),
                    ..conv.clone()
                };
                self.value(1, &inner, true, token)
            }
            F::Holder(field) | F::Nullable(field) => self
                .field(field, token)
                .map_err(|fault| fault.within(&field.name)),
            F::Timestamp => {
                let (seconds, nanos) = self.timestamp(conv.java, *token)?;
                self.put_int(1, seconds);
                self.put_int(2, i64::from(nanos));
                Ok(())
            }
            F::Duration => {
                let (seconds, nanos) = self.span(*token)?;
                self.put_int(1, seconds);
                self.put_int(2, i64::from(nanos));
                Ok(())
            }
            F::Decimal => {
                let text = self.text(J::BigDecimal, *token)?;
                if !text.is_empty() {
                    wire::put_bytes(1, text.as_bytes(), &mut self.out);
                }
                Ok(())
            }
            F::TypeDate | F::TimeOfDay | F::DateTime => {
                let parts = self.parts(conv.java, *token)?;
                self.google_type(&conv.proto, &parts)
            }
            F::Struct | F::Value | F::ListValue | F::JavaValue | F::AnyMessage => self.dynamic(conv, *token),
            _ => Err(unexpected(conv.java, token)),
        }
    }

    /// What is inside of an Any.
    pub(super) fn any_content(&mut self, conv: &Conv, token: &Token<'a>) -> Fallible<()> {
        self.content(conv, token)
    }

    /// A scalar in its wrapper inside of an Any.
    pub(super) fn any_scalar(&mut self, conv: &Conv, token: &Token<'a>) -> Fallible<()> {
        self.value(1, conv, true, token)
    }

    /// The number of an enum constant, from its object or its name.
    pub(super) fn enum_number(&mut self, id: u32, token: Token<'a>) -> Fallible<i32> {
        let Some(plan) = get(&self.types.enums, id) else {
            return Err(unexpected(J::Enum, &token));
        };
        let name = match token {
            Token::Str(text) => text.to_cow(),
            Token::ObjectStart { .. } | Token::MapStart { .. } => match self.handle_of(token)?.text {
                Some(name) => name,
                None => return Err(fault(Rule::Kind, "an enum object has no name")),
            },
            other => return Err(unexpected(J::Enum, &other)),
        };
        match plan.by_java.get(&*name) {
            Some(number) => Ok(*number),
            None if plan.zero_is_null => {
                self.lose(
                    Rule::UnknownEnum,
                    &format!("constant is not one of {}", plan.name),
                )?;
                Ok(0)
            }
            // Number 0 is a constant of its own: a silent 0 would be another value.
            None => Err(fault(
                Rule::UnknownEnum,
                format!("constant is not one of {}", plan.name),
            )),
        }
    }

    /// The fields of an object, or of the map that stands for one.
    pub(super) fn object(&mut self, id: u32, token: &Token<'a>) -> Fallible<()> {
        match token {
            Token::ObjectStart { class, .. } => self.instance(id, *class),
            Token::MapStart { type_index, .. } => {
                if let Some(name) = type_index.and_then(|of| self.reader.type_name(of)) {
                    check_class(self.types, self.lossy, id, name)?;
                }
                self.generic_object(id)
            }
            other => Err(fault(
                Rule::Kind,
                format!("expected an object, found {}", name_of(other)),
            )),
        }
    }

    fn instance(&mut self, id: u32, class: u32) -> Fallible<()> {
        let map = self.class_map(id, class)?;
        let message = self.types.message(id);
        if !message.inherited.is_empty() {
            return self.row(id, class, map);
        }
        let class_map = *self.maps.map(map);
        let ClassMap {
            start,
            count,
            in_order,
            ..
        } = class_map;
        let (base, first) = (self.maps.open(), self.out.len());
        let mut position = 0;
        loop {
            let mut run = self.reader.run();
            position = self.maps.usual(class_map, position, &mut run, &mut self.out);
            self.reader.behind(&run);
            if position >= count {
                break;
            }
            let step = self.maps.step(start.wrapping_add(position));
            if step.is_unbound() {
                self.unbound(id, class, position, step)?;
            } else {
                let token = self.reader.next_packed();
                if !step.write(token, self.input, &mut self.out)
                    && let Some(field) = message.fields.get(usize::from(step.place))
                {
                    self.unusual(field, step, token)
                        .map_err(|fault| fault.within(&field.name))?;
                }
            }
            if !in_order {
                self.maps.ended(self.out.len());
            }
            position = position.wrapping_add(1);
        }
        if !in_order {
            self.maps.arrange(map, base, first, &mut self.out);
        }
        self.end_of_object()
    }

    fn end_of_object(&mut self) -> Fallible<()> {
        let token = self.reader.next_packed();
        if token.is(Kind::End) {
            return Ok(());
        }
        let token = self.unpack(token)?;
        Err(fault(
            Rule::Malformed,
            format!("expected the end of an object, found {}", name_of(&token)),
        ))
    }

    /// An object whose message holds its superclass's fields in a message of their own.
    #[inline(never)]
    fn row(&mut self, id: u32, class: u32, map: u32) -> Fallible<()> {
        let message = self.types.message(id);
        let base = self.segments.len();
        let &ClassMap { start, count, .. } = self.maps.map(map);
        for position in 0..count {
            let step = self.maps.step(start.wrapping_add(position));
            let place = step.place;
            let from = self.out.len();
            match message.fields.get(usize::from(place)) {
                Some(field) => {
                    let token = self.reader.read()?;
                    self.field(field, &token)
                        .map_err(|fault| fault.within(&field.name))?;
                }
                None => self.unbound(id, class, position, step)?,
            }
            self.wrote(place, from);
        }
        self.arrange(base, &message.inherited);
        self.end_of_object()
    }

    /// A field whose value is not written by its step alone.
    fn unusual(&mut self, field: &FieldPlan, step: Step, token: Packed) -> Fallible<()> {
        match &field.shape {
            Shape::One(Conv {
                proto: F::Message(id),
                ..
            }) if step.is_object() && token.is(Kind::Object) => self.nested(*id, step, token),
            Shape::List(plan) if token.is(Kind::List) => self.elements(field, plan),
            Shape::Map(plan) if token.is(Kind::Map) => self.entries(field, plan),
            _ => {
                let token = self.unpack(token)?;
                self.field(field, &token)
            }
        }
    }

    /// An object inside a message.
    fn nested(&mut self, id: u32, step: Step, token: Packed) -> Fallible<()> {
        step.put_tag(&mut self.out);
        self.out.push(0);
        let start = self.out.len();
        self.instance(id, token.class())?;
        wire::end(start, &mut self.out);
        Ok(())
    }

    /// The token of two words, or why there is none.
    fn unpack(&self, token: Packed) -> Fallible<Token<'a>> {
        Ok(token.token(self.input).ok_or_else(|| self.reader.failure())?)
    }

    /// Notes what an entry has written from `start` on.
    #[inline]
    fn wrote(&mut self, place: u16, start: usize) {
        let end = self.out.len();
        if end > start {
            self.segments.push(Segment { place, start, end });
        }
    }

    /// Brings the entries that stand for fields into the order of their numbers, and those of a superclass into the
    /// message that holds them.
    fn arrange(&mut self, base: usize, inherited: &[Inherited]) {
        let segments = self.segments.get_mut(base..).unwrap_or_default();
        let Some(first) = segments.first().map(|segment| segment.start) else {
            return;
        };
        if !segments.is_sorted_by_key(|segment| segment.place) || !inherited.is_empty() {
            segments.sort_by_key(|segment| segment.place);
            let row = self.out.split_off(first.min(self.out.len()));
            // The parts that are open, innermost last: where each begins in the output, and the place behind its last.
            let mut open: Vec<(usize, u16)> = Vec::new();
            let mut parts = inherited.iter().peekable();
            for segment in segments.iter() {
                while let Some((start, _)) = open.pop_if(|(_, end)| *end <= segment.place) {
                    wire::end(start, &mut self.out);
                }
                while let Some(part) = parts.next_if(|part| part.first <= segment.place) {
                    if segment.place < part.end {
                        open.push((wire::begin(part.number, &mut self.out), part.end));
                    }
                }
                let range = segment.start.saturating_sub(first)..segment.end.saturating_sub(first);
                self.out.extend_from_slice(row.get(range).unwrap_or_default());
            }
            while let Some((start, _)) = open.pop() {
                wire::end(start, &mut self.out);
            }
        }
        self.segments.truncate(base);
    }

    /// What becomes of the fields of a class of the stream in a message.
    #[inline]
    fn class_map(&mut self, id: u32, class: u32) -> Fallible<u32> {
        let Some(map) = self.maps.find(id, class) else {
            return self.new_class_map(id, class);
        };
        if self.maps.map(map).sliced {
            self.lose(
                Rule::SubclassSlice,
                "class is not bound: it is read as its superclass",
            )?;
        }
        Ok(map)
    }

    #[inline(never)]
    fn new_class_map(&mut self, id: u32, class: u32) -> Fallible<u32> {
        let Some(definition) = self.reader.class(class) else {
            return Err(fault(Rule::Malformed, "object of an unknown class"));
        };
        let (types, lossy) = (self.types, &mut *self.lossy);
        self.maps.add(types, id, class, definition, |name| {
            check_class(types, lossy, id, name)
        })
    }
}

/// Whether an object of this class is read as a superclass that is bound; an error where that is forbidden.
fn check_class(types: &Types, lossy: &mut Lossy, id: u32, name: Str<'_>) -> Fallible<bool> {
    let message = types.message(id);
    let name = short_name(name)?;
    let name = cut_proxy(&name);
    if name == message.class || is_map_class(name) {
        return Ok(false);
    }
    let mut lose = |rule, detail: &str| lossy.apply(rule, types.policies.get(rule), detail);
    if types.by_class.contains_key(name) && !message.slice {
        lose(
            Rule::PolymorphicValue,
            &format!("object is of another bound class than {}", message.class),
        )?;
    }
    lose(
        Rule::SubclassSlice,
        "class is not bound: it is read as its superclass",
    )?;
    Ok(true)
}

/// The longest name of a class, a field or a type that is looked at.
const MOST_NAME: usize = 1 << 10;

/// A name that the stream holds once, for an object or a map that uses it by number: what a name of megabytes, or one in
/// as many empty pieces, costs each of them is charged to none.
pub(super) fn short_name(name: Str<'_>) -> Fallible<Cow<'_, str>> {
    if name.0.raw.len() > MOST_NAME {
        return Err(fault(Rule::Limit, "name of a class, field or type is too long"));
    }
    Ok(name.to_cow())
}

/// Whether the message has a form of its own for null.
fn says_null(conv: &Conv) -> bool {
    matches!(conv.proto, F::JavaValue | F::Value)
}

/// Maps of the JDK, which stand for objects in the generic style.
fn is_map_class(name: &str) -> bool {
    name.starts_with("java.util.")
}

/// The class behind a proxy's name.
pub(super) fn cut_proxy(name: &str) -> &str {
    ["_$$", "$$", "$HibernateProxy"].iter().fold(name, |name, mark| {
        name.split_once(mark).map_or(name, |(class, _)| class)
    })
}

#[inline]
fn is_zero(value: Wire<'_>) -> bool {
    matches!(value, Wire::Varint(0) | Wire::Fixed32(0) | Wire::Fixed64(0))
}

#[inline]
#[allow(clippy::as_conversions, reason = "usize is at most 64 bits")]
fn length(len: usize) -> u64 {
    len as u64
}
