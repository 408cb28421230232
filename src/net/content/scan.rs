//! Reads a file or a folder to describe it: walks, warns, hashes on every core what is not known to be unchanged.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::beneath::{Beneath, local, original, shown};
use super::cache::{HashCache, Recalled, Unchanged};
use super::hashing::{self, HashFault, Work};
use super::stamp::Stamp;
use super::walk::{Found, FoundFile, refused, walk};
use super::{Progress, Stopped, Store};
use crate::content::metainfo::FileEntry;
use crate::content::{FileIndex, Geometry, Metainfo, Name, PieceIndex, TreePath, names};
use crate::ids::Digest;

/// What a person may ask of a scan.
#[derive(Clone, Debug, Default)]
pub struct ScanOptions {
    /// The piece length; none = chosen by size.
    pub piece_bytes: Option<u32>,
    /// Leave out links, devices and the like rather than refuse them.
    pub skip_special: bool,
    /// Refuse names that another system could not hold rather than warn of them.
    pub portable: bool,
    /// Where hashes are kept from run to run; none = every byte is read, and nothing kept.
    pub cache: Option<HashCache>,
}

/// What was read.
#[derive(Debug)]
pub struct Scanned {
    /// Its description.
    pub metainfo: Arc<Metainfo>,
    /// Its bytes where they lie, to serve from.
    pub store: Arc<Store>,
    /// What the person should know, one sentence each.
    pub warnings: Vec<String>,
    /// What was not read, because the cache knew it.
    pub unchanged: Unchanged,
}

/// Why something cannot be shared.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// One line that says what and what to do.
    #[error("{0}")]
    Refused(String),
    /// It could not be read.
    #[error("cannot read '{path}': {error}")]
    Unreadable {
        /// Which, escaped.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// Nobody waits for it any more.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Reads and hashes `path`, a file or a folder. Blocks; call it off the async threads.
///
/// A folder `.minibit` directly inside is left out: it is where downloads keep what is unfinished. So is the folder of the
/// cache, wherever inside.
pub fn scan(path: &Path, options: ScanOptions, progress: Progress<'_>) -> Result<Scanned, ScanError> {
    let ground = Ground::find(path)?;
    let cache = options.cache.map(HashCache::settle).transpose();
    let (cache, warning) = cache.map_or_else(|warning| (None, Some(warning)), |cache| (cache, None));
    let kept_in = cache.as_ref().map(|cache| cache.folder.as_path());
    let mut found = ground.look(kept_in, options.skip_special, progress)?;
    found.warnings.extend(warning);
    complain(&ground.name, &mut found, options.portable)?;
    let geometry = cut(&found.files, options.piece_bytes)?;
    let piece_bytes = geometry.piece_bytes();
    let mut recalled = match &cache {
        Some(cache) => cache.recall(&ground.path, &found.files, &geometry),
        None => Recalled::nothing(&geometry),
    };
    let digests = std::mem::take(&mut recalled.digests);
    let is_recalled: Vec<bool> = digests.iter().map(Option::is_some).collect();
    let digests = ground.hash(&found.files, &geometry, digests, progress)?;
    if let Some(cache) = &cache {
        found.warnings.extend(cache.keep(&ground.path, &found.files, &geometry, &digests, &recalled));
    }
    let stamps = found.files.iter().map(|file| file.mark.stamp).collect();
    let mut files: Vec<FileEntry> = found.files.into_iter().map(entry).collect();
    files.shrink_to_fit(); // from the room of what was found
    drop(geometry); // the description has its own
    let metainfo =
        Metainfo::describe(&ground.name, piece_bytes, ground.single, files, digests, found.empty_folders);
    let metainfo = Arc::new(metainfo.map_err(refuse)?);
    let pieces = metainfo.geometry().pieces().zip(is_recalled);
    let unread = pieces.filter(|(_, is_recalled)| *is_recalled).map(|(piece, _)| piece);
    let store = Store::source(metainfo.clone(), ground.base, ground.path, stamps, unread);
    let (warnings, unchanged) = (found.warnings, recalled.unchanged);
    Ok(Scanned { metainfo, store: Arc::new(store), warnings, unchanged })
}

/// Where the content lies.
struct Ground {
    /// Without links, `.` or a trailing slash.
    path: PathBuf,
    name: Name,
    single: bool,
    /// What the paths of the files are relative to: the folder itself, or the one that holds the single file.
    base: Beneath,
}

impl Ground {
    fn find(path: &Path) -> Result<Ground, ScanError> {
        let unreadable = |error| unreadable(path, error);
        let path = fs::canonicalize(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => refused(path, "is not there: check the path"),
            _ => unreadable(error),
        })?;
        let data = fs::metadata(&path).map_err(unreadable)?;
        if !data.is_file() && !data.is_dir() {
            return Err(refused(&path, "is neither a file nor a folder: it cannot be shared"));
        }
        let nameless = || refused(&path, "has no name to share it under: share a folder inside it");
        let name = original(path.file_name().ok_or_else(nameless)?).map_err(refuse)?;
        let single = data.is_file();
        let folder = if single { path.parent().ok_or_else(nameless)? } else { &path };
        let base = Beneath::open(folder).map_err(unreadable)?;
        Ok(Ground { name, single, base, path })
    }

    fn look(
        &self,
        kept_in: Option<&Path>,
        skip_special: bool,
        progress: Progress<'_>,
    ) -> Result<Found, ScanError> {
        if !self.single {
            return walk(&self.path, kept_in, skip_special, progress);
        }
        let data = fs::metadata(&self.path).map_err(|error| unreadable(&self.path, error))?;
        let file = FoundFile::new(TreePath(vec![self.name.clone()]), &data);
        let mut found = Found::default();
        found.files.push(file);
        Ok(found)
    }

    /// The hash of each piece, in order: those that are there, and the others from the files.
    fn hash(
        &self,
        files: &[FoundFile],
        geometry: &Geometry,
        mut digests: Vec<Option<Digest>>,
        progress: Progress<'_>,
    ) -> Result<Vec<Digest>, ScanError> {
        let pieces: Vec<PieceIndex> = geometry.pieces().collect();
        let missing = pieces.iter().zip(&digests).filter(|(_, digest)| digest.is_none());
        let total_bytes = missing.map(|(piece, _)| u64::from(geometry.length(*piece))).sum();
        let work =
            Work { geometry, pieces: &pieces, stop_at_fault: true, progress, done_bytes: 0, total_bytes };
        let open = |file: FileIndex| -> io::Result<(File, Stamp)> {
            let found = &files[file.index()];
            Ok((self.base.read(&local(&found.path.0))?, found.mark.stamp))
        };
        let faults = hashing::hash(&work, &mut digests, &open)?;
        let full = |file: FileIndex| self.base.full(&local(&files[file.index()].path.0));
        let changed =
            |file| refused(&full(file), "changed while it was read: share it again once it is at rest");
        if let Some((file, fault)) = faults.into_iter().next() {
            return Err(match fault {
                HashFault::Changed => changed(file),
                HashFault::Unreadable(error) => unreadable(&full(file), error),
            });
        }
        // In this order the room of the one is that of the other.
        let all = digests.into_iter().zip(pieces);
        all.map(|(digest, piece)| digest.ok_or_else(|| changed(geometry.place(piece).0))).collect()
    }
}

