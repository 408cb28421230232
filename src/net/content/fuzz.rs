//! What stands on disk beside the content, read from bytes at hand, for the fuzz targets.

pub use super::cache::fuzz::sheet_again;
pub use super::store::fuzz::{Journaled, bans, chained, journaled, with_ban};
