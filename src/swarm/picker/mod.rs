//! Which block to ask a peer for next: finish what is begun, then the rarest piece, at the very end what others owe too.
//!
//! Knows pieces, counts and who was asked; does not decide whether a peer may be asked, nor how much at once.

mod assembly;
mod doubt;
mod loss;
mod progress;
mod rarity;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use crate::chance::Chance;
use crate::content::{Block, Metainfo, PieceIndex, PieceSet};
use crate::ids::{Digest, LinkId, PeerId};

use assembly::{Assembly, Outcome};
use progress::Progress;
pub use rarity::Rarity;

/// Pieces chosen by chance before rarity counts (BEP 3's practice): a first piece to trade with, soon.
pub const RANDOM_FIRST: u32 = 4;
/// Half-done pieces may hold at least this many bytes, as in libtorrent...
const BEGUN_BYTES: u64 = 32 * 1024 * 1024;
/// ...or three for every two links.
const BEGUN_PER_LINK: (usize, usize) = (3, 2);
/// How many peers are asked for one block at the very end.
const ENDGAME_ASKERS_MAX: usize = 3;

/// Who gave some bytes: kept as address and id, since an id alone is not proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Giver {
    /// On which link.
    pub link: LinkId,
    /// Who it said it is.
    pub id: PeerId,
    /// Where it was seen.
    pub ip: IpAddr,
    /// Where it accepts connections.
    pub port: u16,
    /// Whether it held everything when we met.
    pub was_seed: bool,
}

/// False bytes that somebody gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lie {
    /// Who.
    pub giver: Giver,
    /// How many.
    pub bytes: u64,
}

/// A peer that may be asked.
#[derive(Debug)]
pub struct Offer<'a> {
    /// Who.
    pub link: LinkId,
    /// What it holds.
    pub stock: &'a PieceSet,
    /// What it suggests, the oldest first; what is of no use any more is taken out.
    pub suggested: &'a mut VecDeque<PieceIndex>,
    /// Whether it is asked for nothing but what it suggests and what was begun with it.
    pub is_guided: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Unwanted,
    Missing,
    Doubtful,
    Begun,
    Held,
}

/// What became of bytes that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// Not needed any more.
    Wasted,
    /// To be written; these links need not send it any more.
    Taken(Vec<LinkId>),
}

/// What a finished write brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Nothing yet.
    Unfinished,
    /// The last write of a piece that was lost ended: it is fetched again.
    Reopened,
    /// The piece is held.
    Held,
    /// The piece's root is wrong: somebody lied, and its true leaves tell who.
    Wrong,
}

/// The state of every piece. Invariant: a piece is open in `rarity` exactly when it is `Missing`, in `doubtful` exactly when
/// it is `Doubtful`, and in `begun` exactly when it is `Begun`; `free` are those of `begun` with a leaf to ask for.
#[derive(Debug)]
pub struct Picker {
    metainfo: Arc<Metainfo>,
    wants: Vec<Want>,
    held: PieceSet,
    wanted: PieceSet,
    rarity: Rarity,
    /// The leaves, as they lie there, of pieces that are there and wrong, and that nobody is asked for yet.
    doubtful: BTreeMap<PieceIndex, Vec<Digest>>,
    /// The last pieces in doubt, in a row, of which nothing was right.
    vain_doubts: u32,
    begun: BTreeMap<PieceIndex, Assembly>,
    free: BTreeSet<PieceIndex>,
    /// Wanted, and not held.
    lacking: PieceSet,
    progress: Progress,
}

impl Picker {
    /// Knows what is held and what is wanted, and nobody yet.
    pub fn new(metainfo: Arc<Metainfo>, held: PieceSet, wanted: PieceSet, chance: &mut Chance) -> Picker {
        let piece_count = metainfo.geometry().piece_count();
        let mut wants = vec![Want::Unwanted; piece_count as usize];
        held.iter().for_each(|piece| wants[piece.index()] = Want::Held);
        let mut missing: Vec<PieceIndex> = wanted.minus(&held).collect();
        chance.shuffle(&mut missing);
        let mut rarity = Rarity::new(piece_count);
        for piece in &missing {
            wants[piece.index()] = Want::Missing;
            rarity.open(*piece);
        }
        let mut lacking = PieceSet::empty(piece_count);
        for piece in &missing {
            lacking.insert(*piece);
        }
        let progress = progress_alone(&metainfo, &held, &wanted);
        Picker {
            metainfo,
            wants,
            held,
            wanted,
            rarity,
            doubtful: BTreeMap::new(),
            vain_doubts: 0,
            begun: BTreeMap::new(),
            free: BTreeSet::new(),
            lacking,
            progress,
        }
    }

