//! The core on a stage: performs its actions as a shell would, and fails at the first that may not be.

use std::collections::{BTreeMap, BTreeSet};

use minibit::content::{Block, PieceIndex, PieceSet};
use minibit::ids::{Digest, Endpoint, LinkId, ShareId};
use minibit::node::{GUESTS_MAX, Node, STRANGERS_MAX};
use minibit::seam::{Action, Event, Payload};
use minibit::swarm::LINKS_MAX;
use minibit::time::Moment;
use minibit::wire::{LINE_BYTES_MAX, Message, encode};

use super::book::Book;
use super::input::Range;
use super::truth::TRUTH;

/// Dials of one share at once, beside those that the person named.
const DIALS_MAX: usize = 32;
const PINNED_MAX: usize = 3;
/// What one event may lead to: something for each link, a full pipe of requests for each, and a little.
const ACTIONS_MAX: usize = 64;
const ACTIONS_A_LINK_MAX: usize = 600;
/// Deadlines in a row for one and the same moment.
const SPINS_MAX: u32 = 20;

/// What the core was told to be, what it does, and what is still to be done for it.
pub struct Stage {
    pub node: Node,
    pub now: Moment,
    pub links: BTreeMap<LinkId, Book>,
    /// Where the shell was told to dial and has not.
    pub dials: Vec<(ShareId, Endpoint)>,
    pub serving: Vec<(LinkId, Block)>,
    pub writing: Vec<(ShareId, Block, Vec<Digest>)>,
    pub preparing: Vec<ShareId>,
    pub held: BTreeSet<u32>,
    disk: BTreeMap<(u32, usize), Digest>,
    spins: (Moment, u32),
}

/// A block as the wire numbers it.
fn range(block: Block) -> Range {
    (u64::from(block.piece.get()), u64::from(block.start), u64::from(block.length))
}

impl Stage {
    pub fn new(node: Node) -> Stage {
        Stage {
            node,
            now: Moment::START,
            links: BTreeMap::new(),
            dials: Vec::new(),
            serving: Vec::new(),
            writing: Vec::new(),
            preparing: Vec::new(),
            held: BTreeSet::new(),
            disk: BTreeMap::new(),
            spins: (Moment::START, 0),
        }
    }

    /// What was on the disk at the beginning.
    pub fn hold(&mut self, held: &PieceSet) {
        for piece in held.iter() {
            self.held.insert(piece.get());
            self.lay_down(piece, &TRUTH.leaves[piece.index()]);
        }
    }

    fn lay_down(&mut self, piece: PieceIndex, leaves: &[Digest]) {
        let leaves = leaves.iter().enumerate();
        self.disk.extend(leaves.map(|(leaf, digest)| ((piece.get(), leaf), *digest)));
    }

    /// Gives the core an event and performs what it answers.
    pub fn happens(&mut self, event: Event) {
        let hand = self.note(&event);
        let mut out = Vec::new();
        self.node.handle(self.now, event, &mut out);
        self.perform(out, &hand);
        self.check();
    }

    /// What the event means for the books; the digests that it brings.
    fn note(&mut self, event: &Event) -> Vec<Digest> {
        match event {
            Event::Connected { link, dialled, .. } => {
                self.links.insert(*link, Book::new(dialled.is_some()));
            }
            Event::Received { link, message, payload } => {
                self.links.get_mut(link).expect("said on open links only").hear(message);
                if let (Message::Block { .. }, Payload::Digests(digests)) = (message, payload) {
                    return digests.clone();
                }
            }
            Event::Closed { link } => {
                self.links.remove(link);
                self.serving.retain(|(other, _)| other != link);
            }
            Event::Served { link, block, sent } => {
                if let Some(book) = self.links.get_mut(link) {
                    book.served(range(*block), *sent);
                }
            }
            Event::Lost { pieces, .. } | Event::Spoiled { pieces, .. } => {
                pieces.iter().for_each(|piece| self.lose(*piece));
            }
            Event::Prepared { held, doubtful, .. } => {
                self.hold(held);
                doubtful.iter().for_each(|(piece, leaves)| self.lay_down(*piece, leaves));
            }
            // Who wakes it for nothing is not its fault.
            Event::DeadlineReached if self.node.deadline().is_some_and(|due| due <= self.now) => {
                let count = if self.spins.0 == self.now { self.spins.1 + 1 } else { 1 };
                self.spins = (self.now, count);
                assert!(count <= SPINS_MAX, "a deadline that never moves on");
            }
            _ => {}
        }
        Vec::new()
    }

