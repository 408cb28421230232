//! How a process meets others: handshakes, doubles, dials, lists and goodbyes.

use super::*;

#[test]
fn a_tracker_without_content_is_not_yet_a_peer_that_was_reached() {
    let mut stage = Stage::leecher();
    let (tracker, _) = stage.connected([10, 0, 0, 9], None);
    let (id, share) = (PeerId([9; 20]), stage.share());
    let register =
        Message::Register { id, share, port: 5000, agent: String::new(), role: Role::Tracker, goal: None };
    stage.says(tracker, register);
    stage.says(tracker, Message::Stock { all: Some(Vec::new()), more: None });
    assert!(!stage.node.view(stage.now)[0].reached);
    stage.says(tracker, stock_of(0, 1));
    assert!(stage.node.view(stage.now)[0].reached, "it has content after all");
    let mut other = Stage::leecher();
    other.guest(1);
    assert!(other.node.view(other.now)[0].reached);
}

#[test]
fn a_tracker_answers_a_registration_with_its_own_then_peers_then_stock() {
    let mut stage = Stage::seed();
    let (link, silence) = stage.connected([10, 0, 0, 1], None);
    assert!(silence.is_empty(), "the dialling side speaks first");
    let out = stage.says(link, stage.register(1, 5000));
    let said = said(&out, link);
    assert!(matches!(said[0], Message::Register { id: OWN, role: Role::Tracker, .. }));
    assert_eq!(said[1], &Message::PeerList(Vec::new()));
    assert_eq!(said[2], &stock_of(0, PIECES - 1));
}

#[test]
fn who_dials_speaks_first_and_says_what_it_holds_at_once() {
    let mut stage = Stage::leecher();
    let endpoint: Endpoint = "10.0.0.1:7070".parse().expect("an endpoint");
    let (link, out) = stage.connected([10, 0, 0, 1], Some(endpoint));
    let said = said(&out, link);
    assert!(matches!(said[0], Message::Register { id: OWN, port: 7070, .. }));
    assert_eq!(said[1], &Message::Stock { all: Some(Vec::new()), more: None });
}

#[test]
fn a_registration_is_news_to_the_others_at_once() {
    let mut stage = Stage::seed();
    let first = stage.guest(1);
    let (link, _) = stage.connected([10, 0, 0, 2], None);
    let out = stage.says(link, stage.register(2, 5000));
    let newcomer = PeerAddress { id: PeerId([2; 20]), ip: IpAddr::from([10, 0, 0, 2]), port: 5000 };
    assert_eq!(said(&out, first), [&Message::NewPeer(newcomer)]);
}

fn troubles(actions: &[Action]) -> Vec<&str> {
    let trouble = |action| match action {
        &Action::Tell(News::Trouble { ref text, .. }) => Some(text.as_str()),
        _ => None,
    };
    actions.iter().filter_map(trouble).collect()
}

#[test]
fn whoever_does_not_let_us_in_is_told_of_once_with_what_to_do_unless_others_do() {
    let tracker: Endpoint = "tracker.example:7070".parse().expect("an endpoint");
    let refuses = |stage: &mut Stage, code| {
        let (link, _) = stage.connected([10, 0, 0, 9], Some(tracker.clone()));
        stage.says(link, Message::Error { code, text: "no\u{1b}[2J".to_owned() })
    };
    for (code, hint) in [
        (ErrorCode::NoSuchShare, "see that the link is whole"),
        (ErrorCode::Version, "the same one on both sides"),
        (ErrorCode::Banned, "memory and disk are sound"),
    ] {
        let mut stage = Stage::leecher();
        let told = refuses(&mut stage, code);
        let [text] = troubles(&told)[..] else { panic!("{told:?}") };
        assert!(text.starts_with("tracker.example:7070 answers") && text.contains(hint), "{text}");
        assert!(!text.contains('\u{1b}'), "its own words are not ours to show");
        assert!(troubles(&refuses(&mut stage, code)).is_empty(), "once is enough");
    }
    let mut stage = Stage::leecher();
    assert!(troubles(&refuses(&mut stage, ErrorCode::Busy)).is_empty(), "that passes by itself");
    stage.guest(1);
    assert!(troubles(&refuses(&mut stage, ErrorCode::NoSuchShare)).is_empty(), "others let us in");
    let mut stage = Stage::leecher();
    let (link, _) = stage.connected([10, 0, 0, 8], Some("10.0.0.8:7070".parse().expect("an endpoint")));
    let refusal = Message::Error { code: ErrorCode::Banned, text: String::new() };
    assert!(troubles(&stage.says(link, refusal)).is_empty(), "nobody named it, so nobody need hear it");
}

