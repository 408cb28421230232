//! Stories of a register: who hears of whom.

use std::collections::BTreeMap;

use super::*;

fn id(n: u16) -> PeerId {
    let mut bytes = [0; 20];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    PeerId(bytes)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn register() -> Register {
    Register::new(vec![ip("192.168.1.1"), ip("203.0.113.1")], Moment::START, Chance::new(5))
}

fn at(secs: u64) -> Moment {
    Moment::START.after(Duration::from_secs(secs))
}

/// Peer `n` registers from `from`, accepting at port 1000 + n.
fn join(register: &mut Register, now: Moment, n: u16, from: &str) -> Welcome {
    register.join(now, LinkId(u64::from(n)), id(n), ip(from), 1000 + n)
}

fn ids(list: &[PeerAddress]) -> Vec<PeerId> {
    let mut ids: Vec<_> = list.iter().map(|address| address.id).collect();
    ids.sort();
    ids
}

#[test]
fn one_public_address_has_so_many_places_in_the_register() {
    let mut register = register();
    let mut news = 0;
    for n in 0..1_000 {
        news += usize::from(!join(&mut register, Moment::START, n, "198.51.100.7").news.is_empty());
        register.check();
    }
    assert_eq!((register.entry_count(), news), (PLACES_PER_HOST_MAX, PLACES_PER_HOST_MAX - 1));
    for n in 0..1_000 {
        register.leave(Moment::START, LinkId(n), true);
        register.check();
    }
    assert_eq!(register.entry_count(), 0);
}

#[test]
fn a_newcomer_hears_of_the_others_and_they_of_it_at_once() {
    let mut register = register();
    assert_eq!(join(&mut register, at(0), 1, "10.0.0.1"), Welcome::default());
    let welcome = join(&mut register, at(1), 2, "10.0.0.2");
    assert_eq!(welcome.list, [PeerAddress { id: id(1), ip: ip("10.0.0.1"), port: 1001 }]);
    assert_eq!(welcome.news, [(LinkId(1), PeerAddress { id: id(2), ip: ip("10.0.0.2"), port: 1002 })]);
}

#[test]
fn a_known_place_is_not_news() {
    let mut register = register();
    join(&mut register, at(0), 1, "10.0.0.1");
    join(&mut register, at(0), 2, "10.0.0.2");
    let again = register.join(at(5), LinkId(77), id(2), ip("10.0.0.2"), 1002);
    assert_eq!(again.news, []);
    assert_eq!(ids(&again.list), [id(1)]);
    let renamed = register.join(at(6), LinkId(78), id(3), ip("10.0.0.2"), 1002);
    assert_eq!(renamed.news, []);
    assert_eq!(register.entry_count(), 2);
}

#[test]
fn who_accepts_nothing_hears_of_others_and_is_not_passed_on() {
    let mut register = register();
    join(&mut register, at(0), 1, "10.0.0.1");
    let welcome = register.join(at(0), LinkId(9), id(9), ip("10.0.0.9"), 0);
    assert_eq!((welcome.list.len(), welcome.news.len()), (1, 0));
    assert_eq!(ids(&join(&mut register, at(1), 2, "10.0.0.2").list), [id(1)]);
}

#[test]
fn a_polite_goodbye_forgets_at_once_and_silence_after_a_while() {
    let mut register = register();
    (1..=3).for_each(|n| drop(join(&mut register, at(0), n, "10.0.0.1")));
    register.leave(at(1), LinkId(1), true);
    register.leave(at(1), LinkId(2), false);
    assert_eq!(ids(&join(&mut register, at(2), 4, "10.0.0.4").list), [id(2), id(3)]);
    register.tick(at(60));
    assert_eq!(register.entry_count(), 3);
    register.tick(at(121));
    assert_eq!(register.entry_count(), 2);
}

#[test]
fn an_old_link_that_ends_does_not_strike_the_new_one() {
    let mut register = register();
    join(&mut register, at(0), 1, "10.0.0.1");
    register.join(at(3), LinkId(50), id(1), ip("10.0.0.1"), 1001);
    register.leave(at(4), LinkId(1), true);
    assert_eq!(ids(&join(&mut register, at(5), 2, "10.0.0.2").list), [id(1)]);
}

#[test]
fn lists_are_a_random_choice_of_two_hundred_and_news_goes_to_fifty_beyond() {
    let mut register = register();
    (1..=1000).for_each(|n| drop(join(&mut register, at(n.into()), n, "10.0.0.1")));
    let one = join(&mut register, at(1000), 2001, "10.0.0.2");
    let other = join(&mut register, at(1000), 2002, "10.0.0.3");
    assert_eq!((one.list.len(), one.news.len()), (LIST_MAX, 50));
    assert_ne!(ids(&one.list), ids(&other.list));
}

#[test]
fn in_a_crowd_members_are_told_of_each_newcomer_a_little_later() {
    let mut register = register();
    let at_once: Vec<usize> =
        (1..=600).map(|n| join(&mut register, at(0), n, "10.0.0.1").news.len()).collect();
    assert_eq!((at_once[200], at_once[300], at_once[599]), (200, 50, 0));
    let mut told = std::collections::BTreeMap::new();
    let mut now = at(0);
    while register.deadline() < at(50) {
        assert!(register.deadline() > now, "time goes on");
        now = register.deadline();
        let news = register.tell(now);
        assert_eq!(news.len(), 50);
        *told.entry(news[0].1.id).or_insert(0) += news.len();
    }
    assert_eq!(told.len() + at_once.iter().filter(|count| **count > 0).count(), 599);
    assert!(told.values().all(|count| *count == 50) && now < at(30));
}

#[test]
fn in_a_crowd_the_lists_become_short_for_a_while() {
    let mut register = register();
    let lists: Vec<usize> =
        (1..=1000).map(|n| join(&mut register, at(0), n, "10.0.0.1").list.len()).collect();
    assert_eq!((lists[200], lists[999]), (LIST_MAX, LIST_MIN));
    assert_eq!(join(&mut register, at(5), 2001, "10.0.0.2").list.len(), LIST_MAX);
}

#[test]
fn however_many_come_and_go_the_lists_are_long_again_soon_after() {
    let mut register = register();
    for round in 0..100 {
        (1..=500).for_each(|n| drop(join(&mut register, at(round), n, "10.0.0.1")));
        (1..=500).for_each(|n| register.leave(at(round), LinkId(n), false));
    }
    assert_eq!(join(&mut register, at(101), 1001, "10.0.0.2").list.len(), LIST_MAX);
}

#[test]
fn who_was_told_of_enough_in_a_crowd_is_not_told_again_each_minute() {
    let mut register = register();
    (1..=1000).for_each(|n| drop(join(&mut register, at(0), n, "10.0.0.1")));
    assert_eq!(register.tick(at(60)), []);
}

#[test]
fn a_member_that_was_told_of_few_is_told_again_each_minute() {
    let mut register = register();
    join(&mut register, at(0), 1, "10.0.0.1");
    join(&mut register, at(0), 2, "10.0.0.2");
    assert_eq!(register.tick(at(59)), []);
    let lists = register.tick(at(60));
    assert_eq!(lists.len(), 2);
    assert_eq!(ids(&lists[0].1), [id(2)]);
}

#[test]
fn addresses_stay_within_their_scope() {
    let mut register = register();
    join(&mut register, at(0), 1, "127.0.0.1");
    join(&mut register, at(0), 2, "192.168.1.7");
    join(&mut register, at(0), 3, "198.51.100.9");
    let to = |register: &mut Register, n, from| {
        let list = join(register, at(1), n, from).list;
        list.into_iter().map(|address| (address.id, address.ip)).collect::<BTreeMap<_, _>>()
    };
    let local = to(&mut register, 11, "127.0.0.1");
    assert_eq!(local[&id(1)], ip("127.0.0.1"));
    assert_eq!(local.len(), 3);
    let private = to(&mut register, 12, "192.168.1.8");
    assert_eq!(private[&id(1)], ip("192.168.1.1"), "our own machine goes by its advertised host");
    assert!(private.contains_key(&id(2)) && private.contains_key(&id(3)));
    let global = to(&mut register, 13, "198.51.100.77");
    assert_eq!(global[&id(1)], ip("203.0.113.1"));
    assert!(!global.contains_key(&id(2)));
}

#[test]
fn the_books_agree_whoever_comes_and_goes() {
    let (mut register, mut chance) = (register(), Chance::new(3));
    for step in 0..2000_u16 {
        let (n, now) = (u16::try_from(chance.below(100)).expect("below a hundred"), at(u64::from(step)));
        match chance.below(4) {
            0 | 1 => drop(join(&mut register, now, n, "10.0.0.1")),
            farewell => register.leave(now, LinkId(u64::from(n)), farewell == 2),
        }
        register.tick(now);
        register.check();
    }
}

#[test]
fn in_a_full_register_who_is_gone_for_longest_gives_way() {
    let mut register = register();
    let full = u32::try_from(ENTRIES_MAX).expect("a small number");
    let place = |n: u32| IpAddr::from((0x0a00_0000 + n).to_be_bytes());
    let arrive = |register: &mut Register, n: u32| {
        let address = PeerAddress { id: id(1), ip: place(n), port: 1000 };
        register.enter(Entry { address, heard: at(u64::from(n)), link: Some(LinkId(u64::from(n))) })
    };
    (0..full).for_each(|n| assert!(arrive(&mut register, n)));
    let later = |n| at(u64::from(full) + n);
    for (n, gone) in [(1, 8), (2, 7)] {
        let address = PeerAddress { id: id(1), ip: place(gone), port: 1000 };
        assert!(!register.enter(Entry { address, heard: later(n), link: None }));
    }
    let known = |register: &Register, n| register.entries.get((place(n), 1000)).is_some();
    arrive(&mut register, full);
    assert_eq!((known(&register, 8), known(&register, 7)), (false, true));
    arrive(&mut register, full + 1);
    assert_eq!((known(&register, 7), known(&register, 0)), (false, true));
    arrive(&mut register, full + 2);
    assert!(!known(&register, 0), "all are linked: the oldest registration gives way");
    assert_eq!(register.entry_count(), ENTRIES_MAX);
}

#[test]
fn a_list_looks_at_no_more_than_a_few_times_what_it_holds() {
    let (mut roll, mut chance) = (Roll::new(), Chance::new(1));
    for n in 0..10_000_u32 {
        roll.insert(n, ());
    }
    for usable in [true, false] {
        let looks = std::cell::Cell::new(0);
        let found = roll.some(200, &mut chance, |n, ()| {
            looks.set(looks.get() + 1);
            usable.then_some(n)
        });
        let different: BTreeSet<u32> = found.iter().copied().collect();
        assert_eq!((found.len(), different.len()), if usable { (200, 200) } else { (0, 0) });
        assert!(looks.get() <= 800, "{} looks", looks.get());
    }
}
