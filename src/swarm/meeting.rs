//! How links come and go: who is let in, one link for each pair, whom to dial, and telling peers of peers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crate::content::{PieceIndex, PieceSet};
use crate::ids::{Digest, Endpoint, LinkId, PeerId};
use crate::scope::Scope;
use crate::seam::{Action, Ban, News};
use crate::time::Moment;
use crate::wire::{ErrorCode, Goal, Message, PeerAddress};

use super::session::{Remote, Session};
use super::{LINKS_MAX, Part, Swarm, Turn};

/// Whoever hears of a newcomer waits this long for it to dial (`wire.md`).
pub const NEWS_WAIT: Duration = Duration::from_secs(3);
/// A link without a byte for so long loses to a new one from the same address (`wire.md`).
const STALE: Duration = Duration::from_secs(5);
/// Peers told of in one message (`wire.md`).
const GOSSIP_MAX: usize = 50;
/// Places that one peer may tell us of between two rounds of gossip; what it says beyond is passed over.
const TOLD_MAX: usize = 1_000;
/// Links that we see to at once. Everyone comes to about twice as many where all do so, as is common in the field.
const LINKS_SOON: usize = 40;
/// How many more of those we heard of are dialled each second...
const LINKS_PER_SECOND: u64 = 2;
/// ...until there are so many; what is left of [`LINKS_MAX`] is for those who dial us. The wire has the newcomer dial everyone.
/// But each link costs news, and a swarm in which everyone had as many links as may be would have no place for a newcomer:
/// simulated with 200 peers at 50 Mbit/s, a team of which each dials all ends later by a tenth.
const LINKS_WANTED: usize = 100;
/// Of [`LINKS_MAX`] so many are for those whom we dial: the tracker, and who gave us something before a crowd came.
const LINKS_KEPT: usize = 2;
/// Peers that a new link is told of at once: enough to go on from, where each of them tells of as many.
const WELCOME_MAX: usize = 10;
/// LEAVES requests answered between two inspections; each costs a read of a whole piece.
pub const LEAVES_MAX: u32 = 16;

/// Why a link is not taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It leads to ourselves.
    Ourselves,
    /// Its peer lied before.
    Banned,
    /// A better link to the same peer stands.
    Duplicate,
}

impl Refusal {
    /// What the other side is told.
    pub fn farewell(self) -> Message {
        let (code, text) = match self {
            Refusal::Ourselves => (ErrorCode::Duplicate, "this is a link to ourselves"),
            Refusal::Banned => (ErrorCode::Banned, "refused for what was sent before"),
            Refusal::Duplicate => (ErrorCode::Duplicate, "another link between us stands"),
        };
        Message::Error { code, text: text.to_owned() }
    }
}

impl Swarm {
    /// Whether a peer that just said who it is may be linked. Closes the link that it replaces, if any.
    pub fn admit(&mut self, remote: &Remote, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        remote.dialled.iter().for_each(|endpoint| self.book.dialled(endpoint));
        if remote.id == self.own_id {
            // Who copied our id may say any port.
            let ours = listening_at(remote).filter(|_| remote.port == self.own_port);
            let endpoints = remote.dialled.iter().cloned().chain(ours);
            endpoints.for_each(|endpoint| self.book.is_ourselves(endpoint));
            return Err(Refusal::Ourselves);
        }
        if self.book.is_banned(remote.address.ip(), remote.port, Some(remote.id)) {
            return Err(Refusal::Banned);
        }
        let Some((older, session)) =
            self.sessions.iter().find(|(_, session)| is_same(&session.remote, remote))
        else {
            return Ok(());
        };
        let older = *older;
        if !self.yields(session, remote, turn.now) {
            if let Some(endpoint) = &remote.dialled {
                self.book.is_also(endpoint, remote.id, turn.now, &mut self.chance);
            }
            return Err(Refusal::Duplicate);
        }
        self.close(older, Some(Refusal::Duplicate.farewell()), turn);
        Ok(())
    }

