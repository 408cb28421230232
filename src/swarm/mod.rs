//! One share's swarm: composes book, sessions, picker and choker, and routes what happened to the room that decides.

mod announcing;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod blame;
mod book;
mod choker;
mod crowd;
mod describing;
mod doubting;
mod download;
mod holdings;
mod meeting;
mod merit;
mod picker;
mod pipe;
mod rate;
mod session;
mod slumber;
mod stalling;
mod stock;
mod storing;
mod suggesting;
mod telling;
mod upload;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::chance::Chance;
use crate::content::{Metainfo, PieceIndex, PieceSet};
use crate::ids::{Endpoint, LinkId, PeerId, ShareId};
use crate::seam::{Action, Ban, News, Payload};
use crate::time::Moment;
use crate::wire::{ErrorCode, Goal, Message};

use crowd::Crowd;
pub use meeting::Refusal;
pub use rate::{Bucket, Purse};
pub use session::{Remote, Violation};

use announcing::Announcer;
use blame::Suspect;
use book::Book;
use choker::Choker;
use describing::Fetch;
use picker::Picker;
use session::Session;
use stalling::Stall;
use suggesting::Suggester;
use telling::Telling;

/// Links of a share that exchange blocks (`wire.md`).
pub const LINKS_MAX: usize = 200;
/// How often every link is looked over: silence, heartbeats, overdue blocks, dials.
const INSPECTION: Duration = Duration::from_millis(500);
/// How often peers tell each other of peers (`wire.md`: about once a minute).
const GOSSIP: Duration = Duration::from_secs(60);

/// One call into the core: when it is, where to write what should be done, and what may be spent.
#[derive(Debug)]
pub struct Turn<'a> {
    /// Now.
    pub now: Moment,
    /// What should be done.
    pub out: &'a mut Vec<Action>,
    /// The process's rate limits.
    pub purse: &'a mut Purse,
}

/// What a process does in a swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Gets what it lacks, and gives.
    Downloads,
    /// Gives.
    Seeds,
    /// Keeps the register, and dials nobody.
    Keeps,
}

/// How a swarm begins.
#[derive(Debug)]
pub struct Beginning {
    /// Which share.
    pub share: ShareId,
    /// Who we are.
    pub own_id: PeerId,
    /// Where we accept connections; 0 = nowhere.
    pub own_port: u16,
    /// What is known of the share.
    pub metainfo: Option<Arc<Metainfo>>,
    /// What is verified already; none = the shell must look first.
    pub held: Option<PieceSet>,
    /// What it is to us.
    pub part: Part,
    /// Whether a register beside it tells its peers of each other.
    pub has_register: bool,
    /// Whom to dial, for ever.
    pub endpoints: Vec<Endpoint>,
    /// The goal, where it is known.
    pub goal: Option<Goal>,
    /// Ties and jitter.
    pub chance: Chance,
}

/// One share's swarm. Invariant: every session's known stock is counted in the picker exactly once.
#[derive(Debug)]
pub struct Swarm {
    share: ShareId,
    own_id: PeerId,
    own_port: u16,
    part: Part,
    has_register: bool,
    goal: Option<Goal>,
    metainfo: Option<Arc<Metainfo>>,
    fetch: Fetch,
    picker: Option<Picker>,
    sessions: BTreeMap<LinkId, Session>,
    /// Who says it is whom, on which link: of every session.
    linked: BTreeSet<(PeerId, LinkId)>,
    book: Book,
    choker: Choker,
    suggester: Option<Suggester>,
    suspects: BTreeMap<PieceIndex, Suspect>,
    /// Bans of before the download had a place on disk; each ended a link, of which few come in that time.
    bans_to_keep: Vec<Ban>,
    announcer: Announcer,
    /// To whom blocks are owed that the shell was not given yet.
    owing: BTreeSet<LinkId>,
    served_last: LinkId,
    /// Who serves us.
    givers: BTreeSet<LinkId>,
    /// One piece for which each peer is wanted that has something for us.
    reasons: BTreeSet<(PieceIndex, LinkId)>,
    guest_count: usize,
    /// Whether the disk takes nothing.
    is_halted: bool,
    crowd: Crowd,
    totals: Totals,
    violations: Telling,
    began: Moment,
    stall: Stall,
    inspection: Moment,
    gossip: Moment,
    chance: Chance,
}

