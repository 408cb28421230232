//! How the world does harm, and mends it.

use minibit::seam::Event;

use super::World;
use crate::faults::Fault;
use crate::network::Fate;
use crate::queue::{Happening, Micros, Seat, Tip};

impl World {
    /// Puts these troubles into the queue.
    pub fn expect(&mut self, plan: &[(Micros, Fault)]) {
        for (at, fault) in plan {
            self.queue.at(*at, Happening::Trouble(*fault));
        }
    }

    /// Does it now.
    pub fn trouble(&mut self, fault: Fault) {
        self.trace.note(self.now(), 0, '!', &fault);
        match fault {
            Fault::CutWire(which) => {
                if let Some(wire) = self.some_wire(which) {
                    self.network.cut(&mut self.queue, wire);
                }
            }
            Fault::CutAll => {
                for wire in self.network.standing() {
                    self.network.cut(&mut self.queue, wire);
                }
            }
            Fault::Swallow(which) => self.doom(which, Fate::Hole),
            Fault::Garble(which) => self.doom(which, Fate::Garbled),
            Fault::Crash(machine) => self.lose(machine, false),
            Fault::Vanish(machine) => self.lose(machine, true),
            Fault::Return(machine) => {
                if self.machines[machine].node.is_none() {
                    self.boot(machine);
                }
            }
            Fault::Refuse(machine, is_refusing) => self.machines[machine].is_refusing = is_refusing,
            Fault::SlowDisk(machine, micros) => self.machines[machine].disk.write_micros = micros,
            Fault::BadReads(machine, percent) => self.machines[machine].disk.read_errors_percent = percent,
        }
    }

    fn some_wire(&self, which: u64) -> Option<usize> {
        let standing = self.network.standing();
        let count = standing.len() as u64;
        standing.get(usize::try_from(which.checked_rem(count)?).ok()?).copied()
    }

    fn doom(&mut self, which: u64, fate: Fate) {
        let Some(wire) = self.some_wire(which) else { return };
        for end in 0..2 {
            let tip = Tip { wire, end };
            let (seat, link) = self.network.who(tip);
            self.checker.excuse(seat.machine, link);
            if (which >> 32) % 3 != end as u64 {
                self.network.doom(tip, fate);
            }
        }
    }

    /// A process ends.
    pub fn lose(&mut self, machine: usize, is_silent: bool) {
        if self.machines[machine].node.is_some() {
            self.machines[machine].stop();
            self.machines[machine].is_silent = is_silent;
            self.excuse_links_with(machine, is_silent);
            self.network.lose_machine(&mut self.queue, machine, is_silent);
        }
    }

    /// Who speaks to one that vanished may take its silence for a fault.
    fn excuse_links_with(&mut self, machine: usize, is_silent: bool) {
        for wire in self.network.standing().into_iter().filter(|_| is_silent) {
            let ends = [0, 1].map(|end| self.network.who(Tip { wire, end }));
            if ends.iter().any(|(seat, _)| seat.machine == machine) {
                ends.iter().for_each(|(seat, link)| self.checker.excuse(seat.machine, *link));
            }
        }
    }

    /// The content beneath a piece changes, and the shell notices.
    pub fn lose_piece(&mut self, machine: usize, piece: u32) {
        let (share, life) = (self.truths[0].share(), self.machines[machine].life);
        self.machines[machine].disk.wipe(share, piece as usize);
        let geometry = self.truths[0].metainfo.geometry();
        let pieces = vec![geometry.piece(u64::from(piece)).expect("a piece of the share")];
        self.tell(Seat { machine, life }, Event::Lost { share, pieces });
    }
}
