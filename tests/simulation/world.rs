//! The simulated world: machines, wires and disks around production cores, in virtual time, from one seed.
//! It plays the shell's part: performs each action, answers it by the event that the seam promises.

mod build;
mod mend;
mod pause;
mod perform;
mod report;
mod scripts;
mod storage;
mod trouble;

use std::net::{IpAddr, SocketAddr};

use minibit::chance::Chance;
use minibit::ids::{Digest, Endpoint, LinkId, ShareId};
use minibit::seam::{Action, Event, Payload};
use minibit::wire::{Message, decode};

use crate::checker::Checker;
use crate::machine::Machine;
use crate::network::{Frame, Network};
use crate::queue::{Happening, Micros, Queue, SECOND, Seat, Tip};
use crate::tally::{Kind, Tally};
use crate::trace::Trace;
use crate::truth::Truth;

/// Happenings in one run; more is a storm.
const HAPPENINGS_MAX: u64 = 20_000_000;
/// Where a dial to nowhere ends.
const DIAL_PATIENCE: Micros = 5 * SECOND;
/// Every so-many-eth event the core is asked whether its own invariants hold.
const CHECK: u64 = 32;
const TICK: Micros = SECOND / 10;

/// Everything.
#[derive(Debug)]
pub struct World {
    /// The seed that made it.
    pub seed: u64,
    /// What is to come.
    pub queue: Queue,
    /// Wires.
    pub network: Network,
    /// Machines, by number.
    pub machines: Vec<Machine>,
    /// Shares, by number.
    pub truths: Vec<Truth>,
    /// The judge.
    pub checker: Checker,
    /// The story.
    pub trace: Trace,
    /// Faults that took effect, but for those that the network and the disks count.
    pub tally: Tally,
    /// The world's own chance.
    pub chance: Chance,
    /// All machines on one address, told apart by port.
    pub is_loopback: bool,
    /// Every machine on a public address, in a network of its own.
    pub is_public: bool,
    happenings: u64,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, now) = (self.seed, self.queue.now());
            eprintln!(
                "at {now} virtual microseconds of seed {seed}; MINIBIT_SEED={seed} tells this story again"
            );
        }
    }
}

impl World {
    /// An empty world.
    pub fn new(seed: u64) -> World {
        World {
            seed,
            queue: Queue::default(),
            network: Network::new(seed),
            machines: Vec::new(),
            truths: Vec::new(),
            checker: Checker::default(),
            trace: Trace::new(),
            tally: Tally::default(),
            chance: Chance::new(seed),
            is_loopback: false,
            is_public: false,
            happenings: 0,
        }
    }

    /// A world with one share.
    pub fn with_share(seed: u64, piece_bytes: u32, lengths: &[u64]) -> World {
        let mut world = World::new(seed);
        world.share(piece_bytes, lengths);
        world
    }

    /// One share more.
    pub fn share(&mut self, piece_bytes: u32, lengths: &[u64]) -> &Truth {
        self.truths.push(Truth::new(piece_bytes, lengths, &mut self.chance));
        self.truths.last().expect("just pushed")
    }

    /// Moment that is.
    pub fn now(&self) -> Micros {
        self.queue.now()
    }

    /// The share of that id.
    pub fn truth(&self, share: ShareId) -> &Truth {
        self.truths.iter().find(|truth| truth.share() == share).expect("cores know true shares only")
    }

    /// Tells a core of an event, in the life it was meant for.
    pub fn tell(&mut self, seat: Seat, event: Event) {
        let machine = seat.machine;
        if self.machines[machine].script.is_some() {
            return self.befall(seat, &event);
        }
        if self.machines[machine].life != seat.life || self.machines[machine].node.is_none() {
            return;
        }
        if let Some(pause) = &mut self.machines[machine].pause {
            return pause.backlog.push_back(event);
        }
        let now = self.now();
        self.trace.event(now, machine, &event);
        if let Event::Closed { link } = event {
            self.machines[machine].links.remove(&link);
        }
        let hand = carried(&event);
        let mut out = Vec::new();
        let moment = self.machines[machine].moment(now);
        self.checker.shows(machine, moment);
        self.checker.event(machine, now, &event);
        let node = self.machines[machine].node.as_mut().expect("looked at above");
        node.handle(moment, event, &mut out);
        if self.happenings.is_multiple_of(CHECK) {
            node.check();
        }
        self.perform(seat, out, &hand);
        self.rewake(seat);
    }

