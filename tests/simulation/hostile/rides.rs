//! Taking without giving: thieves of the seed's bandwidth, free riders and strategists, and what they cost the honest.

use super::habits::{Claims, Dials, Habits, Serves};
use super::puppet::Shared;
use super::village::{KIB, MIB, finish, honest, mean, puppet, seeded, seeds};
use crate::machine::{Begin, Spec};
use crate::queue::{MINUTE, Micros};
use crate::world::World;

const PIECE_BYTES: u32 = 64 * 1024;
const BYTES: u64 = 8 * MIB;
const RATE: u64 = 1_000_000;

/// How a thief of the seed's bandwidth goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Theft {
    /// Asks the seed again and again, says to have nothing, and stays.
    Asks,
    /// The same of everyone.
    AsksAll,
    /// Comes back as somebody new as soon as it got a little.
    Returns,
    /// The same with everyone.
    ReturnsToAll,
}

const THEFTS: [Theft; 4] = [Theft::Asks, Theft::AsksAll, Theft::Returns, Theft::ReturnsToAll];

fn thief(theft: Theft) -> Habits {
    let returns = matches!(theft, Theft::Returns | Theft::ReturnsToAll);
    Habits {
        claims: Claims::Nothing,
        serves: Serves::Nobody,
        asks: true,
        dials: if matches!(theft, Theft::Asks | Theft::Returns) { Dials::Given } else { Dials::Everyone },
        returns_after: returns.then_some(256 * KIB),
        listens: !returns,
        ..Habits::default()
    }
}

/// When each of so many honest peers finished, beside the thieves.
fn with_thieves(seed: u64, count: usize, thieves: &[Theft]) -> Vec<Micros> {
    let mut world = seeded(seed, BYTES, PIECE_BYTES, RATE);
    for theft in thieves {
        puppet(&mut world, thief(*theft), 4 * RATE);
    }
    let peer = Spec { up_rate: RATE, down_rate: 4 * RATE, ..Spec::peer(vec![world.endpoint(0)]) };
    let peer = Spec { shares: vec![(0, Begin::Described)], ..peer };
    let machines: Vec<usize> = (0..count).map(|_| world.start(peer.clone())).collect();
    finish(&mut world, &machines, 10 * MINUTE)
}

/// The mean and the last completion over those of the same swarm without thieves.
fn slowdown(without: &[Micros], with: &[Micros]) -> (f64, f64) {
    let last = |times: &[Micros]| *times.iter().max().expect("many") as f64;
    (mean(with) / mean(without), last(with) / last(without))
}

/// `MINIBIT_HOSTILE_SEEDS=n` with `--release` and `--nocapture` prints how it is spread over n seeds.
#[test]
fn three_thieves_of_thirty_two_peers_slow_the_honest_by_a_quarter_at_most() {
    let mut worst = Vec::new();
    for seed in seeds(1) {
        let without = with_thieves(seed, 29, &[]);
        for theft in THEFTS {
            let (all, last) = slowdown(&without, &with_thieves(seed, 29, &[theft; 3]));
            println!("seed {seed} {theft:?}: mean x{all:.3}, last x{last:.3}");
            worst.push((all.max(last), theft, seed));
        }
    }
    worst.retain(|(ratio, ..)| *ratio > 1.25);
    assert!(worst.is_empty(), "{worst:?}");
}

/// A swarm of contributors and free riders.
struct Ride {
    contributors: Vec<Micros>,
    /// What each rider had when the middle contributor was done.
    riders_had: Vec<u64>,
}

fn ride(seed: u64, count: usize, rider_count: usize, habits: Habits) -> Ride {
    let mut world = seeded(seed, BYTES, PIECE_BYTES, RATE);
    let machines = honest(&mut world, count, RATE);
    let riders: Vec<Shared> = (0..rider_count).map(|_| puppet(&mut world, habits, RATE).1).collect();
    let is_half =
        |world: &World| machines.iter().filter(|&&m| world.checker.is_complete(m)).count() * 2 >= count;
    assert!(world.run(10 * MINUTE, is_half), "half of the contributors finish: {}", world.standings());
    let riders_had = riders.iter().map(|rider| rider.borrow().got_bytes).collect();
    let contributors = finish(&mut world, &machines, 10 * MINUTE);
    Ride { contributors, riders_had }
}

fn average(all: &[u64]) -> f64 {
    all.iter().sum::<u64>() as f64 / all.len() as f64
}

#[test]
fn free_riders_get_half_as_much_at_most_and_cost_the_honest_a_tenth_at_most() {
    let mut wrong = Vec::new();
    for seed in seeds(1) {
        for (count, rider_count) in [(29, 3), (19, 13)] {
            let alone = mean(&ride(seed, count, 0, Habits::rider()).contributors);
            let ride = ride(seed, count, rider_count, Habits::rider());
            let (part, late) = (average(&ride.riders_had) / BYTES as f64, mean(&ride.contributors) / alone);
            println!("seed {seed}, {rider_count} of 32 ride: had {part:.3}, the honest x{late:.3}");
            if part > 0.5 || late > 1.1 {
                wrong.push((seed, rider_count, part, late));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// A figure to watch, and no collapse: a strategist serves just those who serve it.
#[test]
fn strategists_that_serve_only_who_serves_them_do_not_bring_a_swarm_down() {
    let habits = Habits { claims: Claims::Got, serves: Serves::WhoServesIt, asks: true, ..Habits::default() };
    for seed in seeds(1) {
        let alone = mean(&ride(seed, 24, 0, habits).contributors);
        let ride = ride(seed, 24, 8, habits);
        let (part, late) = (average(&ride.riders_had) / BYTES as f64, mean(&ride.contributors) / alone);
        println!("seed {seed}, 8 of 32 are strategists: had {part:.3}, the honest x{late:.3}");
        assert!(late <= 2.0, "seed {seed}: strategists make the honest {late:.3} times as long");
    }
}
