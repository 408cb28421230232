//! What will happen next in the simulated world: one queue, one order. Knows nothing of what it holds.

use std::collections::BTreeMap;

use minibit::content::Block;
use minibit::ids::{Digest, Endpoint, ShareId};
use minibit::seam::Event;

use crate::faults::Fault;
use crate::network::Frame;

/// Virtual time, in microseconds since the world began.
pub type Micros = u64;

/// A virtual second.
pub const SECOND: Micros = 1_000_000;
/// A virtual minute.
pub const MINUTE: Micros = 60 * SECOND;

/// One life of one machine: what was meant for an earlier life is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    /// Its number.
    pub machine: usize,
    /// How many times it has been started.
    pub life: u32,
}

/// One end of one wire; as a lane, the direction away from that end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tip {
    /// Which wire.
    pub wire: usize,
    /// 0 dialled, 1 accepted.
    pub end: usize,
}

impl Tip {
    /// The other end.
    pub fn across(self) -> Tip {
        Tip { wire: self.wire, end: 1 - self.end }
    }
}

/// Something that happens in the world.
#[derive(Debug)]
pub enum Happening {
    /// A core is told of an event.
    Core(Seat, Event),
    /// A core's deadline may have come.
    Wake(Seat),
    /// A dial reaches its target.
    Knock(Seat, ShareId, Endpoint),
    /// The chunk under way has left this machine.
    Uplinked(usize),
    /// A chunk reaches the receiver's downlink; with it the frame that it completes.
    Arrived(Tip, u64, Option<Frame>),
    /// A chunk is through the receiver's downlink.
    Landed(Tip, Option<Frame>),
    /// An end that was to close within a second.
    CloseDue(Tip),
    /// A write is on the disk.
    Stored(Seat, ShareId, Block, Vec<Digest>),
    /// A shell tries a disk again that refused a write.
    Probe(Seat, ShareId),
    /// Trouble.
    Trouble(Fault),
}

/// Everything to come, in order of time, then of arrival.
#[derive(Debug, Default)]
pub struct Queue {
    now: Micros,
    serial: u64,
    /// In boxes, since most of what moves in the tree is moved past.
    coming: BTreeMap<(Micros, u64), Box<Happening>>,
}

impl Queue {
    /// The moment that is.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Puts `happening` at `at`, or now when that is past.
    pub fn at(&mut self, at: Micros, happening: Happening) {
        self.serial += 1;
        self.coming.insert((at.max(self.now), self.serial), Box::new(happening));
    }

    /// Puts `happening` `span` from now.
    pub fn after(&mut self, span: Micros, happening: Happening) {
        self.at(self.now + span, happening);
    }

    /// The next happening not after `end`, time moving to it; none moves time to `end`.
    pub fn next(&mut self, end: Micros) -> Option<Happening> {
        match self.coming.first_entry() {
            Some(first) if first.key().0 <= end => {
                self.now = first.key().0;
                Some(*first.remove())
            }
            _ => {
                self.now = self.now.max(end);
                None
            }
        }
    }
}
