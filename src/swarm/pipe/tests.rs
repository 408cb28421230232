//! Stories of one pipe: how much is asked for, and how long it is waited for.

use super::*;
use crate::content::Geometry;

const MIB: u32 = 1024 * 1024;

fn geometry() -> Geometry {
    Geometry::new(u64::from(MIB), &[1 << 34]).expect("a share")
}

fn block(n: u64) -> Block {
    geometry().block(n / 16, n % 16 * 65_536, 65_536).expect("a block")
}

fn at(millis: u64) -> Moment {
    Moment::START.after(Duration::from_millis(millis))
}

fn pipe() -> Pipe {
    Pipe::new(Moment::START)
}

/// Asks while there is appetite; gives the bytes under way then.
fn fill(pipe: &mut Pipe, now: Moment, next: &mut u64) -> u64 {
    while pipe.appetite(now).is_some() {
        pipe.ask(now, block(*next));
        *next += 1;
    }
    pipe.asked_bytes
}

fn deliver(pipe: &mut Pipe, now: Moment, block: Block) {
    pipe.delivered(now, block);
    assert_eq!(pipe.answered(block), Answer::Awaited);
}

#[test]
fn after_each_refusal_the_pause_grows_and_a_delivery_ends_that() {
    let mut pipe = pipe();
    let mut now = 0;
    for pause in [500, 1000, 2000, 4000] {
        pipe.refused(at(now));
        now += pause;
        assert_eq!(pipe.appetite(at(now - 1)), None);
        assert!(pipe.appetite(at(now)).is_some());
    }
    pipe.ask(at(9000), block(0));
    deliver(&mut pipe, at(9000), block(0));
    pipe.refused(at(9000));
    assert!(pipe.appetite(at(9500)).is_some());
}

#[test]
fn the_window_opens_by_what_arrives_and_settles_at_what_the_peer_delivers() {
    let (mut pipe, mut next) = (pipe(), 0);
    assert_eq!(fill(&mut pipe, at(0), &mut next), WINDOW_FIRST);
    let mut arrived = 0;
    for millis in 1..=4000 {
        // One block of 64 KiB a 50th of a second: 3.2 MiB a second.
        if millis % 20 == 0 {
            deliver(&mut pipe, at(millis), block(arrived));
            arrived += 1;
        }
        fill(&mut pipe, at(millis), &mut next);
    }
    let rate = pipe.down.rate(at(4000));
    let window = pipe.asked_bytes;
    assert!(window >= rate / 3 && window <= rate, "{window} bytes under way at {rate} a second");
}

#[test]
fn a_peer_that_was_idle_is_asked_for_as_much_as_before() {
    let (mut pipe, mut next) = (pipe(), 0);
    for second in 0..8 {
        fill(&mut pipe, at(second * 250), &mut next);
        pipe.awaited().into_iter().for_each(|block| deliver(&mut pipe, at(second * 250 + 200), block));
    }
    let before = fill(&mut pipe, at(2_000), &mut next);
    pipe.awaited().into_iter().for_each(|block| deliver(&mut pipe, at(2_001), block));
    assert!(fill(&mut pipe, at(60_000), &mut next) >= before / 2);
}

/// A peer that delivered 64 KiB every 20 ms, for three seconds, and then had nothing to do for a minute.
fn rested() -> Pipe {
    let (mut pipe, mut next) = (pipe(), 0);
    for millis in 1..=3_000 {
        fill(&mut pipe, at(millis), &mut next);
        if millis % 20 == 0 {
            let oldest = pipe.awaited()[0];
            deliver(&mut pipe, at(millis), oldest);
        }
    }
    pipe.awaited().into_iter().for_each(|block| deliver(&mut pipe, at(3_001), block));
    pipe
}

