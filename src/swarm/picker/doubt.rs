//! Pieces that are there and wrong: held back until somebody may tell their true leaves, and then judged as if they had come
//! from nobody.

use crate::content::{PieceIndex, merkle};
use crate::ids::Digest;

use super::assembly::Assembly;
use super::{Picker, Want};

/// So many pieces in doubt of which nothing is right, one after the other, and the rest are taken to be no better: to ask about
/// each would take longer than to fetch it.
const VAIN_MAX: u32 = 4;

impl Picker {
    /// Holds `piece` back, which is there and wrong: its true leaves may tell that only some of `leaves` are to be fetched.
    /// Passed over unless it is such a piece, of more than one leaf.
    pub fn doubt(&mut self, piece: PieceIndex, leaves: Vec<Digest>) {
        let geometry = self.metainfo.geometry();
        let is_wrong = leaves.len() > 1
            && leaves.len() == geometry.leaf_count(piece)
            && merkle::root(&leaves, geometry.padded_leaf_count(piece)) != self.metainfo.piece_hash(piece);
        if is_wrong && self.rarity.is_open(piece) {
            self.rarity.close(piece);
            self.wants[piece.index()] = Want::Doubtful;
            self.doubtful.insert(piece, leaves);
        }
    }

    /// The first of the pieces held back that somebody holds, if one more may be begun.
    pub fn next_doubt(&self, link_count: usize) -> Option<PieceIndex> {
        let mut held_there = self.doubtful.keys().copied().filter(|piece| self.holders(*piece) > 0);
        held_there.next().filter(|_| self.begun.len() < self.begun_max(link_count))
    }

    /// A piece held back is now taken for one that came whole and turned out wrong, given by nobody: see [`Picker::judge`].
    pub fn take_up_doubt(&mut self, piece: PieceIndex) {
        let Some(leaves) = self.doubtful.remove(&piece) else { return };
        self.wants[piece.index()] = Want::Begun;
        self.begun.insert(piece, Assembly::there(piece, self.metainfo.geometry().length(piece), &leaves));
    }

    /// The leaves of a piece in doubt were told, and were wrong throughout or not. Too many of those in a row, and all pieces
    /// that are held back still are fetched whole.
    pub(super) fn weigh_doubts(&mut self, is_vain: bool) {
        self.vain_doubts = if is_vain { self.vain_doubts + 1 } else { 0 };
        if self.vain_doubts >= VAIN_MAX {
            for piece in std::mem::take(&mut self.doubtful).into_keys() {
                self.wants[piece.index()] = Want::Missing;
                self.rarity.open(piece);
            }
        }
    }
}
