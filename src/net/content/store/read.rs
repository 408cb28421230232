//! Reads blocks, and believes no file that is not as it was when its pieces were verified.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::ledger::{Ledger, Place};
use super::{Store, advice, room};
use crate::content::{Block, FileIndex, LEAF_BYTES, PieceIndex, merkle};
use crate::net::content::beneath::{Standing, open_at_hand, stands};
use crate::net::content::handles::Handle;
use crate::net::content::stamp::Stamp;

/// How long an open file is believed to be the one its path leads to.
const BELIEVED: Duration = Duration::from_secs(1);

/// Bytes that are read at a time when a whole piece is looked at.
const CHECKED_BYTES: u32 = 64 * 1024;

/// Why a block cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The file was changed, replaced or taken away since its pieces were verified.
    #[error("'{path}' changed while it was shared: {then}")]
    Changed {
        /// Whose pieces are lost.
        file: FileIndex,
        /// Which, escaped.
        path: String,
        /// What becomes of it.
        then: &'static str,
    },
    /// The file looks as it did when its pieces were verified, and a byte of it does not.
    #[error("'{path}' does not hold what it held, though it looks unchanged: {then}")]
    Rotten {
        /// Whose piece is lost.
        file: FileIndex,
        /// Which, escaped.
        path: String,
        /// What becomes of it.
        then: &'static str,
    },
    /// The system could not read for now, of which the file is no part: everything is held as before.
    #[error("cannot read '{path}' for now, and tries again when somebody asks: {error}{}", advice(.error))]
    Passing {
        /// Which, escaped.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// The disk failed.
    #[error("cannot read '{path}': {error}")]
    Io {
        /// Whose piece is lost.
        file: FileIndex,
        /// Which, escaped.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// What a failed read means for what is held.
#[derive(Debug)]
pub struct Loss {
    /// Why.
    pub fault: ReadFault,
    /// Of one file; none of them is held any more. None at all where the fault passes.
    pub pieces: Vec<PieceIndex>,
    /// Whether they may be written and kept again.
    pub again: bool,
}

impl Store {
    /// Fills `bytes`, which must be `block.length` long. A piece that is held on the word of an earlier run is looked at as a
    /// whole before anything of it is given away.
    pub fn read(&self, block: Block, bytes: &mut [u8]) -> Result<(), Loss> {
        assert_eq!(bytes.len(), block.length as usize, "a block fills its buffer");
        let is_unchecked = self.ledger().is_unchecked(block.piece);
        if is_unchecked {
            self.check_piece(block.piece)?;
        }
        self.read_block(block, bytes)
    }

    /// Looks at a piece that is held on the word of an earlier run.
    pub(super) fn check_piece(&self, piece: PieceIndex) -> Result<(), Loss> {
        let geometry = self.metainfo.geometry();
        let mut leaves = Vec::with_capacity(geometry.leaf_count(piece));
        let mut buffer = vec![0; CHECKED_BYTES as usize];
        for start in (0..geometry.length(piece)).step_by(CHECKED_BYTES as usize) {
            let length = CHECKED_BYTES.min(geometry.length(piece) - start);
            let part = &mut buffer[..length as usize];
            self.read_block(Block { piece, start, length }, part)?;
            leaves.extend(part.chunks(LEAF_BYTES as usize).map(merkle::leaf));
        }
        if merkle::root(&leaves, geometry.padded_leaf_count(piece)) != self.metainfo.piece_hash(piece) {
            return Err(self.lose_rotten(piece));
        }
        self.ledger().check(piece);
        Ok(())
    }

    fn read_block(&self, block: Block, bytes: &mut [u8]) -> Result<(), Loss> {
        let (file, start) = self.metainfo.geometry().place(block.piece);
        let at = start + u64::from(block.start);
        let place = self.ledger().place(file);
        let mut outcome = self.read_at(file, place, at, bytes);
        let place_now = self.ledger().place(file);
        if outcome.is_err() && place != place_now {
            // Moved into its final place between the two looks.
            outcome = self.read_at(file, place_now, at, bytes);
        }
        outcome.map_err(|error| self.lose(block.piece, error))
    }

    /// Fills `bytes` as [`Store::read`] does if nothing need be waited for; false says no more than that.
    pub fn read_at_hand(&self, block: Block, bytes: &mut [u8]) -> bool {
        let (file, start) = self.metainfo.geometry().place(block.piece);
        // Held while a file is moved, which may last.
        let Ok(ledger) = self.ledger.try_lock() else { return false };
        let (place, is_unchecked) = (ledger.place(file), ledger.is_unchecked(block.piece));
        drop(ledger);
        let is_made = self.download.as_ref().is_none_or(|download| download.mends.is_surely_made(file));
        if is_unchecked || !is_made {
            return false;
        }
        let Some(handle) = self.handles.get(file).or_else(|| self.open_at_hand(file, place)) else {
            return false;
        };
        let is_believed = !matches!(place, Place::Final(_)) || handle.seen().elapsed() < BELIEVED;
        is_believed
            && handle.read_at_hand(bytes, start + u64::from(block.start))
            && self.check(file, place, &handle).is_ok()
    }

    fn open_at_hand(&self, file: FileIndex, place: Place) -> Option<Arc<Handle>> {
        let opened = match (place, &self.download) {
            (Place::Final(verified), _) => {
                let opened = open_at_hand(self.base.dir(), &self.below_base(file), false)?;
                Some(opened).filter(|opened| Stamp::of(opened).is_ok_and(|stamp| stamp == verified))
            }
            (_, Some(download)) => open_at_hand(download.room.partial(), &room::name(file), true),
            _ => None,
        };
        Some(self.handles.put(file, opened?))
    }

    fn read_at(&self, file: FileIndex, place: Place, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let handle = match self.handles.get(file) {
            Some(handle) => handle,
            None => self.handles.put(file, self.open_to_read(file, place)?),
        };
        handle.file.read_exact_at(bytes, at)?;
        self.check(file, place, &handle)
    }

    fn open_to_read(&self, file: FileIndex, place: Place) -> io::Result<File> {
        match (place, &self.download) {
            (Place::Final(verified), _) => {
                let opened = self.base.read(&self.below_base(file))?;
                // Before it is read: it may be anything by now, a pipe too.
                if Stamp::of(&opened)? == verified { Ok(opened) } else { Err(changed()) }
            }
            (Place::Making | Place::Complete, Some(_)) => self.open_making(file),
            _ => Err(changed()),
        }
    }

    /// Whether what was just read is what was verified: looked at after reading, so that nothing slips between.
    fn check(&self, file: FileIndex, place: Place, handle: &Handle) -> io::Result<()> {
        let stamp = Stamp::of(&handle.file)?;
        let is_same = match place {
            Place::Final(verified) => stamp == verified && self.is_in_place(file, verified, handle)?,
            _ => self.is_as_made(file, stamp),
        };
        if is_same { Ok(()) } else { Err(changed()) }
    }

    /// Whether nobody cut short what is in the making, nor touched what is to be mended and still stands in its place.
    fn is_as_made(&self, file: FileIndex, stamp: Stamp) -> bool {
        let seen = self.download.as_ref().and_then(|download| download.mends.standing().get(&file).copied());
        seen.map_or(stamp.bytes >= self.metainfo.file(file).length, |seen| seen == stamp)
    }

    /// Whether the path of `file` still leads to it; looked up once in a while.
    fn is_in_place(&self, file: FileIndex, verified: Stamp, handle: &Handle) -> io::Result<bool> {
        let mut seen = handle.seen();
        if seen.elapsed() < BELIEVED {
            return Ok(true);
        }
        *seen = Instant::now();
        drop(seen);
        let standing = stands(self.base.dir(), &self.below_base(file))?;
        Ok(matches!(standing, Standing::File(data) if Stamp::from(&data) == verified))
    }

    /// What a failed read means. A file that changed is not believed any more; of one that cannot be read, only this piece.
    fn lose(&self, piece: PieceIndex, error: io::Error) -> Loss {
        let geometry = self.metainfo.geometry();
        let file = geometry.place(piece).0;
        let path = self.base.shown(&self.below_base(file));
        self.handles.forget(file);
        let mut ledger = self.ledger();
        let again = self.may_make_again(&ledger, file);
        if is_passing(&error) {
            return Loss { fault: ReadFault::Passing { path, error }, pieces: Vec::new(), again };
        }
        if is_change(&error) {
            ledger.lose(
                &self.metainfo,
                file,
                if self.download.is_some() { Place::Making } else { Place::Lost },
            );
            let pieces: Vec<PieceIndex> = geometry.pieces_of(file).collect();
            if again {
                ledger.renew(&pieces); // also those that are written and not counted yet
            }
            let then = self
                .what_then(again, "its pieces are no longer served; share it again to serve it as it is now");
            return Loss { fault: ReadFault::Changed { file, path, then }, pieces, again };
        }
        if again {
            ledger.lose_some(&self.metainfo, file, &[piece], Place::Making);
            ledger.renew(&[piece]);
        }
        Loss { fault: ReadFault::Io { file, path, error }, pieces: vec![piece], again }
    }

    /// A piece whose bytes changed below a file that looks as it did.
    fn lose_rotten(&self, piece: PieceIndex) -> Loss {
        let file = self.metainfo.geometry().place(piece).0;
        let path = self.base.shown(&self.below_base(file));
        let mut ledger = self.ledger();
        let again = self.may_make_again(&ledger, file);
        let place = if again { Place::Making } else { ledger.place(file) };
        ledger.lose_some(&self.metainfo, file, &[piece], place);
        if again {
            ledger.renew(&[piece]);
        }
        let then = self.what_then(again, "what is wrong is not served; share it again with --rehash");
        Loss { fault: ReadFault::Rotten { file, path, then }, pieces: vec![piece], again }
    }

    /// What becomes of a file that is not what it was; the last of it where the content was shared from where it lies.
    fn what_then(&self, again: bool, of_shared: &'static str) -> &'static str {
        match &self.download {
            Some(_) if again => "what is wrong is fetched again",
            Some(download) if download.is_whole => {
                "what is wrong is not served; stop this, and mend it with verify --repair PATH LINK|FILE"
            }
            // A mended copy has everything, and here only some of it was chosen.
            Some(_) => "what is wrong is not served; fetch the file again with join --force",
            None => of_shared,
        }
    }

    fn may_make_again(&self, ledger: &Ledger, file: FileIndex) -> bool {
        self.download.is_some() && matches!(ledger.place(file), Place::Making | Place::Complete)
    }
}

fn changed() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// Whether it says nothing of the file: open files or memory are short, or who holds the disk does not answer.
fn is_passing(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|errno| {
        [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::TIMEDOUT, Errno::STALE]
            .contains(&errno)
    })
}

/// Whether it says that the file is not what or where it was, and not that the disk failed.
fn is_change(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, UnexpectedEof};
    let is_link = Errno::from_io_error(error) == Some(Errno::LOOP);
    is_link || matches!(error.kind(), IsADirectory | NotADirectory | NotFound | UnexpectedEof)
}
