//! Who is served: those that deserve it, four among those who trade, and one by chance (BEP 3). Knows standings, not bytes or
//! pieces.

use std::collections::BTreeSet;
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
        interested.sort_by_key(|standing| std::cmp::Reverse(standing.merit));
        self.drop_the_absent(&interested);
        if now >= self.round_ends {
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
        let after = self.unchoked();
        Changes {
            choke: before.difference(&after).copied().collect(),
            unchoke: after.difference(&before).copied().collect(),
        }
    }

    /// Whether a review could change anything, now that this peer, known or not, is interested or is no more (or gone).
    pub fn minds(&self, link: LinkId, interested: bool, now: Moment, deserving_max: usize) -> bool {
        let is_served = self.deserving.contains(&link) || self.lucky.is_some_and(|lucky| lucky.link == link);
        let is_free = self.deserving.len() < deserving_max || self.lucky.is_none();
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

    fn fill(&mut self, by_merit: &[Standing], deserving_max: usize) {
        for standing in by_merit {
            if self.deserving.len() >= deserving_max {
                break;
            }
            self.deserving.insert(standing.link);
            self.lucky = self.lucky.filter(|lucky| lucky.link != standing.link);
        }
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
        let tickets: Vec<&Standing> = candidates
            .into_iter()
            .flat_map(|s| std::iter::repeat_n(s, 1 + lots(hundredths_behind(s.pieces, middle))))
            .collect();
        let drawn = chance.pick(&tickets);
        self.lucky =
            drawn.map(|drawn| Lucky { link: drawn.link, since: now, given_bytes: drawn.given_bytes });
    }
}

