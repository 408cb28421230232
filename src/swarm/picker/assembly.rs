//! One piece in the making: which leaves are there, which are asked of whom, and who gave what.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::content::{Block, LEAF_BYTES, PieceIndex, merkle};
use crate::ids::{Digest, LinkId};

use super::{Giver, Lie};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaf {
    Free,
    Asked,
    Got(Digest),
    /// Lost with the whole piece, of which writes are still under way.
    Spoilt,
}

/// Some leaves that one peer gave.
#[derive(Clone, Debug)]
struct Gift {
    leaves: Range<usize>,
    giver: Giver,
}

/// What a finished piece turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Leaves or writes are still missing.
    Unfinished,
    /// Its root is right.
    Right,
    /// Its root is wrong: the true leaves tell which.
    Wrong,
}

/// A piece that was begun.
#[derive(Clone, Debug)]
pub struct Assembly {
    piece: PieceIndex,
    piece_bytes: u32,
    leaves: Vec<Leaf>,
    asks: Vec<(LinkId, Block)>,
    gifts: Vec<Gift>,
    writes_pending: u32,
}

impl Assembly {
    /// Nothing asked yet of a piece of so many bytes.
    pub fn new(piece: PieceIndex, piece_bytes: u32) -> Assembly {
        let leaf_count = piece_bytes.div_ceil(LEAF_BYTES) as usize;
        let leaves = vec![Leaf::Free; leaf_count];
        Assembly { piece, piece_bytes, leaves, asks: Vec::new(), gifts: Vec::new(), writes_pending: 0 }
    }

    /// All leaves are here, given by nobody.
    pub fn there(piece: PieceIndex, piece_bytes: u32, digests: &[Digest]) -> Assembly {
        let leaves = digests.iter().map(|digest| Leaf::Got(*digest)).collect();
        Assembly { leaves, ..Assembly::new(piece, piece_bytes) }
    }

    /// Whether nobody gave any of it, nor is asked to: it was there.
    pub fn is_of_nobody(&self) -> bool {
        self.gifts.is_empty() && self.asks.is_empty()
    }

    /// Whether some leaf is neither here nor asked for.
    pub fn has_free(&self) -> bool {
        self.leaves.contains(&Leaf::Free)
    }

    /// Leaves that are neither here nor asked for.
    pub fn free_count(&self) -> usize {
        self.leaves.iter().filter(|leaf| **leaf == Leaf::Free).count()
    }

    /// Whether nothing is asked, here or being written: it may be forgotten.
    pub fn is_untouched(&self) -> bool {
        self.writes_pending == 0 && self.leaves.iter().all(|leaf| *leaf == Leaf::Free)
    }

    /// Whether `link` is asked for, or gave, a part of it.
    pub fn involves(&self, link: LinkId) -> bool {
        self.asks.iter().any(|(of, _)| *of == link) || self.gifts.iter().any(|gift| gift.giver.link == link)
    }

    /// Takes the first free run of at most `bytes` for `link`.
    pub fn take(&mut self, link: LinkId, bytes: u32) -> Option<Block> {
        let first = self.leaves.iter().position(|leaf| *leaf == Leaf::Free)?;
        let run = self.leaves[first..].iter().take_while(|leaf| **leaf == Leaf::Free).count();
        let count = run.min((bytes / LEAF_BYTES).max(1) as usize);
        let start = u32::try_from(first).expect("a piece has at most 1,024 leaves") * LEAF_BYTES;
        let end = u32::try_from(first + count).expect("a piece has at most 1,024 leaves") * LEAF_BYTES;
        let block = Block { piece: self.piece, start, length: end.min(self.piece_bytes) - start };
        self.leaves[first..first + count].fill(Leaf::Asked);
        self.asks.push((link, block));
        Some(block)
    }

    /// The block with the fewest askers that `link` is not asked for, at most `askers_max` (endgame).
    pub fn least_asked(&self, link: LinkId, askers_max: usize) -> Option<(usize, Block)> {
        let askers = |block: Block| self.askers(block).count();
        let mine = |block: Block| self.asks.contains(&(link, block));
        let candidates = self.asks.iter().map(|(_, block)| *block).filter(|block| !mine(*block));
        candidates.map(|block| (askers(block), block)).filter(|(n, _)| *n < askers_max).min()
    }

    /// Notes that `link` is asked for `block` too.
    pub fn ask_again(&mut self, link: LinkId, block: Block) {
        self.asks.push((link, block));
    }

