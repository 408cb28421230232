//! Whoever says anything at any time: all messages in all states, other protocols, and random bytes.

use std::collections::BTreeSet;

use minibit::ids::{Digest, Endpoint, LinkId};
use minibit::seam::Payload;
use minibit::wire::{ErrorCode, Message, NackReason, PeerAddress};

use super::village::{KIB, MIB, finish, honest, seeded, seeds};
use super::{Hand, Script};
use crate::machine::Spec;
use crate::queue::{MINUTE, SECOND};
use crate::truth::any_digest;

const RATE: u64 = 1_000_000;

/// Says something drawn by chance, a hundred times a second, on links that it opens anew whenever one is closed.
#[derive(Debug)]
struct Chatter {
    targets: Vec<Endpoint>,
    links: BTreeSet<LinkId>,
    /// Of a hundred links, on how many it introduces itself as it should.
    manners_percent: usize,
}

/// A number that is nearly right, or anything.
fn number(hand: &mut Hand<'_>, most: u64) -> u64 {
    match hand.chance.below(12) {
        0 => most,
        1 => most + 1,
        2 => u64::MAX,
        3 => 1 << 32,
        _ => hand.chance.below(usize::try_from(most.max(1)).expect("small")) as u64,
    }
}

fn run(hand: &mut Hand<'_>, pieces: u64) -> Vec<[u64; 2]> {
    // What the encoder writes must be what the wire allows; `Scribbles` are for the rest.
    let first = hand.chance.below(usize::try_from(pieces).expect("small")) as u64;
    let last = first + hand.chance.below(4) as u64;
    vec![[first, if hand.chance.below(20) == 0 { last } else { last.min(pieces - 1) }]]
}

fn block(hand: &mut Hand<'_>, pieces: u64) -> (u64, u64, u64) {
    let piece = number(hand, pieces);
    let start = 16 * KIB * (hand.chance.below(3) as u64) + u64::from(hand.chance.below(30) == 0);
    (piece, start, 16 * KIB * (1 + hand.chance.below(2) as u64))
}

fn anything(hand: &mut Hand<'_>) -> (Message, Payload) {
    let pieces = hand.truth.leaves.len() as u64;
    let (piece, start, length) = block(hand, pieces);
    let short = u32::try_from(length).expect("small");
    let digests = |hand: &mut Hand<'_>, count: u64| {
        Payload::Digests((0..count).map(|_| any_digest(hand.chance)).collect::<Vec<Digest>>())
    };
    let message = match hand.chance.below(22) {
        0 => {
            let message = Message::Block { piece, start, length: short };
            let payload = digests(hand, length / (16 * KIB));
            return (message, payload);
        }
        1 => return (Message::Leaves { piece, length: 64 }, digests(hand, 2)),
        2 => {
            let bytes = vec![7; 100];
            let total = number(hand, 5_000).clamp(100, 1 << 20);
            return (Message::Metainfo { start: 0, length: 100, total }, Payload::Bytes(bytes));
        }
        3 => Message::Stock { all: Some(run(hand, pieces)), more: None },
        4 => Message::Stock { all: None, more: Some(run(hand, pieces)) },
        5 => Message::Stock { all: Some(Vec::new()), more: None },
        6 => Message::MetainfoRequest { start: number(hand, 100) },
        7 | 8 => Message::Interested,
        9 => Message::NotInterested,
        10 => Message::Unchoke,
        11 => Message::Choke,
        12 | 13 => Message::Request { piece: piece.min(pieces - 1), start: 0, length: 16 * KIB },
        14 => Message::Request { piece, start, length },
        15 => Message::Nack { piece, start, length, reason: NackReason::Absent },
        16 => Message::Cancel { piece, start, length },
        17 => Message::Suggest { piece },
        18 => Message::LeavesRequest { piece },
        19 => {
            let (id, port) = (hand.any_id(), 7_777);
            Message::PeerList(vec![PeerAddress { id, ip: [11, 2, 3, 4].into(), port }])
        }
        20 => Message::Error { code: ErrorCode::Other, text: "anything".to_owned() },
        _ => Message::Heartbeat,
    };
    (message, Payload::None)
}

const LINES: [&[u8]; 9] = [
    b"GET / HTTP/1.1",
    b"SSH-2.0-OpenSSH_9.6",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"\x13BitTorrent protocol",
    b"",
    b"{\"tipo\":\"PEDIDO\",\"bloco\":-1,\"inicio\":0,\"tamanho\":16384}",
    b"{\"tipo\":\"BLOCO\",\"bloco\":0,\"inicio\":0,\"tamanho\":99999999}",
    b"{\"tipo\":\"ESTOQUE\",\"estoque\":[[5,1]]}",
    b"{\"tipo\":\"OUTRA_COISA\",\"x\":[[[[1]]]]}",
];

impl Script for Chatter {
    fn begin(&mut self, hand: &mut Hand<'_>) {
        let target = hand.chance.pick(&self.targets).cloned();
        target.iter().for_each(|target| hand.dial(target));
        hand.wake_after(SECOND / 100);
    }

    fn connected(&mut self, hand: &mut Hand<'_>, link: LinkId, _dialled: bool) {
        self.links.insert(link);
        if hand.chance.below(100) < self.manners_percent {
            hand.arrive(link, Vec::new());
        }
    }

    fn closed(&mut self, _hand: &mut Hand<'_>, link: LinkId) {
        self.links.remove(&link);
    }

    fn awake(&mut self, hand: &mut Hand<'_>) {
        for link in self.links.clone() {
            if hand.chance.below(60) == 0 {
                let line = *hand.chance.pick(&LINES).expect("some lines");
                hand.scribble(link, line);
            } else {
                let (message, payload) = anything(hand);
                hand.give(link, message, payload);
            }
        }
        if self.links.len() < 3 {
            self.begin(hand);
        }
        hand.wake_after(SECOND / 100);
    }
}

#[test]
fn who_says_anything_at_any_time_breaks_nothing_and_holds_nobody_up() {
    for seed in seeds(12) {
        let mut world = seeded(seed, MIB, 32 * 1024, RATE / 4);
        let machines = honest(&mut world, 4, RATE / 4);
        for manners_percent in [0, 90, 100] {
            let targets = (0..=4).map(|machine| world.endpoint(machine)).collect();
            let chatter = Chatter { targets, links: BTreeSet::new(), manners_percent };
            world.intrude(Spec::peer(Vec::new()), Box::new(chatter));
        }
        finish(&mut world, &machines, 5 * MINUTE);
    }
}
