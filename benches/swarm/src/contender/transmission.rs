//! transmission-daemon, as it comes, without discovery.

use std::fs;

use anyhow::Result;
use serde_json::json;

use super::{Contender, Stage, missing_with_torrent, words};
use crate::job::Job;
use crate::lab::Kind;
use crate::process::{Plan, Sign};
use crate::torrent::Version;

/// transmission.
#[derive(Clone, Copy, Debug)]
pub struct Transmission;

impl Contender for Transmission {
    fn name(&self) -> &'static str {
        "transmission"
    }

    fn obstacle(&self, _job: &Job, lab: Kind) -> Option<String> {
        let on_loopback = (lab == Kind::Lo).then(|| "it takes no loopback address for a peer's".to_owned());
        on_loopback.or_else(|| missing_with_torrent("transmission-daemon"))
    }

    fn torrent(&self) -> Option<Version> {
        Some(Version::V1)
    }

    fn plan(&self, stage: &Stage<'_>, number: usize) -> Result<Plan> {
        let own = stage.seats[number];
        let (config, watched) = (stage.folder(number).join("config"), stage.folder(number).join("watched"));
        fs::create_dir_all(config.join("torrents"))?;
        fs::create_dir_all(&watched)?;
        fs::copy(stage.torrent, watched.join("share.torrent"))?;
        let settings = json!({
            "download-dir": stage.data(number),
            "watch-dir": watched,
            "watch-dir-enabled": true,
            "start-added-torrents": true,
            "script-torrent-done-enabled": true,
            "script-torrent-done-filename": stage.done_script(number)?,
            "peer-port": own.port,
            "bind-address-ipv4": own.ip.to_string(),
            "rpc-enabled": false,
            "dht-enabled": false,
            "lpd-enabled": false,
            "utp-enabled": false,
            "port-forwarding-enabled": false,
            "ratio-limit-enabled": false,
        });
        fs::write(config.join("settings.json"), settings.to_string())?;
        let words = words([&"transmission-daemon", &"-f", &"--log-info", &"-g", &config]);
        // A seed's readiness is the tracker's to tell: its sign is there from the start.
        let sign = if number == 0 { stage.torrent.to_owned() } else { stage.done_file(number) };
        Ok(Plan { words, environment: Vec::new(), sign: Sign::File(sign) })
    }
}
