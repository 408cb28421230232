//! A peer that follows the wire as far as its habits let it: a seed, a poisoner, a liar about what it has, a free rider.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use minibit::ids::{Endpoint, LinkId, PeerId};
use minibit::seam::Payload;
use minibit::wire::{ErrorCode, Message, NackReason, PeerAddress};

use super::habits::{Answers, Blocks, Claims, Dials, Habits, Serves, When};
use super::{Hand, Script};
use crate::queue::{Micros, SECOND};
use crate::truth::any_digest;

/// What a peer asks for at once, and how many of them of one peer.
const ASK_BYTES: u64 = 64 * 1024;
const ASKS: usize = 16;
const LEAF: u64 = 16 * 1024;

/// What came of it, for the story to look at.
#[derive(Debug, Default)]
pub struct Diary {
    /// Payload bytes received that it had asked for.
    pub got_bytes: u64,
    /// When it had all.
    pub done_at: Option<Micros>,
    /// Links that were let in, now.
    pub linked: BTreeSet<LinkId>,
    /// The most of them at once.
    pub linked_max: usize,
    /// Times it was unchoked.
    pub unchokes: u32,
    /// Last words of others.
    pub errors: Vec<ErrorCode>,
}

/// A diary that a script and its story share.
pub type Shared = Rc<RefCell<Diary>>;

type Range = (u64, u64, u64);

/// One link.
#[derive(Debug, Default)]
struct Talk {
    is_introduced: bool,
    stock: BTreeSet<u64>,
    is_open: bool,
    asked: Vec<Range>,
    got_bytes: u64,
    given: u32,
}

/// The script.
#[derive(Debug)]
pub struct Puppet {
    habits: Habits,
    first: Vec<Endpoint>,
    id: Option<PeerId>,
    talks: BTreeMap<LinkId, Talk>,
    known: BTreeSet<Endpoint>,
    missing: BTreeSet<Range>,
    got: BTreeMap<u64, u64>,
    is_begun: bool,
    is_found_out: bool,
    diary: Shared,
}

impl Puppet {
    /// With these habits, knowing these places.
    pub fn new(habits: Habits, first: Vec<Endpoint>) -> Puppet {
        Puppet {
            habits,
            first,
            id: None,
            talks: BTreeMap::new(),
            known: BTreeSet::new(),
            missing: BTreeSet::new(),
            got: BTreeMap::new(),
            is_begun: false,
            is_found_out: false,
            diary: Shared::default(),
        }
    }

    /// As somebody who copied this id.
    pub fn named(self, id: PeerId) -> Puppet {
        Puppet { id: Some(id), ..self }
    }

    /// What came of it.
    pub fn diary(&self) -> Shared {
        self.diary.clone()
    }

    fn holds(&self, hand: &Hand<'_>, piece: u64) -> bool {
        match self.habits.claims {
            Claims::Nothing => false,
            Claims::Everything => true,
            Claims::Got => self.has(hand, piece),
        }
    }

    fn has(&self, hand: &Hand<'_>, piece: u64) -> bool {
        self.got.get(&piece).is_some_and(|bytes| *bytes == length(hand, piece))
    }

    fn introduce(&mut self, hand: &mut Hand<'_>, link: LinkId) {
        let id = *self.id.get_or_insert_with(|| hand.any_id());
        hand.introduce(link, id, if self.habits.listens { hand.own.port() } else { 0 });
        let pieces = hand.truth.leaves.len() as u64;
        let held = (0..pieces).filter(|piece| self.holds(hand, *piece)).map(|piece| [piece; 2]).collect();
        hand.say(link, Message::Stock { all: Some(held), more: None });
        if let Some(talk) = self.talks.get_mut(&link) {
            talk.is_introduced = true;
        }
    }

    fn registered(&mut self, hand: &mut Hand<'_>, link: LinkId) {
        if self.talks.get(&link).is_some_and(|talk| !talk.is_introduced) {
            self.introduce(hand, link);
        }
        let mut diary = self.diary.borrow_mut();
        diary.linked.insert(link);
        diary.linked_max = diary.linked_max.max(diary.linked.len());
        drop(diary);
        if self.habits.asks {
            hand.say(link, Message::Interested);
        }
    }

    fn meet(&mut self, hand: &mut Hand<'_>, peers: &[PeerAddress]) {
        if self.habits.dials != Dials::Everyone {
            return;
        }
        for peer in peers {
            let endpoint = Endpoint::at(peer.ip, peer.port);
            if peer.ip != hand.own.ip() && self.known.insert(endpoint.clone()) {
                hand.dial(&endpoint);
            }
        }
    }

