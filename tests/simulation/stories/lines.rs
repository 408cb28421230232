//! Swarms on lines that lose, stall, part, reset and mislead, and what each must come to.

use super::{KIB, MIB, PIECE_BYTES, finish, join_many, seeded, settle};
use crate::faults::{Fault, Ways, WireFault};
use crate::machine::{Begin, Spec};
use crate::queue::{MINUTE, Micros, SECOND};
use crate::tally::{Kind, Tally};
use crate::world::World;

/// A tracker that seeds over a slow line, and so many peers.
fn slowly_seeded(seed: u64, bytes: u64, peers: usize) -> (World, Vec<usize>) {
    let mut world = World::with_share(seed, PIECE_BYTES, &[bytes]);
    world.start(Spec { up_rate: 200_000, ..Spec::tracker() });
    let machines = join_many(&mut world, peers);
    (world, machines)
}

fn assert_nobody_banned(world: &World) {
    assert!((0..world.machines.len()).all(|machine| world.checker.book(machine).banned.is_empty()));
}

#[test]
fn a_swarm_on_lines_that_lose_a_third_of_their_packets_finishes_and_bans_nobody() {
    for percent in [1, 10, 30] {
        let (mut world, machines) = slowly_seeded(101, MIB, 4);
        (0..5).for_each(|machine| world.trouble(Fault::Weather(machine, SECOND / 5, percent)));
        finish(&mut world, &machines, 10 * MINUTE);
        assert!(world.tally().of(Kind::Loss) > 0);
        assert_nobody_banned(&world);
        settle(&mut world);
    }
}

#[test]
fn two_halves_that_hold_everything_between_them_go_on_apart_and_become_one_again() {
    let mut world = World::with_share(102, PIECE_BYTES, &[2 * MIB]);
    world.start(Spec { shares: vec![(0, Begin::Register(true))], ..Spec::tracker() });
    let half = |world: &mut World, rest: usize| {
        let machine =
            world.join(Spec { shares: vec![(0, Begin::Described)], ..Spec::peer(vec![world.endpoint(0)]) });
        let part = (0..world.truths[0].leaves.len()).filter(|piece| piece % 2 == rest);
        part.for_each(|piece| world.machines[machine].disk.fill(&world.truths[0], piece));
        world.boot(machine);
        machine
    };
    let left = [half(&mut world, 0), join_many(&mut world, 1)[0], join_many(&mut world, 1)[0]];
    let right = [half(&mut world, 1), join_many(&mut world, 1)[0], join_many(&mut world, 1)[0]];
    world.trouble(Fault::Part(left.to_vec(), Ways::Both, 2 * MINUTE, Kind::Partition));
    world.pass(2 * MINUTE - SECOND);
    // The tracker is on the right: there the description came, and what the right holds spread on its side.
    let held = |world: &World, machine: usize| world.checker.held(machine, world.truths[0].share()).len();
    let pieces = world.truths[0].leaves.len();
    assert!(right.iter().all(|&machine| held(&world, machine) == pieces / 2), "{}", world.standings());
    assert!(world.tally().of(Kind::Partition) > 0);
    finish(&mut world, &[left, right].concat(), 3 * MINUTE);
    assert_nobody_banned(&world);
    settle(&mut world);
}

#[test]
fn what_passes_one_way_only_is_found_out_on_both_sides_and_mended_by_a_new_link() {
    for ways in [Ways::Out, Ways::In] {
        let (mut world, machines) = slowly_seeded(103, 2 * MIB, 2);
        world.pass(3 * SECOND);
        world.trouble(Fault::Part(vec![1], ways, 45 * SECOND, Kind::OneWayPartition));
        world.pass(30 * SECOND);
        assert!(!world.checker.linked(1).contains(&0) && !world.checker.linked(0).contains(&1), "{ways:?}");
        assert!(world.tally().of(Kind::OneWayPartition) > 0);
        finish(&mut world, &machines, 3 * MINUTE);
        assert_nobody_banned(&world);
        settle(&mut world);
    }
}

