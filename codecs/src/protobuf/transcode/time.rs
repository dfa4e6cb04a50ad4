//! Dates, times and periods: their parts, their ISO texts, their counts of seconds.

use std::fmt::Write;

/// The parts of a `java.time` value. Which ones are set is the type's matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) nano: i64,
    /// Seconds east of UTC.
    pub(crate) offset: Option<i64>,
    pub(crate) zone: Option<String>,
}

const DAY: i64 = 86_400;

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar; `None` outside of years ±999,999,999.
#[allow(
    clippy::arithmetic_side_effects,
    reason = "the year is bounded first; the divisors are constants"
)]
pub(crate) fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(-999_999_999..=999_999_999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    if day < 1 || day > days_in(year, month) {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// The date of a count of days since 1970-01-01.
#[allow(
    clippy::arithmetic_side_effects,
    reason = "the count is bounded first; the divisors are constants"
)]
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days.clamp(-400_000_000_000, 400_000_000_000) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

impl Parts {
    /// The parts of an instant, in UTC.
    pub(crate) fn of_instant(seconds: i64, nanos: u32) -> Self {
        let (year, month, day) = date_of(seconds.div_euclid(DAY));
        let of_day = seconds.rem_euclid(DAY);
        Self {
            year,
            month,
            day,
            hour: of_day.div_euclid(3600),
            minute: of_day.rem_euclid(3600).div_euclid(60),
            second: of_day.rem_euclid(60),
            nano: i64::from(nanos),
            offset: Some(0),
            zone: None,
        }
    }

    /// Whether date and time are within their ranges.
    pub(crate) fn date_is_valid(&self) -> bool {
        days_of(self.year, self.month, self.day).is_some()
    }

    pub(crate) fn time_is_valid(&self) -> bool {
        (0..24).contains(&self.hour)
            && (0..60).contains(&self.minute)
            && (0..60).contains(&self.second)
            && (0..1_000_000_000).contains(&self.nano)
    }

    /// Seconds since the epoch, as UTC less the offset.
    pub(crate) fn seconds(&self) -> Option<i64> {
        if !self.time_is_valid() {
            return None;
        }
        days_of(self.year, self.month, self.day)?
            .checked_mul(DAY)?
            .checked_add(self.hour.checked_mul(3600)?)?
            .checked_add(self.minute.checked_mul(60)?)?
            .checked_add(self.second)?
            .checked_sub(self.offset.unwrap_or(0))
    }

    /// `2024-02-29`.
    pub(crate) fn date_text(&self) -> String {
        let mut text = String::new();
        push_year(self.year, &mut text);
        let _ = write!(text, "-{:02}-{:02}", self.month, self.day);
        text
    }

    /// `23:59`, `23:59:58`, with 3, 6 or 9 digits of a fraction, as Java prints it.
    pub(crate) fn time_text(&self) -> String {
        let mut text = format!("{:02}:{:02}", self.hour, self.minute);
        if self.second != 0 || self.nano != 0 {
            let _ = write!(text, ":{:02}", self.second);
            push_fraction(self.nano, &mut text);
        }
        text
    }

    /// Date, `T`, time.
    pub(crate) fn date_time_text(&self) -> String {
        format!("{}T{}", self.date_text(), self.time_text())
    }

    /// `Z`, `+08:00`, and the zone in brackets.
    pub(crate) fn zone_text(&self) -> String {
        let mut text = offset_text(self.offset.unwrap_or(0));
        if let Some(zone) = &self.zone
            && *zone != text
        {
            let _ = write!(text, "[{zone}]");
        }
        text
    }
}

fn push_year(year: i64, text: &mut String) {
    let _ = match year {
        0..=9999 => write!(text, "{year:04}"),
        10_000.. => write!(text, "+{year}"),
        _ => write!(text, "-{:04}", year.unsigned_abs()),
    };
}

fn push_fraction(nano: i64, text: &mut String) {
    let _ = match nano {
        0 => Ok(()),
        n if n.rem_euclid(1_000_000) == 0 => write!(text, ".{:03}", n.div_euclid(1_000_000)),
        n if n.rem_euclid(1000) == 0 => write!(text, ".{:06}", n.div_euclid(1000)),
        n => write!(text, ".{n:09}"),
    };
}

/// Whether Java has a `ZoneOffset` of so many seconds: 18 hours east or west.
pub(crate) fn offset_is_valid(seconds: i64) -> bool {
    (-64_800..=64_800).contains(&seconds)
}

