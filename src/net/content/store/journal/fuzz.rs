//! A journal of a made-up share, read from bytes at hand, for the fuzz targets.

use super::record::{Draft, Told};
use crate::content::Geometry;
use crate::ids::ShareId;

const SHARE: ShareId = ShareId([7; 32]);

/// What a journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journaled {
    /// Pieces that are kept, as runs: the first and the last.
    pub kept: Vec<[u32; 2]>,
    /// How many files it describes.
    pub files: usize,
    /// Whether it was closed.
    pub is_clean: bool,
    /// A journal that says just this.
    pub again: Vec<u8>,
}

/// What such a file says of a share of two files, of 30 pieces and of 10.
pub fn journaled(text: &[u8]) -> Journaled {
    let told = Told::read(text, SHARE, &geometry());
    let (mut draft, mut again) = Draft::begin(SHARE);
    again += &draft.kept(&told.kept);
    for (file, (whereabouts, mark)) in &told.marks {
        again += &draft.mark(*file, *whereabouts, mark);
    }
    if told.is_clean {
        again += &draft.closed();
    }
    let kept = told.kept.runs();
    Journaled { kept, files: told.marks.len(), is_clean: told.is_clean, again: again.into_bytes() }
}

/// A journal of these records, a line each, rightly chained.
pub fn chained(records: &str) -> Vec<u8> {
    let (mut draft, mut text) = Draft::begin(SHARE);
    records.lines().for_each(|record| text += &draft.line(record));
    text.into_bytes()
}

fn geometry() -> Geometry {
    Geometry::new(16 * 1024, &[30 * 16 * 1024, 10 * 16 * 1024]).expect("a share like any other")
}
