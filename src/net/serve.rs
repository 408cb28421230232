//! Reads what is to be sent: in place what is in memory, the rest off the async threads and only so much at once. Tells
//! when content is no longer what it was.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};

use super::content::{Loss, ReadFault, Store};
use super::link::Report;
use super::offload::offload;
use super::pool::{Buffer, Pool};
use crate::content::{Block, FileIndex, LEAF_BYTES, PieceIndex, merkle};
use crate::ids::{Digest, ShareId};
use crate::seam::{Event, News};

/// Reads under way at once; more would only wait for the same disk.
const READS_MAX: usize = 8;

/// Bytes that are read at once, of a block or to be hashed: what a writer of blocks holds for as long as its peer takes to take
/// them.
pub(crate) const PART_BYTES_MAX: u32 = 128 * 1024;

/// A fault that passes is told of again after so long at the earliest, whichever file it was.
const TELL_PASSING_AFTER: Duration = Duration::from_secs(60);

/// Where every writer gets its bytes.
#[derive(Debug)]
pub(crate) struct Larder {
    pool: Pool,
    inbox: mpsc::Sender<Report>,
    news: mpsc::Sender<News>,
    reads: Semaphore,
    /// Files whose fault was told of: at most one entry for each file of the shares.
    told: Mutex<BTreeSet<(ShareId, FileIndex)>>,
    /// When a fault was told of last that passes.
    told_passing: Mutex<Option<Instant>>,
}

impl Larder {
    pub(crate) fn new(pool: Pool, inbox: mpsc::Sender<Report>, news: mpsc::Sender<News>) -> Larder {
        Larder {
            pool,
            inbox,
            news,
            reads: Semaphore::new(READS_MAX),
            told: Mutex::default(),
            told_passing: Mutex::default(),
        }
    }

    /// The parts of `block`, in order, to be read one by one.
    pub(crate) fn parts(block: Block) -> impl Iterator<Item = Block> {
        (0..block.length).step_by(PART_BYTES_MAX as usize).map(move |from| Block {
            start: block.start + from,
            length: PART_BYTES_MAX.min(block.length - from),
            ..block
        })
    }

    /// The bytes of a part of a block; none when they cannot be read.
    pub(crate) async fn part(&self, share: ShareId, store: &Arc<Store>, block: Block) -> Option<Buffer> {
        let mut bytes = self.pool.spare(block.length);
        if store.read_at_hand(block, &mut bytes) {
            return Some(bytes);
        }
        drop(bytes); // however many wait for the disk, they hold nothing
        let (from, pool) = (store.clone(), self.pool.clone());
        let read = move || {
            let mut bytes = pool.spare(block.length);
            from.read(block, &mut bytes).map(|()| bytes)
        };
        self.unless_fault(share, self.offload(read).await).await
    }

    /// The digest of each leaf of `piece`; empty when it cannot be read.
    pub(crate) async fn leaves(&self, share: ShareId, store: Arc<Store>, piece: PieceIndex) -> Vec<Digest> {
        let (from, pool) = (store.clone(), self.pool.clone());
        let read = self.offload(move || hash_piece(&from, piece, &mut pool.spare(PART_BYTES_MAX))).await;
        self.unless_fault(share, read).await.unwrap_or_default()
    }

    async fn offload<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _permit = self.reads.acquire().await.expect("never closed");
        offload(work).await
    }

    async fn unless_fault<T>(&self, share: ShareId, read: Result<T, Loss>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(loss) => {
                self.report(share, loss).await;
                None
            }
        }
    }

    fn is_news(&self, share: ShareId, fault: &ReadFault) -> bool {
        match fault {
            ReadFault::Changed { file, .. } | ReadFault::Rotten { file, .. } | ReadFault::Io { file, .. } => {
                self.told.lock().unwrap_or_else(PoisonError::into_inner).insert((share, *file))
            }
            ReadFault::Passing { .. } => {
                let mut told = self.told_passing.lock().unwrap_or_else(PoisonError::into_inner);
                let is_due = told.is_none_or(|at| at.elapsed() >= TELL_PASSING_AFTER);
                if is_due {
                    *told = Some(Instant::now());
                }
                is_due
            }
        }
    }

    /// The person is told once of a file, the core each time, since a download may have fetched it again in between.
    async fn report(&self, share: ShareId, loss: Loss) {
        let Loss { fault, pieces, again } = loss;
        if self.is_news(share, &fault) {
            let _ = self.news.try_send(News::Trouble { share: Some(share), text: fault.to_string() });
        }
        if pieces.is_empty() {
            return;
        }
        let event = if again { Event::Spoiled { share, pieces } } else { Event::Lost { share, pieces } };
        let _ = self.inbox.send(event.into()).await; // fails only when the run is over
    }
}

/// Reads a piece by parts and hashes its leaves.
fn hash_piece(store: &Store, piece: PieceIndex, bytes: &mut [u8]) -> Result<Vec<Digest>, Loss> {
    let piece_bytes = store.metainfo().geometry().length(piece);
    let mut digests = Vec::new();
    let mut start = 0;
    while start < piece_bytes {
        let length = PART_BYTES_MAX.min(piece_bytes - start);
        let part = &mut bytes[..length as usize];
        store.read(Block { piece, start, length }, part)?;
        digests.extend(part.chunks(LEAF_BYTES as usize).map(merkle::leaf));
        start += length;
    }
    Ok(digests)
}
