//! Our metainfo and libtorrent's agree byte for byte: the table that `libtorrent/vectors.py` wrote.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a failed test may panic")]

use minibit::content::metainfo::FileEntry;
use minibit::content::{Geometry, LEAF_BYTES, Metainfo, Name, TreePath, merkle};
use minibit::ids::Digest;
use serde::Deserialize;

#[derive(Deserialize)]
struct Share {
    name: String,
    piece_bytes: u32,
    single: bool,
    hybrid: bool,
    files: Vec<File>,
    share: String,
    torrent: String,
}

#[derive(Deserialize)]
struct File {
    path: String,
    length: u64,
    executable: bool,
    key: String,
    root: String,
}

fn shares() -> Vec<Share> {
    let shares: Vec<Share> = serde_json::from_str(include_str!("vectors/libtorrent.json")).unwrap();
    assert!(shares.len() > 20);
    shares
}

fn torrent(share: &Share) -> Vec<u8> {
    data_encoding::BASE64.decode(share.torrent.as_bytes()).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn path(text: &str) -> TreePath {
    TreePath(text.split('/').map(name).collect())
}

/// The bytes that `vectors.py` wrote.
fn content(file: &File) -> Vec<u8> {
    let digest = |number| merkle::leaf(format!("{}:{number}", file.key).as_bytes()).0;
    let mut bytes: Vec<u8> = (0..file.length.div_ceil(32)).flat_map(digest).collect();
    bytes.truncate(file.length as usize);
    bytes
}

/// As whoever hashes a folder does it: leaf by leaf, each piece with the padding its geometry tells.
fn hashes(file: &File, piece_bytes: u32) -> Vec<Digest> {
    let geometry = Geometry::new(u64::from(piece_bytes), &[file.length]).unwrap();
    let bytes = content(file);
    let pieces = geometry.pieces().zip(bytes.chunks(piece_bytes as usize)).map(|(piece, bytes)| {
        let leaves: Vec<_> = bytes.chunks(LEAF_BYTES as usize).map(merkle::leaf).collect();
        merkle::root(&leaves, geometry.padded_leaf_count(piece))
    });
    pieces.collect()
}

fn described(share: &Share) -> Metainfo {
    let entry =
        |file: &File| FileEntry { path: path(&file.path), length: file.length, executable: file.executable };
    let files = share.files.iter().map(entry).collect();
    let hashes = share.files.iter().flat_map(|file| hashes(file, share.piece_bytes)).collect();
    Metainfo::describe(&name(&share.name), share.piece_bytes, share.single, files, hashes, vec![]).unwrap()
}

#[test]
fn we_describe_content_with_the_very_bytes_and_the_id_that_libtorrent_writes() {
    for share in shares().iter().filter(|share| !share.hybrid) {
        let ours = described(share);
        assert_eq!(ours.share().to_string(), share.share, "{} {}", share.name, share.files[0].length);
        assert_eq!(
            ours,
            Metainfo::parse(&torrent(share)).unwrap(),
            "{} {}",
            share.name,
            share.files[0].length
        );
    }
}

#[test]
fn we_read_what_libtorrent_writes_file_by_file() {
    for share in shares() {
        let theirs = Metainfo::parse(&torrent(&share)).unwrap();
        assert_eq!(theirs.share().to_string(), share.share);
        assert_eq!((theirs.name(), theirs.is_single_file()), (&name(&share.name), share.single));
        assert_eq!(theirs.geometry().piece_bytes(), share.piece_bytes);
        let mut files: Vec<&File> = share.files.iter().collect();
        files.sort_by_key(|file| path(&file.path));
        assert_eq!(theirs.files().len(), files.len());
        for (file, wanted) in theirs.geometry().files().zip(files) {
            let found = theirs.file(file);
            let root = theirs.root(file).map(|root| root.to_string()).unwrap_or_default();
            assert_eq!((found.path.clone(), found.length), (path(&wanted.path), wanted.length));
            assert_eq!((found.executable, root), (wanted.executable, wanted.root.clone()));
        }
    }
}

#[test]
fn the_piece_hashes_of_a_hybrid_are_those_of_its_content() {
    let share = shares().into_iter().find(|share| share.hybrid).unwrap();
    let theirs = Metainfo::parse(&torrent(&share)).unwrap();
    let ours: Vec<_> = share.files.iter().flat_map(|file| hashes(file, share.piece_bytes)).collect();
    let found: Vec<_> = theirs.geometry().pieces().map(|piece| theirs.piece_hash(piece)).collect();
    assert_eq!(found, ours);
}
