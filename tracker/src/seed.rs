//! `minibit-tracker seed`: what was typed becomes a tracker that holds its shares.

use minibit::console::event::Event;
use minibit::console::session::{self, Aim, Session};
use minibit::console::start::Place;
use minibit::console::{Exit, Failure, Talk, publish};
use minibit::node::NodeConfig;
use minibit::wire::Role;
use tokio_util::sync::CancellationToken;

use crate::cli::Seed;

/// Hashes, binds, writes what was asked for, tells the lines to paste, and seeds until stopped.
pub async fn run(seed: Seed, talk: &Talk, stop: CancellationToken) -> Result<Exit, Failure> {
    publish::refuse_outputs(&seed.outputs, &seed.paths)?;
    let scanned = publish::hash_all(&seed.paths, &seed.publish, talk, &stop).await?;
    let place = Place::bind(seed.listen, &seed.advertise.advertise)?;
    for one in &scanned {
        publish::write_out(&seed.outputs, &one.metainfo, &place.endpoints)?;
    }
    talk.event(&Event::Listening { addr: place.address.to_string() });
    talk.say(&format!("listening on {}", place.address));
    scanned.iter().for_each(|one| publish::announce(&one.metainfo, &place.endpoints, talk));
    let node = NodeConfig { limit_up: seed.limit_up, ..place.node(env!("CARGO_PKG_NAME"), Role::Tracker) };
    let goal = Some(seed.goal.into());
    let shares = scanned.into_iter().map(|one| publish::seeded(one, Vec::new(), goal)).collect();
    session::run(Session { listener: place.listener, node, shares, aim: Aim::Seed }, talk, stop).await
}
