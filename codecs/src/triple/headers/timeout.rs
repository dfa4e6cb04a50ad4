//! `grpc-timeout` (gRPC's `PROTOCOL-HTTP2.md`).

use std::time::Duration;

/// The longest that we take seriously: what `grpc-timeout` can say in hours, 8 digits, is over 11,000 years.
const MOST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Reads digits and a unit; `None` when it is garbage (Java 3.0 may send `null`), which counts as absent.
///
/// Java may write more than 8 digits; they are read, and times beyond a century are cut to one.
pub fn parse_timeout(value: &[u8]) -> Option<Duration> {
    let (&unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 20 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let time = match unit {
        b'n' => Duration::from_nanos(count),
        b'u' => Duration::from_micros(count),
        b'm' => Duration::from_millis(count),
        b'S' => Duration::from_secs(count),
        b'M' => Duration::from_secs(count.saturating_mul(60)),
        b'H' => Duration::from_secs(count.saturating_mul(3600)),
        _ => return None,
    };
    Some(time.min(MOST))
}

/// Writes a timeout: milliseconds while they fit into 8 digits, else seconds. A time under a millisecond is one.
pub fn format_timeout(timeout: Duration) -> String {
    const DIGITS: u128 = 99_999_999;
    let millis = timeout.as_millis().max(1);
    if millis <= DIGITS {
        format!("{millis}m")
    } else {
        format!("{}S", u128::from(timeout.as_secs()).min(DIGITS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit_and_refuses_garbage() {
        for (text, want) in [
            ("1n", Duration::from_nanos(1)),
            ("10000000u", Duration::from_secs(10)),
            ("250m", Duration::from_millis(250)),
            ("3S", Duration::from_secs(3)),
            ("2M", Duration::from_secs(120)),
            ("1H", Duration::from_secs(3600)),
            ("0m", Duration::ZERO),
            ("123456789012m", MOST.min(Duration::from_millis(123_456_789_012))),
            ("18446744073709551615H", MOST),
        ] {
            assert_eq!(parse_timeout(text.as_bytes()), Some(want), "{text}");
        }
        for text in [
            "",
            "m",
            "1",
            "null",
            "-1m",
            "1.5S",
            "1 m",
            "99999999999999999999S",
            "1x",
            "+1m",
        ] {
            assert_eq!(parse_timeout(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn writes_what_every_peer_takes() {
        for (time, want) in [
            (Duration::from_micros(3), "1m"),
            (Duration::from_millis(1500), "1500m"),
            (Duration::from_millis(99_999_999), "99999999m"),
            (Duration::from_millis(100_000_000), "100000S"),
            (Duration::MAX, "99999999S"),
        ] {
            assert_eq!(format_timeout(time), want);
        }
    }
}
