//! The register of one share: who is in it, heard when, at which address, and whom to tell.
//!
//! Knows no blocks. What it keeps sits behind these few calls, so that another keeper could stand in its place.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::chance::Chance;
use crate::ids::{LinkId, PeerId};
use crate::scope::Scope;
use crate::time::Moment;
use crate::wire::PeerAddress;

/// Addresses kept of one share; the one not heard for longest gives way.
pub const ENTRIES_MAX: usize = 131_072;
/// Addresses in one list, and members told of one newcomer (`wire.md`).
pub const LIST_MAX: usize = 200;
/// Beyond [`LIST_MAX`] members, so many are told of a newcomer (`wire.md`).
const NEWS_MAX: usize = 50;
/// A peer that went without a word is kept so long: its other links may well live.
pub const TIME_TO_LIVE: Duration = Duration::from_secs(120);
/// How often members who know few are told again (`wire.md`).
pub const RELIST: Duration = Duration::from_secs(60);
/// Told of fewer than these, a member may well have few links.
const FEW: usize = 30;

/// Somebody who can be dialled.
#[derive(Clone, Copy, Debug)]
struct Entry {
    address: PeerAddress,
    heard: Moment,
    link: Option<LinkId>,
}

/// Somebody who is linked, dialled or not.
#[derive(Clone, Copy, Debug)]
struct Member {
    id: PeerId,
    place: (IpAddr, u16),
    told: usize,
}

/// What a newcomer brings about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Welcome {
    /// What the newcomer is told, at most [`LIST_MAX`].
    pub list: Vec<PeerAddress>,
    /// Who is told of the newcomer, each the address that means something to it.
    pub news: Vec<(LinkId, PeerAddress)>,
}

/// The register. Invariant: `places[place]` is where in `entries` that place stands.
#[derive(Debug)]
pub struct Register {
    own_hosts: Vec<IpAddr>,
    entries: Vec<Entry>,
    places: BTreeMap<(IpAddr, u16), usize>,
    members: BTreeMap<LinkId, Member>,
    relist: Moment,
    chance: Chance,
}

impl Register {
    /// Nobody in it. Peers on this machine, seen from loopback, are given out at `own_hosts`.
    pub fn new(own_hosts: Vec<IpAddr>, now: Moment, chance: Chance) -> Register {
        Register {
            own_hosts,
            entries: Vec::new(),
            places: BTreeMap::new(),
            members: BTreeMap::new(),
            relist: now.after(RELIST),
            chance,
        }
    }

    /// Somebody registered: seen at `ip`, accepting at `port` (0 = nowhere).
    pub fn join(&mut self, now: Moment, link: LinkId, id: PeerId, ip: IpAddr, port: u16) -> Welcome {
        let place = (ip, port);
        let list = self.list_for(id, ip);
        self.members.insert(link, Member { id, place, told: list.len() });
        let is_news = port != 0
            && self.enter(Entry { address: PeerAddress { id, ip, port }, heard: now, link: Some(link) });
        let news = if is_news { self.news_of(place, link) } else { Vec::new() };
        Welcome { list, news }
    }

    /// A link is gone. A peer that said goodbye is forgotten, another stays for a while.
    pub fn leave(&mut self, now: Moment, link: LinkId, said_goodbye: bool) {
        let Some(member) = self.members.remove(&link) else { return };
        let Some(index) = self.places.get(&member.place).copied() else { return };
        let entry = &mut self.entries[index];
        if entry.link != Some(link) {
            return;
        }
        entry.link = None;
        entry.heard = now;
        if said_goodbye {
            self.strike(index);
        }
    }

    /// Forgets who is gone for too long; once a minute, lists for members who were told of few.
    pub fn tick(&mut self, now: Moment) -> Vec<(LinkId, Vec<PeerAddress>)> {
        if now < self.relist {
            return Vec::new();
        }
        self.relist = now.after(RELIST);
        let gone = |entry: &Entry| entry.link.is_none() && now.since(entry.heard) >= TIME_TO_LIVE;
        for index in (0..self.entries.len()).rev() {
            if gone(&self.entries[index]) {
                self.strike(index);
            }
        }
        let few: Vec<(LinkId, Member)> = self
            .members
            .iter()
            .filter(|(_, member)| member.told < FEW)
            .map(|(link, member)| (*link, *member))
            .collect();
        let lists = few.into_iter().map(|(link, member)| (link, self.list_for(member.id, member.place.0)));
        lists.filter(|(_, list)| !list.is_empty()).collect()
    }

