//! What the driver starts and does not wait for, and what became of it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::accept::Guest;
use super::content::{Plan, Store, StoreError};
use super::dial::dial;
use super::offload::offload;
use crate::content::{FileIndex, Metainfo, PieceIndex, PieceSet};
use crate::ids::{Digest, Endpoint, ShareId};
use crate::seam::Ban;

/// How far a check goes on before it is told of again.
const CHECK_STEP_BYTES: u64 = 1024 * 1024;

/// Where a check stands: bytes looked at and bytes in all; none while nothing is checked.
pub(crate) type Checking = watch::Sender<Option<(u64, u64)>>;

/// What became of a task.
#[derive(Debug)]
pub(crate) enum Done {
    /// Nothing that the driver waits for.
    Task,
    /// Of a dial; no guest where it came to nothing.
    Dialled { share: ShareId, endpoint: Endpoint, guest: Option<Guest> },
    /// Of whole files; whether the share now stands in its place.
    Settled { share: ShareId, outcome: Result<bool, StoreError> },
    /// Of what was kept and is to last.
    Committed { share: ShareId, outcome: Result<(), StoreError> },
    /// Of a disk that refused: whether it takes something again, and where what is owed was moved, whether all is done.
    Probed { share: ShareId, outcome: Result<bool, StoreError> },
    /// Of a download's beginning.
    Prepared { share: ShareId, outcome: Result<Prepared, StoreError> },
}

/// A download that can go on.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) store: Arc<Store>,
    pub(crate) held: PieceSet,
    pub(crate) is_finished: bool,
    pub(crate) banned: Vec<Ban>,
    pub(crate) doubtful: BTreeMap<PieceIndex, Vec<Digest>>,
}

/// Dials; without a seat it comes to nothing at once.
pub(crate) async fn connect(share: ShareId, endpoint: Endpoint, seat: Option<OwnedSemaphorePermit>) -> Done {
    let guest = match seat {
        Some(seat) => dial(&endpoint).await.ok().and_then(|stream| Guest::dialled(stream, seat)),
        None => None,
    };
    Done::Dialled { share, endpoint, guest }
}

/// Moves whole files into their place.
pub(crate) async fn settle(
    store: Arc<Store>,
    share: ShareId,
    files: Vec<FileIndex>,
    stopping: CancellationToken,
) -> Done {
    let work = move || {
        store.move_into_place(&files, &|_, _| until(&stopping))?;
        Ok(store.is_finished())
    };
    Done::Settled { share, outcome: offload(work).await }
}

/// Syncs what was kept, and notes it.
pub(crate) async fn commit(store: Arc<Store>, share: ShareId) -> Done {
    Done::Committed { share, outcome: offload(move || store.commit()).await }
}

/// Sees whether the disk takes something again: a little file, and then those that could not be moved into their place.
pub(crate) async fn probe(store: Arc<Store>, share: ShareId, stopping: CancellationToken) -> Done {
    let work = move || {
        store.probe()?;
        store.move_into_place(&store.left_behind(), &|_, _| until(&stopping))?;
        Ok(store.is_finished())
    };
    Done::Probed { share, outcome: offload(work).await }
}

/// Keeps a ban with the download. One that cannot be written still holds in this life.
pub(crate) async fn remember(store: Arc<Store>, ban: Ban) -> Done {
    let _ = offload(move || store.remember(&ban)).await;
    Done::Task
}

/// Looks at what is there already, until `stopping`. On a thread of its own, since it may last for minutes: a run that is
/// stopped while the disk does not answer leaves it behind rather than wait for it.
pub(crate) async fn prepare(
    share: ShareId,
    plan: Plan,
    metainfo: Arc<Metainfo>,
    checking: Checking,
    stopping: CancellationToken,
) -> Done {
    let (give, taken) = oneshot::channel();
    let dir = plan.dir.clone();
    let check = move || {
        let _ = give.send(open(&plan, metainfo, &checking, &stopping)); // fails only when nobody waits any more
        checking.send_replace(None);
    };
    let outcome = match thread::Builder::new().name("check".to_owned()).spawn(check) {
        Ok(_) => taken.await.expect("the check does not panic"),
        Err(error) => Err(StoreError::Io { doing: "cannot start checking", path: shown(&dir), error }),
    };
    Done::Prepared { share, outcome }
}

fn open(
    plan: &Plan,
    metainfo: Arc<Metainfo>,
    checking: &Checking,
    stopping: &CancellationToken,
) -> Result<Prepared, StoreError> {
    let progress = |done: u64, total: u64| {
        checking.send_if_modified(|shown| {
            let is_due = |(before, _)| done >= before + CHECK_STEP_BYTES || done == total;
            let is_news = total > 0 && shown.is_none_or(is_due);
            if is_news {
                *shown = Some((done, total));
            }
            is_news
        });
        until(stopping)
    };
    let (store, held) = Store::open(plan, metainfo, &progress)?;
    store.flush()?;
    let is_finished = store.is_finished();
    let banned = store.banned();
    let doubtful = store.doubtful(&progress)?;
    Ok(Prepared { store: Arc::new(store), held, is_finished, banned, doubtful })
}

fn until(stopping: &CancellationToken) -> ControlFlow<()> {
    if stopping.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

fn shown(path: &Path) -> String {
    crate::content::names::shown(path.as_os_str().as_encoded_bytes())
}
