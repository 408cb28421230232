//! How the random swarms are played: some thousands in each run of the tests, any number by hand.
//!
//! `MINIBIT_SEED=s` tells only the story of s, with `MINIBIT_SIM_TRACE=1` line by line. A campaign, its line added to
//! `tests/simulation/campaign.md`:
//!
//!     MINIBIT_SIM_SEEDS=100000 cargo test --release -p minibit --no-default-features --test simulation -- \
//!         --ignored --nocapture a_campaign
//!
//! with `MINIBIT_SIM_FIRST` as the first seed where it is not 0, and `MINIBIT_SIM_CORES` for fewer than all.

use std::io::Write;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::mix::{swarm, tell_a_story};
use crate::tally::Tally;

/// Swarms in each run of the tests, and how many of them are told twice: every so-many-eth.
const SEEDS: u64 = 2_000;
const TWICE: u64 = 20;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// What came of many seeds.
#[derive(Debug, Default)]
struct Campaign {
    tally: Tally,
    violations: Vec<u64>,
}

/// Tells the story of each seed, every `twice`-th of them twice; those that tell of a wrong, or not the same again.
fn play(seeds: std::ops::Range<u64>, twice: u64, cores: usize) -> Campaign {
    let (next, campaign) = (AtomicU64::new(seeds.start), Mutex::new(Campaign::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let tell = || std::panic::catch_unwind(|| tell_a_story(seed)).ok();
            let outcome = tell();
            let is_same = !seed.is_multiple_of(twice) || tell() == outcome;
            let mut campaign = campaign.lock().expect("nobody panics with it in hand");
            match outcome.filter(|_| is_same) {
                Some(outcome) => campaign.tally.add(&outcome.tally),
                None => campaign.violations.push(seed),
            }
        }
    };
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    campaign.into_inner().expect("nobody panicked with it in hand")
}

#[test]
fn no_swarm_in_trouble_does_wrong_and_each_finishes_once_it_is_mended() {
    if let Some(seed) = number("MINIBIT_SEED") {
        tell_a_story(seed);
        return;
    }
    let campaign = play(0..SEEDS, TWICE, 1);
    let failed = campaign.violations;
    assert!(failed.is_empty(), "these seeds tell of a wrong, each by MINIBIT_SEED: {failed:?}");
    assert_eq!(campaign.tally.missing(), Vec::new(), "kinds of faults that never took effect");
}

#[test]
fn one_seed_twice_gives_one_trace() {
    let digest = |seed| {
        let mut world = swarm(seed);
        world.trace.keep();
        world.pass(20_000_000);
        world.trace.digest()
    };
    assert_eq!(digest(7), digest(7), "one seed told two stories");
    assert_ne!(digest(7), digest(8), "two seeds told the same story");
}

fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty", "--exclude=*"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

#[test]
#[ignore = "as long as one likes: see the head of the file"]
fn a_campaign() {
    let first = number("MINIBIT_SIM_FIRST").unwrap_or(0);
    let last = first + number("MINIBIT_SIM_SEEDS").unwrap_or(SEEDS);
    let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = number("MINIBIT_SIM_CORES").and_then(|cores| usize::try_from(cores).ok()).unwrap_or(all);
    let (begun, commit) = (Instant::now(), commit());
    let Campaign { tally, violations } = play(first..last, 1, cores);
    let seconds = begun.elapsed().as_secs();
    let line = format!(
        "\n## Commit {commit}, seeds {first} to {}\n\nEach told twice, on {cores} cores in {seconds} s. Violations: {}.\n\n{tally}.\n",
        last - 1,
        violations.len(),
    );
    println!("{line}{violations:?}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/simulation/campaign.md");
    let log = std::fs::OpenOptions::new().create(true).append(true).open(path);
    log.expect("the log opens").write_all(line.as_bytes()).expect("the log is written");
    assert!(violations.is_empty(), "these seeds tell of a wrong: {violations:?}");
    assert_eq!(tally.missing(), Vec::new(), "kinds of faults that never took effect");
}
