//! Enums and their constants.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use prost_reflect::{DescriptorPool, EnumDescriptor};

use super::super::file::BindingFile;
use super::{Compiler, Loaded, count, upper_snake};
use crate::protobuf::error::LoadError;
use crate::protobuf::java::JavaType;
use crate::protobuf::plan::EnumPlan;
use crate::protobuf::schema::Extend;

/// Enums of the JDK that need no binding where protobuf has their constants as text.
const JDK: [&str; 5] = [
    "java.math.RoundingMode",
    "java.time.DayOfWeek",
    "java.time.Month",
    "java.time.temporal.ChronoUnit",
    "java.util.concurrent.TimeUnit",
];

/// Every class that is known to be an enum.
pub(super) fn classes(raw: &BindingFile, pool: &DescriptorPool) -> HashSet<String> {
    let bound = raw.enums.iter().map(|bound| bound.java.clone());
    let described = pool.all_enums().map(|descriptor| class_of(raw, &descriptor));
    let jdk = JDK.iter().map(|class| (*class).to_owned());
    bound.chain(described).chain(jdk).collect()
}

/// The Java enum of a protobuf enum: as the file says, the option, or the names do.
fn class_of(raw: &BindingFile, descriptor: &EnumDescriptor) -> String {
    let bound = raw
        .enums
        .iter()
        .find(|bound| bound.proto.as_deref() == Some(descriptor.full_name()));
    if let Some(bound) = bound {
        return bound.java.clone();
    }
    match Extend::of(&descriptor.options()).text(1) {
        Some(name) => name.to_owned(),
        None => super::default_class(&descriptor.parent_file(), descriptor.full_name()),
    }
}

impl Compiler<'_> {
    /// The plan of an enum, compiled at its first use.
    pub(super) fn enumeration(&mut self, descriptor: &EnumDescriptor) -> Loaded<u32> {
        if let Some(id) = self.enum_ids.get(descriptor.full_name()) {
            return Ok(*id);
        }
        let mut plan = EnumPlan {
            name: descriptor.full_name().to_owned(),
            class: class_of(self.raw, descriptor),
            by_java: HashMap::new(),
            by_number: BTreeMap::new(),
            zero_is_null: false,
        };
        let bound = self
            .raw
            .enums
            .iter()
            .find(|bound| bound.proto.as_deref() == Some(descriptor.full_name()));
        let given = bound.map(|bound| bound.values.clone()).unwrap_or_default();
        for name in given.keys() {
            if descriptor.get_value_by_name(name).is_none() {
                self.fault(LoadError::new(descriptor.full_name(), name, "no such value"));
            }
        }
        let prefix = format!("{}_", upper_snake(descriptor.name()));
        let mut names = Vec::new();
        for value in descriptor.values() {
            let stem = value.name().strip_prefix(&prefix).unwrap_or(value.name());
            let unspecified = value.number() == 0
                && (stem == "UNSPECIFIED"
                    || stem == "UNKNOWN"
                    || value.name().ends_with("_UNSPECIFIED")
                    || value.name().starts_with("UNKNOWN_"));
            match given.get(value.name()) {
                Some(java) => plan.insert(java, value.number(), value.name())?,
                None if unspecified => plan.zero_is_null = true,
                None => {
                    plan.insert(stem, value.number(), value.name())?;
                    names.push((value.name().to_owned(), value.number()));
                }
            }
        }
        for (name, number) in names {
            // The full name reads as well, unless it is another constant's.
            plan.by_java.entry(name).or_insert(number);
        }
        let id = count(&self.types.enums);
        self.types.enums.push(plan);
        self.enum_ids.insert(descriptor.full_name().to_owned(), id);
        Ok(id)
    }

    /// An enum that exists in Java only.
    pub(super) fn java_enum(&mut self, class: &str) -> u32 {
        let key = format!("java:{class}");
        if let Some(id) = self.enum_ids.get(&key) {
            return *id;
        }
        let id = count(&self.types.enums);
        self.types.enums.push(EnumPlan {
            name: String::new(),
            class: class.to_owned(),
            by_java: HashMap::new(),
            by_number: BTreeMap::new(),
            zero_is_null: false,
        });
        self.enum_ids.insert(key, id);
        id
    }

    /// What the file says of enums, also of those that no field has.
    pub(super) fn check_enums(&mut self) {
        let mut seen = BTreeSet::new();
        for raw in &self.raw.enums {
            if JavaType::parse(&raw.java).is_none() {
                let object = raw.proto.as_deref().unwrap_or("enums");
                let problem = format!("{} is no class name", raw.java);
                self.fault(LoadError::new(object, "java", problem));
            }
            let Some(name) = raw.proto.as_deref() else {
                if !raw.values.is_empty() {
                    let problem = "are those of a protobuf enum: give proto";
                    self.fault(LoadError::new(&raw.java, "values", problem));
                }
                continue;
            };
            if !seen.insert(name) {
                self.fault(LoadError::new(name, "", "is bound twice"));
            }
            let compiled = match self.pool.get_enum_by_name(name) {
                Some(descriptor) => self.enumeration(&descriptor).map(drop),
                None => Err(LoadError::new(name, "", "no such enum in the descriptors")),
            };
            if let Err(error) = compiled {
                self.fault(error);
            }
        }
    }
}

impl EnumPlan {
    fn insert(&mut self, java: &str, number: i32, value: &str) -> Loaded<()> {
        if let Some(other) = self.by_java.insert(java.to_owned(), number)
            && other != number
        {
            return Err(LoadError::new(
                &self.name,
                value,
                format!("Java constant {java} is that of another value, too"),
            ));
        }
        // Of aliases the first one stands.
        self.by_number.entry(number).or_insert_with(|| java.to_owned());
        Ok(())
    }
}
