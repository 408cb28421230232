//! What a run came to, beside the bound, as a person or a program may read it.

use std::fmt::Write;
use std::time::{Duration, Instant};

use minibit::chance::Chance;
use serde_json::json;

use crate::probe::{Probe, processor_time};
use crate::queue::{Micros, SECOND};
use crate::scenario::Scenario;
use crate::world::{Fill, World};

/// A run is given up after so many times the bound, and never before a virtual minute.
const PATIENCE: f64 = 30.0;
const PATIENCE_MIN: f64 = 60.0;

/// One run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Peers, the seed not among them.
    pub peers: usize,
    /// Size of the content, in MiB.
    pub mib: u64,
    /// What the swarm was after.
    pub goal: &'static str,
    /// Seconds that no swarm can beat.
    pub bound: f64,
    /// Peers that got everything.
    pub complete: usize,
    /// When the last of them had it, in seconds from the beginning.
    pub last: f64,
    /// Seconds the one in the middle needed, from when it came.
    pub median: f64,
    /// Seconds the quickest needed, from when it came.
    pub first: f64,
    /// Copies of the content that the seed sent, payload only, and as counted on its wire.
    pub seed_copies: (f64, f64),
    /// When every byte had left the seed at least once, in seconds from the beginning.
    pub copy_out: f64,
    /// Of all bytes on all uplinks, how many are not payload: words, headers and acknowledgements.
    pub talk_percent: f64,
    /// Of all payload received, how much came in vain.
    pub wasted_percent: f64,
    /// Microseconds of processor inside all cores, for each MiB delivered to a peer.
    pub core_micros: f64,
    /// The same for a peer's core with the processor for itself.
    pub alone_micros: f64,
    /// Events all cores were told, for each MiB delivered.
    pub events: f64,
    /// Stock messages among them.
    pub stocks: f64,
    /// The most memory the run took, in MiB.
    pub peak_mib: u64,
    /// How long the run took, in seconds of a real clock.
    pub wall: f64,
    /// How full all uplinks and the seed's were, and what part of the seed's blocks was new, in each tenth of the time to the last completion.
    pub fills: Vec<[f64; 3]>,
    /// Where the cost of a peer's core lies: kind of event, how many and microseconds a MiB.
    pub split: Vec<(&'static str, f64, f64)>,
}

impl Outcome {
    /// How many times the bound the last peer needed.
    pub fn ratio(&self) -> f64 {
        self.last / self.bound
    }
}

/// How full the uplinks were is told for so many parts of the time.
const TENTHS: usize = 10;

/// Plays a scenario with so many peers.
pub fn play(scenario: &Scenario, peers: usize) -> anyhow::Result<Outcome> {
    let clock = Instant::now();
    forget_peak();
    let arrivals = scenario.arrivals(peers, &mut Chance::new(scenario.seed));
    let bound = scenario.bound(&arrivals);
    let mut world = World::new(scenario, peers)?;
    world.watch(watched(peers));
    let began = (Instant::now(), processor_time());
    world.run(micros((bound * PATIENCE).max(PATIENCE_MIN)));
    // The cores are timed by a clock that goes on while others have the processor: that part is taken out.
    let on_processor =
        processor_time().saturating_sub(began.1).as_secs_f64() / began.0.elapsed().as_secs_f64();
    let mut needed: Vec<f64> = Vec::new();
    let mut last: f64 = 0.0;
    for machine in &world.machines[1..] {
        if let Some(at) = machine.completed {
            needed.push(seconds(at - machine.began));
            last = last.max(seconds(at));
        }
    }
    needed.sort_by(f64::total_cmp);
    let last = if needed.len() < peers { f64::INFINITY } else { last };
    let mib = scenario.mib as f64;
    let delivered = mib * needed.len().max(1) as f64;
    let received = world.machines.iter().map(|machine| machine.wasted_bytes).sum::<u64>() as f64;
    let payload = world.machines.iter().map(|machine| machine.sent_bytes).sum::<u64>() as f64;
    let content = world.share.bytes() as f64;
    Ok(Outcome {
        peers,
        mib: scenario.mib,
        goal: scenario.goal.name(),
        bound,
        complete: needed.len(),
        last,
        median: needed.get(needed.len() / 2).copied().unwrap_or(f64::INFINITY),
        first: needed.first().copied().unwrap_or(f64::INFINITY),
        seed_copies: (
            world.machines[0].sent_bytes as f64 / content,
            world.network.sent_bytes(0) as f64 / content,
        ),
        copy_out: world.outside().whole.map_or(f64::INFINITY, seconds),
        talk_percent: 100.0 - 100.0 * payload / world.network.all_sent_bytes() as f64,
        wasted_percent: 100.0 * received / (delivered * 1_048_576.0 + received),
        core_micros: world.cost.spent.as_secs_f64() * on_processor * 1e6 / delivered,
        alone_micros: alone(&world, mib),
        events: world.cost.events as f64 / delivered,
        stocks: world.cost.stocks as f64 / delivered,
        peak_mib: peak_mib(),
        wall: clock.elapsed().as_secs_f64(),
        fills: fills(&world.fills, last),
        split: split(&world, mib),
    })
}

/// Some peers from the beginning, the middle and the end.
fn watched(peers: usize) -> Vec<u32> {
    let mut watched: Vec<u32> =
        [1, peers / 2, peers].into_iter().filter_map(|peer| u32::try_from(peer.max(1)).ok()).collect();
    watched.dedup();
    watched
}

