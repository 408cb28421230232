//! Small files that a person asked for: written whole beside their place, then moved into it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::exit::Failure;
use super::human;

/// Refuses when something stands at `path` already.
pub fn refuse_existing(path: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok() {
        let message = format!("'{}' is there already", human::path(path));
        return Err(Failure::would_overwrite(message).hint("choose another name, or replace it with --force"));
    }
    Ok(())
}

/// Replaces the file at `path` by one of these bytes; a reader sees the old one or the new one, never a part.
/// A pipe or a device, as behind `/dev/stdout`, is written to instead.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let is_special = fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir());
    let written = if is_special { write_into(path, bytes) } else { replace(path, bytes) };
    written.map_err(|error| Failure::failed(format!("cannot write '{}': {error}", human::path(path))))
}

fn write_into(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(bytes)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    write_new(&beside, bytes).and_then(|()| fs::rename(&beside, path)).inspect_err(|_| {
        // What could not be made need not be there to be taken away.
        let _ = fs::remove_file(&beside);
    })
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn beside(path: &Path) -> PathBuf {
    path.with_file_name(format!(".minibit-{}.part", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("link");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nowhere");
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        write_whole(&path, b"one").unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let failure = write_whole(&dir.path().join("missing/link"), b"x").unwrap_err();
        assert!(failure.message.contains("missing/link"), "{failure}");
    }

    #[test]
    fn what_is_there_is_not_overwritten_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        assert_eq!(refuse_existing(&path), Ok(()));
        fs::write(&path, b"x").unwrap();
        assert_eq!(refuse_existing(&path).unwrap_err().exit, crate::console::Exit::WouldOverwrite);
    }
}
