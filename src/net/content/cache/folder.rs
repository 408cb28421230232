//! The folder of the sheets: read whole or not at all, replaced in one go, and never more than so much.

use std::fs::{self, DirBuilder, DirEntry, File, OpenOptions};
use std::io::{self, BufWriter, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;
use rustix::process::geteuid;

use super::sheet::SHEET_BYTES_MAX;
use crate::ids::Digest;

/// The most sheets, and the most bytes of all; beyond, those that were of use longest ago go.
const SHEETS_MAX: usize = 256;
const FOLDER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The most entries of the folder that are looked at.
const ENTRIES_MAX: usize = 10_000;
/// Only the owner may look: names of files are nobody else's business.
const FOLDER_MODE: u32 = 0o700;
const SHEET_MODE: u32 = 0o600;
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// A sheet is called by so many hex digits and an end that nobody else gives to a name; while it is written, by a dot and
/// some more digits.
const NAME_DIGITS: usize = 64;
const NAME_END: &str = ".hashes";
const PART_DIGITS: usize = 16;

/// The name of a sheet.
pub(super) fn name(digest: Digest) -> String {
    format!("{digest}{NAME_END}")
}

/// Makes the folder, and gives its path without links, `.` or `..`.
pub(super) fn make(folder: &Path) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    folder.canonicalize()
}

/// The sheet of this name; none if it is not there, not ours alone to write, too large, or cannot be read.
pub(super) fn read(folder: &Path, name: &str) -> Option<Vec<u8>> {
    // No link is followed, and no other end of a pipe waited for.
    let plain = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(plain).open(folder.join(name)).ok()?;
    let data = file.metadata().ok()?;
    let is_ours = data.uid() == geteuid().as_raw() && data.mode() & WRITABLE_BY_OTHERS == 0;
    if !data.is_file() || !is_ours || data.len() > SHEET_BYTES_MAX as u64 {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(data.len()).ok()?);
    file.take(data.len()).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Notes that the sheet of this name was of use. What fails only makes it go sooner.
pub(super) fn touch(folder: &Path, name: &str, now: SystemTime) {
    let _ = File::open(folder.join(name)).and_then(|file| file.set_modified(now));
}

/// Replaces the sheet of this name by what `write` writes, so that a reader sees the old one or the new one.
///
/// Not synced: what a crash leaves of it has not its checksum, and is written again.
pub(super) fn replace(
    folder: &Path,
    name: &str,
    write: impl FnOnce(BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    // A name that no other process has, in whatever container.
    let part = folder.join(format!("{name}.{:0PART_DIGITS$x}", rand::random::<u64>()));
    let file = OpenOptions::new().write(true).create_new(true).mode(SHEET_MODE).open(&part)?;
    let written = write(BufWriter::new(file)).and_then(|()| fs::rename(&part, folder.join(name)));
    if let Err(error) = written {
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    prune(folder);
    Ok(())
}

/// Takes away the oldest beyond the bounds, also what a crash left half written, and nothing that is not ours. What cannot
/// be is left for the next time.
fn prune(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().take(ENTRIES_MAX).flatten();
    let mut sheets: Vec<Kept> = entries.filter_map(|entry| Kept::find(&entry)).collect();
    sheets.sort_unstable_by_key(|sheet| std::cmp::Reverse(sheet.used));
    let mut total_bytes = 0_u64;
    for (at, sheet) in sheets.into_iter().enumerate() {
        total_bytes = total_bytes.saturating_add(sheet.bytes);
        if at >= SHEETS_MAX || total_bytes > FOLDER_BYTES_MAX {
            let _ = fs::remove_file(sheet.path);
        }
    }
}

/// A sheet in the folder, or what is to be one.
struct Kept {
    path: PathBuf,
    /// When it was last of use.
    used: SystemTime,
    bytes: u64,
}

impl Kept {
    /// None of what is not ours: `folder` may be one that others keep their things in.
    fn find(entry: &DirEntry) -> Option<Kept> {
        let data = entry.metadata().ok()?; // of a link, not of what it leads to
        let is_ours = data.is_file() && data.uid() == geteuid().as_raw();
        if !is_ours || !is_name(entry.file_name().as_encoded_bytes()) {
            return None;
        }
        Some(Kept { path: entry.path(), used: data.modified().ok()?, bytes: data.len() })
    }
}

/// Whether a sheet is called so, or was while it was written.
fn is_name(name: &[u8]) -> bool {
    let is_hex = |digits: &[u8]| digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let Some((digits, end)) = name.split_at_checked(NAME_DIGITS) else { return false };
    is_hex(digits)
        && match end.strip_prefix(NAME_END.as_bytes()) {
            Some([b'.', part @ ..]) => part.len() == PART_DIGITS && is_hex(part),
            end => end.is_some_and(<[u8]>::is_empty),
        }
}
