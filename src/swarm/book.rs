//! Whom we could connect to: known endpoints, when to try them, and who is refused.
//!
//! Knows no links beyond their peers' ids; does not dial.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::chance::Chance;
use crate::ids::{Endpoint, PeerId};
use crate::scope::Scope;
use crate::time::Moment;

/// Endpoints kept; one that failed gives way to a new one.
pub const ENDPOINTS_MAX: usize = 2_000;
/// Dials under way at once.
pub const DIALS_MAX: usize = 32;
/// Bans kept.
const BANS_MAX: usize = 10_000;
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(300);
/// A pinned endpoint is what the person named: it is tried more often.
const PINNED_BACKOFF_MAX: Duration = Duration::from_secs(30);
/// So many banned ids on one public address, and the address itself is refused.
const STRIKES_MAX: u32 = 2;

#[derive(Clone, Debug)]
struct Entry {
    is_linked: bool,
    id: Option<PeerId>,
    failures: u32,
    not_before: Moment,
}

/// Known endpoints and bans of one share.
#[derive(Clone, Debug, Default)]
pub struct Book {
    entries: BTreeMap<Endpoint, Entry>,
    /// Of `entries`, those that the person named: a few.
    pinned: BTreeSet<Endpoint>,
    /// Where a dial is under way, until it came to its end: whoever comes from there meanwhile, and whatever it does, is
    /// another link and no reason to dial again.
    dialling: BTreeSet<Endpoint>,
    own: BTreeSet<Endpoint>,
    banned_ids: BTreeSet<(IpAddr, PeerId)>,
    banned_places: BTreeSet<(IpAddr, u16)>,
    strikes: BTreeMap<IpAddr, u32>,
}

impl Book {
    /// An endpoint that the person named: never forgotten.
    pub fn pin(&mut self, endpoint: Endpoint, now: Moment) {
        self.pinned.insert(endpoint.clone());
        let entry = Entry { is_linked: false, id: None, failures: 0, not_before: now };
        self.entries.entry(endpoint).or_insert(entry);
    }

    /// Somebody may be at `address`; to be tried from `not_before` on. Whether that is news.
    pub fn learn(&mut self, address: SocketAddr, id: Option<PeerId>, not_before: Moment) -> bool {
        let endpoint = Endpoint::at(address.ip(), address.port());
        if self.entries.contains_key(&endpoint) {
            return false;
        }
        let refused = address.port() == 0
            || self.own.contains(&endpoint)
            || !is_dialable(address.ip())
            || self.is_banned(address.ip(), address.port(), id);
        if refused || !self.has_room() {
            return false;
        }
        let entry = Entry { is_linked: false, id, failures: 0, not_before };
        self.entries.insert(endpoint, entry).is_none()
    }

