//! What comes in: whom to ask for how much, what arrived, and what waits too long.

use std::time::Duration;

use crate::content::Block;
use crate::ids::{Digest, LinkId};
use crate::seam::Action;
use crate::time::Moment;
use crate::wire::{Message, NackReason};

use super::picker::{Finish, Giver, Offer, Receipt};
use super::pipe::Answer;
use super::session::{Session, Violation};
use super::{Swarm, Turn, rate};

/// So many of the longest queues are looked at for something to take over.
const QUEUES_TRIED: usize = 4;

impl Swarm {
    pub(super) fn unchoked_by(&mut self, link: LinkId, turn: &mut Turn<'_>) -> Result<(), Violation> {
        let Some(session) = self.sessions.get_mut(&link) else { return Ok(()) };
        session.idle_word(turn.now)?;
        session.it_chokes = false;
        self.givers.insert(link);
        self.ask(link, turn);
        self.take_over_for(link, turn);
        Ok(())
    }

    /// What was asked is still answered, block by block: with the bytes that are under way, or with a NACK.
    pub(super) fn choked_by(&mut self, link: LinkId, now: Moment) -> Result<(), Violation> {
        let Some(session) = self.sessions.get_mut(&link) else { return Ok(()) };
        session.idle_word(now)?;
        session.it_chokes = true;
        self.givers.remove(&link);
        Ok(())
    }

    pub(super) fn give_up_all(&mut self, link: LinkId) {
        let (Some(session), Some(picker)) = (self.sessions.get_mut(&link), &mut self.picker) else { return };
        for block in session.pipe.awaited() {
            session.pipe.give_up(block);
            picker.release(link, block);
        }
    }

    pub(super) fn suggested(
        &mut self,
        link: LinkId,
        piece: u64,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let (Some(session), Some(metainfo)) = (self.sessions.get_mut(&link), &self.metainfo) else {
            return Ok(());
        };
        let piece = metainfo.geometry().piece(piece)?;
        let is_of_use =
            self.picker.as_ref().is_some_and(|picker| picker.wants_all() && picker.may_ask(piece));
        session.suggest(piece, is_of_use, turn.now);
        self.ask(link, turn);
        Ok(())
    }

    /// Asks everyone who serves us for as much as its pipe takes.
    pub(super) fn ask_everyone(&mut self, turn: &mut Turn<'_>) {
        if self.picker.as_ref().is_some_and(|picker| !picker.is_complete()) {
            self.givers.clone().into_iter().for_each(|link| self.ask(link, turn));
        }
    }

    /// Asks one peer for as much as its pipe takes.
    pub(super) fn ask(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        let link_count = self.sessions.len();
        let (Some(session), Some(picker)) = (self.sessions.get_mut(&link), &mut self.picker) else { return };
        let mut requests = Vec::new();
        while let Some(bytes) = session.appetite(turn.now) {
            let is_guided = session.guides(turn.now) && !session.pipe.is_idle();
            let Session { stock, suggested, .. } = session;
            let Some(stock) = stock.known() else { break };
            if !session.we_want || !rate::is_open(&mut turn.purse.down, turn.now) {
                break;
            }
            let mut view = Offer { link, stock, suggested, is_guided };
            let Some(block) = picker.next(&mut view, bytes, link_count, &mut self.chance) else { break };
            // A block that it still owes an answer for cannot be told apart from a second one: not now.
            if session.pipe.is_asked(block) {
                picker.release(link, block);
                break;
            }
            session.pipe.ask(turn.now, block);
            rate::spend(&mut turn.purse.down, block.length);
            requests.push(block);
        }
        requests.into_iter().for_each(|block| self.say(link, request(block), turn));
    }

    /// Once all that is missing is asked for, a peer that would be done sooner takes over what the slowest would send last:
    /// else the quick had nothing left to do, while the end waits in long queues. The limit counted the block when the slow
    /// one was asked for it; one that was on its way already comes twice, and only then the limit is passed, by that block.
    pub(super) fn take_over_for(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        while let Some((slow, block)) = self.to_take_over(link, turn.now) {
            let Some(picker) = &mut self.picker else { return };
            picker.hand_over(slow, link, block);
            self.sessions.get_mut(&slow).into_iter().for_each(|session| session.pipe.give_up(block));
            self.say(slow, cancel(block), turn);
            self.sessions.get_mut(&link).into_iter().for_each(|session| session.pipe.ask(turn.now, block));
            self.say(link, request(block), turn);
        }
    }

