//! The journal of a download: it says what was noted in it, or less, however it was cut or changed.

use minibit::net::fuzz::{chained, journaled};

/// A journal's bytes, and records of which one is made; where it is cut and changed follows from the first two bytes.
pub fn run(bytes: &[u8]) {
    is_the_same_again(bytes);
    let whole = chained(&String::from_utf8_lossy(bytes));
    is_the_same_again(&whole);
    let number = bytes.iter().take(2).fold(0, |number, byte| number * 256 + usize::from(*byte));
    let at = number % whole.len();
    let before = &whole[..begin_of_line(&whole, at)];
    let cut = journaled(&whole[..at]);
    assert_eq!(cut.kept, journaled(before).kept, "a line that was cut says nothing");
    assert!(at == before.len() || !cut.is_clean, "a journal that was cut within a line was not closed");
    let mut changed = whole.clone();
    changed[at] ^= 1 + number.to_le_bytes()[1] % 255;
    let changed = journaled(&changed);
    assert_eq!(changed.kept, journaled(before).kept, "nothing is believed from a changed line on");
    assert!(!changed.is_clean, "nor that it was closed");
}

fn is_the_same_again(text: &[u8]) {
    let told = journaled(text);
    assert_eq!(journaled(&told.again), told, "what it says is written and read the same");
    assert!(told.files == 0 || told.is_clean, "how files look counts only where the end was in order");
}

fn begin_of_line(text: &[u8], at: usize) -> usize {
    text[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}
