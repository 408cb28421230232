//! `DIR/.minibit/<share id>/`: the lock, the description and the files in the making of one download.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use cap_std::fs::{Dir, DirEntry, MetadataExt, OpenOptions};

use super::StoreError;
use super::bans::BANS;
use super::change::{Change, Gate};
use super::trouble::PROBE;
use super::{journal, space};
use crate::content::metainfo::METAINFO_BYTES_MAX;
use crate::content::{FileIndex, Metainfo};
use crate::ids::ShareId;
use crate::net::content::beneath::{Beneath, Standing, plain, shown, stands};
use crate::net::content::stamp::{Mark, Stamp};

/// The folder of everything unfinished, in the folder that downloads go to.
pub(in crate::net::content) const ROOM: &str = ".minibit";

const LOCK: &str = "lock";
const METAINFO: &str = "metainfo";
const METAINFO_NEW: &str = "metainfo.new";
pub(super) const PARTIAL: &str = "partial";
/// How often the lock is tried again when its file is taken away in the same moment.
const LOCK_TRIES_MAX: usize = 16;
/// Bytes that must be free for a new room, of which the files in the making are no part.
const ROOM_BYTES: u64 = 64 * 1024;
const PID_BYTES_MAX: u64 = 20;

/// The room of one download, ours alone as long as this value lives.
#[derive(Debug)]
pub(super) struct Room {
    target: Dir,
    below: PathBuf,
    path: PathBuf,
    dir: Dir,
    partial: Dir,
    /// `partial`, opened before anything was written in this life: a write that fails is told to every handle that was open
    /// then, but to one that is opened later only if nobody heard of it (the kernel's `errseq`).
    before: File,
    /// Locked; the system unlocks it when it is closed, however the process ends.
    _lock: File,
    /// Whether to leave the room as it is at the end, to go on from.
    stay: AtomicBool,
    /// Whether there may be names of files that are not synced yet.
    has_new_names: AtomicBool,
    gate: Gate,
}

/// The description of a share whose download was begun in `dir`, if it is there and true: a later run needs no
/// peer to tell it.
pub fn known_metainfo(dir: &Path, share: ShareId) -> Option<Metainfo> {
    let room = Beneath::open(dir).ok()?.find_folder(&below(share)).ok()??;
    let bytes = noted_metainfo(&room).ok()?;
    Metainfo::parse(&bytes).ok().filter(|metainfo| metainfo.share() == share)
}

