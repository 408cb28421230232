//! The first words on a link: who dialled speaks first, and both say who they are within ten seconds.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::ids::{Endpoint, LinkId, ShareId};
use crate::scope::{Scope, host};
use crate::seam::Action;
use crate::swarm::{Refusal, Remote, Turn};
use crate::time::Moment;
use crate::wire::{ErrorCode, Goal, Message, Role};

use super::{GUESTS_MAX, Node, Place, SHARES_MAX, STRANGERS_MAX, STRANGERS_PER_HOST_MAX, ShareConfig, Start};

/// A handshake takes no longer (`wire.md`).
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// A link whose other side has not said who it is.
#[derive(Debug)]
pub struct Stranger {
    /// Which link.
    pub link: LinkId,
    remote: SocketAddr,
    dialled: Option<(ShareId, Endpoint)>,
    since: Moment,
    /// What we said to hold when we dialled.
    told_count: u32,
}

impl Stranger {
    /// A link that just came to stand.
    pub fn new(
        now: Moment,
        link: LinkId,
        remote: SocketAddr,
        dialled: Option<(ShareId, Endpoint)>,
    ) -> Stranger {
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        Stranger { link, remote, dialled, since: now, told_count: 0 }
    }

    /// When its handshake must have ended.
    pub fn deadline(&self) -> Moment {
        self.since.after(HANDSHAKE_MAX)
    }
}

/// What a REGISTRO said.
struct Introduction {
    share: ShareId,
    remote: Remote,
    goal: Option<Goal>,
}

impl Node {
    /// A link stands: where we dialled, we speak first.
    pub(super) fn connected(&mut self, _now: Moment, mut stranger: Stranger, out: &mut Vec<Action>) {
        let link = stranger.link;
        let is_crowd =
            self.handshakes.len() >= STRANGERS_MAX || self.is_crowd_of_strangers(stranger.remote.ip());
        if stranger.dialled.is_none() && is_crowd {
            out.push(Action::Close {
                link,
                farewell: Some(error(ErrorCode::Busy, "too many links at once; try again later")),
            });
            return;
        }
        if let Some((share, _)) = &stranger.dialled {
            let Some(hall) = self.halls.get(share) else { return };
            stranger.told_count = hall.swarm.held_count();
            out.push(Action::Send { link, message: self.register_message(*share) });
            out.extend(hall.swarm.first_stock().into_iter().map(|message| Action::Send { link, message }));
        }
        self.handshakes.set(link, stranger.deadline());
        self.places.insert(link, Place::Stranger(stranger));
    }

    /// Whether enough links from one public address have not said who they are.
    fn is_crowd_of_strangers(&self, ip: IpAddr) -> bool {
        let is_from_there = |link: &LinkId| match self.places.get(link) {
            Some(Place::Stranger(other)) => host(other.remote.ip()) == host(ip),
            _ => false,
        };
        Scope::of(ip) == Scope::Global
            && self.handshakes.everyone().filter(is_from_there).count() >= STRANGERS_PER_HOST_MAX
    }

    /// A stranger's first message: it must be its REGISTRO.
    pub(super) fn greeted(&mut self, now: Moment, link: LinkId, message: Message, out: &mut Vec<Action>) {
        let Some(Place::Stranger(stranger)) = self.places.get(&link) else { return };
        let dialled = stranger.dialled.clone();
        let Message::Register { id, share, port, agent, role, goal } = message else {
            let Message::Error { code, .. } = message else {
                return self.turn_away(now, link, ErrorCode::Protocol, "REGISTRO must come first", out);
            };
            return self.rebuffed(now, link, code, out);
        };
        if dialled.as_ref().is_some_and(|(wanted, _)| *wanted != share) {
            return self.turn_away(now, link, ErrorCode::Protocol, "that is another share", out);
        }
        let is_tracker = role == Role::Tracker;
        let endpoint = dialled.map(|(_, endpoint)| endpoint);
        let remote = Remote { id, address: stranger.remote, port, agent, is_tracker, dialled: endpoint };
        self.introduced(now, link, Introduction { share, remote, goal }, out);
    }

    fn introduced(&mut self, now: Moment, link: LinkId, introduction: Introduction, out: &mut Vec<Action>) {
        let Introduction { share, remote, goal } = introduction;
        if !self.halls.contains_key(&share) && !self.take_up(now, share, out) {
            return self.turn_away(now, link, ErrorCode::NoSuchShare, "this share is not here", out);
        }
        let Some(hall) = self.halls.get_mut(&share) else { return };
        if let Err(refusal) = hall.swarm.admit(&remote, &mut Turn { now, out, purse: &mut self.purse }) {
            self.refuse(now, link, &remote, share, refusal, out);
            return self.left(share);
        }
        if hall.swarm.is_full_for(&remote)
            && let Some(idle) = hall.swarm.gives_way(&remote, now)
        {
            self.displace(now, share, idle, out);
        }
        let Some(hall) = self.halls.get_mut(&share) else { return };
        let is_full = hall.swarm.is_full_for(&remote);
        let is_guest = is_full
            && hall.register.is_some()
            && remote.dialled.is_none()
            && self.guest_count < GUESTS_MAX
            && !hall.swarm.is_crowd_of_guests(&remote, GUESTS_MAX);
        if is_full && !is_guest {
            self.turn_away(now, link, ErrorCode::Full, "no room for more links", out);
            return self.left(share);
        }
        self.guest_count += usize::from(is_guest);
        self.welcome(now, link, Introduction { share, remote, goal }, is_guest, out);
    }

