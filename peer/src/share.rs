//! `minibit-peer share`: what was typed becomes a session that seeds through somebody's tracker.

use std::slice;

use minibit::console::event::Event;
use minibit::console::session::{self, Aim, Session};
use minibit::console::start::Place;
use minibit::console::{Exit, Failure, Talk, publish};
use minibit::node::NodeConfig;
use minibit::wire::Role;
use tokio_util::sync::CancellationToken;

use crate::cli::Share;
use crate::join::ANY;

/// Seeds until stopped.
pub async fn run(share: Share, talk: &Talk, stop: CancellationToken) -> Result<Exit, Failure> {
    let paths = slice::from_ref(&share.path);
    publish::refuse_outputs(&share.outputs, paths)?;
    let scanned = publish::hash_all(paths, &share.publish, talk, &stop).await?;
    let place = Place::bind(share.listen.unwrap_or(ANY), &share.advertise.advertise)?;
    let node = NodeConfig { limit_up: share.limit_up, ..place.node(env!("CARGO_PKG_NAME"), Role::Peer) };
    let tracker = vec![share.tracker];
    for one in &scanned {
        publish::write_out(&share.outputs, &one.metainfo, &tracker)?;
    }
    talk.event(&Event::Listening { addr: place.address.to_string() });
    talk.detail(&format!("listening on {}", place.address));
    scanned.iter().for_each(|one| publish::announce(&one.metainfo, &tracker, talk));
    let shares = scanned.into_iter().map(|one| publish::seeded(one, tracker.clone(), None)).collect();
    session::run(Session { listener: place.listener, node, shares, aim: Aim::Seed }, talk, stop).await
}
