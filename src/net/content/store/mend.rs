//! Mends files that stand in their place and differ: what is right of them is kept, and each becomes the file in the making
//! when the first byte comes for it, no sooner.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cap_std::fs::{Dir, OpenOptions};
use rustix::fs::{Access, AtFlags, accessat};

use super::ledger::{Ledger, Place};
use super::room::Room;
use super::survey::Survey;
use super::{Differing, Store, StoreError, anew, holes};
use crate::content::{FileIndex, LEAF_BYTES, Metainfo, PieceIndex, PieceSet, merkle};
use crate::ids::Digest;
use crate::net::content::beneath::{Beneath, below_target, plain};
use crate::net::content::stamp::Stamp;
use crate::net::content::{Progress, Stopped, go_on};

/// The most pieces whose leaves are told; more are fetched whole. With the largest pieces there are, their digests take 16 MiB.
const DOUBTFUL_MAX: usize = 512;
/// Bytes that are read at a time.
const READ_BYTES: usize = 64 * 1024;

/// What becomes of the files that differ.
#[derive(Debug, Default)]
pub(super) struct Mends {
    /// Those to be mended that still stand in their place, as they were when they were looked at.
    standing: Mutex<BTreeMap<FileIndex, Stamp>>,
    /// Those that are not taken: they stand until the new ones are whole.
    pub(super) outdated: BTreeSet<FileIndex>,
}

impl Mends {
    /// Locked while a file is moved, which may last.
    pub(super) fn standing(&self) -> MutexGuard<'_, BTreeMap<FileIndex, Stamp>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `file` is to be mended and still stands in its place.
    pub(super) fn stands(&self, file: FileIndex) -> bool {
        self.standing().contains_key(&file)
    }

    /// Whether `file` does not stand in its place any more, or never did; false where that is not known at once.
    pub(super) fn is_surely_made(&self, file: FileIndex) -> bool {
        self.standing.try_lock().is_ok_and(|standing| !standing.contains_key(&file))
    }
}

/// A look at what differs, before any of it is moved.
pub(super) struct Mending<'a> {
    pub(super) metainfo: &'a Metainfo,
    pub(super) base: &'a Beneath,
    pub(super) room: &'a Room,
    pub(super) survey: &'a Survey,
    /// The pieces that are right where they stand.
    pub(super) right: &'a PieceSet,
}

impl Mending<'_> {
    /// Keeps what is right of every chosen file that differs and is ours to move and to write. Only what needs no byte from
    /// anybody is moved now.
    pub(super) fn run(&self, ledger: &mut Ledger) -> Result<Mends, StoreError> {
        let (mut taken, mut outdated) = (Vec::new(), BTreeSet::new());
        for file in self.metainfo.geometry().files().filter(|file| self.differs(ledger, *file)) {
            if self.is_ours_alone(file)? && self.right_there(file) >= kept(self.metainfo, ledger, file) {
                taken.push(file);
            } else {
                outdated.insert(file);
            }
        }
        let mut standing = BTreeMap::new();
        for file in taken {
            self.keep_right(ledger, file);
            match self.survey.candidate(file).filter(|_| !ledger.is_whole(file)) {
                Some(seen) => _ = standing.insert(file, seen),
                None => {
                    take_in(self.metainfo, self.base, self.room, file)?;
                    ledger.take_up(self.metainfo.geometry(), file);
                }
            }
        }
        Ok(Mends { standing: Mutex::new(standing), outdated })
    }

    fn differs(&self, ledger: &Ledger, file: FileIndex) -> bool {
        let is_final = matches!(ledger.place(file), Place::Final(_));
        ledger.is_selected(file) && self.survey.is_candidate(file) && !is_final
    }

    fn right_there(&self, file: FileIndex) -> usize {
        self.metainfo.geometry().pieces_of(file).filter(|piece| self.right.contains(*piece)).count()
    }

    /// Whether the file has no other name, under which somebody may want it as it is. An error where it is not what was
    /// looked at, or may not be written or moved: nothing was changed then.
    fn is_ours_alone(&self, file: FileIndex) -> Result<bool, StoreError> {
        use std::os::unix::fs::MetadataExt;
        let path = below_target(self.metainfo, file);
        let refused = |error| StoreError::Io { doing: "cannot write", path: self.base.shown(&path), error };
        let folder = folder(self.base, &path)?;
        accessat(&folder, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::empty())
            .map_err(|error| refused(error.into()))?;
        let data = open(self.base, &path).and_then(|opened| opened.metadata()).map_err(refused)?;
        if data.dev() != self.room.device().map_err(refused)? {
            return Err(self.elsewhere(&path));
        }
        match self.survey.candidate(file) {
            Some(seen) if seen == Stamp::from(&data) => Ok(data.nlink() == 1),
            _ => Err(changed(self.base, &path)),
        }
    }

    /// Neither could it be moved away, nor a new one there.
    fn elsewhere(&self, path: &Path) -> StoreError {
        let (path, dir) = (self.base.shown(path), self.base.shown(Path::new("")));
        let why = "cannot be moved from one to the other: nothing was changed; mend a copy that lies on one";
        StoreError::Refused(format!("'{path}' lies on another file system than '{dir}', and {why}"))
    }

    fn keep_right(&self, ledger: &mut Ledger, file: FileIndex) {
        ledger.lose(self.metainfo, file, Place::Making);
        let geometry = self.metainfo.geometry();
        for piece in geometry.pieces_of(file).filter(|piece| self.right.contains(*piece)) {
            ledger.keep_standing(geometry, piece);
        }
    }
}

