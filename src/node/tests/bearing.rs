//! What a process bears from peers that are slow, hasty, in error or up to no good, and how much of it.

use super::*;

fn nack(piece: u64, reason: NackReason) -> Message {
    Message::Nack { piece, start: 0, length: u64::from(LEAF_BYTES), reason }
}

fn dials(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Dial { .. })).count()
}

#[test]
fn who_refuses_without_choking_is_not_asked_again_at_once() {
    for reason in [NackReason::Choked, NackReason::Cancelled, NackReason::Full] {
        let mut stage = Stage::leecher();
        let (link, out) = stage.server(1);
        let piece = asked(&out, link)[0];
        assert!(asked(&stage.says(link, nack(piece, reason)), link).is_empty(), "{reason:?}");
        assert_eq!(asked(&stage.pass(Duration::from_secs(2)), link), [piece], "{reason:?}");
    }
}

#[test]
fn requests_that_crossed_a_choke_are_not_held_against_who_sent_them() {
    let mut stage = Stage::seed();
    let link = stage.guest(1);
    stage.says(link, Message::Interested);
    stage.says(link, Message::NotInterested);
    for _ in 0..500 {
        assert_eq!(nacks(&stage.says(link, request(1)), link), [(1, NackReason::Choked)]);
    }
    stage.pass(Duration::from_secs(2));
    (0..300).for_each(|_| assert_eq!(farewell(&stage.says(link, request(1)), link), None));
    assert_eq!(farewell(&stage.says(link, request(1)), link), Some(ErrorCode::Protocol));
}

#[test]
fn a_block_that_crossed_a_choke_is_taken_and_a_refused_one_goes_to_another() {
    let mut stage = Stage::leecher();
    let (link, out) = stage.server(1);
    let pieces = asked(&out, link);
    let (other, _) = stage.server(2);
    stage.says(link, Message::Choke);
    let out = stage.delivers(link, pieces[0], truth(pieces[0]));
    assert!(out.iter().any(|action| matches!(action, Action::Keep { .. })));
    let out = stage.says(link, nack(pieces[1], NackReason::Choked));
    assert_eq!(asked(&out, other), [pieces[1]]);
    assert_eq!(stage.node.view(stage.now)[0].wasted_bytes, 0);
}

#[test]
fn who_breaks_the_rules_each_time_is_dialled_ever_more_rarely() {
    for last_word in [
        Message::Stock { all: Some(vec![[99, 99]]), more: None },
        Message::Error { code: ErrorCode::Banned, text: String::new() },
    ] {
        let mut stage = Stage::leecher();
        let endpoint: Endpoint = "tracker.example:7070".parse().expect("an endpoint");
        let mut count = 0;
        for step in 0..600 {
            let due = dials(&stage.pass(Duration::from_millis(100))) + usize::from(step == 0);
            count += due;
            if due > 0 {
                let (link, _) = stage.connected([10, 0, 0, 1], Some(endpoint.clone()));
                stage.says(link, stage.register(1, 0));
                stage.says(link, last_word.clone());
            }
        }
        assert!((2..=7).contains(&count), "{count} dials in a minute after {last_word:?}");
    }
}

#[test]
fn a_crowd_of_strangers_does_not_keep_us_from_dialling() {
    let mut stage = Stage::leecher();
    (0..STRANGERS_MAX).for_each(|_| drop(stage.connected([10, 0, 0, 9], None)));
    let (refused, out) = stage.connected([10, 0, 0, 9], None);
    assert_eq!(farewell(&out, refused), Some(ErrorCode::Busy));
    let endpoint: Endpoint = "tracker.example:7070".parse().expect("an endpoint");
    let (link, out) = stage.connected([10, 0, 0, 1], Some(endpoint));
    assert!(matches!(said(&out, link)[0], Message::Register { .. }));
}

fn part(stage: &Stage, link: LinkId, start: usize, end: usize) -> Event {
    let bytes = stage.metainfo.served_bytes();
    let length = u32::try_from(end - start).expect("small");
    let message = Message::Metainfo { start: start as u64, length, total: bytes.len() as u64 };
    Event::Received { link, message, payload: Payload::Bytes(bytes[start..end].to_vec()) }
}

#[test]
fn a_peer_too_slow_with_the_description_is_neither_blamed_nor_asked_in_vain() {
    let mut stage = Stage::with(Role::Peer, Start::Linked);
    let link = stage.guest(1);
    let mut requests = 0;
    for _ in 0..30 {
        stage.says(link, Message::Heartbeat);
        let out = stage.pass(Duration::from_secs(4));
        requests += said(&out, link).iter().filter(|m| matches!(m, Message::MetainfoRequest { .. })).count();
    }
    assert!((1..=3).contains(&requests), "{requests} more requests in two minutes");
    let end = stage.metainfo.served_bytes().len();
    stage.pass(Duration::from_secs(4));
    for _ in 0..=requests {
        let event = part(&stage, link, 0, end / 2);
        assert_eq!(farewell(&stage.happens(event), link), None);
    }
    let event = part(&stage, link, end / 2, end);
    assert!(stage.happens(event).iter().any(|action| matches!(action, Action::Prepare { .. })));
}

#[test]
fn the_description_is_not_sent_without_end_to_one_peer() {
    let mut stage = Stage::seed();
    let link = stage.guest(1);
    for _ in 0..300 {
        let out = stage.says(link, Message::MetainfoRequest { start: 0 });
        assert!(matches!(out[..], [Action::SendMetainfo { .. }]));
    }
    let out = stage.says(link, Message::MetainfoRequest { start: 0 });
    assert_eq!(farewell(&out, link), Some(ErrorCode::Protocol));
}

