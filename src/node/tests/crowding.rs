//! What one address, one liar or one crowd may take of a process, and what is left for the others.

use super::*;

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
