//! libtorrent, tuned for a fast network, by way of its Python binding.

use anyhow::Result;

use super::{Contender, Stage, words};
use crate::job::Job;
use crate::lab::Kind;
use crate::process::{Plan, Sign};
use crate::torrent::{PYTHON, Version, has_libtorrent, script};

/// libtorrent with one version of metainfo.
#[derive(Clone, Copy, Debug)]
pub struct Libtorrent {
    /// Which.
    pub version: Version,
}

impl Contender for Libtorrent {
    fn name(&self) -> &'static str {
        match self.version {
            Version::V1 => "libtorrent-v1",
            Version::V2 => "libtorrent-v2",
        }
    }

    fn obstacle(&self, _job: &Job, _lab: Kind) -> Option<String> {
        (!has_libtorrent()).then(|| "python3-libtorrent is not installed".to_owned())
    }

    fn torrent(&self) -> Option<Version> {
        Some(self.version)
    }

    fn plan(&self, stage: &Stage<'_>, number: usize) -> Result<Plan> {
        let own = stage.seats[number];
        let (listen, done) = (format!("{}:{}", own.ip, own.port), stage.done_file(number));
        let part = if number == 0 { "seed" } else { "peer" };
        let (script, data) = (script(stage.home)?, stage.data(number));
        let words = words([&PYTHON, &script, &"node", &stage.torrent, &data, &listen, &done, &part]);
        Ok(Plan { words, environment: Vec::new(), sign: Sign::File(done) })
    }
}
