//! The world of one run: a production core for each machine, driven as the seam promises, in virtual time.
//!
//! It judges nothing: whether the core keeps the rules is for `tests/simulation`, which plays few machines and looks at
//! every step. Here bytes are right, disks take half a millisecond, and a closed link is never cut short.

mod build;
mod perform;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use minibit::chance::Chance;
use minibit::content::{Block, PieceIndex};
use minibit::ids::{Endpoint, LinkId};
use minibit::node::Node;
use minibit::seam::{Action, Event};
use minibit::time::Moment;
use minibit::wire::Message;

use crate::network::{Due, LaneId, Network};
use crate::probe::Probe;
use crate::queue::{Micros, Queue, SECOND};
use crate::scenario::Scenario;
use crate::share::Share;

/// Where every machine listens.
const PORT: u16 = 7070;
/// The first machine's address; the others follow.
const FIRST_ADDRESS: u32 = 0x0a00_0001;

/// How often a run says how far it is, and after how many happenings it looks at the clock.
const SAY_AFTER: Duration = Duration::from_secs(10);
const LOOK_AFTER: u64 = 1 << 16;
/// How often it is measured how full the uplinks are.
const MEASURE: Micros = SECOND / 4;

/// Something under way on a lane.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A message without payload; of what is said to many there is one copy.
    Line(Rc<Message>),
    /// A block's bytes.
    Block(Block),
    /// Part of the description.
    Metainfo { start: u64, length: u32 },
    /// The leaf hashes of a piece.
    Leaves(PieceIndex),
    /// The end of the stream.
    End,
}

/// Something that happens.
#[derive(Debug)]
pub enum Happening {
    /// On the network.
    Network(Due<Frame>),
    /// A peer begins.
    Arrival(u32),
    /// A core's deadline may have come.
    Wake(u32),
    /// A dial reaches its target.
    Knock { from: u32, to: u32 },
    /// A dial came to nothing.
    Refused { from: u32, to: u32 },
    /// The end of a lane hears that its connection stands; the other machine, where it was dialled.
    Connected { lane: LaneId, dialled: Option<u32> },
    /// The end of a lane hears that its connection is gone.
    Closed(LaneId),
    /// The disk was looked at.
    Prepared(u32),
    /// A block is on the disk.
    Wrote(u32, Block),
    /// A peer goes.
    Departure(u32),
    /// It is seen how full the uplinks are.
    Measure,
}

impl From<Due<Frame>> for Happening {
    fn from(due: Due<Frame>) -> Happening {
        Happening::Network(due)
    }
}

/// One machine.
#[derive(Debug)]
pub struct Machine {
    node: Option<Node>,
    /// When it began.
    pub began: Micros,
    wake: Option<Micros>,
    held_count: u32,
    /// When it held everything.
    pub completed: Option<Micros>,
    /// Payload that came in vain; known at the end.
    pub wasted_bytes: u64,
    /// Payload bytes sent; known at the end.
    pub sent_bytes: u64,
}

/// Which leaves have left the seed at least once: no peer is complete before all have.
#[derive(Debug, Default)]
pub struct Outside {
    leaves: BTreeSet<(u32, usize)>,
    leaf_count: usize,
    sent_count: usize,
    /// When the last of them did.
    pub whole: Option<Micros>,
}

impl Outside {
    fn note(&mut self, now: Micros, block: Block) {
        self.sent_count += block.leaves().len();
        if self.whole.is_none() {
            self.leaves.extend(block.leaves().map(|leaf| (block.piece.get(), leaf)));
            self.whole = (self.leaves.len() == self.leaf_count).then_some(now);
        }
    }
}

/// What all cores cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Inside `handle` and `deadline`.
    pub spent: Duration,
    /// Events handled.
    pub events: u64,
    /// Stock messages among them.
    pub stocks: u64,
}

/// How full the lines were at one moment: since the moment before, bytes that left over bytes that could have.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    /// When, in seconds from the beginning.
    pub at: f64,
    /// All uplinks of those who were there, the seed's among them.
    pub all: f64,
    /// The seed's.
    pub seed: f64,
    /// Of the content that left the seed, what had not left it before.
    pub new: f64,
}