    /// Whether the link we have gives way to a new one: it fell silent and the new one comes from its address, or the new one was dialled by the smaller id.
    fn yields(&self, ours: &Session, new: &Remote, now: Moment) -> bool {
        let we_are_smaller = self.own_id < new.id;
        let dialled_by_smaller = |dialled: bool| dialled == we_are_smaller;
        let (old_is, new_is) = (ours.remote.dialled.is_some(), new.dialled.is_some());
        let is_stale = now.since(ours.heard) >= STALE && ours.remote.address.ip() == new.address.ip();
        is_stale || (!dialled_by_smaller(old_is) && dialled_by_smaller(new_is))
    }

    /// Links a peer that was admitted and told who we are.
    pub fn link(
        &mut self,
        link: LinkId,
        remote: Remote,
        is_guest: bool,
        goal: Option<Goal>,
        turn: &mut Turn<'_>,
    ) {
        if let Some(endpoint) = listening_at(&remote) {
            self.book.learn(SocketAddr::new(remote.address.ip(), remote.port), Some(remote.id), turn.now);
            self.book.says_to_listen(&endpoint, remote.id);
        }
        remote.dialled.iter().for_each(|endpoint| self.book.linked(endpoint, remote.id));
        if remote.is_tracker && goal.is_some() {
            self.goal = goal;
        }
        // A tracker may know nobody who has anything: it counts once it says to have something itself.
        self.totals.reached |= !remote.is_tracker;
        if self.own_port == 0 && remote.port == 0 {
            let text = format!(
                "neither this side nor {} accepts connections: such two never find each other again",
                remote.address
            );
            turn.out.push(Action::Tell(News::Trouble { share: Some(self.share), text }));
        }
        turn.out.push(self.news(&remote, "connected"));
        let mut session = Session::new(remote, is_guest, turn.now);
        if let Some(metainfo) = self.metainfo.as_ref().filter(|_| self.picker.is_some()) {
            session.stock.settle(metainfo.geometry()).expect("nothing was claimed yet");
        }
        self.crowd.came(session.remote.address.ip());
        self.linked.insert((session.remote.id, link));
        self.sessions.insert(link, session);
        self.guest_count += usize::from(is_guest);
        self.announcer.is_told(link);
        self.gossip_to(link, WELCOME_MAX, turn);
        self.fetch_metainfo(turn);
    }

    /// Whether there is no place for this peer among those that exchange blocks: all are taken, or its address has its
    /// part. Whom we dialled ourselves is not counted by address.
    pub fn is_full_for(&self, remote: &Remote) -> bool {
        self.has_its_part(remote) || self.link_count() >= self.places_for(remote)
    }

    fn has_its_part(&self, remote: &Remote) -> bool {
        remote.dialled.is_none() && self.crowd.is_full(remote.address.ip(), LINKS_MAX)
    }

    fn places_for(&self, remote: &Remote) -> usize {
        let dials = self.part != Part::Keeps && !self.has_register;
        if dials && remote.dialled.is_none() { LINKS_MAX - LINKS_KEPT } else { LINKS_MAX }
    }

    /// Where all places are taken: the link of no use that would make room for this peer, if any. Of those that we dialled none
    /// does, and of the others the oldest. Who has no use for anybody, or does not know yet, lets nobody go.
    pub fn gives_way(&self, remote: &Remote, now: Moment) -> Option<LinkId> {
        let is_one_enough = !self.has_its_part(remote) && self.link_count() <= self.places_for(remote);
        if !is_one_enough || self.picker.is_none() || self.part == Part::Keeps {
            return None;
        }
        let those = self.sessions.iter().filter(|(_, session)| {
            !session.is_guest && session.remote.dialled.is_none() && session.is_of_no_use(now)
        });
        those.min_by_key(|(_, session)| session.since).map(|(&link, _)| link)
    }

    /// A link goes for one to another peer.
    pub fn replace(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        let text = "another takes the place, of which no use was made".to_owned();
        self.close(link, Some(Message::Error { code: ErrorCode::Full, text }), turn);
    }

