//! What happens: one thing after the other, as the bytes say.

use std::net::SocketAddr;
use std::time::Duration;

use minibit::content::{PieceSet, geometry::PieceIndex};
use minibit::ids::{Endpoint, LinkId, PeerId};
use minibit::node::{Node, NodeConfig, ShareConfig, Start};
use minibit::seam::{Ban, Event, Payload};
use minibit::wire::{Goal, Message, Role, decode};

use super::input::Input;
use super::message::{self, Said};
use super::stage::Stage;
use super::truth::TRUTH;

/// Deadlines that pass in one step of time, and links that come in one.
const WAKES_MAX: u32 = 100;
const CROWD_MAX: u8 = 3;

/// A story under way.
pub struct Story {
    stage: Stage,
    next_link: u64,
    crowds: u8,
    steps: u64,
}

impl Story {
    pub fn begin(input: &mut Input<'_>) -> Story {
        let kind = input.byte();
        let limits = input.byte();
        let limit = |bit: u8| (limits & bit != 0).then_some(u64::from(limits | 1) * 1024);
        let node = Node::new(NodeConfig {
            id: PeerId([100; 20]),
            port: 7070,
            agent: "fuzzed".to_owned(),
            role: if kind & 1 == 0 { Role::Peer } else { Role::Tracker },
            open: kind & 2 != 0,
            advertised: vec![[192, 0, 2, 1].into()],
            limit_up: limit(64),
            limit_down: limit(128),
            seed: u64::from(limits),
        });
        let mut story = Story { stage: Stage::new(node), next_link: 0, crowds: 0, steps: 0 };
        story.add(kind, input);
        story
    }

    fn add(&mut self, kind: u8, input: &mut Input<'_>) {
        let (metainfo, share) = (TRUTH.metainfo.clone(), TRUTH.metainfo.share());
        let start = match kind >> 2 & 7 {
            0 | 1 => {
                let held = if kind >> 2 & 7 == 0 { all() } else { some(input) };
                self.stage.hold(&held);
                Start::Holding { metainfo, held }
            }
            2 => Start::Linked,
            3 => Start::Register(None),
            4 => Start::Register(Some(metainfo)),
            _ => Start::Described(metainfo),
        };
        let endpoints = (0..kind >> 5 & 3).map(|host| Endpoint { host: format!("10.1.1.{host}"), port: 1 });
        let goal = (kind & 128 != 0).then_some(Goal::LastPeer);
        let mut out = Vec::new();
        let config = ShareConfig { share, start, endpoints: endpoints.collect(), goal };
        self.stage.node.add(self.stage.now, config, &mut out);
        self.stage.perform(out, &[]);
    }

