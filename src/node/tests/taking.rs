//! What a process takes: descriptions, stocks and blocks, true and false.

use super::*;

#[test]
fn an_interesting_peer_is_told_and_asked_as_soon_as_it_unchokes() {
    let mut stage = Stage::leecher();
    let link = stage.guest(1);
    let out = stage.says(link, stock_of(2, 3));
    assert_eq!(said(&out, link), [&Message::Interested]);
    let mut pieces = asked(&stage.says(link, Message::Unchoke), link);
    pieces.sort_unstable();
    assert_eq!(pieces, [2, 3]);
    stage.delivers(link, 2, truth(2));
    let out = stage.delivers(link, 3, truth(3));
    assert!(said(&out, link).contains(&&Message::NotInterested));
}

#[test]
fn a_piece_that_is_verified_and_written_is_announced_to_everyone() {
    let mut stage = Stage::leecher();
    let other = stage.guest(2);
    let (link, out) = stage.server(1);
    let piece = asked(&out, link)[0];
    let out = stage.delivers(link, piece, truth(piece));
    let news = Message::Stock { all: None, more: Some(vec![[piece, piece]]) };
    assert!(out.iter().any(|action| matches!(action, Action::Keep { .. })));
    assert!(said(&out, link).contains(&&news) && said(&out, other).contains(&&news));
}

#[test]
fn a_block_nobody_waits_for_is_dropped_and_three_hundred_are_borne() {
    let mut stage = Stage::leecher();
    let link = stage.guest(1);
    for _ in 0..300 {
        let out = stage.delivers(link, 0, truth(0));
        assert!(out.is_empty(), "{out:?}");
    }
    assert_eq!(farewell(&stage.delivers(link, 0, truth(0)), link), Some(ErrorCode::Protocol));
    assert_eq!(stage.node.view(stage.now)[0].wasted_bytes, 301 * u64::from(LEAF_BYTES));
}

#[test]
fn a_liar_is_banned_and_what_it_sent_is_asked_of_another() {
    let mut stage = Stage::leecher();
    let (liar, out) = stage.server(1);
    let piece = asked(&out, liar)[0];
    let (honest, _) = stage.server(2);
    let out = stage.delivers(liar, piece, truth(99));
    assert_eq!(
        said(&out, honest),
        [&Message::LeavesRequest { piece }],
        "the true leaves are asked of another"
    );
    let message = Message::Leaves { piece, length: 32 };
    let out = stage.happens(Event::Received {
        link: honest,
        message,
        payload: Payload::Digests(vec![truth(piece)]),
    });
    assert_eq!(farewell(&out, liar), Some(ErrorCode::Banned));
    let banned =
        |action: &Action| matches!(action, Action::Tell(News::Banned { id, .. }) if *id == PeerId([1; 20]));
    assert_eq!(out.iter().filter(|action| banned(action)).count(), 1);
    assert!(asked(&out, honest).contains(&piece));
    let (again, _) = stage.connected([10, 0, 0, 1], None);
    assert_eq!(farewell(&stage.says(again, stage.register(1, 5000)), again), Some(ErrorCode::Banned));
}

#[test]
fn a_ban_is_kept_with_the_download_and_holds_in_its_next_life() {
    let mut stage = Stage::leecher();
    let (liar, out) = stage.server(1);
    let piece = asked(&out, liar)[0];
    stage.delivers(liar, piece, truth(99));
    let message = Message::Leaves { piece, length: 32 };
    let out =
        stage.happens(Event::Received { link: liar, message, payload: Payload::Digests(vec![truth(98)]) });
    let kept = |action: &Action| if let Action::Remember { ban, .. } = action { Some(*ban) } else { None };
    let banned: Vec<_> = out.iter().filter_map(kept).collect();
    assert_eq!(banned, [Ban { id: PeerId([1; 20]), ip: IpAddr::from([10, 0, 0, 1]), port: 5000 }]);

    let mut stage = Stage::with(Role::Peer, Start::Described(metainfo()));
    let early = stage.guest(1);
    let (share, held, wanted) = (stage.share(), PieceSet::empty(PIECES), PieceSet::full(PIECES));
    let out = stage.happens(Event::Prepared { share, held, wanted, banned, doubtful: BTreeMap::new() });
    assert_eq!(farewell(&out, early), Some(ErrorCode::Banned));
    let (again, _) = stage.connected([10, 0, 0, 1], None);
    assert_eq!(farewell(&stage.says(again, stage.register(1, 5000)), again), Some(ErrorCode::Banned));
}

