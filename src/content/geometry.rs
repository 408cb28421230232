//! How a share is cut: files into pieces, pieces into leaves; where a number from outside becomes a trusted one.
//!
//! Every non-empty file begins a new piece (BEP 52); pieces are numbered across all files from 0.

use std::ops::Range;

/// Bytes of a full leaf, the unit of hashing (BEP 52).
pub const LEAF_BYTES: u32 = 16 * 1024;
/// Smallest and largest piece length that we make; larger ones up to `PIECE_BYTES_MAX` are read.
pub const PIECE_BYTES_MIN: u32 = LEAF_BYTES;
/// The largest piece length accepted, in bytes.
pub const PIECE_BYTES_MAX: u32 = 16 * 1024 * 1024;
/// The most pieces a share may have.
pub const PIECES_MAX: u32 = 1 << 21;
/// The most files a share may have.
pub const FILES_MAX: u32 = 1 << 20;
/// The most bytes one request may ask for.
pub const BLOCK_BYTES_MAX: u32 = 1024 * 1024;

/// A piece that exists in the share at hand; only [`Geometry`] and what it made can make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceIndex(pub(in crate::content) u32);

impl PieceIndex {
    /// The number as the wire writes it.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The number as a table's index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A file of the share at hand, counted in the order of the file tree (empty files included).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIndex(pub(in crate::content) u32);

impl FileIndex {
    /// The number as a table's index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Some whole leaves of one piece: what one request asks for. At most [`BLOCK_BYTES_MAX`], never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// The piece it lies in.
    pub piece: PieceIndex,
    /// Byte within the piece where it begins; a multiple of [`LEAF_BYTES`].
    pub start: u32,
    /// Bytes; a multiple of [`LEAF_BYTES`] or exactly to the piece's end.
    pub length: u32,
}

impl Block {
    /// The leaves of the piece that it covers.
    pub fn leaves(self) -> Range<usize> {
        let first = self.start / LEAF_BYTES;
        first as usize..(first + self.length.div_ceil(LEAF_BYTES)) as usize
    }
}

/// A number from outside that does not fit the share. The peer's fault; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfShare {
    /// A piece past the end.
    #[error("piece {index} of a share of {count}")]
    Piece {
        /// What was said.
        index: u64,
        /// Pieces in the share.
        count: u32,
    },
    /// A block that is empty, too long, not on leaf borders, or past the end of its piece.
    #[error("bytes {start}+{length} of piece {piece}, which has {piece_bytes}")]
    Block {
        /// The piece.
        piece: u32,
        /// Where it should begin.
        start: u64,
        /// How long it should be.
        length: u64,
        /// Bytes in that piece.
        piece_bytes: u32,
    },
}

/// Lengths that no share may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGeometry {
    /// Not a power of two from 16 KiB to 16 MiB.
    #[error("a piece length of {0} bytes: it must be a power of two from 16 KiB to 16 MiB")]
    PieceLength(u64),
    /// More than [`FILES_MAX`].
    #[error("more than {FILES_MAX} files")]
    TooManyFiles,
    /// More than [`PIECES_MAX`].
    #[error("more than {PIECES_MAX} pieces; a larger piece length makes fewer")]
    TooManyPieces,
    /// The lengths add up to more than 2^63 bytes.
    #[error("the lengths of the files add up to more than can be counted")]
    TooLarge,
}

/// The most bytes a share may have.
const TOTAL_BYTES_MAX: u64 = 1 << 63;
/// Content of so many bytes is cut into so many pieces; content of four times as many into twice as many, of twice the length.
/// Long pieces are passed on late, short ones cost talk and metainfo. Simulated with 200 peers at 50 Mbit/s and 512 MiB, the
/// last one ends after 1.34 times the bound with pieces of 512 KiB, 1.26 with 256 KiB and 1.22 with 128 KiB.
const PIECES_AIMED_AT: (u64, u64) = (64 << 20, 1_024);

/// The cut of one share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geometry {
    piece_bytes: u32,
    total_bytes: u64,
    /// By file.
    lengths: Vec<u64>,
    /// By file: the number of its first piece or, of an empty one, of the next file's; at the end, the piece count.
    first_pieces: Vec<u32>,
    /// By piece: its file. Asked for with every block, where a search among many small files is felt.
    files: Vec<FileIndex>,
}

impl Geometry {
    /// The cut of files of these lengths, in tree order.
    pub fn new(piece_bytes: u64, lengths: &[u64]) -> Result<Geometry, BadGeometry> {
        let bytes = u32::try_from(piece_bytes)
            .ok()
            .filter(|bytes| bytes.is_power_of_two() && (PIECE_BYTES_MIN..=PIECE_BYTES_MAX).contains(bytes))
            .ok_or(BadGeometry::PieceLength(piece_bytes))?;
        if lengths.len() > FILES_MAX as usize {
            return Err(BadGeometry::TooManyFiles);
        }
        let total_bytes = lengths
            .iter()
            .try_fold(0u64, |sum, length| sum.checked_add(*length))
            .filter(|total| *total <= TOTAL_BYTES_MAX)
            .ok_or(BadGeometry::TooLarge)?;
        let first_pieces = number(lengths, piece_bytes)?;
        let pieces = first_pieces.windows(2).map(|ends| (ends[1] - ends[0]) as usize).enumerate();
        let files = pieces.flat_map(|(file, pieces)| std::iter::repeat_n(file_index(file), pieces)).collect();
        Ok(Geometry { piece_bytes: bytes, total_bytes, lengths: lengths.to_vec(), first_pieces, files })
    }

