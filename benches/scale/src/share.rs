//! What is shared: a description, and for every leaf a digest that stands for bytes nobody needs here.

use std::sync::Arc;

use minibit::chance::Chance;
use minibit::content::metainfo::FileEntry;
use minibit::content::{Block, Geometry, Metainfo, Name, PieceIndex, TreePath, merkle};
use minibit::ids::Digest;

/// One file of made-up content.
#[derive(Debug)]
pub struct Share {
    /// Its description; true of `leaves`.
    pub metainfo: Arc<Metainfo>,
    leaves: Vec<Vec<Digest>>,
}

fn any_digest(chance: &mut Chance) -> Digest {
    let mut bytes = [0; 32];
    for word in bytes.chunks_exact_mut(8) {
        word.copy_from_slice(&chance.draw().to_be_bytes());
    }
    Digest(bytes)
}

impl Share {
    /// A file of so many bytes; the piece length is the product's own choice where none is given.
    pub fn new(bytes: u64, piece_bytes: Option<u32>, chance: &mut Chance) -> anyhow::Result<Share> {
        let piece_bytes = piece_bytes.unwrap_or_else(|| Geometry::chosen_piece_bytes(bytes));
        let geometry = Geometry::new(u64::from(piece_bytes), &[bytes])?;
        let leaves: Vec<Vec<Digest>> = geometry
            .pieces()
            .map(|piece| (0..geometry.leaf_count(piece)).map(|_| any_digest(chance)).collect())
            .collect();
        let roots = geometry
            .pieces()
            .map(|piece| merkle::root(&leaves[piece.index()], geometry.padded_leaf_count(piece)))
            .collect();
        let name = Name::new(b"share")?;
        let path = TreePath(vec![name.clone()]);
        let file = FileEntry { path, length: bytes, executable: false };
        let metainfo = Metainfo::describe(&name, piece_bytes, true, vec![file], roots, Vec::new())?;
        Ok(Share { metainfo: Arc::new(metainfo), leaves })
    }

    /// Bytes in it.
    pub fn bytes(&self) -> u64 {
        self.metainfo.geometry().total_bytes()
    }

    /// Pieces in it.
    pub fn piece_count(&self) -> u32 {
        self.metainfo.geometry().piece_count()
    }

    /// Leaves in it.
    pub fn leaf_count(&self) -> usize {
        self.leaves.iter().map(Vec::len).sum()
    }

    /// What a receiver computes of a block's bytes.
    pub fn digests(&self, block: Block) -> Vec<Digest> {
        self.leaves[block.piece.index()][block.leaves()].to_vec()
    }

    /// All leaves of a piece.
    pub fn piece(&self, piece: PieceIndex) -> Vec<Digest> {
        self.leaves[piece.index()].clone()
    }
}
