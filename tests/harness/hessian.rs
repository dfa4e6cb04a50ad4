//! Hessian 2 by hand: just enough to speak as a peer would, written from the wire specification and not from the codec
//! under test.

use std::fmt;

/// A value as a peer sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// An int.
    Int(i32),
    /// A long.
    Long(i64),
    /// A double.
    Double(f64),
    /// A date, in milliseconds since 1970.
    Date(i64),
    /// A string.
    Text(String),
    /// A byte array.
    Bytes(Vec<u8>),
    /// A list or array with its Java type, if it names one.
    List(Option<String>, Vec<Value>),
    /// A map with its Java type, if it names one.
    Map(Option<String>, Vec<(Value, Value)>),
    /// An object: its class and its fields in order.
    Object(String, Vec<(String, Value)>),
    /// Something said before in the same stream.
    Reference(usize),
}

impl Value {
    /// A string.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An object.
    pub fn object(class: &str, fields: &[(&str, Value)]) -> Self {
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        Self::Object(class.to_owned(), fields.collect())
    }

    /// A Throwable of this class and message, its cause itself, as Java writes it.
    pub fn throwable(class: &str, message: &str) -> Self {
        let trace = Self::List(Some("[java.lang.StackTraceElement".to_owned()), Vec::new());
        Self::object(
            class,
            &[
                ("detailMessage", Self::text(message)),
                ("cause", Self::Reference(0)),
                ("stackTrace", trace),
            ],
        )
    }

    /// A field of an object, or the value of a text key of a map.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(_, fields) => fields
                .iter()
                .find(|(field, _)| field == name)
                .map(|(_, value)| value),
            Self::Map(_, entries) => {
                let key = |key: &Value| matches!(key, Self::Text(text) if text == name);
                entries.iter().find(|(k, _)| key(k)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Its bytes as a stream of its own.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.write(self);
        writer.bytes
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Long(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value}"),
            Self::Date(millis) => write!(f, "{millis} ms"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::List(_, items) => write!(f, "list of {}", items.len()),
            Self::Map(_, entries) => write!(f, "map of {}", entries.len()),
            Self::Object(class, fields) => {
                write!(f, "{}{{", class.rsplit('.').next().unwrap_or(class))?;
                for (n, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}{name}: {value}", if n == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Reference(number) => write!(f, "#{number}"),
        }
    }
}

/// Writes values into one stream with shared class and type tables.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    classes: Vec<(String, Vec<String>)>,
    types: Vec<String>,
}

impl Writer {
    /// Appends a value.
    pub fn write(&mut self, value: &Value) {
        match value {
            Value::Null => self.bytes.push(b'N'),
            Value::Bool(value) => self.bytes.push(if *value { b'T' } else { b'F' }),
            Value::Int(value) => self.int(*value),
            Value::Long(value) => self.long(*value),
            Value::Double(value) => {
                self.bytes.push(b'D');
                self.bytes.extend(value.to_be_bytes());
            }
            Value::Date(millis) => {
                self.bytes.push(0x4a);
                self.bytes.extend(millis.to_be_bytes());
            }
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => {
                for chunk in bytes.chunks(0x8000).take(bytes.len().saturating_sub(1) / 0x8000) {
                    self.chunk(0x41, chunk);
                }
                self.chunk(b'B', bytes.chunks(0x8000).next_back().unwrap_or_default());
            }
            Value::List(java, items) => {
                match java {
                    Some(java) => {
                        self.bytes.push(b'V');
                        self.java_type(java);
                    }
                    None => self.bytes.push(0x58),
                }
                self.int(items.len() as i32);
                items.iter().for_each(|item| self.write(item));
            }
            Value::Map(java, entries) => {
                match java {
                    Some(java) => {
                        self.bytes.push(b'M');
                        self.java_type(java);
                    }
                    None => self.bytes.push(b'H'),
                }
                for (key, value) in entries {
                    self.write(key);
                    self.write(value);
                }
                self.bytes.push(b'Z');
            }
            Value::Object(class, fields) => self.object(class, fields),
            Value::Reference(number) => {
                self.bytes.push(0x51);
                self.int(*number as i32);
            }
        }
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn chunk(&mut self, tag: u8, chunk: &[u8]) {
        self.bytes.push(tag);
        self.bytes.extend((chunk.len() as u16).to_be_bytes());
        self.bytes.extend(chunk);
    }

    fn int(&mut self, value: i32) {
        match value {
            -0x10..=0x2f => self.bytes.push((0x90 + value) as u8),
            -0x800..=0x7ff => {
                self.bytes.push((0xc8 + (value >> 8)) as u8);
                self.bytes.push(value as u8);
            }
            _ => {
                self.bytes.push(b'I');
                self.bytes.extend(value.to_be_bytes());
            }
        }
    }

    fn long(&mut self, value: i64) {
        match value {
            -8..=15 => self.bytes.push((0xe0 + value) as u8),
            _ => {
                self.bytes.push(b'L');
                self.bytes.extend(value.to_be_bytes());
            }
        }
    }

    fn text(&mut self, text: &str) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let chunks: Vec<&[u16]> = units.chunks(0x8000).collect();
        for chunk in chunks.iter().take(chunks.len().saturating_sub(1)) {
            self.bytes.push(0x52);
            self.bytes.extend((chunk.len() as u16).to_be_bytes());
            chunk.iter().for_each(|unit| self.unit(*unit));
        }
        let last = chunks.last().copied().unwrap_or_default();
        match last.len() {
            0..=31 => self.bytes.push(last.len() as u8),
            32..=1023 => self
                .bytes
                .extend([0x30 + (last.len() >> 8) as u8, last.len() as u8]),
            _ => {
                self.bytes.push(b'S');
                self.bytes.extend((last.len() as u16).to_be_bytes());
            }
        }
        last.iter().for_each(|unit| self.unit(*unit));
    }

