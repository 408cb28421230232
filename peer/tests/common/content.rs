//! Files and folders to share, and the comparison of what arrived.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::binaries;
use minibit::chance::Chance;

/// The four media files of the project.
pub fn media() -> PathBuf {
    binaries::project().join("testdata/media")
}

/// `length` bytes that differ for each `seed` and compress badly.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut chance = Chance::new(seed);
    let words = std::iter::repeat_with(|| chance.draw().to_le_bytes());
    words.take(length.div_ceil(8)).flatten().take(length).collect()
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("the folder can be made");
    fs::write(path, bytes).expect("the file can be written");
}

/// `place/NAME`: one file of so many bytes.
pub fn file(place: &Path, name: &str, length: usize) -> PathBuf {
    let path = place.join(name);
    write(&path, &noise(length as u64, length));
    path
}

/// `place/tree`: nested folders, empty things, an executable, lengths around a leaf; about `length` bytes in all.
pub fn tree(place: &Path, length: usize) -> PathBuf {
    let root = place.join("tree");
    for (name, length) in [
        ("a/empty", 0),
        ("a/one", 1),
        ("a/b/c/almost a leaf", 16_383),
        ("a/b/c/leaf", 16_384),
        ("a/b/more than a leaf", 16_385),
        ("ação/日本語 ☂.txt", 70_000),
        ("large", length),
    ] {
        write(&root.join(name), &noise(length as u64 + 1, length));
    }
    fs::create_dir_all(root.join("empty folder")).expect("the folder can be made");
    write(&root.join("run.sh"), b"#!/bin/sh\necho minibit\n");
    fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o755)).expect("it is ours");
    root
}

/// Fails unless the two files or folders hold the same names, bytes and executable bits.
pub fn assert_same(wanted: &Path, found: &Path) {
    let (wanted, found) = (listing(wanted), listing(found));
    for name in wanted.keys().chain(found.keys()) {
        assert_eq!(wanted.get(name), found.get(name), "what was shared and what arrived differ in '{name}'");
    }
}

/// Path below `root` → what is there: a folder, or a file's SHA-256 and executable bit.
pub fn listing(root: &Path) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::new();
    list(root, root, &mut entries);
    entries
}

fn list(root: &Path, path: &Path, entries: &mut BTreeMap<String, String>) {
    let found = fs::symlink_metadata(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let name = path.strip_prefix(root).expect("it lies below").to_string_lossy().into_owned();
    if found.is_dir() {
        entries.insert(name, "folder".to_owned());
        for entry in fs::read_dir(path).expect("a folder can be read") {
            list(root, &entry.expect("an entry can be read").path(), entries);
        }
        return;
    }
    assert!(found.is_file(), "{} is neither file nor folder", path.display());
    let executable = found.permissions().mode() & 0o100 != 0;
    let hash = Sha256::digest(fs::read(path).expect("a file can be read"));
    entries.insert(name, format!("{}{}", HEXLOWER.encode(&hash), if executable { " x" } else { "" }));
}
