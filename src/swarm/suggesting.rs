//! What a seed suggests: to each peer what the fewest others have or were promised, so that each byte leaves it about once.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::chance::Chance;
use crate::content::{Geometry, PieceIndex, PieceSet};
use crate::time::Moment;

use super::picker::Rarity;

/// Suggestions that one peer has not taken up yet, at most.
const OPEN_MAX: usize = 64;
/// As many are open whatever the peer's rate. What is promised to a slow one comes out late, and nobody else is given it:
/// simulated with 50 peers at 50 Mbit/s and 256 MiB, eight end later by a tenth.
const OPEN_MIN: usize = 2;
/// Pieces that one peer was promised and has not announced; beyond, promises are not counted.
const PROMISED_MAX: usize = 4_096;
/// Open suggestions of which none is taken up for so long are replaced: the peer has its own plans.
const STUCK: Duration = Duration::from_secs(2);

/// How many peers have, or were promised, each piece; those that we hold are open. Invariant: a piece's count is that of its holders and
/// of the promises of it.
#[derive(Clone, Debug)]
pub struct Suggester {
    copies: Rarity,
}

/// How many suggestions to keep open with a peer that takes up `ahead` pieces while it hears of more.
pub fn open_count(ahead: u64) -> usize {
    usize::try_from(ahead).unwrap_or(OPEN_MAX).saturating_add(1).clamp(OPEN_MIN, OPEN_MAX)
}

/// What one peer was promised.
#[derive(Clone, Debug, Default)]
pub struct Promises {
    /// Suggested, and not asked for yet; a part of `given`.
    open: Vec<PieceIndex>,
    /// Suggested or asked for, and not announced yet.
    given: BTreeSet<PieceIndex>,
    /// Sent to the end; a part of `given`.
    sent: BTreeSet<PieceIndex>,
    /// When one was last made or taken up.
    moved: Moment,
}

impl Promises {
    /// What it was promised and has not announced.
    pub fn given(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.given.iter().copied()
    }

    /// The end of a piece was sent to it.
    pub fn sent(&mut self, piece: PieceIndex) {
        if self.given.contains(&piece) {
            self.sent.insert(piece);
        }
    }

    /// Whether it lets its suggestions lie.
    pub fn are_stuck(&self, now: Moment) -> bool {
        !self.open.is_empty() && now.since(self.moved) >= STUCK
    }
}

impl Suggester {
    /// Knows what is held and how many others hold each piece; nothing is promised yet.
    pub fn new(
        geometry: &Geometry,
        held: &PieceSet,
        holders: impl Fn(PieceIndex) -> u16,
        chance: &mut Chance,
    ) -> Suggester {
        let mut copies = Rarity::new(geometry.piece_count());
        for piece in geometry.pieces() {
            (0..holders(piece)).for_each(|_| copies.raise(piece));
        }
        let mut pieces: Vec<PieceIndex> = held.iter().collect();
        chance.shuffle(&mut pieces);
        pieces.into_iter().for_each(|piece| copies.open(piece));
        Suggester { copies }
    }

    /// Pieces to suggest to a peer that holds `stock`, until `open_max` are open. They count as promised.
    pub fn suggest(
        &mut self,
        stock: &PieceSet,
        promises: &mut Promises,
        open_max: usize,
        now: Moment,
        chance: &mut Chance,
    ) -> Vec<PieceIndex> {
        let mut new = Vec::new();
        while promises.open.len() < open_max && promises.given.len() < PROMISED_MAX {
            let fits = |piece| !stock.contains(piece) && !promises.given.contains(&piece);
            let Some(piece) = self.copies.first_that(fits, chance) else { break };
            self.promise(piece, promises);
            promises.open.push(piece);
            promises.moved = now;
            new.push(piece);
        }
        new
    }

    /// A peer asks for a piece that it does not hold: promised from now on, if it was not.
    pub fn taken(&mut self, piece: PieceIndex, promises: &mut Promises, now: Moment) {
        promises.open.retain(|open| *open != piece);
        promises.moved = now;
        if promises.given.len() < PROMISED_MAX {
            self.promise(piece, promises);
        }
    }

    fn promise(&mut self, piece: PieceIndex, promises: &mut Promises) {
        if promises.given.insert(piece) {
            self.copies.raise(piece);
        }
    }

    /// A peer holds a piece from now on: a promise of it is kept.
    pub fn gained(&mut self, piece: PieceIndex, promises: &mut Promises) {
        self.copies.raise(piece);
        self.end(piece, promises);
    }

    /// A peer that held this piece is gone, or has it no more.
    pub fn lost_holder(&mut self, piece: PieceIndex) {
        self.copies.lower(piece);
    }

    /// Takes back what was suggested and not taken up.
    pub fn take_back(&mut self, promises: &mut Promises) {
        for piece in std::mem::take(&mut promises.open) {
            self.end(piece, promises);
        }
    }

    /// A peer is no longer served: only what was sent to the end is still to be announced.
    pub fn choked(&mut self, promises: &mut Promises) {
        for piece in promises.given.difference(&promises.sent).copied().collect::<Vec<_>>() {
            self.end(piece, promises);
        }
    }

    /// A peer is gone, and every promise to it.
    pub fn left(&mut self, promises: &mut Promises) {
        promises.open.clear();
        promises.sent.clear();
        std::mem::take(&mut promises.given).into_iter().for_each(|piece| self.copies.lower(piece));
    }

    fn end(&mut self, piece: PieceIndex, promises: &mut Promises) {
        promises.open.retain(|open| *open != piece);
        promises.sent.remove(&piece);
        if promises.given.remove(&piece) {
            self.copies.lower(piece);
        }
    }

    /// A piece is no longer held.
    pub fn forget(&mut self, piece: PieceIndex) {
        self.copies.close(piece);
    }

    /// How many have it or were promised it; for checks.
    pub fn copies(&self, piece: PieceIndex) -> u16 {
        self.copies.count(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_choked_peer_was_promised_only_what_was_sent_to_the_end_is_still_counted() {
        let geometry = Geometry::new(1 << 15, &[5_000 << 15]).expect("a share");
        let mut chance = Chance::new(1);
        let held = PieceSet::full(geometry.piece_count());
        let mut suggester = Suggester::new(&geometry, &held, |_| 0, &mut chance);
        let mut promises = Promises::default();
        let pieces: Vec<PieceIndex> = geometry.pieces().collect();
        let (unpromised, promised) = pieces.split_at(pieces.len() - PROMISED_MAX);
        for piece in promised.iter().rev() {
            suggester.taken(*piece, &mut promises, Moment::START);
        }
        pieces.iter().step_by(2).for_each(|piece| promises.sent(*piece));
        suggester.choked(&mut promises);
        assert!(unpromised.iter().all(|piece| suggester.copies(*piece) == 0));
        for piece in promised {
            assert_eq!(suggester.copies(*piece), u16::from(piece.index().is_multiple_of(2)));
        }
        suggester.gained(promised[0], &mut promises);
        suggester.choked(&mut promises);
        assert_eq!(suggester.copies(promised[0]), 1, "it holds it now");
    }
}
