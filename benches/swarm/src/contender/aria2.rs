//! aria2, as it comes, without discovery.

use anyhow::Result;

use super::{Contender, Stage, missing_with_torrent, words};
use crate::job::Job;
use crate::lab::Kind;
use crate::process::{Plan, Sign};
use crate::torrent::Version;

/// aria2.
#[derive(Clone, Copy, Debug)]
pub struct Aria2;

impl Contender for Aria2 {
    fn name(&self) -> &'static str {
        "aria2"
    }

    fn obstacle(&self, _job: &Job, _lab: Kind) -> Option<String> {
        missing_with_torrent("aria2c")
    }

    fn torrent(&self) -> Option<Version> {
        Some(Version::V1)
    }

    fn plan(&self, stage: &Stage<'_>, number: usize) -> Result<Plan> {
        let own = stage.seats[number];
        let alone = ["--no-conf=true", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false"];
        let mut words = words([&"aria2c", &"--quiet=true", &"--disable-ipv6=true", &"--seed-ratio=0.0"]);
        words.extend(alone.map(Into::into));
        words.push(format!("--listen-port={}", own.port).into());
        words.push(format!("--dir={}", stage.data(number).display()).into());
        if stage.lab == Kind::Ns {
            words.push(format!("--interface={}", own.ip).into());
        }
        // A seed's readiness is the tracker's to tell: its sign is there from the start.
        let sign = if number == 0 {
            words.push("--bt-seed-unverified=true".into());
            stage.torrent.to_owned()
        } else {
            words.push(format!("--on-bt-download-complete={}", stage.done_script(number)?.display()).into());
            stage.done_file(number)
        };
        words.push(stage.torrent.into());
        Ok(Plan { words, environment: Vec::new(), sign: Sign::File(sign) })
    }
}
