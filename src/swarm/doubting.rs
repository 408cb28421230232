//! Pieces that are there and wrong: somebody who holds one is asked for its true leaves, so that only what is wrong of it is
//! fetched. What comes of the answer is told in `blame`, where nobody stands accused of what was wrong on our own disk.

use std::collections::BTreeMap;

use crate::content::PieceIndex;
use crate::ids::LinkId;
use crate::wire::Message;

use super::blame::Suspect;
use super::meeting::LEAVES_MAX;
use super::{Swarm, Turn};

/// Doubtful pieces that one peer is asked about at a time, newly so only at an inspection: then it is never asked more
/// between two of its own than it answers.
const ASKED_MAX: u32 = LEAVES_MAX / 2;

impl Swarm {
    /// Asks for the true leaves of pieces held back, as many as the peers that hold them will answer.
    pub(super) fn take_up_doubts(&mut self, turn: &mut Turn<'_>) {
        if self.picker.as_ref().and_then(|picker| picker.next_doubt(self.sessions.len())).is_none() {
            return;
        }
        let mut asked: BTreeMap<LinkId, u32> = self.sessions.keys().map(|link| (*link, 0)).collect();
        for link in self.suspects.values().filter_map(Suspect::asked) {
            *asked.entry(link).or_default() += 1;
        }
        while let Some((piece, link)) = self.next_doubt(&asked) {
            self.picker.iter_mut().for_each(|picker| picker.take_up_doubt(piece));
            self.suspects.insert(piece, Suspect::of(link, turn.now));
            *asked.entry(link).or_default() += 1;
            self.say(link, Message::LeavesRequest { piece: u64::from(piece.get()) }, turn);
        }
    }

    /// The next piece held back, and the one to ask: of those that hold it the one with the least to answer.
    fn next_doubt(&self, asked: &BTreeMap<LinkId, u32>) -> Option<(PieceIndex, LinkId)> {
        let piece = self.picker.as_ref()?.next_doubt(self.sessions.len())?;
        let stock = |link| self.sessions.get(link).and_then(|session| session.stock.known());
        let holds = |link| stock(link).is_some_and(|stock| stock.contains(piece));
        let free = asked.iter().filter(|(link, asked)| **asked < ASKED_MAX && holds(*link));
        free.min_by_key(|(link, asked)| (**asked, **link)).map(|(link, _)| (piece, *link))
    }
}
