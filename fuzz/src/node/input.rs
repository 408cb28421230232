//! Bytes as choices: small numbers near the share's own, and now and then an enormous one.

use minibit::content::{Geometry, LEAF_BYTES};

/// What is left of an input. At its end every choice is 0.
pub struct Input<'a>(pub &'a [u8]);

/// Piece, first byte, bytes.
pub type Range = (u64, u64, u64);

impl<'a> Input<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    /// Once in about so many.
    pub fn is_rare(&mut self, one_in: u8) -> bool {
        self.byte() % one_in == one_in - 1
    }

    /// Most often one of `0..=bound`, else a number at some limit.
    pub fn number(&mut self, bound: u64) -> u64 {
        let byte = self.byte();
        match byte {
            250 => u64::MAX,
            251 => 1 << 32,
            252 => 1 << 21,
            253 => (1 << 21) - 1,
            254 => 1 << 53,
            255 => u64::from(u32::MAX),
            small => u64::from(small) % (bound + 1),
        }
    }

    pub fn piece(&mut self, geometry: &Geometry) -> u64 {
        self.number(u64::from(geometry.piece_count()))
    }

    /// Most often a range that may be asked for.
    pub fn range(&mut self, geometry: &Geometry) -> Range {
        let piece = self.piece(geometry);
        let length = geometry.piece(piece).map_or(LEAF_BYTES, |piece| geometry.length(piece));
        let leaves = u64::from(length.div_ceil(LEAF_BYTES));
        let (first, leaf) = (self.number(leaves), u64::from(LEAF_BYTES));
        let start = first.wrapping_mul(leaf);
        let asked = self.number(leaves).wrapping_add(1).wrapping_mul(leaf);
        let to_the_end = u64::from(length).saturating_sub(start);
        (piece, start, if to_the_end > 0 { asked.min(to_the_end) } else { asked })
    }
}
