//! What one address, one liar or one crowd may take of a process, and what is left for the others.

use super::*;
use crate::swarm::LINKS_MAX;

/// Peer number `n`, seen at `ip`, dials us and says it accepts connections at `port`.
fn comes(stage: &mut Stage, n: u32, ip: [u8; 4], port: u16) -> (LinkId, Vec<Action>) {
    let (link, _) = stage.connected(ip, None);
    let mut id = [0; 20];
    id[..4].copy_from_slice(&n.to_be_bytes());
    let (id, share) = (PeerId(id), stage.share());
    let register = Message::Register { id, share, port, agent: String::new(), role: Role::Peer, goal: None };
    (link, stage.says(link, register))
}

fn dialled(actions: &[Action]) -> Vec<String> {
    let endpoint = |action: &Action| match action {
        Action::Dial { endpoint, .. } => Some(endpoint.to_string()),
        _ => None,
    };
    actions.iter().filter_map(endpoint).collect()
}

#[test]
fn one_public_address_has_a_quarter_of_the_links() {
    let mut stage = Stage::leecher();
    let places = u32::try_from(LINKS_MAX / 4).expect("a few");
    for n in 0..=places {
        let (link, out) = comes(&mut stage, n, [203, 0, 113, 1], 0);
        assert_eq!(farewell(&out, link), (n == places).then_some(ErrorCode::Full), "{n}");
    }
    let (link, out) = comes(&mut stage, 1_000, [198, 51, 100, 1], 0);
    assert_eq!(farewell(&out, link), None);
}

#[test]
fn of_all_links_two_are_kept_for_those_whom_we_dial() {
    let mut stage = Stage::leecher();
    let places = u32::try_from(LINKS_MAX - 2).expect("a few");
    for n in 0..=places {
        let (link, out) = comes(&mut stage, n, [10, 0, 0, 1], 0);
        assert_eq!(farewell(&out, link), (n == places).then_some(ErrorCode::Full), "{n}");
    }
    let endpoint: Endpoint = "tracker.example:7070".parse().expect("an endpoint");
    let (link, _) = stage.connected([10, 0, 0, 2], Some(endpoint));
    let out = stage.says(link, stage.register(200, 0));
    assert_eq!(farewell(&out, link), None);
}

#[test]
fn who_makes_no_use_of_its_link_for_a_minute_makes_room_for_another() {
    let mut stage = Stage::leecher();
    let places = u32::try_from(LINKS_MAX - 2).expect("a few");
    let links: Vec<LinkId> = (0..places).map(|n| comes(&mut stage, n, [10, 0, 0, 1], 0).0).collect();
    let (useful, oldest, next) = (links[0], links[1], links[2]);
    stage.says(useful, stock_of(0, 0));
    for _ in 0..14 {
        stage.pass(Duration::from_secs(4));
        links.iter().for_each(|link| drop(stage.says(*link, Message::Heartbeat)));
    }
    let (early, out) = comes(&mut stage, places, [10, 0, 0, 2], 0);
    assert_eq!(farewell(&out, early), Some(ErrorCode::Full), "they have a minute");
    stage.pass(Duration::from_secs(4));
    for (n, gone) in [oldest, next].into_iter().enumerate() {
        let n = places + 1 + u32::try_from(n).expect("a few");
        let (link, out) = comes(&mut stage, n, [10, 0, 0, 2], 0);
        assert_eq!((farewell(&out, link), farewell(&out, gone)), (None, Some(ErrorCode::Full)));
        assert_eq!(farewell(&out, useful), None);
        stage.happens(Event::Closed { link: gone });
    }
}

#[test]
fn whose_last_block_came_a_moment_ago_makes_room_after_those_who_had_nothing_for_a_minute() {
    let mut stage = Stage::leecher();
    let places = u32::try_from(LINKS_MAX - 2).expect("a few");
    let links: Vec<LinkId> = (0..places).map(|n| comes(&mut stage, n, [10, 0, 0, 1], 0).0).collect();
    let (giver, other) = (links[0], links[1]);
    stage.says(giver, stock_of(0, 0));
    idles(&mut stage, &links, 60);
    stage.says(giver, Message::Unchoke);
    stage.delivers(giver, 0, truth(0));
    let (link, out) = comes(&mut stage, places, [10, 0, 0, 2], 0);
    let farewells = [giver, other, link].map(|link| farewell(&out, link));
    assert_eq!(farewells, [None, Some(ErrorCode::Full), None]);
}

