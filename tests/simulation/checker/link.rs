//! One end of one link as the checker keeps it: what was said, what is asked and what is owed.

use std::collections::BTreeMap;

use minibit::content::Block;
use minibit::ids::ShareId;
use minibit::wire::{Message, Role};

use crate::queue::{MINUTE, Micros, SECOND};

/// Requests of ours with one peer (wire.md).
const ASKED_MAX: u32 = 500;

/// A handshake may take so long (wire.md).
const HANDSHAKE: Micros = 10 * SECOND;
/// Something is said after such a silence (wire.md).
const HEARTBEAT: Micros = 5 * SECOND;

/// Piece, first byte, bytes.
pub type Range = (u64, u64, u64);

/// A block as the wire numbers it.
pub fn range(block: Block) -> Range {
    (u64::from(block.piece.get()), u64::from(block.start), u64::from(block.length))
}

/// The checker's book of one end of one link.
#[derive(Debug)]
pub struct LinkBook {
    /// The machine at the other end.
    pub peer: usize,
    /// Which is bound to nothing.
    pub is_script: bool,
    /// What our REGISTRO was for.
    pub share: Option<ShareId>,
    /// Harm came to it.
    pub is_excused: bool,
    /// When we last said that we are interested.
    pub interested_at: Option<Micros>,
    connected_shown: Micros,
    is_introduced: bool,
    beat_shown: Micros,
    lists: u64,
    said_count: u32,
    role: Option<Role>,
    is_stocked: bool,
    is_closing: bool,
    is_unchoking: bool,
    hears_interest: bool,
    is_unchoked: bool,
    stock: Vec<[u64; 2]>,
    asked: BTreeMap<Range, u32>,
    asked_count: u32,
    owed: BTreeMap<Range, u32>,
}

impl LinkBook {
    /// Nothing was said yet.
    pub fn new(peer: usize, is_script: bool) -> LinkBook {
        LinkBook {
            peer,
            is_script,
            share: None,
            is_excused: false,
            interested_at: None,
            connected_shown: 0,
            is_introduced: false,
            beat_shown: 0,
            lists: 0,
            said_count: 0,
            role: None,
            is_stocked: false,
            is_closing: false,
            is_unchoking: false,
            hears_interest: false,
            is_unchoked: false,
            stock: Vec::new(),
            asked: BTreeMap::new(),
            asked_count: 0,
            owed: BTreeMap::new(),
        }
    }

    /// Our side is told that it stands.
    pub fn connected(&mut self, shown: Micros) {
        (self.connected_shown, self.beat_shown) = (shown, shown);
    }

    /// Whether the other let our side wait for its REGISTRO for too long.
    pub fn was_late(&self, shown: Micros) -> bool {
        !self.is_introduced && shown >= self.connected_shown + HANDSHAKE
    }

    /// The clock jumped back: no pace can be told from what it showed before.
    pub fn jumped_back(&mut self) {
        (self.connected_shown, self.beat_shown) = (0, 0);
    }

    /// Whether our side serves the other.
    pub fn is_unchoking(&self) -> bool {
        self.is_unchoking && !self.is_closing
    }

    /// Whether our side said its last word.
    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// The last word.
    pub fn close(&mut self, machine: usize) {
        assert!(!self.is_closing, "machine {machine} closes a link twice");
        self.is_closing = true;
    }

    /// Nothing after the last word, nothing but an error before the first.
    pub fn may_speak(&mut self, machine: usize) {
        assert!(!self.is_closing, "machine {machine} speaks on a link that it closed");
        assert!(self.said_count > 0, "machine {machine} says something before its REGISTRO");
        self.said_count += 1;
    }

    fn order(&mut self, machine: usize, message: &Message) {
        match message {
            Message::Register { .. } => {
                assert_eq!(self.said_count, 0, "machine {machine} introduces itself late")
            }
            Message::Error { .. } | Message::Goodbye => self.said_count = self.said_count.max(1),
            _ => self.may_speak(machine),
        }
        assert!(!self.is_closing, "machine {machine} says {message:?} on a link that it closed");
        self.said_count = self.said_count.max(1);
        let is_last = matches!(message, Message::Error { .. } | Message::Goodbye);
        let is_list = matches!(message, Message::PeerList(_)) && self.role == Some(Role::Tracker);
        self.is_stocked |= matches!(message, Message::Stock { .. });
        let follows = self.is_stocked || is_last || (is_list && self.said_count == 2);
        assert!(follows || self.said_count == 1, "machine {machine} says {message:?} before its ESTOQUE");
    }

