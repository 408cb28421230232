//! What the disk does to a share: bytes that did not last are fetched again, and nothing is asked for while it takes nothing.

use crate::content::PieceIndex;
use crate::ids::LinkId;

use super::download::cancel;
use super::suggesting::Promises;
use super::{Swarm, Turn};

impl Swarm {
    /// The bytes of these pieces, which we wrote, are not what they were or never came to last.
    pub fn spoiled(&mut self, pieces: &[PieceIndex], turn: &mut Turn<'_>) {
        let Some(picker) = &mut self.picker else { return };
        pieces.iter().for_each(|piece| _ = self.suspects.remove(piece));
        let lost = pieces.iter().filter(|piece| picker.want_again(**piece)).count();
        if lost == 0 {
            return;
        }
        if !picker.is_complete() && self.suggester.take().is_some() {
            self.sessions.values_mut().for_each(|session| session.promises = Promises::default());
            self.review(turn); // who trades again serves fewer
        }
        for link in self.links() {
            self.find_reason(link);
            self.first_stock().into_iter().for_each(|message| self.say(link, message, turn));
            self.tell_interest(link, turn);
        }
        self.announcer.all_are_told();
        self.refuse_what_is_lost(turn);
        self.ask_everyone(turn);
    }

    /// The disk takes nothing more: nobody is asked until it does.
    pub fn halt(&mut self, turn: &mut Turn<'_>) {
        self.is_halted = true;
        for link in self.links() {
            self.call_off(link, turn);
            self.tell_interest(link, turn);
        }
    }

    /// The disk takes what it is given again.
    pub fn resume(&mut self, turn: &mut Turn<'_>) {
        self.is_halted = false;
        self.links().into_iter().for_each(|link| self.tell_interest(link, turn));
        self.ask_everyone(turn);
    }

    /// Takes back all that a peer was asked for.
    pub(super) fn call_off(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        let blocks = self.sessions.get(&link).map_or(Vec::new(), |session| session.pipe.awaited());
        self.give_up_all(link);
        blocks.into_iter().for_each(|block| self.say(link, cancel(block), turn));
    }
}
