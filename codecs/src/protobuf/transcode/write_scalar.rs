//! Protobuf scalars and well-known messages as Java values (mapping section 3).

use super::super::error::{Fallible, Rule, fault};
use super::super::plan::{Conv, F, J, get};
use super::super::wire::{Fields, Wire, unzigzag};
use super::number::{decimal_to_words, twos_to_words, widen};
use super::scalar::{Handle, is_text_of, parse_text};
use super::time::{Parts, Pattern, parse};
use super::to_hessian::ToHessian;

/// Where keys of classes without a message begin.
const HANDLES: usize = usize::MAX / 2;
const IO: &str = "com.alibaba.com.caucho.hessian.io";

fn range(what: &str) -> Box<super::super::error::Fault> {
    fault(Rule::Range, format!("number does not fit {what}"))
}

fn format(java: J) -> Box<super::super::error::Fault> {
    fault(Rule::Format, format!("text is no {java:?}"))
}

/// A number off the wire.
enum Number {
    Signed(i64),
    Unsigned(u64),
    Float(f32),
    Double(f64),
}

#[allow(
    clippy::as_conversions,
    reason = "protobuf cuts 64-bit varints to the field's width"
)]
fn decode(proto: &F, wire: Wire<'_>) -> Number {
    match (proto, wire) {
        (F::Int32 | F::Enum(_), Wire::Varint(value)) => Number::Signed(i64::from(value as u32 as i32)),
        (F::Sint32, Wire::Varint(value)) => Number::Signed(unzigzag(value & 0xffff_ffff)),
        (F::Uint32, Wire::Varint(value)) => Number::Unsigned(value & 0xffff_ffff),
        (F::Int64, Wire::Varint(value)) => Number::Signed(value as i64),
        (F::Sint64, Wire::Varint(value)) => Number::Signed(unzigzag(value)),
        (F::Sfixed32, Wire::Fixed32(value)) => Number::Signed(i64::from(value as i32)),
        (F::Fixed32, Wire::Fixed32(value)) => Number::Unsigned(u64::from(value)),
        (F::Float, Wire::Fixed32(value)) => Number::Float(f32::from_bits(value)),
        (F::Double, Wire::Fixed64(value)) => Number::Double(f64::from_bits(value)),
        (F::Sfixed64, Wire::Fixed64(value)) => Number::Signed(value as i64),
        (_, Wire::Varint(value) | Wire::Fixed64(value)) => Number::Unsigned(value),
        (_, Wire::Fixed32(value)) => Number::Unsigned(u64::from(value)),
        (_, Wire::Bytes(_)) => Number::Unsigned(0),
    }
}