    /// A link of no use makes room for another: where there is a register it stays, and is in that and no more, as long as there
    /// is room for such; else it is closed.
    fn displace(&mut self, now: Moment, share: ShareId, link: LinkId, out: &mut Vec<Action>) {
        let Some(hall) = self.halls.get_mut(&share) else { return };
        let mut turn = Turn { now, out, purse: &mut self.purse };
        if hall.register.is_none() {
            return hall.swarm.replace(link, &mut turn);
        }
        if let Some(Place::Member { is_guest, .. }) = self.places.get_mut(&link)
            && self.guest_count < GUESTS_MAX
        {
            self.guest_count += usize::from(!std::mem::replace(is_guest, true));
            hall.swarm.make_guest(link, &mut turn);
        }
    }

    /// Says who we are, whom to meet and what we hold, in this order, and links the stranger.
    fn welcome(
        &mut self,
        now: Moment,
        link: LinkId,
        introduction: Introduction,
        is_guest: bool,
        out: &mut Vec<Action>,
    ) {
        let Introduction { share, remote, goal } = introduction;
        self.handshakes.remove(link);
        let told_count = match self.places.insert(link, Place::Member { share, is_guest }) {
            Some(Place::Stranger(stranger)) if stranger.dialled.is_some() => Some(stranger.told_count),
            _ => None,
        };
        if told_count.is_none() {
            out.push(Action::Send { link, message: self.register_message(share) });
        }
        let Some(hall) = self.halls.get_mut(&share) else { return };
        if let Some(register) = &mut hall.register {
            let welcome = register.join(now, link, remote.id, remote.address.ip(), remote.port);
            out.push(Action::Send { link, message: Message::PeerList(welcome.list) });
            let news = welcome.news.into_iter();
            out.extend(news.map(|(link, peer)| Action::Send { link, message: Message::NewPeer(peer) }));
        }
        if told_count != Some(hall.swarm.held_count()) {
            let stock = if is_guest { crate::wire::stock_messages(&[]) } else { hall.swarm.first_stock() };
            out.extend(stock.into_iter().map(|message| Action::Send { link, message }));
        }
        hall.swarm.link(link, remote, is_guest, goal, &mut Turn { now, out, purse: &mut self.purse });
        self.left(share);
    }

    /// An open tracker takes any share that is asked for.
    fn take_up(&mut self, now: Moment, share: ShareId, out: &mut Vec<Action>) -> bool {
        let takes = self.config.open && self.config.role == Role::Tracker && self.halls.len() < SHARES_MAX;
        if takes {
            let start = Start::Register(None);
            self.add(now, ShareConfig { share, start, endpoints: Vec::new(), goal: None }, out);
        }
        takes
    }

    fn refuse(
        &mut self,
        now: Moment,
        link: LinkId,
        remote: &Remote,
        share: ShareId,
        refusal: Refusal,
        out: &mut Vec<Action>,
    ) {
        out.push(Action::Close { link, farewell: Some(refusal.farewell()) });
        self.forget(link);
        if let (Some(endpoint), Refusal::Banned) = (&remote.dialled, refusal) {
            self.visit(share, now, out, |swarm, turn| swarm.dial_failed(endpoint, turn));
        }
    }

    /// Tells a stranger why it is not let in, and closes.
    pub(super) fn turn_away(
        &mut self,
        now: Moment,
        link: LinkId,
        code: ErrorCode,
        text: &str,
        out: &mut Vec<Action>,
    ) {
        out.push(Action::Close { link, farewell: Some(error(code, text)) });
        self.forget_dial(now, link, out);
    }

    /// The other side does not let us in.
    fn rebuffed(&mut self, now: Moment, link: LinkId, code: ErrorCode, out: &mut Vec<Action>) {
        out.push(Action::Close { link, farewell: None });
        let Some(Place::Stranger(stranger)) = self.forget(link) else { return };
        if let Some((share, endpoint)) = &stranger.dialled {
            self.visit(*share, now, out, |swarm, turn| swarm.dial_refused(endpoint, code, turn));
        }
    }

    fn forget_dial(&mut self, now: Moment, link: LinkId, out: &mut Vec<Action>) {
        if let Some(Place::Stranger(stranger)) = self.forget(link) {
            self.lost_stranger(now, &stranger, out);
        }
    }

    /// A link ended before its handshake: as good as no answer.
    pub(super) fn lost_stranger(&mut self, now: Moment, stranger: &Stranger, out: &mut Vec<Action>) {
        if let Some((share, endpoint)) = &stranger.dialled {
            self.visit(*share, now, out, |swarm, turn| swarm.dial_failed(endpoint, turn));
        }
    }

    /// Closes links whose handshake takes too long.
    pub(super) fn dismiss_the_silent(&mut self, now: Moment, out: &mut Vec<Action>) {
        let late: Vec<LinkId> = self.handshakes.due(now).collect();
        for link in late {
            self.turn_away(now, link, ErrorCode::Protocol, "no REGISTRO within ten seconds", out);
        }
    }

    fn register_message(&self, share: ShareId) -> Message {
        Message::Register {
            id: self.config.id,
            share,
            port: self.config.port,
            agent: self.config.agent.clone(),
            role: self.config.role,
            goal: self.halls.get(&share).and_then(|hall| hall.swarm.goal()),
        }
    }
}

fn error(code: ErrorCode, text: &str) -> Message {
    Message::Error { code, text: text.to_owned() }
}
