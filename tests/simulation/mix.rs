//! Swarms drawn at random from a seed, with trouble: nothing unsafe ever, and everyone finishes once it is mended.
//! Small and varied: the next fault is found by another swarm sooner than by a larger one.

use minibit::chance::Chance;
use minibit::wire::Goal;

use crate::faults::{Fault, plan};
use crate::machine::{Begin, Lies, Spec};
use crate::queue::{MINUTE, Micros, SECOND};
use crate::tally::Tally;
use crate::world::World;

/// From healing to the end of the last download.
const PATIENCE: Micros = 15 * MINUTE;
/// From there until all is quiet: a dead link is found within 20 s of its last byte, and on a slow line what was under way may
/// come in for as long.
const QUIET: Micros = 60 * SECOND;
const KIB: u64 = 1024;

/// What came of a seed.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Faults that took effect.
    pub tally: Tally,
    /// The trace in short.
    pub digest: u64,
}

fn lengths(chance: &mut Chance) -> Vec<u64> {
    let files = 1 + chance.below(3);
    let odd = [0, 1, 16 * KIB - 1, 16 * KIB, 16 * KIB + 1, 100_000, 150_000, 64 * KIB];
    let more = if chance.below(150) == 0 { 1024 } else { 64 };
    (0..files).map(|_| odd[chance.below(odd.len())] + more * KIB * chance.below(4) as u64).collect()
}

fn place(chance: &mut Chance, spec: &mut Spec) {
    spec.up_rate = 30_000 << chance.below(7);
    spec.down_rate = spec.up_rate * (1 + chance.below(8) as u64);
    spec.distance =
        if chance.below(10) == 0 { chance.draw() % 400_000 } else { chance.draw() % 60_000 } + 200;
    spec.checks_reads = chance.below(2) == 0;
    if chance.below(4) == 0 {
        spec.drift = i32::try_from(chance.below(100_001)).expect("small") - 50_000;
    }
}

fn an_ordinary_peer(world: &World, chance: &mut Chance) -> Spec {
    let mut spec = Spec::peer(vec![world.endpoint(0)]);
    place(chance, &mut spec);
    spec.listens = chance.below(6) > 0;
    if chance.below(5) == 0 {
        spec.shares = vec![(0, Begin::Described)];
    }
    if chance.below(8) == 0 {
        spec.wants = Some((2, u32::from(chance.below(2) == 0)));
    }
    if chance.below(8) == 0 {
        spec.limit_up = Some(30_000);
    }
    if chance.below(8) == 0 {
        spec.limit_down = Some(60_000);
    }
    spec
}

fn a_seed(world: &World, chance: &mut Chance) -> Spec {
    let mut spec = Spec::seed(vec![world.endpoint(0)]);
    place(chance, &mut spec);
    spec
}

fn a_liar(world: &World, chance: &mut Chance) -> Spec {
    let blocks_percent = [1, 10, 50, 100][chance.below(4)];
    let lies = Lies { blocks_percent, leaves: chance.below(2) == 0, metainfo: chance.below(3) == 0 };
    Spec { lies: Some(lies), ..a_seed(world, chance) }
}

/// The whole swarm of a seed: machine 0 is the tracker, and the first seed unless another is.
pub fn swarm(seed: u64) -> World {
    let mut world = World::new(seed);
    let mut chance = world.chance.fork();
    let piece_bytes = u32::try_from(16 * KIB).expect("small") << chance.below(3);
    world.share(piece_bytes, &lengths(&mut chance));
    world.is_loopback = chance.below(4) == 0;
    world.network.spread = 5_000 * chance.below(10) as Micros + 1;
    let mut tracker = Spec::tracker();
    place(&mut chance, &mut tracker);
    if chance.below(5) == 0 {
        tracker.goal = Some(Goal::LastPeer);
        world.checker.is_last_peer = true;
    }
    let is_register = chance.below(3) == 0;
    if is_register {
        tracker.shares = vec![(0, Begin::Register(chance.below(2) == 0))];
    }
    world.start(tracker);
    if is_register {
        let seed = a_seed(&world, &mut chance);
        world.start(seed);
    }
    populate(&mut world, &mut chance);
    world
}

fn populate(world: &mut World, chance: &mut Chance) {
    let crowd = 1 + chance.below(10);
    let peers = if chance.below(150) == 0 { 20 } else { 1 + chance.below(crowd) };
    let liars_percent = [0, 0, 10, 40][chance.below(4)];
    for _ in 0..peers {
        let lies = chance.below(100) < liars_percent;
        let spec = if lies { a_liar(world, chance) } else { an_ordinary_peer(world, chance) };
        let number = world.join(spec);
        let at = if chance.below(2) == 0 { 0 } else { chance.draw() % (20 * SECOND) };
        world.expect(&[(at, Fault::Return(number))]);
    }
}

/// The honest machines that want something and have not all of it.
fn wanting(world: &World) -> impl Iterator<Item = usize> + '_ {
    let is_wanting = |machine: &usize| {
        let spec = &world.machines[*machine].spec;
        let is_register = spec.shares.iter().all(|(_, begin)| matches!(begin, Begin::Register(_)));
        spec.lies.is_none() && !is_register && !world.checker.is_complete(*machine)
    };
    (0..world.machines.len()).filter(is_wanting)
}

/// The swarm of a seed in trouble, then mended: everyone finishes, and nothing is left under way. Panics at a violation.
pub fn tell_a_story(seed: u64) -> Outcome {
    let mut world = swarm(seed);
    let mut chance = Chance::new(seed ^ 0x5eed);
    let longest = if chance.below(100) == 0 { 11 * MINUTE } else { 45 * SECOND };
    let heal = 5 * SECOND + chance.draw() % longest;
    world.expect(&plan(&mut chance, world.machines.len(), heal));
    world.run(heal, |_| false);
    world.mend();
    world.run(heal + PATIENCE, |world| wanting(world).next().is_none());
    // Who banned an honest one, for what a line made of its words, may have nobody left to ask: a ban is for good (`wire.md`).
    let is_done = wanting(&world).all(|machine| world.checker.has_banned_the_honest(machine));
    let minutes = PATIENCE / MINUTE;
    assert!(is_done, "not all had finished {minutes} minutes after healing: {}", world.standings());
    world.pass(QUIET);
    world.assert_at_rest();
    Outcome { tally: world.tally(), digest: world.trace.short() }
}
