//! What is held and where each file stands. Pure bookkeeping: opens nothing.

use std::collections::BTreeSet;

use super::renewal::{Losses, Renewal};
use super::unsynced::Unsynced;
use crate::content::{Block, FileIndex, Geometry, Metainfo, PieceIndex, PieceSet};
use crate::net::content::stamp::Stamp;

/// Files up to this size wait for each other, to be synced in one go.
const SMALL_BYTES_MAX: u64 = 1024 * 1024;
/// The most files that wait.
pub(super) const GROUP_FILES_MAX: usize = 1024;
/// The most bytes that wait.
const GROUP_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Where a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the room, or nowhere yet: some of it may be held.
    Making,
    /// In the room, complete, not yet moved.
    Complete,
    /// In its final place, as it was when its pieces were verified.
    Final(Stamp),
    /// It was in its final place and changed; we do not make it again, being its source.
    Lost,
}

/// The books of one share.
#[derive(Debug)]
pub(super) struct Ledger {
    kept: PieceSet,
    /// Pieces that are not kept, by file.
    missing: Vec<u32>,
    places: Vec<Place>,
    selected: Vec<bool>,
    /// Chosen files in [`Place::Making`], and those not in [`Place::Final`].
    making: usize,
    unmoved: usize,
    waiting: Vec<FileIndex>,
    waiting_bytes: u64,
    finished: bool,
    /// What is not in the journal yet.
    news: News,
    /// Kept where a copy stands that is to be mended: the journal speaks of these once they are in the making, no sooner.
    standing: PieceSet,
    /// What was written and is not synced.
    pub(super) unsynced: Unsynced,
    /// Held on the word of an earlier run: to be checked before anybody is given them, and before their file takes its place.
    unchecked: PieceSet,
    /// Held no more, and nobody was told.
    lost: Vec<PieceIndex>,
    /// Files in the making that have their full length, for all we know.
    begun: Vec<bool>,
    /// Who counts what is gone comes too late.
    renewal: Renewal,
}

/// What became of pieces since the journal was last written.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    /// All of these are kept.
    pub(super) kept: Vec<PieceIndex>,
    /// Some of these may be kept again.
    pub(super) lost: Vec<PieceIndex>,
}

impl Ledger {
    /// Of a share whose every file stands where it was found.
    pub(super) fn source(geometry: &Geometry, stamps: Vec<Stamp>) -> Ledger {
        let selected = vec![true; stamps.len()];
        let mut ledger = Ledger::new(geometry, selected);
        ledger.kept = PieceSet::full(geometry.piece_count());
        ledger.missing.fill(0);
        for (file, stamp) in geometry.files().zip(stamps) {
            ledger.set(file, Place::Final(stamp));
        }
        ledger.finished = true;
        ledger
    }

    /// Of a download that holds nothing.
    pub(super) fn new(geometry: &Geometry, selected: Vec<bool>) -> Ledger {
        let count =
            |file| u32::try_from(geometry.pieces_of(file).count()).expect("a share has at most 2^21 pieces");
        let chosen = selected.iter().filter(|selected| **selected).count();
        Ledger {
            kept: PieceSet::empty(geometry.piece_count()),
            missing: geometry.files().map(count).collect(),
            places: vec![Place::Making; geometry.file_count()],
            selected,
            making: chosen,
            unmoved: chosen,
            waiting: Vec::new(),
            waiting_bytes: 0,
            finished: false,
            news: News::default(),
            standing: PieceSet::empty(geometry.piece_count()),
            unsynced: Unsynced::default(),
            unchecked: PieceSet::empty(geometry.piece_count()),
            lost: Vec::new(),
            begun: vec![false; geometry.file_count()],
            renewal: Renewal::new(geometry),
        }
    }

    /// What is verified and written.
    pub(super) fn kept(&self) -> &PieceSet {
        &self.kept
    }

    /// Where `file` stands.
    pub(super) fn place(&self, file: FileIndex) -> Place {
        self.places[file.index()]
    }

    /// Whether `file` was chosen.
    pub(super) fn is_selected(&self, file: FileIndex) -> bool {
        self.selected[file.index()]
    }

    /// Whether every piece of `file` is kept.
    pub(super) fn is_whole(&self, file: FileIndex) -> bool {
        self.missing[file.index()] == 0
    }

    /// Counts `file` as standing in its final place, with all its pieces.
    pub(super) fn stand(&mut self, geometry: &Geometry, file: FileIndex, stamp: Stamp) {
        geometry.pieces_of(file).for_each(|piece| {
            self.kept.insert(piece);
        });
        self.missing[file.index()] = 0;
        self.set(file, Place::Final(stamp));
    }