/// Makes what stands in the place of `file` the file in the making, of its full length.
fn take_in(metainfo: &Metainfo, base: &Beneath, room: &Room, file: FileIndex) -> Result<(), StoreError> {
    let path = below_target(metainfo, file);
    room.take_in(file, &folder(base, &path)?, &path).map_err(|error| StoreError::Io {
        doing: "cannot move, to be mended,",
        path: base.shown(&path),
        error,
    })?;
    room.begin(file, metainfo.file(file).length).map(drop)
}

fn open(base: &Beneath, path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    Ok(base.dir().open_with(path, plain(options.read(true).write(true)))?.into_std())
}

fn folder(base: &Beneath, path: &Path) -> Result<Dir, StoreError> {
    let folder = base.find_folder(path.parent().unwrap_or(Path::new("")))?;
    folder.ok_or_else(|| changed(base, path))
}

fn changed(base: &Beneath, path: &Path) -> StoreError {
    let path = base.shown(path);
    StoreError::Refused(format!("'{path}' changed while it was looked at: run the same command again"))
}

/// How many right pieces the room has of `file`.
fn kept(metainfo: &Metainfo, ledger: &Ledger, file: FileIndex) -> usize {
    metainfo.geometry().pieces_of(file).filter(|piece| ledger.kept().contains(*piece)).count()
}

impl Store {
    /// Something comes for `file`: if it is to be mended and still stands in its place, as it was, it leaves that now.
    pub(super) fn take_up(&self, file: FileIndex) -> Result<(), StoreError> {
        let download = self.download();
        let mut standing = download.mends.standing();
        let Some(seen) = standing.get(&file) else { return Ok(()) };
        let path = below_target(&self.metainfo, file);
        let is_same =
            open(&self.base, &path).and_then(|opened| Stamp::of(&opened)).is_ok_and(|now| now == *seen);
        if !is_same {
            return Err(changed(&self.base, &path));
        }
        take_in(&self.metainfo, &self.base, &download.room, file)?;
        standing.remove(&file);
        drop(standing);
        self.ledger().take_up(self.metainfo.geometry(), file);
        Ok(())
    }

    /// Opens `file` in the making, wherever it stands, to be read and written.
    pub(super) fn open_making(&self, file: FileIndex) -> io::Result<File> {
        let download = self.download();
        match download.mends.standing().get(&file) {
            Some(_) => open(&self.base, &below_target(&self.metainfo, file)),
            None => download.room.open(file),
        }
    }

    /// Of a download that mends: the leaves, as they lie there, of pieces in the making that are there in part and wrong; of
    /// 512 pieces at most. To be asked before anything is written: what an earlier run wrote of them is written again.
    pub fn doubtful(&self, progress: Progress<'_>) -> Result<BTreeMap<PieceIndex, Vec<Digest>>, Stopped> {
        let mut doubtful = BTreeMap::new();
        if self.download.as_ref().is_none_or(|it| it.differing != Differing::Mended) {
            return Ok(doubtful);
        }
        let geometry = self.metainfo.geometry();
        for file in geometry.files() {
            let is_made = self.ledger().place(file) == Place::Making;
            let made = self.open_making(file).ok().filter(|_| is_made);
            let Some(made) = made else { continue };
            let room = &self.download().room;
            let stands = self.download().mends.stands(file);
            let pieces: Vec<PieceIndex> = geometry.pieces_of(file).collect();
            for piece in holes::begun(&made, &pieces, u64::from(geometry.piece_bytes())) {
                go_on(progress)?;
                if doubtful.len() == DOUBTFUL_MAX {
                    return Ok(doubtful);
                }
                let is_kept = self.ledger().kept().contains(piece);
                if !is_kept && geometry.leaf_count(piece) > 1 {
                    // What cannot be read is fetched whole.
                    let leaves = match stands {
                        true => leaves(&made, geometry.place(piece).1, geometry.length(piece)),
                        false => anew::write(room, geometry, piece),
                    };
                    doubtful.extend(leaves.ok().map(|leaves| (piece, leaves)));
                }
            }
        }
        Ok(doubtful)
    }
}

/// The digests of the leaves of `length` bytes from byte `start` on, zeros behind the end of the file.
fn leaves(file: &File, start: u64, length: u32) -> io::Result<Vec<Digest>> {
    let mut leaves = Vec::with_capacity(length.div_ceil(LEAF_BYTES) as usize);
    let mut buffer = vec![0; READ_BYTES];
    let mut left = length as usize;
    let mut at = start;
    while left > 0 {
        let part = &mut buffer[..left.min(READ_BYTES)];
        match file.read_exact_at(part, at) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => fill_up(file, part, at)?,
            read => read?,
        }
        leaves.extend(part.chunks(LEAF_BYTES as usize).map(merkle::leaf));
        left -= part.len();
        at += part.len() as u64;
    }
    Ok(leaves)
}

fn fill_up(file: &File, part: &mut [u8], at: u64) -> io::Result<()> {
    let bytes = file.metadata()?.len().saturating_sub(at);
    let (there, behind) = part.split_at_mut(usize::try_from(bytes).unwrap_or(usize::MAX).min(part.len()));
    behind.fill(0);
    file.read_exact_at(there, at)
}
