//! Whether what is still missing fits, before anything is written.

use std::io;
use std::path::Path;

use super::StoreError;
use crate::net::content::beneath::shown;

/// Refuses when fewer than `needed` bytes are free where `dir` is, or would be made.
pub(super) fn check(dir: &Path, needed: u64) -> Result<(), StoreError> {
    let free = free_bytes(dir).map_err(|error| StoreError::Io {
        doing: "cannot ask for the free space of",
        path: shown(dir),
        error,
    })?;
    if needed > free {
        return Err(StoreError::NoSpace { dir: shown(dir), needed, free });
    }
    Ok(())
}

/// What an ordinary user may still write to the file system of `dir`, or of the nearest folder above that exists.
fn free_bytes(dir: &Path) -> io::Result<u64> {
    let absolute = std::path::absolute(dir)?;
    let there = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(there)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}
