//! Many faces of few: Sybils from one address, banned peers that come back, and gossip of places to dial.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use minibit::ids::{Endpoint, LinkId, PeerId};
use minibit::seam::Payload;
use minibit::wire::{Message, PeerAddress};

use super::habits::{Blocks, Habits, When};
use super::puppet::Shared;
use super::village::{MIB, finish, honest, puppet, seeded};
use super::{Hand, Script};
use crate::machine::Spec;
use crate::queue::{MINUTE, SECOND};
use crate::world::World;

const PIECE_BYTES: u32 = 64 * 1024;
const RATE: u64 = 1_000_000;

/// Many identities on a few addresses of one network, all of them interested and asking; each comes back when it is turned away.
#[derive(Debug)]
struct Sybils {
    count: usize,
    hosts: usize,
    target: Endpoint,
    links: BTreeMap<LinkId, PeerId>,
    /// Links over which blocks may be exchanged.
    diary: Shared,
}

impl Sybils {
    fn come(&self, hand: &mut Hand<'_>) {
        let host = u8::try_from(1 + hand.chance.below(self.hosts)).expect("one of a network");
        hand.dial_from(&self.target, IpAddr::from([81, 2, 3, host]));
    }
}

impl Script for Sybils {
    fn begin(&mut self, hand: &mut Hand<'_>) {
        (0..self.count).for_each(|_| self.come(hand));
        hand.wake_after(4 * SECOND);
    }

    fn connected(&mut self, hand: &mut Hand<'_>, link: LinkId, _dialled: bool) {
        let id = hand.arrive(link, Vec::new());
        self.links.insert(link, id);
        hand.say(link, Message::Interested);
    }

    fn heard(&mut self, hand: &mut Hand<'_>, link: LinkId, message: &Message, _payload: &Payload) {
        let mut diary = self.diary.borrow_mut();
        match message {
            // Who is only registered is told of nothing.
            Message::Stock { all: Some(all), .. } if !all.is_empty() => {
                diary.linked.insert(link);
                diary.linked_max = diary.linked_max.max(diary.linked.len());
            }
            Message::Unchoke => {
                diary.unchokes += 1;
                let piece = hand.chance.below(hand.truth.leaves.len()) as u64;
                let length = super::puppet::length(hand, piece);
                (0..4).for_each(|_| hand.say(link, Message::Request { piece, start: 0, length }));
            }
            Message::Block { piece, start, length } => {
                diary.got_bytes += u64::from(*length);
                let (piece, start, length) = (*piece, *start, u64::from(*length));
                hand.say(link, Message::Request { piece, start, length });
            }
            Message::Error { code, .. } => diary.errors.push(*code),
            _ => {}
        }
    }

    fn closed(&mut self, _hand: &mut Hand<'_>, link: LinkId) {
        self.links.remove(&link);
        self.diary.borrow_mut().linked.remove(&link);
    }

    fn awake(&mut self, hand: &mut Hand<'_>) {
        self.links.keys().for_each(|link| hand.say(*link, Message::Heartbeat));
        (self.links.len()..self.count).for_each(|_| self.come(hand));
        hand.wake_after(4 * SECOND);
    }
}

fn sybils(world: &mut World, count: usize, hosts: usize) -> Shared {
    let diary = Shared::default();
    let sybils =
        Sybils { count, hosts, target: world.endpoint(0), links: BTreeMap::new(), diary: diary.clone() };
    let spec = Spec { up_rate: 10 * RATE, down_rate: 10 * RATE, ..Spec::peer(Vec::new()) };
    world.intrude(spec, Box::new(sybils));
    diary
}

/// Of what machine 0 serves at each tick while honest peers want something of it: the hostile part, over a whole download.
fn hostile_part(world: &mut World, machines: &[usize]) -> f64 {
    let (mut hostile, mut all) = (0, 0);
    while !machines.iter().all(|&machine| world.checker.is_complete(machine)) {
        assert!(world.now() < 10 * MINUTE, "not all had finished in time: {}", world.standings());
        world.pass(SECOND / 10);
        let served = world.checker.served(0);
        hostile += served.iter().filter(|peer| !machines.contains(peer)).count();
        all += served.len();
    }
    hostile as f64 / all as f64
}

/// How long twelve honest peers take, what part of the seed's places is not theirs meanwhile, and the Sybils' most links.
fn beside_sybils(hosts: usize) -> (u64, f64, usize) {
    let mut world = seeded(1, 4 * MIB, PIECE_BYTES, RATE);
    let diary = (hosts > 0).then(|| sybils(&mut world, 1_000, hosts));
    world.pass(10 * SECOND);
    let begun = world.now();
    let machines = honest(&mut world, 12, RATE);
    let part = hostile_part(&mut world, &machines);
    (world.now() - begun, part, diary.map_or(0, |diary| diary.borrow().linked_max))
}