    fn ask(&mut self, hand: &mut Hand<'_>, link: LinkId) {
        let Some(talk) = self.talks.get_mut(&link).filter(|talk| talk.is_open) else { return };
        while talk.asked.len() < ASKS {
            let open: Vec<Range> =
                self.missing.iter().filter(|range| talk.stock.contains(&range.0)).copied().collect();
            let Some(range) = hand.chance.pick(&open).copied() else { return };
            self.missing.remove(&range);
            talk.asked.push(range);
            let (piece, start, length) = range;
            hand.say(link, Message::Request { piece, start, length });
        }
    }

    fn settle(&mut self, hand: &mut Hand<'_>, link: LinkId, range: Range, came: bool) {
        let Some(talk) = self.talks.get_mut(&link) else { return };
        let Some(place) = talk.asked.iter().position(|asked| *asked == range) else { return };
        talk.asked.swap_remove(place);
        if !came {
            self.missing.insert(range);
            return;
        }
        talk.got_bytes += range.2;
        *self.got.entry(range.0).or_default() += range.2;
        self.diary.borrow_mut().got_bytes += range.2;
        if self.missing.is_empty() && self.talks.values().all(|talk| talk.asked.is_empty()) {
            self.diary.borrow_mut().done_at.get_or_insert(hand.now);
        }
        if self.habits.claims == Claims::Got && self.has(hand, range.0) {
            let news = Some(vec![[range.0; 2]]);
            self.talks
                .keys()
                .for_each(|link| hand.say(*link, Message::Stock { all: None, more: news.clone() }));
        }
    }

    /// Leaves, and comes back as somebody else.
    fn return_anew(&mut self, hand: &mut Hand<'_>, link: LinkId) {
        self.id = None;
        hand.close(link);
    }

    fn serve(&mut self, hand: &mut Hand<'_>, link: LinkId, range: Range) {
        let (piece, start, length) = range;
        let refuse = |hand: &mut Hand<'_>, reason| {
            hand.say(link, Message::Nack { piece, start, length, reason });
        };
        if !self.holds(hand, piece) {
            return refuse(hand, NackReason::Absent);
        }
        let is_false = match self.habits.blocks {
            Blocks::Silence => return,
            Blocks::Refused(reason) => return refuse(hand, reason),
            Blocks::AllButTheLast if is_last(hand, range) => return,
            Blocks::True | Blocks::AllButTheLast => false,
            Blocks::False(when) => self.lies(hand, link, range, when),
        };
        let leaves = &hand.truth.leaves[usize::try_from(piece).expect("a piece")];
        let first = usize::try_from(start / LEAF).expect("a leaf");
        let count = usize::try_from(length.div_ceil(LEAF)).expect("some leaves");
        let mut leaves = leaves[first..first + count].to_vec();
        if is_false {
            let at = hand.chance.below(leaves.len());
            leaves[at] = any_digest(hand.chance);
        }
        let length = u32::try_from(length).expect("at most a mebibyte");
        hand.give(link, Message::Block { piece, start, length }, Payload::Digests(leaves));
    }

    fn lies(&mut self, hand: &mut Hand<'_>, link: LinkId, range: Range, when: When) -> bool {
        let Some(talk) = self.talks.get_mut(&link) else { return false };
        talk.given += 1;
        match when {
            When::Percent(percent) => hand.chance.below(100) < percent,
            When::Late => talk.stock.len() * 10 >= hand.truth.leaves.len() * 9,
            When::Shared => range.2 < length(hand, range.0),
            When::After(count) => talk.given > count,
        }
    }

    fn tell_leaves(&self, hand: &mut Hand<'_>, link: LinkId, piece: u64) {
        let mut leaves = hand.truth.leaves[usize::try_from(piece).expect("a piece")].clone();
        match self.habits.leaves {
            Answers::True => {}
            Answers::False => leaves[0] = any_digest(hand.chance),
            Answers::Nothing => leaves.clear(),
            Answers::Silence => return,
        }
        let length = u32::try_from(32 * leaves.len()).expect("a few leaves");
        hand.give(link, Message::Leaves { piece, length }, Payload::Digests(leaves));
    }

    fn tell_metainfo(&self, hand: &mut Hand<'_>, link: LinkId) {
        let mut bytes = hand.truth.metainfo.served_bytes().to_vec();
        match self.habits.metainfo {
            Answers::True => {}
            Answers::False => bytes[0] ^= 1,
            Answers::Nothing => bytes.clear(),
            Answers::Silence => return,
        }
        let (length, total) = (u32::try_from(bytes.len()).expect("small"), bytes.len() as u64);
        let payload = if bytes.is_empty() { Payload::None } else { Payload::Bytes(bytes) };
        hand.give(link, Message::Metainfo { start: 0, length, total }, payload);
    }
}

