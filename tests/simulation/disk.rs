//! One machine's disk: what was ordered, what truly lies there, and what harm it does. A crash of the process loses nothing
//! of it, a power cut some of what was not synced. Verifies nothing but what is asked.

use std::collections::BTreeMap;

use minibit::chance::Chance;
use minibit::content::Block;
use minibit::ids::{Digest, ShareId};

use crate::faults::DiskFault;
use crate::queue::{Micros, SECOND};
use crate::tally::{Kind, Tally};
use crate::truth::{Truth, any_digest};

/// What was written is synced so long after.
const SYNC: Micros = SECOND;
/// What a write takes on a healthy disk.
const WRITE: Micros = 500;

/// A leaf's place.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// What was last ordered to be written.
    ordered: Option<Digest>,
    /// What lies there, right or wrong.
    there: Option<Digest>,
    /// When something was last written.
    at: Micros,
}

/// A machine's disk.
#[derive(Debug)]
pub struct Disk {
    shares: BTreeMap<ShareId, Vec<Vec<Cell>>>,
    /// How long a write takes.
    write_micros: Micros,
    /// Of a hundred reads, how many fail.
    read_errors_percent: usize,
    /// Writes fail.
    is_full: bool,
    /// The so-many-eth write or read from now on fails.
    fails_in: Option<u32>,
    fails_to_read_in: Option<u32>,
    /// No write ends before.
    stalls_until: Micros,
    /// What the next write comes to, and nobody is told.
    mishap: Option<Kind>,
    /// Whether what is read is compared with what was verified: else it is sent as it lies there.
    pub is_checked: bool,
    /// What took effect.
    pub tally: Tally,
    busy_until: Micros,
}

impl Disk {
    /// Nothing on it.
    pub fn empty() -> Disk {
        Disk {
            shares: BTreeMap::new(),
            write_micros: WRITE,
            read_errors_percent: 0,
            is_full: false,
            fails_in: None,
            fails_to_read_in: None,
            stalls_until: 0,
            mishap: None,
            is_checked: true,
            tally: Tally::default(),
            busy_until: 0,
        }
    }

    /// Makes room for a share, unless there is.
    pub fn make_room(&mut self, truth: &Truth) {
        let blank = || truth.leaves.iter().map(|leaves| vec![Cell::default(); leaves.len()]).collect();
        self.shares.entry(truth.share()).or_insert_with(blank);
    }

    /// Puts the true bytes of a piece there, long since.
    pub fn fill(&mut self, truth: &Truth, piece: usize) {
        self.make_room(truth);
        let there = self.shares.get_mut(&truth.share()).expect("room was made");
        let cell = |leaf: &Digest| Cell { ordered: Some(*leaf), there: Some(*leaf), at: 0 };
        there[piece] = truth.leaves[piece].iter().map(cell).collect();
    }

    /// Wipes a piece.
    pub fn wipe(&mut self, share: ShareId, piece: usize) {
        self.shares.get_mut(&share).expect("a share that is there")[piece].fill(Cell::default());
    }

    /// Harm is done to it, or ceases.
    pub fn suffer(&mut self, now: Micros, fault: DiskFault, chance: &mut Chance) {
        match fault {
            DiskFault::Slow(micros) => self.write_micros = micros,
            DiskFault::Stall(span) => self.stalls_until = now + span,
            DiskFault::Full(is_full) => self.is_full = is_full,
            DiskFault::FailWrite(nth) => self.fails_in = Some(nth),
            DiskFault::FailRead(nth) => self.fails_to_read_in = Some(nth),
            DiskFault::LoseWrite => self.mishap = Some(Kind::LostWrite),
            DiskFault::MisdirectWrite => self.mishap = Some(Kind::MisdirectedWrite),
            DiskFault::Rot => self.rot(chance),
            DiskFault::BadReads(percent) => self.read_errors_percent = percent,
        }
    }

    /// Whether it takes nothing.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// All troubles end, and the next write finds it idle; what is on it stays as it is.
    pub fn mend(&mut self, now: Micros) {
        (self.write_micros, self.read_errors_percent, self.is_full) = (WRITE, 0, false);
        (self.fails_in, self.fails_to_read_in, self.mishap) = (None, None, None);
        (self.stalls_until, self.busy_until) = (now, now);
    }

    /// When a write that is ordered now will have been tried: one comes after the other.
    pub fn write_ends(&mut self, now: Micros) -> Micros {
        if self.write_micros >= SECOND {
            self.tally.fired(Kind::SlowWrite);
        }
        if self.stalls_until > now {
            self.tally.fired(Kind::StalledWrite);
        }
        self.busy_until = self.busy_until.max(now).max(self.stalls_until) + self.write_micros;
        self.busy_until
    }

