//! How far a share is, counted as it changes: a person looks several times a second, and a share may have 2^21 pieces.
//!
//! Knows numbers, no pieces.

/// Bytes done, and how many copies there are of each piece. Invariant: `by_copies[n]` pieces are held by `n` of those we see,
/// ourselves included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes held of what is wanted.
    pub done_bytes: u64,
    /// Bytes wanted.
    pub total_bytes: u64,
    by_copies: Vec<u32>,
}

impl Progress {
    /// Nothing wanted, and no copy of any piece.
    pub fn new(piece_count: u32) -> Progress {
        Progress { done_bytes: 0, total_bytes: 0, by_copies: vec![piece_count] }
    }

    /// A piece that had `copies` has one more.
    pub fn one_more(&mut self, copies: usize) {
        if self.by_copies.len() == copies + 1 {
            self.by_copies.push(0);
        }
        self.by_copies[copies] -= 1;
        self.by_copies[copies + 1] += 1;
    }

    /// A piece that had `copies` has one less.
    pub fn one_less(&mut self, copies: usize) {
        self.by_copies[copies] -= 1;
        self.by_copies[copies - 1] += 1;
    }

    /// Copies of the rarest piece in hundredths, and the percentage of pieces that have more.
    pub fn copies_percent(&self) -> u64 {
        let pieces: u64 = self.by_copies.iter().map(|count| u64::from(*count)).sum();
        let rarest = self.by_copies.iter().position(|count| *count > 0);
        let more = |copies: usize| (pieces - u64::from(self.by_copies[copies])) * 100 / pieces;
        rarest.map_or(0, |copies| copies as u64 * 100 + more(copies))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_those_of_the_rarest_piece_and_the_part_that_has_more() {
        let mut progress = Progress::new(4);
        assert_eq!(progress.copies_percent(), 0);
        (0..4).for_each(|_| progress.one_more(0));
        assert_eq!(progress.copies_percent(), 100);
        progress.one_more(1);
        assert_eq!(progress.copies_percent(), 125);
        progress.one_less(1);
        assert_eq!(progress.copies_percent(), 75);
    }

    #[test]
    fn a_share_without_pieces_has_no_copies() {
        assert_eq!(Progress::new(0).copies_percent(), 0);
    }
}