/// Bytes of a piece.
pub fn length(hand: &Hand<'_>, piece: u64) -> u64 {
    let geometry = hand.truth.metainfo.geometry();
    geometry.length(geometry.piece(piece).expect("a piece of the share")).into()
}

fn is_last(hand: &Hand<'_>, (piece, start, bytes): Range) -> bool {
    piece + 1 == hand.truth.leaves.len() as u64 && start + bytes == length(hand, piece)
}

/// Everything there is to ask for.
pub fn ranges(hand: &Hand<'_>) -> BTreeSet<Range> {
    let pieces = 0..hand.truth.leaves.len() as u64;
    let of = |piece| {
        let end = length(hand, piece);
        let starts = (0..end).step_by(usize::try_from(ASK_BYTES).expect("small"));
        starts.map(move |start| (piece, start, ASK_BYTES.min(end - start)))
    };
    pieces.flat_map(of).collect()
}

impl Script for Puppet {
    fn begin(&mut self, hand: &mut Hand<'_>) {
        if !std::mem::replace(&mut self.is_begun, true) && self.habits.asks {
            self.missing = ranges(hand);
        }
        self.known.extend(self.first.iter().cloned());
        self.first.iter().for_each(|endpoint| hand.dial(endpoint));
        hand.wake_after(4 * SECOND);
    }

    fn connected(&mut self, hand: &mut Hand<'_>, link: LinkId, dialled: bool) {
        self.talks.insert(link, Talk::default());
        if dialled {
            self.introduce(hand, link);
        }
    }

    fn heard(&mut self, hand: &mut Hand<'_>, link: LinkId, message: &Message, _payload: &Payload) {
        match message {
            Message::Register { .. } => self.registered(hand, link),
            Message::PeerList(peers) => self.meet(hand, peers),
            Message::NewPeer(peer) => self.meet(hand, &[*peer]),
            Message::Stock { all, more } => {
                let Some(talk) = self.talks.get_mut(&link) else { return };
                if all.is_some() {
                    talk.stock.clear();
                }
                talk.stock.extend(all.iter().chain(more).flatten().flat_map(|run| run[0]..=run[1]));
                self.ask(hand, link);
            }
            Message::Interested if self.habits.serves == Serves::Everyone => {
                hand.say(link, Message::Unchoke);
            }
            Message::Unchoke => {
                self.talks.entry(link).or_default().is_open = true;
                self.diary.borrow_mut().unchokes += 1;
                if self.habits.serves == Serves::WhoServesIt {
                    hand.say(link, Message::Unchoke);
                }
                self.ask(hand, link);
            }
            Message::Choke => {
                self.talks.entry(link).or_default().is_open = false;
                if self.habits.serves == Serves::WhoServesIt {
                    hand.say(link, Message::Choke);
                }
                if self.habits.returns_after.is_some() {
                    self.return_anew(hand, link);
                }
            }
            Message::Request { piece, start, length } => self.serve(hand, link, (*piece, *start, *length)),
            Message::Block { piece, start, length } => {
                self.settle(hand, link, (*piece, *start, u64::from(*length)), true);
                let got = self.talks.get(&link).map_or(0, |talk| talk.got_bytes);
                if self.habits.returns_after.is_some_and(|most| got >= most) {
                    return self.return_anew(hand, link);
                }
                self.ask(hand, link);
            }
            Message::Nack { piece, start, length, .. } => {
                self.settle(hand, link, (*piece, *start, *length), false);
            }
            Message::LeavesRequest { piece } => self.tell_leaves(hand, link, *piece),
            Message::MetainfoRequest { .. } => self.tell_metainfo(hand, link),
            Message::Error { code, .. } => {
                self.is_found_out |= *code == ErrorCode::Banned;
                self.diary.borrow_mut().errors.push(*code);
            }
            _ => {}
        }
    }

    fn closed(&mut self, hand: &mut Hand<'_>, link: LinkId) {
        let Some(talk) = self.talks.remove(&link) else { return };
        self.missing.extend(talk.asked);
        self.diary.borrow_mut().linked.remove(&link);
        if self.habits.returns_after.is_some() {
            self.begin(hand);
        }
    }

    fn awake(&mut self, hand: &mut Hand<'_>) {
        self.talks.keys().for_each(|link| hand.say(*link, Message::Heartbeat));
        if std::mem::take(&mut self.is_found_out) && self.habits.comes_back {
            self.id = None;
            self.known.clear();
            return self.begin(hand);
        }
        hand.wake_after(4 * SECOND);
    }
}
