//! The journal's text: what its lines mean, and what of it can be believed. Believes nothing, touches no disk.
//!
//! The first line names the version and the share. Each further line is a record: 32 digits of a chain that begins with the
//! first line and covers every record before, a blank, a word, and what belongs to it:
//!
//! | record | meaning |
//! |---|---|
//! | `opened` | a process works here: until `closed` follows, no mark is worth anything |
//! | `kept 0-5 9-9` | these pieces were verified, and their bytes synced before this line was |
//! | `lost 3-3` | these are no longer there |
//! | `making 3 …` | the file numbered 3 lies in the room, and looks like this |
//! | `standing 17 …` | the file numbered 17 stands in its final place, and looks like this |
//! | `closed` | the process ended in order; nothing follows |
//!
//! A file's looks are seven numbers: bytes, second and nanosecond of the last writing, the same of the status time, device,
//! inode. What follows a line that is damaged is not read: a crash may have torn the last one.

use std::collections::BTreeMap;
use std::fmt::Write;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::content::{FileIndex, Geometry, PieceIndex, PieceSet};
use crate::ids::ShareId;
use crate::net::content::stamp::{Mark, Stamp};

/// The most bytes of a journal that are read or written.
pub(super) const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most files whose looks are noted at the end: more are verified again.
pub(super) const MARKS_MAX: usize = 200_000;

const VERSION: &str = "minibit journal 1";
const CHAIN_BYTES: usize = 16;
const CHAIN_DIGITS: usize = 2 * CHAIN_BYTES;
/// Runs of pieces in one record.
const RUNS_MAX: usize = 1_000;

/// Where a file was when the journal was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Whereabouts {
    Making,
    Standing,
}

/// What a journal says, as far as it is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Told {
    /// Verified and synced once.
    pub(in super::super) kept: PieceSet,
    /// How files looked in the end; empty unless the journal was closed.
    pub(in super::super) marks: BTreeMap<FileIndex, (Whereabouts, Mark)>,
    /// Whether the last process ended in order.
    pub(in super::super) is_clean: bool,
}

impl Told {
    /// Of a journal that is not there, or of no use.
    pub(in super::super) fn nothing(geometry: &Geometry) -> Told {
        Told { kept: PieceSet::empty(geometry.piece_count()), marks: BTreeMap::new(), is_clean: false }
    }

    /// Reads `text`; what it says of another share, or after a damaged line, counts for nothing.
    pub(in super::super) fn read(text: &[u8], share: ShareId, geometry: &Geometry) -> Told {
        let mut told = Told::nothing(geometry);
        let mut lines = text.split_inclusive(|byte| *byte == b'\n');
        let head = head(share);
        if lines.next() != Some(head.as_bytes()) {
            return told;
        }
        let mut chain = Chain::begin(&head);
        let files: Vec<FileIndex> = geometry.files().collect();
        let mut is_whole = true;
        for line in lines {
            is_whole = told.take(line, &mut chain, geometry, &files).is_some();
            if !is_whole {
                break;
            }
        }
        told.is_clean &= is_whole;
        if !told.is_clean {
            told.marks.clear();
        }
        told
    }

    fn take(
        &mut self,
        line: &[u8],
        chain: &mut Chain,
        geometry: &Geometry,
        files: &[FileIndex],
    ) -> Option<()> {
        let line = str::from_utf8(line).ok()?.strip_suffix('\n')?;
        let (link, body) = line.split_at_checked(CHAIN_DIGITS)?;
        let body = body.strip_prefix(' ')?;
        if link != chain.next(body) {
            return None;
        }
        let (word, rest) = body.split_once(' ').unwrap_or((body, ""));
        // Whatever comes after the end was written by somebody who did not open it first.
        self.is_clean = word == "closed";
        match word {
            "opened" => self.marks.clear(),
            "closed" => {}
            "kept" => runs_of(rest, geometry)?
                .into_iter()
                .for_each(|[first, last]| self.kept.insert_run(first, last)),
            "lost" => {
                let runs = runs_of(rest, geometry)?;
                let lost: Vec<PieceIndex> =
                    self.kept.iter().filter(|piece| is_among(&runs, *piece)).collect();
                lost.into_iter().for_each(|piece| _ = self.kept.remove(piece));
            }
            "making" => self.mark(rest, Whereabouts::Making, files)?,
            "standing" => self.mark(rest, Whereabouts::Standing, files)?,
            _ => return None,
        }
        Some(())
    }

