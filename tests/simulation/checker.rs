//! Watches every event and every action of every core and fails at the first that may not be. Its books are its own:
//! nothing here asks the core what it believes.

mod link;
mod pace;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use minibit::content::PieceSet;
use minibit::ids::{Endpoint, LinkId, PeerId, ShareId};
use minibit::seam::{Action, Event, News, Payload};
use minibit::time::Moment;
use minibit::wire::{ErrorCode, Message, NackReason};

use crate::disk::Disk;
use crate::queue::{Micros, SECOND, Seat};
use crate::truth::Truth;
use link::{LinkBook, range};
use pace::Pace;

/// Tit for tat serves four, and one by chance.
const UNCHOKED_MAX: usize = 5;
/// Who has nobody to repay serves eight, and one by chance.
const SEED_UNCHOKED_MAX: usize = 9;
/// Deadlines that one core may set in a row for one and the same moment.
const SPINS_MAX: u32 = 20;
/// Deadlines that one core may set in one second.
const WAKES_MAX: u32 = 1_000;

/// What one machine has of one share.
#[derive(Clone, Debug)]
struct Stock {
    held: BTreeSet<u32>,
    wanted: BTreeSet<u32>,
}

impl Stock {
    fn is_complete(&self) -> bool {
        self.wanted.is_subset(&self.held)
    }
}

/// What the checker knows of one machine in its present life.
#[derive(Debug, Default)]
pub struct Book {
    is_hostile: bool,
    is_script: bool,
    ids: Vec<PeerId>,
    pace: Pace,
    stocks: BTreeMap<ShareId, Stock>,
    /// Shares whose disk takes nothing.
    halted: BTreeSet<ShareId>,
    links: BTreeMap<LinkId, LinkBook>,
    limit_up: Option<u64>,
    started: Micros,
    limited_bytes: u64,
    /// Whether somebody more is served, or fewer may be.
    is_to_count: bool,
    wakes: (Micros, u32),
    spins: (Micros, u32),
    /// Whether something that it sent was not so when it arrived, in any of its lives.
    pub has_sent_false: bool,
    /// Whether its shell said that content is lost, in this life.
    pub has_lost: bool,
    /// Payload bytes asked for in all its lives.
    pub asked_bytes: u64,
    /// What it did of its own accord in all its lives: dials and heartbeats.
    pub rounds: u64,
    /// Payload bytes sent in all its lives.
    pub sent_bytes: u64,
    /// Whom it banned, in all its lives.
    pub banned: BTreeSet<PeerId>,
    /// The shortest span from our interest to the other's unchoke.
    pub first_unchoke_span: Option<Micros>,
    /// Blocks written in all its lives.
    pub written_blocks: u64,
    /// NACKs received, by reason.
    pub nacks: u64,
    /// Whom it dialled, and when.
    pub dials: Vec<(Micros, Endpoint)>,
    /// What it told the person of trouble, and when.
    pub troubles: Vec<(Micros, String)>,
}

/// The books of all machines.
#[derive(Debug, Default)]
pub struct Checker {
    books: Vec<Book>,
    hostile_ids: BTreeSet<PeerId>,
    honest_ids: BTreeSet<PeerId>,
    /// Who sent something false, hostile or not: a line or a disk may have changed it.
    false_ids: BTreeSet<PeerId>,
    /// Where nobody honest is.
    hostile_hosts: BTreeSet<IpAddr>,
    /// Whether the goal is `last-peer`: tit for tat's slots do not bind.
    pub is_last_peer: bool,
}

fn is_of_a_round(action: &Action) -> bool {
    matches!(action, Action::Dial { .. } | Action::Send { message: Message::Heartbeat, .. })
}

fn numbers(set: &PieceSet) -> BTreeSet<u32> {
    set.iter().map(minibit::content::PieceIndex::get).collect()
}

impl Checker {
    /// One machine more.
    pub fn join(&mut self, is_hostile: bool, limit_up: Option<u64>) {
        self.books.push(Book { is_hostile, limit_up, ..Book::default() });
    }

    /// A machine begins a life.
    pub fn begin(&mut self, machine: usize, id: PeerId, now: Micros) {
        let book = &mut self.books[machine];
        (book.started, book.limited_bytes, book.has_lost) = (now, 0, false);
        (book.ids, book.pace) = (book.ids.iter().copied().chain([id]).collect(), Pace::default());
        book.stocks.clear();
        book.halted.clear();
        book.links.clear();
        if book.is_hostile {
            self.hostile_ids.insert(id);
        } else {
            self.honest_ids.insert(id);
        }
    }