    fn perform(&mut self, seat: Seat, actions: Vec<Action>, hand: &Payload) {
        let now = self.now();
        for action in actions {
            self.trace.action(now, seat.machine, &action);
            self.checker.action(seat.machine, now, &action, hand);
            self.perform_one(seat, action, hand);
        }
        self.checker.step(seat.machine);
    }

    fn rewake(&mut self, seat: Seat) {
        let now = self.now();
        let machine = &mut self.machines[seat.machine];
        let Some(deadline) = machine.node.as_ref().and_then(minibit::node::Node::deadline) else { return };
        let at = machine.clock.reaches(deadline).max(now);
        if machine.wake.is_none_or(|wake| at < wake) {
            machine.wake = Some(at);
            self.queue.at(at, Happening::Wake(seat));
        }
    }

    fn wake(&mut self, seat: Seat) {
        let now = self.now();
        let machine = &mut self.machines[seat.machine];
        if machine.life != seat.life || machine.wake != Some(now) {
            return;
        }
        machine.wake = None;
        if machine.script.is_some() {
            return self.tell(seat, Event::DeadlineReached);
        }
        if machine.pause.is_some() {
            return;
        }
        let moment = machine.moment(now);
        let deadline = machine.node.as_ref().and_then(minibit::node::Node::deadline);
        if deadline.is_some_and(|deadline| deadline <= moment) {
            self.tell(seat, Event::DeadlineReached);
        } else {
            self.rewake(seat);
        }
    }

    fn happen(&mut self, happening: Happening) {
        self.happenings += 1;
        assert!(self.happenings < HAPPENINGS_MAX, "a storm: more than {HAPPENINGS_MAX} happenings");
        match happening {
            Happening::Core(seat, event) => self.tell(seat, event),
            Happening::Wake(seat) => self.wake(seat),
            Happening::Knock(seat, share, endpoint) => self.knock(seat, share, endpoint),
            Happening::Uplinked(machine) => self.network.uplinked(&mut self.queue, machine),
            Happening::Arrived(tip, bytes, frame) => self.network.arrived(&mut self.queue, tip, bytes, frame),
            Happening::Landed(tip, frame) => {
                if let Some(frame) = self.network.landed(&mut self.queue, tip, frame) {
                    self.read(tip.across(), frame);
                }
            }
            Happening::CloseDue(tip) => self.network.close_due(&mut self.queue, tip),
            Happening::Stored(seat, share, block, leaves) => self.stored(seat, share, block, &leaves),
            Happening::Probe(seat, share) => self.probe(seat, share),
            Happening::Trouble(fault) => self.trouble(fault),
        }
    }

    /// Whoever sends what is not so may be banned for it, and nobody else but scripts.
    fn note_falsehood(&mut self, from: Tip, link: LinkId, message: &Message, payload: &Payload) {
        let (reader, sender) = (self.network.who(from.across()).0, self.network.who(from).0);
        if self.is_scripted(from) {
            return;
        }
        let share = self.checker.share_of(reader.machine, link);
        let truth = share.and_then(|share| self.truths.iter().find(|truth| truth.share() == share));
        if truth.is_some_and(|truth| !truth.agrees(message, payload)) {
            self.checker.sent_false(sender);
        }
    }

