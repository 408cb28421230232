//! Trees of files, and the shortest words to share, open and fill.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use minibit::content::{Block, PieceIndex, PieceSet};
use minibit::net::content::{
    Differing, Plan, ScanError, ScanOptions, Scanned, Store, StoreError, UNWATCHED, scan,
};
use tempfile::TempDir;

pub const PIECE_BYTES: u32 = 32 * 1024;

/// A world to play in: `there` is shared, `here` is downloaded into.
pub struct World {
    pub there: PathBuf,
    pub here: PathBuf,
    _ground: TempDir,
}

/// A fresh world with the files `(path, length)` in a folder named `tree`.
pub fn world(files: &[(&str, usize)]) -> World {
    let ground = tempfile::tempdir().expect("a temporary folder");
    let (there, here) = (ground.path().join("there/tree"), ground.path().join("here"));
    fs::create_dir_all(&there).expect("a folder");
    files.iter().for_each(|(path, bytes)| put(&there.join(path), &content(path, *bytes)));
    World { there, here, _ground: ground }
}

/// Bytes that differ from file to file and from leaf to leaf.
pub fn content(name: &str, bytes: usize) -> Vec<u8> {
    let mut state = name.bytes().fold(7_u64, |sum, c| sum.wrapping_mul(31).wrapping_add(u64::from(c)));
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..bytes).map(|_| next()).collect()
}

pub fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, bytes).expect("a file");
}

/// Changes two bytes of a file.
pub fn spoil(path: &Path, at: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).expect("a file");
    file.write_all_at(b"!?", at).expect("writable");
}

pub fn try_share(path: &Path, options: ScanOptions) -> Result<Scanned, ScanError> {
    scan(path, options, UNWATCHED)
}

pub fn share(path: &Path) -> Scanned {
    let options = ScanOptions { piece_bytes: Some(PIECE_BYTES), ..ScanOptions::default() };
    try_share(path, options).expect("it can be shared")
}

pub fn plan(dir: &Path) -> Plan {
    Plan { dir: dir.to_owned(), select: Vec::new(), differing: Differing::Refused }
}

pub fn try_open(plan: &Plan, shared: &Scanned) -> Result<(Store, PieceSet), StoreError> {
    Store::open(plan, shared.metainfo.clone(), UNWATCHED)
}

pub fn open(plan: &Plan, shared: &Scanned) -> (Store, PieceSet) {
    try_open(plan, shared).expect("it can be opened")
}

/// The blocks of a piece, a leaf each.
pub fn blocks(store: &Store, piece: PieceIndex) -> Vec<Block> {
    let geometry = store.metainfo().geometry();
    let length = u64::from(geometry.length(piece));
    let starts = (0..length).step_by(16 * 1024);
    let block = |start| geometry.block(u64::from(piece.get()), start, (length - start).min(16 * 1024));
    starts.map(|start| block(start).expect("a block of the piece")).collect()
}

/// Copies one piece, and keeps it.
pub fn copy_piece(from: &Store, to: &Store, piece: PieceIndex) {
    write_piece(from, to, piece);
    to.keep(piece).expect("kept");
}

/// Copies one piece.
pub fn write_piece(from: &Store, to: &Store, piece: PieceIndex) {
    for block in blocks(from, piece) {
        let mut bytes = vec![0; block.length as usize];
        from.read(block, &mut bytes).expect("readable");
        to.write(block, &bytes).expect("writable");
    }
}

/// Copies everything that is wanted and not held.
pub fn fill(from: &Store, to: &Store, held: &PieceSet) {
    to.wanted().minus(held).for_each(|piece| copy_piece(from, to, piece));
}

/// Downloads the whole of `shared` into `dir`, as a fresh process would.
pub fn download(shared: &Scanned, dir: &Path) -> Arc<Store> {
    let (store, held) = open(&plan(dir), shared);
    fill(&shared.store, &store, &held);
    assert!(store.is_finished(), "nothing is left to do");
    Arc::new(store)
}

/// Every path below `dir`, folders with a slash, and the bytes of every file.
pub fn listing(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(dir).min_depth(1).sort_by_file_name() {
        let entry = entry.expect("readable");
        let path = entry.path().strip_prefix(dir).expect("below").display().to_string();
        match entry.file_type() {
            kind if kind.is_dir() => found.push((path + "/", Vec::new())),
            kind if kind.is_file() => found.push((path, fs::read(entry.path()).expect("readable"))),
            _ => found.push((path + "@", Vec::new())),
        }
    }
    found
}

/// The file numbered `file` in the making.
pub fn partial(dir: &Path, shared: &Scanned, file: usize) -> PathBuf {
    room(dir, shared).join("partial").join(file.to_string())
}

pub fn room(dir: &Path, shared: &Scanned) -> PathBuf {
    dir.join(".minibit").join(shared.metainfo.share().to_string())
}
