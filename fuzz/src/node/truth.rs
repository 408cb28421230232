//! The share of the stories: a few pieces, of which every leaf is known.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use minibit::content::metainfo::FileEntry;
use minibit::content::{Block, LEAF_BYTES, Metainfo, Name, PieceIndex, PieceSet, TreePath, merkle};
use minibit::ids::Digest;

const PIECE_BYTES: u32 = 4 * LEAF_BYTES;
/// Pieces of one leaf and of several, whole and short, and a file without any.
const LENGTHS: [u64; 5] = [3 * PIECE_BYTES as u64 + 5, 0, 1, 2 * LEAF_BYTES as u64, 2 * PIECE_BYTES as u64];

/// A share with every leaf of it.
pub struct Truth {
    pub metainfo: Arc<Metainfo>,
    /// Of each piece, the digest of each leaf.
    pub leaves: Vec<Vec<Digest>>,
}

pub static TRUTH: LazyLock<Truth> = LazyLock::new(Truth::new);

impl Truth {
    fn new() -> Truth {
        let mut leaves: Vec<Vec<Digest>> = Vec::new();
        let (mut files, mut hashes) = (Vec::new(), Vec::new());
        for (number, length) in LENGTHS.into_iter().enumerate() {
            let count = length.div_ceil(u64::from(PIECE_BYTES));
            for piece in 0..count {
                let bytes = u64::from(PIECE_BYTES).min(length - piece * u64::from(PIECE_BYTES));
                let leaf = |leaf: u64| merkle::leaf(format!("{number} {piece} {leaf}").as_bytes());
                let own: Vec<Digest> = (0..bytes.div_ceil(u64::from(LEAF_BYTES))).map(leaf).collect();
                let width = if count == 1 { own.len().next_power_of_two() } else { 4 };
                hashes.push(merkle::root(&own, width));
                leaves.push(own);
            }
            let name = Name::new(&[b'a', b'0' + u8::try_from(number).expect("few")]).expect("a plain name");
            files.push(FileEntry { path: TreePath(vec![name]), length, executable: false });
        }
        let name = Name::new(b"share").expect("a plain name");
        let metainfo = Metainfo::describe(&name, PIECE_BYTES, false, files, hashes, Vec::new());
        Truth { metainfo: Arc::new(metainfo.expect("a plain share")), leaves }
    }

    /// The pieces that `bits` tell and that are not held, as they may lie there: every other leaf wrong.
    pub fn spoilt(&self, bits: u8, held: &PieceSet) -> BTreeMap<PieceIndex, Vec<Digest>> {
        let is_there = |piece: &PieceIndex| bits >> (piece.get() % 6) & 1 == 1 && !held.contains(*piece);
        let pieces = self.metainfo.geometry().pieces().filter(is_there);
        let leaf = |(at, digest): (usize, &Digest)| if at % 2 == 0 { Digest([9; 32]) } else { *digest };
        pieces
            .map(|piece| (piece, self.leaves[piece.index()].iter().enumerate().map(leaf).collect()))
            .collect()
    }

    /// The digests of a block's leaves.
    pub fn block(&self, block: Block) -> Vec<Digest> {
        self.leaves[block.piece.index()][block.leaves()].to_vec()
    }
}
