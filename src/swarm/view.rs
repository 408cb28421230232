//! A swarm as a person may see it.

use crate::seam::{PeerView, ShareView};
use crate::time::Moment;

use super::session::Session;
use super::{Part, Swarm};

impl Swarm {
    /// Everything worth showing, at this moment.
    pub fn view(&self, now: Moment) -> ShareView {
        let progress = self.picker.as_ref().map(|picker| picker.progress());
        ShareView {
            share: self.share,
            metainfo: self.metainfo.clone(),
            prepared: self.picker.is_some(),
            reached: self.totals.reached,
            refused: self.totals.is_refusal_told,
            offered: !self.reasons.is_empty() || self.fetch.is_hopeful(),
            done_bytes: progress.map_or(0, |progress| progress.done_bytes),
            total_bytes: progress.map_or(0, |progress| progress.total_bytes),
            held: self.picker.as_ref().map(|picker| picker.held().clone()),
            halted: self.is_halted,
            complete: self.part != Part::Keeps && self.is_seed(),
            sent_bytes: self.totals.sent.total_bytes(),
            from_seed_bytes: self.totals.from_seed_bytes,
            from_peer_bytes: self.totals.from_peer_bytes,
            wasted_bytes: self.totals.wasted_bytes,
            down_rate: self.totals.received.rate(now),
            up_rate: self.totals.sent.rate(now),
            copies_percent: progress.map_or(0, |progress| progress.copies_percent()),
            peers: self.sessions.values().map(|session| peer(session, now)).collect(),
        }
    }
}

fn peer(session: &Session, now: Moment) -> PeerView {
    PeerView {
        id: session.remote.id,
        address: session.remote.address,
        agent: session.remote.agent.clone(),
        is_tracker: session.remote.is_tracker,
        pieces: session.stock.known().map_or(0, |stock| stock.count()),
        down_rate: session.pipe.down.rate(now),
        up_rate: session.up.rate(now),
        received_bytes: session.pipe.down.total_bytes(),
        sent_bytes: session.up.total_bytes(),
    }
}