/// Everything.
#[derive(Debug)]
pub struct World {
    scenario: Scenario,
    /// What is shared.
    pub share: Share,
    queue: Queue<Happening>,
    /// Lines and lanes.
    pub network: Network<Frame>,
    /// The seed, then the peers.
    pub machines: Vec<Machine>,
    incomplete: usize,
    outside: Outside,
    chance: Chance,
    /// What the cores cost so far.
    pub cost: Cost,
    /// How full the uplinks were, each quarter second.
    pub fills: Vec<Fill>,
    sent_before: (u64, u64),
    out_before: (usize, usize),
    /// Machines whose stories are kept.
    pub probes: Vec<Probe>,
    out: Vec<Action>,
}

/// Where a machine is dialled.
fn endpoint(machine: u32) -> Endpoint {
    Endpoint::at(address(machine), PORT)
}

fn address(machine: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(FIRST_ADDRESS + machine))
}

/// Whom an endpoint names.
fn machine_at(endpoint: &Endpoint) -> Option<u32> {
    let ip: Ipv4Addr = endpoint.host.parse().ok()?;
    ip.to_bits().checked_sub(FIRST_ADDRESS)
}

fn link(lane: LaneId) -> LinkId {
    LinkId(u64::from(lane))
}

fn lane(link: LinkId) -> LaneId {
    u32::try_from(link.0).expect("a link is named after its lane")
}

impl World {
    /// What has left the seed.
    pub fn outside(&self) -> &Outside {
        &self.outside
    }

    /// Keeps the stories of these machines, none of which has begun.
    pub fn watch(&mut self, machines: impl IntoIterator<Item = u32>) {
        self.probes.extend(machines.into_iter().map(Probe::new));
    }

    /// Tells a core of an event, and does as it says.
    fn tell(&mut self, machine: u32, event: Event) {
        let now = self.queue.now();
        let it = &mut self.machines[machine as usize];
        let Some(node) = &mut it.node else { return };
        let moment = Moment::START.after(Duration::from_micros(now - it.began));
        if let Some(probe) = self.probes.iter_mut().find(|probe| probe.machine == machine) {
            probe.note(moment, &event);
        }
        self.cost.events += 1;
        self.cost.stocks +=
            u64::from(matches!(event, Event::Received { message: Message::Stock { .. }, .. }));
        let clock = Instant::now();
        node.handle(moment, event, &mut self.out);
        let deadline = node.deadline();
        self.cost.spent += clock.elapsed();
        self.perform(machine);
        self.rewake(machine, deadline);
    }

    fn rewake(&mut self, machine: u32, deadline: Option<Moment>) {
        let Some(deadline) = deadline else { return };
        let it = &mut self.machines[machine as usize];
        let at = it.began.saturating_add(deadline.micros()).max(self.queue.now());
        if it.wake.is_none_or(|wake| at < wake) {
            it.wake = Some(at);
            self.queue.at(at, Happening::Wake(machine));
        }
    }

    fn wake(&mut self, machine: u32) {
        let now = self.queue.now();
        let it = &mut self.machines[machine as usize];
        if it.wake != Some(now) {
            return;
        }
        it.wake = None;
        let deadline = it.node.as_ref().and_then(Node::deadline);
        if deadline.is_some_and(|deadline| it.began.saturating_add(deadline.micros()) <= now) {
            self.tell(machine, Event::DeadlineReached);
        } else {
            self.rewake(machine, deadline);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Network(due) => self.on_network(due),
            Happening::Arrival(machine) => self.begin(machine),
            Happening::Wake(machine) => self.wake(machine),
            Happening::Knock { from, to } => self.knock(from, to),
            Happening::Refused { from, to } => {
                let share = self.share.metainfo.share();
                self.tell(from, Event::DialFailed { share, endpoint: endpoint(to) });
            }
            Happening::Connected { lane, dialled } => self.connected(lane, dialled),
            Happening::Closed(lane) => {
                self.tell(self.network.speaker(lane), Event::Closed { link: link(lane) });
            }
            Happening::Prepared(machine) => self.prepared(machine),
            Happening::Wrote(machine, block) => {
                let share = self.share.metainfo.share();
                self.tell(machine, Event::Wrote { share, block, done: true });
            }
            Happening::Departure(machine) => self.depart(machine),
            Happening::Measure => self.measure(),
        }
    }

