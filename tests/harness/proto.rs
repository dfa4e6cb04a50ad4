//! Protobuf by hand: fields of length-delimited and integer type, enough for wrapper messages and the demo's own.

/// Writes fields in the order of the calls.
#[derive(Debug, Default, Clone)]
pub struct Message(Vec<u8>);

impl Message {
    /// No field.
    pub fn new() -> Self {
        Self::default()
    }

    /// A string or bytes field, empty ones included.
    #[must_use]
    pub fn bytes(mut self, number: u32, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.varint(u64::from(number) << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    /// An integer field.
    #[must_use]
    pub fn int(mut self, number: u32, value: i64) -> Self {
        self.varint(u64::from(number) << 3);
        self.varint(value as u64);
        self
    }

    /// The message.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// A field as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// An integer.
    Int(u64),
    /// A string, bytes or a message.
    Bytes(Vec<u8>),
}

/// All fields of a message by number, in order; `None` when it is no message.
pub fn read(mut bytes: &[u8]) -> Option<Vec<(u32, Field)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let number = u32::try_from(tag >> 3).ok()?;
        let field = match tag & 7 {
            0 => Field::Int(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Field::Bytes(value.to_vec())
            }
            1 => fixed(&mut bytes, 8)?,
            5 => fixed(&mut bytes, 4)?,
            _ => return None,
        };
        fields.push((number, field));
    }
    Some(fields)
}

/// The last string or bytes field of a number.
pub fn bytes_of(fields: &[(u32, Field)], number: u32) -> Option<&[u8]> {
    fields.iter().rev().find_map(|(n, field)| match field {
        Field::Bytes(bytes) if *n == number => Some(bytes.as_slice()),
        _ => None,
    })
}

/// The last integer field of a number.
pub fn int_of(fields: &[(u32, Field)], number: u32) -> Option<u64> {
    fields.iter().rev().find_map(|(n, field)| match field {
        Field::Int(value) if *n == number => Some(*value),
        _ => None,
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn fixed(bytes: &mut &[u8], length: usize) -> Option<Field> {
    let (value, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    let value = value
        .iter()
        .rev()
        .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    Some(Field::Int(value))
}
