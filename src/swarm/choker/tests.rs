//! Stories of a village in which somebody chooses whom to serve.

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
            is_sated: false,
            is_asleep: false,
            network: None,
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
fn where_fewer_may_be_served_than_are_the_choice_is_made_anew() {
    let mut village = Village::of(&[10, 50, 40, 30, 20, 60, 5]);
    let more = Terms { deserving_max: SEED_UNCHOKED_MAX, ..TERMS };
    village.choker.review(village.now, &village.standings, more, &mut village.chance);
    assert_eq!(village.deserving().len(), 7);
    village.pass(Duration::ZERO);
    assert_eq!(village.deserving(), [1, 2, 3, 5]);
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

fn seen_from(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([203, 0, 113, last]))
}

#[test]
fn one_network_has_a_quarter_of_the_places_unless_nobody_else_wants_them() {
    let mut village = Village::of(&[90, 80, 70, 60, 5, 4, 3, 2]);
    village.standings[..4].iter_mut().for_each(|standing| standing.network = seen_from(1));
    village.pass(Duration::ZERO);
    assert_eq!(village.deserving(), [0, 4, 5, 6]);
    village.standings[4..].iter_mut().for_each(|standing| standing.interested = false);
    village.pass(Duration::from_millis(1));
    assert_eq!(village.deserving(), [0, 1, 2, 3]);
}

#[test]
fn many_of_one_network_that_give_nothing_have_one_place_where_others_wait() {
    let mut village = Village::of(&[0; 12]);
    village.standings[..9].iter_mut().for_each(|standing| standing.network = seen_from(1));
    let terms = Terms { deserving_max: 8, ..TERMS };
    for _ in 0..5 {
        village.choker.review(village.now, &village.standings, terms, &mut village.chance);
        village.now = village.now.after(ROUND);
        let served = village.deserving();
        assert!([9, 10, 11].iter().all(|other| served.contains(other)), "{served:?}");
        village.standings[..9].iter_mut().for_each(|standing| standing.link.0 += 100);
    }
}

#[test]
fn who_was_given_its_part_leaves_its_place_at_once_to_who_was_not() {
    let mut village = Village::of(&[50, 40, 0, 0, 0]);
    village.standings[2..4].iter_mut().for_each(|standing| standing.is_sated = true);
    village.standings[4].interested = false;
    village.pass(Duration::ZERO);
    assert_eq!(village.deserving(), [0, 1, 2, 3]);
    village.standings[4].interested = true;
    assert!(village.choker.minds(LinkId(4), true, village.now, UNCHOKED_MAX));
    village.pass(Duration::from_millis(1));
    let served = village.deserving();
    assert_eq!((served.len(), &served[..2], served[3]), (4, &[0, 1][..], 4));
}

