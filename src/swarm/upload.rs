//! What goes out: who is unchoked, what is owed to whom, and in which order it is served.

use std::ops::Bound;

use crate::content::Block;
use crate::ids::LinkId;
use crate::seam::Action;
use crate::time::Moment;
use crate::wire::{Message, NackReason};

use super::choker::{Changes, Standing, Terms};
use super::download::numbers;
use super::meeting::LEAVES_MAX;
use super::session::{OWED_MAX, Violation};
use super::suggesting::open_count;
use super::{Suggester, Swarm, Turn, rate};

/// Suggestions reach as far ahead as this part of a second at the peer's rate: what it takes to hear and to be asked.
const AHEAD: u64 = 2;

impl Swarm {
    pub(super) fn interest_said(
        &mut self,
        link: LinkId,
        wants: bool,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let Some(session) = self.sessions.get_mut(&link) else { return Ok(()) };
        session.idle_word(turn.now)?;
        let is_news = session.it_wants != wants;
        session.it_wants = wants;
        if is_news {
            self.review_for(link, wants, turn);
        }
        Ok(())
    }

    /// Reviews if this peer's interest, or its going, can change who is served.
    pub(super) fn review_for(&mut self, link: LinkId, wants: bool, turn: &mut Turn<'_>) {
        if self.choker.minds(link, wants, turn.now, self.deserving_max()) {
            self.review(turn);
        }
    }

    /// Lets the choker look at everyone, and does as it says.
    pub(super) fn review(&mut self, turn: &mut Turn<'_>) {
        // One to trade with, and one for what crosses on the way.
        let terms = Terms { deserving_max: self.deserving_max(), turn_bytes: 2 * self.piece_bytes() };
        self.sessions.values_mut().for_each(|session| session.watch(turn.now));
        let scales = self.scales(terms.turn_bytes, turn.now);
        let partners = self.sessions.iter().filter(|(_, session)| !session.is_guest);
        let standings: Vec<Standing> =
            partners.map(|(link, session)| self.standing(*link, session, &scales, turn.now)).collect();
        let Changes { choke, unchoke } = self.choker.review(turn.now, &standings, terms, &mut self.chance);
        choke.into_iter().for_each(|link| self.choke(link, turn));
        unchoke.into_iter().for_each(|link| self.unchoke(link, turn));
    }

    /// Of a whole piece; nothing before the metainfo is known.
    pub(super) fn piece_bytes(&self) -> u64 {
        self.metainfo.as_ref().map_or(0, |metainfo| metainfo.geometry().piece_bytes().into())
    }

    /// A choke drops what waits, each with its NACK.
    fn choke(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.get_mut(&link) else { return };
        session.choke(turn.now);
        let dropped = std::mem::take(&mut session.owed);
        self.owing.remove(&link);
        if let Some(suggester) = &mut self.suggester {
            suggester.choked(&mut session.promises);
        }
        self.say(link, Message::Choke, turn);
        dropped.into_iter().for_each(|block| self.nack(link, numbers(block), NackReason::Choked, turn));
    }

    fn unchoke(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        self.tell_news(link, turn);
        let Some(session) = self.sessions.get_mut(&link) else { return };
        session.we_choke = false;
        session.watch(turn.now);
        // First, so that it knows what to ask for when it may ask.
        self.suggest(link, turn);
        self.say(link, Message::Unchoke, turn);
    }

    fn nack(
        &mut self,
        link: LinkId,
        (piece, start, length): (u64, u64, u64),
        reason: NackReason,
        turn: &mut Turn<'_>,
    ) {
        self.say(link, Message::Nack { piece, start, length, reason }, turn);
    }

    /// Whether we hold everything we want, and so choose by other things than what peers give.
    pub(super) fn is_seed(&self) -> bool {
        self.picker.as_ref().is_some_and(|picker| picker.is_complete())
    }

    /// From the moment everything is held, a share is served as by a seed.
    pub(super) fn note_completion(&mut self, turn: &mut Turn<'_>) {
        let (Some(metainfo), Some(picker)) = (&self.metainfo, &self.picker) else { return };
        if picker.is_complete() && self.suggester.is_none() {
            let (geometry, holders) = (metainfo.geometry(), |piece| picker.holders(piece));
            self.suggester = Some(Suggester::new(geometry, picker.held(), holders, &mut self.chance));
            self.choker.end_round(turn.now);
            self.review(turn);
        }
    }

    /// Suggests to an unchoked peer what the fewest have or were promised.
    pub(super) fn suggest(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        let (Some(session), Some(suggester), Some(metainfo)) =
            (self.sessions.get_mut(&link), &mut self.suggester, &self.metainfo)
        else {
            return;
        };
        let Some(stock) = session.stock.known().filter(|_| !session.we_choke) else { return };
        let ahead = session.up.rate(turn.now) / AHEAD / u64::from(metainfo.geometry().piece_bytes());
        let open_max = open_count(ahead);
        let pieces = suggester.suggest(stock, &mut session.promises, open_max, turn.now, &mut self.chance);
        pieces
            .iter()
            .for_each(|piece| self.say(link, Message::Suggest { piece: u64::from(piece.get()) }, turn));
    }

    /// A peer that takes up none of what it was suggested is suggested something else.
    pub(super) fn suggest_others_if_stuck(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        let (Some(session), Some(suggester)) = (self.sessions.get_mut(&link), &mut self.suggester) else {
            return;
        };
        if session.promises.are_stuck(turn.now) {
            suggester.take_back(&mut session.promises);
            self.suggest(link, turn);
        }
    }