    /// What this peer may take over, and from whom: the end of one of the longest queues.
    fn to_take_over(&self, link: LinkId, now: Moment) -> Option<(LinkId, Block)> {
        let picker = self.picker.as_ref().filter(|picker| picker.all_is_asked())?;
        let quick = self.sessions.get(&link).filter(|quick| quick.we_want && !quick.pipe.is_snubbed)?;
        quick.appetite(now)?;
        let others = self.givers.iter().filter(|other| **other != link);
        let queue = |other: &LinkId| Some((self.sessions.get(other)?.pipe.queue(now), *other));
        let mut queues: Vec<(Duration, LinkId)> =
            others.filter_map(queue).filter(|(queue, _)| quick.pipe.is_quicker(0, *queue, now)).collect();
        queues.sort_unstable_by(|one, other| other.cmp(one));
        queues.into_iter().take(QUEUES_TRIED).find_map(|(queue, slow)| {
            let block = self.sessions.get(&slow)?.pipe.asked_last()?;
            let may_be_asked = quick.stock.known()?.contains(block.piece)
                && !quick.pipe.is_asked(block)
                && picker.is_asked_of(slow, block)
                && quick.pipe.is_quicker(block.length, queue, now);
            may_be_asked.then_some((slow, block))
        })
    }

    /// Whether somebody would be asked now if the limit allowed it.
    pub(super) fn waits_to_ask(&self) -> bool {
        self.picker.as_ref().is_some_and(|picker| !picker.is_complete())
            && self.givers.iter().any(|link| self.sessions.get(link).is_some_and(|session| session.we_want))
    }

    /// At the very end, a quick peer takes over what the slow owe, and an idle one is asked for it too.
    pub(super) fn play_endgame(&mut self, turn: &mut Turn<'_>) {
        for link in self.givers.clone() {
            self.take_over_for(link, turn);
            let (Some(session), Some(picker)) = (self.sessions.get_mut(&link), &mut self.picker) else {
                return;
            };
            let is_idle =
                session.we_want && session.pipe.awaited().is_empty() && session.appetite(turn.now).is_some();
            let Some(stock) = session.stock.known().filter(|_| is_idle) else { continue };
            let Some(block) = picker.endgame(link, stock) else { continue };
            if session.pipe.is_asked(block) {
                picker.release(link, block);
                continue;
            }
            session.pipe.ask(turn.now, block);
            rate::spend(&mut turn.purse.down, block.length);
            self.say(link, request(block), turn);
        }
    }

    /// A peer that owes us everything for too long: its blocks go elsewhere, and it is asked for one at a time.
    pub(super) fn snub_if_overdue(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.get_mut(&link) else { return };
        if session.pipe.is_overdue(turn.now) {
            session.pipe.is_snubbed = true;
            self.call_off(link, turn);
        }
    }

    /// Bytes arrived: taken if they are waited for, dropped otherwise.
    pub(super) fn block_came(
        &mut self,
        link: LinkId,
        (piece, start, length): (u64, u64, u64),
        digests: &[Digest],
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let Some(session) = self.sessions.get_mut(&link) else { return Ok(()) };
        let (Some(metainfo), Some(picker)) = (&self.metainfo, &mut self.picker) else {
            return session.unasked();
        };
        let block = metainfo.geometry().block(piece, start, length)?;
        self.totals.received.add(turn.now, length);
        if !session.pipe.is_asked(block) {
            self.totals.wasted_bytes += length;
            return session.unasked();
        }
        session.gives(turn.now, block);
        let receipt = match session.pipe.answered(block) {
            Answer::Awaited => picker.receive(giver(link, session), block, digests),
            Answer::Late | Answer::Unasked => Receipt::Wasted,
        };
        match receipt {
            Receipt::Wasted => {
                self.totals.wasted_bytes += length;
                picker.release(link, block);
            }
            Receipt::Taken(others) => self.take(link, block, &others, turn),
        }
        self.ask(link, turn);
        self.take_over_for(link, turn);
        Ok(())
    }

