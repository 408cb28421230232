//! The content of one share in a run, and the pieces that wait to be counted for it, one job at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::content::Store;
use super::jobs::Prepared;
use crate::content::PieceIndex;

/// How long what was kept waits to be committed: with the time that takes, no more than a second is fetched again after a
/// crash.
const COMMIT_AFTER: Duration = Duration::from_millis(500);
/// Pauses before a disk that refused is tried again.
const TRY_AFTER_MIN: Duration = Duration::from_secs(1);
const TRY_AFTER_MAX: Duration = Duration::from_secs(15);

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
    /// When what was kept is to be committed; none while nothing was, or that is under way.
    commit_at: Option<Instant>,
    is_committing: bool,
    pub(crate) trouble: Option<Trouble>,
}

/// A disk that refuses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    /// When to see whether it takes something again; none while that is being seen.
    try_at: Option<Instant>,
    pause: Duration,
}

impl Shelf {
    /// Content that is seeded from where it lies.
    pub(crate) fn seeded(store: Arc<Store>) -> Shelf {
        Shelf { is_finished: true, ..Shelf::new(store) }
    }

    /// A download.
    pub(crate) fn prepared(prepared: &Prepared) -> Shelf {
        let is_finished = prepared.is_finished;
        Shelf { is_download: true, is_finished, ..Shelf::new(prepared.store.clone()) }
    }

    fn new(store: Arc<Store>) -> Shelf {
        Shelf {
            store,
            is_download: false,
            is_finished: false,
            is_keeping: false,
            verified: Vec::new(),
            commit_at: None,
            is_committing: false,
            trouble: None,
        }
    }

    /// Puts `piece` in the queue.
    pub(crate) fn keep(&mut self, piece: PieceIndex) {
        self.verified.push(piece);
    }

    /// Pieces that are not on the disk any more need not be counted: they are fetched again.
    pub(crate) fn forget(&mut self, lost: &[PieceIndex]) {
        let lost: BTreeSet<PieceIndex> = lost.iter().copied().collect();
        self.verified.retain(|piece| !lost.contains(piece));
    }

    /// The pieces for the next job, unless one is under way or none wait.
    pub(crate) fn next_job(&mut self) -> Option<Vec<PieceIndex>> {
        if self.is_keeping || self.verified.is_empty() {
            return None;
        }
        self.is_keeping = true;
        Some(std::mem::take(&mut self.verified))
    }

    /// Whether what was kept is to be committed now; called often.
    pub(crate) fn begins_commit(&mut self, now: Instant) -> bool {
        if !(self.can_commit() && self.store.is_commit_due()) {
            return false;
        }
        let is_due = *self.commit_at.get_or_insert(now + COMMIT_AFTER) <= now;
        is_due && self.begins_commit_at_once()
    }

    /// Whether what was written can be committed before its time. Not while a disk refuses.
    pub(crate) fn begins_commit_at_once(&mut self) -> bool {
        let begins = self.can_commit();
        if begins {
            (self.commit_at, self.is_committing) = (None, true);
        }
        begins
    }

    fn can_commit(&self) -> bool {
        !self.is_committing && self.trouble.is_none()
    }

    /// A commit ended.
    pub(crate) fn ended_commit(&mut self) {
        self.is_committing = false;
    }

    /// The disk refused something. Whether that is news.
    pub(crate) fn refused(&mut self, now: Instant) -> bool {
        let is_news = self.trouble.is_none();
        self.trouble.get_or_insert(Trouble { try_at: Some(now + TRY_AFTER_MIN), pause: TRY_AFTER_MIN });
        is_news
    }

    /// Whether to see now if the disk takes something again, and to move what could not be moved; called often. Not while
    /// something is being moved: what that leaves behind would be forgotten.
    pub(crate) fn begins_probe(&mut self, now: Instant) -> bool {
        if self.is_keeping {
            return false;
        }
        let due = self.trouble.as_mut().and_then(|trouble| trouble.try_at.take_if(|at| *at <= now));
        self.is_keeping = due.is_some();
        due.is_some()
    }

    /// The disk still refuses: it is tried again after a pause that grows.
    pub(crate) fn refuses_still(&mut self, now: Instant) {
        if let Some(trouble) = &mut self.trouble {
            trouble.pause = (trouble.pause * 2).min(TRY_AFTER_MAX);
            trouble.try_at = Some(now + trouble.pause);
        }
    }
}
