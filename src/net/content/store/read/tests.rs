//! What a read that fails says of what is held.

use rustix::io::Errno;

use super::*;
use crate::net::content::{ScanOptions, UNWATCHED, scan};

/// What is lost of a file of three pieces by a read of the second that fails, and whether that can be read afterwards.
fn lost_by(errno: Errno) -> (Vec<u32>, bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    std::fs::write(&path, [7; 3 * 32 * 1024]).unwrap();
    let options = ScanOptions { piece_bytes: Some(32 * 1024), ..ScanOptions::default() };
    let store = scan(&path, options, UNWATCHED).unwrap().store;
    let piece = store.metainfo().geometry().piece(1).unwrap();
    let loss = store.lose(piece, errno.into());
    let block = Block { piece, start: 0, length: LEAF_BYTES };
    let is_readable = store.read(block, &mut [0; LEAF_BYTES as usize]).is_ok();
    (loss.pieces.iter().map(|piece| piece.get()).collect(), is_readable)
}

#[test]
fn what_passes_costs_nothing_a_bad_sector_its_piece_and_a_change_the_whole_file() {
    for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::TIMEDOUT, Errno::STALE] {
        assert_eq!(lost_by(errno), (vec![], true), "{errno:?}");
    }
    assert_eq!(lost_by(Errno::IO), (vec![1], true));
    assert_eq!(lost_by(Errno::NOENT), (vec![0, 1, 2], false));
}
