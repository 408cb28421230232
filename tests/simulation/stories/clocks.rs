//! Swarms whose machines stand still, or whose clocks do not show what others' show: nobody is blamed, and nothing storms.

use super::{MIB, PIECE_BYTES, finish, join_many, settle};
use crate::faults::Fault;
use crate::machine::Spec;
use crate::queue::{MINUTE, Micros, SECOND};
use crate::world::World;

fn swarm(seed: u64) -> (World, Vec<usize>) {
    let mut world = World::with_share(seed, PIECE_BYTES, &[4 * MIB]);
    world.start(Spec { up_rate: 300_000, ..Spec::tracker() });
    let machines = join_many(&mut world, 4);
    world.pass(4 * SECOND);
    (world, machines)
}

fn assert_nobody_banned(world: &World) {
    assert!((0..world.machines.len()).all(|machine| world.checker.book(machine).banned.is_empty()));
}

#[test]
fn a_process_that_stood_still_for_a_second_or_ten_minutes_goes_on_and_all_finish() {
    for (machine, span) in [(1, SECOND), (1, 19 * SECOND), (0, 25 * SECOND), (2, 10 * MINUTE)] {
        for is_suspension in [false, true] {
            let (mut world, machines) = swarm(201);
            world.trouble(Fault::Pause(machine, span, is_suspension));
            world.pass(span);
            finish(&mut world, &machines, 5 * MINUTE);
            assert_nobody_banned(&world);
            settle(&mut world);
        }
    }
}

#[test]
fn the_others_finish_while_one_stands_still() {
    let (mut world, machines) = swarm(202);
    world.trouble(Fault::Pause(1, 10 * MINUTE, false));
    finish(&mut world, &machines[1..], 2 * MINUTE);
}

/// What a machine does of its own accord within a span.
fn rounds(world: &mut World, machine: usize, span: Micros) -> u64 {
    let before = world.checker.book(machine).rounds;
    world.pass(span);
    world.checker.book(machine).rounds - before
}

#[test]
fn all_that_is_due_at_once_after_ten_minutes_is_done_once() {
    for fault in [Fault::Pause(1, 10 * MINUTE, false), Fault::Jump(1, 3_600_000_000)] {
        let (mut world, machines) = swarm(203);
        finish(&mut world, &machines, 5 * MINUTE);
        settle(&mut world);
        world.trouble(fault);
        world.pass(10 * MINUTE - SECOND / 2);
        // A dial and a heartbeat for each of four.
        let count = rounds(&mut world, 1, SECOND);
        assert!(count <= 8, "{count} in the second after");
        settle(&mut world);
    }
}

#[test]
fn clocks_that_run_apart_by_a_tenth_do_no_harm() {
    let mut world = World::with_share(204, PIECE_BYTES, &[4 * MIB]);
    world.start(Spec { up_rate: 300_000, drift: 50_000, ..Spec::tracker() });
    let dials = vec![world.endpoint(0)];
    let drifts = [-50_000, 50_000, 0, -20_000];
    let machines = drifts.map(|drift| world.start(Spec { drift, ..Spec::peer(dials.clone()) }));
    finish(&mut world, &machines, 5 * MINUTE);
    world.pass(10 * MINUTE);
    assert!(
        machines.iter().all(|&machine| world.checker.linked(machine).len() == 4),
        "{}",
        world.standings()
    );
    settle(&mut world);
}

#[test]
fn a_clock_that_jumps_ahead_or_back_costs_links_at_most() {
    let jumps: [i64; 5] = [1_000_000, 60_000_000, 10 * 365 * 86_400 * 1_000_000, -1_000, -9_000_000];
    for micros in jumps {
        let (mut world, machines) = swarm(205);
        world.trouble(Fault::Jump(1, micros));
        world.trouble(Fault::Jump(0, micros));
        finish(&mut world, &machines, 5 * MINUTE);
        assert_nobody_banned(&world);
        settle(&mut world);
    }
}

#[test]
fn a_paused_peer_that_was_left_comes_back_within_a_minute() {
    let (mut world, machines) = swarm(206);
    finish(&mut world, &machines, 5 * MINUTE);
    world.trouble(Fault::Pause(1, 3 * MINUTE, false));
    world.pass(3 * MINUTE - SECOND);
    assert!(!world.checker.linked(0).contains(&1), "the others took it for dead");
    let span: Micros = MINUTE;
    let is_back = |world: &World| world.checker.linked(1).contains(&0);
    assert!(world.run(world.now() + span, is_back), "{}", world.standings());
}
