//! Descriptors, bindings and compiled conversions.

pub mod binding;
