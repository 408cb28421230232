//! How a share's description is fetched from peers, checked, and passed on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::content::metainfo::METAINFO_BYTES_MAX;
use crate::content::{Metainfo, MetainfoError};
use crate::ids::LinkId;
use crate::seam::{Action, Payload};
use crate::time::Moment;
use crate::wire::{Message, PAYLOAD_BYTES_MAX};

use super::session::Violation;
use super::{Part, Swarm, Turn};

/// A peer that sends no part of the description for so long is left for another, and is given twice as long the next time,
/// so that over slow links too some part comes in time.
const PATIENCE: Duration = Duration::from_secs(10);
/// Doublings of that.
const DOUBLINGS_MAX: u32 = 6;
/// Bytes a second that the parts must come at on average (`wire.md` asks as much of a message): not a byte now and then.
const RATE_MIN: u64 = 1_024;
/// Parts sent to one peer: all of the largest description some times over.
const PARTS_SENT_MAX: u32 = 300;
/// A peer that did not have it is asked again after so long.
const RETRY: Duration = Duration::from_secs(5);

/// The description under way: from one peer at a time, its bytes bounded by what that peer has really sent.
#[derive(Clone, Debug, Default)]
pub struct Fetch {
    source: Option<(LinkId, Moment)>,
    began: Moment,
    bytes: Vec<u8>,
    total: Option<usize>,
    /// How often each link was left for another. At most one for each link.
    given_up: BTreeMap<LinkId, u32>,
    not_before: BTreeMap<LinkId, Moment>,
}

impl Fetch {
    /// A link is gone.
    pub fn is_left_by(&mut self, link: LinkId) {
        self.not_before.remove(&link);
        self.given_up.remove(&link);
        if self.source.is_some_and(|(source, _)| source == link) {
            self.give_up();
        }
    }

    fn given_up_count(&self, link: LinkId) -> u32 {
        self.given_up.get(&link).copied().unwrap_or(0)
    }

    /// Whether the one who is asked lets us wait: for the next part, or for all of them.
    fn is_overdue(&self, now: Moment) -> bool {
        let Some((source, asked)) = self.source else { return false };
        let patience = PATIENCE * 2_u32.pow(self.given_up_count(source).min(DOUBLINGS_MAX));
        let at_least = Duration::from_secs(self.bytes.len() as u64 / RATE_MIN);
        now.since(asked) >= patience || now.since(self.began) >= 2 * patience + at_least
    }

    /// Whether some of it came, or somebody was asked who did not let us down before.
    pub fn is_hopeful(&self) -> bool {
        let is_new = |(link, _): &(LinkId, Moment)| !self.not_before.contains_key(link);
        !self.bytes.is_empty() || self.source.as_ref().is_some_and(is_new)
    }

    fn give_up(&mut self) {
        self.source = None;
        self.bytes = Vec::new();
        self.total = None;
    }

    /// Takes a part in its turn. True when all of it is there.
    fn take(&mut self, total: u64, part: &[u8]) -> Result<bool, Violation> {
        let total = usize::try_from(total).ok().filter(|total| *total <= METAINFO_BYTES_MAX);
        let fits = total.is_some_and(|total| self.bytes.len() + part.len() <= total && !part.is_empty());
        if !fits || self.total.is_some_and(|known| Some(known) != total) {
            return Err(Violation::Unasked("a part of the metainfo"));
        }
        self.total = total;
        self.bytes.extend_from_slice(part);
        Ok(Some(self.bytes.len()) == total)
    }
}

