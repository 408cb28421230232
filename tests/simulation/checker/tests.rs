//! Proof that the judge judges: each wrong that it is there for, done once.

use minibit::chance::Chance;
use minibit::ids::{LinkId, PeerId, ShareId};
use minibit::seam::{Action, Event, News, Payload};
use minibit::wire::{Message, Role};

use super::Checker;
use crate::disk::Disk;
use crate::truth::Truth;

const LEAF: u64 = 16 * 1024;

fn truth() -> Truth {
    Truth::new(32 * 1024, &[4 * LEAF], &mut Chance::new(1))
}

/// Machine 0, with a piece to give, with `links` links on which REGISTRO and ESTOQUE were said.
fn seed(truth: &Truth, links: u64) -> Checker {
    let mut checker = Checker::default();
    checker.join(false, None);
    checker.join(false, None);
    checker.begin(0, PeerId([1; 20]), 0);
    checker.stocked(0, truth.share(), &truth.set(|piece| piece == 0), &truth.set(|_| true));
    for link in 1..=links {
        checker.connected(0, LinkId(link), 1);
        say(&mut checker, link, register(truth.share()));
        say(&mut checker, link, Message::Stock { all: Some(vec![[0, 0]]), more: None });
    }
    checker
}

fn register(share: ShareId) -> Message {
    Message::Register {
        id: PeerId([1; 20]),
        share,
        port: 1,
        agent: String::new(),
        role: Role::Peer,
        goal: None,
    }
}

fn say(checker: &mut Checker, link: u64, message: Message) {
    checker.action(0, 0, &Action::Send { link: LinkId(link), message }, &Payload::None);
}

fn hear(checker: &mut Checker, link: u64, message: Message) {
    checker.event(0, 0, &Event::Received { link: LinkId(link), message, payload: Payload::None });
}

fn unchoke(checker: &mut Checker, link: u64) {
    hear(checker, link, Message::Interested);
    say(checker, link, Message::Unchoke);
    checker.step(0);
}

fn serve(checker: &mut Checker, truth: &Truth, piece: u64) {
    let block = truth.metainfo.geometry().block(piece, 0, LEAF).unwrap();
    let action = Action::SendBlock { link: LinkId(1), share: truth.share(), block };
    checker.action(0, 0, &action, &Payload::None);
}

fn request(piece: u64) -> Message {
    Message::Request { piece, start: 0, length: LEAF }
}

#[test]
#[should_panic(expected = "unchokes 6 at once")]
fn a_sixth_unchoked_peer_is_seen() {
    let mut checker = seed(&truth(), 6);
    (1..=6).for_each(|link| unchoke(&mut checker, link));
}

#[test]
#[should_panic(expected = "unchokes 10 at once")]
fn a_tenth_unchoked_by_a_seed_is_seen() {
    let mut checker = seed(&truth(), 10);
    checker.stocked(0, truth().share(), &truth().set(|_| true), &truth().set(|_| true));
    (1..=10).for_each(|link| unchoke(&mut checker, link));
}

#[test]
fn a_choked_peer_makes_room_for_another() {
    let mut checker = seed(&truth(), 6);
    (1..=5).for_each(|link| unchoke(&mut checker, link));
    say(&mut checker, 3, Message::Choke);
    unchoke(&mut checker, 6);
}

#[test]
#[should_panic(expected = "which nobody asked for")]
fn a_second_answer_is_seen() {
    let truth = truth();
    let mut checker = seed(&truth, 1);
    unchoke(&mut checker, 1);
    hear(&mut checker, 1, request(0));
    serve(&mut checker, &truth, 0);
    serve(&mut checker, &truth, 0);
}

#[test]
#[should_panic(expected = "never answered")]
fn a_request_without_an_answer_is_seen() {
    let mut checker = seed(&truth(), 1);
    hear(&mut checker, 1, request(0));
    checker.at_rest(0);
}

#[test]
#[should_panic(expected = "which it has not kept")]
fn a_served_piece_that_is_not_held_is_seen() {
    let truth = truth();
    let mut checker = seed(&truth, 1);
    unchoke(&mut checker, 1);
    hear(&mut checker, 1, request(1));
    serve(&mut checker, &truth, 1);
}

#[test]
#[should_panic(expected = "announces a piece")]
fn an_announced_piece_that_is_not_held_is_seen() {
    let mut checker = seed(&truth(), 1);
    say(&mut checker, 1, Message::Stock { all: None, more: Some(vec![[0, 1]]) });
}

#[test]
#[should_panic(expected = "not the true ones")]
fn a_wrong_byte_that_is_kept_is_seen() {
    let truth = truth();
    let mut checker = seed(&truth, 0);
    let mut disk = Disk::empty();
    disk.make_room(&truth);
    let block = truth.metainfo.geometry().block(1, 0, 2 * LEAF).unwrap();
    disk.write(0, truth.share(), block, &[truth.leaves[1][0], truth.leaves[0][0]]);
    checker.keep(0, &truth, 1, &disk);
}

#[test]
#[should_panic(expected = "an honest peer")]
fn a_banned_honest_peer_is_seen() {
    let truth = truth();
    let news = News::Banned {
        share: truth.share(),
        id: PeerId([2; 20]),
        address: ([10, 0, 0, 2], 7000).into(),
        reason: "looked at it".to_owned(),
    };
    seed(&truth, 0).action(0, 0, &Action::Tell(news), &Payload::None);
}

#[test]
#[should_panic(expected = "keeps two links")]
fn a_second_link_of_a_pair_is_seen() {
    seed(&truth(), 2).at_rest(0);
}

#[test]
#[should_panic(expected = "while choked")]
fn a_request_of_a_choked_peer_is_seen() {
    let mut checker = seed(&truth(), 1);
    hear(&mut checker, 1, Message::Stock { all: Some(vec![[0, 1]]), more: None });
    say(&mut checker, 1, request(1));
}

#[test]
#[should_panic(expected = "never moves on")]
fn a_deadline_that_never_moves_on_is_seen() {
    let mut checker = seed(&truth(), 0);
    (0..100).for_each(|_| checker.event(0, 5, &Event::DeadlineReached));
}
