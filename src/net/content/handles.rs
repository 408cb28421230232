//! A few open files, the least recently used closed first: a share of a million files needs no million handles.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::content::FileIndex;

/// The most files that one share keeps open; leaves room below the common smallest limit of 64.
const HANDLES_MAX: usize = 24;

/// An open file, and when its path was last seen to lead to it.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) file: File,
    seen: Mutex<Instant>,
}

impl Handle {
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
        let handle = Arc::new(Handle { file: opened, seen: Mutex::new(Instant::now()) });
        let mut open = self.lock();
        open.retain(|(of, _)| *of != file);
        if open.len() == HANDLES_MAX {
            open.pop_front();
        }
        open.push_back((file, handle.clone()));
        handle
    }

    /// Closes the handle of `file` once nobody uses it.
    pub(super) fn forget(&self, file: FileIndex) {
        self.lock().retain(|(of, _)| *of != file);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(FileIndex, Arc<Handle>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
