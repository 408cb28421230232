//! What tells one state of a file from another without reading it.

use std::fs::File;
use std::io;

/// A file's size, time of last writing and identity. Not its status time: a chmod or a hard link changes no byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) bytes: u64,
    /// Seconds and nanoseconds.
    pub(super) written: (i64, i64),
    /// Device and inode.
    pub(super) identity: (u64, u64),
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

/// What a file must still be for what an earlier run hashed of it to be believed: its stamp and its status time, which no
/// program can set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) stamp: Stamp,
    /// Seconds and nanoseconds.
    pub(super) changed: (i64, i64),
}

impl Mark {
    /// The later of its two times.
    pub(super) fn latest(&self) -> (i64, i64) {
        self.stamp.written.max(self.changed)
    }
}

impl From<&cap_std::fs::Metadata> for Mark {
    fn from(data: &cap_std::fs::Metadata) -> Mark {
        use cap_std::fs::MetadataExt;
        Mark { stamp: Stamp::from(data), changed: (data.ctime(), data.ctime_nsec()) }
    }
}

impl From<&std::fs::Metadata> for Mark {
    fn from(data: &std::fs::Metadata) -> Mark {
        use std::os::unix::fs::MetadataExt;
        Mark { stamp: Stamp::from(data), changed: (data.ctime(), data.ctime_nsec()) }
    }
}
