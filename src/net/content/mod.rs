//! Content on disk: reading a folder to share it, laying a download down, and checking either.

mod beneath;
mod cache;
#[cfg(feature = "fuzz")]
pub(super) mod fuzz;
mod handles;
mod hashing;
pub mod scan;
mod stamp;
pub mod store;
pub mod verify;
mod walk;

pub use cache::{HashCache, Unchanged};
pub use scan::{ScanError, ScanOptions, Scanned, scan};
pub use store::{
    Change, Differing, Loss, Plan, ReadFault, Store, StoreError, Witness, known_metainfo, select,
};
pub use verify::{Fault, Verdict, download_folder, verify};

use std::ops::ControlFlow;

/// Hears how far a long look at the disk has come, bytes done and bytes in all (0 and 0 before they are known), and says
/// whether to go on. Called often, from any thread: after half a mebibyte or one file at most.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) -> ControlFlow<()> + Sync);

/// Hears nothing and stops nothing.
pub const UNWATCHED: Progress<'static> = &|_, _| ControlFlow::Continue(());

/// Whoever watched a long look ended it. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped while reading; nothing was changed")]
pub struct Stopped;

/// Asks whether to go on, before there is anything to count.
fn go_on(progress: Progress<'_>) -> Result<(), Stopped> {
    if progress(0, 0).is_break() { Err(Stopped) } else { Ok(()) }
}
