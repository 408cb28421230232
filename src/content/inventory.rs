//! Which pieces somebody holds: a set over the pieces of one share.

use fixedbitset::FixedBitSet;

use super::geometry::PieceIndex;

/// Bits of a machine word, as `fixedbitset` packs them.
const WORD_BITS: usize = usize::BITS as usize;

/// A set of pieces of one share. All sets that meet must be of the same share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceSet {
    bits: FixedBitSet,
    count: u32,
}

impl PieceSet {
    /// No piece of a share of `piece_count`.
    pub fn empty(piece_count: u32) -> PieceSet {
        PieceSet { bits: FixedBitSet::with_capacity(piece_count as usize), count: 0 }
    }

    /// Every piece of a share of `piece_count`.
    pub fn full(piece_count: u32) -> PieceSet {
        let mut bits = FixedBitSet::with_capacity(piece_count as usize);
        bits.insert_range(..);
        PieceSet { bits, count: piece_count }
    }

    /// Pieces in the share, not in the set.
    pub fn piece_count(&self) -> u32 {
        number(self.bits.len())
    }

    /// Pieces in the set.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether it is the whole share.
    pub fn is_full(&self) -> bool {
        self.count == self.piece_count()
    }

    /// Whether no piece is in it.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether `piece` is in it.
    pub fn contains(&self, piece: PieceIndex) -> bool {
        self.bits.contains(piece.index())
    }

    /// Adds `piece`; false if it was there.
    pub fn insert(&mut self, piece: PieceIndex) -> bool {
        let new = !self.bits.put(piece.index());
        self.count += u32::from(new);
        new
    }

    /// Adds every piece from `first` to `last`, a machine word at a time.
    pub fn insert_run(&mut self, first: PieceIndex, last: PieceIndex) {
        let run = first.index()..last.index() + 1;
        self.count += number(run.len() - self.bits.count_ones(run.clone()));
        self.bits.insert_range(run);
    }

    /// The pieces from `first` to `last` that are not in it, in order, a machine word at a time.
    pub fn absent(&self, first: PieceIndex, last: PieceIndex) -> impl Iterator<Item = PieceIndex> + '_ {
        let next = move |from| self.next_bit(from, false).filter(|bit| *bit <= last.index());
        std::iter::successors(next(first.index()), move |bit| next(bit + 1)).map(piece)
    }

    /// Takes `piece` out; false if it was not there.
    pub fn remove(&mut self, piece: PieceIndex) -> bool {
        let there = self.contains(piece);
        if there {
            self.bits.remove(piece.index());
            self.count -= 1;
        }
        there
    }

    /// Its pieces, in order.
    pub fn iter(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.bits.ones().map(|bit| PieceIndex(number(bit)))
    }

    /// The pieces that are in it and not in `other`, in order, a machine word at a time.
    pub fn minus<'a>(&'a self, other: &'a PieceSet) -> impl Iterator<Item = PieceIndex> + 'a {
        debug_assert_eq!(self.bits.len(), other.bits.len(), "sets of one share");
        let words = self.bits.as_slice().iter().zip(other.bits.as_slice()).map(|(own, other)| own & !other);
        pieces_of(words)
    }

    /// The pieces that are in both, in order, a machine word at a time.
    pub fn both<'a>(&'a self, other: &'a PieceSet) -> impl Iterator<Item = PieceIndex> + 'a {
        debug_assert_eq!(self.bits.len(), other.bits.len(), "sets of one share");
        let words = self.bits.as_slice().iter().zip(other.bits.as_slice()).map(|(own, other)| own & other);
        pieces_of(words)
    }

    /// A piece that is in both: the first from `start` on, or from the beginning where there is none, a machine word at a
    /// time.
    pub fn common(&self, other: &PieceSet, start: Option<PieceIndex>) -> Option<PieceIndex> {
        debug_assert_eq!(self.bits.len(), other.bits.len(), "sets of one share");
        let (words, others) = (self.bits.as_slice(), other.bits.as_slice());
        let first = start.map_or(0, PieceIndex::index);
        let both = |at: usize| (at, words[at] & others[at]);
        let from_first = |(at, word)| {
            if at == first / WORD_BITS { (at, word & usize::MAX << (first % WORD_BITS)) } else { (at, word) }
        };
        let later = (first / WORD_BITS..words.len()).map(both).map(from_first);
        let (at, word) = later.chain((0..words.len()).map(both)).find(|(_, word)| *word != 0)?;
        Some(piece(at * WORD_BITS + word.trailing_zeros() as usize))
    }

    /// Whether every piece of it is in `other`.
    pub fn is_subset(&self, other: &PieceSet) -> bool {
        self.count <= other.count && self.bits.is_subset(&other.bits)
    }

    /// As inclusive `[first, last]` runs, in order, as ESTOQUE writes them.
    pub fn runs(&self) -> Vec<[u32; 2]> {
        let mut runs = Vec::new();
        let mut from = 0;
        while let Some(first) = self.next_bit(from, true) {
            from = self.next_bit(first, false).unwrap_or(self.bits.len());
            runs.push([number(first), number(from - 1)]);
        }
        runs
    }

    /// The first bit at or after `from` that is `wanted`, a machine word at a time.
    fn next_bit(&self, from: usize, wanted: bool) -> Option<usize> {
        let mut ignored = usize::MAX << (from % WORD_BITS);
        for (at, word) in self.bits.as_slice().iter().enumerate().skip(from / WORD_BITS) {
            let matching = (if wanted { *word } else { !*word }) & ignored;
            if matching != 0 {
                let bit = at * WORD_BITS + matching.trailing_zeros() as usize;
                return Some(bit).filter(|bit| *bit < self.bits.len());
            }
            ignored = usize::MAX;
        }
        None
    }
}

