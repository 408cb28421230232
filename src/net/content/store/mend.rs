//! Mends files that stand in their place and differ: they become the files in the making, and what is right of them is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use cap_std::fs::{Dir, OpenOptions};
use rustix::fs::{Access, AtFlags, accessat};

use super::ledger::{Ledger, Place};
use super::room::Room;
use super::survey::Survey;
use super::{Differing, Store, StoreError, holes};
use crate::content::{FileIndex, LEAF_BYTES, Metainfo, PieceIndex, PieceSet, merkle};
use crate::ids::Digest;
use crate::net::content::beneath::{Beneath, below_target, plain};
use crate::net::content::stamp::Stamp;
use crate::net::content::{Progress, Stopped, go_on};

/// The most pieces whose leaves are told; more are fetched whole. With the largest pieces there are, their digests take 16 MiB.
const DOUBTFUL_MAX: usize = 512;
/// Bytes that are read at a time.
const READ_BYTES: usize = 64 * 1024;

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
    /// Moves every chosen file that differs into the room, once each is known to be ours to move and to write. Gives those
    /// that stay where they are until new ones are whole.
    pub(super) fn run(&self, ledger: &mut Ledger) -> Result<BTreeSet<FileIndex>, StoreError> {
        let (mut taken, mut outdated) = (Vec::new(), BTreeSet::new());
        for file in self.metainfo.geometry().files().filter(|file| self.differs(ledger, *file)) {
            if self.is_ours_alone(file)? && self.right_there(file) >= kept(self.metainfo, ledger, file) {
                taken.push(file);
            } else {
                outdated.insert(file);
            }
        }
        taken.into_iter().try_for_each(|file| self.take_in(ledger, file))?;
        Ok(outdated)
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
        let folder = self.folder(&path)?;
        accessat(&folder, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::empty())
            .map_err(|error| refused(error.into()))?;
        let mut options = OpenOptions::new();
        let options = plain(options.read(true).write(true));
        let opened = self.base.dir().open_with(&path, options).map_err(refused)?.into_std();
        let data = opened.metadata().map_err(refused)?;
        match self.survey.candidate(file) {
            Some(seen) if seen == Stamp::from(&data) => Ok(data.nlink() == 1),
            _ => Err(self.changed(&path)),
        }
    }

    fn take_in(&self, ledger: &mut Ledger, file: FileIndex) -> Result<(), StoreError> {
        let path = below_target(self.metainfo, file);
        self.room.take_in(file, &self.folder(&path)?, &path).map_err(|error| StoreError::Io {
            doing: "cannot move, to be mended,",
            path: self.base.shown(&path),
            error,
        })?;
        self.room.begin(file, self.metainfo.file(file).length)?;
        ledger.lose(self.metainfo, file, Place::Making);
        ledger.begin(file);
        let geometry = self.metainfo.geometry();
        for piece in geometry.pieces_of(file).filter(|piece| self.right.contains(*piece)) {
            ledger.keep(geometry, piece);
        }
        Ok(())
    }

    fn folder(&self, path: &Path) -> Result<Dir, StoreError> {
        let folder = self.base.find_folder(path.parent().unwrap_or(Path::new("")))?;
        folder.ok_or_else(|| self.changed(path))
    }

    fn changed(&self, path: &Path) -> StoreError {
        let path = self.base.shown(path);
        StoreError::Refused(format!("'{path}' changed while it was looked at: run the same command again"))
    }
}

/// The right pieces of what the room has of `file`.
fn kept(metainfo: &Metainfo, ledger: &Ledger, file: FileIndex) -> usize {
    metainfo.geometry().pieces_of(file).filter(|piece| ledger.kept().contains(*piece)).count()
}

impl Store {
    /// Of a download that mends: the leaves, as they lie there, of pieces in the making that are there in part and wrong; of
    /// 512 pieces at most.
    pub fn doubtful(&self, progress: Progress<'_>) -> Result<BTreeMap<PieceIndex, Vec<Digest>>, Stopped> {
        let mut doubtful = BTreeMap::new();
        let Some(download) = self.download.as_ref().filter(|it| it.differing == Differing::Mended) else {
            return Ok(doubtful);
        };
        let geometry = self.metainfo.geometry();
        for file in geometry.files() {
            let made = download.room.open(file).ok().filter(|_| self.ledger().place(file) == Place::Making);
            let Some(made) = made else { continue };
            let pieces: Vec<PieceIndex> = geometry.pieces_of(file).collect();
            for piece in holes::begun(&made, &pieces, u64::from(geometry.piece_bytes())) {
                go_on(progress)?;
                if doubtful.len() == DOUBTFUL_MAX {
                    return Ok(doubtful);
                }
                let is_kept = self.ledger().kept().contains(piece);
                if !is_kept && geometry.leaf_count(piece) > 1 {
                    // What cannot be read is fetched whole.
                    let leaves = leaves(&made, geometry.place(piece).1, geometry.length(piece));
                    doubtful.extend(leaves.ok().map(|leaves| (piece, leaves)));
                }
            }
        }
        Ok(doubtful)
    }
}

/// The digests of the leaves of `length` bytes from byte `start` on.
fn leaves(file: &File, start: u64, length: u32) -> io::Result<Vec<Digest>> {
    let mut leaves = Vec::with_capacity(length.div_ceil(LEAF_BYTES) as usize);
    let mut buffer = vec![0; READ_BYTES];
    let mut left = length as usize;
    let mut at = start;
    while left > 0 {
        let part = &mut buffer[..left.min(READ_BYTES)];
        file.read_exact_at(part, at)?;
        leaves.extend(part.chunks(LEAF_BYTES as usize).map(merkle::leaf));
        left -= part.len();
        at += part.len() as u64;
    }
    Ok(leaves)
}
