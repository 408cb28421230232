//! One and the same thing without end: requests, interest, chokes, news, blocks. Who does so is left or borne, and the honest
//! hardly notice.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use minibit::ids::{Endpoint, LinkId};
use minibit::seam::Payload;
use minibit::wire::{Message, NackReason};

use super::village::{KIB, MIB, finish, honest, seeded};
use super::{Hand, Script};
use crate::machine::Spec;
use crate::queue::{MINUTE, SECOND};
use crate::truth::any_digest;
use crate::world::World;

const RATE: u64 = 500_000;
const LEAF: u64 = 16 * KIB;
/// In a flooder's book, when its link was closed.
const CLOSED: &str = "closed";
/// How much of it was said.
const SAID: &str = "said";

/// What it says without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flood {
    RequestsWhileChoked,
    TheSamePiece,
    OverlappingRequests,
    RequestsPastTheEnd,
    RequestsOfNothing,
    Interest,
    Chokes,
    NewsOfOnePiece,
    NewsPastTheEnd,
    BlocksUnasked,
    Refusals,
    Cancels,
    Suggestions,
    Leaves,
    Descriptions,
    Heartbeats,
}

/// How a flood ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The link is closed, within seconds.
    Closed,
    /// It does not matter enough.
    Borne,
}

#[derive(Debug)]
struct Flooder {
    flood: Flood,
    target: Endpoint,
    link: Option<LinkId>,
    is_open: bool,
    count: u64,
    /// Last words of the other side, and answers by kind.
    heard: Rc<RefCell<BTreeMap<String, u64>>>,
}

fn messages(flood: Flood, hand: &mut Hand<'_>, n: u64) -> (Message, Payload) {
    let pieces = hand.truth.leaves.len() as u64;
    let piece = n % pieces;
    let (start, length) = (0, LEAF);
    let message = match flood {
        Flood::RequestsWhileChoked | Flood::TheSamePiece => Message::Request { piece: 0, start, length },
        Flood::OverlappingRequests => {
            let leaves = super::puppet::length(hand, piece) / LEAF;
            let first = n % leaves;
            Message::Request { piece, start: first * LEAF, length: (leaves - first) * LEAF }
        }
        Flood::RequestsPastTheEnd => Message::Request { piece: pieces, start, length },
        Flood::RequestsOfNothing => Message::Request { piece, start, length: 0 },
        Flood::Interest if n.is_multiple_of(2) => Message::NotInterested,
        Flood::Interest => Message::Interested,
        Flood::Chokes if n.is_multiple_of(2) => Message::Unchoke,
        Flood::Chokes => Message::Choke,
        Flood::NewsOfOnePiece => Message::Stock { all: None, more: Some(vec![[0, 0]]) },
        Flood::NewsPastTheEnd => Message::Stock { all: None, more: Some(vec![[pieces, pieces]]) },
        Flood::BlocksUnasked => {
            let payload = Payload::Digests(vec![any_digest(hand.chance)]);
            return (Message::Block { piece, start, length: 16 * 1024 }, payload);
        }
        Flood::Refusals => Message::Nack { piece, start, length, reason: NackReason::Full },
        Flood::Cancels => Message::Cancel { piece, start, length },
        Flood::Suggestions => Message::Suggest { piece },
        Flood::Leaves => Message::LeavesRequest { piece },
        Flood::Descriptions => Message::MetainfoRequest { start: 0 },
        Flood::Heartbeats => Message::Heartbeat,
    };
    (message, Payload::None)
}

impl Script for Flooder {
    fn begin(&mut self, hand: &mut Hand<'_>) {
        hand.dial(&self.target);
        hand.wake_after(SECOND / 100);
    }

    fn connected(&mut self, hand: &mut Hand<'_>, link: LinkId, _dialled: bool) {
        self.link = Some(link);
        hand.arrive(link, vec![[0, 0]]);
        if self.flood != Flood::RequestsWhileChoked {
            hand.say(link, Message::Interested);
        }
    }

