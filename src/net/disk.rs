//! The thread that writes what was received. One, since two would only wait for the same file's lock; and its own, so
//! that a slow disk holds up no link but by the pool, which lends nothing while its buffers wait here.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::content::{Store, StoreError};
use super::jobs::Done;
use super::pool::{BUFFERS_MAX, Buffer};
use crate::content::{Block, FileIndex, PieceIndex};
use crate::ids::ShareId;

/// What the thread does, in the order of the queue.
#[derive(Debug)]
pub(crate) enum Job {
    /// Write `bytes`; their room in the pool is free again once that is done.
    Write { share: ShareId, store: Arc<Store>, block: Block, bytes: Buffer },
    /// Count pieces that are verified and written. One such job a share at a time.
    Count { share: ShareId, store: Arc<Store>, pieces: Vec<PieceIndex> },
}

/// What became of a job.
#[derive(Debug)]
pub(crate) enum Ended {
    Wrote {
        share: ShareId,
        block: Block,
        /// Whether the share should be committed now.
        outcome: Result<bool, StoreError>,
    },
    /// The files to be moved into place now.
    Counted { share: ShareId, whole: Vec<FileIndex> },
}

/// The driver's end of the thread, which begins with the first job.
#[derive(Debug)]
pub(crate) struct Disk {
    jobs: Option<SyncSender<Job>>,
    ended: mpsc::Sender<Ended>,
}

impl Disk {
    /// For so many shares; every job is told of where the receiver leads to.
    pub(crate) fn new(shares: usize) -> (Disk, mpsc::Receiver<Ended>) {
        let (ended, told) = mpsc::channel(jobs_max(shares));
        (Disk { jobs: None, ended }, told)
    }

    /// Queues a job. A panic in it is that of the thread's task among `tasks`.
    pub(crate) fn begin(&mut self, job: Job, tasks: &mut JoinSet<Done>) {
        let ended = &self.ended;
        let jobs = self.jobs.get_or_insert_with(|| {
            let (jobs, queue) = sync_channel(ended.max_capacity());
            let ended = ended.clone();
            tasks.spawn_blocking(move || work(&queue, &ended));
            jobs
        });
        // Never full, and closed only after a panic of the thread, which the driver is about to hear of.
        let _ = jobs.try_send(job);
    }

    /// Lets the thread end.
    pub(crate) fn close(&mut self) {
        self.jobs = None;
    }
}

/// The most jobs there can be: each holds a buffer, or is the one of its share that counts.
fn jobs_max(shares: usize) -> usize {
    BUFFERS_MAX + shares
}

fn work(queue: &Receiver<Job>, told: &mpsc::Sender<Ended>) -> Done {
    while let Ok(job) = queue.recv() {
        let ended = match job {
            Job::Write { share, store, block, bytes } => {
                let outcome = store.write(block, &bytes);
                Ended::Wrote { share, block, outcome }
            }
            Job::Count { share, store, pieces } => {
                let whole = pieces.into_iter().flat_map(|piece| store.count(piece)).collect();
                Ended::Counted { share, whole }
            }
        };
        if told.blocking_send(ended).is_err() {
            break; // the run is over
        }
    }
    Done::Task
}
