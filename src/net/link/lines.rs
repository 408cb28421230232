//! Bytes as they came, cut into lines; at most one longest line is held.

use std::ops::Range;

use crate::wire::{LINE_BYTES_MAX, WireError, split};

/// A buffer of exactly one longest line.
#[derive(Debug)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    held: Range<usize>,
    /// Up to here no LF was found, so that no byte is looked at twice.
    searched: usize,
}

impl Lines {
    pub(super) fn new() -> Lines {
        Lines { bytes: vec![0; LINE_BYTES_MAX], held: 0..0, searched: 0 }
    }

    /// Bytes that came and were not taken yet.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// The byte that decides which protocol is spoken.
    pub(super) fn first(&self) -> Option<u8> {
        self.bytes[self.held.clone()].first().copied()
    }

    /// Where the next bytes go; never empty as long as [`Lines::line`] was asked and gave no error.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.held.start > 0 {
            self.bytes.copy_within(self.held.clone(), 0);
            self.searched -= self.held.start;
            self.held = 0..self.held.len();
        }
        &mut self.bytes[self.held.end..]
    }

    /// So many bytes were put into the room.
    pub(super) fn filled(&mut self, count: usize) {
        self.held.end += count;
    }

    /// Takes the next whole line, its LF taken off. An error once no line can come of what is held.
    pub(super) fn line(&mut self) -> Result<Option<&[u8]>, WireError> {
        let held = &self.bytes[self.held.clone()];
        let Some((line, used)) = split(held, self.searched - self.held.start)? else {
            self.searched = self.held.end;
            return Ok(None);
        };
        self.held.start += used;
        self.searched = self.held.start;
        Ok(Some(line))
    }

    /// Takes raw bytes: as many as are held and `out` has room for.
    pub(super) fn take_into(&mut self, out: &mut [u8]) -> usize {
        let count = self.held.len().min(out.len());
        out[..count].copy_from_slice(&self.bytes[self.held.start..self.held.start + count]);
        self.held.start += count;
        self.searched = self.held.start;
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(lines: &mut Lines, bytes: &[u8]) {
        lines.room()[..bytes.len()].copy_from_slice(bytes);
        lines.filled(bytes.len());
    }

    #[test]
    fn a_line_split_anywhere_is_the_same_line() {
        let bytes = b"first\nsecond\nRAWthird\n";
        for split in 0..bytes.len() {
            let mut lines = Lines::new();
            let mut seen: Vec<Vec<u8>> = Vec::new();
            for part in [&bytes[..split], &bytes[split..]] {
                put(&mut lines, part);
                while seen.len() < 2 {
                    let Some(line) = lines.line().unwrap() else { break };
                    seen.push(line.to_vec());
                }
            }
            let mut raw = [0; 3];
            assert_eq!(lines.take_into(&mut raw), 3);
            seen.push(raw.to_vec());
            seen.push(lines.line().unwrap().unwrap().to_vec());
            assert_eq!(seen, [&b"first"[..], b"second", b"RAW", b"third"], "split at {split}");
        }
    }

    #[test]
    fn the_longest_line_is_taken_and_one_byte_more_is_an_error() {
        let mut lines = Lines::new();
        let mut longest = vec![b'x'; LINE_BYTES_MAX - 1];
        longest.push(b'\n');
        put(&mut lines, &longest);
        assert_eq!(lines.line().unwrap().unwrap().len(), LINE_BYTES_MAX - 1);
        put(&mut lines, &vec![b'x'; LINE_BYTES_MAX - 1]);
        assert_eq!(lines.line(), Ok(None));
        put(&mut lines, b"x");
        assert_eq!(lines.line(), Err(WireError::LineTooLong));
    }
}
