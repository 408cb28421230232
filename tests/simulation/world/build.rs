//! How the world's machines come to be, and to life.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use minibit::ids::Endpoint;
use minibit::node::{ShareConfig, Start};
use minibit::seam::Payload;

use super::World;
use crate::disk::Disk;
use crate::machine::{Begin, Machine, Spec};
use crate::queue::Seat;
use crate::tally::Kind;
use crate::truth::Truth;

impl World {
    /// One machine more, switched off; its number.
    pub fn join(&mut self, spec: Spec) -> usize {
        let number = self.machines.len();
        let low = u8::try_from(number + 1).expect("at most 254 machines");
        let ip = match (self.is_loopback, self.is_public) {
            (true, _) => Ipv4Addr::LOCALHOST,
            (_, true) => Ipv4Addr::new(80, low, 7, 1),
            _ => Ipv4Addr::new(10, 0, 0, low),
        };
        let address = SocketAddr::new(IpAddr::V4(ip), 7000 + u16::from(low));
        self.network.join(spec.up_rate, spec.down_rate, spec.distance);
        self.checker.join(spec.lies.is_some(), spec.limit_up);
        let mut machine = Machine::new(spec, address, self.chance.fork());
        for (share, begin) in machine.spec.shares.clone() {
            lay_down(&mut machine.disk, &self.truths[share], &begin);
        }
        machine.disk.is_checked = machine.spec.checks_reads;
        self.machines.push(machine);
        number
    }

    /// One machine more, switched on; its number.
    pub fn start(&mut self, spec: Spec) -> usize {
        let number = self.join(spec);
        self.boot(number);
        number
    }

    /// Where a machine is dialled.
    pub fn endpoint(&self, machine: usize) -> Endpoint {
        self.machines[machine].endpoint()
    }

    /// Starts a machine that is off.
    pub fn boot(&mut self, machine: usize) {
        let now = self.now();
        let id = self.machines[machine].start(now);
        self.checker.begin(machine, id, now);
        self.machines[machine].disk.reopen();
        if self.machines[machine].spec.drift != 0 {
            self.tally.fired(Kind::Drift);
        }
        let seat = Seat { machine, life: self.machines[machine].life };
        for (number, begin) in self.machines[machine].spec.shares.clone() {
            let config = self.share_config(machine, number, &begin);
            let at = self.machines[machine].moment(now);
            let mut out = Vec::new();
            let node = self.machines[machine].node.as_mut().expect("just started");
            node.add(at, config, &mut out);
            self.perform(seat, out, &Payload::None);
        }
        self.rewake(seat);
    }

    fn share_config(&mut self, machine: usize, number: usize, begin: &Begin) -> ShareConfig {
        let truth = &self.truths[number];
        let (share, metainfo) = (truth.share(), truth.metainfo.clone());
        let disk = &self.machines[machine].disk;
        let start = match begin {
            Begin::Seed => {
                let held = truth.set(|piece| disk.is_true(truth, piece as usize));
                self.checker.stocked(machine, share, &held, &held);
                Start::Holding { metainfo, held }
            }
            Begin::Described => Start::Described(metainfo),
            Begin::Linked => Start::Linked,
            Begin::Register(described) => Start::Register(described.then_some(metainfo)),
        };
        let spec = &self.machines[machine].spec;
        ShareConfig { share, start, endpoints: spec.dials.clone(), goal: spec.goal }
    }
}

fn lay_down(disk: &mut Disk, truth: &Truth, begin: &Begin) {
    disk.make_room(truth);
    if matches!(begin, Begin::Seed) {
        (0..truth.leaves.len()).for_each(|piece| disk.fill(truth, piece));
    }
}
