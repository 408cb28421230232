//! Content on disk: reading a folder to share it, laying a download down, and checking either.

mod beneath;
mod handles;
mod hashing;
pub mod scan;
mod stamp;
pub mod store;
pub mod verify;
mod walk;

pub use scan::{ScanError, ScanOptions, Scanned, scan};
pub use store::{Plan, ReadFault, Store, StoreError, known_metainfo, select};
pub use verify::{Fault, Verdict, verify};

/// How far a long look at the disk has come: bytes done and bytes in all. Called often, from any thread.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);
