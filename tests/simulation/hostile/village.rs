//! What the hostile stories have in common: a seeding tracker, honest peers, scripts, and waiting for the honest to finish.

use crate::hostile::habits::Habits;
use crate::hostile::puppet::{Puppet, Shared};
use crate::machine::Spec;
use crate::queue::{Micros, SECOND};
use crate::world::World;

pub const KIB: u64 = 1024;
pub const MIB: u64 = 1024 * KIB;

/// How many seeds a story is told with: `MINIBIT_HOSTILE_SEEDS`, or so many.
pub fn seeds(few: u64) -> std::ops::Range<u64> {
    let first = |text: String| text.parse().expect("a number");
    match std::env::var("MINIBIT_SEED") {
        Ok(seed) => {
            let seed: u64 = seed.parse().expect("a number");
            seed..seed + 1
        }
        Err(_) => 0..std::env::var("MINIBIT_HOSTILE_SEEDS").map_or(few, first),
    }
}

/// Whether more is asked for than what each run of the tests plays.
pub fn is_long() -> bool {
    std::env::var("MINIBIT_HOSTILE_SEEDS").is_ok()
}

/// Machine 0 is a tracker on a public address that seeds a share of this many bytes.
pub fn seeded(seed: u64, bytes: u64, piece_bytes: u32, up_rate: u64) -> World {
    let mut world = World::with_share(seed, piece_bytes, &[bytes]);
    world.is_public = true;
    world.start(Spec { up_rate, down_rate: 4 * up_rate, ..Spec::tracker() });
    world
}

/// So many honest peers, all at once.
pub fn honest(world: &mut World, count: usize, up_rate: u64) -> Vec<usize> {
    let peer = Spec { up_rate, down_rate: 4 * up_rate, ..Spec::peer(vec![world.endpoint(0)]) };
    (0..count).map(|_| world.start(peer.clone())).collect()
}

/// A puppet that knows the tracker.
pub fn puppet(world: &mut World, habits: Habits, up_rate: u64) -> (usize, Shared) {
    let puppet = Puppet::new(habits, vec![world.endpoint(0)]);
    let diary = puppet.diary();
    let spec = Spec { up_rate, down_rate: 4 * up_rate, ..Spec::peer(Vec::new()) };
    (world.intrude(spec, Box::new(puppet)), diary)
}

/// Lets the honest finish; when each of them did.
pub fn finish(world: &mut World, machines: &[usize], within: Micros) -> Vec<Micros> {
    let end = world.now() + within;
    let mut done: Vec<Option<Micros>> = vec![None; machines.len()];
    while done.contains(&None) {
        let count = done.iter().filter(|at| at.is_some()).count();
        let complete = |world: &World| machines.iter().filter(|&&m| world.checker.is_complete(m)).count();
        let is_more = world.run(end, |world| complete(world) > count);
        assert!(is_more, "not all had finished in time: {}", world.standings());
        for (at, &machine) in done.iter_mut().zip(machines) {
            if world.checker.is_complete(machine) {
                at.get_or_insert(world.now());
            }
        }
    }
    done.into_iter().flatten().collect()
}

/// The mean, in seconds.
pub fn mean(times: &[Micros]) -> f64 {
    times.iter().sum::<Micros>() as f64 / times.len() as f64 / SECOND as f64
}
