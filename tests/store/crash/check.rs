//! What must hold after any crash, looked at with other eyes than the store's: bytes are compared with what was shared.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use minibit::content::{PieceIndex, PieceSet};
use minibit::net::content::{Differing, Scanned};

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
    /// right to the last byte, unless it may differ and is not believed in as a whole; and what was promised is there.
    pub fn check(
        &self,
        shared: &Scanned,
        dir: &Path,
        held: &PieceSet,
        promised: &BTreeSet<u32>,
        differing: Differing,
    ) {
        let mut files: Vec<Vec<Vec<u8>>> = Vec::new();
        for (number, (path, _)) in FILES.iter().enumerate() {
            let stands = fs::read(dir.join("tree").join(path)).ok();
            let partial = fs::read(room(dir, shared).join("partial").join(number.to_string())).ok();
            files.push(match stands {
                Some(stands) if stands != self.files[number] => {
                    assert!(
                        differing != Differing::Refused,
                        "'{path}' stands in its place and is not what was shared"
                    );
                    let believed = held.iter().filter(|piece| self.pieces[piece.index()].0 == number).count();
                    let all = self.pieces.iter().filter(|(file, ..)| *file == number).count();
                    // What is to be replaced, or waits for that, is not what is believed in.
                    let is_mended = differing == Differing::Mended && believed < all;
                    Some(stands).filter(|_| is_mended).into_iter().chain(partial).collect()
                }
                Some(stands) => vec![stands],
                None => partial.into_iter().collect(),
            });
        }
        for piece in held.iter().map(PieceIndex::get) {
            let (file, at, truth) = &self.pieces[piece as usize];
            let is_there = |bytes: &Vec<u8>| bytes.get(*at..*at + truth.len()) == Some(truth);
            assert!(files[*file].iter().any(is_there), "piece {piece} is believed and is not there");
        }
        let held: BTreeSet<u32> = held.iter().map(PieceIndex::get).collect();
        let broken: Vec<&u32> = promised.difference(&held).collect();
        assert!(broken.is_empty(), "pieces {broken:?} were synced and noted, and are gone");
    }
}