    fn set(&mut self, file: FileIndex, place: Place) {
        let before = std::mem::replace(&mut self.places[file.index()], place);
        if matches!(place, Place::Final(_)) {
            self.begun[file.index()] = false;
            self.unsynced.moved(file);
        }
        if self.is_selected(file) {
            self.making =
                self.making + usize::from(place == Place::Making) - usize::from(before == Place::Making);
            let moved = |place| matches!(place, Place::Final(_));
            self.unmoved = self.unmoved + usize::from(!moved(place)) - usize::from(!moved(before));
        }
    }

    /// Counts `piece`, unless some of what was written of it is gone; true when its file became whole by it.
    pub(super) fn keep(&mut self, geometry: &Geometry, piece: PieceIndex) -> bool {
        if self.renewal.is_gone(piece) || !self.kept.insert(piece) {
            return false;
        }
        let missing = &mut self.missing[geometry.place(piece).0.index()];
        *missing -= 1;
        self.news.kept.push(piece);
        *missing == 0
    }

    /// Counts `piece` where it stands, in a copy that is to be mended.
    pub(super) fn keep_standing(&mut self, geometry: &Geometry, piece: PieceIndex) {
        if self.kept.insert(piece) {
            self.missing[geometry.place(piece).0.index()] -= 1;
            self.standing.insert(piece);
        }
    }

    /// The copy that stood is the file in the making now, of its full length.
    pub(super) fn take_up(&mut self, geometry: &Geometry, file: FileIndex) {
        for piece in geometry.pieces_of(file) {
            if self.standing.remove(piece) {
                self.news.kept.push(piece);
            }
        }
        self.begin(file);
    }

    /// What is to be noted in the journal, if anything: whoever takes it answers for it.
    pub(super) fn take_news(&mut self) -> Option<News> {
        self.is_news().then(|| std::mem::take(&mut self.news))
    }

    /// What was taken and could not be noted waits again; what was lost meanwhile does not.
    pub(super) fn pend_again(&mut self, pieces: Vec<PieceIndex>) {
        self.news.kept.extend(pieces.into_iter().filter(|piece| self.kept.contains(*piece)));
    }

    /// Whether anything waits for the journal.
    pub(super) fn is_news(&self) -> bool {
        !(self.news.kept.is_empty() && self.news.lost.is_empty())
    }

    /// What is kept, but for what waits for the journal or is none of its business.
    pub(super) fn noted(&self) -> PieceSet {
        let mut noted = self.kept.clone();
        self.news.kept.iter().copied().chain(self.standing.iter()).for_each(|piece| _ = noted.remove(piece));
        noted
    }

    /// The losses so far; to be asked before a write begins.
    pub(super) fn losses(&self) -> Losses {
        self.renewal.losses()
    }

    /// Counts the bytes of `block`, written since there were so many `losses`.
    pub(super) fn wrote(&mut self, geometry: &Geometry, block: Block, losses: Losses) {
        self.renewal.wrote(geometry, block, losses);
        self.unsynced.wrote(geometry.place(block.piece).0, block.length.into());
    }

    /// Takes `pieces` for held on the word of an earlier run.
    pub(super) fn trust(&mut self, pieces: impl Iterator<Item = PieceIndex>) {
        pieces.for_each(|piece| _ = self.unchecked.insert(piece));
    }

    /// Whether everything held was looked at in this life.
    pub(super) fn is_all_checked(&self) -> bool {
        self.unchecked.is_empty()
    }

    /// Whether `piece` was not looked at in this life.
    pub(super) fn is_unchecked(&self, piece: PieceIndex) -> bool {
        self.unchecked.contains(piece)
    }

    /// `piece` was looked at.
    pub(super) fn check(&mut self, piece: PieceIndex) {
        self.unchecked.remove(piece);
    }

    /// These ceased to be held, and nobody was told yet.
    pub(super) fn leave_untold(&mut self, pieces: Vec<PieceIndex>) {
        self.lost.extend(pieces);
    }

    /// `file` in the making has its full length.
    pub(super) fn begin(&mut self, file: FileIndex) {
        self.begun[file.index()] = true;
    }

    /// Whether it had.
    pub(super) fn is_begun(&self, file: FileIndex) -> bool {
        self.begun[file.index()]
    }

    /// Forgets all of a file in the making that somebody cut short, half-done pieces too. An empty one is as complete as before.
    pub(super) fn lose_cut(&mut self, metainfo: &Metainfo, file: FileIndex) {
        self.begun[file.index()] = false;
        let pieces: Vec<PieceIndex> = metainfo.geometry().pieces_of(file).collect();
        if !pieces.is_empty() {
            self.lose(metainfo, file, Place::Making);
            self.begin_again(pieces);
        }
    }