    /// When `tick` is due.
    pub fn deadline(&self) -> Moment {
        self.relist
    }

    /// Who could be dialled.
    pub fn entry_count(&self) -> usize {
        self.entries.len()
    }

    /// Adds an entry or renews it. True if its place was not known.
    fn enter(&mut self, entry: Entry) -> bool {
        let place = (entry.address.ip, entry.address.port);
        if let Some(index) = self.places.get(&place).copied() {
            self.entries[index] = entry;
            return false;
        }
        if self.entries.len() == ENTRIES_MAX {
            self.strike_the_oldest();
        }
        self.places.insert(place, self.entries.len());
        self.entries.push(entry);
        true
    }

    fn strike_the_oldest(&mut self) {
        let key = |index: &usize| (self.entries[*index].link.is_some(), self.entries[*index].heard);
        let oldest = (0..self.entries.len()).min_by_key(key);
        oldest.into_iter().for_each(|index| self.strike(index));
    }

    fn strike(&mut self, index: usize) {
        let entry = self.entries.swap_remove(index);
        self.places.remove(&(entry.address.ip, entry.address.port));
        if let Some(moved) = self.entries.get(index) {
            self.places.insert((moved.address.ip, moved.address.port), index);
        }
    }

    /// A random choice of at most [`LIST_MAX`] that this viewer could dial. Looks at no more than a few times as many, so that
    /// the cost does not grow with the share.
    fn list_for(&mut self, id: PeerId, viewer: IpAddr) -> Vec<PeerAddress> {
        let looks = self.entries.len().min(4 * LIST_MAX);
        let mut indices: Vec<usize> = if looks == self.entries.len() {
            (0..looks).collect()
        } else {
            (0..looks).map(|_| self.chance.below(self.entries.len())).collect()
        };
        indices.sort_unstable();
        indices.dedup();
        self.chance.shuffle(&mut indices);
        let seen = indices.into_iter().map(|index| self.entries[index].address);
        let others = seen.filter(|address| address.id != id);
        others.filter_map(|address| self.seen_by(address, viewer)).take(LIST_MAX).collect()
    }

    fn news_of(&mut self, place: (IpAddr, u16), newcomer: LinkId) -> Vec<(LinkId, PeerAddress)> {
        let Some(address) = self.places.get(&place).map(|index| self.entries[*index].address) else {
            return Vec::new();
        };
        let mut audience: Vec<LinkId> =
            self.members.keys().copied().filter(|link| *link != newcomer).collect();
        if audience.len() > LIST_MAX {
            self.chance.shuffle(&mut audience);
            audience.truncate(NEWS_MAX);
        }
        let mut news = Vec::new();
        for link in audience {
            let Some(member) = self.members.get(&link).filter(|member| member.id != address.id) else {
                continue;
            };
            if let Some(address) = self.seen_by(address, member.place.0) {
                news.push((link, address));
            }
        }
        for (link, _) in &news {
            self.members.entry(*link).and_modify(|member| member.told += 1);
        }
        news
    }

    /// The address as it means something to a viewer: of the same or a narrower scope, or on our own machine at its host.
    fn seen_by(&self, address: PeerAddress, viewer: IpAddr) -> Option<PeerAddress> {
        if Scope::of(address.ip).is_known_to(Scope::of(viewer)) {
            return Some(address);
        }
        let is_here = Scope::of(address.ip) == Scope::Loopback;
        let reaches = |host: &&IpAddr| {
            Scope::of(**host).is_known_to(Scope::of(viewer)) && host.is_ipv4() == viewer.is_ipv4()
        };
        let host = self.own_hosts.iter().find(reaches).filter(|_| is_here)?;
        Some(PeerAddress { ip: *host, ..address })
    }
}

#[cfg(test)]
mod tests;
