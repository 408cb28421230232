//! Downloads as they may go, written down: pieces in any order, commits and moves at any time, an orderly end or none.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use minibit::chance::Chance;
use minibit::content::{Block, PieceIndex, PieceSet};
use minibit::net::content::{Differing, Plan, Scanned, Store, StoreError, UNWATCHED};

use super::model::Image;
use super::recorder::{Op, Recorder};
use crate::support::{blocks, plan};

/// A process that dies makes fewer changes after the one that failed.
const DEAD_WITHIN: usize = 12;

/// What a download did to the disk, and what it may count on at each moment.
#[derive(Debug)]
pub struct Story {
    /// How it went.
    pub course: Course,
    /// Every change, in order.
    pub log: Vec<Op>,
    /// What was committed once so many changes were made: it is there after any later crash.
    pub promised: Vec<(usize, BTreeSet<u32>)>,
    /// Whether it ran to its end, with everything in its place.
    pub is_finished: bool,
    /// What lay there before, and lasts.
    pub first: Image,
}

impl Story {
    /// What was promised when the crash came after `count` changes.
    pub fn promised_at(&self, count: usize) -> BTreeSet<u32> {
        let made = self.promised.iter().take_while(|(at, _)| *at <= count);
        made.last().map(|(_, pieces)| pieces.clone()).unwrap_or_default()
    }
}

/// How a download goes.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// Of a hundred blocks, and of a hundred pieces, after how many a commit follows.
    pub commits_percent: usize,
    /// Whether it is stopped, in order, before it is done.
    pub is_stopped: bool,
    /// What becomes of files that are there and differ.
    pub differing: Differing,
    /// The change that fails, once.
    pub failing: Option<(usize, io::ErrorKind)>,
    /// Whether the process dies soon after, and the next one finds what memory still shows.
    pub is_killed: bool,
}

impl Course {
    fn plan(&self, dir: &Path) -> Plan {
        Plan { differing: self.differing, ..plan(dir) }
    }
}

/// Plays a download of `shared` into `dir` as `course` says.
pub fn play(shared: &Scanned, dir: &Path, course: Course, chance: &mut Chance) -> Story {
    let recorder = match course.failing {
        None => Recorder::new(),
        Some((number, kind)) if course.is_killed => {
            let left = Chance::new(number as u64).below(DEAD_WITHIN);
            Recorder::deadly(dir, number, kind, left)
        }
        Some((number, kind)) => Recorder::failing(dir, number, kind),
    };
    let first = image_of(dir);
    let mut player = Player { shared, recorder: recorder.clone(), promised: Vec::new() };
    let mut is_finished = false;
    // A change that fails while the download begins ends it; the next attempt goes on. So does that after a death.
    for _ in 0..3 {
        recorder.be_born();
        if let Ok((store, held)) =
            Store::open_watched(&course.plan(dir), shared.metainfo.clone(), UNWATCHED, Some(recorder.clone()))
        {
            if course.differing == Differing::Mended && player.promised.is_empty() {
                // What was right where it lay is as good as noted from the start.
                player.promised.push((0, held.iter().map(PieceIndex::get).collect()));
            }
            is_finished = player.download(&store, &held, course, chance);
            if !recorder.is_dead() {
                break;
            }
        }
        assert!(
            course.failing.is_some() && recorder.has_failed(),
            "only the injected fault stops a download"
        );
    }
    Story { course, log: recorder.log(), promised: player.promised, is_finished, first }
}

struct Player<'a> {
    shared: &'a Scanned,
    recorder: Arc<Recorder>,
    promised: Vec<(usize, BTreeSet<u32>)>,
}

