//! rqbit, as it comes, without discovery.

use anyhow::Result;

use super::{Contender, Stage, missing_with_torrent, words};
use crate::job::Job;
use crate::lab::Kind;
use crate::process::{Plan, Sign};
use crate::torrent::Version;

/// rqbit.
#[derive(Clone, Copy, Debug)]
pub struct Rqbit;

impl Contender for Rqbit {
    fn name(&self) -> &'static str {
        "rqbit"
    }

    fn obstacle(&self, _job: &Job, _lab: Kind) -> Option<String> {
        missing_with_torrent("rqbit")
    }

    fn torrent(&self) -> Option<Version> {
        Some(Version::V1)
    }

    fn plan(&self, stage: &Stage<'_>, number: usize) -> Result<Plan> {
        let own = stage.seats[number];
        let control = format!("127.0.0.1:{}", own.control_port);
        let mut words = words([&"rqbit", &"--disable-dht", &"--disable-lsd", &"--disable-upnp-port-forward"]);
        words.extend(["--ipv4-only".into(), "--http-api-listen-addr".into(), control.into()]);
        words.extend(["--listen-ip".into(), own.ip.to_string().into()]);
        words.extend(["--listen-port".into(), own.port.to_string().into()]);
        words.extend(["download", "--overwrite", "-o"].map(Into::into));
        words.extend([stage.data(number).into(), stage.torrent.into()]);
        let live: &[&str] = &["\"finished\":true", "\"state\":\"live\""];
        let sign = Sign::Answers("/torrents/0/stats/v1", live);
        Ok(Plan { words, environment: vec![("RUST_LOG", "warn".into())], sign })
    }
}
