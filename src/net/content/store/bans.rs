//! `bans` in the room of a download: who was caught lying, kept for its later lives.

use std::io::{self, Read, Write};

use cap_std::fs::{Dir, OpenOptions};

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
pub(super) fn add(room: &Dir, ban: &Ban) -> io::Result<()> {
    let mut file = room.open_with(BANS, plain(OpenOptions::new().append(true).create(true)))?;
    if file.metadata()?.len() < BANS_BYTES_MAX {
        file.write_all(format!("{} {} {}\n", ban.ip, ban.port, ban.id).as_bytes())?;
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
