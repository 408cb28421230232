//! How the world is mended: from here on nothing goes wrong, and everyone must finish.

use std::net::{IpAddr, SocketAddr};

use super::World;
use crate::machine::Begin;
use crate::network::Line;
use crate::truth::Truth;

impl World {
    /// Ends all trouble. Whoever's disk came to harm, or who sent false bytes for it, is begun again by its person: with
    /// the content restored where it was the source, and at another address, where nobody bears it a grudge.
    pub fn mend(&mut self) {
        let now = self.now();
        for machine in 0..self.machines.len() {
            let it = &mut self.machines[machine];
            it.is_refusing = false;
            it.disk.mend(now);
            self.network.weather.lines[machine] = Line::default();
            self.network.set_rates(machine, it.spec.up_rate, it.spec.down_rate);
            self.resume(machine);
        }
        for machine in 0..self.machines.len() {
            let is_honest = self.machines[machine].spec.lies.is_none();
            let has_lied = self.checker.book(machine).has_sent_false;
            if is_honest && (has_lied || self.is_harmed(machine)) {
                self.lose(machine, false);
                self.restore(machine);
                if has_lied {
                    self.move_away(machine);
                }
            }
            if self.machines[machine].node.is_none() {
                self.boot(machine);
            }
        }
    }

    /// Whether anything is not on its disk as it should be.
    fn is_harmed(&self, machine: usize) -> bool {
        let it = &self.machines[machine];
        let seeds = it.spec.shares.iter().filter(|(_, begin)| matches!(begin, Begin::Seed));
        let mut sources = seeds.map(|(share, _)| &self.truths[*share]);
        let lacks = |truth: &Truth| (0..truth.leaves.len()).any(|piece| !it.disk.is_true(truth, piece));
        self.checker.book(machine).has_lost || it.disk.is_harmed() || sources.any(lacks)
    }

    fn restore(&mut self, machine: usize) {
        for (share, begin) in self.machines[machine].spec.shares.clone() {
            if matches!(begin, Begin::Seed) {
                let truth = &self.truths[share];
                (0..truth.leaves.len()).for_each(|piece| self.machines[machine].disk.fill(truth, piece));
            }
        }
    }

    /// The machine has another address from now on.
    pub fn move_away(&mut self, machine: usize) {
        let address = self.machines[machine].address;
        if let IpAddr::V4(v4) = address.ip() {
            let [a, b, c, d] = v4.octets();
            let ip = IpAddr::from([a, b, c.wrapping_add(1), d]);
            self.machines[machine].address = SocketAddr::new(ip, address.port());
        }
    }
}
