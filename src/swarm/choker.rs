//! Who is served: the four that gave most, and one by chance (BEP 3). Knows standings, not bytes or pieces.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::chance::Chance;
use crate::ids::LinkId;
use crate::time::Moment;

/// Peers served for what they gave.
pub const UNCHOKED_MAX: usize = 4;
/// How long the four stand, unless a place becomes free (BEP 3).
pub const ROUND: Duration = Duration::from_secs(10);
/// How long the optimistic one stands (BEP 3).
pub const OPTIMISTIC_ROUND: Duration = Duration::from_secs(30);
/// How much likelier a newcomer is to be the optimistic one (BEP 3).
const NEWCOMER_WEIGHT: usize = 3;

/// One linked peer, as the choice sees it.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Who.
    pub link: LinkId,
    /// Whether it wants something of ours; the others are never served.
    pub interested: bool,
    /// What it gave in the last 20 s; of a seed's peers, how far they spread what they got.
    pub merit: u64,
    /// Whether it came only lately.
    pub newcomer: bool,
}

/// Who is served now. Invariant: at most [`UNCHOKED_MAX`] in `deserving`, and `lucky` is none of them.
#[derive(Clone, Debug, Default)]
pub struct Choker {
    deserving: BTreeSet<LinkId>,
    lucky: Option<LinkId>,
    round_ends: Moment,
    lucky_ends: Moment,
}

/// What a review changed; first choke, then unchoke, so that there is never a sixth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// No longer served.
    pub choke: Vec<LinkId>,
    /// Served from now on.
    pub unchoke: Vec<LinkId>,
}

impl Choker {
    /// Ends rounds that are over and fills places that are free, at once. Call it when a peer comes, goes or changes its
    /// interest, and at [`Choker::deadline`].
    pub fn review(&mut self, now: Moment, standings: &[Standing], chance: &mut Chance) -> Changes {
        let before = self.unchoked();
        let mut interested: Vec<Standing> = standings.iter().copied().filter(|s| s.interested).collect();
        chance.shuffle(&mut interested);
        interested.sort_by_key(|standing| std::cmp::Reverse(standing.merit));
        self.drop_the_absent(&interested);
        if now >= self.round_ends {
            self.deserving.clear();
            self.round_ends = now.after(ROUND);
        }
        if now >= self.lucky_ends {
            self.lucky = None;
        }
        self.fill(&interested);
        self.draw(now, &interested, &before, chance);
        let after = self.unchoked();
        Changes {
            choke: before.difference(&after).copied().collect(),
            unchoke: after.difference(&before).copied().collect(),
        }
    }

    /// When to review at the latest.
    pub fn deadline(&self) -> Moment {
        self.round_ends.min(self.lucky_ends)
    }

    /// Everyone served.
    pub fn unchoked(&self) -> BTreeSet<LinkId> {
        self.deserving.iter().copied().chain(self.lucky).collect()
    }

    fn drop_the_absent(&mut self, interested: &[Standing]) {
        let present = |link: LinkId| interested.iter().any(|s| s.link == link);
        self.deserving.retain(|link| present(*link));
        self.lucky = self.lucky.filter(|link| present(*link));
    }

    fn fill(&mut self, by_merit: &[Standing]) {
        for standing in by_merit {
            if self.deserving.len() == UNCHOKED_MAX {
                break;
            }
            self.deserving.insert(standing.link);
            self.lucky = self.lucky.filter(|link| *link != standing.link);
        }
    }

    /// Draws the optimistic one among those not served, newcomers three times as likely; somebody new where there is one.
    fn draw(&mut self, now: Moment, interested: &[Standing], before: &BTreeSet<LinkId>, chance: &mut Chance) {
        if self.lucky.is_some() {
            return;
        }
        let waiting = |standing: &&Standing| !self.deserving.contains(&standing.link);
        let mut tickets = tickets(interested.iter().filter(waiting).filter(|s| !before.contains(&s.link)));
        if tickets.is_empty() {
            tickets = self::tickets(interested.iter().filter(waiting));
        }
        self.lucky = chance.pick(&tickets).copied();
        if now >= self.lucky_ends {
            self.lucky_ends = now.after(OPTIMISTIC_ROUND);
        }
    }
}

fn tickets<'a>(standings: impl Iterator<Item = &'a Standing>) -> Vec<LinkId> {
    standings
        .flat_map(|s| std::iter::repeat_n(s.link, if s.newcomer { NEWCOMER_WEIGHT } else { 1 }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Village {
        choker: Choker,
        standings: Vec<Standing>,
        now: Moment,
        chance: Chance,
    }

    impl Village {
        fn of(merits: &[u64]) -> Village {
            let standings = (0..).zip(merits).map(|(link, merit)| Standing {
                link: LinkId(link),
                interested: true,
                merit: *merit,
                newcomer: false,
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
            let changes = self.choker.review(self.now, &self.standings, &mut self.chance);
            assert!(self.choker.deserving.len() <= UNCHOKED_MAX);
            assert!(self.choker.lucky.is_none_or(|link| !self.choker.deserving.contains(&link)));
            changes
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
        assert!([0, 4, 6].contains(&village.choker.lucky.expect("someone is lucky").0));
    }

    #[test]
    fn the_fifth_fastest_peer_waits_for_the_next_round() {
        let mut village = Village::of(&[50, 40, 30, 20, 10]);
        village.pass(Duration::ZERO);
        village.standings[4].merit = 100;
        village.pass(Duration::from_secs(9));
        assert_eq!(village.deserving(), [0, 1, 2, 3]);
        village.pass(Duration::from_secs(1));
        assert_eq!(village.deserving(), [0, 1, 2, 4]);
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
        let mut last = village.choker.lucky;
        for _ in 0..10 {
            village.pass(Duration::from_secs(29));
            assert_eq!(village.choker.lucky, last);
            village.pass(Duration::from_secs(1));
            assert_ne!(village.choker.lucky, last);
            last = village.choker.lucky;
        }
    }

    #[test]
    fn newcomers_are_three_times_as_likely_to_be_tried() {
        let mut newcomer_wins = 0;
        for seed in 0..2000 {
            let mut village = Village::of(&[50, 40, 30, 20, 0, 0]);
            village.chance = Chance::new(seed);
            village.standings[5].newcomer = true;
            village.pass(Duration::ZERO);
            newcomer_wins += usize::from(village.choker.lucky == Some(LinkId(5)));
        }
        assert!((1400..1600).contains(&newcomer_wins), "{newcomer_wins} of 2000, expected 1500");
    }

    #[test]
    fn nobody_uninterested_is_ever_served() {
        let mut village = Village::of(&[9; 3]);
        village.standings.iter_mut().for_each(|s| s.interested = false);
        assert_eq!(village.pass(Duration::from_secs(40)), Changes::default());
    }
}