/// How `files` are cut: into pieces of so many bytes or, where nobody asked for any, as many as suit them.
fn cut(files: &[FoundFile], piece_bytes: Option<u32>) -> Result<Geometry, ScanError> {
    let lengths: Vec<u64> = files.iter().map(|file| file.mark.stamp.bytes).collect();
    let total = lengths.iter().fold(0, |sum: u64, length| sum.saturating_add(*length));
    let piece_bytes = piece_bytes.unwrap_or_else(|| Geometry::chosen_piece_bytes(total));
    Geometry::new(u64::from(piece_bytes), &lengths).map_err(refuse)
}

fn entry(file: FoundFile) -> FileEntry {
    FileEntry { path: file.path, length: file.mark.stamp.bytes, executable: file.executable }
}

/// What other systems could not hold: warned of, or refused.
fn complain(name: &Name, found: &mut Found, portable: bool) -> Result<(), ScanError> {
    let top = TreePath(vec![name.clone()]);
    let mut complaints = names::portability(std::iter::once(&top));
    let paths = found.files.iter().map(|file| &file.path).filter(|path| **path != top);
    complaints.extend(names::portability(paths.chain(&found.empty_folders)));
    if let Some(first) = complaints.first().filter(|_| portable) {
        let more = match complaints.len() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        let what = "rename it, or share without --portable";
        return Err(ScanError::Refused(format!("{first}{more}: {what}")));
    }
    found.warnings.extend(complaints);
    Ok(())
}

fn refuse(error: impl std::fmt::Display) -> ScanError {
    ScanError::Refused(error.to_string())
}

fn unreadable(path: &Path, error: io::Error) -> ScanError {
    ScanError::Unreadable { path: shown(path), error }
}