    /// A payload came that was never asked for on this link; the shell threw it away.
    pub(super) fn unasked_came(
        &mut self,
        link: LinkId,
        message: &Message,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let Some(session) = self.sessions.get_mut(&link) else { return Ok(()) };
        if let (Message::Block { piece, start, length }, Some(metainfo)) = (message, &self.metainfo) {
            metainfo.geometry().block(*piece, *start, u64::from(*length))?;
        }
        self.totals.received.add(turn.now, message.payload_bytes().into());
        self.totals.wasted_bytes += u64::from(message.payload_bytes());
        session.unasked()
    }

    fn take(&mut self, link: LinkId, block: Block, others: &[LinkId], turn: &mut Turn<'_>) {
        let was_seed = self.sessions.get(&link).is_some_and(|session| giver(link, session).was_seed);
        let total =
            if was_seed { &mut self.totals.from_seed_bytes } else { &mut self.totals.from_peer_bytes };
        *total += u64::from(block.length);
        turn.out.push(Action::Write { share: self.share, block });
        for other in others {
            if let Some(session) = self.sessions.get_mut(other) {
                session.pipe.give_up(block);
                self.say(*other, cancel(block), turn);
                self.ask(*other, turn);
            }
        }
    }

    /// A peer will not send what it was asked for.
    pub(super) fn refused(
        &mut self,
        link: LinkId,
        (piece, start, length): (u64, u64, u64),
        reason: NackReason,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let Some(session) = self.sessions.get_mut(&link) else { return Ok(()) };
        let (Some(metainfo), Some(picker)) = (&self.metainfo, &mut self.picker) else {
            return session.unasked();
        };
        let block = metainfo.geometry().block(piece, start, length)?;
        let mut is_news = false;
        match session.pipe.answered(block) {
            Answer::Awaited => {
                picker.release(link, block);
                is_news = true;
            }
            Answer::Late => {}
            Answer::Unasked => return session.unasked(),
        }
        match reason {
            NackReason::Absent if session.stock.remove(block.piece) => {
                picker.lost_holder(block.piece);
                if let Some(suggester) = &mut self.suggester {
                    suggester.lost_holder(block.piece);
                }
                self.find_reason(link);
                self.tell_interest(link, turn);
            }
            // Once it unchokes, or if we ceased to wait, there is nothing to wait out.
            NackReason::Choked if session.it_chokes || !is_news => {}
            NackReason::Cancelled if !is_news => {}
            _ => session.pipe.refused(turn.now),
        }
        if is_news {
            self.ask_everyone(turn);
        }
        Ok(())
    }

    /// The shell wrote a block, or could not.
    pub fn wrote(&mut self, block: Block, done: bool, turn: &mut Turn<'_>) {
        let Some(picker) = &mut self.picker else { return };
        match picker.wrote(block, done) {
            Finish::Unfinished => {}
            Finish::Reopened => self.ask_everyone(turn),
            Finish::Held => self.keep(block.piece, turn),
            Finish::Wrong => {
                self.suspect(block.piece);
                self.chase_truth(turn);
            }
        }
    }
}

pub(super) fn giver(link: LinkId, session: &Session) -> Giver {
    let remote = &session.remote;
    let was_seed = session.was_seed == Some(true);
    Giver { link, id: remote.id, ip: remote.address.ip(), port: remote.port, was_seed }
}

fn request(block: Block) -> Message {
    let (piece, start, length) = numbers(block);
    Message::Request { piece, start, length }
}

pub(super) fn cancel(block: Block) -> Message {
    let (piece, start, length) = numbers(block);
    Message::Cancel { piece, start, length }
}

/// The three numbers by which the wire names a block.
pub(super) fn numbers(block: Block) -> (u64, u64, u64) {
    (u64::from(block.piece.get()), u64::from(block.start), u64::from(block.length))
}
