//! Moments as operators write them: RFC 3339 in UTC, to the nanosecond, or plain nanoseconds since 1970. Integers only.

const NS: u64 = 1_000_000_000;
const DAY_SECONDS: u64 = 86_400;

/// `2026-11-21T16:34:09.000000001Z`.
pub fn show(ns: u64) -> String {
    let (seconds, rest) = (ns / NS, ns % NS);
    let (year, month, day) = civil(seconds / DAY_SECONDS);
    let of_day = seconds % DAY_SECONDS;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:09}Z")
}

/// A moment of RFC 3339 that ends in `Z` or `+00:00`, or nanoseconds since 1970.
pub fn parse(text: &str) -> Result<u64, String> {
    if let Ok(ns) = text.parse() {
        return Ok(ns);
    }
    rfc3339(text).ok_or_else(|| {
        format!("'{text}' is no moment in UTC; write 2026-11-21T16:34:09Z, with up to nine decimals, or ns since 1970")
    })
}

fn rfc3339(text: &str) -> Option<u64> {
    let text = ["Z", "z", "+00:00"].iter().find_map(|zone| text.strip_suffix(zone))?;
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = parts(date, '-', [4, 2, 2])?;
    let (clock, decimals) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = parts(clock, ':', [2, 2, 2])?;
    let is_time = hour < 24 && minute < 60 && second < 60;
    if !(1970..=2553).contains(&year) || !is_time || decimals.is_empty() || decimals.len() > 9 {
        return None;
    }
    let days = days_of(year, month, day);
    // A day that the month does not have comes back as another.
    if civil(days) != (year, month, day) {
        return None;
    }
    let ns = digits(decimals)? * 10_u64.pow(9 - decimals.len() as u32);
    Some((days * DAY_SECONDS + hour * 3600 + minute * 60 + second) * NS + ns)
}

fn parts(text: &str, separator: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    let mut found = text.split(separator);
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = found.next().filter(|part| part.len() == width)?;
        *number = digits(part)?;
    }
    found.next().is_none().then_some(numbers)
}

fn digits(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Years begin in March here, so that the leap day is the last: 400 years have 146,097 days.
const ERA_DAYS: u64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: u64 = 719_468;

fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_TO_1970;
    let (era, of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

fn days_of(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month + 2) / 5 + day.saturating_sub(1);
    era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_texts_agree() {
        for (ns, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (1_795_278_849_500_000_000, "2026-11-21T16:34:09.500000000Z"),
            (u64::MAX, "2554-07-21T23:34:33.709551615Z"),
        ] {
            assert_eq!(show(ns), text);
        }
        assert_eq!(parse("2026-11-21T16:34:09.5Z"), Ok(1_795_278_849_500_000_000));
        assert_eq!(parse("2000-02-29 00:00:00+00:00"), Ok(951_782_400_000_000_000));
        assert_eq!(parse("17"), Ok(17));
        for day in 0..200_000 {
            let (year, month, date) = civil(day);
            assert_eq!(days_of(year, month, date), day);
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "Z",
            "2026-11-21",
            "2026-11-21T16:34:09",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T16:34:09.Z",
            "2026-11-21T16:34:09.0000000001Z",
            "1969-12-31T23:59:59Z",
            "2026-11-21T16:34:09+01:00",
            "-5",
            "2026-1-21T16:34:09Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
