//! Swarms worth a name of their own. Sizes are small, so that each story is told in about a second.

mod clocks;
mod disks;
mod lines;

use minibit::ids::PeerId;

use crate::faults::Fault;
use crate::machine::{Begin, Lies, Spec};
use crate::queue::{MINUTE, Micros, SECOND};
use crate::world::World;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const PIECE_BYTES: u32 = 32 * 1024;

/// Machine 0 is a tracker that seeds a share of this many bytes.
fn seeded(seed: u64, bytes: u64) -> World {
    let mut world = World::with_share(seed, PIECE_BYTES, &[bytes]);
    world.start(Spec::tracker());
    world
}

fn join_many(world: &mut World, count: usize) -> Vec<usize> {
    (0..count).map(|_| world.start(Spec::peer(vec![world.endpoint(0)]))).collect()
}

fn finish(world: &mut World, machines: &[usize], within: Micros) {
    let is_done =
        world.run(world.now() + within, |world| machines.iter().all(|&m| world.checker.is_complete(m)));
    assert!(is_done, "not all had finished in time: {}", world.standings());
}

fn settle(world: &mut World) {
    world.pass(40 * SECOND);
    world.assert_at_rest();
}

fn tell(bytes: u64, peers: usize, within: Micros) -> World {
    let mut world = seeded(1, bytes);
    let machines = join_many(&mut world, peers);
    finish(&mut world, &machines, within);
    settle(&mut world);
    world
}

/// Whether all of a share is out once: every piece held by somebody other than machine 0.
fn is_out_once(world: &World) -> bool {
    let share = world.truths[0].share();
    let out = (1..world.machines.len()).flat_map(|machine| world.checker.held(machine, share));
    out.collect::<std::collections::BTreeSet<u32>>().len() == world.truths[0].leaves.len()
}

#[test]
fn a_seed_and_one_peer_by_link_finish() {
    tell(2 * MIB, 1, MINUTE);
}

#[test]
fn a_share_of_no_bytes_is_complete_at_once() {
    tell(0, 2, MINUTE);
}

#[test]
fn eight_peers_finish_and_the_seed_sends_less_than_twice_the_content() {
    let mut world = World::with_share(2, PIECE_BYTES, &[4 * MIB]);
    world.start(Spec { up_rate: 200_000, ..Spec::tracker() });
    let machines = join_many(&mut world, 8);
    finish(&mut world, &machines, 5 * MINUTE);
    settle(&mut world);
    let sent = world.checker.book(0).sent_bytes;
    assert!(sent < 2 * world.truths[0].bytes(), "the seed sent {sent} of {} bytes", world.truths[0].bytes());
}

#[test]
fn a_limited_seed_and_eight_fast_peers_are_several_times_the_seed() {
    let mut world = World::with_share(3, PIECE_BYTES, &[4 * MIB]);
    world.start(Spec { limit_up: Some(100_000), ..Spec::tracker() });
    let machines = join_many(&mut world, 8);
    finish(&mut world, &machines, 3 * MINUTE);
    let sent = world.checker.book(0).sent_bytes;
    assert!(sent < 2 * world.truths[0].bytes(), "the seed sent {sent} of {} bytes", world.truths[0].bytes());
}

#[test]
fn a_late_joiner_finishes() {
    let mut world = seeded(4, 2 * MIB);
    let first = join_many(&mut world, 3);
    finish(&mut world, &first, MINUTE);
    world.pass(2 * MINUTE);
    let late = join_many(&mut world, 1);
    finish(&mut world, &late, MINUTE);
    settle(&mut world);
}

#[test]
fn the_tracker_dies_when_everything_is_out_once_and_all_finish() {
    let mut world = World::with_share(5, PIECE_BYTES, &[4 * MIB]);
    world.start(Spec { up_rate: 200_000, ..Spec::tracker() });
    let machines = join_many(&mut world, 6);
    assert!(world.run(10 * MINUTE, is_out_once), "everything is out once: {}", world.standings());
    world.trouble(Fault::Vanish(0));
    finish(&mut world, &machines, 5 * MINUTE);
    settle(&mut world);
}

#[test]
fn a_poisoner_is_banned_and_everyone_else_finishes() {
    for leaves in [false, true] {
        let mut world = seeded(6, 2 * MIB);
        let lies = Some(Lies { blocks_percent: 30, leaves, metainfo: false });
        world.start(Spec { lies, ..Spec::seed(vec![world.endpoint(0)]) });
        let machines = join_many(&mut world, 5);
        finish(&mut world, &machines, 5 * MINUTE);
        let banned = machines.iter().any(|&machine| !world.checker.book(machine).banned.is_empty());
        assert!(banned, "nobody banned the poisoner (false leaf hashes: {leaves})");
        settle(&mut world);
    }
}

