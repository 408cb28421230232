//! Who takes part: how each is started, and by what one sees that it is ready or done.

mod aria2;
mod libtorrent;
mod minibit;
mod nginx;
mod rqbit;
mod transmission;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::job::Job;
use crate::lab::{Kind, Seat};
use crate::payload::Payload;
use crate::process::Plan;
use crate::programs::Programs;
use crate::torrent::Version;

/// What a contender may know of the run it takes part in.
#[derive(Debug)]
pub struct Stage<'a> {
    /// Where.
    pub lab: Kind,
    /// What is shared.
    pub payload: &'a Payload,
    /// minibit's own programs.
    pub programs: &'a Programs,
    /// Everyone's places: the seed's first.
    pub seats: &'a [Seat],
    /// Kept for all runs.
    pub home: &'a Path,
    /// This run's own.
    pub place: &'a Path,
    /// The torrent, for those that want one; others may put theirs here.
    pub torrent: &'a Path,
}

impl Stage<'_> {
    /// The folder of process `number`.
    pub fn folder(&self, number: usize) -> PathBuf {
        self.place.join(number.to_string())
    }

    /// Where process `number` has, or is to have, the content: the seed's is the original.
    pub fn data(&self, number: usize) -> PathBuf {
        if number == 0 { self.payload.home.clone() } else { self.folder(number).join("data") }
    }

    /// The file that says that process `number` is done.
    pub fn done_file(&self, number: usize) -> PathBuf {
        self.folder(number).join("done")
    }

    /// A program that makes that file.
    fn done_script(&self, number: usize) -> Result<PathBuf> {
        let path = self.folder(number).join("done.sh");
        fs::write(&path, format!("#!/bin/sh\n: > '{}'\n", self.done_file(number).display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }
}

/// Somebody who takes part.
pub trait Contender: Sync {
    /// As it is typed and shown.
    fn name(&self) -> &'static str;

    /// Why it cannot do this job here, if it cannot.
    fn obstacle(&self, job: &Job, lab: Kind) -> Option<String>;

    /// The torrent that its processes are given, and with it a tracker.
    fn torrent(&self) -> Option<Version> {
        None
    }

    /// Whether its seed is ready only when the tracker has heard of it, its sign apart.
    fn waits_for_tracker(&self) -> bool {
        self.torrent().is_some()
    }

    /// How process `number` is started; 0 is the seed.
    fn plan(&self, stage: &Stage<'_>, number: usize) -> Result<Plan>;
}

/// Everyone, ours first.
pub fn all() -> Vec<Box<dyn Contender>> {
    vec![
        Box::new(minibit::Minibit { goal: minibit::Goal::Default }),
        Box::new(minibit::Minibit { goal: minibit::Goal::LastPeer }),
        Box::new(libtorrent::Libtorrent { version: Version::V2 }),
        Box::new(libtorrent::Libtorrent { version: Version::V1 }),
        Box::new(aria2::Aria2),
        Box::new(rqbit::Rqbit),
        Box::new(transmission::Transmission),
        Box::new(nginx::Nginx),
    ]
}

/// Whether a name is one of ours, and not a competitor's.
pub fn is_ours(name: &str) -> bool {
    name.starts_with("minibit")
}

/// Says that `program` is not here, if it is not.
fn missing(program: &str) -> Option<String> {
    crate::programs::installed(program).is_none().then(|| format!("{program} is not installed"))
}

/// Says what a contender lacks that is given torrents.
fn missing_with_torrent(program: &str) -> Option<String> {
    let no_torrent = || "there is no python3-libtorrent to make its torrent".to_owned();
    missing(program).or_else(|| (!crate::torrent::has_libtorrent()).then(no_torrent))
}

/// A command line.
pub fn words<const N: usize>(words: [&dyn AsWord; N]) -> Vec<OsString> {
    words.iter().map(|word| word.as_word()).collect()
}

/// What may stand on a command line.
pub trait AsWord {
    /// As the system takes it.
    fn as_word(&self) -> OsString;
}

impl AsWord for &str {
    fn as_word(&self) -> OsString {
        self.into()
    }
}

impl AsWord for String {
    fn as_word(&self) -> OsString {
        self.into()
    }
}

impl AsWord for PathBuf {
    fn as_word(&self) -> OsString {
        self.into()
    }
}

impl AsWord for &Path {
    fn as_word(&self) -> OsString {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_has_a_name_of_their_own() {
        let names: std::collections::BTreeSet<_> = all().iter().map(|one| one.name()).collect();
        assert_eq!(names.len(), all().len());
    }
}
