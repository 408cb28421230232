//! Sizes, rates and durations as a person types them; no formatting (see `human`).

use std::time::Duration;

/// The units of a size, longest spelling first where one ends another.
const UNITS: [(&str, u64); 10] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// Bytes from `512KiB`, `4MB`, `1.5GiB` or a bare number of bytes. Fractions of a byte are cut off.
pub fn size(text: &str) -> Result<u64, String> {
    let bad = || format!("'{}' is not a size like 512KiB, 4MB or 1.5GiB", text.escape_debug());
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, bytes)| text.strip_suffix(name).map(|number| (number, *bytes)))
        .unwrap_or((text, 1));
    scaled(number.trim_end(), unit).ok_or_else(bad)
}

/// Bytes a second, more than zero: a size, with or without `/s`.
pub fn rate(text: &str) -> Result<u64, String> {
    match size(text.strip_suffix("/s").unwrap_or(text)) {
        Ok(0) => Err("a rate of 0 would move nothing: leave the option out for no limit".to_owned()),
        other => other,
    }
}

/// A piece length: a power of two from 16 KiB to 16 MiB.
pub fn piece_bytes(text: &str) -> Result<u32, String> {
    use crate::content::geometry::{PIECE_BYTES_MAX, PIECE_BYTES_MIN};
    let bytes = size(text)?;
    u32::try_from(bytes)
        .ok()
        .filter(|bytes| bytes.is_power_of_two() && (PIECE_BYTES_MIN..=PIECE_BYTES_MAX).contains(bytes))
        .ok_or_else(|| format!("{bytes} bytes: it must be a power of two from 16KiB to 16MiB"))
}

/// A span from `90s`, `5m`, `2h`, `1h30m`: each unit once, larger ones first.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("'{}' is not a duration like 90s, 5m, 2h or 1h30m", text.escape_debug());
    let mut rest = text;
    let mut seconds = 0_u64;
    for (unit, worth) in [('h', 3600), ('m', 60), ('s', 1)] {
        if let Some((number, after)) = rest.split_once(unit) {
            let span = digits(number).and_then(|n| n.checked_mul(worth)).ok_or_else(bad)?;
            seconds = seconds.checked_add(span).ok_or_else(bad)?;
            rest = after;
        }
    }
    let nothing_left = rest.is_empty() && !text.is_empty();
    // A century is as good as for ever, and far from the end of every clock.
    nothing_left.then(|| Duration::from_secs(seconds.min(100 * 365 * 86_400))).ok_or_else(bad)
}

/// A plain number: digits only, so neither sign nor blank.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// `number` (at most nine digits after the point) times `unit`, exactly.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let tenths = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let value = u128::from(digits(whole)?) * tenths + u128::from(digits(fraction)?);
    u64::try_from(value.checked_mul(u128::from(unit))? / tenths).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_and_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("16384", 16_384),
            ("7B", 7),
            ("512KiB", 524_288),
            ("512 KiB", 524_288),
            ("4MB", 4_000_000),
            ("4kB", 4_000),
            ("1.5GiB", 1_610_612_736),
            ("0.001KB", 1),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_an_example() {
        for text in [
            "",
            "KiB",
            "-1",
            "+1",
            "1e3",
            "1,5MB",
            "1.",
            ".5MB",
            "4mb",
            "1K",
            "1 2MB",
            "18446744073709551616",
            "1.1.1",
        ] {
            assert!(size(text).is_err_and(|why| why.contains("512KiB")), "{text}");
        }
    }

    #[test]
    fn a_rate_may_say_per_second_and_is_never_zero() {
        assert_eq!(rate("2MB/s"), Ok(2_000_000));
        assert_eq!(rate("512KiB"), Ok(524_288));
        assert!(rate("0").is_err_and(|why| why.contains("leave the option out")));
    }

    #[test]
    fn a_piece_length_is_a_power_of_two_within_the_limits() {
        assert_eq!(piece_bytes("16KiB"), Ok(16_384));
        assert_eq!(piece_bytes("16MiB"), Ok(16_777_216));
        for text in ["8KiB", "32MiB", "1MB", "0", "8GiB"] {
            assert!(piece_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_is_hours_minutes_and_seconds_in_that_order() {
        for (text, seconds) in
            [("90s", 90), ("5m", 300), ("2h", 7_200), ("1h30m", 5_400), ("1h1m1s", 3_661), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in [
            "",
            "5",
            "m",
            "30m1h",
            "1h1h",
            "-1s",
            "1.5h",
            "1d",
            "99999999999999999999s",
            "9999999999999999999h",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
