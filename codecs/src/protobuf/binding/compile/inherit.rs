//! Messages that hold their superclass's fields in a message of their own.
//!
//! Hessian has all fields of an object in one row. A message with inherited parts gets a plan of that row, and the places
//! where the parts begin and end in it.

use std::collections::BTreeMap;

use super::{Compiler, Loaded};
use crate::protobuf::error::LoadError;
use crate::protobuf::plan::{FieldPlan, Inherited, MessagePlan};

impl Compiler<'_> {
    /// Lays out the rows of all messages with inherited parts, when every message is compiled.
    pub(super) fn inherit(&mut self) {
        for place in 0..self.types.messages.len() {
            let Some(message) = self.types.messages.get(place) else {
                continue;
            };
            if message.parents.is_empty() {
                continue;
            }
            match laid_out(&self.types.messages, message) {
                Ok((row, by_java)) => {
                    if let Some(message) = self.types.messages.get_mut(place) {
                        message.class_fields = row
                            .fields
                            .iter()
                            .map(|field| field.java.clone())
                            .chain(row.defaults.iter().map(|(java, _)| java.clone()))
                            .collect();
                        message.defaults = row.defaults;
                        message.fields = row.fields;
                        message.by_java = by_java;
                        message.inherited = row.inherited;
                    }
                }
                Err(error) => self.fault(error),
            }
        }
    }
}

/// The row of a message, and the places of Java's names in it.
fn laid_out(messages: &[MessagePlan], message: &MessagePlan) -> Loaded<(Row, BTreeMap<String, u16>)> {
    let mut row = Row::default();
    row.add(messages, message, &mut vec![message.name.clone()])?;
    let mut by_java = BTreeMap::new();
    for (place, field) in row.fields.iter().enumerate() {
        let place = u16::try_from(place)
            .ok()
            .filter(|place| *place < u16::MAX)
            .ok_or_else(|| LoadError::new(&message.name, "", "has more than 65,534 fields"))?;
        if by_java.insert(field.java.clone(), place).is_some() {
            let problem = format!(
                "Java field {} is bound twice, here and in an inherited part",
                field.java
            );
            return Err(LoadError::new(&message.name, &field.name, problem));
        }
    }
    match row.defaults.iter().find(|(java, _)| by_java.contains_key(java)) {
        Some((java, _)) => Err(LoadError::new(
            &message.name,
            java,
            "has a default, but is bound to a field",
        )),
        None => Ok((row, by_java)),
    }
}

/// The fields of a class and of its superclasses.
#[derive(Default)]
struct Row {
    fields: Vec<FieldPlan>,
    inherited: Vec<Inherited>,
    defaults: Vec<(String, serde_json::Value)>,
}

impl Row {
    fn add(&mut self, messages: &[MessagePlan], message: &MessagePlan, open: &mut Vec<String>) -> Loaded<()> {
        let own = message.own_fields();
        for (name, value) in &message.defaults {
            if !self.defaults.iter().any(|(known, _)| known == name) {
                self.defaults.push((name.clone(), value.clone()));
            }
        }
        for (place, field) in own.iter().enumerate() {
            let parent = message.parents.iter().find(|(at, _)| *at == place);
            let Some((_, parent)) = parent else {
                self.fields.push(field.clone());
                continue;
            };
            let parent = usize::try_from(*parent)
                .ok()
                .and_then(|id| messages.get(id))
                .ok_or_else(|| {
                    LoadError::new(&message.name, &field.name, "inherits a message that is not there")
                })?;
            if open.contains(&parent.name) {
                return Err(LoadError::new(
                    &message.name,
                    &field.name,
                    format!("inherits {}, which inherits itself", parent.name),
                ));
            }
            let slot = self.inherited.len();
            let first = self.place();
            self.inherited.push(Inherited {
                number: field.number,
                first,
                end: first,
            });
            open.push(parent.name.clone());
            self.add(messages, parent, open)?;
            open.pop();
            let end = self.place();
            if let Some(inherited) = self.inherited.get_mut(slot) {
                inherited.end = end;
            }
        }
        Ok(())
    }

    fn place(&self) -> u16 {
        u16::try_from(self.fields.len()).unwrap_or(u16::MAX)
    }
}
