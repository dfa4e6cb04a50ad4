//! Lists, sets and maps.

use std::collections::HashSet;

use super::super::super::error::{Fallible, Policy, Rule, fault};
use super::super::super::plan::{Conv, F, FieldPlan, J, ListPlan, MapPlan, get};
use super::super::super::wire::{self, Fields, Wire, put_tag};
use super::super::classes::{INT, LONG, OTHER, Step, TEXT};
use super::super::scalar::unexpected;
use super::{ToProtobuf, says_null};
use crate::hessian2::Token;
use crate::hessian2::packed::{Kind, Packed};

impl<'a> ToProtobuf<'a, '_> {
    pub(super) fn list(&mut self, field: &FieldPlan, plan: &ListPlan, token: &Token<'a>) -> Fallible<()> {
        match token {
            Token::ListStart { .. } => {}
            Token::ObjectStart { class, .. } => return self.enum_set(field, plan, *class),
            other => return Err(unexpected(J::Collection, other)),
        }
        self.elements(field, plan)
    }

    /// The elements of a list, up to its end.
    pub(super) fn elements(&mut self, field: &FieldPlan, plan: &ListPlan) -> Fallible<()> {
        let before = self.out.len();
        let packed = plan.packed.then(|| wire::begin(field.number, &mut self.out));
        let mut step = Step::of(&plan.item, field.number, false);
        if plan.packed {
            step = step.without_tag();
        }
        let mut index = 0usize;
        loop {
            if !step.is_object() {
                let mut run = self.reader.run();
                while run.is_open() && step.read(&mut run, &mut self.out) {}
                self.reader.behind(&run);
                index = index.wrapping_add(run.values());
            }
            let token = self.reader.next_packed();
            if token.is(Kind::End) {
                break;
            }
            if !step.write(token, self.input, &mut self.out) {
                self.unusual_element(field, plan, step, token)
                    .map_err(|fault| fault.within(&format!("[{index}]")))?;
            }
            index = index.wrapping_add(1);
        }
        if let Some(start) = packed {
            if self.out.len() == start {
                self.out.truncate(before);
            } else {
                wire::end(start, &mut self.out);
            }
        }
        Ok(())
    }

    /// An element that is not written by its step alone.
    fn unusual_element(
        &mut self,
        field: &FieldPlan,
        plan: &ListPlan,
        step: Step,
        token: Packed,
    ) -> Fallible<()> {
        if let F::Message(id) = plan.item.proto
            && step.is_object()
            && token.is(Kind::Object)
        {
            return self.nested(id, step, token);
        }
        let token = self.unpack(token)?;
        self.element(field, plan, &token)
    }

    fn element(&mut self, field: &FieldPlan, plan: &ListPlan, token: &Token<'a>) -> Fallible<()> {
        if let Token::Ref(_) = token {
            let token = self.follow(*token)?;
            return self.element(field, plan, &token);
        }
        if !matches!(token, Token::Null) || says_null(&plan.item) {
            if plan.packed {
                let value = self.numeric(&plan.item, token)?;
                self.put(value);
                return Ok(());
            }
            return self.value(field.number, &plan.item, false, token);
        }
        if let F::Nullable(_) | F::Wrapped(_) = plan.item.proto {
            // A wrapper in a list cannot be unset, but Nullable's field can.
            if let F::Nullable(_) = plan.item.proto {
                let start = wire::begin(field.number, &mut self.out);
                wire::end(start, &mut self.out);
                return Ok(());
            }
        }
        if self.null_is_zero(&plan.item) {
            self.default_value(field.number, &plan.item, plan.packed);
            return Ok(());
        }
        let policy = field
            .null_element
            .unwrap_or_else(|| self.types.policies.get(Rule::NullElement));
        match self.lossy.apply(Rule::NullElement, policy, "null in a list")? {
            Policy::Drop => {}
            _ => self.default_value(field.number, &plan.item, plan.packed),
        }
        Ok(())
    }

    /// The default of a type, where an element cannot be left out.
    fn default_value(&mut self, number: u32, conv: &Conv, packed: bool) {
        if !packed {
            put_tag(number, conv.proto.wire_type(), &mut self.out);
        }
        match conv.proto.wire_type() {
            wire::FIXED32 => self.out.extend_from_slice(&[0; 4]),
            wire::FIXED64 => self.out.extend_from_slice(&[0; 8]),
            _ => self.out.push(0),
        }
    }

    /// Whether the type's number 0 stands for null.
    pub(super) fn null_is_zero(&self, conv: &Conv) -> bool {
        match conv.proto {
            F::Enum(id) => get(&self.types.enums, id).is_some_and(|plan| plan.zero_is_null),
            _ => false,
        }
    }

    /// An `EnumSet`, which Java writes as an object with a list in it.
    fn enum_set(&mut self, field: &FieldPlan, plan: &ListPlan, class: u32) -> Fallible<()> {
        let mut found = false;
        for position in 0usize.. {
            let name = self.reader.class(class).and_then(|class| class.field(position));
            let token = self.reader.read()?;
            let (Some(name), false) = (name, token == Token::End) else {
                break;
            };
            if name.is("objects") {
                found = true;
                let token = self.follow(token)?;
                if token != Token::Null {
                    self.list(field, plan, &token)?;
                }
            } else {
                self.skip_after(token)?;
            }
        }
        if found {
            Ok(())
        } else {
            Err(fault(Rule::Kind, "expected a list, found an object"))
        }
    }

    pub(super) fn map(&mut self, field: &FieldPlan, plan: &MapPlan, token: &Token<'a>) -> Fallible<()> {
        let Token::MapStart { .. } = token else {
            return Err(unexpected(J::Map, token));
        };
        self.entries(field, plan)
    }

    /// The entries of a map, up to its end.
    pub(super) fn entries(&mut self, field: &FieldPlan, plan: &MapPlan) -> Fallible<()> {
        let start = self.out.len();
        let halves = self.lossy.count(Rule::Surrogate);
        let steps = (Step::of(&plan.key, 1, false), Step::of(&plan.value, 2, false));
        let mut kinds = 0u8;
        let mut index = 0usize;
        loop {
            if steps.0.kind_of_key() != 0 {
                let usual = self.usual_entries(field.number, steps);
                index = index.wrapping_add(usual);
                kinds |= if usual > 0 { steps.0.kind_of_key() } else { 0 };
            }
            let key = self.reader.next_packed();
            if key.is(Kind::End) {
                // Keys of one kind stay apart, or the plan says so; an Integer 1 and a Long 1 do not.
                let mixed = kinds.wrapping_sub(1) & kinds != 0;
                if plan.check_keys || mixed || halves != self.lossy.count(Rule::Surrogate) {
                    self.check_keys(field.number, start)?;
                }
                return Ok(());
            }
            kinds |= match () {
                () if key.is(Kind::Str) => TEXT,
                () if key.is(Kind::Int) => INT,
                () if key.is(Kind::Long) => LONG,
                () => OTHER,
            };
            self.entry(field, plan, steps, key)
                .map_err(|fault| fault.within(&format!("[{index}]")))?;
            index = index.wrapping_add(1);
        }
    }

    /// The entries from here on whose keys and values are the usual ones; how many they are.
    #[inline(always)]
    fn usual_entries(&mut self, number: u32, (key, value): (Step, Step)) -> usize {
        let mut run = self.reader.run();
        let mut usual = 0usize;
        loop {
            let (before, at) = (run, self.out.len());
            let start = wire::begin(number, &mut self.out);
            if !key.read(&mut run, &mut self.out) || !value.read(&mut run, &mut self.out) {
                self.out.truncate(at);
                self.reader.behind(&before);
                return usual;
            }
            wire::end(start, &mut self.out);
            usual = usual.wrapping_add(1);
        }
    }

    /// Whether a key was written twice from `start` on.
    #[cold]
    fn check_keys(&mut self, number: u32, start: usize) -> Fallible<()> {
        let mut seen = HashSet::new();
        let mut twice = false;
        let mut entries = Fields::new(self.out.get(start..).unwrap_or_default());
        while let Some((found, entry)) = entries.next_field()? {
            if let (true, Wire::Bytes(entry)) = (found == number, entry) {
                let mut fields = Fields::new(entry);
                fields.next_field()?;
                twice |= !seen.insert(entry.get(..fields.at).unwrap_or_default());
            }
        }
        if twice {
            self.lose(Rule::DuplicateKey, "two keys of the map are one after conversion")?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        field: &FieldPlan,
        plan: &MapPlan,
        (key_step, value_step): (Step, Step),
        key: Packed,
    ) -> Fallible<()> {
        let before = self.out.len();
        let start = wire::begin(field.number, &mut self.out);
        if !key_step.write(key, self.input, &mut self.out) {
            let key = self.unpack(key)?;
            let key = self.follow(key)?;
            if matches!(key, Token::Null) {
                return Err(fault(Rule::NullMapKey, "null key in a map"));
            }
            self.value(1, &plan.key, false, &key)
                .map_err(|fault| fault.within("key"))?;
        }
        let value = self.reader.next_packed();
        if !value_step.write(value, self.input, &mut self.out) && !self.unusual_value(field, plan, value)? {
            self.out.truncate(before);
            return Ok(());
        }
        wire::end(start, &mut self.out);
        Ok(())
    }

    /// The value of an entry that is not written by its step alone; `false` when the entry is left out.
    fn unusual_value(&mut self, field: &FieldPlan, plan: &MapPlan, value: Packed) -> Fallible<bool> {
        let value = self.unpack(value)?;
        let value = self.follow(value)?;
        if !matches!(value, Token::Null) || says_null(&plan.value) {
            self.value(2, &plan.value, false, &value)
                .map_err(|fault| fault.within("value"))?;
        } else if self.null_is_zero(&plan.value) {
            self.default_value(2, &plan.value, false);
        } else if !plan.value_presence {
            let policy = field
                .null_value
                .unwrap_or_else(|| self.types.policies.get(Rule::NullMapValue));
            match self
                .lossy
                .apply(Rule::NullMapValue, policy, "null value in a map")?
            {
                Policy::Drop => return Ok(false),
                _ => self.default_value(2, &plan.value, false),
            }
        }
        Ok(true)
    }
}
