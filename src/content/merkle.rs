//! SHA-256 Merkle trees over 16 KiB leaves, as BEP 52 builds them.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

use crate::ids::Digest;

/// Levels that any tree here may have: more than leaves in 2^63 bytes.
const LEVELS: usize = 64;

/// By height, the root of a tree of nothing but padding: zero digests at height 0.
static PADDING: LazyLock<[Digest; LEVELS]> = LazyLock::new(|| {
    let mut padding = [Digest::default(); LEVELS];
    for height in 1..LEVELS {
        padding[height] = parent(padding[height - 1], padding[height - 1]);
    }
    padding
});

/// The digest of one leaf: at most 16 KiB of one file.
pub fn leaf(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// The root over `digests`, padded with zero digests to `width` (a power of two, at least their number).
pub fn root(digests: &[Digest], width: usize) -> Digest {
    fold(digests.iter().copied(), 0, width)
}

/// The root of a file from the hashes of its pieces; `piece_leaves` is the leaves of a full piece.
/// A file of one piece has that piece's hash as its root.
pub fn file_root(pieces: &[Digest], piece_leaves: usize) -> Digest {
    fold(pieces.iter().copied(), height(piece_leaves), pieces.len().next_power_of_two())
}

/// As [`file_root`], from a piece layer as the metainfo has it: 32 bytes a piece.
pub fn layer_root(layer: &[u8], piece_leaves: usize) -> Digest {
    let (pieces, _) = layer.as_chunks::<32>();
    fold(pieces.iter().copied().map(Digest), height(piece_leaves), pieces.len().next_power_of_two())
}

fn height(width: usize) -> usize {
    assert!(width.is_power_of_two(), "a tree is a power of two wide");
    width.trailing_zeros() as usize
}

fn parent(left: Digest, right: Digest) -> Digest {
    let mut both = [0; 64];
    both[..32].copy_from_slice(&left.0);
    both[32..].copy_from_slice(&right.0);
    Digest(Sha256::digest(both).into())
}

/// The root over `nodes` of the height `base`, padded to `width` of them. Like counting in binary: two subtrees of one
/// height become one of the next, so only one of each height is held.
fn fold(nodes: impl Iterator<Item = Digest>, base: usize, width: usize) -> Digest {
    let top = base + height(width);
    let mut subtrees: Vec<(usize, Digest)> = Vec::with_capacity(LEVELS);
    for node in nodes {
        let mut new = (base, node);
        while let Some((_, left)) = subtrees.pop_if(|(height, _)| *height == new.0) {
            new = (new.0 + 1, parent(left, new.1));
        }
        subtrees.push(new);
    }
    let (mut height, mut digest) = subtrees.pop().unwrap_or((base, PADDING[base]));
    while height < top {
        digest = match subtrees.pop_if(|(left_height, _)| *left_height == height) {
            Some((_, left)) => parent(left, digest),
            None => parent(digest, PADDING[height]),
        };
        height += 1;
    }
    assert!(height == top && subtrees.is_empty(), "no more nodes than the width");
    digest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As BEP 52 says it, level by level, with every pad written out.
    fn by_the_book(digests: &[Digest], width: usize) -> Digest {
        let mut level = digests.to_vec();
        level.resize(width, Digest::default());
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| parent(pair[0], pair[1])).collect();
        }
        level[0]
    }

    fn digests(count: u32) -> Vec<Digest> {
        (0..count).map(|number| leaf(&number.to_be_bytes())).collect()
    }

    #[test]
    fn a_leaf_is_plain_sha_256() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(leaf(b"abc").to_string(), abc);
    }

    #[test]
    fn a_tree_of_one_is_its_leaf() {
        assert_eq!(root(&digests(1), 1), digests(1)[0]);
        assert_eq!(file_root(&digests(1), 64), digests(1)[0]);
    }

    #[test]
    fn a_layer_and_its_digests_have_one_root() {
        let pieces = digests(5);
        let layer: Vec<u8> = pieces.iter().flat_map(|digest| digest.0).collect();
        assert_eq!(layer_root(&layer, 4), file_root(&pieces, 4));
    }

    #[test]
    #[should_panic(expected = "no more nodes than the width")]
    fn more_leaves_than_the_width_are_a_bug() {
        root(&digests(5), 4);
    }

    proptest! {
        #[test]
        fn zero_digests_pad_the_leaves(count in 0u32..70, wider in 0u32..3) {
            let width = (count as usize).next_power_of_two() << wider;
            prop_assert_eq!(root(&digests(count), width), by_the_book(&digests(count), width));
        }

        #[test]
        fn pieces_make_the_root_that_all_leaves_make(leaves in 5u32..200, levels in 0u32..3) {
            let (leaves, piece_leaves) = (digests(leaves), 1usize << levels);
            let pieces: Vec<Digest> = leaves.chunks(piece_leaves).map(|piece| root(piece, piece_leaves)).collect();
            let width = leaves.len().next_power_of_two();
            prop_assert_eq!(file_root(&pieces, piece_leaves), by_the_book(&leaves, width));
        }
    }
}
