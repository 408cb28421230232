//! One process: its shares' swarms and registers behind one `handle()` and one `deadline()`.

mod agenda;
mod greeting;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::chance::Chance;
use crate::content::{Metainfo, PieceSet};
use crate::ids::{Endpoint, LinkId, PeerId, ShareId};
use crate::seam::{Action, Event, Payload, ShareView};
use crate::swarm::{Beginning, Bucket, Part, Purse, Swarm, Turn};
use crate::time::Moment;
use crate::tracker::Register;
use crate::wire::{ErrorCode, Goal, Message, Role, WireError};

use agenda::Agenda;
use greeting::Stranger;

/// Shares of one process; an open tracker refuses more.
pub const SHARES_MAX: usize = 16_384;
/// Links that have not said who they are yet; those we dialled are bounded by the dials at once, and not refused.
pub const STRANGERS_MAX: usize = 512;
/// Of those, from one public address.
pub const STRANGERS_PER_HOST_MAX: usize = 64;
/// Links of a tracker that only register, beyond those of its swarms.
pub const GUESTS_MAX: usize = 16_384;

/// What is fixed for the life of a process.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Chosen at random by the shell.
    pub id: PeerId,
    /// What REGISTRO states: where connections are accepted, 0 = nowhere.
    pub port: u16,
    /// Program and version.
    pub agent: String,
    /// `Tracker` keeps a register for each share.
    pub role: Role,
    /// Of a tracker: take any share that is asked for.
    pub open: bool,
    /// What this machine is called from outside, for peers of its own that are seen from loopback.
    pub advertised: Vec<IpAddr>,
    /// Payload bytes a second, all shares together.
    pub limit_up: Option<u64>,
    /// Payload bytes a second, all shares together.
    pub limit_down: Option<u64>,
    /// Of the node's [`Chance`].
    pub seed: u64,
}

/// What a process has of a share when it begins.
#[derive(Clone, Debug)]
pub enum Start {
    /// Everything or a part, verified already: a seed.
    Holding {
        /// The description.
        metainfo: Arc<Metainfo>,
        /// What is there.
        held: PieceSet,
    },
    /// A description: asks the shell to prepare at once.
    Described(Arc<Metainfo>),
    /// A link: asks the swarm for the description first.
    Linked,
    /// Nothing, and wants nothing: a register that at most serves the description.
    Register(Option<Arc<Metainfo>>),
}

/// One share of a process.
#[derive(Clone, Debug)]
pub struct ShareConfig {
    /// Which.
    pub share: ShareId,
    /// What is there.
    pub start: Start,
    /// Whom to dial, for ever: the tracker, or any peer.
    pub endpoints: Vec<Endpoint>,
    /// The goal this process states; none = as the tracker says.
    pub goal: Option<Goal>,
}

/// One share: its swarm, and on a tracker its register.
#[derive(Debug)]
struct Hall {
    swarm: Swarm,
    register: Option<Register>,
}

impl Hall {
    /// When it must be looked at, whatever the limits let pass.
    fn deadline(&self) -> Moment {
        let swarm = self.swarm.deadline(&Purse::default());
        self.register.iter().map(Register::deadline).fold(swarm, Moment::min)
    }
}

/// What a link is to us.
#[derive(Debug)]
enum Place {
    /// It has not said who it is.
    Stranger(Stranger),
    /// It is in a share.
    Member { share: ShareId, is_guest: bool },
}

/// The whole core of one process. An event costs the same however many shares there are.
///
/// Invariants: every session of every swarm has its `Member` place here, and the reverse; `handshakes` has every stranger;
/// `agenda` has every hall's deadline, and `waiting` those that a limit holds up, as they were left.
#[derive(Debug)]
pub struct Node {
    config: NodeConfig,
    halls: BTreeMap<ShareId, Hall>,
    places: BTreeMap<LinkId, Place>,
    handshakes: Agenda<LinkId>,
    agenda: Agenda<ShareId>,
    waiting: BTreeSet<ShareId>,
    guest_count: usize,
    purse: Purse,
    chance: Chance,
}

impl Node {
    /// A node without shares.
    pub fn new(config: NodeConfig) -> Node {
        let purse = Purse { up: config.limit_up.map(Bucket::new), down: config.limit_down.map(Bucket::new) };
        let chance = Chance::new(config.seed);
        Node {
            config,
            halls: BTreeMap::new(),
            places: BTreeMap::new(),
            handshakes: Agenda::default(),
            agenda: Agenda::default(),
            waiting: BTreeSet::new(),
            guest_count: 0,
            purse,
            chance,
        }
    }

