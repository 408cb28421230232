//! Those who withhold: liars about what they have, stallers, and a download among nobody but them, of which the person is told.

use minibit::wire::NackReason;

use super::habits::{Answers, Blocks, Claims, Habits, Serves, When};
use super::village::{KIB, MIB, finish, honest, mean, puppet, seeded};
use crate::machine::{Begin, Spec};
use crate::queue::{MINUTE, SECOND};
use crate::world::World;

const PIECE_BYTES: u32 = 64 * 1024;
const RATE: u64 = 500_000;

/// How much longer eight honest peers take on average beside so many of these.
fn beside(count: usize, habits: Habits) -> f64 {
    let times = |count: usize| {
        let mut world = seeded(1, 2 * MIB, PIECE_BYTES, RATE);
        (0..count).for_each(|_| drop(puppet(&mut world, habits, RATE)));
        let machines = honest(&mut world, 8, RATE);
        mean(&finish(&mut world, &machines, 10 * MINUTE))
    };
    times(count) / times(0)
}

#[test]
fn who_claims_everything_and_delivers_nothing_delays_nobody_for_long() {
    for (blocks, serves) in [
        (Blocks::Silence, Serves::Everyone),
        (Blocks::Refused(NackReason::Absent), Serves::Everyone),
        (Blocks::Refused(NackReason::Failed), Serves::Everyone),
        (Blocks::Refused(NackReason::Choked), Serves::Everyone),
        (Blocks::True, Serves::Nobody),
    ] {
        for metainfo in [Answers::True, Answers::Silence] {
            let ratio = beside(8, Habits { blocks, serves, metainfo, ..Habits::default() });
            println!("{blocks:?} {serves:?}, description {metainfo:?}: x{ratio:.2}");
            assert!(
                ratio <= 10.0,
                "eight liars with {blocks:?} {metainfo:?} make it {ratio:.1} times as long"
            );
        }
    }
}

#[test]
fn who_pretends_to_lack_what_it_has_stalls_nobody() {
    let habits = Habits { claims: Claims::Nothing, ..Habits::default() };
    let ratio = beside(8, habits);
    assert!(ratio <= 1.1, "withholders make it {ratio:.2} times as long");
}

#[test]
fn who_stalls_in_the_last_piece_is_passed_over_at_the_end() {
    let habits = Habits { blocks: Blocks::AllButTheLast, ..Habits::default() };
    let ratio = beside(4, habits);
    println!("stallers: x{ratio:.2}");
    assert!(ratio <= 6.0, "stallers make it {ratio:.2} times as long");
}

fn troubles(world: &World, machine: usize) -> Vec<u64> {
    let told = world.checker.book(machine).troubles.iter();
    told.filter(|(_, text)| text.contains("no progress")).map(|(at, _)| at / SECOND).collect()
}

/// A peer whose every contact is hostile.
fn eclipsed(habits: Habits, begin: Begin) -> (World, usize) {
    let mut world = World::with_share(5, PIECE_BYTES, &[MIB]);
    world.is_public = true;
    world.start(Spec { shares: vec![(0, Begin::Register(false))], ..Spec::tracker() });
    (0..8).for_each(|_| drop(puppet(&mut world, habits, RATE)));
    let peer = world.start(Spec { shares: vec![(0, begin)], ..Spec::peer(vec![world.endpoint(0)]) });
    (world, peer)
}

#[test]
fn among_none_but_attackers_nothing_false_is_kept_and_the_person_is_told_once() {
    let lies = [
        Blocks::Silence,
        Blocks::Refused(NackReason::Full),
        Blocks::False(When::Percent(100)),
        Blocks::False(When::Percent(30)),
    ];
    for blocks in lies {
        for (begin, metainfo) in [(Begin::Linked, Answers::Silence), (Begin::Described, Answers::True)] {
            let habits = Habits { blocks, metainfo, leaves: Answers::Nothing, ..Habits::default() };
            let (mut world, peer) = eclipsed(habits, begin);
            world.pass(10 * MINUTE);
            if world.checker.is_complete(peer) {
                continue;
            }
            let told = troubles(&world, peer);
            assert!(told.len() == 1 && told[0] >= 60, "told after {told:?} seconds of {blocks:?}");
            let tracker = world.endpoint(0);
            let dials = world.checker.book(peer).dials.iter().filter(|(_, to)| *to == tracker).count();
            assert!(dials >= 1 && world.checker.linked(peer).contains(&0), "it keeps to its tracker");
            world.start(Spec::seed(vec![tracker]));
            finish(&mut world, &[peer], 15 * MINUTE);
        }
    }
}

#[test]
fn who_has_all_it_wants_or_is_only_slow_is_told_of_no_trouble() {
    let mut world = seeded(6, 256 * KIB, PIECE_BYTES, 2_000);
    let slow = honest(&mut world, 1, RATE);
    finish(&mut world, &slow, 30 * MINUTE);
    world.pass(30 * MINUTE);
    assert_eq!((troubles(&world, 0), troubles(&world, slow[0])), (vec![], vec![]));
}

#[test]
fn who_waits_for_somebody_to_come_is_told_after_a_minute_and_not_again_for_long() {
    let mut world = World::with_share(7, PIECE_BYTES, &[MIB]);
    world.start(Spec { shares: vec![(0, Begin::Register(true))], ..Spec::tracker() });
    let peer = world.start(Spec::peer(vec![world.endpoint(0)]));
    world.pass(50 * SECOND);
    assert_eq!(troubles(&world, peer), Vec::<u64>::new());
    world.pass(30 * MINUTE);
    let told = troubles(&world, peer);
    assert!(told.len() == 1 && told[0] < 90, "told after {told:?} seconds");
    world.pass(60 * MINUTE);
    assert_eq!(troubles(&world, peer).len(), 2);
}