    /// What we hold, verified and written.
    pub fn held(&self) -> &PieceSet {
        &self.held
    }

    /// What we are to hold.
    pub fn wanted(&self) -> &PieceSet {
        &self.wanted
    }

    /// Whether everything wanted is held.
    pub fn is_complete(&self) -> bool {
        self.lacking.is_empty()
    }

    /// Whether this piece is wanted and not held yet.
    pub fn lacks(&self, piece: PieceIndex) -> bool {
        self.lacking.contains(piece)
    }

    /// What is wanted and not held yet.
    pub fn lacking(&self) -> &PieceSet {
        &self.lacking
    }

    /// A peer holds this piece from now on.
    pub fn gained(&mut self, piece: PieceIndex) {
        self.progress.one_more(self.copies(piece));
        self.rarity.raise(piece);
    }

    /// A peer that was counted for this piece is gone, or has it no more.
    pub fn lost_holder(&mut self, piece: PieceIndex) {
        self.progress.one_less(self.copies(piece));
        self.rarity.lower(piece);
    }

    /// Peers counted for this piece.
    pub fn holders(&self, piece: PieceIndex) -> u16 {
        self.rarity.count(piece)
    }

    /// How far the share is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// How many of those we see hold this piece, ourselves included.
    fn copies(&self, piece: PieceIndex) -> usize {
        usize::from(self.holders(piece)) + usize::from(self.held.contains(piece))
    }

    /// The next block to ask a peer for, at most `bytes` of it. It counts as asked.
    pub fn next(
        &mut self,
        offer: &mut Offer<'_>,
        bytes: u32,
        link_count: usize,
        chance: &mut Chance,
    ) -> Option<Block> {
        offer.suggested.retain(|piece| self.may_ask(*piece) && offer.stock.contains(*piece));
        if offer.is_guided || !offer.suggested.is_empty() {
            return self.guided(offer, bytes, link_count);
        }
        self.continued(offer, bytes).or_else(|| self.begin(offer, bytes, link_count, chance))
    }

    /// Whether everything there is is wanted.
    pub fn wants_all(&self) -> bool {
        self.wanted.is_full()
    }

    /// Whether some of this piece is neither here nor asked for.
    pub fn may_ask(&self, piece: PieceIndex) -> bool {
        self.rarity.is_open(piece) || self.free.contains(&piece)
    }

    /// `link` will not send `block`, or is not waited for: somebody else may be asked.
    pub fn release(&mut self, link: LinkId, block: Block) {
        let Some(assembly) = self.begun.get_mut(&block.piece) else { return };
        assembly.release(link, block);
        if assembly.is_untouched() {
            self.reopen(block.piece);
        } else if assembly.has_free() {
            self.free.insert(block.piece);
        }
    }

    /// `giver` sent `block`, whose leaves hash to `digests`.
    pub fn receive(&mut self, giver: Giver, block: Block, digests: &[Digest]) -> Receipt {
        let taken =
            self.begun.get_mut(&block.piece).and_then(|assembly| assembly.receive(giver, block, digests));
        taken.map_or(Receipt::Wasted, Receipt::Taken)
    }

    /// The write of `block` ended.
    pub fn wrote(&mut self, block: Block, done: bool) -> Finish {
        let Some(assembly) = self.begun.get_mut(&block.piece) else { return Finish::Unfinished };
        assembly.wrote(block, done);
        if assembly.is_spoilt() {
            self.reopen(block.piece);
            return Finish::Reopened;
        }
        if assembly.has_free() {
            self.free.insert(block.piece);
        }
        let width = self.metainfo.geometry().padded_leaf_count(block.piece);
        match assembly.outcome(self.metainfo.piece_hash(block.piece), width) {
            Outcome::Unfinished => Finish::Unfinished,
            Outcome::Wrong => Finish::Wrong,
            Outcome::Right => {
                self.hold(block.piece);
                Finish::Held
            }
        }
    }