    /// Takes up a share. The actions are to be performed like those of an event.
    pub fn add(&mut self, now: Moment, share: ShareConfig, out: &mut Vec<Action>) {
        let (metainfo, held, part) = match share.start {
            Start::Holding { metainfo, held } => (Some(metainfo), Some(held), Part::Seeds),
            Start::Described(metainfo) => (Some(metainfo), None, Part::Downloads),
            Start::Linked => (None, None, Part::Downloads),
            Start::Register(metainfo) => (metainfo, None, Part::Keeps),
        };
        let is_tracker = self.config.role == Role::Tracker;
        let beginning = Beginning {
            share: share.share,
            own_id: self.config.id,
            own_port: self.config.port,
            metainfo,
            held,
            part,
            has_register: is_tracker,
            endpoints: share.endpoints,
            goal: share.goal,
            chance: self.chance.fork(),
        };
        let swarm = Swarm::begin(beginning, &mut Turn { now, out, purse: &mut self.purse });
        let register =
            is_tracker.then(|| Register::new(self.config.advertised.clone(), now, self.chance.fork()));
        self.halls.insert(share.share, Hall { swarm, register });
        self.left(share.share);
    }

    /// What happened, when, and where to write what should be done. `out` must be empty.
    pub fn handle(&mut self, now: Moment, event: Event, out: &mut Vec<Action>) {
        debug_assert!(out.is_empty(), "the shell performs the last actions before the next event");
        let may_go_on = self.purse.refill(now);
        match event {
            Event::Connected { link, remote, dialled } => {
                self.connected(now, Stranger::new(now, link, remote, dialled), out)
            }
            Event::DialFailed { share, endpoint } => {
                self.visit(share, now, out, |swarm, turn| swarm.dial_failed(&endpoint, turn));
            }
            Event::Received { link, message, payload } => self.received(now, link, message, payload, out),
            Event::Violated { link, error } => self.violated(now, link, &error, out),
            Event::Alive { link } => {
                self.visit_member(link, now, out, |swarm, turn| swarm.alive(link, turn.now))
            }
            Event::Closed { link } => self.closed(now, link, out),
            Event::Served { link, block, sent } => {
                self.visit_member(link, now, out, |swarm, turn| swarm.served(link, block, sent, turn));
            }
            Event::Prepared { share, held, wanted, banned, doubtful } => {
                self.visit(share, now, out, |swarm, turn| {
                    swarm.prepared(held, wanted, doubtful, &banned, turn)
                });
            }
            Event::Wrote { share, block, done } => {
                self.visit(share, now, out, |swarm, turn| swarm.wrote(block, done, turn));
            }
            Event::Lost { share, pieces } => {
                self.visit(share, now, out, |swarm, turn| swarm.lost(&pieces, turn))
            }
            Event::Spoiled { share, pieces } => {
                self.visit(share, now, out, |swarm, turn| swarm.spoiled(&pieces, turn))
            }
            Event::Halted { share } => self.visit(share, now, out, Swarm::halt),
            Event::Resumed { share } => self.visit(share, now, out, Swarm::resume),
            Event::DeadlineReached => self.inspect(now, out),
            Event::Stopping => self.stop(now, out),
        }
        if may_go_on {
            for share in self.waiting.clone() {
                self.visit(share, now, out, Swarm::go_on);
            }
        }
        self.forget_closed(now, out);
    }

    /// When to call again at the latest, with `Event::DeadlineReached`.
    pub fn deadline(&self) -> Option<Moment> {
        let waiting = self.waiting.iter().filter_map(|share| self.halls.get(share));
        let waiting = waiting.map(|hall| hall.swarm.deadline(&self.purse)).min();
        [self.agenda.first(), self.handshakes.first(), waiting].into_iter().flatten().min()
    }

    /// Every share as a person may see it.
    pub fn view(&self, now: Moment) -> Vec<ShareView> {
        self.halls.values().map(|hall| hall.swarm.view(now)).collect()
    }

    /// Asserts the invariants; for tests and simulations.
    pub fn check(&self) {
        self.halls.values().for_each(|hall| hall.swarm.check());
        let guests = self
            .places
            .values()
            .filter(|place| matches!(place, Place::Member { is_guest: true, .. }))
            .count();
        assert_eq!(guests, self.guest_count);
        let deadlines = self.halls.iter().map(|(share, hall)| (*share, hall.deadline()));
        assert_eq!(self.agenda.moments(), &deadlines.collect());
        let waiting = self.halls.iter().filter(|(_, hall)| hall.swarm.waits(&self.purse));
        assert_eq!(self.waiting, waiting.map(|(share, _)| *share).collect());
        let strangers = self.places.values().filter_map(|place| match place {
            Place::Stranger(stranger) => Some((stranger.link, stranger.deadline())),
            Place::Member { .. } => None,
        });
        assert_eq!(self.handshakes.moments(), &strangers.collect());
    }

