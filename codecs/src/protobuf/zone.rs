//! Time zones by name, from the IANA database that is compiled in.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use super::transcode::time::{Parts, Pattern, parse};

/// The years of which Java's `TimeZone` is told the changes of offset: it takes the last one as standing for ever.
const LAST_CHANGE: i64 = 2_145_916_800;
/// A year before.
const LAST_YEAR: i64 = LAST_CHANGE - 366 * 86_400;
/// Offsets that Java's `ZoneInfo` can tell apart.
const MOST_OFFSETS: usize = 16;

/// A time zone.
#[derive(Debug, Clone)]
pub(crate) struct Zone(TimeZone);

/// The offsets, in seconds east of UTC, that a local time may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offsets {
    /// One.
    One(i64),
    /// Clocks were put back: the time was there twice.
    Two(i64, i64),
    /// Clocks were put forward: the time was never there. The offset before.
    None(i64),
}

impl Zone {
    /// A zone by its IANA name, in exactly that spelling, or by one of Java's names for an offset: `Z`, `UTC`, `GMT+8`,
    /// `+08:00`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if let Some(offset) = fixed(name) {
            let offset = jiff::tz::Offset::from_seconds(i32::try_from(offset).ok()?).ok()?;
            return Some(Self(TimeZone::fixed(offset)));
        }
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        (zone.iana_name() == Some(name)).then_some(Self(zone))
    }

    /// The offset of an instant.
    pub(crate) fn offset_at(&self, seconds: i64) -> Option<i64> {
        let instant = Timestamp::from_second(seconds).ok()?;
        Some(i64::from(self.0.to_offset(instant).seconds()))
    }

    /// The offsets that a local date and time may have; `None` when it is no date, or of a year beyond 9999.
    pub(crate) fn offsets_of(&self, parts: &Parts) -> Option<Offsets> {
        let local = DateTime::new(
            i16::try_from(parts.year).ok()?,
            i8::try_from(parts.month).ok()?,
            i8::try_from(parts.day).ok()?,
            i8::try_from(parts.hour).ok()?,
            i8::try_from(parts.minute).ok()?,
            i8::try_from(parts.second).ok()?,
            i32::try_from(parts.nano).ok()?,
        )
        .ok()?;
        let seconds = |offset: jiff::tz::Offset| i64::from(offset.seconds());
        Some(match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => Offsets::One(seconds(offset)),
            AmbiguousOffset::Fold { before, after } => Offsets::Two(seconds(before), seconds(after)),
            AmbiguousOffset::Gap { before, .. } => Offsets::None(seconds(before)),
        })
    }

    /// The instant of a local date and time, as Java reads it: of two the earlier, and a time that never was as much
    /// later as the clocks were put forward.
    pub(crate) fn seconds_of(&self, parts: &Parts) -> Option<i64> {
        let offset = match self.offsets_of(parts)? {
            Offsets::One(offset) | Offsets::Two(offset, _) | Offsets::None(offset) => offset,
        };
        let local = Parts {
            offset: None,
            ..parts.clone()
        };
        local.seconds()?.checked_sub(offset)
    }

    /// What Java's `sun.util.calendar.ZoneInfo` holds of this zone, from 1970 on. `None` when it has more offsets than
    /// that class can tell apart.
    pub(crate) fn changes(&self) -> Option<Changes> {
        let begin = Timestamp::from_second(0).ok()?;
        let mut changes = Changes::default();
        let info = self.0.to_offset_info(begin);
        let mut standard = i64::from(info.offset().seconds());
        if info.dst().is_dst() {
            standard = standard.checked_sub(3600)?;
        }
        let first = changes.place_of(i64::from(info.offset().seconds()))?;
        let saving = changes.saving(info.dst().is_dst(), i64::from(info.offset().seconds()), standard)?;
        changes.transitions.push(packed(0, first, saving)?);
        for change in self.0.following(begin) {
            let seconds = change.timestamp().as_second();
            if seconds > LAST_CHANGE {
                break;
            }
            let offset = i64::from(change.offset().seconds());
            if !change.dst().is_dst() {
                standard = offset;
            }
            let place = changes.place_of(offset)?;
            let saving = changes.saving(change.dst().is_dst(), offset, standard)?;
            if change.dst().is_dst() && seconds > LAST_YEAR {
                changes.saving_now = offset.checked_sub(standard)?;
            }
            changes.transitions.push(packed(seconds, place, saving)?);
        }
        changes.standard = standard;
        Some(changes)
    }
}

/// The changes of a zone's offset in the form of Java's `ZoneInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The last offset without summer time, in seconds.
    pub(crate) standard: i64,
    /// How much the clocks are put forward in summer, in seconds; 0 when they are no longer.
    pub(crate) saving_now: i64,
    /// Offsets and savings, in milliseconds.
    pub(crate) offsets: Vec<i64>,
    /// Milliseconds since the epoch, shifted left by 12; place of the saving in bits 4 to 7, of the offset in bits 0 to 3.
    pub(crate) transitions: Vec<i64>,
}

