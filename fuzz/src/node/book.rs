//! One link as the checker keeps it: what was said and heard on it, what is asked and what is owed.

use std::collections::{BTreeMap, BTreeSet};

use minibit::wire::Message;

use super::input::Range;

/// Our requests of one peer, and its with us (`wire.md`).
const ASKED_MAX: usize = 500;
const OWED_MAX: usize = 2_000;
/// Blocks of one peer that the shell may have in hand, in bytes.
const SERVING_BYTES_MAX: u64 = 3 * 1024 * 1024;

/// One link.
#[derive(Default)]
pub struct Book {
    pub is_dialled: bool,
    /// We said our last word.
    pub is_closing: bool,
    /// Both said who they are.
    pub is_greeted: bool,
    pub has_heard: bool,
    has_registered: bool,
    is_unchoked: bool,
    is_unchoking: bool,
    /// The other's pieces, by what it said.
    stock: BTreeSet<u64>,
    asked: BTreeMap<Range, usize>,
    owed: BTreeMap<Range, usize>,
    /// Blocks that the shell was told to send and has not reported.
    serving_bytes: u64,
}

impl Book {
    /// Nothing was said yet.
    pub fn new(is_dialled: bool) -> Book {
        Book { is_dialled, ..Book::default() }
    }

    /// The first range of ours that is not answered.
    pub fn asked(&self) -> Option<Range> {
        self.asked.keys().next().copied()
    }

    /// The other side says this; it may say anything.
    pub fn hear(&mut self, message: &Message) {
        self.has_heard = true;
        match message {
            Message::Unchoke => self.is_unchoked = true,
            Message::Choke => self.is_unchoked = false,
            Message::Stock { all, more } => self.hear_stock(all.as_deref(), more.as_deref()),
            Message::Request { piece, start, length } => {
                *self.owed.entry((*piece, *start, *length)).or_default() += 1;
            }
            Message::Block { piece, start, length } => {
                take(&mut self.asked, (*piece, *start, (*length).into()))
            }
            Message::Nack { piece, start, length, .. } => take(&mut self.asked, (*piece, *start, *length)),
            _ => {}
        }
    }

    /// Claims beyond the share end the link once the share is known: here only the small ones matter.
    fn hear_stock(&mut self, all: Option<&[[u64; 2]]>, more: Option<&[[u64; 2]]>) {
        if all.is_some() {
            self.stock.clear();
        }
        let runs = all.iter().chain(&more).copied().flatten();
        runs.for_each(|[first, last]| self.stock.extend(*first..=(*last).min(*first + 64)));
    }

    /// Our side says this.
    pub fn say(&mut self, message: &Message) {
        assert!(!self.is_closing, "it says {message:?} after its last word");
        assert_eq!(message.payload_bytes(), 0, "it sends {message:?} without a payload");
        match message {
            Message::Register { .. } => {
                assert!(!self.has_registered, "a second REGISTRO");
                self.has_registered = true;
            }
            Message::Error { .. } => {}
            _ => assert!(self.has_registered, "it says {message:?} before its REGISTRO"),
        }
        match message {
            Message::Unchoke => self.is_unchoking = true,
            Message::Choke => self.is_unchoking = false,
            Message::Request { piece, start, length } => self.ask((*piece, *start, *length)),
            Message::Nack { piece, start, length, .. } => self.answer((*piece, *start, *length)),
            _ => {}
        }
    }

    fn ask(&mut self, range: Range) {
        assert!(self.is_unchoked, "it asks for {range:?} while it is choked");
        assert!(self.stock.contains(&range.0), "it asks for {range:?}, of which the other never spoke");
        let asked = self.asked.entry(range).or_default();
        *asked += 1;
        assert_eq!(*asked, 1, "it asks for {range:?} twice at once");
        assert!(self.asked.len() <= ASKED_MAX, "it has {} requests with one peer", self.asked.len());
    }

    fn answer(&mut self, range: Range) {
        let owed = self.owed.get_mut(&range).filter(|owed| **owed > 0);
        *owed.unwrap_or_else(|| panic!("it answers {range:?}, for which nobody asked")) -= 1;
    }

    /// Our side sends a block.
    pub fn serve(&mut self, range: Range) {
        assert!(self.is_unchoking && !self.is_closing, "it serves {range:?} to a peer that it chokes");
        self.answer(range);
        self.serving_bytes += range.2;
        assert!(self.serving_bytes <= SERVING_BYTES_MAX, "{} bytes in the shell's hand", self.serving_bytes);
    }

    /// The shell sent it, or could not and the answer is still owed.
    pub fn served(&mut self, range: Range, sent: bool) {
        self.serving_bytes -= range.2;
        if !sent {
            *self.owed.entry(range).or_default() += 1;
        }
    }

    /// After each event.
    pub fn check(&self) {
        let owed: usize = self.owed.values().sum();
        assert!(self.is_closing || owed <= OWED_MAX, "{owed} requests wait");
    }
}

fn take(ranges: &mut BTreeMap<Range, usize>, range: Range) {
    if let Some(count) = ranges.get_mut(&range) {
        *count -= 1;
        if *count == 0 {
            ranges.remove(&range);
        }
    }
}
