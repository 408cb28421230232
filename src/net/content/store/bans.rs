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
    let Ok(file) = room.open_with(BANS, plain(OpenOptions::new().read(true))) else { return Vec::new() };
    let mut text = String::new();
    match file.take(BANS_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => text.lines().filter_map(parse).collect(),
        Err(_) => Vec::new(),
    }
}

/// Adds `ban`, as a line `ip port id`; once the file is full it stays as it is.
pub(super) fn add(room: &Room, ban: &Ban) -> io::Result<()> {
    let path = room.within(BANS);
    let mut options = OpenOptions::new();
    let options = plain(options.append(true).create(true));
    let mut file = room.gate().pass(Change::Make(&path), || room.dir().open_with(BANS, options))?;
    let bytes = file.metadata()?.len();
    if bytes < BANS_BYTES_MAX {
        let line = format!("{} {} {}\n", ban.ip, ban.port, ban.id);
        let write = Change::Write(&path, bytes, line.as_bytes());
        room.gate().pass(write, || file.write_all(line.as_bytes()))?;
        room.gate().pass(Change::Sync(&path), || file.sync_data())?;
    }
    Ok(())
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
