//! The buffer of a connection, for the fuzz targets.

use super::lines::Lines;
use crate::wire::WireError;

/// What a connection's reader keeps of what came and was not taken yet.
#[derive(Debug)]
pub struct Framing(Lines);

impl Default for Framing {
    fn default() -> Framing {
        Framing(Lines::new())
    }
}

impl Framing {
    /// Takes what there is room for of `bytes`; how much that was.
    pub fn give(&mut self, bytes: &[u8]) -> usize {
        let room = self.0.room();
        let count = bytes.len().min(room.len());
        room[..count].copy_from_slice(&bytes[..count]);
        self.0.filled(count);
        count
    }

    /// The next whole line, its LF taken off. An error once no line can come of what is held.
    pub fn line(&mut self) -> Result<Option<&[u8]>, WireError> {
        self.0.line()
    }

    /// Raw bytes: as many as are held and `out` has room for.
    pub fn raw(&mut self, out: &mut [u8]) -> usize {
        self.0.take_into(out)
    }
}
