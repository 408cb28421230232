//! How many peers hold each piece, and the open pieces in that order: every change and every pick in a few steps.

use crate::chance::Chance;
use crate::content::{PieceIndex, PieceSet};

/// How many places are tried before the order is left for a scan of the peer's own stock.
const PROBES_MAX: usize = 128;
const NOWHERE: u32 = u32::MAX;

/// Counts for all pieces, and an order over those that are open: wanted, not held, not begun.
///
/// Invariants: `order` is sorted by count; `starts[c]..starts[c + 1]` are the places of the open pieces with count `c`;
/// `places[p]` is where piece `p` stands, or [`NOWHERE`]; `open` are the pieces of `order`.
#[derive(Clone, Debug)]
pub struct Rarity {
    counts: Vec<u16>,
    places: Vec<u32>,
    order: Vec<PieceIndex>,
    open: PieceSet,
    starts: Vec<u32>,
}

impl Rarity {
    /// No piece open, nobody holding any.
    pub fn new(piece_count: u32) -> Rarity {
        let pieces = piece_count as usize;
        Rarity {
            counts: vec![0; pieces],
            places: vec![NOWHERE; pieces],
            order: Vec::new(),
            open: PieceSet::empty(piece_count),
            starts: vec![0, 0],
        }
    }

    /// Puts `piece` among the open ones.
    pub fn open(&mut self, piece: PieceIndex) {
        debug_assert!(!self.is_open(piece));
        self.stretch(self.counts[piece.index()]);
        let mut place = self.order.len();
        self.order.push(piece);
        self.open.insert(piece);
        self.places[piece.index()] = narrow(place);
        let count = usize::from(self.counts[piece.index()]);
        for bucket in (count + 1..self.starts.len()).rev() {
            let first = self.starts[bucket] as usize;
            self.starts[bucket] += 1;
            self.swap(place, first);
            place = first;
        }
    }

    /// Takes `piece` from among the open ones, where it was.
    pub fn close(&mut self, piece: PieceIndex) {
        if !self.is_open(piece) {
            return;
        }
        let mut place = self.places[piece.index()] as usize;
        let count = usize::from(self.counts[piece.index()]);
        for bucket in count + 1..self.starts.len() {
            self.starts[bucket] -= 1;
            let last = self.starts[bucket] as usize;
            self.swap(place, last);
            place = last;
        }
        self.order.pop();
        self.open.remove(piece);
        self.places[piece.index()] = NOWHERE;
    }

    /// Whether `piece` is among the open ones.
    pub fn is_open(&self, piece: PieceIndex) -> bool {
        self.places[piece.index()] != NOWHERE
    }

    /// How many pieces are open.
    pub fn open_count(&self) -> usize {
        self.order.len()
    }

    /// How many peers were counted for `piece`.
    pub fn count(&self, piece: PieceIndex) -> u16 {
        self.counts[piece.index()]
    }

    /// Counts one holder more.
    pub fn raise(&mut self, piece: PieceIndex) {
        let count = self.counts[piece.index()];
        if self.is_open(piece) {
            self.stretch(count + 1);
            let last = self.starts[usize::from(count) + 1] - 1;
            self.swap(self.places[piece.index()] as usize, last as usize);
            self.starts[usize::from(count) + 1] = last;
        }
        self.counts[piece.index()] = count + 1;
    }

    /// Counts one holder less.
    pub fn lower(&mut self, piece: PieceIndex) {
        let count = self.counts[piece.index()];
        assert!(count > 0, "availability goes down exactly by what went up");
        if self.is_open(piece) {
            let first = self.starts[usize::from(count)];
            self.swap(self.places[piece.index()] as usize, first as usize);
            self.starts[usize::from(count)] = first + 1;
        }
        self.counts[piece.index()] = count - 1;
    }

    /// The rarest open piece that is in `stock`, ties by chance.
    pub fn rarest(&self, stock: &PieceSet, chance: &mut Chance) -> Option<PieceIndex> {
        self.first_that(|piece| stock.contains(piece), chance).or_else(|| self.rarest_of(stock, chance))
    }

    /// The open piece with the lowest count that `fits`, ties by chance; gives up after [`PROBES_MAX`] that do not.
    pub fn first_that(&self, fits: impl Fn(PieceIndex) -> bool, chance: &mut Chance) -> Option<PieceIndex> {
        let mut probes_left = PROBES_MAX;
        let ends = self.starts[1..].iter().copied().chain([narrow(self.order.len())]);
        for (start, end) in self.starts.iter().zip(ends).filter(|(start, end)| *start < end) {
            let bucket = &self.order[*start as usize..end as usize];
            let (late, early) = bucket.split_at(chance.below(bucket.len()));
            let mut turned = early.iter().chain(late).take(probes_left);
            if let Some(piece) = turned.find(|piece| fits(**piece)) {
                return Some(*piece);
            }
            probes_left = probes_left.saturating_sub(bucket.len());
            if probes_left == 0 {
                break;
            }
        }
        None
    }

    /// An open piece that is in `stock`, each with about equal chance.
    pub fn any(&self, stock: &PieceSet, chance: &mut Chance) -> Option<PieceIndex> {
        if self.order.is_empty() {
            return None;
        }
        let mut draws = (0..PROBES_MAX).map(|_| self.order[chance.below(self.order.len())]);
        let drawn = draws.find(|piece| stock.contains(*piece));
        drop(draws);
        drawn.or_else(|| self.rarest(stock, chance))
    }

    /// As `rarest`, looking through all that is open and that the peer holds: quicker where that is little.
    fn rarest_of(&self, stock: &PieceSet, chance: &mut Chance) -> Option<PieceIndex> {
        let mut best = None;
        let (mut least, mut ties) = (u16::MAX, 0);
        for piece in self.open.both(stock) {
            let count = self.count(piece);
            if count < least {
                (best, least, ties) = (Some(piece), count, 1);
            } else if count == least {
                ties += 1;
                if chance.below(ties) == 0 {
                    best = Some(piece);
                }
            }
        }
        best
    }

    /// Makes sure that bucket `count` and the one above it exist.
    fn stretch(&mut self, count: u16) {
        let end = narrow(self.order.len());
        while self.starts.len() < usize::from(count) + 2 {
            self.starts.push(end);
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.order.swap(one, other);
        self.places[self.order[one].index()] = narrow(one);
        self.places[self.order[other].index()] = narrow(other);
    }
}

fn narrow(place: usize) -> u32 {
    u32::try_from(place).expect("a share has at most 2^21 pieces")
}