#[test]
fn who_asked_within_the_minute_keeps_its_place_though_it_is_idle_now() {
    let mut stage = Stage::seed();
    let links: Vec<LinkId> = (0..200).map(|n| comes(&mut stage, n, [10, 0, 0, 1], port(n)).0).collect();
    let asker = links[0];
    stage.says(asker, Message::Interested);
    idles(&mut stage, &links, 56);
    stage.says(asker, request(3));
    stage.happens(Event::Served { link: asker, block: stage.block(3), sent: true });
    idles(&mut stage, &links, 4);
    let (_, out) = comes(&mut stage, 200, [10, 0, 0, 2], port(200));
    assert!(!said(&out, asker).contains(&&Message::Choke));
}

/// Time passes, and these say nothing but that they are there.
fn idles(stage: &mut Stage, links: &[LinkId], seconds: u64) {
    for _ in 0..seconds / 4 {
        stage.pass(Duration::from_secs(4));
        links.iter().for_each(|link| drop(stage.says(*link, Message::Heartbeat)));
    }
}

fn port(n: u32) -> u16 {
    5_000 + u16::try_from(n).expect("a few")
}

fn is_told_nothing_held(out: &[Action], link: LinkId) -> bool {
    said(out, link).contains(&&Message::Stock { all: Some(Vec::new()), more: None })
}

fn closed(out: &[Action]) -> usize {
    out.iter().filter(|action| matches!(action, Action::Close { .. })).count()
}

#[test]
fn who_makes_no_use_of_its_link_to_a_tracker_is_registered_from_then_on_and_no_more() {
    let mut stage = Stage::seed();
    let links: Vec<LinkId> = (0..200).map(|n| comes(&mut stage, n, [10, 0, 0, 1], port(n)).0).collect();
    let mut before = stage.says(links[1], Message::Interested);
    before.extend(stage.pass(Duration::from_secs(1)));
    assert!(said(&before, links[1]).contains(&&Message::Unchoke));
    idles(&mut stage, &links, 60);
    stage.says(links[0], Message::Interested);
    for n in 200..250 {
        let (link, out) = comes(&mut stage, n, [10, 0, 0, 2], port(n));
        assert_eq!(said(&out, links[1]).contains(&&Message::Choke), n == 200, "it asked for nothing");
        assert!(closed(&out) == 0 && !is_told_nothing_held(&out, link), "{n}");
    }
    let hall = &stage.node.halls[&stage.share()];
    let registered = hall.register.as_ref().map(|register| register.entry_count());
    assert_eq!((stage.node.guest_count, registered), (50, Some(250)));
}

#[test]
fn a_register_that_holds_nothing_closes_nobody_for_another() {
    let mut stage = Stage::with(Role::Tracker, Start::Register(None));
    let links: Vec<LinkId> = (0..200).map(|n| comes(&mut stage, n, [10, 0, 0, 1], 5000).0).collect();
    idles(&mut stage, &links, 60);
    let (_, out) = comes(&mut stage, 200, [10, 0, 0, 2], 5000);
    assert_eq!((closed(&out), stage.node.guest_count), (0, 1));
}

#[test]
fn as_long_as_what_is_there_is_looked_at_nobody_is_taken_for_of_no_use() {
    let mut stage = Stage::with(Role::Peer, Start::Described(metainfo()));
    let places = u32::try_from(LINKS_MAX - 2).expect("a few");
    let links: Vec<LinkId> = (0..places).map(|n| comes(&mut stage, n, [10, 0, 0, 1], 0).0).collect();
    idles(&mut stage, &links, 80);
    let (link, out) = comes(&mut stage, places, [10, 0, 0, 2], 0);
    assert_eq!((closed(&out), farewell(&out, link)), (1, Some(ErrorCode::Full)));
}

#[test]
fn nobody_goes_for_one_who_is_not_let_in_all_the_same() {
    let mut stage = Stage::leecher();
    let places = u32::try_from(LINKS_MAX - 2).expect("a few");
    let mut links: Vec<LinkId> = (0..places).map(|n| comes(&mut stage, n, [10, 0, 0, 1], 0).0).collect();
    for n in 201..203 {
        let (link, _) =
            stage.connected([10, 0, 0, n], Some(format!("10.0.0.{n}:7070").parse().expect("one")));
        stage.says(link, stage.register(n, 0));
        links.push(link);
    }
    idles(&mut stage, &links, 60);
    let (link, out) = comes(&mut stage, 1_000, [10, 0, 0, 2], 0);
    assert_eq!((closed(&out), farewell(&out, link)), (1, Some(ErrorCode::Full)));
}