#[test]
fn a_handshake_that_takes_ten_seconds_is_a_protocol_error() {
    let mut stage = Stage::seed();
    let (link, _) = stage.connected([10, 0, 0, 1], None);
    assert_eq!(farewell(&stage.pass(Duration::from_millis(9_999)), link), None);
    assert_eq!(farewell(&stage.pass(Duration::from_millis(1)), link), Some(ErrorCode::Protocol));
}

#[test]
fn anything_before_registro_or_a_second_one_is_a_protocol_error() {
    let mut stage = Stage::seed();
    let (early, _) = stage.connected([10, 0, 0, 1], None);
    assert_eq!(farewell(&stage.says(early, Message::Interested), early), Some(ErrorCode::Protocol));
    let twice = stage.guest(2);
    assert_eq!(farewell(&stage.says(twice, stage.register(2, 5000)), twice), Some(ErrorCode::Protocol));
}

#[test]
fn another_share_is_not_here_unless_the_tracker_is_open() {
    let mut stage = Stage::seed();
    let share = ShareId([9; 32]);
    let stranger = |id| Message::Register {
        id: PeerId([id; 20]),
        share,
        port: 5000,
        agent: String::new(),
        role: Role::Peer,
        goal: None,
    };
    let (link, _) = stage.connected([10, 0, 0, 1], None);
    assert_eq!(farewell(&stage.says(link, stranger(1)), link), Some(ErrorCode::NoSuchShare));
    stage.node.config.open = true;
    let (link, _) = stage.connected([10, 0, 0, 1], None);
    let out = stage.says(link, stranger(1));
    let said = said(&out, link);
    assert_eq!(
        said[1..],
        [&Message::PeerList(Vec::new()), &Message::Stock { all: Some(Vec::new()), more: None }]
    );
}

#[test]
fn nobody_keeps_a_link_to_itself_nor_dials_that_place_again() {
    let mut stage = Stage::leecher();
    let own: Endpoint = "10.0.0.9:7070".parse().expect("an endpoint");
    let (link, _) = stage.connected([10, 0, 0, 9], Some(own.clone()));
    let out = stage.says(link, stage.register(100, 7070));
    assert_eq!(farewell(&out, link), Some(ErrorCode::Duplicate));
    let guest = stage.guest(1);
    stage.says(
        guest,
        Message::PeerList(vec![PeerAddress {
            id: PeerId([3; 20]),
            ip: IpAddr::from([10, 0, 0, 9]),
            port: 7070,
        }]),
    );
    let dials = stage.pass(Duration::from_secs(300));
    assert!(!dials.iter().any(|action| matches!(action, Action::Dial { endpoint, .. } if *endpoint == own)));
}

#[test]
fn of_two_links_the_one_dialled_by_the_smaller_id_stays() {
    for (peer, theirs_stays) in [(99, true), (101, false)] {
        let mut stage = Stage::leecher();
        let endpoint: Endpoint = Endpoint::at(IpAddr::from([10, 0, 0, peer]), 5000);
        let (ours, _) = stage.connected([10, 0, 0, peer], Some(endpoint));
        stage.says(ours, stage.register(peer, 5000));
        let (theirs, _) = stage.connected([10, 0, 0, peer], None);
        let out = stage.says(theirs, stage.register(peer, 5000));
        let (loser, winner) = if theirs_stays { (ours, theirs) } else { (theirs, ours) };
        assert_eq!(farewell(&out, loser), Some(ErrorCode::Duplicate), "against {peer}");
        assert_eq!(farewell(&out, winner), None);
    }
}

