//! Who is served: those that deserve it, four among those who trade, and one by chance (BEP 3). Knows standings, not bytes or
//! pieces.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::chance::Chance;
use crate::ids::LinkId;
use crate::time::Moment;

/// Peers served for what they gave (BEP 3).
pub const UNCHOKED_MAX: usize = 4;
/// Peers that a seed serves, who has nobody to repay, beside the one by chance (libtorrent serves as many). With four, its line
/// idles whenever one of them is slow to take: simulated with 8, 16 and 50 peers at 50 Mbit/s and 64 MiB, the last one ends earlier by 3,
/// 8 and 4 hundredths with eight, and not notably earlier with more.
pub const SEED_UNCHOKED_MAX: usize = 8;
/// Peers served where all are on one team: as many as an office's uplink can feed at a pace that still finishes pieces.
/// Simulated with 16 to 64 peers at 50 Mbit/s: 8 end later by a sixteenth, more than 32 gain nothing.
pub const TEAM_UNCHOKED_MAX: usize = 32;
/// How long the deserving stand, unless a place becomes free (BEP 3).
pub const ROUND: Duration = Duration::from_secs(10);
/// The first round; each that follows is twice as long, until [`ROUND`]. The first choice is by chance, and whoever had bad
/// luck would lag for good behind in what takes no longer than a round: simulated with 50 peers and 64 MiB, the last one
/// ends a fifth earlier.
pub const ROUND_FIRST: Duration = Duration::from_secs(1);
/// The turn of the optimistic one ends once it was given enough, but lasts at least and at most so long. BEP 3 has thirty
/// seconds, the time that its peers needed for a piece; simulated with 16 peers at 50 Mbit/s, of which each then soon has
/// something that the others lack, one second ends a quarter earlier.
pub const OPTIMISTIC_TURN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// For each hundredth that a peer is behind the middle one it has a lot more to be the optimistic one, at most so many: it
/// has little to trade with, as BEP 3's newcomers, for whom there are three lots. Simulated with 50 peers at 50 Mbit/s and
/// 64 MiB, the last one ends earlier by a twentieth than with those three.
const LOTS_MAX: u64 = 20;
/// Who is not sated has so many lots for each one of who is.
const LOTS_OF_UNSATED: usize = 4;
/// Of the places, this part is for one network; it has more only where nobody else wants them.
const NETWORK_PART: usize = 4;

/// One linked peer, as the choice sees it.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Who.
    pub link: LinkId,
    /// Whether it wants something of ours; the others are never served.
    pub interested: bool,
    /// What it deserves, as the one who chooses sees it: bytes it gave of late, or less for each piece it holds.
    pub merit: i64,
    /// Bytes given to it since the beginning.
    pub given_bytes: u64,
    /// Pieces it says to hold, and at least what it was given.
    pub pieces: u32,
    /// It was given its part, and did not give back: whoever was not comes first.
    pub is_sated: bool,
    /// It was served lately and asked for nothing.
    pub is_asleep: bool,
    /// The public network that it is seen from; none where neighbours are told apart by nothing.
    pub network: Option<IpAddr>,
}

/// What a choice is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How many are served for their merit.
    pub deserving_max: usize,
    /// Bytes that are enough for an optimistic turn.
    pub turn_bytes: u64,
}

/// Who is served by chance, since when, and what it had been given before.
#[derive(Clone, Copy, Debug)]
struct Lucky {
    link: LinkId,
    since: Moment,
    given_bytes: u64,
}

/// Who is served now. Invariant: at most `deserving_max` in `deserving`, and `lucky` is none of them.
#[derive(Clone, Debug, Default)]
pub struct Choker {
    deserving: BTreeSet<LinkId>,
    lucky: Option<Lucky>,
    /// How long the present round is.
    round: Duration,
    round_ends: Moment,
    /// When to see whether the lucky one was given enough.
    look: Moment,
    /// Whether somebody served is sated: it gives way to who is not.
    serves_sated: bool,
}

/// What a review changed; first choke, then unchoke, so that there is never one too many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// No longer served.
    pub choke: Vec<LinkId>,
    /// Served from now on.
    pub unchoke: Vec<LinkId>,
}

