//! How much one address has of a share: links at the same time, and what links that are gone were given. Knows no peers.
//!
//! Ids cost nothing and prove nothing, addresses cost something. On this machine and on a private network many honest
//! peers may be seen at one address, so that only public ones are bound.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::scope::{Scope, host, network};
use crate::time::Moment;

/// Addresses whose departed links are remembered.
const REMEMBERED_MAX: usize = 10_000;
/// What they were given counts half after such a time: who left with all it wanted is no burden to its neighbours for long.
const HALF_LIFE: Duration = Duration::from_secs(60);

/// What they did not repay counts so many times, since it is gone with them. Simulated with 3 of 32 peers that come back as somebody new
/// after each 256 KiB, the others end later by a sixth, and by a third if it counted once.
const GONE: u64 = 3;

/// Links by address and by network, and what was given to links that are gone. Invariant: no count is 0.
#[derive(Clone, Debug, Default)]
pub struct Crowd {
    hosts: BTreeMap<IpAddr, usize>,
    networks: BTreeMap<IpAddr, usize>,
    given: BTreeMap<IpAddr, Given>,
}

/// Bytes, as they counted at that moment.
#[derive(Clone, Copy, Debug)]
struct Given {
    bytes: u64,
    at: Moment,
}

impl Given {
    /// As they count now: halved at each half-life, whatever was added meanwhile.
    fn faded(self, now: Moment) -> Given {
        let halvings = u32::try_from(now.since(self.at).as_secs() / HALF_LIFE.as_secs()).unwrap_or(u32::MAX);
        match self.bytes.checked_shr(halvings) {
            Some(bytes) if bytes > 0 => Given { bytes, at: self.at.after(HALF_LIFE * halvings) },
            _ => Given { bytes: 0, at: now },
        }
    }
}

impl Crowd {
    /// One link more from `ip`.
    pub fn came(&mut self, ip: IpAddr) {
        *self.hosts.entry(host(ip)).or_default() += 1;
        *self.networks.entry(network(ip)).or_default() += 1;
    }

    /// One less.
    pub fn went(&mut self, ip: IpAddr) {
        take_one(&mut self.hosts, host(ip));
        take_one(&mut self.networks, network(ip));
    }

    /// Whether one more link from `ip` would be more than a quarter of so many places for its address, or more than half
    /// for its network.
    pub fn is_full(&self, ip: IpAddr, places: usize) -> bool {
        let count = |of: &BTreeMap<IpAddr, usize>, key: IpAddr| of.get(&key).copied().unwrap_or(0);
        let is_bound = Scope::of(ip) == Scope::Global;
        is_bound
            && (count(&self.hosts, host(ip)) >= places / 4
                || count(&self.networks, network(ip)) >= places / 2)
    }

    /// A link that is gone was given so much, and gave so much: what it did not repay counts, and [`GONE`] times, for who comes from
    /// its address later.
    pub fn gave(&mut self, ip: IpAddr, given_bytes: u64, repaid_bytes: u64, now: Moment) {
        let bytes = given_bytes.saturating_sub(repaid_bytes).saturating_mul(GONE);
        if bytes == 0 || Scope::of(ip) != Scope::Global {
            return;
        }
        let key = host(ip);
        let before = self.given.get(&key).map_or(Given { bytes: 0, at: now }, |given| given.faded(now));
        let bytes = before.bytes.saturating_add(bytes);
        self.given.insert(key, Given { bytes, ..before });
        if self.given.len() > REMEMBERED_MAX
            && let Some(other) = self.given.keys().find(|other| **other != key).copied()
        {
            self.given.remove(&other);
        }
    }

    /// What links from `ip` that are gone were given, the older the less.
    pub fn given(&self, ip: IpAddr, now: Moment) -> u64 {
        self.given.get(&host(ip)).map_or(0, |given| given.faded(now).bytes)
    }

    /// How many links there are by address; for checks.
    pub fn hosts(&self) -> &BTreeMap<IpAddr, usize> {
        &self.hosts
    }
}

fn take_one(counts: &mut BTreeMap<IpAddr, usize>, key: IpAddr) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_public_address_has_a_quarter_of_the_places_and_its_network_half() {
        let mut crowd = Crowd::default();
        for last in 1..=2 {
            (0..5).for_each(|_| crowd.came(ip(&format!("203.0.113.{last}"))));
        }
        assert!(crowd.is_full(ip("203.0.113.1"), 20));
        assert!(crowd.is_full(ip("203.0.113.9"), 20), "ten of its network are half");
        assert!(!crowd.is_full(ip("203.0.114.1"), 20));
        crowd.went(ip("203.0.113.1"));
        assert!(!crowd.is_full(ip("203.0.113.1"), 20));
    }

    #[test]
    fn neighbours_on_one_machine_or_private_network_are_not_bound() {
        let mut crowd = Crowd::default();
        for near in ["127.0.0.1", "192.168.1.7", "fd00::7"] {
            (0..99).for_each(|_| crowd.came(ip(near)));
            assert!(!crowd.is_full(ip(near), 20));
        }
    }

    #[test]
    fn what_departed_links_were_given_counts_threefold_and_after_a_minute_half_of_that() {
        let (mut crowd, now) = (Crowd::default(), Moment::START);
        crowd.gave(ip("203.0.113.1"), 500, 0, now);
        crowd.gave(ip("203.0.113.1"), 400, 0, now);
        assert_eq!(crowd.given(ip("203.0.113.1"), now), 2_700);
        assert_eq!(crowd.given(ip("203.0.113.1"), now.after(HALF_LIFE)), 1_350);
        assert_eq!(crowd.given(ip("203.0.113.1"), now.after(HALF_LIFE * 1_000)), 0);
        assert_eq!(crowd.given(ip("203.0.113.2"), now), 0);
        crowd.gave(ip("203.0.113.2"), 700, 600, now);
        assert_eq!(crowd.given(ip("203.0.113.2"), now), 300, "it repaid the rest");
        crowd.gave(ip("203.0.113.3"), 700, 900, now);
        assert_eq!(crowd.given(ip("203.0.113.3"), now), 0);
        for near in ["127.0.0.1", "192.168.1.7", "fd00::7"] {
            crowd.gave(ip(near), 900, 0, now);
            assert_eq!(crowd.given(ip(near), now), 0, "many may be seen at {near}");
        }
    }

    #[test]
    fn what_departed_links_were_given_fades_however_often_others_depart() {
        let (mut crowd, mut now) = (Crowd::default(), Moment::START);
        for _ in 0..1_000 {
            crowd.gave(ip("203.0.113.1"), 1_000, 0, now);
            now = now.after(Duration::from_secs(20));
        }
        assert!(crowd.given(ip("203.0.113.1"), now) <= 18_000, "three in each half-life");
    }

    #[test]
    fn what_is_given_after_all_before_has_faded_fades_from_then_on() {
        let (mut crowd, away) = (Crowd::default(), ip("203.0.113.1"));
        let late = Moment::START.after(HALF_LIFE * 30 - Duration::from_secs(1));
        crowd.gave(away, 100, 0, Moment::START);
        crowd.gave(away, 100, 0, late);
        assert_eq!(crowd.given(away, late.after(Duration::from_secs(2))), 300);
    }

    #[test]
    fn only_so_many_addresses_are_remembered() {
        let mut crowd = Crowd::default();
        let far = |n: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + n));
        (0..20_000).for_each(|n| crowd.gave(far(n), 1, 0, Moment::START));
        assert_eq!(crowd.given.len(), REMEMBERED_MAX);
    }
}
