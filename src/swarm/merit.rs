//! What a peer deserves: of who trades for what it gave, of a seed for what it lacks, and hardly more for many than for one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::ids::LinkId;
use crate::time::Moment;
use crate::wire::Goal;

use super::Swarm;
use super::choker::{SEED_UNCHOKED_MAX, Standing, TEAM_UNCHOKED_MAX, UNCHOKED_MAX};
use super::session::Session;

/// A seed serves who was given more than the mean of those who want something, this part of it more, after the others: who
/// takes from nobody else, or says nothing of what it has, is always furthest behind.
const PART_OVER_MEAN: u64 = 2;
/// A seed serves who does not say to hold what it was given after the others, too: nobody else has anything of it. So many turns,
/// and the part above, may be under way or not told of yet. Simulated with 3 thieves of 32 peers, who hide what they have, the others
/// end later by a ninth instead of a quarter; without thieves nothing changes.
const UNTOLD_TURNS: u64 = 2;
/// Who trades is sated once it was given so many times what it gave, and a turn beside.
const REPAID: u64 = 4;
/// What a seed thinks of who never asked for anything, where others sleep: less than of whoever holds the most pieces there may be.
const UNTRIED: i64 = -(1 << 30);

impl Swarm {
    /// By what everyone is measured at present.
    pub(super) fn scales(&self, turn_bytes: u64, now: Moment) -> Scales {
        let worth = self.worth();
        let some_sleep = self.sessions.values().any(|session| session.slumber.is_asleep(now));
        let piece_bytes = self.piece_bytes();
        let hosts = self.hosts(piece_bytes, now);
        let mean = if worth == Worth::Lacks { self.mean_given_bytes(&hosts, piece_bytes, now) } else { 0 };
        let traded = self.sessions.values().any(|session| session.pipe.down.total_bytes() > 0);
        let measure = Measure::new(worth, mean, turn_bytes, traded, some_sleep);
        Scales { measure, piece_bytes, hosts }
    }

    /// What passed between us and each public address, with what links that are gone were given.
    fn hosts(&self, piece_bytes: u64, now: Moment) -> BTreeMap<IpAddr, Balance> {
        let mut hosts = BTreeMap::new();
        for session in self.sessions.values() {
            let Some(host) = session.host else { continue };
            let before = || Balance { gone_bytes: self.crowd.given(host, now), ..Balance::default() };
            let balance: &mut Balance = hosts.entry(host).or_insert_with(before);
            *balance = balance.with(session, piece_bytes);
        }
        hosts
    }

    /// The mean of those who want something and ask for it. However many a public address sends, they count as one.
    fn mean_given_bytes(&self, hosts: &BTreeMap<IpAddr, Balance>, piece_bytes: u64, now: Moment) -> u64 {
        let those = self.sessions.values().filter(|session| !session.is_guest && session.it_wants);
        let those = those.filter(|session| !session.slumber.is_asleep(now));
        let mut counted = BTreeSet::new();
        let those = those.filter(|session| session.host.is_none_or(|host| counted.insert(host)));
        let (count, sum) = those.fold((0, 0_u64), |(count, sum), session| {
            (count + 1, sum.saturating_add(Balance::of(session, hosts, piece_bytes).given_bytes()))
        });
        sum.checked_div(count).unwrap_or(0)
    }

    /// A peer as the choker sees it. What it says to hold counts, and at least what it was given: nobody is served for ever
    /// for saying nothing.
    pub(super) fn standing(&self, link: LinkId, session: &Session, scales: &Scales, now: Moment) -> Standing {
        let balance = Balance::of(session, &scales.hosts, scales.piece_bytes);
        let own_bytes = session.up.total_bytes();
        // Not what neighbours were given who are still there: of those at one address, too, who is behind comes first.
        let given = own_bytes.saturating_add(self.crowd.given(session.remote.address.ip(), now));
        let given = given.checked_div(scales.piece_bytes).and_then(|given| u32::try_from(given).ok());
        let pieces = said_by(session).max(given.unwrap_or(0));
        let deeds = Deeds {
            given_bytes: balance.given_bytes(),
            gave_bytes: balance.gave_bytes,
            hidden_bytes: balance.hidden_bytes(),
            recent_bytes: session.pipe.down.recent_bytes(now),
            pieces,
            has_asked: session.slumber.has_asked(),
            is_asleep: session.slumber.is_asleep(now),
        };
        Standing {
            link,
            interested: session.it_wants,
            merit: scales.measure.merit(&deeds),
            given_bytes: own_bytes,
            pieces,
            is_sated: scales.measure.is_sated(&deeds),
            is_asleep: deeds.is_asleep,
            network: session.network,
        }
    }

    fn worth(&self) -> Worth {
        match self.is_team() {
            true => Worth::Same,
            false if self.is_seed() => Worth::Lacks,
            false => Worth::Gave,
        }
    }

    /// Whether all are after the same: that the last one ends soon.
    fn is_team(&self) -> bool {
        self.goal == Some(Goal::LastPeer)
    }

    pub(super) fn deserving_max(&self) -> usize {
        match self.worth() {
            Worth::Same => TEAM_UNCHOKED_MAX,
            Worth::Lacks => SEED_UNCHOKED_MAX,
            Worth::Gave => UNCHOKED_MAX,
        }
    }
}