#[test]
fn a_false_description_is_refused_and_another_is_asked() {
    let mut world = seeded(7, MIB);
    let lies = Some(Lies { blocks_percent: 0, leaves: false, metainfo: true });
    let liar = world.start(Spec { lies, ..Spec::seed(vec![world.endpoint(0)]) });
    let dials = vec![world.endpoint(liar), world.endpoint(0)];
    let peer = world.start(Spec::peer(dials));
    finish(&mut world, &[peer], 3 * MINUTE);
}

#[test]
fn an_open_register_and_a_seeding_peer_are_enough() {
    let mut world = World::with_share(8, PIECE_BYTES, &[2 * MIB]);
    world.start(Spec { is_open: true, shares: Vec::new(), ..Spec::tracker() });
    world.start(Spec::seed(vec![world.endpoint(0)]));
    let machines = join_many(&mut world, 4);
    finish(&mut world, &machines, 3 * MINUTE);
    settle(&mut world);
}

#[test]
fn a_register_with_the_description_serves_it() {
    let mut world = World::with_share(9, PIECE_BYTES, &[MIB]);
    world.start(Spec { shares: vec![(0, Begin::Register(true))], ..Spec::tracker() });
    let peer = world.start(Spec::peer(vec![world.endpoint(0)]));
    world.pass(20 * SECOND);
    assert!(
        world.view(peer).metainfo.is_some(),
        "the register's description reaches a peer without any seed"
    );
    world.start(Spec::seed(vec![world.endpoint(0)]));
    finish(&mut world, &[peer], 2 * MINUTE);
}

#[test]
fn peers_known_only_by_exchange_find_each_other() {
    let mut world = World::with_share(10, PIECE_BYTES, &[2 * MIB]);
    let hub = world.start(Spec::seed(Vec::new()));
    let machines: Vec<usize> = (0..3).map(|_| world.start(Spec::peer(vec![world.endpoint(hub)]))).collect();
    finish(&mut world, &machines, 3 * MINUTE);
    world.pass(3 * MINUTE);
    for &machine in &machines {
        assert_eq!(
            world.checker.linked(machine).len(),
            3,
            "machine {machine} knows everyone: {}",
            world.standings()
        );
    }
    settle(&mut world);
}

#[test]
fn one_explicit_peer_is_enough_without_any_tracker() {
    let mut world = World::with_share(11, PIECE_BYTES, &[MIB]);
    let seed = world.start(Spec::seed(Vec::new()));
    let peer = world.start(Spec { listens: false, ..Spec::peer(vec![world.endpoint(seed)]) });
    finish(&mut world, &[peer], MINUTE);
    settle(&mut world);
}

#[test]
fn an_explicit_peer_that_comes_late_is_still_found() {
    let mut world = World::with_share(12, PIECE_BYTES, &[MIB]);
    let seed = world.join(Spec::seed(Vec::new()));
    let peer = world.start(Spec::peer(vec![world.endpoint(seed)]));
    world.pass(2 * MINUTE);
    world.boot(seed);
    finish(&mut world, &[peer], 5 * MINUTE);
}

#[test]
fn everyones_links_are_cut_at_once_and_all_finish() {
    let mut world = World::with_share(13, PIECE_BYTES, &[4 * MIB]);
    world.start(Spec { up_rate: 300_000, ..Spec::tracker() });
    let machines = join_many(&mut world, 6);
    world.pass(8 * SECOND);
    world.trouble(Fault::CutAll);
    finish(&mut world, &machines, 5 * MINUTE);
    settle(&mut world);
}

#[test]
fn a_crowd_of_thirty_two_finishes() {
    let mut world = World::with_share(14, 2 * PIECE_BYTES, &[2 * MIB]);
    world.start(Spec::tracker());
    let machines = join_many(&mut world, 32);
    finish(&mut world, &machines, 5 * MINUTE);
    settle(&mut world);
}

#[test]
fn sixty_four_machines_finish_a_small_share() {
    let mut world = World::with_share(15, 2 * PIECE_BYTES, &[512 * KIB]);
    world.start(Spec::tracker());
    let machines = join_many(&mut world, 63);
    finish(&mut world, &machines, 5 * MINUTE);
}

#[test]
fn a_peer_that_crashed_goes_on_from_what_it_had() {
    let mut world = World::with_share(16, PIECE_BYTES, &[4 * MIB]);
    world.start(Spec { up_rate: 200_000, ..Spec::tracker() });
    let peer = join_many(&mut world, 1)[0];
    let share = world.truths[0].share();
    let half = world.truths[0].leaves.len() / 2;
    assert!(world.run(5 * MINUTE, |world| world.checker.held(peer, share).len() >= half));
    world.trouble(Fault::Crash(peer));
    world.pass(5 * SECOND);
    world.trouble(Fault::Return(peer));
    finish(&mut world, &[peer], 5 * MINUTE);
    let sent = world.checker.book(0).sent_bytes;
    let most = world.truths[0].bytes() * 5 / 4;
    assert!(sent <= most, "the seed sent {sent} bytes, more than {most}: what was there was fetched again");
    settle(&mut world);
}

