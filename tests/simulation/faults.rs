//! Trouble, and how much of it comes when. Only names it: the world does it.

use minibit::chance::Chance;

use crate::queue::{Micros, SECOND};

/// One thing that goes wrong, or is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One standing wire dies, chosen by this number.
    CutWire(u64),
    /// All wires die.
    CutAll,
    /// One standing wire swallows bytes, in one direction or both, and nobody is told.
    Swallow(u64),
    /// One standing wire changes bytes on the way.
    Garble(u64),
    /// The process ends, all wires with it.
    Crash(usize),
    /// The machine vanishes: nobody is told.
    Vanish(usize),
    /// The process is started again on the same machine with the same disk.
    Return(usize),
    /// Dials to this machine fail, or succeed again.
    Refuse(usize, bool),
    /// Writes take this long.
    SlowDisk(usize, Micros),
    /// Of a hundred reads, this many fail.
    BadReads(usize, usize),
}

fn of_a_wire(chance: &mut Chance) -> Fault {
    let which = chance.draw();
    match chance.below(4) {
        0 | 1 => Fault::CutWire(which),
        2 => Fault::Swallow(which),
        _ => Fault::Garble(which),
    }
}

fn of_a_machine(chance: &mut Chance, machine: usize) -> [Fault; 2] {
    match chance.below(5) {
        0 => [Fault::Crash(machine), Fault::Return(machine)],
        1 => [Fault::Vanish(machine), Fault::Return(machine)],
        2 => [Fault::Refuse(machine, true), Fault::Refuse(machine, false)],
        3 => [Fault::SlowDisk(machine, 2 * SECOND), Fault::SlowDisk(machine, 500)],
        _ => [Fault::BadReads(machine, 20), Fault::BadReads(machine, 0)],
    }
}

/// When what goes wrong among `machines` from the beginning to `heal`, at which all is mended.
pub fn plan(chance: &mut Chance, machines: usize, heal: Micros) -> Vec<(Micros, Fault)> {
    let mut plan = Vec::new();
    for _ in 0..chance.below(12) {
        plan.push((chance.draw() % heal, of_a_wire(chance)));
    }
    for _ in 0..chance.below(5) {
        let machine = chance.below(machines);
        let [bad, good] = of_a_machine(chance, machine);
        let at = chance.draw() % heal;
        plan.push((at, bad));
        plan.push((at + chance.draw() % (heal - at), good));
        plan.push((heal, good));
    }
    if chance.below(4) == 0 {
        plan.push((chance.draw() % heal, Fault::CutAll));
    }
    plan
}
