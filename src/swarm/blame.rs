//! Who lied: a piece that came out wrong is held against its true leaves, and only the one who sent false ones is banned.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::content::{PieceIndex, merkle};
use crate::ids::{Digest, LinkId};
use crate::seam::{Action, Ban, News};
use crate::time::Moment;
use crate::wire::{ErrorCode, Message};

use super::download::giver;
use super::meeting::LEAVES_MAX;
use super::picker::{Giver, Lie};
use super::session::{Session, Violation};
use super::{Swarm, Turn};

/// A peer asked for the true leaves of a wrong piece is given so long.
const TRUTH_PATIENCE: Duration = Duration::from_secs(10);

/// Leaf hashes asked of one peer between two inspections. Its own inspections fall otherwise: half of what one answers.
const LEAVES_ASKED_MAX: u32 = LEAVES_MAX / 2;

/// A piece whose root was wrong, and who is asked for its true leaves.
#[derive(Clone, Debug, Default)]
pub struct Suspect {
    asked: Option<(LinkId, Moment)>,
    tried: BTreeSet<LinkId>,
}

impl Suspect {
    /// This peer is asked first.
    pub(super) fn of(link: LinkId, now: Moment) -> Suspect {
        Suspect { asked: Some((link, now)), tried: BTreeSet::from([link]) }
    }

    /// Who is asked now.
    pub(super) fn asked(&self) -> Option<LinkId> {
        self.asked.map(|(link, _)| link)
    }
}

impl Swarm {
    /// A piece's root is wrong.
    pub(super) fn suspect(&mut self, piece: PieceIndex) {
        self.suspects.insert(piece, Suspect::default());
    }

    /// Asks somebody for the true leaves of every wrong piece; where nobody can tell, the piece is fetched again.
    pub(super) fn chase_truth(&mut self, turn: &mut Turn<'_>) {
        let idle =
            |suspect: &Suspect| suspect.asked.is_none_or(|(_, at)| turn.now.since(at) >= TRUTH_PATIENCE);
        let pieces: Vec<_> = self.suspects.iter().filter(|(_, s)| idle(s)).map(|(piece, _)| *piece).collect();
        for piece in pieces {
            // What was found out about one piece may have settled another.
            if !self.suspects.contains_key(&piece) {
                continue;
            }
            match self.witness(piece) {
                Some(link) if !self.may_be_asked_for_truth(link) => {}
                Some(link) => {
                    let suspect = self.suspects.entry(piece).or_default();
                    suspect.asked = Some((link, turn.now));
                    suspect.tried.insert(link);
                    self.say(link, Message::LeavesRequest { piece: u64::from(piece.get()) }, turn);
                }
                None => self.discard(piece, turn),
            }
        }
    }

    /// Whether a witness still answers: more than so many at once it would take for a flood. The rest is asked for later.
    fn may_be_asked_for_truth(&mut self, link: LinkId) -> bool {
        let Some(session) = self.sessions.get_mut(&link) else { return false };
        session.leaves_asked += 1;
        session.leaves_asked <= LEAVES_ASKED_MAX
    }

    /// Somebody who holds the piece and was not asked yet, best one who gave no part of it.
    fn witness(&mut self, piece: PieceIndex) -> Option<LinkId> {
        let picker = self.picker.as_ref()?;
        let givers: BTreeSet<LinkId> = picker.givers(piece).into_iter().map(|giver| giver.link).collect();
        let tried = &self.suspects.get(&piece)?.tried;
        let holders = self.sessions.iter().filter(|(link, session)| {
            !tried.contains(link) && session.stock.known().is_some_and(|stock| stock.contains(piece))
        });
        holders.map(|(link, _)| *link).min_by_key(|link| (givers.contains(link), *link))
    }

    fn discard(&mut self, piece: PieceIndex, turn: &mut Turn<'_>) {
        self.suspects.remove(&piece);
        let lies = self.picker.as_mut().map_or(Vec::new(), |picker| picker.judge(piece, None));
        lies.iter().for_each(|lie| self.write_off(*lie));
        if let [lie] = lies.as_slice() {
            self.ban(lie.giver, wrong_bytes(piece), turn);
        }
        self.ask_everyone(turn);
    }