    /// Whether somebody must give way before one more is learned.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= ENDPOINTS_MAX
    }

    /// Whether one more may be learned; where the book is full, the one that failed most gives way.
    fn has_room(&mut self) -> bool {
        if !self.is_full() {
            return true;
        }
        let is_hopeless = |(endpoint, entry): &(&Endpoint, &Entry)| {
            let is_kept =
                entry.is_linked || self.dialling.contains(*endpoint) || self.pinned.contains(*endpoint);
            entry.failures > 0 && !is_kept
        };
        let hopeless = self.entries.iter().filter(is_hopeless);
        let worst = hopeless.max_by_key(|(_, entry)| entry.failures).map(|(endpoint, _)| endpoint.clone());
        worst.is_some_and(|endpoint| self.entries.remove(&endpoint).is_some())
    }

    /// Endpoints to dial now, with those under way up to `max`; they count as being dialled. First, and however many dials
    /// are under way, those that the person named; then those that failed least, the longest waiting first, so that nobody
    /// who tells us of many dead places keeps us from the others; of equals some by chance, so that not everyone dials the
    /// same. Nobody who is linked already is dialled again under another address.
    pub fn due(
        &mut self,
        now: Moment,
        max: usize,
        is_linked: impl Fn(PeerId) -> bool,
        chance: &mut Chance,
    ) -> Vec<Endpoint> {
        let is_due = |(endpoint, entry): &(&Endpoint, &Entry)| {
            let is_busy = entry.is_linked || self.dialling.contains(*endpoint);
            !is_busy && entry.not_before <= now && !entry.id.is_some_and(&is_linked)
        };
        let pinned = self.pinned.iter().filter_map(|endpoint| self.entries.get_key_value(endpoint));
        let pinned_due = pinned.filter(is_due).count();
        if max == 0 && pinned_due == 0 {
            return Vec::new();
        }
        let mut due: Vec<((bool, u32, Moment), &Endpoint)> = self
            .entries
            .iter()
            .filter(is_due)
            .map(|(endpoint, entry)| {
                ((!self.pinned.contains(endpoint), entry.failures, entry.not_before), endpoint)
            })
            .collect();
        if due.is_empty() {
            return Vec::new();
        }
        chance.shuffle(&mut due);
        due.sort_by_key(|(key, _)| *key);
        due.truncate(max.min(DIALS_MAX).saturating_sub(self.dialling.len()).max(pinned_due));
        let due: Vec<Endpoint> = due.into_iter().map(|(_, endpoint)| endpoint.clone()).collect();
        self.dialling.extend(due.iter().cloned());
        due
    }

    /// The dial to `endpoint` came to its end: somebody there said who it is, or will not.
    pub fn dialled(&mut self, endpoint: &Endpoint) {
        self.dialling.remove(endpoint);
    }

    /// Nobody answered at `endpoint`, or refused us: it is left alone for a while that grows.
    pub fn failed(&mut self, endpoint: &Endpoint, now: Moment, chance: &mut Chance) {
        let Some(entry) = self.entries.get_mut(endpoint) else { return };
        entry.is_linked = false;
        entry.failures += 1;
        let ceiling = if self.pinned.contains(endpoint) { PINNED_BACKOFF_MAX } else { BACKOFF_MAX };
        entry.not_before = now.after(backoff(entry.failures, ceiling, chance));
    }

    /// The one at `endpoint` is linked and says it is `id`.
    pub fn linked(&mut self, endpoint: &Endpoint, id: PeerId) {
        self.change(endpoint, |entry| {
            entry.is_linked = true;
            entry.id = Some(id);
        });
    }

    /// The link to `endpoint` ended, and not by a failure: tried again soon, with jitter, so that not everyone comes back
    /// at once.
    pub fn unlinked(&mut self, endpoint: &Endpoint, now: Moment, chance: &mut Chance) {
        let not_before = now.after(jittered(BACKOFF_FIRST, chance));
        if let Some(entry) = self.entries.get_mut(endpoint).filter(|entry| entry.is_linked) {
            *entry = Entry { is_linked: false, id: entry.id, failures: 0, not_before };
        }
    }

    /// `endpoint` is a second way to `id`, who is linked already.
    pub fn is_also(&mut self, endpoint: &Endpoint, id: PeerId, now: Moment, chance: &mut Chance) {
        let not_before = now.after(jittered(BACKOFF_FIRST, chance));
        self.change(endpoint, |entry| {
            *entry = Entry { is_linked: false, id: Some(id), failures: 0, not_before }
        });
    }

    /// `endpoint` leads to ourselves: never dialled or learned again.
    pub fn is_ourselves(&mut self, endpoint: Endpoint) {
        self.entries.remove(&endpoint);
        if self.own.len() < ENDPOINTS_MAX {
            self.own.insert(endpoint);
        }
    }

    /// Refuses this peer from now on: its id at that address and its place; on repeat the whole address, but not
    /// where many may share one (loopback, private ranges).
    /// False if it was refused already.
    pub fn ban(&mut self, id: PeerId, ip: IpAddr, port: u16) -> bool {
        if !self.banned_ids.insert((ip, id)) {
            return false;
        }
        self.forget_a_ban();
        if port != 0 {
            self.banned_places.insert((ip, port));
            self.entries.remove(&Endpoint::at(ip, port));
        }
        *self.strikes.entry(ip).or_default() += 1;
        true
    }

    /// Keeps each table within [`BANS_MAX`]; which of so many gives way hardly matters.
    fn forget_a_ban(&mut self) {
        if self.banned_ids.len() > BANS_MAX {
            self.banned_ids.pop_first();
        }
        if self.banned_places.len() >= BANS_MAX {
            self.banned_places.pop_first();
        }
        if self.strikes.len() >= BANS_MAX {
            self.strikes.pop_first();
        }
    }

    /// Whether such a peer is refused.
    pub fn is_banned(&self, ip: IpAddr, port: u16, id: Option<PeerId>) -> bool {
        let by_address =
            Scope::of(ip) == Scope::Global && self.strikes.get(&ip).is_some_and(|n| *n >= STRIKES_MAX);
        by_address
            || self.banned_places.contains(&(ip, port))
            || id.is_some_and(|id| self.banned_ids.contains(&(ip, id)))
    }

    fn change(&mut self, endpoint: &Endpoint, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(endpoint) {
            change(entry);
        }
    }
}

fn backoff(failures: u32, ceiling: Duration, chance: &mut Chance) -> Duration {
    let doubled = BACKOFF_FIRST * 2_u32.pow(failures.saturating_sub(1).min(16));
    jittered(doubled.min(ceiling), chance)
}

/// Between one and two times `span`.
fn jittered(span: Duration, chance: &mut Chance) -> Duration {
    span + span * u32::try_from(chance.below(1000)).expect("below a thousand") / 1000
}

fn is_dialable(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::V4(std::net::Ipv4Addr::BROADCAST)
}

#[cfg(test)]
mod tests {
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
}