/// What a share has seen since the start.
#[derive(Clone, Debug, Default)]
struct Totals {
    reached: bool,
    /// Whether the person was told that somebody refuses us.
    is_refusal_told: bool,
    sent: rate::Meter,
    received: rate::Meter,
    from_seed_bytes: u64,
    from_peer_bytes: u64,
    wasted_bytes: u64,
}

impl Swarm {
    /// Takes up a share; asks the shell to look at what is there where that is not known.
    pub fn begin(beginning: Beginning, turn: &mut Turn<'_>) -> Swarm {
        let mut book = Book::default();
        beginning.endpoints.into_iter().for_each(|endpoint| book.pin(endpoint, turn.now));
        let mut swarm = Swarm {
            share: beginning.share,
            own_id: beginning.own_id,
            own_port: beginning.own_port,
            part: beginning.part,
            has_register: beginning.has_register,
            goal: beginning.goal,
            metainfo: beginning.metainfo,
            fetch: Fetch::default(),
            picker: None,
            sessions: BTreeMap::new(),
            linked: BTreeSet::new(),
            book,
            choker: Choker::default(),
            suggester: None,
            suspects: BTreeMap::new(),
            bans_to_keep: Vec::new(),
            announcer: Announcer::default(),
            owing: BTreeSet::new(),
            served_last: LinkId(0),
            givers: BTreeSet::new(),
            reasons: BTreeSet::new(),
            guest_count: 0,
            is_halted: false,
            crowd: Crowd::default(),
            totals: Totals::default(),
            violations: Telling::default(),
            began: turn.now,
            stall: Stall::new(turn.now),
            inspection: turn.now,
            gossip: turn.now.after(GOSSIP),
            chance: beginning.chance,
        };
        swarm.lay_out(beginning.held, turn);
        swarm.dial(turn);
        swarm
    }

    /// Takes what is known and held, or asks the shell to prepare.
    fn lay_out(&mut self, held: Option<PieceSet>, turn: &mut Turn<'_>) {
        let Some(metainfo) = self.metainfo.clone() else { return };
        let nothing = PieceSet::empty(metainfo.geometry().piece_count());
        match held {
            Some(held) => self.prepared(held.clone(), held, BTreeMap::new(), &[], turn),
            None if self.part == Part::Downloads => {
                turn.out.push(Action::Prepare { share: self.share, metainfo })
            }
            None => self.prepared(nothing.clone(), nothing, BTreeMap::new(), &[], turn),
        }
    }

    /// A message of a linked peer. A violation closes the link.
    pub fn received(&mut self, link: LinkId, message: Message, payload: Payload, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.get_mut(&link) else { return };
        session.heard = turn.now;
        if let Err(violation) = self.route(link, message, payload, turn) {
            self.violated(link, &violation.to_string(), turn);
        }
    }

