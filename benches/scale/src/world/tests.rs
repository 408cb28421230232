//! Whole runs, small enough for every day.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    scenario: Scenario,
}

fn story(line: &str, peers: usize) -> (Vec<Option<Micros>>, u64) {
    let scenario = Line::parse_from(std::iter::once("x").chain(line.split_whitespace())).scenario;
    let mut world = World::new(&scenario, peers).unwrap();
    world.run(600 * crate::queue::SECOND);
    (world.machines[1..].iter().map(|machine| machine.completed).collect(), world.cost.events)
}

#[test]
fn eight_peers_complete_within_twice_the_bound() {
    let (completed, _) = story("--mib 32", 8);
    let last = completed.into_iter().map(|at| at.expect("it completes")).max().unwrap();
    let bound = 32 * (1 << 20) * 8 / 50;
    assert!(last < 2 * bound, "{last} microseconds, the bound is {bound}");
}

#[test]
fn one_seed_tells_one_story() {
    let of =
        |seed: u32| story(&format!("--mib 1 --links --leave --arrival poisson --within 1 --seed {seed}"), 5);
    assert_eq!(of(4), of(4));
    assert_ne!(of(4), of(5));
    assert!(of(4).0.iter().all(Option::is_some), "{:?}", of(4).0);
}
