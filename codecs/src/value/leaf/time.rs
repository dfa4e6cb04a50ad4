//! The classes of java.time, each a handle object on the wire and the text of `toString` in typed JSON.

use super::{HANDLES, Object, Value};

const NANOS: i32 = 1_000_000_000;
/// Of java.time, either way from year 0.
const MOST_YEARS: u32 = 1_000_000_000;

/// Class and text of the handle `java8.<name>`.
pub(super) fn form(name: &str, object: &Object) -> Option<(&'static str, String)> {
    let int = |name: &str| int(object, name);
    Some(match name {
        "LocalDateHandle" => ("java.time.LocalDate", date(object)?),
        "LocalTimeHandle" => ("java.time.LocalTime", time(object)?),
        "LocalDateTimeHandle" => ("java.time.LocalDateTime", date_time(object)?),
        "InstantHandle" => (
            "java.time.Instant",
            instant(long(object, "seconds")?, int("nanos")?)?,
        ),
        "DurationHandle" => (
            "java.time.Duration",
            duration(long(object, "seconds")?, int("nanos")?)?,
        ),
        "PeriodHandle" => (
            "java.time.Period",
            period(int("years")?, int("months")?, int("days")?),
        ),
        "YearHandle" => ("java.time.Year", int("year")?.to_string()),
        "YearMonthHandle" => {
            let (year, month) = (int("year")?, int("month")?);
            (
                "java.time.YearMonth",
                format!("{}-{month:02}", year_text(year, false)),
            )
        }
        "MonthDayHandle" => (
            "java.time.MonthDay",
            format!("--{:02}-{:02}", int("month")?, int("day")?),
        ),
        "ZoneOffsetHandle" => ("java.time.ZoneOffset", offset_text(int("seconds")?)),
        "ZoneIdHandle" => ("java.time.ZoneRegion", text(object, "zoneId")?),
        "OffsetTimeHandle" => {
            let local = time(child(object, "localTime", "LocalTimeHandle")?)?;
            (
                "java.time.OffsetTime",
                format!("{local}{}", offset(object, "zoneOffset")?),
            )
        }
        "OffsetDateTimeHandle" => {
            let local = date_time(child(object, "dateTime", "LocalDateTimeHandle")?)?;
            (
                "java.time.OffsetDateTime",
                format!("{local}{}", offset(object, "offset")?),
            )
        }
        "ZonedDateTimeHandle" => {
            let local = date_time(child(object, "dateTime", "LocalDateTimeHandle")?)?;
            let (offset, zone) = (offset(object, "offset")?, text(object, "zoneId")?);
            let zone = if zone == offset {
                String::new()
            } else {
                format!("[{zone}]")
            };
            ("java.time.ZonedDateTime", format!("{local}{offset}{zone}"))
        }
        _ => return None,
    })
}

/// Whether a class has a text form here; the others of java.time are enums.
pub(super) fn is_text(class: &str) -> bool {
    let name = class.strip_prefix("java.time.").unwrap_or_default();
    matches!(
        name,
        "LocalDate"
            | "LocalTime"
            | "LocalDateTime"
            | "Instant"
            | "Duration"
            | "Period"
            | "Year"
            | "YearMonth"
            | "MonthDay"
            | "ZoneOffset"
            | "ZoneRegion"
            | "OffsetTime"
            | "OffsetDateTime"
            | "ZonedDateTime"
    )
}

/// The handle of a text of `java.time.<class>`; `None` where it is none.
pub(super) fn parse(class: &str, text: &str) -> Option<Value> {
    match class {
        "LocalDate" => parse_date(text),
        "LocalTime" => parse_time(text),
        "LocalDateTime" => parse_date_time(text),
        "Instant" => parse_instant(text),
        "Duration" => parse_duration(text),
        "Period" => parse_period(text),
        "Year" => Some(handle("Year", [("year", Value::Int(text.parse().ok()?))])),
        "YearMonth" => {
            let (year, month) = text.rsplit_once('-')?;
            let fields = [
                ("month", number(month)?),
                ("year", Value::Int(year.parse().ok()?)),
            ];
            Some(handle("YearMonth", fields))
        }
        "MonthDay" => {
            let (month, day) = text.strip_prefix("--")?.split_once('-')?;
            Some(handle(
                "MonthDay",
                [("day", number(day)?), ("month", number(month)?)],
            ))
        }
        "ZoneOffset" => parse_offset(text),
        "ZoneRegion" => Some(handle("ZoneId", [("zoneId", Value::from(text))])),
        "OffsetTime" => {
            let (local, offset) = text.split_at_checked(text.find(['Z', '+', '-'])?)?;
            let fields = [
                ("zoneOffset", parse_offset(offset)?),
                ("localTime", parse_time(local)?),
            ];
            Some(handle("OffsetTime", fields))
        }
        "OffsetDateTime" => {
            let (local, offset) = split_offset(text)?;
            let fields = [
                ("offset", parse_offset(offset)?),
                ("dateTime", parse_date_time(local)?),
            ];
            Some(handle("OffsetDateTime", fields))
        }
        "ZonedDateTime" => {
            let (text, zone) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
                Some((text, zone)) => (text, Some(zone)),
                None => (text, None),
            };
            let (local, offset) = split_offset(text)?;
            let fields = [
                ("offset", parse_offset(offset)?),
                ("dateTime", parse_date_time(local)?),
                ("zoneId", Value::from(zone.unwrap_or(offset))),
            ];
            Some(handle("ZonedDateTime", fields))
        }
        _ => None,
    }
}

