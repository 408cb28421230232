//! The journal of a download: which pieces are verified and on the disk to stay, and whether the last process ended in order.
//! Written only after what it speaks of was synced. It is believed where the last process ended in order and the files look as
//! they did then; else each byte is read, and what it does not speak of is written again.

#[cfg(feature = "fuzz")]
pub(super) mod fuzz;
mod record;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Write};

use cap_std::fs::OpenOptions;

use super::change::Change;
use super::room::Room;
use crate::content::{FileIndex, Metainfo, PieceSet};
use crate::net::content::beneath::plain;
use crate::net::content::stamp::Mark;
use record::{Draft, JOURNAL_BYTES_MAX, MARKS_MAX};

pub(super) use record::{Told, Whereabouts};

/// The names of the file, and of the one that will take its place.
pub(super) const JOURNAL: &str = "journal";
pub(super) const JOURNAL_NEW: &str = "journal.new";

/// What the journal in `room` says; nothing where it is damaged from the start, of another share or of another version.
pub(super) fn read(room: &Room, metainfo: &Metainfo) -> Told {
    let text = || -> io::Result<Vec<u8>> {
        let file = room.dir().open_with(JOURNAL, plain(OpenOptions::new().read(true)))?;
        let mut text = Vec::new();
        file.take(JOURNAL_BYTES_MAX).read_to_end(&mut text)?;
        Ok(text)
    };
    Told::read(&text().unwrap_or_default(), metainfo.share(), metainfo.geometry())
}

/// A journal that is open for more.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    bytes: u64,
    draft: Draft,
}

impl Journal {
    /// Puts a new journal in the place of the old one: a process works here, and `kept` is there to stay.
    pub(super) fn begin(room: &Room, metainfo: &Metainfo, kept: &PieceSet) -> io::Result<Journal> {
        let (mut draft, head) = Draft::begin(metainfo.share());
        let text = head + &draft.kept(kept);
        let file = room.replace(JOURNAL_NEW, JOURNAL, text.as_bytes())?;
        room.sync()?;
        Ok(Journal { file, bytes: text.len() as u64, draft })
    }

    /// Notes pieces that are not there any more, then pieces whose bytes were synced. After an error nothing more may be
    /// added: begin another.
    pub(super) fn add(&mut self, room: &Room, lost: &PieceSet, kept: &PieceSet) -> io::Result<()> {
        let text = self.draft.lost(lost) + &self.draft.kept(kept);
        self.append(room, &text)
    }

    /// Writes how every file looks, and that this is the end. Where they are too many, nothing: they are verified again.
    pub(super) fn close(mut self, room: &Room, looks: &[(FileIndex, Whereabouts, Mark)]) -> io::Result<()> {
        if looks.len() > MARKS_MAX {
            return Ok(());
        }
        let mut text = String::new();
        looks
            .iter()
            .for_each(|(file, whereabouts, mark)| text += &self.draft.mark(*file, *whereabouts, mark));
        text += &self.draft.closed();
        self.append(room, &text)
    }

    /// Writes `text` to the end, and syncs it.
    fn append(&mut self, room: &Room, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let path = room.within(JOURNAL);
        if self.bytes + text.len() as u64 > JOURNAL_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let write = Change::Write(&path, self.bytes, text.as_bytes());
        room.gate().pass(write, || self.file.write_all(text.as_bytes()))?;
        self.bytes += text.len() as u64;
        room.gate().pass(Change::Sync(&path), || self.file.sync_data())
    }
}