    fn hold(&mut self, piece: PieceIndex) {
        self.begun.remove(&piece);
        self.free.remove(&piece);
        self.wants[piece.index()] = Want::Held;
        self.progress.one_more(self.copies(piece));
        self.progress.done_bytes += u64::from(self.metainfo.geometry().length(piece));
        self.held.insert(piece);
        self.lacking.remove(piece);
    }

    /// Frees what is false of a wrong piece, and tells who gave it. Without `truth` nobody can tell which leaves those are:
    /// then all of it is, and only who gave it alone is surely a liar.
    pub fn judge(&mut self, piece: PieceIndex, truth: Option<&[Digest]>) -> Vec<Lie> {
        let Some(assembly) = self.begun.get_mut(&piece) else { return Vec::new() };
        let was_doubted = truth.is_some() && assembly.is_of_nobody();
        let lies = assembly.judge(truth);
        let is_vain = assembly.is_untouched();
        if was_doubted {
            self.weigh_doubts(is_vain);
        }
        if is_vain {
            self.reopen(piece);
        } else {
            self.free.insert(piece);
        }
        lies
    }

    /// Who gave some part of a piece in the making.
    pub fn givers(&self, piece: PieceIndex) -> Vec<Giver> {
        self.begun.get(&piece).map_or(Vec::new(), Assembly::givers)
    }

    fn reopen(&mut self, piece: PieceIndex) {
        self.doubtful.remove(&piece);
        self.begun.remove(&piece);
        self.free.remove(&piece);
        self.wants[piece.index()] = Want::Missing;
        self.rarity.open(piece);
    }

    /// A block of a half-done piece: one this peer is at already, else the one nearest its end.
    fn continued(&mut self, offer: &Offer<'_>, bytes: u32) -> Option<Block> {
        let held_there = self.free.iter().copied().filter(|piece| offer.stock.contains(*piece));
        let piece = held_there.min_by_key(|piece| {
            let assembly = &self.begun[piece];
            (!assembly.involves(offer.link), assembly.free_count())
        })?;
        self.take(offer.link, piece, bytes)
    }

    /// A block of what this peer is at already, else of what it suggested first. What others are at waits, though it be
    /// begun: the peer knows what nobody else was given yet.
    fn guided(&mut self, offer: &Offer<'_>, bytes: u32, link_count: usize) -> Option<Block> {
        let is_at =
            |piece: &&PieceIndex| offer.stock.contains(**piece) && self.begun[*piece].involves(offer.link);
        let piece = self.free.iter().find(is_at).or_else(|| offer.suggested.front()).copied()?;
        let has_room = self.begun.len() < self.begun_max(link_count);
        match self.rarity.is_open(piece) {
            true if has_room => self.open_up(offer.link, piece, bytes),
            true => None,
            false => self.take(offer.link, piece, bytes),
        }
    }

    fn begin(
        &mut self,
        offer: &Offer<'_>,
        bytes: u32,
        link_count: usize,
        chance: &mut Chance,
    ) -> Option<Block> {
        if self.rarity.open_count() == 0 || self.begun.len() >= self.begun_max(link_count) {
            return None;
        }
        let is_early = self.held.count() < RANDOM_FIRST;
        let piece = if is_early {
            self.rarity.any(offer.stock, chance)
        } else {
            self.rarity.rarest(offer.stock, chance)
        };
        self.open_up(offer.link, piece?, bytes)
    }

    fn open_up(&mut self, link: LinkId, piece: PieceIndex, bytes: u32) -> Option<Block> {
        self.rarity.close(piece);
        self.wants[piece.index()] = Want::Begun;
        self.begun.insert(piece, Assembly::new(piece, self.metainfo.geometry().length(piece)));
        self.free.insert(piece);
        self.take(link, piece, bytes)
    }

