//! What a share truly is, known to the world and its checker only. A leaf's digest stands for the leaf's bytes.

use std::sync::Arc;

use minibit::chance::Chance;
use minibit::content::metainfo::FileEntry;
use minibit::content::{Metainfo, Name, PieceSet, TreePath, merkle};
use minibit::ids::{Digest, ShareId};
use minibit::seam::Payload;
use minibit::wire::Message;

const LEAF: u64 = 16 * 1024;

/// A share with every leaf of it.
#[derive(Clone, Debug)]
pub struct Truth {
    /// Its description.
    pub metainfo: Arc<Metainfo>,
    /// Of each piece, the digest of each leaf.
    pub leaves: Vec<Vec<Digest>>,
}

/// Random bytes in a digest's clothes.
pub fn any_digest(chance: &mut Chance) -> Digest {
    let mut bytes = [0; 32];
    for word in bytes.chunks_exact_mut(8) {
        word.copy_from_slice(&chance.draw().to_be_bytes());
    }
    Digest(bytes)
}

fn file_leaves(length: u64, piece_bytes: u64, chance: &mut Chance) -> Vec<Vec<Digest>> {
    let starts = (0..length).step_by(usize::try_from(piece_bytes).expect("a piece fits memory"));
    starts
        .map(|start| {
            let bytes = piece_bytes.min(length - start);
            (0..bytes.div_ceil(LEAF)).map(|_| any_digest(chance)).collect()
        })
        .collect()
}

fn file_hashes(pieces: &[Vec<Digest>], piece_bytes: u64) -> Vec<Digest> {
    let full = usize::try_from(piece_bytes / LEAF).expect("a piece fits memory");
    let width = |leaves: usize| if pieces.len() == 1 { leaves.next_power_of_two() } else { full };
    pieces.iter().map(|leaves| merkle::root(leaves, width(leaves.len()))).collect()
}

impl Truth {
    /// Files of these lengths with content that `chance` makes up.
    pub fn new(piece_bytes: u32, lengths: &[u64], chance: &mut Chance) -> Truth {
        let mut leaves = Vec::new();
        let (mut files, mut hashes) = (Vec::new(), Vec::new());
        for (number, &length) in lengths.iter().enumerate() {
            let pieces = file_leaves(length, u64::from(piece_bytes), chance);
            let name = Name::new(format!("file-{number:03}").as_bytes()).expect("a plain name");
            hashes.extend(file_hashes(&pieces, u64::from(piece_bytes)));
            files.push(FileEntry { path: TreePath(vec![name]), length, executable: false });
            leaves.extend(pieces);
        }
        let name = Name::new(b"share").expect("a plain name");
        let metainfo =
            Metainfo::describe(&name, piece_bytes, false, files, hashes, Vec::new()).expect("a plain share");
        Truth { metainfo: Arc::new(metainfo), leaves }
    }

    /// Its id.
    pub fn share(&self) -> ShareId {
        self.metainfo.share()
    }

    /// Bytes in it.
    pub fn bytes(&self) -> u64 {
        self.metainfo.geometry().total_bytes()
    }

    /// Its pieces for which `is_in` holds.
    pub fn set(&self, is_in: impl Fn(u32) -> bool) -> PieceSet {
        let geometry = self.metainfo.geometry();
        let mut set = PieceSet::empty(geometry.piece_count());
        for piece in geometry.pieces().filter(|piece| is_in(piece.get())) {
            set.insert(piece);
        }
        set
    }

    /// Whether a payload is what it is said to be; one of nothing says nothing.
    pub fn agrees(&self, message: &Message, payload: &Payload) -> bool {
        let at = |number: u64| usize::try_from(number).expect("of a share in memory");
        match (message, payload) {
            (Message::Block { piece, start, .. }, Payload::Digests(said)) => {
                let leaves = self.leaves.get(at(*piece)).map_or(&[][..], Vec::as_slice);
                let first = at(start / LEAF).min(leaves.len());
                leaves[first..].starts_with(said)
            }
            (Message::Leaves { piece, .. }, Payload::Digests(said)) => {
                said.is_empty() || self.leaves.get(at(*piece)) == Some(said)
            }
            (Message::Metainfo { start, .. }, Payload::Bytes(said)) => {
                let served = self.metainfo.served_bytes();
                served[at(*start).min(served.len())..].starts_with(said)
            }
            _ => true,
        }
    }
}
