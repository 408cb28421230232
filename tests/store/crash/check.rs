//! What must hold after any crash, looked at with other eyes than the store's: bytes are compared with what was shared.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use minibit::content::{PieceIndex, PieceSet};
use minibit::net::content::Scanned;

use crate::support::{content, room};

/// Two blocks, so that something may come between them.
pub const PIECE_BYTES: usize = 32 * 1024;
/// The files of the share that is played with: 64 pieces, of which some are a single block.
pub const FILES: [(&str, usize); 5] =
    [("a", 79 * 16_384), ("b/c", 30 * 16_384 + 5), ("b/d", 9 * 16_384), ("e/f/g", 4 * 16_384), ("h", 77)];

/// The true bytes of every file, and of every piece, by number, with the file they are of and where in it they are.
pub struct Truth {
    files: Vec<Vec<u8>>,
    pieces: Vec<(usize, usize, Vec<u8>)>,
}

impl Truth {
    /// Of [`FILES`].
    pub fn new() -> Truth {
        let files: Vec<Vec<u8>> = FILES.iter().map(|(path, bytes)| content(path, *bytes)).collect();
        let mut pieces = Vec::new();
        for (number, whole) in files.iter().enumerate() {
            pieces.extend(
                whole
                    .chunks(PIECE_BYTES)
                    .enumerate()
                    .map(|(at, piece)| (number, at * PIECE_BYTES, piece.to_vec())),
            );
        }
        Truth { files, pieces }
    }

    /// Every piece that the store believes in has its true bytes, wherever its file is; a file that stands in its place is
    /// right to the last byte, unless it is to be mended and not believed as a whole; and what was promised is there.
    pub fn check(
        &self,
        shared: &Scanned,
        dir: &Path,
        held: &PieceSet,
        promised: &BTreeSet<u32>,
        is_mended: bool,
    ) {
        let mut files: Vec<Option<Vec<u8>>> = Vec::new();
        for (number, (path, _)) in FILES.iter().enumerate() {
            let stands = fs::read(dir.join("tree").join(path)).ok();
            if let Some(stands) = &stands {
                let believed = held.iter().filter(|piece| self.pieces[piece.index()].0 == number).count();
                let all = self.pieces.iter().filter(|(file, ..)| *file == number).count();
                let is_mended = is_mended && believed < all;
                assert!(
                    *stands == self.files[number] || is_mended,
                    "'{path}' stands in its place and is not what was shared"
                );
            }
            let partial = room(dir, shared).join("partial").join(number.to_string());
            files.push(stands.or_else(|| fs::read(partial).ok()));
        }
        for piece in held.iter().map(PieceIndex::get) {
            let (file, at, truth) = &self.pieces[piece as usize];
            let there = files[*file].as_ref().and_then(|bytes| bytes.get(*at..*at + truth.len()));
            assert_eq!(there, Some(truth.as_slice()), "piece {piece} is believed and is not there");
        }
        let held: BTreeSet<u32> = held.iter().map(PieceIndex::get).collect();
        let broken: Vec<&u32> = promised.difference(&held).collect();
        assert!(broken.is_empty(), "pieces {broken:?} were synced and noted, and are gone");
    }
}