#[test]
fn a_line_that_comes_and_goes_delays_its_machine_and_nobody_else() {
    let (mut world, machines) = slowly_seeded(104, 2 * MIB, 4);
    for round in 0..60 {
        let at = (2 * round + 1) * SECOND;
        let fault = Fault::Part(vec![1], Ways::Both, SECOND * 3 / 2, Kind::Flapping);
        world.expect(&[(at, fault)]);
    }
    finish(&mut world, &machines[1..], MINUTE);
    finish(&mut world, &machines[..1], 5 * MINUTE);
    assert!(world.tally().of(Kind::Flapping) > 0);
    assert_nobody_banned(&world);
    settle(&mut world);
}

#[test]
fn a_black_hole_is_found_by_the_missing_heartbeat_within_its_bound() {
    let (mut world, machines) = slowly_seeded(105, 4 * MIB, 1);
    world.pass(5 * SECOND);
    world.trouble(Fault::Wire(0, WireFault::Swallow));
    world.pass(21 * SECOND);
    let both_ways = world.checker.linked(0).is_empty() || world.checker.linked(1).is_empty();
    assert!(both_ways, "20 s of silence are death, looked for twice a second");
    assert!(world.tally().of(Kind::BlackHole) > 0);
    finish(&mut world, &machines, 5 * MINUTE);
    settle(&mut world);
}

/// A swarm of three in which something happens after so many happenings; how often faults of `kind` took effect.
fn harmed_at(step: u64, fault: &Fault, kind: Kind) -> u64 {
    let mut world = seeded(106, 96 * KIB);
    let machines = join_many(&mut world, 2);
    assert!(world.steps(step), "the story is shorter");
    world.trouble(fault.clone());
    finish(&mut world, &machines, 3 * MINUTE);
    settle(&mut world);
    world.tally().of(kind)
}

#[test]
fn resets_at_every_point_leave_nothing_in_flight_and_all_finish() {
    let cut = |step: u64| match step % 2 {
        0 => harmed_at(step, &Fault::CutAll, Kind::ResetOfAll),
        _ => harmed_at(step, &Fault::Wire(step * 7919, WireFault::Cut), Kind::Reset),
    };
    let count: u64 = (0..250).map(cut).sum();
    assert!(count > 200, "{count} of 250 took effect: before the first dial there is nothing to cut");
}

#[test]
fn a_direction_that_ends_at_any_point_ends_the_link_and_all_finish() {
    let end = |step: u64| harmed_at(step, &Fault::Wire(step * 7919, WireFault::HalfClose), Kind::HalfClose);
    let count: u64 = (0..250).step_by(3).map(end).sum();
    assert!(count > 60, "{count} of 84 took effect");
}

#[test]
fn silence_from_any_point_on_is_taken_for_death_and_all_finish() {
    let hush = |step: u64| harmed_at(step, &Fault::Wire(step * 7919, WireFault::Swallow), Kind::BlackHole);
    let count = (0..250).step_by(5).map(hush).filter(|count| *count > 0).count();
    assert!(count > 30, "{count} of 50 took effect");
}

#[test]
fn a_line_that_falls_to_a_kilobyte_a_second_is_worked_around_and_nothing_is_asked_for_again_and_again() {
    let (mut world, machines) = slowly_seeded(107, 2 * MIB, 4);
    world.pass(2 * SECOND);
    world.trouble(Fault::Rate(1, 1_000));
    finish(&mut world, &machines[1..], 2 * MINUTE);
    world.pass(MINUTE);
    let asked: u64 = machines.iter().map(|&machine| world.checker.book(machine).asked_bytes).sum();
    let most = 5 * world.truths[0].bytes();
    assert!(asked <= most, "{asked} bytes were asked for in all, of {most}");
    assert!(world.tally().of(Kind::Collapse) > 0);
    world.trouble(Fault::Rate(1, 1_000_000));
    finish(&mut world, &machines, 2 * MINUTE);
    assert_nobody_banned(&world);
    settle(&mut world);
}

