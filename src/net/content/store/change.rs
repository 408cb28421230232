//! The gate through which every change of the disk passes: a test can count, refuse and record each. Changes nothing itself.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// One change that a download is about to make. Paths are relative to the folder that downloads go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// A folder.
    MakeFolder(&'a Path),
    /// An empty file, where there is none.
    Make(&'a Path),
    /// The length of a file, in bytes.
    Stretch(&'a Path, u64),
    /// Bytes of a file, from this one on.
    Write(&'a Path, u64, &'a [u8]),
    /// Who may execute a file.
    Permit(&'a Path),
    /// The bytes and the length of a file are to last.
    Sync(&'a Path),
    /// The names in a folder are to last.
    SyncFolder(&'a Path),
    /// Everything is to last.
    SyncAll,
    /// A file gets another name; what had that name is gone.
    Move(&'a Path, &'a Path),
    /// A file goes.
    Remove(&'a Path),
    /// An empty folder goes.
    RemoveFolder(&'a Path),
}

/// Sees every change before it is made.
pub trait Witness: Debug + Send + Sync {
    /// An error stands for that of the disk: the change is not made, as far as can be told.
    fn before(&self, change: &Change<'_>) -> io::Result<()>;
}

/// Where changes pass; open to all where nobody watches.
#[derive(Clone, Debug, Default)]
pub(in crate::net::content) struct Gate(pub(in crate::net::content) Option<Arc<dyn Witness>>);

impl Gate {
    /// Lets a change be seen, then makes it.
    pub(in crate::net::content) fn pass<T>(
        &self,
        change: Change<'_>,
        make: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        if let Some(witness) = &self.0 {
            witness.before(&change)?;
        }
        make()
    }
}
