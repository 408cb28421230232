//! One linked peer: what it holds, what it may say now, what we owe it and what it owes us.
//!
//! Knows no other peer. Counts what the wire allows and says when it is too much.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::content::{Block, LEAF_BYTES, OutOfShare, PieceIndex};
use crate::ids::{Endpoint, PeerId};
use crate::time::Moment;

use super::rate::Meter;
use super::stock::{BadStock, Stock};
use super::suggesting::Promises;

/// Requests of one peer that wait with us (`wire.md`).
pub const OWED_MAX: usize = 2_000;
/// Our requests that wait with one peer (`wire.md`).
pub const ASKED_MAX: usize = 500;
/// Well-formed but hopeless requests, or blocks never asked for, before the link is closed (`wire.md`).
pub const STRIKES_MAX: u32 = 300;
/// A choke and the requests that were sent before it was heard of cross within so long, as libtorrent allows.
const CROSSING_MAX: Duration = Duration::from_secs(2);
/// A link without a byte for so long is dead (`wire.md`).
pub const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How often all of a stock may change in the life of a link; an honest one is gained once, and lost once.
const CHANGES_MAX: u64 = 8;
/// Something is said at least so often (`wire.md`).
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// Pieces suggested to us that are kept in mind.
const SUGGESTED_MAX: usize = 256;
/// Who suggested something of use so lately is asked for what it suggests and nothing else: it knows better than we do
/// what nobody else was given yet.
const GUIDANCE: Duration = Duration::from_secs(1);

/// Bytes asked for at once before anything is known of a peer's speed.
const WINDOW_FIRST: u64 = 256 * 1024;
const WINDOW_MIN: u64 = 2 * LEAF_BYTES as u64;
const WINDOW_MAX: u64 = 16 * 1024 * 1024;
/// Of what is owed to a peer, the shell has about so much of a second in hand, and so many bytes beside; the rest waits
/// here, where news and answers pass it and a choke can still take it back.
const SERVING: Duration = Duration::from_millis(150);
const SERVING_BESIDE: u64 = LEAF_BYTES as u64;
const SERVING_BYTES_MAX: u64 = 2 * 1024 * 1024;
const BLOCK_FIRST: u32 = 64 * 1024;
/// What is under way with a peer takes about so long, beside the time of a single block on an idle line: long enough for
/// its sender never to run dry, and so short that news and rare pieces do not wait behind it. Simulated with 8 to 64 peers
/// at 50 Mbit/s: three times as much ends later, and wastes more at the end.
const UNDER_WAY: Duration = Duration::from_millis(400);
/// And so much more, in bytes: where many draw on one line, each gets of it as it has under way, and without this the
/// slower would fall ever further behind.
const UNDER_WAY_BESIDE: u64 = 64 * 1024;
/// Ask for no more than about 2 s of a peer's rate (`wire.md`).
const UNDER_WAY_MAX: Duration = Duration::from_secs(2);
/// A block is taken over where it would come so many times sooner, and so much: simulated with less, more is sent twice than
/// is gained.
const TAKE_OVER_RATIO: u32 = 2;
const TAKE_OVER_GAIN: Duration = Duration::from_millis(300);
/// A block is about this much of a second at the peer's speed.
const BLOCKS_PER_SECOND: u64 = 16;

/// How long a peer may owe us everything before its blocks are asked for elsewhere, at least and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// Before the first block has come.
const PATIENCE_FIRST: Duration = Duration::from_secs(20);
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(60);

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

#[derive(Clone, Copy, Debug)]
struct Ask {
    at: Moment,
    /// The how-many-eth it was.
    number: u64,
    /// False once we no longer wait for it: it still is owed an answer.
    awaited: bool,
}

/// How an answer relates to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is waited for.
    Awaited,
    /// It was asked once, and is no longer waited for.
    Late,
    /// It was never asked on this link.
    Unasked,
}

/// One linked peer.
#[derive(Debug)]
pub struct Session {
    /// Who.
    pub remote: Remote,
    /// Only on the register's account: no blocks in either direction.
    pub is_guest: bool,
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
    /// Requests of it that wait with us, in order.
    pub owed: VecDeque<Block>,
    /// Blocks given to the shell and not yet reported sent, in bytes.
    pub serving_bytes: u64,
    /// Payload received.
    pub down: Meter,
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
    /// Places it told us of since the last round of gossip.
    pub places_told: usize,
    /// Parts of the metainfo given to it.
    pub parts_sent: u32,
    /// It let everything wait too long; served by one request at a time until it delivers.
    pub is_snubbed: bool,
    guided_until: Moment,
    asked: BTreeMap<Block, Ask>,
    asked_ever: u64,
    asked_bytes: u64,
    awaited_count: usize,
    delivered: Moment,
    service_mean: Duration,
    service_deviation: Duration,
    /// The shortest time that a block took: about a round trip.
    service_least: Duration,
    /// Bytes to have under way, as of the last block: one that was idle since begins where it left off.
    steady_bytes: u64,
    pause: Duration,
    paused_until: Moment,
    stock_changes: u64,
    choked_at: Option<Moment>,
    hopeless_count: u32,
    unasked_count: u32,
}