    fn heard(&mut self, _hand: &mut Hand<'_>, _link: LinkId, message: &Message, _payload: &Payload) {
        let text = match message {
            Message::Error { code, text } => format!("{code:?}: {text}"),
            other => {
                self.is_open |= matches!(other, Message::Unchoke);
                self.is_open &= !matches!(other, Message::Choke);
                format!("{other:?}").chars().take_while(|c| c.is_alphabetic()).collect()
            }
        };
        *self.heard.borrow_mut().entry(text).or_default() += 1;
    }

    fn closed(&mut self, hand: &mut Hand<'_>, _link: LinkId) {
        self.link = None;
        self.heard.borrow_mut().insert(CLOSED.to_owned(), hand.now / SECOND);
    }

    /// Fifty at once, a hundred times a second.
    fn awake(&mut self, hand: &mut Hand<'_>) {
        let needs_open = matches!(self.flood, Flood::TheSamePiece | Flood::OverlappingRequests);
        if let Some(link) = self.link.filter(|_| self.is_open || !needs_open) {
            for _ in 0..50 {
                self.count += 1;
                let (message, payload) = messages(self.flood, hand, self.count);
                hand.give(link, message, payload);
            }
            *self.heard.borrow_mut().entry(SAID.to_owned()).or_default() += 50;
        }
        hand.wake_after(SECOND / 100);
    }
}

/// How long four honest peers take beside a flood of their seed, over how long they take alone; and what the flooder heard.
fn beside(flood: Option<Flood>) -> (u64, BTreeMap<String, u64>, World) {
    let mut world = seeded(7, MIB, 64 * 1024, RATE);
    let heard = Rc::new(RefCell::new(BTreeMap::new()));
    if let Some(flood) = flood {
        let target = world.endpoint(0);
        let flooder = Flooder { flood, target, link: None, is_open: false, count: 0, heard: heard.clone() };
        let spec = Spec { up_rate: 20 * RATE, down_rate: 20 * RATE, ..Spec::peer(Vec::new()) };
        world.intrude(spec, Box::new(flooder));
    }
    let machines = honest(&mut world, 4, RATE);
    let took = finish(&mut world, &machines, 5 * MINUTE).into_iter().max().expect("four");
    world.run(15 * SECOND, |_| false);
    let heard = heard.borrow().clone();
    (took, heard, world)
}

#[test]
fn who_says_one_thing_without_end_is_left_or_borne() {
    let (alone, ..) = beside(None);
    let floods = [
        (Flood::RequestsWhileChoked, End::Closed),
        (Flood::TheSamePiece, End::Borne),
        (Flood::OverlappingRequests, End::Borne),
        (Flood::RequestsPastTheEnd, End::Closed),
        (Flood::RequestsOfNothing, End::Closed),
        (Flood::Interest, End::Closed),
        (Flood::Chokes, End::Closed),
        (Flood::NewsOfOnePiece, End::Closed),
        (Flood::NewsPastTheEnd, End::Closed),
        (Flood::BlocksUnasked, End::Closed),
        (Flood::Refusals, End::Closed),
        (Flood::Cancels, End::Borne),
        (Flood::Suggestions, End::Borne),
        (Flood::Leaves, End::Borne),
        (Flood::Descriptions, End::Closed),
        (Flood::Heartbeats, End::Borne),
    ];
    let mut wrong = Vec::new();
    for (flood, end) in floods {
        let (took, heard, _) = beside(Some(flood));
        let is_left = heard.contains_key(CLOSED);
        println!("{flood:?}: x{:.2} {heard:?}", took as f64 / alone as f64);
        assert!(heard.get(SAID).is_some_and(|said| *said >= 200), "{flood:?} was hardly said: {heard:?}");
        if is_left != (end == End::Closed) || took > 2 * alone {
            wrong.push((flood, end, took as f64 / alone as f64));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
