//! What was hashed to be shared, kept between runs: a file that looks as it did then is not read again. For publishing
//! alone: what is downloaded or verified is always read.
//!
//! A file is taken as unchanged while its path, piece length, size, device, inode, time of last writing and status time
//! are the same to the nanosecond, in a sheet that was written whole (its checksum is the clean mark). The status time is
//! what a program cannot set back; one of a whole second, as images and file systems without any give it, counts for none,
//! and its file is always read. It does not notice what the file system does not note: a store through a memory map into
//! a page that was dirty already, a write to the device below, a clock that was put back, times that were lost in a crash,
//! status times that are made up to the nanosecond. After such things one distrusts the cache and hashes again.

mod folder;
#[cfg(feature = "fuzz")]
pub(super) mod fuzz;
mod sheet;

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use super::beneath::shown;
use super::stamp::Mark;
use super::walk::FoundFile;
use crate::content::{FileIndex, Geometry, TreePath};
use crate::ids::Digest;
use sheet::{Draft, Head, Note, Sheet};

/// The folder of the sheets, beside whatever else stands where a person says that it be.
const FOLDER: &str = "minibit-hashes";
/// A file that was touched so shortly before it was hashed, or later, is not kept: what is written within the same tick
/// of the file system's clock leaves the times as they are. The coarsest clocks, of FAT, tick every two seconds.
const RACY_SECONDS: i64 = 2;
/// After the machine was started anew, only what had been at rest for so long when it was hashed is believed: what is
/// younger may never have reached the disk, though its times did. Systems write back within half a minute, on a battery
/// within ten.
const SETTLED_SECONDS: i64 = 600;

/// Where hashes are kept, and from which moment on they are.
#[derive(Clone, Debug)]
pub struct HashCache {
    /// The folder, made when something is to be shared; nothing in it is shared.
    pub folder: PathBuf,
    /// Whether nothing of earlier runs is believed. What is hashed now is kept all the same.
    pub rehash: bool,
    /// A moment before the first look at a file.
    pub now: SystemTime,
    /// Of this start of the machine; all zeros where it is not known.
    pub boot: Digest,
}

/// What was not read, because it is as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unchanged {
    /// Files, empty ones not counted.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What earlier runs say of the files at hand.
#[derive(Debug)]
pub(super) struct Recalled {
    /// By piece.
    pub(super) digests: Vec<Option<Digest>>,
    pub(super) unchanged: Unchanged,
    /// Whether the sheet says just what would be kept of these files, and nothing of others.
    is_exact: bool,
}

impl Recalled {
    /// Nothing is known.
    pub(super) fn nothing(geometry: &Geometry) -> Recalled {
        let digests = vec![None; geometry.piece_count() as usize];
        Recalled { digests, unchanged: Unchanged::default(), is_exact: false }
    }
}

impl HashCache {
    /// The cache in a folder of its own in `state`, from now on, in this life of the machine.
    pub fn new(state: &Path, rehash: bool) -> HashCache {
        HashCache { folder: state.join(FOLDER), rehash, now: SystemTime::now(), boot: boot() }
    }

    /// With its folder made and named as a walk would name it, so that it can be left out; or a warning why it is of no use.
    pub(super) fn settle(mut self) -> Result<HashCache, String> {
        match folder::make(&self.folder) {
            Ok(folder) => self.folder = folder,
            Err(error) => return Err(self.forgotten(&error)),
        }
        Ok(self)
    }

    /// What is known of `files`, in tree order, of what stands at `root`.
    pub(super) fn recall(&self, root: &Path, files: &[FoundFile], geometry: &Geometry) -> Recalled {
        let mut recalled = Recalled::nothing(geometry);
        let bytes = if self.rehash { None } else { folder::read(&self.folder, &name(root, geometry)) };
        let Some(Sheet { head, notes }) = bytes.as_deref().and_then(Sheet::decode) else { return recalled };
        if head.root != root.as_os_str().as_bytes() || head.piece_bytes != geometry.piece_bytes() {
            return recalled;
        }
        let mut notes = notes.peekable();
        let mut is_exact = true;
        for (found, file) in files.iter().zip(geometry.files()).filter(|(found, _)| has_bytes(found)) {
            while notes.next_if(|note| components(note.path).lt(names(&found.path))).is_some() {
                is_exact = false;
            }
            let note = notes.next_if(|note| components(note.path).eq(names(&found.path)));
            let believed = note.filter(|note| note.mark == found.mark && self.is_believed(&head, note));
            is_exact &= if self.is_kept(&found.mark) { believed.is_some() } else { note.is_none() };
            if let Some(note) = believed {
                recalled.take(geometry, file, &note);
            }
        }
        recalled.is_exact = is_exact && notes.peek().is_none();
        recalled
    }