fn alone(world: &World, mib: f64) -> f64 {
    let spent: Duration = world.probes.iter().map(Probe::replay).sum();
    spent.as_secs_f64() * 1e6 / (mib * world.probes.len() as f64)
}

fn split(world: &World, mib: f64) -> Vec<(&'static str, f64, f64)> {
    let mut whole = std::collections::BTreeMap::new();
    for (kind, share) in world.probes.iter().flat_map(|probe| probe.split()) {
        let sum: &mut (f64, f64) = whole.entry(kind).or_default();
        sum.0 += share.count as f64;
        sum.1 += share.spent.as_secs_f64() * 1e6;
    }
    let mib = mib * world.probes.len() as f64;
    let mut split: Vec<_> =
        whole.into_iter().map(|(kind, (count, spent))| (kind, count / mib, spent / mib)).collect();
    split.sort_by(|one, other| other.2.total_cmp(&one.2));
    split
}

/// Tenths of the time until `last`.
fn fills(fills: &[Fill], last: f64) -> Vec<[f64; 3]> {
    let tenth = |number: usize| {
        let (from, to) = (last * number as f64 / TENTHS as f64, last * (number + 1) as f64 / TENTHS as f64);
        let those: Vec<&Fill> = fills.iter().filter(|fill| fill.at > from && fill.at <= to).collect();
        let mean =
            |of: fn(&Fill) -> f64| those.iter().map(|fill| of(fill)).sum::<f64>() / those.len().max(1) as f64;
        [mean(|fill| fill.all), mean(|fill| fill.seed), mean(|fill| fill.new)]
    };
    (0..TENTHS).map(tenth).collect()
}

fn seconds(span: Micros) -> f64 {
    span as f64 / SECOND as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some minutes")]
fn micros(seconds: f64) -> Micros {
    (seconds * SECOND as f64) as Micros
}

/// The kernel's mark of the most memory this process ever had; nothing where the kernel keeps none.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// From here on the mark counts anew, where the kernel allows it.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The runs as a table.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| goal | MiB | peers | complete | bound s | last s | × bound | median s | first s | one copy out s | seed sent (wire) | talk % | wasted % \
         | core µs/MiB | alone µs/MiB | events/MiB (stock) | peak MiB | run s |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for it in outcomes {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.2} | {:.2} | {:.3} | {:.2} | {:.2} | {:.2} | {:.2} ({:.2}) | {:.1} | {:.2} | {:.0} | {:.0} | {:.0} ({:.0}) \
             | {} | {:.1} |",
            it.goal,
            it.mib,
            it.peers,
            it.complete,
            it.bound,
            it.last,
            it.ratio(),
            it.median,
            it.first,
            it.copy_out,
            it.seed_copies.0,
            it.seed_copies.1,
            it.talk_percent,
            it.wasted_percent,
            it.core_micros,
            it.alone_micros,
            it.events,
            it.stocks,
            it.peak_mib,
            it.wall,
        );
    }
    text
}

/// Where the cost of a peer's core lies, kinds of events as rows.
pub fn split_table(outcomes: &[Outcome]) -> String {
    let mut text = String::from("| event |");
    outcomes.iter().for_each(|it| {
        let _ = write!(text, " {} peers: per MiB, µs/MiB |", it.peers);
    });
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(outcomes.len()));
    let mut kinds: Vec<&str> = outcomes.iter().flat_map(|it| it.split.iter().map(|row| row.0)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let _ = write!(text, "\n| {kind} |");
        for it in outcomes {
            let (count, spent) =
                it.split.iter().find(|row| row.0 == kind).map_or((0.0, 0.0), |row| (row.1, row.2));
            let _ = write!(text, " {count:.1}, {spent:.1} |");
        }
    }
    text.push('\n');
    text
}

/// How full the uplinks were in each tenth of the time, in percent: all, the seed's, and what part of its blocks was new.
pub fn fill_table(outcomes: &[Outcome]) -> String {
    let mut text = String::from("| uplinks full, % (the seed's, new of that) |");
    (1..=TENTHS).for_each(|tenth| {
        let _ = write!(text, " {tenth}/{TENTHS} |");
    });
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(TENTHS));
    for it in outcomes {
        let _ = write!(text, "\n| {}, {} peers |", it.goal, it.peers);
        for [all, seed, new] in it.fills.iter().map(|fill| fill.map(|part| part * 100.0)) {
            let _ = write!(text, " {all:.0} ({seed:.0}, {new:.0}) |");
        }
    }
    text.push('\n');
    text
}

/// The run as one line of JSON.
pub fn json_line(it: &Outcome) -> String {
    json!({
        "n": it.peers, "mib": it.mib, "goal": it.goal, "bound": it.bound, "complete": it.complete, "last": it.last,
        "ratio": it.ratio(), "median": it.median, "first": it.first, "seed_copies": it.seed_copies.0,
        "seed_copies_wire": it.seed_copies.1, "copy_out": it.copy_out, "talk_percent": it.talk_percent,
        "wasted_percent": it.wasted_percent,
        "core_micros_per_mib": it.core_micros, "alone_micros_per_mib": it.alone_micros,
        "events_per_mib": it.events, "stocks_per_mib": it.stocks, "peak_mib": it.peak_mib, "wall": it.wall,
    })
    .to_string()
}