#[test]
fn strangers_of_one_public_address_leave_room_for_others() {
    let mut stage = Stage::leecher();
    for n in 0..=STRANGERS_PER_HOST_MAX {
        let (link, out) = stage.connected([203, 0, 113, 1], None);
        assert_eq!(farewell(&out, link), (n == STRANGERS_PER_HOST_MAX).then_some(ErrorCode::Busy), "{n}");
    }
    let (link, out) = stage.connected([198, 51, 100, 1], None);
    assert_eq!(farewell(&out, link), None);
}

#[test]
fn a_place_at_a_low_port_is_not_dialled_because_somebody_says_so() {
    let mut stage = Stage::leecher();
    stage.pass(Duration::from_secs(1));
    let teller = stage.guest(1);
    let place = |port| PeerAddress { id: PeerId([3; 20]), ip: IpAddr::from([203, 0, 113, 1]), port };
    let out = stage.says(teller, Message::PeerList(vec![place(22), place(1023), place(1024)]));
    assert_eq!(dialled(&out), ["203.0.113.1:1024"]);
}

#[test]
fn a_private_place_is_not_dialled_because_somebody_far_away_says_so() {
    let mut stage = Stage::leecher();
    stage.pass(Duration::from_secs(1));
    let near = PeerAddress { id: PeerId([3; 20]), ip: IpAddr::from([192, 168, 1, 1]), port: 8080 };
    let (far, _) = comes(&mut stage, 1, [203, 0, 113, 1], 0);
    assert!(dialled(&stage.says(far, Message::PeerList(vec![near]))).is_empty());
    let endpoint: Endpoint = "tracker.example:7070".parse().expect("an endpoint");
    let (named, _) = stage.connected([203, 0, 113, 2], Some(endpoint));
    stage.says(named, stage.register(2, 0));
    assert_eq!(dialled(&stage.says(named, Message::PeerList(vec![near]))), ["192.168.1.1:8080"]);
}

#[test]
fn interest_and_chokes_that_change_without_end_close_the_link() {
    for words in [[Message::Interested, Message::NotInterested], [Message::Unchoke, Message::Choke]] {
        let mut stage = Stage::leecher();
        let link = stage.guest(1);
        let mut said_in_time = 0;
        while said_in_time < 100_000 {
            let closed = |out: Vec<Action>| farewell(&out, link) == Some(ErrorCode::Protocol);
            if words.iter().any(|word| closed(stage.says(link, word.clone()))) {
                break;
            }
            said_in_time += 2;
            stage.pass(Duration::from_millis(2));
        }
        assert!((4_000..8_000).contains(&said_in_time), "{said_in_time} words at a thousand a second");
        let patient = stage.guest(2);
        for _ in 0..3_000 {
            let out = words.iter().flat_map(|word| stage.says(patient, word.clone())).collect::<Vec<_>>();
            assert_eq!(farewell(&out, patient), None);
            stage.pass(Duration::from_millis(10));
        }
    }
}

#[test]
fn news_of_nothing_new_without_end_closes_the_link() {
    let mut stage = Stage::leecher();
    let link = stage.guest(1);
    stage.says(link, stock_of(0, 0));
    let more = Message::Stock { all: None, more: Some(vec![[0, 0]]) };
    let closed = (0..5_000).any(|_| farewell(&stage.says(link, more.clone()), link).is_some());
    assert!(closed);
}

#[test]
fn a_description_that_comes_a_byte_at_a_time_is_asked_of_another() {
    let mut stage = Stage::with(Role::Peer, Start::Linked);
    let (dripper, honest) = (stage.guest(1), stage.guest(2));
    let bytes = stage.metainfo.served_bytes().to_vec();
    let mut is_asked = false;
    for start in 0..10 {
        let message = Message::Metainfo { start, length: 1, total: bytes.len() as u64 };
        let payload = Payload::Bytes(vec![bytes[usize::try_from(start).expect("small")]]);
        let mut out = stage.happens(Event::Received { link: dripper, message, payload });
        out.extend(stage.says(honest, Message::Heartbeat));
        out.extend(stage.pass(Duration::from_secs(5)));
        is_asked |= said(&out, honest).contains(&&Message::MetainfoRequest { start: 0 });
    }
    assert!(is_asked, "the other one was asked within a minute");
}