#[test]
fn a_peer_that_rested_is_asked_for_as_much_after_its_first_blocks_as_before_them() {
    let (mut pipe, mut next) = (rested(), 10_000);
    let before = fill(&mut pipe, at(63_000), &mut next);
    pipe.awaited().into_iter().for_each(|block| deliver(&mut pipe, at(63_050), block));
    assert!(fill(&mut pipe, at(63_050), &mut next) >= before / 2);
}

#[test]
fn a_peer_that_rested_is_still_known_to_be_quick() {
    let (mut pipe, mut next) = (rested(), 10_000);
    assert!(pipe.is_quicker(MIB, Duration::from_secs(5), at(63_000)));
    fill(&mut pipe, at(63_000), &mut next);
    assert!(pipe.queue(at(63_100)) < Duration::from_secs(2));
    assert!(pipe.queue(at(66_000)) > Duration::from_secs(2), "it had its time, and brought nothing");
}

#[test]
fn a_fast_peer_is_asked_for_large_blocks_and_a_slow_one_for_single_leaves() {
    let mut fast = pipe();
    fast.down.add(at(0), 64 * u64::from(MIB));
    assert_eq!(fast.appetite(at(250)), Some(MIB));
    let mut slow = pipe();
    (0..40).for_each(|n| slow.down.add(at(n * 500), 10_000));
    assert_eq!(slow.appetite(at(20_000)), Some(LEAF_BYTES));
}

#[test]
fn no_more_than_five_hundred_requests_wait_with_one_peer() {
    let mut pipe = pipe();
    pipe.down.add(at(0), 1 << 32);
    pipe.ask(at(0), block(0));
    deliver(&mut pipe, at(0), block(0));
    let mut next = 0;
    while pipe.appetite(at(250)).is_some() {
        pipe.ask(at(250), geometry().block(next / 64, next % 64 * 16_384, 16_384).expect("a block"));
        next += 1;
    }
    assert_eq!(usize::try_from(next), Ok(ASKED_MAX));
}

#[test]
fn a_peer_that_owes_everything_too_long_is_overdue_and_one_that_trickles_is_not() {
    let (mut silent, mut slow, mut next) = (pipe(), pipe(), 0);
    fill(&mut silent, at(0), &mut next);
    assert!(!silent.is_overdue(at(19_999)));
    assert!(silent.is_overdue(at(20_000)));
    slow.ask(at(0), block(0));
    slow.ask(at(0), block(1));
    deliver(&mut slow, at(15_000), block(0));
    assert!(!slow.is_overdue(at(20_000)), "it gave something five seconds ago");
    slow.is_alive(at(70_000));
    assert!(!slow.is_overdue(at(74_000)), "a long block is on its way");
}

#[test]
fn a_snubbed_peer_is_asked_for_one_leaf_at_a_time_until_it_delivers() {
    let mut pipe = pipe();
    pipe.is_snubbed = true;
    assert_eq!(pipe.appetite(at(0)), Some(LEAF_BYTES));
    pipe.ask(at(0), block(0));
    assert_eq!(pipe.appetite(at(0)), None);
    deliver(&mut pipe, at(10), block(0));
    assert!(!pipe.is_snubbed);
}

#[test]
fn a_block_that_is_given_up_is_still_owed_an_answer() {
    let mut pipe = pipe();
    pipe.ask(at(0), block(0));
    pipe.give_up(block(0));
    assert_eq!((pipe.asked_bytes, pipe.awaited()), (0, vec![]));
    assert!(pipe.is_asked(block(0)));
    assert_eq!(pipe.answered(block(0)), Answer::Late);
    assert_eq!(pipe.answered(block(0)), Answer::Unasked);
}

#[test]
fn a_burst_of_refusals_is_one_pause() {
    let mut pipe = pipe();
    (0..50).for_each(|_| pipe.refused(at(0)));
    assert!(pipe.appetite(at(1_000)).is_some());
    pipe.refused(at(1_000));
    assert!(pipe.appetite(at(1_999)).is_none() && pipe.appetite(at(2_000)).is_some());
}
