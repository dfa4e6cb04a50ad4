//! Protobuf scalars and well-known messages as Java values.

use super::super::binding::is_value_class;
use super::super::error::{Fallible, Rule, fault};
use super::super::plan::{Conv, F, J, get};
use super::super::wire::{Fields, Wire, unzigzag};
use super::super::zone::{Changes, Offsets, Zone, fixed};
use super::number::{decimal_to_words, twos_to_words, widen};
use super::scalar::{Handle, is_text_of, parse_text, sql_seconds};
use super::time::{Parts, offset_is_valid};
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
                if whole.unsigned_abs() > 999_999_999 {
                    return Err(range("Year"));
                }
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
            J::Float if conv.proto == F::Double => {
                let narrow = value as f32;
                if value.is_finite() && !narrow.is_finite() {
                    return Err(range("float"));
                }
                // What Java makes of a float goes through the float's text.
                if !value.is_nan() && f64::from(narrow) != value && widen(narrow) != value {
                    self.lose(Rule::Narrow, "a double does not fit a float exactly")?;
                }
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
                    Some((id, plan)) if !text.is_empty() => self.enum_object(&plan.class, id, text),
                    _ => return Err(format(java)),
                }
                return Ok(());
            }
            // U+0000 has an empty text; what is null has none.
            J::Char if text.is_empty() => {
                self.writer.string("\0");
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
            J::Url => self.url(text),
            J::File => {
                self.value_object("java.io.File", 13);
                self.writer.string(text);
            }
            J::ObjectName => {
                self.value_object("javax.management.ObjectName", 14);
                self.writer.string(text);
            }
            J::TimeZone => self.time_zone(text)?,
            J::Class => {
                if !self.types.classes.contains(text) && !is_value_class(text) {
                    return Err(fault(
                        Rule::UnknownClass,
                        "class is neither bound nor among the binding's classes",
                    ));
                }
                self.class_object(text);
            }
            J::ZoneId => self.zone_id(text),
            _ => {
                let handle = parse_text(java, text).ok_or_else(|| format(java))?;
                self.time(java, &handle)?;
            }
        }
        Ok(())
    }

    pub(super) fn class_object(&mut self, name: &str) {
        self.writer
            .begin_object_of(HANDLES.saturating_add(8), "java.lang.Class", ["name"]);
        self.writer.string(name);
    }

    /// The object that stands for an `EnumSet`; its elements and its class follow.
    pub(super) fn begin_enum_set(&mut self) {
        let name = format!("{IO}.EnumSetHandler");
        self.writer
            .begin_object_of(HANDLES.saturating_add(17), &name, ["objects", "type"]);
    }

    /// A `java.net.URL` in the parts that Java writes. (hessian-lite reads none of them back, Java's own included.)
    fn url(&mut self, text: &str) {
        let (protocol, rest) = text.split_once(':').unwrap_or(("", text));
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (rest, None),
        };
        let (authority, file) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (authority, file) = rest.split_at_checked(end).unwrap_or((rest, ""));
                (Some(authority), file)
            }
            None => (None, rest),
        };
        let server = authority.map_or("", |authority| {
            authority.rsplit_once('@').map_or(authority, |(_, host)| host)
        });
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(-1)),
            _ => (server, -1),
        };
        self.writer.begin_object_of(
            HANDLES.saturating_add(15),
            "java.net.URL",
            ["hashCode", "port", "protocol", "host", "authority", "file", "ref"],
        );
        self.writer.int(-1);
        self.writer.int(port);
        self.writer.string(protocol);
        self.writer.string(host);
        for part in [authority, Some(file), fragment] {
            match part {
                Some(part) => self.writer.string(part),
                None => self.writer.null(),
            }
        }
    }

    /// A `java.util.TimeZone` as the JDK's `ZoneInfo`, with its changes of offset where it has some.
    fn time_zone(&mut self, name: &str) -> Fallible<()> {
        let unknown = || fault(Rule::Format, "text is no time zone of the IANA database");
        let millis =
            |seconds: i64| i32::try_from(seconds.saturating_mul(1000)).map_err(|_| range("an offset"));
        let changes = match fixed(name) {
            Some(standard) => Changes {
                standard,
                ..Changes::default()
            },
            None => Zone::named(name)
                .and_then(|zone| zone.changes())
                .ok_or_else(unknown)?,
        };
        self.writer.begin_object_of(
            HANDLES.saturating_add(16),
            "sun.util.calendar.ZoneInfo",
            [
                "ID",
                "rawOffset",
                "dstSavings",
                "rawOffsetDiff",
                "checksum",
                "willGMTOffsetChange",
                "transitions",
                "offsets",
                "simpleTimeZoneParams",
            ],
        );
        self.writer.string(name);
        self.writer.int(millis(changes.standard)?);
        self.writer.int(millis(changes.saving_now)?);
        self.writer.int(0);
        self.writer.int(0);
        self.writer.bool(false);
        if changes.transitions.is_empty() {
            self.writer.null();
            self.writer.null();
        } else {
            self.writer.begin_list(Some("[long"), changes.transitions.len());
            changes
                .transitions
                .iter()
                .for_each(|packed| self.writer.long(*packed));
            self.writer.begin_list(Some("[int"), changes.offsets.len());
            for offset in &changes.offsets {
                self.writer
                    .int(i32::try_from(*offset).map_err(|_| range("an offset"))?);
            }
        }
        self.writer.null();
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
            J::SqlDate | J::SqlTime => {
                let zone = self.types.zone.as_ref();
                let seconds = sql_seconds(java, parts, zone).ok_or_else(|| range("the time zone's years"))?;
                let nano = if java == J::SqlTime { parts.nano } else { 0 };
                let millis = self.millis_of(seconds, nano)?;
                match java {
                    J::SqlDate => self.sql("java.sql.Date", 10, millis),
                    _ => self.sql("java.sql.Time", 11, millis),
                }
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
            J::ByteObjects => {
                self.writer.begin_list(Some("[java.lang.Byte"), bytes.len());
                for byte in bytes {
                    self.writer.int(i32::from(byte.cast_signed()));
                }
            }
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
        let offset_ok = handle.parts.offset.is_none_or(offset_is_valid);
        if !date_ok || !offset_ok || !handle.parts.time_is_valid() {
            return Err(fault(Rule::Range, "date or time is not a whole one"));
        }
        let zoned = matches!(conv.java, J::OffsetDateTime | J::ZonedDateTime);
        if let Some(zone) = handle.parts.zone.as_deref().filter(|_| zoned) {
            let offsets = Zone::named(zone).and_then(|zone| zone.offsets_of(&handle.parts));
            handle.parts.offset = match offsets {
                Some(Offsets::One(offset) | Offsets::Two(offset, _)) => Some(offset),
                Some(Offsets::None(_)) => {
                    return Err(fault(Rule::Range, "DateTime never was in its time zone"));
                }
                None => {
                    return Err(fault(
                        Rule::Format,
                        "time zone of a DateTime is not in the IANA database",
                    ));
                }
            };
            if conv.java == J::OffsetDateTime {
                self.lose(Rule::Zone, "a time zone does not fit an OffsetDateTime")?;
                handle.parts.zone = None;
            }
        }
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
                let zone = std::str::from_utf8(zone)
                    .map_err(|_| fault(Rule::Malformed, "string field is not UTF-8"))?;
                parts.offset.get_or_insert(0);
                parts.zone = Some(zone.to_owned());
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
