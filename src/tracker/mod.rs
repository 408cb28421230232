//! The register of one share: who is in it, heard when, at which address, and whom to tell.
//!
//! Knows no blocks. What it keeps sits behind these few calls, so that another keeper could stand in its place.

mod pace;
mod roll;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::chance::Chance;
use crate::ids::{LinkId, PeerId};
use crate::scope::{Scope, host};
use crate::time::Moment;
use crate::wire::PeerAddress;

use pace::{Pace, Paced};
use roll::Roll;

/// Addresses kept of one share; the one not heard for longest gives way.
pub const ENTRIES_MAX: usize = 131_072;
/// Of them, on one public address: lists are not for who says to be everywhere on one machine.
const PLACES_PER_HOST_MAX: usize = 64;
/// Addresses in one list, and members told of one newcomer (`wire.md`).
pub const LIST_MAX: usize = 200;
/// In a crowd a list has only so many: enough to go on from, where each of them tells of others...
const LIST_MIN: usize = 20;
/// ...once the lists of late had as many in all as those of 200 that come at once, beside so many a second. Full lists for 5,000 that come at once keep a
/// seed of 50 Mbit/s from its share for fifteen seconds.
const LISTED: Pace = Pace { at_once: 20_480, per_second: 4_096 };
/// Beyond [`LIST_MAX`] members, so many are told of a newcomer (`wire.md`).
const NEWS_MAX: usize = 50;
/// In a crowd they are told a little later: of 5,000 that come at once, who all got a list, that is 27 MB.
const TOLD: Pace = Pace { at_once: 8_192, per_second: 512 };
/// Newcomers who are still news; beyond, the first of them is found by lists and other peers alone.
const UNTOLD_MAX: usize = 8_192;
/// A peer that went without a word is kept so long: its other links may well live.
pub const TIME_TO_LIVE: Duration = Duration::from_secs(120);
/// How often members who know few are told again (`wire.md`).
pub const RELIST: Duration = Duration::from_secs(60);
/// Told of fewer than these, a member may well have few links.
const FEW: usize = LIST_MIN;

/// Somebody who can be dialled.
#[derive(Clone, Copy, Debug)]
struct Entry {
    address: PeerAddress,
    heard: Moment,
    link: Option<LinkId>,
}

impl Entry {
    fn place(&self) -> (IpAddr, u16) {
        (self.address.ip, self.address.port)
    }

    fn age(&self) -> Age {
        (self.link.is_some(), self.heard, self.place())
    }
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

/// The register. Nothing it does for one registration or list grows with the share.
///
/// Invariant: `ages` has each entry once, who is gone before who is linked, each by when it was heard.
#[derive(Debug)]
pub struct Register {
    own_hosts: Vec<IpAddr>,
    entries: Roll<(IpAddr, u16), Entry>,
    ages: BTreeSet<Age>,
    /// How many entries each address has.
    hosts: BTreeMap<IpAddr, usize>,
    members: Roll<LinkId, Member>,
    relist: Moment,
    listed: Paced,
    told: Paced,
    /// Who came in a crowd and is still news, the first one first; some may be gone. At most [`UNTOLD_MAX`].
    untold: VecDeque<LinkId>,
    chance: Chance,
}

/// Whether it is linked, when it was heard, and where it is dialled.
type Age = (bool, Moment, (IpAddr, u16));

impl Register {
    /// Nobody in it. Peers on this machine, seen from loopback, are given out at `own_hosts`.
    pub fn new(own_hosts: Vec<IpAddr>, now: Moment, chance: Chance) -> Register {
        Register {
            own_hosts,
            entries: Roll::new(),
            ages: BTreeSet::new(),
            hosts: BTreeMap::new(),
            members: Roll::new(),
            relist: now.after(RELIST),
            listed: Paced::new(LISTED, now),
            told: Paced::new(TOLD, now),
            untold: VecDeque::new(),
            chance,
        }
    }

    /// Somebody registered: seen at `ip`, accepting at `port` (0 = nowhere).
    pub fn join(&mut self, now: Moment, link: LinkId, id: PeerId, ip: IpAddr, port: u16) -> Welcome {
        let list = self.list_for(id, ip, now);
        self.members.insert(link, Member { id, place: (ip, port), told: list.len() });
        let address = PeerAddress { id, ip, port };
        let is_news = port != 0 && self.enter(Entry { address, heard: now, link: Some(link) });
        let mut news = Vec::new();
        if is_news && self.are_few() {
            news = self.news_of(address, link, LIST_MAX);
        } else if is_news {
            self.untold.push_back(link);
            if self.untold.len() > UNTOLD_MAX {
                self.untold.pop_front();
            }
            news = self.tell(now);
        }
        Welcome { list, news }
    }

    /// Who is told of newcomers now: of the latest at once, but in a crowd only so many a second.
    pub fn tell(&mut self, now: Moment) -> Vec<(LinkId, PeerAddress)> {
        let mut news = Vec::new();
        while let Some(newcomer) = self.untold.front().copied().filter(|_| self.told.left(now) >= NEWS_MAX) {
            self.untold.pop_front();
            let place = self.members.get(newcomer).map(|member| member.place);
            let entry =
                place.and_then(|place| self.entries.get(place)).filter(|entry| entry.link == Some(newcomer));
            if let Some(address) = entry.map(|entry| entry.address) {
                let told = self.news_of(address, newcomer, NEWS_MAX);
                self.told.spend(now, told.len());
                news.extend(told);
            }
        }
        news
    }

