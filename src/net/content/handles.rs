//! A few open files, the least recently used closed first: a share of a million files needs no million handles, nor do a
//! hundred shares need a hundred times as many.

use std::collections::VecDeque;
use std::fs::File;
#[cfg(target_os = "linux")]
use std::io::IoSliceMut;
#[cfg(target_os = "linux")]
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crate::content::FileIndex;

/// The most files that all shares of this process keep open; leaves room below the common smallest limit of 64.
const HANDLES_MAX: usize = 24;
/// Shares among which they are divided. Of the process, as the system's limit is.
static KEEPERS: AtomicUsize = AtomicUsize::new(0);

/// An open file, and when its path was last seen to lead to it.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) file: File,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody can tell there"))]
    is_memory: OnceLock<bool>,
    seen: Mutex<Instant>,
}

impl Handle {
    /// Fills `bytes` from byte `at` on, if that needs no disk; false says no more than that.
    #[cfg(target_os = "linux")]
    pub(super) fn read_at_hand(&self, bytes: &mut [u8], at: u64) -> bool {
        use rustix::io::{ReadWriteFlags, preadv2};
        if *self.is_memory.get_or_init(|| is_memory(&self.file)) {
            return self.file.read_exact_at(bytes, at).is_ok();
        }
        let wanted = bytes.len();
        let read = preadv2(&self.file, &mut [IoSliceMut::new(bytes)], at, ReadWriteFlags::NOWAIT);
        read.is_ok_and(|count| count == wanted)
    }

    /// Nobody can tell.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn read_at_hand(&self, _bytes: &mut [u8], _at: u64) -> bool {
        false
    }

    /// When its path was last seen to lead to it.
    pub(super) fn seen(&self) -> MutexGuard<'_, Instant> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Handles by file, the most recently used at the back.
#[derive(Debug)]
pub(super) struct Handles {
    open: Mutex<VecDeque<(FileIndex, Arc<Handle>)>>,
}

impl Default for Handles {
    fn default() -> Handles {
        KEEPERS.fetch_add(1, Ordering::Relaxed);
        Handles { open: Mutex::default() }
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        KEEPERS.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Handles {
    /// The open handle of `file`, if there is one.
    pub(super) fn get(&self, file: FileIndex) -> Option<Arc<Handle>> {
        let mut open = self.lock();
        let at = open.iter().rposition(|(of, _)| *of == file)?;
        let entry = open.remove(at)?;
        let handle = entry.1.clone();
        open.push_back(entry);
        Some(handle)
    }

    /// Keeps `opened` for later, in place of an older handle of `file`, as far as this share may.
    pub(super) fn put(&self, file: FileIndex, opened: File) -> Arc<Handle> {
        let handle =
            Arc::new(Handle { file: opened, is_memory: OnceLock::new(), seen: Mutex::new(Instant::now()) });
        let most = most(KEEPERS.load(Ordering::Relaxed));
        let mut open = self.lock();
        let mut closed: Vec<_> =
            open.iter().position(|(of, _)| *of == file).and_then(|at| open.remove(at)).into_iter().collect();
        open.push_back((file, handle.clone()));
        let surplus = open.len().saturating_sub(most);
        closed.extend(open.drain(..surplus));
        drop(open);
        drop(closed); // which may wait for a disk
        handle
    }

    /// Closes the handle of `file` once nobody uses it.
    pub(super) fn forget(&self, file: FileIndex) {
        let mut open = self.lock();
        let closed = open.iter().position(|(of, _)| *of == file).and_then(|at| open.remove(at));
        drop(open);
        drop(closed);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(FileIndex, Arc<Handle>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many each of so many shares keeps open; perhaps none.
fn most(keepers: usize) -> usize {
    HANDLES_MAX / keepers.max(1)
}

/// Whether `file` lies in memory and never waits for a disk: a file system that does not know NOWAIT.
#[cfg(target_os = "linux")]
fn is_memory(file: &File) -> bool {
    /// `TMPFS_MAGIC` of the system's `linux/magic.h`.
    const TMPFS: u64 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|system| u64::try_from(system.f_type) == Ok(TMPFS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shares_of_a_process_keep_no_more_files_open_than_one_may() {
        for keepers in 1..100 {
            assert!(keepers * most(keepers) <= HANDLES_MAX, "{keepers} shares");
        }
        assert_eq!(most(1), HANDLES_MAX);
    }
}
