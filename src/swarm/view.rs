//! A swarm as a person may see it.

use crate::seam::{PeerView, ShareView};
use crate::time::Moment;

use super::session::Session;
use super::{Part, Swarm};

impl Swarm {
    /// Everything worth showing, at this moment.
    pub fn view(&self, now: Moment) -> ShareView {
        let (done_bytes, total_bytes) = self.progress();
        ShareView {
            share: self.share,
            metainfo: self.metainfo.clone(),
            prepared: self.picker.is_some(),
            reached: self.totals.reached,
            done_bytes,
            total_bytes,
            held: self.picker.as_ref().map(|picker| picker.held().clone()),
            complete: self.part != Part::Keeps && self.is_seed(),
            sent_bytes: self.totals.sent.total_bytes(),
            from_seed_bytes: self.totals.from_seed_bytes,
            from_peer_bytes: self.totals.from_peer_bytes,
            wasted_bytes: self.totals.wasted_bytes,
            down_rate: self.totals.received.rate(now),
            up_rate: self.totals.sent.rate(now),
            copies_percent: self.copies_percent(),
            peers: self.sessions.values().map(|session| peer(session, now)).collect(),
        }
    }

    /// Bytes held of what is wanted, and bytes wanted.
    fn progress(&self) -> (u64, u64) {
        let (Some(metainfo), Some(picker)) = (&self.metainfo, &self.picker) else { return (0, 0) };
        let bytes = |piece| u64::from(metainfo.geometry().length(piece));
        let missing: u64 = picker.wanted().minus(picker.held()).map(bytes).sum();
        let wanted: u64 = picker.wanted().iter().map(bytes).sum();
        (wanted - missing, wanted)
    }

    /// Copies among those we see, in hundredths: the rarest piece's, and the share of pieces that have more.
    fn copies_percent(&self) -> u64 {
        let (Some(metainfo), Some(picker)) = (&self.metainfo, &self.picker) else { return 0 };
        let copies = |piece| u64::from(picker.holders(piece)) + u64::from(picker.held().contains(piece));
        let Some(least) = metainfo.geometry().pieces().map(copies).min() else { return 0 };
        let more = metainfo.geometry().pieces().filter(|piece| copies(*piece) > least).count() as u64;
        least * 100 + more * 100 / u64::from(metainfo.geometry().piece_count())
    }
}

fn peer(session: &Session, now: Moment) -> PeerView {
    PeerView {
        id: session.remote.id,
        address: session.remote.address,
        agent: session.remote.agent.clone(),
        is_tracker: session.remote.is_tracker,
        pieces: session.stock.known().map_or(0, |stock| stock.count()),
        down_rate: session.down.rate(now),
        up_rate: session.up.rate(now),
        received_bytes: session.down.total_bytes(),
        sent_bytes: session.up.total_bytes(),
    }
}