    /// The production decoder reads what the production encoder wrote.
    fn read(&mut self, tip: Tip, frame: Frame) {
        let (seat, link) = self.network.who(tip);
        let line = &frame.line[..frame.line.len() - 1];
        match decode(line) {
            Ok(Some(message)) => {
                self.note_falsehood(tip.across(), link, &message, &frame.payload);
                self.tell(seat, Event::Received { link, message, payload: frame.payload });
            }
            Ok(None) if self.is_scripted(tip.across()) => {}
            Err(error) if self.is_scripted(tip.across()) => self.tell(seat, Event::Violated { link, error }),
            other => panic!("our own line {:?} reads as {other:?}", String::from_utf8_lossy(line)),
        }
    }

    fn is_scripted(&self, tip: Tip) -> bool {
        self.machines[self.network.who(tip).0.machine].script.is_some()
    }

    fn knock(&mut self, seat: Seat, share: ShareId, endpoint: Endpoint) {
        if self.machines[seat.machine].life != seat.life || self.machines[seat.machine].node.is_none() {
            return;
        }
        let target = self.machines.iter().position(|machine| machine.endpoint() == endpoint);
        let Some(to) = target.filter(|&to| self.machines[to].is_reachable()) else {
            let is_silent = target.is_none_or(|to| self.machines[to].is_silent);
            if !is_silent {
                self.tally.fired(Kind::Refusal);
            }
            let span = if is_silent { DIAL_PATIENCE } else { SECOND / 100 };
            let failed = Event::DialFailed { share, endpoint };
            return self.queue.after(span, Happening::Core(seat, failed));
        };
        if !self.network.weather.is_open(self.now(), seat.machine, to) {
            let failed = Event::DialFailed { share, endpoint };
            return self.queue.after(DIAL_PATIENCE, Happening::Core(seat, failed));
        }
        let from = self.machines[seat.machine].address.ip();
        self.stand(seat, to, from, (share, endpoint));
    }

    /// A connection comes to stand, of one who is seen from that address.
    fn stand(&mut self, seat: Seat, to: usize, from: IpAddr, dialled: (ShareId, Endpoint)) {
        let there = Seat { machine: to, life: self.machines[to].life };
        let (from_link, to_link) = (self.machines[seat.machine].new_link(), self.machines[to].new_link());
        let port = 40_000 + u16::try_from(from_link.0 % 20_000).expect("below 20,000");
        let observed = SocketAddr::new(from, port);
        let ip: IpAddr = dialled.1.host.parse().expect("machines are dialled by address");
        let ends = [(seat, from_link, observed), (there, to_link, SocketAddr::new(ip, dialled.1.port))];
        let tip = self.network.connect(&mut self.queue, ends, dialled);
        self.machines[seat.machine].links.insert(from_link, tip);
        self.machines[to].links.insert(to_link, tip.across());
        self.checker.connected(seat.machine, from_link, to);
        self.checker.connected(to, to_link, seat.machine);
    }

    /// Lets virtual time go on to `end`, or to the first tick at which `is_done`; whether it was.
    pub fn run(&mut self, end: Micros, is_done: impl Fn(&World) -> bool) -> bool {
        let mut tick = self.now();
        while let Some(happening) = self.queue.next(end) {
            self.happen(happening);
            if self.now() >= tick {
                tick = self.now() + TICK;
                if is_done(self) {
                    return true;
                }
            }
        }
        is_done(self)
    }

    /// Lets so many things happen; whether there were so many to come.
    pub fn steps(&mut self, count: u64) -> bool {
        (0..count).all(|_| match self.queue.next(Micros::MAX) {
            Some(happening) => {
                self.happen(happening);
                true
            }
            None => false,
        })
    }

    /// Lets a span of virtual time pass.
    pub fn pass(&mut self, span: Micros) {
        self.run(self.now() + span, |_| false);
    }
}

fn carried(event: &Event) -> Payload {
    match event {
        Event::Received { payload: Payload::Digests(leaves), .. } => Payload::Digests(leaves.clone()),
        _ => Payload::None,
    }
}

/// Wrong bytes in place of right ones.
pub fn spoil(leaves: &mut [Digest], chance: &mut Chance) {
    let at = chance.below(leaves.len());
    leaves[at] = crate::truth::any_digest(chance);
}