    /// A block that somebody else owes already, for an idle peer at the very end. Strict: only once every remaining
    /// block is asked for is one asked for twice. It counts as asked of `link` too.
    pub fn endgame(&mut self, link: LinkId, stock: &PieceSet) -> Option<Block> {
        if !self.all_is_asked() {
            return None;
        }
        let candidates = self.begun.iter().filter(|(piece, _)| stock.contains(**piece));
        let (_, block) = candidates.filter_map(|(_, a)| a.least_asked(link, ENDGAME_ASKERS_MAX)).min()?;
        self.begun.get_mut(&block.piece)?.ask_again(link, block);
        Some(block)
    }

    /// Whether all that is missing is asked of somebody.
    pub fn all_is_asked(&self) -> bool {
        self.rarity.open_count() == 0
            && self.doubtful.is_empty()
            && self.free.is_empty()
            && !self.begun.is_empty()
    }

    /// Whether this block is asked of `link`, and of nobody else.
    pub fn is_asked_of(&self, link: LinkId, block: Block) -> bool {
        self.begun.get(&block.piece).is_some_and(|assembly| assembly.askers(block).eq([link]))
    }

    /// `to` is asked for `block` instead of `from`.
    pub fn hand_over(&mut self, from: LinkId, to: LinkId, block: Block) {
        if let Some(assembly) = self.begun.get_mut(&block.piece) {
            assembly.ask_again(to, block);
            assembly.release(from, block);
        }
    }

    fn take(&mut self, link: LinkId, piece: PieceIndex, bytes: u32) -> Option<Block> {
        let assembly = self.begun.get_mut(&piece)?;
        let block = assembly.take(link, bytes);
        if !assembly.has_free() {
            self.free.remove(&piece);
        }
        block
    }

    fn begun_max(&self, link_count: usize) -> usize {
        let by_bytes = BEGUN_BYTES / u64::from(self.metainfo.geometry().piece_bytes());
        let by_bytes = usize::try_from(by_bytes).unwrap_or(usize::MAX);
        by_bytes.max(link_count * BEGUN_PER_LINK.0 / BEGUN_PER_LINK.1).max(4)
    }

    /// Asserts what the type's invariant says; for tests.
    pub fn check(&self) {
        let mut recounted = progress_alone(&self.metainfo, &self.held, &self.wanted);
        for piece in self.metainfo.geometry().pieces() {
            let own = usize::from(self.held.contains(piece));
            (own..self.copies(piece)).for_each(|copies| recounted.one_more(copies));
        }
        assert_eq!(recounted.copies_percent(), self.progress.copies_percent());
        assert_eq!(recounted.done_bytes, self.progress.done_bytes);
        for piece in self.metainfo.geometry().pieces() {
            let want = self.wants[piece.index()];
            assert_eq!(want == Want::Missing, self.rarity.is_open(piece), "{piece:?} {want:?}");
            assert_eq!(want == Want::Begun, self.begun.contains_key(&piece), "{piece:?} {want:?}");
            assert_eq!(want == Want::Doubtful, self.doubtful.contains_key(&piece), "{piece:?} {want:?}");
            let is_lacked = matches!(want, Want::Missing | Want::Doubtful | Want::Begun);
            assert_eq!(is_lacked, self.lacks(piece), "{piece:?} {want:?}");
            assert_eq!(want == Want::Held, self.held.contains(piece), "{piece:?} {want:?}");
            let is_free = self.begun.get(&piece).is_some_and(Assembly::has_free);
            assert_eq!(is_free, self.free.contains(&piece), "{piece:?}");
        }
    }
}

/// Where a share stands that nobody else was seen with.
fn progress_alone(metainfo: &Metainfo, held: &PieceSet, wanted: &PieceSet) -> Progress {
    let bytes = |piece| u64::from(metainfo.geometry().length(piece));
    let mut progress = Progress::new(held.piece_count());
    held.iter().for_each(|_| progress.one_more(0));
    progress.total_bytes = wanted.iter().map(bytes).sum();
    progress.done_bytes = progress.total_bytes - wanted.minus(held).map(bytes).sum::<u64>();
    progress
}
