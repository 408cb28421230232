//! Torrent files for those who need them, made by libtorrent once for each kind and given a tracker's address for each run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::payload::Payload;

/// Debian's package goes with Debian's python3, which need not be the first in PATH.
pub const PYTHON: &str = "/usr/bin/python3";
/// Our script that makes torrents and runs nodes.
const SCRIPT: &str = include_str!("../libtorrent_tool.py");

/// Which version of metainfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// SHA-1 of pieces.
    V1,
    /// SHA-256 Merkle trees.
    V2,
}

impl Version {
    /// As the script knows it.
    pub fn word(self) -> &'static str {
        match self {
            Version::V1 => "v1",
            Version::V2 => "v2",
        }
    }
}

/// Whether libtorrent is here, with its Python binding.
pub fn has_libtorrent() -> bool {
    let mut command = Command::new(PYTHON);
    command.args(["-c", "import libtorrent"]).stdin(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Puts the script below `home`, if it is not there.
pub fn script(home: &Path) -> Result<PathBuf> {
    let path = home.join("libtorrent_tool.py");
    if !path.exists() {
        fs::write(&path, SCRIPT)?;
    }
    Ok(path)
}

/// A torrent of the content with `announce` as its tracker, written to `to`. What is the same for all runs is kept in `home`.
pub fn make(
    payload: &Payload,
    version: Version,
    piece_bytes: u32,
    announce: &str,
    home: &Path,
    to: &Path,
) -> Result<()> {
    let bare = home.join(format!("{}-{}-{piece_bytes}.torrent", payload.name, version.word()));
    if !bare.exists() {
        let mut command = Command::new(PYTHON);
        command.arg(script(home)?).arg("make").arg(payload.path()).arg(&bare);
        command.args([version.word(), &piece_bytes.to_string()]).stdin(Stdio::null());
        let output = command.output().with_context(|| format!("{PYTHON} cannot be started"))?;
        if !output.status.success() {
            bail!("libtorrent made no torrent: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
    }
    fs::write(to, with_tracker(&fs::read(&bare)?, announce)?)?;
    Ok(())
}

/// `announce` is the first key of all in its order, so that it only has to be put in front.
fn with_tracker(torrent: &[u8], announce: &str) -> Result<Vec<u8>> {
    let rest = torrent.strip_prefix(b"d").context("the torrent is not a dictionary")?;
    ensure!(!rest.starts_with(b"8:announce"), "the torrent has a tracker already");
    let key = format!("d8:announce{}:{announce}", announce.len());
    Ok([key.as_bytes(), rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracker_is_put_in_front() {
        let torrent = with_tracker(b"d4:infodee", "http://a/").unwrap();
        assert_eq!(torrent, b"d8:announce9:http://a/4:infodee");
        assert!(with_tracker(&torrent, "http://b/").is_err());
        assert!(with_tracker(b"le", "http://b/").is_err());
    }
}
