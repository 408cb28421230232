//! Writes over itself what lies in a file in the making and no journal vouches for: of what a disk once refused to sync memory
//! still shows the bytes, but they count as written, and no later sync would be about them.

use std::io;
use std::os::unix::fs::FileExt;

use super::change::Change;
use super::room::Room;
use crate::content::{Geometry, LEAF_BYTES, PieceIndex, merkle};
use crate::ids::Digest;

/// Bytes that are read and written at a time, a whole number of leaves.
const BYTES_AT_ONCE: u64 = 16 * LEAF_BYTES as u64;

/// Writes the bytes of `piece` again, whatever they are, and gives the digests of its leaves as they were written: memory may
/// have shown others before, and given them up since.
pub(super) fn write(room: &Room, geometry: &Geometry, piece: PieceIndex) -> io::Result<Vec<Digest>> {
    let (file, start) = geometry.place(piece);
    let (opened, path) = (room.open(file)?, room.within_partial(file));
    let end = start + u64::from(geometry.length(piece));
    let (mut at, mut bytes, mut leaves) = (start, Vec::new(), Vec::new());
    while at < end {
        bytes.resize(usize::try_from(BYTES_AT_ONCE.min(end - at)).map_err(io::Error::other)?, 0);
        opened.read_exact_at(&mut bytes, at)?;
        room.gate().pass(Change::Write(&path, at, &bytes), || opened.write_all_at(&bytes, at))?;
        leaves.extend(bytes.chunks(LEAF_BYTES as usize).map(merkle::leaf));
        at += bytes.len() as u64;
    }
    Ok(leaves)
}
