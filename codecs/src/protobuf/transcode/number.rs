//! Decimal texts and big integers.

/// The most words of a BigInteger.
pub(crate) const MOST_WORDS: usize = 4096;
/// The most characters of a decimal number.
pub(crate) const MOST_DIGITS: usize = 1024;
const MOST_EXPONENT: i64 = 10_000;

/// Whether a text is a BigDecimal: sign, digits with an optional point, exponent; within the limits.
pub(crate) fn is_decimal(text: &str) -> bool {
    if text.len() > MOST_DIGITS {
        return false;
    }
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return false;
    }
    match exponent {
        None => true,
        Some(exponent) => {
            let bare = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !bare.is_empty()
                && digits(bare)
                && bare
                    .parse::<i64>()
                    .is_ok_and(|exponent| exponent <= MOST_EXPONENT)
        }
    }
}

/// A magnitude of big-endian 32-bit words as decimal digits.
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "64-bit steps on 32-bit words, base 10^9"
)]
pub(crate) fn words_to_decimal(words: &[u32], negative: bool) -> String {
    const BASE: u64 = 1_000_000_000;
    let mut rest: Vec<u32> = words.iter().copied().skip_while(|word| *word == 0).collect();
    let mut groups: Vec<u32> = Vec::new();
    while !rest.is_empty() {
        let mut carry = 0u64;
        for word in &mut rest {
            let value = carry << 32 | u64::from(*word);
            *word = (value / BASE) as u32;
            carry = value % BASE;
        }
        groups.push(carry as u32);
        let zeros = rest.iter().take_while(|word| **word == 0).count();
        rest.drain(..zeros);
    }
    let Some(first) = groups.pop() else {
        return "0".to_owned();
    };
    let mut text = if negative { "-".to_owned() } else { String::new() };
    text.push_str(&first.to_string());
    for group in groups.iter().rev() {
        text.push_str(&format!("{group:09}"));
    }
    text
}

/// Decimal digits with an optional sign as big-endian 32-bit words without leading zeros; `true` when negative.
#[allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "64-bit steps on 32-bit words, base 10^9"
)]
pub(crate) fn decimal_to_words(text: &str) -> Option<(bool, Vec<u32>)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || digits.len() > 40_000 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Little endian while it grows.
    let mut words: Vec<u32> = Vec::new();
    for group in digits.as_bytes().chunks(9) {
        let group = std::str::from_utf8(group).ok()?;
        let mut carry = u64::from(group.parse::<u32>().ok()?);
        let factor = 10u64.checked_pow(u32::try_from(group.len()).ok()?)?;
        for word in &mut words {
            let value = u64::from(*word) * factor + carry;
            *word = value as u32;
            carry = value >> 32;
        }
        if carry != 0 {
            words.push(carry as u32);
        }
        if words.len() > MOST_WORDS {
            return None;
        }
    }
    words.reverse();
    let negative = negative && !words.is_empty();
    Some((negative, words))
}

/// A magnitude as minimal big-endian two's complement bytes, as `BigInteger.toByteArray()` gives them.
pub(crate) fn words_to_twos(words: &[u32], negative: bool) -> Vec<u8> {
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    bytes.insert(0, 0);
    if negative {
        negate(&mut bytes);
    }
    while let [first, second, ..] = bytes.as_slice() {
        let sign = second & 0x80;
        if (*first == 0 && sign == 0) || (*first == 0xff && sign != 0) {
            bytes.remove(0);
        } else {
            break;
        }
    }
    bytes
}

/// The words of two's complement bytes; `true` when negative.
pub(crate) fn twos_to_words(bytes: &[u8]) -> Option<(bool, Vec<u32>)> {
    if bytes.len() > MOST_WORDS.saturating_mul(4) {
        return None;
    }
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut magnitude = bytes.to_vec();
    if negative {
        magnitude.insert(0, 0xff);
        negate(&mut magnitude);
    }
    let mut words: Vec<u32> = magnitude
        .rchunks(4)
        .map(|chunk| chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)))
        .collect();
    while words.last() == Some(&0) {
        words.pop();
    }
    words.reverse();
    Some((negative, words))
}

fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        let (value, overflow) = (!*byte).overflowing_add(u8::from(carry));
        *byte = value;
        carry = overflow;
    }
}

/// A double that hessian-lite makes of a float: through the float's shortest decimal text.
pub(crate) fn widen(value: f32) -> f64 {
    if value.is_finite() {
        value.to_string().parse().unwrap_or_else(|_| f64::from(value))
    } else {
        f64::from(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_checked() {
        for good in ["0", "-1.50", "1E+3", "+.5", "5.", "1e-10000", "12.340"] {
            assert!(is_decimal(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "1e",
            "e5",
            "1e10001",
            "1,5",
            " 1",
            "NaN",
            "0x1",
            "--1",
            "1e99999999999999999999",
        ] {
            assert!(!is_decimal(bad), "{bad}");
        }
        assert!(!is_decimal(&"9".repeat(MOST_DIGITS + 1)));
    }

    #[test]
    fn big_integers_survive_every_form() {
        for text in [
            "0",
            "1",
            "-1",
            "127",
            "128",
            "-128",
            "-129",
            "255",
            "256",
            "4294967295",
            "4294967296",
            "-4294967296",
            "123456789012345678901234567890",
            "-99999999999999999999999999999999999999",
        ] {
            let (negative, words) = decimal_to_words(text).unwrap();
            assert_eq!(words_to_decimal(&words, negative), text);
            let bytes = words_to_twos(&words, negative);
            assert_eq!(twos_to_words(&bytes), Some((negative, words)), "{text}");
        }
        assert_eq!(words_to_twos(&[128], false), [0, 128]);
        assert_eq!(words_to_twos(&[128], true), [128]);
        assert_eq!(words_to_twos(&[], false), [0]);
        assert_eq!(decimal_to_words("007"), Some((false, vec![7])));
        assert_eq!(decimal_to_words("-0"), Some((false, vec![])));
        assert!(decimal_to_words("1.5").is_none() && decimal_to_words("").is_none());
    }

    #[test]
    fn floats_widen_through_their_text() {
        assert_eq!(widen(0.1), 0.1);
        assert_eq!(widen(1.5), 1.5);
        assert_eq!(widen(f32::MAX), 3.4028235e38);
        assert!(widen(f32::NAN).is_nan());
    }
}
