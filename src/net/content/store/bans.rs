//! `bans` in the room of a download: who was caught lying, kept for its later lives.

use std::io::{self, Read, Write};

use cap_std::fs::{Dir, OpenOptions};

use super::change::Change;
use super::room::Room;
use crate::net::content::beneath::plain;
use crate::seam::Ban;

/// The name of the file.
pub(super) const BANS: &str = "bans";
/// What is read and kept of the file; some ten thousand bans.
const BANS_BYTES_MAX: u64 = 1024 * 1024;

/// The bans that are kept in `room`. What is no ban is passed over.
pub(super) fn read(room: &Dir) -> Vec<Ban> {
    decode(&bytes(room))
}

/// Adds `ban`, as a line `ip port id`; once the file is full it stays as it is.
pub(super) fn add(room: &Room, ban: &Ban) -> io::Result<()> {
    let path = room.within(BANS);
    let before = bytes(room.dir()).last().copied();
    let mut options = OpenOptions::new();
    let options = plain(options.append(true).create(true));
    let mut file = room.gate().pass(Change::Make(&path), || room.dir().open_with(BANS, options))?;
    let bytes = file.metadata()?.len();
    if bytes < BANS_BYTES_MAX {
        let line = line(ban, before);
        let write = Change::Write(&path, bytes, line.as_bytes());
        room.gate().pass(write, || file.write_all(line.as_bytes()))?;
        room.gate().pass(Change::Sync(&path), || file.sync_data())?;
    }
    Ok(())
}

/// What the file holds; nothing where it cannot be read.
fn bytes(room: &Dir) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = room.open_with(BANS, plain(OpenOptions::new().read(true)));
    let read = file.and_then(|file| file.take(BANS_BYTES_MAX).read_to_end(&mut bytes));
    read.map_or(Vec::new(), |_| bytes)
}

/// Each line for itself: a file that was damaged in a power cut still has the others.
pub(super) fn decode(bytes: &[u8]) -> Vec<Ban> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| parse(std::str::from_utf8(line).ok()?)).collect()
}

/// The line of `ban` behind a file whose last byte is `before`: half a line that was left there stays by itself.
pub(super) fn line(ban: &Ban, before: Option<u8>) -> String {
    let end = if before.is_none_or(|byte| byte == b'\n') { "" } else { "\n" };
    format!("{end}{} {} {}\n", ban.ip, ban.port, ban.id)
}

fn parse(line: &str) -> Option<Ban> {
    let mut words = line.split(' ');
    let ban = Ban {
        ip: words.next()?.parse().ok()?,
        port: words.next()?.parse().ok()?,
        id: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(ban)
}
