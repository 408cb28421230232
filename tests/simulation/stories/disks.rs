//! Swarms on disks that fail, lag, lie and forget: nothing wrong is kept, and what can be had is had in the end.

use super::{MIB, PIECE_BYTES, finish, join_many, settle};
use crate::faults::{DiskFault, Fault};
use crate::machine::Spec;
use crate::queue::{MINUTE, SECOND};
use crate::tally::{Kind, Tally};
use crate::world::World;

fn swarm(seed: u64, peers: usize) -> (World, Vec<usize>) {
    let mut world = World::with_share(seed, PIECE_BYTES, &[MIB]);
    world.start(Spec { up_rate: 200_000, ..Spec::tracker() });
    let machines = join_many(&mut world, peers);
    (world, machines)
}

fn harm(world: &mut World, machine: usize, fault: DiskFault) {
    world.trouble(Fault::Disk(machine, fault));
}

#[test]
fn the_first_or_any_later_write_that_fails_is_written_again() {
    for nth in 1..=33 {
        let (mut world, machines) = swarm(301, 1);
        harm(&mut world, machines[0], DiskFault::FailWrite(nth));
        finish(&mut world, &machines, MINUTE);
        assert_eq!(world.tally().of(Kind::FailedWrite), 1);
        settle(&mut world);
    }
}

#[test]
fn the_first_or_any_later_read_that_fails_is_refused_and_asked_for_again() {
    for nth in 1..=30 {
        let (mut world, machines) = swarm(300, 1);
        harm(&mut world, 0, DiskFault::FailRead(nth));
        finish(&mut world, &machines, MINUTE);
        assert_eq!(world.tally().of(Kind::FailedRead), 1, "the {nth}-th read");
        settle(&mut world);
    }
}

#[test]
fn a_download_goes_on_when_a_full_disk_has_room_again() {
    let (mut world, machines) = swarm(302, 2);
    world.pass(2 * SECOND);
    harm(&mut world, 1, DiskFault::Full(true));
    finish(&mut world, &machines[1..], MINUTE);
    world.pass(MINUTE);
    assert!(!world.checker.is_complete(1) && world.tally().of(Kind::FullDisk) > 0);
    harm(&mut world, 1, DiskFault::Full(false));
    finish(&mut world, &machines, MINUTE);
    let (asked, bytes) = (world.checker.book(1).asked_bytes, world.truths[0].bytes());
    assert!(asked < 2 * bytes, "{asked} bytes were asked for, though the disk took none for a minute");
    settle(&mut world);
}

#[test]
fn a_disk_that_takes_a_second_for_each_write_or_stalls_for_a_minute_costs_no_link() {
    for (fault, kind) in
        [(DiskFault::Slow(SECOND), Kind::SlowWrite), (DiskFault::Stall(MINUTE), Kind::StalledWrite)]
    {
        let (mut world, machines) = swarm(303, 3);
        world.pass(2 * SECOND);
        let links = world.checker.linked(1);
        harm(&mut world, 1, fault);
        world.pass(50 * SECOND);
        assert_eq!(world.checker.linked(1), links, "{fault:?}");
        finish(&mut world, &machines, 3 * MINUTE);
        assert!(world.tally().of(kind) > 0);
        assert!((0..4).all(|machine| world.checker.book(machine).banned.is_empty()));
        settle(&mut world);
    }
}

#[test]
fn reads_that_fail_are_refused_and_asked_for_elsewhere_or_again() {
    let (mut world, machines) = swarm(304, 3);
    (0..4).for_each(|machine| harm(&mut world, machine, DiskFault::BadReads(10)));
    finish(&mut world, &machines, 10 * MINUTE);
    assert!(world.tally().of(Kind::FailedRead) > 0);
    settle(&mut world);
}

/// Everyone is complete; then a leaf of machine 1 changes and the first seed is gone.
fn rotten(seed: u64, checks_reads: bool, fault: DiskFault) -> World {
    let mut world = World::with_share(seed, PIECE_BYTES, &[MIB]);
    world.start(Spec { up_rate: 200_000, ..Spec::tracker() });
    let peer = world.start(Spec { checks_reads, ..Spec::peer(vec![world.endpoint(0)]) });
    world.pass(SECOND);
    if fault != DiskFault::Rot {
        harm(&mut world, peer, fault);
    }
    finish(&mut world, &[peer], MINUTE);
    if fault == DiskFault::Rot {
        harm(&mut world, peer, fault);
    }
    world
}

#[test]
fn what_rotted_or_was_never_written_is_not_served_once_a_read_finds_it() {
    for fault in [DiskFault::Rot, DiskFault::LoseWrite, DiskFault::MisdirectWrite] {
        let mut world = rotten(305, true, fault);
        world.network.set_rates(0, 2_000, 200_000);
        let late = join_many(&mut world, 1);
        world.pass(MINUTE);
        assert!(world.tally().of(Kind::RotFound) > 0, "{fault:?}");
        assert!(!world.checker.book(1).has_sent_false, "{fault:?}");
        world.mend();
        finish(&mut world, &[1, late[0]], 3 * MINUTE);
        settle(&mut world);
    }
}

#[test]
fn what_rotted_unseen_is_never_kept_by_who_gets_it() {
    for fault in [DiskFault::Rot, DiskFault::LoseWrite, DiskFault::MisdirectWrite] {
        let mut world = rotten(306, false, fault);
        world.network.set_rates(0, 2_000, 200_000);
        let late = join_many(&mut world, 2);
        world.pass(MINUTE);
        assert!(world.checker.book(1).has_sent_false, "{fault:?}: nobody got what rotted");
        world.network.set_rates(0, 200_000, 200_000);
        finish(&mut world, &late, 3 * MINUTE);
        settle(&mut world);
    }
}

#[test]
fn after_a_power_cut_only_what_is_truly_there_is_held() {
    let mut tally = Tally::default();
    for seed in 0..20 {
        let (mut world, machines) = swarm(310 + seed, 2);
        world.pass(2 * SECOND + seed * 37_777);
        world.trouble(Fault::PowerCut(1));
        world.pass(3 * SECOND);
        world.trouble(Fault::Return(1));
        finish(&mut world, &machines, 2 * MINUTE);
        settle(&mut world);
        tally.add(&world.tally());
    }
    assert!(tally.of(Kind::UndoneWrite) > 0 && tally.of(Kind::TornWrite) > 0, "{tally}");
}

#[test]
fn a_power_cut_while_the_disk_is_full_ends_well() {
    let (mut world, machines) = swarm(340, 2);
    world.pass(2 * SECOND);
    harm(&mut world, 1, DiskFault::Full(true));
    world.pass(SECOND / 2);
    world.trouble(Fault::PowerCut(1));
    world.trouble(Fault::Return(1));
    world.pass(20 * SECOND);
    harm(&mut world, 1, DiskFault::Full(false));
    finish(&mut world, &machines, 3 * MINUTE);
    assert!(world.tally().of(Kind::FullDisk) > 0 && world.tally().of(Kind::PowerCut) == 1);
    settle(&mut world);
}