#[test]
fn bytes_nobody_asked_for_earn_nothing() {
    let mut stage = Stage::leecher();
    let link = stage.guest(1);
    (0..100).for_each(|_| drop(stage.delivers(link, 0, truth(0))));
    assert_eq!(stage.node.view(stage.now)[0].peers[0].received_bytes, 0);
}

#[test]
fn a_suggestion_that_was_followed_elsewhere_makes_room_for_another() {
    let mut stage = Stage::seed();
    let link = stage.guest(1);
    stage.says(link, Message::Stock { all: Some(Vec::new()), more: None });
    let suggested = |actions: &[Action]| {
        let piece =
            |message: &&Message| if let Message::Suggest { piece } = message { Some(*piece) } else { None };
        said(actions, link).iter().filter_map(piece).collect::<Vec<_>>()
    };
    let first = suggested(&stage.says(link, Message::Interested));
    assert_eq!(first.len(), 2);
    let runs = first.iter().map(|piece| [*piece; 2]).collect();
    let others = suggested(&stage.says(link, Message::Stock { all: None, more: Some(runs) }));
    assert_eq!(others.len(), 2);
    assert!(others.iter().all(|piece| !first.contains(piece)));
}

#[test]
fn this_machine_is_not_dialled_because_another_says_so() {
    let mut stage = Stage::leecher();
    stage.pass(Duration::from_secs(1));
    let far = stage.guest(1);
    let here = PeerAddress { id: PeerId([3; 20]), ip: IpAddr::from([127, 0, 0, 1]), port: 2222 };
    assert_eq!(dials(&stage.says(far, Message::PeerList(vec![here]))), 0);
    let (near, _) = stage.connected([127, 0, 0, 1], None);
    stage.says(near, stage.register(2, 5000));
    assert_eq!(dials(&stage.says(near, Message::PeerList(vec![here]))), 1);
}

#[test]
fn a_place_is_not_dialled_again_before_its_dial_came_to_an_end() {
    let mut stage = Stage::leecher();
    let teller = stage.guest(1);
    let place = PeerAddress { id: PeerId([3; 20]), ip: IpAddr::from([10, 0, 0, 2]), port: 5000 };
    assert_eq!(dials(&stage.says(teller, Message::PeerList(vec![place]))), 1);
    let dials_there = |out: Vec<Action>| {
        let there =
            |action: &&Action| matches!(action, Action::Dial { endpoint, .. } if endpoint.port == 5000);
        out.iter().filter(there).count()
    };
    for _ in 0..5 {
        let link = stage.guest(2);
        stage.says(link, request(99));
        let link = stage.guest(2);
        stage.happens(Event::Closed { link });
        stage.says(teller, Message::Heartbeat);
        assert_eq!(dials_there(stage.pass(Duration::from_secs(10))), 0);
    }
    let (share, endpoint) = (stage.share(), Endpoint::at(place.ip, place.port));
    stage.happens(Event::DialFailed { share, endpoint });
    stage.says(teller, Message::Heartbeat);
    assert_eq!(dials_there(stage.pass(Duration::from_secs(10))), 1);
}

#[test]
fn a_stock_that_changes_without_end_closes_the_link() {
    let mut stage = Stage::leecher();
    let link = stage.guest(1);
    let nothing = Message::Stock { all: Some(Vec::new()), more: None };
    let turns = (0..1000).take_while(|_| {
        let closed = |out: Vec<Action>| farewell(&out, link) == Some(ErrorCode::Protocol);
        !closed(stage.says(link, stock_of(0, PIECES - 1))) && !closed(stage.says(link, nothing.clone()))
    });
    assert!((2..=200).contains(&turns.count()));
}

#[test]
fn only_from_the_same_address_does_a_new_link_take_the_place_of_a_quiet_one() {
    for (ip, outcome) in [([10, 0, 0, 1], None), ([10, 0, 0, 2], Some(ErrorCode::Duplicate))] {
        let mut stage = Stage::leecher();
        let old = stage.guest(1);
        stage.pass(Duration::from_secs(6));
        let (new, _) = stage.connected(ip, None);
        let out = stage.says(new, stage.register(1, 5000));
        assert_eq!(farewell(&out, new), outcome);
        assert_eq!(farewell(&out, old).is_some(), outcome.is_none());
    }
}

#[test]
fn one_peer_can_send_us_to_so_many_places_a_minute_and_no_more() {
    let mut stage = Stage::leecher();
    let teller = stage.guest(1);
    let list = |net: u8| {
        let place =
            |host| PeerAddress { id: PeerId([3; 20]), ip: IpAddr::from([203, 0, net, host]), port: 9000 };
        Message::PeerList((0..200).map(place).collect())
    };
    let mut out: Vec<Action> = (0..9).flat_map(|net| stage.says(teller, list(net))).collect();
    let mut places = std::collections::BTreeSet::new();
    for _ in 0..40 {
        for action in out {
            let Action::Dial { share, endpoint } = action else { continue };
            places.insert(endpoint.to_string());
            stage.happens(Event::DialFailed { share, endpoint });
        }
        stage.says(teller, Message::Heartbeat);
        out = stage.pass(Duration::from_millis(500));
    }
    places.remove("10.0.0.1:5000");
    places.remove("tracker.example:7070");
    assert_eq!(places.len(), 1_000);
}