    /// A link loses its place among those that exchange blocks, and registers only.
    pub fn make_guest(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.get_mut(&link) else { return };
        self.guest_count += usize::from(!std::mem::replace(&mut session.is_guest, true));
        self.review_for(link, false, turn);
    }

    /// Whether its address has its part of so many places for those that only register.
    pub fn is_crowd_of_guests(&self, remote: &Remote, places: usize) -> bool {
        self.crowd.is_full(remote.address.ip(), places)
    }

    /// What a new link is told first of what we hold.
    pub fn first_stock(&self) -> Vec<Message> {
        crate::wire::stock_messages(&self.picker.as_ref().map_or(Vec::new(), |picker| picker.held().runs()))
    }

    /// How much we hold: whether the first word on it still stands.
    pub fn held_count(&self) -> u32 {
        self.picker.as_ref().map_or(0, |picker| picker.held().count())
    }

    /// The link is gone: everything it had part in goes on without it.
    pub fn unlinked(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        let Some(mut session) = self.sessions.remove(&link) else { return };
        self.linked.remove(&(session.remote.id, link));
        let ip = session.remote.address.ip();
        self.crowd.went(ip);
        self.crowd.gave(ip, session.up.total_bytes(), session.pipe.down.total_bytes(), turn.now);
        if let Some(picker) = &mut self.picker {
            session
                .stock
                .known()
                .iter()
                .flat_map(|stock| stock.iter())
                .for_each(|piece| picker.lost_holder(piece));
            session.pipe.awaited().into_iter().for_each(|block| picker.release(link, block));
        }
        if let Some(suggester) = &mut self.suggester {
            session
                .stock
                .known()
                .iter()
                .flat_map(|stock| stock.iter())
                .for_each(|piece| suggester.lost_holder(piece));
            suggester.left(&mut session.promises);
        }
        self.guest_count -= usize::from(session.is_guest);
        self.owing.remove(&link);
        self.givers.remove(&link);
        session.reason.map(|piece| self.reasons.remove(&(piece, link)));
        self.announcer.left(link);
        self.forget_suspicions_of(link);
        self.fetch.is_left_by(link);
        let endpoints = session.remote.dialled.iter().cloned().chain(listening_at(&session.remote));
        let gave = session.pipe.down.total_bytes() > 0;
        for endpoint in endpoints.collect::<BTreeSet<_>>() {
            if gave {
                self.book.gave(&endpoint);
            }
            self.book.unlinked(&endpoint, session.remote.id, turn.now, &mut self.chance);
            self.leave_place(&endpoint);
        }
        turn.out.push(self.news(&session.remote, "gone"));
        self.fetch_metainfo(turn);
        self.review_for(link, false, turn);
        self.ask_everyone(turn);
    }

    /// A place where the one who is gone accepted connections is now another's that says the same, if any: of one that came back
    /// as somebody new before its old link was found dead.
    fn leave_place(&mut self, endpoint: &Endpoint) {
        let is_there = |session: &&Session| listening_at(&session.remote).as_ref() == Some(endpoint);
        if let Some(heir) = self.sessions.values().find(is_there) {
            self.book.says_to_listen(endpoint, heir.remote.id);
        }
    }

    /// Ends a link of our own accord.
    pub(super) fn close(&mut self, link: LinkId, farewell: Option<Message>, turn: &mut Turn<'_>) {
        turn.out.push(Action::Close { link, farewell });
        self.unlinked(link, turn);
    }

    /// The peer is not dialled for a while that grows.
    pub(super) fn refuse_for_a_while(&mut self, link: LinkId, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.get(&link) else { return };
        let endpoints = session.remote.dialled.iter().cloned().chain(listening_at(&session.remote));
        let is_its_own = |endpoint: &Endpoint| !self.book.is_linked_as_another(endpoint, session.remote.id);
        for endpoint in endpoints.filter(is_its_own).collect::<BTreeSet<_>>() {
            self.book.failed(&endpoint, turn.now, &mut self.chance);
        }
    }