    /// Forgets all of files in the making that the journal does not vouch for, half-done pieces too: those that `taken` was to
    /// be noted of, and those that came since.
    pub(super) fn lose_unnoted(&mut self, metainfo: &Metainfo, files: &[FileIndex], taken: &[PieceIndex]) {
        let pending: BTreeSet<PieceIndex> = self.news.kept.iter().chain(taken).copied().collect();
        for file in files.iter().copied() {
            if !matches!(self.place(file), Place::Making | Place::Complete) {
                continue;
            }
            let is_noted = |piece: &PieceIndex| self.kept.contains(*piece) && !pending.contains(piece);
            let unnoted: Vec<PieceIndex> =
                metainfo.geometry().pieces_of(file).filter(|piece| !is_noted(piece)).collect();
            let kept: Vec<PieceIndex> =
                unnoted.iter().copied().filter(|piece| self.kept.contains(*piece)).collect();
            if !kept.is_empty() {
                self.lose_some(metainfo, file, &kept, Place::Making);
            }
            self.begin_again(unnoted);
        }
    }

    /// These are fetched again from their first byte on, whoever is at them.
    fn begin_again(&mut self, pieces: Vec<PieceIndex>) {
        self.renewal.lose(&pieces);
        self.leave_untold(pieces);
    }

    /// These are fetched again, and whoever noticed that they are gone tells it.
    pub(super) fn renew(&mut self, pieces: &[PieceIndex]) {
        self.renewal.lose(pieces);
    }

    /// What ceased to be held since it was last asked, or what is half done and lies nowhere any more; but for what was
    /// written anew and counted meanwhile.
    pub(super) fn take_lost(&mut self) -> Vec<PieceIndex> {
        let mut lost = std::mem::take(&mut self.lost);
        lost.retain(|piece| !self.kept.contains(*piece));
        lost
    }

    /// Lets a whole file wait for its group; gives what is to be moved now.
    pub(super) fn complete(&mut self, file: FileIndex, bytes: u64) -> Vec<FileIndex> {
        self.set(file, Place::Complete);
        let mut now = Vec::new();
        if bytes > SMALL_BYTES_MAX {
            now.push(file);
        } else {
            self.waiting.push(file);
            self.waiting_bytes += bytes;
        }
        let is_full = self.waiting.len() >= GROUP_FILES_MAX || self.waiting_bytes >= GROUP_BYTES_MAX;
        if is_full || self.making == 0 {
            now.extend(self.take_waiting());
        }
        now
    }

    /// Files that are whole, and neither in their final place nor waiting for their group: moving them failed.
    pub(super) fn left_behind(&self, geometry: &Geometry) -> Vec<FileIndex> {
        let waiting: BTreeSet<FileIndex> = self.waiting.iter().copied().collect();
        let is_left = |file: &FileIndex| self.place(*file) == Place::Complete && !waiting.contains(file);
        geometry.files().filter(is_left).collect()
    }

    /// What waits, to be moved now.
    pub(super) fn take_waiting(&mut self) -> Vec<FileIndex> {
        self.waiting_bytes = 0;
        std::mem::take(&mut self.waiting)
    }

    /// Forgets what was held of `file`: it changed under our feet.
    pub(super) fn lose(&mut self, metainfo: &Metainfo, file: FileIndex, place: Place) {
        let pieces: Vec<PieceIndex> =
            metainfo.geometry().pieces_of(file).filter(|piece| self.kept.contains(*piece)).collect();
        self.lose_some(metainfo, file, &pieces, place);
    }

    /// Forgets pieces of `file`, which is at `place` from now on.
    pub(super) fn lose_some(
        &mut self,
        metainfo: &Metainfo,
        file: FileIndex,
        pieces: &[PieceIndex],
        place: Place,
    ) {
        for piece in pieces {
            self.missing[file.index()] += u32::from(self.kept.remove(*piece));
            self.standing.remove(*piece);
            if !matches!(place, Place::Final(_)) {
                self.unchecked.remove(*piece); // what is written anew is right
            }
        }
        self.news.kept.retain(|piece| self.kept.contains(*piece));
        self.news.lost.extend(pieces);
        self.set(file, place);
        if let Some(at) = self.waiting.iter().position(|waiting| *waiting == file) {
            self.waiting.swap_remove(at);
            self.waiting_bytes -= metainfo.file(file).length;
        }
        self.finished &= !self.is_selected(file);
    }

    /// Whether every chosen file stands in its final place.
    pub(super) fn is_all_moved(&self) -> bool {
        self.unmoved == 0
    }

    /// Whether [`Ledger::finish`] was called, and nothing was lost since.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Notes that everything wanted is done, unless some of it was lost again.
    pub(super) fn finish(&mut self) {
        self.finished = self.is_all_moved();
    }
}