    /// A machine is a script: it is bound to nothing, may take any id, and nobody else is at this address.
    pub fn is_script(&mut self, machine: usize, host: IpAddr) {
        self.books[machine].is_script = true;
        self.is_hostile_host(host);
    }

    /// Nobody honest is at this address.
    pub fn is_hostile_host(&mut self, host: IpAddr) {
        self.hostile_hosts.insert(host);
    }

    /// A share begins, or was prepared, with this.
    pub fn stocked(&mut self, machine: usize, share: ShareId, held: &PieceSet, wanted: &PieceSet) {
        let stock = Stock { held: numbers(held), wanted: numbers(wanted) };
        self.books[machine].stocks.insert(share, stock);
    }

    /// A connection stands with `peer`.
    pub fn connected(&mut self, machine: usize, link: LinkId, peer: usize) {
        let is_script = self.books[peer].is_script;
        self.books[machine].links.insert(link, LinkBook::new(peer, is_script));
    }

    /// What that life of a machine sent was not so when it arrived.
    pub fn sent_false(&mut self, sender: Seat) {
        let book = &mut self.books[sender.machine];
        book.has_sent_false = true;
        self.false_ids.insert(book.ids[sender.life as usize - 1]);
    }

    /// The share that a machine spoke of on this link.
    pub fn share_of(&self, machine: usize, link: LinkId) -> Option<ShareId> {
        self.books[machine].links.get(&link)?.share
    }

    /// What a machine's clock shows, which its paces are measured by.
    pub fn shows(&mut self, machine: usize, moment: Moment) {
        let book = &mut self.books[machine];
        if book.pace.shows(moment) {
            book.links.values_mut().for_each(LinkBook::jumped_back);
        }
    }

    /// Harm came to this link that may be taken for its peer's fault.
    fn excuse(&mut self, machine: usize, link: LinkId) {
        if let Some(book) = self.books[machine].links.get_mut(&link) {
            book.is_excused = true;
        }
    }

    /// The book of a machine.
    pub fn book(&self, machine: usize) -> &Book {
        &self.books[machine]
    }

    /// Whether everything wanted is held and there is a share at all.
    pub fn is_complete(&self, machine: usize) -> bool {
        let stocks = &self.books[machine].stocks;
        !stocks.is_empty() && stocks.values().all(Stock::is_complete)
    }

    /// What a machine holds of a share, for certain.
    pub fn held(&self, machine: usize, share: ShareId) -> BTreeSet<u32> {
        self.books[machine].stocks.get(&share).map(|stock| stock.held.clone()).unwrap_or_default()
    }

    /// Before the core sees it.
    pub fn event(&mut self, machine: usize, now: Micros, event: &Event) {
        let book = &mut self.books[machine];
        match event {
            Event::Closed { link } => {
                assert!(
                    book.links.remove(link).is_some(),
                    "the world closed {link:?} of machine {machine} twice"
                );
            }
            Event::Received { link, message, .. } => {
                let known = book.links.get_mut(link).expect("the world speaks on open links only");
                if let (Message::Unchoke, Some(asked)) = (message, known.interested_at) {
                    let span = now - asked;
                    book.first_unchoke_span = Some(book.first_unchoke_span.map_or(span, |old| old.min(span)));
                }
                book.nacks += u64::from(matches!(message, Message::Nack { .. }));
                known.heard(message);
            }
            Event::Violated { link, .. } => self.excuse(machine, *link),
            Event::Served { link, block, sent: false } => {
                let known = book.links.get_mut(link).expect("the world speaks on open links only");
                known.owe_again(range(*block));
            }
            Event::Prepared { share, held, wanted, .. } => self.stocked(machine, *share, held, wanted),
            Event::Lost { share, pieces } => {
                let stock = book.stocks.get_mut(share).expect("only what is there can be lost");
                book.has_lost = true;
                for piece in pieces.iter().filter(|piece| stock.held.remove(&piece.get())) {
                    stock.wanted.remove(&piece.get());
                }
            }
            Event::Spoiled { share, pieces } => {
                let stock = book.stocks.get_mut(share).expect("only what is there can be spoiled");
                stock.held.retain(|held| pieces.iter().all(|piece| piece.get() != *held));
                book.is_to_count = true;
            }
            Event::Halted { share } => {
                book.halted.insert(*share);
            }
            Event::Resumed { share } => {
                book.halted.remove(share);
            }
            Event::Connected { link, .. } => {
                let shown = book.pace.shown();
                book.links.get_mut(link).expect("the world made it").connected(shown);
            }
            Event::DeadlineReached => book.woke(machine, now),
            _ => {}
        }
    }

