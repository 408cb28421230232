//! What tells one state of a file from another without reading it.

use std::fs::File;
use std::io;

/// A file's size, time of last writing and identity. Not its status time: a chmod or a hard link changes no byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    written: (i64, i64),
    identity: (u64, u64),
}

impl Stamp {
    /// Of an open file, whatever its path leads to by now.
    pub(super) fn of(file: &File) -> io::Result<Stamp> {
        Ok(Stamp::from(&file.metadata()?))
    }
}

impl From<&std::fs::Metadata> for Stamp {
    fn from(data: &std::fs::Metadata) -> Stamp {
        use std::os::unix::fs::MetadataExt;
        Stamp {
            bytes: data.len(),
            written: (data.mtime(), data.mtime_nsec()),
            identity: (data.dev(), data.ino()),
        }
    }
}

impl From<&cap_std::fs::Metadata> for Stamp {
    fn from(data: &cap_std::fs::Metadata) -> Stamp {
        use cap_std::fs::MetadataExt;
        Stamp {
            bytes: data.len(),
            written: (data.mtime(), data.mtime_nsec()),
            identity: (data.dev(), data.ino()),
        }
    }
}