    /// A link is gone. A peer that said goodbye is forgotten, another stays for a while.
    pub fn leave(&mut self, now: Moment, link: LinkId, said_goodbye: bool) {
        let Some(member) = self.members.remove(link) else { return };
        let Some(entry) = self.entries.get(member.place).copied().filter(|entry| entry.link == Some(link))
        else {
            return;
        };
        if said_goodbye {
            self.strike(member.place);
        } else {
            self.enter(Entry { heard: now, link: None, ..entry });
        }
    }

    /// Forgets who is gone for too long; once a minute, lists for members who were told of few.
    pub fn tick(&mut self, now: Moment) -> Vec<(LinkId, Vec<PeerAddress>)> {
        if now < self.relist {
            return Vec::new();
        }
        self.relist = now.after(RELIST);
        while let Some((false, heard, place)) = self.ages.first().copied()
            && now.since(heard) >= TIME_TO_LIVE
        {
            self.strike(place);
        }
        let few = self.members.iter().filter(|(_, member)| member.told < FEW);
        let mut few: Vec<(LinkId, Member)> = few.map(|(link, member)| (link, *member)).collect();
        few.sort_unstable_by_key(|(link, _)| *link);
        let mut lists = Vec::new();
        for (link, member) in few {
            let list = self.list_for(member.id, member.place.0, now);
            if let Some(member) = self.members.get_mut(link) {
                member.told = member.told.max(list.len());
            }
            lists.push((link, list));
        }
        lists.retain(|(_, list)| !list.is_empty());
        lists
    }

    /// When [`Register::tick`] or [`Register::tell`] is due.
    pub fn deadline(&self) -> Moment {
        let tell = self.untold.front().map(|_| self.told.when(NEWS_MAX));
        tell.map_or(self.relist, |tell| tell.min(self.relist))
    }

    /// Who could be dialled.
    pub fn entry_count(&self) -> usize {
        self.entries.len()
    }

    /// Adds an entry or renews it. True if its place was not known.
    fn enter(&mut self, entry: Entry) -> bool {
        let place = entry.place();
        if self.entries.get(place).is_none() && !self.has_place_at(place.0) {
            return false;
        }
        let known = self.entries.insert(place, entry);
        if let Some(known) = known {
            self.ages.remove(&known.age());
        } else {
            *self.hosts.entry(host(place.0)).or_default() += 1;
        }
        self.ages.insert(entry.age());
        if self.entries.len() > ENTRIES_MAX
            && let Some((.., oldest)) = self.ages.iter().find(|(.., other)| *other != place).copied()
        {
            self.strike(oldest);
        }
        known.is_none()
    }

    fn strike(&mut self, place: (IpAddr, u16)) {
        if let Some(entry) = self.entries.remove(place) {
            self.ages.remove(&entry.age());
            self.leave_host(place.0);
        }
    }

    /// Whether one more place may be kept on this address.
    fn has_place_at(&self, ip: IpAddr) -> bool {
        let count = self.hosts.get(&host(ip)).copied().unwrap_or(0);
        Scope::of(ip) != Scope::Global || count < PLACES_PER_HOST_MAX
    }

    fn leave_host(&mut self, ip: IpAddr) {
        let Some(count) = self.hosts.get_mut(&host(ip)) else { return };
        *count -= 1;
        if *count == 0 {
            self.hosts.remove(&host(ip));
        }
    }

    /// A random choice of at most [`LIST_MAX`] that this viewer could dial.
    fn list_for(&mut self, id: PeerId, viewer: IpAddr, now: Moment) -> Vec<PeerAddress> {
        let list_max = self.listed.left(now).clamp(LIST_MIN, LIST_MAX);
        let list = self.entries.some(list_max, &mut self.chance, |_, entry| {
            let address = Some(entry.address).filter(|address| address.id != id)?;
            seen_by(&self.own_hosts, address, viewer)
        });
        self.listed.spend(now, list.len());
        list
    }

    /// Whether all members are told of each newcomer.
    fn are_few(&self) -> bool {
        self.members.len() <= LIST_MAX + 1
    }

    /// Whom to tell of a newcomer, at most so many, by chance.
    fn news_of(&mut self, address: PeerAddress, newcomer: LinkId, most: usize) -> Vec<(LinkId, PeerAddress)> {
        let news = self.members.some(most, &mut self.chance, |link, member| {
            let is_other = link != newcomer && member.id != address.id;
            let seen = seen_by(&self.own_hosts, address, member.place.0).filter(|_| is_other)?;
            Some((link, seen))
        });
        for (link, _) in &news {
            self.members.get_mut(*link).into_iter().for_each(|member| member.told += 1);
        }
        news
    }

    /// Asserts the invariants; for tests and simulations.
    pub fn check(&self) {
        self.entries.check();
        self.members.check();
        let ages: BTreeSet<Age> = self.entries.iter().map(|(_, entry)| entry.age()).collect();
        assert_eq!(ages, self.ages);
        assert_eq!(self.hosts.values().sum::<usize>(), self.entries.len());
        assert!(self.entries.iter().all(|(place, entry)| place == entry.place()));
    }
}

/// An address as it means something to a viewer: of the same or a narrower scope, or on our own machine at its host.
fn seen_by(own_hosts: &[IpAddr], address: PeerAddress, viewer: IpAddr) -> Option<PeerAddress> {
    if Scope::of(address.ip).is_known_to(Scope::of(viewer)) {
        return Some(address);
    }
    let is_here = Scope::of(address.ip) == Scope::Loopback;
    let reaches = |host: &&IpAddr| {
        Scope::of(**host).is_known_to(Scope::of(viewer)) && host.is_ipv4() == viewer.is_ipv4()
    };
    let host = own_hosts.iter().find(reaches).filter(|_| is_here)?;
    Some(PeerAddress { ip: *host, ..address })
}

#[cfg(test)]
mod tests;