    /// An action of a core, in the order they were given; `hand` is what the event carried.
    pub fn action(&mut self, machine: usize, now: Micros, action: &Action, hand: &Payload) {
        self.books[machine].rounds += u64::from(is_of_a_round(action));
        match action {
            Action::Send { link, message } => self.said(machine, now, *link, message),
            Action::SendMetainfo { link, .. } | Action::SendLeaves { link, .. } => {
                self.open_link(machine, *link).may_speak(machine);
            }
            Action::SendBlock { link, share, block } => {
                let piece = block.piece.get();
                let is_held = self.holds(machine, *share, piece);
                assert!(is_held, "machine {machine} serves piece {piece}, which it has not kept");
                self.open_link(machine, *link).serve(machine, range(*block));
                self.books[machine].spend(machine, now, u64::from(block.length));
            }
            Action::Close { link, farewell } => {
                if let Some(farewell) = farewell {
                    self.said(machine, now, *link, farewell);
                }
                self.open_link(machine, *link).close(machine);
            }
            Action::Write { block, .. } => {
                let Payload::Digests(leaves) = hand else {
                    panic!("machine {machine} writes with empty hands")
                };
                assert_eq!(
                    leaves.len(),
                    block.leaves().len(),
                    "machine {machine} writes what it was not given"
                );
                self.books[machine].written_blocks += 1;
            }
            Action::Tell(News::Banned { id, reason, address, .. }) => {
                let is_known = self.hostile_ids.contains(id) && !self.honest_ids.contains(id);
                let is_hostile =
                    is_known || self.false_ids.contains(id) || self.hostile_hosts.contains(&address.ip());
                assert!(is_hostile, "machine {machine} bans {id}, an honest peer, because it {reason}");
                self.books[machine].banned.insert(*id);
            }
            Action::Tell(News::Trouble { text, .. }) => {
                self.books[machine].troubles.push((now, text.clone()));
            }
            Action::Dial { share, endpoint } => {
                self.books[machine].pace.dial(machine, *share, endpoint);
                self.books[machine].dials.push((now, endpoint.clone()));
            }
            Action::Prepare { .. } | Action::Keep { .. } | Action::Remember { .. } | Action::Tell(_) => {}
        }
    }

    /// A piece is kept: what was ordered to be written must be true, every byte, and not have been held before.
    pub fn keep(&mut self, machine: usize, truth: &Truth, piece: u32, disk: &Disk) {
        let is_true = disk.was_ordered_true(truth, piece as usize);
        assert!(is_true, "machine {machine} keeps piece {piece}, whose bytes are not the true ones");
        let stock = self.books[machine].stocks.get_mut(&truth.share()).expect("kept only after Prepared");
        assert!(stock.held.insert(piece), "machine {machine} keeps piece {piece} twice");
    }

    /// After all actions of one event.
    pub fn step(&mut self, machine: usize) {
        if std::mem::take(&mut self.books[machine].is_to_count) {
            self.count_unchoked(machine);
        }
    }

    fn count_unchoked(&self, machine: usize) {
        let book = &self.books[machine];
        let mut unchoked: BTreeMap<ShareId, usize> = BTreeMap::new();
        for link in book.links.values().filter(|link| link.is_unchoking()) {
            *unchoked.entry(link.share.expect("unchoked after REGISTRO")).or_default() += 1;
        }
        for (share, count) in unchoked {
            let is_seed = || book.stocks.get(&share).is_some_and(Stock::is_complete);
            let is_right = count <= UNCHOKED_MAX || (count <= SEED_UNCHOKED_MAX && is_seed());
            assert!(self.is_last_peer || is_right, "machine {machine} unchokes {count} at once");
        }
    }

    /// When all is quiet: one link for each pair, none to oneself, nothing asked and unanswered.
    pub fn at_rest(&self, machine: usize) {
        let book = &self.books[machine];
        let mut met = BTreeSet::new();
        for (number, link) in book.links.iter().filter(|(_, link)| !link.is_closing()) {
            assert_ne!(link.peer, machine, "machine {machine} keeps {number:?} to itself");
            let pair = (link.peer, link.share);
            assert!(
                link.is_script || met.insert(pair),
                "machine {machine} keeps two links with machine {}",
                link.peer
            );
            link.assert_quiet(machine);
        }
    }

