//! What a process gives: unchokes, answers and suggestions.

use super::*;

#[test]
fn only_the_interested_are_unchoked_and_at_once() {
    let mut stage = Stage::seed();
    let link = stage.guest(1);
    let out = stage.says(link, Message::Interested);
    assert!(said(&out, link).contains(&&Message::Unchoke));
    let out = stage.says(link, Message::NotInterested);
    assert_eq!(said(&out, link), [&Message::Choke]);
}

/// How many of so many guests who come and are interested are served.
fn served_of(stage: &mut Stage, guests: std::ops::RangeInclusive<u8>) -> usize {
    let mut served = 0;
    for n in guests {
        let link = stage.guest(n);
        let out = stage.says(link, Message::Interested);
        served += said(&out, link).iter().filter(|message| ***message == Message::Unchoke).count();
    }
    served
}

#[test]
fn a_seed_serves_eight_and_one_by_chance() {
    assert_eq!(served_of(&mut Stage::seed(), 1..=20), 9);
}

#[test]
fn a_seed_whose_peers_are_one_team_serves_32_and_one_by_chance() {
    let mut stage = Stage::seed();
    let (link, _) = stage.connected([10, 0, 1, 1], None);
    let (id, share, goal) = (PeerId([200; 20]), stage.share(), Some(Goal::LastPeer));
    let tracker = Message::Register { id, share, port: 1, agent: String::new(), role: Role::Tracker, goal };
    stage.says(link, tracker);
    assert_eq!(served_of(&mut stage, 1..=50), 33);
}

#[test]
fn who_still_lacks_something_serves_four_and_one_by_chance() {
    let mut stage = Stage::leecher();
    let (giver, out) = stage.server(1);
    let piece = asked(&out, giver)[0];
    stage.delivers(giver, piece, truth(piece));
    assert_eq!(served_of(&mut stage, 2..=20), 5);
}

#[test]
fn a_seed_of_whom_a_piece_is_lost_serves_no_more_than_who_trades_from_then_on() {
    let mut stage = Stage::seed();
    let served = served_of(&mut stage, 1..=20);
    let pieces = vec![stage.block(3).piece];
    let out = stage.happens(Event::Spoiled { share: stage.share(), pieces });
    let count = |of: &Message| {
        let is_of = |action: &&Action| matches!(action, Action::Send { message, .. } if message == of);
        out.iter().filter(is_of).count()
    };
    assert_eq!(served + count(&Message::Unchoke) - count(&Message::Choke), 5);
}

/// Serves everyone that a seed chooses of twelve guests, seen at these addresses, so many pieces each, of which guest `hider`
/// tells nothing and the others all but one. Gives who is choked for those who wait.
fn choked_after(pieces: u32, address: impl Fn(u8) -> [u8; 4], hider: Option<usize>) -> Vec<bool> {
    choked_by(Stage::seed(), pieces, address, hider)
}

/// The same, of somebody who serves already.
fn choked_by(
    mut stage: Stage,
    pieces: u32,
    address: impl Fn(u8) -> [u8; 4],
    hider: Option<usize>,
) -> Vec<bool> {
    let guests: Vec<LinkId> = (1..=12)
        .map(|n| {
            let (link, _) = stage.connected(address(n), None);
            stage.says(link, stage.register(n, 5000));
            link
        })
        .collect();
    let is_served =
        |link: &LinkId| said(&stage.says(*link, Message::Interested), *link).contains(&&Message::Unchoke);
    let are_served: Vec<bool> = guests.iter().map(is_served).collect();
    for (n, link) in guests.iter().copied().enumerate().filter(|(n, _)| are_served[*n]) {
        for piece in 0..u64::from(pieces) {
            stage.says(link, request(piece));
            let block = stage.block(piece);
            stage.happens(Event::Served { link, block, sent: true });
        }
        if hider != Some(n) {
            stage.says(link, stock_of(0, pieces - 2));
        }
    }
    let out = stage.pass(Duration::from_secs(1));
    guests.iter().map(|link| said(&out, *link).contains(&&Message::Choke)).collect()
}

#[test]
fn who_does_not_tell_of_what_it_was_given_makes_room_for_who_waits() {
    for hider in 0..8 {
        let choked = choked_after(PIECES, |n| [10, 0, 0, n], Some(hider));
        assert!(choked[hider], "{hider}");
    }
}