/// Whether its turn is over: it was given enough, or had time enough.
fn is_over(lucky: Lucky, now: Moment, interested: &[Standing], turn_bytes: u64) -> bool {
    let given = interested.iter().find(|standing| standing.link == lucky.link).map(|s| s.given_bytes);
    let is_fed = given.is_none_or(|given| given >= lucky.given_bytes.saturating_add(turn_bytes));
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

/// Lots beside the one that everyone has.
fn lots(hundredths_behind: u64) -> usize {
    usize::try_from(hundredths_behind.min(LOTS_MAX)).expect("a few")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { deserving_max: UNCHOKED_MAX, turn_bytes: 100 };

    struct Village {
        choker: Choker,
        standings: Vec<Standing>,
        now: Moment,
        chance: Chance,
    }

    impl Village {
        fn of(merits: &[i64]) -> Village {
            let standings = (0..).zip(merits).map(|(link, merit)| Standing {
                link: LinkId(link),
                interested: true,
                merit: *merit,
                given_bytes: 0,
                pieces: 0,
            });
            Village {
                choker: Choker::default(),
                standings: standings.collect(),
                now: Moment::START,
                chance: Chance::new(7),
            }
        }

        fn pass(&mut self, span: Duration) -> Changes {
            self.now = self.now.after(span);
            let changes = self.choker.review(self.now, &self.standings, TERMS, &mut self.chance);
            assert!(self.choker.deserving.len() <= UNCHOKED_MAX);
            assert!(self.lucky().is_none_or(|link| !self.choker.deserving.contains(&link)));
            changes
        }

        fn lucky(&self) -> Option<LinkId> {
            self.choker.lucky.map(|lucky| lucky.link)
        }

        fn deserving(&self) -> Vec<u64> {
            self.choker.deserving.iter().map(|link| link.0).collect()
        }
    }

    #[test]
    fn the_four_best_givers_and_one_by_chance_are_served() {
        let mut village = Village::of(&[10, 50, 40, 30, 20, 60, 5]);
        village.pass(Duration::ZERO);
        assert_eq!(village.deserving(), [1, 2, 3, 5]);
        assert!([0, 4, 6].contains(&village.lucky().expect("someone is lucky").0));
    }

    #[test]
    fn the_fifth_fastest_peer_waits_for_the_next_round() {
        let mut village = Village::of(&[50, 40, 30, 20, 10]);
        (0..5).for_each(|_| drop(village.pass(ROUND)));
        village.standings[4].merit = 100;
        village.pass(Duration::from_secs(9));
        assert_eq!(village.deserving(), [0, 1, 2, 3]);
        village.pass(Duration::from_secs(1));
        assert_eq!(village.deserving(), [0, 1, 2, 4]);
    }

    #[test]
    fn the_first_rounds_are_short_so_that_bad_luck_at_the_beginning_does_not_last() {
        let mut village = Village::of(&[50, 40, 30, 20, 10]);
        village.pass(Duration::ZERO);
        village.standings[4].merit = 100;
        village.pass(ROUND_FIRST);
        assert_eq!(village.deserving(), [0, 1, 2, 4]);
        village.standings[3].merit = 200;
        village.pass(ROUND_FIRST);
        assert_eq!(village.deserving(), [0, 1, 2, 4], "the second round is twice as long");
        village.pass(ROUND_FIRST);
        assert_eq!(village.deserving(), [0, 1, 3, 4]);
    }

    #[test]
    fn a_free_slot_is_filled_at_once() {
        let mut village = Village::of(&[50, 40, 30, 20, 10, 5]);
        village.pass(Duration::ZERO);
        village.standings.remove(1);
        let changes = village.pass(Duration::from_millis(1));
        assert_eq!(village.choker.unchoked().len(), 5);
        assert_eq!(changes.choke, [LinkId(1)]);
    }

    #[test]
    fn who_loses_interest_loses_its_place() {
        let mut village = Village::of(&[50, 40, 30, 20, 10]);
        village.pass(Duration::ZERO);
        village.standings[0].interested = false;
        village.pass(Duration::from_millis(1));
        assert!(!village.choker.unchoked().contains(&LinkId(0)));
    }

    #[test]
    fn the_optimistic_place_goes_to_another_every_thirty_seconds() {
        let mut village = Village::of(&[50, 40, 30, 20, 0, 0, 0, 0]);
        village.pass(Duration::ZERO);
        let mut last = village.lucky();
        for _ in 0..10 {
            village.pass(Duration::from_secs(29));
            assert_eq!(village.lucky(), last);
            village.pass(Duration::from_secs(1));
            assert_ne!(village.lucky(), last);
            last = village.lucky();
        }
    }

    #[test]
    fn the_optimistic_place_goes_on_as_soon_as_it_did_its_work() {
        let mut village = Village::of(&[50, 40, 30, 20, 0, 0, 0, 0]);
        village.pass(Duration::ZERO);
        let first = village.lucky();
        village.standings.iter_mut().for_each(|standing| standing.given_bytes += 99);
        village.pass(Duration::from_secs(2));
        assert_eq!(village.lucky(), first, "not enough yet");
        village.standings.iter_mut().for_each(|standing| standing.given_bytes += 1);
        village.pass(Duration::from_secs(1));
        assert_ne!(village.lucky(), first);
    }

    #[test]
    fn who_is_two_hundredths_behind_is_three_times_as_likely_to_be_tried() {
        let mut wins_of_the_last = 0;
        for seed in 0..2000 {
            let mut village = Village::of(&[50, 40, 30, 20, 0, 0]);
            village.chance = Chance::new(seed);
            village.standings.iter_mut().for_each(|standing| standing.pieces = 100);
            village.standings[5].pieces = 98;
            village.pass(Duration::ZERO);
            wins_of_the_last += usize::from(village.lucky() == Some(LinkId(5)));
        }
        assert!((1400..1600).contains(&wins_of_the_last), "{wins_of_the_last} of 2000, expected 1500");
    }

    #[test]
    fn a_team_serves_as_many_as_its_terms_say() {
        let mut village = Village::of(&[1; 20]);
        let terms = Terms { deserving_max: 12, ..TERMS };
        let changes = village.choker.review(village.now, &village.standings, terms, &mut village.chance);
        assert_eq!(changes.unchoke.len(), 13);
    }

    #[test]
    fn nobody_uninterested_is_ever_served() {
        let mut village = Village::of(&[9; 3]);
        village.standings.iter_mut().for_each(|s| s.interested = false);
        assert_eq!(village.pass(Duration::from_secs(40)), Changes::default());
    }
}
