//! Doubles as Java prints them.

/// The NaN that Java writes; any other shows its bits.
const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;

/// A double as `Double.toString` prints it: the shortest digits that give it back, at least one behind the point, with an
/// exponent below 0.001 and from ten million on.
pub fn java_double(value: f64) -> String {
    if value.is_nan() {
        return match value.to_bits() {
            CANONICAL_NAN => "NaN".to_owned(),
            bits => format!("NaN({bits:016x})"),
        };
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    let (digits, exponent) = text.split_once('E').unwrap_or((&text, "0"));
    // The smallest double has one significant digit; Java shows the nearer of two.
    let digits = if value.abs().to_bits() == 1 {
        digits.replace('5', "4.9")
    } else {
        digits.to_owned()
    };
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

pub(super) fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::from_bits(CANONICAL_NAN)),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => match text.strip_prefix("NaN(").and_then(|bits| bits.strip_suffix(')')) {
            Some(bits) => u64::from_str_radix(bits, 16).ok().map(f64::from_bits),
            None => text.parse().ok(),
        },
    }
}
