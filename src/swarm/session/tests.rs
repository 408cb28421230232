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