/// `Z` or `+08:00`.
pub(crate) fn offset_text(offset: i64) -> String {
    if offset == 0 {
        return "Z".to_owned();
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let total = offset.unsigned_abs();
    let (hours, minutes, seconds) = (
        total.div_euclid(3600),
        total.rem_euclid(3600).div_euclid(60),
        total.rem_euclid(60),
    );
    if seconds == 0 {
        format!("{sign}{hours:02}:{minutes:02}")
    } else {
        format!("{sign}{hours:02}:{minutes:02}:{seconds:02}")
    }
}

/// Year and month, `2024-02`.
pub(crate) fn year_month_text(year: i64, month: i64) -> String {
    let mut text = String::new();
    push_year(year, &mut text);
    let _ = write!(text, "-{month:02}");
    text
}

/// RFC 3339 in UTC: at least three digits of a fraction for a Date, as many as needed for an Instant.
pub(crate) fn instant_text(seconds: i64, nanos: u32, millis: bool) -> String {
    let parts = Parts::of_instant(seconds, nanos);
    let mut text = format!(
        "{}T{:02}:{:02}:{:02}",
        parts.date_text(),
        parts.hour,
        parts.minute,
        parts.second
    );
    if millis {
        let _ = write!(text, ".{:03}", nanos.div_euclid(1_000_000));
    } else {
        push_fraction(parts.nano, &mut text);
    }
    text.push('Z');
    text
}

/// A reader of digits and marks.
struct Scan<'t> {
    rest: &'t str,
}

impl Scan<'_> {
    fn eat(&mut self, mark: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(mark)?;
        Some(())
    }

    fn digits(&mut self, min: usize, max: usize) -> Option<i64> {
        let len = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if len < min || len > max {
            return None;
        }
        let (digits, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        digits.parse().ok()
    }

    fn sign(&mut self) -> Option<bool> {
        if self.eat('-').is_some() {
            Some(true)
        } else if self.eat('+').is_some() {
            Some(false)
        } else {
            None
        }
    }

    fn year(&mut self) -> Option<i64> {
        let negative = match self.sign() {
            Some(negative) => negative,
            None => return self.digits(4, 4),
        };
        let year = self.digits(4, 9)?;
        Some(if negative { year.checked_neg()? } else { year })
    }

    fn date(&mut self, parts: &mut Parts) -> Option<()> {
        parts.year = self.year()?;
        self.eat('-')?;
        parts.month = self.digits(2, 2)?;
        self.eat('-')?;
        parts.day = self.digits(2, 2)?;
        parts.date_is_valid().then_some(())
    }

    fn time(&mut self, parts: &mut Parts) -> Option<()> {
        parts.hour = self.digits(2, 2)?;
        self.eat(':')?;
        parts.minute = self.digits(2, 2)?;
        if self.eat(':').is_some() {
            parts.second = self.digits(2, 2)?;
            if self.eat('.').is_some() {
                parts.nano = self.fraction()?;
            }
        }
        parts.time_is_valid().then_some(())
    }

    fn fraction(&mut self) -> Option<i64> {
        let before = self.rest.len();
        let value = self.digits(1, 9)?;
        let used = u32::try_from(before.checked_sub(self.rest.len())?).ok()?;
        value.checked_mul(10i64.checked_pow(9u32.checked_sub(used)?)?)
    }

    fn offset(&mut self, parts: &mut Parts) -> Option<()> {
        if self.eat('Z').is_some() || self.eat('z').is_some() {
            parts.offset = Some(0);
            return Some(());
        }
        let negative = self.sign()?;
        let hours = self.digits(2, 2)?;
        self.eat(':')?;
        let minutes = self.digits(2, 2)?;
        let seconds = if self.eat(':').is_some() {
            self.digits(2, 2)?
        } else {
            0
        };
        if minutes > 59 || seconds > 59 {
            return None;
        }
        let total = hours
            .checked_mul(3600)?
            .checked_add(minutes.checked_mul(60)?)?
            .checked_add(seconds)?;
        let total = if negative { total.checked_neg()? } else { total };
        parts.offset = offset_is_valid(total).then_some(total);
        parts.offset.map(|_| ())
    }

    fn zone(&mut self, parts: &mut Parts) -> Option<()> {
        if self.eat('[').is_some() {
            let (zone, rest) = self.rest.split_once(']')?;
            parts.zone = Some(zone.to_owned());
            self.rest = rest;
        }
        Some(())
    }
}

