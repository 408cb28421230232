//! What the micro-benchmarks may reach of the rooms within: a picker and a choker, each with all that it needs.
//!
//! No promise of the library; here so that the rooms may change without the benchmarks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::chance::Chance;
use crate::content::{Block, Metainfo, PieceIndex, PieceSet};
use crate::ids::LinkId;
use crate::time::Moment;

use super::choker::{Choker, ROUND, Standing, Terms, UNCHOKED_MAX};
use super::picker::{Offer, Picker, RANDOM_FIRST};

/// A picker that has begun: rarity counts.
#[derive(Debug)]
pub struct Picking {
    picker: Picker,
    chance: Chance,
}

impl Picking {
    /// Wants everything, holds just enough not to choose by chance any more.
    pub fn new(metainfo: Arc<Metainfo>, seed: u64) -> Picking {
        let (mut chance, count) = (Chance::new(seed), metainfo.geometry().piece_count());
        let mut held = PieceSet::empty(count);
        metainfo.geometry().pieces().take(RANDOM_FIRST as usize).for_each(|piece| {
            held.insert(piece);
        });
        let picker = Picker::new(metainfo, held, PieceSet::full(count), &mut chance);
        Picking { picker, chance }
    }

    /// Somebody holds this piece from now on.
    pub fn gained(&mut self, piece: PieceIndex) {
        self.picker.gained(piece);
    }

    /// Somebody holds it no more.
    pub fn lost_holder(&mut self, piece: PieceIndex) {
        self.picker.lost_holder(piece);
    }

    /// The next block to ask `link` for.
    pub fn next(&mut self, link: LinkId, stock: &PieceSet, bytes: u32, link_count: usize) -> Option<Block> {
        let mut offer = Offer { link, stock, suggested: &mut VecDeque::new(), is_guided: false };
        self.picker.next(&mut offer, bytes, link_count, &mut self.chance)
    }

    /// `link` will not send it.
    pub fn release(&mut self, link: LinkId, block: Block) {
        self.picker.release(link, block);
    }
}

/// A choker and those it chooses from.
#[derive(Debug)]
pub struct Choosing {
    choker: Choker,
    standings: Vec<Standing>,
    chance: Chance,
    now: Moment,
}

impl Choosing {
    /// So many who are interested and gave differently much.
    pub fn new(peers: u64, seed: u64) -> Choosing {
        let mut chance = Chance::new(seed);
        let standing = |link| Standing {
            link: LinkId(link),
            interested: true,
            merit: i64::from(u32::try_from(chance.below(1_000_000)).expect("below a million")),
            given_bytes: 0,
            pieces: 0,
            is_sated: false,
            is_asleep: false,
            network: None,
        };
        let standings = (0..peers).map(standing).collect();
        Choosing { choker: Choker::default(), standings, chance, now: Moment::START }
    }

    /// A round later, everyone is looked at anew. How many places change hands.
    pub fn next_round(&mut self) -> usize {
        self.now = self.now.after(ROUND);
        self.review()
    }

    /// Somebody came or went within the round.
    pub fn at_once(&mut self) -> usize {
        self.now = self.now.after(Duration::from_micros(1));
        self.review()
    }

    fn review(&mut self) -> usize {
        let terms = Terms { deserving_max: UNCHOKED_MAX, turn_bytes: 1 << 20 };
        let changes = self.choker.review(self.now, &self.standings, terms, &mut self.chance);
        changes.choke.len() + changes.unchoke.len()
    }
}