#[test]
fn a_liar_about_leaves_is_banned_too_and_the_piece_is_fetched_whole() {
    let mut stage = Stage::leecher();
    let (liar, out) = stage.server(1);
    let piece = asked(&out, liar)[0];
    let out = stage.delivers(liar, piece, truth(99));
    assert_eq!(said(&out, liar), [&Message::LeavesRequest { piece }], "nobody else can be asked");
    let message = Message::Leaves { piece, length: 32 };
    let out =
        stage.happens(Event::Received { link: liar, message, payload: Payload::Digests(vec![truth(98)]) });
    assert_eq!(farewell(&out, liar), Some(ErrorCode::Banned));
    assert!(asked(&stage.server(2).1, LinkId(2)).contains(&piece));
}

#[test]
fn two_wrong_pieces_of_one_liar_are_both_fetched_again() {
    let mut stage = Stage::leecher();
    let (liar, out) = stage.server(1);
    let pieces = asked(&out, liar);
    let (one, other) = (pieces[0], pieces[1]);
    stage.delivers(liar, one, truth(98));
    stage.delivers(liar, other, truth(99));
    let message = Message::Leaves { piece: one, length: 32 };
    stage.happens(Event::Received { link: liar, message, payload: Payload::Digests(vec![truth(97)]) });
    let (honest, _) = stage.server(2);
    (0..u64::from(PIECES)).for_each(|piece| drop(stage.delivers(honest, piece, truth(piece))));
    assert!(stage.node.view(stage.now)[0].complete);
}

#[test]
fn what_a_silent_peer_owes_is_asked_of_another() {
    let mut stage = Stage::leecher();
    let (silent, out) = stage.server(1);
    assert_eq!(asked(&out, silent).len(), 8);
    let (other, out) = stage.server(2);
    assert!(asked(&out, other).is_empty(), "everything is asked for, and the end is not near");
    let mut out = Vec::new();
    for _ in 0..4 {
        out.extend(stage.says(silent, Message::Heartbeat));
        out.extend(stage.says(other, Message::Heartbeat));
        out.extend(stage.pass(Duration::from_secs(6)));
    }
    assert!(said(&out, silent).iter().any(|message| matches!(message, Message::Cancel { .. })));
    assert!(!asked(&out, other).is_empty());
}

/// A peer that was asked for these pieces, of which it sent the first after four seconds and none in the two since.
fn waiting_for_a_slow_peer() -> (Stage, LinkId, Vec<u64>) {
    let mut stage = Stage::leecher();
    let (slow, out) = stage.server(1);
    let pieces = asked(&out, slow);
    stage.pass(Duration::from_secs(4));
    stage.delivers(slow, pieces[0], truth(pieces[0]));
    stage.pass(Duration::from_secs(2));
    (stage, slow, pieces)
}

#[test]
fn at_the_end_the_quick_take_over_what_the_slow_would_send_last() {
    let (mut stage, slow, pieces) = waiting_for_a_slow_peer();
    let (quick, out) = stage.server(2);
    let taken = asked(&out, quick);
    assert!(!taken.is_empty() && taken.len() < 7, "{taken:?}");
    let cancelled = said(&out, slow).into_iter().filter_map(|message| match message {
        Message::Cancel { piece, .. } => Some(*piece),
        _ => None,
    });
    assert_eq!(cancelled.collect::<Vec<_>>(), taken, "each is waited for from one alone");
    for piece in &pieces[1..] {
        let link = if taken.contains(piece) { quick } else { slow };
        stage.delivers(link, *piece, truth(*piece));
    }
    let view = stage.node.view(stage.now).remove(0);
    assert!(view.complete && view.wasted_bytes == 0);
}

#[test]
fn what_is_taken_over_counts_once_against_the_limit() {
    let mut stage = Stage::leecher();
    stage.node.purse.down = Some(Bucket::new(u64::from(4 * LEAF_BYTES)));
    let (slow, mut out) = stage.server(1);
    out.extend(stage.pass(Duration::from_secs(4)));
    let pieces = asked(&out, slow);
    assert_eq!(pieces.len(), 8);
    stage.delivers(slow, pieces[0], truth(pieces[0]));
    stage.pass(Duration::from_secs(2));
    assert_eq!(asked(&stage.server(2).1, LinkId(2)).len(), 1);
    let opens = stage.node.purse.down.as_ref().and_then(Bucket::opens);
    assert_eq!(opens, None, "it was counted when the slow one was asked");
}

#[test]
fn what_was_taken_over_is_not_passed_on_from_one_idle_peer_to_the_next() {
    let (mut stage, slow, _) = waiting_for_a_slow_peer();
    let mut cancelled = BTreeMap::<u64, usize>::new();
    let mut links = vec![slow];
    for n in 2..7 {
        let (idle, mut out) = stage.server(n);
        links.push(idle);
        out.extend(stage.pass(Duration::from_millis(500)));
        for message in links.iter().flat_map(|link| said(&out, *link)) {
            let Message::Cancel { piece, .. } = message else { continue };
            *cancelled.entry(*piece).or_default() += 1;
        }
    }
    assert!(!cancelled.is_empty() && cancelled.values().all(|times| *times == 1), "{cancelled:?}");
}