impl Choker {
    /// Ends rounds and turns that are over and fills places that are free, at once. Call it when a peer comes, goes or
    /// changes its interest, and at [`Choker::deadline`].
    pub fn review(
        &mut self,
        now: Moment,
        standings: &[Standing],
        terms: Terms,
        chance: &mut Chance,
    ) -> Changes {
        let before = self.unchoked();
        let mut interested: Vec<Standing> = standings.iter().copied().filter(|s| s.interested).collect();
        chance.shuffle(&mut interested);
        interested.sort_by_key(|standing| std::cmp::Reverse((standing.merit, !standing.is_sated)));
        self.drop_the_absent(&interested);
        self.drop_the_sated(&interested);
        let are_too_many = self.deserving.len() > terms.deserving_max; // who was a seed and trades again serves fewer
        if now >= self.round_ends || are_too_many {
            self.deserving.clear();
            self.round = (self.round * 2).clamp(ROUND_FIRST, ROUND);
            self.round_ends = now.after(self.round);
        }
        if now >= self.look {
            self.look = now.after(OPTIMISTIC_TURN.0);
            self.lucky = self.lucky.filter(|lucky| !is_over(*lucky, now, &interested, terms.turn_bytes));
        }
        self.fill(&interested, terms.deserving_max);
        self.draw(now, &interested, &before, chance);
        let mut served = interested.iter().filter(|standing| self.deserving.contains(&standing.link));
        self.serves_sated = served.any(|standing| standing.is_sated);
        let after = self.unchoked();
        Changes {
            choke: before.difference(&after).copied().collect(),
            unchoke: after.difference(&before).copied().collect(),
        }
    }

    /// Whether a review could change anything, now that this peer, known or not, is interested or is no more (or gone).
    pub fn minds(&self, link: LinkId, interested: bool, now: Moment, deserving_max: usize) -> bool {
        let is_served = self.deserving.contains(&link) || self.lucky.is_some_and(|lucky| lucky.link == link);
        let is_free = self.deserving.len() < deserving_max || self.lucky.is_none() || self.serves_sated;
        now >= self.deadline() || if interested { is_free } else { is_served }
    }

    /// What makes a peer deserving changed: the next review chooses anew.
    pub fn end_round(&mut self, now: Moment) {
        self.round_ends = now;
    }

    /// When to review at the latest.
    pub fn deadline(&self) -> Moment {
        self.round_ends.min(self.look)
    }

    /// Everyone served.
    pub fn unchoked(&self) -> BTreeSet<LinkId> {
        self.deserving.iter().copied().chain(self.lucky.map(|lucky| lucky.link)).collect()
    }

    fn drop_the_absent(&mut self, interested: &[Standing]) {
        let present: BTreeSet<LinkId> = interested.iter().map(|standing| standing.link).collect();
        self.deserving.retain(|link| present.contains(link));
        self.lucky = self.lucky.filter(|lucky| present.contains(&lucky.link));
    }

    /// As many of those who were given their part as others wait for their places: a place that is free for a moment is filled
    /// at once, and whoever always wants something would have them all before the round is over.
    fn drop_the_sated(&mut self, by_merit: &[Standing]) {
        let is_waiting =
            |standing: &&Standing| !standing.is_sated && !self.deserving.contains(&standing.link);
        let waiting = by_merit.iter().filter(is_waiting).count();
        let sated = by_merit.iter().rev().filter(|standing| standing.is_sated);
        let dropped: Vec<LinkId> =
            sated.map(|standing| standing.link).filter(|link| self.deserving.contains(link)).collect();
        for link in dropped.iter().take(waiting) {
            self.deserving.remove(link);
        }
    }