impl Swarm {
    /// Asks somebody for the description, if it is wanted and nobody is asked.
    pub(super) fn fetch_metainfo(&mut self, turn: &mut Turn<'_>) {
        if self.metainfo.is_some() || self.part != Part::Downloads {
            return;
        }
        if let Some((source, _)) = self.fetch.source {
            if !self.fetch.is_overdue(turn.now) {
                return;
            }
            *self.fetch.given_up.entry(source).or_default() += 1;
            self.fetch.not_before.insert(source, turn.now.after(RETRY));
            self.fetch.give_up();
        }
        let may_be_asked =
            |link: &LinkId| self.fetch.not_before.get(link).is_none_or(|from| turn.now >= *from);
        let mut candidates: Vec<LinkId> = self.sessions.keys().copied().filter(may_be_asked).collect();
        // Whoever let us wait is asked after those who did not.
        let least = candidates.iter().map(|link| self.fetch.given_up_count(*link)).min();
        candidates.retain(|link| Some(self.fetch.given_up_count(*link)) == least);
        if let Some(link) = self.chance.pick(&candidates).copied() {
            (self.fetch.source, self.fetch.began) = (Some((link, turn.now)), turn.now);
            self.say(link, Message::MetainfoRequest { start: 0 }, turn);
        }
    }

    pub(super) fn metainfo_came(
        &mut self,
        link: LinkId,
        start: u64,
        total: u64,
        payload: Payload,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        if self.metainfo.is_some() || self.fetch.source.is_none_or(|(source, _)| source != link) {
            return Ok(());
        }
        let (Payload::Bytes(part), true) = (payload, total > 0) else {
            self.fetch.not_before.insert(link, turn.now.after(RETRY));
            self.fetch.give_up();
            return Ok(self.fetch_metainfo(turn));
        };
        // A late answer to what was asked before it was given up.
        if start != self.fetch.bytes.len() as u64 {
            return Ok(());
        }
        if !self.fetch.take(total, &part)? {
            self.fetch.source = Some((link, turn.now));
            self.say(link, Message::MetainfoRequest { start: self.fetch.bytes.len() as u64 }, turn);
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.fetch.bytes);
        self.fetch.give_up();
        match self.believe(&bytes) {
            Ok(metainfo) => self.described(metainfo, turn),
            Err(error) => self.ban_link(link, format!("its metainfo is not this share's: {error}"), turn),
        }
        Ok(())
    }

    fn believe(&self, bytes: &[u8]) -> Result<Metainfo, MetainfoError> {
        let metainfo = Metainfo::parse(bytes)?;
        if metainfo.share() == self.share {
            Ok(metainfo)
        } else {
            Err(MetainfoError::Malformed(format!("it describes {}", metainfo.share())))
        }
    }

    fn described(&mut self, metainfo: Metainfo, turn: &mut Turn<'_>) {
        self.metainfo = Some(Arc::new(metainfo));
        self.lay_out(None, turn);
    }

    /// Checks what peers claimed to hold before the share was known. Who claimed too much is left.
    pub(super) fn settle_claims(&mut self, turn: &mut Turn<'_>) {
        let Some(metainfo) = self.metainfo.clone() else { return };
        for link in self.links() {
            let Some(session) = self.sessions.get_mut(&link) else { continue };
            if session.stock.known().is_some() {
                continue;
            }
            if let Err(error) = session.stock.settle(metainfo.geometry()) {
                self.violated(link, &error.to_string(), turn);
                continue;
            }
            let (Some(stock), Some(picker)) = (session.stock.known(), &mut self.picker) else { continue };
            stock.iter().for_each(|piece| picker.gained(piece));
        }
    }

    pub(super) fn metainfo_asked(
        &mut self,
        link: LinkId,
        start: u64,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let Some(metainfo) = self.metainfo.clone() else {
            self.say(link, Message::Metainfo { start: 0, length: 0, total: 0 }, turn);
            return Ok(());
        };
        let total = metainfo.served_bytes().len();
        let start = usize::try_from(start).ok().filter(|start| *start < total);
        let start = start.ok_or(Violation::Unasked("a metainfo request past its end"))?;
        let Some(session) = self.sessions.get_mut(&link) else { return Ok(()) };
        session.parts_sent += 1;
        if session.parts_sent > PARTS_SENT_MAX {
            return Err(Violation::TooMany("PEDIDO_METADADOS"));
        }
        let length = (total - start).min(PAYLOAD_BYTES_MAX as usize);
        let length = u32::try_from(length).expect("at most a mebibyte");
        turn.out.push(Action::SendMetainfo { link, metainfo, start, length });
        Ok(())
    }
}