    /// A dial came to nothing, or the other side refused before it was linked.
    pub fn dial_failed(&mut self, endpoint: &Endpoint, turn: &mut Turn<'_>) {
        self.book.dialled(endpoint);
        self.book.failed(endpoint, turn.now, &mut self.chance);
    }

    /// Who was dialled said why it does not let us in. Where the person named it, nobody else was reached, and it is the first
    /// to say what only a person can mend, the person is told.
    pub fn dial_refused(&mut self, endpoint: &Endpoint, code: ErrorCode, turn: &mut Turn<'_>) {
        self.dial_failed(endpoint, turn);
        let why = match code {
            ErrorCode::NoSuchShare => {
                "does not have this share: see that the link is whole, and that it is the one told of last"
            }
            ErrorCode::Version => "speaks another version: use the same one on both sides",
            ErrorCode::Banned => {
                "has banned this side: it says that wrong bytes came from here; see that this machine's memory and disk are sound"
            }
            _ => return,
        };
        let is_telling = self.book.is_pinned(endpoint) && !self.totals.reached;
        if is_telling && !std::mem::replace(&mut self.totals.is_refusal_told, true) {
            let text = format!("{endpoint} answers, and {why}");
            turn.out.push(Action::Tell(News::Trouble { share: Some(self.share), text }));
        }
    }

    /// Dials whom it is time to dial, as far as there is room for links.
    pub(super) fn dial(&mut self, turn: &mut Turn<'_>) {
        if self.part == Part::Keeps {
            return;
        }
        let later = turn.now.since(self.began).as_secs() * LINKS_PER_SECOND;
        let wanted = LINKS_SOON.saturating_add(usize::try_from(later).unwrap_or(LINKS_WANTED));
        let wanted = wanted.min(LINKS_WANTED);
        let room = wanted.saturating_sub(self.link_count());
        let linked = &self.linked;
        for endpoint in self.book.due(turn.now, room, |id| is_among(linked, id), &mut self.chance) {
            turn.out.push(Action::Dial { share: self.share, endpoint });
        }
    }

    /// Somebody told us of these. Only who is on this machine may tell of it, and of a private network only who is on one, or
    /// whom the person named.
    pub(super) fn heard_of(
        &mut self,
        link: LinkId,
        peers: &[PeerAddress],
        wait: Duration,
        turn: &mut Turn<'_>,
    ) {
        let has_few = self.link_count() < LINKS_SOON;
        let Some(teller) = self.sessions.get_mut(&link) else { return };
        teller.places_told += peers.len();
        if teller.places_told > TOLD_MAX || (!has_few && self.book.is_full()) {
            return;
        }
        let is_named = teller.remote.dialled.as_ref().is_some_and(|endpoint| self.book.is_pinned(endpoint));
        let scope = Scope::of(teller.remote.address.ip());
        let nearest = if is_named { scope.min(Scope::Private) } else { scope };
        let is_new = |peer: &&PeerAddress| {
            peer.id != self.own_id && !is_among(&self.linked, peer.id) && Scope::of(peer.ip) >= nearest
        };
        let not_before = turn.now.after(wait);
        let mut is_news = false;
        for peer in peers.iter().filter(is_new) {
            is_news |= self.book.hear_of(SocketAddr::new(peer.ip, peer.port), peer.id, not_before);
        }
        // Whoever is to be tried later, or while many are linked, is dialled at the inspection that follows.
        if is_news && wait.is_zero() && has_few {
            self.dial(turn);
        }
    }

    /// Closes the dead, says something to those who heard nothing for long, gives up on what is overdue.
    pub(super) fn look_over_links(&mut self, turn: &mut Turn<'_>) {
        for link in self.links() {
            let Some(session) = self.sessions.get_mut(&link) else { continue };
            session.leaves_served = 0;
            session.leaves_asked = 0;
            if session.is_dead(turn.now) {
                self.close(link, None, turn);
            } else if session.needs_heartbeat(turn.now) {
                self.say(link, Message::Heartbeat, turn);
            }
            self.snub_if_overdue(link, turn);
            self.suggest_others_if_stuck(link, turn);
        }
    }

