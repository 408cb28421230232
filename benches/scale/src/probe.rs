//! The story of one machine, kept to be told again to a core that has the processor for itself: what its decisions
//! cost where thousands of others do not share the caches, as on a machine of its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use minibit::node::{Node, NodeConfig, ShareConfig};
use minibit::seam::Event;
use minibit::time::Moment;
use minibit::wire::Message;

/// What one machine was told, in order.
#[derive(Debug)]
pub struct Probe {
    /// Which.
    pub machine: u32,
    configs: Option<(NodeConfig, ShareConfig)>,
    events: Vec<(Moment, Event)>,
}

/// What one kind of event cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    /// How many there were.
    pub count: u64,
    /// What they took.
    pub spent: Duration,
}

impl Probe {
    /// Of a machine that has not begun.
    pub fn new(machine: u32) -> Probe {
        Probe { machine, configs: None, events: Vec::new() }
    }

    /// The machine begins.
    pub fn begin(&mut self, node: NodeConfig, share: ShareConfig) {
        self.configs = Some((node, share));
    }

    /// The machine is told.
    pub fn note(&mut self, moment: Moment, event: &Event) {
        self.events.push((moment, event.clone()));
    }

    fn node(&self) -> Option<Node> {
        let (node, share) = self.configs.clone()?;
        let mut node = Node::new(node);
        node.add(Moment::START, share, &mut Vec::new());
        Some(node)
    }

    /// Tells the whole story to a core of its own; how long `handle` and `deadline` took.
    pub fn replay(&self) -> Duration {
        let Some(mut node) = self.node() else { return Duration::ZERO };
        let events = self.events.clone();
        let mut out = Vec::new();
        let began = processor_time();
        for (moment, event) in events {
            node.handle(moment, event, &mut out);
            std::hint::black_box(node.deadline());
            out.clear();
        }
        processor_time().saturating_sub(began)
    }

    /// The same, each kind of event by itself; reading the clock is in it.
    pub fn split(&self) -> BTreeMap<&'static str, Share> {
        let mut split: BTreeMap<&'static str, Share> = BTreeMap::new();
        let Some(mut node) = self.node() else { return split };
        let mut out = Vec::new();
        for (moment, event) in self.events.clone() {
            let share = split.entry(kind(&event)).or_default();
            let clock = Instant::now();
            node.handle(moment, event, &mut out);
            std::hint::black_box(node.deadline());
            share.spent += clock.elapsed();
            share.count += 1;
            out.clear();
        }
        split
    }
}

/// Time that this process's only thread had the processor; a machine's other work is not in it. Zero where the kernel
/// does not tell.
pub fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::Received { message, .. } => message_kind(message),
        Event::Served { .. } => "Served",
        Event::Wrote { .. } => "Wrote",
        Event::DeadlineReached => "DeadlineReached",
        _ => "links coming and going",
    }
}

fn message_kind(message: &Message) -> &'static str {
    match message {
        Message::Stock { .. } => "Received Stock",
        Message::Block { .. } => "Received Block",
        Message::Request { .. } => "Received Request",
        Message::PeerList(_) | Message::NewPeer(_) => "Received addresses",
        Message::Interested | Message::NotInterested => "Received interest",
        Message::Choke | Message::Unchoke => "Received choke or unchoke",
        Message::Cancel { .. } | Message::Nack { .. } => "Received cancel or nack",
        Message::Suggest { .. } => "Received Suggest",
        _ => "Received others",
    }
}