/// What a text must consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    Date,
    Time,
    DateTime,
    OffsetDateTime,
    OffsetTime,
    YearMonth,
    MonthDay,
    Offset,
}

/// Reads an ISO text; `None` when it is none.
pub(crate) fn parse(text: &str, pattern: Pattern) -> Option<Parts> {
    let mut parts = Parts::default();
    let mut scan = Scan { rest: text };
    match pattern {
        Pattern::Date => scan.date(&mut parts)?,
        Pattern::Time => scan.time(&mut parts)?,
        Pattern::DateTime | Pattern::OffsetDateTime => {
            scan.date(&mut parts)?;
            scan.eat('T')
                .or_else(|| scan.eat('t'))
                .or_else(|| scan.eat(' '))?;
            scan.time(&mut parts)?;
            if pattern == Pattern::OffsetDateTime {
                scan.offset(&mut parts)?;
                scan.zone(&mut parts)?;
            }
        }
        Pattern::OffsetTime => {
            scan.time(&mut parts)?;
            scan.offset(&mut parts)?;
        }
        Pattern::YearMonth => {
            parts.year = scan.year()?;
            scan.eat('-')?;
            parts.month = scan.digits(2, 2)?;
            (1..=12).contains(&parts.month).then_some(())?;
        }
        Pattern::MonthDay => {
            scan.eat('-')?;
            scan.eat('-')?;
            parts.month = scan.digits(2, 2)?;
            scan.eat('-')?;
            parts.day = scan.digits(2, 2)?;
            days_of(2000, parts.month, parts.day)?;
        }
        Pattern::Offset => scan.offset(&mut parts)?,
    }
    scan.rest.is_empty().then_some(parts)
}

/// A period of years, months and days as Java prints it: `P1Y2M3D`, `P0D`.
pub(crate) fn period_text(years: i64, months: i64, days: i64) -> String {
    let mut text = "P".to_owned();
    for (count, unit) in [(years, 'Y'), (months, 'M'), (days, 'D')] {
        if count != 0 {
            let _ = write!(text, "{count}{unit}");
        }
    }
    if text.len() == 1 {
        text.push_str("0D");
    }
    text
}

/// Reads `P1Y2M1W3D`.
pub(crate) fn parse_period(text: &str) -> Option<(i64, i64, i64)> {
    let mut scan = Scan {
        rest: text.strip_prefix('P')?,
    };
    let (mut years, mut months, mut days) = (0, 0, 0i64);
    let mut last = 0;
    if scan.rest.is_empty() {
        return None;
    }
    while !scan.rest.is_empty() {
        let negative = scan.sign().unwrap_or(false);
        let count = scan.digits(1, 10)?;
        let count = if negative { count.checked_neg()? } else { count };
        i32::try_from(count).ok()?;
        let (unit, place) = [('Y', 1), ('M', 2), ('W', 3), ('D', 4)]
            .into_iter()
            .find(|(unit, _)| scan.eat(*unit).is_some())?;
        if place <= last {
            return None;
        }
        last = place;
        match unit {
            'Y' => years = count,
            'M' => months = count,
            'W' => days = count.checked_mul(7)?,
            _ => days = days.checked_add(count)?,
        }
        i32::try_from(days).ok()?;
    }
    Some((years, months, days))
}

/// A duration as Java prints it: `PT8H6M12.345S`, `PT0S`. Seconds and nanos have the same sign.
pub(crate) fn duration_text(seconds: i64, nanos: i32) -> String {
    if seconds == 0 && nanos == 0 {
        return "PT0S".to_owned();
    }
    let mut text = "PT".to_owned();
    let hours = seconds.wrapping_div(3600);
    let minutes = seconds.wrapping_rem(3600).wrapping_div(60);
    let rest = seconds.wrapping_rem(60);
    if hours != 0 {
        let _ = write!(text, "{hours}H");
    }
    if minutes != 0 {
        let _ = write!(text, "{minutes}M");
    }
    if rest != 0 || nanos != 0 {
        if rest == 0 && nanos < 0 {
            text.push('-');
        }
        let _ = write!(text, "{rest}");
        if nanos != 0 {
            let mut fraction = format!(".{:09}", nanos.unsigned_abs());
            while fraction.ends_with('0') {
                fraction.pop();
            }
            text.push_str(&fraction);
        }
        text.push('S');
    }
    text
}

