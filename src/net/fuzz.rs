//! What the fuzz targets may reach of the rooms within, without a disk or a socket.
//!
//! No promise of the library; here so that the rooms may change without the targets.

pub use super::content::fuzz::{Journaled, bans, chained, journaled, sheet_again, with_ban};
pub use super::link::fuzz::Framing;
