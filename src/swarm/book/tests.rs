//! Stories of a book: whom to dial, when, and who is refused.

use super::*;

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, last], 7070))
}

fn nobody(_: PeerId) -> bool {
    false
}

fn later(secs: u64) -> Moment {
    Moment::START.after(Duration::from_secs(secs))
}

#[test]
fn an_endpoint_that_fails_is_tried_after_a_pause_that_grows() {
    let (mut book, mut chance) = (Book::default(), Chance::new(1));
    book.learn(address(1), None, Moment::START);
    let (mut now, mut waits) = (Moment::START, Vec::new());
    for _ in 0..12 {
        let endpoint = book.due(now, 1, nobody, &mut chance).pop().expect("it is due");
        book.dialled(&endpoint);
        book.failed(&endpoint, now, &mut chance);
        assert!(book.due(now, 1, nobody, &mut chance).is_empty());
        let not_before = book.entries[&endpoint].not_before;
        waits.push(not_before.since(now));
        now = not_before;
    }
    for (n, wait) in waits.iter().enumerate() {
        let least = Duration::from_secs(1 << n).min(BACKOFF_MAX);
        assert!((least..=least * 2).contains(wait), "{n}: {wait:?}");
    }
}

#[test]
fn a_full_book_forgets_whom_it_failed_to_reach_most() {
    let (mut book, mut chance) = (Book::default(), Chance::new(1));
    let place = |n: usize| SocketAddr::from(([203, 0, 113, 1], u16::try_from(n + 1).expect("a port")));
    assert!((0..ENDPOINTS_MAX).all(|n| book.learn(place(n), None, Moment::START)));
    book.learn(place(ENDPOINTS_MAX), None, Moment::START);
    assert_eq!(book.entries.len(), ENDPOINTS_MAX);
    let failed = Endpoint::at(place(5).ip(), place(5).port());
    book.failed(&failed, Moment::START, &mut chance);
    book.learn(place(ENDPOINTS_MAX), None, Moment::START);
    assert!(!book.entries.contains_key(&failed));
    assert_eq!(book.entries.len(), ENDPOINTS_MAX);
}

#[test]
fn who_is_told_of_again_after_it_gave_way_is_not_tried_sooner() {
    let (mut book, mut chance) = (Book::default(), Chance::new(1));
    let place = |n: usize| SocketAddr::from(([203, 0, 113, 1], u16::try_from(n + 1).expect("a port")));
    assert!((0..ENDPOINTS_MAX).all(|n| book.learn(place(n), None, Moment::START)));
    let victim = Endpoint::at(place(5).ip(), place(5).port());
    (0..9).for_each(|_| book.failed(&victim, Moment::START, &mut chance));
    let not_before = book.entries[&victim].not_before;
    book.learn(place(ENDPOINTS_MAX), None, Moment::START);
    assert!(!book.entries.contains_key(&victim));
    let other = Endpoint::at(place(6).ip(), place(6).port());
    book.failed(&other, Moment::START, &mut chance);
    book.learn(place(5), None, Moment::START);
    assert_eq!((book.entries[&victim].not_before, book.entries[&victim].failures), (not_before, 9));
}

#[test]
fn a_public_address_is_not_knocked_at_every_door_of() {
    let mut book = Book::default();
    let door = |n: u16| SocketAddr::from(([203, 0, 113, 1], 2_000 + n));
    let heard = (0..100).filter(|n| book.hear_of(door(*n), PeerId([1; 20]), Moment::START));
    assert_eq!(heard.count(), HEARSAY_MAX);
    let near = |n: u16| SocketAddr::from(([192, 168, 1, 1], 2_000 + n));
    assert!((0..100).all(|n| book.hear_of(near(n), PeerId([1; 20]), Moment::START)));
}

#[test]
fn who_gave_us_something_is_dialled_even_where_there_is_no_room() {
    let (mut book, mut chance) = (Book::default(), Chance::new(1));
    assert!((1..9).all(|n| book.learn(address(n), None, Moment::START)));
    assert!(book.due(later(1), 0, nobody, &mut chance).is_empty());
    let giver = Endpoint::at(address(3).ip(), address(3).port());
    book.gave(&giver);
    assert_eq!(book.due(later(1), 0, nobody, &mut chance), [giver]);
}

