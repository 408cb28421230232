//! One linked peer: what it holds, what it may say now, and what we owe it.
//!
//! Knows no other peer. What it owes us is in its pipe. Counts what the wire allows and says when it is too much.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::content::{Block, LEAF_BYTES, OutOfShare, PieceIndex};
use crate::ids::{Endpoint, PeerId};
use crate::scope::{Scope, host, network};
use crate::time::Moment;

use super::pipe::Pipe;
use super::rate::{Meter, within};
use super::slumber::Slumber;
use super::stock::{BadStock, Stock};
use super::suggesting::Promises;

/// Requests of one peer that wait with us (`wire.md`).
pub const OWED_MAX: usize = 2_000;
/// Well-formed but hopeless requests, or blocks never asked for, before the link is closed (`wire.md`).
pub const STRIKES_MAX: u32 = 300;
/// A choke and the requests that were sent before it was heard of cross within so long, as libtorrent allows.
const CROSSING_MAX: Duration = Duration::from_secs(2);
/// A link without a byte for so long is dead (`wire.md`).
pub const SILENCE_MAX: Duration = Duration::from_secs(20);
/// A link stands for so long after it was of use, even where others find no place.
const GRACE: Duration = Duration::from_secs(60);
/// How often all of a stock may change in the life of a link; an honest one is gained once, and lost once.
const CHANGES_MAX: u64 = 8;
/// Something is said at least so often (`wire.md`).
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// Changes of interest, chokes and news of nothing new: so many a second, and what may have waited on a line that stood still.
const IDLE_WORD: Duration = Duration::from_millis(5);
const IDLE_WORDS_SAVED: Duration = Duration::from_secs(20);
/// Pieces suggested to us that are kept in mind.
const SUGGESTED_MAX: usize = 256;
/// Who suggested something of use so lately is asked for what it suggests and nothing else: it knows better than we do
/// what nobody else was given yet.
const GUIDANCE: Duration = Duration::from_secs(1);

