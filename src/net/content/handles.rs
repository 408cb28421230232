//! A few open files, the least recently used closed first: a share of a million files needs no million handles.

use std::collections::VecDeque;
use std::fs::File;
#[cfg(target_os = "linux")]
use std::io::IoSliceMut;
#[cfg(target_os = "linux")]
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crate::content::FileIndex;

/// The most files that one share keeps open; leaves room below the common smallest limit of 64.
const HANDLES_MAX: usize = 24;

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
#[derive(Debug, Default)]
pub(super) struct Handles {
    open: Mutex<VecDeque<(FileIndex, Arc<Handle>)>>,
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

    /// Keeps `opened` for later, in place of an older handle of `file`.
    pub(super) fn put(&self, file: FileIndex, opened: File) -> Arc<Handle> {
        let handle =
            Arc::new(Handle { file: opened, is_memory: OnceLock::new(), seen: Mutex::new(Instant::now()) });
        let mut open = self.lock();
        let older = open.iter().position(|(of, _)| *of == file).or((open.len() == HANDLES_MAX).then_some(0));
        let closed = older.and_then(|at| open.remove(at));
        open.push_back((file, handle.clone()));
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

/// Whether `file` lies in memory and never waits for a disk: a file system that does not know NOWAIT.
#[cfg(target_os = "linux")]
fn is_memory(file: &File) -> bool {
    /// `TMPFS_MAGIC` of the system's `linux/magic.h`.
    const TMPFS: u64 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|system| u64::try_from(system.f_type) == Ok(TMPFS))
}
