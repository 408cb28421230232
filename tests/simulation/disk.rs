//! One machine's disk: what was written to it survives the machine's crash. Verifies nothing but what is asked.

use std::collections::BTreeMap;

use minibit::content::Block;
use minibit::ids::{Digest, ShareId};

use crate::queue::Micros;
use crate::truth::Truth;

/// Leaves as they lie on the disk, right or wrong.
#[derive(Debug)]
pub struct Disk {
    shares: BTreeMap<ShareId, Vec<Vec<Option<Digest>>>>,
    /// How long a write takes.
    pub write_micros: Micros,
    /// Of a hundred reads, how many fail.
    pub read_errors_percent: usize,
}

impl Disk {
    /// Nothing on it.
    pub fn empty() -> Disk {
        Disk { shares: BTreeMap::new(), write_micros: 500, read_errors_percent: 0 }
    }

    /// Makes room for a share, unless there is.
    pub fn make_room(&mut self, truth: &Truth) {
        let blank = || truth.leaves.iter().map(|leaves| vec![None; leaves.len()]).collect();
        self.shares.entry(truth.share()).or_insert_with(blank);
    }

    /// Puts the true bytes of a piece there.
    pub fn fill(&mut self, truth: &Truth, piece: usize) {
        self.make_room(truth);
        let there = self.shares.get_mut(&truth.share()).expect("room was made");
        there[piece] = truth.leaves[piece].iter().copied().map(Some).collect();
    }

    /// Wipes a piece.
    pub fn wipe(&mut self, share: ShareId, piece: usize) {
        self.shares.get_mut(&share).expect("a share that is there")[piece].fill(None);
    }

    /// Stores a block; the share must have room.
    pub fn write(&mut self, share: ShareId, block: Block, leaves: &[Digest]) {
        let there = self.shares.get_mut(&share).expect("a core writes only to what was prepared");
        for (at, digest) in block.leaves().zip(leaves) {
            there[block.piece.index()][at] = Some(*digest);
        }
    }

    /// What lies where a block should be; none where a leaf is missing.
    pub fn read(&self, share: ShareId, block: Block) -> Option<Vec<Digest>> {
        let piece = &self.shares.get(&share)?[block.piece.index()];
        block.leaves().map(|leaf| piece[leaf]).collect()
    }

    /// All leaves of a piece; none where one is missing.
    pub fn piece(&self, share: ShareId, piece: usize) -> Option<Vec<Digest>> {
        self.shares.get(&share)?.get(piece)?.iter().copied().collect()
    }

    /// Whether the piece lies there, every byte right.
    pub fn is_true(&self, truth: &Truth, piece: usize) -> bool {
        self.piece(truth.share(), piece).as_ref() == Some(&truth.leaves[piece])
    }
}