    /// One UTF-16 unit as CESU-8.
    fn unit(&mut self, unit: u16) {
        match unit {
            0..0x80 => self.bytes.push(unit as u8),
            0x80..0x800 => self
                .bytes
                .extend([0xc0 | (unit >> 6) as u8, 0x80 | (unit & 0x3f) as u8]),
            _ => {
                let middle = 0x80 | ((unit >> 6) & 0x3f) as u8;
                self.bytes
                    .extend([0xe0 | (unit >> 12) as u8, middle, 0x80 | (unit & 0x3f) as u8]);
            }
        }
    }

    fn java_type(&mut self, java: &str) {
        match self.types.iter().position(|known| known == java) {
            Some(number) => self.int(number as i32),
            None => {
                self.types.push(java.to_owned());
                self.text(java);
            }
        }
    }

    fn object(&mut self, class: &str, fields: &[(String, Value)]) {
        let names: Vec<String> = fields.iter().map(|(name, _)| name.clone()).collect();
        let definition = (class.to_owned(), names);
        let number = match self.classes.iter().position(|known| *known == definition) {
            Some(number) => number,
            None => {
                self.bytes.push(b'C');
                self.text(class);
                self.int(fields.len() as i32);
                fields.iter().for_each(|(name, _)| self.text(name));
                self.classes.push(definition);
                self.classes.len() - 1
            }
        };
        if number < 16 {
            self.bytes.push(0x60 + number as u8);
        } else {
            self.bytes.push(b'O');
            self.int(number as i32);
        }
        fields.iter().for_each(|(_, value)| self.write(value));
    }
}

/// Reads values out of one stream with shared class and type tables.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    classes: Vec<(String, Vec<String>)>,
    types: Vec<String>,
}