    /// Our side says this.
    pub fn say(&mut self, machine: usize, (now, shown): (Micros, Micros), message: &Message) {
        self.order(machine, message);
        self.keep_pace(machine, shown, message);
        match message {
            Message::Register { share, role, .. } => (self.share, self.role) = (Some(*share), Some(*role)),
            Message::Unchoke => {
                assert!(self.hears_interest, "machine {machine} unchokes one who is not interested");
                assert!(!self.is_unchoking, "machine {machine} unchokes the same peer twice");
                self.is_unchoking = true;
            }
            Message::Choke => self.is_unchoking = false,
            Message::Interested => self.interested_at = Some(now),
            Message::NotInterested => self.interested_at = None,
            Message::Request { piece, start, length } => self.ask(machine, (*piece, *start, *length)),
            Message::Nack { piece, start, length, .. } => self.answer(machine, (*piece, *start, *length)),
            _ => {}
        }
    }

    /// A heartbeat only when one is due, a list of peers about once a minute, beside the first.
    fn keep_pace(&mut self, machine: usize, shown: Micros, message: &Message) {
        match message {
            Message::Heartbeat => {
                let pause = shown.saturating_sub(std::mem::replace(&mut self.beat_shown, shown));
                assert!(pause >= HEARTBEAT, "machine {machine} says a heartbeat after {pause} microseconds");
            }
            Message::PeerList(_) => {
                self.lists += 1;
                let most = 2 + shown.saturating_sub(self.connected_shown) / MINUTE;
                assert!(
                    self.lists <= most,
                    "machine {machine} told {} lists of peers on one link",
                    self.lists
                );
            }
            _ => {}
        }
    }

    fn ask(&mut self, machine: usize, range: Range) {
        assert!(self.is_unchoked, "machine {machine} asks for {range:?} while choked");
        let has = |piece: u64| self.stock.iter().any(|run| run[0] <= piece && piece <= run[1]);
        assert!(
            has(range.0),
            "machine {machine} asks for piece {}, which the other never announced",
            range.0
        );
        *self.asked.entry(range).or_default() += 1;
        self.asked_count += 1;
        assert!(
            self.asked_count <= ASKED_MAX,
            "machine {machine} has {} requests with one peer",
            self.asked_count
        );
    }

    fn answer(&mut self, machine: usize, range: Range) {
        let owed = self.owed.get_mut(&range).filter(|owed| **owed > 0);
        let owed =
            owed.unwrap_or_else(|| panic!("machine {machine} answers {range:?}, which nobody asked for"));
        *owed -= 1;
    }

    /// Our side gives a block.
    pub fn serve(&mut self, machine: usize, range: Range) {
        self.may_speak(machine);
        assert!(self.is_unchoking, "machine {machine} serves a peer that it chokes");
        self.answer(machine, range);
    }

    /// The block could not be read: the answer is still owed.
    pub fn owe_again(&mut self, range: Range) {
        *self.owed.entry(range).or_default() += 1;
    }

    /// Our side hears this.
    pub fn heard(&mut self, message: &Message) {
        match message {
            Message::Register { .. } => self.is_introduced = true,
            Message::Interested => self.hears_interest = true,
            Message::NotInterested => self.hears_interest = false,
            Message::Unchoke => self.is_unchoked = true,
            Message::Choke => self.is_unchoked = false,
            Message::Stock { all, more } => {
                if let Some(all) = all {
                    self.stock.clone_from(all);
                }
                let is_new = |run: &&[u64; 2]| !self.stock.contains(run);
                let news: Vec<[u64; 2]> = more.iter().flatten().filter(is_new).copied().collect();
                self.stock.extend(news);
            }
            Message::Request { piece, start, length } => {
                *self.owed.entry((*piece, *start, *length)).or_default() += 1;
            }
            Message::Block { piece, start, length } => self.settle((*piece, *start, u64::from(*length))),
            Message::Nack { piece, start, length, .. } => self.settle((*piece, *start, *length)),
            _ => {}
        }
    }

    fn settle(&mut self, range: Range) {
        let asked = self.asked.get_mut(&range).filter(|asked| **asked > 0);
        if asked.is_none() && self.is_script {
            return;
        }
        *asked.unwrap_or_else(|| panic!("{range:?} was answered, but never asked for")) -= 1;
        self.asked_count -= 1;
    }

    /// Nothing is under way on it.
    pub fn assert_quiet(&self, machine: usize) {
        let owed = self.owed.iter().find(|(_, count)| **count > 0);
        assert_eq!(owed, None, "machine {machine} never answered this request of machine {}", self.peer);
        let asked = self.asked.iter().find(|(_, count)| **count > 0);
        assert!(
            self.is_script || asked.is_none(),
            "machine {machine} never got an answer from machine {}",
            self.peer
        );
    }
}
