//! What one address, one liar or one crowd may take of a process, and what is left for the others.

use super::*;

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