    pub(super) fn tell_everyone_of_everyone(&mut self, turn: &mut Turn<'_>) {
        self.sessions.values_mut().for_each(|session| session.places_told = 0);
        self.links().into_iter().for_each(|link| self.gossip_to(link, GOSSIP_MAX, turn));
    }

    /// Peer exchange: a random choice of those we are linked with, whose addresses mean something to this one.
    fn gossip_to(&mut self, link: LinkId, most: usize, turn: &mut Turn<'_>) {
        let takes_part = |session: &&Session| !session.is_guest && !self.has_register;
        let Some(listener) = self.sessions.get(&link).filter(takes_part) else { return };
        let viewer = Scope::of(listener.remote.address.ip());
        let others = self.sessions.values().filter(|session| session.remote.id != listener.remote.id);
        let known = others
            .map(|session| &session.remote)
            .filter(|remote| remote.port != 0 && Scope::of(remote.address.ip()).is_known_to(viewer));
        let mut peers: Vec<PeerAddress> =
            known.map(|r| PeerAddress { id: r.id, ip: r.address.ip(), port: r.port }).collect();
        self.chance.shuffle(&mut peers);
        peers.truncate(most);
        if !peers.is_empty() {
            self.say(link, Message::PeerList(peers), turn);
        }
    }

    /// The shell has looked: from now on blocks are exchanged.
    pub fn prepared(
        &mut self,
        held: PieceSet,
        wanted: PieceSet,
        doubtful: BTreeMap<PieceIndex, Vec<Digest>>,
        banned: &[Ban],
        turn: &mut Turn<'_>,
    ) {
        let Some(metainfo) = self.metainfo.clone() else { return };
        let mut picker = super::Picker::new(metainfo, held, wanted, &mut self.chance);
        doubtful.into_iter().for_each(|(piece, leaves)| picker.doubt(piece, leaves));
        for session in self.sessions.values() {
            session
                .stock
                .known()
                .iter()
                .flat_map(|stock| stock.iter())
                .for_each(|piece| picker.gained(piece));
        }
        self.picker = Some(picker);
        self.settle_claims(turn);
        for link in self.links() {
            self.find_reason(link);
            for message in self.first_stock() {
                self.say(link, message, turn);
            }
            self.note_fullness(link, turn);
            self.tell_interest(link, turn);
        }
        self.note_completion(turn);
        self.recall_bans(banned, turn);
        self.take_up_doubts(turn);
        self.ask_everyone(turn);
    }

    pub(super) fn news(&self, remote: &Remote, state: &'static str) -> Action {
        Action::Tell(News::Peer { share: self.share, id: remote.id, address: remote.address, state })
    }
}

/// Whether there is a link to somebody who says it is `id`.
fn is_among(linked: &BTreeSet<(PeerId, LinkId)>, id: PeerId) -> bool {
    linked.range((id, LinkId(0))..=(id, LinkId(u64::MAX))).next().is_some()
}

/// Where a peer can be dialled, as seen from here.
fn listening_at(remote: &Remote) -> Option<Endpoint> {
    (remote.port != 0).then(|| Endpoint::at(remote.address.ip(), remote.port))
}

/// Whether two links lead to the same process. An id alone is not proved and may be copied, so that the address must agree
/// too, except where we dialled both, or where one machine is seen under several addresses of its own or its site.
fn is_same(one: &Remote, other: &Remote) -> bool {
    let is_near = |remote: &Remote| Scope::of(remote.address.ip()) != Scope::Global;
    let same_place = one.address.ip() == other.address.ip() || (is_near(one) && is_near(other));
    one.id == other.id && (same_place || (one.dialled.is_some() && other.dialled.is_some()))
}