fn handle<'a>(name: &str, fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::object(&format!("{HANDLES}java8.{name}Handle"), fields)
}

fn int(object: &Object, name: &str) -> Option<i32> {
    match object.field(name)? {
        Value::Int(value) => Some(*value),
        _ => None,
    }
}

fn long(object: &Object, name: &str) -> Option<i64> {
    match object.field(name)? {
        Value::Long(value) => Some(*value),
        _ => None,
    }
}

fn text(object: &Object, name: &str) -> Option<String> {
    match object.field(name)? {
        Value::String(text) => text.as_str().map(str::to_owned),
        _ => None,
    }
}

/// The handle of a certain class in a field.
fn child<'o>(object: &'o Object, name: &str, class: &str) -> Option<&'o Object> {
    match object.field(name)? {
        Value::Object(child) => {
            let found = child.class.name.as_str()?.strip_prefix(HANDLES)?;
            (found.strip_prefix("java8.")? == class).then_some(child)
        }
        _ => None,
    }
}

fn number(text: &str) -> Option<Value> {
    text.parse().ok().map(Value::Int)
}

/// A year as Java prints it: four digits at least, a sign below 0 and, in dates, above 9999.
fn year_text(year: i32, plus: bool) -> String {
    let sign = match year {
        ..0 => "-",
        10_000.. if plus => "+",
        _ => "",
    };
    format!("{sign}{:04}", year.unsigned_abs())
}

fn date(object: &Object) -> Option<String> {
    let (year, month, day) = (int(object, "year")?, int(object, "month")?, int(object, "day")?);
    Some(format!("{}-{month:02}-{day:02}", year_text(year, true)))
}

fn parse_date(text: &str) -> Option<Value> {
    let (rest, day) = text.rsplit_once('-')?;
    let (year, month) = rest.rsplit_once('-')?;
    let fields = [
        ("day", number(day)?),
        ("month", number(month)?),
        ("year", Value::Int(year.parse().ok()?)),
    ];
    Some(handle("LocalDate", fields))
}

/// `.123`, `.123456`, `.123456789`, or nothing.
fn fraction(nano: i32) -> String {
    let digits = format!("{nano:09}");
    match nano {
        0 => String::new(),
        _ if digits.ends_with("000000") => format!(".{}", digits.get(..3).unwrap_or_default()),
        _ if digits.ends_with("000") => format!(".{}", digits.get(..6).unwrap_or_default()),
        _ => format!(".{digits}"),
    }
}

fn time(object: &Object) -> Option<String> {
    let int = |name| int(object, name);
    let (hour, minute, second, nano) = (int("hour")?, int("minute")?, int("second")?, int("nano")?);
    let seconds = if second == 0 && nano == 0 {
        String::new()
    } else {
        format!(":{second:02}{}", fraction(nano))
    };
    Some(format!("{hour:02}:{minute:02}{seconds}"))
}

fn parse_nanos(fraction: &str) -> Option<i32> {
    (fraction.len() <= 9).then_some(())?;
    format!("{fraction:0<9}").parse().ok()
}

fn parse_time(text: &str) -> Option<Value> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let nano = parse_nanos(fraction)?;
    let mut parts = clock.split(':').map(|part| part.parse::<i32>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    let fields = [
        ("nano", Value::Int(nano)),
        ("second", Value::Int(second)),
        ("minute", Value::Int(minute)),
        ("hour", Value::Int(hour)),
    ];
    Some(handle("LocalTime", fields))
}

fn date_time(object: &Object) -> Option<String> {
    let date = date(child(object, "date", "LocalDateHandle")?)?;
    let time = time(child(object, "time", "LocalTimeHandle")?)?;
    Some(format!("{date}T{time}"))
}