/// The pieces whose bits are set in a set's words.
fn pieces_of(words: impl Iterator<Item = usize>) -> impl Iterator<Item = PieceIndex> {
    words.enumerate().flat_map(|(at, word)| ones(word).map(move |bit| piece(at * WORD_BITS + bit)))
}

fn ones(mut word: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        word &= word.wrapping_sub(1);
        (bit < WORD_BITS).then_some(bit)
    })
}

fn piece(bit: usize) -> PieceIndex {
    PieceIndex(number(bit))
}

fn number(bit: usize) -> u32 {
    u32::try_from(bit).expect("a set is made for a u32 of pieces")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_two_sets_have_in_common_is_found_from_anywhere() {
        let set = |pieces: &[u32]| set(200, &pieces.iter().copied().collect());
        let (one, other) = (set(&[3, 70, 71, 130]), set(&[4, 70, 130]));
        let from = |start: Option<u32>| one.common(&other, start.map(PieceIndex)).map(|piece| piece.0);
        assert_eq!([None, Some(70), Some(71), Some(131)].map(from), [70, 70, 130, 70].map(Some));
        assert_eq!(one.common(&set(&[4, 199]), None), None);
    }

    fn set(piece_count: u32, members: &BTreeSet<u32>) -> PieceSet {
        let mut set = PieceSet::empty(piece_count);
        members.iter().for_each(|piece| assert!(set.insert(PieceIndex(*piece))));
        set
    }

    fn numbers(pieces: impl Iterator<Item = PieceIndex>) -> Vec<u32> {
        pieces.map(PieceIndex::get).collect()
    }

    #[test]
    fn the_full_set_is_one_run_at_every_border_of_a_word() {
        for count in [1, 63, 64, 65, 127, 128, 129, 1 << 21] {
            let full = PieceSet::full(count);
            assert_eq!((full.count(), full.piece_count(), full.is_full()), (count, count, true));
            assert_eq!(full.runs(), [[0, count - 1]]);
            assert_eq!(full.minus(&PieceSet::empty(count)).count(), count as usize);
        }
    }

    #[test]
    fn a_share_of_no_pieces_is_full_and_empty() {
        let none = PieceSet::full(0);
        assert!(none.is_full() && none.is_empty() && none.runs().is_empty());
        assert_eq!(none, PieceSet::empty(0));
    }

    #[test]
    fn a_piece_counts_once_however_often_it_comes() {
        let mut set = PieceSet::empty(10);
        let piece = PieceIndex(3);
        assert!(set.insert(piece) && !set.insert(piece) && set.contains(piece));
        assert_eq!(set.count(), 1);
        assert!(set.remove(piece) && !set.remove(piece) && !set.contains(piece));
        assert!(set.is_empty());
    }

    proptest! {
        #[test]
        fn it_is_the_set_that_the_standard_library_would_hold(
            own in prop::collection::btree_set(0u32..200, 0..150),
            other in prop::collection::btree_set(0u32..200, 0..150),
        ) {
            let (ours, theirs) = (set(200, &own), set(200, &other));
            prop_assert_eq!(ours.count() as usize, own.len());
            prop_assert_eq!(numbers(ours.iter()), own.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(numbers(ours.minus(&theirs)), own.difference(&other).copied().collect::<Vec<_>>());
            prop_assert_eq!(numbers(ours.both(&theirs)), own.intersection(&other).copied().collect::<Vec<_>>());
            prop_assert_eq!(ours.is_subset(&theirs), own.is_subset(&other));
        }

        #[test]
        fn a_run_is_the_same_as_its_pieces_one_by_one(
            own in prop::collection::btree_set(0u32..200, 0..150), first in 0u32..200, length in 0u32..200,
        ) {
            let last = (first + length).min(199);
            let (first, last) = (PieceIndex(first), PieceIndex(last));
            let (mut runs, mut singly) = (set(200, &own), set(200, &own));
            let absent: Vec<PieceIndex> = runs.absent(first, last).collect();
            runs.insert_run(first, last);
            let added = (first.0..=last.0).map(PieceIndex).filter(|piece| singly.insert(*piece));
            prop_assert_eq!(absent, added.collect::<Vec<_>>());
            prop_assert_eq!(runs, singly);
        }

        #[test]
        fn its_runs_are_maximal_and_give_it_back(members in prop::collection::btree_set(0u32..200, 0..200)) {
            let runs = set(200, &members).runs();
            prop_assert!(runs.windows(2).all(|pair| pair[0][1] + 1 < pair[1][0]));
            let again: BTreeSet<u32> = runs.into_iter().flat_map(|[first, last]| first..=last).collect();
            prop_assert_eq!(again, members);
        }
    }
}