#[test]
fn a_free_slot_is_filled_at_once() {
    let mut world = World::with_share(17, PIECE_BYTES, &[2 * MIB]);
    world.start(Spec { distance: 25_000, ..Spec::tracker() });
    let far = |world: &World| Spec { distance: 25_000, ..Spec::peer(vec![world.endpoint(0)]) };
    let machines: Vec<usize> = (0..3).map(|_| world.start(far(&world))).collect();
    finish(&mut world, &machines, 2 * MINUTE);
    for machine in machines {
        let span = world.checker.book(machine).first_unchoke_span.expect("somebody unchoked it");
        assert!(span <= 150_000, "machine {machine} waited {span} microseconds for its first unchoke");
    }
}

#[test]
fn parts_of_several_peers_make_a_whole() {
    let mut world = World::with_share(18, PIECE_BYTES, &[MIB, 100_000]);
    world.start(Spec { shares: vec![(0, Begin::Register(true))], ..Spec::tracker() });
    let count = world.truths[0].leaves.len();
    let machines: Vec<usize> = (0..3)
        .map(|rest| {
            let shares = vec![(0, Begin::Described)];
            let machine = world.join(Spec { shares, ..Spec::peer(vec![world.endpoint(0)]) });
            let part = (0..count).filter(|piece| piece % 3 == rest);
            part.for_each(|piece| world.machines[machine].disk.fill(&world.truths[0], piece));
            world.boot(machine);
            machine
        })
        .collect();
    finish(&mut world, &machines, 3 * MINUTE);
    settle(&mut world);
}

#[test]
fn one_process_shares_several_shares() {
    let mut world = World::new(19);
    world.share(PIECE_BYTES, &[MIB]);
    world.share(PIECE_BYTES, &[512 * KIB, 0, 5]);
    let both = |begin: Begin| vec![(0, begin.clone()), (1, begin)];
    world.start(Spec { shares: both(Begin::Seed), ..Spec::tracker() });
    let dials = vec![world.endpoint(0)];
    let machines: Vec<usize> = [both(Begin::Linked), both(Begin::Linked), vec![(1, Begin::Linked)]]
        .into_iter()
        .map(|shares| world.start(Spec { shares, ..Spec::peer(dials.clone()) }))
        .collect();
    finish(&mut world, &machines, 3 * MINUTE);
    settle(&mut world);
}

#[test]
fn a_piece_that_the_seed_lost_is_served_no_more() {
    let mut world = World::with_share(20, PIECE_BYTES, &[2 * MIB]);
    world.start(Spec { up_rate: 100_000, ..Spec::tracker() });
    let machines = join_many(&mut world, 2);
    world.pass(3 * SECOND);
    world.lose_piece(0, 5);
    world.pass(2 * MINUTE);
    let share = world.truths[0].share();
    let others = world.truths[0].leaves.len() - 1;
    for machine in machines {
        assert!(
            world.checker.held(machine, share).len() >= others,
            "all but the lost one: {}",
            world.standings()
        );
    }
}

#[test]
fn a_machine_that_dials_itself_keeps_no_link_to_itself() {
    let mut world = World::with_share(21, PIECE_BYTES, &[MIB]);
    let seed = world.join(Spec::seed(Vec::new()));
    let own = world.endpoint(seed);
    world.machines[seed].spec.dials = vec![own.clone()];
    world.boot(seed);
    let peer = world.start(Spec::peer(vec![own]));
    finish(&mut world, &[peer], MINUTE);
    settle(&mut world);
}

#[test]
fn two_that_dial_each_other_keep_one_link() {
    let mut world = World::with_share(22, PIECE_BYTES, &[MIB]);
    let seed = world.join(Spec::seed(Vec::new()));
    let peer = world.join(Spec::peer(vec![world.endpoint(seed)]));
    world.machines[seed].spec.dials = vec![world.endpoint(peer)];
    world.boot(seed);
    world.boot(peer);
    finish(&mut world, &[peer], MINUTE);
    settle(&mut world);
    assert_eq!(world.checker.linked(peer).len(), 1, "one link stands");
}

#[test]
fn a_slow_and_distant_seed_is_not_taken_for_dead() {
    let mut world = World::with_share(23, 1024 * 1024, &[2 * MIB]);
    world.start(Spec { up_rate: 20_000, distance: 300_000, ..Spec::tracker() });
    let machines = join_many(&mut world, 1);
    finish(&mut world, &machines, 6 * MINUTE);
    assert_eq!(world.checker.book(machines[0]).banned, std::collections::BTreeSet::<PeerId>::new());
    let sent = world.checker.book(0).sent_bytes;
    assert!(sent < world.truths[0].bytes() * 3 / 2, "the seed sent {sent} bytes: most were thrown away");
}