#[test]
fn however_many_a_network_sends_two_stand_for_it_in_the_draw() {
    let mut wins = 0;
    for seed in 0..2_000 {
        let mut village = Village::of(&[50, 40, 30, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        village.chance = Chance::new(seed);
        village.standings[6..].iter_mut().for_each(|standing| standing.network = seen_from(1));
        village.pass(Duration::ZERO);
        wins += usize::from(village.lucky().is_some_and(|link| link.0 >= 6));
    }
    assert!((900..1_100).contains(&wins), "{wins} of 2000, expected 1000");
}

#[test]
fn who_had_its_part_is_drawn_a_quarter_as_often() {
    let mut wins = 0;
    for seed in 0..2_000 {
        let mut village = Village::of(&[50, 40, 30, 20, 0, 0]);
        village.chance = Chance::new(seed);
        village.standings[5].is_sated = true;
        village.pass(Duration::ZERO);
        wins += usize::from(village.lucky() == Some(LinkId(5)));
    }
    assert!((330..470).contains(&wins), "{wins} of 2000, expected 400");
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

#[test]
fn a_review_is_due_when_a_place_may_change_hands_and_not_before() {
    let mut village = Village::of(&[50, 40, 30, 20, 10, 10]);
    village.pass(Duration::ZERO);
    let (now, lucky) = (village.now, village.lucky().expect("someone is lucky"));
    let waiting = LinkId(9 - lucky.0);
    let minds = |link, interested, places| village.choker.minds(link, interested, now, places);
    assert!(minds(LinkId(0), false, 4) && minds(lucky, false, 4), "who is served goes");
    assert!(!minds(waiting, false, 4), "who waits goes");
    assert!(!minds(waiting, true, 4) && !minds(waiting, true, 3), "every place is taken");
    assert!(minds(waiting, true, 5), "a place is free");
    assert_eq!(village.choker.deadline(), now.after(ROUND_FIRST));
    assert!(village.choker.minds(waiting, true, now.after(ROUND_FIRST), 4), "the round is over");
    village.standings.truncate(4);
    village.pass(Duration::from_millis(1));
    assert!(village.choker.minds(waiting, true, village.now, 4), "nobody is lucky");
}

#[test]
fn a_round_that_is_ended_is_followed_by_another_choice() {
    let mut village = Village::of(&[50, 40, 30, 20, 10]);
    village.pass(Duration::ZERO);
    village.standings[4].merit = 100;
    village.choker.end_round(village.now);
    assert_eq!(village.choker.deadline(), village.now);
    village.pass(Duration::ZERO);
    assert_eq!(village.deserving(), [0, 1, 2, 4]);
}

#[test]
fn who_was_given_its_part_does_not_give_way_to_another_who_was() {
    let mut village = Village::of(&[50, 40, 30, 10, 0]);
    village.standings[3..].iter_mut().for_each(|standing| standing.is_sated = true);
    village.pass(Duration::ZERO);
    village.standings[4].merit = 20;
    village.pass(Duration::from_millis(1));
    assert_eq!(village.deserving(), [0, 1, 2, 3]);
}

#[test]
fn what_others_are_given_does_not_end_the_turn_of_the_lucky_one() {
    let mut village = Village::of(&[50, 40, 30, 20, 0, 0, 0]);
    village.pass(Duration::ZERO);
    let lucky = village.lucky();
    let others = village.standings.iter_mut().filter(|standing| Some(standing.link) != lucky);
    others.for_each(|standing| standing.given_bytes = 1_000);
    village.pass(Duration::from_secs(2));
    assert_eq!(village.lucky(), lucky);
}

/// A village with `places`, in which the first so many are seen from one network; how many of those are served then, and of
/// the others.
fn served_of_one_network(merits: &[i64], of_it: usize, places: usize) -> (usize, usize) {
    let mut village = Village::of(merits);
    village.standings[..of_it].iter_mut().for_each(|standing| standing.network = seen_from(1));
    let terms = Terms { deserving_max: places, ..TERMS };
    village.choker.review(village.now, &village.standings, terms, &mut village.chance);
    let is_of_it = |link: &&u64| **link < of_it as u64;
    let served = village.deserving();
    let count = served.iter().filter(is_of_it).count();
    (count, served.len() - count)
}

#[test]
fn a_network_has_its_part_in_turn_and_more_only_until_enough_are_served() {
    // A quarter of twelve, after one of each other.
    assert_eq!(served_of_one_network(&[0; 21], 12, 12), (3, 9));
    // Nobody else is there: half of twelve.
    assert_eq!(served_of_one_network(&[0; 12], 12, 12), (6, 0));
    // Its part, though places stay free.
    assert_eq!(served_of_one_network(&[0; 14], 10, 8), (2, 4));
}

#[test]
fn those_of_a_network_who_gave_come_first_up_to_its_part() {
    let givers_and_others: Vec<i64> = [10; 6].into_iter().chain([5; 8]).collect();
    assert_eq!(served_of_one_network(&givers_and_others, 6, 8), (2, 6));
}

#[test]
fn those_of_a_network_who_gave_nothing_come_once_in_a_turn() {
    for seed in 0..20 {
        let mut merits = vec![0; 22];
        merits[12..12 + seed % 10].fill(1);
        let (count, _) = served_of_one_network(&merits, 12, 8);
        assert!(count <= 1, "{count}");
    }
}

#[test]
fn a_network_that_has_its_part_has_no_more_when_more_of_it_come() {
    let mut village = Village::of(&[0; 12]);
    village.standings[4..].iter_mut().for_each(|standing| standing.network = seen_from(1));
    let late = village.standings.split_off(6);
    let terms = Terms { deserving_max: 8, ..TERMS };
    village.choker.review(village.now, &village.standings, terms, &mut village.chance);
    assert_eq!(village.deserving(), [0, 1, 2, 3, 4, 5]);
    village.standings.extend(late);
    village.choker.review(village.now, &village.standings, terms, &mut village.chance);
    assert_eq!(village.deserving(), [0, 1, 2, 3, 4, 5]);
}
