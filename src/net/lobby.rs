//! Who came in from where: no address has all the seats, and none all the time to say who it is.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::turns::Turns;
use crate::scope::{Scope, host, network};

/// Connections from one address: some fifty peers behind one router find room.
const ADDRESS_MAX: usize = 64;
/// Connections from one network: less than half of a share's 200 links, so that the others have the larger half.
const NETWORK_MAX: usize = 96;
/// Connections from one address that have not said who they are.
const ADDRESS_HALF_OPEN_MAX: usize = 32;

/// The accepted connections that stand, as many as there are seats. A clone is the same lobby.
///
/// An address of this machine or this site is bound only by the seats and by what all the half-open may have: there, a router,
/// a relay or a container's bridge makes many look like one.
#[derive(Clone, Debug)]
pub(crate) struct Lobby {
    half_open_max: usize,
    visits: Arc<Mutex<Visits>>,
}

#[derive(Debug, Default)]
struct Visits {
    ever: u64,
    /// By number, so the oldest first.
    standing: BTreeMap<u64, Standing>,
    turns: Turns,
}

#[derive(Debug)]
struct Standing {
    /// Whoever has one address of it has them all.
    host: IpAddr,
    is_half_open: bool,
    shown_out: CancellationToken,
}

/// One connection's place in the lobby; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Visit {
    number: u64,
    lobby: Lobby,
    turn: Instant,
    shown_out: CancellationToken,
}

impl Lobby {
    /// Of so many seats, half may be taken by those who have not said who they are.
    pub(crate) fn new(seats: usize) -> Lobby {
        Lobby { half_open_max: (seats / 2).max(1), visits: Arc::default() }
    }

    /// Lets a connection in from the unmapped `ip`; none when too many came from there. Of too many half-open ones the oldest is
    /// shown out: an honest peer has had its turn and said who it is long before.
    pub(crate) fn enter(&self, ip: IpAddr) -> Option<Visit> {
        let host = host(ip);
        let mut visits = self.lock();
        if Scope::of(ip) == Scope::Global && !visits.have_room(host) {
            return None;
        }
        let turn = visits.turns.take(host, Instant::now())?;
        if visits.half_open().count() >= self.half_open_max {
            visits.show_out_oldest();
        }
        let number = visits.ever;
        visits.ever += 1;
        let shown_out = CancellationToken::new();
        let standing = Standing { host, is_half_open: true, shown_out: shown_out.clone() };
        visits.standing.insert(number, standing);
        Some(Visit { number, lobby: self.clone(), turn, shown_out })
    }

    fn lock(&self) -> MutexGuard<'_, Visits> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visits {
    /// Whether one more may come from `host`; makes room among its own half-open ones.
    fn have_room(&mut self, host: IpAddr) -> bool {
        let of_host = self.standing.values().filter(|standing| standing.host == host).count();
        let of_network =
            self.standing.values().filter(|standing| network(standing.host) == network(host)).count();
        if of_host >= ADDRESS_MAX || of_network >= NETWORK_MAX {
            return false;
        }
        let half_open: Vec<u64> = self.half_open().filter(|(_, at)| *at == host).map(|(n, _)| n).collect();
        if half_open.len() >= ADDRESS_HALF_OPEN_MAX {
            self.show_out(half_open[0]);
        }
        true
    }

    fn half_open(&self) -> impl Iterator<Item = (u64, IpAddr)> {
        let half_open = self.standing.iter().filter(|(_, standing)| standing.is_half_open);
        half_open.map(|(number, standing)| (*number, standing.host))
    }

    fn show_out_oldest(&mut self) {
        let oldest = self.half_open().next();
        oldest.into_iter().for_each(|(number, _)| self.show_out(number));
    }

    fn show_out(&mut self, number: u64) {
        if let Some(standing) = self.standing.remove(&number) {
            standing.shown_out.cancel();
        }
    }
}

impl Visit {
    /// It said who it is.
    pub(crate) fn introduced(&self) {
        if let Some(standing) = self.lobby.lock().standing.get_mut(&self.number) {
            standing.is_half_open = false;
        }
    }

    /// Waits until it may be listened to.
    pub(crate) async fn turn(&self) {
        sleep_until(self.turn).await;
    }

    /// Waits until its place is given to another.
    pub(crate) async fn shown_out(&self) {
        self.shown_out.cancelled().await;
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.lobby.lock().standing.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn introduced(lobby: &Lobby, from: &str) -> Option<Visit> {
        lobby.enter(ip(from)).inspect(Visit::introduced)
    }

    #[test]
    fn fifty_peers_behind_one_router_find_room_and_a_crowd_from_there_does_not() {
        let lobby = Lobby::new(512);
        let crowd: Vec<Visit> = (0..200).filter_map(|_| introduced(&lobby, "192.0.2.1")).collect();
        assert_eq!(crowd.len(), ADDRESS_MAX);
        assert!(introduced(&lobby, "192.0.2.2").is_some(), "a neighbour finds room");
        drop(crowd);
        assert!(introduced(&lobby, "192.0.2.1").is_some(), "a place that is left is free again");
    }

    #[test]
    fn a_network_of_many_addresses_has_less_than_half_of_a_shares_links() {
        let lobby = Lobby::new(512);
        let crowd: Vec<Visit> =
            (0..250).filter_map(|host| introduced(&lobby, &format!("192.0.2.{host}"))).collect();
        let v6: Vec<Visit> =
            (0..250).filter_map(|host| introduced(&lobby, &format!("2001:db8:1:{host}::1"))).collect();
        assert_eq!((crowd.len(), v6.len()), (NETWORK_MAX, NETWORK_MAX));
        assert!(
            introduced(&lobby, "198.51.100.1").is_some() && introduced(&lobby, "2001:db8:2::1").is_some()
        );
    }

    #[test]
    fn whoever_has_one_address_of_a_segment_has_them_all() {
        let lobby = Lobby::new(512);
        let crowd: Vec<Visit> =
            (0..200).filter_map(|host| introduced(&lobby, &format!("2001:db8::{host}"))).collect();
        assert_eq!(crowd.len(), ADDRESS_MAX);
    }

    #[test]
    fn on_one_site_many_may_look_like_one() {
        let lobby = Lobby::new(512);
        for near in ["127.0.0.1", "10.0.0.1", "fd00::1"] {
            let crowd: Vec<Visit> = (0..300).filter_map(|_| introduced(&lobby, near)).collect();
            assert_eq!(crowd.len(), 300, "{near}");
        }
    }

    #[test]
    fn of_too_many_that_do_not_say_who_they_are_the_oldest_is_shown_out() {
        let lobby = Lobby::new(512);
        let known = introduced(&lobby, "192.0.2.1").unwrap();
        let silent: Vec<Visit> =
            (0..=ADDRESS_HALF_OPEN_MAX).map(|_| lobby.enter(ip("192.0.2.1")).unwrap()).collect();
        let out: Vec<bool> = silent.iter().map(|visit| visit.shown_out.is_cancelled()).collect();
        assert!(out[0] && !out[1..].contains(&true) && !known.shown_out.is_cancelled());
    }

    #[test]
    fn those_who_say_nothing_have_at_most_half_of_the_seats_wherever_they_are() {
        let lobby = Lobby::new(20);
        let silent: Vec<Visit> = (0..30).map(|_| lobby.enter(ip("127.0.0.1")).unwrap()).collect();
        let left = silent.iter().filter(|visit| !visit.shown_out.is_cancelled()).count();
        assert_eq!(left, 10);
        assert!(!silent[29].shown_out.is_cancelled(), "the newest stays");
    }
}
