//! Pieces that lost something and are not whole again: what was written of them before the loss counts for nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::content::{Block, Geometry, PieceIndex, PieceSet};

/// How many losses there were when a write began: one that a loss overtook may have gone with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Losses(u64);

/// The pieces that are gone, until every leaf of them was written since.
#[derive(Debug)]
pub(super) struct Renewal {
    gone: PieceSet,
    /// The leaves written since, of those pieces of which there are some: no more than are being fetched at a time.
    leaves: BTreeMap<PieceIndex, BTreeSet<usize>>,
    losses: Losses,
}

impl Renewal {
    /// Nothing is gone.
    pub(super) fn new(geometry: &Geometry) -> Renewal {
        let gone = PieceSet::empty(geometry.piece_count());
        Renewal { gone, leaves: BTreeMap::new(), losses: Losses(0) }
    }

    /// What was written of these until now lies nowhere any more.
    pub(super) fn lose(&mut self, pieces: &[PieceIndex]) {
        self.losses.0 += 1;
        for piece in pieces {
            self.gone.insert(*piece);
            self.leaves.remove(piece);
        }
    }

    /// The losses so far; to be asked before a write begins.
    pub(super) fn losses(&self) -> Losses {
        self.losses
    }

    /// `block` was written by a write that began after so many `losses`.
    pub(super) fn wrote(&mut self, geometry: &Geometry, block: Block, losses: Losses) {
        if losses != self.losses || !self.gone.contains(block.piece) {
            return;
        }
        let leaves = self.leaves.entry(block.piece).or_default();
        leaves.extend(block.leaves());
        if leaves.len() == geometry.leaf_count(block.piece) {
            self.gone.remove(block.piece);
            self.leaves.remove(&block.piece);
        }
    }

    /// Whether some of `piece` is gone and was not written since.
    pub(super) fn is_gone(&self, piece: PieceIndex) -> bool {
        self.gone.contains(piece)
    }
}