/// The description in a room, whatever it is by now: one that is too long is not read to its end.
fn noted_metainfo(room: &Dir) -> io::Result<Vec<u8>> {
    let file = room.open_with(METAINFO, plain(OpenOptions::new().read(true)))?;
    let mut bytes = Vec::new();
    file.take(METAINFO_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn below(share: ShareId) -> PathBuf {
    Path::new(ROOM).join(share.to_string())
}

impl Room {
    /// Enters and locks the room of `share`, making it where there is none. Unless told to [`Room::stay`],
    /// a room made here is taken away again.
    pub(super) fn enter(target: &Beneath, share: ShareId) -> Result<Room, StoreError> {
        let below = below(share);
        let path = target.full(&below);
        let failed = |error| StoreError::Io { doing: "cannot prepare", path: shown(&path), error };
        let is_new = target.find_folder(&below)?.is_none();
        if is_new {
            space::check(target.path(), ROOM_BYTES)?; // else its lock would be left behind half made
        }
        for _ in 0..LOCK_TRIES_MAX {
            let dir = target.make_folder(&below)?;
            let Some(lock) = locked(&dir, target.path(), failed)? else { continue };
            let partial = target.make_folder(&below.join(PARTIAL))?;
            let before = partial.open(".").map_err(failed)?.into_std();
            // Also of a room that was there: who made it may not have come so far.
            below.ancestors().try_for_each(|folder| target.sync_folder(folder))?;
            let gate = target.gate().clone();
            let target = target.dir().try_clone().map_err(failed)?;
            // The names in a room that was there may not have been synced either.
            let (stay, has_new_names) = (AtomicBool::new(!is_new), AtomicBool::new(!is_new));
            return Ok(Room {
                target,
                below,
                path,
                dir,
                partial,
                before,
                _lock: lock,
                stay,
                has_new_names,
                gate,
            });
        }
        Err(StoreError::Locked { pid: "?".to_owned(), dir: target.shown(Path::new("")) })
    }

    /// From now on the room outlives us, unless [`Room::vanish`] follows.
    pub(super) fn stay(&self) {
        self.stay.store(true, Ordering::Relaxed);
    }

    /// At the end, takes the room away if nothing in the making is left in it.
    pub(super) fn vanish(&self) {
        self.stay.store(false, Ordering::Relaxed);
    }

    /// Keeps the description for later runs.
    pub(super) fn note(&self, metainfo: &Metainfo) -> Result<(), StoreError> {
        let known = noted_metainfo(&self.dir).is_ok_and(|bytes| bytes == metainfo.served_bytes());
        if known {
            return Ok(());
        }
        let noted = self.replace(METAINFO_NEW, METAINFO, metainfo.served_bytes());
        noted.map(drop).map_err(|error| self.failed("cannot write", METAINFO, error))
    }

    /// Writes `bytes` to `new`, syncs them and gives them the name `place`, whatever had it; what had either is gone. The file
    /// is open behind its last byte.
    pub(super) fn replace(&self, new: &str, place: &str, bytes: &[u8]) -> io::Result<File> {
        let _ = self.remove(new); // of one that was not finished
        let (from, to) = (self.within(new), self.within(place));
        let mut options = OpenOptions::new();
        let options = plain(options.write(true).create_new(true));
        let mut file = self.gate.pass(Change::Make(&from), || self.dir.open_with(new, options))?.into_std();
        self.gate.pass(Change::Write(&from, 0, bytes), || file.write_all(bytes))?;
        self.gate.pass(Change::Sync(&from), || file.sync_all())?;
        self.gate.pass(Change::Move(&from, &to), || self.dir.rename(new, &self.dir, place))?;
        Ok(file)
    }

    /// Where its changes pass.
    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Where something in the room lies, seen from the folder that downloads go to.
    pub(super) fn within(&self, name: &str) -> PathBuf {
        self.below.join(name)
    }

    /// Where `file` in the making lies, seen from the folder that downloads go to.
    pub(super) fn within_partial(&self, file: FileIndex) -> PathBuf {
        self.below.join(PARTIAL).join(name(file))
    }

    /// An error where its path does not lead to it any more.
    pub(super) fn see_in_place(&self) -> Result<(), StoreError> {
        let look = || {
            let ours = Stamp::from(&self.dir.dir_metadata()?).identity;
            match self.target.symlink_metadata(&self.below) {
                Ok(data) => Ok(Stamp::from(&data).identity == ours),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            }
        };
        match look() {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.gone()),
            Err(error) => Err(self.failed("cannot look at", "", error)),
        }
    }

    /// Makes the names in the room last.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.gate.pass(Change::SyncFolder(&self.below), || self.dir.open(".")?.sync_all())
    }

    /// Makes the bytes of a file in the making last.
    pub(super) fn sync_file(&self, file: FileIndex) -> Result<(), StoreError> {
        let path = self.within_partial(file);
        let synced = self.open(file).and_then(|it| self.gate.pass(Change::Sync(&path), || it.sync_data()));
        synced.map_err(|error| self.failed_file("cannot sync", file, error))
    }

    /// Makes everything last that was written on the file system of the room; see [`SYNCS_IN_ONE_GO`].
    pub(super) fn sync_everything(&self) -> io::Result<()> {
        self.gate.pass(Change::SyncAll, || sync_file_system(&self.before))
    }

    /// Makes the names of the files in the making last, where any is new.
    pub(super) fn sync_names(&self) -> io::Result<()> {
        if !self.has_new_names.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let partial = self.below.join(PARTIAL);
        let synced = self.gate.pass(Change::SyncFolder(&partial), || self.before.sync_all());
        synced.inspect_err(|_| self.has_new_names.store(true, Ordering::Release))
    }

    /// Takes away a file of the room's own.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        self.gate.pass(Change::Remove(&self.within(name)), || self.dir.remove_file(name))
    }

    /// Takes away what a probe left, however far it came; what cannot be taken away is no hindrance to the next one.
    pub(super) fn remove_probe(&self) {
        let path = self.within(PARTIAL).join(PROBE);
        let _ = self.gate.pass(Change::Remove(&path), || self.partial.remove_file(PROBE));
        let _ = self.remove(PROBE);
    }

    /// Where what is kept about the download lies.
    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Where the files in the making lie.
    pub(super) fn partial(&self) -> &Dir {
        &self.partial
    }

    /// Whether no file at all is in the making: what a probe left is none.
    pub(super) fn is_empty(&self) -> bool {
        let is_probe = |entry: io::Result<DirEntry>| entry.is_ok_and(|entry| entry.file_name() == PROBE);
        self.partial.entries().is_ok_and(|mut entries| entries.all(is_probe))
    }

    /// What there is of `file`: how it looks, and the bytes it takes on the disk.
    pub(super) fn look(&self, file: FileIndex) -> Result<Option<(Mark, u64)>, StoreError> {
        match stands(&self.partial, &name(file)) {
            Ok(Standing::File(data)) => Ok(Some((Mark::from(&data), data.blocks().saturating_mul(512)))),
            Ok(Standing::Nothing) => Ok(None),
            Ok(_) => {
                let path = shown(&self.path_of(file));
                Err(StoreError::Refused(format!("'{path}' is no file of ours: take it away and try again")))
            }
            Err(error) => Err(self.failed_file("cannot look at", file, error)),
        }
    }

    /// The device that it lies on.
    pub(super) fn device(&self) -> io::Result<u64> {
        Ok(self.partial.dir_metadata()?.dev())
    }

    /// Opens what there is of `file`.
    pub(super) fn open(&self, file: FileIndex) -> io::Result<File> {
        let mut options = OpenOptions::new();
        Ok(self.partial.open_with(name(file), plain(options.read(true).write(true)))?.into_std())
    }

    /// Opens `file` in the making, made if need be, of whatever length it is.
    pub(super) fn make(&self, file: FileIndex) -> Result<File, StoreError> {
        let mut options = OpenOptions::new();
        let options = plain(options.read(true).write(true).create_new(true));
        let make = || self.partial.open_with(name(file), options).map(cap_std::fs::File::into_std);
        let made = match self.gate.pass(Change::Make(&self.within_partial(file)), make) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.open(file),
            made => made.inspect(|_| self.has_new_name()),
        };
        made.map_err(|error| self.failed_file("cannot make", file, error))
    }

    /// Opens `file` in the making, begun if need be, `bytes` long and without a byte on the disk where it can be.
    pub(super) fn begin(&self, file: FileIndex, bytes: u64) -> Result<File, StoreError> {
        let begun = self.make(file)?;
        let path = self.within_partial(file);
        let stretch = || match begun.metadata()?.len() {
            length if length == bytes => Ok(()),
            _ => self.gate.pass(Change::Stretch(&path, bytes), || begun.set_len(bytes)),
        };
        stretch().map_err(|error| self.failed_file("cannot make", file, error))?;
        Ok(begun)
    }

    /// Makes what stands at `path` in `folder` the file in the making, in place of what there was of it.
    pub(super) fn take_in(&self, file: FileIndex, folder: &Dir, path: &Path) -> io::Result<()> {
        let standing = path.file_name().expect("a file has a name");
        let take = || folder.rename(standing, &self.partial, name(file));
        self.gate.pass(Change::Move(path, &self.within_partial(file)), take)?;
        self.has_new_name();
        Ok(())
    }

    /// There is something to go on from.
    fn has_new_name(&self) {
        self.has_new_names.store(true, Ordering::Release);
        self.stay();
    }

    /// Takes away what there is of `file`.
    pub(super) fn discard(&self, file: FileIndex) -> Result<(), StoreError> {
        let path = self.within_partial(file);
        let removed = self.gate.pass(Change::Remove(&path), || self.partial.remove_file(name(file)));
        removed.map_err(|error| self.failed_file("cannot remove", file, error))
    }

    /// The error of doing something with a file in the making.
    pub(super) fn failed_file(&self, doing: &'static str, file: FileIndex, error: io::Error) -> StoreError {
        StoreError::Io { doing, path: shown(&self.path_of(file)), error }
    }

    fn path_of(&self, file: FileIndex) -> PathBuf {
        self.path.join(PARTIAL).join(name(file))
    }

    /// The error of a room that somebody took away.
    pub(super) fn gone(&self) -> StoreError {
        let path = shown(&self.path);
        StoreError::Refused(format!(
            "'{path}' was taken away while the download was using it: run the same command again"
        ))
    }

    /// The error of doing something with a file of the room's own, or with the room itself.
    pub(super) fn failed(&self, doing: &'static str, name: &str, error: io::Error) -> StoreError {
        StoreError::Io { doing, path: shown(&self.path.join(name)), error }
    }
}

