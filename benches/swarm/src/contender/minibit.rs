//! minibit itself: `minibit-tracker seed`, and `minibit-peer join` with the torrent file and the seed's address.

use anyhow::Result;

use super::{Contender, Stage, words};
use crate::job::Job;
use crate::lab::Kind;
use crate::process::{Plan, Sign};

/// With which `--goal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// None.
    Default,
    /// `last-peer`.
    LastPeer,
}

/// minibit.
#[derive(Clone, Copy, Debug)]
pub struct Minibit {
    /// What the swarm is after.
    pub goal: Goal,
}

impl Contender for Minibit {
    fn name(&self) -> &'static str {
        match self.goal {
            Goal::Default => "minibit",
            Goal::LastPeer => "minibit-last-peer",
        }
    }

    fn obstacle(&self, _job: &Job, _lab: Kind) -> Option<String> {
        None
    }

    fn plan(&self, stage: &Stage<'_>, number: usize) -> Result<Plan> {
        let (own, seed) = (stage.seats[number], stage.seats[0]);
        let listen = format!("{}:{}", own.ip, own.port);
        let (words, sign) = if number == 0 {
            let tracker = stage.programs.tracker.clone();
            let mut words =
                words([&tracker, &"seed", &stage.payload.path(), &"--listen", &listen, &"--json"]);
            words.extend(["--torrent-file".into(), stage.torrent.into()]);
            if self.goal == Goal::LastPeer {
                words.extend(["--goal".into(), "last-peer".into()]);
            }
            (words, "\"event\":\"share\"")
        } else {
            let peer = stage.programs.peer.clone();
            let (data, from) = (stage.data(number), format!("{}:{}", seed.ip, seed.port));
            let mut words = words([&peer, &"join", &stage.torrent, &"-o", &data, &"--json"]);
            words.extend(["--listen".into(), listen.into(), "--peer".into(), from.into()]);
            (words, "\"event\":\"complete\"")
        };
        Ok(Plan { words, environment: Vec::new(), sign: Sign::Printed(sign) })
    }
}