    fn mark(&mut self, text: &str, whereabouts: Whereabouts, files: &[FileIndex]) -> Option<()> {
        let (file, looks) = text.split_once(' ')?;
        let file = files.get(file.parse::<usize>().ok()?)?;
        self.marks.insert(*file, (whereabouts, looks_of(looks)?));
        Some(())
    }
}

/// The records of a journal in the making: each gives the line to be written.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    chain: Chain,
}

impl Draft {
    /// The first two lines.
    pub(super) fn begin(share: ShareId) -> (Draft, String) {
        let head = head(share);
        let mut draft = Draft { chain: Chain::begin(&head) };
        let opened = draft.line("opened");
        (draft, head + &opened)
    }

    /// `pieces` were verified, and their bytes last.
    pub(super) fn kept(&mut self, pieces: &PieceSet) -> String {
        self.runs("kept", pieces)
    }

    /// `pieces` are no longer there.
    pub(super) fn lost(&mut self, pieces: &PieceSet) -> String {
        self.runs("lost", pieces)
    }

    fn runs(&mut self, word: &str, pieces: &PieceSet) -> String {
        let mut lines = String::new();
        for runs in pieces.runs().chunks(RUNS_MAX) {
            let mut body = word.to_owned();
            runs.iter().for_each(|[first, last]| _ = write!(body, " {first}-{last}"));
            lines += &self.line(&body);
        }
        lines
    }

    /// How a file looks.
    pub(super) fn mark(&mut self, file: FileIndex, whereabouts: Whereabouts, mark: &Mark) -> String {
        let Mark { stamp, changed } = mark;
        let word = match whereabouts {
            Whereabouts::Making => "making",
            Whereabouts::Standing => "standing",
        };
        let (file, (device, inode)) = (file.index(), stamp.identity);
        let times = [stamp.written.0, stamp.written.1, changed.0, changed.1];
        let [w, wn, c, cn] = times;
        self.line(&format!("{word} {file} {} {w} {wn} {c} {cn} {device} {inode}", stamp.bytes))
    }

    /// The last line.
    pub(super) fn closed(&mut self) -> String {
        self.line("closed")
    }

    pub(super) fn line(&mut self, body: &str) -> String {
        format!("{} {body}\n", self.chain.next(body))
    }
}

/// What ties each record to all before it.
#[derive(Clone, Debug)]
struct Chain([u8; 32]);

impl Chain {
    fn begin(head: &str) -> Chain {
        Chain(Sha256::digest(head).into())
    }

    /// The digits before `body`.
    fn next(&mut self, body: &str) -> String {
        self.0 = Sha256::new().chain_update(self.0).chain_update(body).finalize().into();
        HEXLOWER.encode(&self.0[..CHAIN_BYTES])
    }
}

fn head(share: ShareId) -> String {
    format!("{VERSION} {share}\n")
}

/// Runs of pieces of the share, in order and apart.
fn runs_of(text: &str, geometry: &Geometry) -> Option<Vec<[PieceIndex; 2]>> {
    let mut runs: Vec<[PieceIndex; 2]> = Vec::new();
    for run in text.split(' ') {
        let (first, last) = run.split_once('-')?;
        let [first, last] = [first, last].map(|piece| geometry.piece(piece.parse().ok()?).ok());
        let (first, last) = (first?, last?);
        if last < first || runs.last().is_some_and(|[_, before]| first <= *before) {
            return None;
        }
        runs.push([first, last]);
    }
    Some(runs)
}

fn is_among(runs: &[[PieceIndex; 2]], piece: PieceIndex) -> bool {
    let after = runs.partition_point(|[first, _]| *first <= piece);
    after.checked_sub(1).is_some_and(|at| piece <= runs[at][1])
}

fn looks_of(text: &str) -> Option<Mark> {
    let mut numbers = text.split(' ');
    let mut next = || numbers.next();
    let bytes = next()?.parse().ok()?;
    let mut time = || Some((next()?.parse().ok()?, next()?.parse().ok()?));
    let (written, changed) = (time()?, time()?);
    let identity = (next()?.parse().ok()?, next()?.parse().ok()?);
    next().is_none().then_some(Mark { stamp: Stamp { bytes, written, identity }, changed })
}