#[test]
fn a_thousand_identities_of_one_address_or_network_leave_the_honest_half_of_the_places() {
    let (alone, ..) = beside_sybils(0);
    for (hosts, links_max) in [(1, 50), (200, 100)] {
        let (beside, part, linked) = beside_sybils(hosts);
        println!(
            "{hosts} addresses: part {part:.3}, {linked} linked, took x{:.3}",
            beside as f64 / alone as f64
        );
        assert!(linked <= links_max, "{linked} links of {hosts} addresses");
        assert!(part <= 0.5, "the Sybils had {part:.3} of the places");
        assert!(beside <= 2 * alone, "{beside} instead of {alone} microseconds");
    }
}

#[test]
fn a_poisoner_that_comes_back_as_somebody_else_is_refused_by_its_address_after_the_second_time() {
    let mut world = seeded(2, 8 * MIB, PIECE_BYTES, RATE / 10);
    let blocks = Blocks::False(When::Percent(100));
    let habits = Habits { blocks, comes_back: true, listens: false, ..Habits::default() };
    let (liar, _) = puppet(&mut world, habits, RATE);
    let machines = honest(&mut world, 4, RATE);
    finish(&mut world, &machines, 10 * MINUTE);
    for machine in machines {
        let banned = world.checker.book(machine).banned.len();
        assert!((1..=2).contains(&banned), "machine {machine} banned {banned} identities of one address");
        assert!(!world.checker.linked(machine).contains(&liar), "machine {machine} is linked with the liar");
    }
}

/// Tells everyone of many places, of which some must never be dialled.
#[derive(Debug)]
struct Gossip {
    target: Endpoint,
    victim: IpAddr,
    links: BTreeSet<LinkId>,
    told: u32,
}

impl Gossip {
    fn places(&mut self, hand: &mut Hand<'_>) -> Vec<PeerAddress> {
        (0..200)
            .map(|n| {
                self.told += 1;
                let high = u16::try_from(1024 + self.told % 60_000).expect("a port");
                let far = IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + self.told));
                let (ip, port) = match n % 8 {
                    0 | 1 => (self.victim, high),
                    2 => (IpAddr::from([10, 1, 2, 3]), high),
                    3 => (IpAddr::from([127, 0, 0, 1]), high),
                    4 => (IpAddr::from([255, 255, 255, 255]), high),
                    5 => (far, 22),
                    6 => (IpAddr::from([224, 0, 0, 1]), high),
                    _ => (far, high),
                };
                PeerAddress { id: hand.any_id(), ip, port }
            })
            .collect()
    }
}

impl Script for Gossip {
    fn begin(&mut self, hand: &mut Hand<'_>) {
        hand.dial(&self.target);
        hand.wake_after(SECOND);
    }

    fn connected(&mut self, hand: &mut Hand<'_>, link: LinkId, _dialled: bool) {
        self.links.insert(link);
        hand.arrive(link, Vec::new());
    }

    fn closed(&mut self, _hand: &mut Hand<'_>, link: LinkId) {
        self.links.remove(&link);
    }

    fn awake(&mut self, hand: &mut Hand<'_>) {
        for link in self.links.clone() {
            for _ in 0..20 {
                let places = self.places(hand);
                hand.say(link, Message::PeerList(places));
            }
        }
        hand.wake_after(SECOND);
    }
}

#[test]
fn a_million_places_told_of_bring_few_dials_and_none_where_none_may_go() {
    let mut world = World::with_share(3, PIECE_BYTES, &[MIB]);
    world.is_public = true;
    let target = world.start(Spec { up_rate: 10_000, ..Spec::seed(Vec::new()) });
    let told = world.start(Spec::peer(vec![world.endpoint(target)]));
    let victim = IpAddr::from([93, 184, 216, 34]);
    for _ in 0..3 {
        let gossip = Gossip { target: world.endpoint(told), victim, links: BTreeSet::new(), told: 0 };
        let spec = Spec { up_rate: 10 * RATE, down_rate: 10 * RATE, ..Spec::peer(Vec::new()) };
        world.intrude(spec, Box::new(gossip));
    }
    world.pass(2 * MINUTE);
    let dials = &world.checker.book(told).dials;
    let (mut last, mut to_victim) = (BTreeMap::new(), BTreeSet::new());
    for (at, endpoint) in dials {
        let host: IpAddr = endpoint.host.parse().expect("an address");
        let IpAddr::V4(v4) = host else { panic!("nobody spoke of {host}") };
        let is_wild = v4.is_private() || v4.is_loopback() || v4.is_broadcast() || v4.is_multicast();
        assert!(!is_wild && endpoint.port >= 1024, "{endpoint} was dialled");
        assert_ne!(*endpoint, world.endpoint(told), "itself was dialled");
        if let Some(before) = last.insert(endpoint.clone(), *at) {
            assert!(at - before >= SECOND, "{endpoint} was dialled again after {} microseconds", at - before);
        }
        if host == victim {
            to_victim.insert(endpoint.port);
        }
    }
    println!("{} dials to {} places, {} of them the victim's", dials.len(), last.len(), to_victim.len());
    assert!(dials.len() <= 2 * 60 * 32, "{} dials in two minutes", dials.len());
    assert!(to_victim.len() <= 8, "{} ports of the victim were dialled", to_victim.len());
    finish(&mut world, &[told], 5 * MINUTE);
}
