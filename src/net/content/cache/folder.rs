//! The folder of the sheets: read whole or not at all, replaced in one go, and never more than so much.

use std::fs::{self, DirBuilder, DirEntry, File, OpenOptions};
use std::io::{self, BufWriter, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::OFlags;
use rustix::process::geteuid;

use super::sheet::SHEET_BYTES_MAX;

/// The most sheets, and the most bytes of all; beyond, those that were of use longest ago go.
const SHEETS_MAX: usize = 256;
const FOLDER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The most entries of the folder that are looked at.
const ENTRIES_MAX: usize = 10_000;
/// Only the owner may look: names of files are nobody else's business.
const FOLDER_MODE: u32 = 0o700;
const SHEET_MODE: u32 = 0o600;
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Every sheet has 64 hex digits for its name.
const NAME_DIGITS: usize = 64;

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

/// Replaces the sheet of this name by what `write` writes, so that a reader sees the old one or the new one; one too large
/// is not kept.
///
/// Not synced: what a crash leaves of it has not its checksum, and is written again.
pub(super) fn replace(
    folder: &Path,
    name: &str,
    write: impl FnOnce(BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    // A name that no other process has, in whatever container.
    let part = folder.join(format!("{name}.{:016x}", rand::random::<u64>()));
    let file = OpenOptions::new().write(true).create_new(true).mode(SHEET_MODE).open(&part)?;
    let written = write(BufWriter::new(file)).and_then(|()| fs::rename(&part, folder.join(name)));
    if let Err(error) = written {
        let _ = fs::remove_file(&part);
        return if error.kind() == io::ErrorKind::FileTooLarge { Ok(()) } else { Err(error) };
    }
    prune(folder);
    Ok(())
}

/// Takes away the oldest beyond the bounds, also what a crash left half written. What cannot be is left for the next time.
fn prune(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().take(ENTRIES_MAX).flatten();
    let mut sheets: Vec<(SystemTime, u64, DirEntry)> = entries.filter_map(sheet).collect();
    sheets.sort_by_key(|(modified, ..)| std::cmp::Reverse(*modified));
    let mut total_bytes = 0_u64;
    for (at, (_, bytes, entry)) in sheets.into_iter().enumerate() {
        total_bytes = total_bytes.saturating_add(bytes);
        if at >= SHEETS_MAX || total_bytes > FOLDER_BYTES_MAX {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// When it was last of use, and its size; none of what is not ours.
fn sheet(entry: DirEntry) -> Option<(SystemTime, u64, DirEntry)> {
    let name = entry.file_name();
    let digits = name.as_encoded_bytes().get(..NAME_DIGITS)?;
    let data = entry.metadata().ok()?;
    let is_sheet = data.is_file() && digits.iter().all(u8::is_ascii_hexdigit);
    is_sheet.then(|| Some((data.modified().ok()?, data.len(), entry)))?
}
