//! Numbers as Java prints them.

/// The NaN that Java writes; any other shows its bits.
const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;

/// A double as `Double.toString` prints it: the shortest digits that give it back, at least one behind the point, with an
/// exponent below 0.001 and from ten million on. A JDK before 19 shows one digit more, or the other of two, of one in a thousand.
pub fn java_double(value: f64) -> String {
    if value.is_nan() && value.to_bits() != CANONICAL_NAN {
        return format!("NaN({:016x})", value.to_bits());
    }
    let (shortest, two) = (format!("{value:E}"), format!("{value:.1E}"));
    decimal(value, || format!("{value:?}"), &shortest, two)
}

/// A float as `Float.toString` prints it.
pub(super) fn java_float(value: f32) -> String {
    let (shortest, two) = (format!("{value:E}"), format!("{value:.1E}"));
    decimal(f64::from(value), || format!("{value:?}"), &shortest, two)
}

/// A number by its size, its shortest digits without an exponent and with one, and two digits of it: where one digit gives it
/// back, Java shows the nearest two, which are not always that digit and a zero (4.9E-324).
fn decimal(value: f64, plain: impl Fn() -> String, shortest: &str, two: String) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return plain();
    }
    if shortest.contains('.') {
        return shortest.to_owned();
    }
    two
}

/// The double of a text that Java prints, or that any program prints for a finite one.
pub(super) fn double(text: &str) -> Option<f64> {
    if let Some(bits) = text.strip_prefix("NaN(").and_then(|bits| bits.strip_suffix(')')) {
        let value = f64::from_bits(u64::from_str_radix(bits, 16).ok()?);
        return value.is_nan().then_some(value);
    }
    match text {
        "NaN" => Some(f64::from_bits(CANONICAL_NAN)),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ if is_decimal(text) => text.parse().ok().filter(|value: &f64| value.is_finite()),
        _ => None,
    }
}

/// The double that travels for a float: Java widens those of a `float[]` by their bits, any other by its digits.
pub(super) fn float(text: &str, by_bits: bool) -> Option<f64> {
    if !is_decimal(text) {
        return double(text).filter(|value| !value.is_finite());
    }
    let narrow: f32 = text.parse().ok()?;
    match by_bits {
        _ if !narrow.is_finite() => None,
        true => Some(f64::from(narrow)),
        false => text.parse().ok(),
    }
}

fn is_decimal(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
}

/// A whole number as JSON writes it.
pub(super) fn whole(literal: &str) -> Option<i64> {
    let digits = literal.strip_prefix('-').unwrap_or(literal);
    let is_whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_padded = digits.len() > 1 && digits.starts_with('0');
    (is_whole && !is_padded).then(|| literal.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the documents of `Double.toString` and `Float.toString` have it since JDK 19.
    #[test]
    fn numbers_are_shown_as_java_shows_them() {
        for (value, text) in [
            (f64::from_bits(1), "4.9E-324"),
            (f64::from_bits(2), "9.9E-324"),
            (f64::from_bits(3), "1.5E-323"),
            (f64::from_bits(4), "2.0E-323"),
            (-f64::from_bits(1), "-4.9E-324"),
            (1e23, "1.0E23"),
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (1e-3, "0.001"),
            (9e-4, "9.0E-4"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (f64::MAX, "1.7976931348623157E308"),
            (-0.0, "-0.0"),
        ] {
            assert_eq!(java_double(value), text);
            assert_eq!(double(text).map(f64::to_bits), Some(value.to_bits()), "{text}");
        }
        for (value, text) in [
            (0.1, "0.1"),
            (f32::from_bits(1), "1.4E-45"),
            (f32::from_bits(2), "2.8E-45"),
            (f32::MAX, "3.4028235E38"),
            (1e10, "1.0E10"),
            (f32::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(java_float(value), text);
            assert_eq!(float(text, true), Some(f64::from(value)), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_of_the_type_is_refused() {
        for text in [
            "", "inf", "nan", "1e999", "-1e999", "0x10", "NaN(0)", "1_0", "infinity",
        ] {
            assert_eq!(double(text), None, "{text}");
        }
        for text in ["1e39", "NaN(7ff8000000000001)x", "abc", ""] {
            assert_eq!((float(text, true), float(text, false)), (None, None), "{text}");
        }
        for text in ["+7", "007", "7.0", "", "-", "1e3", "9223372036854775808"] {
            assert_eq!(whole(text), None, "{text}");
        }
        assert_eq!(whole("-9223372036854775808"), Some(i64::MIN));
    }
}
