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
/// Places on one public address that others may tell us of: nobody is knocked at every door of.
const HEARSAY_MAX: usize = 8;
/// One that failed so often, over some five minutes, does not count among them.
const HOPELESS: u32 = 8;
/// Below this, ports are other services': none is dialled because somebody says so.
const PORT_MIN: u16 = 1024;
/// So many of those that gave us something once have a dial of their own, whoever else is linked by now.
const GIVERS_DIALLED: usize = 2;
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
    /// It gave us something of use.
    gave: bool,
}

impl Entry {
    /// It is linked no more, and nobody failed: tried again from `not_before` on.
    fn rest(&mut self, not_before: Moment) {
        (self.is_linked, self.failures, self.not_before) = (false, 0, not_before);
    }
}

/// Known endpoints and bans of one share.
#[derive(Clone, Debug, Default)]
pub struct Book {
    entries: BTreeMap<Endpoint, Entry>,
    /// Those that gave way to others, so that who tells of one again does not shorten its pause.
    forgotten: BTreeMap<Endpoint, Entry>,
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
        let entry = Entry { is_linked: false, id: None, failures: 0, not_before: now, gave: false };
        self.entries.entry(endpoint).or_insert(entry);
    }

    /// Somebody else says that `id` is at `address`; to be tried from `not_before` on. Whether that is news.
    pub fn hear_of(&mut self, address: SocketAddr, id: PeerId, not_before: Moment) -> bool {
        let host = |port| Endpoint { port, ..Endpoint::at(address.ip(), 0) };
        let there = |of: &BTreeMap<Endpoint, Entry>| {
            of.range(host(0)..=host(u16::MAX)).filter(|(_, entry)| entry.failures < HOPELESS).count()
        };
        let is_crowded = Scope::of(address.ip()) == Scope::Global
            && there(&self.entries) + there(&self.forgotten) >= HEARSAY_MAX;
        address.port() >= PORT_MIN && !is_crowded && self.learn(address, Some(id), not_before)
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
        let mut entry = Entry { is_linked: false, id, failures: 0, not_before, gave: false };
        if let Some(before) = self.forgotten.remove(&endpoint) {
            entry.failures = before.failures;
            entry.not_before = before.not_before.max(not_before);
        }
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
        worst.is_some_and(|endpoint| self.forget(endpoint))
    }

    fn forget(&mut self, endpoint: Endpoint) -> bool {
        let Some(entry) = self.entries.remove(&endpoint) else { return false };
        if self.forgotten.len() >= ENDPOINTS_MAX {
            self.forgotten.pop_first();
        }
        self.forgotten.insert(endpoint, entry);
        true
    }

    /// Endpoints to dial now, with those under way up to `max`; they count as being dialled. First, and however many dials
    /// are under way, those that the person named, and a few that gave us something; then those that failed least, the
    /// longest waiting first, so that nobody who tells us of many dead places keeps us from the others; of equals some by
    /// chance, so that not everyone dials the same. Nobody who is linked already is dialled again under another address.
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
        if max == 0 && pinned_due == 0 && !self.entries.iter().any(|of| of.1.gave && is_due(&of)) {
            return Vec::new();
        }
        let key = |endpoint: &Endpoint, entry: &Entry| {
            (!self.pinned.contains(endpoint), !entry.gave, entry.failures, entry.not_before)
        };
        let due = self.entries.iter().filter(is_due);
        let mut due: Vec<_> = due.map(|(endpoint, entry)| (key(endpoint, entry), endpoint)).collect();
        if due.is_empty() {
            return Vec::new();
        }
        let is_giver = |(is_other, never_gave, ..): &(bool, bool, u32, Moment)| *is_other && !*never_gave;
        let gave_due = due.iter().filter(|(key, _)| is_giver(key)).count();
        chance.shuffle(&mut due);
        due.sort_by_key(|(key, _)| *key);
        let dialling = self.dialling.len();
        let anyway = pinned_due + gave_due.min(GIVERS_DIALLED.saturating_sub(dialling));
        due.truncate(max.min(DIALS_MAX).saturating_sub(dialling).max(anyway));
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

    /// The one who accepts connections at `endpoint`, so it says, is linked as `id`. A place at which another is linked stays
    /// that one's.
    pub fn says_to_listen(&mut self, endpoint: &Endpoint, id: PeerId) {
        if !self.is_linked_as_another(endpoint, id) {
            self.linked(endpoint, id);
        }
    }

    /// Whether somebody else than `id` is linked who accepts connections at `endpoint`.
    pub fn is_linked_as_another(&self, endpoint: &Endpoint, id: PeerId) -> bool {
        let entry = self.entries.get(endpoint).filter(|entry| entry.is_linked);
        entry.is_some_and(|entry| entry.id != Some(id))
    }

    /// The one at `endpoint` gave us something of use.
    pub fn gave(&mut self, endpoint: &Endpoint) {
        self.change(endpoint, |entry| entry.gave = true);
    }

    /// Whether the person named this place.
    pub fn is_pinned(&self, endpoint: &Endpoint) -> bool {
        self.pinned.contains(endpoint)
    }

    /// The link to `endpoint` ended, and not by a failure: tried again soon, with jitter, so that not everyone comes back
    /// at once.
    pub fn unlinked(&mut self, endpoint: &Endpoint, id: PeerId, now: Moment, chance: &mut Chance) {
        let not_before = now.after(jittered(BACKOFF_FIRST, chance));
        let entry = self.entries.get_mut(endpoint);
        if let Some(entry) = entry.filter(|entry| entry.is_linked && entry.id == Some(id)) {
            entry.rest(not_before);
        }
    }

    /// `endpoint` is a second way to `id`, who is linked already.
    pub fn is_also(&mut self, endpoint: &Endpoint, id: PeerId, now: Moment, chance: &mut Chance) {
        let not_before = now.after(jittered(BACKOFF_FIRST, chance));
        self.change(endpoint, |entry| {
            entry.rest(not_before);
            entry.id = Some(id);
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
        // A port is only claimed: that of another who is linked is not taken from it.
        if port != 0 && !self.is_linked_as_another(&Endpoint::at(ip, port), id) {
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
mod tests;