    fn route(
        &mut self,
        link: LinkId,
        message: Message,
        payload: Payload,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        match (message, payload) {
            (message, Payload::None) if message.payload_bytes() > 0 => {
                self.unasked_came(link, &message, turn)
            }
            (Message::Register { .. }, _) => Err(Violation::RegisteredTwice),
            (Message::PeerList(peers), _) => Ok(self.heard_of(link, &peers, Duration::ZERO, turn)),
            (Message::NewPeer(peer), _) => Ok(self.heard_of(link, &[peer], meeting::NEWS_WAIT, turn)),
            (Message::Stock { all, more }, _) => self.stock_said(link, all.as_deref(), more.as_deref(), turn),
            (Message::MetainfoRequest { start }, _) => self.metainfo_asked(link, start, turn),
            (Message::Metainfo { start, total, .. }, payload) => {
                self.metainfo_came(link, start, total, payload, turn)
            }
            (Message::Interested, _) => self.interest_said(link, true, turn),
            (Message::NotInterested, _) => self.interest_said(link, false, turn),
            (Message::Unchoke, _) => self.unchoked_by(link, turn),
            (Message::Choke, _) => self.choked_by(link, turn.now),
            (Message::Request { piece, start, length }, _) => {
                self.requested(link, piece, start, length, turn)
            }
            (Message::Block { piece, start, length }, Payload::Digests(digests)) => {
                self.block_came(link, (piece, start, u64::from(length)), &digests, turn)
            }
            (Message::Nack { piece, start, length, reason }, _) => {
                self.refused(link, (piece, start, length), reason, turn)
            }
            (Message::Cancel { piece, start, length }, _) => {
                self.cancelled(link, (piece, start, length), turn)
            }
            (Message::Suggest { piece }, _) => self.suggested(link, piece, turn),
            (Message::LeavesRequest { piece }, _) => self.leaves_asked(link, piece, turn),
            (Message::Leaves { piece, .. }, Payload::Digests(digests)) => {
                self.leaves_came(link, piece, &digests, turn)
            }
            (Message::Leaves { piece, .. }, _) => self.leaves_came(link, piece, &[], turn),
            (Message::Heartbeat | Message::Block { .. }, _) => Ok(()),
            (Message::Error { code, .. }, _) => Ok(self.rejected(link, code, turn)),
            (Message::Goodbye, _) => Ok(self.close(link, None, turn)),
        }
    }

    /// Bytes of a long message arrive from a peer.
    pub fn alive(&mut self, link: LinkId, now: Moment) {
        if let Some(session) = self.sessions.get_mut(&link) {
            session.is_alive(now);
        }
    }

    /// A peer's bytes were no message, or its message broke a rule: it is told and left.
    pub fn violated(&mut self, link: LinkId, what: &str, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.get(&link) else { return };
        let text = format!("{} broke the protocol and was disconnected: {what}", session.remote.address);
        if let Some(text) = self.violations.of(text, turn.now) {
            turn.out.push(Action::Tell(News::Trouble { share: Some(self.share), text }));
        }
        let farewell = Message::Error { code: ErrorCode::Protocol, text: what.to_owned() };
        self.refuse_for_a_while(link, turn);
        self.close(link, Some(farewell), turn);
    }

    /// A peer is about to close, and says why.
    fn rejected(&mut self, link: LinkId, code: ErrorCode, turn: &mut Turn<'_>) {
        if code != ErrorCode::Duplicate {
            self.refuse_for_a_while(link, turn);
        }
        self.close(link, None, turn);
    }

    /// Does what is due. Call it at [`Swarm::deadline`]; earlier does no harm.
    pub fn inspect(&mut self, turn: &mut Turn<'_>) {
        if turn.now >= self.inspection {
            self.inspection = turn.now.after(INSPECTION);
            self.look_over_links(turn);
            self.fetch_metainfo(turn);
            self.chase_truth(turn);
            self.take_up_doubts(turn);
            self.play_endgame(turn);
            self.watch_progress(turn);
            self.dial(turn);
        }
        if turn.now >= self.gossip {
            self.gossip = turn.now.after(GOSSIP);
            self.tell_everyone_of_everyone(turn);
        }
        if turn.now >= self.choker.deadline() {
            self.review(turn);
        }
        self.go_on(turn);
    }

    /// Announces, asks and serves as far as pipes and limits allow.
    pub fn go_on(&mut self, turn: &mut Turn<'_>) {
        self.announce(turn);
        self.ask_everyone(turn);
        self.serve(turn);
    }

