//! What a share is: its geometry, Merkle trees, metainfo, names, links, and who holds what of it.
//!
//! Pure: bytes in, trusted types out. Opens nothing and knows nobody.

pub mod bencode;
pub mod geometry;
pub mod inventory;
pub mod link;
pub mod merkle;
pub mod metainfo;
pub mod names;

pub use geometry::{Block, FileIndex, Geometry, LEAF_BYTES, OutOfShare, PieceIndex};
pub use inventory::PieceSet;
pub use link::Link;
pub use metainfo::{FileEntry, Metainfo, MetainfoError};
pub use names::{Name, TreePath};