impl Session {
    /// A peer that just was linked; both sides begin choked and not interested.
    pub fn new(remote: Remote, is_guest: bool, now: Moment) -> Session {
        Session {
            remote,
            is_guest,
            heard: now,
            said: now,
            stock: Stock::default(),
            reason: None,
            was_seed: None,
            we_choke: true,
            we_want: false,
            it_chokes: true,
            it_wants: false,
            owed: VecDeque::new(),
            serving_bytes: 0,
            down: Meter::default(),
            up: Meter::default(),
            suggested: VecDeque::new(),
            promises: Promises::default(),
            is_seeding: false,
            leaves_served: 0,
            places_told: 0,
            parts_sent: 0,
            is_snubbed: false,
            guided_until: Moment::START,
            asked: BTreeMap::new(),
            asked_ever: 0,
            asked_bytes: 0,
            awaited_count: 0,
            delivered: now,
            service_mean: Duration::ZERO,
            service_deviation: Duration::ZERO,
            service_least: UNDER_WAY_MAX,
            steady_bytes: WINDOW_FIRST,
            pause: PAUSE_FIRST,
            paused_until: Moment::START,
            stock_changes: 0,
            choked_at: None,
            hopeless_count: 0,
            unasked_count: 0,
        }
    }

    /// Whether nothing was heard for too long.
    pub fn is_dead(&self, now: Moment) -> bool {
        now.since(self.heard) >= SILENCE_MAX
    }

    /// Whether a heartbeat is due.
    pub fn needs_heartbeat(&self, now: Moment) -> bool {
        now.since(self.said) >= HEARTBEAT
    }

    /// How many bytes the next request to it may have; none if it may not be asked now.
    pub fn appetite(&self, now: Moment) -> Option<u32> {
        let is_full = self.asked.len() >= ASKED_MAX || (self.is_snubbed && self.awaited_count > 0);
        if self.it_chokes || self.is_guest || now < self.paused_until || is_full {
            return None;
        }
        let size = self.block_bytes(now);
        (self.asked_bytes < self.window_bytes()).then_some(size)
    }

    /// Bytes to have under way: opens by what arrives, like TCP's slow start, up to what the peer delivers in a while.
    fn window_bytes(&self) -> u64 {
        let opened = WINDOW_FIRST + self.down.total_bytes();
        let steady = if self.down.total_bytes() < WINDOW_FIRST { WINDOW_FIRST } else { self.steady_bytes };
        opened.min(steady).clamp(WINDOW_MIN, WINDOW_MAX)
    }

    fn block_bytes(&self, now: Moment) -> u32 {
        let rate = self.down.rate(now);
        if self.is_snubbed {
            return LEAF_BYTES;
        }
        if self.down.total_bytes() == 0 {
            return BLOCK_FIRST;
        }
        let share = (rate / BLOCKS_PER_SECOND)
            .clamp(u64::from(LEAF_BYTES), u64::from(crate::content::geometry::BLOCK_BYTES_MAX));
        u32::try_from(share.next_power_of_two()).expect("at most a mebibyte, a power of two")
    }

    /// Notes a request of ours.
    pub fn ask(&mut self, now: Moment, block: Block) {
        if self.awaited_count == 0 {
            self.delivered = now;
        }
        self.asked_ever += 1;
        self.asked.insert(block, Ask { at: now, number: self.asked_ever, awaited: true });
        self.asked_bytes += u64::from(block.length);
        self.awaited_count += 1;
    }

    /// Whether `block` is asked of it and not answered yet.
    pub fn is_asked(&self, block: Block) -> bool {
        self.asked.contains_key(&block)
    }

    /// It answered `block`, with bytes or without.
    pub fn answered(&mut self, block: Block) -> Answer {
        match self.asked.remove(&block) {
            Some(Ask { awaited: true, .. }) => {
                self.asked_bytes -= u64::from(block.length);
                self.awaited_count -= 1;
                Answer::Awaited
            }
            Some(_) => Answer::Late,
            None => Answer::Unasked,
        }
    }

