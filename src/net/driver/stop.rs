//! How a run ends: goodbyes, what the disk still has to do, and no task left.

use std::panic::resume_unwind;
use std::time::Duration;

use tokio::task::{JoinError, spawn_blocking};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Driver, RunError};
use crate::net::content::StoreError;
use crate::net::shelf::Shelf;
use crate::seam::Event;

/// From the stop until nobody is waited for any more: the goodbyes, which take a second at most, and the disk.
const FAREWELLS_MAX: Duration = Duration::from_millis(1500);
/// From the stop until the end, whatever the disk does.
const STOP_MAX: Duration = Duration::from_millis(1900);

impl Driver {
    pub(super) fn is_stopping(&self) -> bool {
        self.stopped.is_some()
    }

    /// Closes the door and lets the core say goodbye to everyone.
    pub(super) fn begin_stop(&mut self) {
        self.stopped = Some(Instant::now());
        self.stopping.cancel();
        if let Some(door) = self.door.take() {
            door.abort();
        }
        self.tell(Event::Stopping);
    }

    /// Whether the run was stopped and nothing is left to wait for.
    pub(super) fn is_over(&self) -> bool {
        self.is_stopping() && self.links.is_empty() && self.disk_jobs == 0
    }

    /// Waits until the time for goodbyes is over; for ever while nobody stopped the run.
    pub(super) fn time_is_up(&self) -> impl Future<Output = ()> + use<> {
        let by = self.stopped.map(|stopped| stopped + FAREWELLS_MAX);
        async move {
            match by {
                Some(by) => sleep_until(by).await,
                None => std::future::pending().await,
            }
        }
    }

    /// The value; or nothing: of a check that the stop ended, or of a share whose disk failed, when the run stops and
    /// ends with that.
    pub(super) fn unless_failed<T>(&mut self, outcome: Result<T, StoreError>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(StoreError::Stopped(_)) => None,
            Err(error) => {
                self.failure.get_or_insert(error.into());
                if !self.is_stopping() {
                    self.begin_stop();
                }
                None
            }
        }
    }

    /// Ends every task, and moves into place what is complete.
    pub(super) async fn finish(mut self) -> Result<(), RunError> {
        let by = self.stopped.unwrap_or_else(Instant::now) + STOP_MAX;
        self.tools.cut.cancel();
        self.work.abort_all();
        self.disk.close();
        let ends = async { while self.work.join_next().await.is_some() {} };
        if timeout_at(by, ends).await.is_err() {
            self.work.detach_all(); // a disk that does not answer: the thread in it ends when it does
        }
        self.publish();
        if self.disk_jobs == 0 {
            let _ = timeout_at(by, self.put_away()).await; // what is not moved in time is verified again next time
        }
        self.failure.map_or(Ok(()), Err)
    }

    /// Moves into place what still waits for its group, closes the journals, and gives the stores up, which unlocks their
    /// folders. Where a disk refuses, the next run verifies what there is.
    async fn put_away(&mut self) {
        let shelves: Vec<Shelf> = self.shelves.drain().map(|(_, shelf)| shelf).collect();
        let downloads = |shelf: &Shelf| shelf.is_download;
        let put_away = |shelf: Shelf| {
            let moved = match shelf.store.flush() {
                Err(StoreError::Spoiled(_)) => Ok(()), // the next run fetches it
                outcome => outcome,
            };
            match moved.and_then(|()| shelf.store.close()) {
                Err(error) if error.is_passing() && shelf.trouble.is_some() => Ok(()),
                outcome => outcome,
            }
        };
        let work = move || shelves.into_iter().filter(downloads).try_for_each(put_away);
        match spawn_blocking(work).await.map_err(JoinError::try_into_panic) {
            Ok(Err(error)) => _ = self.failure.get_or_insert(error.into()),
            Err(Ok(panic)) => resume_unwind(panic),
            Ok(Ok(())) | Err(Err(_)) => {}
        }
    }
}
