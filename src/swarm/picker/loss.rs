//! Pieces that are not there any more, held or half done.

use crate::content::PieceIndex;

use super::{Picker, Want};

impl Picker {
    /// The content beneath `piece` changed: it is neither held nor fetched again.
    pub fn forget(&mut self, piece: PieceIndex) -> bool {
        let was_held = self.held.contains(piece);
        if was_held {
            self.progress.one_less(self.copies(piece));
            if self.wanted.contains(piece) {
                self.progress.done_bytes -= u64::from(self.metainfo.geometry().length(piece));
            }
            self.held.remove(piece);
            self.wants[piece.index()] = Want::Unwanted;
        }
        was_held
    }

    /// What there was of `piece` is not there any more: where it is wanted, it is fetched again, once what is being written of
    /// it is. Whether it was held.
    pub fn want_again(&mut self, piece: PieceIndex) -> bool {
        if let Some(assembly) = self.begun.get_mut(&piece) {
            assembly.spoil();
            self.free.remove(&piece);
            if assembly.is_spoilt() {
                self.reopen(piece);
            }
        } else if self.doubtful.contains_key(&piece) {
            self.reopen(piece);
        }
        let was_held = self.forget(piece);
        if was_held && self.wanted.contains(piece) {
            self.lacking.insert(piece);
            self.wants[piece.index()] = Want::Missing;
            self.rarity.open(piece);
        }
        was_held
    }
}
