//! How a machine's shell and its disk get on: writes that end or fail, waiting for a disk that refuses, and what reads find.

use minibit::content::{Block, PieceIndex};
use minibit::ids::{Digest, ShareId};
use minibit::seam::Event;

use super::World;
use crate::machine::Begin;
use crate::queue::{Happening, Micros, SECOND, Seat};
use crate::tally::Kind;

/// A disk that refused is tried again so often.
const PROBE: Micros = SECOND;

impl World {
    /// A write was tried.
    pub(super) fn stored(&mut self, seat: Seat, share: ShareId, block: Block, leaves: &[Digest]) {
        let now = self.now();
        let machine = &mut self.machines[seat.machine];
        if machine.life != seat.life {
            return;
        }
        let done = machine.disk.write(now, share, block, leaves);
        if !done && machine.halted.insert(share) {
            self.queue.after(PROBE, Happening::Probe(seat, share));
            self.tell(seat, Event::Halted { share });
        }
        self.tell(seat, Event::Wrote { share, block, done });
    }

    /// The shell tries a disk that refused.
    pub(super) fn probe(&mut self, seat: Seat, share: ShareId) {
        let machine = &mut self.machines[seat.machine];
        if machine.life != seat.life {
            return;
        }
        if machine.disk.is_full() || machine.pause.is_some() {
            return self.queue.after(PROBE, Happening::Probe(seat, share));
        }
        machine.halted.remove(&share);
        self.tell(seat, Event::Resumed { share });
    }

    /// A shell that compares what it reads says so when it is not what it was: what it wrote itself is fetched again, of
    /// what it was given all of that file is lost.
    pub(super) fn finds_rot(
        &mut self,
        seat: Seat,
        share: ShareId,
        piece: PieceIndex,
        is_sound: impl Fn(&[Digest]) -> bool,
    ) -> bool {
        let truth = self.truth(share);
        let machine = &self.machines[seat.machine];
        if is_sound(&truth.leaves[piece.index()]) || !machine.disk.is_checked {
            return false;
        }
        let is_download = machine.spec.shares.iter().any(|(number, begin)| {
            self.truths[*number].share() == share && matches!(begin, Begin::Linked | Begin::Described)
        });
        let geometry = truth.metainfo.geometry();
        let event = if is_download {
            Event::Spoiled { share, pieces: vec![piece] }
        } else {
            Event::Lost { share, pieces: geometry.pieces_of(geometry.place(piece).0).collect() }
        };
        self.tally.fired(Kind::RotFound);
        self.queue.after(0, Happening::Core(seat, event));
        true
    }
}
