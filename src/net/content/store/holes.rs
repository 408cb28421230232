//! Where a sparse file has bytes: the rest of a file in the making need not be read to know that it is missing.

use std::fs::File;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::content::PieceIndex;

/// Those of `pieces`, each `piece_bytes` long and the first at byte 0, that `file` has any byte of on the disk; all of
/// them where the system cannot tell. A piece of zeros in a hole is taken for missing: it is fetched again, no more.
pub(super) fn begun(file: &File, pieces: &[PieceIndex], piece_bytes: u64) -> Vec<PieceIndex> {
    let mut begun = Vec::new();
    let mut next = 0;
    let mut at = 0;
    loop {
        let from = match seek(file, SeekFrom::Data(at)) {
            Ok(from) => from,
            Err(Errno::NXIO) => return begun,
            Err(_) => return pieces.to_vec(),
        };
        let Ok(to) = seek(file, SeekFrom::Hole(from)) else { return pieces.to_vec() };
        let first = place(from / piece_bytes, pieces).max(next);
        next = place(to.div_ceil(piece_bytes), pieces).max(first);
        begun.extend(&pieces[first..next]);
        if to <= at {
            return begun;
        }
        at = to;
    }
}

fn place(piece: u64, pieces: &[PieceIndex]) -> usize {
    usize::try_from(piece).unwrap_or(usize::MAX).min(pieces.len())
}