    /// Places go to the networks in turn, one to each, so that many identities of one have no more of them than one; who gave
    /// us something comes in the first turn until its network has its part. Beyond its part a network has none where enough
    /// others are served.
    fn fill(&mut self, by_merit: &[Standing], deserving_max: usize) {
        let network_max = (deserving_max / NETWORK_PART).max(1);
        let enough = UNCHOKED_MAX.max(deserving_max / 2).min(deserving_max);
        let mut counts = self.networks(by_merit);
        let mut turn = |standing: &Standing| {
            let before = standing.network.map_or(0, |network| {
                let count = counts.entry(network).or_default();
                std::mem::replace(count, *count + 1)
            });
            if standing.merit > 0 { before / network_max } else { before }
        };
        let waiting = by_merit.iter().filter(|standing| !self.deserving.contains(&standing.link));
        let mut waiting: Vec<(usize, LinkId)> =
            waiting.map(|standing| (turn(standing), standing.link)).collect();
        waiting.sort_by_key(|(turn, _)| *turn);
        for (turn, link) in waiting {
            if self.deserving.len() >= if turn < network_max { deserving_max } else { enough } {
                return;
            }
            self.deserving.insert(link);
            self.lucky = self.lucky.filter(|lucky| lucky.link != link);
        }
    }

    /// How many places each network has.
    fn networks(&self, interested: &[Standing]) -> BTreeMap<IpAddr, usize> {
        let mut counts = BTreeMap::new();
        let served = interested.iter().filter(|standing| self.deserving.contains(&standing.link));
        served.filter_map(|standing| standing.network).for_each(|network| {
            *counts.entry(network).or_default() += 1;
        });
        counts
    }

    /// Draws the optimistic one among those not served, likelier who is further behind; somebody new where there is one.
    fn draw(&mut self, now: Moment, interested: &[Standing], before: &BTreeSet<LinkId>, chance: &mut Chance) {
        if self.lucky.is_some() {
            return;
        }
        let middle = middle(interested);
        let waiting = interested.iter().filter(|standing| !self.deserving.contains(&standing.link));
        let (old, new): (Vec<&Standing>, Vec<&Standing>) =
            waiting.partition(|standing| before.contains(&standing.link));
        let candidates = if new.is_empty() { old } else { new };
        // However many a network sends, two of them stand for it.
        let mut counts = BTreeMap::new();
        let candidates = candidates.into_iter().filter(|standing| is_within(standing, 2, &mut counts));
        let tickets: Vec<&Standing> =
            candidates.flat_map(|standing| std::iter::repeat_n(standing, lots(standing, middle))).collect();
        let drawn = chance.pick(&tickets);
        self.lucky =
            drawn.map(|drawn| Lucky { link: drawn.link, since: now, given_bytes: drawn.given_bytes });
    }
}

/// Whether its turn is over: it was given enough, or had time enough, or makes no use of it.
fn is_over(lucky: Lucky, now: Moment, interested: &[Standing], turn_bytes: u64) -> bool {
    let enough = lucky.given_bytes.saturating_add(turn_bytes);
    let standing = interested.iter().find(|standing| standing.link == lucky.link);
    let is_fed = standing.is_none_or(|standing| standing.given_bytes >= enough || standing.is_asleep);
    let had = now.since(lucky.since);
    had >= OPTIMISTIC_TURN.1 || (had >= OPTIMISTIC_TURN.0 && is_fed)
}

/// What the middle one of them holds.
fn middle(interested: &[Standing]) -> u32 {
    let mut pieces: Vec<u32> = interested.iter().map(|standing| standing.pieces).collect();
    let middle = pieces.len() / 2;
    if pieces.is_empty() { 0 } else { *pieces.select_nth_unstable(middle).1 }
}

/// How far who holds `pieces` is behind who holds `middle`.
fn hundredths_behind(pieces: u32, middle: u32) -> u64 {
    (u64::from(middle.saturating_sub(pieces)) * 100).checked_div(middle.into()).unwrap_or(0)
}

/// Lots in the draw: the further behind the more, unless it had its part.
fn lots(standing: &Standing, middle: u32) -> usize {
    let behind = hundredths_behind(standing.pieces, middle).min(LOTS_MAX);
    let of_unsated = LOTS_OF_UNSATED * (1 + usize::try_from(behind).expect("a few"));
    if standing.is_sated { 1 } else { of_unsated }
}

/// Whether its network, this one counted, has no more than `most`; one that is told apart by nothing always.
fn is_within(standing: &Standing, most: usize, counts: &mut BTreeMap<IpAddr, usize>) -> bool {
    standing.network.is_none_or(|network| {
        let count = counts.entry(network).or_default();
        *count += 1;
        *count <= most
    })
}

#[cfg(test)]
mod tests;
