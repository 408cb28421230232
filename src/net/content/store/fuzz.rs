//! The file of bans and the journal, read from bytes at hand, for the fuzz targets.

use super::bans;
pub use super::journal::fuzz::{Journaled, chained, journaled};
use crate::seam::Ban;

/// The bans in what such a file holds.
pub fn bans(bytes: &[u8]) -> Vec<Ban> {
    bans::decode(bytes)
}

/// What such a file holds after one more ban.
pub fn with_ban(mut file: Vec<u8>, ban: &Ban) -> Vec<u8> {
    let line = bans::line(ban, file.last().copied());
    file.extend(line.into_bytes());
    file
}