/// The name of `file` in the making.
pub(super) fn name(file: FileIndex) -> PathBuf {
    PathBuf::from(file.index().to_string())
}

impl Drop for Room {
    /// Nothing here can be reported, nor does it matter: a room that is left over is entered again.
    fn drop(&mut self) {
        let folder = |path: &Path, remove: &dyn Fn() -> io::Result<()>| {
            self.gate.pass(Change::RemoveFolder(path), remove).is_ok()
        };
        if self.stay.load(Ordering::Relaxed) {
            return;
        }
        self.remove_probe();
        if !folder(&self.within(PARTIAL), &|| self.dir.remove_dir(PARTIAL)) {
            return;
        }
        // The journal first: what it says is no longer so.
        for name in [journal::JOURNAL, journal::JOURNAL_NEW, METAINFO_NEW, METAINFO, BANS, LOCK] {
            let _ = self.remove(name);
        }
        if folder(&self.below, &|| self.target.remove_dir(&self.below)) {
            folder(Path::new(ROOM), &|| self.target.remove_dir(ROOM));
        }
    }
}

/// Whether one call syncs a group of files, however many.
pub(super) const SYNCS_IN_ONE_GO: bool = cfg!(target_os = "linux");

#[cfg(target_os = "linux")]
fn sync_file_system(any: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(any)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(any: &File) -> io::Result<()> {
    any.sync_all()
}

/// The lock of the room at `dir`, with our number in it; none if its file was taken away in the same moment.
fn locked(
    dir: &Dir,
    target: &Path,
    failed: impl Fn(io::Error) -> StoreError,
) -> Result<Option<File>, StoreError> {
    let mut options = OpenOptions::new();
    let options = plain(options.read(true).write(true).create(true));
    let mut file = match dir.open_with(LOCK, options) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(&failed)?.into_std(),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Locked { pid: holder(&mut file), dir: shown(target) });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let ours = Stamp::of(&file).map_err(&failed)?;
    let still_there = |data: cap_std::fs::Metadata| Stamp::from(&data) == ours;
    if !dir.symlink_metadata(LOCK).is_ok_and(still_there) {
        return Ok(None);
    }
    file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(&failed)?;
    Ok(Some(file))
}

/// The number that the process holding the lock wrote into it.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.take(PID_BYTES_MAX).read_to_string(&mut text);
    let is_number = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    if is_number { text } else { "?".to_owned() }
}
