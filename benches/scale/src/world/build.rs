//! How a world and its machines come to be.

use minibit::chance::Chance;
use minibit::content::PieceSet;
use minibit::ids::PeerId;
use minibit::node::{Node, NodeConfig, ShareConfig, Start};
use minibit::time::Moment;
use minibit::wire::Role;

use super::{Cost, Happening, MEASURE, Machine, Outside, PORT, World, endpoint};
use crate::network::Network;
use crate::queue::Queue;
use crate::scenario::Scenario;
use crate::share::Share;

impl World {
    /// A seed, and so many peers to come.
    pub fn new(scenario: &Scenario, peers: usize) -> anyhow::Result<World> {
        let mut chance = Chance::new(scenario.seed);
        let piece_bytes = scenario.piece_kib.map(|kib| kib << 10);
        let share = Share::new(scenario.bytes(), piece_bytes, &mut chance)?;
        let mut network = Network::new();
        // Nothing comes down to the seed but words: its downlink is as the first peer's.
        network.join(scenario.seed_up_rate(), scenario.down_rate(0), scenario.distance());
        (0..peers).for_each(|peer| {
            network.join(scenario.up_rate(peer), scenario.down_rate(peer), scenario.distance());
        });
        let mut queue = Queue::default();
        let arrivals = scenario.arrivals(peers, &mut chance);
        for (machine, at) in (1..).zip(arrivals) {
            queue.at(at, Happening::Arrival(machine));
        }
        let blank = || Machine {
            node: None,
            began: 0,
            wake: None,
            held_count: 0,
            completed: None,
            wasted_bytes: 0,
            sent_bytes: 0,
        };
        queue.at(MEASURE, Happening::Measure);
        let machines = (0..=peers).map(|_| blank()).collect();
        let outside = Outside { leaf_count: share.leaf_count(), ..Outside::default() };
        let cost = Cost::default();
        let (out, probes) = (Vec::new(), Vec::new());
        let scenario = scenario.clone();
        let mut world = World {
            scenario,
            share,
            queue,
            network,
            machines,
            incomplete: peers,
            outside,
            chance,
            cost,
            fills: Vec::new(),
            sent_before: (0, 0),
            out_before: (0, 0),
            probes,
            out,
        };
        world.begin(0);
        Ok(world)
    }

    fn node_config(&mut self, machine: u32) -> NodeConfig {
        let mut id = [0; 20];
        id.fill_with(|| self.chance.draw().to_le_bytes()[0]);
        NodeConfig {
            id: PeerId(id),
            port: PORT,
            agent: "simulated/1".to_owned(),
            role: if machine == 0 { Role::Tracker } else { Role::Peer },
            open: false,
            advertised: Vec::new(),
            limit_up: None,
            limit_down: None,
            seed: self.chance.draw(),
        }
    }

    fn share_config(&self, machine: u32) -> ShareConfig {
        let metainfo = self.share.metainfo.clone();
        let share = metainfo.share();
        let (endpoints, goal) = if machine == 0 {
            (Vec::new(), Some(self.scenario.goal.goal()))
        } else {
            (vec![endpoint(0)], None)
        };
        let start = if machine == 0 {
            Start::Holding { held: PieceSet::full(metainfo.geometry().piece_count()), metainfo }
        } else if self.scenario.links {
            Start::Linked
        } else {
            Start::Described(metainfo)
        };
        ShareConfig { share, start, endpoints, goal }
    }

    /// A machine is switched on.
    pub(super) fn begin(&mut self, machine: u32) {
        let (node_config, share_config) = (self.node_config(machine), self.share_config(machine));
        if let Some(probe) = self.probes.iter_mut().find(|probe| probe.machine == machine) {
            probe.begin(node_config.clone(), share_config.clone());
        }
        let mut node = Node::new(node_config);
        node.add(Moment::START, share_config, &mut self.out);
        let now = self.queue.now();
        let it = &mut self.machines[machine as usize];
        it.began = now;
        it.node = Some(node);
        let deadline = it.node.as_ref().and_then(Node::deadline);
        self.perform(machine);
        self.rewake(machine, deadline);
    }
}
