//! Crashes after every change that a download makes of its disk, with any part of what was not synced lost.
//!
//! A download is played on a real folder by the store of production; each change passes a witness. From what was written down
//! the disk after a crash is laid down in a fresh folder, and the store must find its way from there.

mod check;
mod model;
mod recorder;
mod story;

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use minibit::chance::Chance;
use minibit::net::content::{Differing, ScanOptions, Scanned};
use tempfile::TempDir;

use crate::retouch::retouch_journal;
use crate::support::{World, content, put, try_share, world};
use check::{FILES, PIECE_BYTES, Truth};
use model::{Disk, Image};
use story::{Course, Story, image_of, play, recover};

/// Downloads of the short run, which is part of every test run. The long one plays as many as the variable says, with more
/// crashes at each change: 1,000 make over a million recoveries
/// (`MINIBIT_CRASH_SEEDS=1000 cargo test --release --test store -- crash --nocapture`).
const SEEDS: u64 = 3;
const SEEDS_VARIABLE: &str = "MINIBIT_CRASH_SEEDS";
/// The first of them, for a long run in parts.
const FIRST_VARIABLE: &str = "MINIBIT_CRASH_FIRST";
/// Crashes at each change.
const TIMES: usize = 2;
const TIMES_LONG: usize = 4;

/// Everything a run needs.
struct Stage {
    _world: World,
    shared: Scanned,
    truth: Truth,
    ground: TempDir,
    recoveries: u64,
}

impl Stage {
    fn new() -> Stage {
        let world = world(&FILES);
        let options = ScanOptions { piece_bytes: u32::try_from(PIECE_BYTES).ok(), ..ScanOptions::default() };
        let shared = try_share(&world.there, options).expect("it can be shared");
        assert_eq!(shared.metainfo.geometry().piece_count(), 64);
        // In memory where that can be had: the syncs that matter here are those of the model.
        let memory = Path::new("/dev/shm");
        let ground = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Stage { _world: world, shared, truth: Truth::new(), ground: ground.expect("a folder"), recoveries: 0 }
    }

    /// Where a story is played.
    fn here(&self) -> PathBuf {
        self.ground.path().join("here")
    }

    fn fresh(&self) -> PathBuf {
        let dir = self.here();
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).expect("a folder");
        dir
    }

    fn play(&self, course: Course, chance: &mut Chance) -> Story {
        let dir = self.fresh();
        if course.differing == Differing::Mended {
            lay_down_spoilt(&dir);
        }
        play(&self.shared, &dir, course, chance)
    }

    /// Crashes after every change of `story`, each `times` with another part lost, now and then once more while it recovers.
    fn crash_everywhere(&mut self, story: &Story, times: usize, chance: &mut Chance) {
        let mut disk = Disk::holding(story.first.clone());
        for count in 0..=story.log.len() {
            for _ in 0..times {
                let image = disk.crash(chance);
                self.recover_from(&image, story, count, chance);
            }
            if let Some(op) = story.log.get(count) {
                disk.apply(op);
            }
        }
    }

    fn recover_from(&mut self, image: &Image, story: &Story, count: usize, chance: &mut Chance) {
        let _said = Said(&story.log[..count]);
        let promised = story.promised_at(count);
        let log = self.recover(image, story.course, &promised);
        if chance.below(8) == 0 {
            let mut disk = Disk::holding(image.clone());
            log.iter().take(chance.below(log.len() + 1)).for_each(|op| disk.apply(op));
            let again = disk.crash(chance);
            self.recover(&again, story.course, &promised);
        }
    }

    fn recover(&mut self, image: &Image, course: Course, promised: &BTreeSet<u32>) -> Vec<recorder::Op> {
        let dir = self.ground.path().join("crashed");
        fs::create_dir_all(&dir).expect("a folder");
        image.lay_down(&dir);
        retouch_journal(&self.shared, &dir);
        let (opened, log) = recover(&self.shared, &dir, course);
        let (store, held) = opened.expect("a crash is no reason not to go on");
        self.truth.check(&self.shared, &dir, &held, promised, course.differing);
        drop(store);
        self.recoveries += 1;
        log
    }
}

/// Tells of the last changes before a crash that went wrong.
struct Said<'a>(&'a [recorder::Op]);

impl Drop for Said<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let last = self.0.iter().rev().take(40).rev();
            eprintln!("the crash came after {} changes, the last of them:", self.0.len());
            last.for_each(|op| eprintln!("  {}", op.shown()));
        }
    }
}

fn seeds() -> u64 {
    number(SEEDS_VARIABLE).unwrap_or(SEEDS)
}