    /// What there was of it, and what is being written, lies nowhere any more.
    fn lose(&mut self, piece: PieceIndex) {
        self.held.remove(&piece.get());
        let of_it = self.writing.iter_mut().filter(|(_, block, _)| block.piece == piece);
        of_it.for_each(|(.., digests)| digests.clear());
        self.disk.retain(|(other, _), _| *other != piece.get());
    }

    /// Does what a core wants, as far as no event must answer it first.
    pub fn perform(&mut self, actions: Vec<Action>, hand: &[Digest]) {
        let most = ACTIONS_MAX + ACTIONS_A_LINK_MAX * (self.links.len() + 1);
        assert!(actions.len() <= most, "{} actions with {} links", actions.len(), self.links.len());
        actions.into_iter().for_each(|action| self.perform_one(action, hand));
    }

    fn perform_one(&mut self, action: Action, hand: &[Digest]) {
        match action {
            Action::Dial { share, endpoint } => {
                let own = self.dials.iter().filter(|(other, _)| *other == share);
                assert!(own.clone().count() < DIALS_MAX + PINNED_MAX, "too many dials at once");
                assert!(
                    own.clone().all(|(_, other)| *other != endpoint),
                    "{endpoint} is dialled twice at once"
                );
                self.dials.push((share, endpoint));
            }
            Action::Send { link, message } => self.say(link, &message),
            Action::SendMetainfo { link, metainfo, start, length } => {
                self.open(link);
                assert!(start + length as usize <= metainfo.served_bytes().len());
            }
            Action::SendBlock { link, block, .. } => {
                assert!(
                    self.held.contains(&block.piece.get()),
                    "it serves {block:?}, which it does not hold"
                );
                self.open(link).serve(range(block));
                self.serving.push((link, block));
            }
            Action::SendLeaves { link, .. } => drop(self.open(link).is_closing),
            Action::Close { link, farewell } => {
                farewell.iter().for_each(|farewell| self.say(link, farewell));
                self.open(link).is_closing = true;
            }
            Action::Prepare { share, .. } => self.preparing.push(share),
            Action::Write { share, block } => {
                assert_eq!(hand.len(), block.leaves().len(), "it writes {block:?} and was not given it");
                self.writing.push((share, block, hand.to_vec()));
            }
            Action::Keep { piece, .. } => self.keep(piece),
            Action::Remember { .. } | Action::Tell(_) => {}
        }
    }

    fn open(&mut self, link: LinkId) -> &mut Book {
        let book = self.links.get_mut(&link).filter(|book| !book.is_closing);
        book.unwrap_or_else(|| panic!("it speaks on {link:?}, which is closed or never was"))
    }

    fn say(&mut self, link: LinkId, message: &Message) {
        let mut line = Vec::new();
        encode(message, &mut line);
        assert!(
            line.len() <= LINE_BYTES_MAX
                && line.iter().position(|byte| *byte == b'\n') == Some(line.len() - 1)
        );
        self.open(link).say(message);
        if let Message::Stock { all, more } = message {
            let lie = all.iter().chain(more).flatten().flat_map(|[first, last]| *first..=*last);
            let lie = lie.into_iter().find(|piece| !self.held.iter().any(|held| u64::from(*held) == *piece));
            assert_eq!(lie, None, "it announces what it does not hold");
        }
    }

    fn keep(&mut self, piece: PieceIndex) {
        let leaves = TRUTH.leaves[piece.index()].iter().enumerate();
        let is_true = |(leaf, digest)| self.disk.get(&(piece.get(), leaf)) == Some(digest);
        assert!(leaves.into_iter().all(is_true), "it keeps {piece:?}, which is not whole and true");
        assert!(self.held.insert(piece.get()), "it keeps {piece:?} twice");
    }

    /// A write ended.
    pub fn wrote(&mut self, at: usize, done: bool) {
        let (share, block, digests) = self.writing.remove(at);
        if done {
            let places = block.leaves().map(|leaf| (block.piece.get(), leaf));
            self.disk.extend(places.zip(digests));
        }
        self.happens(Event::Wrote { share, block, done });
    }

    fn check(&self) {
        self.links.values().for_each(Book::check);
        let open = || self.links.values().filter(|book| !book.is_closing);
        let strangers = open().filter(|book| !book.is_greeted && !book.is_dialled).count();
        assert!(strangers <= STRANGERS_MAX, "{strangers} strangers");
        let views = self.node.view(self.now);
        for view in &views {
            assert!(view.peers.len() <= LINKS_MAX + GUESTS_MAX && view.done_bytes <= view.total_bytes);
        }
        let linked: usize = views.iter().map(|view| view.peers.len()).sum();
        assert!(linked <= open().filter(|book| book.is_greeted).count(), "it counts links that are none");
    }
}