impl Player<'_> {
    fn download(&mut self, store: &Store, held: &PieceSet, course: Course, chance: &mut Chance) -> bool {
        let mut missing: Vec<PieceIndex> = store.wanted().minus(held).collect();
        chance.shuffle(&mut missing);
        let mut kept: BTreeSet<u32> = held.iter().map(PieceIndex::get).collect();
        let mut left = missing.len();
        // A fault of the disk puts back what it spoiled; each fault happens once, so this ends.
        while let Some(piece) = missing.pop() {
            if self.recorder.is_dead() {
                return false;
            }
            let outcome = self.write_amid_commits(store, piece, (course, chance), (&mut kept, &mut missing));
            let counted = outcome.and_then(|late| store.keep(piece).map(|()| late));
            if !missing.contains(&piece) {
                kept.insert(piece.get());
            }
            match counted {
                Ok(late) => self.bear(store, late, None, &mut kept, &mut missing),
                refused => self.bear(store, refused.map(drop), Some(piece), &mut kept, &mut missing),
            }
            if chance.below(100) < course.commits_percent {
                self.commit(store, &mut kept, &mut missing);
            }
            left = left.saturating_sub(1);
            if course.is_stopped && left < 10 {
                break;
            }
        }
        while !course.is_stopped && !store.is_finished() {
            if self.recorder.is_dead() {
                return false;
            }
            let again = store.flush().and_then(|()| store.move_into_place(&store.left_behind(), UNWATCHED));
            self.bear(store, again, None, &mut kept, &mut missing);
            while let Some(piece) = missing.pop_if(|_| !self.recorder.is_dead()) {
                let outcome = self.copy(store, piece);
                kept.insert(piece.get());
                self.bear(store, outcome, Some(piece), &mut kept, &mut missing);
            }
        }
        let closed = store.flush().and_then(|()| store.close());
        if closed.is_ok() && course.is_stopped {
            self.promised.push((self.recorder.count(), kept));
        }
        store.is_finished()
    }

    /// Copies one piece and counts it, as the shell does.
    fn copy(&self, store: &Store, piece: PieceIndex) -> Result<(), StoreError> {
        self.write(store, piece)?;
        store.keep(piece)
    }

    /// Writes one piece, while others are synced: between its blocks, and when it is written and not counted yet. What a
    /// commit told last may be heard only after the piece is counted.
    fn write_amid_commits(
        &mut self,
        store: &Store,
        piece: PieceIndex,
        (course, chance): (Course, &mut Chance),
        (kept, missing): (&mut BTreeSet<u32>, &mut Vec<PieceIndex>),
    ) -> Result<Result<(), StoreError>, StoreError> {
        let mut late = Ok(());
        for block in blocks(store, piece) {
            self.write_block(store, block)?;
            if chance.below(100) >= course.commits_percent {
                continue;
            }
            match store.commit() {
                Ok(()) => self.promised.push((self.recorder.count(), kept.clone())),
                refused if chance.below(2) == 0 => self.bear(store, refused, None, kept, missing),
                refused => late = refused,
            }
        }
        Ok(late)
    }

    fn write(&self, store: &Store, piece: PieceIndex) -> Result<(), StoreError> {
        blocks(store, piece).into_iter().try_for_each(|block| self.write_block(store, block))
    }

    fn write_block(&self, store: &Store, block: Block) -> Result<(), StoreError> {
        let mut bytes = vec![0; block.length as usize];
        self.shared.store.read(block, &mut bytes).expect("the source is there");
        store.write(block, &bytes).map(|_| ())
    }

    fn commit(&mut self, store: &Store, kept: &mut BTreeSet<u32>, missing: &mut Vec<PieceIndex>) {
        match store.commit() {
            Ok(()) => self.promised.push((self.recorder.count(), kept.clone())),
            refused => self.bear(store, refused, None, kept, missing),
        }
    }

    /// After a fault: what was being copied is copied again, and so is what the disk lost.
    fn bear(
        &self,
        store: &Store,
        outcome: Result<(), StoreError>,
        piece: Option<PieceIndex>,
        kept: &mut BTreeSet<u32>,
        missing: &mut Vec<PieceIndex>,
    ) {
        if let Err(error) = outcome {
            assert!(error.is_passing() && self.recorder.has_failed(), "{error}");
            piece.iter().for_each(|piece| _ = kept.remove(&piece.get()));
            missing.extend(piece);
        }
        let lost = store.take_lost();
        lost.iter().for_each(|piece| _ = kept.remove(&piece.get()));
        missing.extend(lost);
    }
}

/// Starts anew on what a crash left, writing down what that changes.
pub fn recover(
    shared: &Scanned,
    dir: &Path,
    course: Course,
) -> (Result<(Store, PieceSet), StoreError>, Vec<Op>) {
    let recorder = Recorder::new();
    let opened =
        Store::open_watched(&course.plan(dir), shared.metainfo.clone(), UNWATCHED, Some(recorder.clone()));
    (opened, recorder.log())
}

/// What lies below `dir`, but for the lock.
pub fn image_of(dir: &Path) -> Image {
    let mut image = Image::default();
    for entry in walkdir::WalkDir::new(dir).min_depth(1) {
        let entry = entry.expect("readable");
        let path = entry.path().strip_prefix(dir).expect("below").to_owned();
        if entry.file_type().is_dir() {
            image.folders.insert(path);
        } else if path.file_name() != Some("lock".as_ref()) {
            image.files.insert(path, std::fs::read(entry.path()).expect("readable"));
        }
    }
    image
}