impl ToHessian<'_, '_> {
    /// A number, a bool or an enum.
    #[allow(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "a u64 is reinterpreted where the binding says so; a double is compared after rounding"
    )]
    pub(super) fn number(&mut self, conv: &Conv, wire: Wire<'_>) -> Fallible<()> {
        let number = decode(&conv.proto, wire);
        if let F::Enum(id) = conv.proto {
            let Number::Signed(value) = number else {
                return Err(range("enum"));
            };
            return self.enumeration(id, conv.java, value);
        }
        let whole = match number {
            Number::Double(value) => return self.double(conv, value),
            Number::Float(value) => {
                let value = widen(value);
                return self.double(conv, value);
            }
            Number::Signed(value) => value,
            Number::Unsigned(value) if conv.java == J::BigInteger => {
                let text = value.to_string();
                return self.big_integer(&text);
            }
            Number::Unsigned(value) => match i64::try_from(value) {
                Ok(value) => value,
                Err(_) if conv.reinterpret => value as i64,
                Err(_) => return Err(range("long")),
            },
        };
        match conv.java {
            J::Bool => self.writer.bool(whole != 0),
            J::Byte => self
                .writer
                .int(i32::from(i8::try_from(whole).map_err(|_| range("byte"))?)),
            J::Short => self
                .writer
                .int(i32::from(i16::try_from(whole).map_err(|_| range("short"))?)),
            J::Int => self.writer.int(i32::try_from(whole).map_err(|_| range("int"))?),
            J::Long => self.writer.long(whole),
            J::Char => {
                let unit = u16::try_from(whole).map_err(|_| range("char"))?;
                let text = crate::hessian2::JavaText::from_utf16([unit]);
                self.writer.java_text(&text);
            }
            J::Date => self.writer.date(whole),
            J::SqlTimestamp => self.sql("java.sql.Timestamp", 3, whole),
            J::BigInteger => self.big_integer(&whole.to_string())?,
            J::Year => {
                let year = i32::try_from(whole).map_err(|_| range("Year"))?;
                self.handle("YearHandle", &["year"], &[i64::from(year)]);
            }
            J::AtomicInteger => {
                let value = i32::try_from(whole).map_err(|_| range("int"))?;
                self.value_object("java.util.concurrent.atomic.AtomicInteger", 20);
                self.writer.int(value);
            }
            J::AtomicLong => {
                self.value_object("java.util.concurrent.atomic.AtomicLong", 21);
                self.writer.long(whole);
            }
            J::AtomicBoolean => {
                self.value_object("java.util.concurrent.atomic.AtomicBoolean", 22);
                self.writer.int(i32::from(whole != 0));
            }
            _ => return Err(range("the Java type")),
        }
        Ok(())
    }

    #[allow(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "the float is compared with the double after rounding"
    )]
    fn double(&mut self, conv: &Conv, value: f64) -> Fallible<()> {
        match conv.java {
            J::Float if conv.proto == F::Double && !value.is_nan() && f64::from(value as f32) != value => {
                self.lose(Rule::Narrow, "a double does not fit a float exactly")?;
                self.writer.double(value);
            }
            J::BigDecimal => {
                if !value.is_finite() {
                    return Err(range("BigDecimal"));
                }
                self.value_object("java.math.BigDecimal", 1);
                self.writer.string(&value.to_string());
            }
            _ => self.writer.double(value),
        }
        Ok(())
    }

    fn enumeration(&mut self, id: u32, java: J, number: i64) -> Fallible<()> {
        let types = self.types;
        let Some(plan) = get(&types.enums, id) else {
            return Err(range("enum"));
        };
        let name = i32::try_from(number)
            .ok()
            .and_then(|number| plan.by_number.get(&number));
        match name {
            Some(name) if java == J::String => self.writer.string(name),
            Some(name) => self.enum_object(&plan.class, id, name),
            None if number == 0 && plan.zero_is_null => self.writer.null(),
            None => {
                return Err(fault(
                    Rule::UnknownEnum,
                    format!("number is no value of {}", plan.name),
                ));
            }
        }
        Ok(())
    }

    fn enum_object(&mut self, class: &str, id: u32, name: &str) {
        if self.generic {
            return self.writer.string(name);
        }
        let key = HANDLES
            .saturating_add(1000)
            .saturating_add(usize::try_from(id).unwrap_or(0));
        self.writer.begin_object_of(key, class, ["name"]);
        self.writer.string(name);
    }

    fn value_object(&mut self, class: &str, key: usize) {
        self.writer
            .begin_object_of(HANDLES.saturating_add(key), class, ["value"]);
    }

    fn sql(&mut self, class: &str, key: usize, millis: i64) {
        self.value_object(class, key);
        self.writer.date(millis);
    }

    /// A `java.time` handle of int fields.
    fn handle(&mut self, class: &str, names: &[&str], values: &[i64]) {
        let name = format!("{IO}.java8.{class}");
        let key = HANDLES.saturating_add(100).saturating_add(
            HANDLE_CLASSES
                .iter()
                .position(|known| *known == class)
                .unwrap_or(99),
        );
        self.writer.begin_object_of(key, &name, names.iter().copied());
        for (name, value) in names.iter().zip(values) {
            match i32::try_from(*value) {
                // The seconds of Instant and Duration are a long, those of an offset an int.
                Ok(value) if *name != "seconds" || names.len() == 1 => self.writer.int(value),
                _ => self.writer.long(*value),
            }
        }
    }

    fn big_integer(&mut self, text: &str) -> Fallible<()> {
        let (negative, words) = decimal_to_words(text).ok_or_else(|| format(J::BigInteger))?;
        self.big_words(negative, &words);
        Ok(())
    }

    fn big_words(&mut self, negative: bool, words: &[u32]) {
        self.writer.begin_object_of(
            HANDLES.saturating_add(2),
            "java.math.BigInteger",
            ["signum", "mag"],
        );
        self.writer.int(match (words.is_empty(), negative) {
            (true, _) => 0,
            (_, true) => -1,
            _ => 1,
        });
        self.writer.begin_list(Some("[int"), words.len());
        for word in words {
            self.writer.int(word.cast_signed());
        }
    }

    /// A protobuf string.
    pub(super) fn text(&mut self, conv: &Conv, text: &str) -> Fallible<()> {
        let java = conv.java;
        match java {
            J::String | J::CharArray => {
                self.writer.string(text);
                return Ok(());
            }
            J::Enum => {
                let types = self.types;
                match conv.java_enum.and_then(|id| Some((id, get(&types.enums, id)?))) {
                    Some(_) if text.is_empty() => self.writer.null(),
                    Some((id, plan)) => self.enum_object(&plan.class, id, text),
                    None => return Err(format(java)),
                }
                return Ok(());
            }
            // An implicit field cannot be unset: its empty text stands for null.
            _ if text.is_empty() => {
                self.writer.null();
                return Ok(());
            }
            _ => {}
        }
        if !is_text_of(java, text) {
            return Err(format(java));
        }
        match java {
            J::Char => self.writer.string(text),
            J::Long => self.writer.long(text.parse().map_err(|_| format(java))?),
            J::BigDecimal => {
                self.value_object("java.math.BigDecimal", 1);
                self.writer.string(text);
            }
            J::BigInteger => self.big_integer(text)?,
            J::Uuid => {
                self.value_object("java.util.UUID", 4);
                self.writer.string(&text.to_ascii_lowercase());
            }
            J::Locale => {
                self.value_object(&format!("{IO}.LocaleHandle"), 5);
                self.writer.string(text);
            }
            J::Currency => {
                self.writer.begin_object_of(
                    HANDLES.saturating_add(6),
                    "java.util.Currency",
                    ["currencyCode"],
                );
                self.writer.string(text);
            }
            J::Uri => {
                self.writer
                    .begin_object_of(HANDLES.saturating_add(7), "java.net.URI", ["string"]);
                self.writer.string(text);
            }
            J::Class => {
                self.writer
                    .begin_object_of(HANDLES.saturating_add(8), "java.lang.Class", ["name"]);
                self.writer.string(text);
            }
            J::ZoneId => self.zone_id(text),
            _ => {
                let handle = parse_text(java, text).ok_or_else(|| format(java))?;
                self.time(java, &handle)?;
            }
        }
        Ok(())
    }

    fn zone_id(&mut self, text: &str) {
        let name = format!("{IO}.java8.ZoneIdHandle");
        self.writer
            .begin_object_of(HANDLES.saturating_add(9), &name, ["zoneId"]);
        self.writer.string(text);
    }

    /// A value made of date and time parts.
    fn time(&mut self, java: J, handle: &Handle<'_>) -> Fallible<()> {
        let parts = &handle.parts;
        match java {
            // The generic style has these as their texts.
            J::LocalDate if self.generic => self.writer.string(&parts.date_text()),
            J::LocalTime if self.generic => self.writer.string(&parts.time_text()),
            J::LocalDateTime if self.generic => self.writer.string(&parts.date_time_text()),
            J::Date => {
                let millis = self.millis_of(handle.seconds, handle.nanos)?;
                self.writer.date(millis);
            }
            J::SqlTimestamp => {
                let millis = self.millis_of(handle.seconds, handle.nanos)?;
                self.sql("java.sql.Timestamp", 3, millis);
            }
            J::SqlDate => {
                let midnight = Parts {
                    year: parts.year,
                    month: parts.month,
                    day: parts.day,
                    ..Parts::default()
                };
                let seconds = midnight.seconds().ok_or_else(|| format(java))?;
                self.sql("java.sql.Date", 10, seconds.saturating_mul(1000));
            }
            J::SqlTime => {
                let of_day = Parts {
                    year: 1970,
                    month: 1,
                    day: 1,
                    hour: parts.hour,
                    minute: parts.minute,
                    second: parts.second,
                    ..Parts::default()
                };
                let seconds = of_day.seconds().ok_or_else(|| format(java))?;
                let millis = self.millis_of(seconds, parts.nano)?;
                self.sql("java.sql.Time", 11, millis);
            }
            J::Instant => self.handle(
                "InstantHandle",
                &["seconds", "nanos"],
                &[handle.seconds, handle.nanos],
            ),
            J::Duration => self.duration(handle.seconds, handle.nanos),
            J::LocalDate => self.local_date(parts),
            J::LocalTime => self.local_time(parts),
            J::LocalDateTime => self.local_date_time(parts),
            J::OffsetDateTime => {
                self.nested("OffsetDateTimeHandle", &["dateTime", "offset"]);
                self.local_date_time(parts);
                self.offset(parts.offset.unwrap_or(handle.seconds));
            }
            J::ZonedDateTime => {
                self.nested("ZonedDateTimeHandle", &["dateTime", "offset", "zoneId"]);
                self.local_date_time(parts);
                self.offset(parts.offset.unwrap_or(handle.seconds));
                match &parts.zone {
                    Some(zone) => self.writer.string(zone),
                    None => self.writer.null(),
                }
            }
            J::OffsetTime => {
                self.nested("OffsetTimeHandle", &["localTime", "zoneOffset"]);
                self.local_time(parts);
                self.offset(parts.offset.unwrap_or(handle.seconds));
            }
            J::ZoneOffset => self.offset(parts.offset.unwrap_or(handle.seconds)),
            J::YearMonth => self.handle("YearMonthHandle", &["year", "month"], &[parts.year, parts.month]),
            J::MonthDay => self.handle("MonthDayHandle", &["month", "day"], &[parts.month, parts.day]),
            J::Period => self.handle(
                "PeriodHandle",
                &["years", "months", "days"],
                &[handle.years, handle.months, handle.days],
            ),
            J::Year => self.handle("YearHandle", &["year"], &[parts.year]),
            _ => return Err(format(java)),
        }
        Ok(())
    }

    fn nested(&mut self, class: &str, names: &[&str]) {
        self.handle(class, names, &[]);
    }

    fn local_date(&mut self, parts: &Parts) {
        self.handle(
            "LocalDateHandle",
            &["year", "month", "day"],
            &[parts.year, parts.month, parts.day],
        );
    }

    fn local_time(&mut self, parts: &Parts) {
        self.handle(
            "LocalTimeHandle",
            &["hour", "minute", "second", "nano"],
            &[parts.hour, parts.minute, parts.second, parts.nano],
        );
    }

    fn local_date_time(&mut self, parts: &Parts) {
        self.nested("LocalDateTimeHandle", &["date", "time"]);
        self.local_date(parts);
        self.local_time(parts);
    }

    fn offset(&mut self, seconds: i64) {
        self.handle("ZoneOffsetHandle", &["seconds"], &[seconds]);
    }

    /// Java's Duration has nanos of 0 and above.
    fn duration(&mut self, seconds: i64, nanos: i64) {
        let (seconds, nanos) = if nanos < 0 {
            (seconds.saturating_sub(1), nanos.saturating_add(1_000_000_000))
        } else {
            (seconds, nanos)
        };
        self.handle("DurationHandle", &["seconds", "nanos"], &[seconds, nanos]);
    }

    fn millis_of(&mut self, seconds: i64, nanos: i64) -> Fallible<i64> {
        if nanos.wrapping_rem(1_000_000) != 0 {
            self.lose(Rule::SubMs, "a time is finer than milliseconds")?;
        }
        seconds
            .checked_mul(1000)
            .and_then(|millis| millis.checked_add(nanos.div_euclid(1_000_000)))
            .ok_or_else(|| range("Date"))
    }

    /// A protobuf `bytes`.
    pub(super) fn bytes(&mut self, java: J, bytes: &[u8]) -> Fallible<()> {
        match java {
            J::Bytes => self.writer.binary(bytes),
            J::String => {
                let text = std::str::from_utf8(bytes).map_err(|_| format(J::String))?;
                self.writer.string(text);
            }
            J::BigInteger => {
                let (negative, words) = twos_to_words(bytes).ok_or_else(|| range("BigInteger"))?;
                self.big_words(negative, &words);
            }
            J::Uuid if bytes.is_empty() => self.writer.null(),
            J::Uuid => {
                let value = u128::from_be_bytes(bytes.try_into().map_err(|_| format(J::Uuid))?);
                let hex = format!("{value:032x}");
                let mut text = String::new();
                for (at, digit) in hex.chars().enumerate() {
                    if matches!(at, 8 | 12 | 16 | 20) {
                        text.push('-');
                    }
                    text.push(digit);
                }
                self.value_object("java.util.UUID", 4);
                self.writer.string(&text);
            }
            _ => return Err(format(java)),
        }
        Ok(())
    }

    /// Timestamp, Duration and the messages of `google.type`.
    pub(super) fn well_known(&mut self, conv: &Conv, bytes: &[u8]) -> Fallible<()> {
        if conv.proto == F::Decimal {
            let mut text = "";
            let mut fields = Fields::new(bytes);
            while let Some((number, wire)) = fields.next_field()? {
                if let (1, Wire::Bytes(value)) = (number, wire) {
                    text = std::str::from_utf8(value).map_err(|_| format(J::BigDecimal))?;
                }
            }
            let text = if text.is_empty() { "0" } else { text };
            return self.text(&Conv::new(J::BigDecimal, F::String), text);
        }
        let mut numbers = [0i64; 8];
        let mut handle = Handle::default();
        let mut fields = Fields::new(bytes);
        while let Some((number, wire)) = fields.next_field()? {
            match wire {
                Wire::Varint(value) => {
                    let slot = usize::try_from(number).ok().and_then(|at| numbers.get_mut(at));
                    if let Some(slot) = slot {
                        *slot = value.cast_signed();
                    }
                }
                Wire::Bytes(inner) if number == 8 || number == 9 => {
                    zone_of(number, inner, &mut handle.parts)?
                }
                _ => {}
            }
        }
        let [_, one, two, three, four, five, six, seven] = numbers;
        match conv.proto {
            F::Timestamp => return self.instant(conv.java, one, two),
            F::Duration => {
                let fits = one.unsigned_abs() <= 315_576_000_000
                    && two.unsigned_abs() < 1_000_000_000
                    && (one == 0 || two == 0 || (one < 0) == (two < 0));
                if !fits {
                    return Err(range("Duration"));
                }
                self.duration(one, two);
                return Ok(());
            }
            F::TimeOfDay => {
                (handle.parts.hour, handle.parts.minute) = (one, two);
                (handle.parts.second, handle.parts.nano) = (three, four);
            }
            F::TypeDate | F::DateTime => {
                (handle.parts.year, handle.parts.month, handle.parts.day) = (one, two, three);
                (handle.parts.hour, handle.parts.minute) = (four, five);
                (handle.parts.second, handle.parts.nano) = (six, seven);
            }
            _ => return Err(fault(Rule::Kind, "message is not one of the well-known ones")),
        }
        let date_ok = conv.proto == F::TimeOfDay || handle.parts.date_is_valid();
        if !date_ok || !handle.parts.time_is_valid() {
            return Err(fault(Rule::Range, "date or time is not a whole one"));
        }
        let zoned = matches!(conv.java, J::OffsetDateTime | J::ZonedDateTime);
        if conv.proto == F::DateTime && handle.parts.offset.is_some() != zoned {
            return Err(fault(
                Rule::Kind,
                "DateTime with an offset where none is, or none where one is",
            ));
        }
        self.time(conv.java, &handle)
    }

    fn instant(&mut self, java: J, seconds: i64, nanos: i64) -> Fallible<()> {
        if !(-62_135_596_800..=253_402_300_799).contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
            return Err(range("Timestamp"));
        }
        if java == J::Calendar {
            let millis = self.millis_of(seconds, nanos)?;
            let name = format!("{IO}.CalendarHandle");
            self.writer
                .begin_object_of(HANDLES.saturating_add(12), &name, ["type", "date"]);
            self.writer.null();
            self.writer.date(millis);
            return Ok(());
        }
        let mut handle = Handle {
            seconds,
            nanos,
            ..Handle::default()
        };
        if matches!(java, J::OffsetDateTime | J::ZonedDateTime) {
            handle.parts = Parts::of_instant(seconds, u32::try_from(nanos).unwrap_or(0));
            handle.seconds = 0;
        }
        self.time(java, &handle)
    }
}