    /// Whether a machine banned an honest one, whose words a line or a disk had changed.
    pub fn has_banned_the_honest(&self, machine: usize) -> bool {
        self.books[machine].banned.iter().any(|id| !self.hostile_ids.contains(id))
    }

    /// Whom a machine has an open link with.
    pub fn linked(&self, machine: usize) -> BTreeSet<usize> {
        let open = self.books[machine].links.values().filter(|link| !link.is_closing());
        open.map(|link| link.peer).collect()
    }

    /// Whom a machine serves: at the other end of each link that it unchokes.
    pub fn served(&self, machine: usize) -> Vec<usize> {
        let links = self.books[machine].links.values();
        links.filter(|link| link.is_unchoking()).map(|link| link.peer).collect()
    }

    fn holds(&self, machine: usize, share: ShareId, piece: u32) -> bool {
        self.books[machine].stocks.get(&share).is_some_and(|stock| stock.held.contains(&piece))
    }

    fn open_link(&mut self, machine: usize, link: LinkId) -> &mut LinkBook {
        let known = self.books[machine].links.get_mut(&link);
        known.unwrap_or_else(|| panic!("machine {machine} speaks on {link:?}, which is gone or never was"))
    }

    fn said(&mut self, machine: usize, now: Micros, link: LinkId, message: &Message) {
        assert_eq!(message.payload_bytes(), 0, "machine {machine} sends {message:?} without its payload");
        let shown = self.books[machine].pace.shown();
        self.open_link(machine, link).say(machine, (now, shown), message);
        match message {
            Message::Request { length, .. } => self.books[machine].ask(machine, link, *length),
            Message::Unchoke => self.books[machine].is_to_count = true,
            _ => {}
        }
        let book = &self.books[machine].links[&link];
        match message {
            Message::Stock { all, more } => {
                let share = book.share.expect("ESTOQUE after REGISTRO");
                let runs = all.iter().chain(more).flatten();
                let lie = runs.flat_map(|run| run[0]..=run[1]).find(|&piece| {
                    !u32::try_from(piece).is_ok_and(|piece| self.holds(machine, share, piece))
                });
                assert_eq!(lie, None, "machine {machine} announces a piece it has not kept");
            }
            Message::Error { code: ErrorCode::Protocol | ErrorCode::Banned, text } => {
                let peer = &self.books[book.peer];
                let is_fair = book.is_excused
                    || peer.is_hostile
                    || peer.has_sent_false
                    || book.was_late(self.books[machine].pace.shown());
                assert!(is_fair, "machine {machine} blames honest machine {}: {text}", book.peer);
            }
            Message::Nack { piece, reason: NackReason::Absent, .. } => {
                let share = book.share.expect("NACK after REGISTRO");
                let is_absent = !u32::try_from(*piece).is_ok_and(|piece| self.holds(machine, share, piece));
                assert!(is_absent, "machine {machine} denies piece {piece}, which it holds");
            }
            _ => {}
        }
    }
}

impl Book {
    fn ask(&mut self, machine: usize, link: LinkId, bytes: u64) {
        let is_halted = self.links[&link].share.is_some_and(|share| self.halted.contains(&share));
        assert!(!is_halted, "machine {machine} asks for bytes that its disk would refuse");
        self.asked_bytes += bytes;
    }

    fn woke(&mut self, machine: usize, now: Micros) {
        let count = |(at, count): (Micros, u32), new: Micros| (new, if at == new { count + 1 } else { 1 });
        self.wakes = count(self.wakes, now / SECOND);
        self.spins = count(self.spins, now);
        assert!(self.wakes.1 <= WAKES_MAX, "machine {machine} wakes more than {WAKES_MAX} times in a second");
        assert!(self.spins.1 <= SPINS_MAX, "machine {machine} sets a deadline that never moves on");
    }

    fn spend(&mut self, machine: usize, now: Micros, bytes: u64) {
        self.sent_bytes += bytes;
        self.limited_bytes += bytes;
        if let Some(limit) = self.limit_up {
            // Its clock may run fast by a twentieth.
            let most = limit * ((now - self.started) * 21 / 20 / SECOND + 3) + 1024 * 1024;
            assert!(self.limited_bytes <= most, "machine {machine} sends more than its limit of {limit} B/s");
        }
    }
}