    /// Who is asked for just this block.
    pub fn askers(&self, block: Block) -> impl Iterator<Item = LinkId> + '_ {
        self.asks.iter().filter(move |(_, other)| *other == block).map(|(link, _)| *link)
    }

    /// `link` is no longer asked for `block`; its leaves are free unless somebody else is asked.
    pub fn release(&mut self, link: LinkId, block: Block) {
        let Some(place) = self.asks.iter().position(|ask| *ask == (link, block)) else { return };
        self.asks.swap_remove(place);
        if !self.asks.iter().any(|(_, other)| *other == block) {
            self.leaves[block.leaves()].fill(Leaf::Free);
        }
    }

    /// Takes what `giver` sent. Gives the other links that were asked for the same, or nothing where it is not needed.
    pub fn receive(&mut self, giver: Giver, block: Block, digests: &[Digest]) -> Option<Vec<LinkId>> {
        let range = block.leaves();
        if digests.len() != range.len() || self.leaves[range.clone()].iter().any(|leaf| *leaf != Leaf::Asked)
        {
            return None;
        }
        for (leaf, digest) in self.leaves[range.clone()].iter_mut().zip(digests) {
            *leaf = Leaf::Got(*digest);
        }
        let (same, rest): (Vec<_>, Vec<_>) = self.asks.drain(..).partition(|(_, other)| *other == block);
        self.asks = rest;
        self.gifts.push(Gift { leaves: range, giver });
        self.writes_pending += 1;
        Some(same.into_iter().map(|(link, _)| link).filter(|link| *link != giver.link).collect())
    }

    /// What there was of it is lost: nothing is asked or taken any more, and it may be forgotten once the writes that are
    /// under way ended, since their outcome must not pass for that of others.
    pub fn spoil(&mut self) {
        self.leaves.fill(Leaf::Spoilt);
        self.asks.clear();
        self.gifts.clear();
    }

    /// Whether it was spoilt, and no write is under way.
    pub fn is_spoilt(&self) -> bool {
        self.writes_pending == 0 && self.leaves.contains(&Leaf::Spoilt)
    }

    /// A write ended; one that failed frees its leaves.
    pub fn wrote(&mut self, block: Block, done: bool) {
        self.writes_pending = self.writes_pending.saturating_sub(1);
        if !done && !self.leaves.contains(&Leaf::Spoilt) {
            self.leaves[block.leaves()].fill(Leaf::Free);
            self.gifts.retain(|gift| gift.leaves != block.leaves());
        }
    }

    /// Whether the leaves, once all are here and written, add up to `expected`; the tree is `width` leaves wide.
    pub fn outcome(&self, expected: Digest, width: usize) -> Outcome {
        if self.writes_pending > 0 {
            return Outcome::Unfinished;
        }
        let got = |leaf: &Leaf| if let Leaf::Got(digest) = leaf { Some(*digest) } else { None };
        let Some(digests) = self.leaves.iter().map(got).collect::<Option<Vec<_>>>() else {
            return Outcome::Unfinished;
        };
        if merkle::root(&digests, width) == expected { Outcome::Right } else { Outcome::Wrong }
    }

    /// Frees every leaf that is not as in `truth` (all of them without it), and tells who gave how much of that.
    pub fn judge(&mut self, truth: Option<&[Digest]>) -> Vec<Lie> {
        let is_false = |index: usize, leaf: Leaf| match leaf {
            Leaf::Got(digest) => truth.is_none_or(|truth| truth[index] != digest),
            Leaf::Free | Leaf::Asked | Leaf::Spoilt => false,
        };
        let mut lies: BTreeMap<Giver, u64> = BTreeMap::new();
        for gift in &self.gifts {
            let false_leaves = gift.leaves.clone().filter(|index| is_false(*index, self.leaves[*index]));
            let bytes: u64 = false_leaves.map(|index| self.leaf_bytes(index)).sum();
            if bytes > 0 {
                *lies.entry(gift.giver).or_default() += bytes;
            }
        }
        for (index, leaf) in self.leaves.iter_mut().enumerate() {
            if is_false(index, *leaf) {
                *leaf = Leaf::Free;
            }
        }
        // Who gave something false is done with: what is true of its gifts needs no name any more.
        self.gifts.retain(|gift| !lies.contains_key(&gift.giver));
        lies.into_iter().map(|(giver, bytes)| Lie { giver, bytes }).collect()
    }

    /// Everyone who gave a part of it, each once.
    pub fn givers(&self) -> Vec<Giver> {
        let mut givers: Vec<Giver> = self.gifts.iter().map(|gift| gift.giver).collect();
        givers.sort_unstable();
        givers.dedup();
        givers
    }

    fn leaf_bytes(&self, index: usize) -> u64 {
        let before = index as u64 * u64::from(LEAF_BYTES);
        (u64::from(self.piece_bytes) - before).min(u64::from(LEAF_BYTES))
    }
}