#[test]
fn a_share_known_by_its_link_alone_is_described_by_a_peer_and_lies_are_passed_over() {
    let mut stage = Stage::with(Role::Peer, Start::Linked);
    let liar = stage.guest(1);
    let honest = stage.guest(2);
    let bytes = stage.metainfo.served_bytes().to_vec();
    let total = bytes.len() as u64;
    let part = |link, bytes: Vec<u8>| {
        let length = u32::try_from(bytes.len()).expect("small");
        Event::Received {
            link,
            message: Message::Metainfo { start: 0, length, total },
            payload: Payload::Bytes(bytes),
        }
    };
    let mut wrong = bytes.clone();
    let place = wrong.windows(5).position(|window| window == b"share").expect("the name");
    wrong[place] = b'S';
    let out = stage.happens(part(liar, wrong));
    assert_eq!(farewell(&out, liar), Some(ErrorCode::Banned));
    assert!(said(&out, honest).contains(&&Message::MetainfoRequest { start: 0 }));
    let out = stage.happens(part(honest, bytes));
    assert!(out.iter().any(|action| matches!(action, Action::Prepare { .. })));
}

#[test]
fn who_does_not_have_the_description_is_left_in_peace_and_another_is_asked() {
    for nothing in [Payload::None, Payload::Bytes(Vec::new())] {
        let mut stage = Stage::with(Role::Peer, Start::Linked);
        let (one, other) = (stage.guest(1), stage.guest(2));
        let message = Message::Metainfo { start: 0, length: 0, total: 0 };
        let out = stage.happens(Event::Received { link: one, message, payload: nothing });
        assert_eq!(farewell(&out, one), None);
        assert!(said(&out, other).contains(&&Message::MetainfoRequest { start: 0 }));
    }
}

#[test]
fn false_bytes_count_as_wasted_and_not_as_of_use() {
    let mut stage = Stage::leecher();
    let (liar, out) = stage.server(1);
    let piece = asked(&out, liar)[0];
    let (honest, _) = stage.server(2);
    stage.delivers(liar, piece, truth(99));
    let message = Message::Leaves { piece, length: 32 };
    stage.happens(Event::Received { link: honest, message, payload: Payload::Digests(vec![truth(piece)]) });
    (0..u64::from(PIECES)).for_each(|piece| drop(stage.delivers(honest, piece, truth(piece))));
    let view = &stage.node.view(stage.now)[0];
    assert!(view.complete);
    assert_eq!(view.from_seed_bytes + view.from_peer_bytes, view.total_bytes);
    assert_eq!(view.wasted_bytes, u64::from(LEAF_BYTES));
}

#[test]
fn a_stock_past_the_end_is_an_error_once_the_share_is_known() {
    let mut stage = Stage::leecher();
    let link = stage.guest(1);
    assert_eq!(farewell(&stage.says(link, stock_of(0, PIECES)), link), Some(ErrorCode::Protocol));
    let mut early = Stage::with(Role::Peer, Start::Described(metainfo()));
    let link = early.guest(1);
    assert_eq!(farewell(&early.says(link, stock_of(0, PIECES)), link), None);
    let (share, held, wanted) = (early.share(), PieceSet::empty(PIECES), PieceSet::full(PIECES));
    assert_eq!(
        farewell(
            &early.happens(Event::Prepared {
                share,
                held,
                wanted,
                banned: Vec::new(),
                doubtful: BTreeMap::new()
            }),
            link
        ),
        Some(ErrorCode::Protocol)
    );
}

#[test]
fn pieces_in_quick_succession_are_announced_together_and_the_first_at_once() {
    let mut stage = Stage::leecher();
    let listener = stage.guest(2);
    let (link, out) = stage.server(1);
    let pieces = asked(&out, link);
    let news = |actions: &[Action]| {
        let more =
            |message: &&Message| if let Message::Stock { more, .. } = message { more.clone() } else { None };
        said(actions, listener).iter().filter_map(more).collect::<Vec<_>>()
    };
    let first = stage.delivers(link, pieces[0], truth(pieces[0]));
    assert_eq!(news(&first), [[[pieces[0]; 2]]]);
    let (last, rest) = pieces[1..].split_last().expect("several pieces");
    let rest: Vec<Action> =
        rest.iter().flat_map(|piece| stage.delivers(link, *piece, truth(*piece))).collect();
    assert!(news(&rest).is_empty());
    let later = stage.pass(Duration::from_millis(20));
    let count: u64 = news(&later).iter().flatten().map(|[first, last]| last - first + 1).sum();
    assert_eq!((news(&later).len(), count), (1, u64::from(PIECES) - 2));
    let end = stage.delivers(link, *last, truth(*last));
    assert_eq!(news(&end), [[[*last; 2]]], "nothing more will come to wait for");
}
