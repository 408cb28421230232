//! Stories of one peer: how much it is asked for, how long it is waited for, how much it may get wrong.

use super::*;
use crate::content::{Geometry, PieceSet};

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

/// A peer that holds everything and serves us.
fn session() -> Session {
    let remote = Remote {
        id: PeerId([1; 20]),
        address: SocketAddr::from(([10, 0, 0, 1], 5000)),
        port: 7070,
        agent: String::new(),
        is_tracker: false,
        dialled: None,
    };
    let mut session = Session::new(remote, false, Moment::START);
    session.stock = Stock::Known(PieceSet::full(geometry().piece_count()));
    session.it_chokes = false;
    session
}

/// Asks while there is appetite; gives the bytes under way then.
fn fill(session: &mut Session, now: Moment, next: &mut u64) -> u64 {
    while session.appetite(now).is_some() {
        session.ask(now, block(*next));
        *next += 1;
    }
    session.asked_bytes
}

fn deliver(session: &mut Session, now: Moment, block: Block) {
    session.delivered(now, block);
    assert_eq!(session.answered(block), Answer::Awaited);
}

#[test]
fn a_choked_paused_or_register_only_peer_is_not_asked() {
    let mut choked = session();
    choked.it_chokes = true;
    assert_eq!(choked.appetite(at(0)), None);
    let mut guest = session();
    guest.is_guest = true;
    assert_eq!(guest.appetite(at(0)), None);
    let mut paused = session();
    paused.refused(at(0));
    assert_eq!(paused.appetite(at(499)), None);
    assert!(paused.appetite(at(500)).is_some());
}

#[test]
fn after_each_refusal_the_pause_grows_and_a_delivery_ends_that() {
    let mut session = session();
    let mut now = 0;
    for pause in [500, 1000, 2000, 4000] {
        session.refused(at(now));
        now += pause;
        assert_eq!(session.appetite(at(now - 1)), None);
        assert!(session.appetite(at(now)).is_some());
    }
    session.ask(at(9000), block(0));
    deliver(&mut session, at(9000), block(0));
    session.refused(at(9000));
    assert!(session.appetite(at(9500)).is_some());
}

#[test]
fn the_window_opens_by_what_arrives_and_settles_at_what_the_peer_delivers() {
    let (mut session, mut next) = (session(), 0);
    assert_eq!(fill(&mut session, at(0), &mut next), WINDOW_FIRST);
    let mut arrived = 0;
    for millis in 1..=4000 {
        // One block of 64 KiB a 50th of a second: 3.2 MiB a second.
        if millis % 20 == 0 {
            deliver(&mut session, at(millis), block(arrived));
            arrived += 1;
        }
        fill(&mut session, at(millis), &mut next);
    }
    let rate = session.down.rate(at(4000));
    let window = session.asked_bytes;
    assert!(window >= rate / 3 && window <= rate, "{window} bytes under way at {rate} a second");
}

#[test]
fn a_peer_that_was_idle_is_asked_for_as_much_as_before() {
    let (mut session, mut next) = (session(), 0);
    for second in 0..8 {
        fill(&mut session, at(second * 250), &mut next);
        session.awaited().into_iter().for_each(|block| deliver(&mut session, at(second * 250 + 200), block));
    }
    let before = fill(&mut session, at(2_000), &mut next);
    session.awaited().into_iter().for_each(|block| deliver(&mut session, at(2_001), block));
    assert!(fill(&mut session, at(60_000), &mut next) >= before / 2);
}

#[test]
fn a_fast_peer_is_asked_for_large_blocks_and_a_slow_one_for_single_leaves() {
    let mut fast = session();
    fast.down.add(at(0), 64 * u64::from(MIB));
    assert_eq!(fast.appetite(at(250)), Some(MIB));
    let mut slow = session();
    (0..40).for_each(|n| slow.down.add(at(n * 500), 10_000));
    assert_eq!(slow.appetite(at(20_000)), Some(LEAF_BYTES));
}

#[test]
fn no_more_than_five_hundred_requests_wait_with_one_peer() {
    let mut session = session();
    session.down.add(at(0), 1 << 32);
    session.ask(at(0), block(0));
    deliver(&mut session, at(0), block(0));
    let mut next = 0;
    while session.appetite(at(250)).is_some() {
        session.ask(at(250), geometry().block(next / 64, next % 64 * 16_384, 16_384).expect("a block"));
        next += 1;
    }
    assert_eq!(usize::try_from(next), Ok(ASKED_MAX));
}

#[test]
fn a_peer_that_owes_everything_too_long_is_overdue_and_one_that_trickles_is_not() {
    let (mut silent, mut slow, mut next) = (session(), session(), 0);
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
    let mut session = session();
    session.is_snubbed = true;
    assert_eq!(session.appetite(at(0)), Some(LEAF_BYTES));
    session.ask(at(0), block(0));
    assert_eq!(session.appetite(at(0)), None);
    deliver(&mut session, at(10), block(0));
    assert!(!session.is_snubbed);
}

#[test]
fn a_block_that_is_given_up_is_still_owed_an_answer() {
    let mut session = session();
    session.ask(at(0), block(0));
    session.give_up(block(0));
    assert_eq!((session.asked_bytes, session.awaited()), (0, vec![]));
    assert!(session.is_asked(block(0)));
    assert_eq!(session.answered(block(0)), Answer::Late);
    assert_eq!(session.answered(block(0)), Answer::Unasked);
}

#[test]
fn three_hundred_hopeless_requests_or_unasked_blocks_are_borne_and_no_more() {
    let mut session = session();
    for _ in 0..STRIKES_MAX {
        assert_eq!((session.hopeless(at(0)), session.unasked()), (Ok(()), Ok(())));
    }
    assert_eq!(session.hopeless(at(0)), Err(Violation::HopelessRequests));
    assert_eq!(session.unasked(), Err(Violation::UnaskedBlocks));
}

#[test]
fn of_many_suggestions_the_latest_are_kept() {
    let mut session = session();
    geometry().pieces().take(300).for_each(|piece| session.suggest(piece, false, Moment::START));
    assert_eq!(session.suggested.len(), SUGGESTED_MAX);
    assert_eq!(session.suggested.back().map(|piece| piece.get()), Some(299));
}

#[test]
fn a_burst_of_refusals_is_one_pause() {
    let mut session = session();
    (0..50).for_each(|_| session.refused(at(0)));
    assert!(session.appetite(at(1_000)).is_some());
    session.refused(at(1_000));
    assert!(session.appetite(at(1_999)).is_none() && session.appetite(at(2_000)).is_some());
}