/// The offset (8) or zone (9) of a `google.type.DateTime`.
fn zone_of(number: u32, bytes: &[u8], parts: &mut Parts) -> Fallible<()> {
    if number == 8 {
        parts.offset = Some(0);
    }
    let mut fields = Fields::new(bytes);
    while let Some((inner, wire)) = fields.next_field()? {
        match (number, inner, wire) {
            (8, 1, Wire::Varint(value)) => parts.offset = Some(value.cast_signed()),
            (9, 1, Wire::Bytes(zone)) => {
                let zone = String::from_utf8_lossy(zone).into_owned();
                // A zone that is an offset is known here; others need a database of zones.
                parts.offset = parse(&zone, Pattern::Offset).and_then(|parts| parts.offset);
                parts.zone = Some(zone);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The classes of `java.time` handles; their places are keys.
const HANDLE_CLASSES: [&str; 14] = [
    "LocalDateHandle",
    "LocalTimeHandle",
    "LocalDateTimeHandle",
    "OffsetDateTimeHandle",
    "OffsetTimeHandle",
    "ZonedDateTimeHandle",
    "ZoneOffsetHandle",
    "InstantHandle",
    "DurationHandle",
    "YearHandle",
    "YearMonthHandle",
    "MonthDayHandle",
    "PeriodHandle",
    "ZoneIdHandle",
];
