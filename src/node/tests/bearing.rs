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
