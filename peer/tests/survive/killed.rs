//! kill -9 at any moment of a transfer, of a tracker, a seed or a peer: whoever it hit comes back and goes on, nothing
//! wrong is kept or served, and little is fetched again.
//!
//! Each `cargo test` does a few cycles of a small file. The long campaign:
//!
//!     MINIBIT_SURVIVE_CYCLES=1000 cargo test --release -p minibit-peer --test survive -- --ignored --nocapture kill

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::id;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use minibit::chance::Chance;
use minibit::ids::ShareId;
use minibit::wire::Message;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::caller::{Caller, share_of, wait_for};
use super::content::file;
use super::node::{ANYWHERE, Node, fetched, join, number, seed, str, text};

const MIB: u64 = 1024 * 1024;
const PIECE_BYTES: usize = 256 * 1024;
/// What may be fetched again after a crash.
const FETCHED_AGAIN_MAX: u64 = 64 * MIB;
/// Not a promise, and no measurement: a machine that does other things besides must pass too.
const SERVED_AGAIN_MAX: Duration = Duration::from_secs(60);

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Tracker,
    Seed,
    Peer,
}

/// What one cycle showed.
struct Cycle {
    victim: Victim,
    /// From the new start to the first leaf, or at a tracker to the list of peers.
    served_again: Duration,
    /// What a killed peer had on its disk and fetched once more, and what it threw away besides.
    fetched_again: u64,
}

/// A tracker that is begun again where it was, a seed that is begun again anywhere, and a folder for each cycle's peers.
struct World {
    place: TempDir,
    shared: PathBuf,
    content: Vec<u8>,
    limit: String,
    share: ShareId,
    link: String,
    tracker: (Node, String),
    seed: Node,
    chance: Chance,
}

impl World {
    /// `bytes` to share, of which the seed sends so many a second.
    fn new(bytes: u64, rate: u64) -> World {
        let place = tempdir().expect("a folder");
        let shared = file(place.path(), "film", usize::try_from(bytes).expect("it fits into memory"));
        let content = fs::read(&shared).expect("it was just written");
        let limit = rate.to_string();
        let tracker = begin_tracker(place.path(), &format!("{}:0", own_address()));
        let (seed, _, link) = begin_seed(place.path(), &shared, &tracker.1, &limit);
        let share = share_of(&link);
        World { place, shared, content, limit, share, link, tracker, seed, chance: Chance::new(bytes) }
    }

    /// Two peers download; somebody is killed on the way and begun again; both end with the right bytes.
    fn cycle(&mut self, number: u64) -> Cycle {
        let folder = self.place.path().join(format!("cycle-{number}"));
        fs::create_dir(&folder).expect("the folder can be made");
        let mut one = join(&folder, "one", &self.link, &[]);
        let two = join(&folder, "two", &self.link, &[]);
        let victim = [Victim::Tracker, Victim::Seed, Victim::Peer, Victim::Peer][self.chance.below(4)];
        let moment = self.chance.below(self.content.len()) as u64;
        wait_for("the moment to kill", || bytes_below(&folder.join("one")) >= moment);
        let had = bytes_below(&folder.join("one")).min(self.content.len() as u64);
        let served_again = match victim {
            Victim::Peer => {
                one.kill();
                let began = Instant::now();
                one = join(&folder, "one", &self.link, &[]);
                let addr = one.address();
                self.first_leaf(&addr, number, began)
            }
            Victim::Seed => self.kill_seed(number),
            Victim::Tracker => self.kill_tracker(number),
        };
        let completes = [("one", &one), ("two", &two)].map(|(name, peer)| {
            let complete = peer.wait_for("complete");
            let found =
                fs::read(folder.join(name).join("film")).expect("a complete file stands in its place");
            assert!(found == self.content, "cycle {number}, {victim:?}: {name} has wrong bytes");
            complete
        });
        drop((one, two));
        fs::remove_dir_all(&folder).expect("the folder is ours");
        self.tracker.0.pass_over();
        self.seed.pass_over();
        let fetched_again = if victim == Victim::Peer { self.fetched_again(had, &completes[0]) } else { 0 };
        assert!(fetched_again <= FETCHED_AGAIN_MAX, "cycle {number}: {fetched_again} bytes fetched again");
        assert!(served_again <= SERVED_AGAIN_MAX, "cycle {number}, {victim:?}: {served_again:?}");
        Cycle { victim, served_again, fetched_again }
    }

    fn fetched_again(&self, had: u64, complete: &Value) -> u64 {
        let kept = self.content.len() as u64 - fetched(complete);
        had.saturating_sub(kept) + number(complete, "wasted_bytes")
    }

    fn kill_seed(&mut self, number: u64) -> Duration {
        self.seed.kill();
        let began = Instant::now();
        let place = self.place.path();
        let (seed, addr, link) = begin_seed(place, &self.shared, &self.tracker.1, &self.limit);
        assert_eq!(link, self.link, "the same content is the same share");
        self.seed = seed;
        self.first_leaf(&addr, number, began)
    }