    /// Stores a block, or fails; the share must have room. Whether it says that it did.
    pub fn write(&mut self, now: Micros, share: ShareId, block: Block, leaves: &[Digest]) -> bool {
        if self.is_full {
            self.tally.fired(Kind::FullDisk);
            return false;
        }
        if is_last(&mut self.fails_in) {
            self.tally.fired(Kind::FailedWrite);
            return false;
        }
        let mishap = self.mishap.take();
        mishap.into_iter().for_each(|kind| self.tally.fired(kind));
        let there = self.shares.get_mut(&share).expect("a core writes only to what was prepared");
        let elsewhere = (block.piece.index() + 1) % there.len();
        for (at, digest) in block.leaves().zip(leaves) {
            there[block.piece.index()][at].ordered = Some(*digest);
            let target = match mishap {
                None => Some((block.piece.index(), at)),
                Some(Kind::LostWrite) => None,
                Some(_) => Some((elsewhere, at)),
            };
            let cell = target.and_then(|(piece, at)| there[piece].get_mut(at));
            cell.into_iter().for_each(|cell| (cell.there, cell.at) = (Some(*digest), now));
        }
        true
    }

    /// Bits of some leaf that is there change; of which is drawn.
    fn rot(&mut self, chance: &mut Chance) {
        let cells = self.shares.values_mut().flatten().flatten();
        let mut full: Vec<&mut Cell> = cells.filter(|cell| cell.there.is_some()).collect();
        if !full.is_empty() {
            let at = chance.below(full.len());
            full[at].there = Some(any_digest(chance));
            self.tally.fired(Kind::Rot);
        }
    }

    /// Of what was written within the last second, each leaf is undone or torn by chance.
    pub fn lose_power(&mut self, now: Micros, chance: &mut Chance) {
        let percent = [0, 50, 100][chance.below(3)];
        for cell in self.shares.values_mut().flatten().flatten() {
            let is_unsynced = cell.at > 0 && now < cell.at + SYNC;
            if is_unsynced && chance.below(100) < percent {
                let is_torn = chance.below(4) == 0;
                self.tally.fired(if is_torn { Kind::TornWrite } else { Kind::UndoneWrite });
                cell.there = is_torn.then(|| any_digest(chance));
            }
        }
        self.busy_until = now;
    }

    /// A new life looks at what is there, and takes it as it is.
    pub fn reopen(&mut self) {
        self.shares.values_mut().flatten().flatten().for_each(|cell| cell.ordered = cell.there);
    }

    /// Whether something lies there otherwise than it was ordered in this life.
    pub fn is_harmed(&self) -> bool {
        let mut cells = self.shares.values().flatten().flatten();
        cells.any(|cell| cell.ordered.is_some() && cell.ordered != cell.there)
    }

    /// Whether a read fails now.
    pub fn fails_to_read(&mut self, chance: &mut Chance) -> bool {
        let fails = is_last(&mut self.fails_to_read_in)
            || (self.read_errors_percent > 0 && chance.below(100) < self.read_errors_percent);
        if fails {
            self.tally.fired(Kind::FailedRead);
        }
        fails
    }

    /// What lies where a block should be; a hole reads as nothing in particular.
    pub fn read(&self, share: ShareId, block: Block) -> Vec<Digest> {
        let piece = self.shares.get(&share).map(|pieces| &pieces[block.piece.index()]);
        block.leaves().map(|leaf| piece.and_then(|piece| piece[leaf].there).unwrap_or_default()).collect()
    }

    /// All leaves of a piece; none where one is missing.
    pub fn piece(&self, share: ShareId, piece: usize) -> Option<Vec<Digest>> {
        self.shares.get(&share)?.get(piece)?.iter().map(|cell| cell.there).collect()
    }

    /// Whether the piece lies there, every byte right.
    pub fn is_true(&self, truth: &Truth, piece: usize) -> bool {
        self.piece(truth.share(), piece).as_ref() == Some(&truth.leaves[piece])
    }

    /// Whether all that was ordered to be written of the piece was right, whatever became of it.
    pub fn was_ordered_true(&self, truth: &Truth, piece: usize) -> bool {
        let cells = self.shares.get(&truth.share()).map(|pieces| &pieces[piece]);
        cells.is_some_and(|cells| {
            cells.iter().zip(&truth.leaves[piece]).all(|(cell, leaf)| cell.ordered == Some(*leaf))
        })
    }
}

/// Counts down; whether this is the one.
fn is_last(left: &mut Option<u32>) -> bool {
    *left = left.map(|left| left.saturating_sub(1));
    let is_last = *left == Some(0);
    if is_last {
        *left = None;
    }
    is_last
}
