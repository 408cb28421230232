//! Verifies what is there already, on every core. Believes nothing but the bytes, and of those in the making that no journal
//! vouches for only what it could write once more.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use super::journal::{Told, Whereabouts};
use super::ledger::{Ledger, Place};
use super::room::Room;
use super::survey::Survey;
use super::{StoreError, UNSYNCED_BYTES_MAX, anew, holes};
use crate::content::{FileIndex, Metainfo, PieceIndex, PieceSet, merkle};
use crate::net::content::beneath::{Beneath, below_target};
use crate::net::content::hashing::{self, HashFault, Opener, Work};
use crate::net::content::stamp::Stamp;
use crate::net::content::{Progress, Stopped, go_on};

fn is_final(ledger: &Ledger, file: FileIndex) -> bool {
    matches!(ledger.place(file), Place::Final(_))
}

/// A look at everything that is there, but for what the journal of a run that ended in order vouches for.
pub(super) struct Recheck<'a> {
    pub(super) metainfo: &'a Metainfo,
    pub(super) base: &'a Beneath,
    pub(super) room: &'a Room,
    pub(super) survey: &'a Survey,
    /// What the journal of the last run says.
    pub(super) told: &'a Told,
    pub(super) progress: Progress<'a>,
}

impl Recheck<'_> {
    /// Notes in `ledger` every file that is right where it belongs, and every right piece of the files in the making. Gives
    /// the right pieces of what stands there, of files that are not right as a whole too.
    pub(super) fn run(&self, ledger: &mut Ledger) -> Result<PieceSet, StoreError> {
        let geometry = self.metainfo.geometry();
        self.trust(ledger);
        let is_open = |file: &FileIndex| self.survey.is_candidate(*file) && !is_final(ledger, *file);
        let finals: Vec<FileIndex> = geometry.files().filter(is_open).collect();
        let stand: Vec<PieceIndex> = finals.iter().flat_map(|file| geometry.pieces_of(*file)).collect();
        let made = self.survey.partials().map(|(file, _)| file);
        let made = made.filter(|file| !is_final(ledger, *file) && !self.is_trusted(*file));
        let begun: Vec<PieceIndex> = made.flat_map(|file| self.begun(file)).collect();
        let (stand_bytes, begun_bytes) = (self.bytes(&stand), self.bytes(&begun));
        let total_bytes = stand_bytes + begun_bytes;
        let right = self.adopt(ledger, &finals, &stand, total_bytes)?;
        let begun: Vec<PieceIndex> = begun
            .into_iter()
            .filter(|piece| ledger.place(geometry.place(*piece).0) == Place::Making)
            .collect();
        self.go_on(ledger, &begun, total_bytes)?;
        Ok(right)
    }

    /// Takes the word of a run that ended in order for every file that looks as it did then.
    fn trust(&self, ledger: &mut Ledger) {
        let geometry = self.metainfo.geometry();
        for file in geometry.files() {
            let kept = || geometry.pieces_of(file).filter(|piece| self.told.kept.contains(*piece));
            let standing =
                self.survey.candidate(file).filter(|_| self.is_as_told(file, Whereabouts::Standing));
            if let Some(stamp) = standing.filter(|_| self.is_told_whole(file)) {
                ledger.stand(geometry, file, stamp);
                ledger.trust(kept());
            } else if self.is_trusted(file) {
                kept().for_each(|piece| _ = ledger.keep(geometry, piece));
                ledger.trust(kept());
            }
        }
    }

    /// Whether what is in the making of `file` is not looked at now. One that is whole is about to take its place.
    fn is_trusted(&self, file: FileIndex) -> bool {
        self.is_as_told(file, Whereabouts::Making) && !self.is_told_whole(file)
    }

    fn is_told_whole(&self, file: FileIndex) -> bool {
        self.metainfo.geometry().pieces_of(file).all(|piece| self.told.kept.contains(piece))
    }

    fn is_as_told(&self, file: FileIndex, whereabouts: Whereabouts) -> bool {
        let told = self.told.marks.get(&file).filter(|(place, _)| *place == whereabouts);
        told.is_some_and(|(_, mark)| self.survey.mark(file, whereabouts) == Some(*mark))
    }

    fn bytes(&self, pieces: &[PieceIndex]) -> u64 {
        pieces.iter().map(|piece| u64::from(self.metainfo.geometry().length(*piece))).sum()
    }

    /// The pieces of a file in the making that anything was written of.
    fn begun(&self, file: FileIndex) -> Vec<PieceIndex> {
        let geometry = self.metainfo.geometry();
        let pieces: Vec<PieceIndex> = geometry.pieces_of(file).collect();
        match self.room.open(file) {
            Ok(opened) => holes::begun(&opened, &pieces, u64::from(geometry.piece_bytes())),
            Err(_) => pieces,
        }
    }

    fn adopt(
        &self,
        ledger: &mut Ledger,
        finals: &[FileIndex],
        pieces: &[PieceIndex],
        total_bytes: u64,
    ) -> Result<PieceSet, StoreError> {
        let open = |file: FileIndex| -> io::Result<(File, Stamp)> {
            let stamp = self.survey.candidate(file).ok_or(io::ErrorKind::NotFound)?;
            Ok((self.base.read(&below_target(self.metainfo, file))?, stamp))
        };
        let (right, faults) = self.check(pieces, 0, total_bytes, &open)?;
        for file in finals.iter().filter(|file| !faults.contains_key(file)) {
            let is_right = self.metainfo.geometry().pieces_of(*file).all(|piece| right.contains(piece));
            let is_adoptable = |stamp: &Stamp| is_right && stamp.bytes == self.metainfo.file(*file).length;
            if let Some(stamp) = self.survey.candidate(*file).filter(is_adoptable) {
                ledger.stand(self.metainfo.geometry(), *file, stamp);
            }
        }
        self.refuse_unreadable(ledger, faults)?;
        Ok(right)
    }

    /// A chosen file that cannot be read is not known to differ.
    fn refuse_unreadable(
        &self,
        ledger: &Ledger,
        faults: BTreeMap<FileIndex, HashFault>,
    ) -> Result<(), StoreError> {
        for (file, fault) in faults {
            if let (HashFault::Unreadable(error), true) = (fault, ledger.is_selected(file)) {
                let path = self.base.shown(&below_target(self.metainfo, file));
                return Err(StoreError::Io { doing: "cannot read", path, error });
            }
        }
        Ok(())
    }

    fn go_on(&self, ledger: &mut Ledger, pieces: &[PieceIndex], total_bytes: u64) -> Result<(), StoreError> {
        let open = |file: FileIndex| -> io::Result<(File, Stamp)> {
            let opened = self.room.open(file)?;
            let stamp = Stamp::of(&opened)?;
            Ok((opened, stamp))
        };
        let (right, faults) = self.check(pieces, total_bytes - self.bytes(pieces), total_bytes, &open)?;
        let geometry = self.metainfo.geometry();
        let mut unsynced_bytes = 0;
        for piece in right.iter().filter(|piece| !faults.contains_key(&geometry.place(*piece).0)) {
            if self.told.kept.contains(piece) {
                ledger.keep(geometry, piece);
                continue;
            }
            go_on(self.progress)?;
            if self.is_right_anew(piece) {
                ledger.keep(geometry, piece);
            }
            // After a crash it is never so much; without a journal it may be everything.
            unsynced_bytes += u64::from(geometry.length(piece));
            if unsynced_bytes > UNSYNCED_BYTES_MAX {
                unsynced_bytes = 0;
                self.room.sync_file(geometry.place(piece).0)?;
            }
        }
        Ok(())
    }

    /// Writes `piece` again; whether what was written is right. What cannot be written is fetched again, once the disk takes
    /// it.
    fn is_right_anew(&self, piece: PieceIndex) -> bool {
        let geometry = self.metainfo.geometry();
        anew::write(self.room, geometry, piece).is_ok_and(|leaves| {
            merkle::root(&leaves, geometry.padded_leaf_count(piece)) == self.metainfo.piece_hash(piece)
        })
    }

    /// The right ones among `pieces`, and the files that could not be read or did not hold still.
    fn check(
        &self,
        pieces: &[PieceIndex],
        done_bytes: u64,
        total_bytes: u64,
        open: &impl Opener,
    ) -> Result<(PieceSet, BTreeMap<FileIndex, HashFault>), Stopped> {
        let geometry = self.metainfo.geometry();
        let progress = self.progress;
        let work = Work { geometry, pieces, stop_at_fault: false, progress, done_bytes, total_bytes };
        let mut digests = vec![None; pieces.len()];
        let faults = hashing::hash(&work, &mut digests, open)?;
        let mut right = PieceSet::empty(geometry.piece_count());
        for (piece, digest) in pieces.iter().zip(&digests) {
            if *digest == Some(self.metainfo.piece_hash(*piece)) {
                right.insert(*piece);
            }
        }
        Ok((right, faults))
    }
}
