//! Who is served before whom.

use super::*;

const TURN: u64 = 100;

/// A seed that gave 1,000 bytes to each of its peers in the mean.
fn seed() -> Measure {
    Measure::new(Worth::Lacks, 1_000, TURN, false, false)
}

/// Of peers whom nothing else tells apart: whether `one` is served before `other`.
fn is_before(measure: &Measure, one: Deeds, other: Deeds) -> bool {
    measure.merit(&one) > measure.merit(&other)
}

fn holding(pieces: u32) -> Deeds {
    Deeds { pieces, has_asked: true, ..Deeds::default() }
}

#[test]
fn a_seed_serves_who_holds_least_and_a_trader_who_gave_most_lately() {
    assert!(is_before(&seed(), holding(3), holding(4)));
    let trader = Measure::new(Worth::Gave, 0, TURN, true, false);
    let gave = |recent_bytes| Deeds { recent_bytes, ..holding(9) };
    assert!(is_before(&trader, gave(2), Deeds { recent_bytes: 1, ..holding(0) }));
    assert_eq!(trader.merit(&gave(u64::MAX)), i64::MAX);
}

#[test]
fn where_all_are_on_one_team_nobody_comes_before_another_and_who_sleeps_is_sated() {
    let team = Measure::new(Worth::Same, 1_000, TURN, true, true);
    let greedy = Deeds { given_bytes: 1 << 40, hidden_bytes: 1 << 40, ..holding(1) };
    assert_eq!(team.merit(&greedy), team.merit(&holding(9)));
    assert!(!team.is_sated(&greedy) && team.is_sated(&Deeds { is_asleep: true, ..greedy }));
}

#[test]
fn a_seed_gives_to_one_half_more_than_the_mean_and_a_turn() {
    let given = |given_bytes| Deeds { given_bytes, ..holding(1) };
    assert!(!seed().is_sated(&given(1_600)) && seed().is_sated(&given(1_601)));
}

#[test]
fn half_of_the_mean_and_two_turns_need_not_be_told_yet() {
    let hidden = |hidden_bytes| Deeds { hidden_bytes, ..holding(1) };
    assert!(!seed().is_sated(&hidden(700)) && seed().is_sated(&hidden(701)));
}

#[test]
fn who_trades_is_sated_once_it_was_given_four_times_what_it_gave_and_a_turn() {
    let deeds = |given_bytes| Deeds { given_bytes, gave_bytes: 50, ..holding(1) };
    let by = |worth, traded| Measure::new(worth, 1_000, TURN, traded, false);
    for measure in [by(Worth::Gave, true), by(Worth::Lacks, true)] {
        assert!(!measure.is_sated(&deeds(300)) && measure.is_sated(&deeds(301)));
    }
    assert!(!by(Worth::Lacks, false).is_sated(&deeds(301)), "who never traded cannot be repaid");
}

#[test]
fn of_a_seed_the_sated_come_last_who_was_given_most_at_the_end_and_the_sleepers_behind_them() {
    let sated = |given_bytes, pieces| Deeds { given_bytes, ..holding(pieces) };
    let asleep = Deeds { is_asleep: true, ..holding(0) };
    let in_order =
        [holding(u32::MAX), sated(40_000, 2), sated(40_000, 9), sated(80_000, 2), sated(u64::MAX, 2), asleep];
    for pair in in_order.windows(2) {
        assert!(is_before(&seed(), pair[0], pair[1]), "{pair:?}");
    }
    assert!(!seed().is_sated(&in_order[0]));
}

#[test]
fn where_some_sleep_who_never_asked_comes_after_who_did_and_before_the_sated() {
    let waking = Measure::new(Worth::Lacks, 1_000, TURN, false, true);
    let silent = Deeds { has_asked: false, ..holding(0) };
    assert!(is_before(&waking, holding(1 << 21), silent), "the most pieces there may be");
    assert!(is_before(&waking, silent, Deeds { given_bytes: 2_000, ..holding(0) }));
    assert!(is_before(&seed(), silent, holding(1)), "where none sleep it is one like others");
}

#[test]
fn a_neighbour_may_have_what_departed_links_were_given_and_not_what_another_was() {
    let of_two = Balance { untold_bytes: 300, beyond_bytes: 1_000, gone_bytes: 900, ..Balance::default() };
    assert_eq!(of_two.hidden_bytes(), 300);
    assert_eq!(Balance { beyond_bytes: 500, ..of_two }.hidden_bytes(), 700);
    assert_eq!(Balance { here_bytes: 50, ..of_two }.given_bytes(), 950);
}
