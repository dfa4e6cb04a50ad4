//! Hessian scalars and the objects that stand for one: reading them for a Java type.

use std::borrow::Cow;

use super::super::error::{Fallible, Policy, Rule, fault};
use super::super::plan::{Conv, F, J};
use super::super::wire::{Wire, zigzag};
use super::super::zone::Zone;
use super::number::{is_decimal, words_to_decimal, words_to_twos};
use super::time::{
    Parts, Pattern, days_of, duration_text, instant_text, offset_is_valid, offset_text, parse, period_text,
    year_month_text,
};
use super::to_protobuf::{ToProtobuf, short_name};
use crate::hessian2::{Str, Token};

/// The fields of an object that stands for a scalar: BigDecimal, an enum, a `java.time` handle, nested ones flattened.
#[derive(Debug, Default)]
pub(super) struct Handle<'a> {
    pub(super) parts: Parts,
    pub(super) seconds: i64,
    pub(super) nanos: i64,
    pub(super) years: i64,
    pub(super) months: i64,
    pub(super) days: i64,
    pub(super) text: Option<Cow<'a, str>>,
    pub(super) date: Option<i64>,
    pub(super) int: Option<i64>,
    pub(super) flag: Option<bool>,
    pub(super) most: Option<i64>,
    pub(super) least: Option<i64>,
    pub(super) signum: i64,
    pub(super) words: Vec<u32>,
}

/// What a token is, in words, for errors; never its value.
pub(super) fn name_of(token: &Token<'_>) -> &'static str {
    match token {
        Token::Null => "null",
        Token::Bool(_) => "a boolean",
        Token::Int(_) => "an int",
        Token::Long(_) => "a long",
        Token::Double(_) => "a double",
        Token::Date(_) => "a date",
        Token::Str(_) => "a string",
        Token::Binary(_) => "binary",
        Token::ListStart { .. } => "a list",
        Token::MapStart { .. } => "a map",
        Token::ObjectStart { .. } => "an object",
        Token::Ref(_) => "a reference",
        Token::End => "an end",
    }
}

#[cold]
pub(super) fn unexpected(java: J, token: &Token<'_>) -> Box<super::super::error::Fault> {
    fault(
        Rule::Kind,
        format!("expected {java:?} of Java, found {}", name_of(token)),
    )
}

#[cold]
fn range(what: &str) -> Box<super::super::error::Fault> {
    fault(Rule::Range, format!("number does not fit {what}"))
}

#[cold]
fn format(java: J) -> Box<super::super::error::Fault> {
    fault(Rule::Format, format!("text is no {java:?}"))
}

/// A whole number as a protobuf type has it on the wire.
#[inline]
#[allow(
    clippy::as_conversions,
    reason = "sign extension and reinterpretation are the encodings' own rules"
)]
pub(super) fn encode_int(conv: &Conv, value: i64) -> Fallible<Wire<'static>> {
    let int32 = || i32::try_from(value).map_err(|_| range("int32"));
    let uint32 = || u32::try_from(value).map_err(|_| range("uint32"));
    let uint64 = || {
        if value >= 0 || conv.reinterpret {
            Ok(value as u64)
        } else {
            Err(range("uint64"))
        }
    };
    Ok(match &conv.proto {
        F::Int32 | F::Enum(_) => Wire::Varint(i64::from(int32()?) as u64),
        F::Sint32 => Wire::Varint(zigzag(i64::from(int32()?)) & 0xffff_ffff),
        F::Sfixed32 => Wire::Fixed32(int32()? as u32),
        F::Uint32 => Wire::Varint(u64::from(uint32()?)),
        F::Fixed32 => Wire::Fixed32(uint32()?),
        F::Int64 => Wire::Varint(value as u64),
        F::Sint64 => Wire::Varint(zigzag(value)),
        F::Sfixed64 => Wire::Fixed64(value as u64),
        F::Uint64 => Wire::Varint(uint64()?),
        F::Fixed64 => Wire::Fixed64(uint64()?),
        _ => return Err(range("the protobuf type")),
    })
}