#[test]
fn what_the_person_named_is_never_forgotten() {
    let (mut book, mut chance) = (Book::default(), Chance::new(1));
    let tracker: Endpoint = "tracker.example:7070".parse().expect("an endpoint");
    book.pin(tracker.clone(), Moment::START);
    for round in 0..50 {
        assert_eq!(
            book.due(later(round * 100), 9, nobody, &mut chance).as_slice(),
            std::slice::from_ref(&tracker)
        );
        book.dialled(&tracker);
        book.failed(&tracker, later(round * 100), &mut chance);
    }
}

#[test]
fn the_person_s_word_comes_before_any_number_of_places_told_of() {
    let (mut book, mut chance) = (Book::default(), Chance::new(1));
    let place = |n: u16| SocketAddr::from(([203, 0, 113, 1], 1000 + n));
    assert!((0..100).all(|n| book.learn(place(n), None, Moment::START)));
    assert_eq!(book.due(later(1), 200, nobody, &mut chance).len(), DIALS_MAX);
    let tracker: Endpoint = "tracker.example:7070".parse().expect("an endpoint");
    book.pin(tracker.clone(), later(2));
    assert_eq!(book.due(later(2), 200, nobody, &mut chance), vec![tracker]);
}

#[test]
fn nobody_is_dialled_twice_at_once_or_under_a_second_address() {
    let (mut book, mut chance) = (Book::default(), Chance::new(1));
    let id = PeerId([7; 20]);
    book.learn(address(1), Some(id), Moment::START);
    assert!(book.due(later(1), 9, |linked| linked == id, &mut chance).is_empty());
    assert_eq!(book.due(later(1), 9, nobody, &mut chance).len(), 1);
    assert!(book.due(later(2), 9, nobody, &mut chance).is_empty());
}

#[test]
fn of_one_public_address_others_are_heard_of_once_those_known_failed_for_minutes() {
    let (mut book, mut chance) = (Book::default(), Chance::new(1));
    let place = |port| SocketAddr::from(([203, 0, 113, 1], port));
    let hear = |book: &mut Book, port| book.hear_of(place(port), PeerId([9; 20]), Moment::START);
    assert!((2000..2008).all(|port| hear(&mut book, port)));
    assert!(!hear(&mut book, 2008));
    let first = Endpoint::at(place(2000).ip(), 2000);
    for round in 1..=u64::from(HOPELESS) {
        assert!(!hear(&mut book, 2008), "{round} failures are not too many");
        book.failed(&first, later(round), &mut chance);
    }
    assert!(hear(&mut book, 2008));
    assert!(!hear(&mut book, 2009), "one took the place of one");
}

#[test]
fn a_place_that_led_to_ourselves_is_not_learned_again() {
    let (mut book, mut chance) = (Book::default(), Chance::new(1));
    book.is_ourselves(Endpoint::at(address(1).ip(), 7070));
    book.learn(address(1), None, Moment::START);
    assert!(book.due(later(9), 9, nobody, &mut chance).is_empty());
}

#[test]
fn a_ban_covers_id_and_place_and_on_repeat_a_public_address() {
    let mut book = Book::default();
    let (ip, other) = (address(1).ip(), PeerId([2; 20]));
    book.ban(PeerId([1; 20]), ip, 5000);
    assert!(book.is_banned(ip, 9, Some(PeerId([1; 20]))));
    assert!(book.is_banned(ip, 5000, Some(other)));
    assert!(!book.is_banned(ip, 9, Some(other)));
    book.ban(PeerId([3; 20]), ip, 5001);
    assert!(book.is_banned(ip, 9, Some(other)));
}

#[test]
fn a_liar_is_banned_however_many_were_before_it() {
    let mut book = Book::default();
    for n in 0..=u32::try_from(BANS_MAX).expect("a small number") {
        let ip = IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n));
        assert!(book.ban(PeerId([1; 20]), ip, 5000));
        assert!(book.banned_ids.len().max(book.banned_places.len()).max(book.strikes.len()) <= BANS_MAX);
    }
}

#[test]
fn neighbours_on_a_private_address_are_not_banned_for_each_other() {
    let mut book = Book::default();
    let ip = IpAddr::from([192, 168, 1, 5]);
    assert!((1..9).all(|n| book.ban(PeerId([n; 20]), ip, u16::from(n))));
    assert!(!book.is_banned(ip, 100, Some(PeerId([99; 20]))));
}