    /// A peer asks for bytes. Every request gets exactly one answer.
    pub(super) fn requested(
        &mut self,
        link: LinkId,
        piece: u64,
        start: u64,
        length: u64,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let Some(session) = self.sessions.get_mut(&link) else { return Ok(()) };
        let block = self.metainfo.as_ref().map(|m| m.geometry().block(piece, start, length)).transpose()?;
        let held = block
            .filter(|block| self.picker.as_ref().is_some_and(|picker| picker.held().contains(block.piece)));
        let reason = match held {
            _ if session.we_choke => NackReason::Choked,
            None => NackReason::Absent,
            Some(_) if session.owed.len() >= OWED_MAX => NackReason::Full,
            Some(block) => {
                session.owed.push_back(block);
                session.asks(turn.now);
                self.owing.insert(link);
                self.note_taken(link, block, turn);
                self.serve(turn);
                return Ok(());
            }
        };
        if reason == NackReason::Choked && held.is_some() {
            session.asks(turn.now);
        }
        if reason != NackReason::Full {
            session.hopeless(turn.now)?;
        }
        self.nack(link, (piece, start, length), reason, turn);
        Ok(())
    }

    /// Keeps the count of what a seed gave out, and its suggestions flowing.
    fn note_taken(&mut self, link: LinkId, block: Block, turn: &mut Turn<'_>) {
        let (Some(session), Some(suggester)) = (self.sessions.get_mut(&link), &mut self.suggester) else {
            return;
        };
        if session.stock.known().is_some_and(|stock| !stock.contains(block.piece)) {
            suggester.taken(block.piece, &mut session.promises, turn.now);
        }
        self.suggest(link, turn);
    }

    pub(super) fn cancelled(
        &mut self,
        link: LinkId,
        (piece, start, length): (u64, u64, u64),
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let (Some(session), Some(metainfo)) = (self.sessions.get_mut(&link), &self.metainfo) else {
            return Ok(());
        };
        let block = metainfo.geometry().block(piece, start, length)?;
        if let Some(place) = session.owed.iter().position(|owed| *owed == block) {
            session.owed.remove(place);
            if session.owed.is_empty() {
                self.owing.remove(&link);
            }
            self.nack(link, (piece, start, length), NackReason::Cancelled, turn);
        }
        Ok(())
    }

    /// Gives the shell what is owed, one block a peer in turn, as far as pipes and limit allow.
    pub(super) fn serve(&mut self, turn: &mut Turn<'_>) {
        while rate::is_open(&mut turn.purse.up, turn.now) {
            let Some(link) = self.next_served(turn.now) else { break };
            self.served_last = link;
            let Some(session) = self.sessions.get_mut(&link) else { break };
            let Some(block) = session.owed.pop_front() else { break };
            if session.owed.is_empty() {
                self.owing.remove(&link);
            }
            session.serving_bytes += u64::from(block.length);
            session.said = turn.now;
            rate::spend(&mut turn.purse.up, block.length);
            turn.out.push(Action::SendBlock { link, share: self.share, block });
        }
    }

    /// Whose turn it is of those whose pipe has room.
    fn next_served(&self, now: Moment) -> Option<LinkId> {
        let has_room =
            |link: &&LinkId| self.sessions.get(link).is_some_and(|s| s.serving_bytes < s.serving_max(now));
        let later = self.owing.range((Bound::Excluded(self.served_last), Bound::Unbounded));
        later.chain(self.owing.range(..=self.served_last)).find(has_room).copied()
    }

    /// Whether somebody is owed something, for whom the limit may open or the pipe have room.
    pub(super) fn waits_to_serve(&self) -> bool {
        !self.owing.is_empty()
    }

    /// A block left, or could not be read.
    pub fn served(&mut self, link: LinkId, block: Block, sent: bool, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.get_mut(&link) else { return };
        let bytes = u64::from(block.length);
        session.serving_bytes = session.serving_bytes.saturating_sub(bytes);
        session.said = turn.now;
        if sent {
            session.up.add(turn.now, bytes);
            self.totals.sent.add(turn.now, bytes);
            let end = self.metainfo.as_ref().map(|metainfo| metainfo.geometry().length(block.piece));
            if end == Some(block.start + block.length) {
                session.promises.sent(block.piece);
            }
        } else {
            self.nack(link, numbers(block), NackReason::Failed, turn);
        }
        self.serve(turn);
    }

    /// What waits for pieces that are no longer held is refused.
    pub(super) fn refuse_what_is_lost(&mut self, turn: &mut Turn<'_>) {
        for link in self.links() {
            let (Some(session), Some(picker)) = (self.sessions.get_mut(&link), &self.picker) else { return };
            let (kept, lost): (Vec<_>, Vec<_>) =
                session.owed.drain(..).partition(|b| picker.held().contains(b.piece));
            session.owed = kept.into();
            if session.owed.is_empty() {
                self.owing.remove(&link);
            }
            lost.into_iter().for_each(|block| self.nack(link, numbers(block), NackReason::Absent, turn));
        }
    }

    /// A peer asks for the leaf hashes of a piece: each answer costs a read of the whole piece, so not without bound.
    pub(super) fn leaves_asked(
        &mut self,
        link: LinkId,
        piece: u64,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let Some(session) = self.sessions.get_mut(&link) else { return Ok(()) };
        let known = self.metainfo.as_ref().map(|metainfo| metainfo.geometry().piece(piece)).transpose()?;
        let held =
            known.filter(|piece| self.picker.as_ref().is_some_and(|picker| picker.held().contains(*piece)));
        session.leaves_served += 1;
        match held.filter(|_| session.leaves_served <= LEAVES_MAX) {
            Some(piece) => turn.out.push(Action::SendLeaves { link, share: self.share, piece }),
            None => self.say(link, Message::Leaves { piece, length: 0 }, turn),
        }
        Ok(())
    }
}
