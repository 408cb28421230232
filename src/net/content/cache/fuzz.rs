//! A sheet of the cache, read from bytes at hand, for the fuzz targets.

use super::sheet::{Draft, Sheet};
use crate::ids::Digest;

/// A sheet as it is written again after it was read; none if it is not believed.
pub fn sheet_again(bytes: &[u8]) -> Option<Vec<u8>> {
    let Sheet { head, notes } = Sheet::decode(bytes)?;
    let mut draft = Draft::new(Vec::new(), &head).ok()?;
    for note in notes {
        draft.note(note.path, &note.mark, note.pieces.iter().copied().map(Digest)).ok()?;
    }
    draft.finish().ok()
}