    /// When `inspect` is due.
    pub fn deadline(&self, purse: &Purse) -> Moment {
        let up = purse.up.as_ref().filter(|_| self.waits_to_serve()).and_then(Bucket::opens);
        let down = purse.down.as_ref().filter(|_| self.waits_to_ask()).and_then(Bucket::opens);
        let sooner = [up, down, self.announcer.due()].into_iter().flatten().min();
        self.inspection.min(self.gossip).min(sooner.unwrap_or(self.gossip))
    }

    /// Whether it has something to serve or to ask for as soon as the process's limits let it.
    pub fn waits(&self, purse: &Purse) -> bool {
        purse.up.is_some() && self.waits_to_serve() || purse.down.is_some() && self.waits_to_ask()
    }

    /// The process is about to stop.
    pub fn stop(&mut self, turn: &mut Turn<'_>) {
        for link in self.links() {
            self.close(link, Some(Message::Goodbye), turn);
        }
    }

    /// The share's goal, as this process knows it.
    pub fn goal(&self) -> Option<Goal> {
        self.goal
    }

    /// Links that exchange blocks.
    pub fn link_count(&self) -> usize {
        self.sessions.len() - self.guest_count
    }

    fn links(&self) -> Vec<LinkId> {
        self.sessions.keys().copied().collect()
    }

    /// Says `message` to a linked peer.
    fn say(&mut self, link: LinkId, message: Message, turn: &mut Turn<'_>) {
        if let Some(session) = self.sessions.get_mut(&link) {
            session.said = turn.now;
            turn.out.push(Action::Send { link, message });
        }
    }

    /// Asserts the invariants that span rooms; for tests and simulations.
    pub fn check(&self) {
        let linked = self.sessions.iter().map(|(link, session)| (session.remote.id, *link));
        assert_eq!(self.linked, linked.collect());
        let those = |is: fn(&Session) -> bool| {
            let chosen = self.sessions.iter().filter(move |(_, session)| is(session));
            chosen.map(|(link, _)| *link).collect::<BTreeSet<LinkId>>()
        };
        assert_eq!(self.owing, those(|session| !session.owed.is_empty()));
        assert_eq!(self.givers, those(|session| !session.it_chokes));
        assert_eq!(self.guest_count, those(|session| session.is_guest).len());
        let mut hosts = std::collections::BTreeMap::<_, usize>::new();
        let addresses = self.sessions.values().map(|session| session.remote.address.ip());
        addresses.for_each(|ip| *hosts.entry(crate::scope::host(ip)).or_default() += 1);
        assert_eq!(*self.crowd.hosts(), hosts);
        let reasons = self.sessions.iter().filter_map(|(link, session)| Some((session.reason?, *link)));
        assert_eq!(self.reasons, reasons.collect());
        let Some(picker) = &self.picker else { return };
        picker.check();
        for piece in picker.held().iter().chain(picker.wanted().iter()) {
            let stocks = self.sessions.values().filter_map(|session| session.stock.known());
            let holders = stocks.filter(|stock| stock.contains(piece)).count();
            assert_eq!(holders, usize::from(picker.holders(piece)), "{piece:?}");
        }
        for session in self.sessions.values() {
            let is_useful = session.stock.known().is_some_and(|s| s.iter().any(|piece| picker.lacks(piece)));
            assert_eq!(is_useful, session.reason.is_some());
            assert!(session.reason.is_none_or(|piece| picker.lacks(piece)));
        }
        let Some(suggester) = &self.suggester else { return };
        for piece in picker.held().iter().chain(picker.wanted().iter()) {
            let promised = |session: &&Session| session.promises.given().any(|given| given == piece);
            let promises = self.sessions.values().filter(promised).count();
            assert_eq!(usize::from(picker.holders(piece)) + promises, usize::from(suggester.copies(piece)));
        }
    }
}