    fn visit(
        &mut self,
        share: ShareId,
        now: Moment,
        out: &mut Vec<Action>,
        act: impl FnOnce(&mut Swarm, &mut Turn<'_>),
    ) {
        if let Some(hall) = self.halls.get_mut(&share) {
            act(&mut hall.swarm, &mut Turn { now, out, purse: &mut self.purse });
        }
        self.left(share);
    }

    /// Notes when a hall is due again. Call it after whatever may have changed the hall.
    fn left(&mut self, share: ShareId) {
        let Some(hall) = self.halls.get(&share) else { return };
        self.agenda.set(share, hall.deadline());
        if hall.swarm.waits(&self.purse) {
            self.waiting.insert(share);
        } else {
            self.waiting.remove(&share);
        }
    }

    /// A link that is nothing to us any more.
    fn forget(&mut self, link: LinkId) -> Option<Place> {
        self.handshakes.remove(link);
        self.places.remove(&link)
    }

    fn visit_member(
        &mut self,
        link: LinkId,
        now: Moment,
        out: &mut Vec<Action>,
        act: impl FnOnce(&mut Swarm, &mut Turn<'_>),
    ) {
        if let Some(Place::Member { share, .. }) = self.places.get(&link) {
            self.visit(*share, now, out, act);
        }
    }

    fn received(
        &mut self,
        now: Moment,
        link: LinkId,
        message: Message,
        payload: Payload,
        out: &mut Vec<Action>,
    ) {
        match self.places.get(&link) {
            Some(Place::Stranger(_)) => self.greeted(now, link, message, out),
            Some(Place::Member { share, .. }) => {
                let share = *share;
                if message == Message::Goodbye {
                    self.leave_register(now, link, true);
                }
                self.visit(share, now, out, |swarm, turn| swarm.received(link, message, payload, turn));
            }
            None => {}
        }
    }

    fn violated(&mut self, now: Moment, link: LinkId, error: &WireError, out: &mut Vec<Action>) {
        let code =
            if matches!(error, WireError::Version(_)) { ErrorCode::Version } else { ErrorCode::Protocol };
        match self.places.get(&link) {
            Some(Place::Stranger(_)) => self.turn_away(now, link, code, &error.to_string(), out),
            Some(Place::Member { .. }) => {
                self.visit_member(link, now, out, |swarm, turn| {
                    swarm.violated(link, &error.to_string(), turn)
                });
            }
            None => {}
        }
    }

    fn closed(&mut self, now: Moment, link: LinkId, out: &mut Vec<Action>) {
        self.leave_register(now, link, false);
        match self.forget(link) {
            Some(Place::Stranger(stranger)) => self.lost_stranger(now, &stranger, out),
            Some(Place::Member { share, is_guest }) => {
                self.guest_count -= usize::from(is_guest);
                self.visit(share, now, out, |swarm, turn| swarm.unlinked(link, turn));
            }
            None => {}
        }
    }

    /// Links that the core closed are gone for it at once; the shell's `Closed` will find nothing.
    fn forget_closed(&mut self, now: Moment, out: &[Action]) {
        for action in out {
            let Action::Close { link, .. } = action else { continue };
            self.leave_register(now, *link, false);
            if let Some(Place::Member { is_guest: true, .. }) = self.forget(*link) {
                self.guest_count -= 1;
            }
        }
    }

    fn leave_register(&mut self, now: Moment, link: LinkId, said_goodbye: bool) {
        let Some(Place::Member { share, .. }) = self.places.get(&link) else { return };
        if let Some(register) = self.halls.get_mut(share).and_then(|hall| hall.register.as_mut()) {
            register.leave(now, link, said_goodbye);
        }
    }

    fn inspect(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.dismiss_the_silent(now, out);
        let due: BTreeSet<ShareId> = self.agenda.due(now).chain(self.waiting.iter().copied()).collect();
        for share in &due {
            self.visit(*share, now, out, Swarm::inspect);
        }
        self.forget_closed(now, out);
        for share in due {
            if let Some(register) = self.halls.get_mut(&share).and_then(|hall| hall.register.as_mut()) {
                let lists = register.tick(now).into_iter();
                out.extend(lists.map(|(link, list)| Action::Send { link, message: Message::PeerList(list) }));
                let news = register.tell(now).into_iter();
                out.extend(news.map(|(link, peer)| Action::Send { link, message: Message::NewPeer(peer) }));
            }
            self.left(share);
        }
    }

    fn stop(&mut self, now: Moment, out: &mut Vec<Action>) {
        let shares: Vec<ShareId> = self.halls.keys().copied().collect();
        for share in shares {
            self.visit(share, now, out, Swarm::stop);
        }
        out.extend(self.handshakes.everyone().map(|link| Action::Close { link, farewell: None }));
    }
}

#[cfg(test)]
mod tests;