    fn on_network(&mut self, due: Due<Frame>) {
        match due {
            Due::Uplinked(machine) => {
                let mut served = Vec::new();
                self.network.uplinked(&mut self.queue, machine, |lane, frame| {
                    if let Frame::Block(block) = frame {
                        served.push((lane, *block));
                    }
                });
                for (lane, block) in served {
                    if machine == 0 {
                        self.outside.note(self.queue.now(), block);
                    }
                    self.tell(machine, Event::Served { link: link(lane), block, sent: true });
                }
            }
            Due::Released(machine) => self.network.released(&mut self.queue, machine),
            Due::Landed(lane, frame) => self.landed(lane, frame),
            Due::Alive(lane) if self.network.is_open(lane ^ 1) => {
                self.tell(self.network.speaker(lane ^ 1), Event::Alive { link: link(lane ^ 1) });
            }
            Due::Alive(_) => {}
        }
    }

    fn knock(&mut self, from: u32, to: u32) {
        let delay = self.network.delay(from, to);
        let is_there = |machine: u32| self.machines.get(machine as usize).is_some_and(|it| it.node.is_some());
        if !is_there(to) || !is_there(from) {
            return self.queue.after(delay, Happening::Refused { from, to });
        }
        let lane = self.network.connect(from, to);
        self.queue.after(delay, Happening::Connected { lane, dialled: Some(to) });
        self.queue.after(0, Happening::Connected { lane: lane ^ 1, dialled: None });
    }

    fn connected(&mut self, lane: LaneId, dialled: Option<u32>) {
        let (machine, other) = (self.network.speaker(lane), self.network.speaker(lane ^ 1));
        // Who dialled is seen at a port of that moment.
        let port = if dialled.is_some() { PORT } else { 40_000 + u16::try_from(lane % 20_000).unwrap_or(0) };
        let remote = SocketAddr::new(address(other), port);
        let share = self.share.metainfo.share();
        let dialled = dialled.map(|to| (share, endpoint(to)));
        self.tell(machine, Event::Connected { link: link(lane), remote, dialled });
    }

    /// A peer leaves: every link gets its goodbye, and the core is gone.
    fn depart(&mut self, machine: u32) {
        self.tell(machine, Event::Stopping);
        self.count_up(machine);
        self.machines[machine as usize].node = None;
    }

    fn measure(&mut self) {
        let now = (self.network.all_sent_bytes(), self.network.sent_bytes(0));
        let before = std::mem::replace(&mut self.sent_before, now);
        let out_now = (self.outside.leaves.len(), self.outside.sent_count);
        let out = std::mem::replace(&mut self.out_before, out_now);
        let there = (0_u32..).zip(&self.machines).filter(|(_, it)| it.node.is_some());
        let could: u64 = there.map(|(machine, _)| self.network.up_rate(machine)).sum();
        let span = MEASURE as f64 / SECOND as f64;
        self.fills.push(Fill {
            at: self.queue.now() as f64 / SECOND as f64,
            all: (now.0 - before.0) as f64 / (could as f64 * span),
            new: (out_now.0 - out.0) as f64 / (out_now.1 - out.1).max(1) as f64,
            seed: (now.1 - before.1) as f64 / (self.network.up_rate(0) as f64 * span),
        });
        self.queue.after(MEASURE, Happening::Measure);
    }

    /// Reads off a core what it counted.
    fn count_up(&mut self, machine: u32) {
        let now = self.queue.now();
        let it = &mut self.machines[machine as usize];
        let Some(node) = &it.node else { return };
        let moment = Moment::START.after(Duration::from_micros(now - it.began));
        for view in node.view(moment) {
            it.wasted_bytes = view.wasted_bytes;
            it.sent_bytes = view.sent_bytes;
        }
    }

    /// Plays until every peer has everything, at most so long. Says how far it is where that takes long.
    pub fn run(&mut self, end: Micros) {
        let (mut happenings, mut said) = (0_u64, Instant::now());
        while self.incomplete > 0 {
            let Some(happening) = self.queue.next(end) else { break };
            self.happen(happening);
            happenings += 1;
            if happenings.is_multiple_of(LOOK_AFTER) && said.elapsed() >= SAY_AFTER {
                said = Instant::now();
                let at = Duration::from_micros(self.queue.now());
                let peers = self.machines.len() - 1;
                eprintln!("at {at:.1?}: {} of {peers} complete", peers - self.incomplete);
            }
        }
        (0..self.machines.len()).for_each(|machine| {
            self.count_up(u32::try_from(machine).expect("fewer than 2^32 machines"));
        });
    }
}

#[cfg(test)]
mod tests;
