//! Keeps what was written lasting, and waits out a disk that refuses: nothing is lost, and the share goes on by itself.

use tokio::time::Instant;

use super::Driver;
use crate::ids::ShareId;
use crate::net::content::StoreError;
use crate::net::jobs;
use crate::seam::{Event, News};

impl Driver {
    /// Begins what is due: commits, and looks whether a disk takes something again. Called a few times a second.
    pub(super) fn look_after_disks(&mut self) {
        if self.is_stopping() {
            return;
        }
        let now = Instant::now();
        for (share, shelf) in self.shelves.iter_mut().filter(|(_, shelf)| shelf.is_download) {
            if shelf.begins_commit(now) {
                self.disk_jobs += 1;
                self.work.spawn(jobs::commit(shelf.store.clone(), *share));
            }
            if shelf.begins_probe(now) {
                self.disk_jobs += 1;
                self.work.spawn(jobs::probe(shelf.store.clone(), *share, self.stopping.clone()));
            }
        }
    }

    /// Begins a commit, whatever the time, unless one is under way.
    pub(super) fn commit_at_once(&mut self, share: ShareId) {
        if !self.is_stopping() && self.shelf(share).begins_commit_at_once() {
            let commit = jobs::commit(self.shelf(share).store.clone(), share);
            self.disk_jobs += 1;
            self.work.spawn(commit);
        }
    }

    /// The value; or nothing, of a disk that refused: then the share waits until it takes something again. What waiting
    /// cannot mend ends the run.
    pub(super) fn unless_refused<T>(&mut self, share: ShareId, outcome: Result<T, StoreError>) -> Option<T> {
        let store = self.shelf(share).store.clone();
        let error = match outcome {
            Err(error) if error.is_passing() => error,
            other => return self.unless_failed(other),
        };
        if self.shelf(share).refused(Instant::now()) && !self.is_stopping() {
            let why = store.explained(error);
            let text = format!("{why}; the download waits, and goes on by itself once it can");
            let _ = self.desk.news.try_send(News::Trouble { share: Some(share), text });
            self.echoes.push_back(Event::Halted { share });
        }
        self.fetch_lost_again(share);
        None
    }

    /// The outcome, once it is told what of an earlier run turned out to be wrong.
    pub(super) fn unless_spoiled(
        &mut self,
        share: ShareId,
        outcome: Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        let Err(StoreError::Spoiled(fault)) = outcome else { return outcome };
        let _ = self.desk.news.try_send(News::Trouble { share: Some(share), text: fault.to_string() });
        self.fetch_lost_again(share);
        Ok(self.shelf(share).store.is_finished())
    }

    fn fetch_lost_again(&mut self, share: ShareId) {
        let shelf = self.shelf(share);
        let pieces = shelf.store.take_lost();
        if !pieces.is_empty() {
            shelf.forget(&pieces);
            self.echoes.push_back(Event::Spoiled { share, pieces });
        }
        self.settle();
    }

    /// A disk that refused was tried again, with what could not be moved before.
    pub(super) fn probed(&mut self, share: ShareId, outcome: Result<bool, StoreError>) {
        let outcome = self.unless_spoiled(share, outcome);
        let Some(is_finished) = self.unless_refused(share, outcome) else {
            let shelf = self.shelf(share);
            shelf.is_keeping = false;
            return shelf.refuses_still(Instant::now());
        };
        self.shelf(share).trouble = None;
        let text = "the disk takes what it is given again: the download goes on".to_owned();
        let _ = self.desk.news.try_send(News::Trouble { share: Some(share), text });
        self.settled(share, Ok(is_finished));
        self.tell(Event::Resumed { share });
    }
}
