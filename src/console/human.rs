//! Figures and names as a person reads them, in few columns; reads nothing back (see `amounts`).

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::content::names;

const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];

/// `1023 B`, `1.50 KiB`, `12.3 MiB`, `123 GiB`: never more than eight columns up to 1023 PiB.
pub fn bytes(count: u64) -> String {
    if count < 1024 {
        return format!("{count} B");
    }
    let mut scale = 0;
    let mut unit = 1024_u128;
    let count = u128::from(count);
    while count >= unit * 1024 && scale + 1 < UNITS.len() {
        unit *= 1024;
        scale += 1;
    }
    let hundredths = count * 100 / unit;
    let (whole, part) = (hundredths / 100, hundredths % 100);
    match whole {
        0..10 => format!("{whole}.{part:02} {}", UNITS[scale]),
        10..100 => format!("{whole}.{} {}", part / 10, UNITS[scale]),
        _ => format!("{whole} {}", UNITS[scale]),
    }
}

/// Bytes a second.
pub fn rate(per_second: u64) -> String {
    format!("{}/s", bytes(per_second))
}

/// `0:07`, `12:34`, `5:00:00`, `3d 4h`.
pub fn clock(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0..3600 => format!("{minutes}:{:02}", seconds % 60),
        3600..86_400 => format!("{hours}:{:02}:{:02}", minutes % 60, seconds % 60),
        _ => format!("{}d {}h", hours / 24, hours % 24),
    }
}

/// `40 s`, `12 min`, `5 h 3 min`, `3 d 4 h`.
pub fn about(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

/// `0.42 s`, `12.3 s`, then as [`clock`].
pub fn span(span: Duration) -> String {
    match span.as_secs() {
        0..10 => format!("{:.2} s", span.as_secs_f64()),
        10..60 => format!("{:.1} s", span.as_secs_f64()),
        _ => clock(span),
    }
}

/// Whole percents, rounded down: 100 only when nothing is missing. An empty whole is done.
pub fn percent(part: u64, whole: u64) -> u64 {
    if part >= whole {
        return 100;
    }
    u64::try_from(u128::from(part) * 100 / u128::from(whole)).expect("part < whole, so below 100")
}

/// `1 piece`, `2 pieces`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A path as a person may safely see it, in talk and in JSON.
pub fn path(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let parts: &OsStr = path.as_os_str();
    parts.as_bytes().split(|byte| *byte == b'/').map(names::shown).collect::<Vec<_>>().join("/")
}

/// A sentence that may quote others, as a person may safely see it. What is escaped in it already stays as it is.
pub fn sentence(text: &str) -> String {
    text.split('\\').map(|part| names::shown(part.as_bytes())).collect::<Vec<_>>().join("\\")
}

/// Terminal columns of `text`.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// `text` in at most `width` columns; what is cut from the middle is marked, so that an ending stays readable.
pub fn cut(text: &str, width: usize) -> String {
    const MARK: &str = "..";
    if columns(text) <= width {
        return text.to_owned();
    }
    if width <= MARK.len() + 2 {
        return text.chars().scan(0, |used, c| within(used, c, width)).collect();
    }
    let tail_width = (width - MARK.len()) / 3;
    let tail: String = text.chars().rev().scan(0, |used, c| within(used, c, tail_width)).collect();
    let head_width = width - MARK.len() - columns(&tail);
    let head: String = text.chars().scan(0, |used, c| within(used, c, head_width)).collect();
    head + MARK + &tail.chars().rev().collect::<String>()
}

/// Gives `c` while the columns used stay within `width`.
fn within(used: &mut usize, c: char, width: usize) -> Option<char> {
    *used += c.width().unwrap_or(0);
    (*used <= width).then_some(c)
}

/// `text` between single quotes where a shell would take it apart.
pub fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits_and_a_unit() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1536, "1.50 KiB"),
            (12 * 1024 + 512, "12.5 KiB"),
            (1024 * 1024 - 1, "1023 KiB"),
            (1 << 30, "1.00 GiB"),
            (u64::MAX, "16383 PiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn a_span_of_time_is_short() {
        for (seconds, text) in [(7, "0:07"), (754, "12:34"), (18_000, "5:00:00"), (273_600, "3d 4h")] {
            assert_eq!(clock(Duration::from_secs(seconds)), text);
        }
        for (seconds, text) in [(7, "7 s"), (754, "12 min"), (18_180, "5 h 3 min"), (273_600, "3 d 4 h")] {
            assert_eq!(about(Duration::from_secs(seconds)), text);
        }
        assert_eq!(span(Duration::from_millis(420)), "0.42 s");
        assert_eq!(span(Duration::from_millis(12_340)), "12.3 s");
        assert_eq!(span(Duration::from_secs(61)), "1:01");
    }

    #[test]
    fn a_hundred_percent_means_that_nothing_is_missing() {
        assert_eq!(percent(999, 1000), 99);
        assert_eq!(percent(u64::MAX - 1, u64::MAX), 99);
        assert_eq!(percent(5, 5), 100);
        assert_eq!(percent(0, 0), 100);
        assert_eq!(percent(0, 5), 0);
    }

    #[test]
    fn a_long_name_is_cut_in_the_middle_and_keeps_its_ending() {
        assert_eq!(cut("holiday-photographs.zip", 23), "holiday-photographs.zip");
        assert_eq!(cut("holiday-photographs.zip", 14), "holiday-...zip");
        assert_eq!(cut("holiday", 3), "hol");
        assert_eq!(cut("holiday", 0), "");
        assert!((0..30).all(|width| columns(&cut("日本語のとても長い名前.txt", width)) <= width));
    }

    #[test]
    fn a_sentence_keeps_its_escapes_and_loses_its_control_characters() {
        assert_eq!(sentence("'a\\u{202e}b' \u{1b}[31m"), "'a\\u{202e}b' \\u{1b}[31m");
    }

    #[test]
    fn a_quoted_word_stays_one_word_in_a_shell() {
        assert_eq!(shell_quoted("magnet:?a=1&b=2"), "'magnet:?a=1&b=2'");
        assert_eq!(shell_quoted("it's"), r"'it'\''s'");
    }
}