#[test]
fn who_takes_and_gives_nothing_back_makes_room_for_who_waits() {
    let mut stage = Stage::leecher();
    let (giver, out) = stage.server(1);
    let piece = asked(&out, giver)[0];
    stage.delivers(giver, piece, truth(piece));
    let guests: Vec<LinkId> = (2..=20).map(|n| stage.guest(n)).collect();
    let mut is_served =
        |link: &LinkId| said(&stage.says(*link, Message::Interested), *link).contains(&&Message::Unchoke);
    let served: Vec<LinkId> = guests.into_iter().filter(|link| is_served(link)).collect();
    assert_eq!(served.len(), 5);
    for link in served.iter().copied() {
        for _ in 0..3 {
            stage.says(link, request(piece)); // a turn is two
            let block = stage.block(piece);
            stage.happens(Event::Served { link, block, sent: true });
        }
    }
    let out = stage.pass(Duration::from_secs(1));
    assert!(served.iter().all(|link| said(&out, *link).contains(&&Message::Choke)));
}

#[test]
fn what_a_neighbour_says_to_have_does_not_tell_of_what_another_was_given() {
    let address = |n: u8| [20 + n, 1, 1, 1];
    for hider in 0..8 {
        let mut stage = Stage::seed();
        let (neighbour, _) = stage.connected(address(u8::try_from(hider + 1).expect("small")), None);
        stage.says(neighbour, stage.register(99, 5001));
        stage.says(neighbour, stock_of(0, PIECES - 1));
        assert!(choked_by(stage, PIECES, address, Some(hider))[hider], "{hider}");
    }
}

/// Of four pairs of guests, seen together at the address of one of them: how many make room.
fn choked_of_pairs(address: fn(u8) -> [u8; 4]) -> usize {
    let choked_of = |(one, other): (u8, u8)| {
        let choked = choked_after(5, |n| address(if n == other { one } else { n }), None);
        [one, other].iter().filter(|n| choked[usize::from(**n) - 1]).count()
    };
    [(1, 2), (3, 5), (4, 8), (7, 6)].map(choked_of).iter().sum()
}

#[test]
fn what_all_links_of_one_public_address_were_given_counts_together() {
    assert!(choked_of_pairs(|n| [20 + n, 1, 1, 1]) >= 7, "all but who is drawn by chance");
    assert!(choked_of_pairs(|n| [10, 0, 0, n]) <= 5, "neighbours are told apart by nothing");
}

/// Twelve neighbours at one public address, of whom some have much; then one more comes.
#[test]
fn who_comes_new_to_an_address_whose_others_were_given_much_is_served_before_them() {
    let mut stage = Stage::seed();
    let guests: Vec<LinkId> = (1..=12)
        .map(|n| {
            let (link, _) = stage.connected([203, 0, 113, 1], None);
            stage.says(link, stage.register(n, 5000));
            link
        })
        .collect();
    for link in guests {
        stage.says(link, Message::Interested);
        for piece in 0..u64::from(PIECES) {
            stage.says(link, request(piece));
            let block = stage.block(piece);
            stage.happens(Event::Served { link, block, sent: true });
        }
        stage.says(link, stock_of(0, PIECES - 2));
    }
    let (link, _) = stage.connected([203, 0, 113, 1], None);
    stage.says(link, stage.register(13, 5000));
    let mut out = stage.says(link, Message::Interested);
    out.extend(stage.pass(Duration::from_secs(1)));
    assert!(said(&out, link).contains(&&Message::Unchoke));
}

#[test]
fn a_seed_suggests_to_each_unchoked_peer_what_it_has_given_out_least() {
    let mut stage = Stage::seed();
    let mut suggested = Vec::new();
    for n in 1..=2 {
        let link = stage.guest(n);
        stage.says(link, Message::Stock { all: Some(Vec::new()), more: None });
        let out = stage.says(link, Message::Interested);
        let piece =
            |message: &&Message| if let Message::Suggest { piece } = message { Some(*piece) } else { None };
        suggested.extend(said(&out, link).iter().filter_map(piece));
    }
    let distinct: BTreeSet<u64> = suggested.iter().copied().collect();
    assert_eq!((suggested.len(), distinct.len()), (4, 4), "two peers, two pieces each, none twice");
}

#[test]
fn a_request_is_answered_once_served_or_refused() {
    let mut stage = Stage::seed();
    let link = stage.guest(1);
    assert_eq!(nacks(&stage.says(link, request(3)), link), [(3, NackReason::Choked)]);
    stage.says(link, Message::Interested);
    let out = stage.says(link, request(3));
    assert!(nacks(&out, link).is_empty());
    assert!(
        out.iter().any(|action| matches!(action, Action::SendBlock { block, .. } if block.piece.get() == 3))
    );
    let block = stage.block(3);
    let out = stage.happens(Event::Served { link, block, sent: false });
    assert_eq!(nacks(&out, link), [(3, NackReason::Failed)]);
}

