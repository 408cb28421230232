//! One sheet of the cache as bytes: what was hashed of one file or folder. Believes nothing, touches no disk.
//!
//! All numbers are big-endian, lengths are counted in bytes:
//!
//! | bytes | what |
//! |---|---|
//! | 16 | `minibit hashes 1`, the version at its end |
//! | 32 | the life of the machine it was written in |
//! | 8 | the second it was hashed in, since 1970 |
//! | 4 | the piece length |
//! | 2 + n | the length of the path of what is shared, and the path |
//! | any | notes, one file each, in the order of the file tree |
//! | 32 | the SHA-256 of everything before |
//!
//! A note is 2 + n bytes of path below what is shared, six numbers of 8 bytes (size, second and nanosecond of the last
//! writing, the same of the status time, device), 8 bytes of inode and 32 bytes a piece.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use crate::ids::Digest;
use crate::net::content::stamp::{Mark, Stamp};

/// The most bytes of a sheet: 2,000,000 pieces, or 500,000 files of one.
pub(super) const SHEET_BYTES_MAX: usize = 96 * 1024 * 1024;

const VERSION: &[u8; 16] = b"minibit hashes 1";
const CHECKSUM_BYTES: usize = 32;

/// What a sheet is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) boot: Digest,
    /// Since 1970.
    pub(super) hashed_at: i64,
    /// Never 0.
    pub(super) piece_bytes: u32,
    pub(super) root: &'a [u8],
}

/// A sheet that was read: of the right version, whole, and well formed to its end.
#[derive(Debug)]
pub(super) struct Sheet<'a> {
    pub(super) head: Head<'a>,
    pub(super) notes: Notes<'a>,
}

/// What was hashed of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note<'a> {
    /// Its components with `/` between them.
    pub(super) path: &'a [u8],
    pub(super) mark: Mark,
    /// As many as its size makes.
    pub(super) pieces: &'a [[u8; 32]],
}

/// A sheet in the making, written as it comes.
#[derive(Debug)]
pub(super) struct Draft<W> {
    out: W,
    bytes: usize,
    checksum: Sha256,
}

/// An error of kind `FileTooLarge` says that it would have more than [`SHEET_BYTES_MAX`].
impl<W: Write> Draft<W> {
    /// Without notes.
    pub(super) fn new(out: W, head: &Head<'_>) -> io::Result<Draft<W>> {
        let mut draft = Draft { out, bytes: CHECKSUM_BYTES, checksum: Sha256::new() };
        draft.put(VERSION)?;
        draft.put(&head.boot.0)?;
        draft.put(&head.hashed_at.to_be_bytes())?;
        draft.put(&head.piece_bytes.to_be_bytes())?;
        draft.put_text(head.root)?;
        Ok(draft)
    }

    /// Adds a note; `pieces` are as many as the size makes.
    pub(super) fn note(
        &mut self,
        path: &[u8],
        mark: &Mark,
        mut pieces: impl Iterator<Item = Digest>,
    ) -> io::Result<()> {
        let Mark { stamp, changed } = mark;
        let (device, inode) = stamp.identity;
        self.put_text(path)?;
        self.put(&stamp.bytes.to_be_bytes())?;
        for time in [stamp.written.0, stamp.written.1, changed.0, changed.1] {
            self.put(&time.to_be_bytes())?;
        }
        self.put(&device.to_be_bytes())?;
        self.put(&inode.to_be_bytes())?;
        pieces.try_for_each(|piece| self.put(&piece.0))
    }

    /// Writes the checksum, and gives back where it was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&self.checksum.finalize())?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Paths here are at most 100 names of 255 bytes, or what the system opens: they fit.
    fn put_text(&mut self, path: &[u8]) -> io::Result<()> {
        let length = u16::try_from(path.len()).unwrap_or(u16::MAX);
        self.put(&length.to_be_bytes())?;
        self.put(&path[..usize::from(length)])
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len();
        if self.bytes > SHEET_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.checksum.update(bytes);
        self.out.write_all(bytes)
    }
}

impl Sheet<'_> {
    /// Reads it back; none if it is of another version, not whole, or was changed.
    pub(super) fn decode(bytes: &[u8]) -> Option<Sheet<'_>> {
        let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
        if bytes.len() > SHEET_BYTES_MAX || Sha256::digest(body).as_slice() != checksum {
            return None;
        }
        let mut rest = Rest(body.strip_prefix(VERSION)?);
        let head = Head {
            boot: Digest(rest.take()?),
            hashed_at: i64::from_be_bytes(rest.take()?),
            piece_bytes: u32::from_be_bytes(rest.take()?),
            root: rest.text()?,
        };
        let notes = Notes { rest, piece_bytes: head.piece_bytes };
        let mut read = notes.clone();
        read.by_ref().for_each(drop);
        read.rest.0.is_empty().then_some(Sheet { head, notes })
    }
}

/// Notes one by one, in their order; ends before one that is malformed.
#[derive(Clone, Debug)]
pub(super) struct Notes<'a> {
    rest: Rest<'a>,
    piece_bytes: u32,
}

impl<'a> Iterator for Notes<'a> {
    type Item = Note<'a>;

    fn next(&mut self) -> Option<Note<'a>> {
        let mut rest = self.rest.clone();
        let path = rest.text()?;
        let bytes = u64::from_be_bytes(rest.take()?);
        let written = (rest.time()?, rest.time()?);
        let changed = (rest.time()?, rest.time()?);
        let identity = (u64::from_be_bytes(rest.take()?), u64::from_be_bytes(rest.take()?));
        let remainder = bytes.checked_rem(u64::from(self.piece_bytes))?;
        let pieces = bytes / u64::from(self.piece_bytes) + u64::from(remainder > 0);
        let digests = rest.bytes(usize::try_from(pieces).ok()?.checked_mul(size_of::<Digest>())?)?;
        self.rest = rest;
        let mark = Mark { stamp: Stamp { bytes, written, identity }, changed };
        Some(Note { path, mark, pieces: digests.as_chunks().0 })
    }
}

/// What is not read yet.
#[derive(Clone, Debug)]
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn time(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.take()?);
        self.bytes(length.into())
    }
}

#[cfg(test)]
mod tests;