    /// The next thing that happens.
    pub fn go_on(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0 => _ = self.connect(input),
            1 | 2 => self.meet(input),
            3 => self.dialled(input),
            4..=6 => self.hear(input),
            7 => self.serve_honestly(input),
            8 => self.pass(input),
            9 => self.close(input),
            10 => self.served(input),
            11 => self.wrote(input),
            12 => self.prepared(input),
            13 => self.line(input),
            14 => self.flood(input),
            _ => self.trouble(input),
        }
        self.steps += 1;
        if self.steps.is_multiple_of(8) {
            self.stage.node.check();
        }
    }

    /// The process stops, and everything that was under way comes to its end.
    pub fn end(mut self) {
        self.stage.happens(Event::Stopping);
        let links: Vec<LinkId> = self.stage.links.keys().copied().collect();
        links.into_iter().for_each(|link| self.stage.happens(Event::Closed { link }));
        while !self.stage.writing.is_empty() {
            self.stage.wrote(0, true);
        }
        self.stage.node.check();
        assert!(self.stage.node.view(self.stage.now).iter().all(|view| view.peers.is_empty()));
    }

    fn connect(&mut self, input: &mut Input<'_>) -> LinkId {
        let remote = SocketAddr::new(message::address(input), 40_000);
        self.connected(remote, None)
    }

    fn connected(&mut self, remote: SocketAddr, dialled: Option<usize>) -> LinkId {
        self.next_link += 1;
        let link = LinkId(self.next_link);
        let dialled = dialled.map(|at| self.stage.dials.remove(at));
        self.stage.happens(Event::Connected { link, remote, dialled });
        link
    }

    /// Somebody comes and says who it is.
    fn meet(&mut self, input: &mut Input<'_>) {
        let link = self.connect(input);
        let number = input.byte();
        self.says(link, (message::register(number, input), Payload::None));
    }

    fn dialled(&mut self, input: &mut Input<'_>) {
        if self.stage.dials.is_empty() {
            return;
        }
        let at = input.below(self.stage.dials.len());
        if input.is_rare(4) {
            let (share, endpoint) = self.stage.dials.remove(at);
            return self.stage.happens(Event::DialFailed { share, endpoint });
        }
        let remote = self.stage.dials[at].1.host.parse().map_or([10, 0, 0, 1].into(), |ip| ip);
        let port = self.stage.dials[at].1.port;
        let link = self.connected(SocketAddr::new(remote, port), Some(at));
        let number = input.byte();
        self.says(link, (message::register(number, input), Payload::None));
    }

    fn link(&self, input: &mut Input<'_>) -> Option<LinkId> {
        let links = &self.stage.links;
        (!links.is_empty()).then(|| *links.keys().nth(input.below(links.len())).expect("below its length"))
    }

    fn hear(&mut self, input: &mut Input<'_>) {
        if let Some(link) = self.link(input) {
            self.says(link, message::message(input));
        }
    }

    /// A payload before the first message is refused by whoever reads.
    fn says(&mut self, link: LinkId, (message, payload): Said) {
        let Some(book) = self.stage.links.get_mut(&link) else { return };
        if message.payload_bytes() > 0 && !book.has_heard {
            let error = minibit::wire::WireError::Malformed("a payload before REGISTRO".to_owned());
            return self.stage.happens(Event::Violated { link, error });
        }
        if !book.has_heard && matches!(message, Message::Register { .. }) {
            book.is_greeted = true;
        }
        self.stage.happens(Event::Received { link, message, payload });
    }

    /// A peer answers some of what it was asked.
    fn serve_honestly(&mut self, input: &mut Input<'_>) {
        let Some(link) = self.link(input) else { return };
        for _ in 0..=input.below(8) {
            let Some(range) = self.stage.links.get(&link).and_then(|book| book.asked()) else { return };
            let kind = input.byte();
            let said = match kind % 16 {
                15 => (message::nack(range, input), Payload::None),
                14 => message::block(range, true),
                _ => message::block(range, false),
            };
            self.says(link, said);
        }
    }

    /// Time goes by; a process that was stopped for a while misses its deadlines.
    fn pass(&mut self, input: &mut Input<'_>) {
        let span = Duration::from_millis([1, 30, 400, 2_000, 11_000, 61_000, 3_600_000][input.below(7)]);
        let is_asleep = input.is_rare(8);
        let end = self.stage.now.after(span);
        for _ in 0..WAKES_MAX {
            let due = self.stage.node.deadline().filter(|deadline| *deadline <= end && !is_asleep);
            let Some(deadline) = due else {
                self.stage.now = end;
                return;
            };
            self.stage.now = deadline.max(self.stage.now);
            self.stage.happens(Event::DeadlineReached);
        }
    }

    fn close(&mut self, input: &mut Input<'_>) {
        if let Some(link) = self.link(input) {
            self.stage.happens(Event::Closed { link });
        }
    }

    fn served(&mut self, input: &mut Input<'_>) {
        let sent = !input.is_rare(4);
        for _ in 0..=input.below(8) {
            if self.stage.serving.is_empty() {
                return;
            }
            let (link, block) = self.stage.serving.remove(input.below(self.stage.serving.len()));
            self.stage.happens(Event::Served { link, block, sent });
        }
    }

    fn wrote(&mut self, input: &mut Input<'_>) {
        let done = !input.is_rare(6);
        for _ in 0..=input.below(8) {
            if self.stage.writing.is_empty() {
                return;
            }
            self.stage.wrote(input.below(self.stage.writing.len()), done);
        }
    }

    fn prepared(&mut self, input: &mut Input<'_>) {
        let Some(share) = self.stage.preparing.pop() else { return };
        let (held, wanted) = (some(input), if input.is_rare(3) { some(input) } else { all() });
        let ban = |n: u8| Ban { id: PeerId([n; 20]), ip: [10, 0, 0, n].into(), port: 7070 };
        let byte = input.byte();
        let banned = (0..byte % 4).map(ban).collect();
        let doubtful = TRUTH.spoilt(byte / 4, &held);
        self.stage.happens(Event::Prepared { share, held, wanted, banned, doubtful });
    }

    /// Bytes that may be a line.
    fn line(&mut self, input: &mut Input<'_>) {
        let Some(link) = self.link(input) else { return };
        let length = usize::from(input.byte());
        match decode(input.bytes(length)) {
            Ok(Some(message)) => {
                if let Some(payload) = message::payload_of(&message) {
                    self.says(link, (message, payload));
                }
            }
            Ok(None) => {}
            Err(error) => self.stage.happens(Event::Violated { link, error }),
        }
    }

    /// The same again and again, or many at once.
    fn flood(&mut self, input: &mut Input<'_>) {
        if self.crowds == CROWD_MAX {
            return;
        }
        self.crowds += 1;
        let kind = input.byte();
        match kind % 3 {
            0 => (0..=kind).for_each(|n| _ = self.connected(SocketAddr::from(([10, 0, 1, n], 1)), None)),
            1 => (0..=kind).for_each(|n| {
                let link = self.connected(SocketAddr::from(([10, 0, 2, n], 1)), None);
                self.says(link, (message::register(n, &mut Input(&[0])), Payload::None));
            }),
            _ => {
                let Some(link) = self.link(input) else { return };
                let said = message::message(input);
                (0..u32::from(kind) * 10).for_each(|_| self.says(link, said.clone()));
            }
        }
    }

    fn trouble(&mut self, input: &mut Input<'_>) {
        let share = TRUTH.metainfo.share();
        match input.below(7) {
            0 => self.stage.happens(Event::DeadlineReached),
            1 => {
                let held = |piece: &PieceIndex| self.stage.held.contains(&piece.get());
                let pieces: Vec<PieceIndex> = some(input).iter().filter(held).collect();
                self.stage.happens(Event::Lost { share, pieces });
            }
            2 => {
                if let Some(link) = self.link(input) {
                    self.stage.happens(Event::Alive { link });
                }
            }
            3 => self.stage.happens(Event::Spoiled { share, pieces: some(input).iter().collect() }),
            4 => self.stage.happens(Event::Halted { share }),
            5 => self.stage.happens(Event::Resumed { share }),
            _ => {
                if input.is_rare(16) {
                    self.stage.happens(Event::Stopping);
                }
            }
        }
    }
}

fn all() -> PieceSet {
    PieceSet::full(TRUTH.metainfo.geometry().piece_count())
}

/// Some pieces of the share, by the bits of a byte.
fn some(input: &mut Input<'_>) -> PieceSet {
    let geometry = TRUTH.metainfo.geometry();
    let (bits, mut set) = (input.byte(), PieceSet::empty(geometry.piece_count()));
    for piece in geometry.pieces().filter(|piece| bits >> (piece.get() % 8) & 1 == 1) {
        set.insert(piece);
    }
    set
}