fn parse_date_time(text: &str) -> Option<Value> {
    let (date, time) = text.split_once('T')?;
    let fields = [("time", parse_time(time)?), ("date", parse_date(date)?)];
    Some(handle("LocalDateTime", fields))
}

fn offset_text(seconds: i32) -> String {
    if seconds == 0 {
        return "Z".to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let all = seconds.unsigned_abs();
    let part = |unit: u32, most: u32| {
        all.checked_div(unit)
            .and_then(|units| units.checked_rem(most))
            .unwrap_or(0)
    };
    let (hours, minutes, seconds) = (part(3600, u32::MAX), part(60, 60), part(1, 60));
    let seconds = if seconds == 0 {
        String::new()
    } else {
        format!(":{seconds:02}")
    };
    format!("{sign}{hours:02}:{minutes:02}{seconds}")
}

fn offset(object: &Object, name: &str) -> Option<String> {
    let seconds = int(child(object, name, "ZoneOffsetHandle")?, "seconds")?;
    Some(offset_text(seconds))
}

fn parse_offset(text: &str) -> Option<Value> {
    let seconds = match text {
        "Z" => 0,
        _ => {
            let (sign, rest) = match text.strip_prefix('-') {
                Some(rest) => (-1, rest),
                None => (1, text.strip_prefix('+')?),
            };
            let mut seconds = 0i32;
            let mut unit = 3600i32;
            for part in rest.split(':') {
                let part: u16 = part.parse().ok()?;
                seconds = seconds.checked_add(i32::from(part).checked_mul(unit)?)?;
                unit = unit.checked_div(60)?;
            }
            seconds.checked_mul(sign)?
        }
    };
    Some(handle("ZoneOffset", [("seconds", Value::Int(seconds))]))
}

/// A date and time, and the offset behind it.
fn split_offset(text: &str) -> Option<(&str, &str)> {
    let clock = text.find('T')?;
    let at = text.get(clock..)?.find(['Z', '+', '-'])?;
    text.split_at_checked(clock.checked_add(at)?)
}

/// The days since 1970-01-01 of the first of March of a year, by the calendar of ISO 8601 without end.
fn first_of_march(year: i64) -> Option<i64> {
    let leaps = year
        .div_euclid(4)
        .checked_sub(year.div_euclid(100))?
        .checked_add(year.div_euclid(400))?;
    year.checked_mul(365)?.checked_add(leaps)?.checked_sub(719_468)
}

/// The days of the months from March on that are over when the `month`-th begins.
fn before_month(month: i64) -> Option<i64> {
    month.checked_mul(153)?.checked_add(2)?.checked_div(5)
}

/// Year, month and day of a day since 1970-01-01.
fn civil(day: i64) -> Option<(i64, i64, i64)> {
    let day = day.checked_add(719_468)?;
    // 146,097 days are 400 years; one year too many is seen by its first of March.
    let mut year = day.checked_mul(400)?.div_euclid(146_097).checked_add(1)?;
    let day = day.checked_sub(719_468)?;
    while first_of_march(year)? > day {
        year = year.checked_sub(1)?;
    }
    let of_year = day.checked_sub(first_of_march(year)?)?;
    let month = of_year.checked_mul(5)?.checked_add(2)?.checked_div(153)?;
    let of_month = of_year.checked_sub(before_month(month)?)?.checked_add(1)?;
    Some(match month {
        ..10 => (year, month.checked_add(3)?, of_month),
        _ => (year.checked_add(1)?, month.checked_sub(9)?, of_month),
    })
}

/// The day since 1970-01-01; `None` where a month has no such day.
fn day_of(year: i64, month: i64, day: i64) -> Option<i64> {
    let (from, of) = match month {
        3..=12 => (year, month.checked_sub(3)?),
        1 | 2 => (year.checked_sub(1)?, month.checked_add(9)?),
        _ => return None,
    };
    let found = first_of_march(from)?
        .checked_add(before_month(of)?)?
        .checked_add(day)?
        .checked_sub(1)?;
    (civil(found)? == (year, month, day)).then_some(found)
}

fn instant(seconds: i64, nanos: i32) -> Option<String> {
    // Only what Java writes: nanoseconds from 0 on.
    (0..NANOS).contains(&nanos).then_some(())?;
    let (year, month, day) = civil(seconds.div_euclid(86_400))?;
    let year = i32::try_from(year)
        .ok()
        .filter(|year| year.unsigned_abs() <= MOST_YEARS)?;
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute) = (
        of_day.checked_div(3600)?,
        of_day.checked_div(60)?.checked_rem(60)?,
    );
    Some(format!(
        "{}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}{}Z",
        year_text(year, true),
        of_day.checked_rem(60)?,
        fraction(nanos)
    ))
}

