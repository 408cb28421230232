//! The bytes of one share on disk: read by position, written only beneath the chosen folder, moved into place when true.

mod anew;
mod bans;
pub(in crate::net::content) mod change;
mod commit;
#[cfg(feature = "fuzz")]
pub(super) mod fuzz;
mod holes;
mod journal;
mod ledger;
mod mend;
mod open;
mod place;
mod read;
mod recheck;
mod renewal;
mod room;
pub mod select;
mod space;
mod survey;
mod trouble;
mod unsynced;

use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

pub use change::{Change, Witness};
pub use read::{Loss, ReadFault};
pub use room::known_metainfo;

use super::beneath::{Beneath, below_target, local};
use super::handles::{Handle, Handles};
use super::stamp::Stamp;
use super::{Stopped, UNWATCHED};
use crate::content::{Block, FileIndex, Metainfo, PieceIndex, PieceSet};
use crate::seam::Ban;
use journal::Journal;
use ledger::{Ledger, Place};
use mend::Mends;
use room::Room;

pub(super) use room::ROOM;

/// Bytes that are written before whoever writes more waits until they are synced.
const UNSYNCED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes that are written before a commit begins beside the writing, so that on a disk that keeps up nobody waits.
const COMMITTED_BYTES: u64 = UNSYNCED_BYTES_MAX / 2;

/// How a download is laid down.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder below which everything is written.
    pub dir: PathBuf,
    /// Globs over paths below the share's folder; none = everything.
    pub select: Vec<String>,
    /// What becomes of a file that is there and differs.
    pub differing: Differing,
}

/// What a download does with a file that stands where one of its own belongs, and differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Differing {
    /// It is left alone, and the download refused.
    #[default]
    Refused,
    /// It stands until the new one is whole, and is replaced then.
    Replaced,
    /// It becomes the file in the making, of which only what is wrong is fetched, and comes back when it is whole. What is
    /// there is verified to the last byte, whatever an earlier run said of it.
    Mended,
}

