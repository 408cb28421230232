//! Makes what was kept last: bytes first, then the names of their files, then a record in the journal that says so.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::journal::{JOURNAL, Journal, Told, Whereabouts};
use super::ledger::{News, Place};
use super::room::SYNCS_IN_ONE_GO;
use super::{Change, Store, StoreError};
use crate::content::{FileIndex, PieceIndex, PieceSet};
use crate::net::content::beneath::Standing;
use crate::net::content::stamp::{Mark, Stamp};

/// Files that are synced one by one; more in one go, where the system can.
const SYNCED_SINGLY_MAX: usize = 8;

impl Store {
    /// Whether anything changed since the last commit.
    pub fn is_commit_due(&self) -> bool {
        self.ledger().is_news()
    }

    /// Syncs what was written since the last commit, and notes in the journal what was kept. A second one waits for the first.
    ///
    /// After an error what was kept since is not noted. Bytes that the disk refused to sync count as lost, though a read
    /// may still find them in memory (see [`Store::take_lost`]); what else failed is tried again with the next commit.
    pub fn commit(&self) -> Result<(), StoreError> {
        let Some(download) = &self.download else { return Ok(()) };
        self.commit_with(&mut lock(&download.journal))
    }

    /// Commits, if more than `bytes` are not synced yet once the commit under way has ended.
    pub(super) fn commit_beyond(&self, bytes: u64) -> Result<(), StoreError> {
        let mut journal = lock(&self.download().journal);
        if self.ledger().unsynced.bytes() > bytes { self.commit_with(&mut journal) } else { Ok(()) }
    }

    fn commit_with(&self, journal: &mut Option<Journal>) -> Result<(), StoreError> {
        if !self.is_commit_due() && self.ledger().unsynced.written_bytes() == 0 {
            return Ok(());
        }
        self.download().room.see_in_place()?; // who took it away hears it now, and not at the end of a large file
        let (written, news) = {
            let mut ledger = self.ledger();
            (ledger.unsynced.begin_sync(), ledger.take_news())
        };
        let outcome = self.make_last(journal, &written, news);
        self.ledger().unsynced.end_sync();
        outcome
    }

    /// Syncs these files, and those of what was kept; then notes that.
    fn make_last(
        &self,
        journal: &mut Option<Journal>,
        written: &[FileIndex],
        news: Option<News>,
    ) -> Result<(), StoreError> {
        let Some(mut news) = news else { return self.sync(written, &[]) };
        let unsynced = self.sync(written, &news.kept);
        // What was lost meanwhile is not noted, nor what came again since: that is synced with the next commit.
        let noted = self.ledger().noted();
        news.kept.retain(|piece| noted.contains(*piece));
        let noted = self.note(journal, &news);
        if noted.is_err() {
            *journal = None; // its end may be torn: the next commit begins another
            self.ledger().pend_again(news.kept);
        }
        noted.and(unsynced)
    }

    /// What ceased to be held since this was last asked, other than by a read that told of it.
    pub fn take_lost(&self) -> Vec<PieceIndex> {
        self.ledger().take_lost()
    }

    /// Ends a run in order: the next one may take what it finds at its word. Nothing may be written any more.
    pub fn close(&self) -> Result<(), StoreError> {
        self.commit()?;
        let Some(download) = self.download.as_ref().filter(|_| !self.is_finished()) else { return Ok(()) };
        let Some(journal) = lock(&download.journal).take() else { return Ok(()) };
        let looks = self.looks()?;
        let closed = journal.close(&download.room, &looks);
        closed.map_err(|error| download.room.failed("cannot write", JOURNAL, error))
    }

    /// A process works here from now on. What is in the making and was not noted before is synced with the next commit.
    pub(super) fn begin_journal(&self, told: &Told) -> Result<(), StoreError> {
        let mut ledger = self.ledger();
        if let Some(mut news) = ledger.take_news() {
            news.kept.retain(|piece| !told.kept.contains(*piece));
            ledger.pend_again(news.kept);
        }
        let noted = ledger.noted();
        drop(ledger);
        *lock(&self.download().journal) = Some(self.new_journal(&noted)?);
        Ok(())
    }

    fn new_journal(&self, noted: &PieceSet) -> Result<Journal, StoreError> {
        let room = &self.download().room;
        let begun = Journal::begin(room, &self.metainfo, noted);
        begun.map_err(|error| room.failed("cannot write", JOURNAL, error))
    }