#[test]
fn a_clog_shorter_than_a_silence_costs_no_link() {
    let (mut world, machines) = slowly_seeded(108, 2 * MIB, 2);
    world.pass(3 * SECOND);
    let before: Vec<usize> = machines.iter().map(|&machine| world.checker.linked(machine).len()).collect();
    world.trouble(Fault::Part(vec![0], Ways::Both, 10 * SECOND, Kind::Clog));
    world.pass(19 * SECOND);
    let after: Vec<usize> = machines.iter().map(|&machine| world.checker.linked(machine).len()).collect();
    assert_eq!(before, after);
    assert!(world.tally().of(Kind::Clog) > 0);
    finish(&mut world, &machines, 2 * MINUTE);
    settle(&mut world);
}

#[test]
fn a_refused_dial_is_tried_again_after_pauses_that_grow() {
    let mut world = seeded(109, MIB);
    world.trouble(Fault::Refuse(0, true));
    let machines = join_many(&mut world, 1);
    world.pass(2 * MINUTE);
    // One, two, four, eight, sixteen, thirty seconds, and up to twice as long.
    let refused = world.tally().of(Kind::Refusal);
    assert!((4..=10).contains(&refused), "refused {refused} times in two minutes");
    world.trouble(Fault::Refuse(0, false));
    finish(&mut world, &machines, 2 * MINUTE);
    settle(&mut world);
}

#[test]
fn a_peer_that_roams_comes_back_under_its_id_with_one_link_to_each() {
    for is_told in [false, true] {
        let (mut world, machines) = slowly_seeded(110, 4 * MIB, 3);
        world.pass(4 * SECOND);
        world.trouble(Fault::Roam(2, is_told));
        finish(&mut world, &machines, 5 * MINUTE);
        assert_eq!(world.tally().of(Kind::Roaming), 1);
        assert_nobody_banned(&world);
        world.pass(2 * MINUTE);
        settle(&mut world);
        assert!(world.checker.linked(2).contains(&0), "it found the tracker again: {}", world.standings());
    }
}

#[test]
fn bits_flipped_on_the_way_are_never_kept_whatever_they_hit() {
    let mut tally = Tally::default();
    for seed in 0..8 {
        let (mut world, machines) = slowly_seeded(111 + seed, MIB, 3);
        for second in 1..20 {
            let which = second * 7919 + seed;
            let harm = if second % 2 == 0 { WireFault::Flip } else { WireFault::Garble };
            world.expect(&[(second * SECOND / 2, Fault::Wire(which, harm))]);
        }
        world.pass(10 * SECOND);
        world.mend();
        finish(&mut world, &machines, 5 * MINUTE);
        settle(&mut world);
        tally.add(&world.tally());
    }
    assert!(tally.of(Kind::FlippedPayload) > 0 && tally.of(Kind::GarbledLine) > 0, "{tally}");
}

#[test]
fn a_peer_that_stalls_before_the_very_last_block_is_asked_no_more_and_another_gives_it() {
    let mut world = World::with_share(119, PIECE_BYTES, &[MIB]);
    world.start(Spec { up_rate: 100_000, ..Spec::tracker() });
    let other = world.start(Spec { up_rate: 1_000_000, ..Spec::seed(vec![world.endpoint(0)]) });
    let peer = join_many(&mut world, 1)[0];
    let share = world.truths[0].share();
    let all = world.truths[0].leaves.len();
    assert!(world.run(MINUTE, |world| world.checker.held(peer, share).len() + 2 >= all));
    world.trouble(Fault::Rate(other, 0));
    finish(&mut world, &[peer], 30 * SECOND);
}

#[test]
fn a_crowd_comes_back_to_its_tracker_within_a_minute_and_no_two_dials_of_one_peer_within_a_second() {
    let mut world = World::with_share(120, PIECE_BYTES, &[64 * KIB]);
    world.start(Spec::tracker());
    let machines = join_many(&mut world, 60);
    finish(&mut world, &machines, 3 * MINUTE);
    world.trouble(Fault::Crash(0));
    world.pass(20 * SECOND);
    world.trouble(Fault::Return(0));
    let span: Micros = 90 * SECOND;
    let is_back = |world: &World| machines.iter().all(|&machine| world.checker.linked(machine).contains(&0));
    assert!(world.run(world.now() + span, is_back), "{} of 60 are back", world.checker.linked(0).len());
}
