//! What the fields of a message nearly always are on the wire: worked out once, so that they are read by looking for it.

use super::super::wire::BYTES;
use super::{Conv, F, FieldPlan, J, Shape};

/// What a field is nearly always, and is written as without a further look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usual {
    /// A `string` as a String.
    Text,
    /// An `int32` as an int.
    Int,
    /// An `int64` as a long.
    Long,
    Bool,
    Double,
    /// A `Timestamp` as a Date.
    Date,
    /// An object of a bound class.
    Object(u32),
    /// Nothing of these: the general way.
    General,
}

/// What is written for a field that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    Null,
    /// 0, false or no text.
    Zero,
    /// What the general way writes.
    General,
}

/// One field of a message whose fields come in the order of their numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WireStep {
    /// The tag, as the number that is written.
    pub(crate) tag: u32,
    pub(crate) usual: Usual,
    pub(crate) absent: Absent,
    /// It may come more than once, one behind the other.
    pub(crate) many: bool,
    /// Each occurrence holds several values.
    pub(crate) packed: bool,
}

impl WireStep {
    /// The steps of these fields; `None` when they do not ascend.
    pub(crate) fn of_all<C: FromIterator<Self>>(fields: &[FieldPlan]) -> Option<C> {
        let ascend = fields.is_sorted_by(|one, other| one.number < other.number);
        ascend.then(|| fields.iter().map(Self::of).collect())
    }

    fn of(field: &FieldPlan) -> Self {
        let (wire_type, usual, absent, many, packed) = match &field.shape {
            Shape::One(conv) => {
                let (usual, absent) = one(field, conv);
                (conv.proto.wire_type(), usual, absent, false, false)
            }
            Shape::List(plan) => {
                let packed = plan.item.proto.wire_type() != BYTES;
                let usual = match plan.set || plan.enum_set.is_some() || packed {
                    true => Usual::General,
                    false => Usual::of(&plan.item),
                };
                (BYTES, usual, Absent::General, true, packed)
            }
            Shape::Map(_) => (BYTES, Usual::General, Absent::General, true, false),
        };
        Self {
            tag: field.number << 3 | wire_type,
            usual,
            absent,
            many,
            packed,
        }
    }
}

impl Usual {
    /// What a value is nearly always that is converted so.
    pub(crate) fn of(conv: &Conv) -> Self {
        match (conv.java, &conv.proto) {
            (J::String, F::String) => Self::Text,
            (J::Int, F::Int32) => Self::Int,
            (J::Long, F::Int64) => Self::Long,
            (J::Bool, F::Bool) => Self::Bool,
            (J::Double, F::Double) => Self::Double,
            (J::Date, F::Timestamp) => Self::Date,
            (J::Object, F::Message(id)) => Self::Object(*id),
            _ => Self::General,
        }
    }

    /// Whether it lies in as many bytes as a length before it says.
    pub(crate) fn is_bytes(self) -> bool {
        matches!(self, Self::Text | Self::Date | Self::Object(_))
    }
}

/// A field of one value, and what stands for it when it is absent.
fn one(field: &FieldPlan, conv: &Conv) -> (Usual, Absent) {
    let usual = Usual::of(conv);
    let scalar = !matches!(usual, Usual::Date | Usual::Object(_) | Usual::General);
    if field.back_reference {
        return (Usual::General, Absent::General);
    }
    match (field.primitive, field.presence) {
        (true, _) if scalar => (usual, Absent::Zero),
        (true, _) => (Usual::General, Absent::General),
        (false, true) => (usual, Absent::Null),
        // A default that is there is as good as absent, which is not always the default.
        (false, false) if scalar && !field.zero_as_null => (usual, Absent::Zero),
        (false, false) => (Usual::General, Absent::General),
    }
}
