//! Decimal texts as a person writes them, to integers of a stated scale and back, exactly: what does not fit is an error,
//! never a rounding.

/// `text` in units of 10^-`places`.
pub fn parse(text: &str, places: u32) -> Result<i64, String> {
    let fault = |why: &str| format!("'{text}' is not a decimal number with at most {places} places: {why}");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && part.is_empty() {
        return Err(fault("it has no digit"));
    }
    if part.len() > places as usize {
        return Err(fault("it has more places"));
    }
    let mut value: i64 = 0;
    let padding = std::iter::repeat_n('0', places as usize - part.len());
    for digit in whole.chars().chain(part.chars()).chain(padding) {
        let digit = digit.to_digit(10).ok_or_else(|| fault("it has a character that is no digit"))?;
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(i64::from(digit)))
            .ok_or_else(|| fault("it is too large"))?;
    }
    Ok(if negative { -value } else { value })
}

/// `value` of scale 10^-`places`, without needless zeros.
pub fn show(value: i128, places: u32) -> String {
    let scale = 10_u128.pow(places);
    let sign = if value < 0 { "-" } else { "" };
    let (whole, part) = (value.unsigned_abs() / scale, value.unsigned_abs() % scale);
    if part == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{part:0width$}", width = places as usize);
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_integers_agree() {
        for (text, places, value) in [
            ("0.5", 9, 500_000_000),
            ("-12.000001", 6, -12_000_001),
            ("7", 0, 7),
            (".25", 2, 25),
            ("3.", 1, 30),
        ] {
            assert_eq!(parse(text, places), Ok(value), "{text}");
        }
        for text in ["", ".", "-", "1e3", "0.1234567890", "1.2.3", "99999999999999999999", "+1"] {
            assert!(parse(text, 9).is_err(), "{text}");
        }
        assert_eq!(show(-12_000_001, 6), "-12.000001");
        assert_eq!(show(500_000_000, 9), "0.5");
        assert_eq!(show(7, 0), "7");
    }
}