    /// A block arrived: learns how long one takes, and how many come. Call it before `answered`.
    pub fn delivered(&mut self, now: Moment, block: Block) {
        if let Some(ask) = self.asked.get(&block) {
            let took = now.since(ask.at);
            let off = took.abs_diff(self.service_mean);
            // Jacobson and Karels 1988, as TCP smooths its round trip.
            self.service_deviation = (self.service_deviation * 3 + off) / 4;
            self.service_mean = (self.service_mean * 7 + took) / 8;
            self.service_least = self.service_least.min(took);
        }
        self.down.add(now, u64::from(block.length));
        let rate = self.down.rate(now);
        let wanted = within(UNDER_WAY + self.service_least, rate) + UNDER_WAY_BESIDE;
        self.steady_bytes = wanted.min(within(UNDER_WAY_MAX, rate));
        self.delivered = now;
        self.is_snubbed = false;
        self.pause = PAUSE_FIRST;
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

    /// A request that is well formed and hopeless; not counted where it may have crossed our choke.
    pub fn hopeless(&mut self, now: Moment) -> Result<(), Violation> {
        self.hopeless_count += u32::from(self.choked_at.is_none_or(|at| now.since(at) >= CROSSING_MAX));
        if self.hopeless_count > STRIKES_MAX { Err(Violation::HopelessRequests) } else { Ok(()) }
    }

    /// It refused a request: it is not asked again before a pause that grows. Refusals that come in one pause are one.
    pub fn refused(&mut self, now: Moment) {
        if now >= self.paused_until {
            self.paused_until = now.after(self.pause);
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        }
    }

    /// We no longer wait for `block` from it; it still owes an answer.
    pub fn give_up(&mut self, block: Block) {
        if let Some(ask) = self.asked.get_mut(&block).filter(|ask| ask.awaited) {
            ask.awaited = false;
            self.asked_bytes -= u64::from(block.length);
            self.awaited_count -= 1;
        }
    }

    /// Everything we wait for from it.
    pub fn awaited(&self) -> Vec<Block> {
        self.asked.iter().filter(|(_, ask)| ask.awaited).map(|(block, _)| *block).collect()
    }

    /// How long it needs at its rate of late for what it is asked for; nothing, where it never had time to show a rate.
    pub fn queue(&self, now: Moment) -> Duration {
        if self.down.total_bytes() == 0 { Duration::ZERO } else { self.time_for(self.asked_bytes, now) }
    }

    /// Whether it would be done with a block of so many bytes, beside all it is asked for, so much sooner than a queue ends
    /// that the block is worth taking over. Who never delivered may try one.
    pub fn is_quicker(&self, bytes: u32, queue: Duration, now: Moment) -> bool {
        let own = self.time_for(self.asked_bytes + u64::from(bytes), now);
        let is_known = self.down.total_bytes() > 0 || self.is_idle();
        is_known && own * TAKE_OVER_RATIO + self.service_least + TAKE_OVER_GAIN < queue
    }

    fn time_for(&self, bytes: u64, now: Moment) -> Duration {
        let rate = self.down.rate(now).max(u64::from(LEAF_BYTES));
        Duration::from_millis(bytes.saturating_mul(1_000) / rate)
    }

    /// What it was asked for last of all that we wait for.
    pub fn asked_last(&self) -> Option<Block> {
        let awaited = self.asked.iter().filter(|(_, ask)| ask.awaited);
        awaited.max_by_key(|(_, ask)| ask.number).map(|(block, _)| *block)
    }

    /// Whether it owes us something and let us wait too long: mean and four deviations of its usual time, within bounds.
    pub fn is_overdue(&self, now: Moment) -> bool {
        let usual = self.service_mean + self.service_deviation * 4;
        let patience =
            if self.down.total_bytes() == 0 { PATIENCE_FIRST } else { usual.clamp(PATIENCE.0, PATIENCE.1) };
        self.awaited_count > 0 && now.since(self.delivered) >= patience
    }

    /// A long message is on its way, or we are the ones who do not read: neither silent nor overdue.
    pub fn is_alive(&mut self, now: Moment) {
        self.heard = now;
        self.delivered = now;
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

    /// Whether nothing is waited for from it.
    pub fn is_idle(&self) -> bool {
        self.awaited_count == 0
    }

    /// Whether it is asked for what it suggests only.
    pub fn guides(&self, now: Moment) -> bool {
        now < self.guided_until
    }
}

/// Bytes that pass in `span` at `rate` bytes a second.
pub fn within(span: Duration, rate: u64) -> u64 {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    rate.saturating_mul(millis) / 1_000
}

#[cfg(test)]
mod tests;
