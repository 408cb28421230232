//! Which files in the making were written since they were last synced, and how many bytes of them.

use std::collections::BTreeMap;

use crate::content::FileIndex;

/// Bytes that a power cut may take. Invariant: `written_bytes` is the sum over `files`, which are at most those of the share.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    files: BTreeMap<FileIndex, u64>,
    written_bytes: u64,
    /// Of those that are being synced.
    syncing_bytes: u64,
}

impl Unsynced {
    /// So much more was written.
    pub(super) fn wrote(&mut self, file: FileIndex, bytes: u64) {
        *self.files.entry(file).or_default() += bytes;
        self.written_bytes += bytes;
    }

    /// `file` was synced and took its place.
    pub(super) fn moved(&mut self, file: FileIndex) {
        self.written_bytes -= self.files.remove(&file).unwrap_or(0);
    }

    /// What is to be synced now; that ends before it begins again.
    pub(super) fn begin_sync(&mut self) -> Vec<FileIndex> {
        self.syncing_bytes = std::mem::take(&mut self.written_bytes);
        std::mem::take(&mut self.files).into_keys().collect()
    }

    /// It is synced, or lost.
    pub(super) fn end_sync(&mut self) {
        self.syncing_bytes = 0;
    }

    /// Bytes written since the last sync began.
    pub(super) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Bytes written that are not synced yet.
    pub(super) fn bytes(&self) -> u64 {
        self.written_bytes + self.syncing_bytes
    }
}
