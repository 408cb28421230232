//! Hashes pieces on every core, by positioned reads into one buffer a thread. Judges nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::stamp::Stamp;
use super::{Progress, Stopped};
use crate::content::{FileIndex, Geometry, LEAF_BYTES, PieceIndex, merkle};
use crate::ids::Digest;

/// What a thread reads at a time: whole leaves, few enough to be hashed from the nearest cache. Of 1 GiB in the page cache, 512 KiB
/// at a time took 0.5 s of the system's time, 64 KiB take 0.2 s.
const BUFFER_BYTES: usize = 64 * 1024;
/// What a thread takes on at a time, unless one piece is longer: one huge file keeps every core busy to its end.
const SHARE_OF_WORK_BYTES: u32 = 4 * 1024 * 1024;

/// What to hash, and how far it is of all that is to be hashed.
pub(super) struct Work<'a> {
    pub(super) geometry: &'a Geometry,
    /// In order, so that a thread seldom changes the file.
    pub(super) pieces: &'a [PieceIndex],
    /// Whether the first fault ends it.
    pub(super) stop_at_fault: bool,
    pub(super) progress: Progress<'a>,
    /// Bytes that were done before, and bytes in all.
    pub(super) done_bytes: u64,
    pub(super) total_bytes: u64,
}

/// Why a file could not be hashed.
#[derive(Debug)]
pub(super) enum HashFault {
    /// It was not the same before and after.
    Changed,
    Unreadable(io::Error),
}

/// Opens a file, and says what it should be: it is compared when the file is opened and when it is left.
pub(super) trait Opener: Fn(FileIndex) -> io::Result<(File, Stamp)> + Sync {}
impl<F: Fn(FileIndex) -> io::Result<(File, Stamp)> + Sync> Opener for F {}

/// Hashes those of `work.pieces` whose hash is not among `digests` yet, and puts it there: one place for each piece, which
/// stays empty where the file ended before it or could not be read. Gives the first fault of each file.
pub(super) fn hash(
    work: &Work<'_>,
    digests: &mut [Option<Digest>],
    open: &impl Opener,
) -> Result<BTreeMap<FileIndex, HashFault>, Stopped> {
    let step = (SHARE_OF_WORK_BYTES / work.geometry.piece_bytes()).max(1) as usize;
    let shares = Mutex::new(work.pieces.chunks(step).zip(digests.chunks_mut(step)));
    let done = AtomicU64::new(work.done_bytes);
    let (ended, stopped) = (AtomicBool::new(false), AtomicBool::new(false));
    let faults = Mutex::new(BTreeMap::new());
    let worker = || {
        let next = || shares.lock().expect("hashing does not panic").next();
        Worker { work, open, done: &done, ended: &ended, stopped: &stopped, faults: &faults }.run(next);
    };
    std::thread::scope(|scope| {
        (1..cores(work.pieces.len())).for_each(|_| drop(scope.spawn(worker)));
        worker();
    });
    if stopped.into_inner() { Err(Stopped) } else { Ok(faults.into_inner().expect("hashing does not panic")) }
}

fn cores(pieces: usize) -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(pieces.max(1))
}

struct Worker<'a, O> {
    work: &'a Work<'a>,
    open: &'a O,
    done: &'a AtomicU64,
    /// No more is to be read, for whatever reason.
    ended: &'a AtomicBool,
    /// Who watches does not want to go on.
    stopped: &'a AtomicBool,
    faults: &'a Mutex<BTreeMap<FileIndex, HashFault>>,
}

/// The file a worker has in hand.
struct InHand {
    file: FileIndex,
    opened: Option<(File, Stamp)>,
}

impl<O: Opener> Worker<'_, O> {
    /// Does one share of the work after the other, as `next` gives them.
    fn run<'d>(&self, next: impl Fn() -> Option<(&'d [PieceIndex], &'d mut [Option<Digest>])>) {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut in_hand: Option<InHand> = None;
        while let Some((pieces, digests)) = next().filter(|_| !self.is_over()) {
            for (piece, digest) in pieces.iter().zip(digests).filter(|(_, digest)| digest.is_none()) {
                *digest = self.piece(*piece, &mut in_hand, &mut buffer);
            }
        }
        self.leave(in_hand.as_ref());
    }

    fn piece(&self, piece: PieceIndex, in_hand: &mut Option<InHand>, buffer: &mut [u8]) -> Option<Digest> {
        let (file, start) = self.work.geometry.place(piece);
        if in_hand.as_ref().is_none_or(|hand| hand.file != file) {
            self.leave(in_hand.as_ref());
            *in_hand = Some(self.take(file));
        }
        let (opened, _) = in_hand.as_ref()?.opened.as_ref()?;
        match self.piece_hash(piece, opened, start, buffer) {
            Ok(digest) => digest,
            // Shorter than it should be: its stamp tells, where it had one to keep.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => {
                self.fault(file, HashFault::Unreadable(error));
                None
            }
        }
    }

    /// The hash of one piece that begins at byte `start` of `file`, none if told to end first; an error of kind
    /// `UnexpectedEof` past its end.
    fn piece_hash(
        &self,
        piece: PieceIndex,
        file: &File,
        start: u64,
        buffer: &mut [u8],
    ) -> io::Result<Option<Digest>> {
        let geometry = self.work.geometry;
        let mut left = geometry.length(piece) as usize;
        let mut at = start;
        let mut leaves = Vec::with_capacity(geometry.leaf_count(piece));
        while left > 0 {
            if self.is_over() {
                return Ok(None);
            }
            let part = &mut buffer[..left.min(BUFFER_BYTES)];
            file.read_exact_at(part, at)?;
            leaves.extend(part.chunks(LEAF_BYTES as usize).map(merkle::leaf));
            left -= part.len();
            at += part.len() as u64;
            self.advance(part.len() as u64);
        }
        Ok(Some(merkle::root(&leaves, geometry.padded_leaf_count(piece))))
    }

    fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if (self.work.progress)(done, self.work.total_bytes).is_break() {
            self.stopped.store(true, Ordering::Relaxed);
            self.ended.store(true, Ordering::Relaxed);
        }
    }

    fn is_over(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn take(&self, file: FileIndex) -> InHand {
        let opened = (self.open)(file).map_err(|error| self.fault(file, HashFault::Unreadable(error))).ok();
        let hand = InHand { file, opened };
        self.compare(&hand);
        hand
    }

    fn leave(&self, hand: Option<&InHand>) {
        hand.into_iter().for_each(|hand| self.compare(hand));
    }

    fn compare(&self, hand: &InHand) {
        let Some((file, stamp)) = &hand.opened else { return };
        match Stamp::of(file) {
            Ok(now) if now == *stamp => {}
            Ok(_) => self.fault(hand.file, HashFault::Changed),
            Err(error) => self.fault(hand.file, HashFault::Unreadable(error)),
        }
    }

    fn fault(&self, file: FileIndex, fault: HashFault) {
        self.faults.lock().expect("hashing does not panic").entry(file).or_insert(fault);
        self.ended.fetch_or(self.work.stop_at_fault, Ordering::Relaxed);
    }
}