impl Changes {
    fn place_of(&mut self, seconds: i64) -> Option<i64> {
        let millis = seconds.checked_mul(1000)?;
        let place = self.offsets.iter().position(|known| *known == millis);
        let place = match place {
            Some(place) => place,
            None => {
                self.offsets.push(millis);
                self.offsets.len().checked_sub(1)?
            }
        };
        (place < MOST_OFFSETS).then_some(i64::try_from(place).ok()?)
    }

    /// The place of what the clocks are put forward by; 0 for nothing.
    fn saving(&mut self, summer: bool, offset: i64, standard: i64) -> Option<i64> {
        match offset.checked_sub(standard)? {
            saving if summer && saving > 0 => self.place_of(saving),
            _ => Some(0),
        }
    }
}

fn packed(seconds: i64, place: i64, saving: i64) -> Option<i64> {
    Some(seconds.checked_mul(1000)?.checked_mul(1 << 12)? | saving << 4 | place)
}

/// The offset that a name says, where it is one of Java's names for an offset.
pub(crate) fn fixed(name: &str) -> Option<i64> {
    let rest = ["UTC", "GMT", "UT"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    if rest.is_empty() || name == "Z" {
        return (!name.is_empty()).then_some(0);
    }
    if !rest.starts_with(['+', '-']) {
        return None;
    }
    let (sign, digits) = rest.split_at_checked(1)?;
    let spelled = match digits.len() {
        1 => format!("{sign}0{digits}:00"),
        2 => format!("{rest}:00"),
        4 if !digits.contains(':') => {
            let (hours, minutes) = digits.split_at_checked(2)?;
            format!("{sign}{hours}:{minutes}")
        }
        4 => format!("{sign}0{digits}"),
        _ => rest.to_owned(),
    };
    parse(&spelled, Pattern::Offset)?.offset
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> Parts {
        parse(text, Pattern::DateTime).unwrap()
    }

    #[test]
    fn names_are_those_of_java_in_their_spelling() {
        for (name, offset) in [
            ("Z", 0),
            ("UTC", 0),
            ("GMT", 0),
            ("GMT+8", 28_800),
            ("UTC-08:30", -30_600),
            ("+08:00", 28_800),
            ("GMT+0530", 19_800),
            ("GMT+5:30", 19_800),
        ] {
            assert_eq!(fixed(name), Some(offset), "{name}");
            assert_eq!(Zone::named(name).unwrap().offset_at(0), Some(offset), "{name}");
        }
        for bad in ["", "asia/shanghai", "Mars/Base", "GMT+99", "+", "UTC+a"] {
            assert!(Zone::named(bad).is_none(), "{bad}");
        }
        let shanghai = Zone::named("Asia/Shanghai").unwrap();
        assert_eq!(shanghai.offset_at(1_700_000_000), Some(28_800));
    }

    #[test]
    fn local_times_are_there_once_twice_or_never() {
        let zone = Zone::named("America/New_York").unwrap();
        assert_eq!(
            zone.offsets_of(&local("2024-07-01T12:00")),
            Some(Offsets::One(-14_400))
        );
        assert_eq!(
            zone.offsets_of(&local("2024-11-03T01:30")),
            Some(Offsets::Two(-14_400, -18_000))
        );
        assert_eq!(
            zone.offsets_of(&local("2024-03-10T02:30")),
            Some(Offsets::None(-18_000))
        );
        // 02:30 does not exist: Java makes it 03:30 EDT, 07:30 UTC.
        let gap = zone.seconds_of(&local("2024-03-10T02:30")).unwrap();
        assert_eq!(gap, local("2024-03-10T07:30").seconds().unwrap());
    }

    #[test]
    fn changes_are_those_of_zone_info() {
        // As Java's own `ZoneInfo` of Asia/Shanghai ends: standard time since 1991-09-14T17:00Z.
        let changes = Zone::named("Asia/Shanghai").unwrap().changes().unwrap();
        assert_eq!(changes.standard, 28_800);
        let last = *changes.transitions.last().unwrap();
        assert_eq!((last >> 12, last & 0xff), (684_867_600_000, 0));
        let summer = changes.transitions.iter().find(|t| **t & 0xf0 != 0).unwrap();
        let at = |place: i64| changes.offsets[usize::try_from(place & 0xf).unwrap()];
        assert_eq!((at(*summer), at(summer >> 4)), (32_400_000, 3_600_000));
        let york = Zone::named("America/New_York").unwrap().changes().unwrap();
        assert!(york.transitions.len() > 130 && york.standard == -18_000);
        assert!(york.transitions.is_sorted());
    }
}