/// What makes a peer deserve to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    /// It gave us most lately.
    Gave,
    /// It is furthest behind, because a seed has nobody to repay.
    Lacks,
    /// All the same: where everyone serves whoever is furthest behind, everyone serves the same few.
    Same,
}

/// By what peers are measured, and what is known of their addresses.
pub(super) struct Scales {
    measure: Measure,
    piece_bytes: u64,
    hosts: BTreeMap<IpAddr, Balance>,
}

/// By what peers are measured.
struct Measure {
    worth: Worth,
    /// Of an optimistic turn.
    turn_bytes: u64,
    /// What a seed gives to one.
    part_bytes: u64,
    /// What somebody may have been given and not say to hold.
    untold_bytes: u64,
    /// It had something of others itself: it remembers who gave.
    traded: bool,
    /// Some are served and ask for nothing: who ever asked comes before who never did.
    some_sleep: bool,
}

/// What a peer did, with all others of its public address, and how it stands.
#[derive(Clone, Copy, Debug, Default)]
struct Deeds {
    given_bytes: u64,
    gave_bytes: u64,
    hidden_bytes: u64,
    /// What it gave lately, this one alone.
    recent_bytes: u64,
    pieces: u32,
    has_asked: bool,
    is_asleep: bool,
}

impl Measure {
    /// Of those who want something, and were given so much in the mean.
    fn new(worth: Worth, mean_bytes: u64, turn_bytes: u64, traded: bool, some_sleep: bool) -> Measure {
        let part_bytes = mean_bytes + mean_bytes / PART_OVER_MEAN + turn_bytes;
        let untold_bytes = mean_bytes / PART_OVER_MEAN + UNTOLD_TURNS * turn_bytes;
        Measure { worth, turn_bytes, part_bytes, untold_bytes, traded, some_sleep }
    }

    /// Whether it had its part: it comes after who had not.
    fn is_sated(&self, deeds: &Deeds) -> bool {
        let repaid_bytes = deeds.gave_bytes.saturating_mul(REPAID);
        let is_unpaid = deeds.given_bytes > repaid_bytes.saturating_add(self.turn_bytes);
        match self.worth {
            Worth::Gave => is_unpaid,
            Worth::Lacks => {
                deeds.is_asleep
                    || deeds.hidden_bytes > self.untold_bytes
                    || deeds.given_bytes > self.part_bytes
                    || (self.traded && is_unpaid)
            }
            Worth::Same => deeds.is_asleep,
        }
    }

    /// The more, the sooner it is served.
    fn merit(&self, deeds: &Deeds) -> i64 {
        match self.worth {
            Worth::Gave => i64::try_from(deeds.recent_bytes).unwrap_or(i64::MAX),
            Worth::Lacks if deeds.is_asleep => i64::MIN,
            Worth::Lacks if self.is_sated(deeds) => {
                let given = i64::try_from(deeds.given_bytes / 4).unwrap_or(i64::MAX / 2);
                -i64::from(u32::MAX) - given - i64::from(deeds.pieces)
            }
            Worth::Lacks if self.some_sleep && !deeds.has_asked => UNTRIED,
            Worth::Lacks => -i64::from(deeds.pieces),
            Worth::Same => 0,
        }
    }
}

/// What passed between us and somebody, since the beginning.
#[derive(Clone, Copy, Debug, Default)]
struct Balance {
    /// What links that are gone were given, as it counts now.
    gone_bytes: u64,
    /// What those that are there were given.
    here_bytes: u64,
    gave_bytes: u64,
    /// What they were given beyond what they say to hold, each for itself.
    untold_bytes: u64,
    /// What they say to hold beyond what they were given.
    beyond_bytes: u64,
}

impl Balance {
    /// Of a peer with all others of its public address, since ids cost nothing.
    fn of(session: &Session, hosts: &BTreeMap<IpAddr, Balance>, piece_bytes: u64) -> Balance {
        let together = session.host.and_then(|host| hosts.get(&host));
        together.copied().unwrap_or_else(|| Balance::default().with(session, piece_bytes))
    }

    fn with(self, session: &Session, piece_bytes: u64) -> Balance {
        let given_bytes = session.up.total_bytes();
        let said_bytes = u64::from(said_by(session)).saturating_mul(piece_bytes);
        let untold_bytes = given_bytes.saturating_sub(said_bytes);
        let beyond_bytes = said_bytes.saturating_sub(given_bytes);
        Balance {
            gone_bytes: self.gone_bytes,
            here_bytes: self.here_bytes.saturating_add(given_bytes),
            gave_bytes: self.gave_bytes.saturating_add(session.pipe.down.total_bytes()),
            untold_bytes: self.untold_bytes.saturating_add(untold_bytes),
            beyond_bytes: self.beyond_bytes.saturating_add(beyond_bytes),
        }
    }

    fn given_bytes(&self) -> u64 {
        self.here_bytes.saturating_add(self.gone_bytes)
    }

    /// What they do not say to hold of what they were given. What one says to hold beyond may be what those that are gone
    /// were given, and tells nothing of its neighbour.
    fn hidden_bytes(&self) -> u64 {
        self.untold_bytes.saturating_add(self.gone_bytes.saturating_sub(self.beyond_bytes))
    }
}

/// How many pieces a peer says to hold.
fn said_by(session: &Session) -> u32 {
    session.stock.known().map_or(0, |stock| stock.count())
}

#[cfg(test)]
mod tests;