/// Reads `PnDTnHnMn.nS`; seconds and nanos of the same sign.
pub(crate) fn parse_duration(text: &str) -> Option<(i64, i32)> {
    let (all_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut scan = Scan {
        rest: text.strip_prefix('P')?,
    };
    let mut nanos: i128 = 0;
    let (mut in_time, mut any) = (false, false);
    while !scan.rest.is_empty() {
        if scan.eat('T').is_some() {
            if in_time {
                return None;
            }
            in_time = true;
            continue;
        }
        let negative = scan.sign().unwrap_or(false);
        let count = i128::from(scan.digits(1, 18)?);
        let fraction = if scan.eat('.').is_some() {
            scan.fraction()?
        } else {
            0
        };
        let unit: i128 = match scan.rest.chars().next()? {
            'D' if !in_time && fraction == 0 => 86_400,
            'H' if in_time && fraction == 0 => 3600,
            'M' if in_time && fraction == 0 => 60,
            'S' if in_time => 1,
            _ => return None,
        };
        scan.rest = scan.rest.get(1..)?;
        let part = count
            .checked_mul(unit)?
            .checked_mul(1_000_000_000)?
            .checked_add(i128::from(fraction))?;
        nanos = if negative {
            nanos.checked_sub(part)?
        } else {
            nanos.checked_add(part)?
        };
        any = true;
    }
    if !any {
        return None;
    }
    if all_negative {
        nanos = nanos.checked_neg()?;
    }
    Some((
        i64::try_from(nanos.wrapping_div(1_000_000_000)).ok()?,
        i32::try_from(nanos.wrapping_rem(1_000_000_000)).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_java() {
        for text in ["2024-02-29", "0001-01-01", "+10000-12-31", "-0044-03-15"] {
            assert_eq!(parse(text, Pattern::Date).unwrap().date_text(), text);
        }
        for text in [
            "23:59",
            "00:00:01",
            "23:59:58.123",
            "23:59:58.123456",
            "23:59:58.123456789",
        ] {
            assert_eq!(parse(text, Pattern::Time).unwrap().time_text(), text);
        }
        let zoned = "2024-02-29T23:59+08:00[Asia/Shanghai]";
        let parts = parse(zoned, Pattern::OffsetDateTime).unwrap();
        assert_eq!(format!("{}{}", parts.date_time_text(), parts.zone_text()), zoned);
        for bad in ["2023-02-29", "2024-13-01", "2024-1-1", "20240101", "2024-01-01x"] {
            assert_eq!(parse(bad, Pattern::Date), None, "{bad}");
        }
        for bad in ["24:00", "12:60", "12:00:00.", "1:00", "12:00:00.1234567890"] {
            assert_eq!(parse(bad, Pattern::Time), None, "{bad}");
        }
    }

    #[test]
    fn instants_count_from_the_epoch() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (1_709_251_198, "2024-02-29T23:59:58Z"),
            (-62_135_596_800, "0001-01-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(instant_text(seconds, 0, false), text);
            let parts = parse(text, Pattern::OffsetDateTime).unwrap();
            assert_eq!(parts.seconds(), Some(seconds));
        }
        assert_eq!(instant_text(0, 5_000_000, true), "1970-01-01T00:00:00.005Z");
        let east = parse("1970-01-01T08:00:00+08:00", Pattern::OffsetDateTime).unwrap();
        assert_eq!(east.seconds(), Some(0));
    }

    #[test]
    fn periods_and_durations() {
        assert_eq!(parse_period("P1Y2M3D"), Some((1, 2, 3)));
        assert_eq!(parse_period("P-1Y1W1D"), Some((-1, 0, 8)));
        assert_eq!(period_text(-1, 0, 8), "P-1Y8D");
        assert_eq!(period_text(0, 0, 0), "P0D");
        assert!(parse_period("P").is_none() && parse_period("P1D1Y").is_none());
        for (text, seconds, nanos) in [
            ("PT0S", 0, 0),
            ("PT8H6M12.345S", 29_172, 345_000_000),
            ("PT-0.5S", 0, -500_000_000),
            ("PT-1.5S", -1, -500_000_000),
            ("PT1H", 3600, 0),
        ] {
            assert_eq!(parse_duration(text), Some((seconds, nanos)), "{text}");
            assert_eq!(duration_text(seconds, nanos), text);
        }
        assert_eq!(parse_duration("P1DT1S"), Some((86_401, 0)));
        assert!(parse_duration("PT").is_none() && parse_duration("1S").is_none());
    }
}