#[test]
fn a_request_outside_the_share_is_a_protocol_error() {
    for (piece, start, length) in
        [(8, 0, 16_384), (0, 1, 16_384), (0, 0, 100), (0, 16_384, 16_384), (0, 0, 2_097_152)]
    {
        let mut stage = Stage::seed();
        let link = stage.guest(1);
        let out = stage.says(link, Message::Request { piece, start, length });
        assert_eq!(farewell(&out, link), Some(ErrorCode::Protocol), "{piece} {start} {length}");
    }
}

#[test]
fn a_choke_drops_the_waiting_requests_each_with_a_nack_and_a_cancel_too() {
    let mut stage = Stage::seed();
    stage.node.purse.up = Some(Bucket::new(1));
    let link = stage.guest(1);
    stage.says(link, Message::Interested);
    (0..4).for_each(|piece| drop(stage.says(link, request(piece))));
    let out = stage.says(link, Message::Cancel { piece: 2, start: 0, length: u64::from(LEAF_BYTES) });
    assert_eq!(nacks(&out, link), [(2, NackReason::Cancelled)]);
    let out = stage.says(link, Message::NotInterested);
    assert_eq!(
        nacks(&out, link),
        [(1, NackReason::Choked), (3, NackReason::Choked)],
        "the first is under way"
    );
}

#[test]
fn the_same_range_asked_twice_is_answered_twice() {
    let mut stage = Stage::seed();
    let link = stage.guest(1);
    stage.says(link, Message::Interested);
    let sends =
        |out: &[Action]| out.iter().filter(|action| matches!(action, Action::SendBlock { .. })).count();
    assert_eq!(sends(&stage.says(link, request(1))), 1);
    let second = sends(&stage.says(link, request(1)));
    let block = stage.block(1);
    let third = sends(&stage.happens(Event::Served { link, block, sent: true }));
    assert_eq!(second + third, 1, "once the first has left");
}

#[test]
fn over_two_thousand_waiting_requests_are_refused_as_too_many() {
    let mut stage = Stage::seed();
    stage.node.purse.up = Some(Bucket::new(1));
    let link = stage.guest(1);
    stage.says(link, Message::Interested);
    (0..=2000).for_each(|_| assert!(nacks(&stage.says(link, request(1)), link).is_empty()));
    assert_eq!(nacks(&stage.says(link, request(1)), link), [(1, NackReason::Full)]);
}

#[test]
fn three_hundred_requests_while_choked_are_borne_and_no_more() {
    let mut stage = Stage::seed();
    let link = stage.guest(1);
    (0..300).for_each(|_| assert_eq!(nacks(&stage.says(link, request(1)), link).len(), 1));
    assert_eq!(farewell(&stage.says(link, request(1)), link), Some(ErrorCode::Protocol));
}

#[test]
fn content_that_changed_is_neither_announced_nor_served_any_more() {
    let mut stage = Stage::seed();
    let link = stage.guest(1);
    stage.says(link, Message::Interested);
    let lost: Vec<_> = stage.metainfo.geometry().pieces().take(2).collect();
    let out = stage.happens(Event::Lost { share: stage.share(), pieces: lost });
    assert!(said(&out, link).contains(&&stock_of(2, PIECES - 1)));
    assert_eq!(nacks(&stage.says(link, request(0)), link), [(0, NackReason::Absent)]);
}

#[test]
fn a_limit_is_used_to_the_full_whatever_else_happens_meanwhile() {
    let mut stage = Stage::seed();
    let rate = 100 * LEAF_BYTES;
    stage.node.purse.up = Some(Bucket::new(u64::from(rate)));
    let link = stage.guest(1);
    stage.says(link, Message::Interested);
    let mut served = 0;
    let mut count = |stage: &mut Stage, out: Vec<Action>| {
        for action in out {
            let Action::SendBlock { link, block, .. } = action else { continue };
            served += 1;
            stage.happens(Event::Served { link, block, sent: true });
        }
    };
    for _ in 0..400 {
        let out = stage.says(link, request(1));
        count(&mut stage, out);
    }
    for _ in 0..1000 {
        // The shell may be late: something else happens first when the limit opens again.
        stage.now = stage.now.after(Duration::from_millis(1));
        let mut out = stage.says(link, Message::Heartbeat);
        out.extend(stage.pass(Duration::ZERO));
        count(&mut stage, out);
    }
    assert!((95..=115).contains(&served), "{served} in a second, of 100");
}