impl<'a> ToProtobuf<'a, '_> {
    /// A whole number of a Java type, range-checked.
    #[inline]
    pub(super) fn integer(&self, java: J, token: &Token<'a>) -> Fallible<i64> {
        let value = match token {
            Token::Int(value) => i64::from(*value),
            Token::Long(value) => *value,
            other => return Err(unexpected(java, other)),
        };
        let fits = match java {
            J::Byte => i8::try_from(value).is_ok(),
            J::Short => i16::try_from(value).is_ok(),
            J::Int | J::AtomicInteger | J::Year => i32::try_from(value).is_ok(),
            J::Char => u16::try_from(value).is_ok(),
            _ => true,
        };
        if fits {
            Ok(value)
        } else {
            Err(range(&format!("{java:?} of Java")))
        }
    }

    /// A value whose protobuf type is a number, a bool or an enum.
    #[inline]
    #[allow(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "a double is rounded to the nearest float, as the rule says"
    )]
    pub(super) fn numeric(&mut self, conv: &Conv, token: &Token<'a>) -> Fallible<Wire<'static>> {
        // What nearly all numbers are.
        if let (J::Int | J::Long, Token::Int(_) | Token::Long(_)) = (conv.java, token) {
            return encode_int(conv, self.integer(conv.java, token)?);
        }
        match (&conv.proto, conv.java) {
            (F::Enum(id), _) => self
                .enum_number(*id, *token)
                .map(|number| Wire::Varint(i64::from(number) as u64)),
            (F::Bool, java) => match token {
                Token::Bool(value) => Ok(Wire::Varint(u64::from(*value))),
                Token::ObjectStart { .. } if java == J::AtomicBoolean => {
                    let handle = self.handle_of(*token)?;
                    let value = handle.flag.or(handle.int.map(|int| int != 0));
                    Ok(Wire::Varint(u64::from(value.unwrap_or(false))))
                }
                other => Err(unexpected(java, other)),
            },
            (F::Float | F::Double, java) => {
                let value = self.double(java, *token)?;
                if conv.proto == F::Double {
                    return Ok(Wire::Fixed64(value.to_bits()));
                }
                let narrow = value as f32;
                if value.is_finite() && !narrow.is_finite() {
                    return Err(range("float"));
                }
                if java == J::Double && !value.is_nan() && f64::from(narrow) != value {
                    self.lose(Rule::Narrow, "a double does not fit a float exactly")?;
                }
                Ok(Wire::Fixed32(narrow.to_bits()))
            }
            (_, J::Date | J::SqlTimestamp) => {
                let millis = self.millis(conv.java, *token)?;
                encode_int(conv, millis)
            }
            (_, J::BigInteger) => self.big_number(conv, *token),
            (_, J::Char) => {
                let value = match token {
                    Token::Str(text) => self.unit(*text)?,
                    other => self.integer(J::Char, other)?,
                };
                encode_int(conv, value)
            }
            (_, java @ (J::AtomicInteger | J::AtomicLong | J::Year)) => {
                let value = match token {
                    Token::Int(_) | Token::Long(_) => self.integer(java, token)?,
                    other => {
                        let handle = self.handle_of(*other)?;
                        match java {
                            J::Year if handle.parts.year.unsigned_abs() <= 999_999_999 => handle.parts.year,
                            J::Year => return Err(range("Year of Java")),
                            _ => handle.int.unwrap_or(0),
                        }
                    }
                };
                encode_int(conv, value)
            }
            (_, java) => encode_int(conv, self.integer(java, token)?),
        }
    }

    fn double(&mut self, java: J, token: Token<'a>) -> Fallible<f64> {
        match token {
            Token::Double(value) => Ok(value),
            Token::Int(value) => Ok(f64::from(value)),
            Token::Long(value) => exact_double(value).ok_or_else(|| range("double")),
            other if java == J::BigDecimal => {
                let text = self.text(J::BigDecimal, other)?;
                let value: f64 = text.parse().map_err(|_| format(J::BigDecimal))?;
                self.lose(Rule::Narrow, "a decimal becomes a double")?;
                Ok(value)
            }
            other => Err(unexpected(java, &other)),
        }
    }

    fn unit(&self, text: Str<'a>) -> Fallible<i64> {
        let mut units = text.units();
        match (units.next(), units.next()) {
            (None, _) => Ok(0),
            (Some(unit), None) => Ok(i64::from(unit)),
            _ => Err(fault(Rule::Format, "a char has more than one UTF-16 unit")),
        }
    }

    fn big_number(&mut self, conv: &Conv, token: Token<'a>) -> Fallible<Wire<'static>> {
        let handle = match token {
            Token::Int(_) | Token::Long(_) => return encode_int(conv, self.integer(J::Long, &token)?),
            other => self.handle_of(other)?,
        };
        let text = words_to_decimal(&handle.words, handle.signum < 0);
        if let F::Uint64 | F::Fixed64 = conv.proto {
            let value: u64 = text.parse().map_err(|_| range("uint64"))?;
            return Ok(match conv.proto {
                F::Fixed64 => Wire::Fixed64(value),
                _ => Wire::Varint(value),
            });
        }
        encode_int(conv, text.parse().map_err(|_| range("int64"))?)
    }

    /// Milliseconds since the epoch of a Date or one of its kin.
    pub(super) fn millis(&mut self, java: J, token: Token<'a>) -> Fallible<i64> {
        match token {
            Token::Date(millis) => Ok(millis),
            Token::ObjectStart { .. } | Token::MapStart { .. } if java != J::Date => {
                let handle = self.handle_of(token)?;
                handle
                    .date
                    .ok_or_else(|| fault(Rule::Format, format!("{java:?} holds no date")))
            }
            other => Err(unexpected(java, &other)),
        }
    }

    /// The bytes of a value whose protobuf type is `bytes`, where they are not simply binary.
    pub(super) fn raw_bytes(&mut self, java: J, token: Token<'a>) -> Fallible<Cow<'a, [u8]>> {
        match (java, token) {
            (J::Bytes | J::ByteObjects, Token::Binary(binary)) => Ok(binary.to_cow()),
            (J::Bytes | J::ByteObjects, Token::ListStart { .. }) => {
                let mut bytes = Vec::new();
                loop {
                    let value = match self.reader.read()? {
                        Token::End => return Ok(Cow::Owned(bytes)),
                        Token::Null => match self.lose(Rule::NullElement, "null in a Byte[]")? {
                            Policy::Drop => continue,
                            _ => 0,
                        },
                        token => self.integer(J::Byte, &token)?,
                    };
                    let [byte, ..] = value.to_le_bytes();
                    bytes.push(byte);
                }
            }
            (J::String, Token::Str(text)) => Ok(match self.utf8(text)? {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }),
            (J::BigInteger, token) => {
                let handle = self.handle_of(token)?;
                Ok(Cow::Owned(words_to_twos(&handle.words, handle.signum < 0)))
            }
            (J::Uuid, token) => {
                let text = self.text(J::Uuid, token)?;
                let hex: String = text.chars().filter(|c| *c != '-').collect();
                let value = u128::from_str_radix(&hex, 16).map_err(|_| format(J::Uuid))?;
                Ok(Cow::Owned(value.to_be_bytes().to_vec()))
            }
            (java, other) => Err(unexpected(java, &other)),
        }
    }

    /// A string as UTF-8; half a surrogate pair is a rule's matter.
    pub(super) fn utf8(&mut self, text: Str<'a>) -> Fallible<Cow<'a, str>> {
        match text.as_str() {
            Some(text) => Ok(Cow::Borrowed(text)),
            None => {
                let mut utf8 = Vec::with_capacity(text.utf8_len());
                if !text.write_utf8(&mut utf8) {
                    self.lose(Rule::Surrogate, "text holds half of a surrogate pair")?;
                }
                let utf8 = String::from_utf8(utf8).map_err(|_| format(J::String))?;
                Ok(Cow::Owned(utf8))
            }
        }
    }

    /// The text of a value whose protobuf type is `string`.
    pub(super) fn text(&mut self, java: J, token: Token<'a>) -> Fallible<Cow<'a, str>> {
        match (java, token) {
            (J::String | J::CharArray, Token::Str(text)) => self.utf8(text),
            (J::Char, Token::Str(text)) => {
                let unit = self.unit(text)?;
                if unit == 0 {
                    Ok(Cow::Borrowed(""))
                } else {
                    self.utf8(text)
                }
            }
            (J::Long, token @ (Token::Int(_) | Token::Long(_))) => {
                Ok(Cow::Owned(self.integer(J::Long, &token)?.to_string()))
            }
            (J::Date | J::SqlTimestamp, token) => {
                let (seconds, nanos) = split_millis(self.millis(java, token)?);
                Ok(Cow::Owned(instant_text(seconds, nanos, true)))
            }
            (J::SqlDate | J::SqlTime, token) => {
                let parts = self.sql_parts(java, token)?;
                Ok(Cow::Owned(match java {
                    J::SqlDate => parts.date_text(),
                    _ => parts.time_text(),
                }))
            }
            (J::Url, Token::ObjectStart { .. } | Token::MapStart { .. }) => self.url(token).map(Cow::Owned),
            (J::String, Token::ObjectStart { class, .. }) => {
                // An enum, and no other object, is read as its text.
                let class = self.reader.class(class);
                if !class.is_some_and(|class| {
                    class.field_count() == 1 && class.field(0).is_some_and(|name| name.is("name"))
                }) {
                    return Err(unexpected(java, &token));
                }
                let handle = self.handle_of(token)?;
                handle.text.ok_or_else(|| format(java))
            }
            (J::TimeZone, Token::ObjectStart { class, .. }) => {
                let own_rules = self
                    .reader
                    .class(class)
                    .is_some_and(|class| class.name().is("java.util.SimpleTimeZone"));
                let handle = self.handle_of(token)?;
                if own_rules {
                    self.lose(Rule::Zone, "the rules of a SimpleTimeZone do not fit its name")?;
                }
                self.handle_text(java, handle)
            }
            // A text where an object is expected is the generic style; its form is checked like any other's.
            (java, Token::Str(text)) => {
                let text = self.utf8(text)?;
                if is_text_of(java, &text) {
                    Ok(match java {
                        J::Uuid => Cow::Owned(text.to_ascii_lowercase()),
                        _ => text,
                    })
                } else {
                    Err(format(java))
                }
            }
            (java, token @ (Token::ObjectStart { .. } | Token::MapStart { .. })) => {
                let handle = self.handle_of(token)?;
                self.handle_text(java, handle)
            }
            (java, other) => Err(unexpected(java, &other)),
        }
    }

    fn handle_text(&self, java: J, handle: Handle<'a>) -> Fallible<Cow<'a, str>> {
        let parts = &handle.parts;
        let owned = match java {
            J::BigInteger => words_to_decimal(&handle.words, handle.signum < 0),
            J::LocalDate if parts.date_is_valid() => parts.date_text(),
            J::LocalTime if parts.time_is_valid() => parts.time_text(),
            J::LocalDateTime if parts.date_is_valid() && parts.time_is_valid() => parts.date_time_text(),
            J::OffsetDateTime | J::ZonedDateTime
                if parts.date_is_valid() && parts.time_is_valid() && offset_is_valid(handle.seconds) =>
            {
                let mut zoned = parts.clone();
                zoned.offset.get_or_insert(handle.seconds);
                if java == J::OffsetDateTime {
                    zoned.zone = None;
                }
                format!("{}{}", zoned.date_time_text(), zoned.zone_text())
            }
            J::OffsetTime if parts.time_is_valid() && offset_is_valid(handle.seconds) => {
                format!("{}{}", parts.time_text(), offset_text(handle.seconds))
            }
            J::YearMonth if days_of(parts.year, parts.month, 1).is_some() => {
                year_month_text(parts.year, parts.month)
            }
            // A leap year has every day that a year can have.
            J::MonthDay if days_of(2000, parts.month, parts.day).is_some() => {
                format!("--{:02}-{:02}", parts.month, parts.day)
            }
            J::Period
                if [handle.years, handle.months, handle.days]
                    .iter()
                    .all(|count| i32::try_from(*count).is_ok()) =>
            {
                period_text(handle.years, handle.months, handle.days)
            }
            J::ZoneOffset if offset_is_valid(handle.seconds) => offset_text(handle.seconds),
            J::ZoneId => match (parts.zone.clone(), &handle.text) {
                (Some(zone), _) => zone,
                (None, Some(text)) => text.to_string(),
                (None, None) if offset_is_valid(handle.seconds) => offset_text(handle.seconds),
                (None, None) => return Err(format(java)),
            },
            J::Instant => instant_text(handle.seconds, nanos_of(&handle)?, false),
            J::Duration => {
                let (seconds, nanos) = same_sign(handle.seconds, handle.nanos)?;
                duration_text(seconds, nanos)
            }
            J::Uuid => match (&handle.text, handle.most, handle.least) {
                (Some(text), _, _) if is_text_of(java, text) => text.to_ascii_lowercase(),
                (None, Some(most), Some(least)) => uuid_text(most, least),
                _ => return Err(format(java)),
            },
            J::BigDecimal
            | J::Locale
            | J::Currency
            | J::Uri
            | J::File
            | J::ObjectName
            | J::TimeZone
            | J::Class
            | J::Enum => {
                return match handle.text {
                    Some(text) if is_text_of(java, &text) => Ok(text),
                    _ => Err(format(java)),
                };
            }
            _ => return Err(format(java)),
        };
        Ok(Cow::Owned(owned))
    }

    /// Seconds and nanos of a value whose protobuf type is Timestamp.
    pub(super) fn timestamp(&mut self, java: J, token: Token<'a>) -> Fallible<(i64, u32)> {
        let (seconds, nanos) = match java {
            J::Date | J::SqlTimestamp => split_millis(self.millis(java, token)?),
            J::Calendar => match token {
                Token::Date(millis) => split_millis(millis),
                token => {
                    let handle = self.handle_of(token)?;
                    let millis = handle.date.ok_or_else(|| format(java))?;
                    if handle.text.is_some() {
                        self.lose(Rule::Zone, "a Calendar of another class does not fit a Timestamp")?;
                    }
                    split_millis(millis)
                }
            },
            J::Instant => {
                let handle = self.handle_or_text(java, token)?;
                (handle.seconds, nanos_of(&handle)?)
            }
            _ => {
                let handle = self.handle_or_text(java, token)?;
                let mut parts = handle.parts;
                parts.offset.get_or_insert(handle.seconds);
                if parts.offset != Some(0) || parts.zone.as_deref().is_some_and(|zone| zone != "Z") {
                    self.lose(Rule::Zone, "a time zone does not fit a Timestamp")?;
                }
                let nano = u32::try_from(parts.nano).map_err(|_| format(java))?;
                (parts.seconds().ok_or_else(|| format(java))?, nano)
            }
        };
        if TIMESTAMP_SECONDS.contains(&seconds) {
            Ok((seconds, nanos))
        } else {
            Err(range("Timestamp"))
        }
    }

    /// Seconds and nanos of the same sign of a value whose protobuf type is Duration.
    pub(super) fn span(&mut self, token: Token<'a>) -> Fallible<(i64, i32)> {
        let handle = self.handle_or_text(J::Duration, token)?;
        let (seconds, nanos) = same_sign(handle.seconds, handle.nanos)?;
        if seconds.unsigned_abs() > 315_576_000_000 {
            return Err(range("Duration"));
        }
        Ok((seconds, nanos))
    }

    /// The parts of a value whose protobuf type is one of `google.type`.
    pub(super) fn parts(&mut self, java: J, token: Token<'a>) -> Fallible<Parts> {
        match java {
            J::SqlDate | J::SqlTime => self.sql_parts(java, token),
            _ => {
                let handle = self.handle_or_text(java, token)?;
                let mut parts = handle.parts;
                if matches!(java, J::OffsetDateTime | J::ZonedDateTime) {
                    parts.offset.get_or_insert(handle.seconds);
                }
                Ok(parts)
            }
        }
    }

    /// The day of a `java.sql.Date`, or the time of day of a `java.sql.Time`, in the binding's time zone.
    fn sql_parts(&mut self, java: J, token: Token<'a>) -> Fallible<Parts> {
        if let Token::Str(text) = token {
            let text = self.utf8(text)?;
            return Ok(parse_text(java, &text).ok_or_else(|| format(java))?.parts);
        }
        let (seconds, nanos) = split_millis(self.millis(java, token)?);
        let zone = self.types.zone.as_ref();
        let offset = match zone {
            None => 0,
            Some(zone) => zone
                .offset_at(seconds)
                .ok_or_else(|| range("the time zone's years"))?,
        };
        let mut parts = Parts::of_instant(seconds.saturating_add(offset), nanos);
        parts.offset = None;
        let back = sql_seconds(java, &parts, zone);
        if back != Some(seconds) || (java == J::SqlDate && nanos != 0) {
            self.lose(
                Rule::SqlPart,
                "a java.sql.Date has a time, or a Time a date, in the binding's time zone",
            )?;
        }
        Ok(parts)
    }

    /// The text of a `java.net.URL`, which Java writes in its parts.
    fn url(&mut self, token: Token<'a>) -> Fallible<String> {
        let Token::ObjectStart { class, .. } = token else {
            return Err(unexpected(J::Url, &token));
        };
        let (mut protocol, mut authority, mut file, mut fragment) = (None, None, None, None);
        for position in 0usize.. {
            let name = self.reader.class(class).and_then(|class| class.field(position));
            let token = self.read_value()?;
            let (Some(name), false) = (name, token == Token::End) else {
                break;
            };
            let Token::Str(text) = token else {
                self.skip_after(token)?;
                continue;
            };
            let text = self.utf8(text)?;
            match &*short_name(name).unwrap_or_default() {
                "protocol" => protocol = Some(text),
                "authority" => authority = Some(text),
                "file" => file = Some(text),
                "ref" => fragment = Some(text),
                _ => {}
            }
        }
        let protocol = protocol.ok_or_else(|| format(J::Url))?;
        let mut text = format!("{protocol}:");
        for (mark, part) in [
            ("//", authority.filter(|text| !text.is_empty())),
            ("", file),
            ("#", fragment),
        ] {
            if let Some(part) = part {
                text.push_str(mark);
                text.push_str(&part);
            }
        }
        if is_text_of(J::Url, &text) {
            Ok(text)
        } else {
            Err(format(J::Url))
        }
    }

    fn handle_or_text(&mut self, java: J, token: Token<'a>) -> Fallible<Handle<'a>> {
        let Token::Str(text) = token else {
            return self.handle_of(token);
        };
        let text = self.utf8(text)?;
        parse_text(java, &text).ok_or_else(|| format(java))
    }

    /// The fields of the object that `token` begins.
    pub(super) fn handle_of(&mut self, token: Token<'a>) -> Fallible<Handle<'a>> {
        let mut handle = Handle::default();
        self.handle_into(token, &mut handle)?;
        Ok(handle)
    }

    fn handle_into(&mut self, token: Token<'a>, handle: &mut Handle<'a>) -> Fallible<()> {
        match token {
            Token::ObjectStart { class, .. } => {
                for position in 0usize.. {
                    let name = self.reader.class(class).and_then(|class| class.field(position));
                    let token = self.reader.read()?;
                    let (Some(name), false) = (name, token == Token::End) else {
                        return Ok(());
                    };
                    self.handle_field(name, token, handle)?;
                }
                Ok(())
            }
            Token::MapStart { .. } => loop {
                match self.reader.read()? {
                    Token::End => return Ok(()),
                    Token::Str(name) => {
                        let token = self.reader.read()?;
                        if name.is("class") {
                            self.skip_after(token)?;
                        } else {
                            self.handle_field(name, token, handle)?;
                        }
                    }
                    other => return Err(unexpected(J::String, &other)),
                }
            },
            other => Err(unexpected(J::Object, &other)),
        }
    }

    fn handle_field(&mut self, name: Str<'a>, token: Token<'a>, handle: &mut Handle<'a>) -> Fallible<()> {
        let token = self.follow(token)?;
        // What is too long is none of these.
        let name = short_name(name).unwrap_or_default();
        match token {
            Token::Int(_) | Token::Long(_) => {
                let value = self.integer(J::Long, &token)?;
                let parts = &mut handle.parts;
                match &*name {
                    "year" => parts.year = value,
                    "month" => parts.month = value,
                    "day" => parts.day = value,
                    "hour" => parts.hour = value,
                    "minute" => parts.minute = value,
                    "second" => parts.second = value,
                    "nano" => parts.nano = value,
                    "seconds" => handle.seconds = value,
                    "nanos" => handle.nanos = value,
                    "years" => handle.years = value,
                    "months" => handle.months = value,
                    "days" => handle.days = value,
                    "mostSigBits" => handle.most = Some(value),
                    "leastSigBits" => handle.least = Some(value),
                    "signum" => handle.signum = value,
                    "value" => handle.int = Some(value),
                    _ => {}
                }
            }
            Token::Str(text) => {
                let text = self.utf8(text)?;
                match &*name {
                    "zoneId" => handle.parts.zone = Some(text.into_owned()),
                    "value" | "name" | "currencyCode" | "string" | "ID" => handle.text = Some(text),
                    _ => {}
                }
            }
            Token::Date(millis) => handle.date = Some(millis),
            Token::Bool(flag) => handle.flag = Some(flag),
            Token::ListStart { .. } if &*name == "mag" => loop {
                match self.reader.read()? {
                    Token::End => break,
                    token => {
                        if handle.words.len() >= super::number::MOST_WORDS {
                            return Err(fault(Rule::Limit, "a BigInteger has too many words"));
                        }
                        let value = self.integer(J::Int, &token)?;
                        let word = i32::try_from(value).map_err(|_| range("int"))?;
                        handle.words.push(word.cast_unsigned());
                    }
                }
            },
            Token::ObjectStart { .. } | Token::MapStart { .. } => self.handle_into(token, handle)?,
            other => self.skip_after(other)?,
        }
        Ok(())
    }
}

fn nanos_of(handle: &Handle<'_>) -> Fallible<u32> {
    u32::try_from(handle.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000)
        .ok_or_else(|| range("nanoseconds"))
}

/// Java has nanos of 0 and above; protobuf wants both of one sign.
fn same_sign(seconds: i64, nanos: i64) -> Fallible<(i64, i32)> {
    let nanos = i32::try_from(nanos)
        .ok()
        .filter(|nanos| nanos.unsigned_abs() < 1_000_000_000)
        .ok_or_else(|| range("nanoseconds"))?;
    if seconds < 0 && nanos > 0 {
        Ok((seconds.saturating_add(1), nanos.saturating_sub(1_000_000_000)))
    } else {
        Ok((seconds, nanos))
    }
}

/// Milliseconds as seconds and nanos, floored.
pub(super) fn split_millis(millis: i64) -> (i64, u32) {
    let nanos = u32::try_from(millis.rem_euclid(1000))
        .unwrap_or(0)
        .saturating_mul(1_000_000);
    (millis.div_euclid(1000), nanos)
}

/// What a Timestamp can say: 0001-01-01 to 9999-12-31.
pub(super) const TIMESTAMP_SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// A long as a double, if that is exact.
#[allow(clippy::as_conversions, reason = "the result is compared with the value")]
pub(super) fn exact_double(value: i64) -> Option<f64> {
    let double = value as f64;
    // 2^63 is no long, but casts back to the greatest one.
    (double < 9_223_372_036_854_775_808.0 && double as i64 == value).then_some(double)
}

/// Seconds since the epoch of the midnight of a `java.sql.Date`, or of the time of a `java.sql.Time` on 1970-01-01.
pub(super) fn sql_seconds(java: J, parts: &Parts, zone: Option<&Zone>) -> Option<i64> {
    let local = match java {
        J::SqlDate => Parts {
            year: parts.year,
            month: parts.month,
            day: parts.day,
            ..Parts::default()
        },
        _ => Parts {
            year: 1970,
            month: 1,
            day: 1,
            hour: parts.hour,
            minute: parts.minute,
            second: parts.second,
            ..Parts::default()
        },
    };
    match zone {
        None => local.seconds(),
        Some(zone) => zone.seconds_of(&local),
    }
}

fn uuid_text(most: i64, least: i64) -> String {
    let hex = format!("{:016x}{:016x}", most.cast_unsigned(), least.cast_unsigned());
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
    format!(
        "{}-{}-{}-{}-{}",
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32)
    )
}

/// Whether a text is a value of a Java type.
pub(super) fn is_text_of(java: J, text: &str) -> bool {
    match java {
        J::BigDecimal => is_decimal(text),
        J::BigInteger => super::number::decimal_to_words(text).is_some(),
        J::Uuid => {
            text.len() == 36
                && text.char_indices().all(|(at, c)| {
                    if matches!(at, 8 | 13 | 18 | 23) {
                        c == '-'
                    } else {
                        c.is_ascii_hexdigit()
                    }
                })
        }
        J::Class => text.len() <= 512,
        J::Char => text.encode_utf16().count() <= 1,
        J::Long => text.parse::<i64>().is_ok(),
        J::Bool
        | J::Byte
        | J::Short
        | J::Int
        | J::Float
        | J::Double
        | J::Bytes
        | J::ByteObjects
        | J::Object
        | J::Any
        | J::Collection
        | J::Map => false,
        J::TimeZone => !text.is_empty() && text.len() <= 64,
        J::Url => text.split_once(':').is_some_and(|(protocol, _)| {
            !protocol.is_empty()
                && protocol
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        }),
        J::String
        | J::CharArray
        | J::Enum
        | J::Locale
        | J::Currency
        | J::Uri
        | J::File
        | J::ObjectName
        | J::ZoneId => true,
        _ => parse_text(java, text).is_some(),
    }
}

/// The fields of the object that stands for a text.
pub(super) fn parse_text(java: J, text: &str) -> Option<Handle<'static>> {
    let mut handle = Handle::default();
    let pattern = match java {
        J::LocalDate | J::SqlDate => Pattern::Date,
        J::LocalTime | J::SqlTime => Pattern::Time,
        J::LocalDateTime => Pattern::DateTime,
        J::OffsetDateTime | J::ZonedDateTime | J::Instant | J::Date | J::SqlTimestamp => {
            Pattern::OffsetDateTime
        }
        J::OffsetTime => Pattern::OffsetTime,
        J::YearMonth => Pattern::YearMonth,
        J::MonthDay => Pattern::MonthDay,
        J::ZoneOffset => Pattern::Offset,
        J::Period => {
            (handle.years, handle.months, handle.days) = super::time::parse_period(text)?;
            return Some(handle);
        }
        J::Duration => {
            let (seconds, nanos) = super::time::parse_duration(text)?;
            handle.seconds = seconds;
            handle.nanos = i64::from(nanos);
            return Some(handle);
        }
        J::Year => {
            handle.parts.year = text.parse().ok()?;
            return Some(handle);
        }
        _ => return None,
    };
    handle.parts = parse(text, pattern)?;
    match java {
        J::Instant | J::Date | J::SqlTimestamp => {
            handle.seconds = handle.parts.seconds()?;
            handle.nanos = handle.parts.nano;
        }
        _ => handle.seconds = handle.parts.offset.unwrap_or(0),
    }
    Some(handle)
}
