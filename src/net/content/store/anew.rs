//! Writes over itself what is right in a file in the making and no journal vouches for: of what a disk once refused to sync
//! memory still shows the bytes, but they count as written, and no later sync would be about them.

use std::io;
use std::os::unix::fs::FileExt;

use super::change::Change;
use super::room::Room;
use crate::content::{Geometry, PieceIndex};

/// Bytes that are read and written at a time.
const BYTES_AT_ONCE: u64 = 256 * 1024;

/// Writes the bytes of `piece` again. After a crash that is little: what was not noted yet. It is the whole file where the
/// journal is gone.
pub(super) fn write(room: &Room, geometry: &Geometry, piece: PieceIndex) -> io::Result<()> {
    let (file, start) = geometry.place(piece);
    let (opened, path) = (room.open(file)?, room.within_partial(file));
    let end = start + u64::from(geometry.length(piece));
    let mut at = start;
    let mut bytes = Vec::new();
    while at < end {
        bytes.resize(usize::try_from(BYTES_AT_ONCE.min(end - at)).map_err(io::Error::other)?, 0);
        opened.read_exact_at(&mut bytes, at)?;
        room.gate().pass(Change::Write(&path, at, &bytes), || opened.write_all_at(&bytes, at))?;
        at += bytes.len() as u64;
    }
    Ok(())
}
