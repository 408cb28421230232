//! One machine of the simulated world: what it is, its disk, and the production core of its present life.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use minibit::chance::Chance;
use minibit::ids::{Endpoint, LinkId, PeerId, ShareId};
use minibit::node::{Node, NodeConfig};
use minibit::seam::{Ban, Event};
use minibit::time::Moment;
use minibit::wire::{Goal, Role};

use crate::clock::Clock;
use crate::disk::Disk;
use crate::hostile::Script;
use crate::queue::{Micros, Tip};

/// What a machine begins a share with.
#[derive(Clone, Debug)]
pub enum Begin {
    /// Everything: a seed.
    Seed,
    /// A metainfo file.
    Described,
    /// A link.
    Linked,
    /// A register, with the description or without.
    Register(bool),
}

/// How a machine lies to others. Its core is the production core; its answers are changed on the way out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lies {
    /// Of a hundred blocks, how many are wrong.
    pub blocks_percent: usize,
    /// Leaf hashes are wrong too.
    pub leaves: bool,
    /// The description is wrong too.
    pub metainfo: bool,
}

/// What a machine is, for all its lives.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its part.
    pub role: Role,
    /// A register that takes any share.
    pub is_open: bool,
    /// Shares (by the world's number) and what it has of them.
    pub shares: Vec<(usize, Begin)>,
    /// Whom it dials for ever.
    pub dials: Vec<Endpoint>,
    /// Whether it accepts connections.
    pub listens: bool,
    /// Bytes a second.
    pub up_rate: u64,
    /// Bytes a second.
    pub down_rate: u64,
    /// One way to the middle of the network.
    pub distance: Micros,
    /// The core's own limit.
    pub limit_up: Option<u64>,
    /// The core's own limit.
    pub limit_down: Option<u64>,
    /// The goal it states.
    pub goal: Option<Goal>,
    /// Of every piece it wants, only those whose number leaves this rest; all when none: (divisor, rest).
    pub wants: Option<(u32, u32)>,
    /// How it lies, if it does.
    pub lies: Option<Lies>,
    /// How much faster than the world's time its clock runs, in millionths.
    pub drift: i32,
    /// Whether its shell finds out when it reads what changed on the disk; else it sends it as it is.
    pub checks_reads: bool,
}

/// A process that stands still.
#[derive(Debug)]
pub struct Pause {
    /// Since when.
    pub since: Micros,
    /// Whether its clock stands still with it.
    pub is_suspension: bool,
    /// What it will be told, in this order.
    pub backlog: VecDeque<Event>,
}

impl Spec {
    /// An ordinary peer with a link to share 0.
    pub fn peer(dials: Vec<Endpoint>) -> Spec {
        Spec {
            role: Role::Peer,
            is_open: false,
            shares: vec![(0, Begin::Linked)],
            dials,
            listens: true,
            up_rate: 1_000_000,
            down_rate: 4_000_000,
            distance: 10_000,
            limit_up: None,
            limit_down: None,
            goal: None,
            wants: None,
            lies: None,
            drift: 0,
            checks_reads: true,
        }
    }

    /// A tracker that seeds share 0.
    pub fn tracker() -> Spec {
        Spec { role: Role::Tracker, shares: vec![(0, Begin::Seed)], ..Spec::peer(Vec::new()) }
    }

    /// A peer that seeds share 0.
    pub fn seed(dials: Vec<Endpoint>) -> Spec {
        Spec { shares: vec![(0, Begin::Seed)], ..Spec::peer(dials) }
    }
}

/// A machine as it stands.
#[derive(Debug)]
pub struct Machine {
    /// What it is.
    pub spec: Spec,
    /// Where it listens, or would.
    pub address: SocketAddr,
    /// How many times it was started.
    pub life: u32,
    /// Its core, while it lives.
    pub node: Option<Node>,
    /// What it is instead of a core.
    pub script: Option<Box<dyn Script>>,
    /// Its clock in this life.
    pub clock: Clock,
    /// While it stands still.
    pub pause: Option<Pause>,
    /// Its disk.
    pub disk: Disk,
    /// Shares that wait for the disk.
    pub halted: BTreeSet<ShareId>,
    /// Whom it was told to refuse, by share.
    pub bans: BTreeMap<ShareId, Vec<Ban>>,
    /// Links of this life.
    pub links: BTreeMap<LinkId, Tip>,
    /// The wake-up that is under way.
    pub wake: Option<Micros>,
    /// Dials to it fail.
    pub is_refusing: bool,
    /// It vanished: dials to it are not even refused.
    pub is_silent: bool,
    /// Its own chance.
    pub chance: Chance,
    next_link: u64,
}

impl Machine {
    /// Switched off, its disk empty.
    pub fn new(spec: Spec, address: SocketAddr, chance: Chance) -> Machine {
        Machine {
            spec,
            address,
            life: 0,
            node: None,
            script: None,
            clock: Clock::default(),
            pause: None,
            disk: Disk::empty(),
            halted: BTreeSet::new(),
            bans: BTreeMap::new(),
            links: BTreeMap::new(),
            wake: None,
            is_refusing: false,
            is_silent: false,
            chance,
            next_link: 1,
        }
    }

    /// Begins a life with an empty core; the identity that it chose.
    pub fn start(&mut self, now: Micros) -> PeerId {
        self.life += 1;
        (self.wake, self.is_silent, self.pause) = (None, false, None);
        self.clock = Clock::new(now, self.spec.drift.into());
        self.links.clear();
        self.halted.clear();
        let mut id = [0; 20];
        id.fill_with(|| self.chance.draw().to_le_bytes()[0]);
        let config = NodeConfig {
            id: PeerId(id),
            port: if self.spec.listens { self.address.port() } else { 0 },
            agent: "simulated/1".to_owned(),
            role: self.spec.role,
            open: self.spec.is_open,
            advertised: Vec::new(),
            limit_up: self.spec.limit_up,
            limit_down: self.spec.limit_down,
            seed: self.chance.draw(),
        };
        self.node = Some(Node::new(config));
        PeerId(id)
    }

    /// Ends a life.
    pub fn stop(&mut self) {
        (self.node, self.pause) = (None, None);
        self.links.clear();
    }

    /// A link number never used before on this machine.
    pub fn new_link(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId(self.next_link)
    }

    /// The core's own time.
    pub fn moment(&self, now: Micros) -> Moment {
        self.clock.moment(now)
    }

    /// Where others dial it.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::at(self.address.ip(), self.address.port())
    }

    /// Whether a dial would be answered by a connection.
    pub fn is_reachable(&self) -> bool {
        (self.node.is_some() || self.script.is_some()) && self.spec.listens && !self.is_refusing
    }
}
