//! Metainfo: what is believed is within the limits, stays below its folder, and is served and described again the same.

use std::collections::BTreeSet;

use minibit::content::geometry::{FILES_MAX, PIECE_BYTES_MAX, PIECE_BYTES_MIN, PIECES_MAX};
use minibit::content::metainfo::FileEntry;
use minibit::content::names::{PATH_BYTES_MAX, PATH_DEPTH_MAX};
use minibit::content::{Metainfo, TreePath};
use minibit::ids::Digest;

/// A metainfo, or where the first byte is no `d`, a file tree of one after that byte.
pub fn run(bytes: &[u8]) {
    let read = match bytes {
        [b'd', ..] | [] => Metainfo::parse(bytes),
        [_, tree @ ..] => Metainfo::parse(&with_tree(tree)),
    };
    match read {
        Ok(metainfo) => check(&metainfo),
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
}

fn with_tree(tree: &[u8]) -> Vec<u8> {
    let (head, tail) = ("d4:infod9:file tree", "12:meta versioni2e4:name5:share12:piece lengthi16384ee");
    [head.as_bytes(), tree, tail.as_bytes(), b"12:piece layersdee"].concat()
}

fn check(metainfo: &Metainfo) {
    check_geometry(metainfo);
    let files = metainfo.files().iter().map(|file| &file.path);
    let paths: Vec<&TreePath> = files.chain(metainfo.empty_folders()).collect();
    paths.iter().for_each(|path| check_path(path));
    assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len(), "no path is there twice");
    assert_eq!(Metainfo::parse(metainfo.served_bytes()).as_ref(), Ok(&without_endpoints(metainfo)));
    let file = Metainfo::parse(&metainfo.to_file(metainfo.endpoints())).expect("what is written is read");
    assert_eq!(&file, metainfo);
    check_described_again(metainfo);
}

/// What is served says nothing of where to begin.
fn without_endpoints(metainfo: &Metainfo) -> Metainfo {
    Metainfo::parse(&metainfo.to_file(&[])).expect("what is written is read")
}

fn check_geometry(metainfo: &Metainfo) {
    let geometry = metainfo.geometry();
    assert!((PIECE_BYTES_MIN..=PIECE_BYTES_MAX).contains(&geometry.piece_bytes()));
    assert!(geometry.piece_count() <= PIECES_MAX && metainfo.files().len() <= FILES_MAX as usize);
    let total: u128 = metainfo.files().iter().map(|file| u128::from(file.length)).sum();
    assert_eq!(total, u128::from(geometry.total_bytes()));
}

fn check_path(path: &TreePath) {
    assert!((1..=PATH_DEPTH_MAX).contains(&path.0.len()));
    assert!(path.0.iter().map(|name| name.as_bytes().len() + 1).sum::<usize>() <= PATH_BYTES_MAX + 1);
    for name in &path.0 {
        let bytes = name.as_bytes();
        assert!(!matches!(bytes, b"" | b"." | b"..") && !bytes.iter().any(|byte| b"/\\\0".contains(byte)));
    }
}

/// Whoever has the same content describes it in the same words, but for what others added.
fn check_described_again(metainfo: &Metainfo) {
    let geometry = metainfo.geometry();
    let hashes: Vec<Digest> = geometry.pieces().map(|piece| metainfo.piece_hash(piece)).collect();
    let files: Vec<FileEntry> = metainfo.files().to_vec();
    let (single, folders) = (metainfo.is_single_file(), metainfo.empty_folders().to_vec());
    let again = Metainfo::describe(metainfo.name(), geometry.piece_bytes(), single, files, hashes, folders);
    let again = again.expect("what was read can be described");
    assert_eq!((again.files(), again.empty_folders()), (metainfo.files(), metainfo.empty_folders()));
    assert!(geometry.pieces().all(|piece| again.piece_hash(piece) == metainfo.piece_hash(piece)));
    assert!(again.served_bytes().len() <= metainfo.served_bytes().len());
}
