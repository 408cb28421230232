//! What a disk that refuses means to a download, and whether it takes anything again.

use std::io::{self, Write};

use cap_std::fs::OpenOptions;

use super::change::Change;
use super::room::PARTIAL;
use super::{Store, StoreError, space};
use crate::content::FileIndex;
use crate::net::content::beneath::plain;

/// The name of a file that is written to see whether the disk takes it.
pub(super) const PROBE: &str = "probe";
const PROBE_BYTES: usize = 64 * 1024;
/// Free space that is worth going on with, where less than all that is missing is there.
const ROOM_BYTES_MIN: u64 = 64 * 1024 * 1024;

impl StoreError {
    /// Whether waiting may mend it: a disk that is full, read-only for now, or fails.
    pub fn is_passing(&self) -> bool {
        matches!(self, StoreError::Io { .. } | StoreError::NoSpace { .. })
    }
}

impl Store {
    /// What a person should hear of `error`: of a full disk how much is needed.
    pub fn explained(&self, error: StoreError) -> StoreError {
        let StoreError::Io { error: why, .. } = &error else { return error };
        // Of a quota, or of room that came back meanwhile, the system's own words tell more.
        match space::check(self.base.path(), self.missing_bytes()) {
            Err(no_space @ StoreError::NoSpace { .. }) if is_full(why) => no_space,
            _ => error,
        }
    }

    /// Whether the disk takes something again: there is some room, and a file can be written, synced, moved to where the files
    /// in the making lie, and taken away.
    pub fn probe(&self) -> Result<(), StoreError> {
        let Some(download) = &self.download else { return Ok(()) };
        let room = &download.room;
        room.see_in_place()?;
        space::check(self.base.path(), self.missing_bytes().min(ROOM_BYTES_MIN))?;
        let path = room.within(PROBE);
        let write = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            let options = plain(options.write(true).create(true).truncate(true));
            let mut file = room.gate().pass(Change::Make(&path), || room.dir().open_with(PROBE, options))?;
            let bytes = [0; PROBE_BYTES];
            room.gate().pass(Change::Write(&path, 0, &bytes), || file.write_all(&bytes))?;
            room.gate().pass(Change::Sync(&path), || file.sync_data())
        };
        let place = room.within(PARTIAL).join(PROBE);
        let tried = write().and_then(|()| {
            room.gate().pass(Change::Move(&path, &place), || room.dir().rename(PROBE, room.partial(), PROBE))
        });
        room.remove_probe();
        tried.map_err(|error| room.failed("cannot write", PROBE, error))
    }

    /// Files that are whole and not in their final place, nor waiting for their group.
    pub fn left_behind(&self) -> Vec<FileIndex> {
        self.ledger().left_behind(self.metainfo.geometry())
    }

    fn missing_bytes(&self) -> u64 {
        let ledger = self.ledger();
        let geometry = self.metainfo.geometry();
        self.wanted.minus(ledger.kept()).map(|piece| u64::from(geometry.length(piece))).sum()
    }
}

/// Whether the system says that there is no room, or no more for this user.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