#[test]
fn who_never_answers_is_asked_for_the_description_after_those_who_may() {
    let mut stage = Stage::with(Role::Peer, Start::Linked);
    let links: Vec<LinkId> = (1..=8).map(|n| stage.guest(n)).collect();
    let mut asked = std::collections::BTreeSet::from([links[0]]);
    for _ in 0..30 {
        links.iter().for_each(|link| drop(stage.says(*link, Message::Heartbeat)));
        let out = stage.pass(Duration::from_secs(3));
        let is_asked = |link: &&LinkId| {
            said(&out, **link).iter().any(|message| matches!(message, Message::MetainfoRequest { .. }))
        };
        asked.extend(links.iter().filter(is_asked));
    }
    assert_eq!(asked.len(), 8, "all were asked within a minute and a half");
}

#[test]
fn a_liar_that_claims_the_port_of_another_does_not_take_its_place_with_it() {
    let mut stage = Stage::leecher();
    let (honest, _) = comes(&mut stage, 7, [10, 0, 0, 9], 6000);
    let (liar, _) = comes(&mut stage, 8, [10, 0, 0, 9], 6000);
    stage.says(liar, stock_of(0, PIECES - 1));
    let out = stage.says(liar, Message::Unchoke);
    let piece = asked(&out, liar)[0];
    let out = stage.delivers(liar, piece, truth(99));
    let is_banned =
        |actions: &[Action]| actions.iter().any(|action| matches!(action, Action::Tell(News::Banned { .. })));
    assert!(is_banned(&out) || is_banned(&stage.pass(Duration::from_secs(30))));
    stage.happens(Event::Closed { link: honest });
    let (again, out) = comes(&mut stage, 7, [10, 0, 0, 9], 6000);
    assert_eq!(farewell(&out, again), None);
    let (other, out) = comes(&mut stage, 8, [10, 0, 0, 9], 6001);
    assert_eq!(farewell(&out, other), Some(ErrorCode::Banned));
}

#[test]
fn who_came_back_as_somebody_new_before_its_old_link_was_gone_is_not_dialled_again() {
    let mut stage = Stage::leecher();
    let (old, _) = comes(&mut stage, 7, [10, 0, 0, 9], 6000);
    let (new, _) = comes(&mut stage, 8, [10, 0, 0, 9], 6000);
    stage.happens(Event::Closed { link: old });
    for _ in 0..100 {
        stage.says(new, Message::Heartbeat);
        assert!(dialled(&stage.pass(Duration::from_secs(5))).is_empty());
    }
    stage.happens(Event::Closed { link: new });
    assert_eq!(dialled(&stage.pass(Duration::from_secs(5))), ["10.0.0.9:6000"]);
}

#[test]
fn who_copies_our_id_does_not_keep_us_from_its_neighbours() {
    let mut stage = Stage::leecher();
    stage.pass(Duration::from_secs(1));
    let (link, _) = stage.connected([10, 0, 0, 9], None);
    let (id, share) = (OWN, stage.share());
    let copied =
        Message::Register { id, share, port: 6000, agent: String::new(), role: Role::Peer, goal: None };
    assert_eq!(farewell(&stage.says(link, copied), link), Some(ErrorCode::Duplicate));
    let teller = stage.guest(1);
    let neighbour = PeerAddress { id: PeerId([3; 20]), ip: IpAddr::from([10, 0, 0, 9]), port: 6000 };
    assert_eq!(dialled(&stage.says(teller, Message::PeerList(vec![neighbour]))), ["10.0.0.9:6000"]);
}

/// Asks for a block whenever it is served, for two minutes among `idlers` who want something and never ask; for how many of
/// the tenths of a second of the second minute it was served.
fn served_beside(idlers: u8) -> u32 {
    let mut stage = Stage::seed();
    let links: Vec<LinkId> = (1..=idlers + 1).map(|n| stage.guest(n)).collect();
    let &honest = links.last().expect("at least one");
    let (mut is_served, mut tenths) = (false, 0);
    for tenth in 0..1_200 {
        let mut out = stage.pass(Duration::from_millis(100));
        for link in links.iter().filter(|_| tenth % 40 == 0) {
            let word = if tenth == 0 { Message::Interested } else { Message::Heartbeat };
            out.extend(stage.says(*link, word));
        }
        for message in said(&out, honest) {
            is_served = if matches!(message, Message::Choke) {
                false
            } else {
                is_served || *message == Message::Unchoke
            };
        }
        if is_served {
            stage.says(honest, request(0));
            stage.happens(Event::Served { link: honest, block: stage.block(0), sent: true });
        }
        tenths += u32::from(is_served && tenth >= 600);
    }
    tenths
}

#[test]
fn those_who_want_something_and_never_ask_keep_nobody_from_being_served() {
    assert_eq!(served_beside(0), 600);
    let tenths = served_beside(100);
    assert!(tenths > 590, "{tenths} of 600");
}
