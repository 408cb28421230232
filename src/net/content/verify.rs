//! Checks a folder against a description, leaf by leaf of every piece, on every core.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::beneath::local;
use super::hashing::{self, HashFault, Work};
use super::stamp::Stamp;
use super::store::ROOM;
use super::{Progress, Stopped, go_on};
use crate::content::{FileIndex, Metainfo, PieceIndex, TreePath};
use crate::ids::Digest;

/// The most files that are looked for to tell the share's folder from the one that holds it.
const TRIED_MAX: usize = 1000;

/// One thing that is wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which file, escaped.
    pub path: String,
    /// `missing`, `N bytes, should be M`, `unreadable: ...`, or empty where `ranges` tells.
    pub what: String,
    /// Byte ranges `[from, to)` whose pieces do not match; joined where they touch.
    pub ranges: Vec<[u64; 2]>,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Files looked at.
    pub files: usize,
    /// Bytes they should have.
    pub bytes: u64,
    /// What is wrong; empty = all right.
    pub faults: Vec<Fault>,
}

/// Checks what stands at `path` (the share's file or folder itself, or the folder that holds it) against `metainfo`.
///
/// Links are followed: what counts is the bytes that a reader finds. Files that the share does not have are no fault.
pub fn verify(path: &Path, metainfo: &Metainfo, progress: Progress<'_>) -> Result<Verdict, Stopped> {
    let geometry = metainfo.geometry();
    let base = base(path, metainfo);
    let look = |file| go_on(progress).map(|()| Look::at(&base, metainfo, file));
    let looks = geometry.files().map(look).collect::<Result<Vec<Look>, Stopped>>()?;
    let there = looks.iter().zip(geometry.files()).filter(|(look, _)| look.is_file);
    let pieces: Vec<PieceIndex> = there.flat_map(|(_, file)| geometry.pieces_of(file)).collect();
    let total_bytes = pieces.iter().map(|piece| u64::from(geometry.length(*piece))).sum();
    let work = Work { geometry, pieces: &pieces, stop_at_fault: false, progress, done_bytes: 0, total_bytes };
    let open = |file: FileIndex| -> io::Result<(File, Stamp)> {
        let opened = File::open(&looks[file.index()].path)?;
        let stamp = Stamp::of(&opened)?;
        Ok((opened, stamp))
    };
    let mut digests = vec![None; pieces.len()];
    let hash_faults = hashing::hash(&work, &mut digests, &open)?;
    let mut ranges = bad_ranges(metainfo, &pieces, &digests);
    let mut faults = Vec::new();
    for (file, look) in geometry.files().zip(looks) {
        let what = match hash_faults.get(&file) {
            Some(HashFault::Unreadable(error)) => format!("unreadable: {error}"),
            Some(HashFault::Changed) => "unreadable: it changed while it was read".to_owned(),
            None => look.what,
        };
        let ranges = ranges.remove(&file).unwrap_or_default();
        if !what.is_empty() || !ranges.is_empty() {
            faults.push(Fault { path: metainfo.file(file).path.to_string(), what, ranges });
        }
    }
    faults.extend(missing_folders(&base, metainfo));
    Ok(Verdict { files: geometry.file_count(), bytes: geometry.total_bytes(), faults })
}

/// The folder to download into so that [`verify`] finds the share at `path` again, links on the way resolved; none where what
/// it looks at there has another name than the share.
pub fn download_folder(path: &Path, metainfo: &Metainfo) -> Option<PathBuf> {
    let place = std::path::absolute(base(path, metainfo)).ok()?;
    let place = match (fs::canonicalize(&place), place.parent(), place.file_name()) {
        (Ok(place), _, _) => place,
        (Err(_), Some(folder), Some(name)) => fs::canonicalize(folder).ok()?.join(name),
        _ => return None,
    };
    let is_named_so = place.file_name() == Some(local([metainfo.name()]).as_os_str());
    place.parent().filter(|_| is_named_so).map(Path::to_owned)
}

/// One file as it is seen before it is read.
struct Look {
    path: PathBuf,
    is_file: bool,
    what: String,
}

impl Look {
    fn at(base: &Path, metainfo: &Metainfo, file: FileIndex) -> Look {
        let entry = metainfo.file(file);
        let path = if metainfo.is_single_file() { base.to_owned() } else { base.join(local(&entry.path.0)) };
        let (is_file, what) = match fs::metadata(&path) {
            Ok(data) if data.is_file() && data.len() == entry.length => (true, String::new()),
            Ok(data) if data.is_file() => (true, format!("{} bytes, should be {}", data.len(), entry.length)),
            Ok(_) => (false, "unreadable: not a file".to_owned()),
            Err(error) if is_absence(&error) => (false, "missing".to_owned()),
            Err(error) => (false, format!("unreadable: {error}")),
        };
        Look { path, is_file, what }
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The share's own file or folder: at `path` or, where more of its files are found there, or a download of it was begun there,
/// below it under its name.
fn base(path: &Path, metainfo: &Metainfo) -> PathBuf {
    let below = path.join(local([metainfo.name()]));
    if metainfo.is_single_file() {
        return if path.is_dir() { below } else { path.to_owned() };
    }
    let found = |base: &Path| {
        let paths = metainfo.files().iter().map(|file| &file.path).chain(metainfo.empty_folders());
        paths.take(TRIED_MAX).filter(|path| base.join(local(&path.0)).exists()).count()
    };
    let is_begun = path.join(ROOM).join(metainfo.share().to_string()).is_dir();
    let (there, here) = (found(&below), found(path));
    if is_begun || there > here || here == 0 && below.is_dir() { below } else { path.to_owned() }
}

/// The ranges of each file whose pieces are not what they should be, joined where they touch.
fn bad_ranges(
    metainfo: &Metainfo,
    pieces: &[PieceIndex],
    digests: &[Option<Digest>],
) -> BTreeMap<FileIndex, Vec<[u64; 2]>> {
    let geometry = metainfo.geometry();
    let mut bad: BTreeMap<FileIndex, Vec<[u64; 2]>> = BTreeMap::new();
    for (piece, digest) in pieces.iter().zip(digests) {
        if *digest == Some(metainfo.piece_hash(*piece)) {
            continue;
        }
        let (file, from) = geometry.place(*piece);
        let to = from + u64::from(geometry.length(*piece));
        let ranges = bad.entry(file).or_default();
        match ranges.last_mut() {
            Some(last) if last[1] == from => last[1] = to,
            _ => ranges.push([from, to]),
        }
    }
    bad
}

fn missing_folders(base: &Path, metainfo: &Metainfo) -> Vec<Fault> {
    let missing = metainfo.empty_folders().iter().filter(|folder| !base.join(local(&folder.0)).is_dir());
    let fault = |folder: &TreePath| Fault {
        path: folder.to_string(),
        what: "missing".to_owned(),
        ranges: Vec::new(),
    };
    missing.map(fault).collect()
}