#[test]
fn a_link_silent_for_five_seconds_loses_to_a_new_one_from_the_same_address() {
    let mut stage = Stage::leecher();
    let old = stage.guest(1);
    let (early, _) = stage.connected([10, 0, 0, 1], None);
    assert_eq!(farewell(&stage.says(early, stage.register(1, 5000)), early), Some(ErrorCode::Duplicate));
    stage.pass(Duration::from_secs(5));
    let (new, _) = stage.connected([10, 0, 0, 1], None);
    let out = stage.says(new, stage.register(1, 5000));
    assert_eq!((farewell(&out, old), farewell(&out, new)), (Some(ErrorCode::Duplicate), None));
}

#[test]
fn whoever_hears_of_a_newcomer_waits_three_seconds_before_it_dials() {
    let mut stage = Stage::leecher();
    let tracker = stage.guest(1);
    let address = PeerAddress { id: PeerId([2; 20]), ip: IpAddr::from([10, 0, 0, 2]), port: 5000 };
    let dials = |actions: &[Action]| {
        let to_it =
            |action: &&Action| matches!(action, Action::Dial { endpoint, .. } if endpoint.host == "10.0.0.2");
        actions.iter().filter(to_it).count()
    };
    let mut out = stage.says(tracker, Message::NewPeer(address));
    out.extend(stage.pass(Duration::from_millis(2_900)));
    assert_eq!(dials(&out), 0);
    assert_eq!(dials(&stage.pass(Duration::from_secs(1))), 1);
}

#[test]
fn a_newcomer_dials_everyone_in_its_list_at_once() {
    let mut stage = Stage::leecher();
    let tracker = stage.guest(1);
    let address = |n| PeerAddress { id: PeerId([n; 20]), ip: IpAddr::from([10, 0, 0, n]), port: 5000 };
    let out = stage.says(tracker, Message::PeerList((2..22).map(address).collect()));
    assert_eq!(out.iter().filter(|action| matches!(action, Action::Dial { .. })).count(), 20);
}

#[test]
fn of_a_long_list_some_are_dialled_at_once_and_each_of_the_others_soon() {
    let mut stage = Stage::leecher();
    let tracker = stage.guest(1);
    let address = |n| PeerAddress { id: PeerId([n; 20]), ip: IpAddr::from([10, 0, 0, n]), port: 5000 };
    let mut out = stage.says(tracker, Message::PeerList((2..82).map(address).collect()));
    let (mut dialled, mut links) = (Vec::new(), vec![tracker]);
    for second in 0..30 {
        out.extend(stage.pass(Duration::from_secs(1)));
        for action in std::mem::take(&mut out) {
            let Action::Dial { endpoint, .. } = action else { continue };
            if endpoint.port != 5000 {
                continue;
            }
            let ip: std::net::Ipv4Addr = endpoint.host.parse().expect("an address");
            let (link, _) = stage.connected(ip.octets(), Some(endpoint));
            out.extend(stage.says(link, stage.register(ip.octets()[3], 5000)));
            dialled.push(ip);
            links.push(link);
        }
        links.iter().for_each(|link| drop(stage.says(*link, Message::Heartbeat)));
        assert!(second > 1 || (30..=44).contains(&dialled.len()), "{} at once", dialled.len());
    }
    dialled.sort_unstable();
    dialled.dedup();
    assert_eq!(dialled.len(), 80);
}

#[test]
fn nothing_is_said_on_a_link_that_was_closed_in_the_same_breath() {
    let mut stage = Stage::seed();
    let (early, late) = (stage.guest(1), stage.guest(2));
    for _ in 0..4 {
        stage.pass(Duration::from_secs(10));
        [early, late].into_iter().for_each(|link| drop(stage.says(link, Message::Heartbeat)));
    }
    stage.pass(Duration::from_secs(10));
    stage.says(late, Message::Heartbeat);
    let out = stage.pass(Duration::from_secs(10));
    let closes = |action: &Action| matches!(action, Action::Close { link, .. } if *link == early);
    let place = out.iter().position(closes).expect("silent for twenty seconds");
    assert_eq!(said(&out[place..], early), [] as [&Message; 0]);
}