/// Why a download cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not enough room; nothing was taken up.
    #[error("'{dir}' has {free} bytes free, and {needed} more are needed: make room")]
    NoSpace {
        /// Where.
        dir: String,
        /// Needed.
        needed: u64,
        /// Free.
        free: u64,
    },
    /// A file that is there and differs; it was not touched.
    #[error(
        "'{path}' is there already and differs: move it away, choose another folder with -o, mend it with verify --repair, or replace it with --force"
    )]
    WouldOverwrite {
        /// Which, escaped.
        path: String,
    },
    /// Another process downloads the same share here, or seeds what it downloaded.
    #[error("process {pid} already downloads or seeds this share in '{dir}': stop it first")]
    Locked {
        /// Who.
        pid: String,
        /// Where.
        dir: String,
    },
    /// A pattern that is none, or that no file matches; a path through a link; a name that cannot be held here.
    #[error("{0}")]
    Refused(String),
    /// The disk failed.
    #[error("{doing} '{path}': {error}{}", advice(.error))]
    Io {
        /// As in "cannot write".
        doing: &'static str,
        /// Which, escaped.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// What an earlier run left is not what it was, and was found so before its file took its place: it is not held any more
    /// (see [`Store::take_lost`]), and all else was done.
    #[error(transparent)]
    Spoiled(#[from] ReadFault),
    /// Nobody waits for the download any more; what is there stays as it is.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What to do about `error`, as the end of a sentence; nothing where the system's own words say it.
fn advice(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => "; allow more open files with ulimit -n",
        _ => "",
    }
}

/// The bytes of one share. Shared between threads; every call but [`Store::read_at_hand`] may wait for a disk, so call it
/// off the async threads.
///
/// What is unfinished lies in `DIR/.minibit/<share id>/`, locked as long as this value lives. Dropping it leaves
/// that room for a later run, or takes it away when everything wanted stands in its final place.
#[derive(Debug)]
pub struct Store {
    metainfo: Arc<Metainfo>,
    wanted: PieceSet,
    base: Beneath,
    /// Where a person finds the share.
    path: PathBuf,
    ledger: Mutex<Ledger>,
    handles: Handles,
    /// None for content that is shared from where it lies.
    download: Option<Download>,
}

/// What only a download has.
#[derive(Debug)]
struct Download {
    room: Room,
    /// None while it cannot be written; locked as long as a commit lasts.
    journal: Mutex<Option<Journal>>,
    differing: Differing,
    mends: Mends,
    /// Whether everything was chosen, empty folders included.
    is_whole: bool,
}

impl Download {
    /// Whether what stands in the place of `file` gives way to the new one.
    fn may_replace(&self, file: FileIndex) -> bool {
        self.differing == Differing::Replaced || self.mends.outdated.contains(&file)
    }
}

impl Store {
    /// Content that lies there already: `base` is the shared folder, or the folder that holds the single file. The pieces
    /// that are `unread` are taken at the word of an earlier run.
    pub(super) fn source(
        metainfo: Arc<Metainfo>,
        base: Beneath,
        path: PathBuf,
        stamps: Vec<Stamp>,
        unread: impl Iterator<Item = PieceIndex>,
    ) -> Store {
        let wanted = PieceSet::full(metainfo.geometry().piece_count());
        let mut ledger = Ledger::source(metainfo.geometry(), stamps);
        ledger.trust(unread);
        let ledger = Mutex::new(ledger);
        Store { metainfo, wanted, base, path, ledger, handles: Handles::default(), download: None }
    }

    /// What it describes.
    pub fn metainfo(&self) -> &Arc<Metainfo> {
        &self.metainfo
    }

    /// The pieces of the files that were selected.
    pub fn wanted(&self) -> &PieceSet {
        &self.wanted
    }

    /// Where a person finds the share: the file, or its folder.
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Writes `bytes` by position into the file in the making. What is verified already is left as it is. True when so much
    /// was written since the last sync that the next should begin.
    pub fn write(&self, block: Block, bytes: &[u8]) -> Result<bool, StoreError> {
        assert_eq!(bytes.len(), block.length as usize, "a block fills its place");
        let (file, start) = self.metainfo.geometry().place(block.piece);
        let losses = {
            let ledger = self.ledger();
            if ledger.kept().contains(block.piece) || ledger.place(file) != Place::Making {
                return Ok(false);
            }
            ledger.losses()
        };
        let is_all_of_it = start == 0 && u64::from(block.length) == self.metainfo.file(file).length;
        let handle = if is_all_of_it { self.made(file)? } else { self.making(file)? };
        let (at, room) = (start + u64::from(block.start), &self.download().room);
        let path = room.within_partial(file);
        let written =
            room.gate().pass(Change::Write(&path, at, bytes), || handle.file.write_all_at(bytes, at));
        written.map_err(|error| room.failed_file("cannot write", file, error))?;
        let (is_urgent, is_too_much) = {
            let mut ledger = self.ledger();
            if is_all_of_it {
                ledger.begin(file);
            }
            ledger.wrote(self.metainfo.geometry(), block, losses);
            let unsynced = &ledger.unsynced;
            (unsynced.written_bytes() >= COMMITTED_BYTES, unsynced.bytes() > UNSYNCED_BYTES_MAX)
        };
        if is_too_much {
            self.commit_beyond(UNSYNCED_BYTES_MAX)?;
        }
        Ok(is_urgent && !is_too_much)
    }

    /// The open file in the making, as short as it may be: for one that is written in one go.
    fn made(&self, file: FileIndex) -> Result<Arc<Handle>, StoreError> {
        self.take_up(file)?;
        match self.handles.get(file) {
            Some(handle) => Ok(handle),
            None => Ok(self.handles.put(file, self.download().room.make(file)?)),
        }
    }

    /// The open file in the making, of its full length. One that is shorter than it was begun, or gone, was cut or taken
    /// away by somebody: what it held is lost.
    fn making(&self, file: FileIndex) -> Result<Arc<Handle>, StoreError> {
        self.take_up(file)?;
        let (room, length) = (&self.download().room, self.metainfo.file(file).length);
        let is_begun = self.ledger().is_begun(file);
        let handle = match (self.handles.get(file), is_begun) {
            (Some(handle), _) => handle,
            (None, true) => match room.open(file) {
                Ok(opened) => self.handles.put(file, opened),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.lose_cut(file)),
                Err(error) => return Err(room.failed_file("cannot open", file, error)),
            },
            (None, false) => self.handles.put(file, room.begin(file, length)?),
        };
        let bytes =
            handle.file.metadata().map_err(|error| room.failed_file("cannot look at", file, error))?.len();
        if bytes < length && is_begun {
            return Err(self.lose_cut(file));
        }
        if !is_begun {
            self.ledger().begin(file);
        }
        Ok(handle)
    }

    fn lose_cut(&self, file: FileIndex) -> StoreError {
        let room = &self.download().room;
        let _ = room.discard(file); // it may be gone already
        self.handles.forget(file);
        self.ledger().lose_cut(&self.metainfo, file); // last: what is written from now on is not discarded
        let cut = io::Error::other("somebody cut it short or took it away, and it is fetched again");
        room.failed_file("cannot write", file, cut)
    }

    /// Counts a piece whose every byte is verified and written, and gives the files that are to be moved into place now:
    /// the one whose last piece this is; small ones in groups, at the latest when the last one wanted is whole. A piece of
    /// which anything was lost since it was written is not counted.
    pub fn count(&self, piece: PieceIndex) -> Vec<FileIndex> {
        let geometry = self.metainfo.geometry();
        let mut ledger = self.ledger();
        if !ledger.keep(geometry, piece) {
            return Vec::new();
        }
        let file = geometry.place(piece).0;
        ledger.complete(file, self.metainfo.file(file).length)
    }

    /// Counts a piece and moves what is then to be moved.
    pub fn keep(&self, piece: PieceIndex) -> Result<(), StoreError> {
        let files = self.count(piece);
        self.move_into_place(&files, UNWATCHED)
    }

    /// Syncs and moves what is complete and still waits for its group.
    pub fn flush(&self) -> Result<(), StoreError> {
        let group = self.ledger().take_waiting();
        self.move_into_place(&group, UNWATCHED)
    }

    /// Who was caught lying in earlier lives of this download.
    pub fn banned(&self) -> Vec<Ban> {
        self.download.as_ref().map_or(Vec::new(), |download| bans::read(download.room.dir()))
    }

    /// Keeps a ban with the download. Content that is shared from where it lies keeps none.
    pub fn remember(&self, ban: &Ban) -> io::Result<()> {
        self.download.as_ref().map_or(Ok(()), |download| bans::add(&download.room, ban))
    }

    /// Whether every wanted file stands in its final place.
    pub fn is_finished(&self) -> bool {
        self.ledger().is_finished()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn download(&self) -> &Download {
        self.download.as_ref().expect("what is shared from where it lies is complete and never written")
    }

    /// Where `file` stands, seen from the base.
    fn below_base(&self, file: FileIndex) -> PathBuf {
        match self.download {
            Some(_) => below_target(&self.metainfo, file),
            None => local(&self.metainfo.file(file).path.0),
        }
    }
}
