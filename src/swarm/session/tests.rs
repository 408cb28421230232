//! Stories of one peer: when it may be asked, and how much it may get wrong.

use super::*;
use crate::content::{Geometry, PieceSet};

fn geometry() -> Geometry {
    Geometry::new(1 << 20, &[1 << 34]).expect("a share")
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

#[test]
fn a_choked_paused_or_register_only_peer_is_not_asked() {
    let mut choked = session();
    choked.it_chokes = true;
    assert_eq!(choked.appetite(at(0)), None);
    let mut guest = session();
    guest.is_guest = true;
    assert_eq!(guest.appetite(at(0)), None);
    let mut paused = session();
    paused.pipe.refused(at(0));
    assert_eq!(paused.appetite(at(499)), None);
    assert!(paused.appetite(at(500)).is_some());
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
fn twenty_silent_seconds_end_a_link_and_five_call_for_a_word() {
    let mut session = session();
    assert!(!session.is_dead(at(19_999)) && session.is_dead(at(20_000)));
    assert!(!session.needs_heartbeat(at(4_999)) && session.needs_heartbeat(at(5_000)));
    session.is_alive(at(10_000));
    assert!(!session.is_dead(at(29_999)) && session.is_dead(at(30_000)));
}

#[test]
fn all_of_a_stock_may_change_eight_times() {
    let (mut session, count) = (session(), geometry().piece_count() as usize);
    (0..8).for_each(|_| assert_eq!(session.stock_changed(count), Ok(())));
    assert!(matches!(session.stock_changed(1), Err(Violation::TooMany(_))));
}

#[test]
fn four_thousand_idle_words_are_borne_at_once_and_then_two_hundred_a_second() {
    let mut session = session();
    (0..4_000).for_each(|_| assert_eq!(session.idle_word(at(0)), Ok(())));
    assert!(matches!(session.idle_word(at(0)), Err(Violation::TooMany(_))));
    (0..200).for_each(|_| assert_eq!(session.idle_word(at(1_005)), Ok(())));
    assert!(session.idle_word(at(1_005)).is_err());
}

#[test]
fn a_request_that_may_have_crossed_our_choke_is_none_of_the_hopeless() {
    let mut session = session();
    session.choke(at(1_000));
    assert!(session.we_choke);
    (0..1_000).for_each(|_| assert_eq!(session.hopeless(at(2_999)), Ok(())));
    (0..STRIKES_MAX).for_each(|_| assert_eq!(session.hopeless(at(3_000)), Ok(())));
    assert_eq!(session.hopeless(at(3_000)), Err(Violation::HopelessRequests));
}

#[test]
fn who_suggested_something_of_use_guides_for_a_second() {
    let (mut session, piece) = (session(), geometry().pieces().next().expect("a piece"));
    session.suggest(piece, false, at(1_000));
    assert!(!session.guides(at(1_000)));
    session.suggest(piece, true, at(1_000));
    assert!(session.guides(at(1_999)) && !session.guides(at(2_000)));
}

#[test]
fn the_shell_has_a_part_of_a_second_of_it_in_hand_and_never_more_than_two_mebibytes() {
    let mut session = session();
    assert_eq!(session.serving_max(at(0)), 16_384);
    session.up.add(at(0), 1_000_000);
    assert_eq!(session.up.rate(at(1_000)), 1_000_000);
    assert_eq!(session.serving_max(at(1_000)), 16_384 + 150_000);
    session.up.add(at(1_000), 1_000_000_000);
    assert_eq!(session.serving_max(at(1_500)), 2_097_152);
}

#[test]
fn only_who_is_seen_from_a_public_network_is_told_apart_by_it() {
    let mut remote = session().remote;
    assert_eq!(Session::new(remote.clone(), false, at(0)).network, None);
    remote.address = SocketAddr::from(([203, 0, 112, 7], 5000));
    assert_eq!(Session::new(remote, false, at(0)).network, Some([203, 0, 112, 0].into()));
}

/// One that wants something, is served and asks for nothing.
fn idle() -> Session {
    let mut idle = session();
    (idle.it_wants, idle.we_choke) = (true, false);
    idle
}

fn sleeps(mut session: Session) -> bool {
    session.watch(at(0));
    session.watch(at(1_000));
    session.slumber.is_asleep(at(1_000))
}

#[test]
fn asleep_is_only_who_wants_something_is_served_and_owed_nothing() {
    assert!(sleeps(idle()));
    assert!(!sleeps(Session { it_wants: false, ..idle() }));
    assert!(!sleeps(Session { we_choke: true, ..idle() }));
    assert!(!sleeps(Session { serving_bytes: 1, ..idle() }), "its block is on its way");
    let mut owed = idle();
    owed.owed.extend(geometry().block(0, 0, 16_384));
    assert!(!sleeps(owed));
}

#[test]
fn who_asks_while_it_is_served_is_awake_and_a_request_long_after_a_choke_tells_nothing() {
    let mut served = idle();
    served.asks(at(0));
    assert!(served.slumber.has_asked());
    let mut choked = idle();
    choked.choke(at(0));
    choked.asks(at(2_000));
    assert!(!choked.slumber.has_asked());
    choked.asks(at(1_999));
    assert!(choked.slumber.has_asked(), "it did not know yet");
    let mut never_served = session();
    never_served.asks(at(0));
    assert!(!never_served.slumber.has_asked());
}