fn first() -> u64 {
    number(FIRST_VARIABLE).unwrap_or(0)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn is_long() -> bool {
    seeds() > SEEDS
}

const COURSE: Course = Course {
    commits_percent: 12,
    is_stopped: false,
    differing: Differing::Refused,
    failing: None,
    is_killed: false,
};

#[test]
fn after_a_crash_at_any_moment_nothing_wrong_is_believed_and_nothing_synced_is_lost() {
    let mut stage = Stage::new();
    for seed in first()..first() + seeds() {
        let mut chance = Chance::new(seed);
        let course = Course { is_stopped: seed % 3 == 0, ..COURSE };
        let story = stage.play(course, &mut chance);
        assert_eq!(story.is_finished, !course.is_stopped);
        stage.crash_everywhere(&story, if is_long() { TIMES_LONG } else { TIMES }, &mut chance);
        if is_long() && seed % 10 == 9 {
            eprintln!("{} recoveries of {} downloads", stage.recoveries, seed + 1);
        }
    }
}

/// A copy with wrong bytes in it, a file too short, one too long, and one missing.
fn lay_down_spoilt(dir: &Path) {
    for (path, bytes) in FILES {
        let mut there = content(path, bytes);
        match path {
            "a" => [0, 17 * 16_384 + 5, 39 * 16_384].iter().for_each(|at| there[*at] ^= 1),
            "b/c" => there.truncate(9 * 16_384 + 100),
            "b/d" => {
                there[20_000] ^= 1;
                there.extend([7; 100]);
            }
            "e/f/g" => continue,
            _ => {}
        }
        put(&dir.join("tree").join(path), &there);
    }
}

#[test]
fn after_a_crash_while_a_copy_is_mended_nothing_that_was_right_is_lost() {
    let mut stage = Stage::new();
    for seed in first().div_ceil(2)..(first() + seeds()).div_ceil(2) {
        let mut chance = Chance::new(1_000_000 + seed);
        let course = Course { is_stopped: seed % 2 == 1, differing: Differing::Mended, ..COURSE };
        let story = stage.play(course, &mut chance);
        assert_eq!((story.is_finished, story.promised_at(0).len()), (!course.is_stopped, 46));
        stage.crash_everywhere(&story, if is_long() { TIMES_LONG } else { TIMES }, &mut chance);
    }
}

/// Lives of one folder in a row.
const LIVES: usize = 6;

#[test]
fn after_crashes_in_a_row_while_a_copy_is_mended_and_replaced_by_turns_nothing_wrong_is_believed() {
    let mut stage = Stage::new();
    for seed in first() * 8..(first() + seeds()) * 8 {
        let mut chance = Chance::new(2_000_000 + seed);
        lay_down_spoilt(&stage.fresh());
        let mut image = image_of(&stage.here());
        for _ in 0..LIVES {
            let differing = *chance.pick(&[Differing::Mended, Differing::Replaced]).expect("two");
            let course = Course { is_stopped: chance.below(2) == 0, differing, ..COURSE };
            stage.recover(&image, course, &BTreeSet::new());
            let here = stage.fresh();
            image.lay_down(&here);
            retouch_journal(&stage.shared, &here);
            let story = play(&stage.shared, &here, course, &mut chance);
            let ends = [story.log.len(), chance.below(story.log.len() + 1)];
            let mut disk = Disk::holding(image);
            let end = *chance.pick(&ends).expect("two");
            story.log.iter().take(end).for_each(|op| disk.apply(op));
            image = disk.crash(&mut chance);
        }
    }
}

/// Plays a download for each sync that it makes, which fails, and crashes everywhere; in the short run only for one of `step`,
/// which are of every kind.
fn fail_each_sync(course: Course, step: usize) {
    use recorder::Op::{Sync, SyncAll, SyncFolder};
    let mut stage = Stage::new();
    let whole = stage.play(Course { is_killed: false, ..course }, &mut Chance::new(1));
    let is_sync = |at: &usize| matches!(whole.log[*at], Sync(_) | SyncAll | SyncFolder(_));
    let syncs: Vec<usize> = (0..whole.log.len()).filter(is_sync).collect();
    for number in syncs.into_iter().step_by(if is_long() { 1 } else { step }) {
        let mut chance = Chance::new(1);
        let course = Course { failing: Some((number, ErrorKind::Other)), ..course };
        let story = stage.play(course, &mut chance);
        assert_eq!(story.is_finished, !course.is_stopped);
        stage.crash_everywhere(&story, 1, &mut chance);
    }
}

/// With many syncs, so that some fail between two blocks of one piece.
const OFTEN: Course = Course { commits_percent: 40, ..COURSE };

#[test]
fn a_sync_that_fails_is_never_believed_whatever_it_was_of() {
    fail_each_sync(OFTEN, 11);
}

#[test]
fn nor_by_the_next_process_that_finds_in_memory_what_the_disk_gave_up() {
    fail_each_sync(Course { is_killed: true, is_stopped: true, ..OFTEN }, 17);
    fail_each_sync(Course { is_killed: true, ..OFTEN }, 19);
    fail_each_sync(Course { is_killed: true, differing: Differing::Mended, ..OFTEN }, 17);
}

#[test]
fn a_download_outlives_the_failure_of_any_one_change() {
    let stage = Stage::new();
    let whole = stage.play(COURSE, &mut Chance::new(2));
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for number in 0..whole.log.len() {
            let course = Course { failing: Some((number, kind)), ..COURSE };
            let story = stage.play(course, &mut Chance::new(2));
            assert!(story.is_finished, "change {number}: {:?}", whole.log[number]);
            let tree = image_of(&stage.here());
            for (path, bytes) in FILES {
                let there = &tree.files[&Path::new("tree").join(path)];
                assert!(*there == content(path, bytes), "change {number}: '{path}'");
            }
        }
    }
}
