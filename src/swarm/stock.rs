//! What a peer says it holds: free runs until the metainfo is known, a checked set afterwards.

use fixedbitset::FixedBitSet;

use crate::content::geometry::PIECES_MAX;
use crate::content::{Geometry, OutOfShare, PieceIndex, PieceSet};

/// Runs of pieces that no share, or not this one, can have. The peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadStock {
    /// Past the end of the share, or of any.
    #[error("a stock that reaches piece {0}, past the end of the share")]
    PastTheEnd(u64),
    /// Runs that overlap so much that they name more pieces than any share has.
    #[error("runs that name more than {PIECES_MAX} pieces")]
    TooMany,
    /// First after last.
    #[error("a run of pieces that ends before it begins")]
    Backwards,
}

/// What one peer holds.
#[derive(Clone, Debug)]
pub enum Stock {
    /// Said before the metainfo was known here; at most 2^21 bits.
    Claimed(FixedBitSet),
    /// Checked against the share.
    Known(PieceSet),
}

impl Default for Stock {
    fn default() -> Stock {
        Stock::Claimed(FixedBitSet::new())
    }
}

impl Stock {
    /// The checked set, once there is one.
    pub fn known(&self) -> Option<&PieceSet> {
        if let Stock::Known(set) = self { Some(set) } else { None }
    }

    /// Adds a checked piece; false if it was there.
    pub fn insert(&mut self, piece: PieceIndex) -> bool {
        if let Stock::Known(set) = self { set.insert(piece) } else { false }
    }

    /// Takes a checked piece out; false if it was not there.
    pub fn remove(&mut self, piece: PieceIndex) -> bool {
        if let Stock::Known(set) = self { set.remove(piece) } else { false }
    }

    /// Notes runs said before the metainfo is known.
    pub fn claim(&mut self, runs: &[[u64; 2]], replaces: bool) -> Result<(), BadStock> {
        let Stock::Claimed(bits) = self else { return Ok(()) };
        if replaces {
            bits.clear();
        }
        check_runs(runs)?;
        for [first, last] in runs {
            let (first, last) = (bounded(*first)?, bounded(*last)?);
            bits.grow(last + 1);
            bits.insert_range(first..last + 1);
        }
        Ok(())
    }

    /// Checks what was claimed against the share.
    pub fn settle(&mut self, geometry: &Geometry) -> Result<(), BadStock> {
        let Stock::Claimed(bits) = self else { return Ok(()) };
        let mut set = PieceSet::empty(geometry.piece_count());
        for index in bits.ones() {
            set.insert(piece(geometry, index as u64)?);
        }
        *self = Stock::Known(set);
        Ok(())
    }
}

/// The pieces that these lists of runs name together, each checked against the share.
pub fn pieces(geometry: &Geometry, lists: [&[[u64; 2]]; 2]) -> Result<PieceSet, BadStock> {
    let mut set = PieceSet::empty(geometry.piece_count());
    for runs in lists {
        check_runs(runs)?;
        for [first, last] in runs {
            set.insert_run(piece(geometry, *first)?, piece(geometry, *last)?);
        }
    }
    Ok(set)
}

/// The pieces of `runs` that are not in `known`, each checked against the share. Where runs overlap, some come twice.
pub fn news(geometry: &Geometry, runs: &[[u64; 2]], known: &PieceSet) -> Result<Vec<PieceIndex>, BadStock> {
    check_runs(runs)?;
    let mut news = Vec::new();
    for [first, last] in runs {
        news.extend(known.absent(piece(geometry, *first)?, piece(geometry, *last)?));
    }
    Ok(news)
}

/// Bounds what the runs of one message may name in all, before any of it is kept.
fn check_runs(runs: &[[u64; 2]]) -> Result<(), BadStock> {
    let mut named: u64 = 0;
    for [first, last] in runs {
        let length = last.checked_sub(*first).ok_or(BadStock::Backwards)?;
        bounded(*last)?;
        named += length + 1;
    }
    if named > u64::from(PIECES_MAX) { Err(BadStock::TooMany) } else { Ok(()) }
}

fn piece(geometry: &Geometry, index: u64) -> Result<PieceIndex, BadStock> {
    geometry.piece(index).map_err(|_: OutOfShare| BadStock::PastTheEnd(index))
}

fn bounded(index: u64) -> Result<usize, BadStock> {
    let fits = usize::try_from(index).ok().filter(|_| index < u64::from(PIECES_MAX));
    fits.ok_or(BadStock::PastTheEnd(index))
}
