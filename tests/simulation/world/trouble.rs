//! How the world does harm.

use minibit::seam::Event;

use super::World;
use crate::faults::{Fault, Ways, WireFault};
use crate::network::{Fate, Line};
use crate::queue::{Happening, Micros, Seat, Tip};
use crate::tally::Kind;

/// Slowest line, bytes a second.
const RATE_MIN: u64 = 1_000;

impl World {
    /// Puts these troubles into the queue.
    pub fn expect(&mut self, plan: &[(Micros, Fault)]) {
        for (at, fault) in plan {
            self.queue.at(*at, Happening::Trouble(fault.clone()));
        }
    }

    /// Does it now.
    pub fn trouble(&mut self, fault: Fault) {
        self.trace.note(self.now(), 0, '!', &fault);
        match fault {
            Fault::CutAll => self.cut_all(),
            Fault::Wire(which, fault) => self.harm_wire(which, fault),
            Fault::Part(some, ways, span, kind) => self.part(&some, ways, span, kind),
            Fault::Weather(machine, jitter, loss_percent) => {
                self.network.weather.lines[machine] = Line { jitter, loss_percent };
            }
            Fault::Rate(machine, millionths) => self.change_rate(machine, millionths),
            Fault::Roam(machine, is_told) => self.roam(machine, is_told),
            Fault::Crash(machine) => self.lose(machine, false),
            Fault::Vanish(machine) => self.lose(machine, true),
            Fault::PowerCut(machine) => self.cut_power(machine),
            Fault::Return(machine) => {
                if self.machines[machine].node.is_none() {
                    self.boot(machine);
                }
            }
            Fault::Pause(machine, span, is_suspension) => {
                self.pause(machine, is_suspension);
                self.queue.after(span, Happening::Trouble(Fault::Resume(machine)));
            }
            Fault::Resume(machine) => self.resume(machine),
            Fault::Jump(machine, micros) => self.jump(machine, micros),
            Fault::Refuse(machine, is_refusing) => self.machines[machine].is_refusing = is_refusing,
            Fault::Disk(machine, fault) => {
                let (now, it) = (self.now(), &mut self.machines[machine]);
                it.disk.suffer(now, fault, &mut it.chance);
            }
        }
    }

    fn cut_all(&mut self) {
        self.tally.fired(Kind::ResetOfAll);
        for wire in self.network.standing() {
            self.network.cut(&mut self.queue, Tip { wire, end: 0 });
        }
    }

    fn harm_wire(&mut self, which: u64, fault: WireFault) {
        let Some(tip) = pick(&self.network.standing(), which) else { return };
        let both = [tip, tip.across()];
        let either = if (which >> 32).is_multiple_of(3) { &both[..] } else { &both[..1] };
        match fault {
            WireFault::Cut => {
                self.tally.fired(Kind::Reset);
                self.network.cut(&mut self.queue, tip);
            }
            WireFault::HalfClose => {
                self.tally.fired(Kind::HalfClose);
                self.network.half_close(&mut self.queue, tip);
            }
            WireFault::Swallow => either.iter().for_each(|tip| self.network.doom(*tip, Fate::Hole)),
            WireFault::Garble => either.iter().for_each(|tip| self.network.doom(*tip, Fate::Garbled)),
            WireFault::Flip => {
                for tip in
                    both.into_iter().filter(|tip| self.network.who(*tip).0.machine > 0).collect::<Vec<_>>()
                {
                    self.network.doom(tip, Fate::Flipped);
                }
            }
        }
    }

    fn part(&mut self, some: &[usize], ways: Ways, span: Micros, kind: Kind) {
        let until = self.now() + span;
        for &one in some {
            for other in (0..self.machines.len()).filter(|other| !some.contains(other)) {
                if ways != Ways::In {
                    self.network.weather.close(one, other, until, kind);
                }
                if ways != Ways::Out {
                    self.network.weather.close(other, one, until, kind);
                }
            }
        }
    }

    fn change_rate(&mut self, machine: usize, millionths: u64) {
        let spec = &self.machines[machine].spec;
        let rate = |rate: u64| (rate * millionths / 1_000_000).max(RATE_MIN);
        let (up, down) = (rate(spec.up_rate), rate(spec.down_rate));
        if up == RATE_MIN {
            self.tally.fired(Kind::Collapse);
        }
        self.network.set_rates(machine, up, down);
    }

    /// A machine goes on at another address.
    fn roam(&mut self, machine: usize, is_told: bool) {
        self.move_away(machine);
        if self.machines[machine].node.is_some() {
            self.tally.fired(Kind::Roaming);
            self.network.strand_machine(&mut self.queue, machine, is_told);
        }
    }

    fn cut_power(&mut self, machine: usize) {
        let now = self.now();
        self.lose(machine, true);
        self.tally.fired(Kind::PowerCut);
        let it = &mut self.machines[machine];
        it.disk.lose_power(now, &mut it.chance);
    }

    fn jump(&mut self, machine: usize, micros: i64) {
        self.tally.fired(if micros < 0 { Kind::JumpBack } else { Kind::JumpAhead });
        let it = &mut self.machines[machine];
        it.clock.jump(micros.into());
        if it.node.is_some() {
            // The system looks at its timers anew.
            let seat = Seat { machine, life: it.life };
            self.rewake(seat);
        }
    }

    /// A process ends.
    pub fn lose(&mut self, machine: usize, is_silent: bool) {
        if self.machines[machine].node.is_some() {
            self.tally.fired(if is_silent { Kind::Vanishing } else { Kind::Crash });
            self.machines[machine].stop();
            self.machines[machine].is_silent = is_silent;
            self.network.lose_machine(&mut self.queue, machine, is_silent);
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

/// One of these wires, seen from one of its ends.
fn pick(wires: &[usize], which: u64) -> Option<Tip> {
    let at = which.checked_rem(wires.len() as u64)?;
    let wire = wires[usize::try_from(at).ok()?];
    Some(Tip { wire, end: usize::from(which >> 60 & 1 == 1) })
}
