//! What a JSON reader that skips unknown keys does not look at: depth, and halves of surrogate pairs. Not a JSON reader.

use super::DEPTH_MAX;

/// Fails when a line nests too deep or escapes half a character. Says nothing about unsound JSON.
pub(super) fn check(line: &[u8]) -> Result<(), &'static str> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = line.get(at) {
        at += 1;
        match byte {
            b'"' => at = after_string(line, at)?,
            b'{' | b'[' if depth == DEPTH_MAX => return Err("JSON nested deeper than 32"),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

fn after_string(line: &[u8], mut at: usize) -> Result<usize, &'static str> {
    loop {
        match line.get(at) {
            None => return Ok(at),
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = after_escape(line, at)?,
            Some(_) => at += 1,
        }
    }
}

fn after_escape(line: &[u8], at: usize) -> Result<usize, &'static str> {
    match utf16_unit(line, at) {
        None => Ok(at + 2),
        Some(0xd800..=0xdbff) => match utf16_unit(line, at + 6) {
            Some(0xdc00..=0xdfff) => Ok(at + 12),
            _ => Err("half a surrogate pair"),
        },
        Some(0xdc00..=0xdfff) => Err("half a surrogate pair"),
        Some(_) => Ok(at + 6),
    }
}

/// The number of the escape `\uXXXX` at this place, if there is one.
fn utf16_unit(line: &[u8], at: usize) -> Option<u32> {
    let digits = line.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}
