//! How much trouble comes when, drawn from a seed.

use minibit::chance::Chance;

use super::{DiskFault, Fault, Ways, WireFault};
use crate::queue::{Micros, SECOND};
use crate::tally::Kind;

/// When what goes wrong, or is mended.
pub type Plan = Vec<(Micros, Fault)>;

/// When what goes wrong among `machines` from the beginning to `heal`, at which the world mends all. Machine 0 is the one
/// that all others know: its disk and its payloads are sound, and it keeps its address.
pub fn plan(chance: &mut Chance, machines: usize, heal: Micros) -> Plan {
    let mut plan = Plan::new();
    for _ in 0..chance.below(8) {
        plan.push((chance.draw() % heal, of_a_wire(chance)));
    }
    for _ in 0..chance.below(4) {
        of_lines(chance, machines, heal, &mut plan);
    }
    for _ in 0..chance.below(4) {
        of_a_process(chance, machines, heal, &mut plan);
    }
    for _ in 0..chance.below(4) {
        of_a_disk(chance, machines, heal, &mut plan);
    }
    if chance.below(6) == 0 {
        plan.push((chance.draw() % heal, Fault::CutAll));
    }
    plan
}

fn of_a_wire(chance: &mut Chance) -> Fault {
    let kind = match chance.below(8) {
        0..3 => WireFault::Cut,
        3 | 4 => WireFault::HalfClose,
        5 => WireFault::Swallow,
        6 => WireFault::Garble,
        _ => WireFault::Flip,
    };
    Fault::Wire(chance.draw(), kind)
}

/// A moment before the healing and a span that ends before it too.
fn while_it_lasts(chance: &mut Chance, heal: Micros, longest: Micros) -> (Micros, Micros) {
    let at = chance.draw() % heal;
    (at, 1 + chance.draw() % longest.min(heal - at))
}

fn of_lines(chance: &mut Chance, machines: usize, heal: Micros, plan: &mut Plan) {
    let machine = chance.below(machines);
    let (at, span) = while_it_lasts(chance, heal, 60 * SECOND);
    match chance.below(7) {
        0 => plan.push((at, Fault::Part(some(chance, machines), Ways::Both, span, Kind::Partition))),
        1 => {
            let way = if chance.below(2) == 0 { Ways::Out } else { Ways::In };
            plan.push((at, Fault::Part(some(chance, machines), way, span, Kind::OneWayPartition)));
        }
        2 => flap(chance, machine, (at, at + span), plan),
        3 => {
            let percent = 1 + chance.below(30);
            plan.push((at, Fault::Weather(machine, chance.draw() % (SECOND / 2), percent)));
            plan.push((at + span, Fault::Weather(machine, 0, 0)));
        }
        4 => plan.push((at, Fault::Part(vec![machine], Ways::Both, span, Kind::Clog))),
        5 => {
            plan.push((at, Fault::Rate(machine, 1_000 << chance.below(7))));
            plan.push((at + span, Fault::Rate(machine, 1_000_000)));
        }
        _ => {
            plan.push((at, Fault::Refuse(machine, true)));
            plan.push((at + span, Fault::Refuse(machine, false)));
        }
    }
}

/// At least one machine, and rarely all.
fn some(chance: &mut Chance, machines: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..machines).collect();
    chance.shuffle(&mut numbers);
    numbers.truncate(1 + chance.below(machines));
    numbers
}

fn flap(chance: &mut Chance, machine: usize, (from, to): (Micros, Micros), plan: &mut Plan) {
    let mut at = from;
    while at < to {
        let span = 1 + chance.draw() % (4 * SECOND).min(to - at);
        plan.push((at, Fault::Part(vec![machine], Ways::Both, span, Kind::Flapping)));
        at += span + chance.draw() % (6 * SECOND);
    }
}

fn of_a_process(chance: &mut Chance, machines: usize, heal: Micros, plan: &mut Plan) {
    let machine = chance.below(machines);
    let (at, span) = while_it_lasts(chance, heal, heal);
    let stops = |fault: Fault| [(at, fault), (at + span, Fault::Return(machine))];
    match chance.below(8) {
        0 => plan.extend(stops(Fault::Crash(machine))),
        1 => plan.extend(stops(Fault::Vanish(machine))),
        2 => plan.extend(stops(Fault::PowerCut(machine))),
        3 if machine > 0 => plan.push((at, Fault::Roam(machine, chance.below(2) == 0))),
        3 | 4 => plan.push((at, Fault::Pause(machine, span.max(SECOND), false))),
        5 => plan.push((at, Fault::Pause(machine, span.max(SECOND), true))),
        6 => plan.push((at, Fault::Jump(machine, 1 << (20 + chance.below(13))))),
        _ => plan.push((at, Fault::Jump(machine, -(1 << (16 + chance.below(8)))))),
    }
}

fn of_a_disk(chance: &mut Chance, machines: usize, heal: Micros, plan: &mut Plan) {
    let machine = chance.below(machines);
    let (at, span) = while_it_lasts(chance, heal, 60 * SECOND);
    let [bad, good] = match chance.below(9) {
        0 => [DiskFault::Slow(SECOND), DiskFault::Slow(500)],
        1 => [DiskFault::Full(true), DiskFault::Full(false)],
        2 => [DiskFault::BadReads(20), DiskFault::BadReads(0)],
        3 => [DiskFault::Stall(span), DiskFault::Stall(0)],
        4 if machine > 0 => [DiskFault::LoseWrite; 2],
        5 if machine > 0 => [DiskFault::MisdirectWrite; 2],
        6 | 7 if machine > 0 => [DiskFault::Rot; 2],
        number => [DiskFault::FailWrite(u32::try_from(1 + number).expect("small")); 2],
    };
    plan.extend([(at, Fault::Disk(machine, bad)), (at + span, Fault::Disk(machine, good))]);
}