/// A stream that is no Hessian 2, or more of it than the simulated peers know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no hessian 2 value at byte {at}")]
pub struct NotHessian {
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of a stream.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            classes: Vec::new(),
            types: Vec::new(),
        }
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether all was read.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The next value.
    ///
    /// # Errors
    /// When there is none that the simulated peers know.
    pub fn read(&mut self) -> Result<Value, NotHessian> {
        self.value(0)
    }

    fn value(&mut self, depth: usize) -> Result<Value, NotHessian> {
        if depth > 64 {
            return Err(self.wrong());
        }
        let tag = self.byte()?;
        Ok(match tag {
            b'N' => Value::Null,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            0x80..=0xbf => Value::Int(i32::from(tag) - 0x90),
            0xc0..=0xcf => Value::Int(((i32::from(tag) - 0xc8) << 8) | i32::from(self.byte()?)),
            0xd0..=0xd7 => {
                let low = u16::from_be_bytes(self.array()?);
                Value::Int(((i32::from(tag) - 0xd4) << 16) | i32::from(low))
            }
            b'I' => Value::Int(i32::from_be_bytes(self.array()?)),
            0xd8..=0xef => Value::Long(i64::from(tag) - 0xe0),
            0xf0..=0xff => Value::Long(((i64::from(tag) - 0xf8) << 8) | i64::from(self.byte()?)),
            0x38..=0x3f => {
                let low = u16::from_be_bytes(self.array()?);
                Value::Long(((i64::from(tag) - 0x3c) << 16) | i64::from(low))
            }
            b'Y' => Value::Long(i32::from_be_bytes(self.array()?).into()),
            b'L' => Value::Long(i64::from_be_bytes(self.array()?)),
            0x5b => Value::Double(0.0),
            0x5c => Value::Double(1.0),
            0x5d => Value::Double(f64::from(self.byte()? as i8)),
            0x5e => Value::Double(f64::from(i16::from_be_bytes(self.array()?))),
            0x5f => Value::Double(0.001 * f64::from(i32::from_be_bytes(self.array()?))),
            b'D' => Value::Double(f64::from_be_bytes(self.array()?)),
            0x4a => Value::Date(i64::from_be_bytes(self.array()?)),
            0x4b => Value::Date(i64::from(i32::from_be_bytes(self.array()?)) * 60_000),
            0x00..=0x1f | 0x30..=0x33 | b'R' | b'S' => Value::Text(self.text(tag)?),
            0x20..=0x2f | 0x34..=0x37 | 0x41 | b'B' => Value::Bytes(self.binary(tag)?),
            0x70..=0x77 => {
                let java = self.java_type()?;
                Value::List(Some(java), self.items(usize::from(tag - 0x70), depth)?)
            }
            b'V' => {
                let java = self.java_type()?;
                let count = self.count()?;
                Value::List(Some(java), self.items(count, depth)?)
            }
            0x78..=0x7f => Value::List(None, self.items(usize::from(tag - 0x78), depth)?),
            0x58 => {
                let count = self.count()?;
                Value::List(None, self.items(count, depth)?)
            }
            b'M' => {
                let java = self.java_type()?;
                Value::Map(Some(java), self.entries(depth)?)
            }
            b'H' => Value::Map(None, self.entries(depth)?),
            b'C' => {
                let class = self.string()?;
                let count = self.count()?;
                let mut names = Vec::new();
                for _ in 0..count {
                    names.push(self.string()?);
                }
                self.classes.push((class, names));
                self.value(depth + 1)?
            }
            0x60..=0x6f => self.object(usize::from(tag - 0x60), depth)?,
            b'O' => {
                let number = self.count()?;
                self.object(number, depth)?
            }
            0x51 => Value::Reference(self.count()?),
            _ => return Err(self.wrong()),
        })
    }

    fn wrong(&self) -> NotHessian {
        NotHessian { at: self.at }
    }

    fn byte(&mut self) -> Result<u8, NotHessian> {
        let byte = *self.bytes.get(self.at).ok_or(self.wrong())?;
        self.at += 1;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NotHessian> {
        let bytes = self.bytes.get(self.at..self.at + N).ok_or(self.wrong())?;
        self.at += N;
        bytes.try_into().map_err(|_| self.wrong())
    }

    fn count(&mut self) -> Result<usize, NotHessian> {
        match self.value(64)? {
            Value::Int(count) => usize::try_from(count).map_err(|_| self.wrong()),
            _ => Err(self.wrong()),
        }
    }

    fn string(&mut self) -> Result<String, NotHessian> {
        let tag = self.byte()?;
        self.text(tag)
    }

    fn text(&mut self, mut tag: u8) -> Result<String, NotHessian> {
        let mut units = Vec::new();
        loop {
            let length = match tag {
                0x00..=0x1f => usize::from(tag),
                0x30..=0x33 => usize::from(tag - 0x30) << 8 | usize::from(self.byte()?),
                b'R' | b'S' => usize::from(u16::from_be_bytes(self.array()?)),
                _ => return Err(self.wrong()),
            };
            for _ in 0..length {
                units.push(self.unit()?);
            }
            if tag != b'R' {
                return Ok(String::from_utf16_lossy(&units));
            }
            tag = self.byte()?;
        }
    }

    fn unit(&mut self) -> Result<u16, NotHessian> {
        let first = u16::from(self.byte()?);
        Ok(match first {
            0..0x80 => first,
            0xc0..0xe0 => (first & 0x1f) << 6 | u16::from(self.byte()? & 0x3f),
            0xe0..0xf0 => {
                let second = u16::from(self.byte()? & 0x3f);
                (first & 0x0f) << 12 | second << 6 | u16::from(self.byte()? & 0x3f)
            }
            _ => return Err(self.wrong()),
        })
    }

    fn binary(&mut self, mut tag: u8) -> Result<Vec<u8>, NotHessian> {
        let mut bytes = Vec::new();
        loop {
            let length = match tag {
                0x20..=0x2f => usize::from(tag - 0x20),
                0x34..=0x37 => usize::from(tag - 0x34) << 8 | usize::from(self.byte()?),
                0x41 | b'B' => usize::from(u16::from_be_bytes(self.array()?)),
                _ => return Err(self.wrong()),
            };
            let chunk = self.bytes.get(self.at..self.at + length).ok_or(self.wrong())?;
            bytes.extend_from_slice(chunk);
            self.at += length;
            if tag != 0x41 {
                return Ok(bytes);
            }
            tag = self.byte()?;
        }
    }

    fn java_type(&mut self) -> Result<String, NotHessian> {
        match self.value(64)? {
            Value::Text(java) => {
                self.types.push(java.clone());
                Ok(java)
            }
            Value::Int(number) => {
                let known = usize::try_from(number).ok().and_then(|n| self.types.get(n));
                known.cloned().ok_or(self.wrong())
            }
            _ => Err(self.wrong()),
        }
    }

    fn items(&mut self, count: usize, depth: usize) -> Result<Vec<Value>, NotHessian> {
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(depth + 1)?);
        }
        Ok(items)
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(Value, Value)>, NotHessian> {
        let mut entries = Vec::new();
        while self.bytes.get(self.at) != Some(&b'Z') {
            entries.push((self.value(depth + 1)?, self.value(depth + 1)?));
        }
        self.at += 1;
        Ok(entries)
    }

    fn object(&mut self, number: usize, depth: usize) -> Result<Value, NotHessian> {
        let (class, names) = self.classes.get(number).cloned().ok_or(self.wrong())?;
        let mut fields = Vec::new();
        for name in names {
            fields.push((name, self.value(depth + 1)?));
        }
        Ok(Value::Object(class, fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_java_wrote() {
        // `hello world` and an object of two fields, from the specification's vectors.
        assert_eq!(
            Reader::new(b"\x0bhello world").read(),
            Ok(Value::text("hello world"))
        );
        let bytes = b"C\x01A\x92\x01x\x01y\x60\x91\xe1";
        let object = Value::object("A", &[("x", Value::Int(1)), ("y", Value::Long(1))]);
        assert_eq!(Reader::new(bytes).read(), Ok(object.clone()));
        assert_eq!(object.to_bytes(), bytes);
    }

    #[test]
    fn reads_what_it_writes() {
        let value = Value::Map(
            None,
            vec![
                (Value::text("ü\u{1f600}".repeat(20_000)), Value::Double(1.5)),
                (Value::Int(-5_000), Value::Bytes(vec![7; 70_000])),
                (
                    Value::Null,
                    Value::throwable("java.lang.IllegalStateException", "no"),
                ),
            ],
        );
        assert_eq!(Reader::new(&value.to_bytes()).read(), Ok(value));
    }
}