    /// Keeps what was hashed, or only that it is still of use where there is nothing new.
    ///
    /// A warning says that it is not kept, and nothing worse: the next run hashes again.
    pub(super) fn keep(
        &self,
        root: &Path,
        files: &[FoundFile],
        geometry: &Geometry,
        digests: &[Digest],
        recalled: &Recalled,
    ) -> Option<String> {
        let name = name(root, geometry);
        if recalled.is_exact {
            folder::touch(&self.folder, &name, self.now);
            return None;
        }
        let (hashed_at, root) = (self.seconds(), root.as_os_str().as_bytes());
        let head = Head { boot: self.boot, hashed_at, piece_bytes: geometry.piece_bytes(), root };
        let replaced = folder::replace(&self.folder, &name, |out| {
            let mut draft = Draft::new(out, &head)?;
            for (found, file) in files.iter().zip(geometry.files()).filter(|(found, _)| has_bytes(found)) {
                if self.is_kept(&found.mark) {
                    let path = names(&found.path).collect::<Vec<_>>().join(&b'/');
                    let pieces = geometry.pieces_of(file).map(|piece| digests[piece.index()]);
                    draft.note(&path, &found.mark, pieces)?;
                }
            }
            draft.finish().map(drop)
        });
        replaced.err().map(|error| self.forgotten(&error))
    }

    fn forgotten(&self, error: &io::Error) -> String {
        if error.kind() == io::ErrorKind::FileTooLarge {
            return "too many files or pieces to remember their hashes: all are read again each time; share parts, or in larger pieces (--piece-size)".into();
        }
        let folder = shown(&self.folder);
        format!(
            "what was hashed cannot be kept in '{folder}', and will be hashed again the next time: {error}; choose another folder with --state-dir"
        )
    }

    fn is_kept(&self, mark: &Mark) -> bool {
        has_status_time(mark) && rested(mark, self.seconds()) > RACY_SECONDS
    }

    fn is_believed(&self, head: &Head<'_>, note: &Note<'_>) -> bool {
        let is_same_life = head.boot == self.boot && self.boot != Digest::default();
        has_status_time(&note.mark) && (is_same_life || rested(&note.mark, head.hashed_at) > SETTLED_SECONDS)
    }

    /// Since 1970; before that, and so after nothing, where the clock says so.
    fn seconds(&self) -> i64 {
        let since = self.now.duration_since(UNIX_EPOCH).ok();
        since.and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(i64::MIN)
    }
}

impl Recalled {
    fn take(&mut self, geometry: &Geometry, file: FileIndex, note: &Note<'_>) {
        for (piece, digest) in geometry.pieces_of(file).zip(note.pieces) {
            self.digests[piece.index()] = Some(Digest(*digest));
        }
        self.unchanged.files += 1;
        self.unchanged.bytes += geometry.file_length(file);
    }
}

/// Seconds that the file had been left alone at `moment`, one too many at most.
fn rested(mark: &Mark, moment: i64) -> i64 {
    moment.saturating_sub(mark.latest().0)
}

/// Whether its status time may be a real one. What stands in for it where there is none (FAT, squashfs, images with all
/// times alike, some of FUSE) has no nanoseconds; a real one has none once in 10^9.
fn has_status_time(mark: &Mark) -> bool {
    mark.changed.1 != 0
}

/// There is nothing to know of an empty file.
fn has_bytes(found: &FoundFile) -> bool {
    found.mark.stamp.bytes > 0
}

fn names(path: &TreePath) -> impl Iterator<Item = &[u8]> {
    path.0.iter().map(|name| name.as_bytes())
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
}

/// The name of the sheet: one for each place and piece length.
fn name(root: &Path, geometry: &Geometry) -> String {
    let hash = Sha256::new().chain_update(geometry.piece_bytes().to_be_bytes());
    folder::name(Digest(hash.chain_update(root.as_os_str().as_bytes()).finalize().into()))
}

/// Tells one start of the machine from another.
fn boot() -> Digest {
    let text = std::fs::read("/proc/sys/kernel/random/boot_id");
    text.map_or(Digest::default(), |text| Digest(Sha256::digest(text).into()))
}

#[cfg(test)]
mod tests;