    /// What was taken for bytes of use was not.
    fn write_off(&mut self, lie: Lie) {
        let totals = &mut self.totals;
        let total =
            if lie.giver.was_seed { &mut totals.from_seed_bytes } else { &mut totals.from_peer_bytes };
        *total -= lie.bytes;
        totals.wasted_bytes += lie.bytes;
    }

    /// Leaf hashes came: if they add up to the piece's hash they are true, whoever sent them.
    pub(super) fn leaves_came(
        &mut self,
        link: LinkId,
        piece: u64,
        digests: &[Digest],
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let (Some(metainfo), Some(picker)) = (&self.metainfo, &mut self.picker) else { return Ok(()) };
        let geometry = metainfo.geometry();
        let piece = geometry.piece(piece)?;
        let Some(suspect) = self.suspects.get_mut(&piece) else { return Ok(()) };
        if suspect.asked.is_none_or(|(asked, _)| asked != link) {
            return Ok(());
        }
        suspect.asked = None;
        if digests.is_empty() {
            return Ok(self.chase_truth(turn));
        }
        let is_whole = digests.len() == geometry.leaf_count(piece);
        if !is_whole || merkle::root(digests, geometry.padded_leaf_count(piece)) != metainfo.piece_hash(piece)
        {
            self.ban_link(link, format!("its leaf hashes of piece {} are false", piece.get()), turn);
            return Ok(self.chase_truth(turn));
        }
        self.suspects.remove(&piece);
        for lie in picker.judge(piece, Some(digests)) {
            self.write_off(lie);
            self.ban(lie.giver, wrong_bytes(piece), turn);
        }
        self.ask_everyone(turn);
        Ok(())
    }

    pub(super) fn forget_suspicions_of(&mut self, link: LinkId) {
        for suspect in self.suspects.values_mut() {
            suspect.asked = suspect.asked.filter(|(asked, _)| *asked != link);
        }
    }

    /// Refuses a proven liar from now on, on every link it has.
    pub(super) fn ban(&mut self, liar: Giver, reason: String, turn: &mut Turn<'_>) {
        if !self.book.ban(liar.id, liar.ip, liar.port) {
            return;
        }
        let address = SocketAddr::new(liar.ip, liar.port);
        turn.out.push(Action::Tell(News::Banned { share: self.share, id: liar.id, address, reason }));
        let ban = Ban { id: liar.id, ip: liar.ip, port: liar.port };
        match self.picker {
            Some(_) => turn.out.push(Action::Remember { share: self.share, ban }),
            None => self.bans_to_keep.push(ban),
        }
        self.turn_out(ban, turn);
    }

    /// The download has a place on disk now: earlier bans hold again, and those since the start are kept with it.
    pub(super) fn recall_bans(&mut self, earlier: &[Ban], turn: &mut Turn<'_>) {
        let new = std::mem::take(&mut self.bans_to_keep);
        turn.out.extend(new.into_iter().map(|ban| Action::Remember { share: self.share, ban }));
        for ban in earlier {
            self.book.ban(ban.id, ban.ip, ban.port);
            self.turn_out(*ban, turn);
        }
    }

    /// Closes every link to a banned peer.
    fn turn_out(&mut self, ban: Ban, turn: &mut Turn<'_>) {
        let is_liar =
            |session: &Session| session.remote.id == ban.id && session.remote.address.ip() == ban.ip;
        let links: Vec<_> = self.sessions.iter().filter(|(_, s)| is_liar(s)).map(|(link, _)| *link).collect();
        let farewell = Message::Error {
            code: ErrorCode::Banned,
            text: "what you sent is not what was shared".to_owned(),
        };
        links.into_iter().for_each(|link| self.close(link, Some(farewell.clone()), turn));
    }

    pub(super) fn ban_link(&mut self, link: LinkId, reason: String, turn: &mut Turn<'_>) {
        if let Some(liar) = self.sessions.get(&link).map(|session| giver(link, session)) {
            self.ban(liar, reason, turn);
        }
    }
}

fn wrong_bytes(piece: PieceIndex) -> String {
    format!("it sent wrong bytes for piece {}", piece.get())
}