    fn kill_tracker(&mut self, number: u64) -> Duration {
        let addr = self.tracker.1.clone();
        self.tracker.0.kill();
        let began = Instant::now();
        self.tracker = begin_tracker(self.place.path(), &addr);
        let mut caller = Caller::greet(&addr, self.share, number);
        let list = caller.until(|message| matches!(message, Message::PeerList(_)));
        assert!(list.is_some(), "a tracker tells at once whom it knows");
        began.elapsed()
    }

    /// How long after `began` somebody at `addr` gives a leaf, which must be right.
    fn first_leaf(&self, addr: &str, number: u64, began: Instant) -> Duration {
        let mut caller = Caller::greet(addr, self.share, number);
        let (piece, leaf) = caller.any_leaf().expect("it serves what it holds");
        let served_again = began.elapsed();
        let start = usize::try_from(piece).expect("a small number") * PIECE_BYTES;
        assert!(leaf == self.content[start..start + leaf.len()], "wrong bytes are served of piece {piece}");
        served_again
    }
}

/// An address of this machine that no other world has: a tracker that is begun again must find its port free.
fn own_address() -> String {
    static WORLDS: AtomicU32 = AtomicU32::new(0);
    let number = (id() << 4) + WORLDS.fetch_add(1, Ordering::Relaxed);
    let [_, one, two, three] = number.to_be_bytes();
    format!("127.{}.{two}.{three}", 64 + one % 64)
}

fn begin_tracker(place: &Path, listen: &str) -> (Node, String) {
    let tracker = Node::tracker(place, "tracker", ["serve", "--open", "--listen", listen]);
    let addr = tracker.address();
    (tracker, addr)
}

fn begin_seed(place: &Path, shared: &Path, tracker: &str, limit: &str) -> (Node, String, String) {
    let piece = PIECE_BYTES.to_string();
    let words = ["share", str(shared), "--tracker", tracker, "--limit-up", limit, "--piece-size", &piece];
    let seed = Node::peer(place, "seed", [&words[..], &ANYWHERE[..]].concat());
    let addr = seed.address();
    let link = text(&seed.wait_for("share"), "link");
    (seed, addr, link)
}

/// Bytes that all files below `path` take on the disk.
fn bytes_below(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let bytes = |path: PathBuf| match fs::symlink_metadata(&path) {
        Ok(found) if found.is_dir() => bytes_below(&path),
        found => found.map_or(0, |found| found.blocks() * 512), // gone in between: it counts where it went
    };
    entries.map(|entry| bytes(entry.path())).sum()
}

#[test]
fn a_peer_that_was_killed_serves_what_it_has_though_nobody_else_is_left() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 3_000_000);
    let (seed, link) = seed(place.path(), &shared, &["--limit-up", "512KiB"]);
    let peer = join(place.path(), "peer", &link, &[]);
    peer.wait_until("progress", |event| number(event, "done_bytes") > 0);
    drop((peer, seed));
    let again = join(place.path(), "peer", &link, &[]);
    let leaf = Caller::greet(&again.address(), share_of(&link), 1).any_leaf();
    assert!(leaf.is_some(), "the description lies beside what was downloaded");
}

/// So many cycles; prints the figures, also on the way.
fn campaign(cycles: u64, bytes: u64, rate: u64) {
    let mut world = World::new(bytes, rate);
    let mut done: Vec<Cycle> = Vec::new();
    for number in 1..=cycles {
        done.push(world.cycle(number));
        if number % 100 == 0 || number == cycles {
            report(&done, bytes);
        }
    }
}

/// Prints the figures of these cycles.
fn report(cycles: &[Cycle], bytes: u64) {
    println!("{} cycles of {} MiB, 0 wrong bytes", cycles.len(), bytes / MIB);
    for victim in [Victim::Tracker, Victim::Seed, Victim::Peer] {
        let those: Vec<&Cycle> = cycles.iter().filter(|cycle| cycle.victim == victim).collect();
        let mut served: Vec<Duration> = those.iter().map(|cycle| cycle.served_again).collect();
        let mut again: Vec<u64> = those.iter().map(|cycle| cycle.fetched_again).collect();
        served.sort_unstable();
        again.sort_unstable();
        if let ([.., slowest], [.., most]) = (served.as_slice(), again.as_slice()) {
            println!(
                "{victim:?}: killed {}; served again after {:?} (median), {:?} (95 of 100), {slowest:?} (slowest), \
                 later than 2 s {} times; fetched again {:.1} MiB (median), {:.1} MiB (most)",
                those.len(),
                served[served.len() / 2],
                served[served.len() * 95 / 100],
                served.iter().filter(|time| time.as_secs() >= 2).count(),
                again[again.len() / 2] as f64 / MIB as f64,
                *most as f64 / MIB as f64,
            );
        }
    }
}

#[test]
fn whoever_is_killed_comes_back_and_nothing_wrong_is_kept_or_served() {
    campaign(10, 8 * MIB, 8 * MIB);
}

#[test]
#[ignore = "a campaign of many minutes; see the head of this file"]
fn whoever_is_killed_a_thousand_times_comes_back_and_nothing_wrong_is_kept_or_served() {
    let cycles =
        std::env::var("MINIBIT_SURVIVE_CYCLES").map_or(1_000, |text| text.parse().expect("a number"));
    campaign(cycles, 72 * MIB, 48 * MIB);
}
