//! What a process does when its disk fails it: nothing is asked while it takes nothing, and what did not last is fetched again.

use super::*;

#[test]
fn while_the_disk_takes_nothing_nobody_is_asked_and_afterwards_all_goes_on() {
    let mut stage = Stage::leecher();
    let (link, out) = stage.server(1);
    let asked_first = asked(&out, link);
    assert!(!asked_first.is_empty());
    let share = stage.share();
    let out = stage.happens(Event::Halted { share });
    let cancels = said(&out, link).iter().filter(|message| matches!(message, Message::Cancel { .. })).count();
    assert_eq!(cancels, asked_first.len(), "what is under way is called off");
    assert!(said(&out, link).contains(&&Message::NotInterested));
    assert!(stage.node.view(stage.now)[0].halted);
    let (other, out) = stage.server(2);
    assert!(asked(&out, other).is_empty() && !said(&out, other).contains(&&Message::Interested));
    let out = stage.happens(Event::Resumed { share });
    assert!(said(&out, link).contains(&&Message::Interested));
    assert!(!asked(&out, other).is_empty(), "who serves us is asked at once");
    assert!(!stage.node.view(stage.now)[0].halted);
}

#[test]
fn a_piece_that_did_not_last_is_told_of_no_more_and_fetched_again() {
    let mut stage = Stage::leecher();
    let (link, out) = stage.server(1);
    for piece in asked(&out, link) {
        stage.delivers(link, piece, truth(piece));
    }
    assert!(stage.node.view(stage.now)[0].complete);
    let spoiled = stage.metainfo.geometry().pieces().next().unwrap();
    let out = stage.happens(Event::Spoiled { share: stage.share(), pieces: vec![spoiled] });
    let said = said(&out, link);
    assert!(said.contains(&&stock_of(1, PIECES - 1)) && said.contains(&&Message::Interested), "{said:?}");
    assert!(!stage.node.view(stage.now)[0].complete);
    assert_eq!(asked(&out, link), [0]);
    stage.delivers(link, 0, truth(0));
    assert!(stage.node.view(stage.now)[0].complete);
}

#[test]
fn what_was_being_written_of_a_piece_that_did_not_last_counts_for_nothing() {
    let mut stage = Stage::leecher();
    let (link, out) = stage.server(1);
    let (share, piece) = (stage.share(), asked(&out, link)[0]);
    let message = Message::Block { piece, start: 0, length: LEAF_BYTES };
    stage.happens(Event::Received { link, message, payload: Payload::Digests(vec![truth(piece)]) });
    let block = stage.block(piece);
    let out = stage.happens(Event::Spoiled { share, pieces: vec![block.piece] });
    assert!(!asked(&out, link).contains(&piece), "not before the write ended");
    let out = stage.happens(Event::Wrote { share, block, done: true });
    assert!(!out.iter().any(|action| matches!(action, Action::Keep { .. })));
    assert_eq!(asked(&out, link), [piece]);
    let out = stage.delivers(link, piece, truth(piece));
    assert!(out.iter().any(|action| matches!(action, Action::Keep { .. })));
}

#[test]
fn a_share_whose_disk_takes_nothing_keeps_no_other_from_going_on() {
    let mut stage = Stage::leecher();
    let (halted, metainfo) = (stage.share(), named("another"));
    let (share, held) = (metainfo.share(), PieceSet::full(PIECES));
    let start = Start::Holding { metainfo, held };
    stage.node.add(
        stage.now,
        ShareConfig { share, start, endpoints: Vec::new(), goal: None },
        &mut stage.out,
    );
    stage.happens(Event::Halted { share: halted });
    let (link, _) = stage.connected([10, 0, 0, 1], None);
    let (id, agent) = (PeerId([1; 20]), String::new());
    stage.says(link, Message::Register { id, share, port: 5000, agent, role: Role::Peer, goal: None });
    stage.says(link, Message::Interested);
    let out = stage.says(link, request(3));
    assert!(out.iter().any(|action| matches!(action, Action::SendBlock { share: of, .. } if *of == share)));
}