fn parse_instant(text: &str) -> Option<Value> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let nanos = parse_nanos(fraction)?;
    let (rest, day) = date.rsplit_once('-')?;
    let (year, month) = rest.rsplit_once('-')?;
    let mut clock = clock.split(':').map(|part| part.parse::<u8>().ok());
    let mut part = |most: u8| clock.next()?.filter(|part| *part <= most).map(i64::from);
    let (hour, minute, second) = (part(23)?, part(59)?, part(59)?);
    let year: i32 = year.parse().ok()?;
    (year.unsigned_abs() <= MOST_YEARS).then_some(())?;
    let day = day_of(i64::from(year), month.parse().ok()?, day.parse().ok()?)?;
    let seconds = [(day, 86_400), (hour, 3600), (minute, 60), (second, 1)]
        .into_iter()
        .try_fold(0i64, |sum, (units, length)| {
            sum.checked_add(units.checked_mul(length)?)
        })?;
    Some(handle(
        "Instant",
        [("nanos", Value::Int(nanos)), ("seconds", Value::Long(seconds))],
    ))
}

fn duration(seconds: i64, nanos: i32) -> Option<String> {
    (0..NANOS).contains(&nanos).then_some(())?;
    if seconds == 0 && nanos == 0 {
        return Some("PT0S".to_owned());
    }
    // A negative one counts its nanoseconds from the second below.
    let borrows = seconds < 0 && nanos > 0;
    let total = seconds.checked_add(i64::from(borrows))?;
    let (hours, minutes) = (
        total.checked_div(3600)?,
        total.checked_rem(3600)?.checked_div(60)?,
    );
    let second = total.checked_rem(60)?;
    let mut text = "PT".to_owned();
    for (value, unit) in [(hours, 'H'), (minutes, 'M')] {
        if value != 0 {
            text = format!("{text}{value}{unit}");
        }
    }
    if second == 0 && nanos == 0 {
        return Some(text);
    }
    let sign = if borrows && second == 0 { "-" } else { "" };
    let nanos = if borrows { NANOS.checked_sub(nanos)? } else { nanos };
    let digits = format!("{nanos:09}");
    let digits = digits.trim_end_matches('0');
    let point = if digits.is_empty() { "" } else { "." };
    Some(format!("{text}{sign}{second}{point}{digits}S"))
}

fn parse_duration(text: &str) -> Option<Value> {
    let mut rest = text.strip_prefix("PT")?;
    let (mut seconds, mut nanos) = (0i64, 0i32);
    for (unit, length) in [('H', 3600i64), ('M', 60)] {
        if let Some((value, more)) = rest.split_once(unit) {
            let value: i64 = value.parse().ok()?;
            seconds = seconds.checked_add(value.checked_mul(length)?)?;
            rest = more;
        }
    }
    if let Some(value) = rest.strip_suffix('S') {
        let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
        seconds = seconds.checked_add(whole.parse().ok()?)?;
        nanos = parse_nanos(fraction)?;
        if whole.starts_with('-') && nanos > 0 {
            seconds = seconds.checked_sub(1)?;
            nanos = NANOS.checked_sub(nanos)?;
        } else if seconds < 0 && nanos > 0 {
            return None;
        }
        rest = "";
    }
    let fields = [("nanos", Value::Int(nanos)), ("seconds", Value::Long(seconds))];
    rest.is_empty().then(|| handle("Duration", fields))
}

fn period(years: i32, months: i32, days: i32) -> String {
    let parts = [(years, 'Y'), (months, 'M'), (days, 'D')];
    let text: String = parts
        .iter()
        .filter(|(value, _)| *value != 0)
        .map(|(value, unit)| format!("{value}{unit}"))
        .collect();
    if text.is_empty() {
        "P0D".to_owned()
    } else {
        format!("P{text}")
    }
}

fn parse_period(text: &str) -> Option<Value> {
    let mut rest = text.strip_prefix('P')?;
    let mut parts = [0i32; 3];
    for (part, unit) in parts.iter_mut().zip(['Y', 'M', 'D']) {
        if let Some((value, more)) = rest.split_once(unit) {
            *part = value.parse().ok()?;
            rest = more;
        }
    }
    let [years, months, days] = parts.map(Value::Int);
    let fields = [("days", days), ("months", months), ("years", years)];
    rest.is_empty().then(|| handle("Period", fields))
}
