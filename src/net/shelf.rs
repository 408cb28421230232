//! The content of one share in a run, and the pieces that wait to be counted for it, one job at a time.

use std::sync::Arc;

use super::content::Store;
use super::jobs::Prepared;
use crate::content::PieceIndex;

/// One share's store.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) store: Arc<Store>,
    /// Whether it is written to at all.
    pub(crate) is_download: bool,
    /// Whether every wanted file stands in its place.
    pub(crate) is_finished: bool,
    /// Whether pieces are being counted, or what they made whole is being moved.
    pub(crate) is_keeping: bool,
    /// At most the pieces of the share.
    verified: Vec<PieceIndex>,
}

impl Shelf {
    /// Content that is seeded from where it lies.
    pub(crate) fn seeded(store: Arc<Store>) -> Shelf {
        Shelf { store, is_download: false, is_finished: true, is_keeping: false, verified: Vec::new() }
    }

    /// A download.
    pub(crate) fn prepared(prepared: &Prepared) -> Shelf {
        let (store, is_finished) = (prepared.store.clone(), prepared.is_finished);
        Shelf { store, is_download: true, is_finished, is_keeping: false, verified: Vec::new() }
    }

    /// Puts `piece` in the queue.
    pub(crate) fn keep(&mut self, piece: PieceIndex) {
        self.verified.push(piece);
    }

    /// The pieces for the next job, unless one is under way or none wait.
    pub(crate) fn next_job(&mut self) -> Option<Vec<PieceIndex>> {
        if self.is_keeping || self.verified.is_empty() {
            return None;
        }
        self.is_keeping = true;
        Some(std::mem::take(&mut self.verified))
    }
}
