//! The forms of values on the wire, by first byte (hessian-lite's `Hessian2Constants`).

/// How a value is written, as its first byte tells: the forms that [`next_packed`](super::Reader::next_packed) reads itself, and all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Int1,
    Int2,
    Int3,
    Int4,
    Long1,
    Long2,
    Long3,
    Long4,
    Long8,
    Null,
    True,
    False,
    Double0,
    Double1,
    DoubleByte,
    DoubleShort,
    DoubleMills,
    Double8,
    Date8,
    DateMinutes,
    Object,
    SmallList,
    Other,
}

/// One jump for each value: a `match` on ranges of tags would be a chain of comparisons.
static FORMS: [Form; 256] = forms();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "evaluated at compile time, where a wrong index does not build"
)]
const fn forms() -> [Form; 256] {
    let mut table = [Form::Other; 256];
    let mut tag = 0usize;
    while tag < 256 {
        table[tag] = match tag as u8 {
            0x00..=0x1f => Form::Text,
            0x80..=0xbf => Form::Int1,
            0xc0..=0xcf => Form::Int2,
            0xd0..=0xd7 => Form::Int3,
            0x49 => Form::Int4,
            0xd8..=0xef => Form::Long1,
            0xf0..=0xff => Form::Long2,
            0x38..=0x3f => Form::Long3,
            0x59 => Form::Long4,
            0x4c => Form::Long8,
            0x4e => Form::Null,
            0x54 => Form::True,
            0x46 => Form::False,
            0x5b => Form::Double0,
            0x5c => Form::Double1,
            0x5d => Form::DoubleByte,
            0x5e => Form::DoubleShort,
            0x5f => Form::DoubleMills,
            0x44 => Form::Double8,
            0x4a => Form::Date8,
            0x4b => Form::DateMinutes,
            0x60..=0x6f => Form::Object,
            0x78..=0x7f => Form::SmallList,
            _ => Form::Other,
        };
        tag += 1;
    }
    table
}

/// The form of the value that a tag starts.
#[inline(always)]
pub(crate) fn form_of(tag: u8) -> Form {
    FORMS.get(usize::from(tag)).copied().unwrap_or(Form::Other)
}