    fn note(&self, journal: &mut Option<Journal>, news: &News) -> Result<(), StoreError> {
        let room = &self.download().room;
        room.sync_names().map_err(|error| room.failed("cannot sync", "", error))?;
        match journal {
            None => {
                let noted = self.ledger().noted();
                *journal = Some(self.new_journal(&noted)?);
                Ok(())
            }
            Some(journal) => {
                let set = |pieces: &[PieceIndex]| {
                    let mut set = PieceSet::empty(self.metainfo.geometry().piece_count());
                    pieces.iter().for_each(|piece| _ = set.insert(*piece));
                    set
                };
                let noted = journal.add(room, &set(&news.lost), &set(&news.kept));
                noted.map_err(|error| room.failed("cannot write", JOURNAL, error))
            }
        }
    }

    /// Syncs those of `written`, and of the files of `pieces`, that are in the making; those in their final place were synced on the
    /// way there. What could not be synced is lost.
    fn sync(&self, written: &[FileIndex], pieces: &[PieceIndex]) -> Result<(), StoreError> {
        let files: BTreeSet<FileIndex> = {
            let (ledger, geometry) = (self.ledger(), self.metainfo.geometry());
            let files = pieces.iter().map(|piece| geometry.place(*piece).0);
            files
                .chain(written.iter().copied())
                .filter(|file| !matches!(ledger.place(*file), Place::Final(_)))
                .collect()
        };
        if files.len() > SYNCED_SINGLY_MAX && SYNCS_IN_ONE_GO {
            return self.sync_all(pieces);
        }
        files.into_iter().map(|file| self.sync_one(file, pieces)).fold(Ok(()), Result::and)
    }

    /// Syncs all that was written, or else loses it and those of `taken`: nobody says whose bytes it were.
    pub(super) fn sync_all(&self, taken: &[PieceIndex]) -> Result<(), StoreError> {
        let room = &self.download().room;
        room.sync_everything().map_err(|error| {
            let files: Vec<FileIndex> = self.metainfo.geometry().files().collect();
            self.lose_unsynced(&files, taken);
            room.failed("cannot sync", "", error)
        })
    }

    fn sync_one(&self, file: FileIndex, pieces: &[PieceIndex]) -> Result<(), StoreError> {
        let room = &self.download().room;
        let path = room.within_partial(file);
        let sync = |opened: &File| room.gate().pass(Change::Sync(&path), || opened.sync_data());
        let synced = match self.handles.get(file) {
            Some(handle) => sync(&handle.file),
            None => self.open_making(file).and_then(|opened| sync(&opened)),
        };
        match synced {
            // Moved meanwhile, and synced before.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => {
                self.lose_unsynced(&[file], pieces);
                Err(room.failed_file("cannot sync", file, error))
            }
            Ok(()) => Ok(()),
        }
    }

    /// The disk refused to sync these files: memory may still show what was written of them, `taken` or not yet counted, but no
    /// second attempt would tell the truth.
    pub(super) fn lose_unsynced(&self, files: &[FileIndex], taken: &[PieceIndex]) {
        self.ledger().lose_unnoted(&self.metainfo, files, taken);
        files.iter().for_each(|file| self.handles.forget(*file));
    }

    /// How every file looks that anything is noted of.
    fn looks(&self) -> Result<Vec<(FileIndex, Whereabouts, Mark)>, StoreError> {
        let room = &self.download().room;
        let noted = self.ledger().noted();
        let mut looks = Vec::new();
        for file in self.metainfo.geometry().files() {
            let place = self.ledger().place(file);
            let mut pieces = self.metainfo.geometry().pieces_of(file);
            match place {
                Place::Final(verified) => {
                    if let Standing::File(data) = self.base.look(&self.below_base(file))?
                        && Stamp::from(&data) == verified
                    {
                        looks.push((file, Whereabouts::Standing, Mark::from(&data)));
                    }
                }
                Place::Making | Place::Complete if pieces.any(|piece| noted.contains(piece)) => {
                    let mark = room.look(file)?.map(|(mark, _)| (file, Whereabouts::Making, mark));
                    looks.extend(mark);
                }
                _ => {}
            }
        }
        Ok(looks)
    }
}

/// The journal, as long as nobody else works with it.
pub(super) fn lock(journal: &Mutex<Option<Journal>>) -> MutexGuard<'_, Option<Journal>> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}
