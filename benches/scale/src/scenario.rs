//! What is played: how many machines, their lines, when they come; and the bound no swarm can beat.

use clap::{Args, ValueEnum};
use minibit::chance::Chance;
use minibit::wire::Goal;

use crate::queue::{Micros, SECOND};

/// The options that all commands share.
#[derive(Args, Clone, Debug)]
pub struct Scenario {
    /// Size of the content, in MiB
    #[arg(long, default_value_t = 64, value_name = "MIB")]
    pub mib: u64,
    /// Piece length in KiB [default: the product's own choice]
    #[arg(long, value_name = "KIB")]
    pub piece_kib: Option<u32>,
    /// Uplinks of the peers in Mbit/s, given to them in turn
    #[arg(long, default_value = "50", value_delimiter = ',', value_name = "MBIT")]
    pub up: Vec<f64>,
    /// Downlinks of the peers in Mbit/s, in turn
    #[arg(long, default_value = "50", value_delimiter = ',', value_name = "MBIT")]
    pub down: Vec<f64>,
    /// The seed's uplink in Mbit/s [default: the first peer's]
    #[arg(long, value_name = "MBIT")]
    pub seed_up: Option<f64>,
    /// One way between two machines, in milliseconds
    #[arg(long, default_value_t = 20.0, value_name = "MS")]
    pub delay: f64,
    /// How the peers come
    #[arg(long, value_enum, default_value_t = Arrival::Flash)]
    pub arrival: Arrival,
    /// Seconds within which they come [default: 0.1 for a flash crowd, else 60]
    #[arg(long, value_name = "SECONDS")]
    pub within: Option<f64>,
    /// The share's goal
    #[arg(long, value_enum, default_value_t = Aim::Reciprocal)]
    pub goal: Aim,
    /// Peers begin with a link and fetch the description
    #[arg(long)]
    pub links: bool,
    /// Peers leave when they are complete
    #[arg(long)]
    pub leave: bool,
    /// The number that the whole story follows from
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,
}

/// How peers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arrival {
    /// All at once
    Flash,
    /// One after the other, evenly
    Even,
    /// One after the other, by chance
    Poisson,
}

/// What the swarm is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Aim {
    /// Tit for tat
    Reciprocal,
    /// All finish soonest
    LastPeer,
}

impl Aim {
    /// As the core names it.
    pub fn goal(self) -> Goal {
        match self {
            Aim::Reciprocal => Goal::Reciprocal,
            Aim::LastPeer => Goal::LastPeer,
        }
    }

    /// As the command line names it.
    pub fn name(self) -> &'static str {
        match self {
            Aim::Reciprocal => "reciprocal",
            Aim::LastPeer => "last-peer",
        }
    }
}

/// Bytes a second.
fn rate(mbit: f64) -> f64 {
    mbit * 1e6 / 8.0
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates and times are small and positive"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

impl Scenario {
    /// Content in bytes.
    pub fn bytes(&self) -> u64 {
        self.mib << 20
    }

    /// The seed's uplink, bytes a second.
    pub fn seed_up_rate(&self) -> u64 {
        whole(rate(self.seed_up.unwrap_or(self.up[0])))
    }

    /// The uplink of a peer (counted from 0), bytes a second.
    pub fn up_rate(&self, peer: usize) -> u64 {
        whole(rate(self.up[peer % self.up.len()]))
    }

    /// The downlink of a peer (counted from 0), bytes a second.
    pub fn down_rate(&self, peer: usize) -> u64 {
        whole(rate(self.down[peer % self.down.len()]))
    }

    /// One machine's share of the way between two.
    pub fn distance(&self) -> Micros {
        whole(self.delay * 500.0)
    }

    /// When each peer comes, in order.
    pub fn arrivals(&self, peers: usize, chance: &mut Chance) -> Vec<Micros> {
        let within = self.within.unwrap_or(if self.arrival == Arrival::Flash { 0.1 } else { 60.0 });
        let step = within * SECOND as f64 / peers as f64;
        let mut at = 0.0;
        let next = |_| {
            let came = whole(at);
            let even = chance.draw() as f64 / u64::MAX as f64;
            at += if self.arrival == Arrival::Poisson { -step * (1.0 - even).max(1e-12).ln() } else { step };
            came
        };
        (0..peers).map(next).collect()
    }

    /// No swarm can serve its last peer before so many seconds: the fluid limit of Kumar and Ross 2006, and where peers
    /// come late, that each needs its own time after it came.
    pub fn bound(&self, arrivals: &[Micros]) -> f64 {
        let content = self.bytes() as f64;
        let seed_up = self.seed_up_rate() as f64;
        let all_up: f64 = (0..arrivals.len()).map(|peer| self.up_rate(peer) as f64).sum();
        let own = |(peer, at): (usize, &Micros)| {
            let came = if self.arrival == Arrival::Flash { 0.0 } else { *at as f64 / SECOND as f64 };
            came + content / self.down_rate(peer) as f64
        };
        let by_downlinks = arrivals.iter().enumerate().map(own).fold(0.0, f64::max);
        let together = arrivals.len() as f64 * content / (seed_up + all_up);
        (content / seed_up).max(by_downlinks).max(together)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        scenario: Scenario,
    }

    fn scenario(line: &str) -> Scenario {
        Line::parse_from(std::iter::once("x").chain(line.split_whitespace())).scenario
    }

    #[test]
    fn the_bound_is_that_of_the_fluid_limit() {
        let uniform = scenario("").bound(&[0; 8]);
        assert!((uniform - 10.737).abs() < 0.001, "{uniform}");
        let thin = scenario("--up 10 --seed-up 50").bound(&[0; 8]);
        assert!((thin - 33.04).abs() < 0.01, "{thin}");
        let late = scenario("--arrival even").bound(&[0, 30 * SECOND]);
        assert!((late - 40.737).abs() < 0.001, "{late}");
    }

    #[test]
    fn peers_come_in_order_within_their_time() {
        let mut chance = Chance::new(3);
        assert_eq!(
            scenario("--arrival even --within 4").arrivals(4, &mut chance),
            [0, SECOND, 2 * SECOND, 3 * SECOND]
        );
        let by_chance = scenario("--arrival poisson --within 100").arrivals(1000, &mut chance);
        assert!(by_chance.is_sorted());
        assert!((80 * SECOND..120 * SECOND).contains(&by_chance[999]), "{}", by_chance[999]);
    }
}
