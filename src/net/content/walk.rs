//! Finds what a folder holds: files, empty folders, and what is neither. Reads no file.

use std::collections::BTreeSet;
use std::fs::{FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::beneath::{original, shown};
use super::stamp::Mark;
use super::store::ROOM;
use super::{Progress, ScanError, go_on};
use crate::content::geometry::FILES_MAX;
use crate::content::{Name, TreePath};

/// The deepest path in a share, in components (wire.md).
const DEPTH_MAX: usize = 100;
/// The most things left out that are named one by one.
const NAMED_MAX: usize = 100;
/// The owner may execute it: what BEP 47's `x` and libtorrent mean.
const OWNER_EXECUTES: u32 = 0o100;

/// One file, not yet read.
#[derive(Debug)]
pub(super) struct FoundFile {
    pub(super) path: TreePath,
    pub(super) mark: Mark,
    pub(super) executable: bool,
}

impl FoundFile {
    pub(super) fn new(path: TreePath, data: &Metadata) -> FoundFile {
        FoundFile { path, mark: Mark::from(data), executable: data.mode() & OWNER_EXECUTES != 0 }
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In the order of the file tree.
    pub(super) files: Vec<FoundFile>,
    pub(super) empty_folders: Vec<TreePath>,
    pub(super) warnings: Vec<String>,
    skipped: usize,
}

/// Looks through the folder at `root`, but for what is our own: downloads, and hashes that are kept in `kept_in`.
pub(super) fn walk(
    root: &Path,
    kept_in: Option<&Path>,
    skip_special: bool,
    progress: Progress<'_>,
) -> Result<Found, ScanError> {
    if kept_in == Some(root) {
        let why =
            "is where hashes of what is shared are kept: choose another folder for them with --state-dir";
        return Err(refused(root, why));
    }
    let mut found = Found::default();
    let mut childless = BTreeSet::new();
    let room = root.join(ROOM);
    let mut entries = WalkDir::new(root).min_depth(1).into_iter();
    while let Some(entry) = entries.next() {
        go_on(progress)?;
        let entry = entry.map_err(|error| unreadable(root, error))?;
        let ours = match entry.path() {
            path if path == room => Some("downloads keep what is unfinished there"),
            path if Some(path) == kept_in => Some("hashes of what is shared are kept there"),
            _ => None,
        };
        if let Some(why) = ours {
            found.warnings.push(format!("'{}' is left out: {why}", shown(entry.path())));
            if entry.file_type().is_dir() {
                entries.skip_current_dir(); // of what is none, it would skip all that stands beside it
            }
            continue;
        }
        found.meet(root, &entry, skip_special, &mut childless)?;
    }
    found.finish(root, &childless)
}

impl Found {
    fn meet(
        &mut self,
        root: &Path,
        entry: &DirEntry,
        skip_special: bool,
        childless: &mut BTreeSet<PathBuf>,
    ) -> Result<(), ScanError> {
        let (path, kind) = (entry.path(), entry.file_type());
        if entry.depth() > DEPTH_MAX {
            return Err(refused(path, "lies deeper than 100 folders: a share cannot hold that"));
        }
        if !kind.is_dir() && !kind.is_file() {
            return self.special(path, kind, skip_special);
        }
        childless.remove(path.parent().expect("an entry lies in a folder"));
        if kind.is_dir() {
            childless.insert(path.to_owned());
        } else {
            let data = entry.metadata().map_err(|error| unreadable(path, error))?;
            let path = below(root, path, self.files.last().map(|file| &file.path))?;
            self.files.push(FoundFile::new(path, &data));
        }
        if self.files.len().max(childless.len()) > FILES_MAX as usize {
            return Err(refused(
                root,
                "holds more than 1,048,576 files or empty folders: share its parts one by one",
            ));
        }
        Ok(())
    }

    fn special(&mut self, path: &Path, kind: FileType, skip_special: bool) -> Result<(), ScanError> {
        let what = what(kind);
        if !skip_special {
            let why = format!(
                "is {what}, which cannot be shared: take it away, or leave it out with --skip-special"
            );
            return Err(refused(path, &why));
        }
        self.skipped += 1;
        if self.skipped <= NAMED_MAX {
            self.warnings.push(format!("'{}' is left out: it is {what}", shown(path)));
        }
        Ok(())
    }

    fn finish(mut self, root: &Path, childless: &BTreeSet<PathBuf>) -> Result<Found, ScanError> {
        if self.skipped > NAMED_MAX {
            self.warnings.push(format!("{} more were left out as well", self.skipped - NAMED_MAX));
        }
        self.empty_folders =
            childless.iter().map(|path| below(root, path, None)).collect::<Result<_, _>>()?;
        self.files.sort_unstable_by(|a, b| a.path.cmp(&b.path)); // without the buffer that a stable sort takes
        Ok(self)
    }
}

/// `path` seen from `root`; names that it has in common with `neighbour` are held once.
fn below(root: &Path, path: &Path, neighbour: Option<&TreePath>) -> Result<TreePath, ScanError> {
    let below = path.strip_prefix(root).expect("an entry lies beneath its root");
    let mut names: Vec<Name> = Vec::with_capacity(below.iter().count());
    for (depth, component) in below.iter().enumerate() {
        let name = original(component)
            .map_err(|bad| refused(path, &format!("cannot be shared: {bad}; rename it")))?;
        let known = neighbour.and_then(|neighbour| neighbour.0.get(depth)).filter(|known| **known == name);
        names.push(known.cloned().unwrap_or(name));
    }
    Ok(TreePath(names))
}

fn what(kind: FileType) -> &'static str {
    match () {
        () if kind.is_symlink() => "a symbolic link",
        () if kind.is_fifo() => "a named pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

/// One line about what stands at `path`.
pub(super) fn refused(path: &Path, why: &str) -> ScanError {
    ScanError::Refused(format!("'{}' {why}", shown(path)))
}

fn unreadable(path: &Path, error: walkdir::Error) -> ScanError {
    let path = shown(error.path().unwrap_or(path));
    ScanError::Unreadable { path, error: io::Error::from(error) }
}
