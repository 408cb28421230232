//! Who holds what: what peers announce, what we announce, and who therefore has something for whom.

use crate::content::PieceIndex;
use crate::ids::LinkId;
use crate::seam::Action;
use crate::wire::Message;

use super::announcing::Audience;
use super::session::Violation;
use super::{Part, Swarm, Turn, stock};

impl Swarm {
    /// A peer said what it holds.
    pub(super) fn stock_said(
        &mut self,
        link: LinkId,
        all: Option<&[[u64; 2]]>,
        more: Option<&[[u64; 2]]>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let Some(session) = self.sessions.get_mut(&link) else { return Ok(()) };
        self.totals.reached |= [all, more].into_iter().flatten().any(|runs| !runs.is_empty());
        let (Some(metainfo), Some(_), Some(known)) = (&self.metainfo, &self.picker, session.stock.known())
        else {
            // A register that does not know the share never will.
            if self.part != Part::Downloads {
                return Ok(());
            }
            session.idle_word(turn.now)?;
            all.iter().try_for_each(|runs| session.stock.claim(runs, true))?;
            more.iter().try_for_each(|runs| session.stock.claim(runs, false))?;
            return Ok(());
        };
        let (geometry, more) = (metainfo.geometry(), more.unwrap_or_default());
        let (lost, gained): (Vec<PieceIndex>, Vec<PieceIndex>) = match all {
            None => (Vec::new(), stock::news(geometry, more, known)?),
            Some(all) => {
                let said = stock::pieces(geometry, [all, more])?;
                (known.minus(&said).collect(), said.minus(known).collect())
            }
        };
        if lost.is_empty() && gained.is_empty() {
            session.idle_word(turn.now)?;
        }
        session.stock_changed(lost.len() + gained.len())?;
        self.uncount(link, &lost);
        self.count(link, &gained, turn);
        self.note_fullness(link, turn);
        self.tell_interest(link, turn);
        self.ask(link, turn);
        Ok(())
    }

    /// Counts pieces that a peer holds from now on.
    fn count(&mut self, link: LinkId, gained: &[PieceIndex], turn: &mut Turn<'_>) {
        let (Some(session), Some(picker)) = (self.sessions.get_mut(&link), &mut self.picker) else { return };
        for piece in gained {
            if session.stock.insert(*piece) {
                picker.gained(*piece);
                if let Some(suggester) = &mut self.suggester {
                    suggester.gained(*piece, &mut session.promises);
                }
            }
        }
        if session.reason.is_none() {
            self.find_reason(link);
        }
        self.suggest(link, turn);
    }

    /// Uncounts pieces that a peer holds no more.
    fn uncount(&mut self, link: LinkId, lost: &[PieceIndex]) {
        let (Some(session), Some(picker)) = (self.sessions.get_mut(&link), &mut self.picker) else { return };
        for piece in lost {
            if session.stock.remove(*piece) {
                picker.lost_holder(*piece);
                if let Some(suggester) = &mut self.suggester {
                    suggester.lost_holder(*piece);
                }
            }
        }
        self.find_reason(link);
    }

    /// Looks for a piece for which a peer is wanted, from the last one on: each is passed once while it is lacked.
    pub(super) fn find_reason(&mut self, link: LinkId) {
        let (Some(session), Some(picker)) = (self.sessions.get_mut(&link), &self.picker) else { return };
        let last = session.reason.take();
        last.map(|piece| self.reasons.remove(&(piece, link)));
        let stock = session.stock.known().filter(|_| !picker.is_complete());
        session.reason = stock.and_then(|stock| stock.common(picker.lacking(), last));
        self.reasons.extend(session.reason.map(|piece| (piece, link)));
    }

    /// Notes whether a peer held everything when we met, and tells when it first does.
    pub(super) fn note_fullness(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.get_mut(&link) else { return };
        let is_full = session.stock.known().is_some_and(|stock| stock.is_full() && !stock.is_empty());
        session.was_seed.get_or_insert(is_full);
        if is_full && !session.is_seeding {
            session.is_seeding = true;
            let remote = session.remote.clone();
            turn.out.push(self.news(&remote, "seeding"));
        }
    }

    /// Tells a peer when it begins or ceases to have something for us.
    pub(super) fn tell_interest(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.get_mut(&link) else { return };
        let wants = session.reason.is_some() && !session.is_guest && !self.is_halted;
        if wants != session.we_want {
            session.we_want = wants;
            self.say(link, if wants { Message::Interested } else { Message::NotInterested }, turn);
        }
    }

    /// A piece is verified and written.
    pub(super) fn keep(&mut self, piece: PieceIndex, turn: &mut Turn<'_>) {
        turn.out.push(Action::Keep { share: self.share, piece });
        let wanted_for_it = self.reasons.range((piece, LinkId(0))..=(piece, LinkId(u64::MAX)));
        for link in wanted_for_it.map(|(_, link)| *link).collect::<Vec<_>>() {
            self.find_reason(link);
            self.tell_interest(link, turn);
        }
        self.announcer.gained(piece, turn.now);
        self.announce(turn);
        self.note_completion(turn);
    }

    /// Tells of what is held those whom it is time to tell.
    pub(super) fn announce(&mut self, turn: &mut Turn<'_>) {
        match self.announcer.audience(turn.now, self.sessions.len(), self.is_seed()) {
            None => {}
            Some(Audience::Everyone) => {
                self.links().into_iter().for_each(|link| self.tell_news(link, turn));
                self.announcer.all_are_told();
            }
            Some(Audience::Near) => {
                let served = self.choker.unchoked();
                let near: Vec<LinkId> = self.givers.union(&served).copied().collect();
                near.into_iter().for_each(|link| self.tell_news(link, turn));
            }
        }
    }

    /// Tells a peer of what is held and it was not told yet.
    pub(super) fn tell_news(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        let runs = self.announcer.untold(link);
        if !runs.is_empty() {
            self.say(link, Message::Stock { all: None, more: Some(runs) }, turn);
        }
    }

    /// The content beneath these pieces changed: nobody is told that we hold them any more.
    pub fn lost(&mut self, pieces: &[PieceIndex], turn: &mut Turn<'_>) {
        let Some(picker) = &mut self.picker else { return };
        let lost: Vec<PieceIndex> = pieces.iter().copied().filter(|piece| picker.forget(*piece)).collect();
        if let Some(suggester) = &mut self.suggester {
            lost.iter().for_each(|piece| suggester.forget(*piece));
        }
        if !lost.is_empty() {
            for link in self.links() {
                self.find_reason(link);
                self.first_stock().into_iter().for_each(|message| self.say(link, message, turn));
            }
            self.announcer.all_are_told();
            self.refuse_what_is_lost(turn);
        }
    }
}