    /// The piece length we choose for content of this many bytes: of 64 MiB 64 KiB, of 1 GiB 256 KiB, of 64 GiB 2 MiB.
    pub fn chosen_piece_bytes(total_bytes: u64) -> u32 {
        let (bytes, pieces) = PIECES_AIMED_AT;
        // Of the length, by byte of content.
        let square = (bytes / pieces).pow(2) / bytes;
        let square = total_bytes.min(TOTAL_BYTES_MAX / square) * square;
        // Half of it, and then up: the nearest power of two.
        let bytes = (square / 2).isqrt().next_power_of_two();
        u32::try_from(bytes).unwrap_or(PIECE_BYTES_MAX).clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX)
    }

    /// Pieces in the share.
    pub fn piece_count(&self) -> u32 {
        self.first_pieces[self.lengths.len()]
    }

    /// Bytes in the share.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// The piece length: bytes of every piece that is not the last of its file.
    pub fn piece_bytes(&self) -> u32 {
        self.piece_bytes
    }

    /// The piece of that number, if the share has it.
    pub fn piece(&self, index: u64) -> Result<PieceIndex, OutOfShare> {
        let count = self.piece_count();
        match u32::try_from(index) {
            Ok(number) if number < count => Ok(PieceIndex(number)),
            _ => Err(OutOfShare::Piece { index, count }),
        }
    }

    /// All pieces, in order.
    pub fn pieces(&self) -> impl Iterator<Item = PieceIndex> + use<> {
        (0..self.piece_count()).map(PieceIndex)
    }

    /// Bytes of this piece.
    pub fn length(&self, piece: PieceIndex) -> u32 {
        let (file, start) = self.place(piece);
        let left = self.file_length(file) - start;
        u32::try_from(left).map_or(self.piece_bytes, |left| left.min(self.piece_bytes))
    }

    /// Leaves of this piece.
    pub fn leaf_count(&self, piece: PieceIndex) -> usize {
        self.length(piece).div_ceil(LEAF_BYTES) as usize
    }

    /// Leaves, padding included, of the tree whose root is this piece's hash: the piece length in leaves,
    /// or the next power of two where the piece is its file's only one.
    pub fn padded_leaf_count(&self, piece: PieceIndex) -> usize {
        let (file, _) = self.place(piece);
        if self.file_length(file) > u64::from(self.piece_bytes) {
            return (self.piece_bytes / LEAF_BYTES) as usize;
        }
        self.leaf_count(piece).next_power_of_two()
    }

    /// The file this piece lies in, and the byte of it where the piece begins.
    pub fn place(&self, piece: PieceIndex) -> (FileIndex, u64) {
        let file = self.files[piece.index()];
        let pieces_before = piece.0 - self.first_pieces[file.index()];
        (file, u64::from(pieces_before) * u64::from(self.piece_bytes))
    }

    /// Files in the share, empty ones included.
    pub fn file_count(&self) -> usize {
        self.lengths.len()
    }

    /// All files, in order.
    pub fn files(&self) -> impl Iterator<Item = FileIndex> + use<> {
        (0..self.lengths.len()).map(file_index)
    }

    /// Bytes of this file.
    pub fn file_length(&self, file: FileIndex) -> u64 {
        self.lengths[file.index()]
    }

    /// The pieces of this file; none for an empty one.
    pub fn pieces_of(&self, file: FileIndex) -> impl Iterator<Item = PieceIndex> + use<> {
        (self.first_pieces[file.index()]..self.first_pieces[file.index() + 1]).map(PieceIndex)
    }

    /// The block that a request names, if the wire allows it (see `wire.md`, PEDIDO).
    pub fn block(&self, piece: u64, start: u64, length: u64) -> Result<Block, OutOfShare> {
        let piece = self.piece(piece)?;
        let piece_bytes = self.length(piece);
        fitting(start, length, piece_bytes)
            .map(|(start, length)| Block { piece, start, length })
            .ok_or(OutOfShare::Block { piece: piece.0, start, length, piece_bytes })
    }
}

fn file_index(file: usize) -> FileIndex {
    FileIndex(u32::try_from(file).expect("a share has at most FILES_MAX files"))
}

/// By file its first piece, and at the end the piece count.
fn number(lengths: &[u64], piece_bytes: u64) -> Result<Vec<u32>, BadGeometry> {
    let mut next = 0u32;
    let mut first_pieces = Vec::with_capacity(lengths.len() + 1);
    for length in lengths {
        first_pieces.push(next);
        next = u32::try_from(length.div_ceil(piece_bytes))
            .ok()
            .and_then(|pieces| next.checked_add(pieces))
            .filter(|next| *next <= PIECES_MAX)
            .ok_or(BadGeometry::TooManyPieces)?;
    }
    first_pieces.push(next);
    Ok(first_pieces)
}

/// `start` and `length`, if they name one to 64 whole leaves of a piece (its last may be short).
fn fitting(start: u64, length: u64, piece_bytes: u32) -> Option<(u32, u32)> {
    let start = u32::try_from(start).ok().filter(|start| start.is_multiple_of(LEAF_BYTES))?;
    let length = u32::try_from(length).ok().filter(|length| (1..=BLOCK_BYTES_MAX).contains(length))?;
    let end = start.checked_add(length).filter(|end| *end <= piece_bytes)?;
    (length.is_multiple_of(LEAF_BYTES) || end == piece_bytes).then_some((start, length))
}

#[cfg(test)]
mod tests;