#[test]
fn a_silent_link_is_closed_after_twenty_seconds_and_a_heartbeat_is_sent_after_five() {
    let mut stage = Stage::leecher();
    let link = stage.guest(1);
    let out = stage.pass(Duration::from_secs(6));
    assert!(said(&out, link).contains(&&Message::Heartbeat));
    let out = stage.pass(Duration::from_secs(15));
    assert!(out.iter().any(|action| matches!(action, Action::Close { link: closed, .. } if *closed == link)));
}

#[test]
fn a_lost_tracker_is_dialled_again_after_a_pause() {
    let mut stage = Stage::leecher();
    let tracker: Endpoint = "tracker.example:7070".parse().expect("an endpoint");
    let dials = |actions: &[Action]| {
        actions
            .iter()
            .filter(|action| matches!(action, Action::Dial { endpoint, .. } if *endpoint == tracker))
            .count()
    };
    assert_eq!(dials(&stage.out.clone()), 1);
    let (share, endpoint) = (stage.share(), tracker.clone());
    stage.happens(Event::DialFailed { share, endpoint });
    assert_eq!(dials(&stage.pass(Duration::from_millis(900))), 0);
    assert_eq!(dials(&stage.pass(Duration::from_secs(3))), 1);
}

#[test]
fn peers_tell_each_other_of_peers_when_they_meet_and_each_minute() {
    let mut stage = Stage::leecher();
    let first = stage.guest(1);
    let (second, _) = stage.connected([10, 0, 0, 2], None);
    let out = stage.says(second, stage.register(2, 5000));
    let list = |n: u8| {
        Message::PeerList(vec![PeerAddress {
            id: PeerId([n; 20]),
            ip: IpAddr::from([10, 0, 0, n]),
            port: 5000,
        }])
    };
    assert!(said(&out, second).contains(&&list(1)));
    let mut out = Vec::new();
    for _ in 0..13 {
        [first, second].into_iter().for_each(|link| drop(stage.says(link, Message::Heartbeat)));
        out.extend(stage.pass(Duration::from_secs(5)));
    }
    assert!(said(&out, first).contains(&&list(2)));
}

#[test]
fn a_stopping_process_says_goodbye_to_everyone() {
    let mut stage = Stage::leecher();
    let links = [stage.guest(1), stage.guest(2)];
    let out = stage.happens(Event::Stopping);
    for link in links {
        let goodbye = |action: &Action| matches!(action, Action::Close { link: to, farewell: Some(Message::Goodbye) } if *to == link);
        assert!(out.iter().any(goodbye));
    }
}

#[test]
fn peers_adopt_the_goal_that_the_tracker_tells() {
    let mut stage = Stage::leecher();
    let (link, _) = stage.connected([10, 0, 0, 1], None);
    let (id, share) = (PeerId([1; 20]), stage.share());
    let goal = Some(Goal::LastPeer);
    stage.says(
        link,
        Message::Register { id, share, port: 1, agent: String::new(), role: Role::Tracker, goal },
    );
    let (link, _) = stage.connected([10, 0, 0, 2], None);
    let out = stage.says(link, stage.register(2, 5000));
    assert!(matches!(said(&out, link)[0], Message::Register { goal: Some(Goal::LastPeer), .. }));
}

#[test]
fn beyond_two_hundred_links_a_tracker_only_registers() {
    let mut stage = Stage::seed();
    for n in 0..=200_u32 {
        let ip = [10, 0, 1, u8::try_from(n).expect("small")];
        let (link, _) = stage.connected(ip, None);
        let mut id = [0; 20];
        id[..4].copy_from_slice(&n.to_be_bytes());
        let (id, share) = (PeerId(id), stage.share());
        let register =
            Message::Register { id, share, port: 5000, agent: String::new(), role: Role::Peer, goal: None };
        let out = stage.says(link, register);
        let nothing = Message::Stock { all: Some(Vec::new()), more: None };
        assert_eq!(said(&out, link)[2] == &nothing, n == 200, "{n}");
    }
    assert_eq!(stage.node.guest_count, 1);
}