/// Of what is owed to a peer, the shell has about so much of a second in hand, and so many bytes beside; the rest waits
/// here, where news and answers pass it and a choke can still take it back.
const SERVING: Duration = Duration::from_millis(150);
const SERVING_BESIDE: u64 = LEAF_BYTES as u64;
const SERVING_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// What the peer did that the wire does not allow: it is told, and the link is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A number that does not fit the share.
    #[error(transparent)]
    OutOfShare(#[from] OutOfShare),
    /// Pieces that the share does not have.
    #[error(transparent)]
    Stock(#[from] BadStock),
    /// Over `STRIKES_MAX` requests while choked or for what is not held.
    #[error("more than {STRIKES_MAX} requests while choked, or for pieces that are not held here")]
    HopelessRequests,
    /// Over `STRIKES_MAX` blocks that were never asked for.
    #[error("more than {STRIKES_MAX} blocks that were never asked for")]
    UnaskedBlocks,
    /// A second REGISTRO.
    #[error("a second REGISTRO")]
    RegisteredTwice,
    /// An answer that nothing asked for, of a kind that must be asked for.
    #[error("{0} that was not asked for")]
    Unasked(&'static str),
    /// More of something than may come in that time.
    #[error("too many messages of one kind: {0}")]
    TooMany(&'static str),
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Who it says it is.
    pub id: PeerId,
    /// Observed.
    pub address: SocketAddr,
    /// Where it accepts connections; 0 = nowhere.
    pub port: u16,
    /// What program it says it is.
    pub agent: String,
    /// Whether it is a tracker.
    pub is_tracker: bool,
    /// Where we dialled it; none when it dialled us.
    pub dialled: Option<Endpoint>,
}

/// One linked peer.
#[derive(Debug)]
pub struct Session {
    /// Who.
    pub remote: Remote,
    /// The address that it is seen from, if a public one: neighbours elsewhere are told apart by nothing.
    pub host: Option<IpAddr>,
    /// The network of that.
    pub network: Option<IpAddr>,
    /// Only on the register's account: no blocks in either direction.
    pub is_guest: bool,
    /// When it was linked.
    pub since: Moment,
    /// When it last gave us a block or asked for one that we hold.
    used: Moment,
    /// When it was last heard.
    pub heard: Moment,
    /// When something was last said to it.
    pub said: Moment,
    /// What it holds.
    pub stock: Stock,
    /// A piece that it holds and we lack; none when it has nothing for us.
    pub reason: Option<PieceIndex>,
    /// Whether it held everything when we met.
    pub was_seed: Option<bool>,
    /// We do not serve it.
    pub we_choke: bool,
    /// We told it that it has something for us.
    pub we_want: bool,
    /// It does not serve us.
    pub it_chokes: bool,
    /// It told us that we have something for it.
    pub it_wants: bool,
    /// Our requests of it, and what they bring.
    pub pipe: Pipe,
    /// Requests of it that wait with us, in order.
    pub owed: VecDeque<Block>,
    /// Blocks given to the shell and not yet reported sent, in bytes.
    pub serving_bytes: u64,
    /// Whether it makes use of being served.
    pub slumber: Slumber,
    /// Payload sent.
    pub up: Meter,
    /// What it suggests, the oldest first.
    pub suggested: VecDeque<PieceIndex>,
    /// What we promised it.
    pub promises: Promises,
    /// It was said to hold everything.
    pub is_seeding: bool,
    /// Leaf hashes asked of us since the last inspection.
    pub leaves_served: u32,
    /// Leaf hashes that we asked of it since then.
    pub leaves_asked: u32,
    /// Places it told us of since the last round of gossip.
    pub places_told: usize,
    /// Parts of the metainfo given to it.
    pub parts_sent: u32,
    guided_until: Moment,
    stock_changes: u64,
    choked_at: Option<Moment>,
    /// When all its idle words so far would have been said at the usual pace.
    idled_until: Moment,
    hopeless_count: u32,
    unasked_count: u32,
}

impl Session {
    /// A peer that just was linked; both sides begin choked and not interested.
    pub fn new(remote: Remote, is_guest: bool, now: Moment) -> Session {
        let ip = remote.address.ip();
        Session {
            remote,
            host: (Scope::of(ip) == Scope::Global).then(|| host(ip)),
            network: (Scope::of(ip) == Scope::Global).then(|| network(ip)),
            is_guest,
            since: now,
            used: now,
            heard: now,
            said: now,
            stock: Stock::default(),
            reason: None,
            was_seed: None,
            we_choke: true,
            we_want: false,
            it_chokes: true,
            it_wants: false,
            pipe: Pipe::new(now),
            owed: VecDeque::new(),
            serving_bytes: 0,
            slumber: Slumber::default(),
            up: Meter::default(),
            suggested: VecDeque::new(),
            promises: Promises::default(),
            is_seeding: false,
            leaves_served: 0,
            leaves_asked: 0,
            places_told: 0,
            parts_sent: 0,
            guided_until: Moment::START,
            stock_changes: 0,
            choked_at: None,
            idled_until: Moment::START,
            hopeless_count: 0,
            unasked_count: 0,
        }
    }

    /// Whether nothing was heard for too long.
    pub fn is_dead(&self, now: Moment) -> bool {
        now.since(self.heard) >= SILENCE_MAX
    }

    /// Whether it has nothing for us and is after nothing, and neither gave nor asked for a while.
    pub fn is_of_no_use(&self, now: Moment) -> bool {
        let is_after_nothing = !self.it_wants || self.slumber.is_asleep(now);
        self.reason.is_none() && is_after_nothing && now.since(self.used) >= GRACE
    }

    /// Whether a heartbeat is due.
    pub fn needs_heartbeat(&self, now: Moment) -> bool {
        now.since(self.said) >= HEARTBEAT
    }

    /// How many bytes the next request to it may have; none if it may not be asked now.
    pub fn appetite(&self, now: Moment) -> Option<u32> {
        if self.it_chokes || self.is_guest { None } else { self.pipe.appetite(now) }
    }

    /// So many pieces came into its stock or went from it.
    pub fn stock_changed(&mut self, pieces: usize) -> Result<(), Violation> {
        self.stock_changes += pieces as u64;
        let piece_count = self.stock.known().map_or(0, |stock| stock.piece_count());
        if self.stock_changes > CHANGES_MAX * u64::from(piece_count) {
            return Err(Violation::TooMany("changes of stock"));
        }
        Ok(())
    }

    /// It says something that changes nothing but what it may be sent, or nothing at all.
    pub fn idle_word(&mut self, now: Moment) -> Result<(), Violation> {
        self.idled_until = self.idled_until.max(now).after(IDLE_WORD);
        if self.idled_until.since(now) > IDLE_WORDS_SAVED {
            return Err(Violation::TooMany("interest, chokes or news of nothing"));
        }
        Ok(())
    }

    /// A block nobody ever asked it for.
    pub fn unasked(&mut self) -> Result<(), Violation> {
        self.unasked_count += 1;
        if self.unasked_count > STRIKES_MAX { Err(Violation::UnaskedBlocks) } else { Ok(()) }
    }

    /// It is no longer served.
    pub fn choke(&mut self, now: Moment) {
        self.we_choke = true;
        self.choked_at = Some(now);
    }

    /// It gave us a block.
    pub fn gives(&mut self, now: Moment, block: Block) {
        self.pipe.delivered(now, block);
        self.used = now;
    }

    /// It asks for something, which we hold.
    pub fn asks(&mut self, now: Moment) {
        if !self.we_choke || self.may_have_crossed(now) {
            self.used = now;
            self.slumber.asked();
        }
    }

    /// Looks whether it makes use of being served.
    pub fn watch(&mut self, now: Moment) {
        let is_owed = !self.owed.is_empty() || self.serving_bytes > 0;
        self.slumber.watch(self.it_wants && !self.we_choke && !is_owed, now);
    }

    /// Whether what it says now it may have said before it heard of our choke.
    fn may_have_crossed(&self, now: Moment) -> bool {
        self.choked_at.is_some_and(|at| now.since(at) < CROSSING_MAX)
    }

    /// A request that is well formed and hopeless; not counted where it may have crossed our choke.
    pub fn hopeless(&mut self, now: Moment) -> Result<(), Violation> {
        self.hopeless_count += u32::from(!self.may_have_crossed(now));
        if self.hopeless_count > STRIKES_MAX { Err(Violation::HopelessRequests) } else { Ok(()) }
    }

    /// A long message is on its way, or we are the ones who do not read: neither silent nor overdue.
    pub fn is_alive(&mut self, now: Moment) {
        self.heard = now;
        self.pipe.is_alive(now);
    }

    /// Keeps a suggestion in mind; the oldest gives way. One of use is followed for a while to the exclusion of all else.
    pub fn suggest(&mut self, piece: PieceIndex, is_of_use: bool, now: Moment) {
        if self.suggested.len() == SUGGESTED_MAX {
            self.suggested.pop_front();
        }
        self.suggested.push_back(piece);
        if is_of_use {
            self.guided_until = now.after(GUIDANCE);
        }
    }

    /// How many bytes the shell may have in hand for it: little, since what is said to it waits behind them.
    pub fn serving_max(&self, now: Moment) -> u64 {
        (SERVING_BESIDE + within(SERVING, self.up.rate(now))).min(SERVING_BYTES_MAX)
    }

    /// Whether it is asked for what it suggests only.
    pub fn guides(&self, now: Moment) -> bool {
        now < self.guided_until
    }
}

#[cfg(test)]
mod tests;
