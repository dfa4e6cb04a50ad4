//! What few values need: generic calls, maps in the place of objects, oneofs, `google.type`, fields that nothing is bound to.

use std::borrow::Cow;

use super::super::super::zone::{Offsets, Zone};
use super::super::time::offset_is_valid;
use super::{
    ArgumentsPlan, F, Fallible, FieldPlan, J, NONE, Parts, Policy, Rule, Step, Str, ToProtobuf, Token,
    check_class, cut_proxy, fault, get, is_map_class, short_name, unexpected, wire,
};

impl<'a> ToProtobuf<'a, '_> {
    /// The arguments of a generic call: name, types, and a list of values.
    pub(in crate::protobuf::transcode) fn generic(&mut self, plan: &ArgumentsPlan) -> Fallible<()> {
        self.reader.skip()?;
        self.reader.skip()?;
        let fields: &[FieldPlan] = match plan {
            ArgumentsPlan::Spread(fields) => fields,
            _ => &[],
        };
        let wanted = match plan {
            ArgumentsPlan::Whole(_) => 1,
            _ => fields.len(),
        };
        match self.read_value()? {
            Token::Null if wanted == 0 => return Ok(()),
            Token::ListStart { .. } => {}
            other => return Err(unexpected(J::Collection, &other)),
        }
        for position in 0..wanted {
            let token = self.reader.read()?;
            if token == Token::End {
                return Err(fault(
                    Rule::Arity,
                    format!("{position} arguments for {wanted} parameters"),
                ));
            }
            match (plan, fields.get(position)) {
                (ArgumentsPlan::Whole(conv), _) => {
                    let token = self.follow(token)?;
                    if token != Token::Null {
                        self.content(conv, &token)?;
                    }
                }
                (_, Some(field)) => {
                    self.field(field, &token)
                        .map_err(|fault| fault.within(&field.name))?;
                }
                _ => {}
            }
        }
        match self.reader.read()? {
            Token::End => Ok(()),
            _ => Err(fault(Rule::Arity, format!("more than {wanted} arguments"))),
        }
    }

    pub(super) fn google_type(&mut self, proto: &F, parts: &Parts) -> Fallible<()> {
        let date_ok = *proto == F::TimeOfDay || (parts.date_is_valid() && (1..=9999).contains(&parts.year));
        let time_ok =
            (*proto == F::TypeDate || parts.time_is_valid()) && parts.offset.is_none_or(offset_is_valid);
        if !date_ok || !time_ok {
            return Err(fault(Rule::Range, "date or time does not fit google.type"));
        }
        let mut number = 1u32;
        if *proto != F::TimeOfDay {
            for value in [parts.year, parts.month, parts.day] {
                self.put_int(number, value);
                number = number.saturating_add(1);
            }
        }
        if *proto != F::TypeDate {
            for value in [parts.hour, parts.minute, parts.second, parts.nano] {
                self.put_int(number, value);
                number = number.saturating_add(1);
            }
        }
        if *proto == F::DateTime {
            if let Some(zone) = &parts.zone {
                // The message has room for the zone or the offset: which of two offsets it was is lost.
                let known = Zone::named(zone).and_then(|zone| zone.offsets_of(parts));
                let first = match known {
                    Some(Offsets::One(offset) | Offsets::Two(offset, _)) => Some(offset),
                    Some(Offsets::None(_)) | None => None,
                };
                if first.is_none() || first != parts.offset {
                    self.lose(Rule::Zone, "an offset is not the one that its zone gives")?;
                }
                let start = wire::begin(9, &mut self.out);
                wire::put_bytes(1, zone.as_bytes(), &mut self.out);
                wire::end(start, &mut self.out);
            } else if let Some(offset) = parts.offset {
                let start = wire::begin(8, &mut self.out);
                self.put_int(1, offset);
                wire::end(start, &mut self.out);
            }
        }
        Ok(())
    }

    /// A Java field that is bound to nothing.
    pub(super) fn unbound(&mut self, id: u32, class: u32, position: u32, step: Step) -> Fallible<()> {
        if step.is_silent() {
            return Ok(self.reader.skip()?);
        }
        let Some(number) = self.types.message(id).collect else {
            self.unknown_field(id)?;
            return Ok(self.reader.skip()?);
        };
        let definition = self.reader.class(class);
        let name = definition.and_then(|class| class.field(wire::index(position)));
        let name = name.map_or(Ok(Cow::Borrowed("")), short_name)?;
        let token = self.read_value()?;
        self.collected(number, &name, token)
    }

    pub(super) fn unknown_field(&mut self, id: u32) -> Fallible<()> {
        let message = self.types.message(id);
        let policy = if message.unknown_error {
            Policy::Error
        } else {
            self.types.policies.get(Rule::UnknownJavaField)
        };
        if policy == Policy::Error {
            let text = format!("{} has a field that is not bound", message.class);
            return Err(fault(Rule::UnknownJavaField, text));
        }
        self.lossy.apply(Rule::UnknownJavaField, policy, "")?;
        Ok(())
    }

    /// A map in place of an object, as generic calls and strict Java hops make it.
    pub(super) fn generic_object(&mut self, id: u32) -> Fallible<()> {
        let base = self.segments.len();
        loop {
            let name = match self.reader.read()? {
                Token::End => {
                    let segments = self.segments.get(base..).unwrap_or_default();
                    let mut places: Vec<u16> = segments.iter().map(|segment| segment.place).collect();
                    places.retain(|place| *place != NONE);
                    places.sort_unstable();
                    if places
                        .windows(2)
                        .any(|pair| matches!(pair, [one, other] if one == other))
                    {
                        return Err(fault(Rule::DuplicateKey, "a map for an object has a key twice"));
                    }
                    self.arrange(base, &self.types.message(id).inherited);
                    return Ok(());
                }
                Token::Str(name) => name,
                other => return Err(unexpected(J::String, &other)),
            };
            let message = self.types.message(id);
            let key = name.to_cow();
            let place = message.by_java.get(&*key).copied().unwrap_or(NONE);
            let from = self.out.len();
            match message.fields.get(usize::from(place)) {
                Some(field) => {
                    let token = self.reader.read()?;
                    self.field(field, &token)
                        .map_err(|fault| fault.within(&field.name))?;
                }
                None if &*key == "class" => {
                    let token = self.read_value()?;
                    match token {
                        Token::Str(class) => {
                            check_class(self.types, self.lossy, id, class)?;
                        }
                        other => self.skip_after(other)?,
                    }
                }
                None => match message.collect {
                    Some(number) => {
                        let token = self.read_value()?;
                        self.collected(number, &key, token)?;
                    }
                    None => {
                        self.unknown_field(id)?;
                        self.reader.skip()?;
                    }
                },
            }
            self.wrote(place, from);
        }
    }

    /// A oneof message: the branch of the object's class.
    pub(super) fn branch(&mut self, id: u32, token: &Token<'a>) -> Fallible<()> {
        let Some(plan) = get(&self.types.polymorphic, id) else {
            return Err(unexpected(J::Object, token));
        };
        let name = match token {
            Token::ObjectStart { class, .. } => self.reader.class(*class).map(|class| class.name()),
            Token::MapStart { .. } => self.class_of_map(token)?,
            other => return Err(unexpected(J::Object, other)),
        };
        let name = name.map_or(Ok(Cow::Borrowed("")), short_name)?;
        let place = plan.by_class.get(cut_proxy(&name)).copied().or(plan.default);
        let Some((number, field, message)) = place.and_then(|place| plan.branches.get(place)) else {
            return Err(fault(
                Rule::PolymorphicValue,
                format!("class is no branch of {}", plan.name),
            ));
        };
        let start = wire::begin(*number, &mut self.out);
        self.object(*message, token)
            .map_err(|fault| fault.within(field))?;
        wire::end(start, &mut self.out);
        Ok(())
    }

    /// The class that a map stands for, as its type or its `class` entry says. The map is left to be read.
    pub(in crate::protobuf::transcode) fn class_of_map(
        &mut self,
        token: &Token<'a>,
    ) -> Fallible<Option<Str<'a>>> {
        let Token::MapStart {
            type_index,
            reference,
        } = token
        else {
            return Ok(None);
        };
        if let Some(name) = type_index.and_then(|of| self.reader.type_name(of))
            && !is_map_class(&short_name(name)?)
        {
            return Ok(Some(name));
        }
        let mark = self.reader.mark();
        loop {
            let key = self.reader.read()?;
            if key == Token::End {
                // A map that has ended is read again as behind a reference.
                self.reader.enter(*reference)?;
                self.reader.read()?;
                return Ok(None);
            }
            let found = matches!(key, Token::Str(key) if key.is("class"));
            self.skip_after(key)?;
            let value = self.reader.read()?;
            if let (true, Token::Str(class)) = (found, value) {
                if self.reader.rewind(&mark) {
                    return Ok(Some(class));
                }
                return Err(fault(Rule::Malformed, "a map ended before its end"));
            }
            self.skip_after(value)?;
        }
    }
}
